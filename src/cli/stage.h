/* SPDX-License-Identifier: Apache-2.0
 *
 * A bundle that was accepted, on its way in the picket that runs here.
 */
#ifndef PICKET_CLI_STAGE_H
#define PICKET_CLI_STAGE_H

#include "cli/args.h"

/* Gives it to the picket that runs with this state, if one does, and follows it unless --no-wait is given. Returns an exit
 * code, after a message: CLI_OK also if it is only kept. */
int stage_accepted(const struct args *args, const char *state, bool json) must_check;

#endif
