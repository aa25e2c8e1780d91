/* SPDX-License-Identifier: Apache-2.0
 *
 * usage: build/tests/test_gate
 */
#include "tests/gate/gate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "event/event.h"

struct secret_key people[PEOPLE];
struct keys trusted, trusted_two;

static size_t passed, failed, by_step[GATE_STEPS + 1];

struct gate_options default_options(void)
{
	return (struct gate_options){
	        .keys = &trusted, .schema = event_schema_fingerprint(), .now_s = NOW_S, .budget = RULE_BUDGET_DEFAULT};
}

static const char *step_text(enum gate_step step)
{
	return step == GATE_STEPS ? "passed" : gate_step_name(step);
}

static void note(bool good, const char *name, const struct gate *g, const char *wanted, const char *reason)
{
	passed += good;
	failed += !good;
	by_step[g->refused_at] += good;
	if (good)
		return;
	const struct buf *said = g->refused_at < GATE_STEPS ? &g->results[g->refused_at].reason : NULL;
	printf("not ok - %s: %s (%s), expected %s: %s\n", name, step_text(g->refused_at),
	       said && said->data ? said->data : "", wanted, reason);
}

static bool says(const struct gate *g, enum gate_step step, const char *reason)
{
	const struct buf *said = &g->results[step].reason;
	return said->length > 0 && strstr(said->data, reason);
}

static struct gate *pass(const char *name, struct str bytes, const struct gate_options *options)
{
	struct gate *g;
	int r = gate_run_bytes(bytes, "planted", options, &g);
	if (r == 0)
		return g;
	printf("not ok - %s: %s\n", name, strerror(-r));
	failed++;
	return NULL;
}

void expect(const char *name, struct str bytes, const struct gate_options *options, enum gate_step step,
            const char *reason)
{
	_cleanup_(gate_freep) struct gate *g = pass(name, bytes, options);
	if (g)
		note(g->refused_at == step && (step == GATE_STEPS || says(g, step, reason)), name, g, step_text(step),
		     reason);
}

void expect_draft(const char *name, const struct draft *d, enum gate_step step, const char *reason)
{
	_cleanup_(buf_done) struct buf bytes;
	struct gate_options options = default_options();
	buf_init(&bytes, BYTES_MAX);
	draft_pack(d, &bytes);
	expect(name, buf_str(&bytes), &options, step, reason);
}

void expect_by(const char *name, struct str bytes, enum gate_step last)
{
	struct gate_options options = default_options();
	_cleanup_(gate_freep) struct gate *g = pass(name, bytes, &options);
	if (g)
		note(g->refused_at <= last && says(g, g->refused_at, ""), name, g, gate_step_name(last),
		     "or before it");
}

/* ---- people ---- */

static void add_trusted(enum person person, const char *note_text, struct buf *out)
{
	_cleanup_(buf_done) struct buf file;
	struct public_key key;
	buf_init(&file, 4096);
	secret_key_public(&people[person], &key);
	public_key_write(&key, &file);
	struct str rest = buf_str(&file), line;
	str_next(&rest, '\n', &line);
	str_next(&rest, '\n', &line);
	buf_printf(out, STR_FMT " %s\n", STR_ARG(line), note_text);
}

static void make_people(struct buf *one, struct buf *two)
{
	_cleanup_(diag_list_done) struct diag_list diags;
	diag_list_init(&diags, 10);
	int r = 0;
	for (size_t i = 0; i < PEOPLE; i++)
		r |= secret_key_make(&people[i]);
	add_trusted(ALICE, "alice", one);
	add_trusted(BOB, "bob", one);
	add_trusted(CAROL, "carol", one);
	buf_add_text(one, "revoked ");
	key_id_add(&people[CAROL].id, one);
	buf_add_text(one, " lost in a train\n");
	buf_add_text(two, "threshold 2\n");
	buf_add_str(two, buf_str(one));
	r |= keys_parse(buf_str(one), "keys", &diags, &trusted);
	r |= keys_parse(buf_str(two), "keys", &diags, &trusted_two);
	if (r < 0) {
		printf("not ok - the keys cannot be made\n");
		exit(1);
	}
}

int main(void)
{
	_cleanup_(buf_done) struct buf one, two;
	buf_init(&one, KEYS_BYTES_MAX);
	buf_init(&two, KEYS_BYTES_MAX);
	make_people(&one, &two);
	cases_form();
	cases_manifest();
	cases_signatures();
	cases_seen();
	cases_rules();
	cases_bombs();
	cases_policies();
	for (enum gate_step step = 0; step <= GATE_STEPS; step++)
		printf("# %s: %zu\n", step == GATE_STEPS ? "passed, as they must" : step_text(step), by_step[step]);
	printf("%zu passed, %zu failed, 0 skipped\n", passed, failed);
	return failed > 0;
}
