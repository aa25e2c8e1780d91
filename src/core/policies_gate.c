/* SPDX-License-Identifier: Apache-2.0
 *
 * Who answers before executables start, where the kernel has no security hook for it: see src/loader/exec_gate.h.
 */
#include "core/log.h"
#include "core/policies_int.h"

void policies_check_gate(struct policies *p)
{
	enum guards_gate now = p->current.guards ? guards_tend_gate(p->current.guards) : GUARDS_GATE_NONE;
	if (now == p->gate)
		return;
	if (now == GUARDS_GATE_ENDED)
		log_error(
		        "who answers before programs start has ended, so all of them start; another one follows within "
		        "ten seconds");
	else if (now == GUARDS_GATE_ANSWERS && p->gate == GUARDS_GATE_ENDED)
		log_notice("programs are asked about again before they start");
	p->gate = now;
}

void policies_report_gate(const struct policies *p, struct json *out)
{
	struct guards_gate_counts counts;
	if (!p->current.guards || !guards_gate_counts(p->current.guards, &counts))
		return;
	json_key(out, "exec_gate");
	json_begin_object(out);
	json_key(out, "answers");
	json_bool(out, p->gate == GUARDS_GATE_ANSWERS);
	json_key(out, "asked");
	json_u64(out, counts.asked);
	json_key(out, "failed");
	json_u64(out, counts.failed);
	json_end_object(out);
}
