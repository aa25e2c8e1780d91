/* SPDX-License-Identifier: Apache-2.0
 *
 * Damaged objects: each field of each table with values that hurt, files cut short, and one damage of each kind whose
 * error is known.
 */
#include "object_fixture.h"

#include <elf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/btf.h>

#define CPU "v3"
#define BUDGET 2000

/* ---- an object in memory, with a place to damage ---- */
struct object {
	uint8_t *bytes;
	size_t length;
	Elf64_Ehdr header;
};

static void object_load(struct object *o, const char *name)
{
	struct buf file;

	object_read(CPU, name, &file);
	assert_true(file.length > sizeof(o->header));
	o->length = file.length;
	/* Exactly as long, so that a read behind the end is seen. */
	o->bytes = malloc(o->length);
	assert_non_null(o->bytes);
	memcpy(o->bytes, file.data, o->length);
	memcpy(&o->header, o->bytes, sizeof(o->header));
	buf_done(&file);
}

static void object_done(struct object *o)
{
	free(o->bytes);
}

static Elf64_Shdr section_header(const struct object *o, unsigned index)
{
	Elf64_Shdr h;

	memcpy(&h, o->bytes + o->header.e_shoff + index * sizeof(h), sizeof(h));
	return h;
}

static const char *section_name(const struct object *o, unsigned index)
{
	return (const char *)o->bytes + section_header(o, o->header.e_shstrndx).sh_offset +
	       section_header(o, index).sh_name;
}

static unsigned find_section(const struct object *o, const char *name)
{
	for (unsigned i = 1; i < o->header.e_shnum; i++)
		if (strcmp(section_name(o, i), name) == 0)
			return i;
	fail_msg("no section %s", name);
	return 0;
}

static size_t section_offset(const struct object *o, const char *name)
{
	return section_header(o, find_section(o, name)).sh_offset;
}

static size_t section_field(const struct object *o, const char *name, size_t field)
{
	return o->header.e_shoff + find_section(o, name) * sizeof(Elf64_Shdr) + field;
}

static size_t symbol_field(const struct object *o, const char *name, size_t field)
{
	Elf64_Shdr table = section_header(o, find_section(o, ".symtab"));
	const char *names = (const char *)o->bytes + section_header(o, table.sh_link).sh_offset;

	for (size_t at = table.sh_offset; at < table.sh_offset + table.sh_size; at += sizeof(Elf64_Sym)) {
		Elf64_Sym s;

		memcpy(&s, o->bytes + at, sizeof(s));
		if (strcmp(names + s.st_name, name) == 0)
			return at + field;
	}
	fail_msg("no symbol %s", name);
	return 0;
}

/* Of .BTF.ext: where the part's records begin, past its section's name and count. words_at: of its offset in the header. */
static size_t ext_records(const struct object *o, size_t words_at)
{
	size_t at = section_offset(o, ".BTF.ext");
	uint32_t header, offset;

	memcpy(&header, o->bytes + at + 4, sizeof(header));
	memcpy(&offset, o->bytes + at + words_at * 4, sizeof(offset));
	return at + header + offset + 3 * 4;
}

static uint64_t field_get(const struct object *o, size_t at, size_t width)
{
	uint64_t value = 0;

	memcpy(&value, o->bytes + at, width);
	return value;
}

static void field_set(struct object *o, size_t at, size_t width, uint64_t value)
{
	assert_true(at + width <= o->length);
	memcpy(o->bytes + at, &value, width);
}

/* ---- whatever the bytes are: an object that runs, or an error with words ---- */
static void run_programs(struct picket_object *o)
{
	for (size_t i = 0; i < picket_object_program_count(o); i++) {
		uint64_t input[8] = {i};
		struct picket_call call = {.data = input, .length = sizeof(input), .budget = BUDGET};

		picket_program_run(picket_object_program_at(o, i), &call);
	}
}

static void try_bytes(const uint8_t *bytes, size_t length)
{
	struct picket_object *o = NULL;
	struct picket_error error = {0};
	int r = picket_object_open(bytes, length, NULL, &o, &error);

	if (r == 0) {
		run_programs(o);
		picket_object_free(o);
		return;
	}
	assert_true(r == -EINVAL);
	assert_null(o);
	assert_true(strlen(error.text) > 5);
}

