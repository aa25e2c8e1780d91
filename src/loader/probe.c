/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/probe.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/file.h"

const struct hook hooks[] = {
#define SENSOR(name, what)
#define HOOK(sensor, program, attach, lost, change) {SENSOR_##sensor, #program, attach, lost, change},
#include "schema/sensor.def"
};
const size_t hook_count = ARRAY_SIZE(hooks);

static const struct {
	const char *name, *what;
} sensors[] = {
#define SENSOR(name, what) {#name, what},
#define HOOK(sensor, program, attach, lost, change)
#include "schema/sensor.def"
};

static int sleepable_iterators(void)
{
	int supported = libbpf_probe_bpf_helper(BPF_PROG_TYPE_TRACING, BPF_FUNC_copy_from_user_task, NULL);

	/* libbpf cannot probe tracing helpers on all kernels: then the version decides */
	if (supported < 0) {
		struct utsname u;
		unsigned major = 0, minor = 0;
		if (uname(&u) || sscanf(u.release, "%u.%u", &major, &minor) != 2)
			return -EOPNOTSUPP;
		supported = major > 5 || (major == 5 && minor >= 18);
	}
	return supported ? 0 : -EOPNOTSUPP;
}

/* What a hook attaches to stands in the kernel's types under a name of its own. */
static int hook_probe(const struct hook *h, const struct btf *kernel)
{
	struct str attach = str_from(h->attach);
	char name[128];
	int id;

	if (str_starts_with(attach, STR("iter.s/")) && sleepable_iterators() < 0)
		return -EOPNOTSUPP;
	if (str_starts_with(attach, STR("tp_btf/"))) {
		snprintf(name, sizeof(name), "btf_trace_%s", strchr(h->attach, '/') + 1);
		id = btf__find_by_name_kind(kernel, name, BTF_KIND_TYPEDEF);
	} else {
		snprintf(name, sizeof(name), "bpf_iter_%s", strchr(h->attach, '/') + 1);
		id = btf__find_by_name_kind(kernel, name, BTF_KIND_FUNC);
	}
	return id > 0 ? 0 : -ENOENT;
}

const struct hook *sensor_hook(enum sensor s, const struct btf *kernel, int *ret_error)
{
	int first = 0, tried = 0;

	for (size_t i = 0; i < hook_count; i++) {
		int err;
		if (hooks[i].sensor != s)
			continue;
		err = hook_probe(&hooks[i], kernel);
		if (tried++ == 0)
			first = err;
		if (err == 0) {
			*ret_error = first;
			return &hooks[i];
		}
	}
	*ret_error = first;
	return NULL;
}

struct loader_sensor_report sensor_report(enum sensor s, const struct hook *taken, int error)
{
	return (struct loader_sensor_report){
	        .name = sensors[s].name,
	        .what = sensors[s].what,
	        .hook = taken ? taken->attach : NULL,
	        .lost = taken ? taken->lost : sensors[s].what,
	        .change = taken ? taken->change : "a kernel that has one of its hooks",
	        .error = error,
	};
}

size_t loader_probe(struct loader_sensor_report *ret_reports, size_t max)
{
	struct btf *kernel = btf__load_vmlinux_btf();
	size_t count = MIN((size_t)SENSOR_COUNT, max);

	for (size_t i = 0; i < count; i++) {
		int err = -EOPNOTSUPP;
		const struct hook *h = kernel ? sensor_hook(i, kernel, &err) : NULL;
		ret_reports[i] = sensor_report(i, h, err);
	}
	btf__free(kernel);
	return count;
}

/* ---- the host ---- */
static bool capability_held(unsigned capability)
{
	_cleanup_(buf_done) struct buf text;
	uint64_t bits = 0;
	const char *line;

	buf_init(&text, 64 * 1024);
	if (file_read("/proc/self/status", &text) < 0)
		return false;
	line = strstr(text.data, "\nCapEff:");
	if (!line || sscanf(line, "\nCapEff: %lx", &bits) != 1)
		return false;
	return bits >> capability & 1;
}

