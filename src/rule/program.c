/* SPDX-License-Identifier: Apache-2.0
 *
 * Rules as programs: made for a set, verified, run for each event. What is cheap to know of a process is decided at once, the
 * rest when a program asks for it, and all of it kept as bits; processes of which the same is known share a class, which also
 * keeps, by type of event, the rules that may still match for them.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>

#include "picket/verify.h"
#include "rule/program_index.h"
#include "rule/set_int.h"

#define CLASSES_MAX 4096 /* when there are more, all are made anew */

struct process_class {
	uint64_t *live[EVENT_TYPE_MAX]; /* blocks, and behind them by rule of the type; NULL: not asked for yet */
	uint64_t facts[]; /* by known bit: is it of a deferred atom, and known? Behind them by process bit */
};

struct type_program {
	struct picket_program *program; /* NULL: the reference evaluator judges */
	bool made;                      /* or tried to */
	uint8_t *block_of;              /* by rule, in the program's index; NULL: not made */
	struct type_rules rules;        /* of the set */
	struct program_rule *formulas;
};

/* The event that a program is judging. */
struct judged {
	const struct field_source *source;
	struct arena *arena;
	struct cond_cache cache;
	bool has_cache, cache_failed;
	bool learned; /* what was deferred has been decided */
};

struct rule_programs {
	const struct rule_set *set;
	struct plan plan;
	struct program_layout layout;
	struct picket_map *memory_map;
	struct picket_map **maps; /* [0]: memory_map; tables of scans behind it */
	struct picket_map_spec *specs;
	size_t map_count;
	struct scan *scans; /* by group; their tables are in the maps */
	uint32_t *scan_maps;
	uint8_t *memory; /* value of map 0 */
	struct type_program types[EVENT_TYPE_MAX];
	struct type_program of_process; /* decides what is of a process; has no rules */
	size_t made;                    /* programs */
	struct diag_list problems;
	struct map classes;                     /* facts → struct process_class */
	uint64_t serial;                        /* of this object and its classes: notes of others are not ours */
	const struct process_class *loaded;     /* whose bits are in the memory */
	enum event_type loaded_type;            /* and those of its live rules of that type; NONE: none */
	uint64_t *facts;                        /* of the process at hand, while its class is found */
	uint64_t *deferred;                     /* by known bit: is it of deferred atoms? */
	uint64_t *known;                        /* as in the memory, while something deferred is decided */
	struct picket_call call, deferred_call; /* for all runs: clearing it takes as long as a short one */
	struct judged now;
};

static uint64_t next_serial(void)
{
	static _Atomic uint64_t last;
	return atomic_fetch_add(&last, 1) + 1;
}

/* ---- helpers ---- */

static struct cond_cache *judged_cache(struct rule_programs *p)
{
	struct judged *now = &p->now;
	if (!now->has_cache && !now->cache_failed) {
		now->has_cache = cond_cache_init(&now->cache, p->plan.numbers, now->arena) == 0;
		now->cache_failed = !now->has_cache;
	}
	return now->has_cache ? &now->cache : NULL;
}

static uint64_t *memory_words(const struct rule_programs *p, uint32_t at)
{
	return (uint64_t *)(void *)(p->memory + at);
}

static bool atom_decide(struct rule_programs *p, const struct atom *a)
{
	bool holds = cond_test_holds(a->test, p->now.source, p->now.arena, judged_cache(p));
	bit_set(memory_words(p, p->layout.known), a->known);
	if (holds)
		bit_set(memory_words(p, p->layout.results), a->bit);
	return holds;
}

/* Apart, so that the way to a field is short. */
static void __attribute__((noinline))
expr_input_value(const struct judged *now, const struct expr *e, struct value *ret_value)
{
	expr_value(e, &(struct eval){.source = now->source, .arena = now->arena}, ret_value);
}

/* Seldom asked more than once for an event: no cache is needed. */
static inline void input_value(const struct rule_programs *p, const struct plan_input *input, struct value *ret_value)
{
	const struct judged *now = &p->now;
	const struct expr *e = input->expr;
	if (e->kind == EXPR_FIELD)
		now->source->get(now->source, &e->ref, now->arena, ret_value);
	else
		expr_input_value(now, e, ret_value);
}

