/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Iterators: over the kernel's objects (SEC iter), and open-coded ones within a program.
 */
#include "trace.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};
struct vm_area_struct {
	unsigned long vm_start, vm_end, vm_flags, vm_pgoff;
	struct file *vm_file;
};
struct bpf_iter__task_vma {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	struct vm_area_struct *vma;
};
struct bpf_map {
	__u32 id, key_size, value_size, max_entries;
	char name[16];
};
struct bpf_iter__bpf_map {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
};
struct bpf_prog_aux {
	__u32 id;
	char name[16];
};
struct bpf_prog {
	__u32 len;
	struct bpf_prog_aux *aux;
};
struct bpf_iter__bpf_prog {
	struct bpf_iter_meta *meta;
	struct bpf_prog *prog;
};
struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	void *key, *value;
};
struct bpf_iter__tcp {
	struct bpf_iter_meta *meta;
	struct sock_common *sk_common;
	unsigned int uid;
};
struct udp_sock;
struct bpf_iter__udp {
	struct bpf_iter_meta *meta;
	struct udp_sock *udp_sk;
	unsigned int uid;
	int bucket;
};
struct bpf_iter__cgroup {
	struct bpf_iter_meta *meta;
	struct cgroup *cgroup;
};
struct bpf_iter__unix {
	struct bpf_iter_meta *meta;
	struct unix_sock *unix_sk;
	unsigned int uid;
};
#pragma clang attribute pop

SEC("iter/task")
int dump_tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (!task)
		return 0;
	BPF_SEQ_PRINTF(ctx->meta->seq, "%d %d %s\n", task->tgid, task->pid, task->comm);
	return 0;
}

SEC("iter/task_file")
int dump_files(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;

	if (!task || !file || task->tgid != task->pid)
		return 0;
	BPF_SEQ_PRINTF(ctx->meta->seq, "%d %u %u\n", task->tgid, ctx->fd, file->f_mode);
	return 0;
}

SEC("iter/task_vma")
int dump_mappings(struct bpf_iter__task_vma *ctx)
{
	struct vm_area_struct *vma = ctx->vma;
	char path[64];

	if (!vma || !ctx->task)
		return 0;
	BPF_SEQ_PRINTF(ctx->meta->seq, "%lx-%lx %c", vma->vm_start, vma->vm_end, vma->vm_flags & 4 ? 'x' : '-');
	if (vma->vm_file && bpf_d_path(&vma->vm_file->f_path, path, sizeof(path)) > 0)
		BPF_SEQ_PRINTF(ctx->meta->seq, " %s", path);
	BPF_SEQ_PRINTF(ctx->meta->seq, "\n");
	return 0;
}

SEC("iter/bpf_map")
int dump_maps(struct bpf_iter__bpf_map *ctx)
{
	struct bpf_map *map = ctx->map;

	if (!map)
		return 0;
	BPF_SEQ_PRINTF(ctx->meta->seq, "%u %s %u\n", map->id, map->name, map->max_entries);
	return 0;
}

SEC("iter/bpf_prog")
int dump_programs(struct bpf_iter__bpf_prog *ctx)
{
	struct bpf_prog *prog = ctx->prog;

	if (!prog)
		return 0;
	BPF_SEQ_PRINTF(ctx->meta->seq, "%u %u\n", prog->aux->id, prog->len);
	return 0;
}

struct pair {
	__u64 a, b;
};
MAP(summed, BPF_MAP_TYPE_HASH, 64, __u32, struct pair);
__u64 sum;

SEC("iter/bpf_map_elem")
int sum_elements(struct bpf_iter__bpf_map_elem *ctx)
{
	struct pair *value = ctx->value;
	__u32 *key = ctx->key;

	if (!key || !value)
		return 0;
	sum += *key + value->a + value->b;
	return 0;
}

SEC("iter/tcp")
int dump_tcp(struct bpf_iter__tcp *ctx)
{
	struct sock_common *sk = ctx->sk_common;

	if (!sk)
		return 0;
	BPF_SEQ_PRINTF(ctx->meta->seq, "%x:%u %x:%u %u\n", sk->skc_rcv_saddr, sk->skc_num, sk->skc_daddr,
	               bpf_ntohs(sk->skc_dport), ctx->uid);
	return 0;
}

SEC("iter/cgroup")
int dump_cgroups(struct bpf_iter__cgroup *ctx)
{
	struct cgroup *cgroup = ctx->cgroup;

	if (!cgroup)
		return 1;
	BPF_SEQ_PRINTF(ctx->meta->seq, "%llu %d\n", cgroup->kn->id, cgroup->level);
	return 0;
}

SEC("iter/unix")
int dump_unix(struct bpf_iter__unix *ctx)
{
	struct unix_sock *sk = ctx->unix_sk;
	struct unix_address *address;

	if (!sk)
		return 0;
	address = BPF_CORE_READ(sk, addr);
	BPF_SEQ_PRINTF(ctx->meta->seq, "%u %d\n", ctx->uid, address ? BPF_CORE_READ(address, len) : 0);
	return 0;
}

SEC("iter.s/task")
int read_arguments(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	char bytes[32];

	if (!task || !task->mm)
		return 0;
	if (bpf_copy_from_user_task(bytes, sizeof(bytes), (void *)BPF_CORE_READ(task, mm, arg_start), task, 0))
		return 0;
	bytes[31] = 0;
	bpf_seq_write(ctx->meta->seq, bytes, sizeof(bytes));
	return 0;
}

/* ---- within a program ---- */
struct iter_num {
	__u64 opaque[1];
} __attribute__((aligned(8)));
extern int bpf_iter_num_new(struct iter_num *it, int start, int end) __ksym;
extern int *bpf_iter_num_next(struct iter_num *it) __ksym;
extern void bpf_iter_num_destroy(struct iter_num *it) __ksym;
MAP(counts, BPF_MAP_TYPE_ARRAY, 1024, __u32, __u64);

SEC("raw_tp/sys_enter")
int sum_array(void *ctx)
{
	struct iter_num it;
	__u64 total = 0;
	int *i;

	bpf_iter_num_new(&it, 0, 1024);
	while ((i = bpf_iter_num_next(&it))) {
		__u32 key = *i;
		__u64 *v = bpf_map_lookup_elem(&counts, &key);
		if (v)
			total += *v;
	}
	bpf_iter_num_destroy(&it);
	sum = total;
	return 0;
}

SEC("raw_tp/sys_enter")
int find_first(void *ctx)
{
	struct iter_num it;
	int *i, found = -1;

	bpf_iter_num_new(&it, 0, 1000000);
	while ((i = bpf_iter_num_next(&it))) {
		__u32 key = *i & 1023;
		__u64 *v = bpf_map_lookup_elem(&counts, &key);
		if (v && *v > 100) {
			found = *i;
			break;
		}
	}
	bpf_iter_num_destroy(&it);
	sum = found;
	return 0;
}

SEC("raw_tp/sys_exit")
int nested_iterators(void *ctx)
{
	struct iter_num outer, inner;
	int *i, *k;

	bpf_iter_num_new(&outer, 0, 32);
	while ((i = bpf_iter_num_next(&outer))) {
		__u32 row = *i;
		bpf_iter_num_new(&inner, 0, 32);
		while ((k = bpf_iter_num_next(&inner))) {
			__u32 key = (row * 32 + *k) & 1023;
			__u64 *v = bpf_map_lookup_elem(&counts, &key);
			if (v)
				*v = row;
		}
		bpf_iter_num_destroy(&inner);
	}
	bpf_iter_num_destroy(&outer);
	return 0;
}
