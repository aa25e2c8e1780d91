/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>

#include "vm/elf_int.h"
#include "vm/object_int.h"

#define SLOT sizeof(struct picket_insn)
#define CALL (BPF_JMP | BPF_CALL)
#define CALL_REGISTER (BPF_JMP | BPF_CALL | BPF_X)
#define LDDW (BPF_LD | BPF_IMM | BPF_DW)
#define REGISTER_FRAME 10

struct object_loader {
	struct picket_object *object;
	struct picket_options options; /* maps: of the program that is being loaded */
	struct picket_error *reterr;
};

/* ---- what is declared only ---- */
static const struct picket_helper *find_helper(const struct picket_options *options, const char *name)
{
	for (size_t i = 0; i < options->helper_count; i++)
		if (options->helpers[i].name && strcmp(options->helpers[i].name, name) == 0)
			return &options->helpers[i];
	return NULL;
}

static int find_extern(const struct object_loader *l, const struct vm_image_extern *e, uint32_t *ret_helper)
{
	const struct picket_helper *helper = find_helper(&l->options, e->name);

	if (helper || e->weak) {
		*ret_helper = helper ? helper->id : VM_OBJECT_ABSENT;
		return 0;
	}
	if (e->declared)
		return vm_elf_error(l->reterr, e->section, e->offset,
		                    "%.64s needs %.64s of the kernel, which user space does not have", e->who, e->name);
	return vm_elf_error(l->reterr, e->section, e->offset,
	                    "%.64s needs %.64s, which is not defined, and no helper has that name", e->who, e->name);
}

static int find_externs(const struct object_loader *l)
{
	struct picket_object *o = l->object;
	const struct vm_image_extern *config = &o->image->config;
	int r = 0;

	if (config->name)
		return vm_elf_error(l->reterr, config->section, config->offset,
		                    "%.64s needs the kernel's configuration %.64s, which user space does not have",
		                    config->who, config->name);
	o->helpers = calloc(o->image->extern_count + 1, sizeof(*o->helpers));
	if (!o->helpers)
		return -ENOMEM;
	for (size_t i = 0; !r && i < o->image->extern_count; i++)
		r = find_extern(l, &o->image->externs[i], &o->helpers[i]);
	return r;
}

/* ---- from the image's instructions to those of one program ---- */
struct program_maps {
	struct picket_map *maps[VM_OBJECT_MAPS_MAX];
	size_t count;
	uint16_t index[VM_OBJECT_MAPS_MAX]; /* of the image's maps, in maps */
};

static void number_maps(const struct picket_object *o, const struct vm_map_set *set, struct program_maps *m)
{
	m->count = 0;
	for (uint32_t i = 0; i < o->map_count; i++) {
		if (!vm_map_set_has(set, i))
			continue;
		m->index[i] = (uint16_t)m->count;
		m->maps[m->count++] = o->maps[i];
	}
}

static void place_call(const struct picket_object *o, struct picket_insn *insn)
{
	uint32_t helper;

	if (insn->src != VM_SOURCE_KERNEL_FUNCTION)
		return;
	helper = o->helpers[insn->imm];
	if (helper == VM_OBJECT_ABSENT) /* whoever gets here calls something that is no function, and faults */
		*insn = (struct picket_insn){.code = CALL_REGISTER, .dst = REGISTER_FRAME};
	else
		*insn = (struct picket_insn){
		        .code = CALL, .dst = insn->dst, .offset = insn->offset, .imm = (int32_t)helper};
}

static void place_address(const struct picket_object *o, const struct program_maps *m, struct picket_insn *insn)
{
	switch (insn->src) {
	case VM_SOURCE_MAP:
	case VM_SOURCE_MAP_VALUE:
		insn->imm = m->index[insn->imm];
		break;
	case VM_SOURCE_KERNEL_VARIABLE:
		insn->src = 0;
		insn->imm = (int32_t)o->helpers[insn->imm];
		break;
	default:
		break;
	}
}

static void place_insns(const struct picket_object *o, const struct program_maps *m, struct vm_image_program *p)
{
	for (size_t slot = 0; slot < p->insn_count; slot++) {
		struct picket_insn *insn = &p->insns[slot];

		if (insn->code == CALL)
			place_call(o, insn);
		if (insn->code == LDDW) {
			place_address(o, m, insn);
			slot++;
		}
	}
}

