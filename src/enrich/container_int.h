/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the room: the table of containers.
 */
#ifndef PICKET_ENRICH_CONTAINER_INT_H
#define PICKET_ENRICH_CONTAINER_INT_H

#include "enrich/container.h"
#include "enrich/process_int.h"
#include "enrich/rootfs.h"

struct enrich;
struct containers;

int containers_new(struct containers **ret_containers) must_check;
void containers_free(struct containers *all);
size_t containers_count(const struct containers *all);
/* Sets p->container, after p's control group, image or namespaces became known or changed. */
void containers_assign(struct enrich *e, struct process *p, bool image_changed);
/* Is it decided whether p is in a container, and in which? */
bool containers_settled(const struct enrich *e, const struct process *p);
void containers_reconsider(struct enrich *e);                      /* the host's namespaces became known */
void containers_read_users(struct enrich *e, struct container *c); /* if they changed */
void containers_tick(struct enrich *e);
int containers_put_all(struct enrich *e, int (*put)(void *userdata, const struct event *event), void *userdata)
        must_check;
int containers_take(struct enrich *e, const struct event *record) must_check;

#endif
