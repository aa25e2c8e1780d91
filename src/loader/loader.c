/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/loader.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/file.h"
#include "event/event.h"
#include "loader/owner.h"
#include "loader/probe.h"
#include "loader/ring.h"
#include "loader/run_time_int.h"
#include "loader/sieve.h"
#include "schema/sieve.h"
#include "schema/wire.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wundef"
#include "picket.skel.h"
#pragma GCC diagnostic pop

#define KERNEL_TYPES "/sys/kernel/btf/vmlinux"
#define RING_BYTES_DEFAULT (8u << 20)

struct loader {
	struct picket_bpf *bpf;
	const struct hook *hooks[SENSOR_COUNT]; /* taken; NULL: none */
	int hook_errors[SENSOR_COUNT];          /* why not the first: -errno, or 0 */
	struct bpf_link *links[SENSOR_COUNT];
	struct ring ring;
	int cpus;
	struct sieve_place sieve_place;
	bool sieved[EVENT_TYPE_MAX]; /* types with a program */
	bool paused;                 /* which nevertheless all pass */
	uint64_t wanted[4], kept[4]; /* bit per event type */
	uint64_t told;               /* of processes, so many times */
};

/* ---- messages ---- */
static bool verbose;

static int printf_like(2, 0) print_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	if (verbose && level <= LIBBPF_INFO)
		vfprintf(stderr, format, args);
	return 0;
}

static void fail(struct loader_failure *f, const char *what, int err)
{
	snprintf(f->what, sizeof(f->what), "%s: %s", what, strerror(-err));
}

/* Finds what of the host is missing, so that the message can name it. */
static int check_requirements(struct loader_failure *f)
{
	struct loader_requirement r[8];
	size_t n = MIN(loader_requirements(r, ARRAY_SIZE(r)), ARRAY_SIZE(r));

	for (size_t i = 0; i < n; i++)
		if (!r[i].ok && r[i].fatal) {
			snprintf(f->what, sizeof(f->what), "%s: %s", r[i].name, r[i].found);
			snprintf(f->hint, sizeof(f->hint), "%s", r[i].change);
			return strncmp(r[i].name, "CAP_", 4) == 0 ? -EPERM : -EOPNOTSUPP;
		}
	return 0;
}

/* ---- before the load ---- */
static void set_syscalls(struct picket_bpf *bpf)
{
	static const struct {
		int event, x86_64, i386, arm64, arm;
	} rows[] = {
#define SYSCALL(event, x86_64, i386, arm64, arm) {EVENT_##event, x86_64, i386, arm64, arm},
#include "schema/syscall.def"
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
#if defined(__x86_64__)
		int numbers[2] = {rows[i].x86_64, rows[i].i386};
#elif defined(__aarch64__)
		int numbers[2] = {rows[i].arm64, rows[i].arm};
#else
#error "picket knows the system calls of x86-64 and arm64"
#endif
		for (int abi = 0; abi < 2; abi++)
			if (numbers[abi] >= 0 && (size_t)numbers[abi] < ARRAY_SIZE(bpf->rodata->syscall_events[0]))
				bpf->rodata->syscall_events[abi][numbers[abi]] = (uint8_t)rows[i].event;
	}
}

/* The id and depth of a cgroup v2 directory. The inode number is the id; the depth counts from the mount point, which
 * is found as the last directory upwards on the same device. */
static int cgroup_locate(const char *path, uint64_t *ret_id, uint32_t *ret_level)
{
	_cleanup_(base_free_ptr) char *real = realpath(path, NULL);
	struct stat own, above;
	uint32_t level = 0;
	char *slash;

	if (!real)
		return -errno;
	if (stat(real, &own))
		return -errno;
	*ret_id = own.st_ino;
	while ((slash = strrchr(real, '/')) && slash != real) {
		*slash = '\0';
		if (stat(real, &above) || above.st_dev != own.st_dev)
			break;
		level++;
	}
	*ret_level = level;
	return 0;
}

