/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/policy.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/judging.h"
#include "cli/ui.h"
#include "core/log.h"

#define OUT_BYTES_MAX (64u << 20)
#define POLICIES_DIR "/etc/picket/policies.d"
#define DIAGS_MAX 100
#define PATHS_MAX 64

/* ---- the kernel ---- */

static bool hook_add(struct policy_view *view, struct str name)
{
	for (size_t i = 0; i < GUARD_HOOK_COUNT; i++) {
		if (!str_equals(name, view->hooks[i].name))
			continue;
		view->hooks[i].ok = true;
		view->hooks[i].error = 0;
		return true;
	}
	return false;
}

static int hooks_from_option(const char *option, struct policy_view *view)
{
	view->any = strcmp(option, "any") == 0;
	bool all = view->any || strcmp(option, "all") == 0;
	for (size_t i = 0; i < GUARD_HOOK_COUNT; i++) {
		view->hooks[i].ok = all;
		view->hooks[i].error = all ? 0 : -EOPNOTSUPP;
	}
	struct str rest = str_from(option);
	for (struct str name; !all && str_next(&rest, ',', &name);) {
		if (hook_add(view, name))
			continue;
		log_error("--hooks: there is no hook \"" STR_FMT "\"; picket policy explain shows them", STR_ARG(name));
		return CLI_USAGE;
	}
	return CLI_OK;
}

int policy_view_init(const struct args *args, struct policy_view *ret_view)
{
	struct policy_view view = {.any = false};
	const char *option = args_get(args, "hooks");
	loader_probe_guards(view.hooks);
	int r = option ? hooks_from_option(option, &view) : CLI_OK;
	for (size_t i = 0; i < GUARD_HOOK_COUNT; i++)
		view.kernel.has[i] = view.hooks[i].ok;
	if (r == CLI_OK)
		*ret_view = view;
	return r;
}

/* ---- rules and policies ---- */

void policy_input_done(struct policy_input *in)
{
	policy_set_free(in->set);
	if (in->rules)
		rule_set_free(in->rules);
	*in = (struct policy_input){0};
}

size_t policy_paths(const struct args *args, const char **ret_paths, size_t max)
{
	size_t position = 0, count = 0;
	while (count < max && args_next(args, "policies", &position, &ret_paths[count]))
		count++;
	return count;
}

int policy_input_load(const struct args *args, const char *const *paths, size_t count, struct policy_input *ret_input,
                      struct diag_list *ret_diags)
{
	static const char *const standard[] = {POLICIES_DIR};
	_cleanup_(policy_input_done) struct policy_input in = {0};
	struct rules_options options;
	diag_list_init(ret_diags, DIAGS_MAX);
	int r = rules_options_init(args, &options);
	if (r == CLI_OK)
		r = rules_options_load(args, &options, false, &in.rules);
	if (r != CLI_OK)
		return r;
	r = policy_set_new(in.rules, &in.set);
	if (count == 0) {
		paths = standard;
		count = ARRAY_SIZE(standard);
	}
	for (size_t i = 0; r != -ENOMEM && i < count; i++)
		r = policy_set_add_path(in.set, paths[i], ret_diags);
	if (r == -ENOMEM) {
		log_error("%s", strerror(ENOMEM));
		return CLI_BAD;
	}
	ret_input->rules = TAKE_PTR(in.rules);
	ret_input->set = TAKE_PTR(in.set);
	return CLI_OK;
}

/* What would take the host down, and what the kernel cannot do, is told with the other mistakes. Returns whether there are
 * none. */
static bool judge(const struct args *args, const struct policy_input *in, const struct policy_view *view,
                  struct diag_list *diags, bool *ret_impossible)
{
	bool language = policy_set_check_breadth(in->set, diags) == 0 && diags->errors == 0;
	int r = view->any ? 0 : policy_set_check_kernel(in->set, &view->kernel, diags);
	if (!args_has(args, "json"))
		ui_print_diags(args, diags, true);
	*ret_impossible = language && r < 0;
	return diags->errors == 0;
}

/* ---- check ---- */

