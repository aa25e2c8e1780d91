/* SPDX-License-Identifier: Apache-2.0
 *
 * trace_printk, trace_vprintk, snprintf. Formats follow the kernel's rules: plain text and blanks in ASCII, %% and
 *
 *   %[0 +-][width]  c s, d i u x X with l or ll, p px pK ps pS pB pks pus, pI4 pi4 pI6 pi6
 *
 * A format is read once, into pieces; arguments are collected before anything is written, so that nothing is written when
 * one of them is wrong. What comes out is the kernel's text, but for pointers: they are printed as they are (%px), not
 * hashed, and none has a symbol.
 */
#include <errno.h>
#include "vm/helper_int.h"

#define ARGUMENTS_MAX 12
#define STORE_BYTES 512  /* of all arguments of one call, as the kernel counts them */
#define PRINT_BYTES 1024 /* of one text of trace_printk, with a NUL */
#define WIDTH_MAX ((1u << 23) - 1)
#define DIGITS_MAX 20

static const char hex_lower[] = "0123456789abcdef", hex_upper[] = "0123456789ABCDEF";

enum kind { KIND_CHAR, KIND_TEXT, KIND_SIGNED, KIND_UNSIGNED, KIND_HEX, KIND_HEX_UPPER, KIND_POINTER, KIND_VERBATIM };

/* Literal text, and the conversion behind it, whose argument is known already. */
struct piece {
	const char *literal;
	size_t literal_length; /* as it stands in the format: %% is two */
	enum kind kind;
	bool left, plus, space, zero;
	bool is_long;
	uint32_t width;
	uint64_t number;
	const char *text;
	size_t text_length;
};

struct format {
	struct picket_run *run;
	const char *at, *end; /* what is not read yet; the NUL is at `end` */
	const uint8_t *arguments;
	size_t argument_count;
	struct piece pieces[ARGUMENTS_MAX + 1]; /* the last one has no conversion */
	size_t piece_count;
	size_t used; /* of store */
	char store[STORE_BYTES];
};

/* ---- reading a format. It may change while it is read: no byte is looked at beyond `end`, whatever was there before ---- */
static char format_peek(const struct format *f, size_t ahead)
{
	return (size_t)(f->end - f->at) > ahead ? *(const volatile char *)(f->at + ahead) : 0;
}

