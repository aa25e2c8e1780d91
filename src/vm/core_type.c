/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/core.h"

#define FLAVOUR "___"
#define MATCH_DEPTH_MAX 32

bool vm_core_step(uint64_t *steps)
{
	return *steps && --*steps;
}

/* ---- names and kinds ---- */
/* The last ___ that has a name before it and after it. */
size_t vm_core_name_length(const char *name)
{
	size_t length = strlen(name);

	for (size_t at = length; at-- > 1;)
		if (strncmp(name + at, FLAVOUR, strlen(FLAVOUR)) == 0 && name[at - 1] != '_' &&
		    name[at + strlen(FLAVOUR)] != '_' && name[at + strlen(FLAVOUR)])
			return at;
	return length;
}

bool vm_core_same_name(const char *a, const char *b)
{
	size_t length = vm_core_name_length(a);

	return length == vm_core_name_length(b) && memcmp(a, b, length) == 0;
}

static bool is_enum(uint32_t kind)
{
	return kind == BTF_KIND_ENUM || kind == BTF_KIND_ENUM64;
}

static bool is_composite(uint32_t kind)
{
	return kind == BTF_KIND_STRUCT || kind == BTF_KIND_UNION;
}

bool vm_core_same_kind(uint32_t a, uint32_t b)
{
	return a == b || (is_enum(a) && is_enum(b));
}

/* ---- two types that can stand for each other ---- */
struct pair {
	const struct vm_btf *a, *b;
	uint64_t *steps;
};

static uint32_t parameter(const struct vm_btf_type *t, uint32_t index)
{
	struct btf_param param;

	memcpy(&param, t->parts + index * sizeof(param), sizeof(param));
	return param.type;
}

static bool compatible(struct pair *p, uint32_t a_id, uint32_t b_id, int depth);

static bool compatible_functions(struct pair *p, const struct vm_btf_type *a, const struct vm_btf_type *b, int depth)
{
	if (a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++)
		if (!compatible(p, parameter(a, i), parameter(b, i), depth))
			return false;
	return compatible(p, a->type, b->type, depth);
}

static bool compatible(struct pair *p, uint32_t a_id, uint32_t b_id, int depth)
{
	struct vm_btf_type a, b;

	if (!depth || !vm_core_step(p->steps))
		return false;
	a = vm_btf_plain_type(p->a, a_id);
	b = vm_btf_plain_type(p->b, b_id);
	if (!vm_core_same_kind(a.kind, b.kind))
		return false;
	switch (a.kind) {
	case BTF_KIND_UNKN:
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
	case BTF_KIND_FWD:
		return true;
	case BTF_KIND_INT:
		return !BTF_INT_OFFSET(vm_btf_integer(&a)) && !BTF_INT_OFFSET(vm_btf_integer(&b));
	case BTF_KIND_PTR:
		return compatible(p, a.type, b.type, depth - 1);
	case BTF_KIND_ARRAY:
		return compatible(p, vm_btf_array(&a).type, vm_btf_array(&b).type, depth - 1);
	case BTF_KIND_FUNC_PROTO:
		return compatible_functions(p, &a, &b, depth - 1);
	default:
		return false;
	}
}

bool vm_core_compatible(const struct vm_btf *a, uint32_t a_id, const struct vm_btf *b, uint32_t b_id, uint64_t *steps)
{
	struct pair p = {a, b, steps};

	return vm_core_same_kind(vm_btf_type(a, a_id).kind, vm_btf_type(b, b_id).kind) &&
	       compatible(&p, a_id, b_id, MATCH_DEPTH_MAX);
}

bool vm_core_fields_compatible(const struct vm_btf *a, uint32_t a_id, const struct vm_btf *b, uint32_t b_id)
{
	for (int depth = 0; depth < MATCH_DEPTH_MAX; depth++) {
		struct vm_btf_type x = vm_btf_plain_type(a, a_id), y = vm_btf_plain_type(b, b_id);

		if (is_composite(x.kind) && is_composite(y.kind))
			return true;
		if (!vm_core_same_kind(x.kind, y.kind))
			return false;
		switch (x.kind) {
		case BTF_KIND_PTR:
		case BTF_KIND_FLOAT:
			return true;
		case BTF_KIND_FWD:
		case BTF_KIND_ENUM:
		case BTF_KIND_ENUM64:
			return !*x.name || !*y.name || vm_core_same_name(x.name, y.name);
		case BTF_KIND_INT:
			return !BTF_INT_OFFSET(vm_btf_integer(&x)) && !BTF_INT_OFFSET(vm_btf_integer(&y));
		case BTF_KIND_ARRAY:
			a_id = vm_btf_array(&x).type;
			b_id = vm_btf_array(&y).type;
			break;
		default:
			return false;
		}
	}
	return false;
}

