/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/bundle_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

/* ---- reading ---- */

struct reading {
	struct bundle *b;
	struct diag_list *diags;
	size_t bytes; /* of all files */
};

static int tell_errno(struct reading *g, const char *name, int r)
{
	diag_add(g->diags, DIAG_ERROR, BUNDLE_CODE, g->b->path, 0, 0, "%s cannot be read: %s", name, strerror(-r));
	return r;
}

static int tell(struct reading *g, const char *name, const char *text)
{
	diag_add(g->diags, DIAG_ERROR, BUNDLE_CODE, g->b->path, 0, 0, "%s: %s", name, text);
	return -EINVAL;
}

/* A plain file, not a link, of max bytes at most, into the arena. */
static int read_plain(struct reading *g, int dir, const char *name, const char *shown, size_t max,
                      struct str *ret_content)
{
	_cleanup_(buf_done) struct buf content;
	/* Without waiting for the other end of a pipe. */
	_cleanup_(base_close_fd) int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	buf_init(&content, max);
	if (fd < 0)
		return errno == ELOOP ? tell(g, shown, "a link; a bundle holds files") : tell_errno(g, shown, -errno);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return tell(g, shown, "this is not a plain file");
	int r = file_read_fd(fd, &content);
	if (r == -EFBIG)
		return tell(g, shown, "it is too long");
	if (r < 0)
		return tell_errno(g, shown, r);
	*ret_content = arena_str(&g->b->arena, buf_str(&content));
	return ret_content->data ? 0 : -ENOMEM;
}

static int take_file(struct reading *g, int dir, const char *name, struct str path)
{
	struct bundle *b = g->b;
	enum bundle_kind kind;
	size_t wrong;
	const char *why;
	if (bundle_path_check(path, &kind, &wrong, &why) < 0)
		return tell(g, path.data, why);
	if (b->found_count == BUNDLE_FILES_MAX)
		return tell(g, path.data, "there are too many files");
	struct bundle_found *f = &b->found[b->found_count];
	f->path = path;
	int r = read_plain(g, dir, name, path.data, BUNDLE_FILE_BYTES_MAX, &f->content);
	if (r < 0)
		return r;
	g->bytes += f->content.length;
	b->found_count++;
	return g->bytes <= BUNDLE_BYTES_MAX ? 0 : tell(g, path.data, "the files together are too long");
}

