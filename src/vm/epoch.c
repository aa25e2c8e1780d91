/* SPDX-License-Identifier: Apache-2.0
 *
 * Readers without locks. A thread that enters writes the current epoch into a place of its own; a writer that has taken
 * something out of sight begins a new epoch and waits until no place has an older one.
 *
 * A thread's state is not for signal handlers: they must not enter.
 *
 * For this the reader's write must be visible before it reads what the writer changes. Readers do not pay for that: the
 * writer makes all threads of the process pass a memory barrier by membarrier(2). Where that is missing, readers do.
 */
#include "vm/map_int.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define READERS_MAX 4096 /* threads with a place of their own; further ones share a count */
#define YIELDS_MAX 100   /* that a writer waits in before it sleeps */
#define SLEEP_NS 50000

_Static_assert(PICKET_CPUS_MAX == 64, "a thread's number is a bit of one word");

struct reader {
	uint64_t epoch; /* in which the thread entered; 0: it is not inside */
	uint32_t taken;
} __attribute__((aligned(64)));

static struct reader readers[READERS_MAX];
static uint32_t readers_touched; /* readers from here on were never taken */
static uint32_t crowd;           /* threads inside that have no place */
static uint64_t numbers;         /* a bit for each thread number that is taken */

static struct {
	uint64_t epoch;
	bool fences; /* readers need a memory barrier of their own */
} now __attribute__((aligned(64))) = {.epoch = 1, .fences = true};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t waiting = PTHREAD_MUTEX_INITIALIZER;
static pthread_key_t key; /* its destructor gives up what a thread has */
static bool has_key;

/* initial-exec: no call to find it, in a shared library too. */
static __thread struct {
	struct reader *reader;
	uint32_t depth;  /* of enters */
	uint32_t number; /* 1 + the thread's number; 0: it has none */
} self __attribute__((tls_model("initial-exec")));

/* ---- places ---- */

static struct reader *reader_take(void)
{
	for (uint32_t i = 0; i < READERS_MAX; i++) {
		uint32_t free = 0;
		if (!__atomic_compare_exchange_n(&readers[i].taken, &free, 1, false, __ATOMIC_ACQ_REL,
		                                 __ATOMIC_RELAXED))
			continue;
		uint32_t touched = __atomic_load_n(&readers_touched, __ATOMIC_RELAXED);
		while (touched <= i && !__atomic_compare_exchange_n(&readers_touched, &touched, i + 1, true,
		                                                    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
			;
		return &readers[i];
	}
	return NULL;
}

static void reader_give(struct reader *r)
{
	__atomic_store_n(&r->epoch, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&r->taken, 0, __ATOMIC_RELEASE);
}

static bool membarrier(int command)
{
	return syscall(SYS_membarrier, command, 0, 0) == 0;
}

static void thread_ends(void *unused)
{
	(void)unused;
	if (self.reader)
		reader_give(self.reader);
	if (self.number)
		__atomic_and_fetch(&numbers, ~(1ull << (self.number - 1)), __ATOMIC_RELEASE);
	self.reader = NULL;
	self.number = 0;
	self.depth = 0;
}

/* Only the thread that forked is left. */
static void process_forked(void)
{
	for (uint32_t i = 0; i < readers_touched; i++) {
		if (&readers[i] != self.reader)
			reader_give(&readers[i]);
	}
	crowd = self.depth && !self.reader;
	numbers = self.number ? 1ull << (self.number - 1) : 0;
	pthread_mutex_init(&waiting, NULL);
	now.fences = !membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
}

static void start(void)
{
	has_key = pthread_key_create(&key, thread_ends) == 0;
	pthread_atfork(NULL, NULL, process_forked);
	now.fences = !membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
}

/* Has what this thread holds given up when the thread ends. false: it must hold nothing. */
static bool watch_end(void)
{
	pthread_once(&once, start);
	return has_key && pthread_setspecific(key, &self) == 0;
}

/* ---- readers ---- */

static inline void reader_barrier(void)
{
	if (__builtin_expect(__atomic_load_n(&now.fences, __ATOMIC_RELAXED), false))
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	else
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline void reader_enter(struct reader *r)
{
	__atomic_store_n(&r->epoch, __atomic_load_n(&now.epoch, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
	reader_barrier();
}

static void __attribute__((noinline)) enter_first(void)
{
	if (watch_end())
		self.reader = reader_take();
	if (self.reader)
		reader_enter(self.reader);
	else
		__atomic_fetch_add(&crowd, 1, __ATOMIC_SEQ_CST);
}

void vm_epoch_enter(void)
{
	if (self.depth++)
		return;
	if (__builtin_expect(self.reader != NULL, true))
		reader_enter(self.reader);
	else
		enter_first();
}

void vm_epoch_leave(void)
{
	if (--self.depth)
		return;
	if (__builtin_expect(self.reader != NULL, true))
		__atomic_store_n(&self.reader->epoch, 0, __ATOMIC_RELEASE);
	else
		__atomic_fetch_sub(&crowd, 1, __ATOMIC_RELEASE);
}

bool vm_epoch_inside(void)
{
	return self.depth != 0;
}

/* ---- writers ---- */

static void sleep_ns(long ns)
{
	const struct timespec time = {.tv_nsec = ns};
	nanosleep(&time, NULL);
}

static void pause_writer(unsigned *turn)
{
	if ((*turn)++ < YIELDS_MAX)
		sched_yield();
	else
		sleep_ns(SLEEP_NS);
}

/* What this thread wrote is seen by every reader that enters from now on, and of all others the entry is seen here. */
static void all_threads_barrier(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&now.fences, __ATOMIC_RELAXED) || membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED))
		return;
	/* It was there, and has been forbidden since. What readers wrote before they saw `fences` is visible long
	 * before this time is over. */
	__atomic_store_n(&now.fences, true, __ATOMIC_SEQ_CST);
	sleep_ns(10000000);
}

static bool is_older(const struct reader *r, uint64_t epoch)
{
	uint64_t entered = __atomic_load_n(&r->epoch, __ATOMIC_ACQUIRE);
	return entered && entered < epoch;
}

void vm_epoch_wait(void)
{
	unsigned turn = 0;

	pthread_once(&once, start);
	pthread_mutex_lock(&waiting);
	all_threads_barrier();
	uint64_t epoch = __atomic_add_fetch(&now.epoch, 1, __ATOMIC_SEQ_CST);
	uint32_t touched = __atomic_load_n(&readers_touched, __ATOMIC_SEQ_CST);
	for (uint32_t i = 0; i < touched; i++) {
		while (is_older(&readers[i], epoch))
			pause_writer(&turn);
	}
	while (__atomic_load_n(&crowd, __ATOMIC_ACQUIRE))
		pause_writer(&turn);
	pthread_mutex_unlock(&waiting);
}

/* ---- numbers ---- */

int vm_thread_number(void)
{
	if (__builtin_expect(self.number != 0, true))
		return (int)self.number - 1;
	uint64_t taken = __atomic_load_n(&numbers, __ATOMIC_RELAXED);
	while (~taken && watch_end()) {
		int free = __builtin_ctzll(~taken);
		if (__atomic_compare_exchange_n(&numbers, &taken, taken | 1ull << free, true, __ATOMIC_ACQ_REL,
		                                __ATOMIC_RELAXED)) {
			self.number = (uint32_t)free + 1;
			return free;
		}
	}
	return -EBUSY;
}
