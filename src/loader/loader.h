/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel half, seen from user space: probe hooks, load and attach sensors, read their ring and counters. The only
 * room that uses libbpf. Not thread-safe. Nothing is pinned: when the process ends, in any way, all is detached.
 */
#ifndef PICKET_LOADER_LOADER_H
#define PICKET_LOADER_LOADER_H

#include "base/base.h"
#include "base/buf.h"
#include "schema/sieve.h"

struct loader;

struct loader_options {
	size_t ring_bytes;    /* power of two, a multiple of the page size; 0: 8 MiB */
	const char *cgroup;   /* only tasks in this cgroup v2 directory or below; NULL: all */
	bool environment;     /* record environ at exec */
	const char *instance; /* whose they are: path of the status socket; NULL: none */
	bool include_self;    /* false: what picket itself does makes no events */
	bool verbose;         /* libbpf's own messages to stderr */
	bool attach_nothing;  /* only load: would this kernel take it? */
};

/* What is missing, for people: set on any failure of loader_new(). */
struct loader_failure {
	char what[256]; /* one sentence */
	char hint[512]; /* what to change: capability, kernel option, sysctl */
};

/* Probes, loads and attaches. Returns 0; -EPERM: a capability is missing; -EOPNOTSUPP: the kernel cannot; -errno. */
int loader_new(const struct loader_options *options, struct loader **ret_loader, struct loader_failure *reterr_failure)
        must_check;
void loader_free(struct loader *l); /* detaches all */

/* Which events are to be made, and which of these pass whatever their sieve says: bit per event type (struct event_set's
 * bits, 4 words). State events are made anyway. */
int loader_set_events(struct loader *l, const uint64_t wanted[4], const uint64_t kept[4]) must_check;
/* ---- the sieve: programs made of rules that drop events before they are sent ---- */
#define LOADER_SIEVE_TABLES_MAX 8
struct loader_sieve_table {
	const void *data;
	size_t bytes;
};
/* Maps by index: 0: the scratch spaces, 1: the array of programs, from 2 on the tables (rule.h says what it does). */
struct loader_sieve {
	const void *insns; /* struct bpf_insn */
	size_t insn_count;
	const struct loader_sieve_table *tables; /* copied */
	size_t table_count;
};
/* For events of these types (enum event_type), from now on, instead of the programs before. NULL: they all pass.
 * Returns 0; -EOPNOTSUPP: this kernel has no sieve; -errno: refused, reterr_why says why, and all pass. */
int loader_set_sieve(struct loader *l, const unsigned *types, size_t count, const struct loader_sieve *sieve,
                     char *reterr_why, size_t size) must_check;
/* Does this kernel take it? Loaded, attached to nothing, and gone again. Returns as loader_set_sieve(). */
struct loader_sieve_trial {
	int scratches, programs; /* maps */
	int hook;
};
int loader_sieve_trial_begin(struct loader_sieve_trial *ret_trial) must_check; /* 0; -EOPNOTSUPP; -errno */
int loader_sieve_try(const struct loader_sieve_trial *t, const struct loader_sieve *sieve, char *reterr_why,
                     size_t size) must_check;
void loader_sieve_trial_end(struct loader_sieve_trial *t);
/* While it is paused all events that are wanted pass; what was loaded stays, and so does what is known of processes. */
void loader_pause_sieve(struct loader *l, bool paused);
/* What opens a file for writing passes, whatever the sieve says. */
void loader_keep_writes(struct loader *l, bool keep);
/* Events about that file pass, by whatever name it is reached; dev as in struct fd_info. For good. */
void loader_pass_file(struct loader *l, uint32_t dev, uint64_t ino);

/* ---- processes, and which rules can still match them ---- */
struct loader_process {
	int pidfd;
	uint64_t position; /* in the ring: what was made before stands before it */
	struct sieve_process value;
};
/* To be called first: from here on, what changes the process prevents loader_process_set(), or undoes it. ret_process:
 * loader_process_done(). Returns 0; -ESRCH: it has ended; -EAGAIN: with a later
 * event; -errno. */
int loader_process_begin(struct loader *l, uint32_t pid, uint64_t start_ns, struct loader_process *ret_process)
        must_check;
/* Have all records been taken that were in the ring at loader_process_begin()? */
bool loader_process_is_ready(const struct loader *l, const struct loader_process *p);
/* Then: p->value's uid, gid, ppid, types and
 * rules, of which the caller has set them. Returns 0; -ENOENT: the process has changed; -errno. */
int loader_process_set(struct loader *l, struct loader_process *p) must_check;
void loader_process_done(struct loader_process *p); /* closes it; what was set stays */
void loader_processes_forget(struct loader *l);     /* whatever was set, or is about to be */

/* Records of all processes that are there now: written before anything that loader_poll() gives later. Calls put with
 * each record. Call once, after loader_new(). */
int loader_list_tasks(struct loader *l, int (*put)(void *userdata, const void *record, size_t length), void *userdata)
        must_check;

int loader_fd(const struct loader *l); /* readable (epoll) when the ring has passed its mark; poll also by timeout */
/* Gives the records that are in the ring, at most max, oldest first; data is borrowed for the call. put returns 0 to go
 * on, or a negative errno to stop. Returns the number given, or that errno. */
ssize_t loader_poll(struct loader *l, size_t max, int (*put)(void *userdata, const void *record, size_t length),
                    void *userdata) must_check;

/* Where the ring is written now; has loader_poll() given all that was written before? */
uint64_t loader_position(const struct loader *l);
bool loader_has_passed(const struct loader *l, uint64_t position);

/* Counters by name (schema/errors.def), summed over CPUs. */
size_t loader_counter_count(void);
const char *loader_counter_name(size_t i);
const char *loader_counter_doc(size_t i);
int loader_counters(struct loader *l, uint64_t *ret_values, size_t count) must_check;
struct loader_ring_info {
	size_t bytes, used;
};
void loader_get_ring(const struct loader *l, struct loader_ring_info *ret_info);

/* A sensor a row. */
struct loader_sensor_report {
	const char *name, *what;   /* of sensor.def */
	const char *hook;          /* taken, or NULL: none works */
	const char *lost, *change; /* what is lost by this hook; what to change; "" if nothing */
	int error;                 /* why the preferred hook was not taken: 0, or -errno of the kernel */
};
size_t loader_probe(struct loader_sensor_report *ret_reports, size_t max); /* how many; without loading */
size_t loader_sensors(const struct loader *l, struct loader_sensor_report *ret_reports, size_t max);
/* Things of the host that picket needs: kernel version, BTF, capabilities, sysctls, memory lock. */
struct loader_requirement {
	const char *name;
	bool ok, fatal;
	char found[160], change[256];
};
size_t loader_requirements(struct loader_requirement *ret_requirements, size_t max);

#endif
