/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * System calls, at their return: the arguments still stand in the saved registers, the result is known, and half the
 * tracepoint's cost is saved. sys_exit runs for every call of every process, so it decides by two loads whether
 * anybody wants this one, and leaves the work to a program reached by tail call.
 */
#include "fd.h"
#include "generic.h"
#include "sieve.h"
#include "syscall.h"
#include "task.h"

#define O_CREAT 0100

/* Can no rule match any event of that type and this process? An open that may have created a file is told in any case:
 * user space follows which files are there; so is one for writing, if those are kept. */
static __always_inline bool call_is_excluded(const struct sieve_process *p, struct task_struct *task,
                                             struct pt_regs *regs, __u32 type)
{
	__u32 told = O_CREAT | (sieve_keeps_writes ? OPEN_ACCESS : 0);

	if (sieve_is_paused || p->types[type / 64 & (SIEVE_TYPES_MAX / 64 - 1)] >> (type & 63) & 1)
		return false;
	if (type == EVENT_open || type == EVENT_openat)
		return !(syscall_argument(regs, syscall_is_compat(task), type == EVENT_open ? 1 : 2) & told);
	return true;
}

/* Leaves it to the sieve of its type whether a record is made of the call, and comes back if that cannot say. What changes
 * a process is never sieved, so nothing else is to be done for one that is dropped. */
static __always_inline void call_sift(void *ctx, struct task_struct *task, struct pt_regs *regs, __u32 type,
                                      long result, const struct sieve_process *p)
{
	bool compat = syscall_is_compat(task);
	struct scratch *s = scratch_get();
	__s64 fd = -1;

	if (!s || syscall_indirect(regs, compat))
		return;
	if (type == EVENT_connect)
		fd = (__s32)syscall_argument(regs, compat, 0);
	else if (type == EVENT_accept || type == EVENT_accept4)
		fd = result;
	if (sieve_fill_call(s, task, type, result, fd) == SIEVE_UNDECIDED)
		return;
	s->unmade = type;
	sieve_set_process(s, p);
	/* By a constant it is a plain jump; else one that is guarded against speculation, 40 ns dearer. */
	switch (type) {
	case EVENT_connect:
		bpf_tail_call_static(ctx, &sieves, EVENT_connect);
		break;
	case EVENT_accept:
		bpf_tail_call_static(ctx, &sieves, EVENT_accept);
		break;
	case EVENT_accept4:
		bpf_tail_call_static(ctx, &sieves, EVENT_accept4);
		break;
	default:
		bpf_tail_call(ctx, &sieves, type);
	}
}

SEC("tp_btf/sys_exit")
int BPF_PROG(sys_exit, struct pt_regs *regs, long result)
{
	struct sieve_process *p = NULL;
	struct task_struct *task;
	struct scratch *s;
	__u8 wanted;
	__u32 type;

	if (!syscall_may_be_wanted(regs))
		return 0;
	task = bpf_get_current_task_btf();
	type = syscall_event(task, regs);
	wanted = event_wanted[type & (EVENT_TYPES - 1)];
	if (!type || !wanted || !task_in_scope(task))
		return 0;
	if (sieve_by_process) {
		p = process_get(task);
		if (p && call_is_excluded(p, task, regs, type)) {
			count(COUNTER_sieved);
			return 0;
		}
	}
	if (wanted == WANTED_SIEVED_FIRST)
		call_sift(ctx, task, regs, type, result, p);
	if (type == EVENT_openat) {
		s = scratch_get();
		if (s)
			s->known = p ? p->serial : 0;
		bpf_tail_call_static(ctx, &sensors, EVENT_openat);
	} else {
		bpf_tail_call(ctx, &sensors, type);
	}
	count(COUNTER_tail_call);
	return 0;
}

struct generic_call {
	struct scratch *scratch;
	struct task_struct *task;
	const volatile struct generic_event *event;
	bool compat, has_path;
};

/* All at once, so that the verifier need not follow their ways for each use. */
static __always_inline void generic_read_arguments(struct scratch *s, struct pt_regs *regs, bool compat)
{
	const void *indirect = syscall_indirect(regs, compat);
	__u32 memory[6] = {};

#pragma unroll
	for (__u32 i = 0; i < 6; i++)
		s->arguments[i] = syscall_argument(regs, compat, i);
	if (!indirect)
		return;
	if (bpf_probe_read_user(memory, sizeof(memory), indirect))
		count(COUNTER_read_user);
#pragma unroll
	for (__u32 i = 0; i < 6; i++)
		s->arguments[i] = memory[i];
}

