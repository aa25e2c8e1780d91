/* SPDX-License-Identifier: Apache-2.0
 *
 * proc.*, thread.*, user.*, group.*
 */
#include "tests/unit/enrich/field_fixture.h"

static void exec_event(struct fixture *f, int64_t result)
{
	struct task_state state = fixture_state(300);
	struct event_header *h = fixture_begin(f, EVENT_execve, 300);
	h->result = result;
	h->ppid = 200;
	h->uid = 1000;
	h->gid = 100;
	put_text(f, "argv", ARGV("./run\0-x\0\0y z"));
	put_text(f, "environ", ARGV("HOME=/root\0LANG= C \0E="));
	put_text(f, "comm_new", STR("run"));
	put_text(f, "workdir", STR("/tmp"));
	put_text(f, "exepath", STR("/usr/bin/python3.12"));
	put_text(f, "interp", STR("/usr/bin/python3"));
	put_path(f, "filename", "./run", "/tmp");
	put_number(f, "flags", 1 | 2);
	put_number(f, "exe_dev", 8 << 20 | 1);
	put_number(f, "exe_inode", 99);
	put_number(f, "exe_owner", 1000);
	put_number(f, "exe_mode", 0106711);
	put_number(f, "exe_nlink", 2);
	put_number(f, "exe_ctime", BOOT_NS + 100 * NS_PER_MS);
	put_number(f, "exe_mtime", 1600000000 * NS_PER_S);
	put_text(f, "creds", str_make((const char *)&state, sizeof(state)));
	put_text(f, "cgroup", STR("/system.slice/ssh.service"));
	fixture_end(f);
}

static void own_strings(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	exec_event(&f, 0);
	check_all(&f, {"proc.name", "run"}, {"proc.exe", "./run"}, {"proc.exepath", "/usr/bin/python3.12"},
	          {"proc.args", "-x  y z"}, {"proc.args[0]", "-x"}, {"proc.args[1]", ""}, {"proc.args[2]", "y z"},
	          {"proc.args[3]", ""}, {"proc.cmdline", "run -x  y z"}, {"proc.exeline", "./run -x  y z"},
	          {"proc.cmdnargs", "3"}, {"proc.cmdlenargs", "5"}, {"proc.env", "HOME=/root LANG= C  E="},
	          {"proc.env[HOME]", "/root"}, {"proc.env[LANG]", "C"}, {"proc.env[E]", ""}, {"proc.env[NO]", ""},
	          {"proc.cwd", "/tmp/"}, {"proc.pid", "300"}, {"proc.ppid", "200"}, {"proc.filename", "/tmp/run"},
	          {"proc.interp", "/usr/bin/python3"}, {"proc.is_script", "true"}, {"proc.args_truncated", "false"},
	          {"proc.unit", "ssh.service"});
	fixture_done(&f);
}

static void no_arguments(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	fixture_begin(&f, EVENT_sethostname, 200);
	fixture_end(&f);
	check_all(&f, {"proc.args", ""}, {"proc.args[0]", ""}, {"proc.cmdline", "bash"}, {"proc.exeline", "-bash "},
	          {"proc.cmdnargs", "0"}, {"proc.cmdlenargs", "0"}, {"proc.is_script", "false"});
	/* an image without an argv at all */
	fixture_actor(&f)->image->argv = (struct str){0};
	check_all(&f, {"proc.exe", ""}, {"proc.args", ""}, {"proc.cmdnargs", "0"});
	/* one empty argument is an argument */
	fixture_actor(&f)->image->argv = ARGV("true\0");
	check_all(&f, {"proc.cmdline", "bash "}, {"proc.cmdnargs", "1"}, {"proc.cmdlenargs", "0"});
	/* so is an empty last one */
	fixture_actor(&f)->image->argv = ARGV("true\0x\0");
	check_all(&f, {"proc.cmdline", "bash x "}, {"proc.exeline", "true x "}, {"proc.cmdnargs", "2"},
	          {"proc.args[1]", ""});
	fixture_actor(&f)->image->environ_ = (struct str){0};
	check(&f, "proc.env", NULL);
	check(&f, "proc.env[HOME]", NULL);
	fixture_done(&f);
}

