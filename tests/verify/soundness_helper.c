/* SPDX-License-Identifier: Apache-2.0
 *
 * Helpers that only the kernel has are models: they take what their prototype says, and answer with the worst that it
 * allows: errors, NULL, extreme numbers, random bytes where they write, and a packet that lies elsewhere afterwards.
 */
#include <linux/bpf.h>
#include "tests/verify/soundness.h"
#include "verify/table_int.h"

static uint64_t adversary(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, struct picket_run *run);

/* ---- what a model takes, as the interpreter can check it; the monitor checks the rest ---- */
static bool model_argument(const struct verify_arg *a, enum picket_arg *ret_arg)
{
	bool out = a->flags & (VERIFY_ARG_OUT | VERIFY_ARG_WRITE), may_be_null = a->flags & VERIFY_ARG_OR_NULL;

	switch ((enum verify_arg_base)a->base) {
	case VERIFY_ARG_NONE:
		*ret_arg = PICKET_ARG_NONE;
		return true;
	case VERIFY_ARG_ANY:
	case VERIFY_ARG_FIXED:
	case VERIFY_ARG_CONSTANT:
	case VERIFY_ARG_ALLOC_SIZE:
	case VERIFY_ARG_SOCKET:
	case VERIFY_ARG_SOCK_COMMON:
	case VERIFY_ARG_OBJECT:
	case VERIFY_ARG_DYNPTR:
		*ret_arg = PICKET_ARG_ANY;
		return true;
	case VERIFY_ARG_CONTEXT:
		*ret_arg = may_be_null ? PICKET_ARG_ANY : PICKET_ARG_CTX;
		return true;
	case VERIFY_ARG_MAP:
		*ret_arg = PICKET_ARG_MAP;
		return true;
	case VERIFY_ARG_KEY:
		*ret_arg = PICKET_ARG_MAP_KEY;
		return true;
	case VERIFY_ARG_VALUE:
		*ret_arg = may_be_null ? PICKET_ARG_ANY : out ? PICKET_ARG_MAP_VALUE_OUT : PICKET_ARG_MAP_VALUE;
		return !may_be_null || !out;
	case VERIFY_ARG_MEMORY:
		if (may_be_null)
			*ret_arg = out ? PICKET_ARG_MEM_OUT_OR_NULL : PICKET_ARG_MEM_OR_NULL;
		else
			*ret_arg = out ? PICKET_ARG_MEM_OUT : PICKET_ARG_MEM;
		return true;
	case VERIFY_ARG_SIZE:
		*ret_arg = a->flags & VERIFY_ARG_ZERO ? PICKET_ARG_SIZE_OR_ZERO : PICKET_ARG_SIZE;
		return true;
	default:
		*ret_arg = PICKET_ARG_ANY;
		return a->base == VERIFY_ARG_ITERATOR || a->base == VERIFY_ARG_TYPE;
	}
}

static bool model_returns(const struct verify_proto *p, enum picket_return *ret_returns)
{
	switch ((enum verify_return_base)p->returns) {
	case VERIFY_RETURN_VOID:
		*ret_returns = PICKET_RETURN_VOID;
		return true;
	case VERIFY_RETURN_NUMBER:
	case VERIFY_RETURN_SOCKET:
	case VERIFY_RETURN_SOCK_COMMON:
	case VERIFY_RETURN_TCP_SOCK:
	case VERIFY_RETURN_MEMORY:
	case VERIFY_RETURN_MAP_VALUE:
	case VERIFY_RETURN_OBJECT:
		*ret_returns = PICKET_RETURN_NUMBER;
		return true;
	default:
		*ret_returns = PICKET_RETURN_NUMBER;
		return p->returns == VERIFY_RETURN_CAST;
	}
}

/* The clock, chance, the current task: their numbers may be any. */
static bool only_tells_number(const struct picket_helper *row)
{
	return row->args[0] == PICKET_ARG_NONE && row->returns == PICKET_RETURN_NUMBER;
}

/* The kernel's dynptrs lead to memory that only models know. */
static bool uses_dynptr(const struct verify_proto *p)
{
	for (unsigned i = 0; i < ARRAY_SIZE(p->args); i++)
		if (p->args[i].base == VERIFY_ARG_DYNPTR)
			return true;
	return false;
}

static bool model_make(const struct verify_proto *p, unsigned number, struct helper_model *ret_model)
{
	struct helper_model model = {.id = p->id, .proto = p};

	model.row = (struct picket_helper){.id = PICKET_HELPER_OWN + number, .name = p->name, .function = adversary};
	for (unsigned i = 0; i < ARRAY_SIZE(model.row.args); i++)
		if (!model_argument(&p->args[i], &model.row.args[i]))
			return false;
	/* an object without a type: of a variable that each CPU has, or what a map's value held */
	if (p->returns == VERIFY_RETURN_OBJECT && !p->return_type)
		return false;
	if (!model_returns(p, &model.row.returns) || !vm_helper_is_valid(&model.row))
		return false;
	*ret_model = model;
	return true;
}

bool helper_model_make(enum picket_kind kind, uint32_t id, unsigned number, struct helper_model *ret_model)
{
	const struct picket_helper *row = id < PICKET_HELPER_OWN ? vm_helper_find(id, NULL, 0) : NULL;
	const struct verify_kind *k = verify_kind_find(kind);
	bool allowed = false;
	const struct verify_proto *p = verify_proto_find(k, id, &allowed);

	if (!p || !allowed)
		return false;
	if (!row || only_tells_number(row) || (uses_dynptr(p) && !(k->flags & KIND_SANDBOX)))
		return model_make(p, number, ret_model);
	*ret_model = (struct helper_model){.id = id, .proto = p, .own = true, .row = *row};
	return true;
}

