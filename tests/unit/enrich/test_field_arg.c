/* SPDX-License-Identifier: Apache-2.0
 *
 * evt.arg, evt.rawarg, evt.args: each type of argument
 */
#include "tests/unit/enrich/field_fixture.h"

#include <fcntl.h>

static void open_arguments(void **unused)
{
	(void)unused;
	struct fixture f;
	struct fd_info fd = {.number = 3, .kind = FD_FILE, .flags = FD_F_CREATED, .dev = 8 << 20 | 1, .ino = 12};
	fixture_init(&f);
	fixture_begin(&f, EVENT_openat, 300)->result = 3;
	put_number(&f, "dirfd", AT_FDCWD);
	put_path(&f, "name", "a.txt", "/data");
	put_number(&f, "flags", 0x41 | 0x80000);
	put_number(&f, "mode", 0640);
	put_fd(&f, &fd, "/data/a.txt", NULL);
	fixture_end(&f);
	check_all(&f, {"evt.arg.fd", "<f>/data/a.txt"}, {"evt.arg.dirfd", "AT_FDCWD"}, {"evt.arg.name", "/data/a.txt"},
	          {"evt.arg.flags", "O_CREAT|O_WRONLY|O_CLOEXEC|O_F_CREATED"}, {"evt.arg.mode", "0640"},
	          {"evt.arg.dev", "801"}, {"evt.arg.ino", "12"}, {"evt.arg[0]", "<f>/data/a.txt"},
	          {"evt.arg[2]", "/data/a.txt"}, {"evt.arg[6]", "12"}, {"evt.arg[7]", NULL}, {"evt.arg.oldpath", NULL},
	          {"evt.rawarg.fd", "3"}, {"evt.rawarg.dirfd", "-100"}, {"evt.rawarg.name", "a.txt"},
	          {"evt.rawarg.flags", "20486"}, {"evt.rawarg.mode", "416"}, {"evt.rawarg.oldpath", NULL},
	          {"evt.args", "fd=3(<f>/data/a.txt) dirfd=-100(AT_FDCWD) name=a.txt(/data/a.txt) "
	                       "flags=20486(O_CREAT|O_WRONLY|O_CLOEXEC|O_F_CREATED) mode=0640 dev=801 ino=12"},
	          {"evt.info", "fd=3(<f>/data/a.txt) dirfd=-100(AT_FDCWD) name=a.txt(/data/a.txt) "
	                       "flags=20486(O_CREAT|O_WRONLY|O_CLOEXEC|O_F_CREATED) mode=0640 dev=801 ino=12"});
	fixture_done(&f);
}

/* What is missing is a text, and in conditions nothing at all. */
static void missing_arguments(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	fixture_begin(&f, EVENT_unlink, 300)->result = -14;
	fixture_end(&f);
	check_all(&f, {"evt.arg.path", "<NA>"}, {"evt.rawarg.path", NULL}, {"evt.arg.res", "EFAULT"},
	          {"evt.args", "res=-14(EFAULT) path=<NA>"}, {"evt.abspath", NULL});
	fixture_begin(&f, EVENT_connect, 300)->result = -14;
	fixture_end(&f);
	check_all(&f, {"evt.arg.addr", "NULL"}, {"evt.arg.tuple", "NULL"}, {"evt.rawarg.addr", NULL});
	/* bytes that a call moved are not recorded */
	fixture_begin(&f, EVENT_sendmsg, 300);
	fixture_end(&f);
	check_all(&f, {"evt.arg.data", "NULL"}, {"evt.buffer", NULL});
	fixture_begin(&f, EVENT_kill, 300);
	fixture_end(&f);
	check(&f, "evt.arg.data", NULL);
	fixture_done(&f);
}

/* differences.md: an absolute path is normalised too. */
static void absolute_paths_are_normalised(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	fixture_begin(&f, EVENT_chmod, 300);
	put_path(&f, "filename", "/etc/../etc//shadow", NULL);
	put_number(&f, "mode", 04755);
	fixture_end(&f);
	check_all(&f, {"evt.arg.filename", "/etc/shadow"}, {"evt.rawarg.filename", "/etc/../etc//shadow"},
	          {"evt.arg.mode", "S_IXOTH|S_IROTH|S_IXGRP|S_IRGRP|S_IXUSR|S_IWUSR|S_IRUSR|S_ISUID"},
	          {"evt.rawarg.mode", "2541"},
	          {"evt.args", "res=0 filename=/etc/../etc//shadow(/etc/shadow) mode=04755("
	                       "S_IXOTH|S_IROTH|S_IXGRP|S_IRGRP|S_IXUSR|S_IWUSR|S_IRUSR|S_ISUID)"});
	fixture_begin(&f, EVENT_chmod, 300);
	put_path(&f, "filename", "/x", NULL);
	fixture_end(&f);
	check_all(&f, {"evt.arg.mode", "0"}, {"evt.args", "res=0 filename=/x mode=0"});
	fixture_done(&f);
}

