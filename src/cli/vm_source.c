/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/vm_source.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/file.h"
#include "core/log.h"

#define SHOWN_BYTES_MAX 4096

void vm_program_freep(struct picket_program **p)
{
	picket_program_free(*p);
}

int vm_tell_error(const char *path, int err, const struct picket_error *error)
{
	_cleanup_(buf_done) struct buf place;
	buf_init(&place, SHOWN_BYTES_MAX);
	if (error->line && !error->file[0])
		buf_printf(&place, "%s:%u:%u: ", path, error->line, error->column);
	else
		buf_printf(&place, "%s: ", path);
	if (error->section[0])
		buf_printf(&place, "section %s, offset 0x%" PRIx64 ": ", error->section, error->offset);
	else if (!error->line && error->offset)
		buf_printf(&place, "offset 0x%" PRIx64 ": ", error->offset);
	if (error->file[0])
		buf_printf(&place, "%s:%u:%u: ", error->file, error->line, error->column);
	log_error("%s%s", place.data ? place.data : "", error->text[0] ? error->text : strerror(-err));
	return err == -EOPNOTSUPP ? CLI_IMPOSSIBLE : CLI_BAD;
}

int vm_file_read(const char *path, struct buf *ret_bytes)
{
	buf_init(ret_bytes, VM_FILE_BYTES_MAX);
	int r = file_read(path, ret_bytes);
	if (r == -EFBIG)
		log_error("%s: more than %u bytes", path, VM_FILE_BYTES_MAX);
	else if (r < 0)
		log_error("%s: %s", path, strerror(-r));
	return r < 0 ? CLI_BAD : CLI_OK;
}

/* ---- engines ---- */

static bool can_compile(void)
{
	static const struct picket_insn insns[] = {{.code = 0xb7}, {.code = 0x95}}; /* r0 = 0; exit */
	_cleanup_(vm_program_freep) struct picket_program *p = NULL;
	return picket_program_load(insns, ARRAY_SIZE(insns), &(struct picket_options){.engine = PICKET_CHECKED}, &p,
	                           NULL) != -EOPNOTSUPP;
}

int vm_engine_get(const struct args *args, enum picket_engine *ret_engine)
{
	static const struct {
		const char *option;
		enum picket_engine engine;
	} engines[] = {{"interpret", PICKET_INTERPRETER}, {"checked", PICKET_CHECKED}, {"jit", PICKET_VERIFIED}};
	size_t given = 0;
	for (size_t i = 0; i < ARRAY_SIZE(engines); i++) {
		if (!args_has(args, engines[i].option))
			continue;
		*ret_engine = engines[i].engine;
		given++;
	}
	if (given > 1) {
		log_error("one of --interpret, --checked and --jit, not several");
		return CLI_USAGE;
	}
	if (given == 0)
		*ret_engine = can_compile() ? PICKET_CHECKED : PICKET_INTERPRETER;
	return CLI_OK;
}

/* ---- files ---- */

static int read_case(const char *path, struct str text, struct vm_source *s)
{
	_cleanup_(vm_case_done) struct vm_case c = {0};
	struct picket_error error = {0};
	int r = vm_case_parse(text, &c, &error);
	if (r < 0)
		return vm_tell_error(path, r, &error);
	if (!c.insns)
		return vm_tell_error(path, -EINVAL, &c.refused);
	s->insns = TAKE_PTR(c.insns);
	s->insn_count = c.insn_count;
	s->memory = c.memory;
	buf_init(&c.memory, 0);
	return CLI_OK;
}

static int read_text(const char *path, struct str text, struct vm_source *s)
{
	struct picket_error error = {0};
	int r = picket_assemble(text.data, text.length, &s->insns, &s->insn_count, &error);
	return r < 0 ? vm_tell_error(path, r, &error) : CLI_OK;
}

static int read_bytecode(const char *path, struct str bytes, struct vm_source *s)
{
	int r = vm_insns_from_bytes(bytes, &s->insns, &s->insn_count);
	if (r == -EINVAL)
		log_error("%s: %zu bytes are no whole number of instructions, which have 8", path, bytes.length);
	else if (r < 0)
		log_error("%s: %s", path, strerror(-r));
	return r < 0 ? CLI_BAD : CLI_OK;
}

int vm_source_read(const char *path, const struct picket_options *options, struct vm_source *ret_source)
{
	_cleanup_(buf_done) struct buf bytes;
	struct vm_source source = {0};
	struct picket_error error = {0};
	int r = vm_file_read(path, &bytes);
	if (r != CLI_OK)
		return r;
	struct str content = buf_str(&bytes);
	bool is_text = !content.length || !memchr(content.data, '\0', content.length);
	if (str_starts_with(content, STR("\177ELF"))) {
		r = picket_object_open(content.data, content.length, options, &source.object, &error);
		r = r < 0 ? vm_tell_error(path, r, &error) : CLI_OK;
	} else if (is_text && vm_case_is_like(content)) {
		r = read_case(path, content, &source);
	} else {
		r = is_text ? read_text(path, content, &source) : read_bytecode(path, content, &source);
	}
	if (r == CLI_OK)
		*ret_source = source;
	return r;
}

void vm_source_done(struct vm_source *s)
{
	picket_object_free(s->object);
	free(s->insns);
	buf_done(&s->memory);
	*s = (struct vm_source){0};
}

/* ---- the programs of an object ---- */

static void add_program_names(const struct picket_object *o, struct buf *out)
{
	for (size_t i = 0; i < picket_object_program_count(o); i++)
		buf_printf(out, "%s%s", i > 0 ? ", " : "", picket_program_name(picket_object_program_at(o, i)));
}

int vm_object_choose(const struct picket_object *o, const struct args *args, const char *path,
                     struct picket_program **ret_program)
{
	_cleanup_(buf_done) struct buf names;
	const char *name = args_get(args, "program");
	struct picket_program *p = NULL;
	buf_init(&names, SHOWN_BYTES_MAX);
	if (name)
		p = picket_object_program(o, name);
	else if (picket_object_program_count(o) == 1)
		p = picket_object_program_at(o, 0);
	if (p) {
		*ret_program = p;
		return CLI_OK;
	}
	add_program_names(o, &names);
	if (picket_object_program_count(o) == 0)
		log_error("%s has no programs", path);
	else if (name)
		log_error("%s has no program \"%s\"; it has %s", path, name, names.data);
	else
		log_error("%s has several programs; choose by --program: %s", path, names.data);
	return name || picket_object_program_count(o) == 0 ? CLI_BAD : CLI_USAGE;
}
