/* SPDX-License-Identifier: Apache-2.0
 *
 * What guards want to know of processes and cannot read themselves: decided by the rules' evaluator whenever a process starts or
 * changes, and given to the kernel, which holds it void from the next change on.
 *
 * So that it is never about a process as it was before, it is decided when all events have been taken that were made until a moment
 * after its last one, and given with that moment: an exec after it, which the kernel knows of, makes it void.
 */
#include "core/policies_int.h"

#include <errno.h>

#include "base/clock.h"
#include "core/log.h"
#include "rule/steps.h"

#define SCRATCH_BYTES (1u << 20)

static struct enrich_key *told_of(struct policies *p, uint32_t pid)
{
	return &p->told[pid * 2654435761u % KNOWN_SLOTS];
}

static bool is_told(struct policies *p, const struct enrich_key *key)
{
	const struct enrich_key *told = told_of(p, key->pid);
	return told->pid == key->pid && told->start_ns == key->start_ns && told->version == key->version;
}

static bool wants_bits(const struct policies *p)
{
	return p->current.guards && p->current.bit_count > 0;
}

/* ---- who is to be told of ---- */

static void ask(void *userdata, const struct enrich_key *key)
{
	struct policies *p = userdata;
	if (is_told(p, key) || p->unknown_count == UNKNOWN_MAX)
		return;
	p->unknown[p->unknown_count++] = (struct unknown_process){.key = *key};
	*told_of(p, key->pid) = *key; /* once; forgotten if it comes to nothing */
}

void policies_know_event(struct policies *p, const struct enrich_view *view)
{
	const struct event_header *h = view->event.header;
	struct enrich_key key;
	if (!wants_bits(p))
		return;
	if (view->process)
		ask(p, &(struct enrich_key){h->pid, h->start_ns, view->source.version});
	if (enrich_changed_process(view->enrich, &key))
		ask(p, &key);
}

void policies_know_anew(struct policies *p)
{
	memset(p->told, 0, sizeof(p->told));
	p->unknown_count = 0;
	p->all_asked = false;
}

/* ---- telling the kernel ---- */

static void decide(const struct generation *g, const struct field_source *source, struct guard_process *process)
{
	_cleanup_(arena_done) struct arena scratch;
	arena_init(&scratch, SCRATCH_BYTES);
	for (size_t i = 0; i < g->bit_count; i++) {
		arena_reset(&scratch);
		if (filter_test_holds(g->bits[i], source, &scratch))
			process->bits[i / 64] |= 1ull << i % 64;
	}
}

/* Returns whether it counts. */
static bool tell(struct policies *p, const struct unknown_process *u)
{
	struct guard_knowledge k = {.tgid = u->key.pid, .time_ns = u->time_ns};
	struct enrich_process process;
	struct enrich_view view;
	struct enrich_actor a;
	if (!enrich_process_get(p->options.enrich, u->key.pid, u->key.start_ns, &process) ||
	    !enrich_view_process(p->options.enrich, &u->key, &view) || !enrich_actor_get(&view, &a))
		return false;
	k.process = (struct guard_process){
	        .start_ns = a.start_ns, .cgroup_id = a.cgroup_id, .uid = process.uid, .gid = process.gid};
	decide(&p->current, &view.source, &k.process);
	int r = guards_know(p->current.guards, &k);
	if (r < 0 && !p->bits_failed)
		log_error("what guards are to know of processes cannot be told: %s", strerror(-r));
	p->bits_failed = r < 0;
	return r == 0 && k.taken;
}

void policies_know(struct policies *p, const struct live *live)
{
	uint64_t now = 0, position = 0;
	size_t waiting = 0;
	if (!wants_bits(p))
		return;
	if (!p->all_asked)
		enrich_each_process(p->options.enrich, ask, p);
	p->all_asked = true;
	for (size_t i = 0; i < p->unknown_count; i++) {
		struct unknown_process u = p->unknown[i];
		if (!u.time_ns) {
			now = now ? now
			          : clock_boot_ns(); /* before the position: what was made until then stands before it */
			position = position ? position : live_position(live);
			u.time_ns = now;
			u.position = position;
		}
		if (!live_has_passed(live, u.position))
			p->unknown[waiting++] = u;
		else if (!tell(p, &u))
			*told_of(p, u.key.pid) = (struct enrich_key){0};
	}
	p->unknown_count = waiting;
}
