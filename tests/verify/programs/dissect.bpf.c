/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * The flow dissector, light-weight tunnels, infrared.
 */
#include "net.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 8);
	__uint(key_size, 4);
	__uint(value_size, 4);
} parts SEC(".maps");

/* `size` bytes at the flow's offset: in the linear part, or copied to the buffer. */
static __always_inline void *header_at(struct __sk_buff *skb, __u32 size, void *buffer)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	__u16 offset = skb->flow_keys->thoff;
	void *at = data + offset;

	if (offset < 0x1000 && at + size <= end)
		return at;
	if (bpf_skb_load_bytes(skb, offset, buffer, size))
		return NULL;
	return buffer;
}

SEC("flow_dissector")
int dissect_ipv4(struct __sk_buff *skb)
{
	struct bpf_flow_keys *keys = skb->flow_keys;
	struct iphdr *ip, buffer;

	ip = header_at(skb, sizeof(*ip), &buffer);
	if (!ip || ip->ihl < 5)
		return BPF_DROP;
	keys->addr_proto = ETH_P_IP;
	keys->ipv4_src = ip->saddr;
	keys->ipv4_dst = ip->daddr;
	keys->ip_proto = ip->protocol;
	keys->thoff += ip->ihl << 2;
	if (ip->frag_off & bpf_htons(IP_FRAGMENT)) {
		keys->is_frag = 1;
		return BPF_OK;
	}
	bpf_tail_call(skb, &parts, 1);
	return BPF_DROP;
}

SEC("flow_dissector")
int dissect_ports(struct __sk_buff *skb)
{
	struct bpf_flow_keys *keys = skb->flow_keys;
	__be16 *ports, buffer[2];

	ports = header_at(skb, sizeof(buffer), buffer);
	if (!ports)
		return BPF_DROP;
	keys->sport = ports[0];
	keys->dport = ports[1];
	return BPF_OK;
}

SEC("flow_dissector")
int dissect_start(struct __sk_buff *skb)
{
	switch (skb->flow_keys->n_proto) {
	case bpf_htons(ETH_P_IP):
		bpf_tail_call(skb, &parts, 0);
		break;
	case bpf_htons(ETH_P_IPV6):
		bpf_tail_call(skb, &parts, 2);
		break;
	}
	return BPF_FLOW_DISSECTOR_CONTINUE;
}

SEC("lwt_in")
int lwt_filter(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct iphdr *ip = data;

	if (data + sizeof(*ip) > end)
		return BPF_DROP;
	return ip->ttl < 3 ? BPF_DROP : BPF_OK;
}

SEC("lwt_xmit")
int lwt_push(struct __sk_buff *skb)
{
	struct iphdr outer = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_IPIP};

	outer.daddr = bpf_htonl(0x0a000002);
	if (bpf_lwt_push_encap(skb, BPF_LWT_ENCAP_IP, &outer, sizeof(outer)) < 0)
		return BPF_DROP;
	return BPF_LWT_REROUTE;
}

SEC("lwt_out")
int lwt_account(struct __sk_buff *skb)
{
	return bpf_get_route_realm(skb) == 5 ? BPF_DROP : BPF_OK;
}

SEC("lwt_seg6local")
int segment_end(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	__u32 table = 254;

	if (data + sizeof(struct ipv6hdr) > end)
		return BPF_DROP;
	if (bpf_lwt_seg6_action(skb, 3 /* SEG6_LOCAL_ACTION_END_T */, &table, sizeof(table)))
		return BPF_DROP;
	return BPF_REDIRECT;
}

SEC("lirc_mode2")
int decode_remote(unsigned int *sample)
{
	unsigned int duration = *sample & 0xffffff;

	if ((*sample & 0xff000000) != 0x01000000)
		return 0;
	if (duration > 500 && duration < 600)
		bpf_rc_keydown(sample, 0x40, duration & 0xff, 0);
	else if (duration > 1500)
		bpf_rc_repeat(sample);
	return 0;
}
