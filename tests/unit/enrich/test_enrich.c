/* SPDX-License-Identifier: Apache-2.0 */
#include "root.h"

#include "base/clock.h"
#include "base/file.h"
#include "enrich/enrich_int.h"
#include "enrich/container_int.h"
#include "enrich/host.h"
#include "enrich/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIXTURE "tests/data/enrich/host"
enum { HOST_NS = 1000, OTHER_NS = 2000 };

/* ---- a stream: what a live enrich records, a replay reads back ---- */
struct stream {
	struct buf bytes; /* records, each padded to 8 */
	unsigned count[EVENT_TYPE_MAX];
};

static int stream_add(void *userdata, const struct event *event)
{
	static const char padding[8];
	struct stream *s = userdata;
	s->count[event->header->type]++;
	buf_add(&s->bytes, event->header, event->header->length);
	buf_add(&s->bytes, padding, -event->header->length & 7);
	assert_int_equal(buf_error(&s->bytes), 0);
	return 0;
}

static void on_record(void *userdata, const struct event *event)
{
	stream_add(userdata, event);
}

static void stream_init(struct stream *s)
{
	memset(s, 0, sizeof(*s));
	buf_init(&s->bytes, 64u << 20);
}

static void replay(struct enrich *e, const struct stream *s)
{
	for (size_t at = 0; at < s->bytes.length;) {
		struct event event;
		struct enrich_view view;
		uint32_t length;
		memcpy(&length, s->bytes.data + at, sizeof(length));
		assert_int_equal(event_decode(s->bytes.data + at, length, &event), 0);
		assert_int_equal(enrich_event(e, &event, &view), 0);
		enrich_event_done(e, &view);
		at += (length + 7) & ~7u;
	}
}

/* ---- events ---- */
static struct enrich *make_enrich(bool live, const char *root, struct stream *s)
{
	struct enrich_options options = {.live = live, .root = root, .on_record = s ? on_record : NULL, .userdata = s};
	struct enrich *e;
	assert_int_equal(enrich_new(&options, &e), 0);
	return e;
}

static struct task_state state_in(uint32_t ns)
{
	return (struct task_state){.ns_mnt = ns + 1,
	                           .ns_pid = ns + 2,
	                           .ns_net = ns + 3,
	                           .ns_user = HOST_NS + 4,
	                           .ns_ipc = ns + 5,
	                           .ns_uts = ns + 6,
	                           .ns_cgroup = ns + 7};
}

static struct process *run(struct enrich *e, enum event_type type, uint64_t time_ns, uint32_t pid, const char *cgroup,
                           uint32_t ns)
{
	struct made m;
	struct enrich_view view;
	struct task_state state = state_in(ns);
	made_begin(&m, type, time_ns, pid, pid * SECOND, 1);
	made_text(&m, "comm_new", "prog");
	made_text(&m, "exepath", "/bin/prog");
	made_text(&m, "cgroup", cgroup);
	made_state(&m, &state);
	return give(e, &m, &view);
}

static struct process *snapshot(struct enrich *e, uint64_t time_ns, uint32_t pid, const char *cgroup, uint32_t ns)
{
	return run(e, EVENT_procinfo, time_ns, pid, cgroup, ns);
}

/* ---- containers ---- */
static void test_container_by_disk(void **state)
{
	(void)state;
	struct stream s;
	stream_init(&s);
	struct enrich *e = make_enrich(true, FIXTURE, &s);
	snapshot(e, 100 * SECOND, 1, "/init.scope", HOST_NS);
	struct process *p = snapshot(e, 100 * SECOND, 20, DOCKER, OTHER_NS);
	assert_non_null(p->container);
	assert_string_equal(p->container->id, "dddddddddddd");
	assert_true(p->container->known);
	assert_str(p->container->info.name, "db");
	assert_false(p->container->host_pid); /* what was seen counts, not what hostconfig.json says */
	assert_int_equal(s.count[EVENT_container], 1);
	snapshot(e, 101 * SECOND, 21, DOCKER, OTHER_NS);
	assert_int_equal(s.count[EVENT_container], 1);
	struct enrich_stats stats;
	enrich_get_stats(e, &stats);
	assert_int_equal(stats.containers, 1);
	assert_int_equal(stats.container_failures, 0);
	enrich_free(e);
	buf_done(&s.bytes);
}

