/* SPDX-License-Identifier: Apache-2.0
 *
 * What rule files mean: order, redefinition, appends, overrides, lists, macros, exceptions; and sets of rules at work.
 */
#include "set_helper.h"

#include <unistd.h>

#include "base/file.h"

#define RULE(name, condition) \
	"- rule: " name \
	"\n  desc: d\n  output: o\n  priority: notice\n  warn_evttypes: false\n  condition: " condition "\n"
#define UNUSED "LOAD_UNUSED_LIST LOAD_UNUSED_MACRO LOAD_DEPRECATED_ITEM"

/* ---- conditions: judged by fields written as "field=value" pairs ---- */

struct pairs_source {
	struct field_source source;
	const char *const *pairs;
};

static void pairs_get(const struct field_source *source, const struct field_ref *ref, struct arena *arena,
                      struct value *ret_value)
{
	const struct pairs_source *s = (const struct pairs_source *)source;
	const struct field_info *info = field_get_info(ref->id);
	(void)arena;
	*ret_value = (struct value){.kind = VALUE_NULL};
	for (const char *const *p = s->pairs; *p; p++) {
		size_t length = strlen(info->name);
		if (strncmp(*p, info->name, length) != 0 || (*p)[length] != '=')
			continue;
		const char *text = *p + length + 1;
		*ret_value = (struct value){.kind = VALUE_STR, .str = str_from(text)};
		if (info->type == FIELD_S64)
			*ret_value = (struct value){.kind = VALUE_S64, .s64 = atoll(text)};
		if (info->type == FIELD_U64)
			*ret_value = (struct value){.kind = VALUE_U64, .u64 = strtoull(text, NULL, 10)};
	}
}

/* Names of the rules that match, joined by commas. */
static void match_names(const struct rule_set *set, enum event_type type, enum rule_matching how,
                        const char *const *pairs, struct buf *out)
{
	const struct rule *matched[16];
	struct pairs_source source = {.source = {.get = pairs_get}, .pairs = pairs};
	_cleanup_(arena_done) struct arena arena;
	arena_init(&arena, 1 << 20);
	size_t count = rule_set_match(set, type, &source.source, &arena, how, matched, ARRAY_SIZE(matched));
	buf_clear(out);
	buf_add_text(out, "");
	for (size_t i = 0; i < count; i++)
		buf_printf(out, "%s%s", i ? "," : "", matched[i]->name);
}

#define assert_matches(set, type, how, expected, ...) \
	do { \
		_cleanup_(buf_done) struct buf names_; \
		buf_init(&names_, 4096); \
		const char *const pairs_[] = {__VA_ARGS__, NULL}; \
		match_names((set), (type), (how), pairs_, &names_); \
		assert_string_equal(names_.data ? names_.data : "", (expected)); \
	} while (0)

static const char *explain(const struct rule_set *set, const char *name, struct buf *out)
{
	const struct rule *r = rule_set_find(set, str_from(name));
	assert_non_null(r);
	buf_clear(out);
	rule_explain(r, out);
	return out->data;
}

