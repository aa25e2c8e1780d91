/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/diff_int.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "trust/trust_int.h"

#define TEXT_MAX 4096
#define WRITTEN_MAX (1u << 20)
#define WRITTEN_BYTES_MAX (512u << 20)

const char *change_effect_name(enum change_effect effect)
{
	static const char *const names[] = {[CHANGE_LESS] = "less", [CHANGE_MORE] = "more", [CHANGE_OTHER] = "other"};
	return names[effect];
}

void change_tell(struct comparison *c, enum change_effect effect, const char *subject, struct str name,
                 const char *format, ...)
{
	char text[TEXT_MAX];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	c->call(c->userdata, &(struct bundle_change){effect, subject, name, str_from(text)});
}

/* ---- what the manifests say ---- */

static void time_tell(struct comparison *c, uint64_t before, uint64_t after)
{
	_cleanup_(buf_done) struct buf text;
	buf_init(&text, 128);
	if (before == after)
		return;
	trust_add_time(before, &text);
	buf_add_text(&text, " \xe2\x86\x92 ");
	trust_add_time(after, &text);
	change_tell(c, CHANGE_OTHER, "bundle", c->after.public.bundle->manifest.name, "expires: %s", text.data);
}

static bool has_power(const struct manifest *m, struct str power)
{
	for (size_t i = 0; i < m->power_count; i++) {
		if (str_equal(m->powers[i], power))
			return true;
	}
	return false;
}

static void diff_powers(struct comparison *c, const struct manifest *before, const struct manifest *after)
{
	for (size_t i = 0; i < after->power_count; i++) {
		if (!has_power(before, after->powers[i]))
			change_tell(c, CHANGE_MORE, "power", after->powers[i], "is added");
	}
	for (size_t i = 0; i < before->power_count; i++) {
		if (!has_power(after, before->powers[i]))
			change_tell(c, CHANGE_LESS, "power", before->powers[i], "is given up");
	}
}

static void diff_manifests(struct comparison *c, const struct manifest *before, const struct manifest *after)
{
	if (!str_equal(before->name, after->name))
		change_tell(c, CHANGE_OTHER, "bundle", after->name, "was named " STR_FMT, STR_ARG(before->name));
	if (before->version != after->version)
		change_tell(c, after->version < before->version ? CHANGE_LESS : CHANGE_OTHER, "bundle", after->name,
		            "version %" PRIu64 " \xe2\x86\x92 %" PRIu64 "%s", before->version, after->version,
		            after->version < before->version ? ": older" : "");
	if (!str_equal(before->title, after->title))
		change_tell(c, CHANGE_OTHER, "bundle", after->name, "title: " STR_FMT, STR_ARG(after->title));
	time_tell(c, before->expires_s, after->expires_s);
	if (before->schema != after->schema)
		change_tell(c, CHANGE_OTHER, "bundle", after->name,
		            "schema %016" PRIx64 " \xe2\x86\x92 %016" PRIx64 ": for another version of picket",
		            before->schema, after->schema);
	diff_powers(c, before, after);
}

/* ---- policies, where nobody knows their language ---- */

static const struct str *policy_find(const struct bundle *b, struct str path)
{
	for (size_t i = 0; i < b->manifest.file_count; i++) {
		if (str_equal(b->manifest.files[i].path, path))
			return &b->contents[i];
	}
	return NULL;
}

static void diff_policy_files(struct comparison *c, const struct bundle *before, const struct bundle *after)
{
	for (size_t i = 0; i < after->manifest.file_count; i++) {
		const struct manifest_file *f = &after->manifest.files[i];
		const struct str *old = policy_find(before, f->path);
		if (f->kind != BUNDLE_POLICIES)
			continue;
		if (!old)
			change_tell(c, CHANGE_MORE, "policy", f->path, "is added");
		else if (!str_equal(*old, after->contents[i]))
			change_tell(c, CHANGE_OTHER, "policy", f->path, "has changed");
	}
	for (size_t i = 0; i < before->manifest.file_count; i++) {
		const struct manifest_file *f = &before->manifest.files[i];
		if (f->kind == BUNDLE_POLICIES && !policy_find(after, f->path))
			change_tell(c, CHANGE_LESS, "policy", f->path, "is removed");
	}
}

/* ---- lists and exceptions ---- */

static struct str keep(struct written_list *l, struct str s)
{
	struct str kept = s.data ? arena_str(&l->arena, s) : s;
	if (s.data && !kept.data)
		l->error = -ENOMEM;
	return kept;
}

