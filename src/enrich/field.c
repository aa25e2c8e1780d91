/* SPDX-License-Identifier: Apache-2.0 */
#include "enrich/field_int.h"

#include "base/buf.h"

#define FIELD_TEXT_MAX (256u << 10) /* bytes of a value that is put together: evt.args of a long argv */

void field_buf_init(struct buf *text)
{
	buf_init(text, FIELD_TEXT_MAX);
}

#define EACH_BYTE(c) (0x0101010101010101ull * (c))

/* Eight bytes at once. The borrow of a byte below a blank may raise a wrong bit, but only beside a right one. */
static bool is_plain_word(uint64_t word)
{
	uint64_t below_blank = word - EACH_BYTE(0x20), delete_or_above = word + EACH_BYTE(0x01);
	return ((below_blank | delete_or_above | word) & EACH_BYTE(0x80)) == 0;
}

static uint64_t load_word(const char *at)
{
	uint64_t word;
	memcpy(&word, at, sizeof(word));
	return word;
}

static bool is_plain_text(struct str s)
{
	bool plain = true;
	if (s.length < sizeof(uint64_t)) {
		for (size_t i = 0; i < s.length; i++)
			plain &= s.data[i] >= 0x20 && s.data[i] < 0x7f;
		return plain;
	}
	for (size_t i = 0; i + sizeof(uint64_t) <= s.length; i += sizeof(uint64_t))
		plain &= is_plain_word(load_word(s.data + i));
	return plain && is_plain_word(load_word(s.data + s.length - sizeof(uint64_t)));
}

/* Apart, so that the usual way is short. */
static void __attribute__((noinline)) set_printable(const struct field_query *q, struct value *v, struct str path)
{
	_cleanup_(buf_done) struct buf text;
	field_buf_init(&text);
	value_add_printable(path, 0, &text);
	set_buf(q, v, &text);
}

void set_path(const struct field_query *q, struct value *v, struct str path)
{
	if (!path.data)
		return;
	if (is_plain_text(path))
		set_str(v, path);
	else
		set_printable(q, v, path);
}

void set_buf(const struct field_query *q, struct value *v, struct buf *text)
{
	/* What a buffer at its limit has kept is the value's beginning. */
	bool cut = buf_error(text) < 0;
	if (cut && text->length == 0)
		return;
	set_str_or_null(v, arena_str(q->arena, text->length ? buf_str(text) : STR("")));
	v->truncated = cut;
}

void set_list(struct value *v, const struct value *items, size_t count)
{
	if (count == 0)
		return;
	v->kind = VALUE_LIST;
	v->list.items = items;
	v->list.count = count;
}

/* ---- who gets what ---- */

/* The words of field.def's FLAGS column: only one matters here. */
enum { LIST = 0, FILTER = 0, ENDS = 0, ANY = 0, HEX = 0, PADDED9 = 0, NULLED = 1 };

/* clang-format off */
#define IS(name, whole) (__builtin_strcmp(name, whole) == 0)
#define BEGINS(name, words) (__builtin_strncmp(name, words, sizeof(words) - 1) == 0)
#define GETTER_OF_EVT(name) \
	(BEGINS(name, "evt.is_open_")                                                   ? field_get_open \
	 : BEGINS(name, "evt.res") || BEGINS(name, "evt.rawres") || \
	                 BEGINS(name, "evt.failed") || BEGINS(name, "evt.count.error")  ? field_get_result \
	 : BEGINS(name, "evt.arg") || BEGINS(name, "evt.rawarg") || \
	                 BEGINS(name, "evt.info") || BEGINS(name, "evt.abspath")        ? field_get_arguments \
	 : BEGINS(name, "evt.addr")                                                     ? field_get_address \
	 : BEGINS(name, "evt.time") || BEGINS(name, "evt.datetime") || \
	                 BEGINS(name, "evt.rawtime") || BEGINS(name, "evt.reltime") || \
	                 BEGINS(name, "evt.deltatime") || BEGINS(name, "evt.latency") || \
	                 BEGINS(name, "evt.wait_latency")                               ? field_get_time \
	 : BEGINS(name, "evt.buflen") || BEGINS(name, "evt.is_io") || \
	                 BEGINS(name, "evt.io_dir") || BEGINS(name, "evt.is_wait") || \
	                 BEGINS(name, "evt.is_syslog")                                  ? field_get_io \
	                                                                                : field_get_evt)
#define GETTER_OF_FD(name) \
	(IS(name, "fd.name")         ? field_get_fd_name \
	 : IS(name, "fd.directory")  ? field_get_fd_directory \
	 : IS(name, "fd.num")        ? field_get_fd_number \
	 : IS(name, "fd.typechar")   ? field_get_fd_letter \
	                             : field_get_fd)
#define GETTER(name) \
	(BEGINS(name, "evt.")                                     ? GETTER_OF_EVT(name) \
	 : BEGINS(name, "syscall.")                               ? field_get_evt \
	 : BEGINS(name, "proc.")                                  ? field_get_proc \
	 : BEGINS(name, "thread.")                                ? field_get_thread \
	 : BEGINS(name, "user.") || BEGINS(name, "group.")        ? field_get_user \
	 : BEGINS(name, "fd.")                                    ? GETTER_OF_FD(name) \
	 : BEGINS(name, "fs.")                                    ? field_get_fs \
	 : BEGINS(name, "container.") || BEGINS(name, "k8s.")     ? field_get_container \
	                                                          : NULL)
/* clang-format on */

/* NULL: it never has a value. */
static void (*const getters[FIELD_COUNT])(const struct field_query *q, struct value *ret_value) = {
#define FIELD(id, name, type, arg, flags, scope, doc) [FIELD_##id] = (flags)&NULLED ? NULL : GETTER(name),
#include "schema/field.def"
};

static void get(const struct field_query *q, struct value *ret_value)
{
	*ret_value = (struct value){.kind = VALUE_NULL};
	if (getters[q->ref->id])
		getters[q->ref->id](q, ret_value);
}

void field_get_other(const struct field_query *q, enum field_id id, struct value *ret_value)
{
	struct field_ref ref = {.id = id, .output = q->ref->output};
	struct field_query other = *q;
	other.ref = &ref;
	get(&other, ret_value);
}

void enrich_field_get(const struct field_source *source, const struct field_ref *ref, struct arena *arena,
                      struct value *ret_value)
{
	const struct enrich_view *view = (const struct enrich_view *)(const void *)source; /* its first member */
	struct field_query q = {
	        .view = view,
	        .event = &view->event,
	        .process = view->process,
	        .ref = ref,
	        .arena = arena,
	};
	get(&q, ret_value);
}
