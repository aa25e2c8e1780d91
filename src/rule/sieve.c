/* SPDX-License-Identifier: Apache-2.0
 *
 * What of the rules' formulas the kernel can decide. A formula is made weaker until it asks only for that: an atom that the
 * kernel cannot decide is taken for what makes the whole true. So where it is false, the rule cannot match.
 */
#include "picket/verify.h"
#include "rule/sieve.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>

#define SIEVE_BYTES_MAX (16u << 20)

/* ---- what fields are in a state ---- */

/* Those with the same value in all events. */
static const struct sieve_constant {
	enum sieve_state state;
	enum field_id field;
	struct value value;
} constants[] = {
#define CONSTANT_TEXT(state, field, text) \
	{ \
		SIEVE_##state, FIELD_##field, \
		{ \
			.kind = VALUE_STR, .str = { text, sizeof(text) - 1 } \
		} \
	}
#define CONSTANT_BOOL(state, field, truth) \
	{ \
		SIEVE_##state, FIELD_##field, \
		{ \
			.kind = VALUE_BOOL, .boolean = truth \
		} \
	}
#define CONSTANT_NUMBER(state, field, number) \
	{ \
		SIEVE_##state, FIELD_##field, \
		{ \
			.kind = VALUE_S64, .s64 = number \
		} \
	}
        CONSTANT_TEXT(OPENED, EVT_RES, "SUCCESS"),
        CONSTANT_BOOL(OPENED, EVT_FAILED, false),
        CONSTANT_BOOL(OPENED, EVT_IS_OPEN_CREATE, false),
        CONSTANT_BOOL(OPENED, FD_IS_CREATED, false),
        CONSTANT_BOOL(OPENED, FD_IS_DELETED, false),
        CONSTANT_TEXT(FAILED, FD_TYPECHAR, "f"),
        CONSTANT_NUMBER(FAILED, FD_NUM, -1),
        CONSTANT_BOOL(FAILED, EVT_FAILED, true),
        CONSTANT_BOOL(FAILED, EVT_IS_OPEN_CREATE, false),
        CONSTANT_TEXT(DONE, EVT_RES, "SUCCESS"),
        CONSTANT_BOOL(DONE, EVT_FAILED, false),
        CONSTANT_BOOL(REFUSED, EVT_FAILED, true),
};

/* Numbers between bounds, both included. */
static const struct sieve_range {
	enum sieve_state state;
	enum field_id field;
	int64_t least, most;
} ranges[] = {
        {SIEVE_OPENED, FIELD_EVT_RAWRES, 0, INT32_MAX}, {SIEVE_OPENED, FIELD_FD_NUM, 0, INT32_MAX},
        {SIEVE_FAILED, FIELD_EVT_RAWRES, -4095, -1},    {SIEVE_DONE, FIELD_EVT_RAWRES, 0, INT64_MAX},
        {SIEVE_REFUSED, FIELD_EVT_RAWRES, -4095, -1},
};

#define FIELD_NONE FIELD_COUNT
/* What a program is told, and in which states. */
struct told {
	enum field_id field;
	unsigned states; /* SIEVE_IN() */
};
static const struct told texts[SIEVE_TEXTS] = {
#define SIEVE_TEXT(name, field, states) [SIEVE_TEXT_##name] = {FIELD_##field, states},
#include "schema/sieve.def"
};
static const struct told numbers[SIEVE_NUMBERS] = {
#define SIEVE_NUMBER(name, field, states) [SIEVE_NUMBER_##name] = {FIELD_##field, states},
#include "schema/sieve.def"
};

static bool is_told(const struct told *t, enum sieve_state state, const struct expr *e)
{
	return t->states >> state & 1 && expr_is_field(e, t->field);
}

