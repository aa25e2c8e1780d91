/* SPDX-License-Identifier: Apache-2.0
 *
 * Changes to a BPF object that leave it one that can be opened, mostly: instructions, types, line information, CO-RE
 * relocations, symbols, the names of sections (and so the kinds of programs).
 */
#ifndef PICKET_FUZZ_OBJECT_MUTATOR_H
#define PICKET_FUZZ_OBJECT_MUTATOR_H

#include <linux/btf.h>
#include <stdio.h>

#include "elf_parts.h"
#include "insns.h"

#define TYPES_SEEN_MAX 4096
#define TEXTS_MAX 16384 /* bytes of a table of names that is made longer */

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/* ---- chance ---- */
struct chance {
	uint64_t state;
};

static inline uint64_t chance_next(struct chance *c)
{
	c->state = c->state * 6364136223846793005ull + 1442695040888963407ull;
	return c->state >> 33;
}

static inline size_t chance_below(struct chance *c, size_t count)
{
	return (size_t)(chance_next(c) % count);
}

static inline bool chance_one_in(struct chance *c, size_t count)
{
	return chance_below(c, count) == 0;
}

/* A number near those where things change. */
static inline uint64_t chance_number(struct chance *c, uint64_t before)
{
	static const uint64_t numbers[] = {
	        0,    1,     2,      4,      7,       8,        14,        16,       31,         32,       33,
	        63,   64,    65,     127,    128,     255,      256,       511,      512,        513,      4095,
	        4096, 65535, 0x7fff, 0x8000, 1 << 20, 1u << 29, INT32_MAX, 1u << 31, UINT32_MAX, INT64_MAX};

	switch (chance_below(c, 4)) {
	case 0:
		return before + 1 + chance_below(c, 8);
	case 1:
		return before - 1 - chance_below(c, 8);
	case 2:
		return numbers[chance_below(c, ARRAY_SIZE(numbers))];
	default:
		return -numbers[chance_below(c, ARRAY_SIZE(numbers))];
	}
}

/* ---- tables: a word of a record becomes another record's, or some number ---- */
static inline void mutate_word(struct chance *c, uint8_t *to, const uint8_t *other, size_t bytes)
{
	uint64_t number = 0;

	if (!chance_one_in(c, 4)) {
		memmove(to, other, bytes);
		return;
	}
	memcpy(&number, to, bytes);
	number = chance_number(c, number);
	memcpy(to, &number, bytes);
}

static inline void mutate_table(struct chance *c, struct elf_part *p, size_t record, const uint8_t *widths)
{
	size_t count = p ? p->length / record : 0, field = 0, at = 0, fields = strlen((const char *)widths);
	size_t one, other;

	if (!count)
		return;
	for (size_t skip = chance_below(c, fields); field < skip; field++)
		at += widths[field];
	one = chance_below(c, count) * record + at;
	other = chance_below(c, count) * record + at;
	mutate_word(c, p->data + one, p->data + other, widths[field]);
}

/* ---- instructions ---- */
static inline struct elf_part *choose_code(struct chance *c, struct elf_parts *e)
{
	struct elf_part *code[ELF_PARTS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < e->count; i++)
		if (e->parts[i].header.sh_flags & SHF_EXECINSTR && e->parts[i].length >= sizeof(struct picket_insn))
			code[count++] = &e->parts[i];
	return count ? code[chance_below(c, count)] : NULL;
}

/* NULL: there is no such instruction. */
static inline const struct vm_insn_info *insn_info(const struct picket_insn *insn)
{
	for (size_t i = 0; i < VM_OPCODES; i++)
		if (vm_insns[i].mnemonic && vm_insns[i].code == insn->code)
			return &vm_insns[i];
	return NULL;
}

/* Another instruction of the same class, with the same operands as far as it has such. */
static inline void mutate_opcode(struct chance *c, struct picket_insn *insn, size_t at, size_t count)
{
	for (unsigned tries = 0; tries < 32; tries++) {
		size_t index = chance_below(c, VM_OPCODES);
		if (!vm_insns[index].mnemonic || (vm_insns[index].code & 7) != (insn->code & 7))
			continue;
		insn->code = (uint8_t)index;
		*insn = insn_repair(*insn, at, count, 16);
		return;
	}
}

