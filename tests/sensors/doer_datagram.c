/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages: UDP with and without a connection, unix datagrams, netlink.
 */
#include "doer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

struct ends {
	long server, client;
	struct sockaddr_in address;
};

static unsigned port_of(long fd)
{
	struct sockaddr_in a = {};
	socklen_t length = sizeof(a);

	MUST(getsockname((int)fd, (void *)&a, &length));
	return ntohs(a.sin_port);
}

static struct ends open_ends(void)
{
	struct ends e = {.address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}}};

	e.server = MUST(syscall(SYS_socket, AF_INET, SOCK_DGRAM, 0));
	MUST(syscall(SYS_bind, e.server, &e.address, sizeof(e.address)));
	e.client = MUST(syscall(SYS_socket, AF_INET, SOCK_DGRAM, 0));
	e.address.sin_port = htons((uint16_t)port_of(e.server));
	note("port", "%u", port_of(e.server));
	done("server", e.server);
	done("client", e.client);
	return e;
}

static void do_udp(int argc, char **argv)
{
	struct ends e = open_ends();
	struct sockaddr_in peer = {};
	socklen_t length = sizeof(peer);
	char text[64];

	(void)argc;
	(void)argv;
	CALL("sent", sendto, e.client, "message", 7, 0, &e.address, sizeof(e.address));
	note("client_port", "%u", port_of(e.client));
	CALL("received", recvfrom, e.server, text, sizeof(text), 0, &peer, &length);
	CALL("unaddressed", sendto, e.client, "message", 7, 0, NULL, 0);
	CALL("empty", recvfrom, e.server, text, sizeof(text), MSG_DONTWAIT, NULL, NULL);
}

static void do_udp_connected(int argc, char **argv)
{
	struct ends e = open_ends();
	char text[64];

	(void)argc;
	(void)argv;
	CALL("connect", connect, e.client, &e.address, sizeof(e.address));
	note("client_port", "%u", port_of(e.client));
	CALL("sent", sendto, e.client, "message", 7, 0, NULL, 0);
	CALL("received", recvfrom, e.server, text, sizeof(text), 0, NULL, NULL);
}

static void do_sendmsg(int argc, char **argv)
{
	struct ends e = open_ends();
	char text[64];
	struct sockaddr_in peer = {};
	struct iovec out = {"a message", 9}, in = {text, sizeof(text)};
	struct msghdr to = {.msg_name = &e.address, .msg_namelen = sizeof(e.address), .msg_iov = &out, .msg_iovlen = 1};
	struct msghdr from = {.msg_name = &peer, .msg_namelen = sizeof(peer), .msg_iov = &in, .msg_iovlen = 1};

	(void)argc;
	(void)argv;
	CALL("sent", sendmsg, e.client, &to, 0);
	note("client_port", "%u", port_of(e.client));
	CALL("received", recvmsg, e.server, &from, 0);
	CALL("empty", recvmsg, e.server, &from, MSG_DONTWAIT);
	CALL("fault", sendmsg, e.client, (void *)8, 0);
}

static void do_sendmmsg(int argc, char **argv)
{
	struct ends e = open_ends();
	char text[2][64];
	struct sockaddr_in peers[2] = {};
	struct iovec out[2] = {{"first one", 9}, {"two", 3}}, in[2] = {{text[0], 64}, {text[1], 64}};
	struct mmsghdr to[2] = {}, from[2] = {};

	(void)argc;
	(void)argv;
	for (int i = 0; i < 2; i++) {
		to[i].msg_hdr = (struct msghdr){
		        .msg_name = &e.address, .msg_namelen = sizeof(e.address), .msg_iov = &out[i], .msg_iovlen = 1};
		from[i].msg_hdr = (struct msghdr){
		        .msg_name = &peers[i], .msg_namelen = sizeof(peers[i]), .msg_iov = &in[i], .msg_iovlen = 1};
	}
	CALL("sent", sendmmsg, e.client, to, 2, 0);
	note("client_port", "%u", port_of(e.client));
	CALL("received", recvmmsg, e.server, from, 2, 0, NULL);
	CALL("empty", recvmmsg, e.server, from, 2, MSG_DONTWAIT, NULL);
}

static void do_unix_datagram(int argc, char **argv)
{
	struct sockaddr_un server = {.sun_family = AF_UNIX, .sun_path = "server"};
	struct sockaddr_un client = {.sun_family = AF_UNIX, .sun_path = "client"};
	struct sockaddr_un peer = {};
	socklen_t length = sizeof(peer);
	char text[64];

	(void)argc;
	(void)argv;
	long s = CALL("server", socket, AF_UNIX, SOCK_DGRAM, 0);
	MUST(syscall(SYS_bind, s, &server, sizeof(server)));
	long c = CALL("client", socket, AF_UNIX, SOCK_DGRAM, 0);
	MUST(syscall(SYS_bind, c, &client, sizeof(client)));
	CALL("sent", sendto, c, "message", 7, 0, &server, sizeof(server));
	CALL("received", recvfrom, s, text, sizeof(text), 0, &peer, &length);
}

static void do_netlink(int argc, char **argv)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

	(void)argc;
	(void)argv;
	long fd = CALL("fd", socket, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	CALL("bind", bind, fd, &kernel, sizeof(kernel));
	CALL("connect", connect, fd, &kernel, sizeof(kernel));
}

const struct command datagram_commands[] = {
        {"udp", do_udp},
        {"udp-connected", do_udp_connected},
        {"sendmsg", do_sendmsg},
        {"sendmmsg", do_sendmmsg},
        {"unix-datagram", do_unix_datagram},
        {"netlink", do_netlink},
        COMMANDS_END,
};
