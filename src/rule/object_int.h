/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the room: an ELF object for eBPF being written: sections, symbols, relocations, and types (BTF). The first
 * error stays in the object, and elf_write() tells it. In the byte order of this machine.
 */
#ifndef PICKET_RULE_OBJECT_INT_H
#define PICKET_RULE_OBJECT_INT_H

#include <elf.h>
#include <linux/btf.h>

#include "base/buf.h"
#include "base/map.h"

struct elf_section {
	char *name;
	uint32_t type, link, info, align, entry_bytes;
	uint64_t flags;
	uint64_t empty_bytes; /* SHT_NOBITS: as long as that */
	struct buf data;
	struct buf relocations; /* Elf64_Rel, whose symbols are still numbered as elf_symbol_add() does */
	struct buf lines;       /* of .BTF.ext: four words each */
	struct buf functions;   /* of .BTF.ext: two words each */
};
struct elf_object {
	struct elf_section *sections; /* [0]: the one that is none */
	size_t section_count, section_capacity;
	struct elf_section none;    /* what stands in for one that could not be added */
	struct buf locals, globals; /* Elf64_Sym */
	struct buf symbol_names, types, type_names;
	struct map line_texts; /* files and texts of lines: where they are in type_names, + 1 */
	uint32_t type_count;
	int error;
};

/* What a relocation asks for: the address of data (lddw), or a call. */
enum elf_relocation { ELF_RELOCATION_ADDRESS = 1, ELF_RELOCATION_CALL = 10 };

void elf_init(struct elf_object *o);
void elf_done(struct elf_object *o); /* also for _cleanup_ */
/* Its index. name: copied. */
uint32_t elf_section_add(struct elf_object *o, const char *name, uint32_t type, uint64_t flags, uint32_t align);
/* Borrowed, until the next section is added. */
struct elf_section *elf_section_at(struct elf_object *o, uint32_t section);
/* A number for elf_relocate(). */
uint32_t elf_symbol_add(struct elf_object *o, const char *name, bool global, uint8_t type, uint32_t section,
                        uint64_t value, uint64_t size);
void elf_relocate(struct elf_object *o, uint32_t section, uint64_t offset, uint32_t symbol, enum elf_relocation how);

/* ---- types: each returns its id ---- */
uint32_t btf_integer(struct elf_object *o, const char *name, uint32_t bytes, bool is_signed);
uint32_t btf_array(struct elf_object *o, uint32_t element, uint32_t index, uint32_t count);
/* count members follow, by btf_member(). */
uint32_t btf_struct(struct elf_object *o, const char *name, uint32_t bytes, uint32_t count);
void btf_member(struct elf_object *o, const char *name, uint32_t type, uint32_t offset_bytes);
uint32_t btf_prototype(struct elf_object *o, uint32_t result); /* that takes nothing */
uint32_t btf_function(struct elf_object *o, const char *name, uint32_t prototype, bool global);
/* A global variable that is all of a section. */
void btf_variable(struct elf_object *o, const char *name, uint32_t type, uint32_t bytes, const char *section);

/* What an instruction of a section is about; in the order of their offsets. line 0: nothing in particular. */
void elf_line_add(struct elf_object *o, uint32_t section, uint64_t offset, const char *file, struct str text,
                  unsigned line);
void elf_function_add(struct elf_object *o, uint32_t section, uint64_t offset, uint32_t type);

/* Returns 0; -ENOMEM; -E2BIG. */
int elf_write(struct elf_object *o, struct buf *out) must_check;

#endif
