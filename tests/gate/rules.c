/* SPDX-License-Identifier: Apache-2.0
 *
 * Rules that are well signed and should not run: more arguments than events supply, fields that are never there, samples
 * that prove nothing, rules that match everything.
 */
#include "tests/gate/gate.h"

#include <stdio.h>
#include <string.h>

#include "event/event.h"

#define HEAD(condition) \
	"- rule: Planted\n" \
	"  desc: A planted rule.\n" \
	"  condition: " condition "\n" \
	"  output: planted\n" \
	"  priority: WARNING\n"
#define SAMPLES(match, nomatch) \
	"  samples:\n" \
	"    match:\n" \
	"      - {" match "}\n" \
	"    nomatch:\n" \
	"      - {" nomatch "}\n"

static void expect_rules(const char *name, const char *text, enum gate_step step, const char *reason)
{
	struct draft d;
	draft_rules(&d, text);
	expect_draft(name, &d, step, reason);
}

/* ---- one argument more than is supplied ---- */

/* The rule asks for argument number `index` of events of a type, and its samples have it. */
static void expect_argument(const struct event_info *info, unsigned index, enum gate_step step)
{
	_cleanup_(buf_done) struct buf text;
	char name[128];
	buf_init(&text, BYTES_MAX);
	buf_printf(&text,
	           HEAD("evt.type = %s and evt.arg[%u] = planted")
	                   SAMPLES("evt.type: %s, \"evt.arg[%u]\": planted", "evt.type: %s, \"evt.arg[%u]\": other"),
	           info->name, index, info->name, index, info->name, index);
	snprintf(name, sizeof(name), "argument %u of the %u of %s", index + 1, info->listed_count, info->name);
	expect_rules(name, text.data, step, "a sample has evt.arg[");
}

static void arguments(void)
{
	for (unsigned type = 1; type < EVENT_TYPE_MAX; type++) {
		const struct event_info *info = event_type_info((enum event_type)type);
		if (!info->name || !info->observed || info->own)
			continue;
		if (info->listed_count > 0)
			expect_argument(info, info->listed_count - 1u, GATE_STEPS);
		expect_argument(info, info->listed_count, GATE_SUPPLY);
		expect_argument(info, 20, info->listed_count > 20 ? GATE_STEPS : GATE_SUPPLY);
	}
	expect_rules("an argument by a name that the event does not have",
	             HEAD("evt.type = openat and evt.arg.addr = planted")
	                     SAMPLES("evt.type: openat, evt.arg.addr: planted", "evt.type: openat, evt.arg.addr: x"),
	             GATE_SUPPLY, "a sample has evt.arg.addr");
	expect_rules("an argument of none of the rule's events, in a sample without a type",
	             HEAD("evt.type in (open, openat) and evt.arg[20] = planted")
	                     SAMPLES("\"evt.arg[20]\": planted", "evt.type: open"),
	             GATE_SUPPLY, "no event that the rule is about has it");
	/* The twenty-first is left out of the samples, as if any value would do: then nothing shows that the rule works. */
	expect_rules("the last argument is in no sample",
	             HEAD("evt.type = openat and fd.name = /x or evt.type = openat and evt.arg[20] = planted")
	                     SAMPLES("evt.type: openat, fd.name: /x", "evt.type: openat, fd.name: /y"),
	             GATE_SAMPLES, "evt.arg[20] is never exercised");
	expect_rules("the last argument has a wildcard",
	             HEAD("evt.type = openat and evt.arg.name glob \"*\"")
	                     SAMPLES("evt.type: openat, evt.arg.name: \"*\"", "evt.type: openat"),
	             GATE_SAMPLES, "evt.arg.name is never exercised");
}

/* Fields of descriptors, of events that have none. */
static void descriptors(void)
{
	for (enum field_id id = 0; id < FIELD_COUNT; id++) {
		const struct field_info *f = field_get_info(id);
		_cleanup_(buf_done) struct buf text;
		buf_init(&text, BYTES_MAX);
		if (strncmp(f->name, "fd.", 3) != 0 || f->flags & FIELD_F_NULLED || id == FIELD_FD_NAMES)
			continue;
		bool is_text = f->type == FIELD_STR || f->type == FIELD_PATH, is_bool = f->type == FIELD_BOOL;
		const char *value = is_text                                       ? "text"
		                    : is_bool                                     ? "true"
		                    : f->type == FIELD_IP || f->type == FIELD_NET ? "192.0.2.1"
		                                                                  : "7";
		buf_printf(&text,
		           HEAD("evt.type = setuid and %s = %s")
		                   SAMPLES("evt.type: setuid, %s: %s", "evt.type: setuid"),
		           f->name, value, f->name, value);
		expect_rules(f->name, text.data, GATE_SUPPLY, "an event setuid has no descriptor");
	}
}

