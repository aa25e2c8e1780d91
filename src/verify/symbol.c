/* SPDX-License-Identifier: Apache-2.0
 *
 * A value as a function of one piece of input: a chain of steps, each with one operand that is a constant in this run.
 */
#include "verify/example_int.h"

void symbol_step(struct symbol *s, struct symbol_step step)
{
	if (s->source == SYMBOL_NONE)
		return;
	if (s->count == SYMBOL_STEPS_MAX) {
		s->source = SYMBOL_NONE;
		return;
	}
	s->steps[s->count++] = step;
}

static uint64_t low_mask(unsigned bits)
{
	return bits >= 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
}

static uint64_t swapped(uint64_t number, unsigned bits)
{
	return __builtin_bswap64(number) >> (64 - bits);
}

static uint64_t sign_extended(uint64_t number, unsigned bits)
{
	return (uint64_t)((int64_t)(number << (64 - bits)) >> (64 - bits));
}

static uint64_t scalar_step(const struct symbol_step *s, uint64_t x)
{
	const unsigned width = s->wide ? 64 : 32, shift = (unsigned)(s->by & (width - 1));
	const uint64_t mask = low_mask(width), by = s->by & mask;

	x &= mask;
	switch ((enum scalar_op)s->scalar) {
	case SCALAR_ADD:
		return (x + by) & mask;
	case SCALAR_SUB:
		return (x - by) & mask;
	case SCALAR_MUL:
		return (x * by) & mask;
	case SCALAR_DIV:
		return by ? x / by : 0;
	case SCALAR_MOD:
		return by ? x % by : x;
	case SCALAR_OR:
		return x | by;
	case SCALAR_AND:
		return x & by;
	case SCALAR_XOR:
		return x ^ by;
	case SCALAR_LSH:
		return (x << shift) & mask;
	case SCALAR_RSH:
		return x >> shift;
	case SCALAR_ARSH:
		return (sign_extended(x, width) >> shift |
		        (sign_extended(x, width) >> 63 ? ~(UINT64_MAX >> shift) : 0)) &
		       mask;
	default:
		return x; /* MOV: cuts off, if it is not wide */
	}
}

static uint64_t step_value(const struct symbol_step *s, uint64_t x)
{
	const uint64_t mask = low_mask(s->wide ? 64 : 32);

	switch ((enum symbol_op)s->op) {
	case STEP_SCALAR:
		return scalar_step(s, x);
	case STEP_REVERSED_SUB:
		return (s->by - x) & mask;
	case STEP_NEGATE:
		return (0 - x) & mask;
	case STEP_SWAP:
		return swapped(x & low_mask((unsigned)s->by), (unsigned)s->by);
	case STEP_SIGN_EXTEND:
		return sign_extended(x, (unsigned)s->by) & mask;
	}
	return x;
}

uint64_t symbol_value(const struct symbol *s, uint64_t input)
{
	for (unsigned i = 0; i < s->count; i++)
		input = step_value(&s->steps[i], input);
	return input;
}

/* A number that the step makes y of, as like to `now` as may be. Whether it does is tried afterwards. */
static uint64_t scalar_inverse(const struct symbol_step *s, uint64_t now, uint64_t y)
{
	const unsigned width = s->wide ? 64 : 32, shift = (unsigned)(s->by & (width - 1));
	const uint64_t mask = low_mask(width), by = s->by & mask;

	switch ((enum scalar_op)s->scalar) {
	case SCALAR_ADD:
		return (y - by) & mask;
	case SCALAR_SUB:
		return (y + by) & mask;
	case SCALAR_MUL:
		return by ? y / by : y;
	case SCALAR_DIV:
		return y * by;
	case SCALAR_OR:
		return y & ~by;
	case SCALAR_AND:
		return (now & ~by & mask) | y;
	case SCALAR_XOR:
		return y ^ by;
	case SCALAR_LSH:
		return y >> shift;
	case SCALAR_RSH:
	case SCALAR_ARSH:
		return ((y << shift) | (now & low_mask(shift))) & mask;
	default:
		return y;
	}
}

static uint64_t step_inverse(const struct symbol_step *s, uint64_t now, uint64_t y)
{
	const uint64_t mask = low_mask(s->wide ? 64 : 32);

	switch ((enum symbol_op)s->op) {
	case STEP_SCALAR:
		return scalar_inverse(s, now, y);
	case STEP_REVERSED_SUB:
		return (s->by - y) & mask;
	case STEP_NEGATE:
		return (0 - y) & mask;
	case STEP_SWAP:
		return swapped(y & low_mask((unsigned)s->by), (unsigned)s->by);
	case STEP_SIGN_EXTEND:
		return y & low_mask((unsigned)s->by);
	}
	return y;
}

bool symbol_invert(const struct symbol *s, uint64_t now, uint64_t wanted, uint64_t *ret_input)
{
	uint64_t before[SYMBOL_STEPS_MAX + 1] = {now}, y = wanted;

	for (unsigned i = 0; i < s->count; i++)
		before[i + 1] = step_value(&s->steps[i], before[i]);
	for (unsigned i = s->count; i-- > 0;)
		y = step_inverse(&s->steps[i], before[i], y);
	if (symbol_value(s, y) != wanted)
		return false;
	*ret_input = y;
	return true;
}
