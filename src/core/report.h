/* SPDX-License-Identifier: Apache-2.0
 *
 * The status of a running picket: its parts as JSON, and that JSON as text for people.
 */
#ifndef PICKET_CORE_REPORT_H
#define PICKET_CORE_REPORT_H

#include "base/json.h"
#include "core/judge.h"
#include "core/pipeline.h"

uint64_t report_memory_bytes(void); /* that this process has in memory */

/* Each adds keys to the object that is open in out. */
void report_process(struct json *out); /* version, pid, memory, processor time */
void report_pipeline(struct json *out, struct pipeline *p, double events_per_second);
void report_judge(struct json *out, const struct judge *j);

/* Returns 0; -EBADMSG: text is no status. */
int report_add_text(struct str json, bool color, struct buf *out) must_check;
/* Of such a status, its policies alone, as a table or as the JSON object that holds them.
 * Returns 0; -EBADMSG: it is none; -ENOENT: that picket enforces no policies; -ENOMEM, -ENOBUFS of out. */
int report_add_policies(struct str json, bool as_json, bool color, struct buf *out) must_check;

#endif
