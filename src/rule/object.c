/* SPDX-License-Identifier: Apache-2.0
 *
 * The programs of a set as an ELF object.
 *
 *	rule/TYPE, rule/process	a program each, with the type's name
 *	.text			functions that seek patterns, each once for all programs
 *	.bss			`event`: the memory that programs work in, as struct rule_event says
 *	.rodata.scanN		`scanN`: the tables of automata
 *	picket.rules		which rule, field or comparison a number means to programs and their helpers: JSON
 *	.BTF, .BTF.ext		types of all this; as source lines, what instructions decide
 *
 * Maps come in the same order as in what runs here, so the instructions are the same, too, once it is linked.
 */
#include "rule/object_int.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "rule/budget_int.h"

#define CODE_FLAGS (SHF_ALLOC | SHF_EXECINSTR)
#define SLOT sizeof(struct picket_insn)
#define LDDW (BPF_LD | BPF_IMM | BPF_DW)
#define CALL (BPF_JMP | BPF_CALL)
#define LDDW_MAP_VALUE 6
#define LICENSE "none stated"
#define NAMES_BYTES_MAX (64u << 20)
#define FUNCTIONS_MAX 65536

struct object_writer {
	const struct rule_programs *programs;
	struct program_parts parts;
	struct elf_object elf;
	uint32_t text;         /* section */
	uint32_t *map_symbols; /* by map */
	struct map functions;  /* instructions as they are in .text → symbol + 1 */
	uint32_t prototype;    /* of all functions */
	uint32_t u8, u64, index;
};

/* ---- maps ---- */

static void add_variable(struct object_writer *w, uint32_t map, const char *name, uint32_t section, uint32_t type)
{
	uint32_t bytes = w->parts.specs[map].value_size;
	w->map_symbols[map] = elf_symbol_add(&w->elf, name, true, STT_OBJECT, section, 0, bytes);
	btf_variable(&w->elf, name, type, bytes, elf_section_at(&w->elf, section)->name);
}

struct member {
	const char *name;
	uint32_t begin, bytes, element; /* type of the elements */
};

static int by_begin(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	return x->begin == y->begin ? 0 : x->begin < y->begin ? -1 : 1;
}

/* Empty ones are left out. */
static uint32_t event_struct(struct object_writer *w)
{
	const struct program_layout *l = w->parts.layout;
	const struct plan *p = w->parts.plan;
	uint32_t bits = 8 * (uint32_t)BIT_WORDS(plan_event_bit(p) + p->event_bits);
	uint32_t known = 8 * (uint32_t)BIT_WORDS(p->known_bits);
	uint32_t numbers = 8 * (uint32_t)p->number_count;
	uint32_t type = l->first - l->live, types[14], count = 0;
	struct member members[] = {
	        {"known", l->known, known, w->u64},
	        {"results", l->results, bits, w->u64},
	        {"states", l->states, numbers, w->u64},
	        {"text_there", l->text_there, 8, w->u64},
	        {"matched", l->matched, type, w->u64},
	        {"entered", l->entered, type, w->u64},
	        {"blocks", l->blocks, 8, w->u64},
	        {"left", l->left, 8, w->u64},
	        {"driven", l->driven, 8, w->u64},
	        {"live", l->live, type, w->u64},
	        {"first", l->first, 8, w->u64},
	        {"numbers", l->numbers, numbers, w->u64},
	        {"text_length", l->text_length, 8, w->u64},
	        {"text", l->text, l->bytes - l->text, w->u8},
	};
	qsort(members, ARRAY_SIZE(members), sizeof(members[0]), by_begin);
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		uint32_t elements = members[i].bytes / (members[i].element == w->u8 ? 1 : 8);
		types[i] = elements ? btf_array(&w->elf, members[i].element, w->index, elements) : 0;
		count += elements > 0;
	}
	uint32_t id = btf_struct(&w->elf, "rule_event", l->bytes, count);
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (types[i])
			btf_member(&w->elf, members[i].name, types[i], members[i].begin);
	return id;
}

