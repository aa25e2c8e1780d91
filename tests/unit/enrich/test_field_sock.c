/* SPDX-License-Identifier: Apache-2.0
 *
 * fd.* of sockets: ends, roles, names; evt.addr*
 */
#include "tests/unit/enrich/field_fixture.h"

#include <errno.h>

#define TCP_ESTABLISHED 1
#define TCP_SYN_SENT 2
#define TCP_CLOSE 7

static void put_ip(uint8_t *bytes, const char *text)
{
	if (text && inet_pton(strchr(text, ':') ? AF_INET6 : AF_INET, text, bytes) != 1)
		fail_msg("not an address: %s", text);
}

struct ends {
	int family, type, protocol;
	const char *local, *remote;
	uint16_t local_port, remote_port;
	uint16_t state;
	uint8_t flags;
};

static void put_socket(struct fixture *f, const struct ends *ends)
{
	struct fd_info fd = {.number = 7, .mode = 0140777, .flags = ends->flags};
	struct sock_info s = {
	        .family = (uint16_t)ends->family,
	        .type = (uint16_t)ends->type,
	        .protocol = (uint16_t)ends->protocol,
	        .state = ends->state,
	        .local_port = ends->local_port,
	        .remote_port = ends->remote_port,
	};
	fd.kind = ends->family == AF_INET ? FD_IPV4 : FD_IPV6;
	put_ip(s.local_addr, ends->local);
	put_ip(s.remote_addr, ends->remote);
	put_fd(f, &fd, NULL, &s);
}

static void put_sockaddr(struct fixture *f, const char *ip, uint16_t port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	if (strchr(ip, ':')) {
		put_ip(in6.sin6_addr.s6_addr, ip);
		put_text(f, "addr", str_make((const char *)&in6, sizeof(in6)));
	} else {
		put_ip((uint8_t *)&in.sin_addr, ip);
		put_text(f, "addr", str_make((const char *)&in, sizeof(in)));
	}
}

static const struct ends tcp = {AF_INET, SOCK_STREAM, IPPROTO_TCP,     "192.0.2.10",  "198.51.100.7",
                                40000,   443,         TCP_ESTABLISHED, FD_F_CONNECTED};

static void socket_event(struct fixture *f, enum event_type type, int64_t result, const struct ends *ends)
{
	fixture_begin(f, type, 300)->result = result;
	if (type != EVENT_accept && type != EVENT_accept4 && type != EVENT_socket && type != EVENT_dup2)
		put_number(f, "fd", 7);
	if (ends)
		put_socket(f, ends);
}

static void connected_client(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	for (int pending = 0; pending < 2; pending++) {
		struct ends ends = tcp;
		ends.state = pending ? TCP_SYN_SENT : TCP_ESTABLISHED;
		ends.flags = pending ? 0 : FD_F_CONNECTED;
		socket_event(&f, EVENT_connect, pending ? -EINPROGRESS : 0, &ends);
		put_sockaddr(&f, "198.51.100.7", 443);
		fixture_end(&f);
		check_all(&f, {"fd.type", "ipv4"}, {"fd.typechar", "4"}, {"fd.sockfamily", "ip"}, {"fd.l4proto", "tcp"},
		          {"fd.name", "192.0.2.10:40000->198.51.100.7:443"}, {"fd.cip", "192.0.2.10"},
		          {"fd.sip", "198.51.100.7"}, {"fd.lip", "192.0.2.10"}, {"fd.rip", "198.51.100.7"},
		          {"fd.cport", "40000"}, {"fd.sport", "443"}, {"fd.lport", "40000"}, {"fd.rport", "443"},
		          {"fd.cproto", "40000"}, {"fd.sproto", "443"}, {"fd.lproto", "40000"}, {"fd.rproto", "443"},
		          {"fd.ip", "(192.0.2.10,198.51.100.7)"}, {"fd.port", "(40000,443)"},
		          {"fd.proto", "(40000,443)"}, {"fd.net", "(192.0.2.10,198.51.100.7)"},
		          {"fd.cnet", "192.0.2.10"}, {"fd.snet", "198.51.100.7"}, {"fd.lnet", "192.0.2.10"},
		          {"fd.rnet", "198.51.100.7"}, {"fd.is_server", "false"}, {"fd.connected", "true"},
		          {"fd.name_changed", "true"}, {"fd.directory", NULL}, {"fd.filename", NULL},
		          {"evt.arg.tuple", "192.0.2.10:40000->198.51.100.7:443"}, {"evt.arg.addr", "198.51.100.7:443"},
		          {"evt.arg.fd", "<4t>192.0.2.10:40000->198.51.100.7:443"});
	}
	fixture_done(&f);
}

