/* SPDX-License-Identifier: Apache-2.0
 *
 * The gate's step: the recent history, judged by a bundle and by the one that is current.
 */
#include <errno.h>

#include "core/rehearsal.h"

#define DIAGS_MAX 10

static void rehearsal_freep(struct rehearsal **r)
{
	rehearsal_free(*r);
}

static int read_staged(const struct bundle *b, struct diag_list *diags, struct content *c)
{
	int r = bundle_load_rules(b, NULL, NULL, diags, &c->rules);
	return r < 0 ? r : content_read_policies(b, c->rules, diags, &c->policies);
}

/* A current bundle that cannot be read any more is no reason against its successor. */
static int read_running(const char *state, struct content *c)
{
	_cleanup_(diag_list_done) struct diag_list diags;
	const struct rules_options all = {.least = PRIORITY_DEBUG};
	diag_list_init(&diags, DIAGS_MAX);
	int r = state ? content_read_store(state, STORE_CURRENT, &all, &diags, c) : 0;
	return r == -ENOMEM ? r : 0;
}

static int replay(void *userdata, const struct bundle *b, struct json *evidence, struct buf *why,
                  struct diag_list *reterr_diags)
{
	const struct rehearsal_gate *g = userdata;
	_cleanup_(rehearsal_freep) struct rehearsal *rehearsal = NULL;
	_cleanup_(content_done) struct content staged = {.rules = NULL}, running = {.rules = NULL};
	int r = read_staged(b, reterr_diags, &staged);
	if (r == 0)
		r = read_running(g->state, &running);
	if (r == 0)
		r = rehearsal_run(&g->options, &staged, running.rules ? &running : NULL, &rehearsal);
	if (r == 0)
		r = rehearsal_add_json(rehearsal, evidence);
	if (r < 0)
		return r;
	rehearsal_tell(rehearsal, reterr_diags);
	return rehearsal_verdict(rehearsal, why) ? 0 : -EINVAL;
}

struct gate_replayer rehearsal_gate_replayer(struct rehearsal_gate *g)
{
	return (struct gate_replayer){.userdata = g, .replay = replay};
}
