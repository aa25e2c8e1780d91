/* SPDX-License-Identifier: Apache-2.0
 *
 * A container's first processes: which container a process is in at an event follows from the events, whenever picket
 * comes to look at /proc.
 */
#include "root.h"

#define PLAIN "/svc/web1"
#define STATE "{\"cgroup_paths\":{\"\":\"/sys/fs/cgroup" PLAIN "\"}}"
#define PID 20
#define CHILD 21

enum look { LOOKS_AT_ONCE, LOOKS_LATE, LOOKS_TOO_LATE };
struct step {
	enum event_type type;
	uint32_t pid;
	const char *ns; /* in which the event says the process is: proc/NS/ns */
	bool contained; /* it acts in the container */
};
struct scene {
	const char *what, *cgroup, *id;
	const char *file, *text; /* that the runtime writes before its last two steps, or never: NULL */
	struct step steps[8];    /* type 0: the end */
};
/* A runtime goes into the control group, runs a program, leaves the host's namespaces, makes another process there, and
 * runs the container's program. */
static const struct scene scenes[] = {
        {"nothing on disk",
         DOCKER,
         "dddddddddddd",
         NULL,
         NULL,
         {{EVENT_cgroup_attach, PID, "1", false},
          {EVENT_execve, PID, "1", false},
          {EVENT_unshare, PID, "own", true},
          {EVENT_procfork, PID, "own", true},
          {EVENT_execve, CHILD, "own", true},
          {EVENT_execve, PID, "own", true}}},
        {"namespaces of its own from the beginning",
         DOCKER,
         "dddddddddddd",
         NULL,
         NULL,
         {{EVENT_cgroup_attach, PID, "own", true}, {EVENT_execve, PID, "own", true}}},
        {"a runtime's own form, and state",
         DOCKER,
         "dddddddddddd",
         "var/lib/docker/containers/" ID("d") "/config.v2.json",
         "{\"Name\":\"/db\",\"Config\":{}}",
         {{EVENT_cgroup_attach, PID, "1", false},
          {EVENT_execve, PID, "1", false},
          {EVENT_unshare, PID, "own", true},
          {EVENT_procfork, PID, "own", true},
          {EVENT_execve, CHILD, "own", true}}},
        {"another form, and state",
         PLAIN,
         "web1",
         "run/runc/web1/state.json",
         STATE,
         {{EVENT_cgroup_attach, PID, "1", false},
          {EVENT_execve, PID, "1", false},
          {EVENT_unshare, PID, "own", false},
          {EVENT_procfork, PID, "own", false},
          {EVENT_execve, CHILD, "own", true},
          {EVENT_execve, PID, "own", true}}},
};

static size_t step_count(const struct scene *scene)
{
	size_t count = 0;
	while (count < ARRAY_SIZE(scene->steps) && scene->steps[count].type)
		count++;
	return count;
}

static struct task_state state_on_disk(const char *root, const char *ns)
{
	static const char *const names[] = {"mnt", "pid", "net", "user", "ipc", "uts", "cgroup"};
	uint32_t numbers[ARRAY_SIZE(names)];
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char path[128];
		struct stat st;
		snprintf(path, sizeof(path), "%s/proc/%s/ns/%s", root, ns, names[i]);
		assert_int_equal(stat(path, &st), 0);
		numbers[i] = (uint32_t)st.st_ino;
	}
	return (struct task_state){.ns_mnt = numbers[0],
	                           .ns_pid = numbers[1],
	                           .ns_net = numbers[2],
	                           .ns_user = numbers[3],
	                           .ns_ipc = numbers[4],
	                           .ns_uts = numbers[5],
	                           .ns_cgroup = numbers[6]};
}

static void put_namespaces(const char *root, const char *ns)
{
	static const char *const names[] = {"mnt", "pid", "net", "user", "ipc", "uts", "cgroup"};
	char path[64];
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "proc/%s/ns/%s", ns, names[i]);
		put_file(root, path, "");
	}
}

/* As it is in /proc when picket looks: before the first program, or when the process has moved on. */
static void put_first_process(const char *root, const char *cgroup, enum look look)
{
	char path[128];
	if (look == LOOKS_TOO_LATE)
		return;
	put_process(root, PID, "tmpfs");
	put_file(root, "proc/20/status", "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n");
	snprintf(path, sizeof(path), "0::%s\n", look == LOOKS_LATE ? "/docker/" ID("2") : cgroup);
	put_file(root, "proc/20/cgroup", path);
	snprintf(path, sizeof(path), "%s/proc/20/ns", root);
	assert_int_equal(symlink(look == LOOKS_LATE ? "../own/ns" : "../1/ns", path), 0);
}

