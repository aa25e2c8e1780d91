/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/powers_show.h"
#include "cli/ui.h"
#include "cli/verify_files.h"
#include "cli/verify_show.h"
#include "cli/vm_source.h"
#include "core/log.h"

#define OUT_BYTES_MAX (256u << 20)

static void powers_input_done(struct powers_input *in)
{
	picket_powers_free(in->powers);
	picket_image_free(in->image);
	*in = (struct powers_input){0};
}

static int object_read(struct powers_input *in, struct str bytes, enum picket_kind kind)
{
	struct picket_error error = {0};
	int r = picket_image_open(bytes.data, bytes.length, &in->image, &error);
	if (r == 0)
		r = picket_powers_of(in->image, kind, &in->powers, &error);
	return r < 0 ? vm_tell_error(in->path, r, &error) : CLI_OK;
}

static int list_read(struct powers_input *in, struct str text)
{
	struct picket_error error = {0};
	int r = picket_powers_read(text.data, text.length, &in->powers, &error);
	return r < 0 ? vm_tell_error(in->path, r, &error) : CLI_OK;
}

/* An object, or the list of one that was written by --canonical. */
static int input_read(const struct args *args, const char *path, struct powers_input *ret_in)
{
	_cleanup_(buf_done) struct buf bytes;
	enum picket_kind kind = PICKET_KIND_AUTO;
	int r = vm_file_read(path, &bytes);
	if (r == CLI_OK)
		r = verify_kind_option(args, &kind);
	if (r != CLI_OK)
		return r;
	ret_in->path = path;
	if (verify_is_elf(buf_str(&bytes)))
		return object_read(ret_in, buf_str(&bytes), kind);
	if (str_starts_with(buf_str(&bytes), STR("picket-powers ")))
		return list_read(ret_in, buf_str(&bytes));
	log_error("%s: neither an eBPF object nor a list that picket powers --canonical wrote", path);
	return CLI_BAD;
}

static int print_canonical(const struct powers_input *in)
{
	_cleanup_(base_free_ptr) char *text = NULL;
	struct buf out = {0};
	int r = picket_powers_write(in->powers, &text, &out.length);
	if (r < 0) {
		log_error("%s: %s", in->path, strerror(-r));
		return CLI_BAD;
	}
	out.data = text;
	return ui_print(&out);
}

static int compare(const struct args *args, const struct powers_input *now, const struct powers_look *look,
                   struct buf *out)
{
	_cleanup_(powers_input_done) struct powers_input old = {0};
	bool added = false;
	int r = input_read(args, args_get(args, "compare"), &old);
	if (r != CLI_OK)
		return r;
	r = powers_show_difference(&old, now, look, out, &added);
	if (r < 0) {
		log_error("%s: %s", now->path, strerror(-r));
		return CLI_BAD;
	}
	r = ui_print(out);
	return r == CLI_OK && added ? CLI_BAD : r;
}

static int options_check(const struct args *args)
{
	size_t ways = args_has(args, "canonical") + args_has(args, "json");
	if (args->word_count != 1) {
		log_error("of which object? picket powers FILE.o");
		return CLI_USAGE;
	}
	if (ways > 1 || (args_has(args, "canonical") && args_has(args, "compare"))) {
		log_error("--canonical is a text of its own; leave out --json and --compare");
		return CLI_USAGE;
	}
	return CLI_OK;
}

int command_powers(const struct args *args)
{
	_cleanup_(powers_input_done) struct powers_input in = {0};
	_cleanup_(buf_done) struct buf out;
	struct powers_look look = {
	        .color = ui_color(args, STDOUT_FILENO),
	        .json = args_has(args, "json"),
	        .width = ui_width(STDOUT_FILENO),
	};
	buf_init(&out, OUT_BYTES_MAX);
	int r = options_check(args);
	if (r == CLI_OK)
		r = input_read(args, args->words[0], &in);
	if (r != CLI_OK)
		return r;
	if (args_has(args, "canonical"))
		return print_canonical(&in);
	if (args_has(args, "compare"))
		return compare(args, &in, &look, &out);
	powers_show(&in, &look, &out);
	return ui_print(&out);
}
