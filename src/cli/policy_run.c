/* SPDX-License-Identifier: Apache-2.0
 *
 * picket policy mode, picket policy status: the policies of the running picket.
 */
#include <errno.h>
#include <unistd.h>

#include "cli/policy.h"
#include "cli/ui.h"
#include "core/control.h"
#include "core/log.h"
#include "core/report.h"
#include "core/status.h"

#define TEXT_BYTES_MAX (1u << 20)

static const char *status_path(const struct args *args)
{
	const char *path = args_get(args, "status-socket");
	return path ? path : STATUS_SOCKET;
}

static int not_served(const char *path, int error)
{
	if (error == -ENOENT || error == -ECONNREFUSED)
		log_error(
		        "no picket enforces policies here, or it serves its status elsewhere than at %s; start one with: "
		        "picket run --policies PATH",
		        path);
	else if (error == -EACCES)
		log_error("only root may ask it");
	else if (error == -ETIMEDOUT)
		log_error(
		        "picket does not answer at %s: it is stopped or hangs. Its guards only watch some seconds later, "
		        "and picket disarm switches them off at once",
		        path);
	else
		log_error("cannot ask at %s: %s", path, strerror(-error));
	return CLI_IMPOSSIBLE;
}

/* Shows the answer. Returns an exit code, or what control_order() returned. */
static int give_order(const char *path, struct str order)
{
	_cleanup_(buf_done) struct buf answer;
	bool done = false;
	buf_init(&answer, CONTROL_ANSWER_BYTES_MAX + 1);
	int r = control_order(path, order, &done, &answer);
	if (r < 0)
		return r;
	if (!done) {
		log_error(STR_FMT, STR_ARG(buf_str(&answer)));
		return CLI_BAD;
	}
	buf_add_char(&answer, '\n');
	return ui_print(&answer);
}

static int give_order_told(const struct args *args, struct str order)
{
	int r = give_order(status_path(args), order);
	return r < 0 ? not_served(status_path(args), r) : r;
}

int policy_release(const struct args *args)
{
	_cleanup_(buf_done) struct buf order;
	buf_init(&order, CONTROL_ORDER_BYTES_MAX);
	if (args->word_count != 2) {
		log_error("which control group? picket policy release CGROUP; picket policy status shows them");
		return CLI_USAGE;
	}
	buf_printf(&order, "release %s", args->words[1]);
	if (buf_error(&order) < 0) {
		log_error("there is no control group of such a name");
		return CLI_BAD;
	}
	return give_order_told(args, buf_str(&order));
}

int policy_mode(const struct args *args)
{
	_cleanup_(buf_done) struct buf order;
	buf_init(&order, CONTROL_ORDER_BYTES_MAX);
	if (args->word_count != 3) {
		log_error("which policy, and which mode? picket policy mode POLICY watch|shadow|enforce");
		return CLI_USAGE;
	}
	buf_printf(&order, "mode %s %s", args->words[2], args->words[1]);
	if (buf_error(&order) < 0) {
		log_error("there is no policy of such a name");
		return CLI_BAD;
	}
	return give_order_told(args, buf_str(&order));
}

static int show(const struct args *args, struct str status, const char *path)
{
	_cleanup_(buf_done) struct buf text;
	buf_init(&text, TEXT_BYTES_MAX);
	int r = report_add_policies(status, args_has(args, "json"), ui_color(args, STDOUT_FILENO), &text);
	if (r == -ENOENT)
		return not_served(path, r);
	if (r < 0) {
		log_error("what answers at %s is not picket", path);
		return CLI_BAD;
	}
	return ui_print(&text);
}

int policy_status(const struct args *args)
{
	_cleanup_(buf_done) struct buf status;
	const char *path = status_path(args);
	buf_init(&status, STATUS_BYTES_MAX);
	int r = status_fetch(path, &status);
	return r < 0 ? not_served(path, r) : show(args, buf_str(&status), path);
}
