/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/inventory_int.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>

#include "loader/owner.h"

#define PROGRAM_MAPS_MAX 64
#define GUARD_PREFIX "guard_"

struct inventory_item *inventory_find(struct inventory *inventory, enum inventory_kind kind, uint32_t id)
{
	for (size_t i = 0; i < inventory->item_count; i++)
		if (inventory->items[i].kind == kind && inventory->items[i].id == id)
			return &inventory->items[i];
	return NULL;
}

static void add(struct inventory *inventory, const struct inventory_item *item)
{
	if (inventory->item_count == INVENTORY_ITEMS_MAX)
		inventory->cut = true;
	else
		inventory->items[inventory->item_count++] = *item;
}

static void set_name(struct inventory_item *item, const char *name)
{
	memcpy(item->name, name, sizeof(item->name) - 1);
}

/* ---- the kernel's lists: what is gone by the time that we look at it is passed over ---- */

typedef void (*looker)(struct inventory *inventory, uint32_t id, int fd, const void *userdata);

static int each(struct inventory *inventory, int (*next)(uint32_t id, uint32_t *ret_next), int (*get)(uint32_t id),
                looker look, const void *userdata)
{
	uint32_t id = 0;
	while (next(id, &id) == 0) {
		_cleanup_(base_close_fd) int fd = get(id);
		if (fd < 0 && errno != ENOENT)
			return -errno;
		if (fd >= 0)
			look(inventory, id, fd, userdata);
	}
	return errno == ENOENT ? 0 : -errno;
}

static void look_for_owner(struct inventory *inventory, uint32_t id, int fd, const void *instance)
{
	struct inventory_owner owner = {.map = id};
	struct bpf_map_info info = {};
	uint32_t length = sizeof(info);
	if (bpf_obj_get_info_by_fd(fd, &info, &length) || strcmp(info.name, OWNER_MAP) != 0 ||
	    info.value_size != sizeof(owner.is) || owner_read(fd, &owner.is) < 0)
		return;
	if (instance && strcmp(instance, owner.is.instance) != 0)
		return;
	if (inventory->owner_count == INVENTORY_INSTANCES_MAX)
		inventory->cut = true;
	else
		inventory->owners[inventory->owner_count++] = owner;
}

static bool find_owner(const struct inventory *inventory, const uint32_t *maps, size_t count, uint32_t *ret_owner)
{
	for (size_t i = 0; i < count; i++)
		for (uint32_t k = 0; k < inventory->owner_count; k++)
			if (maps[i] == inventory->owners[k].map) {
				*ret_owner = k;
				return true;
			}
	return false;
}

static void look_at_program(struct inventory *inventory, uint32_t id, int fd, const void *userdata)
{
	uint32_t maps[PROGRAM_MAPS_MAX];
	struct bpf_prog_info info = {.map_ids = (uintptr_t)maps, .nr_map_ids = PROGRAM_MAPS_MAX};
	struct inventory_item item = {.kind = INVENTORY_PROGRAM, .id = id};
	uint32_t length = sizeof(info);
	(void)userdata;
	if (bpf_obj_get_info_by_fd(fd, &info, &length) ||
	    !find_owner(inventory, maps, MIN(info.nr_map_ids, (uint32_t)PROGRAM_MAPS_MAX), &item.owner))
		return;
	set_name(&item, info.name);
	item.type = libbpf_bpf_prog_type_str(info.type);
	item.guard = str_starts_with(str_from(item.name), STR(GUARD_PREFIX));
	add(inventory, &item);
	for (size_t i = 0; i < MIN(info.nr_map_ids, (uint32_t)PROGRAM_MAPS_MAX); i++)
		if (!inventory_find(inventory, INVENTORY_MAP, maps[i]))
			add(inventory,
			    &(struct inventory_item){.kind = INVENTORY_MAP, .id = maps[i], .owner = item.owner});
}

static void look_at_map(struct inventory *inventory, uint32_t id, int fd, const void *userdata)
{
	struct inventory_item *item = inventory_find(inventory, INVENTORY_MAP, id);
	struct bpf_map_info info = {};
	uint32_t length = sizeof(info);
	(void)userdata;
	if (!item || bpf_obj_get_info_by_fd(fd, &info, &length))
		return;
	set_name(item, info.name);
	item->type = libbpf_bpf_map_type_str(info.type);
	item->guard = str_starts_with(str_from(item->name), STR(GUARD_PREFIX));
}

