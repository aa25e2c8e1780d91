/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Functions of newer kernels that programs call by name: dynptrs over packets, slices, CPU sets, open-coded iterators over
 * tasks and bits.
 */
#include "net.h"
#include <bpf/bpf_tracing.h>

#define WEAK __ksym __weak
extern int bpf_dynptr_from_skb(struct __sk_buff *skb, __u64 flags, struct bpf_dynptr *d) __ksym;
extern int bpf_dynptr_from_xdp(struct xdp_md *xdp, __u64 flags, struct bpf_dynptr *d) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *d, __u32 offset, void *buffer, __u32 size) __ksym;
extern void *bpf_dynptr_slice_rdwr(const struct bpf_dynptr *d, __u32 offset, void *buffer, __u32 size) __ksym;
extern __u32 bpf_dynptr_size(const struct bpf_dynptr *d) __ksym;
extern int bpf_dynptr_adjust(const struct bpf_dynptr *d, __u32 start, __u32 end) __ksym;

SEC("tc")
int slice_of_skb(struct __sk_buff *skb)
{
	struct bpf_dynptr d;
	struct iphdr buffer, *ip;

	if (bpf_dynptr_from_skb(skb, 0, &d))
		return TC_ACT_SHOT;
	ip = bpf_dynptr_slice(&d, ETH_HLEN, &buffer, sizeof(buffer));
	if (!ip)
		return TC_ACT_SHOT;
	return ip->ttl < 3 ? TC_ACT_SHOT : TC_ACT_OK;
}

SEC("xdp")
int slice_to_write(struct xdp_md *ctx)
{
	struct bpf_dynptr d;
	struct ethhdr buffer, *eth;
	__u8 mac[ETH_ALEN];

	if (bpf_dynptr_from_xdp(ctx, 0, &d))
		return XDP_DROP;
	eth = bpf_dynptr_slice_rdwr(&d, 0, &buffer, sizeof(buffer));
	if (!eth)
		return XDP_DROP;
	__builtin_memcpy(mac, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, mac, ETH_ALEN);
	if (eth == &buffer)
		bpf_dynptr_write(&d, 0, eth, sizeof(*eth), 0);
	return XDP_TX;
}

SEC("tc")
int options_by_dynptr(struct __sk_buff *skb)
{
	struct bpf_dynptr d;
	__u32 at = ETH_HLEN + 40;
	__u8 option[2];

	if (bpf_dynptr_from_skb(skb, 0, &d))
		return TC_ACT_SHOT;
	for (int i = 0; i < 10; i++) {
		if (bpf_dynptr_read(option, sizeof(option), &d, at, 0) || !option[0])
			break;
		if (option[0] == 1) {
			at++;
			continue;
		}
		if (option[0] == 2) {
			__be16 mss;
			if (bpf_dynptr_read(&mss, sizeof(mss), &d, at + 2, 0))
				return TC_ACT_SHOT;
			return bpf_ntohs(mss) < 536 ? TC_ACT_SHOT : TC_ACT_OK;
		}
		if (option[1] < 2)
			return TC_ACT_SHOT;
		at += option[1];
	}
	return TC_ACT_OK;
}

SEC("tc")
int adjusted(struct __sk_buff *skb)
{
	struct bpf_dynptr d;
	__u8 first = 0;

	if (bpf_dynptr_from_skb(skb, 0, &d) || bpf_dynptr_size(&d) < 60)
		return TC_ACT_SHOT;
	if (bpf_dynptr_adjust(&d, 54, 60))
		return TC_ACT_SHOT;
	bpf_dynptr_read(&first, 1, &d, 0, 0);
	return first ? TC_ACT_OK : TC_ACT_SHOT;
}

/* ---- typed ---- */
struct task_struct {
	int pid, tgid;
} __attribute__((preserve_access_index));
struct cpumask {
	unsigned long bits[1];
} __attribute__((preserve_access_index));
struct bpf_cpumask {
	struct cpumask cpumask;
} __attribute__((preserve_access_index));
extern struct bpf_cpumask *bpf_cpumask_create(void) __ksym;
extern void bpf_cpumask_release(struct bpf_cpumask *mask) __ksym;
extern void bpf_cpumask_set_cpu(__u32 cpu, struct bpf_cpumask *mask) __ksym;
extern __u32 bpf_cpumask_first(const struct cpumask *mask) __ksym;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;
__u32 last;

SEC("tp_btf/sched_process_exec")
int BPF_PROG(cpu_set, struct task_struct *task)
{
	struct bpf_cpumask *mask = bpf_cpumask_create();

	if (!mask)
		return 0;
	bpf_cpumask_set_cpu(bpf_get_smp_processor_id(), mask);
	last = bpf_cpumask_first(&mask->cpumask);
	bpf_cpumask_release(mask);
	return 0;
}

struct iter_task {
	__u64 opaque[3];
} __attribute__((aligned(8)));
extern int bpf_iter_task_new(struct iter_task *it, struct task_struct *task, unsigned int flags) __ksym;
extern struct task_struct *bpf_iter_task_next(struct iter_task *it) __ksym;
extern void bpf_iter_task_destroy(struct iter_task *it) __ksym;

SEC("tp_btf/sched_process_exec")
int BPF_PROG(all_tasks, struct task_struct *task)
{
	struct iter_task it;
	struct task_struct *t;
	__u32 n = 0;

	bpf_rcu_read_lock();
	bpf_iter_task_new(&it, NULL, 0);
	while ((t = bpf_iter_task_next(&it)))
		n += t->tgid != t->pid;
	bpf_iter_task_destroy(&it);
	bpf_rcu_read_unlock();
	last = n;
	return 0;
}

/* ---- kernel symbols ---- */
extern const int nr_cpu_ids_missing WEAK;
extern const void init_task WEAK;

SEC("raw_tp/sys_enter")
int symbols(void *ctx)
{
	if (&nr_cpu_ids_missing)
		return 1;
	last = (__u64)&init_task >> 12;
	return 0;
}
