/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of the store.
 */
#ifndef PICKET_TRUST_STORE_INT_H
#define PICKET_TRUST_STORE_INT_H

#include "trust/store.h"
#include "trust/trust_int.h"

#define STORE_CODE "STORE_ERR"
#define STATE_BYTES_MAX (32u << 10)

/* ---- state.c ---- */
int state_parse(struct str text, const char *name, struct diag_list *reterr_diags, struct store_state *ret_state)
        must_check; /* 0; -EINVAL: told */
void state_write(const struct store_state *s, struct buf *out);

/* ---- history.c ---- */

/* Where a history ends. */
struct history_end {
	uint64_t count;     /* lines, ever */
	struct digest head; /* hash of the last */
	size_t bytes;       /* of the file history: its whole lines */
};
/* Looks at every line in dir. call may be NULL. known: what the state says of it.
 * Returns 0; -errno of reading; -ENOMEM. ret_end: as far as all is as it must be. */
int history_walk(int dir, const struct history_end *known,
                 void (*call)(void *userdata, const struct history_line *line), void *userdata,
                 struct history_verdict *ret_verdict, struct history_end *ret_end) must_check;
/* Writes a line behind end, which it moves on. Returns 0; -errno: what was written of it is taken away again, if that
 * could be done. */
int history_append(int dir, struct history_end *end, const char *what, uint64_t time_s, struct str evidence) must_check;
/* Takes away what stands behind the whole lines. Returns 0, -errno. */
int history_cut(int dir, const struct history_end *end) must_check;

#endif
