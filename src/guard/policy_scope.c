/* SPDX-License-Identifier: Apache-2.0
 *
 * Whom a policy is for.
 */
#include "guard/policy_int.h"

#define USER_NAME_MAX 32
#define HOST "host"

/* ---- what a value must be ---- */

/* A path as the kernel writes it: no empty, . or .. components, no slash at the end. */
static bool is_clean_path(struct str path)
{
	struct str rest = path, part;
	if (path.length < 2 || path.data[0] != '/')
		return false;
	for (str_next(&rest, '/', &part); str_next(&rest, '/', &part);)
		if (part.length == 0 || str_equals(part, ".") || str_equals(part, ".."))
			return false;
	return true;
}

static bool check_cgroup(struct policy_reader *r, const struct doc_node *item)
{
	if (is_clean_path(item->text))
		return true;
	struct diag *d = policy_error(r, item, "'%.100s' is no path of a control group", item->text.data);
	diag_set_hint(d, "it begins with a slash, below the mount of cgroup2: /system.slice/x; the root is not one");
	return false;
}

static bool check_unit(struct policy_reader *r, const struct doc_node *item)
{
	static const char *const kinds[] = {".service", ".scope", ".slice", ".socket", ".mount", ".swap"};
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (str_ends_with(item->text, str_from(kinds[i])) && str_find_char(item->text, '/') < 0)
			return true;
	struct diag *d = policy_error(r, item, "'%.100s' is no unit that has processes", item->text.data);
	diag_set_hint(d, "its name ends in .service, .scope, .slice, .socket, .mount or .swap");
	return false;
}

static bool check_image(struct policy_reader *r, const struct doc_node *item)
{
	if (strpbrk(item->text.data, "*?[ \t") == NULL)
		return true;
	struct diag *d = policy_error(r, item, "'%.100s' is no image", item->text.data);
	diag_set_hint(d, "name a repository, or repository:tag; there are no patterns");
	return false;
}

static bool check_user(struct policy_reader *r, const struct doc_node *item)
{
	uint64_t uid;
	bool digits = item->text.data[0] >= '0' && item->text.data[0] <= '9';
	if (digits ? str_to_u64(item->text, &uid) == 0 && uid < UINT32_MAX
	           : item->text.length <= USER_NAME_MAX && !strpbrk(item->text.data, ":/ \t,"))
		return true;
	policy_error(r, item, "'%.100s' is no user's name or number", item->text.data);
	return false;
}

static bool check_executable(struct policy_reader *r, const struct doc_node *item)
{
	const char *why = protected_why(item->text);
	if (why) {
		struct diag *d = policy_error(r, item, "'%.100s' is protected: %s", item->text.data, why);
		diag_set_hint(d, "no policy acts on it; leave it out");
		return false;
	}
	if (is_clean_path(item->text))
		return true;
	struct diag *d = policy_error(r, item, "'%.100s' is no absolute path of a program", item->text.data);
	diag_set_hint(d, "it begins with a slash and has no . or .. in it");
	return false;
}

static bool (*const checks[SCOPE_COUNT])(struct policy_reader *r, const struct doc_node *item) = {
        [SCOPE_CGROUP] = check_cgroup,         [SCOPE_UNIT] = check_unit,
        [SCOPE_IMAGE] = check_image,           [SCOPE_USER] = check_user,
        [SCOPE_EXECUTABLE] = check_executable,
};

/* ---- together ---- */

static bool has_text(const struct policy_texts *texts, const char *text)
{
	for (size_t i = 0; i < texts->count; i++)
		if (strcmp(texts->items[i], text) == 0)
			return true;
	return false;
}

static bool check_together(struct policy_reader *r, const struct doc_node *map, const struct policy *p)
{
	if (p->scope[SCOPE_IMAGE].count && has_text(&p->scope[SCOPE_CONTAINER], HOST)) {
		policy_error(r, doc_get_key(map, "image"), "what is in no container has no image");
		return false;
	}
	if (p->scope[SCOPE_CONTAINER].count > 1 && has_text(&p->scope[SCOPE_CONTAINER], "any")) {
		policy_error(r, doc_get_key(map, "container"), "'any' stands for all containers: leave the others out");
		return false;
	}
	return true;
}

bool scope_read(struct policy_reader *r, const struct doc_node *item, struct policy *p)
{
	const struct doc_node *map = doc_get(item, "scope");
	if (!map)
		return true;
	if (map->kind != DOC_MAP || map->count == 0) {
		struct diag *d = policy_error(r, doc_is_null(map) ? doc_get_key(item, "scope") : map,
		                              "a scope must be a mapping of at least one key");
		diag_set_hint(d, "its keys are %s; without the key scope, a policy is for all",
		              key_names("scope").text);
		return false;
	}
	bool good = check_keys(r, map, "scope");
	for (enum policy_scope_kind i = 0; i < SCOPE_COUNT; i++)
		good = get_texts(r, map, policy_scope_name(i), checks[i], &p->scope[i]) && good;
	return check_together(r, map, p) && good;
}
