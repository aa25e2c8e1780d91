/* SPDX-License-Identifier: Apache-2.0
 *
 * picket apply's second half, picket approve, picket rollback.
 */
#include "cli/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/bundle.h"
#include "cli/ui.h"
#include "core/content_status.h"
#include "core/control.h"
#include "core/log.h"
#include "core/status.h"

#define DIAGS_MAX 10
#define LOOK_MS 200

static const char *socket_path(const struct args *args)
{
	const char *path = args_get(args, "status-socket");
	return path ? path : STATUS_SOCKET;
}

static int fetch(const char *path, struct buf *text, struct content_status *ret_status)
{
	buf_clear(text);
	int r = status_fetch(path, text);
	return r < 0 ? r : content_status_parse(buf_str(text), ret_status);
}

static bool is_same_place(const char *a, const char *b)
{
	_cleanup_(base_free_ptr) char *real_a = realpath(a, NULL), *real_b = realpath(b, NULL);
	return real_a && real_b && strcmp(real_a, real_b) == 0;
}

/* Does a picket run that takes its bundles from there? If not, why: is added. */
static bool is_served(const char *socket, const char *state, struct content_status *ret_status, struct buf *why)
{
	_cleanup_(buf_done) struct buf text;
	buf_init(&text, STATUS_BYTES_MAX);
	int r = fetch(socket, &text, ret_status);
	if (r == -ENOENT && text.length > 0)
		buf_printf(why, "the picket at %s runs rules of files", socket);
	else if (r == -ENOENT || r == -ECONNREFUSED)
		buf_printf(why, "no picket runs at %s", socket);
	else if (r < 0)
		buf_printf(why, "the picket at %s cannot be asked: %s", socket, strerror(-r));
	else if (!is_same_place(ret_status->state, state))
		buf_printf(why, "the picket at %s takes its bundles from %s", socket, ret_status->state);
	else
		return true;
	return false;
}

/* Returns an exit code after showing the answer. */
static int give_order(const char *socket, struct str order, bool quiet)
{
	_cleanup_(buf_done) struct buf answer;
	bool done = false;
	buf_init(&answer, CONTROL_ANSWER_BYTES_MAX + 1);
	int r = control_order(socket, order, &done, &answer);
	if (r < 0) {
		log_error("the picket at %s takes no order: %s", socket, strerror(-r));
		return CLI_IMPOSSIBLE;
	}
	if (!done) {
		log_error(STR_FMT, STR_ARG(buf_str(&answer)));
		return CLI_BAD;
	}
	buf_add_char(&answer, '\n');
	return quiet ? CLI_OK : ui_print(&answer);
}

/* ---- following ---- */

struct follow {
	const struct args *args;
	const char *socket;
	bool json, color, line; /* line: one stands on the terminal */
	bool told_wait;
	enum staging_step told; /* steps before it were shown */
};

static void clear_line(struct follow *f)
{
	if (f->line)
		fputs("\r\033[K", stderr);
	f->line = false;
}

static void show_progress(struct follow *f, const struct content_status *s)
{
	if (!isatty(STDERR_FILENO) || f->json)
		return;
	clear_line(f);
	if (s->after_probation)
		fprintf(stderr, "        %-11s what runs is to prove itself first", staging_step_name(s->step));
	else if (s->step == STAGING_SHADOW)
		fprintf(stderr, "        %-11s %" PRIu64 " of %" PRIu64 " s", staging_step_name(s->step), s->soaked_s,
		        s->soak_s);
	else
		fprintf(stderr, "        %-11s", staging_step_name(s->step));
	fflush(stderr);
	f->line = true;
}

static void show_steps(struct follow *f, const struct content_status *s)
{
	for (; f->told < STAGING_STEPS; f->told++) {
		bool passed = s->steps[f->told].passed;
		if (!passed && !s->steps[f->told].refused)
			return;
		clear_line(f);
		f->told_wait = false;
		if (!f->json)
			printf("%s%-8s%s%-11s %s\n", ui_code(f->color, passed ? UI_GREEN : UI_RED),
			       passed ? "ok" : "refused", ui_code(f->color, UI_RESET), staging_step_name(f->told),
			       s->steps[f->told].reason);
		fflush(stdout);
	}
}