/* Texts that follow from a number. */
static const struct sieve_word {
	enum sieve_number number;
	int32_t value;
	enum field_id field;
	struct value text;
} words[] = {
#define SIEVE_WORD(name, number, field, text) \
	{SIEVE_NUMBER_##name, number, FIELD_##field, {.kind = VALUE_STR, .str = {text, sizeof(text) - 1}}},
#include "schema/sieve.def"
};

static const struct value *constant_find(enum sieve_state state, const struct field_ref *ref)
{
	for (size_t i = 0; i < ARRAY_SIZE(constants) && !ref->has_index && !ref->has_key; i++)
		if (constants[i].state == state && constants[i].field == ref->id)
			return &constants[i].value;
	return NULL;
}

/* ---- one atom ---- */

struct constant_source {
	struct field_source source;
	enum sieve_state state;
	const struct value *word; /* what the only field is; NULL: it is not about one */
	bool known;               /* all that was asked for is constant */
};

static void constant_get(const struct field_source *source, const struct field_ref *ref, struct arena *arena,
                         struct value *ret_value)
{
	(void)arena;
	const struct constant_source *s = (const struct constant_source *)source;
	const struct value *v = s->word ? s->word : constant_find(s->state, ref);
	*ret_value = v ? *v : (struct value){.kind = VALUE_NULL};
}

static void constant_note(void *userdata, const struct field_ref *ref)
{
	struct constant_source *s = userdata;
	if (!constant_find(s->state, ref))
		s->known = false;
}

static enum truth truth_of(bool holds)
{
	return holds ? TRUTH_TRUE : TRUTH_FALSE;
}

static enum truth atom_by_constants(struct sieve *s, enum sieve_state state, struct cond_test *t)
{
	struct constant_source source = {{.get = constant_get}, state, NULL, true};
	expr_each_field(t->left, constant_note, &source);
	if (t->right)
		expr_each_field(t->right, constant_note, &source);
	return source.known ? truth_of(cond_test_holds(t, &source.source, &s->arena, NULL)) : TRUTH_OPEN;
}

static enum truth compare_range(enum cond_op op, int64_t number, const struct sieve_range *r)
{
	bool outside = number < r->least || number > r->most;
	switch (op) {
	case OP_GE:
		return r->least >= number ? TRUTH_TRUE : r->most < number ? TRUTH_FALSE : TRUTH_OPEN;
	case OP_GT:
		return r->least > number ? TRUTH_TRUE : r->most <= number ? TRUTH_FALSE : TRUTH_OPEN;
	case OP_LT:
		return r->most < number ? TRUTH_TRUE : r->least >= number ? TRUTH_FALSE : TRUTH_OPEN;
	case OP_LE:
		return r->most <= number ? TRUTH_TRUE : r->least > number ? TRUTH_FALSE : TRUTH_OPEN;
	case OP_NE:
		return outside ? TRUTH_TRUE : TRUTH_OPEN;
	case OP_EQ:
	case OP_IN:
	case OP_INTERSECTS:
		return outside ? TRUTH_FALSE : TRUTH_OPEN;
	default:
		return TRUTH_OPEN;
	}
}

/* One of the literals must hold. */
static enum truth atom_by_range(enum sieve_state state, const struct atom *a)
{
	const struct expr *left = a->test->left;
	enum truth result = TRUTH_FALSE;
	const struct sieve_range *range = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		if (a->kind == ATOM_NUMBER && left->kind == EXPR_FIELD && ranges[i].state == state &&
		    ranges[i].field == left->ref.id)
			range = &ranges[i];
	if (!range || a->test->literal_count == 0)
		return TRUTH_OPEN;
	for (size_t i = 0; i < a->test->literal_count; i++) {
		int64_t number = 0;
		enum truth one = TRUTH_OPEN;
		if (literal_number(&a->test->operands[i].value, &number))
			one = compare_range(a->test->op, number, range);
		if (one == TRUTH_TRUE)
			return TRUTH_TRUE;
		result = one == TRUTH_OPEN ? TRUTH_OPEN : result;
	}
	return result;
}

/* Of a directory the program is given the empty text for a file's name, which it has none: so what tells those apart is not
 * decided. */
static bool asks_for_empty(const struct atom *a)
{
	for (size_t i = 0; i < a->test->literal_count; i++)
		if (a->test->operands && a->test->operands[i].value.str.length == 0)
			return true;
	return a->test->op == OP_EXISTS || a->test->op == OP_NE;
}

bool sieve_atom_text(enum sieve_state state, const struct atom *a, enum sieve_text *ret_text)
{
	for (unsigned i = 0; i < SIEVE_TEXTS && a->kind == ATOM_TEXT; i++) {
		if (is_told(&texts[i], state, a->test->left) && !(i == SIEVE_TEXT_FILENAME && asks_for_empty(a))) {
			*ret_text = i;
			return true;
		}
	}
	return false;
}

struct str sieve_glob_begin(struct str glob)
{
	size_t length = 0;
	while (length < glob.length && !strchr("*?[\\", glob.data[length]))
		length++;
	return str_make(glob.data, length);
}

bool sieve_atom_glob(enum sieve_state state, const struct atom *a, enum sieve_text *ret_text)
{
	const struct cond_test *t = a->test;
	if (a->kind != ATOM_OTHER || a->process || t->op != OP_GLOB || t->right || t->literal_count != 1 ||
	    !value_is_text(&t->operands[0].value))
		return false;
	size_t length = sieve_glob_begin(t->operands[0].value.str).length;
	for (unsigned i = 0; i < SIEVE_TEXTS && length > 0 && length <= PATTERN_BYTES_MAX; i++) {
		if (is_told(&texts[i], state, t->left)) {
			*ret_text = i;
			return true;
		}
	}
	return false;
}

bool sieve_atom_number(enum sieve_state state, const struct atom *a, enum sieve_number *ret_number)
{
	for (unsigned i = 0; i < SIEVE_NUMBERS && a->kind == ATOM_NUMBER; i++) {
		if (is_told(&numbers[i], state, a->test->left)) {
			*ret_number = i;
			return true;
		}
	}
	return false;
}

bool sieve_atom_word(enum sieve_state state, const struct atom *a, size_t *word)
{
	for (; *word < ARRAY_SIZE(words) && !a->process && !a->test->right; (*word)++)
		if (numbers[words[*word].number].states >> state & 1 &&
		    expr_is_field(a->test->left, words[*word].field))
			return true;
	return false;
}

bool sieve_word_holds(struct sieve *s, enum sieve_state state, const struct atom *a, size_t word,
                      enum sieve_number *ret_number, int32_t *ret_value)
{
	struct constant_source source = {{.get = constant_get}, state, &words[word].text, true};
	*ret_number = words[word].number;
	*ret_value = words[word].value;
	return cond_test_holds(a->test, &source.source, &s->arena, NULL);
}

/* How an atom is decided: here, by the program when it runs, or not at all. */
enum atom_fate { FATE_FALSE, FATE_TRUE, FATE_PROGRAM, FATE_UNKNOWN };

/* word: the first that is about it. */
static enum atom_fate fate_by_words(struct sieve *s, enum sieve_state state, const struct atom *a, size_t word)
{
	enum sieve_number number;
	int32_t value;
	bool all = true, any = false;
	for (; sieve_atom_word(state, a, &word); word++) {
		bool holds = sieve_word_holds(s, state, a, word, &number, &value);
		all &= holds;
		any |= holds;
	}
	return all ? FATE_TRUE : any ? FATE_PROGRAM : FATE_FALSE;
}

static enum atom_fate atom_fate(struct sieve *s, enum sieve_state state, const struct atom *a, bool scans)
{
	enum sieve_text text;
	enum sieve_number number;
	size_t word = 0;
	if (a->process)
		return FATE_UNKNOWN;
	if (a->test->left == s->plan->name) /* stands beside a test of a part of it, which is at hand here */
		return FATE_TRUE;
	enum truth truth = atom_by_constants(s, state, a->test);
	if (truth == TRUTH_OPEN)
		truth = atom_by_range(state, a);
	if (truth != TRUTH_OPEN)
		return truth == TRUTH_TRUE ? FATE_TRUE : FATE_FALSE;
	if (sieve_atom_word(state, a, &word))
		return fate_by_words(s, state, a, word);
	bool is_text = sieve_atom_text(state, a, &text);
	if (!is_text && !sieve_atom_number(state, a, &number))
		return FATE_UNKNOWN;
	if (a->test->op == OP_EXISTS) /* what the program is told */
		return FATE_TRUE;
	return !is_text || scans || s->plan->groups[a->group].kind != GROUP_SCAN ? FATE_PROGRAM : FATE_UNKNOWN;
}

/* ---- formulas ---- */

static const struct formula formula_false = {.kind = FORMULA_FALSE}, formula_true = {.kind = FORMULA_TRUE};

static int weaken(struct sieve *s, enum sieve_state state, bool scans, const struct formula *f, bool unknown,
                  const struct formula **ret_formula);

static int weaken_not(struct sieve *s, enum sieve_state state, bool scans, const struct formula *f, bool unknown,
                      const struct formula **ret_formula)
{
	const struct formula *item;
	int r = weaken(s, state, scans, f->items[0], !unknown, &item);
	if (r < 0)
		return r;
	if (item->kind == FORMULA_TRUE || item->kind == FORMULA_FALSE) {
		*ret_formula = item->kind == FORMULA_TRUE ? &formula_false : &formula_true;
		return 0;
	}
	struct formula *made = arena_new(&s->arena, struct formula);
	const struct formula **items = arena_array(&s->arena, const struct formula *, 1);
	if (!made || !items)
		return -ENOMEM;
	items[0] = item;
	*made = (struct formula){.kind = FORMULA_NOT, .items = items, .count = 1};
	*ret_formula = made;
	return 0;
}

/* Operands that change nothing are left out. */
static int weaken_items(struct sieve *s, enum sieve_state state, bool scans, const struct formula *f, bool unknown,
                        const struct formula **ret_formula)
{
	enum formula_kind deciding = f->kind == FORMULA_AND ? FORMULA_FALSE : FORMULA_TRUE;
	struct formula *made = arena_new(&s->arena, struct formula);
	const struct formula **items = arena_array(&s->arena, const struct formula *, f->count);
	if (!made || !items)
		return -ENOMEM;
	*made = (struct formula){.kind = f->kind, .items = items};
	for (size_t i = 0; i < f->count; i++) {
		const struct formula *item;
		int r = weaken(s, state, scans, f->items[i], unknown, &item);
		if (r < 0)
			return r;
		if (item->kind == deciding) {
			*ret_formula = item;
			return 0;
		}
		if (item->kind != FORMULA_TRUE && item->kind != FORMULA_FALSE)
			items[made->count++] = item;
	}
	*ret_formula = made->count > 1          ? made
	               : made->count == 1       ? items[0]
	               : f->kind == FORMULA_AND ? &formula_true
	                                        : &formula_false;
	return 0;
}

/* unknown: what an atom is taken for that cannot be decided. scans: patterns inside a text are sought. */
static int weaken(struct sieve *s, enum sieve_state state, bool scans, const struct formula *f, bool unknown,
                  const struct formula **ret_formula)
{
	switch (f->kind) {
	case FORMULA_ATOM: {
		const struct atom *a = &s->plan->atoms[f->atom];
		enum atom_fate fate = atom_fate(s, state, a, scans);
		enum sieve_text text;
		if (fate == FATE_UNKNOWN && unknown && sieve_atom_glob(state, a, &text))
			fate = FATE_PROGRAM;
		bool holds = fate == FATE_UNKNOWN ? unknown : fate == FATE_TRUE;
		*ret_formula = fate == FATE_PROGRAM ? f : holds ? &formula_true : &formula_false;
		return 0;
	}
	case FORMULA_NOT:
		return weaken_not(s, state, scans, f, unknown, ret_formula);
	case FORMULA_AND:
	case FORMULA_OR:
		return weaken_items(s, state, scans, f, unknown, ret_formula);
	default:
		*ret_formula = f;
		return 0;
	}
}

static bool formula_seeks(const struct sieve *s, const struct formula *f)
{
	if (f->kind == FORMULA_ATOM) {
		const struct atom *a = &s->plan->atoms[f->atom];
		return a->kind == ATOM_TEXT && s->plan->groups[a->group].kind == GROUP_SCAN;
	}
	for (size_t i = 0; i < f->count; i++)
		if (formula_seeks(s, f->items[i]))
			return true;
	return false;
}

static int state_prepare(struct sieve *s, enum sieve_state state, const struct rule_set *set,
                         const struct type_rules *of_type, const struct program_rule *rules)
{
	struct sieve_rules *to = &s->states[state];
	size_t count = of_type->count;
	to->rules = arena_array(&s->arena, struct sieve_rule, count);
	if (!to->rules)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		struct sieve_rule rule = {.number = rule_set_index(set, of_type->items[i])};
		int r = weaken(s, state, true, rules[i].formula, true, &rule.exact);
		if (r == 0)
			r = weaken(s, state, false, rules[i].formula, true, &rule.first);
		if (r < 0)
			return r;
		rule.seeks = formula_seeks(s, rule.exact);
		if (rule.exact->kind != FORMULA_FALSE)
			to->rules[to->count++] = rule;
	}
	return 0;
}