static int is_entry(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void free_entries(struct dirent **entries, int count)
{
	for (int i = 0; i < count; i++)
		free(entries[i]);
	free(entries);
}

static int read_folder(struct reading *g, int top, const char *folder)
{
	struct dirent **entries = NULL;
	_cleanup_(base_close_fd) int dir = openat(top, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return errno == ENOTDIR || errno == ELOOP ? tell(g, folder, "this is not a directory")
		                                          : tell_errno(g, folder, -errno);
	int count = scandirat(dir, ".", &entries, is_entry, by_bytes),
	    r = count < 0 ? tell_errno(g, folder, -errno) : 0;
	for (int i = 0; i < count && r == 0; i++) {
		struct str path = arena_printf(&g->b->arena, "%s/%s", folder, entries[i]->d_name);
		r = path.data ? take_file(g, dir, entries[i]->d_name, path) : -ENOMEM;
	}
	free_entries(entries, count);
	return r;
}

static int read_entry(struct reading *g, int top, const char *name)
{
	if (strcmp(name, BUNDLE_MANIFEST) == 0)
		return read_plain(g, top, name, name, MANIFEST_BYTES_MAX, &g->b->manifest_text);
	if (strcmp(name, BUNDLE_SIGNATURES) == 0)
		return read_plain(g, top, name, name, SIGNATURES_BYTES_MAX, &g->b->signature_text);
	for (enum bundle_kind kind = 0; kind < BUNDLE_KINDS; kind++) {
		if (strcmp(name, bundle_kind_folder(kind)) == 0)
			return read_folder(g, top, name);
	}
	return tell(
	        g, name,
	        "it has no place in a bundle: there may be manifest, manifest.minisig, lists, policies, rules, samples");
}

int bundle_read_directory(struct bundle *b, struct diag_list *diags)
{
	struct reading g = {.b = b, .diags = diags};
	struct dirent **entries = NULL;
	_cleanup_(base_close_fd) int top = open(b->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (top < 0)
		return tell_errno(&g, "the directory", -errno);
	b->found = arena_array(&b->arena, struct bundle_found, BUNDLE_FILES_MAX);
	if (!b->found)
		return -ENOMEM;
	int count = scandirat(top, ".", &entries, is_entry, by_bytes);
	int r = count < 0 ? tell_errno(&g, "the directory", -errno) : 0;
	for (int i = 0; i < count && r == 0; i++)
		r = read_entry(&g, top, entries[i]->d_name);
	free_entries(entries, count);
	if (r == 0 && !b->manifest_text.data)
		r = tell(&g, BUNDLE_MANIFEST, "it is missing; picket bundle init makes one");
	if (r == 0)
		b->id = digest_of(b->manifest_text);
	return r;
}

/* ---- making one ---- */

/* The manifest for what was found. */
static int complete(struct bundle *b, uint64_t schema, uint64_t made_s, struct buf *ret_text)
{
	struct manifest whole = b->manifest;
	struct manifest_file *files = arena_array(&b->arena, struct manifest_file, b->found_count);
	if (!files)
		return -ENOMEM;
	for (size_t i = 0; i < b->found_count; i++) {
		const struct bundle_found *f = &b->found[i];
		files[i] = (struct manifest_file){
		        .path = f->path, .size = f->content.length, .hash = digest_of(f->content)};
	}
	whole.files = files;
	whole.file_count = b->found_count;
	whole.schema = schema;
	manifest_write(&whole, MANIFEST_WHOLE, ret_text);
	if (str_equal(buf_str(ret_text), b->manifest_text))
		return 0;
	buf_clear(ret_text);
	whole.made_s = made_s;
	manifest_write(&whole, MANIFEST_WHOLE, ret_text);
	return buf_error(ret_text);
}

int bundle_complete(struct bundle *b, uint64_t schema, uint64_t made_s, struct diag_list *reterr_diags)
{
	_cleanup_(buf_done) struct buf text;
	buf_init(&text, MANIFEST_BYTES_MAX);
	int r = complete(b, schema, made_s, &text);
	if (r == -ENOBUFS)
		return bundle_error(b->path, reterr_diags, "its manifest would be too long");
	if (r < 0)
		return r;
	if (!str_equal(buf_str(&text), b->manifest_text)) {
		b->signature_text = str_make(NULL, 0);
		b->manifest_text = arena_str(&b->arena, buf_str(&text));
		b->id = digest_of(b->manifest_text);
	}
	if (!b->manifest_text.data)
		return -ENOMEM;
	r = bundle_parse(b, MANIFEST_WHOLE, reterr_diags);
	return r < 0 ? r : bundle_match(b, reterr_diags);
}

/* ---- writing ---- */

static int write_below(const char *dir, struct str name, struct str content)
{
	char path[PATH_MAX];
	if (snprintf(path, sizeof(path), "%s/" STR_FMT, dir, STR_ARG(name)) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	return file_write_atomic(path, content, 0644);
}

int bundle_write_directory_signatures(const struct bundle *b, struct str signatures)
{
	return write_below(b->path, STR(BUNDLE_SIGNATURES), signatures);
}

int bundle_write_manifest(const struct bundle *b)
{
	char path[PATH_MAX];
	if (snprintf(path, sizeof(path), "%s/" BUNDLE_SIGNATURES, b->path) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	if (b->signature_text.length == 0 && unlink(path) < 0 && errno != ENOENT)
		return -errno;
	return write_below(b->path, STR(BUNDLE_MANIFEST), b->manifest_text);
}

static int make_folder(const char *dir, enum bundle_kind kind)
{
	char path[PATH_MAX];
	if (snprintf(path, sizeof(path), "%s/%s", dir, bundle_kind_folder(kind)) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	return mkdir(path, 0755) < 0 ? -errno : 0;
}

int bundle_unpack(const struct bundle *b, const char *path)
{
	if (mkdir(path, 0755) < 0)
		return -errno;
	int r = write_below(path, STR(BUNDLE_MANIFEST), b->manifest_text);
	if (r == 0 && b->signature_text.length > 0)
		r = write_below(path, STR(BUNDLE_SIGNATURES), b->signature_text);
	for (enum bundle_kind kind = 0; kind < BUNDLE_KINDS && r == 0; kind++)
		r = bundle_count(b, kind) > 0 ? make_folder(path, kind) : 0;
	for (size_t i = 0; i < b->manifest.file_count && r == 0; i++)
		r = write_below(path, b->manifest.files[i].path, b->contents[i]);
	return r;
}
