/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/bundle_int.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"
#include "trust/trust_int.h"

#define MAGIC "picket-bundle-file 1 "
#define HEADER_MAX 64
#define FILE_MAX (HEADER_MAX + MANIFEST_BYTES_MAX + SIGNATURES_BYTES_MAX + BUNDLE_BYTES_MAX)
#define ARENA_MAX (BUNDLE_BYTES_MAX + MANIFEST_BYTES_MAX + SIGNATURES_BYTES_MAX + (4u << 20))

int bundle_error(const char *path, struct diag_list *diags, const char *text)
{
	diag_add(diags, DIAG_ERROR, BUNDLE_CODE, path, 0, 0, "%s", text);
	return -EINVAL;
}

/* ---- new, free ---- */

static struct bundle *bundle_new(const char *path)
{
	struct bundle *b = calloc(1, sizeof(*b));
	if (!b)
		return NULL;
	b->path = path;
	arena_init(&b->arena, ARENA_MAX);
	buf_init(&b->bytes, FILE_MAX);
	return b;
}

void bundle_free(struct bundle *b)
{
	if (!b)
		return;
	arena_done(&b->arena);
	buf_done(&b->bytes);
	free(b);
}

void bundle_freep(struct bundle **b)
{
	bundle_free(*b);
}

/* ---- the form: one file ---- */

/* Takes a number and the character behind it from the front of *rest. */
static int header_number(struct str *rest, char end, uint64_t max, uint64_t *ret_number)
{
	ssize_t length = str_find_char(*rest, end);
	if (length < 0 || text_to_number(str_make(rest->data, (size_t)length), max, ret_number) < 0)
		return -EINVAL;
	*rest = str_make(rest->data + length + 1, rest->length - (size_t)length - 1);
	return 0;
}

static struct str take(struct str *rest, size_t length)
{
	struct str taken = str_make(rest->data, length);
	*rest = str_make(rest->data + length, rest->length - length);
	return taken;
}

/* Manifest, signatures and body are views of the bytes. */
static int file_split(struct bundle *b, struct diag_list *diags)
{
	struct str rest = buf_str(&b->bytes);
	uint64_t manifest, signatures;
	if (!str_starts_with(rest, STR(MAGIC)))
		return bundle_error(b->path, diags, "this is no bundle: it does not begin with \"" MAGIC "\"");
	take(&rest, sizeof(MAGIC) - 1);
	struct str line = str_make(rest.data, MIN(rest.length, (size_t)HEADER_MAX));
	struct str header = line;
	if (header_number(&header, ' ', MANIFEST_BYTES_MAX, &manifest) < 0 ||
	    header_number(&header, '\n', SIGNATURES_BYTES_MAX, &signatures) < 0)
		return bundle_error(b->path, diags, "its first line does not say how long manifest and signatures are");
	take(&rest, line.length - header.length);
	if (manifest + signatures > rest.length)
		return bundle_error(b->path, diags, "it is cut: manifest and signatures are longer than what is there");
	b->manifest_text = take(&rest, manifest);
	b->signature_text = take(&rest, signatures);
	b->body = rest;
	b->id = digest_of(b->manifest_text);
	return 0;
}

static int file_read_all(struct bundle *b, struct diag_list *diags)
{
	int r = file_read(b->path, &b->bytes);
	if (r == -EFBIG)
		diag_add(diags, DIAG_ERROR, BUNDLE_CODE, b->path, 0, 0, "it is longer than a bundle may be: %u bytes",
		         FILE_MAX);
	else if (r < 0)
		diag_add(diags, DIAG_ERROR, BUNDLE_CODE, b->path, 0, 0, "it cannot be read: %s", strerror(-r));
	return r;
}

int bundle_read(const char *path, struct diag_list *reterr_diags, struct bundle **ret_bundle)
{
	_cleanup_(bundle_freep) struct bundle *b = bundle_new(path);
	struct stat st;
	if (!b)
		return -ENOMEM;
	b->is_directory = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
	int r = b->is_directory ? bundle_read_directory(b, reterr_diags) : file_read_all(b, reterr_diags);
	if (r == 0 && !b->is_directory)
		r = file_split(b, reterr_diags);
	if (r < 0)
		return r;
	*ret_bundle = TAKE_PTR(b);
	return 0;
}

int bundle_read_bytes(struct str bytes, const char *path, struct diag_list *reterr_diags, struct bundle **ret_bundle)
{
	_cleanup_(bundle_freep) struct bundle *b = bundle_new(path);
	if (!b)
		return -ENOMEM;
	buf_add_str(&b->bytes, bytes);
	int r = buf_error(&b->bytes);
	if (r == -ENOBUFS)
		return bundle_error(path, reterr_diags, "it is longer than a bundle may be");
	if (r == 0)
		r = file_split(b, reterr_diags);
	if (r < 0)
		return r;
	*ret_bundle = TAKE_PTR(b);
	return 0;
}

