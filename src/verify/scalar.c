/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/scalar.h"

/* ---- one width ---- */
static uint64_t width_mask(unsigned width)
{
	return width == 64 ? UINT64_MAX : (1ull << width) - 1;
}

static int64_t width_signed(unsigned width, uint64_t value)
{
	unsigned unused = 64 - width;

	return (int64_t)(value << unused) >> unused;
}

static int64_t width_smin(unsigned width)
{
	return width_signed(width, 1ull << (width - 1));
}

static int64_t width_smax(unsigned width)
{
	return (int64_t)(width_mask(width) >> 1);
}

static struct range range_full(unsigned width)
{
	return (struct range){0, width_mask(width), width_smin(width), width_smax(width)};
}

static struct range range_constant(unsigned width, uint64_t value)
{
	uint64_t u = value & width_mask(width);
	int64_t s = width_signed(width, u);

	return (struct range){u, u, s, s};
}

static void range_unsigned(unsigned width, struct range *r, uint64_t umin, uint64_t umax)
{
	*r = range_full(width);
	r->umin = umin;
	r->umax = umax;
}

/* ---- bits ---- */
static struct bits bits_constant(uint64_t value)
{
	return (struct bits){value, 0};
}

static struct bits bits_between(uint64_t low, uint64_t high)
{
	uint64_t differ = low ^ high, below = differ;

	/* Below the highest bit in which they differ, all is possible. */
	for (unsigned shift = 1; shift < 64; shift *= 2)
		below |= below >> shift;
	return (struct bits){low & ~below, below};
}

static struct bits bits_add(struct bits a, struct bits b)
{
	uint64_t low = a.value + b.value, high = (a.value | a.mask) + (b.value | b.mask);
	uint64_t carry_low = low ^ a.value ^ b.value, carry_high = high ^ (a.value | a.mask) ^ (b.value | b.mask);
	uint64_t unsure = (carry_low ^ carry_high) | a.mask | b.mask;

	/* A sum's bit is certain where both operands' bits are, and the carry into it is the same for the least and the most. */
	return (struct bits){low & ~unsure, unsure};
}

static struct bits bits_not(struct bits a)
{
	return (struct bits){~(a.value | a.mask), a.mask};
}

/* a - b = ~(~a + b) */
static struct bits bits_sub(struct bits a, struct bits b)
{
	return bits_not(bits_add(bits_not(a), b));
}

static struct bits bits_and(struct bits a, struct bits b)
{
	uint64_t ones = a.value & b.value, possible = (a.value | a.mask) & (b.value | b.mask);

	return (struct bits){ones, possible & ~ones};
}

static struct bits bits_or(struct bits a, struct bits b)
{
	uint64_t ones = a.value | b.value;

	return (struct bits){ones, (a.mask | b.mask) & ~ones};
}

static struct bits bits_xor(struct bits a, struct bits b)
{
	uint64_t unsure = a.mask | b.mask;

	return (struct bits){(a.value ^ b.value) & ~unsure, unsure};
}

static struct bits bits_shift_left(struct bits a, unsigned n)
{
	return (struct bits){a.value << n, a.mask << n};
}

static struct bits bits_mul(struct bits a, struct bits b)
{
	struct bits sum = bits_constant(a.value * b.value);

	/* The certain parts are multiplied; each unsure bit of one may add the other, shifted. */
	for (unsigned i = 0; i < 64 && (a.value | a.mask) >> i; i++) {
		struct bits part = {0};
		if (a.mask >> i & 1)
			part.mask = b.value | b.mask;
		else if (a.value >> i & 1)
			part.mask = b.mask;
		if (part.mask)
			sum = bits_add(sum, bits_shift_left(part, i));
	}
	return sum;
}

static struct bits bits_shift_right(struct bits a, unsigned n)
{
	return (struct bits){a.value >> n, a.mask >> n};
}

static struct bits bits_shift_arithmetic(struct bits a, unsigned n)
{
	return (struct bits){(uint64_t)((int64_t)a.value >> n) & ~(uint64_t)((int64_t)a.mask >> n),
	                     (uint64_t)((int64_t)a.mask >> n)};
}

static struct bits bits_keep(struct bits a, uint64_t mask)
{
	return (struct bits){a.value & mask, a.mask & mask};
}

