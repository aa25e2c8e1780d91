/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "verify/powers_int.h"

#define DETAILS_MAX 32 /* of one power of one program; what has more may do anything of the sort */
#define MORE "more"

static const struct {
	const char *name, *doc;
	enum picket_severity severity;
} powers[] = {
#define POWER(id, name, severity, doc) {name, doc, PICKET_SEVERITY_##severity},
#include "picket/verify_power.h"
#undef POWER
};

const char *picket_power_name(enum picket_power power)
{
	return (unsigned)power < PICKET_POWERS ? powers[power].name : NULL;
}

const char *picket_power_doc(enum picket_power power)
{
	return (unsigned)power < PICKET_POWERS ? powers[power].doc : NULL;
}

enum picket_severity picket_power_severity(enum picket_power power)
{
	return (unsigned)power < PICKET_POWERS ? powers[power].severity : PICKET_SEVERITY_CRITICAL;
}

const char *picket_severity_name(enum picket_severity severity)
{
	static const char *const names[] = {"low", "medium", "high", "critical"};

	return (unsigned)severity < ARRAY_SIZE(names) ? names[severity] : NULL;
}

/* ---- the list ---- */

int powers_new(size_t programs, struct picket_powers **ret_powers)
{
	struct picket_powers *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->programs = calloc(programs + 1, sizeof(*p->programs));
	if (!p->programs) {
		free(p);
		return -ENOMEM;
	}
	*ret_powers = p;
	return 0;
}

void picket_powers_free(struct picket_powers *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->program_count; i++) {
		free(p->programs[i].name);
		free(p->programs[i].section);
	}
	free(p->programs);
	free(p->entries);
	free(p);
}

int powers_program_add(struct picket_powers *p, struct str name, struct str section, enum picket_kind kind)
{
	struct powers_program *program = &p->programs[p->program_count];

	program->name = strndup(name.data, name.length);
	program->section = strndup(section.data, section.length);
	program->kind = kind;
	p->program_count++; /* freed with the list, also if it is half made */
	p->first = p->count;
	return program->name && program->section ? 0 : -ENOMEM;
}

/* Longer ones end in a number that tells them apart. */
static void detail_write(const char *detail, char text[64])
{
	size_t length = strlen(detail);

	if (length < 64)
		memcpy(text, detail, length + 1);
	else
		snprintf(text, 64, "%.46s~%016llx", detail, (unsigned long long)base_hash(detail, length));
}

/* Is it there? ret_details: how many others of that power. */
static bool entry_is_there(const struct picket_powers *p, enum picket_power power, const char *detail,
                           unsigned *ret_details)
{
	*ret_details = 0;
	for (size_t i = p->first; i < p->count; i++) {
		if (p->entries[i].power != power)
			continue;
		if (!strcmp(p->entries[i].detail, detail))
			return true;
		++*ret_details;
	}
	return false;
}

struct picket_power_entry *powers_entry_new(struct picket_powers *p)
{
	if (p->count == p->room) {
		size_t room = p->room ? 2 * p->room : 32;
		struct picket_power_entry *entries = realloc(p->entries, room * sizeof(*entries));

		if (!entries)
			return NULL;
		p->entries = entries;
		p->room = room;
	}
	p->entries[p->count] = (struct picket_power_entry){.insn = PICKET_POWER_HOOK};
	return &p->entries[p->count++];
}

int powers_add(struct picket_powers *p, enum picket_power power, const char *detail, uint32_t insn, const char *format,
               ...)
{
	struct picket_power_entry *entry;
	char text[64];
	unsigned details;
	va_list arguments;

	detail_write(detail ? detail : "", text);
	if (entry_is_there(p, power, text, &details))
		return 0;
	if (details >= DETAILS_MAX) {
		memcpy(text, MORE, sizeof(MORE));
		if (entry_is_there(p, power, text, &details))
			return 0;
	}
	if (p->count == PICKET_POWERS_MAX)
		return -E2BIG;
	entry = powers_entry_new(p);
	if (!entry)
		return -ENOMEM;
	entry->program = (uint32_t)p->program_count - 1;
	entry->power = power;
	entry->insn = insn;
	memcpy(entry->detail, text, sizeof(entry->detail));
	va_start(arguments, format);
	vsnprintf(entry->cause, sizeof(entry->cause), format, arguments);
	va_end(arguments);
	return 0;
}

/* ---- its order ---- */

static int program_order(const void *a, const void *b, void *user)
{
	const struct picket_powers *p = user;
	const struct powers_program *x = &p->programs[*(const uint32_t *)a], *y = &p->programs[*(const uint32_t *)b];
	int order = strcmp(x->name, y->name);

	if (!order)
		order = strcmp(x->section, y->section);
	return order ? order : (x->kind > y->kind) - (x->kind < y->kind);
}

