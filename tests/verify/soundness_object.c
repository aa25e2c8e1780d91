/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "tests/verify/soundness.h"
#include "verify/table_int.h"
#include "vm/image.h"

/* What programs of an object share; the image holds the contents of its constants. */
struct opened {
	struct picket_image *image;
	struct picket_map_spec *specs;
	struct soundness_world *world;
	struct case_origin *origins; /* of its programs */
	struct opened *next;
};
static struct opened *all_opened;

static int make_world(struct picket_image *image, struct opened **ret_opened)
{
	size_t count = picket_image_map_count(image);
	struct picket_map_spec *specs = calloc(count + 1, sizeof(*specs));
	struct case_origin *origins = calloc(picket_image_program_count(image) + 1, sizeof(*origins));
	struct soundness_world *w = calloc(1, sizeof(*w));
	struct opened *opened = malloc(sizeof(*opened));
	int r = specs && origins && w && opened ? 0 : -ENOMEM;

	for (size_t i = 0; !r && i < count; i++)
		specs[i] = *picket_image_map(image, i);
	if (!r)
		r = soundness_world_init(w, specs, count);
	if (r) {
		free(specs);
		free(origins);
		free(w);
		free(opened);
		return r;
	}
	*opened = (struct opened){.image = image, .specs = specs, .world = w, .origins = origins, .next = all_opened};
	all_opened = opened;
	for (size_t i = 0; i < count; i++) {
		struct picket_image_data data;
		if (picket_image_data(image, i, &data) && data.frozen)
			w->constants[i] = data.bytes;
	}
	*ret_opened = opened;
	return 0;
}

/* Contexts that lead to memory of any length have no model. */
static bool leads_outside(enum picket_kind kind)
{
	const struct verify_kind *k = verify_kind_find(kind);

	for (size_t i = 0; i < k->field_count; i++)
		if (k->fields[i].type == FIELD_MEMORY)
			return true;
	return false;
}

/* Nor have pointers that maps' values hold. */
static bool has_pointers(const struct picket_image *image)
{
	for (uint32_t id = 1; id <= image->btf.type_count; id++) {
		const struct vm_btf_type t = vm_btf_type(&image->btf, id);
		if (t.kind == BTF_KIND_TYPE_TAG && strstr(t.name, "ptr"))
			return true;
	}
	return false;
}

/* What can be run here, and is accepted as it is. */
static bool is_of_use(struct test_case *c, struct soundness_world *w)
{
	struct judgement judgement;
	struct runnable r;

	if (leads_outside(c->kind))
		return false;
	case_judge(c, &judgement);
	if (!judgement.accepted || runnable_make(&r, c, &judgement, w))
		return false;
	runnable_done(&r);
	return true;
}

static int append(struct object_program **programs, size_t *count, const struct object_program *program)
{
	struct object_program *more = realloc(*programs, (*count + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	more[(*count)++] = *program;
	*programs = more;
	return 0;
}

static void set_origin(struct case_origin *origin, const struct picket_image *image, size_t index)
{
	const char *section = picket_image_section(image, index), *hook = strrchr(section, '/');

	*origin = (struct case_origin){
	        .image = image, .index = index, .hook = hook ? hook + 1 : "", .sleeps = verify_section_sleeps(section)};
	if (picket_kind_by_section(section) == PICKET_KIND_STRUCT_OPS)
		origin->hook = image->programs[index].entry ? image->programs[index].entry : "";
}

static int read_program(const struct opened *opened, size_t index, const char *path, struct object_program **programs,
                        size_t *count)
{
	struct object_program program = {.world = opened->world};
	struct test_case *c;
	size_t insns;
	const struct picket_insn *from = picket_image_insns(opened->image, index, &insns);
	const char *file = strrchr(path, '/');
	enum picket_kind kind = picket_kind_by_section(picket_image_section(opened->image, index));

	if (insns > CASE_INSNS_MAX)
		return 0;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	set_origin(&opened->origins[index], opened->image, index);
	c->kind = kind == PICKET_KIND_AUTO ? PICKET_KIND_MEMORY : kind;
	c->origin = &opened->origins[index];
	c->maps = opened->specs;
	c->map_count = opened->world->map_count;
	c->count = insns;
	memcpy(c->insns, from, insns * sizeof(*from));
	program.program = c;
	snprintf(program.name, sizeof(program.name), "%s:%s", file ? file + 1 : path,
	         picket_image_name(opened->image, index));
	if (is_of_use(c, opened->world))
		return append(programs, count, &program);
	free(c);
	return 0;
}

int object_programs_read(const char *path, struct object_program **programs, size_t *count)
{
	struct picket_image *image;
	struct opened *opened;
	int r = picket_image_open_file(path, &image, NULL);

	if (r)
		return r;
	r = has_pointers(image) ? -EOPNOTSUPP : soundness_relocate(image);
	if (!r)
		r = make_world(image, &opened);
	if (r)
		picket_image_free(image);
	for (size_t i = 0; !r && i < picket_image_program_count(image); i++)
		r = read_program(opened, i, path, programs, count);
	return r;
}

void object_programs_free(struct object_program *programs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(programs[i].program);
	free(programs);
	while (all_opened) {
		struct opened *opened = all_opened;
		all_opened = opened->next;
		soundness_world_done(opened->world);
		free(opened->world);
		free(opened->specs);
		free(opened->origins);
		picket_image_free(opened->image);
		free(opened);
	}
}

/* ---- as they are ---- */
static int judge_program(const struct picket_image *image, size_t index, const char *path)
{
	const char *file = strrchr(path, '/');
	struct picket_verdict *verdict;
	int r = picket_verify(image, index, NULL, &verdict);

	if (r)
		return r;
	printf("%s:%s %s %u\n", file ? file + 1 : path, picket_image_name(image, index),
	       verdict->accepted ? "accepted" : picket_category_name(verdict->category), verdict->insn);
	picket_verdict_free(verdict);
	return 0;
}

int object_judge(const char *path)
{
	struct picket_image *image;
	int r = picket_image_open_file(path, &image, NULL);

	for (size_t i = 0; !r && i < picket_image_program_count(image); i++)
		r = judge_program(image, i, path);
	if (!r)
		picket_image_free(image);
	return r;
}
