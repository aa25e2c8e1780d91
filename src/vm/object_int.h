/* SPDX-License-Identifier: Apache-2.0
 *
 * From an ELF object to maps and programs, in the order of the files: object.c looks at the sections and leads the way,
 * object_map.c makes the maps, object_code.c finds functions and what their instructions refer to, object_link.c puts
 * programs together. debug.c keeps what a program still knows of its source.
 */
#ifndef PICKET_VM_OBJECT_INT_H
#define PICKET_VM_OBJECT_INT_H

#include "base/arena.h"
#include "base/map.h"
#include "vm/btf_int.h"
#include "vm/elf_int.h"
#include "vm/map_int.h"

/* Limits of one object, besides those of vm.h, elf_int.h and btf_int.h. */
#define VM_OBJECT_PROGRAMS_MAX 4096
#define VM_OBJECT_FUNCTIONS_MAX 65536
#define VM_OBJECT_MAPS_MAX PICKET_MAPS_MAX                 /* sections of data are maps, too */
#define VM_OBJECT_EXTERNS_MAX 65536                        /* declared in BTF */
#define VM_OBJECT_INSNS_MAX (4 * (size_t)PICKET_INSNS_MAX) /* of all programs, each with its subprograms */
#define VM_OBJECT_MEMORY_MAX (1ull << 30)                  /* of all maps, in bytes */

/* ---- what stays ---- */
struct vm_object_program {
	struct picket_program *program;
	const char *name, *section;
};

struct vm_object_map {
	struct picket_map *map;
	const char *name;
};

struct picket_object {
	struct arena text; /* all names below */
	char *source;      /* BTF's texts: lines and files, for struct vm_debug; NULL: none */
	const char *license;
	struct vm_object_program *programs;
	size_t program_count;
	struct vm_object_map maps[VM_OBJECT_MAPS_MAX];
	size_t map_count;
	struct {
		uint32_t map, index;
	} * jumps; /* where initialisers of prog arrays put programs of this object */
	size_t jump_count;
};

/* ---- debug.c ---- */
struct vm_debug_line { /* as struct vm_btf_line */
	uint32_t insn; /* of the program; sorted */
	uint32_t file, text, line_column;
};

struct vm_debug_function {
	uint32_t insn; /* sorted */
	const char *name;
};

/* Names and source are the object's, which outlives its programs. */
struct vm_debug {
	struct vm_debug_line *lines;
	size_t line_count;
	struct vm_debug_function *functions;
	size_t function_count;
	const char *source; /* what file and text count from */
};

struct vm_source_line {
	const char *file, *text;
	unsigned line, column;
};
/* false: unknown. */
bool vm_debug_line(const struct vm_debug *d, size_t insn, struct vm_source_line *ret_line);

/* ---- while it is opened ---- */
enum vm_section_kind { VM_SECTION_OTHER, VM_SECTION_CODE, VM_SECTION_DATA, VM_SECTION_MAPS };

struct vm_loader_section {
	enum vm_section_kind kind;
	uint32_t relocations;                       /* index of the section that holds them; 0: none */
	uint32_t map;                               /* DATA: its map */
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
	uint32_t program;                /* 1 + index in object->programs; 0: only a subprogram */
	uint32_t first_link, link_count; /* sorted by insn */
	const char *kept_name;           /* the object's copy; NULL: not made yet */
	/* of the program that is being linked */
	uint32_t linked; /* its number, from 1: other values are left from before */
	uint32_t position;
};

enum vm_target_kind {
	VM_TARGET_FUNCTION, /* index: the function */
	VM_TARGET_MAP,      /* index: the map */
	VM_TARGET_VALUE,    /* index: the map, offset: in its value */
	VM_TARGET_HELPER,   /* index: the helper's id */
	VM_TARGET_ABSENT,   /* weak, and not there */
};

struct vm_target {
	enum vm_target_kind kind;
	uint32_t index;
	uint64_t offset;
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

#define VM_MAP_SET_WORDS (VM_OBJECT_MAPS_MAX / 64)
struct vm_map_set {
	uint64_t words[VM_MAP_SET_WORDS];
};

struct vm_loader {
	struct picket_options options; /* maps: of the program that is being linked */
	struct picket_object *object;
	struct picket_error *reterr;
	struct vm_elf elf;
	struct vm_btf btf; /* type_count 0: there is none */
	uint32_t btf_section, btf_ext_section, maps_section, license_section;
	struct vm_loader_section *sections; /* one for each of the ELF file's */
	/* object_map.c */
	struct vm_definition *definitions; /* sorted by offset; definition i is object->maps[first_definition + i] */
	uint32_t definition_count, first_definition;
	struct map externs;                          /* name → enum vm_extern, from BTF */
	uint32_t kconfig_bytes;                      /* of the largest of them */
	uint32_t kconfig;                            /* 1 + its map; 0: not made yet */
	uint64_t memory;                             /* of all maps */
	struct vm_map_set reach[VM_OBJECT_MAPS_MAX]; /* maps that a map's value points to, itself included */
	/* object_code.c */
	struct vm_function_info *functions; /* sorted by section, then start */
	uint32_t function_count;
	struct vm_link *links;
	size_t link_count, link_capacity;
	const struct vm_function_info *walked; /* whose instructions are looked at; NULL: data is */
	/* object_link.c */
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
/* A copy of a name in the object. NULL: no memory. */
const char *vm_loader_text(struct vm_loader *l, const char *text) must_check;

/* object_map.c */
int vm_loader_make_maps(struct vm_loader *l) must_check; /* those of data and those of .maps */
int vm_loader_fill_data(struct vm_loader *l) must_check; /* pointers in data; needs functions */
int vm_loader_fill_maps(struct vm_loader *l) must_check; /* initialisers in .maps; needs programs */
int vm_loader_kconfig_map(struct vm_loader *l, uint32_t *ret_map) must_check; /* zeros, made when first asked for */

/* object_code.c */
int vm_loader_find_functions(struct vm_loader *l) must_check; /* and numbers the programs */
int vm_loader_find_links(struct vm_loader *l) must_check;
/* What the relocation of an address means. addend: what the place itself holds, in bytes. */
int vm_loader_resolve(struct vm_loader *l, uint32_t section, const struct vm_relocation *r, int64_t addend,
                      struct vm_target *ret_target) must_check;
/* Relocations of a section, checked against its size and the symbols. ret_relocations: free();
 * both are untouched if there are none. */
int vm_loader_relocations(struct vm_loader *l, uint32_t section, struct vm_relocation **ret_relocations,
                          size_t *ret_count) must_check;

/* object_link.c */
int vm_loader_link(struct vm_loader *l, uint32_t function, struct picket_program **ret_program) must_check;

#endif
