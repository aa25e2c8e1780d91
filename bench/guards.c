/* SPDX-License-Identifier: Apache-2.0
 *
 * What a guard costs at its hook: the kernel's own measure of its run time beside that of an empty program at the same hook, over
 * the same calls.
 *
 *	guards CGROUP WHEN	prints a row of a table for each hook
 *
 * Moves itself into the control group, where picket's guards are attached already, and attaches its empty programs.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 9

static void die(const char *what)
{
	fprintf(stderr, "guards: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- what is done, so that a hook is asked ---- */

static struct sockaddr_in to = {.sin_family = AF_INET};
static int udp, setting, program;

static void do_connect(void)
{
	(void)connect(udp, (const struct sockaddr *)&to, sizeof(to));
}

static void do_send(void)
{
	(void)sendto(udp, "x", 1, MSG_DONTWAIT, (const struct sockaddr *)&to, sizeof(to));
}

static void do_bind(void)
{
	(void)bind(udp, (const struct sockaddr *)&to, sizeof(to));
}

static void do_device(void)
{
	close(open("/dev/null", O_RDONLY | O_CLOEXEC));
}

static void do_setting(void)
{
	if (pwrite(setting, "60\n", 0, 0) != 0) /* nothing is written, but the hook is asked */
		die("a setting cannot be written");
}

static void do_exec(void)
{
	char *arguments[] = {"true", NULL}, *environment[] = {NULL};
	pid_t child = vfork();
	if (child == 0) {
		fexecve(program, arguments, environment);
		_exit(1);
	}
	waitpid(child, NULL, 0);
}

static const struct hook {
	const char *name, *guard;
	enum bpf_prog_type type;
	enum bpf_attach_type attach;
	void (*run)(void);
	unsigned times;
} hooks[] = {
        {"exec", "guard_exec", BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, do_exec, 300},
        {"connect", "guard_connect4", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT, do_connect, 20000},
        {"sendmsg", "guard_sendmsg4", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_UDP4_SENDMSG, do_send, 20000},
        {"bind", "guard_bind4", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_BIND, do_bind, 20000},
        {"device", "guard_device", BPF_PROG_TYPE_CGROUP_DEVICE, BPF_CGROUP_DEVICE, do_device, 20000},
        {"sysctl-write", "guard_sysctl", BPF_PROG_TYPE_CGROUP_SYSCTL, BPF_CGROUP_SYSCTL, do_setting, 20000},
};
#define HOOKS (sizeof(hooks) / sizeof(*hooks))

/* ---- programs ---- */

#define MAPS_MAX 64
struct maps {
	uint32_t ids[MAPS_MAX], count;
};

static bool describe(int fd, struct bpf_prog_info *ret_info, struct maps *ret_maps)
{
	uint32_t size = sizeof(*ret_info);
	*ret_info = (struct bpf_prog_info){.nr_map_ids = MAPS_MAX, .map_ids = (uint64_t)(uintptr_t)ret_maps->ids};
	bool good = bpf_obj_get_info_by_fd(fd, ret_info, &size) == 0;
	ret_maps->count = good && ret_info->nr_map_ids < MAPS_MAX ? ret_info->nr_map_ids : 0;
	return good;
}

/* Programs that were loaded together share their maps. */
static bool share(const struct maps *a, const struct maps *b)
{
	for (uint32_t i = 0; i < a->count; i++)
		for (uint32_t k = 0; k < b->count; k++)
			if (a->ids[i] == b->ids[k])
				return true;
	return false;
}

/* picket's, if it is the only one that the control group has there by itself. -1: it is not. */
static int find_attached(int cgroup, enum bpf_attach_type attach)
{
	uint32_t id = 0, count = 1;
	return bpf_prog_query(cgroup, attach, 0, NULL, &id, &count) < 0 || count != 1 ? -1 : bpf_prog_get_fd_by_id(id);
}

