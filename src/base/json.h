/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes JSON into a buffer, in one pass. Commas and nesting are kept by the writer. Text that is not UTF-8 has each
 * wrong byte replaced by U+FFFD. Reading is cJSON's.
 */
#ifndef PICKET_BASE_JSON_H
#define PICKET_BASE_JSON_H

#include "base/buf.h"

#define JSON_DEPTH_MAX 64
struct json {
	struct buf *out;
	unsigned depth;
	bool started[JSON_DEPTH_MAX]; /* something stands at this depth already */
	bool after_key;
};

void json_init(struct json *j, struct buf *out);
void json_begin_object(struct json *j);
void json_end_object(struct json *j);
void json_begin_array(struct json *j);
void json_end_array(struct json *j);
void json_key(struct json *j, const char *key);
void json_key_str(struct json *j, struct str key);
void json_str(struct json *j, struct str s);
void json_text(struct json *j, const char *text); /* NULL: null */
void json_s64(struct json *j, int64_t n);
void json_u64(struct json *j, uint64_t n);
void json_double(struct json *j, double n);
void json_bool(struct json *j, bool b);
void json_null(struct json *j);
void json_raw(struct json *j, struct str value); /* one that is JSON already */

#endif
