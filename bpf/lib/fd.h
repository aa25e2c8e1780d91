/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * What a descriptor of the current process refers to: struct fd_info and struct sock_info, from the file itself.
 */
#ifndef PICKET_BPF_FD_H
#define PICKET_BPF_FD_H

#include "path.h"

#define ANON_INODE_FS_MAGIC 0x09041934
#define PID_FS_MAGIC 0x50494446
#define NSFS_MAGIC 0x6e736673
#define OVERLAYFS_SUPER_MAGIC 0x794c7630
#define TMPFS_MAGIC 0x01021994
#define HUGETLBFS_MAGIC 0x958458f6
#define FMODE_CREATED 0x100000
#define NS_PER_S 1000000000ull
#define SOCK_TCP_ESTABLISHED 1
#define SOCK_TCP_LISTEN 10

static __always_inline struct file *fd_file(struct task_struct *task, __s64 fd)
{
	struct fdtable *table = READ_POINTER(task, files)->fdt;
	struct file **files;

	if (fd < 0 || fd >= READ(fdtable, table, max_fds))
		return NULL;
	files = READ(fdtable, table, fd);
	files += fd;
	return (struct file *)READ_WORD(files);
}

/* The address of a descriptor's struct sock; 0: it is no socket. */
static __always_inline __u64 fd_socket(struct task_struct *task, __s64 fd)
{
	struct file *file = fd_file(task, fd);
	struct socket *socket;

	if (!file || (READ_ALONG(file, file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	socket = READ(file, file, private_data);
	return READ_ADDRESS(socket, socket, sk);
}

/* Kinds that have no place in a tree, by the first bytes of their name. */
static __always_inline __u8 fd_anonymous_kind(const char name[8])
{
	switch (*(const __u64 *)name) {
#define FIRST8(a, b, c, d, e, f, g, h) \
	((__u64)a | (__u64)b << 8 | (__u64)c << 16 | (__u64)d << 24 | (__u64)e << 32 | (__u64)f << 40 | \
	 (__u64)g << 48 | (__u64)h << 56)
	case FIRST8('[', 'e', 'v', 'e', 'n', 't', 'f', 'd'):
		return FD_EVENT;
	case FIRST8('[', 'e', 'v', 'e', 'n', 't', 'p', 'o'):
		return FD_EPOLL;
	case FIRST8('[', 's', 'i', 'g', 'n', 'a', 'l', 'f'):
		return FD_SIGNAL;
	case FIRST8('[', 't', 'i', 'm', 'e', 'r', 'f', 'd'):
		return FD_TIMER;
	case FIRST8('[', 'u', 's', 'e', 'r', 'f', 'a', 'u'):
		return FD_USERFAULT;
	case FIRST8('[', 'i', 'o', '_', 'u', 'r', 'i', 'n'):
		return FD_URING;
	case FIRST8('[', 'p', 'i', 'd', 'f', 'd', ']', 0):
		return FD_PIDFD;
	case FIRST8('i', 'n', 'o', 't', 'i', 'f', 'y', 0):
		return FD_INOTIFY;
	case FIRST8('b', 'p', 'f', '-', 'm', 'a', 'p', 0):
	case FIRST8('b', 'p', 'f', '-', 'p', 'r', 'o', 'g'):
	case FIRST8('b', 'p', 'f', '_', 'l', 'i', 'n', 'k'):
	case FIRST8('b', 'p', 'f', '-', 'l', 'i', 'n', 'k'):
		return FD_BPF;
	default:
		return FD_UNKNOWN;
	}
}

static __always_inline struct event_slot fd_unix_name(struct scratch *s, struct sock *sock)
{
	struct unix_address *address = READ(unix_sock, sock, addr);
	struct event_slot slot = {};
	const char *name;
	char last = 0;
	int length;

	if (!address)
		return slot;
	length = READ(unix_address, address, len) - 2; /* without sun_family */
	if (length <= 0 || length > 109)
		return slot;
	name = (void *)address + bpf_core_field_offset(struct unix_address, name) + 2;
	slot = record_kernel_bytes(s, name, length, 128);
	/* A path's length counts its NUL; an abstract name may end with any byte. */
	bpf_probe_read_kernel(&last, 1, name + length - 1);
	if (slot.length && !last && s->record[slot.offset & RECORD_MASK])
		slot.length--;
	return slot;
}

static __always_inline __u8 fd_socket_kind(__u16 family)
{
	switch (family) {
	case AF_INET:
		return FD_IPV4;
	case AF_INET6:
		return FD_IPV6;
	case AF_UNIX:
		return FD_UNIX;
	case AF_NETLINK:
		return FD_NETLINK;
	case AF_PACKET:
		return FD_PACKET;
	case AF_VSOCK:
		return FD_VSOCK;
	default:
		return FD_SOCKET;
	}
}

/* Fills info and the sock_info after it; unix names go to the tail. */
static __noinline int fd_record_socket(struct scratch *s, struct fd_info *info, struct sock *sock)
{
	struct sock_info *to = (void *)(info + 1);
	struct sock_common *common = &sock->__sk_common;
	__u16 family = READ(sock_common, common, skc_family), type = READ(sock, sock, sk_type);

	__builtin_memset(to, 0, sizeof(*to));
	info->kind = fd_socket_kind(family);
	to->family = family;
	to->type = type;
	to->protocol = READ(sock, sock, sk_protocol);
	to->state = READ(sock_common, common, skc_state);
	if (to->state == SOCK_TCP_LISTEN)
		info->flags |= FD_F_LISTENING;
	if (to->state == SOCK_TCP_ESTABLISHED)
		info->flags |= FD_F_CONNECTED;
	if (family == AF_INET || family == AF_INET6) {
		to->local_port = READ(sock_common, common, skc_num);
		to->remote_port = __builtin_bswap16(READ(sock_common, common, skc_dport));
		if (family == AF_INET) {
			bpf_core_read(to->local_addr, 4, &common->skc_rcv_saddr);
			bpf_core_read(to->remote_addr, 4, &common->skc_daddr);
		} else {
			bpf_core_read(to->local_addr, 16, &common->skc_v6_rcv_saddr);
			bpf_core_read(to->remote_addr, 16, &common->skc_v6_daddr);
		}
	} else if (family == AF_UNIX) {
		struct sock *peer = READ(unix_sock, sock, peer);
		to->local_ptr = (__u64)sock;
		to->remote_ptr = (__u64)peer;
		info->path = fd_unix_name(s, sock);
		if (peer)
			to->peer_path = fd_unix_name(s, peer);
	} else if (family == AF_VSOCK) {
		/* struct vsock_sock belongs to a module, so the kernel's type information may lack it: after the sock stands
		 * a pointer, then the local and the remote sockaddr_vm (16 bytes each: family, reserved, port, cid). */
		struct {
			__u16 family, reserved;
			__u32 port, cid, flags;
		} address[2] = {};
		bpf_probe_read_kernel(address, sizeof(address),
		                      (void *)sock + bpf_core_type_size(struct sock) + sizeof(void *));
		((__u32 *)to->local_addr)[0] = address[0].cid;
		((__u32 *)to->local_addr)[1] = address[0].port;
		((__u32 *)to->remote_addr)[0] = address[1].cid;
		((__u32 *)to->remote_addr)[1] = address[1].port;
		to->local_port = address[0].port;
		to->remote_port = address[1].port;
	}
	return 0;
}

/* Which layer of an overlay holds the file: the upper dentry stands right behind the inode. */
static __always_inline __u8 fd_overlay_flags(struct inode *inode, unsigned long magic)
{
	void *upper = NULL;

	if (magic != OVERLAYFS_SUPER_MAGIC)
		return 0;
	bpf_probe_read_kernel(&upper, sizeof(upper), (void *)inode + bpf_core_type_size(struct inode));
	return upper ? FD_F_UPPER : FD_F_LOWER;
}

static __always_inline __u16 fd_root_mode(struct super_block *sb)
{
	struct dentry *root = READ(super_block, sb, s_root);
	struct inode *inode = READ(dentry, root, d_inode);

	return READ(inode, inode, i_mode);
}

static __always_inline __u64 inode_ctime(const struct inode *inode)
{
	struct inode___underscore *middle = (void *)inode;

	if (bpf_core_field_exists(inode->i_ctime_sec)) /* 6.13 and newer keep a flag in the topmost bit */
		return READ(inode, inode, i_ctime_sec) * NS_PER_S + (READ(inode, inode, i_ctime_nsec) & 0x7fffffff);
	if (bpf_core_field_exists(middle->__i_ctime))
		return READ(inode___underscore, inode, __i_ctime.tv_sec) * NS_PER_S +
		       READ(inode___underscore, inode, __i_ctime.tv_nsec);
	return READ(inode___timespec, inode, i_ctime.tv_sec) * NS_PER_S +
	       READ(inode___timespec, inode, i_ctime.tv_nsec);
}

/* Appends what `file` is. The slot is missing if there is no room. */
__noinline __u64 fd_record_file_word(struct scratch *s, __u64 file_address, __s64 fd)
{
	struct file *file = (void *)file_address;
	struct event_slot slot = {};
	struct fd_info *info;
	struct inode *inode;
	struct super_block *sb;
	struct dentry *dentry;
	struct vfsmount *mnt;
	unsigned long magic;
	__u32 at;

	if (!s)
		return 0;
	record_align(s);
	at = s->used;
	if (!record_has_room(s, 4096))
		return slot_to_word(slot);
	info = (void *)&s->record[at & RECORD_MASK];
	__builtin_memset(info, 0, sizeof(*info));

	inode = READ(file, file, f_inode);
	sb = READ(inode, inode, i_sb);
	magic = READ(super_block, sb, s_magic);
	info->number = fd;
	info->mode = READ(inode, inode, i_mode);
	info->dev = READ(super_block, sb, s_dev);
	info->ino = READ(inode, inode, i_ino);
	info->nlink = READ(inode, inode, i_nlink);
	info->uid = READ(inode, inode, i_uid.val);
	info->open_flags = READ(file, file, f_flags);
	info->flags = fd_overlay_flags(inode, magic);
	if (READ(file, file, f_mode) & FMODE_CREATED)
		info->flags |= FD_F_CREATED;

	if ((info->mode & S_IFMT) == S_IFSOCK) {
		struct socket *socket = READ(file, file, private_data);
		slot = record_take(s, sizeof(*info) + sizeof(struct sock_info));
		fd_record_socket(s, info, READ(socket, socket, sk));
		return slot_to_word(slot);
	}
	slot = record_take(s, sizeof(*info));
	if ((info->mode & S_IFMT) == S_IFIFO && !fd_root_mode(sb)) {
		info->kind = FD_PIPE;
		return slot_to_word(slot);
	}
	/* Their dentries have no place in a tree, and "/" for a name. */
	if (magic == PID_FS_MAGIC || magic == NSFS_MAGIC) {
		info->kind = magic == PID_FS_MAGIC ? FD_PIDFD : FD_FILE;
		return slot_to_word(slot);
	}
	dentry = READ(file, file, f_path.dentry);
	mnt = READ(file, file, f_path.mnt);
	info->path = path_record(s, dentry, mnt);

	const char *first = &s->record[info->path.offset & RECORD_MASK];
	if (*first == '/') {
		info->kind = (info->mode & S_IFMT) == S_IFDIR ? FD_DIRECTORY : FD_FILE;
		if ((info->mode & S_IFMT) == S_IFIFO)
			info->kind = FD_PIPE;
		if (!info->nlink || !READ(dentry, dentry, d_hash.pprev))
			info->flags |= FD_F_DELETED;
		if (READ(vfsmount, mnt, mnt_root) != READ(super_block, sb, s_root)) {
			info->flags |= FD_F_BIND;
			info->fspath = path_record(s, dentry, NULL);
		}
	} else if (magic == TMPFS_MAGIC || magic == HUGETLBFS_MAGIC) {
		info->kind = FD_MEMFD;
	} else {
		char name[8] __attribute__((aligned(8))) = {};
		__u32 length = info->path.length;
		bpf_probe_read_kernel(name, length < 8 ? length : 8, first);
		info->kind = (info->mode & S_IFMT) == S_IFIFO ? FD_PIPE : fd_anonymous_kind(name);
	}
	return slot_to_word(slot);
}

static __always_inline struct event_slot fd_record_file(struct scratch *s, struct file *file, __s64 fd)
{
	return slot_from_word(fd_record_file_word(s, address_of(s, file), fd));
}

static __always_inline void fd_record(struct scratch *s, struct task_struct *task, __s64 fd)
{
	struct file *file = fd_file(task, fd);

	if (!file) {
		if (fd >= 0)
			count(COUNTER_fd_lookup);
		return;
	}
	record_header(s)->fd = fd_record_file(s, file, fd);
}

/* The path of a directory's descriptor of the current process: the base of a relative path. */
static __always_inline struct event_slot fd_record_base(struct scratch *s, __s64 fd)
{
	struct event_slot slot = {};
	struct file *file;

	if (fd == AT_FDCWD)
		return path_record_cwd(s);
	file = fd_file(bpf_get_current_task_btf(), fd);
	if (!file) {
		if (fd >= 0)
			count(COUNTER_fd_lookup);
		return slot;
	}
	return path_record(s, READ(file, file, f_path.dentry), READ(file, file, f_path.mnt));
}

/* Sets the member of a path that the current process named: its text, which stands in the record, and its base unless
 * that is absolute. */
__noinline int fd_record_name(struct scratch *s, __u32 member, __u64 text, __s64 dirfd)
{
	struct event_path path = {.text = slot_from_word(text)};

	if (!s)
		return 0;
	if (path.text.offset && s->record[path.text.offset & RECORD_MASK] != '/')
		path.base = fd_record_base(s, dirfd);
	record_set_path(s, member, path);
	return 0;
}

#endif
