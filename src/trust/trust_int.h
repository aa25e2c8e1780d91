/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the room.
 *
 *	text.c		strict texts of lines, with the place of what is wrong; times
 *	digest.c	BLAKE2b-256
 *	manifest.c	what a bundle says of itself: read and written
 *	signature.c	signatures in minisign's form: read, written, verified by trusted keys
 *	keys.c		the file of trusted keys; a public key's file
 *	secret_key.c	secret keys in minisign's form; signing
 *	bundle.c	a bundle of one file;  bundle_dir.c: of a directory
 *	content.c	a bundle's rules
 *	diff.c		what changes between two bundles;  diff_rule.c: in their rules
 *	gate.c		the steps that a bundle passes;  gate_rules.c: those about rules
 *	history.c	the log: chained, only appended to
 *	boot.c		how starts fare
 *	store.c		bundles on disk, and which of them is what;  state.c: the file that says so
 */
#ifndef PICKET_TRUST_TRUST_INT_H
#define PICKET_TRUST_TRUST_INT_H

#include "base/buf.h"
#include "base/diag.h"

/* ---- text.c ---- */

/* A text that is read line by line. Each line ends with a newline and is printable UTF-8, tabs allowed: else it is told. */
struct lines {
	const char *name; /* in messages; borrowed, as all of it */
	const char *code; /* in messages; static */
	struct diag_list *diags;
	struct str rest, line; /* line: without its newline; data NULL: there is none */
	unsigned number;       /* of line, from 1 */
	int error;             /* -EINVAL: told */
};
void lines_init(struct lines *l, struct str text, const char *name, const char *code, struct diag_list *diags);
bool lines_next(struct lines *l); /* false: the end, or an error */
/* Tells that something is wrong at a byte of the line. Returns -EINVAL, which it remembers. */
int lines_error(struct lines *l, const char *at, const char *format, ...) printf_like(3, 4);
/* The next word of *rest, which single blanks separate; what is left. false: none, or an empty one. */
bool word_next(struct str *rest, struct str *ret_word);
/* Decimal without sign or leading zeros. Returns 0, -EINVAL, -ERANGE: above max. */
int text_to_number(struct str s, uint64_t max, uint64_t *ret_number) must_check;
bool text_is_printable(struct str s); /* UTF-8 without control characters, as a whole */
/* 2026-11-22T10:00:00Z, seconds since 1970. Returns 0; -EINVAL: no such time, or not written so. */
int text_to_time(struct str s, uint64_t *ret_s) must_check;

/* ---- digest.c ---- */
struct digest;
int digest_parse(struct str hex, struct digest *ret_digest) must_check; /* 64 digits, small letters. 0, -EINVAL */

/* ---- signature.c ---- */
void base64_add(const void *data, size_t length, struct buf *out);
/* Exactly length bytes, written in the only way there is. Returns 0, -EINVAL. */
int base64_parse(struct str text, void *ret_data, size_t length) must_check;

#endif
