/* SPDX-License-Identifier: Apache-2.0
 *
 * Whom policies are for, as user space knows it: to judge by it, and to tell the kernel which control groups it means.
 */
#include "core/policies_int.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/file.h"
#include "core/log.h"

#define CONTAINER_ID_SHORT 12
#define GROUP_UNUSED_NS (60 * NS_PER_S)

/* ---- one policy, one process ---- */

static bool has_text(const struct policy_texts *texts, struct str text)
{
	for (size_t i = 0; i < texts->count; i++)
		if (str_equals(text, texts->items[i]))
			return true;
	return false;
}

static bool is_container(const char *wanted, const struct enrich_actor *a)
{
	struct str id = str_from(wanted);
	if (!a->contained)
		return str_equals(id, "host") && a->settled;
	return str_equals(id, "any") || str_equal(id, a->container_name) || str_equal(id, a->container_id) ||
	       (id.length == CONTAINER_ID_SHORT && str_starts_with(a->container_id, id));
}

static bool in_containers(const struct policy_texts *texts, const struct enrich_actor *a)
{
	for (size_t i = 0; i < texts->count; i++)
		if (is_container(texts->items[i], a))
			return true;
	return texts->count == 0;
}

/* The repository alone stands for all of its tags. */
static bool is_image(struct str wanted, const struct enrich_actor *a)
{
	if (!a->repository.length || !str_starts_with(wanted, a->repository))
		return false;
	struct str tag = str_make(wanted.data + a->repository.length, wanted.length - a->repository.length);
	return !tag.length ||
	       (tag.data[0] == ':' && a->tag.length && str_equal(str_make(tag.data + 1, tag.length - 1), a->tag));
}

static bool in_images(const struct policy_texts *texts, const struct enrich_actor *a)
{
	for (size_t i = 0; i < texts->count; i++)
		if (is_image(str_from(texts->items[i]), a))
			return true;
	return texts->count == 0;
}

static bool in_units(const struct policy_texts *texts, const struct enrich_actor *a)
{
	return texts->count == 0 || (a->unit.length && has_text(texts, a->unit));
}

static bool is_member(const struct policy *policy, const struct enrich_actor *a)
{
	return in_units(&policy->scope[SCOPE_UNIT], a) && in_containers(&policy->scope[SCOPE_CONTAINER], a) &&
	       in_images(&policy->scope[SCOPE_IMAGE], a);
}

static bool in_users(const struct guard_scope *s, uint32_t uid)
{
	for (uint32_t i = 0; i < s->users; i++)
		if (s->uids[i] == uid)
			return true;
	return s->users == 0;
}

static bool in_executables(const struct guard_scope *s, const struct enrich_actor *a)
{
	for (uint32_t i = 0; i < s->executables; i++)
		if (s->executable[i].inode == a->inode && s->executable[i].device == a->device)
			return true;
	return s->executables == 0;
}

static bool is_below(struct str path, struct str group)
{
	return str_starts_with(path, group) && (path.length == group.length || path.data[group.length] == '/');
}

/* Its path of the default hierarchy, where enrich holds that of another. */
static struct str read_cgroup(uint32_t pid, struct buf *text)
{
	char path[64];
	struct str rest, line, none = STR("");
	snprintf(path, sizeof(path), "/proc/%u/cgroup", pid);
	if (file_read(path, text) < 0)
		return none;
	rest = buf_str(text);
	while (str_next(&rest, '\n', &line))
		if (str_starts_with(line, STR("0::")))
			return str_make(line.data + 3, line.length - 3);
	return none;
}

struct str policies_cgroup_of(const struct enrich_actor *a, struct buf *text)
{
	return a->cgroup.length ? a->cgroup : read_cgroup(a->pid, text);
}

static bool in_cgroups(const struct policies *p, const struct policy_texts *texts, const struct enrich_actor *a)
{
	_cleanup_(buf_done) struct buf text;
	buf_init(&text, CGROUP_PATH_MAX * 4);
	if (!texts->count && !p->within)
		return true;
	struct str path = policies_cgroup_of(a, &text);
	bool found = !texts->count;
	for (size_t i = 0; i < texts->count && !found; i++)
		found = is_below(path, str_from(texts->items[i]));
	return found && (!p->within || is_below(path, str_from(p->within)));
}

