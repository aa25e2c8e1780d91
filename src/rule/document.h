/* SPDX-License-Identifier: Apache-2.0
 *
 * A YAML file as a tree of nodes that know their place, for all that is written in YAML: rules, policies.
 */
#ifndef PICKET_RULE_DOCUMENT_H
#define PICKET_RULE_DOCUMENT_H

#include <stdarg.h>

#include "base/arena.h"
#include "base/diag.h"

#define DOC_DEPTH_MAX 32
#define DOC_WEIGHT_MAX 1000000 /* nodes and 64-byte pieces of text of one file, with aliases expanded */
#define FILE_ARENA_MAX (512u << 20)

struct source_text;  /* a text and where each part of it stands; private to the room */
struct text_segment; /* such a place */

enum doc_kind { DOC_SCALAR, DOC_SEQUENCE, DOC_MAP };
enum doc_style { DOC_PLAIN, DOC_SINGLE_QUOTED, DOC_DOUBLE_QUOTED, DOC_BLOCK };

struct doc_node {
	enum doc_kind kind;
	enum doc_style style;    /* SCALAR */
	size_t start, end;       /* bytes of the file; an alias shares the node, so this is where the anchor stands */
	struct str text;         /* SCALAR; holds no NUL */
	struct doc_node **items; /* SEQUENCE: count; MAP: key and value by turns, 2 * count */
	size_t count;
	size_t weight;
};

struct doc_file {
	struct arena arena;
	const char *name;
	struct str text;
	size_t *lines; /* offset of each line's first byte */
	size_t line_count;
	struct doc_node **roots; /* one per document that is not empty */
	size_t root_count;
	bool has_errors; /* told already; the tree is whole nonetheless */
};

/* Where something stands, for a message that is made later. */
struct place {
	const struct doc_file *file;
	size_t offset;
};

/* text is copied. What is wrong goes to diags; if it is well-formed YAML there is a tree nonetheless, with has_errors,
 * so that more can be said about it.
 * Returns 0; -EINVAL: not YAML, or over a limit; -ENOMEM. ret_file: caller frees with doc_file_free(). */
int doc_file_new(const char *name, struct str text, struct diag_list *reterr_diags, struct doc_file **ret_file)
        must_check;
void doc_file_free(struct doc_file *f);
bool doc_is_null(const struct doc_node *n);                                      /* absent, or YAML's null */
const struct doc_node *doc_get(const struct doc_node *map, const char *key);     /* NULL: no such key */
const struct doc_node *doc_get_key(const struct doc_node *map, const char *key); /* the key itself */
unsigned doc_line(const struct doc_file *f, size_t offset);                      /* from 1 */
/* A scalar's value and where each line and escape of it stands. NULL: no memory. Lives in the file's arena. */
const struct source_text *doc_source(struct doc_file *f, const struct doc_node *scalar);
struct text_segment doc_segment(const struct doc_file *f, size_t file_offset, size_t text_offset);
struct diag *doc_diag(const struct doc_file *f, size_t offset, struct diag_list *l, enum diag_level level,
                      const char *code, const char *format, ...) printf_like(6, 7);
struct diag *doc_vdiag(const struct doc_file *f, size_t offset, struct diag_list *l, enum diag_level level,
                       const char *code, const char *format, va_list arguments) printf_like(6, 0);
struct diag *place_diag(struct place p, struct diag_list *l, enum diag_level level, const char *code,
                        const char *format, ...) printf_like(5, 6);

#endif
