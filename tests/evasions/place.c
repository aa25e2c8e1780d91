/* SPDX-License-Identifier: Apache-2.0
 *
 * A file brought into a guarded directory without being written there. /etc is a copy in memory, which only the attempt
 * sees.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "evasions.h"

#define CRON_RULE "Scheduled job put in place"
#define SUDO_RULE "Permission to act as root written"
#define SERVICE_RULE "Service put in place"
#define ACCOUNT_RULE "Account file written by hand"
#define DESCRIPTOR_RULE "Descriptor's path used instead of a name"
#define PRELOAD_RULE "Preloaded library for all programs configured"

static void prepare(void)
{
	act_private_etc();
	act_write("/etc/draft", "# nothing\n", 0644);
}

static void rename_to(const char *path)
{
	prepare();
	MUST(rename("/etc/draft", path));
}

static void rename_attempt(void)
{
	rename_to("/etc/cron.d/job");
}

static void rename_twin(void)
{
	rename_to("/etc/cron.draft");
}

static void link_to(const char *path)
{
	prepare();
	MUST(link("/etc/draft", path));
}

static void link_attempt(void)
{
	link_to("/etc/sudoers.d/draft");
}

static void link_twin(void)
{
	link_to("/etc/ssh/draft");
}

/* A file without a name gets its first one. */
static void name_a_nameless(const char *path)
{
	char file[64];
	prepare();
	int fd = (int)MUST(open("/etc", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0440));
	snprintf(file, sizeof(file), "/proc/self/fd/%d", fd);
	MUST(linkat(AT_FDCWD, file, AT_FDCWD, path, AT_SYMLINK_FOLLOW));
}

static void tmpfile_attempt(void)
{
	name_a_nameless("/etc/sudoers.d/draft");
}

static void tmpfile_twin(void)
{
	name_a_nameless("/etc/ssh/draft");
}

static void symlink_attempt(void)
{
	prepare();
	MUST(symlink("/etc/draft", "/etc/systemd/system/draft.service"));
}

static void symlink_twin(void)
{
	prepare();
	MUST(symlink("/etc/systemd/system", "/etc/services.draft"));
}

static void exchange(const char *path)
{
	prepare();
	MUST(syscall(SYS_renameat2, AT_FDCWD, path, AT_FDCWD, "/etc/draft", 2 /* RENAME_EXCHANGE */));
}

static void exchange_attempt(void)
{
	exchange("/etc/passwd");
}

static void exchange_twin(void)
{
	act_private_etc();
	act_write("/etc/draft", "# nothing\n", 0644);
	act_write("/etc/other", "# nothing\n", 0644);
	MUST(syscall(SYS_renameat2, AT_FDCWD, "/etc/other", AT_FDCWD, "/etc/draft", 2 /* RENAME_EXCHANGE */));
}

static void write_through_link(const char *directory)
{
	prepare();
	MUST(symlink(directory, "link"));
	act_write("link/job", "# nothing\n", 0644);
}

static void written_through_link_attempt(void)
{
	write_through_link("/etc/cron.d");
}

static void written_through_link_twin(void)
{
	write_through_link("/etc/ssh");
}

static void rename_through_link(const char *directory)
{
	prepare();
	MUST(symlink(directory, "link"));
	MUST(rename("/etc/draft", "link/job"));
}

static void renamed_through_link_attempt(void)
{
	rename_through_link("/etc/cron.d");
}

static void renamed_through_link_twin(void)
{
	rename_through_link("/etc/ssh");
}

/* The link is made under another name and moved. */
static void rename_through_moved(const char *directory)
{
	prepare();
	MUST(symlink(directory, "link"));
	MUST(rename("link", "moved"));
	MUST(rename("/etc/draft", "moved/job"));
}

static void moved_link_attempt(void)
{
	rename_through_moved("/etc/cron.d");
}

static void moved_link_twin(void)
{
	rename_through_moved("/etc/ssh");
}

static void rename_through_bind(const char *directory)
{
	prepare();
	MUST(mkdir("b", 0755));
	MUST(mount("/etc", "b", NULL, MS_BIND, NULL));
	char path[64];
	snprintf(path, sizeof(path), "b/%s/job", directory);
	MUST(rename("b/draft", path));
}

