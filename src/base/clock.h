/* SPDX-License-Identifier: Apache-2.0
 *
 * Clocks and how times are printed. All times are nanoseconds.
 */
#ifndef PICKET_BASE_CLOCK_H
#define PICKET_BASE_CLOCK_H

#include "base/buf.h"

#define NS_PER_S 1000000000ull
#define NS_PER_MS 1000000ull

uint64_t clock_boot_ns(void); /* CLOCK_BOOTTIME, the events' clock */
uint64_t clock_monotonic_ns(void);
uint64_t clock_real_ns(void);                                                   /* since 1970 */
uint64_t clock_boot_offset_ns(void);                                            /* real - boot, now */
void clock_add_iso8601(struct buf *out, uint64_t real_ns);                      /* 2026-11-21T23:56:18.629547940Z */
void clock_add_offset(struct buf *out, uint64_t real_ns);                       /* 2026-11-21T23:56:18.629547940+0000 */
void clock_add_local_time(struct buf *out, uint64_t real_ns, bool with_ns);     /* 23:56:18.629547940 */
void clock_add_local_datetime(struct buf *out, uint64_t real_ns, bool with_ns); /* 2026-11-21 23:56:18.629547940 */
/* "500ms", "30s", "5m", "2h", "1d", or a bare number of seconds. Returns 0, -EINVAL, -ERANGE. */
int clock_parse_duration(struct str s, uint64_t *ret_ns) must_check;

#endif
