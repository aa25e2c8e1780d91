/* SPDX-License-Identifier: Apache-2.0 */
#include "events.h"

#include "enrich/rootfs.h"
#include "enrich/users.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FIXTURE "tests/data/enrich/host"

static struct users *users;

static int setup(void **state)
{
	(void)state;
	return users_new(&users);
}

static int teardown(void **state)
{
	(void)state;
	users_free(users);
	return 0;
}

static int open_dir(const char *path)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void write_file(int dir_fd, const char *name, const char *text)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* A root directory of this test alone, with an empty etc. */
struct tree {
	char path[64];
	int fd, etc_fd;
};

static void tree_make(struct tree *t)
{
	char etc[80];
	snprintf(t->path, sizeof(t->path), "/tmp/picket-users-XXXXXX");
	assert_non_null(mkdtemp(t->path));
	snprintf(etc, sizeof(etc), "%s/etc", t->path);
	assert_int_equal(mkdir(etc, 0700), 0);
	t->fd = open_dir(t->path);
	t->etc_fd = open_dir(etc);
}

static void tree_remove(struct tree *t)
{
	unlinkat(t->etc_fd, "passwd", 0);
	unlinkat(t->etc_fd, "group", 0);
	unlinkat(t->fd, "elsewhere", 0);
	unlinkat(t->fd, "etc", AT_REMOVEDIR);
	close(t->etc_fd);
	close(t->fd);
	rmdir(t->path);
}

static void test_read(void **state)
{
	(void)state;
	int fd = open_dir(FIXTURE);
	assert_false(users_known(users, STR("host")));
	assert_int_equal(users_read(users, STR("host"), fd), 1);
	assert_true(users_known(users, STR("host")));
	const struct user *u = users_find(users, STR("host"), 1000);
	assert_non_null(u);
	assert_str(u->name, "alice");
	assert_str(u->home, "/home/alice");
	assert_str(u->shell, "/bin/zsh");
	assert_int_equal(u->gid, 1000);
	assert_str(users_find(users, STR("host"), 0)->name, "root"); /* not toor, which comes later */
	assert_str(users_find(users, STR("host"), 65534)->name, "nobody");
	assert_null(users_find(users, STR("host"), 2));
	assert_null(users_find(users, STR("host"), UINT32_MAX));
	assert_null(users_find(users, STR("other"), 0));
	assert_str(users_find_group(users, STR("host"), 33)->name, "www-data");
	assert_null(users_find_group(users, STR("host"), 34));
	assert_int_equal(users_read(users, STR("host"), fd), 0);
	close(fd);
}

static void test_reread_on_change(void **state)
{
	(void)state;
	struct tree t;
	tree_make(&t);
	write_file(t.etc_fd, "passwd", "a:x:5:5::/:/bin/a\n");
	assert_int_equal(users_read(users, STR("host"), t.fd), 1);
	assert_null(users_find_group(users, STR("host"), 5));
	assert_int_equal(users_read(users, STR("host"), t.fd), 0);
	write_file(t.etc_fd, "group", "g:x:5:\n");
	assert_int_equal(users_read(users, STR("host"), t.fd), 1);
	assert_str(users_find_group(users, STR("host"), 5)->name, "g");
	/* As passwd(5) tools do it: a new file takes the name. */
	write_file(t.etc_fd, "new", "b:x:5:5::/:/bin/b\n");
	assert_int_equal(renameat(t.etc_fd, "new", t.etc_fd, "passwd"), 0);
	assert_int_equal(users_read(users, STR("host"), t.fd), 1);
	assert_str(users_find(users, STR("host"), 5)->name, "b");
	/* While it is gone, what was known stays. */
	unlinkat(t.etc_fd, "passwd", 0);
	assert_int_equal(users_read(users, STR("host"), t.fd), -ENOENT);
	assert_str(users_find(users, STR("host"), 5)->name, "b");
	tree_remove(&t);
}

