/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/guards.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>

#include "loader/exec_gate.h"
#include "loader/guards_int.h"
#include "loader/owner.h"
#include "loader/run_time_int.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wundef"
#include "picket.skel.h"
#pragma GCC diagnostic pop

#define PREFIX "guard_"
#define REACT "guard_react" /* is run, not attached */
#define BITS_EXEC "guard_bits_exec"
#define KNOW "guard_know"      /* is run, not attached */
#define GATE "guard_exec_gate" /* is run, not attached */
#define EXEC_CHECK "guard_exec_check"
#define POLL_BATCH 4096

/* The programs of bpf/guards: the point at which each acts. needs: the kernel's function without which it is left out, as
 * another one is asked there; a program whose hook is missing otherwise fails to load. */
static const struct guard_program {
	const char *name;
	enum guard_point point;
	const char *needs;
} guard_programs[] = {
        {"guard_connect4", GUARD_AT_CONNECT, NULL},
        {"guard_connect6", GUARD_AT_CONNECT, NULL},
        {"guard_bind4", GUARD_AT_BIND, NULL},
        {"guard_bind6", GUARD_AT_BIND, NULL},
        {"guard_sendmsg4", GUARD_AT_SENDMSG, NULL},
        {"guard_sendmsg6", GUARD_AT_SENDMSG, NULL},
        {"guard_device", GUARD_AT_DEVICE, NULL},
        {"guard_sysctl", GUARD_AT_SYSCTL_WRITE, NULL},
        {"guard_fork", GUARD_AT_FORK, NULL},
        {"guard_fork_done", GUARD_AT_FORK_DONE, NULL},
        {"guard_exec", GUARD_AT_EXEC, NULL},
        {"guard_exec_check", GUARD_AT_EXEC_CHECK, NULL},
        {"guard_file_open", GUARD_AT_FILE_OPEN, NULL},
        {"guard_file_write", GUARD_AT_FILE_WRITE, NULL},
        {"guard_path_truncate", GUARD_AT_FILE_WRITE, NULL},
        {"guard_file_truncate", GUARD_AT_FILE_WRITE, "bpf_lsm_file_truncate"},
        {"guard_path_rename", GUARD_AT_FILE_RENAME, NULL},
        {"guard_path_unlink", GUARD_AT_FILE_UNLINK, NULL},
        {"guard_path_rmdir", GUARD_AT_FILE_UNLINK, NULL},
        {"guard_ptrace_access", GUARD_AT_PTRACE, NULL},
        {"guard_ptrace_traceme", GUARD_AT_PTRACE, NULL},
        {"guard_module_file", GUARD_AT_MODULE_LOAD, NULL},
        {"guard_module_data", GUARD_AT_MODULE_LOAD, NULL},
        {"guard_bpf", GUARD_AT_BPF_LOAD, NULL},
        {"guard_sb_mount", GUARD_AT_MOUNT, NULL},
        {"guard_move_mount", GUARD_AT_MOUNT, NULL},
        {"guard_pivot_root", GUARD_AT_MOUNT, NULL},
        {"guard_setns", GUARD_AT_SETNS, NULL},
};

static void fail(struct loader_failure *f, const char *what, int err)
{
	snprintf(f->what, sizeof(f->what), "%s: %s", what, strerror(-err));
	if (err == -EPERM)
		snprintf(f->hint, sizeof(f->hint), "run as root");
}

static int silence(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level, (void)format, (void)args;
	return 0;
}

/* ---- loading ---- */

static bool is_guard(const char *name)
{
	return str_starts_with(str_from(name), STR(PREFIX));
}

/* Attached when a control group is to be cut off. */
static bool is_of_packets(const struct bpf_program *program)
{
	return str_starts_with(str_from(bpf_program__name(program)), STR(PREFIX "packet"));
}

static const struct guard_program *find_program(const struct bpf_program *program)
{
	const char *name = bpf_program__name(program);
	for (size_t i = 0; i < ARRAY_SIZE(guard_programs); i++)
		if (strcmp(guard_programs[i].name, name) == 0)
			return &guard_programs[i];
	return NULL;
}

static bool kernel_has(const struct btf *kernel, const char *function)
{
	return !function || btf__find_by_name_kind(kernel, function, BTF_KIND_FUNC) > 0;
}