/* Two files mean the same if the trees of their rule "R" print the same. */
static const struct {
	const char *name, *texts[3], *same;
} meanings[] = {
        {"list", {"- list: l\n  items: [a, b]\n" RULE("R", "proc.name in (l)")}, "proc.name in (a, b)"},
        {"list among others",
         {"- list: l\n  items: [a, b]\n" RULE("R", "proc.name in (x, l, y)")},
         "proc.name in (x, a, b, y)"},
        {"list next to =", {"- list: l\n  items: [a]\n" RULE("R", "proc.name=l")}, "proc.name = a"},
        {"list without parentheses stays a name",
         {"- list: l\n  items: [a]\n" RULE("R", "proc.name in (ll, xl, l-l)")},
         "proc.name in (ll, xl, l-l)"},
        {"list in quotes stays text",
         {"- list: l\n  items: [a]\n" RULE("R", "proc.name in ('l')")},
         "proc.name in (l)"},
        {"items with blanks",
         {"- list: l\n  items: [a b, '\"c d\"', \"'e f'\", 'say \"x\" now']\n" RULE("R", "proc.name in (l)")},
         "proc.name in (\"a b\", \"c d\", 'e f', 'say \"x\" now')"},
        {"empty item", {"- list: l\n  items: ['', a]\n" RULE("R", "proc.name in (l)")}, "proc.name in ('', a)"},
        {"empty list alone", {"- list: l\n  items: []\n" RULE("R", "proc.name in (l)")}, "proc.name in ()"},
        {"empty list first", {"- list: l\n  items: []\n" RULE("R", "proc.name in (l, a)")}, "proc.name in (a)"},
        {"empty list last", {"- list: l\n  items: []\n" RULE("R", "proc.name in (a , l )")}, "proc.name in (a)"},
        {"empty lists between",
         {"- list: l\n  items: []\n- list: m\n  items: []\n" RULE("R", "proc.name in (m, a, l, m, b, l)")},
         "proc.name in (a, b)"},
        {"only empty lists",
         {"- list: l\n  items: []\n- list: m\n  items: []\n" RULE("R", "proc.name in (m, l, m)")},
         "proc.name in ()"},
        {"list in a list",
         {"- list: a\n  items: [x, y]\n- list: b\n  items: [a, z]\n" RULE("R", "proc.name in (b)")},
         "proc.name in (x, y, z)"},
        {"list in a list in a list: one level",
         {"- list: a\n"
          "  items: [x]\n"
          "- list: b\n"
          "  items: [a]\n"
          "- list: c\n"
          "  items: [b]\n" RULE("R", "proc.name in (c)")},
         "proc.name in (a)"},
        {"later list in a list, by its own items",
         {"- list: c\n  items: [x]\n- list: b\n  items: [a]\n- list: a\n  items: [c]\n" RULE("R", "proc.name in (b)")},
         "proc.name in (x)"},
        {"list that names itself",
         {"- list: l\n  items: [l, a]\n" RULE("R", "proc.name in (l)")},
         "proc.name in (l, a)"},
        {"empty list, then a blank",
         {"- list: l\n  items: []\n" RULE("R", "proc.name in (l , a)")},
         "proc.name in (a)"},
        {"list that sees more by an append",
         {"- list: k\n  items: [x]\n- list: l\n  items: [a]\n- list: m\n  items: [k]\n",
          "- list: l\n  items: [m]\n  override: {items: append}\n" RULE("R", "proc.name in (l)")},
         "proc.name in (a, k)"},
        {"later list in a list",
         {"- list: b\n  items: [a, z]\n- list: a\n  items: [x, y]\n" RULE("R", "proc.name in (b)")},
         "proc.name in (x, y, z)"},
        {"later empty list in a list",
         {"- list: b\n  items: [a, z, a]\n- list: a\n  items: []\n" RULE("R", "proc.name in (q, b, a)")},
         "proc.name in (q, z)"},
        {"later empty list alone in a list",
         {"- list: b\n  items: [a]\n- list: a\n  items: []\n" RULE("R", "proc.name in (b, q)")},
         "proc.name in (q)"},
        {"list defined later than the rule",
         {RULE("R", "proc.name in (l)"), "- list: l\n  items: [a]\n"},
         "proc.name in (a)"},
        {"list redefined",
         {"- list: l\n  items: [a]\n" RULE("R", "proc.name in (l)"), "- list: l\n  items: [b]\n"},
         "proc.name in (b)"},
        {"list appended to",
         {"- list: l\n  items: [a]\n" RULE("R", "proc.name in (l)"), "- list: l\n  items: [b]\n  append: true\n"},
         "proc.name in (a, b)"},
        {"list appended to, new way",
         {"- list: l\n  items: [a]\n" RULE("R", "proc.name in (l)"),
          "- list: l\n  items: [b]\n  override: {items: append}\n"},
         "proc.name in (a, b)"},
        {"appended list may name later ones",
         {"- list: l\n  items: [a]\n- list: m\n  items: [b]\n" RULE("R", "proc.name in (l)"),
          "- list: l\n  items: [m]\n  append: true\n"},
         "proc.name in (a, b)"},
        {"macro",
         {"- macro: m\n  condition: evt.num=1 or evt.num=2\n" RULE("R", "evt.num=3 and m")},
         "evt.num=3 and (evt.num=1 or evt.num=2)"},
        {"macro in a macro",
         {"- macro: m\n  condition: evt.num=1\n- macro: n\n  condition: not m\n" RULE("R", "n")},
         "not evt.num=1"},
        {"macro redefined",
         {"- macro: m\n  condition: evt.num=1\n- macro: n\n  condition: not m\n" RULE("R", "n"),
          "- macro: m\n  condition: evt.num=2\n"},
         "not evt.num=2"},
        {"macro redefined by what came after it",
         {"- macro: m\n  condition: evt.num=1\n- macro: n\n  condition: evt.num=2\n" RULE("R", "m"),
          "- macro: m\n  condition: n\n"},
         "evt.num=2"},
        {"macro appended to",
         {"- macro: m\n  condition: evt.num=1\n" RULE("R", "m"),
          "- macro: m\n  condition: or evt.num=2\n  append: true\n"},
         "evt.num=1 or evt.num=2"},
        {"precedence of what is appended",
         {"- macro: m\n  condition: evt.num=1 or evt.num=2\n" RULE("R", "m"),
          "- macro: m\n  condition: and evt.num=3\n  override: {condition: append}\n"},
         "evt.num=1 or evt.num=2 and evt.num=3"},
        {"rule may use a later macro", {RULE("R", "m"), "- macro: m\n  condition: evt.num=1\n"}, "evt.num=1"},
        {"rule redefined", {RULE("R", "evt.num=1"), RULE("R", "evt.num=2")}, "evt.num=2"},
        {"rule appended to",
         {RULE("R", "evt.num=1"), "- rule: R\n  condition: and evt.num=2\n  append: true\n"},
         "evt.num=1 and evt.num=2"},
        {"rule's condition appended and replaced",
         {RULE("R", "evt.num=1"), "- rule: R\n  condition: or evt.num=2\n  override: {condition: append}\n",
          "- rule: R\n  condition: evt.num=3\n  override: {condition: replace}\n"},
         "evt.num=3"},
        {"exceptions, tuples",
         {RULE("R",
               "evt.num=1 or evt.num=2") "  exceptions:\n"
                                         "  - {name: x, fields: [proc.name, fd.name], values: [[a, b c], [d, /e]]}\n"},
         "(evt.num=1 or evt.num=2) and not ((proc.name=a and fd.name='b c') or (proc.name=d and fd.name=/e))"},
        {"exceptions, operators",
         {RULE("R", "evt.num=1") "  exceptions:\n"
                                 "  - {name: x, fields: [proc.name, fd.name, proc.pid], comps: [in, startswith, '='],\n"
                                 "     values: [[[a, b c], /x, 1], [d, /y, 2]]}\n"},
         "evt.num=1 and not ((proc.name in (a, 'b c') and fd.name startswith /x and proc.pid = 1) "
         "or (proc.name in (d) and fd.name startswith /y and proc.pid = 2))"},
        {"exceptions, written parentheses",
         {RULE("R",
               "evt.num=1") "  exceptions:\n  - {name: x, fields: [proc.name], comps: [in], values: [['(a, b)']]}\n"},
         "evt.num=1 and not (proc.name in (a, b))"},
        {"exceptions, one field",
         {RULE("R", "evt.num=1") "  exceptions:\n  - {name: x, fields: proc.name, values: [a, b c]}\n"},
         "evt.num=1 and not (proc.name in (a, 'b c'))"},
        {"exceptions, one field by prefix",
         {RULE("R", "evt.num=1") "  exceptions:\n  - {name: x, fields: fd.name, comps: pmatch, values: [/a, /b]}\n"},
         "evt.num=1 and not (fd.name pmatch (/a, /b))"},
        {"exceptions, modifier",
         {RULE("R", "evt.num=1") "  exceptions:\n"
                                 "  - {name: x, fields: fd.name, comps: startswith anyof, values: [/a, /b]}\n"},
         "evt.num=1 and not (fd.name startswith anyof (/a, /b))"},
        {"exceptions, several",
         {RULE("R", "evt.num=1") "  exceptions:\n"
                                 "  - {name: x, fields: proc.name, values: [a]}\n"
                                 "  - {name: y, fields: [proc.name]}\n"
                                 "  - {name: z, fields: [proc.name], values: [[b]]}\n"},
         "evt.num=1 and not (proc.name in (a)) and not (proc.name = b)"},
        {"exceptions without values",
         {RULE("R", "evt.num=1") "  exceptions:\n  - {name: x, fields: proc.name}\n"},
         "evt.num=1"},
        {"exceptions with a list's name",
         {"- list: l\n  items: [a, b]\n" RULE(
                 "R", "evt.num=1") "  exceptions:\n  - {name: x, fields: proc.name, values: [l, c]}\n"},
         "evt.num=1 and not (proc.name in (a, b, c))"},
        {"exceptions, values appended",
         {RULE("R", "evt.num=1") "  exceptions:\n  - {name: x, fields: proc.name, values: [a]}\n",
          "- rule: R\n  exceptions: [{name: x, values: [b]}]\n  append: true\n"},
         "evt.num=1 and not (proc.name in (a, b))"},
        {"exceptions, new one appended",
         {RULE("R", "evt.num=1") "  exceptions:\n  - {name: x, fields: proc.name, values: [a]}\n",
          "- rule: R\n"
          "  exceptions: [{name: y, fields: [proc.name], values: [[b]]}]\n"
          "  override: {exceptions: append}\n"},
         "evt.num=1 and not (proc.name in (a)) and not (proc.name = b)"},
        {"exceptions replaced",
         {RULE("R", "evt.num=1") "  exceptions:\n  - {name: x, fields: proc.name, values: [a]}\n",
          "- rule: R\n"
          "  exceptions: [{name: y, fields: [proc.name], values: [[b]]}]\n"
          "  override: {exceptions: replace}\n"},
         "evt.num=1 and not (proc.name = b)"},
        {"exceptions of an appended condition: all of it",
         {RULE("R", "evt.num=1") "  exceptions:\n  - {name: x, fields: proc.name, values: [a]}\n",
          "- rule: R\n  condition: or evt.num=2\n  override: {condition: append}\n"},
         "(evt.num=1 or evt.num=2) and not (proc.name in (a))"},
        {"anchors and aliases",
         {"- list: l\n  items: &items [a, b]\n- list: m\n  items: *items\n" RULE("R", "proc.name in (l, m)")},
         "proc.name in (a, b, a, b)"},
};

