/* SPDX-License-Identifier: Apache-2.0
 *
 * What of the hooks that guards need (schema/policy.def) this kernel has. Works without loading picket's own programs.
 */
#ifndef PICKET_LOADER_GUARD_HOOK_H
#define PICKET_LOADER_GUARD_HOOK_H

#include "base/base.h"

enum guard_hook {
#define GUARD_HOOK(id, name, what, needs) GUARD_HOOK_##id,
#include "schema/policy.def"
	GUARD_HOOK_COUNT,
};

struct guard_hook_report {
	const char *name, *what, *needs; /* static */
	bool ok;
	int error; /* what the kernel said, -errno; 0 if ok */
};

/* Tries each in the kernel: loads a program of the kind that does nothing, attaches none. Without the privileges for that
 * all are missing, with -EPERM. */
void loader_probe_guards(struct guard_hook_report ret_reports[GUARD_HOOK_COUNT]);

#endif
