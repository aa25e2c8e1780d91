/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/manifest.h"

#include <errno.h>
#include <inttypes.h>

#include "trust/trust_int.h"

#define CODE "BUNDLE_ERR_MANIFEST"
#define FORMAT "1"
#define SUFFIX STR(".yaml")

/* ---- paths ---- */

static const char *const folders[BUNDLE_KINDS] = {
        [BUNDLE_LISTS] = "lists",
        [BUNDLE_POLICIES] = "policies",
        [BUNDLE_RULES] = "rules",
        [BUNDLE_SAMPLES] = "samples",
};

const char *bundle_kind_folder(enum bundle_kind kind)
{
	return folders[kind];
}

static bool is_small(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Length of the name that s begins with: small letters, digits, and of the others after the first. */
static size_t name_length(struct str s, const char *others)
{
	size_t at = 0;
	while (at < s.length && (is_small(s.data[at]) || (at > 0 && s.data[at] && strchr(others, s.data[at]))))
		at++;
	return at;
}

static bool is_name(struct str s, const char *others, size_t max)
{
	return s.length > 0 && s.length <= max && name_length(s, others) == s.length;
}

static bool folder_find(struct str path, enum bundle_kind *ret_kind, size_t *ret_length)
{
	for (enum bundle_kind kind = 0; kind < BUNDLE_KINDS; kind++) {
		size_t length = strlen(folders[kind]);
		if (path.length > length && path.data[length] == '/' && memcmp(path.data, folders[kind], length) == 0) {
			*ret_kind = kind;
			*ret_length = length + 1;
			return true;
		}
	}
	return false;
}

static int path_error(size_t wrong, const char *why, size_t *ret_wrong, const char **ret_why)
{
	*ret_wrong = wrong;
	*ret_why = why;
	return -EINVAL;
}

int bundle_path_check(struct str path, enum bundle_kind *ret_kind, size_t *ret_wrong, const char **ret_why)
{
	enum bundle_kind kind = BUNDLE_RULES;
	size_t folder = 0;
	if (path.length > BUNDLE_PATH_MAX)
		return path_error(BUNDLE_PATH_MAX, "the path is too long", ret_wrong, ret_why);
	if (!folder_find(path, &kind, &folder))
		return path_error(0, "a path begins with rules/, lists/, policies/ or samples/", ret_wrong, ret_why);
	struct str name = str_make(path.data + folder, path.length - folder);
	size_t length = name_length(name, "._-");
	if (length < name.length)
		return path_error(
		        folder + length,
		        "after the folder stands one name of a-z, 0-9, '.', '_' and '-', a letter or digit first",
		        ret_wrong, ret_why);
	if (!str_ends_with(name, SUFFIX) || name.length == SUFFIX.length)
		return path_error(path.length, "a file's name ends with .yaml", ret_wrong, ret_why);
	*ret_kind = kind;
	return 0;
}

/* ---- reading ---- */

struct parser {
	struct lines lines;
	enum manifest_form form;
	struct manifest m;
	struct str *powers; /* of m, to be filled; so are files */
	struct manifest_file *files;
	uint64_t bytes; /* of all files */
};

static int bad(struct parser *p, struct str at, const char *text)
{
	return lines_error(&p->lines, at.data, "%s", text);
}

static int read_format(struct parser *p, struct str value)
{
	return str_equals(value, FORMAT) ? 0 : bad(p, value, "this picket reads bundles of format " FORMAT " only");
}

static int read_name(struct parser *p, struct str value)
{
	if (!is_name(value, "._-", BUNDLE_NAME_MAX))
		return bad(p, value, "a name is of a-z, 0-9, '.', '_' and '-', a letter or digit first, 64 at most");
	p->m.name = value;
	return 0;
}

static int read_version(struct parser *p, struct str value)
{
	int r = text_to_number(value, BUNDLE_VERSION_MAX, &p->m.version);
	return r == 0 && p->m.version > 0 ? 0 : bad(p, value, "a version is a number from 1 to 9223372036854775807");
}

static int read_title(struct parser *p, struct str value)
{
	if (value.length == 0 || value.length > BUNDLE_TITLE_MAX || !text_is_printable(value) ||
	    !str_equal(str_trim(value), value))
		return bad(p, value,
		           "a title has at least a letter, no blanks at its ends, no tabs, and 200 bytes at most");
	p->m.title = value;
	return 0;
}

static int read_schema(struct parser *p, struct str value)
{
	uint64_t number = 0;
	for (size_t i = 0; i < value.length && value.length == 16; i++) {
		char c = value.data[i];
		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
			return bad(p, str_make(value.data + i, 1), "a fingerprint has digits 0-9 and a-f only");
		number = number << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	if (value.length != 16)
		return bad(p, value, "a fingerprint has 16 digits");
	p->m.schema = number;
	return 0;
}

static int read_time(struct parser *p, struct str value, uint64_t *ret_s)
{
	return text_to_time(value, ret_s) == 0 ? 0 : bad(p, value, "a time is written so: 2026-11-22T10:00:00Z");
}

static int read_made(struct parser *p, struct str value)
{
	return read_time(p, value, &p->m.made_s);
}

static int read_expires(struct parser *p, struct str value)
{
	int r = read_time(p, value, &p->m.expires_s);
	if (r == 0 && p->m.expires_s <= p->m.made_s)
		return bad(p, value, "it expires before it was made");
	return r;
}

static bool is_power(struct str s)
{
	ssize_t colon = str_find_char(s, ':');
	if (s.length > BUNDLE_POWER_MAX)
		return false;
	if (colon < 0)
		return is_name(s, "-", BUNDLE_POWER_MAX);
	return is_name(str_make(s.data, (size_t)colon), "-", BUNDLE_POWER_MAX) &&
	       is_name(str_make(s.data + colon + 1, s.length - (size_t)colon - 1), "-", BUNDLE_POWER_MAX);
}

static int read_power(struct parser *p, struct str value)
{
	if (!is_power(value))
		return bad(p, value, "a power is a word, or two with a colon between: kill, deny:connect");
	if (p->m.power_count == BUNDLE_POWERS_MAX)
		return lines_error(&p->lines, value.data, "there may be %d powers at most", BUNDLE_POWERS_MAX);
	if (p->m.power_count > 0 && str_compare(p->powers[p->m.power_count - 1], value) >= 0)
		return bad(p, value, "powers stand once each, in the order of their bytes");
	p->powers[p->m.power_count++] = value;
	return 0;
}

/* Before the sizes are added up: the sum stays far from overflow. */
static int read_size(struct parser *p, struct str value, uint64_t *ret_size)
{
	if (text_to_number(value, BUNDLE_FILE_BYTES_MAX, ret_size) < 0)
		return lines_error(&p->lines, value.data, "a file's size is a number of bytes, %u at most",
		                   BUNDLE_FILE_BYTES_MAX);
	p->bytes += *ret_size;
	if (p->bytes > BUNDLE_BYTES_MAX)
		return lines_error(&p->lines, value.data, "all files together may have %u bytes at most",
		                   BUNDLE_BYTES_MAX);
	return 0;
}

static int read_path(struct parser *p, struct str value, struct manifest_file *file)
{
	size_t wrong;
	const char *why;
	if (bundle_path_check(value, &file->kind, &wrong, &why) < 0)
		return lines_error(&p->lines, value.data + wrong, "%s", why);
	if (p->m.file_count > 0 && str_compare(p->files[p->m.file_count - 1].path, value) >= 0)
		return bad(p, value, "files stand once each, in the order of their paths' bytes");
	file->path = value;
	return 0;
}

static int read_file(struct parser *p, struct str value)
{
	struct manifest_file file = {0};
	struct str rest = value, path, size, hash;
	if (p->m.file_count == BUNDLE_FILES_MAX)
		return lines_error(&p->lines, value.data, "there may be %d files at most", BUNDLE_FILES_MAX);
	if (!word_next(&rest, &path) || !word_next(&rest, &size) || !word_next(&rest, &hash) || rest.data)
		return bad(p, value, "a file has a path, a size and a hash, with one blank between");
	int r = read_path(p, path, &file);
	if (r == 0)
		r = read_size(p, size, &file.size);
	if (r == 0 && digest_parse(hash, &file.hash) < 0)
		r = bad(p, hash, "a hash has 64 digits, 0-9 and a-f");
	if (r == 0)
		p->files[p->m.file_count++] = file;
	return r;
}

/* The keys in their order. */
static const struct key {
	const char *word;
	int (*read)(struct parser *p, struct str value);
	bool any_number; /* of lines, also none; else exactly one */
	bool built;      /* a HEAD may lack it */
} keys[] = {
        {"picket-bundle", read_format, false, false},
        {"name", read_name, false, false},
        {"version", read_version, false, false},
        {"title", read_title, false, false},
        {"schema", read_schema, false, true},
        {"made", read_made, false, true},
        {"expires", read_expires, false, false},
        {"power", read_power, true, false},
        {"file", read_file, true, true},
};

static bool is_line_of(const struct key *key, struct str line, struct str *ret_value)
{
	size_t length = strlen(key->word);
	if (line.length <= length || line.data[length] != ' ' || memcmp(line.data, key->word, length) != 0)
		return false;
	*ret_value = str_make(line.data + length + 1, line.length - length - 1);
	return true;
}

/* The line stays the present one until a key has taken it. */
static int read_key(struct parser *p, const struct key *key)
{
	struct str value;
	size_t taken = 0;
	while (!p->lines.error && p->lines.line.data && is_line_of(key, p->lines.line, &value)) {
		if (key->read(p, value) < 0)
			return -EINVAL;
		lines_next(&p->lines);
		taken++;
		if (!key->any_number)
			return p->lines.error;
	}
	if (p->lines.error || taken > 0 || key->any_number || (key->built && p->form == MANIFEST_HEAD))
		return p->lines.error;
	return p->lines.line.data ? lines_error(&p->lines, p->lines.line.data, "here must stand \"%s\"", key->word)
	                          : lines_error(&p->lines, NULL, "\"%s\" is missing", key->word);
}

static int read_all(struct parser *p)
{
	lines_next(&p->lines);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		int r = read_key(p, &keys[i]);
		if (r < 0)
			return r;
	}
	if (p->lines.line.data)
		return lines_error(&p->lines, p->lines.line.data, "a line that has no place here");
	if (p->form == MANIFEST_WHOLE && p->m.file_count == 0)
		return lines_error(&p->lines, NULL, "it names no file");
	return 0;
}

int manifest_parse(struct str text, const char *name, enum manifest_form form, struct arena *arena,
                   struct diag_list *reterr_diags, struct manifest *ret_manifest)
{
	struct parser p = {.form = form};
	lines_init(&p.lines, text, name, CODE, reterr_diags);
	if (text.length > MANIFEST_BYTES_MAX)
		return lines_error(&p.lines, NULL, "a manifest may have %u bytes at most", MANIFEST_BYTES_MAX);
	p.m.powers = p.powers = arena_array(arena, struct str, BUNDLE_POWERS_MAX);
	p.m.files = p.files = arena_array(arena, struct manifest_file, BUNDLE_FILES_MAX);
	if (!p.m.powers || !p.m.files)
		return -ENOMEM;
	int r = read_all(&p);
	if (r == 0)
		*ret_manifest = p.m;
	return r;
}

/* ---- writing ---- */

static void add_built(const struct manifest *m, struct buf *out)
{
	buf_printf(out, "schema %016" PRIx64 "\nmade ", m->schema);
	trust_add_time(m->made_s, out);
	buf_add_char(out, '\n');
}

void manifest_write(const struct manifest *m, enum manifest_form form, struct buf *out)
{
	buf_printf(out, "picket-bundle " FORMAT "\nname " STR_FMT "\nversion %" PRIu64 "\ntitle " STR_FMT "\n",
	           STR_ARG(m->name), m->version, STR_ARG(m->title));
	if (form == MANIFEST_WHOLE)
		add_built(m, out);
	buf_add_text(out, "expires ");
	trust_add_time(m->expires_s, out);
	buf_add_char(out, '\n');
	for (size_t i = 0; i < m->power_count; i++)
		buf_printf(out, "power " STR_FMT "\n", STR_ARG(m->powers[i]));
	for (size_t i = 0; i < m->file_count && form == MANIFEST_WHOLE; i++) {
		buf_printf(out, "file " STR_FMT " %" PRIu64 " ", STR_ARG(m->files[i].path), m->files[i].size);
		digest_add(&m->files[i].hash, DIGEST_HEX, out);
		buf_add_char(out, '\n');
	}
}
