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

/* Both static. A policy takes a power for each of its points, but to alert: "deny:connect", "kill:exec". */
const struct policy_checker *content_policy_checker(void);
const struct policy_differ *content_policy_differ(void);

#endif
