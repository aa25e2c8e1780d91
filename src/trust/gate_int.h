/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of the gate.
 */
#ifndef PICKET_TRUST_GATE_INT_H
#define PICKET_TRUST_GATE_INT_H

#include "base/map.h"
#include "trust/gate.h"

#define GATE_CODE "BUNDLE_ERR_GATE"

/* One run of the gate, as a step sees it. */
struct passage {
	struct gate *gate;
	const struct gate_options *options;
	const char *path;
	const struct str *bytes; /* NULL: path is to be read */
	struct map powers;       /* that the content needs: the name of the first policy that does, in texts */
	struct arena texts;
	/* Of the present step: */
	struct gate_result *result;
	struct json evidence; /* within an object */
};

/* Tells why the step refuses. Returns -EINVAL. */
int gate_refuse(struct passage *p, const char *format, ...) printf_like(2, 3);
/* What it says when it passes. Returns 0. */
int gate_pass(struct passage *p, const char *format, ...) printf_like(2, 3);
void gate_note_u64(struct passage *p, const char *key, uint64_t value); /* into the evidence */

/* Each returns 0: passed; -EINVAL: refused, told in the result's diags; -ENOMEM. */
int gate_rules(struct passage *p) must_check;
int gate_bound(struct passage *p) must_check;
int gate_supply(struct passage *p) must_check;
int gate_samples(struct passage *p) must_check;
int gate_breadth(struct passage *p) must_check;

#endif
