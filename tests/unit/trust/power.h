/* SPDX-License-Identifier: Apache-2.0
 *
 * A disk whose power fails: what the code under test asks of the system is done, up to a step at which all ends. Then what
 * was not made durable by fsync may be lost: bytes of files, and any of the changes of directories. The functions of libc
 * that change files are replaced for this program; outside the watched directory they do what they always do.
 */
#ifndef PICKET_TESTS_TRUST_POWER_H
#define PICKET_TESTS_TRUST_POWER_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define POWER_FILES_MAX 64
#define POWER_CHANGES_MAX 64

enum power_mode {
	POWER_CUT,  /* the step and all after it are not done; of a write, half */
	POWER_FULL, /* the step alone fails, as on a full disk; of a write, half is done */
};

/* Bytes of a file up to which it is durable. */
struct power_file {
	dev_t dev;
	ino_t ino;
	off_t durable;
};
struct power_change {
	enum { POWER_CREATE, POWER_RENAME, POWER_UNLINK } kind;
	char from[PATH_MAX], to[PATH_MAX];
	char was[PATH_MAX]; /* a link to what the change took away; "": nothing */
	char dir[PATH_MAX];
};
static struct {
	bool on, dead;
	enum power_mode mode;
	size_t step, asked;
	char dir[PATH_MAX], backup[PATH_MAX];
	struct power_file files[POWER_FILES_MAX];
	size_t file_count;
	struct power_change changes[POWER_CHANGES_MAX];
	size_t change_count, links;
} power;

/* Watches what is below dir. step: from 1; 0: none fails. backup: an empty directory beside it. */
static void power_start(const char *dir, const char *backup, enum power_mode mode, size_t step)
{
	memset(&power, 0, sizeof(power));
	power.mode = mode;
	power.step = step;
	snprintf(power.dir, sizeof(power.dir), "%s", dir);
	snprintf(power.backup, sizeof(power.backup), "%s", backup);
	power.on = true;
}

/* Steps that were asked for. */
static size_t power_stop(void)
{
	power.on = false;
	return power.asked;
}

/* Changes of directories that were not durable when it stopped. */
static size_t power_pending(void)
{
	return power.change_count;
}

/* ---- paths ---- */

