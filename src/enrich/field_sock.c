/* SPDX-License-Identifier: Apache-2.0
 *
 * Both ends of a socket: the addresses are the kernel's, who is client and who server follows from the call, and for
 * calls that do not say so from the ports.
 */
#include "enrich/field_int.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#define EPHEMERAL_FIRST 32768 /* lowest port that Linux chooses by itself */

enum tcp_state { STATE_ESTABLISHED = 1, STATE_SYN_SENT = 2, STATE_SYN_RECV = 3 };

static bool is_message(enum event_type type, bool *ret_sends)
{
	switch (type) {
	case EVENT_sendto:
	case EVENT_sendmsg:
	case EVENT_sendmmsg:
		*ret_sends = true;
		return true;
	case EVENT_recvfrom:
	case EVENT_recvmsg:
	case EVENT_recvmmsg:
		*ret_sends = false;
		return true;
	default:
		return false;
	}
}

/* ---- addresses ---- */

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* An IPv4 address that an IPv6 socket uses is IPv4. Written where it is to stand: a processor waits if it has to copy as a whole
 * what was just written in parts. */
static void sock_end_set(struct sock_end *end, uint16_t family, const uint8_t *address, uint16_t port)
{
	bool mapped = family == AF_INET6 && memcmp(address, mapped_prefix, sizeof(mapped_prefix)) == 0;
	bool is6 = family == AF_INET6 && !mapped;
	end->known = true;
	end->port = port;
	end->ip.family = is6 ? 6 : 4;
	end->ip.prefix = is6 ? 128 : 32;
	memset(end->ip.bytes, 0, sizeof(end->ip.bytes));
	memcpy(end->ip.bytes, address + (mapped ? sizeof(mapped_prefix) : 0), is6 ? 16 : 4);
}

static bool ip_is_zero(const struct ip *ip)
{
	static const uint8_t zero[16];
	return memcmp(ip->bytes, zero, sizeof(zero)) == 0;
}

bool field_sock_addr(const struct event *e, struct str *ret_sockaddr)
{
	bool truncated;
	for (unsigned i = 0; i < e->info->arg_count; i++) {
		const struct arg_info *a = &e->info->args[i];
		if (a->type == ARG_SOCKADDR && a->kind != ARG_DERIVED)
			return event_arg_slot(e, a, ret_sockaddr, &truncated) &&
			       ret_sockaddr->length >= sizeof(sa_family_t);
	}
	return false;
}

static sa_family_t addr_family(struct str sockaddr)
{
	sa_family_t family;
	memcpy(&family, sockaddr.data, sizeof(family));
	return family;
}

bool sock_end_from_addr(struct str sockaddr, struct sock_end *ret_end)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	sa_family_t family = addr_family(sockaddr);

	if (family == AF_INET && sockaddr.length >= offsetof(struct sockaddr_in, sin_zero)) {
		memcpy(&in, sockaddr.data, offsetof(struct sockaddr_in, sin_zero));
		sock_end_set(ret_end, AF_INET, (const uint8_t *)&in.sin_addr, ntohs(in.sin_port));
		return true;
	}
	if (family == AF_INET6 && sockaddr.length >= offsetof(struct sockaddr_in6, sin6_scope_id)) {
		memcpy(&in6, sockaddr.data, offsetof(struct sockaddr_in6, sin6_scope_id));
		sock_end_set(ret_end, AF_INET6, in6.sin6_addr.s6_addr, ntohs(in6.sin6_port));
		return true;
	}
	return false;
}

bool sock_addr_path(struct str sockaddr, struct str *ret_path)
{
	struct str path = str_make(sockaddr.data + sizeof(sa_family_t), sockaddr.length - sizeof(sa_family_t));
	if (addr_family(sockaddr) != AF_UNIX)
		return false;
	path.length = MIN(path.length, sizeof(((struct sockaddr_un *)NULL)->sun_path));
	if (path.length > 0 && path.data[0] != '\0') {
		ssize_t end = str_find_char(path, '\0');
		path.length = end < 0 ? path.length : (size_t)end;
	}
	*ret_path = path;
	return true;
}

/* ---- ends ---- */

static bool is_ip_socket(const struct sock_info *s)
{
	return s && (s->family == AF_INET || s->family == AF_INET6);
}

static enum sock_protocol sock_protocol(const struct sock_info *s)
{
	if (s->type == SOCK_RAW)
		return PROTOCOL_RAW;
	switch (s->protocol) {
	case IPPROTO_TCP:
		return PROTOCOL_TCP;
	case IPPROTO_UDP:
		return PROTOCOL_UDP;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return PROTOCOL_ICMP;
	default:
		return PROTOCOL_OTHER;
	}
}

