/* SPDX-License-Identifier: Apache-2.0
 *
 * things NAME: does one suspicious thing of the demo that a shell cannot do, harmlessly: in memory, to its own child,
 * or in namespaces of its own. The working directory is the demo's, below /tmp. Exit code 0: done; the reason for any
 * other is on standard error.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define MUST(call) must((call), #call)

static long must(long result, const char *call)
{
	if (result >= 0)
		return result;
	fprintf(stderr, "%s: %s\n", call, strerror(errno));
	exit(EXIT_FAILURE);
}

static void copy_to(const char *from, int out)
{
	struct stat st;
	int in = (int)MUST(open(from, O_RDONLY | O_CLOEXEC));
	MUST(fstat(in, &st));
	for (off_t done = 0; done < st.st_size;)
		if (MUST(sendfile(out, in, &done, (size_t)(st.st_size - done))) == 0)
			break;
	close(in);
}

static void make_file(const char *path)
{
	close((int)MUST(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644)));
}

/* Runs a program, or what fd is open for if path is NULL, and waits. */
static void run(const char *path, int fd, char *const argv[])
{
	pid_t pid = (pid_t)MUST(fork());
	if (pid == 0) {
		if (path)
			execv(path, argv);
		else
			fexecve(fd, argv, environ);
		_exit(127);
	}
	MUST(waitpid(pid, NULL, 0));
}

static void cover(const char *directory)
{
	MUST(unshare(CLONE_NEWNS));
	MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	MUST(mount("tmpfs", directory, "tmpfs", 0, "mode=755,size=16m"));
}

/* ---- the things ---- */
static void handle(void)
{
	struct {
		struct file_handle head;
		unsigned char bytes[MAX_HANDLE_SZ];
	} h = {.head = {.handle_bytes = MAX_HANDLE_SZ}};
	char byte;
	int mount_id, root = (int)MUST(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	MUST(name_to_handle_at(AT_FDCWD, "/etc/shadow", &h.head, &mount_id, 0));
	int fd = (int)MUST(open_by_handle_at(root, &h.head, O_RDONLY | O_CLOEXEC));
	MUST(read(fd, &byte, 1));
}

static void memory(void)
{
	char *const argv[] = {(char *)"update", NULL};
	int fd = (int)MUST(memfd_create("update", MFD_CLOEXEC));
	copy_to("/bin/true", fd);
	run(NULL, fd, argv);
}

static void udp_shell(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
	char *const argv[] = {(char *)"sh", (char *)"-c", (char *)":", NULL};
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = (int)MUST(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	MUST(connect(fd, (struct sockaddr *)&to, sizeof(to)));
	for (int i = 0; i < 3; i++)
		MUST(dup2(fd, i));
	run("/bin/sh", -1, argv);
}

static void cron(void)
{
	cover("/etc");
	MUST(mkdir("/etc/cron.d", 0755));
	make_file("/etc/draft");
	MUST(rename("/etc/draft", "/etc/cron.d/backup"));
}

static void log_cut(void)
{
	cover("/var/log");
	make_file("/var/log/auth.log");
	MUST(truncate("/var/log/auth.log", 0));
}

static void inject(void)
{
	static char target[8] = "before", text[8] = "after";
	struct iovec from = {text, sizeof(text)}, to = {target, sizeof(target)};
	pid_t child = (pid_t)MUST(fork());
	if (child == 0) {
		pause();
		_exit(0);
	}
	long written = process_vm_writev(child, &from, 1, &to, 1, 0);
	int error = errno;
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	errno = error;
	must(written, "process_vm_writev");
}

static void bpf_load(void)
{
	/* r0 = 0; exit: it is never attached to anything */
	struct bpf_insn code[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K}, {.code = BPF_JMP | BPF_EXIT}};
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
	                       .insn_cnt = sizeof(code) / sizeof(code[0]),
	                       .insns = (uint64_t)(uintptr_t)code,
	                       .license = (uint64_t)(uintptr_t) "GPL"};
	MUST(syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr)));
}

static void rename_itself(void)
{
	MUST(prctl(PR_SET_NAME, "kworker/u8:3"));
}

/* A program at a web server's path, which forks twice; the shell starts when both are gone. */
static void server(void)
{
	char *const argv[] = {(char *)"nginx", (char *)"serve", NULL};
	cover("/usr/local/sbin");
	MUST(prctl(PR_SET_CHILD_SUBREAPER, 1));
	int fd = (int)MUST(open("/usr/local/sbin/nginx", O_WRONLY | O_CREAT | O_CLOEXEC, 0755));
	copy_to("/proc/self/exe", fd);
	close(fd);
	run("/usr/local/sbin/nginx", -1, argv);
	while (wait(NULL) > 0 || errno == EINTR)
		; /* the shell, orphaned */
}

static void serve(void)
{
	int gone[2];
	char byte;
	MUST(pipe(gone));
	if (MUST(fork()) > 0)
		_exit(0);
	MUST(setsid());
	if (MUST(fork()) > 0)
		_exit(0);
	close(gone[1]);
	(void)!read(gone[0], &byte, 1); /* ends when the others have */
	execl("/bin/sh", "sh", "-c", ":", (char *)NULL);
	_exit(127);
}

static const struct {
	const char *name;
	void (*act)(void);
} things[] = {
        {"handle", handle}, {"memory", memory}, {"udp-shell", udp_shell},  {"cron", cron},     {"log-cut", log_cut},
        {"inject", inject}, {"bpf", bpf_load},  {"rename", rename_itself}, {"server", server}, {"serve", serve},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 2 && i < sizeof(things) / sizeof(things[0]); i++)
		if (strcmp(argv[1], things[i].name) == 0) {
			things[i].act();
			return EXIT_SUCCESS;
		}
	fprintf(stderr, "usage: things NAME\n");
	return 2;
}
