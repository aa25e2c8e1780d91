/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <unistd.h>

#include "cli/judging.h"
#include "cli/rules.h"
#include "cli/ui.h"
#include "core/log.h"
#include "event/event.h"

#define OUT_BYTES_MAX (16u << 20)
#define DIAGS_MAX 500
#define PRIORITY_COLUMNS 13
#define NAME_COLUMNS 52

/* The options' paths, and the words from `first` on as further ones. */
static int paths_from_words(const struct args *args, size_t first, struct rules_options *ret_options)
{
	int r = rules_options_init(args, ret_options);
	for (size_t i = first; r == CLI_OK && i < args->word_count; i++) {
		if (ret_options->path_count == RULES_PATHS_MAX) {
			log_error("there may be %d paths at most", RULES_PATHS_MAX);
			return CLI_USAGE;
		}
		ret_options->paths[ret_options->path_count++] = args->words[i];
	}
	return r;
}

const char *rules_priority_code(enum rule_priority p)
{
	return p <= PRIORITY_ERROR     ? UI_RED
	       : p == PRIORITY_WARNING ? UI_YELLOW
	       : p == PRIORITY_NOTICE  ? UI_CYAN
	                               : UI_DIM;
}

/* ---- list ---- */

static bool rule_wanted(const struct rule *rule, struct str pattern)
{
	if (str_contains_nocase(str_from(rule->name), pattern))
		return true;
	for (size_t i = 0; i < rule->tag_count; i++)
		if (str_contains_nocase(str_from(rule->tags[i]), pattern))
			return true;
	return false;
}

void rules_add_tags(const struct rule *rule, const char *separator, struct buf *out)
{
	for (size_t i = 0; i < rule->tag_count; i++)
		buf_printf(out, "%s%s", i > 0 ? separator : "", rule->tags[i]);
}

static void add_rule_line(const struct rule *rule, bool color, struct buf *out)
{
	const char *code = rule->enabled ? rules_priority_code(rule->priority) : UI_DIM;
	buf_printf(out, "%s%-*s%s ", ui_code(color, code), PRIORITY_COLUMNS,
	           rule->enabled ? rule_priority_name(rule->priority) : "off", ui_code(color, UI_RESET));
	buf_add_text(out, ui_code(color, UI_BOLD));
	ui_add_padded(str_from(rule->name), NAME_COLUMNS, out);
	buf_printf(out, "%s %s", ui_code(color, UI_RESET), ui_code(color, UI_DIM));
	rules_add_tags(rule, " ", out);
	buf_printf(out, "%s\n", ui_code(color, UI_RESET));
}

static void add_rule_json(const struct rule *rule, struct json *j)
{
	json_begin_object(j);
	ui_json_text(j, "name", rule->name);
	ui_json_text(j, "desc", rule->desc);
	ui_json_text(j, "priority", rule_priority_name(rule->priority));
	ui_json_text(j, "source", rule->source);
	json_key(j, "enabled");
	json_bool(j, rule->enabled);
	ui_json_text(j, "file", rule->file);
	json_key(j, "line");
	json_u64(j, rule->line);
	json_key(j, "tags");
	json_begin_array(j);
	for (size_t i = 0; i < rule->tag_count; i++)
		json_text(j, rule->tags[i]);
	json_end_array(j);
	json_key(j, "events");
	json_begin_array(j);
	for (unsigned type = 1; type < EVENT_TYPE_MAX; type++)
		if (event_set_has(&rule->events, type) && event_type_info(type)->name)
			json_text(j, event_type_info(type)->name);
	json_end_array(j);
	ui_json_text(j, "condition", rule->condition_text);
	ui_json_text(j, "output", rule->output_text);
	json_key(j, "samples");
	json_u64(j, rule->sample_count);
	json_end_object(j);
}

static int rules_list(const struct args *args)
{
	_cleanup_(rule_set_freep) struct rule_set *set = NULL;
	_cleanup_(buf_done) struct buf out;
	struct rules_options options;
	struct json j;
	size_t shown = 0;
	buf_init(&out, OUT_BYTES_MAX);
	int r = rules_options_init(args, &options);
	if (r == CLI_OK)
		r = rules_options_load(args, &options, false, &set);
	if (r != CLI_OK)
		return r;
	struct str pattern = args->word_count > 1 ? str_from(args->words[1]) : STR("");
	bool json = args_has(args, "json"), color = ui_color(args, STDOUT_FILENO);
	json_init(&j, &out);
	if (json)
		json_begin_array(&j);
	for (size_t i = 0; i < rule_set_count(set); i++) {
		const struct rule *rule = rule_set_get(set, i);
		if (!rule_wanted(rule, pattern))
			continue;
		shown++;
		if (json)
			add_rule_json(rule, &j);
		else
			add_rule_line(rule, color, &out);
	}
	if (json) {
		json_end_array(&j);
		buf_add_char(&out, '\n');
	}
	r = ui_print(&out);
	if (shown > 0 || json)
		return r;
	log_error("no rule has \"" STR_FMT "\" in its name or tags", STR_ARG(pattern));
	return CLI_BAD;
}

