/* SPDX-License-Identifier: Apache-2.0
 *
 * Dynptrs: 16 bytes of stack that the kernel fills in. Their two slots hold no value, but say in it which dynptr they are:
 *   id      tells it from others; slices of it have that as their `ref`, and are gone when it is
 *   ref     what must be submitted or discarded: then the id is the same
 *   object  enum dynptr_kind
 *   offset  0: lower half, 1: upper half
 */
#include <errno.h>
#include <linux/bpf.h>
#include "verify/call_int.h"

enum dynptr_kind { DYNPTR_MEMORY, DYNPTR_RING, DYNPTR_SKB, DYNPTR_XDP };

#define DYNPTR_BYTES 16

static bool slot_is_dynptr(const struct slot *s)
{
	return s->bytes[0] == BYTE_DYNPTR;
}

/* ---- ends ---- */

static int forget_slice(struct verify *v, struct value *value, void *user)
{
	if (value->ref == *(const uint32_t *)user) {
		*value = verify_leaks(v) ? value_unknown(v) : value_none();
		value->object = VALUE_WAS_RELEASED;
	}
	return 0;
}

/* All dynptrs with that id, in all frames, and what was got of them. */
static int forget_dynptrs(struct verify *v, uint32_t id)
{
	struct state *s = v->state;

	for (uint32_t i = 0; i < s->frame_count; i++)
		for (uint32_t k = 0; s->frames[i]->stack && k < s->frames[i]->stack->count; k++) {
			const struct slot *old = &s->frames[i]->stack->slots[k];
			struct frame *f;
			struct slot *slot;
			if (!slot_is_dynptr(old) || old->value.id != id)
				continue;
			f = state_frame(v, s, i);
			slot = f ? frame_slot(v, f, k) : NULL;
			if (!slot)
				return -ENOMEM;
			*slot = (struct slot){.node = node_new(v, 0, 0), .value = value_none()};
		}
	return state_each_value(v, s, forget_slice, &id);
}

int dynptr_overwrite(struct verify *v, const struct slot *s, const struct value *culprit)
{
	if (s->value.ref)
		return verify_reject(v, PICKET_REJECT_DYNPTR, culprit,
		                     "submit or discard it first; use another variable",
		                     "a dynptr on the stack would be overwritten");
	return forget_dynptrs(v, s->value.id);
}

/* ---- as arguments ---- */

/* Its lower half is at a known place of the stack. */
static int find_slots(struct verify *v, const struct argument *a, struct slot *ret_slots[2])
{
	const struct value *value = a->value;
	int64_t low, high;
	struct frame *f;
	uint32_t slot;
	int r;

	if (value->kind != VALUE_STACK)
		return argument_reject(v, a, "a struct bpf_dynptr on the stack");
	r = stack_check(v, value, verify_register_name(a->arg + 1), 0, DYNPTR_BYTES, &low, &high);
	if (r)
		return r;
	if (low != high || low & 7)
		return argument_reject(v, a, "a dynptr at a known place, a multiple of 8");
	slot = (uint32_t)(-low - 1) / 8;
	f = state_frame(v, v->state, value->frame);
	if (!f || !frame_slot(v, f, slot))
		return -ENOMEM;
	ret_slots[0] = &f->stack->slots[slot];
	ret_slots[1] = ret_slots[0] - 1;
	return 0;
}

static enum dynptr_kind kind_made_by(const struct verify_proto *p)
{
	if (p->id == BPF_FUNC_ringbuf_reserve_dynptr)
		return DYNPTR_RING;
	if (!strcmp(p->name, "bpf_dynptr_from_skb"))
		return DYNPTR_SKB;
	return strcmp(p->name, "bpf_dynptr_from_xdp") ? DYNPTR_MEMORY : DYNPTR_XDP;
}

/* A clone is what it was made of; only a reference is shared. */
static void name_dynptr(struct verify *v, const struct argument *a, struct value *name)
{
	const struct call_facts *facts = a->facts;

	*name = value_none();
	name->object = kind_made_by(a->p);
	if (!strcmp(a->p->name, "bpf_dynptr_clone")) {
		name->object = facts->dynptr_kind;
		name->ref = facts->dynptr_ref;
	}
	name->id = name->ref ? name->ref : verify_id(v);
}

