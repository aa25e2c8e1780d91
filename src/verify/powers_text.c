/* SPDX-License-Identifier: Apache-2.0
 *
 * The list as text that is signed, that text back, and the difference of two lists. A text is good if writing what was
 * read of it gives the same bytes: so there is one text for a list, and one list for a text.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/buf.h"
#include "base/map.h"
#include "verify/powers_int.h"

#define HEAD "picket-powers 1"
#define TEXT_BYTES_MAX (64u << 20)
#define PROGRAMS_MAX 65536
#define EMPTY "-"
#define KIND_UNKNOWN "auto"
#define WORDS_MAX 4

/* ---- writing ---- */

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("-_./:+,=", c));
}

static void add_word(const char *word, struct buf *out)
{
	buf_add_char(out, ' ');
	if (!*word)
		buf_add_text(out, EMPTY);
	else if (!strcmp(word, EMPTY))
		buf_printf(out, "%%%02X", (unsigned char)*word);
	else
		for (; *word; word++) {
			if (is_plain(*word))
				buf_add_char(out, *word);
			else
				buf_printf(out, "%%%02X", (unsigned char)*word);
		}
}

static void add_program_line(const struct powers_program *program, struct buf *out)
{
	const char *kind = picket_kind_name(program->kind);

	buf_add_text(out, "program");
	add_word(program->name, out);
	add_word(kind ? kind : KIND_UNKNOWN, out);
	add_word(program->section, out);
	buf_add_char(out, '\n');
}

static void add_power_line(const struct picket_powers *p, const struct picket_power_entry *entry, struct buf *out)
{
	buf_add_text(out, "power");
	add_word(p->programs[entry->program].name, out);
	add_word(picket_power_name(entry->power), out);
	if (entry->detail[0])
		add_word(entry->detail, out);
	buf_add_char(out, '\n');
}

static int line_order(const void *a, const void *b)
{
	return str_compare(*(const struct str *)a, *(const struct str *)b);
}

static int lines_sort(struct str text, size_t count, struct buf *out)
{
	_cleanup_(base_free_ptr) struct str *lines = calloc(count + 1, sizeof(*lines));
	struct str line;
	size_t n = 0;

	if (!lines)
		return -ENOMEM;
	while (n < count && str_next(&text, '\n', &line))
		lines[n++] = line;
	qsort(lines, n, sizeof(*lines), line_order);
	for (size_t i = 0; i < n; i++) {
		if (i && str_equal(lines[i - 1], lines[i]))
			continue;
		buf_add_str(out, lines[i]);
		buf_add_char(out, '\n');
	}
	return buf_error(out);
}

static int write_text(const struct picket_powers *p, struct buf *out)
{
	_cleanup_(buf_done) struct buf lines;

	buf_init(&lines, TEXT_BYTES_MAX);
	for (size_t i = 0; i < p->program_count; i++)
		add_program_line(&p->programs[i], &lines);
	for (size_t i = 0; i < p->count; i++)
		add_power_line(p, &p->entries[i], &lines);
	if (buf_error(&lines))
		return buf_error(&lines);
	buf_add_text(out, HEAD "\n");
	return lines_sort(buf_str(&lines), p->program_count + p->count, out);
}

int picket_powers_write(const struct picket_powers *p, char **ret_text, size_t *ret_length)
{
	_cleanup_(buf_done) struct buf out;
	size_t length;
	char *text;
	int r;

	buf_init(&out, TEXT_BYTES_MAX + sizeof(HEAD));
	r = write_text(p, &out);
	if (r)
		return r == -ENOBUFS ? -E2BIG : r;
	length = out.length;
	text = buf_take(&out);
	if (!text)
		return -ENOMEM;
	*ret_text = text;
	*ret_length = length;
	return 0;
}

/* ---- reading ---- */

struct reader {
	struct picket_powers *list;
	struct map programs; /* by name: index + 1 */
	struct picket_error *reterr;
	unsigned line;
};

