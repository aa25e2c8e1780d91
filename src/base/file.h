/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole files, read with a limit and written so that power loss leaves the old or the new.
 */
#ifndef PICKET_BASE_FILE_H
#define PICKET_BASE_FILE_H

#include "base/buf.h"

/* Appends the file's bytes; also files of /proc, whose size is not known beforehand.
 * Returns 0; -errno of open or read; -EFBIG: longer than the buffer's limit (nothing is appended then). */
int file_read(const char *path, struct buf *out) must_check;
int file_read_at(int dir_fd, const char *path, struct buf *out) must_check;
int file_read_fd(int fd, struct buf *out) must_check; /* from where it stands */
/* Write, fsync, rename, fsync of the directory. mode: of a new file. */
int file_write_atomic(const char *path, struct str data, mode_t mode) must_check;
int file_make_dirs(const char *path, mode_t mode) must_check;           /* as mkdir -p */
int file_write_all(int fd, const void *data, size_t length) must_check; /* goes on after short writes and EINTR */

/* The same; after a failure ret_written says how many bytes went before it (set in any case). */
int file_write_part(int fd, const void *data, size_t length, size_t *ret_written) must_check;

/* A file as the kernel's own structures have it: device is that of the file system, major << 20 | minor, which on btrfs and
 * overlayfs is another one than stat() tells. */
struct file_identity {
	uint64_t inode;
	uint32_t device;
};
/* Follows symbolic links. Of a file on a mount that is not in this mount namespace, device is what stat() tells. Returns 0,
 * -errno. */
int file_identify(const char *path, struct file_identity *ret_identity) must_check;

/* Calls with the path of each file of a directory whose name ends in one of endings and does not begin with a dot, in the
 * order of the bytes of their names. Returns 0; the first negative result of call, the others are called all the same;
 * -ENOTDIR, -ENOENT …: it is no directory. */
int file_each_in(const char *path, const char *const *endings, size_t count,
                 int (*call)(void *userdata, const char *path), void *userdata) must_check;

#endif
