/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the room: what the rules of a set ask of events, taken apart for compiling. Each comparison stands here once
 * (an atom), however many rules make it; each rule is, for a type of event, a formula over atoms.
 */
#ifndef PICKET_RULE_PLAN_H
#define PICKET_RULE_PLAN_H

#include "base/map.h"
#include "rule/code.h"
#include "rule/condition_int.h"

enum atom_kind {
	ATOM_TEXT,   /* by patterns */
	ATOM_NUMBER, /* by a comparison with whole numbers */
	ATOM_OTHER,  /* by the reference evaluator */
};
struct atom {
	enum atom_kind kind;
	bool process;   /* asks only for what is of the acting process: its answer is kept with that */
	bool deferred;  /* of the process, but dear: decided when an event's program first asks */
	uint32_t bit;   /* of its answer; those of the process come first, the event's begin with a new word */
	uint32_t known; /* of the bits that say what is decided */
	uint32_t input; /* TEXT: of texts; NUMBER: of numbers */
	uint32_t group; /* TEXT: of groups */
	uint32_t set;   /* NUMBER: of sets, + 1; 0: it is compared by itself */
	bool negated; /* TEXT: it holds for a text that has none of the patterns, which set the bit after this one's */
	struct cond_test *test;
};

/* An expression whose value atoms compare. */
struct plan_input {
	const struct expr *expr;
	bool process; /* it is of the acting process alone, and so are the atoms */
	bool paths;   /* some atoms take it as a path: with "//" in it, its patterns do not tell whether they hold */
};

#define PLAN_BYTES_MAX (512u << 20)

struct bit_range {
	uint32_t first, end;
};

/* Patterns over one text that are sought together. The bit that says that it is decided has its number. */
enum group_kind { GROUP_BEGINS, GROUP_ENDS, GROUP_SCAN, GROUP_KINDS };
struct plan_group {
	uint32_t input;
	enum group_kind kind;
	bool process, deferred; /* as its atoms */
	struct pattern *patterns;
	size_t count, capacity;
	struct bit_range bits; /* of its atoms */
};

/* Numbers that one input is compared with, where they are so many that they are sought together. */
struct plan_set {
	uint32_t input;
	bool process;
	struct code_number *numbers; /* ascending, after plan_finish() */
	size_t count, capacity;
	struct bit_range bits; /* of its atoms */
	uint32_t known;        /* as theirs */
};

enum formula_kind { FORMULA_FALSE, FORMULA_TRUE, FORMULA_ATOM, FORMULA_NOT, FORMULA_AND, FORMULA_OR };
/* Those that consist of the same are the same one, over all rules and types. */
struct formula {
	enum formula_kind kind;
	uint32_t atom; /* ATOM */
	const struct formula *
	        *items; /* AND, OR: at least two, what is likely to decide at little cost first; NOT: one */
	size_t count;
	double cost, chance; /* of deciding it, in instructions or so; that it is true */
};

/* The formulas all of which must hold, if it does. */
static inline const struct formula *const *formula_parts(const struct formula *const *f, size_t *ret_count)
{
	bool many = (*f)->kind == FORMULA_AND;
	*ret_count = many ? (*f)->count : 1;
	return many ? (*f)->items : f;
}

struct plan {
	struct arena arena;
	struct map made;                    /* formulas, by what they consist of, until plan_finish() */
	const struct expr *name;            /* fd.name, of tests that others beside them imply; NULL: none yet */
	const struct cond_numbers *numbers; /* of the set */
	struct atom *atoms;
	size_t atom_count, atom_capacity;
	uint32_t *by_number; /* by number of a test: its atom + 1 */
	struct plan_input *texts, *numbers_asked;
	size_t text_count, text_capacity, number_count, number_capacity;
	struct plan_group *groups;
	size_t group_count, group_capacity;
	struct plan_set *sets;
	size_t set_count, set_capacity;
	uint32_t process_bits, event_bits; /* how many; the event's begin at plan_event_bit() */
	uint32_t known_bits;
};
static inline uint32_t plan_event_bit(const struct plan *p)
{
	return 64 * ((p->process_bits + 63) / 64);
}
/* How many groups and sets: functions of programs, the sets' behind the groups'. What one decides has its number as the bit
 * that says whether it is known. */
static inline size_t plan_functions(const struct plan *p)
{
	return p->group_count + p->set_count;
}
static inline bool atom_is_sought(const struct atom *a)
{
	return a->kind == ATOM_TEXT || a->set;
}
int plan_init(struct plan *p, const struct cond_numbers *numbers) must_check;
void plan_done(struct plan *p); /* also for _cleanup_ */
/* What cond comes to for events of that type; its atoms are added to the plan. Lives in the plan.
 * Returns 0; -ENOMEM; -E2BIG: the rules are too large. */
int plan_formula(struct plan *p, const struct cond *cond, const struct event_info *type,
                 const struct formula **ret_formula) must_check;

/* The test's atom, which is added unless there is one. Returns 0; -ENOMEM. */
int plan_atom_add(struct plan *p, struct cond_test *t, uint32_t *ret_atom) must_check;
/* After the last formula: bits get their places, those of one group or set side by side. Returns 0; -ENOMEM. */
int plan_finish(struct plan *p) must_check;

/* The field by itself, without an argument. */
static inline bool expr_is_field(const struct expr *e, enum field_id id)
{
	return e->kind == EXPR_FIELD && e->ref.id == id && !e->ref.has_index && !e->ref.has_key;
}
/* The number that a literal stands for; false: none that a signed one of 8 bytes can be. */
bool literal_number(const struct value *v, int64_t *ret_number);

/* What is known of a process: words of the memory that programs work in, or a copy of them. */
struct process_facts {
	const uint64_t *known; /* of deferred atoms; all others are */
	const uint64_t *results;
};
static inline bool atom_by_process(const struct atom *a, const struct process_facts *facts)
{
	return a->process && (!a->deferred || facts->known[a->known / 64] >> a->known % 64 & 1);
}
/* False, true, or not to be said while the event's atoms, or deferred ones, are not known. */
enum truth { TRUTH_FALSE, TRUTH_TRUE, TRUTH_OPEN };
enum truth formula_by_process(const struct plan *p, const struct formula *f, const struct process_facts *facts);

static inline bool bit_is_set(const uint64_t *words, uint32_t bit)
{
	return words[bit / 64] >> bit % 64 & 1;
}
static inline void bit_set(uint64_t *words, uint32_t bit)
{
	words[bit / 64] |= 1ull << bit % 64;
}
#define BIT_WORDS(bits) (((bits) + 63) / 64)

#endif