static void make_step(struct made *m, const struct scene *scene, const struct step *step, uint64_t time_ns,
                      const struct task_state *state)
{
	made_begin(m, step->type, time_ns, step->pid, step->pid * SECOND, 1);
	made_state(m, state);
	if (step->type == EVENT_execve || step->type == EVENT_cgroup_attach)
		made_text(m, "cgroup", scene->cgroup);
	if (step->type == EVENT_cgroup_attach) {
		made_number(m, "target_pid", step->pid);
		made_number(m, "target_start", step->pid * SECOND);
	} else if (step->type == EVENT_procfork) {
		made_number(m, "child_pid", CHILD);
		made_number(m, "child_start", CHILD * SECOND);
	}
}

static void replay_record(void *userdata, const struct event *event)
{
	struct enrich_view view;
	assert_int_equal(enrich_event(userdata, event, &view), 0);
	enrich_event_done(userdata, &view);
}

/* root NULL: a replay. The records of a live one go to again, if that is given. */
static struct enrich *make_enrich(const char *root, struct enrich *again)
{
	struct enrich_options options = {
	        .live = root, .root = root, .on_record = again ? replay_record : NULL, .userdata = again};
	struct enrich *e;
	assert_int_equal(enrich_new(&options, &e), 0);
	return e;
}

static const char *container_at(struct enrich *e, struct made *m)
{
	struct enrich_view view;
	assert_int_equal(enrich_event(e, made_finish(m), &view), 0);
	const char *id = view.process->container ? view.process->container->id : "host";
	enrich_event_done(e, &view);
	return id;
}

static void put_state(const char *root, const struct scene *scene)
{
	if (scene->file)
		put_file(root, scene->file, scene->text);
}

static void play(const char *root, const struct scene *scene, enum look look)
{
	struct enrich *again = make_enrich(NULL, NULL);
	struct enrich *e = make_enrich(root, again);
	struct task_state host = state_on_disk(root, "1");
	size_t count = step_count(scene);
	struct enrich_view view;
	struct enrich_stats stats;
	struct made m;
	for (int i = 0; i < 2; i++) {
		made_begin(&m, EVENT_procinfo, 10 * SECOND, 1, 1, 0);
		made_text(&m, "cgroup", "/init.scope");
		made_state(&m, &host);
		give(i ? again : e, &m, &view);
	}
	for (size_t i = 0; i < count; i++) {
		struct task_state state = state_on_disk(root, scene->steps[i].ns);
		const char *id = scene->steps[i].contained ? scene->id : "host";
		if (i + 2 == count && look == LOOKS_AT_ONCE)
			put_state(root, scene);
		make_step(&m, scene, &scene->steps[i], (30 + i) * SECOND, &state);
		assert_string_equal(container_at(e, &m), id);
		assert_string_equal(container_at(again, &m), id);
		made_done(&m);
		enrich_tick(e, (30 + i) * SECOND + SECOND / 2);
	}
	enrich_get_stats(e, &stats);
	assert_int_equal(stats.containers, 1);
	enrich_free(e);
	enrich_free(again);
}

/* What is in /proc and on disk is of now; which container a process is in at an event follows from the events. */
static void test_first_processes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(scenes); i++)
		for (enum look look = LOOKS_AT_ONCE; look <= LOOKS_TOO_LATE; look++) {
			char root[] = "/tmp/picket-enrich-XXXXXX";
			assert_non_null(mkdtemp(root));
			put_namespaces(root, "1");
			put_namespaces(root, "own");
			put_first_process(root, scenes[i].cgroup, look);
			if (look != LOOKS_AT_ONCE)
				put_state(root, &scenes[i]);
			print_message("%s, look %d\n", scenes[i].what, look);
			play(root, &scenes[i], look);
			remove_tree(root);
		}
}

/* What a fork or a move says of namespaces is of another process. */
static void test_state_of_another(void **state)
{
	(void)state;
	static const enum event_type types[] = {EVENT_procfork, EVENT_cgroup_attach};
	char root[] = "/tmp/picket-enrich-XXXXXX";
	assert_non_null(mkdtemp(root));
	put_namespaces(root, "1");
	put_namespaces(root, "own");
	put_first_process(root, DOCKER, LOOKS_AT_ONCE);
	struct task_state host = state_on_disk(root, "1"), own = state_on_disk(root, "own");
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct enrich *e = make_enrich(root, NULL);
		struct enrich_view view;
		struct made m;
		made_begin(&m, types[i], 30 * SECOND, PID, PID * SECOND, 1);
		made_number(&m, types[i] == EVENT_procfork ? "child_pid" : "target_pid", CHILD);
		made_number(&m, types[i] == EVENT_procfork ? "child_start" : "target_start", CHILD * SECOND);
		made_state(&m, &own);
		assert_int_equal(give(e, &m, &view)->state.ns_mnt, host.ns_mnt);
		enrich_free(e);
	}
	remove_tree(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_first_processes),
	        cmocka_unit_test(test_state_of_another),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
