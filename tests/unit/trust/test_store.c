/* SPDX-License-Identifier: Apache-2.0
 *
 * The store, with power that fails at every step of every change.
 */
#include "trust_helper.h"

#include <sched.h>
#include <sys/mount.h>

#include "power.h"
#include "trust/store.h"

#define NOW 1795341600ull
#define RULE RULE_TEXT("R", "evt.type = open and fd.name = /x", "INFO")
#define EVIDENCE STR("{\"passed\":true}")

struct world {
	struct scratch dir;
	char store[128], backup[128];
	struct bundle *bundles[5]; /* versions 1 … */
};

static void world_init(struct world *w)
{
	scratch_init(&w->dir);
	snprintf(w->store, sizeof(w->store), "%s/store", w->dir.path);
	snprintf(w->backup, sizeof(w->backup), "%s/backup", w->dir.path);
	for (size_t i = 0; i < ARRAY_SIZE(w->bundles); i++) {
		char path[PATH_MAX], version[16];
		snprintf(path, sizeof(path), "%s/b%zu", w->dir.path, i + 1);
		snprintf(version, sizeof(version), "%zu", i + 1);
		make_bundle(path, version, RULE);
		w->bundles[i] = open_bundle(path);
	}
}

static void world_done(struct world *w)
{
	for (size_t i = 0; i < ARRAY_SIZE(w->bundles); i++)
		bundle_free(w->bundles[i]);
	scratch_done(&w->dir);
}

static struct store *open_store(const char *path, enum store_use use)
{
	_cleanup_(diag_list_done) struct diag_list diags;
	struct store *s = NULL;
	diag_list_init(&diags, 10);
	if (store_open(path, use, &diags, &s) < 0)
		fail_msg("the store does not open: %s", diags.count ? diags.items[0].text : "");
	return s;
}

static int open_told(const char *path, enum store_use use, const char *told)
{
	_cleanup_(diag_list_done) struct diag_list diags;
	struct store *s = NULL;
	diag_list_init(&diags, 10);
	int r = store_open(path, use, &diags, &s);
	store_close(s);
	if (r < 0)
		assert_told(&diags, told);
	return r;
}

static uint64_t version_of(const struct store *s, enum store_role role)
{
	return store_state(s)->roles[role].version;
}

static uint64_t newest_of(const struct store *s)
{
	const struct store_entry *e = store_state_newest(store_state(s), STR("web"));
	return e ? e->version : 0;
}

static void flip_in(const char *path, size_t at);
static size_t size_of(const char *path);
static void prepare_first(const struct world *w);

/* ---- what it is for ---- */

static void test_roles(void **state)
{
	_cleanup_(world_done) struct world w;
	_cleanup_(store_closep) struct store *s = NULL;
	(void)state;
	world_init(&w);
	s = open_store(w.store, STORE_WRITE);
	assert_null(store_state_name(store_state(s)));
	assert_int_equal(store_promote(s, NOW, EVIDENCE), -ENOENT);
	assert_int_equal(store_accept(s, w.bundles[0], NOW, EVIDENCE), 0);
	assert_string_equal(store_state_name(store_state(s)), "web");
	assert_int_equal(store_promote(s, NOW + 1, EVIDENCE), 0);
	assert_int_equal(store_confirm(s, NOW + 2, EVIDENCE), 0);
	assert_int_equal(store_accept(s, w.bundles[1], NOW + 3, EVIDENCE), 0);
	assert_int_equal(store_promote(s, NOW + 4, EVIDENCE), 0);
	assert_int_equal(version_of(s, STORE_NEXT), 0);
	assert_int_equal(version_of(s, STORE_CURRENT), 2);
	assert_int_equal(version_of(s, STORE_GOOD), 1);
	assert_int_equal(store_roll_back(s, NOW + 5, EVIDENCE), 0);
	assert_int_equal(version_of(s, STORE_CURRENT), 1);
	assert_int_equal(newest_of(s), 2);
	store_close(s);
	s = open_store(w.store, STORE_READ);
	assert_int_equal(version_of(s, STORE_CURRENT), 1);
	assert_int_equal(newest_of(s), 2);
	assert_int_equal(store_state(s)->time_s, NOW + 5);
	assert_int_equal(store_state(s)->history_count, 6);
}

