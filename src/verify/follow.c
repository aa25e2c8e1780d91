/* SPDX-License-Identifier: Apache-2.0
 *
 * While a rejected program runs: its registers are followed as functions of the input, and each branch is compared with the
 * path on which it was rejected. Where the run leaves that path, or arrives without doing wrong, the input is changed.
 */
#include <linux/bpf.h>

#include "verify/replay_int.h"

#define STRIDE_MAX 64 /* bytes from one element of an array to the next, that are tried */

static const struct made nothing;

static struct made made_of(struct symbol s)
{
	return (struct made){s.source != SYMBOL_NONE, {s}};
}

static void made_step(struct made *m, struct symbol_step step)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < m->count; i++) {
		symbol_step(&m->pieces[i], step);
		if (m->pieces[i].source != SYMBOL_NONE)
			m->pieces[kept++] = m->pieces[i];
	}
	m->count = kept;
}

static void made_add(struct made *m, const struct made *more)
{
	for (unsigned i = 0; i < more->count && m->count < PIECES_MAX; i++)
		m->pieces[m->count++] = more->pieces[i];
}

/* ---- what is in the input ---- */

static uint64_t number_read(const uint8_t *from, unsigned bytes)
{
	uint64_t number = 0;

	for (unsigned i = 0; i < bytes; i++)
		number |= (uint64_t)from[__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? i : bytes - 1 - i] << (8 * i);
	return number;
}

void replay_write(uint8_t *to, unsigned bytes, uint64_t number)
{
	for (unsigned i = 0; i < bytes; i++)
		to[__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? i : bytes - 1 - i] = (uint8_t)(number >> (8 * i));
}

static bool lies_in(uint64_t address, unsigned bytes, const void *memory, uint64_t size)
{
	uint64_t start = (uintptr_t)memory;

	return address >= start && address - start + bytes <= size;
}

/* The map whose first value, of an array, holds these bytes. */
static bool value_at(const struct replay *r, uint64_t address, unsigned bytes, uint32_t *ret_map)
{
	for (uint32_t i = 0; i < r->v->map_count; i++) {
		const void *values = picket_map_values(r->maps[i]);
		if (values && lies_in(address, bytes, values, r->v->maps[i].value_size)) {
			*ret_map = i;
			return true;
		}
	}
	return false;
}

static bool cell_set(struct replay *r, const struct symbol *s, uint64_t number)
{
	struct example_input *in = r->input;
	uint32_t map, at;

	if (s->bytes < 8 && number >> (8 * s->bytes))
		return false;
	if (lies_in(s->address, s->bytes, r->low, EXAMPLE_PACKET_MAX)) {
		replay_write(in->packet + (s->address - (uintptr_t)r->low), s->bytes, number);
		return true;
	}
	if (lies_in(s->address, s->bytes, r->context, sizeof(r->context))) {
		at = (uint32_t)(s->address - (uintptr_t)r->context);
		replay_write(in->context + at, s->bytes, number);
		memset(in->context_used + at, true, s->bytes);
		return true;
	}
	if (!value_at(r, s->address, s->bytes, &map))
		return false;
	at = (uint32_t)(s->address - (uintptr_t)picket_map_values(r->maps[map]));
	for (uint32_t i = 0; i < in->poke_count; i++)
		if (in->pokes[i].map == map && in->pokes[i].offset == at && in->pokes[i].bytes == s->bytes) {
			in->pokes[i].number = number;
			return true;
		}
	if (in->poke_count == EXAMPLE_POKES_MAX || r->v->maps[map].flags & BPF_F_RDONLY_PROG)
		return false;
	in->pokes[in->poke_count].map = map;
	in->pokes[in->poke_count].offset = at;
	in->pokes[in->poke_count].bytes = s->bytes;
	in->pokes[in->poke_count++].number = number;
	return true;
}

