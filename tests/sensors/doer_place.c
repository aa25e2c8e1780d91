/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a process stands: directories, roots, mounts. What changes mounts does so in a mount namespace of its own.
 */
#include "doer.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#if !defined(SYS_open_tree_attr)
#define SYS_open_tree_attr 467
#endif

static void own_mounts(void)
{
	if (syscall(SYS_unshare, CLONE_NEWNS))
		skip("no mount namespace: %s", strerror(errno));
	MUST(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
}

static void do_chdir(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	MUST(mkdirat(AT_FDCWD, "dir", 0755));
	MUST(mkdirat(AT_FDCWD, "dir/sub", 0755));
	long fd = CALL("fd", openat, AT_FDCWD, "dir/sub", O_PATH | O_DIRECTORY);
	CALL("chdir", chdir, "dir");
	syscall(SYS_openat, AT_FDCWD, "in-dir", O_WRONLY | O_CREAT, 0600);
	CALL("missing", chdir, "no-such");
	CALL("fchdir", fchdir, fd);
	syscall(SYS_openat, AT_FDCWD, "in-sub", O_WRONLY | O_CREAT, 0600);
	CALL("badfd", fchdir, 999);
}

static void do_symlink_path(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	MUST(mkdirat(AT_FDCWD, "dir", 0755));
	make_file("dir/target", "text", 0644);
	MUST(symlinkat("dir", AT_FDCWD, "link-dir"));
	MUST(symlinkat("dir/target", AT_FDCWD, "link-file"));
	MUST(linkat(AT_FDCWD, "dir/target", AT_FDCWD, "hard", 0));
	CALL("by_file", openat, AT_FDCWD, "link-file", O_RDONLY);
	CALL("by_dir", openat, AT_FDCWD, "link-dir/target", O_RDONLY);
	CALL("by_hard", openat, AT_FDCWD, "hard", O_RDONLY);
	CALL("nofollow", openat, AT_FDCWD, "link-file", O_RDONLY | O_NOFOLLOW);
	CALL("dotdot", openat, AT_FDCWD, "link-dir/../dir/target", O_RDONLY);
}

/* The same file by the way of the process's own root. */
static void do_proc_root(int argc, char **argv)
{
	char path[4200], cwd[2000];

	(void)argc;
	(void)argv;
	make_file("target", "text", 0644);
	if (!getcwd(cwd, sizeof(cwd)))
		fail("getcwd");
	snprintf(path, sizeof(path), "/proc/self/root%s/target", cwd);
	CALL("by_root", openat, AT_FDCWD, path, O_RDONLY);
	CALL("by_cwd", openat, AT_FDCWD, "/proc/self/cwd/target", O_RDONLY);
	CALL("proc", openat, AT_FDCWD, "/proc/self/status", O_RDONLY);
}

/* The root directory itself, which is only written to in a container. */
static void do_own_root(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	CALL("made", openat, AT_FDCWD, "/made", O_RDWR | O_CREAT, 0600);
	CALL("passwd", openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
	CALL("up", openat, AT_FDCWD, "/../../etc/passwd", O_RDONLY | O_CLOEXEC);
}

static void do_bind_mount(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	MUST(mkdirat(AT_FDCWD, "from", 0755));
	MUST(mkdirat(AT_FDCWD, "from/sub", 0755));
	MUST(mkdirat(AT_FDCWD, "to", 0755));
	make_file("from/sub/file", "text", 0644);
	own_mounts();
	CALL("bind", mount, "from/sub", "to", NULL, MS_BIND, NULL);
	CALL("opened", openat, AT_FDCWD, "to/file", O_RDONLY);
	MUST(chdir("to"));
	CALL("by_cwd", openat, AT_FDCWD, "file", O_RDONLY);
	MUST(chdir(".."));
	CALL("umount", umount2, "to", MNT_DETACH);
	CALL("bad", umount2, "to", 0);
}

static void do_chroot(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	need_static();
	MUST(mkdirat(AT_FDCWD, "root", 0755));
	MUST(mkdirat(AT_FDCWD, "root/etc", 0755));
	make_file("root/etc/file", "text", 0644);
	make_file("outside", "text", 0644);
	long fd = MUST(open(".", O_PATH | O_DIRECTORY));
	done("fd", fd);
	copy_self("root/copy");
	CALL("missing", chroot, "no-such");
	CALL("chroot", chroot, "root");
	CALL("absolute", openat, AT_FDCWD, "/etc/file", O_RDONLY);
	CALL("absent", openat, AT_FDCWD, "/etc/nothing", O_RDONLY);
	CALL("outside", openat, fd, "outside", O_RDONLY);
	MUST(chdir("/"));
	CALL("relative", openat, AT_FDCWD, "etc/file", O_RDONLY);
	long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		char *args[] = {"jailed", "nothing", NULL};
		execve("/copy", args, self_environment);
		_exit(1);
	}
	done("jailed", pid);
	wait_for(pid);
}

static void do_pivot_root(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	MUST(mkdirat(AT_FDCWD, "root", 0755));
	own_mounts();
	CALL("mount", mount, "a-tmpfs", "root", "tmpfs", MS_NOSUID | MS_NODEV, "size=1m");
	MUST(mkdirat(AT_FDCWD, "root/old", 0755));
	make_file("root/file", "text", 0644);
	MUST(chdir("root"));
	CALL("pivot", pivot_root, ".", "old");
	MUST(chdir("/"));
	CALL("opened", openat, AT_FDCWD, "/file", O_RDONLY);
	CALL("old", openat, AT_FDCWD, "/old/dev/null", O_RDONLY);
	CALL("bad", pivot_root, "/no-such", "/old");
}

static void start_in_child(const char *name, char *path)
{
	char *args[] = {path, "nothing", NULL};
	long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (pid == 0) {
		execve(path, args, self_environment);
		fail(path);
	}
	done(name, pid);
	wait_for(pid);
}

/* Files of both layers of an overlay. */
static void do_overlay(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	own_mounts();
	MUST(mkdirat(AT_FDCWD, "o", 0755));
	MUST(mount("none", "o", "tmpfs", 0, NULL));
	MUST(chdir("o"));
	MUST(mkdirat(AT_FDCWD, "lower", 0755));
	MUST(mkdirat(AT_FDCWD, "upper", 0755));
	MUST(mkdirat(AT_FDCWD, "work", 0755));
	MUST(mkdirat(AT_FDCWD, "merged", 0755));
	copy_self("lower/old");
	if (mount("none", "merged", "overlay", 0, "lowerdir=lower,upperdir=upper,workdir=work"))
		skip("no overlay here: %s", strerror(errno));
	copy_self("merged/new");
	CALL("lower", openat, AT_FDCWD, "merged/old", O_RDONLY);
	CALL("upper", openat, AT_FDCWD, "merged/new", O_RDONLY);
	start_in_child("run_lower", "merged/old");
	start_in_child("run_upper", "merged/new");
}

/* The new mount interface, from a file system of its own to a place in the tree. */
static void do_new_mount(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	MUST(mkdirat(AT_FDCWD, "at", 0755));
	MUST(mkdirat(AT_FDCWD, "copy", 0755));
	own_mounts();
	long fs = CALL("fsopen", fsopen, "tmpfs", 1 /* FSOPEN_CLOEXEC */);
	if (fs == -ENOSYS || fs == -EPERM)
		skip("no fsopen here");
	CALL("nosuch", fsopen, "no-such-fs", 0);
	CALL("set", fsconfig, fs, 1 /* FSCONFIG_SET_STRING */, "size", "1m", 0);
	CALL("create", fsconfig, fs, 6 /* FSCONFIG_CMD_CREATE */, NULL, NULL, 0);
	long mnt = MUST(syscall(SYS_fsmount, fs, 1 /* FSMOUNT_CLOEXEC */, 0));
	done("mnt", mnt);
	CALL("move", move_mount, mnt, "", AT_FDCWD, "at", 4 /* MOVE_MOUNT_F_EMPTY_PATH */);
	CALL("opened", openat, AT_FDCWD, "at/file", O_RDWR | O_CREAT, 0600);
	CALL("tree", open_tree, AT_FDCWD, "at", 1 /* OPEN_TREE_CLONE */);
	CALL("tree_attr", open_tree_attr, AT_FDCWD, "nothing", 0, NULL, 0);
	CALL("bad_move", move_mount, AT_FDCWD, "copy", AT_FDCWD, "at", 0);
}

const struct command place_commands[] = {
        {"chdir", do_chdir},         {"symlink-path", do_symlink_path},
        {"proc-root", do_proc_root}, {"own-root", do_own_root},
        {"overlay", do_overlay},     {"bind-mount", do_bind_mount},
        {"chroot", do_chroot},       {"pivot-root", do_pivot_root},
        {"new-mount", do_new_mount}, COMMANDS_END,
};
