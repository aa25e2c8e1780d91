/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Dynptrs and what is got of them, by helpers and by functions of the kernel.
 */
#include "net.h"

struct bpf_dynptr;
extern int bpf_dynptr_from_skb(struct __sk_buff *skb, __u64 flags, struct bpf_dynptr *p) __ksym;
extern int bpf_dynptr_from_xdp(struct xdp_md *xdp, __u64 flags, struct bpf_dynptr *p) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *p, __u32 offset, void *buffer, __u32 size) __ksym;
extern void *bpf_dynptr_slice_rdwr(const struct bpf_dynptr *p, __u32 offset, void *buffer, __u32 size) __ksym;
extern int bpf_dynptr_adjust(const struct bpf_dynptr *p, __u32 start, __u32 end) __ksym;
extern __u32 bpf_dynptr_size(const struct bpf_dynptr *p) __ksym;
extern int bpf_dynptr_clone(const struct bpf_dynptr *p, struct bpf_dynptr *clone) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64[8]);
} values SEC(".maps");

/* ---- packets ---- */

SEC("tc")
int slice_of_packet(struct __sk_buff *skb)
{
	struct bpf_dynptr packet;
	__u8 buffer[14], *ethernet;

	if (bpf_dynptr_from_skb(skb, 0, &packet))
		return 0;
	ethernet = bpf_dynptr_slice(&packet, 0, buffer, sizeof(buffer));
	return ethernet ? ethernet[13] : 0;
}

SEC("xdp")
int slice_of_frame(struct xdp_md *ctx)
{
	struct bpf_dynptr packet;
	__u8 buffer[14], *ethernet;

	if (bpf_dynptr_from_xdp(ctx, 0, &packet))
		return XDP_PASS;
	ethernet = bpf_dynptr_slice_rdwr(&packet, 0, buffer, sizeof(buffer));
	if (ethernet)
		ethernet[0] = 1;
	return XDP_PASS;
}

BROKEN("null-pointer")
SEC("tc")
int slice_unchecked(struct __sk_buff *skb)
{
	struct bpf_dynptr packet;
	__u8 buffer[14], *ethernet;

	if (bpf_dynptr_from_skb(skb, 0, &packet))
		return 0;
	ethernet = bpf_dynptr_slice(&packet, 0, buffer, sizeof(buffer));
	return ethernet[13];
}

BROKEN("out-of-bounds")
SEC("tc")
int slice_beyond(struct __sk_buff *skb)
{
	struct bpf_dynptr packet;
	__u8 buffer[14], *ethernet;

	if (bpf_dynptr_from_skb(skb, 0, &packet))
		return 0;
	ethernet = bpf_dynptr_slice(&packet, 0, buffer, sizeof(buffer));
	return ethernet ? ((volatile __u8 *)ethernet)[14] : 0;
}

BROKEN("read-only")
SEC("tc")
int slice_written(struct __sk_buff *skb)
{
	struct bpf_dynptr packet;
	__u8 buffer[14], *ethernet;

	if (bpf_dynptr_from_skb(skb, 0, &packet))
		return 0;
	ethernet = bpf_dynptr_slice(&packet, 0, buffer, sizeof(buffer));
	if (ethernet)
		ethernet[0] = 1;
	return 0;
}

BROKEN("read-only")
SEC("cgroup_skb/egress")
int slice_to_write_where_nobody_may(struct __sk_buff *skb)
{
	struct bpf_dynptr packet;
	__u8 buffer[14], *ethernet;

	if (bpf_dynptr_from_skb(skb, 0, &packet))
		return 1;
	ethernet = bpf_dynptr_slice_rdwr(&packet, 0, buffer, sizeof(buffer));
	return ethernet ? ethernet[0] & 1 : 1;
}

BROKEN("packet-bounds")
SEC("tc")
int slice_after_the_packet_moved(struct __sk_buff *skb)
{
	struct bpf_dynptr packet;
	__u8 buffer[14], *ethernet;

	if (bpf_dynptr_from_skb(skb, 0, &packet))
		return 0;
	ethernet = bpf_dynptr_slice(&packet, 0, buffer, sizeof(buffer));
	if (!ethernet)
		return 0;
	bpf_skb_pull_data(skb, 100);
	return ethernet[13];
}

