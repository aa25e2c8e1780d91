/* SPDX-License-Identifier: Apache-2.0
 *
 * What single instructions give: calls by power.def, loads and stores by what their addresses may be.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <signal.h>
#include <stdio.h>
#include "verify/powers_int.h"

#define CALL_KERNEL 2         /* src of a call: of a function of the kernel, by its index in the image */
#define ROUNDS_MOST (1 << 23) /* of bpf_loop */
#define PREFIX "bpf_"

/* ---- the tables ---- */

enum detail_how {
	DETAIL_NOTHING,
	DETAIL_NAME,
	DETAIL_HOOKED,
	DETAIL_SIGNAL,
	DETAIL_OPTION,
	DETAIL_ROUNDS,
	DETAIL_RANGE,
	DETAIL_ELEMENTS,
	DETAIL_TEXT,
};

#define NOTHING .how = DETAIL_NOTHING
#define NAME .how = DETAIL_NAME
#define HOOKED .how = DETAIL_HOOKED
#define SIGNAL(n) .how = DETAIL_SIGNAL, .argument = (n)
#define OPTION(n) .how = DETAIL_OPTION, .argument = (n)
#define ROUNDS(n) .how = DETAIL_ROUNDS, .argument = (n)
#define RANGE(n) .how = DETAIL_RANGE, .argument = (n)
#define ELEMENTS .how = DETAIL_ELEMENTS
#define TEXT(words) .how = DETAIL_TEXT, .text = #words

static const struct gives {
	const char *function;
	enum picket_power power;
	enum detail_how how;
	uint8_t argument;
	const char *text;
} gives[] = {
#define GIVES(function, power, detail) {#function, PICKET_POWER_##power, detail},
#include "verify/power.def"
};

static const char *const harmless[] = {
#define HARMLESS(function) #function,
#include "verify/power.def"
};

static const struct {
	enum picket_kind kind;
	const char *field;
	enum picket_power power;
} field_gives[] = {
#define FIELD_GIVES(kind, field, power) {PICKET_KIND_##kind, #field, PICKET_POWER_##power},
#include "verify/power.def"
};

static const struct {
	int number;
	const char *name;
} signals[] = {
        {SIGHUP, "SIGHUP"},   {SIGINT, "SIGINT"},   {SIGQUIT, "SIGQUIT"}, {SIGILL, "SIGILL"},   {SIGTRAP, "SIGTRAP"},
        {SIGABRT, "SIGABRT"}, {SIGBUS, "SIGBUS"},   {SIGFPE, "SIGFPE"},   {SIGKILL, "SIGKILL"}, {SIGUSR1, "SIGUSR1"},
        {SIGSEGV, "SIGSEGV"}, {SIGUSR2, "SIGUSR2"}, {SIGPIPE, "SIGPIPE"}, {SIGALRM, "SIGALRM"}, {SIGTERM, "SIGTERM"},
        {SIGCHLD, "SIGCHLD"}, {SIGCONT, "SIGCONT"}, {SIGSTOP, "SIGSTOP"}, {SIGTSTP, "SIGTSTP"},
};

/* One "*" stands for anything. */
static bool fits(const char *pattern, const char *name)
{
	size_t before, after, length;
	const char *star;

	if (*pattern != *name && *pattern != '*') /* nearly all: cheaply */
		return false;
	star = strchr(pattern, '*');
	length = strlen(name);
	if (!star)
		return !strcmp(pattern, name);
	before = (size_t)(star - pattern);
	after = strlen(star + 1);
	return length >= before + after && !strncmp(pattern, name, before) && !strcmp(star + 1, name + length - after);
}

static bool function_fits(const char *pattern, const char *name, bool helper)
{
	size_t prefix = strlen(PREFIX);

	if (!helper)
		return fits(pattern, name);
	return !strncmp(pattern, PREFIX, prefix) && fits(pattern + prefix, name);
}

const struct verify_proto *power_callee(const struct power_program *p, const struct vm_op *op, const char **ret_name)
{
	const struct verify_kind *kind = p->kind ? p->kind : verify_kind_find(PICKET_KIND_SYSCALL);
	const struct verify_proto *proto;
	bool allowed;

	*ret_name = "";
	if (op->src == CALL_KERNEL) {
		const char *name = picket_image_kernel_name(p->image, (size_t)op->imm);

		if (!name)
			return NULL;
		*ret_name = name;
		return verify_kfunc_find(kind, name, &allowed);
	}
	if (op->imm < 0 || op->imm > UINT32_MAX)
		return NULL;
	proto = verify_proto_find(kind, (uint32_t)op->imm, &allowed);
	if (proto)
		*ret_name = proto->name;
	return proto;
}

