/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "cli/judging.h"
#include "cli/rules.h"
#include "cli/ui.h"
#include "core/log.h"
#include "event/event.h"

#define OUT_BYTES_MAX (64u << 20)
#define EVENTS_BYTES_MAX (64u << 10)
#define COLUMNS_MAX 110u

static const struct rule *rule_find(const struct rule_set *set, struct str name)
{
	const struct rule *found = rule_set_find(set, name);
	for (size_t i = 0; !found && i < rule_set_count(set); i++) {
		const struct rule *rule = rule_set_get(set, i);
		if (str_equal(str_from(rule->name), name) || str_contains_nocase(str_from(rule->name), name))
			found = rule;
	}
	return found;
}

/* ---- text ---- */

static void heading(bool color, const char *text, struct buf *out)
{
	buf_printf(out, "\n%s%s%s\n", ui_code(color, UI_BOLD), text, ui_code(color, UI_RESET));
}

static void add_events(const struct rule *rule, const char *separator, struct buf *out)
{
	bool any = false;
	for (unsigned type = 1; type < EVENT_TYPE_MAX; type++) {
		const char *name = event_type_info(type)->name;
		if (!name || !event_set_has(&rule->events, type))
			continue;
		buf_printf(out, "%s%s", any ? separator : "", name);
		any = true;
	}
}

static void add_samples(const struct rule *rule, bool color, struct buf *out)
{
	heading(color, "Samples", out);
	for (size_t i = 0; i < rule->sample_count; i++) {
		const struct rule_sample *s = &rule->samples[i];
		buf_printf(out, "  %s%-8s%s %s\n", ui_code(color, s->must_match ? UI_RED : UI_GREEN),
		           s->must_match ? "match" : "no match", ui_code(color, UI_RESET), s->name ? s->name : "");
	}
}

static void add_explanation(const struct rule *rule, bool color, unsigned width, struct buf *out)
{
	buf_printf(out, "%s%s%s\n", ui_code(color, UI_BOLD), rule->name, ui_code(color, UI_RESET));
	buf_printf(out, "%s%s%s, %s%s, %s:%u\n", ui_code(color, rules_priority_code(rule->priority)),
	           rule_priority_name(rule->priority), ui_code(color, UI_RESET), rule->source,
	           rule->enabled ? "" : ", off", rule->file ? rule->file : "?", rule->line);
	if (rule->tag_count > 0)
		rules_add_tags(rule, ", ", out);
	buf_add_text(out, rule->tag_count > 0 ? "\n\n" : "\n");
	ui_add_wrapped(str_trim(str_from(rule->desc)), 0, 0, width, out);
	buf_add_char(out, '\n');
	heading(color, "Events", out);
	_cleanup_(buf_done) struct buf events;
	buf_init(&events, EVENTS_BYTES_MAX);
	add_events(rule, " ", &events);
	buf_add_text(out, "  ");
	ui_add_wrapped(buf_str(&events), 2, 2, width, out);
	buf_add_char(out, '\n');
	heading(color, "Condition, with lists, macros and exceptions resolved", out);
	rule_explain(rule, out);
	if (out->length > 0 && out->data[out->length - 1] != '\n')
		buf_add_char(out, '\n');
	heading(color, "Output", out);
	buf_add_text(out, "  ");
	ui_add_wrapped(str_trim(str_from(rule->output_text)), 2, 2, width, out);
	buf_add_char(out, '\n');
	if (rule->sample_count > 0)
		add_samples(rule, color, out);
}

/* ---- JSON ---- */

static void add_json(const struct rule *rule, const struct rule_explanation *e, bool bytecode, struct buf *out)
{
	_cleanup_(buf_done) struct buf condition;
	struct json j;
	buf_init(&condition, OUT_BYTES_MAX);
	rule_explain(rule, &condition);
	json_init(&j, out);
	json_begin_object(&j);
	ui_json_text(&j, "name", rule->name);
	ui_json_text(&j, "desc", rule->desc);
	ui_json_text(&j, "priority", rule_priority_name(rule->priority));
	ui_json_bool(&j, "enabled", rule->enabled);
	ui_json_text(&j, "file", rule->file);
	json_key(&j, "line");
	json_u64(&j, rule->line);
	json_key(&j, "condition");
	json_str(&j, buf_str(&condition));
	ui_json_text(&j, "output", rule->output_text);
	rules_json_decision(e, bytecode, &j);
	json_end_object(&j);
	buf_add_char(out, '\n');
}

/* ---- the command ---- */

void rule_programs_freep(struct rule_programs **p)
{
	rule_programs_free(*p);
}

static void explanation_freep(struct rule_explanation **e)
{
	rule_explanation_free(*e);
}

static int show(const struct args *args, const struct rule_set *set, const struct rule *rule)
{
	_cleanup_(rule_programs_freep) struct rule_programs *programs = NULL;
	_cleanup_(explanation_freep) struct rule_explanation *e = NULL;
	_cleanup_(buf_done) struct buf out;
	bool bytecode = args_has(args, "bytecode"), color = ui_color(args, STDOUT_FILENO);
	unsigned width = MIN(ui_width(STDOUT_FILENO), COLUMNS_MAX);
	buf_init(&out, OUT_BYTES_MAX);
	int r = rule_programs_new(set, &programs);
	if (r == 0)
		r = rule_explanation_new(programs, rule, &e);
	if (r < 0) {
		log_error("cannot compile the rules: %s", strerror(-r));
		return CLI_BAD;
	}
	if (args_has(args, "json")) {
		add_json(rule, e, bytecode, &out);
	} else {
		add_explanation(rule, color, width, &out);
		rules_add_decision(e, bytecode, color, width, &out);
	}
	return ui_print(&out);
}

int rules_explain(const struct args *args)
{
	_cleanup_(rule_set_freep) struct rule_set *set = NULL;
	_cleanup_(buf_done) struct buf name;
	struct rules_options options;
	buf_init(&name, 4096);
	if (args->word_count < 2) {
		log_error("which rule? picket rules explain \"NAME\"; picket rules list shows the names");
		return CLI_USAGE;
	}
	args_join_words(args, 1, &name);
	int r = rules_options_init(args, &options);
	if (r == CLI_OK)
		r = rules_options_load(args, &options, false, &set);
	if (r != CLI_OK)
		return r;
	const struct rule *rule = rule_find(set, buf_str(&name));
	if (!rule) {
		log_error("no rule has \"%s\" in its name; picket rules list shows the names", name.data);
		return CLI_BAD;
	}
	return show(args, set, rule);
}
