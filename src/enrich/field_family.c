/* SPDX-License-Identifier: Apache-2.0 */
#include "enrich/field_family.h"

static uint32_t group_id(const struct process *p, enum family_group group)
{
	return group == FAMILY_SESSION ? p->state.sid : p->state.pgid;
}

const struct process *family_leader(const struct process_table *t, const struct process *p, enum family_group group)
{
	uint32_t id = group_id(p, group);
	const struct process *leader = NULL;
	if (id == 0)
		return NULL;
	if (id == p->pid)
		return p;
	/* A living process of that number is the leader: the kernel keeps the number while its group has members. */
	leader = process_find(t, id, 0);
	if (leader)
		return leader;
	for (unsigned n = 1; n <= ANCESTORS_MAX; n++) {
		const struct process *ancestor = process_ancestor(p, n);
		if (!ancestor || ancestor->partial || group_id(ancestor, group) != id)
			break;
		leader = ancestor;
	}
	return leader;
}

const struct process *family_login_shell(const struct process *p)
{
	const struct process *found = NULL;
	for (unsigned n = 0; n <= ANCESTORS_MAX; n++) {
		const struct process *ancestor = process_ancestor(p, n);
		if (!ancestor)
			break;
		if (str_ends_with(str_make(ancestor->comm, strnlen(ancestor->comm, sizeof(ancestor->comm))), STR("sh")))
			found = ancestor;
	}
	return found;
}
