/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/bundle.h"
#include "cli/judging.h"
#include "cli/rules.h"
#include "cli/ui.h"
#include "core/log.h"
#include "core/sieve.h"
#include "loader/loader.h"
#include "trust/boot.h"

#define OUT_BYTES_MAX (1u << 20)
#define SENSORS_MAX 32
#define REQUIREMENTS_MAX 32
#define NAME_COLUMNS 20

struct findings {
	struct loader_requirement requirements[REQUIREMENTS_MAX];
	size_t requirement_count;
	struct loader_sensor_report sensors[SENSORS_MAX];
	size_t sensor_count;
	bool sieve_known; /* the rules could be read */
	size_t rule_count;
	struct sieve_status sieve;
	struct event_set unsieved; /* types of events of which all are sent that happen */
	bool boot_known;           /* a picket began with the state directory */
	struct boot boot;
	bool fatal, degraded;
};

enum mark { MARK_GOOD, MARK_WEAK, MARK_BAD };

static bool has_text(const char *text)
{
	return text && text[0];
}

static enum mark requirement_mark(const struct loader_requirement *r)
{
	return r->ok ? MARK_GOOD : r->fatal ? MARK_BAD : MARK_WEAK;
}

static enum mark sensor_mark(const struct loader_sensor_report *s)
{
	return !s->hook ? MARK_BAD : s->error < 0 ? MARK_WEAK : MARK_GOOD;
}

static void findings_get(struct findings *f)
{
	f->requirement_count = MIN(loader_requirements(f->requirements, REQUIREMENTS_MAX), (size_t)REQUIREMENTS_MAX);
	f->sensor_count = loader_probe(f->sensors, SENSORS_MAX);
	size_t working = 0;
	for (size_t i = 0; i < f->requirement_count; i++) {
		f->fatal |= requirement_mark(&f->requirements[i]) == MARK_BAD;
		f->degraded |= requirement_mark(&f->requirements[i]) == MARK_WEAK;
	}
	for (size_t i = 0; i < f->sensor_count; i++) {
		working += f->sensors[i].hook != NULL;
		f->degraded |= sensor_mark(&f->sensors[i]) != MARK_GOOD;
	}
	f->fatal |= working == 0;
}

/* How the last start fared, which only root may know. */
static void boot_get(const struct args *args, struct findings *f)
{
	const char *path = args_get(args, "state");
	f->boot_known = boot_read(path ? path : BUNDLE_STATE, &f->boot) == 0;
	f->degraded |= f->boot_known && f->boot.rung != BOOT_NORMAL;
}

/* ---- the sieve of the rules ---- */

static void find_unsieved(const struct rule_set *rules, struct findings *f)
{
	struct event_set wanted = {0};
	rule_set_events(rules, &wanted);
	for (size_t i = 0; i < f->sieve.count; i++) {
		const struct sieve_program *p = &f->sieve.programs[i];
		for (size_t t = 0; t < p->type_count && !p->why[0]; t++)
			wanted.bits[p->types[t] / 64] &= ~(1ull << p->types[t] % 64);
	}
	f->unsieved = wanted;
}

/* What is wrong with the rules is told by `picket rules check`. */
static int sieve_get(const struct args *args, struct findings *f)
{
	_cleanup_(rule_programs_freep) struct rule_programs *programs = NULL;
	_cleanup_(rule_set_freep) struct rule_set *rules = NULL;
	struct rules_options options;
	int r = rules_options_init(args, &options);
	if (r != CLI_OK)
		return r;
	if (rules_options_load(args, &options, false, &rules) != CLI_OK || rule_programs_new(rules, &programs) < 0)
		return args_get(args, "rules") ? CLI_BAD : CLI_OK;
	sieve_try(programs, &f->sieve);
	f->sieve_known = true;
	f->rule_count = rule_set_count(rules);
	for (size_t i = 0; i < f->sieve.count; i++)
		f->degraded |= f->sieve.programs[i].why[0] != '\0';
	find_unsieved(rules, f);
	return CLI_OK;
}

/* ---- text ---- */

struct sheet {
	struct buf *out;
	bool color;
	unsigned width;
};

