/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds the files that runtimes keep about a container. All paths are below the host's root; where a runtime can be
 * told to keep them elsewhere, its defaults are looked at.
 */
#include "base/buf.h"
#include "enrich/container.h"
#include "enrich/rootfs.h"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define FILE_MAX_BYTES (4u << 20)
#define LIST_MAX_BYTES (32u << 20) /* containers.json and images.json hold all containers and images */
#define SCAN_MAX 512               /* entries of a directory that are looked at */
#define PATH_BYTES 1024

static const char *const containerd_roots[] = {
        "run/containerd/io.containerd.runtime.v2.task",
        "run/k3s/containerd/io.containerd.runtime.v2.task",
        "var/snap/microk8s/common/run/containerd/io.containerd.runtime.v2.task",
};
static const char *const runc_roots[] = {
        "run/runc",
        "run/docker/runtime-runc/moby",
        "run/docker/runtime-runc/plugins.moby",
        "run/containerd/runc/k8s.io",
        "run/containerd/runc/default",
        "run/containerd/runc/moby",
        "run/crun",
};
static const char *const storage_roots[] = {"var/lib/containers/storage", "run/containers/storage"};
static const char *const storage_drivers[] = {"overlay", "vfs", "btrfs", "zfs"};

struct search {
	int root_fd;
	struct str id; /* full */
	struct str cgroup;
	struct arena *arena;
	struct container_info *info;
};

static void free_json(cJSON **json)
{
	cJSON_Delete(*json);
}

static const cJSON *get(const cJSON *object, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(object, key);
}

static struct str get_text(const cJSON *object, const char *key)
{
	const cJSON *item = get(object, key);
	return cJSON_IsString(item) ? str_from(item->valuestring) : STR("");
}

static cJSON *read_json(int root_fd, const char *path, size_t limit)
{
	_cleanup_(buf_done) struct buf text;
	buf_init(&text, limit);
	if (rootfs_read(root_fd, path, ROOTFS_HOST, &text, NULL) < 0)
		return NULL;
	return cJSON_ParseWithLength(text.data ? text.data : "", text.length);
}

static cJSON *printf_like(3, 4) read_json_at(int root_fd, size_t limit, const char *format, ...)
{
	char path[PATH_BYTES];
	va_list arguments;
	va_start(arguments, format);
	int n = vsnprintf(path, sizeof(path), format, arguments);
	va_end(arguments);
	return n > 0 && (size_t)n < sizeof(path) ? read_json(root_fd, path, limit) : NULL;
}

static void take(struct search *s, struct str *place, struct str value)
{
	if (place->length || value.length == 0)
		return;
	struct str copy = arena_str(s->arena, value);
	if (copy.data)
		*place = copy;
}

static struct str without_prefix(struct str text, struct str prefix)
{
	return str_starts_with(text, prefix) ? str_make(text.data + prefix.length, text.length - prefix.length) : text;
}

static bool str_find(struct str text, struct str part, size_t *ret_at)
{
	const char *found = memmem(text.data, text.length, part.data, part.length);
	if (found)
		*ret_at = (size_t)(found - text.data);
	return found;
}

/* ---- docker ---- */
static void take_docker_mounts(struct search *s, const cJSON *points)
{
	const cJSON *item;
	size_t room = MIN((size_t)cJSON_GetArraySize(points), (size_t)CONTAINER_MOUNTS_MAX);
	if (room == 0 || s->info->mounts)
		return;
	s->info->mounts = arena_array(s->arena, struct container_mount, room);
	if (!s->info->mounts)
		return;
	cJSON_ArrayForEach (item, points) {
		if (s->info->mount_count == room)
			return;
		struct container_mount m = {
		        .source = arena_str(s->arena, get_text(item, "Source")),
		        .destination = arena_str(s->arena, get_text(item, "Destination")),
		        .mode = arena_str(s->arena, get_text(get(item, "Spec"), "Mode")),
		        .propagation = arena_str(s->arena, get_text(item, "Propagation")),
		        .writable = cJSON_IsTrue(get(item, "RW")),
		};
		if (get_text(item, "Relabel").length)
			m.mode = arena_str(s->arena, get_text(item, "Relabel"));
		if (m.source.data && m.destination.data && m.mode.data && m.propagation.data)
			s->info->mounts[s->info->mount_count++] = m;
	}
}

