/* SPDX-License-Identifier: Apache-2.0
 *
 * What is told of compiled rules: atoms, formulas, bytecode, bounds; the budget; the object.
 */
#include "set_helper.h"

#include "picket/verify.h"
#include "rule/budget_int.h"

#define OBJECT_BYTES_MAX (64u << 20)

static const char two_rules[] = "- macro: opened\n"
                                "  condition: evt.type in (open, openat) and evt.is_open_read = true\n"
                                "- rule: first\n"
                                "  desc: d\n"
                                "  output: o\n"
                                "  priority: INFO\n"
                                "  condition: opened and fd.name in (/etc/shadow, /etc/gshadow) and proc.name = cat\n"
                                "- rule: second\n"
                                "  desc: d\n"
                                "  output: o\n"
                                "  priority: INFO\n"
                                "  condition: >\n"
                                "    (opened and fd.name contains secret and not proc.cmdline regex '^a+$')\n"
                                "    or (evt.type = connect and proc.name = cat)\n";

struct compiled_set {
	struct loaded loaded;
	struct rule_programs *programs;
};

static void compile_text(const char *text, struct compiled_set *ret_set)
{
	ret_set->loaded = load_text(text);
	assert_loaded(&ret_set->loaded);
	assert_int_equal(rule_programs_new(ret_set->loaded.set, &ret_set->programs), 0);
}

static void compiled_set_done(struct compiled_set *s)
{
	rule_programs_free(s->programs);
	loaded_done(&s->loaded);
}

static void explanation_freep(struct rule_explanation **e)
{
	rule_explanation_free(*e);
}

static struct rule_explanation *explain_rule(const struct compiled_set *s, const char *name)
{
	const struct rule *rule = rule_set_find(s->loaded.set, str_from(name));
	struct rule_explanation *e = NULL;
	assert_non_null(rule);
	assert_int_equal(rule_explanation_new(s->programs, rule, &e), 0);
	return e;
}

static const struct rule_atom *find_atom(const struct rule_explanation *e, const char *text)
{
	for (size_t i = 0; i < e->atom_count; i++)
		if (str_equals(e->atoms[i].text, text))
			return &e->atoms[i];
	fail_msg("no atom \"%s\"", text);
	return NULL;
}

/* ---- explaining ---- */

static void test_atoms(void **state)
{
	(void)state;
	_cleanup_(compiled_set_done) struct compiled_set s;
	compile_text(two_rules, &s);
	_cleanup_(explanation_freep) struct rule_explanation *e = explain_rule(&s, "second");
	assert_int_equal(e->atom_count, 4);
	const struct rule_atom *name = find_atom(e, "proc.name = cat");
	assert_true(name->process);
	assert_int_equal(name->rules, 2);
	assert_int_equal(name->means, RULE_ATOM_BEGINS);
	assert_int_equal(name->patterns, 1);
	const struct rule_atom *part = find_atom(e, "fd.name contains secret");
	assert_false(part->process);
	assert_int_equal(part->rules, 1);
	assert_int_equal(part->means, RULE_ATOM_SCAN);
	const struct rule_atom *read = find_atom(e, "evt.is_open_read = true");
	assert_int_equal(read->means, RULE_ATOM_NUMBER);
	assert_int_equal(read->rules, 2);
	const struct rule_atom *regex = find_atom(e, "proc.cmdline regex ^a+$");
	assert_int_equal(regex->means, RULE_ATOM_OTHER);
	assert_int_equal(regex->patterns, 0);
	assert_true(e->atoms[0].process && e->atoms[1].process);
	assert_string_equal(rule_atom_means_name(RULE_ATOM_OTHER), "reference");
}

