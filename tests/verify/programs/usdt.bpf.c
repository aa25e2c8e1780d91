/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Static probes of user programs: libbpf's own code reads their arguments.
 */
#include <linux/ptrace.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/usdt.bpf.h>
#include "judge.h"

char program_license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u64);
} begun SEC(".maps");

SEC("usdt//usr/sbin/mysqld:mysql:query__start")
int BPF_USDT(query_start, char *query, long id)
{
	__u64 key = id, now = bpf_ktime_get_ns();
	char text[64];

	bpf_probe_read_user_str(text, sizeof(text), query);
	if (text[0] == 'S' || text[0] == 's')
		bpf_map_update_elem(&begun, &key, &now, BPF_ANY);
	return 0;
}

SEC("usdt//usr/sbin/mysqld:mysql:query__done")
int BPF_USDT(query_done, long status)
{
	__u64 key = bpf_usdt_cookie(ctx), *since = bpf_map_lookup_elem(&begun, &key);

	if (since && bpf_usdt_arg_cnt(ctx) == 1)
		bpf_printk("%d %llu %d", (int)status, bpf_ktime_get_ns() - *since, 0);
	return 0;
}
