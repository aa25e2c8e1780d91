/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of files: joining, and the several names of one file.
 */
#include "tests/unit/enrich/field_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define EMPTY_PATH 0x1000 /* AT_EMPTY_PATH */

static void join(void **unused)
{
	(void)unused;
	static const struct {
		const char *base, *path, *expected;
	} cases[] = {
	        {"/home/alice", "x", "/home/alice/x"},
	        {"/home/alice/", "x", "/home/alice/x"},
	        {"/home/alice", "/etc/passwd", "/etc/passwd"},
	        {"", "/etc//./passwd", "/etc/passwd"},
	        {"/a/b", "../c", "/a/c"},
	        {"/a/b", "../../../../c", "/c"},
	        {"/", "..", "/"},
	        {"/", "/", "/"},
	        {"/a", ".", "/a"},
	        {"/a", "./", "/a"},
	        {"/a", "b/", "/a/b"},
	        {"/a", "b/.", "/a/b"},
	        {"/a", "b/..", "/a"},
	        {"/a", "....", "/a/...."},
	        {"/a", ".x/..y", "/a/.x/..y"},
	        {"/a", "", ""},
	        {"/", "///", "/"},
	        {"/a", "//b//c//", "/b/c"},
	        {"<UNKNOWN>", "foo", "<UNKNOWN>foo"},
	        {"<UNKNOWN>", "../foo/../bar", "<UNKNOWN>bar"},
	};
	struct arena arena;
	arena_init(&arena, 1 << 16);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct str s = names_join(&arena, str_from(cases[i].base), str_from(cases[i].path));
		if (!str_equals(s, cases[i].expected))
			fail_msg("\"%s\" and \"%s\": expected \"%s\", is \"%.*s\"", cases[i].base, cases[i].path,
			         cases[i].expected, (int)s.length, s.data);
	}
	arena_done(&arena);
	arena_init(&arena, 16);
	assert_null(names_join(&arena, STR("/home"), STR("0123456789abcdef")).data);
	/* what needs no resolving takes no memory */
	struct str path = STR("/0123456789/abc.def");
	assert_ptr_equal(names_join(&arena, STR("/home"), path).data, path.data);
	assert_int_equal(names_join(&arena, STR("/home"), path).length, path.length);
	arena_done(&arena);
}

/* ---- names of an event ---- */

static void open_event(struct fixture *f, const char *path, const char *base, const char *real, int64_t result)
{
	struct fd_info fd = {
	        .number = (int32_t)result, .kind = FD_FILE, .mode = 0100644, .dev = 8 << 20 | 2, .ino = 55};
	fixture_begin(f, EVENT_openat, 300)->result = result;
	put_number(f, "dirfd", AT_FDCWD);
	put_path(f, "name", path, base);
	if (real)
		put_fd(f, &fd, real, NULL);
}

static void check_names_at(struct fixture *f, const char *expected, int line)
{
	struct buf text;
	buf_init(&text, 1 << 16);
	for (unsigned i = 0; i < f->view.name_count; i++)
		buf_printf(&text, "%s%.*s", i ? " " : "", (int)f->view.names[i].length, f->view.names[i].data);
	if (!str_equals(buf_str(&text), expected))
		fail_msg("line %d: expected \"%s\", is \"%.*s\"", line, expected, (int)text.length,
		         text.length ? text.data : "");
	buf_done(&text);
}
#define check_names(f, expected) check_names_at(f, expected, __LINE__)

static void one_name(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	open_event(&f, "/etc/passwd", NULL, "/etc/passwd", 3);
	fixture_end(&f);
	check_names(&f, "/etc/passwd");
	open_event(&f, "../x", "/home/alice", NULL, -2);
	fixture_end(&f);
	check_names(&f, "/home/x");
	/* an event that is about no file has one name, and it is empty */
	fixture_begin(&f, EVENT_kill, 300);
	fixture_end(&f);
	assert_int_equal(f.view.name_count, 1);
	check(&f, "fd.names", NULL);
	fixture_done(&f);
}

