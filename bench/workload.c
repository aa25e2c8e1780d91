/* SPDX-License-Identifier: Apache-2.0
 *
 * The load under which picket's cost to its host is measured.
 *
 *   workload open N FILE          N times open(FILE) and close
 *   workload exec N               N times fork, execve /bin/true, wait
 *   workload connect N            N TCP connections over loopback, ended by reset
 *   workload pace RATE S FILE     RATE opens a second for S seconds
 *   workload flood S FILE         as many opens as possible for S seconds, from a thread on each processor
 *   workload churn S              short-lived processes, one after the other, for S seconds
 *
 * Prints name=value: count (operations), wall_us and cpu_us (for one of them; cpu: of this program and its children),
 * seconds (all of it).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000ull
#define THREADS_MAX 64
#define TICKS_PER_S 1000 /* of the paced load */

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void sleep_until(uint64_t ns)
{
	struct timespec t = {.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

static double cpu_us(void)
{
	static const int whose[] = {RUSAGE_SELF, RUSAGE_CHILDREN};
	double us = 0;
	for (size_t i = 0; i < sizeof(whose) / sizeof(whose[0]); i++) {
		struct rusage r;
		getrusage(whose[i], &r);
		us += (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1e6;
		us += (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
	}
	return us;
}

/* ---- the loads: each returns how many operations it did, or -errno ---- */
static int open_once(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int64_t do_open(int64_t count, const char *path)
{
	for (int64_t i = 0; i < count; i++) {
		int r = open_once(path);
		if (r < 0)
			return r;
	}
	return count;
}

static int64_t do_pace(int64_t rate, int64_t seconds, const char *path)
{
	uint64_t start = now_ns();
	int64_t done = 0;
	for (int64_t tick = 1; tick <= seconds * TICKS_PER_S; tick++) {
		int64_t due = rate * tick / TICKS_PER_S;
		int64_t r = do_open(due - done, path);
		if (r < 0)
			return r;
		done = due;
		sleep_until(start + (uint64_t)tick * (NS_PER_S / TICKS_PER_S));
	}
	return done;
}

struct flood {
	const char *path;
	uint64_t end_ns;
	int64_t done; /* or -errno */
};

static void *flood_thread(void *argument)
{
	struct flood *f = argument;
	while (now_ns() < f->end_ns) {
		int64_t r = do_open(100, f->path);
		if (r < 0) {
			f->done = r;
			break;
		}
		f->done += r;
	}
	return NULL;
}

static int64_t do_flood(int64_t seconds, const char *path)
{
	pthread_t threads[THREADS_MAX];
	struct flood floods[THREADS_MAX];
	uint64_t end_ns = now_ns() + (uint64_t)seconds * NS_PER_S;
	long wanted = sysconf(_SC_NPROCESSORS_ONLN), started = 0;
	int64_t done = 0;
	for (; started < wanted && started < THREADS_MAX; started++) {
		floods[started] = (struct flood){.path = path, .end_ns = end_ns};
		if (pthread_create(&threads[started], NULL, flood_thread, &floods[started]) != 0)
			break;
	}
	for (long i = 0; i < started; i++) {
		pthread_join(threads[i], NULL);
		if (floods[i].done < 0 || done < 0)
			done = done < 0 ? done : floods[i].done;
		else
			done += floods[i].done;
	}
	return started == 0 ? -EAGAIN : done;
}

static int run_child(const char *program)
{
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		char *argv[] = {(char *)program, NULL}, *envp[] = {NULL};
		if (program)
			execve(program, argv, envp);
		_exit(program ? 127 : 0);
	}
	int status;
	if (waitpid(pid, &status, 0) < 0)
		return -errno;
	return status == 0 ? 0 : -ENOEXEC;
}

static int64_t do_exec(int64_t count)
{
	for (int64_t i = 0; i < count; i++) {
		int r = run_child("/bin/true");
		if (r < 0)
			return r;
	}
	return count;
}

/* Every fourth process also starts a program, as scripts do. */
static int64_t do_churn(int64_t seconds)
{
	uint64_t end_ns = now_ns() + (uint64_t)seconds * NS_PER_S;
	int64_t done = 0;
	for (; now_ns() < end_ns; done++) {
		int r = run_child(done % 4 == 0 ? "/bin/true" : NULL);
		if (r < 0)
			return r;
	}
	return done;
}

/* Without lingering sockets the ports of loopback would run out. */
static int reset_on_close(int fd)
{
	struct linger linger = {.l_onoff = 1};
	return setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

static void serve(int listener)
{
	for (;;) {
		char byte;
		int fd = accept(listener, NULL, NULL);
		if (fd < 0)
			_exit(0);
		reset_on_close(fd);
		if (read(fd, &byte, 1) < 0) {
			/* The client's reset: that is how it ends. */
		}
		close(fd);
	}
}

static int64_t connect_times(int64_t count, const struct sockaddr_in *address)
{
	for (int64_t i = 0; i < count; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0)
			return -errno;
		reset_on_close(fd);
		int r = connect(fd, (const struct sockaddr *)address, sizeof(*address));
		int error = errno;
		close(fd);
		if (r < 0)
			return -error;
	}
	return count;
}

static int64_t do_connect(int64_t count)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 1024) < 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &size) < 0)
		return -errno;
	pid_t server = fork();
	if (server < 0)
		return -errno;
	if (server == 0)
		serve(listener);
	close(listener);
	int64_t done = connect_times(count, &address);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	return done;
}

/* ---- the program ---- */
static int64_t number(const char *text)
{
	char *end;
	errno = 0;
	long long n = strtoll(text, &end, 10);
	if (errno || *end || end == text || n <= 0) {
		fprintf(stderr, "workload: not a number above 0: %s\n", text);
		exit(2);
	}
	return n;
}

static int64_t run(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "open") == 0)
		return do_open(number(argv[2]), argv[3]);
	if (argc == 3 && strcmp(argv[1], "exec") == 0)
		return do_exec(number(argv[2]));
	if (argc == 3 && strcmp(argv[1], "connect") == 0)
		return do_connect(number(argv[2]));
	if (argc == 5 && strcmp(argv[1], "pace") == 0)
		return do_pace(number(argv[2]), number(argv[3]), argv[4]);
	if (argc == 4 && strcmp(argv[1], "flood") == 0)
		return do_flood(number(argv[2]), argv[3]);
	if (argc == 3 && strcmp(argv[1], "churn") == 0)
		return do_churn(number(argv[2]));
	fprintf(stderr,
	        "usage: workload open N FILE | exec N | connect N | pace RATE S FILE | flood S FILE | churn S\n");
	exit(2);
}

int main(int argc, char **argv)
{
	uint64_t start = now_ns();
	double cpu = cpu_us();
	int64_t done = run(argc, argv);
	double wall = (double)(now_ns() - start);
	if (done <= 0) {
		fprintf(stderr, "workload: %s\n", strerror((int)-done));
		return 1;
	}
	printf("count=%lld wall_us=%.4f cpu_us=%.4f seconds=%.3f\n", (long long)done, wall / 1e3 / (double)done,
	       (cpu_us() - cpu) / (double)done, wall / 1e9);
	return 0;
}
