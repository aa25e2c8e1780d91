/* SPDX-License-Identifier: Apache-2.0
 *
 * The schema's fingerprint: everything that gives the bytes of a record their meaning, dumped as text and hashed.
 * Categories, sensors and documentation are left out: they change without a record changing.
 */
#include "event/event.h"

static const char *const table_rows[] = {
#define TYPE(name, wire, doc) "type " #name " " #wire,
#include "schema/type.def"
#define EVENT(name, id, category, fduse, fdarg, sensor, flags, doc) "event " #name " " #id " " #fduse,
#define RESULT(event, name, type, doc) "result " #name " " #type,
#define ARG(event, name, type, aux, source, doc) "arg " #name " " #type " " #aux,
#define OWN(event, name, type, aux, source, doc) "own " #name " " #type " " #aux,
#include "schema/event.def"
#define TABLE(table, kind) "table " #table " " #kind,
#define NAME(table, text, kernel, rule) "name " #text " " #kernel,
#include "schema/names.def"
};

/* clang-format off */
static const struct wire_row {
	const char *name;
	unsigned long offset, size;
} wire_rows[] = {
#define S(type) {#type, 0, sizeof(struct type)},
#define M(type, member) {#member, offsetof(struct type, member), sizeof(((struct type *)NULL)->member)},
#define E(value) {#value, (unsigned long)(value), 0},
	S(event_slot)
	M(event_slot, offset) M(event_slot, length)
	E(SLOT_TRUNCATED)
	S(event_path)
	M(event_path, text) M(event_path, base)
	S(event_header)
	M(event_header, length) M(event_header, type) M(event_header, flags) M(event_header, time_ns)
	M(event_header, start_ns) M(event_header, pid) M(event_header, tid) M(event_header, ppid)
	M(event_header, uid) M(event_header, gid) M(event_header, cpu) M(event_header, result) M(event_header, fd)
	M(event_header, root)
	E(EVENT_F_TRUNCATED) E(EVENT_F_MISSING) E(EVENT_F_COMPAT) E(EVENT_F_URING) E(EVENT_F_CONTEXT)
	E(EVENT_F_CHROOT) E(EVENT_F_KTHREAD)
	S(task_state)
	M(task_state, ruid) M(task_state, euid) M(task_state, suid) M(task_state, fsuid) M(task_state, rgid)
	M(task_state, egid) M(task_state, sgid) M(task_state, fsgid) M(task_state, loginuid)
	M(task_state, sessionid) M(task_state, cap_inheritable) M(task_state, cap_permitted)
	M(task_state, cap_effective) M(task_state, cap_bounding) M(task_state, cap_ambient) M(task_state, sid)
	M(task_state, pgid) M(task_state, vpid) M(task_state, vtid) M(task_state, vppid) M(task_state, vsid)
	M(task_state, vpgid) M(task_state, tty) M(task_state, ns_mnt) M(task_state, ns_pid) M(task_state, ns_net)
	M(task_state, ns_user) M(task_state, ns_ipc) M(task_state, ns_uts) M(task_state, ns_cgroup)
	M(task_state, fdlimit) M(task_state, pidns_start) M(task_state, cgroup_id) M(task_state, vm_size)
	M(task_state, vm_rss) M(task_state, vm_swap) M(task_state, faults_major) M(task_state, faults_minor)
	M(task_state, seccomp) M(task_state, no_new_privs)
	S(fd_info)
	M(fd_info, number) M(fd_info, kind) M(fd_info, flags) M(fd_info, mode) M(fd_info, dev) M(fd_info, nlink)
	M(fd_info, ino) M(fd_info, open_flags) M(fd_info, uid) M(fd_info, path) M(fd_info, fspath)
	E(FD_UNKNOWN) E(FD_FILE) E(FD_DIRECTORY) E(FD_IPV4) E(FD_IPV6) E(FD_UNIX) E(FD_PIPE) E(FD_EVENT)
	E(FD_SIGNAL) E(FD_EPOLL) E(FD_INOTIFY) E(FD_TIMER) E(FD_NETLINK) E(FD_BPF) E(FD_USERFAULT) E(FD_URING)
	E(FD_MEMFD) E(FD_PIDFD) E(FD_PACKET) E(FD_VSOCK) E(FD_SOCKET) E(FD_F_UPPER) E(FD_F_LOWER) E(FD_F_DELETED)
	E(FD_F_BIND) E(FD_F_CREATED) E(FD_F_CONNECTED) E(FD_F_LISTENING)
	S(sock_info)
	M(sock_info, family) M(sock_info, type) M(sock_info, protocol) M(sock_info, state) M(sock_info, local_port)
	M(sock_info, remote_port) M(sock_info, local_addr) M(sock_info, remote_addr) M(sock_info, peer_path)
	M(sock_info, local_ptr) M(sock_info, remote_ptr)
#undef S
#undef M
#undef E
};
/* clang-format on */

static uint64_t fnv1a(uint64_t hash, const void *data, size_t length)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3ull;
	return hash;
}

static uint64_t hash_line(uint64_t hash, const char *text)
{
	return fnv1a(fnv1a(hash, text, strlen(text)), "\n", 1);
}

static uint64_t hash_number(uint64_t hash, unsigned long n)
{
	uint8_t bytes[8];

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)((uint64_t)n >> (8 * i));
	return fnv1a(hash, bytes, sizeof(bytes));
}

uint64_t event_schema_fingerprint(void)
{
	uint64_t hash = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < ARRAY_SIZE(table_rows); i++)
		hash = hash_line(hash, table_rows[i]);
	for (size_t i = 0; i < ARRAY_SIZE(wire_rows); i++) {
		hash = hash_line(hash, wire_rows[i].name);
		hash = hash_number(hash, wire_rows[i].offset);
		hash = hash_number(hash, wire_rows[i].size);
	}
	return hash;
}
