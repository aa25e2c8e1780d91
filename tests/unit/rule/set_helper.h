/* SPDX-License-Identifier: Apache-2.0
 *
 * For the tests of rule files and sets: load texts, look at the messages.
 */
#ifndef PICKET_TESTS_RULE_SET_HELPER_H
#define PICKET_TESTS_RULE_SET_HELPER_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rule/rule.h"

struct loaded {
	struct rule_set *set;
	struct diag_list diags;
	int added, compiled; /* results; of adding: the first that was not 0 */
};

static inline struct loaded load_texts(const char *const *texts, size_t count)
{
	struct loaded l = {0};
	diag_list_init(&l.diags, 200);
	assert_int_equal(rule_set_new(&l.set), 0);
	for (size_t i = 0; i < count; i++) {
		char name[32];
		snprintf(name, sizeof(name), "%c.yaml", (char)('a' + i));
		int r = rule_set_add_text(l.set, name, str_from(texts[i]), &l.diags);
		l.added = l.added ? l.added : r;
	}
	l.compiled = rule_set_compile(l.set, &l.diags);
	return l;
}

static inline struct loaded load_text(const char *text)
{
	return load_texts(&text, 1);
}

static inline void loaded_done(struct loaded *l)
{
	rule_set_free(l->set);
	diag_list_done(&l->diags);
}

static inline void print_diags(const struct diag_list *diags)
{
	_cleanup_(buf_done) struct buf out;
	buf_init(&out, 1 << 20);
	diag_list_print(diags, false, &out);
	fprintf(stderr, "%s\n", out.data ? out.data : "(no messages)");
}

/* All was taken, with no message at all but for these codes. */
static inline void assert_loaded_but(const struct loaded *l, const char *allowed)
{
	bool clean = l->added == 0 && l->compiled == 0;
	for (size_t i = 0; i < l->diags.count; i++)
		clean &= l->diags.items[i].level == DIAG_WARNING && strstr(allowed, l->diags.items[i].code);
	if (!clean)
		print_diags(&l->diags);
	assert_true(clean);
}

static inline void assert_loaded(const struct loaded *l)
{
	assert_loaded_but(l, "");
}

static inline void report_failure(void *userdata, const struct rule_sample *sample, const char *why)
{
	struct buf *out = userdata;
	buf_printf(out, "%s: %s\n", sample ? sample->name ? sample->name : "?" : "rule", why);
}

/* What rule_test_samples() says of the rule, one line each. */
static inline void samples_report(const struct rule_set *set, const char *rule, struct buf *out)
{
	const struct rule *r = rule_set_find(set, str_from(rule));
	assert_non_null(r);
	buf_add_text(out, "");
	size_t failures = rule_test_samples(r, report_failure, out), lines = 0;
	for (size_t i = 0; i < out->length; i++)
		lines += out->data[i] == '\n';
	assert_int_equal(failures, lines);
}

static inline void assert_samples_pass(const struct rule_set *set, const char *rule)
{
	_cleanup_(buf_done) struct buf out;
	buf_init(&out, 1 << 20);
	samples_report(set, rule, &out);
	if (out.length)
		fail_msg("%s: %s", rule, out.data);
}

#endif
