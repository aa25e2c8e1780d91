/* SPDX-License-Identifier: Apache-2.0
 *
 * What an ELF object holds, read and linked, before anything is made of it: for those who load it (object.c) and those who
 * only look at it. Everything here belongs to the image.
 */
#ifndef PICKET_VM_IMAGE_H
#define PICKET_VM_IMAGE_H

#include "base/arena.h"
#include "base/buf.h"
#include "vm/btf_int.h"
#include "vm/map_int.h"

/* Limits of one object, besides those of vm.h, elf_int.h and btf_int.h. */
#define VM_OBJECT_PROGRAMS_MAX 4096
#define VM_OBJECT_FUNCTIONS_MAX 65536
#define VM_OBJECT_MAPS_MAX PICKET_MAPS_MAX                 /* sections of data are maps, too */
#define VM_OBJECT_EXTERNS_MAX 65536                        /* declared in BTF, or referred to */
#define VM_OBJECT_INSNS_MAX (4 * (size_t)PICKET_INSNS_MAX) /* of all programs, each with its subprograms */
#define VM_OBJECT_MEMORY_MAX (1ull << 30)                  /* of all maps, in bytes */

/* What an lddw refers to, by its source register; imm: which, see picket_image_insns(). */
#define VM_SOURCE_MAP 5
#define VM_SOURCE_MAP_VALUE 6
#define VM_SOURCE_KERNEL_VARIABLE 3
#define VM_SOURCE_KERNEL_FUNCTION 2 /* of a call */

#define VM_MAP_SET_WORDS (VM_OBJECT_MAPS_MAX / 64)
struct vm_map_set {
	uint64_t words[VM_MAP_SET_WORDS];
};
static inline bool vm_map_set_has(const struct vm_map_set *set, uint32_t map)
{
	return set->words[map / 64] >> map % 64 & 1;
}

/* ---- debug.c: what a program knows of its source ---- */
struct vm_debug_line { /* as struct vm_btf_line */
	uint32_t insn; /* of the program; sorted */
	uint32_t file, text, line_column;
};

struct vm_debug_function {
	uint32_t insn;  /* sorted */
	uint32_t start; /* in slots of its section */
	uint32_t type;  /* BTF: its BTF_KIND_FUNC; 0: unknown */
	bool global;
	const char *name, *section;
};

/* Names and source are the image's, which outlives its programs. */
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
/* The function that holds an instruction. */
const struct vm_debug_function *vm_debug_function(const struct vm_debug *d, size_t insn);

/* ---- the image ---- */
/* A CO-RE relocation, as struct vm_btf_relocation. */
struct vm_image_core {
	uint32_t insn; /* of the program */
	uint32_t type, access, kind;
};

struct vm_image_program {
	const char *name, *section;
	const char *entry; /* of a table for the kernel: "tcp_congestion_ops.ssthresh"; NULL: it is in none */
	struct picket_insn *insns;
	size_t insn_count;
	struct vm_debug *debug;
	struct vm_image_core *cores;
	size_t core_count;
	struct vm_map_set maps; /* that it may reach, also by pointers in maps */
};

struct vm_image_map {
	struct picket_map_spec spec, inner;
	const char *name, *section;
	uint64_t offset; /* in that section */
	uint8_t *data;   /* its first value, spec.value_size bytes; NULL: zeros, or not a section of data */
	enum { VM_IMAGE_DEFINED, VM_IMAGE_DATA, VM_IMAGE_CONFIG } origin;
	bool frozen; /* DATA: nobody writes to it while programs run */
};

struct vm_image_extern {
	const char *name;
	const char *who, *section; /* refers to it first: a function or section, and where in the object */
	uint64_t offset;
	bool weak, declared; /* in BTF's .ksyms */
};

enum vm_target_kind {
	VM_TARGET_FUNCTION, /* index: the function; in an image: the program */
	VM_TARGET_MAP,      /* index: the map */
	VM_TARGET_VALUE,    /* index: the map, offset: in its value */
	VM_TARGET_KERNEL,   /* index: the extern */
};

struct vm_target {
	enum vm_target_kind kind;
	uint32_t index;
	uint64_t offset;
};

/* 8 bytes of a section of data that are an address. */
struct vm_image_pointer {
	uint32_t map;
	uint64_t offset;
	struct vm_target target; /* no function */
};

/* What a map holds from the beginning. */
struct vm_image_value {
	uint32_t map, index;
	struct vm_target target; /* a map or a program */
};

struct picket_image {
	struct arena text; /* all names */
	uint8_t *btf_bytes;
	size_t btf_length;
	struct vm_btf btf; /* type_count 0: there is none */
	const char *license;
	struct vm_image_program *programs;
	size_t program_count;
	struct vm_image_map maps[VM_OBJECT_MAPS_MAX];
	size_t map_count;
	struct vm_image_extern *externs;
	size_t extern_count, extern_capacity;
	struct vm_image_extern config; /* the first of the kernel's configuration that must be there; name NULL: none */
	struct vm_image_pointer *pointers; /* sorted by map, then offset */
	size_t pointer_count, pointer_capacity;
	struct vm_image_value *values;
	size_t value_count;
};

/* ---- image_core.c: a kernel's types, read once to relocate many programs against (CO-RE) ---- */
struct vm_kernel_types;
/* bytes: as /sys/kernel/btf/vmlinux has it, borrowed as long as ret_types is used, by any thread: vm_kernel_types_free().
 * -EINVAL, -ENOMEM. */
int vm_kernel_types_open(const void *bytes, size_t length, struct vm_kernel_types **ret_types,
                         struct picket_error *reterr) must_check;
void vm_kernel_types_free(struct vm_kernel_types *t); /* NULL is allowed */
/* It has no relocations, or they were done by picket_image_relocate(). */
bool vm_image_is_relocated(const struct picket_image *i, size_t program);
/* What picket_image_relocate() does to a program, to a copy of its instructions. On failure some of them are changed. */
int vm_image_relocate_program(const struct picket_image *i, size_t program, const struct vm_kernel_types *types,
                              struct picket_insn *insns, struct picket_error *reterr) must_check;

/* Frees what programs and maps, once made, have themselves: instructions and first values. */
void vm_image_drop_content(struct picket_image *i);
/* The bytes of an object's file: buf_done(), also if it fails. */
int vm_object_read_file(const char *path, struct buf *out, struct picket_error *reterr) must_check;

#endif
