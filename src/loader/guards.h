/* SPDX-License-Identifier: Apache-2.0
 *
 * Guards in the kernel: load them with compiled policies, attach them to a control group, renew their lease, hear their
 * verdicts. Unless they are pinned they are gone when the process ends, in any way. Not thread-safe.
 */
#ifndef PICKET_LOADER_GUARDS_H
#define PICKET_LOADER_GUARDS_H

#include "loader/loader.h"
#include "schema/guard.h"

#define GUARD_EXECUTABLES_MAX 64

/* Compiled policies, as schema/guard.h describes them. Borrowed. */
struct guard_image {
	const struct guard_policy *policies;
	const uint32_t *modes; /* of each: enum guard_mode */
	size_t policy_count;
	struct guard_point_policies points[GUARD_POINTS];
	const struct guard_test *tests;
	size_t test_count;
	const struct guard_text_key *texts;
	size_t text_count;
	const struct guard_number_key *numbers;
	size_t number_count;
	const struct guard_net_key *nets;
	size_t net_count;
	const struct guard_protected_key *protected;
	size_t protected_count;
	/* Where fanotify asks before a program starts: of what point GUARD_AT_EXEC_CHECK's policies name, at most
	 * GUARD_EXECUTABLES_MAX. None: a security hook asks there. */
	const char *const *executables;
	size_t executable_count;
	bool reactions;   /* some policies act on what has happened: guards_react() is asked */
	bool bits;        /* some tests are decided by guards_know() */
	bool quarantines; /* some cut control groups off: guards_cut() */
};

struct guards;
/* Loads, attaches nothing. Without a lease they only tell. instance: whose they are, the path of its status socket; NULL: none.
 * Returns 0; -EPERM; -EOPNOTSUPP; -errno. */
int guards_new(const struct guard_image *image, const char *instance, struct guards **ret_guards,
               struct loader_failure *reterr_failure) must_check;
void guards_free(struct guards *g); /* detaches, unpins; NULL is allowed */
/* What their policies need, of sockets at this cgroup v2 directory and below. */
int guards_attach(struct guards *g, const char *cgroup, struct loader_failure *reterr_failure) must_check;
/* Until when they may act, in CLOCK_BOOTTIME; 0: they only tell from now on. */
int guards_renew(struct guards *g, uint64_t until_ns) must_check;
bool guards_disarmed(struct guards *g); /* by another process, see inventory.h: they do nothing any more */
/* Also sets its breaker back: its minute begins anew. */
int guards_set_mode(struct guards *g, uint32_t policy, uint32_t mode) must_check;
/* All of it: for guards that go on with what others counted, before they are attached. */
int guards_set_state(struct guards *g, uint32_t policy, const struct guard_state *state) must_check;
int guards_state(struct guards *g, uint32_t policy, struct guard_state *ret_state) must_check;
int guards_policy(struct guards *g, uint32_t policy, struct guard_policy *ret_policy) must_check;
/* The verdicts since the last call, a bounded number at once. Returns how many, or -errno. */
ssize_t guards_poll(struct guards *g, void (*call)(void *userdata, const struct guard_verdict *verdict), void *userdata)
        must_check;
/* May a policy act on a process after the fact? Bounded and counted as what guards do: mode, breaker, lease, protected programs.
 * r->verdict says what becomes of it. Returns 0; -errno: it may not. */
int guards_react(struct guards *g, struct guard_reaction *r) must_check;
/* Further programs that no policy touches; those that were adopted keep what they have. Returns 0; -ENOSPC: there are too many; -errno. */
int guards_protect(struct guards *g, const struct guard_protected_key *keys, size_t count) must_check;
void guards_unprotect(struct guards *g, const struct guard_protected_key *key);
/* A control group becomes, or is no longer, one that policies with that number of scope.members are for.
 * Returns 0; -ENOSPC: GUARD_MEMBERS_MAX are; -errno. */
int guards_put_member(struct guards *g, uint32_t members, uint64_t cgroup_id, enum guard_member how) must_check;
void guards_remove_member(struct guards *g, uint32_t members, uint64_t cgroup_id);
/* Tells what was decided about a process. Returns 0; -errno. Whether it counts, the kernel knows. */
int guards_know(struct guards *g, struct guard_knowledge *k) must_check;
/* Is that among what no policy touches? */
bool guards_has_protected(const struct guards *g, const struct guard_protected_key *key);
/* Drops all packets of a cgroup v2 directory and those below it while there is a lease. Needs an image with quarantines; ret_cut:
 * guard_cut_free(), before the guards are freed. Returns 0, -errno. */
struct guard_cut;
int guards_cut(struct guards *g, const char *cgroup, struct guard_cut **ret_cut) must_check;
void guard_cut_free(struct guard_cut *c); /* gives the network back; NULL is allowed */
/* Who answers before executables start: to be called each second. */
enum guards_gate {
	GUARDS_GATE_NONE,    /* nothing is asked by fanotify */
	GUARDS_GATE_ANSWERS, /* within a second, or has let all start */
	GUARDS_GATE_ENDED,   /* all start, until another one answers */
};
struct guards_gate_counts {
	uint64_t asked, failed; /* failed: could not be asked or answered, or a file not be marked */
};
enum guards_gate guards_tend_gate(struct guards *g);
bool guards_gate_counts(const struct guards *g, struct guards_gate_counts *ret_counts); /* false: there is none */
int guards_fd(const struct guards *g); /* readable when there are verdicts */

/* ---- without this process ---- */

/* Those that are attached, in the first BPF file system that is mounted: they outlive the process, and act on as long as
 * their policies persist. instance: as at guards_new(). Returns 0; -EOPNOTSUPP: none is mounted, or there is no
 * instance; -errno. */
int guards_pin(struct guards *g, const char *instance, struct loader_failure *reterr_failure) must_check;
void guards_leave(struct guards *g); /* frees; what is pinned goes on. NULL is allowed */
/* Guards that an earlier picket of this instance left: they can be renewed, asked and polled, and guards_free() ends them.
 * Returns 0; -ENOENT: there are none; -ESTALE: they are another version's, and can only be removed; -errno. */
int guards_adopt(const char *instance, struct guards **ret_guards) must_check;
/* Ends all that are pinned by this instance, but not keep, which may be NULL. Returns how many loads, or -errno. */
int guards_unpin_others(const char *instance, const struct guards *keep) must_check;

/* The id and depth of a cgroup v2 directory, as guards compare them. */
int guards_cgroup(const char *path, struct guard_cgroup *ret_cgroup) must_check;

#endif
