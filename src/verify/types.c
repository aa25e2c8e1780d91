/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "verify/types_int.h"
#include "vm/btf_int.h"

#define STEPS_MAX 65536 /* of one walk through structs in structs; unions in unions could branch without end */
#define SAFE_MAX 64
#define FOUND_MAX 128
#define NAME_MAX_BYTES 128
#define POINTER_BYTES 8
#define ERRNO_MAX 4095

/* One of the structs whose fields say what may be trusted in another one. */
struct safe {
	uint32_t type;
	uint16_t name_length; /* of the other's */
	bool trusted, maybe_null;
};

/* Names are looked for again and again: by each load from a context, each helper with a typed argument. */
struct found {
	char name[NAME_MAX_BYTES];
	uint32_t kinds, type;
};

struct memory_of_names {
	struct found entries[FOUND_MAX];
	unsigned next;
};

/* What is known of a kernel's types once it was asked for: a kernel has 100,000 of them, and to check them all takes longer
 * than most programs, which never ask. */
struct opened {
	bool tried, usable;
	struct vm_btf btf;
	struct safe safe[SAFE_MAX];
	size_t safe_count;
	struct memory_of_names names;
};

struct verify_types {
	struct vm_elf_section section;
	struct opened *opened; /* what is behind it changes, the types do not */
};

#define KIND_BIT(kind) (1u << (kind))
#define OBJECT_KINDS (KIND_BIT(BTF_KIND_STRUCT) | KIND_BIT(BTF_KIND_UNION))

/* ---- opening ---- */

static void note_safe(struct opened *t, uint32_t id, const char *name)
{
	static const struct {
		const char *suffix;
		bool trusted, maybe_null;
	} suffixes[] = {
	        {"__safe_trusted", true, false},
	        {"__safe_trusted_or_null", true, true},
	        {"__safe_rcu", false, false},
	        {"__safe_rcu_or_null", false, true},
	};
	const char *suffix = memmem(name, strnlen(name, NAME_MAX_BYTES), "__safe_", strlen("__safe_"));

	if (!suffix || t->safe_count == SAFE_MAX)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
		if (!strcmp(suffix, suffixes[i].suffix))
			t->safe[t->safe_count++] = (struct safe){id, (uint16_t)(suffix - name), suffixes[i].trusted,
			                                         suffixes[i].maybe_null};
}

int verify_types_open(const void *btf, size_t length, struct verify_types **ret_types, struct picket_error *reterr)
{
	struct verify_types *t;
	uint16_t magic = 0;

	if (length >= sizeof(struct btf_header))
		memcpy(&magic, btf, sizeof(magic));
	if (magic != BTF_MAGIC)
		return vm_elf_error(reterr, "BTF", 0, "does not begin as BTF does");
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->section = (struct vm_elf_section){.name = "BTF", .data = btf, .size = length};
	t->opened = calloc(1, sizeof(*t->opened));
	if (!t->opened) {
		verify_types_free(t);
		return -ENOMEM;
	}
	*ret_types = t;
	return 0;
}

/* NULL: nothing is known. */
static struct opened *types_opened(const struct verify_types *types)
{
	struct opened *o = types ? types->opened : NULL;

	if (!o || o->tried)
		return o && o->usable ? o : NULL;
	o->tried = true;
	if (vm_btf_open(&types->section, &o->btf, NULL))
		return NULL;
	for (uint32_t id = 1; id <= o->btf.type_count; id++) {
		struct vm_btf_type type = vm_btf_type(&o->btf, id);

		if (type.kind == BTF_KIND_STRUCT)
			note_safe(o, id, type.name);
	}
	o->usable = true;
	return o;
}

void verify_types_free(struct verify_types *types)
{
	if (!types)
		return;
	if (types->opened)
		vm_btf_done(&types->opened->btf);
	free(types->opened);
	free(types);
}

/* ---- names ---- */

static uint32_t search(const struct vm_btf *b, const char *name, uint32_t kinds)
{
	for (uint32_t id = 1; id <= b->type_count; id++) {
		struct vm_btf_type t = vm_btf_type(b, id);

		if (kinds >> t.kind & 1 && !strcmp(t.name, name))
			return id;
	}
	return 0;
}

