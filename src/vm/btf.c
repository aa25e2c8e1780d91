/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "vm/btf_int.h"

#define KIND_COUNT (BTF_KIND_ENUM64 + 1)
#define WORD sizeof(uint32_t)

static uint32_t word_at(const uint8_t *bytes, size_t index)
{
	uint32_t word;

	memcpy(&word, bytes + index * WORD, sizeof(word));
	return word;
}

/* ---- types: what follows the three words that all have ---- */
static const struct kind {
	bool known;
	bool refers;      /* the third word is a type */
	uint8_t fixed;    /* words that follow */
	uint8_t repeated; /* words that follow, for each of its parts */
	uint8_t type_at;  /* 1 + the word of a part, or of what is fixed, that is a type; 0: none */
	bool named;       /* the first word of a part is a name */
} kinds[KIND_COUNT] = {
        [BTF_KIND_INT] = {.known = true, .fixed = 1},
        [BTF_KIND_PTR] = {.known = true, .refers = true},
        [BTF_KIND_ARRAY] = {.known = true, .fixed = 3, .type_at = 1},
        [BTF_KIND_STRUCT] = {.known = true, .repeated = 3, .type_at = 2, .named = true},
        [BTF_KIND_UNION] = {.known = true, .repeated = 3, .type_at = 2, .named = true},
        [BTF_KIND_ENUM] = {.known = true, .repeated = 2, .named = true},
        [BTF_KIND_FWD] = {.known = true},
        [BTF_KIND_TYPEDEF] = {.known = true, .refers = true},
        [BTF_KIND_VOLATILE] = {.known = true, .refers = true},
        [BTF_KIND_CONST] = {.known = true, .refers = true},
        [BTF_KIND_RESTRICT] = {.known = true, .refers = true},
        [BTF_KIND_FUNC] = {.known = true, .refers = true}, /* its count is its linkage */
        [BTF_KIND_FUNC_PROTO] = {.known = true, .refers = true, .repeated = 2, .type_at = 2, .named = true},
        [BTF_KIND_VAR] = {.known = true, .refers = true, .fixed = 1},
        [BTF_KIND_DATASEC] = {.known = true, .repeated = 3, .type_at = 1},
        [BTF_KIND_FLOAT] = {.known = true},
        [BTF_KIND_DECL_TAG] = {.known = true, .refers = true, .fixed = 1},
        [BTF_KIND_TYPE_TAG] = {.known = true, .refers = true},
        [BTF_KIND_ENUM64] = {.known = true, .repeated = 3, .named = true},
};

const char *vm_btf_text(const struct vm_btf *b, uint32_t offset)
{
	return offset < b->texts.length ? b->texts.data + offset : NULL;
}

struct vm_btf_type vm_btf_type(const struct vm_btf *b, uint32_t id)
{
	const uint8_t *at;
	uint32_t info;

	if (id == 0)
		return (struct vm_btf_type){.kind = BTF_KIND_UNKN, .name = ""};
	at = b->types + b->offsets[id - 1];
	info = word_at(at, 1);
	return (struct vm_btf_type){
	        .kind = BTF_INFO_KIND(info),
	        .count = BTF_INFO_VLEN(info),
	        .flag = BTF_INFO_KFLAG(info),
	        .size = word_at(at, 2),
	        .type = word_at(at, 2),
	        .name = vm_btf_text(b, word_at(at, 0)),
	        .parts = at + sizeof(struct btf_type),
	};
}

uint32_t vm_btf_plain_id(const struct vm_btf *b, uint32_t id)
{
	for (int depth = 0; depth < VM_BTF_DEPTH_MAX; depth++) {
		struct vm_btf_type t = vm_btf_type(b, id);

		switch (t.kind) {
		case BTF_KIND_CONST:
		case BTF_KIND_VOLATILE:
		case BTF_KIND_RESTRICT:
		case BTF_KIND_TYPEDEF:
		case BTF_KIND_TYPE_TAG:
			id = t.type;
			break;
		default:
			return id;
		}
	}
	return 0;
}

struct vm_btf_type vm_btf_plain_type(const struct vm_btf *b, uint32_t id)
{
	return vm_btf_type(b, vm_btf_plain_id(b, id));
}

struct vm_btf_member vm_btf_member(const struct vm_btf *b, const struct vm_btf_type *t, uint32_t index)
{
	const uint8_t *at = t->parts + index * sizeof(struct btf_member);

	return (struct vm_btf_member){vm_btf_text(b, word_at(at, 0)), word_at(at, 1), word_at(at, 2)};
}

struct vm_btf_variable vm_btf_variable(const struct vm_btf_type *t, uint32_t index)
{
	const uint8_t *at = t->parts + index * sizeof(struct btf_var_secinfo);

