/* SPDX-License-Identifier: Apache-2.0
 *
 * Objects as images: what is in them, also where user space could load none of it, and that each is what a loaded object
 * would have.
 */
#include "object_fixture.h"

#include <errno.h>
#include <linux/bpf.h>
#include <unistd.h>

#include "base/base.h"
#include "vm/image.h"
#include "vm/isa.h"

#define CPU "v3"
#define CALL (BPF_JMP | BPF_CALL)
#define LDDW (BPF_LD | BPF_IMM | BPF_DW)
#define AGENT "build/bpf/x86/picket.bpf.o"

static struct picket_image *open_path(const char *path)
{
	struct picket_image *i = NULL;
	struct picket_error error = {0};

	if (picket_image_open_file(path, &i, &error))
		fail_msg("%s: %s+%llu: %s", path, error.section, (unsigned long long)error.offset, error.text);
	return i;
}

static struct picket_image *open_image(const char *name)
{
	char path[128];

	object_path(path, CPU, name);
	return open_path(path);
}

static size_t program_of(const struct picket_image *i, const char *name)
{
	size_t program = SIZE_MAX;

	assert_true(picket_image_find(i, name, &program));
	assert_string_equal(picket_image_name(i, program), name);
	return program;
}

/* Of a program's instructions the nth with this opcode and source register; its slot. */
static size_t find_insn(const struct picket_image *i, size_t program, uint8_t code, uint8_t src, size_t nth)
{
	size_t count = 0;
	const struct picket_insn *insns = picket_image_insns(i, program, &count);

	for (size_t slot = 0; slot < count; slot++) {
		if (insns[slot].code == code && insns[slot].src == src && !nth--)
			return slot;
		slot += insns[slot].code == LDDW;
	}
	return SIZE_MAX;
}

static const struct picket_insn *insn_of(const struct picket_image *i, const char *name, uint8_t code, uint8_t src)
{
	size_t program = program_of(i, name), count = 0;
	size_t slot = find_insn(i, program, code, src, 0);

	assert_int_not_equal(slot, SIZE_MAX);
	return &picket_image_insns(i, program, &count)[slot];
}

static size_t map_of(const struct picket_image *i, const char *name)
{
	for (size_t k = 0; k < picket_image_map_count(i); k++)
		if (strcmp(picket_image_map(i, k)->name, name) == 0)
			return k;
	fail_msg("no map %s", name);
	return 0;
}

/* ---- programs ---- */
static void test_programs(void **state)
{
	struct picket_image *i = open_image("functions");
	size_t count = 0, program = program_of(i, "call_static"), untouched = 7;

	(void)state;
	assert_string_equal(picket_image_section(i, program), "test/one");
	assert_non_null(picket_image_insns(i, program, &count));
	assert_true(count > 2);
	assert_int_equal(picket_image_program_count(i), 10);
	assert_null(picket_image_insns(i, 10, &untouched));
	assert_null(picket_image_name(i, 10));
	assert_null(picket_image_section(i, 10));
	assert_false(picket_image_find(i, "twice", &untouched));
	assert_int_equal(untouched, 7);
	picket_image_free(i);
	i = open_image("globals");
	assert_string_equal(picket_image_license(i), "Apache-2.0");
	picket_image_free(i);
	picket_image_free(NULL);
}

static void test_functions(void **state)
{
	static const struct {
		const char *name;
		bool global;
	} expected[] = {{"call_program", true}, {"call_global", true}, {"thrice", true}, {"twice", false}};
	struct picket_image *i = open_image("functions");
	size_t program = program_of(i, "call_program"), count = 0;
	struct picket_image_function f;
	uint32_t end = 0;

	(void)state;
	picket_image_insns(i, program, &count);
	assert_int_equal(picket_image_function_count(i, program), ARRAY_SIZE(expected));
	for (size_t k = 0; k < ARRAY_SIZE(expected); k++) {
		assert_true(picket_image_function(i, program, k, &f));
		assert_string_equal(f.name, expected[k].name);
		assert_int_equal(f.global, expected[k].global);
		assert_int_equal(f.insn, end);
		assert_int_not_equal(f.type, 0);
		end = f.insn + f.count;
	}
	assert_int_equal(end, count);
	assert_false(picket_image_function(i, program, ARRAY_SIZE(expected), &f));
	/* Assembled: BTF does not know it. */
	assert_true(picket_image_function(i, program_of(i, "call_bare"), 1, &f));
	assert_string_equal(f.name, "bare");
	assert_int_equal(f.type, 0);
	assert_true(f.global);
	assert_int_equal(picket_image_function_count(i, 1000), 0);
	picket_image_free(i);
}

