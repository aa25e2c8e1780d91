/* SPDX-License-Identifier: Apache-2.0
 *
 * Statements of random programs: what belongs to the kernel. It is acquired, looked at and given back within a statement; now
 * and then something is done that must be refused. Changes (soundness_mutate.c) leave out what must not be.
 */
#include <linux/bpf.h>
#include "tests/verify/soundness_make.h"

/* Slots for pointers to objects, and, from their lowest address on, iterators and dynptrs. */
#define SLOT_OBJECT 13
#define SLOT_CHILD 14
#define SLOT_DYNPTR 21
#define SLOT_CLONE 23
#define SLOT_ITERATOR 26

static bool chance_to(struct generator *g, unsigned n)
{
	return below(g, n) == 0;
}

static void call_helper(struct generator *g, uint32_t helper)
{
	emit(g, VM_CALL_HELPER, 0, 0, 0, helper);
	clobber(g);
}

static void call_kfunc(struct generator *g, const char *name)
{
	size_t at = emit(g, VM_CALL_HELPER, 0, 0, 0, soundness_kfunc(name));

	g->c->insns[at].src = 2;
	clobber(g);
}

static void keep(struct generator *g, unsigned slot)
{
	emit(g, VM_STXDW, 10, 0, slot_offset(slot), 0);
	g->slots[slot].holds = HOLDS_NOTHING;
}

static void fetch(struct generator *g, unsigned reg, unsigned slot)
{
	emit(g, VM_LDXDW, reg, 10, slot_offset(slot), 0);
	set_register(g, reg, HOLDS_NOTHING, 0, 0);
}

static void address(struct generator *g, unsigned reg, unsigned slot)
{
	emit(g, VM_MOV64_REG, reg, 10, 0, 0);
	emit(g, VM_ADD64_IMM, reg, 0, 0, slot_offset(slot));
}

static void some_argument(struct generator *g, unsigned reg)
{
	emit(g, VM_MOV64_IMM, reg, 0, 0, some_constant(g));
}

/* r0 is looked at only where it is not NULL, mostly. */
static void skip_null(struct generator *g, struct jumps *skip)
{
	if (!chance_to(g, 24))
		jump_to(g, skip, VM_JEQ64_IMM, 0, 0, 0);
}

static bool may_sleep(const struct generator *g)
{
	return g->c->kind == PICKET_KIND_SYSCALL;
}

/* ---- sections ---- */
static bool enter_rcu(struct generator *g)
{
	if (may_sleep(g) ? chance_to(g, 6) : !chance_to(g, 4))
		return false;
	call_kfunc(g, "bpf_rcu_read_lock");
	return true;
}

static void leave_rcu(struct generator *g, bool entered)
{
	if (entered)
		call_kfunc(g, "bpf_rcu_read_unlock");
}

/* ---- tasks ---- */
static void read_number(struct generator *g, unsigned from, const char *object, const char *member)
{
	emit(g, VM_LDXW, 0, from, soundness_field(object, member), 0);
	set_register(g, 0, HOLDS_NUMBER, 0, 0);
}

/* Of a task in r1: r0 = another one. */
static void follow_task(struct generator *g)
{
	static const char *const members[] = {"real_parent", "group_leader", "real_parent", "last_wakee"};
	const char *member = members[below(g, ARRAY_SIZE(members))];

	if (chance_to(g, 12)) /* it is none */
		member = "cpus_ptr";
	emit(g, VM_LDXDW, 0, 1, soundness_field("task_struct", member), 0);
	set_register(g, 0, HOLDS_NOTHING, 0, 0);
}

/* r0 = an object that was acquired, or NULL: it is given back. */
static void give_back(struct generator *g, const char *function)
{
	struct jumps skip = {.count = 0};

	skip_null(g, &skip);
	emit(g, VM_MOV64_REG, 1, 0, 0, 0);
	call_kfunc(g, function);
	land(g, &skip);
	clobber(g);
}

