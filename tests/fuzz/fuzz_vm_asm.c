/* SPDX-License-Identifier: Apache-2.0
 *
 * Text to the assembler. What it makes of it must come out of the disassembler, and be the same when that is assembled.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/buf.h"
#include "picket/vm.h"

#define LINE_BYTES 256
#define TEXT_BYTES_MAX (16u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(what) \
	do { \
		if (!(what)) { \
			fprintf(stderr, "%s does not hold\n", #what); \
			abort(); \
		} \
	} while (0)

static void disassemble(const struct picket_insn *insns, size_t count, struct buf *out)
{
	char line[LINE_BYTES], tiny[8];

	for (size_t at = 0, slots; at < count; at += slots) {
		slots = picket_disassemble(&insns[at], count - at, line, sizeof(line));
		CHECK(slots == 1 || slots == 2);
		CHECK(strlen(line) < sizeof(line) - 1); /* none is cut off */
		CHECK(picket_disassemble(&insns[at], count - at, tiny, sizeof(tiny)) == slots);
		buf_add_text(out, line);
		buf_add_char(out, '\n');
	}
	CHECK(buf_error(out) == 0);
}

static void check_again(const struct picket_insn *insns, size_t count)
{
	struct picket_insn *again = NULL;
	struct picket_error error;
	size_t again_count = 0;
	struct buf text;

	buf_init(&text, TEXT_BYTES_MAX);
	disassemble(insns, count, &text);
	CHECK(picket_assemble(text.data, text.length, &again, &again_count, &error) == 0);
	CHECK(again_count == count && memcmp(again, insns, count * sizeof(*insns)) == 0);
	free(again);
	buf_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct picket_insn *insns = NULL;
	struct picket_error error = {0};
	size_t count = 0;
	int r = picket_assemble((const char *)data, size, &insns, &count, &error);

	CHECK((r == 0) == (insns != NULL));
	CHECK(r == 0 || r == -ENOMEM || error.text[0]);
	if (r == 0)
		check_again(insns, count);
	free(insns);
	return 0;
}
