/* SPDX-License-Identifier: Apache-2.0
 *
 * Objects as clang writes them, for each CPU version that it knows: opened, run, looked into.
 */
#include "object_fixture.h"

#include <errno.h>
#include <linux/bpf.h>
#include <unistd.h>

#include "vm/map_int.h"

static const char *const cpus[] = {"v1", "v2", "v3", "v4"};

/* Where each test runs: set by main() before it. */
static const char *cpu;
static enum picket_engine engine;

/* ---- helpers of the embedder ---- */
static uint64_t add(uint64_t a, uint64_t b, uint64_t r3, uint64_t r4, uint64_t r5, struct picket_run *run)
{
	(void)r3, (void)r4, (void)r5, (void)run;
	return a + b;
}

static uint64_t twice(uint64_t a, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, struct picket_run *run)
{
	(void)r2, (void)r3, (void)r4, (void)r5, (void)run;
	return 2 * a;
}

static const struct picket_helper helpers[] = {
        {PICKET_HELPER_OWN + 1, "embedder_add", PICKET_RETURN_NUMBER, {PICKET_ARG_ANY, PICKET_ARG_ANY}, add},
        {PICKET_HELPER_OWN + 2, "embedder_double", PICKET_RETURN_NUMBER, {PICKET_ARG_ANY}, twice},
};

/* ---- opening and running ---- */
static struct picket_object *open_with(const char *name, size_t helper_count)
{
	struct picket_options options = {.engine = engine, .helpers = helpers, .helper_count = helper_count};
	struct picket_object *o = NULL;
	struct picket_error error = {0};
	char path[128];

	object_path(path, cpu, name);
	if (picket_object_open_file(path, &options, &o, &error))
		fail_msg("%s: %s+%llu: %s", path, error.section, (unsigned long long)error.offset, error.text);
	return o;
}

static struct picket_object *open_object(const char *name)
{
	return open_with(name, ARRAY_SIZE(helpers));
}

static struct picket_call run_on(struct picket_object *o, const char *program, void *data, size_t length)
{
	struct picket_program *p = picket_object_program(o, program);
	struct picket_call call = {.data = data, .length = length};
	int r;

	assert_non_null(p);
	assert_string_equal(picket_program_name(p), program);
	r = picket_program_run(p, &call);
	assert_int_equal(r, call.fault.kind ? -EFAULT : 0);
	return call;
}

static enum picket_fault_kind fault_of(struct picket_object *o, const char *program, uint64_t number)
{
	uint64_t input[2] = {number};

	return run_on(o, program, input, sizeof(input)).fault.kind;
}

static int64_t result_of(struct picket_object *o, const char *program, uint64_t number)
{
	uint64_t input[2] = {number};
	struct picket_call call = run_on(o, program, input, sizeof(input));

	if (call.fault.kind)
		fail_msg("%s(%llu): %s at %u", program, (unsigned long long)number, picket_fault_name(call.fault.kind),
		         call.fault.insn);
	return (int64_t)call.result;
}

static struct picket_map *map_of(struct picket_object *o, const char *name)
{
	struct picket_map *m = picket_object_map(o, name);

	assert_non_null(m);
	assert_string_equal(picket_map_spec(m)->name, name);
	return m;
}

/* ---- globals ---- */
static void test_globals(void **state)
{
	struct picket_object *o = open_object("globals");
	struct picket_map *data;
	int32_t value;

	(void)state;
	assert_int_equal(result_of(o, "read_globals", 0), 42 + 7 + 5 + 6);
	assert_int_equal(result_of(o, "count_calls", 0), 1);
	assert_int_equal(result_of(o, "count_calls", 0), 2);
	assert_int_equal(result_of(o, "read_table", 7), 21);
	assert_int_equal(result_of(o, "write_name", 3), 'p');
	assert_int_equal(result_of(o, "write_name", 0), 'X');
	data = map_of(o, ".data");
	assert_non_null(memmem(picket_map_values(data), picket_map_spec(data)->value_size, "XicXet", 7));
	memcpy(&value, (char *)picket_map_values(map_of(o, ".bss.zeros")) + 3 * sizeof(value), sizeof(value));
	assert_int_equal(value, 9);
	/* The embedder may set what programs only read. */
	value = 1000;
	memcpy(picket_map_values(map_of(o, ".rodata.fixed")), &value, sizeof(value));
	assert_int_equal(result_of(o, "read_globals", 0), 42 + 7 + 5 + 1000);
	picket_object_free(o);
}

