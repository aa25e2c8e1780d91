/* SPDX-License-Identifier: Apache-2.0
 *
 * From what was collected to rules that can judge: lists, macros, exceptions, checks.
 */
#include "rule/set_int.h"

#include <errno.h>
#include <stdlib.h>

#define ERROR_VALIDATE "LOAD_ERR_VALIDATE"
#define RULE_DIAGS_MAX 100 /* kept of one condition */
#define EVENTS_MANY 100
#define INLINE_NODES_MAX 100000 /* tree nodes of a condition that stands in no rule */

struct compiler {
	struct collection *collection;
	struct compiled *out;
	struct diag_list *diags;
	size_t budget; /* nodes of trees that may still be made */
	bool failed;
	struct cond *stand_in; /* for macros with errors, so that those who use them are checked all the same */
	size_t *names;         /* of each_macro: macros found */
	size_t name_count, name_capacity;
	const struct macro_def *user; /* whose names are being resolved; NULL: a rule's */
	int error;
};

/* ---- messages ---- */

static bool is_told(const struct diag_list *l, const struct diag *d)
{
	for (size_t i = 0; i < l->count; i++) {
		const struct diag *other = &l->items[i];
		if (other->line == d->line && other->column == d->column && other->level == d->level &&
		    strcmp(other->text, d->text) == 0 && other->file && d->file && strcmp(other->file, d->file) == 0)
			return true;
	}
	return false;
}

void diags_move(struct diag_list *from, struct diag_list *to, enum diag_level level, const char *code)
{
	for (size_t i = 0; i < from->count; i++) {
		struct diag *d = &from->items[i];
		d->level = level;
		if (is_told(to, d))
			continue;
		struct diag *moved =
		        diag_add(to, level, code ? code : d->code, d->file, d->line, d->column, "%s", d->text);
		if (d->hint)
			diag_set_hint(moved, "%s", d->hint);
		if (d->source)
			diag_set_source(moved, str_from(d->source));
	}
	to->dropped += from->dropped;
	to->errors += level == DIAG_ERROR ? from->dropped : 0;
	diag_list_done(from);
}

/* A message that points away from the condition, into a list or a macro, says whose condition it is. */
static void say_whose(struct diag_list *diags, const struct source_text *condition, const char *what, struct str name)
{
	const struct text_segment *first = &condition->segments[0], *last = &condition->segments[condition->count - 1];
	for (size_t i = 0; i < diags->count; i++) {
		struct diag *d = &diags->items[i];
		bool inside =
		        d->file && strcmp(d->file, first->file) == 0 && d->line >= first->line && d->line <= last->line;
		if (!inside && !d->hint)
			diag_set_hint(d, "it is used by the %s '%.200s'", what, name.data);
	}
}

/* Hands the messages on and remembers that something failed. result: of what gave the messages. */
static bool settle(struct compiler *c, int result, struct diag_list *diags, const struct source_text *condition,
                   const char *what, struct str name)
{
	say_whose(diags, condition, what, name);
	diags_move(diags, c->diags, DIAG_ERROR, NULL);
	if (result == -ENOMEM)
		c->error = result;
	if (result < 0)
		c->failed = true;
	return result == 0;
}

/* ---- macros ---- */

static void parse_macro(struct compiler *c, struct macro_def *m)
{
	struct arena *a = &c->out->arena;
	struct diag_list diags;
	diag_list_init(&diags, RULE_DIAGS_MAX);
	int r = list_substitute(c->collection, a, &m->condition, &diags, &m->text);
	if (r == 0)
		r = cond_parse(a, &m->text, &diags, &m->cond);
	if (!settle(c, r, &diags, &m->condition, "macro", m->name))
		m->cond = NULL;
	m->compares_na = m->cond && cond_compares_na(m->cond);
}

static void add_name(void *userdata, struct str name)
{
	struct compiler *c = userdata;
	struct macro_def *m = collection_macro(c->collection, name);
	if (!m || c->error)
		return;
	m->used = true;
	if (c->user && m->index >= c->user->visibility)
		return;
	if (c->name_count == c->name_capacity) {
		size_t capacity = c->name_capacity ? c->name_capacity * 2 : 64;
		size_t *names = reallocarray(c->names, capacity, sizeof(*names));
		if (!names) {
			c->error = -ENOMEM;
			return;
		}
		c->names = names;
		c->name_capacity = capacity;
	}
	c->names[c->name_count++] = (size_t)(m - c->collection->macros);
}

