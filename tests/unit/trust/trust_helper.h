/* SPDX-License-Identifier: Apache-2.0
 *
 * For the room's tests: scratch directories, small bundles, what was told.
 */
#ifndef PICKET_TESTS_TRUST_HELPER_H
#define PICKET_TESTS_TRUST_HELPER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "trust/bundle.h"

#define TEXT_BYTES_MAX (1u << 20)

#define RULE_TEXT(name, condition, priority) \
	"- rule: " name "\n" \
	"  desc: d\n" \
	"  condition: " condition "\n" \
	"  output: o\n" \
	"  priority: " priority "\n"

/* ---- directories ---- */

static inline int remove_one(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
	(void)st, (void)kind, (void)walk;
	return remove(path);
}

static inline void remove_tree(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

struct scratch {
	char path[64];
};
static inline void scratch_init(struct scratch *s)
{
	snprintf(s->path, sizeof(s->path), "/tmp/picket-trust-XXXXXX");
	assert_non_null(mkdtemp(s->path));
}
static inline void scratch_done(struct scratch *s)
{
	remove_tree(s->path);
}
static inline const char *below(const char *dir, const char *name)
{
	static char path[4][PATH_MAX];
	static unsigned next;
	char *at = path[next++ % 4];
	assert_true(snprintf(at, PATH_MAX, "%s/%s", dir, name) < PATH_MAX);
	return at;
}
static inline void write_text(const char *path, const char *text)
{
	assert_int_equal(file_write_atomic(path, str_from(text), 0644), 0);
}
static inline void assert_file(const char *path, struct str expected)
{
	_cleanup_(buf_done) struct buf text;
	buf_init(&text, TEXT_BYTES_MAX);
	assert_int_equal(file_read(path, &text), 0);
	assert_true(str_equal(buf_str(&text), expected));
}

/* ---- messages ---- */

/* "name:line:column: text" of the first error. */
static inline void assert_told(const struct diag_list *diags, const char *expected)
{
	_cleanup_(buf_done) struct buf out;
	buf_init(&out, TEXT_BYTES_MAX);
	for (size_t i = 0; i < diags->count && out.length == 0; i++) {
		const struct diag *d = &diags->items[i];
		if (d->level == DIAG_ERROR)
			buf_printf(&out, "%s:%u:%u: %s", d->file ? d->file : "", d->line, d->column, d->text);
	}
	if (!out.data || !strstr(out.data, expected))
		fail_msg("told: %s; expected: %s", out.data ? out.data : "nothing", expected);
}

/* ---- bundles ---- */

/* A directory with one file of rules, complete and not signed. */
static inline void make_bundle(const char *dir, const char *version, const char *rules)
{
	_cleanup_(diag_list_done) struct diag_list diags;
	_cleanup_(bundle_freep) struct bundle *b = NULL;
	_cleanup_(buf_done) struct buf head;
	diag_list_init(&diags, 20);
	buf_init(&head, TEXT_BYTES_MAX);
	buf_printf(&head, "picket-bundle 1\nname web\nversion %s\ntitle t\nexpires 2030-01-01T00:00:00Z\n", version);
	mkdir(dir, 0755);
	mkdir(below(dir, "rules"), 0755);
	write_text(below(dir, "rules/web.yaml"), rules);
	write_text(below(dir, "manifest"), head.data);
	assert_int_equal(bundle_read(dir, &diags, &b), 0);
	assert_int_equal(bundle_parse(b, MANIFEST_HEAD, &diags), 0);
	assert_int_equal(bundle_complete(b, 7, 1795341600, &diags), 0);
	assert_int_equal(bundle_write_manifest(b), 0);
}

static inline struct bundle *open_bundle(const char *path)
{
	_cleanup_(diag_list_done) struct diag_list diags;
	struct bundle *b = NULL;
	diag_list_init(&diags, 20);
	if (bundle_open(path, &diags, &b) < 0)
		fail_msg("%s: %s", path, diags.count ? diags.items[0].text : "");
	return b;
}

#endif
