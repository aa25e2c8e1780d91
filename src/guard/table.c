/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/table_int.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

#define CODE_TABLE "POLICY_ERR_GUARD"
#define SENTENCE_MAX 1024
#define SCRATCH_BYTES_MAX (64u << 20)

struct diag *table_error(struct table_maker *m, const char *format, ...)
{
	char text[SENTENCE_MAX];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	m->failed = true;
	return diag_add(m->diags, DIAG_ERROR, CODE_TABLE, m->policy->file, m->policy->line, 1, "the policy '%s': %s",
	                m->policy->name, text);
}

/* Where the guard of a route acts that does not follow events. */
static enum guard_point guard_point_of(const struct policy_route *route)
{
	static const enum guard_point points[POINT_COUNT] = {
	        [POINT_CONNECT] = GUARD_AT_CONNECT,
	        [POINT_BIND] = GUARD_AT_BIND,
	        [POINT_SENDMSG] = GUARD_AT_SENDMSG,
	        [POINT_FILE_OPEN] = GUARD_AT_FILE_OPEN,
	        [POINT_FILE_WRITE] = GUARD_AT_FILE_WRITE,
	        [POINT_FILE_RENAME] = GUARD_AT_FILE_RENAME,
	        [POINT_FILE_UNLINK] = GUARD_AT_FILE_UNLINK,
	        [POINT_PTRACE] = GUARD_AT_PTRACE,
	        [POINT_MODULE_LOAD] = GUARD_AT_MODULE_LOAD,
	        [POINT_BPF_LOAD] = GUARD_AT_BPF_LOAD,
	        [POINT_MOUNT] = GUARD_AT_MOUNT,
	        [POINT_SETNS] = GUARD_AT_SETNS,
	        [POINT_DEVICE] = GUARD_AT_DEVICE,
	        [POINT_SYSCTL_WRITE] = GUARD_AT_SYSCTL_WRITE,
	};
	if (route->point == POINT_EXEC)
		return route->hook == GUARD_HOOK_SIGNAL_EXEC ? GUARD_AT_EXEC : GUARD_AT_EXEC_CHECK;
	if (route->point == POINT_FORK)
		return route->hook == GUARD_HOOK_SIGNAL_FORK ? GUARD_AT_FORK_DONE : GUARD_AT_FORK;
	return points[route->point];
}

/* ---- formulas ---- */

static bool add_step(struct table_maker *m, struct guard_formula *f, enum guard_step_kind kind, size_t operand)
{
	if (f->count == GUARD_STEPS_MAX || operand > UINT16_MAX) {
		table_error(m, "its condition is too long for a guard: more than %d steps", GUARD_STEPS_MAX);
		return false;
	}
	f->steps[f->count++] = (struct guard_step){.kind = (uint16_t)kind, .operand = (uint16_t)operand};
	return true;
}

/* Tests of texts and numbers ask for a subject, others do not. */
static void ask_for(struct guard_point_policies *list, const struct guard_test *test)
{
	if (test->how == GUARD_TRUE || test->how == GUARD_FALSE || test->how == GUARD_BIT)
		return;
	list->subjects |= 1u << test->subject;
	if (test->how == GUARD_ENDS)
		list->ends |= 1u << test->subject;
}

static bool add_test(struct table_maker *m, enum policy_point point, const struct filter_test *test,
                     struct guard_formula *f)
{
	uint32_t index = 0;
	bool negated = false;
	if (!table_test(m, point, test, &index, &negated))
		return false;
	ask_for(m->list, &m->table->tests[index]);
	return add_step(m, f, GUARD_STEP_TEST, index) && (!negated || add_step(m, f, GUARD_STEP_NOT, 0));
}

static bool add_steps(struct table_maker *m, enum policy_point point, const struct filter_step *steps, size_t count,
                      struct guard_formula *f)
{
	static const enum guard_step_kind kinds[] = {[FILTER_STEP_NOT] = GUARD_STEP_NOT,
	                                             [FILTER_STEP_ALL] = GUARD_STEP_ALL,
	                                             [FILTER_STEP_ANY] = GUARD_STEP_ANY};
	bool good = true;
	for (size_t i = 0; i < count && good; i++)
		good = steps[i].kind == FILTER_STEP_TEST ? add_test(m, point, steps[i].test, f)
		                                         : add_step(m, f, kinds[steps[i].kind], steps[i].count);
	return good;
}

static bool same_steps(const struct filter_step *a, size_t a_count, const struct filter_step *b, size_t b_count)
{
	for (size_t i = 0; i < a_count && a_count == b_count; i++)
		if (a[i].kind != b[i].kind || a[i].count != b[i].count ||
		    (a[i].test && a[i].test->origin != b[i].test->origin))
			return false;
	return a_count == b_count;
}

