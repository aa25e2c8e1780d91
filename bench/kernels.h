/* SPDX-License-Identifier: Apache-2.0
 *
 * Five small kernels over 1 KiB of input, to compare engines at the same work: one body, compiled natively, as eBPF for the
 * sandbox, and as an XDP program for the kernel. Results must be equal everywhere.
 */
#ifndef PICKET_BENCH_KERNELS_H
#define PICKET_BENCH_KERNELS_H

#define KERNEL_INPUT_BYTES 1024
#if defined(__bpf__)
#define KEEP_LOOP _Pragma("clang loop unroll(disable)")
#else
#define KEEP_LOOP
#endif
#define OPAQUE(x) __asm__ volatile("" : "+r"(x))
#define INLINE static inline __attribute__((always_inline))

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

/* Memory bandwidth: sum of 128 words. */
INLINE u64 kernel_sum64(const u8 *in)
{
	const u64 *word = (const u64 *)in;
	u64 sum = 0;

	KEEP_LOOP for (u32 i = 0; i < KERNEL_INPUT_BYTES / 8; i++) sum += word[i];
	return sum;
}

/* Division: primes below 200. */
INLINE u64 kernel_prime(const u8 *in)
{
	u64 limit = 200, count = 0;

	(void)in;
	OPAQUE(limit);
	KEEP_LOOP for (u64 i = 2; i < limit; i++)
	{
		u64 is_prime = 1;
		KEEP_LOOP for (u64 j = 2; j * j <= i; j++)
		{
			if (i % j == 0) {
				is_prime = 0;
				break;
			}
		}
		count += is_prime;
	}
	return count;
}

/* Loads of bytes, and branches: compares both halves. */
INLINE u64 kernel_cmp512(const u8 *in)
{
	KEEP_LOOP for (u32 i = 0; i < KERNEL_INPUT_BYTES / 2;
	               i++) if (in[i] != in[i + KERNEL_INPUT_BYTES / 2]) return i +
	        1;
	return 0;
}

/* A chain of multiplications: FNV-1a. */
INLINE u64 kernel_fnv1a(const u8 *in)
{
	u64 hash = 0xcbf29ce484222325ULL;

	KEEP_LOOP for (u32 i = 0; i < KERNEL_INPUT_BYTES; i++)
	{
		hash ^= in[i];
		hash *= 0x100000001b3ULL;
	}
	return hash;
}

/* Control flow as a set of rules has it, over 16 events of 64 bytes. */
struct kernel_event {
	u32 type, uid, pid, ppid;
	u64 flags, inode;
	u8 path[32];
};

INLINE int kernel_starts_with(const u8 *s, const char *prefix, u32 n)
{
	for (u32 i = 0; i < n; i++)
		if (s[i] != (u8)prefix[i])
			return 0;
	return 1;
}

INLINE u32 kernel_rule(const struct kernel_event *e)
{
	switch (e->type) {
	case 59:
	case 322:
		if (e->uid == 0)
			return 0;
		return kernel_starts_with(e->path, "/tmp/", 5) ? 1 : kernel_starts_with(e->path, "/dev/", 5) ? 2 : 0;
	case 2:
	case 257:
		if (kernel_starts_with(e->path, "/etc/shadow", 11))
			return 3;
		return (e->flags & 0x241) && e->uid >= 1000 && e->inode < 100000 ? 4 : 0;
	case 42:
		return (e->flags & 0xffff) == 4444 || (e->flags & 0xffff) == 31337 ? 5 : 0;
	case 62:
		return e->flags == 9 && e->pid == 1 ? 11 : 0;
	case 101:
		return e->ppid != e->pid && e->uid ? 6 : 0;
	case 105:
	case 106:
	case 117:
		return e->flags == 0 && e->uid != 0 ? 7 : 0;
	case 165:
		return e->flags & 0x1000 ? 10 : 0;
	case 175:
	case 313:
		return 8;
	case 321:
		return e->uid ? 9 : 0;
	default:
		return 0;
	}
}

INLINE u64 kernel_rules(const u8 *in)
{
	const struct kernel_event *event = (const struct kernel_event *)in;
	u64 all = 0;

	KEEP_LOOP for (u32 i = 0; i < KERNEL_INPUT_BYTES / sizeof(*event); i++) all = all * 13 + kernel_rule(&event[i]);
	return all;
}

#define KERNELS(X) X(sum64) X(prime) X(cmp512) X(fnv1a) X(rules)

#endif