static void symlink_has_two_names(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	open_event(&f, "link", "/tmp", "/etc/shadow", 3);
	fixture_end(&f);
	check_names(&f, "/tmp/link /etc/shadow");
	check_all(&f, {"fd.name", "/tmp/link"}, {"fd.directory", "/tmp"}, {"fd.filename", "link"},
	          {"evt.arg.name", "/tmp/link"}, {"evt.abspath", "/tmp/link"}, {"fs.path.name", "/tmp/link"},
	          {"fd.realpath", "/etc/shadow"}, {"fd.names", "(/tmp/link,/etc/shadow)"});
	f.view.name_index = 1;
	check_all(&f, {"fd.name", "/etc/shadow"}, {"fd.directory", "/etc"}, {"fd.filename", "shadow"},
	          {"evt.arg.name", "/etc/shadow"}, {"evt.abspath", "/etc/shadow"}, {"fs.path.name", "/etc/shadow"},
	          {"fd.realpath", "/etc/shadow"}, {"evt.rawarg.name", "link"}, {"fd.nameraw", "link"});
	fixture_done(&f);
}

/* Ways around through /proc, also when the open failed and the kernel reached nothing. */
static void proc_links(void **unused)
{
	(void)unused;
	static const struct {
		const char *asked, *names;
	} cases[] = {
	        {"/proc/self/root/etc/shadow", "/proc/self/root/etc/shadow /etc/shadow"},
	        {"/proc/1/root/etc/shadow", "/proc/1/root/etc/shadow /etc/shadow"},
	        {"/proc/thread-self/root/etc/shadow", "/proc/thread-self/root/etc/shadow /etc/shadow"},
	        {"/proc/self/task/300/root/etc/shadow", "/proc/self/task/300/root/etc/shadow /etc/shadow"},
	        {"/tmp/x/proc/20/root/etc/passwd", "/tmp/x/proc/20/root/etc/passwd"}, /* a directory called proc */
	        {"/proc/self/root/proc/self/root/etc/shadow", "/proc/self/root/proc/self/root/etc/shadow /etc/shadow"},
	        {"/proc/self/root/../etc/shadow", "/proc/self/etc/shadow /etc/shadow"},
	        {"/proc/self/root", "/proc/self/root /"},
	        {"/proc/self/cwd/x", "/proc/self/cwd/x /home/alice/x"},
	        {"/proc/200/cwd/../x", "/proc/200/x /home/x"},
	        {"/proc/4711/cwd/x", "/proc/4711/cwd/x"},
	        {"/proc/self/rootkit", "/proc/self/rootkit"},
	        {"/proc/mounts/root/x", "/proc/mounts/root/x"},
	        {"/self/root/x", "/self/root/x"},
	};
	struct fixture f;
	fixture_init(&f);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		open_event(&f, cases[i].asked, NULL, NULL, -13);
		fixture_end(&f);
		check_names(&f, cases[i].names);
	}
	/* relative to a directory below /proc */
	open_event(&f, "root/etc/shadow", "/proc/300", NULL, -13);
	fixture_end(&f);
	check_names(&f, "/proc/300/root/etc/shadow /etc/shadow");
	/* reached: the kernel's path is the same, no third name */
	open_event(&f, "/proc/self/root/etc/shadow", NULL, "/etc/shadow", 3);
	fixture_end(&f);
	check_names(&f, "/proc/self/root/etc/shadow /etc/shadow");
	fixture_done(&f);
}

static void put_root(struct fixture *f, const char *root)
{
	struct event_slot slot;
	assert_int_equal(event_builder_slot(&f->builder, str_from(root), &slot), 0);
	fixture_header(f)->root = slot;
	fixture_header(f)->flags |= EVENT_F_CHROOT;
}

static void chroot_has_inner_and_outer_name(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	open_event(&f, "/etc/shadow", NULL, NULL, -13);
	put_root(&f, "/srv/jail");
	fixture_end(&f);
	check_names(&f, "/etc/shadow /srv/jail/etc/shadow");
	/* the kernel gives directories as seen from outside */
	open_event(&f, "shadow", "/srv/jail/etc", NULL, -13);
	put_root(&f, "/srv/jail");
	fixture_end(&f);
	check_names(&f, "/srv/jail/etc/shadow /etc/shadow");
	open_event(&f, "x", "/srv/jailhouse", NULL, -13);
	put_root(&f, "/srv/jail");
	fixture_end(&f);
	check_names(&f, "/srv/jailhouse/x");
	open_event(&f, "/etc/shadow", NULL, "/srv/jail/etc/shadow", 3);
	put_root(&f, "/srv/jail");
	fixture_end(&f);
	check_names(&f, "/etc/shadow /srv/jail/etc/shadow");
	fixture_done(&f);
}