static bool power_watches(const char *path)
{
	size_t length = strlen(power.dir);
	return power.on && strncmp(path, power.dir, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

static void power_fd_path(int fd, char ret_path[PATH_MAX])
{
	char link[64];
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t length = readlink(link, ret_path, PATH_MAX - 1);
	ret_path[length > 0 ? length : 0] = '\0';
}

static void power_path(int dir, const char *name, char ret_path[PATH_MAX])
{
	char base[PATH_MAX];
	if (name[0] == '/' || dir == AT_FDCWD) {
		snprintf(ret_path, PATH_MAX, "%s", name);
		return;
	}
	power_fd_path(dir, base);
	if (snprintf(ret_path, PATH_MAX, "%s/%s", base, name) >= PATH_MAX)
		abort();
}

static void power_dir_of(const char *path, char ret_dir[PATH_MAX])
{
	snprintf(ret_dir, PATH_MAX, "%s", path);
	*strrchr(ret_dir, '/') = '\0';
}

/* ---- steps ---- */

/* Is this step done? If not, errno is set. */
static bool power_step(void)
{
	power.asked++;
	if (power.asked != power.step && !power.dead)
		return true;
	power.dead |= power.mode == POWER_CUT;
	errno = power.mode == POWER_CUT ? EIO : ENOSPC;
	return false;
}

static struct power_file *power_file(int fd)
{
	struct stat st;
	fstat(fd, &st);
	for (size_t i = 0; i < power.file_count; i++) {
		if (power.files[i].ino == st.st_ino && power.files[i].dev == st.st_dev)
			return &power.files[i];
	}
	if (power.file_count == POWER_FILES_MAX)
		abort();
	/* What was there before is durable. */
	power.files[power.file_count] = (struct power_file){st.st_dev, st.st_ino, st.st_size};
	return &power.files[power.file_count++];
}

static struct power_change *power_change(int kind, const char *from, const char *to)
{
	struct power_change *c = &power.changes[power.change_count++];
	if (power.change_count > POWER_CHANGES_MAX)
		abort();
	memset(c, 0, sizeof(*c));
	c->kind = kind;
	snprintf(c->from, sizeof(c->from), "%s", from);
	snprintf(c->to, sizeof(c->to), "%s", to);
	power_dir_of(to, c->dir);
	return c;
}

/* Keeps what stands at the path, so that it can be put back. */
static void power_keep(struct power_change *c, const char *path)
{
	char name[PATH_MAX];
	if (snprintf(name, sizeof(name), "%s/%zu", power.backup, power.links++) >= PATH_MAX)
		abort();
	if (link(path, name) == 0)
		memcpy(c->was, name, sizeof(name));
}

static void power_synced(const char *dir)
{
	size_t kept = 0;
	for (size_t i = 0; i < power.change_count; i++) {
		if (strcmp(power.changes[i].dir, dir) != 0)
			power.changes[kept++] = power.changes[i];
	}
	power.change_count = kept;
}

/* ---- instead of libc's ---- */

ssize_t write(int fd, const void *data, size_t length)
{
	char path[PATH_MAX];
	power_fd_path(fd, path);
	if (!power_watches(path))
		return syscall(SYS_write, fd, data, length);
	power_file(fd);
	if (power_step())
		return syscall(SYS_write, fd, data, length);
	bool first = power.asked == power.step;
	int error = errno;
	/* The first part goes, as on a disk that becomes full; the next write is told. */
	if (first && length > 1)
		(void)!syscall(SYS_write, fd, data, length / 2);
	errno = error;
	return -1;
}

int fsync(int fd)
{
	char path[PATH_MAX];
	struct stat st;
	power_fd_path(fd, path);
	if (!power_watches(path))
		return 0; /* the test's own files need not outlast it */
	if (!power_step())
		return -1;
	fstat(fd, &st);
	if (S_ISDIR(st.st_mode))
		power_synced(path);
	else
		power_file(fd)->durable = st.st_size;
	return 0;
}

int ftruncate(int fd, off_t length)
{
	char path[PATH_MAX];
	power_fd_path(fd, path);
	if (!power_watches(path))
		return (int)syscall(SYS_ftruncate, fd, length);
	if (!power_step())
		return -1;
	struct power_file *f = power_file(fd);
	f->durable = f->durable < length ? f->durable : length;
	return (int)syscall(SYS_ftruncate, fd, length);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	char old[PATH_MAX], new[PATH_MAX];
	power_path(from_dir, from, old);
	power_path(to_dir, to, new);
	if (!power_watches(new))
		return (int)syscall(SYS_renameat, from_dir, from, to_dir, to);
	if (!power_step())
		return -1;
	struct power_change *c = power_change(POWER_RENAME, old, new);
	power_keep(c, new);
	return (int)syscall(SYS_renameat, from_dir, from, to_dir, to);
}

int rename(const char *from, const char *to)
{
	return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int unlinkat(int dir, const char *name, int flags)
{
	char path[PATH_MAX];
	power_path(dir, name, path);
	if (!power_watches(path))
		return (int)syscall(SYS_unlinkat, dir, name, flags);
	if (!power_step())
		return -1;
	power_keep(power_change(POWER_UNLINK, path, path), path);
	return (int)syscall(SYS_unlinkat, dir, name, flags);
}

int unlink(const char *path)
{
	return unlinkat(AT_FDCWD, path, 0);
}

int openat(int dir, const char *name, int flags, ...)
{
	char path[PATH_MAX];
	va_list arguments;
	va_start(arguments, flags);
	mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
	va_end(arguments);
	power_path(dir, name, path);
	if (flags & O_CREAT && power_watches(path) && access(path, F_OK) < 0) {
		if (!power_step())
			return -1;
		power_change(POWER_CREATE, path, path);
	}
	return (int)syscall(SYS_openat, dir, name, flags, mode);
}

/* ---- afterwards ---- */

static void power_undo(const struct power_change *c)
{
	if (c->kind == POWER_CREATE)
		unlink(c->to);
	if (c->kind == POWER_RENAME)
		rename(c->to, c->from);
	if (c->was[0])
		(void)!link(c->was, c->to);
}

static int power_cut(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
	(void)kind, (void)walk;
	for (size_t i = 0; i < power.file_count; i++) {
		const struct power_file *f = &power.files[i];
		if (f->ino == st->st_ino && f->dev == st->st_dev && st->st_size > f->durable)
			return truncate(path, f->durable);
	}
	return 0;
}

/* What is found afterwards: of the pending changes those whose bits are in `undone` have not happened; lose_bytes: files
 * have lost what was not durable. */
static void power_lose(unsigned undone, bool lose_bytes)
{
	for (size_t i = power.change_count; i-- > 0;) {
		if (undone & 1u << i)
			power_undo(&power.changes[i]);
	}
	if (lose_bytes)
		nftw(power.dir, power_cut, 16, FTW_PHYS);
}

#endif
