/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the room: programs that were made of rules, into the kernel.
 */
#ifndef PICKET_LOADER_SIEVE_H
#define PICKET_LOADER_SIEVE_H

#include "loader/loader.h"

/* What the programs of a loader work with; the descriptors stay its own. */
struct sieve_place {
	int scratches, programs; /* maps */
	int attach_btf_id;       /* of the hook whose sensors call them; 0: none, they are run by tests */
};
/* The program's descriptor, or -errno: -EACCES, -EINVAL: the kernel's verifier refuses it, reterr_why says why. */
int sieve_load(const struct sieve_place *place, const struct loader_sieve *sieve, char *reterr_why, size_t size)
        must_check;

#endif
