/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>

#include "trust/keys.h"
#include "trust/trust_int.h"

#define CODE "BUNDLE_ERR_SIGNATURE"
#define UNTRUSTED "untrusted comment: signature from minisign secret key"
#define TRUSTED "trusted comment: "
#define COMMENT_MAX 512
#define LINES 4

/* What the second line encodes. */
struct __attribute__((packed)) encoded {
	char algorithm[2];
	uint8_t id[KEY_ID_BYTES];
	uint8_t signature[64];
};
_Static_assert(sizeof(struct encoded) == 74, "as in minisign");

void base64_add(const void *data, size_t length, struct buf *out)
{
	size_t size = sodium_base64_encoded_len(length, sodium_base64_VARIANT_ORIGINAL);
	char *at = buf_reserve(out, size);
	if (!at)
		return;
	sodium_bin2base64(at, size, data, length, sodium_base64_VARIANT_ORIGINAL);
	buf_commit(out, size - 1); /* without its NUL */
}

/* libsodium (1.0.18) also takes bytes above 0x7f for letters: so what was read is written again, and compared. */
int base64_parse(struct str text, void *ret_data, size_t length)
{
	_cleanup_(buf_done) struct buf again;
	size_t got;
	buf_init(&again, text.length + 1);
	if (text.length != sodium_base64_encoded_len(length, sodium_base64_VARIANT_ORIGINAL) - 1 ||
	    sodium_base642bin(ret_data, length, text.data, text.length, NULL, &got, NULL,
	                      sodium_base64_VARIANT_ORIGINAL) != 0 ||
	    got != length)
		return -EINVAL;
	base64_add(ret_data, length, &again);
	bool same = buf_error(&again) == 0 && str_equal(buf_str(&again), text);
	if (again.data)
		sodium_memzero(again.data, again.capacity); /* it may be a secret key */
	return same ? 0 : -EINVAL;
}

/* ---- reading ---- */

/* The next of a signature's lines. */
static bool line_of_four(struct lines *l, const char *what)
{
	if (lines_next(l))
		return true;
	if (!l->error)
		lines_error(l, NULL, "the signature is cut: its %s is missing", what);
	return false;
}

static int read_encoded(struct lines *l, struct signature *s)
{
	struct encoded e;
	if (base64_parse(l->line, &e, sizeof(e)) < 0)
		return lines_error(l, l->line.data, "this is not a signature in base64");
	if (memcmp(e.algorithm, "Ed", 2) == 0)
		return lines_error(l, l->line.data, "a signature in minisign's old form; sign without -l");
	if (memcmp(e.algorithm, "ED", 2) != 0)
		return lines_error(l, l->line.data, "not a signature by Ed25519 over BLAKE2b");
	memcpy(s->id.bytes, e.id, sizeof(e.id));
	memcpy(s->signature, e.signature, sizeof(e.signature));
	return 0;
}

/* Its first line is the present one. */
static int read_signature(struct lines *l, struct signature *s)
{
	s->line = l->number;
	if (!str_equals(l->line, UNTRUSTED))
		return lines_error(l, l->line.data, "here must stand exactly \"%s\"", UNTRUSTED);
	if (!line_of_four(l, "second line"))
		return l->error;
	int r = read_encoded(l, s);
	if (r < 0 || !line_of_four(l, "trusted comment"))
		return l->error;
	if (!str_starts_with(l->line, STR(TRUSTED)) || l->line.length > sizeof(TRUSTED) - 1 + COMMENT_MAX)
		return lines_error(l, l->line.data, "here must stand \"%s\" and %d bytes at most", TRUSTED,
		                   COMMENT_MAX);
	s->comment = str_make(l->line.data + sizeof(TRUSTED) - 1, l->line.length - (sizeof(TRUSTED) - 1));
	if (!line_of_four(l, "last line"))
		return l->error;
	if (base64_parse(l->line, s->of_comment, sizeof(s->of_comment)) < 0)
		return lines_error(l, l->line.data, "this is not the signature of a comment in base64");
	return 0;
}

int signatures_parse(struct str text, const char *name, struct diag_list *reterr_diags,
                     struct signatures *ret_signatures)
{
	struct signatures found = {0};
	struct lines l;
	lines_init(&l, text, name, CODE, reterr_diags);
	while (lines_next(&l)) {
		if (found.count == SIGNATURES_MAX)
			return lines_error(&l, l.line.data, "there may be %d signatures at most", SIGNATURES_MAX);
		struct signature *s = &found.items[found.count];
		struct str begin = l.line;
		if (read_signature(&l, s) < 0)
			return l.error;
		if (found.count > 0 && memcmp(s[-1].id.bytes, s->id.bytes, KEY_ID_BYTES) >= 0) {
			l.line = begin;
			l.number = s->line;
			return lines_error(&l, begin.data,
			                   "signatures stand in the order of their keys' ids, one a key");
		}
		found.count++;
	}
	if (l.error)
		return l.error;
	*ret_signatures = found;
	return 0;
}

/* ---- writing ---- */

