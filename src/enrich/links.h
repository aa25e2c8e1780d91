/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the room: symbolic links and bind mounts that were seen being made, here both called links. A call that
 * leaves no descriptor behind (rename, truncate, chmod) tells only the path that it was given; where a link in that
 * path leads is known from here. Links that were there before are not known, nor those whose making was not observed
 * (no rule wants symlink and mount events). Bind mounts of one mount namespace are believed in the others too.
 */
#ifndef PICKET_ENRICH_LINKS_H
#define PICKET_ENRICH_LINKS_H

#include "base/arena.h"
#include "enrich/enrich.h"

struct links;
int links_new(struct links **ret_links) must_check;
void links_free(struct links *l);
/* Learns from an event whose view has its names: a link made, renamed or removed. At the limit the oldest is forgotten.
 * Returns 0, -ENOMEM. */
int links_event(struct links *l, const struct enrich_view *view) must_check;
/* What path, absolute and normalised, becomes when the first link in it is replaced by its target. Only links of the
 * view's container or host count; whole: the last component may be one. data is NULL if there is none, or no memory. */
struct str links_follow(const struct links *l, const struct enrich_view *view, struct str path, bool whole,
                        struct arena *arena) must_check;

#endif
