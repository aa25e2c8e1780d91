/* SPDX-License-Identifier: Apache-2.0
 *
 * Content that grows when it is read, and rules that cost too much.
 */
#include "tests/gate/gate.h"

#include <stdio.h>

#define RULE(condition) \
	"- rule: Planted\n  desc: d\n  condition: " condition "\n  output: o\n  priority: INFO\n" \
	"  samples: {match: [{evt.type: open, proc.name: x}], nomatch: [{evt.type: close, proc.name: y}]}\n"

static void expect_text(const char *name, const struct buf *text, enum gate_step step, const char *reason)
{
	struct draft d;
	draft_rules(&d, "");
	d.files[0].content = buf_str(text);
	expect_draft(name, &d, step, reason);
}

/* Each is twice the one before: 2^40 of them at the end. */
static void doubling(void)
{
	_cleanup_(buf_done) struct buf text;
	buf_init(&text, BYTES_MAX);
	buf_add_text(&text, "- macro: m0\n  condition: proc.name = x\n");
	for (int i = 1; i <= 40; i++)
		buf_printf(&text, "- macro: m%d\n  condition: m%d or m%d\n", i, i - 1, i - 1);
	buf_add_text(&text, RULE("evt.type = open and m40"));
	expect_text("macros that double", &text, GATE_RULES, "");
	buf_clear(&text);
	buf_add_text(&text, "- list: l0\n  items: [x, y]\n");
	for (int i = 1; i <= 40; i++)
		buf_printf(&text, "- list: l%d\n  items: [l%d, l%d]\n", i, i - 1, i - 1);
	buf_add_text(&text, RULE("evt.type = open and proc.name in (l40)"));
	/* A list in a list is taken one level deep: then its name is a word, and the sample tells. */
	expect_text("lists that double", &text, GATE_SAMPLES, "does not match");
	buf_clear(&text);
	buf_add_text(&text, "- list: l\n  items: &a0 [x, x]\n");
	for (int i = 1; i <= 40; i++)
		buf_printf(&text, "- list: l%d\n  items: &a%d [*a%d, *a%d]\n", i, i, i - 1, i - 1);
	buf_add_text(&text, RULE("evt.type = open"));
	expect_text("aliases that double", &text, GATE_RULES, "rules/planted.yaml");
	buf_clear(&text);
	buf_add_text(&text, "- macro: a\n  condition: b\n- macro: b\n  condition: a\n" RULE("evt.type = open and a"));
	expect_text("macros in a circle", &text, GATE_RULES, "rules/planted.yaml");
	buf_clear(&text);
	buf_add_text(&text, "- list: l\n  items: &a [*a]\n" RULE("evt.type = open"));
	expect_text("an alias of itself", &text, GATE_RULES, "rules/planted.yaml");
}

static void nesting(void)
{
	_cleanup_(buf_done) struct buf text;
	buf_init(&text, BYTES_MAX);
	buf_add_text(&text, "- rule: Planted\n  desc: d\n  output: o\n  priority: INFO\n  condition: ");
	for (int i = 0; i < 100000; i++)
		buf_add_text(&text, "(");
	buf_add_text(&text, "evt.type = open\n");
	expect_text("100,000 parentheses", &text, GATE_RULES, "rules/planted.yaml");
	buf_clear(&text);
	buf_add_text(&text, "- rule: Planted\n  desc: d\n  output: o\n  priority: INFO\n  condition: ");
	for (int i = 0; i < 100000; i++)
		buf_add_text(&text, "not ");
	buf_add_text(&text, "evt.type = open\n");
	expect_text("100,000 times not", &text, GATE_SAMPLES, "it has no samples");
	buf_clear(&text);
	for (int i = 0; i < 100000; i++)
		buf_add_text(&text, "[");
	expect_text("100,000 brackets", &text, GATE_RULES, "rules/planted.yaml");
	buf_clear(&text);
	for (int i = 0; i < 100000; i++)
		buf_add_text(&text, "- ");
	expect_text("100,000 sequences", &text, GATE_RULES, "rules/planted.yaml");
	buf_clear(&text);
	buf_add_text(&text, "- rule: ");
	for (int i = 0; i < 8 << 20; i++)
		buf_add_char(&text, 'a');
	expect_text("a name of 8 MiB", &text, GATE_RULES, "rules/planted.yaml");
}

