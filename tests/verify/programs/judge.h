/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * What a program tells its judges (tests/verify/compare.c), as a BTF tag on its function.
 */
#ifndef PROGRAMS_JUDGE_H
#define PROGRAMS_JUDGE_H

/* It has one mistake, and is to be rejected for it: a category of include/picket/verify_category.h. */
#define BROKEN(category) __attribute__((btf_decl_tag("expect:" category)))
/* It is right, but some kernels do not take it, and why that is so. */
#define KERNEL_MAY_REJECT(why) __attribute__((btf_decl_tag("kernel:" why)))

#endif
