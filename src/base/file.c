/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#define READ_BYTES 65536

static ssize_t read_again(int fd, void *data, size_t length)
{
	ssize_t got;
	do
		got = read(fd, data, length);
	while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}

/* One read into the buffer. Returns the bytes, 0 at the end, -EFBIG, -errno. */
static ssize_t read_step(int fd, struct buf *out)
{
	size_t room = MIN(out->limit - out->length, (size_t)READ_BYTES);
	if (room == 0) {
		char beyond;
		ssize_t got = read_again(fd, &beyond, 1);
		return got > 0 ? -EFBIG : got;
	}
	char *at = buf_reserve(out, room);
	if (!at)
		return out->error;
	ssize_t got = read_again(fd, at, room);
	if (got > 0)
		buf_commit(out, (size_t)got);
	return got;
}

int file_read_fd(int fd, struct buf *out)
{
	if (out->error)
		return out->error;
	size_t before = out->length;
	ssize_t got;
	do
		got = read_step(fd, out);
	while (got > 0);
	if (got < 0) {
		out->error = 0;
		out->length = before;
		if (out->data)
			out->data[before] = '\0';
	}
	return (int)got;
}

int file_read_at(int dir_fd, const char *path, struct buf *out)
{
	_cleanup_(base_close_fd) int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : file_read_fd(fd, out);
}

int file_read(const char *path, struct buf *out)
{
	return file_read_at(AT_FDCWD, path, out);
}

int file_write_part(int fd, const void *data, size_t length, size_t *ret_written)
{
	const char *at = data;
	*ret_written = 0;
	while (*ret_written < length) {
		ssize_t put = write(fd, at + *ret_written, length - *ret_written);
		if (put > 0) {
			*ret_written += (size_t)put;
			continue;
		}
		if (put == 0)
			return -EIO;
		if (errno == EAGAIN) {
			struct pollfd wait = {.fd = fd, .events = POLLOUT};
			if (poll(&wait, 1, -1) >= 0 || errno == EINTR)
				continue;
		}
		if (errno != EINTR)
			return -errno;
	}
	return 0;
}

int file_write_all(int fd, const void *data, size_t length)
{
	size_t written;
	return file_write_part(fd, data, length, &written);
}

/* Length of the path before its last component: "" of "a", "/" of "/a", "d/" of "d/a". */
static size_t directory_length(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? (size_t)(slash - path) + 1 : 0;
}

static int sync_directory(const char *path)
{
	size_t length = directory_length(path);
	_cleanup_(base_free_ptr) char *directory = length ? strndup(path, length) : strdup(".");
	if (!directory)
		return -ENOMEM;
	_cleanup_(base_close_fd) int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* Some file systems cannot sync a directory, and need not. */
	return fsync(fd) < 0 && errno != EINVAL ? -errno : 0;
}

static int fill_file(int fd, struct str data, mode_t mode)
{
	if (fchmod(fd, mode) < 0)
		return -errno;
	int error = file_write_all(fd, data.data, data.length);
	if (error)
		return error;
	return fsync(fd) < 0 ? -errno : 0;
}

int file_write_atomic(const char *path, struct str data, mode_t mode)
{
	struct stat existing;
	if (stat(path, &existing) == 0 && S_ISREG(existing.st_mode))
		mode = existing.st_mode & 07777;
	_cleanup_(base_free_ptr) char *temporary = NULL;
	if (asprintf(&temporary, "%s.XXXXXX", path) < 0) {
		temporary = NULL;
		return -ENOMEM;
	}
	_cleanup_(base_close_fd) int fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int error = fill_file(fd, data, mode);
	if (!error && rename(temporary, path) < 0)
		error = -errno;
	if (error) {
		unlink(temporary);
		return error;
	}
	return sync_directory(path);
}

static int make_dir(const char *path, mode_t mode)
{
	if (mkdir(path, mode) == 0)
		return 0;
	int error = -errno;
	struct stat st;
	/* An existing directory answers EEXIST, but also EROFS or EACCES, before it says that it is there. */
	if (stat(path, &st) < 0)
		return error;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int file_make_dirs(const char *path, mode_t mode)
{
	if (!path[0])
		return -ENOENT;
	_cleanup_(base_free_ptr) char *copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	for (char *at = copy + 1; *at; at++) {
		if (*at != '/' || at[-1] == '/')
			continue;
		*at = '\0';
		int error = make_dir(copy, mode);
		if (error)
			return error;
		*at = '/';
	}
	return make_dir(copy, mode);
}

/* ---- directories ---- */

static bool ends_in_one_of(struct str name, const char *const *endings, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (str_ends_with(name, str_from(endings[i])))
			return true;
	return false;
}

/* ---- what the kernel calls a file ---- */

#define MOUNTS_BYTES_MAX (16u << 20)

static uint32_t device_number(unsigned major_number, unsigned minor_number)
{
	return major_number << 20 | minor_number;
}

static int mount_of(int fd, unsigned *ret_mount)
{
	_cleanup_(buf_done) struct buf text;
	char path[64];
	buf_init(&text, 4096);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	int r = file_read(path, &text);
	if (r < 0)
		return r;
	const char *line = strstr(text.data, "mnt_id:");
	return line && sscanf(line, "mnt_id: %u", ret_mount) == 1 ? 0 : -ENODATA;
}

static int device_of_mount(int fd, uint32_t *ret_device)
{
	_cleanup_(buf_done) struct buf text;
	unsigned wanted, mount, parent, device[2];
	buf_init(&text, MOUNTS_BYTES_MAX);
	int r = mount_of(fd, &wanted);
	if (r == 0)
		r = file_read("/proc/self/mountinfo", &text);
	if (r < 0)
		return r;
	struct str rest = buf_str(&text), line;
	while (str_next(&rest, '\n', &line)) {
		char head[64];
		snprintf(head, sizeof(head), STR_FMT, STR_ARG(line));
		if (sscanf(head, "%u %u %u:%u", &mount, &parent, &device[0], &device[1]) != 4 || mount != wanted)
			continue;
		*ret_device = device_number(device[0], device[1]);
		return 0;
	}
	return -ENODATA;
}

int file_identify(const char *path, struct file_identity *ret_identity)
{
	struct stat st;
	struct statfs system;
	_cleanup_(base_close_fd) int fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || fstatfs(fd, &system) < 0)
		return -errno;
	struct file_identity id = {st.st_ino, device_number(major(st.st_dev), minor(st.st_dev))};
	int r = 0;
	if (system.f_type == BTRFS_SUPER_MAGIC || system.f_type == OVERLAYFS_SUPER_MAGIC)
		r = device_of_mount(fd, &id.device);
	if (r < 0 && r != -ENODATA)
		return r;
	*ret_identity = id;
	return 0;
}

/* ---- the files of a directory ---- */

/* The same everywhere, whatever the locale. */
static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

int file_each_in(const char *path, const char *const *endings, size_t count,
                 int (*call)(void *userdata, const char *path), void *userdata)
{
	struct dirent **entries = NULL;
	int entry_count = scandir(path, &entries, NULL, by_bytes), result = 0;
	if (entry_count < 0)
		return -errno;
	for (int i = 0; i < entry_count; i++) {
		struct str name = str_from(entries[i]->d_name);
		char *full = NULL;
		int r = 0;
		if (name.data[0] != '.' && ends_in_one_of(name, endings, count))
			r = asprintf(&full, "%s/%s", path, name.data) < 0 ? -ENOMEM : call(userdata, full);
		if (result == 0)
			result = r;
		free(full);
		free(entries[i]);
	}
	free(entries);
	return result;
}
