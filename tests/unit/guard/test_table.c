/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "guard/table.h"
#include "tests/unit/guard/policy_helper.h"

#define HEAD "- policy: a\n  version: 3\n  mode: enforce\n"
#define CONNECT HEAD "  action: deny\n  at: connect\n"
#define KILL HEAD "  action: kill\n  at: exec\n"

static struct guard_table *compile_for(struct policies *all, const char *text, bool judged)
{
	const struct guard_table_options options = {.judged = judged};
	const struct policy_kernel kernel = kernel_with(
	        "cgroup-skb cgroup-connect cgroup-bind cgroup-sendmsg cgroup-device signal-exec lsm events");
	struct guard_table *table = NULL;
	*all = policies_read(text);
	if (all->result != 0)
		policies_print(all);
	assert_int_equal(all->result, 0);
	int r = guard_table_new(all->set, &kernel, &options, &all->diags, &table);
	assert_int_equal(r, table ? 0 : -EINVAL);
	assert_int_equal(all->diags.errors > 0, !table);
	return table;
}

static struct guard_table *compile(struct policies *all, const char *text)
{
	return compile_for(all, text, false);
}

static void assert_steps(const char *text, enum guard_point point, const char *steps)
{
	static const char kinds[] = {
	        [GUARD_STEP_TEST] = 't', [GUARD_STEP_NOT] = '!', [GUARD_STEP_ALL] = '&', [GUARD_STEP_ANY] = '|'};
	struct policies all;
	struct guard_table *table = compile(&all, text);
	assert_non_null(table);
	const struct guard_formula *f = &guard_table_image(table)->policies[0].formulas[point];
	char got[GUARD_STEPS_MAX + 1] = "";
	for (uint32_t i = 0; i < f->count; i++)
		got[i] = kinds[f->steps[i].kind];
	assert_string_equal(got, steps);
	guard_table_free(table);
	policies_done(&all);
}

static void assert_no_table(const char *text, const char *part)
{
	struct policies all;
	assert_null(compile(&all, text));
	if (!strstr(all.diags.items[0].text, part))
		fail_msg("'%s' lacks '%s'", all.diags.items[0].text, part);
	policies_done(&all);
}

static void test_formulas(void **state)
{
	(void)state;
	assert_steps(CONNECT "  scope: {user: root}\n", GUARD_AT_CONNECT, "");
	assert_steps(CONNECT "  condition: evt.type = connect and fd.rport = 9\n", GUARD_AT_CONNECT, "t");
	assert_steps(CONNECT "  condition: evt.type = connect and fd.rport != 9\n", GUARD_AT_CONNECT, "t!");
	assert_steps(CONNECT
	             "  condition: evt.type = connect and (fd.rport = 9 or not fd.rip = 1.2.3.4) and user.uid > 5\n",
	             GUARD_AT_CONNECT, "tt!|t&");
	assert_steps(KILL "  rule: shell started\n", GUARD_AT_EXEC, "t");
	/* Two kinds of events that ask for different things: either will do. */
	assert_steps(KILL
	             "  condition: (evt.type = execve and proc.name = a) or (evt.type = execveat and proc.name = b)\n",
	             GUARD_AT_EXEC, "tt|");
}

static void test_sets(void **state)
{
	(void)state;
	struct policies all;
	struct guard_table *table =
	        compile(&all, CONNECT
	                "  condition: evt.type = connect and fd.rport in (25, 465) and fd.rnet in (10.0.0.0/8) and\n"
	                "    proc.name startswith py and proc.pname endswith sh and user.uid >= 1000\n");
	assert_non_null(table);
	const struct guard_image *i = guard_table_image(table);
	assert_int_equal(i->test_count, 5);
	assert_int_equal(i->number_count, 2);
	assert_int_equal(i->numbers[1].number, 465);
	assert_int_equal(i->net_count, 1);
	assert_int_equal(i->nets[0].bits, 32 + 96 + 8);
	assert_int_equal(i->nets[0].address[11], 0xff);
	assert_int_equal(i->nets[0].address[12], 10);
	assert_int_equal(i->text_count, 2);
	assert_int_equal(i->texts[0].bits, 32 + 16);
	assert_memory_equal(i->texts[1].text, "hs", 2);
	assert_int_equal(i->tests[4].how, GUARD_MORE);
	assert_int_equal(i->tests[4].number, 999);
	assert_int_equal(i->points[GUARD_AT_CONNECT].count, 1);
	assert_int_equal(i->policies[0].error, EPERM);
	assert_int_equal(i->policies[0].version, 3);
	assert_int_equal(i->modes[0], GUARD_ENFORCE);
	assert_ptr_equal(guard_table_policy(table, 0), policy_set_get(all.set, 0));
	assert_null(guard_table_policy(table, 1));
	guard_table_free(table);
	policies_done(&all);
}