	return (struct vm_btf_variable){word_at(at, 0), word_at(at, 1), word_at(at, 2)};
}

struct btf_array vm_btf_array(const struct vm_btf_type *t)
{
	return (struct btf_array){word_at(t->parts, 0), word_at(t->parts, 1), word_at(t->parts, 2)};
}

uint64_t vm_btf_enumerator(const struct vm_btf_type *t, uint32_t index)
{
	if (t->kind == BTF_KIND_ENUM)
		return word_at(t->parts, 2 * (size_t)index + 1);
	return word_at(t->parts, 3 * (size_t)index + 1) | (uint64_t)word_at(t->parts, 3 * (size_t)index + 2) << 32;
}

const char *vm_btf_enumerator_name(const struct vm_btf *b, const struct vm_btf_type *t, uint32_t index)
{
	return vm_btf_text(b, word_at(t->parts, (t->kind == BTF_KIND_ENUM ? 2 : 3) * (size_t)index));
}

uint32_t vm_btf_integer(const struct vm_btf_type *t)
{
	return word_at(t->parts, 0);
}

bool vm_btf_size(const struct vm_btf *b, uint32_t id, uint32_t *ret_bytes)
{
	uint64_t elements = 1;

	for (int depth = 0; depth < VM_BTF_DEPTH_MAX; depth++) {
		struct vm_btf_type t = vm_btf_plain_type(b, id);
		uint64_t bytes;

		switch (t.kind) {
		case BTF_KIND_ARRAY:
			elements *= vm_btf_array(&t).nelems;
			if (elements > UINT32_MAX)
				return false;
			id = vm_btf_array(&t).type;
			continue;
		case BTF_KIND_PTR:
			bytes = 8;
			break;
		case BTF_KIND_INT:
		case BTF_KIND_STRUCT:
		case BTF_KIND_UNION:
		case BTF_KIND_ENUM:
		case BTF_KIND_ENUM64:
		case BTF_KIND_FLOAT:
			bytes = t.size;
			break;
		default:
			return false;
		}
		if (bytes * elements > UINT32_MAX)
			return false;
		*ret_bytes = (uint32_t)(bytes * elements);
		return true;
	}
	return false;
}

/* ---- opening ---- */
struct btf_reader {
	const struct vm_elf_section *section;
	struct picket_error *reterr;
	uint64_t types_offset; /* in the section */
};

#define fail(r, offset, ...) vm_elf_error((r)->reterr, (r)->section->name, (offset), __VA_ARGS__)

/* Both sections begin alike: magic, version, flags, and the header's length, from whose end offsets count. */
static int read_magic(const struct btf_reader *r, size_t header_bytes, uint32_t *ret_header_bytes)
{
	const struct vm_elf_section *s = r->section;
	uint32_t length;

	if (!s->data || s->size < header_bytes)
		return fail(r, 0, "%llu bytes are too few for its header", (unsigned long long)s->size);
	if (s->size > UINT32_MAX)
		return fail(r, 0, "%llu bytes are too many", (unsigned long long)s->size);
	if (s->data[0] != (BTF_MAGIC & 0xff) || s->data[1] != BTF_MAGIC >> 8)
		return fail(r, 0, "does not begin as BTF does");
	if (s->data[2] != BTF_VERSION)
		return fail(r, 2, "unknown version %u", s->data[2]);
	length = word_at(s->data, 1);
	if (length < header_bytes || length > s->size)
		return fail(r, WORD, "a header of %u bytes cannot be", length);
	*ret_header_bytes = length;
	return 0;
}

/* A part that the header names by two words: offset and length. */
static int read_part(const struct btf_reader *r, uint32_t header_bytes, size_t words_at, struct str *ret_part,
                     uint64_t *ret_offset)
{
	const struct vm_elf_section *s = r->section;
	uint32_t offset = word_at(s->data, words_at), length = word_at(s->data, words_at + 1);
	uint64_t left = s->size - header_bytes;

	if (offset > left || length > left - offset)
		return fail(r, words_at * WORD, "offset %u and length %u lead out of the section", offset, length);
	if (offset % WORD && words_at != offsetof(struct btf_header, str_off) / WORD)
		return fail(r, words_at * WORD, "offset %u is not a multiple of %zu", offset, WORD);
	*ret_offset = header_bytes + (uint64_t)offset;
	*ret_part = str_make((const char *)s->data + *ret_offset, length);
	return 0;
}

static size_t type_bytes(const uint8_t *at)
{
	uint32_t info = word_at(at, 1);
	const struct kind *k = &kinds[BTF_INFO_KIND(info)];

	return sizeof(struct btf_type) + WORD * (k->fixed + (size_t)k->repeated * BTF_INFO_VLEN(info));
}

static bool kind_known(uint32_t kind)
{
	return kind < KIND_COUNT && kinds[kind].known;
}

