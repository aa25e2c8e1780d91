/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>

#include "vm/image_int.h"

#define SLOT sizeof(struct picket_insn)
#define CALL (BPF_JMP | BPF_CALL)
#define LDDW (BPF_LD | BPF_IMM | BPF_DW)

/* ---- functions ---- */
static bool is_function(const struct vm_loader *l, const struct vm_elf_symbol *s)
{
	return s->type == STT_FUNC && s->section > SHN_UNDEF && s->section < l->elf.section_count &&
	       l->sections[s->section].kind == VM_SECTION_CODE;
}

static int check_function(struct vm_loader *l, const struct vm_elf_symbol *s)
{
	if (s->value % SLOT || s->size % SLOT)
		return vm_loader_error(l, s->section, s->value, "function %.64s is not made of whole instructions",
		                       s->name);
	if (s->value == vm_loader_section(l, s->section)->size)
		return vm_loader_error(l, s->section, s->value, "function %.64s has no instructions", s->name);
	return 0;
}

static int collect_functions(struct vm_loader *l)
{
	size_t count = 0;

	for (uint32_t i = 1; i < l->elf.symbol_count; i++) {
		struct vm_elf_symbol s = vm_elf_symbol(&l->elf, i);
		count += is_function(l, &s);
	}
	if (count > VM_OBJECT_FUNCTIONS_MAX)
		return vm_loader_error(l, l->elf.symbol_section, 0, "%zu functions are more than %d", count,
		                       VM_OBJECT_FUNCTIONS_MAX);
	l->functions = calloc(count + 1, sizeof(*l->functions));
	if (!l->functions)
		return -ENOMEM;
	for (uint32_t i = 1; i < l->elf.symbol_count; i++) {
		struct vm_elf_symbol s = vm_elf_symbol(&l->elf, i);
		int r;

		if (!is_function(l, &s))
			continue;
		r = check_function(l, &s);
		if (r)
			return r;
		l->functions[l->function_count++] = (struct vm_function_info){
		        .name = s.name,
		        .section = s.section,
		        .start = (uint32_t)(s.value / SLOT),
		        .count = (uint32_t)(s.size / SLOT),
		        .global = s.bind != STB_LOCAL,
		        .hidden = s.visibility == STV_HIDDEN || s.visibility == STV_INTERNAL,
		};
	}
	return 0;
}

static int compare_functions(const void *a, const void *b)
{
	const struct vm_function_info *x = a, *y = b;

	if (x->section != y->section)
		return x->section < y->section ? -1 : 1;
	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return (int)y->global - (int)x->global;
}

/* Of several names for one place the first stays. */
static void drop_aliases(struct vm_loader *l)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < l->function_count; i++) {
		struct vm_function_info *f = &l->functions[i], *last = kept ? &l->functions[kept - 1] : NULL;

		if (last && last->section == f->section && last->start == f->start)
			last->count = MAX(last->count, f->count);
		else
			l->functions[kept++] = *f;
	}
	l->function_count = kept;
}

/* Assembled functions may have no size: they reach to the next one. */
static int place_function(struct vm_loader *l, uint32_t index)
{
	struct vm_function_info *f = &l->functions[index];
	bool last = index + 1 == l->function_count || f[1].section != f->section;
	struct vm_loader_section *s = &l->sections[f->section];
	uint64_t end = last ? vm_loader_section(l, f->section)->size / SLOT : f[1].start;

	if (!f->count)
		f->count = (uint32_t)(end - f->start);
	if (f->count > end - f->start)
		return vm_loader_error(l, f->section, end * SLOT, "function %.64s begins inside of function %.64s",
		                       f[1].name, f->name);
	if (!s->function_count++)
		s->first_function = index;
	return 0;
}

static bool in_text(const struct vm_loader *l, const struct vm_function_info *f)
{
	return strcmp(vm_loader_section(l, f->section)->name, ".text") == 0;
}

