/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the room: policies while they are read.
 *
 *	policy_table.c	schema/policy.def as tables
 *	policy_value.c	values of keys: texts, numbers, durations, rates
 *	policy_read.c	an item of a file → struct policy
 *	policy_scope.c	whom it is for
 *	policy_decide.c	can its condition be decided where it acts?
 *	policy_executables.c	which programs does its condition name?
 *	policy_breadth.c	would it stop what every host needs?
 *	policy_set.c	the public object: files, duplicates
 *	policy_kernel.c	what a kernel makes of it
 *	policy_event.c	what it would have made of recorded events
 *	policy_write.c	values and conditions as YAML
 *	tracing.c	TracingPolicy → policies as text;  tracing_hook.c, tracing_selector.c: its parts
 */
#ifndef PICKET_GUARD_POLICY_INT_H
#define PICKET_GUARD_POLICY_INT_H

#include "base/arena.h"
#include "guard/policy.h"
#include "rule/document.h"
#include "rule/steps.h"

#define CODE_POLICY "POLICY_ERR"

/* ---- policy_table.c ---- */

/* Names with commas between them, for messages. Cut if it must be. */
struct names {
	char text[1024];
};
/* -1: none has the name. */
int mode_parse(struct str name);
int action_parse(struct str name);
int point_parse(struct str name);
int scope_parse(struct str name);
struct names mode_names(void), action_names(void), key_names(const char *where);
struct names point_names(enum policy_action action); /* at which the action can be */
struct names point_fields(enum policy_point point);  /* that a guard reads there */
bool action_takes_point(enum policy_action action, enum policy_point point);
bool action_needs_point(enum policy_action action);        /* there are several */
enum policy_point action_point(enum policy_action action); /* the only one */
const struct policy_key *key_find(const char *where, struct str name);
/* Why no policy may name this program; NULL: it may. */
const char *protected_why(struct str path);

bool field_is_kept(enum field_id field); /* of a process: can a guard see when it changes? */
enum field_how { FIELD_UNKNOWN, FIELD_READ, FIELD_BIT, FIELD_FIXED };
/* ret_value: of FIELD_FIXED, unless NULL. */
enum field_how point_field(enum policy_point point, const struct field_ref *field, const char **ret_value);

/* ---- policy_value.c: each tells what is wrong, and gives false then; what an absent key means is put there before ---- */

struct policy_reader {
	struct arena *arena; /* of the set */
	struct rule_set *rules;
	struct doc_file *file;
	struct diag_list *diags;
	bool failed;
	int error; /* -ENOMEM */
};
struct diag *policy_error(struct policy_reader *r, const struct doc_node *at, const char *format, ...)
        printf_like(3, 4);
bool policy_memory(struct policy_reader *r, const void *pointer); /* NULL: remembers it, false */
const char *policy_keep(struct policy_reader *r, struct str text);
/* The value of a key, if it is there and a text that is not empty. */
const struct doc_node *get_scalar(struct policy_reader *r, const struct doc_node *map, const char *key);
bool get_word(struct policy_reader *r, const struct doc_node *map, const char *key, int (*parse)(struct str name),
              struct names (*names)(void), int *value);
bool get_count(struct policy_reader *r, const struct doc_node *map, const char *key, uint32_t max, uint32_t *value);
bool get_duration(struct policy_reader *r, const struct doc_node *map, const char *key, uint64_t max_ns,
                  uint64_t *value);
bool get_share(struct policy_reader *r, const struct doc_node *map, const char *key, uint32_t *value);
bool get_error(struct policy_reader *r, const struct doc_node *map, const char *key, int *value);
bool get_rate(struct policy_reader *r, const struct doc_node *map, const char *key, uint32_t *rate, uint32_t *seconds);
/* A text or a sequence of texts, each once. check: NULL, or what each must be. */
bool get_texts(struct policy_reader *r, const struct doc_node *map, const char *key,
               bool (*check)(struct policy_reader *r, const struct doc_node *item), struct policy_texts *value);
bool get_devices(struct policy_reader *r, const struct doc_node *map, struct policy *p);
/* All keys of a mapping are known ones. */
bool check_keys(struct policy_reader *r, const struct doc_node *map, const char *where);

/* ---- policy_read.c, policy_scope.c, policy_decide.c ---- */

/* ret_policy: its condition, if it is no rule's, is the caller's to free with policy_done(). False: it was told. */
bool policy_read(struct policy_reader *r, const struct doc_node *item, struct policy *ret_policy);
void policy_done(struct policy *p);
bool scope_read(struct policy_reader *r, const struct doc_node *item, struct policy *p);
/* Fills p->decisions. item: for the place of messages about a rule's condition. */
bool policy_decide(struct policy_reader *r, const struct doc_node *item, struct policy *p);

/* Fills p->executables. */
bool policy_name_executables(struct policy_reader *r, struct policy *p);

/* ---- policy_write.c ---- */

void yaml_add_text(struct buf *out, struct str text); /* as one double-quoted scalar */

/* ---- tracing.c ---- */

/* Text in picket's words, and for each of its lines where in the original it comes from. */
struct tracing_text {
	struct buf text;
	size_t *origins; /* by line, from 0: offset in the original */
	size_t line_count, line_capacity;
};
void tracing_text_done(struct tracing_text *t);
bool tracing_is_policy(const struct doc_node *root); /* kind: TracingPolicy */
/* Returns 0; -EINVAL: told; -ENOMEM. */
int tracing_convert(struct doc_file *file, const struct doc_node *root, struct diag_list *reterr_diags,
                    struct tracing_text *t) must_check;

#endif
