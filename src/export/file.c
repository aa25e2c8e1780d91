/* SPDX-License-Identifier: Apache-2.0
 *
 * Alerts as lines of a file, a pipe, a terminal. Each line goes out with one write. A regular file never keeps a part of
 * a line; elsewhere a line that was cut by a failure is ended before the next begins.
 */
#include "export/export_int.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEEP_DEFAULT 5
#define KEEP_MAX 1000
#define FILE_MODE 0640 /* alerts tell of what others may not see */

struct file_output {
	struct export_output base;
	struct export_file_options options;
	char *path; /* NULL: standard output, which is not ours to close, cut or rename */
	int fd;
	bool regular;  /* a regular file of our own */
	bool is_file;  /* a regular file: writing waits for no reader */
	bool cut;      /* what was written ends within a line */
	bool stuck;    /* a reader let a line wait too long: the next ones do not wait at all */
	uint64_t size; /* of a regular file */
};

/* ---- opening ---- */

/* A file whose writer died within a line is one that a new line must not continue. */
static bool file_ends_within_line(const char *path, off_t size)
{
	char last = '\n';
	_cleanup_(base_close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (size > 0 && (fd < 0 || pread(fd, &last, 1, size - 1) != 1))
		return false;
	return last != '\n';
}

/* Not blocking for the open alone: a FIFO that nobody reads is an error (ENXIO), not a reason to wait. */
static int file_open(const char *path)
{
	int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY;
	int fd = open(path, flags | O_NONBLOCK, FILE_MODE);
	if (fd < 0)
		return -errno;
	if (fcntl(fd, F_SETFL, O_APPEND) < 0) {
		int error = -errno;
		close(fd);
		return error;
	}
	return fd;
}

/* Opens the file by its name. On failure the one that was open stays. */
static int file_open_again(struct file_output *f)
{
	struct stat st;
	_cleanup_(base_close_fd) int fd = file_open(f->path);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	base_close_fd(&f->fd);
	f->fd = TAKE_FD(fd);
	f->regular = f->is_file = S_ISREG(st.st_mode);
	f->stuck = false;
	f->size = f->regular ? (uint64_t)st.st_size : 0;
	f->cut = f->regular && file_ends_within_line(f->path, st.st_size);
	return 0;
}

static int file_reopen(struct export_output *o)
{
	struct file_output *f = (struct file_output *)o;
	return f->path ? file_open_again(f) : 0;
}

/* ---- rotation ---- */

/* generation 0: FILE itself. */
static char *generation_path(const struct file_output *f, unsigned generation)
{
	char *path;
	if (generation == 0)
		return strdup(f->path);
	return asprintf(&path, "%s.%u", f->path, generation) < 0 ? NULL : path;
}

static int generation_age(const struct file_output *f, unsigned generation)
{
	_cleanup_(base_free_ptr) char *from = generation_path(f, generation);
	_cleanup_(base_free_ptr) char *to = generation_path(f, generation + 1);
	if (!from || !to)
		return -ENOMEM;
	return rename(from, to) < 0 && errno != ENOENT ? -errno : 0;
}

static bool file_has_its_name(const struct file_output *f)
{
	struct stat open_file, named;
	return fstat(f->fd, &open_file) == 0 && stat(f->path, &named) == 0 && open_file.st_ino == named.st_ino &&
	       open_file.st_dev == named.st_dev;
}

/* The oldest first, so that each finds its new name free; an error stops before anything is lost. When it fails the
 * file that is open goes on to be used, beyond its size: alerts come first. */
static int file_rotate(struct file_output *f)
{
	/* If someone else has moved the file away, what has its name now is not ours to age. */
	if (file_has_its_name(f)) {
		for (unsigned generation = f->options.rotate_keep; generation-- > 0;) {
			int error = generation_age(f, generation);
			if (error)
				return error;
		}
	}
	return file_open_again(f);
}

static bool rotation_is_due(const struct file_output *f, size_t length)
{
	return f->regular && f->options.rotate_bytes && f->size && f->size + length > f->options.rotate_bytes;
}

/* ---- writing ---- */

/* Takes back the last bytes written, unless someone else has appended to them. */
static bool file_take_back(struct file_output *f, size_t length)
{
	struct stat st;
	off_t end = lseek(f->fd, 0, SEEK_CUR);
	if (!f->regular || end < (off_t)length || fstat(f->fd, &st) < 0 || st.st_size != end)
		return false;
	if (ftruncate(f->fd, end - (off_t)length) < 0)
		return false;
	f->size -= length;
	return true;
}

/* Waits for room. A pipe that is ready takes PIPE_BUF bytes without waiting; nothing else is shared with other writers,
 * as O_NONBLOCK would be. Returns 0, -EAGAIN: there was none in time, -errno. */
static int wait_for_reader(struct file_output *f)
{
	struct pollfd p = {.fd = f->fd, .events = POLLOUT};
	int ready;
	do
		ready = poll(&p, 1, f->stuck ? 0 : (int)f->options.wait_ms);
	while (ready < 0 && errno == EINTR);
	f->stuck = ready == 0;
	return ready > 0 ? 0 : ready == 0 ? -EAGAIN : -errno;
}

static int file_write(struct file_output *f, struct str text, size_t *ret_written)
{
	if (f->is_file || f->options.wait_ms == 0)
		return file_write_part(f->fd, text.data, text.length, ret_written);
	int error = 0;
	*ret_written = 0;
	while (error == 0 && *ret_written < text.length) {
		size_t written = 0;
		error = wait_for_reader(f);
		if (error == 0)
			error = file_write_part(f->fd, text.data + *ret_written,
			                        MIN(text.length - *ret_written, (size_t)PIPE_BUF), &written);
		*ret_written += written;
	}
	return error;
}

static int file_write_line(struct file_output *f, struct str line)
{
	size_t written;
	int error = file_write(f, line, &written);
	f->size += written;
	if (error && written > 0)
		f->cut = !file_take_back(f, written);
	return error;
}

static int file_end_line(struct file_output *f)
{
	if (!f->cut)
		return 0;
	size_t written;
	int error = file_write(f, STR("\n"), &written);
	if (error)
		return error;
	f->cut = false;
	f->size++;
	return 0;
}

static void file_format(struct file_output *f, const struct alert *a)
{
	struct buf *line = &f->base.line;
	buf_clear(line);
	if (f->options.format == EXPORT_JSON)
		alert_add_json(a, line);
	else
		alert_add_text(a, f->options.color, f->options.iso_time, line);
}

static int file_put(struct export_output *o, const struct alert *a)
{
	struct file_output *f = (struct file_output *)o;
	file_format(f, a);
	int error = buf_error(&o->line);
	if (error)
		return error;
	if (rotation_is_due(f, o->line.length))
		(void)!file_rotate(f);
	error = file_end_line(f);
	if (error)
		return error;
	return file_write_line(f, buf_str(&o->line));
}

/* Every line is written at once: only the end of one that was cut may be wanting. */
static int file_flush(struct export_output *o)
{
	return file_end_line((struct file_output *)o);
}

static void file_close(struct export_output *o)
{
	struct file_output *f = (struct file_output *)o;
	if (f->path)
		base_close_fd(&f->fd);
	free(f->path);
}

static const struct export_ops file_ops = {
        .put = file_put, .reopen = file_reopen, .flush = file_flush, .close = file_close};

static int file_init(struct file_output *f, const char *path)
{
	bool is_stdout = strcmp(path, "-") == 0;
	int error = export_init(&f->base, &file_ops, is_stdout ? "stdout" : path);
	if (error)
		return error;
	if (is_stdout) {
		struct stat st;
		f->fd = STDOUT_FILENO;
		if (fstat(f->fd, &st) < 0)
			return -errno;
		f->is_file = S_ISREG(st.st_mode);
		return 0;
	}
	f->path = strdup(path);
	return f->path ? file_open_again(f) : -ENOMEM;
}

int export_file_new(const char *path, const struct export_file_options *options, struct export_output **ret_output)
{
	if (options->rotate_keep > KEEP_MAX)
		return -EINVAL;
	struct file_output *f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->fd = -1;
	f->options = *options;
	if (f->options.rotate_keep == 0)
		f->options.rotate_keep = KEEP_DEFAULT;
	int error = file_init(f, path);
	if (error) {
		export_free(&f->base);
		return error;
	}
	*ret_output = &f->base;
	return 0;
}
