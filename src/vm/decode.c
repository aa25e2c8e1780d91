/* SPDX-License-Identifier: Apache-2.0
 *
 * From bytecode to ops. Whatever the bytes are: what comes out is well-formed, so that engines check only what is known at
 * run time.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include "vm/map_int.h"
#include "vm/vm_int.h"

#define SLOT_BYTES sizeof(struct picket_insn)
#define NO_OP UINT32_MAX
#define REGISTER_FRAME 10
#define SRC_KERNEL_FUNCTION 2 /* of call: imm is a type's id in the kernel's BTF, offset says which BTF */

struct decoder {
	const struct picket_insn *insns;
	size_t count;
	const struct picket_options *options; /* or NULL */
	bool foreign;                         /* see vm_decode_foreign() */
	size_t foreign_maps;
	struct vm_ops *out;
	struct picket_error *reterr;
	const struct vm_row_index *rows;
	uint32_t *ops_of; /* of each slot; NO_OP: the second one of lddw */
	bool names_functions;
};

#define fail(d, slot, ...) vm_error((d)->reterr, -EINVAL, (uint64_t)(slot)*SLOT_BYTES, __VA_ARGS__)

/* ---- one instruction's fields ---- */
enum { HAS_DST = 1, HAS_SRC = 2, HAS_OFFSET = 4, HAS_IMM = 8 };

static const uint8_t format_fields[] = {
        [VM_FORMAT_NOTHING] = 0,
        [VM_FORMAT_DST] = HAS_DST,
        [VM_FORMAT_DST_IMM] = HAS_DST | HAS_IMM,
        [VM_FORMAT_DST_SRC] = HAS_DST | HAS_SRC,
        [VM_FORMAT_LOAD] = HAS_DST | HAS_SRC | HAS_OFFSET,
        [VM_FORMAT_STORE_IMM] = HAS_DST | HAS_OFFSET | HAS_IMM,
        [VM_FORMAT_STORE_REG] = HAS_DST | HAS_SRC | HAS_OFFSET,
        [VM_FORMAT_ATOMIC_REG] = HAS_DST | HAS_SRC | HAS_OFFSET,
        [VM_FORMAT_JUMP] = HAS_OFFSET,
        [VM_FORMAT_JUMP_LONG] = HAS_IMM,
        [VM_FORMAT_JUMP_IMM] = HAS_DST | HAS_OFFSET | HAS_IMM,
        [VM_FORMAT_JUMP_REG] = HAS_DST | HAS_SRC | HAS_OFFSET,
        [VM_FORMAT_CALL_ID] = HAS_IMM,
        [VM_FORMAT_CALL_FUNCTION] = HAS_IMM,
        [VM_FORMAT_CALL_DST] = HAS_DST,
        [VM_FORMAT_WIDE] = HAS_DST | HAS_IMM,
        [VM_FORMAT_WIDE_MAP] = HAS_DST | HAS_IMM,
        [VM_FORMAT_WIDE_FUNCTION] = HAS_DST | HAS_IMM,
        [VM_FORMAT_PACKET_IMM] = HAS_IMM,
        [VM_FORMAT_PACKET_REG] = HAS_SRC | HAS_IMM,
        [VM_FORMAT_LOAD_INDEXED] = 0, /* the last one; those of the optimiser have no opcode */
};
static const uint8_t select_field[] = {
        [VM_SELECT_NONE] = 0,
        [VM_SELECT_OFFSET] = HAS_OFFSET,
        [VM_SELECT_IMM] = HAS_IMM,
        [VM_SELECT_SRC] = HAS_SRC,
};

static unsigned insn_fields(const struct picket_insn *insn)
{
	return (insn->dst ? HAS_DST : 0) | (insn->src ? HAS_SRC : 0) | (insn->offset ? HAS_OFFSET : 0) |
	       (insn->imm ? HAS_IMM : 0);
}

static bool is_kernel_call(const struct decoder *d, size_t slot)
{
	return d->insns[slot].code == vm_insns[VM_CALL_HELPER].code && d->insns[slot].src == SRC_KERNEL_FUNCTION;
}

