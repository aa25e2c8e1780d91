/* SPDX-License-Identifier: Apache-2.0
 *
 * Why the kernel may refuse what we accept: all reasons that are known (docs/verify.md has an example of each). A reason
 * counts only if it is shown to be the one: the program is told to the kernel once more, with what we know of it and the
 * kernel does not, and the kernel must accept that.
 */
#include <stdio.h>
#include <stdlib.h>
#include "tests/verify/soundness.h"

/* ---- what we know: of each instruction, the numbers that registers hold whenever it is reached ---- */
struct fact {
	uint32_t visits; /* in which the register held a number */
	struct range range;
};

struct facts {
	uint32_t visits[CASE_INSNS_MAX];
	struct fact registers[CASE_INSNS_MAX][10];
};

static void fact_join(struct fact *f, const struct range *range)
{
	if (!f->visits++) {
		f->range = *range;
		return;
	}
	f->range.umin = MIN(f->range.umin, range->umin);
	f->range.umax = MAX(f->range.umax, range->umax);
	f->range.smin = MIN(f->range.smin, range->smin);
	f->range.smax = MAX(f->range.smax, range->smax);
}

/* A register's number as the trace has it: "7", "[0, 7]", "[0, 18446744073709551615], signed [-7, 7]". false: a pointer. */
static bool read_range(const char *text, struct range *ret_range)
{
	unsigned long long umin, umax;
	long long smin, smax;
	int count = sscanf(text, "[%llu, %llu], signed [%lld, %lld]", &umin, &umax, &smin, &smax);

	if (count == 4)
		*ret_range = (struct range){.umin = umin, .umax = umax, .smin = smin, .smax = smax};
	else if (count == 2)
		*ret_range = (struct range){.umin = umin, .umax = umax, .smin = (int64_t)umin, .smax = (int64_t)umax};
	else if (sscanf(text, "%lld", &smin) == 1)
		*ret_range = (struct range){.umin = (uint64_t)smin, .umax = (uint64_t)smin, .smin = smin, .smax = smin};
	else
		return false;
	return true;
}

static void facts_add(size_t insn, const char *state, void *user)
{
	struct facts *facts = user;
	struct range range;
	unsigned reg;

	facts->visits[insn]++;
	for (const char *at = state; at; at = strstr(at, " r")) {
		at += *at == ' ';
		if (sscanf(at, "r%1u=", &reg) == 1 && read_range(strchr(at, '=') + 1, &range))
			fact_join(&facts->registers[insn][reg], &range);
	}
}

static bool facts_find(const struct test_case *c, struct facts *ret_facts)
{
	const struct picket_verify_options options = {
	        .kind = c->kind, .types = soundness_types_running(), .trace = facts_add, .user = ret_facts};
	struct picket_verdict *verdict;
	bool accepted;

	memset(ret_facts, 0, sizeof(*ret_facts));
	if (picket_verify_insns(c->insns, c->count, c->maps, c->map_count, &options, &verdict))
		return false;
	accepted = verdict->accepted;
	picket_verdict_free(verdict);
	return accepted;
}

/* ---- branches that are never taken ---- */
static bool is_condition(const struct picket_insn *insn)
{
	return insn_distance(insn) == DISTANCE_OFFSET && !insn_is(insn, VM_JA);
}

static bool is_accepted(const struct test_case *c)
{
	struct judgement judgement;

	kernel_case_judge(c, &judgement);
	return judgement.accepted;
}

#define TRAP_SLOTS 2
/* What no verifier accepts if it is reached. */
static void put_trap(struct picket_insn *insns)
{
	insns[0] = insn_make(VM_MOV64_IMM, 1, 0, 0, 0);
	insns[1] = insn_make(VM_LDXDW, 1, 1, 0, 0);
}

/* Do we accept it with a trap where a condition does not hold? */
static bool falls_never(const struct test_case *c, size_t at)
{
	static struct test_case trapped;

	trapped = *c;
	if (!case_insert(&trapped, at + 1, TRAP_SLOTS))
		return false;
	put_trap(&trapped.insns[at + 1]);
	return is_accepted(&trapped);
}

/* Where it holds? */
static bool jumps_never(const struct test_case *c, size_t at)
{
	static struct test_case trapped;
	struct picket_insn *insn = &trapped.insns[at];

	trapped = *c;
	if (!case_insert(&trapped, at + 1, TRAP_SLOTS + 2))
		return false;
	insn[1] = insn_make(VM_JA, 0, 0, TRAP_SLOTS + 1, 0);
	put_trap(&insn[2]);
	insn[2 + TRAP_SLOTS] = insn_make(VM_JA, 0, 0, insn->offset - (TRAP_SLOTS + 2), 0);
	insn->offset = 1;
	return is_accepted(&trapped);
}