/* ---- from outside ---- */

/* What may become of events of a type. Nothing: the tables of processes need all of them, or it is no system call. */
static unsigned states_of(enum event_type type)
{
	const struct event_info *info = event_type_info(type);
	if (info->state || info->own || info->arg_count == 0 || info->args[0].kind != ARG_RESULT)
		return 0;
	switch (type) {
	case EVENT_open:
	case EVENT_openat:
	case EVENT_openat2:
		return SIEVE_IN(OPENED) | SIEVE_IN(FAILED);
	case EVENT_connect:
	case EVENT_accept:
	case EVENT_accept4:
		return SIEVE_IN(DONE) | SIEVE_IN(REFUSED) | SIEVE_IN(CONNECTED);
	default:
		return SIEVE_IN(DONE) | SIEVE_IN(REFUSED);
	}
}

bool sieve_has_state(const struct sieve *s, enum sieve_state state)
{
	return s->possible >> state & 1;
}

void sieve_done(struct sieve *s)
{
	arena_done(&s->arena);
	code_done(&s->code);
}

/* Rules that are true may still not match the process. */
static bool decides_anything(const struct sieve *s)
{
	for (unsigned state = 0; state < SIEVE_STATES; state++) {
		const struct sieve_rules *rules = &s->states[state];
		bool decides = rules->count == 0;
		for (size_t i = 0; i < rules->count; i++)
			decides |= rules->rules[i].exact->kind != FORMULA_TRUE;
		if (sieve_has_state(s, state) && decides)
			return true;
	}
	return false;
}