BROKEN("packet-bounds")
SEC("tc")
int slice_after_a_write(struct __sk_buff *skb)
{
	struct bpf_dynptr packet;
	__u8 buffer[14], *ethernet;

	if (bpf_dynptr_from_skb(skb, 0, &packet))
		return 0;
	ethernet = bpf_dynptr_slice(&packet, 0, buffer, sizeof(buffer));
	if (!ethernet)
		return 0;
	bpf_dynptr_write(&packet, 0, "x", 1, 0);
	return ethernet[13];
}

SEC("tc")
int adjusted_and_cloned(struct __sk_buff *skb)
{
	struct bpf_dynptr packet, clone;
	__u8 byte = 0;

	bpf_dynptr_from_skb(skb, 0, &packet);
	bpf_dynptr_clone(&packet, &clone);
	bpf_dynptr_adjust(&packet, 14, 34);
	bpf_dynptr_read(&byte, 1, &packet, 0, 0);
	return byte + bpf_dynptr_size(&clone);
}

BROKEN("dynptr")
SEC("tc")
int clone_of_nothing(struct __sk_buff *skb)
{
	struct bpf_dynptr packet, clone;

	bpf_dynptr_clone(&packet, &clone);
	return 0;
}

/* ---- in loops: the variable is made anew ---- */

SEC("tc")
int made_in_each_turn(struct __sk_buff *skb)
{
	__u32 sum = 0;

	for (int i = 0; i < 8; i++) {
		struct bpf_dynptr packet;
		__u8 buffer[2], *bytes;

		bpf_dynptr_from_skb(skb, 0, &packet);
		bytes = bpf_dynptr_slice(&packet, i, buffer, sizeof(buffer));
		if (bytes)
			sum += bytes[0];
	}
	return sum;
}

BROKEN("dynptr")
SEC("tc")
int reserved_in_each_turn(struct __sk_buff *skb)
{
	struct bpf_dynptr record;

	bpf_ringbuf_reserve_dynptr(&ring, 8, 0, &record);
	bpf_ringbuf_reserve_dynptr(&ring, 8, 0, &record);
	bpf_ringbuf_discard_dynptr(&record, 0);
	return 0;
}

/* ---- memory ---- */

SEC("tc")
int of_a_maps_value(struct __sk_buff *skb)
{
	__u32 key = skb->len & 3;
	__u64 *value = bpf_map_lookup_elem(&values, &key), *slice;
	struct bpf_dynptr memory;

	if (!value)
		return 0;
	bpf_dynptr_from_mem(value, 64, 0, &memory);
	slice = bpf_dynptr_data(&memory, 8, 16);
	return slice ? slice[1] : 0;
}

BROKEN("argument")
SEC("tc")
int of_the_stack(struct __sk_buff *skb)
{
	__u64 value[4] = {};
	struct bpf_dynptr memory;

	bpf_dynptr_from_mem(value, sizeof(value), 0, &memory);
	return 0;
}

BROKEN("dynptr")
SEC("tc")
int memory_submitted(struct __sk_buff *skb)
{
	__u32 key = skb->len & 3;
	__u64 *value = bpf_map_lookup_elem(&values, &key);
	struct bpf_dynptr memory;

	if (!value)
		return 0;
	bpf_dynptr_from_mem(value, 64, 0, &memory);
	bpf_ringbuf_submit_dynptr(&memory, 0);
	return 0;
}

BROKEN("released")
SEC("tc")
int slice_of_a_clone_after_submit(struct __sk_buff *skb)
{
	struct bpf_dynptr record, clone;
	__u64 *place;

	bpf_ringbuf_reserve_dynptr(&ring, 8, 0, &record);
	bpf_dynptr_clone(&record, &clone);
	place = bpf_dynptr_data(&clone, 0, 8);
	bpf_ringbuf_submit_dynptr(&record, 0);
	if (place)
		*place = 1;
	return 0;
}

BROKEN("dynptr")
SEC("tc")
int clone_after_submit(struct __sk_buff *skb)
{
	struct bpf_dynptr record, clone;
	__u64 byte = 0;

	bpf_ringbuf_reserve_dynptr(&ring, 8, 0, &record);
	bpf_dynptr_clone(&record, &clone);
	bpf_ringbuf_submit_dynptr(&record, 0);
	bpf_dynptr_read(&byte, 8, &clone, 0, 0);
	return byte;
}
