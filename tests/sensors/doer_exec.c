/* SPDX-License-Identifier: Apache-2.0 */
#include "doer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

/* Does it in a child: the doer itself must live to tell. */
static void in_child(const char *name, void (*start)(void))
{
	long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (pid == 0) {
		start();
		fail(name);
	}
	done(name, pid);
	wait_for(pid);
}

/* ---- ways to start a program ---- */
static void start_absolute(void)
{
	char *args[] = {"doer-exec", "nothing", "one", "two three", "", NULL};

	syscall(SYS_execve, self_path, args, self_environment);
}

static void do_exec(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	in_child("exec", start_absolute);
}

static void start_relative(void)
{
	char *args[] = {"rel", "nothing", NULL};

	syscall(SYS_execve, "bin/../bin/link", args, self_environment);
}

/* By a relative path, through a symbolic link. */
static void do_exec_relative(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	MUST(mkdirat(AT_FDCWD, "bin", 0755));
	copy_self("copy");
	MUST(symlinkat("../copy", AT_FDCWD, "bin/link"));
	in_child("exec", start_relative);
}

static void start_without_arguments(void)
{
	static char *none[] = {NULL};

	syscall(SYS_execve, self_path, none, none);
}

static void do_exec_no_argv(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	in_child("exec", start_without_arguments);
}

static void start_descriptor(void)
{
	char *args[] = {"by-fd", "nothing", NULL};
	int fd = MUST(syscall(SYS_openat, AT_FDCWD, self_path, O_PATH | O_CLOEXEC));

	syscall(SYS_execveat, fd, "", args, self_environment, AT_EMPTY_PATH);
}

static void do_execveat(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	in_child("exec", start_descriptor);
}

static void start_in_directory(void)
{
	char *args[] = {"by-dirfd", "nothing", NULL};
	int fd = MUST(syscall(SYS_openat, AT_FDCWD, "bin", O_PATH | O_DIRECTORY));

	done("dirfd", fd);
	syscall(SYS_execveat, fd, "copy", args, self_environment, 0);
}

static void do_execveat_dirfd(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	MUST(mkdirat(AT_FDCWD, "bin", 0755));
	copy_self("bin/copy");
	in_child("exec", start_in_directory);
}

static void start_memfd(void)
{
	char *args[] = {"in-memory", "nothing", NULL};
	int from = MUST(open(self_path, O_RDONLY | O_CLOEXEC));
	int fd = MUST(syscall(SYS_memfd_create, "payload", 1u /* MFD_CLOEXEC */));
	struct stat st;

	MUST(fstat(from, &st));
	for (off_t left = st.st_size; left > 0;)
		left -= MUST(sendfile(fd, from, NULL, (size_t)left));
	syscall(SYS_execveat, fd, "", args, self_environment, AT_EMPTY_PATH);
}

static void do_exec_memfd(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	in_child("exec", start_memfd);
}

static void start_script(void)
{
	char *args[] = {"not-shown", "one", NULL};

	syscall(SYS_execve, "script", args, self_environment);
}

static void do_exec_script(int argc, char **argv)
{
	char text[4200];

	(void)argc;
	(void)argv;
	copy_self("sh");
	snprintf(text, sizeof(text), "#!./sh nothing\n");
	make_file("script", text, 0755);
	in_child("exec", start_script);
}

static void start_deleted(void)
{
	char *args[] = {"gone", "nothing", NULL};
	int fd = MUST(open("copy", O_PATH | O_CLOEXEC));

	MUST(unlink("copy"));
	syscall(SYS_execveat, fd, "", args, self_environment, AT_EMPTY_PATH);
}

static void do_exec_deleted(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	copy_self("copy");
	in_child("exec", start_deleted);
}

static void start_setuid(void)
{
	char *args[] = {"raised", "nothing", NULL};

	MUST(syscall(SYS_setresuid, 1234, 1234, 1234));
	syscall(SYS_execve, "copy", args, self_environment);
}

static void do_exec_setuid(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	copy_self("copy");
	MUST(chown("copy", 4321, 4322));
	MUST(chmod("copy", 06755));
	in_child("exec", start_setuid);
}

/* ---- failing ---- */
static void do_exec_fails(int argc, char **argv)
{
	static char first[] = "asked", second[] = "for", third[] = "this one"; /* in memory that is there */
	char *args[] = {first, second, third, NULL};

	(void)argc;
	(void)argv;
	make_file("plain", "no program", 0644);
	CALL("missing", execve, "/nowhere/to/be/found", args, self_environment);
	CALL("denied", execve, "plain", args, self_environment);
	CALL("nullargs", execve, "/nowhere/null", NULL, NULL);
	CALL("fault", execve, "/nowhere/fault", (char **)16, NULL);
	CALL("badfd", execveat, 99, "sub/prog", args, self_environment, 0);
	long fd = syscall(SYS_openat, AT_FDCWD, ".", O_PATH | O_DIRECTORY);
	CALL("denied_at", execveat, fd, "plain", args, self_environment, 0);
}

/* ---- long argument lists ---- */
/* Arguments that with their NULs take so many bytes. All are in memory that has been written to: a start that fails for its
 * path leaves the rest unread, and pages that are not there cannot be read by anybody else. */
static char **long_arguments(size_t bytes, size_t piece)
{
	static char name[] = "long", command[] = "nothing";
	char **args = calloc(bytes / piece + 8, sizeof(*args));
	size_t n = 0, left = bytes - strlen("long") - 1 - strlen("nothing") - 1;

	args[n++] = name;
	args[n++] = command;
	while (left > 0) {
		size_t take = left < piece ? left : piece;
		if (left - take == 1) /* a NUL alone would be left */
			take--;
		args[n] = malloc(take);
		memset(args[n], 'a' + (int)(n % 26), take - 1);
		args[n++][take - 1] = '\0';
		left -= take;
	}
	return args;
}

static char **prepared;

static void start_prepared(void)
{
	syscall(SYS_execve, self_path, prepared, self_environment);
}

static void do_exec_long(int argc, char **argv)
{
	(void)argc;
	prepared = long_arguments(strtoul(argv[0], NULL, 10), strtoul(argv[1], NULL, 10));
	in_child("exec", start_prepared);
}

static void do_exec_long_fails(int argc, char **argv)
{
	(void)argc;
	prepared = long_arguments(strtoul(argv[0], NULL, 10), strtoul(argv[1], NULL, 10));
	CALL("failed_exec", execve, "/nowhere/long", prepared, self_environment);
}

const struct command exec_commands[] = {
        {"exec", do_exec},
        {"exec-relative", do_exec_relative},
        {"exec-no-argv", do_exec_no_argv},
        {"execveat", do_execveat},
        {"execveat-dirfd", do_execveat_dirfd},
        {"exec-memfd", do_exec_memfd},
        {"exec-script", do_exec_script},
        {"exec-deleted", do_exec_deleted},
        {"exec-setuid", do_exec_setuid},
        {"exec-fails", do_exec_fails},
        {"exec-long", do_exec_long},
        {"exec-long-fails", do_exec_long_fails},
        COMMANDS_END,
};
