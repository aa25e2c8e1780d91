/* SPDX-License-Identifier: Apache-2.0 */
#include "core/policies_int.h"

#include "base/clock.h"
#include "core/log.h"
#include "core/verdict.h"

static enum rule_priority priority_of(const struct guard_verdict *v)
{
	switch (v->kind) {
	case GUARD_TRIPPED:
		return PRIORITY_ERROR;
	case GUARD_ACTED:
		return PRIORITY_WARNING;
	case GUARD_WOULD_ACT:
		return PRIORITY_NOTICE;
	default:
		return PRIORITY_INFORMATIONAL;
	}
}

static void add_sentence(const struct held *h, const struct guard_verdict *v, struct buf *out)
{
	static const char *const what[] = {[GUARD_ACTED] = "acted on",
	                                   [GUARD_WOULD_ACT] = "would have acted on",
	                                   [GUARD_MATCHED] = "matched",
	                                   [GUARD_TRIPPED] =
	                                           "is over its budget, only tells from now on, and let pass"};
	buf_printf(out, "policy %s version %u (%s) %s ", h->name, v->version, h->action, what[v->kind]);
	verdict_add_deed(v, out);
}

#define VERDICT_FIELDS_MAX 11

static void add_field(struct alert *a, struct alert_field *fields, const char *name, const struct value *value)
{
	fields[a->field_count++] = (struct alert_field){.name = str_from(name), .value = *value};
}

static void add_text_field(struct alert *a, struct alert_field *fields, const char *name, struct str text)
{
	add_field(a, fields, name, &(struct value){.kind = VALUE_STR, .str = text});
}

static void add_number_field(struct alert *a, struct alert_field *fields, const char *name, uint64_t number)
{
	add_field(a, fields, name, &(struct value){.kind = VALUE_U64, .u64 = number});
}

static void add_fields(struct alert *a, const struct held *h, const struct guard_verdict *v, struct alert_field *fields)
{
	bool local = v->point == GUARD_AT_BIND;
	struct value address = {.kind = VALUE_IP};
	add_number_field(a, fields, "evt.time", a->real_ns);
	add_text_field(a, fields, "policy.name", str_from(h->name));
	add_number_field(a, fields, "policy.version", v->version);
	if (h->rule)
		add_text_field(a, fields, "policy.rule", str_from(h->rule));
	add_text_field(a, fields, "policy.action", str_from(h->action));
	add_text_field(a, fields, "policy.point", str_from(verdict_point_name(v->point)));
	add_text_field(a, fields, "policy.verdict", str_from(verdict_kind_name(v->kind)));
	add_text_field(a, fields, "proc.name", verdict_program(v));
	add_number_field(a, fields, "proc.pid", v->tgid);
	if (verdict_address(v, &address.ip)) {
		add_field(a, fields, local ? "fd.lip" : "fd.rip", &address);
		add_number_field(a, fields, local ? "fd.lport" : "fd.rport", v->port);
	}
	a->fields = fields;
}

static void tell(void *userdata, const struct guard_verdict *v)
{
	struct policies *p = userdata;
	struct alert_field fields[VERDICT_FIELDS_MAX];
	if (v->policy >= p->current.count || !verdict_kind_name(v->kind) || !verdict_point_name(v->point))
		return;
	const struct held *h = &p->current.held[v->policy];
	buf_clear(&p->sentence);
	add_sentence(h, v, &p->sentence);
	struct alert a = {
	        .real_ns = v->time_ns + clock_boot_offset_ns(),
	        .rule = h->name,
	        .priority = priority_of(v),
	        .priority_name = rule_priority_name(priority_of(v)),
	        .source = "policy",
	        .output = buf_str(&p->sentence),
	};
	/* That a breaker tripped is never held back. */
	if (!alert_limiter_pass(p->limiter, &a) && v->kind != GUARD_TRIPPED)
		return;
	add_fields(&a, h, v, fields);
	judge_put(p->judge, &a);
}

void policies_tell(struct policies *p)
{
	ssize_t got = p->current.guards ? guards_poll(p->current.guards, tell, p) : 0;
	if (got < 0)
		log_error("the verdicts of guards cannot be read: %s", strerror((int)-got));
}
