/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Large programs, each a whole pipeline: a load balancer for both families, a filter of rules with all stages, a recorder
 * of system calls with arguments of variable length.
 */
#include "net.h"
#include <bpf/bpf_tracing.h>

/* ---- a load balancer: parse, quota, service, connection, backend, encapsulate ---- */
struct address {
	__u32 words[4];
};
struct packet {
	struct address source, target;
	__be16 source_port, target_port;
	__u8 proto, family, flags, is_icmp;
	__u16 length;
};
struct service_key {
	struct address target;
	__be16 port;
	__u8 proto, pad;
};
struct service {
	__u32 id, flags, backends;
};
struct flow_key {
	struct address source, target;
	__be16 source_port, target_port;
	__u8 proto, pad[3];
};
struct flow_value {
	__u32 backend, pad;
	__u64 seen_ns;
};
struct backend {
	struct address address;
	__u8 family, mac[6], pad;
};
struct numbers {
	__u64 packets, bytes;
};

#define MAP(map, map_type, entries, key_type, value_type) \
	struct { \
		__uint(type, map_type); \
		__uint(max_entries, entries); \
		__type(key, key_type); \
		__type(value, value_type); \
	} map SEC(".maps")
MAP(services, BPF_MAP_TYPE_HASH, 512, struct service_key, struct service);
MAP(flows, BPF_MAP_TYPE_LRU_HASH, 100000, struct flow_key, struct flow_value);
MAP(hash_ring, BPF_MAP_TYPE_ARRAY, 65536, __u32, __u32);
MAP(backends, BPF_MAP_TYPE_ARRAY, 4096, __u32, struct backend);
MAP(by_backend, BPF_MAP_TYPE_PERCPU_ARRAY, 4096, __u32, struct numbers);
MAP(by_reason, BPF_MAP_TYPE_PERCPU_ARRAY, 16, __u32, struct numbers);

enum reason { CUT_OFF, NOT_IP, FRAGMENTED, NO_SERVICE, NO_BACKEND, NO_ROOM, SENT };

static __always_inline int leave(int action, enum reason reason, __u32 bytes)
{
	__u32 key = reason;
	struct numbers *n = bpf_map_lookup_elem(&by_reason, &key);

	if (n) {
		n->packets++;
		n->bytes += bytes;
	}
	return action;
}

static __always_inline int parse_ports(struct cursor *c, struct packet *p, bool swap)
{
	__be16 *ports = take(c, 4);

	if (!ports)
		return -1;
	p->source_port = ports[swap];
	p->target_port = ports[!swap];
	if (p->proto == IPPROTO_TCP) {
		__u8 *rest = take(c, 10);
		if (!rest)
			return swap ? 0 : -1;
		p->flags = rest[9];
	}
	return 0;
}

static __always_inline int parse_packet4(struct cursor *c, struct packet *p)
{
	struct iphdr *ip = take_ipv4(c);
	bool swap = false;

	if (!ip)
		return CUT_OFF;
	if (ip->frag_off & bpf_htons(IP_FRAGMENT))
		return FRAGMENTED;
	p->length = bpf_ntohs(ip->tot_len);
	p->proto = ip->protocol;
	p->source.words[0] = ip->saddr;
	p->target.words[0] = ip->daddr;
	if (ip->protocol == IPPROTO_ICMP) {
		struct icmphdr *icmp = take(c, sizeof(*icmp));
		if (!icmp || icmp->type != 3)
			return NOT_IP;
		ip = take_ipv4(c);
		if (!ip)
			return CUT_OFF;
		p->is_icmp = swap = true;
		p->proto = ip->protocol;
		p->source.words[0] = ip->daddr;
		p->target.words[0] = ip->saddr;
	}
	if (p->proto != IPPROTO_TCP && p->proto != IPPROTO_UDP)
		return NOT_IP;
	return parse_ports(c, p, swap) ? CUT_OFF : SENT;
}

static __always_inline int parse_packet6(struct cursor *c, struct packet *p)
{
	struct ipv6hdr *ip = take(c, sizeof(*ip));

	if (!ip)
		return CUT_OFF;
	if (ip->nexthdr == IPPROTO_FRAGMENT)
		return FRAGMENTED;
	p->length = bpf_ntohs(ip->payload_len) + sizeof(*ip);
	p->proto = ip->nexthdr;
	__builtin_memcpy(&p->source, &ip->saddr, 16);
	__builtin_memcpy(&p->target, &ip->daddr, 16);
	if (p->proto != IPPROTO_TCP && p->proto != IPPROTO_UDP)
		return NOT_IP;
	return parse_ports(c, p, false) ? CUT_OFF : SENT;
}