/* ---- the context ---- */

const struct verify_field *power_context_field(const struct power_program *p, int64_t offset)
{
	if (!p->kind)
		return NULL;
	for (size_t i = 0; i < p->kind->field_count; i++) {
		const struct verify_field *f = &p->kind->fields[i];

		if (offset >= f->offset && offset < f->offset + f->size)
			return f;
	}
	return NULL;
}

static uint16_t field_holds(const struct verify_field *f)
{
	switch ((enum verify_field_type)f->type) {
	case FIELD_PACKET:
	case FIELD_PACKET_META:
		return MAY_PACKET;
	case FIELD_MEMORY:
	case FIELD_MEMORY_RANGE:
	case FIELD_FLOW_KEYS:
		return MAY_FIELD;
	case FIELD_SOCKET:
	case FIELD_SOCKET_OR_NULL:
	case FIELD_SOCK_COMMON_OR_NULL:
	case FIELD_OBJECT:
		return MAY_OBJECT;
	default:
		return 0;
	}
}

uint16_t power_context_load(const struct power_program *p, int64_t offset, unsigned bytes)
{
	const struct verify_field *field;
	uint16_t may = 0;

	if (!p->kind)
		return MAY_ANYTHING;
	if (p->kind->flags & (KIND_BTF_CONTEXT | KIND_ARGUMENTS))
		may = bytes == 8 ? MAY_OBJECT : 0;
	if (offset >= 0) {
		field = power_context_field(p, offset);
		return may | (field ? field_holds(field) : 0);
	}
	for (size_t i = 0; i < p->kind->field_count; i++)
		may |= field_holds(&p->kind->fields[i]);
	return may;
}

/* ---- details ---- */

struct site {
	struct picket_powers *list;
	const struct power_program *program;
	const struct vm_op *op;
	const struct power_fact *registers;
	const char *name; /* of what is called */
};

static uint32_t site_insn(const struct site *s)
{
	return s->op->insn;
}

static const struct power_fact *argument_of(const struct site *s, unsigned n)
{
	return &s->registers[n];
}

static bool constant_of(const struct site *s, unsigned n, int32_t *ret_number)
{
	const struct power_fact *f = argument_of(s, n);

	if (f->may != MAY_NUMBER || f->count != 1)
		return false;
	*ret_number = f->numbers[0];
	return true;
}

static int add(const struct site *s, enum picket_power power, const char *detail)
{
	return powers_add(s->list, power, detail, site_insn(s), "%s%s",
	                  s->op->src == CALL_KERNEL || !strncmp(s->name, PREFIX, strlen(PREFIX)) ? "" : PREFIX,
	                  s->name);
}

static void signal_write(int32_t number, char *text, size_t size)
{
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (signals[i].number == number) {
			snprintf(text, size, "%s", signals[i].name);
			return;
		}
	snprintf(text, size, "%d", number);
}

static int add_signals(const struct site *s, const struct gives *g)
{
	const struct power_fact *f = argument_of(s, g->argument);
	char text[16];
	int r = 0;

	if (f->may != MAY_NUMBER || !f->count)
		return add(s, g->power, "any");
	for (unsigned i = 0; !r && i < f->count; i++) {
		signal_write(f->numbers[i], text, sizeof(text));
		r = add(s, g->power, text);
	}
	return r;
}

static uint64_t rounds_most(const struct power_fact *f)
{
	uint32_t most = 0;

	if (f->may != MAY_NUMBER || !f->count)
		return ROUNDS_MOST;
	for (unsigned i = 0; i < f->count; i++)
		most = MAX(most, (uint32_t)f->numbers[i]);
	return MIN(most, ROUNDS_MOST);
}

static const struct picket_map_spec *map_of(const struct site *s, unsigned argument, unsigned choice)
{
	const struct power_fact *f = argument_of(s, argument);

	if (f->may != MAY_MAP || choice >= f->count)
		return NULL;
	return picket_image_map(s->program->image, (uint32_t)f->numbers[choice]);
}

static int add_elements(const struct site *s, const struct gives *g)
{
	const struct picket_map_spec *map = map_of(s, 1, 0);
	char text[32] = "elements";
	uint32_t most = 0;

	for (unsigned i = 0; map; map = map_of(s, 1, ++i))
		most = MAX(most, map->max_entries);
	if (most)
		snprintf(text, sizeof(text), "elements:%u", most);
	return add(s, g->power, text);
}

