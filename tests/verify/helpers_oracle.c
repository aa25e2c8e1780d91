/* SPDX-License-Identifier: Apache-2.0
 *
 * Asks the running kernel what the verifier's tables say: which kinds may call which
 * helpers and functions, which bytes of a context may be
 * read and written in which width, what may be returned, whether a helper takes what its row says. Each question is a program of a few instructions that is loaded and
 * thrown away; nothing is attached or run. Needs root.
 *
 *   helpers_oracle          differences, one a line; 1 if there are any that are not expected
 *   helpers_oracle --all    those that are expected, too, with the reason
 *
 * Kinds that can be attached in several ways are asked for each of them: a table that is as wide as all of them together
 * agrees.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/btf.h>

#include "verify/table_int.h"
#include "verify/types_int.h"

#define HELPER_LAST 211
#define CONTEXT_BYTES_MAX 256 /* asked for; longer contexts are of one piece */
#define ATTACHES_MAX 20
#define END_OF_LIST (-1)

static const struct question {
	enum picket_kind kind;
	uint32_t type;
	const char *target; /* name and kind of the type that it is attached to */
	int target_kind;
	int attaches[ATTACHES_MAX];
} questions[] = {
        {PICKET_KIND_SOCKET_FILTER, BPF_PROG_TYPE_SOCKET_FILTER, NULL, 0, {0, END_OF_LIST}},
        {PICKET_KIND_SCHED_CLS, BPF_PROG_TYPE_SCHED_CLS, NULL, 0, {0, END_OF_LIST}},
        {PICKET_KIND_SCHED_ACT, BPF_PROG_TYPE_SCHED_ACT, NULL, 0, {0, END_OF_LIST}},
        {PICKET_KIND_XDP, BPF_PROG_TYPE_XDP, NULL, 0, {0, BPF_XDP_DEVMAP, BPF_XDP_CPUMAP, END_OF_LIST}},
        {PICKET_KIND_CGROUP_SKB,
         BPF_PROG_TYPE_CGROUP_SKB,
         NULL,
         0,
         {BPF_CGROUP_INET_INGRESS, BPF_CGROUP_INET_EGRESS, END_OF_LIST}},
        {PICKET_KIND_LWT_IN, BPF_PROG_TYPE_LWT_IN, NULL, 0, {0, END_OF_LIST}},
        {PICKET_KIND_LWT_OUT, BPF_PROG_TYPE_LWT_OUT, NULL, 0, {0, END_OF_LIST}},
        {PICKET_KIND_LWT_XMIT, BPF_PROG_TYPE_LWT_XMIT, NULL, 0, {0, END_OF_LIST}},
        {PICKET_KIND_LWT_SEG6LOCAL, BPF_PROG_TYPE_LWT_SEG6LOCAL, NULL, 0, {0, END_OF_LIST}},
        {PICKET_KIND_FLOW_DISSECTOR, BPF_PROG_TYPE_FLOW_DISSECTOR, NULL, 0, {BPF_FLOW_DISSECTOR, END_OF_LIST}},
        {PICKET_KIND_NETFILTER, 32, NULL, 0, {45, END_OF_LIST}}, /* since Linux 6.4 */
        {PICKET_KIND_SOCK_OPS, BPF_PROG_TYPE_SOCK_OPS, NULL, 0, {BPF_CGROUP_SOCK_OPS, END_OF_LIST}},
        {PICKET_KIND_SK_SKB,
         BPF_PROG_TYPE_SK_SKB,
         NULL,
         0,
         {BPF_SK_SKB_VERDICT, BPF_SK_SKB_STREAM_PARSER, BPF_SK_SKB_STREAM_VERDICT, END_OF_LIST}},
        {PICKET_KIND_SK_MSG, BPF_PROG_TYPE_SK_MSG, NULL, 0, {BPF_SK_MSG_VERDICT, END_OF_LIST}},
        {PICKET_KIND_SK_REUSEPORT,
         BPF_PROG_TYPE_SK_REUSEPORT,
         NULL,
         0,
         {BPF_SK_REUSEPORT_SELECT, BPF_SK_REUSEPORT_SELECT_OR_MIGRATE, END_OF_LIST}},
        {PICKET_KIND_SK_LOOKUP, BPF_PROG_TYPE_SK_LOOKUP, NULL, 0, {BPF_SK_LOOKUP, END_OF_LIST}},
        {PICKET_KIND_CGROUP_SOCK,
         BPF_PROG_TYPE_CGROUP_SOCK,
         NULL,
         0,
         {BPF_CGROUP_INET_SOCK_CREATE, BPF_CGROUP_INET_SOCK_RELEASE, BPF_CGROUP_INET4_POST_BIND,
          BPF_CGROUP_INET6_POST_BIND, END_OF_LIST}},
        {PICKET_KIND_CGROUP_SOCK_ADDR,
         BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
         NULL,
         0,
         {BPF_CGROUP_INET4_BIND, BPF_CGROUP_INET6_BIND, BPF_CGROUP_INET4_CONNECT, BPF_CGROUP_INET6_CONNECT,
          BPF_CGROUP_UDP4_SENDMSG, BPF_CGROUP_UDP6_SENDMSG, BPF_CGROUP_UDP4_RECVMSG, BPF_CGROUP_UDP6_RECVMSG,
          BPF_CGROUP_INET4_GETPEERNAME, BPF_CGROUP_INET6_GETPEERNAME, BPF_CGROUP_INET4_GETSOCKNAME,
          BPF_CGROUP_INET6_GETSOCKNAME, END_OF_LIST}},
        {PICKET_KIND_CGROUP_DEVICE, BPF_PROG_TYPE_CGROUP_DEVICE, NULL, 0, {BPF_CGROUP_DEVICE, END_OF_LIST}},
        {PICKET_KIND_CGROUP_SYSCTL, BPF_PROG_TYPE_CGROUP_SYSCTL, NULL, 0, {BPF_CGROUP_SYSCTL, END_OF_LIST}},
        {PICKET_KIND_CGROUP_SOCKOPT,
         BPF_PROG_TYPE_CGROUP_SOCKOPT,
         NULL,
         0,
         {BPF_CGROUP_GETSOCKOPT, BPF_CGROUP_SETSOCKOPT, END_OF_LIST}},
        {PICKET_KIND_KPROBE, BPF_PROG_TYPE_KPROBE, NULL, 0, {0, 56, END_OF_LIST}}, /* 56: session, since Linux 6.10 */
        {PICKET_KIND_TRACEPOINT, BPF_PROG_TYPE_TRACEPOINT, NULL, 0, {0, END_OF_LIST}},
        {PICKET_KIND_PERF_EVENT, BPF_PROG_TYPE_PERF_EVENT, NULL, 0, {0, END_OF_LIST}},
        {PICKET_KIND_RAW_TRACEPOINT, BPF_PROG_TYPE_RAW_TRACEPOINT, NULL, 0, {0, END_OF_LIST}},
        {PICKET_KIND_RAW_TRACEPOINT_WRITABLE, BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE, NULL, 0, {0, END_OF_LIST}},
        {PICKET_KIND_TP_BTF,
         BPF_PROG_TYPE_TRACING,
         "btf_trace_sched_switch",
         BTF_KIND_TYPEDEF,
         {BPF_TRACE_RAW_TP, END_OF_LIST}},
        {PICKET_KIND_FENTRY, BPF_PROG_TYPE_TRACING, "do_unlinkat", BTF_KIND_FUNC, {BPF_TRACE_FENTRY, END_OF_LIST}},
        {PICKET_KIND_FEXIT, BPF_PROG_TYPE_TRACING, "do_unlinkat", BTF_KIND_FUNC, {BPF_TRACE_FEXIT, END_OF_LIST}},
        {PICKET_KIND_FMOD_RET,
         BPF_PROG_TYPE_TRACING,
         "bpf_modify_return_test",
         BTF_KIND_FUNC,
         {BPF_MODIFY_RETURN, END_OF_LIST}},
        {PICKET_KIND_ITER, BPF_PROG_TYPE_TRACING, "bpf_iter_task", BTF_KIND_FUNC, {BPF_TRACE_ITER, END_OF_LIST}},
        {PICKET_KIND_LSM, BPF_PROG_TYPE_LSM, "bpf_lsm_file_open", BTF_KIND_FUNC, {BPF_LSM_MAC, END_OF_LIST}},
        {PICKET_KIND_LSM_CGROUP, BPF_PROG_TYPE_LSM, "bpf_lsm_file_open", BTF_KIND_FUNC, {BPF_LSM_CGROUP, END_OF_LIST}},
        {PICKET_KIND_STRUCT_OPS, BPF_PROG_TYPE_STRUCT_OPS, "tcp_congestion_ops", BTF_KIND_STRUCT, {0, END_OF_LIST}},
        {PICKET_KIND_SYSCALL, BPF_PROG_TYPE_SYSCALL, NULL, 0, {0, END_OF_LIST}},
        {PICKET_KIND_LIRC_MODE2, BPF_PROG_TYPE_LIRC_MODE2, NULL, 0, {BPF_LIRC_MODE2, END_OF_LIST}},
};

