/* SPDX-License-Identifier: Apache-2.0 */
#include "doer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* ---- made ---- */
#if defined(SYS_fork)
static void do_fork(int argc, char **argv)
{
	long pid = syscall(SYS_fork);

	(void)argc;
	(void)argv;
	if (pid == 0)
		_exit(3);
	done("fork", pid);
	wait_for(pid);
}

static void do_vfork(int argc, char **argv)
{
	pid_t pid = vfork(); /* the raw call cannot return twice from a function */

	(void)argc;
	(void)argv;
	if (pid == 0)
		_exit(4);
	done("vfork", pid);
	wait_for(pid);
}
#endif

static void do_clone(int argc, char **argv)
{
	long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	(void)argc;
	(void)argv;
	if (pid == 0)
		_exit(5);
	done("clone", pid);
	wait_for(pid);
	CALL("bad", clone, CLONE_THREAD, 0, 0, 0, 0); /* a thread must share its signals' handlers */
}

static void do_clone3(int argc, char **argv)
{
	struct clone_args args = {.flags = CLONE_FS | CLONE_NEWUTS, .exit_signal = SIGCHLD};
	struct clone_args wrong = {.flags = CLONE_NEWNS, .exit_signal = SIGCHLD};
	long pid;

	(void)argc;
	(void)argv;
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		_exit(6);
	done("clone3", pid);
	wait_for(pid);
	wrong.flags |= CLONE_FS; /* contradict each other */
	CALL("bad", clone3, &wrong, sizeof(wrong));
}

/* The child is not the caller's, but the caller's parent's. */
static void do_clone_parent(int argc, char **argv)
{
	long middle = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	(void)argc;
	(void)argv;
	if (middle == 0) {
		long pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
		if (pid == 0)
			_exit(0);
		done("child", pid);
		_exit(0);
	}
	done("middle", middle);
	wait_for(middle);
	wait_for(-1);
}

/* ---- ended ---- */
static void do_exit_code(int argc, char **argv)
{
	(void)argc;
	syscall(SYS_exit_group, atoi(argv[0]));
}

static void do_killed(int argc, char **argv)
{
	struct rlimit none = {0, 0};

	(void)argc;
	setrlimit(RLIMIT_CORE, &none);
	syscall(SYS_kill, getpid(), atoi(argv[0]));
}

/* A grandchild outlives its parent and is inherited by the nearest ancestor that asked for it. */
static void do_orphan(int argc, char **argv)
{
	int ready[2];
	char byte;

	(void)argc;
	(void)argv;
	MUST(prctl(PR_SET_CHILD_SUBREAPER, 1));
	MUST(pipe2(ready, O_CLOEXEC));
	long middle = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (middle == 0) {
		long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
		if (pid)
			_exit(0);
		close(ready[1]);
		if (read(ready[0], &byte, 1) == 0) /* the middle one and the doer have closed theirs */
			syscall(SYS_openat, AT_FDCWD, "orphan", O_WRONLY | O_CREAT, 0600);
		_exit(7);
	}
	done("middle", middle);
	wait_for(middle);
	close(ready[1]);
	int status = 0;
	long orphan = MUST(wait4(-1, &status, 0, NULL));
	done("orphan", orphan);
}

/* ---- threads ---- */
static void *thread_opens(void *name)
{
	done("tid", syscall(SYS_gettid));
	syscall(SYS_openat, AT_FDCWD, name, O_RDWR | O_CREAT, 0600);
	return NULL;
}

static void do_thread(int argc, char **argv)
{
	pthread_t thread;

	(void)argc;
	(void)argv;
	if (pthread_create(&thread, NULL, thread_opens, "by-thread"))
		fail("pthread_create");
	pthread_join(thread, NULL);
	syscall(SYS_openat, AT_FDCWD, "by-leader", O_RDWR | O_CREAT, 0600);
	usleep(50000); /* the thread has not quite ended when it can be joined */
}

static void *thread_outlives(void *unused)
{
	usleep(50000);
	done("tid", syscall(SYS_gettid));
	syscall(SYS_openat, AT_FDCWD, "after-leader", O_RDWR | O_CREAT, 0600);
	syscall(SYS_exit_group, 9);
	return unused;
}

