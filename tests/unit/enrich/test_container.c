/* SPDX-License-Identifier: Apache-2.0 */
#include "events.h"

#include "enrich/container_int.h"
#include "enrich/enrich_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define FIXTURE "tests/data/enrich/host"
#define ID16(c) c c c c c c c c c c c c c c c c
#define ID(c) ID16(c) ID16(c) ID16(c) ID16(c)

/* ---- control groups ---- */
struct cgroup_case {
	const char *cgroup;
	enum container_form form; /* NONE: cannot be a container's */
	const char *id, *pod_uid;
};
static const struct cgroup_case cgroup_cases[] = {
        {"/docker/" ID("a"), FORM_DOCKER, ID("a"), ""},
        {"/system.slice/docker-" ID("a") ".scope", FORM_DOCKER, ID("a"), ""},
        {"/system.slice/docker-" ID("a") ".scope/init.scope", FORM_DOCKER, ID("a"), ""},
        {"/docker/" ID("a") "/system.slice/cron.service", FORM_DOCKER, ID("a"), ""},
        {"/docker/" ID("a") "/docker/" ID("b"), FORM_DOCKER, ID("b"), ""},
        {"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0b0b_1.slice/cri-containerd-" ID("a") ".scope",
         FORM_CRI_CONTAINERD, ID("a"), "0b0b_1"},
        {"/kubepods.slice/kubepods-pod77.slice/crio-" ID("c") ".scope", FORM_CRIO, ID("c"), "77"},
        {"/kubepods.slice/kubepods-pod77.slice/crio-" ID("c") ".scope/container", FORM_CRIO, ID("c"), "77"},
        {"/kubepods.slice/kubepods-pod77.slice/crio-conmon-" ID("c") ".scope", FORM_NONE, NULL, NULL},
        {"/kubepods/besteffort/pod0b-1/" ID("a"), FORM_POD, ID("a"), "0b-1"},
        {"/system.slice/containerd.service/kubepods-burstable-pod0b_1.slice:cri-containerd:" ID("a"),
         FORM_CRI_CONTAINERD, ID("a"), "0b_1"},
        {"/machine.slice/libpod-" ID("e") ".scope", FORM_PODMAN, ID("e"), ""},
        {"/machine.slice/libpod-" ID("e") ".scope/container", FORM_PODMAN, ID("e"), ""},
        {"/libpod_parent/libpod-" ID("e"), FORM_PODMAN, ID("e"), ""},
        {"/system.slice/web.service/libpod-payload-" ID("e"), FORM_PODMAN, ID("e"), ""},
        {"/machine.slice/libpod-conmon-" ID("e") ".scope", FORM_NONE, NULL, NULL},
        {"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID("e") ".scope", FORM_PODMAN, ID("e"), ""},
        {"/lxc/guest", FORM_LXC, "guest", ""},
        {"/lxc.payload.guest/init.scope", FORM_LXC, "guest", ""},
        {"/lxc.monitor.guest", FORM_PLAIN, "lxc.monitor.guest", ""},
        {"/ecs/task/" ID("f"), FORM_HEX, ID("f"), ""},
        {"/default/redis", FORM_PLAIN, "redis", ""},
        {"/c1", FORM_PLAIN, "c1", ""},
        {"/system.slice/ssh.service", FORM_NONE, NULL, NULL},
        {"/user.slice/user-0.slice/session-1.scope", FORM_NONE, NULL, NULL},
        {"/", FORM_NONE, NULL, NULL},
        {"", FORM_NONE, NULL, NULL},
        {"/a b", FORM_NONE, NULL, NULL},
        {"/docker/" ID("g"), FORM_PLAIN, ID("g"), ""}, /* not hexadecimal */
        {"/docker/" ID("A"), FORM_PLAIN, ID("A"), ""},
        {"/docker/aaaa", FORM_PLAIN, "aaaa", ""},
};

static void test_cgroups(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cgroup_cases); i++) {
		const struct cgroup_case *c = &cgroup_cases[i];
		struct container_ref ref = {0};
		bool found = container_ref_parse(str_from(c->cgroup), &ref);
		print_message("%s\n", c->cgroup);
		assert_int_equal(found, c->form != FORM_NONE);
		if (!found)
			continue;
		assert_int_equal(ref.form, c->form);
		assert_str(ref.id, c->id);
		assert_str(ref.pod_uid, c->pod_uid);
	}
}

