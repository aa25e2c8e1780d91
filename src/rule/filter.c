/* SPDX-License-Identifier: Apache-2.0
 *
 * Conditions by themselves, and small things that rules are described with.
 */
#include "rule/condition_int.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#define FILTER_BYTES_MAX (256u << 20) /* of memory that one filter may take */

struct filter {
	struct arena arena; /* of what filter_new() made; unused by filter_from_cond() */
	struct cond *cond;
};

static int filter_compile(struct filter *f, struct str text, const char *name, struct diag_list *diags)
{
	struct source_text *source;
	int r = text_lines_new(&f->arena, text, name, &source);
	if (r < 0)
		return r;
	struct cond *cond;
	r = cond_parse(&f->arena, source, diags, &cond);
	if (r < 0)
		return r;
	r = cond_check(&f->arena, cond, diags);
	if (r == 0)
		f->cond = cond;
	return r == -ENOENT ? -EINVAL : r;
}

int filter_new(struct str text, const char *name, struct diag_list *reterr_diags, struct filter **ret_filter)
{
	struct filter *f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	arena_init(&f->arena, FILTER_BYTES_MAX);
	int r = filter_compile(f, text, name, reterr_diags);
	if (r < 0) {
		filter_free(f);
		return r;
	}
	*ret_filter = f;
	return 0;
}

int filter_from_cond(struct cond *cond, struct filter **ret_filter)
{
	struct filter *f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	arena_init(&f->arena, 0);
	f->cond = cond;
	*ret_filter = f;
	return 0;
}

void filter_free(struct filter *f)
{
	if (!f)
		return;
	if (f->cond)
		cond_done(f->cond);
	arena_done(&f->arena);
	free(f);
}

const struct cond *filter_cond(const struct filter *f)
{
	return f->cond;
}

bool filter_match(const struct filter *f, const struct field_source *source, struct arena *arena)
{
	return cond_eval(f->cond, source, arena);
}

void filter_events(const struct filter *f, struct event_set *ret_set)
{
	cond_events(f->cond, ret_set);
}

bool filter_uses_field(const struct filter *f, enum field_id id)
{
	return cond_uses_field(f->cond, id);
}

uint64_t filter_undecided(const struct filter *f)
{
	return cond_undecided(f->cond);
}

/* ---- sets of event types ---- */

bool event_set_has(const struct event_set *s, unsigned type)
{
	return type < EVENT_TYPE_MAX && s->bits[type / 64] >> type % 64 & 1;
}

void event_set_add(struct event_set *s, unsigned type)
{
	if (type < EVENT_TYPE_MAX)
		s->bits[type / 64] |= 1ull << type % 64;
}

void event_set_add_all(struct event_set *s, const struct event_set *more)
{
	for (size_t i = 0; i < ARRAY_SIZE(s->bits); i++)
		s->bits[i] |= more->bits[i];
}

/* ---- priorities ---- */

static const char *const priority_names[] = {
        [PRIORITY_EMERGENCY] = "Emergency",
        [PRIORITY_ALERT] = "Alert",
        [PRIORITY_CRITICAL] = "Critical",
        [PRIORITY_ERROR] = "Error",
        [PRIORITY_WARNING] = "Warning",
        [PRIORITY_NOTICE] = "Notice",
        [PRIORITY_INFORMATIONAL] = "Informational",
        [PRIORITY_DEBUG] = "Debug",
};

const char *rule_priority_name(enum rule_priority p)
{
	return priority_names[p];
}

int rule_priority_parse(struct str text, enum rule_priority *ret_priority)
{
	for (size_t i = 0; i < ARRAY_SIZE(priority_names); i++) {
		size_t length = strlen(priority_names[i]);
		if (text.length == length && strncasecmp(text.data, priority_names[i], length) == 0) {
			*ret_priority = (enum rule_priority)i;
			return 0;
		}
	}
	if (text.length != 4 || strncasecmp(text.data, "info", 4) != 0)
		return -EINVAL;
	*ret_priority = PRIORITY_INFORMATIONAL;
	return 0;
}

/* ---- names, for exceptions ---- */

bool cond_field_known(struct str text)
{
	struct arena arena;
	struct diag_list diags;
	arena_init(&arena, 1 << 20);
	diag_list_init(&diags, 0);
	struct source_text *source;
	bool known = text_lines_new(&arena, text, NULL, &source) == 0;
	struct parser p;
	struct expr *e = NULL;
	if (known) {
		parser_init(&p, &arena, source, 0, CODE_CONDITION, &diags);
		e = parse_expression(&p);
	}
	struct check c = {.arena = &arena, .source = source, .diags = &diags, .code = CODE_CONDITION};
	known = e && p.at == text.length && expr_check(&c, e);
	diag_list_done(&diags);
	arena_done(&arena);
	return known;
}