/* 0: there is none. */
static uint32_t type_named(struct opened *types, const char *name, uint32_t kinds)
{
	struct memory_of_names *names = &types->names;
	struct found *f;

	if (strlen(name) >= NAME_MAX_BYTES)
		return search(&types->btf, name, kinds);
	for (size_t i = 0; i < FOUND_MAX; i++)
		if (names->entries[i].kinds == kinds && !strcmp(names->entries[i].name, name))
			return names->entries[i].type;
	f = &names->entries[names->next++ % FOUND_MAX];
	memcpy(f->name, name, strlen(name) + 1);
	f->kinds = kinds;
	f->type = search(&types->btf, name, kinds);
	return f->type;
}

bool verify_types_by_name(const struct verify_types *types, const char *name, uint32_t *ret_type)
{
	struct opened *o = types_opened(types);
	uint32_t type = o ? type_named(o, name, OBJECT_KINDS) : 0;

	if (!type)
		return false;
	*ret_type = type;
	return true;
}

const char *verify_types_name(const struct verify_types *types, uint32_t type)
{
	const struct opened *o = types_opened(types);

	return o && type <= o->btf.type_count ? vm_btf_type(&o->btf, type).name : "";
}

uint32_t verify_types_bytes(const struct verify_types *types, uint32_t type)
{
	const struct opened *o = types_opened(types);
	uint32_t bytes;

	return o && type && type <= o->btf.type_count && vm_btf_size(&o->btf, type, &bytes) ? bytes : 0;
}

/* ---- types ---- */

/* What the modifiers around a type say. */
struct tags {
	bool rcu, user, percpu;
};

/* Without const, volatile, restrict, typedef and tags; 0: void, or too deep. */
static uint32_t plain_id(const struct vm_btf *b, uint32_t id, struct tags *tags)
{
	for (int depth = 0; depth < VM_BTF_DEPTH_MAX; depth++) {
		struct vm_btf_type t = vm_btf_type(b, id);

		switch (t.kind) {
		case BTF_KIND_TYPE_TAG:
			if (tags && !strcmp(t.name, "rcu"))
				tags->rcu = true;
			if (tags && !strcmp(t.name, "user"))
				tags->user = true;
			if (tags && !strcmp(t.name, "percpu"))
				tags->percpu = true;
			break;
		case BTF_KIND_CONST:
		case BTF_KIND_VOLATILE:
		case BTF_KIND_RESTRICT:
		case BTF_KIND_TYPEDEF:
			break;
		default:
			return id;
		}
		id = t.type;
	}
	return 0;
}

static bool is_object(const struct vm_btf *b, uint32_t id)
{
	return OBJECT_KINDS >> vm_btf_type(b, id).kind & 1;
}

/* What a value of a type is; not yet whether it is trusted. */
static struct verify_type_field describe(const struct vm_btf *b, uint32_t id)
{
	struct verify_type_field f = {.what = TYPE_FIELD_NUMBER};
	struct vm_btf_type t = vm_btf_type(b, plain_id(b, id, NULL));
	struct tags tags = {0};
	uint32_t to;

	if (t.kind != BTF_KIND_PTR)
		return f;
	to = plain_id(b, t.type, &tags);
	if (tags.user || !is_object(b, to)) {
		f.what = TYPE_FIELD_OTHER_POINTER;
		return f;
	}
	f.what = TYPE_FIELD_OBJECT;
	f.type = to;
	f.rcu = tags.rcu;
	f.maybe_null = tags.rcu;
	f.percpu = tags.percpu;
	return f;
}

/* ---- what lies at an offset ---- */

struct walk {
	const struct vm_btf *btf;
	uint64_t bytes;
	unsigned steps;
	const char *member; /* that it ended at */
	bool in_union;      /* of several members: which one is there is not known */
	struct verify_type_field field;
};

static bool walk_object(struct walk *w, uint32_t id, uint64_t offset, int depth);
static bool walk_value(struct walk *w, uint32_t type, uint64_t offset, int depth);

