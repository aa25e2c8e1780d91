/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/disarm.h"

#include <stdio.h>

#include "cli/ui.h"
#include "guard/policy.h"

static bool belongs(const struct inventory *inventory, const struct inventory_item *item, const char *instance)
{
	return strcmp(inventory->owners[item->owner].is.instance, instance) == 0;
}

bool disarm_next_instance(const struct inventory *inventory, uint32_t *position, const char **ret_instance)
{
	while (*position < inventory->owner_count) {
		const char *instance = inventory->owners[(*position)++].is.instance;
		bool seen = false;
		for (uint32_t i = 0; i + 1 < *position && !seen; i++)
			seen = strcmp(inventory->owners[i].is.instance, instance) == 0;
		if (seen)
			continue;
		*ret_instance = instance;
		return true;
	}
	return false;
}

static bool holds(const struct inventory *inventory, uint32_t process, const char *instance)
{
	for (size_t i = 0; i < inventory->item_count; i++) {
		const struct inventory_item *item = &inventory->items[i];
		for (size_t k = 0; k < item->holder_count; k++)
			if (item->holders[k] == process && belongs(inventory, item, instance))
				return true;
	}
	return false;
}

static const char *mode_name(const struct inventory_policy *p)
{
	return p->mode < POLICY_MODE_COUNT ? policy_mode_name((enum policy_mode)p->mode) : "unknown";
}

/* ---- text ---- */

static void add_processes(const struct inventory *inventory, const char *instance, struct buf *out)
{
	bool any = false;
	for (uint32_t i = 0; i < inventory->process_count; i++) {
		const struct inventory_process *p = &inventory->processes[i];
		if (!holds(inventory, i, instance))
			continue;
		buf_printf(out, "%sprocess %d, %s (%s)", any ? "; " : "", p->pid, p->name, p->executable);
		any = true;
	}
	buf_add_text(out, any ? "\n" : "no process: what is pinned goes on without\n");
}

static void add_fate(const struct inventory *inventory, const struct inventory_item *link, struct buf *out)
{
	if (!link->attached)
		buf_add_text(out, "is detached already");
	else if (!link->guard)
		buf_add_text(out, "only watches; ends with its process");
	else if (link->detachable)
		buf_add_text(out, "would be detached");
	else if (inventory->owners[link->owner].is.disarmed)
		buf_add_text(out, "is switched off already; ends with its process");
	else
		buf_add_text(out, "would be switched off; ends with its process");
}

static void add_state(const struct inventory *inventory, const struct inventory_item *link, struct buf *out)
{
	if (!link->guard)
		buf_add_text(out, "only watches");
	else
		buf_add_text(out, inventory->owners[link->owner].is.disarmed ? "is switched off" : "acts");
	buf_add_text(out, "; ends with its process");
}

static void add_link(const struct inventory *inventory, const struct inventory_item *link, bool plan, struct buf *out)
{
	const char *pin = inventory_pin_of(inventory, link);
	buf_printf(out, "  %-16s %-16s ", link->name, link->type);
	if (plan)
		add_fate(inventory, link, out);
	else
		add_state(inventory, link, out);
	if (pin)
		buf_printf(out, "; pinned: %s", pin);
	buf_add_char(out, '\n');
}

static void add_policies(const struct inventory *inventory, const char *instance, struct buf *out)
{
	for (size_t i = 0; i < inventory->policy_count; i++) {
		const struct inventory_policy *p = &inventory->policies[i];
		if (strcmp(inventory->owners[p->owner].is.instance, instance) == 0)
			buf_printf(out, "  policy %s, in mode %s%s\n", p->name, mode_name(p),
			           p->tripped ? ", over its budget" : "");
	}
}

static void add_instance(const struct inventory *inventory, const char *instance, bool plan, struct buf *out)
{
	size_t counts[3] = {0};
	buf_printf(out, "%s: ", instance[0] ? instance : "without a status socket");
	add_processes(inventory, instance, out);
	add_policies(inventory, instance, out);
	for (size_t i = 0; i < inventory->item_count; i++) {
		const struct inventory_item *item = &inventory->items[i];
		if (!belongs(inventory, item, instance))
			continue;
		counts[item->kind]++;
		if (item->kind == INVENTORY_LINK && (plan || item->attached))
			add_link(inventory, item, plan, out);
	}
	buf_printf(out, "  %zu links, %zu programs, %zu maps\n", counts[INVENTORY_LINK], counts[INVENTORY_PROGRAM],
	           counts[INVENTORY_MAP]);
}

