/* SPDX-License-Identifier: Apache-2.0
 *
 * picket under test. A mark is a program that this test starts in the control group and that a rule of its own
 * reports: events keep their order, so when the mark has been reported, so has everything before it. Nothing here
 * sleeps in the hope that an alert will have come.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "evasions.h"

#define MARK_RULE "Mark of the test"
#define MARK_PREFIX "picket-evasions-mark-"
#define MARK_LIMIT_NS (30 * NS_PER_S)
#define START_LIMIT_NS (30 * NS_PER_S)
#define POLL_PAUSE_US 2000
#define ALERTS_MAX 20000
#define ARGUMENTS_MAX 32
#define UNREAD_BYTES_MAX (1u << 20)

static const char own_rules[] =
        "- rule: " MARK_RULE "\n"
        "  desc: A point in time.\n"
        "  condition: evt.type = execve and evt.rawres = 0 and proc.exe startswith " MARK_PREFIX "\n"
        "  output: \"%%proc.exe\"\n"
        "  priority: Debug\n"
        "- rule: " VAULT_RULE "\n"
        "  desc: A rule of a site that names one file; so its other names are known too.\n"
        "  condition: evt.type in (open, openat, openat2) and evt.rawres >= 0 and fd.name = %s/vault/secret\n"
        "  output: \"file=%%fd.name asked=%%fd.nameraw real=%%fd.realpath\"\n"
        "  priority: Error\n";
static const char more_fields[] = "evt.type,evt.rawres,fd.name,fd.nameraw,fd.l4proto,proc.name,proc.exe,proc.exepath,"
                                  "proc.filename,evt.addr,evt.arg.flags,proc.pid,proc.ppid,proc.pname,proc.cwd,"
                                  "proc.cmdline,user.uid,group.gid,container.id";

/* ---- alerts ---- */
static void alerts_clear(struct watch *w)
{
	for (size_t i = 0; i < w->alert_count; i++)
		cJSON_Delete(w->alerts[i]);
	w->alert_count = 0;
}

static const char *alert_rule(const cJSON *alert)
{
	const char *rule = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(alert, "rule"));
	return rule ? rule : "";
}

static const cJSON *alert_field(const cJSON *alert, const char *field)
{
	return cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(alert, "output_fields"), field);
}

static bool value_fits(const cJSON *value, const char *expected)
{
	char number[32];
	const char *text = cJSON_GetStringValue(value);
	if (cJSON_IsNumber(value)) {
		snprintf(number, sizeof(number), "%lld", (long long)cJSON_GetNumberValue(value));
		text = number;
	}
	if (!text)
		return false;
	if (expected[0] == '~')
		return strstr(text, expected + 1) != NULL;
	if (expected[0] == '^')
		return strncmp(text, expected + 1, strlen(expected + 1)) == 0;
	return strcmp(text, expected) == 0;
}

static bool alert_fits(const cJSON *alert, const struct evasion *e)
{
	if (strcmp(alert_rule(alert), e->rule) != 0)
		return false;
	for (size_t i = 0; i < EXPECT_MAX && e->expect[i].field; i++)
		if (!value_fits(alert_field(alert, e->expect[i].field), e->expect[i].value))
			return false;
	return true;
}

const struct cJSON *watch_find(const struct watch *w, const struct evasion *e)
{
	for (size_t i = 0; i < w->alert_count; i++)
		if (alert_fits(w->alerts[i], e))
			return w->alerts[i];
	return NULL;
}

/* The start of this very program is no deed of a case: it may lie in a place from which programs are not to run. */
static bool is_own_start(const struct watch *w, const struct cJSON *alert)
{
	const char *type = cJSON_GetStringValue(alert_field(alert, "evt.type"));
	const char *exe = cJSON_GetStringValue(alert_field(alert, "proc.exepath"));
	return type && exe && strcmp(type, "execve") == 0 && strcmp(exe, w->stage->self) == 0;
}

const struct cJSON *watch_find_rule(const struct watch *w, const char *rule)
{
	for (size_t i = 0; i < w->alert_count; i++)
		if (strcmp(alert_rule(w->alerts[i]), rule) == 0 && !is_own_start(w, w->alerts[i]))
			return w->alerts[i];
	return NULL;
}

