/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/guards.h"
#include "tests/unit/guard/policy_helper.h"

/* ---- reading ---- */

static void test_all_keys(void **state)
{
	(void)state;
	struct policies all = policies_read("- policy: web-1\n"
	                                    "  version: 3\n"
	                                    "  desc: why\n"
	                                    "  tags: [web, net]\n"
	                                    "  condition: evt.type = connect and fd.rport = 25\n"
	                                    "  action: deny\n"
	                                    "  at: [connect]\n"
	                                    "  error: EACCES\n"
	                                    "  scope: {unit: nginx.service, user: [www-data, \"33\"]}\n"
	                                    "  mode: enforce\n"
	                                    "  budget: {actions: 10, processes: 5, share: 50%}\n"
	                                    "  persist: 10m\n");
	const struct policy *p = policies_one(&all);
	assert_string_equal(p->name, "web-1");
	assert_int_equal(p->version, 3);
	assert_string_equal(p->desc, "why");
	assert_int_equal(p->tags.count, 2);
	assert_null(p->rule);
	assert_non_null(p->condition);
	assert_int_equal(p->action, ACTION_DENY);
	assert_int_equal(p->points, 1u << POINT_CONNECT);
	assert_int_equal(p->error, EACCES);
	assert_string_equal(p->scope[SCOPE_UNIT].items[0], "nginx.service");
	assert_int_equal(p->scope[SCOPE_USER].count, 2);
	assert_int_equal(p->mode, POLICY_ENFORCE);
	assert_int_equal(p->budget.actions, 10);
	assert_int_equal(p->budget.processes, 5);
	assert_int_equal(p->budget.share, 50);
	assert_true(p->persist_ns == 600000000000ull);
	assert_false(p->reaction);
	assert_string_equal(p->file, "p.yaml");
	assert_int_equal(p->line, 1);
	policies_done(&all);
}

static void test_defaults(void **state)
{
	(void)state;
	struct policies all = policies_read("- policy: a\n  version: 1\n  rule: shell started\n  action: alert\n");
	const struct policy *p = policies_one(&all);
	assert_string_equal(p->rule->name, "shell started");
	assert_ptr_equal(p->condition, p->rule->condition);
	assert_int_equal(p->points, 1u << POINT_EVENT);
	assert_int_equal(p->mode, POLICY_WATCH);
	assert_int_equal(p->budget.actions, 60);
	assert_int_equal(p->budget.share, 100);
	assert_string_equal(p->desc, "");
	policies_done(&all);
}

static void test_throttle(void **state)
{
	(void)state;
	struct policies all =
	        policies_read("- policy: a\n  version: 1\n  action: throttle\n  at: connect\n  rate: 100/m\n"
	                      "  scope: {container: any}\n");
	const struct policy *p = policies_one(&all);
	assert_int_equal(p->rate, 100);
	assert_int_equal(p->rate_seconds, 60);
	assert_int_equal(p->burst, 100);
	policies_done(&all);
}

static void test_devices(void **state)
{
	(void)state;
	struct policies all = policies_read("- policy: a\n  version: 1\n  action: deny\n  at: device\n"
	                                    "  devices: [\"c 1:1\", \"b 8:*\"]\n");
	const struct policy *p = policies_one(&all);
	assert_int_equal(p->device_count, 2);
	assert_int_equal(p->devices[0].kind, 'c');
	assert_int_equal(p->devices[0].minor, 1);
	assert_int_equal(p->devices[1].major, 8);
	assert_true(p->devices[1].minor == UINT32_MAX);
	policies_done(&all);
}

static void test_lists_and_macros(void **state)
{
	(void)state;
	struct policies all = policies_read("- policy: a\n  version: 1\n  action: kill\n  at: exec\n"
	                                    "  condition: evt.type = execve and is_shell and proc.name in (shells)\n");
	policies_one(&all);
	policies_done(&all);
}

/* ---- mistakes ---- */

#define HEAD "- policy: a\n  version: 1\n"
#define DENY HEAD "  action: deny\n"