/* The program of that name which was loaded with those of the control group. -1: there is none. */
static int find_companion(int cgroup, const char *name)
{
	struct bpf_prog_info info;
	struct maps known = {.count = 0}, maps = {.count = 0};
	int fd = find_attached(cgroup, BPF_CGROUP_DEVICE);
	if (fd < 0)
		return -1;
	(void)describe(fd, &info, &known);
	close(fd);
	for (uint32_t id = 0; bpf_prog_get_next_id(id, &id) == 0;) {
		fd = bpf_prog_get_fd_by_id(id);
		if (fd >= 0 && describe(fd, &info, &maps) && strcmp(info.name, name) == 0 && share(&known, &maps))
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return -1;
}

static int attach_empty(const struct hook *h, int cgroup)
{
	bool tracing = h->type == BPF_PROG_TYPE_TRACING;
	const struct bpf_insn empty[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = !tracing},
	                                 {.code = BPF_JMP | BPF_EXIT}};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = h->attach);
	if (tracing) {
		struct btf *kernel = btf__load_vmlinux_btf();
		int id = btf__find_by_name_kind(kernel, "btf_trace_sched_process_exec", BTF_KIND_TYPEDEF);
		options.attach_btf_id = id > 0 ? (uint32_t)id : 0;
		btf__free(kernel);
	}
	int fd = bpf_prog_load(h->type, "empty", "GPL", empty, 2, &options);
	if (fd < 0)
		die("an empty program cannot be loaded");
	/* Held until the end of this process. */
	if ((tracing ? bpf_raw_tracepoint_open(NULL, fd) : bpf_link_create(fd, cgroup, h->attach, NULL)) < 0)
		die("an empty program cannot be attached");
	return fd;
}

struct runs {
	uint64_t ns, count;
};

static struct runs runs_of(int fd)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);
	if (bpf_obj_get_info_by_fd(fd, &info, &size) < 0)
		die("a program's run time cannot be read");
	return (struct runs){info.run_time_ns, info.run_cnt};
}

static double cost(struct runs before, struct runs after)
{
	return after.count > before.count ? (double)(after.ns - before.ns) / (double)(after.count - before.count) : 0;
}

/* ---- the table ---- */

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void measure(const struct hook *h, int cgroup, const char *when)
{
	double guards[ROUNDS], empties[ROUNDS];
	int guard =
	        h->type == BPF_PROG_TYPE_TRACING ? find_companion(cgroup, h->guard) : find_attached(cgroup, h->attach);
	if (guard < 0)
		return;
	int empty = attach_empty(h, cgroup);
	for (size_t i = 0; i < ROUNDS; i++) {
		struct runs g = runs_of(guard), e = runs_of(empty);
		for (unsigned n = 0; n < h->times; n++)
			h->run();
		guards[i] = cost(g, runs_of(guard));
		empties[i] = cost(e, runs_of(empty));
	}
	qsort(guards, ROUNDS, sizeof(*guards), compare);
	qsort(empties, ROUNDS, sizeof(*empties), compare);
	printf("| %s | %s | %.0f | %.0f | %.0f |\n", h->name, when, empties[ROUNDS / 2], guards[ROUNDS / 2],
	       guards[ROUNDS / 2] - empties[ROUNDS / 2]);
	close(guard);
}

int main(int argc, char **argv)
{
	char path[4096], pid[32];
	if (argc != 3) {
		fprintf(stderr, "usage: guards CGROUP WHEN\n");
		return 2;
	}
	int cgroup = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(path, sizeof(path), "%s/cgroup.procs", argv[1]);
	int procs = open(path, O_WRONLY | O_CLOEXEC);
	int length = snprintf(pid, sizeof(pid), "%d", getpid());
	if (cgroup < 0 || procs < 0 || write(procs, pid, (size_t)length) < 0)
		die(argv[1]);
	inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
	to.sin_port = htons(9);
	udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	setting = open("/proc/sys/vm/swappiness", O_WRONLY | O_CLOEXEC);
	program = open("/bin/true", O_RDONLY | O_CLOEXEC);
	if (udp < 0 || setting < 0 || program < 0 || bpf_enable_stats(BPF_STATS_RUN_TIME) < 0)
		die("the measuring cannot be set up");
	for (size_t i = 0; i < HOOKS; i++)
		measure(&hooks[i], cgroup, argv[2]);
	return 0;
}
