/* SPDX-License-Identifier: Apache-2.0
 *
 * Regular expressions of the rule language: POSIX extended syntax, matched against the whole text, in bounded time.
 */
#ifndef PICKET_RULE_REGEX_H
#define PICKET_RULE_REGEX_H

#include "base/arena.h"

#define REGEX_PATTERN_BYTES_MAX 4096

struct regex;
#define REGEX_ERROR_BYTES 160
/* reterr_text: REGEX_ERROR_BYTES, says what is wrong; reterr_offset: at which byte of the pattern.
 * Returns 0; -EINVAL; -ENOMEM. */
int regex_new(struct str pattern, struct regex **ret_regex, char *reterr_text, size_t *reterr_offset) must_check;
void regex_free(struct regex *r);
/* Returns 1: all of text matches; 0: it does not; -E2BIG: not known within the limits; -ENOMEM: of scratch.
 * Thread-safe. */
int regex_match(const struct regex *r, struct str text, struct arena *scratch) must_check;

#endif