/* Of a width, as if sign-extended from there. */
static struct bits bits_sign_extend(struct bits a, unsigned width)
{
	unsigned unused = 64 - width;

	return bits_shift_arithmetic(bits_shift_left(a, unused), unused);
}

static bool bits_intersect(struct bits *a, struct bits b)
{
	if ((a->value ^ b.value) & ~(a->mask | b.mask))
		return false;
	a->mask &= b.mask;
	a->value = (a->value | b.value) & ~a->mask;
	return true;
}

static struct bits bits_join(struct bits a, struct bits b)
{
	uint64_t unsure = a.mask | b.mask | (a.value ^ b.value);

	return (struct bits){a.value & ~unsure, unsure};
}

/* ---- what one view says of the others ---- */
static void range_from_bits(unsigned width, struct range *r, struct bits b)
{
	uint64_t mask = width_mask(width), sign = 1ull << (width - 1);

	b = bits_keep(b, mask);
	r->umin = MAX(r->umin, b.value);
	r->umax = MIN(r->umax, b.value | b.mask);
	r->smin = MAX(r->smin, width_signed(width, b.value | (b.mask & sign)));
	r->smax = MIN(r->smax, width_signed(width, b.value | (b.mask & ~sign)));
}

/* Bounds move inwards to the next numbers with the lowest bits that are certain. false: there is none. */
static bool range_step(struct range *r, struct bits b)
{
	uint64_t low = b.mask & -b.mask, umin, umax, below = low - 1;
	int64_t smin, smax;

	if (low <= 1)
		return true;
	umin = r->umin + ((b.value - r->umin) & below);
	umax = r->umax - ((r->umax - b.value) & below);
	if (umin < r->umin || umax > r->umax)
		return false;
	if (__builtin_add_overflow(r->smin, (int64_t)((b.value - (uint64_t)r->smin) & below), &smin) ||
	    __builtin_sub_overflow(r->smax, (int64_t)(((uint64_t)r->smax - b.value) & below), &smax))
		return false;
	*r = (struct range){umin, umax, smin, smax};
	return true;
}

static bool range_tighten(unsigned width, struct range *r)
{
	int64_t first = width_signed(width, r->umin), last = width_signed(width, r->umax);

	/* Unsigned bounds on one side of the sign are signed bounds, too; and the other way round. */
	if (r->umin > r->umax || r->smin > r->smax)
		return false;
	if (first <= last) {
		r->smin = MAX(r->smin, first);
		r->smax = MIN(r->smax, last);
	}
	if ((r->smin < 0) == (r->smax < 0)) {
		r->umin = MAX(r->umin, (uint64_t)r->smin & width_mask(width));
		r->umax = MIN(r->umax, (uint64_t)r->smax & width_mask(width));
	}
	return r->umin <= r->umax && r->smin <= r->smax;
}

static void half_from_wide(struct scalar *s)
{
	if (s->wide.umin >> 32 == s->wide.umax >> 32) {
		s->half.umin = MAX(s->half.umin, (uint32_t)s->wide.umin);
		s->half.umax = MIN(s->half.umax, (uint32_t)s->wide.umax);
	}
	/* Likewise where the signed ones lie in one stretch of 32 bits. */
	if (s->wide.smin >> 31 == s->wide.smax >> 31 || (s->wide.smin >= INT32_MIN && s->wide.smax <= INT32_MAX)) {
		int64_t first = (int32_t)(uint32_t)s->wide.smin, last = (int32_t)(uint32_t)s->wide.smax;
		if (first <= last) {
			s->half.smin = MAX(s->half.smin, first);
			s->half.smax = MIN(s->half.smax, last);
		}
	}
}

static void wide_from_half(struct scalar *s)
{
	uint64_t upper;

	if (s->wide.umin >> 32 == s->wide.umax >> 32) {
		upper = s->wide.umin & ~0xffffffffull;
		s->wide.umin = MAX(s->wide.umin, upper | s->half.umin);
		s->wide.umax = MIN(s->wide.umax, upper | s->half.umax);
	}
	if (s->wide.smin >= INT32_MIN && s->wide.smax <= INT32_MAX) {
		s->wide.smin = MAX(s->wide.smin, s->half.smin);
		s->wide.smax = MIN(s->wide.smax, s->half.smax);
	}
}