/* A program that no policy needs is not loaded: nor does one fail whose hook this kernel does not have. */
static bool is_needed(const struct guard_image *image, const struct bpf_program *program, const struct btf *kernel)
{
	const struct guard_program *p = find_program(program);
	const char *name = bpf_program__name(program);
	if (strcmp(name, REACT) == 0)
		return image->reactions;
	if (strcmp(name, BITS_EXEC) == 0 || strcmp(name, KNOW) == 0)
		return image->bits;
	if (is_of_packets(program))
		return image->quarantines;
	if (strcmp(name, GATE) == 0)
		return image->executable_count;
	if (strcmp(name, EXEC_CHECK) == 0 && image->executable_count)
		return false;
	return p && image->points[p->point].count && kernel_has(kernel, p->needs);
}

/* What guards share with the sensors: whose they are, counters, and where paths are put together. */
static bool is_shared(const struct bpf_map *map)
{
	const char *name = bpf_map__name(map);
	return bpf_map__is_internal(map) || strcmp(name, OWNER_MAP) == 0 || strcmp(name, "counters") == 0 ||
	       strcmp(name, "scratches") == 0;
}

/* Of the programs, only those are loaded that have something to do. */
static int choose_programs(struct picket_bpf *bpf, const struct guard_image *image)
{
	struct btf *kernel = btf__load_vmlinux_btf();
	int r = kernel ? 0 : -errno;
	for (struct bpf_program *p = NULL; r == 0 && (p = bpf_object__next_program(bpf->obj, p));)
		r = bpf_program__set_autoload(p, is_needed(image, p, kernel));
	btf__free(kernel);
	return r;
}

static int choose(struct picket_bpf *bpf, const struct guard_image *image)
{
	int r = choose_programs(bpf, image);
	for (struct bpf_map *m = NULL; r == 0 && (m = bpf_object__next_map(bpf->obj, m));)
		r = bpf_map__set_autocreate(m, is_guard(bpf_map__name(m)) || is_shared(m));
	if (r == 0)
		r = bpf_map__set_max_entries(bpf->maps.scratches, (uint32_t)get_nprocs_conf() + 1);
	return r;
}

static int put(const struct bpf_map *map, const void *key, const void *value)
{
	return bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY) ? -errno : 0;
}

/* Keys of a set: what counts is that they are there. */
static int put_keys(const struct bpf_map *map, const void *keys, size_t size, size_t count)
{
	const uint8_t there = 1;
	int r = 0;
	for (size_t i = 0; r == 0 && i < count; i++)
		r = put(map, (const char *)keys + i * size, &there);
	return r;
}

/* Policies before the points that list them. */
static int fill(struct guards *g, const struct guard_image *image)
{
	struct picket_bpf *bpf = g->bpf;
	int r = put_keys(bpf->maps.guard_texts, image->texts, sizeof(*image->texts), image->text_count);
	if (r == 0)
		r = put_keys(bpf->maps.guard_numbers, image->numbers, sizeof(*image->numbers), image->number_count);
	if (r == 0)
		r = put_keys(bpf->maps.guard_nets, image->nets, sizeof(*image->nets), image->net_count);
	if (r == 0)
		r = put_keys(bpf->maps.guard_protected, image->protected, sizeof(*image->protected),
		             image->protected_count);
	for (uint32_t i = 0; r == 0 && i < image->test_count; i++)
		r = put(bpf->maps.guard_tests, &i, &image->tests[i]);
	for (uint32_t i = 0; r == 0 && i < image->policy_count; i++) {
		const struct guard_state state = {.mode = image->modes[i]};
		r = put(bpf->maps.guard_policies, &i, &image->policies[i]);
		if (r == 0)
			r = put(bpf->maps.guard_states, &i, &state);
	}
	for (uint32_t i = 0; r == 0 && i < GUARD_POINTS; i++)
		r = put(bpf->maps.guard_points, &i, &image->points[i]);
	return r;
}

static int find_map(const struct guards *g, const char *name)
{
	return bpf_object__find_map_fd_by_name(g->bpf->obj, name);
}

static int load(struct guards *g, const struct guard_image *image, const char *instance, struct loader_failure *f)
{
	LIBBPF_OPTS(bpf_object_open_opts, open, .btf_custom_path = "/sys/kernel/btf/vmlinux");
	g->bpf = picket_bpf__open_opts(&open);
	int r = g->bpf ? choose(g->bpf, image) : -errno;
	if (r == 0)
		r = picket_bpf__load(g->bpf);
	if (r < 0) {
		fail(f, "the guards cannot be loaded", r);
		return r;
	}
	r = owner_mark(g->bpf->obj, g->bpf->maps.picket_owner, instance);
	if (r == 0)
		r = fill(g, image);
	if (r == 0)
		r = guards_open_maps(g, find_map);
	if (r == 0 && image->executable_count)
		r = exec_gate_new(image->executables, image->executable_count,
		                  bpf_program__fd(g->bpf->progs.guard_exec_gate), &g->gate);
	if (r < 0)
		fail(f, "the policies cannot be given to the kernel", r);
	return r;
}