static int printf_like(2, 3) broken(const struct reader *r, const char *format, ...)
{
	va_list arguments;

	if (!r->reterr)
		return -EINVAL;
	*r->reterr = (struct picket_error){.line = r->line, .column = 1};
	va_start(arguments, format);
	vsnprintf(r->reterr->text, sizeof(r->reterr->text), format, arguments);
	va_end(arguments);
	return -EINVAL;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* A word with its escapes resolved; -EINVAL: wrong ones. */
static int word_read(struct str word, struct buf *out)
{
	if (str_equals(word, EMPTY))
		return 0;
	for (size_t i = 0; i < word.length; i++) {
		int high, low;

		if (word.data[i] != '%') {
			buf_add_char(out, word.data[i]);
			continue;
		}
		high = i + 1 < word.length ? hex_digit(word.data[i + 1]) : -1;
		low = i + 2 < word.length ? hex_digit(word.data[i + 2]) : -1;
		if (high < 0 || low < 0 || (high == 0 && low == 0))
			return -EINVAL;
		buf_add_char(out, (char)(high << 4 | low));
		i += 2;
	}
	return buf_error(out);
}

static size_t words_split(struct str line, struct str words[WORDS_MAX])
{
	size_t count = 0;
	struct str word;

	while (str_next(&line, ' ', &word)) {
		if (count == WORDS_MAX)
			return 0;
		words[count++] = word;
	}
	return count;
}

static int program_read(struct reader *r, const struct str *words, size_t count)
{
	_cleanup_(buf_done) struct buf name, section, kind;
	enum picket_kind number;
	void *old = NULL;
	int error;

	buf_init(&name, TEXT_BYTES_MAX);
	buf_init(&section, TEXT_BYTES_MAX);
	buf_init(&kind, 64);
	if (count != 4 || word_read(words[1], &name) || word_read(words[2], &kind) || word_read(words[3], &section))
		return broken(r, "expected: program NAME KIND SECTION");
	number = picket_kind_by_name(kind.data ? kind.data : "");
	if (number == PICKET_KIND_AUTO && !str_equals(buf_str(&kind), KIND_UNKNOWN))
		return broken(r, "there is no such kind of program");
	if (r->list->program_count == PROGRAMS_MAX)
		return broken(r, "more than %d programs", PROGRAMS_MAX);
	error = powers_program_add(r->list, str_make(name.data ? name.data : "", name.length),
	                           str_make(section.data ? section.data : "", section.length), number);
	if (error)
		return error;
	if (map_get(&r->programs, buf_str(&name)))
		return 0;
	return map_put(&r->programs, buf_str(&name), (void *)(uintptr_t)r->list->program_count, &old);
}

static bool power_by_name(struct str name, enum picket_power *ret_power)
{
	for (unsigned i = 0; i < PICKET_POWERS; i++)
		if (str_equals(name, picket_power_name((enum picket_power)i))) {
			*ret_power = (enum picket_power)i;
			return true;
		}
	return false;
}

static int power_read(struct reader *r, const struct str *words, size_t count)
{
	_cleanup_(buf_done) struct buf name, detail;
	struct picket_power_entry *entry;
	enum picket_power power;
	uintptr_t program;

	buf_init(&name, TEXT_BYTES_MAX);
	buf_init(&detail, sizeof(entry->detail) - 1);
	if (count < 3 || word_read(words[1], &name) || (count > 3 && word_read(words[3], &detail)))
		return broken(r, "expected: power NAME POWER [DETAIL]");
	if (!power_by_name(words[2], &power))
		return broken(r, "there is no such power");
	program = (uintptr_t)map_get(&r->programs, buf_str(&name));
	if (!program)
		return broken(r, "there is no such program");
	if (r->list->count == PICKET_POWERS_MAX)
		return broken(r, "more than %d powers", PICKET_POWERS_MAX);
	entry = powers_entry_new(r->list);
	if (!entry)
		return -ENOMEM;
	entry->program = (uint32_t)program - 1;
	entry->power = power;
	if (detail.length)
		memcpy(entry->detail, detail.data, detail.length);
	return 0;
}

static int lines_read(struct reader *r, struct str text, const char *first,
                      int (*read)(struct reader *r, const struct str *words, size_t count))
{
	struct str line, words[WORDS_MAX] = {0};
	int error = 0;

	(void)!str_next(&text, '\n', &line);
	for (r->line = 2; !error && str_next(&text, '\n', &line); r->line++) {
		size_t count = words_split(line, words);

		if (!line.length && !text.data)
			return 0;
		if (count && str_equals(words[0], first))
			error = read(r, words, count);
		else if (!count || (!str_equals(words[0], "program") && !str_equals(words[0], "power")))
			return broken(r, "expected a line that begins with program or power");
	}
	return error;
}

/* Lines that are out of order, or there twice, or have escapes that need not be. */
static int check_canonical(struct reader *r, struct str text)
{
	_cleanup_(buf_done) struct buf again;
	struct str rest, now, wanted;
	int error;

	buf_init(&again, TEXT_BYTES_MAX + sizeof(HEAD));
	error = write_text(r->list, &again);
	if (error || str_equal(text, buf_str(&again)))
		return error;
	rest = buf_str(&again);
	for (r->line = 1; str_next(&text, '\n', &now); r->line++)
		if (!str_next(&rest, '\n', &wanted) || !str_equal(now, wanted))
			break;
	return broken(r, "not as picket writes it: out of order, there twice, or with other escapes");
}

static int read_text(struct reader *r, struct str text)
{
	size_t lines = 0;
	int error;

	for (size_t i = 0; i < text.length; i++)
		lines += text.data[i] == '\n';
	r->line = 1;
	if (!str_starts_with(text, STR(HEAD "\n")))
		return broken(r, "expected \"%s\"", HEAD);
	error = powers_new(MIN(lines, PROGRAMS_MAX), &r->list);
	if (!error)
		error = lines_read(r, text, "program", program_read);
	if (!error)
		error = lines_read(r, text, "power", power_read);
	if (!error)
		error = powers_sort(r->list);
	return error ? error : check_canonical(r, text);
}

int picket_powers_read(const char *text, size_t length, struct picket_powers **ret_powers, struct picket_error *reterr)
{
	struct reader r = {.reterr = reterr};
	int error;

	if (length > TEXT_BYTES_MAX)
		return broken(&r, "more than %u bytes", TEXT_BYTES_MAX);
	map_init(&r.programs, PROGRAMS_MAX);
	error = read_text(&r, str_make(text, length));
	map_done(&r.programs);
	if (error) {
		picket_powers_free(r.list);
		return error;
	}
	*ret_powers = r.list;
	return 0;
}

/* ---- comparing ---- */

static void key_write(const struct picket_powers *p, const struct picket_power_entry *entry, bool program,
                      struct buf *ret_key)
{
	buf_clear(ret_key);
	buf_printf(ret_key, "%d %s", (int)entry->power, entry->detail);
	buf_add_char(ret_key, '\0');
	if (program)
		buf_add_text(ret_key, p->programs[entry->program].name);
}

/* What a list has: with program names, and without. */
static int keys_of(const struct picket_powers *p, bool program, struct map *ret_keys)
{
	_cleanup_(buf_done) struct buf key;
	void *old;
	int r = 0;

	buf_init(&key, TEXT_BYTES_MAX);
	for (size_t i = 0; !r && i < p->count; i++) {
		key_write(p, &p->entries[i], program, &key);
		r = buf_error(&key);
		if (!r)
			r = map_put(ret_keys, buf_str(&key), (void *)p, &old);
	}
	return r;
}

struct comparison {
	void (*differs)(enum picket_powers_change change, const struct picket_power_entry *entry,
	                const struct picket_powers_program *program, void *user);
	void *user;
};

/* Tells what `now` has and `old` has not. */
static int tell(const struct comparison *c, const struct picket_powers *now, const struct map *old_all,
                const struct map *old_programs, enum picket_powers_change everywhere,
                enum picket_powers_change somewhere)
{
	_cleanup_(buf_done) struct buf key;

	buf_init(&key, TEXT_BYTES_MAX);
	for (unsigned pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < now->count; i++) {
			const struct picket_power_entry *entry = &now->entries[i];
			struct picket_powers_program program = picket_powers_program(now, entry->program);
			bool had;

			key_write(now, entry, false, &key);
			had = map_get(old_all, buf_str(&key)) != NULL;
			key_write(now, entry, true, &key);
			if (buf_error(&key))
				return buf_error(&key);
			if (!had && pass == 0)
				c->differs(everywhere, entry, &program, c->user);
			else if (had && pass == 1 && !map_get(old_programs, buf_str(&key)))
				c->differs(somewhere, entry, &program, c->user);
		}
	}
	return 0;
}

int picket_powers_compare(const struct picket_powers *old, const struct picket_powers *now,
                          void (*differs)(enum picket_powers_change change, const struct picket_power_entry *entry,
                                          const struct picket_powers_program *program, void *user),
                          void *user)
{
	const struct comparison c = {differs, user};
	struct map keys[4]; /* old: all, by program; now: all, by program */
	int r = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(keys); i++)
		map_init(&keys[i], PICKET_POWERS_MAX);
	for (unsigned i = 0; !r && i < ARRAY_SIZE(keys); i++)
		r = keys_of(i < 2 ? old : now, i % 2, &keys[i]);
	if (!r)
		r = tell(&c, now, &keys[0], &keys[1], PICKET_POWERS_ADDED, PICKET_POWERS_SPREAD);
	if (!r)
		r = tell(&c, old, &keys[2], &keys[3], PICKET_POWERS_REMOVED, PICKET_POWERS_SHRUNK);
	for (unsigned i = 0; i < ARRAY_SIZE(keys); i++)
		map_done(&keys[i]);
	return r;
}