struct place {
	uint64_t begin; /* byte */
	uint32_t type;
	const char *name;
	bool bitfield;
};

static struct place member_place(const struct vm_btf *b, const struct vm_btf_type *t, uint32_t index)
{
	struct vm_btf_member m = vm_btf_member(b, t, index);
	uint32_t info, bits = m.bit_offset;
	bool bitfield = false;

	/* The type's second word says whether its members' offsets hold the width of bit-fields, too. */
	memcpy(&info, t->parts - sizeof(struct btf_type) + offsetof(struct btf_type, info), sizeof(info));
	if (BTF_INFO_KFLAG(info)) {
		bitfield = BTF_MEMBER_BITFIELD_SIZE(bits);
		bits = BTF_MEMBER_BIT_OFFSET(bits);
	}
	return (struct place){bits / 8, m.type, m.name, bitfield || bits % 8};
}

static bool walk_plain(struct walk *w, uint32_t type, uint64_t offset, uint32_t size)
{
	w->field = describe(w->btf, type);
	if (w->field.what == TYPE_FIELD_NUMBER)
		return offset + w->bytes <= size;
	return offset == 0 && w->bytes == POINTER_BYTES;
}

/* Numbers of an array may be read several at once. */
static bool walk_array(struct walk *w, uint32_t array, uint32_t element, uint64_t offset, int depth)
{
	const uint32_t id = plain_id(w->btf, element, NULL);
	uint32_t size, all;

	if (!vm_btf_size(w->btf, element, &size) || !size || !vm_btf_size(w->btf, array, &all))
		return false;
	if (vm_btf_type(w->btf, id).kind == BTF_KIND_ARRAY || is_object(w->btf, id) || !all)
		return walk_value(w, element, offset % size, depth + 1);
	w->field = describe(w->btf, element);
	if (w->field.what == TYPE_FIELD_NUMBER)
		return offset + w->bytes <= all;
	return walk_plain(w, element, offset % size, size);
}

/* offset: in something of that type, and inside of it. */
static bool walk_value(struct walk *w, uint32_t type, uint64_t offset, int depth)
{
	uint32_t id = plain_id(w->btf, type, NULL), size;
	struct vm_btf_type t = vm_btf_type(w->btf, id);

	if (depth == VM_BTF_DEPTH_MAX || ++w->steps > STEPS_MAX)
		return false;
	if (t.kind == BTF_KIND_ARRAY)
		return walk_array(w, type, vm_btf_array(&t).type, offset, depth);
	if (is_object(w->btf, id))
		return walk_object(w, id, offset, depth + 1);
	return vm_btf_size(w->btf, type, &size) && walk_plain(w, type, offset, size);
}

static bool walk_member(struct walk *w, struct place p, uint64_t offset, int depth)
{
	uint32_t size;

	w->member = p.name;
	if (p.bitfield) {
		w->field = (struct verify_type_field){.what = TYPE_FIELD_NUMBER};
		return true;
	}
	if (!vm_btf_size(w->btf, p.type, &size) || offset - p.begin >= size)
		return false;
	return walk_value(w, p.type, offset - p.begin, depth);
}

/* An array without a length at a struct's end goes on behind it. */
static bool walk_flexible(struct walk *w, const struct vm_btf_type *t, uint64_t offset, int depth)
{
	struct place last;
	struct vm_btf_type type;

	if (t->kind != BTF_KIND_STRUCT || !t->count)
		return false;
	last = member_place(w->btf, t, t->count - 1);
	type = vm_btf_type(w->btf, plain_id(w->btf, last.type, NULL));
	if (type.kind != BTF_KIND_ARRAY || vm_btf_array(&type).nelems || offset < last.begin)
		return false;
	w->member = last.name;
	return walk_value(w, last.type, offset - last.begin, depth);
}

