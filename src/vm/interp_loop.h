/* SPDX-License-Identifier: Apache-2.0
 *
 * The loop, direct-threaded: each cell names the label that does it. Included twice by interp.c, with LOOP its name and
 * PLAIN 1 if it counts and traces every single instruction. A row of insn.def without a handler does not compile.
 *
 * Runs from c on. Returns NULL at the end and after a fault, or a cell that the other loop is to go on with.
 * With m NULL it only tells its labels.
 */
static LOOP_ATTRIBUTES const struct vm_cell *LOOP(struct vm_machine *m, const struct vm_cell *c,
                                                  const void *const **ret_labels)
{
	static const void *const labels[] = {
#define INSN(id, code, select, value, format, mnemonic, c) &&L_##id,
#define FUSED(id, format, c) &&L_##id,
#include "vm/insn.def"
		&&L_TAIL_CALL,
#if !PLAIN
#define FRAME(id) &&F_##id,
#define SEQUENCE_2(a, format_a, b, format_b, link_b) &&L_##a##_##b##_##link_b,
#define SEQUENCE_3(a, format_a, b, format_b, link_b, d, format_d, link_d) &&L_##a##_##b##_##link_b##_##d##_##link_d,
#include "vm/interp_special.def"
#endif
	};
	int64_t budget;

	if (!m) {
		*ret_labels = labels;
		return NULL;
	}
	budget = m->budget;

#if PLAIN
#define DISPATCH goto trace
	DISPATCH;
trace:
	machine_trace(m, c);
	goto *(c->handler);
#else
#define DISPATCH goto *(c->handler)
	DISPATCH;
#endif

#define INSN(id, code, select, value, format, mnemonic, c_) \
	L_##id: \
	{ \
		STEP_##format(id, c, c->dst, c->src); \
		c++; \
		DISPATCH; \
	}
#define FUSED(id, format, c_) INSN(id, 0, NONE, 0, format, "", "")
#include "vm/insn.def"

L_TAIL_CALL:
	STEP_TO(machine_tail_call(m, c));

#if !PLAIN
#define FRAME(id) \
	F_##id: \
	{ \
		frame_##id(m, c, c->dst, c->src); \
		c++; \
		DISPATCH; \
	}
#define SEQUENCE_2(a, format_a, b, format_b, link_b) \
	L_##a##_##b##_##link_b: \
	{ \
		unsigned dst0 = c->dst; \
		STEP_##format_a(a, c, dst0, c->src); \
		STEP_##format_b(b, c + 1, LINKED_DST_##link_b(c + 1), LINKED_SRC_##link_b(c + 1)); \
		(void)dst0; \
		c += 2; \
		DISPATCH; \
	}
#define SEQUENCE_3(a, format_a, b, format_b, link_b, d, format_d, link_d) \
	L_##a##_##b##_##link_b##_##d##_##link_d: \
	{ \
		unsigned dst0 = c->dst, dst1 = LINKED_DST_##link_b(c + 1); \
		STEP_##format_a(a, c, dst0, c->src); \
		STEP_##format_b(b, c + 1, dst1, LINKED_SRC_##link_b(c + 1)); \
		STEP_##format_d(d, c + 2, LINKED_DST_##link_d(c + 2), LINKED_SRC_##link_d(c + 2)); \
		(void)dst1; \
		c += 3; \
		DISPATCH; \
	}
#include "vm/interp_special.def"
#endif

over_budget:
	vm_fault(m->run, PICKET_FAULT_BUDGET, 0, 0);
fault:
	m->budget = budget;
	machine_fault(m, c);
	return NULL;
}

#undef DISPATCH
#undef LOOP
#undef PLAIN