static void test_globals_read_only(void **state)
{
	struct picket_object *o = open_object("globals");
	uint32_t key = 0;
	char value[64] = {0};

	(void)state;
	assert_int_equal(fault_of(o, "write_constant", 0), PICKET_FAULT_WRITE);
	assert_int_equal(picket_map_update(map_of(o, ".rodata"), &key, value, BPF_ANY), -EPERM);
	assert_int_equal(picket_map_spec(map_of(o, ".data"))->flags & BPF_F_RDONLY_PROG, 0);
	assert_int_equal(picket_map_update(map_of(o, ".data.own"), &key, value, BPF_ANY), 0);
	assert_int_equal(result_of(o, "read_globals", 0), 42 + 7 + 0 + 6);
	picket_object_free(o);
}

static void test_globals_with_pointers(void **state)
{
	struct picket_object *o = open_object("globals");

	(void)state;
	assert_int_equal(result_of(o, "read_middle", 0), 5);
	assert_int_equal(result_of(o, "read_word", 0), 'n');
	assert_int_equal(result_of(o, "read_word", 1), 'w');
	assert_int_equal(result_of(o, "read_word", 2), 'h');
	assert_int_equal(result_of(o, "read_word", 3), -1);
	assert_int_equal(result_of(o, "sum_nodes", 0), 321);
	picket_object_free(o);
}

/* A program is given the maps that it can reach, and no others. */
static void test_maps_of_a_program(void **state)
{
	struct picket_object *o = open_object("globals");

	(void)state;
	assert_int_equal(picket_object_program(o, "count_calls")->map_count, 1);
	assert_ptr_equal(picket_object_program(o, "count_calls")->maps[0], map_of(o, ".bss"));
	/* .rodata, .rodata.str1.1; the pointer's own section: .data */
	assert_true(picket_object_program(o, "read_word")->map_count <= 3);
	/* .data, and what its pointers lead to: .rodata, whose pointers lead to the texts */
	assert_int_equal(picket_object_program(o, "read_middle")->map_count, 3);
	picket_object_free(o);
}

static void test_license(void **state)
{
	struct picket_object *o = open_object("globals");

	(void)state;
	assert_string_equal(picket_object_license(o), "Apache-2.0");
	picket_object_free(o);
	o = open_object("functions");
	assert_string_equal(picket_object_license(o), "");
	picket_object_free(o);
}

/* ---- functions ---- */
static void test_functions(void **state)
{
	struct picket_object *o = open_object("functions");

	(void)state;
	assert_int_equal(result_of(o, "call_static", 5), 10);
	assert_int_equal(result_of(o, "call_global", 5), 15 + 3);
	assert_int_equal(result_of(o, "call_circle", 3), 6);
	assert_int_equal(fault_of(o, "call_circle", 5), PICKET_FAULT_FRAMES);
	assert_int_equal(result_of(o, "call_section", 5), 10 + 16);
	assert_int_equal(result_of(o, "call_program", 5), 1018);
	assert_int_equal(result_of(o, "call_back", 3), 6 + 3);
	assert_int_equal(result_of(o, "call_back", 10), 90 + 5);
	assert_int_equal(result_of(o, "no_calls", 5), 5);
	assert_int_equal(result_of(o, "call_bare", 5), 6);
	picket_object_free(o);
}

static void test_programs_and_sections(void **state)
{
	static const struct {
		const char *name, *section;
	} expected[] = {
	        {"in_own_section", "subprograms"}, {"call_static", "test/one"},  {"call_global", "test/one"},
	        {"call_circle", "test/two"},       {"call_section", "test/two"}, {"call_program", "test/two"},
	        {"call_back", "test/three"},       {"no_calls", "test/three"},   {"call_bare", "test/three"},
	        {"fault", "test/fault"},
	};
	struct picket_object *o = open_object("functions");

	(void)state;
	assert_int_equal(picket_object_program_count(o), ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		struct picket_program *p = picket_object_program_at(o, i);

		assert_ptr_equal(p, picket_object_program(o, expected[i].name));
		assert_string_equal(picket_object_section_of(o, p), expected[i].section);
	}
	assert_null(picket_object_program_at(o, ARRAY_SIZE(expected)));
	assert_null(picket_object_program(o, "twice"));
	assert_null(picket_object_section_of(o, NULL));
	picket_object_free(o);
}

static size_t count_of(struct picket_object *o, const char *program)
{
	size_t count = 0;

	picket_program_insns(picket_object_program(o, program), &count);
	return count;
}

