/* SPDX-License-Identifier: Apache-2.0 */
#include "core/report.h"

#include <errno.h>
#include <inttypes.h>

#include <cjson/cJSON.h>

#include "event/value.h"

#define LABEL_WIDTH 14
#define NAME_WIDTH 18
#define TOP_COUNT 8 /* lines of the longest lists */

struct painter {
	struct buf *out;
	bool color;
};

static const char *bold(const struct painter *p)
{
	return p->color ? "\033[1m" : "";
}

static const char *dim(const struct painter *p)
{
	return p->color ? "\033[2m" : "";
}

static const char *bad(const struct painter *p)
{
	return p->color ? "\033[1;31m" : "";
}

static const char *plain(const struct painter *p)
{
	return p->color ? "\033[0m" : "";
}

static double number_of(const cJSON *object, const char *key)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
	return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

static void label(const struct painter *p, const char *text)
{
	buf_printf(p->out, "%s%-*s%s", bold(p), LABEL_WIDTH, text, plain(p));
}

/* A text of the status, which quotes rules, paths and kernels, in columns or more. */
static void add_text(const struct painter *p, const char *text, size_t columns)
{
	size_t begin = p->out->length;
	value_add_printable(str_from(text), 0, p->out);
	for (size_t used = p->out->length - begin; used < columns; used++)
		buf_add_char(p->out, ' ');
}

static const char *text_of(const cJSON *object, const char *key)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
	return cJSON_IsString(item) ? item->valuestring : "?";
}

/* Trouble stands out; none is said in passing. */
static void add_trouble(const struct painter *p, double n, const char *what)
{
	if (n > 0)
		buf_printf(p->out, ", %s%.0f %s%s", bad(p), n, what, plain(p));
}

static void add_duration(const struct painter *p, double seconds)
{
	uint64_t s = seconds > 0 ? (uint64_t)MIN(seconds, 1e15) : 0;
	if (s >= 86400)
		buf_printf(p->out, "%" PRIu64 "d ", s / 86400);
	if (s >= 3600)
		buf_printf(p->out, "%" PRIu64 "h ", s / 3600 % 24);
	if (s >= 60)
		buf_printf(p->out, "%" PRIu64 "m ", s / 60 % 60);
	buf_printf(p->out, "%" PRIu64 "s", s % 60);
}

static void add_process(const struct painter *p, const cJSON *root)
{
	double cpu = number_of(root, "cpu_user_s") + number_of(root, "cpu_system_s"),
	       uptime = number_of(root, "uptime_s");
	label(p, "picket");
	add_text(p, text_of(root, "version"), 0);
	buf_printf(p->out, ", pid %.0f, up ", number_of(root, "pid"));
	add_duration(p, uptime);
	buf_printf(p->out, ", %.1f MiB, %.2f%% of one processor\n", number_of(root, "memory_bytes") / (1 << 20),
	           uptime > 0 ? 100 * cpu / uptime : 0);
}

/* ---- the bundle that runs ---- */

static void add_bundle(const struct painter *p, const cJSON *bundle)
{
	add_text(p, text_of(bundle, "name"), 0);
	buf_printf(p->out, " %.0f", number_of(bundle, "version"));
}

static void add_probation(const struct painter *p, const cJSON *probation)
{
	if (!probation)
		return;
	label(p, "");
	buf_add_text(p->out, "on probation for ");
	add_duration(p, number_of(probation, "left_s"));
	buf_add_char(p->out, '\n');
}

static void add_staging(const struct painter *p, const cJSON *staging)
{
	const char *outcome = text_of(staging, "outcome");
	bool over = strcmp(outcome, "promoted") == 0, waits = strcmp(outcome, "waits") == 0;
	if (!staging || over)
		return;
	label(p, "");
	add_bundle(p, staging);
	buf_printf(p->out, "%s: ", waits ? bad(p) : "");
	add_text(p, outcome, 0);
	buf_printf(p->out, "%s ", strcmp(outcome, "refused") == 0 ? " at" : waits ? " for a person before" : ":");
	add_text(p, text_of(staging, "step"), 0);
	buf_printf(p->out, "%s\n", plain(p));
}

