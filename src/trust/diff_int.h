/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files that compare.
 */
#ifndef PICKET_TRUST_DIFF_INT_H
#define PICKET_TRUST_DIFF_INT_H

#include "trust/diff.h"

/* What was written in lists and exceptions, in its order. */
struct written_list {
	struct arena arena;
	struct rule_written *items;
	size_t count, capacity;
	int error; /* -ENOMEM */
};
struct side {
	struct bundle_side public;
	struct written_list written;
};

struct comparison {
	struct side before, after;
	void (*call)(void *userdata, const struct bundle_change *change);
	void *userdata;
};

void change_tell(struct comparison *c, enum change_effect effect, const char *subject, struct str name,
                 const char *format, ...) printf_like(5, 6);

/* ---- diff_rule.c ---- */
void diff_rules(struct comparison *c);

#endif