static void test_files_mean_what_they_should(void **state)
{
	(void)state;
	size_t wrong = 0;
	for (size_t i = 0; i < ARRAY_SIZE(meanings); i++) {
		size_t count = 0;
		while (count < ARRAY_SIZE(meanings[i].texts) && meanings[i].texts[count])
			count++;
		_cleanup_(buf_done) struct buf same, first, second;
		buf_init(&same, 4096);
		buf_init(&first, 1 << 16);
		buf_init(&second, 1 << 16);
		buf_printf(&same, RULE("R", "\n   %s"), meanings[i].same);
		struct loaded l = load_texts(meanings[i].texts, count), m = load_text(same.data);
		assert_loaded_but(&l, UNUSED);
		assert_loaded(&m);
		if (strcmp(explain(l.set, "R", &first), explain(m.set, "R", &second)) != 0) {
			fprintf(stderr, "%s:\n%s\ninstead of\n%s\n", meanings[i].name, first.data, second.data);
			wrong++;
		}
		loaded_done(&l);
		loaded_done(&m);
	}
	assert_int_equal(wrong, 0);
}

/* ---- what a rule carries ---- */

static void test_rule_has_what_its_item_says(void **state)
{
	(void)state;
	struct loaded l = load_text("# c\n"
	                            "- rule: My rule\n"
	                            "  desc: What it\n"
	                            "    is about\n"
	                            "  output: '  a %proc.name  '\n"
	                            "  priority: INFO\n"
	                            "  condition: evt.type = open\n"
	                            "  tags: [a, b, a]\n"
	                            "  enabled: no\n"
	                            "  capture: true\n"
	                            "  capture_duration: 2500\n"
	                            "  warn_evttypes: False\n  skip-if-unknown-filter: on\n");
	assert_loaded(&l);
	assert_int_equal(rule_set_count(l.set), 1);
	const struct rule *r = rule_set_get(l.set, 0);
	assert_string_equal(r->name, "My rule");
	assert_string_equal(r->desc, "What it is about");
	assert_string_equal(r->output_text, "a %proc.name");
	assert_string_equal(r->condition_text, "evt.type = open");
	assert_string_equal(r->source, "syscall");
	assert_string_equal(r->file, "a.yaml");
	assert_int_equal(r->line, 2);
	assert_int_equal(r->priority, PRIORITY_INFORMATIONAL);
	assert_false(r->enabled);
	assert_true(r->capture);
	assert_int_equal(r->capture_duration_ms, 2500);
	assert_false(r->warn_evttypes);
	assert_true(r->skip_if_unknown_filter);
	assert_int_equal(r->tag_count, 2);
	assert_string_equal(r->tags[1], "b");
	assert_true(event_set_has(&r->events, EVENT_open));
	assert_false(event_set_has(&r->events, EVENT_mkdir));
	assert_null(rule_set_get(l.set, 1));
	assert_null(rule_set_find(l.set, STR("My rul")));
	loaded_done(&l);
}