static bool return_set(struct replay *r, uint32_t index, uint64_t number)
{
	const struct vm_op *op;
	const struct verify_proto *p;

	if (index >= EXAMPLE_RETURNS_MAX)
		return false;
	op = &r->v->code.ops[r->result->return_ops[index]];
	p = explain_proto(r->v, op);
	if (!p ||
	    (p->return_min < p->return_max && ((int64_t)number < p->return_min || (int64_t)number > p->return_max)))
		return false;
	r->input->returns[index] = number;
	return true;
}

static bool lookup_set(struct replay *r, uint32_t index, uint64_t wanted)
{
	struct example_input *in = r->input;

	if (!wanted || index >= LOOKUPS_MAX || in->element_count == EXAMPLE_ELEMENTS_MAX ||
	    r->lookups[index].map == NO_MAP)
		return false;
	in->elements[in->element_count].map = r->lookups[index].map;
	memcpy(in->elements[in->element_count++].key, r->lookups[index].key, EXAMPLE_KEY_MAX);
	return true;
}

static uint64_t input_now(const struct replay *r, const struct symbol *s)
{
	switch ((enum symbol_source)s->source) {
	case SYMBOL_CELL:
		return number_read((const uint8_t *)(uintptr_t)s->address, s->bytes);
	case SYMBOL_LENGTH:
		return r->input->length;
	case SYMBOL_RETURN:
		return s->index < EXAMPLE_RETURNS_MAX ? r->input->returns[s->index] : 0;
	default:
		return 0;
	}
}

static bool solve_piece(struct replay *r, const struct symbol *s, uint64_t wanted)
{
	uint64_t number;

	if (s->source == SYMBOL_LOOKUP)
		return s->count == 0 && lookup_set(r, s->index, wanted);
	if (!symbol_invert(s, input_now(r, s), wanted, &number) || number == input_now(r, s))
		return false;
	switch ((enum symbol_source)s->source) {
	case SYMBOL_CELL:
		return cell_set(r, s, number);
	case SYMBOL_LENGTH:
		if (number > EXAMPLE_PACKET_MAX)
			return false;
		r->input->length = number;
		return true;
	default:
		return return_set(r, s->index, number);
	}
}

/* Changes the input so that the value becomes `wanted`. */
static bool solve(struct replay *r, const struct made *m, uint64_t wanted)
{
	for (unsigned i = 0; i < m->count; i++)
		if (solve_piece(r, &m->pieces[i], wanted))
			return true;
	return false;
}

/* Those of the wanted bits that one piece decides: another one may do the rest in the next run. */
static bool solve_part(struct replay *r, const struct made *m, uint64_t wanted)
{
	for (unsigned i = 0; m->count > 1 && i < m->count; i++) {
		const struct symbol *s = &m->pieces[i];
		uint64_t rest = symbol_value(s, 0);
		uint64_t mine = symbol_value(s, s->bytes < 8 ? ((uint64_t)1 << (8 * s->bytes)) - 1 : UINT64_MAX) ^ rest;
		if (s->source == SYMBOL_CELL && solve_piece(r, s, (wanted & mine) | (rest & ~mine)))
			return true;
	}
	return false;
}

/* ---- branches ---- */

static bool compare(uint8_t code, uint64_t a, uint64_t b)
{
	int64_t x = (int64_t)a, y = (int64_t)b;

	if ((code & 7) == BPF_JMP32) {
		a &= UINT32_MAX;
		b &= UINT32_MAX;
		x = (int32_t)a;
		y = (int32_t)b;
	}
	switch (code & 0xf0) {
	case BPF_JEQ:
		return a == b;
	case BPF_JNE:
		return a != b;
	case BPF_JGT:
		return a > b;
	case BPF_JGE:
		return a >= b;
	case BPF_JLT:
		return a < b;
	case BPF_JLE:
		return a <= b;
	case BPF_JSGT:
		return x > y;
	case BPF_JSGE:
		return x >= y;
	case BPF_JSLT:
		return x < y;
	case BPF_JSLE:
		return x <= y;
	default:
		return a & b;
	}
}