/* What types come to the same formula share a part; the event's type itself is no atom. */
static void test_parts(void **state)
{
	(void)state;
	_cleanup_(compiled_set_done) struct compiled_set s;
	compile_text(two_rules, &s);
	_cleanup_(explanation_freep) struct rule_explanation *e = explain_rule(&s, "second");
	assert_int_equal(e->part_count, 2);
	const struct rule_part *open = &e->parts[0], *connect = &e->parts[1];
	assert_int_equal(open->type_count, 2);
	assert_string_equal(open->types[0], "open");
	assert_string_equal(open->types[1], "openat");
	assert_int_equal(open->line_count, 5);
	assert_int_equal(open->formula[0].kind, RULE_FORMULA_ALL);
	assert_int_equal(open->formula[1].depth, 1);
	assert_int_equal(connect->type_count, 1);
	assert_int_equal(connect->line_count, 1);
	assert_int_equal(connect->formula[0].kind, RULE_FORMULA_ATOM);
	assert_true(str_equals(e->atoms[connect->formula[0].atom].text, "proc.name = cat"));
}

static void test_bytecode(void **state)
{
	(void)state;
	_cleanup_(compiled_set_done) struct compiled_set s;
	compile_text(two_rules, &s);
	_cleanup_(explanation_freep) struct rule_explanation *e = explain_rule(&s, "second");
	const struct rule_part *part = &e->parts[0];
	bool seen[4] = {false};
	assert_true(part->code_count > 8);
	assert_true(part->code_count < part->program_insns);
	assert_int_equal(part->code[0].what, RULE_CODE_LIVE);
	assert_int_equal(part->code[part->code_count - 1].what, RULE_CODE_MATCH);
	for (size_t i = 0; i < part->code_count; i++) {
		assert_true(part->code[i].text[0] != '\0');
		assert_true(i == 0 || part->code[i].insn > part->code[i - 1].insn);
		if (part->code[i].what == RULE_CODE_ATOM)
			seen[part->code[i].atom] = true;
	}
	for (size_t i = 0; i < e->atom_count; i++) /* but for what is only asked of connect */
		assert_int_equal(seen[i], !str_equals(e->atoms[i].text, "proc.name = cat"));
}

/* The bounds are the verifier's; a text of 32 KiB is read once by an automaton, so that is what costs. */
static void test_bounds(void **state)
{
	(void)state;
	_cleanup_(compiled_set_done) struct compiled_set s;
	compile_text(two_rules, &s);
	_cleanup_(explanation_freep) struct rule_explanation *first = explain_rule(&s, "first");
	_cleanup_(explanation_freep) struct rule_explanation *second = explain_rule(&s, "second");
	assert_int_equal(first->parts[0].bounds[0], second->parts[0].bounds[0]);
	assert_in_range(second->parts[0].bounds[0], PROGRAM_TEXT_MAX, 100 * PROGRAM_TEXT_MAX);
	assert_in_range(second->parts[0].pattern_bound, PROGRAM_TEXT_MAX, second->parts[0].bounds[0]);
	assert_in_range(first->parts[0].pattern_bound, 10, 1000);
	assert_in_range(second->parts[1].bounds[0], 2, 100);
	assert_in_range(second->process_bound, 10, 10000);
	assert_true(second->process_insns > 10);
}

static void test_rule_that_is_off(void **state)
{
	(void)state;
	_cleanup_(compiled_set_done) struct compiled_set s;
	s.loaded = load_text(two_rules);
	assert_int_equal(rule_set_enable(s.loaded.set, STR("second"), false, false), 1);
	assert_int_equal(rule_programs_new(s.loaded.set, &s.programs), 0);
	_cleanup_(explanation_freep) struct rule_explanation *off = explain_rule(&s, "second");
	assert_int_equal(off->part_count, 0);
	assert_int_equal(off->atom_count, 0);
	_cleanup_(explanation_freep) struct rule_explanation *on = explain_rule(&s, "first");
	assert_int_equal(find_atom(on, "proc.name = cat")->rules, 1);
}

/* ---- the budget ---- */

