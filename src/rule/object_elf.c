/* SPDX-License-Identifier: Apache-2.0 */
#include "rule/object_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define SECTIONS_MAX 8000
#define SECTION_BYTES_MAX (128u << 20)
#define LINE_MAX ((1u << 22) - 1) /* that a record of a line can hold */
#define TEXT_BYTES_MAX 240        /* of a line */
#define LINE_TEXTS_MAX (1u << 20)
#define GLOBAL_SYMBOL (1u << 31) /* in the number of a symbol */

static void fail(struct elf_object *o, int error)
{
	if (!o->error)
		o->error = error;
}

void elf_init(struct elf_object *o)
{
	*o = (struct elf_object){0};
	buf_init(&o->locals, SECTION_BYTES_MAX);
	buf_init(&o->globals, SECTION_BYTES_MAX);
	buf_init(&o->symbol_names, SECTION_BYTES_MAX);
	buf_init(&o->types, SECTION_BYTES_MAX);
	buf_init(&o->type_names, SECTION_BYTES_MAX);
	map_init(&o->line_texts, LINE_TEXTS_MAX);
	buf_add_char(&o->symbol_names, '\0');
	buf_add_char(&o->type_names, '\0');
	buf_add(&o->locals, &(Elf64_Sym){0}, sizeof(Elf64_Sym));
	(void)elf_section_add(o, "", SHT_NULL, 0, 0);
}

void elf_done(struct elf_object *o)
{
	for (size_t i = 0; i < o->section_count; i++) {
		free(o->sections[i].name);
		buf_done(&o->sections[i].data);
		buf_done(&o->sections[i].relocations);
		buf_done(&o->sections[i].lines);
		buf_done(&o->sections[i].functions);
	}
	free(o->sections);
	buf_done(&o->locals);
	buf_done(&o->globals);
	buf_done(&o->symbol_names);
	buf_done(&o->types);
	buf_done(&o->type_names);
	map_done(&o->line_texts);
}

/* ---- sections ---- */

static bool sections_grow(struct elf_object *o)
{
	size_t capacity = MAX(2 * o->section_capacity, (size_t)64);
	if (o->section_count < o->section_capacity)
		return true;
	if (o->section_count >= SECTIONS_MAX) {
		fail(o, -E2BIG);
		return false;
	}
	struct elf_section *sections = reallocarray(o->sections, capacity, sizeof(*sections));
	if (!sections) {
		fail(o, -ENOMEM);
		return false;
	}
	o->sections = sections;
	o->section_capacity = capacity;
	return true;
}

uint32_t elf_section_add(struct elf_object *o, const char *name, uint32_t type, uint64_t flags, uint32_t align)
{
	char *copy = strdup(name);
	if (!copy)
		fail(o, -ENOMEM);
	if (!copy || !sections_grow(o)) {
		free(copy);
		return 0;
	}
	struct elf_section *s = &o->sections[o->section_count];
	*s = (struct elf_section){.name = copy, .type = type, .flags = flags, .align = align};
	buf_init(&s->data, SECTION_BYTES_MAX);
	buf_init(&s->relocations, SECTION_BYTES_MAX);
	buf_init(&s->lines, SECTION_BYTES_MAX);
	buf_init(&s->functions, SECTION_BYTES_MAX);
	return (uint32_t)o->section_count++;
}

struct elf_section *elf_section_at(struct elf_object *o, uint32_t section)
{
	return section < o->section_count ? &o->sections[section] : &o->none;
}

/* ---- symbols ---- */

static uint32_t text_add(struct buf *texts, struct str text)
{
	size_t at = texts->length;
	buf_add_str(texts, text);
	buf_add_char(texts, '\0');
	return (uint32_t)at;
}

uint32_t elf_symbol_add(struct elf_object *o, const char *name, bool global, uint8_t type, uint32_t section,
                        uint64_t value, uint64_t size)
{
	struct buf *table = global ? &o->globals : &o->locals;
	Elf64_Sym symbol = {.st_name = text_add(&o->symbol_names, str_from(name)),
	                    .st_info = ELF64_ST_INFO(global ? STB_GLOBAL : STB_LOCAL, type),
	                    .st_shndx = (uint16_t)section,
	                    .st_value = value,
	                    .st_size = size};
	uint32_t index = (uint32_t)(table->length / sizeof(symbol));
	buf_add(table, &symbol, sizeof(symbol));
	return index | (global ? GLOBAL_SYMBOL : 0);
}

