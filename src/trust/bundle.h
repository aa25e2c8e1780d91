/* SPDX-License-Identifier: Apache-2.0
 *
 * Content for hosts: rules, lists, policies and samples under a manifest, which is signed. Two forms:
 *
 *	a directory	manifest, manifest.minisig, and below lists/, policies/, rules/, samples/ what the manifest names;
 *			nothing else may be there, no links either
 *	one file	"picket-bundle-file 1 M S\n", M bytes of manifest, S bytes of signatures, and the files' bytes one
 *			after the other, as the manifest lists them
 *
 * No byte is without meaning in either: each is of the header, of the manifest, of signatures that are verified, or of a
 * file whose hash the manifest has. It is read in the steps that the gate takes, each of which looks at no more than those
 * before it vouched for: read (form), parse (manifest), match (files).
 */
#ifndef PICKET_TRUST_BUNDLE_H
#define PICKET_TRUST_BUNDLE_H

#include "rule/rule.h"
#include "trust/keys.h"
#include "trust/manifest.h"

#define BUNDLE_MANIFEST "manifest"
#define BUNDLE_SIGNATURES "manifest.minisig"

struct bundle {
	const char *path; /* as it was given */
	struct str manifest_text, signature_text;
	struct digest id; /* of manifest_text */
	/* Of parse: */
	struct manifest manifest;
	/* Of match: of each file of the manifest its bytes. */
	const struct str *contents;

	/* Private: */
	struct arena arena;
	struct buf bytes; /* one file: all of it */
	struct str body;  /* one file: what stands behind the signatures */
	bool is_directory;
	struct bundle_found {
		struct str path, content;
	} * found; /* directory: by path */
	size_t found_count;
};

/* All of it into memory, whatever it says. Returns 0; -EINVAL, -errno of reading: told in reterr_diags; -ENOMEM. */
int bundle_read(const char *path, struct diag_list *reterr_diags, struct bundle **ret_bundle) must_check;
/* Of one file's bytes, which are copied. path: for messages, borrowed. */
int bundle_read_bytes(struct str bytes, const char *path, struct diag_list *reterr_diags, struct bundle **ret_bundle)
        must_check;
void bundle_free(struct bundle *b); /* NULL is allowed */
void bundle_freep(struct bundle **b);
int bundle_parse(struct bundle *b, enum manifest_form form, struct diag_list *reterr_diags) must_check;
int bundle_match(struct bundle *b, struct diag_list *reterr_diags) must_check; /* after parse, of a whole manifest */
/* read, parse and match, for who looks at it and does not trust it. */
int bundle_open(const char *path, struct diag_list *reterr_diags, struct bundle **ret_bundle) must_check;

/* Of a directory that was read, and parsed as a HEAD: writes the manifest anew for what is found in it, in memory. Then it
 * is parsed whole and matched. made_s: the time, which is taken unless nothing else has changed. If the manifest has
 * changed, its signatures are gone. Returns 0; -EINVAL: told; -ENOMEM. */
int bundle_complete(struct bundle *b, uint64_t schema, uint64_t made_s, struct diag_list *reterr_diags) must_check;
/* Writes manifest and signatures as they are in memory into the directory. Returns 0, -errno. */
int bundle_write_manifest(const struct bundle *b) must_check;
/* The one-file form of a bundle that was matched. Error: in the buffer. */
void bundle_pack(const struct bundle *b, struct buf *out);
/* The directory form of it; path must not exist. Returns 0, -errno. */
int bundle_unpack(const struct bundle *b, const char *path) must_check;
/* Puts other signatures in place of its own: into the file or directory that it was read from. Returns 0, -errno. */
int bundle_write_signatures(struct bundle *b, struct str signatures) must_check;

/* Its lists, rules and samples, read in this order, compiled. Rules stand in rules/ only. written: called with what
 * stands in lists and exceptions before they disappear in conditions; may be NULL. Returns 0; -EINVAL: told; -ENOMEM. */
int bundle_load_rules(const struct bundle *b, void (*written)(void *userdata, const struct rule_written *w),
                      void *userdata, struct diag_list *reterr_diags, struct rule_set **ret_set) must_check;
size_t bundle_count(const struct bundle *b, enum bundle_kind kind); /* files of a kind */

#endif