static void bind_attempt(void)
{
	rename_through_bind("cron.d");
}

static void bind_twin(void)
{
	rename_through_bind("ssh");
}

static void rename_through_descriptor(const char *path)
{
	prepare();
	int fd = (int)MUST(open("/etc/cron.d", O_PATH | O_DIRECTORY));
	MUST(dup2(fd, 9));
	MUST(renameat(AT_FDCWD, "/etc/draft", 9, path));
}

static void descriptor_attempt(void)
{
	rename_through_descriptor("/proc/self/fd/9/job");
}

static void descriptor_twin(void)
{
	rename_through_descriptor("job");
}

static void rename_from_directory(const char *directory)
{
	prepare();
	int fd = (int)MUST(open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC));
	MUST(renameat(AT_FDCWD, "/etc/draft", fd, "job"));
}

static void dirfd_attempt(void)
{
	rename_from_directory("/proc/self/root/etc/cron.d");
}

static void dirfd_twin(void)
{
	rename_from_directory("/proc/self/root/etc/ssh");
}

static void uring_rename_to(const char *path)
{
	prepare();
	MUST(truncate("/etc/draft", 0));
	MUST(uring_renameat("/etc/draft", path));
}

static void uring_attempt(void)
{
	uring_rename_to("/etc/ld.so.preload");
}

static void uring_twin(void)
{
	uring_rename_to("/etc/ld.so.draft");
}

const struct evasion place_evasions[] = {
        {"rename-into",
         "a job renamed into a cron directory",
         CRON_RULE,
         {{"evt.type", "rename"}},
         rename_attempt,
         rename_twin,
         NULL},
        {"link-into",
         "a hard link made in sudoers.d",
         SUDO_RULE,
         {{"evt.type", "link"}},
         link_attempt,
         link_twin,
         NULL},
        {"tmpfile-into",
         "a file without a name (O_TMPFILE) that is linked into sudoers.d",
         SUDO_RULE,
         {{"evt.type", "linkat"}},
         tmpfile_attempt,
         tmpfile_twin,
         NULL},
        {"symlink-into",
         "a symbolic link put among the system's services",
         SERVICE_RULE,
         {{"evt.type", "symlink"}},
         symlink_attempt,
         symlink_twin,
         NULL},
        {"exchange",
         "the file of accounts exchanged with another (RENAME_EXCHANGE)",
         ACCOUNT_RULE,
         {{"evt.type", "renameat2"}},
         exchange_attempt,
         exchange_twin,
         NULL},
        {"write-through-link",
         "a job written through a symbolic link to the cron directory",
         CRON_RULE,
         {{"evt.type", "openat"}, {"fd.name", "/etc/cron.d/job"}, {"fd.nameraw", "link/job"}},
         written_through_link_attempt,
         written_through_link_twin,
         NULL},
        {"rename-through-link",
         "a job renamed through a symbolic link to the cron directory",
         CRON_RULE,
         {{"evt.type", "rename"}},
         renamed_through_link_attempt,
         renamed_through_link_twin,
         NULL},
        {"rename-through-moved",
         "the same, after the link itself was renamed",
         CRON_RULE,
         {{"evt.type", "rename"}},
         moved_link_attempt,
         moved_link_twin,
         NULL},
        {"rename-through-bind",
         "a job renamed through a bind mount of /etc",
         CRON_RULE,
         {{"evt.type", "rename"}},
         bind_attempt,
         bind_twin,
         NULL},
        {"rename-through-fd",
         "a job renamed to a path through /proc/self/fd",
         DESCRIPTOR_RULE,
         {{"evt.type", "renameat"}},
         descriptor_attempt,
         descriptor_twin,
         NULL},
        {"rename-dirfd",
         "a job renamed to a name relative to an open directory",
         CRON_RULE,
         {{"evt.type", "renameat"}},
         dirfd_attempt,
         dirfd_twin,
         NULL},
        {"io-uring-rename",
         "a file renamed to ld.so.preload by the kernel's asynchronous ring",
         PRELOAD_RULE,
         {{"evt.type", "^renameat"}},
         uring_attempt,
         uring_twin,
         NULL},
        EVASIONS_END,
};
