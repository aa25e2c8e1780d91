/* SPDX-License-Identifier: Apache-2.0
 *
 * Images: the strings of one exec, in one allocation with their struct.
 */
#include "enrich/process_int.h"

#include <errno.h>
#include <stdlib.h>

/* All images together. Beyond it new ones keep only the beginning of their arguments and no environment: a storm of
 * programs with long argument lists must not take the host's memory. */
#define IMAGES_MAX_BYTES (256u << 20)
#define ARGV_IN_SHORTAGE 512u

static size_t images_bytes; /* of all tables of this process; not thread-safe, as the room says */

uint64_t arg_number(const struct event *e, const char *name)
{
	const struct arg_info *a = event_find_arg(e->info, str_from(name));
	return a ? event_arg_number(e, a) : 0;
}

bool arg_text(const struct event *e, const char *name, struct str *ret_text, bool *ret_truncated)
{
	const struct arg_info *a = event_find_arg(e->info, str_from(name));
	return a && event_arg_slot(e, a, ret_text, ret_truncated);
}

int str_replace(struct str *s, struct str text)
{
	if (str_equal(*s, text))
		return 0;
	char *copy = malloc(text.length + 1);
	if (!copy)
		return -ENOMEM;
	if (text.length)
		memcpy(copy, text.data, text.length);
	copy[text.length] = '\0';
	free((char *)s->data);
	*s = str_make(copy, text.length);
	return 0;
}

struct image *image_new(void)
{
	struct image *i = calloc(1, sizeof(*i));
	if (i) {
		i->references = 1;
		i->bytes = sizeof(*i);
		images_bytes += i->bytes;
	}
	return i;
}

struct image *image_ref(struct image *i)
{
	i->references++;
	return i;
}

void image_unref(struct image *i)
{
	if (!i || --i->references)
		return;
	images_bytes -= i->bytes;
	free(i);
}

static struct str place(char **end, struct str text)
{
	if (!text.data)
		return text;
	char *data = *end;
	if (text.length)
		memcpy(data, text.data, text.length);
	data[text.length] = '\0';
	*end += text.length + 1;
	return str_make(data, text.length);
}

struct image *image_from_event(const struct event *e)
{
	struct str comm = {0}, argv = {0}, environ_ = {0}, exepath = {0}, filename = {0}, interp = {0};
	bool argv_cut = false, path_cut = false, ignored;
	arg_text(e, "comm_new", &comm, &ignored);
	arg_text(e, "argv", &argv, &argv_cut);
	arg_text(e, "environ", &environ_, &ignored);
	arg_text(e, "exepath", &exepath, &path_cut);
	arg_text(e, "filename", &filename, &ignored);
	arg_text(e, "interp", &interp, &ignored);
	if (images_bytes > IMAGES_MAX_BYTES) {
		environ_ = (struct str){0};
		argv_cut |= argv.length > ARGV_IN_SHORTAGE;
		argv.length = MIN(argv.length, ARGV_IN_SHORTAGE);
	}
	size_t bytes = sizeof(struct image) + comm.length + argv.length + environ_.length + exepath.length +
	               filename.length + interp.length + 6;
	struct image *i = calloc(1, bytes);
	if (!i)
		return NULL;
	images_bytes += bytes;
	char *end = (char *)(i + 1);
	*i = (struct image){
	        .references = 1,
	        .bytes = bytes,
	        .comm = place(&end, comm),
	        .argv = place(&end, argv),
	        .environ_ = place(&end, environ_),
	        .exepath = place(&end, exepath),
	        .filename = place(&end, filename),
	        .interp = place(&end, interp),
	        .argv_truncated = argv_cut,
	        .exepath_truncated = path_cut,
	        .flags = arg_number(e, "flags"),
	        .dev = (uint32_t)arg_number(e, "exe_dev"),
	        .inode = arg_number(e, "exe_inode"),
	        .owner = (uint32_t)arg_number(e, "exe_owner"),
	        .mode = (uint32_t)arg_number(e, "exe_mode"),
	        .nlink = (uint32_t)arg_number(e, "exe_nlink"),
	        .ctime_ns = arg_number(e, "exe_ctime"),
	        .mtime_ns = arg_number(e, "exe_mtime"),
	        .exec_ns = e->header->time_ns,
	};
	return i;
}
