/* SPDX-License-Identifier: Apache-2.0
 *
 * What holds of all events in a state stands here once more, by itself: what src/rule/sieve.c builds on is what it means.
 */
#include "sieve.h"

#include <stdio.h>

#include "event/event.h"

#define ERROR_MAX 4095

/* ---- texts ---- */

/* As the kernel's own paths are, and what passes for one there: printable, no empty component. */
static void add_plain(struct sieve_name *n, struct str text)
{
	for (size_t i = 0; i < text.length && n->length < NAME_BYTES_MAX; i++) {
		char c = text.data[i];
		bool again = c == '/' && n->length > 0 && n->text[n->length - 1] == '/';
		if (c >= ' ' && c <= '~' && !again)
			n->text[n->length++] = c;
	}
}

static void add_text(struct rng *r, struct sieve_name *n)
{
	struct buf text;
	buf_init(&text, 1 << 16);
	if (rng_below(r, 20))
		random_text(r, &text);
	else
		random_long_text(r, 300, &text);
	add_plain(n, buf_str(&text));
	buf_done(&text);
}

/* absolute: without a slash at its end. */
static struct sieve_name name_any(struct rng *r, bool absolute)
{
	struct sieve_name n = {0};
	if (absolute)
		add_plain(&n, STR("/"));
	do
		add_text(r, &n);
	while (n.length == 0);
	while (absolute && n.length > 1 && n.text[n.length - 1] == '/')
		n.length--;
	if (rng_below(r, 4)) /* longer ones pass */
		n.length = MIN(n.length, (size_t)SIEVE_TEXT_MAX);
	for (size_t i = 0; i < n.length; i++)
		if (n.text[i] == '/')
			n.slash = i;
	return n;
}

static struct str name_text(const struct sieve_name *n)
{
	return str_make(n->text, n->length);
}

static struct str directory_text(const struct sieve_event *e, const struct sieve_name *n)
{
	return e->directory ? name_text(n) : str_make(n->text, n->slash ? n->slash : 1);
}

static struct str filename_text(const struct sieve_event *e, const struct sieve_name *n)
{
	size_t begin = e->directory ? 0 : n->slash + 1;
	return str_make(n->text + begin, e->directory ? 0 : n->length - begin);
}

static struct str text_of(const struct sieve_event *e, unsigned name, enum sieve_text text)
{
	switch (text) {
	case SIEVE_TEXT_NAME:
		return name_text(&e->names[name]);
	case SIEVE_TEXT_DIRECTORY:
		return directory_text(e, &e->names[name]);
	case SIEVE_TEXT_FILENAME:
		return filename_text(e, &e->names[name]);
	default:
		return name_text(&e->asked);
	}
}

/* ---- as rules ask for it ---- */

static const struct value *constant_of(enum sieve_state state, enum field_id id)
{
	static const struct value no = {.kind = VALUE_BOOL, .boolean = false},
	                          yes = {.kind = VALUE_BOOL, .boolean = true},
	                          success = {.kind = VALUE_STR, .str = {"SUCCESS", 7}},
	                          file = {.kind = VALUE_STR, .str = {"f", 1}};
	bool opened = state == SIEVE_OPENED;
	switch (id) {
	case FIELD_EVT_RES:
		return opened ? &success : NULL;
	case FIELD_EVT_FAILED:
		return opened ? &no : &yes;
	case FIELD_EVT_IS_OPEN_CREATE:
		return &no;
	case FIELD_FD_IS_CREATED:
	case FIELD_FD_IS_DELETED:
		return opened ? &no : NULL;
	case FIELD_FD_TYPECHAR:
		return opened ? NULL : &file;
	default:
		return NULL;
	}
}

static bool result_of(const struct sieve_event *e, enum field_id id, int64_t *ret_number)
{
	if (id != FIELD_EVT_RAWRES && id != FIELD_FD_NUM)
		return false;
	*ret_number = id == FIELD_FD_NUM && e->state == SIEVE_FAILED ? -1 : e->result;
	return true;
}

static bool told_text(const struct sieve_event *e, enum field_id id, struct value *v)
{
	static const enum field_id fields[SIEVE_TEXTS] = {
#define SIEVE_TEXT(name, field) [SIEVE_TEXT_##name] = FIELD_##field,
#include "schema/sieve.def"
	};
	for (unsigned i = 0; i < SIEVE_TEXTS; i++) {
		if (fields[i] != id || (e->state == SIEVE_FAILED && i != SIEVE_TEXT_ASKED))
			continue;
		*v = (struct value){.kind = VALUE_STR, .str = text_of(e, e->name, i)};
		if (i == SIEVE_TEXT_FILENAME && e->directory)
			*v = (struct value){.kind = VALUE_NULL};
		return true;
	}
	return false;
}

static bool told_number(const struct sieve_event *e, enum field_id id, struct value *v)
{
	static const enum field_id fields[SIEVE_NUMBERS] = {
#define SIEVE_NUMBER(name, field) [SIEVE_NUMBER_##name] = FIELD_##field,
#include "schema/sieve.def"
	};
	for (unsigned i = 0; i < SIEVE_NUMBERS; i++) {
		if (fields[i] != id || (e->state == SIEVE_FAILED && i == SIEVE_NUMBER_DEVICE))
			continue;
		*v = (struct value){.kind = VALUE_BOOL, .boolean = e->numbers[i]};
		return true;
	}
	return false;
}

