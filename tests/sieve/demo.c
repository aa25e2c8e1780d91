/* SPDX-License-Identifier: Apache-2.0
 *
 * What tests/demo does by a program of its own, which lies beside this one.
 */
#include <stdio.h>
#include <unistd.h>

#include "sieve.h"

static void thing(const char *name)
{
	char path[300];
	ssize_t length = MUST(readlink("/proc/self/exe", path, sizeof(path) - 1));
	path[length] = '\0';
	char *slash = strrchr(path, '/');
	snprintf(slash, sizeof(path) - (size_t)(slash - path), "/things");
	if (access(path, X_OK) < 0)
		act_skip("no %s", path);
	act_run(path, "things", name, NULL);
}

#define THING(function, argument) \
	static void function(void) \
	{ \
		thing(argument); \
	}
THING(handle, "handle")
THING(rename_itself, "rename")
THING(memory, "memory")
THING(udp_shell, "udp-shell")
THING(server, "server")
THING(cron, "cron")
THING(inject, "inject")
THING(bpf, "bpf")
THING(log_cut, "log-cut")

#define CASE(function, text, rule) \
	{ \
		.name = "demo_" #function, text, rule, {{NULL, NULL}}, function, NULL, NULL \
	}
const struct evasion demo_cases[] = {
        CASE(handle, "a file opened by its handle", "Password hashes read"),
        CASE(rename_itself, "a process that renames itself", "Process renamed itself to a name of the system"),
        CASE(memory, "a program in memory", "Program run from memory"),
        CASE(udp_shell, "a shell at a socket", "Network connection became standard input or output"),
        CASE(server, "a shell below a server", "Shell under a web server"),
        CASE(cron, "a scheduled job", "Scheduled job put in place"),
        CASE(inject, "code in another process", "Code put into another process"),
        CASE(bpf, "a program in the kernel", "BPF program loaded by an unknown program"),
        CASE(log_cut, "a log that is cut", "System log removed or cut"),
        EVASIONS_END,
};
