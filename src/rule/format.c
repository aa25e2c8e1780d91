/* SPDX-License-Identifier: Apache-2.0
 *
 * Outputs: text with %fields.
 */
#include "rule/condition_int.h"

#include <errno.h>
#include <stdlib.h>

#define FORMAT_BYTES_MAX (64u << 20) /* of memory that one output may take */
#define FORMAT_WIDTH_MAX 1000

struct part {
	struct str literal;      /* stands before the field */
	const struct expr *expr; /* or NULL: the end */
	size_t width;            /* columns; 0: as many as it needs */
};

struct format_field {
	struct str name;
	const struct expr *expr;
};

struct format {
	struct arena arena;
	struct part *parts;
	size_t part_count, part_capacity;
	struct format_field *fields;
	size_t field_count, field_capacity;
};

struct formatter {
	struct format *format;
	struct parser parser;
	struct check check;
	size_t literal; /* where the text that is not taken yet begins */
	int error;      /* -ENOMEM */
};

/* ---- what is being collected ---- */

/* Room for one more; what was there may move. NULL: no memory. */
static void *array_grow(struct arena *arena, void *items, size_t size, size_t count, size_t *capacity)
{
	if (count < *capacity)
		return items;
	size_t room = *capacity ? *capacity * 2 : 8;
	void *grown = arena_alloc_array(arena, size, room);
	if (!grown)
		return NULL;
	if (count)
		memcpy(grown, items, count * size);
	*capacity = room;
	return grown;
}

static bool out_of_memory(struct formatter *f)
{
	f->error = -ENOMEM;
	return false;
}

static bool add_part(struct formatter *f, size_t end, const struct expr *e, size_t width)
{
	struct format *format = f->format;
	struct part *parts =
	        array_grow(&format->arena, format->parts, sizeof(*parts), format->part_count, &format->part_capacity);
	if (!parts)
		return out_of_memory(f);
	format->parts = parts;
	struct str literal = str_make(f->parser.text.data + f->literal, end - f->literal);
	parts[format->part_count++] = (struct part){.literal = literal, .expr = e, .width = width};
	return true;
}

static bool field_is_there(const struct format *format, struct str name)
{
	for (size_t i = 0; i < format->field_count; i++) {
		if (str_equal(format->fields[i].name, name))
			return true;
	}
	return false;
}

static bool add_field(struct formatter *f, struct str name, const struct expr *e)
{
	struct format *format = f->format;
	if (field_is_there(format, name))
		return true;
	struct format_field *fields = array_grow(&format->arena, format->fields, sizeof(*fields), format->field_count,
	                                         &format->field_capacity);
	if (!fields)
		return out_of_memory(f);
	format->fields = fields;
	fields[format->field_count++] = (struct format_field){name, e};
	return true;
}

static bool add_inner_field(struct formatter *f, const struct expr *field)
{
	struct arena *arena = &f->format->arena;
	struct expr *shown = arena_new(arena, struct expr);
	_cleanup_(buf_done) struct buf text;
	buf_init(&text, RULE_FILE_BYTES_MAX);
	expr_write(field, &text);
	struct str name = buf_error(&text) == 0 ? arena_str(arena, buf_str(&text)) : str_make(NULL, 0);
	if (!shown || !name.data)
		return out_of_memory(f);
	*shown = *field;
	shown->ref.output = true;
	return add_field(f, name, shown);
}

/* Besides what a transformer makes of fields, the fields themselves are evidence. */
static bool add_inner_fields(struct formatter *f, const struct expr *e)
{
	for (size_t i = 0; i < e->arg_count; i++) {
		const struct expr *arg = e->args[i];
		bool added = arg->kind == EXPR_FIELD ? add_inner_field(f, arg) : add_inner_fields(f, arg);
		if (!added)
			return false;
	}
	return true;
}

/* ---- reading ---- */

/* Does the field that ref was read as take the bracket that follows it? Otherwise that is just text. */
static bool field_takes_bracket(const struct field_ref *ref)
{
	enum field_arg takes = field_get_info(ref->id)->arg;
	return takes != FIELD_ARG_NO && !(takes == FIELD_ARG_NAME && ref->has_key);
}

