/* SPDX-License-Identifier: Apache-2.0
 *
 * The fields of the rule language (schema/field.def), and how a value of one is asked for. Who can answer is a
 * field_source: src/enrich for events, a rule's sample for tests.
 */
#ifndef PICKET_EVENT_FIELD_H
#define PICKET_EVENT_FIELD_H

#include "base/arena.h"
#include "event/value.h"

enum field_id {
#define FIELD(id, name, type, arg, flags, scope, doc) FIELD_##id,
#include "schema/field.def"
	FIELD_COUNT,
};

enum field_type {
	FIELD_STR,
	FIELD_PATH,
	FIELD_S64,
	FIELD_U64,
	FIELD_BOOL,
	FIELD_TIME,
	FIELD_DOUBLE,
	FIELD_IP,
	FIELD_NET,
	FIELD_PORT,
	FIELD_BYTES
};
enum field_arg { FIELD_ARG_NO, FIELD_ARG_INDEX, FIELD_ARG_KEY, FIELD_ARG_EITHER, FIELD_ARG_NAME, FIELD_ARG_NEED };
enum field_flag {
	FIELD_F_LIST = 1 << 0,    /* its value is a list */
	FIELD_F_FILTER = 1 << 1,  /* for conditions only */
	FIELD_F_ENDS = 1 << 2,    /* two values, one per end of a connection; != wants both to differ */
	FIELD_F_ANY = 1 << 3,     /* without argument in a condition: a list of all ancestors' values, one must match */
	FIELD_F_NULLED = 1 << 4,  /* known, never has a value */
	FIELD_F_HEX = 1 << 5,     /* prints as hexadecimal */
	FIELD_F_PADDED9 = 1 << 6, /* prints with 9 digits */
};
enum field_scope { FIELD_SCOPE_PROC, FIELD_SCOPE_EVENT };

struct field_info {
	const char *name;
	enum field_type type;
	enum field_arg arg;
	unsigned flags;
	enum field_scope scope;
	const char *doc;
};

/* A field with its argument, as written in a condition or output. */
struct field_ref {
	enum field_id id;
	bool has_index, has_key; /* at most one */
	bool output;             /* asked for by an output: list fields that have a joined form give that */
	uint32_t index;
	struct str key; /* [text] or .name; lives as long as the ref */
};

const struct field_info *field_get_info(enum field_id id);
/* The longest field that text begins with ("proc.name | x" → proc.name), without its argument in brackets; for NAME
 * fields the name after the dot goes into ref->key. ret_length: bytes taken. Returns 0, -ENOENT. key is borrowed from text. */
int field_parse_prefix(struct str text, struct field_ref *ret_ref, size_t *ret_length) must_check;
/* The type of what this ref gives: evt.rawarg.X has the type of argument X. */
enum field_type field_ref_type(const struct field_ref *ref);
/* The name that is most like text, for "did you mean"; NULL if none is near. */
const char *field_suggest(struct str text);

/* What a reader of a source keeps with the acting process, of what it found out about it by fields of FIELD_SCOPE_PROC. */
struct field_note {
	uint64_t owner;   /* the reader's; 0: nobody's */
	uint64_t version; /* of the source, when it was written */
	void *value;
};

struct field_source {
	/* Gives the value; kind VALUE_NULL if there is none. What it points to lives until the arena is reset or the
	 * source changes, whichever is first. Either-end and any-ancestor fields give a VALUE_LIST. */
	void (*get)(const struct field_source *source, const struct field_ref *ref, struct arena *arena,
	            struct value *ret_value);
	/* Stays with the acting process. NULL: there is no such place. */
	struct field_note *note;
	uint64_t version; /* another one, if a field of FIELD_SCOPE_PROC may give another value than before */
};

#endif
