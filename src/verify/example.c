/* SPDX-License-Identifier: Apache-2.0
 *
 * Examples: the path to a rejection is recorded while it is known, and afterwards an input is looked for that takes it.
 */
#include <stdlib.h>

#include "verify/example_int.h"
#include "vm/image.h"

#define RUNS_MAX 48
#define FRAME_BYTES 14 /* of Ethernet's header: no packet is shorter there */

/* Rejections that show when a program runs. */
static bool can_be_shown(enum picket_category category)
{
	switch (category) {
	case PICKET_REJECT_NULL_POINTER:
	case PICKET_REJECT_OUT_OF_BOUNDS:
	case PICKET_REJECT_PACKET_BOUNDS:
	case PICKET_REJECT_STACK_BOUNDS:
	case PICKET_REJECT_ARGUMENT:
	case PICKET_REJECT_RETURN_VALUE:
	case PICKET_REJECT_INFINITE_LOOP:
	case PICKET_REJECT_REFERENCE_LEAK:
	case PICKET_REJECT_LOCK:
		return true;
	default:
		return false;
	}
}

static uint32_t path_length(const struct verify *v)
{
	uint32_t count = 0;

	for (uint32_t t = v->state->trail; t; t = v->trails[t].before)
		count++;
	return count;
}

void example_record(struct verify *v, const struct value *culprit)
{
	const struct state *s = v->state;
	struct example_path *path;
	uint32_t count;

	free(v->path);
	v->path = NULL;
	if (!can_be_shown(v->verdict->category) || !s || !s->frame_count || s->op >= v->code.count)
		return;
	count = path_length(v);
	if (count > PATH_MAX_BRANCHES)
		return;
	path = calloc(1, sizeof(*path) + count * sizeof(path->branches[0]));
	if (!path)
		return; /* there is none, then */
	path->insn = v->verdict->insn;
	path->reg = 11;
	path->count = count;
	if (culprit) {
		path->culprit = *culprit;
		path->has_culprit = true;
		path->reg = (uint8_t)explain_culprit_register(v, &v->code.ops[s->op], culprit);
	}
	for (uint32_t t = s->trail; t; t = v->trails[t].before)
		path->branches[--count] = (struct path_branch){explain_insn(v, v->trails[t].op), v->trails[t].taken};
	v->path = path;
}

/* ---- what is told ---- */

struct text {
	char *data;
	size_t used, size;
};

#define text_add(t, ...) \
	do { \
		explain_write((t)->data + (t)->used, (t)->size - (t)->used, __VA_ARGS__); \
		(t)->used += strlen((t)->data + (t)->used); \
	} while (0)

static const char *text_join(const struct text *t)
{
	return t->used ? ", " : "";
}

static void tell_context(const struct verify *v, const struct example_input *in, struct text *t)
{
	for (size_t i = 0; i < v->kind->field_count; i++) {
		const struct verify_field *f = &v->kind->fields[i];
		uint64_t number = 0;
		if ((size_t)f->offset + f->size > sizeof(in->context) || f->size > 8 || f->type != FIELD_NUMBER ||
		    !memchr(in->context_used + f->offset, true, f->size))
			continue;
		if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
			memcpy(&number, in->context + f->offset, f->size);
		else
			memcpy((uint8_t *)&number + 8 - f->size, in->context + f->offset, f->size);
		text_add(t, "%sthe context's `%s` = %llu", text_join(t), f->name, (unsigned long long)number);
	}
}

/* Of kinds whose contexts are numbers without names. */
static void tell_raw_context(const struct verify *v, const struct example_input *in, struct text *t)
{
	for (uint32_t i = 0; i < sizeof(in->context_used); i++) {
		const struct verify_field *f = explain_field(v, i);
		uint32_t end = i;
		if (!in->context_used[i] || (f && f->size <= 8))
			continue;
		while (end < sizeof(in->context_used) && in->context_used[end])
			end++;
		text_add(t, "%s0x", text_join(t));
		for (uint32_t byte = 0; byte < end - i; byte++)
			text_add(t, "%02x",
			         in->context[__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? end - 1 - byte : i + byte]);
		text_add(t, " in bytes %u to %u of the context", i, end - 1);
		i = end;
	}
}

