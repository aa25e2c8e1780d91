/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/ui.h"
#include "cli/vm_source.h"
#include "core/log.h"
#include "event/value.h"

#define REGISTERS 11
#define TEXT_COLUMNS 36

/* ---- --trace ---- */

/* The instruction that is being run is shown when the registers behind it are known. */
struct tracer {
	const struct picket_program *program; /* NULL: none is being run */
	size_t insn;
	uint64_t registers[REGISTERS]; /* before it */
	bool color;
};

static void insn_text(const struct picket_program *p, size_t insn, char text[PICKET_TEXT_MAX])
{
	size_t count;
	const struct picket_insn *insns = picket_program_insns(p, &count);
	picket_disassemble(insns + insn, count - insn, text, PICKET_TEXT_MAX);
}

/* registers: behind it; NULL: it failed. */
static void tracer_show(const struct tracer *t, const uint64_t *registers)
{
	char text[PICKET_TEXT_MAX];
	bool any = false;
	insn_text(t->program, t->insn, text);
	printf("%s%6zu%s  ", ui_code(t->color, UI_DIM), t->insn, ui_code(t->color, UI_RESET));
	for (unsigned i = 0; registers && i < REGISTERS; i++) {
		if (registers[i] == t->registers[i])
			continue;
		if (!any)
			printf("%-*s", TEXT_COLUMNS, text);
		printf(" %s%%r%u = 0x%" PRIx64 "%s", ui_code(t->color, UI_CYAN), i, registers[i],
		       ui_code(t->color, UI_RESET));
		any = true;
	}
	puts(any ? "" : text);
}

static void tracer_step(const struct picket_program *p, size_t insn, const uint64_t registers[REGISTERS], void *user)
{
	struct tracer *t = user;
	if (t->program)
		tracer_show(t, registers);
	t->program = insn == SIZE_MAX ? NULL : p;
	t->insn = insn;
	memcpy(t->registers, registers, sizeof(t->registers));
}

/* ---- faults ---- */

static void add_what_happened(const struct picket_fault *f, struct buf *out)
{
	buf_add_text(out, picket_fault_name(f->kind));
	switch (f->kind) {
	case PICKET_FAULT_READ:
	case PICKET_FAULT_WRITE:
		buf_printf(out, " of %" PRIu32 " byte%s at 0x%" PRIx64, f->size, f->size == 1 ? "" : "s", f->address);
		break;
	case PICKET_FAULT_ARGUMENT:
		buf_printf(out, ": argument %" PRIu64, f->address);
		break;
	case PICKET_FAULT_CALL:
	case PICKET_FAULT_HELPER:
		buf_printf(out, ": 0x%" PRIx64, f->address);
		break;
	default:
		break;
	}
}

static void add_where(const struct picket_fault *f, struct buf *out)
{
	const char *file, *source, *function = picket_program_function(f->program, f->insn);
	char text[PICKET_TEXT_MAX];
	unsigned line, column;
	insn_text(f->program, f->insn, text);
	buf_printf(out, "  at instruction %" PRIu32, f->insn);
	if (function[0]) {
		buf_add_text(out, " in ");
		value_add_printable(str_from(function), 0, out);
	}
	buf_printf(out, ": %s\n", text);
	if (!picket_program_line(f->program, f->insn, &file, &line, &column, &source))
		return;
	buf_add_text(out, "  ");
	value_add_printable(str_from(file), 0, out);
	buf_printf(out, ":%u:%u: ", line, column);
	value_add_printable(str_trim(str_from(source)), 0, out);
	buf_add_char(out, '\n');
}

static void show_fault(const struct picket_fault *f)
{
	_cleanup_(buf_done) struct buf what, where;
	buf_init(&what, 4096);
	buf_init(&where, 4096);
	add_what_happened(f, &what);
	if (f->program)
		add_where(f, &where);
	for (unsigned i = 0; i < REGISTERS; i++) {
		bool last = i % 4 == 3 || i == REGISTERS - 1;
		buf_printf(&where, "  %sr%u 0x%-*" PRIx64 "%s", i < 10 ? " " : "", i, last ? 0 : 16, f->registers[i],
		           last ? "\n" : "");
	}
	log_error("%s", what.data ? what.data : "");
	fputs(where.data ? where.data : "", stderr);
}

/* ---- the run ---- */

static int options_get(const struct args *args, struct picket_options *ret_options)
{
	struct picket_options options = {.plain = args_has(args, "trace") || args_has(args, "count")};
	int r = vm_engine_get(args, &options.engine);
	if (r != CLI_OK)
		return r;
	if (options.plain && (args_has(args, "jit") || args_has(args, "checked"))) {
		log_error("--trace and --count are the interpreter's; leave out --jit and --checked");
		return CLI_USAGE;
	}
	if (options.plain)
		options.engine = PICKET_INTERPRETER;
	*ret_options = options;
	return CLI_OK;
}

static int run_program(const struct args *args, const struct picket_program *p, struct buf *memory)
{
	struct tracer tracer = {.color = ui_color(args, STDOUT_FILENO)};
	struct picket_call call = {.data = memory->data, .length = memory->length};
	if (args_has(args, "trace")) {
		call.trace = tracer_step;
		call.user = &tracer;
	}
	int r = picket_program_run(p, &call);
	if (tracer.program)
		tracer_show(&tracer, NULL);
	if (r == 0)
		printf("0x%" PRIx64 "\n", call.result);
	fflush(stdout);
	if (r == -EFAULT)
		show_fault(&call.fault);
	else if (r < 0)
		log_error("%s", strerror(-r));
	if (args_has(args, "count"))
		fprintf(stderr, "%" PRIu64 " instructions\n", call.executed);
	return r < 0 ? CLI_BAD : CLI_OK;
}

static int load_program(const char *path, const struct vm_source *source, const struct picket_options *options,
                        struct picket_program **ret_program)
{
	struct picket_error error = {0};
	int r = picket_program_load(source->insns, source->insn_count, options, ret_program, &error);
	return r < 0 ? vm_tell_error(path, r, &error) : CLI_OK;
}

int vm_run(const struct args *args)
{
	_cleanup_(vm_source_done) struct vm_source source = {0};
	_cleanup_(vm_program_freep) struct picket_program *loaded = NULL;
	struct picket_program *p = NULL;
	struct picket_options options;
	if (args->word_count != 2) {
		log_error("which program? picket vm run FILE");
		return CLI_USAGE;
	}
	const char *path = args->words[1], *memory = args_get(args, "mem");
	int r = options_get(args, &options);
	if (r == CLI_OK)
		r = vm_source_read(path, &options, &source);
	if (r == CLI_OK && memory) {
		buf_done(&source.memory);
		r = vm_file_read(memory, &source.memory);
	}
	if (r != CLI_OK)
		return r;
	if (source.object)
		r = vm_object_choose(source.object, args, path, &p);
	else
		r = load_program(path, &source, &options, &loaded);
	return r == CLI_OK ? run_program(args, loaded ? loaded : p, &source.memory) : r;
}