static bool range_has(const struct range *r, uint64_t u, int64_t s)
{
	return u >= r->umin && u <= r->umax && s >= r->smin && s <= r->smax;
}

static bool constant_tighten(struct scalar *s)
{
	uint64_t value = s->bits.value;

	if (!range_has(&s->wide, value, (int64_t)value) || !range_has(&s->half, (uint32_t)value, (int32_t)value))
		return false;
	*s = scalar_constant(value);
	return true;
}

static bool views_tighten(struct scalar *s)
{
	struct bits half;

	range_from_bits(64, &s->wide, s->bits);
	range_from_bits(32, &s->half, s->bits);
	if (!range_step(&s->wide, s->bits) || !range_step(&s->half, bits_keep(s->bits, UINT32_MAX)))
		return false;
	if (!range_tighten(64, &s->wide) || !range_tighten(32, &s->half))
		return false;
	half_from_wide(s);
	if (!range_tighten(32, &s->half))
		return false;
	wide_from_half(s);
	if (!range_tighten(64, &s->wide))
		return false;
	half = bits_between(s->half.umin, s->half.umax);
	half.mask |= ~0xffffffffull;
	return bits_intersect(&s->bits, bits_between(s->wide.umin, s->wide.umax)) && bits_intersect(&s->bits, half);
}

/* Lets each view learn from the others. false: no number is left. */
static bool scalar_tighten(struct scalar *s)
{
	for (unsigned round = 0; round < 2; round++) {
		struct bits before = s->bits;
		if (!s->bits.mask)
			return constant_tighten(s);
		if (!views_tighten(s))
			return false;
		if (round == 0 && s->bits.mask == before.mask) /* what was learned of the bits is all that goes on */
			return true;
	}
	return true;
}

/* For results, of which some number is always left. */
static void scalar_settle(struct scalar *s)
{
	if (!scalar_tighten(s))
		*s = scalar_unknown();
}

struct scalar scalar_unknown(void)
{
	return (struct scalar){{0, UINT64_MAX}, range_full(64), range_full(32)};
}

struct scalar scalar_constant(uint64_t value)
{
	return (struct scalar){bits_constant(value), range_constant(64, value), range_constant(32, value)};
}

struct scalar scalar_between(uint64_t umin, uint64_t umax)
{
	struct scalar s = scalar_unknown();

	s.wide.umin = umin;
	s.wide.umax = umax;
	scalar_settle(&s);
	return s;
}

struct scalar scalar_loaded(unsigned bytes, bool is_signed)
{
	struct scalar s = scalar_unknown();
	uint64_t most;

	if (bytes == 8)
		return s;
	if (is_signed) {
		scalar_sign_extend(true, 8 * bytes, &s);
		return s;
	}
	most = (1ull << 8 * bytes) - 1;
	s.bits.mask = most;
	s.wide = (struct range){0, most, 0, (int64_t)most};
	if (bytes < 4)
		s.half = s.wide;
	return s;
}

bool scalar_is_constant(const struct scalar *s, uint64_t *ret_value)
{
	if (s->bits.mask)
		return false;
	if (ret_value)
		*ret_value = s->bits.value;
	return true;
}

void scalar_keep_low(struct scalar *a, unsigned bits, uint64_t value)
{
	uint64_t low = bits < 64 ? (1ull << bits) - 1 : UINT64_MAX;
	struct scalar narrower = *a;

	if (bits_intersect(&narrower.bits, (struct bits){value & low, ~low}) && scalar_tighten(&narrower))
		*a = narrower;
}

bool scalar_may_be(const struct scalar *s, uint64_t value)
{
	struct scalar one = scalar_constant(value);

	return scalar_contains(s, &one);
}

/* ---- arithmetic on ranges: of one width, full where it may wrap ---- */
static struct range range_add(unsigned width, struct range a, struct range b)
{
	struct range r = range_full(width);
	uint64_t umax;
	int64_t smin, smax;

