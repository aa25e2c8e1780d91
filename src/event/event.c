/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of event types, made from schema/event.def.
 */
#include "event/event.h"

/* The words of event.def's columns. */
enum { STATE = 1, OWN = 2 };
enum { NAMES_0 = -1, NAMES_1 = -1, NAMES_2 = -1, NAMES_3 = -1, NAMES_4 = -1, NAMES_5 = -1, NAMES_CWD = -1 };

/* Wire members of each type of argument, in words of 8 bytes. */
enum { WORDS_S32 = 1, WORDS_U32 = 1, WORDS_S64 = 1, WORDS_U64 = 1, WORDS_SLOT = 1, WORDS_PATH = 2, WORDS_DERIVED = 0 };
enum {
#define TYPE(name, wire, doc) WORDS_OF_##name = WORDS_##wire,
#include "schema/type.def"
};

/* clang-format off */
/* struct layout_X: the record of event X, up to its tail. */
#define EVENT(name, id, category, fduse, fdarg, sensor, flags, doc) \
	struct layout_##name { \
		struct event_header header;
#define ARG(event, name, type, aux, source, doc) uint64_t arg_##name[WORDS_OF_##type];
#define OWN(event, name, type, aux, source, doc) uint64_t arg_##name[WORDS_OF_##type];
#define END(event) };
#include "schema/event.def"

/* Arguments that evt.args lists. */
#define EVENT(name, id, category, fduse, fdarg, sensor, flags, doc) enum { listed_##name = 0
#define RESULT(event, name, type, doc) +1
#define ARG(event, name, type, aux, source, doc) +1
#define DERIVED(event, name, type, aux, field, doc) +1
#define END(event) };
#include "schema/event.def"

#define EVENT(name, id, category, fduse, fdarg, sensor, flags, doc) static const struct arg_info args_##name[] = {
#define RESULT(event, name, type, doc) \
	{#name, sizeof(#name) - 1, ARG_RESULT, ARG_##type, offsetof(struct event_header, result), -1, NULL, doc},
#define ARG(event, name, type, aux, source, doc) \
	{#name, sizeof(#name) - 1, ARG_PLAIN, ARG_##type, offsetof(struct layout_##event, arg_##name), NAMES_##aux, NULL, \
	 doc},
#define OWN(event, name, type, aux, source, doc) \
	{#name, sizeof(#name) - 1, ARG_OWN, ARG_##type, offsetof(struct layout_##event, arg_##name), NAMES_##aux, NULL, \
	 doc},
#define DERIVED(event, name, type, aux, field, doc) \
	{#name, sizeof(#name) - 1, ARG_DERIVED, ARG_##type, 0, NAMES_##aux, field, doc},
#define END(event) };
#include "schema/event.def"
/* clang-format on */

/* Offsets are 16 bits wide, and members leave room for a tail. */
#define EVENT(name, id, category, fduse, fdarg, sensor, flags, doc) \
	_Static_assert((id) > 0 && (id) < EVENT_TYPE_MAX, "event id of " #name); \
	_Static_assert(sizeof(struct layout_##name) <= 4096, "members of " #name); \
	_Static_assert(sizeof(struct layout_##name) % 8 == 0, "alignment of " #name);
#include "schema/event.def"

static const struct event_info types[EVENT_TYPE_MAX] = {
#define EVENT(name_, id, category_, fduse, fdarg, sensor, flags, doc_) \
	[id] = { \
	        .name = #name_, \
	        .category = #category_, \
	        .fd_use = FD_##fduse, \
	        .state = ((flags)&STATE) != 0, \
	        .own = ((flags)&OWN) != 0, \
	        .observed = __builtin_strcmp(#sensor, "NONE") != 0, \
	        .size = sizeof(struct layout_##name_), \
	        .arg_count = ARRAY_SIZE(args_##name_), \
	        .listed_count = listed_##name_, \
	        .args = args_##name_, \
	        .doc = doc_, \
	},
#include "schema/event.def"
};

/* Two events with one id would be one initialiser over the other; two cases with one value are an error. */
__attribute__((unused)) static void check_ids_are_unique(int id)
{
	switch (id) {
#define EVENT(name, id, category, fduse, fdarg, sensor, flags, doc) case id:
#include "schema/event.def"
		break;
	}
}

static const char *const known_names[] = {
#define KNOWN(name) #name,
#define KNOWN_ARG(name)
#include "schema/known.def"
};

static const char *const known_args[] = {
#define KNOWN(name)
#define KNOWN_ARG(name) #name,
#include "schema/known.def"
};

const struct event_info *event_type_info(enum event_type type)
{
	return &types[(unsigned)type < EVENT_TYPE_MAX ? type : EVENT_NONE];
}

enum event_type event_type_by_name(struct str name)
{
	for (int type = 1; type < EVENT_TYPE_MAX; type++)
		if (types[type].name && str_equals(name, types[type].name))
			return (enum event_type)type;
	return EVENT_NONE;
}

bool event_open_flags(const struct event *e, uint64_t *ret_flags)
{
#define FLAGS_OF(event) (uint32_t)((const struct layout_##event *)(const void *)e->header)->arg_flags[0]
	switch ((int)e->header->type) {
	case EVENT_open:
		*ret_flags = FLAGS_OF(open);
		return true;
	case EVENT_openat:
		*ret_flags = FLAGS_OF(openat);
		return true;
	case EVENT_openat2:
		*ret_flags = FLAGS_OF(openat2);
		return true;
	case EVENT_open_by_handle_at:
		*ret_flags = FLAGS_OF(open_by_handle_at);
		return true;
	default:
		return false;
	}
}

static bool contains(const char *const *names, size_t count, struct str name)
{
	for (size_t i = 0; i < count; i++)
		if (str_equals(name, names[i]))
			return true;
	return false;
}

bool event_name_known(struct str name)
{
	return event_type_by_name(name) != EVENT_NONE || contains(known_names, ARRAY_SIZE(known_names), name);
}

const struct arg_info *event_find_arg(const struct event_info *info, struct str name)
{
	for (size_t i = 0; i < info->arg_count; i++) {
		const struct arg_info *a = &info->args[i];
		if (a->name_length == name.length && a->name[0] == name.data[0] &&
		    memcmp(a->name, name.data, name.length) == 0)
			return a;
	}
	return NULL;
}

bool event_arg_name_known(struct str name)
{
	for (int type = 1; type < EVENT_TYPE_MAX; type++)
		if (event_find_arg(&types[type], name))
			return true;
	return contains(known_args, ARRAY_SIZE(known_args), name);
}
