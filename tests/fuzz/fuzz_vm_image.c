/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes as an object that is only looked at: whatever they are, all that an image tells is in it. What can be loaded can be
 * looked at, too.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "picket/vm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
	if (!holds)
		abort();
}

/* Every byte can be read. */
static void touch(const void *bytes, size_t length)
{
	const volatile uint8_t *byte = bytes;

	for (size_t i = 0; i < length; i++)
		(void)byte[i];
}

static void ask_functions(const struct picket_image *i, size_t program, size_t insn_count)
{
	struct picket_image_function f;
	uint32_t next = 0;

	for (size_t index = 0; picket_image_function(i, program, index, &f); index++) {
		expect(f.name && f.insn == next && f.count > 0);
		touch(f.name, strlen(f.name));
		next = f.insn + f.count;
	}
	expect(next == insn_count);
}

static void ask_program(const struct picket_image *i, size_t program)
{
	const char *file, *text, *name = picket_image_name(i, program), *section = picket_image_section(i, program);
	unsigned line, column;
	size_t count = 0, found;
	const struct picket_insn *insns = picket_image_insns(i, program, &count);

	expect(name && section && insns && count > 0 && count <= PICKET_INSNS_MAX);
	expect(picket_image_find(i, name, &found) && found <= program);
	touch(section, strlen(section));
	for (size_t at = 0; at < count; at++) {
		touch(&insns[at], sizeof(insns[at]));
		if (!picket_image_line(i, program, at, &file, &line, &column, &text))
			continue;
		expect(line > 0);
		touch(file, strlen(file));
		touch(text, strlen(text));
	}
	expect(!picket_image_line(i, program, count, &file, &line, &column, &text));
	ask_functions(i, program, count);
}

static void ask_map(const struct picket_image *i, size_t map)
{
	const struct picket_map_spec *spec = picket_image_map(i, map);
	struct picket_image_data data;
	uint64_t number;

	expect(spec && memchr(spec->name, 0, sizeof(spec->name)));
	if (!picket_image_data(i, map, &data)) {
		expect(!picket_image_constant(i, map, 0, 1, &number));
		return;
	}
	expect(data.length == spec->value_size);
	if (data.bytes)
		touch(data.bytes, data.length);
	for (unsigned width = 1; width <= 8; width++) {
		uint64_t end = data.length - width + 1;
		for (uint64_t at = 0; width <= data.length && at < end; at += 1 + data.length / 256)
			if (picket_image_constant(i, map, at, width, &number) && width < 8)
				expect(number >> 8 * width == 0);
		expect(!picket_image_constant(i, map, end, width, &number));
	}
}

static void ask_image(const struct picket_image *i)
{
	size_t length = 0;
	const void *btf = picket_image_btf(i, &length);

	expect(picket_image_license(i) != NULL);
	if (btf)
		touch(btf, length);
	for (size_t p = 0; p < picket_image_program_count(i); p++)
		ask_program(i, p);
	expect(!picket_image_name(i, picket_image_program_count(i)));
	for (size_t m = 0; m < picket_image_map_count(i); m++)
		ask_map(i, m);
	expect(!picket_image_map(i, picket_image_map_count(i)));
	for (size_t k = 0; k < picket_image_kernel_count(i); k++) {
		const char *name = picket_image_kernel_name(i, k);
		touch(name, strlen(name));
		(void)picket_image_kernel_weak(i, k);
	}
}

static void check_error(int r, const struct picket_error *e)
{
	expect(r == -EINVAL || r == -EOPNOTSUPP || r == -ENOMEM);
	expect(e->text[0] && memchr(e->text, 0, sizeof(e->text)) && memchr(e->section, 0, sizeof(e->section)) &&
	       memchr(e->file, 0, sizeof(e->file)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct picket_image *i = NULL;
	struct picket_object *o = NULL;
	struct picket_error error = {0};
	int r = picket_image_open(data, size, &i, &error), loads;

	if (r) {
		expect(!i);
		check_error(r, &error);
	} else {
		ask_image(i);
	}
	loads = picket_object_open(data, size, NULL, &o, &error);
	if (loads == 0 && r != -ENOMEM)
		expect(r == 0 && picket_object_program_count(o) == picket_image_program_count(i) &&
		       picket_object_map_count(o) <= picket_image_map_count(i));
	picket_object_free(o);
	picket_image_free(i);
	return 0;
}
