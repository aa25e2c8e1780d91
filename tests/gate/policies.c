/* SPDX-License-Identifier: Apache-2.0
 *
 * Policies that are well signed and would take the host down, or whose powers are not stated.
 */
#include "core/content.h"
#include "tests/gate/gate.h"

#include <stdio.h>
#include <string.h>

#define MORE_MAX 1024

struct planted {
	const char *action, *at, *condition; /* condition: NULL: none */
	const char *more;                    /* further keys, lines with two blanks before */
	const char *powers;                  /* stated: lines */
};

static void add_policy(const char *name, const struct planted *p, struct buf *out)
{
	buf_printf(out, "- policy: %s\n  version: 1\n  action: %s\n", name, p->action);
	if (p->at)
		buf_printf(out, "  at: %s\n", p->at);
	if (p->condition)
		buf_printf(out, "  condition: >\n    %s\n", p->condition);
	buf_printf(out, "  mode: enforce\n%s", p->more ? p->more : "");
}

static void expect_text(const char *name, struct str text, const char *powers, enum gate_step step, const char *reason)
{
	_cleanup_(buf_done) struct buf bytes;
	struct gate_options options = default_options();
	struct draft d;
	buf_init(&bytes, BYTES_MAX);
	draft_init(&d);
	d.files[0] = (struct draft_file){"policies/planted.yaml", text};
	d.file_count = 1;
	d.powers = powers ? powers : "";
	draft_pack(&d, &bytes);
	options.policies = content_policy_checker();
	expect(name, buf_str(&bytes), &options, step, reason);
}

static void expect_policy(const char *name, struct planted p, enum gate_step step, const char *reason)
{
	_cleanup_(buf_done) struct buf text;
	buf_init(&text, BYTES_MAX);
	add_policy("planted", &p, &text);
	expect_text(name, buf_str(&text), p.powers, step, reason);
}

/* The word in place of the @. */
static void fill(const char *way, const char *word, char *out, size_t size)
{
	const char *at = strchr(way, '@');
	snprintf(out, size, "%.*s%s%s", (int)(at - way), way, word, at + 1);
}

/* ---- everything ---- */

/* Conditions that hold whatever happens, or nearly. */
static void always(void)
{
	static const char *const ways[] = {
	        "evt.type in (@)",
	        "evt.type in (@) and evt.failed = false",
	        "evt.type in (@) and proc.pid > 0",
	        "evt.type in (@) and not proc.name = some-name",
	        "evt.type in (@) and proc.name != some-name",
	        "evt.type in (@) and not proc.name in (a, b, c, d)",
	        "evt.type in (@) and not user.uid in (4000, 5000)",
	        "evt.type in (@) and (user.uid = 0 or user.uid != 0)",
	        "evt.type in (@) and user.uid >= 0",
	        "evt.type in (@) and user.uid < 60000",
	        "evt.type in (@) and (proc.name = x or not proc.name = x)",
	        "evt.type in (@) and not (proc.name = x and proc.pname = y)",
	        "not (not evt.type in (@))",
	};
	static const struct {
		const char *action, *at, *types;
	} points[] = {
	        {"kill", "exec", "execve, execveat"},
	        {"kill", "event", "execve, execveat"},
	        {"kill", "event", "openat, open"},
	        {"kill", "event", "connect"},
	        {"kill", "event", "clone, clone3, fork, vfork"},
	        {"deny", "exec", "execve, execveat"},
	        {"deny", "file-open", "open, openat, openat2, creat"},
	        {"deny", "file-write", "open, openat, openat2, creat"},
	        {"deny", "file-rename", "rename, renameat, renameat2"},
	        {"deny", "file-unlink", "unlink, unlinkat, rmdir"},
	        {"deny", "connect", "connect"},
	        {"deny", "bind", "bind"},
	        {"deny", "sendmsg", "sendto, sendmsg, sendmmsg"},
	        {"deny", "mount", "mount"},
	        {"deny", "bpf-load", "bpf"},
	        {"deny", "setns", "setns"},
	        {"deny", "device", "open, openat, openat2"},
	        {"quarantine", NULL, "connect"},
	        {"quarantine", NULL, "execve"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(ways); k++) {
			char condition[MORE_MAX], name[2 * MORE_MAX];
			fill(ways[k], points[i].types, condition, sizeof(condition));
			snprintf(name, sizeof(name), "%s at %s: %s", points[i].action,
			         points[i].at ? points[i].at : "network", condition);
			expect_policy(name, (struct planted){points[i].action, points[i].at, condition, NULL, ""},
			              GATE_POLICIES, "would ");
		}
	}
}

