/* SPDX-License-Identifier: Apache-2.0
 *
 * What policies in a bundle mean: for src/trust, which does not know their language.
 */
#ifndef PICKET_CORE_CONTENT_H
#define PICKET_CORE_CONTENT_H

#include "trust/diff.h"
#include "trust/gate.h"

/* Both static. A policy takes a power for each of its points, but to alert: "deny:connect", "kill:exec". */
const struct policy_checker *content_policy_checker(void);
const struct policy_differ *content_policy_differ(void);

#endif
