/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/owner.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PID_NAMESPACE_INIT 0xEFFFFFFCu /* inode number of the initial one: fixed in the kernel's ABI */

uint32_t owner_pid(void)
{
	struct stat st;
	return stat("/proc/self/ns/pid", &st) == 0 && st.st_ino == PID_NAMESPACE_INIT ? (uint32_t)getpid() : 0;
}

int owner_mark_program(const struct bpf_map *map, int program)
{
	return bpf_prog_bind_map(program, bpf_map__fd(map), NULL) ? -errno : 0;
}

int owner_mark(const struct bpf_object *object, const struct bpf_map *map, const char *instance)
{
	struct picket_owner owner = {.magic = OWNER_MAGIC, .tgid = owner_pid(), .version = PICKET_VERSION};
	const uint32_t zero = 0;
	struct bpf_program *p;
	snprintf(owner.instance, sizeof(owner.instance), "%s", instance ? instance : "");
	int r = bpf_map_update_elem(bpf_map__fd(map), &zero, &owner, BPF_ANY) ? -errno : 0;
	bpf_object__for_each_program(p, object) if (r == 0 && bpf_program__fd(p) >= 0) r =
	        owner_mark_program(map, bpf_program__fd(p));
	return r;
}

int owner_read(int map, struct picket_owner *ret_owner)
{
	struct picket_owner owner;
	const uint32_t zero = 0;
	if (bpf_map_lookup_elem(map, &zero, &owner))
		return -errno;
	if (owner.magic != OWNER_MAGIC)
		return -EINVAL;
	owner.instance[sizeof(owner.instance) - 1] = '\0';
	*ret_owner = owner;
	return 0;
}
