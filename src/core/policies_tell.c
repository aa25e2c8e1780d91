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
	                                   [GUARD_TRIPPED] = "is over its budget, only tells from now on, and let pass",
	                                   [GUARD_ENDED] = "came too late for"};
	buf_printf(out, "policy %s version %u (%s) %s ", h->name, v->version, h->action, what[v->kind]);
}

/* ---- fields ---- */

#define VERDICT_FIELDS_MAX 12
struct verdict_fields {
	struct alert_field items[VERDICT_FIELDS_MAX];
	size_t count;
};

static void add_field(struct verdict_fields *f, const char *name, const struct value *value)
{
	f->items[f->count++] = (struct alert_field){.name = str_from(name), .value = *value};
}

static void add_text_field(struct verdict_fields *f, const char *name, struct str text)
{
	add_field(f, name, &(struct value){.kind = VALUE_STR, .str = text});
}

static void add_number_field(struct verdict_fields *f, const char *name, uint64_t number)
{
	add_field(f, name, &(struct value){.kind = VALUE_U64, .u64 = number});
}

static void add_policy_fields(struct verdict_fields *f, const struct held *h, const struct guard_verdict *v)
{
	add_text_field(f, "policy.name", str_from(h->name));
	add_number_field(f, "policy.version", v->version);
	if (h->rule)
		add_text_field(f, "policy.rule", str_from(h->rule));
	add_text_field(f, "policy.action", str_from(h->action));
	add_text_field(f, "policy.point", str_from(verdict_point_name(v->point)));
	add_text_field(f, "policy.verdict", str_from(verdict_kind_name(v->kind)));
}

static void add_attempt_fields(struct verdict_fields *f, const struct guard_verdict *v)
{
	bool local = v->point == GUARD_AT_BIND;
	struct value address = {.kind = VALUE_IP};
	add_text_field(f, "proc.name", verdict_program(v));
	add_number_field(f, "proc.pid", v->tgid);
	if (verdict_path(v).length)
		add_text_field(f, "fd.name", verdict_path(v));
	if (!verdict_address(v, &address.ip))
		return;
	add_field(f, local ? "fd.lip" : "fd.rip", &address);
	add_number_field(f, local ? "fd.lport" : "fd.rport", v->port);
}

/* ---- telling ---- */

static void tell(void *userdata, const struct guard_verdict *v)
{
	struct policies *p = userdata;
	struct verdict_fields fields = {.count = 0};
	if (v->policy >= p->current.count || !verdict_kind_name(v->kind) || !verdict_point_name(v->point))
		return;
	const struct held *h = &p->current.held[v->policy];
	buf_clear(&p->sentence);
	add_sentence(h, v, &p->sentence);
	verdict_add_deed(v, &p->sentence);
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
	add_number_field(&fields, "evt.time", a.real_ns);
	add_policy_fields(&fields, h, v);
	add_attempt_fields(&fields, v);
	a.fields = fields.items;
	a.field_count = fields.count;
	judge_put(p->judge, &a);
}

static enum rule_priority priority_after(const struct held *h, const struct guard_verdict *v)
{
	if (h->policy->action != ACTION_ALERT)
		return priority_of(v);
	return h->policy->rule ? h->policy->rule->priority : PRIORITY_NOTICE;
}

void policies_tell_after(struct policies *p, const struct held *h, const struct guard_verdict *v,
                         struct enrich_view *view, struct arena *arena)
{
	const struct policy *policy = h->policy;
	struct verdict_fields fields = {.count = 0};
	enum rule_priority priority = priority_after(h, v);
	const struct rule as = {
	        .name = h->name,
	        .priority = priority,
	        .source = "policy",
	        .tags = policy->tags.items,
	        .tag_count = policy->tags.count,
	        .output = policy->rule && policy->rule->output ? policy->rule->output : p->output,
	};
	buf_clear(&p->sentence);
	add_sentence(h, v, &p->sentence);
	add_policy_fields(&fields, h, v);
	add_number_field(&fields, "proc.pid", v->tgid);
	judge_raise(p->judge,
	            &(struct judge_finding){.rule = &as,
	                                    .prefix = buf_str(&p->sentence),
	                                    .fields = fields.items,
	                                    .field_count = fields.count,
	                                    .limiter = h->limiter ? h->limiter : p->limiter,
	                                    .always = v->kind == GUARD_TRIPPED},
	            view, arena);
}

void policies_tell(struct policies *p)
{
	ssize_t got = p->current.guards ? guards_poll(p->current.guards, tell, p) : 0;
	if (got < 0)
		log_error("the verdicts of guards cannot be read: %s", strerror((int)-got));
}
