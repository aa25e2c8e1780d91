/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "cli/progress.h"
#include "cli/ui.h"
#include "cli/verify_files.h"
#include "cli/verify_show.h"
#include "cli/vm_source.h"
#include "core/log.h"
#include "picket/verify.h"
#include "rule/rule.h"

#define BTF_BYTES_MAX (256u << 20)
#define NAME_COLUMNS_MAX 40

struct verifier {
	const struct args *args;
	struct picket_verify_options options;
	struct picket_helper helpers[RULE_HELPERS]; /* of programs that rules were compiled to */
	struct buf btf;                             /* what --btf names; the types point into it */
	struct verify_look look;
	bool json;
	size_t accepted, rejected, unreadable, skipped;
	bool found; /* a program that --program names */
};

/* ---- --trace ---- */

struct tracer {
	const struct picket_insn *insns;
	size_t count;
	bool color;
};

static void trace(size_t insn, const char *state, void *user)
{
	const struct tracer *t = user;
	char text[PICKET_TEXT_MAX];
	if (insn > 0 && insn < t->count && t->insns[insn].code == 0) /* the second slot of lddw */
		insn--;
	if (insn >= t->count)
		return;
	picket_disassemble_c(t->insns + insn, t->count - insn, text, sizeof(text));
	printf("%s%6zu%s  %-36s %s%s%s\n", ui_code(t->color, UI_DIM), insn, ui_code(t->color, UI_RESET), text,
	       ui_code(t->color, UI_CYAN), state, ui_code(t->color, UI_RESET));
}

/* ---- one program ---- */

static int show(struct verifier *v, const struct verify_subject *subject, const struct picket_verdict *verdict)
{
	_cleanup_(buf_done) struct buf out;
	buf_init(&out, VERIFY_SHOWN_BYTES_MAX);
	if (v->json)
		verify_show_json(subject, verdict, &out);
	else
		verify_show_text(subject, verdict, &v->look, &out);
	fflush(stdout);
	progress_clear();
	return ui_print(&out);
}

static void verdict_freep(struct picket_verdict **v)
{
	picket_verdict_free(*v);
}

/* image NULL: the subject's instructions alone. Rejected programs are counted, they are no failure here. */
static int verify_program(struct verifier *v, const struct picket_image *image, size_t index,
                          const struct verify_subject *subject)
{
	_cleanup_(verdict_freep) struct picket_verdict *verdict = NULL;
	struct picket_verify_options options = v->options;
	struct tracer tracer = {subject->insns, subject->insn_count, v->look.color};
	int r;
	options.example = true;
	if (args_has(v->args, "trace")) {
		options.trace = trace;
		options.user = &tracer;
	}
	if (image)
		r = picket_verify(image, index, &options, &verdict);
	else
		r = picket_verify_insns(subject->insns, subject->insn_count, NULL, 0, &options, &verdict);
	if (r < 0) {
		log_error("%s: %s: %s", subject->file, subject->program, strerror(-r));
		v->unreadable++;
		return CLI_OK;
	}
	if (verdict->accepted)
		v->accepted++;
	else
		v->rejected++;
	return show(v, subject, verdict);
}

/* ---- one file ---- */

static void tell_unreadable(struct verifier *v, const char *path, int err, const struct picket_error *error)
{
	_cleanup_(buf_done) struct buf out;
	struct json j;
	buf_init(&out, VERIFY_SHOWN_BYTES_MAX);
	v->unreadable++;
	(void)!vm_tell_error(path, err, error);
	if (!v->json)
		return;
	json_init(&j, &out);
	json_begin_object(&j);
	ui_json_text(&j, "object", path);
	ui_json_text(&j, "error", error->text[0] ? error->text : strerror(-err));
	ui_json_text(&j, "section", error->section);
	json_key(&j, "offset");
	json_u64(&j, error->offset);
	json_end_object(&j);
	buf_add_char(&out, '\n');
	(void)!ui_print(&out);
}

static unsigned name_columns(const struct picket_image *image, const char *only)
{
	size_t columns = 0;
	for (size_t i = 0; i < picket_image_program_count(image); i++) {
		const char *name = picket_image_name(image, i);
		if (!only || strcmp(name, only) == 0)
			columns = MAX(columns, ui_columns(str_from(name)));
	}
	return (unsigned)MIN(columns, NAME_COLUMNS_MAX);
}

static int verify_programs(struct verifier *v, const char *path, const struct picket_image *image)
{
	const char *only = args_get(v->args, "program");
	int r = CLI_OK;
	v->look.name_max = name_columns(image, only);
	for (size_t i = 0; r == CLI_OK && i < picket_image_program_count(image); i++) {
		struct verify_subject subject = {.file = path, .program = picket_image_name(image, i)};
		if (only && strcmp(subject.program, only) != 0)
			continue;
		v->found = true;
		subject.section = picket_image_section(image, i);
		subject.insns = picket_image_insns(image, i, &subject.insn_count);
		r = verify_program(v, image, i, &subject);
	}
	return r;
}

static void image_freep(struct picket_image **image)
{
	picket_image_free(*image);
}

static int verify_object(struct verifier *v, const char *path, struct str bytes)
{
	_cleanup_(image_freep) struct picket_image *image = NULL;
	struct picket_error error = {0};
	int r = picket_image_open(bytes.data, bytes.length, &image, &error);
	if (r < 0) {
		tell_unreadable(v, path, r, &error);
		return CLI_OK;
	}
	if (picket_image_program_count(image) == 0)
		log_warning("%s has no programs", path);
	return verify_programs(v, path, image);
}

