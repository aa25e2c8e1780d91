/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Guards of a control group's sockets: connect, bind and sendmsg fail.
 */
#include "guard.h"

#define FAMILY_IPV4 2
#define FAMILY_IPV6 10

static __always_inline void guard_address4(struct guard_attempt *a, __u32 address)
{
	__builtin_memset(a->address, 0, 10);
	a->address[10] = a->address[11] = 0xff;
	__builtin_memcpy(a->address + 12, &address, 4);
}

static __always_inline int guard_socket(struct bpf_sock_addr *ctx, __u32 point, bool v6)
{
	struct guard_attempt *a = guard_begin(point);

	if (!a)
		return 1;
	if (v6) {
		__u32 words[4] = {ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]};
		__builtin_memcpy(a->address, words, sizeof(words));
	} else {
		guard_address4(a, ctx->user_ip4);
	}
	guard_number(a, GUARD_FAMILY, v6 ? FAMILY_IPV6 : FAMILY_IPV4);
	guard_number(a, GUARD_PORT, __builtin_bswap16(ctx->user_port));
	guard_number(a, GUARD_PROTOCOL, ctx->protocol);
	return guard_answer(a);
}

#define GUARD_SOCKET(section, name, point, v6) \
	SEC(section) \
	int name(struct bpf_sock_addr *ctx) \
	{ \
		return guard_socket(ctx, point, v6); \
	}
GUARD_SOCKET("cgroup/connect4", guard_connect4, GUARD_AT_CONNECT, false)
GUARD_SOCKET("cgroup/connect6", guard_connect6, GUARD_AT_CONNECT, true)
GUARD_SOCKET("cgroup/bind4", guard_bind4, GUARD_AT_BIND, false)
GUARD_SOCKET("cgroup/bind6", guard_bind6, GUARD_AT_BIND, true)
GUARD_SOCKET("cgroup/sendmsg4", guard_sendmsg4, GUARD_AT_SENDMSG, false)
GUARD_SOCKET("cgroup/sendmsg6", guard_sendmsg6, GUARD_AT_SENDMSG, true)
