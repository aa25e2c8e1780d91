/* SPDX-License-Identifier: Apache-2.0
 *
 * Policies compiled for the kernel: what schema/guard.h says of them.
 */
#ifndef PICKET_GUARD_TABLE_H
#define PICKET_GUARD_TABLE_H

#include "guard/policy.h"
#include "loader/guards.h"

struct guard_table_options {
	const char *cgroup; /* policies act only in this cgroup v2 directory and below; NULL: as they say */
	bool trial;         /* nothing persists */
	const char *root;   /* where cgroup2 is mounted; NULL: looked up */
	/* The caller judges events, acts on what has happened and raises alerts, and feeds the scopes that it must look up. */
	bool judged;
};

struct guard_table;
/* Of the policies that act, those whose way on this kernel has a guard. One that asks for what no guard can do yet is told
 * of in diags, and so is one that does not fit.
 * Returns 0; -EINVAL: told; -ENOMEM. ret_table: guard_table_free(). */
int guard_table_new(const struct policy_set *set, const struct policy_kernel *kernel,
                    const struct guard_table_options *options, struct diag_list *reterr_diags,
                    struct guard_table **ret_table) must_check;
void guard_table_free(struct guard_table *t);                                         /* NULL is allowed */
const struct guard_image *guard_table_image(const struct guard_table *t);             /* borrowed */
const struct policy *guard_table_policy(const struct guard_table *t, uint32_t index); /* NULL: no such index */
/* Bits of enum policy_point: where the policy is the caller's to carry out. */
uint32_t guard_table_reacts(const struct guard_table *t, uint32_t index);
#define GUARD_PROTECTED_MAX 64
/* The protected programs that are on this host now, and this process's own, also where its file was replaced: packages
 * replace them. Returns how many. */
/* What an operator names: the path of a program, or of a control group (with those below it), or a unit that runs.
 * Returns 0; -ENOENT, -errno: there is none now. */
int guard_protect_named(const char *name, struct guard_protected_key *ret_key) must_check;
size_t guard_protected(struct guard_protected_key ret_keys[GUARD_PROTECTED_MAX]);
/* Tests that guards have decided before, by number of their bit: origins of filter_test. Borrowed; they live as the policies. */
const struct cond_test *const *guard_table_bits(const struct guard_table *t, size_t *ret_count);
bool guard_cgroup_root(char *ret_path, size_t size); /* where cgroup2 is mounted; false: nowhere */

#endif
