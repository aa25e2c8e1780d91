/* SPDX-License-Identifier: Apache-2.0 */
#include "rule/probe.h"

/* Of what follows from an event's type, its value; else NULL. */
static const char *fixed_text(const struct event_info *info, enum field_id id)
{
	switch (id) {
	case FIELD_EVT_TYPE:
		return info->name;
	case FIELD_EVT_CATEGORY:
		return info->category;
	case FIELD_EVT_DIR:
		return "<";
	case FIELD_EVT_SOURCE:
		return "syscall";
	default:
		return NULL;
	}
}

static struct value ordinary(enum field_type type, bool boolean)
{
	switch (type) {
	case FIELD_STR:
		return (struct value){.kind = VALUE_STR, .str = STR("probe")};
	case FIELD_PATH:
		return (struct value){.kind = VALUE_STR, .str = STR("/probe/probe")};
	case FIELD_BYTES:
		return (struct value){.kind = VALUE_BYTES, .str = STR("probe")};
	case FIELD_BOOL:
		return (struct value){.kind = VALUE_BOOL, .boolean = boolean};
	case FIELD_S64:
		return (struct value){.kind = VALUE_S64, .s64 = 1000};
	case FIELD_DOUBLE:
		return (struct value){.kind = VALUE_DOUBLE, .number = 1000};
	case FIELD_IP:
	case FIELD_NET: /* of the network for documentation, RFC 5737 */
		return (struct value){.kind = VALUE_IP, .ip = {.family = 4, .prefix = 32, .bytes = {192, 0, 2, 1}}};
	case FIELD_U64:
	case FIELD_TIME:
	case FIELD_PORT:
		break;
	}
	return (struct value){.kind = VALUE_U64, .u64 = 1000};
}

static bool is_list(const struct field_ref *ref)
{
	unsigned flags = field_get_info(ref->id)->flags;
	return flags & (FIELD_F_LIST | FIELD_F_ENDS) || (flags & FIELD_F_ANY && !ref->has_index && !ref->key.length);
}

static struct value find_value(const struct probe_source *s, const struct field_ref *ref)
{
	const char *fixed = fixed_text(s->info, ref->id);
	struct value v = {.kind = VALUE_NULL};
	if (fixed)
		return (struct value){.kind = VALUE_STR, .str = str_from(fixed)};
	if (s->known && s->known(s, ref, &v))
		return v;
	if (s->probe == PROBE_NOTHING || field_get_info(ref->id)->flags & FIELD_F_NULLED)
		return v;
	return ordinary(field_ref_type(ref), s->probe == PROBE_TRUE);
}

static void probe_get(const struct field_source *source, const struct field_ref *ref, struct arena *arena,
                      struct value *ret_value)
{
	struct value v = find_value((const struct probe_source *)source, ref);
	if (v.kind != VALUE_NULL && is_list(ref)) {
		struct value *item = arena_new(arena, struct value);
		if (item)
			*item = v;
		v = item ? (struct value){.kind = VALUE_LIST, .list = {item, 1}} : (struct value){.kind = VALUE_NULL};
	}
	*ret_value = v;
}

void probe_source_init(struct probe_source *s, enum probe probe, enum event_type type)
{
	*s = (struct probe_source){.source = {.get = probe_get}, .probe = probe, .info = event_type_info(type)};
}