static void test_choose(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
	        {"/a", "/a"},
	        {"/\n/process/x", "/process/x"},
	        {"/a\n/b", "/a"},
	        {"/system.slice/containerd.service\n/docker/" ID("a"), "/docker/" ID("a")},
	        {"/docker/" ID("a") "\n/docker/" ID("b"), "/docker/" ID("a")},
	        {"/", "/"},
	        {"", ""},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_str(cgroup_choose(str_from(cases[i][0])), cases[i][1]);
}

static void test_units(void **state)
{
	(void)state;
	assert_str(cgroup_unit(STR("/system.slice/ssh.service")), "ssh.service");
	assert_str(cgroup_unit(STR("/system.slice/docker.service/sub/group")), "docker.service");
	assert_str(cgroup_unit(STR("/user.slice/user-0.slice/session-1.scope")), "session-1.scope");
	assert_str(cgroup_unit(STR("/user.slice/user-1.slice/user@1.service/app.slice/x.service")), "x.service");
	assert_str(cgroup_unit(STR("/user.slice")), "");
	assert_str(cgroup_unit(STR("/")), "");
}

/* ---- what is on disk ---- */
static int root_fd = -1;
static struct arena arena;
static struct container_info info;
static struct str full_id;

static int setup_disk(void **state)
{
	(void)state;
	root_fd = open(FIXTURE, O_PATH | O_DIRECTORY | O_CLOEXEC);
	arena_init(&arena, 1 << 20);
	info = (struct container_info){0};
	return root_fd < 0 ? -1 : 0;
}

static int teardown_disk(void **state)
{
	(void)state;
	arena_done(&arena);
	close(root_fd);
	return 0;
}

static int read_disk(const char *cgroup, bool thorough)
{
	struct container_ref ref;
	assert_true(container_ref_parse(str_from(cgroup), &ref));
	return container_disk_read(root_fd, &ref, str_from(cgroup), thorough, &arena, &info, &full_id);
}

static void test_kubernetes_containerd(void **state)
{
	(void)state;
	assert_int_equal(read_disk("/kubepods.slice/x.slice/cri-containerd-" ID("a") ".scope", false), 0);
	assert_str(full_id, ID("a"));
	assert_str(info.type, "containerd");
	assert_str(info.name, "web");
	assert_str(info.image, "registry.example.com:5000/team/nginx:1.25");
	assert_str(info.repository, "registry.example.com:5000/team/nginx");
	assert_str(info.tag, "1.25");
	assert_str(info.pod_name, "web-5d9f");
	assert_str(info.pod_namespace, "shop");
	assert_str(info.pod_uid, "0b0b1111-2222-3333-4444-555566667777");
	assert_str(info.sandbox_id, ID("b"));
	assert_str(info.ip, "10.244.0.5");
	assert_false(info.privileged);
	assert_false(info.sandbox);
	assert_false(info.host_network);
	assert_int_equal(info.mount_count, 2);
	assert_str(info.mounts[1].source, "/var/lib/kubelet/pods/0b0b/volumes/secret");
	assert_str(info.mounts[1].destination, "/secret");
	assert_str(info.mounts[1].propagation, "rslave");
	assert_false(info.mounts[1].writable);
	assert_true(info.mounts[0].writable);
}

static void test_sandbox(void **state)
{
	(void)state;
	assert_int_equal(read_disk("/kubepods/pod0b/" ID("b"), false), 0);
	assert_true(info.sandbox);
	assert_str(info.sandbox_id, ID("b"));
}

static void test_pod_uid_from_path(void **state)
{
	(void)state;
	assert_int_equal(read_disk("/kubepods.slice/kubepods-pod12_34.slice/docker-" ID("d") ".scope", false), 0);
	assert_str(info.pod_uid, "12-34");
}