	if (!__builtin_add_overflow(a.umax, b.umax, &umax) && umax <= width_mask(width)) {
		r.umin = a.umin + b.umin;
		r.umax = umax;
	} else if (a.umin + b.umin < a.umin || (width < 64 && a.umin + b.umin > width_mask(width))) {
		r.umin = (a.umin + b.umin) & width_mask(width); /* both ends wrap */
		r.umax = (a.umax + b.umax) & width_mask(width);
	}
	if (!__builtin_add_overflow(a.smin, b.smin, &smin) && !__builtin_add_overflow(a.smax, b.smax, &smax) &&
	    smin >= width_smin(width) && smax <= width_smax(width)) {
		r.smin = smin;
		r.smax = smax;
	}
	return r;
}

static struct range range_sub(unsigned width, struct range a, struct range b)
{
	struct range r = range_full(width);
	int64_t smin, smax;

	if (a.umin >= b.umax) {
		r.umin = a.umin - b.umax;
		r.umax = a.umax - b.umin;
	} else if (a.umax < b.umin) { /* both ends wrap */
		r.umin = (a.umin - b.umax) & width_mask(width);
		r.umax = (a.umax - b.umin) & width_mask(width);
	}
	if (!__builtin_sub_overflow(a.smin, b.smax, &smin) && !__builtin_sub_overflow(a.smax, b.smin, &smax) &&
	    smin >= width_smin(width) && smax <= width_smax(width)) {
		r.smin = smin;
		r.smax = smax;
	}
	return r;
}

static struct range range_mul(unsigned width, struct range a, struct range b)
{
	struct range r = range_full(width);
	uint64_t umax;
	int64_t products[4];

	if (!__builtin_mul_overflow(a.umax, b.umax, &umax) && umax <= width_mask(width)) {
		r.umin = a.umin * b.umin;
		r.umax = umax;
	}
	if (__builtin_mul_overflow(a.smin, b.smin, &products[0]) ||
	    __builtin_mul_overflow(a.smin, b.smax, &products[1]) ||
	    __builtin_mul_overflow(a.smax, b.smin, &products[2]) ||
	    __builtin_mul_overflow(a.smax, b.smax, &products[3]))
		return r;
	int64_t least = products[0], most = products[0];
	for (unsigned i = 1; i < 4; i++) {
		least = MIN(least, products[i]);
		most = MAX(most, products[i]);
	}
	if (least >= width_smin(width) && most <= width_smax(width)) {
		r.smin = least;
		r.smax = most;
	}
	return r;
}

static uint64_t divide(uint64_t a, uint64_t b)
{
	return b ? a / b : 0;
}

static struct range range_div(unsigned width, struct range a, struct range b)
{
	struct range r;

	/* Division by 0 gives 0, which is then the least. */
	range_unsigned(width, &r, b.umin ? divide(a.umin, b.umax) : 0, divide(a.umax, MAX(b.umin, 1)));
	return r;
}

static struct range range_mod(unsigned width, struct range a, struct range b)
{
	struct range r;

	if (b.umin && a.umax < b.umin)
		return a;
	range_unsigned(width, &r, 0, b.umin ? MIN(a.umax, b.umax - 1) : a.umax);
	return r;
}

static uint64_t magnitude(int64_t s)
{
	return s < 0 ? -(uint64_t)s : (uint64_t)s;
}

static struct range range_sdiv(unsigned width, struct range a, struct range b)
{
	struct range r = range_full(width);
	uint64_t most = MAX(magnitude(a.smin), magnitude(a.smax));

	/* The least negative number by -1 stays what it is. */
	if (a.smin == width_smin(width) && b.smin <= -1 && b.smax >= -1)
		return r;
	if (b.smin > 0 || b.smax < 0)
		most /= MIN(magnitude(b.smin), magnitude(b.smax));
	r.smax = (int64_t)MIN(most, (uint64_t)width_smax(width));
	r.smin = most > (uint64_t)width_smax(width) ? width_smin(width) : -(int64_t)most;
	if (a.smin >= 0 && b.smin >= 0)
		r.smin = 0;
	return r;
}

/* The sign is the dividend's; the magnitude stays below the divisor's and up to the dividend's. */
static struct range range_smod(unsigned width, struct range a, struct range b)
{
	struct range r = range_full(width);
	uint64_t most = MAX(magnitude(a.smin), magnitude(a.smax)), divisor = MAX(magnitude(b.smin), magnitude(b.smax));