/* What has not proved itself gives way to what has; that, to what did so before it; and then there is nothing left. */
static void test_ways_back(void **state)
{
	_cleanup_(world_done) struct world w;
	_cleanup_(store_closep) struct store *s = NULL;
	(void)state;
	world_init(&w);
	s = open_store(w.store, STORE_WRITE);
	assert_int_equal(store_roll_back(s, NOW, EVIDENCE), -ENOENT);
	assert_false(store_state_is_unproved(store_state(s)));
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(store_accept(s, w.bundles[i], NOW, EVIDENCE), 0);
		assert_int_equal(store_promote(s, NOW, EVIDENCE), 0);
		assert_true(store_state_is_unproved(store_state(s)));
		if (i < 2)
			assert_int_equal(store_confirm(s, NOW, EVIDENCE), 0);
	}
	assert_int_equal(store_roll_back(s, NOW, EVIDENCE), 0);
	assert_int_equal(version_of(s, STORE_CURRENT), 2);
	assert_int_equal(version_of(s, STORE_BEFORE), 1);
	assert_int_equal(store_roll_back(s, NOW, EVIDENCE), 0);
	assert_int_equal(version_of(s, STORE_CURRENT), 1);
	assert_int_equal(version_of(s, STORE_GOOD), 1);
	assert_int_equal(version_of(s, STORE_BEFORE), 0);
	assert_int_equal(store_roll_back(s, NOW, EVIDENCE), -ENOENT);
	assert_int_equal(store_confirm(s, NOW, EVIDENCE), 0);
	assert_int_equal(version_of(s, STORE_BEFORE), 0);
}

/* The first content has nothing behind it: then none is current. */
static void test_first_gives_way(void **state)
{
	_cleanup_(world_done) struct world w;
	_cleanup_(store_closep) struct store *s = NULL;
	(void)state;
	world_init(&w);
	prepare_first(&w);
	s = open_store(w.store, STORE_WRITE);
	assert_int_equal(store_roll_back(s, NOW, EVIDENCE), 0);
	assert_int_equal(version_of(s, STORE_CURRENT), 0);
	assert_int_equal(newest_of(s), 1);
	assert_int_equal(store_dismiss(s, NOW, EVIDENCE), -ENOENT);
	assert_int_equal(store_accept(s, w.bundles[1], NOW, EVIDENCE), 0);
	assert_int_equal(store_dismiss(s, NOW, EVIDENCE), 0);
	assert_int_equal(version_of(s, STORE_NEXT), 0);
	assert_int_equal(newest_of(s), 2);
}

static int open_bundle_told(const struct store *s, const char *told)
{
	_cleanup_(diag_list_done) struct diag_list diags;
	_cleanup_(bundle_freep) struct bundle *b = NULL;
	diag_list_init(&diags, 10);
	int r = store_open_bundle(s, STORE_NEXT, &diags, &b);
	if (r < 0 && told)
		assert_told(&diags, told);
	return r;
}

/* What is kept is verified each time that it is taken out: each byte of it. */
static void test_kept_bundle_is_verified(void **state)
{
	_cleanup_(world_done) struct world w;
	_cleanup_(store_closep) struct store *s = NULL;
	_cleanup_(buf_done) struct buf path;
	(void)state;
	world_init(&w);
	s = open_store(w.store, STORE_WRITE);
	assert_int_equal(open_bundle_told(s, NULL), -ENOENT);
	assert_int_equal(store_accept(s, w.bundles[0], NOW, EVIDENCE), 0);
	assert_int_equal(open_bundle_told(s, NULL), 0);
	buf_init(&path, PATH_MAX);
	buf_printf(&path, "%s/bundles/", w.store);
	digest_add(&w.bundles[0]->id, DIGEST_HEX, &path);
	for (size_t at = 0; at < size_of(path.data); at++) {
		flip_in(path.data, at);
		assert_int_equal(open_bundle_told(s, ""), -EINVAL);
		flip_in(path.data, at);
	}
	assert_int_equal(open_bundle_told(s, NULL), 0);
	unlink(path.data);
	assert_int_equal(open_bundle_told(s, "cannot be read"), -EINVAL);
}

