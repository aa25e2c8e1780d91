/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes as a record: whatever event_decode() lets through, everything that reads an event must be able to read.
 */
#include <stdio.h>
#include <stdlib.h>

#include "event/print.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint64_t sum; /* so that the reads below happen */

static void touch(struct str s)
{
	for (size_t i = 0; i < s.length; i++)
		sum += (uint8_t)s.data[i];
}

static void read_arg(const struct event *e, const struct arg_info *a)
{
	struct str text = {NULL, 0}, base = {NULL, 0};
	bool truncated;

	sum += event_arg_number(e, a);
	if (event_arg_slot(e, a, &text, &truncated))
		touch(text);
	if (event_arg_path(e, a, &text, &base, &truncated)) {
		touch(text);
		touch(base);
	}
}

static void print(const struct event *e)
{
	struct buf text;
	struct json json;

	buf_init(&text, 8 * EVENT_RECORD_MAX);
	json_init(&json, &text);
	event_add_json(e, &json);
	if (buf_error(&text) == 0 && (text.length < 2 || text.data[text.length - 1] != '}'))
		abort();
	buf_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *record = aligned_alloc(8, (size + 7) & ~(size_t)7); /* its end is where the sanitizer watches */
	struct event e;

	if (!record)
		return 0;
	memcpy(record, data, size);
	if (event_decode(record, size, &e) == 0) {
		for (unsigned i = 0; i < e.info->arg_count; i++)
			read_arg(&e, &e.info->args[i]);
		if (event_task_state(&e))
			sum += event_task_state(&e)->no_new_privs;
		print(&e);
	}
	free(record);
	return 0;
}