static void test_lines(void **state)
{
	struct picket_image *i = open_image("functions");
	size_t program = program_of(i, "fault"), count = 0;
	const char *file, *text;
	unsigned line, column;

	(void)state;
	picket_image_insns(i, program, &count);
	assert_true(picket_image_line(i, program, 0, &file, &line, &column, &text));
	assert_non_null(strstr(file, "functions.bpf.c"));
	assert_non_null(strstr(text, "return read_outside(in) + 1;"));
	assert_true(line > 100);
	assert_false(picket_image_line(i, program, count, &file, &line, &column, &text));
	assert_false(picket_image_line(i, 1000, 0, &file, &line, &column, &text));
	picket_image_free(i);
}

/* The bytes are copied: they may go. */
static void test_outlives_bytes(void **state)
{
	struct picket_image *i = NULL;
	struct buf bytes;
	const char *file, *text;
	unsigned line, column;

	(void)state;
	object_read(CPU, "functions", &bytes);
	assert_int_equal(picket_image_open(bytes.data, bytes.length, &i, NULL), 0);
	memset(bytes.data, 0xaa, bytes.length);
	buf_done(&bytes);
	assert_true(picket_image_line(i, program_of(i, "fault"), 0, &file, &line, &column, &text));
	assert_non_null(strstr(file, "functions.bpf.c"));
	picket_image_free(i);
}