/* What the programs cannot compare (too long, or not one text after all) is decided as a whole by the reference. */
static void text_decide(struct rule_programs *p, uint32_t text)
{
	for (size_t i = 0; i < p->plan.atom_count; i++) {
		const struct atom *a = &p->plan.atoms[i];
		if (a->kind == ATOM_TEXT && a->input == text)
			(void)atom_decide(p, a);
	}
}

static bool text_is_compared(const struct plan_input *input, const struct value *value)
{
	return value_is_text(value) && value->str.length <= PROGRAM_TEXT_MAX &&
	       !(input->paths && str_has_double(value->str, '/'));
}

/* Its length; -1: what compares it is decided. */
static int64_t text_put(struct rule_programs *p, uint32_t text)
{
	const struct plan_input *input = &p->plan.texts[text];
	struct value value;
	input_value(p, input, &value);
	if (value.kind == VALUE_NULL) /* no test of it holds */
		return -1;
	if (!text_is_compared(input, &value)) {
		text_decide(p, text);
		return -1;
	}
	memcpy(p->memory + p->layout.text, value.str.data, value.str.length);
	*memory_words(p, p->layout.text_there) = text + 1;
	*memory_words(p, p->layout.text_length) = value.str.length;
	return (int64_t)value.str.length;
}

static uint64_t helper_text(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, struct picket_run *run)
{
	(void)r2, (void)r3, (void)r4, (void)r5;
	struct rule_programs *p = picket_run_user(run);
	return r1 < p->plan.text_count ? (uint64_t)text_put(p, (uint32_t)r1) : (uint64_t)-1;
}

/* No whole number: what a set would decide of it is decided by the reference. */
static void number_decide(struct rule_programs *p, uint32_t number)
{
	for (size_t i = 0; i < p->plan.atom_count; i++) {
		const struct atom *a = &p->plan.atoms[i];
		if (a->set && a->input == number)
			(void)atom_decide(p, a);
	}
}

static enum number_state number_put(struct rule_programs *p, uint32_t number)
{
	struct value value;
	int64_t n;
	input_value(p, &p->plan.numbers_asked[number], &value);
	if (value.kind == VALUE_NULL)
		return NUMBER_NULL;
	if (!literal_number(&value, &n)) {
		number_decide(p, number);
		return NUMBER_OTHER;
	}
	memory_words(p, p->layout.numbers)[number] = (uint64_t)n;
	return NUMBER_KNOWN;
}

static uint64_t helper_number(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, struct picket_run *run)
{
	struct rule_programs *p = picket_run_user(run);
	(void)r2, (void)r3, (void)r4, (void)r5;
	if (r1 >= p->plan.number_count)
		return NUMBER_NULL;
	return memory_words(p, p->layout.states)[r1] = number_put(p, (uint32_t)r1);
}

/* All atoms that are decided together with it. */
static void atoms_decide(struct rule_programs *p, const struct atom *of)
{
	for (size_t i = 0; i < p->plan.atom_count; i++)
		if (p->plan.atoms[i].known == of->known)
			(void)atom_decide(p, &p->plan.atoms[i]);
}

/* By the program of processes, which leaves out what is known. It may do so while another program waits for the answer. */
static bool deferred_decide(struct rule_programs *p, const struct atom *a)
{
	size_t words = BIT_WORDS(p->plan.known_bits);
	uint64_t *known = memory_words(p, p->layout.known);
	p->now.learned = true;
	if (a->kind == ATOM_OTHER || !p->of_process.program) {
		atoms_decide(p, a);
		return bit_is_set(memory_words(p, p->layout.results), a->bit);
	}
	memcpy(p->known, known, 8 * words);
	memset(known, 0xff, 8 * words);
	known[a->known / 64] &= ~(1ull << a->known % 64);
	bool failed = picket_program_run(p->of_process.program, &p->deferred_call) < 0;
	memcpy(known, p->known, 8 * words);
	if (failed)
		atoms_decide(p, a);
	bit_set(known, a->known);
	return bit_is_set(memory_words(p, p->layout.results), a->bit);
}