struct alternatives { /* of the kinds of events of a point */
	const struct filter_step *steps[EVENT_TYPE_MAX];
	size_t counts[EVENT_TYPE_MAX];
	size_t count;
	bool always;
};

static bool find_alternatives(struct table_maker *m, enum policy_point point, struct alternatives *a)
{
	for (unsigned type = 1; type < EVENT_TYPE_MAX; type++) {
		const struct filter_step *steps;
		size_t count;
		bool known = false;
		if (!event_type_info(type)->name || !policy_point_has_event(point, type))
			continue;
		int r = filter_steps(m->policy->condition, type, &m->scratch, &steps, &count);
		if (r < 0) {
			m->error = r == -ENOMEM ? r : m->error;
			table_error(m, "its condition is too long for a guard");
			return false;
		}
		a->always |= steps[0].kind == FILTER_STEP_TRUE;
		for (size_t i = 0; i < a->count; i++)
			known |= same_steps(a->steps[i], a->counts[i], steps, count);
		if (steps[0].kind == FILTER_STEP_TRUE || steps[0].kind == FILTER_STEP_FALSE || known)
			continue;
		a->steps[a->count] = steps;
		a->counts[a->count++] = count;
	}
	return true;
}

/* A guard does not see by which call: what holds for any of them holds. */
static bool make_formula(struct table_maker *m, enum policy_point point, struct guard_formula *f)
{
	struct alternatives a = {.count = 0};
	if (!m->policy->condition)
		return true;
	if (!find_alternatives(m, point, &a))
		return false;
	bool good = true;
	for (size_t i = 0; i < a.count && !a.always && good; i++)
		good = add_steps(m, point, a.steps[i], a.counts[i], f);
	return good && (a.count < 2 || a.always || add_step(m, f, GUARD_STEP_ANY, a.count));
}

/* Any of the devices. Those that are told apart by the same numbers are one test. */
static bool make_devices(struct table_maker *m, struct guard_formula *f)
{
	static const enum guard_subject subjects[] = {GUARD_DEVICE, GUARD_DEVICE_MAJOR, GUARD_DEVICE_KIND};
	size_t tests = 0;
	for (size_t i = 0; i < ARRAY_SIZE(subjects); i++) {
		uint32_t index;
		bool any = false;
		if (!table_devices(m, subjects[i], &index, &any))
			return false;
		if (!any)
			continue;
		ask_for(m->list, &m->table->tests[index]);
		if (!add_step(m, f, GUARD_STEP_TEST, index))
			return false;
		tests++;
	}
	return tests < 2 || add_step(m, f, GUARD_STEP_ANY, tests);
}

/* ---- policies ---- */

/* What user space does, because it is about what has happened. */
static bool add_reaction(struct table_maker *m, enum policy_point point, uint32_t index)
{
	if (!m->options->judged)
		table_error(m, "at %s it acts after the fact, for which picket must run: picket run --policies",
		            policy_point_name(point));
	else if (m->policy->device_count)
		table_error(m, "after the fact, picket does not know the numbers of a device");
	m->table->reacts[index] |= 1u << point;
	m->table->image.reactions |= m->policy->action != ACTION_ALERT;
	m->table->image.quarantines |= m->policy->action == ACTION_QUARANTINE;
	return !m->failed;
}

static bool is_listed(const struct guard_image *image, const char *executable)
{
	for (size_t i = 0; i < image->executable_count; i++)
		if (strcmp(image->executables[i], executable) == 0)
			return true;
	return false;
}

static bool add_executables(struct table_maker *m)
{
	struct guard_image *image = &m->table->image;
	if (m->policy->persist_ns) {
		table_error(m, "it cannot persist: picket answers before programs start");
		return false;
	}
	for (size_t i = 0; i < m->policy->executables.count; i++) {
		const char *executable = m->policy->executables.items[i];
		if (is_listed(image, executable))
			continue;
		if (image->executable_count == GUARD_EXECUTABLES_MAX) {
			table_error(m, "policies name more than %d executables", GUARD_EXECUTABLES_MAX);
			return false;
		}
		m->table->executables[image->executable_count++] = executable;
	}
	return true;
}

static bool add_point(struct table_maker *m, enum policy_point point, uint32_t index, struct guard_policy *p)
{
	const char *why = NULL;
	const struct policy_route *route = policy_route_choose(m->policy, point, m->kernel, &why);
	if (!route) {
		table_error(m, "%s", why);
		return false;
	}
	if (policy_route_follows(route))
		return add_reaction(m, point, index);
	const enum guard_point at = guard_point_of(route);
	struct guard_point_policies *list = &m->table->image.points[at];
	if (list->count == GUARD_POINT_POLICIES_MAX) {
		table_error(m, "more than %d policies act at %s", GUARD_POINT_POLICIES_MAX, policy_point_name(point));
		return false;
	}
	if (route->mechanism == MECHANISM_FANOTIFY && !add_executables(m))
		return false;
	list->policies[list->count++] = index;
	p->points |= 1u << at;
	m->list = list;
	return m->policy->device_count ? make_devices(m, &p->formulas[at]) : make_formula(m, point, &p->formulas[at]);
}

