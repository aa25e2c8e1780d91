/* SPDX-License-Identifier: Apache-2.0 */
#include "trust_helper.h"

#include "power.h"
#include "trust/boot.h"

static struct digest digest_named(const char *name)
{
	return digest_of(str_from(name));
}

static bool same(const struct boot *a, const struct boot *b)
{
	return a->rung == b->rung && a->starts == b->starts && digest_equal(&a->content, &b->content) &&
	       digest_equal(&a->kernel, &b->kernel);
}

static void test_written_and_read(void **state)
{
	_cleanup_(scratch_done) struct scratch dir;
	struct boot b = {.rung = BOOT_OFF, .starts = 2, .content = digest_named("c"), .kernel = digest_named("k")}, got;
	(void)state;
	scratch_init(&dir);
	assert_int_equal(boot_read(dir.path, &got), -ENOENT);
	assert_int_equal(boot_write(dir.path, &b), 0);
	assert_int_equal(boot_read(dir.path, &got), 0);
	assert_true(same(&b, &got));
}

/* Any byte that is another, or missing: then it is not believed. */
static void test_damaged(void **state)
{
	_cleanup_(scratch_done) struct scratch dir;
	_cleanup_(buf_done) struct buf text;
	struct boot b = {.starts = 1, .content = digest_named("c")}, got;
	char path[PATH_MAX];
	(void)state;
	scratch_init(&dir);
	buf_init(&text, 4096);
	snprintf(path, sizeof(path), "%s/boot", dir.path);
	assert_int_equal(boot_write(dir.path, &b), 0);
	assert_int_equal(file_read(path, &text), 0);
	for (size_t i = 0; i < text.length; i++) {
		text.data[i] ^= 1;
		assert_int_equal(file_write_atomic(path, buf_str(&text), 0600), 0);
		assert_int_equal(boot_read(dir.path, &got), -EBADMSG);
		text.data[i] ^= 1;
		assert_int_equal(file_write_atomic(path, str_make(text.data, i), 0600), 0);
		assert_int_equal(boot_read(dir.path, &got), -EBADMSG);
	}
}

static void test_other_content_begins_anew(void **state)
{
	struct digest old = digest_named("old"), new = digest_named("new"), kernel = digest_named("k"),
	              other = digest_named("k2"), none = {.bytes = {0}};
	const struct boot fallen = {.rung = BOOT_WATCH, .starts = 1, .content = old, .kernel = kernel};
	struct boot b = fallen;
	(void)state;
	boot_enter(&b, &old, &kernel);
	assert_true(same(&b, &fallen));
	boot_enter(&b, &new, &kernel);
	assert_true(same(&b, &(struct boot){.content = new}));
	b = fallen;
	boot_enter(&b, &old, &other);
	assert_true(same(&b, &(struct boot){.content = old}));
	/* A kernel on which nothing was tried yet is no other one: else a start that dies in the trial were not counted. */
	b = fallen;
	b.kernel = none;
	boot_enter(&b, &old, &other);
	assert_int_equal(b.starts, 1);
}

struct cutting {
	char store[PATH_MAX], backup[PATH_MAX];
	struct boot before, after;
	size_t steps, olds, news;
};

/* At one step, with one way of losing what was not durable. False: so much was not pending. */
static bool cut_once(struct cutting *c, size_t step, unsigned undone)
{
	struct boot got;
	remove_tree(c->store);
	remove_tree(c->backup);
	mkdir(c->store, 0700);
	mkdir(c->backup, 0700);
	assert_int_equal(boot_write(c->store, &c->before), 0);
	power_start(c->store, c->backup, POWER_CUT, step);
	int r = boot_write(c->store, &c->after);
	c->steps = MAX(c->steps, power_stop());
	if (undone >= 1u << power_pending())
		return false;
	power_lose(undone, true);
	assert_int_equal(boot_read(c->store, &got), 0);
	assert_true(same(&got, &c->before) || same(&got, &c->after));
	assert_true(r < 0 || same(&got, &c->after));
	c->olds += same(&got, &c->before);
	c->news += same(&got, &c->after);
	return true;
}

/* The old counter or the new one, whenever power fails. */
static void test_power_fails(void **state)
{
	_cleanup_(scratch_done) struct scratch dir;
	struct cutting c = {.before = {.starts = 1, .content = digest_named("a")},
	                    .after = {.rung = BOOT_WATCH, .content = digest_named("b")},
	                    .steps = 1};
	(void)state;
	scratch_init(&dir);
	snprintf(c.store, sizeof(c.store), "%s/store", dir.path);
	snprintf(c.backup, sizeof(c.backup), "%s/backup", dir.path);
	for (size_t step = 1; step <= c.steps + 1; step++) {
		for (unsigned undone = 0; cut_once(&c, step, undone); undone++)
			;
	}
	assert_true(c.olds > 2 && c.news > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_written_and_read),
	        cmocka_unit_test(test_damaged),
	        cmocka_unit_test(test_other_content_begins_anew),
	        cmocka_unit_test(test_power_fails),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