static uint64_t helper_test(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, struct picket_run *run)
{
	struct rule_programs *p = picket_run_user(run);
	(void)r2, (void)r3, (void)r4, (void)r5;
	if (r1 >= p->plan.atom_count)
		return 0;
	const struct atom *a = &p->plan.atoms[r1];
	return a->deferred ? deferred_decide(p, a) : atom_decide(p, a);
}

static const struct picket_helper helpers[] = {
        {RULE_HELPER_TEXT, "rule_text", PICKET_RETURN_NUMBER, {PICKET_ARG_ANY}, helper_text},
        {RULE_HELPER_NUMBER, "rule_number", PICKET_RETURN_NUMBER, {PICKET_ARG_ANY}, helper_number},
        {RULE_HELPER_TEST, "rule_test", PICKET_RETURN_NUMBER, {PICKET_ARG_ANY}, helper_test},
};

/* ---- classes of processes ---- */

static void class_free(struct process_class *c)
{
	for (size_t i = 0; i < EVENT_TYPE_MAX; i++)
		free(c->live[i]);
	free(c);
}

static void classes_forget(struct rule_programs *p)
{
	size_t position = 0;
	struct str key;
	void *class;
	while (map_next(&p->classes, &position, &key, &class))
		class_free(class);
	map_done(&p->classes);
	map_init(&p->classes, CLASSES_MAX);
	p->serial = next_serial();
	p->loaded = NULL;
}

/* What is decided of an event. */
static void memory_clear(struct rule_programs *p)
{
	const struct program_layout *l = &p->layout;
	uint32_t begin = l->results + plan_event_bit(&p->plan) / 8;
	memset(p->memory + begin, 0, l->matched - begin);
}

static size_t fact_words(const struct rule_programs *p)
{
	return BIT_WORDS(p->plan.known_bits) + BIT_WORDS(p->plan.process_bits);
}

/* What the memory has of the process, to p->facts. */
static void facts_take(struct rule_programs *p)
{
	size_t known = BIT_WORDS(p->plan.known_bits);
	for (size_t w = 0; w < known; w++)
		p->facts[w] = memory_words(p, p->layout.known)[w] & p->deferred[w];
	memcpy(p->facts + known, p->memory + p->layout.results, 8 * BIT_WORDS(p->plan.process_bits));
}

/* What is not deferred. Where the program is missing, all is decided. */
static void facts_find(struct rule_programs *p)
{
	const struct program_layout *l = &p->layout;
	memory_clear(p);
	memset(p->memory + l->results, 0, plan_event_bit(&p->plan) / 8);
	memcpy(p->memory + l->known, p->deferred, l->results - l->known);
	p->loaded = NULL;
	bool decided = p->of_process.program && picket_program_run(p->of_process.program, &p->call) == 0;
	for (size_t w = 0; w < BIT_WORDS(p->plan.known_bits); w++)
		memory_words(p, l->known)[w] &= ~p->deferred[w];
	for (size_t i = 0; !decided && i < p->plan.atom_count; i++)
		if (p->plan.atoms[i].process)
			(void)atom_decide(p, &p->plan.atoms[i]);
	facts_take(p);
}

static struct process_facts class_facts(const struct rule_programs *p, const struct process_class *c)
{
	return (struct process_facts){c->facts, c->facts + BIT_WORDS(p->plan.known_bits)};
}

/* Of p->facts. NULL: no memory. */
static struct process_class *class_find(struct rule_programs *p)
{
	size_t bytes = 8 * fact_words(p);
	struct str key = str_make((const char *)p->facts, bytes);
	struct process_class *class = map_get(&p->classes, key);
	if (class)
		return class;
	if (p->classes.count >= CLASSES_MAX)
		classes_forget(p);
	class = calloc(1, sizeof(*class) + bytes);
	if (!class)
		return NULL;
	memcpy(class->facts, p->facts, bytes);
	if (map_put(&p->classes, key, class, NULL) < 0) {
		free(class);
		return NULL;
	}
	return class;
}

