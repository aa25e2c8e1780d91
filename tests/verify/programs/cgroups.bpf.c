/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Programs of control groups: packets, sockets, addresses, options, sysctls, devices.
 */
#include "net.h"

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
	__type(key, struct bpf_cgroup_storage_key);
	__type(value, __u64);
} bytes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE);
	__type(key, struct bpf_cgroup_storage_key);
	__type(value, __u64);
} packets SEC(".maps");

SEC("cgroup_skb/egress")
int account(struct __sk_buff *skb)
{
	__u64 *sum = bpf_get_local_storage(&bytes, 0), *count = bpf_get_local_storage(&packets, 0);

	__sync_fetch_and_add(sum, skb->len);
	*count += 1;
	return 1;
}

const volatile __u64 bytes_max = 1 << 30;

SEC("cgroup_skb/ingress")
int quota(struct __sk_buff *skb)
{
	__u64 *sum = bpf_get_local_storage(&bytes, 0);

	return __sync_fetch_and_add(sum, skb->len) < bytes_max;
}

struct lpm {
	__u32 length;
	__be32 address;
};
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1000);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct lpm);
	__type(value, __u8);
} allowed SEC(".maps");

SEC("cgroup_skb/egress")
int egress_policy(struct __sk_buff *skb)
{
	struct iphdr ip;
	struct lpm key = {.length = 32};
	__u8 *rule;

	if (skb->protocol != bpf_htons(ETH_P_IP))
		return 1;
	if (bpf_skb_load_bytes(skb, 0, &ip, sizeof(ip)) < 0)
		return 0;
	key.address = ip.daddr;
	rule = bpf_map_lookup_elem(&allowed, &key);
	return rule && *rule == 1;
}

SEC("cgroup_skb/ingress")
int direct_access(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct ipv6hdr *ip = data;

	if (data + sizeof(*ip) > end)
		return 1;
	return ip->hop_limit > 1 && bpf_skb_cgroup_id(skb) != 0;
}

SEC("cgroup_skb/egress")
int socket_owner(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;

	if (!sk)
		return 1;
	sk = bpf_sk_fullsock(sk);
	return !sk || sk->mark != 99;
}

/* ---- sockets ---- */
SEC("cgroup/sock_create")
int no_raw_sockets(struct bpf_sock *sk)
{
	if (sk->type == 3 /* SOCK_RAW */ && (bpf_get_current_uid_gid() & 0xffffffff))
		return 0;
	sk->mark = 7;
	sk->priority = 2;
	return 1;
}

SEC("cgroup/post_bind4")
int no_low_ports(struct bpf_sock *sk)
{
	return sk->src_port >= 1024 || sk->src_ip4 == bpf_htonl(0x7f000001);
}

SEC("cgroup/sock_release")
int count_releases(struct bpf_sock *sk)
{
	__u64 *n = bpf_get_local_storage(&bytes, 0);

	*n += sk->protocol == IPPROTO_TCP;
	return 1;
}

/* ---- addresses ---- */
SEC("cgroup/connect4")
int service_address(struct bpf_sock_addr *ctx)
{
	struct sockaddr {
		__u16 family;
		__be16 port;
		__be32 address;
		__u8 zero[8];
	} local = {.family = AF_INET};

	if (ctx->user_ip4 != bpf_htonl(0x0a600001) || ctx->user_port != bpf_htons(80))
		return 1;
	ctx->user_ip4 = bpf_htonl(0x0a010203);
	ctx->user_port = bpf_htons(8080);
	local.address = bpf_htonl(0x0a010001);
	return bpf_bind(ctx, (void *)&local, sizeof(local)) ? 0 : 1;
}

SEC("cgroup/connect6")
int deny_metadata(struct bpf_sock_addr *ctx)
{
	if (ctx->user_ip6[0] == 0 && ctx->user_ip6[1] == 0 && ctx->user_ip6[2] == bpf_htonl(0xffff) &&
	    ctx->user_ip6[3] == bpf_htonl(0xa9fea9fe))
		return 0;
	return 1;
}

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1000);
	__type(key, __u64);
	__type(value, __u16);
} ports_of_cgroups SEC(".maps");

SEC("cgroup/bind4")
int one_port_a_group(struct bpf_sock_addr *ctx)
{
	__u64 id = bpf_get_current_cgroup_id();
	__u16 *port = bpf_map_lookup_elem(&ports_of_cgroups, &id);

	if (!port)
		return 1;
	if (ctx->type == 1 /* SOCK_STREAM */)
		ctx->user_port = bpf_htons(*port);
	return 1;
}

SEC("cgroup/sendmsg4")
int redirect_dns(struct bpf_sock_addr *ctx)
{
	if (ctx->user_port == bpf_htons(53)) {
		ctx->user_ip4 = bpf_htonl(0x7f000035);
		ctx->msg_src_ip4 = bpf_htonl(0x7f000001);
	}
	return 1;
}

