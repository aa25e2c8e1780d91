/* SPDX-License-Identifier: Apache-2.0 */
#include "helper_fixture.h"

/* ---- the table ---- */
static void test_find(void **state)
{
	const struct picket_helper own[] = {{.id = PICKET_HELPER_OWN + 1, .name = "b"},
	                                    {.id = PICKET_HELPER_OWN, .name = "a"}};

	(void)state;
	assert_string_equal(vm_helper_find(1, NULL, 0)->name, "map_lookup_elem");
	assert_string_equal(vm_helper_find(BPF_FUNC_dynptr_data, NULL, 0)->name, "dynptr_data");
	assert_null(vm_helper_find(0, NULL, 0));
	assert_null(vm_helper_find(BPF_FUNC_get_current_task, NULL, 0));
	assert_null(vm_helper_find(UINT32_MAX, NULL, 0));
	assert_ptr_equal(vm_helper_find(PICKET_HELPER_OWN, own, 2), &own[1]);
	assert_ptr_equal(vm_helper_find(PICKET_HELPER_OWN + 1, own, 2), &own[0]);
	assert_null(vm_helper_find(PICKET_HELPER_OWN + 2, own, 2));
	assert_null(vm_helper_find(PICKET_HELPER_OWN, NULL, 0));
}

static void test_names(void **state)
{
	(void)state;
	assert_int_equal(vm_helper_by_name("snprintf")->id, BPF_FUNC_snprintf);
	assert_null(vm_helper_by_name("bpf_snprintf"));
	assert_null(vm_helper_by_name("get_current_task"));
	assert_null(vm_helper_by_name(""));
	assert_string_equal(vm_helper_name(BPF_FUNC_get_current_task), "get_current_task");
	assert_string_equal(vm_helper_name(1), "map_lookup_elem");
	assert_null(vm_helper_name(0));
	assert_null(vm_helper_name(PICKET_HELPER_OWN));
	assert_null(vm_helper_name(UINT32_MAX));
}

static void test_rows(void **state)
{
	(void)state;
	for (uint32_t id = 0; id < 1000; id++) {
		const struct picket_helper *h = vm_helper_find(id, NULL, 0);
		if (!h)
			continue;
		assert_int_equal(h->id, id);
		assert_true(vm_helper_is_valid(h));
		assert_ptr_equal(vm_helper_by_name(h->name), h);
		assert_string_equal(vm_helper_name(id), h->name);
	}
}

static void check_valid(bool valid, enum picket_arg a, enum picket_arg b, enum picket_arg c)
{
	const struct picket_helper h = {.args = {a, b, c}};
	const struct picket_helper last = {.args = {PICKET_ARG_ANY, PICKET_ARG_ANY, a, b, c}};

	assert_int_equal(vm_helper_is_valid(&h), valid);
	assert_int_equal(vm_helper_is_valid(&last), valid);
}

static void test_valid(void **state)
{
	(void)state;
	check_valid(true, PICKET_ARG_NONE, PICKET_ARG_NONE, PICKET_ARG_NONE);
	check_valid(true, PICKET_ARG_MEM, PICKET_ARG_SIZE, PICKET_ARG_ANY);
	check_valid(true, PICKET_ARG_MEM_OR_NULL, PICKET_ARG_SIZE_OR_ZERO, PICKET_ARG_NONE);
	check_valid(true, PICKET_ARG_MAP, PICKET_ARG_ANY, PICKET_ARG_MAP_KEY);
	check_valid(false, PICKET_ARG_ANY, PICKET_ARG_NONE, PICKET_ARG_ANY);
	check_valid(false, PICKET_ARG_MEM, PICKET_ARG_ANY, PICKET_ARG_SIZE);
	check_valid(false, PICKET_ARG_ANY, PICKET_ARG_ANY, PICKET_ARG_MEM);
	check_valid(false, PICKET_ARG_MEM_OR_NULL, PICKET_ARG_SIZE, PICKET_ARG_NONE);
	check_valid(false, PICKET_ARG_MAP_KEY, PICKET_ARG_MAP, PICKET_ARG_NONE);
	check_valid(false, PICKET_ARG_MAP_VALUE_OUT, PICKET_ARG_NONE, PICKET_ARG_NONE);
	check_valid(false, (enum picket_arg)1000, PICKET_ARG_NONE, PICKET_ARG_NONE);
}