/* Programs are the global functions outside of .text; where there are none, those in it. */
static int number_programs(struct vm_loader *l)
{
	struct picket_image *o = l->image;
	bool text = true;

	for (uint32_t i = 0; i < l->function_count; i++)
		text &= !l->functions[i].global || in_text(l, &l->functions[i]);
	for (uint32_t i = 0; i < l->function_count; i++) {
		struct vm_function_info *f = &l->functions[i];

		if (!f->global || in_text(l, f) != text)
			continue;
		if (o->program_count == VM_OBJECT_PROGRAMS_MAX)
			return vm_loader_error(l, f->section, f->start * SLOT, "more than %d programs",
			                       VM_OBJECT_PROGRAMS_MAX);
		f->program = (uint32_t)++o->program_count;
	}
	o->programs = calloc(o->program_count + 1, sizeof(*o->programs));
	return o->programs ? 0 : -ENOMEM;
}

int vm_loader_find_functions(struct vm_loader *l)
{
	int r = collect_functions(l);

	if (r)
		return r;
	qsort(l->functions, l->function_count, sizeof(*l->functions), compare_functions);
	drop_aliases(l);
	for (uint32_t i = 0; !r && i < l->function_count; i++)
		r = place_function(l, i);
	return r ? r : number_programs(l);
}

/* The function that begins there, or NULL. */
static struct vm_function_info *function_at(struct vm_loader *l, uint32_t section, uint64_t offset)
{
	const struct vm_loader_section *s = &l->sections[section];
	uint32_t low = s->first_function, high = low + s->function_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		struct vm_function_info *f = &l->functions[middle];