static void test_crio(void **state)
{
	(void)state;
	assert_int_equal(read_disk("/kubepods.slice/kubepods-pod77.slice/crio-" ID("c") ".scope", false), 0);
	assert_str(info.type, "cri-o");
	assert_str(info.name, "api");
	assert_str(info.image, "quay.io/team/api:2.0");
	assert_str(info.tag, "2.0");
	assert_int_equal(info.digest.length, 7 + 64);
	assert_str(info.pod_namespace, "prod");
	assert_str(info.ip, "10.85.0.7");
	assert_str(container_label(&info, "app"), "api");
}

static void test_docker(void **state)
{
	(void)state;
	assert_int_equal(read_disk("/system.slice/docker-" ID("d") ".scope", false), 0);
	assert_str(info.type, "docker");
	assert_str(info.name, "db");
	assert_str(info.image, "postgres:16");
	assert_str(info.repository, "postgres");
	assert_str(info.tag, "16");
	assert_int_equal(info.image_id.length, 64);
	assert_int_equal(info.digest.length, 7 + 64);
	assert_str(info.ip, "172.17.0.2");
	assert_true(info.privileged);
	assert_true(info.host_pid);
	assert_false(info.host_network);
	assert_str(container_label(&info, "com.example.tier"), "data");
	assert_int_equal(info.mount_count, 2);
	assert_str(info.mounts[0].source, "/srv/pg");
	assert_str(info.mounts[0].mode, "z");
	assert_true(info.mounts[0].writable);
	assert_false(info.mounts[1].writable);
}

static void test_podman(void **state)
{
	(void)state;
	assert_int_equal(read_disk("/machine.slice/libpod-" ID("e") ".scope", false), 0);
	assert_str(info.type, "podman");
	assert_str(info.name, "builder");
	assert_str(info.image, "localhost/builder:v1");
	assert_str(info.repository, "localhost/builder");
	assert_int_equal(info.image_id.length, 64);
	assert_int_equal(info.digest.length, 7 + 64);
	assert_true(info.privileged); /* all capabilities, all devices, nothing masked */
	assert_true(info.host_pid);
	assert_true(info.host_network);
	assert_false(info.host_ipc);
}

static void test_runc(void **state)
{
	(void)state;
	/* The group's name is not the id: only a search finds it. */
	assert_int_equal(read_disk("/svc/group-of-web", false), -ENOENT);
	assert_int_equal(read_disk("/svc/group-of-web", true), 0);
	assert_str(full_id, "web1");
	assert_str(info.type, "runc");
	assert_str(info.name, "web1");
	assert_str(container_label(&info, "com.example.team"), "red");
	assert_int_equal(info.mount_count, 1);
	assert_true(info.host_network);
	/* A group that the container made below its own. */
	info = (struct container_info){0};
	assert_int_equal(read_disk("/svc/group-of-web/inner", true), 0);
	/* Paths that only end or begin alike are others. */
	assert_int_equal(read_disk("/group-of-web", true), -ENOENT);
	assert_int_equal(read_disk("/svc/group-of-web2", true), -ENOENT);
	assert_int_equal(read_disk("/svc", true), -ENOENT);
	/* An id alone proves nothing. */
	assert_int_equal(read_disk("/home/web1", true), -ENOENT);
}

static void test_others(void **state)
{
	(void)state;
	assert_int_equal(read_disk("/jobs/job7", false), 0);
	assert_str(info.name, "job7");
	info = (struct container_info){0};
	assert_int_equal(read_disk("/default/redis", false), 0);
	assert_str(info.type, "containerd");
	assert_str(info.name, "cache");
	info = (struct container_info){0};
	assert_int_equal(read_disk("/lxc/guest", false), 0);
	assert_str(info.type, "lxc");
	assert_int_equal(read_disk("/lxc/nobody", false), -ENOENT);
	assert_int_equal(read_disk("/docker/" ID("0"), false), -ENOENT);
	assert_int_equal(read_disk("/docker/" ID("1"), false), -ENOENT); /* its file is cut */
}

static void test_split_image(void **state)
{
	(void)state;
	static const char *const cases[][4] = {
	        {"nginx", "nginx", "", ""},
	        {"nginx:1", "nginx", "1", ""},
	        {"host:5000/a/b", "host:5000/a/b", "", ""},
	        {"host:5000/a/b:v2@sha256:00", "host:5000/a/b", "v2", "sha256:00"},
	        {"a@sha256:11", "a", "", "sha256:11"},
	        {"", "", "", ""},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct container_info image = {.image = str_from(cases[i][0])};
		container_split_image(&image);
		assert_str(image.repository, cases[i][1]);
		assert_str(image.tag, cases[i][2]);
		assert_str(image.digest, cases[i][3]);
	}
}

