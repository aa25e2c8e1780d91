/* SPDX-License-Identifier: Apache-2.0
 *
 * What a TracingPolicy filters by, as a condition.
 */
#include "guard/tracing_int.h"

#include <stdio.h>

#define VALUES_MAX 1000

struct filter_item {
	struct tracing *t;
	struct tracing_hook *hook;
	const struct doc_node *node;
	struct str relation;
	const struct doc_node *values; /* scalars, at least one */
	struct buf *out;
};

static bool op_is(const struct filter_item *f, const char *name)
{
	return str_equals(f->relation, name);
}

static bool refuse_operator(const struct filter_item *f, const char *known)
{
	struct diag *d = tracing_refuse(f->t, doc_get(f->node, "operator"),
	                                "the operator '" STR_FMT "' cannot be said here", STR_ARG(f->relation));
	diag_set_hint(d, "those that can are %s", known);
	return false;
}

/* ---- values ---- */

/* Some write the NUL that ends a text in the kernel. */
static struct str without_nul(struct str text)
{
	if (str_ends_with(text, STR("\\0")))
		text.length -= 2;
	return text;
}

static bool is_printable(struct str s)
{
	for (size_t i = 0; i < s.length; i++)
		if ((unsigned char)s.data[i] < 0x20 || s.data[i] == 0x7f)
			return false;
	return s.length > 0;
}

static bool check_text(const struct filter_item *f, const struct doc_node *value, bool path)
{
	struct str text = without_nul(value->text);
	if (!is_printable(text)) {
		tracing_refuse(f->t, value, "a value must be a text without control characters");
		return false;
	}
	if (!path || text.data[0] == '/')
		return true;
	struct diag *d = tracing_refuse(f->t, value, "'" STR_FMT "' is a path as a caller may write it", STR_ARG(text));
	diag_set_hint(d, "picket compares the path that is reached: give it from the root, as /etc/passwd");
	return false;
}

/* field OP "a", or field OP "b": for operators that take one value. */
static bool add_each(const struct filter_item *f, const char *field, const char *op, bool path)
{
	buf_add_char(f->out, '(');
	for (size_t i = 0; i < f->values->count; i++) {
		const struct doc_node *value = f->values->items[i];
		if (!check_text(f, value, path))
			return false;
		buf_printf(f->out, "%s%s %s ", i ? " or " : "", field, op);
		yaml_add_text(f->out, without_nul(value->text));
	}
	buf_add_char(f->out, ')');
	return true;
}

static bool add_in(const struct filter_item *f, const char *field, bool path)
{
	buf_printf(f->out, "%s in (", field);
	for (size_t i = 0; i < f->values->count; i++) {
		const struct doc_node *value = f->values->items[i];
		if (!check_text(f, value, path))
			return false;
		buf_add_text(f->out, i ? ", " : "");
		yaml_add_text(f->out, without_nul(value->text));
	}
	buf_add_char(f->out, ')');
	return true;
}

/* ---- kinds of arguments ---- */

/* Equal, Prefix, Postfix and what they are called in other filters; with Not before them. */
static bool add_text_filter(const struct filter_item *f, const char *field, bool path, const char *known)
{
	struct filter_item inner = *f;
	if (op_is(f, "NotEqual"))
		inner.relation = STR("NotIn");
	bool negated = str_starts_with(inner.relation, STR("Not"));
	if (negated)
		inner.relation = str_make(inner.relation.data + 3, inner.relation.length - 3);
	buf_add_text(f->out, negated ? "not " : "");
	if (op_is(&inner, "Equal") || op_is(&inner, "In"))
		return add_in(f, field, path);
	if (op_is(&inner, "Prefix"))
		return add_each(f, field, "startswith", path);
	if (op_is(&inner, "Postfix"))
		return add_each(f, field, "endswith", false);
	return refuse_operator(f, known);
}

static bool add_number_list(const struct filter_item *f, const char *field)
{
	buf_printf(f->out, "%s in (", field);
	for (size_t i = 0; i < f->values->count; i++) {
		int64_t number;
		if (!tracing_number(f->values->items[i]->text, &number)) {
			tracing_refuse(f->t, f->values->items[i], "'%.60s' is no number",
			               f->values->items[i]->text.data);
			return false;
		}
		buf_printf(f->out, "%s%lld", i ? ", " : "", (long long)number);
	}
	buf_add_char(f->out, ')');
	return true;
}

