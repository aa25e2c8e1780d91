/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/vm/defined.h"
#include "tests/vm/shrink.h"
#include "vm/vm_int.h"

#define TRY_SECONDS 5

/* ---- one try ---- */
/* Who differs and in what, but not where exactly: "interpreter and checked: values". */
static size_t text_essence(const char *text)
{
	const char *what = strstr(text, ": ");

	return what ? (size_t)(what - text) + 2 + strcspn(what + 2, "[:") : strlen(text);
}

static bool fails_alike(struct compare *c, const struct random_program *p, const char *why)
{
	char text[COMPARE_TEXT_BYTES];
	size_t insn;

	if (p->kind != RANDOM_HOSTILE && !defined_check(&c->world, p, &insn))
		return false;
	return compare_program(c, p, text) == COMPARE_DIFFERENT && text_essence(text) == text_essence(why) &&
	       strncmp(text, why, text_essence(why)) == 0;
}

static bool still_fails(struct compare *c, const struct random_program *p, const char *why)
{
	pid_t child;
	int status;

	child = fork();
	if (child < 0)
		return false;
	if (child == 0) {
		alarm(TRY_SECONDS);
		_exit(fails_alike(c, p, why));
	}
	while (waitpid(child, &status, 0) < 0)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) == 1 : WTERMSIG(status) != SIGALRM;
}

/* ---- taking out ---- */
static size_t slots_of(const struct picket_insn *insn)
{
	return insn->code == vm_insns[VM_LDDW].code ? 2 : 1;
}

enum distance { DISTANCE_NONE, DISTANCE_OFFSET, DISTANCE_IMM };

static enum distance distance_of(const struct picket_insn *insn)
{
	unsigned class = insn->code & 7, bits = insn->code & 0xf0;

	if (insn->code == vm_insns[VM_LDDW_FUNCTION].code && insn->src == vm_insns[VM_LDDW_FUNCTION].value)
		return DISTANCE_IMM;
	if (insn->code == vm_insns[VM_CALL_LOCAL].code)
		return insn->src == vm_insns[VM_CALL_LOCAL].value ? DISTANCE_IMM : DISTANCE_NONE;
	if (insn->code == vm_insns[VM_JA32].code)
		return DISTANCE_IMM;
	return (class == 5 || class == 6) && bits != 0x80 && bits != 0x90 ? DISTANCE_OFFSET : DISTANCE_NONE;
}

/* Where a slot is after [first, end) is out; slots of the hole are where it was. */
static int64_t moved(int64_t slot, size_t first, size_t end)
{
	if (slot <= (int64_t)first)
		return slot;
	return slot < (int64_t)end ? (int64_t)first : slot - (int64_t)(end - first);
}

static void take_out(struct random_program *p, size_t first, size_t end)
{
	for (size_t at = 0, next; at < p->count; at = next) {
		struct picket_insn *insn = &p->insns[at];
		enum distance kind = distance_of(insn);
		int64_t distance = kind == DISTANCE_IMM ? insn->imm : insn->offset;
		next = at + slots_of(insn);
		if (kind == DISTANCE_NONE)
			continue;
		distance = moved((int64_t)at + 1 + distance, first, end) - moved((int64_t)at, first, end) - 1;
		if (kind == DISTANCE_IMM)
			insn->imm = (int32_t)distance;
		else
			insn->offset = (int16_t)distance;
	}
	memmove(&p->insns[first], &p->insns[end], (p->count - end) * sizeof(*p->insns));
	p->count -= end - first;
}

/* The end of a run of so many instructions. */
static size_t run_end(const struct random_program *p, size_t first, size_t insns)
{
	size_t at = first;

	while (insns-- > 0 && at < p->count)
		at += slots_of(&p->insns[at]);
	return at < p->count ? at : p->count;
}

static bool shrink_by(struct compare *c, struct random_program *p, const char *why, size_t insns)
{
	static struct random_program tried;
	bool shrunk = false;

	/* The kernel's way into a program stays. */
	for (size_t at = p->kind == RANDOM_KERNEL ? RANDOM_KERNEL_PROLOGUE : 0; at < p->count;) {
		tried = *p;
		take_out(&tried, at, run_end(p, at, insns));
		if (tried.count && still_fails(c, &tried, why)) {
			*p = tried;
			shrunk = true;
		} else {
			at = run_end(p, at, 1 + insns / 2);
		}
	}
	return shrunk;
}

void shrink_program(struct compare *c, struct random_program *p, const char *why)
{
	for (size_t insns = p->count / 2; insns > 1; insns /= 2)
		shrink_by(c, p, why, insns);
	while (shrink_by(c, p, why, 1))
		;
}