struct membership {
	const char *what, *cgroup;
	uint32_t ns;
	const char *id; /* NULL: the host's */
};
static const struct membership memberships[] = {
        {"two components", "/a/b", HOST_NS, NULL},
        {"two components, namespaces of its own", "/a/b", OTHER_NS, NULL},
        {"service with a private mount namespace", "/system.slice/x.service", OTHER_NS, NULL},
        {"the form alone", "/docker/" ID("0"), HOST_NS, NULL},
        {"the form and namespaces", "/docker/" ID("2"), OTHER_NS, "222222222222"},
        {"the form and state, in the host's namespaces", "/kubepods/pod77/crio-" ID("c"), HOST_NS, NULL},
        {"the form, state and namespaces", "/docker/" ID("d"), OTHER_NS, "dddddddddddd"},
        {"containerd's path and state", "/default/redis", OTHER_NS, "redis"},
        {"runc's group", "/svc/group-of-web", OTHER_NS, "web1"},
        {"monitor of a container", "/machine.slice/libpod-conmon-" ID("e") ".scope", HOST_NS, NULL},
        {"root", "/", OTHER_NS, NULL},
};

static void test_membership(void **state)
{
	(void)state;
	struct stream s;
	stream_init(&s);
	struct enrich *e = make_enrich(true, FIXTURE, &s);
	snapshot(e, 100 * SECOND, 1, "/init.scope", HOST_NS);
	for (uint32_t i = 0; i < ARRAY_SIZE(memberships); i++) {
		const struct membership *c = &memberships[i];
		struct process *p = snapshot(e, 100 * SECOND, 20 + i, c->cgroup, c->ns);
		print_message("%s\n", c->what);
		if (c->id)
			assert_string_equal(p->container ? p->container->id : "host", c->id);
		else
			assert_null(p->container);
	}
	/* A replay of the records and the same events knows the same, without the disk. */
	struct enrich *again = make_enrich(false, NULL, NULL);
	replay(again, &s);
	snapshot(again, 100 * SECOND, 1, "/init.scope", HOST_NS);
	for (uint32_t i = 0; i < ARRAY_SIZE(memberships); i++) {
		const struct membership *c = &memberships[i];
		struct process *p = snapshot(again, 100 * SECOND, 20 + i, c->cgroup, c->ns);
		assert_string_equal(p->container ? p->container->id : "host", c->id ? c->id : "host");
	}
	struct process *p = process_find(again->processes, 28, 0);
	assert_str(p->container->info.type, "runc");
	enrich_free(again);
	enrich_free(e);
	buf_done(&s.bytes);
}

/* The host's namespaces may become known after the first processes. */
static void test_init_comes_late(void **state)
{
	(void)state;
	struct enrich *e = make_enrich(false, NULL, NULL);
	struct process *p = snapshot(e, 100 * SECOND, 20, "/docker/" ID("2"), OTHER_NS);
	struct process *q = snapshot(e, 100 * SECOND, 21, "/docker/" ID("3"), HOST_NS);
	snapshot(e, 100 * SECOND, 1, "/init.scope", HOST_NS);
	assert_non_null(p->container);
	assert_null(q->container);
	enrich_free(e);
}

static void test_fork_and_move(void **state)
{
	(void)state;
	struct enrich *e = make_enrich(true, FIXTURE, NULL);
	struct enrich_view view;
	struct made m;
	snapshot(e, 100 * SECOND, 1, "/init.scope", HOST_NS);
	struct process *p = snapshot(e, 100 * SECOND, 20, DOCKER, OTHER_NS);
	made_begin(&m, EVENT_procfork, 101 * SECOND, 20, 20 * SECOND, 1);
	made_number(&m, "child_pid", 50);
	made_number(&m, "child_start", 101 * SECOND);
	give(e, &m, &view);
	struct process *child = process_find(e->processes, 50, 0);
	assert_ptr_equal(child->container, p->container);
	/* docker exec: from the host's group into the container's. */
	struct process *runc = snapshot(e, 100 * SECOND, 30, "/system.slice/docker.service", HOST_NS);
	assert_null(runc->container);
	made_begin(&m, EVENT_cgroup_attach, 102 * SECOND, 30, 30 * SECOND, 1);
	made_number(&m, "target_pid", 30);
	made_number(&m, "target_start", 30 * SECOND);
	made_text(&m, "cgroup", DOCKER);
	give(e, &m, &view);
	assert_ptr_equal(runc->container, p->container);
	made_begin(&m, EVENT_cgroup_attach, 103 * SECOND, 1, 1 * SECOND, 0);
	made_number(&m, "target_pid", 30);
	made_number(&m, "target_start", 30 * SECOND);
	made_text(&m, "cgroup", "/system.slice/docker.service");
	give(e, &m, &view);
	assert_null(runc->container);
	enrich_free(e);
}

