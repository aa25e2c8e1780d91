/* SPDX-License-Identifier: Apache-2.0
 *
 * 32-bit calls from a 64-bit program: int $0x80 has i386's numbers, registers of its own, and pointers of 32 bits.
 */
#include "doer.h"

#if defined(__x86_64__)
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* i386's numbers */
enum {
	I386_OPEN = 5,
	I386_CREAT = 8,
	I386_UNLINK = 10,
	I386_EXECVE = 11,
	I386_CHMOD = 15,
	I386_RENAME = 38,
	I386_MKDIR = 39,
	I386_SETUID32 = 213,
	I386_OPENAT = 295,
	I386_SOCKET = 359,
	I386_CONNECT = 362,
	I386_SENDTO = 369,
	I386_SENDMSG = 370,
	I386_GETPID = 20,
};

static long call32(long number, long a, long b, long c, long d, long e)
{
	long result;

	__asm__ volatile("int $0x80"
	                 : "=a"(result)
	                 : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
	                 : "memory", "r8", "r9", "r10", "r11");
	return (int)result;
}

#define CALL32(name, number, a, b, c, d, e) \
	note(name, "%ld", call32(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e)))

/* Memory that 32 bits can address. */
static char *low;
static size_t low_used;

static long low_bytes(const void *data, size_t length)
{
	char *at = low + low_used;

	memcpy(at, data, length);
	low_used += (length + 7) & ~(size_t)7;
	return (long)at;
}

static long low_text(const char *text)
{
	return low_bytes(text, strlen(text) + 1);
}

static void open_low(void)
{
	long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (pid == 0) { /* where there are no 32-bit calls, this is a fault */
		call32(I386_GETPID, 0, 0, 0, 0, 0);
		_exit(0);
	}
	if (wait_for(pid) != 0)
		skip("this kernel has no 32-bit calls");
	low = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (low == MAP_FAILED)
		fail("mmap");
}

static void do_compat_files(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	open_low();
	CALL32("open", I386_OPEN, low_text("new"), O_RDWR | O_CREAT, 0640, 0, 0);
	CALL32("openat", I386_OPENAT, AT_FDCWD, low_text("new"), O_RDONLY, 0, 0);
	CALL32("missing", I386_OPEN, low_text("nothing"), O_RDONLY, 0, 0, 0);
	CALL32("creat", I386_CREAT, low_text("created"), 0700, 0, 0, 0);
	CALL32("mkdir", I386_MKDIR, low_text("dir"), 0755, 0, 0, 0);
	CALL32("rename", I386_RENAME, low_text("created"), low_text("dir/moved"), 0, 0, 0);
	CALL32("chmod", I386_CHMOD, low_text("new"), 04711, 0, 0, 0);
	CALL32("unlink", I386_UNLINK, low_text("new"), 0, 0, 0, 0);
}

static void do_compat_sockets(int argc, char **argv)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_port = htons(1)};
	struct {
		uint32_t name, name_length, iov, iov_count, control, control_length, flags;
	} message = {.name_length = sizeof(to), .iov_count = 1};
	uint32_t iov[2] = {0, 5};

	(void)argc;
	(void)argv;
	open_low();
	long address = low_bytes(&to, sizeof(to));
	CALL32("socket", I386_SOCKET, AF_INET, SOCK_STREAM, 0, 0, 0);
	long fd = call32(I386_SOCKET, AF_INET, SOCK_DGRAM, 0, 0, 0);
	note("datagram", "%ld", fd);
	long stream = call32(I386_SOCKET, AF_INET, SOCK_STREAM, 0, 0, 0);
	CALL32("connect", I386_CONNECT, stream, address, sizeof(to), 0, 0);
	iov[0] = (uint32_t)low_text("bytes");
	message.name = (uint32_t)address;
	message.iov = (uint32_t)low_bytes(iov, sizeof(iov));
	CALL32("sendmsg", I386_SENDMSG, fd, low_bytes(&message, sizeof(message)), 0, 0, 0);
}

static void do_compat_process(int argc, char **argv)
{
	uint32_t args[3];

	(void)argc;
	(void)argv;
	open_low();
	args[0] = (uint32_t)low_text("narrow");
	args[1] = (uint32_t)low_text("an argument");
	args[2] = 0;
	CALL32("execve", I386_EXECVE, low_text("/nowhere/narrow"), low_bytes(args, sizeof(args)), 0, 0, 0);
	CALL32("setuid", I386_SETUID32, 5005, 0, 0, 0, 0);
}

const struct command compat_commands[] = {
        {"compat-files", do_compat_files},
        {"compat-sockets", do_compat_sockets},
        {"compat-process", do_compat_process},
        COMMANDS_END,
};
#else
const struct command compat_commands[] = {COMMANDS_END};
#endif