static bool add_number_filter(const struct filter_item *f, const char *field)
{
	int64_t number;
	if (op_is(f, "Equal"))
		return add_number_list(f, field);
	if (op_is(f, "NotEqual")) {
		buf_add_text(f->out, "not ");
		return add_number_list(f, field);
	}
	bool more = op_is(f, "GT") || op_is(f, "GreaterThan"), less = op_is(f, "LT") || op_is(f, "LessThan");
	if (!more && !less)
		return refuse_operator(f, "Equal, NotEqual, GT and LT; a Mask has no word in picket's language");
	if (f->values->count != 1 || !tracing_number(f->values->items[0]->text, &number)) {
		tracing_refuse(f->t, f->values, "it must be compared with one number");
		return false;
	}
	buf_printf(f->out, "%s %s %lld", field, more ? ">" : "<", (long long)number);
	return true;
}

/* Numbers have names here, which are the same for all machines. */
static bool add_enum_filter(const struct filter_item *f, const struct tracing_target *target)
{
	if (!op_is(f, "Equal") && !op_is(f, "NotEqual"))
		return refuse_operator(f, "Equal and NotEqual");
	buf_printf(f->out, "%s%s in (", op_is(f, "NotEqual") ? "not " : "", target->field);
	for (size_t i = 0; i < f->values->count; i++) {
		_cleanup_(buf_done) struct buf name;
		int64_t number;
		buf_init(&name, 256);
		if (tracing_number(f->values->items[i]->text, &number) && target->table != NAMES_COUNT)
			names_add_enum(target->table, (uint64_t)number, &name);
		if (name.length == 0 || str_find_char(buf_str(&name), '|') >= 0) {
			tracing_refuse(f->t, f->values->items[i], "'%.60s' has no name in picket's language",
			               f->values->items[i]->text.data);
			return false;
		}
		buf_printf(f->out, "%s" STR_FMT, i ? ", " : "", STR_ARG(buf_str(&name)));
	}
	buf_add_char(f->out, ')');
	return true;
}

/* ---- socket addresses ---- */

static bool add_port(const struct filter_item *f, struct str text)
{
	struct str rest = text, low, high;
	uint64_t first, last;
	str_next(&rest, ':', &low);
	high = rest.data ? rest : low;
	if (str_to_u64(low, &first) < 0 || str_to_u64(high, &last) < 0 || first > last || last > 65535)
		return false;
	if (first == last)
		buf_printf(f->out, "evt.addr.port = %llu", (unsigned long long)first);
	else
		buf_printf(f->out, "(evt.addr.port >= %llu and evt.addr.port <= %llu)", (unsigned long long)first,
		           (unsigned long long)last);
	return true;
}

static bool add_address(const struct filter_item *f, struct str text)
{
	if (strspn(text.data, "0123456789abcdefABCDEF.:/") != text.length)
		return false;
	buf_printf(f->out, "evt.addr.%s = \"" STR_FMT "\"", str_find_char(text, '/') < 0 ? "ip" : "net", STR_ARG(text));
	return true;
}

static bool add_family(const struct filter_item *f, struct str text)
{
	static const struct {
		const char *name, *number, *family;
	} rows[] = {{"AF_INET", "2", "ipv4"}, {"AF_INET6", "10", "ipv6"}, {"AF_UNIX", "1", "unix"}};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!str_equals(text, rows[i].name) && !str_equals(text, rows[i].number))
			continue;
		buf_printf(f->out, "evt.addr.family = %s", rows[i].family);
		return true;
	}
	return false;
}

static bool add_address_filter(const struct filter_item *f)
{
	static const struct {
		const char *relation;
		bool (*add)(const struct filter_item *f, struct str text);
	} rows[] = {{"SAddr", add_address}, {"SPort", add_port}, {"Family", add_family}};
	struct str relation = f->relation;
	if (str_starts_with(relation, STR("Not"))) {
		relation = str_make(relation.data + 3, relation.length - 3);
		buf_add_text(f->out, "not ");
	}
	if (str_equals(relation, "SPortPriv")) {
		buf_add_text(f->out, "evt.addr.port < 1024");
		return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!str_equals(relation, rows[i].relation))
			continue;
		buf_add_char(f->out, '(');
		for (size_t k = 0; k < f->values->count; k++) {
			buf_add_text(f->out, k ? " or " : "");
			if (rows[i].add(f, f->values->items[k]->text))
				continue;
			tracing_refuse(f->t, f->values->items[k], "'%.60s' is no value for %s",
			               f->values->items[k]->text.data, rows[i].relation);
			return false;
		}
		buf_add_char(f->out, ')');
		return true;
	}
	return refuse_operator(f, "SAddr, SPort, SPortPriv and Family, with Not before them: an address that a call is "
	                          "given is called S… there");
}

/* ---- the filters ---- */