const char *sock_protocol_name(enum sock_protocol protocol)
{
	static const char *const names[] = {
	        [PROTOCOL_TCP] = "tcp", [PROTOCOL_UDP] = "udp", [PROTOCOL_ICMP] = "icmp", [PROTOCOL_RAW] = "raw"};
	return names[protocol];
}

static bool has_ports(const struct sock_ends *ends)
{
	return ends->protocol != PROTOCOL_RAW && ends->protocol != PROTOCOL_ICMP;
}

static bool connect_is_under_way(const struct event *e, const struct sock_info *s)
{
	if (e->header->result >= 0 || e->header->result == -EINPROGRESS)
		return true;
	/* interrupted, or asked for again */
	return s && s->protocol == IPPROTO_TCP &&
	       (s->state == STATE_ESTABLISHED || s->state == STATE_SYN_SENT || s->state == STATE_SYN_RECV);
}

static void ends_from_kernel(const struct fd_info *fd, const struct sock_info *s, struct sock_ends *ends)
{
	ends->protocol = sock_protocol(s);
	sock_end_set(&ends->local, s->family, s->local_addr, s->local_port);
	sock_end_set(&ends->remote, s->family, s->remote_addr, s->remote_port);
	if (fd->flags & FD_F_LISTENING || (ends->remote.port == 0 && ip_is_zero(&ends->remote.ip)))
		ends->remote.known = false;
	/* Linux shows an unconnected local address as ::, also if the other end is IPv4. */
	if (ends->remote.known && ends->remote.ip.family == 4 && ends->local.ip.family == 6 &&
	    ip_is_zero(&ends->local.ip))
		ends->local.ip = (struct ip){.family = 4, .prefix = 32};
}

/* A datagram goes to, or comes from, the address given with it. Streams have none but their peer's. */
static void ends_from_caller(const struct event *e, const struct sock_info *s, struct sock_ends *ends)
{
	struct str addr;
	struct sock_end end;
	bool sends;
	bool wanted = is_message(e->header->type, &sends) ? !s || s->type != SOCK_STREAM
	                                                  : e->header->type == EVENT_connect && !ends->remote.known;
	if (!wanted || !field_sock_addr(e, &addr) || !sock_end_from_addr(addr, &end))
		return;
	ends->remote = end;
	if (!ends->local.known)
		ends->local = (struct sock_end){true, {.family = end.ip.family, .prefix = end.ip.prefix}, 0};
}

/* Servers wait at low ports, clients are given high ones. Where that does not tell, who speaks first is the client. */
static enum sock_role role_by_ports(const struct event *e, const struct sock_ends *ends)
{
	bool local_high = ends->local.port >= EPHEMERAL_FIRST, remote_high = ends->remote.port >= EPHEMERAL_FIRST;
	bool sends = true;
	if (local_high != remote_high && has_ports(ends) && ends->local.port != 0)
		return local_high ? ROLE_CLIENT : ROLE_SERVER;
	if (is_message(e->header->type, &sends) && !sends)
		return ROLE_SERVER;
	return ROLE_CLIENT;
}

static enum sock_role bind_role(const struct event *e)
{
	struct str addr;
	struct sock_end end;
	/* With port 0 the kernel chooses one, as it does for a client. */
	if (field_sock_addr(e, &addr) && sock_end_from_addr(addr, &end) && end.port == 0)
		return ROLE_NONE;
	return ROLE_BOUND;
}

static enum sock_role sock_role(const struct event *e, const struct sock_info *s, const struct sock_ends *ends)
{
	switch (e->header->type) {
	case EVENT_connect:
		return connect_is_under_way(e, s) && ends->remote.known ? ROLE_CLIENT : ROLE_NONE;
	case EVENT_accept:
	case EVENT_accept4:
		return ends->remote.known ? ROLE_SERVER : ROLE_NONE;
	case EVENT_bind:
		return e->header->result >= 0 ? bind_role(e) : ROLE_NONE;
	case EVENT_listen:
		return e->header->result >= 0 ? ROLE_BOUND : ROLE_NONE;
	case EVENT_socket:
		return ROLE_NONE;
	default:
		break;
	}
	if (ends->remote.known)
		return role_by_ports(e, ends);
	return ends->local.port != 0 && has_ports(ends) ? ROLE_BOUND : ROLE_NONE;
}