SEC("cgroup/recvmsg4")
int hide_redirect(struct bpf_sock_addr *ctx)
{
	if (ctx->user_ip4 == bpf_htonl(0x7f000035))
		ctx->user_ip4 = bpf_htonl(0x08080808);
	return 1;
}

SEC("cgroup/getpeername4")
int peer_name(struct bpf_sock_addr *ctx)
{
	if (ctx->user_ip4 == bpf_htonl(0x0a010203)) {
		ctx->user_ip4 = bpf_htonl(0x0a600001);
		ctx->user_port = bpf_htons(80);
	}
	return 1;
}

SEC("cgroup/connect4")
int connect_only_to_listening(struct bpf_sock_addr *ctx)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk;
	int allow;

	tuple.ipv4.daddr = ctx->user_ip4;
	tuple.ipv4.dport = ctx->user_port;
	sk = bpf_sk_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return 0;
	allow = sk->state == BPF_TCP_LISTEN;
	bpf_sk_release(sk);
	return allow;
}

/* ---- options ---- */
#define SOL_IP 0
#define IP_TOS_OPTION 1

SEC("cgroup/setsockopt")
int fixed_tos(struct bpf_sockopt *ctx)
{
	__u8 *value = ctx->optval, *end = ctx->optval_end;

	if (ctx->level != SOL_IP || ctx->optname != IP_TOS_OPTION)
		return 1;
	if (value + 1 > end)
		return 0;
	if (value[0] == 0x2d)
		return 0;
	value[0] = 0x28;
	ctx->optlen = 1;
	return 1;
}

SEC("cgroup/getsockopt")
int report_tos(struct bpf_sockopt *ctx)
{
	__u8 *value = ctx->optval, *end = ctx->optval_end;

	if (ctx->level != SOL_IP || ctx->optname != IP_TOS_OPTION)
		return 1;
	if (value + 1 > end)
		return 0;
	if (ctx->retval)
		ctx->retval = 0;
	value[0] = 0;
	ctx->optlen = 1;
	return 1;
}

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u32);
} option_storage SEC(".maps");

SEC("cgroup/setsockopt")
int private_option(struct bpf_sockopt *ctx)
{
	__u8 *value = ctx->optval, *end = ctx->optval_end;
	__u32 *stored;

	if (ctx->level != 0xdeadbeef || !ctx->sk)
		return 1;
	if (value + sizeof(*stored) > end)
		return 0;
	stored = bpf_sk_storage_get(&option_storage, ctx->sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!stored)
		return 0;
	*stored = *(__u32 *)value;
	ctx->optlen = -1;
	return 1;
}

/* ---- sysctls ---- */
static __always_inline bool name_is(const char *name, const char *wanted, int size)
{
	for (int i = 0; i < size; i++)
		if (name[i] != wanted[i])
			return false;
	return true;
}

SEC("cgroup/sysctl")
int only_small_values(struct bpf_sysctl *ctx)
{
	const char wanted[] = "net/ipv4/tcp_mem";
	char name[32] = {}, value[16] = {};
	unsigned long number = 0;

	if (!ctx->write)
		return 1;
	if (bpf_sysctl_get_name(ctx, name, sizeof(name), 0) != sizeof(wanted) - 1 ||
	    !name_is(name, wanted, sizeof(wanted)))
		return 1;
	if (bpf_sysctl_get_new_value(ctx, value, sizeof(value)) < 0)
		return 0;
	if (bpf_strtoul(value, sizeof(value), 0, &number) < 0)
		return 0;
	return number < 4096;
}

SEC("cgroup/sysctl")
int replace_value(struct bpf_sysctl *ctx)
{
	const char fixed[] = "600";
	char current[16];

	if (bpf_sysctl_get_current_value(ctx, current, sizeof(current)) < 0)
		return 0;
	if (current[0] == '6')
		return 1;
	if (ctx->write && ctx->file_pos == 0)
		bpf_sysctl_set_new_value(ctx, fixed, sizeof(fixed));
	return 1;
}

/* ---- devices ---- */
SEC("cgroup/dev")
int device_list(struct bpf_cgroup_dev_ctx *ctx)
{
	short type = ctx->access_type & 0xffff;

	if (type != BPF_DEVCG_DEV_CHAR)
		return 0;
	switch (ctx->major) {
	case 1:
		return ctx->minor == 3 || ctx->minor == 5 || ctx->minor == 8 || ctx->minor == 9;
	case 5:
		return ctx->minor <= 2;
	case 136:
		return 1;
	}
	return 0;
}

SEC("cgroup/dev")
int device_log(struct bpf_cgroup_dev_ctx *ctx)
{
	char fmt[] = "  %d:%d    \n";
	short type = ctx->access_type & 0xffff;

	if (type == BPF_DEVCG_DEV_BLOCK)
		fmt[0] = 'b';
	else
		fmt[0] = 'c';
	bpf_trace_printk(fmt, sizeof(fmt), ctx->major, ctx->minor);
	return !(ctx->access_type >> 16 & BPF_DEVCG_ACC_MKNOD);
}
