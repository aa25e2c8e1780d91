/* SPDX-License-Identifier: Apache-2.0
 *
 * What keeps rules from being entered. It must never keep out one that matches: tried with formulas whose atoms hold by
 * chance, whatever they ask for.
 */
#include "set_helper.h"

#include "event/event.h"
#include "rule/program_index.h"

#define TEXT_BYTES_MAX (4u << 20)
#define ROUNDS 4000

/* A set of rules about openat, and the index that is made for its program. */
struct indexed {
	struct loaded loaded;
	struct rule_programs *programs;
	struct program_parts parts;
	const struct program_rule *rules;
	struct type_rules entries;
	struct program_index index;
};

static void indexed_done(struct indexed *x)
{
	program_index_done(&x->index);
	rule_programs_free(x->programs);
	loaded_done(&x->loaded);
}

static void rule_add(struct buf *text, const char *name, const char *condition)
{
	buf_printf(text, "- {rule: %s, desc: d, output: o, priority: INFO, condition: 'evt.type = openat and %s'}\n",
	           name, condition);
}

static struct indexed index_text(const struct buf *text)
{
	struct indexed x = {.loaded = load_text(text->data)};

	assert_loaded(&x.loaded);
	assert_int_equal(rule_programs_new(x.loaded.set, &x.programs), 0);
	program_parts_get(x.programs, &x.parts);
	x.entries = program_rules_get(x.programs, EVENT_openat, &x.rules);
	assert_int_equal(program_index_init(&x.index, x.parts.plan, x.rules, x.entries.count), 0);
	return x;
}

/* Each named by a letter, from 'a' on. */
static struct indexed index_rules(const char *const *conditions, size_t count)
{
	_cleanup_(buf_done) struct buf text;

	buf_init(&text, TEXT_BYTES_MAX);
	for (size_t i = 0; i < count; i++) {
		char name[32];

		snprintf(name, sizeof(name), "r%zu", i);
		rule_add(&text, name, conditions[i]);
	}
	return index_text(&text);
}

static uint32_t rule_numbered(const struct indexed *x, size_t number)
{
	char name[32];

	snprintf(name, sizeof(name), "r%zu", number);
	const struct rule *rule = rule_set_find(x->loaded.set, str_from(name));
	assert_non_null(rule);
	for (uint32_t i = 0; i < x->entries.count; i++)
		if (&x->entries.items[i]->rule == rule)
			return i;
	fail_msg("%s is not of the type", name);
	return 0;
}

static size_t drivers_of(const struct program_index *x, uint32_t rule)
{
	size_t count = 0;

	for (size_t i = 0; i < x->driver_count; i++)
		count += x->drivers[i].rule == rule;
	return count;
}

static uint32_t block_of(const struct indexed *x, size_t number)
{
	return x->index.block_of[rule_numbered(x, number)];
}

static bool is_driven(const struct indexed *x, size_t number)
{
	bool driven = !(x->index.undriven >> block_of(x, number) & 1);

	assert_int_equal(driven, drivers_of(&x->index, rule_numbered(x, number)) > 0);
	return driven;
}

static uint32_t guards_of(const struct indexed *x, size_t number)
{
	uint32_t guards = 0;

	for (uint32_t g = 0; g < x->index.guard_count; g++)
		guards += x->index.guards[g].blocks >> block_of(x, number) & 1;
	return guards;
}

/* ---- what must be so of every index ---- */

static bool holds(const struct formula *f, const uint64_t *atoms)
{
	bool found = false;

	switch (f->kind) {
	case FORMULA_FALSE:
		return false;
	case FORMULA_TRUE:
		return true;
	case FORMULA_ATOM:
		return bit_is_set(atoms, f->atom);
	case FORMULA_NOT:
		return !holds(f->items[0], atoms);
	case FORMULA_AND:
	case FORMULA_OR:
		for (size_t i = 0; i < f->count && !found; i++)
			found = holds(f->items[i], atoms) == (f->kind == FORMULA_OR);
		return found == (f->kind == FORMULA_OR);
	}
	return false;
}

