/* SPDX-License-Identifier: Apache-2.0
 *
 * Why a call, a result, a loop or the program as a whole is rejected.
 */
#include <ctype.h>
#include <linux/bpf.h>

#include "verify/reason_int.h"
#include "vm/image.h"

#define HELPER_LACKING 0xbad2310 /* called where a relocation (CO-RE) found nothing */

/* ---- calls ---- */

bool reason_helper(struct verify *v, const struct facts *f)
{
	char kinds[320] = "";
	size_t used = 0;
	bool allowed = false;

	if (f->op->op == VM_CALL_HELPER && f->op->src == 0 && f->op->imm == HELPER_LACKING) {
		reason(v,
		       "the kernel whose types are given does not have what this line uses: a field, a type or an enumerator");
		hint(v,
		     "ask before: `if (bpf_core_field_exists(...))`, bpf_core_type_exists(), bpf_core_enum_value_exists()");
		return true;
	}
	if (!f->proto || f->op->src == VM_SOURCE_KERNEL_FUNCTION ||
	    !verify_proto_find(v->kind, (uint32_t)f->op->imm, &allowed) || allowed)
		return false;
	for (int kind = PICKET_KIND_AUTO + 1; kind < PICKET_KINDS && used + 64 < sizeof(kinds); kind++) {
		const struct verify_kind *k = verify_kind_find((enum picket_kind)kind);
		if (!k || !verify_proto_find(k, (uint32_t)f->op->imm, &allowed) || !allowed)
			continue;
		explain_write(kinds + used, sizeof(kinds) - used, "%s%s", used ? ", " : "", k->name);
		used += strlen(kinds + used);
	}
	reason(v, "programs of kind %s may not call %s()", v->kind->name, f->callee);
	hint(v, "use another helper, or one of the kinds that may: %s", kinds);
	return true;
}

/* The text of a call's argument, without & in front. */
static bool argument_text(const struct facts *f, unsigned index, char text[NAME_BYTES])
{
	struct str argument;

	if (!f->callee[0] || !source_argument(str_from(f->place.text), f->callee, index, &argument))
		return false;
	if (argument.length && argument.data[0] == '&')
		argument = str_trim(str_make(argument.data + 1, argument.length - 1));
	explain_write(text, NAME_BYTES, STR_FMT, STR_ARG(argument));
	return argument.length < NAME_BYTES;
}

/* A size that is not bounded, and the memory that it is of. */
bool reason_size(struct verify *v, const struct facts *f)
{
	const struct value *size = f->culprit;
	const char *what;
	char memory[NAME_BYTES], name[NAME_BYTES];
	unsigned reg = f->reg;

	if (!size || size->kind != VALUE_NUMBER || !f->proto || reg < 2 || reg > 5 ||
	    f->proto->args[reg - 1].base != VERIFY_ARG_SIZE || !argument_text(f, reg - 1, name) ||
	    !argument_text(f, reg - 2, memory))
		return false;
	if (size->number.wide.smin < 0)
		what = "less than 0";
	else if (size->number.wide.smax >= 1 << 29)
		what = "more than any memory";
	else
		what = "0";
	reason(v, "`%s`, the size that %s() gets for `%s`, may be %s", name, f->callee, memory, what);
	if (!strcmp(what, "0"))
		hint(v, reason_is_simple(str_from(name)) ? "add `if (%s == 0) %s`%s" : "add `if ((%s) == 0) %s`%s",
		     name, f->leave, f->before);
	else
		hint(v,
		     "copy it to an unsigned variable, and bound that: `__u64 size = %s; if (size > sizeof(%s)) size = "
		     "sizeof(%s);`%s",
		     name, memory, memory, f->before);
	return true;
}

bool reason_dynptr(struct verify *v, const struct facts *f)
{
	char name[NAME_BYTES];

	if (!f->proto || f->reg < 1 || f->reg > 5 || !argument_text(f, f->reg - 1, name))
		return false;
	if (f->proto->args[f->reg - 1].flags & VERIFY_ARG_OUT) {
		reason(v, "`%s` is a dynptr already, and %s() would make it one again", name, f->callee);
		hint(v, "submit or discard it first; or use another variable");
	} else {
		reason(v, "`%s` is handed to %s() without having been made a dynptr, or is none any more", name,
		       f->callee);
		hint(v, "make it with bpf_dynptr_from_mem(), bpf_ringbuf_reserve_dynptr() or the like%s", f->before);
	}
	return true;
}