static int init_dynptr(struct verify *v, const struct argument *a)
{
	struct slot *slots[2];
	struct value name;
	int r = find_slots(v, a, slots);

	for (unsigned i = 0; !r && i < 2; i++) {
		if (slots[i]->bytes[0] == BYTE_ITERATOR)
			return verify_reject(v, PICKET_REJECT_ITERATOR, a->value, "use another variable",
			                     "an iterator on the stack would be overwritten by a dynptr");
		if (slot_is_dynptr(slots[i])) {
			r = dynptr_overwrite(v, slots[i], a->value);
			if (!r)
				r = find_slots(v, a, slots);
		}
	}
	if (r)
		return r;
	name_dynptr(v, a, &name);
	if (a->p->flags & PROTO_ACQUIRES) {
		r = state_acquire(v, v->state, &name.ref);
		if (r)
			return r;
		name.id = name.ref;
	}
	for (unsigned i = 0; i < 2; i++) {
		*slots[i] = (struct slot){.node = node_new(v, 0, 0), .value = name};
		slots[i]->value.offset = (int32_t)i;
		memset(slots[i]->bytes, BYTE_DYNPTR, sizeof(slots[i]->bytes));
	}
	return 0;
}

static void note_dynptr(const struct argument *a, const struct value *name)
{
	struct call_facts *facts = a->facts;

	if (facts->has_dynptr)
		return;
	facts->has_dynptr = true;
	facts->dynptr = name->id;
	facts->dynptr_ref = name->ref;
	facts->dynptr_kind = (uint8_t)name->object;
}

int argument_dynptr(struct verify *v, const struct argument *a)
{
	const struct verify_arg *row = argument_row(a);
	struct slot *slots[2];
	int r;

	if (row->flags & VERIFY_ARG_OUT)
		return init_dynptr(v, a);
	if (a->value->kind == VALUE_DYNPTR && !(row->flags & VERIFY_ARG_RELEASE)) {
		note_dynptr(a, &(struct value){.id = a->value->id, .object = DYNPTR_MEMORY});
		return 0;
	}
	r = find_slots(v, a, slots);
	if (r)
		return r;
	node_need(v, slots[0]->node);
	node_need(v, slots[1]->node);
	if (!slot_is_dynptr(slots[0]) || !slot_is_dynptr(slots[1]) || slots[0]->value.offset != 0 ||
	    slots[0]->value.id != slots[1]->value.id)
		return verify_reject(v, PICKET_REJECT_DYNPTR, a->value,
		                     "make it with a helper such as ringbuf_reserve_dynptr",
		                     "argument %u of %s is not a dynptr, or no more", a->arg + 1, a->p->name);
	note_dynptr(a, &slots[0]->value);
	if (!(row->flags & VERIFY_ARG_RELEASE))
		return 0;
	if (slots[0]->value.object != DYNPTR_RING)
		return verify_reject(v, PICKET_REJECT_DYNPTR, a->value, "leave it as it is",
		                     "%s is for what ringbuf_reserve_dynptr made", a->p->name);
	a->facts->released = slots[0]->value.ref;
	return forget_dynptrs(v, slots[0]->value.id);
}

/* ---- what calls do ---- */

int dynptr_called(struct verify *v, const struct verify_proto *p, const struct call_facts *facts)
{
	if (p->id == BPF_FUNC_dynptr_write && facts->dynptr_kind == DYNPTR_SKB)
		return verify_forget_packet(v);
	if (!strcmp(p->name, "bpf_dynptr_slice_rdwr") && facts->dynptr_kind == DYNPTR_SKB &&
	    !(v->kind->flags & KIND_PACKET_WRITE))
		return verify_reject(v, PICKET_REJECT_READ_ONLY, NULL, "use bpf_dynptr_slice",
		                     "programs of kind %s may not write to the packet", v->kind->name);
	return 0;
}

void dynptr_slice(const struct verify_proto *p, const struct call_facts *facts, struct value *slice)
{
	if (!facts->has_dynptr)
		return;
	slice->ref = facts->dynptr;
	if (facts->dynptr_kind == DYNPTR_SKB || facts->dynptr_kind == DYNPTR_XDP)
		slice->flags |= VALUE_SLICE;
	if (p->flags & KFUNC_READ_ONLY)
		slice->flags |= VALUE_READ_ONLY;
}
