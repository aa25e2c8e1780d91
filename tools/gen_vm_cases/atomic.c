/* SPDX-License-Identifier: Apache-2.0
 *
 * RFC 9669, 5.3, and load-acquire and store-release as Linux has them.
 */
#include <inttypes.h>
#include <stdio.h>

#include "tools/gen_vm_cases/gen.h"

enum atomic { ADD, OR, AND, XOR, FETCH_ADD, FETCH_OR, FETCH_AND, FETCH_XOR, XCHG, CMPXCHG, ATOMICS };
static const char *const names[ATOMICS] = {"add",      "or",        "and",       "xor",  "fetch add",
                                           "fetch or", "fetch and", "fetch xor", "xchg", "cmpxchg"};
static const char *const file_names[ATOMICS] = {"add",      "or",        "and",       "xor",  "fetch-add",
                                                "fetch-or", "fetch-and", "fetch-xor", "xchg", "cmpxchg"};

/* Memory, src and r0. */
struct state {
	uint64_t memory, src, r0;
};

static uint64_t low(uint64_t number, unsigned bits)
{
	return bits == 64 ? number : (uint32_t)number;
}

/* The new value in memory, of as many bits. */
static uint64_t stored(enum atomic op, unsigned bits, const struct state *s)
{
	uint64_t old = low(s->memory, bits), src = low(s->src, bits);

	switch (op) {
	case ADD:
	case FETCH_ADD:
		return low(old + src, bits);
	case OR:
	case FETCH_OR:
		return old | src;
	case AND:
	case FETCH_AND:
		return old & src;
	case XOR:
	case FETCH_XOR:
		return old ^ src;
	case XCHG:
		return src;
	default: /* CMPXCHG */
		return old == low(s->r0, bits) ? src : old;
	}
}

static struct state done(enum atomic op, unsigned bits, struct state s)
{
	uint64_t old = low(s.memory, bits), now = stored(op, bits, &s);

	s.memory = bits == 64 ? now : (s.memory & ~0xffffffffull) | now;
	if (op >= FETCH_ADD && op <= XCHG)
		s.src = old;
	if (op == CMPXCHG)
		s.r0 = old;
	return s;
}

static const uint64_t edges[] = {1, UINT32_MAX, 1ull << 63, UINT64_MAX, 0x0f0f0f0f33333333};

/* r0 before: of cmpxchg, the same in all, the same in the lower half, or another. */
static uint64_t compared(size_t row, uint64_t memory)
{
	static const uint64_t other = 0x1234567800000000;

	return row % 3 == 0 ? memory : row % 3 == 1 ? memory ^ other : memory + 1;
}

/* Rows: memory, src, r0 before; memory, src, r0 behind it. Between two guards. */
static void values_by_table(const char *name)
{
	table_begin("rows", ARRAY_SIZE(edges) * ARRAY_SIZE(edges) * 3, 6);
	line("mov %%r6, %%r0");
	line("stdw [%%r10-24], 0x5aa5");
	line("stdw [%%r10-8], 0x5aa5");
	line("ldxdw %%r1, [%%r9]");
	line("stxdw [%%r10-16], %%r1");
	line("ldxdw %%r2, [%%r9+8]");
	line("ldxdw %%r0, [%%r9+16]");
	line("lock %s [%%r10-16], %%r2", name);
	line("mov %%r7, %%r0");
	line("mov %%r0, %%r6");
	line("add %%r0, 1");
	line("ldxdw %%r1, [%%r10-16]");
	line("ldxdw %%r3, [%%r9+24]");
	line("jne %%r1, %%r3, fail");
	line("ldxdw %%r3, [%%r9+32]");
	line("jne %%r2, %%r3, fail");
	line("ldxdw %%r3, [%%r9+40]");
	line("jne %%r7, %%r3, fail");
	line("ldxdw %%r3, [%%r10-24]");
	line("jne %%r3, 0x5aa5, fail");
	line("ldxdw %%r3, [%%r10-8]");
	line("jne %%r3, 0x5aa5, fail");
	table_end("rows", 6);
	checks += ARRAY_SIZE(edges) * ARRAY_SIZE(edges) * 3;
}

static void table_memory(enum atomic op, unsigned bits)
{
	line("-- mem");
	for (size_t i = 0; i < ARRAY_SIZE(edges) * ARRAY_SIZE(edges) * 3; i++) {
		uint64_t memory = edges[i / 3 % ARRAY_SIZE(edges)];
		struct state s = {memory, edges[i / 3 / ARRAY_SIZE(edges)], compared(i, memory)};
		struct state behind = done(op, bits, s);
		word(s.memory);
		word(s.src);
		word(s.r0);
		word(behind.memory);
		word(behind.src);
		word(behind.r0);
		words_end();
	}
}

