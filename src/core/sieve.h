/* SPDX-License-Identifier: Apache-2.0
 *
 * The sieve: programs in the kernel, made of the rules, that drop events which no rule can match before they are sent.
 */
#ifndef PICKET_CORE_SIEVE_H
#define PICKET_CORE_SIEVE_H

#include "base/json.h"
#include "event/event.h"
#include "loader/loader.h"
#include "rule/rule.h"

/* A program, and the types of events that it decides about. */
#define SIEVE_PROGRAMS_MAX 64
#define SIEVE_PROGRAM_TYPES_MAX 32
struct sieve_program {
	unsigned types[SIEVE_PROGRAM_TYPES_MAX];
	size_t type_count;
	size_t insn_count;
	char why[256]; /* refused, so that all events of these types pass: why; "": it sieves */
};
struct sieve_status {
	struct sieve_program programs[SIEVE_PROGRAMS_MAX];
	size_t count;
	uint64_t load_ns; /* what making and loading took */
};

/* For the rules that these programs are of, in the place of what was there; types about which the kernel can decide nothing
 * are not in the status. */
void sieve_install(struct loader *l, const struct rule_programs *programs, struct sieve_status *ret_status);
void sieve_remove(struct loader *l); /* all events pass */
/* Would this kernel take them? Nothing is attached. */
void sieve_try(const struct rule_programs *programs, struct sieve_status *ret_status);
void sieve_report(const struct sieve_status *s, struct json *out); /* a key of the object at hand */

#endif