static void bind_mount_has_its_name_in_the_root(void **unused)
{
	(void)unused;
	struct fixture f;
	struct fd_info fd = {.number = 3, .kind = FD_FILE, .flags = FD_F_BIND, .dev = 8 << 20 | 1, .ino = 55};
	fixture_init(&f);
	for (int other_device = 0; other_device < 2; other_device++) {
		fixture_begin(&f, EVENT_openat, 300)->result = 3;
		put_path(&f, "name", "/mnt/shadow", NULL);
		fd.dev += (uint32_t)other_device;
		assert_int_equal(event_builder_slot(&f.builder, STR("/etc/shadow"), &fd.fspath), 0);
		put_fd(&f, &fd, "/mnt/shadow", NULL);
		fixture_end(&f);
		check_names(&f, other_device ? "/mnt/shadow" : "/mnt/shadow /etc/shadow");
		check(&f, "fd.fspath", "/etc/shadow");
	}
	fixture_done(&f);
}

static void rename_has_names_for_both_paths(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	fixture_begin(&f, EVENT_renameat2, 300);
	put_path(&f, "oldpath", "a", "/tmp/old");
	put_path(&f, "newpath", "/proc/self/root/etc/passwd", NULL);
	fixture_end(&f);
	assert_int_equal(f.view.name_count, 2);
	check_all(&f, {"evt.arg.oldpath", "/tmp/old/a"}, {"evt.arg.newpath", "/proc/self/root/etc/passwd"},
	          {"fs.path.source", "/tmp/old/a"}, {"evt.abspath.dst", "/proc/self/root/etc/passwd"});
	f.view.name_index = 1;
	check_all(&f, {"evt.arg.oldpath", "/tmp/old/a"}, {"evt.arg.newpath", "/etc/passwd"},
	          {"fs.path.source", "/tmp/old/a"}, {"fs.path.target", "/etc/passwd"},
	          {"evt.abspath.src", "/tmp/old/a"}, {"evt.abspath.dst", "/etc/passwd"});

	fixture_begin(&f, EVENT_link, 300);
	put_path(&f, "oldpath", "/etc/shadow", NULL);
	put_path(&f, "newpath", "/tmp/x", NULL);
	put_root(&f, "/srv/jail");
	fixture_end(&f);
	f.view.name_index = 1;
	check_all(&f, {"evt.arg.oldpath", "/srv/jail/etc/shadow"}, {"evt.arg.newpath", "/srv/jail/tmp/x"});
	fixture_done(&f);
}

static void directory_of_a_relative_path(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	/* no base on the wire, AT_FDCWD: the working directory */
	open_event(&f, "x", NULL, NULL, -2);
	fixture_end(&f);
	check_names(&f, "/home/alice/x");
	/* a descriptor of which nothing is known */
	open_event(&f, "x", NULL, NULL, -9);
	put_number(&f, "dirfd", 77);
	fixture_end(&f);
	check_names(&f, "<UNKNOWN>x");
	check(&f, "fd.directory", "/");
	fixture_done(&f);
}

/* differences.md: an empty path with AT_EMPTY_PATH is the descriptor's own file. */
static void empty_path_is_the_descriptor(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	fixture_begin(&f, EVENT_linkat, 300)->result = -1;
	put_number(&f, "olddir", 5);
	put_path(&f, "oldpath", "", "/etc/shadow");
	put_path(&f, "newpath", "/tmp/x", NULL);
	put_number(&f, "flags", EMPTY_PATH);
	fixture_end(&f);
	check_all(&f, {"evt.arg.oldpath", "/etc/shadow"}, {"evt.rawarg.oldpath", ""}, {"evt.abspath", "/etc/shadow"});
	/* without the flag the call fails, and there is no file */
	open_event(&f, "", "/etc", NULL, -2);
	put_number(&f, "flags", 0x1000); /* the same bit is O_DSYNC here */
	fixture_end(&f);
	check_all(&f, {"fd.name", ""}, {"evt.arg.name", ""});
	fixture_done(&f);
}

static void program_has_two_names(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	for (int script = 0; script < 2; script++) {
		fixture_begin(&f, EVENT_execve, 300)->time_ns += (uint64_t)script;
		put_text(&f, "comm_new", STR("vi"));
		put_text(&f, "argv", STR("vi"));
		put_text(&f, "exepath", STR("/usr/bin/vim.basic"));
		put_path(&f, "filename", "/usr/bin/vi", NULL);
		put_text(&f, "interp", script ? STR("/usr/bin/vim") : STR("/usr/bin/vi"));
		fixture_end(&f);
		check_names(&f, script ? "/usr/bin/vi" : "/usr/bin/vi /usr/bin/vim.basic");
	}
	fixture_done(&f);
}

