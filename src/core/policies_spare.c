/* SPDX-License-Identifier: Apache-2.0
 *
 * Whom what follows an event spares: the same processes as guards do, asked from outside. What stands for them is the guards' own
 * set (enum guard_protected_what).
 */
#include "core/policies_int.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define STAT_BYTES 4096
#define CGROUP_BYTES (64u << 10)
#define FIELDS_MAX 20 /* after the name: up to the start */

struct guard_file policies_program_of(uint32_t pid)
{
	char path[64];
	struct file_identity id;
	snprintf(path, sizeof(path), "/proc/%u/exe", pid);
	if (file_identify(path, &id) < 0)
		return (struct guard_file){0};
	return (struct guard_file){.inode = id.inode, .device = id.device};
}

static bool is_key(const struct policies *p, enum guard_protected_what what, uint64_t inode, uint32_t device)
{
	return guards_has_protected(p->current.guards, &(struct guard_protected_key){inode, device, what});
}

bool policies_read_stat(uint32_t pid, struct policies_stat *ret_stat)
{
	_cleanup_(buf_done) struct buf text;
	uint64_t numbers[FIELDS_MAX] = {0};
	struct str rest, field;
	char path[64];
	buf_init(&text, STAT_BYTES);
	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	if (file_read(path, &text) < 0)
		return false;
	const char *end = memrchr(text.data, ')', text.length); /* of the name, which may hold anything */
	if (!end || end + 2 > text.data + text.length)
		return false;
	rest = str_make(end + 2, (size_t)(text.data + text.length - end - 2));
	for (size_t i = 0; i < FIELDS_MAX; i++)
		if (!str_next(&rest, ' ', &field) || (str_to_u64(field, &numbers[i]) < 0 && i == FIELDS_MAX - 1))
			return false;
	*ret_stat = (struct policies_stat){.parent = (uint32_t)numbers[1],
	                                   .session = (uint32_t)numbers[3],
	                                   .terminal = numbers[4] != 0,
	                                   .start_ticks = numbers[FIELDS_MAX - 1]};
	return true;
}

/* Who is root, or cannot be asked about, counts as root. */
static bool is_root(uint32_t pid)
{
	char path[64];
	struct stat st;
	snprintf(path, sizeof(path), "/proc/%u", pid);
	return stat(path, &st) < 0 || st.st_uid == 0;
}

static bool is_operators(const struct policies *p, uint32_t pid)
{
	struct policies_stat own, leader;
	if (!policies_read_stat(pid, &own) || !own.terminal || !policies_read_stat(own.session, &leader))
		return false;
	if (pid != own.session && !is_root(pid))
		return false;
	struct guard_file entry = policies_program_of(leader.parent);
	return entry.inode && is_key(p, GUARD_PROTECTED_ENTRY, entry.inode, entry.device);
}

static bool is_protected_group(const struct policies *p, struct str path)
{
	char full[CGROUP_PATH_MAX];
	struct guard_cgroup group;
	if (snprintf(full, sizeof(full), "%s" STR_FMT, p->root, STR_ARG(path)) >= (int)sizeof(full))
		return false;
	return guards_cgroup(full, &group) == 0 && is_key(p, GUARD_PROTECTED_GROUP, group.id, 0);
}

static bool is_in_protected_group(const struct policies *p, uint32_t pid)
{
	_cleanup_(buf_done) struct buf text;
	struct str rest, line, own = STR("");
	char path[64];
	buf_init(&text, CGROUP_BYTES);
	snprintf(path, sizeof(path), "/proc/%u/cgroup", pid);
	if (file_read(path, &text) < 0)
		return false;
	rest = buf_str(&text);
	while (str_next(&rest, '\n', &line))
		if (str_starts_with(line, STR("0::")))
			own = str_make(line.data + 3, line.length - 3);
	for (size_t end = own.length; end > 1; end--)
		if ((end == own.length || own.data[end] == '/') && is_protected_group(p, str_make(own.data, end)))
			return true;
	return false;
}

bool policies_spare(const struct policies *p, uint32_t pid)
{
	struct guard_file program = policies_program_of(pid);
	return pid <= 1 || pid == (uint32_t)getpid() || is_key(p, GUARD_PROTECTED_PROCESS, 0, pid) ||
	       is_key(p, GUARD_PROTECTED_PROGRAM, program.inode, program.device) || is_operators(p, pid) ||
	       is_in_protected_group(p, pid);
}