/* Says where in the object the program was not accepted: error->offset counts from the program's beginning. */
static int explain(const struct object_loader *l, int r, const struct picket_error *error,
                   const struct vm_image_program *p)
{
	uint64_t slot = error->offset / SLOT;
	const struct vm_debug_function *f = vm_debug_function(p->debug, (size_t)slot);
	struct vm_source_line line;

	if (r == -ENOMEM || !l->reterr)
		return r;
	vm_elf_error(l->reterr, f->section, (f->start + slot - f->insn) * SLOT, "program %.64s: %s", p->name,
	             error->text);
	if (vm_debug_line(p->debug, (size_t)slot, &line)) {
		vm_elf_printable(l->reterr->file, sizeof(l->reterr->file), line.file);
		l->reterr->line = line.line;
		l->reterr->column = line.column;
	}
	return r == -EOPNOTSUPP ? r : -EINVAL;
}

static int load_program(struct object_loader *l, struct vm_image_program *p, struct picket_program **ret_program)
{
	struct picket_program *program = NULL;
	struct picket_error error = {0};
	struct program_maps maps;
	int r;

	number_maps(l->object, &p->maps, &maps);
	place_insns(l->object, &maps, p);
	l->options.maps = maps.maps;
	l->options.map_count = maps.count;
	r = picket_program_load(p->insns, p->insn_count, &l->options, &program, &error);
	if (r)
		return explain(l, r, &error, p);
	snprintf(program->name, sizeof(program->name), "%s", p->name);
	*ret_program = vm_program_ref_debug(program, TAKE_PTR(p->debug));
	return 0;
}

static int load(struct object_loader *l)
{
	struct picket_object *o = l->object;
	struct picket_image *i = o->image;
	int r = find_externs(l);

	if (!r)
		r = vm_object_make_maps(o, l->reterr);
	if (r)
		return r;
	o->programs = calloc(i->program_count + 1, sizeof(struct picket_program *));
	if (!o->programs)
		return -ENOMEM;
	for (size_t k = 0; !r && k < i->program_count; k++)
		r = load_program(l, &i->programs[k], &o->programs[k]);
	if (!r)
		r = vm_object_fill_maps(o, l->reterr);
	vm_image_drop_content(i);
	return r;
}

/* ---- opening ---- */
int picket_object_open(const void *bytes, size_t length, const struct picket_options *options,
                       struct picket_object **ret_object, struct picket_error *reterr)
{
	struct picket_object *o = calloc(1, sizeof(*o));
	struct object_loader l = {.object = o, .reterr = reterr};
	int r = -ENOMEM;

	if (!o)
		goto out;
	if (options)
		l.options = *options;
	r = picket_image_open(bytes, length, &o->image, reterr);
	if (!r)
		r = load(&l);
	if (!r)
		*ret_object = TAKE_PTR(o);
out:
	if (r == -ENOMEM)
		vm_error(reterr, r, 0, "not enough memory");
	picket_object_free(o);
	return r;
}

int picket_object_open_file(const char *path, const struct picket_options *options, struct picket_object **ret_object,
                            struct picket_error *reterr)
{
	_cleanup_(buf_done) struct buf bytes;
	int r = vm_object_read_file(path, &bytes, reterr);

	return r ? r : picket_object_open(bytes.data, bytes.length, options, ret_object, reterr);
}

void picket_object_free(struct picket_object *o)
{
	if (!o)
		return;
	vm_object_empty_maps(o);
	for (size_t i = 0; o->programs && i < o->image->program_count; i++)
		picket_program_free(o->programs[i]);
	for (size_t i = 0; i < o->map_count; i++)
		picket_map_free(o->maps[i]);
	picket_image_free(o->image);
	free(o->programs);
	free(o->helpers);
	free(o);
}

/* ---- what is in it ---- */
size_t picket_object_program_count(const struct picket_object *o)
{
	return o->image->program_count;
}

struct picket_program *picket_object_program_at(const struct picket_object *o, size_t index)
{
	return index < o->image->program_count ? o->programs[index] : NULL;
}

struct picket_program *picket_object_program(const struct picket_object *o, const char *name)
{
	for (size_t i = 0; i < o->image->program_count; i++)
		if (strcmp(o->image->programs[i].name, name) == 0)
			return o->programs[i];
	return NULL;
}

const char *picket_object_section_of(const struct picket_object *o, const struct picket_program *p)
{
	for (size_t i = 0; i < o->image->program_count; i++)
		if (o->programs[i] == p)
			return o->image->programs[i].section;
	return NULL;
}

const char *picket_object_license(const struct picket_object *o)
{
	return o->image->license;
}

size_t picket_object_map_count(const struct picket_object *o)
{
	return o->map_count;
}

struct picket_map *picket_object_map_at(const struct picket_object *o, size_t index)
{
	return index < o->map_count ? o->maps[index] : NULL;
}

struct picket_map *picket_object_map(const struct picket_object *o, const char *name)
{
	for (size_t i = 0; i < o->map_count; i++)
		if (strcmp(o->image->maps[i].name, name) == 0)
			return o->maps[i];
	return NULL;
}
