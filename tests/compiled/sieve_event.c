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

static struct value bool_value(bool b)
{
	return (struct value){.kind = VALUE_BOOL, .boolean = b};
}

static struct value text_value(const char *text)
{
	return (struct value){.kind = VALUE_STR, .str = str_from(text)};
}

static bool is_open(enum sieve_state state)
{
	return state == SIEVE_OPENED || state == SIEVE_FAILED;
}

static bool told_constant(enum sieve_state state, enum field_id id, struct value *v)
{
	bool succeeded = state == SIEVE_OPENED || state == SIEVE_DONE;
	if (id == FIELD_EVT_RES && succeeded)
		*v = text_value("SUCCESS");
	else if (id == FIELD_EVT_FAILED && state != SIEVE_CONNECTED)
		*v = bool_value(!succeeded);
	else if ((id == FIELD_EVT_IS_OPEN_CREATE && is_open(state)) ||
	         ((id == FIELD_FD_IS_CREATED || id == FIELD_FD_IS_DELETED) && state == SIEVE_OPENED))
		*v = bool_value(false);
	else if (id == FIELD_FD_TYPECHAR && state == SIEVE_FAILED)
		*v = text_value("f");
	else
		return false;
	return true;
}

static bool told_connected(const struct sieve_event *e, enum field_id id, struct value *v)
{
	bool four = e->numbers[SIEVE_NUMBER_IP_VERSION] == 4;
	if (e->state != SIEVE_CONNECTED)
		return false;
	switch (id) {
	case FIELD_FD_TYPE:
		*v = text_value(four ? "ipv4" : "ipv6");
		return true;
	case FIELD_FD_TYPECHAR:
		*v = text_value(four ? "4" : "6");
		return true;
	case FIELD_FD_SOCKFAMILY:
		*v = text_value("ip");
		return true;
	case FIELD_FD_L4PROTO:
		*v = text_value(e->numbers[SIEVE_NUMBER_PROTOCOL] == 6 ? "tcp" : "udp");
		return true;
	default:
		return false;
	}
}

static bool told_result(const struct sieve_event *e, enum field_id id, struct value *v)
{
	int64_t result = e->numbers[SIEVE_NUMBER_RESULT];
	if (id == FIELD_FD_NUM && e->state == SIEVE_CONNECTED)
		result = e->numbers[SIEVE_NUMBER_DESCRIPTOR];
	else if (id == FIELD_FD_NUM && is_open(e->state))
		result = e->state == SIEVE_FAILED ? -1 : result;
	else if (id != FIELD_EVT_RAWRES)
		return false;
	*v = (struct value){.kind = VALUE_S64, .s64 = result};
	return true;
}

