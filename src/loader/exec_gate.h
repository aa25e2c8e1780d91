/* SPDX-License-Identifier: Apache-2.0
 *
 * Programs that ask before they start, by fanotify: where the kernel has no security hook for it. Who starts a marked file waits
 * until it is answered, so a process of its own answers, with what the kernel's guard says. It does nothing else, and never makes
 * anybody wait for long: unless it goes on turning, a timer of the kernel's kills it within EXEC_GATE_TURN_MS, whether it is
 * stopped, starved or hung, and all who wait go on. It ends with the process that started it, by the kernel's hand, too.
 *
 * Not thread-safe; the thread that makes a gate must live as long as the gate.
 */
#ifndef PICKET_LOADER_EXEC_GATE_H
#define PICKET_LOADER_EXEC_GATE_H

#include "base/base.h"
#include "loader/guards.h"

#define EXEC_GATE_TURN_MS 1000
#define EXEC_GATE_AGAIN_NS \
	10000000000ull /* between two that were started: what ends again and again makes nobody wait */

struct exec_gate;
/* executables: copied; count: 1 to GUARD_EXECUTABLES_MAX. program: borrowed, must outlive the gate. Marks and asks nothing yet.
 * ret_gate: exec_gate_free(). Returns 0, -ENOMEM. */
int exec_gate_new(const char *const *executables, size_t count, int program, struct exec_gate **ret_gate) must_check;
void exec_gate_free(struct exec_gate *g); /* ends it; NULL is allowed */
/* From now on the executables ask: those that are there, and those that come in their place within a second.
 * Returns 0; -EPERM; -ETIMEDOUT; -errno: nobody is asked. */
int exec_gate_start(struct exec_gate *g) must_check;
/* Each second: says once that one has ended; then starts another one, not more often than EXEC_GATE_AGAIN_NS. */
enum guards_gate exec_gate_tend(struct exec_gate *g);
void exec_gate_counts(const struct exec_gate *g, struct guards_gate_counts *ret_counts);
/* Does this kernel have what it needs, but the program? Returns 0, -errno. */
int exec_gate_probe(void) must_check;

#endif
