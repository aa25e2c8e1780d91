/* SPDX-License-Identifier: Apache-2.0
 *
 * A program given power by other means than chmod(2). The files lie in a file system of the attempt's own, are empty,
 * and are gone with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "evasions.h"

#define SETUID_RULE "Set-user-id bit given"
#define CAPABILITY_RULE "Capabilities given to a file"
#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

static void enter_own_place(void)
{
	act_private_mounts();
	MUST(mkdir("m", 0755));
	act_tmpfs("m");
	MUST(chdir("m"));
	umask(0);
}

static void make_node(mode_t mode)
{
	enter_own_place();
	MUST(mknod("x", S_IFREG | mode, 0));
}

static void mknod_attempt(void)
{
	make_node(04755);
}

static void mknod_twin(void)
{
	make_node(0755);
}

static void make_by_fchmodat2(mode_t mode)
{
	enter_own_place();
	act_write("x", "", 0755);
	if (syscall(SYS_fchmodat2, AT_FDCWD, "x", mode, 0) < 0) {
		if (errno == ENOSYS)
			act_skip("this kernel has no fchmodat2");
		act_fail("fchmodat2");
	}
}

static void fchmodat2_attempt(void)
{
	make_by_fchmodat2(04755);
}

static void fchmodat2_twin(void)
{
	make_by_fchmodat2(0711);
}

static void make_by_open(mode_t mode)
{
	enter_own_place();
	MUST(open("x", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
}

static void open_attempt(void)
{
	make_by_open(04755);
}

static void open_twin(void)
{
	make_by_open(0755);
}

static void make_by_creat(mode_t mode)
{
#ifdef SYS_creat
	enter_own_place();
	MUST(syscall(SYS_creat, "x", mode));
#else
	(void)mode;
	act_skip("this machine has no creat");
#endif
}

static void creat_attempt(void)
{
	make_by_creat(04755);
}

static void creat_twin(void)
{
	make_by_creat(0755);
}

static void capability_attempt(void)
{
	struct vfs_cap_data data = {.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
	                            .data = {{.permitted = 1u << CAP_SETUID}}};
	enter_own_place();
	act_write("x", "", 0755);
	MUST(setxattr("x", "security.capability", &data, sizeof(data), 0));
}

static void capability_twin(void)
{
	enter_own_place();
	act_write("x", "", 0755);
	MUST(setxattr("x", "trusted.note", "x", 1, 0));
}

const struct evasion bit_evasions[] = {
        {"mknod",
         "a set-user-id file made by mknod",
         SETUID_RULE,
         {{"evt.type", "^mknod"}},
         mknod_attempt,
         mknod_twin,
         NULL},
        {"fchmodat2",
         "the bit given by fchmodat2",
         SETUID_RULE,
         {{"evt.type", "fchmodat2"}},
         fchmodat2_attempt,
         fchmodat2_twin,
         NULL},
        {"open-mode",
         "a file that is born with the bit, by open",
         SETUID_RULE,
         {{"evt.type", "openat"}},
         open_attempt,
         open_twin,
         NULL},
        {"creat-mode",
         "a file that is born with the bit, by creat",
         SETUID_RULE,
         {{"evt.type", "creat"}},
         creat_attempt,
         creat_twin,
         NULL},
        {"setxattr-capability",
         "capabilities instead of the bit, by setxattr",
         CAPABILITY_RULE,
         {{"evt.type", "setxattr"}},
         capability_attempt,
         capability_twin,
         NULL},
        EVASIONS_END,
};