/* differences.md: a connect that failed has no connection; what was asked for is evt.addr. */
static void failed_connect(void **unused)
{
	(void)unused;
	struct fixture f;
	struct ends ends = tcp;
	fixture_init(&f);
	ends.state = TCP_CLOSE;
	ends.flags = 0;
	socket_event(&f, EVENT_connect, -ECONNREFUSED, &ends);
	put_sockaddr(&f, "198.51.100.7", 443);
	fixture_end(&f);
	check_all(&f, {"fd.name", ""}, {"fd.type", "ipv4"}, {"fd.cip", NULL}, {"fd.sip", NULL}, {"fd.lip", NULL},
	          {"fd.rip", NULL}, {"fd.cport", NULL}, {"fd.sport", NULL}, {"fd.lport", NULL}, {"fd.rport", NULL},
	          {"fd.ip", NULL}, {"fd.port", NULL}, {"fd.net", NULL}, {"fd.proto", NULL}, {"fd.cnet", NULL},
	          {"fd.snet", NULL}, {"fd.lnet", NULL}, {"fd.rnet", NULL}, {"fd.cproto", NULL}, {"fd.sproto", NULL},
	          {"fd.lproto", NULL}, {"fd.rproto", NULL}, {"fd.connected", "false"}, {"fd.l4proto", "<NA>"},
	          {"fd.name_changed", "false"}, {"evt.arg.tuple", "NULL"}, {"evt.arg.addr", "198.51.100.7:443"},
	          {"evt.addr", "198.51.100.7:443"}, {"evt.addr.ip", "198.51.100.7"}, {"evt.addr.net", "198.51.100.7"},
	          {"evt.addr.port", "443"}, {"evt.addr.family", "ipv4"}, {"evt.addr.path", NULL});
	/* interrupted, but on its way */
	ends.state = TCP_SYN_SENT;
	socket_event(&f, EVENT_connect, -EINTR, &ends);
	fixture_end(&f);
	check_all(&f, {"fd.sip", "198.51.100.7"}, {"fd.connected", "true"}, {"evt.addr.ip", NULL}, {"evt.addr", NULL},
	          {"evt.addr.port", NULL}, {"evt.addr.family", NULL}, {"evt.addr.net", NULL});
	fixture_done(&f);
}

/* The descriptor could not be looked at (a file of io_uring): the address that was asked for is the server's. */
static void connect_without_descriptor(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	socket_event(&f, EVENT_connect, 0, NULL);
	put_sockaddr(&f, "198.51.100.7", 443);
	fixture_end(&f);
	check_all(&f, {"fd.type", NULL}, {"fd.sip", "198.51.100.7"}, {"fd.sport", "443"},
	          {"fd.name", "0.0.0.0:0->198.51.100.7:443"}, {"fd.l4proto", NULL}, {"fd.connected", NULL});
	socket_event(&f, EVENT_connect, -ECONNREFUSED, NULL);
	put_sockaddr(&f, "198.51.100.7", 443);
	fixture_end(&f);
	check_all(&f, {"fd.sip", NULL}, {"fd.name", ""});
	fixture_done(&f);
}

static void accepted(void **unused)
{
	(void)unused;
	struct fixture f;
	struct ends ends = {AF_INET, SOCK_STREAM, IPPROTO_TCP,     "192.0.2.10",  "198.51.100.7",
	                    22,      50000,       TCP_ESTABLISHED, FD_F_CONNECTED};
	fixture_init(&f);
	socket_event(&f, EVENT_accept4, 7, &ends);
	fixture_end(&f);
	check_all(&f, {"fd.name", "198.51.100.7:50000->192.0.2.10:22"}, {"fd.cip", "198.51.100.7"},
	          {"fd.sip", "192.0.2.10"}, {"fd.sport", "22"}, {"fd.lip", "192.0.2.10"}, {"fd.rip", "198.51.100.7"},
	          {"fd.is_server", "true"}, {"fd.connected", "true"}, {"fd.num", "7"});
	socket_event(&f, EVENT_accept, -EAGAIN, NULL);
	fixture_end(&f);
	check_all(&f, {"fd.name", ""}, {"fd.typechar", "4"}, {"fd.num", "-1"}, {"evt.arg.tuple", "NULL"},
	          {"fd.directory", "/"});
	fixture_done(&f);
}

