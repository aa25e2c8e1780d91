/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/bpf.h>
#include <string.h>

#include "verify/table_int.h"

/* The words of proto.def: flags, */
enum {
	GPL = PROTO_GPL,
	SLEEPS = PROTO_SLEEPS,
	CHANGES = PROTO_CHANGES_PACKET,
	ACQUIRES = PROTO_ACQUIRES,
	NO_RETURN = PROTO_NO_RETURN,
	PACKET = PROTO_TAKES_PACKET,
	CASTS = PROTO_CASTS,
	RCU = KFUNC_RCU,
	RCU_ONLY = KFUNC_RCU_ONLY,
	RCU_BEGIN = KFUNC_RCU_BEGIN,
	RCU_END = KFUNC_RCU_END,
	PREEMPT_BEGIN = KFUNC_PREEMPT_BEGIN,
	PREEMPT_END = KFUNC_PREEMPT_END,
	ITER_NEW = KFUNC_ITER_NEW,
	ITER_NEXT = KFUNC_ITER_NEXT,
	ITER_DESTROY = KFUNC_ITER_DESTROY,
	READ_ONLY = KFUNC_READ_ONLY,
};

/* arguments, */
#define ARG_NONE .base = VERIFY_ARG_NONE
#define ARG_ANY .base = VERIFY_ARG_ANY
#define ARG_ANY_OR_UNSET .base = VERIFY_ARG_ANY, .flags = VERIFY_ARG_UNSET
#define ARG_CTX .base = VERIFY_ARG_CONTEXT
#define ARG_CTX_OR_NULL .base = VERIFY_ARG_CONTEXT, .flags = VERIFY_ARG_OR_NULL
#define ARG_MAP .base = VERIFY_ARG_MAP
#define ARG_KEY .base = VERIFY_ARG_KEY
#define ARG_VALUE .base = VERIFY_ARG_VALUE
#define ARG_VALUE_OR_NULL .base = VERIFY_ARG_VALUE, .flags = VERIFY_ARG_OR_NULL
#define ARG_VALUE_OUT .base = VERIFY_ARG_VALUE, .flags = VERIFY_ARG_OUT
#define ARG_MEM .base = VERIFY_ARG_MEMORY
#define ARG_MEM_OR_NULL .base = VERIFY_ARG_MEMORY, .flags = VERIFY_ARG_OR_NULL
#define ARG_MEM_OUT .base = VERIFY_ARG_MEMORY, .flags = VERIFY_ARG_OUT
#define ARG_MEM_OUT_OR_NULL .base = VERIFY_ARG_MEMORY, .flags = VERIFY_ARG_OUT | VERIFY_ARG_OR_NULL
#define ARG_MEM_IN_OUT .base = VERIFY_ARG_MEMORY, .flags = VERIFY_ARG_WRITE
#define ARG_FIXED(bytes) .base = VERIFY_ARG_FIXED, .size = (bytes)
#define ARG_FIXED_OUT(bytes) .base = VERIFY_ARG_FIXED, .flags = VERIFY_ARG_OUT, .size = (bytes)
#define ARG_FIXED_IN_OUT(bytes) .base = VERIFY_ARG_FIXED, .flags = VERIFY_ARG_WRITE, .size = (bytes)
#define ARG_SIZE .base = VERIFY_ARG_SIZE
#define ARG_SIZE_OR_ZERO .base = VERIFY_ARG_SIZE, .flags = VERIFY_ARG_ZERO
#define ARG_ALLOC_SIZE .base = VERIFY_ARG_ALLOC_SIZE
#define ARG_STRING .base = VERIFY_ARG_STRING
#define ARG_FUNCTION .base = VERIFY_ARG_FUNCTION
#define ARG_CALLBACK_CTX .base = VERIFY_ARG_CALLBACK_CONTEXT, .flags = VERIFY_ARG_OR_NULL
#define ARG_RECORD .base = VERIFY_ARG_RECORD, .flags = VERIFY_ARG_RELEASE
#define ARG_SPIN_LOCK .base = VERIFY_ARG_SPIN_LOCK
#define ARG_TIMER .base = VERIFY_ARG_TIMER
#define ARG_KPTR .base = VERIFY_ARG_KPTR
#define ARG_DYNPTR .base = VERIFY_ARG_DYNPTR
#define ARG_DYNPTR_OUT .base = VERIFY_ARG_DYNPTR, .flags = VERIFY_ARG_OUT
#define ARG_DYNPTR_RELEASE .base = VERIFY_ARG_DYNPTR, .flags = VERIFY_ARG_RELEASE
#define ARG_SOCKET_OR_NULL .base = VERIFY_ARG_SOCKET, .flags = VERIFY_ARG_OR_NULL
#define ARG_SOCK_COMMON .base = VERIFY_ARG_SOCK_COMMON
#define ARG_SOCK_COMMON_OR_NULL .base = VERIFY_ARG_SOCK_COMMON, .flags = VERIFY_ARG_OR_NULL
#define ARG_SOCK_COMMON_RELEASE .base = VERIFY_ARG_SOCK_COMMON, .flags = VERIFY_ARG_RELEASE
#define ARG_OBJECT(name) .base = VERIFY_ARG_OBJECT, .type = #name
#define ARG_OBJECT_OR_NULL(name) .base = VERIFY_ARG_OBJECT, .flags = VERIFY_ARG_OR_NULL, .type = #name
#define ARG_OBJECT_RELEASE_OR_NULL .base = VERIFY_ARG_OBJECT, .flags = VERIFY_ARG_RELEASE | VERIFY_ARG_OR_NULL
#define ARG_OBJECT_RELEASE(name) .base = VERIFY_ARG_OBJECT, .flags = VERIFY_ARG_RELEASE, .type = #name
#define ARG_ITERATOR(bytes) .base = VERIFY_ARG_ITERATOR, .size = (bytes)
#define ARG_ITERATOR_OUT(bytes) .base = VERIFY_ARG_ITERATOR, .flags = VERIFY_ARG_OUT, .size = (bytes)
#define ARG_ITERATOR_RELEASE(bytes) .base = VERIFY_ARG_ITERATOR, .flags = VERIFY_ARG_RELEASE, .size = (bytes)
#define ARG_TYPE .base = VERIFY_ARG_TYPE
#define ARG_WORKQUEUE .base = VERIFY_ARG_WORKQUEUE
#define ARG_LOCAL_RELEASE .base = VERIFY_ARG_LOCAL, .flags = VERIFY_ARG_RELEASE
#define ARG_PERCPU .base = VERIFY_ARG_PERCPU

