/* SPDX-License-Identifier: Apache-2.0
 *
 * BLAKE2b-256, by which files, manifests and entries of the history are named: what the signatures' own format hashes
 * with, and `b2sum -l 256` computes, too.
 */
#ifndef PICKET_TRUST_DIGEST_H
#define PICKET_TRUST_DIGEST_H

#include "base/buf.h"

#define DIGEST_BYTES 32
#define DIGEST_HEX (2 * DIGEST_BYTES)
#define DIGEST_SHOWN 12 /* hexadecimal digits that suffice where people look */

struct digest {
	uint8_t bytes[DIGEST_BYTES];
};
struct digest digest_of(struct str data);
struct digest digest_of_two(struct str first, struct str second); /* one after the other */
bool digest_equal(const struct digest *a, const struct digest *b);
void digest_add(const struct digest *d, size_t digits, struct buf *out); /* hexadecimal, the first digits of it */

#endif