/* Names of a program's functions in their order, a blank behind each. */
static void function_names(const struct picket_program *p, char *names, size_t size)
{
	const char *last = "";
	size_t count;

	*names = '\0';
	picket_program_insns(p, &count);
	for (size_t i = 0; i < count; i++) {
		const char *name = picket_program_function(p, i);

		assert_true(*name);
		if (strcmp(name, last) != 0)
			snprintf(names + strlen(names), size - strlen(names), "%s ", name);
		last = name;
	}
}

/* Only what is reached is linked, and once. */
static void test_linked_functions(void **state)
{
	static const struct {
		const char *program, *functions;
	} expected[] = {
	        {"no_calls", "no_calls "},
	        {"call_static", "call_static twice "},
	        {"call_global", "call_global thrice twice "},
	        {"call_circle", "call_circle factorial factorial_times "},
	        {"call_section", "call_section static_in_own_section twice in_own_section thrice "},
	        {"call_program", "call_program call_global thrice twice "},
	        {"call_back", "call_back add_index stop_at_five twice "},
	};
	struct picket_object *o = open_object("functions");
	char names[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		function_names(picket_object_program(o, expected[i].program), names, sizeof(names));
		assert_string_equal(names, expected[i].functions);
	}
	assert_int_equal(count_of(o, "no_calls"), 2);
	assert_string_equal(picket_program_function(picket_object_program(o, "no_calls"), 2), "");
	picket_object_free(o);
}

static void test_text_programs(void **state)
{
	struct picket_object *o = open_object("text");
	uint8_t data[4] = {1, 2, 3, 4};

	(void)state;
	assert_int_equal(picket_object_program_count(o), 2);
	assert_int_equal(run_on(o, "entry", data, sizeof(data)).result, 5);
	assert_int_equal(run_on(o, "other", data, sizeof(data)).result, 9);
	assert_string_equal(picket_object_section_of(o, picket_object_program(o, "entry")), ".text");
	assert_int_equal(picket_object_map_count(o), 0);
	picket_object_free(o);
}

/* ---- lines ---- */
/* The number of the source line that holds text. */
static unsigned source_line(const char *path, const char *text)
{
	_cleanup_(buf_done) struct buf source;
	const char *end;
	unsigned line = 1;

	buf_init(&source, OBJECT_BYTES_MAX);
	assert_int_equal(file_read(path, &source), 0);
	end = strstr(source.data, text);
	assert_non_null(end);
	for (const char *at = source.data; at < end; at++)
		line += *at == '\n';
	return line;
}

static void test_lines(void **state)
{
	struct picket_object *o = open_object("functions");
	struct picket_program *p = picket_object_program(o, "fault");
	uint64_t input[2] = {0};
	struct picket_call call = run_on(o, "fault", input, sizeof(input));
	const char *file, *text;
	unsigned line, column;

	(void)state;
	assert_int_equal(call.fault.kind, PICKET_FAULT_READ);
	assert_ptr_equal(call.fault.program, p);
	assert_string_equal(picket_program_function(p, call.fault.insn), "read_outside");
	assert_true(picket_program_line(p, call.fault.insn, &file, &line, &column, &text));
	assert_non_null(strstr(file, "functions.bpf.c"));
	assert_non_null(strstr(text, "the line that tests expect in a fault"));
	assert_int_equal(line,
	                 source_line("tests/vm/objects/functions.bpf.c", "the line that tests expect in a fault"));
	assert_int_equal(column, 9);
	assert_string_equal(picket_program_function(p, 0), "fault");
	assert_true(picket_program_line(p, 0, &file, &line, &column, &text));
	assert_non_null(strstr(text, "return read_outside(in) + 1;"));
	assert_false(picket_program_line(p, count_of(o, "fault"), &file, &line, &column, &text));
	/* What has no lines does not get those of what lies before it. */
	p = picket_object_program(o, "call_bare");
	assert_string_equal(picket_program_function(p, count_of(o, "call_bare") - 1), "bare");
	assert_false(picket_program_line(p, count_of(o, "call_bare") - 1, &file, &line, &column, &text));
	picket_object_free(o);
}

static void test_program_without_object(void **state)
{
	static const struct picket_insn insns[] = {{.code = 0xb7}, {.code = 0x95}};
	struct picket_program *p = NULL;
	const char *file, *text;
	unsigned line, column;

	(void)state;
	assert_int_equal(picket_program_load(insns, ARRAY_SIZE(insns), NULL, &p, NULL), 0);
	assert_false(picket_program_line(p, 0, &file, &line, &column, &text));
	assert_string_equal(picket_program_function(p, 0), "");
	assert_string_equal(picket_program_name(p), "");
	picket_program_free(p);
}

