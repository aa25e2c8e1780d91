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
/* Write, fsync, rename, fsync of the directory. mode: of a new file. */
int file_write_atomic(const char *path, struct str data, mode_t mode) must_check;
int file_make_dirs(const char *path, mode_t mode) must_check;           /* as mkdir -p */
int file_write_all(int fd, const void *data, size_t length) must_check; /* goes on after short writes and EINTR */

/* The same; after a failure ret_written says how many bytes went before it (set in any case). */
int file_write_part(int fd, const void *data, size_t length, size_t *ret_written) must_check;

#endif