/* Does the index let the rule be entered, when its drivers' bits are what the atoms are? */
static bool is_entered(const struct indexed *x, uint32_t rule, const uint64_t *atoms)
{
	const struct program_index *index = &x->index;
	uint32_t block = index->block_of[rule];
	const struct plan *p = x->parts.plan;

	for (uint32_t g = 0; g < index->guard_count; g++)
		if (index->guards[g].blocks >> block & 1 && !holds(index->guards[g].formula, atoms))
			return false;
	if (index->undriven >> block & 1)
		return true;
	for (size_t i = 0; i < index->driver_count; i++)
		for (size_t a = 0; index->drivers[i].rule == rule && a < p->atom_count; a++)
			if (p->atoms[a].bit == index->drivers[i].bit &&
			    p->atoms[a].known == index->drivers[i].function && bit_is_set(atoms, (uint32_t)a))
				return true;
	return false;
}

static uint64_t random_state = 88172645463325252ull;

static uint64_t random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 0x2545f4914f6cdd1dull;
}

/* Of all rules; returns how often one matched. */
static size_t check_nothing_hidden(const struct indexed *x)
{
	size_t atoms_count = x->parts.plan->atom_count, matches = 0;
	_cleanup_(base_free_ptr) uint64_t *atoms = calloc(BIT_WORDS(atoms_count) + 1, 8);

	assert_non_null(atoms);
	for (int round = 0; round < ROUNDS; round++) {
		/* Few of them, half of them, nearly all. */
		for (size_t i = 0; i < BIT_WORDS(atoms_count); i++)
			atoms[i] = round % 3 == 0   ? random_next() & random_next() & random_next()
			           : round % 3 == 1 ? random_next()
			                            : random_next() | random_next() | random_next();
		for (uint32_t rule = 0; rule < x->entries.count; rule++) {
			bool match = holds(x->rules[rule].formula, atoms);

			matches += match;
			assert_true(!match || is_entered(x, rule, atoms));
		}
	}
	return matches;
}

static void check_driver(const struct indexed *x, size_t number)
{
	const struct program_index *index = &x->index;
	const struct index_driver *d = &index->drivers[number], *before = d - 1;

	assert_int_equal(d->block, index->block_of[d->rule]);
	assert_false(index->undriven >> d->block & 1);
	assert_true(index->driven[d->function] >> d->block & 1);
	assert_true(bit_is_set(index->driving, d->bit));
	if (number == 0)
		return;
	bool ordered = before->block != d->block         ? before->block < d->block
	               : before->function != d->function ? before->function < d->function
	               : before->bit != d->bit           ? before->bit < d->bit
	                                                 : before->rule < d->rule;
	assert_true(ordered);
}

static bool is_driven_by(const struct program_index *index, uint32_t function, uint32_t block)
{
	for (size_t i = 0; i < index->driver_count; i++)
		if (index->drivers[i].function == function && index->drivers[i].block == block)
			return true;
	return false;
}

static bool is_driving(const struct program_index *index, uint32_t bit)
{
	for (size_t i = 0; i < index->driver_count; i++)
		if (index->drivers[i].bit == bit)
			return true;
	return false;
}

/* The tables that are made of the drivers say what those say, and no more. */
static void check_tables(const struct indexed *x)
{
	const struct program_index *index = &x->index;
	const struct plan *p = x->parts.plan;

	for (size_t i = 0; i < index->driver_count; i++)
		check_driver(x, i);
	for (uint32_t function = 0; function < plan_functions(p); function++)
		for (uint32_t block = 0; block < INDEX_BLOCKS_MAX; block++)
			assert_int_equal(index->driven[function] >> block & 1, is_driven_by(index, function, block));
	for (uint32_t bit = 0; bit < plan_event_bit(p) + p->event_bits; bit++)
		assert_int_equal(bit_is_set(index->driving, bit), is_driving(index, bit));
	for (uint32_t i = 0; i < x->entries.count; i++)
		assert_in_range(index->block_of[i], 0, index->block_count - 1);
	assert_in_range(index->guard_count, 0, INDEX_GUARDS_MAX);
	assert_in_range(index->block_count, 1, INDEX_BLOCKS_MAX);
	assert_int_equal(index->undriven >> index->block_count, 0);
}