static void add_content(const struct painter *p, const cJSON *root)
{
	const cJSON *content = cJSON_GetObjectItemCaseSensitive(root, "content");
	const cJSON *runs = cJSON_GetObjectItemCaseSensitive(content, "runs");
	const char *rung = text_of(content, "rung");
	if (!content)
		return;
	label(p, "content");
	if (cJSON_IsObject(runs))
		add_bundle(p, runs);
	else
		buf_add_text(p->out, "no bundle: the rules of files");
	if (strcmp(rung, "normal") != 0)
		buf_printf(p->out, ", %s%s%s", bad(p),
		           strcmp(rung, "off") == 0 ? "sensors are off" : "only watching: no policy acts", plain(p));
	buf_add_char(p->out, '\n');
	if (cJSON_IsString(cJSON_GetObjectItemCaseSensitive(content, "reason"))) {
		label(p, "");
		buf_printf(p->out, "%s", bad(p));
		add_text(p, text_of(content, "reason"), 0);
		buf_printf(p->out, "%s\n", plain(p));
	}
	add_probation(p, cJSON_GetObjectItemCaseSensitive(content, "probation"));
	add_staging(p, cJSON_GetObjectItemCaseSensitive(content, "staging"));
}

static void add_rules(const struct painter *p, const cJSON *root)
{
	const cJSON *rules = cJSON_GetObjectItemCaseSensitive(root, "rules");
	if (!rules)
		return;
	label(p, "rules");
	buf_printf(p->out, "%.0f on of %.0f loaded", number_of(rules, "enabled"), number_of(rules, "loaded"));
	if (number_of(root, "reloads") > 0)
		buf_printf(p->out, ", %.0f reloads", number_of(root, "reloads"));
	add_trouble(p, number_of(root, "failed_reloads"), "failed reloads: the rules before stayed");
	buf_add_char(p->out, '\n');
}

static void add_budget(const struct painter *p, const cJSON *root)
{
	const cJSON *budget = cJSON_GetObjectItemCaseSensitive(root, "cpu_budget"), *step, *bpf;
	if (!budget)
		return;
	label(p, "CPU");
	buf_printf(p->out, "%.1f%% of one", number_of(budget, "used_percent"));
	if (number_of(budget, "limit_percent") > 0)
		buf_printf(p->out, ", of %.0f%% at most", number_of(budget, "limit_percent"));
	bpf = cJSON_GetObjectItemCaseSensitive(budget, "bpf_percent");
	if (cJSON_IsNumber(bpf))
		buf_printf(p->out, "; %.1f%% in the kernel", bpf->valuedouble);
	else
		buf_add_text(p->out, "; in the kernel it is not measured");
	bool any = false;
	cJSON_ArrayForEach (step, cJSON_GetObjectItemCaseSensitive(budget, "given_up")) {
		if (!cJSON_IsString(step))
			continue;
		buf_printf(p->out, "%s%s", any ? ", " : "; not watched for now: ", any ? "" : bad(p));
		add_text(p, step->valuestring, 0);
		any = true;
	}
	buf_printf(p->out, "%s\n", plain(p));
}

static void add_events(const struct painter *p, const cJSON *root)
{
	const cJSON *events = cJSON_GetObjectItemCaseSensitive(root, "events");
	if (!events) /* its sensors are off */
		return;
	label(p, "events");
	buf_printf(p->out, "%.0f, %.0f a second", number_of(events, "judged"), number_of(events, "per_second"));
	if (number_of(events, "lost") == 0)
		buf_add_text(p->out, ", none lost");
	add_trouble(p, number_of(events, "lost"), "lost");
	add_trouble(p, number_of(events, "undecodable"), "could not be read");
	add_trouble(p, number_of(events, "no_memory"), "left out for want of memory");
	buf_add_char(p->out, '\n');
}