/* Bundles that nothing names are taken away; the others can be read. */
static void test_bundles(void **state)
{
	_cleanup_(world_done) struct world w;
	_cleanup_(store_closep) struct store *s = NULL;
	_cleanup_(buf_done) struct buf bytes;
	(void)state;
	world_init(&w);
	buf_init(&bytes, TEXT_BYTES_MAX);
	s = open_store(w.store, STORE_WRITE);
	assert_int_equal(store_read_bundle(s, STORE_NEXT, &bytes), -ENOENT);
	for (size_t i = 0; i < ARRAY_SIZE(w.bundles); i++)
		assert_int_equal(store_accept(s, w.bundles[i], NOW, EVIDENCE), 0);
	assert_int_equal(store_read_bundle(s, STORE_NEXT, &bytes), 0);
	_cleanup_(buf_done) struct buf expected;
	buf_init(&expected, TEXT_BYTES_MAX);
	bundle_pack(w.bundles[4], &expected);
	assert_true(str_equal(buf_str(&bytes), buf_str(&expected)));
	_cleanup_(bundle_freep) struct bundle *found = NULL;
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/bundles", w.store);
	size_t count = 0;
	for (size_t i = 0; i < ARRAY_SIZE(w.bundles); i++) {
		_cleanup_(buf_done) struct buf name;
		buf_init(&name, PATH_MAX);
		buf_printf(&name, "%s/", path);
		digest_add(&w.bundles[i]->id, DIGEST_HEX, &name);
		count += access(name.data, F_OK) == 0;
	}
	assert_int_equal(count, 1);
}

/* The time never goes back, unless that is said. */
static void test_time(void **state)
{
	_cleanup_(world_done) struct world w;
	_cleanup_(store_closep) struct store *s = NULL;
	(void)state;
	world_init(&w);
	s = open_store(w.store, STORE_WRITE);
	assert_int_equal(store_note(s, "refused", NOW + 100, EVIDENCE), 0);
	assert_int_equal(store_note(s, "refused", NOW, EVIDENCE), 0);
	assert_int_equal(store_state(s)->time_s, NOW + 100);
	assert_int_equal(store_set_time(s, NOW + 1, EVIDENCE), 0);
	assert_int_equal(store_state(s)->time_s, NOW + 1);
}

static void test_names_are_limited(void **state)
{
	_cleanup_(world_done) struct world w;
	_cleanup_(store_closep) struct store *s = NULL;
	(void)state;
	world_init(&w);
	s = open_store(w.store, STORE_WRITE);
	for (int i = 0; i <= STORE_NAMES_MAX; i++) {
		char name[16];
		struct bundle b = *w.bundles[0];
		snprintf(name, sizeof(name), "name%d", i);
		b.manifest.name = str_from(name);
		assert_int_equal(store_accept(s, &b, NOW, EVIDENCE), i < STORE_NAMES_MAX ? 0 : -ENOSPC);
	}
	assert_int_equal(store_state(s)->newest_count, STORE_NAMES_MAX);
}

static void test_one_at_a_time(void **state)
{
	_cleanup_(world_done) struct world w;
	_cleanup_(store_closep) struct store *s = NULL;
	(void)state;
	world_init(&w);
	s = open_store(w.store, STORE_WRITE);
	assert_int_equal(open_told(w.store, STORE_WRITE, "another picket is changing it"), -EBUSY);
	assert_int_equal(open_told(w.store, STORE_READ, ""), 0);
}

