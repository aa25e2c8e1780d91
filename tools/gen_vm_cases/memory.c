/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "tools/gen_vm_cases/gen.h"

#define MEMORY_BYTES 48

/* Bytes that all differ, with and without their highest bit. */
static uint8_t pattern(size_t at)
{
	return (uint8_t)(0x71 + at * 0x2b);
}

static uint64_t little_endian(size_t at, unsigned bytes)
{
	uint64_t number = 0;

	for (unsigned i = bytes; i-- > 0;)
		number = number << 8 | pattern(at + i);
	return number;
}

static uint64_t extended(uint64_t number, unsigned bytes)
{
	unsigned up = 64 - 8 * bytes;

	return (uint64_t)((int64_t)(number << up) >> up);
}

static void pattern_memory(void)
{
	line("-- mem");
	for (size_t i = 0; i < MEMORY_BYTES; i += 8)
		line("0x%" PRIx64, little_endian(i, 8));
}

/* ---- loads ---- */
static const struct load {
	const char *name;
	unsigned bytes;
	bool sign;
} loads[] = {
        {"ldxb", 1, false}, {"ldxh", 2, false}, {"ldxw", 4, false}, {"ldxdw", 8, false},
        {"ldxsb", 1, true}, {"ldxsh", 2, true}, {"ldxsw", 4, true},
};

static uint64_t loaded(const struct load *l, size_t at)
{
	uint64_t number = little_endian(at, l->bytes);

	return l->sign ? extended(number, l->bytes) : number;
}

/* The address is base + offset, whatever base is on its own. */
static void load_check(const struct load *l, unsigned dst, unsigned base, int64_t before, int offset)
{
	check_begin();
	line("ldxdw %%r%u, [%%r10-16]", base);
	if (before)
		line("add %%r%u, %" PRId64, base, before);
	line("%s %%r%u, [%%r%u%+d]", l->name, dst, base, offset);
	check_value(dst, loaded(l, (size_t)(before + offset)), base);
	go_home(dst);
	go_home(base);
}

/* r10 as base: what was stored there is read. */
static void load_from_stack(const struct load *l, unsigned dst)
{
	uint64_t number = 0x8182838485868788 & (l->bytes == 8 ? UINT64_MAX : (1ull << 8 * l->bytes) - 1);

	check_begin();
	line("%s %%r%u, [%%r10-24]", l->name, dst);
	check_value(dst, l->sign ? extended(number, l->bytes) : number, dst);
	go_home(dst);
}

static void write_load(const struct load *l)
{
	char file[32];

	snprintf(file, sizeof(file), "load-%s", l->name);
	file_begin(file, "Every offset in 16 bytes, far offsets, registers.");
	line("-- asm");
	line("stxdw [%%r10-16], %%r1");
	load_value(0, 0x8182838485868788);
	line("stxdw [%%r10-24], %%r0");
	homes_begin();
	for (int offset = 0; offset < 16; offset++)
		load_check(l, 1, 2, 0, offset);
	for (int offset = 1; offset < 16; offset += 2)
		load_check(l, 3, 3, MEMORY_BYTES, -8 - offset);
	load_check(l, 4, 5, INT16_MAX + 1 + 3, INT16_MIN);
	load_check(l, 4, 5, -INT16_MAX + 5, INT16_MAX);
	homes_check();
	for (unsigned dst = 0; dst < REGISTERS; dst++) {
		for (unsigned src = 0; src < REGISTERS; src++)
			if (pair_wanted(false, dst, src))
				load_check(l, dst, src, 0, (int)(dst + src));
		load_from_stack(l, dst);
		homes_check();
	}
	program_end();
	pattern_memory();
	file_end_with(0);
}

/* ---- stores: into 24 bytes of stack that hold the pattern, none of which may change but those that are stored ---- */
#define TARGET (-64) /* from r10 */

static void target_begin(unsigned scratch)
{
	for (int i = 0; i < 24; i += 8) {
		load_value(scratch, little_endian((size_t)i, 8));
		line("stxdw [%%r10%+d], %%r%u", TARGET + i, scratch);
	}
	go_home(scratch);
}

/* What the words hold after `bytes` of number were stored at `at`. */
static void target_check(size_t at, uint64_t number, unsigned bytes, unsigned scratch)
{
	for (size_t i = 0; i < 24; i += 8) {
		uint64_t want = 0;
		for (size_t j = 8; j-- > 0;) {
			size_t k = i + j;
			bool stored = k >= at && k < at + bytes;
			want = want << 8 | (stored ? (uint8_t)(number >> (8 * (k - at))) : pattern(k));
		}
		line("ldxdw %%r%u, [%%r10%+d]", scratch, TARGET + (int)i);
		check_value(scratch, want, scratch);
	}
	go_home(scratch);
}

