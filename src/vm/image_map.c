/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "vm/image_int.h"

#define READ_ONLY_SECTION ".rodata"
#define KCONFIG_SECTION ".kconfig"

/* ---- any map ---- */
static int add_map(struct vm_loader *l, const struct vm_image_map *map, uint32_t section, uint32_t *ret_index)
{
	struct picket_image *i = l->image;
	struct vm_image_map *m;

	if (i->map_count == VM_OBJECT_MAPS_MAX)
		return vm_loader_error(l, section, map->offset, "map %.64s: more than %d maps and sections of data",
		                       map->name, VM_OBJECT_MAPS_MAX);
	m = &i->maps[i->map_count];
	*m = *map;
	m->name = vm_loader_text(l, map->name);
	m->section = vm_loader_section_text(l, section);
	if (!m->name || !m->section)
		return -ENOMEM;
	snprintf(m->spec.name, sizeof(m->spec.name), "%s", m->name);
	if (m->spec.inner)
		m->spec.inner = &m->inner;
	*ret_index = (uint32_t)i->map_count++;
	return 0;
}

static struct picket_map_spec value_spec(uint64_t bytes, bool read_only)
{
	return (struct picket_map_spec){
	        .type = BPF_MAP_TYPE_ARRAY,
	        .key_size = sizeof(uint32_t),
	        .value_size = (uint32_t)bytes,
	        .max_entries = 1,
	        .flags = read_only ? BPF_F_RDONLY_PROG : 0,
	};
}

/* ---- sections of data: arrays of one value ---- */
static bool is_read_only(const struct vm_elf_section *s)
{
	return str_starts_with(str_from(s->name), STR(READ_ONLY_SECTION));
}

static int read_data(struct vm_loader *l, uint32_t section)
{
	const struct vm_elf_section *s = vm_loader_section(l, section);
	struct vm_image_map map = {
	        .spec = value_spec(s->size, is_read_only(s)),
	        .name = s->name,
	        .origin = VM_IMAGE_DATA,
	        .frozen = is_read_only(s),
	};
	uint8_t *data;
	int r;

	if (s->size > VM_OBJECT_MEMORY_MAX - l->data_bytes)
		return vm_loader_error(l, section, 0, "all maps together would take more than %llu MiB",
		                       VM_OBJECT_MEMORY_MAX >> 20);
	l->data_bytes += s->size;
	r = add_map(l, &map, section, &l->sections[section].map);
	if (r || !s->data)
		return r;
	data = malloc(s->size);
	if (!data)
		return -ENOMEM;
	memcpy(data, s->data, s->size);
	l->image->maps[l->sections[section].map].data = data;
	return 0;
}

int vm_loader_kconfig_map(struct vm_loader *l, uint32_t *ret_map)
{
	/* None of them is known and none can be written: they share their bytes. */
	struct vm_image_map map = {
	        .spec = value_spec(MAX(l->kconfig_bytes, sizeof(uint64_t)), true),
	        .name = KCONFIG_SECTION,
	        .origin = VM_IMAGE_CONFIG,
	};
	uint32_t index = 0;

	if (!l->kconfig) {
		int r = add_map(l, &map, l->btf_section, &index);
		if (r)
			return r;
		l->kconfig = index + 1;
	}
	*ret_map = l->kconfig - 1;
	return 0;
}

/* ---- what BTF declares: externs, and maps as structs whose members' types carry the numbers ---- */
static int declare_extern(struct vm_loader *l, const struct vm_btf_variable *v, enum vm_extern kind)
{
	const char *text = vm_btf_type(&l->image->btf, v->type).name;
	struct str name = str_make(text, strnlen(text, VM_ELF_NAME_MAX));
	int r = map_put(&l->externs, name, (void *)(uintptr_t)kind, NULL);

	if (r == -ENOSPC)
		return vm_loader_error(l, l->btf_section, 0, "more than %d externs", VM_OBJECT_EXTERNS_MAX);
	if (kind == VM_EXTERN_KCONFIG)
		l->kconfig_bytes = MAX(l->kconfig_bytes, v->size);
	return r;
}

static int declare_externs(struct vm_loader *l, const struct vm_btf_type *section, enum vm_extern kind)
{
	for (uint32_t i = 0; i < section->count; i++) {
		struct vm_btf_variable v = vm_btf_variable(section, i);
		int r = declare_extern(l, &v, kind);
		if (r)
			return r;
	}
	return 0;
}

#define fail(l, d, ...) vm_loader_error((l), (l)->maps_section, (d)->offset, "map %.64s: " __VA_ARGS__)

