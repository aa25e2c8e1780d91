/* SPDX-License-Identifier: Apache-2.0
 *
 * What is said about rule files that are wrong or odd: each code with its exact place.
 */
#include <unistd.h>

#include "set_helper.h"

/* A whole rule for cases that are about something else. */
#define RULE_HEAD "- rule: R\n  desc: d\n  output: o\n  priority: notice\n"
#define RULE RULE_HEAD "  condition: evt.type = open\n"

struct diag_case {
	const char *name;
	const char *texts[3]; /* a.yaml, b.yaml, c.yaml */
	const char *expected; /* FILE:LINE:COLUMN CODE, each in a line, in this order; E or W before the code */
};

static const struct diag_case cases[] = {
        /* YAML */
        {"not YAML", {"- rule: [\n"}, "a:2:1 E LOAD_ERR_YAML_PARSE\n"},
        {"bad indentation", {"- rule: R\n desc: d\n"}, "a:2:2 E LOAD_ERR_YAML_PARSE\n"},
        {"unknown alias", {"- rule: *x\n"}, "a:1:9 E LOAD_ERR_YAML_PARSE\n"},
        {"alias inside its own anchor", {"- &x [*x]\n"}, "a:1:7 E LOAD_ERR_YAML_PARSE\n"},
        {"not UTF-8", {"- rule: \xff\n"}, "a:1:9 E LOAD_ERR_YAML_PARSE\n"},
        {"NUL in text", {"- list: l\n  items: [\"a\\0b\"]\n"}, "a:2:11 E LOAD_ERR_YAML_VALIDATE\n"},
        {"key twice", {RULE "  output: o2\n"}, "a:6:3 E LOAD_ERR_YAML_VALIDATE\n"},
        {"document is a mapping", {"rule: R\n"}, "a:1:1 E LOAD_ERR_YAML_VALIDATE\n"},
        {"document is a scalar", {"# c\nrule\n"}, "a:2:1 E LOAD_ERR_YAML_VALIDATE\n"},
        {"second document is wrong", {"- list: x\n  items: []\n---\nrule\n"}, "a:4:1 E LOAD_ERR_YAML_VALIDATE\n"},
        {"nothing", {""}, ""},
        {"empty documents and items", {"---\n---\n~\n---\n- \n- ~\n"}, ""},

        /* items */
        {"item is no mapping",
         {"- rule\n- [a]\n"},
         "a:1:3 E LOAD_ERR_YAML_VALIDATE\n"
         "a:2:3 E LOAD_ERR_YAML_VALIDATE\n"},
        {"unknown item", {"- ruel: R\n"}, "a:1:3 W LOAD_UNKNOWN_ITEM\n"},
        {"unknown key of a rule", {RULE "  foo: 1\n"}, "a:6:3 W LOAD_UNKNOWN_KEY\n"},
        {"unknown key of a list",
         {"- list: l\n  items: []\n  item: 1\n"},
         "a:3:3 W LOAD_UNKNOWN_KEY\na:1:9 W LOAD_UNUSED_LIST\n"},
        {"unknown key of a macro",
         {"- macro: m\n  condition: evt.num=0\n  desc: d\n"},
         "a:3:3 W LOAD_UNKNOWN_KEY\na:1:10 W LOAD_UNUSED_MACRO\n"},
        {"key that is no word", {RULE "  [a]: 1\n"}, "a:6:3 W LOAD_UNKNOWN_KEY\n"},

        /* versions */
        {"engine version",
         {"- required_engine_version: 57\n- required_engine_version: 0.57.0\n- required_engine_version: '0.62.0'\n"},
         ""},
        {"engine too old", {"- required_engine_version: 63\n"}, "a:1:28 E LOAD_ERR_VALIDATE\n"},
        {"engine too old, three numbers", {"- required_engine_version: 0.62.1\n"}, "a:1:28 E LOAD_ERR_VALIDATE\n"},
        {"engine of another major version", {"- required_engine_version: 1.0.0\n"}, "a:1:28 E LOAD_ERR_VALIDATE\n"},
        {"engine version is no version",
         {"- required_engine_version: 0.5\n"
          "- required_engine_version: new\n"
          "- required_engine_version:\n"
          "- required_engine_version: 0.1.2.3\n"},
         "a:1:28 E LOAD_ERR_YAML_VALIDATE\n"
         "a:2:28 E LOAD_ERR_YAML_VALIDATE\n"
         "a:3:3 E LOAD_ERR_YAML_VALIDATE\n"
         "a:4:28 E LOAD_ERR_YAML_VALIDATE\n"},
        {"container plugin", {"- required_plugin_versions:\n  - name: container\n    version: 0.4.0\n"}, ""},
        {"newer container plugin",
         {"- required_plugin_versions:\n  - name: container\n    version: 0.99.0\n"},
         "a:2:11 E LOAD_ERR_VALIDATE\n"},
        {"unknown plugin",
         {"- required_plugin_versions: [{name: k8saudit, version: 0.1.0}]\n"},
         "a:1:37 E LOAD_ERR_VALIDATE\n"},
        {"alternative plugin",
         {"- required_plugin_versions:\n"
          "  - {name: k8smeta, version: 0.1.0, alternatives: [{name: container, version: 0.1.0}]}\n"},
         ""},
        {"plugin without version",
         {"- required_plugin_versions:\n  - name: container\n"},
         "a:2:5 E LOAD_ERR_YAML_VALIDATE\n"},
        {"plugin with a bad version",
         {"- required_plugin_versions:\n  - {name: container, version: 1}\n"},
         "a:2:32 E LOAD_ERR_VALIDATE\n"},
        {"plugins are no sequence", {"- required_plugin_versions: container\n"}, "a:1:29 E LOAD_ERR_YAML_VALIDATE\n"},

        /* lists */
        {"list without items", {"- list: l\n"}, "a:1:3 E LOAD_ERR_YAML_VALIDATE\n"},
        {"items is no sequence", {"- list: l\n  items: a\n"}, "a:2:10 E LOAD_ERR_YAML_VALIDATE\n"},
        {"items are no scalars",
         {"- list: l\n  items: [a, [b], {c: d}, ~]\n"},
         "a:2:14 E LOAD_ERR_YAML_VALIDATE\na:2:19 E LOAD_ERR_YAML_VALIDATE\na:2:27 E LOAD_ERR_YAML_VALIDATE\n"},
        {"list name is empty", {"- list: ''\n  items: []\n"}, "a:1:3 E LOAD_ERR_YAML_VALIDATE\n"},
        {"list name is a list", {"- list: [a]\n  items: []\n"}, "a:1:9 E LOAD_ERR_YAML_VALIDATE\n"},
        {"odd list name",
         {"- list: a b\n  items: []\n"},
         "a:1:9 W LOAD_INVALID_LIST_NAME\n"
         "a:1:9 W LOAD_UNUSED_LIST\n"},
        {"unused list", {"- list: l\n  items: [a]\n"}, "a:1:9 W LOAD_UNUSED_LIST\n"},
        {"append to no list",
         {"- list: l\n  items: [a]\n  append: true\n"},
         "a:3:3 W LOAD_DEPRECATED_ITEM\na:1:9 E LOAD_ERR_VALIDATE\n"},
        {"append is not a truth", {"- list: l\n  items: [a]\n  append: maybe\n"}, "a:3:11 E LOAD_ERR_YAML_VALIDATE\n"},
        {"append and override",
         {"- list: l\n  items: [a]\n- list: l\n  items: [a]\n  append: true\n  override: {items: append}\n"},
         "a:5:3 W LOAD_DEPRECATED_ITEM\na:5:3 E LOAD_ERR_YAML_VALIDATE\n"},
        {"override of what is not there",
         {"- list: l\n  items: [a]\n  override: {condition: append}\n"},
         "a:3:14 E LOAD_ERR_YAML_VALIDATE\n"},
        {"override by something else",
         {"- list: l\n  items: [a]\n  override: {items: remove}\n"},
         "a:3:21 E LOAD_ERR_YAML_VALIDATE\n"},
        {"override is no mapping",
         {"- list: l\n  items: [a]\n  override: append\n"},
         "a:3:13 E LOAD_ERR_YAML_VALIDATE\n"},

        /* macros */
        {"macro without condition", {"- macro: m\n"}, "a:1:3 E LOAD_ERR_YAML_VALIDATE\n"},
        {"macro with empty condition", {"- macro: m\n  condition:\n"}, "a:2:3 E LOAD_ERR_YAML_VALIDATE\n"},
        {"odd macro name",
         {"- macro: 1m\n  condition: evt.num=0\n"},
         "a:1:10 W LOAD_INVALID_MACRO_NAME\na:1:10 W LOAD_UNUSED_MACRO\n"},
        {"unused macro", {"- macro: m\n  condition: evt.num=0\n"}, "a:1:10 W LOAD_UNUSED_MACRO\n"},
        {"append to no macro",
         {"- macro: m\n  condition: or evt.num=0\n  override: {condition: append}\n"},
         "a:1:10 E LOAD_ERR_VALIDATE\n"},
        {"macro with wrong grammar",
         {"- macro: m\n  condition: evt.num=0 and\n"},
         "a:2:27 E LOAD_ERR_COMPILE_CONDITION\n"},
        {"macro uses a later one",
         {"- macro: m\n  condition: later\n- macro: later\n  condition: evt.num=0\n"},
         "a:2:14 E LOAD_ERR_COMPILE_CONDITION\n"},
        {"macro uses itself",
         {"- macro: m\n  condition: evt.num=0\n- macro: m\n  condition: m or evt.num=1\n"},
         "a:3:10 E LOAD_ERR_VALIDATE\n"},
        {"macros use each other",
         {"- macro: m\n"
          "  condition: evt.num=0\n"
          "- macro: n\n"
          "  condition: m or m\n"
          "- macro: m\n"
          "  condition: n or evt.num=1\n"
          "- macro: o\n"
          "  condition: m\n"},
         "a:5:10 E LOAD_ERR_VALIDATE\n"},

        /* rules */
        {"rule without the rest",
         {"- rule: R\n  condition: evt.type = open\n"},
         "a:1:3 E LOAD_ERR_YAML_VALIDATE\na:1:3 E LOAD_ERR_YAML_VALIDATE\na:1:3 E LOAD_ERR_YAML_VALIDATE\n"},
        {"rule with nothing", {"- rule: R\n"}, "a:1:3 E LOAD_ERR_YAML_VALIDATE\n"},
        {"rule name is empty", {"- rule:\n  enabled: true\n"}, "a:1:3 E LOAD_ERR_YAML_VALIDATE\n"},
        {"bad priority",
         {"- rule: R\n  desc: d\n  output: o\n  condition: evt.type = open\n  priority: urgent\n"},
         "a:5:13 E LOAD_ERR_YAML_VALIDATE\n"},
        {"bad truths and numbers",
         {RULE "  enabled: 2\n"
               "  capture: perhaps\n"
               "  capture_duration: long\n"
               "  warn_evttypes: [a]\n"
               "  skip-if-unknown-filter: ''\n"},
         "a:6:12 E LOAD_ERR_YAML_VALIDATE\na:9:18 E LOAD_ERR_YAML_VALIDATE\na:10:3 E LOAD_ERR_YAML_VALIDATE\n"
         "a:7:12 E LOAD_ERR_YAML_VALIDATE\na:8:21 E LOAD_ERR_YAML_VALIDATE\n"},
        {"tags are no sequence", {RULE "  tags: a\n"}, "a:6:9 E LOAD_ERR_YAML_VALIDATE\n"},
        {"tag is no scalar", {RULE "  tags: [a, [b]]\n"}, "a:6:13 E LOAD_ERR_YAML_VALIDATE\n"},
        {"unknown source", {RULE "  source: k8s_audit\n"}, "a:6:11 W LOAD_UNKNOWN_SOURCE\n"},
        {"empty source", {RULE "  source: ''\n"}, ""},
        {"other source on redefinition",
         {RULE, RULE "  source: k8s_audit\n"},
         "b:6:11 W LOAD_UNKNOWN_SOURCE\nb:1:9 E LOAD_ERR_VALIDATE\n"},
        {"switch alone", {RULE, "- rule: R\n  enabled: false\n"}, "b:2:3 W LOAD_DEPRECATED_ITEM\n"},
        {"switch of no rule",
         {"- rule: R\n  enabled: false\n"},
         "a:2:3 W LOAD_DEPRECATED_ITEM\na:1:9 E LOAD_ERR_VALIDATE\n"},
        {"append to no rule",
         {"- rule: R\n  condition: and evt.num=0\n  append: true\n"},
         "a:3:3 W LOAD_DEPRECATED_ITEM\na:1:9 E LOAD_ERR_VALIDATE\n"},
        {"append of nothing",
         {RULE, "- rule: R\n  output: o\n  append: true\n"},
         "b:3:3 W LOAD_DEPRECATED_ITEM\nb:1:3 E LOAD_ERR_YAML_VALIDATE\n"},
        {"override of no rule",
         {"- rule: R\n  output: o\n  override: {output: replace}\n"},
         "a:1:9 E LOAD_ERR_VALIDATE\n"},
        {"append to what cannot be appended to",
         {RULE, "- rule: R\n  priority: debug\n  override: {priority: append}\n"},
         "b:3:14 E LOAD_ERR_YAML_VALIDATE\n"},
        {"override of source",
         {RULE, "- rule: R\n  enabled: true\n  source: x\n  override: {enabled: replace, source: replace}\n"},
         "b:4:32 E LOAD_ERR_YAML_VALIDATE\n"},
        {"override names what the item lacks",
         {RULE, "- rule: R\n  output: o\n  override: {output: replace, desc: append}\n"},
         "b:3:31 E LOAD_ERR_YAML_VALIDATE\n"},
        {"item has what the override lacks",
         {RULE, "- rule: R\n  output: o\n  desc: d\n  override: {output: replace}\n"},
         "b:3:3 E LOAD_ERR_YAML_VALIDATE\n"},

        /* conditions and outputs */
        {"no event type", {RULE_HEAD "  condition: proc.name = x\n"}, "a:1:9 W LOAD_NO_EVTTYPE\n"},
        {"event types that exclude each other",
         {RULE_HEAD "  condition: evt.type = open and evt.type = close\n"},
         "a:1:9 W LOAD_NO_EVTTYPE\n"},
        {"no event type, but wanted so", {RULE_HEAD "  condition: proc.name = x\n  warn_evttypes: false\n"}, ""},
        {"comparison with <NA>",
         {RULE_HEAD "  condition: evt.type = open and not proc.name in ('<NA>')\n"},
         "a:5:14 W LOAD_UNSAFE_NA_CHECK\n"},
        {"comparison with <NA> in a macro",
         {"- macro: named\n  condition: (not proc.name in ('<NA>'))\n" RULE_HEAD
          "  condition: evt.type = open and named\n"},
         "a:2:14 W LOAD_UNSAFE_NA_CHECK\n"},
        {"safe comparison with <NA>", {RULE_HEAD "  condition: evt.type = open and proc.name != '<NA>'\n"}, ""},
        {"unknown field",
         {RULE_HEAD "  condition: evt.type = open and proc.nmae = x\n"},
         "a:5:34 E LOAD_ERR_COMPILE_CONDITION\n"},
        {"unknown field, skipped",
         {RULE_HEAD "  condition: evt.type = open and proc.nmae = x\n  skip-if-unknown-filter: true\n"},
         "a:5:34 W LOAD_UNKNOWN_FILTER\n"},
        {"unknown event type", {RULE_HEAD "  condition: evt.type = opne\n"}, "a:5:25 E LOAD_ERR_COMPILE_CONDITION\n"},
        {"unknown macro",
         {RULE_HEAD "  condition: evt.type = open and nosuch\n"},
         "a:5:34 E LOAD_ERR_COMPILE_CONDITION\n"},
        {"field of the output",
         {"- rule: R\n  desc: d\n  condition: evt.type = open\n  priority: notice\n  output: a %proc.nmae b\n"},
         "a:5:14 E LOAD_ERR_COMPILE_OUTPUT\n"},
        {"field of the output, skipped",
         {"- rule: R\n"
          "  desc: d\n"
          "  condition: evt.type = open\n"
          "  priority: notice\n"
          "  output: a %proc.nmae b\n"
          "  skip-if-unknown-filter: true\n"},
         "a:5:14 W LOAD_UNKNOWN_FILTER\n"},
        {"deprecated output",
         {"- rule: R\n"
          "  desc: d\n"
          "  condition: evt.type = open\n"
          "  priority: notice\n"
          "  output: a (%container.info) b %container.info\n"},
         "a:5:14 W LOAD_DEPRECATED_ITEM\na:5:33 W LOAD_DEPRECATED_ITEM\n"},

        /* places in texts put together */
        {"folded condition",
         {RULE_HEAD "  condition: >\n    evt.type = open\n    and\n      proc.nmae = x\n"},
         "a:8:7 E LOAD_ERR_COMPILE_CONDITION\n"},
        {"literal condition",
         {RULE_HEAD "  condition: |\n    evt.type = open and\n    (proc.name = x and\n     proc.nmae = x)\n"},
         "a:8:6 E LOAD_ERR_COMPILE_CONDITION\n"},
        {"quoted condition",
         {RULE_HEAD "  condition: \"evt.type = open and\n    proc.name = '\\\"x' and\n    proc.nmae = x\"\n"},
         "a:7:5 E LOAD_ERR_COMPILE_CONDITION\n"},
        {"plain condition over lines",
         {RULE_HEAD "  condition: evt.type = open and\n    proc.nmae = x\n"},
         "a:6:5 E LOAD_ERR_COMPILE_CONDITION\n"},
        {"item of a list",
         {"- list: types\n  items: [open, opne]\n" RULE_HEAD "  condition: evt.type in (types)\n"},
         "a:2:17 E LOAD_ERR_COMPILE_CONDITION\n"},
        {"behind a list",
         {"- list: types\n  items: [open, close]\n" RULE_HEAD "  condition: evt.type in (types) and proc.nmae = x\n"},
         "a:7:38 E LOAD_ERR_COMPILE_CONDITION\n"},
        {"appended condition",
         {RULE, "- rule: R\n  condition: and proc.nmae = x\n  override: {condition: append}\n"},
         "b:2:18 E LOAD_ERR_COMPILE_CONDITION\n"},
        {"appended list",
         {"- list: types\n  items: [open]\n" RULE_HEAD "  condition: evt.type in (types)\n",
          "- list: types\n  items:\n  - opne\n  override: {items: append}\n"},
         "b:3:5 E LOAD_ERR_COMPILE_CONDITION\n"},
        {"in a macro, once",
         {"- macro: m\n  condition: proc.nmae = x\n" RULE_HEAD "  condition: evt.type = open and m\n"
          "- rule: S\n  desc: d\n  output: o\n  priority: notice\n  condition: evt.type = close and m\n"},
         "a:2:14 E LOAD_ERR_COMPILE_CONDITION\n"},
        {"several errors",
         {"- macro: m\n  condition: (evt.num=0\n" RULE_HEAD "  condition: evt.type = open and m and proc.nmae = x\n"},
         "a:2:24 E LOAD_ERR_COMPILE_CONDITION\na:7:40 E LOAD_ERR_COMPILE_CONDITION\n"},

        /* exceptions */
        {"exceptions are no sequence", {RULE "  exceptions: a\n"}, "a:6:15 E LOAD_ERR_YAML_VALIDATE\n"},
        {"exception is no mapping", {RULE "  exceptions: [a]\n"}, "a:6:16 E LOAD_ERR_YAML_VALIDATE\n"},
        {"exception without name and fields",
         {RULE "  exceptions:\n  - fields: proc.name\n  - name: n\n"},
         "a:7:5 E LOAD_ERR_YAML_VALIDATE\na:8:5 E LOAD_ERR_YAML_VALIDATE\n"},
        {"exception with an unknown key",
         {RULE "  exceptions:\n  - {name: n, fields: proc.name, value: [a]}\n"},
         "a:7:34 W LOAD_UNKNOWN_KEY\n"},
        {"exception with unknown fields",
         {RULE "  exceptions:\n  - {name: n, fields: proc.nmae}\n  - {name: m, fields: [proc.name, x.y]}\n"},
         "a:7:23 E LOAD_ERR_VALIDATE\na:8:35 E LOAD_ERR_VALIDATE\n"},
        {"exception with unknown operators",
         {RULE "  exceptions:\n"
               "  - {name: n, fields: proc.name, comps: '='}\n"
               "  - {name: m, fields: [proc.name], comps: [is]}\n"},
         "a:7:41 E LOAD_ERR_VALIDATE\na:8:44 E LOAD_ERR_VALIDATE\n"},
        {"exception with lists of other lengths",
         {RULE "  exceptions:\n"
               "  - {name: n, fields: [proc.name, fd.name], comps: ['=']}\n"
               "  - {name: m, fields: [proc.name, fd.name], values: [[a], a]}\n"
               "  - {name: o, fields: proc.name, values: [[a]]}\n"},
         "a:7:52 E LOAD_ERR_VALIDATE\n"
         "a:8:54 E LOAD_ERR_VALIDATE\n"
         "a:8:59 E LOAD_ERR_VALIDATE\n"
         "a:9:43 E LOAD_ERR_VALIDATE\n"},
        {"exception of one name twice",
         {RULE "  exceptions:\n  - {name: n, fields: proc.name}\n  - {name: n, fields: fd.name}\n"},
         "a:8:5 W LOAD_EXCEPTION_NAME_NOT_UNIQUE\n"},
        {"exception appended without values",
         {RULE "  exceptions:\n  - {name: n, fields: proc.name}\n",
          "- rule: R\n  exceptions: [{name: n}]\n  override: {exceptions: append}\n"},
         "b:2:16 W LOAD_APPEND_NO_VALUES\n"},
        {"exception appended with fields",
         {RULE "  exceptions:\n  - {name: n, fields: proc.name}\n",
          "- rule: R\n  exceptions: [{name: n, fields: proc.name, values: [a]}]\n  override: {exceptions: append}\n"},
         "b:2:34 E LOAD_ERR_VALIDATE\n"},
        {"exception appended with values of another length",
         {RULE "  exceptions:\n  - {name: n, fields: [proc.name, fd.name]}\n",
          "- rule: R\n  exceptions: [{name: n, values: [[a]]}]\n  override: {exceptions: append}\n"},
         "b:2:35 E LOAD_ERR_VALIDATE\n"},
        {"new exception appended without values",
         {RULE,
          "- rule: R\n  exceptions: [{name: n, fields: proc.name, values: []}]\n  override: {exceptions: append}\n"},
         "b:2:16 E LOAD_ERR_VALIDATE\n"},
        {"exception's value of a wrong kind",
         {RULE "  exceptions:\n  - {name: n, fields: [evt.num], values: [[many]]}\n"},
         "a:7:44 E LOAD_ERR_COMPILE_CONDITION\n"},

        /* samples */
        {"samples are no mapping", {RULE "  samples: []\n"}, "a:6:12 E LOAD_ERR_YAML_VALIDATE\n"},
        {"samples with an unknown key", {RULE "  samples: {matches: []}\n"}, "a:6:13 W LOAD_UNKNOWN_KEY\n"},
        {"sample with an unknown field",
         {RULE "  samples: {match: [{evt.tpye: open}]}\n"},
         "a:6:22 E LOAD_ERR_VALIDATE\n"},
        {"sample with what is no field",
         {RULE "  samples: {match: [{fields: {open: 1, 'evt.type = open and evt.type': 2}}]}\n"},
         "a:6:31 E LOAD_ERR_VALIDATE\na:6:40 E LOAD_ERR_VALIDATE\n"},
        {"sample with a value of another type",
         {RULE "  samples: {match: [{evt.num: many, evt.type: [open]}]}\n"},
         "a:6:31 E LOAD_ERR_VALIDATE\na:6:47 E LOAD_ERR_VALIDATE\n"},
        {"sample is no mapping",
         {RULE "  samples: {match: [open], nomatch: open}\n"},
         "a:6:21 E LOAD_ERR_YAML_VALIDATE\na:6:37 E LOAD_ERR_YAML_VALIDATE\n"},
};