/* Makes the comparison of a symbol with a constant come out otherwise. first: the symbol is the left one. */
static bool turn(struct replay *r, uint8_t code, const struct made *m, uint64_t other, bool first, bool wanted)
{
	const uint64_t other_half = other & ((code & 7) == BPF_JMP32 ? UINT32_MAX : UINT64_MAX);
	const uint64_t candidates[] = {
	        other_half,           other_half + 1, other_half - 1, 0, 1, other_half & (0 - other_half),
	        (uint64_t)UINT32_MAX, UINT64_MAX};

	for (size_t i = 0; i < ARRAY_SIZE(candidates); i++) {
		uint64_t number = candidates[i];
		bool outcome = first ? compare(code, number, other) : compare(code, other, number);
		if (outcome == wanted && solve(r, m, number))
			return true;
	}
	return (first ? compare(code, other_half, other) : compare(code, other, other_half)) == wanted &&
	       solve_part(r, m, other_half);
}

static void follow_branch(struct replay *r, uint32_t insn, const uint64_t registers[11])
{
	const struct picket_insn *i = &r->v->insns[insn];
	const struct path_branch *expected = &r->path->branches[r->position];
	const bool immediate = !(i->code & BPF_X);
	const uint64_t a = registers[i->dst], b = immediate ? (uint64_t)(int64_t)i->imm : registers[i->src];

	if (r->position == r->path->count || expected->insn != insn)
		return;
	if (compare(i->code, a, b) == expected->taken) {
		r->position++;
		return;
	}
	r->left = true;
	r->changed = turn(r, i->code, &r->registers[i->dst], b, true, expected->taken) ||
	             (!immediate && turn(r, i->code, &r->registers[i->src], a, false, expected->taken));
}

/* ---- memory ---- */

static void shadow_forget(struct replay *r, uint64_t address, unsigned bytes)
{
	for (unsigned i = 0; i < r->shadow_count;) {
		const struct shadow *s = &r->shadows[i];
		if (address < s->address + s->bytes && s->address < address + bytes)
			r->shadows[i] = r->shadows[--r->shadow_count];
		else
			i++;
	}
}

/* Also what is no symbol: it is no input any more. */
static void shadow_store(struct replay *r, uint64_t address, unsigned bytes, const struct made *made)
{
	shadow_forget(r, address, bytes);
	if (r->shadow_count == SHADOWS_MAX)
		r->shadow_count = 0; /* what is forgotten may be taken for input: the next run shows that it is not */
	r->shadows[r->shadow_count++] = (struct shadow){address, (uint8_t)bytes, *made};
}

static bool shadow_load(const struct replay *r, uint64_t address, unsigned bytes, struct made *ret_made)
{
	for (unsigned i = 0; i < r->shadow_count; i++) {
		const struct shadow *s = &r->shadows[i];
		if (address >= s->address + s->bytes || s->address >= address + bytes)
			continue;
		*ret_made = s->address == address && s->bytes == bytes ? s->made : nothing;
		return true;
	}
	return false;
}

bool replay_is_length(const struct verify *v, const struct verify_field *f)
{
	return v->kind->flags & KIND_SKB && !strcmp(f->name, "len");
}

static struct symbol context_symbol(struct replay *r, uint64_t address, unsigned bytes)
{
	const struct verify_field *f = explain_field(r->v, (int64_t)(address - (uintptr_t)r->context));
	struct symbol s = {.source = SYMBOL_CELL, .address = address, .bytes = (uint8_t)bytes};

