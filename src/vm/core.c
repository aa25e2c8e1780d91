/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/core.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>

#define NESTED_MAX 32 /* structs without a name in structs without a name */

/* ---- types by name ---- */
static uint32_t hash(const char *name, size_t length)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < length; i++)
		h = (h ^ (uint8_t)name[i]) * 16777619u;
	return h;
}

int vm_core_types_open(struct vm_btf btf, struct vm_core_types *ret_types)
{
	struct vm_core_types t = {.btf = btf, .mask = 1};

	while (t.mask < btf.type_count)
		t.mask = 2 * t.mask + 1;
	t.heads = calloc((size_t)t.mask + 1, sizeof(*t.heads));
	t.next = calloc((size_t)btf.type_count + 1, sizeof(*t.next));
	if (!t.heads || !t.next) {
		vm_core_types_done(&t);
		return -ENOMEM;
	}
	for (uint32_t id = btf.type_count; id > 0; id--) { /* so that chains begin with the lowest */
		const char *name = vm_btf_type(&btf, id).name;
		uint32_t *head = &t.heads[hash(name, vm_core_name_length(name)) & t.mask];

		if (!*name)
			continue;
		t.next[id] = *head;
		*head = id;
	}
	*ret_types = t;
	return 0;
}

void vm_core_types_done(struct vm_core_types *t)
{
	vm_btf_done(&t->btf);
	free(t->heads);
	free(t->next);
	*t = (struct vm_core_types){0};
}

/* ---- a place in a type ---- */
struct part {
	uint32_t type; /* member: the struct; else what the index counts */
	uint32_t index;
	const char *name; /* NULL: an element */
};

struct place {
	const struct vm_btf *btf;
	uint64_t *steps;
	uint32_t root;
	struct part parts[VM_CORE_PARTS_MAX]; /* members without a name are none */
	uint32_t part_count;
	uint64_t bits; /* offset */
};

static uint32_t member_bits_at(const struct vm_btf_type *t, const struct vm_btf_member *m)
{
	return t->flag ? BTF_MEMBER_BIT_OFFSET(m->bit_offset) : m->bit_offset;
}

static bool is_composite(uint32_t kind)
{
	return kind == BTF_KIND_STRUCT || kind == BTF_KIND_UNION;
}

static bool is_enum(uint32_t kind)
{
	return kind == BTF_KIND_ENUM || kind == BTF_KIND_ENUM64;
}

static bool add_part(struct place *p, uint32_t type, uint32_t index, const char *name)
{
	if (p->part_count == VM_CORE_PARTS_MAX)
		return false;
	p->parts[p->part_count++] = (struct part){type, index, name};
	return true;
}

static bool add_element(struct place *p, uint32_t type, uint32_t index)
{
	uint32_t bytes;

	if (!vm_btf_size(p->btf, type, &bytes) || !add_part(p, type, index, NULL))
		return false;
	p->bits += 8ull * bytes * index;
	return true;
}

/* An array at a struct's end may be longer than it says: of 0 elements, or of 1. */
static bool is_open_array(const struct vm_btf *b, const struct part *last, const struct vm_btf_type *array)
{
	struct vm_btf_type t;

	if (!last->name || vm_btf_array(array).nelems > 1)
		return false;
	t = vm_btf_type(b, last->type);
	return last->index + 1 == t.count;
}

/* The element of an array; *type becomes its type. */
static bool enter_array(struct place *p, const struct vm_btf_type *array, uint32_t index, uint32_t *type)
{
	if (index >= vm_btf_array(array).nelems && !is_open_array(p->btf, &p->parts[p->part_count - 1], array))
		return false;
	*type = vm_btf_plain_id(p->btf, vm_btf_array(array).type);
	return add_element(p, *type, index);
}

static bool next_index(const char **text, uint32_t *ret_index)
{
	char *end;
	unsigned long long number = strtoull(*text, &end, 10);

	if (end == *text || number > INT32_MAX || (*end && *end != ':') || (*end == ':' && !end[1]))
		return false;
	*text = *end ? end + 1 : end;
	*ret_index = (uint32_t)number;
	return true;
}