static void use_parent(struct generator *g)
{
	bool entered = enter_rcu(g), early = below(g, 2);

	fetch(g, 1, SLOT_OBJECT);
	follow_task(g);
	keep(g, SLOT_CHILD);
	if (chance_to(g, 10)) /* it may be that nothing is there */
		jump_to(g, &g->trap, VM_JEQ64_IMM, 0, 0, 0);
	if (below(g, 2)) {
		emit(g, VM_MOV64_REG, 1, 0, 0, 0);
		call_kfunc(g, "bpf_task_acquire");
		give_back(g, "bpf_task_release");
	}
	if (early)
		leave_rcu(g, entered);
	fetch(g, 1, SLOT_CHILD);
	read_number(g, 1, "task_struct", below(g, 2) ? "pid" : "flags");
	fetch(g, 1, SLOT_CHILD);
	if (chance_to(g, 4)) { /* helpers look whether it is there */
		call_helper(g, BPF_FUNC_task_pt_regs);
	} else if (chance_to(g, early ? 4 : 2)) {
		call_kfunc(g, "bpf_task_acquire");
		give_back(g, "bpf_task_release");
	}
	if (!early)
		leave_rcu(g, entered);
}

static void use_cgroup(struct generator *g)
{
	struct jumps skip = {.count = 0};

	fetch(g, 1, SLOT_OBJECT);
	some_argument(g, 2);
	call_kfunc(g, "bpf_task_get_cgroup1");
	keep(g, SLOT_CHILD);
	skip_null(g, &skip);
	if (below(g, 2)) {
		emit(g, VM_MOV64_REG, 1, 0, 0, 0);
		some_argument(g, 2);
		call_kfunc(g, "bpf_cgroup_ancestor");
		give_back(g, "bpf_cgroup_release");
	}
	fetch(g, 1, SLOT_CHILD);
	read_number(g, 1, "cgroup", "level");
	if (below(g, 2)) {
		fetch(g, 1, SLOT_OBJECT);
		fetch(g, 2, SLOT_CHILD);
		call_kfunc(g, "bpf_task_under_cgroup");
	}
	fetch(g, 1, SLOT_CHILD);
	call_kfunc(g, "bpf_cgroup_release");
	land(g, &skip);
	clobber(g);
}

/* Through several objects, of which none is held. */
static void use_memory(struct generator *g)
{
	bool entered = enter_rcu(g);
	struct jumps skip = {.count = 0};

	fetch(g, 1, SLOT_OBJECT);
	if (below(g, 2)) {
		emit(g, VM_LDXDW, 1, 1, soundness_field("task_struct", "mm"), 0);
		emit(g, VM_LDXDW, 0, 1, soundness_field("mm_struct", "exe_file"), 0);
		if (below(g, 2))
			skip_null(g, &skip);
		emit(g, VM_LDXDW, 1, 0, soundness_field("file", "f_inode"), 0);
		emit(g, VM_LDXDW, 0, 1, soundness_field("inode", "i_ino"), 0);
	} else {
		emit(g, VM_LDXDW, 0, 1, soundness_field("task_struct", "cgroups"), 0);
		skip_null(g, &skip);
		emit(g, VM_LDXDW, 1, 0, soundness_field("css_set", "dfl_cgrp"), 0);
		if (below(g, 2)) {
			call_kfunc(g, "bpf_cgroup_acquire");
			give_back(g, "bpf_cgroup_release");
		} else {
			emit(g, VM_LDXW, 0, 1, soundness_field("cgroup", "level"), 0);
		}
	}
	land(g, &skip);
	clobber(g);
	leave_rcu(g, entered);
}

static void use_registers(struct generator *g)
{
	fetch(g, 1, SLOT_OBJECT);
	call_helper(g, BPF_FUNC_task_pt_regs);
	emit(g, VM_LDXDW, 0, 0, soundness_field("pt_regs", "ip"), 0);
	set_register(g, 0, HOLDS_NUMBER, 0, 0);
}

static void use_task(struct generator *g)
{
	static statement *const uses[] = {use_parent, use_parent, use_cgroup, use_memory, use_registers, do_quiet};

	for (unsigned i = 1 + below(g, 3); i > 0; i--)
		uses[below(g, ARRAY_SIZE(uses))](g);
}

static void do_task(struct generator *g)
{
	struct jumps skip = {.count = 0};
	bool owned = below(g, 3);

	if (owned && below(g, 2)) {
		some_argument(g, 1);
		call_kfunc(g, "bpf_task_from_pid");
	} else {
		call_helper(g, BPF_FUNC_get_current_task_btf);
		if (owned) {
			emit(g, VM_MOV64_REG, 1, 0, 0, 0);
			call_kfunc(g, "bpf_task_acquire");
		}
	}
	keep(g, SLOT_OBJECT);
	if (owned)
		skip_null(g, &skip);
	use_task(g);
	if (chance_to(g, 20))
		do_tail_call(g);
	if (owned || chance_to(g, 16)) { /* else it is not its own */
		fetch(g, 1, SLOT_OBJECT);
		call_kfunc(g, "bpf_task_release");
	}
	if (chance_to(g, 8))
		use_task(g);
	land(g, &skip);
	clobber(g);
}

