/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include "tests/verify/soundness.h"

static size_t run_end(const struct test_case *c, size_t first, size_t insns)
{
	size_t at = first;

	while (insns-- > 0 && at < c->count)
		at += insn_slots(&c->insns[at]);
	return MIN(at, c->count);
}

static bool shrink_by(struct test_case *c, size_t insns, bool (*holds)(const struct test_case *c, void *user),
                      void *user)
{
	static struct test_case tried;
	bool shrunk = false;

	for (size_t at = 0; at < c->count;) {
		tried = *c;
		case_take_out(&tried, at, run_end(c, at, insns));
		if (tried.count && holds(&tried, user)) {
			*c = tried;
			shrunk = true;
		} else {
			at = run_end(c, at, 1 + insns / 2);
		}
	}
	return shrunk;
}

void case_shrink_while(struct test_case *c, bool (*holds)(const struct test_case *c, void *user), void *user)
{
	for (size_t insns = c->count / 2; insns > 1; insns /= 2)
		shrink_by(c, insns, holds, user);
	while (shrink_by(c, 1, holds, user))
		;
}

/* ---- accepted, and goes wrong ---- */
struct failure {
	struct soundness_world *world;
	const struct finding *finding;
	unsigned tries;
};

static bool still_fails(const struct test_case *c, void *user)
{
	const struct failure *f = user;
	struct judgement judgement;
	struct finding again = {.found = false};
	struct runnable r;

	case_judge(c, &judgement);
	if (!judgement.accepted || runnable_make(&r, c, &judgement, f->world))
		return false;
	for (unsigned i = 0; i < f->tries && !again.found; i++)
		runnable_run(&r, f->world, f->finding->seed + i, &again);
	runnable_done(&r);
	return again.found;
}

void case_shrink(struct test_case *c, struct soundness_world *w, const struct finding *finding, unsigned tries)
{
	struct failure failure = {.world = w, .finding = finding, .tries = tries};

	case_shrink_while(c, still_fails, &failure);
}

/* ---- as text ---- */
void case_print(const struct test_case *c)
{
	printf("    kind %s\n", picket_kind_name(c->kind));
	for (size_t i = 0; i < c->map_count; i++)
		printf("    map %zu: type %u, key %u, value %u, entries %u, flags %#x\n", i, c->maps[i].type,
		       c->maps[i].key_size, c->maps[i].value_size, c->maps[i].max_entries, c->maps[i].flags);
	for (size_t at = 0, slots; at < c->count; at += slots) {
		char text[PICKET_TEXT_MAX];
		slots = picket_disassemble(&c->insns[at], c->count - at, text, sizeof(text));
		if (c->insns[at].code == vm_insns[VM_CALL_HELPER].code && c->insns[at].src == 2)
			snprintf(text, sizeof(text), "call %s", case_kfunc(c, c->insns[at].imm));
		printf("    %4zu  %s\n", at, text);
		slots = slots ? slots : 1;
	}
}
