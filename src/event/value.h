/* SPDX-License-Identifier: Apache-2.0
 *
 * The value of a field of an event, as rules compare it and outputs print it.
 */
#ifndef PICKET_EVENT_VALUE_H
#define PICKET_EVENT_VALUE_H

#include "base/base.h"
#include "base/json.h"

enum value_kind {
	VALUE_NULL, /* the field cannot be had: every comparison is false */
	VALUE_STR,
	VALUE_S64,
	VALUE_U64,
	VALUE_BOOL,
	VALUE_DOUBLE,
	VALUE_IP,
	VALUE_BYTES,
	VALUE_LIST,
};

struct ip {
	uint8_t family;    /* 4 or 6 */
	uint8_t prefix;    /* bits that count: 32, 128, or fewer for a network */
	uint8_t bytes[16]; /* network order; IPv4: the first 4 */
};

struct value {
	enum value_kind kind;
	bool truncated; /* it was longer than could be recorded */
	union {
		struct str str; /* STR, BYTES */
		int64_t s64;
		uint64_t u64;
		bool boolean;
		double number;
		struct ip ip;
		struct {
			const struct value *items; /* none of them a list */
			size_t count;
		} list;
	};
};

/* How a number is to be printed; text and JSON. */
enum value_print { PRINT_PLAIN, PRINT_HEX, PRINT_OCT, PRINT_PADDED9 };

/* Made printable. null: <NA>; list: (a,b). */
void value_add_text(const struct value *v, enum value_print how, struct buf *out);
void value_add_json(const struct value *v, struct json *out); /* controls are escaped, not replaced */
/* Text made fit for output. replacement 0: as UTF-8, each wrong byte and each character that is not printable becomes
 * U+FFFD; otherwise as bytes, what is not printable ASCII becomes that character (1: '.'). */
void value_add_printable(struct str s, char replacement, struct buf *out);

/* "10.0.0.1", "::1", "10.0.0.0/8". An address without prefix gets the whole length. Returns 0, -EINVAL. */
int ip_parse(struct str s, struct ip *ret_ip) must_check;
void ip_add_text(const struct ip *ip, struct buf *out);    /* the prefix only if it is shorter than the address */
bool ip_in_net(const struct ip *ip, const struct ip *net); /* of different families: false */
bool ip_equal(const struct ip *a, const struct ip *b);

#endif
