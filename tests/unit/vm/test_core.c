/* SPDX-License-Identifier: Apache-2.0
 *
 * CO-RE: objects relocated against types that are others than those they were compiled with.
 */
#include "object_fixture.h"

#include <errno.h>
#include <linux/bpf.h>
#include <unistd.h>

#include "vm/core.h"
#include "vm/image.h"

#define CPU "v3"
#define CALL (BPF_JMP | BPF_CALL)
#define POISON 0xbad2310
#define AGENT "build/bpf/x86/picket.bpf.o"
#define KERNEL "/sys/kernel/btf/vmlinux"

static struct picket_image *open_image(const char *name)
{
	struct picket_image *i = NULL;
	struct picket_error error = {0};
	char path[128];

	object_path(path, CPU, name);
	if (picket_image_open_file(path, &i, &error))
		fail_msg("%s: %s+%llu: %s", path, error.section, (unsigned long long)error.offset, error.text);
	return i;
}

static int relocate_with(struct picket_image *i, const struct picket_image *kernel, struct picket_error *reterr)
{
	size_t length = 0;
	const void *btf = picket_image_btf(kernel, &length);

	return picket_image_relocate(i, btf, length, reterr);
}

static struct picket_image *open_relocated(const char *name)
{
	struct picket_image *i = open_image(name), *kernel = open_image("relocate_kernel");
	struct picket_error error = {0};

	if (relocate_with(i, kernel, &error))
		fail_msg("%s: %s", name, error.text);
	picket_image_free(kernel);
	return i;
}

static const struct picket_insn *insns_of(const struct picket_image *i, const char *name, size_t *ret_count)
{
	size_t program = SIZE_MAX;

	if (!picket_image_find(i, name, &program))
		fail_msg("no program %s", name);
	return picket_image_insns(i, program, ret_count);
}

static uint64_t result_of(const struct picket_image *i, const char *name)
{
	size_t count = 0;
	const struct picket_insn *insns = insns_of(i, name, &count);
	struct picket_program *p = NULL;
	struct picket_error error = {0};
	struct picket_call call = {0};

	if (picket_program_load(insns, count, NULL, &p, &error))
		fail_msg("%s: %s", name, error.text);
	assert_int_equal(picket_program_run(p, &call), 0);
	picket_program_free(p);
	return call.result;
}

static size_t poisoned(const struct picket_image *i, const char *name)
{
	size_t count = 0, found = 0;
	const struct picket_insn *insns = insns_of(i, name, &count);

	for (size_t slot = 0; slot < count; slot++)
		found += insns[slot].code == CALL && insns[slot].imm == POISON;
	return found;
}

/* ---- numbers ---- */
static void test_numbers(void **state)
{
	static const struct {
		const char *program;
		uint64_t result;
	} cases[] = {
	        {"offset_plain", 24},
	        {"offset_array", 56},
	        {"offset_second", 232},
	        {"offset_leaf", 148},
	        {"offset_flavour", 24},
	        {"offset_qualified", 192},
	        {"size_grows", 8},
	        {"size_deep", 64},
	        {"exists_first", 1},
	        {"exists_gone", 0},
	        {"exists_missing", 0},
	        {"exists_nowhere", 0},
	        {"exists_changed", 0},
	        {"exists_address", 1},
	        {"signed_small", 1},
	        {"signed_grows", 0},
	        {"left_middle", 44},
	        {"right_middle", 51},
	        {"offset_middle", 96},
	        {"type_exists", 1},
	        {"type_exists_typedef", 1},
	        {"type_size", 16},
	        {"type_size_typedef", 8},
	        {"type_size_nowhere", 0},
	        {"type_id", 1},
	        {"type_id_nowhere", 0},
	        {"enum_value", 90},
	        {"enum_value_flavour", 30},
	        {"enum_exists", 1},
	};
	struct picket_image *i = open_relocated("relocate");

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(cases); k++)
		if (result_of(i, cases[k].program) != cases[k].result)
			fail_msg("%s: %llu", cases[k].program, (unsigned long long)result_of(i, cases[k].program));
	/* What the kernel does not have stands where nobody gets. */
	assert_true(poisoned(i, "guarded") > 0);
	assert_int_equal(poisoned(i, "offset_plain"), 0);
	picket_image_free(i);
}

/* ---- loads and stores ---- */
static void assert_access(const struct picket_image *i, const char *program, uint8_t code, int16_t offset)
{
	size_t count = 0, found = 0;
	const struct picket_insn *insns = insns_of(i, program, &count);

	for (size_t slot = 0; slot < count; slot++) {
		if (BPF_CLASS(insns[slot].code) != BPF_CLASS(code))
			continue;
		assert_int_equal(insns[slot].code, code);
		assert_int_equal(insns[slot].offset, offset);
		found++;
	}
	assert_int_equal(found, 1);
}

