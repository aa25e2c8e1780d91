/* SPDX-License-Identifier: Apache-2.0
 *
 * Tetragon's TracingPolicies, put into picket's words: what of them is portable. What is not is refused with its place.
 */
#include "guard/tracing_int.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define CODE_IMPORT "POLICY_ERR_IMPORT"
#define TEXT_BYTES_MAX (4u << 20)
#define NAME_BYTES_MAX 48 /* further letters number its parts */
#define HOOKS_MAX 100
#define SELECTORS_MAX 100

/* ---- telling ---- */

struct diag *tracing_refuse(struct tracing *t, const struct doc_node *at, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	struct diag *d = doc_vdiag(t->file, at->start, t->diags, DIAG_ERROR, CODE_IMPORT, format, arguments);
	va_end(arguments);
	t->failed = true;
	return d;
}

void tracing_note(struct tracing *t, const struct doc_node *at, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	doc_vdiag(t->file, at->start, t->diags, DIAG_WARNING, "POLICY_IMPORTED", format, arguments);
	va_end(arguments);
}

/* ---- keys and values ---- */

enum key_how { KEY_READ, KEY_HARMLESS, KEY_REFUSED };
static const struct {
	enum tracing_level level;
	const char *key;
	enum key_how how;
	const char *reason;
} keys[] = {
#define TRACING_KEY(level, key, how, reason) {LEVEL_##level, key, KEY_##how, reason},
#include "schema/tracing.def"
};

static bool check_key(struct tracing *t, const struct doc_node *key, enum tracing_level level, const char *what)
{
	for (size_t i = 0; key->kind == DOC_SCALAR && i < ARRAY_SIZE(keys); i++) {
		if (keys[i].level != level || !str_equals(key->text, keys[i].key))
			continue;
		if (keys[i].how == KEY_REFUSED)
			diag_set_hint(tracing_refuse(t, key, "'%s' cannot be said in picket's words", keys[i].key),
			              "%s", keys[i].reason);
		return keys[i].how != KEY_REFUSED;
	}
	tracing_refuse(t, key, "unknown key '%.100s' in %s", key->kind == DOC_SCALAR ? key->text.data : "?", what);
	return false;
}

bool tracing_keys(struct tracing *t, const struct doc_node *node, enum tracing_level level, const char *what)
{
	bool good = true;
	if (node->kind != DOC_MAP) {
		tracing_refuse(t, node, "%s must be a mapping", what);
		return false;
	}
	for (size_t i = 0; i < node->count; i++)
		good = check_key(t, node->items[2 * i], level, what) && good;
	return good;
}

static const struct doc_node *get_kind(struct tracing *t, const struct doc_node *map, const char *key, bool needed,
                                       enum doc_kind kind, const char *kind_name)
{
	const struct doc_node *value = doc_get(map, key);
	if (!value && needed)
		tracing_refuse(t, map, "the key '%s' is missing", key);
	else if (value && (value->kind != kind || doc_is_null(value)))
		tracing_refuse(t, doc_get_key(map, key), "the value of '%s' must be %s", key, kind_name);
	return value && value->kind == kind && !doc_is_null(value) ? value : NULL;
}

const struct doc_node *tracing_scalar(struct tracing *t, const struct doc_node *map, const char *key, bool needed)
{
	return get_kind(t, map, key, needed, DOC_SCALAR, "a single value");
}

const struct doc_node *tracing_sequence(struct tracing *t, const struct doc_node *map, const char *key, bool needed)
{
	return get_kind(t, map, key, needed, DOC_SEQUENCE, "a sequence");
}

bool tracing_flag(struct tracing *t, const struct doc_node *map, const char *key, bool otherwise)
{
	const struct doc_node *value = doc_get(map, key) ? tracing_scalar(t, map, key, false) : NULL;
	if (!value)
		return otherwise;
	if (!str_equals(value->text, "true") && !str_equals(value->text, "false"))
		tracing_refuse(t, value, "the value of '%s' must be true or false", key);
	return str_equals(value->text, "true");
}