static struct loaded load_case(const struct diag_case *c)
{
	size_t count = 0;
	while (count < ARRAY_SIZE(c->texts) && c->texts[count])
		count++;
	return load_texts(c->texts, count);
}

static void list_diags(const struct diag_list *diags, struct buf *out)
{
	buf_add_text(out, "");
	for (size_t i = 0; i < diags->count; i++) {
		const struct diag *d = &diags->items[i];
		buf_printf(out, "%c:%u:%u %c %s\n", d->file ? d->file[0] : '-', d->line, d->column,
		           d->level == DIAG_ERROR ? 'E' : 'W', d->code);
	}
}

static void test_codes_and_places(void **state)
{
	(void)state;
	size_t wrong = 0;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct loaded l = load_case(&cases[i]);
		_cleanup_(buf_done) struct buf out;
		buf_init(&out, 1 << 16);
		list_diags(&l.diags, &out);
		bool refused = l.added < 0 || l.compiled < 0;
		if (strcmp(out.data ? out.data : "", cases[i].expected) != 0 ||
		    refused != (strstr(cases[i].expected, " E ") != NULL)) {
			fprintf(stderr, "%s: expected\n%s%s, got\n", cases[i].name, cases[i].expected,
			        refused ? "refused" : "taken");
			print_diags(&l.diags);
			wrong++;
		}
		loaded_done(&l);
	}
	assert_int_equal(wrong, 0);
}