/* and what comes back. An object without a type: of what the first argument names, a per-CPU variable or a kptr. */
#define SIZE_MAX_BYTES (1 << 29)
#define ERRNO_MAX 4095
#define RETURN_NUMBER .returns = VERIFY_RETURN_NUMBER
#define RETURN_LENGTH \
	.returns = VERIFY_RETURN_NUMBER, .return_flags = VERIFY_RETURN_LENGTH, .return_min = -ERRNO_MAX, \
	.return_max = SIZE_MAX_BYTES
#define RETURN_VOID .returns = VERIFY_RETURN_VOID
#define RETURN_VALUE .returns = VERIFY_RETURN_MAP_VALUE
#define RETURN_VALUE_OR_NULL .returns = VERIFY_RETURN_MAP_VALUE, .return_flags = VERIFY_RETURN_OR_NULL
#define RETURN_MEM_OR_NULL .returns = VERIFY_RETURN_MEMORY, .return_flags = VERIFY_RETURN_OR_NULL
#define RETURN_RECORD_OR_NULL .returns = VERIFY_RETURN_RECORD, .return_flags = VERIFY_RETURN_OR_NULL
#define RETURN_SOCKET_OR_NULL .returns = VERIFY_RETURN_SOCKET, .return_flags = VERIFY_RETURN_OR_NULL
#define RETURN_SOCK_COMMON_OR_NULL .returns = VERIFY_RETURN_SOCK_COMMON, .return_flags = VERIFY_RETURN_OR_NULL
#define RETURN_TCP_SOCK_OR_NULL .returns = VERIFY_RETURN_TCP_SOCK, .return_flags = VERIFY_RETURN_OR_NULL
#define RETURN_PERCPU .returns = VERIFY_RETURN_OBJECT
#define RETURN_PERCPU_OR_NULL .returns = VERIFY_RETURN_OBJECT, .return_flags = VERIFY_RETURN_OR_NULL
#define RETURN_KPTR_OR_NULL \
	.returns = VERIFY_RETURN_OBJECT, .return_flags = VERIFY_RETURN_OR_NULL | VERIFY_RETURN_TRUSTED
#define RETURN_OBJECT(name) .returns = VERIFY_RETURN_OBJECT, .return_type = #name
#define RETURN_OBJECT_OR_NULL(name) RETURN_OBJECT(name), .return_flags = VERIFY_RETURN_OR_NULL
#define RETURN_TRUSTED(name) RETURN_OBJECT(name), .return_flags = VERIFY_RETURN_TRUSTED
#define RETURN_TRUSTED_OR_NULL(name) RETURN_OBJECT(name), .return_flags = VERIFY_RETURN_TRUSTED | VERIFY_RETURN_OR_NULL
#define RETURN_FIXED(bytes) .returns = VERIFY_RETURN_MEMORY, .return_size = (bytes)
#define RETURN_FIXED_OR_NULL(bytes) RETURN_FIXED(bytes), .return_flags = VERIFY_RETURN_OR_NULL
#define RETURN_LOCAL_OR_NULL \
	.returns = VERIFY_RETURN_LOCAL, .return_flags = VERIFY_RETURN_OR_NULL | VERIFY_RETURN_TRUSTED
