/* SPDX-License-Identifier: Apache-2.0
 *
 * A verdict as people and programs read it.
 */
#ifndef PICKET_CLI_VERIFY_SHOW_H
#define PICKET_CLI_VERIFY_SHOW_H

#include "base/buf.h"
#include "cli/args.h"
#include "picket/verify.h"

#define VERIFY_SHOWN_BYTES_MAX (1u << 20)

/* What was verified. Strings are borrowed; section is "" and insns stand alone if there was no object. */
struct verify_subject {
	const char *file, *program, *section;
	const struct picket_insn *insns;
	size_t insn_count;
};

struct verify_look {
	bool color, verbose;
	bool many;         /* the file's name stands on each line, too */
	unsigned width;    /* of the terminal */
	unsigned name_max; /* columns that names are padded to */
};

void verify_show_text(const struct verify_subject *s, const struct picket_verdict *v, const struct verify_look *look,
                      struct buf *out);
/* One object, and a newline. */
void verify_show_json(const struct verify_subject *s, const struct picket_verdict *v, struct buf *out);

/* --kind. Returns CLI_OK, or the exit code after a message; ret_kind is untouched if the option was not given. */
int verify_kind_option(const struct args *args, enum picket_kind *ret_kind) must_check;

#endif
