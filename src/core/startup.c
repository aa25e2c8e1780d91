/* SPDX-License-Identifier: Apache-2.0 */
#include "core/startup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "core/log.h"

#define RUNNING "running"
#define KERNEL_TYPES "/sys/kernel/btf/vmlinux"
#define KERNEL_TYPES_MAX (64u << 20)
#define DIAGS_MAX 10
#define TRIES 20 /* for a store that another one is changing */
#define TRY_MS 50
#define RETRY_NS (10 * NS_PER_S)

static uint64_t now_s(void)
{
	return clock_real_ns() / NS_PER_S;
}

static void say(const struct diag_list *diags, const char *path, int r)
{
	for (size_t i = 0; i < diags->count; i++)
		log_error("%s: %s", diags->items[i].file ? diags->items[i].file : path, diags->items[i].text);
	if (diags->count == 0)
		log_error("%s: %s", path, strerror(-r));
}

/* ---- the kernel ---- */

/* Its release and version, and its types: a kernel that was built anew has others, or none. */
static struct digest kernel_identity(void)
{
	_cleanup_(buf_done) struct buf types;
	struct utsname name = {.sysname = ""};
	char text[512];
	buf_init(&types, KERNEL_TYPES_MAX);
	(void)uname(&name);
	snprintf(text, sizeof(text), "%s %s %s\n", name.release, name.version, name.machine);
	if (file_read(KERNEL_TYPES, &types) < 0)
		buf_clear(&types);
	return digest_of_two(str_from(text), buf_str(&types));
}

/* ---- the store ---- */

void startup_look(struct startup *s)
{
	_cleanup_(diag_list_done) struct diag_list diags;
	_cleanup_(store_closep) struct store *store = NULL;
	diag_list_init(&diags, DIAGS_MAX);
	int r = store_open(s->path, STORE_READ, &diags, &store);
	if (r < 0) {
		say(&diags, s->path, r);
		return;
	}
	s->state = *store_state(store);
}

static int open_for_change(const struct startup *s, struct store **ret_store)
{
	int r = -EBUSY;
	for (unsigned i = 0; i < TRIES && r == -EBUSY; i++) {
		_cleanup_(diag_list_done) struct diag_list diags;
		const struct timespec wait = {.tv_nsec = TRY_MS * NS_PER_MS};
		diag_list_init(&diags, DIAGS_MAX);
		r = store_open(s->path, STORE_WRITE, &diags, ret_store);
		if (r == -EBUSY)
			nanosleep(&wait, NULL);
		if (r < 0 && (r != -EBUSY || i + 1 == TRIES))
			say(&diags, s->path, r);
	}
	return r;
}

static void add_evidence(const struct startup *s, const char *reason, struct str details, struct buf *out)
{
	struct json j;
	json_init(&j, out);
	json_begin_object(&j);
	json_key(&j, "reason");
	json_text(&j, reason);
	json_key(&j, "by");
	json_text(&j, "picket run");
	json_key(&j, "rung");
	json_text(&j, boot_rung_name(s->boot.rung));
	if (details.length > 0) {
		json_key(&j, "details");
		json_raw(&j, details);
	}
	json_end_object(&j);
}

typedef int change_function(struct store *s, uint64_t now_s, struct str evidence);

static int change(struct startup *s, change_function *call, const char *reason, struct str details)
{
	_cleanup_(store_closep) struct store *store = NULL;
	_cleanup_(buf_done) struct buf evidence;
	buf_init(&evidence, HISTORY_EVIDENCE_MAX);
	add_evidence(s, reason, details, &evidence);
	int r = buf_error(&evidence);
	if (r == 0)
		r = open_for_change(s, &store);
	if (r < 0)
		return r;
	r = call(store, now_s(), buf_str(&evidence));
	if (r < 0)
		log_error("%s: the state cannot be written: %s", s->path, strerror(-r));
	s->state = *store_state(store);
	return r;
}

static int note_step(struct store *store, uint64_t time_s, struct str evidence)
{
	return store_note(store, "stepped-down", time_s, evidence);
}

/* ---- starts ---- */

static void write_boot(const struct startup *s)
{
	int r = boot_write(s->path, &s->boot);
	if (r < 0)
		log_warning("%s/boot: %s: if this content kills picket, picket does not get away from it by itself",
		            s->path, strerror(-r));
}

static const struct store_entry *running_entry(const struct startup *s)
{
	return &s->state.roles[s->role];
}

/* Other content is run from now on. */
static void enter(struct startup *s)
{
	boot_enter(&s->boot, &running_entry(s)->id, &s->kernel);
	s->rung = s->boot.rung;
}

static void count(struct startup *s)
{
	s->boot.starts++;
	s->counted = true;
	write_boot(s);
}

