/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the room: policies while they are compiled for the kernel.
 */
#ifndef PICKET_GUARD_TABLE_INT_H
#define PICKET_GUARD_TABLE_INT_H

#include "guard/policy_int.h"
#include "guard/table.h"

struct guard_table {
	struct guard_image image;
	const struct policy *sources[GUARD_POLICIES_MAX];
	struct guard_policy policies[GUARD_POLICIES_MAX];
	uint32_t modes[GUARD_POLICIES_MAX];
	uint32_t reacts[GUARD_POLICIES_MAX];
	const struct cond_test *bits[GUARD_BITS];
	size_t bit_count;
	struct guard_test tests[GUARD_TESTS_MAX];
	struct guard_text_key texts[GUARD_TEXTS_MAX];
	struct guard_number_key numbers[GUARD_NUMBERS_MAX];
	struct guard_net_key nets[GUARD_NETS_MAX];
	struct guard_protected_key protected[GUARD_PROTECTED_MAX];
	const char *executables[GUARD_EXECUTABLES_MAX]; /* the policies' */
};

struct table_maker {
	struct guard_table *table;
	const struct policy_kernel *kernel;
	const struct guard_table_options *options;
	const char *root;
	struct guard_cgroup within; /* of options->cgroup; id 0: none */
	struct diag_list *diags;
	const struct policy *policy;       /* being compiled */
	struct guard_point_policies *list; /* of the point that it is compiled for */
	struct arena scratch;              /* of its steps */
	bool failed;
	int error;
};
/* A message about the policy being compiled. */
struct diag *table_error(struct table_maker *m, const char *format, ...) printf_like(2, 3);

/* ---- table_test.c ---- */

/* One test of a formula at a point. ret_test: its index. ret_negated: it is the test's opposite. False: told. */
bool table_test(struct table_maker *m, enum policy_point point, const struct filter_test *from, uint32_t *ret_test,
                bool *ret_negated);
/* The policy's devices that a subject tells: exact ones, those of a major number, those of a kind. ret_any: there are any,
 * and ret_test is their test. False: told. */
bool table_devices(struct table_maker *m, enum guard_subject subject, uint32_t *ret_test, bool *ret_any);

/* ---- table_scope.c ---- */
/* index: of the policy. */
bool table_scope(struct table_maker *m, uint32_t index, struct guard_scope *ret_scope);
bool table_within(struct table_maker *m); /* looks up options->cgroup and the root */

#endif