/* ---- the record ---- */
static int parse_record(void *userdata, const struct event *event)
{
	const struct arg_info *a = event_find_arg(event->info, STR("info"));
	struct str json;
	bool cut;
	assert_true(event_arg_slot(event, a, &json, &cut));
	assert_false(cut);
	return container_parse(json, &arena, userdata);
}

static void test_record(void **state)
{
	(void)state;
	struct container c = {
	        .id = "dddddddddddd", .full_id = STR(ID("d")), .cgroup = STR("/docker/" ID("d")), .known = true};
	struct container back = {0};
	assert_int_equal(read_disk("/docker/" ID("d"), false), 0);
	c.info = info;
	c.host_network = true;
	assert_int_equal(container_put(&c, 1, parse_record, &back), 0);
	assert_true(back.known);
	assert_true(back.confirmed);
	assert_true(back.host_network);
	assert_false(back.host_pid);
	assert_true(back.info.privileged);
	assert_str(back.full_id, ID("d"));
	assert_str(back.cgroup, "/docker/" ID("d"));
	assert_str(back.info.name, "db");
	assert_str(back.info.repository, "postgres");
	assert_int_equal(back.info.mount_count, 2);
	assert_str(back.info.mounts[1].propagation, "rslave");
	assert_str(container_label(&back.info, "maintainer"), "team");
}

/* More than a record holds: labels go first, the rest stays. */
static void test_long_record(void **state)
{
	(void)state;
	static char value[2000];
	struct container c = {.id = "dddddddddddd", .full_id = STR("d"), .cgroup = STR("/x/d"), .known = true};
	struct container back = {0};
	memset(value, 'v', sizeof(value));
	c.info.name = STR("much");
	for (int i = 0; i < 120; i++) {
		char key[16];
		snprintf(key, sizeof(key), "key%d", i);
		container_add_label(str_from(key), str_make(value, sizeof(value)), &arena, &c.info);
	}
	assert_int_equal(c.info.label_count, 120);
	assert_int_equal(container_put(&c, 1, parse_record, &back), 0);
	assert_str(back.info.name, "much");
	assert_int_equal(back.info.label_count, 0);
}

static void test_record_of_many_mounts(void **state)
{
	(void)state;
	_cleanup_(buf_done) struct buf json;
	struct container c;
	buf_init(&json, 1 << 20);
	buf_add_text(&json, "{\"full_id\":\"a\",\"mounts\":[1");
	for (unsigned i = 0; i < 5000; i++)
		buf_add_text(&json, ",1");
	buf_add_text(&json, "]}");
	assert_int_equal(container_parse(buf_str(&json), &arena, &c), 0);
	assert_int_equal(c.info.mount_count, CONTAINER_MOUNTS_MAX);
}

static void test_bad_records(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "{", "[]", "{}", "null", "{\"full_id\": 7}", "{\"full_id\": \"\"}"};
	struct container c;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(container_parse(str_from(bad[i]), &arena, &c), -EBADMSG);
	assert_int_equal(
	        container_parse(STR("{\"full_id\":\"a\",\"mounts\":7,\"labels\":[1],\"name\":{}}"), &arena, &c), 0);
	assert_int_equal(c.info.mount_count, 0);
	assert_int_equal(c.info.name.length, 0);
}

int main(void)
{
#define DISK(name) cmocka_unit_test_setup_teardown(test_##name, setup_disk, teardown_disk)
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_cgroups),
	        cmocka_unit_test(test_choose),
	        cmocka_unit_test(test_units),
	        cmocka_unit_test(test_split_image),
	        DISK(kubernetes_containerd),
	        DISK(sandbox),
	        DISK(pod_uid_from_path),
	        DISK(crio),
	        DISK(docker),
	        DISK(podman),
	        DISK(runc),
	        DISK(others),
	        DISK(record),
	        DISK(long_record),
	        DISK(record_of_many_mounts),
	        DISK(bad_records),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
