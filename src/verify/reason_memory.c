/* SPDX-License-Identifier: Apache-2.0
 *
 * Why an access is rejected: packets, maps, the stack, the context, pointers that are none.
 */
#include "verify/reason_int.h"
#include "vm/image.h"

/* ---- memory ---- */

static unsigned access_bytes(const struct vm_op *op)
{
	static const uint8_t sizes[] = {4, 2, 1, 8};

	return sizes[vm_insns[op->op].code >> 3 & 3];
}

/* What of the packet is known to be there. */
static void write_known(const struct value *p, char *text, size_t size)
{
	if (p->range == 0)
		explain_write(text, size, "nothing compares it with the packet's end before");
	else
		explain_write(text, size, "only %u %s known to be there", p->range,
		              p->range == 1 ? "byte is" : "bytes are");
}

static void hint_packet(struct verify *v, const struct facts *f)
{
	char start[NAME_BYTES], end[NAME_BYTES];
	const struct value *p = f->culprit;
	bool constant = scalar_is_constant(&p->number, NULL);

	explain_packet_names(v, start, end);
	if (f->has_access && f->through)
		hint(v, "add `if ((void *)(%s + 1) > %s) %s`%s", f->base, end, f->leave, f->before);
	else if (f->has_access && f->index[0])
		hint(v, "add `if ((void *)&%s[%s + 1] > %s) %s`%s", f->base, f->index, end, f->leave, f->before);
	else if (vm_op_accesses(f->op) && constant && p->kind == VALUE_PACKET)
		hint(v, "add `if (%s + %lld > %s) %s`%s", start,
		     (long long)p->offset + f->op->offset + access_bytes(f->op), end, f->leave, f->before);
	else
		hint(v, "compare pointer + size with `%s`, and leave if it is greater: `if (pointer + size > %s) %s`%s",
		     end, end, f->leave, f->before);
}

/* Packets have an end that is known only by comparing. */
bool reason_packet(struct verify *v, const struct facts *f)
{
	const struct value *p = f->culprit;
	char known[96];

	if (!p || p->kind != VALUE_PACKET || !vm_op_accesses(f->op))
		return false;
	write_known(p, known, sizeof(known));
	if (p->offset + f->op->offset + p->number.wide.smin < 0)
		return false;
	if (scalar_is_constant(&p->number, NULL))
		reason(v, "%s%s%s may lie behind the packet's end: it takes %u byte%s at byte %lld, but %s",
		       f->has_access ? "`" : "", f->has_access ? f->whole : "what is accessed",
		       f->has_access ? "`" : "", access_bytes(f->op), access_bytes(f->op) == 1 ? "" : "s",
		       (long long)p->offset + f->op->offset, known);
	else
		reason(v, "%s%s%s may lie behind the packet's end: it begins where a number says, and %s",
		       f->has_access ? "`" : "", f->has_access ? f->whole : "what is accessed",
		       f->has_access ? "`" : "", known);
	hint_packet(v, f);
	return true;
}

/* Pointers that stopped to be some. */
bool reason_gone(struct verify *v, const struct facts *f)
{
	const struct value *was = f->culprit;
	char callee[NAME_BYTES], line[24];
	const char *name = f->name[0] ? f->name : "the pointer";
	const char *tick = f->name[0] ? "`" : "";

	if (!was || was->kind != VALUE_NUMBER || !was->object || !was->node)
		return false;
	if (!explain_callee(v, &v->code.ops[v->nodes[was->node].op], callee))
		return false;
	reason_write_line(line, sizeof(line), reason_line_of(v, was->node));
	if (was->object == VALUE_WAS_RELEASED) {
		reason(v, "%s%s%s is used after %s()%s has given it up", tick, name, tick, callee, line);
		hint(v, "use it before that call; or keep what you need of it in a variable");
	} else {
		reason(v, "%s%s%s was taken before %s()%s, which may move the packet: it is not valid any more", tick,
		       name, tick, callee, line);
		hint(v, "load `data` and `data_end` from the context again after that call, and compare again");
	}
	return true;
}