/* ---- every row, once: map[1] is an array, [2] a queue, [3] a ring buffer, [4] a constant text, [5] a prog array ---- */
#define STACK(register, offset) "mov %r" register ", %r10\nadd %r" register ", -" offset "\n"
#define ARRAY "lddw %r1, map[1]\nstdw [%r10-8], 0\n" STACK("2", "8")
#define QUEUE "lddw %r1, map[2]\nstdw [%r10-8], 0\n" STACK("2", "8")
#define RING "lddw %r1, map[3]\n"
#define READ "stdw [%r10-8], 0\nstdw [%r10-16], 0\n" STACK("1", "16") "mov %r2, 8\n" STACK("3", "8")
#define NUMBER "stdw [%r10-8], 0x3231\n" STACK("1", "8") "mov %r2, 8\nmov %r3, 0\n" STACK("4", "16")
#define FORMAT "stdw [%r10-8], 0x6f6c\n" STACK("1", "8") "mov %r2, 8\n"
#define LOCK "lddw %r1, map_value[1]\n"
#define DYNPTR STACK("1", "64") "mov %r2, 48\nmov %r3, 0\n" STACK("4", "16") "call dynptr_from_mem\n"
#define RING_DYNPTR RING "mov %r2, 8\nmov %r3, 0\n" STACK("4", "16") "call ringbuf_reserve_dynptr\n"
#define EACH "lddw %r2, function each\nmov %r3, 0\nmov %r4, 0\n"
#define EACH_END "exit\neach:\nmov %r0, 0\n"

struct row {
	uint32_t id;
	const char *code; /* before the call; %s: and after it */
	const char *after;
	int result;
};
#define CLOCK 12345678 /* any number that is not 0 */