/* base: r10, or a register that is made to point to the target. */
static void store_reg_check(const char *name, unsigned bytes, unsigned base, unsigned src, size_t at)
{
	unsigned scratch = 0;
	uint64_t number = 0xf1e2d3c4b5a69788;

	while (scratch == base || scratch == src)
		scratch++;
	check_begin();
	target_begin(scratch);
	load_value(src, number);
	if (base != 10) {
		line("mov %%r%u, %%r10", base);
		line("add %%r%u, %d", base, TARGET);
	}
	line("%s [%%r%u%+d], %%r%u", name, base, base == 10 ? TARGET + (int)at : (int)at, src);
	check_value(src, number, base);
	go_home(src);
	if (base != 10)
		go_home(base);
	target_check(at, number, bytes, scratch);
}

static void store_imm_check(const char *name, unsigned bytes, unsigned base, int32_t imm, size_t at)
{
	unsigned scratch = base == 0 ? 1 : 0;

	check_begin();
	target_begin(scratch);
	if (base != 10) {
		line("mov %%r%u, %%r10", base);
		line("add %%r%u, %d", base, TARGET);
	}
	line("%s [%%r%u%+d], %d", name, base, base == 10 ? TARGET + (int)at : (int)at, imm);
	if (base != 10)
		go_home(base);
	target_check(at, (uint64_t)(int64_t)imm, bytes, scratch);
}

static void write_store(const char *suffix, unsigned bytes)
{
	char file[32], name[16];

	snprintf(file, sizeof(file), "store-st%s", suffix);
	file_begin(file, "By register and by immediate: every offset in 8 bytes, values, registers.");
	line("-- asm");
	homes_begin();
	snprintf(name, sizeof(name), "stx%s", suffix);
	for (size_t at = 0; at < 9; at++)
		store_reg_check(name, bytes, 10, 3, at);
	for (unsigned src = 0; src < REGISTERS; src++) {
		store_reg_check(name, bytes, 10, src, 8);
		for (unsigned base = 0; base < REGISTERS; base++)
			if (base != src && pair_wanted(false, base, src))
				store_reg_check(name, bytes, base, src, 7);
		homes_check();
	}
	snprintf(name, sizeof(name), "st%s", suffix);
	for (size_t at = 0; at < 9; at++)
		store_imm_check(name, bytes, 10, -2, at);
	for (size_t i = 0; i < IMMS; i++)
		store_imm_check(name, bytes, 10, imms[i], 8);
	for (unsigned base = 0; base < REGISTERS; base++)
		store_imm_check(name, bytes, base, 0x12345678, 5);
	homes_check();
	program_end();
	file_end_with(0);
}

/* ---- the context is written, too, and its last byte can be reached ---- */
static void write_context(void)
{
	file_begin("context", "r1 and r2 at entry; the context's first and last bytes, read and written.");
	line("-- asm");
	line("mov %%r0, 1");
	line("jne %%r2, %d, fail", MEMORY_BYTES);
	line("mov %%r0, 2");
	line("ldxb %%r3, [%%r1]");
	line("jne %%r3, %d, fail", pattern(0));
	line("mov %%r0, 3");
	line("add %%r2, %%r1");
	line("ldxb %%r3, [%%r2-1]");
	line("jne %%r3, %d, fail", pattern(MEMORY_BYTES - 1));
	line("mov %%r0, 4");
	line("stdw [%%r2-8], -7");
	line("ldxdw %%r3, [%%r2-8]");
	line("jne %%r3, -7, fail");
	line("mov %%r0, 5");
	line("stb [%%r1], 9");
	line("ldxb %%r3, [%%r1]");
	line("jne %%r3, 9, fail");
	line("mov %%r0, 0");
	line("fail: exit");
	pattern_memory();
	file_end_with(0);
}

/* All 512 bytes of the stack. */
static void write_stack(void)
{
	file_begin("stack", "Every byte of the stack is written, then read.");
	line("-- asm");
	line("mov %%r1, %%r10");
	line("mov %%r2, 512");
	line("fill: add %%r1, -1");
	line("stxb [%%r1], %%r2");
	line("sub %%r2, 1");
	line("jne %%r2, 0, fill");
	line("mov %%r1, %%r10");
	line("mov %%r2, 512");
	line("read: add %%r1, -1");
	line("ldxb %%r3, [%%r1]");
	line("mov %%r0, %%r2");
	line("and %%r2, 0xff");
	line("jne %%r2, %%r3, fail");
	line("mov %%r2, %%r0");
	line("sub %%r2, 1");
	line("jne %%r2, 0, read");
	line("ldxdw %%r1, [%%r10-512]");
	line("stxdw [%%r10-8], %%r1");
	line("mov %%r0, 0");
	line("fail: exit");
	file_end_with(0);
}

