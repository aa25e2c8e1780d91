/* SPDX-License-Identifier: Apache-2.0
 *
 * Programs for tests of the just-in-time compilers, from text, in all the ways that they can be compiled. Where there is no
 * compiler, the test is skipped.
 */
#ifndef PICKET_TEST_JIT_FIXTURE_H
#define PICKET_TEST_JIT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include "vm/vm_int.h"

#define OWN_CALLBACK PICKET_HELPER_OWN

static uint64_t own_callback(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, struct picket_run *run)
{
	uint64_t result;

	if (picket_run_callback(run, r1, r2, r3, r4, r5, 0, &result))
		return 0;
	return result + 1000;
}

static const struct picket_helper own_helpers[] = {
        {.id = OWN_CALLBACK,
         .name = "callback",
         .args = {PICKET_ARG_ANY, PICKET_ARG_ANY, PICKET_ARG_ANY, PICKET_ARG_ANY, PICKET_ARG_ANY},
         .function = own_callback},
};

struct setting {
	enum picket_engine engine;
	bool plain, blind;
};
static const struct setting reference = {.engine = PICKET_INTERPRETER, .plain = true};
static const struct setting compiled[] = {
        {.engine = PICKET_CHECKED},
        {.engine = PICKET_CHECKED, .plain = true},
        {.engine = PICKET_CHECKED, .blind = true},
        {.engine = PICKET_VERIFIED},
        {.engine = PICKET_VERIFIED, .plain = true},
        {.engine = PICKET_VERIFIED, .blind = true},
};
#define COMPILED_CHECKED 3 /* of them, the first */

static struct picket_program *load_insns(const struct picket_insn *insns, size_t count, struct setting s,
                                         struct picket_map *const *maps, size_t map_count)
{
	struct picket_options options = {
	        .engine = s.engine,
	        .plain = s.plain,
	        .blind = s.blind,
	        .helpers = own_helpers,
	        .helper_count = ARRAY_SIZE(own_helpers),
	        .maps = maps,
	        .map_count = map_count,
	};
	struct picket_program *p = NULL;
	struct picket_error error = {0};
	int r = picket_program_load(insns, count, &options, &p, &error);

	if (r == -EOPNOTSUPP)
		skip();
	if (r)
		fail_msg("%s", error.text);
	return p;
}

static struct picket_program *load_with_map(const char *text, struct setting s, struct picket_map *map)
{
	_cleanup_(base_free_ptr) struct picket_insn *insns = NULL;
	struct picket_error error = {0};
	size_t count;

	if (picket_assemble(text, strlen(text), &insns, &count, &error))
		fail_msg("%u:%u: %s", error.line, error.column, error.text);
	return load_insns(insns, count, s, &map, map != NULL);
}

static struct picket_program *load(const char *text, struct setting s)
{
	return load_with_map(text, s, NULL);
}

/* All ways of compiling give this result, and no fault. */
static void assert_result(const char *text, uint64_t result)
{
	for (size_t i = 0; i < ARRAY_SIZE(compiled); i++) {
		struct picket_program *p = load(text, compiled[i]);
		struct picket_call call = {0};
		if (picket_program_run(p, &call) || call.result != result)
			fail_msg("%s\n%s, result %llx, not %llx", text, picket_fault_name(call.fault.kind),
			         (unsigned long long)call.result, (unsigned long long)result);
		picket_program_free(p);
	}
}

#endif
