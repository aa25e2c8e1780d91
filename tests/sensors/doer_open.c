/* SPDX-License-Identifier: Apache-2.0 */
#include "doer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

static void do_openat(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	make_file("old", "text", 0644);
	CALL("created", openat, AT_FDCWD, "new", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	CALL("exists", openat, AT_FDCWD, "new", O_RDWR | O_CREAT | O_EXCL, 0640);
	CALL("read", openat, AT_FDCWD, "old", O_RDONLY);
	CALL("truncated", openat, AT_FDCWD, "old", O_WRONLY | O_TRUNC | O_APPEND);
	CALL("missing", openat, AT_FDCWD, "no/such/file", O_RDONLY);
	CALL("directory", openat, AT_FDCWD, ".", O_RDONLY | O_DIRECTORY);
	CALL("nameless", openat, AT_FDCWD, ".", O_RDWR | O_TMPFILE, 0600);
	CALL("pathonly", openat, AT_FDCWD, "old", O_PATH);
	CALL("badfd", openat, 999, "old", O_RDONLY);
	CALL("null", openat, AT_FDCWD, "/dev/null", O_WRONLY);
	CALL("fault", openat, AT_FDCWD, (char *)8, O_RDONLY);
	CALL("empty", openat, AT_FDCWD, "", O_RDONLY);
}

static void do_openat2(int argc, char **argv)
{
	struct open_how how = {.flags = O_WRONLY | O_CREAT, .mode = 0600, .resolve = RESOLVE_NO_SYMLINKS};
	struct open_how beneath = {.flags = O_RDONLY, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};

	(void)argc;
	(void)argv;
	CALL("created", openat2, AT_FDCWD, "new", &how, sizeof(how));
	CALL("escape", openat2, AT_FDCWD, "/etc/passwd", &beneath, sizeof(beneath));
	CALL("size", openat2, AT_FDCWD, "new", &how, 3);
}

static void do_open(int argc, char **argv)
{
	(void)argc;
	(void)argv;
#if defined(SYS_open)
	CALL("created", open, "new", O_RDWR | O_CREAT, 0604);
	CALL("missing", open, "no-such", O_RDONLY);
	CALL("creat", creat, "created", 0751);
	CALL("creat_fails", creat, "no/created", 0600);
#else
	skip("this machine has no open and creat");
#endif
}

static void do_open_by_handle(int argc, char **argv)
{
	struct {
		struct file_handle handle;
		unsigned char bytes[MAX_HANDLE_SZ];
	} handle = {.handle.handle_bytes = MAX_HANDLE_SZ};
	int mount_id;

	(void)argc;
	(void)argv;
	make_file("target", "text", 0644);
	long mountfd = MUST(open(".", O_RDONLY | O_DIRECTORY));
	if (syscall(SYS_name_to_handle_at, AT_FDCWD, "target", &handle, &mount_id, 0))
		skip("this file system has no handles: %s", strerror(errno));
	done("mountfd", mountfd);
	long fd = CALL("opened", open_by_handle_at, mountfd, &handle, O_RDONLY | O_CLOEXEC);
	if (fd == -EPERM)
		skip("open_by_handle_at is not allowed here");
	handle.handle.handle_bytes = 1000; /* more than may be */
	CALL("stale", open_by_handle_at, mountfd, &handle, O_RDONLY);
}

static void do_memfd(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	CALL("memfd", memfd_create, "a memory file", 3u /* MFD_CLOEXEC | MFD_ALLOW_SEALING */);
	CALL("bad", memfd_create, "bad", 0x7000u);
}

static void do_dup(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	make_file("target", "text", 0644);
	long fd = CALL("fd", openat, AT_FDCWD, "target", O_RDONLY);
	CALL("dup", dup, fd);
#if defined(SYS_dup2)
	CALL("dup2", dup2, fd, 50);
#endif
	CALL("dup3", dup3, fd, 51, O_CLOEXEC);
	CALL("bad", dup, 999);
	CALL("same", dup3, fd, fd, 0);
}

static void do_pidfd(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	make_file("target", "text", 0644);
	long fd = CALL("fd", openat, AT_FDCWD, "target", O_RDONLY);
	long pidfd = CALL("pidfd", pidfd_open, getpid(), 0);
	CALL("taken", pidfd_getfd, pidfd, fd, 0);
	CALL("bad_getfd", pidfd_getfd, pidfd, 999, 0);
	CALL("signal", pidfd_send_signal, pidfd, 0, NULL, 0);
	CALL("bad_open", pidfd_open, -1, 0);
}

/* ---- a long path, a deep path ---- */
static void do_open_long(int argc, char **argv)
{
	static char path[4096];
	size_t length = 0;

	(void)argc;
	(void)argv;
	make_file("file", "text", 0644);
	while (length + 2 + strlen("file") < sizeof(path) - 1) {
		path[length++] = '.';
		path[length++] = '/';
	}
	if ((sizeof(path) - 1 - length - strlen("file")) == 1)
		path[length++] = '/';
	memcpy(path + length, "file", sizeof("file"));
	note("length", "%zu", strlen(path));
	CALL("opened", openat, AT_FDCWD, path, O_RDONLY);
}

static void do_open_deep(int argc, char **argv)
{
	char name[251];

	(void)argc;
	(void)argv;
	memset(name, 'd', sizeof(name) - 1);
	name[250] = '\0';
	for (int i = 0; i < 20; i++) { /* more than 4,096 bytes of path */
		MUST(mkdirat(AT_FDCWD, name, 0755));
		MUST(chdir(name));
	}
	CALL("opened", openat, AT_FDCWD, "bottom", O_RDWR | O_CREAT, 0600);
	CALL("missing", openat, AT_FDCWD, "nothing", O_RDONLY);
}

/* ---- after the name is gone ---- */
static void do_open_deleted(int argc, char **argv)
{
	char link[64] = "/proc/self/fd/";

	(void)argc;
	(void)argv;
	long fd = MUST(open("gone", O_RDWR | O_CREAT, 0600));
	MUST(unlink("gone"));
	link[14] = (char)('0' + fd);
	CALL("again", openat, AT_FDCWD, link, O_RDONLY);
	CALL("fchmod", fchmod, fd, 0640);
}

static void do_open_relative(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	MUST(mkdirat(AT_FDCWD, "sub", 0755));
	make_file("sub/file", "text", 0644);
	make_file("file", "text", 0644);
	long fd = CALL("dirfd", openat, AT_FDCWD, "sub", O_PATH | O_DIRECTORY);
	CALL("by_dirfd", openat, fd, "file", O_RDONLY);
	CALL("up", openat, fd, "../file", O_RDONLY);
	CALL("missing", openat, fd, "nothing", O_RDONLY);
	CALL("absolute", openat, fd, "/dev/null", O_RDONLY);
	MUST(chdir("sub"));
	CALL("by_cwd", openat, AT_FDCWD, "file", O_WRONLY);
	CALL("up_cwd", openat, AT_FDCWD, ".././/sub/../file", O_WRONLY);
}

const struct command open_commands[] = {
        {"openat", do_openat},
        {"openat2", do_openat2},
        {"open", do_open},
        {"open-by-handle", do_open_by_handle},
        {"memfd", do_memfd},
        {"dup", do_dup},
        {"pidfd", do_pidfd},
        {"open-long", do_open_long},
        {"open-deep", do_open_deep},
        {"open-deleted", do_open_deleted},
        {"open-relative", do_open_relative},
        COMMANDS_END,
};