/* ---- containers that come and go ---- */
/* State appears a little after the first process. */
static void test_container_appears_late(void **state)
{
	(void)state;
	char root[] = "/tmp/picket-enrich-XXXXXX";
	assert_non_null(mkdtemp(root));
	struct stream s;
	stream_init(&s);
	struct enrich *e = make_enrich(true, root, &s);
	snapshot(e, 100 * SECOND, 1, "/init.scope", HOST_NS);
	struct process *p = snapshot(e, 100 * SECOND, 20, DOCKER, OTHER_NS);
	struct process *q = snapshot(e, 100 * SECOND, 21, "/docker/" ID("2"), OTHER_NS);
	assert_false(p->container->known);
	assert_false(q->container->known);
	uint64_t version = process_version(e->processes, p);
	put_file(root, "var/lib/docker/containers/" ID("d") "/config.v2.json", "{\"Name\":\"/late\",\"Config\":{}}");
	enrich_tick(e, 101 * SECOND);
	assert_str(p->container->info.name, "late");
	assert_int_not_equal(process_version(e->processes, p), version);
	assert_int_equal(s.count[EVENT_container], 1);
	/* Its address is written still later; the record is made again. */
	put_file(root, "var/lib/docker/containers/" ID("d") "/config.v2.json",
	         "{\"Name\":\"/late\",\"Config\":{},\"NetworkSettings\":{\"IPAddress\":\"172.17.0.9\"}}");
	enrich_tick(e, 110 * SECOND);
	assert_str(p->container->info.ip, "172.17.0.9");
	assert_int_equal(s.count[EVENT_container], 2);
	for (uint64_t t = 111; t < 140; t++)
		enrich_tick(e, t * SECOND);
	struct enrich_stats stats;
	enrich_get_stats(e, &stats);
	assert_int_equal(stats.container_failures, 1); /* the other one, of which nothing was ever found */
	enrich_free(e);
	buf_done(&s.bytes);
	remove_tree(root);
}

/* It has state, and nobody in it has namespaces of its own: time tells. */
static void test_container_in_the_hosts_namespaces(void **state)
{
	(void)state;
	struct stream s;
	stream_init(&s);
	struct enrich *e = make_enrich(true, FIXTURE, &s);
	snapshot(e, 100 * SECOND, 1, "/init.scope", HOST_NS);
	struct process *p = snapshot(e, 100 * SECOND, 20, DOCKER, HOST_NS);
	struct process *q = snapshot(e, 100 * SECOND, 21, DOCKER, HOST_NS);
	enrich_tick(e, 111 * SECOND);
	assert_null(p->container);
	assert_false(containers_settled(e, p));
	assert_int_equal(s.count[EVENT_container], 0);
	uint64_t version = process_version(e->processes, p);
	enrich_tick(e, 112 * SECOND);
	assert_string_equal(p->container ? p->container->id : "host", "dddddddddddd");
	assert_ptr_equal(q->container, p->container);
	assert_true(containers_settled(e, p));
	assert_int_not_equal(process_version(e->processes, p), version);
	assert_int_equal(s.count[EVENT_container], 1);
	enrich_free(e);
	buf_done(&s.bytes);
}

static void test_container_is_forgotten(void **state)
{
	(void)state;
	struct enrich *e = make_enrich(true, FIXTURE, NULL);
	struct enrich_view view;
	struct enrich_stats stats;
	struct made m;
	snapshot(e, 100 * SECOND, 1, "/init.scope", HOST_NS);
	snapshot(e, 100 * SECOND, 20, DOCKER, OTHER_NS);
	made_begin(&m, EVENT_procexit, 101 * SECOND, 20, 20 * SECOND, 1);
	made_number(&m, "leader", 1);
	give(e, &m, &view);
	for (uint64_t t = 102; t < 300; t++)
		enrich_tick(e, t * SECOND);
	enrich_get_stats(e, &stats);
	assert_int_equal(stats.containers, 0);
	assert_int_equal(stats.processes, 1);
	assert_non_null(snapshot(e, 300 * SECOND, 22, DOCKER, OTHER_NS)->container);
	enrich_free(e);
}