static void test_budget(void **state)
{
	(void)state;
	_cleanup_(compiled_set_done) struct compiled_set s;
	_cleanup_(diag_list_done) struct diag_list diags;
	diag_list_init(&diags, 10);
	compile_text(two_rules, &s);
	_cleanup_(explanation_freep) struct rule_explanation *e = explain_rule(&s, "second");
	uint64_t whole = e->parts[0].bounds[0] + e->process_bound;
	struct rule_cost cost;
	assert_int_equal(rule_programs_check(s.programs, whole, &cost, &diags), 0);
	assert_int_equal(cost.bound, whole);
	assert_int_equal(diags.count, 0);
	assert_int_equal(rule_programs_check(s.programs, whole - 1, &cost, &diags), -EINVAL);
	assert_int_equal(diags.errors, 1);
	assert_string_equal(diags.items[0].code, "LOAD_ERR_BUDGET");
	assert_non_null(strstr(diags.items[0].text, "\"second\""));
	assert_null(strstr(diags.items[0].text, "\"first\""));
	assert_int_equal(diags.items[0].line, 8);
	assert_non_null(strstr(diags.items[0].hint, "2 types of events are"));
}

static void test_empty_set(void **state)
{
	(void)state;
	_cleanup_(compiled_set_done) struct compiled_set s;
	_cleanup_(diag_list_done) struct diag_list diags;
	_cleanup_(buf_done) struct buf object;
	struct picket_object *o;
	diag_list_init(&diags, 10);
	buf_init(&object, OBJECT_BYTES_MAX);
	compile_text("[]\n", &s);
	assert_int_equal(rule_programs_check(s.programs, RULE_BUDGET_DEFAULT, NULL, &diags), 0);
	assert_int_equal(rule_programs_write_object(s.programs, &object), 0);
	assert_int_equal(picket_object_open(object.data, object.length, NULL, &o, NULL), 0);
	assert_int_equal(picket_object_program_count(o), 1);
	picket_object_free(o);
}

/* ---- the object ---- */

static struct picket_object *open_object(const struct buf *bytes, enum picket_engine engine)
{
	struct picket_helper helpers[RULE_HELPERS];
	struct picket_error error = {0};
	struct picket_object *o = NULL;
	rule_object_helpers(helpers);
	struct picket_options options = {.engine = engine, .helpers = helpers, .helper_count = RULE_HELPERS};
	if (picket_object_open(bytes->data, bytes->length, &options, &o, &error) < 0)
		fail_msg("%s (%s, %llu)", error.text, error.section, (unsigned long long)error.offset);
	return o;
}

/* A program as it is run here, and as the object has it, whose functions may stand in another order. */
struct pair {
	const struct code *here;
	const struct picket_object *object;
	const struct picket_program *program; /* of the object */
	const struct picket_insn *there;
	size_t there_count, compared; /* instructions */
	bool *begun;                  /* by instruction of `here`: the function that begins there */
};

static size_t function_end(const struct code *c, size_t insn)
{
	for (size_t i = 0; i < c->mark_count; i++) {
		bool function = c->marks[i].kind == CODE_MARK_GROUP || c->marks[i].kind == CODE_MARK_SET;
		if (function && c->marks[i].insn > insn)
			return c->marks[i].insn;
	}
	return c->count;
}

static void compare_function(struct pair *p, int64_t here, int64_t there)
{
	if (p->begun[here])
		return;
	p->begun[here] = true;
	for (size_t end = function_end(p->here, (size_t)here); (size_t)here < end; here++, there++) {
		const struct picket_insn *a = &p->here->insns[here], *b = &p->there[there];
		assert_true((size_t)there < p->there_count);
		assert_int_equal(a->code, b->code);
		assert_int_equal(a->dst, b->dst);
		assert_int_equal(a->src, b->src);
		assert_int_equal(a->offset, b->offset);
		if (a->code == 0x85 && a->src == 1)
			compare_function(p, here + 1 + a->imm, there + 1 + b->imm);
		else if (a->code == 0x18 && a->src == 6) /* a program has its own numbers for its maps */
			assert_ptr_equal(picket_program_map(p->program, (size_t)b->imm),
			                 picket_object_map_at(p->object, (size_t)a->imm));
		else
			assert_int_equal(a->imm, b->imm);
		p->compared++;
	}
}