static int set_config(struct loader *l, const struct loader_options *o, struct loader_failure *f)
{
	struct picket_bpf *bpf = l->bpf;
	size_t ring = o->ring_bytes ? o->ring_bytes : RING_BYTES_DEFAULT;
	uint64_t id = 0;
	uint32_t level = 0;
	int err;

	if (o->cgroup) {
		err = cgroup_locate(o->cgroup, &id, &level);
		if (err) {
			fail(f, o->cgroup, err);
			snprintf(f->hint, sizeof(f->hint), "name a directory of the cgroup v2 hierarchy");
			return err;
		}
	}
	bpf->rodata->config.cgroup_id = id;
	bpf->rodata->config.cgroup_level = level;
	bpf->rodata->config.self_pid = o->include_self ? 0 : owner_pid();
	bpf->rodata->config.ring_mark = (uint32_t)(ring / 8);
	bpf->rodata->config.cpus = (uint32_t)l->cpus;
	bpf->rodata->config.environment = o->environment;
	set_syscalls(bpf);
	err = bpf_map__set_max_entries(bpf->maps.ring, (uint32_t)ring);
	if (!err)
		err = bpf_map__set_max_entries(bpf->maps.scratches, (uint32_t)l->cpus + 1);
	if (!err)
		err = bpf_map__set_max_entries(bpf->maps.opened_before,
		                               (uint32_t)l->cpus * bpf_map__max_entries(bpf->maps.opened_before));
	if (err) {
		snprintf(f->what, sizeof(f->what), "a ring of %zu bytes is not possible", ring);
		snprintf(f->hint, sizeof(f->hint), "give a power of two, at least 4096");
	}
	return err;
}

/* Does a tracepoint hand over this many arguments? */
static bool tracepoint_has_arguments(const struct btf *kernel, const char *name, unsigned count)
{
	char typedef_name[128];
	const struct btf_type *t;
	int id;

	snprintf(typedef_name, sizeof(typedef_name), "btf_trace_%s", name);
	id = btf__find_by_name_kind(kernel, typedef_name, BTF_KIND_TYPEDEF);
	t = id > 0 ? btf__type_by_id(kernel, (uint32_t)id) : NULL;        /* the typedef, */
	t = t ? btf__type_by_id(kernel, t->type) : NULL;                  /* of a pointer, */
	t = t && btf_is_ptr(t) ? btf__type_by_id(kernel, t->type) : NULL; /* to a function */
	return t && btf_is_func_proto(t) && btf_vlen(t) == count + 1;     /* the first is the tracepoint's own */
}

/* Of the programs that sensor.def names, only the chosen hook of each sensor is loaded. */
static int choose_hooks(struct loader *l, struct loader_failure *f)
{
	struct btf *kernel = btf__load_vmlinux_btf();

	if (!kernel) {
		int err = -errno;
		fail(f, "the kernel's types cannot be read", err);
		return err;
	}
	for (size_t s = 0; s < SENSOR_COUNT; s++) {
		l->hooks[s] = sensor_hook(s, kernel, &l->hook_errors[s]);
		for (size_t i = 0; i < hook_count; i++) {
			struct bpf_program *p = bpf_object__find_program_by_name(l->bpf->obj, hooks[i].program);
			if (hooks[i].sensor == s && p)
				bpf_program__set_autoload(p, &hooks[i] == l->hooks[s]);
		}
	}
	l->bpf->rodata->config.uring_cqe = tracepoint_has_arguments(kernel, "io_uring_complete", 3);
	l->bpf->rodata->config.exit_group_dead = tracepoint_has_arguments(kernel, "sched_process_exit", 2);
	btf__free(kernel);
	if (l->hooks[SENSOR_SYSCALL])
		return 0;
	snprintf(f->what, sizeof(f->what), "this kernel has no tracepoint at the return of system calls");
	snprintf(f->hint, sizeof(f->hint), "a kernel with CONFIG_HAVE_SYSCALL_TRACEPOINTS and CONFIG_BPF_EVENTS");
	return -EOPNOTSUPP;
}

