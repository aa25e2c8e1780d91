/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys and signatures. What is secret is wiped before its memory is given back.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/bundle.h"
#include "cli/ui.h"
#include "core/log.h"

#define DIAGS_MAX 50
#define PASSPHRASE_MAX 1024
#define KEY_FILE_MAX 4096

/* ---- passphrases ---- */

static void secret_done(struct buf *secret)
{
	if (secret->data)
		explicit_bzero(secret->data, secret->capacity);
	buf_done(secret);
}

/* A line from the terminal, which does not show it. */
static int passphrase_ask(const char *prompt, struct buf *out)
{
	_cleanup_(base_close_file) FILE *terminal = fopen("/dev/tty", "r+e");
	struct termios shown, hidden;
	char *line = buf_reserve(out, PASSPHRASE_MAX);
	if (!terminal || tcgetattr(fileno(terminal), &shown) < 0)
		return -ENOTTY;
	if (!line)
		return -ENOMEM;
	setvbuf(terminal, NULL, _IONBF, 0);
	fputs(prompt, terminal);
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(fileno(terminal), TCSAFLUSH, &hidden);
	bool got = fgets(line, PASSPHRASE_MAX, terminal) != NULL;
	tcsetattr(fileno(terminal), TCSAFLUSH, &shown);
	fputc('\n', terminal);
	if (!got)
		return -ECANCELED;
	buf_commit(out, strcspn(line, "\n"));
	return 0;
}

/* The first line of a file. */
static int passphrase_read(const char *path, struct buf *out)
{
	int r = file_read(path, out);
	if (r == 0 && out->length > 0)
		out->length = strcspn(out->data, "\n");
	return r;
}

/* --passphrase-file, or asked for. */
static int passphrase_get(const struct args *args, const char *prompt, struct buf *out)
{
	const char *path = args_get(args, "passphrase-file");
	int r = path ? passphrase_read(path, out) : passphrase_ask(prompt, out);
	if (r == -ENOTTY)
		log_error("there is no terminal to ask for the passphrase; name a file that has it: --passphrase-file");
	else if (r < 0)
		log_error("%s: %s", path ? path : "passphrase", strerror(-r));
	return r < 0 ? CLI_BAD : CLI_OK;
}

static int passphrase_new(const struct args *args, struct buf *out)
{
	_cleanup_(secret_done) struct buf again;
	buf_init(&again, PASSPHRASE_MAX);
	int r = passphrase_get(args, "Passphrase for the new key: ", out);
	if (r != CLI_OK || args_has(args, "passphrase-file"))
		return r;
	r = passphrase_get(args, "Once more: ", &again);
	if (r != CLI_OK || str_equal(buf_str(out), buf_str(&again)))
		return r;
	log_error("the two are not the same");
	return CLI_BAD;
}

/* ---- keygen ---- */

/* Never over a file that is there: it may be the only copy of a key. */
static int write_new(const char *path, struct str text, mode_t mode)
{
	_cleanup_(base_close_fd) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return -errno;
	int r = file_write_all(fd, text.data, text.length);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r < 0)
		unlink(path);
	return r;
}

static int write_key(const char *path, struct str text, mode_t mode)
{
	int r = write_new(path, text, mode);
	if (r == 0)
		return CLI_OK;
	log_error("%s: %s", path, r == -EEXIST ? "it is there already, and is not written over" : strerror(-r));
	return CLI_BAD;
}

static int write_pair(const char *path, const struct buf *secret, const struct public_key *public_key)
{
	_cleanup_(buf_done) struct buf text;
	char public_path[PATH_MAX];
	buf_init(&text, KEY_FILE_MAX);
	public_key_write(public_key, &text);
	if (buf_error(&text) < 0 || snprintf(public_path, sizeof(public_path), "%s.pub", path) >= PATH_MAX) {
		log_error("%s: %s", path, strerror(ENAMETOOLONG));
		return CLI_BAD;
	}
	int r = write_key(path, buf_str(secret), 0600);
	if (r == CLI_OK)
		r = write_key(public_path, buf_str(&text), 0644);
	if (r == CLI_OK)
		printf("secret key: %s, for those who sign\npublic key: %s, to be put into the hosts' " BUNDLE_KEYS
		       "; its line:\n" STR_FMT,
		       path, public_path,
		       STR_ARG(str_make(strchr(text.data, '\n') + 1, strlen(strchr(text.data, '\n') + 1))));
	return r;
}

int bundle_keygen(const struct args *args)
{
	_cleanup_(secret_done) struct buf passphrase, text;
	_cleanup_(secret_key_done) struct secret_key key = {0};
	struct public_key public_key;
	const char *path = args_get(args, "secret-key");
	bool none = args_has(args, "no-passphrase");
	buf_init(&passphrase, PASSPHRASE_MAX);
	buf_init(&text, KEY_FILE_MAX);
	if (!path) {
		log_error("where is the secret key to be written? picket bundle keygen --secret-key FILE");
		return CLI_USAGE;
	}
	int r = none ? CLI_OK : passphrase_new(args, &passphrase);
	if (r != CLI_OK)
		return r;
	r = secret_key_make(&key);
	if (r == 0)
		r = secret_key_write(&key, none ? str_make(NULL, 0) : buf_str(&passphrase), SECRET_KEY_COST_HIGH,
		                     &text);
	if (r < 0) {
		log_error("cannot make a key: %s",
		          r == -ENOMEM ? "it takes 1 GiB of memory for some seconds" : strerror(-r));
		return CLI_BAD;
	}
	secret_key_public(&key, &public_key);
	return write_pair(path, &text, &public_key);
}