static inline void mutate_field(struct chance *c, struct picket_insn *insn, size_t at, size_t count)
{
	const struct vm_insn_info *info = insn_info(insn);
	unsigned has = info ? insn_fields[info->format] : DST | SRC | OFFSET | IMM;
	int64_t distance = (int64_t)chance_below(c, count) - (int64_t)at - 1;

	switch (1u << chance_below(c, 6) & has) {
	case DST:
		insn->dst = chance_below(c, 11) & 15;
		return;
	case SRC:
		insn->src = chance_below(c, 11) & 15;
		return;
	case OFFSET:
		insn->offset = (int16_t)chance_number(c, (uint64_t)(int64_t)insn->offset);
		return;
	case IMM:
		insn->imm = (int32_t)chance_number(c, (uint64_t)(int64_t)insn->imm);
		return;
	case JUMP:
		insn->offset = (int16_t)distance;
		return;
	case JUMP_LONG:
		insn->imm = (int32_t)distance;
		return;
	default:
		mutate_opcode(c, insn, at, count);
	}
}

/* What is relocated, has two slots, or ends a function: it seldom may be anything else. */
static inline bool insn_is_tied(const struct picket_insn *insn)
{
	return insn->code == vm_insns[VM_LDDW].code || !insn->code || insn->code == vm_insns[VM_CALL_HELPER].code ||
	       insn->code == vm_insns[VM_EXIT].code;
}

static inline bool insn_jumps(const struct picket_insn *insn)
{
	const struct vm_insn_info *info = insn_info(insn);

	return info && insn_fields[info->format] & (JUMP | JUMP_LONG);
}

static inline void mutate_insn(struct chance *c, struct picket_insn *insns, size_t at, size_t count)
{
	struct picket_insn *insn = &insns[at], before = *insn;
	uint64_t bits = chance_next(c) << 32 ^ chance_next(c);

	if (insn_is_tied(insn) && !chance_one_in(c, 4))
		return;
	switch (chance_below(c, 6)) {
	case 0:
		memcpy(insn, &bits, sizeof(*insn));
		*insn = insn_repair(*insn, at, count, 16);
		break;
	case 1:
		*insn = insns[chance_below(c, count)];
		break;
	case 2:
		*insn = (struct picket_insn){.code = vm_insns[VM_JA].code}; /* nothing happens */
		break;
	default:
		mutate_field(c, insn, at, count);
	}
	if (insn_is_tied(insn) && !insn_is_tied(&before) && !chance_one_in(c, 8))
		*insn = before;
}

static inline void mutate_code(struct chance *c, struct elf_parts *e)
{
	struct elf_part *p = choose_code(c, e);
	size_t count = p ? p->length / sizeof(struct picket_insn) : 0;

	for (size_t more = count ? 1 + chance_below(c, 3) : 0; more; more--)
		mutate_insn(c, (struct picket_insn *)p->data, chance_below(c, count), count);
}

/* ---- types ---- */
static inline size_t type_extra_bytes(uint32_t info)
{
	size_t count = BTF_INFO_VLEN(info);

	switch (BTF_INFO_KIND(info)) {
	case BTF_KIND_INT:
	case BTF_KIND_VAR:
	case BTF_KIND_DECL_TAG:
		return 4;
	case BTF_KIND_ARRAY:
		return 12;
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
	case BTF_KIND_DATASEC:
	case BTF_KIND_ENUM64:
		return count * 12;
	case BTF_KIND_ENUM:
	case BTF_KIND_FUNC_PROTO:
		return count * 8;
	default:
		return 0;
	}
}

struct btf_place {
	size_t start, words;
};

/* Where types lie in .BTF. Returns how many. */
static inline size_t types_find(const struct elf_part *p, struct btf_place places[TYPES_SEEN_MAX])
{
	struct btf_header h;
	size_t at, end, count = 0;

	if (!p || p->length < sizeof(h))
		return 0;
	memcpy(&h, p->data, sizeof(h));
	at = (size_t)h.hdr_len + h.type_off;
	end = MIN(at + h.type_len, p->length);
	while (at + sizeof(struct btf_type) <= end && count < TYPES_SEEN_MAX) {
		struct btf_type t;
		size_t bytes;
		memcpy(&t, p->data + at, sizeof(t));
		bytes = sizeof(t) + type_extra_bytes(t.info);
		if (bytes > end - at)
			break;
		places[count++] = (struct btf_place){at, bytes / sizeof(uint32_t)};
		at += bytes;
	}
	return count;
}

