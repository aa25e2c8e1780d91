/* SPDX-License-Identifier: Apache-2.0
 *
 * What a map's value holds besides numbers: locks, timers, pointers to the kernel's objects, roots of lists and trees. The
 * object's own types say so: those of the map's definition, and those of the variables in a section of data.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "verify/types_int.h"
#include "vm/image.h"

#define SPECIALS_MAX 32 /* of one value; the kernel has a smaller limit */
#define STEPS_MAX 4096  /* structs in structs that are looked at, of one variable */

struct verify_specials {
	bool wrong; /* more than can be, of all or of one kind */
	size_t count;
	struct verify_special list[SPECIALS_MAX];
};

struct search {
	const struct vm_btf *btf;
	struct verify_specials *found;
	unsigned steps;
	bool *empty; /* by type: it was looked at, and none is in it */
};

/* A value has at most one. */
static bool is_single(enum verify_special_kind kind)
{
	return kind == SPECIAL_SPIN_LOCK || kind == SPECIAL_RES_SPIN_LOCK || kind == SPECIAL_TIMER ||
	       kind == SPECIAL_WORKQUEUE || kind == SPECIAL_TASK_WORK || kind == SPECIAL_REFCOUNT;
}

static void add(struct search *s, struct verify_special special)
{
	struct verify_specials *f = s->found;

	for (size_t i = 0; is_single(special.kind) && i < f->count; i++)
		f->wrong |= f->list[i].kind == special.kind;
	if (f->count == SPECIALS_MAX)
		f->wrong = true;
	else
		f->list[f->count++] = special;
}

static const struct {
	const char *name;
	enum verify_special_kind kind;
} structs[] = {
        {"bpf_spin_lock", SPECIAL_SPIN_LOCK}, {"bpf_res_spin_lock", SPECIAL_RES_SPIN_LOCK},
        {"bpf_timer", SPECIAL_TIMER},         {"bpf_wq", SPECIAL_WORKQUEUE},
        {"bpf_task_work", SPECIAL_TASK_WORK}, {"bpf_list_head", SPECIAL_LIST_HEAD},
        {"bpf_list_node", SPECIAL_LIST_NODE}, {"bpf_rb_root", SPECIAL_RB_ROOT},
        {"bpf_rb_node", SPECIAL_RB_NODE},     {"bpf_refcount", SPECIAL_REFCOUNT},
};

static bool special_struct(const char *name, enum verify_special_kind *ret_kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(structs); i++)
		if (!strcmp(structs[i].name, name)) {
			*ret_kind = structs[i].kind;
			return true;
		}
	return false;
}

/* The tag right behind a pointer says what the kernel keeps in it. */
static bool special_pointer(const struct vm_btf *b, const struct vm_btf_type *pointer,
                            struct verify_special *ret_special)
{
	static const struct {
		const char *tag;
		enum verify_special_kind kind;
	} tags[] = {
	        {"kptr", SPECIAL_KPTR},
	        {"kptr_untrusted", SPECIAL_KPTR_UNTRUSTED},
	        {"percpu_kptr", SPECIAL_KPTR_PERCPU},
	        {"uptr", SPECIAL_UPTR},
	};
	struct vm_btf_type tag = vm_btf_type(b, pointer->type);

	if (tag.kind != BTF_KIND_TYPE_TAG || vm_btf_plain_type(b, tag.type).kind != BTF_KIND_STRUCT)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(tags); i++)
		if (!strcmp(tag.name, tags[i].tag)) {
			ret_special->kind = tags[i].kind;
			ret_special->type = vm_btf_plain_type(b, tag.type).name;
			ret_special->local = vm_btf_plain_id(b, tag.type);
			return true;
		}
	return false;
}

static void search_type(struct search *s, uint32_t type, uint32_t at, int depth);

static void search_array(struct search *s, const struct vm_btf_type *t, uint32_t at, int depth)
{
	struct btf_array a = vm_btf_array(t);
	size_t before = s->found->count;
	uint32_t size;

	if (!a.nelems || !vm_btf_size(s->btf, a.type, &size))
		return;
	search_type(s, a.type, at, depth + 1);
	for (uint32_t i = 1; s->found->count > before && i < a.nelems && !s->found->wrong; i++)
		search_type(s, a.type, at + i * size, depth + 1);
}

static void search_struct(struct search *s, const struct vm_btf_type *t, uint32_t at, int depth)
{
	for (uint32_t i = 0; i < t->count && !s->found->wrong; i++) {
		struct vm_btf_member m = vm_btf_member(s->btf, t, i);
		uint32_t bit = t->flag ? BTF_MEMBER_BIT_OFFSET(m.bit_offset) : m.bit_offset;

		search_type(s, m.type, at + bit / 8, depth + 1);
	}
}