/* Guards have their own loader, src/loader/guards.c. */
static int leave_out_guards(struct picket_bpf *bpf)
{
	static const struct str prefix = {"guard_", 6};
	struct bpf_program *p;
	struct bpf_map *m;
	int err = 0;

	bpf_object__for_each_program(p, bpf->obj) if (str_starts_with(str_from(bpf_program__name(p)), prefix)) err =
	        err ? err : bpf_program__set_autoload(p, false);
	bpf_object__for_each_map(m, bpf->obj) if (str_starts_with(str_from(bpf_map__name(m)), prefix)) err =
	        err ? err : bpf_map__set_autocreate(m, false);
	return err;
}

/* ---- after the load ---- */
static void sieve_prepare(struct loader *l);
static void set_changes(struct loader *l);

static int set_sensors(struct loader *l)
{
	int map = bpf_map__fd(l->bpf->maps.sensors);
	int generic = bpf_program__fd(l->bpf->progs.sys_generic), openat = bpf_program__fd(l->bpf->progs.sys_openat),
	    exec = bpf_program__fd(l->bpf->progs.process_exec_failed);

	for (uint32_t type = 1; type < EVENT_TYPE_MAX; type++) {
		const struct event_info *info = event_type_info(type);
		int program = type == EVENT_execve || type == EVENT_execveat ? exec
		              : type == EVENT_openat                         ? openat
		                                                             : generic;
		if (info->name && !info->own && bpf_map_update_elem(map, &type, &program, BPF_ANY))
			return -errno;
	}
	return 0;
}

/* From the last to the first, which is exec before fork before system calls: a child whose fork was seen but not its exec
 * would pass for its parent until the list of processes corrects it. */
static int attach(struct loader *l, struct loader_failure *f)
{
	for (size_t s = SENSOR_COUNT; s-- > 0;) {
		const struct hook *h = l->hooks[s];
		struct bpf_program *p = h ? bpf_object__find_program_by_name(l->bpf->obj, h->program) : NULL;
		if (!p)
			continue;
		l->links[s] = bpf_program__attach(p);
		if (!l->links[s]) {
			int err = -errno;
			snprintf(f->what, sizeof(f->what), "%s cannot be attached: %s", h->attach, strerror(-err));
			return err;
		}
	}
	return 0;
}

int loader_new(const struct loader_options *options, struct loader **ret_loader, struct loader_failure *reterr_failure)
{
	struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	/* Named, so that libbpf does not look through the types of all modules, which needs CAP_SYS_ADMIN. */
	LIBBPF_OPTS(bpf_object_open_opts, open, .btf_custom_path = KERNEL_TYPES);
	struct loader_failure f = {};
	struct loader *l = calloc(1, sizeof(*l));
	int err = -ENOMEM;

	if (!l) {
		fail(&f, "loader", err);
		goto out;
	}
	verbose = options->verbose;
	libbpf_set_print(print_libbpf);
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL & ~LIBBPF_STRICT_AUTO_RLIMIT_MEMLOCK);
	err = check_requirements(&f);
	if (err)
		goto out;
	/* Kernels up to 5.10 count BPF memory against this limit; newer ones do not, so a refusal does not matter. */
	(void)setrlimit(RLIMIT_MEMLOCK, &unlimited);
	l->cpus = libbpf_num_possible_cpus();
	l->bpf = picket_bpf__open_opts(&open);
	if (!l->bpf) {
		err = -errno;
		fail(&f, "the BPF object cannot be opened", err);
		goto out;
	}
	err = set_config(l, options, &f);
	if (!err)
		err = choose_hooks(l, &f);
	if (!err)
		err = leave_out_guards(l->bpf);
	if (err)
		goto out;
	err = picket_bpf__load(l->bpf);
	if (err) {
		fail(&f, "the kernel refuses the sensors", err);
		snprintf(f.hint, sizeof(f.hint), "see its reason with --verbose, and `picket doctor`");
		goto out;
	}
	sieve_prepare(l);
	set_changes(l);
	err = owner_mark(l->bpf->obj, l->bpf->maps.picket_owner, options->instance);
	if (!err)
		err = set_sensors(l);
	if (!err)
		err = ring_open(&l->ring, bpf_map__fd(l->bpf->maps.ring), bpf_map__max_entries(l->bpf->maps.ring));
	if (err) {
		fail(&f, "the sensors' maps cannot be set up", err);
		goto out;
	}
	for (uint32_t type = 1; type < EVENT_TYPE_MAX; type++)
		l->bpf->bss->event_wanted[type] = event_type_info(type)->state;
	err = options->attach_nothing ? 0 : attach(l, &f);
