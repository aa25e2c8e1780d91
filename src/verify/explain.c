/* SPDX-License-Identifier: Apache-2.0
 *
 * Rejections in words: the reason, and the steps that led there. The steps are the instructions that the wrong value was
 * made by (its nodes), and the branches on the way whose comparison had to do with it.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "verify/explain_int.h"

#define CHAIN_MAX 24
#define STEPS_SHOWN 8
#define BRANCHES_SHOWN 4
#define CALL_CODE 0x85

const char *value_kind_name(enum value_kind kind)
{
	static const char *const names[] = {
	        [VALUE_NONE] = "nothing that was initialised",
	        [VALUE_NUMBER] = "a number",
	        [VALUE_STACK] = "a pointer to the stack",
	        [VALUE_CONTEXT] = "the context",
	        [VALUE_MAP] = "a map",
	        [VALUE_MAP_VALUE] = "a map's value",
	        [VALUE_MAP_KEY] = "a map's key",
	        [VALUE_PACKET] = "the packet",
	        [VALUE_PACKET_META] = "the packet's metadata",
	        [VALUE_PACKET_END] = "the packet's end",
	        [VALUE_BUFFER] = "the memory",
	        [VALUE_BUFFER_END] = "the memory's end",
	        [VALUE_MEMORY] = "a block of memory",
	        [VALUE_RECORD] = "a ring buffer's record",
	        [VALUE_OBJECT] = "a kernel object",
	        [VALUE_SOCKET] = "a socket",
	        [VALUE_SOCK_COMMON] = "a socket (common part)",
	        [VALUE_TCP_SOCK] = "a TCP socket",
	        [VALUE_FLOW_KEYS] = "the flow keys",
	        [VALUE_FUNCTION] = "a function",
	        [VALUE_DYNPTR] = "a dynptr",
	};

	return kind < ARRAY_SIZE(names) ? names[kind] : "nothing";
}

const char *verify_register_name(unsigned r)
{
	static const char *const names[] = {"r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10"};

	return r < ARRAY_SIZE(names) ? names[r] : "r?";
}

const char *picket_category_name(enum picket_category category)
{
	static const char *const names[] = {
	        [PICKET_ACCEPTED] = "accepted",
#define CATEGORY(id, name, doc) [PICKET_REJECT_##id] = name,
#include "picket/verify_category.h"
#undef CATEGORY
	};

	return (unsigned)category < ARRAY_SIZE(names) ? names[category] : "unknown";
}

struct found {
	uint32_t order; /* in time: the node, or the newest node of that time */
	uint32_t op;
	int branch; /* -1: none; else whether it was taken */
};

struct chain {
	uint32_t nodes[CHAIN_MAX];
	unsigned node_count;
	struct found found[2 * CHAIN_MAX];
	unsigned count;
};

static bool chain_has(const struct chain *c, uint32_t node)
{
	for (unsigned i = 0; i < c->node_count; i++)
		if (c->nodes[i] == node)
			return true;
	return false;
}

/* The nearest makers of a value, breadth first. */
static void chain_follow(const struct verify *v, struct chain *c, uint32_t node)
{
	if (node)
		c->nodes[c->node_count++] = node;
	for (unsigned i = 0; i < c->node_count; i++) {
		const struct node *n = &v->nodes[c->nodes[i]];
		const uint32_t makers[] = {n->a, n->b};
		for (unsigned k = 0; k < 2; k++)
			if (makers[k] && c->node_count < CHAIN_MAX && !chain_has(c, makers[k]))
				c->nodes[c->node_count++] = makers[k];
	}
}

static int found_compare(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	return x->branch - y->branch;
}

/* ---- steps ---- */

/* How much a step tells: of several on one line, the best is kept. */
enum rank { RANK_MOVE, RANK_CALCULATION, RANK_LOAD, RANK_CALL, RANK_BRANCH };

static enum rank found_rank(const struct verify *v, const struct found *f)
{
	const struct vm_op *op = &v->code.ops[f->op];

