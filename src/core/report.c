/* SPDX-License-Identifier: Apache-2.0 */
#include "core/report.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

static void add_u64(struct json *out, const char *key, uint64_t n)
{
	json_key(out, key);
	json_u64(out, n);
}

static double seconds_of(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

/* Second number of /proc/self/statm: pages in memory. */
uint64_t report_memory_bytes(void)
{
	char text[256] = "";
	unsigned long long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");
	if (!f)
		return 0;
	if (fgets(text, sizeof(text), f))
		(void)!sscanf(text, "%*u %llu", &pages);
	fclose(f);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

void report_process(struct json *out)
{
	struct rusage usage = {0};
	getrusage(RUSAGE_SELF, &usage);
	json_key(out, "version");
	json_text(out, PICKET_VERSION);
	add_u64(out, "pid", (uint64_t)getpid());
	add_u64(out, "memory_bytes", report_memory_bytes());
	json_key(out, "cpu_user_s");
	json_double(out, seconds_of(usage.ru_utime));
	json_key(out, "cpu_system_s");
	json_double(out, seconds_of(usage.ru_stime));
}

static void add_by_type(struct json *out, const char *key, const uint64_t *counts)
{
	json_key(out, key);
	json_begin_object(out);
	for (unsigned type = 0; type < EVENT_TYPE_MAX; type++) {
		const char *name = event_type_info(type)->name;
		if (counts[type] > 0 && name)
			add_u64(out, name, counts[type]);
	}
	json_end_object(out);
}

void report_pipeline(struct json *out, struct pipeline *p, double events_per_second)
{
	const struct pipeline_stats *stats = pipeline_get_stats(p);
	struct enrich_stats enrich;
	enrich_get_stats(pipeline_enrich(p), &enrich);

	json_key(out, "events");
	json_begin_object(out);
	add_u64(out, "records", stats->records);
	add_u64(out, "judged", stats->events);
	json_key(out, "per_second");
	json_double(out, events_per_second);
	add_u64(out, "lost", stats->lost);
	add_u64(out, "undecodable", stats->undecodable);
	add_u64(out, "undecodable_unknown_type", stats->undecodable_unknown);
	add_by_type(out, "undecodable_by_type", stats->undecodable_of);
	add_u64(out, "no_memory", stats->enrich_failures);
	add_by_type(out, "by_type", stats->events_of);
	json_end_object(out);

	json_key(out, "processes");
	json_begin_object(out);
	add_u64(out, "held", enrich.processes);
	add_u64(out, "limit", enrich.process_limit);
	add_u64(out, "unknown", enrich.unknown_process);
	add_u64(out, "evicted", enrich.evicted);
	json_end_object(out);

	json_key(out, "containers");
	json_begin_object(out);
	add_u64(out, "held", enrich.containers);
	add_u64(out, "not_found_on_disk", enrich.container_failures);
	json_end_object(out);
}

static void add_alerts(struct json *out, const struct judge *j)
{
	struct judge_stats stats;
	judge_get_stats(j, &stats);
	json_key(out, "alerts");
	json_begin_object(out);
	add_u64(out, "raised", stats.alerts);
	add_u64(out, "held_back", stats.held_back);
	add_u64(out, "incomplete", stats.incomplete);
	add_u64(out, "tests_given_up", stats.undecided);
	add_u64(out, "over_limit", stats.over_limit);
	add_u64(out, "not_written", stats.not_written);
	add_u64(out, "no_memory", stats.no_memory);
	json_key(out, "by_priority");
	json_begin_object(out);
	for (unsigned p = 0; p <= PRIORITY_DEBUG; p++)
		if (stats.by_priority[p] > 0)
			add_u64(out, rule_priority_name(p), stats.by_priority[p]);
	json_end_object(out);
	json_key(out, "by_rule");
	json_begin_object(out);
	const struct rule_set *rules = judge_rules(j);
	for (size_t i = 0; rules && i < rule_set_count(rules); i++) {
		const char *name = rule_set_get(rules, i)->name;
		uint64_t count = judge_rule_alerts(j, name);
		if (count > 0)
			add_u64(out, name, count);
	}
	json_end_object(out);
	json_end_object(out);
}

void report_judge(struct json *out, const struct judge *j)
{
	const struct rule_set *rules = judge_rules(j);
	size_t enabled = 0, count = rules ? rule_set_count(rules) : 0;
	for (size_t i = 0; i < count; i++)
		enabled += rule_set_get(rules, i)->enabled;
	json_key(out, "rules");
	json_begin_object(out);
	add_u64(out, "loaded", count);
	add_u64(out, "enabled", enabled);
	json_end_object(out);

	add_alerts(out, j);

	json_key(out, "outputs");
	json_begin_array(out);
	for (size_t i = 0; i < judge_output_count(j); i++) {
		const struct export_output *output = judge_output(j, i);
		json_begin_object(out);
		json_key(out, "name");
		json_text(out, export_name(output));
		add_u64(out, "failures", export_failures(output));
		json_end_object(out);
	}
	json_end_array(out);
}
