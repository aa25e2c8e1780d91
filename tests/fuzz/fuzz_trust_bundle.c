/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a bundle of one file. What is read as one says each thing in the only way there is: written again, it is the
 * same bytes.
 */
#include "trust/bundle.h"

#define DIAGS_MAX 20
#define BYTES_MAX (1u << 20)

static void check_manifest(const struct bundle *b)
{
	_cleanup_(buf_done) struct buf again;
	buf_init(&again, MANIFEST_BYTES_MAX);
	manifest_write(&b->manifest, MANIFEST_WHOLE, &again);
	if (!str_equal(buf_str(&again), b->manifest_text))
		__builtin_trap();
}

static void check_signatures(const struct bundle *b, struct diag_list *diags)
{
	_cleanup_(buf_done) struct buf again;
	struct signatures s;
	buf_init(&again, SIGNATURES_BYTES_MAX);
	if (signatures_parse(b->signature_text, BUNDLE_SIGNATURES, diags, &s) < 0)
		return;
	signatures_write(&s, &again);
	if (!str_equal(buf_str(&again), b->signature_text))
		__builtin_trap();
}

static void check_whole(const struct bundle *b, struct str bytes)
{
	_cleanup_(buf_done) struct buf again;
	buf_init(&again, BYTES_MAX);
	bundle_pack(b, &again);
	if (!str_equal(buf_str(&again), bytes))
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(diag_list_done) struct diag_list diags;
	_cleanup_(bundle_freep) struct bundle *b = NULL;
	struct str bytes = str_make((const char *)data, size);
	diag_list_init(&diags, DIAGS_MAX);
	if (size > BYTES_MAX || bundle_read_bytes(bytes, "fuzz", &diags, &b) < 0)
		return 0;
	check_signatures(b, &diags);
	if (bundle_parse(b, MANIFEST_WHOLE, &diags) < 0)
		return 0;
	check_manifest(b);
	if (bundle_match(b, &diags) == 0)
		check_whole(b, bytes);
	return 0;
}
