/* SPDX-License-Identifier: Apache-2.0
 *
 * What this host has seen before: versions, names, times; and what it is.
 */
#include "tests/gate/gate.h"

#include <inttypes.h>
#include <stdio.h>

#include "event/event.h"

static struct store_state state_of(const char *name, uint64_t version, uint64_t time_s)
{
	struct store_state s = {.time_s = time_s, .newest_count = 1};
	snprintf(s.newest[0].name, sizeof(s.newest[0].name), "%s", name);
	s.newest[0].version = version;
	s.roles[STORE_CURRENT] = s.newest[0];
	return s;
}

static void expect_seen(const char *name, const struct draft *d, const struct store_state *seen, uint64_t now_s,
                        bool other_name, enum gate_step step, const char *reason)
{
	_cleanup_(buf_done) struct buf bytes;
	struct gate_options options = default_options();
	options.seen = seen;
	options.now_s = now_s;
	options.other_name = other_name;
	buf_init(&bytes, BYTES_MAX);
	draft_pack(d, &bytes);
	expect(name, buf_str(&bytes), &options, step, reason);
}

static void versions(void)
{
	struct draft d;
	draft_init(&d);
	struct store_state s = state_of("web", 11, NOW_S);
	expect_seen("the next version", &d, &s, NOW_S, false, GATE_STEPS, "");
	for (uint64_t newest = 13; newest < 13 + 50; newest++) {
		s = state_of("web", newest, NOW_S);
		expect_seen("a rollback", &d, &s, NOW_S, false, GATE_VERSION, "a rollback");
	}
	s = state_of("web", BUNDLE_VERSION_MAX, NOW_S);
	expect_seen("after the last version", &d, &s, NOW_S, false, GATE_VERSION, "a rollback");
	s = state_of("web", 12, NOW_S);
	expect_seen("another bundle of the same version", &d, &s, NOW_S, false, GATE_VERSION, "not genuine");
	_cleanup_(buf_done) struct buf manifest;
	buf_init(&manifest, BYTES_MAX);
	draft_manifest(&d, &manifest);
	s.newest[0].id = digest_of(buf_str(&manifest));
	expect_seen("the same bundle again", &d, &s, NOW_S, false, GATE_VERSION, "accepted here already");
}

static void names(void)
{
	struct draft d;
	draft_init(&d);
	struct store_state s = state_of("db", 3, NOW_S);
	expect_seen("another name", &d, &s, NOW_S, false, GATE_VERSION, "takes bundles named \"db\"");
	expect_seen("another name, as was asked for", &d, &s, NOW_S, true, GATE_STEPS, "");
	snprintf(s.newest[1].name, sizeof(s.newest[1].name), "web");
	s.newest[1].version = 13;
	s.newest_count = 2;
	expect_seen("back to a name, and to an older version of it", &d, &s, NOW_S, true, GATE_VERSION, "a rollback");
}

static void times(void)
{
	const uint64_t expires = 1797724800; /* 2026-12-20 */
	struct draft d;
	draft_init(&d);
	struct store_state fresh = {0}, late = state_of("web", 11, expires + 5),
	                   soon = state_of("web", 11, expires - 1);
	expect_seen("a second before it expires", &d, &fresh, expires - 1, false, GATE_STEPS, "");
	expect_seen("when it expires", &d, &fresh, expires, false, GATE_TIME, "it expired at 2026-12-20T00:00:00Z");
	expect_seen("long after", &d, &fresh, expires + 400 * 86400ull, false, GATE_TIME, "it expired");
	expect_seen("expired, and the clock set back", &d, &late, NOW_S, false, GATE_TIME, "it expired");
	expect_seen("the clock set back, not expired", &d, &soon, NOW_S, false, GATE_STEPS, "");
	expect_seen("the clock set back to 1970", &d, &late, 0, false, GATE_TIME, "it expired");
	expect_seen("a clock of 1970 on a new host", &d, &fresh, 0, false, GATE_TIME, "has not come yet");
	for (unsigned days = 1; days <= 30; days++) {
		expect_seen("days before it was made", &d, &fresh, 1795132800ull - days * 86400ull - 1, false,
		            GATE_TIME, "has not come yet");
		expect_seen("days after it expired", &d, &fresh, expires + days * 86400ull, false, GATE_TIME,
		            "it expired");
	}
}

static void schemas(void)
{
	for (unsigned bit = 0; bit < 64; bit++) {
		char schema[17], name[64];
		struct draft d;
		draft_init(&d);
		snprintf(schema, sizeof(schema), "%016" PRIx64, event_schema_fingerprint() ^ (uint64_t)1 << bit);
		snprintf(name, sizeof(name), "schema with bit %u another", bit);
		d.schema = schema;
		expect_draft(name, &d, GATE_SCHEMA, "build it again");
	}
}

/* ---- powers, with somebody who knows policies ---- */

struct needs {
	const char *powers[4];
	int result;
};

static int check_policies(void *userdata, const struct bundle *b, struct rule_set *rules,
                          void (*need)(void *context, struct str power, const char *policy), void *context,
                          struct diag_list *reterr_diags)
{
	const struct needs *n = userdata;
	(void)rules;
	for (size_t i = 0; i < ARRAY_SIZE(n->powers) && n->powers[i]; i++)
		need(context, str_from(n->powers[i]), "p");
	if (n->result < 0)
		diag_add(reterr_diags, DIAG_ERROR, "TEST", "policies/p.yaml", 3, 5, "of %zu files, one is wrong",
		         b->manifest.file_count);
	return n->result;
}

static void expect_powers(const char *name, const char *stated, struct needs needs, enum gate_step step,
                          const char *reason)
{
	_cleanup_(buf_done) struct buf bytes;
	struct policy_checker checker = {&needs, check_policies};
	struct gate_options options = default_options();
	struct draft d;
	buf_init(&bytes, BYTES_MAX);
	draft_init(&d);
	d.files[2] = d.files[1];
	d.files[1] = (struct draft_file){"policies/p.yaml", STR("- policy: p\n")};
	d.file_count = 3;
	d.powers = stated;
	draft_pack(&d, &bytes);
	options.policies = &checker;
	expect(name, buf_str(&bytes), &options, step, reason);
}

static void powers(void)
{
	struct draft d;
	expect_powers("a power that is stated", "power kill\n", (struct needs){.powers = {"kill"}}, GATE_STEPS, "");
	expect_powers("two powers", "power deny:connect\npower kill\n",
	              (struct needs){.powers = {"kill", "deny:connect"}}, GATE_STEPS, "");
	expect_powers("a power that is not stated", "", (struct needs){.powers = {"kill"}}, GATE_POWERS,
	              "policy \"p\" needs the power \"kill\"");
	expect_powers("one of two is not stated", "power kill\n", (struct needs){.powers = {"kill", "deny:exec"}},
	              GATE_POWERS, "needs the power \"deny:exec\"");
	expect_powers("a power that nothing needs", "power kill\n", (struct needs){0}, GATE_POWERS,
	              "nothing in it needs");
	expect_powers("a policy that is wrong", "", (struct needs){.result = -22}, GATE_POLICIES,
	              "policies/p.yaml:3:5");
	draft_init(&d);
	d.powers = "power kill\n";
	expect_draft("a power, and no policies", &d, GATE_POWERS, "nothing in it needs");
	draft_init(&d);
	d.files[0] = (struct draft_file){"policies/p.yaml", STR("- policy: p\n")};
	expect_draft("policies, and nobody who knows them", &d, GATE_POLICIES, "knows no policies");
}

void cases_seen(void)
{
	versions();
	names();
	times();
	schemas();
	powers();
}
