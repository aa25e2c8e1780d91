/* SPDX-License-Identifier: Apache-2.0 */
#ifdef __aarch64__
#include <asm/hwcap.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include "vm/jit_arm64_int.h"

#define CODE_WORDS_MAX ((size_t)1 << 25) /* what a branch reaches */
#define STUB_DISTANCE ((size_t)1 << 17)  /* a stub stands at most about so far behind the branch that leads to it */
#define TABLE_EXTRA 2                    /* entries of the table behind those of the functions */

/* ---- ops: the compiler tells if one is missing ---- */
static void emit_op(struct arm64 *j)
{
#define OP(id, emit) \
	case VM_##id: \
		emit; \
		break
#define OP2(id1, id2, emit) \
	case VM_##id1: \
		OP(id2, emit)
#define OP4(id, emit) \
	case VM_##id##64_IMM: \
	case VM_##id##64_REG: \
		OP2(id##32_IMM, id##32_REG, emit)

	switch ((enum vm_opcode)j->op->op) {
		OP4(ADD, vm_arm64_add(j, false));
		OP4(SUB, vm_arm64_add(j, true));
		OP4(MUL, vm_arm64_multiply(j));
		OP4(DIV, vm_arm64_divide(j, false));
		OP4(SDIV, vm_arm64_divide(j, true));
		OP4(MOD, vm_arm64_modulo(j, false));
		OP4(SMOD, vm_arm64_modulo(j, true));
		OP4(OR, vm_arm64_logic(j, A64_OR));
		OP4(AND, vm_arm64_logic(j, A64_AND));
		OP4(XOR, vm_arm64_logic(j, A64_XOR));
		OP4(LSH, vm_arm64_shift(j, A64_LSL));
		OP4(RSH, vm_arm64_shift(j, A64_LSR));
		OP4(ARSH, vm_arm64_shift(j, A64_ASR));
		OP4(MOV, vm_arm64_move(j));
		OP2(NEG64, NEG32, vm_arm64_negate(j));
		OP(MOVSX8_64, vm_arm64_extend(j, true, true, 8));
		OP(MOVSX16_64, vm_arm64_extend(j, true, true, 16));
		OP(MOVSX32_64, vm_arm64_extend(j, true, true, 32));
		OP(MOVSX8_32, vm_arm64_extend(j, true, false, 8));
		OP(MOVSX16_32, vm_arm64_extend(j, true, false, 16));
		OP(LE16, vm_arm64_extend(j, false, false, 16));
		OP(LE32, vm_arm64_extend(j, false, false, 32));
		OP(LE64, (void)0);
		OP2(BE16, BSWAP16, vm_arm64_swap(j, 16));
		OP2(BE32, BSWAP32, vm_arm64_swap(j, 32));
		OP2(BE64, BSWAP64, vm_arm64_swap(j, 64));
		OP2(LDDW_MAP, LDDW_MAP_VALUE, vm_arm64_wide_constant(j));
		OP2(LEA_IMM, LEA_REG, vm_arm64_lea(j));
		OP2(LDDW, LDDW_FUNCTION, vm_arm64_wide_constant(j));

		OP(LDXB, vm_arm64_load(j, 0, A64_LOAD));
		OP(LDXH, vm_arm64_load(j, 1, A64_LOAD));
		OP(LDXW, vm_arm64_load(j, 2, A64_LOAD));
		OP(LDXDW, vm_arm64_load(j, 3, A64_LOAD));
		OP(LDXSB, vm_arm64_load(j, 0, A64_LOAD_SIGNED));
		OP(LDXSH, vm_arm64_load(j, 1, A64_LOAD_SIGNED));
		OP(LDXSW, vm_arm64_load(j, 2, A64_LOAD_SIGNED));
		OP(LDXB_INDEXED, vm_arm64_load_indexed(j, 0));
		OP(LDXH_INDEXED, vm_arm64_load_indexed(j, 1));
		OP(LDXW_INDEXED, vm_arm64_load_indexed(j, 2));
		OP(LDXDW_INDEXED, vm_arm64_load_indexed(j, 3));
		OP2(STB, STXB, vm_arm64_store(j, 0));
		OP2(STH, STXH, vm_arm64_store(j, 1));
		OP2(STW, STXW, vm_arm64_store(j, 2));
		OP2(STDW, STXDW, vm_arm64_store(j, 3));
		OP(ATOMIC_ADD32, vm_arm64_atomic(j, 2, A64_ATOMIC_ADD, false));
		OP(ATOMIC_ADD64, vm_arm64_atomic(j, 3, A64_ATOMIC_ADD, false));
		OP(FETCH_ADD32, vm_arm64_atomic(j, 2, A64_ATOMIC_ADD, true));
		OP(FETCH_ADD64, vm_arm64_atomic(j, 3, A64_ATOMIC_ADD, true));
		OP(ATOMIC_OR32, vm_arm64_atomic(j, 2, A64_ATOMIC_SET, false));
		OP(ATOMIC_OR64, vm_arm64_atomic(j, 3, A64_ATOMIC_SET, false));
		OP(FETCH_OR32, vm_arm64_atomic(j, 2, A64_ATOMIC_SET, true));
		OP(FETCH_OR64, vm_arm64_atomic(j, 3, A64_ATOMIC_SET, true));
		OP(ATOMIC_AND32, vm_arm64_atomic(j, 2, A64_ATOMIC_CLEAR, false));
		OP(ATOMIC_AND64, vm_arm64_atomic(j, 3, A64_ATOMIC_CLEAR, false));
		OP(FETCH_AND32, vm_arm64_atomic(j, 2, A64_ATOMIC_CLEAR, true));
		OP(FETCH_AND64, vm_arm64_atomic(j, 3, A64_ATOMIC_CLEAR, true));
		OP(ATOMIC_XOR32, vm_arm64_atomic(j, 2, A64_ATOMIC_XOR, false));
		OP(ATOMIC_XOR64, vm_arm64_atomic(j, 3, A64_ATOMIC_XOR, false));
		OP(FETCH_XOR32, vm_arm64_atomic(j, 2, A64_ATOMIC_XOR, true));
		OP(FETCH_XOR64, vm_arm64_atomic(j, 3, A64_ATOMIC_XOR, true));
		OP(XCHG32, vm_arm64_atomic(j, 2, A64_ATOMIC_SWAP, true));
		OP(XCHG64, vm_arm64_atomic(j, 3, A64_ATOMIC_SWAP, true));
		OP(CMPXCHG32, vm_arm64_compare_and_swap(j, 2));
		OP(CMPXCHG64, vm_arm64_compare_and_swap(j, 3));
		OP(LOAD_ACQUIRE8, vm_arm64_load_acquire(j, 0));
		OP(LOAD_ACQUIRE16, vm_arm64_load_acquire(j, 1));
		OP(LOAD_ACQUIRE32, vm_arm64_load_acquire(j, 2));
		OP(LOAD_ACQUIRE64, vm_arm64_load_acquire(j, 3));
		OP(STORE_RELEASE8, vm_arm64_store_release(j, 0));
		OP(STORE_RELEASE16, vm_arm64_store_release(j, 1));
		OP(STORE_RELEASE32, vm_arm64_store_release(j, 2));
		OP(STORE_RELEASE64, vm_arm64_store_release(j, 3));
		OP2(LDABSB, LDINDB, vm_arm64_packet(j, 0));
		OP2(LDABSH, LDINDH, vm_arm64_packet(j, 1));
		OP2(LDABSW, LDINDW, vm_arm64_packet(j, 2));

		OP2(JA, JA32, vm_arm64_jump(j));
		OP4(JEQ, vm_arm64_jump_if(j, A64_EQ));
		OP4(JNE, vm_arm64_jump_if(j, A64_NE));
		OP4(JGT, vm_arm64_jump_if(j, A64_HI));
		OP4(JGE, vm_arm64_jump_if(j, A64_HS));
		OP4(JLT, vm_arm64_jump_if(j, A64_LO));
		OP4(JLE, vm_arm64_jump_if(j, A64_LS));
		OP4(JSGT, vm_arm64_jump_if(j, A64_GT));
		OP4(JSGE, vm_arm64_jump_if(j, A64_GE));
		OP4(JSLT, vm_arm64_jump_if(j, A64_LT));
		OP4(JSLE, vm_arm64_jump_if(j, A64_LE));
		OP4(JSET, vm_arm64_jump_if_set(j));
		OP(CALL_HELPER, vm_arm64_call_helper(j));
		OP(CALL_LOCAL, vm_arm64_call_local(j));
		OP(CALL_REG, vm_arm64_call_register(j));
		OP(EXIT, vm_arm64_exit(j));

	case VM_OPCODES:
		break;
	}
#undef OP
#undef OP2
#undef OP4
}

/* ---- functions ---- */
static void flush_stubs_if_due(struct arm64 *j)
{
	size_t branch;

	/* An op adds four at most. */
	if (j->stub_count + 4 <= ARM64_STUBS_MAX &&
	    (!j->stub_count || j->code.count - j->stubs[0].branch < STUB_DISTANCE))
		return;
	branch = j->code.count;
	a64_branch(&j->code);
	vm_arm64_flush_stubs(j);
	vm_arm64_land(j, branch);
}

static void set_op(struct arm64 *j, uint32_t index)
{
	j->op = &j->ops->ops[index];
	j->place = &j->places[index];
	j->hint = &j->hints.of[index];
	j->first = arm64_register(j->op->dst);
	j->place->at = (uint32_t)j->code.count;
}

/* One op, or two together. Returns the index of the next one. */
static uint32_t emit_next(struct arm64 *j, uint32_t index)
{
	unsigned moved;

	set_op(j, index);
	if (index + 1 < j->function->end && !(j->op[1].flags & VM_OP_LEADER)) {
		if (vm_arm64_merge(j))
			return index + 2;
		if (vm_arm64_moves_operand(j)) {
			moved = arm64_register(j->op->src);
			set_op(j, ++index);
			j->first = moved;
		}
	}
	emit_op(j);
	return index + 1;
}

static void emit_function(struct arm64 *j, const struct vm_function *f)
{
	j->function = f;
	j->place = &j->places[f->first];
	j->exit = 0;
	if (f == j->ops->functions)
		vm_arm64_function_0_entries(j);
	if (!j->place->entry)
		j->place->entry = (uint32_t)j->code.count;
	vm_arm64_prologue(j);
	for (uint32_t i = f->first; i < f->end && !j->code.error;) {
		flush_stubs_if_due(j);
		i = emit_next(j, i);
	}
	vm_arm64_flush_stubs(j);
}

static void scan(struct arm64 *j)
{
	for (size_t i = 0; i < j->ops->count; i++)
		switch ((enum vm_format)vm_insns[j->ops->ops[i].op].format) {
		case VM_FORMAT_CALL_DST:
			j->callx = true;
			j->runs = true;
			break;
		case VM_FORMAT_CALL_ID:
		case VM_FORMAT_PACKET_IMM:
		case VM_FORMAT_PACKET_REG:
			j->runs = true;
			break;
		default:
			break;
		}
}

static void emit_program(struct arm64 *j)
{
	const struct vm_ops *ops = j->ops;

	for (size_t i = 0; i < 2 * (ops->function_count + TABLE_EXTRA); i++)
		a64_put(&j->code, 0);
	vm_arm64_thunks(j);
	for (size_t i = 0; i < ops->function_count && !j->code.error; i++)
		emit_function(j, &ops->functions[i]);
}

/* ---- putting it together ---- */
static int patch_branches(struct arm64 *j)
{
	const struct vm_ops *ops = j->ops;
	size_t entry = j->checked ? j->tail_entry : j->places[0].entry;

	if (j->entry_call && !a64_patch(&j->code, j->entry_call, entry))
		return -E2BIG;
	for (size_t i = 0; i < ops->count; i++) {
		const struct arm64_place *target = &j->places[ops->ops[i].target];
		bool call = ops->ops[i].op == VM_CALL_LOCAL;
		if (j->places[i].branch && !a64_patch(&j->code, j->places[i].branch, call ? target->entry : target->at))
			return -E2BIG;
	}
	return 0;
}

static void fill_table(const struct arm64 *j, void *code)
{
	uint32_t *words = code;
	void **table = code;

	for (size_t i = 0; i < j->ops->function_count; i++)
		*table++ = words + j->places[j->ops->functions[i].first].entry;
	if (j->merged)
		((void **)code)[0] = NULL;
	*table++ = words + j->tail_entry;
	*table++ = words + j->callback_entry;
}

static int install(struct arm64 *j)
{
	struct picket_program *p = j->program;
	size_t size = j->code.count * sizeof(*j->code.words), mapped;
	size_t entry = j->merged ? j->places[0].entry : j->entry;
	void *code;
	int r = vm_code_map(size, &code, &mapped);

	if (r)
		return r;
	memcpy(code, j->code.words, size);
	fill_table(j, code);
	r = vm_code_seal(code, mapped);
	if (r) {
		vm_code_unmap(code, mapped);
		return r;
	}
	p->code = code;
	p->code_size = size;
	p->code_mapped = mapped;
	p->function_code = code;
	p->entry = (uint64_t(*)(uint64_t, uint64_t, struct picket_run *))((uint32_t *)code + entry);
	return 0;
}

int vm_jit_compile(struct picket_program *p, const struct vm_ops *ops)
{
	struct arm64 j = {
	        .code.limit = CODE_WORDS_MAX,
	        .program = p,
	        .ops = ops,
	        .checked = p->engine == PICKET_CHECKED,
	        .blind = p->blind,
	        .lse = getauxval(AT_HWCAP) & HWCAP_ATOMICS,
	        .random = base_random_seed() | 1,
	};
	int r;

	if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__)
		return -EOPNOTSUPP;
	r = vm_hint(p, ops, &j.hints);
	if (r)
		return r;
	j.merged = !j.checked && j.hints.entry_only;
	r = -ENOMEM;
	j.places = calloc(ops->count, sizeof(*j.places));
	if (!j.places)
		goto out;
	scan(&j);
	emit_program(&j);
	r = j.code.error;
	if (!r)
		r = patch_branches(&j);
	if (!r)
		r = install(&j);
out:
	free(j.places);
	a64_done(&j.code);
	vm_hints_done(&j.hints);
	return r;
}
#endif