/* Without a condition: it needs a scope, and one that leaves the host alone. */
static void scopes(void)
{
	static const char *const wide[] = {"user: root",
	                                   "user: \"0\"",
	                                   "user: [nobody, root]",
	                                   "container: host",
	                                   "unit: ssh.service",
	                                   "unit: sshd.service",
	                                   "unit: system.slice",
	                                   "unit: user.slice",
	                                   "unit: init.scope",
	                                   "unit: -.slice",
	                                   "cgroup: /system.slice",
	                                   "cgroup: /user.slice",
	                                   "cgroup: /init.scope",
	                                   "cgroup: /user.slice/user-0.slice",
	                                   "executable: /usr/bin/bash",
	                                   "container: host\n    user: root"};
	static const char *const narrow[] = {"user: www-data",
	                                     "unit: nginx.service",
	                                     "cgroup: /ci",
	                                     "executable: /usr/sbin/nginx",
	                                     "container: 3ad1c4b8e7f0",
	                                     "user: root\n    unit: nginx.service",
	                                     "container: any\n    image: web"};
	char name[MORE_MAX], more[MORE_MAX];
	for (size_t i = 0; i < ARRAY_SIZE(wide); i++) {
		snprintf(more, sizeof(more), "  scope:\n    %s\n", wide[i]);
		snprintf(name, sizeof(name), "deny exec for %s", wide[i]);
		expect_policy(name, (struct planted){"deny", "exec", NULL, more, ""}, GATE_POLICIES, "would deny");
		snprintf(name, sizeof(name), "kill for %s", wide[i]);
		expect_policy(name, (struct planted){"kill", "exec", "evt.type = execve", more, ""}, GATE_POLICIES,
		              "would kill");
	}
	expect_policy("connect denied to everything for root",
	              (struct planted){"deny", "connect", NULL, "  scope: {user: root}\n", ""}, GATE_POLICIES,
	              "would deny connect");
	expect_policy("no scope and no condition", (struct planted){"deny", "connect", NULL, NULL, ""}, GATE_POLICIES,
	              "this would deny everything on the host");
	for (size_t i = 0; i < ARRAY_SIZE(narrow); i++) {
		snprintf(more, sizeof(more), "  scope:\n    %s\n", narrow[i]);
		snprintf(name, sizeof(name), "deny exec for %s", narrow[i]);
		expect_policy(name, (struct planted){"deny", "exec", NULL, more, "power deny:exec\n"}, GATE_STEPS, "");
	}
}

/* ---- what every host needs ---- */

