/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the room: rule files and what is collected from them, until rule_set_compile() makes rules of it.
 *
 *	document.c	YAML text → tree of nodes that know their place
 *	place.c		where each byte of a scalar's value stands
 *	text.c		source_text put together from parts, each keeping its place
 *	reader.c	items of a file → definitions
 *	rule_item.c	the items that are rules
 *	exception.c	exceptions of a rule: read, checked, written as a condition
 *	sample.c	samples of a rule: read, judged
 *	collection.c	definitions of all files: define, append, replace
 *	list.c		list names in a condition → their items
 *	written.c	lists and exceptions as they were written
 *	compile.c	definitions → rules
 *	set.c		the public object
 *	plan.c		conditions → atoms, patterns, formulas
 *	program_index.c	which rules an event need not enter;  program_code.c: formulas → eBPF;  program.c: made, verified and run
 *
 * Everything that a file brings lives in the file's arena. A file with an error is refused whole: it is read into a
 * copy of the collection that is dropped then, and its arena with it.
 */
#ifndef PICKET_RULE_SET_INT_H
#define PICKET_RULE_SET_INT_H

#include "base/map.h"
#include "rule/condition.h"
#include "rule/document.h"
#include "rule/rule.h"

#define COMPILE_ARENA_MAX (512u << 20)
#define RULE_TEXT_MAX RULE_FILE_BYTES_MAX /* bytes of one condition after lists */
#define LIST_NESTING_MAX 64
#define LISTS_REPLACED_MAX (1u << 20)    /* names of lists that are replaced in all conditions of a set */
#define CONTAINER_PLUGIN_VERSION "0.7.1" /* whose fields picket has itself */

/* ---- text.c: a source_text being put together ---- */

struct text_builder {
	struct buf text;
	struct text_segment *segments;
	size_t count, capacity;
	int error; /* -ENOMEM, -ENOBUFS; the text's own errors are in text.error */
};
void text_builder_init(struct text_builder *b, size_t limit);
void text_builder_done(struct text_builder *b);                             /* also for _cleanup_ */
void text_builder_add(struct text_builder *b, const struct source_text *t); /* with its places */
void text_builder_add_part(struct text_builder *b, const struct source_text *t, size_t begin, size_t end);
/* Text that the user did not write, shown at byte offset of t if something is wrong with it. */
void text_builder_add_text(struct text_builder *b, const char *text, const struct source_text *t, size_t offset);
void text_builder_cut(struct text_builder *b, size_t length); /* to the first length bytes */
int text_builder_error(const struct text_builder *b) must_check;
/* A copy in the arena. Returns 0; -ENOMEM; -ENOBUFS: longer than the limit. */
int text_builder_finish(struct text_builder *b, struct arena *a, struct source_text *ret_text) must_check;
/* old, a blank, new. */
int text_join(struct arena *a, const struct source_text *old_text, const struct source_text *new_text,
              struct source_text *ret_text) must_check;
/* Without blanks at both ends. */
int text_trim(struct arena *a, const struct source_text *t, struct source_text *ret_text) must_check;

/* ---- definitions ---- */

struct list_def {
	struct str name;
	struct place place;
	size_t index, visibility; /* number of its first definition, and of its last change */
	const struct source_text *const *items;
	size_t item_count;
	/* While compiling: */
	const struct source_text **expanded; /* items, with names of lists replaced */
	size_t expanded_count;
	bool used;
};

struct macro_def {
	struct str name;
	struct place place;
	size_t index, visibility;
	struct source_text condition;
	/* While compiling: */
	struct source_text text; /* condition after lists */
	struct cond *cond;       /* NULL: has an error that was told already */
	size_t *needs;           /* macros that it names */
	size_t need_count;
	bool used, resolved, on_path;
	bool compares_na; /* in its own text */
};

/* A scalar or a list of such. */
struct exception_entry {
	bool is_list, present;
	const struct source_text *text;
	struct exception_entry *items;
	size_t count;
	struct place place;
};
struct exception_def {
	struct str name;
	const struct source_text *name_text;
	struct place place;
	struct exception_entry fields, comps;
	struct exception_entry *values;
	size_t value_count;
	bool has_values; /* the key is there */
};
struct exception_list {
	struct exception_def *items;
	size_t count;
};