static int entry_order(const void *a, const void *b)
{
	const struct picket_power_entry *x = a, *y = b;

	if (x->program != y->program)
		return x->program < y->program ? -1 : 1;
	if (x->power != y->power)
		return x->power < y->power ? -1 : 1;
	return strcmp(x->detail, y->detail);
}

int powers_sort(struct picket_powers *p)
{
	_cleanup_(base_free_ptr) uint32_t *order = calloc(p->program_count + 1, sizeof(*order));
	_cleanup_(base_free_ptr) uint32_t *place = calloc(p->program_count + 1, sizeof(*place));
	struct powers_program *sorted = calloc(p->program_count + 1, sizeof(*sorted));

	if (!order || !place || !sorted) {
		free(sorted);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < p->program_count; i++)
		order[i] = i;
	qsort_r(order, p->program_count, sizeof(*order), program_order, p);
	for (uint32_t i = 0; i < p->program_count; i++) {
		sorted[i] = p->programs[order[i]];
		place[order[i]] = i;
	}
	free(p->programs);
	p->programs = sorted;
	for (size_t i = 0; i < p->count; i++)
		p->entries[i].program = place[p->entries[i].program];
	if (p->count)
		qsort(p->entries, p->count, sizeof(*p->entries), entry_order);
	return 0;
}

size_t picket_powers_program_count(const struct picket_powers *p)
{
	return p->program_count;
}

struct picket_powers_program picket_powers_program(const struct picket_powers *p, size_t index)
{
	const struct powers_program *program;

	if (index >= p->program_count)
		return (struct picket_powers_program){"", "", PICKET_KIND_AUTO};
	program = &p->programs[index];
	return (struct picket_powers_program){program->name, program->section, program->kind};
}

size_t picket_powers_count(const struct picket_powers *p)
{
	return p->count;
}

const struct picket_power_entry *picket_powers_at(const struct picket_powers *p, size_t index)
{
	return index < p->count ? &p->entries[index] : NULL;
}

/* ---- of an object ---- */

#define LDDW 0x18
#define SOURCE_VARIABLE 3 /* of lddw: a kernel's variable, which has no address yet */

static void take_symbols(struct picket_insn *insns, bool *symbols, size_t count)
{
	for (size_t i = 0; i + 1 < count; i++) {
		if (insns[i].code != LDDW)
			continue;
		if (insns[i].src == SOURCE_VARIABLE) {
			symbols[i] = true;
			insns[i].src = 0;
			insns[i].imm = insns[i + 1].imm = 0;
		}
		i++;
	}
}

static int program_powers(struct picket_powers *list, struct power_program *p, size_t index,
                          struct picket_error *reterr)
{
	_cleanup_(base_free_ptr) struct picket_insn *insns = NULL;
	_cleanup_(base_free_ptr) bool *symbols = NULL;
	size_t count;
	const struct picket_insn *given = picket_image_insns(p->image, index, &count);
	int r;

	insns = malloc((count + 1) * sizeof(*insns));
	symbols = calloc(count + 1, sizeof(*symbols));
	if (!insns || !symbols)
		return -ENOMEM;
	memcpy(insns, given, count * sizeof(*insns));
	take_symbols(insns, symbols, count);
	p->symbols = symbols;
	r = powers_of_hook(list, p);
	if (!r)
		r = vm_decode_foreign(insns, count, picket_image_map_count(p->image), &p->code, reterr);
	if (r)
		return r;
	r = powers_find_all(list, p);
	vm_ops_done(&p->code);
	return r;
}

static int add_program(struct picket_powers *list, const struct picket_image *image, size_t index,
                       enum picket_kind kind, struct picket_error *reterr)
{
	const char *name = picket_image_name(image, index), *section = picket_image_section(image, index);
	struct power_program p = {.image = image, .section = section, .hook = strchr(section, '/')};
	int r;

	if (kind == PICKET_KIND_AUTO)
		kind = picket_kind_by_section(section);
	p.kind = verify_kind_find(kind);
	p.hook = p.hook ? p.hook + 1 : "";
	r = powers_program_add(list, str_from(name), str_from(section), kind);
	return r ? r : program_powers(list, &p, index, reterr);
}

int picket_powers_of(const struct picket_image *image, enum picket_kind kind, struct picket_powers **ret_powers,
                     struct picket_error *reterr)
{
	size_t count = picket_image_program_count(image);
	struct picket_powers *list;
	int r = powers_new(count, &list);

	if (r)
		return r;
	for (size_t i = 0; !r && i < count; i++)
		r = add_program(list, image, i, kind, reterr);
	if (!r)
		r = powers_sort(list);
	if (r) {
		picket_powers_free(list);
		return r;
	}
	*ret_powers = list;
	return 0;
}