bool policies_in_scope(const struct policies *p, const struct held *h, const struct enrich_actor *a)
{
	return in_users(&h->scope, a->uid) && in_executables(&h->scope, a) && is_member(h->policy, a) &&
	       in_cgroups(p, &h->policy->scope[SCOPE_CGROUP], a);
}

/* ---- what the kernel is told ---- */

struct seen_group {
	uint64_t id, used_ns;
	bool settled; /* what it is will not change */
};

static struct str key_of(const uint64_t *id)
{
	return str_make((const char *)id, sizeof(*id));
}

static struct seen_group *remember(struct policies *p, uint64_t id)
{
	struct seen_group *s = map_get(&p->seen, key_of(&id));
	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->id = id;
	if (map_put(&p->seen, key_of(&id), s, NULL) == 0)
		return s;
	free(s);
	return NULL;
}

/* What is in no container is so by itself: a group below it may be one. */
static enum guard_member how_member(const struct policy *policy, const struct enrich_actor *a)
{
	return a->contained || !policy->scope[SCOPE_CONTAINER].count ? GUARD_MEMBER_BELOW : GUARD_MEMBER_ALONE;
}

static void tell_group(struct policies *p, const struct enrich_actor *a)
{
	for (uint32_t i = 0; i < p->current.count; i++) {
		const struct held *h = &p->current.held[i];
		if (!h->scope.members || !is_member(h->policy, a))
			continue;
		int r = guards_put_member(p->current.guards, h->scope.members, a->cgroup_id, how_member(h->policy, a));
		if (r < 0 && !p->members_full)
			log_error("the policy %s is not in force in one more control group: %s", h->name,
			          r == -ENOSPC ? "there are too many" : strerror(-r));
		p->members_full |= r < 0;
	}
}

void policies_see(struct policies *p, const struct enrich_actor *a)
{
	if (!p->current.guards || !p->current.looks_up || !a->cgroup_id)
		return;
	struct seen_group *s = remember(p, a->cgroup_id);
	if (!s || s->settled)
		return;
	s->used_ns = clock_boot_ns();
	s->settled = a->settled;
	tell_group(p, a);
}

void policies_forget_groups(struct policies *p)
{
	size_t position = 0;
	struct str key;
	void *s;
	while (map_next(&p->seen, &position, &key, &s))
		free(s);
	map_done(&p->seen);
	map_init(&p->seen, GUARD_MEMBERS_MAX);
	p->members_full = false;
}

static void see(void *userdata, const struct enrich_actor *a)
{
	policies_see(userdata, a);
}

void policies_see_all(struct policies *p)
{
	policies_forget_groups(p);
	if (p->current.looks_up)
		enrich_each_actor(p->options.enrich, see, p);
}

static void mark(void *userdata, const struct enrich_actor *a)
{
	struct policies *p = userdata;
	struct seen_group *s = map_get(&p->seen, key_of(&a->cgroup_id));
	if (s)
		s->used_ns = p->groups_checked_ns;
}

static void remove_group(struct policies *p, const struct seen_group *s)
{
	for (uint32_t i = 0; i < p->current.count; i++)
		if (p->current.held[i].scope.members)
			guards_remove_member(p->current.guards, p->current.held[i].scope.members, s->id);
}

void policies_check_groups(struct policies *p)
{
	uint64_t now = clock_boot_ns();
	size_t position = 0;
	struct str key;
	void *item;
	if (!p->current.guards || now < p->groups_checked_ns + GROUP_UNUSED_NS / 2)
		return;
	p->groups_checked_ns = now;
	enrich_each_actor(p->options.enrich, mark, p);
	while (map_next(&p->seen, &position, &key, &item)) {
		struct seen_group *s = item;
		if (now < s->used_ns + GROUP_UNUSED_NS)
			continue;
		remove_group(p, s);
		map_remove(&p->seen, key);
		free(s);
	}
}
