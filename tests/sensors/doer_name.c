/* SPDX-License-Identifier: Apache-2.0 */
#include "doer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#if !defined(SYS_fchmodat2)
#define SYS_fchmodat2 452
#endif
#if !defined(SYS_setxattrat)
#define SYS_setxattrat 463
#endif
#if !defined(SYS_file_setattr)
#define SYS_file_setattr 469
#endif

/* ---- names ---- */
static void do_rename(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	make_file("a", "a", 0644);
	make_file("b", "b", 0644);
	MUST(mkdirat(AT_FDCWD, "dir", 0755));
	long dir = MUST(open("dir", O_PATH | O_DIRECTORY));
	done("dir", dir);
#if defined(SYS_rename)
	CALL("rename", rename, "a", "a2");
	CALL("missing", rename, "nothing", "a3");
	CALL("back", rename, "a2", "a");
#endif
	CALL("renameat", renameat, AT_FDCWD, "a", dir, "in-dir");
	CALL("noreplace", renameat2, dir, "in-dir", AT_FDCWD, "b", 1 /* RENAME_NOREPLACE */);
	CALL("exchange", renameat2, dir, "in-dir", AT_FDCWD, "b", 2 /* RENAME_EXCHANGE */);
}

static void do_link(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	make_file("a", "a", 0644);
	MUST(mkdirat(AT_FDCWD, "dir", 0755));
	long dir = MUST(open("dir", O_PATH | O_DIRECTORY));
	done("dir", dir);
#if defined(SYS_link)
	CALL("link", link, "a", "a-link");
	CALL("link_missing", link, "nothing", "x");
	CALL("symlink", symlink, "../to/any/where", "a-symlink");
	CALL("symlink_exists", symlink, "anything", "a");
#endif
	CALL("linkat", linkat, AT_FDCWD, "a", dir, "hard", 0x400 /* AT_SYMLINK_FOLLOW */);
	CALL("symlinkat", symlinkat, "target", dir, "soft");
	CALL("badfd", symlinkat, "target", 999, "soft");
}

static void do_unlink(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	make_file("a", "a", 0644);
	make_file("b", "b", 0644);
	MUST(mkdirat(AT_FDCWD, "dir", 0755));
	MUST(mkdirat(AT_FDCWD, "dir/sub", 0755));
	long dir = MUST(open("dir", O_PATH | O_DIRECTORY));
	done("dir", dir);
#if defined(SYS_unlink)
	CALL("unlink", unlink, "a");
	CALL("unlink_dir", unlink, "dir");
	CALL("rmdir_full", rmdir, "dir");
#endif
	CALL("unlinkat", unlinkat, AT_FDCWD, "b", 0);
	CALL("removedir", unlinkat, dir, "sub", 0x200 /* AT_REMOVEDIR */);
#if defined(SYS_rmdir)
	CALL("rmdir", rmdir, "dir");
#endif
}

static void do_mkdir(int argc, char **argv)
{
	(void)argc;
	(void)argv;
#if defined(SYS_mkdir)
	CALL("mkdir", mkdir, "dir", 0755);
	CALL("mkdir_exists", mkdir, "dir", 0700);
#else
	MUST(mkdirat(AT_FDCWD, "dir", 0755));
#endif
	long dir = MUST(open("dir", O_PATH | O_DIRECTORY));
	done("dir", dir);
	CALL("mkdirat", mkdirat, dir, "sub", 01777);
	CALL("mkdirat_missing", mkdirat, dir, "no/sub", 0700);
#if defined(SYS_mknod)
	CALL("mknod", mknod, "pipe", S_IFIFO | 0600, 0);
#endif
	CALL("mknodat", mknodat, dir, "device", S_IFCHR | 0666, makedev(1, 3));
	CALL("mknodat_exists", mknodat, AT_FDCWD, "dir", S_IFREG | 0600, 0);
}

static void do_truncate(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	make_file("a", "some text", 0644);
	CALL("truncate", truncate, "a", 4);
	CALL("truncate_missing", truncate, "nothing", 0);
	long fd = MUST(open("a", O_RDWR));
	done("fd", fd);
	CALL("ftruncate", ftruncate, fd, 70000);
	CALL("ftruncate_bad", ftruncate, fd, -1L);
}

/* ---- modes and owners ---- */
static void do_chmod(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	make_file("a", "a", 0644);
	long fd = MUST(open("a", O_RDONLY));
	done("fd", fd);
#if defined(SYS_chmod)
	CALL("chmod", chmod, "a", 04755);
	CALL("chmod_missing", chmod, "nothing", 0600);
#endif
	CALL("fchmod", fchmod, fd, 0600);
	CALL("fchmodat", fchmodat, AT_FDCWD, "a", 02711);
	CALL("fchmodat2", fchmodat2, AT_FDCWD, "a", 0640, 0x100 /* AT_SYMLINK_NOFOLLOW */);
}

static void do_chown(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	make_file("a", "a", 0644);
	MUST(symlinkat("a", AT_FDCWD, "link"));
	long fd = MUST(open("a", O_RDONLY));
	done("fd", fd);
#if defined(SYS_chown)
	CALL("chown", chown, "a", 1000, 1001);
	CALL("lchown", lchown, "link", 1002, -1);
	CALL("chown_missing", chown, "nothing", 0, 0);
#endif
	CALL("fchown", fchown, fd, -1, 1003);
	CALL("fchownat", fchownat, AT_FDCWD, "link", 1004, 1005, 0x100 /* AT_SYMLINK_NOFOLLOW */);
}

static void do_setxattr(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	make_file("a", "a", 0644);
	long fd = MUST(open("a", O_RDONLY));
	done("fd", fd);
	CALL("setxattr", setxattr, "a", "trusted.picket", "value", 5, 0);
	CALL("lsetxattr", lsetxattr, "a", "trusted.picket.l", "valu", 4, 0);
	CALL("fsetxattr", fsetxattr, fd, "trusted.picket.f", "val", 3, 0);
	CALL("capability", setxattr, "a", "security.capability", "bad", 3, 0);
	struct {
		uint64_t value;
		uint32_t size, flags;
	} value = {(uintptr_t) "value", 5, 0};
	CALL("setxattrat", setxattrat, AT_FDCWD, "a", 0, "trusted.picket.at", &value, sizeof(value));
	struct {
		uint64_t xflags;
		uint32_t extsize, nextents, projid, cowextsize;
	} attributes = {0};
	CALL("file_setattr", file_setattr, AT_FDCWD, "nothing", &attributes, sizeof(attributes), 0);
}

const struct command name_commands[] = {
        {"rename", do_rename}, {"link", do_link},         {"unlink", do_unlink},
        {"mkdir", do_mkdir},   {"truncate", do_truncate}, {"chmod", do_chmod},
        {"chown", do_chown},   {"setxattr", do_setxattr}, COMMANDS_END,
};