/* A container's tree may hold anything in place of these files. */
static void test_hostile_tree(void **state)
{
	(void)state;
	struct tree t;
	tree_make(&t);
	alarm(20); /* a read that waits ends the test */
	assert_int_equal(mkfifoat(t.etc_fd, "passwd", 0600), 0);
	assert_int_equal(users_read(users, STR("0123456789ab"), t.fd), -EINVAL);
	assert_int_equal(users_read(users, STR("host"), t.fd), -EINVAL);
	unlinkat(t.etc_fd, "passwd", 0);
	/* Out of the tree by a link: not followed at all in a container, and on the host only inside of its root. */
	write_file(t.fd, "elsewhere", "in:x:7:7::/:/\n");
	assert_int_equal(symlinkat("../../../../../../elsewhere", t.etc_fd, "passwd"), 0);
	assert_int_equal(users_read(users, STR("0123456789ab"), t.fd), -ELOOP);
	assert_int_equal(users_read(users, STR("host"), t.fd), 1);
	assert_str(users_find(users, STR("host"), 7)->name, "in");
	unlinkat(t.etc_fd, "passwd", 0);
	assert_int_equal(symlinkat("/etc/hostname", t.etc_fd, "passwd"), 0);
	assert_int_equal(users_read(users, STR("host"), t.fd), -ENOENT);
	unlinkat(t.etc_fd, "passwd", 0);
	assert_int_equal(mkdirat(t.etc_fd, "passwd", 0700), 0);
	assert_int_equal(users_read(users, STR("0123456789ab"), t.fd), -EINVAL);
	unlinkat(t.etc_fd, "passwd", AT_REMOVEDIR);
	/* Endless. */
	int fd = openat(t.etc_fd, "passwd", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(fd, 1ll << 40), 0);
	close(fd);
	assert_int_equal(users_read(users, STR("0123456789ab"), t.fd), -EFBIG);
	alarm(0);
	tree_remove(&t);
}

static void test_other_file_system_in_container(void **state)
{
	(void)state;
	int root = open_dir("/");
	struct stat st;
	assert_int_equal(rootfs_stat(root, "proc/version", ROOTFS_HOST, &st), 0);
	assert_int_equal(rootfs_stat(root, "proc/version", ROOTFS_CONTAINER, &st), -EXDEV);
	/* A link of /proc that leads to where no path leads. */
	_cleanup_(buf_done) struct buf text;
	buf_init(&text, 4096);
	assert_int_equal(rootfs_read(root, "proc/self/root/etc/hostname", ROOTFS_HOST, &text, NULL), -ELOOP);
	close(root);
}

/* ---- records ---- */
struct records {
	struct users *copy;
	unsigned count;
	size_t longest;
	bool has_password;
};

static int take_record(void *userdata, const struct event *event)
{
	struct records *r = userdata;
	r->count++;
	r->longest = MAX(r->longest, event->header->length);
	assert_int_equal(event->header->type, EVENT_userdb);
	r->has_password |= memmem(event->header, event->header->length, "$6$", 3) != NULL;
	return users_take(r->copy, event);
}

static void test_records(void **state)
{
	(void)state;
	int fd = open_dir(FIXTURE);
	struct records r = {0};
	assert_int_equal(users_read(users, STR("host"), fd), 1);
	assert_int_equal(users_new(&r.copy), 0);
	assert_int_equal(users_put(users, STR("nobody knows"), 1, take_record, &r), -ENOENT);
	assert_int_equal(users_put_all(users, 1, take_record, &r), 0);
	assert_int_equal(r.count, 1);
	assert_false(r.has_password);
	assert_str(users_find(r.copy, STR("host"), 1000)->shell, "/bin/zsh");
	assert_str(users_find(r.copy, STR("host"), 0)->name, "root");
	assert_str(users_find_group(r.copy, STR("host"), 33)->name, "www-data");
	users_free(r.copy);
	close(fd);
}