static int sieve_take(struct sieve *s, struct rule_sieve **ret_sieve)
{
	struct rule_sieve *made = calloc(1, sizeof(*made));
	if (!made)
		return -ENOMEM;
	made->insn_count = s->code.count;
	made->insns = TAKE_PTR(s->code.insns);
	made->table_count = s->table_count;
	memcpy(made->tables, s->tables, sizeof(made->tables));
	*ret_sieve = made;
	return 0;
}

bool sieve_atom_is_open(struct sieve *s, enum sieve_state state, const struct atom *a)
{
	enum sieve_text text;
	return atom_fate(s, state, a, true) == FATE_UNKNOWN && !sieve_atom_glob(state, a, &text);
}

int sieve_prepare(struct sieve *s, const struct rule_programs *p, enum event_type type)
{
	const struct program_rule *formulas;
	struct type_rules rules = program_rules_get(p, type, &formulas);
	struct program_parts parts;
	int r = 0;
	program_parts_get(p, &parts);
	*s = (struct sieve){.plan = parts.plan, .possible = states_of(type)};
	code_init(&s->code, false);
	arena_init(&s->arena, SIEVE_BYTES_MAX);
	if (!s->possible || rules.count == 0)
		return -EOPNOTSUPP;
	for (unsigned state = 0; state < SIEVE_STATES && r == 0; state++)
		if (sieve_has_state(s, state))
			r = state_prepare(s, state, parts.set, &rules, formulas);
	return r;
}

