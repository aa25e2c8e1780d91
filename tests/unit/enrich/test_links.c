/* SPDX-License-Identifier: Apache-2.0
 *
 * Paths through symbolic links and bind mounts that were seen being made.
 */
#include "tests/unit/enrich/field_fixture.h"

#include <stdio.h>
#include <sys/mount.h>

static void make_link(struct fixture *f, const char *target, const char *path)
{
	fixture_begin(f, EVENT_symlink, 300);
	put_text(f, "target", str_from(target));
	put_path(f, "linkpath", path, NULL);
	fixture_end(f);
}

static void make_bind(struct fixture *f, const char *source, const char *path, uint64_t flags)
{
	fixture_begin(f, EVENT_mount, 300);
	put_text(f, "dev", str_from(source));
	put_path(f, "dir", path, NULL);
	put_number(f, "flags", (int64_t)flags);
	fixture_end(f);
}

static void rename_file(struct fixture *f, const char *from, const char *to)
{
	fixture_begin(f, EVENT_rename, 300);
	put_path(f, "oldpath", from, NULL);
	put_path(f, "newpath", to, NULL);
	fixture_end(f);
}

/* A path event that has no descriptor, and the names that it has. */
static void check_path_at(struct fixture *f, enum event_type type, const char *path, const char *expected, int line)
{
	char text[512] = "";
	size_t length = 0;
	fixture_begin(f, type, 300);
	put_path(f, type == EVENT_unlinkat ? "name" : type == EVENT_chmod ? "filename" : "path", path, NULL);
	fixture_end(f);
	for (unsigned i = 0; i < f->view.name_count && length < sizeof(text); i++)
		length += (size_t)snprintf(text + length, sizeof(text) - length, "%s" STR_FMT, i ? " " : "",
		                           STR_ARG(f->view.names[i]));
	if (strcmp(text, expected) != 0)
		fail_msg("line %d: expected \"%s\", is \"%s\"", line, expected, text);
}
#define check_path(f, type, path, expected) check_path_at(f, type, path, expected, __LINE__)

static void directory_is_followed(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	make_link(&f, "/var/log", "/tmp/notes");
	check_path(&f, EVENT_unlink, "/tmp/notes/auth.log", "/tmp/notes/auth.log /var/log/auth.log");
	check_path(&f, EVENT_unlink, "/tmp/notes2/auth.log", "/tmp/notes2/auth.log");
	make_link(&f, "../var/log/.", "/srv/relative");
	check_path(&f, EVENT_unlinkat, "/srv/relative/x", "/srv/relative/x /var/log/x");
	fixture_done(&f);
}

/* truncate and chmod act on what a link leads to, unlink on the link. */
static void last_component_is_followed_by_some(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	make_link(&f, "/var/log/auth.log", "/tmp/notes");
	check_path(&f, EVENT_truncate, "/tmp/notes", "/tmp/notes /var/log/auth.log");
	check_path(&f, EVENT_chmod, "/tmp/notes", "/tmp/notes /var/log/auth.log");
	check_path(&f, EVENT_unlink, "/tmp/notes", "/tmp/notes");
	fixture_done(&f);
}

static void removed_is_forgotten(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	make_link(&f, "/var/log", "/tmp/notes");
	check_path(&f, EVENT_unlink, "/tmp/notes", "/tmp/notes");
	check_path(&f, EVENT_unlink, "/tmp/notes/auth.log", "/tmp/notes/auth.log");
	fixture_done(&f);
}

static void renamed_is_known_by_its_new_name(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	make_link(&f, "/var/log", "/tmp/a");
	rename_file(&f, "/tmp/a", "/tmp/b");
	check_path(&f, EVENT_unlink, "/tmp/a/x", "/tmp/a/x");
	check_path(&f, EVENT_unlink, "/tmp/b/x", "/tmp/b/x /var/log/x");
	rename_file(&f, "/tmp/file", "/tmp/b"); /* which is replaced */
	check_path(&f, EVENT_unlink, "/tmp/b/x", "/tmp/b/x");
	fixture_done(&f);
}

static void both_paths_of_a_rename(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	make_link(&f, "/etc/cron.d", "/tmp/jobs");
	rename_file(&f, "/tmp/x", "/tmp/jobs/x");
	assert_int_equal(f.view.name_count, 2);
	check_all(&f, {"evt.arg.newpath", "/tmp/jobs/x"});
	f.view.name_index = 1;
	check_all(&f, {"evt.arg.newpath", "/etc/cron.d/x"}, {"evt.arg.oldpath", "/tmp/x"});
	fixture_done(&f);
}

static void bind_mounts_are_links(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	make_bind(&f, "/etc", "/mnt", MS_BIND | MS_REC);
	check_path(&f, EVENT_unlink, "/mnt/cron.d/x", "/mnt/cron.d/x /etc/cron.d/x");
	fixture_begin(&f, EVENT_umount2, 300);
	put_path(&f, "name", "/mnt", NULL);
	fixture_end(&f);
	check_path(&f, EVENT_unlink, "/mnt/cron.d/x", "/mnt/cron.d/x");
	make_bind(&f, "/etc", "/mnt", MS_BIND | MS_REMOUNT);
	make_bind(&f, "/dev/sda1", "/srv", 0);
	check_path(&f, EVENT_unlink, "/mnt/x", "/mnt/x");
	check_path(&f, EVENT_unlink, "/srv/x", "/srv/x");
	fixture_done(&f);
}

/* Of a chain the end comes first, so that it is there whatever room is left; a circle ends. */
static void chains_and_circles(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	for (int i = 0; i < 6; i++) {
		char from[32], to[32];
		snprintf(from, sizeof(from), "/tmp/%d", i);
		snprintf(to, sizeof(to), i == 5 ? "/etc" : "%d", i + 1);
		make_link(&f, to, from);
	}
	check_path(&f, EVENT_unlink, "/tmp/0/x", "/tmp/0/x /etc/x /tmp/5/x /tmp/4/x");
	make_link(&f, "/tmp/r", "/tmp/s");
	make_link(&f, "/tmp/s", "/tmp/r");
	check_path(&f, EVENT_unlink, "/tmp/r/x", "/tmp/r/x /tmp/s/x");
	fixture_done(&f);
}

/* The table has a limit: the oldest are forgotten, the newest are known. */
static void oldest_is_forgotten(void **unused)
{
	(void)unused;
	struct fixture f;
	char path[32];
	fixture_init(&f);
	make_link(&f, "/etc", "/tmp/first");
	for (int i = 0; i < 2048; i++) {
		snprintf(path, sizeof(path), "/tmp/%d", i);
		make_link(&f, "/srv", path);
	}
	check_path(&f, EVENT_unlink, "/tmp/first/x", "/tmp/first/x");
	check_path(&f, EVENT_unlink, "/tmp/0/x", "/tmp/0/x /srv/x");
	check_path(&f, EVENT_unlink, "/tmp/2047/x", "/tmp/2047/x /srv/x");
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(directory_is_followed),  cmocka_unit_test(last_component_is_followed_by_some),
	        cmocka_unit_test(removed_is_forgotten),   cmocka_unit_test(renamed_is_known_by_its_new_name),
	        cmocka_unit_test(both_paths_of_a_rename), cmocka_unit_test(bind_mounts_are_links),
	        cmocka_unit_test(chains_and_circles),     cmocka_unit_test(oldest_is_forgotten),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