static void test_keys(void **state)
{
	(void)state;
	assert_refused_at(HEAD "  action: alert\n  rule: shell started\n  nothing: 1\n", 5, 3, "unknown key 'nothing'");
	assert_refused_at("- policy: a\n  action: alert\n  rule: shell started\n", 1, 3, "'version' is missing");
	assert_refused_at(HEAD "  rule: shell started\n", 1, 3, "'action' is missing");
	assert_refused_at(HEAD "  version: 2\n  action: alert\n  rule: shell started\n", 3, 3, "stands twice");
	assert_refused_at(HEAD "  action: [alert]\n  rule: shell started\n", 3, 11, "must be one value");
	assert_refused_at(HEAD "  action:\n  rule: shell started\n", 3, 3, "must not be empty");
	assert_refused_at(HEAD "  action: explode\n  rule: shell started\n", 3, 11, "'explode' is no action");
	assert_refused_at("- policy: -a\n  version: 1\n  action: alert\n  rule: shell started\n", 1, 11,
	                  "no name of a policy");
	assert_refused_at("policy: a\n", 1, 1, "no file of policies");
	assert_refused_at("- just text\n", 1, 3, "must be a mapping");
	assert_refused_at("- policy: a\n  version: 1x\n  action: alert\n  rule: shell started\n", 2, 12,
	                  "must be a number");
	assert_refused_at(HEAD "  action: alert\n  rule: shell started\n" HEAD
	                       "  action: alert\n  rule: shell started\n",
	                  5, 11, "two policies 'a'");
	assert_refused_at("- policy: [\n", 2, 1, "did not find expected node content");
}

static void test_values(void **state)
{
	(void)state;
	assert_refused_at(DENY "  at: connect\n  scope: {user: u}\n  error: EWHAT\n", 6, 10, "'EWHAT' is no error");
	assert_refused_at(DENY "  at: connect\n  scope: {user: u}\n  mode: maybe\n", 6, 9, "'maybe' is no mode");
	assert_refused_at(DENY "  at: connect\n  scope: {user: u}\n  budget: {share: 0%}\n", 6, 19, "from 1% to 100%");
	assert_refused_at(DENY "  at: connect\n  scope: {user: u}\n  budget: {actions: 0}\n", 6, 21, "from 1 to");
	assert_refused_at(DENY "  at: connect\n  scope: {user: u}\n  persist: soon\n  mode: enforce\n", 6, 12,
	                  "must be a time");
	assert_refused_at(DENY "  at: connect\n  scope: {user: u}\n  reaction: yes\n", 6, 13, "allowed or refused");
	assert_refused_at(HEAD "  action: throttle\n  at: fork\n  scope: {user: u}\n  rate: 20\n", 6, 9,
	                  "'20' is no rate");
	assert_refused_at(DENY "  at: device\n  devices: [c]\n", 5, 13, "'c' is no device");
}

static void test_scopes(void **state)
{
	(void)state;
	assert_refused_at(DENY "  at: connect\n  scope: {cgroup: system.slice}\n", 5, 19, "no path of a control group");
	assert_refused_at(DENY "  at: connect\n  scope: {cgroup: /a/../b}\n", 5, 19, "no path of a control group");
	assert_refused_at(DENY "  at: connect\n  scope: {cgroup: /}\n", 5, 19, "no path of a control group");
	assert_refused_at(DENY "  at: connect\n  scope: {unit: nginx}\n", 5, 17, "no unit");
	assert_refused_at(DENY "  at: connect\n  scope: {image: nginx*}\n", 5, 18, "no image");
	assert_refused_at(DENY "  at: connect\n  scope: {user: 1x}\n", 5, 17, "no user");
	assert_refused_at(DENY "  at: connect\n  scope: {executable: nginx}\n", 5, 23, "no absolute path");
	assert_refused_at(DENY "  at: connect\n  scope: {executable: /usr/sbin/sshd}\n", 5, 23, "protected");
	assert_refused_at(DENY "  at: connect\n  scope: {executable: /usr/bin/picket}\n", 5, 23, "protected");
	assert_refused_at(DENY "  at: connect\n  scope: {container: host, image: x}\n", 5, 28, "no image");
	assert_refused_at(DENY "  at: connect\n  scope: {container: [any, x]}\n", 5, 11, "leave the others out");
	assert_refused_at(DENY "  at: connect\n  scope: {user: [a, a]}\n", 5, 21, "stands twice");
	assert_refused_at(DENY "  at: connect\n  scope: {}\n", 5, 10, "at least one key");
	assert_refused_at(DENY "  at: connect\n  scope: {what: x}\n", 5, 11, "unknown key 'what' in a scope");
}

