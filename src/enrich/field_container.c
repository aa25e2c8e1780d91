/* SPDX-License-Identifier: Apache-2.0
 *
 * container.*, k8s.*: on the host most have a value that says so; of a container of which no runtime's file was found
 * only what its control group says.
 */
#include "enrich/field_int.h"

#include <regex.h>

#define KEY_MAX 256   /* bytes of a regular expression in brackets */
#define LABEL_MAX 100 /* bytes of a label that container.labels shows */
#define SHORT_ID_LENGTH 12

/* ---- mounts ---- */

static bool mount_matches(const struct container_mount *m, const regex_t *pattern, enum field_id id,
                          struct arena *arena)
{
	struct str text = arena_str(arena, id == FIELD_CONTAINER_MOUNT_SOURCE ? m->destination : m->source);
	return text.data && regexec(pattern, text.data, 0, NULL, 0) == 0;
}

/* By number, or the first whose source (of container.mount.source: destination) the expression matches somewhere. */
static const struct container_mount *find_mount(const struct field_query *q, const struct container_info *info)
{
	const struct container_mount *found = NULL;
	regex_t pattern;
	char key[KEY_MAX + 1];

	if (q->ref->has_index)
		return q->ref->index < info->mount_count ? &info->mounts[q->ref->index] : NULL;
	if (q->ref->key.length == 0 || q->ref->key.length > KEY_MAX)
		return NULL;
	memcpy(key, q->ref->key.data, q->ref->key.length);
	key[q->ref->key.length] = '\0';
	if (regcomp(&pattern, key, REG_EXTENDED | REG_NOSUB) != 0)
		return NULL;
	for (size_t i = 0; i < info->mount_count && !found; i++)
		if (mount_matches(&info->mounts[i], &pattern, q->ref->id, q->arena))
			found = &info->mounts[i];
	regfree(&pattern);
	return found;
}

static void add_mount(const struct container_mount *m, struct buf *out)
{
	buf_printf(out, STR_FMT ":" STR_FMT ":" STR_FMT ":%s:" STR_FMT, STR_ARG(m->source), STR_ARG(m->destination),
	           STR_ARG(m->mode), m->writable ? "true" : "false", STR_ARG(m->propagation));
}

static void get_mounts(const struct field_query *q, const struct container_info *info, struct value *v)
{
	_cleanup_(buf_done) struct buf text;
	field_buf_init(&text);
	for (size_t i = 0; i < info->mount_count; i++) {
		if (i > 0)
			buf_add_char(&text, ',');
		add_mount(&info->mounts[i], &text);
	}
	set_buf(q, v, &text);
}

static void get_whole_mount(const struct field_query *q, const struct container_mount *m, struct value *v)
{
	_cleanup_(buf_done) struct buf text;
	field_buf_init(&text);
	add_mount(m, &text);
	set_buf(q, v, &text);
}

static void get_mount(const struct field_query *q, const struct container_info *info, struct value *v)
{
	const struct container_mount *m = find_mount(q, info);
	if (!m)
		return;
	switch (q->ref->id) {
	case FIELD_CONTAINER_MOUNT:
		get_whole_mount(q, m, v);
		break;
	case FIELD_CONTAINER_MOUNT_SOURCE:
		set_str(v, m->source);
		break;
	case FIELD_CONTAINER_MOUNT_DEST:
		set_str(v, m->destination);
		break;
	case FIELD_CONTAINER_MOUNT_MODE:
		set_str(v, m->mode);
		break;
	case FIELD_CONTAINER_MOUNT_RDWR:
		set_str(v, m->writable ? STR("true") : STR("false"));
		break;
	default:
		set_str(v, m->propagation);
		break;
	}
}

/* ---- labels ---- */

static void get_label(const struct field_query *q, const struct container_info *info, struct value *v)
{
	struct str key = q->ref->key;
	if (q->ref->has_index)
		key = arena_printf(q->arena, "%u", q->ref->index);
	for (size_t i = 0; i < info->label_count; i++)
		if (str_equal(info->labels[i].key, key)) {
			set_str(v, info->labels[i].value);
			return;
		}
}

static bool label_is_shown(const struct container_label *l)
{
	return l->key.length + l->value.length <= LABEL_MAX && !str_contains(l->key, STR("annotation.")) &&
	       !str_starts_with(l->key, STR("io.kubernetes."));
}

static void get_labels(const struct field_query *q, const struct container_info *info, struct value *v)
{
	_cleanup_(buf_done) struct buf text;
	field_buf_init(&text);
	for (size_t i = 0; i < info->label_count; i++) {
		const struct container_label *l = &info->labels[i];
		if (label_is_shown(l))
			buf_printf(&text, "%s" STR_FMT ":" STR_FMT, text.length ? ", " : "", STR_ARG(l->key),
			           STR_ARG(l->value));
	}
	set_buf(q, v, &text);
}

/* ---- all ---- */

static void set_unless_empty(struct value *v, struct str s)
{
	if (s.length > 0)
		set_str(v, s);
}

static void get_pod(const struct container_info *info, enum field_id id, struct value *v)
{
	switch (id) {
	case FIELD_K8S_POD_NAME:
		set_unless_empty(v, info->pod_name);
		break;
	case FIELD_K8S_NS_NAME:
		set_unless_empty(v, info->pod_namespace);
		break;
	case FIELD_K8S_POD_ID:
	case FIELD_K8S_POD_UID:
		set_unless_empty(v, info->pod_uid);
		break;
	case FIELD_K8S_POD_SANDBOX_ID:
		set_str(v, str_make(info->sandbox_id.data, MIN(info->sandbox_id.length, (size_t)SHORT_ID_LENGTH)));
		break;
	case FIELD_K8S_POD_FULL_SANDBOX_ID:
		set_str(v, info->sandbox_id);
		break;
	case FIELD_K8S_POD_IP:
		set_str(v, info->ip);
		break;
	default:
		break;
	}
}

