/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the room: records that enrich makes itself. Errors are kept and told once, by record_put().
 */
#ifndef PICKET_ENRICH_RECORD_H
#define PICKET_ENRICH_RECORD_H

#include "event/event.h"

struct record {
	struct event_builder builder;
	int error;
};

void record_begin(struct record *r, enum event_type type, uint64_t now_ns);
struct event_header *record_header(struct record *r); /* NULL after an error; valid until the next call */
void record_number(struct record *r, const char *arg, uint64_t value);
void record_text(struct record *r, const char *arg, struct str text, bool truncated); /* data NULL: missing */
void record_path(struct record *r, const char *arg, struct str text);
void record_state(struct record *r, const struct task_state *state);
/* Hands the record on and frees it in any case. Returns what put returned, or the first error. */
int record_put(struct record *r, int (*put)(void *userdata, const struct event *event), void *userdata) must_check;

#endif
