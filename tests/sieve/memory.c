/* SPDX-License-Identifier: Apache-2.0
 *
 * All of it happens in a file system in memory over /opt, in a mount namespace of its own.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "sieve.h"

#define OPENS 300 /* far more than a process's events that tell user space something */
#define TELL_PAUSE_US 1000
#define HOT "Sieve: hot file"
#define LONGEST "/opt/a-name-of-62-bytes-the-longest-that-any-sieve-remembers-x" /* see OPENED_TEXT_MAX */

static void enter(void)
{
	act_private_mounts();
	act_tmpfs("/opt");
	MUST(mkdir("/opt/cold", 0755));
	act_write("/opt/cold/x", "x", 0644);
}

static void open_close(int directory, const char *path, int flags)
{
	close((int)MUST(openat(directory, path, flags | O_CLOEXEC)));
}

static void warm(int directory, const char *path)
{
	for (int i = 0; i < OPENS; i++)
		open_close(directory, path, O_RDONLY);
}

/* By its absolute name, and by its last component from the directory that it lies in. */
static void warm_cold(void)
{
	warm(AT_FDCWD, "/opt/cold/x");
	MUST(chdir("/opt/cold"));
	warm(AT_FDCWD, "x");
}

static void again(void)
{
	open_close(AT_FDCWD, "x", O_RDONLY);
}

/* ---- it gets another name ---- */
static void file_renamed(void)
{
	enter();
	MUST(mkdir("/opt/hot", 0755));
	warm_cold();
	MUST(rename("/opt/cold/x", "/opt/hot/x"));
	open_close(AT_FDCWD, "/opt/hot/x", O_RDONLY);
}

static void name_changed(void)
{
	enter();
	warm_cold();
	MUST(rename("/opt/cold/x", "/opt/cold/x.secret"));
	open_close(AT_FDCWD, "x.secret", O_RDONLY);
}

static void parent_renamed(void)
{
	enter();
	warm_cold();
	MUST(rename("/opt/cold", "/opt/hot"));
	again();
}

static void parent_renamed_and_back(void)
{
	enter();
	warm_cold();
	MUST(rename("/opt/cold", "/opt/hot"));
	again();
	MUST(rename("/opt/hot", "/opt/cold"));
	warm(AT_FDCWD, "x");
	MUST(rename("/opt/cold", "/opt/hot"));
	again();
}

