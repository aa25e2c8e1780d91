/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "tests/vm/compare.h"
#include "tests/vm/defined.h"
#include "vm/isa.h"

#define DEFINED_EACH 16 /* of the valid programs, one is followed closely */
#define BUDGET_VALID (1u << 24)
#define BUDGET_HOSTILE_MAX 4000

/* The first is the one that the others must be equal to. Of the variants, a program goes through one. */
static const struct setup {
	const char *name;
	enum picket_engine engine;
	bool plain, blind;
} setups[] = {
        {"plain interpreter", PICKET_INTERPRETER, true, false},
        {"interpreter", PICKET_INTERPRETER, false, false},
        {"checked", PICKET_CHECKED, false, false},
        {"verified", PICKET_VERIFIED, false, false},
        {"checked, blinded", PICKET_CHECKED, false, true},
        {"verified, blinded", PICKET_VERIFIED, false, true},
        {"verified, plain", PICKET_VERIFIED, true, false},
        {"checked, plain", PICKET_CHECKED, true, false},
};
#define SETUPS (sizeof(setups) / sizeof(setups[0]))
#define VARIANTS 4 /* the last of them */

int compare_init(struct compare *c, enum random_kind kind)
{
	int r;

	*c = (struct compare){.kind = kind};
	r = world_init(&c->world, 0);
	if (r || kind != RANDOM_KERNEL)
		return r;
	r = world_init(&c->elsewhere, 1);
	if (!r)
		r = kernel_init(&c->kernel);
	if (r) {
		world_done(&c->elsewhere);
		world_done(&c->world);
	}
	return r;
}

void compare_done(struct compare *c)
{
	if (c->kind == RANDOM_KERNEL) {
		kernel_done(&c->kernel);
		world_done(&c->elsewhere);
	}
	world_done(&c->world);
}

int compare_own_kernel(struct compare *c)
{
	if (c->kind != RANDOM_KERNEL)
		return 0;
	kernel_done(&c->kernel);
	return kernel_init(&c->kernel);
}

static uint64_t budget_of(const struct random_program *p)
{
	return p->kind == RANDOM_HOSTILE ? 1 + p->seed * 2654435761u % BUDGET_HOSTILE_MAX : BUDGET_VALID;
}

/* Loads and runs. -EOPNOTSUPP: there is no such engine here. */
static int run_setup(struct world *w, const struct random_program *p, const struct setup *s,
                     struct outcome *ret_outcome, char *text)
{
	struct picket_options options = world_options(w, s->engine);
	struct picket_program *program = NULL;
	struct picket_error error = {.text = "no reason given"};
	int r;

	snprintf(text, COMPARE_TEXT_BYTES, "%s", s->name); /* should it break the process */
	options.plain = s->plain;
	options.blind = s->blind;
	r = picket_program_load(p->insns, p->count, &options, &program, &error);
	if (r) {
		snprintf(text, COMPARE_TEXT_BYTES, "%s: %s", s->name, error.text);
		return r;
	}
	world_run(w, program, budget_of(p), ret_outcome);
	picket_program_free(program);
	return 0;
}

/* ---- chance ---- */
static bool is_chance(uint64_t helper)
{
	switch (helper) {
	case BPF_FUNC_ktime_get_ns:
	case BPF_FUNC_ktime_get_boot_ns:
	case BPF_FUNC_ktime_get_coarse_ns:
	case BPF_FUNC_ktime_get_tai_ns:
	case BPF_FUNC_jiffies64:
	case BPF_FUNC_get_prandom_u32:
	case BPF_FUNC_get_numa_node_id:
		return true;
	default:
		return false;
	}
}

static void look_for_chance(const struct picket_program *p, size_t insn, const uint64_t registers[11], void *user)
{
	size_t count;
	const struct picket_insn *insns = picket_program_insns(p, &count);
	bool *found = user;

	if (insn < count && insns[insn].code == vm_insns[VM_CALL_REG].code && is_chance(registers[insns[insn].dst]))
		*found = true;
}

/* Programs name no such helper, but hostile ones may come upon its number in a register. Up to the first such call all runs
 * are the same, so following one of them is enough. */
static bool meets_chance(struct compare *c, const struct random_program *p)
{
	struct picket_options options = world_options(&c->world, PICKET_INTERPRETER);
	struct picket_program *program;
	struct outcome outcome;
	bool found = false;

	options.plain = true;
	if (p->kind != RANDOM_HOSTILE || picket_program_load(p->insns, p->count, &options, &program, NULL))
		return false;
	world_trace(&c->world, program, budget_of(p), look_for_chance, &found, &outcome);
	picket_program_free(program);
	return found;
}

/* ---- engines ---- */
static bool has_setup(const struct compare *c, const struct random_program *p, size_t i)
{
	if (setups[i].engine != PICKET_INTERPRETER && c->no_jit)
		return false;
	if (setups[i].engine == PICKET_VERIFIED && p->kind == RANDOM_HOSTILE)
		return false;
	return i < SETUPS - VARIANTS || i - (SETUPS - VARIANTS) == p->seed % VARIANTS;
}

