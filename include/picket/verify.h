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
#pragma GCC visibility push(default)

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

/* A kernel's types, read once for many verifications; to be used by one thread at a time. */
struct picket_types;
/* btf: as /sys/kernel/btf/vmlinux has it, borrowed as long as ret_types is used. ret_types: picket_types_free().
 * Returns 0; -EINVAL: reterr, which may be NULL, says what is wrong; -ENOMEM. */
int picket_types_open(const void *btf, size_t length, struct picket_types **ret_types, struct picket_error *reterr);
/* Those of the running kernel; also what reading a file returns: -ENOENT ... */
int picket_types_open_running(struct picket_types **ret_types, struct picket_error *reterr);
void picket_types_free(struct picket_types *t); /* NULL is allowed */

struct picket_verify_options {
	enum picket_kind kind;
	/* The kernel's types, for kinds that use them, and for CO-RE relocations of programs that picket_image_relocate()
	 * has not done: without types these are taken as compiled. Borrowed; may be NULL. */
	struct picket_types *types;
	const void
	        *btf; /* the same as bytes, if types is NULL: they are read anew each time, which takes longer than most
	                  * programs */
	size_t btf_length;
	const struct picket_helper *helpers; /* an embedder's own, of kinds memory and rule; borrowed for the call */
	size_t helper_count;
	/* limits; 0: the default. Reaching one is a rejection that says which. */
	uint64_t insns_max;   /* looked at in all; 1,000,000 */
	uint64_t states_max;  /* held at once; 65,536 */
	uint64_t memory_max;  /* bytes; 64 MiB */
	uint64_t time_max_ns; /* 10 s */
	bool strict_alignment;
	bool example; /* look for an input with which a rejected program goes wrong, by running it: some milliseconds */
	/* Called with each instruction that is looked at and the state before it, as text. */
	void (*trace)(size_t insn, const char *state, void *user);
	void *user;
};

/* A place in the source, from the object's line information (BTF.ext). */
struct picket_place {
	char file[192];        /* as the compiler had it; "": not known */
	unsigned line, column; /* from 1 */
	char text[192];        /* the line as it was compiled, cut; "": not known */
};

/* A step on the way to a rejection, in the order of the program's doing. */
struct picket_step {
	uint32_t insn;
	char text[160]; /* "`ip` is made here: 14 bytes behind the packet's first", "this branch is taken" ... */
	struct picket_place place;
};
#define PICKET_STEPS_MAX 16

/* Texts are UTF-8 without control characters but tabs, whatever names and lines the object has. */
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
	char text[PICKET_TEXT_MAX]; /* that instruction, as C; "": there is none */
	char function[64];          /* that holds it; "": not known */
	struct picket_place place;  /* of it */
	char reason[320];           /* one sentence, in terms of the source */
	char detail[320];           /* the same in terms of registers and bytes */
	char hint[400];             /* what to change */
	struct picket_step steps[PICKET_STEPS_MAX];
	size_t step_count;
	/* An input with which it goes wrong at that instruction: it was run by the interpreter, and did. */
	char example_text[320]; /* "a packet of 33 bytes ..."; "": none was found */
	uint8_t *example; /* the packet, or what the memory holds; NULL: there is none, or nothing depends on it */
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

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