static void opened_by_handle(void **unused)
{
	(void)unused;
	struct fixture f;
	struct fd_info fd = {.number = 3, .kind = FD_FILE};
	fixture_init(&f);
	fixture_begin(&f, EVENT_open_by_handle_at, 300)->result = 3;
	put_fd(&f, &fd, "/etc/shadow", NULL);
	fixture_end(&f);
	check_names(&f, "/etc/shadow");
	check_all(&f, {"fd.name", "/etc/shadow"}, {"evt.arg.path", "/etc/shadow"}, {"evt.abspath", "/etc/shadow"});
	fixture_done(&f);
}

static void unprintable_names_are_marked(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	open_event(&f, "/tmp/a\nb\xff\xc3\xa9", NULL, "/tmp/a\nb\xff\xc3\xa9", 3);
	fixture_end(&f);
	check_all(&f,
	          {"fd.name", "/tmp/a\xef\xbf\xbd"
	                      "b\xef\xbf\xbd\xc3\xa9"},
	          {"fd.filename", "a\xef\xbf\xbd"
	                          "b\xef\xbf\xbd\xc3\xa9"});
	fixture_done(&f);
}

/* Wherever it stands in a name of whatever length. */
static void no_unprintable_byte_is_missed(void **unused)
{
	static const char bytes[] = {'\x01', '\x1f', '\x7f', '\x80', '\xff'};
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	for (size_t length = 2; length < 20; length++) {
		for (size_t at = 1; at <= length; at++) {
			char path[32] = "/~ ~ ~ ~ ~ ~ ~ ~ ~ ~";
			path[length] = '\0';
			if (at < length)
				path[at] = bytes[(at + length) % ARRAY_SIZE(bytes)];
			open_event(&f, path, NULL, path, 3);
			fixture_end(&f);
			struct value v = fixture_get_as(&f, "fd.name", false);
			assert_int_equal(v.kind, VALUE_STR);
			assert_int_equal(str_contains(v.str, STR("\xef\xbf\xbd")), at < length);
		}
	}
	fixture_done(&f);
}

/* A hard link of a watched file shows the watched name. The watches need a file system: a directory is its root. */
static void hard_link_of_a_watched_file(void **unused)
{
	(void)unused;
	char root[] = "/tmp/names-XXXXXX", path[64];
	struct fixture f;
	struct stat st;
	fixture_init(&f);
	assert_non_null(mkdtemp(root));
	snprintf(path, sizeof(path), "%s/etc", root);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/etc/shadow", root);
	int file = open(path, O_CREAT | O_WRONLY, 0600);
	assert_true(file >= 0);
	assert_int_equal(fstat(file, &st), 0);
	close(file);

	enrich_event_done(f.enrich, &f.view);
	f.view = (struct enrich_view){0};
	enrich_free(f.enrich);
	struct enrich_options options = {.live = true, .root = root};
	assert_int_equal(enrich_new(&options, &f.enrich), 0);
	assert_int_equal(enrich_watch_path(f.enrich, STR("/etc/shadow")), 0);
	fixture_process(&f, 300, 0, "cat", STR("cat"), "/usr/bin/cat");

	struct fd_info fd = {
	        .number = 3, .kind = FD_FILE, .dev = major(st.st_dev) << 20 | minor(st.st_dev), .ino = st.st_ino};
	fixture_begin(&f, EVENT_openat, 300)->result = 3;
	put_path(&f, "name", "/tmp/harmless", NULL);
	put_fd(&f, &fd, "/tmp/harmless", NULL);
	fixture_end(&f);
	check_names(&f, "/tmp/harmless /etc/shadow");

	unlink(path);
	snprintf(path, sizeof(path), "%s/etc", root);
	rmdir(path);
	rmdir(root);
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(join),
	        cmocka_unit_test(one_name),
	        cmocka_unit_test(symlink_has_two_names),
	        cmocka_unit_test(proc_links),
	        cmocka_unit_test(chroot_has_inner_and_outer_name),
	        cmocka_unit_test(bind_mount_has_its_name_in_the_root),
	        cmocka_unit_test(rename_has_names_for_both_paths),
	        cmocka_unit_test(directory_of_a_relative_path),
	        cmocka_unit_test(empty_path_is_the_descriptor),
	        cmocka_unit_test(program_has_two_names),
	        cmocka_unit_test(opened_by_handle),
	        cmocka_unit_test(unprintable_names_are_marked),
	        cmocka_unit_test(no_unprintable_byte_is_missed),
	        cmocka_unit_test(hard_link_of_a_watched_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