static void test_new_host(void **state)
{
	_cleanup_(world_done) struct world w;
	_cleanup_(store_closep) struct store *s = NULL;
	struct history_verdict verdict;
	(void)state;
	world_init(&w);
	s = open_store(w.store, STORE_READ);
	assert_int_equal(store_state(s)->newest_count, 0);
	assert_int_equal(store_read_history(s, NULL, NULL, &verdict), 0);
	assert_int_equal(verdict.kind, HISTORY_WHOLE);
	assert_int_equal(access(w.store, F_OK), -1);
}

/* ---- damage ---- */

static void flip_in(const char *path, size_t at)
{
	int fd = open(path, O_RDWR);
	char c;
	assert_int_equal(pread(fd, &c, 1, (off_t)at), 1);
	c = (char)(c ^ 1);
	assert_int_equal(pwrite(fd, &c, 1, (off_t)at), 1);
	close(fd);
}

static size_t size_of(const char *path)
{
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	return (size_t)st.st_size;
}

static void make_store(const struct world *w)
{
	_cleanup_(store_closep) struct store *s = open_store(w->store, STORE_WRITE);
	assert_int_equal(store_accept(s, w->bundles[0], NOW, EVIDENCE), 0);
	assert_int_equal(store_promote(s, NOW, EVIDENCE), 0);
	assert_int_equal(store_confirm(s, NOW, EVIDENCE), 0);
}

static void test_state_damaged(void **state)
{
	_cleanup_(world_done) struct world w;
	char path[PATH_MAX];
	(void)state;
	world_init(&w);
	make_store(&w);
	snprintf(path, sizeof(path), "%s/state", w.store);
	for (size_t at = 0; at < size_of(path); at++) {
		flip_in(path, at);
		assert_int_equal(open_told(w.store, STORE_WRITE, ""), -EBADMSG);
		assert_int_equal(open_told(w.store, STORE_READ, ""), -EBADMSG);
		flip_in(path, at);
	}
	assert_int_equal(open_told(w.store, STORE_WRITE, ""), 0);
	unlink(path);
	assert_int_equal(open_told(w.store, STORE_WRITE, "its state is gone, and its history is not"), -EBADMSG);
}

static void test_history_damaged(void **state)
{
	_cleanup_(world_done) struct world w;
	char path[PATH_MAX];
	(void)state;
	world_init(&w);
	make_store(&w);
	snprintf(path, sizeof(path), "%s/history", w.store);
	size_t size = size_of(path);
	for (size_t at = 0; at < size; at++) {
		flip_in(path, at);
		assert_int_equal(open_told(w.store, STORE_WRITE, "its history was tampered with"), -EBADMSG);
		flip_in(path, at);
	}
	assert_int_equal(open_told(w.store, STORE_WRITE, ""), 0);
	for (size_t length = size; length-- > 0;) {
		assert_int_equal(truncate(path, (off_t)length), 0);
		assert_int_equal(open_told(w.store, STORE_WRITE, "lines are gone from its end"), -EBADMSG);
	}
	unlink(path);
	assert_int_equal(open_told(w.store, STORE_WRITE, "lines are gone from its end"), -EBADMSG);
}

/* ---- the history is read back ---- */

struct seen_lines {
	size_t count;
	struct buf text;
};

static void note_line(void *userdata, const struct history_line *l)
{
	struct seen_lines *s = userdata;
	assert_int_equal(l->number, ++s->count);
	buf_printf(&s->text, STR_FMT " " STR_FMT "\n", STR_ARG(l->what), STR_ARG(l->evidence));
}

static void test_history(void **state)
{
	_cleanup_(world_done) struct world w;
	_cleanup_(store_closep) struct store *s = NULL;
	struct seen_lines seen = {0};
	struct history_verdict verdict;
	(void)state;
	world_init(&w);
	buf_init(&seen.text, TEXT_BYTES_MAX);
	make_store(&w);
	s = open_store(w.store, STORE_READ);
	assert_int_equal(store_read_history(s, note_line, &seen, &verdict), 0);
	assert_int_equal(verdict.kind, HISTORY_WHOLE);
	assert_string_equal(seen.text.data,
	                    "accepted {\"passed\":true}\npromoted {\"passed\":true}\nconfirmed {\"passed\":true}\n");
	buf_done(&seen.text);
}

