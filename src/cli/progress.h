/* SPDX-License-Identifier: Apache-2.0
 *
 * One line on a terminal's standard error that is written again and again. One at a time in a process.
 */
#ifndef PICKET_CLI_PROGRESS_H
#define PICKET_CLI_PROGRESS_H

#include "base/base.h"

/* noun: of what is counted, "events"; static. Nothing is shown where standard error is no terminal. */
void progress_start(bool color, const char *noun);
/* May be called for each of them: draws at most ten times a second, and not in the first half second. total 0: not
 * known, then no bar. */
void progress_update(uint64_t done, uint64_t total, uint64_t count);
bool progress_is_due(void); /* would progress_update() draw now? Cheap */
void progress_clear(void);  /* before anything else is written to the terminal */
void progress_end(void);

#endif
