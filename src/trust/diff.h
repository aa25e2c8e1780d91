/* SPDX-License-Identifier: Apache-2.0
 *
 * What changes from one bundle to another, in plain words.
 */
#ifndef PICKET_TRUST_DIFF_H
#define PICKET_TRUST_DIFF_H

#include "trust/bundle.h"

enum change_effect {
	CHANGE_LESS,  /* less is seen, or less is done about it: look twice */
	CHANGE_MORE,  /* more is seen, or done */
	CHANGE_OTHER, /* it depends, or neither */
};
const char *change_effect_name(enum change_effect effect); /* "less" … */

struct bundle_change {
	enum change_effect effect;
	const char *subject; /* "rule", "list", "policy", "power", "bundle"; static */
	struct str name;     /* of it */
	struct str text;     /* "no longer covers openat2" */
};

/* One of the two, with its rules. */
struct bundle_side {
	const struct bundle *bundle;
	struct rule_set *rules;
};

/* Who knows the language of policies. */
struct policy_differ {
	void *userdata;
	/* Tells of all changes between the policies of two bundles. Returns 0; -EINVAL: told; -ENOMEM. */
	int (*differ)(void *userdata, const struct bundle_side *before, const struct bundle_side *after,
	              void (*call)(void *call_userdata, const struct bundle_change *change), void *call_userdata,
	              struct diag_list *reterr_diags);
};

/* Both were matched. policies NULL: files of policies are told as a whole. call: once for each change, in an order that
 * depends on the bundles alone. Returns 0; -EINVAL: the rules of one are not understood, told; -ENOMEM. */
int bundle_diff(const struct bundle *before, const struct bundle *after, const struct policy_differ *policies,
                void (*call)(void *userdata, const struct bundle_change *change), void *userdata,
                struct diag_list *reterr_diags) must_check;

#endif