/* ---- maps ---- */
static void assert_spec(struct picket_object *o, const char *name, uint32_t type, uint32_t key_size,
                        uint32_t value_size, uint32_t max_entries, uint32_t flags)
{
	const struct picket_map_spec *s = picket_map_spec(map_of(o, name));

	assert_int_equal(s->type, type);
	assert_int_equal(s->key_size, key_size);
	assert_int_equal(s->value_size, value_size);
	assert_int_equal(s->max_entries, max_entries);
	assert_int_equal(s->flags, flags);
}

static void test_map_definitions(void **state)
{
	struct picket_object *o = open_object("maps");

	(void)state;
	assert_int_equal(picket_object_map_count(o), 10);
	assert_null(picket_object_map_at(o, 10));
	assert_null(picket_object_map(o, "nothing"));
	assert_spec(o, "points", BPF_MAP_TYPE_ARRAY, 4, 8, 8, 0);
	assert_spec(o, "hidden", BPF_MAP_TYPE_HASH, 4, 8, 100, BPF_F_NO_PREALLOC);
	assert_spec(o, "both", BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, 4, 0);
	assert_spec(o, "answers", BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 8, 0);
	assert_spec(o, "seen", BPF_MAP_TYPE_BLOOM_FILTER, 0, 8, 100, 0);
	assert_int_equal(picket_map_spec(map_of(o, "seen"))->extra, 3);
	assert_int_equal(picket_map_spec(map_of(o, "both"))->inner->value_size, 8);
	/* 5000 is rounded up to what a ring buffer can have. */
	assert_true(picket_map_spec(map_of(o, "ring"))->max_entries >= 8192);
	picket_object_free(o);
}

static void test_map_access(void **state)
{
	struct picket_object *o = open_object("maps");
	uint32_t key = 2;
	struct {
		int32_t x, y;
	} point = {0};
	uint64_t value = 0;

	(void)state;
	assert_int_equal(result_of(o, "put_point", 2), 34);
	assert_int_equal(result_of(o, "put_point", 8), -1);
	assert_int_equal(picket_map_lookup(map_of(o, "points"), &key, &point), 0);
	assert_int_equal(point.x, 3);
	assert_int_equal(point.y, 4);
	assert_int_equal(result_of(o, "put_hidden", 2), 3);
	assert_int_equal(picket_map_lookup(map_of(o, "hidden"), &key, &value), 0);
	assert_int_equal(value, 3);
	assert_int_equal(result_of(o, "put_seen", 9), 0);
	picket_object_free(o);
}

static void test_map_of_maps(void **state)
{
	struct picket_object *o = open_object("maps");
	struct picket_map *inner = NULL;
	uint32_t key = 0;
	uint64_t value = 0;

	(void)state;
	assert_int_equal(result_of(o, "put_inner", 0), -1);
	assert_int_equal(result_of(o, "put_inner", 1), 0); /* left; by_key[0] is right */
	assert_int_equal(result_of(o, "put_inner", 3), 3); /* right */
	assert_int_equal(result_of(o, "put_inner", 2), 3); /* quiet */
	assert_int_equal(picket_map_lookup(map_of(o, "left"), &key, &value), 0);
	assert_int_equal(value, 1);
	assert_int_equal(picket_map_lookup(map_of(o, "right"), &key, &value), 0);
	assert_int_equal(value, 3);
	assert_int_equal(picket_map_lookup(map_of(o, "quiet"), &key, &value), 0);
	assert_int_equal(value, 2);
	key = 1;
	assert_int_equal(picket_map_lookup(map_of(o, "by_key"), &key, &inner), 0);
	assert_ptr_equal(inner, map_of(o, "left"));
	picket_map_free(inner);
	picket_object_free(o);
}

static int note_record(const void *record, size_t length, void *user)
{
	assert_int_equal(length, sizeof(uint32_t));
	memcpy(user, record, length);
	return 0;
}

static void test_ring(void **state)
{
	struct picket_object *o = open_object("maps");
	uint32_t seen = 0;

	(void)state;
	assert_int_equal(result_of(o, "put_ring", 77), 0);
	assert_int_equal(picket_map_ring_consume(map_of(o, "ring"), note_record, &seen, 10), 1);
	assert_int_equal(seen, 77);
	picket_object_free(o);
}