static __always_inline __u32 hash_packet(const struct packet *p)
{
	__u32 hash = p->source_port << 16 | p->target_port;

#pragma unroll
	for (int i = 0; i < 4; i++) {
		hash ^= p->source.words[i];
		hash *= 0x9e3779b1;
		hash ^= hash >> 15;
	}
	return hash;
}

static __always_inline __u32 *choose(struct packet *p, struct service *s, struct flow_value *ret_fresh)
{
	__u32 at = (hash_packet(p) + s->id * 7919) & 65535;

	return bpf_map_lookup_elem(&hash_ring, &at);
}

static __always_inline int encapsulate(struct xdp_md *ctx, const struct packet *p, const struct backend *b)
{
	struct ethhdr *eth, old;
	struct cursor c;
	int bytes = b->family == AF_INET6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);

	c = (struct cursor)CURSOR(ctx);
	eth = take(&c, sizeof(*eth));
	if (!eth)
		return -1;
	old = *eth;
	if (bpf_xdp_adjust_head(ctx, -bytes))
		return -1;
	c = (struct cursor)CURSOR(ctx);
	eth = take(&c, sizeof(*eth));
	if (!eth)
		return -1;
	__builtin_memcpy(eth->h_source, old.h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, b->mac, ETH_ALEN);
	if (b->family == AF_INET6) {
		struct ipv6hdr *ip = take(&c, sizeof(*ip));
		if (!ip)
			return -1;
		__builtin_memset(ip, 0, sizeof(*ip));
		eth->h_proto = bpf_htons(ETH_P_IPV6);
		ip->version = 6;
		ip->hop_limit = 64;
		ip->nexthdr = p->family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
		ip->payload_len = bpf_htons(p->length);
		__builtin_memcpy(&ip->daddr, &b->address, 16);
		ip->saddr.in6_u.u6_addr32[0] = bpf_htonl(0x01000000);
		ip->saddr.in6_u.u6_addr32[3] = p->source.words[0] ^ p->source_port;
	} else {
		struct iphdr *ip = take(&c, sizeof(*ip));
		__u16 *word = (__u16 *)ip;
		__u64 sum = 0;
		if (!ip)
			return -1;
		__builtin_memset(ip, 0, sizeof(*ip));
		eth->h_proto = bpf_htons(ETH_P_IP);
		ip->version = 4;
		ip->ihl = 5;
		ip->ttl = 64;
		ip->protocol = IPPROTO_IPIP;
		ip->tot_len = bpf_htons(p->length + sizeof(*ip));
		ip->daddr = b->address.words[0];
		ip->saddr = bpf_htonl(0xac100001);
#pragma unroll
		for (int i = 0; i < 10; i++)
			sum += word[i];
		ip->check = fold_checksum(sum);
	}
	return 0;
}

SEC("xdp")
int load_balancer(struct xdp_md *ctx)
{
	struct cursor c = CURSOR(ctx);
	struct packet p = {};
	struct service_key service_key = {};
	struct flow_key flow_key = {};
	struct flow_value *known, fresh = {};
	struct service *service;
	struct backend *backend;
	struct numbers *numbers;
	__u32 index, *chosen, bytes = ctx->data_end - ctx->data;
	__be16 type = take_ethernet(&c);
	int r = NOT_IP;

	if (type == bpf_htons(ETH_P_IP)) {
		p.family = AF_INET;
		r = parse_packet4(&c, &p);
	} else if (type == bpf_htons(ETH_P_IPV6)) {
		p.family = AF_INET6;
		r = parse_packet6(&c, &p);
	}
	if (r != SENT)
		return leave(r == CUT_OFF ? XDP_DROP : XDP_PASS, r, bytes);
	service_key.target = p.target;
	service_key.port = p.target_port;
	service_key.proto = p.proto;
	service = bpf_map_lookup_elem(&services, &service_key);
	if (!service) {
		service_key.port = 0;
		service = bpf_map_lookup_elem(&services, &service_key);
		if (!service)
			return leave(XDP_PASS, NO_SERVICE, bytes);
	}
	flow_key.source = p.source;
	flow_key.target = p.target;
	flow_key.source_port = p.source_port;
	flow_key.target_port = p.target_port;
	flow_key.proto = p.proto;
	known = p.flags & 2 ? NULL : bpf_map_lookup_elem(&flows, &flow_key);
	if (known) {
		known->seen_ns = bpf_ktime_get_ns();
		index = known->backend;
	} else {
		chosen = choose(&p, service, &fresh);
		if (!chosen)
			return leave(XDP_DROP, NO_BACKEND, bytes);
		index = *chosen;
		if (!(service->flags & 1)) {
			fresh.backend = index;
			fresh.seen_ns = bpf_ktime_get_ns();
			bpf_map_update_elem(&flows, &flow_key, &fresh, BPF_ANY);
		}
	}
	backend = bpf_map_lookup_elem(&backends, &index);
	if (!backend)
		return leave(XDP_DROP, NO_BACKEND, bytes);
	numbers = bpf_map_lookup_elem(&by_backend, &index);
	if (numbers) {
		numbers->packets++;
		numbers->bytes += bytes;
	}
	if (encapsulate(ctx, &p, backend))
		return leave(XDP_DROP, NO_ROOM, bytes);
	return leave(XDP_TX, SENT, bytes);
}