struct guards *guards_alloc(void)
{
	struct guards *g = calloc(1, sizeof(*g));
	for (size_t i = 0; g && i < GUARDS_MAPS; i++)
		g->maps[i] = -1;
	return g;
}

int guards_new(const struct guard_image *image, const char *instance, struct guards **ret_guards,
               struct loader_failure *reterr_failure)
{
	struct guards *g = guards_alloc();
	if (!g)
		return -ENOMEM;
	libbpf_print_fn_t before = libbpf_set_print(silence);
	int r = load(g, image, instance, reterr_failure);
	libbpf_set_print(before);
	if (r < 0) {
		guards_free(g);
		return r;
	}
	*ret_guards = g;
	return 0;
}

void guards_free(struct guards *g)
{
	if (!g)
		return;
	guards_unpin(g);
	exec_gate_free(g->gate);
	for (size_t i = 0; i < g->link_count; i++)
		bpf_link__destroy(g->links[i]);
	ring_close(&g->ring);
	for (size_t i = 0; i < GUARDS_MAPS && !g->bpf; i++) /* else they are the object's */
		base_close_fd(&g->maps[i]);
	picket_bpf__destroy(g->bpf);
	free(g);
}

/* ---- attaching ---- */

static int add_link(struct guards *g, struct bpf_link *link)
{
	if (!link)
		return -errno;
	if (g->link_count == GUARDS_LINKS_MAX) {
		bpf_link__destroy(link);
		return -E2BIG;
	}
	g->links[g->link_count++] = link;
	return 0;
}

static bool is_of_cgroup(const struct bpf_program *p)
{
	enum bpf_prog_type type = bpf_program__type(p);
	return type == BPF_PROG_TYPE_CGROUP_SOCK_ADDR || type == BPF_PROG_TYPE_CGROUP_DEVICE ||
	       type == BPF_PROG_TYPE_CGROUP_SYSCTL;
}

/* Those that are only run have no place. */
static bool is_attached(const struct bpf_program *p)
{
	return bpf_program__autoload(p) && bpf_program__type(p) != BPF_PROG_TYPE_SYSCALL && !is_of_packets(p) &&
	       strcmp(bpf_program__name(p), GATE) != 0;
}

int guards_attach(struct guards *g, const char *cgroup, struct loader_failure *reterr_failure)
{
	_cleanup_(base_close_fd) int fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = fd < 0 ? -errno : 0;
	for (struct bpf_program *p = NULL; r == 0 && (p = bpf_object__next_program(g->bpf->obj, p));)
		if (is_attached(p))
			r = add_link(g, is_of_cgroup(p) ? bpf_program__attach_cgroup(p, fd) : bpf_program__attach(p));
	if (r < 0) {
		fail(reterr_failure, cgroup, r);
		return r;
	}
	r = g->gate ? exec_gate_start(g->gate) : 0;
	if (r < 0)
		fail(reterr_failure, "executables cannot be made to ask before they start", r);
	return r;
}

/* The inode number of a directory is the group's id; the depth counts from where another file system begins. */
int guards_cgroup(const char *path, struct guard_cgroup *ret_cgroup)
{
	_cleanup_(base_free_ptr) char *real = realpath(path, NULL);
	struct stat own, above;
	uint32_t level = 0;
	if (!real || stat(real, &own) < 0)
		return -errno;
	if (!S_ISDIR(own.st_mode))
		return -ENOTDIR;
	*ret_cgroup = (struct guard_cgroup){.id = own.st_ino};
	for (char *slash; (slash = strrchr(real, '/')) && slash != real; level++) {
		*slash = '\0';
		if (stat(real, &above) < 0 || above.st_dev != own.st_dev)
			break;
	}
	ret_cgroup->level = level;
	return 0;
}

/* ---- while they run ---- */

/* Those that were found by their pins are another's, and run beside ours for a moment only. */
int guards_run_time(const struct guards *g, uint64_t *ret_ns)
{
	if (g->bpf)
		return run_time_of(g->bpf->obj, ret_ns);
	*ret_ns = 0;
	return 0;
}

int guards_renew(struct guards *g, uint64_t until_ns)
{
	const uint32_t zero = 0;
	const struct guard_control control = {.lease_until_ns = until_ns};
	return bpf_map_update_elem(g->maps[GUARDS_CONTROL], &zero, &control, BPF_ANY) ? -errno : 0;
}

