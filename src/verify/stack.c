/* SPDX-License-Identifier: Apache-2.0
 *
 * The stack: what each byte holds. A slot of 8 bytes remembers one value, in whatever part of it that was stored.
 */
#include <errno.h>
#include "verify/call_int.h"

static uint32_t slot_of(int64_t offset)
{
	return (uint32_t)(-offset - 1) / 8;
}

static unsigned byte_of(int64_t offset)
{
	return (unsigned)(offset & 7);
}

int stack_check(struct verify *v, const struct value *pointer, const char *what, int64_t offset, uint64_t size,
                int64_t *ret_low, int64_t *ret_high)
{
	const struct range *variable = &pointer->number.wide;
	struct frame *f = state_frame(v, v->state, pointer->frame);
	int64_t low, high;

	if (!f)
		return -ENOMEM;
	if (variable->smin < -(1 << 30) || variable->smax > 1 << 30)
		return verify_reject(v, PICKET_REJECT_STACK_BOUNDS, pointer, "bound the index before you use it",
		                     "%s points to the stack at an offset that is not bounded", what);
	low = pointer->offset + offset + variable->smin;
	high = pointer->offset + offset + variable->smax;
	if (low < -PICKET_STACK_BYTES || high + (int64_t)size > 0)
		return verify_reject(v, PICKET_REJECT_STACK_BOUNDS, pointer,
		                     low < -PICKET_STACK_BYTES
		                             ? "keep larger data in a map: a function has 512 bytes of stack"
		                             : "check the size and the index against the variable's size",
		                     "%s leads to bytes %lld to %lld from the frame's top; the stack is -512 to -1",
		                     what, (long long)low, (long long)(high + (int64_t)size - 1));
	v->depths[f->function] = MAX(v->depths[f->function], (uint32_t)-low);
	*ret_low = low;
	*ret_high = high;
	return 0;
}

static const struct slot *slot_peek(const struct frame *f, uint32_t slot)
{
	static const struct slot none;

	return f->stack && slot < f->stack->count ? &f->stack->slots[slot] : &none;
}

static int reject_uninitialised(struct verify *v, const struct value *pointer, int64_t offset)
{
	return verify_reject(v, PICKET_REJECT_UNINITIALISED, pointer,
	                     "initialise the variable, all of its bytes, first",
	                     "the byte at r10%lld was not written on this path", (long long)offset);
}

/* May this byte be read as part of a number? Marks it as read. parts: also of a pointer, if pointers may leak. */
static int byte_read(struct verify *v, const struct value *pointer, const struct frame *f, int64_t offset, bool parts)
{
	const struct slot *s = slot_peek(f, slot_of(offset));

	node_need(v, s->node);
	switch (s->bytes[byte_of(offset)]) {
	case BYTE_NONE:
		return verify_leaks(v) ? 0 : reject_uninitialised(v, pointer, offset);
	case BYTE_VALUE:
		if (value_is_pointer(&s->value) && !(parts && verify_leaks(v)))
			return verify_reject(v, PICKET_REJECT_POINTER_LEAK, &s->value, "read all 8 bytes of it",
			                     "a part of %s on the stack would be read as a number",
			                     value_kind_name(s->value.kind));
		return 0;
	case BYTE_DYNPTR:
		return verify_reject(v, PICKET_REJECT_DYNPTR, pointer, "use the dynptr helpers",
		                     "a dynptr's bytes on the stack may not be read");
	case BYTE_ITERATOR:
		return verify_reject(v, PICKET_REJECT_ITERATOR, pointer, "use the iterator's functions",
		                     "an iterator's bytes on the stack may not be read");
	default:
		return 0;
	}
}

static bool bytes_are(const struct slot *s, unsigned first, unsigned size, uint8_t kind)
{
	for (unsigned i = first; i < first + size; i++)
		if (s->bytes[i] != kind)
			return false;
	return true;
}

/* Where in the slot its value lies. */
static unsigned value_bytes(const struct slot *s, unsigned *ret_first)
{
	unsigned size = 0;

	*ret_first = 8;
	for (unsigned i = 0; i < 8; i++)
		if (s->bytes[i] == BYTE_VALUE) {
			*ret_first = MIN(*ret_first, i);
			size++;
		}
	return size;
}

/* One slot, at a place that is known: its value, or the lower part of it, or zeros. */
static bool slot_load(struct verify *v, const struct slot *s, unsigned first, unsigned size, bool is_signed,
                      struct value *ret_value)
{
	unsigned start, length = value_bytes(s, &start);
	struct value value = s->value;

	if (bytes_are(s, first, size, BYTE_ZERO)) {
		*ret_value = value_number(v, scalar_constant(0));
		return true;
	}
	if (!bytes_are(s, first, size, BYTE_VALUE) || start != first || size > length)
		return false;
	if (value_is_pointer(&value)) {
		*ret_value = value;
		return size == 8 && length == 8;
	}
	value.node = node_new(v, value.node, 0);
	if (size != length || is_signed) {
		scalar_keep_bytes(size, &value.number);
		if (is_signed)
			scalar_sign_extend(true, 8 * size, &value.number);
		value_forget_relations(&value);
	}
	*ret_value = value;
	return true;
}

int stack_load(struct verify *v, const struct value *pointer, int64_t offset, unsigned size, bool is_signed,
               struct value *ret_value)
{
	const struct frame *f;
	int64_t low, high;
	int r = stack_check(v, pointer, "the address", offset, size, &low, &high);