static const struct {
	const char *text, *printed;
} golden[] = {
        {RULE_HEAD "  condition: >\n    evt.type = open and\n    proc.nmae = bash\n",
         "a.yaml:7:5: error: there is no field 'proc.nmae' [LOAD_ERR_COMPILE_CONDITION]\n"
         "    7 |     proc.nmae = bash\n"
         "      |     ^\n"
         "        hint: did you mean proc.name?\n"},
        {"- list: types\n  items: [open, opne]\n" RULE_HEAD "  condition: evt.type in (types)\n",
         "a.yaml:2:17: error: unknown event type 'opne' [LOAD_ERR_COMPILE_CONDITION]\n"
         "    2 |   items: [open, opne]\n"
         "      |                 ^\n"
         "        hint: it is used by the rule 'R'\n"},
        {"- list: l\n  items: []\n  itmes: 1\n",
         "a.yaml:3:3: warning: unknown key 'itmes' in a list [LOAD_UNKNOWN_KEY]\n"
         "    3 |   itmes: 1\n"
         "      |   ^\n"
         "        hint: it is ignored; known are list, items, append, override\n"
         "a.yaml:1:9: warning: the list 'l' is not used [LOAD_UNUSED_LIST]\n"
         "    1 | - list: l\n"
         "      |         ^\n"},
        {"- macro: m\n  condition: evt.num=0\n- macro: n\n  condition: m\n- macro: m\n  condition: n\n",
         "a.yaml:5:10: error: the macro 'm' uses itself [LOAD_ERR_VALIDATE]\n"
         "    5 | - macro: m\n"
         "      |          ^\n"
         "        hint: m → n → m\n"},
        {"- macro: m\n  condition: later\n- macro: later\n  condition: evt.num=0\n",
         "a.yaml:2:14: error: macro 'later' is not defined [LOAD_ERR_COMPILE_CONDITION]\n"
         "    2 |   condition: later\n"
         "      |              ^\n"
         "        hint: a macro can use only those that are defined before it\n"},
};

