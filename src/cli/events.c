/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/judging.h"
#include "cli/live_options.h"
#include "cli/ui.h"
#include "core/log.h"
#include "event/capture.h"
#include "event/print.h"

#define OUT_BYTES_MAX (4u << 20)
#define OUT_FLUSH_BYTES (32u << 10)
#define READER_LOOK_MS 200
#define NAME_COLUMNS 15       /* of a process's name: comm */
#define TIME_COLUMNS_SHORT 12 /* milliseconds */
#define PID_COLUMNS 7
#define TYPE_COLUMNS 11

struct events {
	const struct args *args;
	struct filter *filter; /* NULL: all */
	struct format *fields; /* NULL: the usual line */
	bool json, raw, color;
	bool at_once;   /* each line by itself: a person looks on */
	unsigned width; /* columns of a line; 0: not cut */
	uint64_t left;  /* events still to be shown; UINT64_MAX: no limit */
	struct buf out;
};

static void events_done(struct events *e)
{
	filter_freep(&e->filter);
	format_freep(&e->fields);
	buf_done(&e->out);
}

/* The main loop takes signals, but not while we wait for a reader. */
static bool asked_to_end(void)
{
	sigset_t pending;
	return sigpending(&pending) == 0 && (sigismember(&pending, SIGTERM) || sigismember(&pending, SIGINT));
}

/* Waits for the reader as long as nobody wants us to end. A pipe that is ready takes PIPE_BUF bytes without waiting. */
static int write_out(const char *data, size_t length)
{
	while (length > 0) {
		struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};
		size_t part = MIN(length, (size_t)PIPE_BUF);
		if (poll(&p, 1, READER_LOOK_MS) == 0) {
			if (asked_to_end())
				return -ECANCELED;
			continue;
		}
		int r = file_write_all(STDOUT_FILENO, data, part);
		if (r < 0)
			return r;
		data += part;
		length -= part;
	}
	return 0;
}

static int flush(struct events *e)
{
	int r = write_out(e->out.data, e->out.length);
	buf_clear(&e->out);
	return r == -EPIPE ? -ECANCELED : r; /* whoever read has seen enough */
}

static void get(const struct enrich_view *view, enum field_id id, struct arena *arena, struct value *ret_value)
{
	struct field_ref ref = {.id = id, .output = true};
	view->source.get(&view->source, &ref, arena, ret_value);
}

static struct str get_text(const struct enrich_view *view, enum field_id id, struct arena *arena)
{
	struct value value;
	get(view, id, arena, &value);
	return value.kind == VALUE_STR ? value.str : STR("");
}

static int64_t get_number(const struct enrich_view *view, enum field_id id, struct arena *arena)
{
	struct value value;
	get(view, id, arena, &value);
	return value.kind == VALUE_S64 ? value.s64 : value.kind == VALUE_U64 ? (int64_t)value.u64 : 0;
}

/* ---- the usual line ---- */

static void add_printable_padded(struct str s, unsigned columns, struct buf *out)
{
	size_t begin = out->length;
	value_add_printable(s, 0, out);
	for (size_t n = ui_columns(str_make(out->data + begin, out->length - begin)); n < columns; n++)
		buf_add_char(out, ' ');
}

static void add_container(struct events *e, const struct enrich_view *view, struct arena *arena)
{
	struct str id = get_text(view, FIELD_CONTAINER_ID, arena);
	struct str name = get_text(view, FIELD_CONTAINER_NAME, arena);
	if (id.length == 0 || str_equals(id, "host"))
		return;
	buf_printf(&e->out, " %s[", ui_code(e->color, UI_DIM));
	value_add_printable(name.length > 0 ? name : id, 0, &e->out);
	buf_printf(&e->out, "]%s", ui_code(e->color, UI_RESET));
}

/* evt.args lists what a call was given. Of picket's own events all is told, but for what is long or not text. */
static void add_args(const struct enrich_view *view, struct arena *arena, struct buf *out)
{
	const struct event_info *info = view->event.info;
	value_add_printable(get_text(view, FIELD_EVT_ARGS, arena), 0, out);
	for (size_t i = 0; info->own && i < info->arg_count; i++) {
		const struct arg_info *a = &info->args[i];
		struct field_ref ref = {.id = FIELD_EVT_ARG, .has_key = true, .output = true, .key = str_from(a->name)};
		struct value value;
		if (a->kind != ARG_OWN || a->type == ARG_BYTES || a->type == ARG_ARGV)
			continue;
		view->source.get(&view->source, &ref, arena, &value);
		if (value.kind == VALUE_NULL)
			continue;
		buf_printf(out, "%s=", a->name);
		value_add_text(&value, PRINT_PLAIN, out);
		buf_add_char(out, ' ');
	}
}

