/* SPDX-License-Identifier: Apache-2.0 */
#include "event/field.h"

#include <errno.h>

#include "event/event.h"

#define NAME_MAX_BYTES 64 /* longer texts are not compared for suggestions */

/* The words of field.def's FLAGS column. */
enum {
	LIST = FIELD_F_LIST,
	FILTER = FIELD_F_FILTER,
	ENDS = FIELD_F_ENDS,
	ANY = FIELD_F_ANY,
	NULLED = FIELD_F_NULLED,
	HEX = FIELD_F_HEX,
	PADDED9 = FIELD_F_PADDED9,
};

static const struct field_info fields[FIELD_COUNT] = {
#define FIELD(id, name, type, arg, flags, scope, doc) \
	[FIELD_##id] = {name, FIELD_##type, FIELD_ARG_##arg, flags, FIELD_SCOPE_##scope, doc},
#include "schema/field.def"
};

const struct field_info *field_get_info(enum field_id id)
{
	return &fields[id];
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static size_t word_length(struct str s)
{
	size_t length = 0;

	while (length < s.length && is_name_char(s.data[length]))
		length++;
	return length;
}

/* The longest prefix of the word at s that known() accepts; 0: none. */
static size_t longest_known(struct str s, bool (*known)(struct str name))
{
	for (size_t length = word_length(s); length > 0; length--)
		if (known(str_make(s.data, length)))
			return length;
	return 0;
}

static bool is_arg_field(const struct field_info *info)
{
	return strcmp(info->name, "evt.arg") == 0 || strcmp(info->name, "evt.rawarg") == 0;
}

/* What may follow a NAME field: rest begins behind the field's name. Returns false: neither .name nor a bracket. */
static bool parse_name(const struct field_info *info, struct str rest, struct str *ret_key)
{
	struct str name = str_make(rest.data, 0);
	size_t length;

	if (rest.length > 0 && rest.data[0] == '[' && strcmp(info->name, "evt.arg") == 0) {
		*ret_key = name;
		return true;
	}
	if (rest.length < 2 || rest.data[0] != '.')
		return false;
	name = str_make(rest.data + 1, rest.length - 1);
	if (is_arg_field(info))
		length = longest_known(name, event_arg_name_known);
	else if (strcmp(info->name, "evt.type.is") == 0)
		length = longest_known(name, event_name_known);
	else
		length = word_length(name);
	*ret_key = str_make(name.data, length);
	return length > 0;
}

/* How long the name is, if text begins with it; 0: it does not. All fields are tried: most differ at once. */
static size_t name_length_in(struct str text, const char *name)
{
	size_t i = 0;
	while (name[i] && i < text.length && text.data[i] == name[i])
		i++;
	return name[i] ? 0 : i;
}

int field_parse_prefix(struct str text, struct field_ref *ret_ref, size_t *ret_length)
{
	struct field_ref best = {.id = FIELD_COUNT};
	size_t best_length = 0;

	for (int id = 0; id < FIELD_COUNT; id++) {
		struct str key = {NULL, 0};
		size_t length = name_length_in(text, fields[id].name);

		if (length == 0)
			continue;
		if (fields[id].arg == FIELD_ARG_NAME) {
			if (!parse_name(&fields[id], str_make(text.data + length, text.length - length), &key))
				continue;
			length += key.length > 0 ? 1 + key.length : 0;
		}
		if (length > best_length) {
			best = (struct field_ref){.id = (enum field_id)id, .has_key = key.length > 0, .key = key};
			best_length = length;
		}
	}
	if (best_length == 0)
		return -ENOENT;
	*ret_ref = best;
	*ret_length = best_length;
	return 0;
}

static enum field_type type_of_arg(enum arg_type type)
{
	switch (type) {
	case ARG_ERRNO:
	case ARG_FD:
	case ARG_PID:
	case ARG_S32:
	case ARG_S64:
	case ARG_SIG:
		return FIELD_S64;
	case ARG_UID:
	case ARG_GID:
	case ARG_U32:
	case ARG_U64:
	case ARG_HEX:
	case ARG_HEX32:
	case ARG_OCT:
	case ARG_MODE:
	case ARG_FLAGS:
	case ARG_ENUM:
		return FIELD_U64;
	case ARG_BOOL:
		return FIELD_BOOL;
	case ARG_NS:
	case ARG_TIMESTAMP:
		return FIELD_TIME;
	case ARG_BYTES:
	case ARG_ARGV:
		return FIELD_BYTES;
	case ARG_STR:
	case ARG_SOCKADDR:
	case ARG_PATH:
	case ARG_TUPLE:
		return FIELD_STR;
	}
	return FIELD_STR;
}

/* Events may give one name to arguments of different types. What evt.args lists goes before what is picket's own, the
 * first event before the later ones, and among numbers signed before unsigned: -1 must be comparable. */
static enum field_type type_of_raw_arg(struct str name)
{
	enum field_type found = FIELD_STR;
	int found_rank = 0;

	for (int type = 1; type < EVENT_TYPE_MAX; type++) {
		const struct event_info *info = event_type_info((enum event_type)type);
		const struct arg_info *arg = info->name ? event_find_arg(info, name) : NULL;
		int rank = !arg ? 0 : arg->kind == ARG_OWN ? 1 : 2;

		if (rank == 0)
			continue;
		if (rank > found_rank || (found == FIELD_U64 && rank == 2 && type_of_arg(arg->type) == FIELD_S64)) {
			found = type_of_arg(arg->type);
			found_rank = rank;
		}
	}
	return found;
}

enum field_type field_ref_type(const struct field_ref *ref)
{
	if (ref->has_key && strcmp(fields[ref->id].name, "evt.rawarg") == 0)
		return type_of_raw_arg(ref->key);
	return fields[ref->id].type;
}

/* Levenshtein distance; both at most NAME_MAX_BYTES long. */
static unsigned edit_distance(struct str a, struct str b)
{
	uint8_t row[NAME_MAX_BYTES + 1];

	for (size_t j = 0; j <= b.length; j++)
		row[j] = (uint8_t)j;
	for (size_t i = 0; i < a.length; i++) {
		uint8_t diagonal = row[0]; /* of the row above */

		row[0] = (uint8_t)(i + 1);
		for (size_t j = 0; j < b.length; j++) {
			uint8_t above = row[j + 1];
			uint8_t changed = (uint8_t)(diagonal + (a.data[i] != b.data[j]));

			row[j + 1] = MIN(changed, (uint8_t)(MIN(above, row[j]) + 1));
			diagonal = above;
		}
	}
	return row[b.length];
}

static size_t common_prefix(struct str a, struct str b)
{
	size_t n = 0;

	while (n < a.length && n < b.length && a.data[n] == b.data[n])
		n++;
	return n;
}

const char *field_suggest(struct str text)
{
	unsigned best_distance = (unsigned)(text.length / 4 + 1); /* further away is another word */
	size_t best_prefix = 0;
	const char *best = NULL;

	if (text.length == 0 || text.length > NAME_MAX_BYTES)
		return NULL;
	for (int id = 0; id < FIELD_COUNT; id++) {
		struct str name = str_from(fields[id].name);
		unsigned distance;

		if (name.length > NAME_MAX_BYTES || fields[id].flags & FIELD_F_NULLED)
			continue;
		distance = edit_distance(text, name);
		if (distance > best_distance || (distance == best_distance && common_prefix(text, name) <= best_prefix))
			continue;
		best_distance = distance;
		best_prefix = common_prefix(text, name);
		best = fields[id].name;
	}
	return best;
}
