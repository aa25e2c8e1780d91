/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/verify_files.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cli/command.h"
#include "core/log.h"

#define FILES_MAX 65536
#define DEPTH_MAX 32 /* of directories in one another */

static int file_add(struct verify_files *files, const char *path, bool found)
{
	if (files->count == FILES_MAX) {
		log_error("%s: more than %d files", path, FILES_MAX);
		return CLI_BAD;
	}
	if (files->count == files->capacity) {
		size_t capacity = files->capacity ? 2 * files->capacity : 16;
		struct verify_file *items = realloc(files->items, capacity * sizeof(*items));
		if (!items) {
			log_error("%s: %s", path, strerror(ENOMEM));
			return CLI_BAD;
		}
		files->items = items;
		files->capacity = capacity;
	}
	char *copy = strdup(path);
	if (!copy) {
		log_error("%s: %s", path, strerror(ENOMEM));
		return CLI_BAD;
	}
	files->items[files->count++] = (struct verify_file){copy, found};
	return CLI_OK;
}

static int is_wanted(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int dir_add(struct verify_files *files, const char *dir, unsigned depth);

/* Links to directories are not followed: they may lead in a circle. */
static int entry_add(struct verify_files *files, const char *dir, const char *name, unsigned depth)
{
	_cleanup_(buf_done) struct buf path;
	struct stat st;
	buf_init(&path, PATH_MAX);
	buf_printf(&path, "%s%s%s", dir, str_ends_with(str_from(dir), STR("/")) ? "" : "/", name);
	if (buf_error(&path) < 0) {
		log_error("%s/%s: %s", dir, name, strerror(ENAMETOOLONG));
		return CLI_BAD;
	}
	if (lstat(path.data, &st) == 0 && S_ISDIR(st.st_mode))
		return dir_add(files, path.data, depth + 1);
	return str_ends_with(str_from(name), STR(".o")) ? file_add(files, path.data, true) : CLI_OK;
}

static int dir_add(struct verify_files *files, const char *dir, unsigned depth)
{
	struct dirent **entries;
	int r = CLI_OK;
	if (depth > DEPTH_MAX) {
		log_error("%s: more than %d directories in one another", dir, DEPTH_MAX);
		return CLI_BAD;
	}
	int count = scandir(dir, &entries, is_wanted, alphasort);
	if (count < 0) {
		log_error("%s: %s", dir, strerror(errno));
		return CLI_BAD;
	}
	for (int i = 0; i < count; i++) {
		if (r == CLI_OK)
			r = entry_add(files, dir, entries[i]->d_name, depth);
		free(entries[i]);
	}
	free(entries);
	return r;
}

int verify_files_add(struct verify_files *files, const char *path)
{
	struct stat st;
	size_t before = files->count;
	if (stat(path, &st) < 0) {
		log_error("%s: %s", path, strerror(errno));
		return CLI_BAD;
	}
	if (!S_ISDIR(st.st_mode))
		return file_add(files, path, false);
	int r = dir_add(files, path, 0);
	if (r == CLI_OK && files->count == before) {
		log_error("%s: no file there ends in .o", path);
		return CLI_BAD;
	}
	return r;
}

void verify_files_done(struct verify_files *files)
{
	for (size_t i = 0; i < files->count; i++)
		free(files->items[i].path);
	free(files->items);
	*files = (struct verify_files){0};
}

bool verify_is_elf(struct str bytes)
{
	return str_starts_with(bytes, STR(ELFMAG));
}

bool verify_is_bpf(struct str bytes)
{
	Elf64_Half machine;
	size_t at = offsetof(Elf64_Ehdr, e_machine);
	if (!verify_is_elf(bytes) || bytes.length < at + sizeof(machine))
		return true;
	bool big = (unsigned char)bytes.data[EI_DATA] == ELFDATA2MSB;
	unsigned low = (unsigned char)bytes.data[at + big], high = (unsigned char)bytes.data[at + !big];
	return (high << 8 | low) == EM_BPF;
}