/* Counts the types; with offsets also notes where they are. */
static int walk_types(const struct btf_reader *r, struct str types, uint32_t *offsets, uint32_t *ret_count)
{
	const uint8_t *data = (const uint8_t *)types.data;
	uint32_t count = 0;

	for (size_t at = 0; at < types.length; count++) {
		size_t left = types.length - at;

		if (count == VM_BTF_TYPES_MAX)
			return fail(r, r->types_offset + at, "more than %u types", VM_BTF_TYPES_MAX);
		if (left < sizeof(struct btf_type))
			return fail(r, r->types_offset + at, "type %u is cut off", count + 1);
		if (!kind_known(BTF_INFO_KIND(word_at(data + at, 1))))
			return fail(r, r->types_offset + at, "type %u is of unknown kind %u", count + 1,
			            BTF_INFO_KIND(word_at(data + at, 1)));
		if (type_bytes(data + at) > left)
			return fail(r, r->types_offset + at, "type %u is cut off", count + 1);
		if (offsets)
			offsets[count] = (uint32_t)at;
		at += type_bytes(data + at);
	}
	*ret_count = count;
	return 0;
}

static int check_type(const struct btf_reader *r, const struct vm_btf *b, uint32_t id)
{
	uint64_t offset = r->types_offset + b->offsets[id - 1];
	struct vm_btf_type t = vm_btf_type(b, id);
	const struct kind *k = &kinds[t.kind];
	uint32_t parts = k->repeated ? t.count : 1;

	if (!t.name)
		return fail(r, offset, "the name of type %u is outside of the texts", id);
	if (k->refers && t.type > b->type_count)
		return fail(r, offset, "type %u refers to type %u, which does not exist", id, t.type);
	for (uint32_t i = 0; i < parts; i++) {
		const uint8_t *part = t.parts + WORD * k->repeated * (size_t)i;

		if (k->named && !vm_btf_text(b, word_at(part, 0)))
			return fail(r, offset, "a name in type %u is outside of the texts", id);
		if (k->type_at && word_at(part, k->type_at - 1u) > b->type_count)
			return fail(r, offset, "type %u refers to type %u, which does not exist", id,
			            word_at(part, k->type_at - 1u));
	}
	return 0;
}

int vm_btf_open(const struct vm_elf_section *s, struct vm_btf *ret_btf, struct picket_error *reterr)
{
	_cleanup_(vm_btf_done) struct vm_btf b = {0};
	struct btf_reader reader = {.section = s, .reterr = reterr};
	struct str types = STR("");
	uint32_t header_bytes = 0;
	uint64_t texts_offset = 0;
	int r;

	r = read_magic(&reader, sizeof(struct btf_header), &header_bytes);
	if (!r)
		r = read_part(&reader, header_bytes, offsetof(struct btf_header, type_off) / WORD, &types,
		              &reader.types_offset);
	if (!r)
		r = read_part(&reader, header_bytes, offsetof(struct btf_header, str_off) / WORD, &b.texts,
		              &texts_offset);
	if (r)
		return r;
	if (!b.texts.length || b.texts.data[0] || b.texts.data[b.texts.length - 1])
		return fail(&reader, texts_offset, "its texts do not begin and end with a NUL");
	r = walk_types(&reader, types, NULL, &b.type_count);
	if (r)
		return r;
	b.types = (const uint8_t *)types.data;
	b.offsets = calloc(b.type_count + 1, sizeof(*b.offsets));
	if (!b.offsets)
		return -ENOMEM;
	r = walk_types(&reader, types, b.offsets, &b.type_count);
	for (uint32_t id = 1; !r && id <= b.type_count; id++)
		r = check_type(&reader, &b, id);
	if (r)
		return r;
	*ret_btf = b;
	b.offsets = NULL;
	return 0;
}

void vm_btf_done(struct vm_btf *b)
{
	free(b->offsets);
	*b = (struct vm_btf){0};
}

/* ---- .BTF.ext ---- */
struct vm_btf_function vm_btf_function(const struct vm_btf_info *info, uint32_t index)
{
	const uint8_t *at = info->records + (size_t)index * info->record_bytes;

	return (struct vm_btf_function){word_at(at, 0), word_at(at, 1)};
}

struct vm_btf_line vm_btf_line(const struct vm_btf_info *info, uint32_t index)
{
	const uint8_t *at = info->records + (size_t)index * info->record_bytes;

	return (struct vm_btf_line){word_at(at, 0), word_at(at, 1), word_at(at, 2), word_at(at, 3)};
}

struct vm_btf_relocation vm_btf_relocation(const struct vm_btf_info *info, uint32_t index)
{
	const uint8_t *at = info->records + (size_t)index * info->record_bytes;

	return (struct vm_btf_relocation){word_at(at, 0), word_at(at, 1), word_at(at, 2), word_at(at, 3)};
}

