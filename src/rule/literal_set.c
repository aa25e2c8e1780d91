/* SPDX-License-Identifier: Apache-2.0 */
#include "rule/literal_set.h"

#include <errno.h>
#include <fnmatch.h>

/* ---- values ---- */

#define IP_PREFIX_MAX 128

struct entry {
	uint64_t hash;
	struct value value;
};

/* Open addressing. The capacity is a power of two and at least twice the limit, so that every search ends. */
struct literal_set {
	struct entry *entries; /* count, of at most limit */
	uint32_t *slots;       /* capacity: an entry's index + 1; 0: free */
	size_t capacity, count, limit;
	/* Lengths of the prefixes that are in it: an address is looked up once under each. */
	uint8_t prefixes[2][IP_PREFIX_MAX + 1];
	size_t prefix_count[2];
};

static size_t capacity_for(size_t limit)
{
	size_t capacity = 4;
	while (capacity / 2 < limit)
		capacity *= 2;
	return capacity;
}

struct literal_set *literal_set_new(struct arena *arena, size_t limit)
{
	struct literal_set *s = arena_new(arena, struct literal_set);
	if (!s || limit > UINT32_MAX / 4)
		return NULL;
	s->limit = limit;
	s->capacity = capacity_for(limit);
	s->entries = arena_array(arena, struct entry, limit);
	s->slots = arena_array(arena, uint32_t, s->capacity);
	return s->entries && s->slots ? s : NULL;
}

/* Numbers that are equal have one form: whole ones are S64 if they fit, or else U64. */
static struct value value_normal(const struct value *v)
{
	struct value n = *v;
	if (v->kind == VALUE_U64 && v->u64 <= INT64_MAX)
		n = (struct value){.kind = VALUE_S64, .s64 = (int64_t)v->u64};
	bool whole = v->kind == VALUE_DOUBLE && v->number >= -0x1p63 && v->number < 0x1p63 &&
	             v->number == (double)(int64_t)v->number;
	if (whole)
		n = (struct value){.kind = VALUE_S64, .s64 = (int64_t)v->number};
	return n;
}

static void ip_mask(struct ip *ip, unsigned prefix)
{
	ip->prefix = (uint8_t)prefix;
	for (unsigned i = 0; i < sizeof(ip->bytes); i++) {
		unsigned kept = prefix > i * 8 ? prefix - i * 8 : 0;
		if (kept < 8)
			ip->bytes[i] &= (uint8_t)(0xff00u >> kept);
	}
}

static uint64_t value_hash(const struct value *v)
{
	switch (v->kind) {
	case VALUE_STR:
	case VALUE_BYTES:
		return base_hash(v->str.data, v->str.length);
	case VALUE_IP:
		return base_hash(v->ip.bytes, sizeof(v->ip.bytes)) + v->ip.prefix * 2u + v->ip.family;
	case VALUE_BOOL:
		return v->boolean;
	case VALUE_DOUBLE:
		return base_hash(&v->number, sizeof(v->number));
	default:
		return base_hash(&v->u64, sizeof(v->u64));
	}
}

static bool is_text(const struct value *v)
{
	return v->kind == VALUE_STR || v->kind == VALUE_BYTES;
}

static bool value_same(const struct value *a, const struct value *b)
{
	if (is_text(a) && is_text(b))
		return str_equal(a->str, b->str);
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case VALUE_IP:
		return a->ip.family == b->ip.family && a->ip.prefix == b->ip.prefix &&
		       memcmp(a->ip.bytes, b->ip.bytes, sizeof(a->ip.bytes)) == 0;
	case VALUE_BOOL:
		return a->boolean == b->boolean;
	case VALUE_DOUBLE:
		return a->number == b->number;
	default:
		return a->u64 == b->u64;
	}
}

/* The slot that holds v, or the free one where it belongs. */
static uint32_t *slot_find(const struct literal_set *s, const struct value *v, uint64_t hash)
{
	for (size_t i = hash;; i++) {
		uint32_t *slot = &s->slots[i & (s->capacity - 1)];
		if (!*slot)
			return slot;
		const struct entry *e = &s->entries[*slot - 1];
		if (e->hash == hash && value_same(&e->value, v))
			return slot;
	}
}

static void prefix_note(struct literal_set *s, const struct ip *ip)
{
	unsigned family = ip->family == 6;
	for (size_t i = 0; i < s->prefix_count[family]; i++) {
		if (s->prefixes[family][i] == ip->prefix)
			return;
	}
	s->prefixes[family][s->prefix_count[family]++] = ip->prefix;
}

int literal_set_add(struct literal_set *s, struct arena *arena, const struct value *v)
{
	struct value n = value_normal(v);
	if (n.kind == VALUE_IP)
		ip_mask(&n.ip, n.ip.prefix);
	uint64_t hash = value_hash(&n);
	uint32_t *slot = slot_find(s, &n, hash);
	if (*slot)
		return 0;
	if (s->count >= s->limit)
		return -ENOSPC;
	if (is_text(&n)) {
		n.str = arena_str(arena, n.str);
		if (!n.str.data)
			return -ENOMEM;
	}
	if (n.kind == VALUE_IP)
		prefix_note(s, &n.ip);
	s->entries[s->count++] = (struct entry){.hash = hash, .value = n};
	*slot = (uint32_t)s->count;
	return 0;
}

