/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the room: Tetragon's TracingPolicies while they are put into picket's words.
 */
#ifndef PICKET_GUARD_TRACING_INT_H
#define PICKET_GUARD_TRACING_INT_H

#include "guard/policy_int.h"

#define TRACING_CONDITION_BYTES_MAX (256u << 10)
#define TRACING_EVENTS_MAX 64

enum tracing_level {
	LEVEL_POLICY,
	LEVEL_METADATA,
	LEVEL_SPEC,
	LEVEL_HOOK,
	LEVEL_ARG,
	LEVEL_SELECTOR,
	LEVEL_FILTER,
	LEVEL_ACTION,
	LEVEL_LIST,
	LEVEL_ENFORCER,
	LEVEL_OPTION,
};

struct tracing {
	struct doc_file *file;
	struct diag_list *diags;
	struct tracing_text *out;
	const struct doc_node *spec;
	struct str name, k8s_namespace; /* namespace: empty: any */
	const char *mode;
	unsigned policies; /* written so far */
	bool failed;
	int error; /* -ENOMEM */
};

/* ---- tracing.c ---- */

/* What cannot be said in picket's words, or is wrong. */
struct diag *tracing_refuse(struct tracing *t, const struct doc_node *at, const char *format, ...) printf_like(3, 4);
/* What is said a little differently. */
void tracing_note(struct tracing *t, const struct doc_node *at, const char *format, ...) printf_like(3, 4);
/* node must be a mapping with known keys, none of them refused. */
bool tracing_keys(struct tracing *t, const struct doc_node *node, enum tracing_level level, const char *what);
/* The scalar or sequence that a key must be; NULL: absent, or wrong and told. */
const struct doc_node *tracing_scalar(struct tracing *t, const struct doc_node *map, const char *key, bool needed);
const struct doc_node *tracing_sequence(struct tracing *t, const struct doc_node *map, const char *key, bool needed);
bool tracing_flag(struct tracing *t, const struct doc_node *map, const char *key, bool otherwise);
bool tracing_number(struct str text, int64_t *ret_number); /* decimal, 0x, octal after 0; with a sign */
/* The values of a list of spec.lists; NULL: told. */
const struct doc_node *tracing_list(struct tracing *t, const struct doc_node *at, struct str name);

/* ---- tracing_hook.c ---- */

enum tracing_kind { TRACING_TEXT, TRACING_PATH, TRACING_NUMBER, TRACING_ENUM, TRACING_FLAGS, TRACING_ADDRESS };
/* What an argument is in picket's words. */
struct tracing_target {
	enum tracing_kind kind;
	char field[96];
	enum name_table table; /* ENUM */
};
struct tracing_hook {
	const struct doc_node *node;
	const char *what; /* "kprobe sys_openat", for people; owned by text */
	char text[128];
	char condition[4096];                       /* what happens */
	enum policy_point point;                    /* where it can be denied; POINT_EVENT: nowhere */
	const char *lsm;                            /* its arguments are a security hook's; NULL: a call's */
	enum event_type events[TRACING_EVENTS_MAX]; /* calls, whose arguments it has */
	size_t event_count;
	unsigned first_arg; /* index of the call's first argument */
	bool by_list;       /* a raw tracepoint of all calls: which, must be said by InMap */
};
bool tracing_hook_read(struct tracing *t, const struct doc_node *node, const char *section,
                       struct tracing_hook *ret_hook);
/* Takes the calls of a list for the hook's. */
bool tracing_hook_calls(struct tracing *t, const struct doc_node *at, struct str call, struct tracing_hook *hook);
/* at: for messages. */
bool tracing_hook_target(struct tracing *t, const struct tracing_hook *hook, const struct doc_node *at, unsigned index,
                         struct tracing_target *ret_target);

/* ---- tracing_selector.c ---- */

/* The selector's filters as a condition, without the hook's own; nothing if there are none. May complete the hook. */
bool tracing_selector(struct tracing *t, struct tracing_hook *hook, const struct doc_node *selector, struct buf *out);

/* ---- tracing_action.c ---- */

struct tracing_action {
	bool post, deny, kill;
	int error;
	enum policy_point point; /* of the hook, with what the selector says of its calls */
	struct str repeat;       /* empty: none */
};
bool tracing_actions(struct tracing *t, const struct tracing_hook *hook, const struct doc_node *selector,
                     struct tracing_action *ret_action);
/* One policy for each thing that it does. at: what they come from. */
void tracing_write(struct tracing *t, const struct tracing_hook *hook, const struct tracing_action *action,
                   struct str condition, const struct doc_node *at);

#endif
