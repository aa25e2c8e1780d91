/* SPDX-License-Identifier: Apache-2.0
 *
 * Manifests that are wrong and signed all the same: a key does not make what it signs well-formed.
 */
#include "tests/gate/gate.h"

#include <inttypes.h>
#include <stdio.h>

static void expect_manifest(const char *name, const struct draft *d, struct str manifest, const char *reason)
{
	_cleanup_(buf_done) struct buf bytes;
	struct gate_options options = default_options();
	buf_init(&bytes, BYTES_MAX);
	pack_manifest(d, manifest, &bytes);
	expect(name, buf_str(&bytes), &options, GATE_MANIFEST, reason);
}

/* ---- lines ---- */

#define LINES_MAX 16

static size_t split(struct str text, struct str lines[LINES_MAX])
{
	struct str rest = text, line;
	size_t count = 0;
	while (count < LINES_MAX && str_next(&rest, '\n', &line) && rest.data)
		lines[count++] = line;
	return count;
}

static void join(const struct str *lines, size_t count, struct buf *out)
{
	for (size_t i = 0; i < count; i++)
		buf_printf(out, STR_FMT "\n", STR_ARG(lines[i]));
}

enum line_change {
	LINE_GONE,
	LINE_TWICE,
	LINE_SWAPPED,
	LINE_BLANK_END,
	LINE_BLANK_TWO,
	LINE_TAB,
	LINE_CR,
	LINE_UPPER,
	LINE_EMPTY_BEFORE,
	LINE_COMMENT_BEFORE,
	LINE_NUL,
	LINE_NO_VALUE,
	LINE_CHANGES
};

static void add_changed(const struct str *lines, size_t count, size_t i, enum line_change change, struct buf *out)
{
	struct str line = lines[i];
	ssize_t blank = str_find_char(line, ' ');
	switch (change) {
	case LINE_GONE:
		return;
	case LINE_TWICE:
		buf_printf(out, STR_FMT "\n" STR_FMT "\n", STR_ARG(line), STR_ARG(line));
		return;
	case LINE_SWAPPED:
		buf_printf(out, STR_FMT "\n", STR_ARG(lines[(i + 1) % count]));
		return;
	case LINE_BLANK_END:
		buf_printf(out, STR_FMT " \n", STR_ARG(line));
		return;
	case LINE_BLANK_TWO:
		buf_printf(out, "%.*s " STR_FMT "\n", (int)blank, line.data,
		           STR_ARG(str_make(line.data + blank, line.length - (size_t)blank)));
		return;
	case LINE_TAB:
		buf_printf(out, STR_FMT "\t\n", STR_ARG(line));
		return;
	case LINE_CR:
		buf_printf(out, STR_FMT "\r\n", STR_ARG(line));
		return;
	case LINE_UPPER:
		buf_printf(out, "%c" STR_FMT "\n", line.data[0] - 'a' + 'A',
		           STR_ARG(str_make(line.data + 1, line.length - 1)));
		return;
	case LINE_EMPTY_BEFORE:
		buf_printf(out, "\n" STR_FMT "\n", STR_ARG(line));
		return;
	case LINE_COMMENT_BEFORE:
		buf_printf(out, "# free text\n" STR_FMT "\n", STR_ARG(line));
		return;
	case LINE_NUL:
		buf_add_str(out, line);
		buf_add(out, "\0\n", 2);
		return;
	case LINE_NO_VALUE:
		buf_printf(out, "%.*s\n", (int)blank, line.data);
		return;
	case LINE_CHANGES:
		return;
	}
}