/* Bytecode, or text of the assembler: a program without an object around it. */
static int verify_bytecode(struct verifier *v, const char *path)
{
	_cleanup_(vm_source_done) struct vm_source source = {0};
	const char *slash = strrchr(path, '/');
	struct verify_subject subject = {.file = path, .program = slash ? slash + 1 : path, .section = ""};
	enum picket_kind kind = v->options.kind;
	int r = vm_source_read(path, NULL, &source);
	if (r != CLI_OK) {
		v->unreadable++;
		return CLI_OK;
	}
	subject.insns = source.insns;
	subject.insn_count = source.insn_count;
	v->found = true;
	v->look.name_max = 0;
	if (kind == PICKET_KIND_AUTO)
		v->options.kind = PICKET_KIND_MEMORY;
	r = verify_program(v, NULL, 0, &subject);
	v->options.kind = kind;
	return r;
}

static int verify_file(struct verifier *v, const struct verify_file *file)
{
	_cleanup_(buf_done) struct buf bytes;
	int r = vm_file_read(file->path, &bytes);
	if (r != CLI_OK) {
		v->unreadable++;
		return CLI_OK;
	}
	if (file->found && !verify_is_bpf(buf_str(&bytes))) {
		v->skipped++;
		return CLI_OK;
	}
	if (!file->found && !verify_is_elf(buf_str(&bytes)))
		return verify_bytecode(v, file->path);
	return verify_object(v, file->path, buf_str(&bytes));
}

/* ---- all ---- */

static size_t verified(const struct verifier *v)
{
	return v->accepted + v->rejected;
}

static int verify_files(struct verifier *v, const struct verify_files *files)
{
	int r = CLI_OK;
	v->look.many = files->count > 1;
	progress_start(ui_color(v->args, STDERR_FILENO), "programs");
	for (size_t i = 0; r == CLI_OK && i < files->count; i++) {
		r = verify_file(v, &files->items[i]);
		progress_update(i + 1, files->count, verified(v));
	}
	progress_end();
	return r;
}

static void print_summary(const struct verifier *v)
{
	if (v->json || verified(v) + v->unreadable + v->skipped < 2)
		return;
	printf("%zu accepted, %zu rejected", v->accepted, v->rejected);
	if (v->unreadable > 0)
		printf(", %zu not readable", v->unreadable);
	if (v->skipped > 0)
		printf(", %zu skipped, which are not for eBPF", v->skipped);
	putchar('\n');
}

static int judge(const struct verifier *v)
{
	const char *only = args_get(v->args, "program");
	if (only && !v->found) {
		log_error("there is no program \"%s\"", only);
		return CLI_BAD;
	}
	if (verified(v) == 0 && v->unreadable == 0) {
		log_error("there is no program to verify");
		return CLI_BAD;
	}
	return v->rejected + v->unreadable > 0 ? CLI_BAD : CLI_OK;
}

static int types_of_file(struct verifier *v, const char *path)
{
	struct picket_error error = {0};
	int r = file_read(path, &v->btf);
	if (r == 0)
		r = picket_types_open(v->btf.data, v->btf.length, &v->options.types, &error);
	if (r < 0)
		log_error("%s: %s", path, error.text[0] ? error.text : strerror(-r));
	return r < 0 ? CLI_BAD : CLI_OK;
}

/* Those of --btf, or this kernel's, if it shows them. */
static int types_read(struct verifier *v)
{
	const char *path = args_get(v->args, "btf");
	if (path)
		return types_of_file(v, path);
	int r = picket_types_open_running(&v->options.types, NULL);
	if (r < 0)
		log_info("this kernel's types: %s; verifying without them", strerror(-r));
	return CLI_OK;
}

static void verifier_done(struct verifier *v)
{
	picket_types_free(v->options.types);
	buf_done(&v->btf);
}

static int verifier_init(struct verifier *v, const struct args *args)
{
	*v = (struct verifier){.args = args, .json = args_has(args, "json")};
	buf_init(&v->btf, BTF_BYTES_MAX);
	rule_object_helpers(v->helpers);
	v->options.helpers = v->helpers;
	v->options.helper_count = ARRAY_SIZE(v->helpers);
	v->options.example = true;
	v->look.color = ui_color(args, STDOUT_FILENO);
	v->look.verbose = args_has(args, "verbose");
	v->look.width = ui_width(STDOUT_FILENO);
	if (v->json && args_has(args, "trace")) {
		log_error("--trace is text; leave out --json");
		return CLI_USAGE;
	}
	int r = verify_kind_option(args, &v->options.kind);
	return r == CLI_OK ? types_read(v) : r;
}

int command_verify(const struct args *args)
{
	_cleanup_(verify_files_done) struct verify_files files = {0};
	_cleanup_(verifier_done) struct verifier v;
	int r = verifier_init(&v, args);
	if (r != CLI_OK)
		return r;
	if (args->word_count == 0) {
		log_error("which programs? picket verify FILE.o|DIR…");
		return CLI_USAGE;
	}
	for (size_t i = 0; i < args->word_count; i++) {
		r = verify_files_add(&files, args->words[i]);
		if (r != CLI_OK)
			return r;
	}
	r = verify_files(&v, &files);
	print_summary(&v);
	return r == CLI_OK ? judge(&v) : r;
}