	if ((b.smin > 0 || b.smax < 0) && divisor - 1 < most)
		most = divisor - 1;
	r.smax = a.smax <= 0 ? 0 : (int64_t)MIN(most, (uint64_t)width_smax(width));
	r.smin = a.smin >= 0 ? 0 : most > (uint64_t)width_smax(width) ? width_smin(width) : -(int64_t)most;
	return r;
}

static struct range range_shift_left(unsigned width, struct range a, unsigned least, unsigned most)
{
	struct range r = range_full(width);

	if (most < width && a.umax <= width_mask(width) >> most) {
		r.umin = a.umin << least;
		r.umax = a.umax << most;
	}
	if (most < width && a.smin >= width_smin(width) >> most && a.smax <= width_smax(width) >> most) {
		r.smin = (int64_t)((uint64_t)a.smin << (a.smin < 0 ? most : least));
		r.smax = (int64_t)((uint64_t)a.smax << (a.smax < 0 ? least : most));
	}
	return r;
}

static struct range range_shift_right(unsigned width, struct range a, unsigned least, unsigned most)
{
	struct range r;

	range_unsigned(width, &r, a.umin >> most, a.umax >> least);
	return r;
}

static struct range range_shift_arithmetic(unsigned width, struct range a, unsigned least, unsigned most)
{
	struct range r = range_full(width);

	r.smin = a.smin >> (a.smin < 0 ? least : most);
	r.smax = a.smax >> (a.smax < 0 ? most : least);
	return r;
}

/* ---- instructions ---- */
static void shift_amounts(unsigned width, const struct scalar *amount, unsigned *ret_least, unsigned *ret_most)
{
	const struct range *r = width == 64 ? &amount->wide : &amount->half;

	/* Amounts are taken modulo the width. */
	*ret_least = 0;
	*ret_most = width - 1;
	if (r->umax < width) {
		*ret_least = (unsigned)r->umin;
		*ret_most = (unsigned)r->umax;
	} else if (r->umin == r->umax) {
		*ret_least = *ret_most = (unsigned)(r->umin & (width - 1));
	}
}

static struct bits shift_bits(enum scalar_op op, unsigned width, struct bits a, unsigned least, unsigned most)
{
	struct bits all = {0};

	if (op == SCALAR_ARSH)
		a = bits_sign_extend(a, width);
	for (unsigned n = least; n <= most; n++) {
		struct bits one = op == SCALAR_LSH   ? bits_shift_left(a, n)
		                  : op == SCALAR_RSH ? bits_shift_right(a, n)
		                                     : bits_shift_arithmetic(a, n);
		all = n == least ? one : bits_join(all, one);
	}
	return bits_keep(all, width_mask(width));
}

static struct range range_shift(enum scalar_op op, unsigned width, struct range a, unsigned least, unsigned most)
{
	switch (op) {
	case SCALAR_LSH:
		return range_shift_left(width, a, least, most);
	case SCALAR_RSH:
		return range_shift_right(width, a, least, most);
	default:
		return range_shift_arithmetic(width, a, least, most);
	}
}

static void scalar_shift(enum scalar_op op, bool wide, struct scalar *a, const struct scalar *amount)
{
	unsigned width = wide ? 64 : 32, least, most;
	struct scalar r = scalar_unknown();

	shift_amounts(width, amount, &least, &most);
	r.bits = shift_bits(op, width, bits_keep(a->bits, width_mask(width)), least, most);
	if (wide)
		r.wide = range_shift(op, 64, a->wide, least, most);
	if (!wide || (op == SCALAR_LSH && most < 32))
		r.half = range_shift(op, 32, a->half, least, most);
	*a = r;
}

static struct range range_alu(enum scalar_op op, unsigned width, struct range a, struct range b)
{
	switch (op) {
	case SCALAR_ADD:
		return range_add(width, a, b);
	case SCALAR_SUB:
		return range_sub(width, a, b);
	case SCALAR_MUL:
		return range_mul(width, a, b);
	case SCALAR_DIV:
		return range_div(width, a, b);
	case SCALAR_SDIV:
		return range_sdiv(width, a, b);
	case SCALAR_MOD:
		return range_mod(width, a, b);
	case SCALAR_SMOD:
		return range_smod(width, a, b);
	case SCALAR_AND: {
		struct range r;
		range_unsigned(width, &r, 0, MIN(a.umax, b.umax));
		return r;
	}
	case SCALAR_OR: {
		struct range r;
		range_unsigned(width, &r, MAX(a.umin, b.umin), width_mask(width));
		return r;
	}
	default: /* the bits say all that is known */
		return range_full(width);
	}
}