/* A full file makes room; lines and their numbers go on. */
static void test_history_goes_on(void **state)
{
	_cleanup_(world_done) struct world w;
	_cleanup_(store_closep) struct store *s = NULL;
	_cleanup_(buf_done) struct buf evidence;
	struct history_verdict verdict;
	char path[PATH_MAX];
	(void)state;
	world_init(&w);
	buf_init(&evidence, HISTORY_EVIDENCE_MAX);
	buf_add_char(&evidence, '"');
	while (evidence.length + 1 < HISTORY_EVIDENCE_MAX)
		buf_add_char(&evidence, 'x');
	buf_add_char(&evidence, '"');
	s = open_store(w.store, STORE_WRITE);
	const size_t lines = 2 * HISTORY_BYTES_MAX / HISTORY_EVIDENCE_MAX + 20;
	for (size_t i = 0; i < lines; i++)
		assert_int_equal(store_note(s, "refused", NOW, buf_str(&evidence)), 0);
	store_close(s);
	s = open_store(w.store, STORE_WRITE);
	assert_int_equal(store_state(s)->history_count, lines);
	assert_int_equal(store_read_history(s, NULL, NULL, &verdict), 0);
	assert_int_equal(verdict.kind, HISTORY_WHOLE);
	buf_clear(&evidence);
	while (evidence.length < HISTORY_EVIDENCE_MAX)
		buf_add_char(&evidence, 'x');
	assert_int_equal(store_note(s, "refused", NOW, buf_str(&evidence)), 0);
	assert_int_equal(store_note(s, "refused", NOW, str_make(evidence.data, HISTORY_EVIDENCE_MAX)), 0);
	store_close(s);
	s = NULL;
	snprintf(path, sizeof(path), "%s/history.1", w.store);
	assert_true(size_of(path) <= HISTORY_BYTES_MAX);
	flip_in(path, 200);
	assert_int_equal(open_told(w.store, STORE_WRITE, "its history was tampered with"), -EBADMSG);
	flip_in(path, 200);
	unlink(path);
	assert_int_equal(open_told(w.store, STORE_WRITE, "its history was tampered with"), -EBADMSG);
}

/* ---- power ---- */

struct change {
	const char *name;
	int (*run)(struct store *s, const struct world *w);
};

static int change_accept(struct store *s, const struct world *w)
{
	return store_accept(s, w->bundles[3], NOW, EVIDENCE);
}
static int change_promote(struct store *s, const struct world *w)
{
	(void)w;
	return store_promote(s, NOW, EVIDENCE);
}
static int change_confirm(struct store *s, const struct world *w)
{
	(void)w;
	return store_confirm(s, NOW, EVIDENCE);
}
static int change_roll_back(struct store *s, const struct world *w)
{
	(void)w;
	return store_roll_back(s, NOW, EVIDENCE);
}
static int change_dismiss(struct store *s, const struct world *w)
{
	(void)w;
	return store_dismiss(s, NOW, EVIDENCE);
}
static int change_note(struct store *s, const struct world *w)
{
	(void)w;
	return store_note(s, "refused", NOW, EVIDENCE);
}

static void prepare_new(const struct world *w)
{
	remove_tree(w->store);
	remove_tree(w->backup);
	mkdir(w->backup, 0700);
	store_close(open_store(w->store, STORE_WRITE));
}

/* good 1, current 2, next 3 */
static void prepare_all_roles(const struct world *w)
{
	prepare_new(w);
	make_store(w);
	_cleanup_(store_closep) struct store *s = open_store(w->store, STORE_WRITE);
	assert_int_equal(store_accept(s, w->bundles[1], NOW, EVIDENCE), 0);
	assert_int_equal(store_promote(s, NOW, EVIDENCE), 0);
	assert_int_equal(store_accept(s, w->bundles[2], NOW, EVIDENCE), 0);
}