/* {"Repositories": {NAME: {"NAME:TAG": IMAGE, "NAME@sha256:…": IMAGE}}} */
static void take_docker_digest(struct search *s, struct str image)
{
	static const char *const drivers[] = {"overlay2", "fuse-overlayfs", "btrfs", "zfs", "vfs"};
	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
		_cleanup_(free_json) cJSON *all = read_json_at(s->root_fd, LIST_MAX_BYTES,
		                                               "var/lib/docker/image/%s/repositories.json", drivers[i]);
		const cJSON *repository, *reference;
		cJSON_ArrayForEach (repository, get(all, "Repositories")) {
			cJSON_ArrayForEach (reference, repository) {
				struct str name = str_from(reference->string);
				ssize_t at = str_find_char(name, '@');
				if (at < 0 || !cJSON_IsString(reference) || !str_equals(image, reference->valuestring))
					continue;
				take(s, &s->info->digest, str_make(name.data + at + 1, name.length - (size_t)at - 1));
				take(s, &s->info->repository, str_make(name.data, (size_t)at));
			}
		}
	}
}

static void take_docker_address(struct search *s, const cJSON *settings)
{
	const cJSON *network;
	take(s, &s->info->ip, get_text(settings, "IPAddress"));
	cJSON_ArrayForEach (network, get(settings, "Networks"))
		take(s, &s->info->ip, get_text(network, "IPAddress"));
}

/* A repository by digest has no tag: that is the one asked for, if it is of the same image. */
static void take_tag(struct container_info *info)
{
	struct container_info asked = {.image = info->image};
	container_split_image(&asked);
	if (!info->tag.length)
		info->tag = asked.tag;
	container_split_image(info);
}

static bool read_docker(struct search *s)
{
	_cleanup_(free_json) cJSON *config = read_json_at(
	        s->root_fd, FILE_MAX_BYTES, "var/lib/docker/containers/" STR_FMT "/config.v2.json", STR_ARG(s->id));
	_cleanup_(free_json) cJSON *host = read_json_at(
	        s->root_fd, FILE_MAX_BYTES, "var/lib/docker/containers/" STR_FMT "/hostconfig.json", STR_ARG(s->id));
	struct container_info *info = s->info;
	if (!config)
		return false;
	info->type = STR("docker");
	container_take_labels(get(get(config, "Config"), "Labels"), s->arena, info);
	take(s, &info->name, container_label(info, "io.kubernetes.container.name"));
	take(s, &info->name, without_prefix(get_text(config, "Name"), STR("/")));
	take(s, &info->image, get_text(get(config, "Config"), "Image"));
	take(s, &info->image_id, without_prefix(get_text(config, "Image"), STR("sha256:")));
	take_docker_digest(s, get_text(config, "Image"));
	take_docker_mounts(s, get(config, "MountPoints"));
	take_docker_address(s, get(config, "NetworkSettings"));
	container_take_annotations(s->arena, info);
	take_tag(info);
	info->privileged = cJSON_IsTrue(get(host, "Privileged"));
	info->host_network = str_equals(get_text(host, "NetworkMode"), "host");
	info->host_pid = str_equals(get_text(host, "PidMode"), "host");
	info->host_ipc = str_equals(get_text(host, "IpcMode"), "host");
	return true;
}

/* ---- containerd ---- */
static bool read_containerd_bundle(struct search *s, const char *root, const char *name_space)
{
	_cleanup_(free_json) cJSON *config = read_json_at(s->root_fd, FILE_MAX_BYTES, "%s/%s/" STR_FMT "/config.json",
	                                                  root, name_space, STR_ARG(s->id));
	if (!config)
		return false;
	container_take_bundle(config, s->arena, s->info);
	take(s, &s->info->type, str_equals(str_from(name_space), "moby") ? STR("docker") : STR("containerd"));
	container_split_image(s->info);
	return true;
}