bool reason_null(struct verify *v, const struct facts *f)
{
	const struct verify_proto *p;
	char callee[NAME_BYTES] = "", map[NAME_BYTES], line[24];

	if (!f->culprit || !f->name[0])
		return false;
	if (f->culprit->node) {
		const struct vm_op *maker = &v->code.ops[v->nodes[f->culprit->node].op];
		p = explain_proto(v, maker);
		if (p)
			explain_callee(v, maker, callee);
		reason_write_line(line, sizeof(line), reason_line_of(v, f->culprit->node));
	}
	if (callee[0] && f->culprit->kind == VALUE_MAP_VALUE) {
		explain_map(v, f->culprit, map, NULL);
		reason(v, "`%s` may be NULL: %s()%s returns NULL if %s has no such element", f->name, callee, line,
		       map);
	} else if (callee[0]) {
		reason(v, "`%s` may be NULL: %s()%s returns NULL when it fails", f->name, callee, line);
	} else {
		reason(v, "`%s` may be NULL here", f->name);
	}
	hint(v, "add `if (!%s) %s`%s", f->name, f->leave, f->before);
	return true;
}

static void hint_index(struct verify *v, const struct facts *f, uint32_t elements)
{
	if (f->index[0] && elements)
		hint(v, "add `if (%s >= %u) %s`%s", f->index, elements, f->leave, f->before);
	else if (f->index[0])
		hint(v, "compare `%s` with the number of elements of `%s`, and leave if it is not less%s", f->index,
		     f->base, f->before);
	else
		hint(v, "compare the index with the number of elements, and leave if it is not less%s", f->before);
}

static const char *bytes_word(unsigned long long count)
{
	return count == 1 ? "byte" : "bytes";
}

/* A number that is not bounded is added to a pointer. */
static bool reason_index(struct verify *v, const struct facts *f)
{
	const struct value *n = f->culprit;
	const char *name = f->index[0] ? f->index : f->name;

	if (n->kind != VALUE_NUMBER || !name[0])
		return false;
	if (n->number.wide.smin < 0)
		reason(v, "`%s` is added to a pointer, and may be anything, also less than 0", name);
	else
		reason(v, "`%s` is added to a pointer, and may be as much as %lld", name,
		       (long long)n->number.wide.smax);
	if (f->index[0])
		hint(v, "add `if (%s >= sizeof(%s) / sizeof(%s[0])) %s`%s", f->index, f->base, f->base, f->leave,
		     f->before);
	else
		hint(v, "compare `%s` with its greatest allowed value, and leave if it is more; or mask it with &%s",
		     name, f->before);
	return true;
}

bool reason_bounds(struct verify *v, const struct facts *f)
{
	const struct value *p = f->culprit;
	char memory[NAME_BYTES];
	uint32_t elements = 0;
	uint64_t size;
	int64_t low, end;

	if (!p || !f->has_access || !vm_op_accesses(f->op))
		return p && reason_index(v, f);
	switch (p->kind) {
	case VALUE_MAP_VALUE:
		explain_map(v, p, memory, &elements);
		size = verify_map(v, p->object)->value_size;
		break;
	case VALUE_RECORD:
	case VALUE_MEMORY:
		explain_write(memory, sizeof(memory), "%s", value_kind_name(p->kind));
		size = p->object;
		break;
	default:
		return false;
	}
	low = p->offset + f->op->offset + p->number.wide.smin;
	end = p->offset + f->op->offset + p->number.wide.smax + access_bytes(f->op);
	if (low < 0 && end <= (int64_t)size)
		reason(v, "`%s` may lie up to %lld %s before %s", f->whole, -(long long)low,
		       bytes_word((unsigned long long)-low), memory);
	else
		reason(v, "`%s` may lie up to %lld %s behind the end of %s", f->whole, (long long)end - (long long)size,
		       bytes_word((unsigned long long)end - size), memory);
	if (scalar_is_constant(&p->number, NULL))
		hint(v, "use what lies inside: there are %llu bytes", (unsigned long long)size);
	else
		hint_index(v, f, elements);
	return true;
}