static const struct row rows[] = {
        {BPF_FUNC_map_lookup_elem, ARRAY, "", CLOCK},
        {BPF_FUNC_map_update_elem, ARRAY STACK("3", "8") "mov %r4, 0\n", "", 0},
        {BPF_FUNC_map_delete_elem, ARRAY, "", -EINVAL},
        {BPF_FUNC_map_push_elem, QUEUE "mov %r3, 0\n", "", 0},
        {BPF_FUNC_map_pop_elem, QUEUE, "", 0},
        {BPF_FUNC_map_peek_elem, QUEUE, "", -ENOENT},
        {BPF_FUNC_for_each_map_elem, "lddw %r1, map[1]\n" EACH, EACH_END, 1},
        {BPF_FUNC_map_lookup_percpu_elem, ARRAY "mov %r3, 0\n", "", 0},
        {BPF_FUNC_probe_read, READ, "", 0},
        {BPF_FUNC_probe_read_str, READ, "", 1},
        {BPF_FUNC_probe_read_user, READ, "", 0},
        {BPF_FUNC_probe_read_kernel, READ, "", 0},
        {BPF_FUNC_probe_read_user_str, READ, "", 1},
        {BPF_FUNC_probe_read_kernel_str, READ, "", 1},
        {BPF_FUNC_copy_from_user, READ, "", 0},
        {BPF_FUNC_csum_diff, "mov %r1, 0\nmov %r2, 0\nmov %r3, 0\nmov %r4, 0\nmov %r5, 7\n", "", 7},
        {BPF_FUNC_strtol, NUMBER, "", 2},
        {BPF_FUNC_strtoul, NUMBER, "", 2},
        {BPF_FUNC_strncmp, READ "lddw %r3, map_value[4]\n", "", -1},
        {BPF_FUNC_trace_printk, FORMAT, "", 2},
        {BPF_FUNC_trace_vprintk, FORMAT "mov %r3, 0\nmov %r4, 0\n", "", 2},
        {BPF_FUNC_snprintf, READ "lddw %r3, map_value[4]\nmov %r4, 0\nmov %r5, 0\n", "", 5},
        {BPF_FUNC_tail_call, "lddw %r2, map[5]\nmov %r3, 0\n", "", -ENOENT},
        {BPF_FUNC_spin_lock, LOCK, "lddw %r6, map_value[1]\nldxw %r0, [%r6+0]\n", 1},
        {BPF_FUNC_spin_unlock, LOCK "call spin_lock\n" LOCK, "lddw %r6, map_value[1]\nldxw %r0, [%r6+0]\n", 0},
        {BPF_FUNC_loop, "mov %r1, 3\n" EACH, EACH_END, 3},
        {BPF_FUNC_ktime_get_ns, "", "", CLOCK},
        {BPF_FUNC_get_prandom_u32, "", "or %r0, 1\n", CLOCK},
        {BPF_FUNC_get_smp_processor_id, "", "", 0},
        {BPF_FUNC_get_current_pid_tgid, "", "", CLOCK},
        {BPF_FUNC_get_current_uid_gid, "", "or %r0, 1\n", CLOCK},
        {BPF_FUNC_get_current_comm, READ, "ldxb %r0, [%r10-9]\n", 0},
        {BPF_FUNC_get_numa_node_id, "", "or %r0, 1\n", CLOCK},
        {BPF_FUNC_jiffies64, "", "", CLOCK},
        {BPF_FUNC_ktime_get_boot_ns, "", "", CLOCK},
        {BPF_FUNC_ktime_get_coarse_ns, "", "", CLOCK},
        {BPF_FUNC_ktime_get_tai_ns, "", "", CLOCK},
        {BPF_FUNC_ringbuf_output, RING STACK("2", "8") "mov %r3, 8\nmov %r4, 0\n", "", 0},
        {BPF_FUNC_ringbuf_reserve, RING "mov %r2, 8\nmov %r3, 0\n", "", CLOCK},
        {BPF_FUNC_ringbuf_submit, RING "mov %r2, 8\nmov %r3, 0\ncall ringbuf_reserve\nmov %r1, %r0\nmov %r2, 0\n", "",
         0},
        {BPF_FUNC_ringbuf_discard, RING "mov %r2, 8\nmov %r3, 0\ncall ringbuf_reserve\nmov %r1, %r0\nmov %r2, 0\n", "",
         0},
        {BPF_FUNC_ringbuf_query, RING "mov %r2, 1\n", "", 4096},
        {BPF_FUNC_dynptr_from_mem, STACK("1", "64") "mov %r2, 48\nmov %r3, 0\n" STACK("4", "16"), "", 0},
        {BPF_FUNC_ringbuf_reserve_dynptr, RING "mov %r2, 8\nmov %r3, 0\n" STACK("4", "16"), "", 0},
        {BPF_FUNC_ringbuf_submit_dynptr, RING_DYNPTR STACK("1", "16") "mov %r2, 0\n", "", 0},
        {BPF_FUNC_ringbuf_discard_dynptr, RING_DYNPTR STACK("1", "16") "mov %r2, 0\n", "", 0},
        {BPF_FUNC_dynptr_read, DYNPTR STACK("1", "8") "mov %r2, 8\n" STACK("3", "16") "mov %r4, 41\nmov %r5, 0\n", "",
         -E2BIG},
        {BPF_FUNC_dynptr_write, DYNPTR STACK("1", "16") "mov %r2, 41\n" STACK("3", "8") "mov %r4, 8\nmov %r5, 0\n", "",
         -E2BIG},
        {BPF_FUNC_dynptr_data, DYNPTR STACK("1", "16") "mov %r2, 0\nmov %r3, 8\n", "", CLOCK},
};

static void check_row(struct fixture *f, const struct row *row)
{
	char text[1024];

	snprintf(text, sizeof(text), "%scall %u\n%sexit\n", row->code, row->id, row->after);
	for (size_t i = 0; i < ARRAY_SIZE(fixture_engines); i++) {
		struct picket_program *p = fixture_load(f, fixture_engines[i], text);
		int r = fixture_run(f, p);
		picket_program_free(p);
		if (r == -EOPNOTSUPP)
			continue;
		if (r)
			fail_msg("engine %zu: %s %llu\n%s", i, picket_fault_name(f->call.fault.kind),
			         (unsigned long long)f->call.fault.address, text);
		if (row->result == CLOCK ? !f->call.result : (int64_t)f->call.result != row->result)
			fail_msg("engine %zu: %lld\n%s", i, (long long)f->call.result, text);
	}
}