/* Without picket nobody says of a new process what it is, or of a new control group whose. */
static bool can_persist(struct table_maker *m, const struct policy *policy)
{
	static const enum policy_scope_kind looked_up[] = {SCOPE_UNIT, SCOPE_CONTAINER, SCOPE_IMAGE};
	if (!policy->persist_ns)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(looked_up); i++)
		if (policy->scope[looked_up[i]].count) {
			table_error(m, "it cannot persist: picket looks up which %s a control group is of",
			            policy_scope_name(looked_up[i]));
			return false;
		}
	for (enum policy_point point = 0; point < POINT_COUNT; point++) {
		const struct policy_decision *d = &policy->decisions[point];
		for (size_t i = 0; policy->points & 1u << point && i < d->count; i++)
			if (d->tests[i].how != HOW_READ) {
				table_error(m, "it cannot persist: picket decides %.200s", d->tests[i].text);
				return false;
			}
	}
	return true;
}

static void compile(struct table_maker *m, const struct policy *policy)
{
	struct guard_image *image = &m->table->image;
	uint32_t index = (uint32_t)image->policy_count;
	m->policy = policy;
	if (index == GUARD_POLICIES_MAX) {
		table_error(m, "it is one too many: the kernel holds %d", GUARD_POLICIES_MAX);
		return;
	}
	struct guard_policy *p = &m->table->policies[index];
	uint64_t interval_ns = policy->rate ? policy->rate_seconds * NS_PER_S / policy->rate : 0;
	*p = (struct guard_policy){
	        .version = policy->version,
	        .action = policy->action,
	        .mode = policy->mode,
	        .persist_ns = m->options->trial ? 0 : policy->persist_ns,
	        .error = (uint32_t)policy->error,
	        .budget_actions = policy->budget.actions,
	        .budget_processes = policy->budget.processes,
	        .budget_share = policy->budget.share,
	        .interval_ns = interval_ns,
	        .burst_ns = interval_ns * policy->burst,
	};
	snprintf(p->name, sizeof(p->name), "%s", policy->name);
	bool good = can_persist(m, policy) && table_scope(m, index, &p->scope);
	for (enum policy_point point = 0; point < POINT_COUNT && good; point++)
		if (policy->points & 1u << point)
			good = add_point(m, point, index, p);
	m->table->sources[index] = policy;
	m->table->modes[index] = policy->mode;
	image->policy_count++;
}

static void point_image(struct guard_table *t)
{
	t->image.policies = t->policies;
	t->image.modes = t->modes;
	t->image.tests = t->tests;
	t->image.texts = t->texts;
	t->image.numbers = t->numbers;
	t->image.nets = t->nets;
	t->image.protected = t->protected;
	t->image.executables = t->executables;
}

int guard_table_new(const struct policy_set *set, const struct policy_kernel *kernel,
                    const struct guard_table_options *options, struct diag_list *reterr_diags,
                    struct guard_table **ret_table)
{
	struct guard_table *t = calloc(1, sizeof(*t));
	struct table_maker m = {.table = t, .kernel = kernel, .options = options, .diags = reterr_diags};
	if (!t)
		return -ENOMEM;
	arena_init(&m.scratch, SCRATCH_BYTES_MAX);
	point_image(t);
	if (table_within(&m)) {
		t->image.protected_count = guard_protected(t->protected);
		for (size_t i = 0; i < policy_set_count(set) && !m.error; i++)
			if (policy_set_get(set, i)->action != ACTION_ALERT || options->judged)
				compile(&m, policy_set_get(set, i));
	}
	arena_done(&m.scratch);
	if (m.error || m.failed) {
		guard_table_free(t);
		return m.error ? m.error : -EINVAL;
	}
	*ret_table = t;
	return 0;
}

void guard_table_free(struct guard_table *t)
{
	free(t);
}

const struct guard_image *guard_table_image(const struct guard_table *t)
{
	return &t->image;
}

const struct policy *guard_table_policy(const struct guard_table *t, uint32_t index)
{
	return index < t->image.policy_count ? t->sources[index] : NULL;
}

uint32_t guard_table_reacts(const struct guard_table *t, uint32_t index)
{
	return index < t->image.policy_count ? t->reacts[index] : 0;
}

const struct cond_test *const *guard_table_bits(const struct guard_table *t, size_t *ret_count)
{
	*ret_count = t->bit_count;
	return t->bits;
}
