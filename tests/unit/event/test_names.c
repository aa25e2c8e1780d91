/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/keyctl.h>
#include <linux/openat2.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "event/event.h"

static void check_text(struct buf *b, const char *expected)
{
	assert_int_equal(buf_error(b), 0);
	assert_string_equal(b->length > 0 ? b->data : "", expected);
	buf_done(b);
}

static void check_flags(enum name_table table, uint64_t kernel, uint64_t rule, const char *names)
{
	struct buf b;

	assert_int_equal(names_to_rule(table, kernel), rule);
	buf_init(&b, 4096);
	names_add_flags(table, kernel, &b);
	check_text(&b, names);
}

static void check_enum(enum name_table table, uint64_t kernel, uint64_t rule, const char *names)
{
	struct buf b;

	assert_int_equal(names_to_rule(table, kernel), rule);
	buf_init(&b, 4096);
	names_add_enum(table, kernel, &b);
	check_text(&b, names);
}

/* O_* as x86-64 has them: that is what the wire carries, wherever this test runs. */
static void test_open(void **state)
{
	(void)state;
	check_flags(NAMES_open, 0, 1, "O_RDONLY");
	check_flags(NAMES_open, 1, 2, "O_WRONLY");
	check_flags(NAMES_open, 2, 3, "O_RDWR");
	check_flags(NAMES_open, 3, 3, "O_RDWR");
	check_flags(NAMES_open, 0x80000, 0x1001, "O_RDONLY|O_CLOEXEC");
	check_flags(NAMES_open, 0x241, 0x106, "O_TRUNC|O_CREAT|O_WRONLY");
	check_flags(NAMES_open, 0x1000, 0x11, "O_DSYNC|O_RDONLY");
	check_flags(NAMES_open, 0x101000, 0x91, "O_SYNC|O_DSYNC|O_RDONLY");
	check_flags(NAMES_open, 0x100000, 1, "O_RDONLY"); /* half of O_SYNC */
	check_flags(NAMES_open, 0x10000, 0x401, "O_DIRECTORY|O_RDONLY");
	check_flags(NAMES_open, 0x410002, 0x2403, "O_DIRECTORY|O_RDWR|O_TMPFILE");
	check_flags(NAMES_open, 0x400000, 1, "O_RDONLY"); /* the kernel refuses it without O_DIRECTORY */
	check_flags(NAMES_open, 0x41 | NAMES_OPEN_CREATED | NAMES_OPEN_UPPER, 0xc006,
	            "O_CREAT|O_WRONLY|O_F_CREATED|FD_UPPER_LAYER");
	check_flags(NAMES_open, NAMES_OPEN_LOWER, 0x10001, "O_RDONLY|FD_LOWER_LAYER");
	check_flags(NAMES_open, 0x8000 | 0x4000 | 0x800 | 0x400 | 0x80, 0xa69,
	            "O_LARGEFILE|O_DIRECT|O_NONBLOCK|O_EXCL|O_APPEND|O_RDONLY");
	check_flags(NAMES_open, 0x200000 | 0x20000 | 0x100 | 0x40000, 1,
	            "O_RDONLY"); /* O_PATH, NOFOLLOW, NOCTTY, NOATIME */
	check_flags(NAMES_fd, 0, 0, "O_NONE");
	check_flags(NAMES_fd, 0x80000, 0x1000, "O_CLOEXEC");
	check_flags(NAMES_fd, 0x80800, 0x1040, "O_NONBLOCK|O_CLOEXEC");
}