bool field_sock_ends(const struct field_query *q, struct sock_ends *ends)
{
	const struct event *e = q->event;
	const struct fd_info *fd = field_fd(e);
	const struct sock_info *s = fd ? event_sock(e) : NULL;

	if (s && !is_ip_socket(s))
		return false;
	*ends = (struct sock_ends){0};
	if (s)
		ends_from_kernel(fd, s, ends);
	if (!fd || s)
		ends_from_caller(e, s, ends);
	if (!ends->local.known)
		return false;
	ends->role = sock_role(e, s, ends);
	if (!has_ports(ends))
		ends->local.port = ends->remote.port = 0;
	return true;
}

const struct sock_end *sock_client(const struct sock_ends *s)
{
	return s->role == ROLE_CLIENT ? &s->local : s->role == ROLE_SERVER ? &s->remote : NULL;
}

const struct sock_end *sock_server(const struct sock_ends *s)
{
	switch (s->role) {
	case ROLE_CLIENT:
		return &s->remote;
	case ROLE_SERVER:
	case ROLE_BOUND:
		return &s->local;
	case ROLE_NONE:
		break;
	}
	return NULL;
}

bool field_sock_connected(const struct field_query *q, const struct fd_info *fd)
{
	const struct event *e = q->event;
	const struct sock_info *s = event_sock(e);
	bool sends;
	if (e->header->type == EVENT_connect)
		return connect_is_under_way(e, s);
	if (is_ip_socket(s) && is_message(e->header->type, &sends) && e->header->result >= 0)
		return true;
	return fd->flags & FD_F_CONNECTED;
}

/* ---- names ---- */

static void add_end(const struct sock_end *end, bool port, struct buf *out)
{
	ip_add_text(&end->ip, out);
	if (port)
		buf_printf(out, ":%u", end->port);
}

static void add_ip_name(const struct event *e, const struct sock_ends *ends, struct buf *out)
{
	const struct sock_end *client = sock_client(ends), *server = sock_server(ends);
	bool ports = has_ports(ends);
	if (client && server) {
		add_end(client, ports, out);
		buf_add_text(out, "->");
		add_end(server, ports, out);
	} else if (ends->role == ROLE_BOUND || (e->header->type == EVENT_bind && e->header->result >= 0)) {
		add_end(&ends->local, ports, out);
	}
}

static struct str without_leading_nul(struct str name)
{
	return name.length > 0 && name.data[0] == '\0' ? str_make(name.data + 1, name.length - 1) : name;
}

static struct str slot_text(const struct event *e, struct event_slot slot)
{
	struct str text;
	bool truncated;
	return event_slot_str(e, slot, &text, &truncated) ? without_leading_nul(text) : (struct str){0};
}

static void add_unix_pair(uint64_t client, uint64_t server, struct str path, struct buf *out)
{
	buf_printf(out, "%" PRIx64 "->%" PRIx64, client, server);
	if (path.length > 0) {
		buf_add_char(out, ' ');
		value_add_printable(path, 0, out);
	}
}

static void add_unix_name(const struct event *e, const struct fd_info *fd, const struct sock_info *s, struct buf *out)
{
	struct str own = slot_text(e, fd->path), peer = slot_text(e, s->peer_path), addr, path;
	bool accepted = e->header->type == EVENT_accept || e->header->type == EVENT_accept4, sends;

	if (e->header->type == EVENT_connect && e->header->result < 0 && e->header->result != -EINPROGRESS)
		return;
	if (is_message(e->header->type, &sends) && s->remote_ptr == 0 && field_sock_addr(e, &addr) &&
	    sock_addr_path(addr, &path)) {
		add_unix_pair(0, s->remote_ptr, without_leading_nul(path), out);
		return;
	}
	if (accepted)
		add_unix_pair(s->remote_ptr, s->local_ptr, own, out);
	else if (s->remote_ptr != 0)
		add_unix_pair(s->local_ptr, s->remote_ptr, peer.length ? peer : own, out);
	else
		value_add_printable(own, 0, out);
}

void field_sock_name(const struct field_query *q, struct buf *out)
{
	const struct event *e = q->event;
	const struct fd_info *fd = field_fd(e);
	const struct sock_info *s = fd ? event_sock(e) : NULL;
	struct sock_ends ends;
	struct str addr, path;

	if (s && s->family == AF_UNIX) {
		add_unix_name(e, fd, s, out);
		return;
	}
	if (field_sock_ends(q, &ends)) {
		add_ip_name(e, &ends, out);
		return;
	}
	/* The descriptor could not be looked at: what the caller asked for is all there is. */
	if (!fd && e->header->type == EVENT_connect && e->header->result >= 0 && field_sock_addr(e, &addr) &&
	    sock_addr_path(addr, &path))
		add_unix_pair(0, 0, without_leading_nul(path), out);
}
