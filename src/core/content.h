/* SPDX-License-Identifier: Apache-2.0
 *
 * Content: rules, and policies over them. What it is made of; and what policies in a bundle mean, for src/trust, which does
 * not know their language.
 */
#ifndef PICKET_CORE_CONTENT_H
#define PICKET_CORE_CONTENT_H

#include "core/rules.h"
#include "guard/policy.h"
#include "trust/diff.h"
#include "trust/gate.h"

#define CONTENT_PATHS_MAX 64

struct content {
	struct rule_set *rules;
	struct policy_set *policies; /* over rules, which it borrows */
	struct store_entry entry;    /* which bundle; version 0: of files */
};
void content_done(struct content *c); /* also for _cleanup_ */

struct content_files {
	struct rules_options rules;
	const char *policies[CONTENT_PATHS_MAX]; /* files and directories; borrowed */
	size_t policy_path_count;
};
/* Returns 0; -EINVAL: see diags; -ENOENT: no rules anywhere (also in diags); -ENOMEM. */
int content_read_files(const struct content_files *files, struct diag_list *reterr_diags, struct content *ret_content)
        must_check;

/* The bundle of a role in the store at path, verified anew. rules: switches, least and budget of it count, paths do not.
 * Returns 0; -ENOENT: there is none; -EINVAL: it is damaged or has mistakes: see diags; -errno; -ENOMEM. */
int content_read_store(const char *path, enum store_role role, const struct rules_options *rules,
                       struct diag_list *reterr_diags, struct content *ret_content) must_check;
/* The policies of a bundle that was matched, over its rules: all that is wrong is told. Returns 0; -EINVAL; -ENOMEM. */
int content_read_policies(const struct bundle *b, struct rule_set *rules, struct diag_list *diags,
                          struct policy_set **ret_set) must_check;
size_t content_count_enforcing(const struct content *c); /* policies that are to act */

/* Both static. A policy takes a power for each of its points, but to alert: "deny:connect", "kill:exec". */
const struct policy_checker *content_policy_checker(void);
const struct policy_differ *content_policy_differ(void);

#endif