static struct bits bits_alu(enum scalar_op op, struct bits a, struct bits b)
{
	switch (op) {
	case SCALAR_ADD:
		return bits_add(a, b);
	case SCALAR_SUB:
		return bits_sub(a, b);
	case SCALAR_MUL:
		return bits_mul(a, b);
	case SCALAR_AND:
		return bits_and(a, b);
	case SCALAR_OR:
		return bits_or(a, b);
	case SCALAR_XOR:
		return bits_xor(a, b);
	default:
		return (struct bits){0, UINT64_MAX};
	}
}

/* The lower half of the result depends on the lower halves of the operands alone. */
static bool op_keeps_halves(enum scalar_op op)
{
	switch (op) {
	case SCALAR_ADD:
	case SCALAR_SUB:
	case SCALAR_MUL:
	case SCALAR_AND:
	case SCALAR_OR:
	case SCALAR_XOR:
		return true;
	default:
		return false;
	}
}

void scalar_alu(enum scalar_op op, bool wide, struct scalar *a, const struct scalar *b)
{
	struct scalar r = scalar_unknown();

	switch (op) {
	case SCALAR_MOV:
		r = *b;
		break;
	case SCALAR_LSH:
	case SCALAR_RSH:
	case SCALAR_ARSH:
		r = *a;
		scalar_shift(op, wide, &r, b);
		break;
	default:
		r.bits = bits_alu(op, a->bits, b->bits);
		if (wide)
			r.wide = range_alu(op, 64, a->wide, b->wide);
		if (!wide || op_keeps_halves(op))
			r.half = range_alu(op, 32, a->half, b->half);
		break;
	}
	if (!wide)
		scalar_zero_extend(&r);
	scalar_settle(&r);
	*a = r;
}

void scalar_negate(bool wide, struct scalar *a)
{
	struct scalar zero = scalar_constant(0);

	scalar_alu(SCALAR_SUB, wide, &zero, a);
	*a = zero;
}

void scalar_zero_extend(struct scalar *a)
{
	a->bits = bits_keep(a->bits, UINT32_MAX);
	a->wide = (struct range){a->half.umin, a->half.umax, 0, UINT32_MAX};
	scalar_settle(a);
}

void scalar_sign_extend(bool wide, unsigned bits, struct scalar *a)
{
	struct scalar r = scalar_unknown();

	r.bits = bits_sign_extend(a->bits, bits);
	if (bits == 32) {
		r.half = a->half;
		r.wide.smin = a->half.smin;
		r.wide.smax = a->half.smax;
	} else if (a->wide.smin >= width_smin(bits) && a->wide.smax <= width_smax(bits)) {
		r = *a;
	} else if (a->half.smin >= width_smin(bits) && a->half.smax <= width_smax(bits)) {
		r.wide.smin = a->half.smin;
		r.wide.smax = a->half.smax;
	} else {
		r.wide.smin = width_smin(bits);
		r.wide.smax = width_smax(bits);
	}
	scalar_settle(&r);
	if (!wide)
		scalar_zero_extend(&r);
	*a = r;
}

void scalar_keep_bytes(unsigned bytes, struct scalar *a)
{
	uint64_t mask;

	if (bytes >= 8)
		return;
	if (bytes == 4) {
		scalar_zero_extend(a);
		return;
	}
	mask = width_mask(8 * bytes);
	if (a->wide.umax > mask) {
		struct bits kept = bits_keep(a->bits, mask);
		*a = scalar_unknown();
		a->bits = kept;
	}
	scalar_settle(a);
}

static uint64_t swap_bytes(unsigned bits, uint64_t value)
{
	switch (bits) {
	case 16:
		return __builtin_bswap16((uint16_t)value);
	case 32:
		return __builtin_bswap32((uint32_t)value);
	default:
		return __builtin_bswap64(value);
	}
}

