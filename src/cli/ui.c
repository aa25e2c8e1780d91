/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ui.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/file.h"
#include "core/log.h"

#define DIAG_BYTES_MAX (4u << 20)

bool ui_color(const struct args *args, int fd)
{
	const char *none = getenv("NO_COLOR"), *terminal = getenv("TERM");
	if (args_has(args, "no-color"))
		return false;
	if (args_has(args, "color"))
		return true;
	if (none && *none)
		return false;
	return isatty(fd) && terminal && *terminal && strcmp(terminal, "dumb") != 0;
}

unsigned ui_width(int fd)
{
	struct winsize size;
	if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return 80;
}

const char *ui_code(bool color, const char *code)
{
	return color ? code : "";
}

size_t ui_columns(struct str s)
{
	size_t columns = 0;
	for (size_t i = 0; i < s.length; i++)
		columns += ((unsigned char)s.data[i] & 0xc0) != 0x80;
	return columns;
}

void ui_add_wrapped(struct str text, unsigned column, unsigned indent, unsigned width, struct buf *out)
{
	struct str word;
	unsigned at = column;
	bool first = true;
	while (str_next(&text, ' ', &word)) {
		unsigned columns = (unsigned)ui_columns(word);
		if (!first && at + 1 + columns > width) {
			buf_printf(out, "\n%*s", (int)indent, "");
			at = indent;
		} else if (!first) {
			buf_add_char(out, ' ');
			at++;
		}
		buf_add_str(out, word);
		at += columns;
		first = false;
	}
}

void ui_add_padded(struct str text, unsigned columns, struct buf *out)
{
	buf_add_str(out, text);
	for (size_t i = ui_columns(text); i < columns; i++)
		buf_add_char(out, ' ');
}

int ui_print(const struct buf *out)
{
	int r = buf_error(out);
	if (r == 0)
		r = file_write_all(STDOUT_FILENO, out->data, out->length);
	if (r == 0)
		return CLI_OK;
	if (r != -EPIPE)
		log_error("cannot write to standard output: %s", strerror(-r));
	return CLI_BAD;
}

static void count_print(size_t count, const char *one, const char *many)
{
	fprintf(stderr, "%zu %s", count, count == 1 ? one : many);
}

void ui_print_diags(const struct args *args, const struct diag_list *diags, bool warnings)
{
	_cleanup_(buf_done) struct buf out;
	buf_init(&out, DIAG_BYTES_MAX);
	bool color = ui_color(args, STDERR_FILENO);
	for (size_t i = 0; i < diags->count; i++)
		if (warnings || diags->items[i].level == DIAG_ERROR)
			diag_print(&diags->items[i], color, &out);
	(void)!file_write_all(STDERR_FILENO, out.data, out.length);
	if (diags->dropped > 0) {
		fputs("picket: ", stderr);
		count_print(diags->dropped, "more message is", "more messages are");
		fputs(" not shown\n", stderr);
	}
}

void ui_json_text(struct json *j, const char *key, const char *text)
{
	json_key(j, key);
	json_text(j, text);
}

void ui_json_bool(struct json *j, const char *key, bool value)
{
	json_key(j, key);
	json_bool(j, value);
}
