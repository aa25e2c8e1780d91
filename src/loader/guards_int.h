/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the room.
 *
 *	guards.c	loaded, attached, asked
 *	guards_pin.c	pinned, and found again
 *	guards_cut.c	control groups cut off from the network
 *	exec_gate.c	programs that ask before they start, without a security hook
 */
#ifndef PICKET_LOADER_GUARDS_INT_H
#define PICKET_LOADER_GUARDS_INT_H

#include "loader/guards.h"
#include "loader/ring.h"

#define GUARDS_LINKS_MAX 64
#define PIN_PATH_MAX 512
#define PIN_DIRECTORY "picket" /* in each BPF file system */

/* Those that are used once the guards are attached. */
enum guards_map { GUARDS_OWNER, GUARDS_CONTROL, GUARDS_POLICIES, GUARDS_STATES, GUARDS_VERDICTS, GUARDS_MAPS };
extern const char *const guards_map_names[GUARDS_MAPS];

struct picket_bpf;
struct bpf_link;
struct exec_gate;
struct guards {
	struct picket_bpf *bpf; /* NULL: found by their pins; then there are no links either, only pins of them */
	struct bpf_link *links[GUARDS_LINKS_MAX];
	size_t link_count;
	struct exec_gate *gate; /* NULL: nothing is asked by fanotify */
	int maps[GUARDS_MAPS];
	struct ring ring;
	char pins[PIN_PATH_MAX]; /* the directory of their pins; "": they are not pinned */
};

struct guards *guards_alloc(void); /* nothing is open; NULL: no memory */
/* Sets g->maps by what find returns for their names, and opens the ring. Returns 0, -errno. */
int guards_open_maps(struct guards *g, int (*find)(const struct guards *g, const char *name)) must_check;
void guards_unpin(struct guards *g);

#define PIN_INSTANCE_BYTES 17
void pin_instance_name(const char *instance, char ret_name[PIN_INSTANCE_BYTES]);
/* The mount points of BPF file systems: calls with each, until call returns true. Returns whether it did. */
bool pin_each_mount(bool (*call)(void *userdata, const char *mount), void *userdata);

#endif
