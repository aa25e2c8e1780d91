/* SPDX-License-Identifier: Apache-2.0
 *
 * Policies that outlive picket: their guards are pinned once they are attached. The next picket of the instance finds them,
 * renews them while it starts, tells what they did meanwhile, and replaces them by its own as at any other reload.
 */
#include "core/policies_int.h"

#include <errno.h>

#include "core/log.h"

static size_t count_persisting(const struct generation *g)
{
	size_t count = 0;
	for (size_t i = 0; i < g->count; i++)
		count += g->held[i].persist_ns > 0;
	return count;
}

int policies_pin(struct policies *p, struct generation *g, struct loader_failure *reterr_failure)
{
	return g->guards && count_persisting(g) > 0 ? guards_pin(g->guards, p->options.instance, reterr_failure) : 0;
}

void policies_unpin_others(const char *instance, const struct guards *keep)
{
	int r = guards_unpin_others(instance, keep);
	if (r < 0)
		log_warning("guards of an earlier picket are still pinned: %s; picket disarm removes them",
		            strerror(-r));
	else if (r > 0)
		log_notice("ended what an earlier picket had left in the kernel");
}

void policies_leave(struct policies *p)
{
	size_t persisting = p->current.guards ? count_persisting(&p->current) : 0;
	if (persisting > 0)
		log_notice("%zu polic%s on without picket, as long as they persist; picket disarm ends them",
		           persisting, persisting == 1 ? "y goes" : "ies go");
	guards_leave(p->current.guards);
	p->current.guards = NULL;
}

static int hold(struct generation *g)
{
	arena_init(&g->names, GENERATION_NAMES_MAX);
	g->held = arena_array(&g->names, struct held, GUARD_POLICIES_MAX);
	for (uint32_t i = 0; g->held && i < GUARD_POLICIES_MAX; i++) {
		struct guard_policy policy;
		int r = guards_policy(g->guards, i, &policy);
		if (r < 0)
			return r;
		if (!policy.name[0])
			break;
		policy.name[sizeof(policy.name) - 1] = '\0';
		struct held *h = &g->held[g->count++];
		*h = (struct held){.name = arena_str(&g->names, str_from(policy.name)).data,
		                   .action = policy.action < ACTION_COUNT
		                                     ? policy_action_name((enum policy_action)policy.action)
		                                     : "",
		                   .version = policy.version,
		                   .persist_ns = policy.persist_ns,
		                   .mode = (enum policy_mode)MIN(policy.mode, (uint32_t)POLICY_ENFORCE)};
		if (!h->name)
			return -ENOMEM;
	}
	return g->held ? 0 : -ENOMEM;
}

int policies_adopt(struct policies *p)
{
	int r = guards_adopt(p->options.instance, &p->current.guards);
	if (r == -ESTALE)
		log_notice("an earlier version of picket has left guards: they go on until they are replaced");
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	if (guards_disarmed(p->current.guards)) {
		guards_free(TAKE_PTR(p->current.guards));
		return 0;
	}
	r = hold(&p->current);
	if (r == 0)
		log_notice("%zu policies of an earlier picket are in force, until they are replaced", p->current.count);
	return r;
}
