/* SPDX-License-Identifier: Apache-2.0 */
/* expect: stack-depth */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

int total;

static __attribute__((noinline)) int check(const char *outer)
{
	char inner[300] = {};

	bpf_probe_read_kernel(inner, sizeof(inner), outer);
	return inner[7];
}

SEC("kprobe/do_unlinkat")
int on_unlink(void *ctx)
{
	char outer[300] = {};

	bpf_get_current_comm(outer, sizeof(outer));
	total += check(outer);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
