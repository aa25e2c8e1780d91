/* SPDX-License-Identifier: Apache-2.0 */
#include "core/live.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "core/control.h"
#include "core/log.h"
#include "core/narrow.h"
#include "core/notify.h"
#include "core/privileges.h"
#include "core/report.h"
#include "core/sieve.h"
#include "core/status.h"
#include "loader/run_time.h"

/* The ring is looked at this often although the kernel did not wake us: a wake-up per event costs the watched process
 * far more than a look costs us. Once nothing came for a while, we look less often. */
#define POLL_BUSY_MS 25
#define POLL_IDLE_MS 100
#define POLL_IDLE_AFTER 40 /* empty looks */
#define POLL_BATCH 8192    /* records between looks at signals and the status socket */
#define DRAIN_BATCHES_MAX 64
#define TICK_NS NS_PER_S
#define SENSORS_MAX 32
#define COUNTERS_MAX 64
#define STATUS_BYTES (1u << 20)

/* Counters of schema/errors.def that count events which never came. */
static const char *const loss_counters[] = {"ring_full", "record_too_long", "scratch_missing", "tail_call",
                                            "uring_table_full"};

struct live {
	struct live_options options;
	struct pipeline *pipeline; /* borrowed */
	struct loader *loader;
	struct status_server *status;
	struct control_server *control;
	struct sieve_status sieve;
	struct narrow narrow;
	struct event_set events; /* that the rules want */
	struct event_set shed;   /* not made, whoever wants them */
	struct live_wish wishes[LIVE_GUESTS];
	int epoll_fd, signal_fd;
	struct loader_sensor_report sensors[SENSORS_MAX];
	size_t sensor_count;
	uint64_t lost;                             /* sum of the loss counters, when last looked at */
	uint64_t started_ns, tick_ns, deadline_ns; /* monotonic; deadline 0: none */
	uint64_t tick_events;
	double events_per_second;
	unsigned empty_looks;
	bool more, ended; /* more: the ring was not empty after the last look */
};

static void handled_signals(sigset_t *ret_set)
{
	sigemptyset(ret_set);
	sigaddset(ret_set, SIGTERM);
	sigaddset(ret_set, SIGINT);
	sigaddset(ret_set, SIGHUP);
	sigaddset(ret_set, SIGUSR1);
}

static int watch(struct live *l, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
	return epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int signals_open(struct live *l)
{
	sigset_t set;
	handled_signals(&set);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	l->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return l->signal_fd < 0 ? -errno : watch(l, l->signal_fd);
}

static int sockets_new(struct live *l, const char *path)
{
	int r = status_server_new(path, &l->status);
	if (r == 0)
		r = watch(l, status_server_fd(l->status));
	if (r == 0 && l->options.hooks.order)
		r = control_server_new(path, &l->control);
	if (r == 0 && l->control)
		r = watch(l, control_server_fd(l->control));
	return r;
}

static int sockets_open(struct live *l)
{
	const char *path = l->options.status_path;
	int r = path ? sockets_new(l, path) : 0;
	if (r == 0)
		return 0;
	if (r == -EADDRINUSE || l->options.status_required)
		return r;
	log_warning("no status socket at %s: %s", path, strerror(-r));
	return 0;
}

int live_new(const struct live_options *options, struct pipeline *pipeline, struct live **ret_live,
             struct loader_failure *reterr_failure)
{
	_cleanup_(live_freep) struct live *l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->options = *options;
	l->pipeline = pipeline;
	l->signal_fd = -1;
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0)
		return -errno;
	int r = signals_open(l);
	if (r < 0)
		return r;
	r = sockets_open(l);
	if (r < 0) {
		snprintf(reterr_failure->what, sizeof(reterr_failure->what), "cannot serve the status socket %s: %s",
		         options->status_path, r == -EADDRINUSE ? "another picket serves it" : strerror(-r));
		snprintf(reterr_failure->hint, sizeof(reterr_failure->hint),
		         "give this one another path with --status-socket");
		return r;
	}
	l->options.loader.instance = options->status_path;
	r = loader_new(&l->options.loader, &l->loader, reterr_failure);
	if (r < 0)
		return r;
	narrow_init(&l->narrow, l->loader, pipeline_enrich(pipeline));
	r = watch(l, loader_fd(l->loader));
	if (r < 0)
		return r;
	r = live_set_events(l, &options->events);
	if (r < 0)
		return r;
	l->sensor_count = loader_sensors(l->loader, l->sensors, SENSORS_MAX);
	*ret_live = TAKE_PTR(l);
	return 0;
}

