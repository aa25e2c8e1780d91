/* SPDX-License-Identifier: Apache-2.0
 *
 * What compilers use only since the fourth version of the instruction set: each function is one such instruction, or a few.
 * Compilers that know that version are not everywhere, so the object stands beside this file. It was made here by
 *
 *   clang-19 -target bpf -mcpu=v4 -O2 -g -ffile-prefix-map="$PWD"=. -Wall -c arithmetic.bpf.c -o arithmetic.o
 *   llvm-strip -g arithmetic.o
 */
#define SEC(name) __attribute__((section(name), used))
/* The compiler does not know where a value is from, and so makes nothing else of what is done with it. */
#define OPAQUE(x) asm volatile("" : "+r"(x))

struct numbers {
	long long a, b;
	int c, d;
	short e;
	signed char f;
};

SEC("test") long long divide(const struct numbers *n)
{
	return n->a / n->b;
}

SEC("test") long long rest(const struct numbers *n)
{
	return n->a % n->b;
}

SEC("test") int divide_short(const struct numbers *n)
{
	return n->c / n->d;
}

SEC("test") int rest_short(const struct numbers *n)
{
	return n->c % n->d;
}

/* Loads that extend the sign. */
SEC("test") long long load(const struct numbers *n)
{
	return (long long)n->c * 1000 + n->e * 100 + n->f;
}

/* Moves that do. */
SEC("test") long long extend(const struct numbers *n)
{
	long long x = n->a, y = n->a, z = n->a;

	OPAQUE(x);
	OPAQUE(y);
	OPAQUE(z);
	return (signed char)x + (short)y * 3ll + (int)z * 5ll;
}

SEC("test") unsigned extend_short(const struct numbers *n)
{
	unsigned x = n->c, y = n->c;

	OPAQUE(x);
	OPAQUE(y);
	return (unsigned)(signed char)x / 3 + (unsigned)(short)y / 5;
}

SEC("test") unsigned long long swap(const struct numbers *n)
{
	return __builtin_bswap64(n->a) ^ __builtin_bswap32((unsigned)n->c) ^ __builtin_bswap16((unsigned short)n->e);
}

/* Its jump has an offset of 32 bits. */
SEC("test") long long jump(const struct numbers *n)
{
	long long x = n->a;

	asm volatile("gotol +1\n\t%0 = 0" : "+r"(x));
	return x;
}