static void add_alerts(const struct painter *p, const cJSON *root)
{
	const cJSON *alerts = cJSON_GetObjectItemCaseSensitive(root, "alerts");
	if (!alerts)
		return;
	label(p, "alerts");
	buf_printf(p->out, "%.0f", number_of(alerts, "raised"));
	if (number_of(alerts, "held_back") > 0)
		buf_printf(p->out, ", %.0f held back", number_of(alerts, "held_back"));
	add_trouble(p, number_of(alerts, "incomplete"), "with incomplete evidence");
	add_trouble(p, number_of(alerts, "tests_given_up"), "tests of rules given up");
	add_trouble(p, number_of(alerts, "not_written"), "not written");
	add_trouble(p, number_of(alerts, "over_limit"), "matches over the limit of one event");
	add_trouble(p, number_of(alerts, "no_memory"), "without fields for want of memory");
	buf_add_char(p->out, '\n');
}

/* The largest first, by repeated search: the lists are short, and the JSON stays as it came. */
static const cJSON *next_largest(const cJSON *object, double below, const cJSON *after)
{
	const cJSON *best = NULL, *item;
	bool passed = !after;
	cJSON_ArrayForEach (item, object) {
		bool candidate = item->valuedouble < below || (item->valuedouble == below && passed);
		passed = passed || item == after;
		if (candidate && cJSON_IsNumber(item) && (!best || item->valuedouble > best->valuedouble))
			best = item;
	}
	return best;
}

static void add_top(const struct painter *p, const cJSON *root, const char *group, const char *key)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(root, group), key);
	const cJSON *item = NULL;
	double below = 1e300;
	for (unsigned i = 0; i < TOP_COUNT; i++) {
		item = next_largest(list, below, item);
		if (!item)
			return;
		below = item->valuedouble;
		buf_printf(p->out, "%*s%s%10.0f%s  ", LABEL_WIDTH, "", dim(p), item->valuedouble, plain(p));
		add_text(p, item->string ? item->string : "?", 0);
		buf_add_char(p->out, '\n');
	}
	int more = cJSON_GetArraySize(list) - TOP_COUNT;
	if (more > 0)
		buf_printf(p->out, "%*s%s%10s  and %d more%s\n", LABEL_WIDTH, "", dim(p), "", more, plain(p));
}

static void add_tables(const struct painter *p, const cJSON *root)
{
	const cJSON *processes = cJSON_GetObjectItemCaseSensitive(root, "processes");
	const cJSON *containers = cJSON_GetObjectItemCaseSensitive(root, "containers");
	if (!processes)
		return;
	label(p, "processes");
	buf_printf(p->out, "%.0f known, room for %.0f", number_of(processes, "held"), number_of(processes, "limit"));
	add_trouble(p, number_of(processes, "unknown"), "events of unknown processes");
	add_trouble(p, number_of(processes, "evicted"), "forgotten for want of room");
	buf_add_char(p->out, '\n');
	label(p, "containers");
	buf_printf(p->out, "%.0f", number_of(containers, "held"));
	add_trouble(p, number_of(containers, "not_found_on_disk"), "of which nothing was found on disk");
	buf_add_char(p->out, '\n');
}

static void add_ring(const struct painter *p, const cJSON *root)
{
	const cJSON *ring = cJSON_GetObjectItemCaseSensitive(root, "ring");
	double bytes = number_of(ring, "bytes");
	if (bytes <= 0)
		return;
	label(p, "ring");
	buf_printf(p->out, "%.1f MiB, %.0f%% full\n", bytes / (1 << 20), 100 * number_of(ring, "used") / bytes);
}

static void add_recent(const struct painter *p, const cJSON *root)
{
	const cJSON *recent = cJSON_GetObjectItemCaseSensitive(root, "recent"), *count;
	double left_out = 0;
	if (!recent)
		return;
	cJSON_ArrayForEach (count, cJSON_GetObjectItemCaseSensitive(recent, "left_out"))
		left_out += cJSON_IsNumber(count) ? count->valuedouble : 0;
	label(p, "history");
	if (!cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(recent, "recording"))) {
		buf_printf(p->out, "%snot recording: ", bad(p));
		add_text(p, text_of(recent, "error"), 0);
		buf_add_text(p->out, plain(p));
	} else {
		buf_printf(p->out, "%.1f of %.1f MiB, %.0f events", number_of(recent, "bytes") / (1 << 20),
		           number_of(recent, "bytes_max") / (1 << 20), number_of(recent, "events"));
	}
	add_trouble(p, number_of(recent, "not_written"), "not written");
	add_trouble(p, left_out, "left out");
	buf_add_char(p->out, '\n');
}