static void add_diag_json(const struct diag *d, struct json *j)
{
	json_begin_object(j);
	ui_json_text(j, "level", d->level == DIAG_ERROR ? "error" : "warning");
	ui_json_text(j, "code", d->code);
	ui_json_text(j, "file", d->file);
	json_key(j, "line");
	json_u64(j, d->line);
	json_key(j, "column");
	json_u64(j, d->column);
	ui_json_text(j, "text", d->text);
	ui_json_text(j, "hint", d->hint);
	json_end_object(j);
}

static void add_check_json(const struct policy_input *in, const struct diag_list *diags, struct buf *out)
{
	struct json j;
	json_init(&j, out);
	json_begin_object(&j);
	ui_json_bool(&j, "ok", diags->errors == 0);
	json_key(&j, "policies");
	json_u64(&j, policy_set_count(in->set));
	json_key(&j, "messages");
	json_begin_array(&j);
	for (size_t i = 0; i < diags->count; i++)
		add_diag_json(&diags->items[i], &j);
	json_end_array(&j);
	json_end_object(&j);
	buf_add_char(out, '\n');
}

static void add_check_text(const struct args *args, const struct policy_input *in, const struct diag_list *diags,
                           struct buf *out)
{
	size_t count = policy_set_count(in->set), warnings = diags->count + diags->dropped - diags->errors;
	bool color = ui_color(args, STDOUT_FILENO), bad = diags->errors > 0;
	buf_printf(out, "%s%s%s: %zu polic%s, %zu mistake%s, %zu warning%s\n", ui_code(color, bad ? UI_RED : UI_GREEN),
	           bad ? "not ok" : "ok", ui_code(color, UI_RESET), count, count == 1 ? "y" : "ies", diags->errors,
	           diags->errors == 1 ? "" : "s", warnings, warnings == 1 ? "" : "s");
}

static int policy_check(const struct args *args)
{
	_cleanup_(policy_input_done) struct policy_input in = {0};
	_cleanup_(diag_list_done) struct diag_list diags;
	_cleanup_(buf_done) struct buf out;
	struct policy_view view;
	bool impossible;
	buf_init(&out, OUT_BYTES_MAX);
	diag_list_init(&diags, 0);
	int r = policy_view_init(args, &view);
	if (r == CLI_OK)
		r = policy_input_load(args, args->words + 1, args->word_count - 1, &in, &diags);
	if (r != CLI_OK)
		return r;
	bool good = judge(args, &in, &view, &diags, &impossible);
	if (args_has(args, "json"))
		add_check_json(&in, &diags, &out);
	else
		add_check_text(args, &in, &diags, &out);
	r = ui_print(&out);
	return impossible ? CLI_IMPOSSIBLE : good ? r : CLI_BAD;
}

/* ---- list ---- */

static int policy_list(const struct args *args)
{
	_cleanup_(policy_input_done) struct policy_input in = {0};
	_cleanup_(diag_list_done) struct diag_list diags;
	_cleanup_(buf_done) struct buf out;
	struct policy_view view;
	struct json j;
	buf_init(&out, OUT_BYTES_MAX);
	diag_list_init(&diags, 0);
	int r = policy_view_init(args, &view);
	if (r == CLI_OK)
		r = policy_input_load(args, args->words + 1, args->word_count - 1, &in, &diags);
	if (r != CLI_OK)
		return r;
	ui_print_diags(args, &diags, false);
	bool json = args_has(args, "json"), color = ui_color(args, STDOUT_FILENO);
	json_init(&j, &out);
	if (json)
		json_begin_array(&j);
	for (size_t i = 0; i < policy_set_count(in.set); i++) {
		const struct policy *p = policy_set_get(in.set, i);
		if (json)
			policy_add_json(p, &view, &j);
		else
			policy_add_line(p, &view, color, &out);
	}
	if (json) {
		json_end_array(&j);
		buf_add_char(&out, '\n');
	}
	r = ui_print(&out);
	return diags.errors ? CLI_BAD : r;
}

/* ---- explain ---- */

static int explain_kernel(const struct args *args, const struct policy_view *view)
{
	_cleanup_(buf_done) struct buf out;
	struct json j;
	buf_init(&out, OUT_BYTES_MAX);
	json_init(&j, &out);
	if (args_has(args, "json")) {
		policy_add_kernel_json(view, &j);
		buf_add_char(&out, '\n');
	} else {
		policy_add_kernel(view, ui_color(args, STDOUT_FILENO), MIN(ui_width(STDOUT_FILENO), 110u), &out);
	}
	return ui_print(&out);
}

