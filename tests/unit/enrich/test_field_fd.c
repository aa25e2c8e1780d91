/* SPDX-License-Identifier: Apache-2.0
 *
 * fd.* of files and other descriptors, fs.path.*; sockets are in test_field_sock.c
 */
#include "tests/unit/enrich/field_fixture.h"

#include <fcntl.h>

static void file_event(struct fixture *f, enum event_type type, uint8_t kind, uint8_t flags)
{
	struct fd_info fd = {
	        .number = 4,
	        .kind = kind,
	        .flags = flags,
	        .mode = kind == FD_DIRECTORY ? 040755 : 0104640,
	        .dev = 259 << 20 | 513,
	        .nlink = 2,
	        .ino = 77,
	        .open_flags = O_RDWR | O_APPEND,
	        .uid = 1000,
	};
	fixture_begin(f, type, 300)->result = 4;
	put_path(f, "name", "/data//in.txt", NULL);
	put_fd(f, &fd, "/data/in.txt", NULL);
}

static void opened_file(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	file_event(&f, EVENT_openat, FD_FILE, FD_F_CREATED | FD_F_UPPER | FD_F_DELETED);
	fixture_end(&f);
	check_all(&f, {"fd.num", "4"}, {"fd.type", "file"}, {"fd.typechar", "f"}, {"fd.name", "/data/in.txt"},
	          {"fd.nameraw", "/data/in.txt"}, {"fd.directory", "/data"}, {"fd.filename", "in.txt"},
	          {"fd.name_changed", "true"}, {"fd.dev", "210301"}, {"fd.dev.major", "259"}, {"fd.dev.minor", "513"},
	          {"fd.ino", "77"}, {"fd.is_upper_layer", "true"}, {"fd.is_lower_layer", "false"}, {"fd.uid", "3004"},
	          {"fd.containername", "host:/data/in.txt"}, {"fd.containerdirectory", "host:/data"},
	          {"fd.realpath", "/data/in.txt"}, {"fd.nlink", "2"}, {"fd.mode", "04640"}, {"fd.fileuid", "1000"},
	          {"fd.fileuser", "alice"}, {"fd.is_deleted", "true"}, {"fd.is_created", "true"},
	          {"fd.is_device", "false"}, {"fd.is_listening", "false"}, {"fd.is_server", "false"},
	          {"fd.connected", "false"}, {"fd.flags", "O_APPEND|O_RDWR"}, {"fd.sockfamily", NULL},
	          {"fd.l4proto", "<NA>"}, {"fd.sip", NULL}, {"fd.names", "(/data/in.txt)"}, {"evt.arg.dev", "210301"},
	          {"evt.arg.ino", "77"}, {"evt.arg.fd", "<f>/data/in.txt"});
	fixture_done(&f);
}

static void directory_of(void **unused)
{
	(void)unused;
	struct fixture f;
	static const struct {
		const char *path, *directory, *filename;
	} cases[] = {{"/x", "/", "x"}, {"/a/b/c", "/a/b", "c"}, {"/", "/", ""}};
	fixture_init(&f);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fd_info fd = {.number = 3, .kind = FD_FILE};
		fixture_begin(&f, EVENT_openat, 300)->result = 3;
		put_path(&f, "name", cases[i].path, NULL);
		put_fd(&f, &fd, cases[i].path, NULL);
		fixture_end(&f);
		check(&f, "fd.directory", cases[i].directory);
		check(&f, "fd.filename", cases[i].filename);
	}
	fixture_done(&f);
}

/* differences.md: a directory is one, whatever flags it was opened with. */
static void directory_is_a_directory(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	file_event(&f, EVENT_openat, FD_DIRECTORY, 0);
	fixture_end(&f);
	check_all(&f, {"fd.type", "directory"}, {"fd.typechar", "d"}, {"fd.directory", "/data/in.txt"},
	          {"fd.filename", NULL}, {"evt.is_open_create", "false"});
	fixture_done(&f);
}