/* __uint(name, N): int (*name)[N]. __ulong(name, N): enum { unique = N } name. */
static bool read_number(const struct vm_btf *b, uint32_t type, uint64_t *ret_number)
{
	struct vm_btf_type t = vm_btf_plain_type(b, type);

	if ((t.kind == BTF_KIND_ENUM || t.kind == BTF_KIND_ENUM64) && t.count == 1) {
		*ret_number = vm_btf_enumerator(&t, 0);
		return true;
	}
	if (t.kind != BTF_KIND_PTR)
		return false;
	t = vm_btf_plain_type(b, t.type);
	if (t.kind != BTF_KIND_ARRAY)
		return false;
	*ret_number = vm_btf_array(&t).nelems;
	return true;
}

static const struct attribute {
	const char *name;
	enum { ATTRIBUTE_NUMBER, ATTRIBUTE_LONG, ATTRIBUTE_TYPE, ATTRIBUTE_IGNORED } kind;
	size_t offset; /* in struct picket_map_spec */
} attributes[] = {
        {"type", ATTRIBUTE_NUMBER, offsetof(struct picket_map_spec, type)},
        {"max_entries", ATTRIBUTE_NUMBER, offsetof(struct picket_map_spec, max_entries)},
        {"map_flags", ATTRIBUTE_NUMBER, offsetof(struct picket_map_spec, flags)},
        {"key_size", ATTRIBUTE_NUMBER, offsetof(struct picket_map_spec, key_size)},
        {"value_size", ATTRIBUTE_NUMBER, offsetof(struct picket_map_spec, value_size)},
        {"key", ATTRIBUTE_TYPE, offsetof(struct picket_map_spec, key_size)},
        {"value", ATTRIBUTE_TYPE, offsetof(struct picket_map_spec, value_size)},
        {"map_extra", ATTRIBUTE_LONG, offsetof(struct picket_map_spec, extra)},
        {"numa_node", ATTRIBUTE_IGNORED, 0},
        {"pinning", ATTRIBUTE_IGNORED, 0}, /* there is no file system of maps here */
};

static const struct attribute *find_attribute(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++)
		if (strcmp(attributes[i].name, name) == 0)
			return &attributes[i];
	return NULL;
}

static int read_attribute(struct vm_loader *l, const struct vm_definition *d, const struct attribute *a, uint32_t type,
                          struct picket_map_spec *spec)
{
	uint8_t *field = (uint8_t *)spec + a->offset;
	uint64_t number = 0;
	uint32_t narrow, before;

	if (a->kind == ATTRIBUTE_TYPE) {
		struct vm_btf_type t = vm_btf_plain_type(&l->image->btf, type);
		if (t.kind != BTF_KIND_PTR || !vm_btf_size(&l->image->btf, t.type, &narrow))
			return fail(l, d, "its %s has no size", d->name, a->name);
		number = narrow;
	} else if (!read_number(&l->image->btf, type, &number)) {
		return fail(l, d, "%s is not a number as __uint() writes it", d->name, a->name);
	}
	if (a->kind == ATTRIBUTE_IGNORED)
		return 0;
	if (a->kind == ATTRIBUTE_LONG) {
		memcpy(field, &number, sizeof(number));
		return 0;
	}
	if (number > UINT32_MAX)
		return fail(l, d, "%s %llu is too large", d->name, a->name, (unsigned long long)number);
	narrow = (uint32_t)number;
	memcpy(&before, field, sizeof(before));
	if (before && before != narrow)
		return fail(l, d, "%s is said to be %u, and %u", d->name, a->name, before, narrow);
	memcpy(field, &narrow, sizeof(narrow));
	return 0;
}

static int read_values(struct vm_loader *l, struct vm_definition *d, const struct vm_btf_member *m);

/* spec: that of d, or of the maps in it. */
static int read_spec(struct vm_loader *l, struct vm_definition *d, const struct vm_btf_type *t, bool inner,
                     struct picket_map_spec *spec)
{
	if (t->kind != BTF_KIND_STRUCT)
		return fail(l, d, "it is not defined by a struct", d->name);
	for (uint32_t i = 0; i < t->count; i++) {
		struct vm_btf_member m = vm_btf_member(&l->image->btf, t, i);
		const struct attribute *a = find_attribute(m.name);
		int r;

		if (strcmp(m.name, "values") == 0)
			r = inner ? fail(l, d, "a map in a map cannot have values", d->name) : read_values(l, d, &m);
		else if (a)
			r = read_attribute(l, d, a, m.type, spec);
		else
			r = fail(l, d, "unknown attribute %.64s", d->name, m.name);
		if (r)
			return r;
	}
	return 0;
}

