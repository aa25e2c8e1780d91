/* SPDX-License-Identifier: Apache-2.0
 *
 * Written eBPF, finished, verified and run by all of the sandbox's engines.
 */
#ifndef PICKET_TEST_CODE_HELPER_H
#define PICKET_TEST_CODE_HELPER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <linux/bpf.h>
#include <cmocka.h>
#include "picket/verify.h"
#include "rule/code.h"

#define ENGINES 3

struct engines {
	struct picket_program *programs[ENGINES]; /* NULL: not on this machine */
};

static inline void engines_done(struct engines *e)
{
	for (size_t i = 0; i < ENGINES; i++)
		picket_program_free(e->programs[i]);
	*e = (struct engines){0};
}

/* c: finished. maps: borrowed by the programs. */
static inline struct engines engines_load(const struct code *c, struct picket_map *const *maps, size_t map_count)
{
	struct engines e = {0};
	struct picket_error error;

	for (size_t i = 0; i < ENGINES; i++) {
		struct picket_options options = {.engine = (enum picket_engine)i, .maps = maps, .map_count = map_count};
		int r = picket_program_load(c->insns, c->count, &options, &e.programs[i], &error);

		if (r == -EOPNOTSUPP)
			continue;
		if (r)
			fail_msg("%s", error.text);
	}
	return e;
}

static inline uint64_t engine_run(const struct picket_program *p, void *data, size_t length)
{
	struct picket_call call = {.data = data, .length = length};

	if (picket_program_run(p, &call))
		fail_msg("%s at instruction %u", picket_fault_name(call.fault.kind), call.fault.insn);
	return call.result;
}

/* The same from all of them. */
static inline uint64_t engines_run(const struct engines *e, void *data, size_t length)
{
	uint64_t result = engine_run(e->programs[PICKET_INTERPRETER], data, length);

	for (size_t i = 0; i < ENGINES; i++)
		if (e->programs[i])
			assert_int_equal(engine_run(e->programs[i], data, length), result);
	return result;
}

static inline struct picket_verdict *code_verify(const struct code *c, const struct picket_map_spec *maps,
                                                 size_t map_count)
{
	struct picket_verify_options options = {
	        .kind = PICKET_KIND_MEMORY, .insns_max = 1u << 26, .memory_max = 1u << 30};
	struct picket_verdict *v = NULL;

	assert_int_equal(picket_verify_insns(c->insns, c->count, maps, map_count, &options, &v), 0);
	if (!v->accepted)
		fail_msg("instruction %u: %s %s", v->insn, v->reason, v->detail);
	return v;
}

#endif
