/* SPDX-License-Identifier: Apache-2.0
 *
 * What happens to a good bundle on its way: bytes flipped, cut off, added, moved.
 */
#include "tests/gate/gate.h"

#include <stdio.h>

struct parts {
	struct buf manifest, signatures, body, all;
	size_t header;
};

static void parts_init(struct parts *p)
{
	struct draft d;
	buf_init(&p->manifest, BYTES_MAX);
	buf_init(&p->signatures, BYTES_MAX);
	buf_init(&p->body, BYTES_MAX);
	buf_init(&p->all, BYTES_MAX);
	draft_init(&d);
	d.signers[1] = BOB;
	d.signer_count = 2;
	draft_manifest(&d, &p->manifest);
	sign_text(buf_str(&p->manifest), d.signers, d.signer_count, &p->signatures);
	draft_body(&d, &p->body);
	pack_parts(buf_str(&p->manifest), buf_str(&p->signatures), buf_str(&p->body), &p->all);
	p->header = p->all.length - p->manifest.length - p->signatures.length - p->body.length;
}

static void parts_done(struct parts *p)
{
	buf_done(&p->manifest);
	buf_done(&p->signatures);
	buf_done(&p->body);
	buf_done(&p->all);
}

/* Who can know first: of the header, up to the signatures; of the files, only the hashes. */
static void flip_byte(struct parts *p, size_t at, unsigned char bits)
{
	char name[80];
	struct gate_options options = default_options();
	size_t body = p->all.length - p->body.length;
	p->all.data[at] = (char)(p->all.data[at] ^ bits);
	snprintf(name, sizeof(name), "byte %zu xor 0x%02x", at, bits);
	if (at < p->header)
		expect_by(name, buf_str(&p->all), GATE_SIGNATURES);
	else
		expect(name, buf_str(&p->all), &options, at < body ? GATE_SIGNATURES : GATE_FILES, "");
	p->all.data[at] = (char)(p->all.data[at] ^ bits);
}

static void flip_all(struct parts *p)
{
	static const unsigned char bits[] = {0x01, 0x20, 0x80};
	for (size_t at = 0; at < p->all.length; at++) {
		for (size_t i = 0; i < ARRAY_SIZE(bits); i++)
			flip_byte(p, at, bits[i]);
	}
}

static void cut_all(struct parts *p)
{
	char name[80];
	for (size_t length = 0; length < p->all.length; length++) {
		snprintf(name, sizeof(name), "cut to %zu bytes", length);
		expect_by(name, str_make(p->all.data, length), GATE_FILES);
	}
}

static void add_bytes(struct parts *p)
{
	struct gate_options options = default_options();
	char name[80];
	size_t length = p->all.length;
	for (unsigned byte = 0; byte < 256; byte++) {
		buf_add_char(&p->all, (char)byte);
		snprintf(name, sizeof(name), "byte 0x%02x behind the end", byte);
		expect(name, buf_str(&p->all), &options, GATE_FILES, "bytes stand behind the last file");
		p->all.length = length;
	}
}

static void remove_each(struct parts *p)
{
	_cleanup_(buf_done) struct buf copy;
	char name[80];
	buf_init(&copy, BYTES_MAX);
	for (size_t at = 0; at < p->all.length; at++) {
		buf_clear(&copy);
		buf_add(&copy, p->all.data, at);
		buf_add(&copy, p->all.data + at + 1, p->all.length - at - 1);
		snprintf(name, sizeof(name), "byte %zu taken out", at);
		expect_by(name, buf_str(&copy), GATE_FILES);
	}
}

static void headers(struct parts *p)
{
	static const char *const wrong[] = {"picket-bundle-file 2 1 1\n",
	                                    "picket-bundle-file 1  1 1\n",
	                                    "picket-bundle-file 1 01 1\n",
	                                    "picket-bundle-file 1 -1 1\n",
	                                    "picket-bundle-file 1 1\n",
	                                    "picket-bundle-file 1 1 1 1\n",
	                                    "picket-bundle-file 1 1 1\r\n",
	                                    "picket-bundle-file 1 1 1",
	                                    "picket-bundle-file 1 0x1 1\n",
	                                    "picket-bundle-file 1 999999999 1\n",
	                                    "picket-bundle-file 1 18446744073709551615 1\n",
	                                    "picket-bundle-file 1 1 18446744073709551616\n",
	                                    "PICKET-BUNDLE-FILE 1 1 1\n",
	                                    "\n",
	                                    "",
	                                    "\177ELF",
	                                    "PK\x03\x04"};
	_cleanup_(buf_done) struct buf bytes;
	struct gate_options options = default_options();
	buf_init(&bytes, BYTES_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		buf_clear(&bytes);
		buf_add_text(&bytes, wrong[i]);
		buf_add(&bytes, p->all.data + p->header, p->all.length - p->header);
		expect(wrong[i], buf_str(&bytes), &options, GATE_FORM, "");
	}
}

/* Each hash is right, of the other's place. */
static void files_moved(void)
{
	_cleanup_(buf_done) struct buf bytes, manifest, signatures, body;
	struct gate_options options = default_options();
	struct draft d;
	buf_init(&bytes, BYTES_MAX);
	buf_init(&manifest, BYTES_MAX);
	buf_init(&signatures, BYTES_MAX);
	buf_init(&body, BYTES_MAX);
	draft_init(&d);
	draft_manifest(&d, &manifest);
	sign_text(buf_str(&manifest), d.signers, d.signer_count, &signatures);
	struct draft_file first = d.files[0];
	d.files[0] = d.files[1];
	d.files[1] = first;
	draft_body(&d, &body);
	pack_parts(buf_str(&manifest), buf_str(&signatures), buf_str(&body), &bytes);
	expect("two files changed places", buf_str(&bytes), &options, GATE_FILES, "its hash is another one");
	buf_clear(&bytes);
	draft_body(&d, &body);
	pack_parts(buf_str(&manifest), buf_str(&signatures), buf_str(&body), &bytes);
	expect("all files twice", buf_str(&bytes), &options, GATE_FILES, "");
}

void cases_form(void)
{
	struct parts p;
	struct gate_options options = default_options();
	parts_init(&p);
	expect("a good one, signed by two", buf_str(&p.all), &options, GATE_STEPS, "");
	flip_all(&p);
	cut_all(&p);
	add_bytes(&p);
	remove_each(&p);
	headers(&p);
	files_moved();
	expect("a good one still", buf_str(&p.all), &options, GATE_STEPS, "");
	parts_done(&p);
}
