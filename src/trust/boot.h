/* SPDX-License-Identifier: Apache-2.0
 *
 * What a start of picket leaves on disk for the next one, beside the store: whether starts prove themselves, and which kernel
 * the content was tried on. By it a content that kills picket is left by itself, without network and without a person:
 *
 *	two starts that did not prove themselves on the same content	the last known good content
 *	two more						only watching: no policy acts
 *	two more						sensors off, only the status is served
 *
 * A start that proves itself brings the next one back to normal; so does other content, and another kernel.
 */
#ifndef PICKET_TRUST_BOOT_H
#define PICKET_TRUST_BOOT_H

#include "trust/digest.h"

#define BOOT_STARTS_MAX 2 /* that die in a row before it steps down */

enum boot_rung { BOOT_NORMAL, BOOT_WATCH, BOOT_OFF, BOOT_RUNGS };
const char *boot_rung_name(enum boot_rung rung); /* "normal", "watch", "off" */

struct boot {
	enum boot_rung rung;
	unsigned starts;       /* on this content and rung, the present one included, that have not proved themselves */
	struct digest content; /* a bundle's id; zeros: of no bundle */
	struct digest kernel;  /* on which all of it was loaded and verified; zeros: on none yet */
};
/* dir: of the store. Returns 0; -ENOENT: there was no start yet; -EBADMSG: it is damaged; -errno. */
int boot_read(const char *dir, struct boot *ret_boot) must_check;
int boot_write(const char *dir, const struct boot *b) must_check; /* durable. 0, -errno */
/* Now this content is to be run on this kernel: other than before, it begins anew. */
void boot_enter(struct boot *b, const struct digest *content, const struct digest *kernel);

#endif
