/* SPDX-License-Identifier: Apache-2.0
 *
 * What a sensor tells a sieve of a random event, and the same event as rules ask for it; and a sieve's program, to be run on
 * it in picket's sandbox and in the running kernel.
 */
#ifndef PICKET_TESTS_COMPILED_SIEVE_H
#define PICKET_TESTS_COMPILED_SIEVE_H

#include "random.h"
#include "schema/sieve.h"

/* ---- events: sieve_event.c ---- */

#define NAME_BYTES_MAX 512
struct sieve_event {
	struct field_source source;
	struct random_source others; /* answers for what the sieve is not told of */
	enum sieve_state state;
	struct sieve_name {
		char text[NAME_BYTES_MAX];
		size_t length, slash; /* slash: the last */
	} names[SIEVE_NAMES_MAX], asked;
	unsigned name_count;
	unsigned name; /* the one that rules are asked under */
	bool directory;
	int64_t numbers[SIEVE_NUMBERS];
	uint64_t live[SIEVE_RULES_MAX / 64]; /* rules that may match for the process */
};
/* states: SIEVE_IN(), that its type may be in. */
void sieve_event_init(struct sieve_event *e, struct rng *r, const char *type, unsigned states);
/* As bpf/lib/sieve.h has it: to the beginning of a scratch space and somewhere in its record. */
void sieve_event_tell(const struct sieve_event *e, struct rng *r, uint8_t *scratch);
void sieve_event_show(const struct sieve_event *e);

/* ---- programs: sieve_machine.c ---- */

struct sieve_machine;
struct rule_sieve;
/* kernel: programs are to run there, too. Returns 0; -EPERM: not allowed to; -errno. */
int sieve_machine_new(bool kernel, struct sieve_machine **ret_machine) must_check;
void sieve_machine_free(struct sieve_machine *m);
uint8_t *sieve_machine_scratch(struct sieve_machine *m); /* what the program sees, in all places where it runs */
/* Verifies a program and takes it in the place of the one before. kernel: also into the kernel. Returns 0; -errno, and
 * ret_why says what is wrong. */
int sieve_machine_load(struct sieve_machine *m, const struct rule_sieve *s, bool kernel, char *ret_why, size_t size)
        must_check;
/* Runs it on the scratch space. ret_passes: the same in the sandbox and in the kernel. Returns 0; -errno: ret_why. */
int sieve_machine_run(struct sieve_machine *m, bool *ret_passes, char *ret_why, size_t size) must_check;
uint64_t sieve_machine_bound(const struct sieve_machine *m); /* instructions, of the program; the verifier's */

#endif
