/* SPDX-License-Identifier: Apache-2.0
 *
 * Records made in user space. What they hold passes event_decode() like everything else.
 */
#include "event/event.h"

#include <errno.h>

int event_builder_init(struct event_builder *b, enum event_type type)
{
	const struct event_info *info = event_type_info(type);
	char *record;

	if (!info->name)
		return -EINVAL;
	b->type = type;
	buf_init(&b->buf, EVENT_RECORD_MAX);
	record = buf_reserve(&b->buf, info->size);
	if (!record) {
		buf_done(&b->buf);
		return -ENOMEM;
	}
	memset(record, 0, info->size);
	buf_commit(&b->buf, info->size);
	event_builder_header(b)->type = (uint16_t)type;
	return 0;
}

void event_builder_done(struct event_builder *b)
{
	buf_done(&b->buf);
}

struct event_header *event_builder_header(struct event_builder *b)
{
	return (struct event_header *)b->buf.data;
}

/* The argument's place in the record; NULL: no such argument, or of another kind. */
static void *find_member(struct event_builder *b, const char *name, bool (*fits)(const struct arg_info *a))
{
	const struct arg_info *a = event_find_arg(event_type_info(b->type), str_from(name));

	return a && a->kind != ARG_DERIVED && fits(a) ? b->buf.data + a->offset : NULL;
}

static bool is_text(const struct arg_info *a)
{
	return a->type == ARG_STR || a->type == ARG_BYTES || a->type == ARG_ARGV || a->type == ARG_SOCKADDR;
}

static bool is_path(const struct arg_info *a)
{
	return a->type == ARG_PATH;
}

static bool is_number(const struct arg_info *a)
{
	return !is_text(a) && !is_path(a) && a->type != ARG_TUPLE;
}

/* Puts bytes at the next 8-byte boundary of the tail: structs may lie there. */
int event_builder_slot(struct event_builder *b, struct str text, struct event_slot *ret_slot)
{
	static const char padding[8];
	size_t offset = (b->buf.length + 7) & ~(size_t)7;

	if (!text.data)
		return -EINVAL;
	buf_add(&b->buf, padding, offset - b->buf.length);
	buf_add(&b->buf, text.data, text.length);
	if (buf_error(&b->buf) != 0)
		return buf_error(&b->buf);
	*ret_slot = (struct event_slot){.offset = (__u32)offset, .length = (__u32)text.length};
	return 0;
}

int event_builder_number(struct event_builder *b, const char *arg, uint64_t value)
{
	uint64_t *place = find_member(b, arg, is_number);

	if (!place)
		return -EINVAL;
	*place = value;
	return 0;
}

int event_builder_text(struct event_builder *b, const char *arg, struct str text)
{
	struct event_slot slot = {0, 0};
	int r;

	if (!find_member(b, arg, is_text))
		return -EINVAL;
	if (text.data) {
		r = event_builder_slot(b, text, &slot);
		if (r < 0)
			return r;
	}
	*(struct event_slot *)find_member(b, arg, is_text) = slot; /* found again: the record may have moved */
	return 0;
}

int event_builder_path(struct event_builder *b, const char *arg, struct str text, struct str base)
{
	struct event_path path = {{0, 0}, {0, 0}};
	int r = 0;

	if (!find_member(b, arg, is_path))
		return -EINVAL;
	if (text.data)
		r = event_builder_slot(b, text, &path.text);
	if (r == 0 && base.data)
		r = event_builder_slot(b, base, &path.base);
	if (r < 0)
		return r;
	*(struct event_path *)find_member(b, arg, is_path) = path;
	return 0;
}

int event_builder_fd(struct event_builder *b, const struct fd_info *fd, struct str path, const struct sock_info *sock)
{
	struct {
		struct fd_info fd;
		struct sock_info sock;
	} both = {.fd = *fd};
	struct event_slot slot;
	int r;

	if (sock)
		both.sock = *sock;
	if (path.data) {
		r = event_builder_slot(b, path, &both.fd.path);
		if (r < 0)
			return r;
	}
	r = event_builder_slot(b, str_make((const char *)&both, sock ? sizeof(both) : sizeof(both.fd)), &slot);
	if (r < 0)
		return r;
	event_builder_header(b)->fd = slot;
	return 0;
}

int event_builder_finish(struct event_builder *b, struct event *ret_event)
{
	if (buf_error(&b->buf) != 0)
		return buf_error(&b->buf);
	event_builder_header(b)->length = (__u32)b->buf.length;
	return event_decode(b->buf.data, b->buf.length, ret_event);
}