static bool add_calls(const struct filter_item *f)
{
	bool good = true;
	if (!op_is(f, "InMap") && !op_is(f, "Equal"))
		return refuse_operator(f, "InMap, with a list of system calls");
	for (size_t i = 0; i < f->values->count; i++)
		good = tracing_hook_calls(f->t, f->values->items[i], f->values->items[i]->text, f->hook) && good;
	buf_add_text(f->out, f->hook->condition);
	return good;
}

static bool add_arg(const struct filter_item *f)
{
	const struct doc_node *node = tracing_scalar(f->t, f->node, "index", true);
	struct tracing_target target;
	uint64_t index;
	if (!node || str_to_u64(node->text, &index) < 0 || index > 32) {
		if (node)
			tracing_refuse(f->t, node, "'%.60s' is no index of an argument", node->text.data);
		return false;
	}
	/* The number of the call: the first of args, whatever its place there. */
	if (f->hook->by_list && (index == 0 || index == 4))
		return add_calls(f);
	if (!tracing_hook_target(f->t, f->hook, node, (unsigned)index, &target))
		return false;
	switch (target.kind) {
	case TRACING_PATH:
	case TRACING_TEXT:
		return add_text_filter(f, target.field, target.kind == TRACING_PATH,
		                       "Equal, NotEqual, Prefix, NotPrefix, Postfix and NotPostfix");
	case TRACING_NUMBER:
		return add_number_filter(f, target.field);
	case TRACING_ENUM:
		return add_enum_filter(f, &target);
	case TRACING_ADDRESS:
		return add_address_filter(f);
	case TRACING_FLAGS:
		break;
	}
	struct diag *d = tracing_refuse(f->t, node, "flags cannot be compared with numbers in picket's words");
	diag_set_hint(d, "write a policy of picket's own, with evt.is_open_write or '%s contains NAME'", target.field);
	return false;
}

static bool add_return(const struct filter_item *f)
{
	return add_number_filter(f, "evt.rawres");
}

static bool add_pids(const struct filter_item *f)
{
	bool own = tracing_flag(f->t, f->node, "isNamespacePID", false);
	bool forks = tracing_flag(f->t, f->node, "followForks", true);
	if (!op_is(f, "In") && !op_is(f, "NotIn"))
		return refuse_operator(f, "In and NotIn");
	if (forks && own) {
		struct diag *d = tracing_refuse(f->t, f->node, "ancestors are not known by their ids in a namespace");
		diag_set_hint(d, "say 'followForks: false', or leave out isNamespacePID");
		return false;
	}
	buf_add_text(f->out, op_is(f, "NotIn") ? "not (" : "(");
	bool good = add_number_list(f, own ? "proc.vpid" : "proc.pid");
	if (forks) {
		buf_add_text(f->out, " or ");
		good = good && add_number_list(f, "proc.apid");
	}
	buf_add_char(f->out, ')');
	return good;
}

static bool add_binaries(const struct filter_item *f)
{
	static const char *known = "In, NotIn, Prefix, NotPrefix, Postfix and NotPostfix";
	if (!tracing_flag(f->t, f->node, "followChildren", false))
		return add_text_filter(f, "proc.exepath", true, known);
	if (!op_is(f, "In"))
		return refuse_operator(f, "In, with followChildren");
	buf_add_char(f->out, '(');
	bool good = add_in(f, "proc.exepath", true);
	buf_add_text(f->out, " or ");
	good = good && add_in(f, "proc.aexepath", true);
	buf_add_char(f->out, ')');
	return good;
}

static bool add_namespaces(const struct filter_item *f)
{
	static const struct {
		const char *name, *field, *host;
	} rows[] = {{"Mnt", "mnt", "proc.is_host_mntns"},
	            {"Pid", "pid", "proc.is_host_pidns"},
	            {"Net", "net", "proc.is_host_netns"},
	            {"User", "user", "proc.is_host_userns"},
	            {"Ipc", "ipc", NULL},
	            {"Uts", "uts", NULL},
	            {"Cgroup", "cgroup", NULL}};
	const struct doc_node *name = tracing_scalar(f->t, f->node, "namespace", true);
	size_t row = 0;
	if (!name || (!op_is(f, "In") && !op_is(f, "NotIn")))
		return name ? refuse_operator(f, "In and NotIn") : false;
	while (row < ARRAY_SIZE(rows) && strcasecmp(name->text.data, rows[row].name) != 0)
		row++;
	if (row == ARRAY_SIZE(rows)) {
		struct diag *d = tracing_refuse(f->t, name, "the namespace '%.60s' has no word in picket's language",
		                                name->text.data);
		diag_set_hint(d, "those that have are Mnt, Pid, Net, User, Ipc, Uts and Cgroup");
		return false;
	}
	buf_add_text(f->out, op_is(f, "NotIn") ? "not (" : "(");
	for (size_t i = 0; i < f->values->count; i++) {
		const struct doc_node *value = f->values->items[i];
		int64_t number;
		buf_add_text(f->out, i ? " or " : "");
		if (str_equals(value->text, "host_ns") && rows[row].host) {
			buf_printf(f->out, "%s = true", rows[row].host);
		} else if (tracing_number(value->text, &number) && number > 0) {
			buf_printf(f->out, "proc.ns.%s = %lld", rows[row].field, (long long)number);
		} else {
			tracing_refuse(f->t, value, "'%.60s' is no value for the namespace %s", value->text.data,
			               rows[row].name);
			return false;
		}
	}
	buf_add_char(f->out, ')');
	return true;
}

