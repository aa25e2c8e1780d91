/* SPDX-License-Identifier: Apache-2.0
 *
 * Objects of tests/vm/objects, as make compiled them: build/vm-objects/CPU/NAME.o.
 */
#ifndef PICKET_TESTS_OBJECT_FIXTURE_H
#define PICKET_TESTS_OBJECT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "picket/vm.h"

#define OBJECT_BYTES_MAX (64u << 20)

static inline void object_path(char path[128], const char *cpu, const char *name)
{
	snprintf(path, 128, "build/vm-objects/%s/%s.o", cpu, name);
}

/* The object's bytes: buf_done(). */
static inline void object_read(const char *cpu, const char *name, struct buf *out)
{
	char path[128];

	object_path(path, cpu, name);
	buf_init(out, OBJECT_BYTES_MAX);
	if (file_read(path, out))
		fail_msg("%s cannot be read: make its objects first, and run this from the project's root", path);
}

#endif
