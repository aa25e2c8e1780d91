/* SPDX-License-Identifier: Apache-2.0 */
#include "rule/set_int.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"

#define FILES_MAX 10000

struct rule_set {
	struct doc_file **files;
	size_t file_count, file_capacity;
	struct collection collection;
	struct compiled compiled;
	struct rule_entry *guests; /* numbered behind the rules */
	size_t guest_count;
	bool is_compiled, is_forgotten; /* the files are no longer there */
	struct type_rules by_type[EVENT_TYPE_MAX];
	const struct rule_entry **index; /* what by_type points into */
	struct cond_numbers numbers;
	struct map names; /* to rule_entry */
};

int rule_set_new(struct rule_set **ret_set)
{
	struct rule_set *s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	collection_init(&s->collection);
	map_init(&s->names, RULE_COUNT_MAX);
	cond_numbers_init(&s->numbers);
	*ret_set = s;
	return 0;
}

static void files_free(struct rule_set *s)
{
	for (size_t i = 0; i < s->file_count; i++)
		doc_file_free(s->files[i]);
	free(s->files);
	s->files = NULL;
	s->file_count = s->file_capacity = 0;
}

void rule_set_free(struct rule_set *s)
{
	if (!s)
		return;
	compiled_done(&s->compiled);
	collection_done(&s->collection);
	cond_numbers_done(&s->numbers);
	map_done(&s->names);
	files_free(s);
	free(s->index);
	free(s->guests);
	free(s);
}

/* ---- adding ---- */

static int make_room_for_file(struct rule_set *s)
{
	if (s->file_count >= FILES_MAX)
		return -ENOSPC;
	if (s->file_count < s->file_capacity)
		return 0;
	size_t capacity = s->file_capacity ? s->file_capacity * 2 : 8;
	struct doc_file **files = reallocarray(s->files, capacity, sizeof(struct doc_file *));
	if (!files)
		return -ENOMEM;
	s->files = files;
	s->file_capacity = capacity;
	return 0;
}

static int tell_resources(int r, const char *name, struct diag_list *diags)
{
	if (r == -ENOMEM)
		diag_add(diags, DIAG_ERROR, "LOAD_ERR_VALIDATE", name, 0, 0,
		         "there is not enough memory for the rules");
	else if (r == -ENOSPC)
		diag_add(diags, DIAG_ERROR, "LOAD_ERR_VALIDATE", name, 0, 0, "there are more than %d rules files",
		         FILES_MAX);
	else if (r == -EBUSY)
		diag_add(diags, DIAG_ERROR, "LOAD_ERR_VALIDATE", name, 0, 0, "the rules have been compiled already");
	return r;
}

static int add_text(struct rule_set *s, const char *name, struct str text, struct diag_list *diags)
{
	struct doc_file *file = NULL;
	struct collection changed;
	if (s->is_compiled)
		return -EBUSY;
	int r = make_room_for_file(s);
	if (r == 0)
		r = doc_file_new(name, text, diags, &file);
	if (r == 0)
		r = collection_copy(&s->collection, &changed);
	if (r < 0)
		goto out;
	r = reader_read(file, &changed, diags);
	if (r < 0) {
		collection_done(&changed);
		goto out;
	}
	collection_done(&s->collection);
	s->collection = changed;
	s->files[s->file_count++] = TAKE_PTR(file);
out:
	doc_file_free(file);
	return r;
}

int rule_set_add_text(struct rule_set *s, const char *name, struct str text, struct diag_list *reterr_diags)
{
	return tell_resources(add_text(s, name, text, reterr_diags), name, reterr_diags);
}

static int tell_unreadable(int r, const char *path, struct diag_list *diags)
{
	if (r == -EFBIG)
		diag_add(diags, DIAG_ERROR, "LOAD_ERR_FILE_READ", path, 0, 0, "the file is longer than %u bytes",
		         RULE_FILE_BYTES_MAX);
	else
		diag_add(diags, DIAG_ERROR, "LOAD_ERR_FILE_READ", path, 0, 0, "it cannot be read: %s", strerror(-r));
	return r;
}

static int add_file(struct rule_set *s, const char *path, struct diag_list *diags)
{
	_cleanup_(buf_done) struct buf text;
	buf_init(&text, RULE_FILE_BYTES_MAX);
	int r = file_read(path, &text);
	return r < 0 ? tell_unreadable(r, path, diags) : rule_set_add_text(s, path, buf_str(&text), diags);
}

