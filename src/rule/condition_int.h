/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by the files that read, check and evaluate conditions and outputs.
 */
#ifndef PICKET_RULE_CONDITION_INT_H
#define PICKET_RULE_CONDITION_INT_H

#include <stdatomic.h>

#include "rule/condition.h"
#include "rule/literal_set.h"

#define CODE_CONDITION "LOAD_ERR_COMPILE_CONDITION"
#define CODE_OUTPUT "LOAD_ERR_COMPILE_OUTPUT"

/* ---- operators ---- */

enum cond_op {
	OP_EXISTS,
	OP_EQ,
	OP_NE,
	OP_LT,
	OP_LE,
	OP_GT,
	OP_GE,
	OP_CONTAINS,
	OP_ICONTAINS,
	OP_BCONTAINS,
	OP_STARTSWITH,
	OP_BSTARTSWITH,
	OP_ENDSWITH,
	OP_GLOB,
	OP_IGLOB,
	OP_REGEX,
	OP_IN,
	OP_INTERSECTS,
	OP_PMATCH,
	OP_COUNT,
};
enum cond_operand { OPERAND_NONE, OPERAND_NUMBER, OPERAND_STRING, OPERAND_LIST };
enum cond_modifier { MODIFIER_NONE, MODIFIER_ONEOF, MODIFIER_ANYOF, MODIFIER_ALLOF };

struct cond_op_info {
	const char *name;
	enum cond_operand operand;
	bool word;        /* of letters */
	bool needs_blank; /* after it */
};
const struct cond_op_info *cond_op_info(enum cond_op op);
const char *cond_modifier_name(enum cond_modifier modifier);
/* The operator that text begins with; "==" is OP_EQ. ret_length: bytes taken. Returns 0, -ENOENT. */
int cond_op_parse(struct str text, enum cond_op *ret_op, size_t *ret_length) must_check;
/* "= != contains", of the operators whose bits are set. */
void cond_ops_write(uint32_t ops, struct buf *out);

/* ---- expressions: what stands left or right of an operator, or after a % ---- */

enum expr_kind { EXPR_FIELD, EXPR_CALL, EXPR_TEXT, EXPR_NUMBER, EXPR_LIST };
/* How many values it gives, and what that means to a test. */
enum expr_many { MANY_ONE, MANY_LIST, MANY_ANY, MANY_ENDS };

struct transform;
struct expr {
	enum expr_kind kind;
	size_t at;       /* in the source_text */
	struct str name; /* FIELD and CALL: without argument; TEXT: unescaped; NUMBER: as written */
	bool has_arg;    /* [arg] follows */
	struct str arg;
	size_t arg_at;
	struct expr **args; /* CALL, LIST */
	size_t arg_count;
	/* by expr_check() */
	enum field_type type;
	enum expr_many many;
	struct field_ref ref;              /* FIELD */
	const struct transform *transform; /* CALL */
	struct value constant;             /* TEXT, NUMBER */
	/* by cond_number() */
	size_t number; /* from 1; 0: none */
};

struct check {
	struct arena *arena;
	const struct source_text *source;
	struct diag_list *diags;
	const char *code;
	bool output;  /* expressions are asked for by an output */
	bool unknown; /* a field or event type was not known */
	bool wrong;   /* something else was */
	int error;    /* -ENOMEM, or 0 */
};
/* Adds an error at an offset of the source. Returns NULL or the diag. */
struct diag *check_fail(struct check *c, size_t at, const char *format, ...) printf_like(3, 4);
struct diag *check_fail_unknown(struct check *c, size_t at, const char *format, ...) printf_like(3, 4);
int check_result(const struct check *c) must_check; /* 0, -ENOMEM, -EINVAL, -ENOENT */
/* Resolves fields and transformers. False: it was wrong, see c. */
bool expr_check(struct check *c, struct expr *e);
enum value_class { CLASS_NUMBER, CLASS_BOOL, CLASS_TEXT, CLASS_BYTES, CLASS_ADDRESS };
enum value_class type_class(enum field_type type);
const char *expr_type_name(const struct expr *e); /* "a number", "a list" … */
void expr_write(const struct expr *e, struct buf *out);
/* Calls once for each field in it. */
void expr_each_field(const struct expr *e, void (*call)(void *userdata, const struct field_ref *ref), void *userdata);
bool expr_uses_field(const struct expr *e, enum field_id id);
enum value_print expr_print(const struct expr *e);

struct eval {
	const struct field_source *source;
	struct arena *arena;
	struct cond_cache *cache; /* or NULL */
	bool undecided;           /* a limit was hit */
};
/* kind VALUE_NULL: it has none. */
void expr_value(const struct expr *e, struct eval *eval, struct value *ret_value);

/* ---- transformers ---- */

struct transform {
	const char *name;
	size_t args_min, args_max;
	bool each;      /* of a list: applied to each of its values */
	bool takes_arg; /* [arg] may follow */
	/* Sets e->type and e->many; the arguments are checked. */
	bool (*check)(struct check *c, struct expr *e);
	/* args: e->arg_count values, none of them null; of a transform for each: none of them a list. */
	void (*apply)(const struct expr *e, const struct value *args, struct eval *eval, struct value *ret_value);
};
const struct transform *transform_find(struct str name); /* NULL: unknown */
void transform_names_write(struct buf *out);