void elf_relocate(struct elf_object *o, uint32_t section, uint64_t offset, uint32_t symbol, enum elf_relocation how)
{
	Elf64_Rel relocation = {.r_offset = offset, .r_info = ELF64_R_INFO((uint64_t)symbol, how)};
	buf_add(&elf_section_at(o, section)->relocations, &relocation, sizeof(relocation));
}

/* ---- types ---- */

static void words_add(struct buf *to, const uint32_t *words, size_t count)
{
	buf_add(to, words, count * sizeof(*words));
}
#define WORDS(to, ...) \
	words_add((to), (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

/* last: its size, or another type. */
static uint32_t type_add(struct elf_object *o, const char *name, uint32_t kind, uint32_t count, uint32_t last)
{
	uint32_t text = *name ? text_add(&o->type_names, str_from(name)) : 0;
	WORDS(&o->types, text, kind << 24 | count, last);
	return ++o->type_count;
}

uint32_t btf_integer(struct elf_object *o, const char *name, uint32_t bytes, bool is_signed)
{
	uint32_t id = type_add(o, name, BTF_KIND_INT, 0, bytes);
	WORDS(&o->types, (is_signed ? BTF_INT_SIGNED : 0) << 24 | bytes * 8);
	return id;
}

uint32_t btf_array(struct elf_object *o, uint32_t element, uint32_t index, uint32_t count)
{
	uint32_t id = type_add(o, "", BTF_KIND_ARRAY, 0, 0);
	WORDS(&o->types, element, index, count);
	return id;
}

uint32_t btf_struct(struct elf_object *o, const char *name, uint32_t bytes, uint32_t count)
{
	return type_add(o, name, BTF_KIND_STRUCT, count, bytes);
}

void btf_member(struct elf_object *o, const char *name, uint32_t type, uint32_t offset_bytes)
{
	WORDS(&o->types, text_add(&o->type_names, str_from(name)), type, offset_bytes * 8);
}

uint32_t btf_prototype(struct elf_object *o, uint32_t result)
{
	return type_add(o, "", BTF_KIND_FUNC_PROTO, 0, result);
}

uint32_t btf_function(struct elf_object *o, const char *name, uint32_t prototype, bool global)
{
	return type_add(o, name, BTF_KIND_FUNC, global ? BTF_FUNC_GLOBAL : BTF_FUNC_STATIC, prototype);
}

void btf_variable(struct elf_object *o, const char *name, uint32_t type, uint32_t bytes, const char *section)
{
	uint32_t variable = type_add(o, name, BTF_KIND_VAR, 0, type);
	WORDS(&o->types, BTF_VAR_GLOBAL_ALLOCATED);
	(void)type_add(o, section, BTF_KIND_DATASEC, 1, bytes);
	WORDS(&o->types, variable, 0, bytes);
}

/* ---- lines ---- */

/* On one line of a terminal, whatever is in it. */
static uint32_t line_text_add(struct elf_object *o, struct str text)
{
	char printable[TEXT_BYTES_MAX + 4];
	size_t length = MIN(text.length, (size_t)TEXT_BYTES_MAX);
	while (length > 0 && length < text.length && ((uint8_t)text.data[length] & 0xc0) == 0x80)
		length--; /* not within a character */
	for (size_t i = 0; i < length; i++)
		printable[i] = (uint8_t)text.data[i] < ' ' || text.data[i] == 0x7f ? '?' : text.data[i];
	bool cut = length < text.length;
	for (int dots = 0; cut && dots < 3; dots++)
		printable[length++] = '.';
	struct str key = str_make(printable, length);
	uintptr_t known = (uintptr_t)map_get(&o->line_texts, key);
	if (known)
		return (uint32_t)known - 1;
	uint32_t at = text_add(&o->type_names, key);
	int r = map_put(&o->line_texts, key, (void *)((uintptr_t)at + 1), NULL);
	if (r == -ENOMEM)
		fail(o, r); /* past the limit it is only longer */
	return at;
}

void elf_line_add(struct elf_object *o, uint32_t section, uint64_t offset, const char *file, struct str text,
                  unsigned line)
{
	uint32_t file_at = line_text_add(o, str_from(file)), text_at = line_text_add(o, text);
	WORDS(&elf_section_at(o, section)->lines, (uint32_t)offset, file_at, text_at, MIN(line, LINE_MAX) << 10);
}

void elf_function_add(struct elf_object *o, uint32_t section, uint64_t offset, uint32_t type)
{
	WORDS(&elf_section_at(o, section)->functions, (uint32_t)offset, type);
}

/* Records of all sections that have any; each section's are told by its name. */
static void infos_write(struct elf_object *o, bool lines, struct buf *out)
{
	uint32_t bytes = lines ? 16 : 8;
	WORDS(out, bytes);
	for (size_t i = 1; i < o->section_count; i++) {
		const struct elf_section *s = &o->sections[i];
		const struct buf *records = lines ? &s->lines : &s->functions;
		if (records->length == 0)
			continue;
		WORDS(out, text_add(&o->type_names, str_from(s->name)), (uint32_t)(records->length / bytes));
		buf_add_str(out, buf_str(records));
	}
}

static void btf_ext_write(struct elf_object *o, struct buf *out)
{
	_cleanup_(buf_done) struct buf functions, lines;
	buf_init(&functions, SECTION_BYTES_MAX);
	buf_init(&lines, SECTION_BYTES_MAX);
	infos_write(o, false, &functions);
	infos_write(o, true, &lines);
	WORDS(out, BTF_MAGIC | BTF_VERSION << 16, 24, 0, (uint32_t)functions.length, (uint32_t)functions.length,
	      (uint32_t)lines.length);
	buf_add_str(out, buf_str(&functions));
	buf_add_str(out, buf_str(&lines));
	if (functions.error || lines.error)
		fail(o, functions.error == -ENOMEM || lines.error == -ENOMEM ? -ENOMEM : -E2BIG);
}

static void btf_write(struct elf_object *o, struct buf *out)
{
	WORDS(out, BTF_MAGIC | BTF_VERSION << 16, sizeof(struct btf_header), 0, (uint32_t)o->types.length,
	      (uint32_t)o->types.length, (uint32_t)o->type_names.length);
	buf_add_str(out, buf_str(&o->types));
	buf_add_str(out, buf_str(&o->type_names));
}

/* ---- the file ---- */

/* Locals come first in a table of symbols. */
static uint32_t final_symbol(const struct elf_object *o, uint32_t symbol)
{
	uint32_t locals = (uint32_t)(o->locals.length / sizeof(Elf64_Sym));
	return symbol & GLOBAL_SYMBOL ? locals + (symbol & ~GLOBAL_SYMBOL) : symbol;
}

static void relocations_write(struct elf_object *o, uint32_t section, uint32_t symbols)
{
	char name[256];
	const struct buf *from = &elf_section_at(o, section)->relocations;
	if (from->length == 0)
		return;
	snprintf(name, sizeof(name), ".rel%s", elf_section_at(o, section)->name);
	uint32_t index = elf_section_add(o, name, SHT_REL, SHF_INFO_LINK, 8);
	if (o->error)
		return;
	struct elf_section *to = elf_section_at(o, index);
	to->link = symbols;
	to->info = section;
	to->entry_bytes = sizeof(Elf64_Rel);
	from = &elf_section_at(o, section)->relocations;
	for (size_t at = 0; at < from->length; at += sizeof(Elf64_Rel)) {
		Elf64_Rel r;
		memcpy(&r, from->data + at, sizeof(r));
		r.r_info = ELF64_R_INFO((uint64_t)final_symbol(o, (uint32_t)ELF64_R_SYM(r.r_info)),
		                        ELF64_R_TYPE(r.r_info));
		buf_add(&to->data, &r, sizeof(r));
	}
}

/* What says how all else belongs together. */
static void tables_write(struct elf_object *o)
{
	uint32_t code_end = (uint32_t)o->section_count;
	uint32_t ext = elf_section_add(o, ".BTF.ext", SHT_PROGBITS, 0, 4);
	uint32_t btf = elf_section_add(o, ".BTF", SHT_PROGBITS, 0, 4);
	uint32_t names = elf_section_add(o, ".strtab", SHT_STRTAB, 0, 1);
	uint32_t symbols = elf_section_add(o, ".symtab", SHT_SYMTAB, 0, 8);
	if (o->error)
		return;
	btf_ext_write(o, &elf_section_at(o, ext)->data); /* adds texts */
	btf_write(o, &elf_section_at(o, btf)->data);
	buf_add_str(&elf_section_at(o, names)->data, buf_str(&o->symbol_names));
	struct elf_section *s = elf_section_at(o, symbols);
	buf_add_str(&s->data, buf_str(&o->locals));
	buf_add_str(&s->data, buf_str(&o->globals));
	s->link = names;
	s->info = (uint32_t)(o->locals.length / sizeof(Elf64_Sym));
	s->entry_bytes = sizeof(Elf64_Sym);
	for (uint32_t i = 1; i < code_end && !o->error; i++)
		relocations_write(o, i, symbols);
}

static void pad(struct buf *out, uint64_t align)
{
	while (align > 1 && out->length % align && !out->error)
		buf_add_char(out, '\0');
}

static Elf64_Ehdr header_of(const struct elf_object *o, uint64_t headers, uint32_t names)
{
	Elf64_Ehdr h = {
	        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
	                    __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB, EV_CURRENT},
	        .e_type = ET_REL,
	        .e_machine = EM_BPF,
	        .e_version = EV_CURRENT,
	        .e_shoff = headers,
	        .e_ehsize = sizeof(h),
	        .e_shentsize = sizeof(Elf64_Shdr),
	        .e_shnum = (uint16_t)o->section_count,
	        .e_shstrndx = (uint16_t)names,
	};
	return h;
}

/* The sections behind each other, and their headers behind them. */
static void file_write(const struct elf_object *o, uint32_t names, const uint32_t *name_at, struct buf *out)
{
	_cleanup_(buf_done) struct buf headers;
	size_t begin = out->length;
	Elf64_Ehdr header = {0};
	buf_init(&headers, SECTION_BYTES_MAX);
	buf_add(out, &header, sizeof(header));
	for (size_t i = 0; i < o->section_count; i++) {
		const struct elf_section *s = &o->sections[i];
		pad(out, s->align);
		Elf64_Shdr h = {
		        .sh_name = name_at[i],
		        .sh_type = s->type,
		        .sh_flags = s->flags,
		        .sh_offset = i > 0 ? out->length - begin : 0,
		        .sh_size = s->type == SHT_NOBITS ? s->empty_bytes : s->data.length,
		        .sh_link = s->link,
		        .sh_info = s->info,
		        .sh_addralign = s->align,
		        .sh_entsize = s->entry_bytes,
		};
		buf_add(&headers, &h, sizeof(h));
		buf_add_str(out, buf_str(&s->data));
	}
	pad(out, 8);
	header = header_of(o, out->length - begin, names);
	buf_add_str(out, buf_str(&headers));
	if (headers.error && !out->error)
		out->error = headers.error;
	if (!out->error)
		memcpy(out->data + begin, &header, sizeof(header));
}

static int buffers_error(const struct elf_object *o)
{
	const struct buf *all[] = {&o->locals, &o->globals, &o->symbol_names, &o->types, &o->type_names};
	int error = o->error;
	for (size_t i = 0; i < ARRAY_SIZE(all) && !error; i++)
		error = all[i]->error;
	for (size_t i = 0; i < o->section_count && !error; i++) {
		const struct elf_section *s = &o->sections[i];
		error = s->data.error        ? s->data.error
		        : s->lines.error     ? s->lines.error
		        : s->functions.error ? s->functions.error
		                             : s->relocations.error;
	}
	return error == -ENOBUFS ? -E2BIG : error;
}

int elf_write(struct elf_object *o, struct buf *out)
{
	_cleanup_(base_free_ptr) uint32_t *name_at = NULL;
	tables_write(o);
	uint32_t names = elf_section_add(o, ".shstrtab", SHT_STRTAB, 0, 1);
	if (o->error)
		return o->error;
	name_at = calloc(o->section_count, sizeof(*name_at));
	if (!name_at)
		return -ENOMEM;
	for (size_t i = 0; i < o->section_count; i++)
		name_at[i] = text_add(&o->sections[names].data, str_from(o->sections[i].name));
	int r = buffers_error(o);
	if (r < 0)
		return r;
	file_write(o, names, name_at, out);
	r = buf_error(out);
	return r == -ENOBUFS ? -E2BIG : r;
}
