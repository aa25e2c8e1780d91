/* SPDX-License-Identifier: Apache-2.0
 *
 * Users and groups by owner. A user database is one text buffer and two sorted arrays that point into it.
 */
#include "enrich/users.h"

#include "base/map.h"
#include "enrich/record.h"
#include "enrich/rootfs.h"

#include <errno.h>
#include <stdlib.h>

#define OWNERS_MAX 4096
#define HOST_FILE_MAX_BYTES (4u << 20)
#define CONTAINER_FILE_MAX_BYTES (256u << 10) /* whoever owns the container writes it */
#define OWNER_TEXT_MAX_BYTES (16u << 20)      /* of all records of one owner */
#define MEMORY_MAX_BYTES (128u << 20)         /* of all owners */
#define ENTRIES_MAX 65536u                    /* of each kind, an owner */
#define RECORD_PART_BYTES 49152u              /* of one file in one record: both together stay below EVENT_RECORD_MAX */

struct file_mark { /* of the file that was read last */
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime, ctime;
};

struct user_db {
	struct str owner;
	struct user *users;
	struct group *groups;
	size_t user_count, group_count;
	struct str *texts; /* owned; what the entries point into */
	size_t text_count;
	size_t text_bytes;
	struct file_mark passwd, group;
};

struct users {
	struct map owners; /* to struct user_db */
	size_t bytes;      /* of all of them, texts and entries */
};

/* ---- a database ---- */
static void db_clear(struct user_db *db)
{
	for (size_t i = 0; i < db->text_count; i++)
		free((char *)db->texts[i].data);
	free(db->texts);
	free(db->users);
	free(db->groups);
	db->texts = NULL;
	db->users = NULL;
	db->groups = NULL;
	db->text_count = db->text_bytes = db->user_count = db->group_count = 0;
}

static size_t db_bytes(const struct user_db *db)
{
	return db->text_bytes + db->user_count * sizeof(*db->users) + db->group_count * sizeof(*db->groups);
}

static void db_free(struct user_db *db)
{
	if (!db)
		return;
	db_clear(db);
	free((char *)db->owner.data);
	free(db);
}

static int db_keep_text(struct user_db *db, struct str text, struct str *ret_copy)
{
	struct str *texts = reallocarray(db->texts, db->text_count + 1, sizeof(*texts));
	if (!texts)
		return -ENOMEM;
	db->texts = texts;
	char *copy = malloc(text.length + 1);
	if (!copy)
		return -ENOMEM;
	if (text.length)
		memcpy(copy, text.data, text.length);
	copy[text.length] = '\0';
	db->text_bytes += text.length;
	*ret_copy = db->texts[db->text_count++] = str_make(copy, text.length);
	return 0;
}

static bool parse_id(struct str text, uint32_t *ret_id)
{
	uint64_t n;
	if (text.length == 0 || text.data[0] == '+' || str_to_u64(text, &n) < 0 || n >= UINT32_MAX)
		return false;
	*ret_id = (uint32_t)n;
	return true;
}

static unsigned split_line(struct str line, struct str *ret_parts, unsigned max)
{
	unsigned count = 0;
	while (count < max && str_next(&line, ':', &ret_parts[count]))
		count++;
	return count;
}

static size_t count_lines(struct str text)
{
	size_t lines = 1;
	for (size_t i = 0; i < text.length; i++)
		lines += text.data[i] == '\n';
	return lines;
}

/* name:password:uid:gid:comment:home:shell */
static bool parse_user(struct str line, struct user *ret_user)
{
	struct str part[7];
	if (split_line(line, part, 7) < 7 || part[0].length == 0)
		return false;
	ret_user->name = part[0];
	ret_user->home = part[5];
	ret_user->shell = part[6];
	return parse_id(part[2], &ret_user->uid) && parse_id(part[3], &ret_user->gid);
}

/* name:password:gid:members */
static bool parse_group(struct str line, struct group *ret_group)
{
	struct str part[3];
	if (split_line(line, part, 3) < 3 || part[0].length == 0)
		return false;
	ret_group->name = part[0];
	return parse_id(part[2], &ret_group->gid);
}

static int compare_users(const void *a, const void *b)
{
	const struct user *x = a, *y = b;
	if (x->uid != y->uid)
		return x->uid < y->uid ? -1 : 1;
	return (x->name.data > y->name.data) - (x->name.data < y->name.data); /* of one id, the file's first */
}

static int compare_groups(const void *a, const void *b)
{
	const struct group *x = a, *y = b;
	if (x->gid != y->gid)
		return x->gid < y->gid ? -1 : 1;
	return (x->name.data > y->name.data) - (x->name.data < y->name.data);
}

static int db_add_users(struct user_db *db, struct str text)
{
	size_t room = MIN(count_lines(text), ENTRIES_MAX - db->user_count);
	struct user *users = reallocarray(db->users, db->user_count + room + 1, sizeof(*users));
	struct str line;
	if (!users)
		return -ENOMEM;
	db->users = users;
	while (room && str_next(&text, '\n', &line))
		if (parse_user(line, &users[db->user_count]))
			db->user_count++, room--;
	qsort(users, db->user_count, sizeof(*users), compare_users);
	return 0;
}

