/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/ui.h"
#include "cli/vm_source.h"
#include "core/log.h"
#include "event/value.h"

#define BUDGET (1u << 24) /* of one case, in instructions: who needs more does not end */
#define WHY_BYTES_MAX 1024

enum verdict { PASSED, FAILED, SKIPPED };

struct tester {
	enum picket_engine engine;
	bool color, verbose;
	size_t counts[SKIPPED + 1];
};

/* ---- one case ---- */

/* An error came up, of the assembler, the loader, or the run. */
static enum verdict judge_error(const struct vm_case *c, const char *text, struct buf *why)
{
	if (c->has_error && c->error[0] && strstr(text, c->error))
		return PASSED;
	if (c->has_result)
		buf_printf(why, "expected 0x%" PRIx64 ", got an error: %s", c->result, text);
	else if (c->error[0])
		buf_printf(why, "expected an error with \"%s\", got: %s", c->error, text);
	else
		buf_printf(why, "got an error, but the case does not say which one it expects: %s", text);
	return FAILED;
}

static enum verdict judge_result(const struct vm_case *c, uint64_t result, struct buf *why)
{
	if (c->has_result && result == c->result)
		return PASSED;
	if (c->has_result)
		buf_printf(why, "expected 0x%" PRIx64 ", got 0x%" PRIx64, c->result, result);
	else
		buf_printf(why, "expected an error%s%s%s, got 0x%" PRIx64, c->error[0] ? " with \"" : "", c->error,
		           c->error[0] ? "\"" : "", result);
	return FAILED;
}

static enum verdict run_case(const struct tester *t, struct vm_case *c, struct buf *why)
{
	_cleanup_(vm_program_freep) struct picket_program *p = NULL;
	struct picket_options options = {.engine = t->engine, .budget = BUDGET};
	struct picket_error error = {0};
	struct picket_call call = {.data = c->memory.data, .length = c->memory.length};
	int r = picket_program_load(c->insns, c->insn_count, &options, &p, &error);
	if (r < 0)
		return judge_error(c, error.text[0] ? error.text : strerror(-r), why);
	if (c->has_error && t->engine == PICKET_VERIFIED) {
		buf_add_text(why, "a program that is to fail is nothing for --jit, which checks nothing");
		return SKIPPED;
	}
	r = picket_program_run(p, &call);
	if (r < 0)
		return judge_error(c, r == -EFAULT ? picket_fault_name(call.fault.kind) : strerror(-r), why);
	return judge_result(c, call.result, why);
}

static void add_line(unsigned line, const char *text, struct buf *why)
{
	if (line > 0)
		buf_printf(why, "line %u: ", line);
	buf_add_text(why, text);
}

static enum verdict test_text(const struct tester *t, struct str text, struct buf *why)
{
	_cleanup_(vm_case_done) struct vm_case c = {0};
	struct picket_error error = {0};
	int r = vm_case_parse(text, &c, &error);
	if (r < 0) {
		add_line(error.line, error.text[0] ? error.text : strerror(-r), why);
		return FAILED;
	}
	if (c.has_result == c.has_error) {
		buf_add_text(why, "a case has either a result or an error");
		return FAILED;
	}
	if (!c.insns) {
		_cleanup_(buf_done) struct buf refused;
		buf_init(&refused, WHY_BYTES_MAX);
		add_line(c.refused.line, c.refused.text, &refused);
		return judge_error(&c, refused.data ? refused.data : "", why);
	}
	return run_case(t, &c, why);
}

static void test_file(struct tester *t, const char *path)
{
	static const struct {
		const char *word, *color;
	} shown[] = {[PASSED] = {"ok", UI_GREEN}, [FAILED] = {"FAIL", UI_RED}, [SKIPPED] = {"skip", UI_YELLOW}};
	_cleanup_(buf_done) struct buf text, why, shown_why;
	enum verdict verdict = FAILED;
	buf_init(&text, VM_FILE_BYTES_MAX);
	buf_init(&why, WHY_BYTES_MAX);
	buf_init(&shown_why, 4 * WHY_BYTES_MAX);
	int r = file_read(path, &text);
	if (r < 0)
		buf_add_text(&why, strerror(-r));
	else
		verdict = test_text(t, buf_str(&text), &why);
	t->counts[verdict]++;
	if (verdict == PASSED && !t->verbose)
		return;
	value_add_printable(buf_str(&why), 0, &shown_why);
	printf("%s%s%s %s%s%s\n", ui_code(t->color, shown[verdict].color), shown[verdict].word,
	       ui_code(t->color, UI_RESET), path, why.length > 0 ? ": " : "", shown_why.data ? shown_why.data : "");
	fflush(stdout); /* --jit may not survive the next case */
}

/* ---- many ---- */

static int is_case(const struct dirent *entry)
{
	return str_ends_with(str_from(entry->d_name), STR(".data"));
}

/* In the order of their names. */
static int test_dir(struct tester *t, const char *dir)
{
	struct dirent **entries;
	int count = scandir(dir, &entries, is_case, alphasort);
	if (count < 0) {
		log_error("%s: %s", dir, strerror(errno));
		return CLI_BAD;
	}
	for (int i = 0; i < count; i++) {
		_cleanup_(buf_done) struct buf path;
		buf_init(&path, 2 * PATH_MAX);
		buf_printf(&path, "%s%s%s", dir, str_ends_with(str_from(dir), STR("/")) ? "" : "/", entries[i]->d_name);
		test_file(t, path.data ? path.data : entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	if (count == 0)
		log_error("%s: no file there ends in .data", dir);
	return count > 0 ? CLI_OK : CLI_BAD;
}

static int test_path(struct tester *t, const char *path)
{
	struct stat st;
	if (stat(path, &st) < 0) {
		log_error("%s: %s", path, strerror(errno));
		return CLI_BAD;
	}
	if (S_ISDIR(st.st_mode))
		return test_dir(t, path);
	test_file(t, path);
	return CLI_OK;
}

int vm_test(const struct args *args)
{
	struct tester t = {.color = ui_color(args, STDOUT_FILENO), .verbose = args_has(args, "verbose")};
	int r = vm_engine_get(args, &t.engine), bad = CLI_OK;
	if (r != CLI_OK)
		return r;
	if (args->word_count < 2) {
		log_error("which cases? picket vm test FILE.data|DIR…");
		return CLI_USAGE;
	}
	for (size_t i = 1; i < args->word_count; i++) {
		r = test_path(&t, args->words[i]);
		bad = bad == CLI_OK ? r : bad;
	}
	printf("%zu passed, %zu failed, %zu skipped\n", t.counts[PASSED], t.counts[FAILED], t.counts[SKIPPED]);
	return t.counts[FAILED] > 0 ? CLI_BAD : bad;
}
