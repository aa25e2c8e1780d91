/* SPDX-License-Identifier: Apache-2.0
 *
 * Programs of an object: with its maps, relocated against a kernel's types.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/file.h"
#include "verify/table_int.h"
#include "verify/types_int.h"
#include "vm/image.h"

#define RUNNING_KERNEL "/sys/kernel/btf/vmlinux"
#define KERNEL_TYPES_MAX (64 << 20) /* bytes */

/* ---- a kernel's types ---- */

/* Each half is read when it is first asked for. */
struct picket_types {
	struct buf running; /* the bytes, if nobody lent them */
	const void *btf;
	size_t length;
	struct verify_types *types;
	struct vm_kernel_types *relocation;
};

int picket_types_open(const void *btf, size_t length, struct picket_types **ret_types, struct picket_error *reterr)
{
	struct picket_types *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	t->btf = btf;
	t->length = length;
	r = verify_types_open(btf, length, &t->types, reterr);
	if (r)
		picket_types_free(t);
	else
		*ret_types = t;
	return r;
}

int picket_types_open_running(struct picket_types **ret_types, struct picket_error *reterr)
{
	struct picket_types *t;
	struct buf bytes;
	int r;

	buf_init(&bytes, KERNEL_TYPES_MAX);
	r = file_read(RUNNING_KERNEL, &bytes);
	if (r)
		vm_error(reterr, r, 0, "%s cannot be read", RUNNING_KERNEL);
	else
		r = picket_types_open(bytes.data, bytes.length, &t, reterr);
	if (r) {
		buf_done(&bytes);
		return r;
	}
	t->running = bytes;
	*ret_types = t;
	return 0;
}

void picket_types_free(struct picket_types *t)
{
	if (!t)
		return;
	verify_types_free(t->types);
	vm_kernel_types_free(t->relocation);
	buf_done(&t->running);
	free(t);
}

struct verify_types *verify_types_of(struct picket_types *t)
{
	return t->types;
}

static int relocate(struct picket_types *t, const struct picket_image *image, size_t program, struct picket_insn *insns,
                    struct picket_error *reterr)
{
	int r = 0;

	if (!t->relocation)
		r = vm_kernel_types_open(t->btf, t->length, &t->relocation, reterr);
	return r ? r : vm_image_relocate_program(image, program, t->relocation, insns, reterr);
}

/* ---- a program ---- */

#define LDDW 0x18
#define SOURCE_VARIABLE 3 /* of lddw: a kernel's variable */

/* Kernel variables have no address yet: symbols[] says where one is loaded, which is otherwise a number. */
static void take_symbols(struct picket_insn *insns, bool *symbols, size_t count)
{
	for (size_t i = 0; i + 1 < count; i++) {
		if (insns[i].code != LDDW)
			continue;
		if (insns[i].src == SOURCE_VARIABLE) {
			symbols[i] = true;
			insns[i].src = 0; /* imm stays its index */
			insns[i + 1].imm = 0;
		}
		i++;
	}
}

/* ---- what the kernel is to have ---- */

/* How an object declares it: the type of a variable, or of a function; kind BTF_KIND_UNKN: not at all. */
static struct vm_btf_type declaration(const struct vm_btf *b, const char *name)
{
	for (uint32_t id = 1; id <= b->type_count; id++) {
		struct vm_btf_type t = vm_btf_type(b, id);
		if ((t.kind == BTF_KIND_VAR || t.kind == BTF_KIND_FUNC) && !strcmp(t.name, name))
			return t;
	}
	return (struct vm_btf_type){.kind = BTF_KIND_UNKN};
}

static enum verify_symbol symbol_classify(const struct verify *v, uint32_t index)
{
	const struct picket_image *image = v->program->image;
	const char *name = picket_image_kernel_name(image, index);
	struct vm_btf_type t = declaration(&image->btf, name);
	struct verify_type_variable variable;
	bool known, there = verify_types_function(v->types, name, &known);

	if (t.kind == BTF_KIND_VAR && vm_btf_plain_type(&image->btf, t.type).kind == BTF_KIND_UNKN)
		return picket_image_kernel_weak(image, index) ? SYMBOL_NUMBER : SYMBOL_ADDRESS;
	if (!known || t.kind == BTF_KIND_UNKN)
		return SYMBOL_UNKNOWN;
	if (t.kind == BTF_KIND_VAR)
		there = verify_types_variable(v->types, name, &variable);
	if (!there && picket_image_kernel_weak(image, index))
		return SYMBOL_MISSING;
	return t.kind == BTF_KIND_VAR ? SYMBOL_VARIABLE : SYMBOL_FUNCTION;
}