static void require_capability(struct loader_requirement *r, const char *name, unsigned capability,
                               const char *for_what)
{
	r->name = name;
	r->ok = capability_held(capability) || capability_held(CAP_SYS_ADMIN);
	r->fatal = true;
	snprintf(r->found, sizeof(r->found), "%s", r->ok ? "held" : "missing");
	if (!r->ok)
		snprintf(r->change, sizeof(r->change), "run as root, or give the binary %s: %s", name, for_what);
}

static void require_kernel(struct loader_requirement *r)
{
	struct utsname u = {};
	unsigned major = 0, minor = 0;

	r->name = "kernel";
	r->fatal = true;
	uname(&u);
	sscanf(u.release, "%u.%u", &major, &minor);
	r->ok = major > 5 || (major == 5 && minor >= 17);
	snprintf(r->found, sizeof(r->found), "Linux %.100s %.40s", u.release, u.machine);
	if (!r->ok)
		snprintf(r->change, sizeof(r->change), "picket needs Linux 5.17 or newer (bpf_loop)");
}

static void require_btf(struct loader_requirement *r)
{
	r->name = "kernel types (BTF)";
	r->fatal = true;
	r->ok = access("/sys/kernel/btf/vmlinux", R_OK) == 0;
	snprintf(r->found, sizeof(r->found), "/sys/kernel/btf/vmlinux %s", r->ok ? "is there" : "cannot be read");
	if (!r->ok)
		snprintf(r->change, sizeof(r->change),
		         "a kernel built with CONFIG_DEBUG_INFO_BTF=y (all current distributions), and /sys mounted");
}

static void require_bpf(struct loader_requirement *r)
{
	LIBBPF_OPTS(bpf_map_create_opts, options);
	_cleanup_(base_close_fd) int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "picket_probe", 0, 0, 4096, &options);
	int err = fd < 0 ? errno : 0;

	r->name = "bpf(2)";
	r->fatal = true;
	r->ok = fd >= 0;
	if (r->ok) {
		snprintf(r->found, sizeof(r->found), "works, with ring buffers");
		return;
	}
	snprintf(r->found, sizeof(r->found), "%s", strerror(err));
	snprintf(r->change, sizeof(r->change), "%s",
	         err == ENOSYS  ? "a kernel built with CONFIG_BPF_SYSCALL=y"
	         : err == EPERM ? "CAP_BPF; in a container also a seccomp profile that allows bpf(2); sysctl "
	                          "kernel.unprivileged_bpf_disabled does not matter then"
	                        : "a kernel of 5.8 or newer, or more memory that may be locked (ulimit -l)");
}

static void require_proc(struct loader_requirement *r)
{
	_cleanup_(buf_done) struct buf text;

	buf_init(&text, 4096);
	r->name = "/proc";
	r->ok = file_read("/proc/1/comm", &text) == 0;
	snprintf(r->found, sizeof(r->found), "%s", r->ok ? "mounted" : "processes of others are hidden");
	if (!r->ok)
		snprintf(r->change, sizeof(r->change),
		         "mount /proc without hidepid: users of containers cannot be named otherwise");
}

size_t loader_requirements(struct loader_requirement *ret_requirements, size_t max)
{
	struct loader_requirement all[8] = {};
	size_t n = 0;

	require_kernel(&all[n++]);
	require_btf(&all[n++]);
	require_capability(&all[n++], "CAP_BPF", CAP_BPF, "to load programs");
	require_capability(&all[n++], "CAP_PERFMON", CAP_PERFMON, "to attach programs to tracepoints");
	require_capability(&all[n++], "CAP_SYS_PTRACE", CAP_SYS_PTRACE, "to look into /proc of other users' processes");
	require_bpf(&all[n++]);
	require_proc(&all[n++]);
	memcpy(ret_requirements, all, MIN(n, max) * sizeof(*all));
	return n;
}