static struct expr *read_field(struct formatter *f)
{
	struct parser *p = &f->parser;
	struct str rest = str_make(p->text.data + p->at, p->text.length - p->at);
	struct field_ref ref = {0};
	size_t length, at = p->at;
	if (field_parse_prefix(rest, &ref, &length) < 0)
		return NULL;
	struct expr *e = parser_alloc(p, sizeof(*e));
	if (!e)
		return NULL;
	*e = (struct expr){.kind = EXPR_FIELD, .at = at, .name = str_make(rest.data, length)};
	p->at += length;
	return !field_takes_bracket(&ref) || parse_bracket(p, e) ? e : NULL;
}

/* What stands here is meant as a field or a call, but is none. */
static bool looks_meant(const struct formatter *f)
{
	struct parser ahead = f->parser;
	struct str name = parse_dotted_name(&ahead);
	return name.length && (str_find_char(name, '.') >= 0 || parse_peek(&ahead) == '(');
}

static void fail_meant(struct formatter *f)
{
	struct parser *p = &f->parser;
	size_t at = p->at;
	struct str name = parse_dotted_name(p);
	if (parse_peek(p) == '(') {
		struct buf names;
		buf_init(&names, 1024);
		transform_names_write(&names);
		struct diag *d = check_fail(&f->check, at, "there is no transformer '" STR_FMT "'", STR_ARG(name));
		if (buf_error(&names) == 0)
			diag_set_hint(d, "transformers are: %s", names.data);
		buf_done(&names);
		return;
	}
	expr_check(&f->check, &(struct expr){.kind = EXPR_FIELD, .at = at, .name = name});
}

/* Old outputs have it: suggested fields take its place. */
static bool skip_container_info(struct formatter *f, size_t percent)
{
	static const char name[] = "container.info";
	struct parser *p = &f->parser;
	if (!str_starts_with(str_make(p->text.data + p->at, p->text.length - p->at), STR("container.info")))
		return false;
	add_part(f, percent, NULL, 0);
	p->at += sizeof(name) - 1;
	f->literal = p->at;
	return true;
}

static size_t read_width(struct formatter *f)
{
	struct parser *p = &f->parser;
	size_t width = 0;
	for (; parse_peek(p) >= '0' && parse_peek(p) <= '9'; p->at++)
		width = MIN(width * 10 + (size_t)(parse_peek(p) - '0'), (size_t)FORMAT_WIDTH_MAX + 1);
	return width;
}

static bool take_expr(struct formatter *f, struct expr *e, size_t percent, size_t width)
{
	struct parser *p = &f->parser;
	if (width > FORMAT_WIDTH_MAX)
		check_fail(&f->check, percent + 1, "a field is at most %d columns wide", FORMAT_WIDTH_MAX);
	if (!expr_check(&f->check, e))
		return true; /* it was told; what else is wrong is told too */
	if (!add_part(f, percent, e, width))
		return false;
	f->literal = p->at;
	return add_field(f, str_make(p->text.data + e->at, p->at - e->at), e) && add_inner_fields(f, e);
}

/* At a %. False: give up. */
static bool read_percent(struct formatter *f)
{
	struct parser *p = &f->parser;
	size_t percent = p->at++;
	size_t width = read_width(f);
	struct expr *e = parse_is_call(p) ? parse_call(p) : read_field(f);
	if (p->error)
		return false;
	if (e)
		return take_expr(f, e, percent, width);
	if (skip_container_info(f, percent))
		return !f->error;
	if (looks_meant(f))
		fail_meant(f);
	return true;
}

static int read_format(struct formatter *f)
{
	struct parser *p = &f->parser;
	bool going = true;
	while (going && p->at < p->text.length) {
		if (p->text.data[p->at] == '%')
			going = read_percent(f);
		else
			p->at++;
	}
	if (f->error || p->error)
		return f->error ? f->error : p->error;
	int r = check_result(&f->check);
	if (r < 0)
		return r;
	return add_part(f, p->text.length, NULL, 0) ? 0 : f->error;
}