/* current 1, which has not proved itself, and nothing to go back to */
static void prepare_first(const struct world *w)
{
	prepare_new(w);
	_cleanup_(store_closep) struct store *s = open_store(w->store, STORE_WRITE);
	assert_int_equal(store_accept(s, w->bundles[0], NOW, EVIDENCE), 0);
	assert_int_equal(store_promote(s, NOW, EVIDENCE), 0);
}

/* current and good 2, before 1 */
static void prepare_proved(const struct world *w)
{
	prepare_new(w);
	make_store(w);
	_cleanup_(store_closep) struct store *s = open_store(w->store, STORE_WRITE);
	assert_int_equal(store_accept(s, w->bundles[1], NOW, EVIDENCE), 0);
	assert_int_equal(store_promote(s, NOW, EVIDENCE), 0);
	assert_int_equal(store_confirm(s, NOW, EVIDENCE), 0);
}

/* The next line begins a new file. */
static void prepare_full_history(const struct world *w)
{
	_cleanup_(store_closep) struct store *s = NULL;
	_cleanup_(buf_done) struct buf evidence;
	char path[PATH_MAX];
	buf_init(&evidence, HISTORY_EVIDENCE_MAX);
	while (evidence.length < HISTORY_EVIDENCE_MAX)
		buf_add_char(&evidence, 'x');
	prepare_new(w);
	s = open_store(w->store, STORE_WRITE);
	snprintf(path, sizeof(path), "%s/history", w->store);
	do
		assert_int_equal(store_note(s, "refused", NOW, buf_str(&evidence)), 0);
	while (size_of(path) + HISTORY_EVIDENCE_MAX < HISTORY_BYTES_MAX);
}

static bool same_content(const struct store_state *a, const struct store_state *b)
{
	return a->newest_count == b->newest_count && memcmp(a->newest, b->newest, sizeof(a->newest)) == 0 &&
	       memcmp(a->roles, b->roles, sizeof(a->roles)) == 0;
}

static void assert_bundles_are_whole(const struct store *s)
{
	for (enum store_role role = 0; role < STORE_ROLES; role++) {
		_cleanup_(diag_list_done) struct diag_list diags;
		_cleanup_(bundle_freep) struct bundle *b = NULL;
		_cleanup_(buf_done) struct buf bytes;
		diag_list_init(&diags, 10);
		buf_init(&bytes, TEXT_BYTES_MAX);
		if (version_of(s, role) == 0)
			continue;
		assert_int_equal(store_read_bundle(s, role, &bytes), 0);
		assert_int_equal(bundle_read_bytes(buf_str(&bytes), "kept", &diags, &b), 0);
		assert_int_equal(bundle_parse(b, MANIFEST_WHOLE, &diags), 0);
		assert_int_equal(bundle_match(b, &diags), 0);
		assert_int_equal(b->manifest.version, version_of(s, role));
	}
}

/* Old or new, nothing between; readable before it is mended, and ready for the next change. */
static bool assert_whole(const struct world *w, const struct store_state *before, const struct store_state *after)
{
	_cleanup_(store_closep) struct store *s = open_store(w->store, STORE_READ);
	struct history_verdict verdict;
	assert_int_equal(store_read_history(s, NULL, NULL, &verdict), 0);
	assert_true(verdict.kind == HISTORY_WHOLE || verdict.kind == HISTORY_AHEAD || verdict.kind == HISTORY_CUT);
	assert_bundles_are_whole(s);
	store_close(s);
	s = open_store(w->store, STORE_WRITE);
	bool is_new = same_content(store_state(s), after);
	assert_true(is_new || same_content(store_state(s), before));
	assert_int_equal(store_read_history(s, NULL, NULL, &verdict), 0);
	assert_int_equal(verdict.kind, HISTORY_WHOLE);
	assert_bundles_are_whole(s);
	assert_int_equal(store_accept(s, w->bundles[4], NOW, EVIDENCE), 0);
	assert_int_equal(newest_of(s), 5);
	return is_new;
}