static void test_every_row(void **state)
{
	struct fixture f;
	bool called[1000] = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		fixture_init(&f);
		fixture_add_map(&f, BPF_MAP_TYPE_ARRAY, 4, 8, 1);
		fixture_add_map(&f, BPF_MAP_TYPE_QUEUE, 0, 8, 4);
		fixture_add_map(&f, BPF_MAP_TYPE_RINGBUF, 0, 0, 4096);
		fixture_add_text(&f, "text");
		fixture_add_map(&f, BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 1);
		if (rows[i].id == BPF_FUNC_map_pop_elem)
			for (size_t engine = 0; engine < ARRAY_SIZE(fixture_engines); engine++)
				assert_int_equal(picket_map_update(f.maps[2], NULL, &(uint64_t){1}, 0), 0);
		check_row(&f, &rows[i]);
		called[rows[i].id] = true;
		fixture_done(&f);
	}
	for (uint32_t id = 0; id < ARRAY_SIZE(called); id++)
		if (!called[id] && vm_helper_find(id, NULL, 0))
			fail_msg("no test calls %s", vm_helper_name(id));
}

/* ---- arguments, by the types that an embedder's helper may have ---- */
static uint64_t sum(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, struct picket_run *run)
{
	(void)run;
	return r1 + r2 + r3 + r4 + r5;
}

/* A helper with these types, called after `code`. wrong: the number of the argument that is; 0: none is. */
static void check_types(const char *code, uint64_t wrong, enum picket_arg a, enum picket_arg b, enum picket_arg c)
{
	const struct picket_helper own = {.id = PICKET_HELPER_OWN, .name = "own", .args = {a, b, c}, .function = sum};
	uint64_t context[2] = {0};
	struct fixture f;
	char text[512];

	fixture_init(&f);
	fixture_add_map(&f, BPF_MAP_TYPE_HASH, 8, 16, 4);
	fixture_add_text(&f, "text");
	f.options.helpers = &own;
	f.options.helper_count = 1;
	f.call.data = context;
	f.call.length = sizeof(context);
	snprintf(text, sizeof(text), "%scall %u\nexit\n", code, PICKET_HELPER_OWN);
	if (wrong) {
		fixture_fault(&f, text, PICKET_FAULT_ARGUMENT, wrong);
	} else {
		for (size_t i = 0; i < 2; i++) {
			struct picket_program *p = fixture_load(&f, fixture_engines[i], text);
			int r = fixture_run(&f, p);
			picket_program_free(p);
			if (r && r != -EOPNOTSUPP)
				fail_msg("argument %llu\n%s", (unsigned long long)f.call.fault.address, text);
		}
	}
	fixture_done(&f);
}

#define check1(code, wrong, a) check_types(code, wrong, PICKET_ARG_##a, PICKET_ARG_NONE, PICKET_ARG_NONE)
#define check2(code, wrong, a, b) check_types(code, wrong, PICKET_ARG_##a, PICKET_ARG_##b, PICKET_ARG_NONE)
#define check3(code, wrong, a, b, c) check_types(code, wrong, PICKET_ARG_##a, PICKET_ARG_##b, PICKET_ARG_##c)

static void test_type_context(void **state)
{
	(void)state;
	check1("", 0, CTX);
	check1("add %r1, 8\n", 1, CTX);
	check1("mov %r1, %r10\n", 1, CTX);
	check2("", 0, CTX, SIZE);
	check2("mov %r2, 0\n", 2, CTX, SIZE);
	check2("mov %r2, 0\n", 0, CTX, SIZE_OR_ZERO);
	check2("mov32 %r2, 0x20000000\n", 0, CTX, SIZE);
	check2("mov32 %r2, 0x20000001\n", 2, CTX, SIZE);
	check2("mov %r2, -1\n", 2, CTX, SIZE_OR_ZERO);
}

