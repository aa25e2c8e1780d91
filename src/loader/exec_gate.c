/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/exec_gate.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/fanotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define ANSWERER "picket-exec"
#define WAIT_MS 250                         /* for a question: a turn takes no longer */
#define MARK_AGAIN_NS 500000000ull          /* files are replaced */
#define START_MS (2 * EXEC_GATE_TURN_MS)    /* for the answerer to be there */
#define PID_NAMESPACE_INITIAL 0xEFFFFFFCull /* its inode number (include/linux/proc_ns.h) */
#define FRAME_BYTES 14                      /* the least that a program of packets is run with */

struct exec_gate {
	char *executables[GUARD_EXECUTABLES_MAX];
	size_t count;
	int program;    /* borrowed */
	pid_t answerer; /* 0: there is none */
	uint64_t started_ns;
	struct guards_gate_counts *counts; /* shared with the answerer, which alone writes */
};

/* ---- the answerer: between fork and its end only system calls, as another thread may have held any lock ---- */

struct answering {
	struct exec_gate *gate;
	int fanotify;
	timer_t timer;
	uint64_t marked_ns;
};

static void keep_open(int a, int b)
{
	const unsigned first = (unsigned)MIN(a, b), second = (unsigned)MAX(a, b);
	if (first > 0)
		close_range(0, first - 1, 0);
	if (first + 1 < second)
		close_range(first + 1, second - 1, 0);
	close_range(second + 1, ~0u, 0);
}

/* Of those that it may have. */
static int take_capabilities(uint64_t wanted)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	for (unsigned i = 0; i < ARRAY_SIZE(data); i++) {
		data[i].permitted &= (uint32_t)(wanted >> 32 * i);
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

#define CAPABILITY(c) (1ull << (c))
#define TO_ANSWER (CAPABILITY(CAP_BPF) | CAPABILITY(CAP_PERFMON) | CAPABILITY(CAP_DAC_READ_SEARCH))

static int set_timer(struct answering *a)
{
	const struct itimerspec end = {.it_value.tv_sec = EXEC_GATE_TURN_MS / 1000,
	                               .it_value.tv_nsec = EXEC_GATE_TURN_MS % 1000 * 1000000l};
	return timer_settime(a->timer, 0, &end, NULL) < 0 ? -errno : 0;
}

/* Whatever happens to this process: the signal is the kernel's, and a stopped process dies by it, too. */
static int bound_life(struct answering *a, pid_t parent)
{
	struct sigevent kill = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || timer_create(CLOCK_MONOTONIC, &kill, &a->timer) < 0)
		return -errno;
	return getppid() == parent ? set_timer(a) : -ESRCH;
}

static int open_fanotify(void)
{
	int fd = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC | FAN_NONBLOCK | FAN_REPORT_TID,
	                       O_RDONLY | O_CLOEXEC | O_NOATIME);
	return fd < 0 ? -errno : fd;
}

static int mark(int fanotify, int file)
{
	return fanotify_mark(fanotify, FAN_MARK_ADD, FAN_OPEN_EXEC_PERM, file, NULL) < 0 ? -errno : 0;
}

/* The file itself, not its mount or directory. One that cannot be opened is not marked: the kernel would refuse its start, since it
 * opens the file to ask. */
static void mark_executable(const struct answering *a, const char *path)
{
	struct stat s;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return;
	if (fstat(fd, &s) < 0 || (S_ISREG(s.st_mode) && mark(a->fanotify, fd) < 0))
		a->gate->counts->failed++;
	close(fd);
}

static void mark_executables(struct answering *a)
{
	a->marked_ns = clock_boot_ns();
	for (size_t i = 0; i < a->gate->count; i++)
		mark_executable(a, a->gate->executables[i]);
}

/* Of a script its interpreter is asked about next, as at the security hook. */
static bool is_script(int fd)
{
	char begin[2];
	return pread(fd, begin, sizeof(begin), 0) == sizeof(begin) && begin[0] == '#' && begin[1] == '!';
}

/* What fails lets the program start. */
static bool is_refused(const struct answering *a, const struct fanotify_event_metadata *event)
{
	struct __sk_buff question = {
	        .cb = {[GUARD_GATE_THREAD] = (uint32_t)event->pid, [GUARD_GATE_FILE] = (uint32_t)event->fd}};
	const char frame[FRAME_BYTES] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &question, .ctx_size_in = sizeof(question), .data_in = frame,
	            .data_size_in = sizeof(frame));
	a->gate->counts->asked++;
	if (is_script(event->fd))
		return false;
	if (bpf_prog_test_run_opts(a->gate->program, &run)) {
		a->gate->counts->failed++;
		return false;
	}
	return (int32_t)run.retval < 0;
}

static void answer(const struct answering *a, const struct fanotify_event_metadata *event)
{
	if (event->fd < 0) { /* too many at once: the kernel has let them start */
		a->gate->counts->failed++;
		return;
	}
	const struct fanotify_response response = {.fd = event->fd,
	                                           .response = is_refused(a, event) ? FAN_DENY : FAN_ALLOW};
	if (write(a->fanotify, &response, sizeof(response)) != sizeof(response))
		a->gate->counts->failed++;
	close(event->fd);
}

/* Returns false if there is nothing to be hoped for: then the end of this process lets all go on. */
static bool answer_all(const struct answering *a)
{
	struct fanotify_event_metadata events[32];
	ssize_t length = read(a->fanotify, events, sizeof(events));
	if (length < 0)
		return errno == EAGAIN || errno == EINTR;
	for (const struct fanotify_event_metadata *e = events; FAN_EVENT_OK(e, length); e = FAN_EVENT_NEXT(e, length)) {
		if (e->vers != FANOTIFY_METADATA_VERSION)
			return false;
		answer(a, e);
	}
	return true;
}

