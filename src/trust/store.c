/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/store_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define STATE "state"
#define LOCK "lock"
#define BUNDLES "bundles"
#define PATH_BYTES 4096
#define BUNDLE_FILE_MAX (BUNDLE_BYTES_MAX + (1u << 20)) /* with all that stands before the files */

struct store {
	char path[PATH_BYTES];
	int dir; /* negative: it is not there */
	int lock;
	struct store_state state;
	struct history_end end; /* of its history */
};

/* ---- opening ---- */

static int tell(struct diag_list *diags, const char *path, int r)
{
	struct diag *d = diag_add(diags, DIAG_ERROR, STORE_CODE, path, 0, 0, "%s",
	                          r == -EWOULDBLOCK ? "another picket is changing it" : strerror(-r));
	if (r == -EROFS || r == -EACCES)
		diag_set_hint(d, "name a directory that can be written with --state");
	return r == -EWOULDBLOCK ? -EBUSY : r;
}

static int tell_damage(struct diag_list *diags, const char *path, const char *text)
{
	struct diag *d = diag_add(diags, DIAG_ERROR, STORE_CODE, path, 0, 0, "%s", text);
	diag_set_hint(
	        d,
	        "nothing is accepted until a person has looked at it. Move the directory away to start as on a new host:\n"
	        "which versions were seen here is forgotten then");
	return -EBADMSG;
}

static int join(const struct store *s, const char *name, char ret_path[PATH_BYTES])
{
	return snprintf(ret_path, PATH_BYTES, "%s/%s", s->path, name) < PATH_BYTES ? 0 : -ENAMETOOLONG;
}

static int write_state(const struct store *s, const struct store_state *state)
{
	_cleanup_(buf_done) struct buf text;
	char path[PATH_BYTES];
	buf_init(&text, STATE_BYTES_MAX);
	state_write(state, &text);
	int r = buf_error(&text);
	if (r == 0)
		r = join(s, STATE, path);
	return r < 0 ? r : file_write_atomic(path, buf_str(&text), 0600);
}

/* Holds the lock until the store is closed. */
static int take_lock(struct store *s)
{
	s->lock = openat(s->dir, LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock < 0)
		return -errno;
	return flock(s->lock, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
}

static int open_directory(struct store *s, enum store_use use)
{
	char bundles[PATH_BYTES];
	int r = use == STORE_WRITE ? join(s, BUNDLES, bundles) : 0;
	if (r == 0 && use == STORE_WRITE)
		r = file_make_dirs(bundles, 0700);
	if (r < 0)
		return r;
	s->dir = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir < 0)
		return errno == ENOENT && use == STORE_READ ? 0 : -errno;
	return use == STORE_WRITE ? take_lock(s) : 0;
}

static bool is_there(const struct store *s, const char *name)
{
	return faccessat(s->dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* A state is written before the first line of history: lines without one mean that it was taken away. */
static int read_state(struct store *s, struct diag_list *diags)
{
	_cleanup_(buf_done) struct buf text;
	buf_init(&text, STATE_BYTES_MAX);
	int r = file_read_at(s->dir, STATE, &text);
	if (r == -ENOENT)
		return is_there(s, "history") || is_there(s, "history.1")
		               ? tell_damage(diags, s->path, "its state is gone, and its history is not")
		               : 0;
	if (r < 0)
		return tell(diags, s->path, r);
	if (state_parse(buf_str(&text), STATE, diags, &s->state) < 0)
		return tell_damage(diags, s->path, "its state is damaged");
	return 0;
}

static struct history_end known_end(const struct store *s)
{
	return (struct history_end){.count = s->state.history_count, .head = s->state.history_head};
}

static int read_end(struct store *s, struct diag_list *diags, struct history_verdict *ret_verdict)
{
	struct history_end known = known_end(s);
	char text[160];
	int r = history_walk(s->dir, &known, NULL, NULL, ret_verdict, &s->end);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return tell(diags, s->path, r);
	if (!history_is_damaged(ret_verdict))
		return 0;
	snprintf(text, sizeof(text), "its history was tampered with, from line %llu on: %s",
	         (unsigned long long)ret_verdict->number, history_verdict_text(ret_verdict));
	return tell_damage(diags, s->path, text);
}

/* ---- what was left half done ---- */

static bool is_wanted(const struct store *s, const char *id)
{
	for (enum store_role role = 0; role < STORE_ROLES; role++) {
		_cleanup_(buf_done) struct buf hex;
		buf_init(&hex, DIGEST_HEX);
		digest_add(&s->state.roles[role].id, DIGEST_HEX, &hex);
		if (s->state.roles[role].version > 0 && str_equals(buf_str(&hex), id))
			return true;
	}
	return false;
}

static bool is_no_temporary(const struct store *s, const char *name)
{
	(void)s;
	return !str_starts_with(str_from(name), STR(STATE "."));
}

/* Of the names in a directory takes away those that are not kept. What cannot be is left: it does no harm. */
static void sweep(const struct store *s, const char *name, bool (*keep)(const struct store *s, const char *name))
{
	int fd = openat(s->dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	if (!dir) {
		base_close_fd(&fd);
		return;
	}
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] != '.' && !keep(s, entry->d_name))
			unlinkat(fd, entry->d_name, 0);
	}
	closedir(dir);
}