/* bpf_iter_num_next(): bpf_iter_num */
static bool iterator_family(const struct facts *f, char family[NAME_BYTES])
{
	const char *end = strrchr(f->callee, '_');

	if (!end || strncmp(f->callee, "bpf_iter_", 9) != 0)
		return false;
	explain_write(family, NAME_BYTES, "%.*s", (int)(end - f->callee), f->callee);
	return true;
}

bool reason_iterator(struct verify *v, const struct facts *f)
{
	char family[NAME_BYTES], name[NAME_BYTES];

	if (!iterator_family(f, family) || !argument_text(f, 0, name))
		return false;
	if (!strcmp(f->callee + strlen(family), "_new")) {
		reason(v, "`%s` is an iterator already, and %s() would begin it again", name, f->callee);
		hint(v, "call %s_destroy(&%s) first; or use another variable", family, name);
		return true;
	}
	reason(v, "`%s` is handed to %s() without having been begun, or is destroyed already", name, f->callee);
	hint(v, "call %s_new(&%s, ...) on every path that leads here%s", family, name, f->before);
	return true;
}

bool reason_map(struct verify *v, const struct facts *f)
{
	const struct picket_map_spec *m;
	char types[160] = "";
	size_t used = 0;

	if (!f->proto || !f->proto->maps || !f->culprit || f->culprit->kind != VALUE_MAP)
		return false;
	m = verify_map(v, f->culprit->object);
	for (const uint8_t *type = f->proto->maps; *type && used + 32 < sizeof(types); type++) {
		explain_write(types + used, sizeof(types) - used, "%s%s", used ? ", " : "", explain_map_type(*type));
		used += strlen(types + used);
	}
	reason(v, "%s() does not work on map `%s`, which is of type %s", f->callee, m->name, explain_map_type(m->type));
	hint(v, "give it a map of type %s; or use the helper for maps of type %s", types, explain_map_type(m->type));
	return true;
}

bool reason_recursion(struct verify *v, const struct facts *f)
{
	if (!f->callee[0] || f->op->op != VM_CALL_LOCAL || v->state->frame_count == PICKET_FRAMES_MAX)
		return false;
	reason(v, "%s() is called while it is still running: functions may not call themselves, not even by others",
	       f->callee);
	hint(v, "write it as a loop with a bound");
	return true;
}

/* ---- what must be given back ---- */

static const char *release_of(const struct verify_proto *p)
{
	if (!p)
		return "the function that releases it";
	switch (p->id) {
	case BPF_FUNC_ringbuf_reserve:
		return "bpf_ringbuf_submit() or bpf_ringbuf_discard()";
	case BPF_FUNC_ringbuf_reserve_dynptr:
		return "bpf_ringbuf_submit_dynptr() or bpf_ringbuf_discard_dynptr()";
	case BPF_FUNC_sk_lookup_tcp:
	case BPF_FUNC_sk_lookup_udp:
	case BPF_FUNC_skc_lookup_tcp:
		return "bpf_sk_release()";
	default:
		return "the function that releases it";
	}
}

static unsigned last_branch_line(const struct verify *v)
{
	struct picket_place place;
	uint32_t t = v->state->trail;

	return t && explain_place(v, explain_insn(v, v->trails[t].op), &place) ? place.line : 0;
}

/* Of a call that makes a dynptr: what it makes one of. */
static bool dynptr_text(const struct verify *v, const struct vm_op *op, const struct picket_place *place,
                        struct str *ret_text)
{
	const struct verify_proto *p = explain_proto(v, op);
	char callee[NAME_BYTES];

	for (unsigned i = 0; p && i < 5; i++)
		if (p->args[i].base == VERIFY_ARG_DYNPTR && p->args[i].flags & VERIFY_ARG_OUT)
			return explain_callee(v, op, callee) &&
			       source_argument(str_from(place->text), callee, i, ret_text);
	return false;
}

