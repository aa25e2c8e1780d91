/* SPDX-License-Identifier: Apache-2.0
 *
 * container.*, k8s.*: the container object is made here by hand; how it comes about is tested in test_container.c
 */
#include "tests/unit/enrich/field_fixture.h"

static struct container_mount mounts[] = {
        {STR("/var/run/docker.sock"), STR("/sock"), STR("rw"), STR("rprivate"), true},
        {STR("/etc"), STR("/host/etc"), STR(""), STR("rslave"), false},
};
static struct container_label labels[] = {
        {STR("app"), STR("web")},
        {STR("io.kubernetes.pod.name"), STR("web-0")},
        {STR("tier"), STR("front")},
        {STR("7"), STR("seven")},
};

static struct container make_container(void)
{
	return (struct container){
	        .id = "0123456789ab",
	        .full_id = STR("0123456789abcdef0123456789abcdef"),
	        .known = true,
	        .namespaces_seen = true,
	        .host_network = true,
	        .info =
	                {
	                        .type = STR("containerd"),
	                        .name = STR("web"),
	                        .image = STR("reg:5000/a/b:1.2"),
	                        .repository = STR("reg:5000/a/b"),
	                        .tag = STR("1.2"),
	                        .image_id = STR("cafe"),
	                        .digest = STR("sha256:beef"),
	                        .ip = STR("10.1.2.3"),
	                        .pod_name = STR("web-0"),
	                        .pod_namespace = STR("shop"),
	                        .pod_uid = STR("u-1"),
	                        .sandbox_id = STR("fedcba9876543210"),
	                        .privileged = true,
	                        .mounts = mounts,
	                        .mount_count = ARRAY_SIZE(mounts),
	                        .labels = labels,
	                        .label_count = ARRAY_SIZE(labels),
	                },
	};
}

static void begin_in(struct fixture *f, struct container *c)
{
	fixture_init(f);
	fixture_begin(f, EVENT_kill, 300);
	fixture_end(f);
	fixture_actor(f)->container = c;
	fixture_actor(f)->state.pidns_start = 90 * NS_PER_S;
}

/* The table must not see the container that it does not own. */
static void end_in(struct fixture *f)
{
	fixture_actor(f)->container = NULL;
	fixture_done(f);
}

static void in_a_container(void **unused)
{
	(void)unused;
	struct fixture f;
	struct container c = make_container();
	begin_in(&f, &c);
	check_all(&f, {"container.id", "0123456789ab"}, {"container.full_id", "0123456789abcdef0123456789abcdef"},
	          {"container.name", "web"}, {"container.image", "reg:5000/a/b:1.2"}, {"container.image.id", "cafe"},
	          {"container.image.repository", "reg:5000/a/b"}, {"container.image.tag", "1.2"},
	          {"container.image.digest", "sha256:beef"}, {"container.type", "containerd"},
	          {"container.privileged", "true"}, {"container.host_pid", "false"}, {"container.host_network", "true"},
	          {"container.host_ipc", "false"}, {"container.ip", "10.1.2.3"},
	          {"container.start_ts", "1700000090000000000"}, {"container.duration", "10000000000"},
	          {"container.label[app]", "web"}, {"container.label[7]", "seven"}, {"container.label[no]", NULL},
	          {"container.labels", "app:web, tier:front, 7:seven"}, {"k8s.pod.name", "web-0"},
	          {"k8s.pod.id", "u-1"}, {"k8s.pod.uid", "u-1"}, {"k8s.ns.name", "shop"},
	          {"k8s.pod.sandbox_id", "fedcba987654"}, {"k8s.pod.full_sandbox_id", "fedcba9876543210"},
	          {"k8s.pod.label[tier]", "front"}, {"k8s.pod.labels", "app:web, tier:front, 7:seven"},
	          {"k8s.pod.ip", "10.1.2.3"}, {"fd.containername", NULL});
	end_in(&f);
}