struct tag_list {
	const char **items;
	size_t count;
};
struct sample_list {
	struct rule_sample *items;
	size_t count;
};

/* What an item of a file says about a rule: bit per key. */
enum rule_key {
	RULE_KEY_CONDITION,
	RULE_KEY_OUTPUT,
	RULE_KEY_DESC,
	RULE_KEY_PRIORITY,
	RULE_KEY_TAGS,
	RULE_KEY_EXCEPTIONS,
	RULE_KEY_ENABLED,
	RULE_KEY_WARN_EVTTYPES,
	RULE_KEY_SKIP_IF_UNKNOWN,
	RULE_KEY_CAPTURE,
	RULE_KEY_CAPTURE_DURATION,
	RULE_KEY_SAMPLES,
	RULE_KEY_SOURCE,
	RULE_KEY_COUNT,
};

struct rule_def {
	struct str name;
	struct place place; /* of the first definition */
	unsigned keys;      /* given in this item */
	struct source_text condition, output, desc;
	struct str source;
	bool source_known;
	enum rule_priority priority;
	bool enabled, warn_evttypes, skip_if_unknown_filter, capture;
	uint64_t capture_duration_ms;
	struct tag_list tags;
	struct exception_list exceptions;
	struct sample_list samples;
};

/* ---- collection.c ---- */

struct collection {
	struct list_def *lists;
	struct macro_def *macros;
	struct rule_def *rules; /* in order of first definition */
	size_t list_count, list_capacity, macro_count, macro_capacity, rule_count, rule_capacity;
	struct map list_names, macro_names, rule_names; /* to index + 1 */
	size_t next_index;
	size_t lists_replaced; /* names in conditions, so far */
};
void collection_init(struct collection *c);
int collection_copy(const struct collection *from, struct collection *ret_copy) must_check;
void collection_done(struct collection *c);                                    /* also for _cleanup_ */
struct list_def *collection_list(const struct collection *c, struct str name); /* NULL: none */
struct macro_def *collection_macro(const struct collection *c, struct str name);
struct rule_def *collection_rule(const struct collection *c, struct str name);
/* Define or redefine; what is defined first keeps its place. The given definition is copied.
 * Returns 0; -EINVAL: told in diags; -ENOMEM. */
int collection_define_list(struct collection *c, const struct list_def *def, struct diag_list *reterr_diags) must_check;
int collection_append_list(struct collection *c, struct arena *a, const struct list_def *def,
                           struct diag_list *reterr_diags) must_check;
int collection_define_macro(struct collection *c, const struct macro_def *def, struct diag_list *reterr_diags)
        must_check;
int collection_append_macro(struct collection *c, struct arena *a, const struct macro_def *def,
                            struct diag_list *reterr_diags) must_check;
int collection_define_rule(struct collection *c, struct arena *a, const struct rule_def *def,
                           struct diag_list *reterr_diags) must_check;
/* Appends the values of the keys in append, then replaces those of the keys in replace (bits of enum rule_key). */
int collection_update_rule(struct collection *c, struct arena *a, const struct rule_def *def, unsigned append,
                           unsigned replace, struct diag_list *reterr_diags) must_check;
int collection_enable_rule(struct collection *c, const struct rule_def *def, struct diag_list *reterr_diags) must_check;

/* ---- reader.c ---- */

struct reader {
	struct doc_file *file;
	struct collection *collection;
	struct diag_list *diags;
	bool failed; /* something was told to be wrong */
	int error;   /* -ENOMEM: give up */
};
/* The whole file into the collection. Returns 0; -EINVAL: told in diags; -ENOMEM. */
int reader_read(struct doc_file *file, struct collection *c, struct diag_list *reterr_diags) must_check;

/* What the parts of the reader share. Those that give a bool tell what is wrong and give false then; what the key's
 * absence means is up to the value that the caller put there before. */
struct diag *reader_error(struct reader *r, const struct doc_node *at, const char *format, ...) printf_like(3, 4);
struct diag *reader_warn(struct reader *r, const struct doc_node *at, const char *code, const char *format, ...)
        printf_like(4, 5);
