/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs an eBPF program, given as assembly, over what comes in, as fast as the machine can: without checks, which the
 * verifier has made unnecessary. What it cannot prove to be safe is not run, but explained.
 *
 *   cc verified.c $(pkg-config --cflags --libs libpicket) -o verified
 *   echo hello | ./verified first.s
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <picket/verify.h>

/* Of any memory that is at least one byte long, as the program is told by r2. */
static int verify(const struct picket_insn *insns, size_t count)
{
	struct picket_verify_options options = {.kind = PICKET_KIND_MEMORY};
	struct picket_verdict *verdict;
	if (picket_verify_insns(insns, count, NULL, 0, &options, &verdict)) {
		fprintf(stderr, "verified: not enough memory\n");
		return 2;
	}
	int r = verdict->accepted ? 0 : 1;
	if (r)
		printf("%s: instruction %" PRIu32 ", %s: %s\n", picket_category_name(verdict->category), verdict->insn,
		       verdict->text, verdict->reason);
	picket_verdict_free(verdict);
	return r;
}

int main(int argc, char **argv)
{
	static char text[1 << 16], input[1 << 16];
	FILE *file = argc == 2 ? fopen(argv[1], "r") : NULL;
	if (!file) {
		fprintf(stderr, "usage: verified PROGRAM <INPUT\n");
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
	int r = verify(insns, count);
	struct picket_options options = {.engine = PICKET_VERIFIED};
	if (!r && picket_program_load(insns, count, &options, &program, &error)) {
		fprintf(stderr, "%s: %s\n", argv[1], error.text);
		r = 2;
	}
	free(insns);
	if (r)
		return r;
	printf("%" PRIu64 "\n", picket_program_call(program, input, input_length));
	picket_program_free(program);
	return 0;
}