static void tell_branches(struct test_case *c)
{
	enum { BOTH, ALWAYS, NEVER };
	static uint8_t goes[CASE_INSNS_MAX];

	for (size_t at = 0; at < c->count; at += insn_slots(&c->insns[at])) {
		goes[at] = BOTH;
		if (is_condition(&c->insns[at]) && c->insns[at].offset != 0)
			goes[at] = falls_never(c, at) ? ALWAYS : jumps_never(c, at) ? NEVER : BOTH;
	}
	for (size_t at = 0; at < c->count; at += insn_slots(&c->insns[at]))
		if (goes[at] != BOTH)
			c->insns[at] = insn_make(VM_JA, 0, 0, goes[at] == ALWAYS ? c->insns[at].offset : 0, 0);
	case_prune(c);
}

/* ---- bounds of numbers ---- */
/* Instructions that take the place of one. */
struct patch {
	struct picket_insn insns[16];
	size_t count;
};

static void patch_add(struct patch *p, enum vm_opcode op, unsigned dst, unsigned src, int offset, int64_t imm)
{
	p->insns[p->count++] = insn_make(op, dst, src, offset, imm);
}

static bool patch_apply(struct test_case *c, size_t at, const struct patch *p)
{
	if (!case_insert(c, at, p->count))
		return false;
	memcpy(&c->insns[at], p->insns, p->count * sizeof(p->insns[0]));
	case_take_out(c, at + p->count, at + p->count + insn_slots(&c->insns[at + p->count]));
	return true;
}

static bool holds_number(const struct facts *f, size_t at, unsigned reg)
{
	return f->visits[at] && f->registers[at][reg].visits == f->visits[at];
}

/* pointer + number, in either order, or pointer - number? ret_number: the register that holds the number. */
static bool moves_pointer(const struct facts *f, const struct picket_insn *insn, size_t at, unsigned *ret_number)
{
	bool dst, src;

	if (!f->visits[at] || (!insn_is(insn, VM_ADD64_REG) && !insn_is(insn, VM_SUB64_REG)))
		return false;
	dst = insn->dst < 10 && holds_number(f, at, insn->dst);
	src = insn->src < 10 && holds_number(f, at, insn->src);
	*ret_number = dst ? insn->dst : insn->src;
	return dst != src;
}

/* Where bounds matter: registers, as bits, with numbers that move pointers or may be sizes for helpers. */
static unsigned registers_bounded(const struct facts *f, const struct picket_insn *insn, size_t at)
{
	unsigned number, registers = 0;

	if (moves_pointer(f, insn, at, &number))
		return 1u << number;
	for (unsigned reg = 1; insn_is(insn, VM_CALL_HELPER) && reg <= 5; reg++)
		registers |= holds_number(f, at, reg) ? 1u << reg : 0;
	return registers;
}

/* Sets a register to a bound if it lies beyond; which it never does. */
static void patch_bound(struct patch *p, enum vm_opcode holds, unsigned reg, int64_t bound)
{
	patch_add(p, holds, reg, 0, 1, bound);
	patch_add(p, VM_MOV64_IMM, reg, 0, 0, bound);
}

/* Bounds that no instruction can name are told as the nearest that one can. */
static void patch_bounds(struct patch *p, unsigned reg, const struct range *r)
{
	if (r->umin == r->umax && r->smin == (int32_t)r->smin) {
		patch_add(p, VM_MOV64_IMM, reg, 0, 0, r->smin);
		return;
	}
	if (r->umax <= INT32_MAX)
		patch_bound(p, VM_JLE64_IMM, reg, (int64_t)r->umax);
	else if (r->umax <= UINT32_MAX)
		patch_add(p, VM_MOV32_REG, reg, reg, 0, 0);
	else if (r->smin >= 0)
		patch_bound(p, VM_JSGE64_IMM, reg, 0);
	if (r->umin > 0 && r->umin <= INT32_MAX)
		patch_bound(p, VM_JGE64_IMM, reg, (int64_t)r->umin);
	if (r->smin < 0 && r->smin >= INT32_MIN)
		patch_bound(p, VM_JSGE64_IMM, reg, r->smin);
	if (r->smin < 0 && r->smax >= INT32_MIN && r->smax <= INT32_MAX)
		patch_bound(p, VM_JSLE64_IMM, reg, r->smax);
}

