/* SPDX-License-Identifier: Apache-2.0
 *
 * What a bundle says of itself. Signatures are made over these bytes, and the bytes name every file of the bundle by size
 * and hash. Lines, each a word and its value, in this order and no other:
 *
 *	picket-bundle 1
 *	name web-servers
 *	version 12
 *	title Rules for the web servers, autumn
 *	schema 1f0c3a5577e0b9d2
 *	made 2026-11-22T10:00:00Z
 *	expires 2027-02-22T10:00:00Z
 *	power deny:connect				none or more, sorted
 *	file rules/web.yaml 1234 6b86b273ff34fce1…	one or more, sorted
 *
 * There is one way to write each value, no comment, no blank that is not needed: two texts that differ say something
 * different.
 */
#ifndef PICKET_TRUST_MANIFEST_H
#define PICKET_TRUST_MANIFEST_H

#include "base/arena.h"
#include "base/diag.h"
#include "trust/digest.h"

#define MANIFEST_BYTES_MAX (256u << 10)
#define BUNDLE_NAME_MAX 64 /* characters */
#define BUNDLE_TITLE_MAX 200
#define BUNDLE_POWER_MAX 64
#define BUNDLE_PATH_MAX 128
#define BUNDLE_POWERS_MAX 64
#define BUNDLE_FILES_MAX 1000
#define BUNDLE_FILE_BYTES_MAX (16u << 20)
#define BUNDLE_BYTES_MAX (64u << 20) /* of all files together */
#define BUNDLE_VERSION_MAX INT64_MAX

/* What a file is follows from its path: FOLDER/NAME.yaml, NAME of a-z, 0-9, '.', '_', '-', a letter or digit first. Nothing
 * else is a path, so none leads out of the bundle, and no two are one file where case does not count. */
enum bundle_kind { BUNDLE_LISTS, BUNDLE_POLICIES, BUNDLE_RULES, BUNDLE_SAMPLES, BUNDLE_KINDS };
const char *bundle_kind_folder(enum bundle_kind kind); /* "lists" … */
/* Returns 0; -EINVAL: ret_wrong is the byte at which it stops to be one (may be the length), *ret_why what is wrong. */
int bundle_path_check(struct str path, enum bundle_kind *ret_kind, size_t *ret_wrong, const char **ret_why) must_check;

struct manifest_file {
	enum bundle_kind kind;
	struct str path;
	uint64_t size;
	struct digest hash;
};

/* Texts are borrowed from what was read; what was counted up lies in an arena. */
struct manifest {
	struct str name, title;
	uint64_t version; /* from 1 */
	uint64_t schema;  /* event_schema_fingerprint() of the picket that made it */
	uint64_t made_s, expires_s;
	const struct str *powers;
	size_t power_count;
	const struct manifest_file *files;
	size_t file_count;
};

enum manifest_form {
	MANIFEST_WHOLE,
	MANIFEST_HEAD, /* as a person begins one: schema, made and files may be missing */
};
/* name: of the text, for messages. Returns 0; -EINVAL: told in reterr_diags; -ENOMEM: also the arena's limit. */
int manifest_parse(struct str text, const char *name, enum manifest_form form, struct arena *arena,
                   struct diag_list *reterr_diags, struct manifest *ret_manifest) must_check;
/* What manifest_parse() takes. In a HEAD what it may lack is left out. */
void manifest_write(const struct manifest *m, enum manifest_form form, struct buf *out);

void trust_add_time(uint64_t time_s, struct buf *out); /* 2026-11-22T10:00:00Z */

#endif