/* What the compiler meant. */
static bool read_place(const struct vm_btf *b, const struct vm_core_request *request, struct place *ret_place)
{
	const char *text = request->access;
	uint32_t type = vm_btf_plain_id(b, request->type), index;

	*ret_place = (struct place){.btf = b, .steps = request->steps, .root = request->type};
	if (!next_index(&text, &index) || !add_element(ret_place, type, index))
		return false;
	while (*text) {
		struct vm_btf_type t = vm_btf_type(b, type);
		struct vm_btf_member m;

		if (!next_index(&text, &index))
			return false;
		if (t.kind == BTF_KIND_ARRAY) {
			if (!enter_array(ret_place, &t, index, &type))
				return false;
			continue;
		}
		if (!is_composite(t.kind) || index >= t.count)
			return false;
		m = vm_btf_member(b, &t, index);
		if (*m.name && !add_part(ret_place, type, index, m.name))
			return false;
		ret_place->bits += member_bits_at(&t, &m);
		type = vm_btf_plain_id(b, m.type);
	}
	return true;
}

/* ---- the same place in a kernel's type ---- */
/* A member of that name in t, also in what has no name in it. *type: from the struct to the member's type. */
static bool enter_member(const struct place *local, const struct part *wanted, struct place *p, uint32_t *type,
                         int depth)
{
	struct vm_btf_type t = vm_btf_type(p->btf, *type);

	if (!depth || !is_composite(t.kind))
		return false;
	for (uint32_t i = 0; i < t.count && vm_core_step(p->steps); i++) {
		struct vm_btf_member m = vm_btf_member(p->btf, &t, i);
		uint32_t inner = vm_btf_plain_id(p->btf, m.type);

		if (!*m.name) {
			uint64_t before = p->bits;

			p->bits += member_bits_at(&t, &m);
			if (enter_member(local, wanted, p, &inner, depth - 1)) {
				*type = inner;
				return true;
			}
			p->bits = before;
		} else if (strcmp(m.name, wanted->name) == 0) {
			struct vm_btf_type owner = vm_btf_type(local->btf, wanted->type);
			struct vm_btf_member asked = vm_btf_member(local->btf, &owner, wanted->index);

			if (!vm_core_fields_compatible(local->btf, asked.type, p->btf, m.type) ||
			    !add_part(p, *type, i, m.name))
				return false;
			p->bits += member_bits_at(&t, &m);
			*type = inner;
			return true;
		}
	}
	return false;
}

static bool find_place(const struct place *local, const struct vm_btf *kernel, uint32_t root, struct place *ret_place)
{
	uint32_t type = vm_btf_plain_id(kernel, root);

	*ret_place = (struct place){.btf = kernel, .steps = local->steps, .root = root};
	if (!vm_core_fields_compatible(local->btf, local->root, kernel, root) ||
	    !add_element(ret_place, type, local->parts[0].index))
		return false;
	for (uint32_t i = 1; i < local->part_count; i++) {
		const struct part *wanted = &local->parts[i];
		struct vm_btf_type t = vm_btf_type(kernel, type);

		if (wanted->name) {
			if (!enter_member(local, wanted, ret_place, &type, NESTED_MAX))
				return false;
		} else if (t.kind != BTF_KIND_ARRAY || !enter_array(ret_place, &t, wanted->index, &type)) {
			return false;
		}
	}
	return true;
}

/* ---- its numbers ---- */
struct number {
	uint64_t value;
	uint32_t bytes, type; /* of the field, for an offset; 0: none */
	bool checked;
};

struct field {
	uint32_t type, bytes;
	uint64_t offset; /* of the bytes that hold it */
	uint64_t bits_at, bits;
	bool bitfield;
};

/* A bit field lies in as many aligned bytes of its type, or in twice as many ... */
static bool widen(struct field *f, uint32_t type_bytes)
{
	uint64_t bytes = type_bytes;

	if (!bytes || bytes > 8)
		return false;
	f->offset = f->bits_at / 8 / bytes * bytes;
	while (f->bits_at + f->bits > (f->offset + bytes) * 8) {
		bytes *= 2;
		if (bytes > 8)
			return false;
		f->offset = f->bits_at / 8 / bytes * bytes;
	}
	f->bytes = (uint32_t)bytes;
	return true;
}