/* ---- sets of CPUs ---- */
static void do_cpumask(struct generator *g)
{
	struct jumps skip = {.count = 0};

	call_kfunc(g, "bpf_cpumask_create");
	keep(g, SLOT_OBJECT);
	skip_null(g, &skip);
	for (unsigned i = 1 + below(g, 3); i > 0; i--) {
		switch (below(g, 4)) {
		case 0:
			some_argument(g, 1);
			fetch(g, 2, SLOT_OBJECT);
			call_kfunc(g, "bpf_cpumask_set_cpu");
			break;
		case 1:
			some_argument(g, 1);
			fetch(g, 2, SLOT_OBJECT);
			call_kfunc(g, "bpf_cpumask_test_cpu");
			break;
		case 2:
			fetch(g, 1, SLOT_OBJECT);
			call_kfunc(g, "bpf_cpumask_acquire");
			emit(g, VM_MOV64_REG, 1, 0, 0, 0);
			call_kfunc(g, "bpf_cpumask_release");
			break;
		default:
			fetch(g, 1, SLOT_OBJECT);
			read_number(g, 1, "bpf_cpumask", "usage");
		}
	}
	fetch(g, 1, SLOT_OBJECT);
	call_kfunc(g, "bpf_cpumask_release");
	land(g, &skip);
	clobber(g);
}

/* ---- iterators ---- */
struct family {
	const char *begin, *next, *end;
	bool rcu;
	enum vm_opcode read; /* of what it gives */
	int offset;
};

static void begin_iterator(struct generator *g, const struct family *f, unsigned which)
{
	if (which == 1) { /* bits of some memory */
		emit(g, VM_LDDW_MAP_VALUE, 2, 0, 0, MAP_GLOBALS);
		emit(g, VM_MOV64_IMM, 3, 0, 0, 1);
	} else if (which == 3) {
		call_helper(g, BPF_FUNC_get_current_task_btf);
		emit(g, VM_MOV64_REG, 2, 0, 0, 0);
		some_argument(g, 3);
	} else {
		emit(g, VM_MOV64_IMM, 2, 0, 0, 0);
		emit(g, VM_MOV64_IMM, 3, 0, 0, below(g, 12));
	}
	address(g, 1, SLOT_ITERATOR);
	call_kfunc(g, f->begin);
}

static void do_iterator(struct generator *g)
{
	static const struct family families[] = {
	        {"bpf_iter_num_new", "bpf_iter_num_next", "bpf_iter_num_destroy", false, VM_LDXW, 0},
	        {"bpf_iter_bits_new", "bpf_iter_bits_next", "bpf_iter_bits_destroy", false, VM_LDXW, 0},
	        {"bpf_iter_task_new", "bpf_iter_task_next", "bpf_iter_task_destroy", true, VM_LDXW, 4},
	        {"bpf_iter_task_vma_new", "bpf_iter_task_vma_next", "bpf_iter_task_vma_destroy", false, VM_LDXDW, 0},
	        {"bpf_iter_kmem_cache_new", "bpf_iter_kmem_cache_next", "bpf_iter_kmem_cache_destroy", false, VM_LDXW,
	         0}};
	/* the last one may sleep */
	unsigned which = below(g, ARRAY_SIZE(families) - !may_sleep(g));
	const struct family *f = &families[which];
	struct held registers[11], slots[64];
	struct jumps end = {.count = 0};
	bool entered = f->rcu && enter_rcu(g), outer = g->in_loop;
	size_t head;

	begin_iterator(g, f, which);
	clobber(g);
	memcpy(registers, g->registers, sizeof(registers));
	memcpy(slots, g->slots, sizeof(slots));
	g->in_loop = true;
	head = g->c->count;
	address(g, 1, SLOT_ITERATOR);
	call_kfunc(g, f->next);
	skip_null(g, &end);
	emit(g, f->read, 0, 0, f->offset, 0);
	set_register(g, 0, HOLDS_NUMBER, 0, 0);
	do_quiet(g);
	emit(g, VM_JA, 0, 0, (int)head - (int)g->c->count - 1, 0);
	land(g, &end);
	g->in_loop = outer;
	meet(g, registers, slots);
	address(g, 1, SLOT_ITERATOR);
	call_kfunc(g, f->end);
	if (chance_to(g, 12)) {
		address(g, 1, SLOT_ITERATOR);
		call_kfunc(g, f->next);
	}
	leave_rcu(g, entered);
}