static bool add_capabilities(const struct filter_item *f)
{
	static const struct {
		const char *type, *field;
	} rows[] = {{"Effective", "thread.cap_effective"},
	            {"Permitted", "thread.cap_permitted"},
	            {"Inheritable", "thread.cap_inheritable"}};
	const struct doc_node *type = tracing_scalar(f->t, f->node, "type", true);
	size_t row = 0;
	if (!type || (!op_is(f, "In") && !op_is(f, "NotIn")))
		return type ? refuse_operator(f, "In and NotIn") : false;
	if (tracing_flag(f->t, f->node, "isNamespaceCapability", false)) {
		tracing_refuse(f->t, doc_get_key(f->node, "isNamespaceCapability"),
		               "whether a capability holds in the initial namespace only is not known");
		return false;
	}
	while (row < ARRAY_SIZE(rows) && !str_equals(type->text, rows[row].type))
		row++;
	if (row == ARRAY_SIZE(rows)) {
		tracing_refuse(f->t, type, "'%.60s' is no set of capabilities: Effective, Permitted or Inheritable",
		               type->text.data);
		return false;
	}
	buf_add_text(f->out, op_is(f, "NotIn") ? "not (" : "(");
	for (size_t i = 0; i < f->values->count; i++) {
		struct str name = f->values->items[i]->text;
		if (!str_starts_with(name, STR("CAP_")) ||
		    strspn(name.data, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") != name.length) {
			tracing_refuse(f->t, f->values->items[i], "'%.60s' is no capability: CAP_SYS_ADMIN …",
			               name.data);
			return false;
		}
		buf_printf(f->out, "%s%s contains " STR_FMT, i ? " or " : "", rows[row].field, STR_ARG(name));
	}
	buf_add_char(f->out, ')');
	return true;
}

/* ---- selectors ---- */

static const struct doc_node *get_values(struct tracing *t, const struct doc_node *node)
{
	const struct doc_node *values = tracing_sequence(t, node, "values", true);
	if (!values)
		return NULL;
	if (values->count == 0 || values->count > VALUES_MAX) {
		tracing_refuse(t, values, "there must be 1 to %d values", VALUES_MAX);
		return NULL;
	}
	for (size_t i = 0; i < values->count; i++) {
		if (values->items[i]->kind == DOC_SCALAR && values->items[i]->text.length > 0)
			continue;
		tracing_refuse(t, values->items[i], "a value must be a single one that is not empty");
		return NULL;
	}
	return values;
}

static bool needs_values(struct str relation)
{
	return !str_ends_with(relation, STR("PortPriv"));
}

bool tracing_selector(struct tracing *t, struct tracing_hook *hook, const struct doc_node *selector, struct buf *out)
{
	static const struct {
		const char *key;
		bool (*add)(const struct filter_item *f);
	} filters[] = {
	        {"matchArgs", add_arg},
	        {"matchReturnArgs", add_return},
	        {"matchPIDs", add_pids},
	        {"matchBinaries", add_binaries},
	        {"matchNamespaces", add_namespaces},
	        {"matchCapabilities", add_capabilities},
	};
	bool good = true;
	for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
		const struct doc_node *items = tracing_sequence(t, selector, filters[i].key, false);
		for (size_t k = 0; items && k < items->count; k++) {
			struct filter_item f = {.t = t, .hook = hook, .node = items->items[k], .out = out};
			if (!tracing_keys(t, f.node, LEVEL_FILTER, filters[i].key)) {
				good = false;
				continue;
			}
			const struct doc_node *relation = tracing_scalar(t, f.node, "operator", true);
			if (!relation)
				return false;
			f.relation = relation->text;
			f.values = needs_values(f.relation) ? get_values(t, f.node) : NULL;
			if (!f.values && needs_values(f.relation))
				return false;
			buf_add_text(out, out->length ? " and " : "");
			good = filters[i].add(&f) && good;
		}
	}
	return good && !t->failed;
}