static void test_flags(void **state)
{
	(void)state;
	check_flags(NAMES_exe, 0, 0, "");
	check_flags(NAMES_exe, 5, 5, "EXE_WRITABLE|EXE_FROM_MEMFD");
	check_flags(NAMES_clone, CLONE_NEWUTS | SIGCHLD, 128, "CLONE_NEWUTS");
	check_flags(NAMES_clone, CLONE_NEWUSER | CLONE_NEWNS | CLONE_VM, 1u << 20 | 1 << 5 | 1 << 15,
	            "CLONE_NEWNS|CLONE_VM|CLONE_NEWUSER");
	check_flags(NAMES_clone, CLONE_IO | CLONE_FILES, 5, "CLONE_FILES|CLONE_IO");
	check_flags(NAMES_clone, SIGCHLD, 0, "");
	check_flags(NAMES_resolve, RESOLVE_NO_XDEV | RESOLVE_IN_ROOT, 0x12, "RESOLVE_IN_ROOT|RESOLVE_NO_XDEV");
	check_flags(NAMES_memfd, MFD_CLOEXEC | MFD_ALLOW_SEALING, 3, "MFD_CLOEXEC|MFD_ALLOW_SEALING");
	check_flags(NAMES_memfd, 8, 8, ""); /* a bit without a name stays in the number */
	check_flags(NAMES_renameat2, 3, 3, "RENAME_NOREPLACE|RENAME_EXCHANGE");
	check_flags(NAMES_linkat, AT_SYMLINK_FOLLOW | AT_EMPTY_PATH, 0x1400, "AT_SYMLINK_FOLLOW|AT_EMPTY_PATH");
	check_flags(NAMES_unlinkat, AT_REMOVEDIR, 0x200, "AT_REMOVEDIR");
	check_flags(NAMES_newfstatat, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, 0x900,
	            "AT_NO_AUTOMOUNT|AT_SYMLINK_NOFOLLOW");
	check_flags(NAMES_fchownat, AT_SYMLINK_NOFOLLOW, 0x100, "AT_SYMLINK_NOFOLLOW");
	check_flags(NAMES_umount, MNT_DETACH | MNT_FORCE, 3, "FORCE|DETACH");
	check_flags(NAMES_finit_module, 2, 2, "MODULE_INIT_IGNORE_VERMAGIC");
	check_flags(NAMES_delete_module, 0x800, 2, "O_NONBLOCK");
	check_flags(NAMES_delete_module, 0xa00, 3, "O_NONBLOCK|O_TRUNC");
	check_flags(NAMES_prot, PROT_READ | PROT_EXEC, 5, "PROT_READ|PROT_EXEC");
	check_flags(NAMES_prot, PROT_NONE, 0, "PROT_NONE");
	check_flags(NAMES_prot, PROT_GROWSDOWN, 16, "PROT_GROWSDOWN");
	check_flags(NAMES_mmap, 0x22, 0xa, "MAP_PRIVATE|MAP_ANONYMOUS");
	check_flags(NAMES_mmap, 0x2111, 0x4205, "MAP_SHARED|MAP_FIXED|MAP_GROWSDOWN|MAP_LOCKED");
}

static void test_mount(void **state)
{
	(void)state;
	check_flags(NAMES_mount, MS_RDONLY | MS_BIND | MS_REC, 0x5001, "RDONLY|BIND|REC");
	check_flags(NAMES_mount, 0xc0ed0000u | MS_NOSUID, 2, "NOSUID");
	check_flags(NAMES_mount, 1ull << 32 | MS_PRIVATE, MS_PRIVATE, "PRIVATE");
	check_flags(NAMES_mount, 0x100, 0x100, "");
}

static void test_modes(void **state)
{
	(void)state;
	check_flags(NAMES_chmod, 0, 0, "");
	check_flags(NAMES_chmod, 04755, 2541, "S_IXOTH|S_IROTH|S_IXGRP|S_IRGRP|S_IXUSR|S_IWUSR|S_IRUSR|S_ISUID");
	check_flags(NAMES_chmod, 07000, 07000, "S_ISVTX|S_ISGID|S_ISUID");
	check_flags(NAMES_chmod, S_IFREG | 0100, S_IFREG | 0100, "S_IXUSR");
	check_flags(NAMES_mknod, S_IFBLK | 0200, S_IFBLK | 0200, "S_IWUSR|S_IFBLK");
	check_flags(NAMES_mknod, S_IFSOCK, S_IFSOCK, "S_IFSOCK");
	check_flags(NAMES_mknod, S_IFREG | 04000, S_IFREG | 04000, "S_ISUID|S_IFREG");
	check_flags(NAMES_mknod, S_IFCHR, S_IFCHR, "S_IFCHR");
}