static void get(const struct field_source *source, const struct field_ref *ref, struct arena *arena, struct value *v)
{
	const struct sieve_event *e = (const struct sieve_event *)(const void *)source;
	bool plain = e->state != SIEVE_UNDECIDED && !ref->has_index && !ref->has_key;
	const struct value *constant = plain ? constant_of(e->state, ref->id) : NULL;
	int64_t number;
	if (constant)
		*v = *constant;
	else if (plain && result_of(e, ref->id, &number))
		*v = (struct value){.kind = VALUE_S64, .s64 = number};
	else if (!plain || (!told_text(e, ref->id, v) && !told_number(e, ref->id, v)))
		e->others.source.get(&e->others.source, ref, arena, v);
}

static int64_t result_any(struct rng *r, enum sieve_state state)
{
	static const int64_t opened[] = {0, 1, 2, 3, 7, 22, 443, INT32_MAX}, failed[] = {-1, -2, -13, -ERROR_MAX};
	if (state == SIEVE_OPENED)
		return rng_below(r, 4) ? opened[rng_below(r, ARRAY_SIZE(opened))] : rng_below(r, INT32_MAX);
	return rng_below(r, 4) ? failed[rng_below(r, ARRAY_SIZE(failed))] : -1 - (int64_t)rng_below(r, ERROR_MAX);
}

void sieve_event_init(struct sieve_event *e, struct rng *r, const char *type)
{
	*e = (struct sieve_event){.source = {.get = get}};
	random_source_init(&e->others, type);
	e->others.event = rng_next(r);
	e->others.process = rng_next(r);
	e->state = rng_below(r, 20) ? 1 + rng_below(r, SIEVE_STATES - 1) : SIEVE_UNDECIDED;
	e->directory = rng_below(r, 5) == 0;
	e->names[0] = name_any(r, true);
	e->names[1] = name_any(r, true);
	e->directory |= e->names[0].length == 1 || e->names[1].length == 1;
	e->name_count = e->state == SIEVE_OPENED ? 1 + rng_below(r, SIEVE_NAMES_MAX) : 1;
	e->asked = e->name_count == 2 ? e->names[1] : name_any(r, false);
	for (unsigned i = 0; i < SIEVE_NUMBERS; i++)
		e->numbers[i] = rng_below(r, 2);
	e->result = result_any(r, e->state);
	bool known = rng_below(r, 2); /* something, of the process */
	for (size_t i = 0; i < ARRAY_SIZE(e->live); i++)
		e->live[i] = known ? rng_next(r) : UINT64_MAX;
}

/* ---- as the sensor tells it ---- */

/* Somewhere in its own part of the record, or at an end; texts that rules name stand right before and behind it. */
static uint32_t place(struct rng *r, const struct sieve_name *n, unsigned part, uint8_t *record)
{
	const unsigned parts = SIEVE_NAMES_MAX + 1, bytes = EVENT_RECORD_MAX / parts, margin = 2 * NAME_BYTES_MAX;
	struct sieve_name before = name_any(r, false), behind = name_any(r, false);
	uint32_t at = part * bytes + margin + rng_below(r, bytes - 2 * margin);
	if (part == 0 && rng_below(r, 8) == 0)
		at = rng_below(r, 8);
	else if (part == parts - 1 && rng_below(r, 8) == 0)
		at = EVENT_RECORD_MAX - 1 - rng_below(r, 300);
	if (at >= before.length)
		memcpy(record + at - before.length, before.text, before.length);
	memcpy(record + at, n->text, n->length);
	memcpy(record + at + n->length, behind.text, behind.length);
	return at;
}

/* Names that a state has none of are still there, of another event. */
void sieve_event_tell(const struct sieve_event *e, struct rng *r, uint8_t *scratch)
{
	struct sieve_input *in = (struct sieve_input *)(void *)scratch;
	uint8_t *record = scratch + SIEVE_RECORD_AT;
	uint32_t asked = place(r, &e->asked, SIEVE_NAMES_MAX, record);
	for (size_t i = 0; i < sizeof(*in) / 8; i++)
		((uint64_t *)(void *)in)[i] = rng_next(r); /* of the event before */
	in->state = e->state;
	in->names = e->name_count;
	memcpy(in->live, e->live, sizeof(in->live));
	for (unsigned i = 0; i < e->name_count; i++) {
		uint32_t at = place(r, &e->names[i], i, record);
		for (unsigned t = 0; t < SIEVE_TEXTS; t++) {
			struct str text = text_of(e, i, t);
			in->texts[i][t].offset = at + (uint32_t)(text.data - e->names[i].text);
			in->texts[i][t].length = (uint32_t)text.length;
		}
	}
	for (unsigned i = 0; i < e->name_count; i++)
		in->texts[i][SIEVE_TEXT_ASKED] = (struct sieve_span){asked, (uint32_t)e->asked.length};
	for (unsigned i = 0; i < SIEVE_NUMBERS; i++)
		in->numbers[i] = e->numbers[i];
}

void sieve_event_show(const struct sieve_event *e)
{
	printf("state %u, result %lld, %s\n", e->state, (long long)e->result, e->directory ? "directory" : "file");
	for (unsigned i = 0; i < e->name_count; i++)
		printf("  name \"%.*s\"\n", (int)e->names[i].length, e->names[i].text);
	printf("  asked \"%.*s\"\n", (int)e->asked.length, e->asked.text);
	for (unsigned i = 0; i < SIEVE_NUMBERS; i++)
		printf("  number %u: %d\n", i, e->numbers[i]);
}