static bool read_field(const struct place *p, struct field *ret_field)
{
	const struct part *last = &p->parts[p->part_count - 1];
	struct field f = {.type = last->type, .bits_at = p->bits, .offset = p->bits / 8};
	struct vm_btf_type owner, plain;
	struct vm_btf_member m;

	if (last->name) {
		owner = vm_btf_type(p->btf, last->type);
		m = vm_btf_member(p->btf, &owner, last->index);
		f.type = vm_btf_plain_id(p->btf, m.type);
		f.bits = owner.flag ? BTF_MEMBER_BITFIELD_SIZE(m.bit_offset) : 0;
		f.bitfield = f.bits > 0;
	}
	plain = vm_btf_type(p->btf, f.type);
	if (f.bitfield && !widen(&f, plain.size))
		return false;
	if (!f.bitfield) {
		if (!vm_btf_size(p->btf, f.type, &f.bytes))
			return false;
		f.bits = 8ull * f.bytes;
	}
	*ret_field = f;
	return true;
}

static bool is_signed(const struct vm_btf *b, uint32_t type)
{
	struct vm_btf_type t = vm_btf_type(b, type);

	if (is_enum(t.kind))
		return t.flag;
	return t.kind == BTF_KIND_INT && BTF_INT_ENCODING(vm_btf_integer(&t)) & BTF_INT_SIGNED;
}

/* What an instruction loads of an array is one of its elements. */
static uint32_t element_type(const struct vm_btf *b, uint32_t type)
{
	struct vm_btf_type t = vm_btf_plain_type(b, type);

	for (int depth = 0; t.kind == BTF_KIND_ARRAY && depth < VM_BTF_DEPTH_MAX; depth++) {
		type = vm_btf_plain_id(b, vm_btf_array(&t).type);
		t = vm_btf_type(b, type);
	}
	return type;
}

static bool field_number(const struct place *p, uint32_t kind, struct number *ret_number)
{
	struct field f;

	if (!read_field(p, &f) || (!p->parts[p->part_count - 1].name && kind != BPF_CORE_FIELD_BYTE_OFFSET &&
	                           kind != BPF_CORE_FIELD_BYTE_SIZE))
		return false;
	*ret_number = (struct number){.checked = !f.bitfield};
	switch (kind) {
	case BPF_CORE_FIELD_BYTE_OFFSET:
		ret_number->value = f.offset;
		ret_number->type = element_type(p->btf, f.type);
		if (!f.bitfield && !vm_btf_size(p->btf, ret_number->type, &ret_number->bytes))
			return false;
		return true;
	case BPF_CORE_FIELD_BYTE_SIZE:
		ret_number->value = f.bytes;
		return true;
	case BPF_CORE_FIELD_SIGNED:
		ret_number->value = is_signed(p->btf, f.type);
		ret_number->checked = true;
		return true;
	case BPF_CORE_FIELD_LSHIFT_U64: /* objects and kernels are little-endian here */
		ret_number->value = 64 - (f.bits_at + f.bits - f.offset * 8);
		return true;
	case BPF_CORE_FIELD_RSHIFT_U64:
		ret_number->value = 64 - f.bits;
		ret_number->checked = true;
		return true;
	default:
		return false;
	}
}

/* ---- fields ---- */
/* Plain numbers without a sign, and addresses, may be read as what they are in the kernel. */
static bool may_resize(const struct place *local, uint32_t a_id, const struct place *kernel, uint32_t b_id)
{
	struct vm_btf_type a = vm_btf_type(local->btf, a_id), b = vm_btf_type(kernel->btf, b_id);

	if (a.kind == BTF_KIND_PTR && b.kind == BTF_KIND_PTR)
		return true;
	return a.kind == BTF_KIND_INT && b.kind == BTF_KIND_INT && !is_signed(local->btf, a_id) &&
	       !is_signed(kernel->btf, b_id);
}

static enum vm_core_problem answer_field(const struct place *local, const struct place *kernel, uint32_t kind,
                                         struct vm_core_answer *a)
{
	struct number before, after;