bool tracing_number(struct str text, int64_t *ret_number)
{
	char *end;
	if (text.length == 0 || text.length > 24)
		return false;
	errno = 0;
	long long number = strtoll(text.data, &end, 0);
	if (errno || end != text.data + text.length)
		return false;
	*ret_number = number;
	return true;
}

static bool list_has_values(struct tracing *t, const struct doc_node *at, const struct doc_node *list)
{
	const struct doc_node *type = tracing_scalar(t, list, "type", false);
	if (type && !str_equals(type->text, "syscalls")) {
		struct diag *d = tracing_refuse(t, type,
		                                "a list of the type '%.60s' depends on the kernel that it is "
		                                "used on",
		                                type->text.data);
		diag_set_hint(d, "name the system calls in a list of the type syscalls");
		return false;
	}
	if (!type)
		tracing_refuse(t, at, "the list must have 'type: syscalls': other functions differ between kernels");
	return type;
}

const struct doc_node *tracing_list(struct tracing *t, const struct doc_node *at, struct str name)
{
	const struct doc_node *lists = tracing_sequence(t, t->spec, "lists", false);
	for (size_t i = 0; lists && i < lists->count; i++) {
		const struct doc_node *list = lists->items[i];
		const struct doc_node *own = list->kind == DOC_MAP ? doc_get(list, "name") : NULL;
		if (own && own->kind == DOC_SCALAR && str_equal(own->text, name))
			return list_has_values(t, at, list) ? tracing_sequence(t, list, "values", true) : NULL;
	}
	tracing_refuse(t, at, "there is no list '" STR_FMT "' in spec.lists", STR_ARG(name));
	return NULL;
}

/* ---- hooks and selectors to policies ---- */

struct group { /* a selector */
	struct buf condition;
	struct tracing_action action;
	const struct doc_node *node;
};

static bool same_action(const struct tracing_action *a, const struct tracing_action *b)
{
	return a->post == b->post && a->deny == b->deny && a->kill == b->kill && a->error == b->error &&
	       str_equal(a->repeat, b->repeat);
}

/* The first selector that matches decides: those before it, if they do something else, must not. */
static void write_group(struct tracing *t, const struct tracing_hook *hook, const struct group *groups, size_t i)
{
	_cleanup_(buf_done) struct buf condition;
	buf_init(&condition, TRACING_CONDITION_BYTES_MAX);
	/* Of a hook at all calls, the selector says which. */
	buf_add_text(&condition, hook->by_list ? "evt.source = syscall" : hook->condition);
	if (t->k8s_namespace.length) {
		buf_add_text(&condition, " and k8s.ns.name = ");
		yaml_add_text(&condition, t->k8s_namespace);
	}
	if (groups[i].condition.length)
		buf_printf(&condition, " and (" STR_FMT ")", STR_ARG(buf_str(&groups[i].condition)));
	for (size_t before = 0; before < i; before++) {
		if (same_action(&groups[before].action, &groups[i].action))
			continue;
		if (groups[before].condition.length == 0) {
			tracing_refuse(t, groups[i].node,
			               "the selector before this one takes all: it is never reached");
			return;
		}
		buf_printf(&condition, " and not (" STR_FMT ")", STR_ARG(buf_str(&groups[before].condition)));
	}
	if (buf_error(&condition) < 0) {
		tracing_refuse(t, groups[i].node, "as a condition it is too long");
		return;
	}
	tracing_write(t, hook, &groups[i].action, buf_str(&condition), groups[i].node);
}

static bool read_group(struct tracing *t, struct tracing_hook *hook, const struct doc_node *selector,
                       struct group *ret_group)
{
	buf_init(&ret_group->condition, TRACING_CONDITION_BYTES_MAX);
	ret_group->node = selector;
	if (!tracing_keys(t, selector, LEVEL_SELECTOR, "a selector"))
		return false;
	if (hook->by_list)
		hook->event_count = 0;
	bool good = tracing_selector(t, hook, selector, &ret_group->condition);
	if (good && hook->by_list && hook->event_count == 0) {
		tracing_refuse(t, selector, "all system calls are too many: which, must be said by InMap in matchArgs");
		return false;
	}
	return tracing_actions(t, hook, selector, &ret_group->action) && good;
}

