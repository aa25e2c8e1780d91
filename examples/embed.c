/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs an eBPF program, given as assembly, over what comes in: r1 points to it, r2 is its length.
 *
 *   cc embed.c $(pkg-config --cflags --libs libpicket) -o embed
 *   echo 'ldxb r0, [r1]; exit' | tr ';' '\n' >first.s
 *   echo hello | ./embed first.s
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <picket/vm.h>

int main(int argc, char **argv)
{
	static char text[1 << 16], input[1 << 16];
	FILE *file = argc == 2 ? fopen(argv[1], "r") : NULL;
	if (!file) {
		fprintf(stderr, "usage: embed PROGRAM <INPUT\n");
		return 2;
	}
	size_t text_length = fread(text, 1, sizeof(text), file);
	size_t input_length = fread(input, 1, sizeof(input), stdin);
	fclose(file);

	struct picket_insn *insns;
	struct picket_program *program;
	struct picket_error error;
	size_t count;
	if (picket_assemble(text, text_length, &insns, &count, &error)) {
		fprintf(stderr, "%s:%u:%u: %s\n", argv[1], error.line, error.column, error.text);
		return 2;
	}
	/* Compiled with checks; where there is no compiler for this machine, interpreted. */
	struct picket_options options = {.engine = PICKET_CHECKED, .budget = 1000000};
	int r = picket_program_load(insns, count, &options, &program, &error);
	if (r == -EOPNOTSUPP) {
		options.engine = PICKET_INTERPRETER;
		r = picket_program_load(insns, count, &options, &program, &error);
	}
	free(insns);
	if (r) {
		fprintf(stderr, "%s: %s\n", argv[1], error.text);
		return 2;
	}

	struct picket_call call = {.data = input, .length = input_length};
	r = picket_program_run(program, &call);
	if (r)
		printf("%s at instruction %" PRIu32 ", address %#" PRIx64 "\n", picket_fault_name(call.fault.kind),
		       call.fault.insn, call.fault.address);
	else
		printf("%" PRIu64 "\n", call.result);
	picket_program_free(program);
	return r ? 1 : 0;
}
