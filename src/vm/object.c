/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>

#include "base/file.h"
#include "vm/object_int.h"

#define LICENSE_MAX 256     /* bytes, with its NUL */
#define CORE_ACCESS_MAX 512 /* the same */

const char *vm_loader_text(struct vm_loader *l, const char *text)
{
	return arena_str(&l->object->text, str_from(text)).data;
}

/* ---- sections ---- */
static bool is_named(const char *name, const char *section)
{
	size_t length = strlen(section);

	return strncmp(name, section, length) == 0 && (name[length] == '\0' || name[length] == '.');
}

static enum vm_section_kind section_kind(const struct vm_elf_section *s)
{
	if (!s->size || (s->type != SHT_PROGBITS && s->type != SHT_NOBITS))
		return VM_SECTION_OTHER;
	if (s->data && s->flags & SHF_EXECINSTR)
		return VM_SECTION_CODE;
	if (strcmp(s->name, ".maps") == 0)
		return VM_SECTION_MAPS;
	if (is_named(s->name, ".rodata") || is_named(s->name, ".data") || is_named(s->name, ".bss"))
		return VM_SECTION_DATA;
	return VM_SECTION_OTHER;
}

/* The sections that are there once or not at all. */
static int note_special(struct vm_loader *l, uint32_t index)
{
	const char *name = vm_loader_section(l, index)->name;
	const struct {
		const char *name;
		uint32_t *index;
	} specials[] = {
	        {".BTF", &l->btf_section},
	        {".BTF.ext", &l->btf_ext_section},
	        {".maps", &l->maps_section},
	        {"license", &l->license_section},
	};

	for (size_t i = 0; i < ARRAY_SIZE(specials); i++) {
		if (strcmp(name, specials[i].name) != 0)
			continue;
		if (*specials[i].index)
			return vm_loader_error(l, index, 0, "the object has this section twice");
		*specials[i].index = index;
	}
	return 0;
}

static int note_relocations(struct vm_loader *l, uint32_t index)
{
	struct vm_loader_section *target = &l->sections[vm_loader_section(l, index)->info];

	if (target->relocations)
		return vm_loader_error(l, index, 0, "section %.64s has two tables of relocations",
		                       vm_loader_section(l, vm_loader_section(l, index)->info)->name);
	target->relocations = index;
	return 0;
}

static int look_at_section(struct vm_loader *l, uint32_t index, struct map *code_names)
{
	const struct vm_elf_section *s = vm_loader_section(l, index);
	struct vm_loader_section *section = &l->sections[index];
	void *other = NULL;
	int r;

	if (s->type == SHT_REL)
		return note_relocations(l, index);
	if (is_named(s->name, "maps") || str_starts_with(str_from(s->name), STR("maps/")))
		return vm_loader_error(l, index, 0,
		                       "maps defined by struct bpf_map_def are not supported: define them in .maps");
	section->kind = section_kind(s);
	if (section->kind != VM_SECTION_CODE)
		return s->size ? note_special(l, index) : 0;
	if (s->size % sizeof(struct picket_insn))
		return vm_loader_error(l, index, 0, "%llu bytes of code are not a multiple of %zu",
		                       (unsigned long long)s->size, sizeof(struct picket_insn));
	r = map_put(code_names, str_from(s->name), section, &other);
	if (other)
		return vm_loader_error(l, index, 0, "two sections of code have this name");
	return r;
}

static int look_at_sections(struct vm_loader *l, struct map *code_names)
{
	int r = 0;

	l->sections = calloc(l->elf.section_count, sizeof(*l->sections));
	if (!l->sections)
		return -ENOMEM;
	for (uint32_t i = 1; !r && i < l->elf.section_count; i++)
		r = look_at_section(l, i, code_names);
	return r;
}

static int read_license(struct vm_loader *l)
{
	const struct vm_elf_section *s = vm_loader_section(l, l->license_section);

	l->object->license = "";
	if (!l->license_section)
		return 0;
	if (!s->data || !memchr(s->data, '\0', MIN(s->size, (uint64_t)LICENSE_MAX)))
		return vm_loader_error(l, l->license_section, 0, "the license is no text of less than %d bytes",
		                       LICENSE_MAX);
	l->object->license = vm_loader_text(l, (const char *)s->data);
	return l->object->license ? 0 : -ENOMEM;
}

/* ---- BTF ---- */
struct info_visit {
	struct vm_loader *l;
	const struct map *code_names;
};

/* CO-RE relocations: the types are those that the object was compiled with, so nothing changes; but each must make sense. */
static bool core_access_valid(const char *access)
{
	size_t digits;

	if (strnlen(access, CORE_ACCESS_MAX) == CORE_ACCESS_MAX)
		return false;
	digits = strspn(access, "0123456789");
	while (digits && access[digits] == ':') {
		access += digits + 1;
		digits = strspn(access, "0123456789");
	}
	return digits && !access[digits];
}

