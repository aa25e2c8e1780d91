/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/guard_hook.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "loader/exec_gate.h"

#define LSM_LIST "/sys/kernel/security/lsm"
#define TEXT_BYTES_MAX 4096

/* ---- programs that do nothing ---- */

#define INSN(code, dst, imm) \
	{ \
		code, dst, 0, 0, imm \
	}
static const struct bpf_insn allow[] = {
        INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 1),
        INSN(BPF_JMP | BPF_EXIT, 0, 0),
};
static const struct bpf_insn nothing[] = {
        INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0),
        INSN(BPF_JMP | BPF_EXIT, 0, 0),
};
/* Never attached, so nobody gets signal 0 either. */
static const struct bpf_insn send_signal[] = {
        INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_1, 0),
        INSN(BPF_JMP | BPF_CALL, 0, BPF_FUNC_send_signal),
        INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0),
        INSN(BPF_JMP | BPF_EXIT, 0, 0),
};

struct program {
	enum bpf_prog_type type;
	enum bpf_attach_type attach;
	const char *target; /* of the kernel's types; NULL: none */
	enum { TARGET_FUNCTION, TARGET_TYPEDEF } target_kind;
	const struct bpf_insn *insns;
	size_t count;
};

/* Returns 0, -errno. kernel may be NULL. */
static int try_load(const struct program *p, const struct btf *kernel)
{
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = p->attach);
	if (p->target) {
		int kind = p->target_kind == TARGET_FUNCTION ? BTF_KIND_FUNC : BTF_KIND_TYPEDEF;
		int id = kernel ? btf__find_by_name_kind(kernel, p->target, (uint32_t)kind) : -ENOENT;
		if (id < 0)
			return id;
		options.attach_btf_id = (uint32_t)id;
	}
	_cleanup_(base_close_fd) int fd = bpf_prog_load(p->type, "picket_probe", "GPL", p->insns, p->count, &options);
	return fd < 0 ? -errno : 0;
}

/* A program that is not attached looks up a task by its number. */
static int try_task_lookup(const struct btf *kernel)
{
	int find = kernel ? btf__find_by_name_kind(kernel, "bpf_task_from_pid", BTF_KIND_FUNC) : -ENOENT;
	int release = kernel ? btf__find_by_name_kind(kernel, "bpf_task_release", BTF_KIND_FUNC) : -ENOENT;
	if (find < 0 || release < 0)
		return -EOPNOTSUPP;
	const struct bpf_insn look_up[] = {
	        INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_1, 1),
	        {BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, 0, find},
	        {BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, 2, 0},
	        {BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_1, BPF_REG_0, 0, 0},
	        {BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, 0, release},
	        INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0),
	        INSN(BPF_JMP | BPF_EXIT, 0, 0),
	};
	const struct program p = {BPF_PROG_TYPE_SCHED_CLS, 0, NULL, TARGET_FUNCTION, look_up, ARRAY_SIZE(look_up)};
	return try_load(&p, NULL);
}

#define CGROUP(type, attach) \
	{ \
		BPF_PROG_TYPE_CGROUP_##type, BPF_CGROUP_##attach, NULL, TARGET_FUNCTION, allow, 2 \
	}
static const struct hook_programs {
	enum guard_hook hook;
	struct program programs[3]; /* all must load; type 0: none */
} hook_programs[] = {
        {GUARD_HOOK_EVENTS,
         {{BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, "btf_trace_sys_exit", TARGET_TYPEDEF, nothing, 2}}},
        {GUARD_HOOK_LSM,
         {{BPF_PROG_TYPE_LSM, BPF_LSM_MAC, "bpf_lsm_bprm_check_security", TARGET_FUNCTION, nothing, 2},
          {BPF_PROG_TYPE_LSM, BPF_LSM_MAC, "bpf_lsm_file_open", TARGET_FUNCTION, nothing, 2},
          {BPF_PROG_TYPE_LSM, BPF_LSM_MAC, "bpf_lsm_path_rename", TARGET_FUNCTION, nothing, 2}}},
        {GUARD_HOOK_CGROUP_CONNECT, {CGROUP(SOCK_ADDR, INET4_CONNECT), CGROUP(SOCK_ADDR, INET6_CONNECT)}},
        {GUARD_HOOK_CGROUP_BIND, {CGROUP(SOCK_ADDR, INET4_BIND), CGROUP(SOCK_ADDR, INET6_BIND)}},
        {GUARD_HOOK_CGROUP_SENDMSG, {CGROUP(SOCK_ADDR, UDP4_SENDMSG), CGROUP(SOCK_ADDR, UDP6_SENDMSG)}},
        {GUARD_HOOK_CGROUP_SKB, {CGROUP(SKB, INET_INGRESS), CGROUP(SKB, INET_EGRESS)}},
        {GUARD_HOOK_CGROUP_DEVICE, {CGROUP(DEVICE, DEVICE)}},
        {GUARD_HOOK_CGROUP_SYSCTL, {CGROUP(SYSCTL, SYSCTL)}},
        {GUARD_HOOK_SIGNAL_EXEC,
         {{BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, "btf_trace_sched_process_exec", TARGET_TYPEDEF, send_signal, 4}}},
        {GUARD_HOOK_SIGNAL_FORK,
         {{BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, "btf_trace_sched_process_fork", TARGET_TYPEDEF, send_signal, 4}}},
};

/* ---- what loading alone does not tell ---- */

/* Programs of a hook whose module is not on the list of lsm= load, and are never asked. */
static int lsm_listed(void)
{
	_cleanup_(buf_done) struct buf text;
	buf_init(&text, TEXT_BYTES_MAX);
	int r = file_read(LSM_LIST, &text);
	if (r < 0)
		return r;
	struct str rest = str_trim(buf_str(&text));
	for (struct str name; str_next(&rest, ',', &name);)
		if (str_equals(name, "bpf"))
			return 0;
	return -EOPNOTSUPP;
}

static int probe(const struct hook_programs *h, const struct btf *kernel)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(h->programs) && h->programs[i].insns; i++)
		r = try_load(&h->programs[i], kernel);
	if (r == 0 && h->hook == GUARD_HOOK_LSM)
		r = lsm_listed();
	return r;
}

static int ignore_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level, (void)format, (void)args;
	return 0;
}

void loader_probe_guards(struct guard_hook_report ret_reports[GUARD_HOOK_COUNT])
{
	static const struct guard_hook_report rows[] = {
#define GUARD_HOOK(id, name, what, needs) {name, what, needs, false, -EOPNOTSUPP},
#include "schema/policy.def"
	};
	libbpf_print_fn_t before = libbpf_set_print(ignore_libbpf);
	struct btf *kernel = btf__load_vmlinux_btf();
	memcpy(ret_reports, rows, sizeof(rows));
	for (size_t i = 0; i < ARRAY_SIZE(hook_programs); i++)
		ret_reports[hook_programs[i].hook].error = probe(&hook_programs[i], kernel);
	ret_reports[GUARD_HOOK_FANOTIFY].error = exec_gate_probe();
	if (ret_reports[GUARD_HOOK_FANOTIFY].error == 0)
		ret_reports[GUARD_HOOK_FANOTIFY].error = try_task_lookup(kernel);
	for (size_t i = 0; i < GUARD_HOOK_COUNT; i++)
		ret_reports[i].ok = ret_reports[i].error == 0;
	btf__free(kernel);
	libbpf_set_print(before);
}