static void add_head(const struct sheet *s, enum mark mark, const char *name)
{
	static const struct {
		const char *sign, *code;
	} marks[] = {[MARK_GOOD] = {"✓", UI_GREEN}, [MARK_WEAK] = {"!", UI_YELLOW}, [MARK_BAD] = {"✗", UI_RED}};
	buf_printf(s->out, "  %s%s%s ", ui_code(s->color, marks[mark].code), marks[mark].sign,
	           ui_code(s->color, UI_RESET));
	ui_add_padded(str_from(name), NAME_COLUMNS, s->out);
	buf_add_char(s->out, ' ');
}

static void add_note(const struct sheet *s, const char *label, const char *text)
{
	unsigned column = NAME_COLUMNS + 5;
	if (!has_text(text))
		return;
	buf_printf(s->out, "%*s%s%s%s ", (int)column, "", ui_code(s->color, UI_DIM), label,
	           ui_code(s->color, UI_RESET));
	ui_add_wrapped(str_from(text), column + (unsigned)strlen(label) + 1, column, s->width, s->out);
	buf_add_char(s->out, '\n');
}

static void add_requirement(const struct sheet *s, const struct loader_requirement *r)
{
	add_head(s, requirement_mark(r), r->name);
	buf_printf(s->out, "%s\n", r->found);
	if (!r->ok)
		add_note(s, "change:", r->change);
}

static void add_sensor(const struct sheet *s, const struct loader_sensor_report *r)
{
	add_head(s, sensor_mark(r), r->name);
	if (r->hook)
		buf_printf(s->out, "%s  %s%s%s\n", r->what, ui_code(s->color, UI_DIM), r->hook,
		           ui_code(s->color, UI_RESET));
	else
		buf_printf(s->out, "%s: not observed\n", r->what);
	if (r->error < 0)
		add_note(s, r->hook ? "the better hook was refused:" : "refused:", strerror(-r->error));
	add_note(s, r->error < 0 || !r->hook ? "lost:" : "limits:", r->lost);
	add_note(s, "change:", r->change);
}

static void add_boot(const struct sheet *s, const struct boot *b)
{
	static const char *const texts[BOOT_RUNGS] = {
	        [BOOT_NORMAL] = "starts prove themselves",
	        [BOOT_WATCH] = "starts died: picket only watches, and no policy acts",
	        [BOOT_OFF] = "starts died: picket's sensors are off, and only its status is served"};
	add_head(s, b->rung == BOOT_NORMAL ? MARK_GOOD : MARK_BAD, "content");
	buf_printf(s->out, "%s\n", texts[b->rung]);
	if (b->rung != BOOT_NORMAL)
		add_note(
		        s, "change:",
		        "look at picket history --verbose; apply a bundle that works, or let a start live for a minute");
}

static void add_verdict(const struct sheet *s, const struct findings *f)
{
	const char *code = f->fatal ? UI_RED : f->degraded ? UI_YELLOW : UI_GREEN;
	const char *text = f->fatal      ? "picket cannot run here."
	                   : f->degraded ? "picket runs here, with the losses that are named above."
	                                 : "picket runs here, and sees all that it can see.";
	buf_printf(s->out, "\n%s%s%s\n", ui_code(s->color, code), text, ui_code(s->color, UI_RESET));
}

static void add_types(const struct sieve_program *p, struct buf *out)
{
	for (size_t i = 0; i < p->type_count; i++)
		buf_printf(out, "%s%s", out->length ? " " : "", event_type_info(p->types[i])->name);
}

static void add_refused(const struct sheet *s, const struct sieve_program *p)
{
	_cleanup_(buf_done) struct buf types;
	buf_init(&types, OUT_BYTES_MAX);
	add_types(p, &types);
	add_head(s, MARK_WEAK, types.data ? types.data : "");
	buf_printf(s->out, "all pass\n");
	add_note(s, "refused:", p->why);
}

static void add_taken(const struct sheet *s, const struct sieve_status *sieve)
{
	_cleanup_(buf_done) struct buf types;
	size_t count = 0, most = 0;
	buf_init(&types, OUT_BYTES_MAX);
	for (size_t i = 0; i < sieve->count; i++) {
		const struct sieve_program *p = &sieve->programs[i];
		if (p->why[0])
			continue;
		add_types(p, &types);
		most = MAX(most, p->insn_count);
		count++;
	}
	if (count == 0)
		return;
	add_head(s, MARK_GOOD, "programs");
	buf_printf(s->out, "%zu, of up to %zu instructions, which this kernel takes\n", count, most);
	add_note(s, "by what the event is:", types.data);
}

