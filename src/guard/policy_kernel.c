/* SPDX-License-Identifier: Apache-2.0
 *
 * What a kernel makes of policies.
 */
#include "guard/policy.h"

#include <errno.h>

static const struct {
	const char *name, *left;
} mechanisms[] = {
#define GUARD_MECHANISM(id, name, left) {name, left},
#include "schema/policy.def"
};

static const struct policy_route routes[] = {
#define POLICY_ROUTE(action, point, mechanism, hook, effect, does, hooks, left) \
	{ACTION_##action, POINT_##point, MECHANISM_##mechanism, GUARD_HOOK_##hook, EFFECT_##effect, does, hooks, left},
#include "schema/policy.def"
};

const char *guard_mechanism_name(enum guard_mechanism mechanism)
{
	return mechanisms[mechanism].name;
}

const char *guard_mechanism_left(enum guard_mechanism mechanism)
{
	return mechanisms[mechanism].left;
}

const struct policy_route *policy_route_next(const struct policy_route *after)
{
	const struct policy_route *next = after ? after + 1 : routes;
	return next < routes + ARRAY_SIZE(routes) ? next : NULL;
}

/* ---- one policy ---- */

/* Of what a policy acts on by itself, and not on an attempt. */
static bool follows_events(enum policy_point point)
{
	return point == POINT_EVENT || point == POINT_NETWORK;
}

bool policy_route_follows(const struct policy_route *route)
{
	return route->mechanism == MECHANISM_SIGNAL_AFTER || route->mechanism == MECHANISM_EVENT ||
	       follows_events(route->point);
}

/* Of setns, what is denied is a capability; fanotify knows one error. */
static bool takes_error(const struct policy_route *route, int error)
{
	return error == EPERM || (route->mechanism != MECHANISM_FANOTIFY &&
	                          (route->point != POINT_SETNS || route->effect != EFFECT_PREVENTS));
}

/* Ways to fail, the most telling last. */
enum why { WHY_NO_HOOK, WHY_ERROR, WHY_NOT_SYNCHRONOUS, WHY_REACTION, WHY_NAMES_NONE };

static bool is_fit(const struct policy *p, const struct policy_route *route, const struct policy_kernel *kernel,
                   enum why *why)
{
	enum why miss = WHY_NO_HOOK;
	if (!kernel->has[route->hook])
		miss = WHY_NO_HOOK;
	else if (!policy_route_follows(route) && !p->decisions[route->point].synchronous)
		miss = WHY_NOT_SYNCHRONOUS;
	else if (route->effect == EFFECT_REACTS && !follows_events(route->point) && !p->reaction)
		miss = WHY_REACTION;
	else if (route->mechanism == MECHANISM_FANOTIFY && !p->executables.count)
		miss = WHY_NAMES_NONE;
	else if (!takes_error(route, p->error))
		miss = WHY_ERROR;
	else
		return true;
	*why = MAX(*why, miss);
	return false;
}

const struct policy_route *policy_route_choose(const struct policy *p, enum policy_point point,
                                               const struct policy_kernel *kernel, const char **ret_why)
{
	static const char *const whys[] = {
	        [WHY_NO_HOOK] = "this kernel has no hook for it",
	        [WHY_ERROR] = "the hook that this kernel has for it gives no other error than EPERM",
	        [WHY_NOT_SYNCHRONOUS] = "its condition cannot be decided before it happens",
	        [WHY_REACTION] = "this kernel cannot prevent it, but only react to it",
	        [WHY_NAMES_NONE] =
	                "without proc.name, and with whole paths in proc.exepath, this kernel could prevent it",
	};
	enum why why = WHY_NO_HOOK;
	for (const struct policy_route *r = NULL; (r = policy_route_next(r));)
		if (r->action == p->action && r->point == point && is_fit(p, r, kernel, &why))
			return r;
	if (ret_why)
		*ret_why = whys[why];
	return NULL;
}

/* ---- all policies ---- */

static const char *missing_hook(const struct policy *p, enum policy_point point, const struct policy_kernel *kernel)
{
	static const char *const needs[] = {
#define GUARD_HOOK(id, name, what, needs) needs,
#include "schema/policy.def"
	};
	for (const struct policy_route *r = NULL; (r = policy_route_next(r));)
		if (r->action == p->action && r->point == point && r->effect != EFFECT_REACTS && !kernel->has[r->hook])
			return needs[r->hook];
	return NULL;
}

static bool check_point(const struct policy *p, enum policy_point point, const struct policy_kernel *kernel,
                        struct diag_list *diags)
{
	const char *why = NULL, *missing = missing_hook(p, point, kernel);
	if (policy_route_choose(p, point, kernel, &why))
		return true;
	struct diag *d = diag_add(diags, DIAG_ERROR, "POLICY_ERR_KERNEL", p->file, p->line, 1,
	                          "the policy '%s' cannot %s at %s: %s", p->name, policy_action_name(p->action),
	                          policy_point_name(point), why);
	if (p->action == ACTION_DENY && !p->reaction && missing)
		diag_set_hint(d,
		              "a kernel with %s could; or say 'reaction: allowed', and the process is killed after the "
		              "fact",
		              missing);
	else if (missing)
		diag_set_hint(d, "a kernel with %s could", missing);
	return false;
}

int policy_set_check_kernel(const struct policy_set *s, const struct policy_kernel *kernel,
                            struct diag_list *reterr_diags)
{
	bool good = true;
	for (size_t i = 0; i < policy_set_count(s); i++) {
		const struct policy *p = policy_set_get(s, i);
		for (enum policy_point point = 0; point < POINT_COUNT; point++)
			if (p->points & 1u << point)
				good = check_point(p, point, kernel, reterr_diags) && good;
	}
	return good ? 0 : -EOPNOTSUPP;
}
