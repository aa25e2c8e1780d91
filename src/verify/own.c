/* SPDX-License-Identifier: Apache-2.0
 *
 * Helpers that an embedder brings along: what the sandbox says of them, in the words of the kernel's (proto.def).
 */
#include <errno.h>
#include <stdlib.h>
#include "verify/table_int.h"

static const struct verify_arg args[] = {
        [PICKET_ARG_NONE] = {.base = VERIFY_ARG_NONE},
        [PICKET_ARG_ANY] = {.base = VERIFY_ARG_ANY},
        [PICKET_ARG_CTX] = {.base = VERIFY_ARG_CONTEXT},
        [PICKET_ARG_MAP] = {.base = VERIFY_ARG_MAP},
        [PICKET_ARG_MAP_KEY] = {.base = VERIFY_ARG_KEY},
        [PICKET_ARG_MAP_VALUE] = {.base = VERIFY_ARG_VALUE},
        [PICKET_ARG_MAP_VALUE_OUT] = {.base = VERIFY_ARG_VALUE, .flags = VERIFY_ARG_OUT},
        [PICKET_ARG_MEM] = {.base = VERIFY_ARG_MEMORY},
        [PICKET_ARG_MEM_OR_NULL] = {.base = VERIFY_ARG_MEMORY, .flags = VERIFY_ARG_OR_NULL},
        [PICKET_ARG_MEM_OUT] = {.base = VERIFY_ARG_MEMORY, .flags = VERIFY_ARG_OUT},
        [PICKET_ARG_MEM_OUT_OR_NULL] = {.base = VERIFY_ARG_MEMORY, .flags = VERIFY_ARG_OUT | VERIFY_ARG_OR_NULL},
        [PICKET_ARG_SIZE] = {.base = VERIFY_ARG_SIZE},
        [PICKET_ARG_SIZE_OR_ZERO] = {.base = VERIFY_ARG_SIZE, .flags = VERIFY_ARG_ZERO},
        [PICKET_ARG_LONG_OUT] = {.base = VERIFY_ARG_FIXED, .flags = VERIFY_ARG_OUT, .size = sizeof(uint64_t)},
        [PICKET_ARG_CONST_STR] = {.base = VERIFY_ARG_STRING},
        [PICKET_ARG_FUNCTION] = {.base = VERIFY_ARG_FUNCTION},
        [PICKET_ARG_CALLBACK_CTX] = {.base = VERIFY_ARG_CALLBACK_CONTEXT, .flags = VERIFY_ARG_OR_NULL},
        [PICKET_ARG_RING_RECORD] = {.base = VERIFY_ARG_RECORD},
        [PICKET_ARG_DYNPTR] = {.base = VERIFY_ARG_DYNPTR},
        [PICKET_ARG_DYNPTR_OUT] = {.base = VERIFY_ARG_DYNPTR, .flags = VERIFY_ARG_OUT},
        [PICKET_ARG_ALLOC_SIZE] = {.base = VERIFY_ARG_ALLOC_SIZE},
        [PICKET_ARG_SPIN_LOCK] = {.base = VERIFY_ARG_SPIN_LOCK},
};

static const struct {
	uint8_t base, flags;
	uint32_t proto; /* PROTO_* */
} returns[] = {
        [PICKET_RETURN_NUMBER] = {VERIFY_RETURN_NUMBER, 0, 0},
        [PICKET_RETURN_VOID] = {VERIFY_RETURN_VOID, 0, 0},
        [PICKET_RETURN_MAP_VALUE_OR_NULL] = {VERIFY_RETURN_MAP_VALUE, VERIFY_RETURN_OR_NULL, 0},
        [PICKET_RETURN_MEM_OR_NULL] = {VERIFY_RETURN_MEMORY, VERIFY_RETURN_OR_NULL, 0},
        [PICKET_RETURN_RING_RECORD_OR_NULL] = {VERIFY_RETURN_RECORD, VERIFY_RETURN_OR_NULL, PROTO_ACQUIRES},
};

/* Memory needs a size behind it, a key or value a map before it. */
static bool arguments_fit(const struct verify_proto *p)
{
	bool map = false;

	for (unsigned i = 0; i < ARRAY_SIZE(p->args) && p->args[i].base != VERIFY_ARG_NONE; i++) {
		const uint8_t base = p->args[i].base;
		if ((base == VERIFY_ARG_KEY || base == VERIFY_ARG_VALUE) && !map)
			return false;
		if (base == VERIFY_ARG_MEMORY &&
		    (i + 1 == ARRAY_SIZE(p->args) || p->args[i + 1].base != VERIFY_ARG_SIZE))
			return false;
		map |= base == VERIFY_ARG_MAP;
	}
	return p->returns != VERIFY_RETURN_MAP_VALUE || map;
}

static bool convert(const struct picket_helper *helper, struct verify_proto *ret_proto)
{
	struct verify_proto p = {.id = helper->id, .name = helper->name ? helper->name : "a helper of the embedder"};

	if ((size_t)helper->returns >= ARRAY_SIZE(returns))
		return false;
	p.returns = returns[helper->returns].base;
	p.return_flags = returns[helper->returns].flags;
	p.flags = returns[helper->returns].proto;
	for (unsigned i = 0; i < ARRAY_SIZE(p.args); i++) {
		if ((size_t)helper->args[i] >= ARRAY_SIZE(args))
			return false;
		p.args[i] = args[helper->args[i]];
	}
	if (!arguments_fit(&p))
		return false;
	*ret_proto = p;
	return true;
}

int verify_own_open(struct verify *v)
{
	const size_t count = v->options.helper_count;

	if (!count)
		return 0;
	if (count > PICKET_HELPERS_MAX)
		return verify_reject(v, PICKET_REJECT_HELPER, NULL, "bring fewer",
		                     "more than %d helpers of the embedder", PICKET_HELPERS_MAX);
	v->own = calloc(count, sizeof(*v->own));
	if (!v->own)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct picket_helper *helper = &v->options.helpers[i];
		if (helper->id < PICKET_HELPER_OWN || !convert(helper, &v->own[i]))
			return verify_reject(v, PICKET_REJECT_HELPER, NULL, "correct what the embedder says of it",
			                     "helper %u of the embedder's own is not described as helpers are",
			                     helper->id);
	}
	return 0;
}

const struct verify_proto *verify_own_find(const struct verify *v, uint32_t id)
{
	for (size_t i = 0; i < v->options.helper_count; i++)
		if (v->own[i].id == id)
			return &v->own[i];
	return NULL;
}
