/* SPDX-License-Identifier: Apache-2.0
 *
 * The rules that a run works with: where they come from, which are on.
 */
#ifndef PICKET_CORE_RULES_H
#define PICKET_CORE_RULES_H

#include "base/diag.h"
#include "enrich/enrich.h"
#include "rule/rule.h"

#define RULES_DIR "/usr/share/picket/rules"   /* that come with picket */
#define RULES_LOCAL_DIR "/etc/picket/rules.d" /* of this host: read after them */
#define RULES_PATHS_MAX 64

struct rules_switch {
	const char *what; /* a rule's name, or tag=TAG */
	bool enable;
};

struct rules_options {
	const char *paths[RULES_PATHS_MAX]; /* files and directories; none: the default ones. Borrowed */
	size_t path_count;
	const struct rules_switch *switches; /* applied in order; borrowed */
	size_t switch_count;
	enum rule_priority least; /* less severe rules are off */
	uint64_t budget;          /* 0: no program is verified; else see rule_programs_check() */
};

/* Reads, compiles and switches. Every error of every file is in diags, warnings too.
 * Returns 0; -EINVAL: see diags; -ENOENT: no rules anywhere (also in diags); -ENOMEM. */
int rules_load(const struct rules_options *options, struct diag_list *diags, struct rule_set **ret_set) must_check;
/* Of a set that was compiled: switches, the least priority and the budget. Returns 0; -EINVAL: see diags; -ENOMEM. */
int rules_choose(struct rule_set *set, const struct rules_options *options, struct diag_list *diags) must_check;
/* The directory of rules to use when none is named: the one beside the program, else the installed one. Never one of the
 * working directory, which may be anybody's. Returns 0; -ENOENT. */
int rules_default_dir(char *ret_path, size_t size) must_check;
size_t rules_count_enabled(const struct rule_set *set);
/* Has enrich watch the files that the rules name. Returns how many it cannot watch: the names that such a file gets by a
 * link are then not known. */
size_t rules_watch_files(const struct rule_set *set, struct enrich *enrich);
bool rules_want_environment(const struct rule_set *set); /* does an enabled rule look at environment variables? */

#endif
