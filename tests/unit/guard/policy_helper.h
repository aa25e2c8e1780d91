/* SPDX-License-Identifier: Apache-2.0
 *
 * For the tests of policies: rules and policies from texts, their messages.
 */
#ifndef PICKET_TESTS_GUARD_POLICY_HELPER_H
#define PICKET_TESTS_GUARD_POLICY_HELPER_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "guard/policy.h"

static const char policy_rules[] =
        "- list: shells\n  items: [sh, bash]\n"
        "- macro: is_shell\n  condition: proc.name in (shells)\n"
        "- rule: shell started\n  desc: d\n  condition: evt.type = execve and is_shell\n  output: o\n"
        "  priority: NOTICE\n"
        "- rule: command line\n  desc: d\n  condition: evt.type = execve and proc.cmdline contains curl\n  output: o\n"
        "  priority: NOTICE\n"
        "- rule: shadow read\n  desc: d\n"
        "  condition: evt.type in (open, openat) and evt.failed = false and fd.name = /etc/shadow\n  output: o\n"
        "  priority: NOTICE\n";

struct policies {
	struct rule_set *rules;
	struct policy_set *set;
	struct diag_list diags;
	int result; /* of adding */
};

static inline struct policies policies_read(const char *text)
{
	struct policies p = {.rules = NULL};
	diag_list_init(&p.diags, 100);
	assert_int_equal(rule_set_new(&p.rules), 0);
	assert_int_equal(rule_set_add_text(p.rules, "rules.yaml", str_from(policy_rules), &p.diags), 0);
	assert_int_equal(rule_set_compile(p.rules, &p.diags), 0);
	diag_list_done(&p.diags);
	diag_list_init(&p.diags, 100);
	assert_int_equal(policy_set_new(p.rules, &p.set), 0);
	p.result = policy_set_add_text(p.set, "p.yaml", str_from(text), &p.diags);
	return p;
}

static inline void policies_done(struct policies *p)
{
	policy_set_free(p->set);
	rule_set_free(p->rules);
	diag_list_done(&p->diags);
}

static inline void policies_print(const struct policies *p)
{
	_cleanup_(buf_done) struct buf out;
	buf_init(&out, 1 << 20);
	diag_list_print(&p->diags, false, &out);
	fprintf(stderr, "%s\n", out.data ? out.data : "(no messages)");
}

/* One policy without a mistake. */
static inline const struct policy *policies_one(const struct policies *p)
{
	if (p->result != 0 || policy_set_count(p->set) != 1)
		policies_print(p);
	assert_int_equal(p->result, 0);
	assert_int_equal(policy_set_count(p->set), 1);
	return policy_set_get(p->set, 0);
}

/* The text has a mistake at this place, whose message has this part. */
static inline void assert_refused_at(const char *text, unsigned line, unsigned column, const char *part)
{
	struct policies p = policies_read(text);
	bool found = false;
	for (size_t i = 0; i < p.diags.count; i++) {
		const struct diag *d = &p.diags.items[i];
		found |= d->level == DIAG_ERROR && d->line == line && d->column == column && strstr(d->text, part);
	}
	if (!found || p.result == 0) {
		fprintf(stderr, "no error at %u:%u with '%s' in:\n%s\n", line, column, part, text);
		policies_print(&p);
	}
	assert_true(found);
	assert_int_equal(p.result, -EINVAL);
	assert_int_equal(policy_set_count(p.set), 0);
	policies_done(&p);
}

static inline struct policy_kernel kernel_with(const char *names)
{
	struct policy_kernel k = {.has = {false}};
	struct guard_hook_report rows[] = {
#define GUARD_HOOK(id, name, what, needs) {name, what, needs, false, 0},
#include "schema/policy.def"
	};
	struct str rest = str_from(names);
	for (struct str name; str_next(&rest, ' ', &name);) {
		bool known = name.length == 0;
		for (size_t i = 0; i < GUARD_HOOK_COUNT; i++) {
			if (str_equals(name, rows[i].name))
				k.has[i] = known = true;
		}
		assert_true(known);
	}
	return k;
}

#endif
