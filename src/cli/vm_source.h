/* SPDX-License-Identifier: Apache-2.0
 *
 * What the actions of picket vm have in common: files that hold programs, and how programs are run.
 */
#ifndef PICKET_CLI_VM_SOURCE_H
#define PICKET_CLI_VM_SOURCE_H

#include "cli/args.h"
#include "cli/vm_case.h"

int vm_run(const struct args *args);
int vm_test(const struct args *args);
int vm_asm(const struct args *args);
int vm_disasm(const struct args *args);

/* An ELF object, a case (.data), assembler text (.s), or bytecode: by what is in the file. */
struct vm_source {
	struct picket_object *object; /* of an ELF object; else NULL, and: */
	struct picket_insn *insns;
	size_t insn_count;
	struct buf memory; /* the case's */
};

/* Each returns CLI_OK, or the exit code after a message. options: for an object's programs. */
int vm_source_read(const char *path, const struct picket_options *options, struct vm_source *ret_source) must_check;
void vm_source_done(struct vm_source *s); /* also for _cleanup_ */
int vm_file_read(const char *path, struct buf *ret_bytes) must_check;
/* --interpret, --checked, --jit; without them checked, or the interpreter where there is no compiler. */
int vm_engine_get(const struct args *args, enum picket_engine *ret_engine) must_check;
/* The program that --program names, or the only one. Borrowed. */
int vm_object_choose(const struct picket_object *o, const struct args *args, const char *path,
                     struct picket_program **ret_program) must_check;
/* Tells what a library function refused. Returns the exit code. */
int vm_tell_error(const char *path, int err, const struct picket_error *error);
void vm_program_freep(struct picket_program **p);

#endif