static struct store_state state_now(const struct world *w)
{
	_cleanup_(store_closep) struct store *s = open_store(w->store, STORE_READ);
	return *store_state(s);
}

struct failing {
	const struct world *w;
	void (*prepare)(const struct world *w);
	const struct change *change;
	enum power_mode mode;
	struct store_state before, after;
	size_t cases, olds, news;
};

static int run_change(const struct failing *f, size_t step, size_t *ret_steps)
{
	_cleanup_(store_closep) struct store *s = open_store(f->w->store, STORE_WRITE);
	power_start(f->w->store, f->w->backup, f->mode, step);
	int r = f->change->run(s, f->w);
	*ret_steps = power_stop();
	return r;
}

/* At one step, with one way of losing what was not durable. False: so much was not pending. */
static bool fail_once(struct failing *f, size_t step, unsigned undone, bool lose_bytes)
{
	size_t steps;
	f->prepare(f->w);
	int r = run_change(f, step, &steps);
	if (undone >= 1u << power_pending())
		return false;
	power_lose(undone, lose_bytes);
	bool is_new = assert_whole(f->w, &f->before, &f->after);
	if (r == 0 && !is_new)
		fail_msg("%s, step %zu, undone %x: it was done, and is not", f->change->name, step, undone);
	f->cases++;
	f->news += is_new;
	f->olds += !is_new;
	return true;
}

static void fail_everywhere(const struct world *w, void (*prepare)(const struct world *w), const struct change *change,
                            enum power_mode mode)
{
	struct failing f = {.w = w, .prepare = prepare, .change = change, .mode = mode};
	size_t steps;
	prepare(w);
	f.before = state_now(w);
	assert_int_equal(run_change(&f, 0, &steps), 0);
	f.after = state_now(w);
	assert_true(steps >= 6);
	for (size_t step = 1; step <= steps + 1; step++) {
		for (unsigned undone = 0; mode == POWER_FULL ? undone == 0 : true; undone++) {
			if (!fail_once(&f, step, undone, false))
				break;
			if (mode == POWER_CUT)
				fail_once(&f, step, undone, true);
		}
	}
	/* Both must have been seen, or nothing was tested. */
	assert_true(f.olds > 2 || same_content(&f.before, &f.after));
	assert_true(f.news > 0);
	print_message("# %s: %zu steps, %zu cases: %zu old, %zu new\n", change->name, steps, f.cases, f.olds, f.news);
}

static const struct change changes[] = {{"accept", change_accept},   {"promote", change_promote},
                                        {"confirm", change_confirm}, {"roll back", change_roll_back},
                                        {"dismiss", change_dismiss}, {"note", change_note}};

static void test_power_fails(void **state)
{
	_cleanup_(world_done) struct world w;
	(void)state;
	world_init(&w);
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++)
		fail_everywhere(&w, prepare_all_roles, &changes[i], POWER_CUT);
	fail_everywhere(&w, prepare_new, &changes[0], POWER_CUT);
	fail_everywhere(&w, prepare_full_history, &changes[0], POWER_CUT);
	fail_everywhere(&w, prepare_first, &(struct change){"withdraw", change_roll_back}, POWER_CUT);
	fail_everywhere(&w, prepare_proved, &(struct change){"roll back what is good", change_roll_back}, POWER_CUT);
}

static void test_disk_is_full_once(void **state)
{
	_cleanup_(world_done) struct world w;
	(void)state;
	world_init(&w);
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++)
		fail_everywhere(&w, prepare_all_roles, &changes[i], POWER_FULL);
	fail_everywhere(&w, prepare_new, &changes[0], POWER_FULL);
}

