/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "tests/vm/kernel.h"

#define PAGE_BYTES 4096

static int bpf(enum bpf_cmd command, union bpf_attr *attr)
{
	long r = syscall(SYS_bpf, command, attr, sizeof(*attr));

	return r < 0 ? -errno : (int)r;
}

static uint64_t address(const void *p)
{
	return (uintptr_t)p;
}

/* ---- maps ---- */
static int make_map(uint32_t type, uint32_t value_size, uint32_t entries, uint32_t flags)
{
	union bpf_attr attr = {0};

	attr.map_type = type;
	attr.key_size = 4;
	attr.value_size = value_size;
	attr.max_entries = entries;
	attr.map_flags = flags;
	return bpf(BPF_MAP_CREATE, &attr);
}

static int make_array(int *ret_map, uint8_t **ret_values, uint32_t value_size, uint32_t entries)
{
	int fd = make_map(BPF_MAP_TYPE_ARRAY, value_size, entries, BPF_F_MMAPABLE);
	void *values;

	if (fd < 0)
		return fd;
	*ret_map = fd;
	values = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (values == MAP_FAILED)
		return -errno;
	*ret_values = values;
	return 0;
}

int kernel_init(struct kernel *k)
{
	int r;

	*k = (struct kernel){.maps = {-1, -1, -1}, .hash_changed = true};
	r = make_array(&k->maps[WORLD_VALUES], &k->values, WORLD_VALUES_BYTES, 1);
	if (!r)
		r = make_array(&k->maps[WORLD_ARRAY], &k->array, WORLD_ARRAY_BYTES, WORLD_ARRAY_ENTRIES);
	if (!r) {
		r = make_map(BPF_MAP_TYPE_HASH, WORLD_HASH_BYTES, WORLD_HASH_ENTRIES, 0);
		k->maps[WORLD_HASH] = r;
	}
	if (r < 0) {
		kernel_done(k);
		return r;
	}
	return 0;
}

void kernel_done(struct kernel *k)
{
	for (unsigned i = 0; i < WORLD_MAPS; i++)
		if (k->maps[i] >= 0)
			close(k->maps[i]);
	if (k->values)
		munmap(k->values, PAGE_BYTES);
	if (k->array)
		munmap(k->array, PAGE_BYTES);
	*k = (struct kernel){.maps = {-1, -1, -1}};
}

static union bpf_attr hash_element(const struct kernel *k, const uint32_t *key, void *value)
{
	union bpf_attr attr = {0};

	attr.map_fd = (uint32_t)k->maps[WORLD_HASH];
	attr.key = address(key);
	attr.value = address(value);
	return attr;
}

static void empty_hash(struct kernel *k)
{
	for (uint32_t key = 0; key < WORLD_HASH_KEYS && k->hash_changed; key++) {
		union bpf_attr attr = hash_element(k, &key, NULL);
		bpf(BPF_MAP_DELETE_ELEM, &attr);
	}
	k->hash_changed = false;
}

static void read_hash(struct kernel *k, struct world_memory *m)
{
	for (uint32_t key = 0; key < WORLD_HASH_KEYS; key++) {
		union bpf_attr attr = hash_element(k, &key, &m->hash[key * WORLD_HASH_BYTES]);
		if (bpf(BPF_MAP_LOOKUP_ELEM, &attr) == 0)
			m->hash_keys |= (uint8_t)(1u << key);
	}
	k->hash_changed = m->hash_keys;
}

/* ---- programs ---- */
int kernel_load(struct kernel *k, const struct picket_insn *insns, size_t count, int *ret_program, char *log,
                size_t log_size)
{
	union bpf_attr attr = {0};
	int r;

	attr.prog_type = BPF_PROG_TYPE_SCHED_CLS;
	attr.insns = address(insns);
	attr.insn_cnt = (uint32_t)count;
	attr.license = address("GPL");
	attr.fd_array = address(k->maps);
	if (log) {
		attr.log_level = 1;
		attr.log_buf = address(log);
		attr.log_size = (uint32_t)log_size;
	}
	r = bpf(BPF_PROG_LOAD, &attr);
	if (r < 0)
		return r;
	*ret_program = r;
	return 0;
}

int kernel_run(struct kernel *k, int program, const struct world_memory *before, uint32_t *ret_result,
               struct world_memory *ret_after)
{
	union bpf_attr attr = {0};
	struct world_memory after = *before;
	int r;

	memcpy(k->values, before->values, sizeof(before->values));
	memcpy(k->array, before->array, sizeof(before->array));
	empty_hash(k);
	attr.test.prog_fd = (uint32_t)program;
	attr.test.data_in = address(before->packet);
	attr.test.data_size_in = sizeof(before->packet);
	attr.test.data_out = address(after.packet);
	attr.test.data_size_out = sizeof(after.packet);
	r = bpf(BPF_PROG_TEST_RUN, &attr);
	if (r < 0)
		return r;
	memcpy(after.values, k->values, sizeof(after.values));
	memcpy(after.array, k->array, sizeof(after.array));
	read_hash(k, &after);
	*ret_result = attr.test.retval;
	*ret_after = after;
	return 0;
}
