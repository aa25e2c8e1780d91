/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the room: eBPF being written, with labels; and how texts are compared by it.
 *
 * Writers only append; the first error stays in the code, and code_finish() tells it. Registers by their numbers: 0 to
 * 5 may be changed by any writer, 6 to 9 belong to who calls it, 10 is the frame.
 */
#ifndef PICKET_RULE_CODE_H
#define PICKET_RULE_CODE_H

#include "base/base.h"
#include "picket/vm.h"

struct code {
	struct picket_insn *insns;
	size_t count, capacity;
	size_t *labels; /* by label: the instruction that it stands before; SIZE_MAX: not bound yet */
	size_t label_count, label_capacity;
	struct code_jump {
		size_t insn;
		uint32_t label;
	} * jumps;
	size_t jump_count, jump_capacity;
	struct code_pending {
		void (*write)(struct code *c, const void *data);
		void *data;
	} * pending; /* still to be written */
	size_t pending_count, pending_capacity;
	struct code_mark *marks; /* in the order of their instructions */
	size_t mark_count, mark_capacity;
	bool marking; /* whoever shows the code wants them; set after code_init() */
	/* For the kernel, whose verifier walks loops turn by turn: long ones become bpf_loop()'s, and then it asks for BTF's
	 * information on each function. Set after code_init(). */
	bool kernel;
	bool far;  /* conditional jumps reach further than 32,767 instructions, by a second jump */
	int error; /* the first: -ENOMEM, -E2BIG, -EINVAL */
};
typedef uint32_t code_label;

void code_init(struct code *c, bool far);
void code_done(struct code *c); /* also for _cleanup_ */
/* Resolves the jumps, moves nothing. The instructions stay c's. Returns 0; -ENOMEM; -E2BIG: more than PICKET_INSNS_MAX;
 * -ERANGE: a jump is too far: write it again with `far`; -EINVAL: a label was not bound, or twice; or a writer's own.
 * */
int code_finish(struct code *c) must_check;
/* A function to be written behind everything else, by code_finish(): it binds its label. data: copied. */
void code_later(struct code *c, void (*write)(struct code *c, const void *data), const void *data, size_t size);
void code_fail(struct code *c, int error); /* unless it has failed already */

/* What the instructions from here to the next mark are for. Kept only while c->marking. */
enum code_mark_kind {
	CODE_MARK_FRAME, /* of the program as a whole */
	CODE_MARK_RULE,  /* index: of the rule in its type: is it live? */
	CODE_MARK_ATOM,  /* index: of the atom that they decide */
	CODE_MARK_MATCH, /* index: of the rule that holds */
	CODE_MARK_GROUP, /* index: of the group of patterns whose function begins */
	CODE_MARK_SET,   /* index: of the set of numbers whose function begins */
};
struct code_mark {
	size_t insn;
	enum code_mark_kind kind;
	uint32_t index;
};
void code_mark(struct code *c, enum code_mark_kind kind, uint32_t index);

code_label code_label_new(struct code *c);
void code_bind(struct code *c, code_label l); /* it stands here; once */

/* op: BPF_MOV, BPF_ADD, BPF_AND … of linux/bpf.h, 64 bits. */
void code_alu(struct code *c, uint8_t op, unsigned dst, int32_t imm);
void code_alu_reg(struct code *c, uint8_t op, unsigned dst, unsigned src);
void code_constant(struct code *c, unsigned dst, uint64_t value);             /* by the shortest way */
void code_map(struct code *c, unsigned dst, uint32_t map);                    /* for helpers */
void code_map_value(struct code *c, unsigned dst, uint32_t map, uint32_t at); /* address in an array's first value */
void code_swap(struct code *c, unsigned dst);                                 /* 8 bytes to big endian */
void code_swap_little(struct code *c, unsigned dst); /* to little endian: nothing, on a machine that is */
/* size: BPF_B, BPF_H, BPF_W, BPF_DW */
void code_load(struct code *c, uint8_t size, unsigned dst, unsigned base, int16_t offset);
void code_store(struct code *c, uint8_t size, unsigned base, int16_t offset, unsigned src);
void code_call(struct code *c, uint32_t helper);
void code_call_label(struct code *c, code_label function);
void code_function(struct code *c, unsigned dst, code_label function); /* its address, for helpers that call back */
void code_exit(struct code *c);
void code_jump(struct code *c, code_label l);
/* op: BPF_JEQ, BPF_JSET, BPF_JGT … */
void code_jump_if(struct code *c, uint8_t op, unsigned dst, int32_t imm, code_label l);
void code_jump_if_reg(struct code *c, uint8_t op, unsigned dst, unsigned src, code_label l);