static int compare_setups(struct compare *c, const struct random_program *p, struct outcome *ret_first, char *text)
{
	char difference[COMPARE_TEXT_BYTES - 64];

	for (size_t i = 0; i < SETUPS; i++) {
		struct outcome other;
		int r;
		if (!has_setup(c, p, i))
			continue;
		r = run_setup(&c->world, p, &setups[i], i ? &other : ret_first, text);
		if (r == -EOPNOTSUPP) {
			c->no_jit = true;
			continue;
		}
		if (r)
			return i ? COMPARE_DIFFERENT : COMPARE_INVALID;
		if (i == 0 && p->kind != RANDOM_HOSTILE && ret_first->fault.kind) {
			snprintf(text, COMPARE_TEXT_BYTES, "%s at %u in a valid program",
			         picket_fault_name(ret_first->fault.kind), ret_first->fault.insn);
			return COMPARE_INVALID;
		}
		if (i && outcome_differs(ret_first, &other, difference, sizeof(difference))) {
			if (meets_chance(c, p))
				return COMPARE_CHANCE;
			snprintf(text, COMPARE_TEXT_BYTES, "%s and %s: %s", setups[0].name, setups[i].name, difference);
			return COMPARE_DIFFERENT;
		}
	}
	return COMPARE_SAME;
}

/* ---- text ---- */
#define LINE_BYTES 128

static size_t write_text(const struct random_program *p, char *text, size_t size)
{
	size_t length = 0;

	for (size_t at = 0, slots; at < p->count && length + LINE_BYTES < size; at += slots) {
		slots = picket_disassemble(&p->insns[at], p->count - at, text + length, LINE_BYTES);
		if (!slots)
			return 0;
		length += strlen(text + length);
		text[length++] = '\n';
	}
	return length;
}

/* Bytecode as text and back is the same bytecode. */
static int compare_text(const struct random_program *p, char *text)
{
	static _Thread_local char assembly[RANDOM_INSNS_MAX * LINE_BYTES];
	struct picket_insn *insns = NULL;
	struct picket_error error = {.text = "no reason given"};
	size_t length = write_text(p, assembly, sizeof(assembly)), count = 0;
	int result = COMPARE_SAME;

	if (!length || picket_assemble(assembly, length, &insns, &count, &error)) {
		snprintf(text, COMPARE_TEXT_BYTES, "%s: line %u: %.200s", length ? "assembler" : "disassembler",
		         error.line, length ? error.text : "refuses an instruction");
		return COMPARE_DIFFERENT;
	}
	if (count != p->count || memcmp(insns, p->insns, count * sizeof(*insns)) != 0) {
		snprintf(text, COMPARE_TEXT_BYTES,
		         "disassembled and assembled: %zu instructions, other than the %zu given", count, p->count);
		result = COMPARE_DIFFERENT;
	}
	free(insns);
	return result;
}

/* ---- the kernel ---- */
static bool depends_on_addresses(struct compare *c, const struct random_program *p, const struct outcome *first)
{
	char text[COMPARE_TEXT_BYTES];
	struct outcome other = {0};

	world_seed(&c->elsewhere, p->seed, true);
	if (run_setup(&c->elsewhere, p, &setups[0], &other, text))
		return true;
	memcpy(other.after.region, first->after.region, sizeof(other.after.region)); /* begins with a pointer */
	return outcome_differs(first, &other, text, sizeof(text));
}

static int compare_kernel(struct compare *c, const struct random_program *p, const struct outcome *first, char *text)
{
	struct random_program with = *p;
	char difference[COMPARE_TEXT_BYTES - 64];
	struct outcome other = *first;
	uint32_t result;
	int fd, r;

	random_program_for_kernel(&with);
	if (kernel_load(&c->kernel, with.insns, with.count, &fd, NULL, 0))
		return COMPARE_REFUSED;
	r = kernel_run(&c->kernel, fd, &c->world.before, &result, &other.after);
	close(fd);
	if (r) {
		snprintf(text, COMPARE_TEXT_BYTES, "the kernel does not run it: %s", strerror(-r));
		return COMPARE_DIFFERENT;
	}
	/* The kernel tells only the lower half of the result; the whole of it is in memory, too. */
	other.result = (other.result & 0xffffffff00000000u) | result;
	memcpy(other.after.region, first->after.region, sizeof(other.after.region));
	if (!outcome_differs(first, &other, difference, sizeof(difference)))
		return COMPARE_SAME;
	if (depends_on_addresses(c, p, first)) {
		snprintf(text, COMPARE_TEXT_BYTES, "the result depends on addresses, in a valid program");
		return COMPARE_INVALID;
	}
	snprintf(text, COMPARE_TEXT_BYTES, "%s and the kernel: %s", setups[0].name, difference);
	return COMPARE_DIFFERENT;
}

enum compare_result compare_program(struct compare *c, const struct random_program *p, char *text)
{
	struct outcome first;
	size_t insn;
	int r;

	world_seed(&c->world, p->seed, p->kind == RANDOM_KERNEL);
	if (p->kind != RANDOM_HOSTILE && p->seed % DEFINED_EACH == 0 && !defined_check(&c->world, p, &insn)) {
		snprintf(text, COMPARE_TEXT_BYTES, "instruction %zu reads what is not initialised, in a valid program",
		         insn);
		return COMPARE_INVALID;
	}
	r = compare_setups(c, p, &first, text);
	if (r == COMPARE_SAME)
		r = compare_text(p, text);
	if (r == COMPARE_SAME && p->kind == RANDOM_KERNEL)
		r = compare_kernel(c, p, &first, text);
	return r;
}