/* From nothing: a store that is half made is as none, or a new one. */
static void test_power_fails_at_first(void **state)
{
	_cleanup_(world_done) struct world w;
	size_t step = 0, steps = 1;
	(void)state;
	world_init(&w);
	while (++step <= steps + 1) {
		_cleanup_(diag_list_done) struct diag_list diags;
		struct store *s = NULL;
		diag_list_init(&diags, 10);
		remove_tree(w.store);
		remove_tree(w.backup);
		mkdir(w.backup, 0700);
		power_start(w.store, w.backup, POWER_CUT, step);
		int r = store_open(w.store, STORE_WRITE, &diags, &s);
		steps = MAX(steps, power_stop());
		store_close(s);
		if (step > steps)
			assert_int_equal(r, 0);
		power_lose(~0u, true);
		s = open_store(w.store, STORE_WRITE);
		assert_int_equal(store_accept(s, w.bundles[0], NOW, EVIDENCE), 0);
		store_close(s);
	}
	assert_true(steps >= 4);
}

/* ---- a disk that is really full, or cannot be written ---- */

static void in_namespace(void (*test)(const struct world *w))
{
	_cleanup_(world_done) struct world w;
	world_init(&w);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		print_message("a file system of its own cannot be mounted here\n");
		skip();
	}
	mkdir(w.store, 0700);
	assert_int_equal(mount("tmpfs", w.store, "tmpfs", 0, "size=256k"), 0);
	test(&w);
	assert_int_equal(umount(w.store), 0);
}

static void fill(const char *dir)
{
	static const char zeros[4096];
	int fd = open(below(dir, "filler"), O_WRONLY | O_CREAT, 0600);
	while (write(fd, zeros, sizeof(zeros)) > 0)
		;
	close(fd);
}

static void full_disk(const struct world *w)
{
	struct store_state before;
	make_store(w);
	fill(w->store);
	before = state_now(w);
	struct store *s = open_store(w->store, STORE_WRITE);
	assert_int_equal(store_accept(s, w->bundles[1], NOW, EVIDENCE), -ENOSPC);
	assert_int_equal(store_note(s, "refused", NOW, EVIDENCE), -ENOSPC);
	assert_int_equal(store_promote(s, NOW, EVIDENCE), -ENOENT);
	store_close(s);
	struct store_state after = state_now(w);
	assert_memory_equal(&before, &after, sizeof(before));
	unlink(below(w->store, "filler"));
	s = open_store(w->store, STORE_WRITE);
	assert_int_equal(store_accept(s, w->bundles[1], NOW, EVIDENCE), 0);
	store_close(s);
}

static void test_full_disk(void **state)
{
	(void)state;
	in_namespace(full_disk);
}

static void read_only(const struct world *w)
{
	make_store(w);
	assert_int_equal(mount(NULL, w->store, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	assert_int_equal(open_told(w->store, STORE_WRITE, "Read-only file system"), -EROFS);
	struct store *s = open_store(w->store, STORE_READ);
	assert_int_equal(version_of(s, STORE_CURRENT), 1);
	store_close(s);
}

static void test_read_only(void **state)
{
	(void)state;
	in_namespace(read_only);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_roles),
	        cmocka_unit_test(test_ways_back),
	        cmocka_unit_test(test_first_gives_way),
	        cmocka_unit_test(test_kept_bundle_is_verified),
	        cmocka_unit_test(test_bundles),
	        cmocka_unit_test(test_time),
	        cmocka_unit_test(test_names_are_limited),
	        cmocka_unit_test(test_one_at_a_time),
	        cmocka_unit_test(test_new_host),
	        cmocka_unit_test(test_state_damaged),
	        cmocka_unit_test(test_history_damaged),
	        cmocka_unit_test(test_history),
	        cmocka_unit_test(test_history_goes_on),
	        cmocka_unit_test(test_power_fails),
	        cmocka_unit_test(test_disk_is_full_once),
	        cmocka_unit_test(test_power_fails_at_first),
	        cmocka_unit_test(test_full_disk),
	        cmocka_unit_test(test_read_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
