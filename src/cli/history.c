/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/bundle.h"
#include "cli/ui.h"
#include "core/log.h"

#define DIAGS_MAX 50
#define OUT_BYTES_MAX (64u << 20)

struct view {
	struct buf *out;
	struct json *json; /* NULL: as text */
	bool color, evidence;
};

static void line_json(struct json *j, const struct history_line *l)
{
	_cleanup_(buf_done) struct buf text;
	buf_init(&text, 256);
	json_begin_object(j);
	json_key(j, "number");
	json_u64(j, l->number);
	trust_add_time(l->time_s, &text);
	json_key(j, "time");
	json_str(j, buf_str(&text));
	json_key(j, "what");
	json_str(j, l->what);
	json_key(j, "evidence");
	json_raw(j, l->evidence);
	buf_clear(&text);
	digest_add(&l->hash, DIGEST_HEX, &text);
	json_key(j, "hash");
	json_str(j, buf_str(&text));
	json_end_object(j);
}

static void line_show(void *userdata, const struct history_line *l)
{
	const struct view *v = userdata;
	if (v->json) {
		line_json(v->json, l);
		return;
	}
	const char *code = str_equals(l->what, "refused") ? UI_RED : UI_GREEN;
	buf_printf(v->out, "%6" PRIu64 "  ", l->number);
	trust_add_time(l->time_s, v->out);
	buf_printf(v->out, "  %s" STR_FMT "%s\n", ui_code(v->color, code), STR_ARG(l->what),
	           ui_code(v->color, UI_RESET));
	if (v->evidence)
		buf_printf(v->out, "        " STR_FMT "\n", STR_ARG(l->evidence));
}

static void add_entry(const char *word, const struct store_entry *e, struct buf *out)
{
	if (e->version == 0)
		return;
	buf_printf(out, "%s: %s %" PRIu64 " ", word, e->name, e->version);
	digest_add(&e->id, DIGEST_SHOWN, out);
	buf_add_char(out, '\n');
}

static int show(const struct store *s, struct view *v, struct history_verdict *verdict)
{
	if (v->json)
		json_begin_array(v->json);
	int r = store_read_history(s, line_show, v, verdict);
	if (v->json) {
		json_end_array(v->json);
		buf_add_char(v->out, '\n');
		return r;
	}
	for (enum store_role role = 0; role < STORE_ROLES; role++)
		add_entry(store_role_name(role), &store_state(s)->roles[role], v->out);
	return r;
}

int command_history(const struct args *args)
{
	_cleanup_(diag_list_done) struct diag_list diags;
	_cleanup_(store_closep) struct store *s = NULL;
	_cleanup_(buf_done) struct buf out;
	struct json j;
	struct view v = {.out = &out,
	                 .json = args_has(args, "json") ? &j : NULL,
	                 .color = ui_color(args, STDOUT_FILENO),
	                 .evidence = args_has(args, "verbose")};
	struct history_verdict verdict;
	const char *path = args_get(args, "state");
	diag_list_init(&diags, DIAGS_MAX);
	buf_init(&out, OUT_BYTES_MAX);
	json_init(&j, &out);
	path = path ? path : BUNDLE_STATE;
	if (args_no_words(args) < 0)
		return CLI_USAGE;
	int r = store_open(path, STORE_READ, &diags, &s);
	if (r == 0)
		r = show(s, &v, &verdict);
	if (r < 0)
		return bundle_tell(args, &diags, r, path);
	r = ui_print(&out);
	if (verdict.kind != HISTORY_WHOLE)
		log_error("%s/history: from line %" PRIu64 " on: %s", path, verdict.number,
		          history_verdict_text(&verdict));
	return history_is_damaged(&verdict) ? CLI_BAD : r;
}