/* ---- users ---- */
static void test_users_of_container(void **state)
{
	(void)state;
	char root[] = "/tmp/picket-enrich-XXXXXX";
	assert_non_null(mkdtemp(root));
	put_file(root, "etc/passwd", "alice:x:1000:1000::/home/alice:/bin/sh\n");
	put_process(root, 20, "overlay");
	put_process(root, 21, "fuse.sshfs");
	put_file(root, "proc/1/mountinfo", "7 1 0:50 / /merged rw - overlay none rw\n");
	struct stream s;
	stream_init(&s);
	struct enrich *e = make_enrich(true, root, &s);
	struct process *init = snapshot(e, 100 * SECOND, 1, "/init.scope", HOST_NS);
	assert_str(enrich_user_name(e, init, 1000), "alice");
	assert_str(enrich_user_name(e, init, 0), "root"); /* not in the file */
	assert_str(enrich_user_home(e, init, 0), "/root");
	assert_str(enrich_user_shell(e, init, 0), "<NA>");
	assert_str(enrich_user_name(e, init, 7), "<NA>");
	assert_str(enrich_group_name(e, init, 0), "root");

	struct process *p = run(e, EVENT_execve, 100 * SECOND, 20, "/docker/" ID("2"), OTHER_NS);
	assert_str(enrich_user_name(e, p, 1000), "app");
	assert_str(enrich_user_home(e, p, 1000), "/app");
	assert_int_equal(s.count[EVENT_userdb], 2);
	/* Through a file system that can make us wait nothing is read. */
	p = run(e, EVENT_execve, 100 * SECOND, 21, "/docker/" ID("3"), OTHER_NS);
	assert_non_null(p->container);
	assert_str(enrich_user_name(e, p, 1000), "<NA>");
	assert_str(enrich_user_name(e, p, 0), "root");
	assert_int_equal(s.count[EVENT_userdb], 2);

	/* Changes are seen with the ticks. */
	put_file(root, "proc/20/root/etc/passwd", "other:x:1000:1000::/app:/bin/app\n");
	put_file(root, "etc/passwd", "bob:x:1000:1000::/home/bob:/bin/sh\n");
	enrich_tick(e, 110 * SECOND);
	assert_str(enrich_user_name(e, init, 1000), "bob");
	assert_str(enrich_user_name(e, process_find(e->processes, 20, 0), 1000), "other");

	struct enrich *again = make_enrich(false, NULL, NULL);
	replay(again, &s);
	assert_str(enrich_user_name(again, NULL, 1000), "bob");
	snapshot(again, 100 * SECOND, 1, "/init.scope", HOST_NS);
	p = snapshot(again, 100 * SECOND, 20, "/docker/" ID("2"), OTHER_NS);
	assert_str(enrich_user_name(again, p, 1000), "other");
	enrich_free(again);
	enrich_free(e);
	buf_done(&s.bytes);
	remove_tree(root);
}

/* A pid that another process has by now tells nothing. */
static void test_users_of_reused_pid(void **state)
{
	(void)state;
	char root[] = "/tmp/picket-enrich-XXXXXX";
	assert_non_null(mkdtemp(root));
	put_process(root, 20, "ext4");
	int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(rootfs_of_process(root_fd, 20, 21 * SECOND), -ESRCH);
	assert_int_equal(rootfs_of_process(root_fd, 19, 19 * SECOND), -ESRCH);
	int fd = rootfs_of_process(root_fd, 20, 20 * SECOND);
	assert_true(fd >= 0);
	close(fd);
	close(root_fd);
	remove_tree(root);
}

/* File systems whose files somebody must bring are not read. An overlay passes reads on to its layers, and anyone may
 * mount one over FUSE in a user namespace: only those that the host has mounted itself are trusted. */
static void test_root_that_can_block(void **state)
{
	(void)state;
	static const struct {
		const char *type, *host_mounts;
		int result; /* 0: a descriptor */
	} cases[] = {
	        {"ext4", "", 0},
	        {"tmpfs", "", 0},
	        {"nfs4", "", -EPERM},
	        {"fuse.sshfs", "", -EPERM},
	        {"fuse", "1 1 0:50 / /m rw - fuse none rw\n", -EPERM},
	        {"ceph", "", -EPERM},
	        {"of tomorrow", "", -EPERM},
	        {"overlay", "", -EPERM},
	        {"overlay", "1 1 0:51 / /m rw - overlay none rw\n", -EPERM},
	        {"overlay", "1 1 0:50 / /m rw - fuse none rw\n", -EPERM},
	        {"overlay", "1 1 0:5 / / rw - ext4 none rw\n\n7 1 0:50 / /m rw shared:3 - overlay none rw\n", 0},
	};
	char root[] = "/tmp/picket-enrich-XXXXXX";
	assert_non_null(mkdtemp(root));
	int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		put_process(root, 20, cases[i].type);
		put_file(root, "proc/1/mountinfo", cases[i].host_mounts);
		int fd = rootfs_of_process(root_fd, 20, 20 * SECOND);
		assert_int_equal(fd < 0 ? fd : 0, cases[i].result);
		base_close_fd(&fd);
	}
	close(root_fd);
	remove_tree(root);
}

/* Control groups of no container, more than the table holds, do not keep a container out. */
static void test_candidates_make_room(void **state)
{
	(void)state;
	struct stream s;
	stream_init(&s);
	char root[] = "/tmp/picket-enrich-XXXXXX";
	assert_non_null(mkdtemp(root));
	struct enrich *e = make_enrich(true, root, &s);
	snapshot(e, 100 * SECOND, 1, "/init.scope", HOST_NS);
	struct process *first = snapshot(e, 100 * SECOND, 2, "/docker/" ID("1"), OTHER_NS);
	assert_non_null(first->container);
	for (uint32_t i = 0; i < 6000; i++) {
		char cgroup[32];
		snprintf(cgroup, sizeof(cgroup), "/noise/n%u", i);
		assert_null(snapshot(e, 100 * SECOND, 100 + i, cgroup, HOST_NS)->container);
	}
	struct process *p = snapshot(e, 100 * SECOND, 20, "/docker/" ID("2"), OTHER_NS);
	assert_non_null(p->container);
	assert_ptr_not_equal(p->container, first->container);
	assert_str(p->container->full_id, ID("2"));
	assert_str(first->container->full_id, ID("1"));
	struct enrich_stats stats;
	enrich_get_stats(e, &stats);
	assert_int_equal(stats.container_failures, 0);
	enrich_tick(e, 200 * SECOND);
	enrich_free(e);
	buf_done(&s.bytes);
	remove_tree(root);
}

