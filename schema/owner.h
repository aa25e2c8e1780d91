/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause
 *
 * Whose a BPF program is. Each load of picket's programs has an own map of this name with one value, bound to every one of
 * them: by it `picket disarm` finds what belongs to picket, and switches guards off, without asking who loaded it. So this
 * must not change from one version to another: the room at its end is for more.
 */
#ifndef PICKET_SCHEMA_OWNER_H
#define PICKET_SCHEMA_OWNER_H

#include <linux/types.h>

#define OWNER_MAP "picket_owner"
#define OWNER_MAGIC 0x31706f74656b6370ull
#define OWNER_INSTANCE_MAX 112 /* with its NUL: what a socket's path may have */

struct picket_owner {
	__u64 magic;
	__u32 disarmed; /* guards do nothing. Never set back. */
	__u32 tgid;     /* who loaded it, in the initial pid namespace; 0: not known */
	char version[16]; /* of picket: guards of another one are not read, only ended */
	char instance[OWNER_INSTANCE_MAX]; /* the path of its status socket; "": none */
	__u64 unused[4];
};

#endif