/* A word of a type becomes the same one of another, or a number: maps' types and sizes are numbers of arrays. */
static inline void mutate_type(struct chance *c, struct elf_parts *e)
{
	static struct btf_place places[TYPES_SEEN_MAX];
	struct elf_part *p = elf_parts_find(e, ".BTF");
	size_t count = types_find(p, places);
	struct btf_place *one, *other;
	size_t word;

	if (!count)
		return;
	one = &places[chance_below(c, count)];
	other = &places[chance_below(c, count)];
	word = chance_below(c, one->words);
	if (word == 1 && !chance_one_in(c, 8)) /* what it is, and of how many parts */
		return;
	mutate_word(c, p->data + one->start + word * sizeof(uint32_t),
	            p->data + other->start + MIN(word, other->words - 1) * sizeof(uint32_t), sizeof(uint32_t));
}

/* A text of .BTF, or a part of one. */
static inline const char *choose_type_text(struct chance *c, struct elf_parts *e)
{
	struct elf_part *p = elf_parts_find(e, ".BTF");
	struct btf_header h;
	size_t start;

	if (!p || p->length < sizeof(h))
		return "";
	memcpy(&h, p->data, sizeof(h));
	start = (size_t)h.hdr_len + h.str_off;
	return start < p->length ? elf_part_text(p, start + chance_below(c, p->length - start)) : "";
}

static inline void mutate_type_text(struct chance *c, struct elf_parts *e)
{
	char *text = (char *)(uintptr_t)choose_type_text(c, e);
	size_t length = strlen(text);

	if (length)
		text[chance_below(c, length)] =
		        (char)(chance_one_in(c, 2) ? chance_next(c) : 0x20 + chance_below(c, 96));
}

/* ---- names of sections ---- */

/* Where it stands in a table of texts that ends with the part: it is added if it is not there. 0: too long. */
static inline uint32_t text_add(struct elf_part *p, size_t table, const char *text)
{
	size_t length = strlen(text) + 1, before = p->length;
	const uint8_t *known = table < before ? memmem(p->data + table, before - table, text, length) : NULL;

	if (known)
		return (uint32_t)(known - p->data - table);
	if (table > before || before + length - table > TEXTS_MAX)
		return 0;
	elf_part_resize(p, before + length);
	memcpy(p->data + before, text, length);
	return (uint32_t)(before - table);
}

/* What is said of a section's instructions names it, too. */
static inline void rename_records(struct elf_parts *e, const char *before, const char *after)
{
	struct elf_part *types = elf_parts_find(e, ".BTF"), *records = elf_parts_find(e, ".BTF.ext");
	struct btf_header h;
	size_t table;
	uint32_t name;

	if (!types || !records || types->length < sizeof(h))
		return;
	memcpy(&h, types->data, sizeof(h));
	table = (size_t)h.hdr_len + h.str_off;
	if (table + h.str_len != types->length)
		return;
	name = text_add(types, table, after);
	h.str_len = (uint32_t)(types->length - table);
	memcpy(types->data, &h, sizeof(h));
	for (size_t at = 0; at + sizeof(uint32_t) <= records->length; at += sizeof(uint32_t)) {
		uint32_t word;
		memcpy(&word, records->data + at, sizeof(word));
		if (word && !strcmp(elf_part_text(types, table + word), before))
			memcpy(records->data + at, &name, sizeof(name));
	}
}

/* Another kind of program: "x+" of the table is "x", or "x/" and a hook. */
static inline void mutate_section_name(struct chance *c, struct elf_parts *e)
{
	static const char *const names[] = {
#define SECTION(name, kind, sleeps) name,
#include "verify/kind.def"
	        ".rodata", ".data", ".bss", ".maps", ".struct_ops", ".text", "license", ".kconfig", ".ksyms",
	};
	const char *name = names[chance_below(c, ARRAY_SIZE(names))];
	struct elf_part *p = choose_code(c, e);
	size_t length = strcspn(name, "+");
	char text[128];

	if (chance_one_in(c, 8))
		p = &e->parts[chance_below(c, e->count)];
	if (!p || e->header.e_shstrndx >= e->count)
		return;
	if (name[length] && !chance_one_in(c, 4))
		snprintf(text, sizeof(text), "%.*s/%.64s", (int)length, name, choose_type_text(c, e));
	else
		snprintf(text, sizeof(text), "%.*s", (int)length, name);
	rename_records(e, elf_part_name(e, p), text);
	p->header.sh_name = text_add(&e->parts[e->header.e_shstrndx], 0, text);
}