static void class_keep(const struct rule_programs *p, const struct field_source *source, struct process_class *class)
{
	if (class && source->note)
		*source->note = (struct field_note){.owner = p->serial, .version = source->version, .value = class};
}

static struct process_class *class_of(struct rule_programs *p, const struct field_source *source)
{
	struct field_note *note = source->note;
	if (note && note->owner == p->serial && note->version == source->version)
		return note->value;
	facts_find(p);
	struct process_class *class = class_find(p);
	class_keep(p, source, class);
	return class;
}

/* What is known of the process, and nothing of an event yet. */
static void memory_load(struct rule_programs *p, const struct process_class *class)
{
	const struct program_layout *l = &p->layout;
	const struct process_facts facts = class_facts(p, class);
	memory_clear(p);
	memcpy(p->memory + l->known, facts.known, l->results - l->known);
	if (p->loaded != class)
		memcpy(p->memory + l->results, facts.results, 8 * BIT_WORDS(p->plan.process_bits));
	p->loaded = class;
}

/* What programs have found out about the process is kept with it. */
static void class_learn(struct rule_programs *p, const struct field_source *source)
{
	if (!p->now.learned)
		return;
	p->loaded = NULL;
	if (!source->note)
		return;
	facts_take(p);
	class_keep(p, source, class_find(p));
}

/* NULL: no memory. */
static const uint64_t *class_live(struct rule_programs *p, struct process_class *class, enum event_type type)
{
	const struct type_program *t = &p->types[type];
	if (class->live[type])
		return class->live[type];
	struct process_facts facts = class_facts(p, class);
	uint64_t *live = calloc(1 + BIT_WORDS(t->rules.count), sizeof(*live));
	for (size_t i = 0; live && i < t->rules.count; i++) {
		if (formula_by_process(&p->plan, t->formulas[i].formula, &facts) == TRUTH_FALSE)
			continue;
		bit_set(live, t->block_of[i]);
		bit_set(live + 1, (uint32_t)i);
	}
	class->live[type] = live;
	return live;
}

static void formula_settle(struct rule_programs *p, const struct formula *f, const struct process_facts *facts)
{
	if (formula_by_process(&p->plan, f, facts) != TRUTH_OPEN)
		return;
	if (f->kind == FORMULA_ATOM && p->plan.atoms[f->atom].process)
		(void)deferred_decide(p, &p->plan.atoms[f->atom]);
	for (size_t i = 0; i < f->count; i++)
		formula_settle(p, f->items[i], facts);
}

void rule_programs_settle(struct rule_programs *p, const struct field_source *source, struct arena *arena)
{
	p->now = (struct judged){.source = source, .arena = arena};
	const struct process_class *class = class_of(p, source);
	if (!class)
		return;
	memory_load(p, class);
	const struct process_facts facts = {memory_words(p, p->layout.known), memory_words(p, p->layout.results)};
	for (unsigned type = 0; type < EVENT_TYPE_MAX; type++)
		for (size_t i = 0; i < p->types[type].rules.count; i++)
			formula_settle(p, p->types[type].formulas[i].formula, &facts);
	class_learn(p, source);
	p->loaded = NULL; /* its live rules are not in the memory */
}

bool rule_programs_live(const struct rule_programs *p, const struct field_note *note, struct rule_live *ret_live)
{
	struct rule_live live = {0};
	if (note->owner != p->serial)
		return false;
	struct process_facts facts = class_facts(p, note->value);
	for (unsigned type = 0; type < EVENT_TYPE_MAX; type++) {
		const struct type_program *t = &p->types[type];
		for (size_t i = 0; i < t->rules.count; i++) {
			size_t number = rule_set_index(p->set, t->rules.items[i]);
			if (formula_by_process(&p->plan, t->formulas[i].formula, &facts) == TRUTH_FALSE)
				continue;
			bit_set(live.types, type);
			if (number < 64 * ARRAY_SIZE(live.rules))
				bit_set(live.rules, (uint32_t)number);
		}
	}
	*ret_live = live;
	return true;
}

