/* SPDX-License-Identifier: Apache-2.0
 *
 * BTF, read where it lies: types and texts (.BTF), and what belongs to instructions (.BTF.ext). After vm_btf_open() every
 * type's parts are there, every name is a text and every type that another one refers to exists; they may still refer to
 * each other in a circle.
 */
#ifndef PICKET_VM_BTF_INT_H
#define PICKET_VM_BTF_INT_H

#include <linux/btf.h>

#include "vm/elf_int.h"

#define VM_BTF_TYPES_MAX (1u << 20)
#define VM_BTF_DEPTH_MAX 32 /* of types that refer to others, where one is looked through */

struct vm_btf {
	struct str texts;
	const uint8_t *types; /* not aligned */
	uint32_t *offsets;    /* of type i + 1 in types */
	uint32_t type_count;  /* without type 0, which is void */
};

struct vm_btf_type {
	uint32_t kind; /* BTF_KIND_* */
	uint32_t count;
	bool flag; /* struct, union: members carry their size in bits; enum: signed; forward declaration: of a union */
	uint32_t size, type; /* the one that the kind has */
	const char *name;
	const uint8_t *parts;
};

struct vm_btf_member {
	const char *name;
	uint32_t type;
	uint32_t bit_offset;
};

struct vm_btf_variable { /* of a section */
	uint32_t type, offset, size;
};

/* s: its data are borrowed as long as ret_btf is used. ret_btf: vm_btf_done(). -EINVAL, -ENOMEM. */
int vm_btf_open(const struct vm_elf_section *s, struct vm_btf *ret_btf, struct picket_error *reterr) must_check;
void vm_btf_done(struct vm_btf *b);
const char *vm_btf_text(const struct vm_btf *b, uint32_t offset); /* NULL: outside of the texts */
/* id: at most type_count. */
struct vm_btf_type vm_btf_type(const struct vm_btf *b, uint32_t id);
/* The same, without const, volatile, restrict, typedef and tags around it; kind BTF_KIND_UNKN: void, or too deep. */
struct vm_btf_type vm_btf_plain_type(const struct vm_btf *b, uint32_t id);
uint32_t vm_btf_plain_id(const struct vm_btf *b, uint32_t id); /* that type's id; 0: void, or too deep */
/* index: below the type's count. */
struct vm_btf_member vm_btf_member(const struct vm_btf *b, const struct vm_btf_type *t, uint32_t index);
struct vm_btf_variable vm_btf_variable(const struct vm_btf_type *t, uint32_t index);
struct btf_array vm_btf_array(const struct vm_btf_type *t);
uint64_t vm_btf_enumerator(const struct vm_btf_type *t, uint32_t index);
const char *vm_btf_enumerator_name(const struct vm_btf *b, const struct vm_btf_type *t, uint32_t index);
uint32_t vm_btf_integer(const struct vm_btf_type *t); /* encoding, offset and bits: BTF_INT_*() */
/* false: a type without a size, too deep, or past 4 GiB. */
bool vm_btf_size(const struct vm_btf *b, uint32_t id, uint32_t *ret_bytes);

/* ---- .BTF.ext: records of one kind for one section, in the order of their instructions ---- */
enum vm_btf_info_kind { VM_BTF_FUNCTIONS, VM_BTF_LINES, VM_BTF_RELOCATIONS, VM_BTF_INFO_KINDS };

struct vm_btf_info {
	enum vm_btf_info_kind kind;
	const char *section; /* whose instructions they are about */
	const uint8_t *records;
	uint32_t count, record_bytes;
	uint64_t offset; /* of the records in .BTF.ext */
};

struct vm_btf_function { /* VM_BTF_FUNCTIONS */
	uint32_t offset; /* in bytes, of the instruction; first in all kinds */
	uint32_t type;
};

struct vm_btf_line { /* VM_BTF_LINES */
	uint32_t offset;
	uint32_t file, text;  /* texts that exist */
	uint32_t line_column; /* line << 10 | column */
};

struct vm_btf_relocation { /* VM_BTF_RELOCATIONS: CO-RE */
	uint32_t offset;
	uint32_t type;
	uint32_t access; /* a text that exists */
	uint32_t kind;
};

/* Hands each of them to visit, which stops the reading when it returns non-zero. That comes back; or -EINVAL. */
int vm_btf_ext_read(const struct vm_elf_section *s, const struct vm_btf *b,
                    int (*visit)(const struct vm_btf_info *info, void *user), void *user, struct picket_error *reterr)
        must_check;
struct vm_btf_function vm_btf_function(const struct vm_btf_info *info, uint32_t index);
struct vm_btf_line vm_btf_line(const struct vm_btf_info *info, uint32_t index);
struct vm_btf_relocation vm_btf_relocation(const struct vm_btf_info *info, uint32_t index);

#endif