out:
	if (err) {
		loader_free(l);
		*reterr_failure = f;
		return err;
	}
	*ret_loader = l;
	return 0;
}

void loader_free(struct loader *l)
{
	if (!l)
		return;
	for (size_t s = 0; s < SENSOR_COUNT; s++)
		bpf_link__destroy(l->links[s]);
	ring_close(&l->ring);
	picket_bpf__destroy(l->bpf);
	free(l);
}

static bool is_open(uint32_t type)
{
	return type == EVENT_open || type == EVENT_openat || type == EVENT_openat2;
}

/* Of opens the sieve looks at names, which their sensor finds; which mappings are events at all is for theirs to say. */
static uint8_t how_sieved(uint32_t type)
{
	bool maps = type == EVENT_mmap || type == EVENT_mprotect || type == EVENT_pkey_mprotect;
	return is_open(type) || maps ? WANTED_SIEVED : WANTED_SIEVED_FIRST;
}

static uint8_t how_wanted(const struct loader *l, uint32_t type)
{
	if (event_type_info(type)->state || l->wanted[type / 64] >> (type % 64) & 1)
		return l->sieved[type] && !l->paused && !(l->kept[type / 64] >> (type % 64) & 1) ? how_sieved(type)
		                                                                                 : WANTED_ALL;
	return is_open(type) && l->bpf->bss->sieve_keeps_writes && l->sieve_place.attach_btf_id ? WANTED_WRITES : 0;
}

static void set_wanted(struct loader *l, uint32_t type)
{
	l->bpf->bss->event_wanted[type] = how_wanted(l, type);
}

int loader_set_events(struct loader *l, const uint64_t wanted[4], const uint64_t kept[4])
{
	memcpy(l->wanted, wanted, sizeof(l->wanted));
	memcpy(l->kept, kept, sizeof(l->kept));
	for (uint32_t type = 1; type < EVENT_TYPE_MAX; type++)
		set_wanted(l, type);
	return 0;
}

/* ---- the sieve ---- */

/* Before the sensors are attached. Without it all events pass. */
static void sieve_prepare(struct loader *l)
{
	struct bpf_prog_info info = {};
	uint32_t length = sizeof(info), pass = SIEVE_PASS, drop = SIEVE_DROP;
	int programs = bpf_map__fd(l->bpf->maps.sieves), fd = bpf_program__fd(l->bpf->progs.sieve_pass);
	int dropped = bpf_program__fd(l->bpf->progs.sieve_drop);

	if (bpf_obj_get_info_by_fd(fd, &info, &length) || !info.attach_btf_id ||
	    bpf_map_update_elem(programs, &pass, &fd, BPF_ANY) ||
	    bpf_map_update_elem(programs, &drop, &dropped, BPF_ANY))
		return;
	l->sieve_place = (struct sieve_place){bpf_map__fd(l->bpf->maps.scratches), programs, (int)info.attach_btf_id};
}

static void sieve_switch(struct loader *l, const unsigned *types, size_t count, bool on)
{
	for (size_t i = 0; i < count; i++) {
		l->sieved[types[i]] = on;
		set_wanted(l, types[i]);
	}
	l->bpf->bss->sieve_epoch++;
}

