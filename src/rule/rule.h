/* SPDX-License-Identifier: Apache-2.0
 *
 * Rules: read, check, and judge events by them. A rule_set is built from files, then compiled once, then only read:
 * matching may run on many threads at once, each with its own arena.
 */
#ifndef PICKET_RULE_RULE_H
#define PICKET_RULE_RULE_H

#include "base/arena.h"
#include "base/diag.h"
#include "event/event.h"
#include "event/field.h"
#include "picket/vm.h"

#define RULE_ENGINE_VERSION "0.62.0" /* of the language that this implements */
#define RULE_FILE_BYTES_MAX (16u << 20)
#define RULE_COUNT_MAX 20000
#define RULE_DEPTH_MAX 1000    /* nesting of a condition */
#define RULE_NODES_MAX 2000000 /* tree nodes of a set after macros */

enum rule_priority {
	PRIORITY_EMERGENCY,
	PRIORITY_ALERT,
	PRIORITY_CRITICAL,
	PRIORITY_ERROR,
	PRIORITY_WARNING,
	PRIORITY_NOTICE,
	PRIORITY_INFORMATIONAL,
	PRIORITY_DEBUG
};
const char *rule_priority_name(enum rule_priority p); /* "Emergency" … */
int rule_priority_parse(struct str text, enum rule_priority *ret_priority)
        must_check; /* -EINVAL; any case, also "info" */

/* ---- conditions and outputs by themselves ---- */

struct filter; /* a condition, checked */
/* name: for messages ("filter", a file). first_line, first_column: where text begins in it (1, 1 if alone).
 * Returns 0; -EINVAL: reterr_diags says why; -ENOMEM. */
int filter_new(struct str text, const char *name, struct diag_list *reterr_diags, struct filter **ret_filter)
        must_check;
void filter_free(struct filter *f);
bool filter_match(const struct filter *f, const struct field_source *source, struct arena *arena);
/* Event types that can match: bit per enum event_type. */
struct event_set {
	uint64_t bits[EVENT_TYPE_MAX / 64];
};
bool event_set_has(const struct event_set *s, unsigned type);
void event_set_add(struct event_set *s, unsigned type);
void event_set_add_all(struct event_set *s, const struct event_set *more);
void filter_events(const struct filter *f, struct event_set *ret_set);
bool filter_uses_field(const struct filter *f, enum field_id id);
/* How often a test could not be decided and counted as no match: a regular expression at its limits, no memory. */
uint64_t filter_undecided(const struct filter *f);

struct format; /* an output: text with %fields */
int format_new(struct str text, const char *name, struct diag_list *reterr_diags, struct format **ret_format)
        must_check;
void format_free(struct format *f);
void format_write(const struct format *f, const struct field_source *source, struct arena *arena, struct buf *out);
/* The %fields of it, in order, without repetition: for output_fields. name as written after the %. */
size_t format_field_count(const struct format *f);
struct str format_field_name(const struct format *f, size_t i);
void format_field_get(const struct format *f, size_t i, const struct field_source *source, struct arena *arena,
                      struct value *ret_value);
enum value_print format_field_print(const struct format *f, size_t i);
bool format_uses_field(const struct format *f, enum field_id id);

/* ---- sets of rules ---- */

struct rule {
	const char *name, *desc, *output_text, *condition_text, *source;
	const char *file;
	unsigned line; /* of its first definition */
	enum rule_priority priority;
	bool enabled, warn_evttypes, skip_if_unknown_filter, capture;
	uint64_t capture_duration_ms;
	const char *const *tags;
	size_t tag_count;
	const struct filter *condition; /* NULL if skipped for an unknown field */
	const struct format *output;
	struct event_set events;
	const struct rule_sample *samples; /* picket's own key "samples": see rule_sample */
	size_t sample_count;
	const void *owner; /* of a guest: see rule_set_add_guests(); NULL: it is a rule */
};

/* One sample event of a rule: values of fields, by which `picket rules test` judges the rule. */
struct rule_sample {
	bool must_match;
	const char *name; /* what it shows, or NULL */
	unsigned line;
	const struct rule_sample_field {
		const char *field; /* as written: "proc.aname[2]" */
		struct field_ref ref;
		struct value value;
	} * fields;
	size_t field_count;
};

struct rule_set;
int rule_set_new(struct rule_set **ret_set) must_check;
void rule_set_free(struct rule_set *s);
/* A file, or a directory's *.yaml and *.yml in alphabetical order. Errors go to diags; the first stops that file.
 * Returns 0; -EINVAL: see diags; -errno of reading (also in diags). */