	if (f->branch >= 0)
		return RANK_BRANCH;
	switch ((enum vm_format)vm_insns[op->op].format) {
	case VM_FORMAT_CALL_ID:
	case VM_FORMAT_CALL_FUNCTION:
	case VM_FORMAT_CALL_DST:
		return RANK_CALL;
	case VM_FORMAT_LOAD:
	case VM_FORMAT_WIDE:
	case VM_FORMAT_WIDE_MAP:
	case VM_FORMAT_PACKET_IMM:
	case VM_FORMAT_PACKET_REG:
		return RANK_LOAD;
	default:
		return op->op >= VM_MOV64_IMM && op->op <= VM_MOV64_IMM + 3 ? RANK_MOVE : RANK_CALCULATION;
	}
}

/* Where the path goes on: the first line after the branch that is not its own; the compiler may have moved what belongs to
 * earlier lines there. */
static bool write_branch(const struct verify *v, const struct found *f, const struct picket_place *from, char *text,
                         size_t size)
{
	uint32_t next = f->branch ? v->code.ops[f->op].target : f->op + 1;
	bool back = next <= f->op;
	struct picket_place place;

	for (uint32_t i = next; i < v->code.count && i < next + 8; i++) {
		if (explain_place(v, explain_insn(v, i), &place) &&
		    (back ? place.line != from->line : place.line > from->line)) {
			explain_write(text, size, "here the path goes on at line %u", place.line);
			return true;
		}
		if (vm_op_ends_block(&v->code.ops[i]))
			break;
	}
	explain_write(text, size, f->branch ? "it jumps" : "it does not jump");
	return !from->line; /* of a line, that says nothing */
}

static void write_call(const struct verify *v, const struct vm_op *op, char *text, size_t size)
{
	const struct verify_proto *p = explain_proto(v, op);
	char callee[NAME_BYTES];

	if (!explain_callee(v, op, callee))
		explain_write(text, size, "a call returns it");
	else if (p && p->return_flags & VERIFY_RETURN_OR_NULL)
		explain_write(text, size, "%s() returns it, or NULL", callee);
	else
		explain_write(text, size, "%s() is called", callee);
}

static void write_load(const struct verify *v, const struct vm_op *op, const struct picket_place *place, char *text,
                       size_t size)
{
	static const char *const numbers[] = {"a number from 0 to 4294967295 is read",
	                                      "a number from 0 to 65535 is read", "a number from 0 to 255 is read",
	                                      "a 64-bit number is read"};
	const struct verify_field *f = explain_field(v, op->offset);
	char member[NAME_BYTES];

	if (f)
		explain_write(member, sizeof(member), ">%s", f->name);
	if (f && f->type != FIELD_NUMBER && f->offset == op->offset &&
	    str_contains(str_from(place->text), str_from(member)))
		explain_write(text, size, "the context's field `%s` is read", f->name);
	else
		explain_write(text, size, "%s", numbers[vm_insns[op->op].code >> 3 & 3]);
}

static void write_calculation(const struct vm_op *op, char *text, size_t size)
{
	const long long imm = (long long)op->imm;

	switch (op->op) {
	case VM_ADD64_IMM:
	case VM_ADD32_IMM:
		explain_write(text, size, imm < 0 ? "%lld is subtracted" : "%lld is added", imm < 0 ? -imm : imm);
		return;
	case VM_AND64_IMM:
	case VM_AND32_IMM:
		explain_write(text, size, "all bits but 0x%llx are cleared", imm & 0xffffffff);
		return;
	case VM_LSH64_IMM:
	case VM_LSH32_IMM:
		explain_write(text, size, "it is multiplied by %llu", 1ull << (op->imm & 63));
		return;
	case VM_RSH64_IMM:
	case VM_RSH32_IMM:
		explain_write(text, size, "it is divided by %llu", 1ull << (op->imm & 63));
		return;
	case VM_MOV64_IMM:
	case VM_MOV32_IMM:
		explain_write(text, size, "it becomes %lld", imm);
		return;
	case VM_ADD64_REG:
		explain_write(text, size, "the two are added");
		return;
	default:
		explain_write(text, size, "it is calculated");
	}
}