static void note_written(void *userdata, const struct rule_written *w)
{
	struct written_list *l = userdata;
	if (l->count == WRITTEN_MAX)
		l->error = -ENOMEM;
	if (l->error)
		return;
	if (l->count == l->capacity) {
		size_t capacity = l->capacity ? l->capacity * 2 : 64;
		struct rule_written *items = reallocarray(l->items, capacity, sizeof(*items));
		if (!items) {
			l->error = -ENOMEM;
			return;
		}
		l->items = items;
		l->capacity = capacity;
	}
	l->items[l->count++] = (struct rule_written){.rule = keep(l, w->rule),
	                                             .exception = keep(l, w->exception),
	                                             .list = keep(l, w->list),
	                                             .text = keep(l, w->text)};
}

/* Names hold no NUL. */
static void add_key(const struct rule_written *w, struct buf *out)
{
	const struct str parts[] = {w->rule, w->exception, w->list, w->text};
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		buf_add_str(out, parts[i]);
		buf_add_char(out, '\0');
	}
}

static void written_tell(struct comparison *c, const struct rule_written *w, bool added)
{
	if (w->list.data)
		change_tell(c, CHANGE_OTHER, "list", w->list, "%s " STR_FMT, added ? "has also" : "has no longer",
		            STR_ARG(w->text));
	else
		change_tell(c, added ? CHANGE_LESS : CHANGE_MORE, "rule", w->rule, "exception " STR_FMT " %s " STR_FMT,
		            STR_ARG(w->exception), added ? "takes out also" : "takes out no longer", STR_ARG(w->text));
}

/* Tells of all in one that are not in the other. */
static int written_without(struct comparison *c, const struct written_list *one, const struct written_list *other,
                           bool added)
{
	_cleanup_(map_done) struct map keys;
	_cleanup_(buf_done) struct buf key;
	int r = 0;
	map_init(&keys, 2 * WRITTEN_MAX);
	buf_init(&key, WRITTEN_BYTES_MAX);
	for (size_t i = 0; i < other->count && r == 0; i++) {
		buf_clear(&key);
		add_key(&other->items[i], &key);
		r = buf_error(&key);
		if (r == 0)
			r = map_put(&keys, buf_str(&key), c, NULL);
	}
	for (size_t i = 0; i < one->count && r == 0; i++) {
		buf_clear(&key);
		add_key(&one->items[i], &key);
		r = buf_error(&key);
		if (r < 0 || map_get(&keys, buf_str(&key)))
			continue;
		written_tell(c, &one->items[i], added);
		r = map_put(&keys, buf_str(&key), c, NULL); /* told once */
	}
	return r < 0 ? -ENOMEM : 0;
}

/* ---- both sides ---- */

static int side_init(struct side *s, const struct bundle *b, struct diag_list *diags)
{
	s->public.bundle = b;
	arena_init(&s->written.arena, WRITTEN_BYTES_MAX);
	int r = bundle_load_rules(b, note_written, &s->written, diags, &s->public.rules);
	return r == 0 ? s->written.error : r;
}

static void side_done(struct side *s)
{
	rule_set_free(s->public.rules);
	arena_done(&s->written.arena);
	free(s->written.items);
}

static int compare(struct comparison *c, const struct policy_differ *policies, struct diag_list *diags)
{
	const struct bundle *before = c->before.public.bundle, *after = c->after.public.bundle;
	diff_manifests(c, &before->manifest, &after->manifest);
	diff_rules(c);
	int r = written_without(c, &c->after.written, &c->before.written, true);
	if (r == 0)
		r = written_without(c, &c->before.written, &c->after.written, false);
	if (r == 0 && policies)
		return policies->differ(policies->userdata, &c->before.public, &c->after.public, c->call, c->userdata,
		                        diags);
	if (r == 0)
		diff_policy_files(c, before, after);
	return r;
}

int bundle_diff(const struct bundle *before, const struct bundle *after, const struct policy_differ *policies,
                void (*call)(void *userdata, const struct bundle_change *change), void *userdata,
                struct diag_list *reterr_diags)
{
	struct comparison c = {.call = call, .userdata = userdata};
	int r = side_init(&c.before, before, reterr_diags);
	if (r == 0)
		r = side_init(&c.after, after, reterr_diags);
	if (r == 0)
		r = compare(&c, policies, reterr_diags);
	side_done(&c.before);
	side_done(&c.after);
	return r;
}