/* What is fixed there is decided when it is compiled. */
static void test_fixed(void **state)
{
	(void)state;
	struct policies all;
	struct guard_table *table =
	        compile(&all, CONNECT
	                "  condition: evt.type = connect and fd.rport = 9 and evt.failed = true and evt.dir = < and\n"
	                "    evt.rawres >= 0 and not evt.res = EPERM\n");
	assert_non_null(table);
	const struct guard_test *tests = guard_table_image(table)->tests;
	assert_int_equal(tests[1].how, GUARD_FALSE);
	assert_int_equal(tests[2].how, GUARD_TRUE);
	assert_int_equal(tests[3].how, GUARD_TRUE);
	assert_int_equal(tests[4].how, GUARD_FALSE);
	guard_table_free(table);
	policies_done(&all);
}

static void test_rate(void **state)
{
	(void)state;
	struct policies all;
	struct guard_table *table = compile(&all, HEAD "  action: throttle\n  at: connect\n  rate: 120/m\n  burst: 3\n"
	                                               "  scope: {user: root}\n");
	assert_non_null(table);
	const struct guard_policy *p = &guard_table_image(table)->policies[0];
	assert_int_equal(p->interval_ns, 500000000);
	assert_int_equal(p->burst_ns, 1500000000);
	guard_table_free(table);
	policies_done(&all);
}

/* The numbers that a policy's tests compare with. */
static void assert_numbers(const char *text, enum guard_point point, uint32_t subjects, const int64_t *numbers,
                           size_t count)
{
	struct policies all;
	struct guard_table *table = compile(&all, text);
	assert_non_null(table);
	const struct guard_image *i = guard_table_image(table);
	assert_int_equal(i->points[point].subjects, subjects);
	size_t found = 0;
	for (size_t n = 0; n < i->number_count; n++)
		assert_int_equal(i->numbers[n].number, numbers[found++]);
	for (size_t n = 0; n < i->test_count; n++)
		if (i->tests[n].how == GUARD_IS)
			assert_int_equal(i->tests[n].number, numbers[found++]);
	assert_int_equal(found, count);
	guard_table_free(table);
	policies_done(&all);
}
#define NUMBERS(...) (const int64_t[]){__VA_ARGS__}, sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t)
#define DENY(point) HEAD "  action: deny\n  at: " point "\n"

static void test_numbers(void **state)
{
	(void)state;
	assert_numbers(DENY("device") "  devices: [\"c 1:3\", \"b 7:*\", \"a 5:1\"]\n", GUARD_AT_DEVICE,
	               1u << GUARD_DEVICE | 1u << GUARD_DEVICE_MAJOR,
	               NUMBERS(GUARD_DEVICE_NUMBER('c', 1, 3), GUARD_DEVICE_NUMBER('b', 5, 1),
	                       GUARD_DEVICE_NUMBER('c', 5, 1), GUARD_DEVICE_NUMBER('b', 7, 0)));
	assert_numbers(
	        DENY("bpf-load") "  condition: evt.type = bpf and evt.arg.cmd in (BPF_PROG_LOAD, BPF_MAP_CREATE)\n",
	        GUARD_AT_BPF_LOAD, 1u << GUARD_ARGUMENT, NUMBERS(0, 5));
	assert_numbers(DENY("bpf-load") "  condition: evt.type = bpf and evt.arg.cmd startswith BPF_MAP_LOOKUP_A\n",
	               GUARD_AT_BPF_LOAD, 1u << GUARD_ARGUMENT, NUMBERS(21, 25));
	assert_numbers(DENY("setns") "  condition: evt.type = setns and evt.arg.nstype = CLONE_NEWNET|CLONE_NEWUTS\n",
	               GUARD_AT_SETNS, 1u << GUARD_ARGUMENT, NUMBERS(0x44000000));
	assert_numbers(
	        DENY("file-open") "  condition: evt.type = open and fd.typechar = d and evt.is_open_write = false\n",
	        GUARD_AT_FILE_OPEN, 1u << GUARD_FILE_KIND | 1u << GUARD_WRITES, NUMBERS('d', 0));
	assert_no_table(DENY("device") "  devices: \"c *:3\"\n", "by their minor number alone");
	assert_no_table(DENY("setns") "  condition: evt.type = setns and evt.arg.nstype = CLONE_OTHER\n",
	                "cannot compare with this number");
}