static void bound_and_listening(void **unused)
{
	(void)unused;
	struct fixture f;
	struct ends ends = {AF_INET, SOCK_STREAM, IPPROTO_TCP, "127.0.0.1", NULL, 5555, 0, TCP_CLOSE, 0};
	fixture_init(&f);
	socket_event(&f, EVENT_bind, 0, &ends);
	put_sockaddr(&f, "127.0.0.1", 5555);
	fixture_end(&f);
	check_all(&f, {"fd.name", "127.0.0.1:5555"}, {"fd.sip", "127.0.0.1"}, {"fd.sport", "5555"}, {"fd.cip", NULL},
	          {"fd.ip", "(127.0.0.1)"}, {"fd.port", "(5555)"}, {"fd.is_server", "true"}, {"fd.sproto", ""},
	          {"fd.lip", "127.0.0.1"}, {"fd.rip", NULL}, {"fd.l4proto", "tcp"}, {"fd.connected", "false"});
	ends.flags = FD_F_LISTENING;
	socket_event(&f, EVENT_listen, 0, &ends);
	fixture_end(&f);
	check_all(&f, {"fd.name", "127.0.0.1:5555"}, {"fd.is_server", "true"}, {"fd.is_listening", "true"});
	/* port 0: the kernel chose one, a name but no server */
	socket_event(&f, EVENT_bind, 0, &ends);
	put_sockaddr(&f, "127.0.0.1", 0);
	fixture_end(&f);
	check_all(&f, {"fd.name", "127.0.0.1:5555"}, {"fd.sip", NULL}, {"fd.is_server", "false"});
	socket_event(&f, EVENT_bind, -EADDRINUSE, &ends);
	put_sockaddr(&f, "127.0.0.1", 5555);
	fixture_end(&f);
	check_all(&f, {"fd.name", ""}, {"fd.sip", NULL});
	fixture_done(&f);
}

static void ipv6(void **unused)
{
	(void)unused;
	struct fixture f;
	struct ends ends = {AF_INET6, SOCK_STREAM, IPPROTO_TCP,     "::1",         "::1",
	                    44540,    5560,        TCP_ESTABLISHED, FD_F_CONNECTED};
	fixture_init(&f);
	socket_event(&f, EVENT_connect, 0, &ends);
	put_sockaddr(&f, "::1", 5560);
	fixture_end(&f);
	check_all(&f, {"fd.type", "ipv6"}, {"fd.typechar", "6"}, {"fd.name", "::1:44540->::1:5560"}, {"fd.sip", "::1"},
	          {"evt.arg.fd", "<6t>::1:44540->::1:5560"}, {"evt.addr.family", "ipv6"});
	fixture_done(&f);
}

/* differences.md: an IPv6 socket that listens on all addresses is one, and shows them. */
static void ipv6_any_address(void **unused)
{
	(void)unused;
	struct fixture f;
	struct ends ends = {AF_INET6, SOCK_STREAM, IPPROTO_TCP, "::", NULL, 6560, 0, TCP_CLOSE, 0};
	fixture_init(&f);
	socket_event(&f, EVENT_bind, 0, &ends);
	put_sockaddr(&f, "::", 6560);
	fixture_end(&f);
	check_all(&f, {"fd.type", "ipv6"}, {"fd.name", ":::6560"}, {"fd.sip", "::"});
	fixture_done(&f);
}

/* differences.md: IPv4 over an IPv6 socket has its name. */
static void mapped_address_is_ipv4(void **unused)
{
	(void)unused;
	struct fixture f;
	struct ends ends = {AF_INET6, SOCK_STREAM, IPPROTO_TCP,     "::ffff:192.0.2.10", "::ffff:198.51.100.7",
	                    40000,    443,         TCP_ESTABLISHED, FD_F_CONNECTED};
	fixture_init(&f);
	socket_event(&f, EVENT_connect, 0, &ends);
	put_sockaddr(&f, "::ffff:198.51.100.7", 443);
	fixture_end(&f);
	check_all(&f, {"fd.type", "ipv4"}, {"fd.typechar", "4"}, {"fd.name", "192.0.2.10:40000->198.51.100.7:443"},
	          {"fd.sip", "198.51.100.7"}, {"evt.addr.ip", "198.51.100.7"}, {"evt.addr", "198.51.100.7:443"});
	fixture_done(&f);
}

