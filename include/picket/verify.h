/* SPDX-License-Identifier: Apache-2.0
 *
 * libpicket: the verifier. It proves, before anything runs, that a program stays in its memory, ends, and calls helpers with
 * what they take; what it rejects it explains. No privileges, nothing is run.
 *
 *   struct picket_image *image;
 *   struct picket_verdict *verdict;
 *   struct picket_error error;
 *   if (picket_image_open_file("prog.o", &image, &error))
 *           puts(error.text);
 *   else if (!picket_verify(image, 0, NULL, &verdict))
 *           puts(verdict->accepted ? "accepted" : verdict->reason);
 */
#ifndef PICKET_VERIFY_H
#define PICKET_VERIFY_H

#include "picket/vm.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a program is for: decides its context, its helpers, what it may return (src/verify/kind.def). */
enum picket_kind {
	PICKET_KIND_AUTO, /* by the section's name */
#define KIND(id, name, ...) PICKET_KIND_##id,
#include "picket/verify_kind.h"
#undef KIND
	PICKET_KINDS,
};
/* "xdp" ...; NULL for a number that is none. By name: PICKET_KIND_AUTO if there is no such. */
const char *picket_kind_name(enum picket_kind kind);
enum picket_kind picket_kind_by_name(const char *name);
/* By section name, as libbpf does: "tp_btf/sched_switch", "xdp.frags" ... PICKET_KIND_AUTO if none fits. */
enum picket_kind picket_kind_by_section(const char *section);

/* Why a program is rejected. Each has a page: docs/verifier/NAME.md */
enum picket_category {
	PICKET_ACCEPTED,
#define CATEGORY(id, name, doc) PICKET_REJECT_##id,
#include "picket/verify_category.h"
#undef CATEGORY
	PICKET_CATEGORIES,
};
const char *picket_category_name(enum picket_category category); /* "out-of-bounds" ... */

struct picket_image; /* programs as an object file has them, read and linked, not loaded */

struct picket_verify_options {
	enum picket_kind kind;
	const void
	        *btf; /* the kernel's types (/sys/kernel/btf/vmlinux), for kinds that use them; borrowed; may be NULL */
	size_t btf_length;
	/* limits; 0: the default. Reaching one is a rejection that says which. */
	uint64_t insns_max;   /* looked at in all; 1,000,000 */
	uint64_t states_max;  /* held at once; 65,536 */
	uint64_t memory_max;  /* bytes; 64 MiB */
	uint64_t time_max_ns; /* 10 s */
	bool strict_alignment;
	/* Called with each instruction that is looked at and the state before it, as text. */
	void (*trace)(size_t insn, const char *state, void *user);
	void *user;
};

/* A step on the way to a rejection, in the order of the program's doing. */
struct picket_step {
	uint32_t insn;
	char text[160]; /* "r1 is a packet pointer here", "this branch is taken: r2 < 8" ... */
};
#define PICKET_STEPS_MAX 16

struct picket_verdict {
	bool accepted;
	enum picket_kind kind;
	/* of an accepted one */
	uint64_t
	        insn_bound; /* no run executes more instructions; UINT64_MAX: bounded by a helper's callback count only */
	uint32_t stack_bytes; /* over all calls */
	/* of both */
	uint64_t insns_seen, states_seen, states_peak, memory_peak, time_ns;
	/* of a rejected one */
	enum picket_category category;
	uint32_t insn;
	char reason[320]; /* one sentence, in terms of the source */
	char hint[320];   /* what to change */
	struct picket_step steps[PICKET_STEPS_MAX];
	size_t step_count;
	uint8_t *example; /* a context (raw memory, packet) with which it goes wrong; NULL: none could be made */
	size_t example_length;
};

/* Programs as an object file has them, read and linked, not loaded (image.c of the sandbox). */
int picket_verify(const struct picket_image *image, size_t program, const struct picket_verify_options *options,
                  struct picket_verdict **ret_verdict);
/* Bytecode alone. maps: what lddw refers to by index; borrowed. */
int picket_verify_insns(const struct picket_insn *insns, size_t count, const struct picket_map_spec *maps,
                        size_t map_count, const struct picket_verify_options *options,
                        struct picket_verdict **ret_verdict);
void picket_verdict_free(struct picket_verdict *v);

#ifdef __cplusplus
}
#endif
#endif