/* Only what a condition asks for is read, and texts are reversed only for their ends. */
static void test_asked(void **state)
{
	(void)state;
	struct policies all;
	struct guard_table *table = compile(
	        &all,
	        DENY("file-rename") "  condition: evt.type = rename and fs.path.source = /a/b and fs.path.target endswith .x\n");
	assert_non_null(table);
	const struct guard_point_policies *p = &guard_table_image(table)->points[GUARD_AT_FILE_RENAME];
	assert_int_equal(p->subjects, 1u << GUARD_SOURCE | 1u << GUARD_PATH);
	assert_int_equal(p->ends, 1u << GUARD_PATH);
	assert_int_equal(guard_table_image(table)->points[GUARD_AT_FILE_OPEN].count, 0);
	guard_table_free(table);
	policies_done(&all);
}

/* Killed where the new program is set up, denied before that. */
static void test_exec_points(void **state)
{
	(void)state;
	assert_steps(KILL "  condition: evt.type = execve and proc.exepath = /x\n", GUARD_AT_EXEC, "t");
	assert_steps(DENY("exec") "  condition: evt.type = execve and proc.exepath = /x\n", GUARD_AT_EXEC_CHECK, "t");
}

static void test_whole_texts(void **state)
{
	(void)state;
	struct policies all;
	struct guard_table *table = compile(&all, KILL "  condition: evt.type = execve and proc.exepath = /bin/x\n");
	assert_non_null(table);
	/* With the NUL behind it, so that /bin/xy is another. */
	assert_int_equal(guard_table_image(table)->texts[0].bits, 32 + 8 * 7);
	guard_table_free(table);
	policies_done(&all);
}

static void test_refused(void **state)
{
	(void)state;
	assert_no_table(CONNECT "  condition: evt.type = connect and proc.cmdline contains x\n",
	                "for which picket must run");
	assert_no_table(CONNECT "  scope: {unit: a.service}\n", "a scope 'unit' is");
	assert_no_table(CONNECT "  scope: {user: nobody-has-this-name}\n", "there is no user");
	assert_no_table(CONNECT "  scope: {executable: /no/such/program}\n", "No such file");
	assert_no_table(CONNECT "  scope: {cgroup: /no/such/group}\n", "the control group /no/such/group");
	assert_no_table(CONNECT "  scope: {user: [1, 2, 3, 4, 5, 6, 7, 8, 9]}\n", "at most 8 users");
}

static void test_persist(void **state)
{
	struct policies all;
	(void)state;
	struct guard_table *table = compile(&all, CONNECT "  scope: {user: root}\n  persist: 2m\n");
	assert_non_null(table);
	assert_true(guard_table_image(table)->policies[0].persist_ns == 120000000000ull);
	assert_string_equal(guard_table_image(table)->policies[0].name, "a");
	guard_table_free(table);
	policies_done(&all);
	assert_no_table(CONNECT "  scope: {unit: a.service}\n  persist: 2m\n", "picket looks up which unit");
	assert_no_table(CONNECT "  condition: evt.type = connect and proc.cmdline contains x\n  persist: 2m\n",
	                "it cannot persist: picket decides proc.cmdline contains x");
}

static void test_too_long(void **state)
{
	(void)state;
	struct buf text;
	buf_init(&text, 1 << 16);
	buf_add_text(&text, CONNECT "  condition: evt.type = connect and (fd.rport = 1");
	for (int i = 2; i < 40; i++)
		buf_printf(&text, " or fd.rport = %d", i);
	buf_add_text(&text, ")\n");
	assert_no_table(text.data, "too long for a guard");
	buf_done(&text);
}

