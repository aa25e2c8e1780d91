/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * What user space does after an event is bounded as what guards do: it asks here, by running this program, whether it may.
 */
#include "guard.h"

static __always_inline bool guard_reaction_spares(__u32 tgid, const struct guard_file *executable)
{
	const struct guard_who who = {.tgid = tgid, .inode = executable->inode, .device = executable->device};

	return guard_is_protected(&who);
}

/* Returns enum guard_verdict_kind, or GUARD_SPARED. */
static __always_inline __u32 guard_reaction_judge(struct guard_attempt *a, __u32 index)
{
	struct guard_run r = {.attempt = a, .index = index};
	struct guard_state *s = bpf_map_lookup_elem(&guard_states, &index);

	r.policy = bpf_map_lookup_elem(&guard_policies, &index);
	if (!s || !r.policy)
		return GUARD_SPARED;
	return guard_verdict_of(&r, s);
}

SEC("syscall")
int guard_react(struct guard_reaction *c)
{
	struct guard_attempt *a = guard_take();

	c->verdict = GUARD_SPARED;
	if (!a)
		return 0;
	if (owner_disarmed())
		goto out;
	a->who.tgid = c->tgid;
	if (!guard_reaction_spares(c->tgid, &c->executables[0]) && !guard_reaction_spares(c->tgid, &c->executables[1]))
		c->verdict = guard_reaction_judge(a, c->policy);
out:
	a->busy = 0;
	return 0;
}