/* Where the tables are wider than this kernel on purpose. */
static const struct expected {
	uint32_t helper;
	const char *why;
} expected[] = {
        {BPF_FUNC_probe_write_user, "locked down, or not built in"},
        {BPF_FUNC_override_return, "needs CONFIG_BPF_KPROBE_OVERRIDE"},
        {BPF_FUNC_setsockopt, "of an iterator: over TCP sockets only"},
        {BPF_FUNC_getsockopt, "of an iterator: over TCP sockets only"},
        {BPF_FUNC_get_func_ret, "needs a trampoline"},
        {BPF_FUNC_ima_inode_hash, "needs IMA, and a hook that may sleep"},
        {BPF_FUNC_ima_file_hash, "needs IMA, and a hook that may sleep"},
};

struct oracle {
	const struct question *question;
	const struct verify_kind *kind;
	uint32_t target;
	char log[16384];
	bool all;
	unsigned asked, differences, known;
};

enum answer { NO, YES };

static int load(struct oracle *o, int attach, const struct bpf_insn *insns, size_t count)
{
	union bpf_attr attr = {
	        .prog_type = o->question->type,
	        .expected_attach_type = (uint32_t)attach,
	        .attach_btf_id = o->target,
	        .insns = (uint64_t)(uintptr_t)insns,
	        .insn_cnt = (uint32_t)count,
	        .license = (uint64_t)(uintptr_t) "GPL",
	        .log_level = 1,
	        .log_buf = (uint64_t)(uintptr_t)o->log,
	        .log_size = sizeof(o->log),
	        .prog_flags = o->kind->id == PICKET_KIND_SYSCALL ? BPF_F_SLEEPABLE : 0,
	};
	int fd;

	o->log[0] = 0;
	o->asked++;
	fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

#define MOVE(reg, number) \
	{ \
		.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = (reg), .imm = (number) \
	}
#define CALL(helper) \
	{ \
		.code = BPF_JMP | BPF_CALL, .imm = (helper) \
	}
#define EXIT \
	{ \
		.code = BPF_JMP | BPF_EXIT \
	}

static bool says(const struct oracle *o, const char *text)
{
	return strstr(o->log, text);
}

/* Does the kernel take programs of this kind at all, as far as its verifier? */
static bool loads(struct oracle *o, int attach)
{
	static const struct bpf_insn insns[] = {MOVE(BPF_REG_0, 1), EXIT};
	int r = load(o, attach, insns, ARRAY_SIZE(insns));

	return r == 0 || says(o, "R0");
}

static bool any_attach(struct oracle *o, bool (*ask)(struct oracle *o, int attach, const void *what), const void *what)
{
	for (size_t i = 0; o->question->attaches[i] != END_OF_LIST; i++)
		if (ask(o, o->question->attaches[i], what))
			return true;
	return false;
}

/* Arguments are not as they should be, so it is never taken; what counts is how far the verifier gets. */
static bool ask_helper(struct oracle *o, int attach, const void *what)
{
	const uint32_t *helper = what;
	const struct bpf_insn insns[] = {CALL((int32_t)*helper), MOVE(BPF_REG_0, 1), EXIT};

	(void)load(o, attach, insns, ARRAY_SIZE(insns));
	return !says(o, "cannot use helper") && !says(o, "unknown func") && !says(o, "invalid func") &&
	       !says(o, "not supported for") && !says(o, "supported only for");
}

/* btf: the kernel's. A function that it does not have is not asked for. */
static bool ask_kfunc(struct oracle *o, int attach, const void *what)
{
	const int *function = what;
	const struct bpf_insn insns[] = {
	        {.code = BPF_JMP | BPF_CALL, .src_reg = BPF_PSEUDO_KFUNC_CALL, .imm = *function},
	        MOVE(BPF_REG_0, 1),
	        EXIT,
	};

	(void)load(o, attach, insns, ARRAY_SIZE(insns));
	return !says(o, "is not allowed");
}

struct access {
	uint32_t offset, size;
	bool write;
};

static bool ask_access(struct oracle *o, int attach, const void *what)
{
	const struct access *a = what;
	const uint8_t width = a->size == 1 ? BPF_B : a->size == 2 ? BPF_H : a->size == 4 ? BPF_W : BPF_DW;
	const struct bpf_insn read[] = {
	        {.code = BPF_LDX | BPF_MEM | width,
	         .dst_reg = BPF_REG_2,
	         .src_reg = BPF_REG_1,
	         .off = (int16_t)a->offset},
	        MOVE(BPF_REG_0, 1),
	        EXIT,
	};
	const struct bpf_insn write[] = {
	        MOVE(BPF_REG_2, 0),
	        {.code = BPF_STX | BPF_MEM | width,
	         .dst_reg = BPF_REG_1,
	         .src_reg = BPF_REG_2,
	         .off = (int16_t)a->offset},
	        MOVE(BPF_REG_0, 1),
	        EXIT,
	};
	int r = a->write ? load(o, attach, write, ARRAY_SIZE(write)) : load(o, attach, read, ARRAY_SIZE(read));

	return r == 0;
}

static bool ask_return(struct oracle *o, int attach, const void *what)
{
	const int32_t *number = what;
	const struct bpf_insn insns[] = {MOVE(BPF_REG_0, *number), EXIT};

	return load(o, attach, insns, ARRAY_SIZE(insns)) == 0;
}

/* ---- what the tables say ---- */

static bool table_access(const struct verify_kind *k, const struct access *a)
{
	if (a->offset % a->size || a->offset + a->size > k->context_size)
		return false;
	if (k->flags & KIND_RAW_CONTEXT && !a->write)
		return true;
	for (size_t i = 0; i < k->field_count; i++) {
		const struct verify_field *f = &k->fields[i];

		if (a->offset < f->offset || a->offset + a->size > (uint32_t)f->offset + f->size)
			continue;
		return verify_field_fits(f, a->offset, a->size, a->write);
	}
	return false;
}

static bool table_return(const struct verify_kind *k, int32_t number)
{
	return k->flags & KIND_RETURN_ANY || (number >= k->return_min && number <= k->return_max);
}

/* ---- comparing ---- */

static const char *why_expected(const struct oracle *o, uint32_t helper)
{
	if (o->kind->id == PICKET_KIND_FREPLACE)
		return "what it replaces decides";
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		if (expected[i].helper == helper)
			return expected[i].why;
	return NULL;
}

static void compare_helpers(struct oracle *o)
{
	for (uint32_t id = 1; id <= HELPER_LAST; id++) {
		bool ours = false, theirs = any_attach(o, ask_helper, &id);
		const struct verify_proto *p = verify_proto_find(o->kind, id, &ours);
		const char *why;

		if (ours == theirs)
			continue;
		why = ours ? why_expected(o, id) : NULL;
		*(why ? &o->known : &o->differences) += 1;
		if (!why || o->all)
			printf("%s: helper %u (%s): kernel %s, table %s%s%s\n", o->kind->name, id, p->name,
			       theirs ? "yes" : "no", ours ? "yes" : "no", why ? "; " : "", why ? why : "");
	}
}

static const char *const kfuncs[] = {
#define KFUNC(name, ...) "bpf_" #name,
#include "verify/kfunc.def"
};

static void compare_kfuncs(struct oracle *o, const struct btf *btf)
{
	for (size_t i = 0; i < ARRAY_SIZE(kfuncs); i++) {
		int id = btf__find_by_name_kind(btf, kfuncs[i], BTF_KIND_FUNC);
		bool ours = false, theirs;

		if (id <= 0 || !strncmp(kfuncs[i], "bpf_xdp_metadata_", strlen("bpf_xdp_metadata_"))) /* by device */
			continue;
		(void)verify_kfunc_find(o->kind, kfuncs[i], &ours);
		theirs = any_attach(o, ask_kfunc, &id);
		if (ours == theirs)
			continue;
		o->differences++;
		printf("%s: function %s: kernel %s, table %s\n", o->kind->name, kfuncs[i], theirs ? "yes" : "no",
		       ours ? "yes" : "no");
	}
}

/* Parts of a number are all allowed by the tables, or none: some that the kernel refuses do no harm. Of a pointer none is. */
static bool part_of_field(const struct verify_kind *k, const struct access *a, bool ours)
{
	for (size_t i = 0; i < k->field_count; i++) {
		const struct verify_field *f = &k->fields[i];

		if (a->offset >= f->offset && a->offset < (uint32_t)f->offset + f->size)
			return a->size < f->size && ours == (f->type == FIELD_NUMBER);
	}
	return ours && k->flags & KIND_RAW_CONTEXT;
}

static void compare_context(struct oracle *o)
{
	uint32_t end = MIN(o->kind->context_size, (uint32_t)CONTEXT_BYTES_MAX);

	if (o->kind->flags & KIND_BTF_CONTEXT)
		return;
	for (struct access a = {0}; a.offset < end; a.offset++) {
		for (unsigned i = 0; i < 8; i++) {
			bool ours, theirs, part;

			a.size = 1u << i / 2;
			a.write = i % 2;
			if (a.offset % a.size)
				continue;
			theirs = any_attach(o, ask_access, &a);
			ours = table_access(o->kind, &a);
			if (ours == theirs)
				continue;
			part = part_of_field(o->kind, &a, ours);
			*(part ? &o->known : &o->differences) += 1;
			if (!part || o->all)
				printf("%s: %s of %u bytes at %u of the context: kernel %s, table %s%s\n",
				       o->kind->name, a.write ? "write" : "read", a.size, a.offset,
				       theirs ? "yes" : "no", ours ? "yes" : "no", part ? "; part of a field" : "");
		}
	}
}

static void compare_returns(struct oracle *o)
{
	static const int32_t numbers[] = {INT32_MIN, -4096, -4095, -1, 0, 1, 2, 3, 4, INT32_MAX};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		bool theirs = any_attach(o, ask_return, &numbers[i]), ours = table_return(o->kind, numbers[i]);

		if (ours == theirs)
			continue;
		o->differences++;
		printf("%s: returning %d: kernel %s, table %s\n", o->kind->name, numbers[i], theirs ? "yes" : "no",
		       ours ? "yes" : "no");
	}
}

