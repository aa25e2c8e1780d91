/* SPDX-License-Identifier: Apache-2.0
 *
 * What concerns the kernel. Nothing here changes the host: what could is called with arguments that must fail, or in a
 * namespace of its own.
 */
#include "doer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>

static void do_modules(int argc, char **argv)
{
	static const char junk[64] = "no module";

	(void)argc;
	(void)argv;
	make_file("module.ko", junk, 0600);
	long fd = MUST(open("module.ko", O_RDONLY));
	done("fd", fd);
	CALL("init", init_module, junk, sizeof(junk), "param=1");
	CALL("finit", finit_module, fd, "param=2", 1 /* MODULE_INIT_IGNORE_MODVERSIONS */);
	CALL("delete", delete_module, "picket_no_such_module", O_NONBLOCK);
}

static void do_bpf(int argc, char **argv)
{
	union bpf_attr map = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1};
	struct bpf_insn program[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K}, {.code = BPF_JMP | BPF_EXIT}};
	union bpf_attr load = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER, .insn_cnt = ARRAY_SIZE(program)};
	union bpf_attr next = {};

	(void)argc;
	(void)argv;
	load.insns = (uint64_t)(uintptr_t)program;
	load.license = (uint64_t)(uintptr_t) "GPL";
	CALL("map", bpf, BPF_MAP_CREATE, &map, sizeof(map));
	CALL("program", bpf, BPF_PROG_LOAD, &load, sizeof(load));
	CALL("next", bpf, BPF_PROG_GET_NEXT_ID, &next, sizeof(next));
	map.max_entries = 0;
	CALL("bad", bpf, BPF_MAP_CREATE, &map, sizeof(map));
}

static void do_perf_event(int argc, char **argv)
{
	struct perf_event_attr attr = {
	        .type = PERF_TYPE_SOFTWARE, .size = sizeof(attr), .config = PERF_COUNT_SW_PAGE_FAULTS, .disabled = 1};

	(void)argc;
	(void)argv;
	if (CALL("opened", perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC) == -ENOSYS)
		skip("no performance events in this kernel");
	attr.type = 9999;
	CALL("bad", perf_event_open, &attr, 0, -1, -1, 0);
}

static void do_userfaultfd(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	if (CALL("opened", userfaultfd, O_CLOEXEC | O_NONBLOCK) == -ENOSYS)
		skip("no userfaultfd in this kernel");
	CALL("bad", userfaultfd, 0x40000000);
}

static void do_uring_setup(int argc, char **argv)
{
	struct io_uring_params params = {.flags = IORING_SETUP_CQSIZE, .cq_entries = 32};

	(void)argc;
	(void)argv;
	long fd = CALL("opened", io_uring_setup, 8, &params);
	if (fd < 0)
		skip("no io_uring here: %s", strerror(errno));
	note("sq", "%u", params.sq_entries);
	note("cq", "%u", params.cq_entries);
	CALL("bad", io_uring_setup, 0, &params);
}

static void do_memory(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	void *plain = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (plain == MAP_FAILED)
		fail("mmap");
	done("wx", syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
	                   0) != -1);
	CALL("readonly", mprotect, plain, 4096, PROT_READ);
	CALL("exec", mprotect, plain, 4096, PROT_READ | PROT_EXEC);
	CALL("wxprotect", mprotect, plain, 8192, PROT_READ | PROT_WRITE | PROT_EXEC);
	CALL("pkey", pkey_mprotect, plain, 4096, PROT_READ | PROT_EXEC, -1);
	CALL("bad", mprotect, (void *)4095, 1, PROT_EXEC);
}

static void do_limits(int argc, char **argv)
{
	struct rlimit limit, wrong = {2, 1};

	(void)argc;
	(void)argv;
	CALL("get", prlimit64, 0, RLIMIT_FSIZE, NULL, &limit);
	CALL("set", prlimit64, 0, RLIMIT_CORE, &(struct rlimit){0, 0}, NULL);
	CALL("setrlimit", setrlimit, RLIMIT_NPROC, &limit);
	CALL("bad", setrlimit, RLIMIT_NOFILE, &wrong);
}

/* Arguments that must fail. */
static void do_refused(int argc, char **argv)
{
	struct timeval wrong_time = {0, 2000000};
	struct timespec any = {1, 0};

	(void)argc;
	(void)argv;
	CALL("settimeofday", settimeofday, &wrong_time, NULL);
	CALL("clock_settime", clock_settime, CLOCK_MONOTONIC, &any);
	CALL("swapoff", swapoff, "/no/such/swap");
	CALL("acct", acct, "/no/such/dir/acct");
	CALL("kexec", kexec_load, 0, 1000 /* more segments than may be */, NULL, 0);
#if defined(SYS_kexec_file_load)
	CALL("kexec_file", kexec_file_load, 999, -1, 0, "", 0x80 /* no such flag */);
#endif
	CALL("reboot", reboot, 0, 0 /* not the magic numbers */, 0x1234567, NULL);
	CALL("syslog", syslog, 10 /* SYSLOG_ACTION_SIZE_BUFFER */, NULL, 0);
	CALL("badsyslog", syslog, 99, NULL, 0);
}

static void do_iopl(int argc, char **argv)
{
	(void)argc;
	(void)argv;
#if defined(SYS_iopl)
	CALL("iopl", iopl, 0);
	CALL("bad", iopl, 4);
#else
	skip("this machine has no iopl");
#endif
}

static void do_keys(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	/* in the keyring of this process alone: -2 */
	long key = CALL("add_key", add_key, "user", "picket:test", "secret", 6, -2);
	if (key == -ENOSYS)
		skip("no keys in this kernel");
	CALL("keyctl", keyctl, 6 /* KEYCTL_DESCRIBE */, key, NULL, 0, 0);
	CALL("bad", add_key, "no-such-type", "x", "y", 1, -2);
}

const struct command system_commands[] = {
        {"modules", do_modules},
        {"bpf", do_bpf},
        {"perf-event", do_perf_event},
        {"userfaultfd", do_userfaultfd},
        {"uring-setup", do_uring_setup},
        {"memory", do_memory},
        {"limits", do_limits},
        {"refused", do_refused},
        {"iopl", do_iopl},
        {"keys", do_keys},
        COMMANDS_END,
};