static void test_messages_as_printed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(golden); i++) {
		struct loaded l = load_text(golden[i].text);
		_cleanup_(buf_done) struct buf out;
		buf_init(&out, 1 << 16);
		diag_list_print(&l.diags, false, &out);
		assert_string_equal(out.data, golden[i].printed);
		loaded_done(&l);
	}
}

/* ---- limits ---- */

static void assert_refused(const char *text, const char *code, const char *part)
{
	struct loaded l = load_text(text);
	bool found = false;
	for (size_t i = 0; i < l.diags.count; i++)
		found |= strcmp(l.diags.items[i].code, code) == 0 && strstr(l.diags.items[i].text, part);
	if (!found || !(l.added < 0 || l.compiled < 0))
		print_diags(&l.diags);
	assert_true(found);
	assert_true(l.added < 0 || l.compiled < 0);
	loaded_done(&l);
}

static void test_deep_nesting_is_refused(void **state)
{
	(void)state;
	_cleanup_(buf_done) struct buf b;
	buf_init(&b, 1 << 20);
	for (size_t i = 0; i < 40; i++)
		buf_add_text(&b, "- ");
	assert_refused(b.data, "LOAD_ERR_YAML_VALIDATE", "nested");
	buf_clear(&b);
	for (size_t i = 0; i < 500; i++)
		buf_add_char(&b, '[');
	assert_refused(b.data, "LOAD_ERR_YAML_VALIDATE", "nested");
}

