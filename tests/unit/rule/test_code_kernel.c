/* SPDX-License-Identifier: Apache-2.0
 *
 * What the writers write, in the running kernel: its verifier takes it, and it means the same there. Loaded and run by
 * BPF_PROG_TEST_RUN, attached to nothing. Skipped without the right to load.
 */
#include "code_text_helper.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <stdio.h>
#include <unistd.h>

#define LOG_BYTES (1 << 16)
#define LOG_STATISTICS 4

enum what { BEGINS, ENDS, SCAN };

#define FUNCTIONS_MAX 16

struct loaded {
	int program;
	int maps[2];
	struct btf *types;
	unsigned processed; /* instructions that the kernel's verifier looked at */
};

static void loaded_done(struct loaded *l)
{
	base_close_fd(&l->program);
	base_close_fd(&l->maps[0]);
	base_close_fd(&l->maps[1]);
	btf__free(l->types);
}

static void skip_unless_allowed(void)
{
	const struct picket_insn insns[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K}, {.code = BPF_JMP | BPF_EXIT}};
	_cleanup_(base_close_fd) int fd = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "probe", "GPL",
	                                                (const struct bpf_insn *)insns, ARRAY_SIZE(insns), NULL);

	if (fd >= 0)
		return;
	print_message("skipped: programs may not be loaded here: %s\n", strerror(errno));
	skip();
}

static void write_begin(struct code *c, bool far, code_label *ret_end)
{
	code_init(c, far);
	c->kernel = true;
	*ret_end = code_label_new(c);
	stage_write_begin(c, *ret_end);
}

static int write_program(struct code *c, const struct patterns *p, enum what what, const struct scan *s, bool far)
{
	code_label end;

	write_begin(c, far, &end);
	if (what == SCAN)
		code_text_scan(c, s, 1, STAGE_RESULTS, LENGTH_MAX);
	else
		(what == ENDS ? code_text_ends : code_text_begins)(c, p->list, p->count, STAGE_RESULTS, LENGTH_MAX);
	stage_write_end(c, end);
	return code_finish(c);
}

static int map_make(const void *value, uint32_t bytes)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "test", 4, bytes, 1, NULL);

	assert_true(fd >= 0);
	if (value)
		assert_int_equal(bpf_map_update_elem(fd, &(uint32_t){0}, value, BPF_ANY), 0);
	return fd;
}

/* The kernel wants to know of each function of a program with callbacks what it is. */
struct functions {
	struct bpf_func_info list[FUNCTIONS_MAX];
	uint32_t count;
};

static void functions_add(struct functions *f, size_t insn, int type)
{
	for (uint32_t i = 0; i < f->count; i++)
		if (f->list[i].insn_off == insn)
			return;
	assert_true(f->count < FUNCTIONS_MAX);
	f->list[f->count++] = (struct bpf_func_info){(uint32_t)insn, (uint32_t)type};
}

static int by_insn(const void *a, const void *b)
{
	const struct bpf_func_info *x = a, *y = b;

	return (x->insn_off > y->insn_off) - (x->insn_off < y->insn_off);
}

/* int f(void), or with two numbers; all static. */
static struct btf *types_make(int *ret_main, int *ret_callback)
{
	struct btf *types = btf__new_empty();
	int number = btf__add_int(types, "long", 8, BTF_INT_SIGNED), plain;

	plain = btf__add_func_proto(types, number);
	*ret_main = btf__add_func(types, "program", BTF_FUNC_STATIC, plain);
	plain = btf__add_func_proto(types, number);
	assert_int_equal(btf__add_func_param(types, "index", number), 0);
	assert_int_equal(btf__add_func_param(types, "context", number), 0);
	*ret_callback = btf__add_func(types, "part", BTF_FUNC_STATIC, plain);
	assert_true(*ret_callback > 0);
	assert_int_equal(btf__load_into_kernel(types), 0);
	return types;
}

static struct btf *functions_find(const struct code *c, struct functions *f)
{
	int main_type, callback_type;
	struct btf *types = types_make(&main_type, &callback_type);

	functions_add(f, 0, main_type);
	for (size_t i = 0; i < c->count; i++)
		if (c->insns[i].code == (BPF_LD | BPF_IMM | BPF_DW) && c->insns[i].src == BPF_PSEUDO_FUNC)
			functions_add(f, i + 1 + (size_t)c->insns[i].imm, callback_type);
	qsort(f->list, f->count, sizeof(*f->list), by_insn);
	return types;
}