static int add_range(const struct site *s, const struct gives *g)
{
	char text[32] = "rounds";
	int32_t first, end;

	if (constant_of(s, g->argument, &first) && constant_of(s, g->argument + 1u, &end))
		snprintf(text, sizeof(text), "rounds:%lld", end > first ? (long long)end - first : 0);
	return add(s, g->power, text);
}

static int add_option(const struct site *s, const struct gives *g)
{
	char text[32] = "any";
	int32_t level, option;

	if (constant_of(s, g->argument, &level) && constant_of(s, g->argument + 1u, &option))
		snprintf(text, sizeof(text), "option:%d:%d", level, option);
	return add(s, g->power, text);
}

static int add_rounds(const struct site *s, const struct gives *g)
{
	char text[32];

	snprintf(text, sizeof(text), "rounds:%llu", (unsigned long long)rounds_most(argument_of(s, g->argument)));
	return add(s, g->power, text);
}

static int add_given(const struct site *s, const struct gives *g)
{
	switch (g->how) {
	case DETAIL_SIGNAL:
		return add_signals(s, g);
	case DETAIL_OPTION:
		return add_option(s, g);
	case DETAIL_ROUNDS:
		return add_rounds(s, g);
	case DETAIL_RANGE:
		return add_range(s, g);
	case DETAIL_ELEMENTS:
		return add_elements(s, g);
	case DETAIL_NAME:
		return add(s, g->power, s->name);
	case DETAIL_HOOKED:
		return add(s, g->power, s->program->hook);
	default:
		return add(s, g->power, g->text);
	}
}

/* ---- calls ---- */

static bool is_harmless(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(harmless); i++)
		if (fits(harmless[i], name))
			return true;
	return false;
}

static int add_unknown(const struct site *s)
{
	char text[32];

	if (s->name[0])
		return add(s, PICKET_POWER_UNKNOWN, s->name);
	snprintf(text, sizeof(text), "helper:%lld", (long long)s->op->imm);
	return powers_add(s->list, PICKET_POWER_UNKNOWN, text, site_insn(s), "a helper that is not known");
}

/* A socket that is put into a socket map is handled by the programs of that map from then on. */
static int add_map_update(const struct site *s)
{
	const struct picket_map_spec *map;

	for (unsigned i = 0; (map = map_of(s, 1, i)); i++)
		if (map->type == BPF_MAP_TYPE_SOCKMAP || map->type == BPF_MAP_TYPE_SOCKHASH)
			return add(s, PICKET_POWER_REDIRECT_SOCKETS, "map");
	return 0;
}

/* Packets are written through dynptrs only where there are dynptrs of packets. */
static bool writes_dynptr(const struct site *s)
{
	static const char *const names[] = {"dynptr_write", "bpf_dynptr_copy", "bpf_dynptr_memset"};

	if (!s->program->kind || !(s->program->kind->flags & KIND_SKB || s->program->kind->id == PICKET_KIND_XDP))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(s->name, names[i]))
			return true;
	return false;
}

static int add_rows(const struct site *s, bool *ret_any)
{
	bool helper = s->op->src != CALL_KERNEL;
	const char *pattern = NULL;
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_SIZE(gives); i++) {
		if (pattern && strcmp(pattern, gives[i].function) != 0)
			break; /* rows of one function stand together */
		if (!pattern && !function_fits(gives[i].function, s->name, helper))
			continue;
		pattern = gives[i].function;
		r = add_given(s, &gives[i]);
	}
	*ret_any = pattern != NULL;
	return r;
}

static int find_call(struct site *s)
{
	const struct verify_proto *proto = power_callee(s->program, s->op, &s->name);
	bool any = false;
	int r = 0;

	if (s->name[0])
		r = add_rows(s, &any);
	if (!r && !any && !proto && !is_harmless(s->name))
		r = add_unknown(s);
	if (!r && proto && proto->flags & PROTO_GPL)
		r = add(s, PICKET_POWER_GPL, NULL);
	if (!r && proto && proto->flags & PROTO_SLEEPS)
		r = add(s, PICKET_POWER_SLEEP, NULL);
	if (!r && s->op->src != CALL_KERNEL && s->op->imm == BPF_FUNC_map_update_elem)
		r = add_map_update(s);
	if (!r && writes_dynptr(s))
		r = add(s, PICKET_POWER_MODIFY_PACKETS, NULL);
	return r;
}

/* ---- memory ---- */

