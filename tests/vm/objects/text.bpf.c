/* SPDX-License-Identifier: Apache-2.0
 *
 * No sections are named: the global functions are the programs.
 */
static __attribute__((noinline)) long half(long n)
{
	asm volatile("");
	return n >> 1;
}

unsigned long entry(const unsigned char *data, unsigned long length)
{
	unsigned long sum = 0;

	for (unsigned long i = 0; i < length; i++)
		sum += data[i];
	return half(sum);
}

unsigned long other(const unsigned char *data, unsigned long length)
{
	return entry(data, length) + length;
}