#define MOVE_MAX (1 << 29)
/* pointer - number as (pointer - most) + (most - number), pointer + number as (pointer + least) + (number - least): what is
 * added is never negative. The number is restored, unless it became the pointer. */
static void patch_move(struct patch *p, const struct picket_insn *insn, unsigned number, const struct range *r)
{
	unsigned pointer = number == insn->dst ? insn->src : insn->dst;

	if (r->smin <= -MOVE_MAX || r->smax >= MOVE_MAX || (insn_is(insn, VM_ADD64_REG) && r->smin >= 0)) {
		p->insns[p->count++] = *insn;
	} else if (insn_is(insn, VM_SUB64_REG)) {
		patch_add(p, VM_SUB64_IMM, number, 0, 0, r->smax);
		patch_add(p, VM_NEG64, number, 0, 0, 0);
		patch_add(p, VM_ADD64_IMM, pointer, 0, 0, -r->smax);
		patch_add(p, VM_ADD64_REG, pointer, number, 0, 0);
		patch_add(p, VM_NEG64, number, 0, 0, 0);
		patch_add(p, VM_ADD64_IMM, number, 0, 0, r->smax);
	} else {
		patch_add(p, VM_ADD64_IMM, number, 0, 0, -r->smin);
		patch_add(p, VM_ADD64_REG, insn->dst, insn->src, 0, 0);
		patch_add(p, VM_ADD64_IMM, insn->dst, 0, 0, r->smin);
		if (number != insn->dst)
			patch_add(p, VM_ADD64_IMM, number, 0, 0, r->smin);
	}
}

/* forwards: also moves pointers by numbers that are not negative. */
static bool tell_bounds(struct test_case *c, const struct facts *facts, bool forwards)
{
	for (size_t at = c->count; at-- > 0;) { /* backwards: what comes before keeps its place */
		const struct picket_insn insn = c->insns[at];
		const struct fact *known = facts->registers[at];
		unsigned registers = registers_bounded(facts, &insn, at), number;
		struct patch p = {.count = 0};

		for (unsigned reg = 0; reg < 10; reg++)
			if (registers & 1u << reg)
				patch_bounds(&p, reg, &known[reg].range);
		if (forwards && moves_pointer(facts, &insn, at, &number))
			patch_move(&p, &insn, number, &known[number].range);
		else
			p.insns[p.count++] = insn;
		if (registers && !patch_apply(c, at, &p))
			return false;
	}
	return true;
}

/* ---- pointers that are numbers to us ---- */
/* A load from the stack that fills a number from the place of a pointer: any number of that width, from elsewhere. */
static bool tell_part(struct test_case *c, const struct facts *facts, size_t at)
{
	const struct picket_insn insn = c->insns[at];
	struct patch p = {.count = 0};

	if ((insn.code & 7) != 1 || at + 1 >= c->count || !holds_number(facts, at + 1, insn.dst))
		return false;
	patch_add(&p, VM_LDDW_MAP_VALUE, insn.dst, 0, 0, MAP_GLOBALS);
	p.insns[p.count++] = (struct picket_insn){0};
	p.insns[p.count] = insn;
	p.insns[p.count].offset = 0;
	p.insns[p.count++].src = insn.dst;
	return patch_apply(c, at, &p);
}

/* Arithmetic on what is a number to us wherever it comes from: a number comes out of exchanging its bytes, twice. */
static bool tell_number(struct test_case *c, const struct facts *facts, size_t at)
{
	const struct picket_insn insn = c->insns[at];
	struct patch p = {.count = 0};

	if ((insn.code & 7) != 4 && (insn.code & 7) != 7)
		return false;
	for (unsigned reg = 0; reg < 10; reg++) {
		if (reg != insn.dst && (reg != insn.src || !(insn.code & 8)))
			continue;
		if (!holds_number(facts, at, reg))
			return false;
		patch_add(&p, VM_BSWAP64, reg, 0, 0, 0);
		patch_add(&p, VM_BSWAP64, reg, 0, 0, 0);
	}
	p.insns[p.count++] = insn;
	return patch_apply(c, at, &p);
}

/* ---- stack that was never written ---- */
static bool begins_function(const struct test_case *c, size_t at)
{
	for (size_t i = 0; i < c->count && at > 0; i += insn_slots(&c->insns[i]))
		if (insn_is(&c->insns[i], VM_CALL_LOCAL) && (int64_t)i + 1 + c->insns[i].imm == (int64_t)at)
			return true;
	return at == 0;
}

