/* SPDX-License-Identifier: Apache-2.0
 *
 * Most texts have none of the patterns, and 8 places of a text can be asked at once whether two bytes in a row stand there.
 * So of each pattern two bytes in a row are chosen that are rare (its sign), and automata read only texts that have one.
 */
#include "rule/code_scan_int.h"

#include <linux/bpf.h>

#define LETTER_CASE 0x20 /* the bit in which letters differ that are otherwise alike */
#define EACH_BYTE 0x0101010101010101ull
#define WORD_BYTES 8

/* What paths and command lines are full of: bytes, the most frequent first, and two in a row. */
static const char frequent[] = "/elsraointucpm.bdhgyfvkx-_012wSTARz";
static const char frequent_pairs[] =
        "/usr/share/lib/x86_64-linux-gnu/libc.so.6 /proc/self/stat /sys/fs/cgroup/ /etc/ld.so.cache /dev/null /var/log/ /run/ "
        "/tmp/ /home/ /usr/local/bin/python3.11/dist-packages/__init__.py /node_modules/.bin/third_party/";

static unsigned rarity(char c)
{
	const char *at = c ? strchr(frequent, c) : NULL;
	return at ? (unsigned)(at - frequent) + 1 : (unsigned)sizeof(frequent);
}

static bool is_frequent_pair(const char *bytes)
{
	return memmem(frequent_pairs, sizeof(frequent_pairs) - 1, bytes, 2) != NULL;
}

static uint8_t folded(char c, bool nocase)
{
	return nocase ? (uint8_t)c | LETTER_CASE : (uint8_t)c;
}

static struct scan_sign sign_at(const struct pattern *p, size_t at)
{
	struct scan_sign sign = {.nocase = p->kind == PATTERN_CONTAINS_NOCASE, .count = MIN(p->text.length, 2u)};
	for (size_t i = 0; i < sign.count; i++)
		sign.bytes[i] = folded(p->text.data[at + i], sign.nocase);
	return sign;
}

static bool sign_is_at(const struct scan_sign *sign, const struct pattern *p, size_t at)
{
	for (size_t i = 0; i < sign->count; i++)
		if (folded(p->text.data[at + i], sign->nocase) != sign->bytes[i])
			return false;
	return true;
}

/* Has each text with the pattern this sign? */
static bool sign_is_of(const struct scan_sign *sign, const struct pattern *p)
{
	if (p->kind == PATTERN_CONTAINS_NOCASE && !sign->nocase)
		return false;
	for (size_t at = 0; at + sign->count <= p->text.length; at++)
		if (sign_is_at(sign, p, at))
			return true;
	return false;
}

static struct scan_sign sign_choose(const struct pattern *p)
{
	struct scan_sign best = sign_at(p, 0);
	unsigned most = 0;
	for (size_t at = 0; at + best.count <= p->text.length; at++) {
		unsigned rare = 1;
		for (size_t i = 0; i < best.count; i++)
			rare *= rarity(p->text.data[at + i]);
		if (best.count == 2 && is_frequent_pair(p->text.data + at))
			rare = 1;
		if (rare > most) {
			most = rare;
			best = sign_at(p, at);
		}
	}
	return best;
}

static bool has_sign(const struct scan *s, const struct pattern *p)
{
	for (size_t i = 0; i < s->sign_count; i++)
		if (sign_is_of(&s->signs[i], p))
			return true;
	return false;
}

void scan_signs_choose(struct scan *s, const struct pattern *patterns, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (patterns[i].text.length == 0 || has_sign(s, &patterns[i]))
			continue;
		if (s->sign_count == SCAN_SIGNS_MAX) {
			s->sign_count = 0;
			return;
		}
		s->signs[s->sign_count++] = sign_choose(&patterns[i]);
	}
}

/* r2, r3: 8 bytes from a place on, and from the next one on. Where the sign stands, a byte of r4 gets its upper bit. Others may
 * get it, too, above such a one or where a byte is no ASCII: then the automata are asked for nothing. */
static void write_sign(struct code *c, const struct scan_sign *sign)
{
	code_constant(c, 4, EACH_BYTE * sign->bytes[0]);
	code_alu_reg(c, BPF_XOR, 4, 2);
	if (sign->count > 1) {
		code_constant(c, 5, EACH_BYTE * sign->bytes[1]);
		code_alu_reg(c, BPF_XOR, 5, 3);
		code_alu_reg(c, BPF_OR, 4, 5);
	}
	if (sign->nocase) {
		code_constant(c, 5, ~(EACH_BYTE * LETTER_CASE));
		code_alu_reg(c, BPF_AND, 4, 5);
	}
	code_constant(c, 5, EACH_BYTE);
	code_alu_reg(c, BPF_SUB, 4, 5);
}

void scan_signs_write(struct code *c, const struct scan *s, code_label none)
{
	code_label again = code_label_new(c), found = code_label_new(c);
	code_constant(c, 1, 0);
	code_bind(c, again);
	code_alu_reg(c, BPF_MOV, 3, 8);
	code_alu_reg(c, BPF_ADD, 3, 1);
	code_load(c, BPF_DW, 2, 3, 0);
	code_load(c, BPF_DW, 3, 3, 1);
	for (size_t i = 0; i < s->sign_count; i++) {
		write_sign(c, &s->signs[i]);
		code_alu_reg(c, i ? BPF_OR : BPF_MOV, 0, 4);
	}
	code_constant(c, 5, EACH_BYTE << 7);
	code_jump_if_reg(c, BPF_JSET, 0, 5, found);
	code_alu(c, BPF_ADD, 1, WORD_BYTES);
	code_jump_if_reg(c, BPF_JLT, 1, 9, again);
	code_jump(c, none);
	code_bind(c, found);
}
