/* SPDX-License-Identifier: Apache-2.0
 *
 * An event in user space: a checked view of a record (schema/wire.h), the table of kinds (schema/event.def), and how
 * arguments are printed. Pure functions over borrowed bytes; thread-safe.
 */
#ifndef PICKET_EVENT_EVENT_H
#define PICKET_EVENT_EVENT_H

#include "base/buf.h"
#include "event/value.h"
#include "schema/wire.h"

enum event_type {
	EVENT_NONE = 0,
#define EVENT(name, id, category, fduse, fdarg, sensor, flags, doc) EVENT_##name = id,
#include "schema/event.def"
	EVENT_TYPE_MAX = 256, /* ids are below */
};

enum arg_type {
#define TYPE(name, wire, doc) ARG_##name,
#include "schema/type.def"
};

enum arg_kind { ARG_RESULT, ARG_PLAIN, ARG_OWN, ARG_DERIVED };

struct arg_info {
	const char *name;
	size_t name_length;
	enum arg_kind kind;
	enum arg_type type;
	uint16_t offset;   /* of its member in the record (PLAIN, OWN); of header.result (RESULT) */
	int table;         /* FLAGS, ENUM, MODE: enum name_table; otherwise -1 */
	const char *field; /* DERIVED */
	const char *doc;
};

enum fd_use { FD_NO, FD_USES, FD_CREATES, FD_DESTROYS };

struct event_info {
	const char *name; /* evt.type; NULL: no such id */
	const char *category;
	enum fd_use fd_use;
	bool state;            /* always recorded: the process table needs it */
	bool own;              /* picket's own, not a system call */
	bool observed;         /* false: known to the language, no sensor makes it */
	uint16_t size;         /* header and members: where the tail begins */
	uint16_t arg_count;    /* RESULT, PLAIN, DERIVED and OWN in row order */
	uint16_t listed_count; /* without OWN */
	const struct arg_info *args;
	const char *doc;
};

/* A checked view: every slot lies inside the record. The bytes are borrowed. */
struct event {
	const struct event_header *header;
	const struct event_info *info;
};

/* data: length bytes, 8-byte aligned; padding may follow the record. Checks length, type, every slot, fd_info, sock_info
 * and task_state (which must be 8-byte aligned in the record).
 * Returns 0; -EBADMSG: the record is not what the schema says; -EPROTO: no such type. */
int event_decode(const void *data, size_t length, struct event *ret_event) must_check;

const struct event_info *event_type_info(enum event_type type); /* never NULL; name NULL if unused */
enum event_type
event_type_by_name(struct str name); /* EVENT_NONE: unknown. Also names of known.def: event_name_known() */
bool event_name_known(struct str name);
const struct arg_info *event_find_arg(const struct event_info *info, struct str name); /* NULL: none */
bool event_arg_name_known(struct str name);                                            /* an argument of any event */

/* Raw access; the arg must belong to the event's type and not be DERIVED. */
/* Cut to the width of its type, sign-extended where that is signed; flags of an open: with NAMES_OPEN_*. */
uint64_t event_arg_number(const struct event *e, const struct arg_info *a);
bool event_arg_slot(const struct event *e, const struct arg_info *a, struct str *ret_text,
                    bool *ret_truncated); /* false: missing; PATH: its text */
bool event_arg_path(const struct event *e, const struct arg_info *a, struct str *ret_text, struct str *ret_base,
                    bool *ret_truncated);
static inline bool event_slot_str(const struct event *e, struct event_slot slot, struct str *ret_text,
                                  bool *ret_truncated) /* false: missing */
{
	if (slot.offset == 0)
		return false;
	*ret_text = str_make((const char *)e->header + slot.offset, slot.length & ~SLOT_TRUNCATED);
	*ret_truncated = (slot.length & SLOT_TRUNCATED) != 0;
	return true;
}
static inline const struct fd_info *event_fd(const struct event *e) /* NULL: none */
{
	uint32_t offset = e->header->fd.offset;
	return offset ? (const struct fd_info *)(const void *)((const char *)e->header + offset) : NULL;
}
const struct sock_info *event_sock(const struct event *e); /* NULL: none */
/* Flags as an open was given them (O_*, on the wire), without what the file that it reached adds to them in
 * event_arg_number(). False: no open that has any. */
bool event_open_flags(const struct event *e, uint64_t *ret_flags);
const struct task_state *event_task_state(const struct event *e); /* argument "creds"; NULL: none */

/* ---- names of numbers (schema/names.def) ---- */
enum name_table {
#define TABLE(table, kind) NAMES_##table,
#define NAME(table, text, kernel, rule)
#include "schema/names.def"
	NAMES_COUNT,
};
/* Bits of the table open that no caller can ask for: event_arg_number() joins them in from the file that was reached. */
#define NAMES_OPEN_CREATED (1ull << 32)
#define NAMES_OPEN_UPPER (1ull << 33)
#define NAMES_OPEN_LOWER (1ull << 34)
uint64_t names_to_rule(enum name_table table, uint64_t kernel_value);                /* the language's own number */
void names_add_flags(enum name_table table, uint64_t kernel_value, struct buf *out); /* A|B; nothing if none */
void names_add_enum(enum name_table table, uint64_t kernel_value, struct buf *out);  /* A, or A|B for synonyms */
const char *errno_name(int error);                                                   /* 2 → "ENOENT"; NULL: unknown */
const char *signal_name(int signal);                           /* 15 → "SIGTERM"; NULL: unknown */
void event_add_sockaddr(struct str sockaddr, struct buf *out); /* ip:port, path, family N */

/* FNV-1a over the text of the tables and structs that give a record its meaning: records of another fingerprint are
 * refused. */
uint64_t event_schema_fingerprint(void);

/* Builds a record in user space (USER events, tests, samples). init with room for the tail; set members; finish. */
struct event_builder {
	struct buf buf;
	enum event_type type;
};
int event_builder_init(struct event_builder *b, enum event_type type) must_check;
void event_builder_done(struct event_builder *b);
struct event_header *event_builder_header(struct event_builder *b); /* valid until the next call */
int event_builder_number(struct event_builder *b, const char *arg, uint64_t value) must_check;
int event_builder_text(struct event_builder *b, const char *arg, struct str text) must_check;
int event_builder_path(struct event_builder *b, const char *arg, struct str text, struct str base)
        must_check; /* base.data NULL: missing */
/* Bytes of the tail that no argument names: header.root, fd_info.fspath, sock_info.peer_path. text.data not NULL. */
int event_builder_slot(struct event_builder *b, struct str text, struct event_slot *ret_slot) must_check;
int event_builder_fd(struct event_builder *b, const struct fd_info *fd, struct str path, const struct sock_info *sock)
        must_check;                                                                    /* sock may be NULL */
int event_builder_finish(struct event_builder *b, struct event *ret_event) must_check; /* borrowed from b */

#endif