/* false: there is nothing to be said of it. */
static bool step_text(const struct verify *v, const struct found *f, const struct picket_place *place, char *text,
                      size_t size)
{
	const struct vm_op *op = &v->code.ops[f->op];

	switch (found_rank(v, f)) {
	case RANK_BRANCH:
		return write_branch(v, f, place, text, size);
	case RANK_CALL:
		write_call(v, op, text, size);
		return true;
	case RANK_LOAD:
		if (vm_insns[op->op].format == VM_FORMAT_LOAD)
			write_load(v, op, place, text, size);
		else
			explain_write(text, size, "its address is taken");
		return true;
	default:
		write_calculation(op, text, size);
		return true;
	}
}

/* If the object has the source's lines, what belongs to none the compiler made up. */
static void step_write(struct verify *v, const struct found *f, const struct picket_place *rejected)
{
	struct picket_verdict *verdict = v->verdict;
	struct picket_step step = {.insn = explain_insn(v, f->op)};
	const bool has_lines = rejected->line;
	char text[PICKET_TEXT_MAX], what[96];

	if (verdict->step_count == PICKET_STEPS_MAX)
		return;
	explain_place(v, step.insn, &step.place);
	if (has_lines ? !step.place.column : !f->op && f->branch < 0)
		return;
	if (has_lines && step.place.line == rejected->line && found_rank(v, f) < RANK_CALL)
		return; /* the line is shown, and says as much */
	if (!step_text(v, f, &step.place, has_lines ? step.text : what, has_lines ? sizeof(step.text) : sizeof(what)))
		return;
	if (!has_lines) {
		if (!picket_disassemble_c(&v->insns[step.insn], v->insn_count - step.insn, text, sizeof(text)))
			text[0] = '\0';
		explain_write(step.text, sizeof(step.text), "%s: %s", text, what);
	}
	verdict->steps[verdict->step_count++] = step;
}

static bool same_line(const struct verify *v, const struct found *a, const struct found *b)
{
	struct picket_place x, y;

	if (a->op == b->op)
		return true;
	return explain_place(v, explain_insn(v, a->op), &x) && explain_place(v, explain_insn(v, b->op), &y) &&
	       x.line == y.line && !strcmp(x.file, y.file);
}

/* In the order of time; of what is said of one line, the best. */
static void steps_write(struct verify *v, struct found *found, unsigned count)
{
	struct picket_place place;
	unsigned kept = 0, skip;

	explain_place(v, v->verdict->insn, &place);
	qsort(found, count, sizeof(*found), found_compare);
	for (unsigned i = 0; i < count; i++) {
		if (kept && same_line(v, &found[kept - 1], &found[i])) {
			if (found_rank(v, &found[i]) > found_rank(v, &found[kept - 1]))
				found[kept - 1] = found[i];
			continue;
		}
		found[kept++] = found[i];
	}
	skip = kept > STEPS_SHOWN ? kept - STEPS_SHOWN : 0;
	for (unsigned i = 0; i < kept; i++)
		if (i == 0 || i > skip)
			step_write(v, &found[i], &place);
}

/* Was it compared with something that was made of what the chain has? */
static bool chain_near(const struct verify *v, const struct chain *c, uint32_t node)
{
	return node && (chain_has(c, node) || (v->nodes[node].a && chain_has(c, v->nodes[node].a)) ||
	                (v->nodes[node].b && chain_has(c, v->nodes[node].b)));
}

/* Nodes are numbered as they are made, and trails remember up to which node the path had come. */
static void explain_steps(struct verify *v, uint32_t node)
{
	struct chain c = {.node_count = 0};
	unsigned branches = 0;

	chain_follow(v, &c, node);
	for (unsigned i = 0; i < c.node_count; i++)
		c.found[c.count++] = (struct found){c.nodes[i], v->nodes[c.nodes[i]].op, -1};
	for (uint32_t t = v->state->trail; t && c.count < ARRAY_SIZE(c.found); t = v->trails[t].before) {
		const struct trail *trail = &v->trails[t];
		if (chain_near(v, &c, trail->a) || chain_near(v, &c, trail->b)) {
			c.found[c.count++] = (struct found){trail->order, trail->op, trail->taken};
			branches++;
		}
	}
	for (uint32_t t = v->state->trail; t && !branches && c.count < ARRAY_SIZE(c.found); t = 0) {
		const struct trail *trail = &v->trails[t];
		c.found[c.count++] = (struct found){trail->order, trail->op, trail->taken};
	}
	steps_write(v, c.found, c.count);
}

