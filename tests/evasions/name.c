/* SPDX-License-Identifier: Apache-2.0
 *
 * The name of a trusted program worn by another.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "evasions.h"

#define HASHES_RULE "Password hashes read"
#define WORN_RULE "Name of a trusted program worn by another"
#define RENAMED_RULE "Process renamed itself to a name of the system"

static void copy_reads_attempt(void)
{
	act_copy("/bin/cat", "sshd", 0755);
	act_run("./sshd", "sshd", "/etc/shadow", NULL);
}

/* What is really trusted is still let alone. */
static void trusted_reads_twin(void)
{
	if (access("/usr/bin/chage", X_OK) < 0)
		act_skip("no /usr/bin/chage");
	act_run("/usr/bin/chage", "chage", "-l", "root", NULL);
}

static void comm_reads_attempt(void)
{
	MUST(prctl(PR_SET_NAME, "sshd"));
	pid_t pid = act_fork(); /* what is born now is called so from the start */
	if (pid == 0) {
		act_read("/etc/shadow");
		_exit(0);
	}
	act_wait(pid);
}

static void copy_attempt(void)
{
	act_copy("/bin/true", "sshd", 0755);
	act_run("./sshd", "sshd", NULL);
}

static void copy_twin(void)
{
	act_copy("/bin/true", "tool", 0755);
	act_run("./tool", "tool", NULL);
}

static void renamed_file_attempt(void)
{
	act_copy("/bin/true", "tool", 0755);
	MUST(rename("tool", "systemd-udevd"));
	act_run("./systemd-udevd", "systemd-udevd", NULL);
}

static void argv0_attempt(void)
{
	act_copy("/bin/true", "tool", 0755);
	act_run("./tool", "/usr/sbin/sshd", "-D", NULL);
}

static void argv0_twin(void)
{
	act_copy("/bin/true", "tool", 0755);
	act_run("./tool", "tool", "/usr/sbin/sshd", NULL);
}

static void kernel_thread_attempt(void)
{
	act_copy("/bin/true", "tool", 0755);
	act_run("./tool", "[kworker/0:1]", NULL);
}

static void prctl_attempt(void)
{
	MUST(prctl(PR_SET_NAME, "kworker/0:1"));
}

static void prctl_trusted_attempt(void)
{
	act_copy("/proc/self/exe", "tool", 0755);
	act_run("./tool", "tool", "--act", "prctl-trusted", "again", NULL);
}

static void prctl_called(void)
{
	MUST(prctl(PR_SET_NAME, "sshd"));
}

static void prctl_twin(void)
{
	MUST(prctl(PR_SET_NAME, "worker/0"));
}

const struct evasion name_evasions[] = {
        {"copy-reads",
         "a copy of cat, called sshd, reads the password hashes",
         HASHES_RULE,
         {{"proc.name", "sshd"}, {"proc.exepath", "^/tmp/"}},
         copy_reads_attempt,
         trusted_reads_twin,
         NULL},
        {"comm-reads",
         "a process names itself sshd (prctl), and a child of it reads them",
         HASHES_RULE,
         {{"fd.name", "/etc/shadow"}, {"proc.name", "sshd"}, {"proc.exepath", "~test_evasions"}},
         comm_reads_attempt,
         trusted_reads_twin,
         NULL},
        {"copy-named",
         "a program of one's own, called sshd",
         WORN_RULE,
         {{"proc.name", "sshd"}, {"proc.exepath", "^/tmp/"}},
         copy_attempt,
         copy_twin,
         NULL},
        {"file-renamed",
         "a program renamed to that of a system service",
         WORN_RULE,
         {{"proc.name", "systemd-udevd"}, {"proc.exepath", "^/tmp/"}},
         renamed_file_attempt,
         copy_twin,
         NULL},
        {"argv0",
         "a false first argument",
         WORN_RULE,
         {{"proc.exe", "/usr/sbin/sshd"}, {"proc.exepath", "^/tmp/"}},
         argv0_attempt,
         argv0_twin,
         NULL},
        {"argv0-kernel-thread",
         "a first argument like a kernel thread's",
         WORN_RULE,
         {{"proc.exe", "[kworker/0:1]"}, {"proc.exepath", "^/tmp/"}},
         kernel_thread_attempt,
         argv0_twin,
         NULL},
        {"prctl-kernel-thread",
         "a process that names itself like a kernel thread",
         RENAMED_RULE,
         {{"evt.type", "prctl"}},
         prctl_attempt,
         prctl_twin,
         NULL},
        {"prctl-trusted",
         "a program in /tmp that names itself sshd",
         RENAMED_RULE,
         {{"evt.type", "prctl"}, {"proc.exepath", "^/tmp/"}},
         prctl_trusted_attempt,
         prctl_twin,
         prctl_called},
        EVASIONS_END,
};