static __always_inline __u64 generic_argument(struct generic_call *c, __u32 n)
{
	return *(volatile __u64 *)&c->scratch->arguments[n & 7];
}

static long generic_arg(__u32 index, struct generic_call *c)
{
	const volatile struct generic_arg *arg = &c->event->args[index & (EVENT_ARGS_MAX - 1)];
	struct scratch *s = c->scratch;
	__u32 at = arg->offset;
	__u64 value;

	if (!arg->read)
		return 1;
	value = generic_argument(c, arg->source);
	switch (arg->read) {
	case READ_S32:
		record_set(s, at, (__s64)(__s32)value);
		break;
	case READ_U32:
		record_set(s, at, (__u32)value);
		break;
	case READ_64:
		record_set(s, at, value);
		break;
	case READ_TEXT:
		record_set_slot(s, at, record_user_text(s, (void *)value, EVENT_PATH_MAX));
		break;
	case READ_BYTES:
		record_set_slot(s, at,
		                record_user_bytes(s, (void *)value, generic_argument(c, arg->aux) & 0xffffffff, 128));
		break;
	case READ_PATH: {
		__s64 dirfd = arg->aux == REGISTER_CWD ? AT_FDCWD : (__s32)generic_argument(c, arg->aux);
		fd_record_name(s, at, record_user_text_word(s, value, EVENT_PATH_MAX), dirfd);
		c->has_path = true;
		break;
	}
	}
	return 0;
}

/* The descriptor that fd.* is about. */
static __always_inline __s64 generic_fd(struct generic_call *c, __u32 type, __s64 result)
{
	if (c->event->fd_use == FDUSE_NO)
		return -1;
	switch (type) {
	case EVENT_socketpair: {
		int pair[2] = {-1, -1};
		if (result == 0)
			bpf_probe_read_user(pair, sizeof(pair), (void *)generic_argument(c, 3));
		return pair[1];
	}
	case EVENT_dup:
	case EVENT_dup2:
	case EVENT_dup3: /* one that failed is about what should have been copied */
		return result < 0 ? (__s32)generic_argument(c, 0) : result;
	case EVENT_bpf:
		switch ((__u32)generic_argument(c, 0)) {
		case BPF_MAP_CREATE:
		case BPF_PROG_LOAD:
		case BPF_OBJ_GET:
		case BPF_PROG_GET_FD_BY_ID:
		case BPF_MAP_GET_FD_BY_ID:
		case BPF_RAW_TRACEPOINT_OPEN:
		case BPF_BTF_LOAD:
		case BPF_BTF_GET_FD_BY_ID:
		case BPF_LINK_CREATE:
		case BPF_LINK_GET_FD_BY_ID:
		case BPF_ITER_CREATE:
			return result;
		default:
			return -1;
		}
	}
	return c->event->fd_register == REGISTER_RET ? result : (__s32)generic_argument(c, c->event->fd_register);
}

/* The address in a struct msghdr of the caller. */
static __always_inline void generic_message(struct generic_call *c, __u32 member, __u64 header)
{
	struct {
		__u64 name;
		__u32 length, pad;
	} message = {};
	long err;

	if (c->compat) {
		__u32 half[2] = {};
		err = bpf_probe_read_user(half, sizeof(half), (void *)header);
		message.name = half[0];
		message.length = half[1];
	} else {
		err = bpf_probe_read_user(&message, sizeof(message), (void *)header);
	}
	if (err) {
		count(COUNTER_read_user);
		record_flag(c->scratch, EVENT_F_MISSING);
		return;
	}
	if (message.name)
		record_set_slot(c->scratch, member,
		                record_user_bytes(c->scratch, (void *)message.name, message.length, 128));
}

#define MMSGHDR_LENGTH 56 /* where struct mmsghdr has the length of its message */
#define MMSGHDR_LENGTH_COMPAT 28