static void test_enums(void **state)
{
	(void)state;
	check_enum(NAMES_family, AF_UNIX, 1, "AF_LOCAL|AF_UNIX");
	check_enum(NAMES_family, AF_NETLINK, 16, "AF_ROUTE|AF_NETLINK");
	check_enum(NAMES_family, AF_ALG, 38, "AF_ALG");
	check_enum(NAMES_family, AF_VSOCK, 40, "AF_VSOCK");
	check_enum(NAMES_family, 0x100000000ull | AF_PACKET, 17, "AF_PACKET"); /* the kernel looks at 32 bits */
	check_enum(NAMES_family, 99, 99, "");
	check_enum(NAMES_shutdown, SHUT_RDWR, 2, "SHUT_RDWR");
	check_enum(NAMES_ptrace, PTRACE_TRACEME, 1, "PTRACE_TRACEME");
	check_enum(NAMES_ptrace, PTRACE_ATTACH, 11, "PTRACE_ATTACH");
	check_enum(NAMES_ptrace, PTRACE_SEIZE, 20, "PTRACE_SEIZE");
	check_enum(NAMES_ptrace, 999, 0, "PTRACE_UNKNOWN");
	check_enum(NAMES_ptrace, 0x100000010ull, 0, "PTRACE_UNKNOWN"); /* its request is a long */
	check_enum(NAMES_prctl, PR_SET_NAME, 15, "PR_SET_NAME");
	check_enum(NAMES_prctl, PR_SET_NO_NEW_PRIVS, 38, "PR_SET_NO_NEW_PRIVS");
	check_enum(NAMES_prctl, 1000, 1000, "");
	check_enum(NAMES_seccomp, SECCOMP_SET_MODE_FILTER, 1, "SECCOMP_SET_MODE_FILTER");
	check_enum(NAMES_keyctl, KEYCTL_CAPABILITIES, 31, "KEYCTL_CAPABILITIES");
	check_enum(NAMES_bpf, BPF_PROG_LOAD, 5, "BPF_PROG_LOAD");
	check_enum(NAMES_bpf, BPF_PROG_TEST_RUN, 10, "BPF_PROG_TEST_RUN|BPF_PROG_RUN");
	check_enum(NAMES_bpf, BPF_PROG_BIND_MAP, 35, "BPF_PROG_BIND_MAP");
	check_enum(NAMES_bpf, 36, 36, "");
	check_enum(NAMES_rlimit, RLIMIT_NOFILE, 7, "RLIMIT_NOFILE");
	check_enum(NAMES_rlimit, 16, 255, "RLIMIT_UNKNOWN");
	check_enum(NAMES_fsconfig, 6, 6, "FSCONFIG_CMD_CREATE");
}

static void test_kernel_numbers(void **state)
{
	static const struct {
		enum name_table table;
		const char *text;
		uint64_t number;
	} rows[] = {
	        {NAMES_clone, "CLONE_NEWCGROUP", CLONE_NEWCGROUP},
	        {NAMES_clone, "CLONE_NEWPID", CLONE_NEWPID},
	        {NAMES_clone, "CLONE_SETTLS", CLONE_SETTLS},
	        {NAMES_mmap, "MAP_NORESERVE", MAP_NORESERVE},
	        {NAMES_mmap, "MAP_POPULATE", MAP_POPULATE},
	        {NAMES_mmap, "MAP_DENYWRITE", MAP_DENYWRITE},
	        {NAMES_mmap, "MAP_EXECUTABLE", MAP_EXECUTABLE},
	        {NAMES_mmap, "MAP_NONBLOCK", MAP_NONBLOCK},
	        {NAMES_mount, "LAZYTIME", 1 << 25},
	        {NAMES_mount, "UNBINDABLE", MS_UNBINDABLE},
	        {NAMES_mount, "STRICTATIME", MS_STRICTATIME},
	        {NAMES_resolve, "RESOLVE_CACHED", RESOLVE_CACHED},
	        {NAMES_resolve, "RESOLVE_BENEATH", RESOLVE_BENEATH},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct buf b;

		buf_init(&b, 256);
		names_add_flags(rows[i].table, rows[i].number, &b);
		check_text(&b, rows[i].text);
	}
}