static void add_event(struct object_writer *w)
{
	uint32_t section = elf_section_add(&w->elf, ".bss", SHT_NOBITS, SHF_ALLOC | SHF_WRITE, 8);
	elf_section_at(&w->elf, section)->empty_bytes = w->parts.specs[0].value_size;
	add_variable(w, 0, "event", section, event_struct(w));
}

static void add_table(struct object_writer *w, uint32_t map)
{
	char name[32], section_name[48];
	uint32_t bytes = w->parts.specs[map].value_size;
	snprintf(name, sizeof(name), "scan%u", map);
	snprintf(section_name, sizeof(section_name), ".rodata.%s", name);
	uint32_t section = elf_section_add(&w->elf, section_name, SHT_PROGBITS, SHF_ALLOC, 8);
	buf_add(&elf_section_at(&w->elf, section)->data, picket_map_values(w->parts.maps[map]), bytes);
	add_variable(w, map, name, section, btf_array(&w->elf, w->u8, w->index, bytes));
}

static int add_maps(struct object_writer *w)
{
	w->map_symbols = calloc(w->parts.map_count, sizeof(*w->map_symbols));
	if (!w->map_symbols)
		return -ENOMEM;
	add_event(w);
	for (uint32_t i = 1; i < w->parts.map_count; i++)
		add_table(w, i);
	return 0;
}

/* ---- lines: what instructions decide ---- */

static void atom_text(const struct object_writer *w, uint32_t atom, struct buf *out)
{
	cond_test_explain(w->parts.plan->atoms[atom].test, out);
}

static const char *seeking(enum group_kind kind)
{
	return kind == GROUP_BEGINS ? "begins" : kind == GROUP_ENDS ? "ends" : "scan";
}

static void group_text(const struct object_writer *w, uint32_t group, struct buf *out)
{
	const struct plan_group *g = &w->parts.plan->groups[group];
	buf_printf(out, "%s: %zu patterns, ", seeking(g->kind), g->count);
	expr_write(w->parts.plan->texts[g->input].expr, out);
}

static void set_text(const struct object_writer *w, uint32_t set, struct buf *out)
{
	const struct plan_set *s = &w->parts.plan->sets[set];
	buf_printf(out, "number: one of %zu, ", s->count);
	expr_write(w->parts.plan->numbers_asked[s->input].expr, out);
}

/* rule: whose part the mark is in, or NULL. at: the mark's place in the section, in bytes. */
static void add_line(struct object_writer *w, uint32_t section, uint64_t at, const struct code_mark *m,
                     const struct rule *rule)
{
	_cleanup_(buf_done) struct buf text;
	const char *file = rule && rule->file ? rule->file : "rules";
	buf_init(&text, NAMES_BYTES_MAX);
	switch (m->kind) {
	case CODE_MARK_FRAME:
		break;
	case CODE_MARK_RULE:
		buf_printf(&text, "rule: %s", rule->name);
		break;
	case CODE_MARK_MATCH:
		buf_printf(&text, "match: %s", rule->name);
		break;
	case CODE_MARK_ATOM:
		atom_text(w, m->index, &text);
		break;
	case CODE_MARK_GROUP:
		group_text(w, m->index, &text);
		break;
	case CODE_MARK_SET:
		set_text(w, m->index, &text);
		break;
	}
	unsigned line = m->kind == CODE_MARK_FRAME ? 0 : rule ? rule->line : 1;
	elf_line_add(&w->elf, section, at, file, buf_str(&text), line);
	if (text.error == -ENOMEM && !w->elf.error)
		w->elf.error = -ENOMEM;
}

/* Of a program's own part, before its functions; of several marks at one instruction the last. */
static void add_lines(struct object_writer *w, const struct code *c, size_t end, uint32_t section,
                      const struct type_rules *rules)
{
	const struct rule *rule = NULL;
	for (size_t i = 0; i < c->mark_count && c->marks[i].insn < end; i++) {
		const struct code_mark *m = &c->marks[i];
		bool again = i + 1 < c->mark_count && m[1].insn == m->insn;
		if (m->kind == CODE_MARK_RULE)
			rule = &rules->items[m->index]->rule;
		else if (m->kind == CODE_MARK_FRAME)
			rule = NULL;
		if (!again)
			add_line(w, section, m->insn * SLOT, m, rule);
	}
}