static void sweep_field(struct object *o, size_t at, size_t width)
{
	uint64_t value = field_get(o, at, width);
	const uint64_t hostile[] = {0,         1,         UINT32_MAX, INT64_MAX,  UINT64_MAX - 7,   value + 1,
	                            value - 1, value + 8, value ^ 64, value << 8, o->length - value};

	for (size_t i = 0; i < ARRAY_SIZE(hostile); i++) {
		field_set(o, at, width, hostile[i]);
		try_bytes(o->bytes, o->length);
	}
	field_set(o, at, width, value);
}

struct field {
	size_t offset, width;
};

static void sweep_fields(struct object *o, size_t at, const struct field *fields, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sweep_field(o, at + fields[i].offset, fields[i].width);
}

#define FIELD(type, name) \
	{ \
		offsetof(type, name), sizeof(((type *)0)->name) \
	}

static void sweep_header(struct object *o)
{
	static const struct field fields[] = {
	        FIELD(Elf64_Ehdr, e_type),     FIELD(Elf64_Ehdr, e_machine),   FIELD(Elf64_Ehdr, e_version),
	        FIELD(Elf64_Ehdr, e_entry),    FIELD(Elf64_Ehdr, e_phoff),     FIELD(Elf64_Ehdr, e_shoff),
	        FIELD(Elf64_Ehdr, e_flags),    FIELD(Elf64_Ehdr, e_ehsize),    FIELD(Elf64_Ehdr, e_phentsize),
	        FIELD(Elf64_Ehdr, e_phnum),    FIELD(Elf64_Ehdr, e_shentsize), FIELD(Elf64_Ehdr, e_shnum),
	        FIELD(Elf64_Ehdr, e_shstrndx),
	};

	sweep_fields(o, 0, fields, ARRAY_SIZE(fields));
	for (size_t i = 0; i < EI_NIDENT; i++)
		sweep_field(o, i, 1);
}

/* DWARF's sections are many, and nobody reads them. */
static bool is_debug(const struct object *o, unsigned section)
{
	return strstr(section_name(o, section), ".debug") != NULL;
}

static void sweep_sections(struct object *o)
{
	static const struct field fields[] = {
	        FIELD(Elf64_Shdr, sh_name),    FIELD(Elf64_Shdr, sh_type),   FIELD(Elf64_Shdr, sh_flags),
	        FIELD(Elf64_Shdr, sh_addr),    FIELD(Elf64_Shdr, sh_offset), FIELD(Elf64_Shdr, sh_size),
	        FIELD(Elf64_Shdr, sh_link),    FIELD(Elf64_Shdr, sh_info),   FIELD(Elf64_Shdr, sh_addralign),
	        FIELD(Elf64_Shdr, sh_entsize),
	};

	for (unsigned i = 0; i < o->header.e_shnum; i++)
		if (!is_debug(o, i))
			sweep_fields(o, o->header.e_shoff + i * sizeof(Elf64_Shdr), fields, ARRAY_SIZE(fields));
}

static void sweep_symbols(struct object *o)
{
	static const struct field fields[] = {
	        FIELD(Elf64_Sym, st_name),  FIELD(Elf64_Sym, st_info),  FIELD(Elf64_Sym, st_other),
	        FIELD(Elf64_Sym, st_shndx), FIELD(Elf64_Sym, st_value), FIELD(Elf64_Sym, st_size),
	};
	Elf64_Shdr table = section_header(o, find_section(o, ".symtab"));

	for (size_t at = 0; at < table.sh_size; at += sizeof(Elf64_Sym))
		sweep_fields(o, table.sh_offset + at, fields, ARRAY_SIZE(fields));
}

static void sweep_relocations(struct object *o)
{
	/* r_offset, type, symbol */
	static const struct field fields[] = {{0, 8}, {8, 4}, {12, 4}};

	for (unsigned i = 1; i < o->header.e_shnum; i++) {
		Elf64_Shdr h = section_header(o, i);

		if (h.sh_type != SHT_REL || is_debug(o, i) || strstr(section_name(o, i), "BTF"))
			continue;
		for (size_t at = 0; at < h.sh_size; at += sizeof(Elf64_Rel))
			sweep_fields(o, h.sh_offset + at, fields, ARRAY_SIZE(fields));
	}
}

static void sweep_words(struct object *o, const char *section, size_t width, size_t step)
{
	Elf64_Shdr h = section_header(o, find_section(o, section));

	for (size_t at = 0; at + width <= h.sh_size; at += step)
		sweep_field(o, h.sh_offset + at, width);
}

