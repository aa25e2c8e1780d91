/* SPDX-License-Identifier: Apache-2.0 */
#include "core/sparing.h"

#include <stdio.h>

#include "core/log.h"

void sparing_init(struct sparing *s, double limit_percent, struct judge *judge, struct policies *policies)
{
	*s = (struct sparing){.judge = judge, .policies = policies};
	budget_init(&s->budget, limit_percent, policies);
	meter_init(&s->meter);
}

void sparing_done(struct sparing *s)
{
	meter_done(&s->meter);
}

static int run_time(void *userdata, uint64_t *ret_ns)
{
	const struct sparing *s = userdata;
	uint64_t sensors, guards = 0;
	int r = live_run_time(s->live, &sensors);
	if (r == 0 && s->policies)
		r = policies_run_time(s->policies, &guards);
	if (r == 0)
		*ret_ns = sensors + guards;
	return r;
}

static void set_text(struct sparing *s)
{
	size_t length = (size_t)snprintf(s->text, sizeof(s->text), "for the CPU budget not watched: ");
	for (unsigned i = 0; i < s->budget.steps && length < sizeof(s->text); i++)
		length += (size_t)snprintf(s->text + length, sizeof(s->text) - length, "%s%s", i ? ", " : "",
		                           budget_step_name((enum budget_step)i));
}

static void tell(struct sparing *s, enum budget_step step, bool sheds)
{
	char notice[2 * SPARING_TEXT_MAX];
	int length = snprintf(notice, sizeof(notice),
	                      sheds ? "picket: %.1f%% of a CPU used, of %.0f%%: given up for now: %s"
	                            : "picket: %.1f%% of a CPU used, of %.0f%%: back again: %s",
	                      s->budget.average, s->budget.limit, budget_step_what(step));
	log_warning("%s", notice + strlen("picket: "));
	judge_set_shed(s->judge, s->budget.steps ? s->text : NULL,
	               str_make(notice, MIN((size_t)length, sizeof(notice) - 1)));
}

static void carry_out(struct sparing *s, enum budget_change change)
{
	bool sheds = change == BUDGET_SHEDS;
	enum budget_step step = (enum budget_step)(sheds ? s->budget.steps - 1 : s->budget.steps);
	struct event_set events;
	budget_events(s->budget.steps, &events);
	int r = live_shed_events(s->live, &events);
	if (r < 0)
		log_error("cannot change what is watched: %s", strerror(-r));
	if (s->policies)
		policies_set_shed(s->policies, s->budget.steps > BUDGET_POLICIES);
	set_text(s);
	tell(s, step, sheds);
}

void sparing_tick(struct sparing *s, struct live *live)
{
	s->live = live;
	meter_tick(&s->meter, s->budget.steps > 0 || s->budget.average > s->budget.limit / 2,
	           s->budget.limit > 0 ? run_time : NULL, s);
	if (!s->meter.ready)
		return;
	enum budget_change change = budget_put(&s->budget, s->meter.own + s->meter.bpf);
	if (change == BUDGET_STAYS)
		return;
	carry_out(s, change);
	meter_forget(&s->meter);
}

static void add_number(struct json *out, const char *key, double number)
{
	json_key(out, key);
	json_double(out, number);
}

void sparing_report(const struct sparing *s, struct json *out)
{
	json_key(out, "cpu_budget");
	json_begin_object(out);
	add_number(out, "limit_percent", s->budget.limit);
	add_number(out, "used_percent", s->budget.average);
	add_number(out, "own_percent", s->meter.own);
	json_key(out, "bpf_percent");
	if (s->meter.bpf_measured)
		json_double(out, s->meter.bpf);
	else
		json_null(out);
	json_key(out, "given_up");
	json_begin_array(out);
	for (unsigned i = 0; i < s->budget.steps; i++)
		json_text(out, budget_step_name((enum budget_step)i));
	json_end_array(out);
	json_key(out, "times_given_up");
	json_u64(out, s->budget.shed);
	json_end_object(out);
}