static void show_wait(struct follow *f, const struct content_status *s)
{
	if (f->told_wait || f->json)
		return;
	clear_line(f);
	printf("%swaits%s   %-11s for a person: picket approve %s\n", ui_code(f->color, UI_YELLOW),
	       ui_code(f->color, UI_RESET), staging_step_name(s->step), s->name);
	fflush(stdout);
	f->told_wait = true;
}

static int finish(struct follow *f, const struct content_status *s, const struct buf *text)
{
	bool promoted = strcmp(s->outcome, "promoted") == 0;
	clear_line(f);
	if (f->json)
		return ui_print(text) == CLI_OK && promoted ? CLI_OK : CLI_BAD;
	if (promoted)
		printf("%sin force%s: %s %" PRIu64 "; how it does: picket status\n", ui_code(f->color, UI_GREEN),
		       ui_code(f->color, UI_RESET), s->name, s->version);
	else
		printf("%srefused%s: what ran before runs on\n", ui_code(f->color, UI_RED),
		       ui_code(f->color, UI_RESET));
	return promoted ? CLI_OK : CLI_BAD;
}

static int follow(struct follow *f)
{
	_cleanup_(buf_done) struct buf text;
	const struct timespec wait = {.tv_nsec = LOOK_MS * NS_PER_MS};
	buf_init(&text, STATUS_BYTES_MAX);
	for (;;) {
		struct content_status s;
		int r = fetch(f->socket, &text, &s);
		if (r < 0) {
			clear_line(f);
			log_error("the picket at %s is gone: %s; its next start goes on with the bundle", f->socket,
			          strerror(-r));
			return CLI_IMPOSSIBLE;
		}
		show_steps(f, &s);
		if (strcmp(s.outcome, "waits") == 0)
			show_wait(f, &s);
		else if (strcmp(s.outcome, "going-on") == 0)
			show_progress(f, &s);
		else
			return finish(f, &s, &text);
		nanosleep(&wait, NULL);
	}
}

/* ---- apply ---- */

static int add_wishes(const struct args *args, struct buf *order)
{
	static const char *const durations[] = {"soak", "watch"};
	size_t position = 0;
	const char *value;
	for (size_t i = 0; i < ARRAY_SIZE(durations); i++) {
		uint64_t ns;
		if (!args_has(args, durations[i]))
			continue;
		if (args_get_duration(args, durations[i], &ns) < 0)
			return CLI_USAGE;
		buf_printf(order, " %s=%llu", durations[i], ns / NS_PER_S);
	}
	while (args_next(args, "stop-at", &position, &value))
		buf_printf(order, " stops=%s", value);
	if (args_has(args, "approve"))
		buf_add_text(order, " approve=yes");
	if (buf_error(order) == 0)
		return CLI_OK;
	log_error("these are too many wishes");
	return CLI_USAGE;
}

static int say_kept(const char *why, bool json)
{
	if (!json)
		printf("kept as the next bundle: %s. The next start of picket run with this state takes it up\n", why);
	return CLI_OK;
}

int stage_accepted(const struct args *args, const char *state, bool json)
{
	_cleanup_(buf_done) struct buf order, why;
	struct content_status status;
	struct follow f = {
	        .args = args, .socket = socket_path(args), .json = json, .color = ui_color(args, STDOUT_FILENO)};
	buf_init(&order, CONTROL_ORDER_BYTES_MAX);
	buf_init(&why, PATH_MAX * 2);
	buf_add_text(&order, "stage");
	int r = add_wishes(args, &order);
	if (r != CLI_OK)
		return r;
	if (!is_served(f.socket, state, &status, &why))
		return say_kept(why.data, json);
	if (status.off)
		return say_kept("the sensors of the picket that runs are off", json);
	r = give_order(f.socket, buf_str(&order), json);
	return r == CLI_OK && !args_has(args, "no-wait") ? follow(&f) : r;
}