	if (kind == BPF_CORE_FIELD_EXISTS) {
		*a = (struct vm_core_answer){.checked = true, .before = 1, .after = kernel != NULL};
		return VM_CORE_ANSWERED;
	}
	if (!field_number(local, kind, &before))
		return VM_CORE_NOT_A_NUMBER;
	*a = (struct vm_core_answer){.checked = before.checked, .before = before.value};
	a->poison = !kernel;
	if (!kernel)
		return VM_CORE_ANSWERED;
	if (!field_number(kernel, kind, &after))
		return VM_CORE_NOT_A_NUMBER;
	a->after = after.value;
	if (kind != BPF_CORE_FIELD_BYTE_OFFSET || before.bytes == after.bytes)
		return VM_CORE_ANSWERED;
	a->bytes_before = before.bytes;
	a->bytes_after = after.bytes;
	a->other_size = !may_resize(local, before.type, kernel, after.type);
	return VM_CORE_ANSWERED;
}

/* ---- enumerators ---- */
static uint64_t enumerator_value(const struct vm_btf_type *t, uint32_t index)
{
	uint64_t value = vm_btf_enumerator(t, index);

	return t->kind == BTF_KIND_ENUM ? (uint64_t)(int32_t)(uint32_t)value : value;
}

static bool find_enumerator(const struct vm_btf *b, uint32_t id, const char *name, uint64_t *steps, uint64_t *ret_value)
{
	struct vm_btf_type t = vm_btf_plain_type(b, id);

	for (uint32_t i = 0; is_enum(t.kind) && i < t.count && vm_core_step(steps); i++) {
		if (!vm_core_same_name(vm_btf_enumerator_name(b, &t, i), name))
			continue;
		*ret_value = enumerator_value(&t, i);
		return true;
	}
	return false;
}

/* ---- candidates: all types of the kernel with that name and kind ---- */
struct question {
	const struct vm_btf *local;
	const struct vm_core_types *kernel;
	const struct vm_core_request *request;
	struct place place;     /* of a field */
	const char *enumerator; /* of an enum */
	uint64_t before;        /* the enumerator's value, or the type's size */
	uint64_t bits;          /* where the first candidate has the field */
};

static bool is_field(uint32_t kind)
{
	return kind <= BPF_CORE_FIELD_RSHIFT_U64;
}

static bool is_enumerator(uint32_t kind)
{
	return kind == BPF_CORE_ENUMVAL_EXISTS || kind == BPF_CORE_ENUMVAL_VALUE;
}

/* What the answer is if nothing corresponds. */
static enum vm_core_problem answer_nothing(const struct question *q, struct vm_core_answer *a)
{
	uint32_t kind = q->request->kind;

	if (is_field(kind))
		return answer_field(&q->place, NULL, kind, a);
	*a = (struct vm_core_answer){
	        .checked = kind != BPF_CORE_TYPE_ID_TARGET,
	        .before = kind == BPF_CORE_ENUMVAL_VALUE || kind == BPF_CORE_TYPE_SIZE ? q->before : 1,
	        .poison = kind == BPF_CORE_ENUMVAL_VALUE,
	};
	return VM_CORE_ANSWERED;
}

static enum vm_core_problem answer_type(const struct question *q, uint32_t candidate, struct vm_core_answer *a,
                                        bool *ret_found)
{
	const struct vm_btf *kernel = &q->kernel->btf;
	uint32_t kind = q->request->kind, bytes = 0;

	*ret_found = kind == BPF_CORE_TYPE_MATCHES
	                     ? vm_core_matches(q->local, q->request->type, kernel, candidate, q->request->steps)
	                     : vm_core_compatible(q->local, q->request->type, kernel, candidate, q->request->steps);
	answer_nothing(q, a);
	if (!*ret_found)
		return VM_CORE_ANSWERED;
	if (kind == BPF_CORE_TYPE_SIZE && !vm_btf_size(kernel, candidate, &bytes))
		return VM_CORE_NOT_A_NUMBER;
	a->after = kind == BPF_CORE_TYPE_SIZE ? bytes : kind == BPF_CORE_TYPE_ID_TARGET ? candidate : 1;
	return VM_CORE_ANSWERED;
}

