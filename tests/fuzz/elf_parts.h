/* SPDX-License-Identifier: Apache-2.0
 *
 * An ELF object taken apart into its sections, each of which may change its length, and put together again.
 */
#ifndef PICKET_FUZZ_ELF_PARTS_H
#define PICKET_FUZZ_ELF_PARTS_H

#include <elf.h>
#include <stdlib.h>

#include "base/base.h"
#include "check.h"

#define ELF_PARTS_MAX 96

struct elf_part {
	Elf64_Shdr header;
	uint8_t *data; /* owned; NULL: it has none */
	size_t length;
};

struct elf_parts {
	Elf64_Ehdr header;
	struct elf_part parts[ELF_PARTS_MAX];
	size_t count;
};

static inline void elf_parts_done(struct elf_parts *e)
{
	for (size_t i = 0; i < e->count; i++)
		free(e->parts[i].data);
	e->count = 0;
}

/* Room for more in a part: it becomes that long, what is new is 0. */
static inline void elf_part_resize(struct elf_part *p, size_t length)
{
	p->data = realloc(p->data, length + 1);
	CHECK(p->data != NULL);
	if (length > p->length)
		memset(p->data + p->length, 0, length - p->length);
	p->length = length;
}

static inline bool elf_part_read(struct elf_part *p, const uint8_t *data, size_t size)
{
	const Elf64_Shdr *h = &p->header;

	if (h->sh_type == SHT_NULL || h->sh_type == SHT_NOBITS || !h->sh_size)
		return true;
	if (h->sh_offset > size || h->sh_size > size - h->sh_offset)
		return false;
	elf_part_resize(p, h->sh_size);
	memcpy(p->data, data + h->sh_offset, h->sh_size);
	return true;
}

/* false: it is none, or has too many sections. ret_parts: elf_parts_done(), also then. */
static inline bool elf_parts_read(const uint8_t *data, size_t size, struct elf_parts *ret_parts)
{
	Elf64_Ehdr *h = &ret_parts->header;

	ret_parts->count = 0;
	if (size < sizeof(*h))
		return false;
	memcpy(h, data, sizeof(*h));
	if (memcmp(h->e_ident, ELFMAG, SELFMAG) != 0 || h->e_shnum > ELF_PARTS_MAX || h->e_shoff > size ||
	    h->e_shnum * sizeof(Elf64_Shdr) > size - h->e_shoff)
		return false;
	for (size_t i = 0; i < h->e_shnum; i++) {
		struct elf_part *p = &ret_parts->parts[ret_parts->count++];
		*p = (struct elf_part){.length = 0};
		memcpy(&p->header, data + h->e_shoff + i * sizeof(p->header), sizeof(p->header));
		if (!elf_part_read(p, data, size))
			return false;
	}
	return true;
}

/* Returns its length; 0: it does not fit. */
static inline size_t elf_parts_write(struct elf_parts *e, uint8_t *data, size_t max_size)
{
	size_t at = sizeof(e->header), headers;

	for (size_t i = 0; i < e->count; i++) {
		struct elf_part *p = &e->parts[i];
		if (!p->data)
			continue;
		if (p->length > max_size || at > max_size - p->length)
			return 0;
		memcpy(data + at, p->data, p->length);
		p->header.sh_offset = at;
		p->header.sh_size = p->length;
		at += p->length;
	}
	headers = e->count * sizeof(Elf64_Shdr);
	if (headers > max_size || at > max_size - headers)
		return 0;
	e->header.e_shoff = at;
	memcpy(data, &e->header, sizeof(e->header));
	for (size_t i = 0; i < e->count; i++)
		memcpy(data + at + i * sizeof(Elf64_Shdr), &e->parts[i].header, sizeof(Elf64_Shdr));
	return at + headers;
}

/* The text at an offset of a part; "": there is none. */
static inline const char *elf_part_text(const struct elf_part *p, size_t offset)
{
	return p->data && offset < p->length && memchr(p->data + offset, 0, p->length - offset)
	               ? (const char *)p->data + offset
	               : "";
}

static inline const char *elf_part_name(const struct elf_parts *e, const struct elf_part *p)
{
	return e->header.e_shstrndx < e->count ? elf_part_text(&e->parts[e->header.e_shstrndx], p->header.sh_name) : "";
}

/* NULL: there is none of that name. */
static inline struct elf_part *elf_parts_find(struct elf_parts *e, const char *name)
{
	for (size_t i = 0; i < e->count; i++)
		if (!strcmp(elf_part_name(e, &e->parts[i]), name))
			return &e->parts[i];
	return NULL;
}

#endif
