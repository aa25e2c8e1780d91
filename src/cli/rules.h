/* SPDX-License-Identifier: Apache-2.0
 *
 * What the actions of picket rules have in common.
 */
#ifndef PICKET_CLI_RULES_H
#define PICKET_CLI_RULES_H

#include "base/json.h"
#include "cli/args.h"
#include "rule/rule.h"

int rules_explain(const struct args *args);
int rules_compile(const struct args *args);

const char *rules_priority_code(enum rule_priority p); /* its colour */
void rules_add_tags(const struct rule *rule, const char *separator, struct buf *out);
void rule_programs_freep(struct rule_programs **p);

/* rules_explain_show.c: how the rule is decided. bytecode: its instructions, too. */
void rules_add_decision(const struct rule_explanation *e, bool bytecode, bool color, unsigned width, struct buf *out);
void rules_json_decision(const struct rule_explanation *e, bool bytecode, struct json *j);

#endif
