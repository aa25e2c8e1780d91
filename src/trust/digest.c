/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/digest.h"

#include <errno.h>
#include <sodium.h>

#include "trust/trust_int.h"

struct digest digest_of(struct str data)
{
	return digest_of_two(data, STR(""));
}

struct digest digest_of_two(struct str first, struct str second)
{
	crypto_generichash_state state;
	struct digest d;
	crypto_generichash_init(&state, NULL, 0, sizeof(d.bytes));
	crypto_generichash_update(&state, (const unsigned char *)first.data, first.length);
	crypto_generichash_update(&state, (const unsigned char *)second.data, second.length);
	crypto_generichash_final(&state, d.bytes, sizeof(d.bytes));
	return d;
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

void digest_add(const struct digest *d, size_t digits, struct buf *out)
{
	char hex[DIGEST_HEX + 1];
	sodium_bin2hex(hex, sizeof(hex), d->bytes, sizeof(d->bytes));
	buf_add(out, hex, MIN(digits, (size_t)DIGEST_HEX));
}

int digest_parse(struct str hex, struct digest *ret_digest)
{
	struct digest d;
	char again[DIGEST_HEX + 1];
	size_t length;
	if (hex.length != DIGEST_HEX ||
	    sodium_hex2bin(d.bytes, sizeof(d.bytes), hex.data, hex.length, NULL, &length, NULL) != 0 ||
	    length != sizeof(d.bytes))
		return -EINVAL;
	sodium_bin2hex(again, sizeof(again), d.bytes, sizeof(d.bytes));
	if (memcmp(again, hex.data, hex.length) != 0)
		return -EINVAL;
	*ret_digest = d;
	return 0;
}
