/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * What io_uring does on a process's behalf: no system call returns for it, so the other sensors do not see it. The
 * names are read when a request is submitted (the kernel has copied them by then), the result is known when it
 * completes; in between the record waits in a table. Such events carry EVENT_F_URING.
 */
#include "fd.h"

#define URING_RECORD_MAX 17408 /* four paths and the members */
#define URING_PENDING_MAX 64

/* enum io_uring_op */
#define OP_CONNECT 16
#define OP_OPENAT 18
#define OP_OPENAT2 28
#define OP_RENAMEAT 35
#define OP_UNLINKAT 36
#define OP_MKDIRAT 37
#define OP_SYMLINKAT 38
#define OP_LINKAT 39
#define OP_MAX 64

#define REQ_F_CQE_SKIP (1 << 6) /* IOSQE_CQE_SKIP_SUCCESS */

struct pending {
	__u32 length;
	bool creates; /* the result is a descriptor */
	char record[URING_RECORD_MAX];
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, URING_PENDING_MAX);
	__type(key, __u64); /* address of the request */
	__type(value, struct pending);
} uring_pending SEC(".maps");

/* A pending record is put together here, since it is too big for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pending);
} uring_building SEC(".maps");

static const volatile __u8 uring_events[OP_MAX] = {
        [OP_CONNECT] = EVENT_connect,     [OP_OPENAT] = EVENT_openat,     [OP_OPENAT2] = EVENT_openat2,
        [OP_RENAMEAT] = EVENT_renameat2,  [OP_UNLINKAT] = EVENT_unlinkat, [OP_MKDIRAT] = EVENT_mkdirat,
        [OP_SYMLINKAT] = EVENT_symlinkat, [OP_LINKAT] = EVENT_linkat,
};

#define SET(event, member, value) record_set(s, MEMBER(event, member), value)
#define SET_PATH(event, member, dirfd, name) \
	fd_record_name(s, MEMBER(event, member), uring_name(s, (__u64)(name)), dirfd)

/* The text of a struct filename, whose address this is. */
static __always_inline __u64 uring_name(struct scratch *s, __u64 filename)
{
	return record_kernel_text_word(s, READ_ADDRESS(filename, filename, name), EVENT_PATH_MAX);
}

static __always_inline void uring_open(struct scratch *s, struct io_open *open, bool with_how)
{
	int dirfd = READ(io_open, open, dfd);
	struct filename *name = READ(io_open, open, filename);

	if (with_how) {
		SET(openat2, dirfd, (__s64)dirfd);
		SET_PATH(openat2, name, dirfd, name);
		SET(openat2, flags, READ(io_open, open, how.flags));
		SET(openat2, mode, READ(io_open, open, how.mode));
		SET(openat2, resolve, READ(io_open, open, how.resolve));
	} else {
		SET(openat, dirfd, (__s64)dirfd);
		SET_PATH(openat, name, dirfd, name);
		SET(openat, flags, READ(io_open, open, how.flags));
		SET(openat, mode, READ(io_open, open, how.mode));
	}
}

static __always_inline void uring_rename(struct scratch *s, struct io_rename *r)
{
	int from = READ(io_rename, r, old_dfd), to = READ(io_rename, r, new_dfd);

	SET(renameat2, olddirfd, (__s64)from);
	SET_PATH(renameat2, oldpath, from, READ(io_rename, r, oldpath));
	SET(renameat2, newdirfd, (__s64)to);
	SET_PATH(renameat2, newpath, to, READ(io_rename, r, newpath));
	SET(renameat2, flags, READ(io_rename, r, flags));
}

static __always_inline void uring_link(struct scratch *s, struct io_link *l)
{
	int from = READ(io_link, l, old_dfd), to = READ(io_link, l, new_dfd);

	SET(linkat, olddir, (__s64)from);
	SET_PATH(linkat, oldpath, from, READ(io_link, l, oldpath));
	SET(linkat, newdir, (__s64)to);
	SET_PATH(linkat, newpath, to, READ(io_link, l, newpath));
	SET(linkat, flags, READ(io_link, l, flags));
}

static __always_inline void uring_symlink(struct scratch *s, struct io_link *l)
{
	int to = READ(io_link, l, new_dfd);
	struct filename *target = READ(io_link, l, oldpath);

	record_set_slot(s, MEMBER(symlinkat, target),
	                record_kernel_text(s, READ(filename, target, name), EVENT_PATH_MAX));
	SET(symlinkat, linkdirfd, (__s64)to);
	SET_PATH(symlinkat, linkpath, to, READ(io_link, l, newpath));
}

static __always_inline void uring_unlink(struct scratch *s, struct io_unlink *u)
{
	int dirfd = READ(io_unlink, u, dfd);

	SET(unlinkat, dirfd, (__s64)dirfd);
	SET_PATH(unlinkat, name, dirfd, READ(io_unlink, u, filename));
	SET(unlinkat, flags, READ(io_unlink, u, flags));
}

static __always_inline void uring_mkdir(struct scratch *s, struct io_mkdir *m)
{
	int dirfd = READ(io_mkdir, m, dfd);

	SET(mkdirat, dirfd, (__s64)dirfd);
	SET_PATH(mkdirat, path, dirfd, READ(io_mkdir, m, filename));
	SET(mkdirat, mode, READ(io_mkdir, m, mode));
}

