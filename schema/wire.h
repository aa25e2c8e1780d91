/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause
 *
 * The record that the kernel half writes and the user half reads: a header, then one member per row of event.def in
 * its order (8 bytes, or 16 for a path), then the tail: the bytes that the slots name. Nothing has holes, so both
 * compilers agree. All in the machine's byte order.
 */
#ifndef PICKET_SCHEMA_WIRE_H
#define PICKET_SCHEMA_WIRE_H

#include <linux/types.h>

#define EVENT_PATH_MAX 4096          /* bytes of one path, without NUL */
#define EVENT_ARGV_MAX 32768         /* bytes of argv, and of environ, NULs between */
#define EVENT_ARGS_MAX 8             /* wire members that a generic syscall sensor fills */
#define EVENT_RECORD_MAX (128 * 1024) /* longest record */

/* Bytes in the record's tail. offset counts from the record's start; 0: not read (missing). The top bit of length
 * says that the text was longer than its limit and is cut. Text carries no NUL at its end; argv and environ keep the
 * NULs between their strings. */
#define SLOT_TRUNCATED (1u << 31)
struct event_slot {
	__u32 offset;
	__u32 length;
};

/* A path as a call named it, and the directory that it is relative to (missing if text is absolute). */
struct event_path {
	struct event_slot text;
	struct event_slot base;
};

enum event_flag {
	EVENT_F_TRUNCATED = 1 << 0, /* some slot is cut */
	EVENT_F_MISSING = 1 << 1,   /* something could not be read: a slot is missing or a number is 0 */
	EVENT_F_COMPAT = 1 << 2,    /* a 32-bit call on a 64-bit kernel */
	EVENT_F_URING = 1 << 3,     /* done by io_uring for the process */
	EVENT_F_CONTEXT = 1 << 4,   /* keeps the tables true, is not judged by rules */
	EVENT_F_CHROOT = 1 << 5,    /* the task's root is not its mount namespace's: see .root of path events */
	EVENT_F_KTHREAD = 1 << 6,   /* acting task is a kernel thread */
};

struct event_header {
	__u32 length; /* of the record, this header included */
	__u16 type;   /* enum event_type */
	__u16 flags;  /* enum event_flag */
	__u64 time_ns;  /* CLOCK_BOOTTIME */
	__u64 start_ns; /* boot time of the process's start; with pid, the process's key */
	__u32 pid;      /* thread group, initial pid namespace */
	__u32 tid;
	__u32 ppid; /* thread group of the real parent */
	__u32 uid;  /* effective, initial user namespace */
	__u32 gid;
	__u32 cpu;
	__s64 result;         /* what the call returned; 0 where nothing returns */
	struct event_slot fd; /* struct fd_info of the event's fd; missing if it has none or it could not be found */
	struct event_slot root; /* path of the task's root directory, only with EVENT_F_CHROOT */
};

/* What is known of a task apart from its names: credentials, ids, namespaces. The argument "creds" of some events. */
struct task_state {
	__u32 ruid, euid, suid, fsuid;
	__u32 rgid, egid, sgid, fsgid;
	__u32 loginuid;  /* audit; 2^32-1: unset */
	__u32 sessionid; /* audit; 2^32-1: unset */
	__u64 cap_inheritable, cap_permitted, cap_effective, cap_bounding, cap_ambient;
	__u32 sid, pgid;   /* initial pid namespace */
	__u32 vpid, vtid, vppid, vsid, vpgid; /* innermost pid namespace of the task */
	__u32 tty;         /* major * 256 + minor of the controlling terminal; 0: none */
	__u32 ns_mnt, ns_pid, ns_net, ns_user, ns_ipc, ns_uts, ns_cgroup; /* inode numbers */
	__u32 fdlimit;     /* soft RLIMIT_NOFILE */
	__u64 pidns_start; /* boot time of the start of its pid namespace's init, ns */
	__u64 cgroup_id;   /* default hierarchy */
	__u64 vm_size, vm_rss, vm_swap; /* kB */
	__u64 faults_major, faults_minor;
	__u32 seccomp;     /* mode: 0, 1 strict, 2 filter */
	__u32 no_new_privs;
};

enum fd_kind {
	FD_UNKNOWN, FD_FILE, FD_DIRECTORY, FD_IPV4, FD_IPV6, FD_UNIX, FD_PIPE, FD_EVENT, FD_SIGNAL, FD_EPOLL, FD_INOTIFY,
	FD_TIMER, FD_NETLINK, FD_BPF, FD_USERFAULT, FD_URING, FD_MEMFD, FD_PIDFD, FD_PACKET, FD_VSOCK, FD_SOCKET, /* other family */
};

enum fd_flag {
	FD_F_UPPER = 1 << 0,     /* overlayfs: in the upper layer */
	FD_F_LOWER = 1 << 1,     /* overlayfs: only in a lower layer */
	FD_F_DELETED = 1 << 2,   /* no name any more */
	FD_F_BIND = 1 << 3,      /* reached through a mount of a part of a file system: see fspath */
	FD_F_CREATED = 1 << 4,   /* this call created the file */
	FD_F_CONNECTED = 1 << 5, /* socket: has a peer */
	FD_F_LISTENING = 1 << 6,
};

/* What the kernel knows of an open file. Followed directly by struct sock_info if kind is a socket's. */
struct fd_info {
	__s32 number;  /* the descriptor */
	__u8 kind;     /* enum fd_kind */
	__u8 flags;    /* enum fd_flag */
	__u16 mode;    /* i_mode */
	__u32 dev;     /* major << 20 | minor, as the kernel holds it */
	__u32 nlink;
	__u64 ino;
	__u32 open_flags; /* f_flags: the kernel's O_* */
	__u32 uid;        /* owner of the inode */
	struct event_slot path;   /* as seen from the mount namespace's root; memfd: its name; "[eventpoll]" …;
	                             unix socket: its own bound name (abstract: leading NUL kept) */
	struct event_slot fspath; /* from the file system's root, only with FD_F_BIND */
};

struct sock_info {
	__u16 family;
	__u16 type;     /* SOCK_STREAM … */
	__u16 protocol; /* IPPROTO_* or netlink protocol */
	__u16 state;    /* kernel's TCP_* state */
	__u16 local_port;  /* host order; vsock: low 16 bits, whole in addr bytes 4..7 */
	__u16 remote_port;
	__u32 pad;
	__u8 local_addr[16];  /* IPv4 in the first 4 bytes; vsock: cid (u32), port (u32) */
	__u8 remote_addr[16];
	struct event_slot peer_path; /* unix: name of the peer */
	__u64 local_ptr;  /* unix: this socket's and the peer's identity */
	__u64 remote_ptr;
};

#endif
