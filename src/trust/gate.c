/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/gate_int.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define DIAGS_MAX 100
#define REASON_MAX 1024
#define EVIDENCE_MAX (24u << 10)
#define TEXTS_BYTES_MAX (1u << 20)

/* ---- what a step says ---- */

int gate_refuse(struct passage *p, const char *format, ...)
{
	char text[REASON_MAX];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	diag_add(&p->result->diags, DIAG_ERROR, GATE_CODE, NULL, 0, 0, "%s", text);
	return -EINVAL;
}

int gate_pass(struct passage *p, const char *format, ...)
{
	char text[REASON_MAX];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	buf_add_text(&p->result->reason, text);
	return 0;
}

void gate_note_u64(struct passage *p, const char *key, uint64_t value)
{
	json_key(&p->evidence, key);
	json_u64(&p->evidence, value);
}

static void note_text(struct passage *p, const char *key, struct str value)
{
	json_key(&p->evidence, key);
	json_str(&p->evidence, value);
}

static void note_time(struct passage *p, const char *key, uint64_t time_s)
{
	_cleanup_(buf_done) struct buf text;
	buf_init(&text, 64);
	trust_add_time(time_s, &text);
	note_text(p, key, buf_str(&text));
}

/* ---- steps that look at the bundle ---- */

static int step_form(struct passage *p)
{
	struct gate *g = p->gate;
	int r = p->bytes ? bundle_read_bytes(*p->bytes, p->path, &p->result->diags, &g->bundle)
	                 : bundle_read(p->path, &p->result->diags, &g->bundle);
	if (r < 0)
		return r;
	gate_note_u64(p, "manifest_bytes", g->bundle->manifest_text.length);
	gate_note_u64(p, "signatures_bytes", g->bundle->signature_text.length);
	return gate_pass(p, "%s", g->bundle->is_directory ? "a directory" : "one file");
}

static void note_signer(struct passage *p, const struct trusted_key *key, struct buf *names)
{
	_cleanup_(buf_done) struct buf id;
	buf_init(&id, KEY_ID_HEX);
	key_id_add(&key->key.id, &id);
	json_str(&p->evidence, buf_str(&id));
	buf_printf(names, "%s" STR_FMT, names->length ? ", " : "",
	           STR_ARG(key->note.length ? key->note : buf_str(&id)));
}

static int step_signatures(struct passage *p)
{
	_cleanup_(buf_done) struct buf names;
	struct gate *g = p->gate;
	struct signatures found;
	buf_init(&names, REASON_MAX);
	int r = signatures_parse(g->bundle->signature_text, BUNDLE_SIGNATURES, &p->result->diags, &found);
	if (r == 0)
		r = keys_verify(p->options->keys, &found, g->bundle->manifest_text, BUNDLE_SIGNATURES,
		                &p->result->diags, &g->signers);
	if (r < 0)
		return r;
	json_key(&p->evidence, "keys");
	json_begin_array(&p->evidence);
	for (size_t i = 0; i < g->signers.count; i++)
		note_signer(p, g->signers.items[i], &names);
	json_end_array(&p->evidence);
	gate_note_u64(p, "threshold", p->options->keys->threshold);
	return gate_pass(p, "by %s; %u needed", names.data, p->options->keys->threshold);
}

static int step_manifest(struct passage *p)
{
	_cleanup_(buf_done) struct buf id;
	struct bundle *b = p->gate->bundle;
	buf_init(&id, DIGEST_HEX);
	int r = bundle_parse(b, MANIFEST_WHOLE, &p->result->diags);
	if (r < 0)
		return r;
	digest_add(&b->id, DIGEST_HEX, &id);
	note_text(p, "id", buf_str(&id));
	return gate_pass(p, STR_FMT " %" PRIu64 ", " STR_FMT, STR_ARG(b->manifest.name), b->manifest.version,
	                 STR_ARG(b->manifest.title));
}

static int step_files(struct passage *p)
{
	struct bundle *b = p->gate->bundle;
	uint64_t bytes = 0;
	int r = bundle_match(b, &p->result->diags);
	if (r < 0)
		return r;
	for (size_t i = 0; i < b->manifest.file_count; i++)
		bytes += b->manifest.files[i].size;
	gate_note_u64(p, "files", b->manifest.file_count);
	gate_note_u64(p, "bytes", bytes);
	return gate_pass(p, "%zu, %" PRIu64 " bytes, each as the manifest says", b->manifest.file_count, bytes);
}

/* ---- steps that look at what this host has seen ---- */