/* A container whose users cannot be read is not asked at every exec. */
static void test_users_are_not_sought_for_ever(void **state)
{
	(void)state;
	char root[] = "/tmp/picket-enrich-XXXXXX";
	assert_non_null(mkdtemp(root));
	put_process(root, 20, "fuse");
	struct stream s;
	stream_init(&s);
	struct enrich *e = make_enrich(true, root, &s);
	snapshot(e, 100 * SECOND, 1, "/init.scope", HOST_NS);
	struct process *p = NULL;
	for (unsigned i = 0; i < 100; i++)
		p = run(e, EVENT_execve, 100 * SECOND, 20, "/docker/" ID("2"), OTHER_NS);
	assert_true(p->container->users_tries > 1);
	assert_true(p->container->users_tries < 30);
	/* When it becomes readable, the next program after a while tells. */
	put_process(root, 20, "ext4");
	p = run(e, EVENT_execve, 106 * SECOND, 20, "/docker/" ID("2"), OTHER_NS);
	assert_str(enrich_user_name(e, p, 1000), "app");
	assert_int_equal(p->container->users_tries, 0);
	enrich_free(e);
	buf_done(&s.bytes);
	remove_tree(root);
}

/* ---- processes that were missed ---- */
static uint64_t start_of(pid_t pid)
{
	_cleanup_(buf_done) struct buf text;
	char path[64];
	buf_init(&text, 4096);
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	assert_int_equal(file_read(path, &text), 0);
	return rootfs_proc_start_ticks(buf_str(&text)) * (SECOND / (uint64_t)sysconf(_SC_CLK_TCK)) + 1;
}

static pid_t start_sleeper(void)
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (chdir("/usr") == 0)
			execl("/bin/sleep", "sleeper", "30", NULL);
		_exit(127);
	}
	/* Its arguments come after its name and its program. */
	char path[64], argument[16] = "";
	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	for (int i = 0; i < 500 && strcmp(argument, "sleeper") != 0; i++) {
		_cleanup_(base_close_file) FILE *f = fopen(path, "re");
		if (f)
			argument[fread(argument, 1, sizeof(argument) - 1, f)] = '\0';
		usleep(1000);
	}
	return pid;
}

static void test_unknown_process_is_read(void **state)
{
	(void)state;
	struct stream s;
	stream_init(&s);
	struct enrich *e = make_enrich(true, NULL, &s);
	struct enrich_view view;
	struct made m;
	pid_t pid = start_sleeper();
	uint64_t start_ns = start_of(pid), now = clock_boot_ns();
	made_begin(&m, EVENT_setgroups, now, (uint32_t)pid, start_ns, (uint32_t)getpid())->uid = getuid();
	struct process *p = give(e, &m, &view);
	assert_false(p->partial);
	assert_false(view.incomplete);
	assert_string_equal(p->comm, "sleep");
	assert_int_equal(p->image->argv.length, 10);
	assert_memory_equal(p->image->argv.data,
	                    "sleeper\0"
	                    "30",
	                    10);
	assert_true(str_ends_with(p->image->exepath, STR("/sleep")) ||
	            str_contains(p->image->exepath, STR("busybox")) ||
	            str_contains(p->image->exepath, STR("coreutils")));
	assert_str(p->cwd, "/usr/");
	assert_int_equal(p->ppid, (uint32_t)getpid());
	assert_int_equal(p->nthreads, 1);
	struct stat st;
	assert_int_equal(stat("/proc/self/ns/mnt", &st), 0);
	assert_int_equal(p->state.ns_mnt, (uint32_t)st.st_ino);
	assert_true(p->image->inode != 0 && p->image->mtime_ns != 0);
	assert_true(p->cgroup.length > 0);
	assert_int_equal(s.count[EVENT_procinfo], 1);
	struct enrich_stats stats;
	enrich_get_stats(e, &stats);
	assert_int_equal(stats.unknown_process, 1);

	/* Same pid, but the event's process started at another time: what /proc shows is not it. */
	made_begin(&m, EVENT_setgroups, now, (uint32_t)pid, start_ns - SECOND, 1);
	p = give(e, &m, &view);
	assert_true(p->partial);
	assert_true(view.incomplete);
	assert_int_equal(s.count[EVENT_procinfo], 1);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	enrich_free(e);
	buf_done(&s.bytes);
}