static bool core_fits(uint8_t code)
{
	switch (BPF_CLASS(code)) {
	case BPF_ALU:
	case BPF_ALU64:
		return BPF_SRC(code) == BPF_K;
	case BPF_LDX:
	case BPF_ST:
	case BPF_STX:
		return true;
	default:
		return code == (BPF_LD | BPF_IMM | BPF_DW);
	}
}

static int check_core(struct vm_loader *l, const struct vm_btf_info *info, const struct vm_elf_section *code)
{
	for (uint32_t i = 0; i < info->count; i++) {
		struct vm_btf_relocation r = vm_btf_relocation(info, i);
		uint64_t at = info->offset + (uint64_t)i * info->record_bytes;

		if (r.kind > BPF_CORE_TYPE_MATCHES)
			return vm_loader_error(l, l->btf_ext_section, at, "unknown kind %u of CO-RE relocation",
			                       r.kind);
		if (!core_access_valid(vm_btf_text(&l->btf, r.access)))
			return vm_loader_error(l, l->btf_ext_section, at, "%.64s is no access to a type's parts",
			                       vm_btf_text(&l->btf, r.access));
		if (!core_fits(code->data[r.offset]))
			return vm_loader_error(l, l->btf_ext_section, at,
			                       "a CO-RE relocation is on an instruction with opcode 0x%02x",
			                       code->data[r.offset]);
	}
	return 0;
}

/* Notes what there is for a section's instructions. */
static int visit_info(const struct vm_btf_info *info, void *user)
{
	const struct info_visit *v = user;
	struct vm_loader *l = v->l;
	struct vm_loader_section *section = map_get(v->code_names, str_from(info->section));
	const struct vm_elf_section *code;

	if (!section)
		return vm_loader_error(l, l->btf_ext_section, info->offset, "no section of code has the name %.64s",
		                       info->section);
	if (section->info[info->kind].count)
		return vm_loader_error(l, l->btf_ext_section, info->offset, "two lists of records for section %.64s",
		                       info->section);
	code = vm_loader_section(l, (uint32_t)(section - l->sections));
	for (uint32_t i = 0; i < info->count; i++) {
		uint32_t offset = vm_btf_function(info, i).offset;

		if (offset >= code->size || offset % sizeof(struct picket_insn))
			return vm_loader_error(l, l->btf_ext_section, info->offset + (uint64_t)i * info->record_bytes,
			                       "no instruction begins at offset %u of section %.64s", offset,
			                       info->section);
	}
	section->info[info->kind] = *info;
	return info->kind == VM_BTF_RELOCATIONS ? check_core(l, info, code) : 0;
}

/* What they would add is there already, but they must be relocations of this section. */
static int check_btf_relocations(struct vm_loader *l, uint32_t section)
{
	_cleanup_(base_free_ptr) struct vm_relocation *relocations = NULL;
	size_t count = 0;
	int r = vm_loader_relocations(l, section, &relocations, &count);

	for (size_t i = 0; !r && i < count; i++)
		if (relocations[i].type != VM_R_64_NODYLD32 && relocations[i].type != VM_R_64_ABS32)
			return vm_loader_error(l, section, relocations[i].offset, "relocation type %u cannot be in BTF",
			                       relocations[i].type);
	return r;
}

static int read_btf(struct vm_loader *l, const struct map *code_names)
{
	struct info_visit visit = {l, code_names};
	struct picket_object *o = l->object;
	int r;

	if (!l->btf_section)
		return 0;
	r = check_btf_relocations(l, l->btf_section);
	if (!r)
		r = vm_btf_open(vm_loader_section(l, l->btf_section), &l->btf, l->reterr);
	if (r || !l->btf_ext_section)
		return r;
	o->source = malloc(l->btf.texts.length);
	if (!o->source)
		return -ENOMEM;
	memcpy(o->source, l->btf.texts.data, l->btf.texts.length);
	r = check_btf_relocations(l, l->btf_ext_section);
	return r ? r
	         : vm_btf_ext_read(vm_loader_section(l, l->btf_ext_section), &l->btf, visit_info, &visit, l->reterr);
}

/* ---- programs ---- */
static int load_programs(struct vm_loader *l)
{
	l->order = calloc(l->function_count + 1, sizeof(*l->order));
	if (!l->order)
		return -ENOMEM;
	for (uint32_t i = 0; i < l->function_count; i++) {
		const struct vm_function_info *f = &l->functions[i];
		struct vm_object_program *p;
		int r;

		if (!f->program)
			continue;
		p = &l->object->programs[f->program - 1];
		p->name = vm_loader_text(l, f->name);
		p->section = vm_loader_text(l, vm_loader_section(l, f->section)->name);
		if (!p->name || !p->section)
			return -ENOMEM;
		r = vm_loader_link(l, i, &p->program);
		if (r)
			return r;
	}
	return 0;
}

