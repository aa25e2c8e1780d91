/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages to people, on standard error: "picket: error: …". Errors, warnings and notices unless told otherwise. Only
 * core and cli use it. Not thread-safe.
 */
#ifndef PICKET_CORE_LOG_H
#define PICKET_CORE_LOG_H

#include "base/base.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_NOTICE, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_set_level(enum log_level most_detailed);
void log_set_color(bool color);
/* Called before each message, to clear what stands on the terminal's last line. NULL: none. */
void log_set_before(void (*call)(void));
bool log_would_write(enum log_level level);
void log_write(enum log_level level, const char *format, ...) printf_like(2, 3);

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...) log_write(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