/* From where something was acquired, the branches that lead away from its release. */
static void explain_from(struct verify *v, uint32_t op)
{
	struct found found[BRANCHES_SHOWN + 1];
	unsigned count = 0;
	uint32_t node = (uint32_t)v->node_count;

	while (node && v->nodes[--node].op != op)
		;
	for (uint32_t t = v->state->trail; t && count < BRANCHES_SHOWN; t = v->trails[t].before)
		if (v->trails[t].order > node)
			found[count++] = (struct found){v->trails[t].order, v->trails[t].op, v->trails[t].taken};
	found[count++] = (struct found){node, op, -1};
	steps_write(v, found, count);
}

/* Without a value at fault: the last branches. */
static void explain_path(struct verify *v)
{
	struct found found[BRANCHES_SHOWN];
	unsigned count = 0;

	for (uint32_t t = v->state->trail; t && count < ARRAY_SIZE(found); t = v->trails[t].before)
		found[count++] = (struct found){v->trails[t].order, v->trails[t].op, v->trails[t].taken};
	steps_write(v, found, count);
}

/* ---- the rejection ---- */

/* Is a loop tried? Then it is unrolled after a rejection, and met again. */
static bool only_tried(const struct verify *v)
{
	for (const struct loop *l = v->loop; l; l = l->outer)
		if (!l->callback)
			return true;
	return false;
}

static void explain_state(struct verify *v, enum picket_category category, const struct value *culprit)
{
	const struct state *s = v->state;

	if (!s || !s->frame_count || s->op >= v->code.count)
		return;
	v->verdict->insn = explain_insn(v, s->op);
	if (category == PICKET_REJECT_REFERENCE_LEAK && s->reference_count)
		explain_from(v, s->references[0].op);
	else if (category == PICKET_REJECT_LOCK && s->lock)
		explain_from(v, explain_lock(v));
	else if (culprit && culprit->node)
		explain_steps(v, culprit->node);
	else
		explain_path(v);
}

/* A number that was a pointer is better told as what it was. */
static enum picket_category category_of(enum picket_category category, const struct value *culprit)
{
	if (!culprit || culprit->kind != VALUE_NUMBER ||
	    (category != PICKET_REJECT_NOT_A_POINTER && category != PICKET_REJECT_ARGUMENT))
		return category;
	if (culprit->object == VALUE_WAS_RELEASED)
		return PICKET_REJECT_RELEASED;
	return culprit->object == VALUE_WAS_PACKET ? PICKET_REJECT_PACKET_BOUNDS : category;
}

int verify_reject(struct verify *v, enum picket_category category, const struct value *culprit, const char *hint,
                  const char *format, ...)
{
	struct picket_verdict *verdict = v->verdict;
	va_list arguments;

	if (verdict->category != PICKET_ACCEPTED)
		return -EINVAL;
	category = category_of(category, culprit);
	verdict->category = category;
	verdict->step_count = 0;
	if (only_tried(v) && category != PICKET_REJECT_LIMIT)
		return -EINVAL;
	va_start(arguments, format);
	vsnprintf(verdict->detail, sizeof(verdict->detail), format, arguments);
	va_end(arguments);
	explain_write(verdict->hint, sizeof(verdict->hint), "%s", hint ? hint : "");
	explain_state(v, category, culprit);
	explain_reason(v, culprit);
	if (v->options.example)
		example_record(v, culprit);
	return -EINVAL;
}

/* The instruction as C; calls by name. */
static void explain_text(const struct verify *v, uint32_t insn, char *text, size_t size)
{
	char callee[NAME_BYTES];

	for (uint32_t i = 0; v->insns[insn].code == CALL_CODE && i < v->code.count; i++)
		if (explain_insn(v, i) == insn && explain_callee(v, &v->code.ops[i], callee)) {
			explain_write(text, size, "call %s", callee);
			return;
		}
	if (!picket_disassemble_c(&v->insns[insn], v->insn_count - insn, text, size))
		text[0] = '\0';
}