bool reason_reference(struct verify *v, const struct facts *f)
{
	const struct vm_op *op;
	char callee[NAME_BYTES], name[NAME_BYTES + 8] = "what", line[24], on[48] = "";
	struct picket_place place;
	struct str assigned;

	if (!f->op || !v->state->reference_count)
		return false;
	op = &v->code.ops[v->state->references[0].op];
	if (!explain_callee(v, op, callee))
		return false;
	explain_place(v, explain_insn(v, v->state->references[0].op), &place);
	reason_write_line(line, sizeof(line), place.line);
	if (dynptr_text(v, op, &place, &assigned) || source_assigned(str_from(place.text), 0, &assigned))
		explain_write(name, sizeof(name), "`" STR_FMT "`, which", STR_ARG(assigned));
	if (last_branch_line(v))
		explain_write(on, sizeof(on), " on the path taken at line %u", last_branch_line(v));
	reason(v, "%s %s() returned%s, is not released%s", name, callee, line, on);
	hint(v, "call %s before the program leaves%s", release_of(explain_proto(v, op)), on);
	return true;
}

uint32_t explain_lock(const struct verify *v)
{
	uint32_t i = v->state->op;

	while (i > 0 && !(v->code.ops[i].op == VM_CALL_HELPER && v->code.ops[i].src == 0 &&
	                  v->code.ops[i].imm == BPF_FUNC_spin_lock))
		i--;
	return i;
}

bool reason_lock(struct verify *v, const struct facts *f)
{
	struct picket_place place;
	char line[24], on[48] = "";

	if (!f->op || f->op->op != VM_EXIT || !v->state->lock)
		return false;
	explain_place(v, explain_insn(v, explain_lock(v)), &place);
	reason_write_line(line, sizeof(line), place.line);
	if (last_branch_line(v))
		explain_write(on, sizeof(on), " on the path taken at line %u", last_branch_line(v));
	reason(v, "the program ends with the lock held that bpf_spin_lock()%s took%s%s", line, on[0] ? "," : "", on);
	hint(v, "call bpf_spin_unlock() before the program leaves%s", on);
	return true;
}

/* ---- results, loops, stacks ---- */

bool reason_return(struct verify *v, const struct facts *f)
{
	const struct verify_kind *k = v->kind;
	const struct value *r0 = f->culprit;
	const char *meaning = "";
	unsigned line;
	uint64_t constant;
	char what[96], where[24];

	if (!r0 || r0->kind != VALUE_NUMBER || v->state->frame_count > 1 || k->return_min > k->return_max)
		return false;
	if (k->return_min == 0 && k->return_max == 1)
		meaning = !strncmp(k->name, "cgroup", 6) ? ": 0 refuses, 1 allows" : "";
	line = reason_line_of(v, r0->node);
	reason_write_line(where, sizeof(where), line);
	if (scalar_is_constant(&r0->number, &constant))
		explain_write(what, sizeof(what), "%d", (int)(int32_t)constant);
	else
		explain_write(what, sizeof(what), "anything from %lld to %lld", (long long)r0->number.half.smin,
		              (long long)r0->number.half.smax);
	if (k->return_max - k->return_min == 1)
		reason(v, "programs of kind %s may return %lld or %lld, but here %s is returned%s", k->name,
		       (long long)k->return_min, (long long)k->return_max, what, where);
	else
		reason(v, "programs of kind %s may return %lld to %lld, but here %s is returned%s", k->name,
		       (long long)k->return_min, (long long)k->return_max, what, where);
	hint(v, "return one of the allowed values on every path%s", meaning);
	return true;
}

bool reason_leak(struct verify *v, const struct facts *f)
{
	if (!f->op || f->op->op != VM_EXIT || !f->culprit || !value_is_pointer(f->culprit))
		return false;
	reason(v, "the program returns an address, that of %s, where a number is expected",
	       value_kind_name(f->culprit->kind));
	hint(v, "return a number: what the address points to, or a result of your own");
	return true;
}