static void test_override_changes_only_what_it_names(void **state)
{
	(void)state;
	const char *texts[] = {
	        RULE("R", "evt.type = open") "  tags: [a, b]\n",
	        "- rule: R\n"
	        "  output: more\n"
	        "  desc: more\n"
	        "  tags: [b, c]\n"
	        "  priority: alert\n"
	        "  enabled: false\n"
	        "  capture: true\n"
	        "  capture_duration: 7\n"
	        "  override: {output: append, desc: append, tags: append, priority: replace, enabled: replace,\n"
	        "    capture: replace, capture_duration: replace}\n",
	};
	struct loaded l = load_texts(texts, 2);
	assert_loaded(&l);
	const struct rule *r = rule_set_get(l.set, 0);
	assert_string_equal(r->output_text, "o more");
	assert_string_equal(r->desc, "d more");
	assert_string_equal(r->condition_text, "evt.type = open");
	assert_int_equal(r->tag_count, 3);
	assert_string_equal(r->tags[2], "c");
	assert_int_equal(r->priority, PRIORITY_ALERT);
	assert_false(r->enabled);
	assert_true(r->capture);
	assert_int_equal(r->capture_duration_ms, 7);
	loaded_done(&l);
}

static void test_order_is_that_of_first_definition(void **state)
{
	(void)state;
	const char *texts[] = {
	        RULE("A", "evt.type = open") RULE("B", "evt.type = open"),
	        RULE("C", "evt.type = open") RULE("A", "evt.type = open and evt.num = 1"),
	};
	struct loaded l = load_texts(texts, 2);
	assert_loaded(&l);
	assert_string_equal(rule_set_get(l.set, 0)->name, "A");
	assert_int_equal(rule_set_get(l.set, 0)->line, 1);
	assert_string_equal(rule_set_get(l.set, 0)->file, "a.yaml");
	assert_string_equal(rule_set_get(l.set, 1)->name, "B");
	assert_string_equal(rule_set_get(l.set, 2)->name, "C");
	assert_matches(l.set, EVENT_open, MATCH_ALL, "A,B,C", "evt.type=open", "evt.num=1");
	assert_matches(l.set, EVENT_open, MATCH_FIRST, "A", "evt.type=open", "evt.num=1");
	assert_matches(l.set, EVENT_open, MATCH_FIRST, "B", "evt.type=open", "evt.num=2");
	loaded_done(&l);
}

static void test_rule_that_is_skipped_never_matches(void **state)
{
	(void)state;
	struct loaded l =
	        load_text(RULE("A", "evt.type = open and no.such = 1") "  skip-if-unknown-filter: true\n" RULE(
	                "B", "evt.type = open") "  source: k8s_audit\n" RULE("C", "evt.type = open"));
	assert_loaded_but(&l, "LOAD_UNKNOWN_FILTER LOAD_UNKNOWN_SOURCE");
	assert_int_equal(rule_set_count(l.set), 3);
	for (size_t i = 0; i < 2; i++) {
		assert_null(rule_set_get(l.set, i)->condition);
		assert_false(rule_set_get(l.set, i)->enabled);
	}
	assert_int_equal(rule_set_enable(l.set, STR("A"), false, true), 0);
	assert_matches(l.set, EVENT_open, MATCH_ALL, "C", "evt.type=open");
	loaded_done(&l);
}

static void test_container_info_is_left_out(void **state)
{
	(void)state;
	struct loaded l = load_text("- rule: R\n  desc: d\n  priority: notice\n  condition: evt.type = open\n"
	                            "  output: a (%container.info) %proc.name %container.info\n");
	assert_loaded_but(&l, "LOAD_DEPRECATED_ITEM");
	const char *const pairs[] = {"proc.name=x", NULL};
	struct pairs_source source = {.source = {.get = pairs_get}, .pairs = pairs};
	_cleanup_(arena_done) struct arena arena;
	_cleanup_(buf_done) struct buf out;
	arena_init(&arena, 1 << 16);
	buf_init(&out, 1 << 16);
	format_write(rule_set_get(l.set, 0)->output, &source.source, &arena, &out);
	assert_string_equal(out.data, "a () x ");
	loaded_done(&l);
}

