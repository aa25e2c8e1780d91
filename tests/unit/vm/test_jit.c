/* SPDX-License-Identifier: Apache-2.0
 *
 * Compiled code: what single instructions compute, on every pair of registers, against plain C; the memory that it is in;
 * constants that are not to be seen in it; how long it may be.
 */
#include "tests/unit/vm/jit_fixture.h"
#if defined(__x86_64__)
#include "vm/jit_x86_int.h"
#endif

/* ---- arithmetic, every pair of registers ---- */
static uint64_t low(uint64_t n)
{
	return (uint32_t)n;
}

static uint64_t divided(uint64_t d, uint64_t s)
{
	return s ? d / s : 0;
}

static uint64_t rest(uint64_t d, uint64_t s)
{
	return s ? d % s : d;
}

static int64_t divided_signed(int64_t d, int64_t s)
{
	return s == 0 ? 0 : s == -1 ? (int64_t) - (uint64_t)d : d / s;
}

static int64_t rest_signed(int64_t d, int64_t s)
{
	return s == 0 ? d : s == -1 ? 0 : d % s;
}

static uint64_t shifted_signed(uint64_t d, unsigned count, unsigned bits)
{
	uint64_t fill = d >> (bits - 1) & 1 ? ~UINT64_C(0) << (bits - 1 - count) << 1 : 0;

	return (bits == 64 ? d >> count : low(d) >> count) | (count ? fill : 0);
}

static uint64_t reversed(uint64_t n, unsigned bytes)
{
	uint64_t result = 0;

	for (unsigned i = 0; i < bytes; i++)
		result |= (n >> 8 * i & 0xff) << 8 * (bytes - 1 - i);
	return result;
}

static const struct operation {
	uint8_t code;
	int16_t offset;
	int32_t imm;
	bool source; /* a register */
} operations[] = {
        {0x0f, 0, 0, true},     {0x0c, 0, 0, true}, /* add */
        {0x1f, 0, 0, true},     {0x1c, 0, 0, true}, /* sub */
        {0x2f, 0, 0, true},     {0x2c, 0, 0, true}, /* mul */
        {0x3f, 0, 0, true},     {0x3c, 0, 0, true}, /* div */
        {0x3f, 1, 0, true},     {0x3c, 1, 0, true}, /* sdiv */
        {0x4f, 0, 0, true},     {0x5f, 0, 0, true},          {0xaf, 0, 0, true},
        {0xac, 0, 0, true},     {0x6f, 0, 0, true},          {0x6c, 0, 0, true}, /* lsh */
        {0x7f, 0, 0, true},     {0x7c, 0, 0, true},                              /* rsh */
        {0xcf, 0, 0, true},     {0xcc, 0, 0, true},                              /* arsh */
        {0x9f, 0, 0, true},     {0x9c, 0, 0, true},                              /* mod */
        {0x9f, 1, 0, true},     {0x9c, 1, 0, true},                              /* smod */
        {0xbf, 0, 0, true},     {0xbc, 0, 0, true},                              /* mov */
        {0xbf, 8, 0, true},     {0xbf, 16, 0, true},         {0xbf, 32, 0, true},
        {0xbc, 8, 0, true},     {0xbc, 16, 0, true},         {0x37, 0, 7, false},
        {0x37, 0, 8, false},    {0x37, 0, -3, false},        {0x37, 0, INT32_MIN, false},
        {0x34, 0, 7, false},    {0x34, 0, 1, false},         {0x34, 0, INT32_MIN, false},
        {0x34, 0, -3, false},   {0x37, 1, -1, false},        {0x37, 1, -7, false},
        {0x34, 1, -1, false},   {0x34, 1, 10, false},        {0x37, 1, 0, false},
        {0x97, 0, 1000, false}, {0x97, 0, 64, false},        {0x97, 0, 0, false},
        {0x94, 0, 0, false},    {0x94, 0, 16, false},        {0x97, 1, -1, false},
        {0x94, 1, 3, false},    {0x97, 0, INT32_MIN, false}, {0x94, 0, INT32_MIN, false},
        {0x67, 0, 0, false},    {0x64, 0, 0, false},         {0x67, 0, 33, false},
        {0xc7, 0, 63, false},   {0xc4, 0, 31, false},        {0x27, 0, -5, false},
        {0x24, 0, 1000, false}, {0x57, 0, -16, false},       {0x54, 0, -16, false},
        {0xb7, 0, -2, false},   {0xb4, 0, -2, false},        {0x87, 0, 0, false},
        {0x84, 0, 0, false},    {0xd4, 0, 16, false},        {0xd4, 0, 32, false},
        {0xd4, 0, 64, false},   {0xd7, 0, 16, false},        {0xd7, 0, 32, false},
        {0xd7, 0, 64, false},
};