	if (!f)
		return s;
	if (f->type == FIELD_NUMBER && !replay_is_length(r->v, f))
		return s;
	r->result->packet_used |= f->type == FIELD_NUMBER || f->type == FIELD_PACKET || f->type == FIELD_PACKET_END ||
	                          f->type == FIELD_MEMORY_RANGE || f->type == FIELD_MEMORY_END;
	s.source = SYMBOL_NONE;
	if (f->type == FIELD_NUMBER)
		s.source = SYMBOL_LENGTH;
	if (f->type == FIELD_PACKET_END || f->type == FIELD_MEMORY_END) {
		s.source = SYMBOL_LENGTH;
		symbol_step(&s, (struct symbol_step){STEP_SCALAR, SCALAR_ADD, true, (uintptr_t)r->low});
	}
	return s;
}

static struct made load_made(struct replay *r, uint64_t address, unsigned bytes)
{
	struct symbol s = {.source = SYMBOL_CELL, .address = address, .bytes = (uint8_t)bytes};
	struct made stored;
	uint32_t map;

	if (shadow_load(r, address, bytes, &stored))
		return stored;
	if (lies_in(address, bytes, r->low, r->input->length))
		return made_of(s);
	if (lies_in(address, bytes, r->context, sizeof(r->context)))
		return made_of(context_symbol(r, address, bytes));
	return value_at(r, address, bytes, &map) ? made_of(s) : nothing;
}

static unsigned insn_bytes(const struct picket_insn *i)
{
	static const uint8_t sizes[] = {4, 2, 1, 8};

	return sizes[i->code >> 3 & 3];
}

static void follow_load(struct replay *r, const struct picket_insn *i, const uint64_t registers[11])
{
	struct made s = load_made(r, registers[i->src] + (uint64_t)(int64_t)i->offset, insn_bytes(i));

	if ((i->code & 0xe0) == 0x80) /* sign-extending */
		made_step(&s, (struct symbol_step){STEP_SIGN_EXTEND, 0, true, 8 * insn_bytes(i)});
	r->registers[i->dst] = s;
}

static void follow_store(struct replay *r, const struct picket_insn *i, const uint64_t registers[11])
{
	uint64_t address = registers[i->dst] + (uint64_t)(int64_t)i->offset;
	bool atomic = (i->code & 0xe0) == 0xc0;
	struct made stored = nothing;

	if ((i->code & 7) == BPF_STX && !atomic) {
		stored = r->registers[i->src];
		/* a part of it is another number */
		if (insn_bytes(i) < 4)
			stored = nothing;
		else if (insn_bytes(i) == 4)
			made_step(&stored, (struct symbol_step){STEP_SCALAR, SCALAR_MOV, false, 0});
	}
	shadow_store(r, address, insn_bytes(i), &stored);
	if (atomic)
		r->registers[i->src] = r->registers[0] = nothing;
}

/* ---- arithmetic ---- */

static bool scalar_of(uint8_t code, enum scalar_op *ret_op)
{
	static const uint8_t ops[] = {
	        [BPF_ADD >> 4] = SCALAR_ADD, [BPF_SUB >> 4] = SCALAR_SUB, [BPF_MUL >> 4] = SCALAR_MUL,
	        [BPF_DIV >> 4] = SCALAR_DIV, [BPF_OR >> 4] = SCALAR_OR,   [BPF_AND >> 4] = SCALAR_AND,
	        [BPF_LSH >> 4] = SCALAR_LSH, [BPF_RSH >> 4] = SCALAR_RSH, [BPF_MOD >> 4] = SCALAR_MOD,
	        [BPF_XOR >> 4] = SCALAR_XOR, [BPF_MOV >> 4] = SCALAR_MOV, [BPF_ARSH >> 4] = SCALAR_ARSH,
	};

	if (code >> 4 >= ARRAY_SIZE(ops))
		return false;
	*ret_op = (enum scalar_op)ops[code >> 4];
	return true;
}

static bool commutes(enum scalar_op op)
{
	return op == SCALAR_ADD || op == SCALAR_MUL || op == SCALAR_OR || op == SCALAR_AND || op == SCALAR_XOR;
}

