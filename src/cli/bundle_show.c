/* SPDX-License-Identifier: Apache-2.0
 *
 * Bundles as they are seen: verified, shown, compared.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/bundle.h"
#include "cli/ui.h"
#include "core/content.h"
#include "core/log.h"

#define OUT_BYTES_MAX (64u << 20)
#define DIAGS_MAX 200

/* ---- verify ---- */

static int print_gate(const struct gate *g)
{
	_cleanup_(buf_done) struct buf out;
	struct json j;
	buf_init(&out, OUT_BYTES_MAX);
	json_init(&j, &out);
	gate_add_json(g, &j);
	buf_add_char(&out, '\n');
	return ui_print(&out);
}

int bundle_verify(const struct args *args)
{
	_cleanup_(gate_freep) struct gate *g = NULL;
	_cleanup_(buf_done) struct buf text;
	struct gate_view view;
	struct keys keys;
	const char *path;
	bool json = args_has(args, "json");
	buf_init(&text, KEYS_BYTES_MAX);
	gate_view_init(&view, args, json);
	int r = bundle_word(args, 1, "the bundle", &path);
	if (r == CLI_OK)
		r = bundle_read_keys(args, &text, &keys);
	if (r != CLI_OK)
		return r;
	struct gate_options options = {.keys = &keys,
	                               .now_s = bundle_now_s(),
	                               .skip = ~(1u << GATE_SIGNATURES | 1u << GATE_TIME),
	                               .watch = gate_view_step,
	                               .userdata = &view};
	r = gate_run(path, &options, &g);
	if (r < 0) {
		log_error("%s: %s", path, strerror(-r));
		return CLI_BAD;
	}
	r = json ? print_gate(g) : CLI_OK;
	return g->refused_at == GATE_STEPS ? r : CLI_BAD;
}

/* ---- show ---- */

static void add_key_line(const char *key, struct str value, bool color, struct buf *out)
{
	buf_printf(out, "%s%-9s%s ", ui_code(color, UI_DIM), key, ui_code(color, UI_RESET));
	bundle_add_text(value, out);
	buf_add_char(out, '\n');
}

static void add_time_line(const char *key, uint64_t time_s, bool color, struct buf *out)
{
	_cleanup_(buf_done) struct buf text;
	buf_init(&text, 64);
	trust_add_time(time_s, &text);
	add_key_line(key, buf_str(&text), color, out);
}

static void add_signature_line(const struct signature *s, bool color, struct buf *out)
{
	_cleanup_(buf_done) struct buf text;
	buf_init(&text, 1024);
	buf_add_text(&text, "key ");
	key_id_add(&s->id, &text);
	buf_printf(&text, "  " STR_FMT, STR_ARG(s->comment));
	for (size_t i = 0; i < text.length; i++)
		text.data[i] = (char)(text.data[i] == '\t' ? ' ' : text.data[i]);
	add_key_line("signed", buf_str(&text), color, out);
}

static void show_text(const struct bundle *b, const struct signatures *s, bool color, struct buf *out)
{
	const struct manifest *m = &b->manifest;
	_cleanup_(buf_done) struct buf id;
	buf_init(&id, DIGEST_HEX);
	digest_add(&b->id, DIGEST_HEX, &id);
	buf_printf(out, "%s" STR_FMT " %" PRIu64 "%s\n", ui_code(color, UI_BOLD), STR_ARG(m->name), m->version,
	           ui_code(color, UI_RESET));
	bundle_add_text(m->title, out);
	buf_add_text(out, "\n\n");
	add_key_line("id", buf_str(&id), color, out);
	add_time_line("made", m->made_s, color, out);
	add_time_line("expires", m->expires_s, color, out);
	buf_printf(out, "%sschema%s    %016" PRIx64 "\n", ui_code(color, UI_DIM), ui_code(color, UI_RESET), m->schema);
	for (size_t i = 0; i < m->power_count; i++)
		add_key_line("power", m->powers[i], color, out);
	for (size_t i = 0; i < s->count; i++)
		add_signature_line(&s->items[i], color, out);
	if (s->count == 0)
		add_key_line("signed", STR("by nobody"), color, out);
	buf_add_char(out, '\n');
	for (size_t i = 0; i < m->file_count; i++) {
		buf_printf(out, "%10" PRIu64 "  ", m->files[i].size);
		digest_add(&m->files[i].hash, DIGEST_SHOWN, out);
		buf_printf(out, "  " STR_FMT "\n", STR_ARG(m->files[i].path));
	}
}

static void json_digest(struct json *j, const char *key, const struct digest *d)
{
	_cleanup_(buf_done) struct buf hex;
	buf_init(&hex, DIGEST_HEX);
	digest_add(d, DIGEST_HEX, &hex);
	json_key(j, key);
	json_str(j, buf_str(&hex));
}

static void json_time(struct json *j, const char *key, uint64_t time_s)
{
	_cleanup_(buf_done) struct buf text;
	buf_init(&text, 64);
	trust_add_time(time_s, &text);
	json_key(j, key);
	json_str(j, buf_str(&text));
}

static void json_signature(struct json *j, const struct signature *s)
{
	_cleanup_(buf_done) struct buf id;
	buf_init(&id, KEY_ID_HEX);
	key_id_add(&s->id, &id);
	json_begin_object(j);
	json_key(j, "key");
	json_str(j, buf_str(&id));
	json_key(j, "comment");
	json_str(j, s->comment);
	json_end_object(j);
}

static void json_file(struct json *j, const struct manifest_file *f)
{
	json_begin_object(j);
	json_key(j, "path");
	json_str(j, f->path);
	json_key(j, "size");
	json_u64(j, f->size);
	json_digest(j, "hash", &f->hash);
	json_end_object(j);
}

