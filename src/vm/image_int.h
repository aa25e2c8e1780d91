/* SPDX-License-Identifier: Apache-2.0
 *
 * From an ELF object to an image, in the order of the files: image.c looks at the sections and leads the way, image_map.c
 * reads what maps there are, image_code.c finds functions and what their instructions refer to, image_link.c puts programs
 * together, image_table.c reads which of them are entries of tables.
 */
#ifndef PICKET_VM_IMAGE_INT_H
#define PICKET_VM_IMAGE_INT_H

#include "base/map.h"
#include "vm/elf_int.h"
#include "vm/image.h"

/* ---- while it is read ---- */
enum vm_section_kind { VM_SECTION_OTHER, VM_SECTION_CODE, VM_SECTION_DATA, VM_SECTION_MAPS };

struct vm_loader_section {
	enum vm_section_kind kind;
	uint32_t relocations;                       /* index of the section that holds them; 0: none */
	uint32_t map;                               /* DATA: its map */
	const char *kept_name;                      /* the image's copy; NULL: not made yet */
	struct vm_btf_info info[VM_BTF_INFO_KINDS]; /* CODE */
	uint32_t first_function, function_count;    /* CODE */
};

struct vm_definition { /* a map of .maps */
	const char *name;
	uint64_t offset, size; /* in .maps */
	struct picket_map_spec spec, inner;
	enum { VM_VALUES_NONE, VM_VALUES_MAPS, VM_VALUES_PROGRAMS } values;
	uint32_t values_offset; /* from offset */
};

struct vm_function_info {
	const char *name;
	uint32_t section, start, count; /* in slots */
	bool global;
	bool hidden;                     /* from other objects: verified as if it were static */
	uint32_t program;                /* 1 + index in image->programs; 0: only a subprogram */
	uint32_t first_link, link_count; /* sorted by insn */
	const char *kept_name;           /* the image's copy; NULL: not made yet */
	/* of the program that is being linked */
	uint32_t linked; /* its number, from 1: other values are left from before */
	uint32_t position;
};

/* An instruction that refers to something: a call, or an lddw. */
struct vm_link {
	uint32_t insn; /* slots from the function's start */
	struct vm_target target;
};

/* A relocation, read and sorted by its offset. */
struct vm_relocation {
	uint64_t offset; /* in bytes of the section that it changes */
	uint32_t symbol, type;
};

enum vm_extern { VM_EXTERN_NONE, VM_EXTERN_KCONFIG, VM_EXTERN_KSYM };

struct vm_loader {
	struct picket_image *image;
	struct picket_error *reterr;
	struct vm_elf elf;
	uint32_t btf_section, btf_ext_section, maps_section, license_section;
	struct vm_loader_section *sections; /* one for each of the ELF file's */
	/* image_map.c */
	struct vm_definition *definitions; /* sorted by offset; definition i is image->maps[first_definition + i] */
	uint32_t definition_count, first_definition;
	struct map externs;                          /* name → enum vm_extern, from BTF */
	uint32_t kconfig_bytes;                      /* of the largest of them */
	uint32_t kconfig;                            /* 1 + its map; 0: not made yet */
	uint64_t data_bytes;                         /* of all sections of data */
	struct map extern_index;                     /* name → 1 + index in image->externs */
	struct vm_map_set reach[VM_OBJECT_MAPS_MAX]; /* maps that a map's value points to, itself included */
	/* image_code.c */
	struct vm_function_info *functions; /* sorted by section, then start */
	uint32_t function_count;
	struct vm_link *links;
	size_t link_count, link_capacity;
	const struct vm_function_info *walked; /* whose instructions are looked at; NULL: data is */
	/* image_link.c */
	size_t insns;    /* of all programs until now */
	uint32_t linked; /* number of the program that is being linked */
	uint32_t *order; /* its functions; room for all */
	uint32_t order_count;
};

static inline const struct vm_elf_section *vm_loader_section(const struct vm_loader *l, uint32_t index)
{
	return &l->elf.sections[index];
}
#define vm_loader_error(l, section, offset, ...) \
	vm_elf_error((l)->reterr, vm_loader_section((l), (section))->name, (offset), __VA_ARGS__)
/* A copy of a name in the image. NULL: no memory. */
const char *vm_loader_text(struct vm_loader *l, const char *text) must_check;
const char *vm_loader_section_text(struct vm_loader *l, uint32_t section) must_check;

/* image_map.c */
int vm_loader_read_maps(struct vm_loader *l) must_check;     /* those of data and those of .maps */
int vm_loader_read_pointers(struct vm_loader *l) must_check; /* in data; needs functions */
int vm_loader_read_values(struct vm_loader *l) must_check;   /* initialisers in .maps; needs programs */
int vm_loader_kconfig_map(struct vm_loader *l, uint32_t *ret_map) must_check; /* made when first asked for */

/* image_code.c */
int vm_loader_find_functions(struct vm_loader *l) must_check; /* and numbers the programs */
int vm_loader_find_links(struct vm_loader *l) must_check;
/* What the relocation of an address means. addend: what the place itself holds, in bytes. */
int vm_loader_resolve(struct vm_loader *l, uint32_t section, const struct vm_relocation *r, int64_t addend,
                      struct vm_target *ret_target) must_check;
/* Relocations of a section, checked against its size and the symbols. ret_relocations: free();
 * both are untouched if there are none. */
int vm_loader_relocations(struct vm_loader *l, uint32_t section, struct vm_relocation **ret_relocations,
                          size_t *ret_count) must_check;

/* image_table.c */
int vm_loader_read_tables(struct vm_loader *l) must_check; /* needs programs */

/* image_link.c */
int vm_loader_link(struct vm_loader *l, uint32_t function, struct vm_image_program *ret_program) must_check;

#endif