void disarm_add_text(const struct inventory *inventory, bool plan, struct buf *out)
{
	uint32_t position = 0;
	const char *instance;
	while (disarm_next_instance(inventory, &position, &instance))
		add_instance(inventory, instance, plan, out);
	if (inventory->pin_count > 0)
		buf_printf(out, "%zu pins: the first is %s\n", inventory->pin_count, inventory->pins[0].path);
	if (inventory->cut)
		buf_add_text(out, "There is more than fits here.\n");
}

/* ---- JSON ---- */

static void add_number(struct json *out, const char *key, uint64_t number)
{
	json_key(out, key);
	json_u64(out, number);
}

static void add_processes_json(const struct inventory *inventory, const char *instance, struct json *out)
{
	json_key(out, "processes");
	json_begin_array(out);
	for (uint32_t i = 0; i < inventory->process_count; i++) {
		const struct inventory_process *p = &inventory->processes[i];
		if (!holds(inventory, i, instance))
			continue;
		json_begin_object(out);
		add_number(out, "pid", (uint64_t)p->pid);
		ui_json_text(out, "name", p->name);
		ui_json_text(out, "executable", p->executable);
		ui_json_bool(out, "picket", p->picket);
		json_end_object(out);
	}
	json_end_array(out);
}

static void add_policies_json(const struct inventory *inventory, const char *instance, struct json *out)
{
	json_key(out, "policies");
	json_begin_array(out);
	for (size_t i = 0; i < inventory->policy_count; i++) {
		const struct inventory_policy *p = &inventory->policies[i];
		if (strcmp(inventory->owners[p->owner].is.instance, instance) != 0)
			continue;
		json_begin_object(out);
		ui_json_text(out, "name", p->name);
		ui_json_text(out, "mode", mode_name(p));
		ui_json_bool(out, "over_budget", p->tripped);
		json_end_object(out);
	}
	json_end_array(out);
}

static void add_item_json(const struct inventory *inventory, const struct inventory_item *item, struct json *out)
{
	json_begin_object(out);
	add_number(out, "id", item->id);
	ui_json_text(out, item->kind == INVENTORY_LINK ? "program" : "name", item->name);
	ui_json_text(out, "type", item->type);
	ui_json_bool(out, "guard", item->guard);
	if (item->kind == INVENTORY_LINK) {
		add_number(out, "program_id", item->program);
		ui_json_bool(out, "attached", item->attached);
		ui_json_bool(out, "detachable", item->detachable);
		add_number(out, "cgroup_id", item->cgroup_id);
	}
	ui_json_text(out, "pin", inventory_pin_of(inventory, item));
	json_key(out, "held_by");
	json_begin_array(out);
	for (size_t i = 0; i < item->holder_count; i++)
		json_s64(out, inventory->processes[item->holders[i]].pid);
	json_end_array(out);
	json_end_object(out);
}

static void add_instance_json(const struct inventory *inventory, const char *instance, struct json *out)
{
	static const char *const keys[] = {
	        [INVENTORY_LINK] = "links", [INVENTORY_PROGRAM] = "programs", [INVENTORY_MAP] = "maps"};
	bool disarmed = false;
	for (size_t i = 0; i < inventory->owner_count; i++)
		disarmed |= strcmp(inventory->owners[i].is.instance, instance) == 0 && inventory->owners[i].is.disarmed;
	json_begin_object(out);
	ui_json_text(out, "status_socket", instance[0] ? instance : NULL);
	ui_json_bool(out, "disarmed", disarmed);
	add_processes_json(inventory, instance, out);
	add_policies_json(inventory, instance, out);
	for (enum inventory_kind kind = INVENTORY_LINK; kind <= INVENTORY_MAP; kind++) {
		json_key(out, keys[kind]);
		json_begin_array(out);
		for (size_t i = 0; i < inventory->item_count; i++)
			if (inventory->items[i].kind == kind && belongs(inventory, &inventory->items[i], instance))
				add_item_json(inventory, &inventory->items[i], out);
		json_end_array(out);
	}
	json_end_object(out);
}

void disarm_add_json(const struct inventory *inventory, struct json *out)
{
	uint32_t position = 0;
	const char *instance;
	json_key(out, "pickets");
	json_begin_array(out);
	while (disarm_next_instance(inventory, &position, &instance))
		add_instance_json(inventory, instance, out);
	json_end_array(out);
	json_key(out, "pins");
	json_begin_array(out);
	for (size_t i = 0; i < inventory->pin_count; i++)
		json_text(out, inventory->pins[i].path);
	json_end_array(out);
	ui_json_bool(out, "complete", !inventory->cut);
}