static uint64_t model(const struct operation *o, uint64_t d, uint64_t s)
{
	bool wide = (o->code & 7) == 7;

	if (o->code == 0xd4)
		return o->imm == 64 ? d : d & ((UINT64_C(1) << o->imm) - 1);
	if (o->code == 0xd7)
		return reversed(d, (unsigned)o->imm / 8);
	if (!o->source)
		s = wide ? (uint64_t)(int64_t)o->imm : (uint32_t)o->imm;
	if (!wide)
		d = low(d), s = low(s);
	switch (o->code & 0xf0) {
	case 0x00:
		d += s;
		break;
	case 0x10:
		d -= s;
		break;
	case 0x20:
		d *= s;
		break;
	case 0x30:
		if (o->offset)
			d = (uint64_t)(wide ? divided_signed((int64_t)d, (int64_t)s)
			                    : divided_signed((int32_t)d, (int32_t)s));
		else
			d = divided(d, s);
		break;
	case 0x40:
		d |= s;
		break;
	case 0x50:
		d &= s;
		break;
	case 0x60:
		d = wide ? d << (s & 63) : d << (s & 31);
		break;
	case 0x70:
		d = wide ? d >> (s & 63) : d >> (s & 31);
		break;
	case 0x80:
		d = -d;
		break;
	case 0x90:
		if (o->offset)
			d = (uint64_t)(wide ? rest_signed((int64_t)d, (int64_t)s)
			                    : rest_signed((int32_t)d, (int32_t)s));
		else
			d = rest(d, s);
		break;
	case 0xa0:
		d ^= s;
		break;
	case 0xb0:
		d = o->offset == 8    ? (uint64_t)(int8_t)s
		    : o->offset == 16 ? (uint64_t)(int16_t)s
		    : o->offset == 32 ? (uint64_t)(int32_t)s
		                      : s;
		break;
	case 0xc0:
		d = wide ? shifted_signed(d, s & 63, 64) : shifted_signed(d, s & 31, 32);
		break;
	}
	return wide ? d : low(d);
}

#define REGISTERS 10
struct exchange {
	uint64_t in[2];
	uint64_t out[REGISTERS];
};

/* All of r0 to r9 have a number, dst and src those of in[]; then the operation; then all are in out[]. */
static size_t write_operation(struct picket_insn *out, const struct operation *o, unsigned dst, unsigned src)
{
	size_t n = 0;

	out[n++] = (struct picket_insn){.code = 0x7b, .dst = 10, .src = 1, .offset = -96};
	out[n++] = (struct picket_insn){.code = 0xbf, .dst = 9, .src = 1};
	for (unsigned reg = 0; reg < REGISTERS - 1; reg++)
		out[n++] = (struct picket_insn){.code = 0xb7, .dst = reg & 15, .imm = (int32_t)(1000 + reg)};
	/* through r9 the last */
	for (unsigned reg = 0; reg < REGISTERS; reg++)
		if (reg != 9 && (reg == dst || (o->source && reg == src)))
			out[n++] = (struct picket_insn){
			        .code = 0x79, .dst = reg & 15, .src = 9, .offset = reg == dst ? 0 : 8};
	if (dst == 9 || (o->source && src == 9))
		out[n++] = (struct picket_insn){.code = 0x79, .dst = 9, .src = 9, .offset = dst == 9 ? 0 : 8};
	else
		out[n++] = (struct picket_insn){.code = 0xb7, .dst = 9, .imm = 1009};
	out[n++] = (struct picket_insn){
	        .code = o->code, .dst = dst & 15, .src = o->source ? src & 15 : 0, .offset = o->offset, .imm = o->imm};
	for (unsigned reg = 0; reg < REGISTERS; reg++)
		out[n++] = (struct picket_insn){
		        .code = 0x7b, .dst = 10, .src = reg & 15, .offset = (int16_t)(-8 * (int)(reg + 1))};
	out[n++] = (struct picket_insn){.code = 0x79, .dst = 1, .src = 10, .offset = -96};
	for (unsigned reg = 0; reg < REGISTERS; reg++) {
		out[n++] = (struct picket_insn){.code = 0x79, .src = 10, .offset = (int16_t)(-8 * (int)(reg + 1))};
		out[n++] = (struct picket_insn){
		        .code = 0x7b, .dst = 1, .offset = (int16_t)(offsetof(struct exchange, out) + 8 * reg)};
	}
	out[n++] = (struct picket_insn){.code = 0x95};
	return n;
}

