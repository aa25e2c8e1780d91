/* SPDX-License-Identifier: Apache-2.0 */
#include "event/value.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>

#define REPLACEMENT_CHARACTER "\xef\xbf\xbd" /* U+FFFD */

static uint32_t utf8_decode(const char *s, size_t length)
{
	static const uint8_t first_mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	uint32_t c = (uint8_t)s[0] & first_mask[length];

	for (size_t i = 1; i < length; i++)
		c = c << 6 | ((uint8_t)s[i] & 0x3f);
	return c;
}

/* Controls, what turns the direction of text or breaks a line, and what is no character. */
static bool is_printable(uint32_t c)
{
	if (c < 0x20 || (c >= 0x7f && c < 0xa0))
		return false;
	if (c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069))
		return false;
	return c != 0xfeff && !(c >= 0xfdd0 && c <= 0xfdef) && (c & 0xfffe) != 0xfffe;
}

static void add_printable_bytes(struct str s, char replacement, struct buf *out)
{
	for (size_t i = 0; i < s.length; i++)
		buf_add_char(out, s.data[i] >= 0x20 && s.data[i] < 0x7f ? s.data[i] : replacement);
}

static void add_printable_text(struct str s, struct buf *out)
{
	size_t run = 0; /* start of what is not added yet */

	for (size_t i = 0; i < s.length;) {
		size_t length = utf8_next(s.data + i, s.length - i);

		if (length > 0 && is_printable(utf8_decode(s.data + i, length))) {
			i += length;
			continue;
		}
		buf_add(out, s.data + run, i - run);
		buf_add_text(out, REPLACEMENT_CHARACTER);
		i += length > 0 ? length : 1;
		run = i;
	}
	if (run < s.length)
		buf_add(out, s.data + run, s.length - run);
}

void value_add_printable(struct str s, char replacement, struct buf *out)
{
	if (replacement == 0)
		add_printable_text(s, out);
	else
		add_printable_bytes(s, replacement == 1 ? '.' : replacement, out);
}

static void add_s64(int64_t n, enum value_print how, struct buf *out)
{
	if (how == PRINT_HEX)
		buf_printf(out, "%" PRIX64, (uint64_t)n);
	else if (how == PRINT_OCT)
		buf_printf(out, n == 0 ? "%" PRIo64 : "0%" PRIo64, (uint64_t)n);
	else
		buf_printf(out, how == PRINT_PADDED9 ? "%09" PRId64 : "%" PRId64, n);
}

static void add_u64(uint64_t n, enum value_print how, struct buf *out)
{
	if (how == PRINT_HEX || how == PRINT_OCT)
		add_s64((int64_t)n, how, out);
	else
		buf_printf(out, how == PRINT_PADDED9 ? "%09" PRIu64 : "%" PRIu64, n);
}

static void add_list(const struct value *v, enum value_print how, struct buf *out)
{
	buf_add_char(out, '(');
	for (size_t i = 0; i < v->list.count; i++) {
		if (i > 0)
			buf_add_char(out, ',');
		if (v->list.items[i].kind != VALUE_LIST)
			value_add_text(&v->list.items[i], how, out);
	}
	buf_add_char(out, ')');
}

void value_add_text(const struct value *v, enum value_print how, struct buf *out)
{
	switch (v->kind) {
	case VALUE_NULL:
		buf_add_text(out, "<NA>");
		return;
	case VALUE_STR:
		value_add_printable(v->str, 0, out);
		return;
	case VALUE_BYTES:
		value_add_printable(v->str, '.', out);
		return;
	case VALUE_S64:
		add_s64(v->s64, how, out);
		return;
	case VALUE_U64:
		add_u64(v->u64, how, out);
		return;
	case VALUE_BOOL:
		buf_add_text(out, v->boolean ? "true" : "false");
		return;
	case VALUE_DOUBLE:
		buf_printf(out, "%.1f", v->number);
		return;
	case VALUE_IP:
		ip_add_text(&v->ip, out);
		return;
	case VALUE_LIST:
		add_list(v, how, out);
		return;
	}
}

