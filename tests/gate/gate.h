/* SPDX-License-Identifier: Apache-2.0
 *
 * Planted bad bundles: made, passed through the gate, and expected to be refused at the earliest step that can know, with a
 * reason. All in memory.
 */
#ifndef PICKET_TESTS_GATE_H
#define PICKET_TESTS_GATE_H

#include "trust/gate.h"

#define DRAFT_FILES_MAX 8
#define DRAFT_SIGNERS_MAX 4
#define BYTES_MAX (80u << 20)
#define NOW_S 1795341600ull /* 2026-11-22T10:00:00Z */

/* ---- people ---- */
enum person { ALICE, BOB, CAROL /* revoked */, MALLORY /* not trusted */, PEOPLE };
extern struct secret_key people[PEOPLE];
extern struct keys trusted, trusted_two; /* threshold 1, and 2 */

/* ---- bundles that are being made ---- */

struct draft {
	const char *name, *title, *schema, *made, *expires, *version; /* as text, so that it may be wrong */
	const char *powers;                                           /* lines, or "" */
	struct draft_file {
		const char *path;
		struct str content;
	} files[DRAFT_FILES_MAX];
	size_t file_count;
	enum person signers[DRAFT_SIGNERS_MAX];
	size_t signer_count;
};
void draft_init(struct draft *d); /* a good one: two files, signed by Alice */
void draft_rules(struct draft *d, const char *text);
void draft_manifest(const struct draft *d, struct buf *out);
void draft_body(const struct draft *d, struct buf *out);
void draft_pack(const struct draft *d, struct buf *out);
void sign_text(struct str manifest, const enum person *signers, size_t count, struct buf *out);
void pack_parts(struct str manifest, struct str signatures, struct str body, struct buf *out);
/* The draft's files under another manifest, which is signed. */
void pack_manifest(const struct draft *d, struct str manifest, struct buf *out);

/* ---- what is expected ---- */

struct gate_options default_options(void);
/* Refused at this step, with reason in what is said; GATE_STEPS: it passes. */
void expect(const char *name, struct str bytes, const struct gate_options *options, enum gate_step step,
            const char *reason);
void expect_draft(const char *name, const struct draft *d, enum gate_step step, const char *reason);
/* Refused at a step up to last, whatever the reason. */
void expect_by(const char *name, struct str bytes, enum gate_step last);

void cases_form(void);
void cases_manifest(void);
void cases_signatures(void);
void cases_seen(void);
void cases_rules(void);
void cases_bombs(void);
void cases_policies(void);

#endif