/* ---- arguments: a call with what the table says is taken; with a number instead of any pointer it is not ---- */

#define ROOM 256       /* bytes of stack that every memory argument points to */
#define ROOM_SIZE 64   /* that the helper is told of */
#define NOT_POINTER 77 /* a number */

struct program {
	struct bpf_insn insns[64];
	size_t count;
};

static void emit(struct program *p, struct bpf_insn insn)
{
	p->insns[p->count++] = insn;
}

static int make_map(uint32_t type)
{
	union bpf_attr attr = {.map_type = type, .key_size = 4, .value_size = 8, .max_entries = 4};

	switch (type) {
	case BPF_MAP_TYPE_RINGBUF:
	case BPF_MAP_TYPE_USER_RINGBUF:
		attr.key_size = attr.value_size = 0;
		attr.max_entries = 4096;
		break;
	case BPF_MAP_TYPE_QUEUE:
	case BPF_MAP_TYPE_STACK:
		attr.key_size = 0;
		break;
	case BPF_MAP_TYPE_CGROUP_STORAGE:
		attr.key_size = sizeof(struct bpf_cgroup_storage_key);
		attr.max_entries = 0;
		break;
	case BPF_MAP_TYPE_PROG_ARRAY:
	case BPF_MAP_TYPE_PERF_EVENT_ARRAY:
	case BPF_MAP_TYPE_CGROUP_ARRAY:
	case BPF_MAP_TYPE_DEVMAP:
	case BPF_MAP_TYPE_SOCKMAP:
	case BPF_MAP_TYPE_SOCKHASH:
		attr.value_size = 4;
		break;
	default:
		break;
	}
	return (int)syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
}

