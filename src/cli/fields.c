/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "cli/ui.h"
#include "core/log.h"
#include "event/event.h"
#include "event/field.h"

#define OUT_BYTES_MAX (4u << 20)
#define NAME_COLUMNS_MAX 34
#define TYPE_COLUMNS 7

struct list {
	struct str pattern;
	bool verbose, color;
	unsigned width;
	struct buf *out;
	size_t shown;
};

static const char *const type_names[] = {
        [FIELD_STR] = "text",    [FIELD_PATH] = "path", [FIELD_S64] = "number",    [FIELD_U64] = "number",
        [FIELD_BOOL] = "bool",   [FIELD_TIME] = "time", [FIELD_DOUBLE] = "number", [FIELD_IP] = "ip",
        [FIELD_NET] = "network", [FIELD_PORT] = "port", [FIELD_BYTES] = "bytes",
};

static const char *const argument_forms[] = {
        [FIELD_ARG_NO] = "",        [FIELD_ARG_INDEX] = "[n]",  [FIELD_ARG_KEY] = "[text]",
        [FIELD_ARG_EITHER] = "[n]", [FIELD_ARG_NAME] = ".name", [FIELD_ARG_NEED] = "[text]",
};

static bool field_wanted(const struct list *l, const struct field_info *f)
{
	return str_contains_nocase(str_from(f->name), l->pattern) ||
	       (l->verbose && str_contains_nocase(str_from(f->doc), l->pattern));
}

/* "proc" of "proc.name". */
static struct str field_class(const struct field_info *f)
{
	struct str name = str_from(f->name);
	ssize_t dot = str_find_char(name, '.');
	return str_make(name.data, dot < 0 ? name.length : (size_t)dot);
}

static void add_notes(const struct list *l, const struct field_info *f)
{
	buf_printf(l->out, "%*s%s", NAME_COLUMNS_MAX + TYPE_COLUMNS + 2, "", ui_code(l->color, UI_DIM));
	buf_add_text(l->out, f->scope == FIELD_SCOPE_PROC ? "of the process" : "of the event");
	if (f->flags & FIELD_F_LIST)
		buf_add_text(l->out, "; a list");
	if (f->flags & FIELD_F_FILTER)
		buf_add_text(l->out, "; only in conditions");
	if (f->flags & FIELD_F_ENDS)
		buf_add_text(l->out, "; either end of a connection");
	if (f->flags & FIELD_F_ANY)
		buf_add_text(l->out, "; without [n] in a condition: any ancestor");
	if (f->flags & FIELD_F_NULLED)
		buf_add_text(l->out, "; never has a value");
	buf_printf(l->out, "%s\n", ui_code(l->color, UI_RESET));
}

static void add_field(const struct list *l, const struct field_info *f)
{
	unsigned column = NAME_COLUMNS_MAX + TYPE_COLUMNS + 2;
	const char *form = argument_forms[f->arg];
	buf_printf(l->out, "%s%s%s%s", ui_code(l->color, UI_CYAN), f->name, ui_code(l->color, UI_RESET), form);
	size_t at = strlen(f->name) + strlen(form);
	if (at >= NAME_COLUMNS_MAX) {
		buf_add_char(l->out, '\n');
		at = 0;
	}
	buf_printf(l->out, "%*s %s%-*s%s ", (int)(NAME_COLUMNS_MAX - at), "", ui_code(l->color, UI_DIM), TYPE_COLUMNS,
	           type_names[f->type], ui_code(l->color, UI_RESET));
	ui_add_wrapped(str_from(f->doc), column, column, l->width, l->out);
	buf_add_char(l->out, '\n');
	if (l->verbose)
		add_notes(l, f);
}

static void list_fields(struct list *l)
{
	struct str class = {0};
	for (unsigned id = 0; id < FIELD_COUNT; id++) {
		const struct field_info *f = field_get_info(id);
		if (!field_wanted(l, f))
			continue;
		if (l->shown++ > 0 && !str_equal(class, field_class(f)))
			buf_add_char(l->out, '\n');
		class = field_class(f);
		add_field(l, f);
	}
}

