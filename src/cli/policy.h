/* SPDX-License-Identifier: Apache-2.0
 *
 * What the actions of picket policy have in common.
 */
#ifndef PICKET_CLI_POLICY_H
#define PICKET_CLI_POLICY_H

#include "base/json.h"
#include "cli/args.h"
#include "guard/policy.h"

/* A kernel to judge policies by: this one, or one that --hooks describes. */
struct policy_view {
	struct policy_kernel kernel;
	struct guard_hook_report hooks[GUARD_HOOK_COUNT];
	bool any; /* --hooks any: not judged */
};

/* Each returns CLI_OK, or the exit code after a message. */
int policy_view_init(const struct args *args, struct policy_view *ret_view) must_check;
int policy_explain(const struct args *args);
int policy_try(const struct args *args);
int policy_mode(const struct args *args);
int policy_release(const struct args *args);
int policy_status(const struct args *args);

/* The rules and the policies over them. */
struct policy_input {
	struct rule_set *rules;
	struct policy_set *set;
};
/* paths: of policies; none: the default place. Mistakes are told on standard error; warnings, too. With mistakes there
 * is a set nonetheless, unless rules are wrong: then the exit code is returned and nothing is set.
 * ret_diags: initialised here; the caller's to end. */
int policy_input_load(const struct args *args, const char *const *paths, size_t count, struct policy_input *ret_input,
                      struct diag_list *ret_diags) must_check;
void policy_input_done(struct policy_input *in); /* also for _cleanup_ */
/* The values of --policies, else nothing. Returns how many. */
size_t policy_paths(const struct args *args, const char **ret_paths, size_t max);

/* policy_show.c */
void policy_add_points(const struct policy *p, struct buf *out); /* "exec, connect" */
const char *policy_effect_code(enum policy_effect effect);       /* its colour */
/* The weakest of what it does at its points on the kernel; NULL: something is not possible. */
const struct policy_route *policy_weakest(const struct policy *p, const struct policy_kernel *kernel);
void policy_add_line(const struct policy *p, const struct policy_view *view, bool color, struct buf *out);
void policy_add_explanation(const struct policy *p, const struct policy_view *view, bool color, unsigned width,
                            struct buf *out);
void policy_add_json(const struct policy *p, const struct policy_view *view, struct json *j);
void policy_add_kernel(const struct policy_view *view, bool color, unsigned width, struct buf *out);
void policy_add_kernel_json(const struct policy_view *view, struct json *j);

#endif
