/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "vm/elf_int.h"

#ifndef EM_BPF
#define EM_BPF 247
#endif

/* ---- errors ---- */
void vm_elf_printable(char *to, size_t size, const char *text)
{
	size_t i;

	for (i = 0; i + 1 < size && text[i]; i++)
		to[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
	to[i] = '\0';
}

int vm_elf_error(struct picket_error *reterr, const char *section, uint64_t offset, const char *format, ...)
{
	va_list args;

	if (!reterr)
		return -EINVAL;
	memset(reterr, 0, sizeof(*reterr));
	reterr->offset = offset;
	vm_elf_printable(reterr->section, sizeof(reterr->section), section);
	va_start(args, format);
	vsnprintf(reterr->text, sizeof(reterr->text), format, args);
	va_end(args);
	vm_elf_printable(reterr->text, sizeof(reterr->text), reterr->text);
	return -EINVAL;
}

/* ---- the file ---- */
static bool inside(uint64_t offset, uint64_t size, uint64_t length)
{
	return offset <= length && size <= length - offset;
}

static int check_ident(const unsigned char *ident, struct picket_error *reterr)
{
	if (memcmp(ident, ELFMAG, SELFMAG) != 0)
		return vm_elf_error(reterr, "", 0, "this is not an ELF file");
	if (ident[EI_CLASS] != ELFCLASS64)
		return vm_elf_error(reterr, "", EI_CLASS, "this is not a 64-bit ELF file");
	if (ident[EI_DATA] != ELFDATA2LSB)
		return vm_elf_error(reterr, "", EI_DATA, "the object is not little-endian: compile with -target bpfel");
	if (ident[EI_VERSION] != EV_CURRENT)
		return vm_elf_error(reterr, "", EI_VERSION, "unknown ELF version %u", ident[EI_VERSION]);
	if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__)
		return vm_elf_error(reterr, "", EI_DATA,
		                    "a little-endian object cannot run on this big-endian machine");
	return 0;
}

static int check_header(const Elf64_Ehdr *h, size_t length, struct picket_error *reterr)
{
	int r = check_ident(h->e_ident, reterr);

	if (r)
		return r;
	if (h->e_type != ET_REL)
		return vm_elf_error(reterr, "", offsetof(Elf64_Ehdr, e_type),
		                    "ELF type %u is not a relocatable object (clang -c)", h->e_type);
	if (h->e_machine != EM_BPF)
		return vm_elf_error(reterr, "", offsetof(Elf64_Ehdr, e_machine),
		                    "the object is for machine %u, not for BPF (clang -target bpf)", h->e_machine);
	if (h->e_version != EV_CURRENT)
		return vm_elf_error(reterr, "", offsetof(Elf64_Ehdr, e_version), "unknown ELF version %u",
		                    h->e_version);
	if (h->e_shentsize != sizeof(Elf64_Shdr))
		return vm_elf_error(reterr, "", offsetof(Elf64_Ehdr, e_shentsize),
		                    "a section header has %u bytes, not %zu", h->e_shentsize, sizeof(Elf64_Shdr));
	if (!h->e_shnum || h->e_shnum > VM_ELF_SECTIONS_MAX)
		return vm_elf_error(reterr, "", offsetof(Elf64_Ehdr, e_shnum),
		                    "the object has %u sections; 1 to %u are possible", h->e_shnum,
		                    VM_ELF_SECTIONS_MAX);
	if (!inside(h->e_shoff, (uint64_t)h->e_shnum * sizeof(Elf64_Shdr), length))
		return vm_elf_error(reterr, "", offsetof(Elf64_Ehdr, e_shoff),
		                    "the section headers are outside of the file: it may have been cut");
	if (h->e_shstrndx == SHN_UNDEF || h->e_shstrndx >= h->e_shnum)
		return vm_elf_error(reterr, "", offsetof(Elf64_Ehdr, e_shstrndx),
		                    "section %u is to hold the names of sections, but does not exist", h->e_shstrndx);
	return 0;
}

/* ---- sections ---- */
static Elf64_Shdr section_header(const uint8_t *headers, uint32_t index)
{
	Elf64_Shdr h;

	memcpy(&h, headers + (size_t)index * sizeof(h), sizeof(h));
	return h;
}

