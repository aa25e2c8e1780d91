/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a file of policies, and as TracingPolicies: nothing but messages may come of it. What is read is asked for on
 * kernels with all hooks and with few; what is imported must be YAML that picket reads.
 */
#include "base/diag.h"
#include "guard/policy.h"

#define DIAGS_MAX 20
#define OUT_BYTES_MAX (8u << 20)

static const char rules[] = "- list: shells\n  items: [sh, bash]\n"
                            "- macro: is_shell\n  condition: proc.name in (shells)\n"
                            "- rule: shell\n  desc: d\n  condition: evt.type = execve and is_shell\n  output: o\n"
                            "  priority: NOTICE\n"
                            "- rule: secrets\n  desc: d\n  output: o\n  priority: NOTICE\n"
                            "  condition: evt.type in (open, openat) and fd.name = /etc/shadow\n";

/* Each message must be printable, and about a line that is there. */
static void check_diags(const struct diag_list *diags)
{
	struct buf text;
	buf_init(&text, 16 << 20);
	diag_list_print(diags, true, &text);
	for (size_t i = 0; i < diags->count; i++) {
		const struct diag *d = &diags->items[i];
		if (d->line && (!d->column || !d->file))
			__builtin_trap();
		if (d->source && d->column > strlen(d->source) + 4)
			__builtin_trap();
	}
	buf_done(&text);
}

/* What would take a host down is told, and what is told would. */
static void try_out(const struct policy_set *set, struct diag_list *diags)
{
	size_t errors = diags->errors;
	if ((policy_set_check_breadth(set, diags) < 0) != (diags->errors > errors))
		__builtin_trap();
}

static void use(const struct policy_set *set, struct diag_list *diags)
{
	try_out(set, diags);
	for (unsigned few = 0; few < 2; few++) {
		struct policy_kernel kernel = {.has = {false}};
		for (size_t i = 0; i < GUARD_HOOK_COUNT; i++)
			kernel.has[i] = !few || i % 3 == 0;
		for (size_t i = 0; i < policy_set_count(set); i++) {
			const struct policy *p = policy_set_get(set, i);
			if (!p->points || policy_set_find(set, str_from(p->name)) != p)
				__builtin_trap();
		}
		size_t errors = diags->errors;
		if ((policy_set_check_kernel(set, &kernel, diags) < 0) != (diags->errors > errors))
			__builtin_trap();
	}
}

static void import(struct rule_set *set, struct str text, bool read)
{
	struct policy_set *policies;
	struct diag_list diags;
	struct buf out;
	diag_list_init(&diags, DIAGS_MAX);
	buf_init(&out, OUT_BYTES_MAX);
	if (policy_import("tracing.yaml", text, &diags, &out) == 0 && policy_set_new(set, &policies) == 0) {
		int r = policy_set_add_text(policies, "out.yaml", buf_str(&out), &diags);
		if (r == 0 && read && policy_set_count(policies) == 0)
			__builtin_trap();
		for (size_t i = 0; i < diags.count; i++)
			if (strncmp(diags.items[i].code, "LOAD_ERR_YAML", 13) == 0)
				__builtin_trap();
		policy_set_free(policies);
	}
	check_diags(&diags);
	buf_done(&out);
	diag_list_done(&diags);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_make((const char *)data, size);
	struct rule_set *set;
	struct policy_set *policies;
	struct diag_list diags;
	diag_list_init(&diags, DIAGS_MAX);
	if (rule_set_new(&set) < 0)
		return 0;
	if (rule_set_add_text(set, "rules.yaml", str_from(rules), &diags) < 0 || rule_set_compile(set, &diags) < 0)
		__builtin_trap();
	if (policy_set_new(set, &policies) == 0) {
		size_t errors = diags.errors;
		int r = policy_set_add_text(policies, "policies.yaml", text, &diags);
		if ((r < 0) != (diags.errors > errors) || (r < 0 && policy_set_count(policies)))
			__builtin_trap();
		if (r == 0)
			use(policies, &diags);
		import(set, text, r == 0);
		policy_set_free(policies);
	}
	check_diags(&diags);
	rule_set_free(set);
	diag_list_done(&diags);
	return 0;
}