/* ---- fields that are never there ---- */

static void fields_without_value(void)
{
	for (enum field_id id = 0; id < FIELD_COUNT; id++) {
		const struct field_info *f = field_get_info(id);
		_cleanup_(buf_done) struct buf text;
		buf_init(&text, BYTES_MAX);
		if (!(f->flags & FIELD_F_NULLED))
			continue;
		const char *argument = f->arg == FIELD_ARG_NEED ? "[1]" : "";
		buf_printf(&text,
		           HEAD("evt.type = openat and not %s%s exists")
		                   SAMPLES("evt.type: openat, fd.name: /x", "evt.type: open, fd.name: /x"),
		           f->name, argument);
		expect_rules(f->name, text.data, GATE_RULES, "never has a value");
	}
}

static void not_understood(void)
{
	static const struct {
		const char *name, *text, *reason;
	} wrong[] = {
	        {"an unknown field", HEAD("evt.type = openat and proc.nmae = x"), "rules/planted.yaml:3:"},
	        {"an unknown field, to be passed over",
	         HEAD("evt.type = openat and proc.nmae = x") "  skip-if-unknown-filter: true\n", "does not have"},
	        {"an unknown operator", HEAD("evt.type = openat and proc.name =~ x"), "rules/planted.yaml:3:"},
	        {"an unknown event", HEAD("evt.type = openatt"), "rules/planted.yaml"},
	        {"an unknown macro", HEAD("evt.type = openat and spawned_process"), "rules/planted.yaml:3:"},
	        {"a number that is none", HEAD("evt.type = openat and proc.pid = many"), "rules/planted.yaml:3:"},
	        {"a parenthesis too few", HEAD("evt.type = openat and (proc.name = x"), "rules/planted.yaml:3:"},
	        {"no condition", "- rule: Planted\n  desc: d\n  output: o\n  priority: INFO\n", "rules/planted.yaml"},
	        {"no YAML", "- rule: [\n", "rules/planted.yaml"},
	        {"a map, not a list", "rule: Planted\n", "rules/planted.yaml"},
	        {"a tab for an indentation", "- rule: Planted\n\tdesc: d\n", "rules/planted.yaml:2"},
	        {"bytes that are no text", "- rule: \xff\xfe\n", "rules/planted.yaml"},
	        {"an empty file", "", "neither a rule nor a policy"},
	        {"only a list", "- list: a\n  items: [b]\n", "neither a rule nor a policy"},
	        {"a rule that changes one that is not there", "- rule: Gone\n  enabled: false\n", "Gone"},
	        {"an engine that is not there yet", "- required_engine_version: 99.0.0\n" HEAD("evt.type = openat"),
	         "rules/planted.yaml:1"},
	};
	struct draft d;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		expect_rules(wrong[i].name, wrong[i].text, GATE_RULES, wrong[i].reason);
	draft_init(&d);
	d.files[0] = (struct draft_file){"lists/planted.yaml", d.files[1].content};
	d.files[1] = (struct draft_file){"rules/readers.yaml", STR("- list: readers\n  items: [/usr/bin/restic]\n")};
	expect_draft("a rule in lists/", &d, GATE_RULES, "");
	draft_init(&d);
	d.files[0].path = "rules/readers.yaml";
	d.files[1].path = "samples/web.yaml";
	expect_draft("a rule in samples/", &d, GATE_RULES, "does not stand in rules/");
}

/* ---- samples ---- */

#define CONDITION "evt.type = openat and fd.name = /etc/x"