static bool walk_object(struct walk *w, uint32_t id, uint64_t offset, int depth)
{
	struct vm_btf_type t = vm_btf_type(w->btf, id);
	struct place at = {0};
	bool any = false;

	w->steps += t.count;
	if (w->steps > STEPS_MAX)
		return false;
	if (offset + w->bytes > t.size)
		return walk_flexible(w, &t, offset, depth);
	if (t.kind == BTF_KIND_UNION) {
		w->in_union |= t.count > 1;
		for (uint32_t i = 0; i < t.count; i++)
			if (walk_member(w, member_place(w->btf, &t, i), offset, depth))
				return true;
		return false;
	}
	/* The last one that begins there or before: structs do not overlap. */
	for (uint32_t i = 0; i < t.count; i++) {
		struct place p = member_place(w->btf, &t, i);

		if (p.begin > offset)
			break;
		at = p;
		any = true;
	}
	return any && walk_member(w, at, offset, depth);
}

/* Is the field among those of a struct X__safe_...? Both name and type count. */
static const struct safe *safe_field(const struct opened *types, const char *object, const char *member, uint32_t type)
{
	const struct vm_btf *b = &types->btf;

	for (size_t i = 0; i < types->safe_count; i++) {
		struct vm_btf_type t = vm_btf_type(b, types->safe[i].type);

		if (strlen(object) != types->safe[i].name_length ||
		    memcmp(t.name, object, types->safe[i].name_length) != 0)
			continue;
		for (uint32_t m = 0; m < t.count; m++) {
			struct vm_btf_member field = vm_btf_member(b, &t, m);

			if (!strcmp(field.name, member) && describe(b, field.type).type == type)
				return &types->safe[i];
		}
	}
	return NULL;
}

bool verify_types_field(const struct verify_types *types, uint32_t type, int64_t offset, unsigned bytes,
                        struct verify_type_field *ret_field)
{
	struct walk w = {.bytes = bytes};
	const struct opened *o = types_opened(types);
	const struct safe *safe;

	if (!o || !type || type > o->btf.type_count || offset < 0 || offset > UINT32_MAX || !bytes)
		return false;
	w.btf = &o->btf;
	type = plain_id(w.btf, type, NULL);
	if (!is_object(w.btf, type) || !walk_object(&w, type, (uint64_t)offset, 0))
		return false;
	if (w.field.what == TYPE_FIELD_OBJECT && w.in_union) {
		w.field.rcu = w.field.maybe_null = false;
		w.field.untrusted = true;
	} else if (w.field.what == TYPE_FIELD_OBJECT) {
		safe = safe_field(o, vm_btf_type(w.btf, type).name, w.member, w.field.type);
		if (safe) {
			w.field.trusted = safe->trusted;
			w.field.rcu = !safe->trusted;
			w.field.maybe_null = safe->maybe_null;
		}
	}
	w.field.member = w.member ? w.member : "";
	*ret_field = w.field;
	return true;
}

/* ---- objects in objects ---- */

struct holding {
	const struct vm_btf *btf;
	uint32_t wanted;
	unsigned steps;
};

static bool object_holds(struct holding *h, uint32_t id, uint64_t offset, int depth);

static bool member_holds(struct holding *h, struct place p, uint64_t offset, int depth)
{
	uint32_t size, id = plain_id(h->btf, p.type, NULL);
	struct vm_btf_type t = vm_btf_type(h->btf, id);

	if (p.begin > offset || p.bitfield || !vm_btf_size(h->btf, id, &size) || offset - p.begin >= size)
		return false;
	offset -= p.begin;
	for (int i = 0; t.kind == BTF_KIND_ARRAY && i < VM_BTF_DEPTH_MAX; i++) {
		id = plain_id(h->btf, vm_btf_array(&t).type, NULL);
		if (!vm_btf_size(h->btf, id, &size) || !size)
			return false;
		offset %= size;
		t = vm_btf_type(h->btf, id);
	}
	return object_holds(h, id, offset, depth + 1);
}

static bool object_holds(struct holding *h, uint32_t id, uint64_t offset, int depth)
{
	struct vm_btf_type t = vm_btf_type(h->btf, id);

	h->steps += t.count;
	if (!is_object(h->btf, id) || depth == VM_BTF_DEPTH_MAX || h->steps > STEPS_MAX)
		return false;
	if (id == h->wanted && offset == 0)
		return true;
	for (uint32_t i = 0; i < t.count; i++)
		if (member_holds(h, member_place(h->btf, &t, i), offset, depth))
			return true;
	return false;
}

