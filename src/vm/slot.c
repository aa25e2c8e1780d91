/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/vm_int.h"

#include <errno.h>
#include <stdlib.h>

struct picket_slot {
	struct picket_program *program; /* owned, or NULL */
};

int picket_slot_new(struct picket_slot **ret_slot)
{
	struct picket_slot *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	*ret_slot = s;
	return 0;
}

void picket_slot_free(struct picket_slot *s)
{
	if (!s)
		return;
	picket_program_free(s->program);
	free(s);
}

void picket_slot_replace(struct picket_slot *s, struct picket_program *p)
{
	struct picket_program *old = __atomic_exchange_n(&s->program, p, __ATOMIC_ACQ_REL);

	if (!old || old == p)
		return;
	vm_epoch_wait();
	picket_program_free(old);
}

int picket_slot_run(struct picket_slot *s, struct picket_call *call)
{
	int r = -ENOENT;

	vm_epoch_enter();
	const struct picket_program *p = __atomic_load_n(&s->program, __ATOMIC_ACQUIRE);
	if (p)
		r = picket_program_run(p, call);
	vm_epoch_leave();
	return r;
}