/* Which macros m names and may use. */
static void find_needs(struct compiler *c, struct macro_def *m)
{
	c->name_count = 0;
	c->user = m;
	if (m->cond)
		cond_each_macro(m->cond, add_name, c);
	m->needs = arena_array(&c->out->arena, size_t, c->name_count);
	if (!m->needs) {
		c->error = -ENOMEM;
		return;
	}
	if (c->name_count)
		memcpy(m->needs, c->names, c->name_count * sizeof(*m->needs));
	m->need_count = c->name_count;
}

struct lookup {
	struct compiler *compiler;
	size_t visibility;
};

static struct cond *lookup_macro(void *userdata, struct str name)
{
	struct lookup *l = userdata;
	struct macro_def *m = collection_macro(l->compiler->collection, name);
	if (!m || m->index >= l->visibility)
		return NULL;
	return m->cond ? m->cond : l->compiler->stand_in;
}

static void hint_order(struct diag_list *diags, const struct compiler *c, const struct macro_def *m)
{
	for (size_t i = 0; i < diags->count; i++) {
		const char *begin = strchr(diags->items[i].text, '\''), *end = begin ? strchr(begin + 1, '\'') : NULL;
		const struct macro_def *other =
		        end ? collection_macro(c->collection, str_make(begin + 1, (size_t)(end - begin) - 1)) : NULL;
		if (other && other->index >= m->visibility)
			diag_set_hint(&diags->items[i], "a macro can use only those that are defined before it");
	}
}

static void resolve_macro(struct compiler *c, struct macro_def *m)
{
	struct lookup lookup = {.compiler = c, .visibility = m->visibility};
	struct diag_list diags;
	m->resolved = true;
	if (!m->cond)
		return;
	diag_list_init(&diags, RULE_DIAGS_MAX);
	int r = cond_resolve(&c->out->arena, &m->cond, lookup_macro, &lookup, &c->budget, &diags);
	hint_order(&diags, c, m);
	if (!settle(c, r, &diags, &m->condition, "macro", m->name))
		m->cond = NULL;
}

/* ---- the order in which macros are resolved: each after those that it needs ---- */

struct step {
	struct macro_def *macro;
	size_t next; /* of its needs */
};

static void tell_loop(struct compiler *c, const struct step *path, size_t count, const struct macro_def *again)
{
	_cleanup_(buf_done) struct buf names = {0};
	size_t first = 0;
	if (!again->cond)
		return; /* told */
	buf_init(&names, 1024);
	while (first < count && path[first].macro != again)
		first++;
	for (size_t i = first; i < count; i++)
		buf_printf(&names, "%.100s → ", path[i].macro->name.data);
	struct diag *d = place_diag(again->place, c->diags, DIAG_ERROR, ERROR_VALIDATE,
	                            "the macro '%.100s' uses itself", again->name.data);
	if (buf_error(&names) == 0 && names.data)
		diag_set_hint(d, "%s%.100s", names.data, again->name.data);
	c->failed = true;
	for (size_t i = first; i < count; i++)
		path[i].macro->cond = NULL;
}

/* Depth first without recursion: a chain may be as long as there are macros. path: room for all macros. */
static void resolve_from(struct compiler *c, struct macro_def *start, struct step *path)
{
	size_t depth = 0;
	if (start->resolved)
		return;
	path[depth++] = (struct step){.macro = start};
	start->on_path = true;
	while (depth && !c->error) {
		struct step *top = &path[depth - 1];
		if (top->next == top->macro->need_count) {
			resolve_macro(c, top->macro);
			top->macro->on_path = false;
			depth--;
			continue;
		}
		struct macro_def *need = &c->collection->macros[top->macro->needs[top->next++]];
		if (need->on_path) {
			tell_loop(c, path, depth, need);
		} else if (!need->resolved) {
			path[depth++] = (struct step){.macro = need};
			need->on_path = true;
		}
	}
}

static void compile_macros(struct compiler *c)
{
	struct collection *all = c->collection;
	for (size_t i = 0; i < all->macro_count && !c->error; i++) {
		parse_macro(c, &all->macros[i]);
		find_needs(c, &all->macros[i]);
	}
	_cleanup_(base_free_ptr) struct step *path = calloc(MAX(all->macro_count, (size_t)1), sizeof(*path));
	if (!path) {
		c->error = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < all->macro_count && !c->error; i++)
		resolve_from(c, &all->macros[i], path);
}

/* ---- a rule's condition ---- */