/* The length of the first message that was sent or received. */
static __always_inline __u32 generic_message_length(struct generic_call *c, __s64 result)
{
	__u32 length = 0;

	if (result > 0 && bpf_probe_read_user(&length, sizeof(length),
	                                      (void *)generic_argument(c, 1) +
	                                              (c->compat ? MMSGHDR_LENGTH_COMPAT : MMSGHDR_LENGTH))) {
		count(COUNTER_read_user);
		record_flag(c->scratch, EVENT_F_MISSING);
	}
	return length;
}

#define SET(event, member, value) record_set(s, MEMBER(event, member), value)
#define GET(event, member) (*(__u64 *)&s->record[MEMBER(event, member)])
#define SET_SLOT(event, member, slot) record_set_slot(s, MEMBER(event, member), slot)

/* What does not stand in a register: structures that arguments point to, and the state after the call. */
static __always_inline void generic_extra(struct generic_call *c, __u32 type, __s64 result)
{
	struct scratch *s = c->scratch;
	struct task_struct *task = c->task;

	switch (type) {
	case EVENT_open:
		SET(open, flags, open_flags(GET(open, flags)));
		break;
	case EVENT_open_by_handle_at:
		SET(open_by_handle_at, flags, open_flags(GET(open_by_handle_at, flags)));
		break;
	case EVENT_openat2: {
		struct {
			__u64 flags, mode, resolve;
		} how = {};
		if (bpf_probe_read_user(&how, sizeof(how), (void *)generic_argument(c, 2))) {
			count(COUNTER_read_user);
			record_flag(s, EVENT_F_MISSING);
		}
		SET(openat2, flags, open_flags(how.flags));
		SET(openat2, mode, how.mode);
		SET(openat2, resolve, how.resolve);
		break;
	}
	case EVENT_clone:
		SET(clone, flags, generic_argument(c, 0));
		break;
	case EVENT_clone3: {
		__u64 flags = 0;
		if (bpf_probe_read_user(&flags, sizeof(flags), (void *)generic_argument(c, 0))) {
			count(COUNTER_read_user);
			record_flag(s, EVENT_F_MISSING);
		}
		SET(clone3, flags, flags);
		break;
	}
	case EVENT_vfork:
		SET(vfork, flags, 0x4100); /* CLONE_VM | CLONE_VFORK */
		break;
	case EVENT_chdir:
		SET_SLOT(chdir, workdir, path_record_cwd(s));
		break;
	case EVENT_fchdir:
		SET_SLOT(fchdir, workdir, path_record_cwd(s));
		break;
	case EVENT_socket:
		SET(socket, flags,
		    generic_argument(c, 1) & 0x80800); /* SOCK_CLOEXEC, SOCK_NONBLOCK: as the O_* of x86 */
		break;
	case EVENT_sendmsg:
		SET(sendmsg, size, result > 0 ? result : 0);
		generic_message(c, MEMBER(sendmsg, addr), generic_argument(c, 1));
		break;
	case EVENT_sendmmsg:
		SET(sendmmsg, size, generic_message_length(c, result));
		generic_message(c, MEMBER(sendmmsg, addr), generic_argument(c, 1));
		break;
	case EVENT_recvmsg:
		SET(recvmsg, size, result > 0 ? result : 0);
		if (result >= 0)
			generic_message(c, MEMBER(recvmsg, addr), generic_argument(c, 1));
		break;
	case EVENT_recvmmsg:
		SET(recvmmsg, size, generic_message_length(c, result));
		if (result > 0)
			generic_message(c, MEMBER(recvmmsg, addr), generic_argument(c, 1));
		break;
	case EVENT_recvfrom: {
		__u64 address = generic_argument(c, 4);
		__u32 length = 0;
		if (result < 0 || !address)
			break;
		bpf_probe_read_user(&length, sizeof(length), (void *)generic_argument(c, 5));
		SET_SLOT(recvfrom, addr, record_user_bytes(s, (void *)address, length, 128));
		break;
	}
	case EVENT_capset:
		SET_SLOT(capset, creds, task_record_state(s, task));
		break;
	case EVENT_unshare:
		SET_SLOT(unshare, creds, task_record_state(s, task));
		break;
	case EVENT_setns:
		SET_SLOT(setns, creds, task_record_state(s, task));
		break;
	case EVENT_prctl: {
		__u32 option = generic_argument(c, 0);
		if (option == 15 || option == 16) /* PR_SET_NAME, PR_GET_NAME */
			SET_SLOT(prctl, arg2_str, record_user_text(s, (void *)generic_argument(c, 1), 16));
		break;
	}
	case EVENT_perf_event_open: {
		struct {
			__u32 type, size;
			__u64 config;
		} attr = {};
		if (bpf_probe_read_user(&attr, sizeof(attr), (void *)generic_argument(c, 0))) {
			count(COUNTER_read_user);
			record_flag(s, EVENT_F_MISSING);
		}
		SET(perf_event_open, type, attr.type);
		SET(perf_event_open, config, attr.config);
		break;
	}
	case EVENT_io_uring_setup: {
		struct {
			__u32 sq_entries, cq_entries, flags, sq_thread_cpu, sq_thread_idle, features;
		} params = {};
		if (bpf_probe_read_user(&params, sizeof(params), (void *)generic_argument(c, 1))) {
			count(COUNTER_read_user);
			record_flag(s, EVENT_F_MISSING);
		}
		SET(io_uring_setup, sq_entries, params.sq_entries);
		SET(io_uring_setup, cq_entries, params.cq_entries);
		SET(io_uring_setup, flags, params.flags);
		SET(io_uring_setup, sq_thread_cpu, params.sq_thread_cpu);
		SET(io_uring_setup, sq_thread_idle, params.sq_thread_idle);
		SET(io_uring_setup, features, params.features);
		break;
	}
	}
}

