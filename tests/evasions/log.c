/* SPDX-License-Identifier: Apache-2.0
 *
 * A log cut without being opened for that. /var/log is a file system of the attempt's own.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "evasions.h"

#define LOG_RULE "System log removed or cut"
#define DESCRIPTOR_RULE "Descriptor's path used instead of a name"
#define LOG "/var/log/auth.log"
#define OTHER "/var/log/mine.log"

static void prepare(void)
{
	act_private_mounts();
	act_tmpfs("/var/log");
	act_write(OTHER, "line\n", 0640);
	int fd = (int)MUST(open(LOG, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
	MUST(write(fd, "line\n", 5));
	close(fd);
}

static void truncate_attempt(void)
{
	prepare();
	MUST(truncate(LOG, 0));
}

static void truncate_twin(void)
{
	prepare();
	MUST(truncate(OTHER, 0));
}

static void ftruncate_path(const char *path)
{
	prepare();
	int fd = (int)MUST(open(path, O_RDWR | O_CLOEXEC));
	MUST(ftruncate(fd, 0));
}

static void ftruncate_attempt(void)
{
	ftruncate_path(LOG);
}

static void ftruncate_twin(void)
{
	ftruncate_path(OTHER);
}

static void creat_path(const char *path)
{
#ifdef SYS_creat
	prepare();
	MUST(syscall(SYS_creat, path, 0640));
#else
	(void)path;
	act_skip("this machine has no creat");
#endif
}

static void creat_attempt(void)
{
	creat_path(LOG);
}

static void creat_twin(void)
{
	creat_path(OTHER);
}

static void truncate_link(const char *path)
{
	prepare();
	MUST(symlink(path, "notes"));
	MUST(truncate("notes", 0));
}

static void truncate_link_attempt(void)
{
	truncate_link(LOG);
}

static void truncate_link_twin(void)
{
	truncate_link(OTHER);
}

static void truncate_descriptor(bool by_path)
{
	prepare();
	int fd = (int)MUST(open(OTHER, O_RDWR | O_CLOEXEC));
	MUST(dup2(fd, 9));
	MUST(by_path ? truncate("/proc/self/fd/9", 0) : ftruncate(9, 0));
}

static void truncate_descriptor_attempt(void)
{
	truncate_descriptor(true);
}

static void truncate_descriptor_twin(void)
{
	truncate_descriptor(false);
}

static void unlink_through_link(const char *file)
{
	prepare();
	MUST(symlink("/var/log", "notes"));
	MUST(unlink(file));
}

static void unlink_attempt(void)
{
	unlink_through_link("notes/auth.log");
}

static void unlink_twin(void)
{
	unlink_through_link("notes/mine.log");
}

static void open_link(const char *path)
{
	prepare();
	MUST(symlink(path, "notes"));
	MUST(open("notes", O_WRONLY | O_TRUNC | O_CLOEXEC));
}

static void open_link_attempt(void)
{
	open_link(LOG);
}

static void open_link_twin(void)
{
	open_link(OTHER);
}

const struct evasion log_evasions[] = {
        {"truncate",
         "a log cut by truncate, never opened",
         LOG_RULE,
         {{"evt.type", "truncate"}},
         truncate_attempt,
         truncate_twin,
         NULL},
        {"ftruncate",
         "a log opened harmlessly and cut by ftruncate",
         LOG_RULE,
         {{"evt.type", "ftruncate"}},
         ftruncate_attempt,
         ftruncate_twin,
         NULL},
        {"creat",
         "a log cut by creat, which has no flags",
         LOG_RULE,
         {{"evt.type", "creat"}},
         creat_attempt,
         creat_twin,
         NULL},
        {"truncate-link",
         "a log cut by truncate under a symbolic link's name",
         LOG_RULE,
         {{"evt.type", "truncate"}},
         truncate_link_attempt,
         truncate_link_twin,
         NULL},
        {"truncate-fd-path",
         "a file cut by truncate under a path through /proc/self/fd",
         DESCRIPTOR_RULE,
         {{"evt.type", "truncate"}},
         truncate_descriptor_attempt,
         truncate_descriptor_twin,
         NULL},
        {"unlink-through-link",
         "a log removed through a symbolic link to its directory",
         LOG_RULE,
         {{"evt.type", "^unlink"}},
         unlink_attempt,
         unlink_twin,
         NULL},
        {"open-link",
         "a log cut by open under a symbolic link's name",
         LOG_RULE,
         {{"evt.type", "openat"}, {"fd.name", LOG}, {"fd.nameraw", "notes"}},
         open_link_attempt,
         open_link_twin,
         NULL},
        EVASIONS_END,
};