/* ---- refusing ---- */

static void test_refused_file_leaves_no_trace(void **state)
{
	(void)state;
	const char *texts[] = {
	        "- list: l\n  items: [a]\n- macro: m\n  condition: proc.name in (l)\n" RULE("R",
	                                                                                    "evt.type = open and m"),
	        "- list: l\n"
	        "  items: [b]\n"
	        "  append: true\n"
	        "- macro: m\n"
	        "  condition: or evt.num=1\n"
	        "  append: true\n"
	        "- rule: R\n"
	        "  enabled: false\n"
	        "  priority: alert\n  override: {enabled: replace, priority: replace}\n" RULE(
	                "S", "evt.type = open") "- rule: T\n",
	        RULE("U", "evt.type = open"),
	};
	struct loaded l = load_texts(texts, 3);
	assert_int_equal(l.added, -EINVAL);
	assert_int_equal(l.compiled, 0);
	assert_int_equal(rule_set_count(l.set), 2);
	const struct rule *r = rule_set_get(l.set, 0);
	assert_true(r->enabled);
	assert_int_equal(r->priority, PRIORITY_NOTICE);
	_cleanup_(buf_done) struct buf out;
	buf_init(&out, 1 << 16);
	assert_null(strstr(explain(l.set, "R", &out), "b"));
	assert_null(strstr(out.data, "evt.num"));
	assert_string_equal(rule_set_get(l.set, 1)->name, "U");
	loaded_done(&l);
}

static void test_set_that_does_not_compile_matches_nothing(void **state)
{
	(void)state;
	struct loaded l = load_text(RULE("A", "evt.type = open") RULE("B", "evt.type = open and"));
	assert_int_equal(l.compiled, -EINVAL);
	assert_int_equal(rule_set_count(l.set), 0);
	assert_null(rule_set_find(l.set, STR("A")));
	assert_matches(l.set, EVENT_open, MATCH_ALL, "", "evt.type=open");
	assert_int_equal(rule_set_compile(l.set, &l.diags), -EBUSY);
	assert_int_equal(rule_set_add_text(l.set, "x", STR(""), &l.diags), -EBUSY);
	rule_set_min_priority(l.set, PRIORITY_ALERT);
	assert_int_equal(rule_set_enable(l.set, STR("A"), false, false), 0);
	loaded_done(&l);
}

/* ---- at work ---- */

static void test_types_choose_the_rules(void **state)
{
	(void)state;
	struct loaded l = load_text(RULE("A", "evt.type in (open, openat)") RULE("B", "evt.type = mkdir")
	                                    RULE("C", "proc.name = x"));
	assert_loaded(&l);
	assert_matches(l.set, EVENT_openat, MATCH_ALL, "A,C", "evt.type=openat", "proc.name=x");
	assert_matches(l.set, EVENT_mkdir, MATCH_ALL, "B,C", "evt.type=mkdir", "proc.name=x");
	/* The index decides, whatever the source says. */
	assert_matches(l.set, EVENT_mkdir, MATCH_ALL, "C", "evt.type=open", "proc.name=x");
	assert_matches(l.set, (enum event_type)EVENT_TYPE_MAX, MATCH_ALL, "", "proc.name=x");
	struct event_set events;
	rule_set_enable(l.set, STR("C"), false, false);
	rule_set_events(l.set, &events);
	assert_true(event_set_has(&events, EVENT_open));
	assert_true(event_set_has(&events, EVENT_mkdir));
	assert_false(event_set_has(&events, EVENT_execve));
	loaded_done(&l);
}

/* What rules have in place of conditions that a site may write. */
static void test_rules_that_never_match_want_no_events(void **state)
{
	(void)state;
	struct loaded l = load_text(RULE("A", "evt.type = open and evt.num = 0")
	                                    RULE("B", "evt.type = mkdir and not evt.num >= 0")
	                                            RULE("C", "evt.type = rmdir and (evt.num < 0 or evt.num > 0)"));
	struct event_set events;
	assert_loaded(&l);
	rule_set_events(l.set, &events);
	assert_false(event_set_has(&events, EVENT_open));
	assert_false(event_set_has(&events, EVENT_mkdir));
	assert_true(event_set_has(&events, EVENT_rmdir));
	loaded_done(&l);
}

static void test_only_max_are_given_and_all_counted(void **state)
{
	(void)state;
	struct loaded l = load_text(RULE("A", "evt.num > 0") RULE("B", "evt.num > 0") RULE("C", "evt.num > 0"));
	const char *const pairs[] = {"evt.num=1", NULL};
	struct pairs_source source = {.source = {.get = pairs_get}, .pairs = pairs};
	const struct rule *matched[3] = {NULL};
	_cleanup_(arena_done) struct arena arena;
	arena_init(&arena, 1 << 20);
	assert_int_equal(rule_set_match(l.set, EVENT_open, &source.source, &arena, MATCH_ALL, matched, 2), 3);
	assert_string_equal(matched[1]->name, "B");
	assert_null(matched[2]);
	assert_int_equal(rule_set_match(l.set, EVENT_open, &source.source, &arena, MATCH_FIRST, NULL, 0), 1);
	loaded_done(&l);
}