enum verify_symbol verify_symbol_find(struct verify *v, uint32_t index)
{
	if (index >= picket_image_kernel_count(v->program->image))
		return SYMBOL_UNKNOWN;
	if (!v->symbols)
		v->symbols = calloc(picket_image_kernel_count(v->program->image), sizeof(*v->symbols));
	if (!v->symbols)
		return SYMBOL_UNKNOWN;
	if (!v->symbols[index])
		v->symbols[index] = (uint8_t)symbol_classify(v, index);
	return (enum verify_symbol)v->symbols[index];
}

struct parts {
	struct picket_map_spec *maps;
	struct picket_insn *insns;
	bool *symbols;
};

static void parts_free(struct parts *p)
{
	free(p->maps);
	free(p->insns);
	free(p->symbols);
}

/* ret_parts: parts_free(), also on failure. */
static int take_parts(const struct picket_image *image, struct verify_program *program, struct picket_types *types,
                      struct parts *ret_parts, struct picket_error *reterr)
{
	const struct picket_insn *given = picket_image_insns(image, program->index, &program->count);
	int r = 0;

	program->map_count = picket_image_map_count(image);
	ret_parts->maps = calloc(program->map_count + 1, sizeof(*ret_parts->maps));
	ret_parts->insns = calloc(program->count + 1, sizeof(*ret_parts->insns));
	ret_parts->symbols = calloc(program->count + 1, sizeof(*ret_parts->symbols));
	if (!ret_parts->maps || !ret_parts->insns || !ret_parts->symbols)
		return -ENOMEM;
	memcpy(ret_parts->insns, given, program->count * sizeof(*given));
	if (types && !vm_image_is_relocated(image, program->index))
		r = relocate(types, image, program->index, ret_parts->insns, reterr);
	take_symbols(ret_parts->insns, ret_parts->symbols, program->count);
	for (size_t i = 0; i < program->map_count; i++)
		ret_parts->maps[i] = *picket_image_map(image, i);
	program->insns = ret_parts->insns;
	program->symbols = ret_parts->symbols;
	program->maps = ret_parts->maps;
	return r;
}

/* What the program needs of the kernel, the kernel does not have. */
static int reject_relocation(enum picket_kind kind, const struct picket_error *error,
                             struct picket_verdict **ret_verdict)
{
	struct picket_verdict *verdict = calloc(1, sizeof(*verdict));

	if (!verdict)
		return -ENOMEM;
	verdict->kind = kind;
	verdict->category = PICKET_REJECT_TYPE;
	snprintf(verdict->reason, sizeof(verdict->reason), "%s", error->text);
	snprintf(verdict->hint, sizeof(verdict->hint),
	         "ask with bpf_core_field_exists() and the like first, or give the types of another kernel");
	snprintf(verdict->place.file, sizeof(verdict->place.file), "%s", error->file);
	verdict->place.line = error->line;
	verdict->place.column = error->column;
	verify_clean_texts(verdict);
	*ret_verdict = verdict;
	return 0;
}

static int verify_relocated(const struct picket_image *image, struct verify_program *program,
                            const struct picket_verify_options *options, struct picket_verdict **ret_verdict)
{
	bool sandbox = options->kind == PICKET_KIND_MEMORY; /* its types are as they were compiled */
	struct picket_error error = {0};
	struct parts parts = {0};
	int r = take_parts(image, program, sandbox ? NULL : options->types, &parts, &error);

	if (r == -EINVAL)
		r = reject_relocation(options->kind, &error, ret_verdict);
	else if (!r)
		r = verify_run(program, options, ret_verdict);
	parts_free(&parts);
	return r;
}

int picket_verify(const struct picket_image *image, size_t index, const struct picket_verify_options *options,
                  struct picket_verdict **ret_verdict)
{
	struct verify_program program = {.image = image, .index = index, .license = picket_image_license(image)};
	struct picket_verify_options chosen = {.kind = PICKET_KIND_AUTO};
	struct picket_types *own = NULL;
	const char *section, *hook;
	int r;

	if (index >= picket_image_program_count(image))
		return -EINVAL;
	if (options)
		chosen = *options;
	section = picket_image_section(image, index);
	program.sleeps = verify_section_sleeps(section);
	hook = strrchr(section, '/');
	program.hook = hook ? hook + 1 : "";
	if (chosen.kind == PICKET_KIND_AUTO)
		chosen.kind = picket_kind_by_section(section);
	if (chosen.kind == PICKET_KIND_STRUCT_OPS)
		program.hook = image->programs[index].entry ? image->programs[index].entry : "";
	if (chosen.btf && !chosen.types && !picket_types_open(chosen.btf, chosen.btf_length, &own, NULL))
		chosen.types = own;
	r = verify_relocated(image, &program, &chosen, ret_verdict);
	picket_types_free(own);
	return r;
}
