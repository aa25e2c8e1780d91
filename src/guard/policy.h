/* SPDX-License-Identifier: Apache-2.0
 *
 * Policies: which action follows on which match, for whom. A policy_set is read from files over a compiled rule_set, every
 * policy checked as it is read; then it is only asked. Not thread-safe.
 */
#ifndef PICKET_GUARD_POLICY_H
#define PICKET_GUARD_POLICY_H

#include "base/diag.h"
#include "loader/guard_hook.h"
#include "rule/rule.h"

#define POLICY_COUNT_MAX 1000
#define POLICY_FILES_MAX 1000
#define POLICY_FILE_BYTES_MAX (1u << 20)
#define POLICY_NAME_MAX 64
#define POLICY_VALUES_MAX 1000 /* of one scope */

enum policy_mode {
#define POLICY_MODE(id, name, doc) POLICY_##id,
#include "schema/policy.def"
	POLICY_MODE_COUNT,
};
enum policy_action {
#define POLICY_ACTION(id, name, doc) ACTION_##id,
#include "schema/policy.def"
	ACTION_COUNT,
};
enum policy_point {
#define POLICY_POINT(id, name, doc) POINT_##id,
#include "schema/policy.def"
	POINT_COUNT,
};
enum policy_scope_kind {
#define POLICY_SCOPE(id, name, doc, left) SCOPE_##id,
#include "schema/policy.def"
	SCOPE_COUNT,
};
enum guard_mechanism {
#define GUARD_MECHANISM(id, name, left) MECHANISM_##id,
#include "schema/policy.def"
};
enum policy_effect { EFFECT_PREVENTS, EFFECT_REACTS, EFFECT_OBSERVES };

const char *policy_mode_name(enum policy_mode mode);
const char *policy_action_name(enum policy_action action);
const char *policy_point_name(enum policy_point point);
const char *policy_scope_name(enum policy_scope_kind scope);
const char *policy_scope_left(enum policy_scope_kind scope); /* what an attacker can do about it */
const char *policy_effect_name(enum policy_effect effect);   /* "prevents" … */

bool policy_point_has_event(enum policy_point point, enum event_type type); /* does it happen there? */

/* ---- policies ---- */

/* How a test of a policy's condition is decided at a point. */
struct policy_test {
	const char *text; /* as a condition */
	enum policy_how {
		HOW_READ,  /* the guard reads what it asks for from the kernel */
		HOW_BIT,   /* a bit that picket keeps with the process */
		HOW_EVENT, /* picket judges the event, after it happened */
	} how;
	const char *unkept; /* of HOW_BIT: a field that can change unseen by a guard, so that none decides it; NULL */
};

struct policy_texts {
	const char *const *items;
	size_t count;
};

struct policy_device {
	char kind;             /* 'b', 'c', or 'a': both */
	uint32_t major, minor; /* UINT32_MAX: any */
};

struct policy {
	const char *name, *desc; /* desc: "" if there is none */
	uint32_t version;
	struct policy_texts tags;
	const char *file;
	unsigned line;
	const struct rule *rule;        /* NULL: an own condition, or none */
	const struct filter *condition; /* of the rule, or its own; NULL: whatever is attempted in scope */
	const struct policy_device *devices;
	size_t device_count;
	enum policy_action action;
	uint32_t points; /* bits of enum policy_point */
	int error;       /* of errno, positive */
	uint32_t rate, rate_seconds, burst;
	uint64_t repeat_ns; /* 0: none */
	struct policy_texts scope[SCOPE_COUNT];
	enum policy_mode mode;
	struct policy_budget {
		uint32_t actions, processes; /* in a minute */
		uint32_t share;              /* of a hundred */
	} budget;
	uint64_t persist_ns; /* 0: not */
	bool reaction;       /* will do */
	/* Whole paths: at exec its condition matches the start of no other program. count 0: it may match any. */
	struct policy_texts executables;
	/* By point, how its condition is decided there; where anything is HOW_EVENT, all is, and nothing can be prevented. */
	struct policy_decision {
		const struct policy_test *tests;
		size_t count;
		bool synchronous;
		bool widened; /* it names some calls of the point, and is decided alike for all of them */
	} decisions[POINT_COUNT];
};