static void add_json_text(const struct value *v, struct json *out)
{
	struct buf text;

	buf_init(&text, 64 + 2 * v->str.length);
	value_add_text(v, PRINT_PLAIN, &text);
	json_str(out, text.length > 0 ? buf_str(&text) : STR(""));
	buf_done(&text);
}

void value_add_json(const struct value *v, struct json *out)
{
	switch (v->kind) {
	case VALUE_NULL:
		json_null(out);
		return;
	case VALUE_STR: /* nothing is lost here: the writer escapes controls */
		json_str(out, v->str);
		return;
	case VALUE_BYTES:
		add_json_text(v, out);
		return;
	case VALUE_S64:
		json_s64(out, v->s64);
		return;
	case VALUE_U64:
		json_u64(out, v->u64);
		return;
	case VALUE_BOOL:
		json_bool(out, v->boolean);
		return;
	case VALUE_DOUBLE:
		json_double(out, v->number);
		return;
	case VALUE_IP: {
		char text[INET6_ADDRSTRLEN + 8];
		struct buf buf;

		buf_init(&buf, sizeof(text));
		ip_add_text(&v->ip, &buf);
		json_str(out, buf_str(&buf));
		buf_done(&buf);
		return;
	}
	case VALUE_LIST:
		json_begin_array(out);
		for (size_t i = 0; i < v->list.count; i++)
			if (v->list.items[i].kind != VALUE_LIST)
				value_add_json(&v->list.items[i], out);
		json_end_array(out);
		return;
	}
}

static unsigned ip_bits(uint8_t family)
{
	return family == 4 ? 32 : 128;
}

static int parse_address(struct str s, struct ip *ret_ip)
{
	char text[INET6_ADDRSTRLEN];
	struct ip ip = {.family = str_find_char(s, ':') >= 0 ? 6 : 4};

	if (s.length == 0 || s.length >= sizeof(text) || str_find_char(s, '\0') >= 0)
		return -EINVAL;
	memcpy(text, s.data, s.length);
	text[s.length] = '\0';
	if (inet_pton(ip.family == 4 ? AF_INET : AF_INET6, text, ip.bytes) != 1)
		return -EINVAL;
	ip.prefix = (uint8_t)ip_bits(ip.family);
	*ret_ip = ip;
	return 0;
}

int ip_parse(struct str s, struct ip *ret_ip)
{
	ssize_t slash = str_find_char(s, '/');
	struct ip ip;
	unsigned prefix = 0;

	if (parse_address(slash < 0 ? s : str_make(s.data, (size_t)slash), &ip) != 0)
		return -EINVAL;
	if (slash >= 0) {
		struct str digits = str_make(s.data + slash + 1, s.length - (size_t)slash - 1);

		if (digits.length == 0 || digits.length > 3)
			return -EINVAL;
		for (size_t i = 0; i < digits.length; i++) {
			if (digits.data[i] < '0' || digits.data[i] > '9')
				return -EINVAL;
			prefix = prefix * 10 + (unsigned)(digits.data[i] - '0');
		}
		if (prefix > ip_bits(ip.family))
			return -EINVAL;
		ip.prefix = (uint8_t)prefix;
	}
	*ret_ip = ip;
	return 0;
}

void ip_add_text(const struct ip *ip, struct buf *out)
{
	char text[INET6_ADDRSTRLEN];

	buf_add_text(out, inet_ntop(ip->family == 4 ? AF_INET : AF_INET6, ip->bytes, text, sizeof(text)));
	if (ip->prefix < ip_bits(ip->family))
		buf_printf(out, "/%u", (unsigned)ip->prefix);
}

bool ip_in_net(const struct ip *ip, const struct ip *net)
{
	unsigned bits = MIN(net->prefix, ip_bits(net->family));
	uint8_t rest_mask = (uint8_t)(0xff00u >> (bits % 8));

	if (ip->family != net->family || memcmp(ip->bytes, net->bytes, bits / 8) != 0)
		return false;
	return bits % 8 == 0 || ((ip->bytes[bits / 8] ^ net->bytes[bits / 8]) & rest_mask) == 0;
}

bool ip_equal(const struct ip *a, const struct ip *b)
{
	return a->family == b->family && a->prefix == b->prefix &&
	       memcmp(a->bytes, b->bytes, ip_bits(a->family) / 8) == 0;
}