static void test_replay_reads_nothing(void **state)
{
	(void)state;
	struct stream s;
	stream_init(&s);
	struct enrich *e = make_enrich(false, NULL, &s);
	struct enrich_view view;
	struct made m;
	made_begin(&m, EVENT_setgroups, clock_boot_ns(), (uint32_t)getpid(), start_of(getpid()), 1);
	struct process *p = give(e, &m, &view);
	assert_true(p->partial);
	enrich_tick(e, clock_boot_ns());
	assert_int_equal(s.bytes.length, 0);
	assert_false(users_known(e->users, STR("host")));
	assert_int_equal(e->host.boot_offset_ns, 0);
	enrich_free(e);
}

/* ---- the host ---- */
static void test_host(void **state)
{
	(void)state;
	struct stream s;
	stream_init(&s);
	struct enrich *e = make_enrich(true, FIXTURE, &s);
	snapshot(e, 100 * SECOND, 1, "/init.scope", HOST_NS);
	assert_string_equal(e->host.name, "fixture");
	assert_int_equal(s.count[EVENT_host], 1);
	assert_int_equal(e->host.ns.mnt, HOST_NS + 1);
	uint64_t off = clock_boot_offset_ns() - e->host.boot_offset_ns;
	assert_true(off < SECOND || -off < SECOND);
	struct enrich *again = make_enrich(false, NULL, NULL);
	replay(again, &s);
	assert_string_equal(again->host.name, "fixture");
	assert_int_equal(again->host.boot_offset_ns, e->host.boot_offset_ns);
	assert_int_equal(again->host.address_count, e->host.address_count);
	for (size_t i = 0; i < e->host.address_count; i++)
		assert_true(enrich_is_own_address(again, &e->host.addresses[i]));
	struct ip foreign;
	assert_int_equal(ip_parse(STR("192.0.2.77"), &foreign), 0);
	assert_false(enrich_is_own_address(again, &foreign));
	enrich_free(again);
	enrich_free(e);
	buf_done(&s.bytes);
}

static void test_host_addresses(void **state)
{
	(void)state;
	struct made m;
	struct enrich *e = make_enrich(false, NULL, NULL);
	struct enrich_view view;
	struct ip ip;
	made_begin(&m, EVENT_host, 1, 0, 0, 0);
	made_text(&m, "hostname", "h");
	made_text(&m, "addresses", "10.1.2.3/24\nfe80::1/64\nnonsense\n192.0.2.1\n");
	made_number(&m, "boot_time", 5);
	give(e, &m, &view);
	assert_int_equal(e->host.address_count, 3);
	assert_int_equal(e->host.addresses[0].prefix, 24);
	assert_int_equal(ip_parse(STR("10.1.2.3"), &ip), 0);
	assert_true(enrich_is_own_address(e, &ip));
	assert_int_equal(ip_parse(STR("10.1.2.4"), &ip), 0);
	assert_false(enrich_is_own_address(e, &ip));
	assert_int_equal(ip_parse(STR("fe80::1"), &ip), 0);
	assert_true(enrich_is_own_address(e, &ip));
	assert_int_equal(enrich_real_ns(e, 10), 15);
	enrich_free(e);
}

/* ---- watched files ---- */
static bool is_watched(struct enrich *e, const char *root, const char *path, const char *expected)
{
	char full[256];
	struct stat st;
	struct str name;
	snprintf(full, sizeof(full), "%s/%s", root, path);
	assert_int_equal(stat(full, &st), 0);
	uint32_t dev = major(st.st_dev) << 20 | minor(st.st_dev);
	for (unsigned n = 0; enrich_watch_find(e, dev, st.st_ino, n, &name); n++)
		if (str_equals(name, expected))
			return true;
	return false;
}

static void rename_event(struct enrich *e, uint64_t time_ns, const char *from, const char *to, int64_t result)
{
	struct made m;
	struct enrich_view view;
	made_begin(&m, EVENT_rename, time_ns, 20, 20 * SECOND, 1)->result = result;
	assert_int_equal(event_builder_path(&m.builder, "oldpath", str_from(from), (struct str){0}), 0);
	assert_int_equal(event_builder_path(&m.builder, "newpath", str_from(to), STR("/etc")), 0);
	give(e, &m, &view);
}

