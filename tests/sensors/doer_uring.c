/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls made through io_uring, with nothing but the kernel's own interface.
 */
#include "doer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define ENTRIES 8

struct ring {
	int fd;
	bool polled;
	unsigned *sq_tail, *sq_mask, *sq_array, *sq_flags, *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
};

static void *map_ring(int fd, size_t size, off_t offset)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, offset);

	if (at == MAP_FAILED)
		fail("mmap of the ring");
	return at;
}

static struct ring ring_open(unsigned flags)
{
	struct io_uring_params p = {.flags = flags, .sq_thread_idle = 50};
	struct ring r = {.polled = flags & IORING_SETUP_SQPOLL};
	char *sq, *cq;

	r.fd = (int)syscall(SYS_io_uring_setup, ENTRIES, &p);
	if (r.fd < 0)
		skip("no io_uring here: %s", strerror(errno));
	sq = map_ring(r.fd, p.sq_off.array + p.sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
	cq = map_ring(r.fd, p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);
	r.sqes = map_ring(r.fd, p.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
	r.sq_tail = (void *)(sq + p.sq_off.tail);
	r.sq_mask = (void *)(sq + p.sq_off.ring_mask);
	r.sq_array = (void *)(sq + p.sq_off.array);
	r.sq_flags = (void *)(sq + p.sq_off.flags);
	r.cq_head = (void *)(cq + p.cq_off.head);
	r.cq_tail = (void *)(cq + p.cq_off.tail);
	r.cq_mask = (void *)(cq + p.cq_off.ring_mask);
	r.cqes = (void *)(cq + p.cq_off.cqes);
	return r;
}

static void ring_submit(struct ring *r, struct io_uring_sqe sqe, unsigned wait)
{
	unsigned tail = *r->sq_tail, at = tail & *r->sq_mask;

	r->sqes[at] = sqe;
	r->sq_array[at] = at;
	__atomic_store_n(r->sq_tail, tail + 1, __ATOMIC_RELEASE);
	unsigned flags = wait ? IORING_ENTER_GETEVENTS : 0;
	if (r->polled && __atomic_load_n(r->sq_flags, __ATOMIC_ACQUIRE) & IORING_SQ_NEED_WAKEUP)
		flags |= IORING_ENTER_SQ_WAKEUP;
	MUST(syscall(SYS_io_uring_enter, r->fd, 1, wait, flags, NULL, 0));
}

static long ring_take(struct ring *r)
{
	unsigned head = *r->cq_head;

	while (head == __atomic_load_n(r->cq_tail, __ATOMIC_ACQUIRE))
		MUST(syscall(SYS_io_uring_enter, r->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0));
	long result = r->cqes[head & *r->cq_mask].res;
	__atomic_store_n(r->cq_head, head + 1, __ATOMIC_RELEASE);
	return result;
}

static long ring_do(struct ring *r, const char *name, struct io_uring_sqe sqe)
{
	ring_submit(r, sqe, 1);
	long result = ring_take(r);
	note(name, "%ld", result);
	return result;
}

/* ---- operations ---- */
static uint64_t address(const void *pointer)
{
	return (uint64_t)(uintptr_t)pointer;
}

static struct io_uring_sqe op_openat(int dirfd, const char *path, int flags, unsigned mode)
{
	return (struct io_uring_sqe){.opcode = IORING_OP_OPENAT,
	                             .fd = dirfd,
	                             .addr = address(path),
	                             .len = mode,
	                             .open_flags = (unsigned)flags};
}

static struct io_uring_sqe op_openat2(int dirfd, const char *path, const struct open_how *how)
{
	return (struct io_uring_sqe){.opcode = IORING_OP_OPENAT2,
	                             .fd = dirfd,
	                             .addr = address(path),
	                             .len = sizeof(*how),
	                             .off = address(how)};
}

static struct io_uring_sqe op_two(uint8_t op, int from, const char *old, int to, const char *new, unsigned flags)
{
	return (struct io_uring_sqe){.opcode = op,
	                             .fd = from,
	                             .addr = address(old),
	                             .len = (unsigned)to,
	                             .addr2 = address(new),
	                             .rename_flags = flags};
}

static struct io_uring_sqe op_one(uint8_t op, int dirfd, const char *path, unsigned mode, unsigned flags)
{
	return (struct io_uring_sqe){
	        .opcode = op, .fd = dirfd, .addr = address(path), .len = mode, .unlink_flags = flags};
}

static void files(struct ring *r)
{
	struct open_how how = {.flags = O_RDWR | O_CREAT, .mode = 0640, .resolve = RESOLVE_NO_SYMLINKS};

	MUST(mkdirat(AT_FDCWD, "dir", 0755));
	int dir = MUST(open("dir", O_PATH | O_DIRECTORY));
	done("dir", dir);
	ring_do(r, "openat", op_openat(AT_FDCWD, "a", O_WRONLY | O_CREAT, 0600));
	ring_do(r, "openat2", op_openat2(dir, "b", &how));
	ring_do(r, "missing", op_openat(AT_FDCWD, "no/such", O_RDONLY, 0));
	ring_do(r, "mkdirat", op_one(IORING_OP_MKDIRAT, dir, "sub", 0750, 0));
	ring_do(r, "renameat", op_two(IORING_OP_RENAMEAT, AT_FDCWD, "a", dir, "renamed", 1 /* RENAME_NOREPLACE */));
	ring_do(r, "linkat", op_two(IORING_OP_LINKAT, dir, "renamed", AT_FDCWD, "hard", 0));
	ring_do(r, "symlinkat",
	        (struct io_uring_sqe){.opcode = IORING_OP_SYMLINKAT,
	                              .fd = dir,
	                              .addr = address("a/target"),
	                              .addr2 = address("soft")});
	ring_do(r, "unlinkat", op_one(IORING_OP_UNLINKAT, AT_FDCWD, "hard", 0, 0));
	ring_do(r, "rmdir", op_one(IORING_OP_UNLINKAT, dir, "sub", 0, 0x200 /* AT_REMOVEDIR */));
}

static void do_uring(int argc, char **argv)
{
	struct ring r = ring_open(0);

	(void)argc;
	(void)argv;
	files(&r);
}

/* A thread of the kernel takes the requests. */
static void do_uring_polled(int argc, char **argv)
{
	struct ring r = ring_open(IORING_SETUP_SQPOLL);

	(void)argc;
	(void)argv;
	files(&r);
}

static void do_uring_async(int argc, char **argv)
{
	struct ring r = ring_open(0);
	struct io_uring_sqe open = op_openat(AT_FDCWD, "a", O_WRONLY | O_CREAT, 0600);

	(void)argc;
	(void)argv;
	open.flags = IOSQE_ASYNC;
	ring_do(&r, "openat", open);
}

/* A success that asks for no completion; the failure of an open completes all the same. */
static void do_uring_silent(int argc, char **argv)
{
	struct ring r = ring_open(0);
	struct io_uring_sqe mkdir = op_one(IORING_OP_MKDIRAT, AT_FDCWD, "made", 0700, 0);
	struct io_uring_sqe open = op_openat(AT_FDCWD, "no/such", O_RDONLY, 0);

	(void)argc;
	(void)argv;
	mkdir.flags = IOSQE_CQE_SKIP_SUCCESS;
	ring_submit(&r, mkdir, 0);
	for (int i = 0; i < 1000 && access("made", F_OK); i++)
		usleep(1000);
	note("exists", "%d", access("made", F_OK) == 0);
	open.flags = IOSQE_CQE_SKIP_SUCCESS;
	ring_do(&r, "missing", open);
}

static void do_uring_connect(int argc, char **argv)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct ring r = ring_open(0);
	socklen_t length = sizeof(a);

	(void)argc;
	(void)argv;
	int listener = MUST(socket(AF_INET, SOCK_STREAM, 0));
	MUST(bind(listener, (void *)&a, sizeof(a)));
	MUST(listen(listener, 1));
	MUST(getsockname(listener, (void *)&a, &length));
	note("port", "%u", ntohs(a.sin_port));
	int client = MUST(socket(AF_INET, SOCK_STREAM, 0));
	ring_do(&r, "connect",
	        (struct io_uring_sqe){
	                .opcode = IORING_OP_CONNECT, .fd = client, .addr = address(&a), .off = sizeof(a)});
	struct sockaddr_in own;
	length = sizeof(own);
	MUST(getsockname(client, (void *)&own, &length));
	note("client_port", "%u", ntohs(own.sin_port));
	a.sin_port = htons(1);
	int other = MUST(socket(AF_INET, SOCK_STREAM, 0));
	ring_do(&r, "refused",
	        (struct io_uring_sqe){.opcode = IORING_OP_CONNECT, .fd = other, .addr = address(&a), .off = sizeof(a)});
}

/* More requests under way than are held: connections that nobody accepts, to a full queue. */
static void do_uring_many(int argc, char **argv)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t length = sizeof(a);
	int rings = 0;

