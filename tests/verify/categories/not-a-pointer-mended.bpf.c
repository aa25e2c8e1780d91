/* SPDX-License-Identifier: Apache-2.0 */
/* expect: accepted */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

unsigned long flags;

SEC("kprobe/do_unlinkat")
int on_unlink(void *ctx)
{
	unsigned long *task = (void *)bpf_get_current_task(); /* begins with the thread's flags */

	bpf_probe_read_kernel(&flags, sizeof(flags), task);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
