/* SPDX-License-Identifier: Apache-2.0 */
#include "enrich/rootfs.h"

#include "base/clock.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PROC_TEXT_MAX (1u << 20)
#define HOST_MOUNTS_MAX (16u << 20)
#define STAT_START_FIELD 22 /* of /proc/PID/stat, from 1; in clock ticks since boot */

int rootfs_find(int root_fd, const char *path, enum rootfs_trust trust)
{
	struct open_how how = {
	        .flags = O_PATH | O_CLOEXEC,
	        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	if (trust == ROOTFS_CONTAINER)
		how.resolve |= RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
	for (int tries = 0; tries < 8; tries++) {
		long fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
		if (fd >= 0)
			return (int)fd;
		if (errno != EAGAIN && errno != EINTR) /* EAGAIN: something was renamed meanwhile */
			return -errno;
	}
	return -EAGAIN;
}

int rootfs_stat(int root_fd, const char *path, enum rootfs_trust trust, struct stat *ret_stat)
{
	_cleanup_(base_close_fd) int fd = rootfs_find(root_fd, path, trust);
	struct stat st;
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	*ret_stat = st;
	return 0;
}

/* Reads to the end; the buffer's limit holds. */
static int read_all(int fd, struct buf *out)
{
	char chunk[8192];
	for (;;) {
		ssize_t n = read(fd, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		buf_add(out, chunk, (size_t)n);
		if (buf_error(out) < 0)
			return buf_error(out) == -ENOBUFS ? -EFBIG : buf_error(out);
	}
}

/* Not before it is known to be a regular file is it opened for reading, and then without waiting for a lease. */
int rootfs_read(int root_fd, const char *path, enum rootfs_trust trust, struct buf *out, struct stat *ret_stat)
{
	_cleanup_(base_close_fd) int path_fd = rootfs_find(root_fd, path, trust);
	char name[32];
	struct stat st;

	if (path_fd < 0)
		return path_fd;
	if (fstat(path_fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", path_fd);
	_cleanup_(base_close_fd) int fd = open(name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int r = read_all(fd, out);
	if (r == 0 && ret_stat)
		*ret_stat = st;
	return r;
}

/* ---- processes ---- */
static int read_proc(int proc_fd, const char *name, struct buf *out)
{
	buf_clear(out);
	return file_read_at(proc_fd, name, out);
}

uint64_t rootfs_proc_start_ticks(struct str stat_text)
{
	/* The name in parentheses may hold anything, so fields are counted from its end. */
	const char *close = stat_text.data ? memrchr(stat_text.data, ')', stat_text.length) : NULL;
	if (!close)
		return 0;
	struct str rest = str_make(close + 1, stat_text.length - (size_t)(close + 1 - stat_text.data)), part;
	rest = str_trim(rest);
	uint64_t ticks = 0;
	for (unsigned field = 3; str_next(&rest, ' ', &part); field++)
		if (field == STAT_START_FIELD)
			return str_to_u64(part, &ticks) == 0 ? ticks : 0;
	return 0;
}

int rootfs_open_proc(int root_fd, uint32_t pid, uint64_t start_ns)
{
	char name[32];
	snprintf(name, sizeof(name), "proc/%u", pid);
	_cleanup_(base_close_fd) int fd = openat(root_fd, name, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	_cleanup_(buf_done) struct buf text;
	buf_init(&text, PROC_TEXT_MAX);
	int r = read_proc(fd, "stat", &text);
	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;
	uint64_t ticks_per_s = (uint64_t)sysconf(_SC_CLK_TCK);
	if (rootfs_proc_start_ticks(buf_str(&text)) != start_ns / (NS_PER_S / ticks_per_s))
		return -ESRCH;
	return TAKE_FD(fd);
}

/* One line of mountinfo: "ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [OPTIONAL…] - TYPE SOURCE OPTIONS". */
struct mount {
	uint64_t id;
	struct str device, type;
};

static bool mount_parse(struct str line, struct mount *ret_mount)
{
	struct mount m = {0};
	struct str part;
	for (unsigned field = 0; str_next(&line, ' ', &part) && !str_equals(part, "-"); field++) {
		if (field == 0 && str_to_u64(part, &m.id) < 0)
			return false;
		if (field == 2)
			m.device = part;
	}
	if (!str_next(&line, ' ', &m.type))
		return false;
	*ret_mount = m;
	return true;
}

/* Those whose files are there without anyone's help. Of what an unprivileged user can mount (in a user namespace), FUSE
 * and overlays are the ones that can make a reader wait: overlays pass reads on to the layers, in the name of whoever
 * mounted them. */
static bool type_is_local(struct str type)
{
	static const char *const types[] = {"ext2",  "ext3",  "ext4",     "xfs",      "btrfs",  "zfs", "f2fs",
	                                    "tmpfs", "ramfs", "squashfs", "bcachefs", "erofs",  "jfs", "reiserfs",
	                                    "udf",   "vfat",  "iso9660",  "nilfs2",   "overlay"};
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (str_equals(type, types[i]))
			return true;
	return false;
}

static bool table_has_overlay(struct str mountinfo, struct str device)
{
	struct str line;
	struct mount m;
	while (str_next(&mountinfo, '\n', &line))
		if (mount_parse(line, &m) && str_equal(m.device, device) && str_equals(m.type, "overlay"))
			return true;
	return false;
}

/* Was this overlay mounted by the host, as container runtimes do before they start anything? */
static bool host_has_overlay(int root_fd, struct str device)
{
	_cleanup_(buf_done) struct buf mounts;
	buf_init(&mounts, HOST_MOUNTS_MAX);
	return file_read_at(root_fd, "proc/1/mountinfo", &mounts) == 0 && table_has_overlay(buf_str(&mounts), device);
}

/* mountinfo: of the process that sees the mount. What is not listed there was exchanged just now. */
static bool mount_can_block(int root_fd, struct str mountinfo, uint64_t mount_id)
{
	struct str line;
	struct mount m;
	while (str_next(&mountinfo, '\n', &line))
		if (mount_parse(line, &m) && m.id == mount_id)
			return !type_is_local(m.type) ||
			       (str_equals(m.type, "overlay") && !host_has_overlay(root_fd, m.device));
	return true;
}

int rootfs_of_process(int root_fd, uint32_t pid, uint64_t start_ns)
{
	_cleanup_(base_close_fd) int proc_fd = rootfs_open_proc(root_fd, pid, start_ns);
	if (proc_fd < 0)
		return proc_fd;
	_cleanup_(base_close_fd) int fd = openat(proc_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	struct statx st;
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &st) < 0)
		return -errno;
	if (!(st.stx_mask & STATX_MNT_ID))
		return -EOPNOTSUPP;
	_cleanup_(buf_done) struct buf mounts;
	buf_init(&mounts, PROC_TEXT_MAX);
	int r = read_proc(proc_fd, "mountinfo", &mounts);
	if (r < 0)
		return r;
	return mount_can_block(root_fd, buf_str(&mounts), st.stx_mnt_id) ? -EPERM : TAKE_FD(fd);
}