int loader_set_sieve(struct loader *l, const unsigned *types, size_t count, const struct loader_sieve *sieve,
                     char *reterr_why, size_t size)
{
	_cleanup_(base_close_fd) int program = -1;

	sieve_switch(l, types, count, false);
	if (!sieve)
		return 0;
	if (!l->sieve_place.attach_btf_id)
		return -EOPNOTSUPP;
	program = sieve_load(&l->sieve_place, sieve, reterr_why, size);
	if (program < 0)
		return program;
	int r = owner_mark_program(l->bpf->maps.picket_owner, program);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++)
		if (bpf_map_update_elem(l->sieve_place.programs, &types[i], &program, BPF_ANY))
			return -errno;
	sieve_switch(l, types, count, true);
	return 0;
}

void loader_pause_sieve(struct loader *l, bool paused)
{
	l->paused = paused;
	l->bpf->bss->sieve_is_paused = paused;
	for (uint32_t type = 1; type < EVENT_TYPE_MAX; type++)
		set_wanted(l, type);
}

void loader_keep_writes(struct loader *l, bool keep)
{
	if (l->bpf->bss->sieve_keeps_writes == keep)
		return;
	l->bpf->bss->sieve_keeps_writes = keep;
	for (uint32_t type = 1; type < EVENT_TYPE_MAX; type++)
		set_wanted(l, type);
	l->bpf->bss->sieve_epoch++;
}

static void watched_set(struct loader *l, uint32_t bit)
{
	l->bpf->bss->sieve_watched[bit / 64] |= 1ull << bit % 64;
}

void loader_pass_file(struct loader *l, uint32_t dev, uint64_t ino)
{
	uint64_t hash = SIEVE_WATCHED_HASH(dev, ino);

	watched_set(l, SIEVE_WATCHED_BIT_1(hash));
	watched_set(l, SIEVE_WATCHED_BIT_2(hash));
	l->bpf->bss->sieve_epoch++;
}

/* ---- processes, and which rules can still match them ---- */

/* All that the table of processes follows changes the process that did it, unless it is known to do something else. */
static void set_changes(struct loader *l)
{
	for (uint32_t type = 1; type < EVENT_TYPE_MAX; type++)
		l->bpf->bss->event_changes[type] = event_type_info(type)->state ? CHANGES_PROCESS : 0;
	l->bpf->bss->event_changes[EVENT_symlink] = 0;
	l->bpf->bss->event_changes[EVENT_symlinkat] = 0;
	l->bpf->bss->event_changes[EVENT_mount] = 0;
	l->bpf->bss->event_changes[EVENT_setpgid] = CHANGES_OTHERS; /* mostly a child */
}

int loader_process_begin(struct loader *l, uint32_t pid, uint64_t start_ns, struct loader_process *ret_process)
{
	struct loader_process p = {.value.start_ns = start_ns};
	int map = bpf_map__fd(l->bpf->maps.sieve_processes);

	if (!l->bpf->bss->sieve_by_process) { /* a sensor that runs just now may not know it yet */
		l->bpf->bss->sieve_by_process = true;
		return -EAGAIN;
	}
	p.pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (p.pidfd < 0)
		return -errno;
	p.value.kin_epoch = *(volatile uint32_t *)&l->bpf->bss->kin_epoch;
	p.value.user_epoch = l->bpf->bss->user_epoch;
	if (bpf_map_update_elem(map, &p.pidfd, &p.value, BPF_ANY)) {
		int r = -errno;
		close(p.pidfd);
		return r;
	}
	p.position = ring_produced(&l->ring);
	*ret_process = p;
	return 0;
}

uint64_t loader_position(const struct loader *l)
{
	return ring_produced(&l->ring);
}

bool loader_has_passed(const struct loader *l, uint64_t position)
{
	return ring_taken(&l->ring) >= position;
}

bool loader_process_is_ready(const struct loader *l, const struct loader_process *p)
{
	return loader_has_passed(l, p->position);
}

int loader_process_set(struct loader *l, struct loader_process *p)
{
	p->value.known = 1;
	p->value.serial = ++l->told;
	return bpf_map_update_elem(bpf_map__fd(l->bpf->maps.sieve_processes), &p->pidfd, &p->value, BPF_EXIST) ? -errno
	                                                                                                       : 0;
}