static int check_record(const struct btf_reader *r, const struct vm_btf *b, const struct vm_btf_info *info,
                        uint32_t index)
{
	uint64_t offset = info->offset + (uint64_t)index * info->record_bytes;
	struct vm_btf_function f;
	struct vm_btf_line line;
	struct vm_btf_relocation relocation;

	switch (info->kind) {
	case VM_BTF_FUNCTIONS:
		f = vm_btf_function(info, index);
		if (f.type > b->type_count || vm_btf_type(b, f.type).kind != BTF_KIND_FUNC)
			return fail(r, offset, "type %u is to be a function, but is none", f.type);
		return 0;
	case VM_BTF_LINES:
		line = vm_btf_line(info, index);
		if (!vm_btf_text(b, line.file) || !vm_btf_text(b, line.text))
			return fail(r, offset, "a line's file or text is outside of the texts");
		return 0;
	case VM_BTF_RELOCATIONS:
		relocation = vm_btf_relocation(info, index);
		if (relocation.type > b->type_count || !vm_btf_text(b, relocation.access))
			return fail(r, offset, "type %u of a CO-RE relocation, or its access, does not exist",
			            relocation.type);
		return 0;
	case VM_BTF_INFO_KINDS:
		break;
	}
	return 0;
}

static int check_records(const struct btf_reader *r, const struct vm_btf *b, const struct vm_btf_info *info)
{
	for (uint32_t i = 0; i < info->count; i++) {
		uint32_t before = i ? vm_btf_function(info, i - 1).offset : 0;
		uint32_t at = vm_btf_function(info, i).offset;
		int error = check_record(r, b, info, i);

		if (error)
			return error;
		if (i && (at < before || (at == before && info->kind != VM_BTF_RELOCATIONS)))
			return fail(r, info->offset + (uint64_t)i * info->record_bytes,
			            "records for section %.64s are not in the order of its instructions",
			            info->section);
	}
	return 0;
}

/* One part: the length of a record, then, for each section: its name, the number of records, the records. */
static int read_infos(const struct btf_reader *r, const struct vm_btf *b, enum vm_btf_info_kind kind, struct str part,
                      uint64_t offset, int (*visit)(const struct vm_btf_info *info, void *user), void *user)
{
	static const uint32_t least[VM_BTF_INFO_KINDS] = {sizeof(struct vm_btf_function), sizeof(struct vm_btf_line),
	                                                  sizeof(struct vm_btf_relocation)};
	const uint8_t *data = (const uint8_t *)part.data;
	struct vm_btf_info info = {.kind = kind};

	if (!part.length)
		return 0;
	if (part.length < WORD)
		return fail(r, offset, "the length of a record is cut off");
	info.record_bytes = word_at(data, 0);
	if (info.record_bytes < least[kind] || info.record_bytes % WORD)
		return fail(r, offset, "a record of %u bytes cannot be", info.record_bytes);
	for (size_t at = WORD; at < part.length;) {
		int error;

		if (part.length - at < 2 * WORD)
			return fail(r, offset + at, "a section's name and number of records are cut off");
		info.section = vm_btf_text(b, word_at(data + at, 0));
		info.count = word_at(data + at, 1);
		info.records = data + at + 2 * WORD;
		info.offset = offset + at + 2 * WORD;
		if (!info.section || !info.count)
			return fail(r, offset + at, "records without a section, or a section without records");
		at += 2 * WORD;
		if (info.count > (part.length - at) / info.record_bytes)
			return fail(r, offset + at, "%u records for section %.64s are more than there are", info.count,
			            info.section);
		at += (size_t)info.count * info.record_bytes;
		error = check_records(r, b, &info);
		if (!error)
			error = visit(&info, user);
		if (error)
			return error;
	}
	return 0;
}

int vm_btf_ext_read(const struct vm_elf_section *s, const struct vm_btf *b,
                    int (*visit)(const struct vm_btf_info *info, void *user), void *user, struct picket_error *reterr)
{
	static const uint8_t words[VM_BTF_INFO_KINDS] = {2, 4, 6}; /* of offset and length in the header */
	struct btf_reader reader = {.section = s, .reterr = reterr};
	uint32_t header_bytes = 0;
	int r = read_magic(&reader, 6 * WORD, &header_bytes);

	for (int kind = 0; !r && kind < VM_BTF_INFO_KINDS; kind++) {
		uint64_t offset = 0;
		struct str part = STR("");

		if (header_bytes < (words[kind] + 2u) * WORD)
			break; /* CO-RE relocations came later */
		r = read_part(&reader, header_bytes, words[kind], &part, &offset);
		if (!r)
			r = read_infos(&reader, b, (enum vm_btf_info_kind)kind, part, offset, visit, user);
	}
	return r;
}