static void parent_of_descriptor_renamed(void)
{
	enter();
	int directory = (int)MUST(open("/opt/cold", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	warm(directory, "x");
	MUST(rename("/opt/cold", "/opt/hot"));
	open_close(directory, "x", O_RDONLY);
}

static void grandparent_renamed(void)
{
	enter();
	MUST(mkdir("/opt/cold/b", 0755));
	act_write("/opt/cold/b/x", "x", 0644);
	MUST(chdir("/opt/cold/b"));
	warm(AT_FDCWD, "x");
	MUST(rename("/opt/cold", "/opt/hot"));
	again();
}

static void directories_exchanged(void)
{
	enter();
	MUST(mkdir("/opt/hot", 0755));
	warm_cold();
	MUST(syscall(SYS_renameat2, AT_FDCWD, "/opt/cold", AT_FDCWD, "/opt/hot", RENAME_EXCHANGE));
	again();
}

static void linked(void)
{
	enter();
	MUST(mkdir("/opt/hot", 0755));
	warm_cold();
	MUST(link("/opt/cold/x", "/opt/hot/x"));
	open_close(AT_FDCWD, "/opt/hot/x", O_RDONLY);
}

static void moved_by_links(void)
{
	enter();
	MUST(mkdir("/opt/hot", 0755));
	warm_cold();
	MUST(link("/opt/cold/x", "/opt/hot/x"));
	MUST(unlink("/opt/cold/x"));
	MUST(chdir("/opt/hot"));
	again();
}

/* ---- another way leads to it ---- */
static void same_text_elsewhere(void)
{
	enter();
	MUST(mkdir("/opt/hot", 0755));
	act_write("/opt/hot/x", "x", 0644);
	warm_cold();
	MUST(chdir("/opt/hot"));
	again();
}

static void symlink_changed(void)
{
	enter();
	MUST(mkdir("/opt/hot", 0755));
	act_write("/opt/hot/x", "x", 0644);
	MUST(symlink("cold/x", "/opt/link"));
	warm(AT_FDCWD, "/opt/link");
	MUST(unlink("/opt/link"));
	MUST(symlink("hot/x", "/opt/link"));
	open_close(AT_FDCWD, "/opt/link", O_RDONLY);
}

static void linked_directory_changed(void)
{
	enter();
	MUST(mkdir("/opt/hot", 0755));
	act_write("/opt/hot/x", "x", 0644);
	MUST(symlink("cold", "/opt/link"));
	warm(AT_FDCWD, "/opt/link/x");
	MUST(unlink("/opt/link"));
	MUST(symlink("hot", "/opt/link"));
	open_close(AT_FDCWD, "/opt/link/x", O_RDONLY);
}

static void mount_moved(void)
{
	enter();
	MUST(mkdir("/opt/hot", 0755));
	MUST(mount("tmpfs", "/opt/cold", "tmpfs", 0, "mode=755,size=1m"));
	act_write("/opt/cold/x", "x", 0644);
	warm_cold();
	MUST(mount("/opt/cold", "/opt/hot", NULL, MS_MOVE, NULL));
	again();
}

static void below_mount_point_renamed(void)
{
	enter();
	MUST(mkdir("/opt/cold/m", 0755));
	MUST(mount("tmpfs", "/opt/cold/m", "tmpfs", 0, "mode=755,size=1m"));
	act_write("/opt/cold/m/x", "x", 0644);
	MUST(chdir("/opt/cold/m"));
	warm(AT_FDCWD, "x");
	MUST(rename("/opt/cold", "/opt/hot"));
	again();
}

static void mounted_over(void)
{
	enter();
	warm(AT_FDCWD, "/opt/cold/x");
	MUST(mount("tmpfs", "/opt/cold", "tmpfs", 0, "mode=755,size=1m"));
	MUST(mknod("/opt/cold/x", S_IFCHR | 0644, makedev(1, 3)));
	open_close(AT_FDCWD, "/opt/cold/x", O_RDONLY);
}

static void bind_mounted_over(void)
{
	enter();
	MUST(mkdir("/opt/hot", 0755));
	act_write("/opt/hot/x", "x", 0644);
	warm(AT_FDCWD, "/opt/cold/x");
	MUST(mount("/opt/hot/x", "/opt/cold/x", NULL, MS_BIND, NULL));
	open_close(AT_FDCWD, "/opt/cold/x", O_RDONLY);
	MUST(umount2("/opt/cold/x", MNT_DETACH));
	warm(AT_FDCWD, "/opt/cold/x");
	open_close(AT_FDCWD, "/opt/hot/x", O_RDONLY);
}

static void in_chroot(void)
{
	enter();
	MUST(chroot("/opt"));
	MUST(chdir("/cold"));
	warm(AT_FDCWD, "/cold/x");
	warm(AT_FDCWD, "x");
	MUST(rename("/cold", "/hot"));
	again();
}

/* ---- another file stands there ---- */
static void replaced(void)
{
	enter();
	warm_cold();
	MUST(unlink("/opt/cold/x"));
	MUST(mknod("/opt/cold/x", S_IFCHR | 0644, makedev(1, 3)));
	again();
}

static void replaced_by_rename(void)
{
	enter();
	warm_cold();
	MUST(mknod("/opt/cold/y", S_IFCHR | 0644, makedev(1, 3)));
	MUST(rename("/opt/cold/y", "/opt/cold/x"));
	again();
}

static void replaced_by_directory(void)
{
	enter();
	MUST(mkdir("/opt/vault", 0755));
	act_write("/opt/vault.d", "x", 0644);
	warm(AT_FDCWD, "/opt/vault.d");
	MUST(unlink("/opt/vault.d"));
	MUST(mkdir("/opt/vault.d", 0755));
	open_close(AT_FDCWD, "/opt/vault.d", O_RDONLY);
}

static void made_again(void)
{
	enter();
	warm_cold();
	MUST(unlink("/opt/cold/x"));
	act_write("/opt/cold/x", "x", 0644);
	warm(AT_FDCWD, "x");
}

static void opened_for_writing(void)
{
	enter();
	warm_cold();
	open_close(AT_FDCWD, "x", O_WRONLY);
}

static void asked_in_another_way(void)
{
	enter();
	warm_cold();
	open_close(AT_FDCWD, "./x", O_RDONLY);
}

/* Two links lead to it, the name of one is the beginning of the other's. */
static void asked_by_longer(const char *text)
{
	char longer[128];

	snprintf(longer, sizeof(longer), "%s.named", text);
	enter();
	MUST(symlink("cold/x", text));
	MUST(symlink("cold/x", longer));
	warm(AT_FDCWD, text);
	open_close(AT_FDCWD, longer, O_RDONLY);
}

static void asked_by_another_word(void)
{
	asked_by_longer("/opt/abc");
}

static void asked_by_longest(void)
{
	asked_by_longer(LONGEST);
}

/* ---- another process, or as good as another ---- */
/* User space tells what it knows of a process some milliseconds after the events that made it do so. */
static void warm_until_told(void)
{
	for (int i = 0; i < OPENS; i++) {
		open_close(AT_FDCWD, "x", O_RDONLY);
		usleep(TELL_PAUSE_US);
	}
}

static void enter_own(void)
{
	enter();
	MUST(mkdir("/opt/own", 0755));
	act_write("/opt/own/x", "x", 0644);
	warm(AT_FDCWD, "/opt/own/x");
	MUST(chdir("/opt/own"));
	warm_until_told();
}

static void process_elsewhere(void)
{
	enter_own();
	MUST(mkdir("/opt/hot", 0755));
	MUST(mkdir("/opt/plain", 0755));
	act_write("/opt/plain/x", "x", 0644);
	warm(AT_FDCWD, "/opt/plain/x");
	MUST(chdir("/opt/hot"));
	open_close(AT_FDCWD, "/opt/plain/x", O_RDONLY);
}

static void child_of_another_group(void)
{
	enter_own();
	pid_t pid = act_fork();
	if (pid == 0) {
		warm_until_told();
		MUST(setresgid(65534, 65534, 65534));
		again();
		_exit(0);
	}
	act_wait(pid);
	warm(AT_FDCWD, "x");
}

static void user_changed(void)
{
	enter_own();
	MUST(setresuid(65534, 65534, 65534));
	again();
}

/* What the kernel was told of it leaves other rules. */
static void process_opens_another(void)
{
	enter_own();
	MUST(mkdir("/opt/hot", 0755));
	act_write("/opt/hot/x", "x", 0644);
	open_close(AT_FDCWD, "/opt/hot/x", O_RDONLY);
}

/* Credentials of one thread alone. */
static void *live_as_nobody(void *argument)
{
	warm_until_told();
	syscall(SYS_setresuid, 65534, 65534, 65534);
	again();
	return argument;
}

static void user_of_thread_changed(void)
{
	pthread_t thread;
	enter_own();
	if (pthread_create(&thread, NULL, live_as_nobody, NULL) != 0)
		act_fail("pthread_create");
	pthread_join(thread, NULL);
	warm(AT_FDCWD, "x");
}

static void program_changed(void)
{
	enter_own();
	act_copy("/bin/cat", "/opt/hot-process", 0755);
	execl("/opt/hot-process", "hot-process", "x", (char *)NULL);
	act_fail("execl");
}

#define CASE(function, text, rule, field, value) \
	{ \
		.name = #function, .what = text, rule, {{field, value}}, function, NULL, NULL \
	}
const struct evasion memory_cases[] = {
        CASE(file_renamed, "a file renamed", HOT, "fd.name", "/opt/hot/x"),
        CASE(name_changed, "its name changed in its directory", "Sieve: suffix", "fd.name", "/opt/cold/x.secret"),
        CASE(parent_renamed, "its directory renamed", HOT, "fd.name", "/opt/hot/x"),
        CASE(parent_renamed_and_back, "its directory renamed, back, and again", HOT, "fd.name", "/opt/hot/x"),
        CASE(parent_of_descriptor_renamed, "its directory, which is open, renamed", HOT, "fd.name", "/opt/hot/x"),
        CASE(grandparent_renamed, "the directory above its own renamed", HOT, "fd.name", "/opt/hot/b/x"),
        CASE(directories_exchanged, "its directory exchanged for another", HOT, "fd.name", "/opt/hot/x"),
        CASE(linked, "a hard link", HOT, "fd.name", "/opt/hot/x"),
        CASE(moved_by_links, "a hard link, and the first name removed", HOT, "fd.name", "/opt/hot/x"),
        CASE(same_text_elsewhere, "the same text in another directory", HOT, "fd.name", "/opt/hot/x"),
        CASE(symlink_changed, "a symbolic link that leads elsewhere", HOT, "fd.name", "/opt/hot/x"),
        CASE(linked_directory_changed, "a linked directory that leads elsewhere", HOT, "fd.name", "/opt/hot/x"),
        CASE(mount_moved, "its mount moved", HOT, "fd.name", "/opt/hot/x"),
        CASE(below_mount_point_renamed, "a directory above its mount renamed", HOT, "fd.name", "/opt/hot/m/x"),
        CASE(mounted_over, "another file system mounted over it", "Sieve: device", "fd.name", "/opt/cold/x"),
        CASE(bind_mounted_over, "another file bound over it", HOT, "fd.name", "/opt/hot/x"),
        CASE(in_chroot, "its directory renamed, under a changed root", HOT, "fd.name", "/opt/hot/x"),
        CASE(replaced, "a device in its place", "Sieve: device", "fd.name", "/opt/cold/x"),
        CASE(replaced_by_rename, "a device renamed into its place", "Sieve: device", "fd.name", "/opt/cold/x"),
        CASE(replaced_by_directory, "a directory in its place", "Sieve: directory opened", "fd.name", "/opt/vault.d"),
        CASE(made_again, "removed and made again", "Sieve: created", "fd.name", "/opt/cold/x"),
        CASE(opened_for_writing, "the same to be written", "Sieve: written", "fd.name", "/opt/cold/x"),
        CASE(asked_in_another_way, "the same by another text", "Sieve: asked by", "fd.nameraw", "./x"),
        CASE(asked_by_another_word, "the same by a text of eight bytes and more", "Sieve: asked by", "fd.nameraw",
             "/opt/abc.named"),
        CASE(asked_by_longest, "the same by a text longer than any that is remembered", "Sieve: asked by", "fd.nameraw",
             LONGEST ".named"),
        CASE(process_elsewhere, "by a process whose directory is another", "Sieve: elsewhere", "fd.name",
             "/opt/plain/x"),
        CASE(child_of_another_group, "by a child in another group", "Sieve: other group", "fd.name", "/opt/own/x"),
        CASE(user_changed, "as another user", "Sieve: other user", "fd.name", "/opt/own/x"),
        CASE(process_opens_another, "another file by the same process", HOT, "fd.name", "/opt/hot/x"),
        CASE(user_of_thread_changed, "by a thread as another user", "Sieve: other user", "fd.name", "/opt/own/x"),
        CASE(program_changed, "by another program of the same process", "Sieve: hot process", "fd.name", "/opt/own/x"),
        EVASIONS_END,
};