int format_from_text(const struct source_text *t, struct diag_list *reterr_diags, struct format **ret_format)
{
	struct format *format = calloc(1, sizeof(*format));
	if (!format)
		return -ENOMEM;
	arena_init(&format->arena, FORMAT_BYTES_MAX);
	struct source_text copy = {arena_str(&format->arena, t->text), t->segments, t->count};
	struct formatter f = {.format = format};
	parser_init(&f.parser, &format->arena, &copy, 0, CODE_OUTPUT, reterr_diags);
	f.check = (struct check){
	        .arena = &format->arena, .source = &copy, .diags = reterr_diags, .code = CODE_OUTPUT, .output = true};
	int r = copy.text.data ? read_format(&f) : -ENOMEM;
	if (r < 0) {
		format_free(format);
		return r;
	}
	*ret_format = format;
	return 0;
}

int format_new(struct str text, const char *name, struct diag_list *reterr_diags, struct format **ret_format)
{
	_cleanup_(arena_done) struct arena arena;
	struct source_text *source;
	arena_init(&arena, FORMAT_BYTES_MAX);
	int r = text_lines_new(&arena, text, name, &source);
	if (r == 0)
		r = format_from_text(source, reterr_diags, ret_format);
	return r == -ENOENT ? -EINVAL : r;
}

void format_free(struct format *f)
{
	if (!f)
		return;
	arena_done(&f->arena);
	free(f);
}

/* ---- writing ---- */

static size_t character_length(const char *at, size_t left)
{
	size_t length = utf8_next(at, left);
	return length ? length : 1;
}

/* Cuts or pads what was added to out since start, to width characters. */
static void fit_width(struct buf *out, size_t start, size_t width)
{
	size_t columns = 0, at = start;
	for (; at < out->length && columns < width; columns++)
		at += character_length(out->data + at, out->length - at);
	if (at < out->length) {
		out->length = at;
		out->data[at] = '\0';
	}
	for (; columns < width; columns++)
		buf_add_char(out, ' ');
}

void format_write(const struct format *f, const struct field_source *source, struct arena *arena, struct buf *out)
{
	struct eval eval = {.source = source, .arena = arena};
	for (size_t i = 0; i < f->part_count; i++) {
		const struct part *part = &f->parts[i];
		struct value v;
		buf_add_str(out, part->literal);
		if (!part->expr)
			continue;
		size_t start = out->length;
		expr_value(part->expr, &eval, &v);
		value_add_text(&v, expr_print(part->expr), out);
		if (part->width)
			fit_width(out, start, part->width);
	}
}

/* ---- fields ---- */

size_t format_field_count(const struct format *f)
{
	return f->field_count;
}

struct str format_field_name(const struct format *f, size_t i)
{
	return f->fields[i].name;
}

/* Times that print as text are numbers when they are asked for as values. */
static bool is_time_text(const struct expr *e)
{
	if (e->kind != EXPR_FIELD)
		return false;
	switch ((int)e->ref.id) {
	case FIELD_EVT_TIME:
	case FIELD_EVT_TIME_S:
	case FIELD_EVT_TIME_ISO8601:
	case FIELD_EVT_DATETIME:
	case FIELD_EVT_DATETIME_S:
		return true;
	default:
		return false;
	}
}

void format_field_get(const struct format *f, size_t i, const struct field_source *source, struct arena *arena,
                      struct value *ret_value)
{
	const struct expr *e = f->fields[i].expr;
	struct eval eval = {.source = source, .arena = arena};
	struct field_ref raw_time = {.id = FIELD_EVT_RAWTIME, .output = true};
	*ret_value = (struct value){.kind = VALUE_NULL};
	if (is_time_text(e))
		source->get(source, &raw_time, arena, ret_value);
	else
		expr_value(e, &eval, ret_value);
}

enum value_print format_field_print(const struct format *f, size_t i)
{
	return expr_print(f->fields[i].expr);
}

bool format_uses_field(const struct format *f, enum field_id id)
{
	for (size_t i = 0; i < f->field_count; i++) {
		if (expr_uses_field(f->fields[i].expr, id))
			return true;
	}
	return false;
}
