/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Texts, eight bytes at a time.
 */
#ifndef PICKET_BPF_BYTES_H
#define PICKET_BPF_BYTES_H

#include "kernel.h"
#include <bpf/bpf_helpers.h>

#define BYTES(byte) (0x0101010101010101ull * (byte))

/* The top bit of each byte that is `byte`. */
static __always_inline __u64 bytes_equal(__u64 word, __u8 byte)
{
	__u64 x = word ^ BYTES(byte);

	return ~(((x & BYTES(0x7f)) + BYTES(0x7f)) | x) & BYTES(0x80);
}

/* Which byte has the highest bit that is set. */
static __always_inline __u32 byte_last(__u64 bits)
{
	__u32 byte = 0;

	if (bits >> 32) {
		bits >>= 32;
		byte += 4;
	}
	if (bits >> 16) {
		bits >>= 16;
		byte += 2;
	}
	return byte + (bits >> 8 ? 1 : 0);
}

/* Which byte has the lowest bit that is set. */
static __always_inline __u32 byte_first(__u64 bits)
{
	return byte_last(bits & -bits);
}

#endif