static void check(const struct indexed *x)
{
	check_tables(x);
	assert_true(check_nothing_hidden(x) > 0);
}

/* ---- */

static void test_few(void **state)
{
	static const char *const conditions[] = {"fd.name = /a", "fd.name = /b", "fd.name = /c"};

	(void)state;
	for (size_t count = 1; count < INDEX_RULES_MIN; count++) {
		_cleanup_(indexed_done) struct indexed x = index_rules(conditions, count);

		assert_int_equal(x.index.block_count, 1);
		assert_int_equal(x.index.undriven, 1);
		assert_int_equal(x.index.driver_count, 0);
		assert_int_equal(x.index.guard_count, 0);
		check(&x);
	}
}

static void test_none(void **state)
{
	static const char *const conditions[] = {"fd.name = /a"};
	_cleanup_(indexed_done) struct indexed x = index_rules(conditions, 1);
	struct program_index index;

	(void)state;
	assert_int_equal(program_index_init(&index, x.parts.plan, x.rules, 0), 0);
	assert_int_equal(index.block_count, 1);
	assert_int_equal(index.undriven, 1);
	program_index_done(&index);
	assert_null(index.block_of);
}

/* What has drivers, and what only looks so. */
static void test_drivers(void **state)
{
	static const struct {
		const char *condition;
		size_t drivers;
	} samples[] = {
	        {"fd.name = /a", 1},
	        {"fd.name in (/a, /b, /c)", 1},
	        {"fd.name startswith /x/", 1},
	        {"fd.name pmatch (/y, /z)", 1},
	        {"(fd.name = /c or fd.name startswith /x/)", 2},
	        {"fd.name = /a and fd.filename = passwd", 1},
	        {"(fd.name = /c or fd.filename = passwords)", 2},
	        {"not fd.name = /c", 0},
	        {"fd.name != /c", 0},
	        {"fd.name exists", 0},
	        {"fd.name endswith .key", 1},
	        {"fd.name contains key", 1},
	        {"fd.nameraw endswith .key", 0},
	        {"fd.nameraw contains key", 0},
	        {"fd.name regex \"^/k\"", 0},
	        {"proc.name = sh", 0},
	        {"(fd.name = /c or proc.name = sh)", 0},
	        {"(fd.name = /c or fd.name endswith .key)", 2},
	        {"(fd.name = /c or fd.nameraw endswith .key)", 0},
	        {"(fd.name = /d or not fd.filename = x)", 0},
	        {"proc.name = sh and fd.name = /d", 1},
	        {"(proc.name = sh or fd.name = /d) and fd.name = /e", 1},
	        {"fd.num in (1, 2, 3, 4, 5, 6, 7, 8, 9)", 1},
	        {"fd.num in (20, 21)", 1}, /* sought with those */
	        {"not fd.num in (1, 2, 3, 4, 5, 6, 7, 8, 9)", 0},
	        {"fd.num > 20", 0},
	};
	const char *conditions[ARRAY_SIZE(samples)];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
		conditions[i] = samples[i].condition;
	_cleanup_(indexed_done) struct indexed x = index_rules(conditions, ARRAY_SIZE(samples));
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		size_t drivers = drivers_of(&x.index, rule_numbered(&x, i));

		if (drivers != samples[i].drivers)
			fail_msg("%s: %zu drivers", samples[i].condition, drivers);
		assert_int_equal(is_driven(&x, i), drivers > 0);
	}
	check(&x);
}