static void write_selectors(struct tracing *t, struct tracing_hook *hook, const struct doc_node *selectors)
{
	size_t count = MIN(selectors->count, (size_t)SELECTORS_MAX);
	_cleanup_(base_free_ptr) struct group *groups = calloc(count, sizeof(*groups));
	bool good = groups;
	if (!groups)
		t->error = -ENOMEM;
	for (size_t i = 0; groups && i < count; i++)
		good = read_group(t, hook, selectors->items[i], &groups[i]) && good;
	for (size_t i = 0; good && !t->failed && i < count; i++)
		write_group(t, hook, groups, i);
	for (size_t i = 0; groups && i < count; i++)
		buf_done(&groups[i].condition);
}

static void convert_hook(struct tracing *t, const struct doc_node *node, const char *section)
{
	struct tracing_hook *hook = arena_new(&t->file->arena, struct tracing_hook);
	if (!hook) {
		t->error = -ENOMEM;
		return;
	}
	if (!tracing_hook_read(t, node, section, hook))
		return;
	const struct doc_node *selectors = tracing_sequence(t, node, "selectors", false);
	if (selectors && selectors->count > SELECTORS_MAX) {
		tracing_refuse(t, selectors, "a hook may have at most %d selectors", SELECTORS_MAX);
		return;
	}
	if (selectors && selectors->count > 0) {
		write_selectors(t, hook, selectors);
		return;
	}
	struct group all = {.action = {.post = true, .point = hook->point}, .node = node};
	if (hook->by_list)
		tracing_refuse(t, node, "all system calls are too many: which, must be said by InMap in matchArgs");
	else if (!doc_get(node, "selectors") || selectors)
		write_group(t, hook, &all, 0);
}

/* ---- the document ---- */

static bool read_options(struct tracing *t)
{
	const struct doc_node *options = tracing_sequence(t, t->spec, "options", false);
	for (size_t i = 0; options && i < options->count; i++) {
		const struct doc_node *o = options->items[i];
		if (!tracing_keys(t, o, LEVEL_OPTION, "an option"))
			continue;
		const struct doc_node *name = tracing_scalar(t, o, "name", true);
		const struct doc_node *value = tracing_scalar(t, o, "value", true);
		if (!name || !value)
			continue;
		if (str_equals(name->text, "policy-mode") && str_equals(value->text, "enforce"))
			t->mode = "enforce";
		else if (str_equals(name->text, "policy-mode") && str_equals(value->text, "monitor"))
			t->mode = "watch";
		else if (!str_starts_with(name->text, STR("disable-")))
			tracing_refuse(t, name, "the option '%.60s: %.60s' cannot be said in picket's words",
			               name->text.data, value->text.data);
	}
	return !t->failed;
}

static bool read_metadata(struct tracing *t, const struct doc_node *root)
{
	const struct doc_node *metadata = doc_get(root, "metadata");
	if (!metadata) {
		tracing_refuse(t, root, "the key 'metadata' is missing");
		return false;
	}
	if (!tracing_keys(t, metadata, LEVEL_METADATA, "metadata"))
		return false;
	const struct doc_node *name = tracing_scalar(t, metadata, "name", true);
	const struct doc_node *k8s_namespace = tracing_scalar(t, metadata, "namespace", false);
	if (!name)
		return false;
	bool namespaced = str_equals(doc_get(root, "kind")->text, "TracingPolicyNamespaced");
	if (namespaced != (k8s_namespace != NULL)) {
		tracing_refuse(t, metadata,
		               namespaced ? "a TracingPolicyNamespaced needs a namespace"
		                          : "a TracingPolicy is for all namespaces: this one should be a "
		                            "TracingPolicyNamespaced");
		return false;
	}
	t->name = str_make(name->text.data, MIN(name->text.length, (size_t)NAME_BYTES_MAX));
	t->k8s_namespace = k8s_namespace ? k8s_namespace->text : str_make(NULL, 0);
	return true;
}