/* ---- code ---- */

/* A program and where its functions have been put. */
struct placing {
	struct code code;
	uint32_t *symbols; /* by mark: of the function that begins there, + 1; 0: not yet */
};

static void placing_done(struct placing *p)
{
	code_done(&p->code);
	free(p->symbols);
}

static bool is_function(const struct code_mark *m)
{
	return m->kind == CODE_MARK_GROUP || m->kind == CODE_MARK_SET;
}

/* The index of the mark of the function that begins at an instruction; SIZE_MAX: none does. */
static size_t function_at(const struct code *c, size_t insn)
{
	size_t low = 0, high = c->mark_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (c->marks[middle].insn < insn)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < c->mark_count && c->marks[low].insn == insn; low++)
		if (is_function(&c->marks[low]))
			return low;
	return SIZE_MAX;
}

/* The first instruction of the next function behind a mark. */
static size_t function_end(const struct code *c, size_t mark)
{
	for (; mark < c->mark_count; mark++)
		if (is_function(&c->marks[mark]))
			return c->marks[mark].insn;
	return c->count;
}

static int function_symbol(struct object_writer *w, struct placing *p, int64_t insn, uint32_t *ret_symbol);

static int add_call(struct object_writer *w, struct placing *p, size_t insn, uint32_t section, uint64_t at)
{
	uint32_t symbol = 0;
	struct picket_insn call = p->code.insns[insn];
	int r = function_symbol(w, p, (int64_t)insn + 1 + call.imm, &symbol);
	if (r < 0)
		return r;
	elf_relocate(&w->elf, section, at, symbol, ELF_RELOCATION_CALL);
	call.imm = -1;
	buf_add(&elf_section_at(&w->elf, section)->data, &call, SLOT);
	return 0;
}

/* lddw of an address in a map's value: the offset moves to where a linker adds the symbol's to it. */
static void add_address(struct object_writer *w, const struct picket_insn lddw[2], uint32_t section, uint64_t at)
{
	struct picket_insn both[2] = {lddw[0], lddw[1]};
	elf_relocate(&w->elf, section, at, w->map_symbols[lddw[0].imm], ELF_RELOCATION_ADDRESS);
	both[0].src = 0;
	both[0].imm = lddw[1].imm;
	both[1].imm = 0;
	buf_add(&elf_section_at(&w->elf, section)->data, both, sizeof(both));
}

