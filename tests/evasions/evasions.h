/* SPDX-License-Identifier: Apache-2.0
 *
 * The live test of evasions: ways to do what a rule is about so that a monitor which believes the name that was asked
 * for does not notice. An evasion is a real attempt, made in a control group of its own under a running `picket run`
 * with picket's own rules, the alert that it must raise, and a harmless twin: as like it as can be, and not to be
 * reported by that rule.
 *
 * An attempt runs as a process of its own, started anew from this program (--act), so that picket sees a whole life.
 * Whatever it mounts, it mounts in a mount namespace of its own.
 */
#ifndef PICKET_TESTS_EVASIONS_H
#define PICKET_TESTS_EVASIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/base.h"

#define EXIT_SKIP 77 /* of an actor: this cannot be done here; the reason is the last line that it printed */
#define EXPECT_MAX 5
#define VAULT_RULE "Guarded file read"

/* ---- the table: one array a subject, ended by EVASIONS_END ---- */
struct evasion {
	const char *name;
	const char *what;
	const char *rule; /* that must raise an alert */
	/* Output fields of that alert. Value: whole; after '~' contained; after '^' the beginning. */
	struct {
		const char *field, *value;
	} expect[EXPECT_MAX];
	void (*attempt)(void);
	void (*twin)(void);
	void (*again)(void); /* what this program does when the actor starts it once more; NULL: it does not */
};
#define EVASIONS_END \
	{ \
		.name = NULL \
	}
extern const struct evasion reach_evasions[], name_evasions[], bit_evasions[], place_evasions[], log_evasions[],
        run_evasions[], process_evasions[], network_evasions[];

/* ---- the program: program.c ---- */
enum evasion_role { ATTEMPT, TWIN, EVASION_ROLES };
extern const char *const evasion_roles[EVASION_ROLES];
extern struct evasion_options {
	bool verbose;
	const char *pattern; /* of names; NULL: all */
	const char *picket, *rules;
} evasion_options; /* of the command line */
bool evasion_is_selected(const struct evasion *e);
/* What main() returns: as an actor, plays the part that argv names; else reads options, and runs the test. */
int evasion_main(int argc, char **argv, const struct evasion *const *subjects, size_t count, int (*test)(void));

/* ---- for actors: act.c. Each ends the process on failure. The working directory is the case's own, below /tmp. ---- */
_Noreturn void act_skip(const char *format, ...) printf_like(1, 2);
_Noreturn void act_fail(const char *what);
#define MUST(call) act_must((call), #call)
long act_must(long result, const char *call);

void act_write(const char *path, const char *text, mode_t mode);
const char *act_argument(void); /* of the program that was started again: the one after its role */
void act_copy(const char *from, const char *to, mode_t mode);
void act_read(const char *path);     /* opens it for reading, reads a little, closes it */
void act_read_fd(int fd);            /* reads a little and closes it */
void act_run(const char *path, ...); /* the arguments, argv[0] first, NULL at the end; waits. Any end of it will do. */
pid_t act_fork(void);
void act_wait(pid_t pid);
void act_private_mounts(void);
void act_tmpfs(const char *directory); /* over it; act_private_mounts() comes first */
/* A copy of /etc's account files in memory, over /etc, in a mount namespace of its own. */
void act_private_etc(void);
/* A network of its own: only a loopback interface, which also has these addresses. */
#define NET4 "203.0.113.7"
#define NET6 "2001:db8::7"
#define METADATA4 "169.254.169.254"
#define NET_PORT 4444
void act_private_network(void);
int act_connect(int family, int type, const char *address, uint16_t port); /* a TCP peer listens there */
int act_memfd(const char *path, unsigned flags);                           /* a copy of the file in memory */

/* ---- one request through io_uring: uring.c. Returns what the kernel answers. ---- */
long uring_openat(const char *path, int flags, unsigned mode);
long uring_openat_direct(const char *path, int flags); /* into a table of the ring's own, not of the process */
long uring_renameat(const char *from, const char *to);
long uring_connect(int fd, const void *address, unsigned size);

/* ---- control group, directory, processes: stage.c ---- */
struct stage {
	char cgroup[200];
	char directory[100];
	char self[200];       /* this program */
	const char *argument; /* of actors, after their role; NULL: none */
	unsigned lane;        /* number of a lane; 0: the stage itself */
	int cleaner_fd;       /* when its last copy is closed, everything is removed */
	pid_t cleaner_pid;
};
/* Makes them, and a process that removes them however this one ends. Returns 0, -errno; ret_reason says why not. */
int stage_open(struct stage *s, char *ret_reason, size_t size) must_check;
void stage_close(struct stage *s);
/* A part of an open stage, in which a process of its own may let actors act beside those of the stage and of other lanes:
 * with a control group of its own below the stage's, which the stage's end removes. number: from 1 on. Returns 0, -errno. */
int stage_lane(const struct stage *s, unsigned number, struct stage *ret_lane) must_check;
/* Runs an actor in the control group until it and every descendant has ended. Returns its exit code, or -errno;
 * ret_last is the last line that it printed. */
int stage_act(const struct stage *s, const char *name, const char *role, char *ret_last, size_t size) must_check;
/* Starts a program in the control group and waits for it. */
int stage_run(const struct stage *s, const char *path, const char *argv0) must_check;

/* ---- picket, and what it reports: watch.c ---- */
struct cJSON;
struct watch {
	const struct stage *stage;
	const char *name; /* borrowed; of its files and marks */
	pid_t pid;
	int alerts_fd; /* its output file */
	char *unread;  /* bytes after the last whole line */
	size_t unread_bytes;
	unsigned marks;
	/* What takes alerts when they are collected; NULL: alerts keeps them. Set after watch_open(). */
	void (*take)(void *userdata, const struct cJSON *alert);
	void *userdata;
	struct cJSON **alerts; /* since the last mark */
	size_t alert_count;
	bool overflow; /* there were more */
};
/* Starts picket and waits until it watches. name: another than that of other watches of the stage. more: further
 * arguments of picket, NULL at the end; or NULL.
 * Returns 0; -EOPNOTSUPP: it says that it cannot run here; another -errno. ret_reason: what picket said. */
int watch_open(struct watch *w, const struct stage *s, const char *name, const char *picket, const char *rules,
               const char *const *more, char *ret_reason, size_t size) must_check;
void watch_close(struct watch *w);
/* Collects the alerts about all that has happened in the control group until now. Returns 0; -ETIME; -ENOBUFS: there
 * were more than it can hold; -errno. */
int watch_collect(struct watch *w) must_check;
const struct cJSON *watch_find(const struct watch *w, const struct evasion *e); /* the alert that e expects, or NULL */
const struct cJSON *watch_find_rule(const struct watch *w, const char *rule);   /* any of that rule, or NULL */
void watch_show(const struct watch *w);                                         /* all of them, on stdout */
/* Ends picket. Returns 0; -ENODATA: it lost events, and ret_reason says what; -errno. */
int watch_end(struct watch *w, char *ret_reason, size_t size) must_check;

#endif
