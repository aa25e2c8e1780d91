/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>

#include "vm/core.h"
#include "vm/elf_int.h"
#include "vm/image.h"

#define SLOT sizeof(struct picket_insn)
#define LDDW (BPF_LD | BPF_IMM | BPF_DW)
/* No helper has this number: what gets here fails, and says so by what libbpf writes there, too. */
#define POISON 0xbad2310

#define STEPS_MAX (1ull << 24) /* of all searches in types together; picket's own programs take 70,000 */

struct vm_kernel_types {
	struct vm_core_types core;
};

struct relocator {
	const struct picket_image *image;
	const struct vm_core_types *kernel;
	uint64_t steps; /* that are left */
	const struct vm_image_program *program;
	struct picket_insn *insns; /* the program's new ones */
	struct picket_error *reterr;
};

static int refuse(const struct relocator *l, const struct vm_image_core *c, const char *why)
{
	const struct vm_image_program *p = l->program;
	const struct vm_debug_function *f = vm_debug_function(p->debug, c->insn);
	struct vm_source_line line;

	vm_elf_error(l->reterr, f->section, (uint64_t)(f->start + c->insn - f->insn) * SLOT,
	             "program %.64s: CO-RE relocation of %.64s, part %.32s: %s", p->name,
	             vm_btf_type(&l->image->btf, c->type).name, vm_btf_text(&l->image->btf, c->access), why);
	if (l->reterr && vm_debug_line(p->debug, c->insn, &line)) {
		vm_elf_printable(l->reterr->file, sizeof(l->reterr->file), line.file);
		l->reterr->line = line.line;
		l->reterr->column = line.column;
	}
	return -EINVAL;
}

static void poison(struct picket_insn *insn)
{
	size_t slots = insn->code == LDDW ? 2 : 1;

	for (size_t i = 0; i < slots; i++)
		insn[i] = (struct picket_insn){.code = BPF_JMP | BPF_CALL, .imm = POISON};
}

static bool size_code(uint32_t bytes, uint8_t *ret_code)
{
	switch (bytes) {
	case 8:
		*ret_code = BPF_DW;
		return true;
	case 4:
		*ret_code = BPF_W;
		return true;
	case 2:
		*ret_code = BPF_H;
		return true;
	case 1:
		*ret_code = BPF_B;
		return true;
	default:
		return false;
	}
}

static const char *patch_access(struct picket_insn *insn, const struct vm_core_answer *a)
{
	uint8_t size;

	if (a->checked && (uint64_t)(int64_t)insn->offset != a->before)
		return "the instruction has another offset than the object's types";
	if (a->after > INT16_MAX)
		return "the offset in the kernel is too large for a load or store";
	if (a->other_size) {
		poison(insn);
		return NULL;
	}
	if (a->bytes_before) {
		if (!size_code(a->bytes_before, &size) || size != BPF_SIZE(insn->code))
			return "the instruction loads or stores another size than the field has";
		if (!size_code(a->bytes_after, &size))
			return "no instruction loads or stores a field of the kernel's size";
		insn->code = (uint8_t)(BPF_MODE(insn->code) | size | BPF_CLASS(insn->code));
	}
	insn->offset = (int16_t)a->after;
	return NULL;
}

static const char *patch_number(struct picket_insn *insn, const struct vm_core_answer *a)
{
	if (a->checked && (uint32_t)insn->imm != (uint32_t)a->before)
		return "the instruction has another number than the object's types";
	insn->imm = (int32_t)a->after;
	return NULL;
}

static const char *patch_wide(struct picket_insn *insn, const struct vm_core_answer *a)
{
	uint64_t number = (uint32_t)insn[0].imm | (uint64_t)(uint32_t)insn[1].imm << 32;

	if (insn->src)
		return "the lddw refers to something else";
	if (a->checked && number != a->before)
		return "the instruction has another number than the object's types";
	insn[0].imm = (int32_t)a->after;
	insn[1].imm = (int32_t)(a->after >> 32);
	return NULL;
}

/* NULL, or why it cannot be. That each of these instructions can have a relocation is known: check_core(). */
static const char *patch(struct picket_insn *insn, const struct vm_core_answer *a)
{
	if (a->poison) {
		poison(insn);
		return NULL;
	}
	switch (BPF_CLASS(insn->code)) {
	case BPF_LDX:
	case BPF_ST:
	case BPF_STX:
		return patch_access(insn, a);
	case BPF_LD:
		return patch_wide(insn, a);
	default:
		return patch_number(insn, a);
	}
}

