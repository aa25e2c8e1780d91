/* SPDX-License-Identifier: Apache-2.0
 *
 * Files of policies.
 */
#include "guard/policy_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"

#define SET_BYTES_MAX (256u << 20)
#define DIAGS_MAX 100

struct policy_set {
	struct rule_set *rules;
	struct arena arena;
	struct doc_file **files; /* conditions point into them */
	size_t file_count;
	struct policy *policies;
	size_t count;
};

int policy_set_new(struct rule_set *rules, struct policy_set **ret_set)
{
	struct policy_set *s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->rules = rules;
	arena_init(&s->arena, SET_BYTES_MAX);
	s->files = calloc(2 * POLICY_FILES_MAX, sizeof(struct doc_file *));
	s->policies = calloc(POLICY_COUNT_MAX, sizeof(*s->policies));
	if (!s->files || !s->policies) {
		policy_set_free(s);
		return -ENOMEM;
	}
	*ret_set = s;
	return 0;
}

/* Back to the first ones. */
static void cut(struct policy_set *s, size_t count, size_t file_count)
{
	while (s->count > count)
		policy_done(&s->policies[--s->count]);
	while (s->file_count > file_count)
		doc_file_free(s->files[--s->file_count]);
}

void policy_set_free(struct policy_set *s)
{
	if (!s)
		return;
	cut(s, 0, 0);
	arena_done(&s->arena);
	free(s->files);
	free(s->policies);
	free(s);
}

/* ---- items ---- */

static bool is_new(struct policy_set *s, struct policy_reader *r, const struct doc_node *item, const struct policy *p)
{
	const struct policy *first = policy_set_find(s, str_from(p->name));
	if (!first)
		return true;
	struct diag *d = policy_error(r, doc_get(item, "policy"), "there are two policies '%s'", p->name);
	diag_set_hint(d, "the first is in %s:%u", first->file, first->line);
	return false;
}

static void add_item(struct policy_set *s, struct policy_reader *r, const struct doc_node *item)
{
	struct policy p;
	if (item->kind != DOC_MAP) {
		policy_error(r, item, "an item must be a mapping that begins with '- policy: NAME'");
		return;
	}
	if (s->count == POLICY_COUNT_MAX) {
		policy_error(r, item, "there are more than %d policies", POLICY_COUNT_MAX);
		return;
	}
	if (!policy_read(r, item, &p))
		return;
	if (is_new(s, r, item, &p))
		s->policies[s->count++] = p;
	else
		policy_done(&p);
}

static void add_items(struct policy_set *s, struct policy_reader *r, const struct doc_node *root)
{
	if (root->kind != DOC_SEQUENCE) {
		struct diag *d = policy_error(r, root, "this is no file of policies");
		diag_set_hint(d, "it must be a sequence of items that begin with '- policy: NAME', or a TracingPolicy");
		return;
	}
	for (size_t i = 0; i < root->count && !r->error; i++)
		if (!doc_is_null(root->items[i]))
			add_item(s, r, root->items[i]);
}

/* ---- TracingPolicies: read as what they come to; messages point at what the user wrote ---- */

static void point_back(const struct doc_file *file, const struct tracing_text *t, struct diag_list *from,
                       struct diag_list *to)
{
	for (size_t i = 0; i < from->count; i++) {
		const struct diag *d = &from->items[i];
		size_t origin = d->line && d->line <= t->line_count ? t->origins[d->line - 1] : 0;
		struct diag *moved = doc_diag(file, origin, to, d->level, d->code, "%s", d->text);
		diag_set_hint(moved, "%s%sread as: %.300s", d->hint ? d->hint : "", d->hint ? "; " : "",
		              d->source ? str_trim(str_from(d->source)).data : "?");
	}
	to->errors += from->dropped;
	to->dropped += from->dropped;
}

static void add_tracing(struct policy_set *s, struct policy_reader *r, const struct doc_node *root)
{
	_cleanup_(tracing_text_done) struct tracing_text t = {0};
	_cleanup_(diag_list_done) struct diag_list diags;
	struct policy_reader inner = *r;
	size_t first = s->count;
	diag_list_init(&diags, DIAGS_MAX);
	int result = tracing_convert(r->file, root, r->diags, &t);
	if (result == 0)
		result = doc_file_new(r->file->name, buf_str(&t.text), &diags, &inner.file);
	if (result < 0) {
		r->failed = true;
		r->error = result == -ENOMEM ? result : 0;
		return;
	}
	s->files[s->file_count++] = inner.file;
	inner.diags = &diags;
	if (inner.file->root_count)
		add_items(s, &inner, inner.file->roots[0]);
	for (size_t i = first; i < s->count; i++)
		s->policies[i].line = doc_line(r->file, t.origins[s->policies[i].line - 1]);
	point_back(r->file, &t, &diags, r->diags);
	r->failed |= inner.failed;
	r->error = inner.error;
}

