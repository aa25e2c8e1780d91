/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/bundle.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "cli/ui.h"
#include "core/content.h"
#include "core/log.h"
#include "event/event.h"

#define DIAGS_MAX 200
#define FILE_MAX (BUNDLE_BYTES_MAX + (1u << 20))
#define REASON_BYTES_MAX (64u << 10)
#define FIRST_LIFE_S (365ull * 86400)
#define NAME_DEFAULT "my-rules"

/* ---- in common ---- */

void bundle_add_text(struct str text, struct buf *out)
{
	value_add_printable(text, 0, out);
}

uint64_t bundle_now_s(void)
{
	return clock_real_ns() / NS_PER_S;
}

int bundle_word(const struct args *args, size_t i, const char *what, const char **ret_word)
{
	if (args->word_count > i) {
		*ret_word = args->words[i];
		return CLI_OK;
	}
	log_error("%s is missing; see picket help %s", what, args->command->name);
	return CLI_USAGE;
}

int bundle_tell(const struct args *args, const struct diag_list *diags, int r, const char *path)
{
	ui_print_diags(args, diags, true);
	if (diags->errors == 0)
		log_error("%s: %s", path, strerror(-r));
	return CLI_BAD;
}

int bundle_open_word(const struct args *args, size_t i, const char *what, struct bundle **ret_bundle)
{
	_cleanup_(diag_list_done) struct diag_list diags;
	const char *path;
	diag_list_init(&diags, DIAGS_MAX);
	int r = bundle_word(args, i, what, &path);
	if (r != CLI_OK)
		return r;
	r = bundle_open(path, &diags, ret_bundle);
	return r < 0 ? bundle_tell(args, &diags, r, path) : CLI_OK;
}

int bundle_read_keys(const struct args *args, struct buf *text, struct keys *ret_keys)
{
	_cleanup_(diag_list_done) struct diag_list diags;
	const char *path = args_get(args, "keys");
	diag_list_init(&diags, DIAGS_MAX);
	path = path ? path : BUNDLE_KEYS;
	int r = keys_read(path, text, &diags, ret_keys);
	if (r == -ENOENT && !args_get(args, "keys")) {
		log_error("there are no trusted keys: " BUNDLE_KEYS " is missing; name a file of them with --keys");
		return CLI_BAD;
	}
	return r < 0 ? bundle_tell(args, &diags, r, path) : CLI_OK;
}

/* ---- the gate, as it is seen ---- */

void gate_view_init(struct gate_view *v, const struct args *args, bool quiet)
{
	*v = (struct gate_view){.args = args, .color = ui_color(args, STDOUT_FILENO), .quiet = quiet};
}

void gate_view_step(void *userdata, enum gate_step step, const struct gate_result *result)
{
	const struct gate_view *v = userdata;
	_cleanup_(buf_done) struct buf reason;
	buf_init(&reason, REASON_BYTES_MAX);
	if (v->quiet || !result)
		return;
	bundle_add_text(result->reason.data ? buf_str(&result->reason) : str_from(gate_step_question(step)), &reason);
	bool passed = result->verdict == GATE_PASSED;
	printf("%s%-7s%s %-10s  %s\n", ui_code(v->color, passed ? UI_GREEN : UI_RED), passed ? "ok" : "refused",
	       ui_code(v->color, UI_RESET), gate_step_name(step), reason.data);
	fflush(stdout);
	/* What the line says already needs no repetition. */
	if (result->diags.count > (passed ? 0 : 1) || (result->diags.count == 1 && result->diags.items[0].file))
		ui_print_diags(v->args, &result->diags, true);
}

/* ---- init ---- */

static const char first_rule[] =
        "# See https://falco.org/docs/rules for the language, and: picket fields\n"
        "- rule: Backup key read\n"
        "  desc: The key of the backup server was read by something other than the backup program.\n"
        "  condition: >\n"
        "    evt.type in (open, openat, openat2) and evt.is_open_read = true and fd.name = /etc/backup/key\n"
        "    and not proc.exepath = /usr/bin/restic\n"
        "  output: The backup key was read by %proc.name | user=%user.name cmd=%proc.cmdline\n"
        "  priority: WARNING\n"
        "  tags: [host]\n"
        "  samples:\n"
        "    match:\n"
        "      - {evt.type: openat, evt.is_open_read: true, fd.name: /etc/backup/key, proc.exepath: /usr/bin/cat}\n"
        "    nomatch:\n"
        "      - {evt.type: openat, evt.is_open_read: true, fd.name: /etc/backup/key, proc.exepath: /usr/bin/restic}\n";

static int write_below(const char *dir, const char *name, struct str content)
{
	char path[PATH_MAX];
	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	return file_write_atomic(path, content, 0644);
}

static int make_folder(const char *dir, const char *name)
{
	char path[PATH_MAX];
	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	return mkdir(path, 0755) < 0 ? -errno : 0;
}

static int write_first(const char *dir, struct str manifest)
{
	int r = mkdir(dir, 0755) < 0 ? -errno : 0;
	if (r == 0)
		r = make_folder(dir, bundle_kind_folder(BUNDLE_RULES));
	if (r == 0)
		r = write_below(dir, "rules/first.yaml", str_from(first_rule));
	if (r == 0)
		r = write_below(dir, BUNDLE_MANIFEST, manifest);
	return r;
}

