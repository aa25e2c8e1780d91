/* SPDX-License-Identifier: Apache-2.0
 *
 * Rejections in words: the reason, and the steps that led there. The steps are the instructions that the wrong value was
 * made by (its nodes), and the branches on the way whose comparison had to do with it.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "verify/verify_int.h"

#define CHAIN_MAX 24

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
	uint32_t order; /* in time */
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

	return x->order < y->order ? -1 : x->order > y->order;
}

static void step_write(struct verify *v, const struct found *f)
{
	struct picket_verdict *verdict = v->verdict;
	const struct vm_op *op = &v->code.ops[f->op];
	struct picket_step *step;
	char text[PICKET_TEXT_MAX];
	uint32_t first = op->insn + 1 - op->slots;

	if (verdict->step_count == PICKET_STEPS_MAX)
		return;
	if (verdict->step_count && verdict->steps[verdict->step_count - 1].insn == first)
		return;
	step = &verdict->steps[verdict->step_count++];
	step->insn = first;
	if (!picket_disassemble_c(&v->insns[first], v->insn_count - first, text, sizeof(text)))
		snprintf(text, sizeof(text), "?");
	if (f->branch < 0)
		snprintf(step->text, sizeof(step->text), "%s", text);
	else
		snprintf(step->text, sizeof(step->text), "%s: %s", text, f->branch ? "taken" : "not taken");
}

/* Nodes are numbered as they are made, and trails remember up to which node the path had come. */
static void explain_steps(struct verify *v, const struct value *culprit)
{
	struct chain c = {.node_count = 0};
	unsigned skip;

	chain_follow(v, &c, culprit->node);
	for (unsigned i = 0; i < c.node_count; i++)
		c.found[c.count++] = (struct found){c.nodes[i], v->nodes[c.nodes[i]].op, -1};
	for (uint32_t t = v->state ? v->state->trail : 0; t && c.count < ARRAY_SIZE(c.found); t = v->trails[t].before) {
		const struct trail *trail = &v->trails[t];
		if (chain_has(&c, trail->a) || chain_has(&c, trail->b))
			c.found[c.count++] = (struct found){trail->order, trail->op, trail->taken};
	}
	qsort(c.found, c.count, sizeof(c.found[0]), found_compare);
	skip = c.count > PICKET_STEPS_MAX ? c.count - PICKET_STEPS_MAX : 0;
	for (unsigned i = skip; i < c.count; i++)
		step_write(v, &c.found[i]);
}

/* Without a value at fault: the last branches. */
static void explain_path(struct verify *v)
{
	uint32_t last[6], count = 0;

	for (uint32_t t = v->state ? v->state->trail : 0; t && count < ARRAY_SIZE(last); t = v->trails[t].before)
		last[count++] = t;
	while (count-- > 0)
		step_write(v, &(struct found){0, v->trails[last[count]].op, v->trails[last[count]].taken});
}

int verify_reject(struct verify *v, enum picket_category category, const struct value *culprit, const char *hint,
                  const char *format, ...)
{
	struct picket_verdict *verdict = v->verdict;
	va_list arguments;

	if (verdict->category != PICKET_ACCEPTED)
		return -EINVAL;
	verdict->category = category;
	verdict->step_count = 0;
	if (v->state && v->state->op < v->code.count)
		verdict->insn = v->code.ops[v->state->op].insn + 1 - v->code.ops[v->state->op].slots;
	va_start(arguments, format);
	vsnprintf(verdict->reason, sizeof(verdict->reason), format, arguments);
	va_end(arguments);
	snprintf(verdict->hint, sizeof(verdict->hint), "%s", hint ? hint : "");
	if (culprit && culprit->node)
		explain_steps(v, culprit);
	else
		explain_path(v);
	return -EINVAL;
}

int verify_limit(struct verify *v, const char *what)
{
	return verify_reject(v, PICKET_REJECT_LIMIT, NULL, "make the program simpler, or raise the limit",
	                     "the verifier's limit on %s is reached", what);
}

/* ---- the trace ---- */

static size_t value_write(char *text, size_t size, const struct value *value)
{
	uint64_t constant;
	int n;

	if (value->kind == VALUE_NUMBER && scalar_is_constant(&value->number, &constant))
		n = snprintf(text, size, "%lld", (long long)constant);
	else if (value->kind == VALUE_NUMBER)
		n = snprintf(text, size, "[%llu, %llu]", (unsigned long long)value->number.wide.umin,
		             (unsigned long long)value->number.wide.umax);
	else
		n = snprintf(text, size, "%s%s%+d+[%lld, %lld]", value_kind_name(value->kind),
		             value->flags & VALUE_MAYBE_NULL ? " or NULL" : "", value->offset,
		             (long long)value->number.wide.smin, (long long)value->number.wide.smax);
	return n < 0 ? 0 : MIN((size_t)n, size - 1);
}

void verify_trace(struct verify *v)
{
	const struct frame *f = state_top(v->state);
	char text[1024];
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