/* ---- sign ---- */

static int key_from_text(const struct args *args, const char *path, struct str text, struct diag_list *diags,
                         struct secret_key *ret_key)
{
	_cleanup_(secret_done) struct buf passphrase;
	buf_init(&passphrase, PASSPHRASE_MAX);
	int r = secret_key_parse(text, path, str_make(NULL, 0), diags, ret_key);
	if (r == -ENOKEY) {
		int got = passphrase_get(args, "Passphrase: ", &passphrase);
		if (got != CLI_OK)
			return got;
		r = secret_key_parse(text, path, passphrase.data ? buf_str(&passphrase) : STR(""), diags, ret_key);
	}
	if (r == 0)
		return CLI_OK;
	if (r == -EKEYREJECTED)
		log_error("%s: this is not the key's passphrase", path);
	else if (r == -ENOMEM)
		log_error("%s: there is not enough memory for its passphrase, or it asks for more than 1 GiB", path);
	else
		return bundle_tell(args, diags, r, path);
	return CLI_BAD;
}

static int key_load(const struct args *args, const char *path, struct secret_key *ret_key)
{
	_cleanup_(diag_list_done) struct diag_list diags;
	_cleanup_(secret_done) struct buf text;
	diag_list_init(&diags, DIAGS_MAX);
	buf_init(&text, KEY_FILE_MAX);
	int r = secret_key_read_file(path, &text, &diags);
	return r < 0 ? bundle_tell(args, &diags, r, path) : key_from_text(args, path, buf_str(&text), &diags, ret_key);
}

/* A signature that minisign made of the manifest. */
static int signature_read(const struct args *args, const char *path, struct buf *text, struct signatures *ret_added)
{
	_cleanup_(diag_list_done) struct diag_list diags;
	diag_list_init(&diags, DIAGS_MAX);
	int r = file_read(path, text);
	if (r == 0)
		r = signatures_parse(buf_str(text), path, &diags, ret_added);
	return r < 0 ? bundle_tell(args, &diags, r, path) : CLI_OK;
}

static int signature_make(const struct args *args, const char *path, const struct bundle *b, struct buf *comment,
                          struct signatures *ret_added)
{
	_cleanup_(secret_key_done) struct secret_key key = {0};
	int r = key_load(args, path, &key);
	if (r != CLI_OK)
		return r;
	signature_add_comment(bundle_now_s(), BUNDLE_MANIFEST, comment);
	secret_key_sign(&key, b->manifest_text, buf_str(comment), &ret_added->items[0]);
	ret_added->count = 1;
	return CLI_OK;
}

static int signatures_write_with(struct bundle *b, const struct signatures *added, struct signatures *all)
{
	_cleanup_(buf_done) struct buf text;
	int r = 0;
	buf_init(&text, SIGNATURES_BYTES_MAX);
	for (size_t i = 0; i < added->count && r == 0; i++)
		r = signatures_put(all, &added->items[i]);
	signatures_write(all, &text);
	if (r == 0)
		r = buf_error(&text);
	return r < 0 ? r : bundle_write_signatures(b, buf_str(&text));
}

int bundle_sign(const struct args *args)
{
	_cleanup_(diag_list_done) struct diag_list diags;
	_cleanup_(bundle_freep) struct bundle *b = NULL;
	_cleanup_(buf_done) struct buf text;
	struct signatures all, added = {0};
	const char *key = args_get(args, "secret-key"), *add = args_get(args, "add");
	diag_list_init(&diags, DIAGS_MAX);
	buf_init(&text, SIGNATURES_BYTES_MAX);
	if (!key == !add) {
		log_error("by which key? picket bundle sign --secret-key FILE BUNDLE; or --add FILE.minisig");
		return CLI_USAGE;
	}
	int r = bundle_open_word(args, 1, "the bundle", &b);
	if (r != CLI_OK)
		return r;
	if (signatures_parse(b->signature_text, BUNDLE_SIGNATURES, &diags, &all) < 0)
		return bundle_tell(args, &diags, -EINVAL, b->path);
	r = key ? signature_make(args, key, b, &text, &added) : signature_read(args, add, &text, &added);
	if (r != CLI_OK)
		return r;
	r = signatures_write_with(b, &added, &all);
	if (r < 0)
		return bundle_tell(args, &diags, r, b->path);
	printf("%s: signed, %zu signature%s now\n", b->path, all.count, all.count == 1 ? "" : "s");
	return CLI_OK;
}