/* ---- approve ---- */

int command_approve(const struct args *args)
{
	_cleanup_(buf_done) struct buf order;
	buf_init(&order, CONTROL_ORDER_BYTES_MAX);
	if (args->word_count > 1) {
		log_error("one bundle's name, or none: picket approve [NAME]");
		return CLI_USAGE;
	}
	buf_printf(&order, "approve %s", args->word_count > 0 ? args->words[0] : "");
	if (buf_error(&order) < 0) {
		log_error("there is no bundle of such a name");
		return CLI_BAD;
	}
	return give_order(socket_path(args), buf_str(&order), false);
}

/* ---- rollback ---- */

static bool is_running(const char *state)
{
	char path[PATH_MAX];
	if (snprintf(path, sizeof(path), "%s/running", state) >= (int)sizeof(path))
		return false;
	_cleanup_(base_close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0;
}

static void add_reason(const char *reason, struct buf *out)
{
	struct json j;
	json_init(&j, out);
	json_begin_object(&j);
	json_key(&j, "reason");
	json_text(&j, reason);
	json_key(&j, "by");
	json_text(&j, "picket rollback");
	json_end_object(&j);
}

static int roll_back_store(const struct args *args, const char *state, const char *reason)
{
	_cleanup_(diag_list_done) struct diag_list diags;
	_cleanup_(store_closep) struct store *s = NULL;
	_cleanup_(buf_done) struct buf evidence;
	diag_list_init(&diags, DIAGS_MAX);
	buf_init(&evidence, HISTORY_EVIDENCE_MAX);
	add_reason(reason, &evidence);
	if (access(state, F_OK) < 0) {
		log_error("%s: no bundle was ever accepted there", state);
		return CLI_BAD;
	}
	int r = store_open(state, STORE_WRITE, &diags, &s);
	if (r < 0)
		return bundle_tell(args, &diags, r, state);
	r = store_roll_back(s, bundle_now_s(), buf_str(&evidence));
	if (r == -ENOENT) {
		log_error("there is nothing to go back to");
		return CLI_BAD;
	}
	if (r < 0) {
		log_error("the state cannot be written: %s", strerror(-r));
		return CLI_IMPOSSIBLE;
	}
	const struct store_entry *now = &store_state(s)->roles[STORE_CURRENT];
	if (now->version > 0)
		printf("back to %s %" PRIu64 ", from the next start of picket run on\n", now->name, now->version);
	else
		printf("back to the rules without a bundle, from the next start of picket run on\n");
	return CLI_OK;
}

int command_rollback(const struct args *args)
{
	_cleanup_(buf_done) struct buf order, why;
	struct content_status status;
	const char *state = args_get(args, "state"), *reason = args_get(args, "reason");
	buf_init(&order, CONTROL_ORDER_BYTES_MAX);
	buf_init(&why, PATH_MAX * 2);
	if (args_no_words(args) < 0)
		return CLI_USAGE;
	state = state ? state : BUNDLE_STATE;
	buf_printf(&order, "rollback %s", reason ? reason : "");
	if (buf_error(&order) < 0 || strchr(reason ? reason : "", '\n')) {
		log_error("--reason: one line, of %d bytes at most", CONTROL_ORDER_BYTES_MAX - 16);
		return CLI_USAGE;
	}
	if (is_served(socket_path(args), state, &status, &why) && !status.off)
		return give_order(socket_path(args), buf_str(&order), false);
	if (is_running(state) && !status.off) {
		log_error("a picket runs with %s, and cannot be asked: " STR_FMT, state, STR_ARG(buf_str(&why)));
		return CLI_IMPOSSIBLE;
	}
	return roll_back_store(args, state, reason ? reason : "by hand");
}
