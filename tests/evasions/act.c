/* SPDX-License-Identifier: Apache-2.0
 *
 * What the attempts have in common.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "evasions.h"

#define ARGS_MAX 12
#define ADDRESS_TRIES 200
#define ADDRESS_PAUSE_US 5000

void act_skip(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
	_exit(EXIT_SKIP);
}

void act_fail(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	fflush(stdout);
	_exit(EXIT_FAILURE);
}

long act_must(long result, const char *call)
{
	if (result < 0)
		act_fail(call);
	return result;
}

/* ---- files ---- */
void act_write(const char *path, const char *text, mode_t mode)
{
	int fd = (int)MUST(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
	MUST(write(fd, text, strlen(text)));
	MUST(fchmod(fd, mode));
	close(fd);
}

void act_copy(const char *from, const char *to, mode_t mode)
{
	struct stat st;
	int in = (int)MUST(open(from, O_RDONLY | O_CLOEXEC));
	int out = (int)MUST(open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
	MUST(fstat(in, &st));
	for (off_t done = 0; done < st.st_size;)
		if (MUST(sendfile(out, in, &done, (size_t)(st.st_size - done))) == 0)
			break;
	MUST(fchmod(out, mode));
	close(in);
	close(out);
}

void act_read_fd(int fd)
{
	char bytes[64];
	MUST(read(fd, bytes, sizeof(bytes)));
	close(fd);
}

void act_read(const char *path)
{
	act_read_fd((int)MUST(open(path, O_RDONLY | O_CLOEXEC)));
}

int act_memfd(const char *path, unsigned flags)
{
	struct stat st;
	int in = (int)MUST(open(path, O_RDONLY | O_CLOEXEC));
	int memory = (int)MUST(memfd_create("payload", flags));
	MUST(fstat(in, &st));
	for (off_t done = 0; done < st.st_size;)
		if (MUST(sendfile(memory, in, &done, (size_t)(st.st_size - done))) == 0)
			break;
	close(in);
	return memory;
}

/* ---- processes ---- */
pid_t act_fork(void)
{
	fflush(stdout);
	return (pid_t)MUST(fork());
}

void act_wait(pid_t pid)
{
	while (waitpid(pid, NULL, 0) < 0)
		if (errno != EINTR)
			act_fail("waitpid");
}

void act_run(const char *path, ...)
{
	char *argv[ARGS_MAX + 1] = {NULL};
	va_list args;
	va_start(args, path);
	for (size_t i = 0; i < ARGS_MAX && (argv[i] = va_arg(args, char *)); i++)
		;
	va_end(args);
	pid_t pid = act_fork();
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		execv(path, argv);
		_exit(127);
	}
	act_wait(pid);
}

/* ---- places of its own ---- */
void act_private_mounts(void)
{
	MUST(unshare(CLONE_NEWNS));
	MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
}

void act_tmpfs(const char *directory)
{
	MUST(mount("tmpfs", directory, "tmpfs", 0, "mode=755,size=16m"));
}

void act_private_etc(void)
{
	static const char *const directories[] = {"etc/cron.d", "etc/sudoers.d", "etc/systemd", "etc/systemd/system",
	                                          "etc/ssh"};
	act_private_mounts();
	MUST(mkdir("etc", 0755));
	act_tmpfs("etc");
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++)
		MUST(mkdir(directories[i], 0755));
	act_copy("/etc/passwd", "etc/passwd", 0644);
	act_copy("/etc/group", "etc/group", 0644);
	act_write("etc/shadow", "root:*:19000:0:99999:7:::\n", 0600);
	MUST(mount("etc", "/etc", NULL, MS_BIND, NULL));
}

/* ---- a network of its own ---- */
static void add_address4(int fd, const char *interface, const char *text)
{
	struct ifreq request = {0};
	struct sockaddr_in *address = (struct sockaddr_in *)&request.ifr_addr;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	address->sin_family = AF_INET;
	MUST(inet_pton(AF_INET, text, &address->sin_addr));
	MUST(ioctl(fd, SIOCSIFADDR, &request));
}

/* The kernel makes a new IPv6 address usable a little later. */
static void wait_for_address(int fd, const struct in6_addr *address)
{
	struct sockaddr_in6 own = {.sin6_family = AF_INET6, .sin6_addr = *address};
	for (int tries = 0; bind(fd, (struct sockaddr *)&own, sizeof(own)) < 0; tries++) {
		if (errno != EADDRNOTAVAIL || tries == ADDRESS_TRIES)
			act_fail("bind to the new address");
		usleep(ADDRESS_PAUSE_US);
	}
}

static void add_address6(void)
{
	struct in6_ifreq request = {.ifr6_prefixlen = 128, .ifr6_ifindex = 1};
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		act_skip("no IPv6: %s", strerror(errno));
	MUST(inet_pton(AF_INET6, NET6, &request.ifr6_addr));
	MUST(ioctl(fd, SIOCSIFADDR, &request));
	wait_for_address(fd, &request.ifr6_addr);
	close(fd);
}

void act_private_network(void)
{
	struct ifreq request = {.ifr_name = "lo"};
	MUST(unshare(CLONE_NEWNET));
	int fd = (int)MUST(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	request.ifr_flags = IFF_UP | IFF_RUNNING;
	MUST(ioctl(fd, SIOCSIFFLAGS, &request));
	add_address4(fd, "lo:1", NET4);
	add_address4(fd, "lo:2", METADATA4);
	add_address6();
	close(fd);
}

static socklen_t address_fill(int family, const char *text, uint16_t port, struct sockaddr_storage *address)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
	*address = (struct sockaddr_storage){.ss_family = (sa_family_t)family};
	if (family == AF_INET) {
		v4->sin_port = htons(port);
		inet_pton(AF_INET, text, &v4->sin_addr);
		return sizeof(*v4);
	}
	v6->sin6_port = htons(port);
	inet_pton(AF_INET6, text, &v6->sin6_addr);
	return sizeof(*v6);
}

int act_connect(int family, int type, const char *address, uint16_t port)
{
	struct sockaddr_storage to;
	socklen_t size = address_fill(family, address, port, &to);
	if (type == SOCK_STREAM) {
		int listener = (int)MUST(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
		MUST(bind(listener, (struct sockaddr *)&to, size));
		MUST(listen(listener, 1));
	}
	int fd = (int)MUST(socket(family, type, 0));
	MUST(connect(fd, (struct sockaddr *)&to, size));
	return fd;
}