/* The text that is parsed: with exceptions and lists; kept, because the tree's messages point into it. */
static int condition_text(struct compiler *c, const struct rule_def *def, struct diag_list *diags,
                          struct source_text **ret_text)
{
	_cleanup_(text_builder_done) struct text_builder b = {0};
	struct source_text with_exceptions, *text = arena_new(&c->out->arena, struct source_text);
	if (!text)
		return -ENOMEM;
	text_builder_init(&b, RULE_TEXT_MAX);
	exception_write(&def->condition, &def->exceptions, &b);
	int r = text_builder_finish(&b, &c->out->arena, &with_exceptions);
	if (r == -ENOBUFS) {
		place_diag(def->place, diags, DIAG_ERROR, ERROR_VALIDATE,
		           "with its exceptions the condition is longer than %u bytes", RULE_TEXT_MAX);
		return -EINVAL;
	}
	if (r == 0)
		r = list_substitute(c->collection, &c->out->arena, &with_exceptions, diags, text);
	if (r == 0)
		*ret_text = text;
	return r;
}

struct parsed {
	struct cond *cond; /* NULL: of another source */
	bool compares_na;  /* in its own text: what macros do is told of them */
};

static int parse_condition(struct compiler *c, const struct rule_def *def, struct diag_list *diags,
                           struct parsed *ret_parsed)
{
	struct lookup lookup = {.compiler = c, .visibility = SIZE_MAX};
	struct source_text *text;
	struct cond *cond;
	int r = condition_text(c, def, diags, &text);
	if (r == 0)
		r = cond_parse(&c->out->arena, text, diags, &cond);
	if (r < 0)
		return r;
	c->name_count = 0;
	c->user = NULL;
	cond_each_macro(cond, add_name, c);
	if (!def->source_known) {
		*ret_parsed = (struct parsed){0};
		return 0;
	}
	bool compares_na = cond_compares_na(cond);
	r = cond_resolve(&c->out->arena, &cond, lookup_macro, &lookup, &c->budget, diags);
	if (r == 0)
		*ret_parsed = (struct parsed){cond, compares_na};
	return r;
}

/* Returns 0 also for a rule that is skipped: then there is no tree. */
static int check_condition(struct compiler *c, const struct rule_def *def, struct cond *parsed, struct diag_list *diags,
                           struct cond **ret_cond)
{
	int r = cond_check(&c->out->arena, parsed, diags);
	if (r < 0)
		cond_done(parsed);
	else
		*ret_cond = parsed;
	if (r != -ENOENT || !def->skip_if_unknown_filter)
		return r;
	say_whose(diags, &def->condition, "rule", def->name);
	diags_move(diags, c->diags, DIAG_WARNING, "LOAD_UNKNOWN_FILTER");
	return 0;
}

static size_t events_count(const struct event_set *events)
{
	size_t count = 0;
	for (size_t i = 0; i < ARRAY_SIZE(events->bits); i++)
		count += (size_t)__builtin_popcountll(events->bits[i]);
	return count;
}

static bool has_all_events(const struct event_set *events)
{
	for (unsigned i = 1; i < EVENT_TYPE_MAX; i++) {
		const struct event_info *info = event_type_info(i);
		if (info->name && !info->own && !event_set_has(events, i))
			return false;
	}
	return true;
}

/* never: that it matches nothing is what the rule says. */
static void warn_events(struct compiler *c, const struct rule_def *def, const struct event_set *events, bool never)
{
	size_t count = events_count(events);
	if (!def->warn_evttypes)
		return;
	if (count == 0 && !never) {
		struct diag *d = place_diag(def->place, c->diags, DIAG_WARNING, "LOAD_NO_EVTTYPE",
		                            "the rule matches no event type");
		diag_set_hint(
		        d,
		        "its evt.type conditions exclude each other, or name only events that picket does not observe");
	} else if (count > EVENTS_MANY || has_all_events(events)) {
		struct diag *d = place_diag(def->place, c->diags, DIAG_WARNING, "LOAD_NO_EVTTYPE",
		                            "the rule matches too many event types: each event must be judged by it");
		diag_set_hint(d, "add a condition on evt.type, or set warn_evttypes: false");
	}
}

static void warn_na(struct compiler *c, const struct source_text *condition)
{
	struct diag *d = source_text_diag(condition, 0, c->diags, DIAG_WARNING, "LOAD_UNSAFE_NA_CHECK",
	                                  "comparing with <NA> does not tell whether a field has a value");
	diag_set_hint(d, "a missing value equals nothing; use exists");
}