static int open_directory(int root_fd, const char *path)
{
	int fd = rootfs_find(root_fd, path, ROOTFS_HOST);
	if (fd < 0)
		return fd;
	int readable = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	close(fd);
	return readable;
}

/* Calls found with each entry of a directory until it returns true. */
static bool each_entry(int root_fd, const char *path,
                       bool (*found)(struct search *s, const char *path, const char *entry), struct search *s)
{
	int fd = open_directory(root_fd, path);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	bool result = false;
	if (!directory) {
		base_close_fd(&fd);
		return false;
	}
	const struct dirent *d;
	for (unsigned n = 0; !result && n < SCAN_MAX && (d = readdir(directory)); n++)
		if (d->d_name[0] != '.')
			result = found(s, path, d->d_name);
	closedir(directory);
	return result;
}

static bool read_containerd(struct search *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(containerd_roots); i++)
		if (each_entry(s->root_fd, containerd_roots[i], read_containerd_bundle, s))
			return true;
	return false;
}

/* ---- containers/storage: podman and CRI-O ---- */
static void take_storage_image(struct search *s, const char *root, const char *driver)
{
	_cleanup_(free_json) cJSON *images =
	        read_json_at(s->root_fd, LIST_MAX_BYTES, "%s/%s-images/images.json", root, driver);
	const cJSON *image;
	cJSON_ArrayForEach (image, images) {
		if (!str_equal(get_text(image, "id"), s->info->image_id))
			continue;
		const cJSON *name = cJSON_GetArrayItem(get(image, "names"), 0);
		take(s, &s->info->digest, get_text(image, "digest"));
		if (cJSON_IsString(name))
			take(s, &s->info->image, str_from(name->valuestring));
		return;
	}
}

/* The metadata of a container is JSON inside a text. */
static void take_storage_container(struct search *s, const char *root, const char *driver)
{
	_cleanup_(free_json) cJSON *all =
	        read_json_at(s->root_fd, LIST_MAX_BYTES, "%s/%s-containers/containers.json", root, driver);
	const cJSON *item;
	cJSON_ArrayForEach (item, all) {
		if (!str_equal(get_text(item, "id"), s->id))
			continue;
		struct str text = get_text(item, "metadata");
		_cleanup_(free_json) cJSON *metadata = cJSON_ParseWithLength(text.data, text.length);
		const cJSON *name = cJSON_GetArrayItem(get(item, "names"), 0);
		take(s, &s->info->name, get_text(metadata, "name"));
		take(s, &s->info->image, get_text(metadata, "image-name"));
		take(s, &s->info->image_id, get_text(item, "image"));
		if (cJSON_IsString(name))
			take(s, &s->info->name, str_from(name->valuestring));
		return;
	}
}

static bool read_storage_of(struct search *s, const char *root, const char *driver)
{
	_cleanup_(free_json) cJSON *config =
	        read_json_at(s->root_fd, FILE_MAX_BYTES, "%s/%s-containers/" STR_FMT "/userdata/config.json", root,
	                     driver, STR_ARG(s->id));
	if (!config)
		return false;
	container_take_bundle(config, s->arena, s->info);
	for (size_t i = 0; i < ARRAY_SIZE(storage_roots); i++) {
		take_storage_container(s, storage_roots[i], driver);
		take_storage_image(s, storage_roots[i], driver);
	}
	take(s, &s->info->type, STR("podman"));
	container_split_image(s->info);
	return true;
}

static bool read_storage(struct search *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(storage_roots); i++)
		for (size_t d = 0; d < ARRAY_SIZE(storage_drivers); d++)
			if (read_storage_of(s, storage_roots[i], storage_drivers[d]))
				return true;
	return false;
}