static void explain_place_of(struct verify *v)
{
	struct picket_verdict *verdict = v->verdict;

	if (verdict->insn >= v->insn_count)
		return;
	explain_text(v, verdict->insn, verdict->text, sizeof(verdict->text));
	explain_place(v, verdict->insn, &verdict->place);
	explain_write(verdict->function, sizeof(verdict->function), "%s", explain_function(v, verdict->insn));
}

/* A character that a terminal might obey; of two bytes: U+0080 to U+009F. */
static bool is_control(const char *character, size_t length)
{
	const uint8_t first = (uint8_t)character[0];

	return length == 2 ? first == 0xc2 && (uint8_t)character[1] < 0xa0
	                   : (first < ' ' && first != '\t') || first == 0x7f;
}

static void text_clean(char *text)
{
	size_t left = strlen(text);

	while (left) {
		size_t length = utf8_next(text, left);
		bool bad = !length || is_control(text, length);
		length = MAX(length, 1);
		if (bad)
			memset(text, '?', length);
		text += length;
		left -= length;
	}
}

static void place_clean(struct picket_place *place)
{
	text_clean(place->file);
	text_clean(place->text);
}

void verify_clean_texts(struct picket_verdict *verdict)
{
	char *const texts[] = {verdict->text,   verdict->function, verdict->reason,
	                       verdict->detail, verdict->hint,     verdict->example_text};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		text_clean(texts[i]);
	place_clean(&verdict->place);
	for (size_t i = 0; i < verdict->step_count; i++) {
		text_clean(verdict->steps[i].text);
		place_clean(&verdict->steps[i].place);
	}
}

void verify_explain(struct verify *v, bool rejected)
{
	struct picket_verdict *verdict = v->verdict;

	if (rejected && !verdict->detail[0]) { /* before the walk began */
		explain_write(verdict->detail, sizeof(verdict->detail), "%s", verdict->reason);
		explain_reason(v, NULL);
	}
	if (rejected) {
		explain_place_of(v);
		example_find(v);
		verify_clean_texts(verdict);
	}
	free(v->path);
	v->path = NULL;
}

int verify_limit(struct verify *v, const char *what)
{
	return verify_reject(v, PICKET_REJECT_LIMIT, NULL, "make the program simpler, or raise the limit",
	                     "the verifier's limit on %s is reached", what);
}

/* ---- the trace ---- */

static size_t value_write(char *text, size_t size, const struct value *value)
{
	const struct range *range = &value->number.wide;
	uint64_t constant;
	int n;

	if (value->kind == VALUE_NUMBER && scalar_is_constant(&value->number, &constant))
		n = snprintf(text, size, "%lld", (long long)constant);
	else if (value->kind == VALUE_NUMBER && range->smin >= 0)
		n = snprintf(text, size, "[%llu, %llu]", (unsigned long long)range->umin,
		             (unsigned long long)range->umax);
	else if (value->kind == VALUE_NUMBER)
		n = snprintf(text, size, "[%llu, %llu], signed [%lld, %lld]", (unsigned long long)range->umin,
		             (unsigned long long)range->umax, (long long)range->smin, (long long)range->smax);
	else
		n = snprintf(text, size, "%s%s%+d+[%lld, %lld]", value_kind_name(value->kind),
		             value->flags & VALUE_MAYBE_NULL ? " or NULL" : "", value->offset, (long long)range->smin,
		             (long long)range->smax);
	return n < 0 ? 0 : MIN((size_t)n, size - 1);
}

void verify_trace(struct verify *v)
{
	const struct frame *f = state_top(v->state);
	char text[2048];
	size_t used = 0;

	text[0] = '\0';
	for (unsigned reg = 0; reg < 10 && used + 128 < sizeof(text); reg++) {
		if (f->registers[reg].kind == VALUE_NONE)
			continue;
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%sr%u=", used ? " " : "", reg);
		used += value_write(text + used, sizeof(text) - used, &f->registers[reg]);
	}
	v->options.trace(v->code.ops[v->state->op].insn, text, v->options.user);
}