/* r7 = the packet's first byte, of ROOM that are there. */
static void emit_packet(const struct verify_kind *k, struct program *p)
{
	for (size_t i = 0; i < k->field_count; i++) {
		const struct verify_field *f = &k->fields[i];
		const uint8_t width = f->size == 4 ? BPF_W : BPF_DW;

		if (f->type == FIELD_PACKET || f->type == FIELD_PACKET_END)
			emit(p, (struct bpf_insn){.code = BPF_LDX | BPF_MEM | width,
			                          .dst_reg = f->type == FIELD_PACKET ? BPF_REG_7 : BPF_REG_8,
			                          .src_reg = BPF_REG_1,
			                          .off = (int16_t)f->offset});
	}
	emit(p, (struct bpf_insn){.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_2, .src_reg = BPF_REG_7});
	emit(p, (struct bpf_insn){.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = BPF_REG_2, .imm = ROOM});
	emit(p, (struct bpf_insn){
	                .code = BPF_JMP | BPF_JLE | BPF_X, .dst_reg = BPF_REG_2, .src_reg = BPF_REG_8, .off = 2});
	emit(p, (struct bpf_insn)MOVE(BPF_REG_0, 1));
	emit(p, (struct bpf_insn)EXIT);
}

/* Leaves r0 to r5 alone but for reg. false: such an argument needs more than a few instructions to be made. */
static bool emit_argument(struct program *p, const struct verify_arg *a, uint8_t reg, int map, bool packet)
{
	switch ((enum verify_arg_base)a->base) {
	case VERIFY_ARG_ANY:
		emit(p, (struct bpf_insn)MOVE(reg, 0));
		return true;
	case VERIFY_ARG_SIZE:
	case VERIFY_ARG_ALLOC_SIZE:
		emit(p, (struct bpf_insn)MOVE(reg, ROOM_SIZE));
		return true;
	case VERIFY_ARG_CONTEXT:
		emit(p, (struct bpf_insn){.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = reg, .src_reg = BPF_REG_6});
		return true;
	case VERIFY_ARG_MAP:
		emit(p, (struct bpf_insn){.code = BPF_LD | BPF_IMM | BPF_DW,
		                          .dst_reg = reg,
		                          .src_reg = BPF_PSEUDO_MAP_FD,
		                          .imm = map});
		emit(p, (struct bpf_insn){0});
		return map >= 0;
	case VERIFY_ARG_KEY:
	case VERIFY_ARG_VALUE:
	case VERIFY_ARG_MEMORY:
	case VERIFY_ARG_FIXED:
		emit(p, (struct bpf_insn){.code = BPF_ALU64 | BPF_MOV | BPF_X,
		                          .dst_reg = reg,
		                          .src_reg = packet ? BPF_REG_7 : BPF_REG_10});
		if (!packet)
			emit(p, (struct bpf_insn){.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = reg, .imm = -ROOM});
		return true;
	default:
		return false;
	}
}

