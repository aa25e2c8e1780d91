/* SPDX-License-Identifier: Apache-2.0 */
#if defined(__x86_64__)
#include <errno.h>
#include <stdlib.h>
#include "vm/jit_x86_emit.h"

#define PASSES_MAX 8 /* of x86_layout(); then every jump is a long one */
#define CODE_MAX ((size_t)1 << 30)
#define CACHE_LINE 64u
#define JUMP_BYTES 9u /* of a loop's last instructions: compare and jump */

int x86_init(struct x86 *x, size_t labels, size_t guess)
{
	*x = (struct x86){
	        .fixup_capacity = guess / 8 + X86_ROOM_FIXUPS,
	        .label_capacity = labels + X86_ROOM_FIXUPS,
	        .label_count = labels,
	};
	guess += 2 * X86_ROOM;
	x->code = malloc(guess);
	x->fixups = malloc(x->fixup_capacity * sizeof(*x->fixups));
	x->labels = malloc(x->label_capacity * sizeof(*x->labels));
	if (!x->code || !x->fixups || !x->labels) {
		x86_done(x);
		return -ENOMEM;
	}
	x->out = x->code;
	x->end = x->code + guess;
	memset(x->labels, 0xff, labels * sizeof(*x->labels));
	return 0;
}

void x86_done(struct x86 *x)
{
	free(x->code);
	free(x->fixups);
	free(x->labels);
	*x = (struct x86){0};
}

bool x86_double(void *pointer_to_array, size_t *capacity, size_t size)
{
	void *now, *old;

	memcpy(&old, pointer_to_array, sizeof(old));
	now = reallocarray(old, *capacity, 2 * size);
	if (!now)
		return false;
	memcpy(pointer_to_array, &now, sizeof(now));
	*capacity *= 2;
	return true;
}

/* After an error it begins again at the start of the buffer, so that there is room in any case. */
void x86_grow(struct x86 *x)
{
	size_t used = (size_t)(x->out - x->code), capacity = (size_t)(x->end - x->code);

	if (used > CODE_MAX)
		x->error = -E2BIG;
	if (!x->error && capacity - used < X86_ROOM && !x86_double(&x->code, &capacity, 1))
		x->error = -ENOMEM;
	if (!x->error && x->fixup_capacity - x->fixup_count < X86_ROOM_FIXUPS &&
	    !x86_double(&x->fixups, &x->fixup_capacity, sizeof(*x->fixups)))
		x->error = -ENOMEM;
	if (!x->error && x->label_capacity - x->label_count < X86_ROOM_FIXUPS &&
	    !x86_double(&x->labels, &x->label_capacity, sizeof(*x->labels)))
		x->error = -ENOMEM;
	if (x->error) {
		used = x->fixup_count = 0;
		x->label_count = MIN(x->label_count, x->label_capacity - X86_ROOM_FIXUPS);
	}
	x->out = x->code + used;
	x->end = x->code + capacity;
}

uint32_t x86_new_labels(struct x86 *x, size_t count)
{
	uint32_t first = (uint32_t)x->label_count;

	while (!x->error && x->label_capacity - x->label_count < count + X86_ROOM_FIXUPS)
		if (!x86_double(&x->labels, &x->label_capacity, sizeof(*x->labels)))
			x->error = -ENOMEM;
	if (x->error)
		return 0;
	memset(&x->labels[first], 0xff, count * sizeof(*x->labels));
	x->label_count += count;
	return first;
}

uint32_t x86_label_at(const struct x86 *x, uint32_t label)
{
	struct x86_label l = x->labels[label];
	const struct x86_fixup *before;

	if (!l.fixups)
		return l.bytes;
	before = &x->fixups[l.fixups - 1];
	return before->at + before->size + (l.bytes - before->bytes);
}

static bool is_jump(const struct x86_fixup *f)
{
	return f->kind <= FIXUP_JUMP;
}

static bool is_padding(const struct x86_fixup *f)
{
	return f->kind == FIXUP_ALIGN || f->kind == FIXUP_LOOP;
}

static uint8_t fixup_size(const struct x86_fixup *f, bool far)
{
	switch (f->kind) {
	case FIXUP_JUMP:
		return far ? 5 : 2;
	case FIXUP_CALL:
		return 5;
	case FIXUP_ADDRESS_R10:
		return 7;
	default:
		return far ? 6 : 2;
	}
}

static bool is_near(int64_t distance)
{
	return distance == (int8_t)distance;
}

