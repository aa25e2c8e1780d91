/* SPDX-License-Identifier: Apache-2.0
 *
 * What the source calls things: functions, maps and variables by the object's types (BTF), registers by the lines that the
 * compiler made the instructions from.
 */
#include <ctype.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>

#include "verify/explain_int.h"
#include "vm/image.h"

void explain_write(char *text, size_t size, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (vsnprintf(text, size, format, arguments) < 0)
		text[0] = '\0';
	va_end(arguments);
}

uint32_t explain_insn(const struct verify *v, uint32_t op)
{
	const struct vm_op *o = &v->code.ops[op];

	return o->insn;
}

bool explain_place(const struct verify *v, uint32_t insn, struct picket_place *ret_place)
{
	const char *file, *text;
	unsigned line, column;

	*ret_place = (struct picket_place){.line = 0};
	if (!v->program->image ||
	    !picket_image_line(v->program->image, v->program->index, insn, &file, &line, &column, &text))
		return false;
	ret_place->line = line;
	ret_place->column = column;
	/* no further than they are shown: a line may be as long as the object */
	explain_write(ret_place->file, sizeof(ret_place->file), "%.*s", (int)sizeof(ret_place->file) - 1, file);
	explain_write(ret_place->text, sizeof(ret_place->text), "%.*s", (int)sizeof(ret_place->text) - 1, text);
	return true;
}

/* ---- functions ---- */

static bool function_find(const struct verify *v, uint32_t insn, struct picket_image_function *ret_function)
{
	const struct picket_image *image = v->program->image;
	size_t count = image ? picket_image_function_count(image, v->program->index) : 0;

	while (count-- > 0)
		if (picket_image_function(image, v->program->index, count, ret_function) && ret_function->insn <= insn)
			return true;
	return false;
}

const char *explain_function(const struct verify *v, uint32_t insn)
{
	struct picket_image_function f;

	return function_find(v, insn, &f) ? f.name : "";
}

bool explain_parameter(const struct verify *v, uint32_t insn, unsigned index, char name[NAME_BYTES])
{
	struct picket_image_function f;
	const struct vm_btf *btf;
	struct vm_btf_type type;
	struct btf_param parameter;
	const char *text;

	if (!function_find(v, insn, &f) || !f.type)
		return false;
	btf = &v->program->image->btf;
	type = vm_btf_type(btf, f.type);
	if (type.kind != BTF_KIND_FUNC)
		return false;
	type = vm_btf_type(btf, type.type);
	if (type.kind != BTF_KIND_FUNC_PROTO || index >= type.count)
		return false;
	memcpy(&parameter, type.parts + index * sizeof(parameter), sizeof(parameter));
	text = vm_btf_text(btf, parameter.name_off);
	if (!text || !text[0])
		return false;
	explain_write(name, NAME_BYTES, "%s", text);
	return true;
}

const struct verify_proto *explain_proto(const struct verify *v, const struct vm_op *op)
{
	const struct picket_image *image = v->program->image;
	bool allowed;

	if (op->op != VM_CALL_HELPER)
		return NULL;
	if (op->src != VM_SOURCE_KERNEL_FUNCTION)
		return verify_proto_find(v->kind, (uint32_t)op->imm, &allowed);
	if (!image || (uint64_t)op->imm >= picket_image_kernel_count(image))
		return NULL;
	return verify_kfunc_find(v->kind, picket_image_kernel_name(image, (size_t)op->imm), &allowed);
}

bool explain_callee(const struct verify *v, const struct vm_op *op, char name[NAME_BYTES])
{
	const struct verify_proto *p = explain_proto(v, op);
	const char *function;

	if (p) {
		explain_write(name, NAME_BYTES, "%s%s", op->src == VM_SOURCE_KERNEL_FUNCTION ? "" : "bpf_", p->name);
		return true;
	}
	if (op->op != VM_CALL_LOCAL)
		return false;
	function = explain_function(v, v->code.ops[op->target].insn);
	explain_write(name, NAME_BYTES, "%s", function);
	return function[0];
}

