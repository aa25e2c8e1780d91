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