/* __array(values, T): T *values[]; T is the inner map's struct, or a function's type. */
static int read_values(struct vm_loader *l, struct vm_definition *d, const struct vm_btf_member *m)
{
	struct vm_btf_type t = vm_btf_plain_type(&l->image->btf, m->type);

	if (d->values != VM_VALUES_NONE)
		return fail(l, d, "its values are said twice", d->name);
	if (t.kind == BTF_KIND_ARRAY)
		t = vm_btf_plain_type(&l->image->btf, vm_btf_array(&t).type);
	if (t.kind != BTF_KIND_PTR || m->bit_offset % 8)
		return fail(l, d, "its values are no array of pointers", d->name);
	t = vm_btf_plain_type(&l->image->btf, t.type);
	if (d->spec.value_size && d->spec.value_size != sizeof(uint32_t))
		return fail(l, d, "a value of %u bytes cannot be a map or a program", d->name, d->spec.value_size);
	d->spec.value_size = sizeof(uint32_t);
	d->values_offset = m->bit_offset / 8;
	if (t.kind == BTF_KIND_FUNC_PROTO) {
		d->values = VM_VALUES_PROGRAMS;
		return 0;
	}
	d->values = VM_VALUES_MAPS;
	d->spec.inner = &d->inner;
	return read_spec(l, d, &t, true, &d->inner);
}

static bool holds_maps(uint32_t type)
{
	return type == BPF_MAP_TYPE_ARRAY_OF_MAPS || type == BPF_MAP_TYPE_HASH_OF_MAPS;
}

/* The kernel's buffers are whole pages, a power of two of them; objects are written as if it rounded. */
static uint32_t ring_bytes(uint32_t wanted)
{
	uint32_t bytes = (uint32_t)sysconf(_SC_PAGESIZE);

	while (bytes < wanted && bytes < 1u << 31)
		bytes *= 2;
	return wanted ? bytes : 0;
}

static int check_definition(struct vm_loader *l, struct vm_definition *d)
{
	if (!d->spec.type)
		return fail(l, d, "it has no type", d->name);
	if (d->values == VM_VALUES_MAPS && !holds_maps(d->spec.type))
		return fail(l, d, "maps are its values, but its type %u holds none", d->name, d->spec.type);
	if (d->values == VM_VALUES_PROGRAMS && d->spec.type != BPF_MAP_TYPE_PROG_ARRAY)
		return fail(l, d, "programs are its values, but its type %u holds none", d->name, d->spec.type);
	if (d->spec.type == BPF_MAP_TYPE_RINGBUF)
		d->spec.max_entries = ring_bytes(d->spec.max_entries);
	snprintf(d->inner.name, sizeof(d->inner.name), "%.48s.inner", d->name);
	return 0;
}

/* ---- .maps ---- */
/* BTF knows a map's type, the symbol its place: until a linker fills them in, BTF's own offsets are 0. */
static int index_map_symbols(struct vm_loader *l, struct map *symbols)
{
	for (uint32_t i = 1; i < l->elf.symbol_count; i++) {
		struct vm_elf_symbol s = vm_elf_symbol(&l->elf, i);
		int r;

		if (s.section != l->maps_section || s.type == STT_SECTION || !*s.name)
			continue;
		r = map_put(symbols, str_from(s.name), (void *)(uintptr_t)i, NULL);
		if (r == -ENOSPC)
			return vm_loader_error(l, l->maps_section, 0, "more than %zu symbols", symbols->limit);
		if (r)
			return r;
	}
	return 0;
}

static int read_definition(struct vm_loader *l, const struct map *symbols, uint32_t type, struct vm_definition *d)
{
	struct vm_btf_type variable = vm_btf_type(&l->image->btf, type), t;
	uint32_t index;
	struct vm_elf_symbol s;
	int r;

	d->name = variable.name;
	if (variable.kind != BTF_KIND_VAR)
		return fail(l, d, "it is not a variable", d->name);
	index = (uint32_t)(uintptr_t)map_get(symbols, str_from(d->name));
	if (!index)
		return fail(l, d, "no symbol says where it is", d->name);
	s = vm_elf_symbol(&l->elf, index);
	d->offset = s.value;
	d->size = s.size;
	t = vm_btf_plain_type(&l->image->btf, variable.type);
	r = read_spec(l, d, &t, false, &d->spec);
	return r ? r : check_definition(l, d);
}

