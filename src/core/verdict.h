/* SPDX-License-Identifier: Apache-2.0
 *
 * What guards tell, in words.
 */
#ifndef PICKET_CORE_VERDICT_H
#define PICKET_CORE_VERDICT_H

#include "base/buf.h"
#include "event/value.h"
#include "loader/guards.h"

const char *verdict_kind_name(uint32_t kind);   /* "acted", "would-act" …; NULL: there is none */
const char *verdict_point_name(uint32_t point); /* "exec", "connect" …; NULL: there is none */
bool verdict_address(const struct guard_verdict *v, struct ip *ret_address); /* false: it has none */
/* "1.2.3.4:25", "[::1]:25"; nothing if it has no address. */
void verdict_add_endpoint(const struct guard_verdict *v, struct buf *out);
/* "c 1:3"; nothing if it is about no device. */
void verdict_add_device(const struct guard_verdict *v, struct buf *out);
/* "connect of bash[18246] to 127.0.0.1:25". The verdict's point has a name. */
void verdict_add_deed(const struct guard_verdict *v, struct buf *out);
struct str verdict_program(const struct guard_verdict *v);
struct str verdict_path(const struct guard_verdict *v);
/* its beginning; empty: not known */ /* its name, as the kernel has it: any bytes */

#endif
