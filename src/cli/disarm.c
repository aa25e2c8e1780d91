/* SPDX-License-Identifier: Apache-2.0
 *
 * picket disarm: ends what policies do, whether or not a picket runs that could be asked.
 */
#include "cli/disarm.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "cli/ui.h"
#include "core/control.h"
#include "core/log.h"

#define TEXT_BYTES_MAX (4u << 20)
#define GONE_NS (5 * NS_PER_S) /* until when the kernel has freed what nobody holds any more */
#define LOOK_AGAIN_NS (100 * NS_PER_MS)

struct disarming {
	const struct args *args;
	const char *instance; /* NULL: all pickets */
	struct inventory *inventory;
	struct buf text;
	bool killed;
};

static int look(struct disarming *d)
{
	free(TAKE_PTR(d->inventory));
	int r = inventory_take(d->instance, &d->inventory);
	if (r == -EPERM)
		log_error("only root may look for what of picket is in the kernel (CAP_SYS_ADMIN)");
	else if (r < 0)
		log_error("cannot look for what of picket is in the kernel: %s", strerror(-r));
	return r;
}

static bool is_guarding(const struct inventory *inventory)
{
	for (size_t i = 0; i < inventory->item_count; i++)
		if (inventory->items[i].guard)
			return true;
	return false;
}

static int tell_nothing(struct disarming *d)
{
	if (d->instance)
		buf_printf(&d->text, "Nothing of the picket at %s is in the kernel: there is nothing to disarm.\n",
		           d->instance);
	else
		buf_add_text(&d->text, "Nothing of picket is in the kernel: there is nothing to disarm.\n");
	return ui_print(&d->text);
}

static int show(struct disarming *d, bool plan)
{
	struct json out;
	if (!args_has(d->args, "json")) {
		disarm_add_text(d->inventory, plan, &d->text);
		return ui_print(&d->text);
	}
	json_init(&out, &d->text);
	json_begin_object(&out);
	if (!plan)
		ui_json_bool(&out, "killed", d->killed);
	disarm_add_json(d->inventory, &out);
	json_end_object(&out);
	buf_add_char(&d->text, '\n');
	return ui_print(&d->text);
}

/* ---- with its help ---- */

/* The guards are off already: asked, it also lets go of them, and says so. */
static void ask(struct disarming *d, const char *instance)
{
	_cleanup_(buf_done) struct buf answer;
	bool done = false;
	buf_init(&answer, CONTROL_ANSWER_BYTES_MAX + 1);
	int r = control_order(instance, STR("disarm"), &done, &answer);
	if (r == -ETIMEDOUT)
		log_warning(
		        "picket does not answer at %s: it is stopped or hangs. Its guards are switched off all the same",
		        instance);
	else if (r < 0 && r != -ENOENT && r != -ECONNREFUSED)
		log_warning("cannot ask at %s: %s. Its guards are switched off all the same", instance, strerror(-r));
	if (r == 0 && !args_has(d->args, "json"))
		buf_printf(&d->text, STR_FMT "\n", STR_ARG(buf_str(&answer)));
}

static void ask_all(struct disarming *d)
{
	uint32_t position = 0;
	const char *instance;
	while (disarm_next_instance(d->inventory, &position, &instance))
		if (instance[0] && is_guarding(d->inventory))
			ask(d, instance);
}

/* ---- without ---- */

static void say_who_holds(const struct inventory *inventory)
{
	for (size_t i = 0; i < inventory->process_count; i++)
		if (!inventory->processes[i].picket)
			log_error("process %d, %s (%s), holds some of it, and is not picket: end it yourself",
			          inventory->processes[i].pid, inventory->processes[i].name,
			          inventory->processes[i].executable);
}

/* Once what nobody holds any more is gone. */
static int look_when_settled(struct disarming *d)
{
	const struct timespec pause = {.tv_nsec = (long)LOOK_AGAIN_NS};
	uint64_t end = clock_monotonic_ns() + GONE_NS;
	int r = look(d);
	while (r == 0 && clock_monotonic_ns() < end && !inventory_is_settled(d->inventory)) {
		nanosleep(&pause, NULL);
		r = look(d);
	}
	return r;
}

static void kill_all(struct disarming *d)
{
	int r = inventory_kill(d->inventory);
	if (r == -EEXIST)
		say_who_holds(d->inventory);
	else if (r < 0)
		log_error("a process that holds some of it could not be ended: %s", strerror(-r));
	d->killed = r > 0;
}

/* Does anything still act, or, of what was to end, exist? */
static bool is_left(const struct disarming *d)
{
	if (args_has(d->args, "kill"))
		return d->inventory->item_count > 0;
	for (size_t i = 0; i < d->inventory->item_count; i++) {
		const struct inventory_item *item = &d->inventory->items[i];
		if (item->guard && item->kind == INVENTORY_LINK && !d->inventory->owners[item->owner].is.disarmed)
			return true;
	}
	return d->inventory->pin_count > 0;
}

static int tell_what_is_left(struct disarming *d)
{
	bool left = is_left(d), json = args_has(d->args, "json");
	if (!json && !d->inventory->item_count)
		buf_add_text(&d->text, "Nothing of picket is left in the kernel.\n");
	int r = json || left || is_guarding(d->inventory) ? show(d, false) : ui_print(&d->text);
	if (left)
		log_error("not all of it could be ended");
	else if (d->inventory->item_count > 0)
		log_info("what is left only watches; picket disarm --kill ends it");
	return r != CLI_OK ? r : left ? CLI_BAD : CLI_OK;
}

static int disarm(struct disarming *d)
{
	bool end_them = args_has(d->args, "kill");
	int r = inventory_disarm(d->inventory);
	if (r < 0)
		log_error("not all guards could be switched off or detached: %s", strerror(-r));
	if (end_them)
		kill_all(d);
	else
		ask_all(d);
	return look_when_settled(d) < 0 ? CLI_IMPOSSIBLE : tell_what_is_left(d);
}

static int plan_or_disarm(struct disarming *d)
{
	bool plan = args_has(d->args, "dry-run"), all = plan || args_has(d->args, "kill");
	if ((all && d->inventory->item_count > 0) || is_guarding(d->inventory) || d->inventory->pin_count > 0)
		return plan ? show(d, true) : disarm(d);
	return args_has(d->args, "json") ? show(d, plan) : tell_nothing(d);
}

int command_disarm(const struct args *args)
{
	struct disarming d = {.args = args, .instance = args_get(args, "status-socket")};
	if (args_no_words(args) < 0)
		return CLI_USAGE;
	buf_init(&d.text, TEXT_BYTES_MAX);
	int r = look_when_settled(&d) < 0 ? CLI_IMPOSSIBLE : plan_or_disarm(&d);
	free(d.inventory);
	buf_done(&d.text);
	return r;
}