static void test_no_table(void **state)
{
	(void)state;
	check_flags((enum name_table) - 1, 5, 0, "");
	check_enum(NAMES_COUNT, 5, 0, "");
}

static void test_errno_and_signals(void **state)
{
	(void)state;
	assert_string_equal(errno_name(ENOENT), "ENOENT");
	assert_string_equal(errno_name(EPERM), "EPERM");
	assert_string_equal(errno_name(EINPROGRESS), "EINPROGRESS");
	assert_string_equal(errno_name(EAGAIN), "EAGAIN");
	assert_string_equal(errno_name(512), "ERESTARTSYS");
	assert_null(errno_name(0));
	assert_null(errno_name(-2));
	assert_null(errno_name(4000));
	assert_string_equal(signal_name(SIGHUP), "SIGHUP");
	assert_string_equal(signal_name(SIGKILL), "SIGKILL");
	assert_string_equal(signal_name(SIGTERM), "SIGTERM");
	assert_string_equal(signal_name(SIGSTKFLT), "SIGSTKFLT");
	assert_string_equal(signal_name(SIGSTOP), "SIGSTOP");
	assert_string_equal(signal_name(SIGWINCH), "SIGWINCH");
	assert_string_equal(signal_name(SIGSYS), "SIGSYS");
	assert_null(signal_name(0));
	assert_null(signal_name(32));
	assert_null(signal_name(-1));
}

static void check_sockaddr(const void *addr, size_t length, const char *expected)
{
	struct buf b;

	buf_init(&b, 256);
	event_add_sockaddr(str_make(addr, length), &b);
	check_text(&b, expected);
}

static void test_sockaddr(void **state)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(53), .sin_addr = {htonl(0x08080404)}};
	struct sockaddr_in6 in6 = {
	        .sin6_family = AF_INET6, .sin6_port = htons(443), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "/run/x"};
	const sa_family_t netlink = AF_NETLINK;

	(void)state;
	check_sockaddr(&in, sizeof(in), "8.8.4.4:53");
	check_sockaddr(&in, 8, "8.8.4.4:53");
	check_sockaddr(&in, 7, "family 2");
	check_sockaddr(&in6, sizeof(in6), "::1:443");
	check_sockaddr(&in6, 23, "family 10");
	in6.sin6_addr = (struct in6_addr){{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 1}}};
	check_sockaddr(&in6, 24, "10.0.0.1:443");
	check_sockaddr(&un, sizeof(un), "/run/x");
	check_sockaddr(&un, 2 + 6, "/run/x");
	check_sockaddr(&un, 2 + 4, "/run");
	check_sockaddr(&un, 2, "");
	memcpy(un.sun_path, "\0abs", 4);
	check_sockaddr(&un, 2 + 4, "abs");
	check_sockaddr(&netlink, sizeof(netlink), "family 16");
	check_sockaddr(&netlink, 1, "");
	check_sockaddr(NULL, 0, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_open),     cmocka_unit_test(test_flags),
	        cmocka_unit_test(test_mount),    cmocka_unit_test(test_modes),
	        cmocka_unit_test(test_enums),    cmocka_unit_test(test_kernel_numbers),
	        cmocka_unit_test(test_no_table), cmocka_unit_test(test_errno_and_signals),
	        cmocka_unit_test(test_sockaddr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
