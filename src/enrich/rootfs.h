/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the room: reading files below a root directory that is not to be trusted. Whoever owns that tree can
 * neither make us leave it nor wait.
 */
#ifndef PICKET_ENRICH_ROOTFS_H
#define PICKET_ENRICH_ROOTFS_H

#include "base/buf.h"

#include <sys/stat.h>

enum rootfs_trust {
	ROOTFS_HOST,      /* the host's own tree: links (resolved inside the root) and mounts are followed */
	ROOTFS_CONTAINER, /* another's: no links, and no file system but the root's own, for one of FUSE could block us */
};

/* An O_PATH descriptor of the file, of any kind. Returns it, or -errno. */
int rootfs_find(int root_fd, const char *path, enum rootfs_trust trust) must_check;
/* Appends the bytes of a regular file. ret_stat may be NULL.
 * Returns 0; -EINVAL: not a regular file; -EFBIG: longer than the buffer's limit; -errno. */
int rootfs_read(int root_fd, const char *path, enum rootfs_trust trust, struct buf *out, struct stat *ret_stat)
        must_check;
int rootfs_stat(int root_fd, const char *path, enum rootfs_trust trust, struct stat *ret_stat) must_check;

/* The root directory of a process, by /proc below root_fd, if it is still the one that started then and its root is
 * of a file system that cannot make us wait. Returns an O_PATH descriptor; -ESRCH; -EPERM: such a file system; -errno. */
int rootfs_of_process(int root_fd, uint32_t pid, uint64_t start_ns) must_check;
/* /proc/PID below root_fd; the descriptor stays bound to that process. Returns it; -ESRCH: another one has that pid. */
int rootfs_open_proc(int root_fd, uint32_t pid, uint64_t start_ns) must_check;
/* Field 22 of the text of /proc/PID/stat; 0: not there. */
uint64_t rootfs_proc_start_ticks(struct str stat_text);

#endif