static void test_prog_array(void **state)
{
	struct picket_object *o = open_object("maps");
	struct picket_map *answers = picket_map_ref(map_of(o, "answers"));

	(void)state;
	assert_int_equal(result_of(o, "jump", 1), 11);
	assert_int_equal(result_of(o, "jump", 6), 22);
	assert_int_equal(result_of(o, "jump", 0), -1);
	assert_int_equal(picket_map_set_program(answers, 0, picket_object_program(o, "answer_two")), 0);
	assert_int_equal(result_of(o, "jump", 0), 22);
	assert_int_equal(picket_map_set_program(answers, 0, NULL), 0);
	/* A map that outlives the object keeps none of its programs. */
	picket_object_free(o);
	assert_null(vm_prog_array_get(answers, 1));
	assert_null(vm_prog_array_get(answers, 6));
	picket_map_free(answers);
}

/* ---- what is declared only ---- */
static void test_externs(void **state)
{
	struct picket_object *o = open_object("externs");

	(void)state;
	assert_int_equal(result_of(o, "read_config", 0), 0);
	assert_int_equal(result_of(o, "read_variable", 0), -1);
	assert_int_equal(result_of(o, "call_if_there", 0), -1);
	assert_int_equal(fault_of(o, "call_anyway", 0), PICKET_FAULT_CALL);
	assert_int_equal(result_of(o, "call_helper", 10), 15);
	assert_int_equal(result_of(o, "call_optional_helper", 10), 20);
	picket_object_free(o);
	o = open_with("externs", 1);
	assert_int_equal(result_of(o, "call_optional_helper", 10), -1);
	picket_object_free(o);
}

/* ---- CO-RE ---- */
static void test_core(void **state)
{
	struct {
		int first;
		struct {
			int64_t inner[4];
		} deep;
		unsigned low : 3, middle : 9;
	} thing = {1, {{10, 20, 30, 40}}, 5, 300};
	struct picket_object *o = open_object("core");

	(void)state;
	assert_int_equal(run_on(o, "read_field", &thing, sizeof(thing)).result, 30);
	assert_int_equal(run_on(o, "read_bits", &thing, sizeof(thing)).result, 300);
	assert_int_equal(run_on(o, "ask", &thing, sizeof(thing)).result,
	                 1 + 320 + 1000 + 480000 + 9000000 + 1600000000);
	picket_object_free(o);
}

/* ---- objects that bpftool joined ---- */
static void test_joined(void **state)
{
	struct picket_object *o = open_object("linked");
	uint32_t key = 1;
	uint64_t value = 0;
	char names[256];

	(void)state;
	assert_int_equal(result_of(o, "joined", 5), 16 + 100);
	assert_int_equal(result_of(o, "joined", 5), 16 + 200);
	assert_int_equal(picket_map_lookup(map_of(o, "main_map"), &key, &value), 0);
	assert_int_equal(value, 16);
	key = 7;
	assert_int_equal(picket_map_lookup(map_of(o, "library_map"), &key, &value), 0);
	assert_int_equal(value, 6);
	/* Each half has its own function of this name. */
	function_names(picket_object_program(o, "joined"), names, sizeof(names));
	assert_string_equal(names, "joined local library_add local ");
	picket_object_free(o);
}

/* ---- size ---- */
static void test_large(void **state)
{
	struct picket_object *o = open_object("large");

	(void)state;
	assert_int_equal(count_of(o, "million"), 1000002);
	assert_int_equal(result_of(o, "million", 0), 1000000);
	assert_int_equal(result_of(o, "calls", 0), 100000);
	picket_object_free(o);
}