static void sweep_btf(struct object *o)
{
	sweep_words(o, ".BTF", 4, 4);
}

/* The header, the first records, and some of the rest: records are alike. */
static void sweep_btf_ext(struct object *o)
{
	size_t at = section_offset(o, ".BTF.ext");

	for (size_t i = 0; i < 20; i++)
		sweep_field(o, at + i * 4, 4);
	sweep_words(o, ".BTF.ext", 4, 28);
}

static void sweep_code(struct object *o)
{
	for (unsigned i = 1; i < o->header.e_shnum; i++) {
		Elf64_Shdr h = section_header(o, i);

		for (size_t at = 0; h.sh_flags & SHF_EXECINSTR && at < h.sh_size; at += 4)
			sweep_field(o, h.sh_offset + at, 4);
	}
}

static void cut(struct object *o)
{
	for (size_t length = 0; length < o->length; length += length < 100 ? 1 : 97) {
		uint8_t *shorter = malloc(length + 1);

		assert_non_null(shorter);
		memcpy(shorter + 1, o->bytes, length); /* not aligned, either */
		try_bytes(shorter + 1, length);
		free(shorter);
	}
}

static void sweep(const char *name, void (*visit)(struct object *o))
{
	struct object o;

	object_load(&o, name);
	visit(&o);
	object_done(&o);
}

static void test_header(void **state)
{
	(void)state;
	sweep("text", sweep_header);
}

static void test_sections(void **state)
{
	(void)state;
	sweep("maps", sweep_sections);
	sweep("globals", sweep_sections);
}

static void test_symbols(void **state)
{
	(void)state;
	sweep("maps", sweep_symbols);
	sweep("functions", sweep_symbols);
}

static void test_relocations(void **state)
{
	(void)state;
	sweep("maps", sweep_relocations);
	sweep("functions", sweep_relocations);
	sweep("globals", sweep_relocations);
}

static void test_btf(void **state)
{
	(void)state;
	sweep("maps", sweep_btf);
}

static void test_btf_ext(void **state)
{
	(void)state;
	sweep("functions", sweep_btf_ext);
	sweep("core", sweep_btf_ext);
}

static void test_code(void **state)
{
	(void)state;
	sweep("functions", sweep_code);
}

static void test_cut(void **state)
{
	(void)state;
	sweep("maps", cut);
	sweep("core", cut);
}

/* ---- one damage, and what is said about it ---- */
static void assert_error(const struct object *o, const char *section, const char *text)
{
	struct picket_object *opened = NULL;
	struct picket_error error = {0};

	if (picket_object_open(o->bytes, o->length, NULL, &opened, &error) == 0) {
		picket_object_free(opened);
		fail_msg("opened, but should be refused: %s", text);
	}
	if (!strstr(error.text, text) || strcmp(error.section, section) != 0)
		fail_msg("expected %s: %s\n     got %s: %s", section, text, error.section, error.text);
}

/* place: may look into o, the object. */
#define DAMAGE(name, place, width, value, section, text) \
	do { \
		struct object o; \
		object_load(&o, name); \
		field_set(&o, place, width, value); \
		assert_error(&o, section, text); \
		object_done(&o); \
	} while (0)

static void test_header_errors(void **state)
{
	(void)state;
	DAMAGE("text", 0, 1, 0, "", "not an ELF file");
	DAMAGE("text", EI_CLASS, 1, ELFCLASS32, "", "not a 64-bit ELF file");
	DAMAGE("text", EI_DATA, 1, ELFDATA2MSB, "", "not little-endian");
	DAMAGE("text", offsetof(Elf64_Ehdr, e_type), 2, ET_EXEC, "", "not a relocatable object");
	DAMAGE("text", offsetof(Elf64_Ehdr, e_machine), 2, EM_X86_64, "", "machine 62, not for BPF");
	DAMAGE("text", offsetof(Elf64_Ehdr, e_shnum), 2, 0xfeff, "", "has 65279 sections");
	DAMAGE("text", offsetof(Elf64_Ehdr, e_shoff), 8, UINT64_MAX - 8, "", "outside of the file");
	DAMAGE("text", section_field(&o, ".text", offsetof(Elf64_Shdr, sh_size)), 8, UINT64_MAX, "",
	       "section 2 is outside of the file");
	DAMAGE("text", section_field(&o, ".text", offsetof(Elf64_Shdr, sh_name)), 4, UINT32_MAX, "",
	       "name of section 2");
	DAMAGE("text", section_field(&o, ".text", offsetof(Elf64_Shdr, sh_size)), 8, 20, ".symtab",
	       "outside of its section");
	DAMAGE("text", section_field(&o, ".symtab", offsetof(Elf64_Shdr, sh_link)), 4, 1000, ".symtab",
	       "section 1000 is to hold the names of symbols");
}