static int db_add_groups(struct user_db *db, struct str text)
{
	size_t room = MIN(count_lines(text), ENTRIES_MAX - db->group_count);
	struct group *groups = reallocarray(db->groups, db->group_count + room + 1, sizeof(*groups));
	struct str line;
	if (!groups)
		return -ENOMEM;
	db->groups = groups;
	while (room && str_next(&text, '\n', &line))
		if (parse_group(line, &groups[db->group_count]))
			db->group_count++, room--;
	qsort(groups, db->group_count, sizeof(*groups), compare_groups);
	return 0;
}

/* ---- owners ---- */
int users_new(struct users **ret_users)
{
	struct users *u = calloc(1, sizeof(*u));
	if (!u)
		return -ENOMEM;
	map_init(&u->owners, OWNERS_MAX);
	*ret_users = u;
	return 0;
}

void users_free(struct users *u)
{
	size_t position = 0;
	struct str owner;
	void *db;
	if (!u)
		return;
	while (map_next(&u->owners, &position, &owner, &db))
		db_free(db);
	map_done(&u->owners);
	free(u);
}

void users_forget(struct users *u, struct str owner)
{
	struct user_db *db = map_remove(&u->owners, owner);
	u->bytes -= db ? db_bytes(db) : 0;
	db_free(db);
}

bool users_known(const struct users *u, struct str owner)
{
	return map_get(&u->owners, owner);
}