void live_free(struct live *l)
{
	if (!l)
		return;
	narrow_done(&l->narrow);
	if (l->loader)
		loader_free(l->loader);
	status_server_free(l->status);
	control_server_free(l->control);
	base_close_fd(&l->signal_fd);
	base_close_fd(&l->epoll_fd);
	free(l);
}

void live_freep(struct live **l)
{
	live_free(*l);
}

void live_end(struct live *l)
{
	l->ended = true;
}

/* What guests want beside the rules, unless nothing at all is kept back meanwhile. */
static struct event_set kept_events(const struct live *l)
{
	struct event_set kept = {0};
	for (size_t guest = 0; guest < LIVE_GUESTS; guest++)
		if (!l->wishes[guest].all)
			event_set_add_all(&kept, &l->wishes[guest].events);
	return kept;
}

static int set_wanted(struct live *l)
{
	struct event_set wanted = l->events, kept = kept_events(l);
	_Static_assert(ARRAY_SIZE(wanted.bits) == 4, "loader_set_events() takes four words");
	for (size_t guest = 0; guest < LIVE_GUESTS; guest++)
		event_set_add_all(&wanted, &l->wishes[guest].events);
	for (size_t i = 0; i < ARRAY_SIZE(wanted.bits); i++)
		wanted.bits[i] &= ~l->shed.bits[i];
	return loader_set_events(l->loader, wanted.bits, kept.bits);
}

int live_shed_events(struct live *l, const struct event_set *events)
{
	l->shed = *events;
	return set_wanted(l);
}

bool live_is_shedding(const struct live *l)
{
	static const struct event_set none;
	return memcmp(&l->shed, &none, sizeof(none)) != 0;
}

int live_run_time(void *live, uint64_t *ret_ns)
{
	const struct live *l = live;
	return loader_run_time(l->loader, ret_ns);
}

int live_set_events(struct live *l, const struct event_set *events)
{
	l->events = *events;
	return set_wanted(l);
}

int live_set_wish(struct live *l, enum live_guest guest, const struct live_wish *wish)
{
	bool writes = false, all = false;
	l->wishes[guest] = wish ? *wish : (struct live_wish){.all = false};
	for (size_t i = 0; i < LIVE_GUESTS; i++) {
		writes = writes || l->wishes[i].writes;
		all = all || l->wishes[i].all;
	}
	struct event_set kept = kept_events(l);
	narrow_keep(&l->narrow, &kept);
	loader_keep_writes(l->loader, writes);
	loader_pause_sieve(l->loader, all);
	return set_wanted(l);
}

void live_pass_file(struct live *l, uint32_t dev, uint64_t ino)
{
	loader_pass_file(l->loader, dev, ino);
}

static void pass_file(void *userdata, uint32_t dev, uint64_t ino)
{
	live_pass_file(userdata, dev, ino);
}

void live_unmatched(struct live *l, const struct enrich_view *view, struct arena *arena)
{
	narrow_event(&l->narrow, view, arena);
}

int live_set_filter(struct live *l, struct str condition)
{
	struct rule_programs *programs;
	struct rule_set *set;
	int r = rule_set_from_condition(condition, &set);
	if (r < 0)
		return r;
	r = rule_programs_new(set, &programs);
	if (r == 0) {
		sieve_install(l->loader, programs, &l->sieve);
		rule_programs_free(programs);
	}
	rule_set_free(set);
	return r;
}

void live_set_sieve(struct live *l, struct rule_programs *programs)
{
	narrow_set(&l->narrow, programs);
	if (!programs) {
		sieve_remove(l->loader);
		l->sieve = (struct sieve_status){0};
		return;
	}
	enrich_watch_each(pipeline_enrich(l->pipeline), pass_file, l);
	sieve_install(l->loader, programs, &l->sieve);
}

const struct loader_sensor_report *live_sensors(const struct live *l, size_t *ret_count)
{
	*ret_count = l->sensor_count;
	return l->sensors;
}

uint64_t live_position(const struct live *l)
{
	return loader_position(l->loader);
}

bool live_has_passed(const struct live *l, uint64_t position)
{
	return loader_has_passed(l->loader, position);
}

/* ---- losses ---- */