/* ---- a policy filter: identities, exceptions, limits, logs ---- */
struct lpm {
	__u32 bits;
	__u8 address[16];
};
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 10000);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct lpm);
	__type(value, __u32);
} identities SEC(".maps");
struct policy_key {
	__u32 from, to;
	__be16 port;
	__u8 proto, egress;
};
struct policy {
	__u8 action, log, pad[2];
	__u32 rate;
	__u64 packets;
};
MAP(policies, BPF_MAP_TYPE_HASH, 10000, struct policy_key, struct policy);
struct limit {
	__u64 tokens, then_ns;
};
MAP(limits, BPF_MAP_TYPE_LRU_HASH, 10000, __u32, struct limit);
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} events SEC(".maps");

struct policy_event {
	__u64 when_ns;
	__u32 from, to, length;
	__be16 port;
	__u8 proto, action;
	__u8 head[64];
};

static __always_inline __u32 identity_of(const struct address *a, bool v6)
{
	struct lpm key = {.bits = v6 ? 128 : 32};
	__u32 *id;

	__builtin_memcpy(key.address, a, 16); /* beyond `bits` it does not count */
	id = bpf_map_lookup_elem(&identities, &key);
	return id ? *id : 2;
}

static __always_inline struct policy *find_policy(struct policy_key *key)
{
	struct policy *p = bpf_map_lookup_elem(&policies, key);
	__be16 port = key->port;
	__u32 from = key->from;

	if (p)
		return p;
	key->port = 0;
	p = bpf_map_lookup_elem(&policies, key);
	if (p)
		return p;
	key->port = port;
	key->from = 0;
	p = bpf_map_lookup_elem(&policies, key);
	if (p)
		return p;
	key->port = 0;
	p = bpf_map_lookup_elem(&policies, key);
	key->from = from;
	key->port = port;
	return p;
}

static __always_inline bool take_token(__u32 identity, __u32 rate)
{
	struct limit *l = bpf_map_lookup_elem(&limits, &identity), first = {.tokens = rate};
	__u64 now = bpf_ktime_get_ns(), fresh;

	if (!l) {
		first.then_ns = now;
		bpf_map_update_elem(&limits, &identity, &first, BPF_ANY);
		return true;
	}
	fresh = (now - l->then_ns) / 1000000 * rate / 1000;
	if (fresh) {
		l->tokens += fresh;
		if (l->tokens > rate)
			l->tokens = rate;
		l->then_ns = now;
	}
	if (!l->tokens)
		return false;
	l->tokens--;
	return true;
}

static __always_inline void log_packet(struct __sk_buff *skb, const struct policy_key *key, __u8 action)
{
	struct policy_event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	__u32 n = skb->len;

	if (!e)
		return;
	e->when_ns = bpf_ktime_get_ns();
	e->from = key->from;
	e->to = key->to;
	e->port = key->port;
	e->proto = key->proto;
	e->action = action;
	e->length = n;
	if (n > sizeof(e->head))
		n = sizeof(e->head);
	if (n < 1 || bpf_skb_load_bytes(skb, 0, e->head, n))
		e->length = 0;
	bpf_ringbuf_submit(e, 0);
}

