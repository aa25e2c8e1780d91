/* SPDX-License-Identifier: Apache-2.0 */
#include "core/rules.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_dir(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Directory of the running program, without a slash at the end. */
static int program_dir(char *ret_path, size_t size)
{
	ssize_t length = readlink("/proc/self/exe", ret_path, size - 1);
	if (length < 0)
		return -errno;
	ret_path[length] = '\0';
	char *slash = strrchr(ret_path, '/');
	if (!slash)
		return -ENOENT;
	*slash = '\0';
	return 0;
}

static bool dir_below(const char *base, const char *below, char *ret_path, size_t size)
{
	int length = snprintf(ret_path, size, "%s/%s", base, below);
	return length > 0 && (size_t)length < size && is_dir(ret_path);
}

int rules_default_dir(char *ret_path, size_t size)
{
	char program[PATH_MAX], path[PATH_MAX], resolved[PATH_MAX];
	bool found = false;
	if (program_dir(program, sizeof(program)) == 0)
		found = dir_below(program, "../share/picket/rules", path, sizeof(path)) ||
		        dir_below(program, "../rules", path, sizeof(path));
	if (!found)
		found = dir_below("", &RULES_DIR[1], path, sizeof(path));
	if (!found)
		return -ENOENT;
	if (!realpath(path, resolved))
		return -errno;
	size_t length = strlen(resolved);
	if (length >= size)
		return -ENAMETOOLONG;
	memcpy(ret_path, resolved, length + 1);
	return 0;
}

static int paths_add(struct rule_set *set, const struct rules_options *options, struct diag_list *diags)
{
	char dir[PATH_MAX];
	int result = 0;
	for (size_t i = 0; i < options->path_count; i++) {
		int r = rule_set_add_path(set, options->paths[i], diags);
		if (r == -ENOMEM)
			return r;
		result = r < 0 ? r : result;
	}
	if (options->path_count > 0)
		return result;
	if (rules_default_dir(dir, sizeof(dir)) < 0) {
		struct diag *d = diag_add(diags, DIAG_ERROR, "LOAD_ERR_FILE_READ", NULL, 0, 0, "there are no rules");
		diag_set_hint(d, "name a file or directory with --rules, or install picket's own in " RULES_DIR);
		return -ENOENT;
	}
	result = rule_set_add_path(set, dir, diags);
	if (result == 0 && is_dir(RULES_LOCAL_DIR))
		result = rule_set_add_path(set, RULES_LOCAL_DIR, diags);
	return result;
}

static bool tag_exists(const struct rule_set *set, const char *tag)
{
	for (size_t i = 0; i < rule_set_count(set); i++) {
		const struct rule *rule = rule_set_get(set, i);
		for (size_t t = 0; t < rule->tag_count; t++)
			if (strcmp(rule->tags[t], tag) == 0)
				return true;
	}
	return false;
}

static int switch_apply(struct rule_set *set, const struct rules_switch *s, struct diag_list *diags)
{
	bool is_tag = strncmp(s->what, "tag=", 4) == 0;
	const char *name = is_tag ? s->what + 4 : s->what;
	bool known = is_tag ? tag_exists(set, name) : rule_set_find(set, str_from(name)) != NULL;
	if (!known) {
		struct diag *d = diag_add(diags, DIAG_ERROR, "LOAD_ERR_VALIDATE", NULL, 0, 0, "no rule %s \"%s\"",
		                          is_tag ? "has the tag" : "is named", name);
		diag_set_hint(d, "see the names and tags with: picket rules list");
		return -EINVAL;
	}
	rule_set_enable(set, str_from(name), is_tag, s->enable);
	return 0;
}

static int switches_apply(struct rule_set *set, const struct rules_options *options, struct diag_list *diags)
{
	int result = 0;
	for (size_t i = 0; i < options->switch_count; i++) {
		int r = switch_apply(set, &options->switches[i], diags);
		result = r < 0 ? r : result;
	}
	return result;
}

static void rule_set_freep(struct rule_set **set)
{
	if (*set)
		rule_set_free(*set);
}

static int budget_check(const struct rule_set *set, uint64_t budget, struct diag_list *diags)
{
	struct rule_programs *programs;
	int r = rule_programs_new(set, &programs);
	if (r == -E2BIG) {
		diag_add(diags, DIAG_WARNING, "LOAD_COMPILE_PROGRAM", NULL, 0, 0,
		         "the rules are too many to be compiled: they are interpreted");
		return 0;
	}
	if (r < 0)
		return r;
	r = rule_programs_check(programs, budget, NULL, diags);
	rule_programs_free(programs);
	return r;
}

int rules_choose(struct rule_set *set, const struct rules_options *options, struct diag_list *diags)
{
	rule_set_min_priority(set, options->least);
	int r = switches_apply(set, options, diags);
	return r == 0 && options->budget ? budget_check(set, options->budget, diags) : r;
}

int rules_load(const struct rules_options *options, struct diag_list *diags, struct rule_set **ret_set)
{
	_cleanup_(rule_set_freep) struct rule_set *set = NULL;
	int r = rule_set_new(&set);
	if (r < 0)
		return r;
	r = paths_add(set, options, diags);
	if (r == -ENOMEM || r == -ENOENT)
		return r;
	/* Also after errors: those that only the whole set shows are to be told in the same go. */
	int compiled = rule_set_compile(set, diags);
	if (r < 0 || compiled < 0)
		return compiled == -ENOMEM ? -ENOMEM : -EINVAL;
	r = rules_choose(set, options, diags);
	if (r < 0)
		return r;
	*ret_set = TAKE_PTR(set);
	return 0;
}

size_t rules_count_enabled(const struct rule_set *set)
{
	size_t enabled = 0;
	for (size_t i = 0; i < rule_set_count(set); i++)
		enabled += rule_set_get(set, i)->enabled;
	return enabled;
}

struct watching {
	struct enrich *enrich;
	size_t failed;
};

static void watch_path(void *userdata, struct str path)
{
	struct watching *w = userdata;
	w->failed += enrich_watch_path(w->enrich, path) < 0;
}

size_t rules_watch_files(const struct rule_set *set, struct enrich *enrich)
{
	struct watching w = {.enrich = enrich};
	rule_set_each_path(set, watch_path, &w);
	return w.failed;
}

bool rules_want_environment(const struct rule_set *set)
{
	return rule_set_uses_field(set, FIELD_PROC_ENV) || rule_set_uses_field(set, FIELD_PROC_AENV);
}