static void many(void)
{
	_cleanup_(buf_done) struct buf text;
	buf_init(&text, BYTES_MAX);
	for (int i = 0; i <= RULE_COUNT_MAX; i++)
		buf_printf(&text,
		           "- rule: R%d\n  desc: d\n  condition: evt.type = open\n  output: o\n  priority: INFO\n", i);
	expect_text("more rules than there may be", &text, GATE_RULES, "rules/planted.yaml");
	/* As many as there may be, all off. What takes time by the square of them takes minutes here: the suite's limit. */
	buf_clear(&text);
	for (int i = 0; i < RULE_COUNT_MAX; i++)
		buf_printf(
		        &text,
		        "- rule: R%d\n  desc: d\n  condition: evt.type = open and fd.name = /x%d\n  output: o\n  priority: INFO\n"
		        "  enabled: false\n"
		        "  samples: {match: [{evt.type: open, fd.name: /x%d}], nomatch: [{evt.type: open, fd.name: /y}]}\n",
		        i, i, i);
	expect_text("as many rules as there may be, all off", &text, GATE_STEPS, "");
}

/* With a budget in which nothing fits, and with one that fits all but a rule that seeks much. */
static void cost(void)
{
	_cleanup_(buf_done) struct buf bytes, text;
	struct gate_options options = default_options();
	struct draft d;
	buf_init(&bytes, BYTES_MAX);
	buf_init(&text, BYTES_MAX);
	draft_init(&d);
	draft_pack(&d, &bytes);
	for (uint64_t budget = 1; budget <= 64; budget *= 2) {
		options.budget = budget;
		expect("a budget that is too small", buf_str(&bytes), &options, GATE_BOUND, "costs most");
	}
	buf_add_text(&text,
	             "- rule: Planted\n  desc: d\n  output: o\n  priority: INFO\n  condition: evt.type = open and (");
	for (int i = 0; i < 2000; i++)
		buf_printf(&text, "%sproc.cmdline contains needle%d%d", i ? " or " : "", i, i * 7919);
	buf_add_text(
	        &text,
	        ")\n  samples: {match: [{evt.type: open, proc.cmdline: needle00}], nomatch: [{evt.type: open, proc.cmdline: x}]}\n");
	draft_rules(&d, text.data);
	buf_clear(&bytes);
	draft_pack(&d, &bytes);
	options.budget = 10000;
	expect("a rule that seeks 2,000 words", buf_str(&bytes), &options, GATE_BOUND,
	       "the rule \"Planted\" costs most");
}

static void sizes(void)
{
	_cleanup_(buf_done) struct buf bytes, manifest;
	struct gate_options options = default_options();
	struct draft d;
	buf_init(&bytes, BYTES_MAX);
	buf_init(&manifest, BYTES_MAX);
	draft_init(&d);
	d.file_count = 0;
	draft_manifest(&d, &manifest);
	size_t head = manifest.length;
	struct digest nothing = digest_of(STR(""));
	for (int i = 0; i <= BUNDLE_FILES_MAX; i++) {
		buf_printf(&manifest, "file rules/%06d.yaml 0 ", i);
		digest_add(&nothing, DIGEST_HEX, &manifest);
		buf_add_char(&manifest, '\n');
	}
	pack_manifest(&d, buf_str(&manifest), &bytes);
	expect("more files than there may be", buf_str(&bytes), &options, GATE_MANIFEST, "files at most");
	manifest.length = head;
	buf_clear(&bytes);
	for (int i = 0; i < 5; i++) {
		buf_printf(&manifest, "file rules/%06d.yaml %u ", i, BUNDLE_FILE_BYTES_MAX);
		digest_add(&nothing, DIGEST_HEX, &manifest);
		buf_add_char(&manifest, '\n');
	}
	pack_manifest(&d, buf_str(&manifest), &bytes);
	expect("more bytes than there may be", buf_str(&bytes), &options, GATE_MANIFEST, "all files together");
	manifest.length = head;
	buf_clear(&bytes);
	for (int i = 0; i <= BUNDLE_POWERS_MAX; i++)
		buf_printf(&manifest, "power p%06d\n", i);
	pack_manifest(&d, buf_str(&manifest), &bytes);
	expect("powers behind nothing", buf_str(&bytes), &options, GATE_MANIFEST, "powers at most");
}

void cases_bombs(void)
{
	doubling();
	nesting();
	many();
	cost();
	sizes();
}
