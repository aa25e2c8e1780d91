/* SPDX-License-Identifier: Apache-2.0
 *
 * What run and replay have in common: the options about rules, alerts and outputs; and filters and lists of fields,
 * which other commands take too. Mistakes are told on standard error.
 */
#ifndef PICKET_CLI_JUDGING_H
#define PICKET_CLI_JUDGING_H

#include "cli/args.h"
#include "core/judge.h"
#include "core/live.h"
#include "core/rules.h"

struct judging {
	const struct args *args;
	bool live;
	struct rules_options rules;
	struct rules_switch *switches;
	struct format *add_fields;
	struct judge_options judge;
};

/* Each returns CLI_OK, or the exit code after a message. */
int judging_init(const struct args *args, bool live, struct judging *ret_judging) must_check;
void judging_done(struct judging *j); /* also for _cleanup_ */
int judging_load(const struct judging *j, struct rule_set **ret_rules) must_check;
int judging_add_outputs(const struct judging *j, struct judge *judge) must_check;

/* --rules alone, for commands that only look at rules. */
int rules_options_init(const struct args *args, struct rules_options *ret_options) must_check;
/* --rule-budget, or its default: the programs are verified, and must keep to it. */
int rules_options_budget(const struct args *args, struct rules_options *options) must_check;
int rules_options_load(const struct args *args, const struct rules_options *options, bool warnings,
                       struct rule_set **ret_rules) must_check;

/* The words from `first` on as a filter; none: NULL. The caller frees with filter_free(). */
/* Has the kernel drop what the filter of these words cannot match; without words: nothing. */
void filter_sieve(const struct args *args, size_t first, struct live *live);
int filter_from_words(const struct args *args, size_t first, struct filter **ret_filter) must_check;
/* The value of an option that lists fields ("a,b[1],c"): one %field each. NULL if it was not given. */
int fields_from_option(const struct args *args, const char *option, struct format **ret_format) must_check;

void filter_freep(struct filter **f);
void format_freep(struct format **f);
void rule_set_freep(struct rule_set **s);

#endif