static void test_combinations(void **state)
{
	(void)state;
	assert_refused_at(DENY "  scope: {user: u}\n", 3, 11, "'at' is missing");
	assert_refused_at(DENY "  at: event\n  scope: {user: u}\n", 4, 7, "not possible at 'event'");
	assert_refused_at(DENY "  at: [connect, fork]\n  scope: {user: u}\n", 4, 7, "not possible at 'fork'");
	assert_refused_at(DENY "  at: connect\n", 1, 3, "everything on the host");
	assert_refused_at(DENY "  at: connect\n  condition: evt.type = connect\n", 5, 14, "deny each connect");
	assert_refused_at(DENY "  at: exec\n  condition: evt.type = execve and evt.dir = <\n", 5, 14, "deny each exec");
	assert_refused_at(HEAD "  action: kill\n  at: exec\n", 1, 3, "on what to kill");
	assert_refused_at(DENY "  at: exec\n  rule: shell started\n  condition: evt.type = execve\n", 6, 3, "not both");
	assert_refused_at(DENY "  at: exec\n  rule: no such\n", 5, 9, "no rule 'no such'");
	assert_refused_at(DENY "  at: exec\n  rule: shell started\n  rate: 3/s\n", 6, 3, "'rate' is for throttle");
	assert_refused_at(HEAD "  action: alert\n  rule: shell started\n  budget: {actions: 1}\n", 5, 3,
	                  "'budget' is for");
	assert_refused_at(HEAD "  action: throttle\n  at: fork\n  scope: {user: u}\n", 3, 11, "'rate' is missing");
	assert_refused_at(HEAD "  action: throttle\n  at: fork\n  scope: {user: u}\n  rate: 9/s\n  burst: 3\n", 7, 10,
	                  "burst");
	assert_refused_at(DENY "  at: exec\n  rule: shell started\n  persist: 1h\n", 6, 3, "only watches");
	assert_refused_at(DENY
	                  "  at: exec\n  rule: shell started\n  persist: 1h\n  mode: enforce\n  reaction: allowed\n",
	                  6, 3, "cannot be kept up");
	assert_refused_at(DENY "  at: [device, exec]\n  devices: [\"c 1:1\"]\n", 5, 3, "at: device");
}

/* ---- conditions ---- */

static void test_conditions(void **state)
{
	(void)state;
	assert_refused_at(DENY "  at: exec\n  condition: evt.type = execve and proc.nam = x\n", 5, 36, "proc.nam");
	assert_refused_at(DENY "  at: exec\n  condition: evt.type = execve and nothing\n", 5, 36, "not defined");
	assert_refused_at(DENY "  at: exec\n  condition: evt.type = connect and fd.rport = 1\n", 5, 14,
	                  "can never match at exec");
	assert_refused_at(DENY "  at: exec\n  condition: evt.type = execve and proc.cmdline contains x\n", 5, 36,
	                  "does not know proc.cmdline");
	assert_refused_at(DENY "  at: exec\n  rule: command line\n", 5, 9,
	                  "does not know proc.cmdline (in rules.yaml:");
	assert_refused_at(DENY "  at: connect\n  condition: evt.type = connect and fd.lport = 7\n", 5, 37, "fd.lport");
	assert_refused_at(DENY "  at: connect\n  condition: >\n    evt.type = connect and\n    fd.lport = 7\n", 7, 5,
	                  "fd.lport");
	assert_refused_at(DENY "  at: file-open\n  condition: evt.type = openat and fd.name contains x\n", 5, 36,
	                  "cannot decide this test");
	assert_refused_at(DENY "  at: file-open\n  condition: evt.type = openat and tolower(fd.name) = x\n", 5, 36,
	                  "transforms a field");
	assert_refused_at(DENY "  at: file-open\n  condition: evt.type = openat and evt.rawres > 5\n", 5, 36,
	                  "cannot decide this test");
}

static enum policy_how how_of(const struct policy *p, enum policy_point point, const char *text)
{
	for (size_t i = 0; i < p->decisions[point].count; i++)
		if (strstr(p->decisions[point].tests[i].text, text))
			return p->decisions[point].tests[i].how;
	fail_msg("no test with %s", text);
	return HOW_EVENT;
}

static void test_decisions(void **state)
{
	(void)state;
	struct policies all = policies_read(DENY "  at: file-open\n"
	                                         "  condition: evt.type in (open, openat) and fd.num >= 0 and\n"
	                                         "    fd.name startswith /etc and proc.cmdline contains x\n");
	const struct policy *p = policies_one(&all);
	assert_true(p->decisions[POINT_FILE_OPEN].synchronous);
	assert_int_equal(how_of(p, POINT_FILE_OPEN, "fd.name"), HOW_READ);
	assert_int_equal(how_of(p, POINT_FILE_OPEN, "proc.cmdline"), HOW_BIT);
	policies_done(&all);
}