/* Its scope names nothing in particular: it acts on the host, or on all containers. */
bool policy_is_everywhere(const struct policy *p);

struct policy_set;
/* rules: compiled, their files not forgotten; borrowed, must outlive the set. Returns 0, -ENOMEM. */
int policy_set_new(struct rule_set *rules, struct policy_set **ret_set) must_check;
void policy_set_free(struct policy_set *s); /* NULL is allowed */
/* A file, or the *.yaml and *.yml of a directory in the order of their names. Policies and Tetragon's TracingPolicies may
 * stand in one file. All that is wrong is told; a file with mistakes is left out whole.
 * Returns 0; -EINVAL: see diags; -errno of reading (also in diags); -ENOMEM. */
int policy_set_add_path(struct policy_set *s, const char *path, struct diag_list *reterr_diags) must_check;
int policy_set_add_text(struct policy_set *s, const char *name, struct str text, struct diag_list *reterr_diags)
        must_check;
size_t policy_set_count(const struct policy_set *s);
const struct policy *policy_set_get(const struct policy_set *s, size_t i);
const struct policy *policy_set_find(const struct policy_set *s, struct str name); /* NULL: none */

/* Does no policy, acting on the whole host as its scope says, stop what every host needs (schema/attempt.def)? Those that
 * would are told. Returns 0, -EINVAL. */
int policy_set_check_breadth(const struct policy_set *s, struct diag_list *reterr_diags) must_check;

/* A file's policies in picket's words: what TracingPolicies are read as. Others are left out.
 * Returns 0; -ENOENT: it holds none; -EINVAL: see diags; -ENOMEM. */
int policy_import(const char *name, struct str text, struct diag_list *reterr_diags, struct buf *out) must_check;

/* ---- what they would have made of events that were recorded ---- */

enum policy_answer {
	POLICY_NOT_ASKED,  /* no attempt at one of its points by someone it is for */
	POLICY_LETS_BE,    /* an attempt, which it does not match */
	POLICY_CANNOT_SAY, /* an attempt; what it asks for is not in the event: device numbers */
	POLICY_MATCHES,
};
/* ret_point: where, unless it is NOT_ASKED. Protection, mode, budget and rate are not looked at. */
enum policy_answer policy_ask(const struct policy *p, enum event_type type, const struct field_source *event,
                              struct arena *arena, enum policy_point *ret_point);
/* Why no policy acts on that program, by its path; NULL: it may. */
const char *policy_protects(struct str program);

/* ---- what a kernel makes of them ---- */

struct policy_kernel {
	bool has[GUARD_HOOK_COUNT];
};

const char *guard_mechanism_name(enum guard_mechanism mechanism);
const char *guard_mechanism_left(enum guard_mechanism mechanism); /* what an attacker can do about it */

/* A way to do an action at a point. All static. */
struct policy_route {
	enum policy_action action;
	enum policy_point point;
	enum guard_mechanism mechanism;
	enum guard_hook hook;
	enum policy_effect effect;
	const char *does, *hooks, *left;
};
/* Walks: start with NULL, NULL at the end. */
const struct policy_route *policy_route_next(const struct policy_route *after);

/* Does picket itself do it, when it judges the event? */
bool policy_route_follows(const struct policy_route *route);
/* How a policy is enforced at one of its points: the first route that the kernel has and that the policy lets be.
 * NULL: none; *ret_why, unless NULL, is then a static sentence. */
const struct policy_route *policy_route_choose(const struct policy *p, enum policy_point point,
                                               const struct policy_kernel *kernel, const char **ret_why);
/* Is each policy that is to act possible on this kernel? Those that are not are told. Returns 0, -EOPNOTSUPP. */
int policy_set_check_kernel(const struct policy_set *s, const struct policy_kernel *kernel,
                            struct diag_list *reterr_diags) must_check;

/* ---- the language, for references and completions ---- */

struct policy_key {
	const char *where, *name, *type, *otherwise, *doc;
	bool needed;
};
extern const struct policy_key policy_keys[];
extern const size_t policy_key_count;

#endif