		if (f->start * SLOT == offset)
			return f;
		if (f->start * SLOT < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* ---- relocations ---- */
static int compare_relocations(const void *a, const void *b)
{
	const struct vm_relocation *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static uint64_t relocated_bytes(uint32_t type)
{
	switch ((enum vm_elf_relocation_type)type) {
	case VM_R_64_64:
		return 2 * SLOT;
	case VM_R_64_ABS64:
	case VM_R_64_32:
		return SLOT;
	case VM_R_64_ABS32:
	case VM_R_64_NODYLD32:
		return sizeof(uint32_t);
	}
	return 0;
}

static int check_relocation(struct vm_loader *l, uint32_t section, const struct vm_relocation *r)
{
	const struct vm_elf_section *s = vm_loader_section(l, section);
	uint64_t bytes = relocated_bytes(r->type);

	if (!bytes)
		return vm_loader_error(l, section, r->offset, "unknown relocation type %u", r->type);
	if (!s->data || bytes > s->size || r->offset > s->size - bytes)
		return vm_loader_error(l, section, r->offset, "a relocation is outside of the section's %llu bytes",
		                       (unsigned long long)(s->data ? s->size : 0));
	if (!r->symbol || r->symbol >= l->elf.symbol_count)
		return vm_loader_error(l, section, r->offset, "a relocation refers to symbol %u, which does not exist",
		                       r->symbol);
	return 0;
}

int vm_loader_relocations(struct vm_loader *l, uint32_t section, struct vm_relocation **ret_relocations,
                          size_t *ret_count)
{
	const struct vm_elf_section *table = vm_loader_section(l, l->sections[section].relocations);
	size_t count = l->sections[section].relocations ? table->size / sizeof(Elf64_Rel) : 0;
	_cleanup_(base_free_ptr) struct vm_relocation *relocations = NULL;
	bool sorted = true;

	if (!count)
		return 0;
	relocations = calloc(count, sizeof(*relocations));
	if (!relocations)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		Elf64_Rel rel = vm_elf_relocation(table, i);
		int r;

		relocations[i] = (struct vm_relocation){rel.r_offset, (uint32_t)ELF64_R_SYM(rel.r_info),
		                                        (uint32_t)ELF64_R_TYPE(rel.r_info)};
		r = check_relocation(l, section, &relocations[i]);
		if (r)
			return r;
		sorted &= !i || relocations[i - 1].offset <= relocations[i].offset;
	}
	if (!sorted)
		qsort(relocations, count, sizeof(*relocations), compare_relocations);
	for (size_t i = 1; i < count; i++)
		if (relocations[i].offset == relocations[i - 1].offset)
			return vm_loader_error(l, section, relocations[i].offset, "two relocations of the same place");
	*ret_relocations = TAKE_PTR(relocations);
	*ret_count = count;
	return 0;
}

/* ---- what they refer to ---- */
static int describe_extern(struct vm_loader *l, uint32_t section, uint64_t offset, const struct vm_elf_symbol *s,
                           struct vm_image_extern *ret_extern)
{
	const char *who = l->walked ? l->walked->name : vm_loader_section(l, section)->name;
	struct vm_image_extern e = {
	        .name = vm_loader_text(l, s->name),
	        .who = vm_loader_text(l, who),
	        .section = vm_loader_section_text(l, section),
	        .offset = offset,
	        .weak = s->bind == STB_WEAK,
	};

	if (!e.name || !e.who || !e.section)
		return -ENOMEM;
	*ret_extern = e;
	return 0;
}

static int grow_externs(struct vm_loader *l, uint32_t section, uint64_t offset)
{
	struct picket_image *i = l->image;
	size_t capacity = MAX(2 * i->extern_capacity, (size_t)16);
	struct vm_image_extern *externs;

	if (i->extern_count == VM_OBJECT_EXTERNS_MAX)
		return vm_loader_error(l, section, offset, "more than %d externs", VM_OBJECT_EXTERNS_MAX);
	if (i->extern_count < i->extern_capacity)
		return 0;
	externs = reallocarray(i->externs, capacity, sizeof(*externs));
	if (!externs)
		return -ENOMEM;
	i->externs = externs;
	i->extern_capacity = capacity;
	return 0;
}

/* What the kernel, or an embedder, is to give: one for each name. */
static int resolve_kernel(struct vm_loader *l, uint32_t section, uint64_t offset, const struct vm_elf_symbol *s,
                          bool declared, struct vm_target *ret_target)
{
	struct picket_image *i = l->image;
	uint32_t number = (uint32_t)(uintptr_t)map_get(&l->extern_index, str_from(s->name));
	int r;

	if (!number) {
		r = grow_externs(l, section, offset);
		if (!r)
			r = describe_extern(l, section, offset, s, &i->externs[i->extern_count]);
		if (!r)
			r = map_put(&l->extern_index, str_from(s->name), (void *)(i->extern_count + 1), NULL);
		if (r)
			return r;
		number = (uint32_t)++i->extern_count;
		i->externs[number - 1].declared = declared;
	} else if (i->externs[number - 1].weak && s->bind != STB_WEAK) {
		r = describe_extern(l, section, offset, s, &i->externs[number - 1]);
		if (r)
			return r;
		i->externs[number - 1].declared = declared;
	}
	*ret_target = (struct vm_target){.kind = VM_TARGET_KERNEL, .index = number - 1};
	return 0;
}

static int resolve_config(struct vm_loader *l, uint32_t section, uint64_t offset, const struct vm_elf_symbol *s,
                          struct vm_target *ret_target)
{
	*ret_target = (struct vm_target){.kind = VM_TARGET_VALUE};
	if (s->bind != STB_WEAK && !l->image->config.name) {
		int r = describe_extern(l, section, offset, s, &l->image->config);
		if (r)
			return r;
	}
	return vm_loader_kconfig_map(l, &ret_target->index);
}

static int resolve_extern(struct vm_loader *l, uint32_t section, uint64_t offset, const struct vm_elf_symbol *s,
                          struct vm_target *ret_target)
{
	enum vm_extern declared = (enum vm_extern)(uintptr_t)map_get(&l->externs, str_from(s->name));

	if (declared == VM_EXTERN_KCONFIG)
		return resolve_config(l, section, offset, s, ret_target);
	return resolve_kernel(l, section, offset, s, declared == VM_EXTERN_KSYM, ret_target);
}

static int resolve_map(struct vm_loader *l, uint32_t section, uint64_t offset, uint64_t place,
                       struct vm_target *ret_target)
{
	uint32_t low = 0, high = l->definition_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		uint64_t at = l->definitions[middle].offset;

		if (at == place) {
			*ret_target = (struct vm_target){.kind = VM_TARGET_MAP, .index = l->first_definition + middle};
			return 0;
		}
		if (at < place)
			low = middle + 1;
		else
			high = middle;
	}
	return vm_loader_error(l, section, offset, "refers to offset %llu of .maps, where no map begins",
	                       (unsigned long long)place);
}

int vm_loader_resolve(struct vm_loader *l, uint32_t section, const struct vm_relocation *r, int64_t addend,
                      struct vm_target *ret_target)
{
	struct vm_elf_symbol s = vm_elf_symbol(&l->elf, r->symbol);
	/* Wraps around for what lies before the symbol, and is too large if it lies before the section. */
	uint64_t place = s.value + (uint64_t)addend;
	struct vm_function_info *f;

