/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the room: containers. Which one a process is in follows from its control group; what is known of it comes
 * from what runtimes leave on disk, never from a daemon.
 */
#ifndef PICKET_ENRICH_CONTAINER_H
#define PICKET_ENRICH_CONTAINER_H

#include "base/arena.h"
#include "enrich/process.h"

#define CONTAINER_ID_LENGTH 12

#define CONTAINER_MOUNTS_MAX 256

struct container_mount {
	struct str source, destination, mode, propagation;
	bool writable;
};
struct container_label {
	struct str key, value;
};

/* What a runtime's files say. All text lives in the arena of the container. Empty text: not known or none. */
struct container_info {
	struct str type;  /* docker, podman, containerd, cri-o, lxc, runc */
	struct str name;  /* in a pod the container's own name */
	struct str image; /* reference as configured */
	struct str repository, tag;
	struct str image_id; /* without sha256: */
	struct str digest;   /* sha256:… */
	struct str ip;
	struct str pod_name, pod_namespace, pod_uid;
	struct str sandbox_id;                 /* full; of a pod's container */
	bool privileged, sandbox;              /* sandbox: holds a pod's namespaces, runs nothing of its own */
	bool host_pid, host_network, host_ipc; /* as configured; what was seen stands in struct container */
	struct container_mount *mounts;
	size_t mount_count;
	struct container_label *labels; /* of the container and annotations of its bundle */
	size_t label_count;
};

enum container_form {
	FORM_NONE,
	FORM_DOCKER,
	FORM_CRI_CONTAINERD,
	FORM_CRIO,
	FORM_PODMAN,
	FORM_POD, /* a bare id in a pod's group */
	FORM_HEX, /* a bare id of 64 digits */
	FORM_LXC,
	FORM_PLAIN, /* none of these */
};

struct container {
	char id[CONTAINER_ID_LENGTH + 1];
	struct str full_id;
	bool known;     /* info is filled; false: nothing was found on disk */
	bool confirmed; /* it is one: see container.c */
	struct container_info info;
	bool host_pid, host_network, host_ipc; /* shares the host's namespaces */
	bool namespaces_seen;                  /* those three are from a process of it */
	/* of the table */
	struct arena arena;
	struct str key;    /* under which it stands */
	struct str cgroup; /* of the first process seen, with it the id was found */
	enum container_form form;
	bool own_namespaces; /* a process of it was seen whose pid or mount namespace is not the host's */
	unsigned tries, exec_looks;
	uint64_t known_ns, next_try_ns, seen_ns, users_checked_ns;
	unsigned users_tries;
	uint32_t users_pid; /* a process of it through whose root its files are read; 0: none yet */
	uint64_t users_start_ns;
	uint64_t mark;
};

/* ---- container_cgroup.c: what a control group's path says ---- */
struct container_ref {
	enum container_form form;
	struct str id;         /* full, borrowed from the path */
	struct str pod_uid;    /* from kubepods paths, borrowed, with the separators of the path */
	struct str name_space; /* PLAIN: component before the last */
};
/* The innermost component of a runtime's form. PLAIN (any path of another form) is no more than a candidate: only a
 * runtime's state makes it a container. False: cannot be a container's. */
bool container_ref_parse(struct str cgroup, struct container_ref *ret_ref);
bool cgroup_is_runtimes(struct str cgroup); /* of a form other than PLAIN */
/* Of the lines that the kernel half writes, the default hierarchy's path and one of another: that of a runtime's form,
 * else the first that is not the root. */
struct str cgroup_choose(struct str lines);
struct str cgroup_unit(struct str cgroup);

/* ---- container_disk.c, container_oci.c: what runtimes leave on disk ---- */
/* Fills info from the files that belong to ref. A PLAIN ref's container may have another id than its path says;
 * thorough: then all states of the runtimes are searched for the control group.
 * Returns 0, ret_id: the full id, in arena or borrowed from ref; -ENOENT: nothing found; -ENOMEM. */
int container_disk_read(int root_fd, const struct container_ref *ref, struct str cgroup, bool thorough,
                        struct arena *arena, struct container_info *ret_info, struct str *ret_id) must_check;

struct cJSON;
/* A bundle's config.json, and a list of labels: add to info what is not known yet. No memory: as if absent. */
void container_take_bundle(const struct cJSON *config, struct arena *arena, struct container_info *info);
void container_take_annotations(struct arena *arena, struct container_info *info); /* from the labels */
void container_take_labels(const struct cJSON *object, struct arena *arena, struct container_info *info);
void container_add_label(struct str key, struct str value, struct arena *arena, struct container_info *info);
struct str container_label(const struct container_info *info, const char *key); /* empty: none */
void container_split_image(struct container_info *info); /* repository, tag and digest from image */

/* ---- container_json.c: the record ---- */
int container_put(const struct container *c, uint64_t now_ns, int (*put)(void *userdata, const struct event *event),
                  void *userdata) must_check;
/* ret_full_id and ret_info live in arena. Returns 0; -EBADMSG: not such a record; -ENOMEM. */
int container_parse(struct str json, struct arena *arena, struct container *ret_container) must_check;

#endif