/* What is said of other events than a point's need not be decided there. */
static void test_other_branches(void **state)
{
	(void)state;
	struct policies all = policies_read(
	        DENY "  at: connect\n  condition: (evt.type = connect and fd.rport = 1) or (evt.type = execve "
	             "and evt.arg.flags contains x)\n");
	const struct policy *p = policies_one(&all);
	assert_int_equal(p->decisions[POINT_CONNECT].count, 1);
	policies_done(&all);
}

static void test_reaction_allowed(void **state)
{
	(void)state;
	struct policies all = policies_read(DENY "  at: exec\n  rule: command line\n  reaction: allowed\n");
	const struct policy *p = policies_one(&all);
	assert_false(p->decisions[POINT_EXEC].synchronous);
	assert_int_equal(how_of(p, POINT_EXEC, "proc.cmdline"), HOW_EVENT);
	struct policy_kernel k = kernel_with("lsm signal-exec events");
	assert_int_equal(policy_route_choose(p, POINT_EXEC, &k, NULL)->effect, EFFECT_REACTS);
	policies_done(&all);
}

/* ---- kernels ---- */

static void assert_route(const char *text, enum policy_point point, const char *hooks, int mechanism, int effect)
{
	struct policies all = policies_read(text);
	const struct policy *p = policies_one(&all);
	struct policy_kernel k = kernel_with(hooks);
	const char *why = NULL;
	const struct policy_route *route = policy_route_choose(p, point, &k, &why);
	assert_int_equal(policy_set_check_kernel(all.set, &k, &all.diags), mechanism < 0 ? -EOPNOTSUPP : 0);
	assert_int_equal(all.diags.errors, mechanism < 0);
	if (mechanism < 0) {
		assert_null(route);
		assert_non_null(why);
	} else {
		assert_non_null(route);
		assert_int_equal((int)route->mechanism, mechanism);
		assert_int_equal((int)route->effect, effect);
	}
	policies_done(&all);
}

static void test_routes(void **state)
{
	(void)state;
	static const char exec[] = DENY "  at: exec\n  rule: shell started\n";
	static const char open[] = DENY "  at: file-open\n  rule: shadow read\n";
	static const char open_reacts[] = DENY "  at: file-open\n  rule: shadow read\n  reaction: allowed\n";
	static const char kill[] = HEAD "  action: kill\n  at: event\n  rule: shadow read\n";
	assert_route(exec, POINT_EXEC, "lsm signal-exec", MECHANISM_LSM, EFFECT_PREVENTS);
	assert_route(exec, POINT_EXEC, "signal-exec", -1, 0);
	assert_route(open, POINT_FILE_OPEN, "lsm", MECHANISM_LSM, EFFECT_PREVENTS);
	assert_route(open, POINT_FILE_OPEN, "events", -1, 0);
	assert_route(open_reacts, POINT_FILE_OPEN, "events", MECHANISM_SIGNAL_AFTER, EFFECT_REACTS);
	assert_route(open_reacts, POINT_FILE_OPEN, "lsm events", MECHANISM_LSM, EFFECT_PREVENTS);
	assert_route(open_reacts, POINT_FILE_OPEN, "", -1, 0);
	assert_route(kill, POINT_EVENT, "events", MECHANISM_SIGNAL_AFTER, EFFECT_REACTS);
}

/* Those that a condition names whole can be asked about where there is no security hook. */
static void test_executables(void **state)
{
	(void)state;
	static const struct {
		const char *condition;
		const char *paths; /* NULL: it may match others */
	} rows[] = {
	        {"proc.exepath = /a", "/a"},
	        {"proc.exepath in (/a, /b) and user.uid = 0", "/a /b"},
	        {"(proc.exepath = /a or proc.exepath = /b) and not proc.exepath = /b", "/a /b"},
	        {"proc.exepath in (/a, /b) and proc.exepath = /b", "/b"},
	        {"proc.exepath = /a or proc.exepath startswith /b", NULL},
	        {"proc.exepath = /a or user.uid = 5", NULL},
	        {"not proc.exepath = /a", NULL},
	        {"not (not proc.exepath = /a)", NULL},
	        {"proc.exepath = /a and proc.name = a", NULL},
	        {"user.uid = 5", NULL},
	};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[512], paths[64] = "";
		snprintf(text, sizeof(text), DENY "  at: exec\n  condition: evt.type in (execve, execveat) and (%s)\n",
		         rows[i].condition);
		struct policies all = policies_read(text);
		const struct policy *p = policies_one(&all);
		for (size_t k = 0; k < p->executables.count; k++) {
			size_t length = strlen(paths);
			snprintf(paths + length, sizeof(paths) - length, k ? " %s" : "%s", p->executables.items[k]);
		}
		assert_string_equal(paths, rows[i].paths ? rows[i].paths : "");
		policies_done(&all);
		assert_route(text, POINT_EXEC, "fanotify", rows[i].paths ? MECHANISM_FANOTIFY : -1, EFFECT_PREVENTS);
	}
	assert_route(DENY "  at: exec\n  condition: evt.type = execve and proc.exepath = /a\n  error: EACCES\n",
	             POINT_EXEC, "fanotify", -1, 0);
	assert_route(DENY "  at: exec\n  condition: evt.type = execve and proc.exepath = /a\n", POINT_EXEC,
	             "lsm fanotify", MECHANISM_LSM, EFFECT_PREVENTS);
}