	if (s.section == SHN_UNDEF && addend)
		return vm_loader_error(l, section, r->offset, "refers to %.64s%+lld, but only its beginning is known",
		                       s.name, (long long)addend);
	if (s.section == SHN_UNDEF)
		return resolve_extern(l, section, r->offset, &s, ret_target);
	if (s.section >= l->elf.section_count)
		return vm_loader_error(l, section, r->offset, "refers to %.64s, which is in no section", s.name);
	switch (l->sections[s.section].kind) {
	case VM_SECTION_CODE:
		f = function_at(l, s.section, place);
		if (!f)
			return vm_loader_error(l, section, r->offset, "refers to %.64s%+lld, where no function begins",
			                       s.name, (long long)addend);
		*ret_target = (struct vm_target){.kind = VM_TARGET_FUNCTION, .index = (uint32_t)(f - l->functions)};
		return 0;
	case VM_SECTION_MAPS:
		return resolve_map(l, section, r->offset, place, ret_target);
	case VM_SECTION_DATA:
		if (place > vm_loader_section(l, s.section)->size)
			return vm_loader_error(l, section, r->offset, "refers to %.64s%+lld, outside of section %.64s",
			                       s.name, (long long)addend, vm_loader_section(l, s.section)->name);
		*ret_target = (struct vm_target){VM_TARGET_VALUE, l->sections[s.section].map, place};
		return 0;
	case VM_SECTION_OTHER:
		break;
	}
	return vm_loader_error(l, section, r->offset,
	                       "refers to %.64s in section %.64s, which holds neither code, maps nor data", s.name,
	                       vm_loader_section(l, s.section)->name);
}

/* ---- instructions ---- */
struct code_walk {
	struct vm_loader *l;
	uint32_t section;
	struct vm_function_info *f;
	const struct vm_relocation *relocations;
	size_t next, count; /* those before next were met */
};

/* The next relocation, or NULL. */
static const struct vm_relocation *next_relocation(const struct code_walk *w)
{
	return w->next < w->count ? &w->relocations[w->next] : NULL;
}

#define fail(w, slot, ...) vm_loader_error((w)->l, (w)->section, (uint64_t)(slot)*SLOT, __VA_ARGS__)

static struct picket_insn insn_at(const struct vm_elf_section *s, uint32_t slot)
{
	struct picket_insn insn;

