/* SPDX-License-Identifier: Apache-2.0
 *
 * ELF objects for BPF, read where they lie: 64 bits, little-endian, relocatable. After vm_elf_open() every section's data,
 * every name and every symbol's place is known to be inside of what it must be inside of; the sections together are no
 * longer than the file, so that what is linear in each of them is linear in the file.
 */
#ifndef PICKET_VM_ELF_INT_H
#define PICKET_VM_ELF_INT_H

#include <elf.h>

#include "vm/vm_int.h"

#define VM_ELF_BYTES_MAX (256u << 20)
#define VM_ELF_SECTIONS_MAX 8192
#define VM_ELF_SYMBOLS_MAX (1u << 20)
#define VM_ELF_NAME_MAX 4096 /* bytes of a section's or symbol's name, with its NUL */

/* Relocation types; <elf.h> has the first and the last. */
enum vm_elf_relocation_type {
	VM_R_64_64 = 1,       /* lddw's number: an address */
	VM_R_64_ABS64 = 2,    /* 8 bytes of data: an address */
	VM_R_64_ABS32 = 3,    /* 4 bytes of data */
	VM_R_64_NODYLD32 = 4, /* 4 bytes of .BTF and .BTF.ext, which hold the right number already */
	VM_R_64_32 = 10,      /* call's distance */
};

struct vm_elf_section {
	const char *name;
	const uint8_t *data; /* NULL: SHT_NOBITS, or empty */
	uint64_t size;
	uint64_t flags;
	uint32_t type, link, info;
};

struct vm_elf_symbol {
	const char *name; /* a section's own symbol has the section's name */
	uint64_t value, size;
	uint16_t section; /* an index, or SHN_UNDEF, SHN_ABS, SHN_COMMON */
	uint8_t type, bind, visibility;
};

struct vm_elf {
	struct vm_elf_section *sections;
	uint32_t section_count;
	const uint8_t *symbols; /* not aligned */
	uint32_t symbol_count;
	uint32_t symbol_section; /* index; 0: there are no symbols */
	struct str symbol_names;
};

/* bytes: borrowed as long as ret_elf is used. ret_elf: vm_elf_done(). -EINVAL, -ENOMEM. */
int vm_elf_open(const void *bytes, size_t length, struct vm_elf *ret_elf, struct picket_error *reterr) must_check;
void vm_elf_done(struct vm_elf *e);
/* index: below symbol_count. */
struct vm_elf_symbol vm_elf_symbol(const struct vm_elf *e, uint32_t index);
/* Of a section whose type is SHT_REL; index: below size / sizeof(Elf64_Rel). */
Elf64_Rel vm_elf_relocation(const struct vm_elf_section *s, uint64_t index);
/* Says what is wrong with an object, and where; characters that a terminal might obey are replaced. reterr may be NULL.
 * Returns -EINVAL. */
int vm_elf_error(struct picket_error *reterr, const char *section, uint64_t offset, const char *format, ...)
        printf_like(4, 5);
/* Copies what fits, with its NUL, and replaces those characters. */
void vm_elf_printable(char *to, size_t size, const char *text);

#endif
