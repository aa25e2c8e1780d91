/* SPDX-License-Identifier: Apache-2.0
 *
 * What picket itself does when an event matches a policy: it raises an alert, or kills the process after the fact. Whether it may
 * is decided where guards decide, in the kernel: by mode, breaker, lease and protected programs.
 */
#include "core/policies_int.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "core/log.h"

#define EVERYTHING_BYTES 4096

/* ---- guests of the rules ---- */

/* For a policy without a condition: all that happens at its points. */
static int make_everything(uint32_t points, struct diag_list *diags, struct filter **ret_filter)
{
	_cleanup_(buf_done) struct buf text;
	bool any = false;
	buf_init(&text, EVERYTHING_BYTES);
	buf_add_text(&text, "evt.type in (");
	for (unsigned type = 1; type < EVENT_TYPE_MAX; type++) {
		bool here = false;
		for (enum policy_point point = 0; point < POINT_COUNT; point++)
			here |= points & 1u << point && policy_point_has_event(point, type);
		if (!here || !event_type_info(type)->name)
			continue;
		buf_printf(&text, "%s%s", any ? ", " : "", event_type_info(type)->name);
		any = true;
	}
	buf_add_char(&text, ')');
	if (buf_error(&text) < 0)
		return buf_error(&text);
	return filter_new(buf_str(&text), "policy", diags, ret_filter);
}

void policies_free_filters(struct filter **everything)
{
	for (size_t i = 0; everything && i < GUARD_POLICIES_MAX; i++)
		filter_free(everything[i]);
	free(everything);
}

int policies_add_guests(struct generation *g, struct rule_set *rules, struct diag_list *reterr_diags)
{
	struct rule_guest guests[GUARD_POLICIES_MAX];
	size_t count = 0;
	g->everything = calloc(GUARD_POLICIES_MAX, sizeof(struct filter *));
	if (!g->everything)
		return -ENOMEM;
	for (size_t i = 0; i < g->count; i++) {
		const struct held *h = &g->held[i];
		if (!h->reacts)
			continue;
		int r = h->policy->condition ? 0 : make_everything(h->reacts, reterr_diags, &g->everything[i]);
		if (r < 0)
			return r;
		guests[count++] =
		        (struct rule_guest){h->name, h->policy->condition ? h->policy->condition : g->everything[i], h};
	}
	return count ? rule_set_add_guests(rules, guests, count) : 0;
}

/* ---- the process ---- */

static bool is_alive(int pidfd)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	return poll(&p, 1, 0) == 0;
}

/* In /proc, times are in hundredths of a second: two processes cannot have a number after each other within one. */
static bool started_at(uint32_t pid, uint64_t start_ns)
{
	struct policies_stat stat;
	return policies_read_stat(pid, &stat) &&
	       stat.start_ticks == start_ns / (NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
}

/* The process of an event, if it lives. Returns a descriptor; -ESRCH: it has ended. */
static int open_process(uint32_t pid, uint64_t start_ns)
{
	_cleanup_(base_close_fd) int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		return -errno;
	return started_at(pid, start_ns) && is_alive(pidfd) ? TAKE_FD(pidfd) : -ESRCH;
}

/* ---- killing ---- */

static bool was_killed(const struct policies *p, const struct enrich_actor *a)
{
	for (size_t i = 0; i < KILLED_REMEMBERED; i++)
		if (p->killed[i].pid == a->pid && p->killed[i].start_ns == a->start_ns)
			return true;
	return false;
}

/* Returns what is to be told. */
static uint32_t react(struct policies *p, uint32_t index, const struct enrich_actor *a, const struct enrich_view *view)
{
	struct guard_reaction reaction = {
	        .policy = index, .tgid = a->pid, .executables = {{.inode = a->inode, .device = a->device}}};
	if (was_killed(p, a))
		return GUARD_SPARED;
	_cleanup_(base_close_fd) int pidfd = open_process(a->pid, a->start_ns);
	if (pidfd < 0)
		return GUARD_ENDED;
	/* What is this late is no longer an answer. */
	if (clock_boot_ns() > view->event.header->time_ns + POLICIES_LEASE_NS)
		return GUARD_WOULD_ACT;
	if (policies_spare(p, a->pid))
		return GUARD_SPARED;
	reaction.executables[1] = policies_program_of(a->pid);
	int r = guards_react(p->current.guards, &reaction);
	if (r < 0)
		log_error("the kernel does not say whether a policy may act: %s", strerror(-r));
	if (r < 0 || reaction.verdict != GUARD_ACTED)
		return r < 0 ? GUARD_SPARED : reaction.verdict;
	if (syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) == 0) {
		p->killed[p->killed_count++ % KILLED_REMEMBERED] = (struct killed){a->start_ns, a->pid};
		return GUARD_ACTED;
	}
	if (errno != ESRCH)
		log_error("a process cannot be killed: %s", strerror(errno));
	return GUARD_ENDED;
}

static uint32_t carry_out(struct policies *p, uint32_t index, const struct enrich_actor *a,
                          const struct enrich_view *view)
{
	switch (p->current.held[index].policy->action) {
	case ACTION_ALERT:
		return GUARD_MATCHED;
	case ACTION_QUARANTINE:
		return policies_quarantine(p, index, a);
	default:
		return react(p, index, a, view);
	}
}

/* ---- a match ---- */

/* Which of its points it is about; -1: none. */
static int point_of(const struct held *h, enum event_type type)
{
	for (enum policy_point point = 0; point < POINT_COUNT; point++)
		if (h->reacts & 1u << point && policy_point_has_event(point, type))
			return (int)point;
	return -1;
}

void policies_matched(void *policies, const struct rule *guest, struct enrich_view *view, struct arena *arena)
{
	struct policies *p = policies;
	const struct held *h = guest->owner;
	struct enrich_actor a;
	int point = point_of(h, view->event.header->type);
	if (!p->current.guards || point < 0 || !enrich_actor_get(view, &a) || !policies_in_scope(p, h, &a))
		return;
	uint32_t index = (uint32_t)(h - p->current.held);
	const struct guard_verdict v = {
	        .time_ns = view->event.header->time_ns,
	        .policy = index,
	        .version = h->version,
	        .point = GUARD_AFTER + (uint32_t)point,
	        .kind = carry_out(p, index, &a, view),
	        .pid = view->event.header->tid,
	        .tgid = a.pid,
	};
	if (v.kind == GUARD_TRIPPED)
		policies_release_of(p, h->name);
	if (v.kind != GUARD_SPARED)
		policies_tell_after(p, h, &v, view, arena);
}