#define RETURN_CAST .returns = VERIFY_RETURN_CAST
#define RETURN_KERNEL_CTX .returns = VERIFY_RETURN_KERNEL_CTX, .return_flags = VERIFY_RETURN_TRUSTED

/* Sets of kinds, and of types of maps; a few of these are younger than the headers that this may be built with. */
#define K(kind) (1ull << PICKET_KIND_##kind)
_Static_assert(PICKET_KINDS <= 64, "a set of kinds has 64 bits");
__extension__ enum kind_set {
#define KINDS(name, ...) name = (__VA_ARGS__),
#include "verify/proto.def"
};

#define BPF_MAP_TYPE_CGRP_STORAGE 32
#define M(type) BPF_MAP_TYPE_##type
#define MAPS(name, ...) static const uint8_t maps_##name[] = {__VA_ARGS__, 0};
#include "verify/proto.def"
#define maps_ANY NULL

static const struct row {
	struct verify_proto proto;
	uint64_t kinds;
} rows[] = {
#define PROTO(number, text, result, a, b, c, d, e, bits, types, who) \
	{{.id = (number), \
	  .name = #text, \
	  RETURN_##result, \
	  .args = {{ARG_##a}, {ARG_##b}, {ARG_##c}, {ARG_##d}, {ARG_##e}}, \
	  .flags = (bits), \
	  .maps = maps_##types}, \
	 (who)},
#include "verify/proto.def"
};

static const struct row kfuncs[] = {
#define KFUNC(text, result, a, b, c, d, e, bits, who) \
	{{.name = "bpf_" #text, \
	  RETURN_##result, \
	  .args = {{ARG_##a}, {ARG_##b}, {ARG_##c}, {ARG_##d}, {ARG_##e}}, \
	  .flags = (bits)}, \
	 (who)},
#include "verify/kfunc.def"
};

/* What the sandbox itself has. */
static const bool sandbox[] = {
#define HELPER(id, ...) [id] = true,
#include "vm/helper.def"
};

/* Of those what a rule may call: it changes nothing. */
static const uint32_t pure[] = {BPF_FUNC_map_lookup_elem, BPF_FUNC_loop};

static bool is_pure(uint32_t id)
{
	for (size_t i = 0; i < ARRAY_SIZE(pure); i++)
		if (pure[i] == id)
			return true;
	return false;
}

/* The first row with that number, or where it would be: rows are in the order of their numbers. */
static size_t row_first(uint32_t id)
{
	size_t low = 0, high = ARRAY_SIZE(rows);

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (rows[middle].proto.id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct verify_proto *verify_proto_find(const struct verify_kind *kind, uint32_t id, bool *ret_allowed)
{
	size_t first = row_first(id);

	if (first == ARRAY_SIZE(rows) || rows[first].proto.id != id)
		return NULL;
	if (kind->id == PICKET_KIND_MEMORY) {
		*ret_allowed = id < ARRAY_SIZE(sandbox) && sandbox[id];
		return &rows[first].proto;
	}
	if (kind->id == PICKET_KIND_RULE) {
		*ret_allowed = is_pure(id);
		return &rows[first].proto;
	}
	for (size_t i = first; i < ARRAY_SIZE(rows) && rows[i].proto.id == id; i++) {
		if (rows[i].kinds >> kind->id & 1) {
			*ret_allowed = true;
			return &rows[i].proto;
		}
	}
	*ret_allowed = false;
	return &rows[first].proto;
}

uint32_t verify_kfunc_iterator(const struct verify_proto *p)
{
	const size_t length = (size_t)(strrchr(p->name, '_') - p->name);

	for (size_t i = 0; i < ARRAY_SIZE(kfuncs); i++)
		if (kfuncs[i].proto.flags & KFUNC_ITER_NEW && !strncmp(kfuncs[i].proto.name, p->name, length + 1))
			return (uint32_t)i + 1;
	return 0;
}

const struct verify_proto *verify_kfunc_find(const struct verify_kind *kind, const char *name, bool *ret_allowed)
{
	const struct verify_proto *found = NULL;
	bool allowed = false;

	for (size_t i = 0; i < ARRAY_SIZE(kfuncs) && !allowed; i++) {
		if (strcmp(kfuncs[i].proto.name, name) != 0)
			continue;
		found = &kfuncs[i].proto;
		allowed = kfuncs[i].kinds >> kind->id & 1;
	}
	if (found)
		*ret_allowed = allowed;
	return found;
}