static void test_guards(void **state)
{
	static const char *const conditions[] = {"evt.is_open_write = true and fd.name = /a",
	                                         "evt.is_open_write = true and fd.name = /b",
	                                         "evt.is_open_write = true and proc.name = x",
	                                         "evt.rawres < 0 and fd.name = /c",
	                                         "evt.rawres < 0 and evt.is_open_write = true",
	                                         "fd.name = /d",
	                                         "(evt.rawres < 0 or fd.name = /e)",
	                                         "not evt.is_open_write = true and fd.name = /f",
	                                         "fd.num = 77 and fd.name = /g",
	                                         "proc.name = z and user.uid = 3"};
	static const uint32_t guards[] = {1, 1, 1, 1, 2, 0, 0, 0, 0, 0};
	_cleanup_(indexed_done) struct indexed x = index_rules(conditions, ARRAY_SIZE(conditions));

	(void)state;
	assert_int_equal(x.index.guard_count, 2);
	for (size_t i = 0; i < ARRAY_SIZE(conditions); i++)
		if (guards_of(&x, i) != guards[i])
			fail_msg("%s: %u guards", conditions[i], guards_of(&x, i));
	assert_int_equal(block_of(&x, 0), block_of(&x, 1));
	assert_int_not_equal(block_of(&x, 0), block_of(&x, 2)); /* it has no driver */
	assert_int_not_equal(block_of(&x, 0), block_of(&x, 3));
	assert_int_not_equal(block_of(&x, 0), block_of(&x, 5));
	check(&x);
}

/* The most useful ones are taken, and what a rule has beyond them keeps nothing out. */
static void test_many_guards(void **state)
{
	_cleanup_(buf_done) struct buf text;

	(void)state;
	buf_init(&text, TEXT_BYTES_MAX);
	for (int guard = 0; guard < 2 * INDEX_GUARDS_MAX; guard++)
		for (int rule = 0; rule < 2 + guard; rule++) {
			char name[32], condition[100];

			snprintf(name, sizeof(name), "g%d-%d", guard, rule);
			snprintf(condition, sizeof(condition), "evt.rawres = -%d and fd.name = /g%d/%d", guard + 1,
			         guard, rule);
			rule_add(&text, name, condition);
		}
	_cleanup_(indexed_done) struct indexed x = index_text(&text);
	check_tables(&x);
	assert_true(x.index.guard_count <= INDEX_GUARDS_MAX);
	for (uint32_t g = 1; g < x.index.guard_count; g++)
		assert_true(x.index.guards[g - 1].rules >= x.index.guards[g].rules);
	assert_true(check_nothing_hidden(&x) > 0);
}

/* More kinds than there are blocks: the rest is in the last one, with neither guards nor drivers. */
static void test_many_kinds(void **state)
{
	static const char *const fields[] = {"fd.name", "fd.filename", "fd.directory", "fd.nameraw", "fd.realpath"};
	static const char *const guards[] = {"evt.rawres >= 0", "evt.is_open_write = true", "evt.is_open_exec = true",
	                                     "evt.is_open_create = true"};
	_cleanup_(buf_done) struct buf text;
	size_t count = 0;

	(void)state;
	buf_init(&text, TEXT_BYTES_MAX);
	for (unsigned of_fields = 1; of_fields < 1u << ARRAY_SIZE(fields); of_fields++)
		for (unsigned of_guards = 0; of_guards < 1u << ARRAY_SIZE(guards); of_guards++) {
			_cleanup_(buf_done) struct buf condition;
			char name[32];

			buf_init(&condition, 4096);
			buf_add_text(&condition, "(fd.nameraw = nothing");
			for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
				if (of_fields >> i & 1)
					buf_printf(&condition, " or %s = /%zu", fields[i], count);
			buf_add_char(&condition, ')');
			for (size_t i = 0; i < ARRAY_SIZE(guards); i++)
				if (of_guards >> i & 1)
					buf_printf(&condition, " and %s", guards[i]);
			snprintf(name, sizeof(name), "k%zu", count++);
			rule_add(&text, name, condition.data);
		}
	_cleanup_(indexed_done) struct indexed x = index_text(&text);
	uint32_t last = INDEX_BLOCKS_MAX - 1, in_last = 0;
	assert_int_equal(x.index.block_count, INDEX_BLOCKS_MAX);
	assert_true(x.index.undriven >> last & 1);
	for (uint32_t i = 0; i < x.entries.count; i++) {
		in_last += x.index.block_of[i] == last;
		if (x.index.block_of[i] == last)
			assert_int_equal(drivers_of(&x.index, i), 0);
	}
	assert_in_range(in_last, 1, x.entries.count - 1);
	for (uint32_t g = 0; g < x.index.guard_count; g++)
		assert_false(x.index.guards[g].blocks >> last & 1);
	check(&x);
}

