/* SPDX-License-Identifier: Apache-2.0
 *
 * What the process may still do after its start: only what watching needs.
 */
#ifndef PICKET_CORE_PRIVILEGES_H
#define PICKET_CORE_PRIVILEGES_H

#include "base/base.h"

/* Gives up all capabilities but those needed to read maps, processes and files, and, with guards, to load them again, for
 * good (also over exec), and sets no_new_privs. Those that we do not have are not missed. Returns 0, -errno: something could not be given up. */
int privileges_drop(bool guards) must_check;

/* Calls with CAP_SYS_ADMIN in effect, which it otherwise is not; without the right to it, as it is. Returns what call does. */
int privileges_as_admin(int (*call)(void)) must_check;

#endif
