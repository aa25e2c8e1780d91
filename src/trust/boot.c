/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/boot.h"

#include <errno.h>
#include <stdio.h>

#include "base/diag.h"
#include "base/file.h"
#include "trust/trust_int.h"

#define FIRST "picket-boot 1"
#define NAME "boot"
#define BOOT_BYTES_MAX 1024
#define PATH_BYTES 4096

static const char *const rungs[BOOT_RUNGS] = {[BOOT_NORMAL] = "normal", [BOOT_WATCH] = "watch", [BOOT_OFF] = "off"};

const char *boot_rung_name(enum boot_rung rung)
{
	return rungs[rung];
}

/* ---- the text ---- */

static void add_digest(const char *word, const struct digest *d, struct buf *out)
{
	buf_printf(out, "%s ", word);
	digest_add(d, DIGEST_HEX, out);
	buf_add_char(out, '\n');
}

static void add_text(const struct boot *b, struct buf *out)
{
	buf_printf(out, FIRST "\nrung %s\nstarts %u\n", rungs[b->rung], b->starts);
	add_digest("content", &b->content, out);
	add_digest("kernel", &b->kernel, out);
	struct digest check = digest_of(buf_str(out));
	add_digest("check", &check, out);
}

static int rung_parse(struct str name, enum boot_rung *ret_rung)
{
	for (enum boot_rung rung = 0; rung < BOOT_RUNGS; rung++) {
		if (!str_equals(name, rungs[rung]))
			continue;
		*ret_rung = rung;
		return 0;
	}
	return -EINVAL;
}

static int line_parse(struct str line, struct boot *b)
{
	struct str rest = line, word;
	uint64_t starts = 0;
	int r;
	if (!word_next(&rest, &word) || !rest.data)
		return -EINVAL;
	if (str_equals(word, "rung"))
		return rung_parse(rest, &b->rung);
	if (str_equals(word, "content"))
		return digest_parse(rest, &b->content);
	if (str_equals(word, "kernel"))
		return digest_parse(rest, &b->kernel);
	if (!str_equals(word, "starts"))
		return -EINVAL;
	r = text_to_number(rest, BOOT_STARTS_MAX, &starts);
	b->starts = (unsigned)starts;
	return r;
}

/* What is not exactly what add_text() makes of it was not written by it. */
static bool is_as_written(const struct boot *b, struct str text)
{
	_cleanup_(buf_done) struct buf again;
	buf_init(&again, BOOT_BYTES_MAX);
	add_text(b, &again);
	return buf_error(&again) == 0 && str_equal(buf_str(&again), text);
}

static int parse(struct str text, struct boot *ret_boot)
{
	_cleanup_(diag_list_done) struct diag_list diags;
	struct boot b = {.rung = BOOT_NORMAL};
	struct lines l;
	diag_list_init(&diags, 1);
	lines_init(&l, text, NAME, "STORE_ERR", &diags);
	if (!lines_next(&l) || !str_equals(l.line, FIRST))
		return -EBADMSG;
	while (lines_next(&l) && !str_starts_with(l.line, STR("check "))) {
		if (line_parse(l.line, &b) < 0)
			return -EBADMSG;
	}
	if (l.error || !is_as_written(&b, text))
		return -EBADMSG;
	*ret_boot = b;
	return 0;
}

/* ---- the file ---- */

static int path_of(const char *dir, char ret_path[PATH_BYTES])
{
	return snprintf(ret_path, PATH_BYTES, "%s/" NAME, dir) < PATH_BYTES ? 0 : -ENAMETOOLONG;
}

int boot_read(const char *dir, struct boot *ret_boot)
{
	_cleanup_(buf_done) struct buf text;
	char path[PATH_BYTES];
	buf_init(&text, BOOT_BYTES_MAX);
	int r = path_of(dir, path);
	if (r == 0)
		r = file_read(path, &text);
	if (r == -EFBIG)
		return -EBADMSG;
	return r < 0 ? r : parse(buf_str(&text), ret_boot);
}

int boot_write(const char *dir, const struct boot *b)
{
	_cleanup_(buf_done) struct buf text;
	char path[PATH_BYTES];
	buf_init(&text, BOOT_BYTES_MAX);
	add_text(b, &text);
	int r = buf_error(&text);
	if (r == 0)
		r = path_of(dir, path);
	return r < 0 ? r : file_write_atomic(path, buf_str(&text), 0600);
}

void boot_enter(struct boot *b, const struct digest *content, const struct digest *kernel)
{
	static const struct digest none;
	bool tried = !digest_equal(&b->kernel, &none);
	if (digest_equal(&b->content, content) && (!tried || digest_equal(&b->kernel, kernel)))
		return;
	*b = (struct boot){.rung = BOOT_NORMAL, .content = *content};
}