#define PROT_WRITE 2
#define PROT_EXEC 4
/* Most mappings are of no interest to anybody. */
static __always_inline bool generic_skip(struct generic_call *c, __u32 type)
{
	__u64 prot;

	switch (type) {
	case EVENT_mmap:
		prot = generic_argument(c, 2);
		return !(prot & PROT_WRITE && prot & PROT_EXEC);
	case EVENT_mprotect:
	case EVENT_pkey_mprotect:
		return !(generic_argument(c, 2) & PROT_EXEC);
	default:
		return false;
	}
}

static __always_inline void generic_sieve(void *ctx, struct scratch *s, __u32 type)
{
	__u8 wanted = event_wanted[type & (EVENT_TYPES - 1)];

	if (wanted != WANTED_SIEVED && wanted != WANTED_WRITES)
		return;
	s->opened.length = 0;
	switch (type) {
	case EVENT_open:
		sieve_fill(s, MEMBER(open, name), GET(open, flags));
		break;
	case EVENT_openat2:
		sieve_fill(s, MEMBER(openat2, name), GET(openat2, flags));
		break;
	default:
		sieve_fill_call(s, NULL, type, record_header(s)->result, -1);
		break;
	}
	record_sift(ctx, s, type, wanted);
}

/* Read back, so that the verifier takes the ways that differ by it for one again. */
static __always_inline __u32 generic_type_anew(struct generic_call *c)
{
	return *(volatile __u16 *)&record_header(c->scratch)->type;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(sys_generic, struct pt_regs *regs, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct generic_call c = {.task = task, .compat = syscall_is_compat(task), .scratch = scratch_get()};
	__u32 type = syscall_event(task, regs);
	__s64 fd;

	if (!c.scratch)
		return 0;
	generic_read_arguments(c.scratch, regs, c.compat);
	c.event = &generic_events[type & (EVENT_TYPES - 1)];
	if (generic_skip(&c, type))
		return 0;
	record_begin(c.scratch, task, type, c.event->size, result);
	if (c.compat)
		record_flag(c.scratch, EVENT_F_COMPAT);
	bpf_loop(EVENT_ARGS_MAX, generic_arg, &c, 0);
	generic_extra(&c, type, result);
	type = generic_type_anew(&c);
	fd = generic_fd(&c, type, result);
	if (fd >= 0)
		fd_record(c.scratch, task, fd);
	if (c.has_path)
		path_record_root(c.scratch);
	type = generic_type_anew(&c);
	process_event(type);
	generic_sieve(ctx, c.scratch, type);
	record_submit(c.scratch);
	process_event(type);
	return 0;
}

char picket_license[] SEC("license") = "Dual BSD/GPL";
