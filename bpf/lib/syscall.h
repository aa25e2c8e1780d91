/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * System calls at their return: number, ABI, arguments.
 */
#ifndef PICKET_BPF_SYSCALL_H
#define PICKET_BPF_SYSCALL_H

#include "record.h"

#define X32_SYSCALL_BIT 0x40000000
#define TS_COMPAT 0x0002 /* x86 thread_info.status: in a 32-bit call */
#define TIF_32BIT 22     /* arm64 thread_info.flags: a 32-bit task */

static __always_inline bool syscall_is_compat(struct task_struct *task)
{
#if defined(__TARGET_ARCH_x86)
	return task->thread_info.status & TS_COMPAT;
#else
	return task->thread_info.flags & 1ul << TIF_32BIT;
#endif
}

static __always_inline __u32 syscall_number(struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	return regs->orig_ax & ~X32_SYSCALL_BIT;
#else
	return regs->syscallno;
#endif
}

#if defined(__TARGET_ARCH_x86)
/* (Tables are volatile: a constant of 32 bytes would go to a section of its own, over which libbpf stumbles.)
 * i386 has two calls whose arguments lie in memory: socketcall, which stands for all that sockets can do, and its first
 * mmap. Programs still use them, and may do so to hide. */
#define I386_SOCKETCALL 102
#define I386_OLD_MMAP 90
static const volatile __u8 socketcall_events[32] = {
        [1] = EVENT_socket,    [2] = EVENT_bind,       [3] = EVENT_connect,  [4] = EVENT_listen,
        [5] = EVENT_accept,    [8] = EVENT_socketpair, [11] = EVENT_sendto,  [12] = EVENT_recvfrom,
        [13] = EVENT_shutdown, [16] = EVENT_sendmsg,   [17] = EVENT_recvmsg, [18] = EVENT_accept4,
        [19] = EVENT_recvmmsg, [20] = EVENT_sendmmsg,
};
#endif

/* May the current call make an event that somebody wants, whatever its ABI? Most calls end here, and their ABI is known
 * only from the task, which costs a helper's call. */
static __always_inline bool syscall_may_be_wanted(struct pt_regs *regs)
{
	__u32 number = syscall_number(regs);

	if (number >= SYSCALL_NUMBERS)
		return false;
#if defined(__TARGET_ARCH_x86)
	if (number == I386_SOCKETCALL || number == I386_OLD_MMAP)
		return true;
#endif
	return event_wanted[syscall_events[0][number]] || event_wanted[syscall_events[1][number]];
}

/* The event that the current call makes, 0: none. */
static __always_inline __u8 syscall_event(struct task_struct *task, struct pt_regs *regs)
{
	__u32 number = syscall_number(regs);
	bool compat = syscall_is_compat(task);

	if (number >= SYSCALL_NUMBERS)
		return 0;
#if defined(__TARGET_ARCH_x86)
	if (compat && number == I386_SOCKETCALL)
		return socketcall_events[regs->bx & 31];
	if (compat && number == I386_OLD_MMAP)
		return EVENT_mmap;
#endif
	return syscall_events[compat][number];
}

/* Where the arguments of the current call lie in memory, each 4 bytes; NULL: they stand in registers. */
static __always_inline const void *syscall_indirect(struct pt_regs *regs, bool compat)
{
#if defined(__TARGET_ARCH_x86)
	if (compat && syscall_number(regs) == I386_SOCKETCALL)
		return (void *)(__u64)(__u32)regs->cx;
	if (compat && syscall_number(regs) == I386_OLD_MMAP)
		return (void *)(__u64)(__u32)regs->bx;
#endif
	return NULL;
}

/* Argument n, 0 to 5. The registers of a 32-bit call hold 32 bits. */
static __always_inline __u64 syscall_argument(struct pt_regs *regs, bool compat, __u32 n)
{
#if defined(__TARGET_ARCH_x86)
	if (compat)
		switch (n) {
		case 0:
			return (__u32)regs->bx;
		case 1:
			return (__u32)regs->cx;
		case 2:
			return (__u32)regs->dx;
		case 3:
			return (__u32)regs->si;
		case 4:
			return (__u32)regs->di;
		default:
			return (__u32)regs->bp;
		}
	switch (n) {
	case 0:
		return regs->di;
	case 1:
		return regs->si;
	case 2:
		return regs->dx;
	case 3:
		return regs->r10;
	case 4:
		return regs->r8;
	default:
		return regs->r9;
	}
#else
	/* x0 holds the result by now */
	__u64 value = n == 0 ? regs->orig_x0 : regs->regs[n & 7];
	return compat ? (__u32)value : value;
#endif
}

/* The wire has x86's numbers; arm64 has four bits elsewhere. */
static __always_inline __u64 open_flags(__u64 flags)
{
#if defined(__TARGET_ARCH_arm64)
	return (flags & ~0x3c000ull) | (flags & 0x4000 ? 0x10000 : 0) /* O_DIRECTORY */ |
	       (flags & 0x8000 ? 0x20000 : 0) /* O_NOFOLLOW */ | (flags & 0x10000 ? 0x4000 : 0) /* O_DIRECT */ |
	       (flags & 0x20000 ? 0x8000 : 0) /* O_LARGEFILE */;
#else
	return flags;
#endif
}

#endif