	(void)argc;
	(void)argv;
	int listener = MUST(socket(AF_INET, SOCK_STREAM, 0));
	MUST(bind(listener, (void *)&a, sizeof(a)));
	MUST(listen(listener, 0));
	MUST(getsockname(listener, (void *)&a, &length));
	for (int i = 0; i < 12; i++) { /* each holds ENTRIES at once, more wait in the kernel */
		struct ring r = ring_open(0);
		for (int n = 0; n < ENTRIES; n++) {
			int fd = MUST(socket(AF_INET, SOCK_STREAM, 0));
			ring_submit(
			        &r,
			        (struct io_uring_sqe){
			                .opcode = IORING_OP_CONNECT, .fd = fd, .addr = address(&a), .off = sizeof(a)},
			        0);
		}
		rings++;
	}
	struct ring last = ring_open(0);
	ring_do(&last, "mkdirat", op_one(IORING_OP_MKDIRAT, AT_FDCWD, "after-many", 0700, 0));
	note("connects", "%d", rings * ENTRIES);
}

const struct command uring_commands[] = {
        {"uring", do_uring},
        {"uring-polled", do_uring_polled},
        {"uring-async", do_uring_async},
        {"uring-silent", do_uring_silent},
        {"uring-connect", do_uring_connect},
        {"uring-many", do_uring_many},
        COMMANDS_END,
};