static void test_scope(void **state)
{
	(void)state;
	struct policies all;
	struct guard_table *table = compile(&all, CONNECT "  scope: {user: [root, \"33\"], executable: /bin/sh}\n");
	assert_non_null(table);
	const struct guard_scope *s = &guard_table_image(table)->policies[0].scope;
	assert_int_equal(s->users, 2);
	assert_int_equal(s->uids[0], 0);
	assert_int_equal(s->uids[1], 33);
	assert_int_equal(s->executables, 1);
	assert_true(s->executable[0].inode != 0);
	assert_int_equal(s->cgroups, 0);
	/* The program that compiles is protected, too. */
	assert_true(guard_table_image(table)->protected_count >= 1);
	guard_table_free(table);
	policies_done(&all);
}

static uint32_t reacts_of(const char *text, struct guard_scope *ret_scope)
{
	struct policies all;
	struct guard_table *table = compile_for(&all, text, true);
	if (!table)
		policies_print(&all);
	assert_non_null(table);
	uint32_t reacts = guard_table_reacts(table, 0);
	assert_int_equal(guard_table_reacts(table, 1), 0);
	assert_int_equal(guard_table_image(table)->reactions,
	                 reacts && guard_table_policy(table, 0)->action != ACTION_ALERT);
	*ret_scope = guard_table_image(table)->policies[0].scope;
	guard_table_free(table);
	policies_done(&all);
	return reacts;
}

/* What is left to who judges events, and refused where nobody does. */
static void test_reactions(void **state)
{
	(void)state;
	struct guard_scope scope;
	const char *kill = HEAD "  action: kill\n  at: event\n  rule: shell started\n";
	assert_int_equal(reacts_of(kill, &scope), 1u << POINT_EVENT);
	assert_int_equal(scope.members, 0);
	assert_int_equal(reacts_of(HEAD "  action: alert\n  rule: shell started\n", &scope), 1u << POINT_EVENT);
	assert_int_equal(reacts_of(HEAD "  action: deny\n  at: [connect, file-open]\n  reaction: allowed\n"
	                                "  condition: evt.type in (connect, open) and evt.num > 1\n",
	                           &scope),
	                 1u << POINT_CONNECT | 1u << POINT_FILE_OPEN);
	assert_int_equal(
	        reacts_of(HEAD "  action: quarantine\n  condition: evt.type = connect and evt.addr.port = 9\n", &scope),
	        1u << POINT_NETWORK);
	assert_int_equal(reacts_of(CONNECT "  scope: {unit: a.service, image: x}\n", &scope), 0);
	assert_int_equal(scope.members, 1);
	assert_no_table(kill, "for which picket must run");
}

/* What picket decides of processes: once for each comparison, and only if it cannot change unseen. */
static void test_bits(void **state)
{
	(void)state;
	struct policies all;
	size_t count;
	struct guard_table *table =
	        compile_for(&all,
	                    CONNECT "  condition: evt.type = connect and proc.cmdline contains x and "
	                            "user.name != root and fd.rport = 9\n",
	                    true);
	assert_non_null(table);
	const struct guard_image *i = guard_table_image(table);
	assert_true(i->bits);
	guard_table_bits(table, &count);
	assert_int_equal(count, 2);
	assert_int_equal(i->tests[0].how, GUARD_BIT);
	assert_int_equal(i->tests[1].how, GUARD_BIT);
	assert_int_equal(i->tests[1].number, 1);
	/* The bit is that of the whole comparison: nothing is turned round. */
	assert_int_equal(i->policies[0].formulas[GUARD_AT_CONNECT].count, 4);
	guard_table_free(table);
	policies_done(&all);
	assert_null(compile_for(&all, CONNECT "  condition: evt.type = connect and proc.aname = x\n", true));
	assert_non_null(strstr(all.diags.items[0].text, "proc.aname can change unseen"));
	policies_done(&all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_formulas),    cmocka_unit_test(test_sets),    cmocka_unit_test(test_fixed),
	        cmocka_unit_test(test_whole_texts), cmocka_unit_test(test_rate),    cmocka_unit_test(test_bits),
	        cmocka_unit_test(test_numbers),     cmocka_unit_test(test_asked),   cmocka_unit_test(test_exec_points),
	        cmocka_unit_test(test_reactions),   cmocka_unit_test(test_refused), cmocka_unit_test(test_too_long),
	        cmocka_unit_test(test_persist),     cmocka_unit_test(test_scope),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
