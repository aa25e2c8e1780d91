/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to picket as it runs: its state directory. What a start finds there, what it is to run, and how it steps down when
 * the starts before it died (trust/boot.h). Changes of the store go through it. Not thread-safe.
 */
#ifndef PICKET_CORE_STARTUP_H
#define PICKET_CORE_STARTUP_H

#include "base/diag.h"
#include "trust/boot.h"
#include "trust/store.h"

#define STARTUP_PATH_MAX 4096
#define STARTUP_REASON_MAX 512

struct startup {
	char path[STARTUP_PATH_MAX];
	int lock_fd;
	struct store_state state; /* as it was when last looked at; what could not be written is in it, too */
	struct boot boot;
	enum boot_rung rung;  /* of this start */
	enum store_role role; /* that is to be run: STORE_CURRENT, but STORE_GOOD where that could not be written */
	struct digest kernel; /* that runs */
	bool counted;         /* this start is in boot, and has not proved itself */
	uint64_t retry_ns;    /* when a way back that is not on disk yet is tried to be written */
	char reason[STARTUP_REASON_MAX]; /* why it is not as it was asked for; "": it is */
};

/* Takes the directory, counts the start, and steps down if the ones before died. What cannot be read or written is told, and
 * gone on without. Returns 0; -EBUSY: told: another picket runs with it. */
int startup_begin(struct startup *s, const char *path) must_check;
void startup_done(struct startup *s); /* lets go of the directory */
/* What is to be run did not work. */
void startup_step_down(struct startup *s, const char *reason);
bool startup_is_bundle(const struct startup *s);       /* is a bundle to be run? Else picket's own rules */
bool startup_is_unproved(const struct startup *s);     /* does other content run than the last known good? */
bool startup_needs_preflight(const struct startup *s); /* it was never tried on this kernel */
void startup_passed_preflight(struct startup *s);
void startup_proved(struct startup *s); /* it lived long enough */
void startup_ended(struct startup *s);  /* by a wish, not by dying */

/* ---- changes of the store. reason, and details as JSON (may be empty), go into the history. Each returns 0; -errno:
 * told ---- */

int startup_promote(struct startup *s, const char *reason, struct str details) must_check;
int startup_confirm(struct startup *s, const char *reason, struct str details) must_check;
/* Where it cannot be written, it is so until the next start. -ENOENT: there is nothing to go back to. */
int startup_roll_back(struct startup *s, const char *reason, struct str details) must_check;
int startup_dismiss(struct startup *s, const char *reason, struct str details) must_check;
void startup_look(struct startup *s); /* what others changed */
/* Once a second: what could not be written is tried again. */
void startup_tick(struct startup *s);

#endif