static void test_watch(void **state)
{
	(void)state;
	char root[] = "/tmp/picket-enrich-XXXXXX", from[128], to[128];
	uint64_t now = clock_boot_ns();
	assert_non_null(mkdtemp(root));
	put_file(root, "etc/shadow", "secret");
	put_file(root, "tmp/harmless", "x");
	struct stream s;
	stream_init(&s);
	struct enrich *e = make_enrich(true, root, &s);
	assert_int_equal(enrich_watch_path(e, STR("/etc/shadow")), 0);
	assert_int_equal(enrich_watch_path(e, STR("/etc/shadow")), 0);
	assert_int_equal(enrich_watch_path(e, STR("/etc/alias-of-shadow")), 0);
	assert_int_equal(enrich_watch_path(e, STR("relative")), 0);
	assert_int_equal(s.count[EVENT_watch], 1);
	snprintf(from, sizeof(from), "%s/etc/shadow", root);
	snprintf(to, sizeof(to), "%s/tmp/link", root);
	assert_int_equal(link(from, to), 0);
	assert_true(is_watched(e, root, "tmp/link", "/etc/shadow"));
	assert_false(is_watched(e, root, "tmp/harmless", "/etc/shadow"));

	/* Replaced as passwd(1) does it: the event alone makes us look again. */
	put_file(root, "etc/nshadow", "new secret");
	snprintf(from, sizeof(from), "%s/etc/nshadow", root);
	snprintf(to, sizeof(to), "%s/etc/shadow", root);
	assert_int_equal(rename(from, to), 0);
	assert_false(is_watched(e, root, "etc/shadow", "/etc/shadow"));
	rename_event(e, 100 * SECOND, "/etc/nshadow", "shadow", -1);
	assert_false(is_watched(e, root, "etc/shadow", "/etc/shadow"));
	rename_event(e, 100 * SECOND, "/etc/nshadow", "shadow", 0);
	assert_true(is_watched(e, root, "etc/shadow", "/etc/shadow"));
	assert_false(is_watched(e, root, "tmp/link", "/etc/shadow"));

	/* Two names of one file; without an event the next ticks find it. */
	snprintf(from, sizeof(from), "%s/etc/alias-of-shadow", root);
	assert_int_equal(link(to, from), 0);
	enrich_tick(e, now + 100 * SECOND);
	assert_true(is_watched(e, root, "etc/shadow", "/etc/alias-of-shadow"));
	assert_true(is_watched(e, root, "etc/shadow", "/etc/shadow"));

	struct enrich *again = make_enrich(false, NULL, NULL);
	replay(again, &s);
	assert_true(is_watched(again, root, "etc/shadow", "/etc/alias-of-shadow"));
	assert_true(is_watched(again, root, "etc/shadow", "/etc/shadow"));
	assert_false(is_watched(again, root, "tmp/link", "/etc/shadow"));
	enrich_free(again);

	assert_int_equal(unlink(to), 0);
	enrich_tick(e, now + 200 * SECOND);
	assert_false(is_watched(e, root, "etc/alias-of-shadow", "/etc/shadow"));
	assert_true(is_watched(e, root, "etc/alias-of-shadow", "/etc/alias-of-shadow"));
	enrich_watch_clear(e);
	assert_false(is_watched(e, root, "etc/alias-of-shadow", "/etc/alias-of-shadow"));
	enrich_free(e);
	buf_done(&s.bytes);
	remove_tree(root);
}

/* ---- views ---- */
static void test_view(void **state)
{
	(void)state;
	struct enrich *e = make_enrich(false, NULL, NULL);
	struct enrich_view view;
	struct made m;
	snapshot(e, 100 * SECOND, 20, "/x.service", HOST_NS);
	made_begin(&m, EVENT_openat, 103 * SECOND, 20, 20 * SECOND, 1);
	assert_int_equal(event_builder_path(&m.builder, "name", STR("../etc/./passwd"), STR("/usr")), 0);
	assert_int_equal(enrich_event(e, made_finish(&m), &view), 0);
	assert_int_equal(view.number, 2);
	assert_int_equal(e->first_ns, 100 * SECOND);
	assert_int_equal(e->previous_ns, 100 * SECOND);
	assert_int_equal(view.process->pid, 20);
	assert_false(view.incomplete);
	assert_ptr_equal(view.source.get, enrich_field_get);
	assert_true(view.name_count >= 1);
	assert_str(view.names[0], "/etc/passwd");
	assert_int_equal(view.process->references, 2);
	enrich_event_done(e, &view);
	assert_null(view.process);
	/* Not giving it back leaks nothing. */
	assert_int_equal(enrich_event(e, &m.event, &view), 0);
	assert_int_equal(enrich_event(e, &m.event, &view), 0);
	assert_int_equal(view.process->references, 2);
	assert_int_equal(e->previous_ns, 103 * SECOND);
	made_done(&m);
	enrich_free(e);
}

static void test_incomplete(void **state)
{
	(void)state;
	struct enrich *e = make_enrich(false, NULL, NULL);
	struct enrich_view view;
	struct made m;
	snapshot(e, 100 * SECOND, 20, "/x.service", HOST_NS);
	made_begin(&m, EVENT_setgroups, 101 * SECOND, 20, 20 * SECOND, 1);
	give(e, &m, &view);
	assert_false(view.incomplete);
	made_begin(&m, EVENT_setgroups, 101 * SECOND, 20, 20 * SECOND, 1)->flags = EVENT_F_MISSING;
	give(e, &m, &view);
	assert_true(view.incomplete);
	made_begin(&m, EVENT_loss, 102 * SECOND, 0, 0, 0);
	made_number(&m, "count", 7);
	give(e, &m, &view);
	made_begin(&m, EVENT_setgroups, 103 * SECOND, 20, 20 * SECOND, 1);
	give(e, &m, &view);
	assert_true(view.incomplete);
	made_begin(&m, EVENT_setgroups, 110 * SECOND, 20, 20 * SECOND, 1);
	give(e, &m, &view);
	assert_false(view.incomplete);
	enrich_free(e);
}