/* ---- numbers: code_number.c ---- */

struct code_number {
	int64_t number;
	uint32_t bit; /* of the result */
};
/* The bits of those that are r1 are set in the words at r7 + results, others stay. numbers: ascending, the bits of equal
 * ones ascending. Changes r2. Falls through at the end. The depth is logarithmic in their number. */
void code_numbers(struct code *c, const struct code_number *numbers, size_t count, int16_t results);

/* ---- texts: code_text.c, code_scan.c ---- */

#define PATTERN_BYTES_MAX 256 /* of one; longer ones are left to the reference evaluator */

enum pattern_kind {
	PATTERN_EXACT,
	PATTERN_PREFIX,
	PATTERN_SUFFIX,
	PATTERN_CONTAINS,
	PATTERN_CONTAINS_NOCASE, /* ASCII letters alike */
};
struct pattern {
	enum pattern_kind kind;
	struct str text; /* any bytes; empty: every text, for EXACT the empty one */
	uint32_t bit;    /* of the result: patterns may share one */
};
/* The patterns' bits that hold for a text are set in the 8-byte words at r7 + results (bit n: word n / 64), others
 * stay. r8: the text's first byte, r9: its length, at most `length_max` (the verifier must be able to see both bounds).
 * PATTERN_PADDING bytes before and behind the text may be read, whatever they hold. Changes r0 to r5 only, and the
 * stack from r10 - 64 on. Falls through at the end. patterns: of kinds EXACT and PREFIX, or all SUFFIX. Order of cost:
 * the depth is logarithmic in their number. Wrong arguments (a longer pattern) are -EINVAL in c->error. */
#define PATTERN_PADDING (PATTERN_BYTES_MAX + 8)
void code_text_begins(struct code *c, const struct pattern *patterns, size_t count, int16_t results, size_t length_max);
void code_text_ends(struct code *c, const struct pattern *patterns, size_t count, int16_t results, size_t length_max);

/* CONTAINS and CONTAINS_NOCASE, any number of both: one pass over the text by a table that is an array's only value. */
struct scan_automaton {
	bool used;
	/* Places, as all in the table: bytes from its beginning. */
	uint32_t classes;                /* of the bytes' classes */
	uint32_t first;                  /* of the first state */
	uint32_t found_first, found_end; /* of states in which patterns have been found; of others: below */
};
/* Bytes in a row that all texts with a certain pattern have. */
struct scan_sign {
	uint8_t bytes[2];
	uint8_t count; /* of them */
	bool nocase;   /* letters alike, and some other bytes */
};
#define SCAN_SIGNS_MAX 8 /* with more, asking for them costs as much as the automata */
struct scan {
	void *table;
	size_t table_bytes;                /* at most SCAN_TABLE_MAX */
	struct scan_automaton automata[2]; /* of CONTAINS, of CONTAINS_NOCASE */
	uint32_t word_first, word_last;    /* of the results: those that may change, 8 bytes each */
	uint64_t all;                      /* word_first == word_last: the bits that may be set in it */
	uint32_t records_max;              /* that one state has */
	uint32_t *always;                  /* bits of empty patterns */
	size_t always_count;
	struct scan_sign signs[SCAN_SIGNS_MAX]; /* one of them is in each text that has a pattern */
	size_t sign_count;                      /* 0: they would be too many */
};
#define SCAN_TABLE_MAX (4u << 20)
/* Returns 0; -ENOMEM; -E2BIG: the table would be too large; -EINVAL. ret_scan: scan_done(). */
int scan_new(const struct pattern *patterns, size_t count, struct scan *ret_scan) must_check;
void scan_done(struct scan *s); /* also for _cleanup_ */
/* map: index of the map that holds the table. Registers as above. s: borrowed for the call. The time grows with the
 * text's length, not with the number of patterns; it ends where all have been found, if their bits are in one word. A text
 * without any of the signs is not read by the automata (but in the kernel, where loops are dear to verify). */
void code_text_scan(struct code *c, const struct scan *s, uint32_t map, int16_t results, size_t length_max);

#endif
