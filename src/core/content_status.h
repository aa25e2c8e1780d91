/* SPDX-License-Identifier: Apache-2.0
 *
 * What the status of a running picket says of its content: for who follows it.
 */
#ifndef PICKET_CORE_CONTENT_STATUS_H
#define PICKET_CORE_CONTENT_STATUS_H

#include "core/agent.h"

struct content_status {
	char state[4096]; /* the directory that it takes bundles from */
	bool off;         /* its sensors are */
	bool staged;      /* there is, or was, a bundle on its way; else the rest is nothing */
	char name[BUNDLE_NAME_MAX + 1];
	uint64_t version;
	char outcome[32]; /* "going-on", "waits", "promoted", "refused" */
	enum staging_step step;
	bool after_probation; /* what runs is to prove itself first */
	uint64_t soak_s, soaked_s;
	struct {
		bool passed, refused;
		char reason[512];
	} steps[STAGING_STEPS];
};
/* Returns 0; -EBADMSG: it is no status; -ENOENT: that picket runs no bundles. */
int content_status_parse(struct str json, struct content_status *ret_status) must_check;

#endif