static int check_name(struct passage *p, const struct manifest *m)
{
	const char *name = store_state_name(p->options->seen);
	if (!name || str_equals(m->name, name) || p->options->other_name)
		return 0;
	return gate_refuse(p, "this host takes bundles named \"%s\", and this is \"" STR_FMT "\"", name,
	                   STR_ARG(m->name));
}

static int step_version(struct passage *p)
{
	const struct bundle *b = p->gate->bundle;
	const struct manifest *m = &b->manifest;
	const struct store_entry *newest = NULL;
	gate_note_u64(p, "version", m->version);
	if (p->options->seen) {
		int r = check_name(p, m);
		if (r < 0)
			return r;
		newest = store_state_newest(p->options->seen, m->name);
	}
	if (!newest)
		return gate_pass(p, "%" PRIu64 "; none was seen here before", m->version);
	gate_note_u64(p, "newest", newest->version);
	if (m->version < newest->version)
		return gate_refuse(p, "version %" PRIu64 " is older than %" PRIu64 ", which was seen here: a rollback",
		                   m->version, newest->version);
	if (m->version == newest->version && digest_equal(&b->id, &newest->id))
		return gate_refuse(p, "version %" PRIu64 " was accepted here already", m->version);
	if (m->version == newest->version)
		return gate_refuse(p,
		                   "another bundle with version %" PRIu64 " was seen here: one of them is not genuine",
		                   m->version);
	return gate_pass(p, "%" PRIu64 ", and %" PRIu64 " was seen here", m->version, newest->version);
}

/* The clock may have been set back: what is newer of it and the newest time seen counts. */
static int step_time(struct passage *p)
{
	const struct manifest *m = &p->gate->bundle->manifest;
	uint64_t clock = p->options->now_s, seen = p->options->seen ? p->options->seen->time_s : 0,
	         now = MAX(clock, seen);
	_cleanup_(buf_done) struct buf text;
	buf_init(&text, 256);
	note_time(p, "made", m->made_s);
	note_time(p, "expires", m->expires_s);
	note_time(p, "now", now);
	if (clock + GATE_AHEAD_MAX_S < seen) {
		buf_add_text(&text, "the clock was set back: ");
		trust_add_time(seen, &text);
		buf_add_text(&text, " was seen here already, and counts");
		diag_add(&p->result->diags, DIAG_WARNING, GATE_CODE, NULL, 0, 0, "%s", text.data);
		buf_clear(&text);
	}
	if (m->made_s > now + GATE_AHEAD_MAX_S) {
		trust_add_time(m->made_s, &text);
		return gate_refuse(p, "made at %s, which has not come yet: a clock is wrong, here or there", text.data);
	}
	trust_add_time(m->expires_s, &text);
	if (now >= m->expires_s)
		return gate_refuse(p, "it expired at %s", text.data);
	return gate_pass(p, "valid until %s", text.data);
}

static int step_schema(struct passage *p)
{
	uint64_t theirs = p->gate->bundle->manifest.schema, ours = p->options->schema;
	char text[17];
	snprintf(text, sizeof(text), "%016" PRIx64, ours);
	note_text(p, "schema", str_from(text));
	if (theirs != ours)
		return gate_refuse(p,
		                   "made for events of schema %016" PRIx64 ", and this picket has %016" PRIx64
		                   ": build it again with a picket of this version",
		                   theirs, ours);
	return gate_pass(p, "%016" PRIx64, ours);
}

/* ---- policies and powers ---- */

static void need_power(void *context, struct str power, const char *policy)
{
	struct passage *p = context;
	struct str name = arena_str(&p->texts, str_from(policy));
	if (map_get(&p->powers, power))
		return;
	if (!name.data || map_put(&p->powers, power, (void *)name.data, NULL) < 0)
		diag_add(&p->result->diags, DIAG_ERROR, GATE_CODE, NULL, 0, 0,
		         "the policies need too many powers: %d are the most", BUNDLE_POWERS_MAX);
}

static int step_policies(struct passage *p)
{
	const struct policy_checker *c = p->options->policies;
	size_t count = bundle_count(p->gate->bundle, BUNDLE_POLICIES);
	gate_note_u64(p, "policies", count);
	if (count == 0)
		return gate_pass(p, "there are none");
	if (!c)
		return gate_refuse(p, "this picket knows no policies, and would not do what they say");
	int r = c->check(c->userdata, p->gate->bundle, p->gate->rules, need_power, p, &p->result->diags);
	if (r < 0 || p->result->diags.errors > 0)
		return r < 0 ? r : -EINVAL;
	return gate_pass(p, "%zu file%s", count, count == 1 ? "" : "s");
}

static bool states_power(const struct manifest *m, struct str power)
{
	for (size_t i = 0; i < m->power_count; i++) {
		if (str_equal(m->powers[i], power))
			return true;
	}
	return false;
}

