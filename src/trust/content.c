/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/bundle.h"

#include <errno.h>

#include "trust/bundle_int.h"

static void rule_set_freep(struct rule_set **s)
{
	rule_set_free(*s);
}

/* All that is wrong is told, not only the first. */
static int add_kind(const struct bundle *b, enum bundle_kind kind, struct rule_set *set, struct diag_list *diags)
{
	int result = 0;
	for (size_t i = 0; i < b->manifest.file_count; i++) {
		const struct manifest_file *f = &b->manifest.files[i];
		char name[BUNDLE_PATH_MAX + 1];
		if (f->kind != kind)
			continue;
		memcpy(name, f->path.data, f->path.length);
		name[f->path.length] = '\0';
		int r = rule_set_add_text(set, name, b->contents[i], diags);
		if (r == -ENOMEM)
			return r;
		result = r < 0 ? r : result;
	}
	return result;
}

static int check_places(const struct rule_set *set, struct diag_list *diags)
{
	int result = 0;
	for (size_t i = 0; i < rule_set_count(set); i++) {
		const struct rule *r = rule_set_get(set, i);
		if (str_starts_with(str_from(r->file), STR("rules/")))
			continue;
		diag_add(diags, DIAG_ERROR, BUNDLE_CODE, r->file, r->line, 0,
		         "the rule \"%s\" does not stand in rules/: what is there otherwise only adds to rules",
		         r->name);
		result = -EINVAL;
	}
	return result;
}

int bundle_load_rules(const struct bundle *b, void (*written)(void *userdata, const struct rule_written *w),
                      void *userdata, struct diag_list *reterr_diags, struct rule_set **ret_set)
{
	static const enum bundle_kind order[] = {BUNDLE_LISTS, BUNDLE_RULES, BUNDLE_SAMPLES};
	_cleanup_(rule_set_freep) struct rule_set *set = NULL;
	int r = rule_set_new(&set), result = 0;
	for (size_t i = 0; i < ARRAY_SIZE(order) && r != -ENOMEM; i++) {
		r = add_kind(b, order[i], set, reterr_diags);
		result = r < 0 ? r : result;
	}
	if (r == -ENOMEM)
		return r;
	if (written)
		rule_set_each_written(set, written, userdata);
	r = rule_set_compile(set, reterr_diags);
	if (result < 0 || r < 0)
		return r == -ENOMEM ? -ENOMEM : -EINVAL;
	r = check_places(set, reterr_diags);
	if (r < 0)
		return r;
	*ret_set = TAKE_PTR(set);
	return 0;
}
