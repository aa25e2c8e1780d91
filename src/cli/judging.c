/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/judging.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/ui.h"
#include "core/log.h"

#define DIAGS_MAX 200
#define FILTER_BYTES_MAX (64u << 10)
#define RATE_MAX 1000000
#define KEEP_MAX 1000
#define SYSLOG_IDENT "picket"
#define READER_WAIT_MS 2000 /* live: whoever reads the alerts must not be able to stop the watching */

void filter_freep(struct filter **f)
{
	if (*f)
		filter_free(*f);
}

void format_freep(struct format **f)
{
	if (*f)
		format_free(*f);
}

void rule_set_freep(struct rule_set **s)
{
	if (*s)
		rule_set_free(*s);
}

/* ---- filters and lists of fields ---- */

int filter_from_words(const struct args *args, size_t first, struct filter **ret_filter)
{
	_cleanup_(buf_done) struct buf text;
	_cleanup_(diag_list_done) struct diag_list diags;
	buf_init(&text, FILTER_BYTES_MAX);
	diag_list_init(&diags, DIAGS_MAX);
	args_join_words(args, first, &text);
	if (buf_error(&text) < 0) {
		log_error("the filter is longer than %u bytes", FILTER_BYTES_MAX);
		return CLI_USAGE;
	}
	if (str_trim(buf_str(&text)).length == 0) {
		*ret_filter = NULL;
		return CLI_OK;
	}
	int r = filter_new(buf_str(&text), "filter", &diags, ret_filter);
	if (r == 0)
		return CLI_OK;
	ui_print_diags(args, &diags, false);
	if (diags.count == 0)
		log_error("cannot use this filter: %s", strerror(-r));
	return CLI_BAD;
}

void filter_sieve(const struct args *args, size_t first, struct live *live)
{
	_cleanup_(buf_done) struct buf text;
	buf_init(&text, FILTER_BYTES_MAX);
	args_join_words(args, first, &text);
	int r = str_trim(buf_str(&text)).length > 0 ? live_set_filter(live, buf_str(&text)) : 0;
	if (r < 0)
		log_info("events are filtered in user space only: %s", strerror(-r));
}

/* The next of "a,b[x,y],c": a comma in brackets or parentheses is part of a field. */
static bool field_next(struct str *rest, struct str *ret_field)
{
	int depth = 0;
	size_t i;
	if (!rest->data)
		return false;
	for (i = 0; i < rest->length; i++) {
		char c = rest->data[i];
		if (c == '[' || c == '(')
			depth++;
		else if (c == ']' || c == ')')
			depth--;
		else if (c == ',' && depth <= 0)
			break;
	}
	*ret_field = str_trim(str_make(rest->data, i));
	*rest = i < rest->length ? str_make(rest->data + i + 1, rest->length - i - 1) : str_make(NULL, 0);
	return true;
}

static struct str without_percent(struct str field)
{
	return str_starts_with(field, STR("%")) ? str_make(field.data + 1, field.length - 1) : field;
}

/* As an output it must be one %field and nothing else. */
static bool field_is_whole(struct str field, const char *option)
{
	_cleanup_(buf_done) struct buf text;
	_cleanup_(diag_list_done) struct diag_list diags;
	_cleanup_(format_freep) struct format *format = NULL;
	buf_init(&text, FILTER_BYTES_MAX);
	diag_list_init(&diags, DIAGS_MAX);
	buf_printf(&text, "%%" STR_FMT, STR_ARG(field));
	return buf_error(&text) == 0 && format_new(buf_str(&text), option, &diags, &format) == 0 &&
	       format_field_count(format) == 1 && str_equal(format_field_name(format, 0), field);
}

static int field_check(struct str field, const char *option)
{
	if (field.length > 0 && field_is_whole(field, option))
		return CLI_OK;
	const char *near = field_suggest(field);
	if (near)
		log_error("--%s: there is no field \"" STR_FMT "\"; did you mean %s?", option, STR_ARG(field), near);
	else
		log_error("--%s: there is no field \"" STR_FMT "\"; see picket fields", option, STR_ARG(field));
	return CLI_USAGE;
}

