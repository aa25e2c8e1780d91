/* SPDX-License-Identifier: Apache-2.0
 *
 * Code put into another process (a child of one's own) without ptrace.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "evasions.h"

#define CODE_RULE "Code put into another process"

static char target[16] = "harmless";
static char text[] = "harmful?";

static pid_t start_child(void)
{
	pid_t pid = act_fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	return pid;
}

static void stop_child(pid_t pid)
{
	kill(pid, SIGKILL);
	act_wait(pid);
}

static struct iovec whole(char *data)
{
	return (struct iovec){data, sizeof(text)};
}

static void write_to(pid_t pid)
{
	struct iovec from = whole(text), to = whole(target);
	MUST(process_vm_writev(pid, &from, 1, &to, 1, 0));
}

static void writev_attempt(void)
{
	pid_t child = start_child();
	write_to(child);
	stop_child(child);
}

static void writev_twin(void)
{
	write_to(getpid());
}

static void write_mem(const char *who, int flags)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%s/mem", who);
	int fd = (int)MUST(open(path, flags | O_CLOEXEC));
	MUST(flags == O_RDONLY ? pread(fd, text, sizeof(text), (off_t)(uintptr_t)target)
	                       : pwrite(fd, text, sizeof(text), (off_t)(uintptr_t)target));
	close(fd);
}

static void mem_attempt(void)
{
	char who[16];
	pid_t child = start_child();
	snprintf(who, sizeof(who), "%d", child);
	write_mem(who, O_RDWR);
	stop_child(child);
}

static void mem_twin(void)
{
	write_mem("self", O_RDWR);
}

const struct evasion process_evasions[] = {
        {"process-vm-writev",
         "memory of another process written without ptrace",
         CODE_RULE,
         {{"evt.type", "process_vm_writev"}},
         writev_attempt,
         writev_twin,
         NULL},
        {"proc-mem",
         "memory of another process written through /proc/PID/mem",
         CODE_RULE,
         {{"evt.type", "openat"}, {"fd.name", "~/mem"}},
         mem_attempt,
         mem_twin,
         NULL},
        EVASIONS_END,
};