static int relocate(struct relocator *l, const struct vm_image_core *c)
{
	const struct vm_btf *local = &l->image->btf;
	struct vm_core_request request = {c->type, c->kind, vm_btf_text(local, c->access), &l->steps};
	struct picket_insn *insn = &l->insns[c->insn];
	struct vm_core_answer answer;
	const char *problem = NULL;

	/* An earlier relocation of the same instruction has taken it away. */
	if (insn->code == (BPF_JMP | BPF_CALL) && insn->imm == POISON)
		return 0;
	switch (vm_core_ask(local, l->kernel, &request, &answer)) {
	case VM_CORE_ANSWERED:
		problem = patch(insn, &answer);
		break;
	case VM_CORE_BAD_ACCESS:
		problem = "the object's types have no such part";
		break;
	case VM_CORE_AMBIGUOUS:
		problem = "the kernel has several types of that name, which differ in it";
		break;
	case VM_CORE_NOT_A_NUMBER:
		problem = "it has no such number";
		break;
	case VM_CORE_TOO_LONG:
		problem = "to find it in the kernel's types takes too long";
		break;
	}
	return problem ? refuse(l, c, problem) : 0;
}

/* insns: the program's, to be changed. */
static int relocate_program(struct relocator *l, const struct vm_image_program *p, struct picket_insn *insns)
{
	int r = 0;

	l->program = p;
	l->insns = insns;
	for (size_t i = 0; !r && i < p->core_count; i++)
		r = relocate(l, &p->cores[i]);
	return r;
}

static int relocate_copy(struct relocator *l, const struct vm_image_program *p, struct picket_insn **ret_insns)
{
	_cleanup_(base_free_ptr) struct picket_insn *insns = calloc(p->insn_count, sizeof(*insns));
	int r;

	if (!insns)
		return -ENOMEM;
	memcpy(insns, p->insns, p->insn_count * sizeof(*insns));
	r = relocate_program(l, p, insns);
	if (!r)
		*ret_insns = TAKE_PTR(insns);
	return r;
}

static void take_programs(struct picket_image *i, struct picket_insn **insns)
{
	for (size_t k = 0; k < i->program_count; k++) {
		struct vm_image_program *p = &i->programs[k];
		struct picket_insn *old = p->insns;

		p->insns = insns[k];
		insns[k] = old;
		p->core_count = 0;
	}
}

static int open_types(const void *bytes, size_t length, struct vm_core_types *ret_types, struct picket_error *reterr)
{
	struct vm_elf_section section = {.name = ".BTF", .data = bytes, .size = length};
	struct vm_btf btf;
	int r = vm_btf_open(&section, &btf, reterr);

	return r ? r : vm_core_types_open(btf, ret_types);
}

int vm_kernel_types_open(const void *bytes, size_t length, struct vm_kernel_types **ret_types,
                         struct picket_error *reterr)
{
	struct vm_kernel_types *t = calloc(1, sizeof(*t));
	int r = t ? open_types(bytes, length, &t->core, reterr) : -ENOMEM;

	if (r)
		free(t);
	else
		*ret_types = t;
	return r;
}

void vm_kernel_types_free(struct vm_kernel_types *t)
{
	if (!t)
		return;
	vm_core_types_done(&t->core);
	free(t);
}

bool vm_image_is_relocated(const struct picket_image *i, size_t program)
{
	return i->programs[program].core_count == 0;
}

int vm_image_relocate_program(const struct picket_image *i, size_t program, const struct vm_kernel_types *types,
                              struct picket_insn *insns, struct picket_error *reterr)
{
	struct relocator l = {.image = i, .kernel = &types->core, .steps = STEPS_MAX, .reterr = reterr};

	return relocate_program(&l, &i->programs[program], insns);
}

int picket_image_relocate(struct picket_image *i, const void *btf, size_t length, struct picket_error *reterr)
{
	struct picket_insn **insns = calloc(i->program_count + 1, sizeof(struct picket_insn *));
	struct vm_core_types kernel = {0};
	struct relocator l = {.image = i, .kernel = &kernel, .steps = STEPS_MAX, .reterr = reterr};
	int r = -ENOMEM;

	if (!insns)
		goto out;
	r = open_types(btf, length, &kernel, reterr);
	for (size_t k = 0; !r && k < i->program_count; k++)
		r = relocate_copy(&l, &i->programs[k], &insns[k]);
	if (!r)
		take_programs(i, insns);
out:
	if (r == -ENOMEM)
		vm_error(reterr, r, 0, "not enough memory");
	for (size_t k = 0; insns && k < i->program_count; k++)
		free(insns[k]);
	free(insns);
	vm_core_types_done(&kernel);
	return r;
}
