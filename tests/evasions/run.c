/* SPDX-License-Identifier: Apache-2.0
 *
 * Programs run from where nothing is installed, and shells whose origin is blurred.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "evasions.h"

#define TEMPORARY_RULE "Program run from a temporary directory"
#define MEMORY_RULE "Program run from a memory file system"
#define MEMORY_SCRIPT_RULE "Script run from memory"
#define DELETED_RULE "Deleted program started"
#define LOADER_RULE "Program started through the dynamic loader"
#define SERVER_RULE "Shell under a web server"
#define SCRIPT "#!/bin/sh\n:\n"

static void enter_tmpfs(const char *directory)
{
	act_private_mounts();
	act_tmpfs(directory);
	MUST(chdir(directory));
}

/* Runs what is open, under a name of the caller's choice. */
static void run_fd(int fd, const char *argv0)
{
	char *const argv[] = {(char *)argv0, NULL};
	char *const none[] = {NULL};
	pid_t pid = act_fork();
	if (pid == 0) {
		fexecve(fd, argv, none);
		_exit(127);
	}
	act_wait(pid);
}

/* ---- scripts ---- */
static void script_attempt(void)
{
	act_write("job", SCRIPT, 0755);
	act_run("./job", "job", NULL);
}

static void script_twin(void)
{
	enter_tmpfs("/opt");
	act_write("job", SCRIPT, 0755);
	act_run("/opt/job", "job", NULL);
}

static void relative_script(const char *directory)
{
	enter_tmpfs(directory);
	act_write("job", SCRIPT, 0644);
	act_run("/bin/sh", "sh", "job", NULL);
}

static void relative_script_attempt(void)
{
	relative_script("/dev/shm");
}

static void relative_script_twin(void)
{
	relative_script("/opt");
}

static void memory_script_attempt(void)
{
	int fd = (int)MUST(memfd_create("job", 0));
	MUST(write(fd, SCRIPT, sizeof(SCRIPT) - 1));
	run_fd(fd, "job");
}

static void memory_script_twin(void)
{
	act_write("job", SCRIPT, 0755);
	act_run("/bin/sh", "sh", "./job", NULL);
}

/* ---- programs ---- */
static void shm_attempt(void)
{
	enter_tmpfs("/dev/shm");
	act_copy("/bin/true", "x", 0755);
	act_run("/dev/shm/x", "ls", NULL);
}

static void shm_twin(void)
{
	enter_tmpfs("/dev/shm");
	act_run("/bin/true", "/dev/shm/x", NULL);
}

static void shm_fd_attempt(void)
{
	enter_tmpfs("/dev/shm");
	act_copy("/bin/true", "x", 0755);
	run_fd((int)MUST(open("x", O_RDONLY | O_CLOEXEC)), "ls");
}

static void shm_fd_twin(void)
{
	enter_tmpfs("/dev/shm");
	run_fd((int)MUST(open("/bin/true", O_RDONLY | O_CLOEXEC)), "ls");
}

static int open_copy(void)
{
	act_copy("/bin/true", "x", 0755);
	return (int)MUST(open("x", O_RDONLY | O_CLOEXEC));
}

static void deleted_attempt(void)
{
	int fd = open_copy();
	MUST(unlink("x"));
	run_fd(fd, "x");
}

static void deleted_twin(void)
{
	int fd = open_copy();
	MUST(link("x", "y"));
	MUST(unlink("x"));
	run_fd(fd, "x");
}

static void loader_attempt(void)
{
	static const char *const loaders[] = {"/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"};
	act_copy("/bin/true", "x", 0644); /* needs no permission to be run */
	for (size_t i = 0; i < ARRAY_SIZE(loaders); i++)
		if (access(loaders[i], X_OK) == 0) {
			act_run(loaders[i], "ld.so", "./x", NULL);
			return;
		}
	act_skip("no dynamic loader is known here");
}

static void loader_twin(void)
{
	act_run("/bin/true", "true", "/lib64/ld-linux-x86-64.so.2", NULL);
}

/* ---- a shell that a server starts through two processes that are gone by then ---- */
static void serve(const char *path, const char *name)
{
	enter_tmpfs("/usr/local/sbin");
	act_copy("/proc/self/exe", path, 0755);
	act_run(path, name, "--act", "double-fork", "again", NULL);
}

static void server_attempt(void)
{
	serve("/usr/local/sbin/nginx", "nginx");
}

static void server_twin(void)
{
	serve("/usr/local/sbin/backup", "nginx: master process");
}

/* The shell waits until its parent is gone; so the server's process is no ancestor any more that /proc would show. */
static void server_called(void)
{
	MUST(prctl(PR_SET_NAME, "worker"));
	if (act_fork() > 0)
		return;
	MUST(setsid());
	pid_t between = getpid();
	if (act_fork() > 0)
		_exit(0);
	while (getppid() == between)
		usleep(1000);
	execl("/bin/sh", "sh", "-c", ":", (char *)NULL);
	_exit(127);
}

const struct evasion run_evasions[] = {
        {"script-in-tmp",
         "a script in /tmp: the program that starts is the shell of /bin",
         TEMPORARY_RULE,
         {{"proc.filename", "~/job"}, {"proc.exepath", "~/bin/"}},
         script_attempt,
         script_twin,
         NULL},
        {"relative-script",
         "a script in /dev/shm handed to the shell by a relative path",
         MEMORY_RULE,
         {{"proc.name", "sh"}},
         relative_script_attempt,
         relative_script_twin,
         NULL},
        {"memory-script",
         "a script that is a memory file",
         MEMORY_SCRIPT_RULE,
         {{"proc.exepath", "~/bin/"}},
         memory_script_attempt,
         memory_script_twin,
         NULL},
        {"shm-argv0",
         "a program in /dev/shm under a false first argument",
         MEMORY_RULE,
         {{"proc.exepath", "/dev/shm/x"}, {"proc.exe", "ls"}},
         shm_attempt,
         shm_twin,
         NULL},
        {"shm-fexecve",
         "the same, started by its descriptor",
         MEMORY_RULE,
         {{"proc.exepath", "/dev/shm/x"}, {"proc.exe", "ls"}},
         shm_fd_attempt,
         shm_fd_twin,
         NULL},
        {"deleted-program",
         "a program whose file is deleted before it starts",
         DELETED_RULE,
         {{"evt.type", "execve"}},
         deleted_attempt,
         deleted_twin,
         NULL},
        {"dynamic-loader",
         "a program started as an argument of the dynamic loader",
         LOADER_RULE,
         {{"evt.type", "execve"}},
         loader_attempt,
         loader_twin,
         NULL},
        {"double-fork",
         "a web server that renames itself and forks twice before the shell",
         SERVER_RULE,
         {{"proc.name", "sh"}},
         server_attempt,
         server_twin,
         server_called},
        EVASIONS_END,
};
