/* SPDX-License-Identifier: Apache-2.0
 *
 * What is known of a container as JSON, in the event "container": written for captures, read back in a replay.
 */
#include "base/json.h"
#include "enrich/container.h"
#include "enrich/record.h"

#include <cjson/cJSON.h>
#include <errno.h>

#define JSON_MAX_BYTES (100u * 1024) /* with the header below EVENT_RECORD_MAX */

struct text_member {
	const char *key;
	size_t place; /* offset of a struct str in container_info */
};
#define PLACE(member) offsetof(struct container_info, member)
static const struct text_member texts[] = {
        {"type", PLACE(type)},         {"name", PLACE(name)},
        {"image", PLACE(image)},       {"repository", PLACE(repository)},
        {"tag", PLACE(tag)},           {"image_id", PLACE(image_id)},
        {"digest", PLACE(digest)},     {"ip", PLACE(ip)},
        {"pod_name", PLACE(pod_name)}, {"pod_namespace", PLACE(pod_namespace)},
        {"pod_uid", PLACE(pod_uid)},   {"sandbox_id", PLACE(sandbox_id)},
};

static struct str *text_at(const struct container_info *info, size_t i)
{
	return (struct str *)((char *)info + texts[i].place);
}

/* ---- writing ---- */
static void add_mounts(struct json *j, const struct container_info *info)
{
	json_key(j, "mounts");
	json_begin_array(j);
	for (size_t i = 0; i < info->mount_count; i++) {
		const struct container_mount *m = &info->mounts[i];
		json_begin_object(j);
		json_key(j, "source");
		json_str(j, m->source);
		json_key(j, "destination");
		json_str(j, m->destination);
		json_key(j, "mode");
		json_str(j, m->mode);
		json_key(j, "propagation");
		json_str(j, m->propagation);
		json_key(j, "writable");
		json_bool(j, m->writable);
		json_end_object(j);
	}
	json_end_array(j);
}

static void add_labels(struct json *j, const struct container_info *info)
{
	json_key(j, "labels");
	json_begin_object(j);
	for (size_t i = 0; i < info->label_count; i++) {
		json_key_str(j, info->labels[i].key);
		json_str(j, info->labels[i].value);
	}
	json_end_object(j);
}

static void add_flag(struct json *j, const char *key, bool value)
{
	json_key(j, key);
	json_bool(j, value);
}

static void add_container(const struct container *c, bool labels, bool mounts, struct buf *out)
{
	struct json j;
	json_init(&j, out);
	json_begin_object(&j);
	json_key(&j, "full_id");
	json_str(&j, c->full_id);
	json_key(&j, "cgroup");
	json_str(&j, c->cgroup);
	add_flag(&j, "known", c->known);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		if (!text_at(&c->info, i)->length)
			continue;
		json_key(&j, texts[i].key);
		json_str(&j, *text_at(&c->info, i));
	}
	add_flag(&j, "privileged", c->info.privileged);
	add_flag(&j, "sandbox", c->info.sandbox);
	add_flag(&j, "host_pid", c->host_pid);
	add_flag(&j, "host_network", c->host_network);
	add_flag(&j, "host_ipc", c->host_ipc);
	if (mounts)
		add_mounts(&j, &c->info);
	if (labels)
		add_labels(&j, &c->info);
	json_end_object(&j);
}

/* If it is too long for a record, the labels are left out, then the mounts. */
int container_put(const struct container *c, uint64_t now_ns, int (*put)(void *userdata, const struct event *event),
                  void *userdata)
{
	_cleanup_(buf_done) struct buf json;
	struct record r;
	buf_init(&json, JSON_MAX_BYTES);
	for (int less = 0; less < 3; less++) {
		buf_clear(&json);
		add_container(c, less < 1, less < 2, &json);
		if (buf_error(&json) != -ENOBUFS)
			break;
	}
	if (buf_error(&json) < 0)
		return buf_error(&json);
	record_begin(&r, EVENT_container, now_ns);
	record_text(&r, "id", str_from(c->id), false);
	record_text(&r, "info", buf_str(&json), false);
	return record_put(&r, put, userdata);
}

/* ---- reading ---- */
static struct str copy_text(const cJSON *object, const char *key, struct arena *arena)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
	if (!cJSON_IsString(item))
		return STR("");
	struct str copy = arena_str(arena, str_from(item->valuestring));
	return copy.data ? copy : STR("");
}

static bool flag(const cJSON *object, const char *key)
{
	return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, key));
}

static void parse_mounts(const cJSON *list, struct arena *arena, struct container_info *info)
{
	const cJSON *item;
	size_t count = MIN((size_t)cJSON_GetArraySize(list), (size_t)CONTAINER_MOUNTS_MAX);
	info->mounts = count ? arena_array(arena, struct container_mount, count) : NULL;
	if (!info->mounts)
		return;
	cJSON_ArrayForEach (item, list) {
		if (info->mount_count == count)
			return;
		info->mounts[info->mount_count++] = (struct container_mount){
		        .source = copy_text(item, "source", arena),
		        .destination = copy_text(item, "destination", arena),
		        .mode = copy_text(item, "mode", arena),
		        .propagation = copy_text(item, "propagation", arena),
		        .writable = flag(item, "writable"),
		};
	}
}

int container_parse(struct str json, struct arena *arena, struct container *ret_container)
{
	cJSON *object = cJSON_ParseWithLength(json.data ? json.data : "", json.length);
	struct container c = {0};
	int r = -EBADMSG;
	if (!cJSON_IsObject(object))
		goto out;
	c.full_id = copy_text(object, "full_id", arena);
	c.cgroup = copy_text(object, "cgroup", arena);
	if (c.full_id.length == 0)
		goto out;
	c.known = flag(object, "known");
	c.confirmed = true;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		*text_at(&c.info, i) = copy_text(object, texts[i].key, arena);
	c.info.privileged = flag(object, "privileged");
	c.info.sandbox = flag(object, "sandbox");
	c.host_pid = c.info.host_pid = flag(object, "host_pid");
	c.host_network = c.info.host_network = flag(object, "host_network");
	c.host_ipc = c.info.host_ipc = flag(object, "host_ipc");
	parse_mounts(cJSON_GetObjectItemCaseSensitive(object, "mounts"), arena, &c.info);
	container_take_labels(cJSON_GetObjectItemCaseSensitive(object, "labels"), arena, &c.info);
	*ret_container = c;
	r = 0;
out:
	cJSON_Delete(object);
	return r;
}
