/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as one of the room's texts; the first byte says which. What is taken is the only way to write what it says,
 * where there is one way.
 */
#include "trust/keys.h"
#include "trust/manifest.h"
#include "trust/store_int.h"

#define DIAGS_MAX 20

static void must_equal(const struct buf *again, struct str text)
{
	if (!str_equal(buf_str(again), text))
		__builtin_trap();
}

static void as_manifest(struct str text, enum manifest_form form, struct diag_list *diags, struct buf *again)
{
	_cleanup_(arena_done) struct arena arena;
	struct manifest m;
	arena_init(&arena, 1u << 20);
	if (manifest_parse(text, "manifest", form, &arena, diags, &m) < 0)
		return;
	manifest_write(&m, form, again);
	if (form == MANIFEST_WHOLE)
		must_equal(again, text);
}

static void as_signatures(struct str text, struct diag_list *diags, struct buf *again)
{
	static const struct keys nobody = {.threshold = 1};
	struct signatures s;
	struct signers signers;
	if (signatures_parse(text, "signatures", diags, &s) < 0)
		return;
	signatures_write(&s, again);
	must_equal(again, text);
	if (keys_verify(&nobody, &s, text, "signatures", diags, &signers) == 0)
		__builtin_trap();
}

static void as_keys(struct str text, struct diag_list *diags)
{
	struct keys keys;
	size_t left = 0;
	if (keys_parse(text, "keys", diags, &keys) < 0)
		return;
	for (size_t i = 0; i < keys.count; i++)
		left += !keys.items[i].revoked;
	if (keys.threshold == 0 || left < keys.threshold)
		__builtin_trap();
}

/* Without a passphrase: scrypt would take all the time. */
static void as_secret_key(struct str text, struct diag_list *diags)
{
	_cleanup_(secret_key_done) struct secret_key key;
	if (secret_key_parse(text, "key", str_make(NULL, 0), diags, &key) == 0)
		secret_key_sign(&key, text, STR("c"), &(struct signature){0});
}

static void as_state(struct str text, struct diag_list *diags, struct buf *again)
{
	struct store_state s;
	if (state_parse(text, "state", diags, &s) < 0)
		return;
	state_write(&s, again);
	must_equal(again, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(diag_list_done) struct diag_list diags;
	_cleanup_(buf_done) struct buf again;
	diag_list_init(&diags, DIAGS_MAX);
	buf_init(&again, MANIFEST_BYTES_MAX);
	if (size == 0)
		return 0;
	struct str text = str_make((const char *)data + 1, size - 1);
	switch (data[0]) {
	case 'm':
		as_manifest(text, MANIFEST_WHOLE, &diags, &again);
		break;
	case 'h':
		as_manifest(text, MANIFEST_HEAD, &diags, &again);
		break;
	case 's':
		as_signatures(text, &diags, &again);
		break;
	case 'k':
		as_keys(text, &diags);
		break;
	case 'x':
		as_secret_key(text, &diags);
		break;
	case 't':
		as_state(text, &diags, &again);
		break;
	default:
		break;
	}
	return 0;
}