/* ---- files ---- */

static int add_file(struct policy_set *s, struct doc_file *file, struct diag_list *diags)
{
	struct policy_reader r = {.arena = &s->arena, .rules = s->rules, .file = file, .diags = diags};
	for (size_t i = 0; i < file->root_count && !r.error; i++) {
		if (tracing_is_policy(file->roots[i]) && s->file_count < 2 * POLICY_FILES_MAX)
			add_tracing(s, &r, file->roots[i]);
		else
			add_items(s, &r, file->roots[i]);
	}
	if (r.error)
		return r.error;
	return r.failed || file->has_errors ? -EINVAL : 0;
}

static int add_text(struct policy_set *s, const char *name, struct str text, struct diag_list *diags)
{
	struct doc_file *file;
	size_t count = s->count, file_count = s->file_count;
	if (file_count >= POLICY_FILES_MAX)
		return -ENOSPC;
	if (text.length > POLICY_FILE_BYTES_MAX)
		return -EFBIG;
	int r = doc_file_new(name, text, diags, &file);
	if (r < 0)
		return r;
	s->files[s->file_count++] = file;
	r = add_file(s, file, diags);
	if (r < 0)
		cut(s, count, file_count);
	return r;
}

static int tell(int r, const char *name, struct diag_list *diags)
{
	if (r == -ENOMEM)
		diag_add(diags, DIAG_ERROR, CODE_POLICY, name, 0, 0, "there is not enough memory for the policies");
	else if (r == -ENOSPC)
		diag_add(diags, DIAG_ERROR, CODE_POLICY, name, 0, 0, "there are more than %d files", POLICY_FILES_MAX);
	else if (r == -EFBIG)
		diag_add(diags, DIAG_ERROR, CODE_POLICY, name, 0, 0, "the file is longer than %u bytes",
		         POLICY_FILE_BYTES_MAX);
	return r;
}

int policy_set_add_text(struct policy_set *s, const char *name, struct str text, struct diag_list *reterr_diags)
{
	return tell(add_text(s, name, text, reterr_diags), name, reterr_diags);
}

struct adding {
	struct policy_set *set;
	struct diag_list *diags;
};

static int add_path(void *userdata, const char *path)
{
	struct adding *a = userdata;
	_cleanup_(buf_done) struct buf text;
	buf_init(&text, POLICY_FILE_BYTES_MAX);
	int r = file_read(path, &text);
	if (r == 0)
		return policy_set_add_text(a->set, path, buf_str(&text), a->diags);
	if (r != -EFBIG)
		diag_add(a->diags, DIAG_ERROR, CODE_POLICY, path, 0, 0, "it cannot be read: %s", strerror(-r));
	return tell(r, path, a->diags);
}

int policy_set_add_path(struct policy_set *s, const char *path, struct diag_list *reterr_diags)
{
	static const char *const endings[] = {".yaml", ".yml"};
	struct adding a = {s, reterr_diags};
	size_t errors = reterr_diags->errors;
	int r = file_each_in(path, endings, ARRAY_SIZE(endings), add_path, &a);
	if (r == -ENOTDIR)
		return add_path(&a, path);
	if (r < 0 && reterr_diags->errors == errors)
		diag_add(reterr_diags, DIAG_ERROR, CODE_POLICY, path, 0, 0, "it cannot be read: %s", strerror(-r));
	return r;
}

/* ---- asking ---- */

size_t policy_set_count(const struct policy_set *s)
{
	return s->count;
}

const struct policy *policy_set_get(const struct policy_set *s, size_t i)
{
	return &s->policies[i];
}

const struct policy *policy_set_find(const struct policy_set *s, struct str name)
{
	for (size_t i = 0; i < s->count; i++)
		if (str_equals(name, s->policies[i].name))
			return &s->policies[i];
	return NULL;
}