/* Slots that are read by their place below r10, as bits. */
static uint64_t slots_read(const struct test_case *c)
{
	uint64_t slots = 0;

	for (size_t at = 0; at < c->count; at += insn_slots(&c->insns[at])) {
		const struct picket_insn *insn = &c->insns[at];
		if ((insn->code & 7) == 1 && insn->src == 10 && insn->offset < 0 && insn->offset >= -512)
			slots |= 1ull << ((-insn->offset - 1) / 8);
	}
	return slots;
}

/* Each function reads them first, and writes back what it read: any number. r0 is free there. */
static bool tell_stack(struct test_case *c)
{
	uint64_t slots = slots_read(c);

	for (size_t at = c->count; at-- > 0;) {
		if (!begins_function(c, at))
			continue;
		for (unsigned slot = 0; slot < 64; slot++) {
			if (!(slots & 1ull << slot))
				continue;
			if (!case_insert(c, at, 2))
				return false;
			c->insns[at] = insn_make(VM_LDXDW, 0, 10, -8 * (int)(slot + 1), 0);
			c->insns[at + 1] = insn_make(VM_STXDW, 10, 0, -8 * (int)(slot + 1), 0);
		}
	}
	return true;
}

/* ---- the reasons ---- */
#define TELL_BOUNDS 1
#define TELL_FORWARDS 2 /* with bounds */
#define TELL_STACK 4
#define TELL_PART 8    /* where the kernel refuses; */
#define TELL_NUMBER 16 /* the same */
#define TELL_ALL 31
#define REFUSALS_MAX 16
struct known_reason {
	const char *text;
	const char *words[5]; /* parts of what the kernel says; none: anything */
	unsigned tell;        /* besides branches that are never taken */
	bool ends;            /* nothing would help */
};

enum { LIMITS };
/* The simplest first. */
static const struct known_reason reasons[] = {
        [LIMITS] = {.text = "limits: the kernel gives up",
                    .words = {"BPF program is too large", "jumps is too complex"},
                    .ends = true},
        {.text = "branches: it follows some that are never taken"},
        {.text = "unwritten stack: it does not see that a loop counts there",
         .words = {"old state"},
         .tell = TELL_STACK},
        {.text = "parts: it does not fill a number from the place of a pointer",
         .words = {"invalid size of register fill"},
         .tell = TELL_PART},
        {.text = "addresses: it does not calculate with some that are numbers here",
         .words = {"32-bit pointer arithmetic", " pointer prohibited", "pointer arithmetic with",
                   "on pointer prohibited"},
         .tell = TELL_NUMBER},
        {.text = "bounds: it knows less of a number", .tell = TELL_BOUNDS},
        {.text = "backwards: it moves pointers by numbers that are not negative only",
         .words = {"unbounded memory access", "unbounded min value", "out of bounds", "outside of the allowed memory"},
         .tell = TELL_BOUNDS | TELL_FORWARDS},
        {.text = "several of these", .tell = TELL_ALL},
};

static bool says(const struct known_reason *r, const char *words)
{
	for (size_t i = 0; i < ARRAY_SIZE(r->words) && r->words[i]; i++)
		if (strstr(words, r->words[i]))
			return true;
	return !r->words[0];
}

static bool tell_at(struct test_case *c, unsigned tell, int64_t at)
{
	static struct facts facts;

	if (at < 0 || at >= (int64_t)c->count || !facts_find(c, &facts))
		return false;
	return (tell & TELL_PART && tell_part(c, &facts, (size_t)at)) ||
	       (tell & TELL_NUMBER && tell_number(c, &facts, (size_t)at));
}

/* Does the kernel accept it, when it is told? */
static bool convinces(unsigned tell, const struct test_case *c)
{
	static struct facts facts;
	static struct test_case told;
	struct kernel_words words;

	told = *c;
	tell_branches(&told);
	if (!facts_find(&told, &facts) || (tell & TELL_BOUNDS && !tell_bounds(&told, &facts, tell & TELL_FORWARDS)) ||
	    (tell & TELL_STACK && !tell_stack(&told)))
		return false;
	for (unsigned refusals = 0; refusals < REFUSALS_MAX; refusals++) {
		if (kernel_accepts(&told, &words) || (tell == TELL_ALL && says(&reasons[LIMITS], words.text)))
			return true;
		if (!tell_at(&told, tell, words.insn))
			return false;
	}
	return false;
}

const char *known_reason_find(const struct test_case *c, const struct kernel_words *words)
{
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		if (says(&reasons[i], words->text) && (reasons[i].ends || convinces(reasons[i].tell, c)))
			return reasons[i].text;
	return NULL;
}
