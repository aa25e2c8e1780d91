/* SPDX-License-Identifier: Apache-2.0
 *
 * An object, and the types of a kernel that it is relocated against (CO-RE): both as they come. The input is the object's
 * length in 4 bytes, the object, the types.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "picket/vm.h"

#define HEADER 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

static void expect(bool holds)
{
	if (!holds)
		abort();
}

/* The instructions of all programs, one after the other: free(). */
static struct picket_insn *all_insns(const struct picket_image *i, size_t *ret_count)
{
	struct picket_insn *all = NULL;
	size_t used = 0, count;

	for (size_t p = 0; p < picket_image_program_count(i); p++) {
		const struct picket_insn *insns = picket_image_insns(i, p, &count);
		all = realloc(all, (used + count) * sizeof(*all));
		expect(all != NULL);
		memcpy(all + used, insns, count * sizeof(*all));
		used += count;
	}
	*ret_count = used;
	return all;
}

static bool insns_are(const struct picket_image *i, const struct picket_insn *before, size_t count)
{
	size_t count_now;
	struct picket_insn *now = all_insns(i, &count_now);
	bool same = count_now == count && (!count || memcmp(now, before, count * sizeof(*now)) == 0);

	free(now);
	return same;
}

static void relocate(struct picket_image *i, const void *btf, size_t length)
{
	struct picket_error error = {0};
	size_t count;
	struct picket_insn *before = all_insns(i, &count), *after;
	int r = picket_image_relocate(i, btf, length, &error);

	expect(r == 0 || r == -EINVAL || r == -ENOMEM);
	if (r) {
		expect(error.text[0] && memchr(error.text, 0, sizeof(error.text)));
		expect(insns_are(i, before, count));
	} else {
		after = all_insns(i, &count);
		expect(picket_image_relocate(i, btf, length, &error) == 0 && insns_are(i, after, count));
		free(after);
	}
	free(before);
}

static size_t object_length(const uint8_t *data, size_t size)
{
	uint32_t length;

	memcpy(&length, data, HEADER);
	return length < size - HEADER ? length : size - HEADER;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct picket_image *i;
	size_t length;

	if (size < HEADER)
		return 0;
	length = object_length(data, size);
	if (picket_image_open(data + HEADER, length, &i, NULL))
		return 0;
	relocate(i, data + HEADER + length, size - HEADER - length);
	picket_image_free(i);
	return 0;
}

/* One of the two is changed, mostly the types: few changes leave an object one. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	size_t length, types, room;
	uint8_t *copy;
	uint32_t header;

	if (size < HEADER || max_size <= size)
		return LLVMFuzzerMutate(data, size, max_size);
	length = object_length(data, size);
	types = size - HEADER - length;
	room = max_size - size;
	if (seed % 4)
		return HEADER + length + LLVMFuzzerMutate(data + HEADER + length, types, types + room);
	copy = malloc(types + 1);
	expect(copy != NULL);
	memcpy(copy, data + HEADER + length, types);
	length = LLVMFuzzerMutate(data + HEADER, length, length + room);
	memcpy(data + HEADER + length, copy, types);
	free(copy);
	header = (uint32_t)length;
	memcpy(data, &header, HEADER);
	return HEADER + length + types;
}