static const uint64_t edges[] = {
        0,
        1,
        2,
        7,
        31,
        32,
        33,
        63,
        64,
        INT32_MAX,
        UINT64_C(0x80000000),
        UINT32_MAX,
        UINT64_C(0x100000000),
        INT64_MAX,
        UINT64_C(0x8000000000000000),
        UINT64_MAX,
        UINT64_C(0xffffffff00000001),
        UINT64_C(0x123456789abcdef0),
};

static void check_operation(const struct picket_program *p, const struct operation *o, unsigned dst, unsigned src)
{
	for (size_t a = 0; a < ARRAY_SIZE(edges); a++)
		for (size_t b = 0; b < ARRAY_SIZE(edges); b++) {
			struct exchange e = {.in = {edges[a], edges[b]}};
			struct picket_call call = {.data = &e, .length = sizeof(e)};
			uint64_t s = dst == src ? edges[a] : edges[b], expected = model(o, edges[a], s);
			assert_int_equal(picket_program_run(p, &call), 0);
			if (e.out[dst] != expected)
				fail_msg("0x%02x offset %d imm %d, r%u and r%u: %llx and %llx give %llx, not %llx",
				         o->code, o->offset, o->imm, dst, src, (unsigned long long)edges[a],
				         (unsigned long long)s, (unsigned long long)e.out[dst],
				         (unsigned long long)expected);
			for (unsigned reg = 0; reg < REGISTERS; reg++)
				if (reg != dst && !(o->source && reg == src))
					assert_int_equal(e.out[reg], 1000 + reg);
				else if (reg != dst)
					assert_int_equal(e.out[reg], s);
			if (!o->source && b)
				break;
		}
}

static void test_operations(void **state)
{
	struct picket_insn insns[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++)
		for (unsigned dst = 0; dst < REGISTERS; dst++)
			for (unsigned src = 0; src < (operations[i].source ? REGISTERS : 1); src++) {
				size_t count = write_operation(insns, &operations[i], dst, src);
				struct setting s = compiled[(dst + src) % 2 ? 0 : 3];
				struct picket_program *p;
				s.blind = (dst + src) % 5 == 0;
				p = load_insns(insns, count, s, NULL, 0);
				check_operation(p, &operations[i], dst, src);
				picket_program_free(p);
			}
}

static void test_operations_of_old_processors(void **state)
{
#if defined(__x86_64__)
	struct picket_call call = {0};
	struct picket_program *p;

	jit_x86_baseline = true;
	test_operations(state);
	p = load("call local f\ncall local f\nexit\nf:\nldxdw %r0, [%r10-8]\nldxdw %r1, [%r10-512]\nadd %r0, %r1\n"
	         "stdw [%r10-8], 3\nstdw [%r10-512], 4\nexit",
	         compiled[0]);
	assert_int_equal(picket_program_run(p, &call), 0);
	assert_int_equal(call.result, 0);
	picket_program_free(p);
	jit_x86_baseline = false;
#else
	(void)state;
	skip();
#endif
}

/* ---- the code's memory ---- */
static void test_never_writable_and_executable(void **state)
{
	struct picket_program *p = load("mov %r0, 1\nexit", compiled[0]);
	const void *code;
	unsigned long long low_address, high_address;
	char line[512], access[8];
	bool found = false;
	FILE *maps = fopen("/proc/self/maps", "re");

	(void)state;
	assert_true(picket_program_code(p, &code) > 0);
	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%llx-%llx %7s", &low_address, &high_address, access) != 3)
			continue;
		assert_false(strchr(access, 'w') && strchr(access, 'x'));
		if ((uintptr_t)code >= low_address && (uintptr_t)code < high_address) {
			assert_string_equal(access, "r-xp");
			found = true;
		}
	}
	assert_true(found);
	fclose(maps);
	picket_program_free(p);
}

static bool code_contains(const struct picket_program *p, uint32_t constant)
{
	const void *code;
	size_t size = picket_program_code(p, &code);

	return memmem(code, size, &constant, sizeof(constant));
}