static void list_fields_json(struct list *l)
{
	struct json j;
	json_init(&j, l->out);
	json_begin_array(&j);
	for (unsigned id = 0; id < FIELD_COUNT; id++) {
		const struct field_info *f = field_get_info(id);
		if (!field_wanted(l, f))
			continue;
		l->shown++;
		json_begin_object(&j);
		ui_json_text(&j, "name", f->name);
		ui_json_text(&j, "type", type_names[f->type]);
		ui_json_text(&j, "argument", argument_forms[f->arg]);
		ui_json_text(&j, "scope", f->scope == FIELD_SCOPE_PROC ? "process" : "event");
		ui_json_bool(&j, "list", f->flags & FIELD_F_LIST);
		ui_json_bool(&j, "only_in_conditions", f->flags & FIELD_F_FILTER);
		ui_json_bool(&j, "never_has_a_value", f->flags & FIELD_F_NULLED);
		ui_json_text(&j, "doc", f->doc);
		json_end_object(&j);
	}
	json_end_array(&j);
	buf_add_char(l->out, '\n');
}

/* ---- events ---- */

static bool event_wanted(const struct list *l, const struct event_info *e)
{
	return e->name && (l->verbose || !e->own) && str_contains_nocase(str_from(e->name), l->pattern);
}

static void add_event(const struct list *l, const struct event_info *e)
{
	buf_printf(l->out, "%s%s%s", ui_code(l->color, UI_BOLD), e->name, ui_code(l->color, UI_RESET));
	buf_printf(l->out, " %s(%s%s)%s  ", ui_code(l->color, UI_DIM), e->category, e->observed ? "" : ", not observed",
	           ui_code(l->color, UI_RESET));
	buf_printf(l->out, "%s\n", e->doc);
	for (size_t i = 0; i < e->arg_count; i++) {
		const struct arg_info *a = &e->args[i];
		if (a->kind == ARG_OWN && !l->verbose)
			continue;
		buf_printf(l->out, "  %sevt.arg.%-20s%s %s\n", ui_code(l->color, UI_CYAN), a->name,
		           ui_code(l->color, UI_RESET), a->doc);
	}
}

static void list_events(struct list *l)
{
	for (unsigned type = 1; type < EVENT_TYPE_MAX; type++) {
		const struct event_info *e = event_type_info(type);
		if (!event_wanted(l, e))
			continue;
		if (l->shown++ > 0)
			buf_add_char(l->out, '\n');
		add_event(l, e);
	}
}

static void json_args(struct json *j, const struct event_info *e)
{
	json_key(j, "args");
	json_begin_array(j);
	for (size_t i = 0; i < e->arg_count; i++) {
		json_begin_object(j);
		ui_json_text(j, "name", e->args[i].name);
		ui_json_text(j, "doc", e->args[i].doc);
		json_end_object(j);
	}
	json_end_array(j);
}

static void list_events_json(struct list *l)
{
	struct json j;
	json_init(&j, l->out);
	json_begin_array(&j);
	for (unsigned type = 1; type < EVENT_TYPE_MAX; type++) {
		const struct event_info *e = event_type_info(type);
		if (!event_wanted(l, e))
			continue;
		l->shown++;
		json_begin_object(&j);
		ui_json_text(&j, "name", e->name);
		ui_json_text(&j, "category", e->category);
		ui_json_bool(&j, "observed", e->observed);
		ui_json_text(&j, "doc", e->doc);
		json_args(&j, e);
		json_end_object(&j);
	}
	json_end_array(&j);
	buf_add_char(l->out, '\n');
}

static int nothing_found(const struct args *args)
{
	const char *near = field_suggest(str_from(args->words[0]));
	if (near && !args_has(args, "events"))
		log_error("no field has \"%s\" in its name; did you mean %s?", args->words[0], near);
	else
		log_error("nothing has \"%s\" in its name; --verbose looks at descriptions too", args->words[0]);
	return CLI_BAD;
}

int command_fields(const struct args *args)
{
	_cleanup_(buf_done) struct buf out;
	buf_init(&out, OUT_BYTES_MAX);
	if (args->word_count > 1) {
		log_error("picket fields takes one pattern");
		return CLI_USAGE;
	}
	struct list l = {
	        .pattern = args->word_count ? str_from(args->words[0]) : STR(""),
	        .verbose = args_has(args, "verbose"),
	        .color = ui_color(args, STDOUT_FILENO),
	        .width = ui_width(STDOUT_FILENO),
	        .out = &out,
	};
	bool json = args_has(args, "json");
	if (args_has(args, "events"))
		json ? list_events_json(&l) : list_events(&l);
	else
		json ? list_fields_json(&l) : list_fields(&l);
	int r = ui_print(&out);
	return l.shown == 0 && !json ? nothing_found(args) : r;
}
