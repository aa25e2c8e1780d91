/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to policies in force.
 *
 *	policies.c		made, loaded, taking over, their lease
 *	policies_protect.c	whom they never touch
 *	policies_scope.c	whom they are for, by unit, container, image …
 *	policies_react.c	what picket itself does after an event
 *	policies_bits.c		what guards are to know of processes
 *	policies_quarantine.c	control groups without the network
 *	policies_gate.c		who answers before executables start
 *	policies_tell.c		verdicts → alerts
 *	policies_order.c	what an operator orders
 *	policies_report.c	their part of the status
 *	policies_persist.c	those that outlive picket
 */
#ifndef PICKET_CORE_POLICIES_INT_H
#define PICKET_CORE_POLICIES_INT_H

#include "base/arena.h"
#include "base/map.h"
#include "core/policies.h"
#include "guard/table.h"

#define CGROUP_PATH_MAX 4096
#define KILLED_REMEMBERED 64
#define QUARANTINES_MAX 256
#define KNOWN_SLOTS 4096
#define UNKNOWN_MAX 4096                /* at once; more are told with their next event */
#define GENERATION_NAMES_MAX (1u << 20) /* bytes */

/* A policy in force: what is left of it when it is compiled. */
struct held {
	const char *name, *rule, *action; /* rule: NULL: it has its own condition, or none */
	uint32_t version;
	uint64_t persist_ns;
	enum policy_mode mode; /* as its file says */
	const struct policy *policy;
	struct guard_scope scope;
	uint32_t reacts;               /* bits of enum policy_point: where picket itself acts, after the event */
	struct alert_limiter *limiter; /* of alerts that are not to be repeated; NULL: that of verdicts */
};

/* What one load came to. */
struct generation {
	struct arena names;
	struct held *held; /* as the guards count them */
	size_t count;
	struct guards *guards;  /* NULL: disarmed */
	struct policy_set *set; /* NULL: nothing was loaded */
	struct filter **
	        everything; /* of policies without a condition, by their index: what happens at their points; or NULL */
	const struct cond_test **bits; /* what guards are to know of processes, by number of their bit */
	size_t bit_count;
	bool looks_up; /* some have a scope that must be looked up */
};

struct policies {
	struct policies_options options;
	struct judge *judge; /* borrowed */
	struct policy_kernel kernel;
	char cgroup[CGROUP_PATH_MAX]; /* where guards of sockets are attached */
	struct alert_limiter *limiter;
	struct generation current, next;
	/* Of the generation before: rules that still judge have its conditions as guests until others take over. */
	struct policy_set *retired;
	struct filter **retired_everything;
	char *within;    /* options.cgroup, as a path below the root of control groups; NULL: all */
	struct map seen; /* control groups that were looked up: struct seen_group */
	uint64_t groups_checked_ns;
	bool members_full;     /* and was told */
	struct format *output; /* of what policies with an own condition find */
	struct killed {        /* lately: what they did before it took effect is no reason to kill them again */
		uint64_t start_ns;
		uint32_t pid;
	} killed[KILLED_REMEMBERED];
	size_t killed_count;                 /* ever */
	struct enrich_key told[KNOWN_SLOTS]; /* by hash: of whom the kernel was told last */
	struct unknown_process {             /* since the kernel was told, or never */
		struct enrich_key key;
		uint64_t time_ns, position; /* 0: not yet; what happened until then has been seen once this is passed */
	} unknown[UNKNOWN_MAX];
	size_t unknown_count;
	bool all_asked, bits_failed; /* those that were there when the guards were attached; was told */
	char root[CGROUP_PATH_MAX];  /* of control groups */
	struct quarantine {
		struct guard_cut *cut;
		char *path; /* of the directory */
		uint64_t id;
		char policy[POLICY_NAME_MAX + 1];
	} quarantines[QUARANTINES_MAX];
	size_t quarantine_count;
	uint64_t spared_group; /* that was to be cut off last, and may not be: was told */
	struct buf sentence;
	enum guards_gate gate;                                     /* as it was when last looked at */
	bool shed;                                                 /* only tell, for now */
	bool disarmed;                                             /* until picket starts again */
	bool lease_failed;                                         /* and was told */
	struct guard_protected_key protected[GUARD_PROTECTED_MAX]; /* as they were when last looked at */
	size_t protected_count;
	int protect_pidfds[POLICIES_PROTECT_MAX]; /* of options.protect, where it is a process; -1 */
};