static int step_powers(struct passage *p)
{
	const struct manifest *m = &p->gate->bundle->manifest;
	_cleanup_(buf_done) struct buf stated;
	struct str power;
	void *policy;
	size_t position = 0;
	buf_init(&stated, REASON_MAX);
	while (map_next(&p->powers, &position, &power, &policy)) {
		if (!states_power(m, power))
			return gate_refuse(
			        p, "policy \"%s\" needs the power \"" STR_FMT "\", which the manifest does not state",
			        (const char *)policy, STR_ARG(power));
	}
	for (size_t i = 0; i < m->power_count; i++) {
		if (!map_get(&p->powers, m->powers[i]))
			return gate_refuse(p,
			                   "its manifest states the power \"" STR_FMT "\", which nothing in it needs",
			                   STR_ARG(m->powers[i]));
	}
	json_key(&p->evidence, "powers");
	json_begin_array(&p->evidence);
	for (size_t i = 0; i < m->power_count; i++) {
		json_str(&p->evidence, m->powers[i]);
		buf_printf(&stated, "%s" STR_FMT, i ? ", " : "", STR_ARG(m->powers[i]));
	}
	json_end_array(&p->evidence);
	return m->power_count == 0 ? gate_pass(p, "to watch and to raise alerts, no others")
	                           : gate_pass(p, "%s, as stated", stated.data);
}

/* ---- what has happened here ---- */

static int step_replay(struct passage *p)
{
	const struct gate_replayer *replayer = p->options->replayer;
	_cleanup_(buf_done) struct buf why;
	buf_init(&why, REASON_MAX);
	int r = replayer->replay(replayer->userdata, p->gate->bundle, &p->evidence, &why, &p->result->diags);
	const char *text = why.data ? why.data : "";
	if (r == -ENOMEM || (r == -EINVAL && p->result->diags.errors > 0))
		return r;
	if (r < 0)
		return gate_refuse(p, "%s", text[0] ? text : strerror(-r));
	return gate_pass(p, "%s", text);
}

/* ---- the table, and the way through ---- */

static const struct step {
	const char *name, *question;
	int (*run)(struct passage *p);
} steps[GATE_STEPS] = {
        [GATE_FORM] = {"form", "Is it a bundle, and whole?", step_form},
        [GATE_SIGNATURES] = {"signatures", "Did enough of the trusted keys sign it?", step_signatures},
        [GATE_MANIFEST] = {"manifest", "Is its manifest well-formed?", step_manifest},
        [GATE_FILES] = {"files", "Is each file what was signed?", step_files},
        [GATE_VERSION] = {"version", "Is it newer than all that was seen here?", step_version},
        [GATE_TIME] = {"time", "Has it not expired?", step_time},
        [GATE_SCHEMA] = {"schema", "Was it made for the events of this picket?", step_schema},
        [GATE_RULES] = {"rules", "Is each rule understood?", gate_rules},
        [GATE_POLICIES] = {"policies", "Is each policy understood?", step_policies},
        [GATE_POWERS] = {"powers", "Does it need what it states, and no more?", step_powers},
        [GATE_BOUND] = {"bound", "Is each rule's program proved, and cheap enough?", gate_bound},
        [GATE_SUPPLY] = {"supply", "Do events have the arguments that samples give them?", gate_supply},
        [GATE_SAMPLES] = {"samples", "Do the samples pass, and exercise every field?", gate_samples},
        [GATE_BREADTH] = {"breadth", "Does no rule match whatever happens?", gate_breadth},
        [GATE_REPLAY] = {"replay", "What would it have made of what has happened here?", step_replay},
};

const char *gate_step_name(enum gate_step step)
{
	return steps[step].name;
}

const char *gate_step_question(enum gate_step step)
{
	return steps[step].question;
}

static void result_init(struct gate_result *r)
{
	*r = (struct gate_result){.verdict = GATE_NOT_REACHED};
	buf_init(&r->reason, 8 * REASON_MAX);
	buf_init(&r->evidence, EVIDENCE_MAX);
	diag_list_init(&r->diags, DIAGS_MAX);
}

static void add_first_error(const struct diag_list *diags, struct buf *out)
{
	for (size_t i = 0; i < diags->count; i++) {
		const struct diag *d = &diags->items[i];
		if (d->level != DIAG_ERROR)
			continue;
		if (d->file)
			buf_add_text(out, d->file);
		if (d->file && d->line)
			buf_printf(out, ":%u", d->line);
		if (d->file && d->line && d->column)
			buf_printf(out, ":%u", d->column);
		buf_printf(out, "%s%.*s", d->file ? ": " : "", REASON_MAX, d->text);
		return;
	}
	buf_add_text(out, "refused");
}

