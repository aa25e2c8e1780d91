/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/gate/gate.h"

#include <inttypes.h>
#include <stdio.h>

#include "event/event.h"

static const char good_rules[] =
        "- rule: Backup key read\n"
        "  desc: The key of the backup server was read by something else.\n"
        "  condition: evt.type in (open, openat) and fd.name = /etc/backup/key and not proc.exepath in (readers)\n"
        "  output: read by %proc.name\n"
        "  priority: WARNING\n"
        "  samples:\n"
        "    match:\n"
        "      - {evt.type: openat, fd.name: /etc/backup/key, proc.exepath: /usr/bin/cat}\n"
        "    nomatch:\n"
        "      - {evt.type: openat, fd.name: /etc/backup/key, proc.exepath: /usr/bin/restic}\n";
static const char good_lists[] = "- list: readers\n  items: [/usr/bin/restic]\n";

void draft_init(struct draft *d)
{
	static char schema[17];
	snprintf(schema, sizeof(schema), "%016" PRIx64, event_schema_fingerprint());
	*d = (struct draft){
	        .name = "web",
	        .version = "12",
	        .title = "Rules for the web servers",
	        .schema = schema,
	        .made = "2026-11-20T00:00:00Z",
	        .expires = "2026-12-20T00:00:00Z",
	        .powers = "",
	        .files = {{"lists/readers.yaml", str_from(good_lists)}, {"rules/web.yaml", str_from(good_rules)}},
	        .file_count = 2,
	        .signers = {ALICE},
	        .signer_count = 1};
}

void draft_rules(struct draft *d, const char *text)
{
	draft_init(d);
	d->files[0] = (struct draft_file){"rules/planted.yaml", str_from(text)};
	d->file_count = 1;
}

void draft_manifest(const struct draft *d, struct buf *out)
{
	buf_printf(out, "picket-bundle 1\nname %s\nversion %s\ntitle %s\nschema %s\nmade %s\nexpires %s\n%s", d->name,
	           d->version, d->title, d->schema, d->made, d->expires, d->powers);
	for (size_t i = 0; i < d->file_count; i++) {
		struct digest hash = digest_of(d->files[i].content);
		buf_printf(out, "file %s %zu ", d->files[i].path, d->files[i].content.length);
		digest_add(&hash, DIGEST_HEX, out);
		buf_add_char(out, '\n');
	}
}

void draft_body(const struct draft *d, struct buf *out)
{
	for (size_t i = 0; i < d->file_count; i++)
		buf_add_str(out, d->files[i].content);
}

void sign_text(struct str manifest, const enum person *signers, size_t count, struct buf *out)
{
	struct signatures all = {0};
	for (size_t i = 0; i < count; i++) {
		struct signature one;
		secret_key_sign(&people[signers[i]], manifest, STR("timestamp:1795341600"), &one);
		(void)!signatures_put(&all, &one);
	}
	signatures_write(&all, out);
}

void pack_parts(struct str manifest, struct str signatures, struct str body, struct buf *out)
{
	buf_printf(out, "picket-bundle-file 1 %zu %zu\n", manifest.length, signatures.length);
	buf_add_str(out, manifest);
	buf_add_str(out, signatures);
	buf_add_str(out, body);
}

void pack_manifest(const struct draft *d, struct str manifest, struct buf *out)
{
	_cleanup_(buf_done) struct buf signatures, body;
	buf_init(&signatures, BYTES_MAX);
	buf_init(&body, BYTES_MAX);
	sign_text(manifest, d->signers, d->signer_count, &signatures);
	draft_body(d, &body);
	pack_parts(manifest, buf_str(&signatures), buf_str(&body), out);
}

void draft_pack(const struct draft *d, struct buf *out)
{
	_cleanup_(buf_done) struct buf manifest;
	buf_init(&manifest, BYTES_MAX);
	draft_manifest(d, &manifest);
	pack_manifest(d, buf_str(&manifest), out);
}