/* ---- opening ---- */
static int load(struct vm_loader *l, const void *bytes, size_t length)
{
	_cleanup_(map_done) struct map code_names;
	int r;

	map_init(&code_names, VM_ELF_SECTIONS_MAX);
	r = vm_elf_open(bytes, length, &l->elf, l->reterr);
	if (!r)
		r = look_at_sections(l, &code_names);
	if (!r)
		r = read_license(l);
	if (!r)
		r = read_btf(l, &code_names);
	if (!r)
		r = vm_loader_make_maps(l);
	if (!r)
		r = vm_loader_find_functions(l);
	if (!r)
		r = vm_loader_find_links(l);
	if (!r)
		r = vm_loader_fill_data(l);
	if (!r)
		r = load_programs(l);
	return r ? r : vm_loader_fill_maps(l);
}

static void loader_free(struct vm_loader *l)
{
	if (!l)
		return;
	vm_elf_done(&l->elf);
	vm_btf_done(&l->btf);
	map_done(&l->externs);
	free(l->sections);
	free(l->definitions);
	free(l->functions);
	free(l->links);
	free(l->order);
	free(l);
}

int picket_object_open(const void *bytes, size_t length, const struct picket_options *options,
                       struct picket_object **ret_object, struct picket_error *reterr)
{
	struct picket_object *o = calloc(1, sizeof(*o));
	struct vm_loader *l = calloc(1, sizeof(*l));
	int r = -ENOMEM;

	if (!o || !l)
		goto out;
	arena_init(&o->text, SIZE_MAX); /* names have limits, and those that have names */
	map_init(&l->externs, VM_OBJECT_EXTERNS_MAX);
	if (options)
		l->options = *options;
	l->object = o;
	l->reterr = reterr;
	r = load(l, bytes, length);
	if (!r)
		*ret_object = TAKE_PTR(o);
out:
	if (r == -ENOMEM)
		vm_error(reterr, r, 0, "not enough memory");
	loader_free(l);
	picket_object_free(o);
	return r;
}

int picket_object_open_file(const char *path, const struct picket_options *options, struct picket_object **ret_object,
                            struct picket_error *reterr)
{
	_cleanup_(buf_done) struct buf bytes;
	int r;

	buf_init(&bytes, VM_ELF_BYTES_MAX);
	r = file_read(path, &bytes);
	if (r)
		return vm_error(reterr, r, 0, "%.128s: %s", path, strerrordesc_np(-r));
	return picket_object_open(bytes.data, bytes.length, options, ret_object, reterr);
}

void picket_object_free(struct picket_object *o)
{
	if (!o)
		return;
	for (size_t i = 0; i < o->jump_count; i++)
		picket_map_set_program(o->maps[o->jumps[i].map].map, o->jumps[i].index, NULL);
	for (size_t i = 0; o->programs && i < o->program_count; i++)
		picket_program_free(o->programs[i].program);
	for (size_t i = 0; i < o->map_count; i++)
		picket_map_free(o->maps[i].map);
	arena_done(&o->text);
	free(o->source);
	free(o->programs);
	free(o->jumps);
	free(o);
}

/* ---- what is in it ---- */
size_t picket_object_program_count(const struct picket_object *o)
{
	return o->program_count;
}

struct picket_program *picket_object_program_at(const struct picket_object *o, size_t index)
{
	return index < o->program_count ? o->programs[index].program : NULL;
}

struct picket_program *picket_object_program(const struct picket_object *o, const char *name)
{
	for (size_t i = 0; i < o->program_count; i++)
		if (strcmp(o->programs[i].name, name) == 0)
			return o->programs[i].program;
	return NULL;
}

const char *picket_object_section_of(const struct picket_object *o, const struct picket_program *p)
{
	for (size_t i = 0; i < o->program_count; i++)
		if (o->programs[i].program == p)
			return o->programs[i].section;
	return NULL;
}

const char *picket_object_license(const struct picket_object *o)
{
	return o->license;
}

size_t picket_object_map_count(const struct picket_object *o)
{
	return o->map_count;
}

struct picket_map *picket_object_map_at(const struct picket_object *o, size_t index)
{
	return index < o->map_count ? o->maps[index].map : NULL;
}

struct picket_map *picket_object_map(const struct picket_object *o, const char *name)
{
	for (size_t i = 0; i < o->map_count; i++)
		if (strcmp(o->maps[i].name, name) == 0)
			return o->maps[i].map;
	return NULL;
}
