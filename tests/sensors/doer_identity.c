/* SPDX-License-Identifier: Apache-2.0
 *
 * Who a process is, and what it does to others of its own.
 */
#include "doer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

/* A call after which only the identity shows. */
static void look(const char *name)
{
	syscall(SYS_openat, AT_FDCWD, name, O_RDONLY);
}

/* With an argument: after so many milliseconds. */
static void do_setuid(int argc, char **argv)
{
	if (argc > 0)
		usleep((unsigned)atoi(argv[0]) * 1000);
	CALL("setgid", setgid, 2001);
	CALL("setuid", setuid, 2002);
	look("after-setuid");
	CALL("refused", setuid, 0);
	CALL("refused_gid", setgid, 0);
	look("after-refused");
}

static void do_setresuid(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	CALL("setresgid", setresgid, 3001, 3002, 3003);
	CALL("setresuid", setresuid, 3004, 3005, 3006);
	look("after-setresuid");
	CALL("refused", setresuid, 0, -1, -1);
	CALL("refused_gid", setresgid, 0, 0, 0);
}

static void do_setreuid(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	CALL("setregid", setregid, -1, 3101);
	CALL("setreuid", setreuid, -1, 3102);
	look("after-setreuid");
	CALL("back", setreuid, -1, 0);
}

static void do_setfsuid(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	CALL("setfsgid", setfsgid, 3201);
	CALL("setfsuid", setfsuid, 3202);
	look("after-setfsuid");
}

static void do_setgroups(int argc, char **argv)
{
	gid_t groups[2] = {3301, 3302};

	(void)argc;
	(void)argv;
	CALL("setgroups", setgroups, 2, groups);
	CALL("bad", setgroups, 1 << 20, groups);
}

static void do_capset(int argc, char **argv)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {};

	(void)argc;
	(void)argv;
	data[0].permitted = data[0].effective = 1u << CAP_CHOWN | 1u << CAP_NET_RAW;
	data[0].effective = 1u << CAP_NET_RAW;
	CALL("capset", capset, &header, data);
	look("after-capset");
	data[0].permitted = ~0u;
	CALL("refused", capset, &header, data);
}

static void do_session(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		CALL("setpgid", setpgid, 0, 0);
		CALL("refused", setsid);
		_exit(0);
	}
	done("group", pid);
	wait_for(pid);
	pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		CALL("setsid", setsid);
		look("after-setsid");
		_exit(0);
	}
	done("session", pid);
	wait_for(pid);
}

static void do_unshare(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	long old = MUST(open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC));
	done("old", old);
	if (CALL("unshare", unshare, CLONE_NEWUTS | CLONE_NEWIPC) < 0)
		skip("no namespaces: %s", strerror(errno));
	CALL("sethostname", sethostname, "picket-test", 11);
	look("after-unshare");
	CALL("setns", setns, old, CLONE_NEWUTS);
	CALL("bad", setns, 0, 0);
	CALL("bad_unshare", unshare, 1);
}

static void do_unshare_user(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	MUST(syscall(SYS_setresuid, 3401, 3401, 3401));
	if (CALL("unshare", unshare, CLONE_NEWUSER) < 0)
		skip("no user namespaces: %s", strerror(errno));
	look("after-unshare");
}

static void do_prctl(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	CALL("name", prctl, PR_SET_NAME, "another-name", 0, 0, 0);
	CALL("subreaper", prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	CALL("bad", prctl, 0x7fff, 0, 0, 0, 0);
	look("after-name");
	long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		look("child-of-name");
		_exit(0);
	}
	done("child", pid);
	wait_for(pid);
}

static void do_seccomp(int argc, char **argv)
{
	struct sock_filter allow = {.code = BPF_RET | BPF_K, .k = SECCOMP_RET_ALLOW};
	struct sock_fprog program = {1, &allow};

	(void)argc;
	(void)argv;
	CALL("nnp", prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	CALL("filter", seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
	CALL("bad", seccomp, 99, 0, NULL);
}

/* ---- others ---- */
static void do_signals(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	signal(SIGUSR1, SIG_IGN);
	CALL("kill", kill, getpid(), SIGUSR1);
	CALL("nobody", kill, 0x3fffffff, 0);
	CALL("tkill", tkill, syscall(SYS_gettid), SIGUSR1);
	CALL("tgkill", tgkill, getpid(), syscall(SYS_gettid), SIGUSR1);
	CALL("badsignal", tgkill, getpid(), syscall(SYS_gettid), 99);
}

static void do_ptrace(int argc, char **argv)
{
	static volatile int word = 0x1234;
	int value = 0;
	struct iovec own = {&value, sizeof(value)}, other = {(void *)&word, sizeof(word)};

	(void)argc;
	(void)argv;
	long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		word = 0x5678;
		for (;;)
			syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
	}
	done("child", pid);
	long seized = CALL("seize", ptrace, PTRACE_SEIZE, pid, 0, 0);
	if (seized == -EPERM) {
		kill((pid_t)pid, SIGKILL);
		wait_for(pid);
		skip("ptrace is not allowed here");
	}
	CALL("interrupt", ptrace, PTRACE_INTERRUPT, pid, 0, 0);
	wait_for(pid);
	CALL("read", process_vm_readv, pid, &own, 1, &other, 1, 0);
	CALL("write", process_vm_writev, pid, &own, 1, &other, 1, 0);
	CALL("detach", ptrace, PTRACE_DETACH, pid, 0, 0);
	CALL("kill", kill, pid, SIGKILL);
	wait_for(pid);
	CALL("gone", process_vm_readv, pid, &own, 1, &other, 1, 0);
}

const struct command identity_commands[] = {
        {"setuid", do_setuid},
        {"setresuid", do_setresuid},
        {"setreuid", do_setreuid},
        {"setfsuid", do_setfsuid},
        {"setgroups", do_setgroups},
        {"capset", do_capset},
        {"session", do_session},
        {"unshare", do_unshare},
        {"unshare-user", do_unshare_user},
        {"prctl", do_prctl},
        {"seccomp", do_seccomp},
        {"signals", do_signals},
        {"ptrace", do_ptrace},
        COMMANDS_END,
};
