/* SPDX-License-Identifier: Apache-2.0
 *
 * What the recent history costs: processor time of judging events at 20,000 a second of their own time with picket's rules, with
 * and without a recorder beside it, in turns; its thread included. And the bytes that an event takes on disk.
 *
 *   recent [EVENTS]	connections of 200 processes; default: 400,000 a run
 *
 * Prints name=value.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netinet/in.h>

#include "base/clock.h"
#include "core/judge.h"
#include "core/recent.h"
#include "core/rules.h"

#define RATE 19900 /* a second: below what a recorder takes of them */
#define PROCESSES 200
#define RECORDS 4096 /* different ones */
#define PAIRS 5
#define RECORD_BYTES 1024

struct bench {
	struct judge *judge;
	struct recent *recent; /* NULL: none */
	struct pipeline *pipeline;
	uint64_t time_ns;
};

static char records[RECORDS][RECORD_BYTES] __attribute__((aligned(16)));

static void must(int r, const char *what)
{
	if (r == 0)
		return;
	fprintf(stderr, "bench/recent: %s: %s\n", what, strerror(-r));
	exit(3);
}

static int event(void *userdata, struct enrich_view *view, struct arena *arena)
{
	struct bench *b = userdata;
	int r = judge_event(b->judge, view, arena);
	if (b->recent)
		recent_event(b->recent, view);
	return r;
}

static int context(void *userdata, const struct event *e)
{
	struct bench *b = userdata;
	if (b->recent)
		recent_context(b->recent, e);
	return 0;
}

static void put(struct bench *b, struct event_builder *eb)
{
	struct event e;
	event_builder_header(eb)->time_ns = b->time_ns;
	must(event_builder_finish(eb, &e), "event");
	must(pipeline_put_record(b->pipeline, e.header, e.header->length), "event");
	event_builder_done(eb);
}

static void put_process(struct bench *b, uint32_t pid)
{
	struct event_builder eb;
	must(event_builder_init(&eb, EVENT_procinfo), "event");
	*event_builder_header(&eb) =
	        (struct event_header){.type = EVENT_procinfo, .pid = pid, .tid = pid, .ppid = 1, .start_ns = pid};
	must(event_builder_text(&eb, "argv", STR("/usr/sbin/server\0--config=/etc/server.conf\0")), "argv");
	must(event_builder_text(&eb, "comm_new", STR("server")), "comm");
	must(event_builder_text(&eb, "exepath", STR("/usr/sbin/server")), "exepath");
	put(b, &eb);
}

static void make_record(unsigned n)
{
	struct event_builder eb;
	struct event e;
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(1024 + n % 50000))};
	uint32_t pid = 1000 + n % PROCESSES;
	struct fd_info fd = {.number = (int)(3 + n % 900), .kind = FD_SOCKET};
	struct sock_info sock = {.family = AF_INET, .type = SOCK_STREAM, .protocol = IPPROTO_TCP, .remote_port = 443};
	to.sin_addr.s_addr = htonl(0x0a000000u + n * 2654435761u % 0xffffff);
	memcpy(sock.remote_addr, &to.sin_addr, 4);
	sock.local_port = (uint16_t)(32768 + n % 20000);
	must(event_builder_init(&eb, EVENT_connect), "event");
	struct event_header *h = event_builder_header(&eb);
	h->pid = h->tid = pid;
	h->start_ns = pid;
	must(event_builder_text(&eb, "addr", str_make((const char *)&to, sizeof(to))), "addr");
	must(event_builder_fd(&eb, &fd, STR(""), &sock), "fd");
	must(event_builder_finish(&eb, &e), "event");
	if (e.header->length > RECORD_BYTES)
		must(-E2BIG, "record");
	memcpy(records[n], e.header, e.header->length);
	event_builder_done(&eb);
}

static double cpu_ns(void)
{
	struct rusage r;
	getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1e9 +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) * 1e3;
}

static struct rule_set *load_rules(void)
{
	struct diag_list diags;
	struct rule_set *set;
	struct rules_options options = {.paths = {"rules"}, .path_count = 1, .least = PRIORITY_DEBUG};
	diag_list_init(&diags, 10);
	must(rules_load(&options, &diags, &set), "rules");
	diag_list_done(&diags);
	return set;
}

static void prepare(struct bench *b, const char *directory)
{
	const struct recent_options options = {directory, RECENT_BYTES_DEFAULT};
	*b = (struct bench){.time_ns = 1000 * NS_PER_S};
	must(judge_new(&(struct judge_options){.matching = MATCH_ALL}, &b->judge), "judge");
	judge_set_rules(b->judge, load_rules());
	must(pipeline_new(&(struct pipeline_options){.consumer = {event, context, b}}, &b->pipeline), "pipeline");
	for (uint32_t i = 0; i < PROCESSES; i++)
		put_process(b, 1000 + i);
	if (!directory)
		return;
	must(recent_new(&options, &b->recent), "recorder");
	recent_start(b->recent, NULL, b->pipeline);
}

/* Nanoseconds of processor time for an event. The writer's thread is waited for. */
static double run(const char *directory, unsigned events)
{
	struct bench b;
	prepare(&b, directory);
	double begin = cpu_ns();
	for (unsigned i = 0; i < events; i++) {
		struct event_header *h = (void *)records[i % RECORDS];
		b.time_ns += NS_PER_S / RATE;
		h->time_ns = b.time_ns;
		must(pipeline_put_record(b.pipeline, h, h->length), "event");
		if (b.recent && i % (RATE / 40) == 0)
			recent_turn(b.recent, b.time_ns);
		if (i % RATE == 0)
			usleep(20000); /* or the disk's queue would be full: a second takes its time on a host */
	}
	recent_free(b.recent);
	double ns = (cpu_ns() - begin) / events;
	pipeline_free(b.pipeline);
	judge_free(b.judge);
	return ns;
}

static void clear(const char *directory, uint64_t *ret_bytes)
{
	struct recent_segment *list;
	size_t count;
	*ret_bytes = 0;
	must(recent_list(directory, &list, &count), "list");
	for (size_t i = 0; i < count; i++) {
		char path[512];
		snprintf(path, sizeof(path), "%s/%s", directory, list[i].name);
		unlink(path);
		*ret_bytes += list[i].bytes;
	}
	free(list);
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	unsigned events = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 400000;
	char directory[] = "/tmp/picket-bench-recent-XXXXXX";
	double with[PAIRS], without[PAIRS];
	uint64_t bytes = 0;
	if (!mkdtemp(directory) || events == 0)
		return 2;
	for (unsigned n = 0; n < RECORDS; n++)
		make_record(n);
	for (unsigned i = 0; i < PAIRS; i++) {
		without[i] = run(NULL, events);
		with[i] = run(directory, events);
		clear(directory, &bytes);
	}
	rmdir(directory);
	qsort(with, PAIRS, sizeof(*with), by_size);
	qsort(without, PAIRS, sizeof(*without), by_size);
	printf("events=%u without_ns=%.0f with_ns=%.0f ratio=%.2f cpu_percent_at_20000=%.2f bytes_per_event=%.1f\n",
	       events, without[PAIRS / 2], with[PAIRS / 2], with[PAIRS / 2] / without[PAIRS / 2],
	       (with[PAIRS / 2] - without[PAIRS / 2]) * 20000 / 1e9 * 100, (double)bytes / events);
	return 0;
}