static void test_symbol_errors(void **state)
{
	(void)state;
	DAMAGE("functions", symbol_field(&o, "fault", offsetof(Elf64_Sym, st_shndx)), 2, 500, ".symtab",
	       "in section 500, which does not exist");
	DAMAGE("functions", symbol_field(&o, "fault", offsetof(Elf64_Sym, st_value)), 8, 1u << 20, ".symtab",
	       "outside of its section test/fault");
	DAMAGE("functions", symbol_field(&o, "fault", offsetof(Elf64_Sym, st_size)), 8, 12, "test/fault",
	       "function fault is not made of whole instructions");
	DAMAGE("functions", symbol_field(&o, "thrice", offsetof(Elf64_Sym, st_size)), 8, 48, ".text",
	       "function twice begins inside of function thrice");
}

static size_t relocation(const struct object *o, const char *section, size_t field)
{
	return section_offset(o, section) + field;
}

static void test_relocation_errors(void **state)
{
	(void)state;
	DAMAGE("maps", relocation(&o, ".reltest", 0), 8, 1u << 20, "test", "outside of the section");
	DAMAGE("maps", relocation(&o, ".reltest", 0), 8, field_get(&o, relocation(&o, ".reltest", 0), 8) + 8, "test",
	       "not at the beginning of an instruction");
	DAMAGE("maps", relocation(&o, ".reltest", 0), 8, field_get(&o, relocation(&o, ".reltest", 0), 8) - 8, "test",
	       "not on a call or lddw");
	DAMAGE("maps", relocation(&o, ".reltest", 0), 8, field_get(&o, relocation(&o, ".reltest", 16), 8), "test",
	       "two relocations of the same place");
	DAMAGE("maps", relocation(&o, ".reltest", 8), 4, 77, "test", "unknown relocation type 77");
	DAMAGE("maps", relocation(&o, ".reltest", 8), 4, 10, "test", "relocation type 10 cannot be on lddw");
	DAMAGE("maps", relocation(&o, ".reltest", 12), 4, 5000, "test", "symbol 5000, which does not exist");
	DAMAGE("functions", relocation(&o, ".reltest/one", 8), 4, 2, "test/one",
	       "relocation type 2 cannot be on a call");
	DAMAGE("globals", relocation(&o, ".rel.data", 8), 4, 3, ".data", "relocation type 3 cannot be in data");
	DAMAGE("globals",
	       section_offset(&o, ".data") +
	               field_get(&o, symbol_field(&o, "middle", offsetof(Elf64_Sym, st_value)), 8),
	       8, 4096, ".data", "refers to .rodata+4096, outside of section .rodata");
	DAMAGE("maps", relocation(&o, ".rel.maps", 8), 4, 1, ".maps", "initialises none of its values");
	DAMAGE("maps", relocation(&o, ".rel.maps", 0), 8, 0, ".maps", "only values of maps of maps");
	DAMAGE("maps", section_field(&o, ".reltest", offsetof(Elf64_Shdr, sh_type)), 4, SHT_RELA, ".reltest",
	       "SHT_RELA");
	DAMAGE("maps", section_field(&o, ".reltest", offsetof(Elf64_Shdr, sh_link)), 4, 1, ".reltest",
	       "section 1 is to be its table of symbols");
	DAMAGE("maps", section_field(&o, ".reltest", offsetof(Elf64_Shdr, sh_info)), 4, 999, ".reltest",
	       "relocates section 999");
	/* What had relocations and has none now: an address that means nothing. */
	DAMAGE("functions", section_field(&o, ".reltest/one", offsetof(Elf64_Shdr, sh_size)), 8, 0, "test/one",
	       "where no function begins");
}