static void processes_and_signals(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	fixture_begin(&f, EVENT_kill, 300);
	put_number(&f, "pid", 100);
	put_number(&f, "sig", 15);
	fixture_end(&f);
	check_all(&f, {"evt.arg.pid", "sshd"}, {"evt.rawarg.pid", "100"}, {"evt.arg.sig", "SIGTERM"},
	          {"evt.args", "res=0 pid=100(sshd) sig=15(SIGTERM)"});
	fixture_begin(&f, EVENT_kill, 300);
	put_number(&f, "pid", -1);
	put_number(&f, "sig", 0);
	fixture_end(&f);
	check_all(&f, {"evt.arg.pid", "-1"}, {"evt.arg.sig", "0"}, {"evt.rawarg.pid", "-1"});
	fixture_begin(&f, EVENT_kill, 300);
	put_number(&f, "pid", 300);
	fixture_end(&f);
	check(&f, "evt.arg.pid", "cat");
	fixture_begin(&f, EVENT_clone, 200)->result = -11;
	fixture_header(&f)->ppid = 100;
	fixture_end(&f);
	check_all(&f, {"evt.arg.res", "EAGAIN"}, {"evt.arg.ptid", "sshd"}, {"evt.arg.pid", "bash"},
	          {"evt.arg.uid", "0"}, {"evt.arg.exe", "-bash"}, {"evt.arg.cwd", "/home/alice/"},
	          {"evt.arg.fdlimit", "1024"});
	fixture_done(&f);
}

/* differences.md: in a pid namespace of its own a process counts otherwise than the host. */
static void pids_of_another_namespace(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	fixture_begin(&f, EVENT_kill, 300);
	put_number(&f, "pid", 100);
	fixture_end(&f);
	fixture_actor(&f)->state.vpid = 17;
	check(&f, "evt.arg.pid", "100");
	fixture_done(&f);
}

static void users_and_groups(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	fixture_begin(&f, EVENT_setresuid, 300)->result = -1;
	put_number(&f, "ruid", 1000);
	put_number(&f, "euid", 0);
	put_number(&f, "suid", UINT32_MAX);
	fixture_end(&f);
	check_all(&f, {"evt.arg.ruid", "alice"}, {"evt.arg.euid", "root"}, {"evt.arg.suid", "<NONE>"},
	          {"evt.args", "res=-1(EPERM) ruid=1000(alice) euid=0(root) suid=-1(<NONE>)"},
	          {"evt.rawarg.ruid", "1000"});
	fixture_begin(&f, EVENT_setgid, 300)->result = -1;
	put_number(&f, "gid", 4242);
	fixture_end(&f);
	check(&f, "evt.arg.gid", "<NA>");
	fixture_begin(&f, EVENT_chown, 300);
	put_path(&f, "path", "/x", NULL);
	put_number(&f, "uid", -1);
	put_number(&f, "gid", 100);
	fixture_end(&f);
	check_all(&f, {"evt.arg.uid", "-1"}, {"evt.arg.gid", "100"});
	fixture_done(&f);
}

static void flags_and_enums(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	fixture_begin(&f, EVENT_socket, 300)->result = -97;
	put_number(&f, "domain", AF_UNIX);
	put_number(&f, "type", SOCK_STREAM | SOCK_CLOEXEC);
	fixture_end(&f);
	check_all(&f, {"evt.arg.domain", "AF_LOCAL|AF_UNIX"}, {"evt.arg.type", "524289"},
	          {"evt.arg.fd", "EAFNOSUPPORT"},
	          {"evt.args", "fd=-97(EAFNOSUPPORT) domain=1(AF_LOCAL|AF_UNIX) type=524289 proto=0"});
	fixture_begin(&f, EVENT_unlinkat, 300);
	put_number(&f, "dirfd", 99);
	put_path(&f, "name", "/x", NULL);
	put_number(&f, "flags", 0x200);
	fixture_end(&f);
	check_all(&f, {"evt.arg.flags", "AT_REMOVEDIR"}, {"evt.arg.dirfd", "99"});
	fixture_begin(&f, EVENT_mkdir, 300);
	put_path(&f, "path", "/x", NULL);
	put_number(&f, "mode", 0755);
	fixture_end(&f);
	check_all(&f, {"evt.arg.mode", "1ED"}, {"evt.rawarg.mode", "493"});
	fixture_begin(&f, EVENT_mmap, 300)->result = 0x7f0000001000;
	put_number(&f, "fd", -1);
	fixture_end(&f);
	check_all(&f, {"evt.arg.res", "7F0000001000"}, {"evt.arg.fd", "EPERM"});
	fixture_begin(&f, EVENT_mmap, 300)->result = -12;
	fixture_end(&f);
	check(&f, "evt.arg.res", "ENOMEM");
	fixture_done(&f);
}

