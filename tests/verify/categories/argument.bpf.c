/* SPDX-License-Identifier: Apache-2.0 */
/* expect: argument */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char path[256];

struct arguments {
	__u64 header;
	__s32 number, unused;
	const char *path;
	__s64 length;
};

SEC("tracepoint/syscalls/sys_enter_truncate")
int on_truncate(struct arguments *ctx)
{
	bpf_probe_read_user(path, ctx->length, ctx->path);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