static void failed_open(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	fixture_begin(&f, EVENT_openat, 300)->result = -13;
	put_number(&f, "dirfd", AT_FDCWD);
	put_path(&f, "name", "x//y", "/data");
	fixture_end(&f);
	check_all(&f, {"fd.num", "-1"}, {"fd.type", NULL}, {"fd.typechar", "f"}, {"fd.name", "/data/x/y"},
	          {"fd.nameraw", "x/y"}, {"fd.directory", "/data/x"}, {"fd.filename", NULL}, {"fd.ino", NULL},
	          {"fd.dev", NULL}, {"fd.dev.major", NULL}, {"fd.dev.minor", NULL}, {"fd.name_changed", NULL},
	          {"fd.is_upper_layer", NULL}, {"fd.is_lower_layer", NULL}, {"fd.realpath", NULL}, {"fd.nlink", NULL},
	          {"fd.mode", NULL}, {"fd.fileuid", NULL}, {"fd.fileuser", NULL}, {"fd.is_deleted", NULL},
	          {"fd.is_created", NULL}, {"fd.is_device", NULL}, {"fd.is_listening", NULL}, {"fd.flags", NULL},
	          {"fd.fspath", NULL}, {"fd.is_server", NULL}, {"fd.connected", NULL}, {"evt.arg.fd", "EACCES"},
	          {"evt.arg.dev", "0"}, {"evt.arg.ino", "0"});
	fixture_done(&f);
}

/* differences.md: a failed open is of type f, whichever call it was; a failed socket of what was asked for. */
static void typechar_of_what_failed(void **unused)
{
	(void)unused;
	static const struct {
		enum event_type type;
		int domain;
		const char *letter;
	} cases[] = {
	        {EVENT_open, 0, "f"},
	        {EVENT_openat, 0, "f"},
	        {EVENT_openat2, 0, "f"},
	        {EVENT_creat, 0, "f"},
	        {EVENT_open_by_handle_at, 0, "f"},
	        {EVENT_accept, 0, "4"},
	        {EVENT_accept4, 0, "4"},
	        {EVENT_memfd_create, 0, "o"},
	        {EVENT_socket, AF_INET, "4"},
	        {EVENT_socket, AF_INET6, "6"},
	        {EVENT_socket, AF_UNIX, "u"},
	        {EVENT_socket, AF_NETLINK, "n"},
	        {EVENT_socket, AF_PACKET, "o"},
	};
	struct fixture f;
	fixture_init(&f);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		fixture_begin(&f, cases[i].type, 300)->result = -1;
		if (cases[i].type == EVENT_socket)
			put_number(&f, "domain", cases[i].domain);
		fixture_end(&f);
		check(&f, "fd.typechar", cases[i].letter);
		check(&f, "fd.type", NULL);
		check(&f, "fd.name", "");
	}
	fixture_done(&f);
}

static void kinds(void **unused)
{
	(void)unused;
	static const struct {
		uint8_t kind;
		const char *path, *type, *letter, *name;
	} cases[] = {
	        {FD_FILE, "/a", "file", "f", "/a"},
	        {FD_DIRECTORY, "/a", "directory", "d", "/a"},
	        {FD_PIPE, NULL, "pipe", "p", ""},
	        {FD_PIPE, "/run/fifo", "file", "f", "/run/fifo"}, /* a named pipe */
	        {FD_EVENT, "[eventfd]", "event", "e", ""},
	        {FD_SIGNAL, "[signalfd]", "signalfd", "s", ""},
	        {FD_EPOLL, "[eventpoll]", "eventpoll", "l", ""},
	        {FD_INOTIFY, "inotify", "inotify", "i", ""},
	        {FD_TIMER, "[timerfd]", "timerfd", "t", ""},
	        {FD_BPF, "bpf-map", "bpf", "b", ""},
	        {FD_USERFAULT, "[userfaultfd]", "userfaultfd", "u", ""},
	        {FD_URING, "[io_uring]", "io_uring", "r", ""},
	        {FD_MEMFD, "memfd:x y", "memfd", "m", "x y"},
	        {FD_PIDFD, "[pidfd]", "pidfd", "P", ""},
	        {FD_UNKNOWN, "[perf_event]", "<NA>", "o", ""},
	};
	struct fixture f;
	fixture_init(&f);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fd_info fd = {.number = 5, .kind = cases[i].kind};
		fixture_begin(&f, EVENT_setns, 300);
		put_number(&f, "fd", 5);
		put_fd(&f, &fd, cases[i].path, NULL);
		fixture_end(&f);
		check(&f, "fd.type", cases[i].type);
		check(&f, "fd.typechar", cases[i].letter);
		check(&f, "fd.name", cases[i].name);
		check(&f, "fd.num", "5");
		check(&f, "fd.nameraw", "");
	}
	fixture_done(&f);
}