static void mounts_of_a_container(void **unused)
{
	(void)unused;
	struct fixture f;
	struct container c = make_container();
	begin_in(&f, &c);
	check_all(&f, {"container.mounts", "/var/run/docker.sock:/sock:rw:true:rprivate,/etc:/host/etc::false:rslave"},
	          {"container.mount[0]", "/var/run/docker.sock:/sock:rw:true:rprivate"},
	          {"container.mount[1]", "/etc:/host/etc::false:rslave"}, {"container.mount[2]", NULL},
	          {"container.mount[/etc]", "/etc:/host/etc::false:rslave"},
	          {"container.mount.dest[docker.sock]", "/sock"}, {"container.mount.dest[^/etc$]", "/host/etc"},
	          {"container.mount.dest[/nosuch]", NULL}, {"container.mount.source[/host]", "/etc"},
	          {"container.mount.source[0]", "/var/run/docker.sock"}, {"container.mount.source[nosuch]", NULL},
	          {"container.mount.mode[0]", "rw"}, {"container.mount.rdwr[1]", "false"},
	          {"container.mount.rdwr[0]", "true"}, {"container.mount.propagation[1]", "rslave"},
	          {"container.mount.dest[(]", NULL}, /* not an expression */
	          {"container.mount.mode[9]", NULL}, {"container.mount.rdwr[9]", NULL},
	          {"container.mount.propagation[9]", NULL});
	end_in(&f);
}

static void nothing_found_on_disk(void **unused)
{
	(void)unused;
	struct fixture f;
	struct container c = make_container();
	c.known = c.namespaces_seen = false;
	begin_in(&f, &c);
	check_all(&f, {"container.id", "0123456789ab"}, {"container.full_id", "0123456789abcdef0123456789abcdef"},
	          {"container.start_ts", "1700000090000000000"}, {"container.name", NULL}, {"container.image", NULL},
	          {"container.image.id", NULL}, {"container.image.repository", NULL}, {"container.image.tag", NULL},
	          {"container.image.digest", NULL}, {"container.type", NULL}, {"container.privileged", NULL},
	          {"container.host_pid", NULL}, {"container.host_network", NULL}, {"container.host_ipc", NULL},
	          {"container.mounts", NULL}, {"container.labels", NULL}, {"container.ip", NULL},
	          {"k8s.pod.name", NULL}, {"k8s.pod.labels", NULL}, {"k8s.pod.sandbox_id", NULL},
	          {"k8s.pod.full_sandbox_id", NULL}, {"k8s.pod.ip", NULL}, {"container.cni.json", NULL},
	          {"k8s.pod.cni.json", NULL});
	end_in(&f);
}

static void on_the_host(void **unused)
{
	(void)unused;
	struct fixture f;
	begin_in(&f, NULL);
	check_all(&f, {"container.id", "host"}, {"container.full_id", "host"}, {"container.name", "host"},
	          {"container.type", "host"}, {"container.image", ""}, {"container.image.id", ""},
	          {"container.image.repository", ""}, {"container.image.tag", ""}, {"container.image.digest", ""},
	          {"container.privileged", "false"}, {"container.host_pid", "false"},
	          {"container.host_network", "false"}, {"container.host_ipc", "false"}, {"container.mounts", ""},
	          {"container.mount[0]", NULL}, {"container.mount.dest[/]", NULL}, {"container.label[app]", NULL},
	          {"container.labels", ""}, {"container.ip", ""}, {"container.cni.json", ""}, {"k8s.pod.name", NULL},
	          {"k8s.ns.name", NULL}, {"k8s.pod.id", NULL}, {"k8s.pod.uid", NULL}, {"k8s.pod.label[tier]", NULL},
	          {"k8s.pod.labels", ""}, {"k8s.pod.sandbox_id", ""}, {"k8s.pod.full_sandbox_id", ""},
	          {"k8s.pod.ip", ""}, {"k8s.pod.cni.json", ""});
	fixture_actor(&f)->state.pidns_start = 0;
	check_all(&f, {"container.start_ts", NULL}, {"container.duration", NULL});
	end_in(&f);
}

static void process_unknown(void **unused)
{
	(void)unused;
	struct fixture f;
	begin_in(&f, NULL);
	struct process *p = f.view.process;
	f.view.process = NULL;
	check_all(&f, {"container.id", NULL}, {"container.full_id", NULL}, {"container.name", NULL},
	          {"k8s.pod.name", NULL});
	f.view.process = p;
	fixture_done(&f);
}

static void coverage(void **unused)
{
	(void)unused;
	check_coverage("container.", NULL, 0);
	check_coverage("k8s.", NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(in_a_container),        cmocka_unit_test(mounts_of_a_container),
	        cmocka_unit_test(nothing_found_on_disk), cmocka_unit_test(on_the_host),
	        cmocka_unit_test(process_unknown),       cmocka_unit_test(coverage), /* last */
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