static int compare_definitions(const void *a, const void *b)
{
	const struct vm_definition *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static int read_definitions(struct vm_loader *l, const struct vm_btf_type *section)
{
	_cleanup_(map_done) struct map symbols = {0};
	int r;

	if (l->definitions)
		return vm_loader_error(l, l->btf_section, 0, "the types of .maps are said twice");
	if (section->count > VM_OBJECT_MAPS_MAX)
		return vm_loader_error(l, l->maps_section, 0, "%u maps are more than %d", section->count,
		                       VM_OBJECT_MAPS_MAX);
	map_init(&symbols, 4 * VM_OBJECT_MAPS_MAX);
	l->definitions = calloc(section->count + 1, sizeof(*l->definitions));
	if (!l->definitions)
		return -ENOMEM;
	r = index_map_symbols(l, &symbols);
	for (uint32_t i = 0; !r && i < section->count; i++)
		r = read_definition(l, &symbols, vm_btf_variable(section, i).type,
		                    &l->definitions[l->definition_count++]);
	if (r)
		return r;
	qsort(l->definitions, l->definition_count, sizeof(*l->definitions), compare_definitions);
	for (uint32_t i = 0; i < l->definition_count; i++) {
		struct vm_definition *d = &l->definitions[i];

		if (d->spec.inner) /* it has moved */
			d->spec.inner = &d->inner;
		if (i && (d->offset == d[-1].offset || d->offset - d[-1].offset < d[-1].size))
			return fail(l, d, "it lies over map %.64s", d->name, d[-1].name);
	}
	return 0;
}

/* All sections that BTF describes. */
static int read_btf_sections(struct vm_loader *l)
{
	for (uint32_t id = 1; id <= l->image->btf.type_count; id++) {
		struct vm_btf_type t = vm_btf_type(&l->image->btf, id);
		int r = 0;

		if (t.kind != BTF_KIND_DATASEC)
			continue;
		if (strcmp(t.name, ".maps") == 0 && l->maps_section)
			r = read_definitions(l, &t);
		else if (strcmp(t.name, KCONFIG_SECTION) == 0)
			r = declare_externs(l, &t, VM_EXTERN_KCONFIG);
		else if (strcmp(t.name, ".ksyms") == 0)
			r = declare_externs(l, &t, VM_EXTERN_KSYM);
		if (r)
			return r;
	}
	return 0;
}

int vm_loader_read_maps(struct vm_loader *l)
{
	int r = 0;

	for (uint32_t i = 1; !r && i < l->elf.section_count; i++)
		if (l->sections[i].kind == VM_SECTION_DATA)
			r = read_data(l, i);
	if (!r)
		r = read_btf_sections(l);
	if (r)
		return r;
	if (l->maps_section && !l->definitions)
		return vm_loader_error(
		        l, l->maps_section, 0,
		        "its maps are described by BTF, which the object does not have: compile with -g");
	l->first_definition = (uint32_t)l->image->map_count;
	for (uint32_t i = 0; !r && i < l->definition_count; i++) {
		const struct vm_definition *d = &l->definitions[i];
		struct vm_image_map map = {.spec = d->spec, .inner = d->inner, .name = d->name, .offset = d->offset};
		uint32_t index;

		r = add_map(l, &map, l->maps_section, &index);
	}
	return r;
}

/* ---- what sections of data and .maps point to ---- */
static int64_t read_addend(const struct vm_elf_section *s, uint64_t offset)
{
	int64_t addend;

	memcpy(&addend, s->data + offset, sizeof(addend));
	return addend;
}

static void map_set_add(struct vm_map_set *set, uint32_t map)
{
	set->words[map / 64] |= UINT64_C(1) << map % 64;
}

static int add_pointer(struct vm_loader *l, const struct vm_image_pointer *p)
{
	struct picket_image *i = l->image;

	if (i->pointer_count == i->pointer_capacity) {
		size_t capacity = MAX(2 * i->pointer_capacity, (size_t)64);
		struct vm_image_pointer *pointers = reallocarray(i->pointers, capacity, sizeof(*pointers));

		if (!pointers)
			return -ENOMEM;
		i->pointers = pointers;
		i->pointer_capacity = capacity;
	}
	i->pointers[i->pointer_count++] = *p;
	return 0;
}

static int read_pointer(struct vm_loader *l, uint32_t section, const struct vm_relocation *relocation)
{
	struct vm_image_pointer p = {.map = l->sections[section].map, .offset = relocation->offset};
	int r;

	if (relocation->type != VM_R_64_ABS64)
		return vm_loader_error(l, section, relocation->offset, "relocation type %u cannot be in data",
		                       relocation->type);
	r = vm_loader_resolve(l, section, relocation, read_addend(vm_loader_section(l, section), relocation->offset),
	                      &p.target);
	if (r)
		return r;
	if (p.target.kind == VM_TARGET_FUNCTION)
		return vm_loader_error(l, section, relocation->offset,
		                       "a pointer to function %.64s cannot be in data: each program numbers its own",
		                       l->functions[p.target.index].name);
	if (p.target.kind == VM_TARGET_MAP || p.target.kind == VM_TARGET_VALUE)
		map_set_add(&l->reach[p.map], p.target.index);
	return add_pointer(l, &p);
}

/* Who may use a map may use what its value points to, and so on. */
static void close_reach(struct vm_loader *l)
{
	size_t count = l->image->map_count;

	for (uint32_t i = 0; i < count; i++)
		map_set_add(&l->reach[i], i);
	for (uint32_t middle = 0; middle < count; middle++)
		for (uint32_t i = 0; i < count; i++) {
			if (!vm_map_set_has(&l->reach[i], middle))
				continue;
			for (size_t w = 0; w < VM_MAP_SET_WORDS; w++)
				l->reach[i].words[w] |= l->reach[middle].words[w];
		}
}

int vm_loader_read_pointers(struct vm_loader *l)
{
	for (uint32_t i = 1; i < l->elf.section_count; i++) {
		_cleanup_(base_free_ptr) struct vm_relocation *relocations = NULL;
		size_t count = 0;
		int r;

		if (l->sections[i].kind != VM_SECTION_DATA)
			continue;
		r = vm_loader_relocations(l, i, &relocations, &count);
		for (size_t k = 0; !r && k < count; k++)
			r = read_pointer(l, i, &relocations[k]);
		if (r)
			return r;
	}
	close_reach(l);
	return 0;
}

/* The definition whose bytes hold offset. */
static struct vm_definition *definition_around(struct vm_loader *l, uint64_t offset)
{
	uint32_t low = 0, high = l->definition_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		struct vm_definition *d = &l->definitions[middle];

		if (offset < d->offset)
			high = middle;
		else if (offset - d->offset >= d->size)
			low = middle + 1;
		else
			return d;
	}
	return NULL;
}