static uint8_t padding_of(const struct x86 *x, const struct x86_fixup *f, const struct x86_fixup *before)
{
	uint32_t length;

	if (f->kind == FIXUP_ALIGN)
		return (uint8_t)(-f->at & (f->label - 1));
	length = x86_label_at(x, f->label) + JUMP_BYTES - (before->at + before->size);
	return length <= CACHE_LINE && f->at % CACHE_LINE + length > CACHE_LINE ? (uint8_t)(-f->at % CACHE_LINE) : 0;
}

/* Returns the bytes that the fixups add. */
static size_t layout_place(struct x86 *x)
{
	size_t added = 0;

	for (struct x86_fixup *f = x->fixups; f < x->fixups + x->fixup_count; f++) {
		struct x86_fixup before = *f; /* as of the last round: of its own age is what follows */
		f->at = (uint32_t)(f->bytes + added);
		if (is_padding(f))
			f->size = padding_of(x, f, &before);
		added += f->size;
	}
	return added;
}

/* Jumps that do not reach their targets as they are now become long ones. */
static bool layout_widen(struct x86 *x, bool all)
{
	bool changed = false;

	for (struct x86_fixup *f = x->fixups; f < x->fixups + x->fixup_count; f++) {
		if (!is_jump(f) || f->size != 2 || (!all && is_near((int64_t)x86_label_at(x, f->label) - (f->at + 2))))
			continue;
		f->size = fixup_size(f, true);
		changed = true;
	}
	return changed;
}

/* A jump that is long once stays so, and the last pass finds that all short ones reach: so padding may change meanwhile. */
int x86_layout(struct x86 *x, size_t *ret_size)
{
	size_t bytes = (size_t)(x->out - x->code), added;

	if (x->error)
		return x->error;
	for (struct x86_fixup *f = x->fixups; f < x->fixups + x->fixup_count; f++) {
		f->at = f->bytes;
		f->size = 0;
		if (is_padding(f))
			continue;
		/* the bytes between are less than the distance: no need to try those */
		f->size = fixup_size(f, !is_near((int64_t)x->labels[f->label].bytes - f->bytes));
	}
	layout_place(x); /* where loops end, nearly */
	added = layout_place(x);
	for (int pass = 0; layout_widen(x, pass >= PASSES_MAX); pass++)
		added = layout_place(x);
	if (bytes + added > CODE_MAX)
		return -E2BIG;
	*ret_size = bytes + added;
	return 0;
}

static uint8_t *write_padding(uint8_t *to, size_t size)
{
	static const uint8_t nops[9][9] = {
	        {0x90},
	        {0x66, 0x90},
	        {0x0f, 0x1f, 0x00},
	        {0x0f, 0x1f, 0x40, 0x00},
	        {0x0f, 0x1f, 0x44, 0x00, 0x00},
	        {0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00},
	        {0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00},
	        {0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00},
	        {0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00},
	};

	while (size) {
		size_t n = MIN(size, ARRAY_SIZE(nops));
		memcpy(to, nops[n - 1], n);
		to += n;
		size -= n;
	}
	return to;
}

static uint8_t *write_fixup(const struct x86 *x, const struct x86_fixup *f, uint8_t *to)
{
	int32_t distance;

	if (is_padding(f))
		return write_padding(to, f->size);
	distance = (int32_t)(x86_label_at(x, f->label) - (f->at + f->size));
	if (f->size == 2) {
		*to++ = f->kind == FIXUP_JUMP ? 0xeb : 0x70 | f->kind;
		*to++ = (uint8_t)distance;
		return to;
	}
	switch (f->kind) {
	case FIXUP_JUMP:
		*to++ = 0xe9;
		break;
	case FIXUP_CALL:
		*to++ = 0xe8;
		break;
	case FIXUP_ADDRESS_R10:
		*to++ = 0x4c;
		*to++ = 0x8d;
		*to++ = 0x15;
		break;
	default:
		*to++ = 0x0f;
		*to++ = 0x80 | f->kind;
		break;
	}
	memcpy(to, &distance, sizeof(distance));
	return to + sizeof(distance);
}

void x86_write(const struct x86 *x, uint8_t *to)
{
	const uint8_t *from = x->code;

	for (const struct x86_fixup *f = x->fixups; f < x->fixups + x->fixup_count; f++) {
		size_t plain = f->bytes - (size_t)(from - x->code);
		memcpy(to, from, plain);
		from += plain;
		to = write_fixup(x, f, to + plain);
	}
	memcpy(to, from, (size_t)(x->out - from));
}
#endif
