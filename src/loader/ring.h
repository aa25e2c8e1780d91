/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the room: the reading end of a BPF ring buffer. Not libbpf's, for two reasons: it maps only as much of the
 * second copy of the data as one record may reach into (memory counted to picket halves), and it gives back space in
 * batches, so that reader and writers do not fight for a cache line at each record.
 */
#ifndef PICKET_LOADER_RING_H
#define PICKET_LOADER_RING_H

#include "base/base.h"

struct ring {
	volatile unsigned long *consumer;       /* position, written here */
	const volatile unsigned long *producer; /* position, written by the kernel */
	const char *data;
	size_t bytes, mapped;
};

int ring_open(struct ring *r, int map_fd, size_t bytes) must_check;
void ring_close(struct ring *r);
/* See loader_poll(). */
ssize_t ring_poll(struct ring *r, size_t max, int (*put)(void *userdata, const void *record, size_t length),
                  void *userdata) must_check;
size_t ring_used(const struct ring *r);
/* Bytes since the beginning that have been written, and that have been given back. */
uint64_t ring_produced(const struct ring *r);
uint64_t ring_taken(const struct ring *r);

#endif