static void get_info(const struct field_query *q, const struct container_info *info, struct value *v)
{
	switch (q->ref->id) {
	case FIELD_CONTAINER_NAME:
		set_str(v, info->name);
		break;
	case FIELD_CONTAINER_IMAGE:
		set_str(v, info->image);
		break;
	case FIELD_CONTAINER_IMAGE_ID:
		set_str(v, info->image_id);
		break;
	case FIELD_CONTAINER_IMAGE_REPOSITORY:
		set_str(v, info->repository);
		break;
	case FIELD_CONTAINER_IMAGE_TAG:
		set_str(v, info->tag);
		break;
	case FIELD_CONTAINER_IMAGE_DIGEST:
		set_str(v, info->digest);
		break;
	case FIELD_CONTAINER_TYPE:
		set_unless_empty(v, info->type);
		break;
	case FIELD_CONTAINER_PRIVILEGED:
		set_bool(v, info->privileged);
		break;
	case FIELD_CONTAINER_MOUNTS:
		get_mounts(q, info, v);
		break;
	case FIELD_CONTAINER_MOUNT:
	case FIELD_CONTAINER_MOUNT_SOURCE:
	case FIELD_CONTAINER_MOUNT_DEST:
	case FIELD_CONTAINER_MOUNT_MODE:
	case FIELD_CONTAINER_MOUNT_RDWR:
	case FIELD_CONTAINER_MOUNT_PROPAGATION:
		get_mount(q, info, v);
		break;
	case FIELD_CONTAINER_LABEL:
	case FIELD_K8S_POD_LABEL:
		get_label(q, info, v);
		break;
	case FIELD_CONTAINER_LABELS:
	case FIELD_K8S_POD_LABELS:
		get_labels(q, info, v);
		break;
	case FIELD_CONTAINER_IP:
		set_str(v, info->ip);
		break;
	default:
		get_pod(info, q->ref->id, v);
		break;
	}
}

static void get_on_host(enum field_id id, struct value *v)
{
	switch (id) {
	case FIELD_CONTAINER_ID:
	case FIELD_CONTAINER_FULL_ID:
	case FIELD_CONTAINER_NAME:
	case FIELD_CONTAINER_TYPE:
		set_str(v, STR("host"));
		break;
	case FIELD_CONTAINER_IMAGE:
	case FIELD_CONTAINER_IMAGE_ID:
	case FIELD_CONTAINER_IMAGE_REPOSITORY:
	case FIELD_CONTAINER_IMAGE_TAG:
	case FIELD_CONTAINER_IMAGE_DIGEST:
	case FIELD_CONTAINER_MOUNTS:
	case FIELD_CONTAINER_LABELS:
	case FIELD_CONTAINER_IP:
	case FIELD_CONTAINER_CNI_JSON:
	case FIELD_K8S_POD_SANDBOX_ID:
	case FIELD_K8S_POD_FULL_SANDBOX_ID:
	case FIELD_K8S_POD_LABELS:
	case FIELD_K8S_POD_IP:
	case FIELD_K8S_POD_CNI_JSON:
		set_str(v, STR(""));
		break;
	case FIELD_CONTAINER_PRIVILEGED:
	case FIELD_CONTAINER_HOST_PID:
	case FIELD_CONTAINER_HOST_NETWORK:
	case FIELD_CONTAINER_HOST_IPC:
		set_bool(v, false);
		break;
	default:
		break;
	}
}

/* The container began when its pid namespace did. */
static bool get_start(const struct field_query *q, struct value *v)
{
	if (q->ref->id != FIELD_CONTAINER_START_TS && q->ref->id != FIELD_CONTAINER_DURATION)
		return false;
	uint64_t start = process_state_known(q->process) ? q->process->state.pidns_start : 0;
	uint64_t now = q->event->header->time_ns;
	if (start == 0)
		return true;
	if (q->ref->id == FIELD_CONTAINER_START_TS)
		set_u64(v, enrich_real_ns(q->view->enrich, start));
	else if (start <= now)
		set_u64(v, now - start);
	return true;
}

static bool get_from_namespaces(const struct container *c, enum field_id id, struct value *v)
{
	bool shares;
	switch (id) {
	case FIELD_CONTAINER_HOST_PID:
		shares = c->host_pid;
		break;
	case FIELD_CONTAINER_HOST_NETWORK:
		shares = c->host_network;
		break;
	case FIELD_CONTAINER_HOST_IPC:
		shares = c->host_ipc;
		break;
	default:
		return false;
	}
	if (c->namespaces_seen)
		set_bool(v, shares);
	return true;
}

void field_get_container(const struct field_query *q, struct value *v)
{
	if (!q->process || get_start(q, v))
		return;
	const struct container *c = q->process->container;
	if (!c)
		get_on_host(q->ref->id, v);
	else if (q->ref->id == FIELD_CONTAINER_ID)
		set_str(v, str_from(c->id));
	else if (q->ref->id == FIELD_CONTAINER_FULL_ID)
		set_str(v, c->full_id);
	else if (!get_from_namespaces(c, q->ref->id, v) && c->known)
		get_info(q, &c->info, v);
}