static void files(void)
{
	static const struct {
		const char *path, *short_name, *lost;
	} vital[] = {
	        {"/usr/lib/x86_64-linux-gnu/libc.so.6", "libc.so.6", "no program starts"},
	        {"/lib/x86_64-linux-gnu/libc.so.6", "libc.so.6", "no program starts"},
	        {"/usr/lib64/libc.so.6", "libc.so.6", "no program starts"},
	        {"/usr/lib/aarch64-linux-gnu/libc.so.6", "libc.so.6", "no program starts"},
	        {"/lib64/ld-linux-x86-64.so.2", "ld-linux-x86-64.so.2", "no program starts"},
	        {"/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", "ld-linux-x86-64.so.2", "no program starts"},
	        {"/etc/ld.so.cache", "ld.so.cache", "no program finds its libraries"},
	        {"/etc/passwd", "passwd", "log in"},
	        {"/etc/group", "group", "log in"},
	        {"/etc/nsswitch.conf", "nsswitch.conf", "log in"},
	        {"/etc/pam.d/sshd", "sshd", "operators cannot come in"},
	        {"/etc/ssh/sshd_config", "sshd_config", "operators cannot come in"},
	        {"/etc/shadow", "shadow", "no password is taken"},
	        {"/etc/sudoers", "sudoers", "operators do not become root"},
	        {"/dev/null", "null", "scripts and services fail"},
	        {"/usr/bin/picket", "picket", "nobody can disarm it"},
	        {"/var/lib/picket/content/state", "state", "picket does not know what it runs"},
	        {"/etc/picket/keys", "keys", "picket takes no new content"},
	};
	static const char *const ways[] = {
	        "fd.name = @",
	        "fd.name in (/x, @)",
	        "fd.name startswith @",
	        "fd.name endswith @",
	        "fd.name pmatch (@)",
	        "fd.name in (@) and not proc.name = other",
	        "fs.path.name = @",
	        "fd.name = @ and user.uid < 2000",
	        "(fd.name = @ or fd.name = /x)",
	        "fd.realpath = @",
	};
	for (size_t i = 0; i < ARRAY_SIZE(vital); i++) {
		char condition[2 * MORE_MAX], test[MORE_MAX], name[2 * MORE_MAX];
		for (size_t k = 0; k < ARRAY_SIZE(ways); k++) {
			fill(ways[k], vital[i].path, test, sizeof(test));
			snprintf(condition, sizeof(condition), "evt.type in (open, openat, openat2, creat) and %s",
			         test);
			snprintf(name, sizeof(name), "deny file-open of %s", test);
			expect_policy(name, (struct planted){"deny", "file-open", condition, NULL, ""}, GATE_POLICIES,
			              "would deny file-open of ");
			expect_policy(name, (struct planted){"kill", "event", condition, NULL, ""}, GATE_POLICIES,
			              "would kill file-open of ");
		}
		snprintf(condition, sizeof(condition), "evt.type in (open, openat) and fd.filename = %s",
		         vital[i].short_name);
		expect_policy(condition, (struct planted){"deny", "file-open", condition, NULL, ""}, GATE_POLICIES,
		              "would deny file-open of ");
		snprintf(condition, sizeof(condition), "evt.type in (open, openat) and fd.name = %s", vital[i].path);
		expect_policy(name, (struct planted){"deny", "file-open", condition, NULL, ""}, GATE_POLICIES,
		              vital[i].lost);
	}
}

static void directories(void)
{
	static const char *const vital[] = {"/etc/", "/usr/lib",        "/usr/",       "/lib64",
	                                    "/dev/", "/var/lib/picket", "/etc/picket", "/"};
	for (size_t i = 0; i < ARRAY_SIZE(vital); i++) {
		char condition[MORE_MAX];
		snprintf(condition, sizeof(condition), "evt.type in (open, openat, openat2) and fd.name startswith %s",
		         vital[i]);
		expect_policy(condition, (struct planted){"deny", "file-open", condition, NULL, ""}, GATE_POLICIES,
		              "would deny file-open of ");
	}
	expect_policy("state of the agent, written",
	              (struct planted){"deny", "file-write",
	                               "evt.type in (open, openat) and fd.name startswith /var/lib/picket", NULL, ""},
	              GATE_POLICIES, "picket cannot keep");
	expect_policy("state of the agent, renamed",
	              (struct planted){"deny", "file-rename",
	                               "evt.type in (rename, renameat, renameat2) and fs.path.target startswith "
	                               "/var/lib/picket",
	                               NULL, ""},
	              GATE_POLICIES, "picket cannot keep");
	expect_policy("the agent's sockets, removed",
	              (struct planted){"deny", "file-unlink",
	                               "evt.type in (unlink, unlinkat) and fd.name startswith /run/picket", NULL, ""},
	              GATE_POLICIES, "picket does not start");
	expect_policy("the agent's state, but for the agent",
	              (struct planted){"deny", "file-write",
	                               "evt.type in (open, openat, openat2, creat) and fd.name startswith "
	                               "/var/lib/picket and not proc.exepath = /usr/bin/picket",
	                               NULL, "power deny-everywhere:file-write\n"},
	              GATE_STEPS, "");
}