/* Only a compare and exchange looks at r0: it has its home value, which is also in memory. */
static void registers_check(enum atomic op, unsigned bits, const char *name, unsigned base, unsigned src)
{
	struct state s = {HOME(0), 0x5a5a5a5a00c0ffee, HOME(0)}, behind;
	bool fetches_into_r0 = op == CMPXCHG;
	unsigned scratch = 1;

	if (fetches_into_r0 && src == 0)
		s.src = HOME(0);
	behind = done(op, bits, s);
	while (scratch == base || scratch == src)
		scratch++;
	check_begin();
	line("stdw [%%r10-16], %d", HOME(0));
	load_value(src, s.src);
	if (base != 10) {
		line("mov %%r%u, %%r10", base);
		line("add %%r%u, -32", base);
	}
	line("lock %s [%%r%u%+d], %%r%u", name, base, base == 10 ? -16 : 16, src);
	line("ldxdw %%r%u, [%%r10-16]", scratch);
	check_value(scratch, behind.memory, src);
	go_home(scratch);
	check_value(src, fetches_into_r0 && src == 0 ? behind.r0 : behind.src, base);
	go_home(src);
	if (base != 10)
		go_home(base);
}

/* cmpxchg with r0 as its base: compares with the address, which is not what is there. */
static void address_in_r0(const char *name)
{
	for (unsigned src = 1; src < REGISTERS; src++) {
		check_begin();
		line("stdw [%%r10-16], 5");
		line("mov %%r0, %%r10");
		line("lock %s [%%r0-16], %%r%u", name, src);
		line("jne %%r0, 5, fail_at");
		line("ldxdw %%r0, [%%r10-16]");
		line("jne %%r0, 5, fail_at");
		go_home(0);
	}
}

static void write_atomic(enum atomic op, unsigned bits)
{
	char file[32], name[32];

	snprintf(file, sizeof(file), "atomic-%s%u", file_names[op], bits);
	snprintf(name, sizeof(name), "%s%s", names[op], bits == 64 ? "" : "32");
	file_begin(file, "Values, registers.");
	line("-- asm");
	values_by_table(name);
	homes_begin();
	for (unsigned src = 0; src < REGISTERS; src++) {
		registers_check(op, bits, name, 10, src);
		for (unsigned base = 0; base < REGISTERS; base++)
			if (base != src && pair_wanted(op == CMPXCHG, base, src) && !(op == CMPXCHG && base == 0))
				registers_check(op, bits, name, base, src);
		homes_check();
	}
	if (op == CMPXCHG && bits == 64)
		address_in_r0(name);
	homes_check();
	program_end();
	table_memory(op, bits);
	file_end_with(0);
}

/* ---- load-acquire, store-release: whole words only, at their own alignment ---- */
static const struct size {
	const char *suffix;
	unsigned bytes;
} sizes[] = {{"b", 1}, {"h", 2}, {"w", 4}, {"dw", 8}};

static uint64_t cut(uint64_t number, unsigned bytes)
{
	return bytes == 8 ? number : number & ((1ull << 8 * bytes) - 1);
}

static void acquire_check(const struct size *s, unsigned dst, unsigned src, int at)
{
	uint64_t number = 0x8182838485868788;

	check_begin();
	load_value(src, number);
	line("stxdw [%%r10-16], %%r%u", src);
	line("mov %%r%u, %%r10", src);
	line("ldacq%s %%r%u, [%%r%u%+d]", s->suffix, dst, src, -16 + at);
	check_value(dst, cut(number >> (8 * at), s->bytes), src);
	go_home(dst);
	go_home(src);
}

static void release_check(const struct size *s, unsigned base, unsigned src, int at)
{
	uint64_t number = 0xf1e2d3c4b5a69788, around = 0x1122334455667788, mask = cut(UINT64_MAX, s->bytes) << (8 * at);
	unsigned scratch = 0;

	while (scratch == base || scratch == src)
		scratch++;
	check_begin();
	load_value(scratch, around);
	line("stxdw [%%r10-16], %%r%u", scratch);
	go_home(scratch);
	load_value(src, number);
	line("mov %%r%u, %%r10", base);
	line("strel%s [%%r%u%+d], %%r%u", s->suffix, base, -16 + at, src);
	check_value(src, number, base);
	go_home(src);
	go_home(base);
	line("ldxdw %%r%u, [%%r10-16]", scratch);
	check_value(scratch, (around & ~mask) | (number << (8 * at) & mask), scratch);
	go_home(scratch);
}

static void write_acquire_release(const struct size *s)
{
	char file[32];

	snprintf(file, sizeof(file), "acquire-release-%s", s->suffix);
	file_begin(file, "Every aligned offset in 8 bytes, registers.");
	line("-- asm");
	homes_begin();
	for (int at = 0; at < 8; at += (int)s->bytes) {
		acquire_check(s, 1, 2, at);
		release_check(s, 1, 2, at);
	}
	for (unsigned dst = 0; dst < REGISTERS; dst++) {
		for (unsigned src = 0; src < REGISTERS; src++) {
			if (!pair_wanted(false, dst, src))
				continue;
			acquire_check(s, dst, src, 0);
			if (src != dst)
				release_check(s, dst, src, 0);
		}
		homes_check();
	}
	program_end();
	file_end_with(0);
}

void write_atomic_cases(void)
{
	for (unsigned op = 0; op < ATOMICS; op++) {
		write_atomic(op, 64);
		write_atomic(op, 32);
	}
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		write_acquire_release(&sizes[i]);
}
