/* SPDX-License-Identifier: Apache-2.0
 *
 * What compiled rules keep of processes: what is dear is asked for once, when a rule gets so far, and never answered for
 * another process or for what a process was before.
 */
#include "set_helper.h"

#include "event/event.h"

/* A process, and an event of it. */
struct actor {
	struct field_source source;
	struct field_note note;
	const char *name, *args, *ancestor, *file;
	unsigned args_asked, ancestors_asked;
};

static void get(const struct field_source *source, const struct field_ref *ref, struct arena *arena,
                struct value *ret_value)
{
	struct actor *a = (struct actor *)(uintptr_t)source; /* its first member */
	const char *text = NULL;
	(void)arena;
	switch (ref->id) {
	case FIELD_PROC_NAME:
		text = a->name;
		break;
	case FIELD_PROC_ARGS:
		a->args_asked++;
		text = a->args;
		break;
	case FIELD_PROC_ANAME:
		a->ancestors_asked++;
		text = a->ancestor;
		break;
	case FIELD_EVT_TYPE:
		text = "openat";
		break;
	case FIELD_FD_NAME:
		text = a->file;
		break;
	default:
		break;
	}
	*ret_value =
	        text ? (struct value){.kind = VALUE_STR, .str = str_from(text)} : (struct value){.kind = VALUE_NULL};
}

static struct actor actor(const char *name, const char *args, const char *ancestor)
{
	return (struct actor){.name = name, .args = args, .ancestor = ancestor, .file = "/tmp/x"};
}

struct judged {
	struct loaded loaded;
	struct rule_programs *programs;
};

static struct judged judged(const char *const *conditions, size_t count)
{
	_cleanup_(buf_done) struct buf text;
	struct judged j;
	buf_init(&text, 1 << 20);
	for (size_t i = 0; i < count; i++)
		buf_printf(&text, "- {rule: r%zu, desc: d, output: o, priority: INFO, condition: \"%s\"}\n", i,
		           conditions[i]);
	j.loaded = load_text(text.data);
	assert_loaded(&j.loaded);
	assert_int_equal(rule_programs_new(j.loaded.set, &j.programs), 0);
	return j;
}

static void judged_done(struct judged *j)
{
	rule_programs_free(j->programs);
	loaded_done(&j->loaded);
}

/* How many rules match; the reference says the same. */
static size_t match(struct judged *j, struct actor *a, enum event_type type)
{
	const struct rule *rules[8];
	struct arena arena;
	arena_init(&arena, 1 << 20);
	a->source.get = get;
	a->source.note = &a->note;
	size_t got = rule_programs_match(j->programs, type, &a->source, &arena, MATCH_ALL, rules, ARRAY_SIZE(rules));
	struct actor other = *a;
	assert_int_equal(
	        got, rule_set_match(j->loaded.set, type, &other.source, &arena, MATCH_ALL, rules, ARRAY_SIZE(rules)));
	arena_done(&arena);
	return got;
}

static const char *const rules[] = {
        "evt.type = openat and proc.name = nc and proc.args contains secret",
        "evt.type = openat and proc.name = sh and fd.name = /etc/shadow and not proc.args contains secret",
        "evt.type = openat and proc.name = su and proc.aname intersects (sshd)",
};

static void test_asked_once(void **state)
{
	_cleanup_(judged_done) struct judged j = judged(rules, ARRAY_SIZE(rules));
	struct actor cat = actor("cat", "secret", "sshd"), nc = actor("nc", "a secret b", "sshd");
	struct actor sh = actor("sh", "", "sshd"), su = actor("su", "", "sshd");

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(match(&j, &cat, EVENT_openat), 0);
		assert_int_equal(match(&j, &nc, EVENT_openat), 1);
		assert_int_equal(match(&j, &su, EVENT_openat), 1);
		assert_int_equal(match(&j, &sh, EVENT_openat), 0);
	}
	assert_int_equal(cat.args_asked + cat.ancestors_asked, 0);
	assert_int_equal(nc.args_asked, 1);
	assert_int_equal(nc.ancestors_asked, 0);
	assert_int_equal(su.args_asked, 0);
	assert_int_equal(su.ancestors_asked, 1);
	assert_int_equal(sh.args_asked, 0);
	for (size_t i = 0; i < 3; i++) {
		sh.file = "/etc/shadow";
		assert_int_equal(match(&j, &sh, EVENT_openat), 1);
		sh.file = "/etc/passwd";
		assert_int_equal(match(&j, &sh, EVENT_openat), 0);
	}
	assert_int_equal(sh.args_asked, 1);
}