static int run_step(struct passage *p, enum gate_step step)
{
	struct gate_result *result = &p->gate->results[step];
	p->result = result;
	json_init(&p->evidence, &result->evidence);
	json_begin_object(&p->evidence);
	int r = steps[step].run(p);
	if (r == -ENOMEM)
		return r;
	result->verdict = r < 0 ? GATE_REFUSED : GATE_PASSED;
	if (r < 0) {
		add_first_error(&result->diags, &result->reason);
		p->gate->refused_at = step;
	}
	json_end_object(&p->evidence);
	return buf_error(&result->evidence) < 0 || buf_error(&result->reason) == -ENOMEM ? -ENOMEM : 0;
}

static int run_steps(struct passage *p)
{
	static const unsigned always = 1u << GATE_FORM | 1u << GATE_MANIFEST | 1u << GATE_FILES;
	const struct gate_options *o = p->options;
	unsigned skip = (o->skip & ~always) | (o->replayer ? 0 : 1u << GATE_REPLAY);
	for (enum gate_step step = 0; step < GATE_STEPS && p->gate->refused_at == GATE_STEPS; step++) {
		if (skip & 1u << step)
			continue;
		if (o->watch)
			o->watch(o->userdata, step, NULL);
		int r = run_step(p, step);
		if (r < 0)
			return r;
		if (o->watch)
			o->watch(o->userdata, step, &p->gate->results[step]);
	}
	return 0;
}

static int run(const char *path, const struct str *bytes, const struct gate_options *options, struct gate **ret_gate)
{
	_cleanup_(gate_freep) struct gate *g = calloc(1, sizeof(*g));
	struct passage p = {.gate = g, .options = options, .path = path, .bytes = bytes};
	if (!g)
		return -ENOMEM;
	g->refused_at = GATE_STEPS;
	for (size_t i = 0; i < GATE_STEPS; i++)
		result_init(&g->results[i]);
	map_init(&p.powers, BUNDLE_POWERS_MAX);
	arena_init(&p.texts, TEXTS_BYTES_MAX);
	int r = run_steps(&p);
	map_done(&p.powers);
	arena_done(&p.texts);
	if (r < 0)
		return r;
	*ret_gate = TAKE_PTR(g);
	return 0;
}

int gate_run(const char *path, const struct gate_options *options, struct gate **ret_gate)
{
	return run(path, NULL, options, ret_gate);
}

int gate_run_bytes(struct str bytes, const char *path, const struct gate_options *options, struct gate **ret_gate)
{
	return run(path, &bytes, options, ret_gate);
}

void gate_free(struct gate *g)
{
	if (!g)
		return;
	for (size_t i = 0; i < GATE_STEPS; i++) {
		buf_done(&g->results[i].reason);
		buf_done(&g->results[i].evidence);
		diag_list_done(&g->results[i].diags);
	}
	rule_set_free(g->rules);
	bundle_free(g->bundle);
	free(g);
}

void gate_freep(struct gate **g)
{
	gate_free(*g);
}

/* ---- JSON ---- */

static void add_result(const struct gate *g, enum gate_step step, struct json *j)
{
	static const char *const verdicts[] = {"passed", "refused", "not reached"};
	const struct gate_result *r = &g->results[step];
	json_begin_object(j);
	json_key(j, "step");
	json_text(j, steps[step].name);
	json_key(j, "verdict");
	json_text(j, verdicts[r->verdict]);
	if (r->verdict != GATE_NOT_REACHED) {
		json_key(j, "reason");
		json_str(j, buf_str(&r->reason));
		json_key(j, "evidence");
		json_raw(j, buf_str(&r->evidence));
	}
	json_end_object(j);
}

static void add_bundle(const struct bundle *b, struct json *j)
{
	_cleanup_(buf_done) struct buf id;
	buf_init(&id, DIGEST_HEX);
	digest_add(&b->id, DIGEST_HEX, &id);
	json_key(j, "name");
	json_str(j, b->manifest.name);
	json_key(j, "version");
	json_u64(j, b->manifest.version);
	json_key(j, "id");
	json_str(j, buf_str(&id));
}

void gate_add_json(const struct gate *g, struct json *j)
{
	json_begin_object(j);
	json_key(j, "passed");
	json_bool(j, g->refused_at == GATE_STEPS);
	if (g->results[GATE_MANIFEST].verdict == GATE_PASSED)
		add_bundle(g->bundle, j);
	json_key(j, "steps");
	json_begin_array(j);
	for (enum gate_step step = 0; step < GATE_STEPS; step++)
		add_result(g, step, j);
	json_end_array(j);
	json_end_object(j);
}