/* ---- making ---- */

static int plan_rules(struct rule_programs *p)
{
	for (unsigned type = 0; type < EVENT_TYPE_MAX; type++) {
		struct type_program *t = &p->types[type];
		t->rules = rule_set_of_type(p->set, type);
		t->formulas = calloc(t->rules.count + 1, sizeof(*t->formulas));
		if (!t->formulas)
			return -ENOMEM;
		for (size_t i = 0; i < t->rules.count; i++) {
			int r = plan_formula(&p->plan, t->rules.items[i]->cond, event_type_info(type),
			                     &t->formulas[i].formula);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int map_make(struct rule_programs *p, size_t index, const char *name, size_t bytes, uint32_t flags)
{
	struct picket_map_spec *spec = &p->specs[index];
	*spec = (struct picket_map_spec){.type = BPF_MAP_TYPE_ARRAY,
	                                 .key_size = 4,
	                                 .value_size = (uint32_t)bytes,
	                                 .max_entries = 1,
	                                 .flags = flags};
	snprintf(spec->name, sizeof(spec->name), "%s", name);
	int r = picket_map_new(spec, &p->maps[index], NULL);
	if (r == 0)
		p->map_count = index + 1;
	return r;
}

static int make_scan(struct rule_programs *p, size_t group)
{
	const struct plan_group *g = &p->plan.groups[group];
	struct scan *scan = &p->scans[group];
	int r = scan_new(g->patterns, g->count, scan);
	if (r < 0)
		return r;
	p->scan_maps[group] = (uint32_t)p->map_count;
	r = map_make(p, p->map_count, "scan", scan->table_bytes, BPF_F_RDONLY_PROG);
	if (r < 0)
		return r;
	memcpy(picket_map_values(p->maps[p->scan_maps[group]]), scan->table, scan->table_bytes);
	free(scan->table);
	scan->table = NULL;
	return 0;
}

static int make_memory(struct rule_programs *p)
{
	size_t most = 0;
	for (unsigned type = 0; type < EVENT_TYPE_MAX; type++)
		most = MAX(most, p->types[type].rules.count);
	int r = program_layout(&p->plan, most, &p->layout);
	if (r < 0)
		return r;
	p->maps = calloc(p->plan.group_count + 1, sizeof(struct picket_map *));
	p->specs = calloc(p->plan.group_count + 1, sizeof(*p->specs));
	p->scans = calloc(p->plan.group_count + 1, sizeof(*p->scans));
	p->scan_maps = calloc(p->plan.group_count + 1, sizeof(*p->scan_maps));
	p->facts = calloc(fact_words(p) + 1, sizeof(*p->facts));
	p->deferred = calloc(BIT_WORDS(p->plan.known_bits) + 1, sizeof(*p->deferred));
	p->known = calloc(BIT_WORDS(p->plan.known_bits) + 1, sizeof(*p->known));
	if (!p->maps || !p->specs || !p->scans || !p->scan_maps || !p->facts || !p->deferred || !p->known)
		return -ENOMEM;
	for (size_t i = 0; i < p->plan.atom_count; i++)
		if (p->plan.atoms[i].deferred)
			bit_set(p->deferred, p->plan.atoms[i].known);
	r = map_make(p, 0, "event", p->layout.bytes, 0);
	for (size_t i = 0; r == 0 && i < p->plan.group_count; i++)
		if (p->plan.groups[i].kind == GROUP_SCAN)
			r = make_scan(p, i);
	if (r == 0)
		p->memory = picket_map_values(p->maps[0]);
	return r;
}

/* what: that the program decides. Returns 0; -EPERM: refused, and noted; -errno. */
static int verify(struct rule_programs *p, const struct code *code, const char *what)
{
	struct picket_verify_options options = {
	        .kind = PICKET_KIND_RULE,
	        .helpers = helpers,
	        .helper_count = ARRAY_SIZE(helpers),
	        .insns_max = PROGRAM_VERIFY_INSNS_MAX,
	        .states_max = PROGRAM_VERIFY_STATES_MAX,
	        .memory_max = PROGRAM_VERIFY_MEMORY_MAX,
	};
	struct picket_verdict *verdict;
	int r = picket_verify_insns(code->insns, code->count, p->specs, p->map_count, &options, &verdict);
	if (r < 0)
		return r;
	if (!verdict->accepted) {
		diag_add(&p->problems, DIAG_WARNING, "LOAD_COMPILE_PROGRAM", NULL, 0, 0,
		         "the program for %s was refused at instruction %u (%s: %s): it is interpreted", what,
		         verdict->insn, picket_category_name(verdict->category), verdict->reason);
		r = -EPERM;
	}
	picket_verdict_free(verdict);
	return r;
}

static int write(struct rule_programs *p, const struct type_program *t, bool far, struct code *c)
{
	code_init(c, far);
	if (t == &p->of_process)
		return program_write_process(&p->plan, &p->layout, p->scans, p->scan_maps, c);
	return program_write(&p->plan, &p->layout, t->formulas, t->rules.count, p->scans, p->scan_maps, c);
}

static int load(struct rule_programs *p, const struct code *code, struct picket_program **ret_program)
{
	struct picket_options options = {
	        .engine = PICKET_VERIFIED,
	        .helpers = helpers,
	        .helper_count = ARRAY_SIZE(helpers),
	        .maps = p->maps,
	        .map_count = p->map_count,
	};
	int r = picket_program_load(code->insns, code->count, &options, ret_program, NULL);
	if (r != -EOPNOTSUPP)
		return r;
	options.engine = PICKET_INTERPRETER;
	return picket_program_load(code->insns, code->count, &options, ret_program, NULL);
}

static int find_blocks(struct rule_programs *p, struct type_program *t)
{
	struct program_index index;
	int r = program_index_init(&index, &p->plan, t->formulas, t->rules.count);
	if (r < 0)
		return r;
	t->block_of = TAKE_PTR(index.block_of);
	program_index_done(&index);
	return 0;
}

static int make(struct rule_programs *p, struct type_program *t, const char *what)
{
	struct code code;
	t->made = true;
	int r = write(p, t, false, &code);
	if (r == -ERANGE) {
		code_done(&code);
		r = write(p, t, true, &code);
	}
	if (r == 0)
		r = verify(p, &code, what);
	if (r == 0)
		r = find_blocks(p, t);
	if (r == 0)
		r = load(p, &code, &t->program);
	code_done(&code);
	p->made++;
	return r == -EPERM ? 0 : r;
}

/* The program of a type, and that of processes, without which it is of no use. NULL: there is none. */
static const struct picket_program *program_of(struct rule_programs *p, enum event_type type)
{
	struct type_program *t = &p->types[type];
	if (!p->of_process.made)
		(void)!make(p, &p->of_process, "processes");
	if (!t->made)
		(void)!make(p, t, event_type_info(type)->name);
	return t->program;
}

/* ---- judging ---- */

static void memory_prepare(struct rule_programs *p, const struct process_class *class, enum event_type type,
                           enum rule_matching how)
{
	const struct program_layout *l = &p->layout;
	if (p->loaded != class || p->loaded_type != type)
		memcpy(p->memory + l->blocks, class->live[type], 8 + 8 * BIT_WORDS(p->types[type].rules.count));
	memory_load(p, class);
	p->loaded_type = type;
	*memory_words(p, l->first) = how == MATCH_FIRST;
}

static size_t matched_take(const struct rule_programs *p, const struct type_program *t, const struct rule **ret_matched,
                           size_t max)
{
	const uint64_t *words = memory_words(p, p->layout.matched);
	size_t count = 0;
	for (size_t w = 0; w < BIT_WORDS(t->rules.count); w++) {
		for (uint64_t word = words[w]; word; word &= word - 1) {
			if (count < max)
				ret_matched[count] = &t->rules.items[64 * w + (size_t)__builtin_ctzll(word)]->rule;
			count++;
		}
	}
	return count;
}

size_t rule_programs_match(struct rule_programs *p, enum event_type type, const struct field_source *source,
                           struct arena *arena, enum rule_matching how, const struct rule **ret_matched, size_t max)
{
	const struct type_program *t = &p->types[type];
	if (t->rules.count == 0)
		return 0;
	p->now = (struct judged){.source = source, .arena = arena};
	const struct picket_program *program = program_of(p, type);
	struct process_class *class = program ? class_of(p, source) : NULL;
	const uint64_t *live = class ? class_live(p, class, type) : NULL;
	if (!live)
		return rule_set_match(p->set, type, source, arena, how, ret_matched, max);
	if (live[0] == 0)
		return 0;
	memory_prepare(p, class, type, how);
	if (picket_program_run(program, &p->call) < 0) {
		p->loaded = NULL;
		return rule_set_match(p->set, type, source, arena, how, ret_matched, max);
	}
	class_learn(p, source);
	return matched_take(p, t, ret_matched, max);
}

/* ---- the object ---- */

int rule_programs_new(const struct rule_set *s, struct rule_programs **ret_programs)
{
	struct rule_programs *p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->set = s;
	p->call.user = p->deferred_call.user = p;
	map_init(&p->classes, CLASSES_MAX);
	diag_list_init(&p->problems, EVENT_TYPE_MAX);
	p->serial = next_serial();
	int r = plan_init(&p->plan, rule_set_numbers(s));
	if (r == 0)
		r = plan_rules(p);
	if (r == 0)
		r = plan_finish(&p->plan);
	if (r == 0)
		r = make_memory(p);
	if (r < 0) {
		rule_programs_free(p);
		return r;
	}
	*ret_programs = p;
	return 0;
}

int rule_programs_make(struct rule_programs *p)
{
	int r = p->of_process.made ? 0 : make(p, &p->of_process, "processes");
	for (unsigned type = 0; r == 0 && type < EVENT_TYPE_MAX; type++) {
		struct type_program *t = &p->types[type];
		if (t->rules.count && !t->made)
			r = make(p, t, event_type_info(type)->name);
	}
	return r;
}

void program_parts_get(const struct rule_programs *p, struct program_parts *ret_parts)
{
	*ret_parts = (struct program_parts){
	        .set = p->set,
	        .plan = &p->plan,
	        .layout = &p->layout,
	        .scans = p->scans,
	        .scan_maps = p->scan_maps,
	        .maps = p->maps,
	        .specs = p->specs,
	        .map_count = p->map_count,
	        .helpers = helpers,
	        .helper_count = ARRAY_SIZE(helpers),
	};
}

const struct picket_helper *program_helpers(void)
{
	return helpers;
}

struct type_rules program_rules_get(const struct rule_programs *p, unsigned type,
                                    const struct program_rule **ret_formulas)
{
	*ret_formulas = p->types[type].formulas;
	return p->types[type].rules;
}

size_t rule_programs_made(const struct rule_programs *p)
{
	return p->made;
}

const struct diag_list *rule_programs_problems(const struct rule_programs *p)
{
	return &p->problems;
}

void rule_programs_free(struct rule_programs *p)
{
	if (!p)
		return;
	for (unsigned type = 0; type < EVENT_TYPE_MAX; type++) {
		picket_program_free(p->types[type].program);
		free(p->types[type].formulas);
		free(p->types[type].block_of);
	}
	picket_program_free(p->of_process.program);
	free(p->of_process.block_of);
	classes_forget(p);
	map_done(&p->classes);
	for (size_t i = 0; i < p->map_count; i++)
		picket_map_free(p->maps[i]);
	for (size_t i = 0; p->scans && i < p->plan.group_count; i++)
		scan_done(&p->scans[i]);
	free(p->maps);
	free(p->specs);
	free(p->scans);
	free(p->scan_maps);
	free(p->facts);
	free(p->deferred);
	free(p->known);
	plan_done(&p->plan);
	diag_list_done(&p->problems);
	free(p);
}