static void do_section(struct generator *g)
{
	bool rcu = below(g, 2);

	call_kfunc(g, rcu ? "bpf_rcu_read_lock" : "bpf_preempt_disable");
	do_quiet(g);
	if (chance_to(g, 4))
		do_tail_call(g);
	if (chance_to(g, 4)) /* of which one may sleep */
		do_iterator(g);
	call_kfunc(g, rcu ? "bpf_rcu_read_unlock" : "bpf_preempt_enable");
}

/* ---- dynptrs ---- */
/* r0 = so many bytes of it. */
static void slice_dynptr(struct generator *g, unsigned slot, unsigned bytes)
{
	address(g, 1, slot);
	emit(g, VM_MOV64_IMM, 2, 0, 0, below(g, 4));
	if (g->c->kind == PICKET_KIND_MEMORY || below(g, 2)) {
		emit(g, VM_MOV64_IMM, 3, 0, 0, bytes);
		call_helper(g, BPF_FUNC_dynptr_data);
		return;
	}
	emit(g, VM_MOV64_IMM, 3, 0, 0, 0);
	emit(g, VM_MOV64_IMM, 4, 0, 0, bytes);
	call_kfunc(g, below(g, 2) ? "bpf_dynptr_slice" : "bpf_dynptr_slice_rdwr");
}

static void write_dynptr(struct generator *g, unsigned slot)
{
	emit(g, VM_STDW, 10, 0, slot_offset(0), some_constant(g));
	g->slots[0] = (struct held){.holds = HOLDS_NUMBER};
	if (below(g, 2)) {
		address(g, 1, slot);
		emit(g, VM_MOV64_IMM, 2, 0, 0, below(g, 20));
		address(g, 3, 0);
		emit(g, VM_MOV64_IMM, 4, 0, 0, 1 + below(g, 8));
		emit(g, VM_MOV64_IMM, 5, 0, 0, 0);
		call_helper(g, BPF_FUNC_dynptr_write);
	} else {
		address(g, 1, 0);
		emit(g, VM_MOV64_IMM, 2, 0, 0, 1 + below(g, 8));
		address(g, 3, slot);
		emit(g, VM_MOV64_IMM, 4, 0, 0, below(g, 20));
		emit(g, VM_MOV64_IMM, 5, 0, 0, 0);
		call_helper(g, BPF_FUNC_dynptr_read);
	}
	set_register(g, 0, HOLDS_NUMBER, 0, 0);
}

static void use_dynptr(struct generator *g)
{
	struct jumps skip = {.count = 0};
	unsigned bytes = 1 + below(g, 24), slot = SLOT_DYNPTR;

	if (g->c->kind != PICKET_KIND_MEMORY && chance_to(g, 4)) {
		address(g, 1, SLOT_DYNPTR);
		address(g, 2, SLOT_CLONE);
		call_kfunc(g, "bpf_dynptr_clone");
		slot = SLOT_CLONE;
	}
	if (below(g, 2)) {
		slice_dynptr(g, slot, bytes);
		keep(g, SLOT_CHILD);
		skip_null(g, &skip);
		access_at(g, 0, 0, (int)bytes, below(g, 2));
		land(g, &skip);
		clobber(g);
	} else {
		write_dynptr(g, slot);
	}
}

static void do_dynptr(struct generator *g)
{
	bool ring = below(g, 3), early;

	if (ring) {
		emit(g, VM_LDDW_MAP, 1, 0, 0, MAP_RING);
		emit(g, VM_MOV64_IMM, 2, 0, 0, below(g, 64));
		emit(g, VM_MOV64_IMM, 3, 0, 0, 0);
	} else {
		emit(g, VM_LDDW_MAP_VALUE, 1, 0, 0, MAP_GLOBALS | (int64_t)below(g, 32) << 32);
		emit(g, VM_MOV64_IMM, 2, 0, 0, 1 + below(g, 32));
		emit(g, VM_MOV64_IMM, 3, 0, 0, 0);
	}
	address(g, 4, SLOT_DYNPTR);
	call_helper(g, ring ? BPF_FUNC_ringbuf_reserve_dynptr : BPF_FUNC_dynptr_from_mem);
	for (unsigned i = below(g, 3); i > 0; i--)
		use_dynptr(g);
	early = chance_to(g, 16);
	if (ring) {
		address(g, 1, SLOT_DYNPTR);
		emit(g, VM_MOV64_IMM, 2, 0, 0, 0);
		call_helper(g, below(g, 2) ? BPF_FUNC_ringbuf_submit_dynptr : BPF_FUNC_ringbuf_discard_dynptr);
	}
	if (early)
		use_dynptr(g);
}

