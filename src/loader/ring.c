/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/ring.h"

#include <errno.h>
#include <linux/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include "schema/wire.h"

#define BATCH_BYTES (64 * 1024)

static size_t page_bytes(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

int ring_open(struct ring *r, int map_fd, size_t bytes)
{
	size_t page = page_bytes(), beyond = (EVENT_RECORD_MAX + BPF_RINGBUF_HDR_SZ + page - 1) / page * page;
	void *consumer, *producer;

	*r = (struct ring){.bytes = bytes, .mapped = page + bytes + MIN(beyond, bytes)};
	consumer = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
	if (consumer == MAP_FAILED)
		return -errno;
	producer = mmap(NULL, r->mapped, PROT_READ, MAP_SHARED, map_fd, (off_t)page);
	if (producer == MAP_FAILED) {
		int err = -errno;
		munmap(consumer, page);
		return err;
	}
	r->consumer = consumer;
	r->producer = producer;
	r->data = (const char *)producer + page;
	return 0;
}

void ring_close(struct ring *r)
{
	if (r->consumer)
		munmap((void *)r->consumer, page_bytes());
	if (r->producer)
		munmap((void *)r->producer, r->mapped);
	*r = (struct ring){};
}

size_t ring_used(const struct ring *r)
{
	return __atomic_load_n(r->producer, __ATOMIC_ACQUIRE) - *r->consumer;
}

uint64_t ring_produced(const struct ring *r)
{
	return __atomic_load_n(r->producer, __ATOMIC_ACQUIRE);
}

uint64_t ring_taken(const struct ring *r)
{
	return *r->consumer;
}

ssize_t ring_poll(struct ring *r, size_t max, int (*put)(void *userdata, const void *record, size_t length),
                  void *userdata)
{
	unsigned long position = *r->consumer, given_back = position,
	              end = __atomic_load_n(r->producer, __ATOMIC_ACQUIRE);
	size_t count = 0;
	int err = 0;

	while (position < end && count < max && !err) {
		const char *at = r->data + (position & (r->bytes - 1));
		uint32_t header = __atomic_load_n((const uint32_t *)at, __ATOMIC_ACQUIRE);
		uint32_t length = header & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);

		if (header & BPF_RINGBUF_BUSY_BIT) /* reserved and not yet written: the rest waits behind it */
			break;
		position += (BPF_RINGBUF_HDR_SZ + length + 7) / 8 * 8;
		if (!(header & BPF_RINGBUF_DISCARD_BIT)) {
			err = put(userdata, at + BPF_RINGBUF_HDR_SZ, length);
			count++;
		}
		if (position - given_back >= BATCH_BYTES) {
			__atomic_store_n(r->consumer, position, __ATOMIC_RELEASE);
			given_back = position;
		}
	}
	if (position != given_back)
		__atomic_store_n(r->consumer, position, __ATOMIC_RELEASE);
	return err ? err : (ssize_t)count;
}