/* ---- a type that has all that the local one has ---- */
static bool matches(struct pair *p, uint32_t a_id, uint32_t b_id, bool behind_pointer, int depth);

static bool match_enums(struct pair *p, const struct vm_btf_type *a, const struct vm_btf_type *b)
{
	if (!is_enum(b->kind) || a->count > b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++) {
		const char *name = vm_btf_enumerator_name(p->a, a, i);
		uint32_t k = 0;

		while (k < b->count && vm_core_step(p->steps) &&
		       !vm_core_same_name(name, vm_btf_enumerator_name(p->b, b, k)))
			k++;
		if (k == b->count || !*p->steps)
			return false;
	}
	return true;
}

static bool match_composites(struct pair *p, const struct vm_btf_type *a, const struct vm_btf_type *b,
                             bool behind_pointer, int depth)
{
	if (a->count > b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++) {
		struct vm_btf_member m = vm_btf_member(p->a, a, i);
		bool found = false;

		for (uint32_t k = 0; !found && k < b->count && vm_core_step(p->steps); k++) {
			struct vm_btf_member other = vm_btf_member(p->b, b, k);
			found = vm_core_same_name(m.name, other.name) &&
			        matches(p, m.type, other.type, behind_pointer, depth);
		}
		if (!found)
			return false;
	}
	return true;
}

static bool match_functions(struct pair *p, const struct vm_btf_type *a, const struct vm_btf_type *b, int depth)
{
	if (b->kind != BTF_KIND_FUNC_PROTO || a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++)
		if (!matches(p, parameter(a, i), parameter(b, i), false, depth))
			return false;
	return matches(p, a->type, b->type, false, depth);
}

/* A struct that is only declared may be one that is defined: behind a pointer nobody looks into it. */
static bool is_declared_as(const struct vm_btf_type *forward, uint32_t kind)
{
	return kind == (forward->flag ? BTF_KIND_UNION : BTF_KIND_STRUCT);
}

static bool match_kinds(struct pair *p, const struct vm_btf_type *a, const struct vm_btf_type *b, bool behind_pointer,
                        int depth)
{
	switch (a->kind) {
	case BTF_KIND_UNKN:
		return b->kind == BTF_KIND_UNKN;
	case BTF_KIND_FWD:
		return b->kind == BTF_KIND_FWD ? a->flag == b->flag : is_declared_as(a, b->kind);
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		return match_enums(p, a, b);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		if (behind_pointer && b->kind == BTF_KIND_FWD)
			return is_declared_as(b, a->kind);
		return a->kind == b->kind && match_composites(p, a, b, behind_pointer, depth);
	case BTF_KIND_INT:
		return b->kind == BTF_KIND_INT && BTF_INT_BITS(vm_btf_integer(a)) == BTF_INT_BITS(vm_btf_integer(b)) &&
		       (BTF_INT_ENCODING(vm_btf_integer(a)) & BTF_INT_SIGNED) ==
		               (BTF_INT_ENCODING(vm_btf_integer(b)) & BTF_INT_SIGNED);
	case BTF_KIND_PTR:
		return b->kind == BTF_KIND_PTR && matches(p, a->type, b->type, true, depth);
	case BTF_KIND_ARRAY:
		return b->kind == BTF_KIND_ARRAY && vm_btf_array(a).nelems == vm_btf_array(b).nelems &&
		       matches(p, vm_btf_array(a).type, vm_btf_array(b).type, behind_pointer, depth);
	case BTF_KIND_FUNC_PROTO:
		return match_functions(p, a, b, depth);
	default:
		return false;
	}
}

static bool matches(struct pair *p, uint32_t a_id, uint32_t b_id, bool behind_pointer, int depth)
{
	struct vm_btf_type a, b;

	if (!depth || !vm_core_step(p->steps))
		return false;
	a = vm_btf_plain_type(p->a, a_id);
	b = vm_btf_plain_type(p->b, b_id);
	return vm_core_same_name(a.name, b.name) && match_kinds(p, &a, &b, behind_pointer, depth - 1);
}

bool vm_core_matches(const struct vm_btf *local, uint32_t local_id, const struct vm_btf *kernel, uint32_t kernel_id,
                     uint64_t *steps)
{
	struct pair p = {local, kernel, steps};

	return matches(&p, local_id, kernel_id, false, MATCH_DEPTH_MAX);
}
