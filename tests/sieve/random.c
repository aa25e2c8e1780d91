/* SPDX-License-Identifier: Apache-2.0
 *
 * Opens of many kinds, between changes of what is opened: in a small tree in memory over /opt, in a mount namespace of its own.
 * Whatever fails, fails both times.
 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "sieve.h"

#define CASE_ACTIONS 2500
#define REPEATS 6
#define PATH_BYTES 400
#define MOUNTS_MAX 12

static uint64_t state;

void random_begin(uint64_t seed)
{
	state = (seed + 1) * 0x9e3779b97f4a7c15ull;
}

unsigned random_below(unsigned limit)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)((state >> 32) % limit);
}

/* ---- names ---- */
static const char *const directories[] = {"cold",    "only",   "vault",   "hot",          "cold/b", "only/b",
                                          "vault/b", "hidden", "glob",    "own",          "cold/c", "glob/a",
                                          "regex",   "plain",  "plain/b", "plain/b/cache"};
static const char *const files[] = {
        "x",     "y",          "n.txt", "t.secret",          "target",     "tgt-1", "tgt-2.ok",    "zz", "plain", "123",
        "other", "no.missing", "link",  "\xc3\xa9t\xc3\xa9", "with blank", ".dot",  "library.so.6"};

static const char *directory_any(void)
{
	return directories[random_below(ARRAY_SIZE(directories))];
}

static const char *long_name(void)
{
	static char name[250];
	memset(name, 'l', sizeof(name) - 1);
	return name;
}

static const char *file_any(void)
{
	return random_below(60) ? files[random_below(ARRAY_SIZE(files))] : long_name();
}

/* In /opt: as its own names are. */
static void place_any(char path[PATH_BYTES])
{
	if (random_below(8))
		snprintf(path, PATH_BYTES, "/opt/%s/%s", directory_any(), file_any());
	else
		snprintf(path, PATH_BYTES, "/opt/%s", directory_any());
}

/* As somebody may ask for it. */
static void path_any(char path[PATH_BYTES])
{
	char place[PATH_BYTES];
	place_any(place);
	switch (random_below(12)) {
	case 0:
		snprintf(path, PATH_BYTES, "%s", file_any());
		break;
	case 1:
		snprintf(path, PATH_BYTES, "./%s", file_any());
		break;
	case 2:
		snprintf(path, PATH_BYTES, "../%s/%s", directory_any(), file_any());
		break;
	case 3:
		snprintf(path, PATH_BYTES, "/opt//%.200s", place + 5);
		break;
	case 4:
		snprintf(path, PATH_BYTES, "/opt/cold/../%.200s", place + 5);
		break;
	case 5:
		snprintf(path, PATH_BYTES, "%.200s/", place);
		break;
	case 6:
		snprintf(path, PATH_BYTES, "/opt/link/%s", file_any());
		break;
	default:
		snprintf(path, PATH_BYTES, "%s", place);
		break;
	}
}

/* ---- opens ---- */
static int flags_any(void)
{
	static const int rare[] = {
	        O_WRONLY,           O_RDWR,           O_PATH,   O_DIRECTORY,         O_NOFOLLOW,
	        O_CREAT | O_WRONLY, O_CREAT | O_EXCL, O_TRUNC,  O_APPEND | O_WRONLY, O_PATH | O_NOFOLLOW,
	        O_TMPFILE | O_RDWR, O_NONBLOCK,       O_NOATIME};
	return random_below(4) ? O_RDONLY : rare[random_below(ARRAY_SIZE(rare))];
}

static long open_how(unsigned how, int directory, const char *path, int flags)
{
	const struct open_how openat2_how = {.flags = (unsigned)flags,
	                                     .mode = flags & (O_CREAT | O_TMPFILE) & ~O_DIRECTORY ? 0644 : 0};
	switch (how) {
#ifdef SYS_open
	case 0:
		return syscall(SYS_open, path, flags, 0644);
	case 1:
		return syscall(SYS_creat, path, 0644);
#endif
	case 2:
		return syscall(SYS_openat2, directory, path, &openat2_how, sizeof(openat2_how));
	default:
		return syscall(SYS_openat, directory, path, flags, 0644);
	}
}