static int bundle_init(const struct args *args)
{
	_cleanup_(diag_list_done) struct diag_list diags;
	_cleanup_(buf_done) struct buf text;
	_cleanup_(arena_done) struct arena arena;
	const char *dir, *name = args_get(args, "name");
	struct manifest checked;
	diag_list_init(&diags, DIAGS_MAX);
	buf_init(&text, MANIFEST_BYTES_MAX);
	arena_init(&arena, 1u << 20);
	int r = bundle_word(args, 1, "the directory to make", &dir);
	if (r != CLI_OK)
		return r;
	struct manifest m = {.name = str_from(name ? name : NAME_DEFAULT),
	                     .title = STR("The first version"),
	                     .version = 1,
	                     .expires_s = bundle_now_s() + FIRST_LIFE_S};
	manifest_write(&m, MANIFEST_HEAD, &text);
	r = manifest_parse(buf_str(&text), "--name", MANIFEST_HEAD, &arena, &diags, &checked);
	if (r == 0)
		r = write_first(dir, buf_str(&text));
	if (r < 0)
		return bundle_tell(args, &diags, r, dir);
	printf("%s was made: write its manifest and rules/, then: picket bundle build %s\n", dir, dir);
	return CLI_OK;
}

/* ---- build ---- */

static int write_packed(const struct bundle *b, const char *path)
{
	_cleanup_(buf_done) struct buf out;
	buf_init(&out, FILE_MAX);
	bundle_pack(b, &out);
	int r = buf_error(&out);
	return r < 0 ? r : file_write_atomic(path, buf_str(&out), 0644);
}

/* All that a host's gate will ask, but for what only the host knows. */
static int check_content(const struct args *args, const struct bundle *b)
{
	_cleanup_(gate_freep) struct gate *g = NULL;
	_cleanup_(buf_done) struct buf packed;
	struct gate_view view;
	struct gate_options options = {.schema = event_schema_fingerprint(),
	                               .now_s = bundle_now_s(),
	                               .budget = RULE_BUDGET_DEFAULT,
	                               .policies = content_policy_checker(),
	                               .skip = 1u << GATE_SIGNATURES | 1u << GATE_VERSION | 1u << GATE_TIME,
	                               .watch = gate_view_step,
	                               .userdata = &view};
	gate_view_init(&view, args, false);
	buf_init(&packed, FILE_MAX);
	bundle_pack(b, &packed);
	int r = buf_error(&packed);
	if (r == 0)
		r = gate_run_bytes(buf_str(&packed), b->path, &options, &g);
	if (r < 0) {
		log_error("%s: %s", b->path, strerror(-r));
		return CLI_BAD;
	}
	return g->refused_at == GATE_STEPS ? CLI_OK : CLI_BAD;
}

static int complete(struct bundle *b, struct diag_list *diags)
{
	int r = bundle_parse(b, MANIFEST_HEAD, diags);
	return r < 0 ? r : bundle_complete(b, event_schema_fingerprint(), bundle_now_s(), diags);
}

static void say_built(const struct bundle *b, const char *output)
{
	printf("%s: " STR_FMT " %" PRIu64 ", %zu file%s, %s%s%s\n", b->path, STR_ARG(b->manifest.name),
	       b->manifest.version, b->manifest.file_count, b->manifest.file_count == 1 ? "" : "s",
	       b->signature_text.length > 0 ? "signed" : "not signed", output ? "; written as one file to " : "",
	       output ? output : "");
}

static int bundle_build(const struct args *args)
{
	_cleanup_(diag_list_done) struct diag_list diags;
	_cleanup_(bundle_freep) struct bundle *b = NULL;
	const char *path, *output = args_get(args, "output");
	diag_list_init(&diags, DIAGS_MAX);
	int r = bundle_word(args, 1, "the bundle's directory", &path);
	if (r != CLI_OK)
		return r;
	r = bundle_read(path, &diags, &b);
	if (r == 0 && !b->is_directory) {
		log_error("%s is not a directory; a bundle is built from one", path);
		return CLI_USAGE;
	}
	if (r == 0)
		r = complete(b, &diags);
	if (r < 0)
		return bundle_tell(args, &diags, r, path);
	int checked = check_content(args, b);
	if (checked != CLI_OK)
		return checked;
	r = bundle_write_manifest(b);
	if (r == 0 && output)
		r = write_packed(b, output);
	if (r < 0)
		return bundle_tell(args, &diags, r, output ? output : path);
	say_built(b, output);
	return CLI_OK;
}

/* ---- unpack ---- */

static int bundle_take_apart(const struct args *args)
{
	_cleanup_(bundle_freep) struct bundle *b = NULL;
	const char *dir;
	int r = bundle_open_word(args, 1, "the bundle", &b);
	if (r == CLI_OK)
		r = bundle_word(args, 2, "the directory to make", &dir);
	if (r != CLI_OK)
		return r;
	r = bundle_unpack(b, dir);
	if (r == 0)
		return CLI_OK;
	log_error("%s: %s", dir, strerror(-r));
	return CLI_BAD;
}

int command_bundle(const struct args *args)
{
	static const struct {
		const char *name;
		int (*run)(const struct args *args);
	} actions[] = {{"init", bundle_init},    {"build", bundle_build},      {"keygen", bundle_keygen},
	               {"sign", bundle_sign},    {"verify", bundle_verify},    {"show", bundle_show},
	               {"diff", bundle_compare}, {"unpack", bundle_take_apart}};
	const char *word = args->word_count > 0 ? args->words[0] : NULL;
	for (size_t i = 0; word && i < ARRAY_SIZE(actions); i++)
		if (strcmp(actions[i].name, word) == 0)
			return actions[i].run(args);
	if (word)
		log_error("bundle cannot \"%s\"; it can init, build, keygen, sign, verify, show, diff, unpack", word);
	else
		log_error("what with the bundle? init, build, sign, verify, show, diff …; see picket help bundle");
	return CLI_USAGE;
}