void watch_show(const struct watch *w)
{
	for (size_t i = 0; i < w->alert_count; i++) {
		const char *output = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(w->alerts[i], "output"));
		printf("    | %s: %s\n", alert_rule(w->alerts[i]), output ? output : "");
	}
}

/* ---- reading them as they come ---- */
/* A mark is no deed either. That of another watch of the stage would be seen only by those that were there already. */
static bool is_of_mark(const cJSON *alert)
{
	return value_fits(alert_field(alert, "proc.exe"), "^" MARK_PREFIX);
}

/* Takes a line; returns true if it is the mark. */
static bool take_line(struct watch *w, const char *line, size_t length, const char *mark)
{
	cJSON *alert = cJSON_ParseWithLength(line, length);
	if (!alert)
		return false;
	bool is_mark = is_of_mark(alert);
	bool found = strcmp(alert_rule(alert), MARK_RULE) == 0 && value_fits(alert_field(alert, "proc.exe"), mark);
	if (!is_mark && !w->take && w->alert_count < ALERTS_MAX) {
		w->alerts[w->alert_count++] = alert;
		return false;
	}
	if (!is_mark && w->take)
		w->take(w->userdata, alert);
	else
		w->overflow |= !is_mark;
	cJSON_Delete(alert);
	return found;
}

static bool take_lines(struct watch *w, const char *mark)
{
	char *begin = w->unread, *end = w->unread + w->unread_bytes, *newline;
	bool found = false;
	while (!found && (newline = memchr(begin, '\n', (size_t)(end - begin)))) {
		found = take_line(w, begin, (size_t)(newline - begin), mark);
		begin = newline + 1;
	}
	w->unread_bytes = (size_t)(end - begin);
	memmove(w->unread, begin, w->unread_bytes);
	return found;
}

static int read_until(struct watch *w, const char *mark, uint64_t limit_ns)
{
	uint64_t begin = clock_monotonic_ns();
	while (!take_lines(w, mark)) {
		ssize_t n = read(w->alerts_fd, w->unread + w->unread_bytes, UNREAD_BYTES_MAX - w->unread_bytes);
		if (n < 0)
			return -errno;
		w->unread_bytes += (size_t)n;
		if (n > 0)
			continue;
		if (clock_monotonic_ns() - begin > limit_ns)
			return -ETIME;
		usleep(POLL_PAUSE_US);
	}
	return 0;
}

static int mark(struct watch *w, uint64_t limit_ns)
{
	char text[100];
	snprintf(text, sizeof(text), MARK_PREFIX "%s-%u", w->name, w->marks++);
	int r = stage_run(w->stage, "/bin/true", text);
	return r < 0 ? r : read_until(w, text, limit_ns);
}

int watch_collect(struct watch *w)
{
	alerts_clear(w);
	w->overflow = false;
	int r = mark(w, MARK_LIMIT_NS);
	return r == 0 && w->overflow ? -ENOBUFS : r;
}

/* ---- picket ---- */
static void stage_file(const struct stage *s, const char *name, char *ret_path, size_t size)
{
	snprintf(ret_path, size, "%s/%s", s->directory, name);
}

static void watch_file(const struct watch *w, const char *suffix, char *ret_path, size_t size)
{
	snprintf(ret_path, size, "%s/%s.%s", w->stage->directory, w->name, suffix);
}

static int write_own_rules(const struct watch *w, char *ret_path, size_t size)
{
	const struct stage *s = w->stage;
	char vault[200], file[200];
	watch_file(w, "rules.yaml", ret_path, size);
	FILE *f = fopen(ret_path, "we");
	if (!f)
		return -errno;
	fprintf(f, own_rules, s->directory);
	if (fclose(f) != 0)
		return -errno;
	stage_file(s, "vault", vault, sizeof(vault));
	if (mkdir(vault, 0755) < 0)
		return errno == EEXIST ? 0 : -errno; /* another watch of this stage made it */
	for (int i = 0; i < 2; i++) {
		stage_file(s, i ? "vault/other" : "vault/secret", file, sizeof(file));
		int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0 || write(fd, "x", 1) != 1)
			return -errno;
		close(fd);
	}
	return 0;
}