/* The first counter is of what went well; the others are told only when they counted something. */
static void add_counters(const struct painter *p, const cJSON *root)
{
	const cJSON *counters = cJSON_GetObjectItemCaseSensitive(root, "counters"), *item;
	const cJSON *meanings = cJSON_GetObjectItemCaseSensitive(root, "counters_meaning");
	const char *head = "counters";
	cJSON_ArrayForEach (item, counters) {
		if (!cJSON_IsNumber(item) || !item->string || (item->valuedouble == 0 && item != counters->child))
			continue;
		label(p, head);
		add_text(p, item->string, NAME_WIDTH);
		buf_printf(p->out, " %10.0f  %s", item->valuedouble, dim(p));
		add_text(p, text_of(meanings, item->string), 0);
		buf_printf(p->out, "%s\n", plain(p));
		head = "";
	}
}

/* Types of events that all pass, and why. */
static void add_refused(const struct painter *p, const cJSON *program)
{
	const cJSON *types = cJSON_GetObjectItemCaseSensitive(program, "types"), *item;
	label(p, "");
	cJSON_ArrayForEach (item, types) {
		add_text(p, cJSON_IsString(item) ? item->valuestring : "?", 0);
		buf_add_char(p->out, ' ');
	}
	buf_printf(p->out, "%sall pass: ", bad(p));
	add_text(p, text_of(program, "refused"), 0);
	buf_printf(p->out, "%s\n", plain(p));
}

static void add_sieve(const struct painter *p, const cJSON *root)
{
	const cJSON *sieve = cJSON_GetObjectItemCaseSensitive(root, "sieve"), *item;
	const cJSON *programs = cJSON_GetObjectItemCaseSensitive(sieve, "programs");
	const cJSON *counters = cJSON_GetObjectItemCaseSensitive(root, "counters");
	if (!sieve)
		return;
	label(p, "sieve");
	buf_printf(p->out, "%.0f events dropped in the kernel, by %d programs\n", number_of(counters, "sieved"),
	           cJSON_GetArraySize(programs));
	cJSON_ArrayForEach (item, programs)
		if (cJSON_IsString(cJSON_GetObjectItemCaseSensitive(item, "refused")))
			add_refused(p, item);
}

static void add_outputs(const struct painter *p, const cJSON *root)
{
	const cJSON *outputs = cJSON_GetObjectItemCaseSensitive(root, "outputs"), *item;
	const char *head = "outputs";
	cJSON_ArrayForEach (item, outputs) {
		label(p, head);
		add_text(p, text_of(item, "name"), 0);
		add_trouble(p, number_of(item, "failures"), "alerts not written");
		buf_add_char(p->out, '\n');
		head = "";
	}
}

static void add_sensors(const struct painter *p, const cJSON *root)
{
	const cJSON *sensors = cJSON_GetObjectItemCaseSensitive(root, "sensors"), *item;
	const char *head = "sensors";
	cJSON_ArrayForEach (item, sensors) {
		bool works = cJSON_IsString(cJSON_GetObjectItemCaseSensitive(item, "hook"));
		label(p, head);
		add_text(p, text_of(item, "name"), NAME_WIDTH);
		buf_printf(p->out, " %s", works ? dim(p) : bad(p));
		add_text(p, works ? text_of(item, "hook") : "none works here", 0);
		buf_printf(p->out, "%s\n", plain(p));
		head = "";
	}
}

/* ---- policies ---- */

