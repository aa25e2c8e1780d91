/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables of functions that an object has for the kernel (.struct_ops): which program is which member of which struct. What
 * is not as expected there is left alone: nothing else depends on it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vm/image_int.h"

#define SLOT sizeof(struct picket_insn)
#define STEPS_MAX (1ull << 26) /* of all searches together; a table of 40 entries takes some 100,000 */

static bool is_table_section(const char *name)
{
	return !strcmp(name, ".struct_ops") || !strcmp(name, ".struct_ops.link");
}

/* The variable that holds that byte. */
static bool variable_at(const struct vm_loader *l, uint32_t section, uint64_t offset, struct vm_elf_symbol *ret_symbol)
{
	for (uint32_t i = 1; i < l->elf.symbol_count; i++) {
		struct vm_elf_symbol s = vm_elf_symbol(&l->elf, i);

		if (s.section == section && s.type == STT_OBJECT && offset >= s.value && offset - s.value < s.size) {
			*ret_symbol = s;
			return true;
		}
	}
	return false;
}

/* The struct that a variable is of; kind BTF_KIND_UNKN: none. */
static struct vm_btf_type variable_type(const struct vm_btf *b, const char *name)
{
	for (uint32_t id = 1; id <= b->type_count; id++) {
		struct vm_btf_type t = vm_btf_type(b, id);

		if (t.kind == BTF_KIND_VAR && !strcmp(t.name, name))
			return vm_btf_plain_type(b, t.type);
	}
	return (struct vm_btf_type){.kind = BTF_KIND_UNKN};
}

static const char *member_at(const struct vm_btf *b, const struct vm_btf_type *t, uint64_t offset)
{
	for (uint32_t i = 0; t->kind == BTF_KIND_STRUCT && i < t->count; i++) {
		struct vm_btf_member m = vm_btf_member(b, t, i);

		if (m.bit_offset == offset * 8)
			return m.name;
	}
	return NULL;
}

/* The program that begins where a relocation leads to. */
static struct vm_image_program *program_at(const struct vm_loader *l, uint32_t section, const struct vm_relocation *r)
{
	struct vm_elf_symbol s = vm_elf_symbol(&l->elf, r->symbol);
	uint64_t start = s.value, addend;

	memcpy(&addend, vm_loader_section(l, section)->data + r->offset, sizeof(addend));
	start += addend;
	for (uint32_t i = 0; i < l->function_count; i++) {
		const struct vm_function_info *f = &l->functions[i];

		if (f->program && f->section == s.section && f->start * SLOT == start)
			return &l->image->programs[f->program - 1];
	}
	return NULL;
}

/* "tcp_congestion_ops.ssthresh": the struct without what distinguishes definitions of it, "___v2". */
static int note_entry(struct vm_loader *l, uint32_t section, const struct vm_relocation *r)
{
	struct vm_image_program *p = program_at(l, section, r);
	struct vm_elf_symbol variable;
	struct vm_btf_type type;
	const char *member, *flavour;
	char text[256];
	int length;

	if (!p || !variable_at(l, section, r->offset, &variable))
		return 0;
	type = variable_type(&l->image->btf, variable.name);
	member = member_at(&l->image->btf, &type, r->offset - variable.value);
	if (!member)
		return 0;
	flavour = strstr(type.name, "___");
	length = flavour ? (int)(flavour - type.name) : (int)strlen(type.name);
	if (length > 120 || strlen(member) > 120)
		return 0;
	snprintf(text, sizeof(text), "%.*s.%s", length, type.name, member);
	p->entry = vm_loader_text(l, text);
	return p->entry ? 0 : -ENOMEM;
}

/* The entries of a section, while there are steps left. */
static int read_table(struct vm_loader *l, uint32_t section, uint64_t *steps)
{
	_cleanup_(base_free_ptr) struct vm_relocation *relocations = NULL;
	uint64_t cost = l->function_count + l->elf.symbol_count + l->image->btf.type_count;
	size_t count = 0;
	int r = vm_loader_relocations(l, section, &relocations, &count);

	for (size_t i = 0; !r && i < count; i++) {
		if (relocations[i].type != VM_R_64_ABS64)
			continue;
		if (*steps < cost)
			return vm_loader_error(l, section, relocations[i].offset, "too many entries of tables");
		*steps -= cost;
		r = note_entry(l, section, &relocations[i]);
	}
	return r;
}

int vm_loader_read_tables(struct vm_loader *l)
{
	uint64_t steps = STEPS_MAX;

	for (uint32_t section = 1; section < l->elf.section_count; section++) {
		int r = is_table_section(vm_loader_section(l, section)->name) ? read_table(l, section, &steps) : 0;
		if (r)
			return r;
	}
	return 0;
}
