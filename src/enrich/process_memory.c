/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading the memory of other processes by /proc. It may be memory that such a process has mapped from a file system of
 * its own, or that it serves itself (userfaultfd): then a read waits until that process gives the page, which can be
 * for ever. So a thread reads, and is left behind if it does not return in time. What it may touch is its job alone.
 */
#include "enrich/process_int.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define WAIT_NS (100 * NS_PER_MS)      /* a busy machine may need some of it to run the thread */
#define WAITED_MAX_NS (50 * NS_PER_MS) /* in a second: who gives each page just in time gains no more than that */
#define STUCK_MAX 8                    /* threads that were left behind; with so many nothing is read any more */
#define STACK_BYTES (64u << 10)

struct job {
	pthread_mutex_t lock;
	pthread_cond_t done_or_left; /* by CLOCK_MONOTONIC */
	bool done, left;             /* the last of both sides frees the job */
	int fd;                      /* owned */
	int error;
	size_t length, size;
	char data[];
};

static atomic_uint stuck;
static uint64_t second_ns, waited_ns; /* begin of the second at hand, and the time spent in it */

static bool may_wait(uint64_t now)
{
	if (now - second_ns >= NS_PER_S) {
		second_ns = now;
		waited_ns = 0;
	}
	return waited_ns < WAITED_MAX_NS && atomic_load(&stuck) < STUCK_MAX;
}

static void job_free(struct job *j)
{
	pthread_mutex_destroy(&j->lock);
	pthread_cond_destroy(&j->done_or_left);
	base_close_fd(&j->fd);
	free(j);
}

static struct job *job_new(int fd, size_t size)
{
	struct job *j = malloc(sizeof(*j) + size);
	pthread_condattr_t attributes;
	if (!j || pthread_condattr_init(&attributes)) {
		free(j);
		return NULL;
	}
	*j = (struct job){.fd = fd, .size = size};
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_mutex_init(&j->lock, NULL);
	pthread_cond_init(&j->done_or_left, &attributes);
	pthread_condattr_destroy(&attributes);
	return j;
}

static void job_read(struct job *j)
{
	while (j->length < j->size) {
		ssize_t n = read(j->fd, j->data + j->length, j->size - j->length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			j->error = -errno;
		if (n <= 0)
			return;
		j->length += (size_t)n;
	}
}

static void *job_run(void *job)
{
	struct job *j = job;
	job_read(j);
	pthread_mutex_lock(&j->lock);
	j->done = true;
	bool left = j->left;
	pthread_cond_signal(&j->done_or_left);
	pthread_mutex_unlock(&j->lock);
	if (left) {
		job_free(j);
		atomic_fetch_sub(&stuck, 1);
	}
	return NULL;
}

static int job_start(struct job *j)
{
	pthread_attr_t attributes;
	pthread_t thread;
	if (pthread_attr_init(&attributes))
		return -ENOMEM;
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, MAX((size_t)STACK_BYTES, (size_t)sysconf(_SC_THREAD_STACK_MIN)));
	int error = pthread_create(&thread, &attributes, job_run, j);
	pthread_attr_destroy(&attributes);
	return -error;
}

/* True: it is done, and ours alone. False: it is the thread's. */
static bool job_wait(struct job *j)
{
	uint64_t until = clock_monotonic_ns() + WAIT_NS;
	struct timespec deadline = {(time_t)(until / NS_PER_S), (long)(until % NS_PER_S)};
	pthread_mutex_lock(&j->lock);
	while (!j->done && pthread_cond_timedwait(&j->done_or_left, &j->lock, &deadline) == 0)
		;
	bool done = j->done;
	j->left = !done;
	if (!done)
		atomic_fetch_add(&stuck, 1);
	pthread_mutex_unlock(&j->lock);
	return done;
}

int process_memory_read(int fd, struct buf *out)
{
	uint64_t begin = clock_monotonic_ns();
	struct job *j = may_wait(begin) ? job_new(fd, out->limit - out->length) : NULL;
	if (!j) {
		base_close_fd(&fd);
		return -EBUSY;
	}
	int r = job_start(j);
	if (r < 0) {
		job_free(j);
		return r;
	}
	bool done = job_wait(j);
	waited_ns += clock_monotonic_ns() - begin;
	if (!done)
		return -ETIMEDOUT;
	r = j->error;
	if (r == 0)
		buf_add(out, j->data, j->length);
	job_free(j);
	return r < 0 ? r : buf_error(out);
}

unsigned process_memory_stuck(void)
{
	return atomic_load(&stuck);
}