/* Too many atoms for one rule: it has no drivers rather than some of them. */
static void test_many_drivers(void **state)
{
	static const unsigned numbers[] = {1, 63, 64, 65, 100};
	_cleanup_(buf_done) struct buf text;

	(void)state;
	buf_init(&text, TEXT_BYTES_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		_cleanup_(buf_done) struct buf condition;
		char name[32];

		buf_init(&condition, 1 << 16);
		buf_add_text(&condition, "(fd.name = /first");
		for (unsigned k = 1; k < numbers[i]; k++)
			buf_printf(&condition, " or fd.name = /%zu/%u", i, k);
		buf_add_char(&condition, ')');
		snprintf(name, sizeof(name), "r%zu", i);
		rule_add(&text, name, condition.data);
	}
	_cleanup_(indexed_done) struct indexed x = index_text(&text);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		size_t drivers = drivers_of(&x.index, rule_numbered(&x, i));

		assert_int_equal(drivers, numbers[i] > 64 ? 0 : numbers[i]);
	}
	check(&x);
}

/* What is sought inside of names drives rules as long as there is little of it. */
static void test_inside(void **state)
{
	static const char *const conditions[] = {"fd.name contains a1", "fd.name contains b2", "fd.name contains c3",
	                                         "fd.name contains d4", "fd.name contains e5"};

	(void)state;
	for (size_t count = 4; count <= 5; count++) {
		_cleanup_(indexed_done) struct indexed x = index_rules(conditions, count);

		for (size_t i = 0; i < count; i++)
			assert_int_equal(is_driven(&x, i), count == 4);
		check(&x);
	}
}

static void test_very_many_rules(void **state)
{
	_cleanup_(buf_done) struct buf text;
	size_t undriven = 0;

	(void)state;
	buf_init(&text, TEXT_BYTES_MAX);
	for (int i = 0; i < 3000; i++) {
		char name[32], condition[100];

		snprintf(name, sizeof(name), "m%d", i);
		snprintf(condition, sizeof(condition), i % 100 ? "fd.name = /srv/%d" : "fd.name contains .k%d", i);
		rule_add(&text, name, condition);
	}
	_cleanup_(indexed_done) struct indexed x = index_text(&text);
	check_tables(&x);
	assert_int_equal(x.index.block_count, 2);
	for (uint32_t i = 0; i < x.entries.count; i++)
		undriven += x.index.undriven >> x.index.block_of[i] & 1;
	assert_int_equal(undriven, 30);
	assert_int_equal(x.index.driver_count, 2970);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_few),
	        cmocka_unit_test(test_none),
	        cmocka_unit_test(test_drivers),
	        cmocka_unit_test(test_guards),
	        cmocka_unit_test(test_many_guards),
	        cmocka_unit_test(test_many_kinds),
	        cmocka_unit_test(test_many_drivers),
	        cmocka_unit_test(test_inside),
	        cmocka_unit_test(test_very_many_rules),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
