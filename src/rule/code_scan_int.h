/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to code_scan*.c: what a table's records are to who makes them and to the program that reads them.
 */
#ifndef PICKET_RULE_CODE_SCAN_INT_H
#define PICKET_RULE_CODE_SCAN_INT_H

#include "rule/code.h"

/* Bits to be set in one word of the results. */
struct scan_record {
	uint64_t mask;
	uint32_t word; /* bytes from the results' begin */
	uint32_t next; /* 0: there is no other one */
	uint32_t row;  /* of the state whose first record it is */
	uint32_t unused;
};

/* Of patterns that scan_new() takes. */
void scan_signs_choose(struct scan *s, const struct pattern *patterns, size_t count);
/* Goes to `none` if the text (r8, r9 bytes, at least one) has no sign, else on. Changes r0 to r5. s has signs. */
void scan_signs_write(struct code *c, const struct scan *s, code_label none);

#endif