KERNEL_MAY_REJECT("by two shifts, as older instruction sets need them, it loses what was compared")
SEC("tc")
int policy_filter(struct __sk_buff *skb)
{
	struct cursor c = CURSOR(skb);
	struct policy_key key = {.egress = 1};
	struct packet packet = {};
	struct policy *policy;
	__be16 type;
	bool allowed;
	int r = NOT_IP;

	if (bpf_skb_pull_data(skb, 64 < skb->len ? 64 : skb->len))
		return TC_ACT_SHOT;
	c = (struct cursor)CURSOR(skb);
	type = take_ethernet(&c);
	if (type == bpf_htons(ETH_P_ARP))
		return TC_ACT_OK;
	if (type == bpf_htons(ETH_P_IP))
		r = parse_packet4(&c, &packet);
	else if (type == bpf_htons(ETH_P_IPV6))
		r = parse_packet6(&c, &packet);
	if (r != SENT)
		return TC_ACT_SHOT;
	key.from = identity_of(&packet.source, type == bpf_htons(ETH_P_IPV6));
	key.to = identity_of(&packet.target, type == bpf_htons(ETH_P_IPV6));
	key.port = packet.target_port;
	key.proto = packet.proto;
	policy = find_policy(&key);
	if (!policy) {
		log_packet(skb, &key, 0);
		return TC_ACT_SHOT;
	}
	__sync_fetch_and_add(&policy->packets, 1);
	allowed = policy->action && (!policy->rate || take_token(key.from, policy->rate));
	if (policy->log)
		log_packet(skb, &key, allowed);
	skb->mark = key.from << 16 | (key.to & 0xffff);
	return allowed ? TC_ACT_OK : TC_ACT_SHOT;
}

/* ---- a recorder: arguments of all kinds, one after another in one record ---- */
#define RECORD_BYTES 4096
struct record {
	__u64 when_ns, pid_tgid;
	__u32 number, used;
	__u8 data[RECORD_BYTES + 512];
};
MAP(records, BPF_MAP_TYPE_PERCPU_ARRAY, 1, __u32, struct record);

enum kind { ARG_NONE, ARG_NUMBER, ARG_STRING, ARG_BYTES, ARG_PAIR };
struct shape {
	__u8 kinds[6];
	__u8 size_of[6]; /* of ARG_BYTES: the argument that says how many */
};
MAP(shapes, BPF_MAP_TYPE_ARRAY, 512, __u32, struct shape);

static __always_inline bool put_number(struct record *r, __u64 v)
{
	__u32 at = r->used;

	if (at > RECORD_BYTES - 8)
		return false;
	*(__u64 *)&r->data[at & (RECORD_BYTES - 8)] = v;
	r->used = at + 8;
	return true;
}

static __always_inline bool put_user(struct record *r, const void *from, __u32 bytes)
{
	__u32 at = r->used;

	if (at > RECORD_BYTES - 8 || !put_number(r, bytes))
		return false;
	at = r->used & (RECORD_BYTES - 1);
	bytes &= 511;
	if (bpf_probe_read_user(&r->data[at], bytes, from))
		return false;
	r->used = (at + bytes + 7) & ~7u;
	return true;
}

static __always_inline bool put_text(struct record *r, const void *from)
{
	__u32 at = r->used & (RECORD_BYTES - 1);
	long n = bpf_probe_read_user_str(&r->data[at], 256, from);

	if (n < 0)
		n = 0;
	r->used = (at + (n & 511) + 7) & ~7u;
	return n != 0;
}

static __always_inline bool put_argument(struct record *r, const struct shape *s, const __u64 *args, int i)
{
	__u64 v = args[i];

	switch (s->kinds[i]) {
	case ARG_NUMBER:
		return put_number(r, v);
	case ARG_STRING:
		return put_text(r, (void *)v);
	case ARG_BYTES: {
		__u64 size = args[s->size_of[i] & 7];
		return put_user(r, (void *)v, size > 256 ? 256 : size);
	}
	case ARG_PAIR: {
		__u64 pair[2] = {};
		bpf_probe_read_user(pair, sizeof(pair), (void *)v);
		return put_number(r, pair[0]) && put_number(r, pair[1]);
	}
	default:
		return false;
	}
}

struct syscall_enter {
	__u64 common;
	long id;
	__u64 args[6];
};

KERNEL_MAY_REJECT("by two shifts, as older instruction sets need them, it loses what was compared")
SEC("tracepoint/raw_syscalls/sys_enter")
int recorder(struct syscall_enter *ctx)
{
	__u32 zero = 0, number = ctx->id;
	struct record *r = bpf_map_lookup_elem(&records, &zero);
	struct shape *s = bpf_map_lookup_elem(&shapes, &number);
	__u64 args[8] = {};
	__u32 bytes;

	if (!r || !s)
		return 0;
	for (int i = 0; i < 6; i++)
		args[i] = ctx->args[i];
	r->when_ns = bpf_ktime_get_boot_ns();
	r->pid_tgid = bpf_get_current_pid_tgid();
	r->number = number;
	r->used = 0;
	for (int i = 0; i < 6; i++)
		if (!put_argument(r, s, args, i))
			break;
	bytes = r->used;
	if (bytes > RECORD_BYTES)
		return 0;
	bpf_ringbuf_output(&events, r, offsetof(struct record, data) + bytes, 0);
	return 0;
}
