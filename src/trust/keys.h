/* SPDX-License-Identifier: Apache-2.0
 *
 * Who may say what a host runs. Keys and signatures are Ed25519 in the form of minisign, which can make and verify them:
 * a public key is its line of base64, a signature is over the BLAKE2b-512 of a manifest ("ED"), and what the signer adds
 * (the trusted comment) is signed with it.
 *
 * The file of trusted keys has one thing a line:
 *
 *	# a comment; so is "untrusted comment: …", so that files of minisign can be put together
 *	threshold 2			signatures that are needed, by different keys; 1 if it is not said
 *	RWQf6LRC… alice			a public key, and whose it is
 *	revoked 42B4E81FE8B41F44 lost	a key's id, and why its signatures count for nothing from now on
 */
#ifndef PICKET_TRUST_KEYS_H
#define PICKET_TRUST_KEYS_H

#include "base/arena.h"
#include "base/diag.h"

#define KEYS_MAX 64
#define KEYS_BYTES_MAX (64u << 10)
#define SIGNATURES_MAX 16
#define SIGNATURES_BYTES_MAX (32u << 10)
#define PUBLIC_KEY_BYTES 32
#define SECRET_KEY_BYTES 64
#define KEY_ID_BYTES 8
#define KEY_ID_HEX 16

struct key_id {
	uint8_t bytes[KEY_ID_BYTES];
};
bool key_id_equal(const struct key_id *a, const struct key_id *b);
void key_id_add(const struct key_id *id, struct buf *out); /* as minisign shows it: 42B4E81FE8B41F44 */

struct public_key {
	struct key_id id;
	uint8_t key[PUBLIC_KEY_BYTES];
};
int public_key_parse(struct str base64, struct public_key *ret_key) must_check; /* 0, -EINVAL */
void public_key_write(const struct public_key *key, struct buf *out);           /* a file as minisign's */

/* ---- keys that are trusted ---- */

struct trusted_key {
	struct public_key key;
	struct str note; /* borrowed from what was read */
	bool revoked;
	struct str reason; /* of the revocation */
};
struct keys {
	struct trusted_key items[KEYS_MAX];
	size_t count;
	unsigned threshold;
};
/* name: of the text, for messages. Returns 0; -EINVAL: told in reterr_diags, also if so many keys are revoked that the
 * threshold cannot be reached. */
int keys_parse(struct str text, const char *name, struct diag_list *reterr_diags, struct keys *ret_keys) must_check;
/* The file, which nobody but its owner, root or the caller, may be able to write. text: keeps what keys borrow.
 * Returns 0; -EINVAL, -EPERM, -errno of reading: told. */
int keys_read(const char *path, struct buf *text, struct diag_list *reterr_diags, struct keys *ret_keys) must_check;

/* ---- signatures ---- */

struct signature {
	struct key_id id;
	uint8_t signature[64], of_comment[64];
	struct str comment; /* signed, too */
	unsigned line;      /* where it begins, from 1 */
};
struct signatures {
	struct signature items[SIGNATURES_MAX];
	size_t count;
};
/* Blocks of four lines as minisign writes them, in the order of the keys' ids, one a key. Text that is not exactly what
 * signatures_write() makes of it is refused: no byte is without meaning.
 * Returns 0; -EINVAL: told. */
int signatures_parse(struct str text, const char *name, struct diag_list *reterr_diags,
                     struct signatures *ret_signatures) must_check;
void signatures_write(const struct signatures *s, struct buf *out);
/* Puts one in its place; one of the same key is replaced. Returns 0, -ENOSPC. */
int signatures_put(struct signatures *s, const struct signature *signature) must_check;

struct signers {
	const struct trusted_key *items[SIGNATURES_MAX]; /* whose signatures are good and count */
	size_t count;
};
/* Is what was signed data? Each signature must be good, also those that do not count, and be of a key in the file: so
 * that each byte is covered. Returns 0; -EINVAL: told. */
int keys_verify(const struct keys *keys, const struct signatures *s, struct str data, const char *name,
                struct diag_list *reterr_diags, struct signers *ret_signers) must_check;

/* ---- secret keys ---- */

/* Wiped by secret_key_done(). */
struct secret_key {
	struct key_id id;
	uint8_t key[SECRET_KEY_BYTES];
};
void secret_key_done(struct secret_key *k);                 /* also for _cleanup_ */
int secret_key_make(struct secret_key *ret_key) must_check; /* -EIO: no randomness */
void secret_key_public(const struct secret_key *k, struct public_key *ret_key);
/* The memory and time that scrypt takes to make a key of a passphrase. */
enum secret_key_cost {
	SECRET_KEY_COST_HIGH /* minisign's: 1 GiB, some seconds */,
	SECRET_KEY_COST_LOW /* for tests */
};
/* A file as minisign's. passphrase.data NULL: none. Returns 0, -ENOMEM. The buffer then holds the key: wipe it. */
int secret_key_write(const struct secret_key *k, struct str passphrase, enum secret_key_cost cost, struct buf *out)
        must_check;
/* Returns 0; -ENOKEY: it needs a passphrase, and passphrase.data is NULL; -EKEYREJECTED: a wrong one; -EINVAL: told;
 * -ENOMEM: also if it asks for more than SECRET_KEY_COST_HIGH. */
int secret_key_parse(struct str text, const char *name, struct str passphrase, struct diag_list *reterr_diags,
                     struct secret_key *ret_key) must_check;
/* Reads a file that only its owner may read. Returns 0; -EPERM, -errno of reading: told. */
int secret_key_read_file(const char *path, struct buf *out, struct diag_list *reterr_diags) must_check;
/* comment: printable, borrowed by the signature. */
void secret_key_sign(const struct secret_key *k, struct str data, struct str comment, struct signature *ret_signature);
/* What minisign writes there: the time, and what was signed. */
void signature_add_comment(uint64_t time_s, const char *file, struct buf *out);

#endif
