/* SPDX-License-Identifier: Apache-2.0
 *
 * Signatures that are missing, wrong, of others, or of something else.
 */
#include "tests/gate/gate.h"

#include <stdio.h>

struct signed_draft {
	struct draft d;
	struct buf manifest, body;
};

static void signed_init(struct signed_draft *s)
{
	buf_init(&s->manifest, BYTES_MAX);
	buf_init(&s->body, BYTES_MAX);
	draft_init(&s->d);
	draft_manifest(&s->d, &s->manifest);
	draft_body(&s->d, &s->body);
}

static void signed_done(struct signed_draft *s)
{
	buf_done(&s->manifest);
	buf_done(&s->body);
}

static void expect_signatures(const char *name, const struct signed_draft *s, struct str signatures,
                              const struct keys *keys, enum gate_step step, const char *reason)
{
	_cleanup_(buf_done) struct buf bytes;
	struct gate_options options = default_options();
	options.keys = keys;
	buf_init(&bytes, BYTES_MAX);
	pack_parts(buf_str(&s->manifest), signatures, buf_str(&s->body), &bytes);
	expect(name, buf_str(&bytes), &options, step, reason);
}

static void expect_signers(const char *name, const struct signed_draft *s, const enum person *signers, size_t count,
                           const struct keys *keys, enum gate_step step, const char *reason)
{
	_cleanup_(buf_done) struct buf text;
	buf_init(&text, BYTES_MAX);
	sign_text(buf_str(&s->manifest), signers, count, &text);
	expect_signatures(name, s, buf_str(&text), keys, step, reason);
}

#define SIGNED_BY(...) (const enum person[]){__VA_ARGS__}, ARRAY_SIZE(((const enum person[]){__VA_ARGS__}))

static void who_signs(const struct signed_draft *s)
{
	expect_signatures("not signed", s, STR(""), &trusted, GATE_SIGNATURES, "count: 0; needed");
	expect_signers("Alice", s, SIGNED_BY(ALICE), &trusted, GATE_STEPS, "");
	expect_signers("Bob", s, SIGNED_BY(BOB), &trusted, GATE_STEPS, "");
	expect_signers("revoked", s, SIGNED_BY(CAROL), &trusted, GATE_SIGNATURES, "count: 0; needed");
	expect_signers("not trusted", s, SIGNED_BY(MALLORY), &trusted, GATE_SIGNATURES,
	               "not in the file of trusted keys");
	expect_signers("Alice, and one who is not trusted", s, SIGNED_BY(ALICE, MALLORY), &trusted, GATE_SIGNATURES,
	               "not in the file of trusted keys");
	expect_signers("Alice, and one who is revoked", s, SIGNED_BY(ALICE, CAROL), &trusted, GATE_STEPS, "");
	expect_signers("one of two needed", s, SIGNED_BY(ALICE), &trusted_two, GATE_SIGNATURES, "count: 1; needed");
	expect_signers("one and a revoked one, of two needed", s, SIGNED_BY(ALICE, CAROL), &trusted_two,
	               GATE_SIGNATURES, "count: 1; needed");
	expect_signers("two of two needed", s, SIGNED_BY(ALICE, BOB), &trusted_two, GATE_STEPS, "");
}

static void add_block(const struct signed_draft *s, enum person person, struct buf *out)
{
	sign_text(buf_str(&s->manifest), &person, 1, out);
}

static void texts(const struct signed_draft *s)
{
	_cleanup_(buf_done) struct buf one, other, text;
	buf_init(&one, BYTES_MAX);
	buf_init(&other, BYTES_MAX);
	buf_init(&text, BYTES_MAX);
	add_block(s, ALICE, &one);
	add_block(s, BOB, &other);
	bool alice_first = memcmp(people[ALICE].id.bytes, people[BOB].id.bytes, KEY_ID_BYTES) < 0;
	buf_add_str(&text, buf_str(alice_first ? &other : &one));
	buf_add_str(&text, buf_str(alice_first ? &one : &other));
	expect_signatures("signatures out of order", s, buf_str(&text), &trusted, GATE_SIGNATURES, "in the order");
	buf_clear(&text);
	buf_add_str(&text, buf_str(&one));
	buf_add_str(&text, buf_str(&one));
	expect_signatures("a signature twice", s, buf_str(&text), &trusted_two, GATE_SIGNATURES, "one a key");
	buf_clear(&text);
	buf_printf(&text, STR_FMT "\n", STR_ARG(buf_str(&one)));
	expect_signatures("an empty line behind it", s, buf_str(&text), &trusted, GATE_SIGNATURES, "exactly");
	buf_clear(&text);
	buf_printf(&text, "untrusted comment: it is fine, trust me" STR_FMT,
	           STR_ARG(str_make(one.data + 54, one.length - 54)));
	expect_signatures("another untrusted comment", s, buf_str(&text), &trusted, GATE_SIGNATURES, "");
	buf_clear(&text);
	for (size_t i = 0; i <= SIGNATURES_MAX; i++)
		buf_add_str(&text, buf_str(&one));
	expect_signatures("too many signatures", s, buf_str(&text), &trusted, GATE_SIGNATURES, "");
}

/* A signature of the manifest that was made before it was changed, by those who were to sign it. */
static void of_something_else(const struct signed_draft *s)
{
	_cleanup_(buf_done) struct buf text, manifest;
	struct draft d;
	buf_init(&text, BYTES_MAX);
	buf_init(&manifest, BYTES_MAX);
	draft_init(&d);
	d.version = "11";
	draft_manifest(&d, &manifest);
	sign_text(buf_str(&manifest), SIGNED_BY(ALICE), &text);
	expect_signatures("a signature of another version, replayed", s, buf_str(&text), &trusted, GATE_SIGNATURES,
	                  "is wrong");
	buf_clear(&text);
	sign_text(buf_str(&s->body), SIGNED_BY(ALICE), &text);
	expect_signatures("a signature of the files", s, buf_str(&text), &trusted, GATE_SIGNATURES, "is wrong");
}

/* Mallory's signature under Alice's name. */
static void under_a_name(const struct signed_draft *s)
{
	_cleanup_(buf_done) struct buf text;
	struct signatures all = {.count = 1};
	buf_init(&text, BYTES_MAX);
	secret_key_sign(&people[MALLORY], buf_str(&s->manifest), STR("by alice"), &all.items[0]);
	all.items[0].id = people[ALICE].id;
	signatures_write(&all, &text);
	expect_signatures("another key under Alice's id", s, buf_str(&text), &trusted, GATE_SIGNATURES, "is wrong");
	buf_clear(&text);
	secret_key_sign(&people[ALICE], buf_str(&s->manifest), STR("by alice"), &all.items[0]);
	all.items[0].comment = STR("by Alice");
	signatures_write(&all, &text);
	expect_signatures("a changed comment", s, buf_str(&text), &trusted, GATE_SIGNATURES, "is wrong");
	buf_clear(&text);
	memset(all.items[0].signature, 0, sizeof(all.items[0].signature));
	signatures_write(&all, &text);
	expect_signatures("a signature of zeros", s, buf_str(&text), &trusted, GATE_SIGNATURES, "is wrong");
}

void cases_signatures(void)
{
	struct signed_draft s;
	signed_init(&s);
	who_signs(&s);
	texts(&s);
	of_something_else(&s);
	under_a_name(&s);
	signed_done(&s);
}
