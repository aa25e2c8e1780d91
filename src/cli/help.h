/* SPDX-License-Identifier: Apache-2.0
 *
 * What is made of the tables of command.h: help, manual pages, completions. c NULL: picket as a whole.
 */
#ifndef PICKET_CLI_HELP_H
#define PICKET_CLI_HELP_H

#include "base/buf.h"
#include "cli/command.h"

void help_add(const struct command_info *c, bool color, unsigned width, struct buf *out);
void help_add_man(const struct command_info *c, struct buf *out); /* man(7) */
/* shell: bash, zsh, fish. Returns 0; -EINVAL: no such shell. */
int help_add_completion(const char *shell, struct buf *out) must_check;
/* Says that there is no such command, and which one may be meant. Returns the exit code. */
int help_unknown_command(const char *name);

#endif