static void executable(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	exec_event(&f, 0);
	check_all(&f, {"proc.is_exe_writable", "true"}, {"proc.is_exe_upper_layer", "true"},
	          {"proc.is_exe_lower_layer", "false"}, {"proc.is_exe_from_memfd", "false"}, {"proc.exe_ino", "99"},
	          {"proc.exe_ino.ctime", "1700000000100000000"}, {"proc.exe_ino.mtime", "1600000000000000000"},
	          {"proc.exe_ino.ctime_duration_proc_start", "200000000"},
	          {"proc.exe_ino.ctime_duration_pidns_start", "95000000"}, {"proc.exe.uid", "1000"},
	          {"proc.exe.user", "alice"}, {"proc.exe.mode", "06711"}, {"proc.exe.is_setuid", "true"},
	          {"proc.exe.is_setgid", "true"}, {"proc.exe.nlink", "2"}, {"proc.exe.dev", "801"},
	          {"proc.is_exe_deleted", "false"}, {"proc.exec_ts", "1700000100000000000"});
	struct image *image = fixture_actor(&f)->image;
	image->nlink = 0;
	image->flags = 4 | 8;
	check_all(&f, {"proc.is_exe_deleted", "true"}, {"proc.is_exe_from_memfd", "true"},
	          {"proc.is_exe_lower_layer", "true"}, {"proc.is_exe_writable", "false"});
	image->inode = image->ctime_ns = image->mtime_ns = image->exec_ns = 0;
	image->interp = image->filename = (struct str){0};
	check_all(&f, {"proc.exe_ino", NULL}, {"proc.exe_ino.ctime", NULL}, {"proc.exe_ino.mtime", NULL},
	          {"proc.exe_ino.ctime_duration_proc_start", NULL}, {"proc.exe_ino.ctime_duration_pidns_start", NULL},
	          {"proc.exe.uid", NULL}, {"proc.exe.user", NULL}, {"proc.exe.mode", NULL},
	          {"proc.exe.is_setuid", NULL}, {"proc.exe.is_setgid", NULL}, {"proc.exe.nlink", NULL},
	          {"proc.exe.dev", NULL}, {"proc.is_exe_deleted", NULL}, {"proc.exec_ts", NULL},
	          {"proc.filename", NULL}, {"proc.interp", NULL});
	fixture_done(&f);
}

/* differences.md: an inode that changed after the start of the process has no age at that start. */
static void exe_newer_than_process(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	exec_event(&f, 0);
	fixture_actor(&f)->image->ctime_ns = BOOT_NS + 301 * NS_PER_MS;
	check(&f, "proc.exe_ino.ctime_duration_proc_start", NULL);
	fixture_actor(&f)->image->ctime_ns = BOOT_NS + 4 * NS_PER_MS; /* before the namespace */
	check(&f, "proc.exe_ino.ctime_duration_pidns_start", NULL);
	fixture_done(&f);
}

static void failed_exec_changes_nothing(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	exec_event(&f, -2);
	check_all(&f, {"proc.name", "cat"}, {"proc.exe", "cat"}, {"proc.args", "-n  a b"}, {"evt.arg.exe", "./run"},
	          {"evt.arg.args", "-x..y z."}, {"evt.arg.filename", "/tmp/run"}, {"evt.arg.comm", "cat"},
	          {"evt.arg.res", "ENOENT"});
	fixture_done(&f);
}