static void sweep_all(const struct store *s)
{
	sweep(s, ".", is_no_temporary);
	sweep(s, BUNDLES, is_wanted);
}

/* A line and then the state that it leads to. */
static int commit(struct store *s, const struct store_state *next, const char *what, uint64_t now_s,
                  struct str evidence)
{
	struct store_state state = *next;
	struct history_end end = s->end;
	if (evidence.length > HISTORY_EVIDENCE_MAX)
		return -EMSGSIZE;
	state.time_s = MAX(state.time_s, now_s);
	int r = history_append(s->dir, &end, what, now_s, evidence);
	if (r < 0)
		return r;
	s->end = end;
	state.history_count = end.count;
	state.history_head = end.head;
	r = write_state(s, &state);
	if (r == 0)
		s->state = state;
	return r;
}

/* After a failure nothing is swept: the state may be there all the same, and name what the one before did not. */
static int commit_and_sweep(struct store *s, const struct store_state *next, const char *what, uint64_t now_s,
                            struct str evidence)
{
	int r = commit(s, next, what, now_s, evidence);
	if (r == 0)
		sweep_all(s);
	return r;
}

/* Of the last line, what it says was not done. */
static int note_interrupted(struct store *s)
{
	char evidence[64];
	snprintf(evidence, sizeof(evidence), "{\"line\":%llu}", (unsigned long long)s->end.count);
	return commit(s, &s->state, "interrupted", s->state.time_s, str_from(evidence));
}

/* A new store: its directories must be there after a power loss, as its state. */
static int begin(const struct store *s)
{
	_cleanup_(base_close_fd) int parent = openat(s->dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0 || fsync(parent) < 0)
		return -errno;
	return write_state(s, &s->state);
}

static int mend(struct store *s, const struct history_verdict *verdict)
{
	int r = is_there(s, STATE) ? 0 : begin(s);
	if (r == 0 && verdict->kind == HISTORY_CUT)
		r = history_cut(s->dir, &s->end);
	if (r == 0 && s->end.count > s->state.history_count)
		r = note_interrupted(s);
	if (r == 0)
		sweep_all(s);
	return r;
}

/* ---- the object ---- */

static int open_whole(struct store *s, enum store_use use, struct diag_list *diags)
{
	struct history_verdict verdict;
	int r = open_directory(s, use);
	if (r < 0)
		return tell(diags, s->path, r);
	if (s->dir < 0)
		return 0;
	r = read_state(s, diags);
	if (r == 0 && use == STORE_WRITE) {
		r = read_end(s, diags, &verdict);
		if (r < 0)
			return r;
		r = mend(s, &verdict);
		return r < 0 ? tell(diags, s->path, r) : 0;
	}
	return r;
}

int store_open(const char *path, enum store_use use, struct diag_list *reterr_diags, struct store **ret_store)
{
	_cleanup_(store_closep) struct store *s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->dir = s->lock = -1;
	if (snprintf(s->path, sizeof(s->path), "%s", path) >= (int)sizeof(s->path))
		return tell(reterr_diags, path, -ENAMETOOLONG);
	int r = open_whole(s, use, reterr_diags);
	if (r < 0)
		return r;
	*ret_store = TAKE_PTR(s);
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	base_close_fd(&s->lock);
	base_close_fd(&s->dir);
	free(s);
}

void store_closep(struct store **s)
{
	store_close(*s);
}

const struct store_state *store_state(const struct store *s)
{
	return &s->state;
}

int store_read_history(const struct store *s, void (*call)(void *userdata, const struct history_line *line),
                       void *userdata, struct history_verdict *ret_verdict)
{
	struct history_end known = known_end(s), end;
	if (s->dir >= 0)
		return history_walk(s->dir, &known, call, userdata, ret_verdict, &end);
	*ret_verdict = (struct history_verdict){0};
	return 0;
}

/* ---- bundles ---- */

static int bundle_path(const struct store *s, const struct digest *id, char ret_path[PATH_BYTES])
{
	_cleanup_(buf_done) struct buf name;
	buf_init(&name, 128);
	buf_add_text(&name, BUNDLES "/");
	digest_add(id, DIGEST_HEX, &name);
	int r = buf_error(&name);
	return r < 0 ? r : join(s, name.data, ret_path);
}

int store_read_bundle(const struct store *s, enum store_role role, struct buf *out)
{
	char path[PATH_BYTES];
	if (s->dir < 0 || s->state.roles[role].version == 0)
		return -ENOENT;
	int r = bundle_path(s, &s->state.roles[role].id, path);
	return r < 0 ? r : file_read(path, out);
}

static int damaged(struct diag_list *diags, enum store_role role, const char *text)
{
	diag_add(diags, DIAG_ERROR, STORE_CODE, store_role_name(role), 0, 0, "the %s bundle %s", store_role_name(role),
	         text);
	return -EINVAL;
}