static bool counter_is_loss(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(loss_counters); i++)
		if (strcmp(loss_counters[i], name) == 0)
			return true;
	return false;
}

static int counters_get(struct live *l, uint64_t values[COUNTERS_MAX], size_t *ret_count)
{
	size_t count = loader_counter_count();
	if (count > COUNTERS_MAX)
		return -E2BIG;
	int r = loader_counters(l->loader, values, count);
	if (r == 0)
		*ret_count = count;
	return r;
}

/* What the full ring refused is newer than what it held: so losses stand after the records that were just taken. */
static int losses_check(struct live *l)
{
	uint64_t values[COUNTERS_MAX], lost = 0;
	size_t count = 0;
	int r = counters_get(l, values, &count);
	if (r < 0)
		return 0;
	for (size_t i = 0; i < count; i++)
		if (counter_is_loss(loader_counter_name(i)))
			lost += values[i];
	if (lost <= l->lost)
		return 0;
	uint64_t more = lost - l->lost;
	l->lost = lost;
	return pipeline_put_loss(l->pipeline, more);
}

/* ---- status ---- */

static void add_counters(struct live *l, struct json *j)
{
	uint64_t values[COUNTERS_MAX];
	size_t count = 0;
	if (counters_get(l, values, &count) < 0)
		return;
	json_key(j, "counters");
	json_begin_object(j);
	for (size_t i = 0; i < count; i++) {
		json_key(j, loader_counter_name(i));
		json_u64(j, values[i]);
	}
	json_end_object(j);
	json_key(j, "counters_meaning");
	json_begin_object(j);
	for (size_t i = 0; i < count; i++) {
		json_key(j, loader_counter_name(i));
		json_text(j, loader_counter_doc(i));
	}
	json_end_object(j);
}

static void add_sensors(const struct live *l, struct json *j)
{
	json_key(j, "sensors");
	json_begin_array(j);
	for (size_t i = 0; i < l->sensor_count; i++) {
		json_begin_object(j);
		json_key(j, "name");
		json_text(j, l->sensors[i].name);
		json_key(j, "hook");
		json_text(j, l->sensors[i].hook);
		json_key(j, "lost");
		json_text(j, l->sensors[i].lost);
		json_end_object(j);
	}
	json_end_array(j);
}

void live_add_status(struct live *l, struct buf *out)
{
	struct loader_ring_info ring;
	struct json j;
	json_init(&j, out);
	json_begin_object(&j);
	report_process(&j);
	json_key(&j, "uptime_s");
	json_double(&j, (double)(clock_monotonic_ns() - l->started_ns) / 1e9);
	report_pipeline(&j, l->pipeline, l->events_per_second);
	loader_get_ring(l->loader, &ring);
	json_key(&j, "ring");
	json_begin_object(&j);
	json_key(&j, "bytes");
	json_u64(&j, ring.bytes);
	json_key(&j, "used");
	json_u64(&j, ring.used);
	json_end_object(&j);
	add_counters(l, &j);
	add_sensors(l, &j);
	sieve_report(&l->sieve, &j);
	if (l->options.hooks.report)
		l->options.hooks.report(l->options.hooks.userdata, &j);
	json_end_object(&j);
	buf_add_char(out, '\n');
}

static void status_fill(void *userdata, struct buf *out)
{
	live_add_status(userdata, out);
}

static void status_to_stderr(struct live *l)
{
	_cleanup_(buf_done) struct buf json, text;
	buf_init(&json, STATUS_BYTES);
	buf_init(&text, STATUS_BYTES);
	live_add_status(l, &json);
	if (report_add_text(buf_str(&json), false, &text) == 0)
		fwrite(text.data, 1, text.length, stderr);
}

/* ---- the loop ---- */

/* by_kernel: nobody sent it. Such a SIGHUP says that the terminal is gone, and with it who wanted to read. */
static void signal_handle(struct live *l, uint32_t number, bool by_kernel)
{
	const struct live_hooks *hooks = &l->options.hooks;
	if (number == SIGUSR1) {
		status_to_stderr(l);
	} else if (number == SIGHUP && hooks->reload && !by_kernel) {
		notify_send("RELOADING=1");
		hooks->reload(hooks->userdata, l);
		notify_send("READY=1");
	} else {
		l->ended = true;
	}
}