static bool string_table(const struct vm_elf_section *s, struct str *ret_table)
{
	if (s->type != SHT_STRTAB || !s->data)
		return false;
	*ret_table = str_make((const char *)s->data, s->size);
	return true;
}

/* Does a text that is short enough for a name begin there, and end in the table? */
static bool is_name(struct str table, uint64_t offset)
{
	return offset < table.length &&
	       memchr(table.data + offset, '\0', MIN(table.length - offset, (size_t)VM_ELF_NAME_MAX));
}

static int read_sections(struct vm_elf *e, const uint8_t *bytes, size_t length, const Elf64_Ehdr *header,
                         struct picket_error *reterr)
{
	const uint8_t *headers = bytes + header->e_shoff;
	uint64_t total = 0;

	e->sections = calloc(header->e_shnum, sizeof(*e->sections));
	if (!e->sections)
		return -ENOMEM;
	e->section_count = header->e_shnum;
	for (uint32_t i = 1; i < e->section_count; i++) {
		struct vm_elf_section *s = &e->sections[i];
		Elf64_Shdr h = section_header(headers, i);

		*s = (struct vm_elf_section){.size = h.sh_size,
		                             .flags = h.sh_flags,
		                             .type = h.sh_type,
		                             .link = h.sh_link,
		                             .info = h.sh_info};
		if (h.sh_type == SHT_NOBITS || h.sh_type == SHT_NULL)
			continue;
		if (!inside(h.sh_offset, h.sh_size, length))
			return vm_elf_error(reterr, "", header->e_shoff + i * sizeof(h),
			                    "section %u is outside of the file: it may have been cut", i);
		total += h.sh_size;
		if (total > length)
			return vm_elf_error(reterr, "", header->e_shoff + i * sizeof(h),
			                    "section %u lies over others: all together are longer than the file", i);
		s->data = h.sh_size ? bytes + h.sh_offset : NULL;
	}
	return 0;
}

static int name_sections(struct vm_elf *e, const uint8_t *bytes, const Elf64_Ehdr *header, struct picket_error *reterr)
{
	struct str names = STR("");

	if (!string_table(&e->sections[header->e_shstrndx], &names))
		return vm_elf_error(reterr, "", offsetof(Elf64_Ehdr, e_shstrndx),
		                    "section %u is to hold the names of sections, but is no table of strings",
		                    header->e_shstrndx);
	e->sections[0].name = "";
	for (uint32_t i = 1; i < e->section_count; i++) {
		Elf64_Shdr h = section_header(bytes + header->e_shoff, i);

		if (!is_name(names, h.sh_name))
			return vm_elf_error(
			        reterr, "", header->e_shoff + i * sizeof(h),
			        "the name of section %u is outside of the table of strings, or longer than %d bytes", i,
			        VM_ELF_NAME_MAX);
		e->sections[i].name = names.data + h.sh_name;
	}
	return 0;
}

/* ---- symbols ---- */
struct vm_elf_symbol vm_elf_symbol(const struct vm_elf *e, uint32_t index)
{
	struct vm_elf_symbol s;
	Elf64_Sym raw;

	memcpy(&raw, e->symbols + (size_t)index * sizeof(raw), sizeof(raw));
	s = (struct vm_elf_symbol){
	        .name = e->symbol_names.data + raw.st_name,
	        .value = raw.st_value,
	        .size = raw.st_size,
	        .section = raw.st_shndx,
	        .type = ELF64_ST_TYPE(raw.st_info),
	        .bind = ELF64_ST_BIND(raw.st_info),
	        .visibility = ELF64_ST_VISIBILITY(raw.st_other),
	};
	if (s.type == STT_SECTION && s.section < e->section_count)
		s.name = e->sections[s.section].name;
	return s;
}

static int check_symbol(const struct vm_elf *e, uint32_t index, struct picket_error *reterr)
{
	const char *table = e->sections[e->symbol_section].name;
	uint64_t offset = (uint64_t)index * sizeof(Elf64_Sym);
	struct vm_elf_symbol s;
	Elf64_Sym raw;

	memcpy(&raw, e->symbols + offset, sizeof(raw));
	if (!is_name(e->symbol_names, raw.st_name))
		return vm_elf_error(reterr, table, offset,
		                    "the name of symbol %u is outside of the table of strings, or longer than %d bytes",
		                    index, VM_ELF_NAME_MAX);
	s = vm_elf_symbol(e, index);
	if (s.section == SHN_UNDEF || s.section == SHN_ABS || s.section == SHN_COMMON)
		return 0;
	if (s.section >= e->section_count)
		return vm_elf_error(reterr, table, offset, "symbol %u (%.64s) is in section %u, which does not exist",
		                    index, s.name, s.section);
	if (!inside(s.value, s.size, e->sections[s.section].size))
		return vm_elf_error(reterr, table, offset, "symbol %u (%.64s) is outside of its section %.64s", index,
		                    s.name, e->sections[s.section].name);
	return 0;
}

