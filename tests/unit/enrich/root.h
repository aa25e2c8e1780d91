/* SPDX-License-Identifier: Apache-2.0
 *
 * A host's root directory of the test alone, and events given to who watches it.
 */
#ifndef PICKET_TESTS_ENRICH_ROOT_H
#define PICKET_TESTS_ENRICH_ROOT_H

#include "events.h"

#include "base/file.h"
#include "enrich/enrich_int.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECOND 1000000000ull
#define ID16(c) c c c c c c c c c c c c c c c c
#define ID(c) ID16(c) ID16(c) ID16(c) ID16(c)
#define DOCKER "/system.slice/docker-" ID("d") ".scope"

/* Gives the view's process: valid until the table drops it. */
static inline struct process *give(struct enrich *e, struct made *m, struct enrich_view *view)
{
	assert_int_equal(enrich_event(e, made_finish(m), view), 0);
	struct process *p = view->process;
	enrich_event_done(e, view);
	made_done(m);
	return p;
}

static inline void put_file(const char *root, const char *path, const char *text)
{
	char full[512];
	snprintf(full, sizeof(full), "%s/%s", root, path);
	*strrchr(full, '/') = '\0';
	assert_int_equal(file_make_dirs(full, 0700), 0);
	snprintf(full, sizeof(full), "%s/%s", root, path);
	assert_int_equal(file_write_atomic(full, str_from(text), 0600), 0);
}

static inline void remove_tree(const char *root)
{
	char command[128];
	snprintf(command, sizeof(command), "rm -rf %s", root);
	assert_int_equal(system(command), 0);
}

static inline unsigned long long mount_id_of(const char *path)
{
	struct statx st;
	assert_int_equal(statx(AT_FDCWD, path, 0, STATX_MNT_ID, &st), 0);
	return st.stx_mnt_id;
}

/* As /proc shows process pid, started pid seconds after boot, with a root of its own of that file system type. */
static inline void put_process(const char *root, uint32_t pid, const char *type)
{
	char path[64], text[256];
	snprintf(path, sizeof(path), "proc/%u/stat", pid);
	snprintf(text, sizeof(text), "%u (a) b) S 1 1 1 0 0 0 0 0 0 0 0 0 0 0 20 0 1 0 %lu 0 0", pid,
	         pid * (unsigned long)sysconf(_SC_CLK_TCK));
	put_file(root, path, text);
	snprintf(path, sizeof(path), "proc/%u/mountinfo", pid);
	snprintf(text, sizeof(text), "%llu 1 0:50 / / rw,relatime master:1 - %s none rw\n", mount_id_of(root), type);
	put_file(root, path, text);
	snprintf(path, sizeof(path), "proc/%u/root/etc/passwd", pid);
	put_file(root, path, "app:x:1000:1000::/app:/bin/app\n");
}

#endif
