/* SPDX-License-Identifier: Apache-2.0
 *
 * From an image to what runs: object_map.c makes its maps, object.c loads its programs.
 */
#ifndef PICKET_VM_OBJECT_INT_H
#define PICKET_VM_OBJECT_INT_H

#include "vm/image.h"

/* What stands for something that is not here. */
#define VM_OBJECT_ABSENT 0

struct picket_object {
	struct picket_image *image;       /* all names; without content once all is loaded */
	struct picket_program **programs; /* as many as the image has */
	struct picket_map *maps[VM_OBJECT_MAPS_MAX];
	size_t map_count;  /* that are made */
	uint32_t *helpers; /* what each of the image's externs is: a helper's id, or VM_OBJECT_ABSENT */
	size_t filled;     /* of the image's values: those that maps have */
};

/* object_map.c */
int vm_object_make_maps(struct picket_object *o, struct picket_error *reterr) must_check; /* needs helpers */
int vm_object_fill_maps(struct picket_object *o, struct picket_error *reterr) must_check; /* needs programs */
void vm_object_empty_maps(struct picket_object *o); /* takes the object's programs out of its prog arrays */

#endif