/* Each line of it is ten times the line before. */
/* Each list names the next one twice, and the last is empty: no text grows, only time. */
static void test_bomb_of_empty_lists_is_refused(void **state)
{
	(void)state;
	_cleanup_(buf_done) struct buf b;
	buf_init(&b, 1 << 20);
	for (int i = 0; i < 40; i++)
		buf_printf(&b, "- list: a%d\n  items: [a%d, a%d]\n", i, i + 1, i + 1);
	buf_add_text(&b, "- list: a40\n  items: []\n");
	buf_add_text(&b, RULE_HEAD "  condition: evt.type = open and proc.name in (a0)\n");
	alarm(60); /* it would take days */
	assert_refused(b.data, "LOAD_ERR_VALIDATE", "too often");
	alarm(0);
}

static void test_alias_bomb_is_refused(void **state)
{
	(void)state;
	_cleanup_(buf_done) struct buf b;
	buf_init(&b, 1 << 20);
	buf_add_text(&b, "- &a0 [x, x, x, x, x, x, x, x, x, x]\n");
	for (unsigned i = 1; i < 12; i++) {
		buf_printf(&b, "- &a%u [", i);
		for (unsigned k = 0; k < 10; k++)
			buf_printf(&b, "%s*a%u", k ? ", " : "", i - 1);
		buf_add_text(&b, "]\n");
	}
	assert_refused(b.data, "LOAD_ERR_YAML_VALIDATE", "aliases");
}