static char format_next(struct format *f)
{
	char c = format_peek(f, 0);

	f->at += f->at < f->end;
	return c;
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_printable(char c)
{
	return c >= ' ' && c <= '~';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alphanumeric(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool ends_conversion(char c)
{
	return c == 0 || is_space(c) || (is_printable(c) && !is_alphanumeric(c));
}

/* ---- arguments, and the room that they take ---- */
static uint64_t argument_at(const struct format *f)
{
	uint64_t value;

	memcpy(&value, f->arguments + f->piece_count * sizeof(value), sizeof(value));
	return value;
}

static int take_number(struct format *f, struct piece *p, size_t size)
{
	size_t at = (f->used + 3) & ~(size_t)3;

	if (at + size > sizeof(f->store))
		return -ENOSPC;
	f->used = at + size;
	p->number = argument_at(f);
	return 0;
}

static int take_char(struct format *f, struct piece *p)
{
	if (f->used == sizeof(f->store))
		return -ENOSPC;
	f->store[f->used] = (char)argument_at(f);
	p->text = &f->store[f->used++];
	p->text_length = 1;
	return 0;
}

/* Text that the program may not read is empty. */
static int take_text(struct format *f, struct piece *p)
{
	uint64_t address = argument_at(f);
	size_t room = sizeof(f->store) - f->used, readable, length = 0;
	const volatile char *from = helper_pointer(address);
	char *to = f->store + f->used;

	if (room == 0)
		return -ENOSPC;
	readable = helper_readable(f->run, address, room);
	while (length < readable && length + 1 < room && (to[length] = from[length]))
		length++;
	if (length == readable)
		length = 0;
	p->text = to;
	p->text_length = length;
	f->used += length + 1;
	return 0;
}

static int take_verbatim(struct format *f, struct piece *p, const char *text, size_t length)
{
	if (length + 1 > sizeof(f->store) - f->used)
		return -ENOSPC;
	memcpy(f->store + f->used, text, length);
	p->kind = KIND_VERBATIM;
	p->text = f->store + f->used;
	p->text_length = length;
	f->used += length + 1;
	return 0;
}

static size_t write_hex(char *to, uint64_t value, unsigned digits, const char *alphabet)
{
	for (unsigned i = 0; i < digits; i++)
		to[i] = alphabet[value >> 4 * (digits - 1 - i) & 15];
	return digits;
}

static unsigned hex_digits(uint64_t value)
{
	return value ? (unsigned)(67 - __builtin_clzll(value)) / 4 : 1;
}

/* 0x…, as the kernel prints an address that has no symbol. */
static size_t write_address(char *to, uint64_t address)
{
	to[0] = '0';
	to[1] = 'x';
	return 2 + write_hex(to + 2, address, hex_digits(address), hex_lower);
}

static size_t write_ipv4(char *to, const uint8_t address[4], bool padded)
{
	size_t length = 0;

	for (unsigned i = 0; i < 4; i++) {
		uint8_t part = address[i];
		if (i)
			to[length++] = '.';
		if (padded || part >= 100)
			to[length++] = (char)('0' + part / 100);
		if (padded || part >= 10)
			to[length++] = (char)('0' + part / 10 % 10);
		to[length++] = (char)('0' + part % 10);
	}
	return length;
}

static size_t write_ipv6(char *to, const uint8_t address[16], bool padded)
{
	size_t length = 0;

	for (unsigned i = 0; i < 8; i++) {
		if (i && !padded)
			to[length++] = ':';
		length += write_hex(to + length, (uint64_t)address[2 * i] << 8 | address[2 * i + 1], 4, hex_lower);
	}
	return length;
}

/* %pI4 %pI6: with dots and colons; %pi4 %pi6: all digits. What cannot be read is 0. */
static int take_ip(struct format *f, struct piece *p)
{
	bool padded = format_peek(f, 0) == 'i', is_v4 = format_peek(f, 1) == '4';
	uint64_t from = argument_at(f);
	uint8_t address[16] = {0};
	size_t size = is_v4 ? 4 : 16;
	char text[40];

	if (helper_readable(f->run, from, size) == size)
		memcpy(address, helper_pointer(from), size);
	f->at += 2;
	return take_verbatim(f, p, text, is_v4 ? write_ipv4(text, address, padded) : write_ipv6(text, address, padded));
}

static int take_symbol(struct format *f, struct piece *p, bool verbatim)
{
	char text[2 + 16];
	size_t length = write_address(text, argument_at(f));
	int r;

	f->at++;
	if (verbatim)
		return take_verbatim(f, p, text, length);
	r = take_number(f, p, sizeof(uint64_t));
	p->kind = KIND_TEXT;
	return r;
}

/* What follows %p. */
static int take_pointer(struct format *f, struct piece *p)
{
	char c = format_peek(f, 0), next = format_peek(f, 1);

	p->kind = KIND_POINTER;
	if (ends_conversion(c))
		return take_number(f, p, sizeof(uint64_t));
	if ((c == 'k' || c == 'u') && next == 's') {
		f->at += 2;
		p->kind = KIND_VERBATIM;
		return ends_conversion(format_peek(f, 0)) ? take_text(f, p) : -EINVAL;
	}
	switch (c) {
	case 'x':
	case 'K':
		f->at++;
		return take_number(f, p, sizeof(uint64_t));
	case 's':
	case 'S':
		return take_symbol(f, p, false);
	case 'B':
		return take_symbol(f, p, true);
	case 'i':
	case 'I':
		return next == '4' || next == '6' ? take_ip(f, p) : -EINVAL;
	default:
		return -EINVAL;
	}
}

static int take_integer(struct format *f, struct piece *p, char c)
{
	for (unsigned i = 0; i < 2 && c == 'l'; i++) {
		p->is_long = true;
		c = format_next(f);
	}
	switch (c) {
	case 'd':
	case 'i':
		p->kind = KIND_SIGNED;
		break;
	case 'u':
		p->kind = KIND_UNSIGNED;
		break;
	case 'x':
		p->kind = KIND_HEX;
		break;
	case 'X':
		p->kind = KIND_HEX_UPPER;
		break;
	default:
		return -EINVAL;
	}
	return take_number(f, p, p->is_long ? sizeof(uint64_t) : sizeof(uint32_t));
}

/* ---- conversions ---- */
static void read_flags(struct format *f, struct piece *p)
{
	for (;; f->at++) {
		switch (format_peek(f, 0)) {
		case '0':
			p->zero = true;
			break;
		case '+':
			p->plus = true;
			break;
		case '-':
			p->left = true;
			break;
		case ' ':
			p->space = true;
			break;
		default:
			return;
		}
	}
}

static void read_width(struct format *f, struct piece *p)
{
	for (; is_digit(format_peek(f, 0)); f->at++)
		p->width = MIN(p->width * 10 + (uint32_t)(format_peek(f, 0) - '0'), WIDTH_MAX);
}

static int read_argument(struct format *f, struct piece *p)
{
	char c = format_next(f);
	int r;

	switch (c) {
	case 'p':
		r = take_pointer(f, p);
		while (!r && is_alphanumeric(format_peek(f, 0))) /* the kernel skips these */
			f->at++;
		return r;
	case 's':
		p->kind = KIND_TEXT;
		return ends_conversion(format_peek(f, 0)) ? take_text(f, p) : -EINVAL;
	case 'c':
		p->kind = KIND_CHAR;
		return take_char(f, p);
	default:
		return take_integer(f, p, c);
	}
}

/* What follows %. */
static int read_conversion(struct format *f, struct piece *p)
{
	if (f->piece_count >= f->argument_count)
		return -EINVAL;
	read_flags(f, p);
	read_width(f, p);
	return read_argument(f, p);
}

/* Up to a % that is not doubled, or to the end. */
static int read_literal(struct format *f, struct piece *p)
{
	p->literal = f->at;
	while (f->at < f->end) {
		char c = format_peek(f, 0);
		if (!is_printable(c) && !is_space(c))
			return -EINVAL;
		if (c == '%' && format_peek(f, 1) != '%')
			break;
		f->at += c == '%' ? 2 : 1;
	}
	p->literal_length = (size_t)(f->at - p->literal);
	return 0;
}

/* arguments: `count` of 8 bytes. text: of which `readable` bytes may be read. -EINVAL: it has no NUL there, or is no format
 * for so many arguments; -ENOSPC. */
static int format_read(struct format *f, struct picket_run *run, const char *text, size_t readable,
                       const void *arguments, size_t count)
{
	f->run = run;
	f->arguments = arguments;
	f->argument_count = count;
	f->used = 0;
	f->at = text;
	f->end = memchr(text, 0, readable);
	if (!f->end)
		return -EINVAL;
	for (f->piece_count = 0;; f->piece_count++) {
		struct piece *p = &f->pieces[f->piece_count];
		int r;
		*p = (struct piece){0};
		r = read_literal(f, p);
		if (r)
			return r;
		if (f->at >= f->end)
			return 0;
		f->at++;
		r = read_conversion(f, p);
		if (r)
			return r;
	}
}

/* ---- writing. Everything is counted, what has no room is dropped. A program may well write over its own format ---- */
struct output {
	char *text;
	size_t size;
	size_t length;
};

static void put(struct output *o, const char *text, size_t length)
{
	if (o->length < o->size)
		memmove(o->text + o->length, text, MIN(length, o->size - o->length));
	o->length += length;
}

static void pad(struct output *o, char c, size_t length)
{
	if (o->length < o->size)
		memset(o->text + o->length, c, MIN(length, o->size - o->length));
	o->length += length;
}

static void put_padded(struct output *o, const struct piece *p, const char *text, size_t length)
{
	size_t missing = p->width > length ? p->width - length : 0;

	if (!p->left)
		pad(o, ' ', missing);
	put(o, text, length);
	if (p->left)
		pad(o, ' ', missing);
}

static void put_digits(struct output *o, const struct piece *p, char sign, const char *digits, size_t count)
{
	size_t length = count + (sign != 0), missing = p->width > length ? p->width - length : 0;
	bool zero = p->zero && !p->left;

	if (!p->left && !zero)
		pad(o, ' ', missing);
	put(o, &sign, sign != 0);
	if (zero)
		pad(o, '0', missing);
	put(o, digits, count);
	if (p->left)
		pad(o, ' ', missing);
}

static size_t write_decimal(char to[DIGITS_MAX], uint64_t value)
{
	size_t at = DIGITS_MAX;

	do {
		to[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	memmove(to, to + at, DIGITS_MAX - at);
	return DIGITS_MAX - at;
}

static void put_signed(struct output *o, const struct piece *p)
{
	uint64_t value = p->is_long ? p->number : (uint64_t)(int32_t)p->number;
	bool negative = value >> 63;
	char digits[DIGITS_MAX], sign = p->space ? ' ' : 0;

	if (p->plus)
		sign = '+';
	if (negative) {
		sign = '-';
		value = -value;
	}
	put_digits(o, p, sign, digits, write_decimal(digits, value));
}

static void put_unsigned(struct output *o, const struct piece *p)
{
	uint64_t value = p->is_long ? p->number : (uint32_t)p->number;
	char digits[DIGITS_MAX];
	size_t count;

	if (p->kind == KIND_UNSIGNED)
		count = write_decimal(digits, value);
	else
		count = write_hex(digits, value, hex_digits(value), p->kind == KIND_HEX ? hex_lower : hex_upper);
	put_digits(o, p, 0, digits, count);
}

static void put_pointer(struct output *o, const struct piece *p)
{
	struct piece full = *p;
	char digits[16];

	if (full.width == 0) {
		full.width = sizeof(digits);
		full.zero = true;
	}
	put_digits(o, &full, 0, digits, write_hex(digits, p->number, hex_digits(p->number), hex_lower));
}

static void put_text(struct output *o, const struct piece *p)
{
	char address[2 + 16];

	if (p->text)
		put_padded(o, p, p->text, p->text_length);
	else /* %ps */
		put_padded(o, p, address, write_address(address, p->number));
}

static void put_literal(struct output *o, const struct piece *p)
{
	const char *at = p->literal, *end = at + p->literal_length;

	while (at < end) {
		const char *percent = memchr(at, '%', (size_t)(end - at));
		if (!percent || percent + 1 >= end) {
			put(o, at, (size_t)(end - at));
			return;
		}
		put(o, at, (size_t)(percent + 1 - at));
		at = percent + 2;
	}
}

static void put_conversion(struct output *o, const struct piece *p)
{
	switch (p->kind) {
	case KIND_CHAR:
	case KIND_TEXT:
		put_text(o, p);
		return;
	case KIND_VERBATIM:
		put(o, p->text, p->text_length);
		return;
	case KIND_SIGNED:
		put_signed(o, p);
		return;
	case KIND_UNSIGNED:
	case KIND_HEX:
	case KIND_HEX_UPPER:
		put_unsigned(o, p);
		return;
	case KIND_POINTER:
		put_pointer(o, p);
		return;
	}
}

/* Writes at most size bytes, a NUL included. Returns the length that the whole has, without it. */
static size_t format_write(const struct format *f, char *text, size_t size)
{
	struct output o = {.text = text, .size = size};

	for (size_t i = 0; i < f->piece_count; i++) {
		put_literal(&o, &f->pieces[i]);
		put_conversion(&o, &f->pieces[i]);
	}
	put_literal(&o, &f->pieces[f->piece_count]);
	if (size)
		text[MIN(o.length, size - 1)] = 0;
	return o.length;
}

/* ---- the helpers ---- */
static uint64_t trace(struct picket_run *run, uint64_t text, uint64_t size, const void *arguments, size_t count)
{
	struct format f;
	char line[PRINT_BYTES];
	size_t length;
	int r = format_read(&f, run, helper_pointer(text), size, arguments, count);

	if (r)
		return helper_error(r);
	length = format_write(&f, line, sizeof(line));
	if (run->call && run->call->print)
		run->call->print(line, MIN(length, sizeof(line) - 1), run->call->user);
	return length;
}

static bool is_argument_list(uint64_t arguments, uint64_t size)
{
	return size % sizeof(uint64_t) == 0 && size <= ARGUMENTS_MAX * sizeof(uint64_t) && (arguments || !size);
}

uint64_t helper_trace_printk(HELPER_PARAMETERS)
{
	const uint64_t arguments[] = {r3, r4, r5};

	return trace(run, r1, r2, arguments, ARRAY_SIZE(arguments));
}

uint64_t helper_trace_vprintk(HELPER_PARAMETERS)
{
	if (!is_argument_list(r3, r4))
		return helper_error(-EINVAL);
	return trace(run, r1, r2, helper_pointer(r3), r4 / sizeof(uint64_t));
}

uint64_t helper_snprintf(HELPER_PARAMETERS)
{
	struct format f;
	int r;

	if (!is_argument_list(r4, r5))
		return helper_error(-EINVAL);
	r = format_read(&f, run, helper_pointer(r3), helper_text_readable(run, r3), helper_pointer(r4),
	                r5 / sizeof(uint64_t));
	if (r)
		return helper_error(r);
	return format_write(&f, helper_pointer(r1), r2) + 1;
}