static int compile_condition(struct compiler *c, const struct rule_def *def, struct rule_entry *e)
{
	struct diag_list diags;
	struct parsed parsed = {0};
	struct cond *cond = NULL;
	struct filter *filter;
	diag_list_init(&diags, RULE_DIAGS_MAX);
	int r = parse_condition(c, def, &diags, &parsed);
	if (r == 0 && parsed.cond)
		r = check_condition(c, def, parsed.cond, &diags, &cond);
	if (!settle(c, r, &diags, &def->condition, "rule", def->name) || !cond)
		return r;
	r = filter_from_cond(cond, &filter);
	if (r < 0) {
		cond_done(cond);
		return r;
	}
	e->cond = cond;
	e->rule.condition = filter;
	cond_events(cond, &e->rule.events);
	if (parsed.compares_na)
		warn_na(c, &def->condition);
	warn_events(c, def, &e->rule.events, cond_uses_field(cond, FIELD_EVT_NUM));
	return 0;
}

/* ---- a rule's output ---- */

/* %container.info has meant nothing since containers have fields of their own. */
static int remove_container_info(struct compiler *c, const struct source_text *t, struct source_text *ret_text)
{
	static const struct str old = {"%container.info", 15};
	_cleanup_(text_builder_done) struct text_builder b;
	size_t copied = 0;
	text_builder_init(&b, RULE_TEXT_MAX);
	text_builder_add_text(&b, "", t, 0);
	for (const char *at; (at = memmem(t->text.data + copied, t->text.length - copied, old.data, old.length));) {
		size_t offset = (size_t)(at - t->text.data);
		text_builder_add_part(&b, t, copied, offset);
		source_text_diag(t, offset, c->diags, DIAG_WARNING, "LOAD_DEPRECATED_ITEM",
		                 "%%container.info is deprecated: it is left out");
		copied = offset + old.length;
	}
	text_builder_add_part(&b, t, copied, t->text.length);
	return text_builder_finish(&b, &c->out->arena, ret_text);
}

static int compile_output(struct compiler *c, const struct rule_def *def, struct rule_entry *e, bool *ret_skip)
{
	struct source_text text;
	struct diag_list diags;
	struct format *format = NULL;
	int r = remove_container_info(c, &def->output, &text);
	if (r < 0)
		return r;
	diag_list_init(&diags, RULE_DIAGS_MAX);
	r = format_from_text(&text, &diags, &format);
	if (r == -ENOENT && def->skip_if_unknown_filter) {
		diags_move(&diags, c->diags, DIAG_WARNING, "LOAD_UNKNOWN_FILTER");
		*ret_skip = true;
		return 0;
	}
	settle(c, r, &diags, &def->output, "rule", def->name);
	e->rule.output = format;
	return r;
}

/* ---- rules ---- */

/* NULL: no memory, and the compiler knows. */
static const char *keep_text(struct compiler *c, struct str text)
{
	const char *kept = arena_str(&c->out->arena, text).data;
	if (!kept)
		c->error = -ENOMEM;
	return kept;
}

static const char *const *keep_tags(struct compiler *c, const struct tag_list *tags)
{
	const char **kept = arena_array(&c->out->arena, const char *, tags->count);
	if (!kept)
		c->error = -ENOMEM;
	for (size_t i = 0; i < tags->count && !c->error; i++)
		kept[i] = keep_text(c, str_from(tags->items[i]));
	return kept;
}

/* All but the samples lives on without the files. */
static void describe(struct compiler *c, const struct rule_def *def, struct rule *rule)
{
	*rule = (struct rule){
	        .name = keep_text(c, def->name),
	        .desc = keep_text(c, def->desc.text),
	        .output_text = keep_text(c, def->output.text),
	        .condition_text = keep_text(c, def->condition.text),
	        .source = keep_text(c, def->source),
	        .file = keep_text(c, str_from(def->place.file->name)),
	        .line = doc_segment(def->place.file, def->place.offset, 0).line,
	        .priority = def->priority,
	        .enabled = def->enabled,
	        .warn_evttypes = def->warn_evttypes,
	        .skip_if_unknown_filter = def->skip_if_unknown_filter,
	        .capture = def->capture,
	        .capture_duration_ms = def->capture_duration_ms,
	        .tags = keep_tags(c, &def->tags),
	        .tag_count = def->tags.count,
	        .samples = def->samples.items,
	        .sample_count = def->samples.count,
	};
}

