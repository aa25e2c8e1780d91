/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/map.h"
#include "cli/ui.h"
#include "cli/vm_source.h"
#include "core/log.h"
#include "event/value.h"
#include "rule/rule.h"

#define OUT_BYTES_MAX (1u << 30)
#define INDEX_COLUMN 40
#define NAME_BYTES_MAX 128

/* ---- asm ---- */

/* As "-- raw" of a case has them. */
static void add_words(const struct buf *bytes, struct buf *out)
{
	for (size_t i = 0; i + 8 <= bytes->length; i += 8) {
		uint64_t word = 0;
		for (size_t j = 8; j-- > 0;)
			word = word << 8 | (uint8_t)bytes->data[i + j];
		buf_printf(out, "0x%016" PRIx64 "\n", word);
	}
}

static int write_bytecode(const struct args *args, const struct buf *bytes)
{
	_cleanup_(buf_done) struct buf words;
	const char *path = args_get(args, "output");
	buf_init(&words, OUT_BYTES_MAX);
	if (path && strcmp(path, "-") != 0) {
		int r = file_write_atomic(path, buf_str(bytes), 0644);
		if (r < 0)
			log_error("%s: %s", path, strerror(-r));
		return r < 0 ? CLI_BAD : CLI_OK;
	}
	if (path || !isatty(STDOUT_FILENO))
		return ui_print(bytes);
	add_words(bytes, &words);
	return ui_print(&words);
}

int vm_asm(const struct args *args)
{
	_cleanup_(vm_source_done) struct vm_source source = {0};
	_cleanup_(buf_done) struct buf bytes;
	buf_init(&bytes, OUT_BYTES_MAX);
	if (args->word_count != 2) {
		log_error("which file? picket vm asm FILE");
		return CLI_USAGE;
	}
	int r = vm_source_read(args->words[1], NULL, &source);
	if (r != CLI_OK)
		return r;
	if (source.object) {
		log_error("%s is an object; picket vm disasm shows its instructions", args->words[1]);
		return CLI_BAD;
	}
	vm_insns_to_bytes(source.insns, source.insn_count, &bytes);
	return write_bytecode(args, &bytes);
}

/* ---- disasm: what it writes can be assembled again, unless it is C ---- */

struct listing {
	const struct picket_program *program; /* NULL: no names, no lines */
	const struct picket_insn *insns;
	size_t count;
	bool c, color;
	size_t invalid;
	const char *source_text; /* what was shown last */
	unsigned source_line;
	struct target {
		bool inside; /* the second half of lddw: nothing leads here */
		bool jump, function;
		char *name; /* the function's label; NULL: made of its place */
	} * targets;        /* of each instruction */
	struct buf *out;
};

static void listing_done(struct listing *l)
{
	for (size_t i = 0; l->targets && i < l->count; i++)
		free(l->targets[i].name);
	free(l->targets);
}

/* What has a target and is no jump: call local, and lddw of a function's address. */
static bool leads_to_function(const struct picket_insn *insn)
{
	return insn->code == 0x85 || insn->code == 0x18;
}

/* Where the instruction leads inside of the program. */
static bool target_of(const struct listing *l, size_t insn, size_t *ret_target)
{
	int64_t slots;
	if (!picket_insn_target(&l->insns[insn], &slots))
		return false;
	int64_t target = (int64_t)insn + slots;
	if (target < 0 || target >= (int64_t)l->count || l->targets[target].inside)
		return false;
	*ret_target = (size_t)target;
	return true;
}

static bool is_label(const char *name)
{
	if (!isalpha((unsigned char)name[0]) && name[0] != '_')
		return false;
	if (name[0] == 'r' && isdigit((unsigned char)name[1]))
		return false;
	for (const char *c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && *c != '_' && *c != '.' && *c != '$')
			return false;
	return true;
}

/* Functions get their own names, but for a second one of the same. */
static int name_functions(struct listing *l)
{
	struct map names;
	int r = 0;
	map_init(&names, l->count);
	for (size_t i = 0; r == 0 && l->program && i < l->count; i++) {
		void *old = NULL;
		const char *name = l->targets[i].function ? picket_program_function(l->program, i) : "";
		if (!is_label(name))
			continue;
		r = map_put(&names, str_from(name), l, &old);
		if (r == 0 && !old && !(l->targets[i].name = strdup(name)))
			r = -ENOMEM;
	}
	map_done(&names);
	return r;
}

static size_t insn_slots(const struct listing *l, size_t insn)
{
	char text[PICKET_TEXT_MAX];
	size_t slots = picket_disassemble(&l->insns[insn], l->count - insn, text, sizeof(text));
	return slots ? slots : 1;
}

static int find_targets(struct listing *l)
{
	size_t target;
	l->targets = calloc(l->count, sizeof(*l->targets));
	if (!l->targets)
		return -ENOMEM;
	for (size_t i = 0; i < l->count; i++)
		if (insn_slots(l, i) == 2)
			l->targets[++i].inside = true;
	l->targets[0].function = true;
	for (size_t i = 0; i < l->count; i++) {
		if (l->targets[i].inside || !target_of(l, i, &target))
			continue;
		if (leads_to_function(&l->insns[i]))
			l->targets[target].function = true;
		else
			l->targets[target].jump = true;
	}
	return name_functions(l);
}

/* A dot begins no name of C, so these are nobody's. */
static void label_name(const struct listing *l, size_t insn, char name[NAME_BYTES_MAX])
{
	if (l->targets[insn].name)
		snprintf(name, NAME_BYTES_MAX, "%s", l->targets[insn].name);
	else
		snprintf(name, NAME_BYTES_MAX, l->targets[insn].function ? ".F%zu" : ".L%zu", insn);
}