/* differences.md: who is local is what the kernel says, on loopback too; who serves is who was called. */
static void loopback_has_two_ends(void **unused)
{
	(void)unused;
	struct fixture f;
	struct ends ends = {AF_INET, SOCK_STREAM, IPPROTO_TCP,     "127.0.0.1",   "127.0.0.1",
	                    40000,   80,          TCP_ESTABLISHED, FD_F_CONNECTED};
	fixture_init(&f);
	socket_event(&f, EVENT_connect, 0, &ends);
	fixture_end(&f);
	check_all(&f, {"fd.lport", "40000"}, {"fd.rport", "80"}, {"fd.is_server", "false"});
	ends.local_port = 80;
	ends.remote_port = 40000;
	socket_event(&f, EVENT_accept, 7, &ends);
	fixture_end(&f);
	check_all(&f, {"fd.lport", "80"}, {"fd.rport", "40000"}, {"fd.is_server", "true"});
	fixture_done(&f);
}

static void datagrams(void **unused)
{
	(void)unused;
	struct fixture f;
	struct ends ends = {AF_INET, SOCK_DGRAM, IPPROTO_UDP, "0.0.0.0", NULL, 38957, 0, TCP_CLOSE, 0};
	fixture_init(&f);
	socket_event(&f, EVENT_sendto, 10, &ends);
	put_number(&f, "size", 10);
	put_sockaddr(&f, "198.51.100.53", 53);
	fixture_end(&f);
	check_all(&f, {"fd.name", "0.0.0.0:38957->198.51.100.53:53"}, {"fd.sip", "198.51.100.53"},
	          {"fd.l4proto", "udp"}, {"fd.is_server", "false"}, {"fd.connected", "true"},
	          {"fd.name_changed", "true"}, {"evt.arg.fd", "<4u>0.0.0.0:38957->198.51.100.53:53"},
	          {"evt.arg.size", "10"}, {"evt.arg.data", "NULL"}, {"evt.buflen", "10"}, {"evt.buflen.out", "10"},
	          {"evt.buflen.net", "10"}, {"evt.buflen.net.out", "10"}, {"evt.buflen.in", NULL},
	          {"evt.buflen.file", NULL}, {"evt.is_io_write", "true"}, {"evt.io_dir", "write"});
	/* what a server receives comes from a client */
	ends.local_port = 53;
	socket_event(&f, EVENT_recvfrom, 10, &ends);
	put_sockaddr(&f, "198.51.100.9", 5353);
	fixture_end(&f);
	check_all(&f, {"fd.name", "198.51.100.9:5353->0.0.0.0:53"}, {"fd.cip", "198.51.100.9"},
	          {"fd.is_server", "true"}, {"evt.buflen.in", "10"}, {"evt.buflen.net.in", "10"},
	          {"evt.buflen.out", NULL}, {"evt.io_dir", "read"});
	/* and what it answers goes to that client */
	socket_event(&f, EVENT_sendto, 10, &ends);
	put_sockaddr(&f, "198.51.100.9", 40001);
	fixture_end(&f);
	check_all(&f, {"fd.cip", "198.51.100.9"}, {"fd.sport", "53"});
	/* no address asked for: bound, and no more is known */
	socket_event(&f, EVENT_recvfrom, 10, &ends);
	fixture_end(&f);
	check_all(&f, {"fd.name", "0.0.0.0:53"}, {"fd.sip", "0.0.0.0"}, {"fd.cip", NULL});
	fixture_done(&f);
}

/* differences.md: a stream's address argument is not where the bytes go. */
static void address_of_a_stream_is_ignored(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	socket_event(&f, EVENT_sendto, 10, &tcp);
	put_sockaddr(&f, "203.0.113.1", 1);
	fixture_end(&f);
	check_all(&f, {"fd.sip", "198.51.100.7"}, {"fd.name_changed", "false"});
	fixture_done(&f);
}