/* More than picket marks: as if it named none. */
static void test_executables_limit(void **state)
{
	(void)state;
	_cleanup_(buf_done) struct buf text;
	buf_init(&text, 65536);
	buf_add_text(&text, DENY "  at: exec\n  condition: evt.type = execve and proc.exepath in (/0");
	for (int i = 1; i < GUARD_EXECUTABLES_MAX; i++)
		buf_printf(&text, ", /%d", i);
	buf_add_text(&text, ")\n");
	assert_route(text.data, POINT_EXEC, "fanotify", MECHANISM_FANOTIFY, EFFECT_PREVENTS);
	text.length -= strlen(")\n");
	buf_add_text(&text, ", /more)\n");
	assert_route(text.data, POINT_EXEC, "fanotify", -1, 0);
}

static void test_error_of_hook(void **state)
{
	(void)state;
	static const char exec[] = DENY "  at: exec\n  rule: shell started\n  error: ENOENT\n";
	static const char setns[] = DENY "  at: setns\n  scope: {user: root}\n";
	static const char setns_error[] = DENY "  at: setns\n  scope: {user: root}\n  error: ENOENT\n";
	assert_route(exec, POINT_EXEC, "lsm signal-exec", MECHANISM_LSM, EFFECT_PREVENTS);
	assert_route(setns, POINT_SETNS, "lsm", MECHANISM_LSM, EFFECT_PREVENTS);
	assert_route(setns_error, POINT_SETNS, "lsm", -1, 0);
}

/* ---- the tables ---- */

static void test_tables(void **state)
{
	(void)state;
	static const struct {
		enum policy_point point;
		const char *name;
	} args[] = {
#define POLICY_ARG(point, name) {POINT_##point, name},
#include "schema/policy.def"
	};
	static const struct {
		enum policy_point point;
		enum event_type event;
	} events[] = {
#define POLICY_POINT_EVENT(point, event) {POINT_##point, EVENT_##event},
#include "schema/policy.def"
	};
	for (size_t i = 0; i < ARRAY_SIZE(args); i++) {
		bool found = false;
		for (size_t k = 0; k < ARRAY_SIZE(events); k++)
			found |= events[k].point == args[i].point &&
			         event_find_arg(event_type_info(events[k].event), str_from(args[i].name));
		if (!found)
			fail_msg("%s has no argument %s", policy_point_name(args[i].point), args[i].name);
	}
	/* Prevention comes before reaction, or it would never be taken. */
	for (const struct policy_route *r = NULL, *before = NULL; (r = policy_route_next(r)); before = r)
		if (before && before->action == r->action && before->point == r->point)
			assert_true(before->effect <= r->effect);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_all_keys),         cmocka_unit_test(test_defaults),
	        cmocka_unit_test(test_throttle),         cmocka_unit_test(test_devices),
	        cmocka_unit_test(test_lists_and_macros), cmocka_unit_test(test_keys),
	        cmocka_unit_test(test_values),           cmocka_unit_test(test_scopes),
	        cmocka_unit_test(test_combinations),     cmocka_unit_test(test_conditions),
	        cmocka_unit_test(test_decisions),        cmocka_unit_test(test_other_branches),
	        cmocka_unit_test(test_reaction_allowed), cmocka_unit_test(test_routes),
	        cmocka_unit_test(test_executables),      cmocka_unit_test(test_executables_limit),
	        cmocka_unit_test(test_error_of_hook),    cmocka_unit_test(test_tables),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