static bool told_text(const struct sieve_event *e, enum field_id id, struct value *v)
{
	static const enum field_id fields[SIEVE_TEXTS] = {FIELD_FD_NAME, FIELD_FD_DIRECTORY, FIELD_FD_FILENAME,
	                                                  FIELD_FD_NAMERAW};
	for (unsigned i = 0; i < SIEVE_TEXTS; i++) {
		if (fields[i] != id || !is_open(e->state) || (e->state == SIEVE_FAILED && i != SIEVE_TEXT_ASKED))
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
	static const enum field_id flags[] = {FIELD_EVT_IS_OPEN_READ, FIELD_EVT_IS_OPEN_WRITE, FIELD_FD_IS_DEVICE},
	                           ports[] = {FIELD_FD_LPORT, FIELD_FD_RPORT, FIELD_FD_CPORT, FIELD_FD_SPORT};
	for (unsigned i = 0; i < ARRAY_SIZE(flags) && is_open(e->state); i++) {
		if (flags[i] != id || (e->state == SIEVE_FAILED && id == FIELD_FD_IS_DEVICE))
			continue;
		*v = bool_value(e->numbers[SIEVE_NUMBER_OPEN_READ + i]);
		return true;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(ports) && e->state == SIEVE_CONNECTED; i++) {
		if (ports[i] != id)
			continue;
		*v = (struct value){.kind = VALUE_U64, .u64 = (uint64_t)e->numbers[SIEVE_NUMBER_LOCAL_PORT + i]};
		return true;
	}
	return false;
}

static bool told(const struct sieve_event *e, enum field_id id, struct value *v)
{
	return told_constant(e->state, id, v) || told_connected(e, id, v) || told_result(e, id, v) ||
	       told_text(e, id, v) || told_number(e, id, v);
}

static void get(const struct field_source *source, const struct field_ref *ref, struct arena *arena, struct value *v)
{
	const struct sieve_event *e = (const struct sieve_event *)(const void *)source;
	if (e->state == SIEVE_UNDECIDED || ref->has_index || ref->has_key || !told(e, ref->id, v))
		e->others.source.get(&e->others.source, ref, arena, v);
}

static int64_t result_any(struct rng *r, enum sieve_state state)
{
	static const int64_t good[] = {0, 0, 0, 1, 2, 3, 7, 22, 443, INT32_MAX}, failed[] = {-1, -2, -13, -ERROR_MAX};
	if (state == SIEVE_DONE && rng_below(r, 8) == 0)
		return (int64_t)(rng_next(r) >> 1); /* an address, a place in a file */
	if (state == SIEVE_OPENED || state == SIEVE_DONE)
		return rng_below(r, 4) ? good[rng_below(r, ARRAY_SIZE(good))] : rng_below(r, INT32_MAX);
	if (state == SIEVE_CONNECTED)
		return rng_below(r, 2) ? -115 : (int64_t)rng_below(r, 30);
	return rng_below(r, 4) ? failed[rng_below(r, ARRAY_SIZE(failed))] : -1 - (int64_t)rng_below(r, ERROR_MAX);
}

static int64_t port_any(struct rng *r)
{
	static const int64_t ports[] = {0, 1, 2, 3, 7, 22, 443, 8080, 65535};
	return rng_below(r, 4) ? ports[rng_below(r, ARRAY_SIZE(ports))] : (int64_t)rng_below(r, 65536);
}

static void numbers_any(struct sieve_event *e, struct rng *r)
{
	for (unsigned i = SIEVE_NUMBER_OPEN_READ; i <= SIEVE_NUMBER_DEVICE; i++)
		e->numbers[i] = rng_below(r, 2);
	for (unsigned i = SIEVE_NUMBER_LOCAL_PORT; i <= SIEVE_NUMBER_SERVER_PORT; i++)
		e->numbers[i] = port_any(r);
	e->numbers[SIEVE_NUMBER_RESULT] = result_any(r, e->state);
	e->numbers[SIEVE_NUMBER_DESCRIPTOR] = rng_below(r, 30);
	e->numbers[SIEVE_NUMBER_IP_VERSION] = rng_below(r, 2) ? 4 : 6;
	e->numbers[SIEVE_NUMBER_PROTOCOL] = rng_below(r, 2) ? 6 : 17;
}

static enum sieve_state state_any(struct rng *r, unsigned states)
{
	enum sieve_state state;
	if (rng_below(r, 20) == 0)
		return SIEVE_UNDECIDED;
	do
		state = rng_below(r, SIEVE_STATES);
	while (!(states >> state & 1));
	return state;
}

void sieve_event_init(struct sieve_event *e, struct rng *r, const char *type, unsigned states)
{
	*e = (struct sieve_event){.source = {.get = get}};
	random_source_init(&e->others, type);
	e->others.event = rng_next(r);
	e->others.process = rng_next(r);
	e->state = state_any(r, states);
	e->directory = rng_below(r, 5) == 0;
	e->names[0] = name_any(r, true);
	e->names[1] = name_any(r, true);
	e->directory |= e->names[0].length == 1 || e->names[1].length == 1;
	e->name_count = e->state == SIEVE_OPENED ? 1 + rng_below(r, SIEVE_NAMES_MAX) : 1;
	e->asked = e->name_count == 2 ? e->names[1] : name_any(r, false);
	numbers_any(e, r);
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
		in->numbers[i] = (uint64_t)e->numbers[i];
}

void sieve_event_show(const struct sieve_event *e)
{
	printf("state %u, %s\n", e->state, e->directory ? "directory" : "file");
	for (unsigned i = 0; i < e->name_count; i++)
		printf("  name \"%.*s\"\n", (int)e->names[i].length, e->names[i].text);
	printf("  asked \"%.*s\"\n", (int)e->asked.length, e->asked.text);
	for (unsigned i = 0; i < SIEVE_NUMBERS; i++)
		printf("  number %u: %lld\n", i, (long long)e->numbers[i]);
}