void signatures_write(const struct signatures *s, struct buf *out)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct signature *one = &s->items[i];
		struct encoded e = {.algorithm = {'E', 'D'}};
		memcpy(e.id, one->id.bytes, sizeof(e.id));
		memcpy(e.signature, one->signature, sizeof(e.signature));
		buf_add_text(out, UNTRUSTED "\n");
		base64_add(&e, sizeof(e), out);
		buf_printf(out, "\n" TRUSTED STR_FMT "\n", STR_ARG(one->comment));
		base64_add(one->of_comment, sizeof(one->of_comment), out);
		buf_add_char(out, '\n');
	}
}

int signatures_put(struct signatures *s, const struct signature *signature)
{
	size_t at = 0;
	int order = 1;
	while (at < s->count && (order = memcmp(signature->id.bytes, s->items[at].id.bytes, KEY_ID_BYTES)) > 0)
		at++;
	if (at < s->count && order == 0) {
		s->items[at] = *signature;
		return 0;
	}
	if (s->count == SIGNATURES_MAX)
		return -ENOSPC;
	memmove(&s->items[at + 1], &s->items[at], (s->count - at) * sizeof(s->items[0]));
	s->items[at] = *signature;
	s->count++;
	return 0;
}

void signature_add_comment(uint64_t time_s, const char *file, struct buf *out)
{
	buf_printf(out, "timestamp:%" PRIu64 "\tfile:%s\thashed", time_s, file);
}

/* ---- verifying ---- */

static void hash_data(struct str data, uint8_t ret_hash[crypto_generichash_BYTES_MAX])
{
	crypto_generichash(ret_hash, crypto_generichash_BYTES_MAX, (const unsigned char *)data.data, data.length, NULL,
	                   0);
}

/* What the second signature is made over: the first one, and the comment. */
struct commented {
	uint8_t bytes[64 + COMMENT_MAX];
	size_t length;
};

static void commented_fill(struct commented *c, const struct signature *s)
{
	memcpy(c->bytes, s->signature, sizeof(s->signature));
	memcpy(c->bytes + sizeof(s->signature), s->comment.data, s->comment.length);
	c->length = sizeof(s->signature) + s->comment.length;
}

static bool is_good(const struct signature *s, const struct public_key *key, struct str data)
{
	uint8_t hash[crypto_generichash_BYTES_MAX];
	struct commented c;
	hash_data(data, hash);
	commented_fill(&c, s);
	return crypto_sign_verify_detached(s->signature, hash, sizeof(hash), key->key) == 0 &&
	       crypto_sign_verify_detached(s->of_comment, c.bytes, c.length, key->key) == 0;
}

void secret_key_sign(const struct secret_key *k, struct str data, struct str comment, struct signature *ret_signature)
{
	uint8_t hash[crypto_generichash_BYTES_MAX];
	struct commented c;
	struct signature s = {.id = k->id, .comment = str_make(comment.data, MIN(comment.length, (size_t)COMMENT_MAX))};
	hash_data(data, hash);
	crypto_sign_detached(s.signature, NULL, hash, sizeof(hash), k->key);
	commented_fill(&c, &s);
	crypto_sign_detached(s.of_comment, NULL, c.bytes, c.length, k->key);
	*ret_signature = s;
}

static const struct trusted_key *key_find(const struct keys *keys, const struct key_id *id)
{
	for (size_t i = 0; i < keys->count; i++) {
		if (key_id_equal(&keys->items[i].key.id, id))
			return &keys->items[i];
	}
	return NULL;
}

static int verify_one(const struct keys *keys, const struct signature *s, struct str data, const char *name,
                      struct diag_list *diags, struct signers *signers)
{
	_cleanup_(buf_done) struct buf id;
	buf_init(&id, KEY_ID_HEX);
	key_id_add(&s->id, &id);
	const char *shown = buf_error(&id) == 0 ? id.data : "?";
	const struct trusted_key *key = key_find(keys, &s->id);
	if (!key) {
		struct diag *d = diag_add(diags, DIAG_ERROR, CODE, name, s->line, 0,
		                          "signed by key %s, which is not in the file of trusted keys", shown);
		diag_set_hint(d, "a key that is not known cannot be verified; add it to the file if you trust it");
		return -EINVAL;
	}
	if (!is_good(s, &key->key, data)) {
		diag_add(diags, DIAG_ERROR, CODE, name, s->line, 0,
		         "the signature by key %s is wrong: the manifest or the signature was changed", shown);
		return -EINVAL;
	}
	if (!key->revoked)
		signers->items[signers->count++] = key;
	else
		diag_add(diags, DIAG_WARNING, CODE, name, s->line, 0,
		         "the signature by key %s counts for nothing: the key is revoked%s" STR_FMT, shown,
		         key->reason.length ? ": " : "", STR_ARG(key->reason));
	return 0;
}

int keys_verify(const struct keys *keys, const struct signatures *s, struct str data, const char *name,
                struct diag_list *reterr_diags, struct signers *ret_signers)
{
	struct signers signers = {0};
	for (size_t i = 0; i < s->count; i++) {
		int r = verify_one(keys, &s->items[i], data, name, reterr_diags, &signers);
		if (r < 0)
			return r;
	}
	if (signers.count < keys->threshold) {
		diag_add(reterr_diags, DIAG_ERROR, CODE, name, 0, 0,
		         "signatures that count: %zu; needed, by different keys: %u", signers.count, keys->threshold);
		return -EINVAL;
	}
	*ret_signers = signers;
	return 0;
}
