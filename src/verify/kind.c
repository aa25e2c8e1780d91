/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/bpf_perf_event.h>
#include <string.h>

#include "verify/table_int.h"

#define VERIFY_REGISTERS_BYTES sizeof(bpf_user_pt_regs_t)
#define VERIFY_SAMPLE_ADDRESS (VERIFY_REGISTERS_BYTES + 8) /* behind them and the period */
#define BUFFER_BYTES_MAX UINT16_MAX                        /* whoever attaches the program checks how many there are */

/* The words of kind.def. */
enum {
	READ = FIELD_READ,
	WRITE = FIELD_WRITE,
	NARROW = FIELD_NARROW,
	NARROW_WRITE = FIELD_NARROW_WRITE,
	FIRST = FIELD_FIRST,
	LEAST_2 = FIELD_LEAST_2,
	LEAST_8 = FIELD_LEAST_8,
	WORD_WRITE = FIELD_WORD_WRITE,
};
enum {
	PACKET_WRITE = KIND_PACKET_WRITE,
	PRIVILEGED = KIND_PRIVILEGED,
	RAW_CONTEXT = KIND_RAW_CONTEXT,
	BTF_CONTEXT = KIND_BTF_CONTEXT,
	MEMORY_LENGTH = KIND_MEMORY_LENGTH,
	NO_CONTEXT = KIND_NO_CONTEXT,
	SANDBOX = KIND_SANDBOX,
	SKB = KIND_SKB,
	SLEEPABLE = KIND_SLEEPABLE,
};
#define TYPE_NUMBER .type = FIELD_NUMBER
#define TYPE_PACKET .type = FIELD_PACKET
#define TYPE_PACKET_META .type = FIELD_PACKET_META
#define TYPE_PACKET_END .type = FIELD_PACKET_END
#define TYPE_SOCKET .type = FIELD_SOCKET
#define TYPE_SOCKET_OR_NULL .type = FIELD_SOCKET_OR_NULL
#define TYPE_SOCK_COMMON_OR_NULL .type = FIELD_SOCK_COMMON_OR_NULL
#define TYPE_FLOW_KEYS .type = FIELD_FLOW_KEYS
#define TYPE_BUFFER .type = FIELD_MEMORY, .object = BUFFER_BYTES_MAX
#define TYPE_OBJECT(name) .type = FIELD_OBJECT, .type_name = #name

/* Where the fields of each layout begin and end in the one array of all. */
enum {
#define FIELDS(id, bytes) FIRST_##id, BEFORE_##id = FIRST_##id - 1,
#define FIELD(id, name, offset, ...) AT_##id##_##offset,
#define FIELDS_END(id) END_##id, LAST_##id = END_##id - 1,
#include "verify/kind.def"
	FIRST_NONE = 0,
	END_NONE = 0,
};

