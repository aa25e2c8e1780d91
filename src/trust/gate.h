/* SPDX-License-Identifier: Apache-2.0
 *
 * What a bundle passes before it may act: steps, each of which looks at what those before it vouched for, and says what it
 * found. The first that refuses ends it. Nothing is changed by any of them.
 */
#ifndef PICKET_TRUST_GATE_H
#define PICKET_TRUST_GATE_H

#include "trust/bundle.h"
#include "trust/store.h"

enum gate_step {
	GATE_FORM,       /* it is a bundle, and whole as far as can be seen */
	GATE_SIGNATURES, /* of enough keys that are trusted */
	GATE_MANIFEST,
	GATE_FILES,   /* are there, no others, and are what was signed */
	GATE_VERSION, /* newer than the newest seen, under the name that this host takes */
	GATE_TIME,    /* made, and not expired */
	GATE_SCHEMA,  /* its rules were written for the events of this picket */
	GATE_RULES,   /* are understood, all of them and all fields */
	GATE_POLICIES,
	GATE_POWERS,  /* that the manifest states are those that the content needs */
	GATE_BOUND,   /* the rules' programs are verified, and keep to the budget */
	GATE_SUPPLY,  /* samples have no more fields than events of their type really do */
	GATE_SAMPLES, /* pass, and exercise each field of each rule */
	GATE_BREADTH, /* no rule matches whatever happens */
	GATE_REPLAY,  /* of what has happened here, it would have made no more than it may */
	GATE_STEPS
};
const char *gate_step_name(enum gate_step step); /* "form" … */
const char *gate_step_question(enum gate_step step);

/* Types of events of which a rule may match each one, whatever it holds. */
#define GATE_BREADTH_MAX 8
/* How far a bundle's time of making may lie ahead of the clock, seconds. */
#define GATE_AHEAD_MAX_S 86400

/* Who knows the language of policies. */
struct policy_checker {
	void *userdata;
	/* All policies of a bundle that was matched, beside its rules; need() for each power that they take, with the
	 * policy's name. Returns 0; -EINVAL: told; -ENOMEM. */
	int (*check)(void *userdata, const struct bundle *b, struct rule_set *rules,
	             void (*need)(void *context, struct str power, const char *policy), void *context,
	             struct diag_list *reterr_diags);
};

/* Who keeps what has happened here. */
struct gate_replayer {
	void *userdata;
	/* Judges it by a bundle that passed the steps before. why: a line, also if it passes; evidence: keys of the object
	 * at hand; diags: warnings, of what is worth a look. Returns 0; -EINVAL: it goes too far; -errno: it cannot be judged. */
	int (*replay)(void *userdata, const struct bundle *b, struct json *evidence, struct buf *why,
	              struct diag_list *reterr_diags);
};

struct gate_result {
	enum { GATE_PASSED, GATE_REFUSED, GATE_NOT_REACHED /* or not asked */ } verdict;
	struct buf reason;      /* one line */
	struct buf evidence;    /* a JSON object */
	struct diag_list diags; /* errors, if it refused; warnings */
};

struct gate_options {
	const struct keys *keys;
	const struct store_state *seen;        /* NULL: nothing */
	const struct policy_checker *policies; /* NULL: bundles with policies are refused */
	const struct gate_replayer *replayer;  /* NULL: that step is not asked */
	uint64_t schema;                       /* this agent's */
	uint64_t now_s;
	uint64_t budget; /* see rule_programs_check() */
	bool other_name; /* a bundle of another name than before is taken */
	unsigned skip;   /* 1 << step, for those that are not asked; form, manifest and files always are */
	/* Told of each step before it begins and when it has ended (result not NULL). NULL: nobody. */
	void (*watch)(void *userdata, enum gate_step step, const struct gate_result *result);
	void *userdata;
};

struct gate {
	struct gate_result results[GATE_STEPS];
	struct bundle *bundle;     /* as far as it was read; NULL: not at all */
	struct rule_set *rules;    /* from GATE_RULES on */
	struct signers signers;    /* from GATE_SIGNATURES on; borrowed from the options' keys */
	enum gate_step refused_at; /* GATE_STEPS: it passed */
};
/* path: of a bundle. Returns 0: the gate says how it went; -ENOMEM. */
int gate_run(const char *path, const struct gate_options *options, struct gate **ret_gate) must_check;
/* The same of one file's bytes; path: for messages. */
int gate_run_bytes(struct str bytes, const char *path, const struct gate_options *options, struct gate **ret_gate)
        must_check;
void gate_free(struct gate *g); /* NULL is allowed */
void gate_freep(struct gate **g);
/* An object: name, version, id, signers, and the steps with verdict, reason and evidence. */
void gate_add_json(const struct gate *g, struct json *j);

#endif
