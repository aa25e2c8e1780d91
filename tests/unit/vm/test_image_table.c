/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables of functions for the kernel in a hostile object: each of many entries is looked for among many symbols.
 */
#include "object_fixture.h"

#include <elf.h>
#include <errno.h>

#define CPU "v3"
#define SECTION ".struct_ops"
#define SYMBOLS 65536
#define ENTRIES_READ 256       /* as many as one search after the other takes no time for */
#define ENTRIES_TOO_MANY 65536 /* those would take minutes */

/* ---- an object whose sections are replaced by longer ones, behind its end ---- */
static Elf64_Shdr *section_headers(struct buf *object)
{
	Elf64_Ehdr h;

	memcpy(&h, object->data, sizeof(h));
	assert_int_equal(h.e_shoff % _Alignof(Elf64_Shdr), 0);
	return (Elf64_Shdr *)(void *)(object->data + h.e_shoff);
}

static unsigned section_find(struct buf *object, const char *name)
{
	const Elf64_Shdr *headers = section_headers(object);
	Elf64_Ehdr h;

	memcpy(&h, object->data, sizeof(h));
	for (unsigned i = 1; i < h.e_shnum; i++)
		if (!strcmp(object->data + headers[h.e_shstrndx].sh_offset + headers[i].sh_name, name))
			return i;
	fail_msg("no section %s", name);
	return 0;
}

/* What it had, and zeros behind it. Returns where it begins now. */
static char *section_grow(struct buf *object, const char *name, size_t length)
{
	unsigned section = section_find(object, name);
	const Elf64_Shdr before = section_headers(object)[section];
	const size_t start = object->length;
	char *place = buf_reserve(object, length);

	assert_non_null(place);
	assert_true(before.sh_size <= length);
	memset(place, 0, length);
	memcpy(place, object->data + before.sh_offset, before.sh_size);
	buf_commit(object, length);
	section_headers(object)[section].sh_offset = start;
	section_headers(object)[section].sh_size = length;
	return place;
}

/* The first entry of the object's table, again and again: behind the first variable no symbol says what they are part of. */
static void make_object(size_t entries, struct buf *object)
{
	Elf64_Rel first, *relocations;

	object_read(CPU, "table", object);
	section_grow(object, ".symtab", SYMBOLS * sizeof(Elf64_Sym));
	section_grow(object, SECTION, entries * sizeof(uint64_t));
	relocations = (Elf64_Rel *)(void *)section_grow(object, ".rel" SECTION, entries * sizeof(first));
	first = relocations[0];
	assert_int_equal(first.r_offset, 0);
	for (size_t i = 0; i < entries; i++)
		relocations[i] = (Elf64_Rel){.r_offset = i * sizeof(uint64_t), .r_info = first.r_info};
}

static int open_table(size_t entries, struct picket_error *ret_error)
{
	_cleanup_(buf_done) struct buf object;
	struct picket_image *image = NULL;
	int r;

	make_object(entries, &object);
	r = picket_image_open(object.data, object.length, &image, ret_error);
	picket_image_free(image);
	return r;
}

static void test_many_entries(void **state)
{
	struct picket_error error = {0};

	(void)state;
	if (open_table(ENTRIES_READ, &error))
		fail_msg("%s+%llu: %s", error.section, (unsigned long long)error.offset, error.text);
}

static void test_too_many_entries(void **state)
{
	struct picket_error error = {0};

	(void)state;
	assert_int_equal(open_table(ENTRIES_TOO_MANY, &error), -EINVAL);
	assert_string_equal(error.text, "too many entries of tables");
	assert_string_equal(error.section, SECTION);
	assert_in_range(error.offset, ENTRIES_READ * sizeof(uint64_t), ENTRIES_TOO_MANY * sizeof(uint64_t) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_many_entries),
	        cmocka_unit_test(test_too_many_entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