static int fail_row(struct decoder *d, size_t slot)
{
	const struct picket_insn *insn = &d->insns[slot];
	uint16_t first = d->rows->first[insn->code];
	const struct vm_insn_info *info;

	if (first == VM_OPCODES)
		return fail(d, slot, "instruction %zu: unknown opcode 0x%02x", slot, insn->code);
	info = &vm_insns[first];
	if (info->format == VM_FORMAT_WIDE && insn->src >= 1 && insn->src <= 3)
		return fail(
		        d, slot,
		        "instruction %zu: lddw with src %u refers to a file descriptor or a kernel's variable, which "
		        "user space does not have",
		        slot, insn->src);
	if (is_kernel_call(d, slot))
		return fail(d, slot, "instruction %zu: calls a function of the kernel, which user space does not have",
		            slot);
	switch ((enum vm_select)info->select) {
	case VM_SELECT_OFFSET:
		return fail(d, slot, "instruction %zu: no %s has offset %d", slot, info->mnemonic, insn->offset);
	case VM_SELECT_IMM:
		return fail(d, slot, "instruction %zu: no %s has immediate %d", slot, info->mnemonic, insn->imm);
	default:
		return fail(d, slot, "instruction %zu: no %s has source register %d", slot, info->mnemonic, insn->src);
	}
}

/* fields: those that the instruction has, and its row has not. */
static int fail_fields(struct decoder *d, size_t slot, const char *mnemonic, unsigned fields)
{
	const struct picket_insn *insn = &d->insns[slot];

	if (fields & HAS_DST)
		return fail(d, slot, "instruction %zu: %s has no destination register, but r%u is given", slot,
		            mnemonic, insn->dst);
	if (fields & HAS_SRC)
		return fail(d, slot, "instruction %zu: %s has no source register here, but r%u is given", slot,
		            mnemonic, insn->src);
	if (fields & HAS_OFFSET)
		return fail(d, slot, "instruction %zu: %s has no offset, but %d is given", slot, mnemonic,
		            insn->offset);
	return fail(d, slot, "instruction %zu: %s has no immediate here, but %d is given", slot, mnemonic, insn->imm);
}

/* The row of an instruction, whose fields are checked against it. */
static int decode_row(struct decoder *d, size_t slot, uint16_t *ret_row)
{
	const struct picket_insn *insn = &d->insns[slot];
	uint16_t row = vm_row_find(d->rows, insn);
	const struct vm_insn_info *info;
	unsigned wrong;

	if (row == VM_OPCODES) {
		if (!d->foreign || !is_kernel_call(d, slot) || insn->dst)
			return fail_row(d, slot);
		*ret_row = VM_CALL_HELPER;
		return 0;
	}
	info = &vm_insns[row];
	wrong = insn_fields(insn) & ~(unsigned)(format_fields[info->format] | select_field[info->select]);
	if (wrong)
		return fail_fields(d, slot, info->mnemonic, wrong);
	if (insn->dst > REGISTER_FRAME || (insn->src > REGISTER_FRAME && info->select != VM_SELECT_SRC))
		return fail(d, slot, "instruction %zu: there is no register r%u", slot,
		            insn->dst > REGISTER_FRAME ? insn->dst : insn->src);
	*ret_row = row;
	return 0;
}

static int decode_map(struct decoder *d, size_t slot, struct vm_op *op, int32_t second)
{
	uint32_t index = (uint32_t)d->insns[slot].imm;
	struct picket_map *map;

	if (d->foreign && index < d->foreign_maps) {
		op->imm = (int64_t)((uint64_t)(uint32_t)second << 32 | index);
		return 0;
	}
	if (!d->options || index >= d->options->map_count)
		return fail(d, slot, "instruction %zu: there is no map %u", slot, index);
	map = d->options->maps[index];
	if (op->op == VM_LDDW_MAP) {
		if (second)
			return fail(d, slot, "instruction %zu: a map has no offset, but %d is given", slot, second);
		op->imm = (int64_t)(uintptr_t)map;
		return 0;
	}
	if (map->spec.type != BPF_MAP_TYPE_ARRAY || !map->spec.max_entries)
		return fail(d, slot, "instruction %zu: only an array has a value to point to, map %u (%s) is none",
		            slot, index, map->spec.name);
	if ((uint32_t)second >= map->spec.value_size)
		return fail(d, slot, "instruction %zu: offset %u is outside of a value of map %u (%s), %u bytes", slot,
		            (uint32_t)second, index, map->spec.name, map->spec.value_size);
	op->imm = (int64_t)(uintptr_t)(map->values + (uint32_t)second);
	return 0;
}

