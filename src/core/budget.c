/* SPDX-License-Identifier: Apache-2.0 */
#include "core/budget.h"

static const struct {
	const char *name, *what;
} steps[BUDGET_STEPS] = {
#define SHED_STEP(id, name, what) {name, what},
#include "schema/shed.def"
};

const char *budget_step_name(enum budget_step step)
{
	return steps[step].name;
}

const char *budget_step_what(enum budget_step step)
{
	return steps[step].what;
}

void budget_init(struct budget *b, double limit_percent, bool policies)
{
	*b = (struct budget){.limit = limit_percent,
	                     .steps_max = policies ? BUDGET_STEPS : BUDGET_POLICIES,
	                     .calm_needed = BUDGET_CALM_TICKS,
	                     .since_restored = BUDGET_SOON_TICKS};
}

static void look(struct budget *b, double percent)
{
	double sum = 0;
	memmove(b->last + 1, b->last, sizeof(b->last) - sizeof(b->last[0]));
	b->last[0] = percent;
	b->seen = MIN(b->seen + 1, (unsigned)BUDGET_TICKS);
	b->since_restored = MIN(b->since_restored + 1, (unsigned)BUDGET_SOON_TICKS);
	for (unsigned i = 0; i < b->seen; i++)
		sum += b->last[i];
	b->average = sum / b->seen;
	b->calm = b->average <= b->limit / 2 ? b->calm + 1 : 0;
}

/* What was used before the change says nothing about after it. */
static enum budget_change change(struct budget *b, enum budget_change what)
{
	b->seen = b->calm = 0;
	return what;
}

static enum budget_change shed(struct budget *b)
{
	if (b->since_restored < BUDGET_SOON_TICKS)
		b->calm_needed = MIN(2 * b->calm_needed, (unsigned)BUDGET_CALM_TICKS_MAX);
	b->steps++;
	b->shed++;
	return change(b, BUDGET_SHEDS);
}

static enum budget_change restore(struct budget *b)
{
	b->steps--;
	b->since_restored = 0;
	return change(b, BUDGET_RESTORES);
}

enum budget_change budget_put(struct budget *b, double percent)
{
	look(b, percent);
	if (b->limit > 0 && b->seen == BUDGET_TICKS && b->average > b->limit && b->steps < b->steps_max)
		return shed(b);
	if (b->calm < b->calm_needed)
		return BUDGET_STAYS;
	if (b->steps > 0)
		return restore(b);
	if (b->calm >= BUDGET_CALM_TICKS_MAX)
		b->calm_needed = BUDGET_CALM_TICKS;
	return BUDGET_STAYS;
}

static bool is_named(unsigned type)
{
	switch (type) {
#define SHED(step, event) case EVENT_##event:
#include "schema/shed.def"
		return true;
	default:
		return false;
	}
}

void budget_events(unsigned count, struct event_set *ret_events)
{
	static const struct {
		enum budget_step step;
		unsigned type;
	} rows[] = {
#define SHED(step, event) {BUDGET_##step, EVENT_##event},
#include "schema/shed.def"
	};
	struct event_set events = {0};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].step < count)
			event_set_add(&events, rows[i].type);
	for (unsigned type = 1; type < EVENT_TYPE_MAX && count > BUDGET_REST; type++)
		if (event_type_info(type)->name && !event_type_info(type)->state && !is_named(type))
			event_set_add(&events, type);
	*ret_events = events;
}
