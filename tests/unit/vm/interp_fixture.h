/* SPDX-License-Identifier: Apache-2.0
 *
 * Programs for the interpreter, as text. Every one runs as it is optimised and plain, with the same outcome.
 */
#ifndef INTERP_FIXTURE_H
#define INTERP_FIXTURE_H

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
#define OWN_NUMBER (PICKET_HELPER_OWN + 1)

/* What a run left. */
struct outcome {
	int r;
	uint64_t result, executed;
	struct picket_fault fault;
	bool in_own_program; /* the fault */
};

/* Calls r1, a function, with r2 to r5 in its r1 to r4. Returns its result + 1000. */
static inline uint64_t own_callback(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5,
                                    struct picket_run *run)
{
	uint64_t result;

	if (picket_run_callback(run, r1, r2, r3, r4, r5, 0, &result))
		return 0;
	return result + 1000;
}

static inline uint64_t own_number(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5,
                                  struct picket_run *run)
{
	(void)run;
	return r1 + r2 + r3 + r4 + r5;
}

static const struct picket_helper own_helpers[] = {
        {.id = OWN_CALLBACK,
         .name = "callback",
         .args = {PICKET_ARG_ANY, PICKET_ARG_ANY, PICKET_ARG_ANY, PICKET_ARG_ANY, PICKET_ARG_ANY},
         .function = own_callback},
        {.id = OWN_NUMBER,
         .name = "number",
         .args = {PICKET_ARG_ANY, PICKET_ARG_ANY, PICKET_ARG_ANY, PICKET_ARG_ANY, PICKET_ARG_ANY},
         .function = own_number},
};

static inline struct picket_program *load(const char *text, bool plain, struct picket_map *const *maps,
                                          size_t map_count)
{
	_cleanup_(base_free_ptr) struct picket_insn *insns = NULL;
	struct picket_options options = {
	        .plain = plain,
	        .helpers = own_helpers,
	        .helper_count = ARRAY_SIZE(own_helpers),
	        .maps = maps,
	        .map_count = map_count,
	};
	struct picket_program *p = NULL;
	struct picket_error error = {0};
	size_t count;

	if (picket_assemble(text, strlen(text), &insns, &count, &error))
		fail_msg("%u:%u: %s", error.line, error.column, error.text);
	if (picket_program_load(insns, count, &options, &p, &error))
		fail_msg("%s", error.text);
	return p;
}

static inline struct outcome run_program(const struct picket_program *p, const struct picket_call *given)
{
	struct picket_call call = *given;
	struct outcome o = {.r = picket_program_run(p, &call)};

	o.result = call.result;
	o.executed = call.executed;
	o.fault = call.fault;
	o.in_own_program = o.r && call.fault.program == p;
	return o;
}

static inline struct picket_map *make_map_with(uint32_t type, uint32_t key_size, uint32_t value_size, uint32_t entries,
                                               uint32_t flags)
{
	struct picket_map_spec spec = {.name = "m",
	                               .type = type,
	                               .key_size = key_size,
	                               .value_size = value_size,
	                               .max_entries = entries,
	                               .flags = flags};
	struct picket_map *m = NULL;
	struct picket_error error = {0};

	if (picket_map_new(&spec, &m, &error))
		fail_msg("%s", error.text);
	return m;
}

static inline struct picket_map *make_map(uint32_t type, uint32_t key_size, uint32_t value_size, uint32_t entries)
{
	return make_map_with(type, key_size, value_size, entries, 0);
}

/* Both ways; what a fault says must be the same, but for where the stack happens to lie. */
static inline struct outcome run_with_maps(const char *text, const struct picket_call *call,
                                           struct picket_map *const *maps, size_t map_count)
{
	struct outcome o[2];

	for (int plain = 0; plain < 2; plain++) {
		struct picket_program *p = load(text, plain, maps, map_count);
		o[plain] = run_program(p, call);
		assert_true(!o[plain].r || o[plain].in_own_program);
		picket_program_free(p);
	}
	assert_int_equal(o[0].r, o[1].r);
	assert_int_equal(o[0].result, o[1].result);
	if (o[0].r) {
		assert_int_equal(o[0].r, -EFAULT);
		assert_int_equal(o[0].fault.kind, o[1].fault.kind);
		assert_int_equal(o[0].fault.insn, o[1].fault.insn);
		assert_int_equal(o[0].fault.size, o[1].fault.size);
	}
	return o[0];
}

static inline struct outcome run_call(const char *text, const struct picket_call *call)
{
	return run_with_maps(text, call, NULL, 0);
}

static inline struct outcome run(const char *text)
{
	uint8_t data[64] = {0};

	return run_call(text, &(struct picket_call){.data = data, .length = sizeof(data)});
}

#define assert_result(got, value) \
	do { \
		struct outcome o_ = (got); \
		if (o_.r) \
			fail_msg("%s at %u", picket_fault_name(o_.fault.kind), o_.fault.insn); \
		assert_int_equal(o_.result, value); \
	} while (0)
#define assert_fault(got, kind_, insn_) \
	do { \
		struct outcome o_ = (got); \
		assert_int_equal(o_.r, -EFAULT); \
		assert_string_equal(picket_fault_name(o_.fault.kind), picket_fault_name(kind_)); \
		assert_int_equal(o_.fault.insn, insn_); \
	} while (0)

#endif