/* ---- numbers ---- */

/* 0x hex, or a decimal with sign, fraction, exponent; the whole of text. What is integral comes as S64 or U64.
 * Returns 0, -EINVAL, -ERANGE. */
int number_parse(struct str text, struct value *ret_value) must_check;
int number_compare(const struct value *a, const struct value *b); /* as memcmp; both are numbers */
bool value_is_number(const struct value *v);
bool value_is_text(const struct value *v); /* or bytes */

/* ---- tests: the leaves of a condition ---- */

struct literal {
	struct str text; /* unescaped */
	size_t at;
};

struct regex;
struct path_set;
struct operand {
	struct value value;  /* as the left side's type; glob: NUL-terminated text */
	struct regex *regex; /* owned */
};

/* Trees that were copied share their tests. What is made outside the arena lives while a tree holds it. */
struct cond_test {
	const struct source_text *source;
	size_t at, op_at;
	struct expr *left;
	struct expr *right; /* or NULL: literals */
	enum cond_op op;
	enum cond_modifier modifier;
	struct literal *literals;
	size_t literal_count;
	/* by cond_check() */
	unsigned holders;         /* trees that hold it checked */
	struct operand *operands; /* literal_count; OP_PMATCH: none */
	struct literal_set *set;  /* OP_IN, OP_INTERSECTS */
	struct path_set *paths;   /* OP_PMATCH */
	/* by cond_number() */
	size_t number; /* from 1; 0: none */
	_Atomic uint64_t undecided;
};
bool test_check(struct check *c, struct cond_test *t);
/* Literals become operands, a set, or paths; the left side is checked. */
bool test_prepare(struct check *c, struct cond_test *t);
void test_release(struct cond_test *t);

/* ---- trees ---- */

enum cond_kind { COND_AND, COND_OR, COND_NOT, COND_TEST, COND_MACRO };
enum cond_result { RESULT_UNKNOWN, RESULT_FALSE, RESULT_TRUE };

struct cond {
	enum cond_kind kind;
	unsigned height; /* of the tree below, itself included; at most RULE_DEPTH_MAX, so that walks may recurse */
	bool holds;      /* TEST: it counts among the test's holders */
	union {
		struct {
			struct cond **items; /* AND, OR: at least two; NOT: one */
			size_t count;
		};
		struct cond_test *test;
		struct {
			struct str name; /* MACRO */
			const struct source_text *source;
			size_t at;
		} macro;
	};
};
/* Calls for each test, left to right. */
void cond_each_test(const struct cond *cond, void (*call)(void *userdata, struct cond_test *test), void *userdata);

/* ---- reading ---- */

struct parser {
	struct arena *arena;
	const struct source_text *source;
	struct str text;
	size_t at;
	unsigned depth;
	const char *code;
	struct diag_list *diags;
	int error; /* the first; nothing is read after it */
};
void parser_init(struct parser *p, struct arena *arena, const struct source_text *source, size_t at, const char *code,
                 struct diag_list *diags);
/* Sets p->error; the diag, or NULL. */
struct diag *parser_fail(struct parser *p, size_t at, const char *format, ...) printf_like(3, 4);
void *parser_alloc(struct parser *p, size_t size); /* NULL: p->error is set */
bool parser_enter(struct parser *p, size_t at);    /* one level deeper; false: too deep */
void parser_leave(struct parser *p);
void parse_blanks(struct parser *p);
char parse_peek(const struct parser *p); /* NUL at the end */
bool parse_char(struct parser *p, char c);
bool parse_expect(struct parser *p, char c, const char *what); /* blanks before it are skipped */
struct str parse_found(const struct parser *p);                /* what stands here, for messages; empty at the end */
/* "expected …, found …", at p->at. */
struct diag *parser_expected(struct parser *p, const char *format, ...) printf_like(2, 3);
struct str parse_name(struct parser *p);                /* NAME, or nothing */
struct str parse_dotted_name(struct parser *p);         /* NAME ("." NAME)*, or nothing */
bool parse_keyword(struct parser *p, const char *word); /* followed by blank, ( or the end */
bool parse_string(struct parser *p, struct literal *ret_literal, const char *what);
bool char_is_blank(char c);
bool char_is_bare(char c);

/* A transformer's call begins here: a name with ( behind it? */
bool parse_is_call(const struct parser *p);
struct expr *parse_call(struct parser *p); /* also val(); NULL: p->error */
struct expr *parse_field(struct parser *p, struct str name, size_t at);
struct expr *parse_expression(struct parser *p);      /* a field or a call; NULL: p->error */
bool parse_bracket(struct parser *p, struct expr *e); /* [arg], if there is one */

/* A text by itself, with a segment for each line. It is copied into the arena, as is the name (may be NULL).
 * Returns 0, -ENOMEM. */
int text_lines_new(struct arena *arena, struct str text, const char *name, struct source_text **ret_source) must_check;

/* The one of names that is like text, or NULL. */
const char *nearest_name(struct str text, const char *(*name)(size_t i), size_t count);

#endif