static void compare_program(const struct program_parts *parts, const struct picket_object *o, const char *name,
                            const struct program_rule *formulas, size_t count)
{
	_cleanup_(code_done) struct code code = {0};
	struct picket_program *p = picket_object_program(o, name);
	assert_non_null(p);
	assert_int_equal(parts_write(parts, formulas, count, &code), 0);
	struct pair pair = {.here = &code, .object = o, .program = p};
	pair.there = picket_program_insns(p, &pair.there_count);
	pair.begun = calloc(code.count, sizeof(bool));
	assert_non_null(pair.begun);
	compare_function(&pair, 0, 0);
	assert_int_equal(pair.compared, code.count);
	assert_int_equal(pair.compared, pair.there_count);
	free(pair.begun);
}

static void compare_maps(const struct program_parts *parts, const struct picket_object *o)
{
	assert_int_equal(picket_object_map_count(o), parts->map_count);
	for (size_t i = 0; i < parts->map_count; i++) {
		struct picket_map *map = picket_object_map_at(o, i);
		assert_int_equal(picket_map_spec(map)->value_size, parts->specs[i].value_size);
		assert_int_equal(picket_map_spec(map)->flags, parts->specs[i].flags);
		if (i > 0)
			assert_memory_equal(picket_map_values(map), picket_map_values(parts->maps[i]),
			                    parts->specs[i].value_size);
	}
}

static void compare_object(const struct compiled_set *s)
{
	_cleanup_(buf_done) struct buf bytes;
	struct program_parts parts;
	buf_init(&bytes, OBJECT_BYTES_MAX);
	program_parts_get(s->programs, &parts);
	assert_int_equal(rule_programs_write_object(s->programs, &bytes), 0);
	struct picket_object *o = open_object(&bytes, PICKET_INTERPRETER);
	size_t programs = 1;
	compare_maps(&parts, o);
	compare_program(&parts, o, "process", NULL, 0);
	for (unsigned type = 0; type < EVENT_TYPE_MAX; type++) {
		const struct program_rule *formulas;
		struct type_rules rules = program_rules_get(s->programs, type, &formulas);
		if (rules.count == 0)
			continue;
		compare_program(&parts, o, event_type_info(type)->name, formulas, rules.count);
		programs++;
	}
	assert_int_equal(picket_object_program_count(o), programs);
	picket_object_free(o);
}

static void test_object_is_what_runs(void **state)
{
	(void)state;
	_cleanup_(compiled_set_done) struct compiled_set s;
	compile_text(two_rules, &s);
	compare_object(&s);
}

static void test_object_of_own_rules(void **state)
{
	(void)state;
	_cleanup_(compiled_set_done) struct compiled_set s = {0};
	diag_list_init(&s.loaded.diags, 200);
	assert_int_equal(rule_set_new(&s.loaded.set), 0);
	if (rule_set_add_path(s.loaded.set, "rules", &s.loaded.diags) < 0)
		fail_msg("run this from the project's root");
	assert_int_equal(rule_set_compile(s.loaded.set, &s.loaded.diags), 0);
	assert_int_equal(rule_programs_new(s.loaded.set, &s.programs), 0);
	compare_object(&s);
}

