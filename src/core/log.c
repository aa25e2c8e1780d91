/* SPDX-License-Identifier: Apache-2.0 */
#include "core/log.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"
#include "event/value.h"

#define TEXT_BYTES 2048                 /* a longer message is cut */
#define LINE_BYTES_MAX (4 * TEXT_BYTES) /* each byte may become a character of three */

static enum log_level log_level = LOG_LEVEL_NOTICE;
static bool log_color;
static void (*log_before)(void);

static const struct {
	const char *plain, *colored;
} log_prefixes[] = {
        [LOG_LEVEL_ERROR] = {"error: ", "\033[1;31merror:\033[0m "},
        [LOG_LEVEL_WARNING] = {"warning: ", "\033[33mwarning:\033[0m "},
        [LOG_LEVEL_NOTICE] = {"", ""},
        [LOG_LEVEL_INFO] = {"", ""},
        [LOG_LEVEL_DEBUG] = {"debug: ", "\033[2mdebug:\033[0m "},
};

void log_set_level(enum log_level most_detailed)
{
	log_level = most_detailed;
}

void log_set_color(bool color)
{
	log_color = color;
}

void log_set_before(void (*call)(void))
{
	log_before = call;
}

bool log_would_write(enum log_level level)
{
	return level <= log_level;
}

/* One write() a message: lines of several writers do not mix. What a message quotes (file names, texts of files) cannot
 * begin a line of its own nor speak to the terminal. */
void log_write(enum log_level level, const char *format, ...)
{
	if (!log_would_write(level))
		return;
	if (log_before)
		log_before();
	char text[TEXT_BYTES];
	va_list args;
	va_start(args, format);
	int length = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (length < 0)
		return;
	_cleanup_(buf_done) struct buf line;
	buf_init(&line, LINE_BYTES_MAX);
	buf_printf(&line, "picket: %s", log_color ? log_prefixes[level].colored : log_prefixes[level].plain);
	value_add_printable(str_from(text), 0, &line);
	buf_add_char(&line, '\n');
	if (line.data)
		fputs(line.data, stderr);
}