bool startup_is_unproved(const struct startup *s)
{
	return s->role == STORE_CURRENT && store_state_is_unproved(&s->state);
}

void startup_step_down(struct startup *s, const char *reason)
{
	if (startup_is_unproved(s)) {
		log_error("%s: back to the last known good content", reason);
		(void)!startup_roll_back(s, reason, (struct str){0});
		return;
	}
	snprintf(s->reason, sizeof(s->reason), "%s", reason);
	s->rung = MIN(s->boot.rung + 1, BOOT_OFF);
	s->boot.rung = s->rung;
	s->boot.starts = 0;
	log_error("%s: %s", reason, s->rung == BOOT_OFF ? "sensors stay off" : "it only watches, and no policy acts");
	(void)!change(s, note_step, reason, (struct str){0});
	count(s);
}

static int take(struct startup *s)
{
	char path[STARTUP_PATH_MAX];
	if (snprintf(path, sizeof(path), "%s/" RUNNING, s->path) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	int r = file_make_dirs(s->path, 0700);
	s->lock_fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock_fd < 0)
		s->lock_fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (s->lock_fd < 0)
		return r < 0 ? r : -errno;
	return flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
}

int startup_begin(struct startup *s, const char *path)
{
	*s = (struct startup){.lock_fd = -1, .role = STORE_CURRENT};
	if (snprintf(s->path, sizeof(s->path), "%s", path) >= (int)sizeof(s->path)) {
		log_error("%s: %s", path, strerror(ENAMETOOLONG));
		return -ENAMETOOLONG;
	}
	int r = take(s);
	if (r == -EWOULDBLOCK) {
		log_error("another picket runs with the state in %s", path);
		return -EBUSY;
	}
	if (r < 0)
		log_warning("%s: %s: picket goes on without writing there", path, strerror(-r));
	startup_look(s);
	s->kernel = kernel_identity();
	r = boot_read(path, &s->boot);
	if (r < 0 && r != -ENOENT)
		log_warning("%s/boot: %s: starts are counted anew", path, strerror(-r));
	enter(s);
	if (s->rung != BOOT_NORMAL)
		snprintf(s->reason, sizeof(s->reason), "starts before this one died");
	if (s->boot.starts >= BOOT_STARTS_MAX)
		startup_step_down(s, "two starts in a row died before they proved themselves");
	else
		count(s);
	return 0;
}

void startup_done(struct startup *s)
{
	base_close_fd(&s->lock_fd);
	s->lock_fd = -1;
}

bool startup_is_bundle(const struct startup *s)
{
	return running_entry(s)->version > 0;
}

bool startup_needs_preflight(const struct startup *s)
{
	return !digest_equal(&s->boot.kernel, &s->kernel);
}

void startup_passed_preflight(struct startup *s)
{
	s->boot.kernel = s->kernel;
	write_boot(s);
}

void startup_proved(struct startup *s)
{
	if (!s->counted)
		return;
	s->counted = false;
	s->boot.starts = 0;
	s->boot.rung = BOOT_NORMAL;
	write_boot(s);
}

void startup_ended(struct startup *s)
{
	if (!s->counted)
		return;
	s->counted = false;
	s->boot.starts--;
	write_boot(s);
}

/* ---- changes ---- */

int startup_promote(struct startup *s, const char *reason, struct str details)
{
	int r = change(s, store_promote, reason, details);
	if (r < 0)
		return r;
	s->role = STORE_CURRENT;
	s->reason[0] = '\0';
	enter(s);
	s->boot.kernel = s->kernel;
	count(s);
	return 0;
}

int startup_confirm(struct startup *s, const char *reason, struct str details)
{
	return change(s, store_confirm, reason, details);
}

int startup_roll_back(struct startup *s, const char *reason, struct str details)
{
	if (!startup_is_unproved(s) && s->state.roles[STORE_BEFORE].version == 0)
		return -ENOENT;
	if (change(s, store_roll_back, reason, details) < 0) {
		s->role = startup_is_unproved(s) ? STORE_GOOD : STORE_BEFORE;
		s->retry_ns = clock_monotonic_ns() + RETRY_NS;
	}
	snprintf(s->reason, sizeof(s->reason), "%s", reason);
	enter(s);
	count(s);
	return 0;
}

void startup_tick(struct startup *s)
{
	if (s->role == STORE_CURRENT || clock_monotonic_ns() < s->retry_ns)
		return;
	s->retry_ns = clock_monotonic_ns() + RETRY_NS;
	if (change(s, store_roll_back, s->reason, (struct str){0}) < 0)
		return;
	s->role = STORE_CURRENT;
	write_boot(s);
	log_notice("%s: the way back is on disk now", s->path);
}

int startup_dismiss(struct startup *s, const char *reason, struct str details)
{
	return change(s, store_dismiss, reason, details);
}
