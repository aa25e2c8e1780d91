/* SPDX-License-Identifier: Apache-2.0 */
#include "doer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>

char self_path[4096];
char *self_environment[] = {"PICKET_TEST=yes", "COLOUR=green", NULL};

/* One write per line: what is printed is whole even if the process is killed right after. */
static void print_line(const char *text)
{
	size_t length = strlen(text);

	if (write(1, text, length) != (ssize_t)length)
		_exit(1);
}

long done(const char *name, long result)
{
	if (result == -1)
		result = -errno;
	note(name, "%ld", result);
	return result;
}

void note(const char *name, const char *format, ...)
{
	char value[8300], line[8400];
	va_list args;

	va_start(args, format);
	vsnprintf(value, sizeof(value), format, args);
	va_end(args);
	snprintf(line, sizeof(line), "%s=%s\n", name, value);
	print_line(line);
}

void skip(const char *format, ...)
{
	char text[400];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text) - 1, format, args);
	va_end(args);
	strcat(text, "\n");
	print_line(text);
	_exit(EXIT_SKIP);
}

void fail(const char *what)
{
	note("failed", "%s: %s", what, strerror(errno));
	_exit(1);
}

long must(const char *what, long result)
{
	if (result < 0)
		fail(what);
	return result;
}

int make_file(const char *path, const char *text, int mode)
{
	int fd = MUST(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));

	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		fail(path);
	return close(fd);
}

int wait_for(long pid)
{
	int status = 0;

	while (waitpid((pid_t)pid, &status, __WALL) < 0)
		if (errno != EINTR)
			fail("waitpid");
	return status;
}

void wait_for_go(void)
{
	char byte;

	while (read(0, &byte, 1) < 0 && errno == EINTR)
		;
}

void copy_self(const char *to)
{
	int from = MUST(open(self_path, O_RDONLY | O_CLOEXEC));
	int fd = MUST(open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755));
	struct stat st;

	MUST(fstat(from, &st));
	for (off_t left = st.st_size; left > 0;)
		left -= MUST(sendfile(fd, from, NULL, (size_t)left));
	close(from);
	close(fd);
}

void need_static(void)
{
	if (getauxval(AT_BASE)) { /* where the dynamic linker is */
		errno = ENOEXEC;
		fail("the doer must be linked with -static to run in another root directory");
	}
}

void close_quietly(long fd)
{
	if (fd >= 0)
		close((int)fd);
}

int main(int argc, char **argv)
{
	static const struct command *const all[] = {
	        process_commands,  exec_commands,     open_commands,   name_commands,  place_commands,  socket_commands,
	        datagram_commands, identity_commands, system_commands, uring_commands, compat_commands,
	};
	ssize_t length = readlink("/proc/self/exe", self_path, sizeof(self_path) - 1);

	if (length > 0)
		self_path[length] = '\0';
	umask(022);
	for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(all); i++)
		for (const struct command *c = all[i]; c->name; c++)
			if (strcmp(c->name, argv[1]) == 0) {
				c->run(argc - 2, argv + 2);
				return 0;
			}
	if (argc > 1)
		fprintf(stderr, "doer: no command %s\n", argv[1]);
	return argc > 1 ? 2 : 0;
}
