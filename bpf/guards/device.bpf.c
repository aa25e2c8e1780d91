/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Guards of a control group's devices and of kernel settings that it writes.
 */
#include "guard.h"

SEC("cgroup/dev")
int guard_device(struct bpf_cgroup_dev_ctx *ctx)
{
	struct guard_attempt *a = guard_begin(GUARD_AT_DEVICE);
	__u32 access = ctx->access_type >> 16;
	__s64 kind = (ctx->access_type & 0xffff) == BPF_DEVCG_DEV_BLOCK ? 'b' : 'c';

	if (!a)
		return 1;
	guard_number(a, GUARD_READS, !!(access & BPF_DEVCG_ACC_READ));
	guard_number(a, GUARD_WRITES, !!(access & BPF_DEVCG_ACC_WRITE));
	guard_number(a, GUARD_DEVICE, GUARD_DEVICE_NUMBER(kind, ctx->major, ctx->minor));
	guard_number(a, GUARD_DEVICE_MAJOR, GUARD_DEVICE_NUMBER(kind, ctx->major, 0));
	guard_number(a, GUARD_DEVICE_KIND, GUARD_DEVICE_NUMBER(kind, 0, 0));
	return guard_answer(a);
}

#define SYSCTL_ROOT "/proc/sys/"
#define SYSCTL_NAME_MAX 256

static __always_inline void guard_setting(struct guard_attempt *a, struct bpf_sysctl *ctx)
{
	const __u32 prefix = sizeof(SYSCTL_ROOT) - 1;
	long length = bpf_sysctl_get_name(ctx, &a->walk.text[PATH_BEGIN + prefix], SYSCTL_NAME_MAX, 0);

	if (length <= 0 || length >= SYSCTL_NAME_MAX)
		return;
	__builtin_memcpy(&a->walk.text[PATH_BEGIN], SYSCTL_ROOT, prefix);
	guard_text(a, GUARD_PATH, PATH_BEGIN, prefix + length);
}

SEC("cgroup/sysctl")
int guard_sysctl(struct bpf_sysctl *ctx)
{
	struct guard_attempt *a = ctx->write ? guard_begin(GUARD_AT_SYSCTL_WRITE) : NULL;

	if (!a)
		return 1;
	if (guard_wants(a, GUARD_PATH))
		guard_setting(a, ctx);
	return guard_answer(a);
}
