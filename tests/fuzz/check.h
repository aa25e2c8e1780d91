/* SPDX-License-Identifier: Apache-2.0
 *
 * What fuzzers share: a property that must hold, named when it does not.
 */
#ifndef PICKET_FUZZ_CHECK_H
#define PICKET_FUZZ_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#define CHECK(what) \
	do { \
		if (!(what)) { \
			fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #what); \
			abort(); \
		} \
	} while (0)

#endif
