/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tables say beyond kinds and helpers (verify_int.h): sections, what sockets look like, the kernel's functions.
 */
#ifndef PICKET_VERIFY_TABLE_INT_H
#define PICKET_VERIFY_TABLE_INT_H

#include "verify/verify_int.h"

/* More of struct verify_proto's flags: its memory arguments may be in the packet; of all others they may not. */
#define PROTO_TAKES_PACKET 0x100
#define PROTO_CASTS 0x200 /* what it returns is the same socket, seen otherwise: gone with it */
/* Of its return_flags: the number is at most the size that was given; or a negative error. */
#define VERIFY_RETURN_LENGTH 0x80

/* ---- functions of the kernel, called by name ---- */
/* More of enum verify_arg_base. */
#define VERIFY_ARG_ITERATOR \
	64                  /* `size` bytes of stack; VERIFY_ARG_OUT: to be initialised, VERIFY_ARG_RELEASE: no more */
#define VERIFY_ARG_TYPE 65  /* a constant: a type's number */
#define VERIFY_ARG_LOCAL 66 /* an object that the program allocated */
#define VERIFY_ARG_WORKQUEUE 67

/* More of enum verify_return_base: objects whose type another argument names. */
#define VERIFY_RETURN_LOCAL 64      /* allocated, of the program's own type */
#define VERIFY_RETURN_CAST 65       /* of the kernel's type, not trusted */
#define VERIFY_RETURN_KERNEL_CTX 66 /* what the kernel has behind the context (struct sk_buff, xdp_buff ...), trusted */

/* More of struct verify_proto's flags. Objects that it takes must be trusted; KFUNC_RCU: or of RCU, within its read side. */
#define KFUNC_RCU 0x1000
#define KFUNC_RCU_ONLY 0x2000 /* only within RCU's read side */
#define KFUNC_RCU_BEGIN 0x4000
#define KFUNC_RCU_END 0x8000
#define KFUNC_PREEMPT_BEGIN 0x10000
#define KFUNC_PREEMPT_END 0x20000
#define KFUNC_ITER_NEW 0x40000
#define KFUNC_ITER_NEXT 0x80000
#define KFUNC_ITER_DESTROY 0x100000
#define KFUNC_READ_ONLY 0x200000 /* what it returns may not be written */
/* Which iterator one of its three functions is for: the same number for all of them. */
uint32_t verify_kfunc_iterator(const struct verify_proto *p);
/* name: "bpf_rcu_read_lock". id of what comes back is 0. NULL: not known. ret_allowed: for programs of this kind. Static. */
const struct verify_proto *verify_kfunc_find(const struct verify_kind *kind, const char *name, bool *ret_allowed);

/* ---- sections ---- */
/* By a section's name, as libbpf takes it: may the program sleep ("fentry.s/...")? False: not, or unknown. */
bool verify_section_sleeps(const char *section);

/* What programs of that section may return, where it is less than their kind may; else nothing is written. */
void verify_section_returns(const char *section, int64_t *ret_min, int64_t *ret_max);

/* ---- what may be read through a pointer to a socket ---- */
enum verify_layout_id { VERIFY_LAYOUT_SOCKET, VERIFY_LAYOUT_SOCK_COMMON, VERIFY_LAYOUT_TCP_SOCK };
struct verify_layout {
	const struct verify_field *fields; /* in the order of their offsets */
	size_t field_count;
	uint32_t bytes;
};
/* Static. */
struct verify_layout verify_layout_find(enum verify_layout_id id);

#endif
