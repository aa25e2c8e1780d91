/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel that random programs are made for: a few structs and all functions of kfunc.def, with the same names and
 * rules as the real ones, and small. Programs of objects get the running kernel's.
 */
#include <assert.h>
#include <bpf/btf.h>
#include <linux/btf.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/file.h"
#include "tests/verify/soundness.h"

#define RUNNING_BYTES_MAX (64u << 20)

/* A member leads to an object, holds one, or is so many bytes of numbers. */
static const struct {
	const char *object; /* whose: those of one stand together */
	const char *name;
	uint32_t offset;
	enum { LEADS_TO, LEADS_TO_RCU, HOLDS, BYTES } what;
	const char *to;
	uint32_t bytes;
} members[] = {
        {"cpumask", "bits", 0, BYTES, NULL, 8},
        {"bpf_cpumask", "cpumask", 0, HOLDS, "cpumask", 8},
        {"bpf_cpumask", "usage", 8, BYTES, NULL, 4},
        {"cgroup_subsys_state", "cgroup", 0, LEADS_TO, "cgroup", 8},
        {"cgroup_subsys_state", "serial_nr", 8, BYTES, NULL, 8},
        {"cgroup", "self", 0, HOLDS, "cgroup_subsys_state", 16},
        {"cgroup", "level", 16, BYTES, NULL, 4},
        {"cgroup", "kn", 24, LEADS_TO, "kernfs_node", 8},
        {"kernfs_node", "id", 0, BYTES, NULL, 8},
        {"inode", "i_ino", 0, BYTES, NULL, 8},
        {"path", "dentry", 0, LEADS_TO, "dentry", 8},
        {"dentry", "d_inode", 0, LEADS_TO, "inode", 8},
        {"dentry", "d_flags", 8, BYTES, NULL, 4},
        {"file", "f_mode", 0, BYTES, NULL, 4},
        {"file", "f_inode", 8, LEADS_TO, "inode", 8},
        {"file", "f_path", 16, HOLDS, "path", 8},
        {"mm_struct", "exe_file", 0, LEADS_TO_RCU, "file", 8},
        {"mm_struct", "total_vm", 8, BYTES, NULL, 8},
        {"vm_area_struct", "vm_start", 0, BYTES, NULL, 8},
        {"vm_area_struct", "vm_mm", 8, LEADS_TO, "mm_struct", 8},
        {"vm_area_struct", "vm_file", 16, LEADS_TO, "file", 8},
        {"css_set", "dfl_cgrp", 0, LEADS_TO, "cgroup", 8},
        {"task_struct", "flags", 0, BYTES, NULL, 4},
        {"task_struct", "pid", 4, BYTES, NULL, 4},
        {"task_struct", "real_parent", 8, LEADS_TO, "task_struct", 8},
        {"task_struct", "group_leader", 16, LEADS_TO, "task_struct", 8},
        {"task_struct", "last_wakee", 24, LEADS_TO, "task_struct", 8},
        {"task_struct", "cpus_ptr", 32, LEADS_TO, "cpumask", 8},
        {"task_struct", "cgroups", 40, LEADS_TO_RCU, "css_set", 8},
        {"task_struct", "mm", 48, LEADS_TO, "mm_struct", 8},
        {"task_struct", "comm", 56, BYTES, NULL, 16},
        {"kmem_cache", "size", 0, BYTES, NULL, 4},
        {"sock_common", "skc_family", 0, BYTES, NULL, 2},
        {"sock", "__sk_common", 0, HOLDS, "sock_common", 8},
        {"sock", "sk_rcvbuf", 8, BYTES, NULL, 4},
        {"tcp_sock", "sk", 0, HOLDS, "sock", 16},
        {"tcp_sock", "snd_cwnd", 16, BYTES, NULL, 4},
        {"udp6_sock", "sk", 0, HOLDS, "sock", 16},
        {"unix_sock", "sk", 0, HOLDS, "sock", 16},
        {"pt_regs", "ip", 0, BYTES, NULL, 8},
        {"task_struct__safe_rcu", "cpus_ptr", 0, LEADS_TO, "cpumask", 8},
        {"task_struct__safe_rcu", "real_parent", 8, LEADS_TO, "task_struct", 8},
        {"task_struct__safe_rcu", "group_leader", 16, LEADS_TO, "task_struct", 8},
        {"css_set__safe_rcu", "dfl_cgrp", 0, LEADS_TO, "cgroup", 8},
        {"mm_struct__safe_rcu_or_null", "exe_file", 0, LEADS_TO, "file", 8},
        {"file__safe_trusted", "f_inode", 0, LEADS_TO, "inode", 8},
        {"vm_area_struct__safe_trusted_or_null", "vm_mm", 0, LEADS_TO, "mm_struct", 8},
        {"vm_area_struct__safe_trusted_or_null", "vm_file", 8, LEADS_TO, "file", 8},
};

static bool begins_object(size_t member)
{
	return member == 0 || strcmp(members[member].object, members[member - 1].object) != 0;
}

