/* SPDX-License-Identifier: Apache-2.0 */
#include "export/export_int.h"

#include <errno.h>
#include <stdlib.h>

int export_init(struct export_output *o, const struct export_ops *ops, const char *name)
{
	o->ops = ops;
	o->name = strdup(name);
	buf_init(&o->line, EXPORT_LINE_MAX);
	return o->name ? 0 : -ENOMEM;
}

void export_free(struct export_output *o)
{
	if (!o)
		return;
	o->ops->close(o);
	buf_done(&o->line);
	free(o->name);
	free(o);
}

int export_put(struct export_output *o, const struct alert *a)
{
	int error = o->ops->put(o, a);
	o->failures += error != 0;
	return error;
}

int export_reopen(struct export_output *o)
{
	return o->ops->reopen ? o->ops->reopen(o) : 0;
}

int export_flush(struct export_output *o)
{
	return o->ops->flush ? o->ops->flush(o) : 0;
}

uint64_t export_failures(const struct export_output *o)
{
	return o->failures;
}

const char *export_name(const struct export_output *o)
{
	return o->name;
}