static _Noreturn void become_picket(const struct stage *s, const char *picket, const char *rules,
                                    const char *const *more, const char *own, const char *alerts, const char *errors)
{
	const char *argv[ARGUMENTS_MAX + 1] = {
	        picket, "run",     "--no-color",   "--match", "all",      "--status-socket",
	        "none", "--stats", "--cpu-budget", "0",       "--cgroup", s->cgroup,
	        "-r",   own,       "-r",           rules,     "--json",   "-o",
	        alerts, "-a",      more_fields};
	size_t count = 0;
	while (argv[count])
		count++;
	for (; more && *more && count < ARGUMENTS_MAX; more++)
		argv[count++] = *more;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int err = open(errors, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (null < 0 || err < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
	    dup2(err, STDERR_FILENO) < 0)
		_exit(126);
	execv(picket, (char *const *)argv);
	_exit(127);
}

static void read_errors(const struct watch *w, char *ret_text, size_t size)
{
	char path[200];
	watch_file(w, "errors", path, sizeof(path));
	FILE *f = fopen(path, "re");
	size_t n = f ? fread(ret_text, 1, size - 1, f) : 0;
	while (n > 0 && ret_text[n - 1] == '\n')
		n--;
	ret_text[n] = '\0';
	if (f)
		fclose(f);
}

/* Marks until one is reported: those before picket watched are not. */
static int wait_for_start(struct watch *w, char *ret_reason, size_t size)
{
	uint64_t begin = clock_monotonic_ns();
	int status, r;
	do {
		if (waitpid(w->pid, &status, WNOHANG) == w->pid) {
			w->pid = 0;
			read_errors(w, ret_reason, size);
			return WIFEXITED(status) && WEXITSTATUS(status) == 3 ? -EOPNOTSUPP : -ECHILD;
		}
		r = mark(w, NS_PER_S / 20);
	} while (r == -ETIME && clock_monotonic_ns() - begin < START_LIMIT_NS);
	if (r < 0)
		snprintf(ret_reason, size, "picket has not begun to watch: %s", strerror(-r));
	return r;
}

int watch_open(struct watch *w, const struct stage *s, const char *name, const char *picket, const char *rules,
               const char *const *more, char *ret_reason, size_t size)
{
	char own[200], alerts[200], errors[200];
	*w = (struct watch){.stage = s, .name = name, .alerts_fd = -1};
	watch_file(w, "alerts.json", alerts, sizeof(alerts));
	watch_file(w, "errors", errors, sizeof(errors));
	w->unread = malloc(UNREAD_BYTES_MAX);
	w->alerts = calloc(ALERTS_MAX, sizeof(struct cJSON *));
	if (!w->unread || !w->alerts)
		return -ENOMEM;
	int r = write_own_rules(w, own, sizeof(own));
	if (r == 0)
		w->alerts_fd = open(alerts, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
	if (r < 0 || w->alerts_fd < 0) {
		snprintf(ret_reason, size, "%s: %s", s->directory, strerror(r < 0 ? -r : errno));
		return -EIO;
	}
	w->pid = fork();
	if (w->pid == 0)
		become_picket(s, picket, rules, more, own, alerts, errors);
	return w->pid < 0 ? -errno : wait_for_start(w, ret_reason, size);
}

int watch_end(struct watch *w, char *ret_reason, size_t size)
{
	int status;
	kill(w->pid, SIGTERM);
	while (waitpid(w->pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	w->pid = 0;
	read_errors(w, ret_reason, size);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return -ECHILD;
	return strstr(ret_reason, "none lost") ? 0 : -ENODATA;
}

void watch_close(struct watch *w)
{
	if (w->pid > 0) {
		kill(w->pid, SIGTERM);
		waitpid(w->pid, NULL, 0);
	}
	alerts_clear(w);
	free(w->alerts);
	free(w->unread);
	if (w->alerts_fd >= 0)
		close(w->alerts_fd);
}