static int add_plain(const struct site *s, enum picket_power power, const char *detail, const char *cause)
{
	return powers_add(s->list, power, detail, site_insn(s), "%s", cause);
}

static int add_field(const struct site *s, const struct verify_field *field)
{
	for (size_t i = 0; i < ARRAY_SIZE(field_gives); i++)
		if (field_gives[i].kind == s->program->kind->id && fits(field_gives[i].field, field->name))
			return powers_add(s->list, field_gives[i].power, field->name, site_insn(s),
			                  "writes the context's %s", field->name);
	return 0;
}

static int find_context_store(const struct site *s, const struct power_fact *base)
{
	const struct verify_kind *kind = s->program->kind;
	const struct verify_field *field;
	int r = 0;

	if (!kind)
		return 0;
	if (!(base->may & MAY_CONTEXT_INNER)) {
		field = power_context_field(s->program, s->op->offset);
		return field ? add_field(s, field) : 0;
	}
	for (size_t i = 0; !r && i < kind->field_count; i++)
		if (kind->fields[i].flags & FIELD_WRITE)
			r = add_field(s, &kind->fields[i]);
	return r;
}

/* Memory that a field of the context leads to. */
static int find_field_store(const struct site *s)
{
	switch (s->program->kind ? s->program->kind->id : PICKET_KIND_AUTO) {
	case PICKET_KIND_CGROUP_SOCKOPT:
		return strstr(s->program->hook, "getsockopt")
		               ? add_plain(s, PICKET_POWER_CHANGE_RESULTS, s->program->hook,
		                           "writes the option's value")
		               : add_plain(s, PICKET_POWER_SET_SOCKETS, "value", "writes the option's value");
	case PICKET_KIND_RAW_TRACEPOINT_WRITABLE:
		return add_plain(s, PICKET_POWER_WRITE_KERNEL, s->program->hook, "writes the tracepoint's buffer");
	default:
		return 0;
	}
}

static int find_store(const struct site *s)
{
	const struct power_fact *base = &s->registers[s->op->dst];
	int r = 0;

	if (base->may & (MAY_CONTEXT | MAY_CONTEXT_INNER))
		r = find_context_store(s, base);
	if (!r && base->may & MAY_PACKET)
		r = add_plain(s, PICKET_POWER_MODIFY_PACKETS, NULL, "writes to the packet");
	if (!r && base->may & MAY_FIELD)
		r = find_field_store(s);
	if (!r && base->may & MAY_OBJECT && s->program->kind && s->program->kind->id == PICKET_KIND_STRUCT_OPS)
		r = add_plain(s, PICKET_POWER_WRITE_KERNEL, s->program->hook, "writes to an object of the kernel");
	return r;
}

static int find_load(const struct site *s, unsigned base)
{
	uint16_t may = s->registers[base].may;
	int r = 0;

	if (may & MAY_PACKET)
		r = add_plain(s, PICKET_POWER_READ_PACKETS, NULL, "reads the packet");
	if (!r && may & MAY_OBJECT)
		r = add_plain(s, PICKET_POWER_READ_OBJECTS, NULL, "reads an object of the kernel");
	return r;
}

/* ---- all ---- */

static int find_exit(const struct site *s)
{
	size_t at = (size_t)(s->op - s->program->code.ops);

	if (at >= s->program->code.functions[0].end)
		return 0;
	return powers_of_result(s->list, s->program, &s->registers[0], site_insn(s));
}

static int find(const struct power_program *p, const struct vm_op *op, const struct power_fact *registers, void *user)
{
	struct site s = {.list = user, .program = p, .op = op, .registers = registers, .name = ""};
	int r;

	switch ((enum vm_format)vm_insns[op->op].format) {
	case VM_FORMAT_CALL_ID:
		return find_call(&s);
	case VM_FORMAT_LOAD:
		return find_load(&s, op->src);
	case VM_FORMAT_STORE_IMM:
	case VM_FORMAT_STORE_REG:
		return find_store(&s);
	case VM_FORMAT_ATOMIC_REG:
		r = find_load(&s, op->dst);
		return r ? r : find_store(&s);
	case VM_FORMAT_PACKET_IMM:
	case VM_FORMAT_PACKET_REG:
		return add_plain(&s, PICKET_POWER_READ_PACKETS, NULL, "reads the packet");
	case VM_FORMAT_NOTHING:
		return find_exit(&s);
	default:
		return 0;
	}
}

int powers_find_all(struct picket_powers *list, const struct power_program *p)
{
	return powers_flow(p, find, list);
}
