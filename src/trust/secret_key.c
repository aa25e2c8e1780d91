/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sodium.h>

#include "trust/keys.h"
#include "trust/trust_int.h"

#define CODE "BUNDLE_ERR_KEY"
#define COMMENT_NONE "untrusted comment: minisign unencrypted secret key\n"
#define COMMENT_SCRYPT "untrusted comment: minisign encrypted secret key\n"

/* What a passphrase hides. The checksum is over the algorithm and what stands before it here. */
struct __attribute__((packed)) hidden {
	uint8_t id[KEY_ID_BYTES];
	uint8_t key[SECRET_KEY_BYTES];
	uint8_t checksum[32];
};
struct __attribute__((packed)) encoded {
	char algorithm[2], kdf[2], checksum[2];
	uint8_t salt[crypto_pwhash_scryptsalsa208sha256_SALTBYTES];
	uint8_t ops[8], memory[8]; /* little-endian */
	struct hidden hidden;
};
_Static_assert(sizeof(struct encoded) == 158, "as in minisign");

static const char algorithm[2] = {'E', 'd'}, kdf_scrypt[2] = {'S', 'c'}, kdf_none[2] = {0, 0},
                  checksum_blake2b[2] = {'B', '2'};

static void encoded_done(struct encoded *e)
{
	sodium_memzero(e, sizeof(*e));
}

void secret_key_done(struct secret_key *k)
{
	sodium_memzero(k, sizeof(*k));
}

int secret_key_make(struct secret_key *ret_key)
{
	uint8_t public_bytes[PUBLIC_KEY_BYTES];
	if (sodium_init() < 0 || crypto_sign_keypair(public_bytes, ret_key->key) != 0)
		return -EIO;
	randombytes_buf(ret_key->id.bytes, sizeof(ret_key->id.bytes));
	return 0;
}

void secret_key_public(const struct secret_key *k, struct public_key *ret_key)
{
	ret_key->id = k->id;
	crypto_sign_ed25519_sk_to_pk(ret_key->key, k->key);
}

static void store_u64(uint8_t to[8], uint64_t n)
{
	for (unsigned i = 0; i < 8; i++)
		to[i] = (uint8_t)(n >> (8 * i));
}

static uint64_t load_u64(const uint8_t from[8])
{
	uint64_t n = 0;
	for (unsigned i = 0; i < 8; i++)
		n |= (uint64_t)from[i] << (8 * i);
	return n;
}

static void checksum(const struct encoded *e, uint8_t ret_sum[32])
{
	crypto_generichash_state state;
	crypto_generichash_init(&state, NULL, 0, 32);
	crypto_generichash_update(&state, (const unsigned char *)e->algorithm, sizeof(e->algorithm));
	crypto_generichash_update(&state, e->hidden.id, sizeof(e->hidden.id) + sizeof(e->hidden.key));
	crypto_generichash_final(&state, ret_sum, 32);
}

/* Hides, or shows again: the passphrase's stream over what is hidden. */
static int apply_passphrase(struct encoded *e, struct str passphrase)
{
	uint8_t stream[sizeof(struct hidden)], *hidden = (uint8_t *)&e->hidden;
	if (crypto_pwhash_scryptsalsa208sha256(stream, sizeof(stream), passphrase.data, passphrase.length, e->salt,
	                                       load_u64(e->ops), (size_t)load_u64(e->memory)) != 0)
		return -ENOMEM;
	for (size_t i = 0; i < sizeof(stream); i++)
		hidden[i] ^= stream[i];
	sodium_memzero(stream, sizeof(stream));
	return 0;
}

