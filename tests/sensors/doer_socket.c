/* SPDX-License-Identifier: Apache-2.0
 *
 * Sockets that connect: TCP over IPv4 and IPv6 on the loopback device, unix, and other families.
 */
#include "doer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

/* ---- families ---- */
static void do_socket(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	CALL("inet", socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
	CALL("inet6", socket, AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	CALL("unix", socket, AF_UNIX, SOCK_SEQPACKET, 0);
	CALL("netlink", socket, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	CALL("raw", socket, AF_INET, SOCK_RAW, IPPROTO_ICMP);
	CALL("nofamily", socket, 44, SOCK_STREAM, 0);
}

static void do_socket_packet(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	if (CALL("packet", socket, AF_PACKET, SOCK_RAW, 0) < 0)
		skip("no packet sockets: %s", strerror(errno));
}

static void do_socket_vsock(int argc, char **argv)
{
	struct sockaddr_vm to = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_HOST, .svm_port = 0x12345};
	struct sockaddr_vm own = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = 0x54321};

	(void)argc;
	(void)argv;
	long fd = CALL("vsock", socket, AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (fd < 0)
		skip("no vsock: %s", strerror(errno));
	CALL("bind", bind, fd, &own, sizeof(own));
	CALL("connect", connect, fd, &to, sizeof(to));
}

static void do_socketpair(int argc, char **argv)
{
	int pair[2] = {-1, -1};

	(void)argc;
	(void)argv;
	CALL("pair", socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
	note("second", "%d", pair[1]);
	CALL("shutdown", shutdown, pair[0], SHUT_RDWR);
	CALL("bad", socketpair, AF_INET, SOCK_STREAM, 0, pair);
	CALL("badfd", shutdown, 999, SHUT_WR);
}

/* ---- TCP ---- */
static unsigned port_of(long fd)
{
	struct sockaddr_in6 a = {};
	socklen_t length = sizeof(a);

	MUST(getsockname((int)fd, (void *)&a, &length));
	return ntohs(a.sin6_port); /* in the same place for IPv4 */
}

static void serve_once(long listener, bool with_flags)
{
	struct sockaddr_storage peer;
	socklen_t length = sizeof(peer);
	long fd = -1;

#if defined(SYS_accept)
	if (!with_flags)
		fd = CALL("accepted", accept, listener, &peer, &length);
#endif
	if (with_flags)
		fd = CALL("accepted", accept4, listener, &peer, &length, SOCK_CLOEXEC);
	close_quietly(fd);
}

static void tcp(const struct sockaddr *address, socklen_t length, const struct sockaddr *target,
                socklen_t target_length, in_port_t *target_port, bool with_flags)
{
	long listener = CALL("listener", socket, address->sa_family, SOCK_STREAM, 0);
	if (listener < 0)
		skip("no such sockets: %s", strerror(errno));
	long client = CALL("client", socket, target->sa_family, SOCK_STREAM, 0);
	if (CALL("bind", bind, listener, address, length) < 0)
		skip("no such address: %s", strerror(errno));
	CALL("listen", listen, listener, 7);
	note("port", "%u", port_of(listener));
	*target_port = htons((uint16_t)port_of(listener));
	CALL("connect", connect, client, target, target_length);
	note("client_port", "%u", port_of(client));
	serve_once(listener, with_flags);
	close_quietly(client);
	close_quietly(listener);
}

static void do_tcp4(int argc, char **argv)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}}, to = a;

	(void)argc;
	(void)argv;
	tcp((void *)&a, sizeof(a), (void *)&to, sizeof(to), &to.sin_port, false);
}

static void do_tcp6(int argc, char **argv)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT}, to = a;

	(void)argc;
	(void)argv;
	tcp((void *)&a, sizeof(a), (void *)&to, sizeof(to), &to.sin6_port, true);
}

/* An IPv6 socket that reaches IPv4. */
static void do_tcp_mapped(int argc, char **argv)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT}, to = any;

	(void)argc;
	(void)argv;
	MUST(inet_pton(AF_INET6, "::ffff:127.0.0.1", &to.sin6_addr) - 1);
	tcp((void *)&any, sizeof(any), (void *)&to, sizeof(to), &to.sin6_port, true);
}

static void do_connect_fails(int argc, char **argv)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_port = htons(1)};
	struct sockaddr_un nobody = {.sun_family = AF_UNIX, .sun_path = "nobody"};

	(void)argc;
	(void)argv;
	long fd = CALL("fd", socket, AF_INET, SOCK_STREAM, 0);
	CALL("refused", connect, fd, &to, sizeof(to));
	CALL("badfd", connect, 999, &to, sizeof(to));
	long local = CALL("local", socket, AF_UNIX, SOCK_STREAM, 0);
	CALL("nobody", connect, local, &nobody, sizeof(nobody));
	int pipe_fds[2];
	MUST(pipe2(pipe_fds, O_CLOEXEC));
	note("pipe", "%d", pipe_fds[0]);
	CALL("notsocket", connect, pipe_fds[0], &to, sizeof(to));
	CALL("fault", connect, fd, (void *)8, sizeof(to));
	CALL("short", connect, fd, &to, 1);
}

static void do_connect_nonblocking(int argc, char **argv)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};

	(void)argc;
	(void)argv;
	long listener = MUST(syscall(SYS_socket, AF_INET, SOCK_STREAM, 0));
	MUST(syscall(SYS_bind, listener, &a, sizeof(a)));
	MUST(syscall(SYS_listen, listener, 1));
	a.sin_port = htons((uint16_t)port_of(listener));
	note("port", "%u", port_of(listener));
	long fd = CALL("client", socket, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CALL("connect", connect, fd, &a, sizeof(a));
	note("client_port", "%u", port_of(fd));
	MUST(fcntl((int)listener, F_SETFL, O_NONBLOCK));
	CALL("accept", accept4, listener, NULL, NULL, 0);
	CALL("again", accept4, listener, NULL, NULL, 0);
}

/* ---- unix ---- */
static void unix_stream(const char *name, size_t length)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);

	memcpy(a.sun_path, name, length);
	long listener = MUST(syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0));
	done("listener", listener);
	CALL("bind", bind, listener, &a, size);
	CALL("listen", listen, listener, 3);
	long client = CALL("client", socket, AF_UNIX, SOCK_STREAM, 0);
	CALL("connect", connect, client, &a, size);
	serve_once(listener, true);
	long bound = MUST(syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0));
	CALL("again", bind, bound, &a, size);
}

static void do_unix_path(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	unix_stream("a.sock", sizeof("a.sock"));
}

static void do_unix_abstract(int argc, char **argv)
{
	char name[40];

	(void)argc;
	(void)argv;
	int length = snprintf(name, sizeof(name), "%cpicket-%d", 0, getpid());
	note("name", "%s", name + 1);
	unix_stream(name, (size_t)length);
}

const struct command socket_commands[] = {
        {"socket", do_socket},
        {"socket-packet", do_socket_packet},
        {"socket-vsock", do_socket_vsock},
        {"socketpair", do_socketpair},
        {"tcp4", do_tcp4},
        {"tcp6", do_tcp6},
        {"tcp-mapped", do_tcp_mapped},
        {"connect-fails", do_connect_fails},
        {"connect-nonblocking", do_connect_nonblocking},
        {"unix-path", do_unix_path},
        {"unix-abstract", do_unix_abstract},
        COMMANDS_END,
};