static void change_lines(void)
{
	_cleanup_(buf_done) struct buf manifest, changed;
	struct str lines[LINES_MAX];
	struct draft d;
	char name[80];
	buf_init(&manifest, BYTES_MAX);
	buf_init(&changed, BYTES_MAX);
	draft_init(&d);
	draft_manifest(&d, &manifest);
	size_t count = split(buf_str(&manifest), lines);
	for (size_t i = 0; i < count; i++) {
		for (enum line_change change = 0; change < LINE_CHANGES; change++) {
			/* A file less is a whole manifest, too: the files then tell. */
			if (change == LINE_GONE && i >= count - 2)
				continue;
			buf_clear(&changed);
			join(lines, i, &changed);
			add_changed(lines, count, i, change, &changed);
			join(lines + i + 1, count - i - 1, &changed);
			snprintf(name, sizeof(name), "manifest line %zu changed in way %d", i + 1, (int)change);
			expect_manifest(name, &d, buf_str(&changed), "manifest");
		}
	}
	manifest.length--;
	expect_manifest("manifest without its last newline", &d, buf_str(&manifest), "the line does not end");
	expect_manifest("an empty manifest", &d, STR(""), "\"picket-bundle\" is missing");
}

/* ---- values ---- */

static void values(void)
{
	static const struct {
		size_t offset;
		const char *value, *reason;
	} wrong[] = {
#define F(member) offsetof(struct draft, member)
	        {F(name), "Web", "a name is of a-z"},
	        {F(name), "../web", "a name is of a-z"},
	        {F(name), "web servers", "a name is of a-z"},
	        {F(name), "", "a name is of a-z"},
	        {F(name), ".web", "a name is of a-z"},
	        {F(name), "w\303\251b", "a name is of a-z"},
	        {F(name), "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	         "a name is of a-z"},
	        {F(version), "0", "from 1"},
	        {F(version), "-1", "from 1"},
	        {F(version), "012", "from 1"},
	        {F(version), "+12", "from 1"},
	        {F(version), "1e3", "from 1"},
	        {F(version), "0x10", "from 1"},
	        {F(version), "9223372036854775808", "from 1"},
	        {F(version), "18446744073709551617", "from 1"},
	        {F(version), "12.0", "from 1"},
	        {F(title), "", "a title has"},
	        {F(title), " title", "a title has"},
	        {F(title), "title ", "a title has"},
	        {F(title), "a\ttab", "a title has"},
	        {F(title), "red \x1b[31m", "no printable text"},
	        {F(title), "\302\233csi", "no printable text"},
	        {F(title), "\xff\xfe", "no printable text"},
	        {F(schema), "6778B74127EEC336", "digits 0-9 and a-f"},
	        {F(schema), "6778b74127eec33", "16 digits"},
	        {F(schema), "06778b74127eec336", "16 digits"},
	        {F(made), "2026-11-31T00:00:00Z", "a time is written so"},
	        {F(made), "2026-02-29T00:00:00Z", "a time is written so"},
	        {F(made), "2026-11-20T24:00:00Z", "a time is written so"},
	        {F(made), "2026-11-20T00:00:60Z", "a time is written so"},
	        {F(made), "2026-11-20 00:00:00Z", "a time is written so"},
	        {F(made), "2026-11-20T00:00:00+00:00", "a time is written so"},
	        {F(made), "1969-12-31T23:59:59Z", "a time is written so"},
	        {F(made), "0000-00-00T00:00:00Z", "a time is written so"},
	        {F(expires), "never", "a time is written so"},
	        {F(expires), "2026-11-20T00:00:00Z", "expires before it was made"},
	        {F(expires), "2026-11-19T00:00:00Z", "expires before it was made"},
	        {F(powers), "power \n", "a power is a word"},
	        {F(powers), "power Kill\n", "a power is a word"},
	        {F(powers), "power kill:\n", "a power is a word"},
	        {F(powers), "power :kill\n", "a power is a word"},
	        {F(powers), "power a:b:c\n", "a power is a word"},
	        {F(powers), "power kill\npower kill\n", "once each"},
	        {F(powers), "power kill\npower deny:connect\n", "in the order"},
#undef F
	};
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct draft d;
		draft_init(&d);
		memcpy((char *)&d + wrong[i].offset, &wrong[i].value, sizeof(wrong[i].value));
		expect_draft(wrong[i].value, &d, GATE_MANIFEST, wrong[i].reason);
	}
}

/* ---- files ---- */