/* No room for a cache: slower, not wrong. */
static void test_matching_without_memory_for_the_cache(void **state)
{
	(void)state;
	struct loaded l = load_text(RULE("A", "evt.num > 5") RULE("B", "evt.num > 0"));
	const char *const pairs[] = {"evt.num=1", NULL};
	struct pairs_source source = {.source = {.get = pairs_get}, .pairs = pairs};
	const struct rule *matched[2];
	_cleanup_(arena_done) struct arena arena;
	arena_init(&arena, 0);
	assert_int_equal(rule_set_match(l.set, EVENT_open, &source.source, &arena, MATCH_ALL, matched, 2), 1);
	assert_string_equal(matched[0]->name, "B");
	loaded_done(&l);
}

static void test_switching_rules(void **state)
{
	(void)state;
	struct loaded l = load_text(RULE("A", "evt.type = open") "  tags: [x, y]\n" RULE(
	        "B", "evt.type = open") "  tags: [y]\n  enabled: false\n" RULE("C",
	                                                                       "evt.type = mkdir") "  tags: [z]\n");
	assert_loaded(&l);
	assert_matches(l.set, EVENT_open, MATCH_ALL, "A", "evt.type=open");
	assert_int_equal(rule_set_enable(l.set, STR("y"), true, true), 1);
	assert_matches(l.set, EVENT_open, MATCH_ALL, "A,B", "evt.type=open");
	assert_int_equal(rule_set_enable(l.set, STR("A"), false, false), 1);
	assert_matches(l.set, EVENT_open, MATCH_ALL, "B", "evt.type=open");
	assert_int_equal(rule_set_enable(l.set, STR("A"), true, true), 0);
	assert_int_equal(rule_set_enable(l.set, STR("y"), true, true), 1);
	assert_matches(l.set, EVENT_open, MATCH_ALL, "A,B", "evt.type=open");
	assert_int_equal(rule_set_enable(l.set, STR("nothing"), false, false), 0);
	loaded_done(&l);
}

/* Judged as rules are, by the evaluator and by programs; otherwise no rules of the set. */
static void test_guests(void **state)
{
	(void)state;
	struct loaded l = load_text(RULE("A", "evt.type = open") RULE("B", "evt.type = mkdir") "  enabled: false\n");
	_cleanup_(diag_list_done) struct diag_list diags;
	struct filter *own;
	struct rule_programs *programs;
	const struct rule *matched[4];
	struct event_set events;
	const int owners[2] = {0};
	diag_list_init(&diags, 4);
	assert_int_equal(filter_new(STR("evt.type in (open, rmdir)"), "own", &diags, &own), 0);
	const struct rule_guest guests[] = {{"P", rule_set_find(l.set, STR("B"))->condition, &owners[0]},
	                                    {"Q", own, &owners[1]}};
	assert_int_equal(rule_set_add_guests(l.set, guests, 2), 0);
	assert_int_equal(rule_set_add_guests(l.set, guests, 2), -EBUSY);
	assert_matches(l.set, EVENT_open, MATCH_ALL, "A,Q", "evt.type=open");
	assert_matches(l.set, EVENT_mkdir, MATCH_ALL, "P", "evt.type=mkdir");
	assert_int_equal(rule_set_count(l.set), 2);
	assert_null(rule_set_find(l.set, STR("Q")));
	rule_set_events(l.set, &events);
	assert_true(event_set_has(&events, EVENT_rmdir) && event_set_has(&events, EVENT_mkdir));

	assert_int_equal(rule_programs_new(l.set, &programs), 0);
	const char *const pairs[] = {"evt.type=rmdir", NULL};
	struct pairs_source source = {.source = {.get = pairs_get}, .pairs = pairs};
	_cleanup_(arena_done) struct arena arena;
	arena_init(&arena, 0x10000);
	assert_int_equal(rule_programs_match(programs, EVENT_rmdir, &source.source, &arena, MATCH_ALL, matched, 4), 1);
	assert_ptr_equal(matched[0]->owner, &owners[1]);
	rule_programs_free(programs);
	rule_set_free(l.set);
	l.set = NULL;
	filter_free(own);
	loaded_done(&l);
}

static void test_least_priority(void **state)
{
	(void)state;
	const char *texts[] = {RULE("A", "evt.type = open") RULE("B", "evt.type = open") RULE("C", "evt.type = open"),
	                       "- rule: A\n"
	                       "  priority: debug\n"
	                       "  override: {priority: replace}\n"
	                       "- rule: C\n"
	                       "  priority: critical\n"
	                       "  override: {priority: replace}\n"};
	struct loaded l = load_texts(texts, 2);
	assert_loaded(&l);
	rule_set_min_priority(l.set, PRIORITY_NOTICE);
	assert_matches(l.set, EVENT_open, MATCH_ALL, "B,C", "evt.type=open");
	rule_set_min_priority(l.set, PRIORITY_CRITICAL);
	assert_matches(l.set, EVENT_open, MATCH_ALL, "C", "evt.type=open");
	loaded_done(&l);
}

