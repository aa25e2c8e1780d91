/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the room: what the texts of the process before came to. Processes that are looked at one after the other have
 * many texts in common (user, container, capabilities, ancestors): what compares those need not be decided again.
 */
#ifndef PICKET_RULE_TEXT_PAST_H
#define PICKET_RULE_TEXT_PAST_H

#include "rule/plan.h"

struct text_past;
struct texts_past {
	struct text_past *items; /* by text of the plan */
	size_t count, words;     /* words of 8 bytes that process bits take */
	uint64_t *bits;
};
/* Of the texts that are of processes. Returns 0; -ENOMEM. */
int texts_past_init(struct texts_past *t, const struct plan *p) must_check;
void texts_past_done(struct texts_past *t);
/* Is this text's value the one that was kept? Then the bits of its atoms are added to those of a process. */
bool texts_past_find(const struct texts_past *t, uint32_t text, struct str value, uint64_t *process_bits);
/* Its atoms are decided: their bits. A long value is not kept. */
void texts_past_keep(struct texts_past *t, uint32_t text, struct str value, const uint64_t *process_bits);

#endif