static void show_json(const struct bundle *b, const struct signatures *s, struct buf *out)
{
	const struct manifest *m = &b->manifest;
	struct json j;
	char schema[17];
	snprintf(schema, sizeof(schema), "%016" PRIx64, m->schema);
	json_init(&j, out);
	json_begin_object(&j);
	json_key(&j, "name");
	json_str(&j, m->name);
	json_key(&j, "version");
	json_u64(&j, m->version);
	json_key(&j, "title");
	json_str(&j, m->title);
	json_digest(&j, "id", &b->id);
	json_time(&j, "made", m->made_s);
	json_time(&j, "expires", m->expires_s);
	ui_json_text(&j, "schema", schema);
	json_key(&j, "powers");
	json_begin_array(&j);
	for (size_t i = 0; i < m->power_count; i++)
		json_str(&j, m->powers[i]);
	json_end_array(&j);
	json_key(&j, "signatures");
	json_begin_array(&j);
	for (size_t i = 0; i < s->count; i++)
		json_signature(&j, &s->items[i]);
	json_end_array(&j);
	json_key(&j, "files");
	json_begin_array(&j);
	for (size_t i = 0; i < m->file_count; i++)
		json_file(&j, &m->files[i]);
	json_end_array(&j);
	json_end_object(&j);
	buf_add_char(out, '\n');
}

int bundle_show(const struct args *args)
{
	_cleanup_(diag_list_done) struct diag_list diags;
	_cleanup_(bundle_freep) struct bundle *b = NULL;
	_cleanup_(buf_done) struct buf out;
	struct signatures signatures;
	diag_list_init(&diags, DIAGS_MAX);
	buf_init(&out, OUT_BYTES_MAX);
	int r = bundle_open_word(args, 1, "the bundle", &b);
	if (r != CLI_OK)
		return r;
	if (signatures_parse(b->signature_text, BUNDLE_SIGNATURES, &diags, &signatures) < 0)
		return bundle_tell(args, &diags, -EINVAL, b->path);
	if (args_has(args, "manifest"))
		buf_add_str(&out, b->manifest_text);
	else if (args_has(args, "json"))
		show_json(b, &signatures, &out);
	else
		show_text(b, &signatures, ui_color(args, STDOUT_FILENO), &out);
	return ui_print(&out);
}

/* ---- diff ---- */

struct change_view {
	struct buf *out;
	struct json *json; /* NULL: as text */
	bool color;
	size_t counts[3]; /* by enum change_effect */
};

static void change_json(struct json *j, const struct bundle_change *c)
{
	json_begin_object(j);
	ui_json_text(j, "effect", change_effect_name(c->effect));
	ui_json_text(j, "subject", c->subject);
	json_key(j, "name");
	json_str(j, c->name);
	json_key(j, "text");
	json_str(j, c->text);
	json_end_object(j);
}

static void change_show(void *userdata, const struct bundle_change *c)
{
	static const char *const marks[] = {[CHANGE_LESS] = "-", [CHANGE_MORE] = "+", [CHANGE_OTHER] = "~"};
	static const char *const codes[] = {
	        [CHANGE_LESS] = UI_RED, [CHANGE_MORE] = UI_GREEN, [CHANGE_OTHER] = UI_YELLOW};
	struct change_view *v = userdata;
	v->counts[c->effect]++;
	if (v->json) {
		change_json(v->json, c);
		return;
	}
	buf_printf(v->out, "%s%s%s %s %s\"", ui_code(v->color, codes[c->effect]), marks[c->effect],
	           ui_code(v->color, UI_RESET), c->subject, ui_code(v->color, UI_BOLD));
	bundle_add_text(c->name, v->out);
	buf_printf(v->out, "\"%s ", ui_code(v->color, UI_RESET));
	bundle_add_text(c->text, v->out);
	buf_add_char(v->out, '\n');
}

static void add_counts(const struct change_view *v, struct buf *out)
{
	const size_t *n = v->counts;
	if (n[CHANGE_LESS] + n[CHANGE_MORE] + n[CHANGE_OTHER] == 0)
		buf_add_text(out, "they do the same\n");
	else
		buf_printf(out, "%zu by which less is seen or done, %zu by which more is, %zu others\n", n[CHANGE_LESS],
		           n[CHANGE_MORE], n[CHANGE_OTHER]);
}

int bundle_compare(const struct args *args)
{
	_cleanup_(diag_list_done) struct diag_list diags;
	_cleanup_(bundle_freep) struct bundle *before = NULL, *after = NULL;
	_cleanup_(buf_done) struct buf out;
	struct json j;
	bool json = args_has(args, "json");
	struct change_view view = {.out = &out, .json = json ? &j : NULL, .color = ui_color(args, STDOUT_FILENO)};
	diag_list_init(&diags, DIAGS_MAX);
	buf_init(&out, OUT_BYTES_MAX);
	int r = bundle_open_word(args, 1, "the old bundle", &before);
	if (r == CLI_OK)
		r = bundle_open_word(args, 2, "the new bundle", &after);
	if (r != CLI_OK)
		return r;
	json_init(&j, &out);
	if (json)
		json_begin_array(&j);
	r = bundle_diff(before, after, content_policy_differ(), change_show, &view, &diags);
	if (r < 0)
		return bundle_tell(args, &diags, r, after->path);
	if (json) {
		json_end_array(&j);
		buf_add_char(&out, '\n');
	} else {
		add_counts(&view, &out);
	}
	return ui_print(&out);
}