static void test_accesses(void **state)
{
	struct picket_image *i = open_relocated("relocate_reads");

	(void)state;
	assert_access(i, "read_first", BPF_LDX | BPF_MEM | BPF_W, 24);
	assert_access(i, "read_leaf", BPF_LDX | BPF_MEM | BPF_W, 148);
	assert_access(i, "write_first", BPF_STX | BPF_MEM | BPF_W, 24);
	/* A number without a sign may grow; one with a sign would be read wrongly. */
	assert_access(i, "read_grows", BPF_LDX | BPF_MEM | BPF_DW, 112);
	assert_int_equal(poisoned(i, "read_small"), 1);
	assert_int_equal(poisoned(i, "read_gone"), 1);
	assert_int_equal(poisoned(i, "read_first"), 0);
	picket_image_free(i);
}

/* ---- types that match ---- */
static uint32_t type_of(const struct picket_image *i, const char *name)
{
	for (uint32_t id = 1; id <= i->btf.type_count; id++)
		if (strcmp(vm_btf_type(&i->btf, id).name, name) == 0 && vm_btf_type(&i->btf, id).kind != BTF_KIND_VAR)
			return id;
	fail_msg("no type %s", name);
	return 0;
}

static void test_matches(void **state)
{
	static const struct {
		const char *local, *kernel;
		bool matches;
	} cases[] = {
	        {"either", "either", true},
	        {"either___other", "either", true}, /* a pointer to what is only declared there */
	        {"either___more", "either", false},
	        {"leaf", "leaf", true},
	        {"thing", "thing", false},
	        {"color", "color", false},
	        {"color___some", "color", true},
	        {"handle", "handle", false},
	};
	struct picket_image *local = open_image("relocate"), *kernel = open_image("relocate_kernel");

	uint64_t steps = 1000;

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(cases); k++)
		if (vm_core_matches(&local->btf, type_of(local, cases[k].local), &kernel->btf,
		                    type_of(kernel, cases[k].kernel), &steps) != cases[k].matches)
			fail_msg("%s, %s", cases[k].local, cases[k].kernel);
	/* Without steps nothing is found. */
	steps = 0;
	assert_false(
	        vm_core_matches(&local->btf, type_of(local, "leaf"), &kernel->btf, type_of(kernel, "leaf"), &steps));
	picket_image_free(local);
	picket_image_free(kernel);
}

static void test_names(void **state)
{
	(void)state;
	assert_int_equal(vm_core_name_length("thing"), 5);
	assert_int_equal(vm_core_name_length("thing___old"), 5);
	assert_int_equal(vm_core_name_length("thing___old___older"), 11);
	assert_int_equal(vm_core_name_length("___old"), 6);
	assert_int_equal(vm_core_name_length("thing____old"), 12);
	assert_int_equal(vm_core_name_length("thing___"), 8);
	assert_int_equal(vm_core_name_length(""), 0);
	assert_true(vm_core_same_name("a___b", "a___c"));
	assert_false(vm_core_same_name("a", "ab"));
}

/* ---- against itself nothing changes; and once is enough ---- */
static void assert_unchanged(const char *name, const struct picket_image *after)
{
	struct picket_image *before = open_image(name);

	for (size_t p = 0; p < picket_image_program_count(before); p++) {
		size_t count = 0, same = 0;
		const struct picket_insn *insns = picket_image_insns(before, p, &count);

		assert_memory_equal(insns, picket_image_insns(after, p, &same), count * sizeof(*insns));
		assert_int_equal(count, same);
	}
	picket_image_free(before);
}

static void test_itself(void **state)
{
	static const char *const objects[] = {"relocate_reads", "functions", "core"};

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(objects); k++) {
		struct picket_image *i = open_image(objects[k]);

		assert_int_equal(relocate_with(i, i, NULL), 0);
		/* A compiler may read a bit field with more bytes than it needs. */
		if (k < 2)
			assert_unchanged(objects[k], i);
		picket_image_free(i);
	}
}

static void test_twice(void **state)
{
	struct picket_image *i = open_relocated("relocate"), *kernel = open_image("relocate_kernel");

	(void)state;
	assert_int_equal(relocate_with(i, kernel, NULL), 0);
	assert_int_equal(result_of(i, "offset_plain"), 24);
	picket_image_free(i);
	picket_image_free(kernel);
}

/* ---- refused ---- */
/* The bytes of a kernel in which struct thing has struct leaf's name, too. */
static uint8_t *ambiguous_types(size_t *ret_length)
{
	struct picket_image *kernel = open_image("relocate_kernel");
	const uint8_t *btf = picket_image_btf(kernel, ret_length);
	uint8_t *copy = malloc(*ret_length);

	assert_non_null(copy);
	memcpy(copy, btf, *ret_length);
	memcpy(copy + (kernel->btf.types + kernel->btf.offsets[type_of(kernel, "thing") - 1] - btf),
	       kernel->btf.types + kernel->btf.offsets[type_of(kernel, "leaf") - 1], sizeof(uint32_t));
	picket_image_free(kernel);
	return copy;
}