static void tell_returns(const struct verify *v, const struct example_input *in, const struct replay_result *result,
                         struct text *t)
{
	char callee[NAME_BYTES];

	for (uint32_t i = 0; i < result->return_count; i++)
		if (explain_callee(v, &v->code.ops[result->return_ops[i]], callee))
			text_add(t, "%s%s() returning %lld", text_join(t), callee, (long long)in->returns[i]);
}

static void tell_maps(const struct verify *v, const struct example_input *in, const struct replay_result *result,
                      struct text *t)
{
	for (uint32_t i = 0; i < in->element_count; i++)
		text_add(t, "%san element in map `%s`, all zeros", text_join(t), v->maps[in->elements[i].map].name);
	for (uint32_t i = 0; i < in->poke_count; i++)
		text_add(t, "%s%llu at byte %u of `%s`", text_join(t), (unsigned long long)in->pokes[i].number,
		         in->pokes[i].offset, v->maps[in->pokes[i].map].name);
	if (result->lookup_failed && result->failed_map < v->map_count)
		text_add(t, "%sno such element in map `%s`", text_join(t), v->maps[result->failed_map].name);
}

static void tell_end(const struct verify *v, const struct replay_result *result, struct text *t)
{
	if (!t->used)
		text_add(t, "all zeros (context, maps, what helpers return)");
	switch (v->verdict->category) {
	case PICKET_REJECT_RETURN_VALUE:
		text_add(t, ": it returns %d", (int)(int32_t)result->result);
		break;
	case PICKET_REJECT_INFINITE_LOOP:
		text_add(t, ": after more than %llu instructions it still runs",
		         (unsigned long long)result->executed / 1000 * 1000);
		break;
	case PICKET_REJECT_REFERENCE_LEAK:
		text_add(t, ": it ends without having released it");
		break;
	case PICKET_REJECT_LOCK:
		text_add(t, ": it ends with the lock held");
		break;
	default:
		break;
	}
}

static void tell(struct verify *v, const struct example_input *in, const struct replay_result *result)
{
	struct text t = {v->verdict->example_text, 0, sizeof(v->verdict->example_text)};
	bool memory = v->kind->flags & KIND_MEMORY_LENGTH;

	if (memory || result->packet_used) {
		text_add(&t, "%s of %llu byte%s", memory ? "memory" : "a packet", (unsigned long long)in->length,
		         in->length == 1 ? "" : "s");
		v->verdict->example = malloc(in->length + 1);
		if (v->verdict->example) {
			memcpy(v->verdict->example, in->packet, in->length);
			v->verdict->example_length = in->length;
		}
	}
	tell_context(v, in, &t);
	tell_raw_context(v, in, &t);
	tell_returns(v, in, result, &t);
	tell_maps(v, in, result, &t);
	tell_end(v, result, &t);
}

static uint64_t first_length(const struct verify *v)
{
	switch (v->options.kind) {
	case PICKET_KIND_XDP:
	case PICKET_KIND_SCHED_CLS:
	case PICKET_KIND_SCHED_ACT:
		return FRAME_BYTES;
	default:
		return 0;
	}
}

void example_find(struct verify *v)
{
	_cleanup_(base_free_ptr) struct example_input *input = NULL;
	enum replay_outcome outcome = REPLAY_CHANGED;
	struct replay_result result;
	struct replay *r = NULL;

	if (!v->path || v->path->insn != v->verdict->insn || !can_be_shown(v->verdict->category))
		return;
	input = calloc(1, sizeof(*input));
	if (!input || replay_new(v, v->path, &r))
		return;
	input->length = first_length(v);
	for (unsigned i = 0; outcome == REPLAY_CHANGED && i < RUNS_MAX; i++)
		outcome = replay_run(r, input, &result);
	if (outcome == REPLAY_WRONG)
		tell(v, input, &result);
	replay_free(r);
}