static void add_label(const struct listing *l, size_t insn)
{
	char name[NAME_BYTES_MAX];
	if (!l->targets[insn].jump && !l->targets[insn].function)
		return;
	label_name(l, insn, name);
	buf_printf(l->out, "%s%s:%s\n", ui_code(l->color, l->targets[insn].function ? UI_BOLD : UI_CYAN), name,
	           ui_code(l->color, UI_RESET));
}

/* Where it is another line than before. */
static void add_source_line(struct listing *l, size_t insn)
{
	const char *file, *text;
	unsigned line, column;
	if (!l->program || !picket_program_line(l->program, insn, &file, &line, &column, &text) ||
	    (line == l->source_line && text == l->source_text))
		return;
	l->source_line = line;
	l->source_text = text;
	buf_printf(l->out, "%s; ", ui_code(l->color, UI_DIM));
	value_add_printable(str_from(file), 0, l->out);
	buf_printf(l->out, ":%u: ", line);
	value_add_printable(str_trim(str_from(text)), 0, l->out);
	buf_printf(l->out, "%s\n", ui_code(l->color, UI_RESET));
}

/* The map that an instruction names by its index. */
static void add_map_name(const struct listing *l, size_t insn)
{
	const struct picket_insn *i = &l->insns[insn];
	const struct picket_map *map = NULL;
	if (l->program && i->code == 0x18 && (i->src == 5 || i->src == 6))
		map = picket_program_map(l->program, (uint32_t)i->imm);
	if (!map)
		return;
	buf_add_text(l->out, ": ");
	value_add_printable(str_from(picket_map_spec(map)->name), 0, l->out);
}

/* One instruction: text, and behind it, where the assembler sees a comment, its index and its map. Returns its slots. */
static size_t add_insn(struct listing *l, size_t insn)
{
	char text[PICKET_TEXT_MAX + NAME_BYTES_MAX];
	size_t target, slots = (l->c ? picket_disassemble_c : picket_disassemble)(&l->insns[insn], l->count - insn,
	                                                                          text, PICKET_TEXT_MAX);
	if (!slots) {
		buf_printf(l->out, "%s\t# %s%s", ui_code(l->color, UI_RED), text, ui_code(l->color, UI_RESET));
		buf_printf(l->out, ", at %zu\n", insn);
		l->invalid++;
		return 1;
	}
	char *distance = strrchr(text, ' ');
	if (distance && target_of(l, insn, &target))
		label_name(l, target, distance + 1);
	buf_printf(l->out, "\t%-*s %s# %zu", INDEX_COLUMN, text, ui_code(l->color, UI_DIM), insn);
	add_map_name(l, insn);
	buf_printf(l->out, "%s\n", ui_code(l->color, UI_RESET));
	return slots;
}

static int list(struct listing *l)
{
	int r = find_targets(l);
	if (r < 0) {
		log_error("%s", strerror(-r));
		return CLI_BAD;
	}
	for (size_t i = 0; i < l->count;) {
		add_label(l, i);
		add_source_line(l, i);
		i += add_insn(l, i);
	}
	return l->invalid > 0 ? CLI_BAD : CLI_OK;
}

static int list_program(const struct args *args, const struct picket_program *p, struct buf *out)
{
	_cleanup_(listing_done) struct listing l = {
	        .program = p,
	        .c = args_has(args, "c"),
	        .color = ui_color(args, STDOUT_FILENO),
	        .out = out,
	};
	l.insns = picket_program_insns(p, &l.count);
	return list(&l);
}

static int list_object(const struct args *args, const struct picket_object *o, const char *path, struct buf *out)
{
	bool color = ui_color(args, STDOUT_FILENO);
	struct picket_program *only = NULL;
	int r = args_has(args, "program") ? vm_object_choose(o, args, path, &only) : CLI_OK;
	for (size_t i = 0; r == CLI_OK && i < picket_object_program_count(o); i++) {
		const struct picket_program *p = picket_object_program_at(o, i);
		if (only && p != only)
			continue;
		buf_printf(out, "%s%s# program ", out->length > 0 ? "\n" : "", ui_code(color, UI_GREEN));
		value_add_printable(str_from(picket_program_name(p)), 0, out);
		buf_add_text(out, ", section ");
		value_add_printable(str_from(picket_object_section_of(o, p)), 0, out);
		buf_printf(out, "%s\n", ui_code(color, UI_RESET));
		r = list_program(args, p, out);
	}
	return r;
}

int vm_disasm(const struct args *args)
{
	_cleanup_(vm_source_done) struct vm_source source = {0};
	_cleanup_(buf_done) struct buf out;
	buf_init(&out, OUT_BYTES_MAX);
	if (args->word_count != 2) {
		log_error("which file? picket vm disasm FILE");
		return CLI_USAGE;
	}
	/* Nothing is run: objects of rules are to be seen, too. */
	struct picket_helper helpers[RULE_HELPERS];
	rule_object_helpers(helpers);
	int r = vm_source_read(args->words[1],
	                       &(struct picket_options){.helpers = helpers, .helper_count = ARRAY_SIZE(helpers)},
	                       &source),
	    printed;
	if (r != CLI_OK)
		return r;
	if (source.object) {
		r = list_object(args, source.object, args->words[1], &out);
	} else {
		_cleanup_(listing_done) struct listing l = {
		        .insns = source.insns,
		        .count = source.insn_count,
		        .c = args_has(args, "c"),
		        .color = ui_color(args, STDOUT_FILENO),
		        .out = &out,
		};
		r = list(&l);
	}
	printed = ui_print(&out);
	return r == CLI_OK ? printed : r;
}
