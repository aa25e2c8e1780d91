/* SPDX-License-Identifier: Apache-2.0
 *
 * What an OCI bundle's config.json says, with the annotations that containerd's CRI, CRI-O, podman and nerdctl write.
 */
#include "enrich/container.h"

#include <cjson/cJSON.h>

#define LABELS_MAX 128
#define LABEL_KEY_MAX 256
#define LABEL_VALUE_MAX 2048

static const cJSON *get(const cJSON *object, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(object, key);
}

static struct str text_of(const cJSON *item)
{
	return cJSON_IsString(item) ? str_from(item->valuestring) : STR("");
}

static struct str get_text(const cJSON *object, const char *key)
{
	return text_of(get(object, key));
}

/* What is known already stays. */
static void take(struct str *place, struct str value, struct arena *arena)
{
	if (place->length || value.length == 0)
		return;
	struct str copy = arena_str(arena, value);
	if (copy.data)
		*place = copy;
}

/* ---- labels ---- */
struct str container_label(const struct container_info *info, const char *key)
{
	for (size_t i = 0; i < info->label_count; i++)
		if (str_equals(info->labels[i].key, key))
			return info->labels[i].value;
	return STR("");
}

void container_add_label(struct str key, struct str value, struct arena *arena, struct container_info *info)
{
	if (key.length == 0 || key.length > LABEL_KEY_MAX || value.length > LABEL_VALUE_MAX ||
	    info->label_count == LABELS_MAX)
		return;
	for (size_t i = 0; i < info->label_count; i++)
		if (str_equal(info->labels[i].key, key))
			return;
	if (!info->labels)
		info->labels = arena_array(arena, struct container_label, LABELS_MAX);
	if (!info->labels)
		return;
	struct container_label l = {arena_str(arena, key), arena_str(arena, value)};
	if (l.key.data && l.value.data)
		info->labels[info->label_count++] = l;
}

void container_take_labels(const struct cJSON *object, struct arena *arena, struct container_info *info)
{
	const cJSON *item;
	cJSON_ArrayForEach (item, object)
		if (item->string && cJSON_IsString(item))
			container_add_label(str_from(item->string), text_of(item), arena, info);
}

/* CRI-O keeps the pod's own labels as JSON inside an annotation. */
static void take_labels_text(struct str json, struct arena *arena, struct container_info *info)
{
	cJSON *object = json.length ? cJSON_ParseWithLength(json.data, json.length) : NULL;
	container_take_labels(object, arena, info);
	cJSON_Delete(object);
}

/* ---- images ---- */

/* The colon of a tag stands after the last slash: before it is a registry's port. */
void container_split_image(struct container_info *info)
{
	struct str image = info->image;
	ssize_t at = str_find_char(image, '@');
	if (at >= 0) {
		if (!info->digest.length)
			info->digest = str_make(image.data + at + 1, image.length - (size_t)at - 1);
		image.length = (size_t)at;
	}
	if (info->repository.length || image.length == 0)
		return;
	const char *slash = memrchr(image.data, '/', image.length);
	size_t from = slash ? (size_t)(slash - image.data) : 0;
	const char *colon = memrchr(image.data + from, ':', image.length - from);
	size_t length = colon ? (size_t)(colon - image.data) : image.length;
	info->repository = str_make(image.data, length);
	if (colon)
		info->tag = str_make(colon + 1, image.length - length - 1);
}

/* ---- annotations ---- */
struct annotation {
	const char *key;
	size_t place; /* offset of a struct str in container_info */
};
#define PLACE(member) offsetof(struct container_info, member)
static const struct annotation annotations[] = {
        {"io.kubernetes.cri.container-name", PLACE(name)},
        {"io.kubernetes.cri.image-name", PLACE(image)},
        {"io.kubernetes.cri.sandbox-id", PLACE(sandbox_id)},
        {"io.kubernetes.cri.sandbox-name", PLACE(pod_name)},
        {"io.kubernetes.cri.sandbox-namespace", PLACE(pod_namespace)},
        {"io.kubernetes.cri.sandbox-uid", PLACE(pod_uid)},
        {"io.kubernetes.container.name", PLACE(name)},
        {"io.kubernetes.pod.name", PLACE(pod_name)},
        {"io.kubernetes.pod.namespace", PLACE(pod_namespace)},
        {"io.kubernetes.pod.uid", PLACE(pod_uid)},
        {"io.kubernetes.sandbox.id", PLACE(sandbox_id)},
        {"io.kubernetes.cri-o.SandboxID", PLACE(sandbox_id)},
        {"io.kubernetes.cri-o.KubeName", PLACE(pod_name)},
        {"io.kubernetes.cri-o.Namespace", PLACE(pod_namespace)},
        {"io.kubernetes.cri-o.ImageName", PLACE(image)},
        {"io.kubernetes.cri-o.IP.0", PLACE(ip)},
        {"io.kubernetes.cri-o.ContainerName", PLACE(name)},
        {"nerdctl/name", PLACE(name)},
        {"nerdctl/image-name", PLACE(image)},
        {"org.opencontainers.image.ref.name", PLACE(image)},
};