bool guards_disarmed(struct guards *g)
{
	struct picket_owner owner;
	return owner_read(g->maps[GUARDS_OWNER], &owner) == 0 && owner.disarmed;
}

int guards_state(struct guards *g, uint32_t policy, struct guard_state *ret_state)
{
	return bpf_map_lookup_elem(g->maps[GUARDS_STATES], &policy, ret_state) ? -errno : 0;
}

int guards_policy(struct guards *g, uint32_t policy, struct guard_policy *ret_policy)
{
	return bpf_map_lookup_elem(g->maps[GUARDS_POLICIES], &policy, ret_policy) ? -errno : 0;
}

int guards_set_state(struct guards *g, uint32_t policy, const struct guard_state *state)
{
	struct guard_state set = *state;
	if (set.minute == GUARD_MINUTE_BEGINS) /* it was looked at while a guard did that */
		set.minute = 0;
	return bpf_map_update_elem(g->maps[GUARDS_STATES], &policy, &set, BPF_ANY) ? -errno : 0;
}

int guards_set_mode(struct guards *g, uint32_t policy, uint32_t mode)
{
	struct guard_state state;
	int r = guards_state(g, policy, &state);
	if (r < 0)
		return r;
	state.mode = mode;
	state.tripped = GUARD_NOT_TRIPPED;
	state.actions = state.processes = state.attempts = 0;
	return guards_set_state(g, policy, &state);
}

static int run_with(const struct bpf_program *program, void *context, size_t size)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = context, .ctx_size_in = (uint32_t)size);
	return bpf_prog_test_run_opts(bpf_program__fd(program), &run) ? -errno : 0;
}

int guards_react(struct guards *g, struct guard_reaction *r)
{
	r->verdict = GUARD_SPARED;
	return run_with(g->bpf->progs.guard_react, r, sizeof(*r));
}

int guards_know(struct guards *g, struct guard_knowledge *k)
{
	return run_with(g->bpf->progs.guard_know, k, sizeof(*k));
}

int guards_protect(struct guards *g, const struct guard_protected_key *keys, size_t count)
{
	if (!g->bpf)
		return 0;
	int r = put_keys(g->bpf->maps.guard_protected, keys, sizeof(*keys), count);
	return r == -E2BIG ? -ENOSPC : r;
}

void guards_unprotect(struct guards *g, const struct guard_protected_key *key)
{
	if (g->bpf)
		(void)bpf_map_delete_elem(bpf_map__fd(g->bpf->maps.guard_protected), key);
}

int guards_put_member(struct guards *g, uint32_t members, uint64_t cgroup_id, enum guard_member how)
{
	const struct guard_member_key key = {.members = members, .cgroup_id = cgroup_id};
	const uint8_t value = (uint8_t)how;
	int r = put(g->bpf->maps.guard_members, &key, &value);
	return r == -E2BIG ? -ENOSPC : r;
}

bool guards_has_protected(const struct guards *g, const struct guard_protected_key *key)
{
	uint8_t there;
	return bpf_map_lookup_elem(bpf_map__fd(g->bpf->maps.guard_protected), key, &there) == 0;
}

void guards_remove_member(struct guards *g, uint32_t members, uint64_t cgroup_id)
{
	const struct guard_member_key key = {.members = members, .cgroup_id = cgroup_id};
	(void)bpf_map_delete_elem(bpf_map__fd(g->bpf->maps.guard_members), &key);
}

struct polling {
	void (*call)(void *userdata, const struct guard_verdict *verdict);
	void *userdata;
};

static int hand_on(void *userdata, const void *record, size_t length)
{
	const struct polling *p = userdata;
	if (length >= sizeof(struct guard_verdict))
		p->call(p->userdata, record);
	return 0;
}

ssize_t guards_poll(struct guards *g, void (*call)(void *userdata, const struct guard_verdict *verdict), void *userdata)
{
	struct polling p = {call, userdata};
	return ring_poll(&g->ring, POLL_BATCH, hand_on, &p);
}

enum guards_gate guards_tend_gate(struct guards *g)
{
	return g->gate ? exec_gate_tend(g->gate) : GUARDS_GATE_NONE;
}

bool guards_gate_counts(const struct guards *g, struct guards_gate_counts *ret_counts)
{
	if (g->gate)
		exec_gate_counts(g->gate, ret_counts);
	return g->gate;
}

int guards_fd(const struct guards *g)
{
	return g->maps[GUARDS_VERDICTS];
}
