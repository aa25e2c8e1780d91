/* SPDX-License-Identifier: Apache-2.0
 *
 * What the actions of picket bundle, picket apply and picket history have in common.
 */
#ifndef PICKET_CLI_BUNDLE_H
#define PICKET_CLI_BUNDLE_H

#include "cli/args.h"
#include "trust/gate.h"

#define BUNDLE_KEYS "/etc/picket/keys"
#define BUNDLE_STATE "/var/lib/picket/content"

int bundle_keygen(const struct args *args);
int bundle_sign(const struct args *args);
int bundle_verify(const struct args *args);
int bundle_show(const struct args *args);
int bundle_compare(const struct args *args);

/* Each returns CLI_OK, or the exit code after a message. */
int bundle_word(const struct args *args, size_t i, const char *what, const char **ret_word) must_check;
/* --keys, or the default file. text: keeps what keys borrow. */
int bundle_read_keys(const struct args *args, struct buf *text, struct keys *ret_keys) must_check;
/* read, parse and match */
int bundle_open_word(const struct args *args, size_t i, const char *what, struct bundle **ret_bundle) must_check;
int bundle_tell(const struct args *args, const struct diag_list *diags, int r, const char *path);

/* Shows each step of a gate as it ends: as watch of gate_options, with one of these as userdata. */
struct gate_view {
	const struct args *args;
	bool color, quiet;
};
void gate_view_init(struct gate_view *v, const struct args *args, bool quiet);
void gate_view_step(void *userdata, enum gate_step step, const struct gate_result *result);
uint64_t bundle_now_s(void);
/* Text of a bundle that nobody vouches for: nothing in it reaches the terminal as a command. */
void bundle_add_text(struct str text, struct buf *out);

#endif
