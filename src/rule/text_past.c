/* SPDX-License-Identifier: Apache-2.0 */
#include "rule/text_past.h"

#include <errno.h>
#include <stdlib.h>

#define KEPT_BYTES_MAX 4096u

struct text_past {
	bool known;
	struct str value;
	size_t capacity;
	uint64_t *mask, *found; /* bits of its atoms; those that held for the value */
};

static void mask_add(struct texts_past *t, const struct atom *a)
{
	struct text_past *past = &t->items[a->input];
	bit_set(past->mask, a->bit);
	if (a->negated)
		bit_set(past->mask, a->bit + 1);
}

int texts_past_init(struct texts_past *t, const struct plan *p)
{
	*t = (struct texts_past){.count = p->text_count, .words = BIT_WORDS(p->process_bits)};
	t->items = calloc(t->count + 1, sizeof(*t->items));
	t->bits = calloc(2 * t->count * t->words + 1, sizeof(*t->bits));
	if (!t->items || !t->bits) {
		texts_past_done(t);
		return -ENOMEM;
	}
	for (size_t i = 0; i < t->count; i++) {
		t->items[i].mask = t->bits + 2 * i * t->words;
		t->items[i].found = t->items[i].mask + t->words;
	}
	for (size_t i = 0; i < p->atom_count; i++)
		if (p->atoms[i].kind == ATOM_TEXT && p->atoms[i].process)
			mask_add(t, &p->atoms[i]);
	return 0;
}

void texts_past_done(struct texts_past *t)
{
	for (size_t i = 0; t->items && i < t->count; i++)
		free((char *)t->items[i].value.data);
	free(t->items);
	free(t->bits);
	*t = (struct texts_past){0};
}

bool texts_past_find(const struct texts_past *t, uint32_t text, struct str value, uint64_t *process_bits)
{
	const struct text_past *past = &t->items[text];
	if (!past->known || !str_equal(past->value, value))
		return false;
	for (size_t w = 0; w < t->words; w++)
		process_bits[w] |= past->found[w];
	return true;
}

/* False: no memory. */
static bool make_room(struct text_past *past, size_t length)
{
	if (length <= past->capacity)
		return true;
	char *data = realloc((char *)past->value.data, length);
	if (!data)
		return false;
	past->value.data = data;
	past->capacity = length;
	return true;
}

void texts_past_keep(struct texts_past *t, uint32_t text, struct str value, const uint64_t *process_bits)
{
	struct text_past *past = &t->items[text];
	past->known = false;
	if (value.length > KEPT_BYTES_MAX || !make_room(past, value.length))
		return;
	if (value.length)
		memcpy((char *)past->value.data, value.data, value.length);
	past->value.length = value.length;
	for (size_t w = 0; w < t->words; w++)
		past->found[w] = process_bits[w] & past->mask[w];
	past->known = true;
}