/* Of links that the kernel lets others detach, it forgets where they were. */
static void look_at_link(struct inventory *inventory, uint32_t id, int fd, const void *userdata)
{
	struct inventory_item item = {.kind = INVENTORY_LINK, .id = id, .attached = true};
	struct bpf_link_info info = {};
	uint32_t length = sizeof(info);
	(void)userdata;
	const struct inventory_item *program = bpf_obj_get_info_by_fd(fd, &info, &length)
	                                               ? NULL
	                                               : inventory_find(inventory, INVENTORY_PROGRAM, info.prog_id);
	if (!program)
		return;
	item.owner = program->owner;
	item.program = program->id;
	item.guard = program->guard;
	item.type = libbpf_bpf_link_type_str(info.type);
	set_name(&item, program->name);
	if (info.type == BPF_LINK_TYPE_CGROUP) {
		item.detachable = true;
		item.cgroup_id = info.cgroup.cgroup_id;
		item.attached = item.cgroup_id != 0;
	}
	add(inventory, &item);
}

/* ---- policies ---- */

static int open_map(const struct inventory *inventory, uint32_t owner, const char *name, uint32_t value_size)
{
	for (size_t i = 0; i < inventory->item_count; i++) {
		const struct inventory_item *item = &inventory->items[i];
		struct bpf_map_info info = {};
		uint32_t length = sizeof(info);
		if (item->kind != INVENTORY_MAP || item->owner != owner || strcmp(item->name, name) != 0)
			continue;
		_cleanup_(base_close_fd) int fd = bpf_map_get_fd_by_id(item->id);
		bool fits = fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &length) == 0 && info.value_size == value_size;
		return fits ? TAKE_FD(fd) : -1;
	}
	return -1;
}

/* Of guards that are of this version; what those of others look like is not known. */
static void add_policies(struct inventory *inventory, uint32_t owner)
{
	_cleanup_(base_close_fd) int policies =
	        open_map(inventory, owner, "guard_policies", sizeof(struct guard_policy));
	_cleanup_(base_close_fd) int states = open_map(inventory, owner, "guard_states", sizeof(struct guard_state));
	for (uint32_t i = 0; policies >= 0 && states >= 0 && i < GUARD_POLICIES_MAX; i++) {
		struct guard_policy policy;
		struct guard_state state;
		if (bpf_map_lookup_elem(policies, &i, &policy) || bpf_map_lookup_elem(states, &i, &state) ||
		    !policy.name[0])
			continue;
		if (inventory->policy_count == INVENTORY_POLICIES_MAX) {
			inventory->cut = true;
			return;
		}
		struct inventory_policy *p = &inventory->policies[inventory->policy_count++];
		*p = (struct inventory_policy){.owner = owner, .mode = state.mode, .tripped = state.tripped};
		memcpy(p->name, policy.name, sizeof(p->name) - 1);
	}
}

const char *inventory_pin_of(const struct inventory *inventory, const struct inventory_item *item)
{
	for (size_t i = 0; i < inventory->pin_count; i++)
		if (item->kind == inventory->pins[i].kind && item->id == inventory->pins[i].id)
			return inventory->pins[i].path;
	return NULL;
}

static bool is_held(const struct inventory *inventory, uint32_t owner)
{
	for (size_t i = 0; i < inventory->item_count; i++) {
		const struct inventory_item *item = &inventory->items[i];
		if (item->owner != owner)
			continue;
		if (item->holder_count > 0)
			return true;
		if (inventory_pin_of(inventory, item))
			return true;
	}
	return false;
}

bool inventory_is_settled(const struct inventory *inventory)
{
	for (size_t i = 0; i < inventory->item_count; i++)
		if (!is_held(inventory, inventory->items[i].owner))
			return false;
	return true;
}

int inventory_take(const char *instance, struct inventory **ret_inventory)
{
	_cleanup_(base_free_ptr) struct inventory *inventory = calloc(1, sizeof(*inventory));
	if (!inventory)
		return -ENOMEM;
	int r = each(inventory, bpf_map_get_next_id, bpf_map_get_fd_by_id, look_for_owner, instance);
	if (r == 0)
		r = each(inventory, bpf_prog_get_next_id, bpf_prog_get_fd_by_id, look_at_program, NULL);
	if (r == 0)
		r = each(inventory, bpf_map_get_next_id, bpf_map_get_fd_by_id, look_at_map, NULL);
	if (r == 0)
		r = each(inventory, bpf_link_get_next_id, bpf_link_get_fd_by_id, look_at_link, NULL);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < inventory->owner_count; i++)
		add_policies(inventory, i);
	inventory_add_holders(inventory);
	inventory_add_pins(inventory, instance);
	*ret_inventory = TAKE_PTR(inventory);
	return 0;
}