static int is_rules_file(const struct dirent *entry)
{
	struct str name = str_from(entry->d_name);
	return name.data[0] != '.' && (str_ends_with(name, STR(".yaml")) || str_ends_with(name, STR(".yml")));
}

/* Byte order: the same everywhere, whatever the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_directory(struct rule_set *s, const char *path, struct diag_list *diags)
{
	struct dirent **entries = NULL;
	int count = scandir(path, &entries, is_rules_file, by_name), result = 0;
	if (count < 0)
		return tell_unreadable(-errno, path, diags);
	for (int i = 0; i < count; i++) {
		char *name = NULL;
		int r = asprintf(&name, "%s/%s", path, entries[i]->d_name) < 0 ? -ENOMEM : add_file(s, name, diags);
		if (result == 0)
			result = r;
		free(name);
		free(entries[i]);
	}
	free(entries);
	return result;
}

int rule_set_add_path(struct rule_set *s, const char *path, struct diag_list *reterr_diags)
{
	struct stat info;
	if (stat(path, &info) < 0)
		return tell_unreadable(-errno, path, reterr_diags);
	return S_ISDIR(info.st_mode) ? add_directory(s, path, reterr_diags) : add_file(s, path, reterr_diags);
}

/* ---- compiling ---- */

static bool is_on(const struct rule_entry *e)
{
	return e->cond && e->rule.enabled;
}

static size_t entry_count(const struct rule_set *s)
{
	return s->compiled.count + s->guest_count;
}

static const struct rule_entry *entry_get(const struct rule_set *s, size_t i)
{
	return i < s->compiled.count ? &s->compiled.rules[i] : &s->guests[i - s->compiled.count];
}

/* Needs no memory: the index has room for rules that are off. */
static void fill_index(struct rule_set *s)
{
	for (unsigned type = 0; type < EVENT_TYPE_MAX; type++)
		s->by_type[type].count = 0;
	for (size_t i = 0; i < entry_count(s); i++) {
		const struct rule_entry *e = entry_get(s, i);
		for (unsigned type = 0; is_on(e) && type < EVENT_TYPE_MAX; type++) {
			if (event_set_has(&e->rule.events, type))
				s->by_type[type].items[s->by_type[type].count++] = e;
		}
	}
}

static int make_index(struct rule_set *s)
{
	size_t total = 0, counts[EVENT_TYPE_MAX] = {0};
	for (size_t i = 0; i < entry_count(s); i++) {
		const struct rule_entry *e = entry_get(s, i);
		for (unsigned type = 0; type < EVENT_TYPE_MAX; type++) {
			bool has = e->cond && event_set_has(&e->rule.events, type);
			counts[type] += has;
			total += has;
		}
	}
	const struct rule_entry **index = calloc(MAX(total, (size_t)1), sizeof(*index));
	if (!index)
		return -ENOMEM;
	free(s->index);
	s->index = index;
	const struct rule_entry **next = s->index;
	for (unsigned type = 0; type < EVENT_TYPE_MAX; type++) {
		s->by_type[type].items = next;
		next += counts[type];
	}
	fill_index(s);
	return 0;
}

static int number_and_name(struct rule_set *s)
{
	for (size_t i = 0; i < s->compiled.count; i++) {
		struct rule_entry *e = &s->compiled.rules[i];
		int r = e->cond ? cond_number(e->cond, &s->numbers) : 0;
		if (r == 0)
			r = map_put(&s->names, str_from(e->rule.name), e, NULL);
		if (r < 0)
			return r;
	}
	return 0;
}

int rule_set_compile(struct rule_set *s, struct diag_list *reterr_diags)
{
	if (s->is_compiled)
		return tell_resources(-EBUSY, NULL, reterr_diags);
	s->is_compiled = true;
	int r = compile_collection(&s->collection, &s->compiled, reterr_diags);
	if (r == 0)
		r = number_and_name(s);
	if (r == 0)
		r = make_index(s);
	if (r < 0) {
		compiled_done(&s->compiled);
		map_done(&s->names);
		for (unsigned type = 0; type < EVENT_TYPE_MAX; type++)
			s->by_type[type].count = 0;
	}
	return tell_resources(r, NULL, reterr_diags);
}

