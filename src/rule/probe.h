/* SPDX-License-Identifier: Apache-2.0
 *
 * Events that never happened, of which little is known: to find out what a condition matches whatever the event holds.
 */
#ifndef PICKET_RULE_PROBE_H
#define PICKET_RULE_PROBE_H

#include "rule/rule.h"

enum probe {
	PROBE_NOTHING, /* what does not follow from the event's type has no value */
	PROBE_TRUE,    /* has an ordinary one, and what may be true is */
	PROBE_FALSE,
	PROBES
};

struct probe_source {
	struct field_source source;
	enum probe probe;
	const struct event_info *info;
	/* What is known of it: true, and its value or VALUE_NULL. NULL: nothing is. */
	bool (*known)(const struct probe_source *s, const struct field_ref *ref, struct value *ret_value);
};
void probe_source_init(struct probe_source *s, enum probe probe, enum event_type type);

#endif