/* wrong: the argument, counted from 1, that is a number instead. packet: memory is in the packet of that kind; NULL: stack. */
static bool make_call(const struct verify_proto *proto, int map, unsigned wrong, const struct verify_kind *packet,
                      struct program *p)
{
	*p = (struct program){0};
	if (packet)
		emit_packet(packet, p);
	emit(p, (struct bpf_insn){.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_6, .src_reg = BPF_REG_1});
	for (int16_t at = -ROOM; at < -ROOM + ROOM_SIZE; at = (int16_t)(at + 8))
		emit(p, (struct bpf_insn){.code = BPF_ST | BPF_MEM | BPF_DW, .dst_reg = BPF_REG_10, .off = at});
	for (unsigned i = 0; i < 5 && proto->args[i].base != VERIFY_ARG_NONE; i++) {
		if (i + 1 == wrong)
			emit(p, (struct bpf_insn)MOVE(BPF_REG_1 + i, NOT_POINTER));
		else if (!emit_argument(p, &proto->args[i], (uint8_t)(BPF_REG_1 + i), map, packet))
			return false;
	}
	emit(p, (struct bpf_insn)CALL((int32_t)proto->id));
	emit(p, (struct bpf_insn)MOVE(BPF_REG_0, 1));
	emit(p, (struct bpf_insn)EXIT);
	return true;
}