	memcpy(&insn, s->data + slot * SLOT, sizeof(insn));
	return insn;
}

static int add_link(struct vm_loader *l, struct vm_function_info *f, uint32_t slot, const struct vm_target *target)
{
	if (l->link_count == l->link_capacity) {
		size_t capacity = MAX(2 * l->link_capacity, (size_t)256);
		struct vm_link *links = reallocarray(l->links, capacity, sizeof(*links));

		if (!links)
			return -ENOMEM;
		l->links = links;
		l->link_capacity = capacity;
	}
	if (!f->link_count++)
		f->first_link = (uint32_t)l->link_count;
	l->links[l->link_count++] = (struct vm_link){.insn = slot - f->start, .target = *target};
	return 0;
}

/* A call's distance counts from the instruction behind it, also when a relocation adds a symbol to it. */
static int link_call(struct code_walk *w, const struct vm_relocation *r, uint32_t slot, const struct picket_insn *insn)
{
	struct vm_target target;
	int error;

	if (r->type != VM_R_64_32)
		return fail(w, slot, "relocation type %u cannot be on a call", r->type);
	if (insn->src > BPF_PSEUDO_CALL)
		return fail(w, slot, "a call with source %u cannot be relocated", insn->src);
	error = vm_loader_resolve(w->l, w->section, r, ((int64_t)insn->imm + 1) * (int64_t)SLOT, &target);
	if (error)
		return error;
	if (target.kind == VM_TARGET_MAP || target.kind == VM_TARGET_VALUE)
		return fail(w, slot, "calls data");
	return add_link(w->l, w->f, slot, &target);
}

static int link_address(struct code_walk *w, const struct vm_relocation *r, uint32_t slot,
                        const struct picket_insn *insn)
{
	struct vm_target target;
	int error;

	if (r->type != VM_R_64_64)
		return fail(w, slot, "relocation type %u cannot be on lddw", r->type);
	if (insn->src)
		return fail(w, slot, "lddw with source %u cannot be relocated", insn->src);
	error = vm_loader_resolve(w->l, w->section, r, insn->imm, &target);
	return error ? error : add_link(w->l, w->f, slot, &target);
}

/* A call inside of one section needs no relocation. */
static int link_near_call(struct code_walk *w, uint32_t slot, const struct picket_insn *insn)
{
	int64_t to = (int64_t)slot + 1 + insn->imm;
	struct vm_function_info *f = to < 0 ? NULL : function_at(w->l, w->section, (uint64_t)to * SLOT);
	struct vm_target target;

	if (!f)
		return fail(w, slot, "calls offset %lld of the section, where no function begins",
		            (long long)to * (long long)SLOT);
	target = (struct vm_target){.kind = VM_TARGET_FUNCTION, .index = (uint32_t)(f - w->l->functions)};
	return add_link(w->l, w->f, slot, &target);
}

static int link_insn(struct code_walk *w, uint32_t slot, const struct picket_insn *insn)
{
	const struct vm_relocation *r = next_relocation(w);

	if (!r || r->offset >= (slot + 1) * SLOT) {
		if (insn->code == CALL && insn->src == BPF_PSEUDO_CALL)
			return link_near_call(w, slot, insn);
		if (insn->code == CALL && insn->src > BPF_PSEUDO_CALL)
			return fail(w, slot, "a call with source %u refers to something, but has no relocation",
			            insn->src);
		if (insn->code == LDDW && insn->src)
			return fail(w, slot, "lddw refers to something (source %u), but has no relocation", insn->src);
		return 0;
	}
	if (r->offset != slot * SLOT)
		return vm_loader_error(w->l, w->section, r->offset,
		                       "a relocation is not at the beginning of an instruction");
	w->next++;
	if (insn->code == CALL)
		return link_call(w, r, slot, insn);
	if (insn->code == LDDW)
		return link_address(w, r, slot, insn);
	return fail(w, slot, "a relocation is on an instruction with opcode 0x%02x, not on a call or lddw", insn->code);
}

static int walk_function(struct code_walk *w)
{
	const struct vm_elf_section *s = vm_loader_section(w->l, w->section);
	const struct vm_relocation *next = next_relocation(w);
	uint32_t end = w->f->start + w->f->count;

	if (next && next->offset < w->f->start * SLOT)
		return vm_loader_error(w->l, w->section, next->offset, "a relocation is in no function");
	for (uint32_t slot = w->f->start; slot < end;) {
		struct picket_insn insn = insn_at(s, slot);
		uint32_t slots = insn.code == LDDW ? 2 : 1;
		int r;

		if (slots > end - slot)
			return fail(w, slot, "the second half of lddw is not in function %.64s", w->f->name);
		r = link_insn(w, slot, &insn);
		if (r)
			return r;
		slot += slots;
	}
	return 0;
}

static int walk_section(struct vm_loader *l, uint32_t section)
{
	const struct vm_loader_section *s = &l->sections[section];
	_cleanup_(base_free_ptr) struct vm_relocation *relocations = NULL;
	struct code_walk w = {.l = l, .section = section};
	int r = vm_loader_relocations(l, section, &relocations, &w.count);

	w.relocations = relocations;
	for (uint32_t i = 0; !r && i < s->function_count; i++) {
		l->walked = w.f = &l->functions[s->first_function + i];
		r = walk_function(&w);
	}
	l->walked = NULL;
	if (!r && next_relocation(&w))
		return vm_loader_error(l, section, next_relocation(&w)->offset, "a relocation is in no function");
	return r;
}

int vm_loader_find_links(struct vm_loader *l)
{
	int r = 0;

	for (uint32_t i = 1; !r && i < l->elf.section_count; i++)
		if (l->sections[i].kind == VM_SECTION_CODE)
			r = walk_section(l, i);
	return r;
}