/* Every way by which a program's constant may come into its code. */
static void test_blinding(void **state)
{
	static const char *const texts[] = {
	        "mov %r0, 0x13579bdf\nexit",
	        "mov32 %r0, 0x13579bdf\nexit",
	        "lddw %r0, 0x13579bdf13579bdf\nexit",
	        "mov %r0, 1\nadd %r0, 0x13579bdf\nexit",
	        "mov %r0, 1\nadd32 %r0, 0x13579bdf\nexit",
	        "mov %r0, 1\nmul %r0, 0x13579bdf\nexit",
	        "mov %r0, 1\ndiv %r0, 0x13579bdf\nexit",
	        "mov %r3, 1\nmov %r0, %r3\nadd %r0, 0x13579bdf\nexit",
	        "mov %r0, 1\njeq %r0, 0x13579bdf, +1\nmov %r0, 3\nexit",
	        "mov %r0, 1\njset32 %r0, 0x13579bdf, +1\nmov %r0, 3\nexit",
	        "stw [%r10-4], 0x13579bdf\nldxw %r0, [%r10-4]\nexit",
	        "stdw [%r10-8], 0x13579bdf\nldxdw %r0, [%r10-8]\nexit",
	        "stw [%r10-4], 9\nldxw %r3, [%r10-4]\nmov %r0, 4\njne %r3, 0x13579bdf, +1\nmov %r0, 0\nexit",
	        "stw [%r10-4], 9\nldxw %r3, [%r10-4]\nand %r3, 0x13579bdf\nmov %r0, 4\njne %r3, 0, +1\nmov %r0, 0\nexit",
	        "ldabsb 0x13579bdf\nmov %r0, 5\nexit",
	        "mov %r1, 4\nmov %r2, %r1\nadd %r2, 0x13579bdf\nmov %r0, 3\njeq %r2, 0, +1\nmov %r0, 2\nexit",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		uint64_t expected = 0;
		for (size_t s = 0; s < ARRAY_SIZE(compiled); s++) {
			struct picket_program *p = load(texts[i], compiled[s]);
			struct picket_call call = {0};
			assert_int_equal(picket_program_run(p, &call), 0);
			if (s == 0)
				expected = call.result;
			assert_int_equal(call.result, expected);
			if (compiled[s].blind && code_contains(p, 0x13579bdf))
				fail_msg("%s: the constant is in the code", texts[i]);
			picket_program_free(p);
		}
	}
}

/* ---- size ---- */
static struct picket_insn *make_long(size_t count, uint64_t *ret_result)
{
	struct picket_insn *insns = calloc(count, sizeof(*insns));
	uint64_t result = 0;

	assert_non_null(insns);
	insns[0] = (struct picket_insn){.code = 0xb7};
	for (size_t i = 1; i + 1 < count; i++) {
		switch (i % 4) {
		case 0: /* a jump over what comes next, which is never taken: r0 is not 0 */
			insns[i] = (struct picket_insn){.code = 0x15, .offset = 1};
			break;
		case 1:
			insns[i] = (struct picket_insn){.code = 0x07, .imm = (int32_t)i};
			result += i;
			break;
		case 2:
			insns[i] = (struct picket_insn){.code = 0x7b, .dst = 10, .src = 0, .offset = -8};
			break;
		default:
			insns[i] = (struct picket_insn){.code = 0x79, .dst = 3, .src = 10, .offset = -8};
		}
	}
	insns[count - 1] = (struct picket_insn){.code = 0x95};
	if ((count - 2) % 4 == 0)
		insns[count - 2].offset = 0;
	*ret_result = result;
	return insns;
}

static void test_longest_program(void **state)
{
	uint64_t result;
	struct picket_insn *insns = make_long(PICKET_INSNS_MAX, &result);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(compiled); i += COMPILED_CHECKED) {
		struct picket_program *p = load_insns(insns, PICKET_INSNS_MAX, compiled[i], NULL, 0);
		struct picket_call call = {0};
		assert_int_equal(picket_program_run(p, &call), 0);
		assert_int_equal(call.result, result);
		picket_program_free(p);
	}
	free(insns);
}

/* Jumps of about the length that decides between the short and the long form. */
static void test_jump_lengths(void **state)
{
	char text[8192];

	(void)state;
	for (int between = 25; between < 45; between++) {
		uint64_t expected = (uint64_t)between * 2;
		strcpy(text, "mov %r0, 0\nmov %r6, 2\na:\njeq %r6, 0, end\n");
		for (int i = 0; i < between; i++)
			strcat(text, "add %r0, 1\n");
		strcat(text, "sub %r6, 1\nja a\nend:\nexit");
		assert_result(text, expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_operations),
	        cmocka_unit_test(test_operations_of_old_processors),
	        cmocka_unit_test(test_never_writable_and_executable),
	        cmocka_unit_test(test_blinding),
	        cmocka_unit_test(test_longest_program),
	        cmocka_unit_test(test_jump_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
