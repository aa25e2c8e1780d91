/* SPDX-License-Identifier: Apache-2.0
 *
 * The state as text: lines in one order, the last a hash over those before it.
 */
#include "trust/store_int.h"

#include <errno.h>
#include <inttypes.h>

#define FIRST "picket-state 1"

static const char *const roles[STORE_ROLES] = {
        [STORE_NEXT] = "next", [STORE_CURRENT] = "current", [STORE_GOOD] = "good", [STORE_BEFORE] = "before"};

const char *store_role_name(enum store_role role)
{
	return roles[role];
}

const struct store_entry *store_state_newest(const struct store_state *s, struct str name)
{
	for (size_t i = 0; i < s->newest_count; i++) {
		if (str_equals(name, s->newest[i].name))
			return &s->newest[i];
	}
	return NULL;
}

const char *store_state_name(const struct store_state *s)
{
	if (!s)
		return NULL;
	if (s->roles[STORE_CURRENT].version > 0)
		return s->roles[STORE_CURRENT].name;
	return s->roles[STORE_NEXT].version > 0 ? s->roles[STORE_NEXT].name : NULL;
}

/* ---- writing ---- */

static void add_entry(const char *word, const struct store_entry *e, struct buf *out)
{
	buf_printf(out, "%s %s %" PRIu64 " ", word, e->name, e->version);
	digest_add(&e->id, DIGEST_HEX, out);
	buf_add_char(out, '\n');
}

void state_write(const struct store_state *s, struct buf *out)
{
	buf_printf(out, FIRST "\ntime %" PRIu64 "\nhistory %" PRIu64 " ", s->time_s, s->history_count);
	digest_add(&s->history_head, DIGEST_HEX, out);
	buf_add_char(out, '\n');
	for (size_t i = 0; i < s->newest_count; i++)
		add_entry("newest", &s->newest[i], out);
	for (enum store_role role = 0; role < STORE_ROLES; role++) {
		if (s->roles[role].version > 0)
			add_entry(roles[role], &s->roles[role], out);
	}
	struct digest check = digest_of(buf_str(out));
	buf_add_text(out, "check ");
	digest_add(&check, DIGEST_HEX, out);
	buf_add_char(out, '\n');
}

/* ---- reading ---- */

static int entry_parse(struct str rest, struct store_entry *ret_entry)
{
	struct store_entry e = {0};
	struct str name, version, id;
	if (!word_next(&rest, &name) || !word_next(&rest, &version) || !word_next(&rest, &id) || rest.data ||
	    name.length > BUNDLE_NAME_MAX || text_to_number(version, BUNDLE_VERSION_MAX, &e.version) < 0 ||
	    e.version == 0 || digest_parse(id, &e.id) < 0)
		return -EINVAL;
	memcpy(e.name, name.data, name.length);
	*ret_entry = e;
	return 0;
}

static int history_parse(struct str rest, struct store_state *s)
{
	struct str count, head;
	if (!word_next(&rest, &count) || !word_next(&rest, &head) || rest.data ||
	    text_to_number(count, UINT64_MAX, &s->history_count) < 0)
		return -EINVAL;
	return digest_parse(head, &s->history_head);
}

static int line_parse(struct str line, struct store_state *s)
{
	struct str rest = line, word;
	if (!word_next(&rest, &word) || !rest.data)
		return -EINVAL;
	if (str_equals(word, "time"))
		return text_to_number(rest, UINT64_MAX, &s->time_s);
	if (str_equals(word, "history"))
		return history_parse(rest, s);
	if (str_equals(word, "newest") && s->newest_count < STORE_NAMES_MAX)
		return entry_parse(rest, &s->newest[s->newest_count++]);
	for (enum store_role role = 0; role < STORE_ROLES; role++) {
		if (str_equals(word, roles[role]))
			return entry_parse(rest, &s->roles[role]);
	}
	return -EINVAL;
}

/* What is not exactly what state_write() makes of it was not written by it: then the check is of no use either. */
static bool is_as_written(const struct store_state *s, struct str text)
{
	_cleanup_(buf_done) struct buf again;
	buf_init(&again, STATE_BYTES_MAX);
	state_write(s, &again);
	return buf_error(&again) == 0 && str_equal(buf_str(&again), text);
}

int state_parse(struct str text, const char *name, struct diag_list *reterr_diags, struct store_state *ret_state)
{
	struct store_state s = {0};
	struct lines l;
	lines_init(&l, text, name, STORE_CODE, reterr_diags);
	if (!lines_next(&l) || !str_equals(l.line, FIRST))
		return l.error ? l.error : lines_error(&l, l.line.data, "this is no state of a picket of this version");
	while (lines_next(&l) && !str_starts_with(l.line, STR("check "))) {
		if (line_parse(l.line, &s) < 0)
			return lines_error(&l, l.line.data, "the state is damaged: this line is not one of it");
	}
	if (l.error)
		return l.error;
	if (!is_as_written(&s, text))
		return lines_error(&l, l.line.data, "the state is damaged: it does not agree with its check");
	*ret_state = s;
	return 0;
}