/* A place on the stack that is known, but not inside. */
static bool reason_stack_constant(struct verify *v, const struct facts *f)
{
	const struct value *p = f->culprit;
	long long at = (long long)p->offset + p->number.wide.smin;

	if (vm_op_accesses(f->op))
		at += f->op->offset;
	if (at < -PICKET_STACK_BYTES) {
		reason(v, "the function's variables take %lld bytes, and a function has %d bytes of stack", -at,
		       PICKET_STACK_BYTES);
		hint(v, "make the largest variables smaller; or keep them in a per-CPU array map and look them up");
		return true;
	}
	if (!f->callee[0] || !f->name[0] || at >= 0)
		return false;
	reason(v,
	       "%s() uses more bytes of `%s` than there are: the function's variables end %lld bytes after its first",
	       f->callee, f->name, -at);
	hint(v, "bound the size by the variable's: sizeof(...), and see that it is what the helper takes");
	return true;
}

bool reason_stack(struct verify *v, const struct facts *f)
{
	const char *tick = f->has_access ? "`" : "";
	const char *what = f->has_access ? f->whole : "what is accessed";
	const struct value *p = f->culprit;
	int64_t low, end;

	if (p && p->kind == VALUE_STACK && scalar_is_constant(&p->number, NULL))
		return reason_stack_constant(v, f);
	if (!p || !vm_op_accesses(f->op) || p->kind != VALUE_STACK)
		return false;
	low = p->offset + f->op->offset + p->number.wide.smin;
	end = p->offset + f->op->offset + p->number.wide.smax + access_bytes(f->op);
	if (end <= 0) {
		reason(v, "%s%s%s may lie up to %lld bytes before the function's variables", tick, what, tick,
		       -(long long)low - PICKET_STACK_BYTES);
		hint(v, "see that the index cannot be less than 0%s", f->before);
		return true;
	}
	reason(v, "%s%s%s may lie up to %lld %s behind the function's variables", tick, what, tick, (long long)end,
	       bytes_word((unsigned long long)end));
	if (f->index[0])
		hint(v, "add `if (%s >= sizeof(%s) / sizeof(%s[0])) %s`%s", f->index, f->base, f->base, f->leave,
		     f->before);
	else
		hint_index(v, f, 0);
	return true;
}

bool reason_number(struct verify *v, const struct facts *f)
{
	const struct value *n = f->culprit;
	char callee[NAME_BYTES], line[24];
	const struct vm_op *maker;

	if (!n || n->kind != VALUE_NUMBER || !f->name[0] || !vm_op_accesses(f->op))
		return false;
	maker = n->node ? &v->code.ops[v->nodes[n->node].op] : NULL;
	reason_write_line(line, sizeof(line),
	                  reason_line_of(v, n->node) == f->place.line ? 0 : reason_line_of(v, n->node));
	if (maker && explain_callee(v, maker, callee))
		reason(v, "`%s` is followed as a pointer, but %s()%s returns a mere number", f->name, callee, line);
	else
		reason(v, "`%s` is followed as a pointer, but to the verifier it is a mere number%s", f->name, line);
	if (v->kind->flags & (KIND_RAW_CONTEXT | KIND_ARGUMENTS | KIND_BTF_CONTEXT))
		hint(v, "copy it: `bpf_probe_read_kernel(&copy, sizeof(copy), %s%s)`, or BPF_CORE_READ() for chains",
		     f->whole[0] == '*' ? "" : "&", f->whole[0] == '*' ? f->base : f->whole);
	else
		hint(v,
		     "use the pointer that the context or a helper gives, and add to it; do not make one from a number");
	return true;
}

static const char *operator_of(const struct vm_op *op)
{
	static const struct {
		const char *mnemonic, *c;
	} operators[] = {{"and", "&"},  {"or", "|"},   {"xor", "^"},   {"mul", "*"}, {"div", "/"}, {"mod", "%"},
	                 {"lsh", "<<"}, {"rsh", ">>"}, {"arsh", ">>"}, {"neg", "-"}, {"add", "+"}, {"sub", "-"}};
	const char *mnemonic = vm_insns[op->op].mnemonic;

	for (size_t i = 0; i < ARRAY_SIZE(operators); i++)
		if (!strncmp(mnemonic, operators[i].mnemonic, strlen(operators[i].mnemonic)))
			return operators[i].c;
	return mnemonic;
}