const struct user *users_find(const struct users *u, struct str owner, uint32_t uid)
{
	const struct user_db *db = map_get(&u->owners, owner);
	size_t low = 0, high = db ? db->user_count : 0;
	while (low < high) { /* the first of those with that id */
		size_t middle = (low + high) / 2;
		if (db->users[middle].uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return db && low < db->user_count && db->users[low].uid == uid ? &db->users[low] : NULL;
}

const struct group *users_find_group(const struct users *u, struct str owner, uint32_t gid)
{
	const struct user_db *db = map_get(&u->owners, owner);
	size_t low = 0, high = db ? db->group_count : 0;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (db->groups[middle].gid < gid)
			low = middle + 1;
		else
			high = middle;
	}
	return db && low < db->group_count && db->groups[low].gid == gid ? &db->groups[low] : NULL;
}

static int db_of(struct users *u, struct str owner, struct user_db **ret_db)
{
	struct user_db *db = map_get(&u->owners, owner);
	if (!db) {
		db = calloc(1, sizeof(*db));
		char *name = db ? strndup(owner.data, owner.length) : NULL;
		if (!name) {
			free(db);
			return -ENOMEM;
		}
		db->owner = str_make(name, owner.length);
		int r = map_put(&u->owners, owner, db, NULL);
		if (r < 0) {
			db_free(db);
			return r;
		}
	}
	*ret_db = db;
	return 0;
}

static int db_add(struct user_db *db, struct str passwd, struct str group)
{
	struct str copy;
	int r = db_keep_text(db, passwd, &copy);
	if (r == 0)
		r = db_add_users(db, copy);
	if (r == 0)
		r = db_keep_text(db, group, &copy);
	if (r == 0)
		r = db_add_groups(db, copy);
	return r;
}

int users_set(struct users *u, struct str owner, struct str passwd, struct str group, bool more)
{
	struct user_db *db;
	int r = db_of(u, owner, &db);
	if (r < 0)
		return r;
	size_t added = passwd.length + group.length, text = (more ? db->text_bytes : 0) + added;
	if (text > OWNER_TEXT_MAX_BYTES || u->bytes - (more ? 0 : db_bytes(db)) + added > MEMORY_MAX_BYTES)
		return -ENOSPC;
	u->bytes -= db_bytes(db);
	if (!more)
		db_clear(db);
	r = db_add(db, passwd, group);
	u->bytes += db_bytes(db);
	return r;
}

/* ---- records ---- */
struct writer {
	uint64_t now_ns;
	int (*put)(void *userdata, const struct event *event);
	void *userdata;
};

/* A part of the database, beginning at *user and *group, which it moves on. */
static int put_part(const struct user_db *db, const struct writer *w, bool first, size_t *user, size_t *group)
{
	_cleanup_(buf_done) struct buf id;
	_cleanup_(buf_done) struct buf passwd;
	_cleanup_(buf_done) struct buf groups;
	struct record r;
	buf_init(&id, 256);
	buf_init(&passwd, EVENT_RECORD_MAX);
	buf_init(&groups, EVENT_RECORD_MAX);
	buf_printf(&id, "%s" STR_FMT, first ? "" : "+", STR_ARG(db->owner));
	for (; *user < db->user_count && passwd.length < RECORD_PART_BYTES; ++*user) {
		const struct user *e = &db->users[*user];
		if (e->name.length + e->home.length + e->shell.length < 4096)
			buf_printf(&passwd, STR_FMT ":x:%u:%u::" STR_FMT ":" STR_FMT "\n", STR_ARG(e->name), e->uid,
			           e->gid, STR_ARG(e->home), STR_ARG(e->shell));
	}
	for (; *group < db->group_count && groups.length < RECORD_PART_BYTES; ++*group) {
		const struct group *e = &db->groups[*group];
		if (e->name.length < 4096)
			buf_printf(&groups, STR_FMT ":x:%u:\n", STR_ARG(e->name), e->gid);
	}
	int error = buf_error(&id) ? buf_error(&id) : buf_error(&passwd) ? buf_error(&passwd) : buf_error(&groups);
	if (error < 0)
		return error;
	record_begin(&r, EVENT_userdb, w->now_ns);
	record_text(&r, "id", buf_str(&id), false);
	record_text(&r, "passwd", passwd.length ? buf_str(&passwd) : STR(""), false);
	record_text(&r, "group", groups.length ? buf_str(&groups) : STR(""), false);
	return record_put(&r, w->put, w->userdata);
}

static int put_db(const struct user_db *db, const struct writer *w)
{
	size_t user = 0, group = 0;
	bool first = true;
	do {
		int r = put_part(db, w, first, &user, &group);
		if (r < 0)
			return r;
		first = false;
	} while (user < db->user_count || group < db->group_count);
	return 0;
}

int users_put(const struct users *u, struct str owner, uint64_t now_ns,
              int (*put)(void *userdata, const struct event *event), void *userdata)
{
	const struct user_db *db = map_get(&u->owners, owner);
	struct writer w = {now_ns, put, userdata};
	return db ? put_db(db, &w) : -ENOENT;
}

int users_put_all(const struct users *u, uint64_t now_ns, int (*put)(void *userdata, const struct event *event),
                  void *userdata)
{
	struct writer w = {now_ns, put, userdata};
	size_t position = 0;
	struct str owner;
	void *db;
	while (map_next(&u->owners, &position, &owner, &db)) {
		int r = put_db(db, &w);
		if (r < 0)
			return r;
	}
	return 0;
}

int users_take(struct users *u, const struct event *userdb)
{
	static const char *const names[] = {"id", "passwd", "group"};
	struct str text[3] = {{0}};
	bool ignored;
	for (unsigned i = 0; i < 3; i++) {
		const struct arg_info *a = event_find_arg(userdb->info, str_from(names[i]));
		if (a)
			event_arg_slot(userdb, a, &text[i], &ignored);
	}
	bool more = text[0].length && text[0].data[0] == '+';
	struct str owner = more ? str_make(text[0].data + 1, text[0].length - 1) : text[0];
	if (owner.length == 0 || owner.length > 64)
		return 0;
	return users_set(u, owner, text[1], text[2], more);
}

/* ---- files ---- */
static struct file_mark mark_of(const struct stat *st)
{
	return (struct file_mark){st->st_dev, st->st_ino, st->st_size, st->st_mtim, st->st_ctim};
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool unchanged(const struct file_mark *m, int root_fd, const char *path, enum rootfs_trust trust)
{
	struct stat st;
	if (rootfs_stat(root_fd, path, trust, &st) < 0)
		return m->ino == 0; /* was not there either */
	return m->dev == st.st_dev && m->ino == st.st_ino && m->size == st.st_size && same_time(m->mtime, st.st_mtim) &&
	       same_time(m->ctime, st.st_ctim);
}

static enum rootfs_trust trust_of(struct str owner)
{
	return str_equals(owner, "host") ? ROOTFS_HOST : ROOTFS_CONTAINER;
}

int users_read(struct users *u, struct str owner, int root_fd)
{
	enum rootfs_trust trust = trust_of(owner);
	struct user_db *db = map_get(&u->owners, owner);
	if (db && unchanged(&db->passwd, root_fd, "etc/passwd", trust) &&
	    unchanged(&db->group, root_fd, "etc/group", trust))
		return 0;

	_cleanup_(buf_done) struct buf passwd;
	_cleanup_(buf_done) struct buf group;
	struct stat passwd_stat = {0}, group_stat = {0};
	size_t limit = trust == ROOTFS_HOST ? HOST_FILE_MAX_BYTES : CONTAINER_FILE_MAX_BYTES;
	buf_init(&passwd, limit);
	buf_init(&group, limit);
	int r = rootfs_read(root_fd, "etc/passwd", trust, &passwd, &passwd_stat);
	if (r < 0)
		return r;
	if (rootfs_read(root_fd, "etc/group", trust, &group, &group_stat) < 0) {
		buf_clear(&group);
		group_stat = (struct stat){0};
	}
	r = users_set(u, owner, buf_str(&passwd), buf_str(&group), false);
	if (r < 0)
		return r;
	db = map_get(&u->owners, owner);
	db->passwd = mark_of(&passwd_stat);
	db->group = mark_of(&group_stat);
	return 1;
}
