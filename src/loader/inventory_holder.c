/* SPDX-License-Identifier: Apache-2.0
 *
 * Who holds what: /proc/PID/fdinfo says of a descriptor which link, program or map it is.
 */
#include "loader/inventory_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define FDINFO_BYTES_MAX 8192
#define EXECUTABLE_NAME "picket"
#define DELETED " (deleted)"

static void close_directory(DIR **d)
{
	if (*d)
		closedir(*d);
}

/* The 22nd word of stat, counted from behind the name, which may hold anything. */
uint64_t inventory_start_ticks(int pid)
{
	_cleanup_(buf_done) struct buf text;
	char path[64];
	uint64_t ticks = 0;
	buf_init(&text, FDINFO_BYTES_MAX);
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	const char *after = file_read(path, &text) == 0 ? strrchr(text.data, ')') : NULL;
	struct str rest = str_from(after), word = {0};
	for (unsigned i = 2; after && i <= 22; i++)
		if (!str_next(&rest, ' ', &word))
			return 0;
	return after && str_to_u64(word, &ticks) == 0 ? ticks : 0;
}

/* The same file as we run, or, after an upgrade, one of the same name. */
static bool is_picket(int pid, const char *executable)
{
	struct str path = str_from(executable);
	struct stat ours, theirs;
	char link[64];
	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	if (stat("/proc/self/exe", &ours) == 0 && stat(link, &theirs) == 0 && ours.st_dev == theirs.st_dev &&
	    ours.st_ino == theirs.st_ino)
		return true;
	if (str_ends_with(path, STR(DELETED)))
		path.length -= strlen(DELETED);
	return str_ends_with(path, STR("/" EXECUTABLE_NAME));
}

static void describe(struct inventory_process *p)
{
	_cleanup_(buf_done) struct buf name;
	char path[64];
	buf_init(&name, FDINFO_BYTES_MAX);
	snprintf(path, sizeof(path), "/proc/%d/comm", p->pid);
	if (file_read(path, &name) == 0)
		snprintf(p->name, sizeof(p->name), STR_FMT, STR_ARG(str_trim(buf_str(&name))));
	snprintf(path, sizeof(path), "/proc/%d/exe", p->pid);
	ssize_t length = readlink(path, p->executable, sizeof(p->executable) - 1);
	p->executable[MAX(length, 0)] = '\0';
	p->start_ticks = inventory_start_ticks(p->pid);
	p->picket = is_picket(p->pid, p->executable);
}

static bool find_process(struct inventory *inventory, int pid, uint32_t *ret_index)
{
	for (uint32_t i = 0; i < inventory->process_count; i++)
		if (inventory->processes[i].pid == pid) {
			*ret_index = i;
			return true;
		}
	if (inventory->process_count == INVENTORY_PROCESSES_MAX) {
		inventory->cut = true;
		return false;
	}
	struct inventory_process *p = &inventory->processes[inventory->process_count];
	*p = (struct inventory_process){.pid = pid};
	describe(p);
	*ret_index = (uint32_t)inventory->process_count++;
	return true;
}

static void add_holder(struct inventory *inventory, struct inventory_item *item, int pid)
{
	uint32_t index;
	if (!find_process(inventory, pid, &index))
		return;
	for (size_t i = 0; i < item->holder_count; i++)
		if (item->holders[i] == index)
			return;
	if (item->holder_count == INVENTORY_HOLDERS_MAX)
		inventory->cut = true;
	else
		item->holders[item->holder_count++] = index;
}

/* A link's text names its program, too: the first of these lines says what the descriptor is. */
static void look_at_text(struct inventory *inventory, int pid, struct str text)
{
	static const struct {
		struct str key;
		enum inventory_kind kind;
	} keys[] = {{{"link_id:", 8}, INVENTORY_LINK},
	            {{"map_id:", 7}, INVENTORY_MAP},
	            {{"prog_id:", 8}, INVENTORY_PROGRAM}};
	struct str line;
	while (str_next(&text, '\n', &line))
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
			uint64_t id;
			if (!str_starts_with(line, keys[i].key))
				continue;
			struct str number = str_make(line.data + keys[i].key.length, line.length - keys[i].key.length);
			struct inventory_item *item = str_to_u64(str_trim(number), &id) < 0
			                                      ? NULL
			                                      : inventory_find(inventory, keys[i].kind, (uint32_t)id);
			if (item)
				add_holder(inventory, item, pid);
			return;
		}
}

static bool is_bpf(int directory, const char *name)
{
	char target[64];
	ssize_t length = readlinkat(directory, name, target, sizeof(target));
	return length > 0 && str_starts_with(str_make(target, (size_t)length), STR("anon_inode:bpf"));
}

static void look_at_process(struct inventory *inventory, int pid)
{
	_cleanup_(close_directory) DIR *fds = NULL;
	_cleanup_(buf_done) struct buf text;
	char path[64];
	buf_init(&text, FDINFO_BYTES_MAX);
	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	fds = opendir(path);
	for (struct dirent *e; fds && (e = readdir(fds));) {
		if (e->d_name[0] == '.' || !is_bpf(dirfd(fds), e->d_name))
			continue;
		snprintf(path, sizeof(path), "/proc/%d/fdinfo/%.20s", pid, e->d_name);
		buf_clear(&text);
		if (file_read(path, &text) == 0)
			look_at_text(inventory, pid, buf_str(&text));
	}
}

void inventory_add_holders(struct inventory *inventory)
{
	_cleanup_(close_directory) DIR *processes = opendir("/proc");
	for (struct dirent *e; processes && inventory->item_count && (e = readdir(processes));) {
		uint64_t pid;
		if (str_to_u64(str_from(e->d_name), &pid) == 0 && pid <= INT_MAX && (pid_t)pid != getpid())
			look_at_process(inventory, (int)pid);
	}
}