bool verify_types_holds(const struct verify_types *types, uint32_t type, int64_t offset, uint32_t wanted)
{
	const struct opened *o = types_opened(types);
	struct holding h = {.wanted = wanted};

	if (!o || !type || type > o->btf.type_count || offset < 0)
		return false;
	h.btf = &o->btf;
	return object_holds(&h, plain_id(&o->btf, type, NULL), (uint64_t)offset, 0);
}

bool verify_types_function(const struct verify_types *types, const char *name, bool *ret_known)
{
	struct opened *o = types_opened(types);

	*ret_known = o != NULL;
	return o && type_named(o, name, KIND_BIT(BTF_KIND_FUNC));
}

bool verify_types_variable(const struct verify_types *types, const char *name,
                           struct verify_type_variable *ret_variable)
{
	struct opened *o = types_opened(types);
	uint32_t id = o ? type_named(o, name, KIND_BIT(BTF_KIND_VAR)) : 0;
	struct verify_type_variable v = {.percpu = false};
	uint32_t type;

	if (!id)
		return false;
	type = vm_btf_type(&o->btf, id).type;
	for (uint32_t i = 1; i <= o->btf.type_count && !v.percpu; i++) {
		struct vm_btf_type t = vm_btf_type(&o->btf, i);

		if (t.kind != BTF_KIND_DATASEC || strcmp(t.name, ".data..percpu") != 0)
			continue;
		for (uint32_t k = 0; k < t.count && !v.percpu; k++)
			v.percpu = vm_btf_variable(&t, k).type == id;
	}
	if (!vm_btf_size(&o->btf, type, &v.bytes))
		v.bytes = 0;
	type = plain_id(&o->btf, type, NULL);
	v.object = is_object(&o->btf, type) ? type : 0;
	*ret_variable = v;
	return true;
}

/* ---- hooks ---- */

/* How the kernel names what a program is attached to, and what it says of it. */
static const struct hook_kind {
	enum picket_kind kind;
	const char *prefix;
	uint8_t btf_kind;
	uint8_t skipped; /* arguments that the program does not get */
	bool trusted;    /* its arguments are */
	bool maybe_null; /* all but the first */
	bool returned;   /* behind the arguments is what the function returned */
} hook_kinds[] = {
        {PICKET_KIND_TP_BTF, "btf_trace_", BTF_KIND_TYPEDEF, .skipped = 1, .trusted = true},
        {PICKET_KIND_FENTRY, "", BTF_KIND_FUNC, .trusted = false},
        {PICKET_KIND_FEXIT, "", BTF_KIND_FUNC, .returned = true},
        {PICKET_KIND_FMOD_RET, "", BTF_KIND_FUNC, .returned = true},
        {PICKET_KIND_ITER, "bpf_iter_", BTF_KIND_FUNC, .trusted = true, .maybe_null = true},
        {PICKET_KIND_LSM, "bpf_lsm_", BTF_KIND_FUNC, .trusted = true, .returned = true},
        {PICKET_KIND_LSM_CGROUP, "bpf_lsm_", BTF_KIND_FUNC, .trusted = true},
        {PICKET_KIND_STRUCT_OPS, "", BTF_KIND_STRUCT, .trusted = true},
};

/* Hooks whose objects are not yet, or not any more, what they should be. */
static bool hook_is_untrusted(const char *hook)
{
	static const char *const hooks[] = {"bpf_map_free",       "bpf_prog_free",     "file_alloc_security",
	                                    "file_free_security", "sk_alloc_security", "sk_free_security",
	                                    "task_free"};

	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++)
		if (!strcmp(hooks[i], hook))
			return true;
	return false;
}

static const struct hook_kind *hook_kind_find(enum picket_kind kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(hook_kinds); i++)
		if (hook_kinds[i].kind == kind)
			return &hook_kinds[i];
	return NULL;
}

