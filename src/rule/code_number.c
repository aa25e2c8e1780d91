/* SPDX-License-Identifier: Apache-2.0
 *
 * A number sought among many: by halves.
 *
 *	r1: the number; r2: a constant, a bit's word
 */
#include "rule/code.h"

#include <linux/bpf.h>

#define RESULT_BITS 32 /* bits that are set at once: an immediate has as many */

struct number_writer {
	struct code *code;
	int16_t results;
	code_label done;
};

static void write_compare(struct number_writer *w, uint8_t op, int64_t number, code_label to)
{
	if (number == (int32_t)number) {
		code_jump_if(w->code, op, 1, (int32_t)number, to);
		return;
	}
	code_constant(w->code, 2, (uint64_t)number);
	code_jump_if_reg(w->code, op, 1, 2, to);
}

static void write_bits(struct number_writer *w, uint32_t word, uint32_t mask)
{
	/* The halves of the result's 8-byte words, in the order of this machine. */
	uint32_t half = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? word : word ^ 1;
	int16_t at = (int16_t)(w->results + (int)half * 4);
	code_load(w->code, BPF_W, 2, 7, at);
	code_alu(w->code, BPF_OR, 2, (int32_t)mask);
	code_store(w->code, BPF_W, 7, at, 2);
}

/* Entries of one number, their bits in order. */
static void write_found(struct number_writer *w, const struct code_number *n, size_t count)
{
	uint32_t mask = 0;
	write_compare(w, BPF_JNE, n->number, w->done);
	for (size_t i = 0; i < count; i++) {
		mask |= 1u << n[i].bit % RESULT_BITS;
		if (i + 1 < count && n[i + 1].bit / RESULT_BITS == n[i].bit / RESULT_BITS)
			continue;
		write_bits(w, n[i].bit / RESULT_BITS, mask);
		mask = 0;
	}
	code_jump(w->code, w->done);
}

/* The first entry of the number in the middle, or of the next one; count: there is only one number. */
static size_t divide(const struct code_number *n, size_t count)
{
	size_t middle = count / 2;
	while (middle > 0 && n[middle - 1].number == n[middle].number)
		middle--;
	if (middle)
		return middle;
	while (middle < count && n[middle].number == n[0].number)
		middle++;
	return middle;
}

/* As deep as the logarithm of the count. */
static void write_search(struct number_writer *w, const struct code_number *n, size_t count)
{
	size_t middle = divide(n, count);
	if (middle == count) {
		write_found(w, n, count);
		return;
	}
	code_label right = code_label_new(w->code);
	write_compare(w, BPF_JSGE, n[middle].number, right);
	write_search(w, n, middle);
	code_bind(w->code, right);
	write_search(w, n + middle, count - middle);
}

void code_numbers(struct code *c, const struct code_number *numbers, size_t count, int16_t results)
{
	struct number_writer w = {.code = c, .results = results, .done = code_label_new(c)};
	if (count && !c->error)
		write_search(&w, numbers, count);
	code_bind(c, w.done);
}
