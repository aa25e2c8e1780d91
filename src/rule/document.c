/* SPDX-License-Identifier: Apache-2.0 */
#include "rule/set_int.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

#define LINE_SHOWN_MAX (64u << 10) /* a longer line is not shown with a message: each keeps a copy */
#define SENTENCE_MAX 1024
#define MARK_STEP 64   /* characters between the known offsets */
#define WEIGHT_TEXT 64 /* bytes of text that count as one node */

struct parser {
	yaml_parser_t yaml;
	struct doc_file *file;
	struct diag_list *diags;
	struct map anchors;      /* of the document: name → node */
	const uint32_t *offsets; /* byte offset of each MARK_STEPth character: libyaml counts characters */
	size_t character_count;
	size_t node_count;
	size_t root_capacity;
};

/* ---- places ---- */

static size_t line_of(const struct doc_file *f, size_t offset)
{
	size_t low = 0, high = f->line_count;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (f->lines[middle] <= offset)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static struct str line_text(const struct doc_file *f, size_t line)
{
	size_t begin = f->lines[line];
	size_t end = line + 1 < f->line_count ? f->lines[line + 1] : f->text.length;
	if (end > begin && f->text.data[end - 1] == '\n')
		end--;
	return end - begin > LINE_SHOWN_MAX ? str_make(NULL, 0) : str_make(f->text.data + begin, end - begin);
}

unsigned doc_line(const struct doc_file *f, size_t offset)
{
	return (unsigned)line_of(f, offset) + 1;
}

struct text_segment doc_segment(const struct doc_file *f, size_t file_offset, size_t text_offset)
{
	size_t line = line_of(f, file_offset);
	return (struct text_segment){
	        .offset = text_offset,
	        .line = (unsigned)line + 1,
	        .column = (unsigned)(file_offset - f->lines[line]) + 1,
	        .line_text = line_text(f, line),
	        .file = f->name,
	};
}

static struct diag *printf_like(5, 0)
        segment_diag(const struct text_segment *s, struct diag_list *l, enum diag_level level, const char *code,
                     const char *format, va_list arguments)
{
	char sentence[SENTENCE_MAX];
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	struct diag *d = diag_add(l, level, code, s->file, s->line, s->column, "%s", sentence);
	if (s->line_text.data)
		diag_set_source(d, s->line_text);
	return d;
}

struct diag *doc_vdiag(const struct doc_file *f, size_t offset, struct diag_list *l, enum diag_level level,
                       const char *code, const char *format, va_list arguments)
{
	struct text_segment s = doc_segment(f, offset, 0);
	return segment_diag(&s, l, level, code, format, arguments);
}

struct diag *doc_diag(const struct doc_file *f, size_t offset, struct diag_list *l, enum diag_level level,
                      const char *code, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	struct diag *d = doc_vdiag(f, offset, l, level, code, format, arguments);
	va_end(arguments);
	return d;
}

struct diag *place_diag(struct place p, struct diag_list *l, enum diag_level level, const char *code,
                        const char *format, ...)
{
	struct text_segment s = doc_segment(p.file, p.offset, 0);
	va_list arguments;
	va_start(arguments, format);
	struct diag *d = segment_diag(&s, l, level, code, format, arguments);
	va_end(arguments);
	return d;
}

static int index_lines(struct doc_file *f)
{
	size_t count = 1;
	for (size_t i = 0; i < f->text.length; i++)
		count += f->text.data[i] == '\n';
	f->lines = arena_array(&f->arena, size_t, count);
	if (!f->lines)
		return -ENOMEM;
	f->line_count = 1;
	for (size_t i = 0; i < f->text.length; i++) {
		if (f->text.data[i] == '\n')
			f->lines[f->line_count++] = i + 1;
	}
	return 0;
}

static bool begins_character(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

static int index_characters(struct parser *p)
{
	struct str text = p->file->text;
	uint32_t *offsets = arena_array(&p->file->arena, uint32_t, text.length / MARK_STEP + 1);
	if (!offsets)
		return -ENOMEM;
	for (size_t i = 0; i < text.length; i++) {
		if (!begins_character(text.data[i]))
			continue;
		if (p->character_count % MARK_STEP == 0)
			offsets[p->character_count / MARK_STEP] = (uint32_t)i;
		p->character_count++;
	}
	p->offsets = offsets;
	return 0;
}

static size_t mark_offset(const struct parser *p, const yaml_mark_t *mark)
{
	struct str text = p->file->text;
	if (mark->index >= p->character_count)
		return text.length;
	size_t offset = p->offsets[mark->index / MARK_STEP];
	for (size_t left = mark->index % MARK_STEP; left; left--) {
		for (offset++; offset < text.length && !begins_character(text.data[offset]);)
			offset++;
	}
	return offset;
}

/* ---- events to nodes ---- */

static void event_done(yaml_event_t *event)
{
	yaml_event_delete(event);
}

/* libyaml's sentences are small clauses: "while parsing a block mapping", "did not find expected key". */
static int tell_parse_error(struct parser *p)
{
	const yaml_parser_t *y = &p->yaml;
	const char *problem = y->problem ? y->problem : "this is not YAML";
	if (y->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	size_t offset = y->error == YAML_READER_ERROR ? MIN(y->problem_offset, p->file->text.length)
	                                              : mark_offset(p, &y->problem_mark);
	struct diag *d = doc_diag(p->file, offset, p->diags, DIAG_ERROR, "LOAD_ERR_YAML_PARSE", "%s%s%s", problem,
	                          y->context ? " " : "", y->context ? y->context : "");
	if (y->context && y->error != YAML_READER_ERROR) {
		struct text_segment s = doc_segment(p->file, mark_offset(p, &y->context_mark), 0);
		diag_set_hint(d, "what is being read there began at line %u, column %u", s.line, s.column);
	}
	return -EINVAL;
}

static int next_event(struct parser *p, yaml_event_t *ret_event)
{
	return yaml_parser_parse(&p->yaml, ret_event) ? 0 : tell_parse_error(p);
}

static int tell_limit(struct parser *p, const yaml_event_t *event, const char *text)
{
	doc_diag(p->file, mark_offset(p, &event->start_mark), p->diags, DIAG_ERROR, "LOAD_ERR_YAML_VALIDATE", "%s",
	         text);
	return -EINVAL;
}

static int node_new(struct parser *p, const yaml_event_t *event, enum doc_kind kind, struct doc_node **ret_node)
{
	if (p->node_count++ >= DOC_WEIGHT_MAX)
		return tell_limit(p, event, "the file has too many values");
	struct doc_node *n = arena_new(&p->file->arena, struct doc_node);
	if (!n)
		return -ENOMEM;
	n->kind = kind;
	n->start = mark_offset(p, &event->start_mark);
	n->end = mark_offset(p, &event->end_mark);
	n->weight = 1;
	*ret_node = n;
	return 0;
}

static int remember_anchor(struct parser *p, const yaml_char_t *anchor, struct doc_node *node)
{
	return anchor ? map_put(&p->anchors, str_from((const char *)anchor), node, NULL) : 0;
}

static enum doc_style style_of(const yaml_event_t *event)
{
	switch (event->data.scalar.style) {
	case YAML_SINGLE_QUOTED_SCALAR_STYLE:
		return DOC_SINGLE_QUOTED;
	case YAML_DOUBLE_QUOTED_SCALAR_STYLE:
		return DOC_DOUBLE_QUOTED;
	case YAML_LITERAL_SCALAR_STYLE:
	case YAML_FOLDED_SCALAR_STYLE:
		return DOC_BLOCK;
	default:
		return DOC_PLAIN;
	}
}

static int read_scalar(struct parser *p, const yaml_event_t *event, struct doc_node **ret_node)
{
	struct str value = str_make((const char *)event->data.scalar.value, event->data.scalar.length);
	struct doc_node *n;
	int r = node_new(p, event, DOC_SCALAR, &n);
	if (r < 0)
		return r;
	if (value.length && memchr(value.data, '\0', value.length)) {
		doc_diag(p->file, n->start, p->diags, DIAG_ERROR, "LOAD_ERR_YAML_VALIDATE",
		         "text must not have a NUL byte");
		p->file->has_errors = true;
		value.length = strlen(value.data);
	}
	n->style = style_of(event);
	n->weight += value.length / WEIGHT_TEXT;
	n->text = arena_str(&p->file->arena, value);
	if (!n->text.data)
		return -ENOMEM;
	*ret_node = n;
	return remember_anchor(p, event->data.scalar.anchor, n);
}

static int read_alias(struct parser *p, const yaml_event_t *event, struct doc_node **ret_node)
{
	const char *name = (const char *)event->data.alias.anchor;
	struct doc_node *n = map_get(&p->anchors, str_from(name));
	if (!n) {
		/* Also within the anchor's own value: it becomes known when it is complete, so there are no loops. */
		doc_diag(p->file, mark_offset(p, &event->start_mark), p->diags, DIAG_ERROR, "LOAD_ERR_YAML_PARSE",
		         "no anchor '%s' stands before this alias", name);
		return -EINVAL;
	}
	*ret_node = n;
	return 0;
}

struct node_array {
	struct doc_node **items;
	size_t count, capacity;
};

static void node_array_done(struct node_array *a)
{
	free(a->items);
}

static int node_array_add(struct node_array *a, struct doc_node *n)
{
	if (a->count == a->capacity) {
		size_t capacity = a->capacity ? a->capacity * 2 : 8;
		struct doc_node **items = reallocarray(a->items, capacity, sizeof(*items));
		if (!items)
			return -ENOMEM;
		a->items = items;
		a->capacity = capacity;
	}
	a->items[a->count++] = n;
	return 0;
}

static int check_duplicate_keys(struct parser *p, const struct doc_node *n)
{
	_cleanup_(map_done) struct map seen;
	map_init(&seen, DOC_WEIGHT_MAX);
	for (size_t i = 0; i < n->count; i++) {
		struct doc_node *key = n->items[2 * i], *first;
		if (key->kind != DOC_SCALAR)
			continue;
		first = map_get(&seen, key->text);
		if (first) {
			struct diag *d = doc_diag(p->file, key->start, p->diags, DIAG_ERROR, "LOAD_ERR_YAML_VALIDATE",
			                          "the key '%.100s' stands twice in one mapping", key->text.data);
			diag_set_hint(d, "the first is in line %u; keep one",
			              doc_segment(p->file, first->start, 0).line);
			p->file->has_errors = true;
		} else if (map_put(&seen, key->text, key, NULL) < 0) {
			return -ENOMEM;
		}
	}
	return 0;
}

static int read_node(struct parser *p, const yaml_event_t *event, unsigned depth, struct doc_node **ret_node);

/* Children up to the end event, which gives the node its end. */
static int read_children(struct parser *p, struct doc_node *n, unsigned depth)
{
	_cleanup_(node_array_done) struct node_array children = {0};
	for (;;) {
		_cleanup_(event_done) yaml_event_t event = {0};
		struct doc_node *child;
		int r = next_event(p, &event);
		if (r < 0)
			return r;
		if (event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT) {
			n->end = mark_offset(p, &event.end_mark);
			break;
		}
		r = read_node(p, &event, depth + 1, &child);
		if (r < 0)
			return r;
		n->weight += child->weight;
		if (n->weight > DOC_WEIGHT_MAX)
			return tell_limit(p, &event, "the file is too large with its aliases expanded");
		r = node_array_add(&children, child);
		if (r < 0)
			return r;
	}
	n->items = arena_array(&p->file->arena, struct doc_node *, children.count);
	if (!n->items)
		return -ENOMEM;
	if (children.count)
		memcpy(n->items, children.items, children.count * sizeof(*n->items));
	n->count = n->kind == DOC_MAP ? children.count / 2 : children.count;
	return n->kind == DOC_MAP ? check_duplicate_keys(p, n) : 0;
}

static int read_collection(struct parser *p, const yaml_event_t *event, enum doc_kind kind, const yaml_char_t *anchor,
                           unsigned depth, struct doc_node **ret_node)
{
	struct doc_node *n;
	if (depth >= DOC_DEPTH_MAX)
		return tell_limit(p, event, "values are nested too deeply");
	int r = node_new(p, event, kind, &n);
	if (r < 0)
		return r;
	r = read_children(p, n, depth);
	if (r < 0)
		return r;
	*ret_node = n;
	return remember_anchor(p, anchor, n);
}

static int read_node(struct parser *p, const yaml_event_t *event, unsigned depth, struct doc_node **ret_node)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return read_scalar(p, event, ret_node);
	case YAML_ALIAS_EVENT:
		return read_alias(p, event, ret_node);
	case YAML_SEQUENCE_START_EVENT:
		return read_collection(p, event, DOC_SEQUENCE, event->data.sequence_start.anchor, depth, ret_node);
	case YAML_MAPPING_START_EVENT:
		return read_collection(p, event, DOC_MAP, event->data.mapping_start.anchor, depth, ret_node);
	default:
		return tell_limit(p, event, "a value is missing");
	}
}

static int add_root(struct parser *p, struct doc_node *root)
{
	struct doc_file *f = p->file;
	if (doc_is_null(root))
		return 0;
	if (f->root_count == p->root_capacity) {
		size_t capacity = p->root_capacity ? p->root_capacity * 2 : 4;
		struct doc_node **roots = arena_array(&f->arena, struct doc_node *, capacity);
		if (!roots)
			return -ENOMEM;
		if (f->root_count)
			memcpy(roots, f->roots, f->root_count * sizeof(*roots));
		f->roots = roots;
		p->root_capacity = capacity;
	}
	f->roots[f->root_count++] = root;
	return 0;
}

static int read_stream(struct parser *p)
{
	size_t weight = 0;
	for (;;) {
		_cleanup_(event_done) yaml_event_t event = {0};
		struct doc_node *root;
		int r = next_event(p, &event);
		if (r < 0)
			return r;
		if (event.type == YAML_STREAM_END_EVENT)
			return 0;
		if (event.type == YAML_DOCUMENT_START_EVENT) {
			map_done(&p->anchors);
			map_init(&p->anchors, DOC_WEIGHT_MAX);
			continue;
		}
		if (event.type == YAML_STREAM_START_EVENT || event.type == YAML_DOCUMENT_END_EVENT)
			continue;
		r = read_node(p, &event, 0, &root);
		if (r < 0)
			return r;
		weight += root->weight;
		if (weight > DOC_WEIGHT_MAX)
			return tell_limit(p, &event, "the file is too large with its aliases expanded");
		r = add_root(p, root);
		if (r < 0)
			return r;
	}
}

static int parse(struct doc_file *f, struct diag_list *diags)
{
	struct parser p = {.file = f, .diags = diags};
	int r = index_lines(f);
	if (r == 0)
		r = index_characters(&p);
	if (r < 0)
		return r;
	if (!yaml_parser_initialize(&p.yaml))
		return -ENOMEM;
	map_init(&p.anchors, DOC_WEIGHT_MAX);
	yaml_parser_set_encoding(&p.yaml, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&p.yaml, (const unsigned char *)f->text.data, f->text.length);
	r = read_stream(&p);
	map_done(&p.anchors);
	yaml_parser_delete(&p.yaml);
	return r;
}

int doc_file_new(const char *name, struct str text, struct diag_list *reterr_diags, struct doc_file **ret_file)
{
	static const struct str byte_order_mark = {"\xef\xbb\xbf", 3};
	if (text.length > RULE_FILE_BYTES_MAX) {
		diag_add(reterr_diags, DIAG_ERROR, "LOAD_ERR_FILE_READ", name, 0, 0, "the file is longer than %u bytes",
		         RULE_FILE_BYTES_MAX);
		return -EINVAL;
	}
	if (str_starts_with(text, byte_order_mark))
		text = str_make(text.data + byte_order_mark.length, text.length - byte_order_mark.length);
	struct doc_file *f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	arena_init(&f->arena, FILE_ARENA_MAX);
	f->text = arena_str(&f->arena, text);
	f->name = arena_str(&f->arena, str_from(name)).data;
	int r = f->text.data && f->name ? parse(f, reterr_diags) : -ENOMEM;
	if (r < 0) {
		doc_file_free(f);
		return r;
	}
	*ret_file = f;
	return 0;
}

void doc_file_free(struct doc_file *f)
{
	if (!f)
		return;
	arena_done(&f->arena);
	free(f);
}

/* ---- asking ---- */

bool doc_is_null(const struct doc_node *n)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
	if (!n)
		return true;
	for (size_t i = 0; n->kind == DOC_SCALAR && n->style == DOC_PLAIN && i < ARRAY_SIZE(nulls); i++) {
		if (str_equals(n->text, nulls[i]))
			return true;
	}
	return false;
}

static ssize_t find_key(const struct doc_node *map, const char *key)
{
	for (size_t i = 0; i < map->count; i++) {
		const struct doc_node *k = map->items[2 * i];
		if (k->kind == DOC_SCALAR && str_equals(k->text, key))
			return (ssize_t)i;
	}
	return -1;
}

const struct doc_node *doc_get(const struct doc_node *map, const char *key)
{
	ssize_t i = find_key(map, key);
	return i < 0 ? NULL : map->items[2 * i + 1];
}

const struct doc_node *doc_get_key(const struct doc_node *map, const char *key)
{
	ssize_t i = find_key(map, key);
	return i < 0 ? NULL : map->items[2 * i];
}