void loader_process_done(struct loader_process *p)
{
	base_close_fd(&p->pidfd);
}

void loader_processes_forget(struct loader *l)
{
	l->bpf->bss->user_epoch++;
}

/* ---- processes that are there ---- */
#define LIST_BYTES_MAX (256u << 20)

/* The iterator's output is records one after the other; a read may end inside one. */
static int list_records(int fd, struct buf *pending, int (*put)(void *userdata, const void *record, size_t length),
                        void *userdata)
{
	for (;;) {
		char *room = buf_reserve(pending, 64 * 1024);
		ssize_t n;
		if (!room)
			return buf_error(pending);
		n = read(fd, room, 64 * 1024);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		buf_commit(pending, (size_t)n);
		size_t at = 0;
		while (pending->length - at >= sizeof(struct event_header)) {
			const struct event_header *h = (const void *)(pending->data + at);
			int err;
			if (h->length < sizeof(*h) || h->length > EVENT_RECORD_MAX)
				return -EBADMSG;
			if (h->length > pending->length - at)
				break;
			err = put(userdata, h, h->length);
			if (err)
				return err;
			at += h->length;
		}
		memmove(pending->data, pending->data + at, pending->length - at);
		pending->length -= at;
	}
}

int loader_list_tasks(struct loader *l, int (*put)(void *userdata, const void *record, size_t length), void *userdata)
{
	_cleanup_(base_close_fd) int fd = -1;
	_cleanup_(buf_done) struct buf pending;

	buf_init(&pending, LIST_BYTES_MAX);
	if (!l->links[SENSOR_TASKS])
		return -EOPNOTSUPP;
	fd = bpf_iter_create(bpf_link__fd(l->links[SENSOR_TASKS]));
	if (fd < 0)
		return -errno;
	return list_records(fd, &pending, put, userdata);
}

/* ---- events ---- */
int loader_fd(const struct loader *l)
{
	return bpf_map__fd(l->bpf->maps.ring);
}

ssize_t loader_poll(struct loader *l, size_t max, int (*put)(void *userdata, const void *record, size_t length),
                    void *userdata)
{
	return ring_poll(&l->ring, max, put, userdata);
}

void loader_get_ring(const struct loader *l, struct loader_ring_info *ret_info)
{
	*ret_info = (struct loader_ring_info){.bytes = l->ring.bytes, .used = ring_used(&l->ring)};
}

size_t loader_sensors(const struct loader *l, struct loader_sensor_report *ret_reports, size_t max)
{
	size_t count = MIN((size_t)SENSOR_COUNT, max);

	for (size_t s = 0; s < count; s++)
		ret_reports[s] = sensor_report(s, l->hooks[s], l->hook_errors[s]);
	return count;
}

int loader_run_time(const struct loader *l, uint64_t *ret_ns)
{
	return run_time_of(l->bpf->obj, ret_ns);
}

/* ---- counters ---- */
static const struct {
	const char *name, *doc;
} counters[] = {
#define COUNTER(name, doc) {#name, doc},
#include "schema/errors.def"
};

size_t loader_counter_count(void)
{
	return ARRAY_SIZE(counters);
}

const char *loader_counter_name(size_t i)
{
	return counters[i].name;
}

const char *loader_counter_doc(size_t i)
{
	return counters[i].doc;
}

int loader_counters(struct loader *l, uint64_t *ret_values, size_t count)
{
	_cleanup_(base_free_ptr) uint64_t *by_cpu = calloc((size_t)l->cpus, sizeof(*by_cpu));

	if (!by_cpu)
		return -ENOMEM;
	for (uint32_t i = 0; i < MIN(count, ARRAY_SIZE(counters)); i++) {
		uint64_t sum = 0;
		if (bpf_map_lookup_elem(bpf_map__fd(l->bpf->maps.counters), &i, by_cpu))
			return -errno;
		for (int cpu = 0; cpu < l->cpus; cpu++)
			sum += by_cpu[cpu];
		ret_values[i] = sum;
	}
	return 0;
}