/* hook: "tcp_congestion_ops.ssthresh", a struct's member that is a pointer to a function. */
static bool entry_prototype(struct opened *types, const char *hook, struct vm_btf_type *ret_prototype)
{
	const struct vm_btf *b = &types->btf;
	const char *dot = strchr(hook, '.');
	char name[NAME_MAX_BYTES];
	struct vm_btf_type t;
	uint32_t id;

	if (!dot || snprintf(name, sizeof(name), "%.*s", (int)(dot - hook), hook) >= (int)sizeof(name))
		return false;
	id = type_named(types, name, KIND_BIT(BTF_KIND_STRUCT));
	t = vm_btf_type(b, id);
	for (uint32_t i = 0; id && i < t.count; i++) {
		struct vm_btf_member m = vm_btf_member(b, &t, i);
		if (strcmp(m.name, dot + 1) != 0)
			continue;
		t = vm_btf_plain_type(b, m.type);
		if (t.kind == BTF_KIND_PTR)
			t = vm_btf_plain_type(b, t.type);
		*ret_prototype = t;
		return t.kind == BTF_KIND_FUNC_PROTO;
	}
	return false;
}

static bool hook_prototype(struct opened *types, const struct hook_kind *k, const char *hook,
                           struct vm_btf_type *ret_prototype)
{
	const struct vm_btf *b = &types->btf;
	char name[NAME_MAX_BYTES];
	struct vm_btf_type t;
	uint32_t id;

	if (k->kind == PICKET_KIND_STRUCT_OPS)
		return entry_prototype(types, hook, ret_prototype);
	if (snprintf(name, sizeof(name), "%s%s", k->prefix, hook) >= (int)sizeof(name))
		return false;
	id = type_named(types, name, KIND_BIT(k->btf_kind));
	if (!id)
		return false;
	t = vm_btf_type(b, plain_id(b, id, NULL));
	if (t.kind == BTF_KIND_PTR || t.kind == BTF_KIND_FUNC)
		t = vm_btf_type(b, plain_id(b, t.type, NULL));
	*ret_prototype = t;
	return t.kind == BTF_KIND_FUNC_PROTO;
}

static uint32_t parameter_type(const struct vm_btf_type *prototype, uint32_t index)
{
	struct btf_param p;

	memcpy(&p, prototype->parts + index * sizeof(p), sizeof(p));
	return p.type;
}

/* The kernel's own functions of a table say by their parameters' names which may be NULL. */
static bool entry_is_nullable(struct opened *types, const char *hook, unsigned index)
{
	const struct vm_btf *b = &types->btf;
	const char *dot = strchr(hook, '.');
	char name[NAME_MAX_BYTES];
	struct vm_btf_type t;
	struct btf_param p;
	const char *text;
	size_t length;

	if (snprintf(name, sizeof(name), "%.*s__%s", (int)(dot - hook), hook, dot + 1) >= (int)sizeof(name))
		return false;
	t = vm_btf_type(b, type_named(types, name, KIND_BIT(BTF_KIND_FUNC)));
	t = t.kind == BTF_KIND_FUNC ? vm_btf_type(b, t.type) : t;
	if (t.kind != BTF_KIND_FUNC_PROTO || index >= t.count)
		return false;
	memcpy(&p, t.parts + index * sizeof(p), sizeof(p));
	text = vm_btf_text(b, p.name_off);
	length = text ? strlen(text) : 0;
	return length >= strlen("__nullable") && !strcmp(text + length - strlen("__nullable"), "__nullable");
}

