/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections of many kinds, in a network of their own: by IPv4, IPv6 and IPv4 through IPv6, to ports where somebody waits and
 * where nobody does, by sockets that wait for the answer and such that do not, by streams and by datagrams.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "sieve.h"

#define CASE_ACTIONS 1500
#define CLIENT_PORT 1023
#define WAIT_MS 1000
#define TOLD_US 500000 /* until picket has told the kernel which rules can match the process */

/* Where somebody waits: at these for all addresses; nobody at the last. */
static const uint16_t ports[] = {22, 443, 4444, 8080, 9};
#define SERVERS 4
static int servers[SERVERS];

static const char *const addresses[] = {"127.0.0.1", "127.0.0.9", "::1", "::ffff:127.0.0.1", "::ffff:127.0.0.9"};

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
};

static socklen_t address_make(const char *text, uint16_t port, union address *ret_address)
{
	*ret_address = (union address){.in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)}};
	if (inet_pton(AF_INET6, text, &ret_address->in6.sin6_addr) == 1)
		return sizeof(ret_address->in6);
	*ret_address = (union address){.in = {.sin_family = AF_INET, .sin_port = htons(port)}};
	inet_pton(AF_INET, text, &ret_address->in.sin_addr);
	return sizeof(ret_address->in);
}

static void serve(void)
{
	union address address;
	for (size_t i = 0; i < SERVERS; i++) {
		servers[i] = (int)MUST(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
		socklen_t length = address_make("::", ports[i], &address);
		MUST(setsockopt(servers[i], SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)));
		MUST(bind(servers[i], &address.any, length));
		MUST(listen(servers[i], 16));
	}
}

/* What is under way has come to its end then, so that it goes the same way each time. */
static void wait_for(int fd, short events)
{
	(void)!poll(&(struct pollfd){.fd = fd, .events = events}, 1, WAIT_MS);
}

static void accept_from(uint16_t port)
{
	union address from;
	socklen_t length = sizeof(from);
	for (size_t i = 0; i < SERVERS; i++) {
		if (ports[i] != port)
			continue;
		wait_for(servers[i], POLLIN);
		int fd = random_below(2) ? accept4(servers[i], &from.any, &length, SOCK_CLOEXEC)
		                         : accept(servers[i], NULL, NULL);
		if (fd >= 0)
			close(fd);
	}
}

static void bind_some(int fd, int family)
{
	union address own;
	socklen_t length = address_make(family == AF_INET ? "0.0.0.0" : "::", CLIENT_PORT, &own);
	(void)!setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	(void)!bind(fd, &own.any, length);
}

static void linger_not(int fd)
{
	const struct linger none = {.l_onoff = 1, .l_linger = 0};
	(void)!setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
}

static void connect_some(void)
{
	static const int types[] = {SOCK_STREAM, SOCK_STREAM, SOCK_DGRAM, SOCK_RAW};
	const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
	const char *text = addresses[random_below(ARRAY_SIZE(addresses))];
	uint16_t port = ports[random_below(ARRAY_SIZE(ports))];
	union address to;
	socklen_t length = address_make(text, port, &to);
	int type = types[random_below(ARRAY_SIZE(types))];
	int fd = socket(to.any.sa_family, type | SOCK_CLOEXEC | (random_below(2) ? SOCK_NONBLOCK : 0),
	                type == SOCK_RAW ? IPPROTO_ICMP : 0);
	if (fd < 0)
		return;
	if (random_below(4) == 0)
		bind_some(fd, to.any.sa_family);
	linger_not(fd);
	for (unsigned times = 1 + random_below(3); times > 0; times--) { /* again: it is connected already */
		if (connect(fd, &to.any, length) < 0 && errno == EINPROGRESS)
			wait_for(fd, POLLOUT);
	}
	length = sizeof(to);
	if (type == SOCK_STREAM && getpeername(fd, &to.any, &length) == 0)
		accept_from(port);
	if (random_below(4) == 0)
		(void)!connect(fd, &nowhere, sizeof(nowhere));
	close(fd);
}

static void connect_unix(void)
{
	union address to = {.un = {.sun_family = AF_UNIX}};
	snprintf(to.un.sun_path, sizeof(to.un.sun_path), "/run/sieve-%u.sock", random_below(3));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)!connect(fd, &to.any, sizeof(to.un));
	close(fd);
}

/* A descriptor that is none, or no socket. */
static void connect_wrongly(void)
{
	union address to;
	socklen_t length = address_make(addresses[0], ports[0], &to);
	(void)!connect(random_below(2) ? -1 : STDIN_FILENO, &to.any, random_below(2) ? length : 1);
}

static void act_some(void)
{
	random_begin((uint64_t)atoi(act_argument()));
	act_private_network();
	serve();
	for (unsigned i = 0; i < CASE_ACTIONS; i++) {
		unsigned what = random_below(20);
		if (i == CASE_ACTIONS / 4)
			usleep(TOLD_US);
		if (what == 0)
			connect_unix();
		else if (what == 1)
			connect_wrongly();
		else
			connect_some();
	}
}

/* From where programs are that no rule minds to connect: else all would pass. */
static void run_copy(const char *name, const char *seed)
{
	act_private_mounts();
	act_tmpfs("/opt");
	act_copy("/proc/self/exe", "/opt/connect", 0755);
	act_run("/opt/connect", "connect", "--act", name, "again", seed, NULL);
}

#define CASE(number) \
	static void connect_##number(void) \
	{ \
		run_copy("connect-" #number, #number); \
	}
CASE(1)
CASE(2)
#undef CASE

#define CASE(number) \
	{ \
		.name = "connect-" #number, .what = "connections of many kinds", "Sieve: port of a server", \
		{{NULL, NULL}}, connect_##number, NULL, act_some \
	}
const struct evasion connect_cases[] = {CASE(1), CASE(2), EVASIONS_END};
