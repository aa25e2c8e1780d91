/* SPDX-License-Identifier: Apache-2.0
 *
 * Why a program was rejected, in the source's words, and what to change. Where the source is not known, or says nothing of
 * it, the machine's words stay, with the names of registers as far as they have any.
 */
#include <ctype.h>
#include <linux/bpf.h>
#include <stdio.h>

#include "verify/reason_int.h"

/* ---- facts ---- */

static const char *leave_statement(const struct verify *v)
{
	if (v->state && v->state->frame_count > 1)
		return "return ...;";
	switch (v->options.kind) {
	case PICKET_KIND_XDP:
		return "return XDP_PASS;";
	case PICKET_KIND_SCHED_CLS:
		return "return TC_ACT_OK;";
	case PICKET_KIND_CGROUP_SKB:
	case PICKET_KIND_CGROUP_SOCK:
	case PICKET_KIND_CGROUP_SOCK_ADDR:
	case PICKET_KIND_CGROUP_DEVICE:
	case PICKET_KIND_CGROUP_SYSCTL:
	case PICKET_KIND_CGROUP_SOCKOPT:
	case PICKET_KIND_SK_LOOKUP:
		return "return 1;";
	default:
		return "return 0;";
	}
}

/* What an access goes through counts first. */
unsigned explain_culprit_register(const struct verify *v, const struct vm_op *op, const struct value *culprit)
{
	const struct value *registers = state_top(v->state)->registers;
	unsigned base = 11;

	switch ((enum vm_format)vm_insns[op->op].format) {
	case VM_FORMAT_LOAD:
		base = op->src;
		break;
	case VM_FORMAT_STORE_IMM:
	case VM_FORMAT_STORE_REG:
	case VM_FORMAT_ATOMIC_REG:
		base = op->dst;
		break;
	default:
		break;
	}
	if (!culprit || !culprit->node || (base < 11 && registers[base].node == culprit->node))
		return base;
	for (unsigned reg = 0; reg < 10; reg++)
		if (registers[reg].kind == culprit->kind && registers[reg].node == culprit->node &&
		    registers[reg].offset == culprit->offset)
			return reg;
	return base;
}

/* Does it stay one operand wherever it is put? */
bool reason_is_simple(struct str expression)
{
	for (size_t i = 0; i < expression.length; i++)
		if (expression.data[i] == ' ' || strchr("+-*/%&|^<?", expression.data[i]))
			return expression.data[i] == '-' && i + 1 < expression.length &&
			       expression.data[i + 1] == '>' &&
			       reason_is_simple(str_make(expression.data + i + 2, expression.length - i - 2));
	return true;
}

static void facts_of_access(struct facts *f)
{
	struct source_access access;

	f->has_access = source_access(str_from(f->place.text), f->place.column, &access) &&
	                access.whole.length < NAME_BYTES && access.base.length > 0;
	if (!f->has_access)
		return;
	f->through = access.through;
	explain_write(f->whole, sizeof(f->whole), STR_FMT, STR_ARG(access.whole));
	explain_write(f->base, sizeof(f->base), STR_FMT, STR_ARG(access.base));
	explain_write(f->index, sizeof(f->index), reason_is_simple(access.index) ? STR_FMT : "(" STR_FMT ")",
	              STR_ARG(access.index));
}

static struct facts facts_find(const struct verify *v, const struct value *culprit)
{
	struct facts f = {.culprit = culprit, .reg = 11, .leave = leave_statement(v)};

	if (!v->state || !v->state->frame_count || v->state->op >= v->code.count)
		return f;
	f.op = &v->code.ops[v->state->op];
	f.proto = explain_proto(v, f.op);
	explain_callee(v, f.op, f.callee);
	if (explain_place(v, explain_insn(v, v->state->op), &f.place)) {
		explain_write(f.before, sizeof(f.before), " before line %u", f.place.line);
		facts_of_access(&f);
	}
	f.reg = explain_culprit_register(v, f.op, culprit);
	if (f.reg < 11 && !explain_register(v, f.reg, f.name))
		f.name[0] = '\0';
	return f;
}

unsigned reason_line_of(const struct verify *v, uint32_t node)
{
	struct picket_place place;

	return node && explain_place(v, explain_insn(v, v->nodes[node].op), &place) ? place.line : 0;
}

/* " (line 12)", or nothing. */
void reason_write_line(char *text, size_t size, unsigned line)
{
	text[0] = '\0';
	if (line)
		explain_write(text, size, " (line %u)", line);
}