/* ---- manifest and files ---- */

int bundle_parse(struct bundle *b, enum manifest_form form, struct diag_list *reterr_diags)
{
	return manifest_parse(b->manifest_text, BUNDLE_MANIFEST, form, &b->arena, reterr_diags, &b->manifest);
}

static int path_error(struct str path, struct diag_list *diags, const char *text)
{
	diag_add(diags, DIAG_ERROR, BUNDLE_CODE, NULL, 0, 0, STR_FMT ": %s", STR_ARG(path), text);
	return -EINVAL;
}

static int match_body(struct bundle *b, struct str *contents, struct diag_list *diags)
{
	struct str rest = b->body;
	for (size_t i = 0; i < b->manifest.file_count; i++) {
		const struct manifest_file *f = &b->manifest.files[i];
		if (f->size > rest.length)
			return path_error(f->path, diags, "the bundle is cut within this file");
		contents[i] = take(&rest, f->size);
	}
	return rest.length == 0 ? 0 : bundle_error(b->path, diags, "bytes stand behind the last file");
}

/* Both are in the order of their paths. */
static int match_found(const struct bundle *b, struct str *contents, struct diag_list *diags)
{
	for (size_t i = 0, f = 0; i < b->manifest.file_count || f < b->found_count; i++, f++) {
		bool named = i < b->manifest.file_count, there = f < b->found_count;
		int order = named && there ? str_compare(b->manifest.files[i].path, b->found[f].path) : named ? -1 : 1;
		if (order < 0)
			return path_error(b->manifest.files[i].path, diags,
			                  "the manifest names it, and it is not there");
		if (order > 0)
			return path_error(b->found[f].path, diags,
			                  "the manifest does not name it; picket bundle build writes the manifest");
		contents[i] = b->found[f].content;
	}
	return 0;
}

static int match_hashes(const struct bundle *b, const struct str *contents, struct diag_list *diags)
{
	for (size_t i = 0; i < b->manifest.file_count; i++) {
		const struct manifest_file *f = &b->manifest.files[i];
		struct digest d = digest_of(contents[i]);
		if (contents[i].length != f->size)
			return path_error(f->path, diags, "it has another size than the manifest says");
		if (!digest_equal(&d, &f->hash))
			return path_error(f->path, diags, "it is not what the manifest says: its hash is another one");
	}
	return 0;
}

int bundle_match(struct bundle *b, struct diag_list *reterr_diags)
{
	struct str *contents = arena_array(&b->arena, struct str, b->manifest.file_count);
	if (!contents)
		return -ENOMEM;
	int r = b->is_directory ? match_found(b, contents, reterr_diags) : match_body(b, contents, reterr_diags);
	if (r == 0)
		r = match_hashes(b, contents, reterr_diags);
	if (r == 0)
		b->contents = contents;
	return r;
}

int bundle_open(const char *path, struct diag_list *reterr_diags, struct bundle **ret_bundle)
{
	_cleanup_(bundle_freep) struct bundle *b = NULL;
	int r = bundle_read(path, reterr_diags, &b);
	if (r == 0)
		r = bundle_parse(b, MANIFEST_WHOLE, reterr_diags);
	if (r == 0)
		r = bundle_match(b, reterr_diags);
	if (r < 0)
		return r;
	*ret_bundle = TAKE_PTR(b);
	return 0;
}

size_t bundle_count(const struct bundle *b, enum bundle_kind kind)
{
	size_t count = 0;
	for (size_t i = 0; i < b->manifest.file_count; i++)
		count += b->manifest.files[i].kind == kind;
	return count;
}

/* ---- writing ---- */

void bundle_pack(const struct bundle *b, struct buf *out)
{
	buf_printf(out, MAGIC "%zu %zu\n", b->manifest_text.length, b->signature_text.length);
	buf_add_str(out, b->manifest_text);
	buf_add_str(out, b->signature_text);
	for (size_t i = 0; i < b->manifest.file_count; i++)
		buf_add_str(out, b->contents[i]);
}

int bundle_write_signatures(struct bundle *b, struct str signatures)
{
	_cleanup_(buf_done) struct buf out;
	buf_init(&out, FILE_MAX);
	if (b->is_directory)
		return bundle_write_directory_signatures(b, signatures);
	b->signature_text = arena_str(&b->arena, signatures);
	if (!b->signature_text.data)
		return -ENOMEM;
	bundle_pack(b, &out);
	int r = buf_error(&out);
	return r < 0 ? r : file_write_atomic(b->path, buf_str(&out), 0644);
}
