/* SPDX-License-Identifier: Apache-2.0
 *
 * From bytes to a checked view, and reading through that view. event_decode() is the only place that trusts nothing;
 * all that come after rely on what it has checked.
 */
#include "event/event.h"

#include <errno.h>
#include <stdlib.h>

static bool is_slot_type(enum arg_type type)
{
	return type == ARG_STR || type == ARG_BYTES || type == ARG_ARGV || type == ARG_SOCKADDR || type == ARG_PATH;
}

static const void *member(const struct event *e, const struct arg_info *a)
{
	return (const char *)e->header + a->offset;
}

static uint32_t slot_length(struct event_slot slot)
{
	return slot.length & ~SLOT_TRUNCATED;
}

/* A slot that is there lies in the tail. */
static bool slot_valid(const struct event *e, struct event_slot slot)
{
	if (slot.offset == 0)
		return true;
	return slot.offset >= e->info->size && slot.offset <= e->header->length &&
	       slot_length(slot) <= e->header->length - slot.offset;
}

/* As above, for a struct of size bytes or more: whole and aligned. */
static bool struct_slot_valid(const struct event *e, struct event_slot slot, size_t size)
{
	if (slot.offset == 0)
		return true;
	return slot_valid(e, slot) && slot.offset % 8 == 0 && slot.length >= size && !(slot.length & SLOT_TRUNCATED);
}

static bool is_socket(const struct fd_info *fd)
{
	switch (fd->kind) {
	case FD_IPV4:
	case FD_IPV6:
	case FD_UNIX:
	case FD_NETLINK:
	case FD_PACKET:
	case FD_VSOCK:
	case FD_SOCKET:
		return true;
	default:
		return false;
	}
}

static bool fd_valid(const struct event *e)
{
	const struct fd_info *fd;
	const struct sock_info *sock;

	if (!struct_slot_valid(e, e->header->fd, sizeof(*fd)))
		return false;
	fd = event_fd(e);
	if (!fd)
		return true;
	if (fd->kind > FD_SOCKET || !slot_valid(e, fd->path) || !slot_valid(e, fd->fspath))
		return false;
	if (!is_socket(fd))
		return true;
	if (e->header->fd.length < sizeof(*fd) + sizeof(*sock))
		return false;
	sock = (const struct sock_info *)(fd + 1);
	return slot_valid(e, sock->peer_path);
}

static bool is_task_state(const struct arg_info *a)
{
	return a->type == ARG_BYTES && strcmp(a->name, "creds") == 0;
}

static bool arg_valid(const struct event *e, const struct arg_info *a)
{
	const struct event_slot *slot;

	if (a->kind == ARG_DERIVED || a->kind == ARG_RESULT || !is_slot_type(a->type))
		return true;
	slot = member(e, a);
	if (is_task_state(a))
		return struct_slot_valid(e, *slot, sizeof(struct task_state));
	return slot_valid(e, slot[0]) && (a->type != ARG_PATH || slot_valid(e, slot[1]));
}

int event_decode(const void *data, size_t length, struct event *ret_event)
{
	struct event e = {.header = data};

	if ((uintptr_t)data % 8 != 0 || length < sizeof(*e.header))
		return -EBADMSG;
	if (e.header->length > length || e.header->length > EVENT_RECORD_MAX)
		return -EBADMSG;
	e.info = event_type_info((enum event_type)e.header->type);
	if (!e.info->name)
		return -EPROTO;
	if (e.header->length < e.info->size || !slot_valid(&e, e.header->root) || !fd_valid(&e))
		return -EBADMSG;
	for (unsigned i = 0; i < e.info->arg_count; i++)
		if (!arg_valid(&e, &e.info->args[i]))
			return -EBADMSG;
	*ret_event = e;
	return 0;
}

/* What an open's flags say beyond what was asked for, from the file that it reached. */
static uint64_t open_flags_of_file(const struct event *e)
{
	const struct fd_info *fd = event_fd(e);
	uint64_t flags = 0;

	if (!fd || e->info->fd_use != FD_CREATES)
		return 0;
	if (fd->flags & FD_F_CREATED && e->header->type != EVENT_creat)
		flags |= NAMES_OPEN_CREATED;
	if (fd->flags & FD_F_UPPER)
		flags |= NAMES_OPEN_UPPER;
	if (fd->flags & FD_F_LOWER)
		flags |= NAMES_OPEN_LOWER;
	return flags;
}

uint64_t event_arg_number(const struct event *e, const struct arg_info *a)
{
	uint64_t n;

	if (a->kind == ARG_DERIVED || is_slot_type(a->type))
		return 0;
	n = *(const uint64_t *)member(e, a);
	switch (a->type) {
	case ARG_FD:
	case ARG_PID:
	case ARG_S32:
	case ARG_SIG:
		return (uint64_t)(int64_t)(int32_t)n;
	case ARG_UID:
	case ARG_GID:
	case ARG_U32:
	case ARG_HEX32:
	case ARG_OCT:
	case ARG_MODE:
	case ARG_BOOL:
		return (uint32_t)n;
	case ARG_FLAGS:
		if (a->table == NAMES_open || e->header->type == EVENT_creat)
			return (uint32_t)n | open_flags_of_file(e);
		return a->table == NAMES_fd ? (uint32_t)n : n;
	default:
		return n;
	}
}

bool event_arg_slot(const struct event *e, const struct arg_info *a, struct str *ret_text, bool *ret_truncated)
{
	if (a->kind == ARG_DERIVED || a->kind == ARG_RESULT || !is_slot_type(a->type))
		return false;
	return event_slot_str(e, *(const struct event_slot *)member(e, a), ret_text, ret_truncated);
}

bool event_arg_path(const struct event *e, const struct arg_info *a, struct str *ret_text, struct str *ret_base,
                    bool *ret_truncated)
{
	const struct event_path *path;
	struct str base = {NULL, 0};
	bool base_truncated = false;

	if (a->type != ARG_PATH || a->kind == ARG_DERIVED)
		return false;
	path = member(e, a);
	if (!event_slot_str(e, path->text, ret_text, ret_truncated))
		return false;
	if (event_slot_str(e, path->base, &base, &base_truncated) && base_truncated)
		*ret_truncated = true;
	*ret_base = base;
	return true;
}

const struct sock_info *event_sock(const struct event *e)
{
	const struct fd_info *fd = event_fd(e);

	return fd && is_socket(fd) ? (const struct sock_info *)(fd + 1) : NULL;
}

const struct task_state *event_task_state(const struct event *e)
{
	for (unsigned i = 0; i < e->info->arg_count; i++) {
		const struct arg_info *a = &e->info->args[i];
		struct str state;
		bool truncated;

		if (is_task_state(a))
			return event_arg_slot(e, a, &state, &truncated) ? (const struct task_state *)state.data : NULL;
	}
	return NULL;
}
