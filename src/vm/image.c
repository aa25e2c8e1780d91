/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>

#include "base/file.h"
#include "vm/image_int.h"

#define LICENSE_MAX 256     /* bytes, with its NUL */
#define CORE_ACCESS_MAX 512 /* the same */

const char *vm_loader_text(struct vm_loader *l, const char *text)
{
	return arena_str(&l->image->text, str_from(text)).data;
}

const char *vm_loader_section_text(struct vm_loader *l, uint32_t section)
{
	struct vm_loader_section *s = &l->sections[section];

	if (!s->kept_name)
		s->kept_name = vm_loader_text(l, vm_loader_section(l, section)->name);
	return s->kept_name;
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

	l->image->license = "";
	if (!l->license_section)
		return 0;
	if (!s->data || !memchr(s->data, '\0', MIN(s->size, (uint64_t)LICENSE_MAX)))
		return vm_loader_error(l, l->license_section, 0, "the license is no text of less than %d bytes",
		                       LICENSE_MAX);
	l->image->license = vm_loader_text(l, (const char *)s->data);
	return l->image->license ? 0 : -ENOMEM;
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
		if (!core_access_valid(vm_btf_text(&l->image->btf, r.access)))
			return vm_loader_error(l, l->btf_ext_section, at, "%.64s is no access to a type's parts",
			                       vm_btf_text(&l->image->btf, r.access));
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

/* The image keeps types and texts. */
static int copy_btf(struct vm_loader *l)
{
	struct vm_elf_section s = *vm_loader_section(l, l->btf_section);
	struct picket_image *i = l->image;

	if (s.data) {
		i->btf_bytes = malloc(s.size);
		if (!i->btf_bytes)
			return -ENOMEM;
		memcpy(i->btf_bytes, s.data, s.size);
		i->btf_length = s.size;
		s.data = i->btf_bytes;
	}
	return vm_btf_open(&s, &i->btf, l->reterr);
}

static int read_btf(struct vm_loader *l, const struct map *code_names)
{
	struct info_visit visit = {l, code_names};
	int r;

	if (!l->btf_section)
		return 0;
	r = check_btf_relocations(l, l->btf_section);
	if (!r)
		r = copy_btf(l);
	if (r || !l->btf_ext_section)
		return r;
	r = check_btf_relocations(l, l->btf_ext_section);
	return r ? r
	         : vm_btf_ext_read(vm_loader_section(l, l->btf_ext_section), &l->image->btf, visit_info, &visit,
	                           l->reterr);
}

/* ---- programs ---- */
static int link_programs(struct vm_loader *l)
{
	int r = 0;

	l->order = calloc(l->function_count + 1, sizeof(*l->order));
	if (!l->order)
		return -ENOMEM;
	for (uint32_t i = 0; !r && i < l->function_count; i++)
		if (l->functions[i].program)
			r = vm_loader_link(l, i, &l->image->programs[l->functions[i].program - 1]);
	return r;
}

/* ---- opening ---- */
static int read_image(struct vm_loader *l, const void *bytes, size_t length)
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
		r = vm_loader_read_maps(l);
	if (!r)
		r = vm_loader_find_functions(l);
	if (!r)
		r = vm_loader_find_links(l);
	if (!r)
		r = vm_loader_read_pointers(l);
	if (!r)
		r = link_programs(l);
	if (!r)
		r = vm_loader_read_tables(l);
	return r ? r : vm_loader_read_values(l);
}

static void loader_free(struct vm_loader *l)
{
	if (!l)
		return;
	vm_elf_done(&l->elf);
	map_done(&l->externs);
	map_done(&l->extern_index);
	free(l->sections);
	free(l->definitions);
	free(l->functions);
	free(l->links);
	free(l->order);
	free(l);
}

int picket_image_open(const void *bytes, size_t length, struct picket_image **ret_image, struct picket_error *reterr)
{
	struct picket_image *i = calloc(1, sizeof(*i));
	struct vm_loader *l = calloc(1, sizeof(*l));
	int r = -ENOMEM;

	if (!i || !l)
		goto out;
	arena_init(&i->text, SIZE_MAX); /* names have limits, and those that have names */
	map_init(&l->externs, VM_OBJECT_EXTERNS_MAX);
	map_init(&l->extern_index, VM_OBJECT_EXTERNS_MAX);
	l->image = i;
	l->reterr = reterr;
	r = read_image(l, bytes, length);
	if (!r)
		*ret_image = TAKE_PTR(i);
out:
	if (r == -ENOMEM)
		vm_error(reterr, r, 0, "not enough memory");
	loader_free(l);
	picket_image_free(i);
	return r;
}

int vm_object_read_file(const char *path, struct buf *out, struct picket_error *reterr)
{
	int r;

	buf_init(out, VM_ELF_BYTES_MAX);
	r = file_read(path, out);
	return r ? vm_error(reterr, r, 0, "%.128s: %s", path, strerrordesc_np(-r)) : 0;
}

int picket_image_open_file(const char *path, struct picket_image **ret_image, struct picket_error *reterr)
{
	_cleanup_(buf_done) struct buf bytes;
	int r = vm_object_read_file(path, &bytes, reterr);

	return r ? r : picket_image_open(bytes.data, bytes.length, ret_image, reterr);
}

static void drop_code(struct vm_image_program *p)
{
	free(p->insns);
	free(p->cores);
	p->insns = NULL;
	p->cores = NULL;
	p->insn_count = p->core_count = 0;
}

