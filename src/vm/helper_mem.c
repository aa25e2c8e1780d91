/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include "vm/helper_int.h"

/* ---- probe_read: there is no other address space here than the program's own memory ---- */
uint64_t helper_probe_read(HELPER_PARAMETERS)
{
	void *to = helper_pointer(r1);

	if (r2 == 0)
		return 0;
	if (helper_readable(run, r3, r2) < r2) {
		memset(to, 0, r2);
		return helper_error(-EFAULT);
	}
	memmove(to, helper_pointer(r3), r2);
	return 0;
}

/* Copies until a NUL, limit - 1 characters at most. Returns the bytes with the NUL; 0: the text leaves what is readable. */
static size_t copy_text(char *to, const volatile char *from, size_t readable, size_t limit)
{
	for (size_t i = 0; i < readable; i++) {
		to[i] = i + 1 < limit ? from[i] : 0;
		if (!to[i])
			return i + 1;
	}
	return 0;
}

uint64_t helper_probe_read_str(HELPER_PARAMETERS)
{
	size_t copied;

	if (r2 == 0)
		return 0;
	copied = copy_text(helper_pointer(r1), helper_pointer(r3), helper_readable(run, r3, r2), r2);
	if (copied)
		return copied;
	memset(helper_pointer(r1), 0, r2);
	return helper_error(-EFAULT);
}

/* ---- csum_diff: the Internet's checksum (RFC 1071), in 32 bits with the carry carried around ---- */
static uint32_t csum_add(uint32_t a, uint32_t b)
{
	uint32_t sum = a + b;

	return sum + (sum < a);
}

static uint32_t csum_of(const uint8_t *data, size_t size, uint32_t sum)
{
	uint32_t word;

	for (; size >= sizeof(word); data += sizeof(word), size -= sizeof(word)) {
		memcpy(&word, data, sizeof(word));
		sum = csum_add(sum, word);
	}
	if (size == 0)
		return sum;
	word = 0;
	memcpy(&word, data, size);
	return csum_add(sum, word);
}

static uint32_t csum_fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

uint64_t helper_csum_diff(HELPER_PARAMETERS)
{
	const uint8_t *from = helper_pointer(r1), *to = helper_pointer(r3);
	uint32_t sum = (uint32_t)r5;

	if (r2 && r4)
		sum = csum_add(csum_of(to, r4, sum), ~csum_of(from, r2, 0));
	else if (r4)
		sum = csum_of(to, r4, sum);
	else if (r2)
		sum = ~csum_of(from, r2, ~sum);
	return csum_fold(sum);
}