static const struct verify_field all_fields[] = {
#define FIELDS(...)
#define FIELD(id, text, at, bytes, field_type, access) \
	{.name = text, .offset = (at), .size = (bytes), .flags = (access), TYPE_##field_type},
#define FIELDS_END(...)
#include "verify/kind.def"
};

/* The public table's names, by id. */
static const struct {
#define KIND(id, text, doc) char id[sizeof(text)];
#include "picket/verify_kind.h"
#undef KIND
} names = {
#define KIND(id, text, doc) text,
#include "picket/verify_kind.h"
#undef KIND
};

#define RETURNS_ANY KIND_RETURN_ANY, 0, 0
#define RETURNS_RANGE(least, most) 0, (least), (most)
#define ROW(...) ROW_OF(__VA_ARGS__)
#define ROW_OF(kind, layout, bytes, kind_flags, any, least, most) \
	{ \
		.id = PICKET_KIND_##kind, .name = names.kind, .flags = (kind_flags) | (any), \
		.context_size = (uint32_t)(bytes), .fields = all_fields + FIRST_##layout, \
		.field_count = END_##layout - FIRST_##layout, .return_min = (least), .return_max = (most) \
	}

static const struct verify_kind contexts[PICKET_KINDS] = {
#define CONTEXT(kind, layout, bytes, returns, flags) \
	[PICKET_KIND_##kind] = ROW(kind, layout, bytes, flags, RETURNS_##returns),
#include "verify/kind.def"
};

static const struct section {
	const char *name;
	enum picket_kind kind;
	bool sleeps;
} sections[] = {
#define SECTION(name, kind, sleeps) {name, PICKET_KIND_##kind, sleeps},
#include "verify/kind.def"
};

const struct verify_kind *verify_kind_find(enum picket_kind kind)
{
	if ((unsigned)kind >= PICKET_KINDS || contexts[kind].id == PICKET_KIND_AUTO)
		return NULL;
	return &contexts[kind];
}

bool verify_field_fits(const struct verify_field *f, int64_t at, uint64_t size, bool write)
{
	const uint64_t least = write && f->flags & FIELD_WORD_WRITE ? 4 : 1ull << (f->flags >> 5 & 3);

	if (!(f->flags & (write ? FIELD_WRITE : FIELD_READ)))
		return false;
	if (at == f->offset && size == f->size)
		return true;
	/* two words at once, an array's, are not one */
	return f->type == FIELD_NUMBER && f->flags & (write ? FIELD_NARROW_WRITE : FIELD_NARROW) && size >= least &&
	       size <= 8 && at % (int64_t)size == 0 && at + (int64_t)size <= (int64_t)f->offset + f->size &&
	       (!(f->flags & FIELD_FIRST) || at == f->offset);
}

const char *picket_kind_name(enum picket_kind kind)
{
	return (unsigned)kind < PICKET_KINDS ? contexts[kind].name : NULL;
}

enum picket_kind picket_kind_by_name(const char *name)
{
	for (unsigned k = PICKET_KIND_AUTO + 1; k < PICKET_KINDS; k++)
		if (!strcmp(contexts[k].name, name))
			return (enum picket_kind)k;
	return PICKET_KIND_AUTO;
}

/* "x+" is "x", and "x/" with anything behind it. */
static bool section_fits(const char *pattern, const char *name)
{
	size_t length = strlen(pattern);

	if (pattern[length - 1] != '+')
		return !strcmp(pattern, name);
	return !strncmp(pattern, name, length - 1) && (!name[length - 1] || name[length - 1] == '/');
}

static const struct section *section_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
		if (section_fits(sections[i].name, name))
			return &sections[i];
	return NULL;
}

enum picket_kind picket_kind_by_section(const char *section)
{
	const struct section *s = section_find(section);

	return s ? s->kind : PICKET_KIND_AUTO;
}

bool verify_section_sleeps(const char *section)
{
	const struct section *s = section_find(section);

	return s && s->sleeps;
}

void verify_section_returns(const char *section, int64_t *ret_min, int64_t *ret_max)
{
	static const struct {
		const char *name;
		int64_t min, max;
	} returns[] = {
#define SECTION_RETURNS(text, least, most) {(text), (least), (most)},
#include "verify/kind.def"
	};

	for (size_t i = 0; i < ARRAY_SIZE(returns); i++)
		if (section_fits(returns[i].name, section)) {
			*ret_min = returns[i].min;
			*ret_max = returns[i].max;
			return;
		}
}

#define LAYOUT(id, size) \
	{ \
		.fields = all_fields + FIRST_##id, .field_count = END_##id - FIRST_##id, .bytes = (size) \
	}

struct verify_layout verify_layout_find(enum verify_layout_id id)
{
	static const struct verify_layout layouts[] = {
	        [VERIFY_LAYOUT_SOCKET] = LAYOUT(SOCKET, 80),
	        [VERIFY_LAYOUT_SOCK_COMMON] = LAYOUT(SOCK_COMMON, 80),
	        [VERIFY_LAYOUT_TCP_SOCK] = LAYOUT(TCP_SOCK, 112),
	};

	return layouts[id];
}
