/* SPDX-License-Identifier: Apache-2.0
 *
 * An item of a rules file that is a rule: a definition, a change of an earlier one, or just its switch.
 */
#include "rule/set_int.h"

#include <errno.h>

/* In the order of enum rule_key. What an override names must stand in the item, and the other way round. */
static const struct overridable rule_keys[RULE_KEY_COUNT] = {
        [RULE_KEY_CONDITION] = {"condition", true, true},
        [RULE_KEY_OUTPUT] = {"output", true, true},
        [RULE_KEY_DESC] = {"desc", true, true},
        [RULE_KEY_PRIORITY] = {"priority", false, true},
        [RULE_KEY_TAGS] = {"tags", true, true},
        [RULE_KEY_EXCEPTIONS] = {"exceptions", true, true},
        [RULE_KEY_ENABLED] = {"enabled", false, true},
        [RULE_KEY_WARN_EVTTYPES] = {"warn_evttypes", false, true},
        [RULE_KEY_SKIP_IF_UNKNOWN] = {"skip-if-unknown-filter", false, true},
        [RULE_KEY_CAPTURE] = {"capture", false, true},
        [RULE_KEY_CAPTURE_DURATION] = {"capture_duration", false, true},
        [RULE_KEY_SAMPLES] = {"samples", true, true},
        [RULE_KEY_SOURCE] = {"source", false, false},
};

#define KEY(key) (1u << RULE_KEY_##key)
#define KEYS_NEEDED (KEY(CONDITION) | KEY(OUTPUT) | KEY(DESC) | KEY(PRIORITY))

static void check_keys(struct reader *r, const struct doc_node *item)
{
	static const char *const other_keys[] = {"rule", "append", "override"};
	const char *known[RULE_KEY_COUNT + ARRAY_SIZE(other_keys)];
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		known[i] = i < ARRAY_SIZE(other_keys) ? other_keys[i] : rule_keys[i - ARRAY_SIZE(other_keys)].name;
	reader_check_keys(r, item, "a rule", known, ARRAY_SIZE(known));
}

static unsigned present_keys(const struct doc_node *item)
{
	unsigned keys = 0;
	for (unsigned i = 0; i < RULE_KEY_COUNT; i++)
		keys |= doc_get(item, rule_keys[i].name) ? 1u << i : 0;
	return keys;
}

/* Leaves text as it is if the key is absent or wrong. */
static void read_text(struct reader *r, const struct doc_node *item, enum rule_key key, struct source_text *text)
{
	const struct source_text *t = NULL;
	if (reader_get_text(r, item, rule_keys[key].name, false, &t) && t)
		*text = *t;
}

static void read_priority(struct reader *r, const struct doc_node *item, struct rule_def *def)
{
	const struct source_text *t = NULL;
	if (!reader_get_text(r, item, "priority", false, &t) || !t)
		return;
	if (rule_priority_parse(t->text, &def->priority) == 0)
		return;
	struct diag *d = reader_error(r, doc_get(item, "priority"), "'%.100s' is not a priority", t->text.data);
	diag_set_hint(d, "it may be Emergency, Alert, Critical, Error, Warning, Notice, Informational or Debug");
}

static void read_source(struct reader *r, const struct doc_node *item, struct rule_def *def)
{
	const struct doc_node *value = doc_get(item, "source");
	def->source = STR("syscall");
	def->source_known = true;
	if (!value || (value->kind == DOC_SCALAR && value->text.length == 0))
		return;
	const struct source_text *t = NULL;
	if (!reader_get_text(r, item, "source", false, &t))
		return;
	def->source = t->text;
	def->source_known = str_equals(t->text, "syscall");
}

static void read_values(struct reader *r, const struct doc_node *item, bool append, struct rule_def *def)
{
	read_text(r, item, RULE_KEY_CONDITION, &def->condition);
	read_text(r, item, RULE_KEY_OUTPUT, &def->output);
	read_text(r, item, RULE_KEY_DESC, &def->desc);
	read_priority(r, item, def);
	read_source(r, item, def);
	reader_get_bool(r, item, "enabled", &def->enabled);
	reader_get_bool(r, item, "warn_evttypes", &def->warn_evttypes);
	reader_get_bool(r, item, "skip-if-unknown-filter", &def->skip_if_unknown_filter);
	reader_get_bool(r, item, "capture", &def->capture);
	reader_get_number(r, item, "capture_duration", &def->capture_duration_ms);
	reader_get_tags(r, item, &def->tags);
	exception_read(r, doc_get(item, "exceptions"), append, &def->exceptions);
	sample_read(r, doc_get(item, "samples"), &def->samples);
}