static void follow_move(struct replay *r, const struct picket_insn *i, bool wide)
{
	struct made s = i->code & BPF_X ? r->registers[i->src] : nothing;

	if (i->offset)
		made_step(&s, (struct symbol_step){STEP_SIGN_EXTEND, 0, wide, (uint64_t)i->offset});
	else if (!wide)
		made_step(&s, (struct symbol_step){STEP_SCALAR, SCALAR_MOV, false, 0});
	r->registers[i->dst] = s;
}

static void follow_swap(struct replay *r, const struct picket_insn *i)
{
	const unsigned bits = (unsigned)i->imm;
	bool to_big = i->code & BPF_TO_BE, always = (i->code & 7) == BPF_ALU64;
	bool swaps = always || to_big == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

	if (swaps)
		made_step(&r->registers[i->dst], (struct symbol_step){STEP_SWAP, 0, true, bits});
	else if (bits < 64)
		made_step(&r->registers[i->dst],
		          (struct symbol_step){STEP_SCALAR, SCALAR_AND, true, ((uint64_t)1 << bits) - 1});
}

static void follow_alu(struct replay *r, const struct picket_insn *i, const uint64_t registers[11])
{
	bool wide = (i->code & 7) == BPF_ALU64, reg = i->code & BPF_X;
	struct made *dst = &r->registers[i->dst], other;
	enum scalar_op op;

	if ((i->code & 0xf0) == BPF_END) {
		follow_swap(r, i);
		return;
	}
	if ((i->code & 0xf0) == BPF_NEG) {
		made_step(dst, (struct symbol_step){STEP_NEGATE, 0, wide, 0});
		return;
	}
	if (!scalar_of(i->code, &op) || (i->offset && op != SCALAR_MOV)) { /* or a signed division */
		*dst = nothing;
		return;
	}
	if (op == SCALAR_MOV) {
		follow_move(r, i, wide);
		return;
	}
	other = reg ? r->registers[i->src] : nothing;
	made_step(dst, (struct symbol_step){STEP_SCALAR, (uint8_t)op, wide,
	                                    reg ? registers[i->src] : (uint64_t)(int64_t)i->imm});
	if (!commutes(op) && op != SCALAR_SUB)
		return;
	made_step(&other, (struct symbol_step){op == SCALAR_SUB ? STEP_REVERSED_SUB : STEP_SCALAR, (uint8_t)op, wide,
	                                       registers[i->dst]});
	made_add(dst, &other);
}

/* ---- calls ---- */