static int check_value(struct vm_loader *l, const struct vm_definition *d, uint32_t index, struct vm_target *target)
{
	if (d->values == VM_VALUES_MAPS) {
		if (target->kind != VM_TARGET_MAP)
			return fail(l, d, "its value %u is not a map", d->name, index);
		if (d->spec.key_size != sizeof(index))
			return fail(l, d, "values can be given only if a key has %zu bytes", d->name, sizeof(index));
		return 0;
	}
	if (target->kind != VM_TARGET_FUNCTION || !l->functions[target->index].program)
		return fail(l, d, "its value %u is not a program", d->name, index);
	target->index = l->functions[target->index].program - 1;
	return 0;
}

static int read_value(struct vm_loader *l, const struct vm_relocation *relocation)
{
	struct vm_definition *d = definition_around(l, relocation->offset);
	struct vm_target target;
	uint64_t values, index;
	int r;

	if (!d || d->values == VM_VALUES_NONE)
		return vm_loader_error(l, l->maps_section, relocation->offset,
		                       "only values of maps of maps and of "
		                       "prog arrays can be initialised");
	values = d->offset + d->values_offset;
	index = (relocation->offset - values) / sizeof(uint64_t);
	if (relocation->offset < values || (relocation->offset - values) % sizeof(uint64_t) || index > UINT32_MAX ||
	    relocation->type != VM_R_64_ABS64)
		return fail(l, d, "relocation type %u at offset %llu initialises none of its values", d->name,
		            relocation->type, (unsigned long long)relocation->offset);
	r = vm_loader_resolve(l, l->maps_section, relocation,
	                      read_addend(vm_loader_section(l, l->maps_section), relocation->offset), &target);
	if (!r)
		r = check_value(l, d, (uint32_t)index, &target);
	if (r)
		return r;
	l->image->values[l->image->value_count++] =
	        (struct vm_image_value){.map = l->first_definition + (uint32_t)(d - l->definitions),
	                                .index = (uint32_t)index,
	                                .target = target};
	return 0;
}

int vm_loader_read_values(struct vm_loader *l)
{
	_cleanup_(base_free_ptr) struct vm_relocation *relocations = NULL;
	size_t count = 0;
	int r;

	if (!l->maps_section)
		return 0;
	r = vm_loader_relocations(l, l->maps_section, &relocations, &count);
	if (r || !count)
		return r;
	l->image->values = calloc(count, sizeof(*l->image->values));
	if (!l->image->values)
		return -ENOMEM;
	for (size_t i = 0; !r && i < count; i++)
		r = read_value(l, &relocations[i]);
	return r;
}
