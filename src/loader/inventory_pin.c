/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/guards_int.h"
#include "loader/inventory_int.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#define PIN_DEPTH_MAX 3 /* directories below PIN_DIRECTORY */

/* What a descriptor is, by the end of the kernel's name for it: bpf-map, bpf-prog, bpf_link or bpf-link. */
static bool find_kind(int fd, enum inventory_kind *ret_kind)
{
	static const struct {
		struct str name;
		enum inventory_kind kind;
	} kinds[] = {{{"link", 4}, INVENTORY_LINK}, {{"prog", 4}, INVENTORY_PROGRAM}, {{"map", 3}, INVENTORY_MAP}};
	char path[64], target[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ssize_t length = readlink(path, target, sizeof(target));
	for (size_t i = 0; length > 0 && i < ARRAY_SIZE(kinds); i++)
		if (str_ends_with(str_make(target, (size_t)length), kinds[i].name)) {
			*ret_kind = kinds[i].kind;
			return true;
		}
	return false;
}

/* The kernel's answers for links, programs and maps all begin alike: with a type and the id. */
static void look_at_pin(struct inventory *inventory, const char *path)
{
	union {
		struct bpf_link_info link;
		struct bpf_prog_info program;
		struct bpf_map_info map;
	} info = {0};
	uint32_t length = sizeof(info);
	_cleanup_(base_close_fd) int fd = bpf_obj_get(path);
	if (inventory->pin_count == INVENTORY_PINS_MAX) {
		inventory->cut = true;
		return;
	}
	struct inventory_pin *pin = &inventory->pins[inventory->pin_count++];
	*pin = (struct inventory_pin){.kind = INVENTORY_MAP};
	snprintf(pin->path, sizeof(pin->path), "%s", path);
	if (fd >= 0 && find_kind(fd, &pin->kind) && bpf_obj_get_info_by_fd(fd, &info, &length) == 0)
		pin->id = info.link.id;
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

struct looking {
	struct inventory *inventory;
	const char *instance;
};

static bool look_at_mount(void *userdata, const char *mount)
{
	const struct looking *l = userdata;
	char path[INVENTORY_PATH_MAX], name[PIN_INSTANCE_BYTES] = "";
	if (l->instance)
		pin_instance_name(l->instance, name);
	if ((size_t)snprintf(path, sizeof(path), "%s/" PIN_DIRECTORY "%s%s", mount, name[0] ? "/" : "", name) <
	    sizeof(path))
		look_below(l->inventory, path, PIN_DEPTH_MAX);
	return false;
}

void inventory_add_pins(struct inventory *inventory, const char *instance)
{
	(void)pin_each_mount(look_at_mount, &(struct looking){inventory, instance});
}
