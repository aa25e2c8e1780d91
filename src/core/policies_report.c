/* SPDX-License-Identifier: Apache-2.0 */
#include "core/policies_int.h"

static void report_state(struct json *out, const struct guard_state *s)
{
	static const char *const trips[] = {
	        [GUARD_TRIP_ACTIONS] = "actions", [GUARD_TRIP_PROCESSES] = "processes", [GUARD_TRIP_SHARE] = "share"};
	const struct {
		const char *key;
		uint64_t value;
	} counts[] = {{"acted", s->total_actions},
	              {"would_have_acted", s->total_would},
	              {"undecided", s->total_unknown},
	              {"verdicts_lost", s->verdicts_lost}};
	json_key(out, "mode");
	json_text(out, s->mode < POLICY_MODE_COUNT ? policy_mode_name((enum policy_mode)s->mode) : NULL);
	json_key(out, "over_budget");
	json_text(out, s->tripped < ARRAY_SIZE(trips) ? trips[s->tripped] : NULL);
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		json_key(out, counts[i].key);
		json_u64(out, counts[i].value);
	}
}

static void report_policy(const struct policies *p, uint32_t index, struct json *out)
{
	const struct held *h = &p->current.held[index];
	struct guard_state state;
	json_begin_object(out);
	json_key(out, "name");
	json_text(out, h->name);
	json_key(out, "version");
	json_u64(out, h->version);
	json_key(out, "rule");
	json_text(out, h->rule);
	json_key(out, "action");
	json_text(out, h->action);
	json_key(out, "mode_of_file");
	json_text(out, policy_mode_name(h->mode));
	if (p->current.guards && guards_state(p->current.guards, index, &state) == 0)
		report_state(out, &state);
	json_end_object(out);
}

size_t policies_count_tripped(const struct policies *p)
{
	struct guard_state state;
	size_t count = 0;
	for (uint32_t i = 0; p->current.guards && i < p->current.count; i++)
		count += guards_state(p->current.guards, i, &state) == 0 && state.tripped;
	return count;
}

void policies_report(struct policies *p, struct json *out)
{
	json_key(out, "guards");
	json_begin_object(out);
	json_key(out, "armed");
	json_bool(out, p->current.guards);
	json_key(out, "lease_renewed");
	json_bool(out, p->current.guards && !p->lease_failed);
	json_key(out, "cgroup");
	json_text(out, p->cgroup);
	json_key(out, "alerts_held_back");
	json_u64(out, alert_limiter_held_back(p->limiter));
	policies_report_quarantines(p, out);
	policies_report_gate(p, out);
	json_end_object(out);
	json_key(out, "policies");
	json_begin_array(out);
	for (uint32_t i = 0; i < p->current.count; i++)
		report_policy(p, i, out);
	json_end_array(out);
}