static void programs(void)
{
	static const char *const vital[] = {"/usr/sbin/sshd",
	                                    "/usr/lib/openssh/sshd-session",
	                                    "/usr/libexec/openssh/sshd-session",
	                                    "/usr/bin/login",
	                                    "/usr/bin/sudo",
	                                    "/usr/bin/su",
	                                    "/usr/sbin/agetty",
	                                    "/usr/lib/systemd/systemd",
	                                    "/usr/lib/systemd/systemd-logind",
	                                    "/usr/bin/picket",
	                                    "/usr/bin/bash",
	                                    "/usr/bin/dash",
	                                    "/usr/bin/systemctl",
	                                    "/usr/bin/runc",
	                                    "/usr/bin/containerd",
	                                    "/usr/bin/dockerd",
	                                    "/usr/bin/kubelet",
	                                    "/usr/sbin/unix_chkpwd"};
	static const char *const ways[] = {"proc.exepath = @", "proc.exepath in (@, /x)", "proc.exepath endswith @",
	                                   "proc.exepath startswith @"};
	static const char *const actions[] = {"kill", "deny"};
	for (size_t i = 0; i < ARRAY_SIZE(vital); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(ways) * ARRAY_SIZE(actions); k++) {
			char test[MORE_MAX], condition[2 * MORE_MAX];
			fill(ways[k / ARRAY_SIZE(actions)], vital[i], test, sizeof(test));
			snprintf(condition, sizeof(condition), "evt.type in (execve, execveat) and %s", test);
			expect_policy(condition,
			              (struct planted){actions[k % ARRAY_SIZE(actions)], "exec", condition, NULL, ""},
			              GATE_POLICIES, " exec of ");
		}
		char condition[MORE_MAX], more[MORE_MAX];
		snprintf(condition, sizeof(condition), "evt.type = execve and proc.name = %.15s",
		         strrchr(vital[i], '/') + 1);
		expect_policy(condition, (struct planted){"kill", "exec", condition, NULL, ""}, GATE_POLICIES,
		              " exec of ");
		snprintf(more, sizeof(more), "  scope: {executable: %s}\n", vital[i]);
		expect_policy(more, (struct planted){"kill", "exec", "evt.type = execve", more, ""}, GATE_POLICIES, "");
	}
	expect_policy(
	        "programs in a directory that most are in",
	        (struct planted){"deny", "exec", "evt.type = execve and proc.exepath startswith /usr/bin/", NULL, ""},
	        GATE_POLICIES, " exec of ");
	expect_policy("most programs, none of the vital ones",
	              (struct planted){"deny", "exec",
	                               "evt.type = execve and proc.exepath startswith /usr/ and proc.name in (ls, cat, "
	                               "grep, ps, less, run-parts, logrotate, find)",
	                               NULL, ""},
	              GATE_POLICIES, "nearly every exec");
	expect_policy("a miner",
	              (struct planted){"kill", "exec", "evt.type = execve and proc.exepath endswith /xmrig", NULL,
	                               "power kill-everywhere:exec\n"},
	              GATE_STEPS, "");
}