int store_open_bundle(const struct store *s, enum store_role role, struct diag_list *reterr_diags,
                      struct bundle **ret_bundle)
{
	_cleanup_(bundle_freep) struct bundle *b = NULL;
	_cleanup_(buf_done) struct buf bytes;
	buf_init(&bytes, BUNDLE_FILE_MAX);
	if (s->dir < 0 || s->state.roles[role].version == 0)
		return -ENOENT;
	int r = store_read_bundle(s, role, &bytes);
	if (r < 0)
		return r == -ENOMEM ? r : damaged(reterr_diags, role, "cannot be read");
	r = bundle_read_bytes(buf_str(&bytes), store_role_name(role), reterr_diags, &b);
	if (r == 0 && !digest_equal(&b->id, &s->state.roles[role].id))
		r = damaged(reterr_diags, role, "is not the one that was accepted");
	if (r == 0)
		r = bundle_parse(b, MANIFEST_WHOLE, reterr_diags);
	if (r == 0)
		r = bundle_match(b, reterr_diags);
	if (r < 0)
		return r;
	*ret_bundle = TAKE_PTR(b);
	return 0;
}

static int write_bundle(const struct store *s, const struct bundle *b)
{
	_cleanup_(buf_done) struct buf bytes;
	char path[PATH_BYTES];
	buf_init(&bytes, BUNDLE_FILE_MAX);
	bundle_pack(b, &bytes);
	int r = buf_error(&bytes);
	if (r == 0)
		r = bundle_path(s, &b->id, path);
	return r < 0 ? r : file_write_atomic(path, buf_str(&bytes), 0600);
}

/* ---- changes ---- */

static struct store_entry entry_of(const struct bundle *b)
{
	struct store_entry e = {.version = b->manifest.version, .id = b->id};
	memcpy(e.name, b->manifest.name.data, MIN(b->manifest.name.length, (size_t)BUNDLE_NAME_MAX));
	return e;
}

static int set_newest(struct store_state *s, const struct store_entry *e)
{
	size_t i = 0;
	while (i < s->newest_count && strcmp(s->newest[i].name, e->name) != 0)
		i++;
	if (i == STORE_NAMES_MAX)
		return -ENOSPC;
	s->newest_count = MAX(s->newest_count, i + 1);
	s->newest[i] = *e;
	return 0;
}

int store_accept(struct store *s, const struct bundle *b, uint64_t now_s, struct str evidence)
{
	struct store_state next = s->state;
	next.roles[STORE_NEXT] = entry_of(b);
	int r = set_newest(&next, &next.roles[STORE_NEXT]);
	if (r == 0)
		r = write_bundle(s, b);
	if (r == 0)
		r = commit_and_sweep(s, &next, "accepted", now_s, evidence);
	return r;
}

int store_promote(struct store *s, uint64_t now_s, struct str evidence)
{
	struct store_state next = s->state;
	if (next.roles[STORE_NEXT].version == 0)
		return -ENOENT;
	next.roles[STORE_CURRENT] = next.roles[STORE_NEXT];
	next.roles[STORE_NEXT] = (struct store_entry){0};
	return commit_and_sweep(s, &next, "promoted", now_s, evidence);
}

int store_confirm(struct store *s, uint64_t now_s, struct str evidence)
{
	struct store_state next = s->state;
	if (next.roles[STORE_CURRENT].version == 0)
		return -ENOENT;
	if (store_state_is_unproved(&next)) {
		next.roles[STORE_BEFORE] = next.roles[STORE_GOOD];
		next.roles[STORE_GOOD] = next.roles[STORE_CURRENT];
	}
	return commit_and_sweep(s, &next, "confirmed", now_s, evidence);
}

bool store_state_is_unproved(const struct store_state *s)
{
	const struct store_entry *current = &s->roles[STORE_CURRENT], *good = &s->roles[STORE_GOOD];
	return current->version > 0 && !(good->version > 0 && digest_equal(&current->id, &good->id));
}

int store_roll_back(struct store *s, uint64_t now_s, struct str evidence)
{
	struct store_state next = s->state;
	if (!store_state_is_unproved(&next)) {
		if (next.roles[STORE_BEFORE].version == 0)
			return -ENOENT;
		next.roles[STORE_GOOD] = next.roles[STORE_BEFORE];
		next.roles[STORE_BEFORE] = (struct store_entry){0};
	}
	next.roles[STORE_CURRENT] = next.roles[STORE_GOOD];
	return commit_and_sweep(s, &next, "rolled-back", now_s, evidence);
}

int store_dismiss(struct store *s, uint64_t now_s, struct str evidence)
{
	struct store_state next = s->state;
	if (next.roles[STORE_NEXT].version == 0)
		return -ENOENT;
	next.roles[STORE_NEXT] = (struct store_entry){0};
	return commit_and_sweep(s, &next, "dismissed", now_s, evidence);
}

int store_note(struct store *s, const char *what, uint64_t now_s, struct str evidence)
{
	return commit(s, &s->state, what, now_s, evidence);
}

int store_set_time(struct store *s, uint64_t now_s, struct str evidence)
{
	struct store_state next = s->state;
	next.time_s = now_s;
	return commit(s, &next, "clock-set", now_s, evidence);
}
