/* SPDX-License-Identifier: Apache-2.0
 *
 * act DEED ARGUMENT…: does what guards are asked about, and prints the error ("Success": none).
 *
 *	connect|bind|send IP PORT [TIMES]	of several times, also how many were denied
 *	opens FILE				without end, until it is killed
 *	aim IP PORT TIMES			connects one UDP socket; how many were denied
 *	open|write|cut|exec FILE, rename FROM TO, unlink FILE, rmdir DIRECTORY
 *	fork TIMES				how many failed with EAGAIN
 *	trace PID, traceme
 *	module FILE, module-data, bpf-map
 *	mount TYPE DIRECTORY, move-mount FROM TO, setns KIND
 *	device FILE, setting FILE TEXT
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- sockets ---- */

struct address {
	struct sockaddr_storage bytes;
	socklen_t length;
};

static int address_parse(const char *ip, unsigned short port, struct address *ret)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&ret->bytes;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&ret->bytes;
	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, ip, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		ret->length = sizeof(*v4);
		return 0;
	}
	if (inet_pton(AF_INET6, ip, &v6->sin6_addr) != 1)
		return -EINVAL;
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	ret->length = sizeof(*v6);
	return 0;
}

static int use_socket(const char *what, const struct address *to)
{
	int type = strcmp(what, "send") == 0 ? SOCK_DGRAM : SOCK_STREAM, r;
	int fd = socket(to->bytes.ss_family, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (strcmp(what, "connect") == 0)
		r = connect(fd, (const struct sockaddr *)&to->bytes, to->length);
	else if (strcmp(what, "bind") == 0)
		r = bind(fd, (const struct sockaddr *)&to->bytes, to->length);
	else
		r = sendto(fd, "x", 1, 0, (const struct sockaddr *)&to->bytes, to->length) == 1 ? 0 : -1;
	int error = errno;
	close(fd);
	errno = error;
	return r;
}

/* Many times, from one socket, which costs the kernel little. */
static int do_aim(char **argv)
{
	struct address to;
	unsigned long times = strtoul(argv[3], NULL, 10), denied = 0;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || address_parse(argv[1], (unsigned short)strtoul(argv[2], NULL, 10), &to) < 0)
		return -1;
	for (unsigned long i = 0; i < times; i++)
		denied += connect(fd, (const struct sockaddr *)&to.bytes, to.length) < 0;
	printf("denied %lu: ", denied);
	return close(fd);
}

static int do_socket(char **argv)
{
	struct address to;
	unsigned long times = argv[3] ? strtoul(argv[3], NULL, 10) : 1, denied = 0;
	int r = -1;
	errno = EINVAL;
	if (address_parse(argv[1], (unsigned short)strtoul(argv[2], NULL, 10), &to) < 0)
		return -1;
	for (unsigned long i = 0; i < times; i++) {
		r = use_socket(argv[0], &to);
		denied += r < 0 && (errno == EPERM || errno == EACCES);
	}
	if (times > 1) {
		printf("%s, denied %lu\n", r < 0 ? strerror(errno) : "Success", denied);
		exit(0);
	}
	return r;
}

/* ---- files ---- */

static int do_open(char **argv)
{
	return open(argv[1], (strcmp(argv[0], "write") == 0 ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
}

static int do_cut(char **argv)
{
	return truncate(argv[1], 0);
}

static int do_exec(char **argv)
{
	return execv(argv[1], argv + 1);
}

static int do_opens(char **argv)
{
	for (;;)
		close(do_open(argv));
	return 0;
}

static int do_fork(char **argv)
{
	unsigned long denied = 0;
	for (unsigned long n = strtoul(argv[1], NULL, 10); n > 0; n--) {
		pid_t child = fork();
		if (child == 0)
			_exit(0);
		denied += child < 0 && errno == EAGAIN;
		if (child > 0)
			waitpid(child, NULL, 0);
	}
	printf("denied %lu: ", denied);
	return 0;
}

static int do_rename(char **argv)
{
	return rename(argv[1], argv[2]);
}

static int do_unlink(char **argv)
{
	return unlink(argv[1]);
}

static int do_rmdir(char **argv)
{
	return rmdir(argv[1]);
}

static int do_setting(char **argv)
{
	int fd = open(argv[1], O_WRONLY | O_CLOEXEC);
	return fd < 0 || write(fd, argv[2], strlen(argv[2])) < 0 ? -1 : 0;
}

/* ---- the system ---- */

static int do_trace(char **argv)
{
	pid_t pid = (pid_t)strtol(argv[1], NULL, 10);
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0)
		return -1;
	return (int)ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0 || waitpid(pid, NULL, 0) < 0 ? -1 : 0;
}

/* A child of its own, which nobody has to wait for in a trace. */
static int do_traceme(char **argv)
{
	int status = 0;
	(void)argv;
	pid_t child = fork();
	if (child == 0)
		_exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 ? errno : 0);
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return -1;
	errno = WEXITSTATUS(status);
	return errno ? -1 : 0;
}

static int do_module(char **argv)
{
	int fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -1 : (int)syscall(SYS_finit_module, fd, "", 0);
}

static int do_module_data(char **argv)
{
	static const char none[256]; /* as long as a module's first header, which is checked before */
	(void)argv;
	return (int)syscall(SYS_init_module, none, sizeof(none), "");
}

static int do_bpf_map(char **argv)
{
	union bpf_attr attr = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
	(void)argv;
	return (int)syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
}

static int do_mount(char **argv)
{
	return unshare(CLONE_NEWNS) < 0 ? -1 : mount("none", argv[2], argv[1], 0, NULL);
}

static int do_move_mount(char **argv)
{
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	int tree = (int)syscall(SYS_open_tree, AT_FDCWD, argv[1], OPEN_TREE_CLONE);
	return tree < 0 ? -1 : (int)syscall(SYS_move_mount, tree, "", AT_FDCWD, argv[2], MOVE_MOUNT_F_EMPTY_PATH);
}

static int do_setns(char **argv)
{
	int fd = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -1 : setns(fd, (int)strtol(argv[1], NULL, 0));
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int arguments;
		int (*run)(char **argv);
	} deeds[] = {
	        {"connect", 2, do_socket},
	        {"bind", 2, do_socket},
	        {"send", 2, do_socket},
	        {"aim", 3, do_aim},
	        {"open", 1, do_open},
	        {"write", 1, do_open},
	        {"device", 1, do_open},
	        {"cut", 1, do_cut},
	        {"exec", 1, do_exec},
	        {"fork", 1, do_fork},
	        {"opens", 1, do_opens},
	        {"rename", 2, do_rename},
	        {"unlink", 1, do_unlink},
	        {"rmdir", 1, do_rmdir},
	        {"setting", 2, do_setting},
	        {"trace", 1, do_trace},
	        {"traceme", 0, do_traceme},
	        {"module", 1, do_module},
	        {"module-data", 0, do_module_data},
	        {"bpf-map", 0, do_bpf_map},
	        {"mount", 2, do_mount},
	        {"move-mount", 2, do_move_mount},
	        {"setns", 1, do_setns},
	};
	for (size_t i = 0; argc > 1 && i < sizeof(deeds) / sizeof(*deeds); i++) {
		if (strcmp(deeds[i].name, argv[1]) != 0 || argc < 2 + deeds[i].arguments)
			continue;
		int error = deeds[i].run(argv + 1) < 0 ? errno : 0;
		printf("%s\n", strerror(error));
		return 0;
	}
	fprintf(stderr, "usage: act DEED ARGUMENT...\n");
	return 2;
}
