/* SPDX-License-Identifier: Apache-2.0
 *
 * Machines without a just-in-time compiler of their own.
 */
#if !defined(__x86_64__) && !defined(__aarch64__)
#include <errno.h>
#include "vm/vm_int.h"

int vm_jit_compile(struct picket_program *p, const struct vm_ops *ops)
{
	(void)p;
	(void)ops;
	return -EOPNOTSUPP;
}

uint64_t vm_jit_callback(struct picket_run *run, uint32_t function, const uint64_t args[5])
{
	(void)args;
	vm_fault(run, PICKET_FAULT_CALL, vm_function_value(function), 0);
	return 0;
}
#endif