static bool ask_call(struct oracle *o, int attach, const void *what)
{
	const struct program *p = what;
	int r = load(o, attach, p->insns, p->count);

	/* The arguments' types were good, but: a record is not submitted; a packet's bytes lie at any address. */
	return r == 0 || says(o, "Unreleased reference") || says(o, "misaligned packet access");
}

/* What is asked of these depends on more than the types of their arguments; programs that sleep take fewer types of maps. */
static bool is_particular(const struct oracle *o, const struct verify_proto *proto)
{
	bool syscall_kind = o->kind->id == PICKET_KIND_SYSCALL;

	return proto->id == BPF_FUNC_dynptr_from_mem || (proto->flags & PROTO_SLEEPS && !syscall_kind) ||
	       (proto->maps && syscall_kind);
}

static void compare_arguments_of(struct oracle *o, const struct verify_proto *proto, int map)
{
	struct program p;

	if (!make_call(proto, map, 0, NULL, &p))
		return;
	if (!any_attach(o, ask_call, &p)) {
		o->differences++;
		printf("%s: %s with the arguments of the table: kernel no: %s\n", o->kind->name, proto->name, o->log);
		return;
	}
	for (unsigned i = 1; i <= 5 && proto->args[i - 1].base != VERIFY_ARG_NONE; i++) {
		enum verify_arg_base base = proto->args[i - 1].base;

		if (base == VERIFY_ARG_ANY || base == VERIFY_ARG_SIZE || base == VERIFY_ARG_ALLOC_SIZE ||
		    !make_call(proto, map, i, NULL, &p) || !any_attach(o, ask_call, &p))
			continue;
		o->differences++;
		printf("%s: %s with a number as argument %u: kernel yes, table no\n", o->kind->name, proto->name, i);
	}
}

static bool takes_memory(const struct verify_proto *proto)
{
	for (unsigned i = 0; i < 5; i++)
		if (proto->args[i].base >= VERIFY_ARG_KEY && proto->args[i].base <= VERIFY_ARG_FIXED)
			return true;
	return false;
}

static void compare_packet(struct oracle *o, const struct verify_proto *proto, int map)
{
	/* An option's value is not really of a packet: any helper may have it. */
	bool ours = proto->flags & PROTO_TAKES_PACKET || o->kind->id == PICKET_KIND_CGROUP_SOCKOPT, theirs;
	struct program p;

	if (!(o->kind->flags & KIND_PACKET_WRITE) || !takes_memory(proto) || !make_call(proto, map, 0, o->kind, &p))
		return;
	theirs = any_attach(o, ask_call, &p);
	if (theirs == ours)
		return;
	o->differences++;
	printf("%s: %s with memory of the packet: kernel %s, table %s\n", o->kind->name, proto->name,
	       theirs ? "yes" : "no", ours ? "yes" : "no");
}

static void compare_arguments(struct oracle *o)
{
	for (uint32_t id = 1; id <= HELPER_LAST; id++) {
		bool ours = false;
		const struct verify_proto *proto = verify_proto_find(o->kind, id, &ours);
		int map;

		if (!ours || is_particular(o, proto) || !any_attach(o, ask_helper, &id))
			continue;
		map = proto->maps ? make_map(proto->maps[0]) : -1;
		compare_arguments_of(o, proto, map);
		compare_packet(o, proto, map);
		if (map >= 0)
			close(map);
	}
}

/* ---- types of maps: a helper takes one, or says that it does not ---- */

#define MAP_TYPE_LAST 33

static bool table_takes_map(const struct verify_proto *proto, uint32_t type)
{
	for (const uint8_t *t = proto->maps; *t; t++)
		if (*t == type)
			return true;
	return false;
}

/* Is it made in a few instructions, and is what it says about the map's type the first thing that can be wrong? */
static bool asks_for_map(const struct oracle *o, const struct verify_proto *proto)
{
	return proto->maps && !is_particular(o, proto) && proto->id != BPF_FUNC_get_local_storage;
}