int fields_from_option(const struct args *args, const char *option, struct format **ret_format)
{
	_cleanup_(buf_done) struct buf text;
	_cleanup_(diag_list_done) struct diag_list diags;
	const char *value;
	size_t position = 0;
	struct str field;
	buf_init(&text, FILTER_BYTES_MAX);
	diag_list_init(&diags, DIAGS_MAX);
	while (args_next(args, option, &position, &value)) {
		struct str rest = str_from(value);
		while (field_next(&rest, &field)) {
			field = without_percent(field);
			int r = field_check(field, option);
			if (r != CLI_OK)
				return r;
			buf_printf(&text, "%s%%" STR_FMT, text.length > 0 ? " " : "", STR_ARG(field));
		}
	}
	if (text.length == 0) {
		*ret_format = NULL;
		return CLI_OK;
	}
	int r = buf_error(&text);
	if (r == 0)
		r = format_new(buf_str(&text), option, &diags, ret_format);
	if (r < 0) {
		ui_print_diags(args, &diags, false);
		log_error("--%s: cannot use these fields", option);
		return CLI_USAGE;
	}
	return CLI_OK;
}

/* ---- rules ---- */

int rules_options_init(const struct args *args, struct rules_options *ret_options)
{
	struct rules_options options = {.least = PRIORITY_DEBUG};
	size_t position = 0;
	const char *path;
	while (args_next(args, "rules", &position, &path)) {
		if (options.path_count == RULES_PATHS_MAX) {
			log_error("--rules may be given %d times at most", RULES_PATHS_MAX);
			return CLI_USAGE;
		}
		options.paths[options.path_count++] = path;
	}
	*ret_options = options;
	return CLI_OK;
}

int rules_options_budget(const struct args *args, struct rules_options *options)
{
	uint64_t budget = RULE_BUDGET_DEFAULT;
	if (args_get_u64(args, "rule-budget", UINT64_MAX, &budget) < 0)
		return CLI_USAGE;
	if (budget == 0) {
		log_error("--rule-budget: 0 instructions are none");
		return CLI_USAGE;
	}
	options->budget = budget;
	return CLI_OK;
}

static void say_errors(const struct diag_list *diags)
{
	if (diags->errors > 0)
		log_error("%zu mistake%s in the rules", diags->errors, diags->errors == 1 ? "" : "s");
}

int rules_options_load(const struct args *args, const struct rules_options *options, bool warnings,
                       struct rule_set **ret_rules)
{
	_cleanup_(diag_list_done) struct diag_list diags;
	diag_list_init(&diags, DIAGS_MAX);
	int r = rules_load(options, &diags, ret_rules);
	ui_print_diags(args, &diags, warnings);
	if (r == 0)
		return CLI_OK;
	say_errors(&diags);
	if (diags.errors == 0)
		log_error("cannot load the rules: %s", strerror(-r));
	return CLI_BAD;
}

int judging_load(const struct judging *j, struct rule_set **ret_rules)
{
	return rules_options_load(j->args, &j->rules, log_would_write(LOG_LEVEL_INFO), ret_rules);
}

static int switches_parse(struct judging *j)
{
	const struct args *args = j->args;
	j->switches = calloc(args->option_count + 1, sizeof(*j->switches));
	if (!j->switches)
		return CLI_IMPOSSIBLE;
	for (size_t i = 0; i < args->option_count; i++) {
		const char *name = args->options[i].info->name;
		bool enable = strcmp(name, "enable") == 0;
		if (enable || strcmp(name, "disable") == 0)
			j->switches[j->rules.switch_count++] = (struct rules_switch){args->options[i].value, enable};
	}
	j->rules.switches = j->switches;
	return CLI_OK;
}

static int priority_parse(struct judging *j)
{
	const char *text = args_get(j->args, "priority");
	if (!text || rule_priority_parse(str_from(text), &j->rules.least) == 0)
		return CLI_OK;
	log_error("--priority: \"%s\" is none; the priorities are emergency, alert, critical, error, warning, notice, "
	          "informational, debug",
	          text);
	return CLI_USAGE;
}

static int match_parse(struct judging *j)
{
	const char *text = args_get(j->args, "match");
	if (!text || strcmp(text, "first") == 0)
		j->judge.matching = MATCH_FIRST;
	else if (strcmp(text, "all") == 0)
		j->judge.matching = MATCH_ALL;
	else {
		log_error("--match: first or all, not \"%s\"", text);
		return CLI_USAGE;
	}
	return CLI_OK;
}

static int rate_parse(struct judging *j)
{
	const char *text = args_get(j->args, "rate");
	char *end;
	if (!text)
		return CLI_OK;
	double rate = strtod(text, &end);
	if (end == text || *end != '\0' || !(rate >= 0 && rate <= RATE_MAX)) {
		log_error("--rate: \"%s\" is not a number of alerts a second, such as 1 or 0.1", text);
		return CLI_USAGE;
	}
	j->judge.limit.per_second = rate;
	return CLI_OK;
}

