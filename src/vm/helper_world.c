/* SPDX-License-Identifier: Apache-2.0
 *
 * What a program asks about the world: time, chance, and the thread that it runs in.
 */
#include <errno.h>
#include <sched.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>
#include "vm/helper_int.h"

#define COMM_BYTES 16
#define NS_PER_SECOND 1000000000ull

/* ---- time ---- */
static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t = {0};

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * NS_PER_SECOND + (uint64_t)t.tv_nsec;
}

uint64_t helper_ktime_get_ns(HELPER_PARAMETERS)
{
	return clock_ns(CLOCK_MONOTONIC);
}

uint64_t helper_ktime_get_boot_ns(HELPER_PARAMETERS)
{
	return clock_ns(CLOCK_BOOTTIME);
}

uint64_t helper_ktime_get_coarse_ns(HELPER_PARAMETERS)
{
	return clock_ns(CLOCK_MONOTONIC_COARSE);
}

uint64_t helper_ktime_get_tai_ns(HELPER_PARAMETERS)
{
	return clock_ns(CLOCK_TAI);
}

/* The coarse clock's resolution is the kernel's tick. It begins to count five minutes below the end of 32 bits. */
uint64_t helper_jiffies64(HELPER_PARAMETERS)
{
	struct timespec tick = {.tv_nsec = NS_PER_SECOND / 100};
	uint64_t per_second;

	clock_getres(CLOCK_MONOTONIC_COARSE, &tick);
	per_second = NS_PER_SECOND / (uint64_t)tick.tv_nsec;
	return (uint32_t)(-300 * per_second) + clock_ns(CLOCK_MONOTONIC_COARSE) / (uint64_t)tick.tv_nsec;
}

/* ---- chance: a generator per thread (splitmix64), seeded by the system's ---- */
uint64_t helper_get_prandom_u32(HELPER_PARAMETERS)
{
	static __thread uint64_t state;
	uint64_t z;

	if (!state)
		state = base_random_seed();
	z = state += 0x9e3779b97f4a7c15ull;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return (z ^ z >> 31) >> 32;
}

/* ---- the thread ---- */
/* PICKET_CPUS_MAX, which no per-CPU map has, if there are more threads than numbers. */
uint64_t helper_get_smp_processor_id(HELPER_PARAMETERS)
{
	int number = vm_thread_number();

	return number < 0 ? PICKET_CPUS_MAX : (uint64_t)number;
}

uint64_t helper_get_numa_node_id(HELPER_PARAMETERS)
{
	unsigned node = 0;

	return getcpu(NULL, &node) ? 0 : node;
}

uint64_t helper_get_current_pid_tgid(HELPER_PARAMETERS)
{
	return (uint64_t)(uint32_t)getpid() << 32 | (uint32_t)gettid();
}

uint64_t helper_get_current_uid_gid(HELPER_PARAMETERS)
{
	return (uint64_t)getgid() << 32 | getuid();
}

uint64_t helper_get_current_comm(HELPER_PARAMETERS)
{
	char comm[COMM_BYTES] = "", *to = helper_pointer(r1);
	size_t length;

	prctl(PR_GET_NAME, comm);
	length = MIN(strnlen(comm, sizeof(comm)), r2 - 1);
	memcpy(to, comm, length);
	memset(to + length, 0, r2 - length);
	return 0;
}