int secret_key_write(const struct secret_key *k, struct str passphrase, enum secret_key_cost cost, struct buf *out)
{
	_cleanup_(encoded_done) struct encoded e = {0};
	bool high = cost == SECRET_KEY_COST_HIGH;
	int r = 0;
	memcpy(e.algorithm, algorithm, 2);
	memcpy(e.checksum, checksum_blake2b, 2);
	memcpy(e.hidden.id, k->id.bytes, sizeof(e.hidden.id));
	memcpy(e.hidden.key, k->key, sizeof(e.hidden.key));
	checksum(&e, e.hidden.checksum);
	if (passphrase.data) {
		memcpy(e.kdf, kdf_scrypt, 2);
		randombytes_buf(e.salt, sizeof(e.salt));
		store_u64(e.ops, high ? crypto_pwhash_scryptsalsa208sha256_OPSLIMIT_SENSITIVE
		                      : crypto_pwhash_scryptsalsa208sha256_OPSLIMIT_MIN);
		store_u64(e.memory, high ? crypto_pwhash_scryptsalsa208sha256_MEMLIMIT_SENSITIVE
		                         : crypto_pwhash_scryptsalsa208sha256_MEMLIMIT_MIN);
		r = apply_passphrase(&e, passphrase);
	}
	if (r < 0)
		return r;
	buf_add_text(out, passphrase.data ? COMMENT_SCRYPT : COMMENT_NONE);
	base64_add(&e, sizeof(e), out);
	buf_add_char(out, '\n');
	return buf_error(out) < 0 ? -ENOMEM : 0;
}

/* Is the public half in it the one that belongs to the secret half? One that does not would give the key away. */
static bool halves_fit(const struct hidden *h)
{
	uint8_t seed[crypto_sign_SEEDBYTES], key[SECRET_KEY_BYTES], public_bytes[PUBLIC_KEY_BYTES];
	crypto_sign_ed25519_sk_to_seed(seed, h->key);
	crypto_sign_seed_keypair(public_bytes, key, seed);
	bool fit = sodium_memcmp(key, h->key, sizeof(key)) == 0;
	sodium_memzero(seed, sizeof(seed));
	sodium_memzero(key, sizeof(key));
	return fit;
}

/* minisign leaves the checksum out where there is no passphrase, by which it could be wrong. */
static bool is_whole(const struct encoded *e)
{
	uint8_t sum[32];
	bool left_out = memcmp(e->kdf, kdf_none, 2) == 0 && sodium_is_zero(e->hidden.checksum, sizeof(sum));
	checksum(e, sum);
	return (left_out || sodium_memcmp(sum, e->hidden.checksum, sizeof(sum)) == 0) && halves_fit(&e->hidden);
}

/* Without the line: it may be the key. */
static int tell(struct diag_list *diags, const char *name, unsigned line, const char *text)
{
	diag_add(diags, DIAG_ERROR, CODE, name, line, 0, "%s", text);
	return -EINVAL;
}

static int read_encoded(struct str text, const char *name, struct diag_list *diags, struct encoded *e)
{
	struct str rest = text, line;
	if (!str_next(&rest, '\n', &line) || !str_starts_with(line, STR("untrusted comment: ")))
		return tell(diags, name, 1, "a secret key's file begins with \"untrusted comment: \"");
	if (!str_next(&rest, '\n', &line) || base64_parse(line, e, sizeof(*e)) < 0 ||
	    memcmp(e->algorithm, algorithm, 2) != 0 || memcmp(e->checksum, checksum_blake2b, 2) != 0)
		return tell(diags, name, 2, "this is not a secret key for Ed25519");
	return 0;
}

static int use_passphrase(struct encoded *e, struct str passphrase)
{
	if (!passphrase.data)
		return -ENOKEY;
	if (load_u64(e->ops) > crypto_pwhash_scryptsalsa208sha256_OPSLIMIT_SENSITIVE ||
	    load_u64(e->memory) > crypto_pwhash_scryptsalsa208sha256_MEMLIMIT_SENSITIVE)
		return -ENOMEM;
	int r = apply_passphrase(e, passphrase);
	return r == 0 && !is_whole(e) ? -EKEYREJECTED : r;
}

int secret_key_parse(struct str text, const char *name, struct str passphrase, struct diag_list *reterr_diags,
                     struct secret_key *ret_key)
{
	_cleanup_(encoded_done) struct encoded e = {0};
	int r = read_encoded(text, name, reterr_diags, &e);
	if (r < 0)
		return r;
	if (memcmp(e.kdf, kdf_scrypt, 2) == 0)
		r = use_passphrase(&e, passphrase);
	else if (memcmp(e.kdf, kdf_none, 2) != 0)
		r = tell(reterr_diags, name, 2, "the passphrase is used in a way that picket does not know");
	else if (!is_whole(&e))
		r = tell(reterr_diags, name, 2, "the secret key is damaged");
	if (r < 0)
		return r;
	memcpy(ret_key->id.bytes, e.hidden.id, sizeof(e.hidden.id));
	memcpy(ret_key->key, e.hidden.key, sizeof(e.hidden.key));
	return 0;
}
