/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes as an object whose powers are listed, or as such a list. What is listed can be written, read again, and is the
 * same then; what can be read as a list is written as it was.
 */
#include <stdlib.h>
#include <string.h>

#include "picket/verify_powers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
	if (!holds)
		abort();
}

static void no_difference(enum picket_powers_change change, const struct picket_power_entry *entry,
                          const struct picket_powers_program *program, void *user)
{
	(void)change;
	(void)entry;
	(void)program;
	(void)user;
	abort();
}

/* In order, each once, each of a program. */
static void check_entries(const struct picket_powers *powers)
{
	for (size_t i = 0; i < picket_powers_count(powers); i++) {
		const struct picket_power_entry *entry = picket_powers_at(powers, i), *before = entry - 1;

		expect(entry->program < picket_powers_program_count(powers));
		expect(picket_power_name(entry->power) != NULL);
		expect(memchr(entry->detail, '\0', sizeof(entry->detail)) != NULL);
		if (i == 0 || before->program != entry->program)
			continue;
		expect(before->power < entry->power ||
		       (before->power == entry->power && strcmp(before->detail, entry->detail) < 0));
	}
}

static void check_written(const struct picket_powers *powers, const uint8_t *expected, size_t expected_length)
{
	struct picket_powers *again = NULL;
	struct picket_error error;
	size_t length;
	char *text;

	if (picket_powers_write(powers, &text, &length))
		return;
	if (expected)
		expect(length == expected_length && !memcmp(text, expected, length));
	if (!picket_powers_read(text, length, &again, &error)) {
		check_entries(again);
		expect(!picket_powers_compare(powers, again, no_difference, NULL));
	} else {
		expect(picket_powers_program_count(powers) > 65536);
	}
	picket_powers_free(again);
	free(text);
}

static void try_list(const uint8_t *data, size_t size)
{
	struct picket_powers *powers;
	struct picket_error error;

	if (picket_powers_read((const char *)data, size, &powers, &error))
		return;
	check_entries(powers);
	check_written(powers, data, size);
	picket_powers_free(powers);
}

static void try_object(const uint8_t *data, size_t size)
{
	struct picket_image *image;
	struct picket_powers *powers;
	struct picket_error error;

	if (picket_image_open(data, size, &image, &error))
		return;
	if (!picket_powers_of(image, PICKET_KIND_AUTO, &powers, &error)) {
		check_entries(powers);
		check_written(powers, NULL, 0);
		picket_powers_free(powers);
	}
	picket_image_free(image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_list(data, size);
	try_object(data, size);
	return 0;
}