bool kfunc_model_make(enum picket_kind kind, const char *name, unsigned number, struct helper_model *ret_model)
{
	bool allowed = false;
	const struct verify_proto *p = verify_kfunc_find(verify_kind_find(kind), name, &allowed);

	return p && allowed && !(p->flags & PROTO_NO_RETURN) && model_make(p, number, ret_model);
}

/* ---- what it does ---- */
static void write_arguments(struct soundness_world *w, const struct verify_proto *p, const uint64_t r[6])
{
	const struct picket_map_spec *map = NULL;

	for (unsigned i = 0; i < ARRAY_SIZE(p->args); i++) {
		const struct verify_arg *a = &p->args[i];
		uint64_t size = 0;
		if (a->base == VERIFY_ARG_MAP)
			map = picket_map_spec((const struct picket_map *)(uintptr_t)r[i]);
		if (!(a->flags & (VERIFY_ARG_OUT | VERIFY_ARG_WRITE)) || !r[i])
			continue;
		if (a->base == VERIFY_ARG_MEMORY)
			size = r[i + 1];
		else if (a->base == VERIFY_ARG_FIXED)
			size = a->size;
		else if (a->base == VERIFY_ARG_VALUE && map)
			size = map->value_size;
		world_fill(w, (void *)(uintptr_t)r[i], size);
	}
}

static int64_t length_given(const struct verify_proto *p, const uint64_t r[6])
{
	for (unsigned i = 0; i < ARRAY_SIZE(p->args); i++)
		if (p->args[i].base == VERIFY_ARG_SIZE)
			return (int64_t)r[i];
	return 0;
}

static uint64_t number_between(struct soundness_world *w, int64_t low, int64_t high)
{
	switch (chance_below(&w->chance, 4)) {
	case 0:
		return (uint64_t)low;
	case 1:
		return (uint64_t)high;
	case 2:
		return low <= 0 && high >= 0 ? 0 : (uint64_t)low;
	default:
		return (uint64_t)low + chance_next(&w->chance) % ((uint64_t)(high - low) + 1);
	}
}

/* Of memory: what is said of it, or what the argument says. */
static uint64_t size_given(const struct verify_proto *p, const uint64_t r[6])
{
	for (unsigned i = 0; i < ARRAY_SIZE(p->args) && !p->return_size; i++)
		if (p->args[i].base == VERIFY_ARG_ALLOC_SIZE)
			return r[i];
	return p->return_size;
}

static uint32_t type_given(const struct soundness_world *w, const struct verify_proto *p, const uint64_t r[6])
{
	uint32_t type = 0;

	if (p->returns == VERIFY_RETURN_CAST)
		return (uint32_t)r[1];
	return verify_types_by_name(w->types, p->return_type, &type) ? type : 0;
}

static uint64_t pointer_answer(struct soundness_world *w, const struct verify_proto *p, const uint64_t r[6])
{
	const struct picket_map *map = (const struct picket_map *)(uintptr_t)r[0];

	switch (p->returns) {
	case VERIFY_RETURN_SOCKET:
	case VERIFY_RETURN_SOCK_COMMON:
	case VERIFY_RETURN_TCP_SOCK:
		return (uintptr_t)w->regions[1].data;
	case VERIFY_RETURN_MEMORY:
		return world_allocate(w, size_given(p, r));
	case VERIFY_RETURN_MAP_VALUE: /* of a map that belongs to an object of the kernel: its type has an array's place */
		return (uintptr_t)picket_map_values((struct picket_map *)(uintptr_t)map);
	default:
		return world_allocate(w, verify_types_bytes(w->types, type_given(w, p, r)));
	}
}

static uint64_t answer(struct soundness_world *w, const struct verify_proto *p, const uint64_t r[6])
{
	bool gives = !(p->return_flags & VERIFY_RETURN_OR_NULL) || chance_one_in(&w->chance, 2);

	if (p->flags & KFUNC_ITER_NEXT)
		gives = !w->exhausted;
	if (p->returns == VERIFY_RETURN_VOID)
		return 0;
	if (p->returns != VERIFY_RETURN_NUMBER)
		return gives ? pointer_answer(w, p, r) : 0;
	if (p->return_flags & VERIFY_RETURN_LENGTH)
		return number_between(w, -4095, MAX(length_given(p, r), 0));
	if (p->return_min < p->return_max)
		return number_between(w, p->return_min, p->return_max);
	return chance_one_in(&w->chance, 3) ? 0 : world_number(w);
}

static uint64_t adversary(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, struct picket_run *run)
{
	const uint64_t r[6] = {r1, r2, r3, r4, r5, 0};
	struct soundness_world *w = picket_run_user(run);
	const struct verify_proto *p = w->calling->proto;

	write_arguments(w, p, r);
	if (p->flags & PROTO_CHANGES_PACKET)
		world_move_packet(w);
	return answer(w, p, r);
}

/* ---- another program ---- */
static uint64_t run_another(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, struct picket_run *run)
{
	struct soundness_world *w = picket_run_user(run);
	const struct verify_kind *k = w->kind;

	(void)r1;
	(void)r2;
	(void)r3;
	(void)r4;
	(void)r5;
	world_disturb(w);
	if (k->flags & KIND_RETURN_ANY || k->return_min > k->return_max)
		return world_number(w);
	return number_between(w, k->return_min, k->return_max);
}

const struct picket_helper another_program = {.id = PICKET_HELPER_OWN + PICKET_HELPERS_MAX,
                                              .name = "another_program",
                                              .returns = PICKET_RETURN_NUMBER,
                                              .args = {PICKET_ARG_CTX},
                                              .function = run_another};