/* ---- runc and crun by themselves ---- */

/* "/sys/fs/cgroup", then in the first version's hierarchies and the second's beside them one directory: what follows is
 * the group. */
static struct str below_mount(struct str path, bool second_version)
{
	struct str group = without_prefix(path, STR("/sys/fs/cgroup"));
	if (group.length == path.length)
		return STR("");
	if (second_version && !str_starts_with(group, STR("/unified/")))
		return group;
	const char *slash = group.length > 1 ? memchr(group.data + 1, '/', group.length - 1) : NULL;
	return slash ? str_make(slash, path.length - (size_t)(slash - path.data)) : STR("");
}

static bool is_group_of(struct str container, struct str process)
{
	return container.length > 1 && str_starts_with(process, container) &&
	       (process.length == container.length || process.data[container.length] == '/');
}

/* The process's group may be one that the container made below its own. */
static bool state_has_cgroup(const cJSON *state, struct str cgroup)
{
	const cJSON *item;
	cJSON_ArrayForEach (item, get(state, "cgroup_paths"))
		if (cJSON_IsString(item) && item->string &&
		    is_group_of(below_mount(str_from(item->valuestring), !item->string[0]), cgroup))
			return true;
	return is_group_of(get_text(state, "cgroup-path"), cgroup); /* crun's */
}

static void take_runc_state(struct search *s, const cJSON *state)
{
	struct str bundle = get_text(state, "bundle"); /* crun's; runc keeps it among the labels */
	const cJSON *label, *labels = get(get(state, "config"), "labels");
	cJSON_ArrayForEach (label, labels) {
		struct str text = cJSON_IsString(label) ? str_from(label->valuestring) : STR(""), key;
		if (!str_next(&text, '=', &key) || !text.data)
			continue;
		if (str_equals(key, "bundle"))
			bundle = text;
		else
			container_add_label(key, text, s->arena, s->info);
	}
	_cleanup_(free_json) cJSON *config =
	        bundle.length ? read_json_at(s->root_fd, FILE_MAX_BYTES, STR_FMT "/config.json", STR_ARG(bundle))
	                      : NULL;
	if (config)
		container_take_bundle(config, s->arena, s->info);
	else
		container_take_annotations(s->arena, s->info);
	take(s, &s->info->type, STR("runc"));
	take(s, &s->info->name, s->id);
	container_split_image(s->info);
}

static cJSON *read_runc_state(struct search *s, const char *root, struct str id)
{
	cJSON *state = read_json_at(s->root_fd, FILE_MAX_BYTES, "%s/" STR_FMT "/state.json", root, STR_ARG(id));
	return state ? state : read_json_at(s->root_fd, FILE_MAX_BYTES, "%s/" STR_FMT "/status", root, STR_ARG(id));
}

static bool read_runc(struct search *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(runc_roots); i++) {
		_cleanup_(free_json) cJSON *state = read_runc_state(s, runc_roots[i], s->id);
		if (state) {
			take_runc_state(s, state);
			return true;
		}
	}
	return false;
}

static bool read_runc_by_cgroup(struct search *s, const char *root, const char *id)
{
	_cleanup_(free_json) cJSON *state = read_runc_state(s, root, str_from(id));
	if (!state || !state_has_cgroup(state, s->cgroup))
		return false;
	s->id = arena_str(s->arena, str_from(id));
	if (!s->id.data)
		return false;
	take_runc_state(s, state);
	return true;
}

static bool read_plain(struct search *s, struct str name_space, bool thorough)
{
	char text[256];
	if (name_space.length && name_space.length < sizeof(text)) {
		snprintf(text, sizeof(text), STR_FMT, STR_ARG(name_space));
		for (size_t i = 0; i < ARRAY_SIZE(containerd_roots); i++)
			if (read_containerd_bundle(s, containerd_roots[i], text))
				return true;
	}
	if (s->id.length >= sizeof(text))
		return false;
	snprintf(text, sizeof(text), STR_FMT, STR_ARG(s->id));
	for (size_t i = 0; i < ARRAY_SIZE(runc_roots); i++)
		if (read_runc_by_cgroup(s, runc_roots[i], text))
			return true;
	for (size_t i = 0; thorough && i < ARRAY_SIZE(runc_roots); i++)
		if (each_entry(s->root_fd, runc_roots[i], read_runc_by_cgroup, s))
			return true;
	return false;
}