/* Cuts the line that begins at `begin` to so many columns; escapes of colours take none. */
static void cut_line(struct buf *out, size_t begin, unsigned columns)
{
	unsigned at = 0;
	size_t i = begin;
	while (i < out->length) {
		if (out->data[i] == '\033') {
			while (i < out->length && out->data[i] != 'm')
				i++;
			i++;
			continue;
		}
		size_t length = utf8_next(out->data + i, out->length - i);
		if (++at == columns && i + length < out->length) {
			out->length = i;
			buf_add_text(out, "…");
			return;
		}
		i += MAX(length, (size_t)1);
	}
}

static void add_line(struct events *e, const struct enrich_view *view, struct arena *arena)
{
	struct buf *out = &e->out;
	size_t begin = out->length;
	struct value failed;
	get(view, FIELD_EVT_FAILED, arena, &failed);
	bool red = failed.kind == VALUE_BOOL && failed.boolean;
	buf_add_text(out, ui_code(e->color, UI_DIM));
	struct str time = get_text(view, FIELD_EVT_TIME, arena);
	if (e->width > 0) /* columns are scarce */
		time.length = MIN(time.length, (size_t)TIME_COLUMNS_SHORT);
	buf_add_str(out, time);
	buf_printf(out, "%s %*" PRId64 " %s", ui_code(e->color, UI_RESET), PID_COLUMNS,
	           get_number(view, FIELD_PROC_PID, arena), ui_code(e->color, UI_BOLD));
	add_printable_padded(get_text(view, FIELD_PROC_NAME, arena), NAME_COLUMNS, out);
	buf_printf(out, "%s %s", ui_code(e->color, UI_RESET), ui_code(e->color, red ? UI_RED : UI_CYAN));
	add_printable_padded(get_text(view, FIELD_EVT_TYPE, arena), TYPE_COLUMNS, out);
	buf_printf(out, "%s ", ui_code(e->color, UI_RESET));
	add_args(view, arena, out);
	add_container(e, view, arena);
	if (e->width > 0)
		cut_line(out, begin, e->width);
	buf_printf(out, "%s\n", ui_code(e->color, UI_RESET));
}

/* ---- JSON ---- */

static void json_field(struct json *j, const struct enrich_view *view, enum field_id id, struct arena *arena)
{
	struct value value;
	get(view, id, arena, &value);
	if (value.kind == VALUE_NULL)
		return;
	json_key(j, field_get_info(id)->name);
	value_add_json(&value, j);
}

static void json_args(struct json *j, const struct enrich_view *view, struct arena *arena)
{
	const struct event_info *info = view->event.info;
	json_key(j, "evt.args");
	json_begin_object(j);
	for (size_t i = 0; i < info->arg_count; i++) {
		if (info->args[i].kind == ARG_OWN)
			continue;
		struct field_ref ref = {
		        .id = FIELD_EVT_ARG, .has_key = true, .output = true, .key = str_from(info->args[i].name)};
		struct value value;
		view->source.get(&view->source, &ref, arena, &value);
		json_key(j, info->args[i].name);
		value_add_json(&value, j);
	}
	json_end_object(j);
}

static void add_json(struct events *e, const struct enrich_view *view, struct arena *arena)
{
	static const enum field_id ids[] = {
	        FIELD_EVT_NUM,        FIELD_EVT_RAWTIME,  FIELD_EVT_TIME_ISO8601, FIELD_EVT_TYPE,
	        FIELD_EVT_RES,        FIELD_PROC_PID,     FIELD_THREAD_TID,       FIELD_PROC_NAME,
	        FIELD_PROC_EXEPATH,   FIELD_PROC_CMDLINE, FIELD_PROC_PPID,        FIELD_PROC_PNAME,
	        FIELD_USER_UID,       FIELD_USER_NAME,    FIELD_FD_NUM,           FIELD_FD_NAME,
	        FIELD_FD_NAMES,       FIELD_FD_TYPE,      FIELD_CONTAINER_ID,     FIELD_CONTAINER_NAME,
	        FIELD_EVT_INCOMPLETE,
	};
	struct json j;
	json_init(&j, &e->out);
	json_begin_object(&j);
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		json_field(&j, view, ids[i], arena);
	json_args(&j, view, arena);
	json_end_object(&j);
	buf_add_char(&e->out, '\n');
}

/* ---- chosen fields ---- */

static void add_fields(struct events *e, const struct enrich_view *view, struct arena *arena)
{
	struct json j;
	json_init(&j, &e->out);
	if (e->json)
		json_begin_object(&j);
	for (size_t i = 0; i < format_field_count(e->fields); i++) {
		struct value value;
		format_field_get(e->fields, i, &view->source, arena, &value);
		if (e->json) {
			json_key_str(&j, format_field_name(e->fields, i));
			value_add_json(&value, &j);
			continue;
		}
		if (i > 0)
			buf_add_char(&e->out, '\t');
		value_add_text(&value, format_field_print(e->fields, i), &e->out);
	}
	if (e->json)
		json_end_object(&j);
	buf_add_char(&e->out, '\n');
}

static void add_raw(struct events *e, const struct event *event)
{
	struct json j;
	json_init(&j, &e->out);
	event_add_json(event, &j);
	buf_add_char(&e->out, '\n');
}

