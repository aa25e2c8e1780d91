/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PICKET_BENCH_VM_NATIVE_H
#define PICKET_BENCH_VM_NATIVE_H

#include <stddef.h>
#include <stdint.h>

#define NATIVES 6 /* the last: nothing, to be taken off */

struct native {
	const char *name;
	uint64_t (*function)(void *in, size_t length);
};
extern const struct native natives[NATIVES];

#endif
