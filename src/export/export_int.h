/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the room: what an output is made of.
 */
#ifndef PICKET_EXPORT_EXPORT_INT_H
#define PICKET_EXPORT_EXPORT_INT_H

#include "export/export.h"

#define EXPORT_LINE_MAX (4u << 20) /* bytes of an alert's line: a longer one is not written, and counted */

/* The first member of every output. NULL operations have nothing to do. */
struct export_output {
	const struct export_ops *ops;
	char *name;
	uint64_t failures;
	struct buf line; /* the alert being written */
};

struct export_ops {
	int (*put)(struct export_output *o, const struct alert *a);
	int (*reopen)(struct export_output *o);
	int (*flush)(struct export_output *o);
	void (*close)(struct export_output *o); /* what the output has beyond its first member */
};

int export_init(struct export_output *o, const struct export_ops *ops, const char *name) must_check;
/* export_syslog_new() with the path of the syslog daemon's socket. */
int export_syslog_new_at(const char *socket_path, const char *ident, struct export_output **ret_output) must_check;

#endif
