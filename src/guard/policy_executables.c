/* SPDX-License-Identifier: Apache-2.0
 *
 * Which programs does a condition name whole, so that it can match the start of no other? Those can be made to ask before they
 * start, where the kernel has no security hook that all ask.
 */
#include "guard/policy_int.h"

#include <errno.h>

#include "loader/guards.h"

#define OPERANDS_MAX GUARD_STEPS_MAX /* a guard has no longer formulas */
#define STEPS_BYTES_MAX (64u << 20)

/* Of one operand: it holds for no other program than these. */
struct named {
	bool whole; /* else it may hold for any */
	size_t count;
	struct str paths[GUARD_EXECUTABLES_MAX];
};

struct naming {
	struct named operands[OPERANDS_MAX];
	size_t depth;
};

static void add_path(struct named *n, struct str path)
{
	for (size_t i = 0; i < n->count; i++)
		if (str_equal(n->paths[i], path))
			return;
	n->whole = n->whole && n->count < ARRAY_SIZE(n->paths);
	if (n->whole)
		n->paths[n->count++] = path;
}

static void add_named(struct named *to, const struct named *from)
{
	to->whole = to->whole && from->whole;
	for (size_t i = 0; to->whole && i < from->count; i++)
		add_path(to, from->paths[i]);
}

static bool names_programs(const struct filter_test *t)
{
	return t->op && (strcmp(t->op, "=") == 0 || strcmp(t->op, "in") == 0) && t->field_count == 1 &&
	       t->fields[0].id == FIELD_PROC_EXEPATH;
}

static void name_by_test(const struct filter_test *t, struct named *ret_named)
{
	ret_named->count = 0;
	ret_named->whole = names_programs(t);
	for (size_t i = 0; ret_named->whole && i < t->literal_count; i++)
		add_path(ret_named, t->literals[i]);
}

/* The last count operands become one: of all, that which names the fewest; of any, those of all. */
static bool join(struct naming *n, enum filter_step_kind kind, size_t count)
{
	if (count == 0 || count > n->depth)
		return false;
	struct named *first = &n->operands[n->depth - count];
	for (size_t i = 1; i < count; i++) {
		const struct named *next = &first[i];
		if (kind == FILTER_STEP_ANY)
			add_named(first, next);
		else if (next->whole && (!first->whole || next->count < first->count))
			*first = *next;
	}
	n->depth -= count - 1;
	return true;
}

static bool take_step(struct naming *n, const struct filter_step *step)
{
	switch (step->kind) {
	case FILTER_STEP_TEST:
		if (n->depth == OPERANDS_MAX)
			return false;
		name_by_test(step->test, &n->operands[n->depth++]);
		return true;
	case FILTER_STEP_NOT:
		if (n->depth)
			n->operands[n->depth - 1].whole = false;
		return n->depth;
	case FILTER_STEP_ALL:
	case FILTER_STEP_ANY:
		return join(n, step->kind, step->count);
	default:
		return false;
	}
}

/* Of a program that has not been found yet, nobody knows what its process will be called. */
static bool asks_name(const struct filter_step *step)
{
	for (size_t i = 0; step->test && i < step->test->field_count; i++)
		if (step->test->fields[i].id == FIELD_PROC_NAME)
			return true;
	return false;
}

static void name_by_steps(struct naming *n, const struct filter_step *steps, size_t count, struct named *all)
{
	n->depth = 0;
	for (size_t i = 0; all->whole && i < count; i++)
		all->whole = !asks_name(&steps[i]) && take_step(n, &steps[i]);
	all->whole = all->whole && n->depth == 1;
	if (all->whole)
		add_named(all, &n->operands[0]);
}

/* Each kind of event that happens at exec. */
static int name_all(const struct filter *condition, struct naming *n, struct arena *scratch, struct named *all)
{
	for (unsigned type = 1; type < EVENT_TYPE_MAX; type++) {
		const struct filter_step *steps;
		size_t count;
		if (!event_type_info(type)->name || !policy_point_has_event(POINT_EXEC, type))
			continue;
		int r = filter_steps(condition, type, scratch, &steps, &count);
		if (r < 0)
			return r;
		if (steps[0].kind != FILTER_STEP_FALSE)
			name_by_steps(n, steps, count, all);
	}
	return 0;
}

static bool keep(struct policy_reader *r, const struct named *all, struct policy_texts *ret_texts)
{
	const char **items = arena_array(r->arena, const char *, MAX(all->count, 1u));
	if (!policy_memory(r, items))
		return false;
	for (size_t i = 0; i < all->count; i++)
		if (!(items[i] = policy_keep(r, all->paths[i])))
			return false;
	*ret_texts = (struct policy_texts){items, all->count};
	return true;
}

bool policy_name_executables(struct policy_reader *r, struct policy *p)
{
	_cleanup_(arena_done) struct arena scratch;
	arena_init(&scratch, STEPS_BYTES_MAX);
	if (!p->condition || !(p->points & 1u << POINT_EXEC))
		return true;
	struct naming *n = arena_array(&scratch, struct naming, 1);
	struct named *all = arena_array(&scratch, struct named, 1);
	if (!policy_memory(r, n) || !policy_memory(r, all))
		return false;
	all->whole = true;
	int error = name_all(p->condition, n, &scratch, all);
	if (error == -ENOMEM)
		r->error = error;
	return error < 0 || !all->whole ? error != -ENOMEM : keep(r, all, &p->executables);
}