static enum vm_core_problem answer_candidate(struct question *q, uint32_t candidate, struct vm_core_answer *a,
                                             bool *ret_found)
{
	uint32_t kind = q->request->kind;
	struct place place;
	uint64_t value = 0;

	if (is_field(kind)) {
		*ret_found = find_place(&q->place, &q->kernel->btf, candidate, &place);
		q->bits = place.bits;
		return *ret_found ? answer_field(&q->place, &place, kind, a) : VM_CORE_ANSWERED;
	}
	if (!is_enumerator(kind))
		return answer_type(q, candidate, a, ret_found);
	*ret_found = find_enumerator(&q->kernel->btf, candidate, q->enumerator, q->request->steps, &value);
	answer_nothing(q, a);
	a->poison = false;
	a->after = kind == BPF_CORE_ENUMVAL_EXISTS ? 1 : value;
	return VM_CORE_ANSWERED;
}

static bool is_candidate(const struct question *q, uint32_t id)
{
	struct vm_btf_type wanted = vm_btf_type(q->local, q->request->type), t = vm_btf_type(&q->kernel->btf, id);

	return vm_core_same_kind(wanted.kind, t.kind) && vm_core_same_name(wanted.name, t.name);
}

static enum vm_core_problem ask_candidates(struct question *q, struct vm_core_answer *ret_answer)
{
	const char *name = vm_btf_type(q->local, q->request->type).name;
	uint32_t id = q->kernel->heads[hash(name, vm_core_name_length(name)) & q->kernel->mask];
	struct vm_core_answer first = {0};
	bool any = false;
	uint64_t bits = 0;

	for (; id; id = q->kernel->next[id]) {
		struct vm_core_answer a = {0};
		enum vm_core_problem problem;
		bool found = false;

		if (!vm_core_step(q->request->steps))
			break;
		if (!is_candidate(q, id))
			continue;
		problem = answer_candidate(q, id, &a, &found);
		if (problem != VM_CORE_ANSWERED)
			return problem;
		if (found && any && (a.after != first.after || a.poison != first.poison || q->bits != bits))
			return VM_CORE_AMBIGUOUS;
		if (!found || any)
			continue;
		any = true;
		first = a;
		bits = q->bits;
	}
	if (!any)
		return answer_nothing(q, ret_answer);
	*ret_answer = first;
	return VM_CORE_ANSWERED;
}

/* ---- asking ---- */
static enum vm_core_problem prepare(struct question *q)
{
	const char *text = q->request->access;
	struct vm_btf_type t = vm_btf_plain_type(q->local, q->request->type);
	uint32_t index, bytes = 0;

	if (is_field(q->request->kind))
		return read_place(q->local, q->request, &q->place) ? VM_CORE_ANSWERED : VM_CORE_BAD_ACCESS;
	if (!next_index(&text, &index) || *text)
		return VM_CORE_BAD_ACCESS;
	if (is_enumerator(q->request->kind)) {
		if (!is_enum(t.kind) || index >= t.count)
			return VM_CORE_BAD_ACCESS;
		q->enumerator = vm_btf_enumerator_name(q->local, &t, index);
		q->before = enumerator_value(&t, index);
		return VM_CORE_ANSWERED;
	}
	if (index)
		return VM_CORE_BAD_ACCESS;
	if (q->request->kind == BPF_CORE_TYPE_SIZE && !vm_btf_size(q->local, q->request->type, &bytes))
		return VM_CORE_NOT_A_NUMBER;
	q->before = bytes;
	return VM_CORE_ANSWERED;
}

enum vm_core_problem vm_core_ask(const struct vm_btf *local, const struct vm_core_types *kernel,
                                 const struct vm_core_request *request, struct vm_core_answer *ret_answer)
{
	struct question q = {.local = local, .kernel = kernel, .request = request};
	enum vm_core_problem problem = prepare(&q);

	if (problem != VM_CORE_ANSWERED)
		return problem;
	if (request->kind == BPF_CORE_TYPE_ID_LOCAL) {
		*ret_answer = (struct vm_core_answer){.before = request->type, .after = request->type};
		return VM_CORE_ANSWERED;
	}
	if (!*vm_btf_type(local, request->type).name)
		return VM_CORE_BAD_ACCESS;
	problem = ask_candidates(&q, ret_answer);
	return *request->steps ? problem : VM_CORE_TOO_LONG;
}