static void test_type_memory(void **state)
{
	(void)state;
	check2("", 0, MEM, SIZE);
	check2("mov %r2, 17\n", 1, MEM, SIZE);
	check2("add %r1, 1\n", 1, MEM, SIZE);
	check2("sub %r1, 1\n", 1, MEM, SIZE);
	check2("mov %r1, %r10\nsub %r1, 512\nmov %r2, 512\n", 0, MEM_OUT, SIZE);
	check2("mov %r1, %r10\nsub %r1, 512\nmov %r2, 513\n", 1, MEM_OUT, SIZE);
	check2("mov %r1, %r10\nsub %r1, 513\nmov %r2, 8\n", 1, MEM, SIZE);
	check2("mov %r1, 0\nmov %r2, 0\n", 0, MEM_OR_NULL, SIZE_OR_ZERO);
	check2("mov %r1, 0\nmov %r2, 1\n", 1, MEM_OR_NULL, SIZE_OR_ZERO);
	check2("mov %r1, 0\nmov %r2, 1\n", 1, MEM_OUT_OR_NULL, SIZE_OR_ZERO);
	check2("mov %r2, 0\n", 2, MEM, SIZE);
	check2("mov %r2, -1\n", 2, MEM, SIZE);
	/* The end of the address space. */
	check2("mov %r1, -8\nmov %r2, 16\n", 1, MEM, SIZE);
	check2("lddw %r1, map_value[2]\nmov %r2, 5\n", 0, MEM, SIZE);
	check2("lddw %r1, map_value[2]\nmov %r2, 5\n", 1, MEM_OUT, SIZE);
	check1("", 0, LONG_OUT);
	check1("add %r1, 9\n", 1, LONG_OUT);
	check1("lddw %r1, map_value[2]\n", 1, LONG_OUT);
}

static void test_type_map(void **state)
{
	(void)state;
	check1("lddw %r1, map[1]\n", 0, MAP);
	check1("lddw %r1, map[1]\nadd %r1, 8\n", 1, MAP);
	check1("mov %r1, 0\n", 1, MAP);
	check2("mov %r2, %r1\nlddw %r1, map[1]\n", 0, MAP, MAP_VALUE);
	check2("mov %r2, %r1\nadd %r2, 8\nlddw %r1, map[1]\n", 0, MAP, MAP_KEY);
	check2("mov %r2, %r1\nadd %r2, 8\nlddw %r1, map[1]\n", 2, MAP, MAP_VALUE);
	check2("mov %r2, %r1\nadd %r2, 8\nlddw %r1, map[1]\n", 2, MAP, MAP_VALUE_OUT);
	check2("lddw %r1, map[2]\nlddw %r2, map_value[2]\n", 0, MAP, MAP_VALUE);
	check2("lddw %r1, map[2]\nlddw %r2, map_value[2]\n", 2, MAP, MAP_VALUE_OUT);
	check3("mov %r3, %r1\nlddw %r1, map[2]\nlddw %r2, map[1]\n", 0, MAP, MAP, MAP_VALUE);
}

static void test_type_text(void **state)
{
	(void)state;
	check1("lddw %r1, map_value[2]\n", 0, CONST_STR);
	check1("lddw %r1, map_value[2]+4\n", 0, CONST_STR);
	check1("lddw %r1, map_value[2]\nadd %r1, 5\n", 1, CONST_STR);
	check1("mov %r1, 0\n", 1, CONST_STR);
	check1("stdw [%r1+0], -1\nstdw [%r1+8], -1\n", 1, CONST_STR);
	check1("stdw [%r1+0], -1\nstb [%r1+15], 0\n", 0, CONST_STR);
}

static void test_type_others(void **state)
{
	(void)state;
	check2("mov %r1, 7\nmov %r2, -1\n", 0, ANY, CALLBACK_CTX);
	check1("mov %r1, -1\n", 0, ALLOC_SIZE);
	check1("mov %r1, 0\n", 1, FUNCTION);
	check1("lddw %r1, 0x7069636b00000000\n", 0, FUNCTION);
	check1("lddw %r1, 0x7069636b00000001\n", 1, FUNCTION);
	check1("mov %r1, 0\n", 1, RING_RECORD);
	check1("mov %r1, %r10\nsub %r1, 16\n", 1, DYNPTR);
	check1("mov %r1, %r10\nsub %r1, 16\n", 0, DYNPTR_OUT);
	check1("mov %r1, %r10\nsub %r1, 12\n", 1, DYNPTR_OUT);
	check1("", 1, DYNPTR_OUT);
	check1("lddw %r1, map_value[0]\n", 0, SPIN_LOCK);
	check1("lddw %r1, map_value[2]\n", 1, SPIN_LOCK);
	check1("mov %r1, %r10\nsub %r1, 16\n", 1, SPIN_LOCK);
}

