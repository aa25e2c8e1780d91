/* SPDX-License-Identifier: Apache-2.0
 *
 * A guarded file reached under a name that no rule knows.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "evasions.h"

#define HASHES_RULE "Password hashes read"
#define VAULT "../vault/"

/* ---- symbolic links ---- */
static void read_by_symlink(const char *target)
{
	MUST(symlink(target, "notes.txt"));
	act_run("/bin/cat", "cat", "notes.txt", NULL);
}

static void symlink_attempt(void)
{
	read_by_symlink("../../../etc/shadow");
}

static void symlink_twin(void)
{
	read_by_symlink("../../../etc/passwd");
}

static void read_by_linked_directory(const char *directory)
{
	MUST(symlink(directory, "docs"));
	act_run("/bin/cat", "cat", "docs/shadow", NULL);
}

static void linked_directory_attempt(void)
{
	read_by_linked_directory("../../../etc");
}

static void linked_directory_twin(void)
{
	MUST(mkdir("own", 0755));
	act_write("own/shadow", "a file that is only called so\n", 0644);
	read_by_linked_directory("own");
}

/* ---- hard links ---- */
static void read_by_hard_link(const char *file)
{
	MUST(link(file, "copy"));
	act_read("copy");
}

static void hard_link_attempt(void)
{
	read_by_hard_link(VAULT "secret");
}

static void hard_link_twin(void)
{
	read_by_hard_link(VAULT "other");
}

/* The guarded file is replaced first, as editors and passwd(1) do: its name then means another inode. */
static void replace(const char *file)
{
	char new[64];
	snprintf(new, sizeof(new), "%s.new", file);
	act_write(new, "new", 0600);
	MUST(rename(new, file));
	read_by_hard_link(file);
}

static void replaced_attempt(void)
{
	replace(VAULT "secret");
}

static void replaced_twin(void)
{
	replace(VAULT "other");
}

static void link_made_attempt(void)
{
	act_private_etc();
	MUST(link("/etc/./shadow", "/etc/notes"));
}

static void link_made_twin(void)
{
	act_private_etc();
	MUST(link("/etc/./group", "/etc/notes"));
}

/* ---- links of /proc ---- */
static void proc_root_attempt(void)
{
	act_read("/proc/self/root/etc/shadow");
}

static void proc_root_twin(void)
{
	act_read("/proc/self/root/etc/passwd");
}

static void proc_cwd_attempt(void)
{
	MUST(chdir("/etc"));
	act_read("/proc/self/cwd/shadow");
}

static void proc_cwd_twin(void)
{
	act_write("shadow", "a file that is only called so\n", 0644);
	act_read("/proc/self/cwd/shadow");
}

static void read_by_proc_fd(const char *directory)
{
	char path[64];
	int fd = (int)MUST(open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC));
	snprintf(path, sizeof(path), "/proc/self/fd/%d/shadow", fd);
	act_read(path);
}

static void proc_fd_attempt(void)
{
	read_by_proc_fd("/etc");
}

static void proc_fd_twin(void)
{
	act_write("shadow", "a file that is only called so\n", 0644);
	read_by_proc_fd(".");
}

/* ---- mounts and roots ---- */
static void bind_directory(const char *directory)
{
	act_private_mounts();
	MUST(mkdir("b", 0755));
	MUST(mount(directory, "b", NULL, MS_BIND, NULL));
	act_read("b/shadow");
}

static void bind_attempt(void)
{
	bind_directory("/etc");
}

static void bind_twin(void)
{
	MUST(mkdir("own", 0755));
	act_write("own/shadow", "a file that is only called so\n", 0644);
	bind_directory("own");
}

static void bind_file(const char *file)
{
	act_private_mounts();
	act_write("b", "", 0644);
	MUST(mount(file, "b", NULL, MS_BIND, NULL));
	act_read("b");
}

static void bind_file_attempt(void)
{
	bind_file("/etc/shadow");
}

static void bind_file_twin(void)
{
	bind_file("/etc/passwd");
}

static void detached_mount(const char *file)
{
	int tree = (int)syscall(SYS_open_tree, AT_FDCWD, "/etc", 1 /* OPEN_TREE_CLONE */ | O_CLOEXEC);
	if (tree < 0)
		act_skip("no open_tree: %s", strerror(errno));
	act_read_fd((int)MUST(openat(tree, file, O_RDONLY | O_CLOEXEC)));
}

static void detached_attempt(void)
{
	detached_mount("shadow");
}

static void detached_twin(void)
{
	detached_mount("passwd");
}

static void chroot_attempt(void)
{
	MUST(chroot("/etc"));
	MUST(chdir("/"));
	act_read("/shadow");
}

static void chroot_twin(void)
{
	act_write("shadow", "a file that is only called so\n", 0644);
	MUST(chroot("."));
	act_read("/shadow");
}

