/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/inventory_int.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <mntent.h>
#include <stdio.h>
#include <unistd.h>

#define PIN_DEPTH_MAX 3 /* directories below PIN_DIRECTORY */

static void look_at_pin(struct inventory *inventory, const char *path)
{
	struct bpf_link_info info = {};
	uint32_t length = sizeof(info);
	_cleanup_(base_close_fd) int fd = bpf_obj_get(path);
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &length) || !inventory_find(inventory, INVENTORY_LINK, info.id))
		return;
	if (inventory->pin_count == INVENTORY_PINS_MAX) {
		inventory->cut = true;
		return;
	}
	struct inventory_pin *pin = &inventory->pins[inventory->pin_count++];
	pin->link = info.id;
	snprintf(pin->path, sizeof(pin->path), "%s", path);
}

static void look_below(struct inventory *inventory, const char *path, unsigned depth)
{
	DIR *d = opendir(path);
	for (struct dirent *e; d && (e = readdir(d));) {
		char below[INVENTORY_PATH_MAX];
		if (e->d_name[0] == '.' ||
		    (size_t)snprintf(below, sizeof(below), "%s/%s", path, e->d_name) >= sizeof(below))
			continue;
		if (e->d_type == DT_REG)
			look_at_pin(inventory, below);
		else if (e->d_type == DT_DIR && depth > 0)
			look_below(inventory, below, depth - 1);
	}
	if (d)
		closedir(d);
}

void inventory_add_pins(struct inventory *inventory)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent entry;
	char buffer[4096], path[INVENTORY_PATH_MAX];
	while (mounts && getmntent_r(mounts, &entry, buffer, sizeof(buffer)))
		if (strcmp(entry.mnt_type, "bpf") == 0 &&
		    (size_t)snprintf(path, sizeof(path), "%s/" PIN_DIRECTORY, entry.mnt_dir) < sizeof(path))
			look_below(inventory, path, PIN_DEPTH_MAX);
	if (mounts)
		endmntent(mounts);
}
