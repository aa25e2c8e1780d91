/* SPDX-License-Identifier: Apache-2.0
 *
 * Powers as people and programs read them.
 */
#ifndef PICKET_CLI_POWERS_SHOW_H
#define PICKET_CLI_POWERS_SHOW_H

#include "base/buf.h"
#include "picket/verify_powers.h"

struct powers_input {
	const char *path;
	struct picket_image *image; /* NULL: a list was read */
	struct picket_powers *powers;
};

struct powers_look {
	bool color, json;
	unsigned width; /* of the terminal */
};

void powers_show(const struct powers_input *in, const struct powers_look *look, struct buf *out);
/* ret_added: some program can do what it, or none, could not before. -ENOMEM. */
int powers_show_difference(const struct powers_input *old, const struct powers_input *now,
                           const struct powers_look *look, struct buf *out, bool *ret_added) must_check;

#endif
