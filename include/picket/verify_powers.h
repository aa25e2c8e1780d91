/* SPDX-License-Identifier: Apache-2.0
 *
 * libpicket: what the programs of an object could do to the host, from what they are for, where they are attached, the
 * functions of the kernel that they call, the memory that they write, and the constants among their arguments. Nothing is
 * run. A program that does not verify gets a list too, but what it says holds for programs that do.
 *
 *   struct picket_powers *powers;
 *   if (!picket_powers_of(image, PICKET_KIND_AUTO, &powers))
 *           for (size_t i = 0; i < picket_powers_count(powers); i++)
 *                   puts(picket_power_name(picket_powers_at(powers, i)->power));
 *   picket_powers_free(powers);
 *
 * A list says all that a program could do, and may say more: what depends on conditions that cannot be is listed, too.
 */
#ifndef PICKET_VERIFY_POWERS_H
#define PICKET_VERIFY_POWERS_H

#include "picket/verify.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

enum picket_severity { PICKET_SEVERITY_LOW, PICKET_SEVERITY_MEDIUM, PICKET_SEVERITY_HIGH, PICKET_SEVERITY_CRITICAL };
const char *picket_severity_name(enum picket_severity severity); /* "low" ...; NULL: no such */

enum picket_power {
#define POWER(id, name, severity, doc) PICKET_POWER_##id,
#include "picket/verify_power.h"
#undef POWER
	PICKET_POWERS,
};
/* "kill" ...; NULL for a number that is none. Static. */
const char *picket_power_name(enum picket_power power);
const char *picket_power_doc(enum picket_power power);
enum picket_severity picket_power_severity(enum picket_power power);

#define PICKET_POWERS_MAX 65536 /* entries of a list */
#define PICKET_POWER_HOOK UINT32_MAX

struct picket_power_entry {
	uint32_t program; /* index, for picket_powers_program() */
	enum picket_power power;
	char detail[64]; /* what exactly: "SIGKILL", "cgroup/connect4", "2"; "" */
	/* Why, at the first place that gives it; not part of what is signed or compared. */
	char cause[96]; /* "bpf_send_signal", "returns 2", "section lsm/file_open"; "" in a list that was read */
	uint32_t insn;  /* PICKET_POWER_HOOK: it is what the program is for */
};

/* One program of a list. */
struct picket_powers_program {
	const char *name, *section;
	enum picket_kind kind; /* PICKET_KIND_AUTO: not known; then it has the power "unknown" */
};

struct picket_powers;
/* kind: of all programs; PICKET_KIND_AUTO: by their sections. ret_powers: picket_powers_free(). Time grows with the number of
 * instructions. Returns 0; -EINVAL: a program has instructions that do not exist, reterr says where; -E2BIG: more than
 * PICKET_POWERS_MAX; -ENOMEM. Any thread. */
int picket_powers_of(const struct picket_image *image, enum picket_kind kind, struct picket_powers **ret_powers,
                     struct picket_error *reterr);
void picket_powers_free(struct picket_powers *p); /* NULL is allowed */
size_t picket_powers_program_count(const struct picket_powers *p);
/* In the order of their names. Borrowed. */
struct picket_powers_program picket_powers_program(const struct picket_powers *p, size_t index);
/* In the order of their programs, then of enum picket_power, then of their details; no two are the same. Borrowed. */
size_t picket_powers_count(const struct picket_powers *p);
const struct picket_power_entry *picket_powers_at(const struct picket_powers *p, size_t index);

/* ---- to be signed and compared ---- */
/* The list as text that is the same for the same powers, whatever the compiler, the order of programs or the place of
 * instructions: to be signed, kept and compared. ret_text: free(). -ENOMEM.
 *
 *   picket-powers 1
 *   program NAME KIND SECTION           sorted by bytes, each line once; what is no letter, digit or one of
 *   power NAME POWER [DETAIL]           "-_./:+,=" in a word is written %XX */
int picket_powers_write(const struct picket_powers *p, char **ret_text, size_t *ret_length);
/* The same text back. -EINVAL: it is not such a text, to the byte; reterr says why and on which line. */
int picket_powers_read(const char *text, size_t length, struct picket_powers **ret_powers, struct picket_error *reterr);

enum picket_powers_change {
	PICKET_POWERS_ADDED,   /* no program of the old list had it */
	PICKET_POWERS_SPREAD,  /* this program had not, but another one of the old list */
	PICKET_POWERS_REMOVED, /* no program of the new list has it */
	PICKET_POWERS_SHRUNK,  /* this program has not, but another one of the new list */
};
/* Calls with each difference, first with what is added; entry and program are of the new list if added or spread, else of the
 * old one. Programs are told apart by name. Powers with another detail are others. -ENOMEM. */
int picket_powers_compare(const struct picket_powers *old, const struct picket_powers *now,
                          void (*differs)(enum picket_powers_change change, const struct picket_power_entry *entry,
                                          const struct picket_powers_program *program, void *user),
                          void *user);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
