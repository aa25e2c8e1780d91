/* SPDX-License-Identifier: Apache-2.0
 *
 * What a control group's path says about a container: forms that runtimes give their groups. A form is only half of the
 * proof, see container.c.
 */
#include "enrich/container.h"

#define HEX_ID_LENGTH 64
#define PLAIN_ID_MAX 255

struct scope_form {
	const char *prefix;
	enum container_form form;
};
/* PREFIX ID, ID.scope or, as CRI writes it without systemd scopes, SLICE:PREFIX:ID */
static const struct scope_form scope_forms[] = {
        {"docker-", FORM_DOCKER}, {"cri-containerd-", FORM_CRI_CONTAINERD},
        {"crio-", FORM_CRIO},     {"libpod-payload-", FORM_PODMAN},
        {"libpod-", FORM_PODMAN}, {"nerdctl-", FORM_HEX},
};

static bool is_hex_id(struct str s)
{
	if (s.length != HEX_ID_LENGTH)
		return false;
	for (size_t i = 0; i < s.length; i++)
		if (!((s.data[i] >= '0' && s.data[i] <= '9') || (s.data[i] >= 'a' && s.data[i] <= 'f')))
			return false;
	return true;
}

/* What runc and containerd take as an id. */
static bool is_plain_id(struct str s)
{
	if (s.length == 0 || s.length > PLAIN_ID_MAX || s.data[0] == '.')
		return false;
	for (size_t i = 0; i < s.length; i++) {
		char c = s.data[i];
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
		      c == '+' || c == '-' || c == '.'))
			return false;
	}
	return true;
}

static struct str without_suffix(struct str s, struct str suffix)
{
	if (str_ends_with(s, suffix))
		s.length -= suffix.length;
	return s;
}

static struct str skip(struct str s, size_t bytes)
{
	return str_make(s.data + bytes, s.length - bytes);
}

static bool parse_scope(struct str component, struct container_ref *ret_ref)
{
	struct str name = without_suffix(component, STR(".scope"));
	for (size_t i = 0; i < ARRAY_SIZE(scope_forms); i++) {
		struct str prefix = str_from(scope_forms[i].prefix);
		if (str_starts_with(name, prefix) && is_hex_id(skip(name, prefix.length))) {
			ret_ref->form = scope_forms[i].form;
			ret_ref->id = skip(name, prefix.length);
			return true;
		}
	}
	return false;
}

/* kubepods-burstable-pod….slice:cri-containerd:ID */
static bool parse_colons(struct str component, struct container_ref *ret_ref)
{
	const char *last = component.length ? memrchr(component.data, ':', component.length) : NULL;
	if (!last)
		return false;
	struct str before = str_make(component.data, (size_t)(last - component.data));
	struct str id = skip(component, before.length + 1);
	if (!is_hex_id(id))
		return false;
	ret_ref->form = str_ends_with(before, STR(":cri-containerd")) ? FORM_CRI_CONTAINERD : FORM_POD;
	ret_ref->id = id;
	return true;
}

static bool parse_lxc(struct str component, struct str parent, struct container_ref *ret_ref)
{
	struct str payload = STR("lxc.payload.");
	if (str_starts_with(component, payload) && component.length > payload.length)
		ret_ref->id = skip(component, payload.length);
	else if ((str_equals(parent, "lxc") || str_equals(parent, "lxc.payload")) && component.length)
		ret_ref->id = component;
	else
		return false;
	ret_ref->form = FORM_LXC;
	return true;
}

static bool parse_bare(struct str component, struct str parent, bool in_pod, struct container_ref *ret_ref)
{
	if (!is_hex_id(component))
		return false;
	ret_ref->form = str_equals(parent, "docker") ? FORM_DOCKER : in_pod ? FORM_POD : FORM_HEX;
	ret_ref->id = component;
	return true;
}

/* Up to the parent of path's last component; false at the root. */
static bool cut_component(struct str *path, struct str *ret_component)
{
	while (path->length && path->data[path->length - 1] == '/')
		path->length--;
	const char *slash = path->length ? memrchr(path->data, '/', path->length) : NULL;
	if (!slash)
		return false;
	size_t at = (size_t)(slash - path->data) + 1;
	*ret_component = skip(*path, at);
	path->length = at;
	return true;
}

/* …/podUID/… or …-podUID.slice, after a component that begins with kubepods. */
static bool parse_pod(struct str cgroup, struct str *ret_uid)
{
	struct str component, rest = cgroup;
	bool kubepods = false;
	*ret_uid = (struct str){0};
	while (str_next(&rest, '/', &component)) {
		kubepods |= str_starts_with(component, STR("kubepods"));
		if (!kubepods)
			continue;
		struct str name = without_suffix(component, STR(".slice"));
		for (size_t i = 0; i + 3 < name.length; i++) {
			bool begins = i == 0 || name.data[i - 1] == '-';
			if (begins && memcmp(name.data + i, "pod", 3) == 0) {
				*ret_uid = skip(name, i + 3);
				/* SLICE:cri-containerd:ID */
				ssize_t colon = str_find_char(*ret_uid, ':');
				if (colon >= 0)
					*ret_uid =
					        without_suffix(str_make(ret_uid->data, (size_t)colon), STR(".slice"));
				return true;
			}
		}
	}
	return kubepods;
}

static bool is_systemd_unit(struct str component)
{
	return str_ends_with(component, STR(".service")) || str_ends_with(component, STR(".slice")) ||
	       str_ends_with(component, STR(".scope")) || str_ends_with(component, STR(".socket")) ||
	       str_ends_with(component, STR(".mount"));
}

bool container_ref_parse(struct str cgroup, struct container_ref *ret_ref)
{
	struct container_ref ref = {0};
	struct str path = cgroup, component, parent;
	bool in_pod = parse_pod(cgroup, &ref.pod_uid);

	while (cut_component(&path, &component)) {
		struct str above = path;
		if (!cut_component(&above, &parent))
			parent = STR("");
		if (parse_scope(component, &ref) || parse_colons(component, &ref) ||
		    parse_bare(component, parent, in_pod, &ref) || parse_lxc(component, parent, &ref)) {
			*ret_ref = ref;
			return true;
		}
	}
	/* Any other path: only the last component can be an id, and the one before it a containerd name space. */
	path = cgroup;
	if (!cut_component(&path, &component) || is_systemd_unit(component) || !is_plain_id(component))
		return false;
	ref.form = FORM_PLAIN;
	ref.id = component;
	if (cut_component(&path, &parent))
		ref.name_space = parent;
	*ret_ref = ref;
	return true;
}

bool cgroup_is_runtimes(struct str cgroup)
{
	struct container_ref ref;
	return container_ref_parse(cgroup, &ref) && ref.form != FORM_PLAIN;
}

struct str cgroup_choose(struct str lines)
{
	struct str line, chosen = STR("");
	if (str_find_char(lines, '\n') < 0)
		return lines;
	while (str_next(&lines, '\n', &line)) {
		if (cgroup_is_runtimes(line))
			return line;
		if (chosen.length <= 1)
			chosen = line;
	}
	return chosen;
}

/* The innermost service counts; user sessions are of user@1000.service or session-2.scope. */
struct str cgroup_unit(struct str cgroup)
{
	struct str path = cgroup, component;
	while (cut_component(&path, &component))
		if (str_ends_with(component, STR(".service")) || str_ends_with(component, STR(".scope")))
			return component;
	return STR("");
}

struct str process_unit(const struct process *p)
{
	return cgroup_unit(p->cgroup);
}