static int limits_parse(struct judging *j)
{
	uint64_t burst = 0;
	if (rate_parse(j) != CLI_OK || args_get_u64(j->args, "burst", RATE_MAX, &burst) < 0 ||
	    args_get_duration(j->args, "repeat", &j->judge.limit.repeat_ns) < 0)
		return CLI_USAGE;
	j->judge.limit.burst = (unsigned)burst;
	return CLI_OK;
}

int judging_init(const struct args *args, bool live, struct judging *ret_judging)
{
	_cleanup_(judging_done) struct judging j = {.args = args, .live = live, .judge.live = live};
	int r = rules_options_init(args, &j.rules);
	if (r == CLI_OK && live && args_has(args, "rule-budget"))
		r = rules_options_budget(args, &j.rules);
	if (r == CLI_OK)
		r = switches_parse(&j);
	if (r == CLI_OK)
		r = priority_parse(&j);
	if (r == CLI_OK)
		r = match_parse(&j);
	if (r == CLI_OK)
		r = limits_parse(&j);
	if (r == CLI_OK)
		r = fields_from_option(args, "add-fields", &j.add_fields);
	if (r != CLI_OK)
		return r;
	j.judge.add_fields = j.add_fields;
	*ret_judging = j;
	j = (struct judging){0};
	return CLI_OK;
}

void judging_done(struct judging *j)
{
	free(j->switches);
	if (j->add_fields)
		format_free(j->add_fields);
	*j = (struct judging){0};
}

/* ---- outputs ---- */

static int rotation_parse(const struct args *args, struct export_file_options *options)
{
	uint64_t keep = 0;
	if (args_get_size(args, "rotate", &options->rotate_bytes) < 0 ||
	    args_get_u64(args, "keep", KEEP_MAX, &keep) < 0)
		return CLI_USAGE;
	options->rotate_keep = (unsigned)keep;
	if (options->rotate_bytes && !args_has(args, "output")) {
		log_error("--rotate is for files: name one with --output");
		return CLI_USAGE;
	}
	return CLI_OK;
}

/* JSON where a program reads, text where a person does. */
static enum export_format output_format(const struct args *args, const char *path)
{
	struct str name = str_from(path);
	if (args_has(args, "json"))
		return EXPORT_JSON;
	if (strcmp(path, "-") == 0)
		return isatty(STDOUT_FILENO) || args_has(args, "color") ? EXPORT_TEXT : EXPORT_JSON;
	return str_ends_with(name, STR(".json")) || str_ends_with(name, STR(".jsonl")) ? EXPORT_JSON : EXPORT_TEXT;
}

static int output_take(struct judge *judge, struct export_output *output)
{
	if (judge_add_output(judge, output) == 0)
		return CLI_OK;
	export_free(output);
	log_error("there may be %d outputs at most", JUDGE_OUTPUTS_MAX);
	return CLI_USAGE;
}

static int output_add_file(const struct args *args, const struct export_file_options *common, const char *path,
                           struct judge *judge)
{
	struct export_file_options options = *common;
	struct export_output *output;
	options.format = output_format(args, path);
	options.color = strcmp(path, "-") == 0 && ui_color(args, STDOUT_FILENO);
	int r = export_file_new(path, &options, &output);
	if (r < 0) {
		log_error("cannot write to %s: %s", path, strerror(-r));
		return CLI_BAD;
	}
	return output_take(judge, output);
}

static int output_add_syslog(struct judge *judge)
{
	struct export_output *output;
	int r = export_syslog_new(SYSLOG_IDENT, &output);
	if (r < 0) {
		log_error("cannot use the system's log: %s", strerror(-r));
		return CLI_IMPOSSIBLE;
	}
	return output_take(judge, output);
}

int judging_add_outputs(const struct judging *j, struct judge *judge)
{
	struct export_file_options options = {.iso_time = args_has(j->args, "iso-time")};
	size_t position = 0;
	const char *path;
	int r = j->live ? rotation_parse(j->args, &options) : CLI_OK;
	options.wait_ms = j->live ? READER_WAIT_MS : 0;
	if (r == CLI_OK && !args_has(j->args, "output"))
		r = output_add_file(j->args, &options, "-", judge);
	while (r == CLI_OK && args_next(j->args, "output", &position, &path))
		r = output_add_file(j->args, &options, path, judge);
	if (r == CLI_OK && j->live && args_has(j->args, "syslog"))
		r = output_add_syslog(judge);
	return r;
}