static struct str type_of(const struct container_info *info)
{
	struct str manager = container_label(info, "io.container.manager");
	if (str_equals(manager, "libpod"))
		return STR("podman");
	if (str_equals(manager, "cri-o") || container_label(info, "io.kubernetes.cri-o.ContainerType").length)
		return STR("cri-o");
	if (container_label(info, "io.kubernetes.cri.container-type").length ||
	    container_label(info, "nerdctl/name").length)
		return STR("containerd");
	return STR("");
}

void container_take_annotations(struct arena *arena, struct container_info *info)
{
	for (size_t i = 0; i < ARRAY_SIZE(annotations); i++)
		take((struct str *)((char *)info + annotations[i].place), container_label(info, annotations[i].key),
		     arena);
	take(&info->type, type_of(info), arena);
	info->sandbox |= str_equals(container_label(info, "io.kubernetes.cri.container-type"), "sandbox") ||
	                 str_equals(container_label(info, "io.kubernetes.cri-o.ContainerType"), "sandbox") ||
	                 str_equals(container_label(info, "io.kubernetes.docker.type"), "podsandbox");
	info->privileged |= str_equals(container_label(info, "io.podman.annotations.privileged"), "TRUE");

	/* Digest or id: "repository@sha256:…", or the bare id of the image. */
	struct str reference = container_label(info, "io.kubernetes.cri-o.ImageRef");
	ssize_t at = str_find_char(reference, '@');
	if (at >= 0)
		take(&info->digest, str_make(reference.data + at + 1, reference.length - (size_t)at - 1), arena);
	else
		take(&info->image_id, reference, arena);
	take_labels_text(container_label(info, "io.kubernetes.cri-o.Labels"), arena, info);
}

/* ---- mounts ---- */
static bool has_option(const cJSON *options, const char *name)
{
	const cJSON *option;
	cJSON_ArrayForEach (option, options)
		if (str_equals(text_of(option), name))
			return true;
	return false;
}

static struct str propagation_of(const cJSON *options)
{
	static const char *const names[] = {"private", "rprivate", "slave", "rslave", "shared", "rshared"};
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (has_option(options, names[i]))
			return str_from(names[i]);
	return STR("");
}

static void take_mounts(const cJSON *mounts, struct arena *arena, struct container_info *info)
{
	const cJSON *item;
	size_t room = MIN((size_t)cJSON_GetArraySize(mounts), (size_t)CONTAINER_MOUNTS_MAX);
	if (info->mounts || room == 0)
		return;
	info->mounts = arena_array(arena, struct container_mount, room);
	if (!info->mounts)
		return;
	cJSON_ArrayForEach (item, mounts) {
		const cJSON *options = get(item, "options");
		bool bind = str_equals(get_text(item, "type"), "bind") || has_option(options, "bind") ||
		            has_option(options, "rbind");
		if (!bind || info->mount_count == room)
			continue;
		struct container_mount m = {
		        .source = arena_str(arena, get_text(item, "source")),
		        .destination = arena_str(arena, get_text(item, "destination")),
		        .propagation = propagation_of(options),
		        .writable = !has_option(options, "ro"),
		};
		if (m.source.data && m.destination.data)
			info->mounts[info->mount_count++] = m;
	}
}

/* ---- rights and namespaces ---- */

/* No runtime writes "privileged" into a bundle. What it means: all capabilities, all devices, nothing masked. */
static bool is_privileged(const cJSON *config)
{
	static const char *const needed[] = {"CAP_SYS_ADMIN", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_BOOT",
	                                     "CAP_MAC_ADMIN"};
	const cJSON *bounding = get(get(get(config, "process"), "capabilities"), "bounding");
	const cJSON *spec = get(config, "linux"), *device;
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (!has_option(bounding, needed[i]))
			return false;
	if (cJSON_GetArraySize(get(spec, "maskedPaths")) > 0)
		return false;
	bool all_devices = false;
	cJSON_ArrayForEach (device, get(get(spec, "resources"), "devices")) { /* the last that covers all counts */
		const cJSON *type = get(device, "type");
		if ((!type || str_equals(text_of(type), "a")) && !get(device, "major"))
			all_devices = cJSON_IsTrue(get(device, "allow"));
	}
	return all_devices;
}

static bool lacks_namespace(const cJSON *config, const char *type)
{
	const cJSON *item, *list = get(get(config, "linux"), "namespaces");
	if (!cJSON_IsArray(list))
		return false;
	cJSON_ArrayForEach (item, list)
		if (str_equals(get_text(item, "type"), type))
			return false;
	return true;
}

void container_take_bundle(const struct cJSON *config, struct arena *arena, struct container_info *info)
{
	container_take_labels(get(config, "annotations"), arena, info);
	container_take_annotations(arena, info);
	take_mounts(get(config, "mounts"), arena, info);
	info->privileged |= is_privileged(config);
	info->host_pid |= lacks_namespace(config, "pid");
	info->host_network |= lacks_namespace(config, "network");
	info->host_ipc |= lacks_namespace(config, "ipc");
}