static void test_exit_event_shows_process(void **state)
{
	(void)state;
	struct enrich *e = make_enrich(false, NULL, NULL);
	struct enrich_view view;
	struct made m;
	snapshot(e, 100 * SECOND, 20, "/x.service", HOST_NS);
	made_begin(&m, EVENT_procexit, 101 * SECOND, 20, 20 * SECOND, 1);
	made_number(&m, "leader", 1);
	assert_int_equal(enrich_event(e, made_finish(&m), &view), 0);
	enrich_tick(e, 500 * SECOND); /* even then */
	assert_string_equal(view.process->comm, "prog");
	enrich_event_done(e, &view);
	enrich_tick(e, 501 * SECOND);
	struct enrich_stats stats;
	enrich_get_stats(e, &stats);
	assert_int_equal(stats.processes, 0);
	made_done(&m);
	enrich_free(e);
}

/* ---- the whole state ---- */
static void test_dump(void **state)
{
	(void)state;
	struct stream s;
	stream_init(&s);
	struct enrich *e = make_enrich(true, FIXTURE, NULL);
	snapshot(e, 100 * SECOND, 1, "/init.scope", HOST_NS);
	snapshot(e, 100 * SECOND, 20, DOCKER, OTHER_NS);
	snapshot(e, 100 * SECOND, 21, "/docker/" ID("2"), OTHER_NS);
	snapshot(e, 100 * SECOND, 22, "/a/b", HOST_NS);
	assert_int_equal(enrich_watch_path(e, STR("/etc/passwd")), 0);
	assert_int_equal(enrich_dump(e, stream_add, &s), 0);
	assert_int_equal(s.count[EVENT_host], 1);
	assert_int_equal(s.count[EVENT_userdb], 1);
	assert_int_equal(s.count[EVENT_container], 2);
	assert_int_equal(s.count[EVENT_procinfo], 4);
	assert_int_equal(s.count[EVENT_watch], 1);

	struct enrich *again = make_enrich(false, NULL, NULL);
	replay(again, &s);
	struct enrich_stats stats;
	enrich_get_stats(again, &stats);
	assert_int_equal(stats.processes, 4);
	assert_int_equal(stats.containers, 2);
	assert_int_equal(stats.unknown_process, 0);
	assert_string_equal(again->host.name, "fixture");
	assert_int_equal(again->host.ns.pid, HOST_NS + 2);
	assert_str(enrich_user_name(again, NULL, 1000), "alice");
	assert_str(process_find(again->processes, 20, 0)->container->info.name, "db");
	assert_string_equal(process_find(again->processes, 21, 0)->container->id, "222222222222");
	assert_null(process_find(again->processes, 22, 0)->container);
	assert_true(is_watched(again, FIXTURE, "etc/passwd", "/etc/passwd"));
	enrich_free(again);
	enrich_free(e);
	buf_done(&s.bytes);
}

static void test_wrong_root(void **state)
{
	(void)state;
	struct enrich_options options = {.live = true, .root = "/nonexistent/root"};
	struct enrich *e = (void *)1;
	assert_int_equal(enrich_new(&options, &e), -ENOENT);
	assert_ptr_equal(e, (void *)1);
	enrich_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_container_by_disk),
	        cmocka_unit_test(test_membership),
	        cmocka_unit_test(test_init_comes_late),
	        cmocka_unit_test(test_fork_and_move),
	        cmocka_unit_test(test_container_appears_late),
	        cmocka_unit_test(test_container_in_the_hosts_namespaces),
	        cmocka_unit_test(test_container_is_forgotten),
	        cmocka_unit_test(test_users_of_container),
	        cmocka_unit_test(test_users_of_reused_pid),
	        cmocka_unit_test(test_root_that_can_block),
	        cmocka_unit_test(test_candidates_make_room),
	        cmocka_unit_test(test_users_are_not_sought_for_ever),
	        cmocka_unit_test(test_unknown_process_is_read),
	        cmocka_unit_test(test_replay_reads_nothing),
	        cmocka_unit_test(test_host),
	        cmocka_unit_test(test_host_addresses),
	        cmocka_unit_test(test_watch),
	        cmocka_unit_test(test_view),
	        cmocka_unit_test(test_incomplete),
	        cmocka_unit_test(test_exit_event_shows_process),
	        cmocka_unit_test(test_dump),
	        cmocka_unit_test(test_wrong_root),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
