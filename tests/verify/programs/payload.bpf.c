/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Reading what packets carry: DNS names, TLS hellos, HTTP methods, DHCP options.
 */
#include "net.h"

#define NAME_BYTES 64
#define LABELS 8

struct question {
	char name[NAME_BYTES];
	__u16 type, class;
};

struct dns_header {
	__be16 id, flags, questions, answers, authorities, additional;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__uint(key_size, NAME_BYTES);
	__type(value, __u64);
} blocked SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct question);
} scratch SEC(".maps");

/* The question's name as it stands, lengths and all, in lower case. */
static __always_inline int read_name(struct cursor *c, char *name)
{
	for (int i = 0; i < NAME_BYTES - 1; i++) {
		char *byte = take(c, 1);
		if (!byte)
			return -1;
		name[i] = *byte >= 'A' && *byte <= 'Z' ? *byte + 32 : *byte;
		if (!*byte)
			return i;
	}
	return -1;
}

SEC("xdp")
int block_dns(struct xdp_md *ctx)
{
	struct cursor c = CURSOR(ctx);
	struct flow4 flow = {};
	struct question *q;
	struct dns_header *dns;
	__u32 zero = 0;
	__u64 *hits;

	if (take_ethernet(&c) != bpf_htons(ETH_P_IP) || !take_flow4(&c, &flow) || flow.proto != IPPROTO_UDP ||
	    flow.target_port != bpf_htons(53) || !take(&c, 4))
		return XDP_PASS;
	dns = take(&c, sizeof(*dns));
	if (!dns || dns->questions != bpf_htons(1))
		return XDP_PASS;
	q = bpf_map_lookup_elem(&scratch, &zero);
	if (!q)
		return XDP_PASS;
	__builtin_memset(q, 0, sizeof(*q));
	if (read_name(&c, q->name) < 0)
		return XDP_DROP;
	hits = bpf_map_lookup_elem(&blocked, q->name);
	if (!hits)
		return XDP_PASS;
	__sync_fetch_and_add(hits, 1);
	return XDP_DROP;
}

/* How many labels and bytes a name has, with a hash of it: a tunnel's names are long. */
SEC("tc")
int dns_tunnel(struct __sk_buff *skb)
{
	__u32 at = ETH_HLEN + sizeof(struct iphdr) + sizeof(struct udphdr) + sizeof(struct dns_header), total = 0;
	__u32 labels;

	for (labels = 0; labels < LABELS; labels++) {
		__u8 length;
		if (bpf_skb_load_bytes(skb, at, &length, 1))
			return TC_ACT_SHOT;
		if (!length)
			break;
		if (length > 63)
			return TC_ACT_SHOT;
		at += length + 1;
		total += length;
	}
	return total > 100 || labels == LABELS ? TC_ACT_SHOT : TC_ACT_OK;
}

/* The server's name in a TLS ClientHello: a chain of lengths. */
KERNEL_MAY_REJECT("before 6.18, a bound that is tested on a copy less a constant is lost")
SEC("tc")
int tls_server_name(struct __sk_buff *skb)
{
	__u32 at = ETH_HLEN + sizeof(struct iphdr) + sizeof(struct tcphdr), extension = 0;
	__u8 record[6], session, compressions;
	char name[NAME_BYTES] = {};
	__u64 *hits;
	__be16 half;

	if (bpf_skb_load_bytes(skb, at, record, sizeof(record)) || record[0] != 0x16 || record[5] != 1)
		return TC_ACT_OK;
	at += 43;
	if (bpf_skb_load_bytes(skb, at, &session, 1))
		return TC_ACT_OK;
	at += 1 + session;
	if (bpf_skb_load_bytes(skb, at, &half, 2))
		return TC_ACT_OK;
	at += 2 + bpf_ntohs(half);
	if (bpf_skb_load_bytes(skb, at, &compressions, 1))
		return TC_ACT_OK;
	at += 1 + compressions + 2;
	for (extension = 0; extension < 16; extension++) {
		__be16 header[2];
		__u32 length;
		if (bpf_skb_load_bytes(skb, at, header, sizeof(header)))
			return TC_ACT_OK;
		length = bpf_ntohs(header[1]);
		if (!header[0]) {
			length -= 5;
			barrier_var(length); /* one register is compared and used */
			if (length == 0 || length > sizeof(name) - 1)
				return TC_ACT_OK;
			if (bpf_skb_load_bytes(skb, at + 9, name, length))
				return TC_ACT_OK;
			hits = bpf_map_lookup_elem(&blocked, name);
			return hits ? TC_ACT_SHOT : TC_ACT_OK;
		}
		at += 4 + length;
	}
	return TC_ACT_OK;
}

SEC("socket")
int http_methods(struct __sk_buff *skb)
{
	__u32 ip_bytes, tcp_bytes, word;
	__u8 byte;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &byte, 1))
		return 0;
	ip_bytes = (byte & 15) * 4;
	if (bpf_skb_load_bytes(skb, ETH_HLEN + ip_bytes + 12, &byte, 1))
		return 0;
	tcp_bytes = (byte >> 4) * 4;
	if (bpf_skb_load_bytes(skb, ETH_HLEN + ip_bytes + tcp_bytes, &word, 4))
		return 0;
	switch (bpf_ntohl(word)) {
	case 0x47455420: /* "GET " */
	case 0x504f5354: /* "POST" */
	case 0x50555420: /* "PUT " */
	case 0x48454144: /* "HEAD" */
	case 0x44454c45: /* "DELE" */
		return skb->len;
	}
	return 0;
}

/* DHCP: the message's type among the options. */
SEC("xdp")
int rogue_dhcp(struct xdp_md *ctx)
{
	struct cursor c = CURSOR(ctx);
	struct flow4 flow = {};
	__u8 *option;

	if (take_ethernet(&c) != bpf_htons(ETH_P_IP) || !take_flow4(&c, &flow) || flow.source_port != bpf_htons(67) ||
	    !take(&c, 4 + 240))
		return XDP_PASS;
	for (int i = 0; i < 12; i++) {
		option = take(&c, 2);
		if (!option || option[0] == 255)
			break;
		if (option[0] == 0)
			continue;
		if (option[0] == 53) {
			__u8 *type = take(&c, 1);
			return type && (*type == 2 || *type == 5) ? XDP_DROP : XDP_PASS;
		}
		if (!take(&c, option[1]))
			return XDP_DROP;
	}
	return XDP_PASS;
}

/* A byte pattern anywhere in the first 96 bytes of a payload. */
SEC("tc")
int find_pattern(struct __sk_buff *skb)
{
	static const __u8 pattern[4] = {0xde, 0xad, 0xbe, 0xef};
	__u8 bytes[96];
	__u32 length = skb->len;

	if (length > sizeof(bytes))
		length = sizeof(bytes);
	if (length < sizeof(pattern) || bpf_skb_load_bytes(skb, 0, bytes, length))
		return TC_ACT_OK;
	for (__u32 i = 0; i + sizeof(pattern) <= sizeof(bytes); i++) {
		if (i + sizeof(pattern) > length)
			break;
		if (bytes[i] == pattern[0] && bytes[i + 1] == pattern[1] && bytes[i + 2] == pattern[2] &&
		    bytes[i + 3] == pattern[3])
			return TC_ACT_SHOT;
	}
	return TC_ACT_OK;
}
