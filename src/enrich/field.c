/* SPDX-License-Identifier: Apache-2.0 */
#include "enrich/field_int.h"

#include "base/buf.h"

#define FIELD_TEXT_MAX (256u << 10) /* bytes of a value that is put together: evt.args of a long argv */

void field_buf_init(struct buf *text)
{
	buf_init(text, FIELD_TEXT_MAX);
}

static bool is_plain_text(struct str s)
{
	for (size_t i = 0; i < s.length; i++)
		if (s.data[i] < 0x20 || s.data[i] >= 0x7f)
			return false;
	return true;
}

void set_path(const struct field_query *q, struct value *v, struct str path)
{
	if (!path.data)
		return;
	if (is_plain_text(path)) {
		set_str(v, path);
		return;
	}
	_cleanup_(buf_done) struct buf text;
	field_buf_init(&text);
	value_add_printable(path, 0, &text);
	set_buf(q, v, &text);
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

static void get(const struct field_query *q, struct value *ret_value)
{
	const struct field_info *info = field_get_info(q->ref->id);
	const char *name = info->name;

	*ret_value = (struct value){.kind = VALUE_NULL};
	if (info->flags & FIELD_F_NULLED)
		return;
	switch (name[0]) {
	case 'e': /* evt */
	case 's': /* syscall */
		field_get_evt(q, ret_value);
		break;
	case 'p':
		field_get_proc(q, ret_value);
		break;
	case 't':
		field_get_thread(q, ret_value);
		break;
	case 'u': /* user */
	case 'g': /* group */
		field_get_user(q, ret_value);
		break;
	case 'f': /* fd, fs */
		(name[1] == 'd' ? field_get_fd : field_get_fs)(q, ret_value);
		break;
	case 'c': /* container */
	case 'k': /* k8s */
		field_get_container(q, ret_value);
		break;
	}
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