/* ---- probe_read: what is read need not be there ---- */
static void check_read(const char *helper, const char *from, int size, int64_t result, const char *bytes)
{
	static const char code[] = "mov %%r6, %%r1\n"
	                           "lddw %%r1, map_value[0]\n"
	                           "mov %%r2, %d\n"
	                           "%s"
	                           "call %s\n"
	                           "exit\n";
	char context[] = "context", text[512];
	struct fixture f;

	fixture_init(&f);
	f.call.data = context;
	f.call.length = sizeof(context);
	memset(f.buffer, 0xee, 16);
	snprintf(text, sizeof(text), code, size, from, helper);
	assert_int_equal((int64_t)fixture_result(&f, text), result);
	assert_memory_equal(f.buffer, bytes, 16);
	fixture_done(&f);
}

#define E "\xee"
#define E4 E E E E
#define FROM(offset) "mov %r3, %r6\nadd %r3, " offset "\n"

static void test_probe_read(void **state)
{
	(void)state;
	check_read("probe_read", FROM("0"), 8, 0, "context\0" E4 E4);
	check_read("probe_read_user", FROM("3"), 3, 0, "tex" E E4 E4 E4);
	check_read("probe_read_kernel", FROM("3"), 6, -EFAULT, "\0\0\0\0\0\0" E E E4 E4);
	check_read("copy_from_user", "mov %r3, 0\n", 4, -EFAULT, "\0\0\0\0" E4 E4 E4);
	check_read("probe_read", "mov %r3, -8\n", 16, -EFAULT, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
	check_read("probe_read", "mov %r3, 1\n", 0, 0, E4 E4 E4 E4);
	check_read("probe_read", "mov %r3, %r1\nadd %r3, 1\n", 8, 0, E4 E4 E4 E4);
	check_read("probe_read", "stdw [%r10-8], 0x41\nmov %r3, %r10\nadd %r3, -8\n", 8, 0, "A\0\0\0\0\0\0\0" E4 E4);
}

static void test_probe_read_str(void **state)
{
	(void)state;
	check_read("probe_read_str", FROM("0"), 16, 8, "context\0" E4 E4);
	check_read("probe_read_user_str", FROM("0"), 4, 4, "con\0" E4 E4 E4);
	check_read("probe_read_kernel_str", FROM("7"), 4, 1, "\0" E E E E4 E4 E4);
	check_read("probe_read_kernel_str", FROM("8"), 4, -EFAULT, "\0\0\0\0" E4 E4 E4);
	check_read("probe_read_kernel_str", FROM("0"), 1, 1, "\0" E E E E4 E4 E4);
	check_read("probe_read_kernel_str", FROM("0"), 0, 0, E4 E4 E4 E4);
	/* No NUL before what may be read ends. */
	check_read("probe_read_kernel_str", "stb [%r6+7], 0x21\n" FROM("4"), 8, -EFAULT, "\0\0\0\0\0\0\0\0" E4 E4);
	check_read("probe_read_kernel_str", "stb [%r6+7], 0x21\n" FROM("4"), 4, 4, "ext\0" E4 E4 E4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_find),        cmocka_unit_test(test_names),
	        cmocka_unit_test(test_rows),        cmocka_unit_test(test_valid),
	        cmocka_unit_test(test_every_row),   cmocka_unit_test(test_type_context),
	        cmocka_unit_test(test_type_memory), cmocka_unit_test(test_type_map),
	        cmocka_unit_test(test_type_text),   cmocka_unit_test(test_type_others),
	        cmocka_unit_test(test_probe_read),  cmocka_unit_test(test_probe_read_str),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
