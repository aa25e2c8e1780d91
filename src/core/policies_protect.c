/* SPDX-License-Identifier: Apache-2.0
 *
 * Whom no policy touches. Guards know programs by their files; a package replaces these while policies are in force. What a
 * file was before stays protected until the next load: it may still run.
 */
#include "core/policies_int.h"

#include <string.h>

#include "core/log.h"

static bool is_as_before(const struct policies *p, const struct guard_protected_key *keys, size_t count)
{
	return count == p->protected_count && memcmp(keys, p->protected, count * sizeof(*keys)) == 0;
}

void policies_protect(struct policies *p)
{
	struct guard_protected_key keys[GUARD_PROTECTED_MAX];
	size_t count = guard_protected(keys);
	if (!p->current.guards || is_as_before(p, keys, count))
		return;
	int r = guards_protect(p->current.guards, keys, count);
	if (r < 0)
		log_error("programs that came in place of protected ones are not protected: %s", strerror(-r));
	memcpy(p->protected, keys, count * sizeof(*keys));
	p->protected_count = count;
}