/* ---- 64-bit constants ---- */
static void write_lddw(void)
{
	static const uint64_t edges[] = {0, UINT64_MAX, 1ull << 32, 0x80000000, 0xffffffff, 0x7fffffff, 1ull << 63};

	file_begin("lddw", "Values, registers.");
	line("-- asm");
	homes_begin();
	for (unsigned dst = 0; dst < REGISTERS; dst++) {
		for (size_t i = 0; i < ARRAY_SIZE(edges); i++) {
			check_begin();
			line("lddw %%r%u, 0x%" PRIx64, dst, edges[i]);
			line("mov %%r%u, %%r%u", (dst + 1) % REGISTERS, dst);
			line("rsh %%r%u, 32", (dst + 1) % REGISTERS);
			line("jne32 %%r%u, %d, fail_at", dst, (int32_t)edges[i]);
			line("jne32 %%r%u, %d, fail_at", (dst + 1) % REGISTERS, (int32_t)(edges[i] >> 32));
			go_home(dst);
			go_home((dst + 1) % REGISTERS);
		}
		homes_check();
	}
	program_end();
	file_end_with(0);
}

/* ---- packet: from the context, in network order; beyond it the program ends with 0 ---- */
static const struct packet {
	const char *suffix;
	unsigned bytes;
} packets[] = {{"b", 1}, {"h", 2}, {"w", 4}};

static uint64_t big_endian(size_t at, unsigned bytes)
{
	uint64_t number = 0;

	for (unsigned i = 0; i < bytes; i++)
		number = number << 8 | pattern(at + i);
	return number;
}

static void packet_check(uint64_t want)
{
	load_value(7, want);
	line("jne %%r0, %%r7, fail_at");
	go_home(7);
	go_home(0);
}

/* r6 to r9 are kept; the others may be lost, as in a call. */
static void write_packet(const struct packet *p)
{
	char file[32];

	snprintf(file, sizeof(file), "packet-%s", p->suffix);
	file_begin(file, "Every offset inside, by immediate and by register.");
	line("-- asm");
	homes_begin();
	for (size_t at = 0; at + p->bytes <= MEMORY_BYTES; at++) {
		check_begin();
		line("ldabs%s %zu", p->suffix, at);
		packet_check(big_endian(at, p->bytes));
	}
	for (unsigned src = 0; src < REGISTERS; src++) {
		for (int less = -3; less <= 3; less++) {
			check_begin();
			line("mov %%r%u, %d", src, (int)src + 10 + less);
			line("ldind%s %%r%u, %d", p->suffix, src, -less);
			if (src != 0)
				go_home(src);
			packet_check(big_endian(src + 10, p->bytes));
		}
	}
	check_begin();
	for (unsigned i = 6; i < REGISTERS; i++)
		line("jne %%r%u, %d, fail_at", i, HOME(i));
	program_end();
	pattern_memory();
	file_end_with(0);
}

static void write_packet_beyond(const struct packet *p, const char *how, const char *offset_of_reg, int64_t at)
{
	char file[48];

	snprintf(file, sizeof(file), "packet-%s-%s", p->suffix, how);
	file_begin(file, "Outside of the packet: the program ends with 0.");
	line("-- asm");
	line("mov %%r0, 1");
	if (offset_of_reg) {
		line("lddw %%r6, %s", offset_of_reg);
		line("ldind%s %%r6, %" PRId64, p->suffix, at);
	} else {
		line("ldabs%s %" PRId64, p->suffix, at);
	}
	line("mov %%r0, 2");
	line("exit");
	pattern_memory();
	file_end_with(0);
}

void write_memory_cases(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(loads); i++)
		write_load(&loads[i]);
	write_store("b", 1);
	write_store("h", 2);
	write_store("w", 4);
	write_store("dw", 8);
	write_context();
	write_stack();
	write_lddw();
	for (size_t i = 0; i < ARRAY_SIZE(packets); i++) {
		const struct packet *p = &packets[i];
		write_packet(p);
		write_packet_beyond(p, "end", NULL, MEMORY_BYTES - p->bytes + 1);
		write_packet_beyond(p, "far", NULL, INT32_MAX);
		write_packet_beyond(p, "negative", NULL, -1);
		write_packet_beyond(p, "register-end", "40", 9 - p->bytes);
		write_packet_beyond(p, "register-negative", "-5", 4);
	}
}
