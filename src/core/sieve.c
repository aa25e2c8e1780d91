/* SPDX-License-Identifier: Apache-2.0 */
#include "core/sieve.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "enrich/enrich.h"

struct made {
	struct rule_sieve *sieves[SIEVE_PROGRAMS_MAX]; /* of the program of the same index */
};

static void made_free(struct made *m)
{
	for (size_t i = 0; i < ARRAY_SIZE(m->sieves); i++)
		rule_sieve_free(m->sieves[i]);
}

static bool sieve_equal(const struct rule_sieve *a, const struct rule_sieve *b)
{
	bool equal = a->insn_count == b->insn_count && a->table_count == b->table_count &&
	             memcmp(a->insns, b->insns, a->insn_count * sizeof(*a->insns)) == 0;
	for (size_t i = 0; equal && i < a->table_count; i++)
		equal = a->tables[i].bytes == b->tables[i].bytes &&
		        memcmp(a->tables[i].data, b->tables[i].data, a->tables[i].bytes) == 0;
	return equal;
}

/* Rules that are about several types often come to the same program for each. */
static void make_type(enum event_type type, const struct rule_programs *programs, struct sieve_status *status,
                      struct made *made)
{
	struct rule_sieve *s = NULL;
	int r = enrich_needs(type) ? -EOPNOTSUPP : rule_programs_sieve(programs, type, &s);
	if (r == -EOPNOTSUPP || status->count == SIEVE_PROGRAMS_MAX) {
		rule_sieve_free(s);
		return;
	}
	for (size_t i = 0; r == 0 && i < status->count; i++) {
		struct sieve_program *p = &status->programs[i];
		if (made->sieves[i] && p->type_count < SIEVE_PROGRAM_TYPES_MAX && sieve_equal(made->sieves[i], s)) {
			p->types[p->type_count++] = type;
			rule_sieve_free(s);
			return;
		}
	}
	struct sieve_program *p = &status->programs[status->count];
	made->sieves[status->count++] = s;
	p->types[p->type_count++] = type;
	p->insn_count = s ? s->insn_count : 0;
	if (r == 0)
		r = rule_sieve_verify(s);
	if (r == -EPERM)
		snprintf(p->why, sizeof(p->why), "picket's own verifier refuses it");
	else if (r < 0)
		snprintf(p->why, sizeof(p->why), "%s", strerror(-r));
}

/* Into the loader, or only to be tried. */
struct place {
	struct loader *loader;
	const struct loader_sieve_trial *trial;
	int error; /* why nothing can be tried */
};

static int place_load(const struct place *place, struct sieve_program *p, const struct loader_sieve *s)
{
	if (place->error < 0)
		return place->error;
	return place->trial ? loader_sieve_try(place->trial, s, p->why, sizeof(p->why))
	                    : loader_set_sieve(place->loader, p->types, p->type_count, s, p->why, sizeof(p->why));
}

static void load(const struct place *place, struct sieve_program *p, const struct rule_sieve *s)
{
	struct loader_sieve_table tables[LOADER_SIEVE_TABLES_MAX];
	_Static_assert(LOADER_SIEVE_TABLES_MAX == RULE_SIEVE_TABLES_MAX, "both say how many tables a sieve may have");
	for (size_t i = 0; i < s->table_count; i++)
		tables[i] = (struct loader_sieve_table){s->tables[i].data, s->tables[i].bytes};
	const struct loader_sieve loaded = {s->insns, s->insn_count, tables, s->table_count};
	int r = place_load(place, p, &loaded);
	if (r < 0 && !p->why[0])
		snprintf(p->why, sizeof(p->why), "%s", strerror(-r));
}

void sieve_remove(struct loader *l)
{
	unsigned types[EVENT_TYPE_MAX];
	char why[256];
	for (unsigned type = 1; type < EVENT_TYPE_MAX; type++)
		types[type - 1] = type;
	(void)!loader_set_sieve(l, types, EVENT_TYPE_MAX - 1, NULL, why, sizeof(why));
}

static void make_and_load(const struct place *place, const struct rule_programs *programs,
                          struct sieve_status *ret_status)
{
	_cleanup_(made_free) struct made made = {0};
	uint64_t begin = clock_monotonic_ns();
	*ret_status = (struct sieve_status){0};
	for (unsigned type = 1; type < EVENT_TYPE_MAX; type++)
		make_type(type, programs, ret_status, &made);
	for (size_t i = 0; i < ret_status->count; i++)
		if (made.sieves[i] && !ret_status->programs[i].why[0])
			load(place, &ret_status->programs[i], made.sieves[i]);
	ret_status->load_ns = clock_monotonic_ns() - begin;
}

void sieve_install(struct loader *l, const struct rule_programs *programs, struct sieve_status *ret_status)
{
	sieve_remove(l);
	make_and_load(&(struct place){.loader = l}, programs, ret_status);
}

void sieve_try(const struct rule_programs *programs, struct sieve_status *ret_status)
{
	struct loader_sieve_trial trial;
	int r = loader_sieve_trial_begin(&trial);
	make_and_load(&(struct place){.trial = &trial, .error = r}, programs, ret_status);
	if (r == 0)
		loader_sieve_trial_end(&trial);
}

static void report_program(const struct sieve_program *p, struct json *out)
{
	json_begin_object(out);
	json_key(out, "types");
	json_begin_array(out);
	for (size_t i = 0; i < p->type_count; i++)
		json_text(out, event_type_info(p->types[i])->name);
	json_end_array(out);
	json_key(out, "instructions");
	json_u64(out, p->insn_count);
	json_key(out, "refused");
	json_text(out, p->why[0] ? p->why : NULL);
	json_end_object(out);
}

void sieve_report(const struct sieve_status *s, struct json *out)
{
	json_key(out, "sieve");
	json_begin_object(out);
	json_key(out, "load_ms");
	json_double(out, (double)s->load_ns / 1e6);
	json_key(out, "programs");
	json_begin_array(out);
	for (size_t i = 0; i < s->count; i++)
		report_program(&s->programs[i], out);
	json_end_array(out);
	json_end_object(out);
}