static void parents(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	fixture_begin(&f, EVENT_sethostname, 300)->ppid = 200;
	fixture_end(&f);
	check_all(&f, {"proc.pname", "bash"}, {"proc.pexe", "-bash"}, {"proc.pexepath", "/usr/bin/bash"},
	          {"proc.pcmdline", "bash"}, {"proc.pvpid", "200"}, {"proc.creator", "200"},
	          {"proc.ppid.duration", "99800000000"}, {"proc.ppid.ts", "1700000000200000000"},
	          {"proc.aname[0]", "cat"}, {"proc.aname[1]", "bash"}, {"proc.aname[2]", "sshd"},
	          {"proc.aname[3]", "systemd"}, {"proc.aname[4]", NULL}, {"proc.aname[4000000000]", NULL},
	          {"proc.aname", "(bash,sshd,systemd)"}, {"proc.aexe[2]", "sshd: alice"},
	          {"proc.aexe", "(-bash,sshd: alice,/sbin/init)"}, {"proc.aexepath[1]", "/usr/bin/bash"},
	          {"proc.aexepath", "(/usr/bin/bash,/usr/sbin/sshd,/usr/lib/systemd/systemd)"},
	          {"proc.acmdline[2]", "sshd -D"}, {"proc.acmdline", "(bash,sshd -D,systemd)"}, {"proc.aargs[2]", "-D"},
	          {"proc.aargs", " -D "}, {"proc.apid[2]", "100"}, {"proc.apid", "(200,100,1)"},
	          {"proc.aenv[HOME]", "/home/alice"}, {"proc.aenv[NO]", ""},
	          {"proc.aenv[1]", "HOME=/home/alice LANG= C  EMPTY="}, {"proc.aenv[9]", NULL}, {"proc.aexe[9]", NULL},
	          {"proc.aexepath[9]", NULL}, {"proc.acmdline[9]", NULL}, {"proc.aargs[9]", NULL},
	          {"proc.apid[9]", NULL}, {"proc.loginshellid", "200"});
	check_output(&f, "proc.aname", "bash sshd systemd");
	check_output(&f, "proc.apid", "300");
	check_output(&f, "proc.aenv", "HOME=/home/alice LANG= C  EMPTY=");

	fixture_begin(&f, EVENT_sethostname, 1);
	fixture_end(&f);
	check_all(&f, {"proc.pname", NULL}, {"proc.pexe", NULL}, {"proc.pexepath", NULL}, {"proc.pcmdline", NULL},
	          {"proc.pvpid", NULL}, {"proc.creator", NULL}, {"proc.ppid", NULL}, {"proc.ppid.duration", NULL},
	          {"proc.ppid.ts", NULL}, {"proc.aname", NULL}, {"proc.loginshellid", NULL}, {"proc.aenv", NULL});
	fixture_done(&f);
}

/* differences.md: [n] of proc.aenv in a condition is that ancestor's alone. */
static void aenv_takes_its_index(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	fixture_begin(&f, EVENT_sethostname, 300);
	fixture_end(&f);
	process_ancestor(fixture_actor(&f), 2)->image->environ_ = STR("ONLY=sshd");
	check(&f, "proc.aenv[2]", "ONLY=sshd");
	check(&f, "proc.aenv[1]", "HOME=/home/alice LANG= C  EMPTY=");
	fixture_done(&f);
}

static void sessions_and_groups(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	fixture_begin(&f, EVENT_sethostname, 300);
	fixture_end(&f);
	check_all(&f, {"proc.sid", "200"}, {"proc.sname", "bash"}, {"proc.sid.exe", "-bash"},
	          {"proc.sid.exepath", "/usr/bin/bash"}, {"proc.pgid", "200"}, {"proc.pgid.name", "bash"},
	          {"proc.pgid.exe", "-bash"}, {"proc.pgid.exepath", "/usr/bin/bash"}, {"proc.vpgid", "200"},
	          {"proc.vpgid.name", "bash"}, {"proc.vpgid.exe", "-bash"}, {"proc.vpgid.exepath", "/usr/bin/bash"},
	          {"proc.is_sid_leader", "false"}, {"proc.is_pgid_leader", "false"}, {"proc.is_vpgid_leader", "false"});
	fixture_begin(&f, EVENT_sethostname, 200);
	fixture_end(&f);
	check_all(&f, {"proc.is_sid_leader", "true"}, {"proc.is_pgid_leader", "true"}, {"proc.is_vpgid_leader", "true"},
	          {"proc.sname", "bash"});
	/* a leader that nobody knows */
	fixture_actor(&f)->state.sid = fixture_actor(&f)->state.pgid = 77;
	check_all(&f, {"proc.sname", ""}, {"proc.pgid.name", ""});
	fixture_done(&f);
}

