/* SPDX-License-Identifier: Apache-2.0
 *
 * One request through io_uring, with nothing but the kernel's own interface.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "evasions.h"

static char *map_ring(int fd, size_t size, off_t offset)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, offset);
	if (at == MAP_FAILED)
		act_fail("mmap of the ring");
	return at;
}

static int uring_open(struct io_uring_params *p)
{
	*p = (struct io_uring_params){0};
	int fd = (int)syscall(SYS_io_uring_setup, 1, p);
	if (fd < 0)
		act_skip("no io_uring here: %s", strerror(errno));
	return fd;
}

static long uring_submit(int fd, const struct io_uring_params *params, const struct io_uring_sqe *request)
{
	struct io_uring_params p = *params;
	char *sq = map_ring(fd, p.sq_off.array + p.sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
	char *cq = map_ring(fd, p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);
	struct io_uring_sqe *sqes = (void *)map_ring(fd, p.sq_entries * sizeof(*sqes), IORING_OFF_SQES);

	sqes[0] = *request;
	*(unsigned *)(void *)(sq + p.sq_off.array) = 0;
	__atomic_store_n((unsigned *)(void *)(sq + p.sq_off.tail), 1, __ATOMIC_RELEASE);
	MUST(syscall(SYS_io_uring_enter, fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0));
	long result = ((struct io_uring_cqe *)(void *)(cq + p.cq_off.cqes))->res;
	close(fd);
	return result;
}

static long uring_do(const struct io_uring_sqe *request)
{
	struct io_uring_params p;
	int fd = uring_open(&p);
	return uring_submit(fd, &p, request);
}

static uint64_t pointer(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

long uring_openat(const char *path, int flags, unsigned mode)
{
	return uring_do(&(struct io_uring_sqe){.opcode = IORING_OP_OPENAT,
	                                       .fd = AT_FDCWD,
	                                       .addr = pointer(path),
	                                       .open_flags = (unsigned)flags,
	                                       .len = mode});
}

long uring_openat_direct(const char *path, int flags)
{
	struct io_uring_params p;
	int none = -1, fd = uring_open(&p);
	if (syscall(SYS_io_uring_register, fd, IORING_REGISTER_FILES, &none, 1) < 0)
		act_skip("io_uring has no files of its own here: %s", strerror(errno));
	return uring_submit(fd, &p,
	                    &(struct io_uring_sqe){.opcode = IORING_OP_OPENAT,
	                                           .fd = AT_FDCWD,
	                                           .addr = pointer(path),
	                                           .open_flags = (unsigned)flags,
	                                           .file_index = 1});
}

long uring_renameat(const char *from, const char *to)
{
	return uring_do(&(struct io_uring_sqe){.opcode = IORING_OP_RENAMEAT,
	                                       .fd = AT_FDCWD,
	                                       .addr = pointer(from),
	                                       .len = (unsigned)AT_FDCWD,
	                                       .addr2 = pointer(to)});
}

long uring_connect(int fd, const void *address, unsigned size)
{
	return uring_do(
	        &(struct io_uring_sqe){.opcode = IORING_OP_CONNECT, .fd = fd, .addr = pointer(address), .off = size});
}
