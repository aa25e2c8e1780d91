/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/ui.h"
#include "core/log.h"

#define FIRST_NS (500 * NS_PER_MS)
#define EACH_NS (100 * NS_PER_MS)
#define BAR_COLUMNS 30
#define LOOKS_BETWEEN_CLOCKS 256 /* calls of progress_is_due() that do not read the clock */

static struct {
	bool on, color, drawn;
	const char *noun;
	uint64_t started_ns, next_ns;
	unsigned looks;
} progress;

void progress_start(bool color, const char *noun)
{
	progress.on = isatty(STDERR_FILENO);
	progress.color = color;
	progress.noun = noun;
	progress.drawn = false;
	progress.started_ns = clock_monotonic_ns();
	progress.next_ns = progress.started_ns + FIRST_NS;
	log_set_before(progress_clear);
}

bool progress_is_due(void)
{
	if (!progress.on || ++progress.looks % LOOKS_BETWEEN_CLOCKS != 0)
		return false;
	return clock_monotonic_ns() >= progress.next_ns;
}

static void bar_draw(uint64_t done, uint64_t total)
{
	unsigned filled = (unsigned)(MIN(done, total) * BAR_COLUMNS / total);
	fputs(ui_code(progress.color, UI_CYAN), stderr);
	for (unsigned i = 0; i < BAR_COLUMNS; i++)
		fputs(i < filled ? "█" : "░", stderr);
	fprintf(stderr, "%s %3" PRIu64 "%%  ", ui_code(progress.color, UI_RESET), MIN(done, total) * 100 / total);
}

void progress_update(uint64_t done, uint64_t total, uint64_t count)
{
	uint64_t now = clock_monotonic_ns();
	if (!progress.on || now < progress.next_ns)
		return;
	double seconds = (double)(now - progress.started_ns) / 1e9;
	progress.next_ns = now + EACH_NS;
	progress.drawn = true;
	fputs("\r", stderr);
	if (total > 0)
		bar_draw(done, total);
	fprintf(stderr, "%" PRIu64 " %s, %.0f a second\033[K", count, progress.noun, (double)count / seconds);
	fflush(stderr);
}

void progress_clear(void)
{
	if (!progress.drawn)
		return;
	fputs("\r\033[K", stderr);
	fflush(stderr);
	progress.drawn = false;
}

void progress_end(void)
{
	progress_clear();
	progress.on = false;
	log_set_before(NULL);
}
