/* SPDX-License-Identifier: Apache-2.0
 *
 * What this host has accepted, on disk. A directory of:
 *
 *	state		the newest version seen of each bundle, the newest time seen, which bundle is what, where the
 *			history ends; replaced as a whole
 *	bundles/ID	the bundles that state names, each in its one-file form under its manifest's hash
 *	history		a line for each thing that was done, chained by hashes; only appended to; history.1: the lines before
 *	lock		held by who changes something
 *	boot		see boot.h
 *	running		held by the picket that runs what is current
 *
 * Each change is a line of the history, then a new state: power may fail at any instruction, and what is found afterwards
 * is the old state or the new one, and at most one line too many. Then the next change says so in a line of its own.
 */
#ifndef PICKET_TRUST_STORE_H
#define PICKET_TRUST_STORE_H

#include "trust/bundle.h"

#define STORE_NAMES_MAX 64               /* bundles by name whose newest version is remembered */
#define HISTORY_BYTES_MAX (8u << 20)     /* of one file; then it becomes history.1, and the one before is gone */
#define HISTORY_EVIDENCE_MAX (64u << 10) /* of a line */

enum store_role {
	STORE_NEXT,    /* accepted, not in force */
	STORE_CURRENT, /* in force */
	STORE_GOOD,    /* the last that proved itself */
	STORE_BEFORE,  /* the one that did so before it */
	STORE_ROLES
};
const char *store_role_name(enum store_role role); /* "next" … */

struct store_entry {
	char name[BUNDLE_NAME_MAX + 1];
	uint64_t version; /* 0: there is none */
	struct digest id;
};
struct store_state {
	uint64_t time_s; /* the newest time seen; 0: none */
	struct store_entry newest[STORE_NAMES_MAX];
	size_t newest_count;
	struct store_entry roles[STORE_ROLES];
	uint64_t history_count; /* lines, ever */
	struct digest history_head;
};
const struct store_entry *store_state_newest(const struct store_state *s, struct str name); /* NULL: never seen */
/* The name of the bundles that this host takes: of the current one, else of the next; NULL: it has taken none. */
const char *store_state_name(const struct store_state *s);

struct store;
enum store_use {
	STORE_READ,  /* it need not be there: then all is as on a new host */
	STORE_WRITE, /* it is made; what an earlier change left half done is mended */
};
/* Returns 0; -EBADMSG: state or history are damaged; -EBUSY: another one changes it; -errno: all told in reterr_diags;
 * -ENOMEM. */
int store_open(const char *path, enum store_use use, struct diag_list *reterr_diags, struct store **ret_store)
        must_check;
void store_close(struct store *s); /* NULL is allowed */
void store_closep(struct store **s);
const struct store_state *store_state(const struct store *s); /* borrowed, until the next change */
/* The bundle of a role, in its one-file form. Returns 0, -ENOENT, -errno. */
int store_read_bundle(const struct store *s, enum store_role role, struct buf *out) must_check;
/* The same, read, parsed, matched, and the one that the state names.
 * Returns 0; -ENOENT: there is none; -EINVAL: it is damaged: told; -ENOMEM. */
int store_open_bundle(const struct store *s, enum store_role role, struct diag_list *reterr_diags,
                      struct bundle **ret_bundle) must_check;

/* ---- changes: each returns 0, or -errno and then nothing has changed but perhaps a line of the history. evidence: a JSON
 * object in one line. now_s: moves the newest time seen on, never back ---- */

/* The bundle becomes next, its version the newest seen. -ENOSPC also: too many names. */
int store_accept(struct store *s, const struct bundle *b, uint64_t now_s, struct str evidence) must_check;
int store_promote(struct store *s, uint64_t now_s, struct str evidence) must_check; /* next → current; -ENOENT */
int store_confirm(struct store *s, uint64_t now_s, struct str evidence) must_check; /* current → good → before */
/* What has not proved itself gives way to the good one, or to none if there is none; the good one to that before. -ENOENT: there
 * is nothing to go back to. */
int store_roll_back(struct store *s, uint64_t now_s, struct str evidence) must_check;
int store_dismiss(struct store *s, uint64_t now_s, struct str evidence) must_check; /* no next any more; -ENOENT */
/* Does something else run than what has proved itself? */
bool store_state_is_unproved(const struct store_state *s);
/* Only a line; what: a word. */
int store_note(struct store *s, const char *what, uint64_t now_s, struct str evidence) must_check;
/* The newest time seen becomes now_s, though it is earlier: the clock had been wrong. */
int store_set_time(struct store *s, uint64_t now_s, struct str evidence) must_check;

/* ---- the history ---- */

struct history_line {
	uint64_t number; /* from 1 */
	uint64_t time_s;
	struct str what, evidence;
	struct digest hash; /* of this line and the hash before it */
};
struct history_verdict {
	enum {
		HISTORY_WHOLE,
		HISTORY_AHEAD,   /* lines behind those that the state knows: a change was not finished */
		HISTORY_CUT,     /* the last line does not end: it was being written */
		HISTORY_SHORT,   /* lines that the state knows are gone */
		HISTORY_CHANGED, /* a line is not what it was */
	} kind;
	uint64_t number; /* of the first line that is not as it must be; AHEAD: the last that the state knows */
};
const char *history_verdict_text(const struct history_verdict *v);
bool history_is_damaged(const struct history_verdict *v); /* SHORT or CHANGED: not by a machine that stopped */
/* Calls for each line that is whole, up to the first that is not as it must be. Returns 0; -errno of reading; -ENOMEM. */
int store_read_history(const struct store *s, void (*call)(void *userdata, const struct history_line *line),
                       void *userdata, struct history_verdict *ret_verdict) must_check;

#endif