static void test_fields_in_use(void **state)
{
	(void)state;
	struct loaded l = load_text("- macro: m\n  condition: proc.name = x\n" RULE(
	        "A", "evt.type = open and m") "- rule: B\n"
	                                      "  desc: d\n"
	                                      "  priority: notice\n"
	                                      "  output: '%proc.exe'\n"
	                                      "  condition: evt.type = mkdir\n");
	assert_loaded(&l);
	assert_true(rule_set_uses_field(l.set, FIELD_PROC_NAME));
	assert_true(rule_set_uses_field(l.set, FIELD_PROC_EXE));
	assert_false(rule_set_uses_field(l.set, FIELD_PROC_CWD));
	rule_set_enable(l.set, STR("B"), false, false);
	assert_false(rule_set_uses_field(l.set, FIELD_PROC_EXE));
	loaded_done(&l);
}

static void note_path(void *userdata, struct str path)
{
	buf_printf(userdata, STR_FMT ";", STR_ARG(path));
}

static void test_paths_that_are_named(void **state)
{
	(void)state;
	struct loaded l = load_text(
	        "- list: l\n  items: [/a, /b]\n" RULE("A", "evt.type = open and (fd.name in (l) or fd.name = /c)")
	                RULE("B", "evt.type = open and fd.name = /b and not fd.name startswith /d"));
	assert_loaded(&l);
	_cleanup_(buf_done) struct buf out;
	buf_init(&out, 4096);
	rule_set_each_path(l.set, note_path, &out);
	assert_string_equal(out.data, "/a;/b;/c;");
	loaded_done(&l);
}

/* ---- files ---- */

static struct loaded load_path(const char *path)
{
	struct loaded l = {0};
	diag_list_init(&l.diags, 200);
	assert_int_equal(rule_set_new(&l.set), 0);
	l.added = rule_set_add_path(l.set, path, &l.diags);
	l.compiled = rule_set_compile(l.set, &l.diags);
	return l;
}

static void test_file_with_samples(void **state)
{
	(void)state;
	struct loaded l = load_path("tests/rules/shells.yaml");
	assert_loaded(&l);
	assert_int_equal(rule_set_count(l.set), 3);
	for (size_t i = 0; i < 3; i++)
		assert_samples_pass(l.set, rule_set_get(l.set, i)->name);
	assert_matches(l.set, EVENT_openat, MATCH_ALL, "", "evt.type=openat", "fd.name=/etc/shadow");
	loaded_done(&l);
}

static void test_file_that_changes_another(void **state)
{
	(void)state;
	struct loaded l = {0};
	diag_list_init(&l.diags, 200);
	assert_int_equal(rule_set_new(&l.set), 0);
	l.added = rule_set_add_path(l.set, "tests/rules/shells.yaml", &l.diags);
	l.added |= rule_set_add_path(l.set, "tests/rules/local.yml", &l.diags);
	l.compiled = rule_set_compile(l.set, &l.diags);
	assert_loaded_but(&l, "LOAD_UNUSED_MACRO"); /* never_true is not needed any more */
	const struct rule *shell = rule_set_get(l.set, 0);
	assert_int_equal(shell->priority, PRIORITY_EMERGENCY);
	assert_int_equal(shell->tag_count, 3);
	assert_true(rule_set_get(l.set, 2)->enabled);
	_cleanup_(buf_done) struct buf out;
	buf_init(&out, 1 << 16);
	assert_non_null(strstr(explain(l.set, "Secret read", &out), "/etc/sudoers"));
	assert_non_null(strstr(out.data, "sudo"));
	assert_non_null(strstr(explain(l.set, "Shell started by a server", &out), "vim /var/log"));
	assert_non_null(strstr(out.data, "proc.pid in (1, 2)"));
	loaded_done(&l);
}

static void write_file(const char *directory, const char *name, const char *text)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	assert_int_equal(file_write_atomic(path, str_from(text), 0600), 0);
}

static void remove_file(const char *directory, const char *name)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	assert_int_equal(unlink(path), 0);
}

static void test_directory_in_alphabetical_order(void **state)
{
	(void)state;
	char directory[] = "/tmp/picket-rules-XXXXXX";
	assert_non_null(mkdtemp(directory));
	write_file(directory, "20.yaml",
	           "- rule: R\n"
	           "  condition: and evt.num = 2\n"
	           "  override: {condition: append}\n");
	write_file(directory, "10.yml", RULE("R", "evt.type = open"));
	write_file(directory, "30.yaml", "- rule: [broken\n");
	write_file(directory, "40.yaml", RULE("S", "evt.type = open"));
	write_file(directory, "05.txt", "not rules");
	write_file(directory, ".00.yaml", "not rules");
	struct loaded l = load_path(directory);
	assert_int_equal(l.added, -EINVAL);
	assert_int_equal(l.diags.count, 1);
	assert_non_null(strstr(l.diags.items[0].file, "30.yaml"));
	assert_int_equal(l.compiled, 0);
	assert_int_equal(rule_set_count(l.set), 2);
	assert_string_equal(rule_set_get(l.set, 0)->condition_text, "evt.type = open and evt.num = 2");
	loaded_done(&l);
	static const char *const names[] = {"20.yaml", "10.yml", "30.yaml", "40.yaml", "05.txt", ".00.yaml"};
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		remove_file(directory, names[i]);
	assert_int_equal(rmdir(directory), 0);
}

static void test_file_that_cannot_be_read(void **state)
{
	(void)state;
	struct loaded l = load_path("tests/rules/no-such-file.yaml");
	assert_int_equal(l.added, -ENOENT);
	assert_int_equal(l.diags.count, 1);
	assert_string_equal(l.diags.items[0].code, "LOAD_ERR_FILE_READ");
	loaded_done(&l);
}