static int decode_wide(struct decoder *d, size_t slot, struct vm_op *op)
{
	const struct picket_insn *second = &d->insns[slot + 1];

	if (slot + 1 >= d->count)
		return fail(d, slot, "instruction %zu: lddw takes two slots, and this is the last one", slot);
	if (second->code || second->dst || second->src || second->offset)
		return fail(d, slot + 1, "instruction %zu: the second slot of lddw has only an immediate", slot + 1);
	op->slots = 2;
	switch (op->op) {
	case VM_LDDW:
		op->imm = (int64_t)((uint64_t)(uint32_t)second->imm << 32 | (uint32_t)d->insns[slot].imm);
		return 0;
	case VM_LDDW_FUNCTION:
		if (second->imm)
			return fail(d, slot + 1, "instruction %zu: a function has no offset, but %d is given", slot + 1,
			            second->imm);
		return 0;
	default:
		return decode_map(d, slot, op, second->imm);
	}
}

static int no_helper(struct decoder *d, size_t slot, uint32_t id)
{
	const char *name = vm_helper_name(id);

	if (name)
		return fail(d, slot, "instruction %zu: helper %u, bpf_%s, is the kernel's, and not there in user space",
		            slot, id, name);
	return fail(d, slot, "instruction %zu: there is no helper %u", slot, id);
}

static int decode_insn(struct decoder *d, size_t slot, struct vm_op *op)
{
	const struct picket_insn *insn = &d->insns[slot];
	uint16_t row = 0;
	int r = decode_row(d, slot, &row);

	if (r)
		return r;
	*op = (struct vm_op){
	        .op = row,
	        .dst = insn->dst,
	        .src = vm_insns[row].select == VM_SELECT_SRC ? 0 : insn->src,
	        .slots = 1,
	        .offset = insn->offset,
	        .insn = (uint32_t)slot,
	        .imm = insn->imm,
	};
	switch ((enum vm_format)vm_insns[row].format) {
	case VM_FORMAT_WIDE:
	case VM_FORMAT_WIDE_MAP:
	case VM_FORMAT_WIDE_FUNCTION:
		r = decode_wide(d, slot, op);
		break;
	case VM_FORMAT_CALL_ID:
		if (d->foreign) {
			op->src = insn->src;
			break;
		}
		if (!vm_helper_find((uint32_t)insn->imm, d->options ? d->options->helpers : NULL,
		                    d->options ? d->options->helper_count : 0))
			r = no_helper(d, slot, (uint32_t)insn->imm);
		break;
	default:
		break;
	}
	if (!r && vm_op_writes(op) & 1u << REGISTER_FRAME)
		r = fail(d, slot, "instruction %zu: r10, the frame pointer, cannot be written", slot);
	return r;
}

static bool op_names_function(const struct vm_op *op)
{
	return op->op == VM_CALL_LOCAL || op->op == VM_LDDW_FUNCTION;
}

static int decode_all(struct decoder *d)
{
	for (size_t slot = 0; slot < d->count;) {
		struct vm_op *op = &d->out->ops[d->out->count];
		int r = decode_insn(d, slot, op);
		if (r)
			return r;
		d->names_functions |= op_names_function(op);
		d->ops_of[slot] = (uint32_t)d->out->count++;
		for (unsigned i = 1; i < op->slots; i++)
			d->ops_of[slot + i] = NO_OP;
		slot += op->slots;
	}
	return 0;
}

/* ---- functions and jumps ---- */
/* The slot that a distance leads to, if an instruction begins there. */
static int target_slot(struct decoder *d, const struct vm_op *op, int64_t distance, size_t *ret_slot)
{
	int64_t slot = (int64_t)op->insn + 1 + distance;

	if (slot < 0 || slot >= (int64_t)d->count)
		return fail(d, op->insn, "instruction %u: leads outside of the program, to %lld", op->insn,
		            (long long)slot);
	if (d->ops_of[slot] == NO_OP)
		return fail(d, op->insn, "instruction %u: leads into the middle of lddw at %lld", op->insn,
		            (long long)slot - 1);
	*ret_slot = (size_t)slot;
	return 0;
}

/* Marks where functions begin: they are the only leaders for now. */
static int find_entries(struct decoder *d, size_t *ret_count)
{
	struct vm_ops *o = d->out;

	o->ops[0].flags |= VM_OP_LEADER;
	*ret_count = 1;
	for (size_t i = 0; i < o->count && d->names_functions; i++) {
		struct vm_op *op = &o->ops[i], *entry;
		size_t slot;
		int r;
		if (!op_names_function(op))
			continue;
		r = target_slot(d, op, op->imm, &slot);
		if (r)
			return r;
		op->target = d->ops_of[slot];
		entry = &o->ops[op->target];
		*ret_count += !(entry->flags & VM_OP_LEADER);
		entry->flags |= VM_OP_LEADER;
	}
	return 0;
}

