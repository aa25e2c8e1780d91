/* SPDX-License-Identifier: Apache-2.0 */
/* expect: return-value */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("cgroup/sock_create")
int allow(struct bpf_sock *sk)
{
	if (sk->family == 10)
		return -1; /* no IPv6 */
	return 1;
}

char LICENSE[] SEC("license") = "GPL";
