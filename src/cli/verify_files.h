/* SPDX-License-Identifier: Apache-2.0
 *
 * The object files that a command line names: files as they are, of directories all below them that end in ".o".
 */
#ifndef PICKET_CLI_VERIFY_FILES_H
#define PICKET_CLI_VERIFY_FILES_H

#include "base/buf.h"

struct verify_file {
	char *path;
	bool found; /* in a directory: what is there and no eBPF object is no mistake */
};
struct verify_files {
	struct verify_file *items; /* a directory's in the order of their names */
	size_t count, capacity;
};

/* Adds a file, or what a directory holds. Returns CLI_OK, or the exit code after a message. */
int verify_files_add(struct verify_files *files, const char *path) must_check;
void verify_files_done(struct verify_files *files); /* also for _cleanup_ */

/* Of a file's bytes. */
bool verify_is_elf(struct str bytes);
bool verify_is_bpf(struct str bytes); /* or too short to tell */

#endif