void scalar_swap(unsigned bits, bool swap, struct scalar *a)
{
	struct bits kept;

	if (!swap) {
		scalar_keep_bytes(bits / 8, a);
		return;
	}
	kept = (struct bits){swap_bytes(bits, a->bits.value), swap_bytes(bits, a->bits.mask)};
	*a = scalar_unknown();
	a->bits = kept;
	scalar_settle(a);
}

/* ---- tests ---- */
enum scalar_test scalar_test_inverse(enum scalar_test test)
{
	static const enum scalar_test inverse[] = {
	        [SCALAR_EQ] = SCALAR_NE,   [SCALAR_NE] = SCALAR_EQ,     [SCALAR_GT] = SCALAR_LE,
	        [SCALAR_GE] = SCALAR_LT,   [SCALAR_LT] = SCALAR_GE,     [SCALAR_LE] = SCALAR_GT,
	        [SCALAR_SGT] = SCALAR_SLE, [SCALAR_SGE] = SCALAR_SLT,   [SCALAR_SLT] = SCALAR_SGE,
	        [SCALAR_SLE] = SCALAR_SGT, [SCALAR_SET] = SCALAR_CLEAR, [SCALAR_CLEAR] = SCALAR_SET,
	};

	return inverse[test];
}

static bool range_intersect(struct range *a, struct range b)
{
	a->umin = MAX(a->umin, b.umin);
	a->umax = MIN(a->umax, b.umax);
	a->smin = MAX(a->smin, b.smin);
	a->smax = MIN(a->smax, b.smax);
	return a->umin <= a->umax && a->smin <= a->smax;
}

/* a < b, or a <= b if not strict. */
static bool assume_less(struct range *a, struct range *b, bool is_signed, bool strict)
{
	if (is_signed) {
		if (strict && (b->smax == INT64_MIN || a->smin == INT64_MAX))
			return false;
		a->smax = MIN(a->smax, b->smax - strict);
		b->smin = MAX(b->smin, a->smin + strict);
		return a->smin <= a->smax && b->smin <= b->smax;
	}
	if (strict && (b->umax == 0 || a->umin == UINT64_MAX))
		return false;
	a->umax = MIN(a->umax, b->umax - strict);
	b->umin = MAX(b->umin, a->umin + strict);
	return a->umin <= a->umax && b->umin <= b->umax;
}

static bool assume_equal(bool wide, struct scalar *a, struct scalar *b)
{
	struct bits upper = {0, ~0xffffffffull}, of_b = b->bits, of_a = a->bits;

	if (!wide) {
		of_b = (struct bits){of_b.value & UINT32_MAX, of_b.mask | upper.mask};
		of_a = (struct bits){of_a.value & UINT32_MAX, of_a.mask | upper.mask};
	}
	if (!bits_intersect(&a->bits, of_b) || !bits_intersect(&b->bits, of_a))
		return false;
	if (wide && (!range_intersect(&a->wide, b->wide) || !range_intersect(&b->wide, a->wide)))
		return false;
	return range_intersect(&a->half, b->half) && range_intersect(&b->half, a->half);
}

/* A bound that is the one excluded number moves in by one. */
static bool exclude(struct range *r, struct range value)
{
	if (value.umin != value.umax)
		return true;
	if (r->umin == r->umax && r->umin == value.umin)
		return false;
	if (r->umin == value.umin)
		r->umin++;
	if (r->umax == value.umax)
		r->umax--;
	if (r->smin == value.smin && r->smin < r->smax)
		r->smin++;
	if (r->smax == value.smax && r->smin < r->smax)
		r->smax--;
	return true;
}

static bool assume_set(bool wide, struct scalar *a, const struct scalar *b, bool set)
{
	uint64_t mask = b->bits.value, possible;

	if (b->bits.mask & (wide ? UINT64_MAX : UINT32_MAX))
		return !set || !((b->bits.value | b->bits.mask) == 0);
	if (!wide)
		mask &= UINT32_MAX;
	possible = (a->bits.value | a->bits.mask) & mask;
	if (!set) {
		if (a->bits.value & mask)
			return false;
		a->bits.mask &= ~mask;
		return true;
	}
	if (!possible)
		return false;
	if (!(possible & (possible - 1))) { /* one bit is left that can be it */
		a->bits.value |= possible;
		a->bits.mask &= ~possible;
	}
	return true;
}

