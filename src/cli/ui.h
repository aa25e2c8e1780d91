/* SPDX-License-Identifier: Apache-2.0
 *
 * How things look on a terminal.
 */
#ifndef PICKET_CLI_UI_H
#define PICKET_CLI_UI_H

#include "base/buf.h"
#include "base/diag.h"
#include "base/json.h"
#include "cli/args.h"

#define UI_BOLD "\033[1m"
#define UI_DIM "\033[2m"
#define UI_RED "\033[1;31m"
#define UI_GREEN "\033[32m"
#define UI_YELLOW "\033[33m"
#define UI_CYAN "\033[36m"
#define UI_RESET "\033[0m"

/* Colour on this descriptor: as --color, --no-color and NO_COLOR say, else if it is a terminal that can. */
bool ui_color(const struct args *args, int fd);
unsigned ui_width(int fd); /* columns; 80 where it is no terminal */
/* The code if color, else "". */
const char *ui_code(bool color, const char *code);
size_t ui_columns(struct str s); /* code points of UTF-8 text */
/* Adds text in lines of at most width columns, each but the first indented. column: where the first begins. */
void ui_add_wrapped(struct str text, unsigned column, unsigned indent, unsigned width, struct buf *out);
void ui_add_padded(struct str text, unsigned columns, struct buf *out);
/* Writes all to standard output. Returns an exit code: CLI_OK, or CLI_BAD if it cannot be written (told, except to a
 * reader that went away). */
int ui_print(const struct buf *out) must_check;
/* Shows diags on standard error: errors always, warnings if asked for. */
void ui_print_diags(const struct args *args, const struct diag_list *diags, bool warnings);
/* A key and its value. text NULL: null. */
void ui_json_text(struct json *j, const char *key, const char *text);
void ui_json_bool(struct json *j, const char *key, bool value);

#endif