static void test_refused(void **state)
{
	struct picket_image *i = open_image("relocate");
	struct picket_error error = {0};
	size_t length = 0;
	uint8_t *types = ambiguous_types(&length);

	(void)state;
	assert_int_equal(picket_image_relocate(i, types, length, &error), -EINVAL);
	assert_non_null(strstr(error.text, "several types of that name"));
	assert_non_null(strstr(error.file, "relocate.bpf.c"));
	assert_unchanged("relocate", i);
	assert_int_equal(picket_image_relocate(i, types, 10, &error), -EINVAL);
	assert_string_equal(error.section, ".BTF");
	assert_unchanged("relocate", i);
	free(types);
	picket_image_free(i);
}

/* A struct without a name that consists of itself, twice: it ends all the same, and says so. */
static void test_circle(void **state)
{
	struct picket_image *i = open_image("relocate_reads"), *kernel = open_image("relocate_kernel");
	struct vm_btf_type thing = vm_btf_type(&kernel->btf, type_of(kernel, "thing"));
	struct btf_member members[2] = {0};
	struct picket_error error = {0};
	size_t length = 0;
	uint8_t *btf =
	        (uint8_t *)(uintptr_t)picket_image_btf(kernel, &length); /* our own image's: nobody else reads it */
	struct vm_btf_member nameless = vm_btf_member(&kernel->btf, &thing, 1);
	struct vm_btf_type t = vm_btf_type(&kernel->btf, nameless.type);

	(void)state;
	assert_string_equal(nameless.name, "");
	assert_int_equal(t.kind, BTF_KIND_STRUCT);
	assert_int_equal(t.count, ARRAY_SIZE(members));
	for (size_t k = 0; k < ARRAY_SIZE(members); k++)
		members[k].type = nameless.type;
	memcpy(btf + (t.parts - btf), members, sizeof(members));
	assert_int_equal(picket_image_relocate(i, btf, length, &error), -EINVAL);
	assert_non_null(strstr(error.text, "takes too long"));
	picket_image_free(i);
	picket_image_free(kernel);
}

/* ---- whatever the types are ---- */
static void test_damaged(void **state)
{
	struct picket_image *kernel = open_image("relocate_kernel");
	size_t length = 0;
	const uint8_t *btf = picket_image_btf(kernel, &length);
	uint8_t *types = malloc(length);

	(void)state;
	assert_non_null(types);
	for (size_t at = 0; at < length; at++)
		for (unsigned bit = 0; bit < 8; bit++) {
			struct picket_image *i = open_image(bit % 2 ? "relocate" : "relocate_reads");
			struct picket_error error = {0};

			memcpy(types, btf, length);
			types[at] ^= (uint8_t)(1u << bit);
			if (picket_image_relocate(i, types, length, &error))
				assert_true(strlen(error.text) > 5);
			picket_image_free(i);
		}
	free(types);
	picket_image_free(kernel);
}

/* The same for the object's own types and relocations. */
static void test_damaged_object(void **state)
{
	struct picket_image *kernel = open_image("relocate_kernel");
	struct buf bytes;

	(void)state;
	object_read(CPU, "relocate_reads", &bytes);
	for (size_t at = 0; at < bytes.length; at++) {
		struct picket_image *i = NULL;
		char before = bytes.data[at];

		bytes.data[at] = (char)(before ^ (1 << at % 8));
		if (!picket_image_open(bytes.data, bytes.length, &i, NULL) && relocate_with(i, kernel, NULL))
			assert_int_not_equal(picket_image_program_count(i), 0);
		picket_image_free(i);
		bytes.data[at] = before;
	}
	buf_done(&bytes);
	picket_image_free(kernel);
}

/* ---- this machine's kernel ---- */
static void test_agent(void **state)
{
	struct picket_image *i = NULL;
	struct picket_error error = {0};
	size_t changed = 0;
	struct buf kernel;

	(void)state;
	buf_init(&kernel, OBJECT_BYTES_MAX);
	if (access(AGENT, R_OK) || file_read(KERNEL, &kernel)) {
		print_message("skip: %s or %s is not here\n", AGENT, KERNEL);
		skip();
	}
	assert_int_equal(picket_image_open_file(AGENT, &i, &error), 0);
	for (size_t p = 0; p < i->program_count; p++)
		changed += i->programs[p].core_count;
	assert_true(changed > 1000);
	if (picket_image_relocate(i, kernel.data, kernel.length, &error))
		fail_msg("%s", error.text);
	picket_image_free(i);
	buf_done(&kernel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_numbers),        cmocka_unit_test(test_accesses), cmocka_unit_test(test_matches),
	        cmocka_unit_test(test_names),          cmocka_unit_test(test_itself),   cmocka_unit_test(test_twice),
	        cmocka_unit_test(test_refused),        cmocka_unit_test(test_circle),   cmocka_unit_test(test_damaged),
	        cmocka_unit_test(test_damaged_object), cmocka_unit_test(test_agent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
