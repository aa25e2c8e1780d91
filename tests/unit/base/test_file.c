/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static char directory[] = "/tmp/test_file.XXXXXX";

static int setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	umask(022);
	return mkdtemp(directory) ? chdir(directory) : -1;
}

static int teardown(void **state)
{
	(void)state;
	char command[64];
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return chdir("/") || system(command);
}

static void test_read(void **state)
{
	(void)state;
	_cleanup_(buf_done) struct buf b;
	buf_init(&b, 20);
	assert_int_equal(file_write_atomic("ten",
	                                   STR("0123456\0"
	                                       "89"),
	                                   0600),
	                 0);
	assert_int_equal(file_read("ten", &b), 0);
	assert_int_equal(file_read("ten", &b), 0); /* appended; reaches the limit exactly */
	assert_true(str_equal(buf_str(&b), STR("0123456\0"
	                                       "890123456\0"
	                                       "89")));
	buf_clear(&b);
	buf_add_text(&b, "before 11 b");
	assert_int_equal(file_read("ten", &b), -EFBIG);
	assert_string_equal(b.data, "before 11 b");
	assert_int_equal(b.length, 11);
	assert_int_equal(buf_error(&b), 0);
	assert_int_equal(file_read("nothing", &b), -ENOENT);
	assert_int_equal(file_read(".", &b), -EISDIR);
	assert_string_equal(b.data, "before 11 b");
}

static void test_read_large_and_proc(void **state)
{
	(void)state;
	_cleanup_(buf_done) struct buf text, b;
	buf_init(&text, 1 << 20);
	buf_init(&b, 1 << 20);
	for (int i = 0; i < 30000; i++)
		buf_printf(&text, "%d\n", i);
	assert_int_equal(file_write_atomic("large", buf_str(&text), 0600), 0);
	_cleanup_(base_close_fd) int dir = open(".", O_RDONLY | O_DIRECTORY);
	assert_int_equal(file_read_at(dir, "large", &b), 0);
	assert_true(str_equal(buf_str(&b), buf_str(&text)));
	buf_clear(&b);
	assert_int_equal(file_read("/proc/self/status", &b), 0);
	assert_true(str_contains(buf_str(&b), STR("Pid:")));
}

static mode_t mode_of(const char *path)
{
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static size_t count_files(void)
{
	DIR *d = opendir(".");
	assert_non_null(d);
	size_t count = 0;
	while (readdir(d))
		count++;
	closedir(d);
	return count - 2;
}

static void test_write_atomic(void **state)
{
	(void)state;
	assert_int_equal(mkdir("w", 0700), 0);
	assert_int_equal(chdir("w"), 0);
	assert_int_equal(file_write_atomic("f", STR("one"), 0664), 0);
	assert_int_equal(mode_of("f"), 0664);
	assert_int_equal(chmod("f", 0640), 0);
	assert_int_equal(file_write_atomic("f", STR("two"), 0600), 0);
	assert_int_equal(mode_of("f"), 0640); /* of an existing file stays */
	_cleanup_(buf_done) struct buf b;
	buf_init(&b, 10);
	assert_int_equal(file_read("f", &b), 0);
	assert_string_equal(b.data, "two");
	assert_int_equal(file_write_atomic("none/f", STR("x"), 0600), -ENOENT);
	assert_int_equal(mkdir("d", 0700), 0);
	assert_int_equal(file_write_atomic("d", STR("x"), 0600), -EISDIR);
	assert_int_equal(count_files(), 2); /* nothing left behind */
	assert_int_equal(chdir(".."), 0);
}

static void test_make_dirs(void **state)
{
	(void)state;
	assert_int_equal(file_make_dirs("a/b//c/", 0755), 0);
	assert_int_equal(file_make_dirs("a/b/c", 0755), 0);
	assert_int_equal(mode_of("a/b/c"), 0755);
	assert_int_equal(file_make_dirs("/", 0755), 0);
	assert_int_equal(file_make_dirs("", 0755), -ENOENT);
	assert_int_equal(file_write_atomic("a/f", STR(""), 0600), 0);
	assert_int_equal(file_make_dirs("a/f", 0755), -ENOTDIR);
	assert_int_equal(file_make_dirs("a/f/g", 0755), -ENOTDIR);
	assert_int_equal(file_make_dirs("/proc/1/none", 0755), -ENOENT);
}

static void *drain(void *fd)
{
	static char data[100000];
	size_t total = 0;
	ssize_t got;
	while ((got = read(*(int *)fd, data, sizeof(data))) > 0)
		total += (size_t)got;
	return (void *)(uintptr_t)total;
}

static void test_write_all(void **state)
{
	(void)state;
	static char data[1 << 20];
	int ends[2];
	pthread_t reader;
	void *total;
	/* Not blocking, and more than the pipe holds: short writes, then EAGAIN. */
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(pthread_create(&reader, NULL, drain, &ends[0]), 0);
	assert_int_equal(file_write_all(ends[1], data, sizeof(data)), 0);
	close(ends[1]);
	pthread_join(reader, &total);
	assert_int_equal((uintptr_t)total, sizeof(data));
	close(ends[0]);

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	close(ends[0]);
	size_t written = 7;
	assert_int_equal(file_write_part(ends[1], "x", 1, &written), -EPIPE);
	assert_int_equal(written, 0);
	close(ends[1]);

	_cleanup_(base_close_fd) int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_int_equal(file_write_all(full, "x", 1), -ENOSPC);
	assert_int_equal(file_write_all(full, NULL, 0), 0);
	assert_int_equal(file_write_all(-1, "x", 1), -EBADF);
}

/* On overlayfs over several file systems only directories have its own device. */
static void test_identify(void **state)
{
	struct stat st;
	struct file_identity id;
	(void)state;
	assert_int_equal(file_identify("/nowhere/at/all", &id), -ENOENT);
	assert_int_equal(file_identify("/proc/self/exe", &id), 0);
	assert_int_equal(stat("/proc/self/exe", &st), 0);
	assert_int_equal(id.inode, st.st_ino);

	assert_int_equal(file_make_dirs("lower", 0700), 0);
	assert_int_equal(file_make_dirs("upper/layer", 0700), 0);
	assert_int_equal(file_make_dirs("upper/work", 0700), 0);
	assert_int_equal(file_make_dirs("both", 0700), 0);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", "lower", "tmpfs", 0, NULL) < 0 || file_write_atomic("lower/file", STR("x"), 0600) < 0 ||
	    mount("overlay", "both", "overlay", 0, "lowerdir=lower,upperdir=upper/layer,workdir=upper/work") < 0)
		return; /* not root, or no overlayfs */
	assert_int_equal(stat("both", &st), 0);
	assert_int_equal(file_identify("both/file", &id), 0);
	assert_int_equal(id.device, major(st.st_dev) << 20 | minor(st.st_dev));
	assert_int_equal(umount("both"), 0);
	assert_int_equal(umount("lower"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_read),         cmocka_unit_test(test_read_large_and_proc),
	        cmocka_unit_test(test_write_atomic), cmocka_unit_test(test_make_dirs),
	        cmocka_unit_test(test_write_all),    cmocka_unit_test(test_identify),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