static int explain_policy(const struct args *args, const struct policy_view *view, const struct policy *p)
{
	_cleanup_(buf_done) struct buf out;
	struct json j;
	buf_init(&out, OUT_BYTES_MAX);
	json_init(&j, &out);
	if (args_has(args, "json")) {
		policy_add_json(p, view, &j);
		buf_add_char(&out, '\n');
	} else {
		policy_add_explanation(p, view, ui_color(args, STDOUT_FILENO), MIN(ui_width(STDOUT_FILENO), 110u),
		                       &out);
	}
	int r = ui_print(&out);
	return r == CLI_OK && !policy_weakest(p, &view->kernel) ? CLI_IMPOSSIBLE : r;
}

int policy_explain(const struct args *args)
{
	_cleanup_(policy_input_done) struct policy_input in = {0};
	_cleanup_(diag_list_done) struct diag_list diags;
	const char *paths[PATHS_MAX];
	struct policy_view view;
	diag_list_init(&diags, 0);
	int r = policy_view_init(args, &view);
	if (r == CLI_OK && args->word_count == 1)
		return explain_kernel(args, &view);
	if (r == CLI_OK)
		r = policy_input_load(args, paths, policy_paths(args, paths, PATHS_MAX), &in, &diags);
	if (r != CLI_OK)
		return r;
	const struct policy *p = policy_set_find(in.set, str_from(args->words[1]));
	if (p)
		return explain_policy(args, &view, p);
	ui_print_diags(args, &diags, false);
	log_error("there is no policy \"%s\"%s", args->words[1],
	          diags.errors ? ", or its file has a mistake" : "; picket policy list shows them");
	return CLI_BAD;
}

/* ---- import ---- */

static int write_out(const struct args *args, const struct buf *out)
{
	const char *path = args_get(args, "output");
	if (!path || strcmp(path, "-") == 0)
		return ui_print(out);
	int r = file_write_atomic(path, buf_str(out), 0644);
	if (r < 0)
		log_error("%s: %s", path, strerror(-r));
	return r < 0 ? CLI_BAD : CLI_OK;
}

static int policy_import_file(const struct args *args)
{
	_cleanup_(diag_list_done) struct diag_list diags;
	_cleanup_(buf_done) struct buf text;
	_cleanup_(buf_done) struct buf out;
	diag_list_init(&diags, DIAGS_MAX);
	buf_init(&text, POLICY_FILE_BYTES_MAX);
	buf_init(&out, OUT_BYTES_MAX);
	if (args->word_count != 2) {
		log_error("which file? picket policy import FILE");
		return CLI_USAGE;
	}
	const char *path = args->words[1];
	int r = file_read(path, &text);
	if (r < 0) {
		log_error("%s: %s", path, strerror(-r));
		return CLI_BAD;
	}
	buf_printf(&out, "# From %s, by picket policy import.\n", path);
	r = policy_import(path, buf_str(&text), &diags, &out);
	ui_print_diags(args, &diags, true);
	if (r == -ENOENT)
		log_error("%s: there is no TracingPolicy in it", path);
	return r < 0 ? CLI_BAD : write_out(args, &out);
}

int command_policy(const struct args *args)
{
	static const struct {
		const char *name;
		int (*run)(const struct args *args);
	} actions[] = {{"check", policy_check},        {"list", policy_list},    {"explain", policy_explain},
	               {"import", policy_import_file}, {"try", policy_try},      {"mode", policy_mode},
	               {"release", policy_release},    {"status", policy_status}};
	const char *word = args->word_count > 0 ? args->words[0] : NULL;
	for (size_t i = 0; word && i < ARRAY_SIZE(actions); i++)
		if (strcmp(actions[i].name, word) == 0)
			return actions[i].run(args);
	if (word)
		log_error("policy cannot \"%s\"; it can check, list, explain, import, try, mode, status", word);
	else
		log_error(
		        "what with the policies? check, list, explain, import or try them, see or change those in force; see picket help policy");
	return CLI_USAGE;
}