static void signals_serve(struct live *l)
{
	struct signalfd_siginfo info;
	while (read(l->signal_fd, &info, sizeof(info)) == sizeof(info))
		signal_handle(l, info.ssi_signo, info.ssi_code == SI_KERNEL);
}

static int tick(struct live *l, uint64_t now)
{
	const struct live_hooks *hooks = &l->options.hooks;
	uint64_t events = pipeline_get_stats(l->pipeline)->events;
	double elapsed = (double)(now - l->tick_ns) / 1e9;
	l->events_per_second = (double)(events - l->tick_events) / elapsed;
	l->tick_events = events;
	l->tick_ns = now;
	pipeline_tick(l->pipeline, clock_boot_ns());
	if (l->status)
		status_server_serve(l->status, status_fill, l);
	if (notify_watchdog_ns() > 0)
		notify_send("WATCHDOG=1");
	if (hooks->tick)
		hooks->tick(hooks->userdata, l);
	return losses_check(l);
}

static int ring_take(struct live *l)
{
	ssize_t taken = loader_poll(l->loader, POLL_BATCH, pipeline_put_record, l->pipeline);
	if (taken < 0)
		return (int)taken;
	l->more = taken >= POLL_BATCH;
	narrow_check(&l->narrow);
	l->empty_looks = taken > 0 ? 0 : l->empty_looks + 1;
	/* Only a ring that was well filled can have been full. */
	return taken > POLL_BATCH / 32 ? losses_check(l) : 0;
}

static int wait_ms(const struct live *l, uint64_t now)
{
	int ms = l->more ? 0 : l->empty_looks > POLL_IDLE_AFTER ? POLL_IDLE_MS : POLL_BUSY_MS;
	if (l->deadline_ns && l->deadline_ns > now)
		ms = (int)MIN((uint64_t)ms, (l->deadline_ns - now) / NS_PER_MS + 1);
	return ms;
}

static int loop_once(struct live *l)
{
	struct epoll_event events[4];
	int count = epoll_wait(l->epoll_fd, events, ARRAY_SIZE(events), wait_ms(l, clock_monotonic_ns()));
	if (count < 0 && errno != EINTR)
		return -errno;
	for (int i = 0; i < count; i++) {
		if (events[i].data.fd == l->signal_fd)
			signals_serve(l);
		else if (l->status && events[i].data.fd == status_server_fd(l->status))
			status_server_serve(l->status, status_fill, l);
		else if (l->control && events[i].data.fd == control_server_fd(l->control))
			control_server_serve(l->control, l->options.hooks.order, l->options.hooks.userdata);
	}
	int r = ring_take(l);
	if (r < 0)
		return r;
	if (l->options.hooks.turn)
		l->options.hooks.turn(l->options.hooks.userdata);
	uint64_t now = clock_monotonic_ns();
	if (l->deadline_ns && now >= l->deadline_ns)
		l->ended = true;
	return now >= l->tick_ns + TICK_NS ? tick(l, now) : 0;
}

/* What was recorded until the end still counts. Bounded: a busy machine makes events as fast as we take them. */
static int ring_drain(struct live *l)
{
	int r = 0;
	for (unsigned i = 0; i < DRAIN_BATCHES_MAX && r == 0; i++) {
		r = ring_take(l);
		if (!l->more)
			break;
	}
	return r < 0 ? r : losses_check(l);
}

static int loop(struct live *l)
{
	int r = 0;
	while (!l->ended && r == 0)
		r = loop_once(l);
	if (r == 0)
		r = ring_drain(l);
	return r;
}

static int start(struct live *l)
{
	const struct live_hooks *hooks = &l->options.hooks;
	int r = loader_list_tasks(l->loader, pipeline_put_record, l->pipeline);
	if (r < 0) {
		log_error("cannot list the processes that are there: %s", strerror(-r));
		return r;
	}
	r = hooks->started ? hooks->started(hooks->userdata, l) : 0;
	if (r < 0)
		return r;
	r = privileges_drop(l->options.guards);
	if (r < 0)
		log_warning("cannot give up privileges: %s", strerror(-r));
	notify_send("READY=1");
	return 0;
}

int live_run(struct live *l)
{
	l->started_ns = l->tick_ns = clock_monotonic_ns();
	if (l->options.duration_ns)
		l->deadline_ns = l->started_ns + l->options.duration_ns;
	int r = start(l);
	if (r == 0)
		r = loop(l);
	notify_send("STOPPING=1");
	return r == -ECANCELED ? 0 : r;
}
