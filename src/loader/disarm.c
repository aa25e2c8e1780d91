/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/inventory_int.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "loader/guards_int.h"
#include "loader/owner.h"

#define END_MS 5000 /* for a killed process to be gone */

static void keep_first(int *first, int r)
{
	if (*first == 0 && r < 0)
		*first = r;
}

/* ---- switching off ---- */

static bool has_guards(const struct inventory *inventory, uint32_t owner)
{
	for (size_t i = 0; i < inventory->item_count; i++)
		if (inventory->items[i].owner == owner && inventory->items[i].guard)
			return true;
	return false;
}

/* Nobody but us writes to the map once its programs are loaded. */
static int switch_off(const struct inventory_owner *owner)
{
	const uint32_t zero = 0;
	struct picket_owner value = owner->is;
	_cleanup_(base_close_fd) int map = bpf_map_get_fd_by_id(owner->map);
	if (map < 0)
		return errno == ENOENT ? 0 : -errno;
	value.disarmed = 1;
	return bpf_map_update_elem(map, &zero, &value, BPF_EXIST) ? -errno : 0;
}

static int detach(const struct inventory_item *link)
{
	_cleanup_(base_close_fd) int fd = bpf_link_get_fd_by_id(link->id);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	return bpf_link_detach(fd) ? -errno : 0;
}

/* With the directories above it that are empty then, as far as they are picket's. */
static int unpin(const char *pin)
{
	char path[INVENTORY_PATH_MAX];
	if (unlink(pin) < 0 && errno != ENOENT)
		return -errno;
	snprintf(path, sizeof(path), "%s", pin);
	for (char *slash; (slash = strrchr(path, '/')) && strstr(path, "/" PIN_DIRECTORY "/");) {
		*slash = '\0';
		if (rmdir(path) < 0)
			break;
	}
	return 0;
}

int inventory_disarm(const struct inventory *inventory)
{
	int r = 0;
	for (uint32_t i = 0; i < inventory->owner_count; i++)
		if (has_guards(inventory, i))
			keep_first(&r, switch_off(&inventory->owners[i]));
	for (size_t i = 0; i < inventory->pin_count; i++)
		keep_first(&r, unpin(inventory->pins[i].path));
	for (size_t i = 0; i < inventory->item_count; i++) {
		const struct inventory_item *item = &inventory->items[i];
		if (item->kind == INVENTORY_LINK && item->guard && item->attached && item->detachable)
			keep_first(&r, detach(item));
	}
	return r;
}

/* ---- ending processes ---- */

static int end_process(const struct inventory_process *p)
{
	_cleanup_(base_close_fd) int fd = (int)syscall(SYS_pidfd_open, p->pid, 0);
	if (fd < 0)
		return errno == ESRCH ? 0 : -errno;
	/* From here on the pid cannot become another's: so if it is still the one that was looked at, it stays so. */
	if (inventory_start_ticks(p->pid) != p->start_ticks)
		return 0;
	if (syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) < 0)
		return errno == ESRCH ? 0 : -errno;
	struct pollfd ended = {.fd = fd, .events = POLLIN};
	int ready = poll(&ended, 1, END_MS);
	return ready < 0 ? -errno : ready == 0 ? -ETIMEDOUT : 1;
}

int inventory_kill(const struct inventory *inventory)
{
	int r = 0, ended = 0;
	for (size_t i = 0; i < inventory->process_count; i++) {
		const struct inventory_process *p = &inventory->processes[i];
		int done = p->picket ? end_process(p) : -EEXIST;
		keep_first(&r, done);
		ended += done > 0;
	}
	return r < 0 ? r : ended;
}