/* As another verifier's user sees it: the kind by the section, the helpers by their description. */
static void test_object_verifies(void **state)
{
	(void)state;
	_cleanup_(compiled_set_done) struct compiled_set s;
	_cleanup_(buf_done) struct buf bytes;
	struct picket_helper helpers[RULE_HELPERS];
	struct picket_image *image;
	buf_init(&bytes, OBJECT_BYTES_MAX);
	compile_text(two_rules, &s);
	rule_object_helpers(helpers);
	assert_int_equal(rule_programs_write_object(s.programs, &bytes), 0);
	assert_int_equal(picket_image_open(bytes.data, bytes.length, &image, NULL), 0);
	struct picket_verify_options options = {.helpers = helpers, .helper_count = RULE_HELPERS};
	_cleanup_(explanation_freep) struct rule_explanation *e = explain_rule(&s, "second");
	for (size_t i = 0; i < picket_image_program_count(image); i++) {
		_cleanup_(verdict_freep) struct picket_verdict *verdict = NULL;
		assert_int_equal(picket_verify(image, i, &options, &verdict), 0);
		assert_true(verdict->accepted);
		assert_int_equal(verdict->kind, PICKET_KIND_RULE);
		if (strcmp(picket_image_name(image, i), "openat") == 0)
			assert_int_equal(verdict->insn_bound, e->parts[0].bounds[1]);
	}
	picket_image_free(image);
}

/* Instructions know the comparison that they decide, and the rule that it is for. */
static void test_object_has_lines(void **state)
{
	(void)state;
	_cleanup_(compiled_set_done) struct compiled_set s;
	_cleanup_(buf_done) struct buf bytes;
	const char *file, *text;
	unsigned line, column;
	size_t count, found = 0;
	buf_init(&bytes, OBJECT_BYTES_MAX);
	compile_text(two_rules, &s);
	assert_int_equal(rule_programs_write_object(s.programs, &bytes), 0);
	struct picket_object *o = open_object(&bytes, PICKET_INTERPRETER);
	const struct picket_program *p = picket_object_program(o, "openat");
	(void)picket_program_insns(p, &count);
	for (size_t i = 0; i < count; i++) {
		if (!picket_program_line(p, i, &file, &line, &column, &text) ||
		    strcmp(text, "fd.name contains secret") != 0)
			continue;
		assert_string_equal(file, "a.yaml");
		assert_int_equal(line, 8);
		found++;
	}
	assert_true(found > 0);
	assert_string_equal(picket_object_section_of(o, p), "rule/openat");
	picket_object_free(o);
}

/* Loaded elsewhere, the same memory leads to the same matches: here with all atoms known beforehand. */
static void test_object_runs(void **state)
{
	(void)state;
	_cleanup_(compiled_set_done) struct compiled_set s;
	_cleanup_(buf_done) struct buf bytes;
	struct program_parts parts;
	struct picket_call call = {0};
	buf_init(&bytes, OBJECT_BYTES_MAX);
	compile_text(two_rules, &s);
	program_parts_get(s.programs, &parts);
	assert_int_equal(rule_programs_write_object(s.programs, &bytes), 0);
	struct picket_object *o = open_object(&bytes, PICKET_CHECKED);
	uint8_t *memory = picket_map_values(picket_object_map_at(o, 0));
	const struct program_layout *l = parts.layout;
	for (unsigned cat = 0; cat < 2; cat++) {
		memset(memory, 0, l->bytes);
		memset(memory + l->results, cat ? 0xff : 0,
		       8); /* proc.name = cat is of the process: among the first bits */
		memory[l->live] = memory[l->blocks] = 1;
		assert_int_equal(picket_program_run(picket_object_program(o, "connect"), &call), 0);
		assert_int_equal(memory[l->matched], cat);
	}
	picket_object_free(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_atoms),
	        cmocka_unit_test(test_parts),
	        cmocka_unit_test(test_bytecode),
	        cmocka_unit_test(test_bounds),
	        cmocka_unit_test(test_rule_that_is_off),
	        cmocka_unit_test(test_budget),
	        cmocka_unit_test(test_empty_set),
	        cmocka_unit_test(test_object_is_what_runs),
	        cmocka_unit_test(test_object_of_own_rules),
	        cmocka_unit_test(test_object_verifies),
	        cmocka_unit_test(test_object_has_lines),
	        cmocka_unit_test(test_object_runs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