static void copied_socket(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	socket_event(&f, EVENT_dup2, 0, &tcp);
	put_number(&f, "oldfd", 3);
	fixture_end(&f);
	check_all(&f, {"fd.name", "192.0.2.10:40000->198.51.100.7:443"}, {"fd.sip", "198.51.100.7"},
	          {"fd.type", "ipv4"}, {"evt.category", "net"},
	          {"evt.arg.oldfd", "<4t>192.0.2.10:40000->198.51.100.7:443"});
	fixture_done(&f);
}

static void new_and_raw_sockets(void **unused)
{
	(void)unused;
	struct fixture f;
	struct ends fresh = {AF_INET, SOCK_STREAM, IPPROTO_TCP, "0.0.0.0", NULL, 0, 0, TCP_CLOSE, 0};
	struct ends raw = {AF_INET, SOCK_RAW, IPPROTO_ICMP, "127.0.0.1", "127.0.0.1", 1, 0, TCP_CLOSE, 0};
	fixture_init(&f);
	socket_event(&f, EVENT_socket, 7, &fresh);
	fixture_end(&f);
	check_all(&f, {"fd.name", ""}, {"fd.type", "ipv4"}, {"fd.l4proto", "<NA>"}, {"fd.sip", NULL},
	          {"fd.name_changed", "false"});
	socket_event(&f, EVENT_socket, 7, &raw);
	fixture_end(&f);
	check(&f, "fd.l4proto", "raw");
	socket_event(&f, EVENT_sendto, 8, &raw);
	fixture_end(&f);
	check_all(&f, {"fd.name", "127.0.0.1->127.0.0.1"}, {"fd.l4proto", "raw"},
	          {"evt.arg.fd", "<4r>127.0.0.1->127.0.0.1"});
	raw.type = SOCK_DGRAM; /* ping without privileges */
	socket_event(&f, EVENT_sendto, 8, &raw);
	fixture_end(&f);
	check_all(&f, {"fd.name", "127.0.0.1->127.0.0.1"}, {"fd.l4proto", "icmp"});
	fixture_done(&f);
}

/* ---- unix sockets ---- */

static void unix_event(struct fixture *f, enum event_type type, int64_t result, const char *own, struct str peer,
                       uint64_t remote_ptr)
{
	struct fd_info fd = {.number = 7, .kind = FD_UNIX};
	struct sock_info s = {
	        .family = AF_UNIX, .type = SOCK_STREAM, .local_ptr = 0xffff8881, .remote_ptr = remote_ptr};
	fixture_begin(f, type, 300)->result = result;
	if (peer.data)
		assert_int_equal(event_builder_slot(&f->builder, peer, &s.peer_path), 0);
	put_fd(f, &fd, own, &s);
}

static void unix_sockets(void **unused)
{
	(void)unused;
	struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "/run/log"};
	struct str none = {0};
	struct fixture f;
	fixture_init(&f);
	unix_event(&f, EVENT_connect, 0, NULL, STR("/run/docker.sock"), 0xffff8882);
	fixture_end(&f);
	check_all(&f, {"fd.name", "ffff8881->ffff8882 /run/docker.sock"}, {"fd.type", "unix"}, {"fd.typechar", "u"},
	          {"fd.sockfamily", "unix"}, {"fd.l4proto", "<NA>"}, {"fd.sip", NULL},
	          {"evt.arg.tuple", "ffff8881->ffff8882 /run/docker.sock"}, {"fd.connected", "true"});
	unix_event(&f, EVENT_connect, -ECONNREFUSED, NULL, none, 0);
	put_text(&f, "addr", str_make((const char *)&un, sizeof(un)));
	fixture_end(&f);
	check_all(&f, {"fd.name", ""}, {"evt.addr.path", "/run/log"}, {"evt.addr.family", "unix"},
	          {"evt.addr.ip", NULL}, {"evt.addr", "/run/log"});
	unix_event(&f, EVENT_bind, 0, "/run/my.sock", none, 0);
	fixture_end(&f);
	check(&f, "fd.name", "/run/my.sock");
	unix_event(&f, EVENT_accept, 7, "/run/my.sock", none, 0xffff8882);
	fixture_end(&f);
	check(&f, "fd.name", "ffff8882->ffff8881 /run/my.sock");
	unix_event(&f, EVENT_sendto, 5, NULL, none, 0);
	put_text(&f, "addr", str_make((const char *)&un, sizeof(un)));
	fixture_end(&f);
	check(&f, "fd.name", "0->0 /run/log");
	fixture_done(&f);
}

