/* SPDX-License-Identifier: Apache-2.0 */
#include "core/policies_int.h"

#include "core/log.h"

static bool mode_parse(struct str name, enum policy_mode *ret_mode)
{
	for (enum policy_mode mode = 0; mode < POLICY_MODE_COUNT; mode++) {
		if (!str_equals(name, policy_mode_name(mode)))
			continue;
		*ret_mode = mode;
		return true;
	}
	return false;
}

static bool set_mode(struct policies *p, struct str mode_name, struct str name, struct buf *answer)
{
	enum policy_mode mode;
	struct guard_state state;
	uint32_t index = 0;
	if (!mode_parse(mode_name, &mode)) {
		buf_printf(answer, "there is no mode \"" STR_FMT "\"", STR_ARG(mode_name));
		return false;
	}
	if (p->disarmed) {
		buf_add_text(answer, "the guards are disarmed, until picket is started again");
		return false;
	}
	if (!policies_find(p, name, &index)) {
		buf_printf(answer, "there is no policy \"" STR_FMT "\"", STR_ARG(name));
		return false;
	}
	int r = guards_state(p->current.guards, index, &state);
	if (r == 0)
		r = guards_set_mode(p->current.guards, index, mode);
	if (r < 0) {
		buf_printf(answer, "the kernel does not take it: %s", strerror(-r));
		return false;
	}
	if (mode != POLICY_ENFORCE)
		policies_release_of(p, policies_find(p, name, &index)->name);
	buf_printf(answer, STR_FMT ": %s, was %s%s", STR_ARG(name), policy_mode_name(mode),
	           policy_mode_name((enum policy_mode)state.mode), state.tripped ? "; its breaker is set back" : "");
	return true;
}

static bool release(struct policies *p, struct str cgroup, struct buf *answer)
{
	bool done = policies_release(p, cgroup);
	if (done)
		buf_printf(answer, STR_FMT " has the network again", STR_ARG(cgroup));
	else
		buf_printf(answer, "the control group \"" STR_FMT "\" is not cut off by a policy", STR_ARG(cgroup));
	return done;
}

static void disarm(struct policies *p, struct buf *answer)
{
	policies_disarm(p);
	buf_printf(answer, "disarmed: %zu polic%s nothing any more, until picket is started again", p->current.count,
	           p->current.count == 1 ? "y does" : "ies do");
}

bool policies_carry_out(struct policies *p, struct str order, struct buf *answer)
{
	struct str rest = order, verb = {0}, mode = {0}, name = {0};
	size_t begin = answer->length;
	bool done = false;
	str_next(&rest, ' ', &verb);
	if (str_equals(verb, "disarm")) {
		disarm(p, answer);
		done = true;
	} else if (str_equals(verb, "mode") && str_next(&rest, ' ', &mode) && str_next(&rest, ' ', &name)) {
		done = set_mode(p, mode, name, answer);
	} else if (str_equals(verb, "release") && rest.data) {
		done = release(p, rest, answer);
	} else {
		buf_add_text(answer, "this picket does not know this order");
	}
	if (done)
		log_notice("by order: " STR_FMT, (int)(answer->length - begin), answer->data + begin);
	return done;
}