/* ---- no path at all ---- */
static void read_by_handle(const char *file)
{
	struct {
		struct file_handle handle;
		unsigned char bytes[MAX_HANDLE_SZ];
	} h = {.handle = {.handle_bytes = MAX_HANDLE_SZ}};
	int mount_id, root = (int)MUST(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (name_to_handle_at(AT_FDCWD, file, &h.handle, &mount_id, 0) < 0)
		act_skip("the file system of %s has no handles: %s", file, strerror(errno));
	act_read_fd((int)MUST(open_by_handle_at(root, &h.handle, O_RDONLY | O_CLOEXEC)));
}

static void handle_attempt(void)
{
	read_by_handle("/etc/shadow");
}

static void handle_twin(void)
{
	read_by_handle("/etc/passwd");
}

static void uring_attempt(void)
{
	act_read_fd((int)MUST(uring_openat("/etc/shadow", O_RDONLY, 0)));
}

static void uring_twin(void)
{
	act_read_fd((int)MUST(uring_openat("/etc/passwd", O_RDONLY, 0)));
}

static void uring_direct(const char *target)
{
	MUST(symlink(target, "notes.txt"));
	MUST(uring_openat_direct("notes.txt", O_RDONLY));
}

static void uring_direct_attempt(void)
{
	uring_direct("../../../etc/shadow");
}

static void uring_direct_twin(void)
{
	uring_direct("../../../etc/passwd");
}

/* ---- no program but the shell ---- */
static void redirection_attempt(void)
{
	act_run("/bin/sh", "sh", "-c", "while read -r line; do :; done </etc/shadow", NULL);
}

static void redirection_twin(void)
{
	act_run("/bin/sh", "sh", "-c", "while read -r line; do :; done </etc/passwd", NULL);
}

const struct evasion reach_evasions[] = {
        {"symlink",
         "a symbolic link of one's own to the password hashes, by a relative target",
         HASHES_RULE,
         {{"fd.name", "/etc/shadow"}, {"fd.nameraw", "notes.txt"}},
         symlink_attempt,
         symlink_twin,
         NULL},
        {"symlink-directory",
         "a symbolic link to the directory of the password hashes",
         HASHES_RULE,
         {{"fd.name", "/etc/shadow"}, {"fd.nameraw", "docs/shadow"}},
         linked_directory_attempt,
         linked_directory_twin,
         NULL},
        {"hard-link",
         "a guarded file read under a hard link's name",
         VAULT_RULE,
         {{"fd.name", "~/vault/secret"}, {"fd.nameraw", "copy"}},
         hard_link_attempt,
         hard_link_twin,
         NULL},
        {"hard-link-replaced",
         "the same, after the guarded file was replaced by another inode",
         VAULT_RULE,
         {{"fd.name", "~/vault/secret"}, {"fd.nameraw", "copy"}},
         replaced_attempt,
         replaced_twin,
         NULL},
        {"hard-link-made",
         "a hard link to the password hashes, their path written in another way",
         "Password file given a second name",
         {{"evt.type", "link"}},
         link_made_attempt,
         link_made_twin,
         NULL},
        {"proc-root",
         "/proc/self/root before the path",
         HASHES_RULE,
         {{"fd.name", "/etc/shadow"}, {"fd.nameraw", "/proc/self/root/etc/shadow"}},
         proc_root_attempt,
         proc_root_twin,
         NULL},
        {"proc-cwd",
         "the working directory through /proc/self/cwd",
         HASHES_RULE,
         {{"fd.name", "/etc/shadow"}, {"fd.nameraw", "/proc/self/cwd/shadow"}},
         proc_cwd_attempt,
         proc_cwd_twin,
         NULL},
        {"proc-fd",
         "an open directory through /proc/self/fd",
         HASHES_RULE,
         {{"fd.name", "/etc/shadow"}, {"fd.nameraw", "^/proc/self/fd/"}},
         proc_fd_attempt,
         proc_fd_twin,
         NULL},
        {"bind-mount",
         "/etc mounted at a second place, in an own mount namespace",
         HASHES_RULE,
         {{"fd.name", "/etc/shadow"}, {"fd.nameraw", "b/shadow"}},
         bind_attempt,
         bind_twin,
         NULL},
        {"bind-mount-file",
         "the file alone mounted at a second place",
         HASHES_RULE,
         {{"fd.name", "/etc/shadow"}, {"fd.nameraw", "b"}},
         bind_file_attempt,
         bind_file_twin,
         NULL},
        {"detached-mount",
         "a copy of the mount that hangs nowhere (open_tree)",
         HASHES_RULE,
         {{"fd.name", "/etc/shadow"}, {"fd.nameraw", "shadow"}},
         detached_attempt,
         detached_twin,
         NULL},
        {"chroot",
         "/etc as the root directory, so that the file is /shadow",
         HASHES_RULE,
         {{"fd.name", "/etc/shadow"}, {"fd.nameraw", "/shadow"}},
         chroot_attempt,
         chroot_twin,
         NULL},
        {"file-handle",
         "the file opened by its handle, without a path",
         HASHES_RULE,
         {{"fd.name", "/etc/shadow"}, {"evt.type", "open_by_handle_at"}},
         handle_attempt,
         handle_twin,
         NULL},
        {"io-uring",
         "the file opened by the kernel's asynchronous ring, without a system call for it",
         HASHES_RULE,
         {{"fd.name", "/etc/shadow"}, {"evt.type", "openat"}},
         uring_attempt,
         uring_twin,
         NULL},
        {"io-uring-direct",
         "the same through a symbolic link, into a table of files that only the ring has",
         HASHES_RULE,
         {{"fd.name", "/etc/shadow"}, {"evt.type", "openat"}},
         uring_direct_attempt,
         uring_direct_twin,
         NULL},
        {"redirection",
         "the shell's own redirection, no program that reads",
         HASHES_RULE,
         {{"fd.name", "/etc/shadow"}, {"proc.name", "sh"}},
         redirection_attempt,
         redirection_twin,
         NULL},
        EVASIONS_END,
};