static void check_enforcers(struct tracing *t)
{
	const struct doc_node *enforcers = tracing_sequence(t, t->spec, "enforcers", false);
	for (size_t i = 0; enforcers && i < enforcers->count; i++)
		if (tracing_keys(t, enforcers->items[i], LEVEL_ENFORCER, "an enforcer"))
			(void)tracing_sequence(t, enforcers->items[i], "calls", true);
}

static void convert_hooks(struct tracing *t)
{
	static const char *const sections[] = {"kprobes", "tracepoints", "lsmhooks"};
	size_t hooks = 0;
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
		const struct doc_node *section = tracing_sequence(t, t->spec, sections[i], false);
		for (size_t k = 0; section && k < section->count && !t->error; k++) {
			if (++hooks > HOOKS_MAX) {
				tracing_refuse(t, section, "a policy may have at most %d hooks", HOOKS_MAX);
				return;
			}
			convert_hook(t, section->items[k], sections[i]);
		}
	}
	if (hooks == 0 && !t->failed)
		tracing_refuse(t, t->spec, "it has no hooks: kprobes, tracepoints or lsmhooks");
}

static void check_lists(struct tracing *t)
{
	const struct doc_node *lists = tracing_sequence(t, t->spec, "lists", false);
	for (size_t i = 0; lists && i < lists->count; i++)
		tracing_keys(t, lists->items[i], LEVEL_LIST, "a list");
}

static void convert(struct tracing *t, const struct doc_node *root)
{
	bool good = tracing_keys(t, root, LEVEL_POLICY, "a TracingPolicy");
	const struct doc_node *version = tracing_scalar(t, root, "apiVersion", true);
	if (version && !str_equals(version->text, "cilium.io/v1alpha1"))
		tracing_refuse(t, version, "'%.60s' is another version than cilium.io/v1alpha1", version->text.data);
	good = read_metadata(t, root) && good;
	t->spec = doc_get(root, "spec");
	if (!t->spec)
		tracing_refuse(t, root, "the key 'spec' is missing");
	if (!good || !t->spec || !tracing_keys(t, t->spec, LEVEL_SPEC, "spec"))
		return;
	check_lists(t);
	check_enforcers(t);
	if (read_options(t))
		convert_hooks(t);
}

bool tracing_is_policy(const struct doc_node *root)
{
	const struct doc_node *kind = root->kind == DOC_MAP ? doc_get(root, "kind") : NULL;
	return kind && kind->kind == DOC_SCALAR &&
	       (str_equals(kind->text, "TracingPolicy") || str_equals(kind->text, "TracingPolicyNamespaced"));
}

void tracing_text_done(struct tracing_text *t)
{
	buf_done(&t->text);
	free(t->origins);
	*t = (struct tracing_text){0};
}

int tracing_convert(struct doc_file *file, const struct doc_node *root, struct diag_list *reterr_diags,
                    struct tracing_text *ret_text)
{
	struct tracing t = {.file = file, .diags = reterr_diags, .out = ret_text, .mode = "watch"};
	buf_init(&ret_text->text, TEXT_BYTES_MAX);
	convert(&t, root);
	if (!t.error && !t.failed && buf_error(&ret_text->text) == -ENOBUFS)
		tracing_refuse(&t, root, "in picket's words it is longer than %u bytes", TEXT_BYTES_MAX);
	if (t.error || buf_error(&ret_text->text) == -ENOMEM)
		return -ENOMEM;
	return t.failed ? -EINVAL : 0;
}

int policy_import(const char *name, struct str text, struct diag_list *reterr_diags, struct buf *out)
{
	struct doc_file *file;
	bool any = false, bad = false;
	int r = doc_file_new(name, text, reterr_diags, &file);
	if (r < 0)
		return r;
	for (size_t i = 0; r != -ENOMEM && i < file->root_count; i++) {
		_cleanup_(tracing_text_done) struct tracing_text part = {0};
		if (!tracing_is_policy(file->roots[i]))
			continue;
		any = true;
		r = tracing_convert(file, file->roots[i], reterr_diags, &part);
		bad |= r < 0;
		buf_add_str(out, buf_str(&part.text));
	}
	bad |= file->has_errors;
	doc_file_free(file);
	return r == -ENOMEM ? r : bad ? -EINVAL : any ? 0 : -ENOENT;
}
