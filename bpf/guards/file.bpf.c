/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Guards of files: opening, cutting, renaming and removing them fails. The kernel has resolved links, mounts and roots by then.
 */
#include "guard.h"

#define FMODE_READ 1
#define FMODE_WRITE 2
#define FMODE_EXEC 0x20 /* of f_flags */

static __always_inline int guard_opened(struct file *file, __u32 point)
{
	struct guard_attempt *a = guard_begin(point);
	__u32 mode;

	if (!a)
		return 0;
	mode = READ(file, file, f_mode);
	guard_number(a, GUARD_READS, !!(mode & FMODE_READ));
	guard_number(a, GUARD_WRITES, !!(mode & FMODE_WRITE));
	guard_file(a, READ_ADDRESS(file, file, f_path.dentry), READ_ADDRESS(file, file, f_path.mnt));
	return guard_end(a);
}

/* What is opened to be executed is asked about at exec. */
SEC("lsm/file_open")
int BPF_PROG(guard_file_open, struct file *file, int ret)
{
	return ret || READ(file, file, f_flags) & FMODE_EXEC ? ret : guard_opened(file, GUARD_AT_FILE_OPEN);
}

SEC("lsm/file_open")
int BPF_PROG(guard_file_write, struct file *file, int ret)
{
	return ret || !(READ(file, file, f_mode) & FMODE_WRITE) ? ret : guard_opened(file, GUARD_AT_FILE_WRITE);
}

static __always_inline int guard_cut(__u64 dentry, __u64 mnt)
{
	struct guard_attempt *a = guard_begin(GUARD_AT_FILE_WRITE);

	if (!a)
		return 0;
	guard_file(a, dentry, mnt);
	return guard_end(a);
}

SEC("lsm/path_truncate")
int BPF_PROG(guard_path_truncate, const struct path *path, int ret)
{
	return ret ? ret : guard_cut(READ_ADDRESS(path, path, dentry), READ_ADDRESS(path, path, mnt));
}

/* Linux 6.2 and newer; before, the hook above is asked. */
SEC("lsm/file_truncate")
int BPF_PROG(guard_file_truncate, struct file *file, int ret)
{
	return ret ? ret : guard_cut(READ_ADDRESS(file, file, f_path.dentry), READ_ADDRESS(file, file, f_path.mnt));
}

/* A name in a directory, which need not be there yet. */
static __always_inline void guard_entry(struct guard_attempt *a, __u32 subject, const struct path *directory,
                                        const struct dentry *entry)
{
	if (guard_wants(a, subject))
		guard_path(a, subject, guard_address(a, entry), READ_ADDRESS(path, directory, mnt));
}

SEC("lsm/path_rename")
int BPF_PROG(guard_path_rename, const struct path *old_directory, struct dentry *old, const struct path *new_directory,
             struct dentry *new)
{
	struct guard_attempt *a = guard_begin(GUARD_AT_FILE_RENAME);

	if (!a)
		return 0;
	guard_entry(a, GUARD_SOURCE, old_directory, old);
	guard_entry(a, GUARD_PATH, new_directory, new);
	return guard_end(a);
}

static __always_inline int guard_removed(const struct path *directory, struct dentry *entry)
{
	struct guard_attempt *a = guard_begin(GUARD_AT_FILE_UNLINK);

	if (!a)
		return 0;
	guard_entry(a, GUARD_PATH, directory, entry);
	return guard_end(a);
}

SEC("lsm/path_unlink")
int BPF_PROG(guard_path_unlink, const struct path *directory, struct dentry *entry, int ret)
{
	return ret ? ret : guard_removed(directory, entry);
}

SEC("lsm/path_rmdir")
int BPF_PROG(guard_path_rmdir, const struct path *directory, struct dentry *entry, int ret)
{
	return ret ? ret : guard_removed(directory, entry);
}
