/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>

#include "vm/object_int.h"

#define SLOT sizeof(struct picket_insn)
#define CALL_REGISTER (BPF_JMP | BPF_CALL | BPF_X)
#define REGISTER_FRAME 10
#define SOURCE_MAP 5
#define SOURCE_MAP_VALUE 6

/* ---- which functions a program consists of, and which maps ---- */
static int take_function(struct vm_loader *l, uint32_t index, size_t *length)
{
	struct vm_function_info *f = &l->functions[index];

	if (f->linked == l->linked)
		return 0;
	if (f->count > PICKET_INSNS_MAX - *length)
		return vm_loader_error(l, f->section, f->start * SLOT,
		                       "program %.64s has more than %u instructions with its subprograms",
		                       l->functions[l->order[0]].name, PICKET_INSNS_MAX);
	f->linked = l->linked;
	f->position = (uint32_t)*length;
	*length += f->count;
	l->order[l->order_count++] = index;
	return 0;
}

/* The function itself, then what it refers to, then what these refer to: each once. */
static int find_parts(struct vm_loader *l, uint32_t function, struct vm_map_set *maps, size_t *ret_length)
{
	size_t length = 0;
	int r;

	l->linked++;
	l->order_count = 0;
	l->order[0] = function;
	r = take_function(l, function, &length);
	for (uint32_t i = 0; !r && i < l->order_count; i++) {
		const struct vm_function_info *f = &l->functions[l->order[i]];

		for (uint32_t k = 0; !r && k < f->link_count; k++) {
			const struct vm_target *t = &l->links[f->first_link + k].target;

			if (t->kind == VM_TARGET_FUNCTION)
				r = take_function(l, t->index, &length);
			else if (t->kind == VM_TARGET_MAP || t->kind == VM_TARGET_VALUE)
				for (size_t w = 0; w < VM_MAP_SET_WORDS; w++)
					maps->words[w] |= l->reach[t->index].words[w];
		}
	}
	if (r)
		return r;
	*ret_length = length;
	return 0;
}

/* ---- its instructions ---- */
struct program_maps {
	struct picket_map *maps[VM_OBJECT_MAPS_MAX];
	size_t count;
	uint16_t index[VM_OBJECT_MAPS_MAX]; /* of the object's maps, in maps */
};

static void number_maps(const struct vm_loader *l, const struct vm_map_set *set, struct program_maps *m)
{
	m->count = 0;
	for (uint32_t i = 0; i < l->object->map_count; i++) {
		if (!(set->words[i / 64] >> i % 64 & 1))
			continue;
		m->index[i] = (uint16_t)m->count;
		m->maps[m->count++] = l->object->maps[i].map;
	}
}

static void patch_call(const struct vm_loader *l, const struct vm_target *t, uint32_t slot, struct picket_insn *insn)
{
	switch (t->kind) {
	case VM_TARGET_FUNCTION:
		insn->src = BPF_PSEUDO_CALL;
		insn->imm = (int32_t)(l->functions[t->index].position - (slot + 1));
		break;
	case VM_TARGET_HELPER:
		insn->src = 0;
		insn->imm = (int32_t)t->index;
		break;
	default: /* absent: whoever gets here calls something that is no function, and faults */
		*insn = (struct picket_insn){.code = CALL_REGISTER, .dst = REGISTER_FRAME};
		break;
	}
}

static void patch_address(const struct vm_loader *l, const struct program_maps *m, const struct vm_target *t,
                          uint32_t slot, struct picket_insn *insn)
{
	insn[0].imm = 0;
	insn[1].imm = 0;
	switch (t->kind) {
	case VM_TARGET_FUNCTION:
		insn[0].src = BPF_PSEUDO_FUNC;
		insn[0].imm = (int32_t)(l->functions[t->index].position - (slot + 1));
		break;
	case VM_TARGET_MAP:
		insn[0].src = SOURCE_MAP;
		insn[0].imm = m->index[t->index];
		break;
	case VM_TARGET_VALUE:
		insn[0].src = SOURCE_MAP_VALUE;
		insn[0].imm = m->index[t->index];
		insn[1].imm = (int32_t)t->offset;
		break;
	case VM_TARGET_HELPER:
		insn[0].imm = (int32_t)t->index;
		break;
	case VM_TARGET_ABSENT:
		break;
	}
}

static void copy_function(const struct vm_loader *l, const struct vm_function_info *f, const struct program_maps *m,
                          struct picket_insn *insns)
{
	const uint8_t *data = vm_loader_section(l, f->section)->data;

	memcpy(insns + f->position, data + f->start * SLOT, f->count * SLOT);
	for (uint32_t i = 0; i < f->link_count; i++) {
		const struct vm_link *link = &l->links[f->first_link + i];
		uint32_t slot = f->position + link->insn;

		if (insns[slot].code == (BPF_JMP | BPF_CALL))
			patch_call(l, &link->target, slot, &insns[slot]);
		else
			patch_address(l, m, &link->target, slot, &insns[slot]);
	}
}