static void compare_map_types(struct oracle *o)
{
	for (uint32_t id = 1; id <= HELPER_LAST; id++) {
		bool ours = false;
		const struct verify_proto *proto = verify_proto_find(o->kind, id, &ours);

		if (!ours || !asks_for_map(o, proto) || !any_attach(o, ask_helper, &id))
			continue;
		for (uint32_t type = 1; type <= MAP_TYPE_LAST; type++) {
			int map = make_map(type), taken;
			bool table = table_takes_map(proto, type);
			struct program p;

			if (map < 0)
				continue;
			if (make_call(proto, map, 0, NULL, &p)) {
				taken = any_attach(o, ask_call, &p);
				if (!taken && !says(o, "cannot pass map_type") && !says(o, "cannot use map_type"))
					taken = table; /* it is refused for something else */
				if ((bool)taken != table) {
					o->differences++;
					printf("%s: %s with a map of type %u: kernel %s, table %s\n", o->kind->name,
					       proto->name, type, taken ? "yes" : "no", table ? "yes" : "no");
				}
			}
			close(map);
		}
	}
}

/* ---- sockets: what may be read through a pointer to one ---- */

#define SOCK_DST_PORT offsetof(struct bpf_sock, dst_port)

struct socket_access {
	const struct verify_field *field; /* of the context that leads to it */
	bool tcp;                         /* by bpf_tcp_sock */
	struct access access;
};

static bool ask_socket(struct oracle *o, int attach, const void *what)
{
	const struct socket_access *s = what;
	const uint32_t size = s->access.size;
	const uint8_t width = size == 1 ? BPF_B : size == 2 ? BPF_H : size == 4 ? BPF_W : BPF_DW;
	const struct bpf_insn leave[] = {
	        {.code = BPF_JMP | BPF_JNE | BPF_K, .dst_reg = BPF_REG_1, .off = 2}, MOVE(BPF_REG_0, 1), EXIT};
	struct program p = {.count = 0};

	emit(&p, (struct bpf_insn){.code = BPF_LDX | BPF_MEM | BPF_DW,
	                           .dst_reg = BPF_REG_1,
	                           .src_reg = BPF_REG_1,
	                           .off = (int16_t)s->field->offset});
	for (unsigned i = 0; i < ARRAY_SIZE(leave); i++)
		emit(&p, leave[i]);
	if (s->tcp) {
		emit(&p, (struct bpf_insn)CALL(BPF_FUNC_tcp_sock));
		emit(&p, (struct bpf_insn){
		                 .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_1, .src_reg = BPF_REG_0});
		for (unsigned i = 0; i < ARRAY_SIZE(leave); i++)
			emit(&p, leave[i]);
	}
	emit(&p, (struct bpf_insn){.code = BPF_LDX | BPF_MEM | width,
	                           .dst_reg = BPF_REG_2,
	                           .src_reg = BPF_REG_1,
	                           .off = (int16_t)s->access.offset});
	emit(&p, (struct bpf_insn)MOVE(BPF_REG_0, 1));
	emit(&p, (struct bpf_insn)EXIT);
	return load(o, attach, p.insns, p.count) == 0;
}

static bool layout_access(struct verify_layout layout, const struct access *a)
{
	for (size_t i = 0; i < layout.field_count; i++) {
		const struct verify_field *f = &layout.fields[i];

		if (a->offset >= f->offset && a->offset + a->size <= (uint32_t)f->offset + f->size)
			return verify_field_fits(f, a->offset, a->size, false);
	}
	return false;
}

static void compare_socket(struct oracle *o, enum verify_layout_id id, const struct verify_field *field, bool tcp)
{
	const struct verify_layout layout = verify_layout_find(id);

	for (uint32_t offset = 0; offset < layout.bytes + 16; offset++)
		for (uint32_t size = 1; size <= 8; size *= 2) {
			const struct socket_access s = {field, tcp, {offset, size, false}};
			bool theirs, ours, padding;

			if (offset % size)
				continue;
			theirs = any_attach(o, ask_socket, &s);
			ours = layout_access(layout, &s.access);
			if (theirs == ours)
				continue;
			/* a port's padding: zeros */
			padding = ours && offset > SOCK_DST_PORT && offset < SOCK_DST_PORT + 4;
			*(padding ? &o->known : &o->differences) += 1;
			if (!padding || o->all)
				printf("%s: read of %u bytes at %u of a socket (%u): kernel %s, table %s\n",
				       o->kind->name, size, offset, id, theirs ? "yes" : "no", ours ? "yes" : "no");
		}
}

static void compare_sockets(struct oracle *o)
{
	for (size_t i = 0; i < o->kind->field_count; i++) {
		const struct verify_field *f = &o->kind->fields[i];

		if (strcmp(f->name, "sk") != 0)
			continue;
		if (f->type == FIELD_SOCK_COMMON_OR_NULL)
			compare_socket(o, VERIFY_LAYOUT_SOCK_COMMON, f, false);
		else
			compare_socket(o, VERIFY_LAYOUT_SOCKET, f, false);
		if (o->kind->id == PICKET_KIND_SCHED_CLS)
			compare_socket(o, VERIFY_LAYOUT_TCP_SOCK, f, true);
	}
}