static void turn_on(struct answering *a)
{
	struct pollfd asked = {.fd = a->fanotify, .events = POLLIN};
	while (set_timer(a) == 0) {
		if (poll(&asked, 1, WAIT_MS) > 0 && !answer_all(a))
			return;
		if (clock_boot_ns() - a->marked_ns >= MARK_AGAIN_NS)
			mark_executables(a);
	}
}

static int begin(struct answering *a, pid_t parent)
{
	sigset_t all;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL); /* of the terminal, of the group: it ends with its parent */
	int r = bound_life(a, parent);
	if (r < 0)
		return r;
	(void)prctl(PR_SET_NAME, ANSWERER);
	r = take_capabilities(TO_ANSWER | CAPABILITY(CAP_SYS_ADMIN));
	a->fanotify = r < 0 ? r : open_fanotify();
	if (a->fanotify < 0)
		return a->fanotify;
	r = take_capabilities(TO_ANSWER);
	if (r == 0)
		mark_executables(a);
	return r;
}

static void be_answerer(struct exec_gate *g, pid_t parent, int ready)
{
	struct answering a = {.gate = g, .fanotify = -1};
	keep_open(g->program, ready);
	(void)mlockall(MCL_CURRENT | MCL_FUTURE |
	               MCL_ONFAULT); /* as far as it may; else its pages may have to be read */
	int r = begin(&a, parent);
	if (write(ready, &r, sizeof(r)) == sizeof(r) && r == 0) {
		close(ready);
		turn_on(&a);
	}
	_exit(1);
}

/* ---- who starts it ---- */

int exec_gate_new(const char *const *executables, size_t count, int program, struct exec_gate **ret_gate)
{
	struct exec_gate *g = calloc(1, sizeof(*g));
	if (!g)
		return -ENOMEM;
	g->program = program;
	void *shared = mmap(NULL, sizeof(*g->counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	g->counts = shared == MAP_FAILED ? NULL : shared;
	bool good = g->counts;
	for (size_t i = 0; i < count && good; i++) {
		good = (g->executables[i] = strdup(executables[i])) != NULL;
		g->count = i + 1;
	}
	if (!good) {
		exec_gate_free(g);
		return -ENOMEM;
	}
	*ret_gate = g;
	return 0;
}

static void end_answerer(struct exec_gate *g)
{
	if (!g->answerer)
		return;
	kill(g->answerer, SIGKILL);
	while (waitpid(g->answerer, NULL, 0) < 0 && errno == EINTR)
		;
	g->answerer = 0;
}

void exec_gate_free(struct exec_gate *g)
{
	if (!g)
		return;
	end_answerer(g);
	if (g->counts)
		munmap(g->counts, sizeof(*g->counts));
	for (size_t i = 0; i < g->count; i++)
		free(g->executables[i]);
	free(g);
}

/* What it says when it is there; the end of the pipe if it has ended before. */
static int wait_ready(int fd)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	int r = 0;
	if (poll(&ready, 1, START_MS) <= 0)
		return -ETIMEDOUT;
	return read(fd, &r, sizeof(r)) == sizeof(r) ? r : -ETIMEDOUT;
}

int exec_gate_start(struct exec_gate *g)
{
	_cleanup_(base_close_fd) int from = -1;
	_cleanup_(base_close_fd) int to = -1;
	int ends[2];
	const pid_t self = getpid();
	g->started_ns = clock_boot_ns();
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	from = ends[0], to = ends[1];
	g->answerer = fork();
	if (g->answerer == 0)
		be_answerer(g, self, to);
	if (g->answerer < 0) {
		g->answerer = 0;
		return -errno;
	}
	base_close_fd(&to);
	int r = wait_ready(from);
	if (r < 0)
		end_answerer(g);
	return r;
}

enum guards_gate exec_gate_tend(struct exec_gate *g)
{
	if (g->answerer) {
		if (waitpid(g->answerer, NULL, WNOHANG) == 0)
			return GUARDS_GATE_ANSWERS;
		g->answerer = 0;
		return GUARDS_GATE_ENDED;
	}
	if (clock_boot_ns() - g->started_ns < EXEC_GATE_AGAIN_NS)
		return GUARDS_GATE_ENDED;
	return exec_gate_start(g) == 0 ? GUARDS_GATE_ANSWERS : GUARDS_GATE_ENDED;
}

void exec_gate_counts(const struct exec_gate *g, struct guards_gate_counts *ret_counts)
{
	*ret_counts = *g->counts;
}

/* ---- probing ---- */

/* The kernel finds tasks by their numbers in the initial namespace only. */
static bool sees_all_processes(void)
{
	struct stat s;
	return stat("/proc/self/ns/pid", &s) == 0 && s.st_ino == PID_NAMESPACE_INITIAL;
}

/* Marks a file that nobody else has. */
int exec_gate_probe(void)
{
	_cleanup_(base_close_fd) int fanotify = open_fanotify();
	_cleanup_(base_close_fd) int file = -1;
	if (fanotify < 0)
		return fanotify;
	file = memfd_create("picket-probe", MFD_CLOEXEC);
	if (file < 0)
		return -errno;
	return sees_all_processes() ? mark(fanotify, file) : -EOPNOTSUPP;
}