static void paths(void)
{
	static const char *const wrong[] = {"../rules/web.yaml",
	                                    "/etc/shadow",
	                                    "/rules/web.yaml",
	                                    "rules/../web.yaml",
	                                    "rules/./web.yaml",
	                                    "rules//web.yaml",
	                                    "rules/sub/web.yaml",
	                                    "rules/Web.yaml",
	                                    "Rules/web.yaml",
	                                    "rules/.web.yaml",
	                                    "rules/..yaml",
	                                    "rules/-web.yaml",
	                                    "rules/web.yml",
	                                    "rules/web",
	                                    "rules/.yaml",
	                                    "rules/",
	                                    "rules",
	                                    "web.yaml",
	                                    "manifest",
	                                    "manifest.minisig",
	                                    "rules\\web.yaml",
	                                    "rules/web.yaml/",
	                                    "rules/w\303\251b.yaml",
	                                    "rules/web\x01.yaml",
	                                    "rules/con:.yaml",
	                                    "rules/web*.yaml",
	                                    "rules/$(id).yaml",
	                                    "bin/sh.yaml",
	                                    "policiesx/web.yaml",
	                                    "~/rules/web.yaml"};
	char longest[BUNDLE_PATH_MAX + 16];
	struct draft d;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		draft_init(&d);
		d.files[1].path = wrong[i];
		expect_draft(wrong[i], &d, GATE_MANIFEST, "");
	}
	draft_init(&d);
	memset(longest, 'a', sizeof(longest));
	memcpy(longest, "rules/", 6);
	memcpy(longest + sizeof(longest) - 6, ".yaml", 6);
	d.files[1].path = longest;
	expect_draft("a long path", &d, GATE_MANIFEST, "too long");
	draft_init(&d);
	d.files[1] = d.files[0];
	expect_draft("a file twice", &d, GATE_MANIFEST, "once each");
	draft_init(&d);
	d.files[0].path = "rules/web.yaml";
	d.files[1].path = "rules/a.yaml";
	expect_draft("files out of order", &d, GATE_MANIFEST, "in the order");
	draft_init(&d);
	d.file_count = 0;
	expect_draft("no file", &d, GATE_MANIFEST, "names no file");
}

#define HEX_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void sizes(void)
{
	static const struct {
		const char *line, *reason;
		enum gate_step step;
	} wrong[] = {
	        {"file rules/web.yaml -1 " HEX_A, "number of bytes", GATE_MANIFEST},
	        {"file rules/web.yaml 007 " HEX_A, "number of bytes", GATE_MANIFEST},
	        {"file rules/web.yaml 16777217 " HEX_A, "number of bytes", GATE_MANIFEST},
	        {"file rules/web.yaml 18446744073709551616 " HEX_A, "number of bytes", GATE_MANIFEST},
	        {"file rules/web.yaml 10", "a path, a size and a hash", GATE_MANIFEST},
	        {"file rules/web.yaml 10 " HEX_A " x", "a path, a size and a hash", GATE_MANIFEST},
	        {"file rules/web.yaml  10 " HEX_A, "a path, a size and a hash", GATE_MANIFEST},
	        {"file rules/web.yaml 10 " HEX_A "a", "64 digits", GATE_MANIFEST},
	        {"file rules/web.yaml 10 A" HEX_A, "64 digits", GATE_MANIFEST},
	        {"file rules/web.yaml 10 Aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "64 digits",
	         GATE_MANIFEST},
	        {"file rules/web.yaml 10 gaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "64 digits",
	         GATE_MANIFEST},
	        {"file rules/web.yaml 10 " HEX_A, "bytes stand behind", GATE_FILES},
	        {"file rules/web.yaml 16777216 " HEX_A, "cut within", GATE_FILES},
	};
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		_cleanup_(buf_done) struct buf manifest, bytes;
		struct gate_options options = default_options();
		struct draft d;
		buf_init(&manifest, BYTES_MAX);
		buf_init(&bytes, BYTES_MAX);
		draft_init(&d);
		d.file_count = 1;
		draft_manifest(&d, &manifest);
		buf_printf(&manifest, "%s\n", wrong[i].line);
		d.file_count = 2;
		pack_manifest(&d, buf_str(&manifest), &bytes);
		expect(wrong[i].line, buf_str(&bytes), &options, wrong[i].step, wrong[i].reason);
	}
}

void cases_manifest(void)
{
	change_lines();
	values();
	paths();
	sizes();
}