static void samples(void)
{
	static const struct {
		const char *name, *text, *reason;
	} wrong[] = {
	        {"no samples", HEAD(CONDITION), "it has no samples"},
	        {"empty samples", HEAD(CONDITION) "  samples: {match: [], nomatch: []}\n", "it has no samples"},
	        {"none that must not match",
	         HEAD(CONDITION) "  samples:\n    match:\n      - {evt.type: openat, fd.name: /etc/x}\n",
	         "no sample that the rule must not match"},
	        {"none that must match",
	         HEAD(CONDITION) "  samples:\n    nomatch:\n      - {evt.type: openat, fd.name: /etc/y}\n",
	         "no sample that the rule must match"},
	        {"one that fails",
	         HEAD(CONDITION) SAMPLES("evt.type: openat, fd.name: /etc/y", "evt.type: openat, fd.name: /etc/z"),
	         "does not match, and must"},
	        {"one that matches and must not",
	         HEAD(CONDITION) SAMPLES("evt.type: openat, fd.name: /etc/x", "evt.type: openat, fd.name: /etc/x"),
	         "matches, and must not"},
	        {"a field that no sample has",
	         HEAD("evt.type = openat and (fd.name = /etc/x or proc.name = y)")
	                 SAMPLES("evt.type: openat, fd.name: /etc/x", "evt.type: openat, fd.name: /etc/y"),
	         "proc.name is never exercised"},
	        {"a field with null",
	         HEAD("evt.type = openat and (fd.name = /etc/x or proc.name = y)") SAMPLES(
	                 "evt.type: openat, fd.name: /etc/x, proc.name: null", "evt.type: openat, fd.name: /etc/y"),
	         "proc.name is never exercised"},
	        {"a field with wildcards",
	         HEAD("evt.type = openat and fd.name startswith \"*\"")
	                 SAMPLES("evt.type: openat, fd.name: \"**\"", "evt.type: openat"),
	         "fd.name is never exercised"},
	        {"events that the rule is not about",
	         HEAD("(evt.type = openat and fd.name = /etc/x) or (evt.type = openat and proc.name = y)")
	                 SAMPLES("evt.type: close, fd.name: /etc/x, proc.name: z", "evt.type: openat, fd.name: /etc/y"),
	         "does not match"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		expect_rules(wrong[i].name, wrong[i].text, GATE_SAMPLES, wrong[i].reason);
}

/* ---- breadth ---- */

static void breadth(void)
{
	static const struct {
		const char *name, *text;
	} wrong[] = {
	        {"whatever has a number", HEAD("evt.num >= 0") SAMPLES("evt.type: open, evt.num: 1", "evt.type: open")},
	        {"whatever has a process",
	         HEAD("proc.pid > 0") SAMPLES("evt.type: open, proc.pid: 1", "evt.type: open")},
	        {"whatever a process does that is not sshd",
	         HEAD("proc.name != sshd") SAMPLES("evt.type: open, proc.name: x", "evt.type: open, proc.name: sshd")},
	        {"whatever is not by root",
	         HEAD("not user.uid = 0") SAMPLES("evt.type: open, user.uid: 1", "evt.type: open, user.uid: 0")},
	        {"all but one type", HEAD("evt.type != execve") SAMPLES("evt.type: open", "evt.type: execve")},
	        {"all directions",
	         HEAD("evt.dir = <") SAMPLES("evt.type: open, evt.dir: <", "evt.type: open, evt.dir: x")},
	        {"true or false", HEAD("proc.is_exe_writable = true or proc.is_exe_writable = false")
	                                  SAMPLES("evt.type: open, proc.is_exe_writable: true", "evt.type: open")},
	        {"false", HEAD("proc.is_exe_writable = false") SAMPLES("evt.type: open, proc.is_exe_writable: false",
	                                                               "evt.type: open, proc.is_exe_writable: true")},
	        {"any path",
	         HEAD("fd.name startswith /") SAMPLES("evt.type: open, fd.name: /x", "evt.type: open, fd.name: x")},
	        {"any name", HEAD("proc.name glob \"*\"") SAMPLES("evt.type: open, proc.name: x", "evt.type: open")},
	        {"a name, if there is one",
	         HEAD("proc.name exists") SAMPLES("evt.type: open, proc.name: x", "evt.type: open")},
	        {"any event of the kernel", HEAD("evt.source = syscall") SAMPLES("evt.type: open, evt.source: syscall",
	                                                                         "evt.type: open, evt.source: x")},
	        {"whole categories", HEAD("evt.category in (file, net, process, ipc, system)") SAMPLES(
	                                     "evt.type: open, evt.category: file", "evt.type: open, evt.category: x")},
	};
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		expect_rules(wrong[i].name, wrong[i].text, GATE_BREADTH, "whatever it holds");
	expect_rules("all of a few types",
	             HEAD("evt.type in (init_module, finit_module)") SAMPLES("evt.type: init_module", "evt.type: open"),
	             GATE_STEPS, "");
}

void cases_rules(void)
{
	arguments();
	descriptors();
	fields_without_value();
	not_understood();
	samples();
	breadth();
}