static void compile_rule(struct compiler *c, const struct rule_def *def, struct rule_entry *e)
{
	bool skip = false;
	describe(c, def, &e->rule);
	if (c->error)
		return;
	int r = compile_condition(c, def, e);
	if (r != -ENOMEM && def->source_known && compile_output(c, def, e, &skip) == -ENOMEM)
		r = -ENOMEM;
	if (r == -ENOMEM)
		c->error = r;
	if (skip && e->rule.condition) {
		filter_free((struct filter *)e->rule.condition);
		e->rule.condition = NULL;
		e->cond = NULL;
	}
	if (!e->rule.condition)
		e->rule.enabled = false;
}

static void warn_definitions(struct compiler *c)
{
	for (size_t i = 0; i < c->collection->macro_count; i++) {
		const struct macro_def *m = &c->collection->macros[i];
		if (m->used && m->compares_na)
			warn_na(c, &m->condition);
		if (!m->used)
			place_diag(m->place, c->diags, DIAG_WARNING, "LOAD_UNUSED_MACRO",
			           "the macro '%.100s' is not used", m->name.data);
	}
	for (size_t i = 0; i < c->collection->list_count; i++) {
		const struct list_def *l = &c->collection->lists[i];
		if (!l->used)
			place_diag(l->place, c->diags, DIAG_WARNING, "LOAD_UNUSED_LIST",
			           "the list '%.100s' is not used", l->name.data);
	}
}

static int make_stand_in(struct compiler *c)
{
	static const struct text_segment nowhere = {.line_text = {"", 0}};
	static const struct source_text text = {{"evt.num = 0", 11}, &nowhere, 1};
	return cond_parse(&c->out->arena, &text, c->diags, &c->stand_in);
}

static int compile_all(struct compiler *c)
{
	struct collection *all = c->collection;
	int r = list_expand_all(all, &c->out->arena);
	if (r == 0)
		r = make_stand_in(c);
	if (r < 0)
		return r;
	compile_macros(c);
	c->out->rules = arena_array(&c->out->arena, struct rule_entry, all->rule_count);
	if (!c->out->rules)
		return -ENOMEM;
	for (size_t i = 0; i < all->rule_count && !c->error; i++) {
		c->out->count = i + 1;
		compile_rule(c, &all->rules[i], &c->out->rules[i]);
	}
	if (!c->error && !c->failed)
		warn_definitions(c);
	return c->error ? c->error : c->failed ? -EINVAL : 0;
}

int compile_collection(struct collection *collection, struct compiled *ret_compiled, struct diag_list *reterr_diags)
{
	struct compiled out = {0};
	struct compiler c = {.collection = collection, .out = &out, .diags = reterr_diags, .budget = RULE_NODES_MAX};
	arena_init(&out.arena, COMPILE_ARENA_MAX);
	int r = compile_all(&c);
	free(c.names);
	if (r < 0) {
		compiled_done(&out);
		return r;
	}
	*ret_compiled = out;
	return 0;
}

int compile_inline(struct collection *collection, struct compiled *compiled, const struct source_text *t,
                   struct diag_list *reterr_diags, struct filter **ret_filter)
{
	struct compiler c = {
	        .collection = collection, .out = compiled, .diags = reterr_diags, .budget = INLINE_NODES_MAX};
	struct lookup lookup = {.compiler = &c, .visibility = SIZE_MAX};
	struct source_text *text = arena_new(&compiled->arena, struct source_text);
	struct cond *cond;
	if (!text)
		return -ENOMEM;
	int r = list_substitute(collection, &compiled->arena, t, reterr_diags, text);
	if (r == 0)
		r = cond_parse(&compiled->arena, text, reterr_diags, &cond);
	if (r == 0)
		r = cond_resolve(&compiled->arena, &cond, lookup_macro, &lookup, &c.budget, reterr_diags);
	if (r == 0)
		r = cond_check(&compiled->arena, cond, reterr_diags);
	if (r < 0)
		return r == -ENOENT ? -EINVAL : r;
	r = filter_from_cond(cond, ret_filter);
	if (r < 0)
		cond_done(cond);
	return r;
}

void compiled_done(struct compiled *c)
{
	for (size_t i = 0; i < c->count; i++) {
		filter_free((struct filter *)c->rules[i].rule.condition);
		format_free((struct format *)c->rules[i].rule.output);
	}
	arena_done(&c->arena);
	*c = (struct compiled){0};
}
