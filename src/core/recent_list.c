/* SPDX-License-Identifier: Apache-2.0 */
#include "core/recent_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static void close_directory(DIR **d)
{
	if (*d)
		closedir(*d);
}

const char *recent_kind_name(enum recent_kind kind)
{
	static const char *const names[RECENT_KINDS] = {"always", "writes", "passed", "sample"};
	return names[kind];
}

bool recent_read_note(struct str text, struct recent_note *ret_note)
{
	struct recent_note note;
	if (text.length != sizeof(note))
		return false;
	memcpy(&note, text.data, sizeof(note));
	if (note.version != RECENT_NOTE_VERSION)
		return false;
	*ret_note = note;
	return true;
}

void recent_note_add(struct recent_note *to, const struct recent_note *n)
{
	to->watched_ns += n->watched_ns;
	to->window_ns += n->window_ns;
	to->shed_ns += n->shed_ns;
	to->windows += n->windows;
	to->windows_cut += n->windows_cut;
	for (unsigned kind = 0; kind < RECENT_KINDS; kind++) {
		to->recorded[kind] += n->recorded[kind];
		to->left_out[kind] += n->left_out[kind];
	}
}

/* Only a name that is written as we write it. */
static bool parse_name(const char *name, struct recent_segment *ret_segment)
{
	unsigned long long run, number;
	struct recent_segment s = {.bytes = 0};
	if (strlen(name) >= sizeof(s.name) || sscanf(name, "%16llx-%6llx.", &run, &number) != 2)
		return false;
	snprintf(s.name, sizeof(s.name), RECENT_SEGMENT_NAME, run, number);
	if (strcmp(s.name, name) != 0)
		return false;
	s.run_ns = run;
	s.number = number;
	*ret_segment = s;
	return true;
}

static int by_time(const void *a, const void *b)
{
	const struct recent_segment *x = a, *y = b;
	if (x->run_ns != y->run_ns)
		return x->run_ns < y->run_ns ? -1 : 1;
	return (x->number > y->number) - (x->number < y->number);
}

int recent_list(const char *directory, struct recent_segment **ret_segments, size_t *ret_count)
{
	_cleanup_(close_directory) DIR *d = opendir(directory);
	_cleanup_(base_free_ptr) struct recent_segment *list = calloc(RECENT_SEGMENTS_MAX, sizeof(*list));
	struct dirent *entry;
	size_t count = 0;
	if (!d)
		return -errno;
	if (!list)
		return -ENOMEM;
	while (count < RECENT_SEGMENTS_MAX && (entry = readdir(d))) {
		struct recent_segment *s = &list[count];
		struct stat st;
		if (!parse_name(entry->d_name, s) || fstatat(dirfd(d), s->name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		s->bytes = (uint64_t)st.st_size;
		count++;
	}
	qsort(list, count, sizeof(*list), by_time);
	*ret_segments = TAKE_PTR(list);
	*ret_count = count;
	return 0;
}