/* ---- check ---- */

static int rules_check(const struct args *args)
{
	_cleanup_(rule_set_freep) struct rule_set *set = NULL;
	_cleanup_(diag_list_done) struct diag_list diags;
	struct rules_options options;
	diag_list_init(&diags, DIAGS_MAX);
	int r = paths_from_words(args, 1, &options);
	if (r == CLI_OK)
		r = rules_options_budget(args, &options);
	if (r != CLI_OK)
		return r;
	r = rules_load(&options, &diags, &set);
	ui_print_diags(args, &diags, true);
	size_t warnings = diags.count + diags.dropped - diags.errors;
	bool color = ui_color(args, STDOUT_FILENO), bad = r < 0 || (args_has(args, "strict") && warnings > 0);
	printf("%s%s%s", ui_code(color, bad ? UI_RED : UI_GREEN), bad ? "not ok" : "ok", ui_code(color, UI_RESET));
	if (set)
		printf(": %zu rules", rule_set_count(set));
	printf(", %zu mistake%s, %zu warning%s\n", diags.errors, diags.errors == 1 ? "" : "s", warnings,
	       warnings == 1 ? "" : "s");
	return bad ? CLI_BAD : CLI_OK;
}

/* ---- test ---- */

struct tester {
	const struct rule *rule;
	struct buf *out;
	bool color;
};

static void report_failure(void *userdata, const struct rule_sample *sample, const char *why)
{
	const struct tester *t = userdata;
	buf_printf(t->out, "%sFAIL%s %s", ui_code(t->color, UI_RED), ui_code(t->color, UI_RESET), t->rule->name);
	if (sample && sample->name)
		buf_printf(t->out, ", sample \"%s\"", sample->name);
	buf_printf(t->out, ": %s\n     %s%s:%u%s\n", why, ui_code(t->color, UI_DIM), t->rule->file ? t->rule->file : "",
	           sample ? sample->line : t->rule->line, ui_code(t->color, UI_RESET));
}

static void report_untested(const struct tester *t)
{
	buf_printf(t->out, "%sNONE%s %s: has no samples\n     %s%s:%u%s\n", ui_code(t->color, UI_YELLOW),
	           ui_code(t->color, UI_RESET), t->rule->name, ui_code(t->color, UI_DIM),
	           t->rule->file ? t->rule->file : "", t->rule->line, ui_code(t->color, UI_RESET));
}

struct test_counts {
	size_t rules, samples, failures, untested;
};

static void rules_test_all(const struct args *args, const struct rule_set *set, struct buf *out,
                           struct test_counts *counts)
{
	struct tester t = {.out = out, .color = ui_color(args, STDOUT_FILENO)};
	for (size_t i = 0; i < rule_set_count(set); i++) {
		t.rule = rule_set_get(set, i);
		counts->rules++;
		counts->samples += t.rule->sample_count;
		if (t.rule->sample_count > 0) {
			counts->failures += rule_test_samples(t.rule, report_failure, &t);
			continue;
		}
		counts->untested++;
		if (args_has(args, "strict") || args_has(args, "verbose"))
			report_untested(&t);
	}
}

static int rules_test(const struct args *args)
{
	_cleanup_(rule_set_freep) struct rule_set *set = NULL;
	_cleanup_(buf_done) struct buf out;
	struct rules_options options;
	struct test_counts counts = {0};
	bool color = ui_color(args, STDOUT_FILENO);
	buf_init(&out, OUT_BYTES_MAX);
	int r = paths_from_words(args, 1, &options);
	if (r == CLI_OK)
		r = rules_options_load(args, &options, args_has(args, "strict"), &set);
	if (r != CLI_OK)
		return r;
	rules_test_all(args, set, &out, &counts);
	bool bad = counts.failures > 0 || (args_has(args, "strict") && counts.untested > 0);
	buf_printf(&out, "%s%s%s: %zu rules, %zu samples, %zu failure%s, %zu rule%s without samples\n",
	           ui_code(color, bad ? UI_RED : UI_GREEN), bad ? "not ok" : "ok", ui_code(color, UI_RESET),
	           counts.rules, counts.samples, counts.failures, counts.failures == 1 ? "" : "s", counts.untested,
	           counts.untested == 1 ? "" : "s");
	r = ui_print(&out);
	return bad ? CLI_BAD : r;
}

int command_rules(const struct args *args)
{
	static const struct {
		const char *name;
		int (*run)(const struct args *args);
	} actions[] = {{"list", rules_list},
	               {"check", rules_check},
	               {"test", rules_test},
	               {"explain", rules_explain},
	               {"compile", rules_compile}};
	const char *word = args->word_count > 0 ? args->words[0] : NULL;
	for (size_t i = 0; word && i < ARRAY_SIZE(actions); i++)
		if (strcmp(actions[i].name, word) == 0)
			return actions[i].run(args);
	if (word)
		log_error("rules cannot \"%s\"; it can list, check, test, explain, compile", word);
	else
		log_error("what with the rules? list, check, test, explain or compile them; see picket help rules");
	return CLI_USAGE;
}