static bool set_has_ip(const struct literal_set *s, const struct value *v)
{
	unsigned family = v->ip.family == 6;
	for (size_t i = 0; i < s->prefix_count[family]; i++) {
		if (s->prefixes[family][i] > v->ip.prefix)
			continue;
		struct value masked = {.kind = VALUE_IP, .ip = v->ip};
		ip_mask(&masked.ip, s->prefixes[family][i]);
		if (*slot_find(s, &masked, value_hash(&masked)))
			return true;
	}
	return false;
}

bool literal_set_has(const struct literal_set *s, const struct value *v)
{
	if (s->count == 0)
		return false;
	if (v->kind == VALUE_IP)
		return set_has_ip(s, v);
	struct value n = value_normal(v);
	return *slot_find(s, &n, value_hash(&n)) != 0;
}

/* ---- paths ---- */

struct path_pattern {
	bool absolute;
	const char **components;
	size_t count;
};

struct path_set {
	struct literal_set *plain;     /* normalised: one slash between components, none at the end */
	bool has_root;                 /* "/": all absolute paths */
	struct path_pattern *patterns; /* at most limit; NULL: none yet */
	size_t pattern_count, limit;
};

struct path_set *path_set_new(struct arena *arena, size_t limit)
{
	struct path_set *s = arena_new(arena, struct path_set);
	if (!s)
		return NULL;
	s->limit = limit;
	s->plain = literal_set_new(arena, limit);
	return s->plain ? s : NULL;
}

struct str path_normal(struct arena *arena, struct str path)
{
	struct str copy = arena_str(arena, path);
	char *data = (char *)copy.data;
	if (!data)
		return copy;
	size_t length = 0;
	for (size_t i = 0; i < path.length; i++) {
		if (path.data[i] == '/' && length > 0 && data[length - 1] == '/')
			continue;
		data[length++] = path.data[i];
	}
	if (length > 1 && data[length - 1] == '/')
		length--;
	data[length] = '\0';
	return str_make(data, length);
}

static bool path_is_absolute(struct str path)
{
	return path.length > 0 && path.data[0] == '/';
}

static size_t path_count_components(struct str path)
{
	size_t count = path.length > 0;
	for (size_t i = 1; i < path.length; i++)
		count += path.data[i] == '/';
	return str_equals(path, "/") ? 0 : count;
}

/* path: normalised, taken to pieces: its slashes become NULs. A NUL that is in it becomes another byte. */
static int path_split(struct arena *arena, struct str path, struct path_pattern *ret_pattern)
{
	size_t count = path_count_components(path);
	const char **components = arena_array(arena, const char *, count);
	if (!components)
		return -ENOMEM;
	bool absolute = path_is_absolute(path);
	char *data = (char *)path.data;
	size_t n = 0;
	if (!absolute && count)
		components[n++] = data;
	for (size_t i = 0; i < path.length; i++) {
		if (data[i] == '\0')
			data[i] = '\x01';
		if (data[i] != '/')
			continue;
		data[i] = '\0';
		if (n < count)
			components[n++] = data + i + 1;
	}
	*ret_pattern = (struct path_pattern){.absolute = absolute, .components = components, .count = count};
	return 0;
}

bool path_has_wildcard(struct str path)
{
	return str_find_char(path, '*') >= 0 || str_find_char(path, '?') >= 0 || str_find_char(path, '[') >= 0;
}

int path_set_add(struct path_set *s, struct arena *arena, struct str path)
{
	struct value v = {.kind = VALUE_STR, .str = path_normal(arena, path)};
	if (!v.str.data)
		return -ENOMEM;
	if (str_equals(v.str, "/"))
		s->has_root = true;
	if (!path_has_wildcard(v.str))
		return literal_set_add(s->plain, arena, &v);
	if (s->pattern_count >= s->limit)
		return -ENOSPC;
	if (!s->patterns)
		s->patterns = arena_array(arena, struct path_pattern, s->limit);
	if (!s->patterns)
		return -ENOMEM;
	int r = path_split(arena, v.str, &s->patterns[s->pattern_count]);
	if (r == 0)
		s->pattern_count++;
	return r;
}

/* path: normalised. */
static bool plain_covers(const struct path_set *s, struct str path)
{
	if (s->has_root && path_is_absolute(path))
		return true;
	for (size_t end = 1; end <= path.length; end++) {
		if (end < path.length && path.data[end] != '/')
			continue;
		struct value prefix = {.kind = VALUE_STR, .str = str_make(path.data, end)};
		if (literal_set_has(s->plain, &prefix))
			return true;
	}
	return false;
}

static bool pattern_covers(const struct path_pattern *pattern, const struct path_pattern *path)
{
	if (pattern->absolute != path->absolute || pattern->count > path->count)
		return false;
	for (size_t i = 0; i < pattern->count; i++) {
		if (fnmatch(pattern->components[i], path->components[i], 0) != 0)
			return false;
	}
	return true;
}

int path_set_covers(const struct path_set *s, struct arena *scratch, struct str path)
{
	struct str normal = path_normal(scratch, path);
	if (!normal.data)
		return -ENOMEM;
	if (plain_covers(s, normal))
		return 1;
	if (s->pattern_count == 0)
		return 0;
	struct path_pattern parts;
	int r = path_split(scratch, normal, &parts);
	if (r < 0)
		return r;
	for (size_t i = 0; i < s->pattern_count; i++) {
		if (pattern_covers(&s->patterns[i], &parts))
			return 1;
	}
	return 0;
}