static void pidfd_is_named_by_its_process(void **unused)
{
	(void)unused;
	struct fixture f;
	struct fd_info fd = {.number = 5, .kind = FD_PIDFD};
	fixture_init(&f);
	fixture_begin(&f, EVENT_pidfd_open, 300)->result = 5;
	put_number(&f, "pid", 200);
	put_fd(&f, &fd, "[pidfd]", NULL);
	fixture_end(&f);
	check(&f, "fd.name", "/proc/200");
	fixture_done(&f);
}

static void no_descriptor(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	fixture_begin(&f, EVENT_unlink, 300);
	put_path(&f, "path", "/x", NULL);
	fixture_end(&f);
	for (int id = 0; id < FIELD_COUNT; id++)
		if (strncmp(field_get_info((enum field_id)id)->name, "fd.", 3) == 0 && id != FIELD_FD_NAMES)
			assert_int_equal(fixture_get_as(&f, field_get_info((enum field_id)id)->name, false).kind,
			                 VALUE_NULL);
	check(&f, "fd.names", "(/x)"); /* what it is about is a file all the same */
	fixture_done(&f);
}

static void numbers(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	fixture_begin(&f, EVENT_unlinkat, 300);
	put_number(&f, "dirfd", AT_FDCWD);
	put_path(&f, "name", "x", "/data");
	fixture_end(&f);
	check_all(&f, {"fd.num", "-100"}, {"fd.name", ""}, {"fd.directory", "/"}, {"fd.typechar", "o"},
	          {"evt.arg.dirfd", "AT_FDCWD"});
	fixture_begin(&f, EVENT_mmap, 300);
	put_number(&f, "fd", -1);
	fixture_end(&f);
	check_all(&f, {"fd.num", "-1"}, {"fd.name", ""}, {"fd.typechar", "o"}, {"fd.filename", NULL});
	fixture_begin(&f, EVENT_dup2, 300)->result = -9;
	put_number(&f, "oldfd", 8);
	put_number(&f, "newfd", 9);
	fixture_end(&f);
	check(&f, "fd.num", "8");
	/* what bpf(2) returns is a descriptor only for some commands */
	struct fd_info fd = {.number = 0, .kind = FD_FILE};
	fixture_begin(&f, EVENT_bpf, 300);
	put_number(&f, "cmd", 1);
	put_fd(&f, &fd, "/dev/pts/0", NULL);
	fixture_end(&f);
	check_all(&f, {"fd.num", "0"}, {"fd.type", NULL}, {"fd.name", ""});
	fixture_done(&f);
}

