/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * The path of a dentry, as seen from the root of its mount namespace. The kernel's own function (bpf_d_path) is not
 * allowed at tracepoints, so this walks by itself: up the dentries, and from the root of each mount to where it is
 * mounted. Names are written backwards from the end of a buffer. No lock is taken: a rename meanwhile may yield a path
 * of both before and after, each component of which was true.
 */
#ifndef PICKET_BPF_PATH_H
#define PICKET_BPF_PATH_H

#include "record.h"

#define PATH_END (PATH_BUFFER - 1024) /* the walk writes down from here */
#define PATH_BEGIN (PATH_END - EVENT_PATH_MAX)
#define PATH_DEPTH_MAX 2048 /* components that 4,096 bytes can hold, and mounts on the way */

/* A name of the kernel's to the path buffer. Short ones, which most are, by words: a helper's call costs more. The kernel
 * keeps names in whole words, and what is written beyond the end is what stood there. */
#define NAME_SHORT 32
__noinline int path_copy_name(struct path_walk *w, __u32 at, __u64 name, __u32 length)
{
	if (!w)
		return -1;
	length &= 255;
	if (!bpf_rdonly_cast || length > NAME_SHORT)
		return bpf_probe_read_kernel(&w->text[at & (PATH_BUFFER - 1)], length, (void *)name);
	for (__u32 i = 0; i < NAME_SHORT / 8; i++) {
		__u64 *to = (__u64 *)&w->text[(at & (PATH_BUFFER - 1)) + 8 * i];
		__u64 word, mask;
		if (length <= 8 * i)
			break;
		word = READ_WORD((void *)(name + 8 * i));
		mask = length < 8 * i + 8 ? ~0ull << 8 * (length & 7) : 0;
		*to = (*to & mask) | (word & ~mask);
	}
	return 0;
}

struct path_steps {
	struct path_walk *walk;
};

static long path_step(__u32 index, struct path_steps *steps)
{
	struct path_walk *w = steps->walk;
	const void *dentry = (void *)w->dentry, *mount = (void *)w->mount;
	__u64 parent;
	__u32 length, at;

	if (mount && w->dentry == w->mnt_root) {
		__u64 above = (__u64)READ(mount, mount, mnt_parent);
		if (above == w->mount || !above) {
			w->end = PATH_ABSOLUTE;
			return 1;
		}
		w->dentry = (__u64)READ(mount, mount, mnt_mountpoint);
		w->mount = above;
		w->mnt_root = (__u64)READ(mount, (void *)above, mnt.mnt_root);
		return 0;
	}
	parent = (__u64)READ(dentry, dentry, d_parent);
	if (parent == w->dentry && !mount) {
		w->end = PATH_ABSOLUTE;
		return 1;
	}
	length = READ(dentry, dentry, d_name.len) & 255;
	at = w->position - length;
	w->end = PATH_TRUNCATED;
	if (at < PATH_BEGIN + 1) {
		count(COUNTER_path_truncated);
		return 1;
	}
	if (path_copy_name(w, at, READ_ADDRESS(dentry, w->dentry, d_name.name), length)) {
		count(COUNTER_read_kernel);
		return 1;
	}
	w->end = PATH_TOO_DEEP;
	if (parent == w->dentry) { /* a file without place in a tree: memfd, "[eventpoll]", a lazily unmounted one */
		w->position = at;
		w->end = PATH_OUTSIDE;
		return 1;
	}
	at--;
	w->text[at & (PATH_BUFFER - 1)] = '/';
	w->position = at;
	w->dentry = parent;
	return 0;
}

/* Walks from dentry: the text stands in w, from its position to PATH_END. mnt 0: only up to the root of
 * the file system.
 * Functions with external linkage are verified once for a program, whatever the number of their callers, and know of
 * their arguments only what a prototype says: kernel pointers come as numbers. What the walk has come to stands in a
 * map, of which the verifier knows nothing: so it takes one step for all. */
__noinline int path_walk(struct path_walk *w, __u64 dentry, __u64 mnt)
{
	struct path_steps steps = {w};

	if (!w)
		return 0;
	w->dentry = dentry;
	w->mount = mnt ? mnt - bpf_core_field_offset(struct mount, mnt) : 0;
	w->mnt_root = mnt ? (__u64)READ(vfsmount, (void *)mnt, mnt_root) : 0;
	w->position = PATH_END;
	w->end = PATH_TOO_DEEP;
	bpf_loop(PATH_DEPTH_MAX, path_step, &steps, 0);
	if (w->end == PATH_TOO_DEEP)
		count(COUNTER_path_depth);
	if (w->end == PATH_ABSOLUTE && w->position == PATH_END) /* the root itself */
		w->text[--w->position & (PATH_BUFFER - 1)] = '/';
	return 0;
}

/* The same, appended to the record. */
__noinline __u64 path_record_word(struct scratch *s, __u64 dentry, __u64 mnt)
{
	struct event_slot slot;

	if (!s)
		return 0;
	path_walk(&s->walk, dentry, mnt);
	slot = record_path_buffer(s, s->walk.position, PATH_END - s->walk.position);
	if (s->walk.end < PATH_OUTSIDE && slot.offset) {
		slot.length |= SLOT_TRUNCATED;
		record_flag(s, EVENT_F_TRUNCATED);
	}
	return slot_to_word(slot);
}

static __always_inline struct event_slot path_record(struct scratch *s, struct dentry *dentry, struct vfsmount *mnt)
{
	return slot_from_word(path_record_word(s, address_of(s, dentry), address_of(s, mnt)));
}

/* Of the current process. */
static __always_inline struct event_slot path_record_cwd(struct scratch *s)
{
	struct fs_struct *fs = READ_POINTER(bpf_get_current_task_btf(), fs);

	return path_record(s, READ(fs_struct, fs, pwd.dentry), READ(fs_struct, fs, pwd.mnt));
}

/* Sets the header's root if the current process's root is not the root of its mount namespace. */
__noinline int path_record_root(struct scratch *s)
{
	struct fs_struct *fs = READ_POINTER(bpf_get_current_task_btf(), fs);
	struct dentry *root = READ(fs_struct, fs, root.dentry);
	struct vfsmount *mnt = READ(fs_struct, fs, root.mnt);
	struct mount *mount = (void *)mnt - bpf_core_field_offset(struct mount, mnt);
	struct mount *above = READ(mount, mount, mnt_parent);
	struct event_slot slot;

	/* The usual root is the root of a mount that stands on the first mount of the namespace, or is it. */
	if (!s ||
	    (root == READ(vfsmount, mnt, mnt_root) && (above == mount || above == READ(mount, above, mnt_parent)) &&
	     READ(mount, mount, mnt_mountpoint) == READ(mount, above, mnt.mnt_root)))
		return 0;
	slot = path_record(s, root, mnt);
	if ((slot.length & ~SLOT_TRUNCATED) > 1) {
		record_header(s)->root = slot;
		record_flag(s, EVENT_F_CHROOT);
	}
	return 0;
}

#endif