void rule_set_forget_files(struct rule_set *s)
{
	if (!s->is_compiled)
		return;
	for (size_t i = 0; i < s->compiled.count; i++) {
		s->compiled.rules[i].rule.samples = NULL;
		s->compiled.rules[i].rule.sample_count = 0;
	}
	collection_done(&s->collection);
	files_free(s);
	s->is_forgotten = true;
}

int rule_set_condition(struct rule_set *s, struct doc_file *f, const struct doc_node *scalar,
                       struct diag_list *reterr_diags, struct filter **ret_filter)
{
	if (!s->is_compiled || s->is_forgotten)
		return -EBUSY;
	const struct source_text *text = doc_source(f, scalar);
	if (!text)
		return -ENOMEM;
	return compile_inline(&s->collection, &s->compiled, text, reterr_diags, ret_filter);
}

static int guest_init(struct rule_set *s, const struct rule_guest *guest, struct rule_entry *e)
{
	e->rule = (struct rule){
	        .name = guest->name, .condition = guest->condition, .enabled = true, .owner = guest->owner};
	e->cond = (struct cond *)filter_cond(guest->condition);
	filter_events(guest->condition, &e->rule.events);
	return cond_number(e->cond, &s->numbers);
}

int rule_set_add_guests(struct rule_set *s, const struct rule_guest *guests, size_t count)
{
	int r = 0;
	if (!s->is_compiled || s->guest_count)
		return -EBUSY;
	s->guests = calloc(MAX(count, (size_t)1), sizeof(*s->guests));
	if (!s->guests)
		return -ENOMEM;
	for (size_t i = 0; i < count && r == 0; i++)
		r = guest_init(s, &guests[i], &s->guests[i]);
	if (r < 0) {
		free(s->guests);
		s->guests = NULL;
		return r;
	}
	s->guest_count = count;
	return make_index(s);
}

bool rule_set_has_guests(const struct rule_set *s)
{
	return s->guest_count > 0;
}

/* ---- asking ---- */

struct type_rules rule_set_of_type(const struct rule_set *s, unsigned type)
{
	return s->by_type[type];
}

const struct collection *rule_set_collection(const struct rule_set *s)
{
	return &s->collection;
}

size_t rule_set_index(const struct rule_set *s, const struct rule_entry *rule)
{
	return rule->rule.owner ? s->compiled.count + (size_t)(rule - s->guests) : (size_t)(rule - s->compiled.rules);
}

const struct cond_numbers *rule_set_numbers(const struct rule_set *s)
{
	return &s->numbers;
}

size_t rule_set_count(const struct rule_set *s)
{
	return s->compiled.count;
}

const struct rule *rule_set_get(const struct rule_set *s, size_t i)
{
	return i < s->compiled.count ? &s->compiled.rules[i].rule : NULL;
}

const struct rule *rule_set_find(const struct rule_set *s, struct str name)
{
	const struct rule_entry *e = map_get(&s->names, name);
	return e ? &e->rule : NULL;
}

static bool has_tag(const struct rule *r, struct str tag)
{
	for (size_t i = 0; i < r->tag_count; i++) {
		if (str_equals(tag, r->tags[i]))
			return true;
	}
	return false;
}

size_t rule_set_enable(struct rule_set *s, struct str name_or_tag, bool is_tag, bool enabled)
{
	size_t changed = 0;
	for (size_t i = 0; i < s->compiled.count; i++) {
		struct rule_entry *e = &s->compiled.rules[i];
		bool named = is_tag ? has_tag(&e->rule, name_or_tag) : str_equals(name_or_tag, e->rule.name);
		if (!named || !e->cond || e->rule.enabled == enabled)
			continue;
		e->rule.enabled = enabled;
		changed++;
	}
	if (changed)
		fill_index(s);
	return changed;
}

void rule_set_enable_all(struct rule_set *s)
{
	for (size_t i = 0; i < s->compiled.count; i++)
		s->compiled.rules[i].rule.enabled = s->compiled.rules[i].cond != NULL;
	fill_index(s);
}

void rule_set_min_priority(struct rule_set *s, enum rule_priority least)
{
	for (size_t i = 0; i < s->compiled.count; i++) {
		if (s->compiled.rules[i].rule.priority > least)
			s->compiled.rules[i].rule.enabled = false;
	}
	if (s->is_compiled && s->index)
		fill_index(s);
}