/* differences.md: in a pid namespace too the leader of a group is its own leader. */
static void leader_in_pid_namespace(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	fixture_begin(&f, EVENT_sethostname, 300);
	fixture_end(&f);
	struct task_state *s = &fixture_actor(&f)->state;
	s->ns_pid = NS_OTHER;
	s->pgid = s->sid = 300;
	s->vpid = s->vpgid = s->vsid = 1;
	check_all(&f, {"proc.vpgid.name", "cat"}, {"proc.sname", "cat"}, {"proc.is_vpgid_leader", "true"},
	          {"proc.is_sid_leader", "true"}, {"proc.vpid", "1"}, {"proc.is_host_pidns", "false"});
	s->vpid = 0;
	check(&f, "proc.vpid", NULL);
	fixture_done(&f);
}

static void kernel_numbers(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	fixture_begin(&f, EVENT_sethostname, 300);
	fixture_end(&f);
	check_all(&f, {"proc.tty", "34816"}, {"proc.vpid", "300"}, {"proc.fdlimit", "1024"}, {"proc.vmsize", "4000"},
	          {"proc.vmrss", "800"}, {"proc.vmswap", "3"}, {"proc.nthreads", "1"}, {"proc.nchilds", "0"},
	          {"proc.seccomp", "2"}, {"proc.no_new_privs", "true"}, {"proc.sessionid", "7"},
	          {"proc.duration", "99700000000"}, {"proc.pid.ts", "1700000000300000000"},
	          {"proc.pidns_init_start_ts", "1700000000005000000"}, {"proc.ns.mnt", "4026531841"},
	          {"proc.ns.pid", "4026531836"}, {"proc.ns.net", "4026531840"}, {"proc.ns.user", "4026531837"},
	          {"proc.ns.ipc", "4026531839"}, {"proc.ns.uts", "4026531838"}, {"proc.ns.cgroup", "4026531835"},
	          {"proc.is_host_mntns", "true"}, {"proc.is_host_pidns", "true"}, {"proc.is_host_netns", "true"},
	          {"proc.is_host_userns", "true"});
	struct process *p = fixture_actor(&f);
	p->state.sessionid = UINT32_MAX;
	p->state.pidns_start = 0;
	p->cgroup.length = 0;
	check_all(&f, {"proc.sessionid", "-1"}, {"proc.pidns_init_start_ts", NULL}, {"proc.unit", NULL},
	          {"thread.cgroups", NULL}, {"thread.cgroup.cpu", NULL});
	fixture_done(&f);
}

static void threads(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	fixture_begin(&f, EVENT_sethostname, 300);
	fixture_end(&f);
	check_all(&f, {"thread.tid", "300"}, {"thread.vtid", "300"}, {"thread.ismain", "true"},
	          {"thread.nametid", "cat300"}, {"thread.cap_permitted", "CAP_CHOWN CAP_SETUID"},
	          {"thread.cap_effective", "CAP_SYS_ADMIN"}, {"thread.cap_inheritable", ""},
	          {"thread.cap_bounding", "CAP_CHECKPOINT_RESTORE"}, {"thread.cap_ambient", "CAP_NET_BIND_SERVICE"},
	          {"thread.cgroup.cpu", "/system.slice/ssh.service"}, {"thread.cgroup.nosuch", NULL},
	          {"thread.pfmajor", "4"}, {"thread.pfminor", "50"}, {"thread.vmsize", "4000"}, {"thread.vmrss", "800"},
	          {"thread.vmsize.b", "4096000"}, {"thread.vmrss.b", "819200"});
	struct value cgroups = fixture_get_as(&f, "thread.cgroups", true);
	assert_int_equal(cgroups.kind, VALUE_STR);
	assert_true(str_ends_with(cgroups.str, STR("=/system.slice/ssh.service")));

	fixture_begin(&f, EVENT_sethostname, 300)->tid = 301;
	fixture_end(&f);
	check_all(&f, {"thread.tid", "301"}, {"thread.vtid", "301"}, {"thread.ismain", "false"},
	          {"thread.nametid", "cat301"}, {"thread.vmsize", "0"}, {"thread.vmrss.b", "0"});
	fixture_actor(&f)->state.vpid = 5;
	check(&f, "thread.vtid", NULL);
	fixture_done(&f);
}