	if (r)
		return r;
	f = v->state->frames[pointer->frame];
	if (low == high && slot_of(low) == slot_of(low + size - 1)) {
		const struct slot *s = slot_peek(f, slot_of(low));
		node_need(v, s->node);
		if (slot_load(v, s, byte_of(low), size, is_signed, ret_value))
			return 0;
	}
	for (int64_t at = low; at < high + size; at++) {
		r = byte_read(v, pointer, f, at, low != high);
		if (r)
			return r;
	}
	*ret_value = value_number(v, scalar_loaded(size, is_signed));
	return 0;
}

/* What is stored over a part of a value leaves numbers in the rest. */
static void slot_break(struct slot *s)
{
	for (unsigned i = 0; i < 8; i++)
		if (s->bytes[i] == BYTE_VALUE)
			s->bytes[i] = BYTE_NUMBER;
	s->value = (struct value){.kind = VALUE_NONE, .room = ROOM_NONE};
}

/* May it be written to? What s points to may lie elsewhere afterwards. */
static int slot_guard(struct verify *v, const struct slot *s, const struct value *pointer)
{
	for (unsigned i = 0; i < 8; i++) {
		if (s->bytes[i] == BYTE_DYNPTR)
			return dynptr_overwrite(v, s, pointer);
		if (s->bytes[i] == BYTE_ITERATOR)
			return verify_reject(v, PICKET_REJECT_ITERATOR, pointer,
			                     "destroy it first; use another variable",
			                     "an iterator on the stack would be overwritten");
	}
	if (s->value.kind > VALUE_NUMBER && !verify_leaks(v) && !bytes_are(s, 0, 8, BYTE_VALUE))
		return verify_reject(v, PICKET_REJECT_POINTER_LEAK, &s->value, "use another variable",
		                     "a part of a pointer on the stack would be overwritten");
	return 0;
}

static int slot_store(struct verify *v, struct frame *f, int64_t low, unsigned size, const struct value *value)
{
	struct slot *s = frame_slot(v, f, slot_of(low));
	unsigned first = byte_of(low);
	uint64_t constant;

	if (!s)
		return -ENOMEM;
	s->node = node_new(v, size == 8 ? 0 : s->node, 0);
	slot_break(s);
	if (scalar_is_constant(&value->number, &constant) && constant == 0 && value->kind == VALUE_NUMBER && size < 8) {
		node_need(v, value->node);
		memset(&s->bytes[first], BYTE_ZERO, size);
		return 0;
	}
	if (value_is_pointer(value) && size < 8) {
		memset(&s->bytes[first], BYTE_NUMBER, size);
		return 0;
	}
	memset(&s->bytes[first], BYTE_VALUE, size);
	s->value = *value;
	if (value->kind == VALUE_NUMBER)
		s->value.node = node_new(v, value->node, 0);
	if (size < 8 && value->number.wide.umax >> (8 * size)) {
		scalar_keep_bytes(size, &s->value.number);
		value_forget_relations(&s->value);
	}
	return 0;
}

/* Somewhere between low and high: what may be hit is a number afterwards, if it was anything before. */
static int bytes_blur(struct verify *v, struct frame *f, int64_t low, int64_t end, bool certain)
{
	uint32_t last = UINT32_MAX;

	for (int64_t at = low; at < end; at++) {
		struct slot *s = frame_slot(v, f, slot_of(at));
		if (!s)
			return -ENOMEM;
		if (slot_of(at) != last) {
			int r = slot_guard(v, s, &f->registers[10]);
			if (r)
				return r;
			s = frame_slot(v, f, slot_of(at));
			if (!s)
				return -ENOMEM;
			s->node = node_new(v, s->node, 0);
			slot_break(s);
			last = slot_of(at);
		}
		if (certain || s->bytes[byte_of(at)] != BYTE_NONE)
			s->bytes[byte_of(at)] = BYTE_NUMBER;
	}
	return 0;
}

int stack_store(struct verify *v, const struct value *pointer, int64_t offset, unsigned size, const struct value *value)
{
	const bool whole = size == 8 && ((pointer->offset + offset) & 7) == 0;
	int64_t low, high;
	struct frame *f;
	struct value stored = *value;
	int r = stack_check(v, pointer, "the address", offset, size, &low, &high);

	if (r)
		return r;
	f = state_frame(v, v->state, pointer->frame);
	if (!f)
		return -ENOMEM;
	if (value->kind == VALUE_STACK && value->frame > pointer->frame)
		return verify_reject(v, PICKET_REJECT_STACK_BOUNDS, value, "keep it in the function's own variables",
		                     "a pointer to this function's stack would outlive it in its caller's");
	if (value_is_pointer(value) && (low == high ? !whole : !verify_leaks(v)))
		return verify_reject(v, PICKET_REJECT_POINTER_LEAK, value, "store all 8 bytes, at a multiple of 8",
		                     "%s would be stored in parts", value_kind_name(value->kind));
	for (int64_t at = low; low == high && at < low + size; at++) {
		r = slot_guard(v, slot_peek(f, slot_of(at)), pointer);
		if (r)
			return r;
	}
	if (low == high && slot_of(low) == slot_of(low + size - 1))
		return slot_store(v, f, low, size, &stored);
	return bytes_blur(v, f, low, high + size, low == high);
}

int stack_use(struct verify *v, const struct value *pointer, int64_t offset, uint64_t size, unsigned access)
{
	int64_t low, high;
	struct frame *f;
	int r = stack_check(v, pointer, "the memory", offset, size, &low, &high);

	if (r || !size)
		return r;
	f = state_frame(v, v->state, pointer->frame);
	if (!f)
		return -ENOMEM;
	if (!(access & ACCESS_RAW))
		for (int64_t at = low; at < high + (int64_t)size; at++) {
			r = byte_read(v, pointer, f, at, true);
			if (r)
				return r;
		}
	return access & ACCESS_WRITE ? bytes_blur(v, f, low, high + (int64_t)size, low == high) : 0;
}