/* ---- maps and data ---- */
static void test_maps(void **state)
{
	struct picket_image *i = open_image("maps");
	const struct picket_map_spec *both = picket_image_map(i, map_of(i, "both"));
	const struct picket_insn *insn = insn_of(i, "put_point", LDDW, BPF_PSEUDO_MAP_IDX);
	struct picket_image_data data;

	(void)state;
	assert_int_equal(picket_image_map_count(i), 10);
	assert_null(picket_image_map(i, 10));
	assert_int_equal(both->type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	assert_int_equal(both->inner->value_size, 8);
	assert_int_equal(picket_image_map(i, map_of(i, "points"))->value_size, 8);
	assert_int_equal(insn[0].imm, map_of(i, "points"));
	assert_int_equal(insn[1].imm, 0);
	assert_false(picket_image_data(i, map_of(i, "points"), &data));
	assert_false(picket_image_data(i, 10, &data));
	picket_image_free(i);
}

/* What only a kernel has is taken as it is. */
static void test_kernel_map(void **state)
{
	struct picket_image *i = open_image("bad_map_type");
	const struct picket_map_spec *spec = picket_image_map(i, map_of(i, "tasks"));

	(void)state;
	assert_int_equal(spec->type, BPF_MAP_TYPE_TASK_STORAGE);
	assert_int_equal(spec->flags, BPF_F_NO_PREALLOC);
	picket_image_free(i);
	/* No memory is taken. */
	i = open_image("bad_memory");
	assert_true(picket_image_map_count(i) >= 3);
	picket_image_free(i);
}

static void test_data(void **state)
{
	struct picket_image *i = open_image("globals");
	struct picket_image_data data;

	(void)state;
	assert_true(picket_image_data(i, map_of(i, ".data"), &data));
	assert_false(data.frozen);
	assert_int_equal(data.length, picket_image_map(i, map_of(i, ".data"))->value_size);
	assert_non_null(memmem(data.bytes, data.length, "picket", 7));
	assert_true(picket_image_data(i, map_of(i, ".rodata"), &data));
	assert_true(data.frozen);
	assert_true(picket_image_map(i, map_of(i, ".rodata"))->flags & BPF_F_RDONLY_PROG);
	assert_true(picket_image_data(i, map_of(i, ".bss.zeros"), &data));
	assert_null(data.bytes);
	assert_int_equal(data.length, 4000);
	assert_false(data.frozen);
	picket_image_free(i);
}

static void test_constants(void **state)
{
	struct picket_image *i = open_image("globals");
	size_t program = program_of(i, "read_globals"), count = 0, constants = 0;
	const struct picket_insn *insns = picket_image_insns(i, program, &count), *words;
	size_t rodata = map_of(i, ".rodata"), fixed = map_of(i, ".rodata.fixed");
	uint64_t number = 1000;

	(void)state;
	for (size_t nth = 0; nth < 4; nth++) {
		size_t slot = find_insn(i, program, LDDW, BPF_PSEUDO_MAP_IDX_VALUE, nth);

		assert_int_not_equal(slot, SIZE_MAX);
		if (!picket_image_constant(i, insns[slot].imm, insns[slot + 1].imm, 4, &number))
			continue;
		assert_int_equal(number, (size_t)insns[slot].imm == rodata ? 7 : 6);
		constants++;
	}
	assert_int_equal(constants, 2); /* limit and fixed; others may be written to */
	assert_true(picket_image_constant(i, fixed, 0, 1, &number));
	assert_int_equal(number, 6);
	number = 1000;
	assert_false(picket_image_constant(i, fixed, 0, 8, &number));
	assert_false(picket_image_constant(i, fixed, 4, 1, &number));
	assert_false(picket_image_constant(i, fixed, UINT64_MAX, 4, &number));
	assert_false(picket_image_constant(i, 1000, 0, 4, &number));
	/* Addresses are no numbers yet: whole, in part, or one byte of the last. */
	words = insn_of(i, "read_word", LDDW, BPF_PSEUDO_MAP_IDX_VALUE);
	assert_false(picket_image_constant(i, words[0].imm, words[1].imm, 8, &number));
	assert_false(picket_image_constant(i, words[0].imm, words[1].imm + 4, 4, &number));
	assert_false(picket_image_constant(i, words[0].imm, words[1].imm + 23, 1, &number));
	assert_int_equal(number, 1000);
	picket_image_free(i);
}

/* ---- the kernel's ---- */
static const char *kernel_name(const struct picket_image *i, const struct picket_insn *insn, bool weak)
{
	assert_int_equal(picket_image_kernel_weak(i, insn->imm), weak);
	return picket_image_kernel_name(i, insn->imm);
}

static void test_kernel_names(void **state)
{
	struct picket_image *i = open_image("externs");

	(void)state;
	assert_int_equal(picket_image_kernel_count(i), 4);
	assert_null(picket_image_kernel_name(i, 4));
	assert_false(picket_image_kernel_weak(i, 4));
	assert_string_equal(kernel_name(i, insn_of(i, "read_variable", LDDW, BPF_PSEUDO_BTF_ID), true),
	                    "some_variable");
	assert_string_equal(kernel_name(i, insn_of(i, "call_anyway", CALL, BPF_PSEUDO_KFUNC_CALL), true),
	                    "some_function");
	assert_string_equal(kernel_name(i, insn_of(i, "call_if_there", LDDW, BPF_PSEUDO_BTF_ID), true),
	                    "some_function");
	assert_string_equal(kernel_name(i, insn_of(i, "call_helper", CALL, BPF_PSEUDO_KFUNC_CALL), false),
	                    "embedder_add");
	picket_image_free(i);
	i = open_image("bad_kernel_function");
	assert_string_equal(kernel_name(i, insn_of(i, "caller", CALL, BPF_PSEUDO_KFUNC_CALL), false),
	                    "bpf_kernel_only");
	picket_image_free(i);
}

/* The kernel's configuration is a map that nobody knows the values of. */
static void test_configuration(void **state)
{
	static const char *const objects[] = {"externs", "bad_kconfig"}, *const programs[] = {"read_config", "reader"};

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(objects); k++) {
		struct picket_image *i = open_image(objects[k]);
		size_t config = map_of(i, ".kconfig");
		struct picket_image_data data;
		uint64_t number;

		assert_int_equal(insn_of(i, programs[k], LDDW, BPF_PSEUDO_MAP_IDX_VALUE)->imm, config);
		assert_true(picket_image_map(i, config)->flags & BPF_F_RDONLY_PROG);
		assert_false(picket_image_data(i, config, &data));
		assert_false(picket_image_constant(i, config, 0, 4, &number));
		picket_image_free(i);
	}
}