/* ---- Falco's own rules, where they are at hand ---- */

static void load_falco(const char *const *names, size_t count, size_t rules)
{
	const char *directory = getenv("PICKET_FALCO_RULES");
	struct loaded l = {0};
	diag_list_init(&l.diags, 200);
	assert_int_equal(rule_set_new(&l.set), 0);
	for (size_t i = 0; i < count; i++) {
		char path[512];
		snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
		l.added |= rule_set_add_path(l.set, path, &l.diags);
	}
	l.compiled = rule_set_compile(l.set, &l.diags);
	/* proc_name_exists compares with <NA>. */
	assert_loaded_but(&l, "LOAD_UNSAFE_NA_CHECK");
	assert_int_equal(rule_set_count(l.set), rules);
	for (size_t i = 0; i < rules; i++) {
		assert_non_null(rule_set_get(l.set, i)->condition);
		assert_non_null(rule_set_get(l.set, i)->output);
	}
	loaded_done(&l);
}

static void test_falco_rules(void **state)
{
	(void)state;
	static const char *const names[] = {"falco_rules.yaml", "falco-incubating_rules.yaml"};
	if (!getenv("PICKET_FALCO_RULES")) {
		print_message("PICKET_FALCO_RULES does not name a directory with Falco's rules\n");
		skip();
	}
	load_falco(names, 1, 25);
	load_falco(names + 1, 1, 31);
	load_falco(names, 2, 56);
}

/* ---- directories, which compiled rules look for at the beginning of names ---- */

static void assert_both_match(const struct rule_set *set, struct rule_programs *programs, const char *name,
                              const char *directory, size_t expected)
{
	char name_pair[64], directory_pair[64];
	const struct rule *matched[8];
	snprintf(name_pair, sizeof(name_pair), "fd.name=%s", name);
	snprintf(directory_pair, sizeof(directory_pair), "fd.directory=%s", directory);
	const char *const pairs[] = {"evt.type=open", name_pair, directory_pair, NULL};
	struct pairs_source source = {.source = {.get = pairs_get}, .pairs = pairs};
	_cleanup_(arena_done) struct arena arena;
	arena_init(&arena, 0x10000);
	assert_int_equal(rule_set_match(set, EVENT_open, &source.source, &arena, MATCH_ALL, matched, 8), expected);
	assert_int_equal(rule_programs_match(programs, EVENT_open, &source.source, &arena, MATCH_ALL, matched, 8),
	                 expected);
}

static void test_directories(void **state)
{
	struct loaded l = load_text(RULE("A", "evt.type = open and fd.directory in (/etc/pam.d, /tmp)") //
	                            RULE("B", "evt.type = open and fd.directory = /")                   //
	                            RULE("C", "evt.type = open and not fd.directory startswith /tm")    //
	                            RULE("D", "evt.type = open and fd.name startswith /tmp/x")          //
	                            RULE("E", "evt.type = open and fd.directory != /tmp"));
	struct rule_programs *programs;
	(void)state;
	assert_int_equal(l.compiled, 0);
	assert_int_equal(rule_programs_new(l.set, &programs), 0);
	assert_both_match(l.set, programs, "/tmp/x", "/tmp", 2);             /* A D */
	assert_both_match(l.set, programs, "/tmp", "/tmp", 1);               /* A: the directory itself */
	assert_both_match(l.set, programs, "/tmpx/y", "/tmpx", 1);           /* E */
	assert_both_match(l.set, programs, "/tmp/a/b", "/tmp/a", 1);         /* E */
	assert_both_match(l.set, programs, "/etc/pam.d/s", "/etc/pam.d", 3); /* A C E */
	assert_both_match(l.set, programs, "/x", "/", 3);                    /* B C E */
	assert_both_match(l.set, programs, "x", "/", 3);                     /* the same: a name without a slash */
	rule_programs_free(programs);
	loaded_done(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_files_mean_what_they_should),
	        cmocka_unit_test(test_rule_has_what_its_item_says),
	        cmocka_unit_test(test_override_changes_only_what_it_names),
	        cmocka_unit_test(test_order_is_that_of_first_definition),
	        cmocka_unit_test(test_rule_that_is_skipped_never_matches),
	        cmocka_unit_test(test_container_info_is_left_out),
	        cmocka_unit_test(test_refused_file_leaves_no_trace),
	        cmocka_unit_test(test_set_that_does_not_compile_matches_nothing),
	        cmocka_unit_test(test_types_choose_the_rules),
	        cmocka_unit_test(test_rules_that_never_match_want_no_events),
	        cmocka_unit_test(test_only_max_are_given_and_all_counted),
	        cmocka_unit_test(test_matching_without_memory_for_the_cache),
	        cmocka_unit_test(test_switching_rules),
	        cmocka_unit_test(test_guests),
	        cmocka_unit_test(test_least_priority),
	        cmocka_unit_test(test_fields_in_use),
	        cmocka_unit_test(test_paths_that_are_named),
	        cmocka_unit_test(test_file_with_samples),
	        cmocka_unit_test(test_file_that_changes_another),
	        cmocka_unit_test(test_directory_in_alphabetical_order),
	        cmocka_unit_test(test_file_that_cannot_be_read),
	        cmocka_unit_test(test_directories),
	        cmocka_unit_test(test_falco_rules),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
