/* SPDX-License-Identifier: Apache-2.0
 *
 * gen_reference DIR: writes the reference in Markdown from the tables of schema/. Run by `make regen`.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* ---- the tables, as text ---- */
/* A row of event.def: an event, or one of the arguments that follow it. */
struct event_row {
	enum { ROW_EVENT, ROW_RESULT, ROW_ARG, ROW_OWN, ROW_DERIVED } kind;
	const char *name;
	const char *type; /* of an argument; of an event: its category */
	const char *aux;  /* of an argument: table of names; of an event: what makes it */
	const char *more; /* DERIVED: the field; event: use of a descriptor */
	const char *flags;
	const char *doc;
};
static const struct event_row event_rows[] = {
#define EVENT(name, id, category, fduse, fdarg, sensor, flags, doc) \
	{ROW_EVENT, #name, #category, #sensor, #fduse, #flags, doc},
#define RESULT(event, name, type, doc) {ROW_RESULT, #name, #type, "0", "", "", doc},
#define ARG(event, name, type, aux, source, doc) {ROW_ARG, #name, #type, #aux, "", "", doc},
#define OWN(event, name, type, aux, source, doc) {ROW_OWN, #name, #type, #aux, "", "", doc},
#define DERIVED(event, name, type, aux, field, doc) {ROW_DERIVED, #name, #type, #aux, field, "", doc},
#define END(event)
#include "schema/event.def"
};

static const struct type_row {
	const char *name, *doc;
} type_rows[] = {
#define TYPE(name, wire, doc) {#name, doc},
#include "schema/type.def"
};

static const struct names_row {
	const char *table, *name, *kernel, *rule; /* name is NULL in the row that begins a table */
} names_rows[] = {
#define TABLE(table, kind) {#table, NULL, #kind, NULL},
#define NAME(table, text, kernel, rule) {#table, text, #kernel, #rule},
#include "schema/names.def"
};

static const struct field_row {
	const char *name, *type, *arg, *flags, *scope, *doc;
} field_rows[] = {
#define FIELD(id, name, type, arg, flags, scope, doc) {name, #type, #arg, #flags, #scope, doc},
#include "schema/field.def"
};

static const struct counter_row {
	const char *name, *doc;
} counter_rows[] = {
#define COUNTER(name, doc) {#name, doc},
#include "schema/errors.def"
};

static const struct sensor_row {
	const char *sensor, *program, *attach, *lost, *mend; /* program is NULL in the row that begins a sensor */
} sensor_rows[] = {
#define SENSOR(name, doc) {#name, NULL, doc, NULL, NULL},
#define HOOK(sensor, program, attach, lost, mend) {#sensor, #program, attach, lost, mend},
#include "schema/sensor.def"
};

struct command_row {
	enum { ROW_COMMAND, ROW_ACTION, ROW_OPTION, ROW_EXAMPLE, ROW_EXIT, ROW_PLACE } kind;
	const char *command, *name;
	char letter;
	const char *argument, *text, *details;
};
static const struct command_row command_rows[] = {
#define COMMAND(name, arguments, summary, details) {ROW_COMMAND, #name, #name, 0, arguments, summary, details},
#define ACTION(command, word, arguments, summary) {ROW_ACTION, #command, word, 0, arguments, summary, ""},
#define OPTION(command, name, letter, argument, text) {ROW_OPTION, #command, name, letter, argument, text, ""},
#define EXAMPLE(command, line, text) {ROW_EXAMPLE, #command, line, 0, "", text, ""},
#define EXIT(code, text) {ROW_EXIT, "", #code, 0, "", text, ""},
#define PLACE(name, text) {ROW_PLACE, "", name, 0, "", text, ""},
#include "schema/command.def"
};

/* What policies may say; kind tells which column holds what. */
static const struct policy_row {
	enum { POLICY_ROW_KEY, POLICY_ROW_MODE, POLICY_ROW_ACTION, POLICY_ROW_SCOPE, POLICY_ROW_POINT } kind;
	const char *id, *name, *where, *type, *need, *otherwise, *doc, *left;
} policy_rows[] = {
#define POLICY_KEY(where, name, type, need, otherwise, doc) \
	{POLICY_ROW_KEY, #name, #name, #where, #type, #need, otherwise, doc, ""},
#define POLICY_MODE(id, name, doc) {POLICY_ROW_MODE, #id, name, "", "", "", "", doc, ""},
#define POLICY_ACTION(id, name, doc) {POLICY_ROW_ACTION, #id, name, "", "", "", "", doc, ""},
#define POLICY_SCOPE(id, name, doc, left) {POLICY_ROW_SCOPE, #id, name, "", "", "", "", doc, left},
#define POLICY_POINT(id, name, doc) {POLICY_ROW_POINT, #id, name, "", "", "", "", doc, ""},
#include "schema/policy.def"
};

static const struct policy_event_row {
	const char *point, *event;
} policy_event_rows[] = {
#define POLICY_POINT_EVENT(point, event) {#point, #event},
#include "schema/policy.def"
};

static const struct policy_field_row {
	const char *point, *field, *how, *value;
} policy_field_rows[] = {
#define POLICY_FIELD(point, field, how, value) {#point, #field, #how, value},
#define POLICY_ARG(point, name) {#point, "evt.arg." name, "READ", ""},
#include "schema/policy.def"
};

static const struct guard_row {
	const char *id, *name, *what, *more; /* hook: what it is, what it needs; mechanism: what is left */
} guard_hook_rows[] =
        {
#define GUARD_HOOK(id, name, what, needs) {#id, name, what, needs},
#include "schema/policy.def"
},
  guard_mechanism_rows[] = {
#define GUARD_MECHANISM(id, name, left) {#id, name, left, ""},
#include "schema/policy.def"
};

static const struct route_row {
	const char *action, *point, *mechanism, *hook, *effect, *does, *hooks, *left;
} route_rows[] = {
#define POLICY_ROUTE(action, point, mechanism, hook, effect, does, hooks, left) \
	{#action, #point, #mechanism, #hook, #effect, does, hooks, left},
#include "schema/policy.def"
};

static const struct protected_row {
	const char *path, *why;
} protected_rows[] = {
#define POLICY_PROTECTED(path, what, why) {path, why},
#include "schema/policy.def"
};

/* ---- Markdown ---- */
/* Text in a cell of a table, where a bar would end it. In code, only the bar is escaped. */
static void put_text(FILE *out, const char *text, bool code)
{
	for (; *text; text++) {
		if (*text == '|' || (!code && strchr("*_<[`\\", *text)))
			fputc('\\', out);
		fputc(*text, out);
	}
}

static void put_code(FILE *out, const char *text)
{
	fputc('`', out);
	put_text(out, text, true);
	fputc('`', out);
}

static void put_page_head(FILE *out, const char *title, const char *table, const char *introduction)
{
	fprintf(out, "<!-- Made from schema/%s by `make regen`: change it there. -->\n# %s\n\n%s\n", table, title,
	        introduction);
}

static bool has_flag(const char *flags, const char *flag)
{
	const char *at = strstr(flags, flag);
	size_t length = strlen(flag);
	return at && (at == flags || at[-1] == ' ') && (at[length] == '\0' || at[length] == ' ');
}

/* ---- pages ---- */
static bool has_names(const char *type)
{
	return strcmp(type, "FLAGS") == 0 || strcmp(type, "ENUM") == 0 || strcmp(type, "MODE") == 0;
}

static void put_argument(FILE *out, const struct event_row *row)
{
	fputs("| ", out);
	put_code(out, row->name);
	fprintf(out, " | %s | ", row->type);
	put_text(out, row->doc, false);
	if (has_names(row->type) && strcmp(row->aux, "0") != 0)
		fprintf(out, "; names: [%s](#names-%s)", row->aux, row->aux);
	if (row->kind == ROW_DERIVED)
		fprintf(out, " (`%s`)", row->more);
	if (row->kind == ROW_OWN)
		fputs("; not in `evt.args`", out);
	fputs(" |\n", out);
}

static void put_event(FILE *out, const struct event_row *row)
{
	fprintf(out, "\n## %s\n\n", row->name);
	put_text(out, row->doc, false);
	fprintf(out, "\n\nCategory `%s`.", row->type);
	if (strcmp(row->more, "USES") == 0)
		fputs(" `fd.*` is the descriptor that it uses.", out);
	else if (strcmp(row->more, "CREATES") == 0)
		fputs(" `fd.*` is the descriptor that it makes.", out);
	else if (strcmp(row->more, "DESTROYS") == 0)
		fputs(" `fd.*` is the descriptor that it closes.", out);
	if (strcmp(row->aux, "USER") == 0)
		fputs(" Made by picket in user space.", out);
	else if (strcmp(row->aux, "NONE") == 0)
		fputs(" Known to the language, not observed.", out);
	if (has_flag(row->flags, "STATE"))
		fputs(" Always observed: picket's own tables need it.", out);
	if (has_flag(row->flags, "OWN"))
		fputs(" Picket's own, not a system call.", out);
	fputs("\n", out);
}

static void put_names(FILE *out)
{
	fputs("\n# Names of numbers\n\n"
	      "`evt.arg.X` is the text with the names, `evt.rawarg.X` the number that the rule language gives them.\n",
	      out);
	for (size_t i = 0; i < ARRAY_SIZE(names_rows); i++) {
		const struct names_row *row = &names_rows[i];
		if (row->name)
			fprintf(out, "| `%s` | %s |\n", row->name, row->rule);
		else
			fprintf(out, "\n## names: %s\n\n| name | number in rules |\n|---|---|\n", row->table);
	}
}

static void put_types(FILE *out)
{
	fputs("\n# Types of arguments\n\n| type | how it is printed |\n|---|---|\n", out);
	for (size_t i = 0; i < ARRAY_SIZE(type_rows); i++) {
		fprintf(out, "| %s | ", type_rows[i].name);
		const char *aux = strstr(type_rows[i].doc, "; aux:");
		size_t length = aux ? (size_t)(aux - type_rows[i].doc) : strlen(type_rows[i].doc);
		fprintf(out, "%.*s |\n", (int)length, type_rows[i].doc);
	}
}

static void put_events(FILE *out)
{
	put_page_head(
	        out, "Events", "event.def",
	        "What `evt.type` may be, and the arguments of each: `evt.arg.NAME` (as text), `evt.rawarg.NAME` (as a "
	        "number), and in their order `evt.arg[N]`. Fields that every event has are in [fields](fields.md). "
	        "`evt.res` and `evt.rawres` are the result of a call.");
	for (size_t i = 0; i < ARRAY_SIZE(event_rows); i++) {
		const struct event_row *row = &event_rows[i];
		if (row->kind != ROW_EVENT) {
			if (row[-1].kind == ROW_EVENT)
				fputs("\n| argument | type | meaning |\n|---|---|---|\n", out);
			put_argument(out, row);
			continue;
		}
		put_event(out, row);
	}
	put_types(out);
	put_names(out);
}

static const char *field_type_text(const char *type)
{
	static const char *const texts[][2] = {
	        {"STR", "text"},     {"PATH", "path"}, {"S64", "number"},  {"U64", "number"},
	        {"BOOL", "boolean"}, {"TIME", "time"}, {"DOUBLE", "real"}, {"IP", "address"},
	        {"NET", "network"},  {"PORT", "port"}, {"BYTES", "bytes"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (strcmp(texts[i][0], type) == 0)
			return texts[i][1];
	return type;
}

static const char *field_argument_text(const char *arg)
{
	static const char *const texts[][2] = {
	        {"NO", ""},        {"INDEX", "[N]"}, {"KEY", "[KEY]"}, {"EITHER", "[N or KEY]"},
	        {"NAME", ".NAME"}, {"NEED", "[…]"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (strcmp(texts[i][0], arg) == 0)
			return texts[i][1];
	return arg;
}

static void put_field(FILE *out, const struct field_row *row)
{
	static const char *const notes[][2] = {
	        {"LIST", "A list."},
	        {"FILTER", "Only in conditions."},
	        {"ENDS", "Either end may match."},
	        {"ANY", "Without a number, any ancestor may match."},
	        {"NULLED", "Known, never has a value."},
	};
	fprintf(out, "| `%s%s` | %s | %s | ", row->name, field_argument_text(row->arg), field_type_text(row->type),
	        strcmp(row->scope, "PROC") == 0 ? "process" : "event");
	put_text(out, row->doc, false);
	for (size_t i = 0; i < ARRAY_SIZE(notes); i++)
		if (has_flag(row->flags, notes[i][0]))
			fprintf(out, " %s", notes[i][1]);
	fputs(" |\n", out);
}

static void put_fields(FILE *out)
{
	const char *class = "";
	size_t class_length = 0;
	put_page_head(
	        out, "Fields", "field.def",
	        "What conditions compare and outputs print. A field without a value makes every comparison with it false, and "
	        "prints `<NA>`. Scope: a field of the *process* depends on the acting process and its ancestors alone. "
	        "`picket:` marks what other engines of the language do not have; where a value differs from theirs, "
	        "[differences](../rules/differences.md) says why.");
	for (size_t i = 0; i < ARRAY_SIZE(field_rows); i++) {
		const char *name = field_rows[i].name;
		size_t length = strcspn(name, ".");
		if (length != class_length || strncmp(name, class, length) != 0) {
			class = name;
			class_length = length;
			fprintf(out, "\n## %.*s\n\n| field | type | scope | meaning |\n|---|---|---|---|\n",
			        (int)length, name);
		}
		put_field(out, &field_rows[i]);
	}
}

static void put_counters(FILE *out)
{
	put_page_head(
	        out, "Counters", "errors.def",
	        "What the kernel half counts, for each CPU; `picket status` shows the sums. All but `events` are losses or gaps: an "
	        "event with a gap is marked, and so is the alert that it raises.\n\n| counter | meaning |\n|---|---|");
	for (size_t i = 0; i < ARRAY_SIZE(counter_rows); i++) {
		fprintf(out, "| `%s` | ", counter_rows[i].name);
		put_text(out, counter_rows[i].doc, false);
		fputs(" |\n", out);
	}
}

static void put_sensors(FILE *out)
{
	put_page_head(
	        out, "Sensors", "sensor.def",
	        "What the kernel half hooks into. Of a sensor's hooks, in this order, the first that the kernel takes is used; "
	        "`picket doctor` says which that is, and what is lost by it.");
	for (size_t i = 0; i < ARRAY_SIZE(sensor_rows); i++) {
		const struct sensor_row *row = &sensor_rows[i];
		if (!row->program) {
			fprintf(out,
			        "\n## %s\n\n%s\n\n| hook | program | what is lost by it | what would mend that |\n|---|---|---|---|\n",
			        row->sensor, row->attach);
			continue;
		}
		fprintf(out, "| `%s` | `%s` | ", row->attach, row->program);
		put_text(out, row->lost, false);
		fputs(" | ", out);
		put_text(out, row->mend, false);
		fputs(" |\n", out);
	}
}

static void put_command_row(FILE *out, const struct command_row *row)
{
	if (row->kind == ROW_OPTION) {
		fprintf(out, "| `--%s%s", row->name, row->argument[0] ? " " : "");
		put_text(out, row->argument, true);
		fputc('`', out);
		if (row->letter)
			fprintf(out, ", `-%c`", row->letter);
	} else {
		fprintf(out, "| `%s%s", row->name, row->argument[0] ? " " : "");
		put_text(out, row->argument, true);
		fputc('`', out);
	}
	fputs(" | ", out);
	put_text(out, row->text, false);
	fputs(" |\n", out);
}

/* The rows of one kind of a command, as a table with this heading; nothing if there are none. */
static void put_command_rows(FILE *out, const char *command, int kind, const char *heading)
{
	bool begun = false;
	for (size_t i = 0; i < ARRAY_SIZE(command_rows); i++) {
		const struct command_row *row = &command_rows[i];
		if ((int)row->kind != kind || strcmp(row->command, command) != 0)
			continue;
		if (!begun)
			fprintf(out, "\n| %s | |\n|---|---|\n", heading);
		begun = true;
		put_command_row(out, row);
	}
}

static void put_commands(FILE *out)
{
	put_page_head(out, "Commands", "command.def", "The same as `picket help COMMAND` and the manual pages.");
	for (size_t i = 0; i < ARRAY_SIZE(command_rows); i++) {
		const struct command_row *row = &command_rows[i];
		if (row->kind != ROW_COMMAND)
			continue;
		fprintf(out, "\n## picket %s%s%s\n\n%s\n", row->name, row->argument[0] ? " " : "", row->argument,
		        row->text);
		if (row->details[0])
			fprintf(out, "\n%s\n", row->details);
		put_command_rows(out, row->name, ROW_ACTION, "action");
		put_command_rows(out, row->name, ROW_OPTION, "option");
		put_command_rows(out, row->name, ROW_EXAMPLE, "example");
	}
	fputs("\n## Of all commands\n", out);
	put_command_rows(out, "any", ROW_OPTION, "option");
	put_command_rows(out, "", ROW_EXIT, "exit code");
	put_command_rows(out, "", ROW_PLACE, "file or variable");
}

/* ---- policies ---- */
static const char *guard_name(const struct guard_row *rows, size_t count, const char *id)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(rows[i].id, id) == 0)
			return rows[i].name;
	return id;
}

static const char *policy_name(int kind, const char *id)
{
	for (size_t i = 0; i < ARRAY_SIZE(policy_rows); i++)
		if ((int)policy_rows[i].kind == kind && strcmp(policy_rows[i].id, id) == 0)
			return policy_rows[i].name;
	return id;
}

/* The name that the rule language has for a row of field.def; an argument's is given. */
static const char *field_name(const char *id)
{
	static const struct {
		const char *id, *name;
	} names[] = {
#define FIELD(id, name, type, arg, flags, scope, doc) {#id, name},
#include "schema/field.def"
	};
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i].id, id) == 0)
			return names[i].name;
	return id;
}

static void put_policy_keys(FILE *out)
{
	const char *where = "";
	for (size_t i = 0; i < ARRAY_SIZE(policy_rows); i++) {
		const struct policy_row *row = &policy_rows[i];
		if (row->kind != POLICY_ROW_KEY)
			continue;
		if (strcmp(where, row->where) != 0)
			fprintf(out, "\n## Keys of a %s\n\n| key | value | default | meaning |\n|---|---|---|---|\n",
			        row->where);
		where = row->where;
		fprintf(out, "| `%s` | %s%s | ", row->name, row->type, strcmp(row->need, "YES") == 0 ? ", needed" : "");
		put_text(out, row->otherwise, false);
		fputs(" | ", out);
		put_text(out, row->doc, false);
		fputs(" |\n", out);
	}
}

static void put_policy_words(FILE *out, int kind, const char *title)
{
	fprintf(out, "\n## %s\n\n| word | meaning |\n|---|---|\n", title);
	for (size_t i = 0; i < ARRAY_SIZE(policy_rows); i++) {
		const struct policy_row *row = &policy_rows[i];
		if ((int)row->kind != kind)
			continue;
		fprintf(out, "| `%s` | ", row->name);
		put_text(out, row->doc, false);
		if (row->left[0])
			fputs("; left: ", out);
		put_text(out, row->left, false);
		fputs(" |\n", out);
	}
}

static void put_point_fields(FILE *out, const char *point, const char *how)
{
	bool any = false;
	for (size_t i = 0; i < ARRAY_SIZE(policy_field_rows); i++) {
		const struct policy_field_row *row = &policy_field_rows[i];
		if (strcmp(row->point, point) != 0 || strcmp(row->how, how) != 0)
			continue;
		fputs(any ? ", " : "", out);
		put_code(out, field_name(row->field));
		if (row->value[0]) {
			fputs(" = ", out);
			put_code(out, row->value);
		}
		any = true;
	}
}

static void put_policy_points(FILE *out)
{
	fputs("\n## Points\n\n| point | what happens | `evt.type` | what a guard reads there | as if it succeeded |\n"
	      "|---|---|---|---|---|\n",
	      out);
	for (size_t i = 0; i < ARRAY_SIZE(policy_rows); i++) {
		const struct policy_row *row = &policy_rows[i];
		bool any = false;
		if (row->kind != POLICY_ROW_POINT)
			continue;
		fprintf(out, "| `%s` | %s | ", row->name, row->doc);
		for (size_t k = 0; k < ARRAY_SIZE(policy_event_rows); k++) {
			if (strcmp(policy_event_rows[k].point, row->id) != 0)
				continue;
			fprintf(out, "%s`%s`", any ? ", " : "", policy_event_rows[k].event);
			any = true;
		}
		fputs(" | ", out);
		put_point_fields(out, row->id, "READ");
		fputs(" | ", out);
		put_point_fields(out, row->id, "FIXED");
		fputs(" |\n", out);
	}
	fputs("\nAt each point but `exec` also: ", out);
	put_point_fields(out, "ANY", "READ");
	fputs("; as if it succeeded: ", out);
	put_point_fields(out, "ANY", "FIXED");
	fputs("; and every other field of the scope *process* in [fields](fields.md), by a bit that picket keeps with the "
	      "process.\n",
	      out);
}

static const char *effect_word(const char *effect)
{
	return strcmp(effect, "PREVENTS") == 0 ? "prevents" : strcmp(effect, "REACTS") == 0 ? "reacts" : "observes";
}

static void put_routes(FILE *out)
{
	fputs("\n## How it is done\n\nOf the rows for an action at a point, the first is taken whose hook this kernel has; "
	      "one that *reacts* only if the policy allows it, or if the point is `event`.\n\n"
	      "| action | at | by | effect | what it does | the kernel's hooks | what is left |\n"
	      "|---|---|---|---|---|---|---|\n",
	      out);
	for (size_t i = 0; i < ARRAY_SIZE(route_rows); i++) {
		const struct route_row *row = &route_rows[i];
		fprintf(out, "| %s | `%s` | %s | %s | ", policy_name(POLICY_ROW_ACTION, row->action),
		        policy_name(POLICY_ROW_POINT, row->point),
		        guard_name(guard_mechanism_rows, ARRAY_SIZE(guard_mechanism_rows), row->mechanism),
		        effect_word(row->effect));
		put_text(out, row->does, false);
		fputs(" | ", out);
		put_text(out, row->hooks, false);
		fputs(" | ", out);
		put_text(out, row->left, false);
		fputs(" |\n", out);
	}
	fputs("\n| by | what is left, wherever it is used |\n|---|---|\n", out);
	for (size_t i = 0; i < ARRAY_SIZE(guard_mechanism_rows); i++) {
		fprintf(out, "| %s | ", guard_mechanism_rows[i].name);
		put_text(out, guard_mechanism_rows[i].what, false);
		fputs(" |\n", out);
	}
	fputs("\n| hook | what it is | what a kernel needs for it |\n|---|---|---|\n", out);
	for (size_t i = 0; i < ARRAY_SIZE(guard_hook_rows); i++) {
		fprintf(out, "| `%s` | ", guard_hook_rows[i].name);
		put_text(out, guard_hook_rows[i].what, false);
		fputs(" | ", out);
		put_text(out, guard_hook_rows[i].more, false);
		fputs(" |\n", out);
	}
}

static void put_policies(FILE *out)
{
	put_page_head(
	        out, "Policies", "policy.def",
	        "What a policy may say, and what a kernel can make of it; [policies](../policies.md) tells how to write "
	        "one.");
	put_policy_keys(out);
	put_policy_words(out, POLICY_ROW_ACTION, "Actions");
	put_policy_words(out, POLICY_ROW_MODE, "Modes");
	put_policy_words(out, POLICY_ROW_SCOPE, "Scopes");
	put_policy_points(out);
	put_routes(out);
	fputs("\n## Protected programs\n\nNo policy may name them.\n\n| program | why |\n|---|---|\n", out);
	for (size_t i = 0; i < ARRAY_SIZE(protected_rows); i++)
		fprintf(out, "| `%s` | %s |\n", protected_rows[i].path, protected_rows[i].why);
}

static int write_page(const char *dir, const char *name, void (*put)(FILE *))
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *out = fopen(path, "w");
	if (!out)
		return -errno;
	put(out);
	int r = ferror(out) ? -EIO : 0;
	if (fclose(out) != 0)
		r = -errno;
	return r;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*put)(FILE *);
	} pages[] = {
	        {"events.md", put_events},   {"fields.md", put_fields},     {"counters.md", put_counters},
	        {"sensors.md", put_sensors}, {"commands.md", put_commands}, {"policies.md", put_policies},
	};
	if (argc != 2) {
		fprintf(stderr, "usage: gen_reference DIR\n");
		return 2;
	}
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
		int r = write_page(argv[1], pages[i].name, pages[i].put);
		if (r < 0) {
			fprintf(stderr, "gen_reference: %s/%s: %s\n", argv[1], pages[i].name, strerror(-r));
			return 1;
		}
	}
	return 0;
}