/* Lists that name later ones: each ten times the next. */
static void test_list_bomb_is_refused(void **state)
{
	(void)state;
	_cleanup_(buf_done) struct buf b;
	buf_init(&b, 1 << 20);
	for (unsigned i = 0; i < 12; i++)
		buf_printf(&b, "- list: l%u\n  items: [l%u, l%u, l%u, l%u, l%u, l%u, l%u, l%u, l%u, l%u]\n", i, i + 1,
		           i + 1, i + 1, i + 1, i + 1, i + 1, i + 1, i + 1, i + 1, i + 1);
	buf_add_text(&b, "- list: l12\n  items: [one");
	for (unsigned i = 0; i < 200; i++)
		buf_add_text(&b, ", two");
	buf_add_text(&b, "]\n");
	buf_add_text(&b, RULE_HEAD "  condition: evt.type in (l0)\n");
	assert_refused(b.data, "LOAD_ERR_VALIDATE", "longer");
}

static void test_long_chain_of_lists_is_refused(void **state)
{
	(void)state;
	_cleanup_(buf_done) struct buf b;
	buf_init(&b, 1 << 20);
	for (unsigned i = 0; i < 1000; i++)
		buf_printf(&b, "- list: l%u\n  items: [l%u]\n", i, i + 1);
	buf_add_text(&b, RULE_HEAD "  condition: evt.type in (l0)\n");
	assert_refused(b.data, "LOAD_ERR_VALIDATE", "deep");
}

