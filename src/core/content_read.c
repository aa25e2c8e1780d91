/* SPDX-License-Identifier: Apache-2.0 */
#include "core/content.h"

#include <errno.h>

void content_done(struct content *c)
{
	policy_set_free(c->policies);
	if (c->rules)
		rule_set_free(c->rules);
	*c = (struct content){.rules = NULL};
}

static int read_policies(const struct content_files *files, struct diag_list *diags, struct content *c)
{
	int result = policy_set_new(c->rules, &c->policies);
	for (size_t i = 0; i < files->policy_path_count && result != -ENOMEM; i++) {
		int r = policy_set_add_path(c->policies, files->policies[i], diags);
		result = r < 0 ? r : result;
	}
	return result < 0 && result != -ENOMEM ? -EINVAL : result;
}

int content_read_files(const struct content_files *files, struct diag_list *reterr_diags, struct content *ret_content)
{
	_cleanup_(content_done) struct content c = {.rules = NULL};
	int r = rules_load(&files->rules, reterr_diags, &c.rules);
	if (r == 0)
		r = read_policies(files, reterr_diags, &c);
	if (r < 0)
		return r;
	*ret_content = c;
	c = (struct content){.rules = NULL};
	return 0;
}

static int read_bundle(const struct bundle *b, const struct rules_options *rules, struct diag_list *diags,
                       struct content *c)
{
	int r = bundle_load_rules(b, NULL, NULL, diags, &c->rules);
	if (r == 0)
		r = rules_choose(c->rules, rules, diags);
	return r < 0 ? r : content_read_policies(b, c->rules, diags, &c->policies);
}

int content_read_store(const char *path, enum store_role role, const struct rules_options *rules,
                       struct diag_list *reterr_diags, struct content *ret_content)
{
	_cleanup_(store_closep) struct store *s = NULL;
	_cleanup_(bundle_freep) struct bundle *b = NULL;
	_cleanup_(content_done) struct content c = {.rules = NULL};
	int r = store_open(path, STORE_READ, reterr_diags, &s);
	if (r == 0)
		r = store_open_bundle(s, role, reterr_diags, &b);
	if (r == 0)
		r = read_bundle(b, rules, reterr_diags, &c);
	if (r < 0)
		return r;
	c.entry = store_state(s)->roles[role];
	*ret_content = c;
	c = (struct content){.rules = NULL};
	return 0;
}

size_t content_count_enforcing(const struct content *c)
{
	size_t count = 0;
	for (size_t i = 0; i < policy_set_count(c->policies); i++) {
		const struct policy *p = policy_set_get(c->policies, i);
		count += p->mode == POLICY_ENFORCE && p->action != ACTION_ALERT;
	}
	return count;
}