/* ---- BTF ---- */
static void test_btf(void **state)
{
	struct picket_image *i = open_image("core");
	size_t length = 0;
	const uint8_t *btf = picket_image_btf(i, &length);

	(void)state;
	assert_true(length > 24);
	assert_int_equal(btf[0], 0x9f);
	assert_int_equal(btf[1], 0xeb);
	assert_non_null(memmem(btf, length, "thing", 6));
	picket_image_free(i);
}

/* ---- an image is what a loaded object has ---- */
static void assert_same_code(const struct picket_image *i, size_t program, const struct picket_program *p)
{
	size_t count = 0, loaded_count = 0;
	const struct picket_insn *insns = picket_image_insns(i, program, &count);
	const struct picket_insn *loaded = picket_program_insns(p, &loaded_count);

	assert_int_equal(count, loaded_count);
	for (size_t slot = 0; slot < count; slot++) {
		bool wide = insns[slot].code == LDDW;

		/* Maps are numbered by each program for itself. */
		if (wide && insns[slot].src >= BPF_PSEUDO_MAP_IDX)
			assert_int_equal(insns[slot].src, loaded[slot].src);
		else
			assert_memory_equal(&insns[slot], &loaded[slot], sizeof(insns[slot]));
		if (wide)
			assert_memory_equal(&insns[slot + 1], &loaded[slot + 1], sizeof(insns[slot]));
		slot += wide;
	}
}

static void test_same_as_object(void **state)
{
	static const char *const objects[] = {"functions", "globals", "maps", "core", "text", "linked"};

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(objects); k++) {
		struct picket_image *i = open_image(objects[k]);
		struct picket_object *o = NULL;
		char path[128];

		object_path(path, CPU, objects[k]);
		assert_int_equal(picket_object_open_file(path, NULL, &o, NULL), 0);
		assert_int_equal(picket_image_program_count(i), picket_object_program_count(o));
		assert_int_equal(picket_image_map_count(i), picket_object_map_count(o));
		for (size_t p = 0; p < picket_image_program_count(i); p++) {
			assert_string_equal(picket_image_name(i, p),
			                    picket_program_name(picket_object_program_at(o, p)));
			assert_same_code(i, p, picket_object_program_at(o, p));
		}
		picket_object_free(o);
		picket_image_free(i);
	}
}

/* ---- whatever the bytes are ---- */
static void ask_function(const struct picket_image *i, size_t program, size_t index)
{
	struct picket_image_function f;
	size_t count = 0;

	picket_image_insns(i, program, &count);
	assert_true(picket_image_function(i, program, index, &f));
	assert_true(strlen(f.name) < 4096);
	assert_true(f.count > 0 && f.insn + f.count <= count);
}

/* Each number that an instruction has for a map or a name is one. */
static void ask_insns(const struct picket_image *i, size_t program)
{
	size_t count = 0;
	const struct picket_insn *insns = picket_image_insns(i, program, &count);
	const char *file, *text;
	unsigned line, column;

	for (size_t slot = 0; slot < count; slot++) {
		const struct picket_insn *insn = &insns[slot];

		if (picket_image_line(i, program, slot, &file, &line, &column, &text))
			assert_true(strlen(file) + strlen(text) < OBJECT_BYTES_MAX);
		if (insn->code == CALL && insn->src == BPF_PSEUDO_KFUNC_CALL)
			assert_non_null(picket_image_kernel_name(i, (uint32_t)insn->imm));
		if (insn->code != LDDW)
			continue;
		if (insn->src >= BPF_PSEUDO_MAP_IDX)
			assert_non_null(picket_image_map(i, (uint32_t)insn->imm));
		if (insn->src == BPF_PSEUDO_BTF_ID)
			assert_non_null(picket_image_kernel_name(i, (uint32_t)insn->imm));
		slot++;
	}
}

static void ask_data(const struct picket_image *i, size_t map)
{
	struct picket_image_data data;
	uint64_t number;

	assert_true(strlen(picket_image_map(i, map)->name) < sizeof(picket_image_map(i, map)->name));
	if (!picket_image_data(i, map, &data))
		return;
	for (size_t at = 0; at <= MIN(data.length, (size_t)512); at++)
		assert_true(data.frozen || !picket_image_constant(i, map, at, 8, &number));
}

