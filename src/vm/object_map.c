/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>

#include "vm/elf_int.h"
#include "vm/object_int.h"

#define fail(reterr, map, ...) vm_elf_error((reterr), (map)->section, (map)->offset, "map %.64s: " __VA_ARGS__)

/* ---- making ---- */
static int make_map(struct picket_object *o, const struct vm_image_map *m, uint64_t *memory,
                    struct picket_error *reterr)
{
	struct picket_error error = {0};
	struct picket_map *map = NULL;
	int r;

	/* A section of data alone may be too much: nothing is taken for it then. */
	if (m->origin == VM_IMAGE_DATA && m->spec.value_size > VM_OBJECT_MEMORY_MAX - *memory)
		return vm_elf_error(reterr, m->section, m->offset, "all maps together would take more than %llu MiB",
		                    VM_OBJECT_MEMORY_MAX >> 20);
	r = picket_map_new(&m->spec, &map, &error);
	if (r == -ENOMEM)
		return r;
	if (r)
		return fail(reterr, m, "%s", m->name, error.text);
	o->maps[o->map_count++] = map;
	*memory += picket_map_memory(map);
	if (*memory > VM_OBJECT_MEMORY_MAX)
		return fail(reterr, m, "all maps together would take more than %llu MiB", m->name,
		            VM_OBJECT_MEMORY_MAX >> 20);
	if (m->data)
		memcpy(picket_map_values(map), m->data, m->spec.value_size);
	return 0;
}

/* The number that a pointer to target is while programs run. */
static uint64_t address_of(const struct picket_object *o, const struct vm_target *target)
{
	switch (target->kind) {
	case VM_TARGET_MAP:
		return (uintptr_t)o->maps[target->index];
	case VM_TARGET_VALUE:
		return (uintptr_t)picket_map_values(o->maps[target->index]) + target->offset;
	case VM_TARGET_KERNEL:
		return o->helpers[target->index];
	case VM_TARGET_FUNCTION: /* read_pointer() refuses it */
		break;
	}
	return 0;
}

static void fill_pointers(struct picket_object *o)
{
	for (size_t i = 0; i < o->image->pointer_count; i++) {
		const struct vm_image_pointer *p = &o->image->pointers[i];
		uint64_t address = address_of(o, &p->target);

		memcpy((uint8_t *)picket_map_values(o->maps[p->map]) + p->offset, &address, sizeof(address));
	}
}

int vm_object_make_maps(struct picket_object *o, struct picket_error *reterr)
{
	uint64_t memory = 0;
	int r = 0;

	for (size_t i = 0; !r && i < o->image->map_count; i++)
		r = make_map(o, &o->image->maps[i], &memory, reterr);
	if (r)
		return r;
	fill_pointers(o);
	for (size_t i = 0; !r && i < o->map_count; i++)
		if (o->image->maps[i].frozen)
			r = picket_map_freeze(o->maps[i]);
	return r;
}

/* ---- filling ---- */
static int put_map(struct picket_object *o, const struct vm_image_value *v, struct picket_error *reterr)
{
	const struct vm_image_map *outer = &o->image->maps[v->map];
	struct picket_map *inner = o->maps[v->target.index];
	int r = picket_map_update(o->maps[v->map], &v->index, &inner, 0);

	if (!r || r == -ENOMEM)
		return r;
	return fail(reterr, outer, "map %.64s cannot be its value %u: %s", outer->name,
	            o->image->maps[v->target.index].name, v->index, strerrordesc_np(-r));
}

static int put_program(struct picket_object *o, const struct vm_image_value *v, struct picket_error *reterr)
{
	const struct vm_image_map *array = &o->image->maps[v->map];
	int r = picket_map_set_program(o->maps[v->map], v->index, o->programs[v->target.index]);

	if (!r || r == -ENOMEM)
		return r;
	return fail(reterr, array, "program %.64s cannot be its value %u: %s", array->name,
	            o->image->programs[v->target.index].name, v->index, strerrordesc_np(-r));
}

int vm_object_fill_maps(struct picket_object *o, struct picket_error *reterr)
{
	for (size_t i = 0; i < o->image->value_count; i++) {
		const struct vm_image_value *v = &o->image->values[i];
		bool is_map = v->target.kind == VM_TARGET_MAP;
		int r = is_map ? put_map(o, v, reterr) : put_program(o, v, reterr);

		if (r)
			return r;
		o->filled = i + 1;
	}
	return 0;
}

void vm_object_empty_maps(struct picket_object *o)
{
	for (size_t i = 0; i < o->filled; i++) {
		const struct vm_image_value *v = &o->image->values[i];

		if (v->target.kind == VM_TARGET_FUNCTION)
			picket_map_set_program(o->maps[v->map], v->index, NULL);
	}
}