static void add_policy(const struct painter *p, const cJSON *policy, bool armed)
{
	const cJSON *over = cJSON_GetObjectItemCaseSensitive(policy, "over_budget");
	add_text(p, text_of(policy, "name"), NAME_WIDTH);
	buf_printf(p->out, " %-8s", armed ? text_of(policy, "mode") : "disarmed");
	if (!armed) {
		buf_add_char(p->out, '\n');
		return;
	}
	buf_printf(p->out, " %10.0f acted %10.0f would have", number_of(policy, "acted"),
	           number_of(policy, "would_have_acted"));
	add_trouble(p, number_of(policy, "undecided"), "undecided");
	add_trouble(p, number_of(policy, "verdicts_lost"), "verdicts lost");
	if (cJSON_IsString(over))
		buf_printf(p->out, ", %sover its budget of %s: only tells%s", bad(p), over->valuestring, plain(p));
	buf_add_char(p->out, '\n');
}

static void add_quarantines(const struct painter *p, const cJSON *guards)
{
	const cJSON *cut;
	cJSON_ArrayForEach (cut, cJSON_GetObjectItemCaseSensitive(guards, "quarantined")) {
		label(p, "");
		buf_printf(p->out, "%swithout network%s: ", bad(p), plain(p));
		add_text(p, text_of(cut, "cgroup"), 0);
		buf_add_text(p->out, ", by ");
		add_text(p, text_of(cut, "policy"), 0);
		buf_add_char(p->out, '\n');
	}
}

static void add_policies(const struct painter *p, const cJSON *root)
{
	const cJSON *guards = cJSON_GetObjectItemCaseSensitive(root, "guards"), *policy;
	bool armed = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(guards, "armed"));
	bool leased = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(guards, "lease_renewed"));
	if (!guards)
		return;
	label(p, "guards");
	buf_printf(p->out, "%s%s%s in ", armed && leased ? "" : bad(p),
	           !armed   ? "disarmed"
	           : leased ? "armed"
	                    : "without a lease: they only watch",
	           plain(p));
	add_text(p, text_of(guards, "cgroup"), 0);
	add_trouble(p, number_of(guards, "alerts_held_back"), "alerts held back");
	buf_add_char(p->out, '\n');
	cJSON_ArrayForEach (policy, cJSON_GetObjectItemCaseSensitive(root, "policies")) {
		label(p, "");
		add_policy(p, policy, armed);
	}
	add_quarantines(p, guards);
}

static void add_policies_json(cJSON *root, struct buf *out)
{
	cJSON *item;
	const char *separator = "{";
	cJSON_ArrayForEach (item, root) {
		if (strcmp(item->string, "guards") != 0 && strcmp(item->string, "policies") != 0)
			continue;
		char *text = cJSON_PrintUnformatted(item);
		buf_printf(out, "%s\"%s\":%s", separator, item->string, text ? text : "null");
		cJSON_free(text);
		separator = ",";
	}
	buf_add_text(out, "}\n");
}

int report_add_policies(struct str json, bool as_json, bool color, struct buf *out)
{
	const struct painter p = {.out = out, .color = color};
	cJSON *root = cJSON_ParseWithLength(json.data, json.length);
	int r = !cJSON_IsObject(root) ? -EBADMSG : !cJSON_GetObjectItemCaseSensitive(root, "guards") ? -ENOENT : 0;
	if (r == 0 && as_json)
		add_policies_json(root, out);
	else if (r == 0)
		add_policies(&p, root);
	cJSON_Delete(root);
	return r < 0 ? r : buf_error(out);
}

int report_add_text(struct str json, bool color, struct buf *out)
{
	const struct painter p = {.out = out, .color = color};
	cJSON *root = cJSON_ParseWithLength(json.data, json.length);
	if (!cJSON_IsObject(root)) {
		cJSON_Delete(root);
		return -EBADMSG;
	}
	add_process(&p, root);
	add_content(&p, root);
	add_rules(&p, root);
	add_budget(&p, root);
	add_events(&p, root);
	add_top(&p, root, "events", "by_type");
	add_alerts(&p, root);
	add_top(&p, root, "alerts", "by_rule");
	add_tables(&p, root);
	add_ring(&p, root);
	add_recent(&p, root);
	add_sieve(&p, root);
	add_counters(&p, root);
	add_outputs(&p, root);
	add_policies(&p, root);
	add_sensors(&p, root);
	cJSON_Delete(root);
	return buf_error(out);
}