/* The first thread ends, the process goes on. */
static void do_leader_ends(int argc, char **argv)
{
	pthread_t thread;

	(void)argc;
	(void)argv;
	if (pthread_create(&thread, NULL, thread_outlives, NULL))
		fail("pthread_create");
	syscall(SYS_exit, 8);
}

static void *thread_execs(void *unused)
{
	char *args[] = {"by-thread", "nothing", "x", NULL};

	done("tid", syscall(SYS_gettid));
	syscall(SYS_execve, self_path, args, self_environment);
	fail("execve");
	return unused;
}

/* A program that a thread starts takes over the process. */
static void do_thread_exec(int argc, char **argv)
{
	pthread_t thread;

	(void)argc;
	(void)argv;
	if (pthread_create(&thread, NULL, thread_execs, NULL))
		fail("pthread_create");
	pause();
}

/* ---- pid namespace ---- */
static void do_pid_namespace(int argc, char **argv)
{
	struct clone_args args = {.flags = CLONE_NEWPID, .exit_signal = SIGCHLD};
	long pid;

	(void)argc;
	(void)argv;
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0) {
		char *child[] = {"inner", "nothing", NULL};
		long inner = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
		if (inner == 0)
			execve(self_path, child, self_environment);
		note("inner", "%ld", inner);
		wait_for(inner);
		_exit(0);
	}
	if (pid < 0)
		skip("no pid namespaces: %s", strerror(errno));
	done("init", pid);
	wait_for(pid);
}

/* ---- before picket, and while it starts ---- */
static void do_wait_and_open(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	wait_for_go();
	syscall(SYS_openat, AT_FDCWD, "after", O_RDWR | O_CREAT, 0600);
	long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		_exit(0);
	done("child", pid);
	wait_for(pid);
}

/* A family that is there before: a parent of another name and directory, and as another user. */
static void do_family(int argc, char **argv)
{
	char *args[] = {"the-child", "wait-and-open", "alpha", "", "beta gamma", NULL};

	(void)argc;
	(void)argv;
	MUST(mkdirat(AT_FDCWD, "home", 0777));
	MUST(chmod("home", 0777));
	long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		MUST(chdir("home"));
		MUST(syscall(SYS_setresgid, 4242, 4242, 4242));
		MUST(syscall(SYS_setresuid, 4343, 4343, 4343));
		execve(self_path, args, self_environment);
		fail("execve");
	}
	done("family", pid);
	wait_for(pid);
}

static void do_storm(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	for (int n = 0;; n++) {
		struct pollfd go = {.fd = 0, .events = POLLIN};
		char number[16];
		char *args[] = {"doer", "storm-leaf", number, NULL};

		if (poll(&go, 1, 0) != 0)
			break;
		snprintf(number, sizeof(number), "%d", n);
		long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
		if (pid == 0) {
			execve(self_path, args, self_environment);
			_exit(1);
		}
		wait_for(pid);
	}
}

static void do_storm_leaf(int argc, char **argv)
{
	char name[64];

	(void)argc;
	snprintf(name, sizeof(name), "leaf-%s", argv[0]);
	syscall(SYS_openat, AT_FDCWD, name, O_RDWR | O_CREAT, 0600);
}

static void do_flood(int argc, char **argv)
{
	(void)argc;
	for (int n = atoi(argv[0]); n > 0; n--)
		syscall(SYS_openat, AT_FDCWD, "nothing", O_RDONLY);
}

static void do_nothing(int argc, char **argv)
{
	(void)argc;
	(void)argv;
}

const struct command process_commands[] = {
#if defined(SYS_fork)
        {"fork", do_fork},
        {"vfork", do_vfork},
#endif
        {"clone", do_clone},
        {"clone3", do_clone3},
        {"clone-parent", do_clone_parent},
        {"exit-code", do_exit_code},
        {"killed", do_killed},
        {"orphan", do_orphan},
        {"thread", do_thread},
        {"leader-ends", do_leader_ends},
        {"thread-exec", do_thread_exec},
        {"pid-namespace", do_pid_namespace},
        {"wait-and-open", do_wait_and_open},
        {"family", do_family},
        {"storm", do_storm},
        {"storm-leaf", do_storm_leaf},
        {"flood", do_flood},
        {"nothing", do_nothing},
        COMMANDS_END,
};