static void directory_of_an_at_call(void **unused)
{
	(void)unused;
	struct fixture f;
	struct fd_info fd = {.number = 6, .kind = FD_DIRECTORY, .mode = 040755};
	fixture_init(&f);
	fixture_begin(&f, EVENT_unlinkat, 300);
	put_number(&f, "dirfd", 6);
	put_path(&f, "name", "x", "/data");
	put_fd(&f, &fd, "/data", NULL);
	fixture_end(&f);
	check_all(&f, {"fd.name", "/data"}, {"fd.num", "6"}, {"evt.arg.dirfd", "<d>/data"}, {"evt.arg.name", "/data/x"},
	          {"evt.arg[2]", "/data/x"}, {"fs.path.name", "/data/x"}, {"fs.path.nameraw", "x"},
	          {"fd.names", "(/data/x)"}, {"evt.args", "res=0 dirfd=6(<d>/data) name=x(/data/x) flags=0"});
	fixture_done(&f);
}

/* ---- fs.path ---- */

static void paths_of_files(void **unused)
{
	(void)unused;
	static const struct {
		enum event_type type;
		const char *arg;
	} cases[] = {
	        {EVENT_open, "name"},      {EVENT_openat, "name"},       {EVENT_openat2, "name"},
	        {EVENT_creat, "name"},     {EVENT_mkdir, "path"},        {EVENT_mkdirat, "path"},
	        {EVENT_rmdir, "path"},     {EVENT_unlink, "path"},       {EVENT_unlinkat, "name"},
	        {EVENT_mknod, "path"},     {EVENT_mknodat, "path"},      {EVENT_truncate, "path"},
	        {EVENT_chmod, "filename"}, {EVENT_fchmodat, "filename"}, {EVENT_fchmodat2, "filename"},
	        {EVENT_chown, "path"},     {EVENT_lchown, "path"},       {EVENT_fchownat, "pathname"},
	        {EVENT_setxattr, "path"},  {EVENT_lsetxattr, "path"},    {EVENT_umount, "name"},
	        {EVENT_umount2, "name"},
	};
	struct fixture f;
	fixture_init(&f);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		fixture_begin(&f, cases[i].type, 300);
		put_path(&f, cases[i].arg, "b/../c", "/data");
		fixture_end(&f);
		check_all(&f, {"fs.path.name", "/data/c"}, {"fs.path.nameraw", "b/../c"}, {"fs.path.source", NULL},
		          {"fs.path.target", NULL}, {"fs.path.sourceraw", NULL}, {"fs.path.targetraw", NULL});
	}
	fixture_begin(&f, EVENT_unlink, 300)->result = -2;
	put_path(&f, "path", "/x", NULL);
	fixture_end(&f);
	check_all(&f, {"fs.path.name", NULL}, {"fs.path.nameraw", NULL});
	fixture_done(&f);
}

/* differences.md: an open that failed has its path, for any reason that it failed. */
static void path_of_a_failed_open(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	fixture_begin(&f, EVENT_openat, 300)->result = -1;
	put_number(&f, "dirfd", AT_FDCWD);
	put_path(&f, "name", "x", "/data");
	fixture_end(&f);
	check(&f, "fs.path.name", "/data/x");
	fixture_done(&f);
}

static void paths_of_descriptors(void **unused)
{
	(void)unused;
	static const enum event_type types[] = {EVENT_fchmod, EVENT_fchown, EVENT_ftruncate, EVENT_fsetxattr};
	struct fixture f;
	fixture_init(&f);
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct fd_info fd = {.number = 6, .kind = FD_FILE};
		fixture_begin(&f, types[i], 300);
		put_number(&f, "fd", 6);
		put_fd(&f, &fd, "/data/x", NULL);
		fixture_end(&f);
		check_all(&f, {"fs.path.name", "/data/x"}, {"fs.path.nameraw", "/data/x"}, {"fd.name", "/data/x"});
	}
	fixture_done(&f);
}