int rule_set_add_path(struct rule_set *s, const char *path, struct diag_list *reterr_diags) must_check;
int rule_set_add_text(struct rule_set *s, const char *name, struct str text, struct diag_list *reterr_diags) must_check;
/* Resolves lists, macros and exceptions, checks types, compiles. Once, after the last add.
 * Warnings go to diags too. Returns 0; -EINVAL; -ENOMEM. */
int rule_set_compile(struct rule_set *s, struct diag_list *reterr_diags) must_check;
/* After compile: frees what was read, most of what a set holds. The rules have no samples then. */
void rule_set_forget_files(struct rule_set *s);
/* A condition that stands in another file, with the set's lists and macros. After compile, and before the files are
 * forgotten. f and the set must outlive it; it is freed with filter_free(). Returns 0; -EINVAL; -ENOMEM; -EBUSY: not
 * compiled yet, or the files are forgotten. */
struct doc_file;
struct doc_node;
int rule_set_condition(struct rule_set *s, struct doc_file *f, const struct doc_node *scalar,
                       struct diag_list *reterr_diags, struct filter **ret_filter) must_check;
/* Before compile: what was written in lists and exceptions, for who compares two sets. Texts are borrowed for the call. */
struct rule_written {
	struct str rule, exception; /* data NULL: of a list */
	struct str list;
	struct str text; /* an element of a list; a value of an exception */
};
void rule_set_each_written(const struct rule_set *s, void (*call)(void *userdata, const struct rule_written *w),
                           void *userdata);
/* Conditions that are judged with the rules, for others: when one matches, a struct rule with that owner is among those that
 * matched. They are no rules of the set otherwise: not counted, found, or turned on and off. Once, after compile; conditions are
 * the set's own, of rule_set_condition() or of filter_new(); they are borrowed as long as events are judged.
 * Returns 0; -EBUSY; -ENOMEM. */
struct rule_guest {
	const char *name;
	const struct filter *condition;
	const void *owner;
};
int rule_set_add_guests(struct rule_set *s, const struct rule_guest *guests, size_t count) must_check;
bool rule_set_has_guests(const struct rule_set *s);
size_t rule_set_count(const struct rule_set *s);
const struct rule *rule_set_get(const struct rule_set *s, size_t i); /* in order of first definition */
const struct rule *rule_set_find(const struct rule_set *s, struct str name);
/* Turns rules on and off after compile: by exact name, or by tag. Returns the number of rules it changed. */
size_t rule_set_enable(struct rule_set *s, struct str name_or_tag, bool is_tag, bool enabled);
void rule_set_enable_all(struct rule_set *s);                              /* but those that cannot be judged */
void rule_set_min_priority(struct rule_set *s, enum rule_priority least);  /* turns the less severe ones off */
void rule_set_events(const struct rule_set *s, struct event_set *ret_set); /* of all enabled rules */
bool rule_set_uses_field(const struct rule_set *s, enum field_id id); /* in a condition or output of an enabled rule */
/* Paths that conditions compare as a whole with a file's name (fd.name = X, in (X, …)): names worth knowing by inode.
 * Calls each once with a borrowed path. */
void rule_set_each_path(const struct rule_set *s, void (*call)(void *userdata, struct str path), void *userdata);
/* The condition after lists, macros and exceptions, as text with indentation. */
void rule_explain(const struct rule *r, struct buf *out);

enum rule_matching { MATCH_FIRST, MATCH_ALL };
/* Judges an event by the enabled rules of its type, in order. matched: room for max; extra ones are only counted.
 * Returns how many matched. */
size_t rule_set_match(const struct rule_set *s, enum event_type type, const struct field_source *source,
                      struct arena *arena, enum rule_matching how, const struct rule **ret_matched, size_t max);

/* A compiled set of one rule with that condition, for what works on sets: condition is well-formed, as filter_new() says.
 * Returns 0; -EINVAL; -ENOMEM. */
int rule_set_from_condition(struct str condition, struct rule_set **ret_set) must_check;

/* ---- rules as programs ---- */

/* The enabled rules of a set, compiled: an eBPF program for each type of event, verified, just-in-time compiled. The set is
 * borrowed; when rules are turned on or off, new programs are needed. Not thread-safe. */