static void users(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	struct event_header *h = fixture_begin(&f, EVENT_sethostname, 300);
	h->uid = 1000;
	h->gid = 100;
	fixture_end(&f);
	check_all(&f, {"user.uid", "1000"}, {"user.name", "alice"}, {"user.homedir", "/home/alice"},
	          {"user.shell", "/bin/zsh"}, {"user.loginuid", "1000"}, {"user.loginname", "alice"},
	          {"user.ruid", "1000"}, {"user.rname", "alice"}, {"user.suid", "1000"}, {"user.fsuid", "1000"},
	          {"group.gid", "100"}, {"group.name", "users"}, {"group.rgid", "100"}, {"group.sgid", "100"},
	          {"group.fsgid", "100"});
	fixture_actor(&f)->state.loginuid = UINT32_MAX;
	check_all(&f, {"user.loginuid", "-1"}, {"user.loginname", "<NA>"});
	h = fixture_begin(&f, EVENT_sethostname, 300);
	h->uid = h->gid = 4242;
	fixture_end(&f);
	check_all(&f, {"user.name", "<NA>"}, {"user.homedir", "<NA>"}, {"user.shell", "<NA>"}, {"group.name", "<NA>"});
	fixture_done(&f);
}

/* Of a process that is not in the table a record still says who it is. */
static void unknown_process(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	struct event_header *h = fixture_begin(&f, EVENT_sethostname, 999);
	h->uid = 0;
	h->ppid = 5;
	fixture_end(&f);
	f.view.process = NULL;
	check_all(&f, {"proc.pid", "999"}, {"proc.ppid", "5"}, {"thread.tid", "999"}, {"user.uid", "0"},
	          {"user.name", "root"}, {"group.name", "root"});
	for (int id = 0; id < FIELD_COUNT; id++) {
		const char *name = field_get_info((enum field_id)id)->name;
		bool of_process = strncmp(name, "proc.", 5) == 0 || strncmp(name, "thread.", 7) == 0 ||
		                  strncmp(name, "user.", 5) == 0 || strncmp(name, "group.", 6) == 0;
		if (of_process && field_get_info((enum field_id)id)->arg != FIELD_ARG_NAME &&
		    field_get_info((enum field_id)id)->arg != FIELD_ARG_NEED)
			fixture_get_as(&f, name, false);
	}
	check_all(&f, {"proc.name", NULL}, {"proc.cmdline", NULL}, {"proc.cwd", NULL}, {"proc.duration", NULL},
	          {"thread.cap_effective", NULL}, {"user.loginuid", NULL}, {"user.rname", NULL}, {"proc.unit", NULL});
	fixture_done(&f);
}

static void coverage(void **unused)
{
	(void)unused;
	static const char *const always[] = {"proc.pid",     "thread.tid", "thread.ismain", "user.uid",  "user.name",
	                                     "user.homedir", "user.shell", "group.gid",     "group.name"};
	check_coverage("proc.", always, ARRAY_SIZE(always));
	check_coverage("thread.", always, ARRAY_SIZE(always));
	check_coverage("user.", always, ARRAY_SIZE(always));
	check_coverage("group.", always, ARRAY_SIZE(always));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(own_strings),
	        cmocka_unit_test(no_arguments),
	        cmocka_unit_test(executable),
	        cmocka_unit_test(exe_newer_than_process),
	        cmocka_unit_test(failed_exec_changes_nothing),
	        cmocka_unit_test(parents),
	        cmocka_unit_test(aenv_takes_its_index),
	        cmocka_unit_test(sessions_and_groups),
	        cmocka_unit_test(leader_in_pid_namespace),
	        cmocka_unit_test(kernel_numbers),
	        cmocka_unit_test(threads),
	        cmocka_unit_test(users),
	        cmocka_unit_test(unknown_process),
	        cmocka_unit_test(coverage), /* last */
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
