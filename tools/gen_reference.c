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
	        {"sensors.md", put_sensors}, {"commands.md", put_commands},
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