static void add_sieve(const struct sheet *s, const struct findings *f)
{
	_cleanup_(buf_done) struct buf types;
	buf_init(&types, OUT_BYTES_MAX);
	buf_printf(s->out, "\n%sSieve: what the kernel drops because none of %zu rules can match%s\n",
	           ui_code(s->color, UI_BOLD), f->rule_count, ui_code(s->color, UI_RESET));
	add_taken(s, &f->sieve);
	for (size_t i = 0; i < f->sieve.count; i++)
		if (f->sieve.programs[i].why[0])
			add_refused(s, &f->sieve.programs[i]);
	for (unsigned type = 1; type < EVENT_TYPE_MAX; type++)
		if (event_set_has(&f->unsieved, type))
			buf_printf(&types, "%s%s", types.length ? " " : "", event_type_info(type)->name);
	add_note(s, "by the process alone:", types.data);
}

static void add_text(const struct sheet *s, const struct findings *f)
{
	buf_printf(s->out, "%sThis machine%s\n", ui_code(s->color, UI_BOLD), ui_code(s->color, UI_RESET));
	for (size_t i = 0; i < f->requirement_count; i++)
		add_requirement(s, &f->requirements[i]);
	if (f->boot_known)
		add_boot(s, &f->boot);
	buf_printf(s->out, "\n%sSensors%s\n", ui_code(s->color, UI_BOLD), ui_code(s->color, UI_RESET));
	for (size_t i = 0; i < f->sensor_count; i++)
		add_sensor(s, &f->sensors[i]);
	if (f->sieve_known)
		add_sieve(s, f);
	add_verdict(s, f);
}

/* ---- JSON ---- */

static void json_requirement(struct json *j, const struct loader_requirement *r)
{
	json_begin_object(j);
	ui_json_text(j, "name", r->name);
	json_key(j, "ok");
	json_bool(j, r->ok);
	json_key(j, "fatal");
	json_bool(j, r->fatal);
	ui_json_text(j, "found", r->found);
	ui_json_text(j, "change", r->ok ? "" : r->change);
	json_end_object(j);
}

static void json_sensor(struct json *j, const struct loader_sensor_report *r)
{
	json_begin_object(j);
	ui_json_text(j, "name", r->name);
	ui_json_text(j, "what", r->what);
	ui_json_text(j, "hook", r->hook);
	ui_json_text(j, "lost", r->lost);
	ui_json_text(j, "change", r->change);
	ui_json_text(j, "error", r->error < 0 ? strerror(-r->error) : NULL);
	json_end_object(j);
}

static void add_json(const struct findings *f, struct buf *out)
{
	struct json j;
	json_init(&j, out);
	json_begin_object(&j);
	ui_json_text(&j, "verdict", f->fatal ? "impossible" : f->degraded ? "degraded" : "good");
	json_key(&j, "requirements");
	json_begin_array(&j);
	for (size_t i = 0; i < f->requirement_count; i++)
		json_requirement(&j, &f->requirements[i]);
	json_end_array(&j);
	json_key(&j, "sensors");
	json_begin_array(&j);
	for (size_t i = 0; i < f->sensor_count; i++)
		json_sensor(&j, &f->sensors[i]);
	json_end_array(&j);
	if (f->boot_known)
		ui_json_text(&j, "content", boot_rung_name(f->boot.rung));
	if (f->sieve_known)
		sieve_report(&f->sieve, &j);
	json_end_object(&j);
	buf_add_char(out, '\n');
}

int command_doctor(const struct args *args)
{
	_cleanup_(buf_done) struct buf out = {0};
	struct findings findings = {0};
	if (args_no_words(args) < 0)
		return CLI_USAGE;
	buf_init(&out, OUT_BYTES_MAX);
	findings_get(&findings);
	boot_get(args, &findings);
	int r = findings.fatal ? CLI_OK : sieve_get(args, &findings);
	if (r != CLI_OK)
		return r;
	const struct sheet sheet = {&out, ui_color(args, STDOUT_FILENO), MIN(ui_width(STDOUT_FILENO), 110u)};
	if (args_has(args, "json"))
		add_json(&findings, &out);
	else
		add_text(&sheet, &findings);
	r = ui_print(&out);
	if (r != CLI_OK)
		return r;
	return findings.fatal ? CLI_IMPOSSIBLE : findings.degraded ? CLI_BAD : CLI_OK;
}