static void ask_image(const struct picket_image *i)
{
	assert_non_null(picket_image_license(i));
	for (size_t p = 0; p < picket_image_program_count(i); p++) {
		for (size_t f = 0; f < picket_image_function_count(i, p); f++)
			ask_function(i, p, f);
		ask_insns(i, p);
	}
	for (size_t m = 0; m < picket_image_map_count(i); m++)
		ask_data(i, m);
}

static void test_damaged(void **state)
{
	static const char *const objects[] = {"externs", "bad_map_type", "globals"};

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(objects); k++) {
		struct buf bytes;

		object_read(CPU, objects[k], &bytes);
		for (size_t at = 0; at < bytes.length; at += 3) {
			struct picket_image *i = NULL;
			struct picket_error error = {0};
			char before = bytes.data[at];

			bytes.data[at] = (char)(before ^ (1 << at % 8));
			if (picket_image_open(bytes.data, bytes.length, &i, &error))
				assert_true(strlen(error.text) > 5);
			else
				ask_image(i);
			picket_image_free(i);
			bytes.data[at] = before;
		}
		buf_done(&bytes);
	}
}

static void test_refused(void **state)
{
	struct picket_image *untouched = (void *)1, *i = untouched;
	struct picket_error error = {0};
	char path[128];

	(void)state;
	object_path(path, CPU, "bad_size");
	assert_int_equal(picket_image_open_file(path, &i, &error), -EINVAL);
	assert_string_equal(error.section, ".maps");
	assert_int_equal(picket_image_open_file("/nowhere/x.o", &i, &error), -ENOENT);
	assert_non_null(strstr(error.text, "/nowhere/x.o"));
	assert_int_equal(picket_image_open("", 0, &i, NULL), -EINVAL);
	assert_ptr_equal(i, untouched);
}

/* ---- this project's own programs for the kernel ---- */
static void test_agent(void **state)
{
	struct picket_image *i;

	(void)state;
	if (access(AGENT, R_OK)) {
		print_message("skip: %s is not built\n", AGENT);
		skip();
	}
	i = open_path(AGENT);
	assert_true(picket_image_program_count(i) > 10);
	assert_true(picket_image_map_count(i) > 5);
	assert_string_not_equal(picket_image_license(i), "");
	ask_image(i);
	for (size_t p = 0; p < picket_image_program_count(i); p++) {
		size_t count = 0;
		const struct picket_insn *insns = picket_image_insns(i, p, &count);
		struct vm_ops ops = {0};
		struct picket_error error = {0};

		if (find_insn(i, p, LDDW, BPF_PSEUDO_BTF_ID, 0) != SIZE_MAX)
			continue;
		if (vm_decode_foreign(insns, count, picket_image_map_count(i), &ops, &error))
			fail_msg("%s: %s", picket_image_name(i, p), error.text);
		vm_ops_done(&ops);
	}
	picket_image_free(i);
}

/* ---- tables for the kernel ---- */
static void check_entry(const struct picket_image *i, const char *name, const char *expected)
{
	const char *entry = i->programs[program_of(i, name)].entry;

	if (expected)
		assert_string_equal(entry, expected);
	else
		assert_null(entry);
}

static void test_tables(void **state)
{
	struct picket_image *i = open_image("table");

	(void)state;
	check_entry(i, "begin_it", "operations.begin");
	check_entry(i, "end_it", "operations.end");
	check_entry(i, "in_no_table", NULL);
	picket_image_free(i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_programs),     cmocka_unit_test(test_functions),
	        cmocka_unit_test(test_lines),        cmocka_unit_test(test_outlives_bytes),
	        cmocka_unit_test(test_maps),         cmocka_unit_test(test_kernel_map),
	        cmocka_unit_test(test_data),         cmocka_unit_test(test_constants),
	        cmocka_unit_test(test_kernel_names), cmocka_unit_test(test_configuration),
	        cmocka_unit_test(test_btf),          cmocka_unit_test(test_same_as_object),
	        cmocka_unit_test(test_damaged),      cmocka_unit_test(test_refused),
	        cmocka_unit_test(test_agent),        cmocka_unit_test(test_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
