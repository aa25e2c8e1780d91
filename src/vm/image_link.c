/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>

#include "vm/image_int.h"

#define SLOT sizeof(struct picket_insn)

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
static void patch_call(const struct vm_loader *l, const struct vm_target *t, uint32_t slot, struct picket_insn *insn)
{
	if (t->kind == VM_TARGET_FUNCTION) {
		insn->src = BPF_PSEUDO_CALL;
		insn->imm = (int32_t)(l->functions[t->index].position - (slot + 1));
	} else { /* nothing else can be called: link_call() */
		insn->src = VM_SOURCE_KERNEL_FUNCTION;
		insn->imm = (int32_t)t->index;
	}
}

static void patch_address(const struct vm_loader *l, const struct vm_target *t, uint32_t slot, struct picket_insn *insn)
{
	insn[0].imm = (int32_t)t->index;
	insn[1].imm = 0;
	switch (t->kind) {
	case VM_TARGET_FUNCTION:
		insn[0].src = BPF_PSEUDO_FUNC;
		insn[0].imm = (int32_t)(l->functions[t->index].position - (slot + 1));
		break;
	case VM_TARGET_MAP:
		insn[0].src = VM_SOURCE_MAP;
		break;
	case VM_TARGET_VALUE:
		insn[0].src = VM_SOURCE_MAP_VALUE;
		insn[1].imm = (int32_t)t->offset;
		break;
	case VM_TARGET_KERNEL:
		insn[0].src = VM_SOURCE_KERNEL_VARIABLE;
		break;
	}
}

static void copy_function(const struct vm_loader *l, const struct vm_function_info *f, struct picket_insn *insns)
{
	const uint8_t *data = vm_loader_section(l, f->section)->data;

	memcpy(insns + f->position, data + f->start * SLOT, f->count * SLOT);
	for (uint32_t i = 0; i < f->link_count; i++) {
		const struct vm_link *link = &l->links[f->first_link + i];
		uint32_t slot = f->position + link->insn;

		if (insns[slot].code == (BPF_JMP | BPF_CALL))
			patch_call(l, &link->target, slot, &insns[slot]);
		else
			patch_address(l, &link->target, slot, &insns[slot]);
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

/* The records of a function's instructions. */
static struct record_range function_records(const struct vm_loader *l, const struct vm_function_info *f,
                                            enum vm_btf_info_kind kind)
{
	const struct vm_btf_info *info = &l->sections[f->section].info[kind];

	return (struct record_range){find_record(info, f->start * SLOT),
	                             find_record(info, (f->start + f->count) * SLOT)};
}

static void add_lines(const struct vm_loader *l, const struct vm_function_info *f, struct vm_debug *d)
{
	const struct vm_btf_info *info = &l->sections[f->section].info[VM_BTF_LINES];
	struct record_range range = function_records(l, f, VM_BTF_LINES);

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

/* BTF's type of a function; 0: it has none. */
static uint32_t function_type(const struct vm_loader *l, const struct vm_function_info *f)
{
	const struct vm_btf_info *info = &l->sections[f->section].info[VM_BTF_FUNCTIONS];
	uint32_t at = find_record(info, f->start * SLOT);

	return at < info->count && vm_btf_function(info, at).offset == f->start * SLOT ? vm_btf_function(info, at).type
	                                                                               : 0;
}

static int describe_function(struct vm_loader *l, struct vm_function_info *f, struct vm_debug_function *ret_function)
{
	const char *section = vm_loader_section_text(l, f->section);

	if (!f->kept_name)
		f->kept_name = vm_loader_text(l, f->name);
	if (!f->kept_name || !section)
		return -ENOMEM;
	*ret_function = (struct vm_debug_function){
	        .insn = f->position,
	        .start = f->start,
	        .type = function_type(l, f),
	        .global = f->global && !f->hidden,
	        .name = f->kept_name,
	        .section = section,
	};
	return 0;
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
		struct record_range range = function_records(l, f, VM_BTF_LINES);

		if (describe_function(l, f, &functions[i]))
			goto out;
		lines += range.end - range.first;
	}
	d->lines = calloc(lines + 1, sizeof(*d->lines));
	if (!d->lines)
		goto out;
	for (uint32_t i = 0; i < l->order_count; i++)
		add_lines(l, &l->functions[l->order[i]], d);
	d->functions = TAKE_PTR(functions);
	d->function_count = l->order_count;
	d->source = l->image->btf.texts.data;
	*ret_debug = d;
	return 0;
out:
	vm_debug_free(d);
	return -ENOMEM;
}

/* ---- what a kernel's types may change in it ---- */
static int take_cores(struct vm_loader *l, struct vm_image_program *p)
{
	size_t count = 0;

	for (uint32_t i = 0; i < l->order_count; i++) {
		struct record_range range = function_records(l, &l->functions[l->order[i]], VM_BTF_RELOCATIONS);
		count += range.end - range.first;
	}
	p->cores = count ? calloc(count, sizeof(*p->cores)) : NULL;
	if (count && !p->cores)
		return -ENOMEM;
	for (uint32_t i = 0; i < l->order_count; i++) {
		const struct vm_function_info *f = &l->functions[l->order[i]];
		const struct vm_btf_info *info = &l->sections[f->section].info[VM_BTF_RELOCATIONS];
		struct record_range range = function_records(l, f, VM_BTF_RELOCATIONS);

		for (uint32_t k = range.first; k < range.end; k++) {
			struct vm_btf_relocation r = vm_btf_relocation(info, k);

			p->cores[p->core_count++] = (struct vm_image_core){
			        .insn = f->position + (uint32_t)(r.offset / SLOT - f->start),
			        .type = r.type,
			        .access = r.access,
			        .kind = r.kind,
			};
		}
	}
	return 0;
}

/* ---- one program ---- */
int vm_loader_link(struct vm_loader *l, uint32_t function, struct vm_image_program *ret_program)
{
	struct vm_function_info *f = &l->functions[function];
	size_t length = 0;
	int r = find_parts(l, function, &ret_program->maps, &length);

	if (r)
		return r;
	l->insns += length;
	if (l->insns > VM_OBJECT_INSNS_MAX)
		return vm_loader_error(l, f->section, f->start * SLOT,
		                       "all programs with their subprograms have more than %zu instructions",
		                       VM_OBJECT_INSNS_MAX);
	ret_program->insns = calloc(length, sizeof(*ret_program->insns));
	if (!ret_program->insns)
		return -ENOMEM;
	ret_program->insn_count = length;
	for (uint32_t i = 0; i < l->order_count; i++)
		copy_function(l, &l->functions[l->order[i]], ret_program->insns);
	r = make_debug(l, &ret_program->debug);
	if (r)
		return r;
	ret_program->name = ret_program->debug->functions[0].name;
	ret_program->section = ret_program->debug->functions[0].section;
	return take_cores(l, ret_program);
}