static uint32_t op_of(const struct verify *v, uint32_t insn)
{
	uint32_t low = 0, high = (uint32_t)v->code.count;

	while (high - low > 1) {
		uint32_t middle = (low + high) / 2;
		if (explain_insn(v, middle) <= insn)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* The run itself checks what a helper is given only after this. */
static bool may_read(const struct replay *r, uint64_t address, unsigned bytes, const uint64_t registers[11])
{
	const void *stack = (const void *)(uintptr_t)(registers[10] - PICKET_STACK_BYTES);
	uint32_t map;

	return lies_in(address, bytes, stack, PICKET_STACK_BYTES) ||
	       lies_in(address, bytes, r->low, r->input->length) ||
	       lies_in(address, bytes, r->context, sizeof(r->context)) || value_at(r, address, bytes, &map);
}

static struct symbol lookup_symbol(struct replay *r, const uint64_t registers[11])
{
	struct symbol s = {.source = SYMBOL_LOOKUP, .index = r->lookup_count};
	struct lookup *l;

	if (r->lookup_count == LOOKUPS_MAX)
		return (struct symbol){.source = SYMBOL_NONE};
	l = &r->lookups[r->lookup_count++];
	*l = (struct lookup){.map = NO_MAP};
	for (uint32_t i = 0; i < r->v->map_count; i++)
		if (registers[1] == (uintptr_t)r->maps[i] && r->v->maps[i].key_size <= EXAMPLE_KEY_MAX &&
		    may_read(r, registers[2], r->v->maps[i].key_size, registers)) {
			l->map = i;
			memcpy(l->key, (const void *)(uintptr_t)registers[2], r->v->maps[i].key_size);
		}
	return s;
}

/* Is it answered by ask(), with a number of the input? */
static bool is_asked(const struct replay *r, uint32_t insn)
{
	const struct verify_proto *p = explain_proto(r->v, &r->v->code.ops[op_of(r->v, insn)]);

	return r->insns[insn].imm >= PICKET_HELPER_OWN && p && p->returns == VERIFY_RETURN_NUMBER;
}

static void follow_call(struct replay *r, uint32_t insn, const uint64_t registers[11])
{
	const struct picket_insn *i = &r->v->insns[insn];
	struct symbol returned = {.source = SYMBOL_NONE};

	if (i->src == 1) { /* of a function of the program */
		if (r->depth < PICKET_FRAMES_MAX)
			memcpy(r->saved[r->depth++], &r->registers[6], sizeof(r->saved[0]));
		return;
	}
	switch (i->imm) {
	case BPF_FUNC_map_lookup_elem:
		returned = lookup_symbol(r, registers);
		break;
	case BPF_FUNC_ringbuf_reserve:
		r->acquired++;
		break;
	case BPF_FUNC_ringbuf_submit:
	case BPF_FUNC_ringbuf_discard:
		r->acquired--;
		break;
	case BPF_FUNC_spin_lock:
		r->locked++;
		break;
	case BPF_FUNC_spin_unlock:
		r->locked--;
		break;
	default:
		break;
	}
	if (is_asked(r, insn))
		returned = (struct symbol){.source = SYMBOL_RETURN, .index = r->return_count};
	for (unsigned reg = 1; reg <= 5; reg++)
		r->registers[reg] = nothing;
	r->registers[0] = made_of(returned);
}

uint64_t replay_ask(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, struct picket_run *run)
{
	struct replay *r = picket_run_user(run);
	uint32_t index = r->return_count;

	(void)r1, (void)r2, (void)r3, (void)r4, (void)r5;
	if (!is_asked(r, r->last) || index >= EXAMPLE_RETURNS_MAX)
		return 0;
	r->result->return_ops[index] = op_of(r->v, r->last);
	r->return_count++;
	return r->input->returns[index];
}

/* ---- where it was rejected ---- */

static bool shorten(struct replay *r, uint64_t address, unsigned bytes)
{
	uint64_t end = address + bytes - (uintptr_t)r->low;

	if (!lies_in(address, bytes, r->low, r->input->length))
		return false;
	r->input->length = end - 1;
	return true;
}

/* Moves a pointer with a variable part out of its memory: just behind the end, or as far as the verifier says it may go. */
static bool move_pointer(struct replay *r, const struct picket_insn *i, unsigned reg, const uint64_t registers[11])
{
	const struct value *p = &r->path->culprit;
	const struct made *m = &r->registers[reg];
	uint64_t start, end;

	if (p->kind == VALUE_STACK) {
		start = end = registers[10];
	} else if (p->kind == VALUE_MAP_VALUE && !(p->object & VERIFY_MAP_INNER)) {
		start = (uintptr_t)picket_map_values(r->maps[p->object]);
		end = start + r->v->maps[p->object].value_size;
	} else if (p->kind == VALUE_PACKET || p->kind == VALUE_BUFFER) {
		start = (uintptr_t)r->low;
		end = start + r->input->length;
	} else {
		return false;
	}
	start += (uint64_t)(int64_t)p->offset;
	end -= (uint64_t)(int64_t)i->offset + insn_bytes(i) - 1;
	for (uint64_t more = 0; more < STRIDE_MAX; more++)
		if (registers[reg] - start < end - start + more && solve(r, m, end + more))
			return true;
	return solve(r, m, start + (uint64_t)p->number.wide.smax) || solve(r, m, start + (uint64_t)p->number.wide.smin);
}

static bool exceed(struct replay *r, unsigned reg)
{
	const struct range *n = &r->path->culprit.number.wide;

	return (n->smin < 0 && solve(r, &r->registers[reg], (uint64_t)n->smin)) ||
	       solve(r, &r->registers[reg], (uint64_t)n->smax) || solve(r, &r->registers[reg], n->umax) ||
	       solve(r, &r->registers[reg], 0);
}

static void reach(struct replay *r, uint32_t insn, const uint64_t registers[11])
{
	const struct picket_insn *i = &r->v->insns[insn];
	const struct value *culprit = &r->path->culprit;
	unsigned reg = r->path->reg;
	unsigned class = i->code & 7;
	bool accesses = class == BPF_LDX || class == BPF_ST || class == BPF_STX;

	if (r->reached)
		return;
	r->reached = true;
	if (r->v->verdict->category == PICKET_REJECT_INFINITE_LOOP)
		r->left = true; /* nothing more to be learned */
	if (!r->path->has_culprit || reg > 10)
		return;
	if (accesses && !scalar_is_constant(&culprit->number, NULL))
		r->changed = move_pointer(r, i, reg, registers);
	if (!r->changed && accesses && (culprit->kind == VALUE_PACKET || culprit->kind == VALUE_BUFFER))
		r->changed = shorten(r, registers[reg] + (uint64_t)(int64_t)i->offset, insn_bytes(i));
	else if (!accesses && culprit->kind == VALUE_NUMBER)
		r->changed = exceed(r, reg);
	if (r->registers[reg].count == 1 && r->registers[reg].pieces[0].source == SYMBOL_LOOKUP && !registers[reg]) {
		r->result->lookup_failed = true;
		r->result->failed_map = r->lookups[r->registers[reg].pieces[0].index].map;
	}
}

void replay_follow(const struct picket_program *p, size_t insn, const uint64_t registers[11], void *user)
{
	struct replay *r = user;
	const struct picket_insn *i;
	uint8_t op;

	(void)p;
	if (insn >= r->v->insn_count)
		return;
	i = &r->v->insns[insn];
	op = i->code & 0xf0;
	r->last = (uint32_t)insn;
	if (r->left)
		return;
	if (insn == r->path->insn && r->position == r->path->count)
		reach(r, (uint32_t)insn, registers);
	switch (i->code & 7) {
	case BPF_ALU:
	case BPF_ALU64:
		follow_alu(r, i, registers);
		break;
	case BPF_LDX:
		follow_load(r, i, registers);
		break;
	case BPF_ST:
	case BPF_STX:
		follow_store(r, i, registers);
		break;
	case BPF_LD:
		r->registers[(i->code & 0xe0) == BPF_IMM ? i->dst : 0] = nothing;
		break;
	default:
		if (op == BPF_CALL)
			follow_call(r, (uint32_t)insn, registers);
		else if (op == BPF_EXIT && r->depth > 0)
			memcpy(&r->registers[6], r->saved[--r->depth], sizeof(r->saved[0]));
		else if (op != BPF_EXIT && op != BPF_JA)
			follow_branch(r, (uint32_t)insn, registers);
	}
}

/* ---- a run's beginning ---- */

void replay_follow_begin(struct replay *r)
{
	for (unsigned reg = 0; reg < 11; reg++)
		r->registers[reg] = nothing;
	if (r->v->kind->flags & KIND_MEMORY_LENGTH)
		r->registers[2] = made_of((struct symbol){.source = SYMBOL_LENGTH});
	r->depth = r->shadow_count = 0;
	r->lookup_count = r->return_count = r->position = 0;
	r->left = r->changed = r->reached = false;
	r->acquired = r->locked = 0;
	r->last = UINT32_MAX;
	*r->result = (struct replay_result){0};
}