int rule_programs_sieve(const struct rule_programs *p, enum event_type type, struct rule_sieve **ret_sieve)
{
	_cleanup_(sieve_done) struct sieve s;
	int r = sieve_prepare(&s, p, type);
	if (r == 0 && !decides_anything(&s))
		r = -EOPNOTSUPP;
	if (r == 0)
		r = sieve_write(&s);
	return r < 0 ? r : sieve_take(&s, ret_sieve);
}

int rule_sieve_verify(const struct rule_sieve *s)
{
	struct picket_map_spec maps[2 + RULE_SIEVE_TABLES_MAX] = {
	        {.type = BPF_MAP_TYPE_ARRAY,
	         .key_size = 4,
	         .value_size = SIEVE_RECORD_AT + EVENT_RECORD_MAX + EVENT_ARGV_MAX,
	         .max_entries = 1},
	        {.type = BPF_MAP_TYPE_PROG_ARRAY, .key_size = 4, .value_size = 4, .max_entries = SIEVE_DROP + 1},
	};
	struct picket_verify_options options = {.kind = PICKET_KIND_RAW_TRACEPOINT,
	                                        .insns_max = PROGRAM_VERIFY_INSNS_MAX,
	                                        .states_max = PROGRAM_VERIFY_STATES_MAX,
	                                        .memory_max = PROGRAM_VERIFY_MEMORY_MAX};
	struct picket_verdict *verdict;
	for (size_t i = 0; i < s->table_count; i++)
		maps[2 + i] = (struct picket_map_spec){.type = BPF_MAP_TYPE_ARRAY,
		                                       .key_size = 4,
		                                       .value_size = (uint32_t)s->tables[i].bytes,
		                                       .max_entries = 1,
		                                       .flags = BPF_F_RDONLY_PROG};
	int r = picket_verify_insns(s->insns, s->insn_count, maps, 2 + s->table_count, &options, &verdict);
	if (r < 0)
		return r;
	r = verdict->accepted ? 0 : -EPERM;
	picket_verdict_free(verdict);
	return r;
}

void rule_sieve_free(struct rule_sieve *s)
{
	if (!s)
		return;
	free(s->insns);
	for (size_t i = 0; i < s->table_count; i++)
		free(s->tables[i].data);
	free(s);
}