/* ---- maps and variables ---- */

const char *explain_map_type(uint32_t type)
{
	static const char *const names[] = {"unspec",
	                                    "hash",
	                                    "array",
	                                    "prog_array",
	                                    "perf_event_array",
	                                    "percpu_hash",
	                                    "percpu_array",
	                                    "stack_trace",
	                                    "cgroup_array",
	                                    "lru_hash",
	                                    "lru_percpu_hash",
	                                    "lpm_trie",
	                                    "array_of_maps",
	                                    "hash_of_maps",
	                                    "devmap",
	                                    "sockmap",
	                                    "cpumap",
	                                    "xskmap",
	                                    "sockhash",
	                                    "cgroup_storage",
	                                    "reuseport_sockarray",
	                                    "percpu_cgroup_storage",
	                                    "queue",
	                                    "stack",
	                                    "sk_storage",
	                                    "devmap_hash",
	                                    "struct_ops",
	                                    "ringbuf",
	                                    "inode_storage",
	                                    "task_storage",
	                                    "bloom_filter",
	                                    "user_ringbuf",
	                                    "cgrp_storage",
	                                    "arena"};

	return type < ARRAY_SIZE(names) ? names[type] : "unknown";
}

/* Without a look at more of the text than the name is long. */
static bool is_named(const char *text, struct str name)
{
	return !strncmp(text, name.data, name.length) && !text[name.length];
}

/* A variable of a section of data: by its name, as the linker has not written offsets into the types yet. */
static bool variable_find(const struct picket_image *image, const char *section, struct str name,
                          uint32_t *ret_variable)
{
	for (uint32_t id = 1; id <= image->btf.type_count; id++) {
		struct vm_btf_type type = vm_btf_type(&image->btf, id);
		if (type.kind != BTF_KIND_DATASEC || strcmp(type.name, section) != 0)
			continue;
		for (uint32_t i = 0; i < type.count; i++) {
			uint32_t variable = vm_btf_variable(&type, i).type;
			if (is_named(vm_btf_type(&image->btf, variable).name, name)) {
				*ret_variable = variable;
				return true;
			}
		}
	}
	return false;
}

static uint32_t variable_elements(const struct picket_image *image, uint32_t variable)
{
	struct vm_btf_type type = vm_btf_plain_type(&image->btf, vm_btf_type(&image->btf, variable).type);

	return type.kind == BTF_KIND_ARRAY ? vm_btf_array(&type).nelems : 0;
}

/* The current op reads or writes a variable, and its line names it. */
static bool variable_name(const struct verify *v, const char *section, char name[NAME_BYTES], uint32_t *ret_elements)
{
	const struct picket_image *image = v->program->image;
	struct source_access access;
	struct picket_place place;
	uint32_t variable;

	if (!v->state || !explain_place(v, explain_insn(v, v->state->op), &place) ||
	    !source_access(str_from(place.text), place.column, &access) ||
	    !variable_find(image, section, access.base, &variable))
		return false;
	explain_write(name, NAME_BYTES, "`" STR_FMT "`", STR_ARG(access.base));
	*ret_elements = variable_elements(image, variable);
	return true;
}

void explain_map(const struct verify *v, const struct value *value, char name[NAME_BYTES], uint32_t *ret_elements)
{
	const struct picket_image *image = v->program->image;
	uint32_t index = value->object & ~VERIFY_MAP_INNER, elements = 0;

	if (image && index < image->map_count && image->maps[index].origin != VM_IMAGE_DEFINED &&
	    value->kind == VALUE_MAP_VALUE) {
		if (!variable_name(v, image->maps[index].section, name, &elements))
			explain_write(name, NAME_BYTES, "the variables of section %s", image->maps[index].section);
	} else if (value->object & VERIFY_MAP_INNER) {
		explain_write(name, NAME_BYTES, "a map in `%s`", v->maps[index].name);
	} else {
		explain_write(name, NAME_BYTES, "map `%s`", v->maps[index].name);
	}
	if (ret_elements)
		*ret_elements = elements;
}