static int open_symbols(struct vm_elf *e, uint32_t index, struct picket_error *reterr)
{
	const struct vm_elf_section *s = &e->sections[index];

	if (e->symbol_section)
		return vm_elf_error(reterr, s->name, 0, "the object has two tables of symbols");
	e->symbol_section = index;
	if (s->size % sizeof(Elf64_Sym) || s->size / sizeof(Elf64_Sym) > VM_ELF_SYMBOLS_MAX)
		return vm_elf_error(reterr, s->name, 0, "%llu bytes are not a table of at most %u symbols",
		                    (unsigned long long)s->size, VM_ELF_SYMBOLS_MAX);
	if (s->link >= e->section_count || !string_table(&e->sections[s->link], &e->symbol_names))
		return vm_elf_error(reterr, s->name, 0, "section %u is to hold the names of symbols, but does not",
		                    s->link);
	e->symbols = s->data;
	e->symbol_count = (uint32_t)(s->size / sizeof(Elf64_Sym));
	for (uint32_t i = 0; i < e->symbol_count; i++) {
		int r = check_symbol(e, i, reterr);
		if (r)
			return r;
	}
	return 0;
}

/* ---- relocations ---- */
Elf64_Rel vm_elf_relocation(const struct vm_elf_section *s, uint64_t index)
{
	Elf64_Rel rel;

	memcpy(&rel, s->data + index * sizeof(rel), sizeof(rel));
	return rel;
}

static int check_relocations(const struct vm_elf *e, const struct vm_elf_section *s, struct picket_error *reterr)
{
	if (s->type == SHT_RELA)
		return vm_elf_error(reterr, s->name, 0, "BPF has no relocations with an addend (SHT_RELA)");
	if (!s->info || s->info >= e->section_count)
		return vm_elf_error(reterr, s->name, 0, "relocates section %u, which does not exist", s->info);
	if (!e->symbol_section || s->link != e->symbol_section)
		return vm_elf_error(reterr, s->name, 0, "section %u is to be its table of symbols, but is none",
		                    s->link);
	if (s->size % sizeof(Elf64_Rel))
		return vm_elf_error(reterr, s->name, 0, "%llu bytes are not a table of relocations",
		                    (unsigned long long)s->size);
	return 0;
}

int vm_elf_open(const void *bytes, size_t length, struct vm_elf *ret_elf, struct picket_error *reterr)
{
	_cleanup_(vm_elf_done) struct vm_elf e = {0};
	Elf64_Ehdr header;
	int r;

	if (length < sizeof(header))
		return vm_elf_error(reterr, "", 0, "%zu bytes are too few for an ELF file", length);
	if (length > VM_ELF_BYTES_MAX)
		return vm_elf_error(reterr, "", 0, "the object has %zu bytes, more than %u", length, VM_ELF_BYTES_MAX);
	memcpy(&header, bytes, sizeof(header));
	r = check_header(&header, length, reterr);
	if (!r)
		r = read_sections(&e, bytes, length, &header, reterr);
	if (!r)
		r = name_sections(&e, bytes, &header, reterr);
	for (uint32_t i = 1; !r && i < e.section_count; i++)
		if (e.sections[i].type == SHT_SYMTAB)
			r = open_symbols(&e, i, reterr);
	for (uint32_t i = 1; !r && i < e.section_count; i++)
		if (e.sections[i].type == SHT_REL || e.sections[i].type == SHT_RELA)
			r = check_relocations(&e, &e.sections[i], reterr);
	if (r)
		return r;
	*ret_elf = e;
	e.sections = NULL;
	return 0;
}

void vm_elf_done(struct vm_elf *e)
{
	free(e->sections);
	*e = (struct vm_elf){0};
}