/* Protects what has come in place of protected programs since the last look. */
void policies_protect(struct policies *p);
int policies_name_protected(struct policies *p) must_check; /* what the options name: is it there? Told */
void policies_forget_protected(struct policies *p);
int policies_protect_in(const struct policies *p, struct guards *guards) must_check; /* before they are attached */
/* The policy in force that has the name. NULL: none; ret_index is then untouched. */
const struct held *policies_find(const struct policies *p, struct str name, uint32_t *ret_index);

void policies_disarm(struct policies *p); /* lets go of the guards, for good */

/* ---- policies_scope.c ---- */
bool policies_in_scope(const struct policies *p, const struct held *h, const struct enrich_actor *a);
/* Path in the default hierarchy, borrowed from a or text; empty: not known. */
struct str policies_cgroup_of(const struct enrich_actor *a, struct buf *text);
void policies_see_all(struct policies *p);       /* the processes that are there, for the policies now in force */
void policies_check_groups(struct policies *p);  /* now and then: forgets control groups that have no processes */
void policies_forget_groups(struct policies *p); /* all; the kernel's are another generation's */

/* ---- policies_react.c ---- */
/* Conditions of policies that act after the event become guests of the rules. Returns 0; -ENOMEM; -EINVAL: told. */
int policies_add_guests(struct generation *g, struct rule_set *rules, struct diag_list *reterr_diags) must_check;
void policies_matched(void *policies, const struct rule *guest, struct enrich_view *view, struct arena *arena);
void policies_free_filters(struct filter **everything);

/* ---- policies_spare.c ---- */
struct policies_stat {
	uint32_t parent, session;
	bool terminal; /* it has one */
	uint64_t start_ticks;
};
bool policies_read_stat(uint32_t pid, struct policies_stat *ret_stat); /* false: it has ended */
/* What it runs now: it may be another program than when it did what matched. inode 0: not known. */
struct guard_file policies_program_of(uint32_t pid);
bool policies_spare(const struct policies *p, uint32_t pid); /* no policy may touch it */

/* ---- policies_bits.c ---- */
void policies_know_anew(struct policies *p); /* other guards are in force */

/* ---- policies_quarantine.c ---- */
uint32_t policies_quarantine(struct policies *p, uint32_t index, const struct enrich_actor *a); /* what is to be told */
bool policies_release(struct policies *p, struct str cgroup);     /* false: it is not cut off */
void policies_release_of(struct policies *p, const char *policy); /* NULL: of all */
void policies_requarantine(struct policies *p);                   /* by the guards that are now in force */
void policies_check_quarantines(struct policies *p);              /* now and then */
void policies_report_quarantines(const struct policies *p, struct json *out);

/* ---- policies_gate.c ---- */
void policies_check_gate(struct policies *p); /* each second */
void policies_report_gate(const struct policies *p, struct json *out);

/* ---- policies_tell.c ---- */
/* Of a match after the event: with what the event says. */
void policies_tell_after(struct policies *p, const struct held *h, const struct guard_verdict *v,
                         struct enrich_view *view, struct arena *arena);
/* Pins its guards if any of its policies persists. They are attached. */
int policies_pin(struct policies *p, struct generation *g, struct loader_failure *reterr_failure) must_check;
void policies_leave(struct policies *p); /* at the end of picket: what persists goes on */
/* Takes those in force over that an earlier picket left; without any, nothing happens. */
int policies_adopt(struct policies *p) must_check;

#endif