static void define(struct reader *r, const struct doc_node *item, struct rule_def *def)
{
	bool complete = true;
	for (unsigned i = 0; i < RULE_KEY_COUNT; i++) {
		if (!(KEYS_NEEDED & ~def->keys & 1u << i))
			continue;
		reader_error(r, item, "the key '%s' is missing", rule_keys[i].name);
		complete = false;
	}
	if (complete && text_trim(&r->file->arena, &def->output, &def->output) < 0)
		r->error = -ENOMEM;
	if (!def->source_known && !r->error) {
		struct diag *d = reader_warn(r, doc_get(item, "source"), "LOAD_UNKNOWN_SOURCE",
		                             "unknown source '%.100s'", def->source.data);
		diag_set_hint(d, "the rule is kept, but never judges an event");
	}
	if (!r->error)
		reader_note(r, collection_define_rule(r->collection, &r->file->arena, def, r->diags));
}

static void append_old_way(struct reader *r, const struct doc_node *item, const struct rule_def *def)
{
	unsigned keys = def->keys & (KEY(CONDITION) | KEY(EXCEPTIONS) | KEY(SAMPLES));
	if (!keys)
		reader_error(r, item, "an appended rule must have a condition or exceptions");
	reader_note(r, collection_update_rule(r->collection, &r->file->arena, def, keys, 0, r->diags));
}

static void update(struct reader *r, const struct doc_node *item, const struct rule_def *def, const struct override *o)
{
	for (unsigned i = 0; i < RULE_KEY_COUNT; i++) {
		bool named = o->named & 1u << i, present = def->keys & 1u << i;
		const char *key = rule_keys[i].name;
		if (named && !present)
			reader_error(r, doc_get_key(o->node, key),
			             "the override names '%s', but the item does not have it", key);
		if (present && !named && rule_keys[i].replace) {
			struct diag *d = reader_error(r, doc_get_key(item, key),
			                              "'%s' stands here, but not under override", key);
			diag_set_hint(d, "add %s: %s to override", key,
			              rule_keys[i].append ? "append or replace" : "replace");
		}
	}
	unsigned append = o->append & def->keys, replace = o->replace & def->keys;
	reader_note(r, collection_update_rule(r->collection, &r->file->arena, def, append, replace, r->diags));
}

static void toggle(struct reader *r, const struct doc_node *item, const struct rule_def *def)
{
	if (!(def->keys & KEY(ENABLED))) {
		reader_error(r, item, "the rule has neither condition, output, desc and priority nor enabled");
		return;
	}
	struct diag *d = reader_warn(r, doc_get_key(item, "enabled"), "LOAD_DEPRECATED_ITEM",
	                             "a rule with nothing but 'enabled' is deprecated");
	diag_set_hint(d, "add override: {enabled: replace}");
	reader_note(r, collection_enable_rule(r->collection, def, r->diags));
}

void reader_rule(struct reader *r, const struct doc_node *item)
{
	const struct source_text *name = NULL;
	struct override override;
	check_keys(r, item);
	reader_get_override(r, item, rule_keys, ARRAY_SIZE(rule_keys), &override);
	if (!reader_get_text(r, item, "rule", true, &name))
		return;
	bool appends = override.append_flag || override.any;
	struct rule_def def = {
	        .name = name->text,
	        .place = {r->file, doc_get(item, "rule")->start},
	        .keys = present_keys(item),
	        .condition = *name, /* never used where the key is missing: then the file is refused */
	        .output = *name,
	        .desc = *name,
	        .priority = PRIORITY_DEBUG,
	        .enabled = true,
	        .warn_evttypes = true,
	};
	read_values(r, item, appends, &def);
	if (r->error)
		return;
	if (override.any)
		update(r, item, &def, &override);
	else if (override.append_flag)
		append_old_way(r, item, &def);
	else if (def.keys & KEYS_NEEDED)
		define(r, item, &def);
	else
		toggle(r, item, &def);
}