/* ---- what it knows of its source ---- */
/* The first record at or after an offset. */
static uint32_t find_record(const struct vm_btf_info *info, uint64_t offset)
{
	uint32_t low = 0, high = info->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (vm_btf_function(info, middle).offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct record_range {
	uint32_t first, end;
};

static struct record_range function_lines(const struct vm_loader *l, const struct vm_function_info *f)
{
	const struct vm_btf_info *info = &l->sections[f->section].info[VM_BTF_LINES];

	return (struct record_range){find_record(info, f->start * SLOT),
	                             find_record(info, (f->start + f->count) * SLOT)};
}

static void add_lines(const struct vm_loader *l, const struct vm_function_info *f, struct vm_debug *d)
{
	const struct vm_btf_info *info = &l->sections[f->section].info[VM_BTF_LINES];
	struct record_range range = function_lines(l, f);

	for (uint32_t i = range.first; i < range.end; i++) {
		struct vm_btf_line line = vm_btf_line(info, i);

		d->lines[d->line_count++] = (struct vm_debug_line){
		        .insn = f->position + (uint32_t)(line.offset / SLOT - f->start),
		        .file = line.file,
		        .text = line.text,
		        .line_column = line.line_column,
		};
	}
}

static int make_debug(struct vm_loader *l, struct vm_debug **ret_debug)
{
	_cleanup_(base_free_ptr) struct vm_debug_function *functions = calloc(l->order_count, sizeof(*functions));
	struct vm_debug *d = calloc(1, sizeof(*d));
	size_t lines = 0;

	if (!d || !functions)
		goto out;
	for (uint32_t i = 0; i < l->order_count; i++) {
		struct vm_function_info *f = &l->functions[l->order[i]];
		struct record_range range = function_lines(l, f);

		if (!f->kept_name)
			f->kept_name = vm_loader_text(l, f->name);
		if (!f->kept_name)
			goto out;
		functions[i] = (struct vm_debug_function){f->position, f->kept_name};
		lines += range.end - range.first;
	}
	d->lines = calloc(lines + 1, sizeof(*d->lines));
	if (!d->lines)
		goto out;
	for (uint32_t i = 0; i < l->order_count; i++)
		add_lines(l, &l->functions[l->order[i]], d);
	d->functions = TAKE_PTR(functions);
	d->function_count = l->order_count;
	d->source = l->object->source;
	*ret_debug = d;
	return 0;
out:
	vm_debug_free(d);
	return -ENOMEM;
}

/* ---- one program ---- */
/* Says where in the object the program was not accepted: error->offset counts from the program's beginning. */
static int explain(struct vm_loader *l, int r, const struct picket_error *error, const struct vm_debug *debug)
{
	uint64_t slot = error->offset / SLOT;
	const struct vm_function_info *f = &l->functions[l->order[0]];
	const char *name = f->name;
	struct vm_source_line line;

	if (r == -ENOMEM || !l->reterr)
		return r;
	for (uint32_t i = 0; i < l->order_count && l->functions[l->order[i]].position <= slot; i++)
		f = &l->functions[l->order[i]];
	vm_loader_error(l, f->section, (f->start + slot - f->position) * SLOT, "program %.64s: %s", name, error->text);
	if (vm_debug_line(debug, (size_t)slot, &line)) {
		vm_elf_printable(l->reterr->file, sizeof(l->reterr->file), line.file);
		l->reterr->line = line.line;
		l->reterr->column = line.column;
	}
	return r == -EOPNOTSUPP ? r : -EINVAL;
}

int vm_loader_link(struct vm_loader *l, uint32_t function, struct picket_program **ret_program)
{
	_cleanup_(base_free_ptr) struct picket_insn *insns = NULL;
	struct vm_debug *debug = NULL;
	struct picket_program *program = NULL;
	struct picket_error error = {0};
	struct vm_map_set set = {0};
	struct program_maps maps;
	size_t length = 0;
	int r = find_parts(l, function, &set, &length);

	if (r)
		return r;
	l->insns += length;
	if (l->insns > VM_OBJECT_INSNS_MAX)
		return vm_loader_error(l, l->functions[function].section, l->functions[function].start * SLOT,
		                       "all programs with their subprograms have more than %zu instructions",
		                       VM_OBJECT_INSNS_MAX);
	number_maps(l, &set, &maps);
	insns = calloc(length, sizeof(*insns));
	if (!insns)
		return -ENOMEM;
	for (uint32_t i = 0; i < l->order_count; i++)
		copy_function(l, &l->functions[l->order[i]], &maps, insns);
	r = make_debug(l, &debug);
	if (r)
		return r;
	l->options.maps = maps.maps;
	l->options.map_count = maps.count;
	r = picket_program_load(insns, length, &l->options, &program, &error);
	if (r) {
		r = explain(l, r, &error, debug);
		vm_debug_free(debug);
		return r;
	}
	snprintf(program->name, sizeof(program->name), "%s", l->functions[function].name);
	*ret_program = vm_program_ref_debug(program, debug);
	return 0;
}