static void network(void)
{
	static const struct {
		const char *at, *condition, *reason;
	} wrong[] = {
	        {"connect", "evt.type = connect and fd.rport = 53", "no name is found"},
	        {"connect", "evt.type = connect and fd.rport in (22, 53, 80)", "no name is found"},
	        {"connect", "evt.type = connect and fd.rport != 443", "no name is found"},
	        {"connect", "evt.type = connect and fd.rport <= 1024", "no name is found"},
	        {"connect", "evt.type = connect and fd.l4proto = udp", "no name is found"},
	        {"connect", "evt.type = connect and fd.rnet in (0.0.0.0/0)", "no name is found"},
	        {"connect", "evt.type = connect and fd.rnet in (127.0.0.0/8)", "no name is found"},
	        {"connect", "evt.type = connect and not fd.rnet in (10.0.0.0/8)", "no name is found"},
	        {"connect", "evt.type = connect and fd.l4proto = tcp and fd.rport != 53", "nearly every connect"},
	        {"bind", "evt.type = bind and fd.lport = 22", "operators cannot come in"},
	        {"bind", "evt.type = bind and fd.lport < 1024", "operators cannot come in"},
	        {"bind", "evt.type = bind and evt.addr.port = 53", "no name is found"},
	        {"sendmsg", "evt.type in (sendto, sendmsg, sendmmsg) and evt.addr.port = 53", "no name is found"},
	        {"sendmsg", "evt.type in (sendto, sendmsg, sendmmsg) and fd.rport < 1024", "no name is found"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		expect_policy(wrong[i].condition, (struct planted){"deny", wrong[i].at, wrong[i].condition, NULL, ""},
		              GATE_POLICIES, wrong[i].reason);
	expect_policy("mail",
	              (struct planted){"deny", "connect", "evt.type = connect and fd.rport in (465, 587)", NULL,
	                               "power deny-everywhere:connect\n"},
	              GATE_STEPS, "");
}

static void devices(void)
{
	static const char *const vital[] = {"c 1:3", "c 1:*", "c *:*", "a *:*", "c 5:0", "c 5:2", "c 1:9"};
	char more[MORE_MAX];
	for (size_t i = 0; i < ARRAY_SIZE(vital); i++) {
		snprintf(more, sizeof(more), "  devices: [\"%s\"]\n", vital[i]);
		expect_policy(vital[i], (struct planted){"deny", "device", NULL, more, ""}, GATE_POLICIES,
		              "would deny device");
	}
	expect_policy("raw memory",
	              (struct planted){"deny", "device", NULL, "  devices: [\"c 1:1\", \"c 1:2\"]\n",
	                               "power deny-everywhere:device\n"},
	              GATE_STEPS, "");
}

static void throttles(void)
{
	static const char dns[] = "evt.type = connect and fd.rport = 53";
	expect_policy("names, one in a minute", (struct planted){"throttle", "connect", dns, "  rate: 1/m\n", ""},
	              GATE_POLICIES, "would throttle connect of 127.0.0.53");
	expect_policy("all connections of root, 30 in a minute",
	              (struct planted){"throttle", "connect", NULL, "  rate: 30/m\n  scope: {user: root}\n", ""},
	              GATE_POLICIES, "would throttle connect of ");
	expect_policy(
	        "names, 20 in a second",
	        (struct planted){"throttle", "connect", dns, "  rate: 20/s\n", "power throttle-everywhere:connect\n"},
	        GATE_STEPS, "");
	expect_policy("a web server's connections, one in a minute",
	              (struct planted){"throttle", "connect", NULL, "  rate: 1/m\n  scope: {unit: nginx.service}\n",
	                               "power throttle:connect\n"},
	              GATE_STEPS, "");
}

/* ---- rules that match everything, with an action ---- */

static void by_rule(void)
{
	static const char rules[] = "- rule: Anything\n"
	                            "  desc: d\n"
	                            "  condition: evt.type in (execve, execveat)\n"
	                            "  output: o\n"
	                            "  priority: INFO\n"
	                            "  samples: {match: [{evt.type: execve}], nomatch: [{evt.type: open}]}\n";
	static const char policy[] = "- policy: planted\n"
	                             "  version: 1\n"
	                             "  rule: Anything\n"
	                             "  action: kill\n"
	                             "  at: exec\n"
	                             "  mode: enforce\n";
	_cleanup_(buf_done) struct buf bytes;
	struct gate_options options = default_options();
	struct draft d;
	buf_init(&bytes, BYTES_MAX);
	draft_init(&d);
	d.files[0] = (struct draft_file){"policies/planted.yaml", str_from(policy)};
	d.files[1] = (struct draft_file){"rules/planted.yaml", str_from(rules)};
	draft_pack(&d, &bytes);
	options.policies = content_policy_checker();
	expect("kill, with a rule that matches every exec", buf_str(&bytes), &options, GATE_POLICIES,
	       "policies/planted.yaml:3");
}

/* ---- powers ---- */

static void powers(void)
{
	static const struct {
		const char *more, *power;
	} rows[] = {
	        {"", "deny-everywhere:connect"},
	        {"  scope: {container: any}\n", "deny-everywhere:connect"},
	        {"  scope: {unit: nginx.service}\n", "deny:connect"},
	        {"  scope: {user: www-data}\n", "deny:connect"},
	};
	const struct planted mail = {"deny", "connect", "evt.type = connect and fd.rport = 465", NULL, ""};
	char stated[MORE_MAX], needed[MORE_MAX];
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct planted p = mail;
		p.more = rows[i].more;
		snprintf(needed, sizeof(needed), "policy \"planted\" needs the power \"%s\"", rows[i].power);
		expect_policy("a power that is not stated", p, GATE_POWERS, needed);
		p.powers = strchr(rows[i].power, '-') ? "power deny:connect\n" : "power deny-everywhere:connect\n";
		expect_policy("a power of another reach", p, GATE_POWERS, needed);
		snprintf(stated, sizeof(stated), "power %s\npower kill:exec\n", rows[i].power);
		p.powers = stated;
		expect_policy("a power that nothing needs", p, GATE_POWERS, "nothing in it needs");
		snprintf(stated, sizeof(stated), "power %s\n", rows[i].power);
		expect_policy("stated", p, GATE_STEPS, "");
	}
}

/* ---- TracingPolicies are policies, too ---- */

static void tracing(void)
{
#define TRACING(name, spec) \
	"apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: {name: " name "}\nspec:\n" spec
	static const char kill_all[] = TRACING("kill-all", "  options: [{name: policy-mode, value: enforce}]\n"
	                                                   "  lsmhooks:\n"
	                                                   "  - hook: bprm_check_security\n"
	                                                   "    args: [{index: 0, type: linux_binprm}]\n"
	                                                   "    selectors:\n"
	                                                   "    - matchArgs:\n"
	                                                   "      - {index: 0, operator: Prefix, values: [/usr/]}\n"
	                                                   "      matchActions: [{action: Sigkill}]\n");
	static const char no_library[] =
	        TRACING("no-library", "  lsmhooks:\n"
	                              "  - hook: file_open\n"
	                              "    args: [{index: 0, type: file}]\n"
	                              "    selectors:\n"
	                              "    - matchArgs:\n"
	                              "      - {index: 0, operator: Postfix, values: [/libc.so.6]}\n"
	                              "      matchActions: [{action: Override, argError: -1}]\n");
	expect_text("a TracingPolicy that kills what is in /usr", str_from(kill_all), "", GATE_POLICIES,
	            "would kill exec of /usr/");
	expect_text("a TracingPolicy that denies the C library", str_from(no_library), "", GATE_POLICIES,
	            "would deny file-open of /usr/lib");
}

/* ---- bombs ---- */

static void expect_bomb(const char *name, const struct buf *text, const char *reason)
{
	expect_text(name, buf_str(text), "", GATE_POLICIES, reason);
}

static void bombs(void)
{
	static const char tracing[] =
	        "apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: {name: x}\nspec:\n";
	_cleanup_(buf_done) struct buf text;
	buf_init(&text, BYTES_MAX);
	for (int i = 0; i < 100000; i++)
		buf_add_text(&text, "[");
	expect_bomb("100,000 brackets", &text, "policies/planted.yaml");
	buf_clear(&text);
	for (int i = 0; i < 100000; i++)
		buf_add_text(&text, "- ");
	expect_bomb("100,000 sequences", &text, "policies/planted.yaml");
	buf_clear(&text);
	buf_add_text(&text, "- policy: p\n  tags: &a [*a]\n");
	expect_bomb("an alias of itself", &text, "policies/planted.yaml");
	buf_clear(&text);
	buf_add_text(&text, "- &a0 [x, x]\n");
	for (int i = 1; i <= 40; i++)
		buf_printf(&text, "- &a%d [*a%d, *a%d]\n", i, i - 1, i - 1);
	expect_bomb("aliases that double", &text, "policies/planted.yaml");
	buf_clear(&text);
	buf_add_text(&text, "- policy: ");
	for (int i = 0; i < 2 << 20; i++)
		buf_add_char(&text, 'a');
	expect_bomb("a name of 2 MiB", &text, "the file is longer than");
	buf_clear(&text);
	for (int i = 0; i < 2000; i++)
		buf_printf(&text, "- {policy: p%d, version: 1, action: deny, at: mount, scope: {user: u%d}}\n", i, i);
	expect_bomb("more policies than there may be", &text, "there are more than");
	buf_clear(&text);
	buf_add_text(&text, "- {policy: p, version: 1, action: deny, at: mount, scope: {user: [u");
	for (int i = 0; i < 2000; i++)
		buf_printf(&text, ", u%d", i);
	buf_add_text(&text, "]}}\n");
	expect_bomb("more users than there may be", &text, "policies/planted.yaml:1");
	buf_clear(&text);
	buf_add_text(&text, "- {policy: p, version: 1, action: kill, at: exec, condition: \"evt.type = execve and ");
	for (int i = 0; i < 20000; i++)
		buf_add_text(&text, "(");
	buf_add_text(&text, "\"}\n");
	expect_bomb("20,000 parentheses", &text, "policies/planted.yaml:1");
	buf_clear(&text);
	buf_add_text(&text, tracing);
	buf_add_text(&text, "  kprobes:\n");
	for (int i = 0; i < 20000; i++)
		buf_add_text(&text, "  - {call: sys_mount, syscall: true}\n");
	expect_bomb("a TracingPolicy of 20,000 probes", &text, "policies/planted.yaml");
}

void cases_policies(void)
{
	always();
	scopes();
	files();
	directories();
	programs();
	network();
	devices();
	throttles();
	by_rule();
	powers();
	tracing();
	bombs();
}