/* Keys and values of maps that an iterator walks: how long they are is known when it is attached. */
static void buffer_argument(const char *hook, unsigned index, struct verify_type_field *f)
{
	static const struct {
		const char *hook;
		unsigned index;
		bool read_only;
	} buffers[] = {
	        {"bpf_map_elem", 2, true},
	        {"bpf_map_elem", 3, false},
	        {"bpf_sk_storage_map", 3, false},
	        {"sockmap", 2, true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(buffers); i++)
		if (buffers[i].index == index && !strcmp(buffers[i].hook, hook)) {
			f->what = TYPE_FIELD_BUFFER;
			f->read_only = buffers[i].read_only;
		}
}

static bool tracepoint_is_nullable(const char *hook, unsigned index)
{
	static const struct {
		const char *hook;
		unsigned index;
	} nullable[] = {
#define NULLABLE(name, argument) {(name), (argument)},
#include "verify/hook.def"
	};

	for (size_t i = 0; i < ARRAY_SIZE(nullable); i++)
		if (nullable[i].index == index && !strcmp(nullable[i].hook, hook))
			return true;
	return false;
}

static void special_argument(struct opened *types, enum picket_kind kind, const char *hook, unsigned index,
                             struct verify_type_field *f)
{
	uint32_t tcp;

	if (kind == PICKET_KIND_ITER)
		buffer_argument(hook, index, f);
	if (kind == PICKET_KIND_TP_BTF)
		f->maybe_null |= tracepoint_is_nullable(hook, index);
	if (kind != PICKET_KIND_STRUCT_OPS)
		return;
	f->maybe_null = entry_is_nullable(types, hook, index);
	/* all sockets that it is asked about are TCP's */
	if (!strncmp(hook, "tcp_congestion_ops.", strlen("tcp_congestion_ops.")) &&
	    !strcmp(vm_btf_type(&types->btf, f->type).name, "sock")) {
		tcp = type_named(types, "tcp_sock", OBJECT_KINDS);
		f->type = tcp ? tcp : f->type;
	}
}

bool verify_types_argument(const struct verify_types *types, const struct verify_kind *kind, const char *hook,
                           unsigned index, struct verify_type_field *ret_field)
{
	const struct hook_kind *k = hook_kind_find(kind->id);
	struct opened *o = types_opened(types);
	struct vm_btf_type prototype;
	uint32_t type;

	if (!o || !hook || !k || index > UINT16_MAX || !hook_prototype(o, k, hook, &prototype))
		return false;
	index += k->skipped;
	if (index < prototype.count)
		type = parameter_type(&prototype, index);
	else if (index == prototype.count && k->returned)
		type = prototype.type;
	else
		return false;
	*ret_field = describe(&o->btf, type);
	special_argument(o, kind->id, hook, index - k->skipped, ret_field);
	if (ret_field->what == TYPE_FIELD_NUMBER || ret_field->what == TYPE_FIELD_OTHER_POINTER)
		return true;
	ret_field->trusted = k->trusted && index < prototype.count && !hook_is_untrusted(hook);
	ret_field->maybe_null = ret_field->maybe_null || (k->maybe_null && index > 0);
	return true;
}

bool verify_types_has_hook(const struct verify_types *types, const struct verify_kind *kind, const char *hook)
{
	const struct hook_kind *k = hook_kind_find(kind->id);
	struct opened *o = types_opened(types);
	struct vm_btf_type prototype;

	return o && hook && k && hook_prototype(o, k, hook, &prototype);
}

bool verify_types_returns_nothing(const struct verify_types *types, const struct verify_kind *kind, const char *hook)
{
	const struct hook_kind *k = hook_kind_find(kind->id);
	struct opened *o = types_opened(types);
	struct vm_btf_type prototype;

	return o && hook && k && hook_prototype(o, k, hook, &prototype) && !prototype.type;
}

bool verify_types_returns(const struct verify_types *types, const struct verify_kind *kind, const char *hook,
                          int64_t *ret_min, int64_t *ret_max)
{
	const struct hook_kind *k = hook_kind_find(kind->id);
	struct opened *o = kind->id == PICKET_KIND_LSM ? types_opened(types) : NULL;
	struct vm_btf_type prototype, t;
	uint32_t bytes;

	if (!o || !hook || !hook_prototype(o, k, hook, &prototype) || !prototype.type)
		return false;
	t = vm_btf_plain_type(&o->btf, prototype.type);
	if (t.kind != BTF_KIND_INT || !vm_btf_size(&o->btf, prototype.type, &bytes))
		return false;
	*ret_min = bytes == 1 ? 0 : -ERRNO_MAX;
	*ret_max = bytes == 1;
	return true;
}