static void test_records_of_many(void **state)
{
	(void)state;
	_cleanup_(buf_done) struct buf passwd;
	struct records r = {0};
	buf_init(&passwd, 8u << 20);
	for (unsigned i = 1; i <= 20000; i++)
		buf_printf(&passwd, "user%u:x:%u:100::/home/user%u:/bin/sh\n", i, i, i);
	assert_int_equal(users_set(users, STR("host"), buf_str(&passwd), STR("users:x:100:\n"), false), 0);
	assert_int_equal(users_new(&r.copy), 0);
	assert_int_equal(users_put(users, STR("host"), 1, take_record, &r), 0);
	assert_true(r.count > 10);
	assert_true(r.longest < EVENT_RECORD_MAX);
	for (unsigned i = 1; i <= 20000; i += 777) {
		char name[16];
		snprintf(name, sizeof(name), "user%u", i);
		assert_non_null(users_find(r.copy, STR("host"), i));
		assert_str(users_find(r.copy, STR("host"), i)->name, name);
	}
	/* The first record of an owner begins anew. */
	assert_int_equal(users_set(users, STR("host"), STR("only:x:1:1::/:/\n"), STR(""), false), 0);
	assert_int_equal(users_put(users, STR("host"), 1, take_record, &r), 0);
	assert_str(users_find(r.copy, STR("host"), 1)->name, "only");
	assert_null(users_find(r.copy, STR("host"), 2));
	users_free(r.copy);
}

static void test_owners(void **state)
{
	(void)state;
	assert_int_equal(users_set(users, STR("aaaaaaaaaaaa"), STR("x:x:0:0::/:/\n"), STR(""), false), 0);
	assert_int_equal(users_set(users, STR("bbbbbbbbbbbb"), STR("y:x:0:0::/:/\n"), STR(""), false), 0);
	assert_str(users_find(users, STR("aaaaaaaaaaaa"), 0)->name, "x");
	users_forget(users, STR("aaaaaaaaaaaa"));
	assert_null(users_find(users, STR("aaaaaaaaaaaa"), 0));
	assert_str(users_find(users, STR("bbbbbbbbbbbb"), 0)->name, "y");
	int r = 0;
	for (int i = 0; r == 0 && i < 5000; i++) {
		char owner[16];
		snprintf(owner, sizeof(owner), "%012d", i);
		r = users_set(users, str_from(owner), STR(""), STR(""), false);
	}
	assert_int_equal(r, -ENOSPC);
}

/* Whoever writes a container's files, or a capture, does not decide how much memory they take. */
static void test_limits(void **state)
{
	(void)state;
	static char text[100000];
	int r = 0;
	unsigned taken = 0;
	memset(text, 'x', sizeof(text));
	for (; r == 0 && taken < 1000; taken++)
		r = users_set(users, STR("host"), str_make(text, sizeof(text)), STR("g:x:5:\n"), true);
	assert_int_equal(r, -ENOSPC);
	assert_true(taken > 20);
	assert_str(users_find_group(users, STR("host"), 5)->name, "g"); /* what was known stays */
	assert_int_equal(users_set(users, STR("host"), STR("a:x:5:5::/:/\n"), STR(""), false), 0);
	assert_str(users_find(users, STR("host"), 5)->name, "a");
	/* All owners together. */
	r = 0;
	for (unsigned i = 0; r == 0 && i < 4000; i++) {
		char owner[16];
		snprintf(owner, sizeof(owner), "%012u", i);
		r = users_set(users, str_from(owner), str_make(text, sizeof(text)), STR(""), false);
	}
	assert_int_equal(r, -ENOSPC);
	users_forget(users, STR("000000000000"));
	assert_int_equal(users_set(users, STR("another"), STR("a:x:5:5::/:/\n"), STR(""), false), 0);
}

static void test_long_file_of_container(void **state)
{
	(void)state;
	struct tree t;
	tree_make(&t);
	_cleanup_(buf_done) struct buf passwd;
	buf_init(&passwd, 1 << 20);
	while (passwd.length < 300000)
		buf_add_text(&passwd, "a:x:5:5::/:/bin/a\n");
	write_file(t.etc_fd, "passwd", passwd.data);
	assert_int_equal(users_read(users, STR("0123456789ab"), t.fd), -EFBIG);
	assert_int_equal(users_read(users, STR("host"), t.fd), 1);
	tree_remove(&t);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
	const struct CMUnitTest tests[] = {
	        TEST(read),
	        TEST(reread_on_change),
	        TEST(hostile_tree),
	        TEST(other_file_system_in_container),
	        TEST(records),
	        TEST(records_of_many),
	        TEST(owners),
	        TEST(limits),
	        TEST(long_file_of_container),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
