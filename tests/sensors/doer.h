/* SPDX-License-Identifier: Apache-2.0
 *
 * The doer: a program that does one thing after the other for the sensors to see. A command is a sub-command of its
 * own, works in the current directory, and makes each call as a raw system call, since the C library often makes another
 * one than it is asked for. It prints what the calls returned as name=result, for the expectations to refer to.
 * Statically linked, so that nothing else happens in its process and that it runs in any root directory.
 */
#ifndef PICKET_TESTS_DOER_H
#define PICKET_TESTS_DOER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXIT_SKIP 77
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

struct command {
	const char *name;
	void (*run)(int argc, char **argv); /* arguments after the command's name */
};
#define COMMANDS_END \
	{ \
		NULL, NULL \
	}
extern const struct command process_commands[], exec_commands[], open_commands[], name_commands[], place_commands[],
        socket_commands[], datagram_commands[], identity_commands[], system_commands[], uring_commands[],
        compat_commands[];

extern char self_path[4096];     /* of the doer */
extern char *self_environment[]; /* that programs it starts are given */

/* Prints name=result, or name=-errno if the result is -1. Returns what it printed. */
long done(const char *name, long result);
void note(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));
_Noreturn void skip(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void fail(const char *what); /* with errno's text: the test fails */

/* A raw system call whose result is printed under a name. */
#define CALL(name, number, ...) done(name, syscall(SYS_##number, ##__VA_ARGS__))
/* One that must succeed and is not looked at. */
#define MUST(expression) must(#expression, (long)(expression))
long must(const char *what, long result);

int make_file(const char *path, const char *text, int mode); /* makes it and closes it */
int wait_for(long pid);                                      /* wait status */
void wait_for_go(void);                                      /* until the harness writes or closes standard input */
void copy_self(const char *to);                              /* the doer's own file */
void close_quietly(long fd);
void need_static(void); /* or the test fails */

#endif
