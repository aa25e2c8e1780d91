/* SPDX-License-Identifier: Apache-2.0 */
#include "core/status.h"

#include <errno.h>
#include <unistd.h>

#include "cli/ui.h"
#include "core/log.h"
#include "core/report.h"

#define TEXT_BYTES_MAX (1u << 20)

static int not_served(const char *path, int error)
{
	switch (error) {
	case -ENOENT:
	case -ECONNREFUSED:
		log_error(
		        "no picket runs here, or it serves its status elsewhere than at %s; start one with: picket run",
		        path);
		break;
	case -EACCES:
		log_error("only the user that picket runs as may ask it, mostly root");
		break;
	case -ETIMEDOUT:
		log_error("picket does not answer at %s", path);
		break;
	default:
		log_error("cannot ask at %s: %s", path, strerror(-error));
	}
	return CLI_IMPOSSIBLE;
}

int command_status(const struct args *args)
{
	_cleanup_(buf_done) struct buf json, text;
	const char *path = args_get(args, "status-socket");
	buf_init(&json, STATUS_BYTES_MAX);
	buf_init(&text, TEXT_BYTES_MAX);
	if (args_no_words(args) < 0)
		return CLI_USAGE;
	if (!path)
		path = STATUS_SOCKET;
	int r = status_fetch(path, &json);
	if (r < 0)
		return not_served(path, r);
	if (args_has(args, "json"))
		return ui_print(&json);
	if (report_add_text(buf_str(&json), ui_color(args, STDOUT_FILENO), &text) < 0) {
		log_error("what answers at %s is not picket", path);
		return CLI_BAD;
	}
	return ui_print(&text);
}
