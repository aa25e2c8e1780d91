/* SPDX-License-Identifier: Apache-2.0
 *
 * A kernel's types, as typed pointers need them: what lies where in a struct, what a hook is given. Which pointers inside of
 * trusted objects may be trusted is written in the kernel's own BTF: struct X__safe_trusted, X__safe_rcu and the same with
 * _or_null behind it hold the fields of X that are so.
 */
#ifndef PICKET_VERIFY_TYPES_INT_H
#define PICKET_VERIFY_TYPES_INT_H

#include "verify/verify_int.h"

/* btf: as /sys/kernel/btf/vmlinux has it, borrowed as long as ret_types is used, by one thread at a time.
 * They are read when they are first asked for; if they are damaged, or memory is short then, nothing is known of them.
 * ret_types: verify_types_free(). -EINVAL: does not begin as BTF; -ENOMEM. */
int verify_types_open(const void *btf, size_t length, struct verify_types **ret_types, struct picket_error *reterr)
        must_check;
void verify_types_free(struct verify_types *types); /* NULL is allowed */
/* What a program of this kind at that hook may return; false: not known, or anything. */
bool verify_types_returns(const struct verify_types *types, const struct verify_kind *kind, const char *hook,
                          int64_t *ret_min, int64_t *ret_max);

#endif
