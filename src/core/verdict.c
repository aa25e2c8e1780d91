/* SPDX-License-Identifier: Apache-2.0 */
#include "core/verdict.h"

#include <sys/socket.h>

#include "guard/policy.h"

const char *verdict_kind_name(uint32_t kind)
{
	static const char *const names[] = {[GUARD_ACTED] = "acted",
	                                    [GUARD_WOULD_ACT] = "would-act",
	                                    [GUARD_MATCHED] = "matched",
	                                    [GUARD_TRIPPED] = "over-budget",
	                                    [GUARD_ENDED] = "too-late"};
	return kind < ARRAY_SIZE(names) ? names[kind] : NULL;
}

const char *verdict_point_name(uint32_t point)
{
	static const char *const names[] = {
	        [GUARD_AT_EXEC] = "exec",
	        [GUARD_AT_CONNECT] = "connect",
	        [GUARD_AT_BIND] = "bind",
	        [GUARD_AT_SENDMSG] = "sendmsg",
	        [GUARD_AT_EXEC_CHECK] = "exec",
	        [GUARD_AT_FILE_OPEN] = "file-open",
	        [GUARD_AT_FILE_WRITE] = "file-write",
	        [GUARD_AT_FILE_RENAME] = "file-rename",
	        [GUARD_AT_FILE_UNLINK] = "file-unlink",
	        [GUARD_AT_PTRACE] = "ptrace",
	        [GUARD_AT_MODULE_LOAD] = "module-load",
	        [GUARD_AT_BPF_LOAD] = "bpf-load",
	        [GUARD_AT_MOUNT] = "mount",
	        [GUARD_AT_SETNS] = "setns",
	        [GUARD_AT_DEVICE] = "device",
	        [GUARD_AT_SYSCTL_WRITE] = "sysctl-write",
	        [GUARD_AT_FORK] = "fork",
	        [GUARD_AT_FORK_DONE] = "fork",
	};
	_Static_assert(ARRAY_SIZE(names) == GUARD_POINTS, "each has a name");
	if (point >= GUARD_AFTER && point < GUARD_AFTER + POINT_COUNT)
		return policy_point_name((enum policy_point)(point - GUARD_AFTER));
	return point < ARRAY_SIZE(names) ? names[point] : NULL;
}

bool verdict_address(const struct guard_verdict *v, struct ip *ret_address)
{
	bool v4 = v->family == AF_INET;
	struct ip ip = {.family = v4 ? 4 : 6, .prefix = v4 ? 32 : 128};
	if (!v->family)
		return false;
	memcpy(ip.bytes, v4 ? v->address + 12 : v->address, v4 ? 4 : 16);
	*ret_address = ip;
	return true;
}

void verdict_add_endpoint(const struct guard_verdict *v, struct buf *out)
{
	struct ip ip;
	if (!verdict_address(v, &ip))
		return;
	buf_add_text(out, ip.family == 6 ? "[" : "");
	ip_add_text(&ip, out);
	buf_printf(out, "%s:%u", ip.family == 6 ? "]" : "", v->port);
}

struct str verdict_program(const struct guard_verdict *v)
{
	return str_make(v->name, strnlen(v->name, sizeof(v->name)));
}

struct str verdict_path(const struct guard_verdict *v)
{
	return str_make(v->path, strnlen(v->path, sizeof(v->path)));
}

void verdict_add_device(const struct guard_verdict *v, struct buf *out)
{
	if (v->device)
		buf_printf(out, "%c %u:%u", (char)(v->device >> 40), (unsigned)(v->device >> 20 & 0xfffff),
		           (unsigned)(v->device & 0xfffff));
}

void verdict_add_deed(const struct guard_verdict *v, struct buf *out)
{
	buf_printf(out, "%s of ", verdict_point_name(v->point));
	value_add_printable(verdict_program(v), 0, out);
	buf_printf(out, "[%u]", v->tgid);
	if (verdict_path(v).length) {
		buf_add_text(out, ", ");
		value_add_printable(verdict_path(v), 0, out);
	}
	if (v->device)
		buf_add_text(out, ", ");
	verdict_add_device(v, out);
	if (!v->family)
		return;
	buf_add_text(out, v->point == GUARD_AT_BIND ? ", " : " to ");
	verdict_add_endpoint(v, out);
}