static void exec_arguments(void **unused)
{
	(void)unused;
	struct task_state state = fixture_state(300);
	struct fixture f;
	fixture_init(&f);
	fixture_begin(&f, EVENT_execve, 300)->uid = 1000;
	fixture_header(&f)->ppid = 200;
	fixture_header(&f)->gid = 100;
	put_text(&f, "argv", ARGV("ls\0-l\0/tmp"));
	put_text(&f, "environ", ARGV("A=1\0B=2"));
	put_text(&f, "comm_new", STR("ls"));
	put_text(&f, "workdir", STR("/data"));
	put_text(&f, "exepath", STR("/usr/bin/ls"));
	put_path(&f, "filename", "./ls", "/usr/bin");
	put_number(&f, "flags", 1 | 8);
	put_number(&f, "exe_inode", 31);
	put_number(&f, "exe_ctime", BOOT_NS + 1);
	put_text(&f, "creds", str_make((const char *)&state, sizeof(state)));
	fixture_end(&f);
	check_all(&f, {"evt.arg.exe", "ls"}, {"evt.arg.args", "-l./tmp."}, {"evt.arg.env", "A=1.B=2."},
	          {"evt.arg.cwd", "/data/"}, {"evt.arg.comm", "ls"}, {"evt.arg.filename", "/usr/bin/ls"},
	          {"evt.arg.flags", "EXE_WRITABLE|EXE_LOWER_LAYER"}, {"evt.arg.cap_inheritable", "0"},
	          {"evt.arg.cap_permitted", "81"}, {"evt.arg.cap_effective", "200000"},
	          {"evt.rawarg.cap_permitted", "129"}, {"evt.arg.exe_ino", "31"},
	          {"evt.arg.exe_ino_ctime", "2023-11-14 22:13:20.000000001"}, {"evt.arg.uid", "alice"},
	          {"evt.arg.gid", "users"}, {"evt.arg.loginuid", "alice"}, {"evt.arg.tty", "34816"},
	          {"evt.arg.trusted_exepath", "/usr/bin/ls"}, {"evt.arg.ptid", "bash"}, {"evt.arg.tid", "ls"},
	          {"evt.arg.vpgid", "bash"}, {"evt.arg.vm_size", "4000"}, {"evt.rawarg.exe", "ls"});
	struct value args = fixture_get_as(&f, "evt.args", true);
	assert_int_equal(args.kind, VALUE_STR);
	assert_true(
	        str_starts_with(args.str, STR("res=0 exe=ls args=-l./tmp. tid=300(ls) pid=300(ls) ptid=200(bash) ")));
	fixture_done(&f);
}

static void addresses(void **unused)
{
	(void)unused;
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(0x01020304)};
	struct fixture f;
	fixture_init(&f);
	fixture_begin(&f, EVENT_bind, 300);
	put_text(&f, "addr", str_make((const char *)&in, sizeof(in)));
	fixture_end(&f);
	check_all(&f, {"evt.arg.addr", "1.2.3.4:53"}, {"evt.rawarg.addr", "1.2.3.4:53"},
	          {"evt.args", "res=0 addr=1.2.3.4:53 fd=0"});
	fixture_done(&f);
}

static void bytes_and_booleans(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	fixture_begin(&f, EVENT_sethostname, 300);
	put_text(&f, "name", STR("a\0b\xff"));
	fixture_end(&f);
	check(&f, "evt.arg.name", "a.b.");
	fixture_begin(&f, EVENT_procexit, 300);
	put_number(&f, "core", 1);
	put_number(&f, "sig", 11);
	put_number(&f, "status", 139);
	fixture_end(&f);
	check_all(&f, {"evt.arg.core", "true"}, {"evt.rawarg.core", "true"}, {"evt.arg.sig", "SIGSEGV"},
	          {"evt.arg.status", "139"});
	fixture_begin(&f, EVENT_ptrace, 300);
	put_number(&f, "request", 16);
	put_number(&f, "pid", 200);
	put_number(&f, "addr", 0xdeadbeef);
	fixture_end(&f);
	check_all(&f, {"evt.arg.request", "PTRACE_ATTACH"}, {"evt.rawarg.request", "11"}, {"evt.arg.addr", "DEADBEEF"},
	          {"evt.arg.pid", "bash"});
	fixture_done(&f);
}

static void coverage(void **unused)
{
	(void)unused;
	static const char *const always[] = {"evt.args", "evt.info"};
	check_coverage("evt.arg", always, ARRAY_SIZE(always));
	check_coverage("evt.rawarg", always, ARRAY_SIZE(always));
	check_coverage("evt.info", always, ARRAY_SIZE(always));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(open_arguments),
	        cmocka_unit_test(missing_arguments),
	        cmocka_unit_test(absolute_paths_are_normalised),
	        cmocka_unit_test(processes_and_signals),
	        cmocka_unit_test(pids_of_another_namespace),
	        cmocka_unit_test(users_and_groups),
	        cmocka_unit_test(flags_and_enums),
	        cmocka_unit_test(exec_arguments),
	        cmocka_unit_test(addresses),
	        cmocka_unit_test(bytes_and_booleans),
	        cmocka_unit_test(coverage), /* last */
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
