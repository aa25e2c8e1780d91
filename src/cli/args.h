/* SPDX-License-Identifier: Apache-2.0
 *
 * A command line, taken apart by the tables of command.h.
 */
#ifndef PICKET_CLI_ARGS_H
#define PICKET_CLI_ARGS_H

#include "base/buf.h"
#include "cli/command.h"

struct args {
	const struct command_info *command;
	struct args_option {
		const struct option_info *info;
		const char *value; /* NULL: the option takes none */
	} * options;               /* in the order given */
	size_t option_count;
	const char **words; /* what is no option */
	size_t word_count;
};

/* Takes argv[0..argc-1], what follows the command's name. Strings are borrowed.
 * Returns 0; -EINVAL: reterr_text says what is wrong, one sentence and perhaps a hint; -ENOMEM. */
int args_parse(const struct command_info *command, int argc, char *const *argv, struct args *ret_args,
               struct buf *reterr_text) must_check;
void args_done(struct args *a); /* also for _cleanup_ */

/* name must be an option of the command, or of all. */
bool args_has(const struct args *a, const char *name);
size_t args_count(const struct args *a, const char *name);
const char *args_get(const struct args *a, const char *name); /* the last value given; NULL: none */
bool args_next(const struct args *a, const char *name, size_t *position, const char **ret_value); /* start with 0 */
/* The words with blanks between: a filter. */
void args_join_words(const struct args *a, size_t first, struct buf *out);

/* ---- values: on -EINVAL a message was written to standard error; ret_… is untouched if the option was not given ---- */
int args_get_u64(const struct args *a, const char *name, uint64_t max, uint64_t *ret_number) must_check;
int args_get_duration(const struct args *a, const char *name, uint64_t *ret_ns) must_check; /* more than 0 */
int args_get_size(const struct args *a, const char *name, uint64_t *ret_bytes) must_check;  /* 8M, 100K, 1G, bytes */
int args_no_words(const struct args *a) must_check;

#endif
