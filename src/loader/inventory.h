/* SPDX-License-Identifier: Apache-2.0
 *
 * What of picket is in the kernel, and who holds it there: found by looking through the kernel's own lists, without asking
 * any picket. Needs CAP_SYS_ADMIN. Not thread-safe.
 *
 * A program is picket's if an owner map is bound to it (schema/owner.h); a link, if it is of such a program; a map, if such a
 * program uses it; a pin, if it is in the directory of a BPF file system that guards_pin() writes to.
 */
#ifndef PICKET_LOADER_INVENTORY_H
#define PICKET_LOADER_INVENTORY_H

#include "base/base.h"
#include "schema/guard.h"
#include "schema/owner.h"

#define INVENTORY_INSTANCES_MAX 64
#define INVENTORY_ITEMS_MAX 4096
#define INVENTORY_POLICIES_MAX 1024
#define INVENTORY_PROCESSES_MAX 64
#define INVENTORY_HOLDERS_MAX 8 /* of one item that are listed */
#define INVENTORY_PINS_MAX 256
#define INVENTORY_PATH_MAX 512

/* One load of programs: that of the sensors and that of the guards of one picket are two. */
struct inventory_owner {
	struct picket_owner is;
	uint32_t map; /* its owner map's id */
};

struct inventory_item {
	enum inventory_kind { INVENTORY_LINK, INVENTORY_PROGRAM, INVENTORY_MAP } kind;
	uint32_t id;
	uint32_t owner;                          /* index */
	uint32_t program;                        /* of a link: its program's id */
	char name[16];                           /* of a link: its program's */
	const char *type;                        /* as the kernel calls it; static */
	bool guard;                              /* not a sensor's */
	bool attached;                           /* a link: still */
	bool detachable;                         /* a link: by others than who holds it */
	uint64_t cgroup_id;                      /* of a link of a control group */
	uint32_t holders[INVENTORY_HOLDERS_MAX]; /* indexes of processes */
	size_t holder_count;
};

/* In force in a load of guards. */
struct inventory_policy {
	uint32_t owner; /* index */
	char name[GUARD_NAME_MAX];
	uint32_t mode;    /* enum guard_mode */
	uint32_t tripped; /* enum guard_trip */
};

struct inventory_process {
	int pid;
	uint64_t start_ticks; /* with the pid: which process this is */
	char name[16];
	char executable[INVENTORY_PATH_MAX];
	bool picket; /* runs picket's executable: it may be ended */
};

struct inventory_pin {
	char path[INVENTORY_PATH_MAX];
	enum inventory_kind kind;
	uint32_t id; /* of what is pinned; 0: not known */
};

struct inventory {
	struct inventory_owner owners[INVENTORY_INSTANCES_MAX];
	size_t owner_count;
	struct inventory_item items[INVENTORY_ITEMS_MAX];
	size_t item_count;
	struct inventory_policy policies[INVENTORY_POLICIES_MAX];
	size_t policy_count;
	struct inventory_process processes[INVENTORY_PROCESSES_MAX];
	size_t process_count;
	struct inventory_pin pins[INVENTORY_PINS_MAX];
	size_t pin_count;
	bool cut; /* there is more than fits */
};

/* instance: only what belongs to the picket with this status socket; NULL: all. ret_inventory: free().
 * Returns 0; -EPERM; -ENOMEM; -errno. */
int inventory_take(const char *instance, struct inventory **ret_inventory) must_check;

const char *inventory_pin_of(const struct inventory *inventory, const struct inventory_item *item); /* NULL: none */
/* False: there are some that nobody holds any more, and that the kernel frees within a moment. */
bool inventory_is_settled(const struct inventory *inventory);

/* ---- ending it ---- */

/* Switches the guards off: first by their owner maps, which holds from the moment of the call for each hook; then by detaching
 * what can be detached, and removing pins. Sensors only watch, and stay. Goes on after errors: returns the first. */
int inventory_disarm(const struct inventory *inventory) must_check;
/* Ends the processes that hold anything of it, by SIGKILL, if they run picket's executable, and waits until they are gone.
 * Returns how many were ended, or the first -errno, after trying each; -EEXIST: others hold some of it. */
int inventory_kill(const struct inventory *inventory) must_check;

#endif