/* ---- all ---- */
static inline void mutate_relocation(struct chance *c, struct elf_parts *e)
{
	struct elf_part *tables[ELF_PARTS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < e->count; i++)
		if (e->parts[i].header.sh_type == SHT_REL && !strstr(elf_part_name(e, &e->parts[i]), ".BTF"))
			tables[count++] = &e->parts[i];
	if (count)
		mutate_table(c, tables[chance_below(c, count)], sizeof(Elf64_Rel), (const uint8_t *)"\10\4\4");
}

static inline void mutate_bytes(struct chance *c, struct elf_parts *e)
{
	struct elf_part *p = &e->parts[chance_below(c, e->count)];

	for (unsigned tries = 0; tries < 8 && strncmp(elf_part_name(e, p), ".rodata", 7) != 0; tries++)
		p = &e->parts[chance_below(c, e->count)];
	if (p->length)
		LLVMFuzzerMutate(p->data, p->length, p->length);
}

/* What of ELF's header nobody looks at: who opens the object may. */
static inline void mutate_padding(struct chance *c, struct elf_parts *e)
{
	e->header.e_ident[EI_PAD + chance_below(c, EI_NIDENT - EI_PAD)] = (uint8_t)chance_next(c);
}

static inline void mutate_parts(struct chance *c, struct elf_parts *e)
{
	switch (chance_below(c, 20)) {
	case 0:
	case 1:
		mutate_type(c, e);
		return;
	case 2:
		mutate_type_text(c, e);
		return;
	case 3:
	case 4:
		mutate_table(c, elf_parts_find(e, ".BTF.ext"), sizeof(uint32_t), (const uint8_t *)"\4");
		return;
	case 5:
		mutate_table(c, elf_parts_find(e, ".symtab"), sizeof(Elf64_Sym), (const uint8_t *)"\4\1\1\2\10\10");
		return;
	case 6:
		mutate_relocation(c, e);
		return;
	case 7:
		mutate_bytes(c, e);
		return;
	case 8:
		mutate_padding(c, e);
		return;
	case 9:
	case 10:
		mutate_section_name(c, e);
		return;
	default:
		mutate_code(c, e);
	}
}

/* As LLVMFuzzerCustomMutator(). What is no object, and a few that are, are changed as mere bytes. */
static inline size_t object_mutate(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	_cleanup_(elf_parts_done) struct elf_parts e = {.count = 0};
	struct chance c = {seed};
	size_t length = 0;

	if (elf_parts_read(data, size, &e) && e.count && !chance_one_in(&c, 20)) {
		for (size_t more = 1 + chance_below(&c, 3); more; more--)
			mutate_parts(&c, &e);
		length = elf_parts_write(&e, data, max_size);
	}
	return length ? length : LLVMFuzzerMutate(data, size, max_size);
}

/* Instructions of one part of code into another, not what is tied; jumps only where jumps were. */
static inline void cross_code(struct chance *c, const struct elf_part *from, struct elf_part *to)
{
	const struct picket_insn *source = (const struct picket_insn *)from->data;
	struct picket_insn *target = (struct picket_insn *)to->data;
	size_t source_count = from->length / sizeof(*source), target_count = to->length / sizeof(*target);
	size_t start = chance_below(c, source_count), at = chance_below(c, target_count);
	size_t count = 1 + chance_below(c, MIN(source_count - start, target_count - at));

	for (size_t i = 0; i < count; i++)
		if (!insn_is_tied(&source[start + i]) && !insn_is_tied(&target[at + i]) &&
		    insn_jumps(&source[start + i]) == insn_jumps(&target[at + i]))
			target[at + i] = source[start + i];
}

/* As LLVMFuzzerCustomCrossOver(): instructions of the other's code among the first one's. */
static inline size_t object_cross(const uint8_t *data, size_t size, const uint8_t *other, size_t other_size,
                                  uint8_t *out, size_t max_size, unsigned seed)
{
	_cleanup_(elf_parts_done) struct elf_parts e = {.count = 0}, o = {.count = 0};
	struct chance c = {seed};
	struct elf_part *to, *from;

	if (!elf_parts_read(data, size, &e) || !elf_parts_read(other, other_size, &o))
		return 0;
	to = choose_code(&c, &e);
	from = choose_code(&c, &o);
	if (!to || !from)
		return 0;
	cross_code(&c, from, to);
	return elf_parts_write(&e, out, max_size);
}

#endif