/* ---- sockets ---- */
static void read_socket(struct generator *g, unsigned from)
{
	static const uint8_t offsets[] = {0, 4, 8, 12, 16, 20};

	emit(g, VM_LDXW, 0, from, offsets[below(g, ARRAY_SIZE(offsets))], 0);
	set_register(g, 0, HOLDS_NUMBER, 0, 0);
}

/* The same socket, seen otherwise. */
static void cast_socket(struct generator *g, bool last)
{
	bool typed = g->c->kind == PICKET_KIND_XDP || below(g, 2);
	struct jumps skip = {.count = 0}, end = {.count = 0};

	fetch(g, 1, SLOT_OBJECT);
	if (typed)
		call_helper(g, BPF_FUNC_skc_to_tcp_sock);
	else
		call_helper(g, below(g, 2) ? BPF_FUNC_tcp_sock : BPF_FUNC_sk_fullsock);
	keep(g, SLOT_CHILD);
	skip_null(g, &skip);
	if (last) { /* and then both are gone */
		fetch(g, 1, SLOT_OBJECT);
		call_helper(g, BPF_FUNC_sk_release);
		fetch(g, 0, SLOT_CHILD);
	}
	emit(g, VM_LDXW, 0, 0, typed ? soundness_field("tcp_sock", "snd_cwnd") : 0, 0);
	if (last)
		jump_to(g, &end, VM_JA, 0, 0, 0);
	land(g, &skip);
	if (last) {
		fetch(g, 1, SLOT_OBJECT);
		call_helper(g, BPF_FUNC_sk_release);
	}
	land(g, &end);
	clobber(g);
}

static void do_socket(struct generator *g)
{
	struct jumps skip = {.count = 0};

	if (g->registers[6].holds != HOLDS_CONTEXT)
		return;
	for (unsigned slot = 0; slot < 2; slot++) {
		emit(g, VM_STDW, 10, 0, slot_offset(slot), some_constant(g));
		g->slots[slot] = (struct held){.holds = HOLDS_NUMBER};
	}
	emit(g, VM_MOV64_REG, 1, 6, 0, 0);
	address(g, 2, 1);
	emit(g, VM_MOV64_IMM, 3, 0, 0, 12);
	emit(g, VM_MOV64_IMM, 4, 0, 0, -1);
	emit(g, VM_MOV64_IMM, 5, 0, 0, 0);
	call_helper(g, below(g, 2) ? BPF_FUNC_sk_lookup_tcp : BPF_FUNC_sk_lookup_udp);
	keep(g, SLOT_OBJECT);
	skip_null(g, &skip);
	for (unsigned i = below(g, 3); i > 0; i--) {
		if (below(g, 2)) {
			cast_socket(g, false);
		} else {
			fetch(g, 1, SLOT_OBJECT);
			read_socket(g, 1);
		}
	}
	if (chance_to(g, 6)) {
		cast_socket(g, true);
	} else {
		fetch(g, 1, SLOT_OBJECT);
		call_helper(g, BPF_FUNC_sk_release);
	}
	land(g, &skip);
	clobber(g);
}

/* ---- which of these a kind has ---- */
void do_foreign(struct generator *g)
{
	const enum picket_kind kind = g->c->kind;
	const bool packets = kind == PICKET_KIND_XDP || kind == PICKET_KIND_SCHED_CLS;
	const bool traces = kind == PICKET_KIND_TRACEPOINT || kind == PICKET_KIND_SYSCALL;
	statement *choice[12];
	unsigned count = 0;

	if (g->current && g->functions[g->current].kind == FUNCTION_CALLBACK)
		return;
	choice[count++] = do_dynptr;
	if (kind != PICKET_KIND_MEMORY) {
		choice[count++] = do_iterator;
		choice[count++] = do_section;
	}
	if (packets || traces) {
		choice[count++] = do_task;
		choice[count++] = do_task;
	}
	if (packets)
		choice[count++] = do_socket;
	if (traces)
		choice[count++] = do_cpumask;
	choice[below(g, count)](g);
}