static void open_some(void)
{
	char path[PATH_BYTES], from[PATH_BYTES];
	unsigned how = random_below(12), times = 1 + random_below(REPEATS);
	int flags = flags_any() | O_CLOEXEC, directory = AT_FDCWD;
	path_any(path);
	if (random_below(3) == 0) {
		snprintf(from, sizeof(from), "/opt/%s", directory_any());
		directory = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (how == 1 && random_below(4))
		how = 3;
	for (unsigned i = 0; i < times; i++) {
		long fd = open_how(how, directory, path, flags);
		if (fd >= 0)
			close((int)fd);
	}
	if (directory >= 0)
		close(directory);
}

/* ---- changes ---- */
static void make(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	if (fd >= 0)
		close(fd);
}

static void mount_some(const char *from, const char *to)
{
	static unsigned mounts;
	if (mounts == MOUNTS_MAX || random_below(3) == 0) {
		mounts -= umount2(to, MNT_DETACH) == 0;
		return;
	}
	mounts += (random_below(2) ? mount(from, to, NULL, MS_BIND, NULL)
	                           : mount("tmpfs", to, "tmpfs", 0, "size=1m")) == 0;
}

static void change_some(void)
{
	char from[PATH_BYTES], to[PATH_BYTES];
	place_any(from);
	place_any(to);
	switch (random_below(12)) {
	case 0:
	case 1:
		(void)!rename(from, to);
		break;
	case 2:
		(void)!syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE);
		break;
	case 3:
		(void)!link(from, to);
		break;
	case 4:
		(void)!unlink("/opt/link");
		(void)!symlink(from, random_below(2) ? "/opt/link" : to);
		break;
	case 5:
		(void)!unlink(to);
		break;
	case 6:
		(void)!mkdir(to, 0755);
		break;
	case 7:
		mount_some(from, to);
		break;
	case 8:
		(void)!chdir(from);
		break;
	case 9:
		(void)!mknod(to, S_IFCHR | 0644, makedev(1, 3));
		break;
	default:
		make(to);
		break;
	}
}

/* ---- processes ---- */
static void act_some(unsigned actions)
{
	for (unsigned i = 0; i < actions; i++)
		if (random_below(5))
			open_some();
		else
			change_some();
}

static void in_child(void (*change)(void), unsigned actions)
{
	pid_t pid = act_fork();
	if (pid == 0) {
		change();
		act_some(actions);
		_exit(0);
	}
	act_wait(pid);
}

static void change_group(void)
{
	MUST(setresgid(65534, 65534, 65534));
}

static void change_user(void)
{
	MUST(setresuid(65534, 65534, 65534));
}

static void change_root(void)
{
	(void)!mkdir("/opt/plain/opt", 0755);
	(void)!mkdir("/opt/plain/opt/hot", 0755);
	make("/opt/plain/opt/hot/x");
	if (chroot("/opt/plain") == 0)
		(void)!chdir("/");
}

static void change_mounts(void)
{
	MUST(unshare(CLONE_NEWNS));
}

static void begin(uint64_t seed)
{
	char path[PATH_BYTES];
	random_begin(seed);
	act_private_mounts();
	act_tmpfs("/opt");
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
		snprintf(path, sizeof(path), "/opt/%s", directories[i]);
		(void)!mkdir(path, 0755);
	}
	for (unsigned i = 0; i < 60; i++) {
		place_any(path);
		make(path);
	}
	MUST(chdir("/opt"));
}

void random_act(uint64_t seed, unsigned actions)
{
	begin(seed);
	act_some(actions / 2);
	in_child(change_group, actions / 10);
	in_child(change_root, actions / 10);
	in_child(change_mounts, actions / 10);
	in_child(change_user, actions / 10);
	act_some(actions / 2);
}

static void random_1(void)
{
	random_act(1, CASE_ACTIONS);
}

static void random_2(void)
{
	random_act(2, CASE_ACTIONS);
}

static void random_3(void)
{
	random_act(3, CASE_ACTIONS);
}

#define CASE(number) \
	{ \
		.name = "random-" #number, .what = "opens of many kinds", "Sieve: directory", {{NULL, NULL}}, \
		random_##number, NULL, NULL \
	}
const struct evasion random_cases[] = {CASE(1), CASE(2), CASE(3), EVASIONS_END};
