/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs test cases (*.data, see docs/sandbox.md) in each engine, and as blinded code. Made for arm64, under emulation, where
 * the program `picket` is not built.
 *
 * usage: runner FILE.data|DIR…
 *
 * Prints a line for each failure and what was counted. Exit code 1 if anything failed, or if there was nothing to run.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "base/file.h"
#include "cli/vm_case.h"

#define BUDGET (1u << 24) /* of one case, in instructions: who needs more does not end */
#define WHY_BYTES 512

enum verdict { PASSED, FAILED, UNFIT }; /* UNFIT: faults, which verified code must not */

static const struct mode {
	const char *name;
	enum picket_engine engine;
	bool blind;
} modes[] = {
        {"interpreter", PICKET_INTERPRETER, false}, {"checked", PICKET_CHECKED, false},
        {"checked, blind", PICKET_CHECKED, true},   {"verified", PICKET_VERIFIED, false},
        {"verified, blind", PICKET_VERIFIED, true},
};

/* ---- one case in one engine ---- */
static enum verdict judge_error(const struct vm_case *c, const char *text, char why[WHY_BYTES])
{
	if (c->has_error && c->error[0] && strstr(text, c->error))
		return PASSED;
	snprintf(why, WHY_BYTES, "got an error: %s", text);
	return FAILED;
}

static enum verdict run_program(const struct vm_case *c, const struct mode *mode, const struct picket_program *p,
                                char why[WHY_BYTES])
{
	_cleanup_(buf_done) struct buf memory = {0};
	struct picket_call call = {.length = c->memory.length};

	if (c->has_error && mode->engine == PICKET_VERIFIED)
		return UNFIT;
	buf_init(&memory, VM_FILE_BYTES_MAX);
	buf_add_str(&memory, buf_str(&c->memory));
	call.data = memory.data;
	if (picket_program_run(p, &call))
		return judge_error(c, picket_fault_name(call.fault.kind), why);
	if (c->has_result && call.result == c->result)
		return PASSED;
	snprintf(why, WHY_BYTES, "expected 0x%" PRIx64 "%s, got 0x%" PRIx64, c->result,
	         c->has_error ? " (an error)" : "", call.result);
	return FAILED;
}

static enum verdict run_case(const struct vm_case *c, const struct mode *mode, char why[WHY_BYTES])
{
	struct picket_options options = {.engine = mode->engine, .blind = mode->blind, .budget = BUDGET};
	struct picket_program *p = NULL;
	struct picket_error error = {0};
	enum verdict verdict;

	if (!c->insns)
		return judge_error(c, c->refused.text, why);
	if (picket_program_load(c->insns, c->insn_count, &options, &p, &error))
		return judge_error(c, error.text, why);
	verdict = run_program(c, mode, p, why);
	picket_program_free(p);
	return verdict;
}

/* ---- files ---- */
struct counts {
	size_t of[UNFIT + 1];
};

static void count(struct counts *counts, enum verdict verdict, const char *path, const char *mode, const char *why)
{
	counts->of[verdict]++;
	if (verdict == FAILED)
		printf("not ok - %s (%s): %s\n", path, mode, why);
}

static bool parse_file(const char *path, struct vm_case *ret_case, char why[WHY_BYTES])
{
	_cleanup_(buf_done) struct buf text;
	struct picket_error error = {0};
	int r;

	buf_init(&text, VM_FILE_BYTES_MAX);
	r = file_read(path, &text);
	if (!r)
		r = vm_case_parse(buf_str(&text), ret_case, &error);
	if (r)
		snprintf(why, WHY_BYTES, "%s", error.text[0] ? error.text : strerror(-r));
	return !r;
}

static void run_file(const char *path, struct counts *counts)
{
	_cleanup_(vm_case_done) struct vm_case c = {0};
	char why[WHY_BYTES] = "";

	if (!parse_file(path, &c, why)) {
		count(counts, FAILED, path, "file", why);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		enum verdict verdict = run_case(&c, &modes[i], why);
		count(counts, verdict, path, modes[i].name, why);
	}
}

static int is_case(const struct dirent *entry)
{
	return str_ends_with(str_from(entry->d_name), STR(".data"));
}

static void run_dir(const char *dir, struct counts *counts)
{
	struct dirent **entries;
	int n = scandir(dir, &entries, is_case, alphasort);
	char path[PATH_MAX];

	if (n <= 0)
		count(counts, FAILED, dir, "folder", n ? strerror(errno) : "no file there ends in .data");
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, entries[i]->d_name);
		run_file(path, counts);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
}

int main(int argc, char **argv)
{
	struct counts counts = {0};
	struct stat st;

	for (int i = 1; i < argc; i++) {
		if (!stat(argv[i], &st) && S_ISDIR(st.st_mode))
			run_dir(argv[i], &counts);
		else
			run_file(argv[i], &counts);
	}
	printf("%zu passed, %zu failed, 0 skipped\n", counts.of[PASSED], counts.of[FAILED]);
	return counts.of[FAILED] || !counts.of[PASSED];
}