void rule_set_events(const struct rule_set *s, struct event_set *ret_set)
{
	*ret_set = (struct event_set){0};
	for (size_t i = 0; i < entry_count(s); i++) {
		const struct rule_entry *e = entry_get(s, i);
		for (size_t k = 0; is_on(e) && k < ARRAY_SIZE(ret_set->bits); k++)
			ret_set->bits[k] |= e->rule.events.bits[k];
	}
}

bool rule_set_uses_field(const struct rule_set *s, enum field_id id)
{
	for (size_t i = 0; i < entry_count(s); i++) {
		const struct rule_entry *e = entry_get(s, i);
		if (is_on(e) &&
		    (cond_uses_field(e->cond, id) || (e->rule.output && format_uses_field(e->rule.output, id))))
			return true;
	}
	return false;
}

struct each_path {
	struct map seen;
	void (*call)(void *userdata, struct str path);
	void *userdata;
};

static void call_once(void *userdata, struct str path)
{
	struct each_path *each = userdata;
	if (map_get(&each->seen, path))
		return;
	/* Without memory to remember it, a path may come again: better than not at all. */
	int r = map_put(&each->seen, path, each, NULL);
	(void)r;
	each->call(each->userdata, path);
}

void rule_set_each_path(const struct rule_set *s, void (*call)(void *userdata, struct str path), void *userdata)
{
	struct each_path each = {.call = call, .userdata = userdata};
	map_init(&each.seen, RULE_NODES_MAX);
	for (size_t i = 0; i < entry_count(s); i++) {
		const struct rule_entry *e = entry_get(s, i);
		if (e->cond)
			cond_each_path(e->cond, call_once, &each);
	}
	map_done(&each.seen);
}

void rule_explain(const struct rule *r, struct buf *out)
{
	const struct rule_entry *e = (const struct rule_entry *)r;
	if (e->cond)
		cond_explain(e->cond, 0, out);
}

/* ---- judging ---- */

size_t rule_set_match(const struct rule_set *s, enum event_type type, const struct field_source *source,
                      struct arena *arena, enum rule_matching how, const struct rule **ret_matched, size_t max)
{
	if ((unsigned)type >= EVENT_TYPE_MAX)
		return 0;
	const struct type_rules *rules = &s->by_type[type];
	struct cond_cache cache;
	size_t matched = 0;
	if (rules->count == 0)
		return 0;
	/* Without memory for the cache the answers are the same, only slower. */
	struct cond_cache *shared = cond_cache_init(&cache, &s->numbers, arena) == 0 ? &cache : NULL;
	for (size_t i = 0; i < rules->count; i++) {
		const struct rule_entry *e = rules->items[i];
		if (!cond_eval_cached(e->cond, source, arena, shared))
			continue;
		if (matched < max)
			ret_matched[matched] = &e->rule;
		matched++;
		if (how == MATCH_FIRST)
			break;
	}
	return matched;
}

/* As a rule would be written; one line, since a condition's blanks are all alike. */
static void write_rule(struct str condition, struct buf *out)
{
	buf_add_text(out, "- {rule: filter, desc: filter, output: filter, priority: INFO, condition: ");
	buf_add_char(out, '"');
	for (size_t i = 0; i < condition.length; i++) {
		if (condition.data[i] == '"' || condition.data[i] == '\\')
			buf_add_char(out, '\\');
		buf_add_char(out, condition.data[i] == '\n' ? ' ' : condition.data[i]);
	}
	buf_add_text(out, "\"}\n");
}

int rule_set_from_condition(struct str condition, struct rule_set **ret_set)
{
	_cleanup_(diag_list_done) struct diag_list diags;
	_cleanup_(buf_done) struct buf text;
	struct rule_set *set = NULL;
	diag_list_init(&diags, 16);
	buf_init(&text, RULE_TEXT_MAX);
	write_rule(condition, &text);
	int r = buf_error(&text);
	if (r == 0)
		r = rule_set_new(&set);
	if (r < 0)
		return r;
	r = rule_set_add_text(set, "filter", buf_str(&text), &diags);
	if (r == 0)
		r = rule_set_compile(set, &diags);
	if (r < 0) {
		rule_set_free(set);
		return r;
	}
	*ret_set = set;
	return 0;
}