/* Numbers of types follow from their order: all structs come first, in the order of the table. */
static int object_id(const char *name)
{
	int id = 0;

	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		id += begins_object(i);
		if (!strcmp(members[i].object, name))
			return id;
	}
	return 0;
}

static uint32_t object_bytes(size_t first)
{
	uint32_t bytes = 0;

	for (size_t i = first; i < ARRAY_SIZE(members) && (i == first || !begins_object(i)); i++)
		bytes = members[i].offset + members[i].bytes;
	return (bytes + 7) / 8 * 8;
}

/* The types of members are made after the structs, whose members say their numbers beforehand: id_next. */
static int member_types(size_t member)
{
	return members[member].what == HOLDS ? 0 : members[member].what == LEADS_TO_RCU ? 2 : 1;
}

static int add_objects(struct btf *b)
{
	int id_next = 2, r = 0; /* behind the structs: the byte, and what indexes an array */

	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		id_next += begins_object(i);
	for (size_t i = 0; !r && i < ARRAY_SIZE(members); i++) {
		id_next += member_types(i);
		if (begins_object(i) && btf__add_struct(b, members[i].object, object_bytes(i)) < 0)
			return -1;
		r = btf__add_field(b, members[i].name,
		                   members[i].what == HOLDS ? object_id(members[i].to) : id_next - 1,
		                   members[i].offset * 8, 0);
	}
	return r;
}

static int add_member_types(struct btf *b)
{
	int byte = btf__add_int(b, "char", 1, 0), r = byte;

	for (size_t i = 0; r > 0 && i < ARRAY_SIZE(members); i++) {
		switch (members[i].what) {
		case HOLDS:
			break;
		case BYTES:
			r = members[i].bytes > 8 ? btf__add_array(b, byte, byte, members[i].bytes)
			                         : btf__add_int(b, "number", members[i].bytes, 0);
			break;
		case LEADS_TO:
			r = btf__add_ptr(b, object_id(members[i].to));
			break;
		case LEADS_TO_RCU:
			r = btf__add_type_tag(b, "rcu", object_id(members[i].to));
			r = r < 0 ? r : btf__add_ptr(b, r);
			break;
		}
	}
	return r < 0 ? r : 0;
}

static int add_functions(struct btf *b)
{
	static const char *const names[] = {
#define KFUNC(name, ...) "bpf_" #name,
#include "verify/kfunc.def"
	};
	int prototype = btf__add_func_proto(b, 0), r = prototype;

	for (size_t i = 0; r > 0 && i < ARRAY_SIZE(names); i++)
		if (i == 0 || strcmp(names[i], names[i - 1]) != 0) /* one may have several rows */
			r = btf__add_func(b, names[i], BTF_FUNC_STATIC, prototype);
	return r < 0 ? r : 0;
}

/* ---- opened once ---- */
static struct btf *made;
static struct picket_types *made_types, *running;
static bool running_tried;
static struct buf running_bytes;

static int make(void)
{
	const void *bytes;
	uint32_t length;

	made = btf__new_empty();
	if (!made || add_objects(made) || add_member_types(made) || add_functions(made))
		return -1;
	bytes = btf__raw_data(made, &length);
	return bytes ? picket_types_open(bytes, length, &made_types, NULL) : -1;
}

struct picket_types *soundness_types(void)
{
	if (!made && make()) {
		fprintf(stderr, "verify_soundness: the types of a kernel cannot be made\n");
		abort();
	}
	return made_types;
}

struct picket_types *soundness_types_running(void)
{
	if (running_tried)
		return running;
	running_tried = true;
	buf_init(&running_bytes, RUNNING_BYTES_MAX);
	if (file_read("/sys/kernel/btf/vmlinux", &running_bytes) ||
	    picket_types_open(running_bytes.data, running_bytes.length, &running, NULL))
		running = NULL;
	return running;
}

int soundness_relocate(struct picket_image *image)
{
	return soundness_types_running() ? picket_image_relocate(image, running_bytes.data, running_bytes.length, NULL)
	                                 : 0;
}

void soundness_types_done(void)
{
	picket_types_free(made_types);
	picket_types_free(running);
	btf__free(made);
	buf_done(&running_bytes);
}

int soundness_kfunc(const char *name)
{
	int id;

	soundness_types();
	id = btf__find_by_name_kind(made, name, BTF_KIND_FUNC);
	assert(id > 0);
	return id;
}

int soundness_field(const char *object, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (!strcmp(members[i].object, object) && !strcmp(members[i].name, name))
			return (int)members[i].offset;
	return 0;
}

const char *case_kfunc(const struct test_case *c, int32_t number)
{
	const struct picket_image *image = c->origin ? c->origin->image : NULL;

	if (!image)
		return verify_types_name(verify_types_of(soundness_types()), (uint32_t)number);
	return (size_t)number < picket_image_kernel_count(image) ? picket_image_kernel_name(image, (size_t)number) : "";
}