bool reason_arithmetic(struct verify *v, const struct facts *f)
{
	if (!f->culprit || !value_is_pointer(f->culprit) || vm_op_accesses(f->op) || !vm_insns[f->op->op].mnemonic)
		return false;
	if (f->culprit->kind == VALUE_STACK && (f->op->op == VM_SUB64_REG || f->op->op == VM_SUB64_IMM)) {
		reason(v, "a number is subtracted from an address on the stack: the kernel only takes additions");
		hint(v, "add the negative number, or an index that counts up");
		return true;
	}
	reason(v,
	       "`%s` is applied to a pointer (%s): of pointers, only + and - of a number keep one that can be followed",
	       operator_of(f->op), value_kind_name(f->culprit->kind));
	hint(v, "calculate the offset as a number first, bound it, and add it to the pointer");
	return true;
}

bool reason_alignment(struct verify *v, const struct facts *f)
{
	const struct value *p = f->culprit;

	if (!p || !scalar_is_constant(&p->number, NULL))
		return false;
	reason(v, "%u bytes at byte %lld of %s are used at once: that must be a multiple of %u here",
	       access_bytes(f->op), (long long)p->offset + f->op->offset, value_kind_name(p->kind),
	       access_bytes(f->op));
	hint(v, "move the field to a multiple of its size, and do not make the struct packed");
	return true;
}

bool reason_read_only(struct verify *v, const struct facts *f)
{
	const struct picket_image *image = v->program->image;
	const struct value *p = f->culprit;
	char name[NAME_BYTES];

	if (!p || p->kind != VALUE_MAP_VALUE || !vm_op_accesses(f->op) || !image)
		return false;
	explain_map(v, p, name, NULL);
	if (image->maps[p->object & ~VERIFY_MAP_INNER].origin != VM_IMAGE_DEFINED) {
		reason(v, "%s%s%s is constant for programs, and is written", f->has_access ? "`" : "",
		       f->has_access ? f->whole : name, f->has_access ? "`" : "");
		hint(v, "declare the variable without `const`");
		return true;
	}
	reason(v, "%s%s%s is written, but %s was made for reading only (BPF_F_RDONLY_PROG)", f->has_access ? "`" : "",
	       f->has_access ? f->whole : "a value", f->has_access ? "`" : "", name);
	hint(v, "remove BPF_F_RDONLY_PROG from the map's map_flags; or write elsewhere");
	return true;
}

/* ---- the context ---- */

static void write_fields(const struct verify *v, unsigned flag, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < v->kind->field_count && used + 48 < size; i++) {
		const struct verify_field *f = &v->kind->fields[i];
		if (!(f->flags & flag) || (i && !strcmp(f->name, v->kind->fields[i - 1].name)))
			continue;
		explain_write(text + used, size - used, "%s%s", used ? ", " : "", f->name);
		used += strlen(text + used);
	}
}

bool reason_context(struct verify *v, const struct facts *f)
{
	bool writes = f->op && vm_insns[f->op->op].format != VM_FORMAT_LOAD;
	const struct verify_field *field;
	char fields[320];
	int64_t at;

	if (!f->culprit || f->culprit->kind != VALUE_CONTEXT || !vm_op_accesses(f->op) || !v->kind->field_count)
		return false;
	if (f->culprit->offset) {
		reason(v, "the context is accessed through an address that was moved by %d bytes",
		       (int)f->culprit->offset);
		hint(v, "keep the context's address as it is, and access its fields by their names");
		return true;
	}
	at = f->op->offset;
	field = explain_field(v, at);
	write_fields(v, writes ? FIELD_WRITE : FIELD_READ, fields, sizeof(fields));
	if (field && !(field->flags & (writes ? FIELD_WRITE : FIELD_READ)))
		reason(v, "programs of kind %s may not %s the context's field `%s`", v->kind->name,
		       writes ? "write" : "read", field->name);
	else if (field)
		reason(v, "the context's field `%s` has %u bytes, and here %u are %s at its byte %lld", field->name,
		       field->size, access_bytes(f->op), writes ? "written" : "read", (long long)at - field->offset);
	else
		reason(v, "the context of kind %s has no field at byte %lld that this kind may %s", v->kind->name,
		       (long long)at, writes ? "write" : "read");
	if (fields[0])
		hint(v, "it may %s: %s", writes ? "write" : "read", fields);
	else
		hint(v, "this kind of program may not %s its context", writes ? "write" : "read");
	return true;
}