/* ---- lxc ---- */
static bool read_lxc(struct search *s)
{
	static const char *const roots[] = {"var/lib/lxc", "var/lib/lxd/containers",
	                                    "var/snap/lxd/common/lxd/containers", "var/lib/incus/containers"};
	for (size_t i = 0; i < ARRAY_SIZE(roots); i++) {
		char path[PATH_BYTES];
		struct stat st;
		snprintf(path, sizeof(path), "%s/" STR_FMT, roots[i], STR_ARG(s->id));
		if (rootfs_stat(s->root_fd, path, ROOTFS_HOST, &st) < 0)
			continue;
		s->info->type = STR("lxc");
		take(s, &s->info->name, s->id);
		return true;
	}
	return false;
}

/* ---- addresses ---- */

/* {"result": {"ips": [{"address": "10.0.0.2/24"}]}}, in a file whose name holds the sandbox's id. */
static bool read_cni_result(struct search *s, const char *path, const char *entry)
{
	size_t at;
	if (!str_find(str_from(entry), s->info->sandbox_id, &at))
		return false;
	_cleanup_(free_json) cJSON *all = read_json_at(s->root_fd, FILE_MAX_BYTES, "%s/%s", path, entry);
	struct str address = get_text(cJSON_GetArrayItem(get(get(all, "result"), "ips"), 0), "address");
	ssize_t slash = str_find_char(address, '/');
	if (slash > 0)
		address.length = (size_t)slash;
	take(s, &s->info->ip, address);
	return s->info->ip.length;
}

static void take_pod(struct search *s, const struct container_ref *ref)
{
	struct container_info *info = s->info;
	if (info->sandbox && !info->sandbox_id.length)
		info->sandbox_id = s->id;
	if (!info->pod_uid.length && ref->pod_uid.length) {
		info->pod_uid = arena_str(s->arena, ref->pod_uid);
		for (size_t i = 0; i < info->pod_uid.length && info->pod_uid.data; i++)
			if (info->pod_uid.data[i] == '_') /* systemd takes no dash inside a name */
				((char *)info->pod_uid.data)[i] = '-';
	}
	if (info->sandbox_id.length && !info->ip.length && !info->host_network)
		each_entry(s->root_fd, "var/lib/cni/results", read_cni_result, s);
}

static bool read_by_form(struct search *s, const struct container_ref *ref, bool thorough)
{
	switch (ref->form) {
	case FORM_DOCKER:
		return read_docker(s) || read_containerd(s) || read_runc(s);
	case FORM_CRI_CONTAINERD:
		return read_containerd(s) || read_runc(s);
	case FORM_CRIO:
	case FORM_PODMAN:
		return read_storage(s) || read_runc(s);
	case FORM_POD:
	case FORM_HEX:
		return read_docker(s) || read_containerd(s) || read_storage(s) || read_runc(s);
	case FORM_LXC:
		return read_lxc(s);
	case FORM_PLAIN:
		return read_plain(s, ref->name_space, thorough);
	case FORM_NONE:
		break;
	}
	return false;
}

int container_disk_read(int root_fd, const struct container_ref *ref, struct str cgroup, bool thorough,
                        struct arena *arena, struct container_info *ret_info, struct str *ret_id)
{
	struct container_info info = {0};
	struct search s = {root_fd, ref->id, cgroup, arena, &info};
	if (!read_by_form(&s, ref, thorough))
		return -ENOENT;
	take_pod(&s, ref);
	*ret_info = info;
	*ret_id = s.id;
	return 0;
}