static void paths_of_pairs(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	fixture_begin(&f, EVENT_renameat, 300);
	put_path(&f, "oldpath", "a", "/old");
	put_path(&f, "newpath", "b", "/new");
	fixture_end(&f);
	/* differences.md: each path of a call is relative to its own descriptor */
	check_all(&f, {"fs.path.source", "/old/a"}, {"fs.path.sourceraw", "a"}, {"fs.path.target", "/new/b"},
	          {"fs.path.targetraw", "b"}, {"fs.path.name", NULL});
	fixture_begin(&f, EVENT_linkat, 300);
	put_path(&f, "oldpath", "a", "/old");
	put_path(&f, "newpath", "b", "/new");
	fixture_end(&f);
	check_all(&f, {"fs.path.source", "/new/b"}, {"fs.path.target", "/old/a"});
	fixture_begin(&f, EVENT_symlinkat, 300);
	put_text(&f, "target", STR("../shadow"));
	put_path(&f, "linkpath", "l", "/etc/cron.d");
	fixture_end(&f);
	/* differences.md: what a link points to, from where it stands */
	check_all(&f, {"fs.path.source", "/etc/cron.d/l"}, {"fs.path.target", "/etc/shadow"},
	          {"fs.path.targetraw", "../shadow"}, {"evt.arg.target", "../shadow"});
	fixture_begin(&f, EVENT_mount, 300);
	put_text(&f, "dev", STR("proc"));
	put_path(&f, "dir", "/mnt/", NULL);
	fixture_end(&f);
	check_all(&f, {"fs.path.source", "proc"}, {"fs.path.target", "/mnt"}, {"fs.path.targetraw", "/mnt/"});
	fixture_begin(&f, EVENT_mount, 300);
	put_text(&f, "dev", STR("./disk"));
	put_path(&f, "dir", "/mnt", NULL);
	fixture_end(&f);
	check(&f, "fs.path.source", "/home/alice/disk");
	fixture_done(&f);
}

/* The values of a socket's ends are those of test_field_sock.c; here they only count as seen. */
static void see_socket_fields(struct fixture *f)
{
	struct fd_info fd = {.number = 7, .kind = FD_IPV4};
	struct sock_info s = {.family = AF_INET,
	                      .type = SOCK_STREAM,
	                      .protocol = IPPROTO_TCP,
	                      .local_port = 40000,
	                      .remote_port = 443,
	                      .local_addr = {192, 0, 2, 10},
	                      .remote_addr = {198, 51, 100, 7}};
	fixture_begin(f, EVENT_connect, 300);
	put_fd(f, &fd, NULL, &s);
	fixture_end(f);
	for (int id = 0; id < FIELD_COUNT; id++)
		if (strncmp(field_get_info((enum field_id)id)->name, "fd.", 3) == 0)
			fixture_get_as(f, field_get_info((enum field_id)id)->name, false);
}

static void coverage(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	see_socket_fields(&f);
	file_event(&f, EVENT_openat, FD_FILE, FD_F_BIND);
	fixture_end(&f);
	check(&f, "fd.fspath", NULL);
	struct fd_info fd = {.number = 7, .kind = FD_FILE, .flags = FD_F_BIND};
	fixture_begin(&f, EVENT_openat, 300)->result = 7;
	assert_int_equal(event_builder_slot(&f.builder, STR("/etc/x"), &fd.fspath), 0);
	put_fd(&f, &fd, "/mnt/x", NULL);
	fixture_end(&f);
	check(&f, "fd.fspath", "/etc/x");
	check_coverage("fs.", NULL, 0);
	check_coverage("fd.", NULL, 0);
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(opened_file),
	        cmocka_unit_test(directory_of),
	        cmocka_unit_test(directory_is_a_directory),
	        cmocka_unit_test(failed_open),
	        cmocka_unit_test(typechar_of_what_failed),
	        cmocka_unit_test(kinds),
	        cmocka_unit_test(pidfd_is_named_by_its_process),
	        cmocka_unit_test(no_descriptor),
	        cmocka_unit_test(numbers),
	        cmocka_unit_test(directory_of_an_at_call),
	        cmocka_unit_test(paths_of_files),
	        cmocka_unit_test(path_of_a_failed_open),
	        cmocka_unit_test(paths_of_descriptors),
	        cmocka_unit_test(paths_of_pairs),
	        cmocka_unit_test(coverage), /* last */
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