/* differences.md: an abstract name is its own bytes and no more. */
static void abstract_names(void **unused)
{
	(void)unused;
	struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "\0spy"};
	struct fixture f;
	fixture_init(&f);
	unix_event(&f, EVENT_connect, 0, NULL, STR("\0spy"), 0xffff8882);
	put_text(&f, "addr", str_make((const char *)&un, sizeof(sa_family_t) + 4));
	fixture_end(&f);
	check_all(&f, {"fd.name", "ffff8881->ffff8882 spy"}, {"evt.addr.path", "@spy"}, {"evt.arg.addr", "spy"});
	fixture_done(&f);
}

static void syslog_socket(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	unix_event(&f, EVENT_sendto, 5, NULL, STR("/run/systemd/journal/dev/log"), 0xffff8882);
	fixture_end(&f);
	check_all(&f, {"evt.is_syslog", "true"}, {"evt.buflen", "5"}, {"evt.buflen.net", NULL});
	fixture_done(&f);
}

static void other_families(void **unused)
{
	(void)unused;
	static const struct {
		uint8_t kind;
		uint16_t family;
		const char *type, *letter;
	} cases[] = {{FD_NETLINK, AF_NETLINK, "netlink", "n"},
	             {FD_PACKET, AF_PACKET, "<NA>", "o"},
	             {FD_VSOCK, AF_VSOCK, "<NA>", "o"},
	             {FD_SOCKET, AF_ALG, "<NA>", "o"}};
	struct fixture f;
	fixture_init(&f);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fd_info fd = {.number = 7, .kind = cases[i].kind};
		struct sock_info s = {.family = cases[i].family, .type = SOCK_RAW};
		fixture_begin(&f, EVENT_sendto, 300)->result = 1;
		put_fd(&f, &fd, NULL, &s);
		fixture_end(&f);
		check(&f, "fd.type", cases[i].type);
		check(&f, "fd.typechar", cases[i].letter);
		check(&f, "fd.name", "");
		check(&f, "fd.sip", NULL);
		check(&f, "fd.l4proto", "<NA>");
		check(&f, "fd.sockfamily", NULL);
	}
	fixture_done(&f);
}

/* Whatever bytes a caller gives as an address. */
static void malformed_addresses(void **unused)
{
	(void)unused;
	static const struct str addresses[] = {{"", 0},           {"\x02", 1},   {"\x02\0\x01", 3},
	                                       {"\x0a\0\0\0", 4}, {"\x01\0", 2}, {"\xff\xff\0\0\0\0", 6}};
	struct fixture f;
	fixture_init(&f);
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		fixture_begin(&f, EVENT_connect, 300);
		put_text(&f, "addr", addresses[i]);
		fixture_end(&f);
		check_all(&f, {"fd.sip", NULL}, {"evt.addr.ip", NULL}, {"evt.addr.port", NULL},
		          {"evt.addr.path", NULL});
	}
	fixture_done(&f);
}

static void coverage(void **unused)
{
	(void)unused;
	check_coverage("evt.addr", NULL, 0);
	check_coverage("fd.cip", NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(connected_client),
	        cmocka_unit_test(failed_connect),
	        cmocka_unit_test(connect_without_descriptor),
	        cmocka_unit_test(accepted),
	        cmocka_unit_test(bound_and_listening),
	        cmocka_unit_test(ipv6),
	        cmocka_unit_test(ipv6_any_address),
	        cmocka_unit_test(mapped_address_is_ipv4),
	        cmocka_unit_test(loopback_has_two_ends),
	        cmocka_unit_test(datagrams),
	        cmocka_unit_test(address_of_a_stream_is_ignored),
	        cmocka_unit_test(copied_socket),
	        cmocka_unit_test(new_and_raw_sockets),
	        cmocka_unit_test(unix_sockets),
	        cmocka_unit_test(abstract_names),
	        cmocka_unit_test(syslog_socket),
	        cmocka_unit_test(other_families),
	        cmocka_unit_test(malformed_addresses),
	        cmocka_unit_test(coverage), /* last */
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