static void test_btf_errors(void **state)
{
	(void)state;
	DAMAGE("maps", section_offset(&o, ".BTF"), 2, 0, ".BTF", "does not begin as BTF does");
	DAMAGE("maps", section_offset(&o, ".BTF") + 2, 1, 9, ".BTF", "unknown version 9");
	DAMAGE("maps", section_offset(&o, ".BTF") + 4, 4, 8, ".BTF", "a header of 8 bytes cannot be");
	DAMAGE("maps", section_offset(&o, ".BTF") + 12, 4, 1u << 30, ".BTF", "lead out of the section");
	DAMAGE("maps", section_offset(&o, ".BTF") + 12, 4, field_get(&o, section_offset(&o, ".BTF") + 12, 4) - 4,
	       ".BTF", "is cut off");
	DAMAGE("maps", section_offset(&o, ".BTF") + 24 + 4, 4, 31u << 24, ".BTF", "type 1 is of unknown kind 31");
	DAMAGE("maps", section_offset(&o, ".BTF") + 24 + 8, 4, 1u << 20, ".BTF", "type 1 refers to type 1048576");
	DAMAGE("maps", section_offset(&o, ".BTF") + 24, 4, 1u << 30, ".BTF", "name of type 1 is outside");
	DAMAGE("maps", section_field(&o, ".BTF", offsetof(Elf64_Shdr, sh_name)), 4, 0, ".maps", "compile with -g");
	DAMAGE("functions", ext_records(&o, 4) + 16, 4, 0, ".BTF.ext", "not in the order");
	DAMAGE("functions", ext_records(&o, 4) + 4, 4, 1u << 30, ".BTF.ext", "outside of the texts");
	DAMAGE("functions", ext_records(&o, 4) + 0, 4, 4, ".BTF.ext", "no instruction begins at offset 4");
	DAMAGE("functions", ext_records(&o, 2) + 4, 4, 1, ".BTF.ext", "type 1 is to be a function");
	DAMAGE("core", ext_records(&o, 6) + 4, 4, 1u << 20, ".BTF.ext", "type 1048576 of a CO-RE relocation");
	DAMAGE("core", ext_records(&o, 6) + 8, 4, 1, ".BTF.ext", "is no access to a type's parts");
	DAMAGE("core", ext_records(&o, 6) + 12, 4, 13, ".BTF.ext", "unknown kind 13 of CO-RE relocation");
}

/* Programs without maps need no BTF: only their lines are unknown then. */
static void test_without_btf(void **state)
{
	struct object o;
	struct picket_object *opened = NULL;
	struct picket_error error = {0};
	const char *file, *text;
	unsigned line, column;

	(void)state;
	object_load(&o, "functions");
	field_set(&o, section_field(&o, ".BTF", offsetof(Elf64_Shdr, sh_name)), 4, 0);
	assert_int_equal(picket_object_open(o.bytes, o.length, NULL, &opened, &error), 0);
	assert_false(picket_program_line(picket_object_program(opened, "fault"), 0, &file, &line, &column, &text));
	assert_string_equal(picket_program_function(picket_object_program(opened, "fault"), 0), "fault");
	picket_object_free(opened);
	object_done(&o);
}

/* What the object holds cannot reach a terminal that shows the error. */
static void test_error_is_printable(void **state)
{
	struct object o;
	struct picket_object *opened = NULL;
	struct picket_error error = {0};
	Elf64_Shdr names;

	(void)state;
	object_load(&o, "bad_extern");
	names = section_header(&o, find_section(&o, ".strtab"));
	memcpy(memmem(o.bytes + names.sh_offset, names.sh_size, "nowhere", 7), "\033[31m\x9b\n", 7);
	assert_int_equal(picket_object_open(o.bytes, o.length, NULL, &opened, &error), -EINVAL);
	assert_non_null(strstr(error.text, "needs ?[31m??,"));
	object_done(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_header_errors),
	        cmocka_unit_test(test_symbol_errors),
	        cmocka_unit_test(test_relocation_errors),
	        cmocka_unit_test(test_btf_errors),
	        cmocka_unit_test(test_without_btf),
	        cmocka_unit_test(test_error_is_printable),
	        cmocka_unit_test(test_header),
	        cmocka_unit_test(test_sections),
	        cmocka_unit_test(test_symbols),
	        cmocka_unit_test(test_relocations),
	        cmocka_unit_test(test_btf),
	        cmocka_unit_test(test_btf_ext),
	        cmocka_unit_test(test_code),
	        cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
