/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernels in the machine's own code: what `gcc -O2` makes of them.
 */
#include "bench/vm_native.h"
#include "bench/kernels.h"

#define NATIVE(name) \
	static __attribute__((noinline)) uint64_t native_##name(void *in, size_t length) \
	{ \
		return length < KERNEL_INPUT_BYTES ? 0 : kernel_##name(in); \
	}
KERNELS(NATIVE)

static __attribute__((noinline)) uint64_t native_empty(void *in, size_t length)
{
	(void)in, (void)length;
	return 0;
}

#define ROW(name) {#name, native_##name},
const struct native natives[NATIVES] = {KERNELS(ROW){"empty", native_empty}};