/* ---- taking events ---- */

static bool wanted(const struct events *e, struct enrich_view *view, struct arena *arena)
{
	if (!e->filter)
		return true;
	for (view->name_index = 0; view->name_index < MAX(view->name_count, 1u); view->name_index++)
		if (filter_match(e->filter, &view->source, arena))
			return true;
	view->name_index = 0;
	return false;
}

static int take(void *userdata, struct enrich_view *view, struct arena *arena)
{
	struct events *e = userdata;
	if (!wanted(e, view, arena))
		return 0;
	if (e->raw)
		add_raw(e, &view->event);
	else if (e->fields)
		add_fields(e, view, arena);
	else if (e->json)
		add_json(e, view, arena);
	else
		add_line(e, view, arena);
	if (--e->left == 0) {
		int r = flush(e);
		return r < 0 ? r : -ECANCELED;
	}
	return e->at_once || e->out.length >= OUT_FLUSH_BYTES ? flush(e) : 0;
}

static int context(void *userdata, const struct event *event)
{
	struct events *e = userdata;
	if (e->raw && !e->filter)
		add_raw(e, event);
	if (event->header->type != EVENT_loss)
		return 0;
	const struct arg_info *count = event_find_arg(event->info, STR("count"));
	log_warning("%" PRIu64 " events were lost here", event_arg_number(event, count));
	return 0;
}

static int started(void *userdata, struct live *live)
{
	const struct events *e = userdata;
	filter_sieve(e->args, 0, live);
	return 0;
}

static void tick(void *userdata, struct live *live)
{
	(void)live;
	(void)!flush(userdata);
}

static int end(struct events *e, int r)
{
	int flushed = flush(e);
	if (r == 0)
		r = flushed;
	if (r == 0 || r == -ECANCELED)
		return CLI_OK;
	log_error("ended: %s", strerror(-r));
	return CLI_BAD;
}

static bool uses_field(const struct events *e, enum field_id id)
{
	return (e->filter && filter_uses_field(e->filter, id)) || (e->fields && format_uses_field(e->fields, id));
}

static int show_live(struct events *e, struct pipeline *pipeline)
{
	_cleanup_(live_freep) struct live *live = NULL;
	struct live_options options;
	if (live_options_init(e->args, &options) < 0)
		return CLI_USAGE;
	events_observed(&options.events);
	if (e->filter) {
		options.events = (struct event_set){0};
		filter_events(e->filter, &options.events);
	}
	options.loader.environment = uses_field(e, FIELD_PROC_ENV) || uses_field(e, FIELD_PROC_AENV);
	options.hooks = (struct live_hooks){.started = started, .tick = tick, .userdata = e};
	int r = live_start(&options, pipeline, &live);
	return r == CLI_OK ? end(e, live_run(live)) : r;
}

static int show_capture(struct events *e, const char *path, struct pipeline *pipeline)
{
	struct capture_reader *reader;
	const char *why = NULL;
	size_t damaged = 0;
	struct event event;
	int r = capture_reader_new(path, &reader, &why);
	if (r < 0) {
		log_error("%s: %s", path, why ? why : strerror(-r));
		return CLI_BAD;
	}
	do {
		r = capture_reader_next(reader, &event);
		damaged += r == -EBADMSG;
		if (r == 1)
			r = pipeline_put_event(pipeline, &event) ?: 1;
	} while (r == 1 || r == -EBADMSG);
	capture_reader_free(reader);
	r = end(e, r);
	if (damaged == 0)
		return r;
	log_error("%s: %zu damaged block%s left out", path, damaged, damaged == 1 ? " was" : "s were");
	return CLI_BAD;
}

int command_events(const struct args *args)
{
	_cleanup_(events_done) struct events e = {.args = args, .left = UINT64_MAX};
	_cleanup_(pipeline_freep) struct pipeline *pipeline = NULL;
	const char *capture = args_get(args, "from");
	buf_init(&e.out, OUT_BYTES_MAX);
	e.json = args_has(args, "json");
	e.raw = args_has(args, "raw");
	e.color = ui_color(args, STDOUT_FILENO);
	e.at_once = isatty(STDOUT_FILENO) && !capture;
	e.width = isatty(STDOUT_FILENO) && !args_has(args, "verbose") ? ui_width(STDOUT_FILENO) : 0;
	if (args_get_u64(args, "count", UINT64_MAX - 1, &e.left) < 0)
		return CLI_USAGE;
	int r = filter_from_words(args, 0, &e.filter);
	if (r == CLI_OK)
		r = fields_from_option(args, "fields", &e.fields);
	if (r != CLI_OK || e.left == 0)
		return r;
	r = pipeline_new(&(struct pipeline_options){.live = !capture, .consumer = {take, context, &e}}, &pipeline);
	if (r < 0) {
		log_error("cannot start: %s", strerror(-r));
		return CLI_IMPOSSIBLE;
	}
	return capture ? show_capture(&e, capture, pipeline) : show_live(&e, pipeline);
}
