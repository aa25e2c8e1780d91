/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include "vm/vm_int.h"

const struct vm_insn_info vm_insns[VM_OPCODES] = {
#define INSN(id, code, select, value, format, mnemonic, c) \
	[VM_##id] = {#id, mnemonic, c, code, VM_SELECT_##select, value, VM_FORMAT_##format},
#define FUSED(id, format, c) [VM_##id] = {#id, NULL, c, 0, VM_SELECT_NONE, 0, VM_FORMAT_##format},
#include "vm/insn.def"
};

static struct vm_row_index row_index;

static void make_row_index(void)
{
	for (unsigned code = 0; code < ARRAY_SIZE(row_index.first); code++)
		row_index.first[code] = VM_OPCODES;
	for (uint16_t row = VM_OPCODES; row-- > 0;) {
		const struct vm_insn_info *info = &vm_insns[row];
		if (!info->mnemonic)
			continue;
		row_index.next[row] = row_index.first[info->code];
		row_index.first[info->code] = row;
	}
}

const struct vm_row_index *vm_row_index(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_row_index);
	return &row_index;
}

/* ---- what a row reads and writes: its format tells, but for moves, which do not read what they write, and atomics ---- */
#define BIT_RANGE(first, last) ((2u << (last)) - (1u << (first)))
#define IS_MOVE(code) (((code)&0xf4) == 0xb4 && (((code)&3) == 0 || ((code)&3) == 3))
#define IS_CMPXCHG(value) ((value) == 0xf1)

#define USE_NOTHING(code, value) \
	{ \
		.reads = 1 \
	} /* exit */
#define USE_DST(code, value) \
	{ \
		.reads_dst = 1, .writes_dst = 1 \
	}
#define USE_DST_IMM(code, value) \
	{ \
		.reads_dst = !IS_MOVE(code), .writes_dst = 1 \
	}
#define USE_DST_SRC(code, value) \
	{ \
		.reads_dst = !IS_MOVE(code), .reads_src = 1, .writes_dst = 1 \
	}
#define USE_LOAD(code, value) \
	{ \
		.reads_src = 1, .writes_dst = 1 \
	}
#define USE_STORE_IMM(code, value) \
	{ \
		.reads_dst = 1 \
	}
#define USE_STORE_REG(code, value) \
	{ \
		.reads_dst = 1, .reads_src = 1 \
	}
#define USE_ATOMIC_REG(code, value) \
	{ \
		.reads = IS_CMPXCHG(value), .writes = IS_CMPXCHG(value), .reads_dst = 1, .reads_src = 1, \
		.writes_src = ((value)&1) && !IS_CMPXCHG(value) \
	}
#define USE_JUMP(code, value) \
	{ \
		0 \
	}
#define USE_JUMP_LONG(code, value) \
	{ \
		0 \
	}
#define USE_JUMP_IMM(code, value) \
	{ \
		.reads_dst = 1 \
	}
#define USE_JUMP_REG(code, value) \
	{ \
		.reads_dst = 1, .reads_src = 1 \
	}
#define USE_CALL_ID(code, value) \
	{ \
		.reads = BIT_RANGE(1, 5), .writes = BIT_RANGE(0, 5) \
	}
#define USE_CALL_FUNCTION(code, value) \
	{ \
		.reads = BIT_RANGE(1, 5), .writes = BIT_RANGE(0, 5) \
	}
#define USE_CALL_DST(code, value) \
	{ \
		.reads = BIT_RANGE(1, 5), .writes = BIT_RANGE(0, 5), .reads_dst = 1 \
	}
#define USE_WIDE(code, value) \
	{ \
		.writes_dst = 1 \
	}
#define USE_WIDE_MAP(code, value) \
	{ \
		.writes_dst = 1 \
	}
#define USE_WIDE_FUNCTION(code, value) \
	{ \
		.writes_dst = 1 \
	}
#define USE_PACKET_IMM(code, value) \
	{ \
		.writes = 1 \
	}
#define USE_PACKET_REG(code, value) \
	{ \
		.reads_src = 1, .writes = 1 \
	}
#define USE_LEA_IMM(code, value) \
	{ \
		.reads_src = 1, .writes_dst = 1 \
	}
#define USE_LEA_REG(code, value) \
	{ \
		.reads_src = 1, .reads_index = 1, .writes_dst = 1 \
	}
#define USE_LOAD_INDEXED(code, value) \
	{ \
		.reads_src = 1, .reads_index = 1, .writes_dst = 1 \
	}

const struct vm_row_use vm_row_uses[VM_OPCODES] = {
#define INSN(id, code, select, value, format, mnemonic, c) [VM_##id] = USE_##format(code, value),
#define FUSED(id, format, c) [VM_##id] = USE_##format(0, 0),
#include "vm/insn.def"
};

/* Functions lie in order. */
uint32_t vm_function_at(const struct vm_ops *o, uint32_t op)
{
	uint32_t low = 0, high = (uint32_t)o->function_count;

	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;
		if (o->functions[middle].first <= op)
			low = middle;
		else
			high = middle;
	}
	return low;
}

int vm_error(struct picket_error *reterr, int err, uint64_t offset, const char *format, ...)
{
	va_list args;

	if (!reterr)
		return err;
	memset(reterr, 0, sizeof(*reterr));
	reterr->offset = offset;
	va_start(args, format);
	vsnprintf(reterr->text, sizeof(reterr->text), format, args);
	va_end(args);
	return err;
}

const char *picket_fault_name(enum picket_fault_kind kind)
{
	switch (kind) {
	case PICKET_FAULT_NONE:
		return "no fault";
	case PICKET_FAULT_READ:
		return "out-of-bounds read";
	case PICKET_FAULT_WRITE:
		return "out-of-bounds write";
	case PICKET_FAULT_BUDGET:
		return "instruction budget spent";
	case PICKET_FAULT_FRAMES:
		return "calls too deep";
	case PICKET_FAULT_HELPER:
		return "no such helper";
	case PICKET_FAULT_ARGUMENT:
		return "wrong argument of a helper";
	case PICKET_FAULT_CALL:
		return "call of what is no function";
	case PICKET_FAULT_TAIL_CALL:
		return "tail call that is not allowed";
	}
	return "unknown fault";
}
