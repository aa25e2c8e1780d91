/* SPDX-License-Identifier: Apache-2.0 */
#include "core/narrow.h"

#include <errno.h>

void narrow_init(struct narrow *n, struct loader *loader, struct enrich *enrich)
{
	*n = (struct narrow){.loader = loader, .enrich = enrich};
}

static void pending_drop(struct narrow *n)
{
	for (size_t i = 0; i < n->pending_count; i++)
		loader_process_done(&n->pending[i].process);
	n->pending_count = 0;
}

void narrow_done(struct narrow *n)
{
	pending_drop(n);
}

void narrow_set(struct narrow *n, struct rule_programs *programs)
{
	pending_drop(n);
	memset(n->slots, 0, sizeof(n->slots));
	n->programs = programs;
	loader_processes_forget(n->loader);
}

void narrow_keep(struct narrow *n, const struct event_set *types)
{
	if (memcmp(&n->kept, types, sizeof(*types)) == 0)
		return;
	n->kept = *types;
	loader_processes_forget(n->loader);
}

static struct narrow_slot *slot_of(struct narrow *n, const struct event_header *h, uint64_t version)
{
	struct narrow_slot *s = &n->slots[(h->pid * 2654435761u >> 16) % NARROW_SLOTS];
	if (s->pid != h->pid || s->start_ns != h->start_ns || s->version != version)
		*s = (struct narrow_slot){.pid = h->pid, .start_ns = h->start_ns, .version = version};
	return s;
}

void narrow_event(struct narrow *n, const struct enrich_view *view, struct arena *arena)
{
	const struct event_header *h = view->event.header;
	if (!n->programs || !view->process || n->pending_count == NARROW_PENDING_MAX)
		return;
	struct narrow_slot *s = slot_of(n, h, view->source.version);
	if (++s->count < NARROW_AFTER)
		return;
	s->count = 0;
	rule_programs_settle(n->programs, &view->source, arena);
	struct narrow_pending *p = &n->pending[n->pending_count];
	if (loader_process_begin(n->loader, h->pid, h->start_ns, &p->process) < 0)
		return;
	p->pid = h->pid;
	n->pending_count++;
}

/* Types whose events the tables need are told in any case; of those that open files only open and openat say in the call
 * whether the file may have been made. */
static void keep_types(const struct event_set *kept, uint64_t types[4])
{
	for (unsigned type = 1; type < EVENT_TYPE_MAX; type++)
		if (enrich_needs(type) || type == EVENT_openat2 || type == EVENT_creat || event_set_has(kept, type))
			types[type / 64] |= 1ull << type % 64;
}

static void tell(struct narrow *n, struct narrow_pending *pending)
{
	struct sieve_process *to = &pending->process.value;
	struct enrich_process p;
	struct rule_live live;
	if (!enrich_process_get(n->enrich, pending->pid, to->start_ns, &p) || p.note->version != p.version ||
	    !rule_programs_live(n->programs, p.note, &live))
		return;
	_Static_assert(sizeof(to->types) == sizeof(live.types) && sizeof(to->rules) == sizeof(live.rules),
	               "both have a bit for each");
	keep_types(&n->kept, live.types);
	memcpy(to->types, live.types, sizeof(to->types));
	memcpy(to->rules, live.rules, sizeof(to->rules));
	to->uid = p.uid;
	to->gid = p.gid;
	to->ppid = p.ppid;
	n->told += loader_process_set(n->loader, &pending->process) == 0;
}

void narrow_check(struct narrow *n)
{
	uint64_t outdated = enrich_process_outdated(n->enrich);
	size_t waiting = 0;
	if (outdated != n->outdated)
		loader_processes_forget(n->loader);
	n->outdated = outdated;
	for (size_t i = 0; i < n->pending_count; i++) {
		if (!loader_process_is_ready(n->loader, &n->pending[i].process)) {
			n->pending[waiting++] = n->pending[i];
			continue;
		}
		tell(n, &n->pending[i]);
		loader_process_done(&n->pending[i].process);
	}
	n->pending_count = waiting;
}
