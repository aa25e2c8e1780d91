/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/keys.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "trust/trust_int.h"

#define CODE "BUNDLE_ERR_KEYS"

/* ---- ids and public keys ---- */

bool key_id_equal(const struct key_id *a, const struct key_id *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* minisign shows the bytes as a number, the last one first. */
void key_id_add(const struct key_id *id, struct buf *out)
{
	for (size_t i = KEY_ID_BYTES; i > 0; i--)
		buf_printf(out, "%02X", id->bytes[i - 1]);
}

static int key_id_parse(struct str text, struct key_id *ret_id)
{
	struct key_id reversed, id = {0};
	size_t length;
	if (text.length != KEY_ID_HEX ||
	    sodium_hex2bin(reversed.bytes, KEY_ID_BYTES, text.data, text.length, NULL, &length, NULL) != 0 ||
	    length != KEY_ID_BYTES)
		return -EINVAL;
	for (size_t i = 0; i < KEY_ID_BYTES; i++)
		id.bytes[i] = reversed.bytes[KEY_ID_BYTES - 1 - i];
	*ret_id = id;
	return 0;
}

struct __attribute__((packed)) encoded_key {
	char algorithm[2];
	uint8_t id[KEY_ID_BYTES];
	uint8_t key[PUBLIC_KEY_BYTES];
};
_Static_assert(sizeof(struct encoded_key) == 42, "as in minisign");

int public_key_parse(struct str base64, struct public_key *ret_key)
{
	struct encoded_key e;
	if (base64_parse(base64, &e, sizeof(e)) < 0 || memcmp(e.algorithm, "Ed", 2) != 0)
		return -EINVAL;
	memcpy(ret_key->id.bytes, e.id, sizeof(e.id));
	memcpy(ret_key->key, e.key, sizeof(e.key));
	return 0;
}

void public_key_write(const struct public_key *key, struct buf *out)
{
	struct encoded_key e = {.algorithm = {'E', 'd'}};
	memcpy(e.id, key->id.bytes, sizeof(e.id));
	memcpy(e.key, key->key, sizeof(e.key));
	buf_add_text(out, "untrusted comment: minisign public key ");
	key_id_add(&key->id, out);
	buf_add_char(out, '\n');
	base64_add(&e, sizeof(e), out);
	buf_add_char(out, '\n');
}

/* ---- the file of trusted keys ---- */

struct revocation {
	struct key_id id;
	struct str reason;
};

struct parser {
	struct lines lines;
	struct keys keys;
	struct revocation revoked[KEYS_MAX];
	size_t revoked_count;
};

static int read_threshold(struct parser *p, struct str value)
{
	uint64_t number;
	if (p->keys.threshold > 0)
		return lines_error(&p->lines, p->lines.line.data, "the threshold was given already");
	if (text_to_number(value, SIGNATURES_MAX, &number) < 0 || number == 0)
		return lines_error(&p->lines, value.data, "a threshold is a number from 1 to %d", SIGNATURES_MAX);
	p->keys.threshold = (unsigned)number;
	return 0;
}

static int read_revoked(struct parser *p, struct str value)
{
	struct revocation r = {0};
	struct str rest = value, id;
	if (!word_next(&rest, &id) || key_id_parse(id, &r.id) < 0)
		return lines_error(&p->lines, value.data,
		                   "after \"revoked\" stands a key's id, of 16 hexadecimal digits");
	if (p->revoked_count == KEYS_MAX)
		return lines_error(&p->lines, value.data, "there may be %d revoked keys at most", KEYS_MAX);
	r.reason = str_trim(rest);
	p->revoked[p->revoked_count++] = r;
	return 0;
}

static int read_key(struct parser *p)
{
	struct trusted_key k = {0};
	struct str rest = p->lines.line, text;
	if (!word_next(&rest, &text) || public_key_parse(text, &k.key) < 0)
		return lines_error(&p->lines, p->lines.line.data,
		                   "this is no public key, no \"threshold N\" and no \"revoked ID\"");
	for (size_t i = 0; i < p->keys.count; i++) {
		const struct public_key *other = &p->keys.items[i].key;
		if (key_id_equal(&other->id, &k.key.id))
			return lines_error(&p->lines, p->lines.line.data, "a key with this id stands here already");
		/* One key under two ids would count as two people. */
		if (memcmp(other->key, k.key.key, sizeof(k.key.key)) == 0)
			return lines_error(&p->lines, p->lines.line.data,
			                   "this key stands here already, under another id");
	}
	if (p->keys.count == KEYS_MAX)
		return lines_error(&p->lines, p->lines.line.data, "there may be %d keys at most", KEYS_MAX);
	k.note = str_trim(rest);
	p->keys.items[p->keys.count++] = k;
	return 0;
}

static bool has_word(struct str line, struct str word, struct str *ret_value)
{
	*ret_value = str_make(line.data + word.length, line.length - MIN(word.length, line.length));
	return str_starts_with(line, word);
}

static int read_line(struct parser *p)
{
	struct str line = p->lines.line, value;
	if (str_trim(line).length == 0 || line.data[0] == '#' || has_word(line, STR("untrusted comment:"), &value))
		return 0;
	if (has_word(line, STR("threshold "), &value))
		return read_threshold(p, value);
	if (has_word(line, STR("revoked "), &value))
		return read_revoked(p, value);
	return read_key(p);
}

static size_t apply_revocations(struct parser *p)
{
	size_t left = 0;
	for (size_t i = 0; i < p->keys.count; i++) {
		struct trusted_key *k = &p->keys.items[i];
		for (size_t r = 0; r < p->revoked_count && !k->revoked; r++) {
			k->revoked = key_id_equal(&k->key.id, &p->revoked[r].id);
			k->reason = p->revoked[r].reason;
		}
		left += !k->revoked;
	}
	return left;
}

int keys_parse(struct str text, const char *name, struct diag_list *reterr_diags, struct keys *ret_keys)
{
	struct parser p = {0};
	lines_init(&p.lines, text, name, CODE, reterr_diags);
	while (lines_next(&p.lines)) {
		if (read_line(&p) < 0)
			return p.lines.error;
	}
	if (p.lines.error)
		return p.lines.error;
	p.keys.threshold = MAX(p.keys.threshold, 1u);
	size_t left = apply_revocations(&p);
	if (left < p.keys.threshold)
		return lines_error(
		        &p.lines, NULL,
		        "%zu keys can sign (%zu are revoked), and the threshold is %u: nothing would be accepted", left,
		        p.keys.count - left, p.keys.threshold);
	*ret_keys = p.keys;
	return 0;
}

/* ---- files ---- */

static int tell(int r, const char *path, struct diag_list *diags)
{
	diag_add(diags, DIAG_ERROR, CODE, path, 0, 0, "it cannot be read: %s", strerror(-r));
	return r;
}

/* Nobody but its owner may have the rights in mode, and the owner is root or the caller. */
static int read_owned(const char *path, mode_t mode, const char *what, struct buf *out, struct diag_list *diags)
{
	struct stat st;
	if (stat(path, &st) < 0)
		return tell(-errno, path, diags);
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & mode)) {
		struct diag *d = diag_add(diags, DIAG_ERROR, CODE, path, 0, 0, "others may %s it: mode %04o, owner %u",
		                          what, (unsigned)st.st_mode & 07777u, st.st_uid);
		diag_set_hint(d, "make it yours or root's, and take the rights away: chmod %s %s",
		              mode == 022 ? "go-w" : "600", path);
		return -EPERM;
	}
	int r = file_read(path, out);
	return r < 0 ? tell(r, path, diags) : 0;
}

int keys_read(const char *path, struct buf *text, struct diag_list *reterr_diags, struct keys *ret_keys)
{
	int r = read_owned(path, 022, "write", text, reterr_diags);
	return r < 0 ? r : keys_parse(buf_str(text), path, reterr_diags, ret_keys);
}

int secret_key_read_file(const char *path, struct buf *out, struct diag_list *reterr_diags)
{
	return read_owned(path, 077, "read", out, reterr_diags);
}