/* ---- typed tracepoints: which arguments may be NULL, which numbers are read in parts ---- */

static bool ask_argument(struct oracle *o, const struct access *a, bool follow)
{
	const uint8_t width = a->size == 1 ? BPF_B : a->size == 2 ? BPF_H : a->size == 4 ? BPF_W : BPF_DW;
	const struct bpf_insn insns[] = {
	        {.code = BPF_LDX | BPF_MEM | width,
	         .dst_reg = BPF_REG_2,
	         .src_reg = BPF_REG_1,
	         .off = (int16_t)a->offset},
	        {.code = follow ? BPF_LDX | BPF_MEM | BPF_B : BPF_ALU64 | BPF_MOV | BPF_X,
	         .dst_reg = BPF_REG_3,
	         .src_reg = BPF_REG_2},
	        MOVE(BPF_REG_0, 0),
	        EXIT,
	};

	return load(o, BPF_TRACE_RAW_TP, insns, ARRAY_SIZE(insns)) == 0;
}

static void compare_argument(struct oracle *o, const struct verify_types *types, const char *hook, unsigned index)
{
	struct verify_type_field f;
	bool theirs;

	if (!verify_types_argument(types, o->kind, hook, index, &f))
		return;
	for (uint32_t size = 1; size <= 8; size *= 2) {
		const struct access a = {index * 8, size, false};
		bool ours = size == 8 || f.what == TYPE_FIELD_NUMBER;

		theirs = ask_argument(o, &a, false);
		if (theirs == ours || (ours && f.what == TYPE_FIELD_OTHER_POINTER))
			continue;
		o->differences++;
		printf("%s: argument %u of %s in %u bytes: kernel %s, table %s\n", o->kind->name, index, hook, size,
		       theirs ? "yes" : "no", ours ? "yes" : "no");
	}
	if (f.what != TYPE_FIELD_OBJECT)
		return;
	theirs = !ask_argument(o, &(struct access){index * 8, 8, false}, true) && says(o, "or_null");
	if (theirs == f.maybe_null)
		return;
	o->differences++;
	printf("%s: argument %u of %s: kernel: %s NULL, table: %s\n", o->kind->name, index, hook,
	       theirs ? "may be" : "never", f.maybe_null ? "may be" : "never");
}

static void compare_tracepoints(struct oracle *o, const struct btf *btf)
{
	static const char prefix[] = "btf_trace_";
	struct verify_types *types;
	uint32_t length;
	const void *data = btf ? btf__raw_data(btf, &length) : NULL;
	const uint32_t target = o->target;

	if (!data || o->kind->id != PICKET_KIND_TP_BTF || verify_types_open(data, length, &types, NULL))
		return;
	for (uint32_t id = 1; id < btf__type_cnt(btf); id++) {
		const struct btf_type *t = btf__type_by_id(btf, id);
		const char *name = btf__name_by_offset(btf, t->name_off);

		if (!btf_is_typedef(t) || strncmp(name, prefix, strlen(prefix)) != 0)
			continue;
		o->target = id;
		for (unsigned index = 0; index < 12; index++)
			compare_argument(o, types, name + strlen(prefix), index);
	}
	o->target = target;
	verify_types_free(types);
}

static uint32_t target_id(const struct btf *btf, const struct question *q)
{
	int id = q->target && btf ? btf__find_by_name_kind(btf, q->target, (uint32_t)q->target_kind) : 0;

	return id > 0 ? (uint32_t)id : 0;
}

int main(int argc, char **argv)
{
	struct oracle o = {.all = argc > 1 && !strcmp(argv[1], "--all")};
	struct btf *btf = btf__load_vmlinux_btf();
	unsigned skipped = 0;

	if (geteuid()) {
		fprintf(stderr, "helpers_oracle: skipped: loading programs needs root\n");
		btf__free(btf);
		return 77;
	}
	for (size_t i = 0; i < ARRAY_SIZE(questions); i++) {
		o.question = &questions[i];
		o.kind = verify_kind_find(questions[i].kind);
		o.target = target_id(btf, &questions[i]);
		if (!loads(&o, questions[i].attaches[0])) {
			printf("%s: skipped: this kernel does not load it\n", o.kind->name);
			skipped++;
			continue;
		}
		compare_helpers(&o);
		compare_kfuncs(&o, btf);
		compare_context(&o);
		compare_returns(&o);
		compare_arguments(&o);
		compare_map_types(&o);
		compare_sockets(&o);
		compare_tracepoints(&o, btf);
	}
	btf__free(btf);
	printf("%u programs, %u kinds skipped, %u differences expected, %u not\n", o.asked, skipped, o.known,
	       o.differences);
	return o.differences > 0;
}