struct rule_programs;
/* Programs are made when their type is first judged. Returns 0; -ENOMEM; -E2BIG: too many rules. */
int rule_programs_new(const struct rule_set *s, struct rule_programs **ret_programs) must_check;
/* All of them now. Returns 0, -ENOMEM. */
int rule_programs_make(struct rule_programs *p) must_check;
/* How many there are now. Making one takes much more memory than is kept of it. */
size_t rule_programs_made(const struct rule_programs *p);
/* Warnings: programs that the verifier refused. What they were to judge is judged by rule_set_match(). Borrowed. */
const struct diag_list *rule_programs_problems(const struct rule_programs *p);
void rule_programs_free(struct rule_programs *p); /* NULL is allowed */
/* As rule_set_match(). */
size_t rule_programs_match(struct rule_programs *p, enum event_type type, const struct field_source *source,
                           struct arena *arena, enum rule_matching how, const struct rule **ret_matched, size_t max);

/* ---- what the programs are made of, and what they may cost: explain.c, budget.c, object.c ---- */

/* Instructions that judging one event may take, with what is decided about its process: what the verifier proves of the
 * programs, helpers not counted. This many are some tenths of a second. */
#define RULE_BUDGET_DEFAULT 500000000ull
/* What judging one event takes at most: proved. */
struct rule_cost {
	uint64_t bound;       /* instructions, of the type that takes most */
	uint64_t process;     /* of those, to decide what is of its process */
	enum event_type type; /* EVENT_NONE: there is no rule that is on */
};
/* Verifies all programs. In reterr_diags: warnings, those that the verifier refuses; an error, if those for a type of event
 * may take more than budget, which names the rule that costs most. ret_cost: NULL is allowed.
 * Returns 0; -EINVAL: over the budget; -ENOMEM. */
int rule_programs_check(const struct rule_programs *p, uint64_t budget, struct rule_cost *ret_cost,
                        struct diag_list *reterr_diags) must_check;

enum rule_atom_means {
	RULE_ATOM_BEGINS, /* by a trie of texts and their beginnings */
	RULE_ATOM_ENDS,   /* by a trie of ends */
	RULE_ATOM_SCAN,   /* by an automaton that reads the text once */
	RULE_ATOM_NUMBER, /* by a comparison of numbers */
	RULE_ATOM_OTHER,  /* by the reference evaluator */
};
const char *rule_atom_means_name(enum rule_atom_means means); /* "begins" … */
/* A comparison that conditions make. */
struct rule_atom {
	struct str text; /* as a condition */
	bool process;    /* asks only for what is of the acting process: kept with it as a bit */
	enum rule_atom_means means;
	size_t patterns; /* that are sought together with its own, over all rules; 0: it has none */
	size_t rules;    /* that make it, of those that are on */
};
/* A formula as lines, each operator before its operands, which are one deeper. */
struct rule_formula_line {
	enum rule_formula_kind {
		RULE_FORMULA_FALSE,
		RULE_FORMULA_TRUE,
		RULE_FORMULA_ATOM,
		RULE_FORMULA_NOT,
		RULE_FORMULA_ALL,
		RULE_FORMULA_ANY
	} kind;
	unsigned depth;
	size_t atom; /* ATOM: index in the explanation */
};
struct rule_code_line {
	size_t insn; /* of its program */
	const char *text;
	enum rule_code_for { RULE_CODE_LIVE, RULE_CODE_ATOM, RULE_CODE_MATCH } what;
	size_t atom; /* ATOM */
};
/* How a rule is decided for types of events that need the same of it. */
struct rule_part {
	const char **types;
	uint64_t *bounds; /* of each type's program: instructions of one run, all its rules together; 0: refused */
	size_t type_count;
	struct rule_formula_line *formula; /* in the order of evaluation */
	size_t line_count;
	struct rule_code_line *code; /* of the first type's program, in it */
	size_t code_count;
	size_t program_insns;   /* of that program, all rules together */
	uint64_t pattern_bound; /* instructions of seeking what the rule asks for, shared with others or not */
};
/* What the kernel decides of a rule before an event is sent, by what has become of the call. */
enum rule_sieve_state {
	RULE_SIEVE_OPENED,
	RULE_SIEVE_FAILED,
	RULE_SIEVE_DONE,
	RULE_SIEVE_REFUSED,
	RULE_SIEVE_CONNECTED,
	RULE_SIEVE_STATES,
};
const char *rule_sieve_state_name(enum rule_sieve_state state); /* "opened" … */
struct rule_sieve_case {
	enum rule_sieve_fate {
		RULE_SIEVE_NONE,    /* nothing of the kind becomes of such an event */
		RULE_SIEVE_NEVER,   /* it cannot match: it lets nothing pass */
		RULE_SIEVE_DECIDES, /* by a condition */
		RULE_SIEVE_ALWAYS,  /* it lets everything pass */
	} fate;
	struct str condition; /* DECIDES: what does not hold for an event that it lets not pass */
	struct str *open;     /* comparisons that are not decided; those of the process are, by a bit for the rule */
	size_t open_count;
};
struct rule_sieve_part {
	const char **types; /* of events of which the same is decided */
	size_t type_count;
	struct rule_sieve_case cases[RULE_SIEVE_STATES];
};
struct rule_explanation {
	struct arena arena;
	struct rule_atom *atoms; /* of the rule; process ones first */
	size_t atom_count;
	struct rule_part *parts;
	size_t part_count; /* 0: it is off, or cannot be judged */
	size_t process_insns;
	uint64_t process_bound; /* of the program that decides what is of a process; 0: refused */
	struct rule_sieve_part *sieve;
	size_t sieve_count; /* 0: none of its events is sieved */
};
/* rule: of the set. Returns 0; -ENOMEM; -E2BIG. ret_explanation: rule_explanation_free(). */
int rule_explanation_new(const struct rule_programs *p, const struct rule *rule,
                         struct rule_explanation **ret_explanation) must_check;
