/* SPDX-License-Identifier: Apache-2.0
 *
 * picket policy try: guards inside one control group, for as long as the command runs.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/policy.h"
#include "cli/ui.h"
#include "core/log.h"
#include "core/verdict.h"
#include "guard/table.h"

#define OUT_BYTES_MAX (16u << 20)
#define LEASE_NS (5 * NS_PER_S)
#define LOOK_MS 200

struct trying {
	const struct args *args;
	const struct guard_table *table;
	struct guards *guards;
	struct buf out;
	bool json, color;
};

static void guard_table_freep(struct guard_table **t)
{
	guard_table_free(*t);
}

static void guards_freep(struct guards **g)
{
	guards_free(*g);
}

/* ---- verdicts ---- */

static void add_verdict_json(const struct guard_verdict *v, const struct policy *p, struct buf *out)
{
	_cleanup_(buf_done) struct buf address;
	_cleanup_(buf_done) struct buf device;
	struct json j;
	buf_init(&address, 128);
	buf_init(&device, 128);
	verdict_add_endpoint(v, &address);
	verdict_add_device(v, &device);
	json_init(&j, out);
	json_begin_object(&j);
	ui_json_text(&j, "verdict", verdict_kind_name(v->kind));
	ui_json_text(&j, "policy", p->name);
	json_key(&j, "version");
	json_u64(&j, v->version);
	ui_json_text(&j, "rule", p->rule ? p->rule->name : NULL);
	ui_json_text(&j, "action", policy_action_name(p->action));
	ui_json_text(&j, "point", verdict_point_name(v->point));
	ui_json_text(&j, "address", address.data);
	ui_json_text(&j, "device", device.data);
	json_key(&j, "path");
	if (verdict_path(v).length)
		json_str(&j, verdict_path(v));
	else
		json_null(&j);
	json_key(&j, "pid");
	json_u64(&j, v->tgid);
	json_key(&j, "name");
	json_str(&j, verdict_program(v));
	json_key(&j, "time_ns");
	json_u64(&j, v->time_ns + clock_boot_offset_ns());
	json_end_object(&j);
	buf_add_char(out, '\n');
}

static void add_verdict(void *userdata, const struct guard_verdict *v)
{
	struct trying *t = userdata;
	const struct policy *p = guard_table_policy(t->table, v->policy);
	if (!p || !verdict_kind_name(v->kind) || !verdict_point_name(v->point))
		return;
	if (t->json) {
		add_verdict_json(v, p, &t->out);
		return;
	}
	clock_add_local_time(&t->out, v->time_ns + clock_boot_offset_ns(), false);
	buf_printf(&t->out, " %s%-11s%s %s version %u: ", ui_code(t->color, v->kind ? UI_YELLOW : UI_RED),
	           verdict_kind_name(v->kind), ui_code(t->color, UI_RESET), p->name, v->version);
	verdict_add_deed(v, &t->out);
	buf_add_char(&t->out, '\n');
}

static void add_sums(struct trying *t)
{
	const struct policy *p;
	for (uint32_t i = 0; (p = guard_table_policy(t->table, i)); i++) {
		struct guard_state s;
		if (guards_state(t->guards, i, &s) < 0)
			continue;
		log_info(
		        "%s: acted %llu times, would have acted %llu times, could not decide %llu, verdicts lost %llu%s",
		        p->name, (unsigned long long)s.total_actions, (unsigned long long)s.total_would,
		        (unsigned long long)s.total_unknown, (unsigned long long)s.verdicts_lost,
		        s.tripped ? "; over its budget, so in shadow" : "");
	}
}

/* ---- running ---- */

static int flush(struct trying *t)
{
	ssize_t got = guards_poll(t->guards, add_verdict, t);
	if (got < 0)
		log_error("the verdicts cannot be read: %s", strerror((int)-got));
	int r = got < 0 ? CLI_BAD : t->out.length ? ui_print(&t->out) : CLI_OK;
	buf_clear(&t->out);
	return r;
}

/* Until a signal, or the end of the duration; the lease is short, so that a hung command acts no longer than that. */
static int keep(struct trying *t, uint64_t duration_ns)
{
	sigset_t ends;
	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	_cleanup_(base_close_fd) int signals = signalfd(-1, &ends, SFD_CLOEXEC);
	uint64_t end = duration_ns ? clock_boot_ns() + duration_ns : UINT64_MAX;
	int r = CLI_OK;
	for (bool ended = signals < 0; !ended && r == CLI_OK && clock_boot_ns() < end;) {
		struct pollfd fds[] = {{.fd = signals, .events = POLLIN},
		                       {.fd = guards_fd(t->guards), .events = POLLIN}};
		if (guards_renew(t->guards, clock_boot_ns() + LEASE_NS) < 0)
			return CLI_BAD;
		(void)guards_tend_gate(t->guards); /* ended: they start, and what was not denied is not counted */
		ended = poll(fds, ARRAY_SIZE(fds), LOOK_MS) > 0 && fds[0].revents;
		r = flush(t);
	}
	return r;
}

static int start(struct trying *t, const char *cgroup)
{
	struct loader_failure failure = {"", ""};
	int r = guards_new(guard_table_image(t->table), NULL, &t->guards, &failure);
	if (r == 0)
		r = guards_renew(t->guards, clock_boot_ns() + LEASE_NS);
	if (r == 0)
		r = guards_attach(t->guards, cgroup, &failure);
	if (r == 0)
		return CLI_OK;
	log_error("%s%s%s", failure.what[0] ? failure.what : strerror(-r), failure.hint[0] ? "; " : "", failure.hint);
	return CLI_IMPOSSIBLE;
}

static int make_table(const struct args *args, const struct policy_input *in, struct diag_list *diags,
                      struct guard_table **ret_table)
{
	const struct guard_table_options options = {.cgroup = args_get(args, "cgroup"), .trial = true};
	struct policy_view view;
	int r = policy_view_init(args, &view);
	if (r != CLI_OK)
		return r;
	r = diags->errors ? -EINVAL : guard_table_new(in->set, &view.kernel, &options, diags, ret_table);
	ui_print_diags(args, diags, true);
	return r < 0 ? CLI_BAD : CLI_OK;
}

int policy_try(const struct args *args)
{
	_cleanup_(policy_input_done) struct policy_input in = {0};
	_cleanup_(diag_list_done) struct diag_list diags;
	_cleanup_(guard_table_freep) struct guard_table *table = NULL;
	_cleanup_(guards_freep) struct guards *guards = NULL;
	const char *cgroup = args_get(args, "cgroup");
	uint64_t duration_ns = 0;
	diag_list_init(&diags, 0);
	if (!cgroup) {
		log_error("in which control group? picket policy try --cgroup DIR [PATH]…");
		return CLI_USAGE;
	}
	if (args_get_duration(args, "duration", &duration_ns) < 0)
		return CLI_USAGE;
	int r = policy_input_load(args, args->words + 1, args->word_count - 1, &in, &diags);
	if (r == CLI_OK)
		r = make_table(args, &in, &diags, &table);
	if (r != CLI_OK)
		return r;
	struct trying t = {
	        .args = args, .table = table, .json = args_has(args, "json"), .color = ui_color(args, STDOUT_FILENO)};
	buf_init(&t.out, OUT_BYTES_MAX);
	r = start(&t, cgroup);
	guards = t.guards;
	if (r == CLI_OK) {
		log_info("%zu policies are in force in %s", guard_table_image(table)->policy_count, cgroup);
		r = keep(&t, duration_ns);
		add_sums(&t);
	}
	buf_done(&t.out);
	return r;
}