const struct verify_field *explain_field(const struct verify *v, int64_t offset)
{
	const struct verify_kind *k = v->kind;

	for (size_t i = 0; i < k->field_count; i++)
		if (offset >= k->fields[i].offset && offset < k->fields[i].offset + k->fields[i].size)
			return &k->fields[i];
	return NULL;
}

/* The column of a member's name in a line; 0: it is not there. */
static unsigned member_column(const char *line, const char *member)
{
	size_t length = strlen(member);

	for (const char *at = strstr(line, member); at; at = strstr(at + 1, member)) {
		bool begins = at > line && (at[-1] == '>' || at[-1] == '.');
		if (begins && !isalnum((unsigned char)at[length]) && at[length] != '_')
			return (unsigned)(at - line) + 1;
	}
	return 0;
}

/* What the line of the load of such a field assigns to. */
static void packet_name(const struct verify *v, enum verify_field_type type, const char *otherwise,
                        char name[NAME_BYTES])
{
	struct picket_place place;
	struct str assigned;

	explain_write(name, NAME_BYTES, "%s", otherwise);
	for (uint32_t i = 0; i < v->code.count; i++) {
		const struct vm_op *op = &v->code.ops[i];
		const struct verify_field *f;
		unsigned column;
		if (vm_insns[op->op].format != VM_FORMAT_LOAD || !explain_place(v, explain_insn(v, i), &place))
			continue;
		f = explain_field(v, op->offset);
		if (!f || f->type != type || f->offset != op->offset)
			continue;
		column = member_column(place.text, f->name);
		if (column && source_assigned(str_from(place.text), column, &assigned)) {
			explain_write(name, NAME_BYTES, STR_FMT, STR_ARG(assigned));
			return;
		}
	}
}

void explain_packet_names(const struct verify *v, char start[NAME_BYTES], char end[NAME_BYTES])
{
	packet_name(v, FIELD_PACKET, "data", start);
	packet_name(v, FIELD_PACKET_END, "data_end", end);
}

/* ---- registers ---- */

static bool is_access(const struct vm_op *op, unsigned reg)
{
	switch ((enum vm_format)vm_insns[op->op].format) {
	case VM_FORMAT_LOAD:
		return op->src == reg;
	case VM_FORMAT_STORE_IMM:
	case VM_FORMAT_STORE_REG:
	case VM_FORMAT_ATOMIC_REG:
		return op->dst == reg;
	default:
		return false;
	}
}

static bool name_here(const struct verify *v, const struct vm_op *op, const struct picket_place *place, unsigned reg,
                      struct str *ret_name)
{
	struct source_access access;
	char callee[NAME_BYTES];

	if (is_access(op, reg)) {
		if (!source_access(str_from(place->text), place->column, &access) || !access.base.length)
			return false;
		*ret_name = access.base;
		return true;
	}
	if (reg >= 1 && reg <= 5 && explain_callee(v, op, callee))
		return source_argument(str_from(place->text), callee, reg - 1, ret_name);
	return false;
}

bool explain_register(const struct verify *v, unsigned reg, char name[NAME_BYTES])
{
	const struct vm_op *op = &v->code.ops[v->state->op];
	const struct value *value = &state_top(v->state)->registers[reg];
	struct picket_place place;
	struct str text = STR("");
	unsigned line;
	bool found = explain_place(v, explain_insn(v, v->state->op), &place) && name_here(v, op, &place, reg, &text);

	line = place.line;
	if (!found && value->node && v->nodes[value->node].op != v->state->op)
		found = explain_place(v, explain_insn(v, v->nodes[value->node].op), &place) && place.line != line &&
		        source_assigned(str_from(place.text), 0, &text);
	if (!found || !text.length || text.length >= NAME_BYTES)
		return false;
	explain_write(name, NAME_BYTES, STR_FMT, STR_ARG(text));
	return true;
}