void rule_explanation_free(struct rule_explanation *e); /* NULL is allowed */

/* An ELF object with all programs, for others to look at or to run with helpers of their own: docs/internals/rules.md says
 * what is in it. Returns 0; -ENOMEM; -E2BIG. */
int rule_programs_write_object(const struct rule_programs *p, struct buf *out) must_check;
/* The helpers that its programs call, for those who load or verify it and do not judge: each returns 0. */
#define RULE_HELPERS 3
void rule_object_helpers(struct picket_helper ret_helpers[RULE_HELPERS]);

/* Judges a rule by its samples. Calls report for each failure. Returns the number of failures. */
size_t rule_test_samples(const struct rule *r,
                         void (*report)(void *userdata, const struct rule_sample *sample, const char *why),
                         void *userdata);
/* A field_source that answers from a sample's fields; null for all others. */
struct sample_source {
	struct field_source source;
	const struct rule_sample *sample;
};
void sample_source_init(struct sample_source *s, const struct rule_sample *sample);

/* ---- the sieve: programs for the kernel (sieve.c) ---- */

/* Which rules can still match events of a process, for all that is known of it. */
struct rule_live {
	uint64_t types[4]; /* bit per event type: some rule of that type can */
	uint64_t rules[4]; /* bit per rule, by its number in the set; those behind count as live */
};
/* What of the process is decided only when a rule asks for it, is decided now where it tells which rules can match. For a
 * source that rule_programs_match() has seen; the answers stay with its note. */
void rule_programs_settle(struct rule_programs *p, const struct field_source *source, struct arena *arena);
/* From the note that rule_programs_match() left with the process. False: it says nothing. What has not been decided yet may
 * be true. */
bool rule_programs_live(const struct rule_programs *p, const struct field_note *note, struct rule_live *ret_live);

#define RULE_SIEVE_TABLES_MAX 8
struct rule_sieve_table {
	void *data;
	size_t bytes;
};
/* A program that the kernel runs on an event in its scratch space before it is sent: schema/sieve.h. It ends in a tail call
 * to SIEVE_PASS if a rule may match, to SIEVE_DROP if none can; it returns 1 or 0 if that program is not there.
 * Its maps by index: 0: the scratch spaces, by processor; 1: the array of programs; from 2 on: the tables, each an array's
 * only value. */
struct rule_sieve {
	struct picket_insn *insns;
	size_t insn_count;
	struct rule_sieve_table tables[RULE_SIEVE_TABLES_MAX];
	size_t table_count;
};
/* Of the rules of a type. Returns 0; -EOPNOTSUPP: the kernel can decide nothing about them; -E2BIG: too many patterns;
 * -ENOMEM. ret_sieve: rule_sieve_free(). */
int rule_programs_sieve(const struct rule_programs *p, enum event_type type, struct rule_sieve **ret_sieve) must_check;
/* By picket's own verifier, before the kernel's has its say: those of several types are often the same, and verified once.
 * Returns 0; -EPERM: refused; -ENOMEM. */
int rule_sieve_verify(const struct rule_sieve *s) must_check;
void rule_sieve_free(struct rule_sieve *s); /* NULL is allowed */

#endif