static struct loaded load(const struct code *c, const struct scan *s)
{
	static char log[LOG_BYTES];
	struct loaded l = {.maps = {map_make(NULL, STAGE_BYTES), -1}};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .fd_array = l.maps, .log_level = LOG_STATISTICS, .log_buf = log,
	            .log_size = sizeof(log));
	struct functions functions = {0};
	const char *count;

	l.types = functions_find(c, &functions);
	options.prog_btf_fd = (uint32_t)btf__fd(l.types);
	options.func_info = functions.list;
	options.func_info_cnt = functions.count;
	options.func_info_rec_size = sizeof(*functions.list);

	if (s->table_bytes)
		l.maps[1] = map_make(s->table, (uint32_t)s->table_bytes);
	l.program = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "test", "GPL", (const struct bpf_insn *)c->insns,
	                          c->count, &options);
	if (l.program < 0)
		fail_msg("%s: %s", strerror(errno), log + (strlen(log) > 2000 ? strlen(log) - 2000 : 0));
	count = strstr(log, "processed ");
	if (count)
		l.processed = (unsigned)strtoul(count + strlen("processed "), NULL, 10);
	return l;
}

static void run(const struct loaded *l, struct stage *s)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);

	assert_int_equal(bpf_map_update_elem(l->maps[0], &(uint32_t){0}, s->memory, BPF_ANY), 0);
	assert_int_equal(bpf_prog_test_run_opts(l->program, &options), 0);
	assert_int_equal(bpf_map_lookup_elem(l->maps[0], &(uint32_t){0}, s->memory), 0);
}

static void try_text(const struct loaded *l, struct stage *s, const struct patterns *p, const struct letters *letters)
{
	uint64_t expected[BITS_MAX / 64] = {0};
	struct str text = stage_fill(s, p, letters);

	for (size_t i = 0; i < p->count; i++)
		if (pattern_holds(&p->list[i], text))
			expected[p->list[i].bit / 64] |= 1ull << p->list[i].bit % 64;
	memset(s->memory + STAGE_RESULTS, 0, BITS_MAX / 8);
	run(l, s);
	assert_memory_equal(s->memory + STAGE_RESULTS, expected, BITS_MAX / 8);
}

static enum pattern_kind kind_any(enum what what)
{
	static const enum pattern_kind kinds[][2] = {[BEGINS] = {PATTERN_EXACT, PATTERN_PREFIX},
	                                             [ENDS] = {PATTERN_SUFFIX, PATTERN_SUFFIX},
	                                             [SCAN] = {PATTERN_CONTAINS, PATTERN_CONTAINS_NOCASE}};
	return kinds[what][chance_below(2)];
}

static void try_random(enum what what, size_t count, uint32_t bits)
{
	_cleanup_(patterns_done) struct patterns p = {0};
	_cleanup_(stage_done) struct stage stage = stage_make();
	_cleanup_(scan_done) struct scan s = {0};
	_cleanup_(code_done) struct code c = {0};
	_cleanup_(loaded_done) struct loaded l = {-1, {-1, -1}, NULL, 0};
	struct letters letters = letters_any();

	for (size_t i = 0; i < count; i++)
		patterns_add_any(&p, &letters, kind_any(what), (uint32_t)chance_below(bits));
	if (what == SCAN)
		assert_int_equal(scan_new(p.list, p.count, &s), 0);
	assert_int_equal(write_program(&c, &p, what, &s, false), 0);
	l = load(&c, &s);
	if (getenv("PICKET_VERBOSE"))
		print_message("%d: %zu patterns, %zu instructions, %u processed, %u records\n", what, count, c.count,
		              l.processed, s.records_max);
	for (size_t i = 0; i < 20; i++)
		try_text(&l, &stage, &p, &letters);
}

static void test_begins(void **state)
{
	(void)state;
	skip_unless_allowed();
	for (size_t i = 0; i < rounds(6); i++)
		try_random(BEGINS, 1 + chance_below(80), 100);
}

static void test_ends(void **state)
{
	(void)state;
	skip_unless_allowed();
	for (size_t i = 0; i < rounds(6); i++)
		try_random(ENDS, 1 + chance_below(80), 100);
}

static void test_scan(void **state)
{
	(void)state;
	skip_unless_allowed();
	for (size_t i = 0; i < rounds(10); i++)
		try_random(SCAN, 1 + chance_below(20), i & 1 ? 64 : 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_begins),
	        cmocka_unit_test(test_ends),
	        cmocka_unit_test(test_scan),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