/* ---- refused ---- */
static void test_refused(void **state)
{
	static const struct {
		const char *object, *section, *text;
	} cases[] = {
	        {"bad_attribute", ".maps", "map misspelt: unknown attribute max_entrys"},
	        {"bad_map_type", ".maps", "map tasks: "},
	        {"bad_size", ".maps", "map torn: value_size is said to be 4, and 8"},
	        {"bad_value", ".maps", "map jumps: its value 1 is not a program"},
	        {"bad_memory", ".maps", "map three: all maps together would take more than 1024 MiB"},
	        {"bad_legacy_map", "maps", "define them in .maps"},
	        {"bad_extern", "test", "reader needs nowhere, which is not defined"},
	        {"bad_kconfig", "test", "reader needs the kernel's configuration CONFIG_HZ"},
	        {"bad_kernel_function", "test", "caller needs bpf_kernel_only of the kernel"},
	        {"bad_function_in_data", ".rodata", "function one cannot be in data"},
	        {"bad_helper", ".text", "program reader: "},
	        {"bad_large", ".text", "program large has more than 1048576 instructions"},
	        {"link_main", "test", "joined needs library_add, which is not defined"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct picket_object *untouched = (void *)cases, *o = untouched;
		struct picket_error error = {0};
		char path[128];

		object_path(path, cpu, cases[i].object);
		assert_int_equal(picket_object_open_file(path, NULL, &o, &error), -EINVAL);
		assert_ptr_equal(o, untouched);
		assert_string_equal(error.section, cases[i].section);
		if (!strstr(error.text, cases[i].text))
			fail_msg("%s: expected \"%s\", got \"%s\"", cases[i].object, cases[i].text, error.text);
		assert_int_equal(picket_object_open_file(path, NULL, &o, NULL), -EINVAL);
	}
}

/* What is wrong in an instruction is shown with its source line. */
static void test_refused_with_line(void **state)
{
	struct picket_object *o;
	struct picket_error error = {0};
	char path[128];

	(void)state;
	object_path(path, cpu, "bad_helper");
	assert_int_equal(picket_object_open_file(path, NULL, &o, &error), -EINVAL);
	assert_non_null(strstr(error.file, "bad_helper.bpf.c"));
	assert_int_equal(error.line, source_line("tests/vm/objects/bad_helper.bpf.c", "the line that tests expect"));
	assert_int_equal(error.column, 9);
}

static void test_no_such_file(void **state)
{
	struct picket_object *o;
	struct picket_error error = {0};

	(void)state;
	assert_int_equal(picket_object_open_file("/nowhere/x.o", NULL, &o, &error), -ENOENT);
	assert_non_null(strstr(error.text, "/nowhere/x.o"));
}

static void test_free_nothing(void **state)
{
	(void)state;
	picket_object_free(NULL);
}

/* clang of this machine may be too old for the last version. */
static bool have_cpu(const char *name)
{
	char path[128];

	object_path(path, name, "text");
	return access(path, R_OK) == 0;
}

static bool have_engine(enum picket_engine wanted)
{
	static const struct picket_insn insns[] = {{.code = 0xb7}, {.code = 0x95}};
	struct picket_options options = {.engine = wanted};
	struct picket_program *p = NULL;

	if (picket_program_load(insns, ARRAY_SIZE(insns), &options, &p, NULL))
		return false;
	picket_program_free(p);
	return true;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_globals),
	        cmocka_unit_test(test_globals_read_only),
	        cmocka_unit_test(test_globals_with_pointers),
	        cmocka_unit_test(test_maps_of_a_program),
	        cmocka_unit_test(test_license),
	        cmocka_unit_test(test_functions),
	        cmocka_unit_test(test_programs_and_sections),
	        cmocka_unit_test(test_linked_functions),
	        cmocka_unit_test(test_text_programs),
	        cmocka_unit_test(test_lines),
	        cmocka_unit_test(test_program_without_object),
	        cmocka_unit_test(test_map_definitions),
	        cmocka_unit_test(test_map_access),
	        cmocka_unit_test(test_map_of_maps),
	        cmocka_unit_test(test_ring),
	        cmocka_unit_test(test_prog_array),
	        cmocka_unit_test(test_externs),
	        cmocka_unit_test(test_core),
	        cmocka_unit_test(test_joined),
	        cmocka_unit_test(test_large),
	        cmocka_unit_test(test_refused),
	        cmocka_unit_test(test_refused_with_line),
	        cmocka_unit_test(test_no_such_file),
	        cmocka_unit_test(test_free_nothing),
	};
	static const enum picket_engine engines[] = {PICKET_INTERPRETER, PICKET_CHECKED};
	char group[64];
	int failed = 0;

	for (size_t i = 0; i < ARRAY_SIZE(cpus); i++)
		for (size_t k = 0; k < ARRAY_SIZE(engines); k++) {
			cpu = cpus[i];
			engine = engines[k];
			snprintf(group, sizeof(group), "object: %s, %s", cpu,
			         engine == PICKET_CHECKED ? "checked" : "interpreter");
			if (!have_cpu(cpu) || !have_engine(engine))
				printf("skip %s: not on this machine\n", group);
			else
				failed += _cmocka_run_group_tests(group, tests, ARRAY_SIZE(tests), NULL, NULL);
		}
	return failed;
}