static void search_type(struct search *s, uint32_t type, uint32_t at, int depth)
{
	const uint32_t id = vm_btf_plain_id(s->btf, type);
	const size_t before = s->found->count;
	struct vm_btf_type t = vm_btf_type(s->btf, id);
	struct verify_special special = {.offset = at};

	if (s->empty[id])
		return;
	if (depth == VM_BTF_DEPTH_MAX || ++s->steps > STEPS_MAX) {
		s->found->wrong = true;
		return;
	}
	if (t.kind == BTF_KIND_PTR && special_pointer(s->btf, &t, &special)) {
		special.size = sizeof(uint64_t);
		add(s, special);
	} else if (t.kind == BTF_KIND_ARRAY) {
		search_array(s, &t, at, depth);
	} else if (t.kind == BTF_KIND_STRUCT && special_struct(t.name, &special.kind)) {
		special.size = t.size;
		add(s, special);
	} else if (t.kind == BTF_KIND_STRUCT) {
		search_struct(s, &t, at, depth);
	}
	s->empty[id] = s->found->count == before && !s->found->wrong;
}

/* ---- where a map's types are ---- */

static bool section_find(const struct vm_btf *b, const char *name, struct vm_btf_type *ret_section)
{
	for (uint32_t id = 1; id <= b->type_count; id++) {
		*ret_section = vm_btf_type(b, id);
		if (ret_section->kind == BTF_KIND_DATASEC && !strcmp(ret_section->name, name))
			return true;
	}
	return false;
}

static uint32_t member_type(const struct vm_btf *b, const struct vm_btf_type *t, const char *name)
{
	for (uint32_t i = 0; t->kind == BTF_KIND_STRUCT && i < t->count; i++) {
		struct vm_btf_member m = vm_btf_member(b, t, i);
		if (!strcmp(m.name, name))
			return m.type;
	}
	return 0;
}

/* __array(values, T): T *values[] */
static struct vm_btf_type inner_definition(const struct vm_btf *b, const struct vm_btf_type *outer)
{
	struct vm_btf_type t = vm_btf_plain_type(b, member_type(b, outer, "values"));

	if (t.kind == BTF_KIND_ARRAY)
		t = vm_btf_plain_type(b, vm_btf_array(&t).type);
	return t.kind == BTF_KIND_PTR ? vm_btf_plain_type(b, t.type) : t;
}

/* __type(value, T): T *value. 0: only its size is said. */
static uint32_t defined_value(const struct vm_btf *b, const char *map, bool inner)
{
	struct vm_btf_type section, t;

	if (!section_find(b, ".maps", &section))
		return 0;
	for (uint32_t i = 0; i < section.count; i++) {
		struct vm_btf_type variable = vm_btf_type(b, vm_btf_variable(&section, i).type);

		if (strcmp(variable.name, map) != 0)
			continue;
		t = vm_btf_plain_type(b, variable.type);
		if (inner)
			t = inner_definition(b, &t);
		t = vm_btf_plain_type(b, member_type(b, &t, "value"));
		return t.kind == BTF_KIND_PTR ? t.type : 0;
	}
	return 0;
}

static int search_map(const struct verify *v, uint32_t object, struct verify_specials *found)
{
	const struct picket_image *image = v->program->image;
	const uint32_t index = object & ~VERIFY_MAP_INNER;
	_cleanup_(base_free_ptr) bool *empty = calloc((size_t)image->btf.type_count + 1, sizeof(*empty));
	struct search s = {.btf = &image->btf, .found = found, .empty = empty};
	struct vm_btf_type section;

	if (!empty)
		return -ENOMEM;
	if (index >= image->map_count)
		return 0;
	if (image->maps[index].origin != VM_IMAGE_DATA) {
		search_type(&s, defined_value(s.btf, image->maps[index].name, object & VERIFY_MAP_INNER), 0, 0);
		return 0;
	}
	if (!section_find(s.btf, image->maps[index].name, &section))
		return 0;
	for (uint32_t i = 0; i < section.count && !found->wrong; i++) {
		struct vm_btf_variable variable = vm_btf_variable(&section, i);

		s.steps = 0;
		search_type(&s, vm_btf_type(s.btf, variable.type).type, variable.offset, 0);
	}
	return 0;
}

/* Inner maps stand behind the others. */
static struct verify_specials *specials_of(struct verify *v, uint32_t object)
{
	const size_t count = v->map_count, at = (object & ~VERIFY_MAP_INNER) + (object & VERIFY_MAP_INNER ? count : 0);
	struct verify_specials *s;

	if (!v->specials)
		v->specials = calloc(2 * count, sizeof(*v->specials));
	if (!v->specials)
		return NULL;
	s = v->specials[at];
	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (s && search_map(v, object, s)) {
		free(s);
		return NULL;
	}
	v->specials[at] = s;
	return s;
}

int verify_specials_find(struct verify *v, uint32_t object, const struct verify_special **ret_specials,
                         size_t *ret_count)
{
	struct verify_specials *s;

	*ret_specials = NULL;
	*ret_count = 0;
	if (!v->program->image || !v->program->image->btf.type_count)
		return 0;
	s = specials_of(v, object);
	if (!s)
		return -ENOMEM;
	if (s->wrong)
		return verify_reject(v, PICKET_REJECT_MAP, NULL, "use fewer locks, timers and pointers in one value",
		                     "map %s holds more of the kernel's own objects than can be",
		                     verify_map(v, object)->name);
	*ret_specials = s->list;
	*ret_count = s->count;
	return 0;
}

void verify_specials_free(struct verify *v)
{
	for (size_t i = 0; v->specials && i < 2 * v->map_count; i++)
		free(v->specials[i]);
	free(v->specials);
}