static bool assume_views(enum scalar_test test, bool wide, struct scalar *a, struct scalar *b)
{
	struct range *x = wide ? &a->wide : &a->half, *y = wide ? &b->wide : &b->half;

	switch (test) {
	case SCALAR_EQ:
		return assume_equal(wide, a, b);
	case SCALAR_NE: {
		struct range of_a = *x, of_b = *y;
		return exclude(x, of_b) && exclude(y, of_a);
	}
	case SCALAR_GT:
		return assume_less(y, x, false, true);
	case SCALAR_GE:
		return assume_less(y, x, false, false);
	case SCALAR_LT:
		return assume_less(x, y, false, true);
	case SCALAR_LE:
		return assume_less(x, y, false, false);
	case SCALAR_SGT:
		return assume_less(y, x, true, true);
	case SCALAR_SGE:
		return assume_less(y, x, true, false);
	case SCALAR_SLT:
		return assume_less(x, y, true, true);
	case SCALAR_SLE:
		return assume_less(x, y, true, false);
	case SCALAR_SET:
		return assume_set(wide, a, b, true) && assume_set(wide, b, a, true);
	case SCALAR_CLEAR:
		return assume_set(wide, a, b, false) && assume_set(wide, b, a, false);
	}
	return true;
}

bool scalar_assume(enum scalar_test test, bool wide, struct scalar *a, struct scalar *b)
{
	return assume_views(test, wide, a, b) && scalar_tighten(a) && scalar_tighten(b);
}

int scalar_decide(enum scalar_test test, bool wide, const struct scalar *a, const struct scalar *b)
{
	struct scalar x = *a, y = *b;

	if (!scalar_assume(test, wide, &x, &y))
		return 0;
	x = *a;
	y = *b;
	return scalar_assume(scalar_test_inverse(test), wide, &x, &y) ? -1 : 1;
}

/* ---- sets of numbers ---- */
static bool range_contains(struct range outer, struct range inner)
{
	return outer.umin <= inner.umin && outer.umax >= inner.umax && outer.smin <= inner.smin &&
	       outer.smax >= inner.smax;
}

bool scalar_contains(const struct scalar *outer, const struct scalar *inner)
{
	return !(inner->bits.mask & ~outer->bits.mask) &&
	       (inner->bits.value & ~outer->bits.mask) == outer->bits.value &&
	       range_contains(outer->wide, inner->wide) && range_contains(outer->half, inner->half);
}

bool scalar_equal(const struct scalar *a, const struct scalar *b)
{
	return scalar_contains(a, b) && scalar_contains(b, a);
}

static struct range range_join(struct range a, struct range b)
{
	return (struct range){MIN(a.umin, b.umin), MAX(a.umax, b.umax), MIN(a.smin, b.smin), MAX(a.smax, b.smax)};
}

struct scalar scalar_join(const struct scalar *a, const struct scalar *b)
{
	return (struct scalar){bits_join(a->bits, b->bits), range_join(a->wide, b->wide), range_join(a->half, b->half)};
}

/* Bounds of types and of common buffers: where counters usually end. */
static uint64_t widen_up(unsigned width, uint64_t value)
{
	static const uint64_t steps[] = {UINT8_MAX, UINT16_MAX, INT32_MAX, UINT32_MAX, INT64_MAX};

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		if (value <= steps[i] && steps[i] <= width_mask(width))
			return steps[i];
	return width_mask(width);
}

static struct range range_widen(unsigned width, struct range before, struct range now)
{
	struct range r = before;

	if (now.umin < before.umin)
		r.umin = 0;
	if (now.umax > before.umax)
		r.umax = widen_up(width, now.umax);
	if (now.smin < before.smin)
		r.smin = now.smin >= 0 ? 0 : now.smin >= INT32_MIN && width == 64 ? INT32_MIN : width_smin(width);
	if (now.smax > before.smax)
		r.smax = now.smax < 0 ? -1 : now.smax <= INT32_MAX ? INT32_MAX : width_smax(width);
	return r;
}

struct scalar scalar_widen(const struct scalar *before, const struct scalar *now)
{
	return (struct scalar){bits_join(before->bits, now->bits), range_widen(64, before->wide, now->wide),
	                       range_widen(32, before->half, now->half)};
}