/* ---- the machine's words, with names ---- */

static bool is_word_char(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* "r3" of a word: its number; 11: another word. */
static unsigned word_register(struct str word)
{
	if (word.length < 2 || word.length > 3 || word.data[0] != 'r' || !isdigit((unsigned char)word.data[1]))
		return 11;
	if (word.length == 2)
		return (unsigned)(word.data[1] - '0');
	return word.data[1] == '1' && word.data[2] == '0' ? 10 : 11;
}

static void append_word(const struct verify *v, const struct facts *f, struct str word, char *text, size_t size)
{
	char name[NAME_BYTES];
	unsigned reg = word_register(word);

	if (reg < 10 && f->op && explain_register(v, reg, name))
		explain_write(text, size, "`%s`", name);
	else if (f->proto && str_equals(word, f->proto->name))
		explain_write(text, size, "%s()", f->callee);
	else
		explain_write(text, size, STR_FMT, STR_ARG(word));
}

static void reason_translated(struct verify *v, const struct facts *f)
{
	const char *from = v->verdict->detail;
	char *text = v->verdict->reason;
	size_t used = 0, size = sizeof(v->verdict->reason);

	while (*from && used + 1 < size) {
		size_t length = 1;
		if (is_word_char(*from)) {
			while (is_word_char(from[length]))
				length++;
			append_word(v, f, str_make(from, length), text + used, size - used);
			used += strlen(text + used);
		} else {
			text[used++] = *from;
		}
		from += length;
	}
	text[used] = '\0';
}

/* ---- all of them ---- */

static bool reason_of(struct verify *v, const struct facts *f)
{
	if (f->op && reason_gone(v, f))
		return true;
	switch (v->verdict->category) {
	case PICKET_REJECT_PACKET_BOUNDS:
		return f->op && reason_packet(v, f);
	case PICKET_REJECT_NULL_POINTER:
		return f->op && reason_null(v, f);
	case PICKET_REJECT_OUT_OF_BOUNDS:
		return f->op && reason_bounds(v, f);
	case PICKET_REJECT_STACK_BOUNDS:
		return f->op && reason_stack(v, f);
	case PICKET_REJECT_NOT_A_POINTER:
		return f->op && reason_number(v, f);
	case PICKET_REJECT_POINTER_ARITHMETIC:
		return f->op && reason_arithmetic(v, f);
	case PICKET_REJECT_MISALIGNED:
		return f->op && reason_alignment(v, f);
	case PICKET_REJECT_READ_ONLY:
		return f->op && reason_read_only(v, f);
	case PICKET_REJECT_ARGUMENT:
		return f->op && reason_size(v, f);
	case PICKET_REJECT_DYNPTR:
		return f->op && reason_dynptr(v, f);
	case PICKET_REJECT_ITERATOR:
		return f->op && reason_iterator(v, f);
	case PICKET_REJECT_UNREACHABLE:
		reason(v, "this code can never run: no path leads to it");
		hint(v, "remove it, or what leaves before it: an exit, or a jump over it");
		return true;
	case PICKET_REJECT_CONTEXT:
		return f->op && reason_context(v, f);
	case PICKET_REJECT_HELPER:
		return f->op && reason_helper(v, f);
	case PICKET_REJECT_MAP:
		return f->op && reason_map(v, f);
	case PICKET_REJECT_RECURSION:
		return f->op && reason_recursion(v, f);
	case PICKET_REJECT_REFERENCE_LEAK:
		return reason_reference(v, f);
	case PICKET_REJECT_LOCK:
		return reason_lock(v, f);
	case PICKET_REJECT_RETURN_VALUE:
		return f->op && reason_return(v, f);
	case PICKET_REJECT_POINTER_LEAK:
		return reason_leak(v, f);
	case PICKET_REJECT_UNINITIALISED:
		return reason_uninitialised(v, f);
	case PICKET_REJECT_INFINITE_LOOP:
		return reason_loop(v, f);
	case PICKET_REJECT_LIMIT:
		return reason_limit(v, f);
	case PICKET_REJECT_STACK_DEPTH:
		return reason_stack_depth(v);
	case PICKET_REJECT_KIND:
		return reason_kind(v);
	case PICKET_REJECT_MALFORMED:
		reason_malformed(v);
		return true;
	default:
		return false;
	}
}

void explain_reason(struct verify *v, const struct value *culprit)
{
	struct facts f = facts_find(v, culprit);

	if (!reason_of(v, &f))
		reason_translated(v, &f);
}