static int find_functions(struct decoder *d)
{
	struct vm_ops *o = d->out;
	size_t count;
	int r = find_entries(d, &count);

	if (r)
		return r;
	o->functions = calloc(count, sizeof(*o->functions));
	if (!o->functions)
		return -ENOMEM;
	for (size_t i = 0; o->function_count < count; i++) {
		const struct vm_op *op = &o->ops[i];
		if (!(op->flags & VM_OP_LEADER))
			continue;
		if (o->function_count)
			o->functions[o->function_count - 1].end = (uint32_t)i;
		o->functions[o->function_count++] = (struct vm_function){.first = (uint32_t)i, .insn = op->insn};
	}
	o->functions[count - 1].end = (uint32_t)o->count;
	return 0;
}

static int resolve_jump(struct decoder *d, struct vm_op *op, const struct vm_function *f)
{
	struct vm_ops *o = d->out;
	int64_t distance = vm_insns[op->op].format == VM_FORMAT_JUMP_LONG ? op->imm : op->offset;
	size_t slot;
	int r = target_slot(d, op, distance, &slot);

	if (r)
		return r;
	op->target = d->ops_of[slot];
	if (op->target < f->first || op->target >= f->end)
		return fail(d, op->insn, "instruction %u: jumps to %zu, into another function", op->insn, slot);
	o->ops[op->target].flags |= VM_OP_LEADER;
	if (slot <= op->insn)
		op->flags |= VM_OP_BACKWARD;
	return 0;
}

static int check_function(struct decoder *d, struct vm_function *f)
{
	struct vm_ops *o = d->out;
	const struct vm_op *last = &o->ops[f->end - 1];

	for (uint32_t i = f->first; i < f->end; i++) {
		struct vm_op *op = &o->ops[i];
		int r = vm_op_jumps(op) ? resolve_jump(d, op, f) : 0;
		if (r)
			return r;
		if (op->op == VM_LDDW_FUNCTION)
			op->target = vm_function_at(o, op->target);
		f->used |= vm_op_reads(op) | vm_op_writes(op);
		f->written |= vm_op_writes(op);
		f->accesses |= vm_op_accesses(op);
		f->calls |= op->op == VM_CALL_HELPER || op->op == VM_CALL_LOCAL || op->op == VM_CALL_REG;
	}
	if (last->op != VM_EXIT && last->op != VM_JA && last->op != VM_JA32)
		return fail(d, last->insn,
		            "instruction %u: the function that begins at %u runs off its end here: an exit or a "
		            "jump is missing",
		            last->insn, f->insn);
	return 0;
}

/* d: as the caller has filled in what is given. */
static int decode_program(struct decoder *d, struct vm_ops *ret_ops)
{
	struct vm_ops ops = {0};
	size_t count = d->count;
	int r = -ENOMEM;

	d->out = &ops;

	if (!count)
		return vm_error(d->reterr, -EINVAL, 0, "the program has no instructions");
	if (count > PICKET_INSNS_MAX)
		return vm_error(d->reterr, -E2BIG, 0, "the program has %zu instructions, more than %u", count,
		                PICKET_INSNS_MAX);
	d->rows = vm_row_index();
	ops.ops = malloc(count * sizeof(*ops.ops));
	d->ops_of = malloc(count * sizeof(*d->ops_of));
	if (!ops.ops || !d->ops_of)
		goto out;
	r = decode_all(d);
	if (!r)
		r = find_functions(d);
	for (size_t i = 0; !r && i < ops.function_count; i++)
		r = check_function(d, &ops.functions[i]);
	if (!r)
		*ret_ops = (struct vm_ops){TAKE_PTR(ops.ops), ops.count, TAKE_PTR(ops.functions), ops.function_count,
		                           NULL};
out:
	free(d->ops_of);
	vm_ops_done(&ops);
	return r;
}

int vm_decode(const struct picket_insn *insns, size_t count, const struct picket_options *options,
              struct vm_ops *ret_ops, struct picket_error *reterr)
{
	struct decoder d = {.insns = insns, .count = count, .options = options, .reterr = reterr};

	return decode_program(&d, ret_ops);
}

int vm_decode_foreign(const struct picket_insn *insns, size_t count, size_t map_count, struct vm_ops *ret_ops,
                      struct picket_error *reterr)
{
	struct decoder d = {
	        .insns = insns, .count = count, .foreign = true, .foreign_maps = map_count, .reterr = reterr};

	return decode_program(&d, ret_ops);
}

void vm_ops_done(struct vm_ops *o)
{
	free(o->ops);
	free(o->functions);
	free(o->live);
	*o = (struct vm_ops){0};
}
