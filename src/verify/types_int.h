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
void verify_types_free(struct verify_types *types);               /* NULL is allowed */
struct verify_types *verify_types_of(struct picket_types *types); /* borrowed */
/* Is there, offset bytes into an object of that type, an object of the wanted one: itself, or in it? */
bool verify_types_holds(const struct verify_types *types, uint32_t type, int64_t offset, uint32_t wanted);
/* Has the kernel a function of that name? ret_known: false: nothing is known of it, or of anything. */
bool verify_types_function(const struct verify_types *types, const char *name, bool *ret_known);
/* A variable of the kernel. false: there is none of that name, or nothing is known. */
struct verify_type_variable {
	uint32_t object; /* its type, if it is an object; else 0 */
	uint32_t bytes;  /* 0: not known */
	bool percpu;
};
bool verify_types_variable(const struct verify_types *types, const char *name,
                           struct verify_type_variable *ret_variable);
/* Are the arguments known that a program of this kind gets at that hook? */
bool verify_types_has_hook(const struct verify_types *types, const struct verify_kind *kind, const char *hook);
/* Does it return nothing there? false: it does, or it is not known. */
bool verify_types_returns_nothing(const struct verify_types *types, const struct verify_kind *kind, const char *hook);
/* What a program of this kind at that hook may return; false: not known, or anything. */
bool verify_types_returns(const struct verify_types *types, const struct verify_kind *kind, const char *hook,
                          int64_t *ret_min, int64_t *ret_max);
uint32_t verify_types_bytes(const struct verify_types *types, uint32_t type); /* 0: not known */

/* ---- what a map's value holds besides numbers: value_type.c ---- */
enum verify_special_kind {
	SPECIAL_SPIN_LOCK,
	SPECIAL_RES_SPIN_LOCK,
	SPECIAL_TIMER,
	SPECIAL_WORKQUEUE,
	SPECIAL_TASK_WORK,
	SPECIAL_KPTR, /* owns what it points to */
	SPECIAL_KPTR_UNTRUSTED,
	SPECIAL_KPTR_PERCPU,
	SPECIAL_UPTR,
	SPECIAL_LIST_HEAD,
	SPECIAL_LIST_NODE,
	SPECIAL_RB_ROOT,
	SPECIAL_RB_NODE,
	SPECIAL_REFCOUNT,
};
struct verify_special {
	enum verify_special_kind kind;
	uint32_t offset, size;
	const char *type; /* of what a pointer leads to: its name, and its number in the object's own types */
	uint32_t local;
};
/* Of a map, as VALUE_MAP's object has it. None is known of maps without an object's types. ret_specials: v's, as long as it
 * is. 0; -EINVAL after a rejection; -ENOMEM. */
int verify_specials_find(struct verify *v, uint32_t object, const struct verify_special **ret_specials,
                         size_t *ret_count) must_check;
void verify_specials_free(struct verify *v);

#endif