static __always_inline void uring_connect(struct scratch *s, struct io_connect *c)
{
	record_set_slot(s, MEMBER(connect, addr),
	                record_user_bytes(s, (void *)READ_ADDRESS(io_connect, (__u64)c, addr),
	                                  (__u32)READ(io_connect, c, addr_len), 128));
	SET(connect, fd, (__s64)-1); /* it may be a registered file, which has no descriptor */
}

/* The size of an event's members; a switch, because offsets must be constants. */
static __always_inline __u32 uring_fixed_size(__u8 op)
{
	switch (op) {
	case OP_CONNECT:
		return FIXED_SIZE(connect);
	case OP_OPENAT:
		return FIXED_SIZE(openat);
	case OP_OPENAT2:
		return FIXED_SIZE(openat2);
	case OP_RENAMEAT:
		return FIXED_SIZE(renameat2);
	case OP_UNLINKAT:
		return FIXED_SIZE(unlinkat);
	case OP_MKDIRAT:
		return FIXED_SIZE(mkdirat);
	case OP_SYMLINKAT:
		return FIXED_SIZE(symlinkat);
	default:
		return FIXED_SIZE(linkat);
	}
}

static __always_inline void uring_submit_unknown(struct scratch *s)
{
	record_flag(s, EVENT_F_MISSING);
	record_submit(s);
}

static __always_inline int uring_submit(__u64 request)
{
	struct task_struct *task = bpf_get_current_task_btf();
	void *command = (void *)request;
	__u8 op = READ(io_kiocb, command, opcode), type = uring_events[op & (OP_MAX - 1)];
	__u32 zero = 0, length;
	struct pending *p;
	struct scratch *s;

	if (!type || !event_wanted[type] || !task_in_scope(task))
		return 0;
	p = bpf_map_lookup_elem(&uring_building, &zero);
	s = p ? scratch_get() : NULL;
	if (!s)
		return 0;
	record_begin(s, task, type, uring_fixed_size(op), 0);
	record_flag(s, EVENT_F_URING);
	switch (op) {
	case OP_CONNECT:
		uring_connect(s, command);
		break;
	case OP_OPENAT:
		uring_open(s, command, false);
		break;
	case OP_OPENAT2:
		uring_open(s, command, true);
		break;
	case OP_RENAMEAT:
		uring_rename(s, command);
		break;
	case OP_UNLINKAT:
		uring_unlink(s, command);
		break;
	case OP_MKDIRAT:
		uring_mkdir(s, command);
		break;
	case OP_SYMLINKAT:
		uring_symlink(s, command);
		break;
	default:
		uring_link(s, command);
	}
	path_record_root(s);
	length = s->used;
	if (length > URING_RECORD_MAX) {
		count(COUNTER_record_too_long);
		return 0;
	}
	/* What completes in silence, or cannot wait in the table, is told now: that it was asked for is known, and that its
	 * result is not. (A failure may complete after all, but the kernel's file operations are silent then, too.) */
	if (READ(io_kiocb, command, flags) & REQ_F_CQE_SKIP) {
		uring_submit_unknown(s);
		return 0;
	}
	p->length = length;
	p->creates = (op == OP_OPENAT || op == OP_OPENAT2) && !READ(io_open, command, file_slot);
	bpf_probe_read_kernel(p->record, length, s->record);
	if (bpf_map_update_elem(&uring_pending, &request, p, BPF_ANY)) {
		count(COUNTER_uring_table_full);
		uring_submit_unknown(s);
	}
	return 0;
}

SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(uring_submit_req, struct io_kiocb *req)
{
	return uring_submit(*(volatile __u64 *)&ctx[0]);
}

SEC("tp_btf/io_uring_submit_sqe")
int BPF_PROG(uring_submit_sqe, struct io_kiocb *req)
{
	return uring_submit(*(volatile __u64 *)&ctx[0]);
}

SEC("tp_btf/io_uring_complete")
int uring_complete(__u64 *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 request = ctx[1];
	struct pending *p = bpf_map_lookup_elem(&uring_pending, &request);
	__u32 length;
	__s32 result;
	struct scratch *s;

	if (!p)
		return 0;
	if (config.uring_cqe) /* 6.13 and newer hand over the whole completion */
		result = ((struct io_uring_cqe___kernel *)ctx[2])->res;
	else
		result = ctx[3];
	length = p->length;
	s = scratch_get();
	if (s && length <= URING_RECORD_MAX) {
		bpf_probe_read_kernel(s->record, length, p->record);
		s->used = length;
		record_header(s)->result = result;
		if (p->creates && result >= 0 && (__u32)task->tgid == record_header(s)->pid)
			fd_record(s, task, result);
		if (record_header(s)->type == EVENT_connect) {
			void *kiocb = (void *)request;
			struct file *file = READ(io_kiocb, kiocb, file);
			if (file)
				record_header(s)->fd = fd_record_file(s, file, -1);
		}
		record_submit(s);
	}
	bpf_map_delete_elem(&uring_pending, &request);
	return 0;
}