/* Macros that name earlier ones twice: 2^40 nodes. */
static void test_macro_bomb_is_refused(void **state)
{
	(void)state;
	_cleanup_(buf_done) struct buf b;
	buf_init(&b, 1 << 20);
	buf_add_text(&b, "- macro: m0\n  condition: evt.num = 0 or evt.num = 1\n");
	for (unsigned i = 1; i < 40; i++)
		buf_printf(&b, "- macro: m%u\n  condition: (m%u and m%u)\n", i, i - 1, i - 1);
	buf_add_text(&b, RULE_HEAD "  condition: evt.type = open and m39\n");
	struct loaded l = load_text(b.data);
	assert_int_equal(l.compiled, -EINVAL);
	loaded_done(&l);
}

/* A chain of macros as long as it likes: the stack does not grow with it. */
static void test_long_chain_of_macros_is_taken(void **state)
{
	(void)state;
	_cleanup_(buf_done) struct buf b;
	buf_init(&b, 1 << 20);
	buf_add_text(&b, "- macro: m0\n  condition: evt.num = 0\n");
	for (unsigned i = 1; i < 5000; i++)
		buf_printf(&b, "- macro: m%u\n  condition: evt.num = 0\n", i);
	/* Changed again from the last to the first, so that none of them is resolved when the first is asked for. */
	for (unsigned i = 0; i < 4999; i++)
		buf_printf(&b, "- macro: m%u\n  condition: m%u\n", i, i + 1);
	buf_add_text(&b, RULE_HEAD "  condition: evt.type = open and m0\n");
	struct loaded l = load_text(b.data);
	assert_loaded(&l);
	loaded_done(&l);
}

static void test_messages_are_limited(void **state)
{
	(void)state;
	_cleanup_(buf_done) struct buf b;
	buf_init(&b, 1 << 20);
	for (unsigned i = 0; i < 1000; i++)
		buf_printf(&b, "- rule: R%u\n  foo: bar\n", i);
	struct loaded l = load_text(b.data);
	assert_int_equal(l.diags.count, 200);
	assert_true(l.diags.dropped > 0);
	assert_int_equal(l.diags.errors, 1000);
	loaded_done(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_codes_and_places),
	        cmocka_unit_test(test_messages_as_printed),
	        cmocka_unit_test(test_deep_nesting_is_refused),
	        cmocka_unit_test(test_alias_bomb_is_refused),
	        cmocka_unit_test(test_bomb_of_empty_lists_is_refused),
	        cmocka_unit_test(test_list_bomb_is_refused),
	        cmocka_unit_test(test_long_chain_of_lists_is_refused),
	        cmocka_unit_test(test_macro_bomb_is_refused),
	        cmocka_unit_test(test_long_chain_of_macros_is_taken),
	        cmocka_unit_test(test_messages_are_limited),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