void vm_image_drop_content(struct picket_image *i)
{
	for (size_t k = 0; i->programs && k < i->program_count; k++)
		drop_code(&i->programs[k]);
	for (size_t k = 0; k < i->map_count; k++) {
		free(i->maps[k].data);
		i->maps[k].data = NULL;
	}
}

void picket_image_free(struct picket_image *i)
{
	if (!i)
		return;
	vm_image_drop_content(i);
	for (size_t k = 0; i->programs && k < i->program_count; k++)
		vm_debug_free(i->programs[k].debug);
	vm_btf_done(&i->btf);
	arena_done(&i->text);
	free(i->btf_bytes);
	free(i->programs);
	free(i->externs);
	free(i->pointers);
	free(i->values);
	free(i);
}

/* ---- what is in it ---- */
size_t picket_image_program_count(const struct picket_image *i)
{
	return i->program_count;
}

const char *picket_image_name(const struct picket_image *i, size_t program)
{
	return program < i->program_count ? i->programs[program].name : NULL;
}

const char *picket_image_section(const struct picket_image *i, size_t program)
{
	return program < i->program_count ? i->programs[program].section : NULL;
}

const char *picket_image_license(const struct picket_image *i)
{
	return i->license;
}

bool picket_image_find(const struct picket_image *i, const char *name, size_t *ret_program)
{
	for (size_t k = 0; k < i->program_count; k++) {
		if (strcmp(i->programs[k].name, name) != 0)
			continue;
		*ret_program = k;
		return true;
	}
	return false;
}

const struct picket_insn *picket_image_insns(const struct picket_image *i, size_t program, size_t *ret_count)
{
	if (program >= i->program_count)
		return NULL;
	*ret_count = i->programs[program].insn_count;
	return i->programs[program].insns;
}

bool picket_image_line(const struct picket_image *i, size_t program, size_t insn, const char **ret_file,
                       unsigned *ret_line, unsigned *ret_column, const char **ret_text)
{
	struct vm_source_line line;

	if (program >= i->program_count || insn >= i->programs[program].insn_count ||
	    !vm_debug_line(i->programs[program].debug, insn, &line))
		return false;
	*ret_file = line.file;
	*ret_line = line.line;
	*ret_column = line.column;
	*ret_text = line.text;
	return true;
}

size_t picket_image_function_count(const struct picket_image *i, size_t program)
{
	return program < i->program_count ? i->programs[program].debug->function_count : 0;
}

bool picket_image_function(const struct picket_image *i, size_t program, size_t index,
                           struct picket_image_function *ret_function)
{
	const struct vm_debug_function *f;
	size_t end;

	if (index >= picket_image_function_count(i, program))
		return false;
	f = &i->programs[program].debug->functions[index];
	end = index + 1 < i->programs[program].debug->function_count ? f[1].insn : i->programs[program].insn_count;
	*ret_function = (struct picket_image_function){
	        .name = f->name,
	        .insn = f->insn,
	        .count = (uint32_t)(end - f->insn),
	        .global = f->global,
	        .type = f->type,
	};
	return true;
}

size_t picket_image_map_count(const struct picket_image *i)
{
	return i->map_count;
}

const struct picket_map_spec *picket_image_map(const struct picket_image *i, size_t map)
{
	return map < i->map_count ? &i->maps[map].spec : NULL;
}

bool picket_image_data(const struct picket_image *i, size_t map, struct picket_image_data *ret_data)
{
	const struct vm_image_map *m;

	if (map >= i->map_count || i->maps[map].origin != VM_IMAGE_DATA)
		return false;
	m = &i->maps[map];
	*ret_data = (struct picket_image_data){.bytes = m->data, .length = m->spec.value_size, .frozen = m->frozen};
	return true;
}

/* The first pointer that ends behind a place. */
static size_t find_pointer(const struct picket_image *i, uint32_t map, uint64_t offset)
{
	size_t low = 0, high = i->pointer_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct vm_image_pointer *p = &i->pointers[middle];

		if (p->map < map || (p->map == map && p->offset + sizeof(uint64_t) <= offset))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool picket_image_constant(const struct picket_image *i, size_t map, uint64_t offset, unsigned width,
                           uint64_t *ret_number)
{
	struct picket_image_data data;
	uint64_t number = 0;
	size_t next;

	if (!picket_image_data(i, map, &data) || !data.frozen || width > sizeof(number) || offset > data.length ||
	    width > data.length - offset)
		return false;
	next = find_pointer(i, (uint32_t)map, offset);
	if (next < i->pointer_count && i->pointers[next].map == map && i->pointers[next].offset < offset + width)
		return false;
	if (data.bytes)
		memcpy(&number, data.bytes + offset, width);
	*ret_number = number;
	return true;
}

const void *picket_image_btf(const struct picket_image *i, size_t *ret_length)
{
	*ret_length = i->btf_length;
	return i->btf_bytes;
}

size_t picket_image_kernel_count(const struct picket_image *i)
{
	return i->extern_count;
}

const char *picket_image_kernel_name(const struct picket_image *i, size_t index)
{
	return index < i->extern_count ? i->externs[index].name : NULL;
}

bool picket_image_kernel_weak(const struct picket_image *i, size_t index)
{
	return index < i->extern_count && i->externs[index].weak;
}