bool reason_uninitialised(struct verify *v, const struct facts *f)
{
	char name[NAME_BYTES];
	unsigned reg;
	const char *digits = v->verdict->detail;

	if (!f->op || digits[0] != 'r' || !isdigit((unsigned char)digits[1]))
		return false;
	reg = (unsigned)(digits[1] - '0');
	if (f->op->op == VM_EXIT && reg == 0) {
		reason(v, "the function ends without a result on this path");
		hint(v, "return a value on every path");
		return true;
	}
	if (v->state->frame_count > 1 || reg < 2 || reg > 5 || !explain_parameter(v, v->verdict->insn, reg - 1, name))
		return false;
	reason(v, "`%s` has no value: a program of this kind gets one argument, its context", name);
	hint(v, "remove the parameter; keep settings in a global variable (`const volatile`), or in a map");
	return true;
}

/* The line that the shortest loop around the current op begins in; 0: not known. */
static unsigned loop_line(const struct verify *v)
{
	uint32_t head = 0, last = UINT32_MAX;
	struct picket_place place;
	unsigned line = 0;

	for (uint32_t i = v->state->op; i < v->code.count; i++) {
		const struct vm_op *op = &v->code.ops[i];
		if (vm_op_jumps(op) && op->target <= v->state->op &&
		    (last == UINT32_MAX || i - op->target < last - head)) {
			head = op->target;
			last = i;
		}
	}
	for (uint32_t i = head; last != UINT32_MAX && i <= last; i++)
		if (explain_place(v, explain_insn(v, i), &place) && (!line || place.line < line))
			line = place.line;
	return line;
}

bool reason_loop(struct verify *v, const struct facts *f)
{
	unsigned line = f->op ? loop_line(v) : 0;

	if (!line)
		return false;
	reason(v, "the loop at line %u is not proven to end: a turn may change nothing that its condition depends on",
	       line);
	hint(v, "give it a bound: `for (int i = 0; i < 1000; i++)`; or use bpf_loop()");
	return true;
}

bool reason_limit(struct verify *v, const struct facts *f)
{
	unsigned line = f->op ? loop_line(v) : 0;

	if (!line)
		return false;
	reason(v, "%s, in the loop at line %u: its turns differ too much to be taken together", v->verdict->detail,
	       line);
	hint(v, "give the loop a small bound that is a constant; or put its body into a function for bpf_loop()");
	return true;
}

/* Of a verification that has been walked: the functions that take most. */
bool reason_stack_depth(struct verify *v)
{
	char functions[200] = "";
	size_t used = 0;
	uint32_t total = v->verdict->stack_bytes;

	if (!v->program->image)
		return false;
	for (size_t i = 0; i < v->code.function_count && used + 80 < sizeof(functions); i++) {
		if (!v->depths[i])
			continue;
		explain_write(functions + used, sizeof(functions) - used, "%s%s() %u", used ? ", " : "",
		              explain_function(v, v->code.functions[i].insn), v->depths[i]);
		used += strlen(functions + used);
	}
	reason(v, "functions that are active at the same time take %u bytes of stack, and there are %d: %s", total,
	       PICKET_STACK_BYTES, functions);
	hint(v, "make the largest variables smaller; or keep them in a per-CPU array map and look them up");
	return true;
}

bool reason_kind(struct verify *v)
{
	const struct picket_image *image = v->program->image;
	const char *section = image ? picket_image_section(image, v->program->index) : NULL;

	if (v->kind || !section)
		return false;
	reason(v, "section \"%s\" does not tell what kind of program this is", section);
	hint(v,
	     "name the section after the hook, as libbpf knows it: SEC(\"xdp\"), SEC(\"kprobe/...\"); or use --kind");
	return true;
}

void reason_malformed(struct verify *v)
{
	const uint32_t insn = v->verdict->insn;

	reason(v, "%s", v->verdict->detail);
	if (v->verdict->hint[0])
		return;
	if (insn < v->insn_count && v->insns[insn].code == (BPF_JMP | BPF_CALL | BPF_X))
		hint(v, "a call by a pointer: compile it with clang 19 or newer, or call functions by their names");
	else
		hint(v,
		     "the compiler does not make this: look at inline assembly, at the tool that wrote the object, and "
		     "whether the file is damaged");
}
