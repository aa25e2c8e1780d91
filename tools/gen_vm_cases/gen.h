/* SPDX-License-Identifier: Apache-2.0
 *
 * gen_vm_cases DIR: writes the sandbox's conformance cases, DIR/NAME.data, and those that are to fail, DIR/negative. What is
 * expected is computed here, by C's own arithmetic from the text of RFC 9669, and never by the sandbox. Run by hand when a
 * case is wanted; the files are kept:
 *
 *   cc -I. tools/gen_vm_cases/\*.c -o gen && ./gen tests/vm
 *
 * Most files are one program with many checks. r0 is 0 at the end, or the number of the first check that failed.
 */
#ifndef PICKET_GEN_VM_CASES_H
#define PICKET_GEN_VM_CASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define REGISTERS 10 /* that may be written */
#define VALUES 16
#define IMMS 14
extern const uint64_t values[VALUES];
extern const int32_t imms[IMMS];

void write_alu_cases(void);
void write_jump_cases(void);
void write_memory_cases(void);
void write_atomic_cases(void);
void write_call_cases(void);
void write_negative_cases(void);

/* ---- files ---- */
extern const char *directory;
void file_begin(const char *name, const char *what); /* name: without ".data" */
void line(const char *format, ...) __attribute__((format(printf, 1, 2)));
void word(uint64_t value); /* one more of a line of memory */
void words_end(void);
void file_end(void);
void file_end_with(uint64_t result);
extern unsigned checks; /* of the file, until now */

/* ---- tables: the program walks through rows in its memory ---- */
/* %r9: the row, %r8: the table's end, %r0: number of the check. Continues at %r9 where the table before it ended. */
void table_begin(const char *label, size_t rows, size_t words);
/* One check more; %r1 is what came out, the row's word at `offset` what should. */
void table_check(size_t offset);
void table_end(const char *label, size_t words);

/* ---- pairs: of all values with each other, and with all immediates ---- */
/* The memory holds the values, then what comes of each pair, then what comes of each value and immediate. First every pair
 * is in %r1 and %r2; then every value at %r6. What comes of it in %r1 is checked. %r5 to %r9 are in use. */
void pairs_begin(void);
void pairs_check(void);
void pairs_then_imms(void);
void pairs_end(void);
void pairs_memory(uint64_t (*result)(unsigned op, unsigned bits, uint64_t a, uint64_t b), unsigned op, unsigned bits);

/* ---- registers: the program stands in a line; every register has a home value, which it keeps between checks ---- */
#define HOME(reg) (1000 + (int)(reg))
void homes_begin(void);
/* Nothing but what an instruction names was changed by it. */
void homes_check(void);
void go_home(unsigned reg);
void check_begin(void); /* what follows is one check more */
void load_value(unsigned reg, uint64_t value);
/* Fails unless reg holds value. not: a register that is in use; any other serves in between. */
void check_value(unsigned reg, uint64_t value, unsigned not );
/* Which pairs: all, or those that are the same, neighbours, and far apart. */
bool pair_wanted(bool all, unsigned dst, unsigned src);
void program_end(void); /* of a program with checks of both kinds */

#endif