/* Into the section as a linker finds them: references have relocations. */
static int add_insns(struct object_writer *w, struct placing *p, struct code_range range, uint32_t section)
{
	uint64_t begin = elf_section_at(&w->elf, section)->data.length;
	for (size_t i = range.first; i < range.end; i++) {
		const struct picket_insn *insn = &p->code.insns[i];
		uint64_t at = begin + (i - range.first) * SLOT;
		int r = 0;
		if (insn->code == CALL && insn->src == BPF_PSEUDO_CALL)
			r = add_call(w, p, i, section, at);
		else if (insn->code == LDDW && insn->src == LDDW_MAP_VALUE)
			add_address(w, &p->code.insns[i++], section, at);
		else
			buf_add(&elf_section_at(&w->elf, section)->data, insn, SLOT);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A function of patterns calls none, so that its instructions are the same wherever it stands. */
static bool calls_functions(const struct code *c, struct code_range range)
{
	for (size_t i = range.first; i < range.end; i++)
		if (c->insns[i].code == CALL && c->insns[i].src == BPF_PSEUDO_CALL)
			return true;
	return false;
}

static const char *function_kind(const struct object_writer *w, const struct code_mark *begin)
{
	return begin->kind == CODE_MARK_SET ? "number" : seeking(w->parts.plan->groups[begin->index].kind);
}

static int add_function(struct object_writer *w, struct placing *p, struct code_range range,
                        const struct code_mark *begin, uint32_t *ret_symbol)
{
	char name[64];
	uint64_t at = elf_section_at(&w->elf, w->text)->data.length;
	snprintf(name, sizeof(name), "%s_%zu", function_kind(w, begin), w->functions.count);
	int r = add_insns(w, p, range, w->text);
	if (r < 0)
		return r;
	add_line(w, w->text, at, begin, NULL);
	elf_function_add(&w->elf, w->text, at, btf_function(&w->elf, name, w->prototype, false));
	*ret_symbol = elf_symbol_add(&w->elf, name, false, STT_FUNC, w->text, at, (range.end - range.first) * SLOT);
	return 0;
}

/* Functions of several programs that are the same become one. */
static int place_function(struct object_writer *w, struct placing *p, size_t mark, uint32_t *ret_symbol)
{
	const struct code_mark *begin = &p->code.marks[mark];
	struct code_range range = {begin->insn, function_end(&p->code, mark + 1)};
	if (calls_functions(&p->code, range))
		return -EINVAL;
	struct str key = str_make((const char *)&p->code.insns[range.first], (range.end - range.first) * SLOT);
	uintptr_t known = (uintptr_t)map_get(&w->functions, key);
	if (known) {
		*ret_symbol = (uint32_t)known - 1;
		return 0;
	}
	uint32_t symbol = 0;
	int r = add_function(w, p, range, begin, &symbol);
	if (r == 0)
		r = map_put(&w->functions, key, (void *)((uintptr_t)symbol + 1), NULL);
	if (r == 0)
		*ret_symbol = symbol;
	return r == -ENOSPC ? -E2BIG : r;
}

/* Of the function that begins there, which is put into .text the first time. */
static int function_symbol(struct object_writer *w, struct placing *p, int64_t insn, uint32_t *ret_symbol)
{
	size_t mark = function_at(&p->code, (size_t)insn);
	uint32_t symbol = 0;
	if (mark == SIZE_MAX)
		return -EINVAL;
	int r = p->symbols[mark] ? 0 : place_function(w, p, mark, &symbol);
	if (r < 0)
		return r;
	if (!p->symbols[mark])
		p->symbols[mark] = symbol + 1;
	*ret_symbol = p->symbols[mark] - 1;
	return 0;
}

/* formulas NULL: the program of processes. */
static int add_program(struct object_writer *w, const char *name, const struct type_rules *rules,
                       const struct program_rule *formulas)
{
	_cleanup_(placing_done) struct placing p = {0};
	char section_name[128];
	int r = parts_write(&w->parts, formulas, rules->count, &p.code);
	if (r < 0)
		return r;
	p.symbols = calloc(p.code.mark_count + 1, sizeof(*p.symbols));
	if (!p.symbols)
		return -ENOMEM;
	snprintf(section_name, sizeof(section_name), "rule/%s", name);
	uint32_t section = elf_section_add(&w->elf, section_name, SHT_PROGBITS, CODE_FLAGS, 8);
	struct code_range range = {0, function_end(&p.code, 0)};
	r = add_insns(w, &p, range, section);
	if (r < 0)
		return r;
	add_lines(w, &p.code, range.end, section, rules);
	elf_function_add(&w->elf, section, 0, btf_function(&w->elf, name, w->prototype, true));
	(void)elf_symbol_add(&w->elf, name, true, STT_FUNC, section, 0, range.end * SLOT);
	return 0;
}

static int add_programs(struct object_writer *w)
{
	const struct type_rules none = {0};
	int r = add_program(w, "process", &none, NULL);
	for (unsigned type = 0; r == 0 && type < EVENT_TYPE_MAX; type++) {
		const struct program_rule *formulas;
		struct type_rules rules = program_rules_get(w->programs, type, &formulas);
		if (rules.count > 0)
			r = add_program(w, event_type_info(type)->name, &rules, formulas);
	}
	return r;
}

/* ---- what numbers mean ---- */

static void json_inputs(struct json *j, const char *key, const struct plan_input *inputs, size_t count)
{
	json_key(j, key);
	json_begin_array(j);
	for (size_t i = 0; i < count; i++) {
		_cleanup_(buf_done) struct buf text;
		buf_init(&text, NAMES_BYTES_MAX);
		expr_write(inputs[i].expr, &text);
		json_str(j, buf_str(&text));
	}
	json_end_array(j);
}

static void json_atoms(struct json *j, const struct object_writer *w)
{
	json_key(j, "atoms");
	json_begin_array(j);
	for (uint32_t i = 0; i < w->parts.plan->atom_count; i++) {
		_cleanup_(buf_done) struct buf text;
		buf_init(&text, NAMES_BYTES_MAX);
		atom_text(w, i, &text);
		json_begin_object(j);
		json_key(j, "comparison");
		json_str(j, buf_str(&text));
		json_key(j, "bit");
		json_u64(j, w->parts.plan->atoms[i].bit);
		json_key(j, "known");
		json_u64(j, w->parts.plan->atoms[i].known);
		json_end_object(j);
	}
	json_end_array(j);
}

static void json_rules(struct json *j, const struct object_writer *w)
{
	json_key(j, "rules");
	json_begin_object(j);
	for (unsigned type = 0; type < EVENT_TYPE_MAX; type++) {
		const struct program_rule *formulas;
		struct type_rules rules = program_rules_get(w->programs, type, &formulas);
		if (rules.count == 0)
			continue;
		json_key(j, event_type_info(type)->name);
		json_begin_array(j);
		for (size_t i = 0; i < rules.count; i++)
			json_text(j, rules.items[i]->rule.name);
		json_end_array(j);
	}
	json_end_object(j);
}

static void json_helpers(struct json *j, const struct object_writer *w)
{
	json_key(j, "helpers");
	json_begin_object(j);
	for (size_t i = 0; i < w->parts.helper_count; i++) {
		json_key(j, w->parts.helpers[i].name);
		json_u64(j, w->parts.helpers[i].id);
	}
	json_end_object(j);
}

static void add_names(struct object_writer *w)
{
	struct json j;
	uint32_t section = elf_section_add(&w->elf, "picket.rules", SHT_PROGBITS, 0, 1);
	json_init(&j, &elf_section_at(&w->elf, section)->data);
	json_begin_object(&j);
	json_helpers(&j, w);
	json_inputs(&j, "texts", w->parts.plan->texts, w->parts.plan->text_count);
	json_inputs(&j, "numbers", w->parts.plan->numbers_asked, w->parts.plan->number_count);
	json_atoms(&j, w);
	json_rules(&j, w);
	json_end_object(&j);
}

/* ---- the whole ---- */

static void add_types(struct object_writer *w)
{
	w->index = btf_integer(&w->elf, "unsigned int", 4, false);
	w->u8 = btf_integer(&w->elf, "unsigned char", 1, false);
	w->u64 = btf_integer(&w->elf, "unsigned long long", 8, false);
	w->prototype = btf_prototype(&w->elf, btf_integer(&w->elf, "int", 4, true));
}

static int write_object(struct object_writer *w, struct buf *out)
{
	add_types(w);
	w->text = elf_section_add(&w->elf, ".text", SHT_PROGBITS, CODE_FLAGS, 8);
	int r = add_maps(w);
	if (r == 0)
		r = add_programs(w);
	if (r < 0)
		return r;
	uint32_t license = elf_section_add(&w->elf, "license", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, 1);
	buf_add(&elf_section_at(&w->elf, license)->data, LICENSE, sizeof(LICENSE));
	add_names(w);
	return elf_write(&w->elf, out);
}

int rule_programs_write_object(const struct rule_programs *p, struct buf *out)
{
	struct object_writer w = {.programs = p};
	program_parts_get(p, &w.parts);
	elf_init(&w.elf);
	map_init(&w.functions, FUNCTIONS_MAX);
	int r = write_object(&w, out);
	map_done(&w.functions);
	elf_done(&w.elf);
	free(w.map_symbols);
	return r;
}

/* ---- for those who load it ---- */

static uint64_t no_answer(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, struct picket_run *run)
{
	(void)r1, (void)r2, (void)r3, (void)r4, (void)r5, (void)run;
	return 0;
}

void rule_object_helpers(struct picket_helper ret_helpers[RULE_HELPERS])
{
	for (size_t i = 0; i < RULE_HELPERS; i++) {
		ret_helpers[i] = program_helpers()[i];
		ret_helpers[i].function = no_answer;
	}
}