/* They are of one class until one is known to differ. */
static void test_not_shared(void **state)
{
	_cleanup_(judged_done) struct judged j = judged(rules, ARRAY_SIZE(rules));
	struct actor with = actor("nc", "secret", "a"), without = actor("nc", "public", "a");
	struct actor later = actor("nc", "secret", "b"), su = actor("su", "", "sshd"), other = actor("su", "", "cron");

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(match(&j, &with, EVENT_openat), 1);
		assert_int_equal(match(&j, &without, EVENT_openat), 0);
		assert_int_equal(match(&j, &later, EVENT_openat), 1);
		assert_int_equal(match(&j, &su, EVENT_openat), 1);
		assert_int_equal(match(&j, &other, EVENT_openat), 0);
	}
}

/* Of one class when the answer is found for the first of them. */
static void test_not_left_behind(void **state)
{
	_cleanup_(judged_done) struct judged j = judged(rules, ARRAY_SIZE(rules));
	struct actor with = actor("sh", "secret", ""), without = actor("sh", "", "");

	(void)state;
	assert_int_equal(match(&j, &with, EVENT_openat), 0);
	assert_int_equal(match(&j, &without, EVENT_openat), 0);
	with.file = without.file = "/etc/shadow";
	assert_int_equal(match(&j, &with, EVENT_openat), 0);
	assert_int_equal(match(&j, &without, EVENT_openat), 1);
	assert_int_equal(match(&j, &with, EVENT_openat), 0);
}

/* A new version knows nothing of the old one. */
static void test_changed(void **state)
{
	_cleanup_(judged_done) struct judged j = judged(rules, ARRAY_SIZE(rules));
	struct actor nc = actor("nc", "secret", "sshd");

	(void)state;
	assert_int_equal(match(&j, &nc, EVENT_openat), 1);
	nc.args = "public";
	nc.source.version++;
	assert_int_equal(match(&j, &nc, EVENT_openat), 0);
	nc.name = "su";
	nc.source.version++;
	assert_int_equal(match(&j, &nc, EVENT_openat), 1);
	nc.ancestor = "cron";
	nc.source.version++;
	assert_int_equal(match(&j, &nc, EVENT_openat), 0);
}

/* What is deferred, what negates it, several groups of one text, and a value that is none. */
static void test_kinds(void **state)
{
	static const char *const kinds[] = {
	        "evt.type = openat and not proc.args contains secret", "evt.type = openat and proc.args startswith -x",
	        "evt.type = openat and proc.args endswith .key",       "evt.type = openat and proc.args != '-x a.key'",
	        "evt.type = openat and proc.args icontains SECRET",    "evt.type = openat and proc.args exists",
	};
	static const struct {
		const char *args;
		size_t matches;
	} tries[] = {{"-x secret.key", 5}, {"-x a.key", 4}, {"", 3}, {NULL, 1}, {"a", 3}};
	_cleanup_(judged_done) struct judged j = judged(kinds, ARRAY_SIZE(kinds));

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
		struct actor a = actor("x", tries[i].args, "y");
		for (size_t again = 0; again < 2; again++)
			assert_int_equal(match(&j, &a, EVENT_openat), tries[i].matches);
	}
}

static bool is_live(struct judged *j, const struct actor *a, unsigned rule)
{
	struct rule_live live;
	assert_true(rule_programs_live(j->programs, &a->note, &live));
	assert_int_equal(live.types[EVENT_openat / 64] >> EVENT_openat % 64 & 1, live.rules[0] != 0);
	return live.rules[0] >> rule & 1;
}

static void settle(struct judged *j, struct actor *a)
{
	struct arena arena;
	arena_init(&arena, 1 << 20);
	rule_programs_settle(j->programs, &a->source, &arena);
	arena_done(&arena);
}

/* Before it is settled, what is not known may be true. */
static void test_settled(void **state)
{
	_cleanup_(judged_done) struct judged j = judged(rules, ARRAY_SIZE(rules));
	struct actor sh = actor("sh", "secret", ""), other = actor("sh", "", ""), cat = actor("cat", "secret", "sshd");

	(void)state;
	assert_int_equal(match(&j, &sh, EVENT_openat), 0);
	assert_true(is_live(&j, &sh, 1));
	assert_false(is_live(&j, &sh, 0));
	settle(&j, &sh);
	assert_false(is_live(&j, &sh, 1));
	assert_int_equal(match(&j, &other, EVENT_openat), 0);
	settle(&j, &other);
	assert_true(is_live(&j, &other, 1));
	other.file = sh.file = "/etc/shadow";
	assert_int_equal(match(&j, &other, EVENT_openat), 1);
	assert_int_equal(match(&j, &sh, EVENT_openat), 0);
	assert_int_equal(sh.args_asked, 1);
	assert_int_equal(other.args_asked, 1);
	/* Nothing more could tell anything of it. */
	assert_int_equal(match(&j, &cat, EVENT_openat), 0);
	settle(&j, &cat);
	assert_int_equal(cat.args_asked + cat.ancestors_asked, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_asked_once),      cmocka_unit_test(test_not_shared),
	        cmocka_unit_test(test_not_left_behind), cmocka_unit_test(test_changed),
	        cmocka_unit_test(test_kinds),           cmocka_unit_test(test_settled),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