bool reader_memory(struct reader *r, const void *pointer); /* NULL: remembers the error, false */
void reader_note(struct reader *r, int result);            /* of a function of the collection */
bool reader_get_text(struct reader *r, const struct doc_node *map, const char *key, bool needed,
                     const struct source_text **ret_text);
bool reader_get_bool(struct reader *r, const struct doc_node *map, const char *key, bool *value);
bool reader_get_number(struct reader *r, const struct doc_node *map, const char *key, uint64_t *value);
bool reader_get_tags(struct reader *r, const struct doc_node *map, struct tag_list *ret_tags);
void reader_check_keys(struct reader *r, const struct doc_node *map, const char *what, const char *const *known,
                       size_t known_count);

struct overridable {
	const char *name;
	bool append, replace;
};
struct override {
	const struct doc_node *node;
	unsigned append, replace; /* bit per row of overridable */
	unsigned named;           /* also those whose operation is wrong */
	bool any;                 /* it names something, right or wrong */
	bool append_flag;         /* append: true */
};
void reader_get_override(struct reader *r, const struct doc_node *item, const struct overridable *keys, size_t count,
                         struct override *ret_override);

/* ---- rule_item.c ---- */
void reader_rule(struct reader *r, const struct doc_node *item);

/* ---- exception.c ---- */
/* append: fields may be left out, values should not be. */
bool exception_read(struct reader *r, const struct doc_node *node, bool append, struct exception_list *ret_list);
/* Fields and operators are known and fit each other; the default operators are filled in. */
int exception_check(struct arena *a, struct exception_def *e, bool check_fields, struct diag_list *reterr_diags)
        must_check;
/* Are the values of the form that shape's fields ask for? */
int exception_check_values(const struct exception_def *shape, const struct exception_entry *values, size_t count,
                           struct diag_list *reterr_diags) must_check;
/* (COND) and not (…) … into b; just COND if no exception has values. All have been checked. */
void exception_write(const struct source_text *condition, const struct exception_list *list, struct text_builder *b);

/* ---- sample.c ---- */
bool sample_read(struct reader *r, const struct doc_node *node, struct sample_list *ret_list);

/* ---- list.c ---- */
int list_expand_all(struct collection *c, struct arena *a) must_check;
/* t with each name of a list replaced by the list's items. Returns 0; -EINVAL: told in diags; -ENOMEM. */
int list_substitute(struct collection *c, struct arena *a, const struct source_text *t, struct diag_list *reterr_diags,
                    struct source_text *ret_text) must_check;
/* item as it must stand in a condition: in quotes if it has a blank and none yet. */
void list_write_item(struct text_builder *b, const struct source_text *item);

/* ---- compile.c ---- */

/* A rule with what the set needs of it besides; struct rule comes first, so a rule of the set is also this. */
struct rule_entry {
	struct rule rule;
	struct cond *cond; /* owned by rule.condition; NULL: the rule cannot be judged */
};
struct compiled {
	struct arena arena; /* trees, texts */
	struct rule_entry *rules;
	size_t count;
};
/* Hands messages on, once each, with another level, and another code unless NULL. Leaves from empty. */
void diags_move(struct diag_list *from, struct diag_list *to, enum diag_level level, const char *code);
int compile_collection(struct collection *c, struct compiled *ret_compiled, struct diag_list *reterr_diags) must_check;
void compiled_done(struct compiled *c);
/* A condition that stands in no rule: with the collection's lists and macros; it lives in compiled's arena. */
int compile_inline(struct collection *collection, struct compiled *compiled, const struct source_text *t,
                   struct diag_list *reterr_diags, struct filter **ret_filter) must_check;

/* ---- set.c ---- */

/* The rules of one event type that are on, in order. */
struct type_rules {
	const struct rule_entry **items; /* room for all of the type, also those that are off */
	size_t count;
};
struct type_rules rule_set_of_type(const struct rule_set *s,
                                   unsigned type); /* borrowed, until rules are turned on or off */
size_t rule_set_index(const struct rule_set *s, const struct rule_entry *rule); /* which one of the set it is */
const struct cond_numbers *rule_set_numbers(const struct rule_set *s);
const struct collection *rule_set_collection(const struct rule_set *s); /* empty, once it is compiled */

#endif
