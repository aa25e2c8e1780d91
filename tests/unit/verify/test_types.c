/* SPDX-License-Identifier: Apache-2.0
 *
 * Types of a kernel: of one made here, which has each thing once; and of the running one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/btf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "verify/types_int.h"

/* struct task {
 *         int pid;
 *         unsigned flags : 4, kind : 4;
 *         struct task *parent;
 *         struct inode *inodes[2];
 *         union { struct inode *one; long number; };
 *         struct file __rcu *file;
 *         char __user *name;
 *         struct inode { long number; struct file *of; } inner;
 *         char text[8];
 *         struct inode more[];
 * };
 */
enum {
	PID = 0,
	BITS = 4,
	PARENT = 8,
	INODES = 16,
	UNION = 32,
	FILE_AT = 40,
	USER = 48,
	INNER = 56,
	TEXT = 72,
	END = 80
};
#define INODE_OF 8

struct made {
	struct btf *btf;
	struct verify_types *types;
	uint32_t task, inode, file;
	int task_pointer, number, boolean;
};

static void add(struct btf *b, const char *name, int type, uint32_t byte)
{
	assert_int_equal(btf__add_field(b, name, type, byte * 8, 0), 0);
}

static void make_objects(struct made *m)
{
	struct btf *b = m->btf;
	int text, inodes, union_type, rcu_file, user_text, texts, more, file_pointer;

	m->number = btf__add_int(b, "long", 8, BTF_INT_SIGNED);
	m->boolean = btf__add_int(b, "bool", 1, BTF_INT_BOOL);
	text = btf__add_int(b, "char", 1, 0);
	m->file = (uint32_t)btf__add_struct(b, "file", 8);
	add(b, "mode", m->number, 0);
	file_pointer = btf__add_ptr(b, (int)m->file);
	m->inode = (uint32_t)btf__add_struct(b, "inode", 16);
	add(b, "number", m->number, 0);
	add(b, "of", file_pointer, INODE_OF);
	inodes = btf__add_array(b, m->number, btf__add_ptr(b, (int)m->inode), 2);
	union_type = btf__add_union(b, NULL, 8);
	add(b, "one", inodes - 1, 0);
	add(b, "number", m->number, 0);
	rcu_file = btf__add_ptr(b, btf__add_type_tag(b, "rcu", (int)m->file));
	user_text = btf__add_ptr(b, btf__add_type_tag(b, "user", text));
	texts = btf__add_array(b, m->number, text, 8);
	more = btf__add_array(b, m->number, (int)m->inode, 0);
	text = btf__add_int(b, "int", 4, BTF_INT_SIGNED);
	m->task_pointer = btf__add_ptr(b, (int)btf__type_cnt(b) + 1);
	m->task = (uint32_t)btf__add_struct(b, "task", END);
	add(b, "pid", text, PID);
	assert_int_equal(btf__add_field(b, "flags", text, BITS * 8, 4), 0);
	assert_int_equal(btf__add_field(b, "kind", text, BITS * 8 + 4, 4), 0);
	add(b, "parent", m->task_pointer, PARENT);
	add(b, "inodes", inodes, INODES);
	add(b, "", union_type, UNION);
	add(b, "file", rcu_file, FILE_AT);
	add(b, "name", user_text, USER);
	add(b, "inner", (int)m->inode, INNER);
	add(b, "text", texts, TEXT);
	add(b, "more", more, END);
	btf__add_struct(b, "task__safe_rcu", 8);
	add(b, "parent", m->task_pointer, 0);
	btf__add_struct(b, "inode__safe_trusted_or_null", 8);
	add(b, "of", file_pointer, 0);
}

static void make_hook(struct made *m, const char *name, int returns, unsigned arguments)
{
	int prototype = btf__add_func_proto(m->btf, returns);

	for (unsigned i = 0; i < arguments; i++)
		assert_int_equal(btf__add_func_param(m->btf, "task", m->task_pointer), 0);
	assert_true(btf__add_func(m->btf, name, BTF_FUNC_STATIC, prototype) > 0);
}

static void make_tracepoint(struct made *m)
{
	int data = btf__add_ptr(m->btf, 0), prototype = btf__add_func_proto(m->btf, 0);

	btf__add_func_param(m->btf, "__data", data);
	btf__add_func_param(m->btf, "number", m->number);
	btf__add_func_param(m->btf, "task", m->task_pointer);
	btf__add_typedef(m->btf, "btf_trace_wake", btf__add_ptr(m->btf, prototype));
}

/* struct table { long (*ask)(struct task *task, struct task *task__nullable); void (*tell)(struct task *task); }; */
static void make_table(struct made *m)
{
	int ask, tell, stub;

	ask = btf__add_func_proto(m->btf, m->number);
	btf__add_func_param(m->btf, "task", m->task_pointer);
	btf__add_func_param(m->btf, "other", m->task_pointer);
	stub = btf__add_func_proto(m->btf, m->number);
	btf__add_func_param(m->btf, "task", m->task_pointer);
	btf__add_func_param(m->btf, "other__nullable", m->task_pointer);
	btf__add_func(m->btf, "table__ask", BTF_FUNC_STATIC, stub);
	tell = btf__add_func_proto(m->btf, 0);
	btf__add_func_param(m->btf, "task", m->task_pointer);
	ask = btf__add_ptr(m->btf, ask);
	tell = btf__add_ptr(m->btf, tell);
	btf__add_struct(m->btf, "table", 16);
	add(m->btf, "ask", ask, 0);
	add(m->btf, "tell", tell, 8);
}

static void make_variables(struct made *m)
{
	int init = btf__add_var(m->btf, "init_task", BTF_VAR_GLOBAL_ALLOCATED, (int)m->task),
	    count = btf__add_var(m->btf, "count", BTF_VAR_GLOBAL_ALLOCATED, m->number);

	assert_true(init > 0);
	assert_true(btf__add_datasec(m->btf, ".data..percpu", 8) > 0);
	assert_int_equal(btf__add_datasec_var_info(m->btf, count, 0, 8), 0);
}

static int setup(void **state)
{
	struct made *m = calloc(1, sizeof(*m));
	struct picket_error error;
	const void *data;
	uint32_t length;

	assert_non_null(m);
	m->btf = btf__new_empty();
	assert_non_null(m->btf);
	make_objects(m);
	make_tracepoint(m);
	make_hook(m, "check", m->task_pointer, 1);
	make_hook(m, "bpf_lsm_check", m->number, 1);
	make_hook(m, "bpf_lsm_task_free", 0, 1);
	make_hook(m, "bpf_lsm_able", m->boolean, 1);
	make_hook(m, "bpf_iter_task", m->number, 2);
	make_table(m);
	make_variables(m);
	data = btf__raw_data(m->btf, &length);
	assert_non_null(data);
	assert_int_equal(verify_types_open(data, length, &m->types, &error), 0);
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	struct made *m = *state;

	verify_types_free(m->types);
	btf__free(m->btf);
	free(m);
	return 0;
}

static void is_number(const struct made *m, uint32_t type, int64_t offset, unsigned bytes)
{
	struct verify_type_field f;

	assert_true(verify_types_field(m->types, type, offset, bytes, &f));
	assert_int_equal(f.what, TYPE_FIELD_NUMBER);
}

static struct verify_type_field object(const struct made *m, uint32_t type, int64_t offset, uint32_t expected)
{
	struct verify_type_field f;

	assert_true(verify_types_field(m->types, type, offset, 8, &f));
	assert_int_equal(f.what, TYPE_FIELD_OBJECT);
	assert_int_equal(f.type, expected);
	return f;
}

static void is_none(const struct made *m, uint32_t type, int64_t offset, unsigned bytes)
{
	struct verify_type_field f;

	assert_false(verify_types_field(m->types, type, offset, bytes, &f));
}

static void test_numbers(void **state)
{
	const struct made *m = *state;

	is_number(m, m->task, PID, 4);
	is_number(m, m->task, PID + 1, 1);
	is_number(m, m->task, BITS, 1);
	is_number(m, m->task, BITS, 4);
	is_number(m, m->task, TEXT + 7, 1);
	is_number(m, m->task, TEXT + 4, 4); /* several elements at once */
	is_number(m, m->task, INNER, 8);
	is_none(m, m->task, PID, 8);      /* behind the field's end */
	is_none(m, m->task, TEXT + 4, 8); /* behind the last element */
	is_none(m, m->task, -1, 1);
	is_none(m, m->task, INT64_MAX, 8);
	is_none(m, m->file, 8, 1);
	is_none(m, m->file, 4, 8);
	is_none(m, 0, 0, 1);
	is_none(m, UINT32_MAX, 0, 1);
	is_none(m, (uint32_t)m->number, 0, 8);
}

static void test_pointers(void **state)
{
	const struct made *m = *state;
	struct verify_type_field f = object(m, m->task, PARENT, m->task);

	assert_true(f.rcu && !f.trusted && !f.maybe_null); /* task__safe_rcu says so */
	f = object(m, m->inode, INODE_OF, m->file);
	assert_true(f.trusted && f.maybe_null && !f.rcu);
	f = object(m, m->task, FILE_AT, m->file);
	assert_true(f.rcu && f.maybe_null && !f.trusted); /* by its tag */
	f = object(m, m->task, INODES + 8, m->inode);
	assert_false(f.trusted || f.rcu);
	f = object(m, m->task, INNER + INODE_OF, m->file);
	assert_false(f.trusted || f.rcu); /* inode's list is of inodes, not of what a task holds of one */
	assert_true(verify_types_field(m->types, m->task, USER, 8, &f));
	assert_int_equal(f.what, TYPE_FIELD_OTHER_POINTER);
	is_none(m, m->task, PARENT, 4); /* half of a pointer */
	is_none(m, m->task, PARENT + 4, 8);
}

static void test_union_and_flexible_array(void **state)
{
	const struct made *m = *state;
	struct verify_type_field f = object(m, m->task, UNION, m->inode);

	assert_false(f.trusted || f.rcu);
	is_number(m, m->task, UNION + 4, 4); /* only the other member has it */
	is_number(m, m->task, END, 8);
	f = object(m, m->task, END + 3 * 16 + INODE_OF, m->file);
	assert_false(f.trusted);
	is_none(m, m->task, END + 4, 8);
}

static void test_names(void **state)
{
	const struct made *m = *state;
	char longest[400];
	uint32_t type = 77;

	assert_true(verify_types_by_name(m->types, "inode", &type));
	assert_int_equal(type, m->inode);
	for (int i = 0; i < 40; i++) { /* past what is remembered */
		snprintf(longest, sizeof(longest), "none%d", i);
		assert_false(verify_types_by_name(m->types, longest, &type));
	}
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = 0;
	assert_false(verify_types_by_name(m->types, longest, &type));
	assert_false(verify_types_by_name(m->types, "check", &type)); /* a function */
	assert_false(verify_types_by_name(NULL, "inode", &type));
	assert_int_equal(type, m->inode);
	assert_string_equal(verify_types_name(m->types, m->task), "task");
	assert_string_equal(verify_types_name(m->types, UINT32_MAX), "");
	assert_string_equal(verify_types_name(NULL, 1), "");
}

static struct verify_type_field argument(const struct made *m, enum picket_kind kind, const char *hook, unsigned index)
{
	struct verify_type_field f;

	assert_true(verify_types_argument(m->types, verify_kind_find(kind), hook, index, &f));
	return f;
}

static bool has_argument(const struct made *m, enum picket_kind kind, const char *hook, unsigned index)
{
	struct verify_type_field f;

	return verify_types_argument(m->types, verify_kind_find(kind), hook, index, &f);
}

static void test_arguments(void **state)
{
	const struct made *m = *state;
	struct verify_type_field f = argument(m, PICKET_KIND_TP_BTF, "wake", 1);

	assert_true(f.what == TYPE_FIELD_OBJECT && f.type == m->task && f.trusted && !f.maybe_null);
	assert_int_equal(argument(m, PICKET_KIND_TP_BTF, "wake", 0).what, TYPE_FIELD_NUMBER);
	assert_false(has_argument(m, PICKET_KIND_TP_BTF, "wake", 2));
	assert_false(has_argument(m, PICKET_KIND_TP_BTF, "wake", UINT32_MAX));
	assert_false(has_argument(m, PICKET_KIND_TP_BTF, "sleep", 0));

	f = argument(m, PICKET_KIND_FENTRY, "check", 0);
	assert_true(f.what == TYPE_FIELD_OBJECT && !f.trusted);
	assert_false(has_argument(m, PICKET_KIND_FENTRY, "check", 1));
	f = argument(m, PICKET_KIND_FEXIT, "check", 1); /* what it returned */
	assert_true(f.what == TYPE_FIELD_OBJECT && !f.trusted);

	assert_true(argument(m, PICKET_KIND_LSM, "check", 0).trusted);
	assert_false(argument(m, PICKET_KIND_LSM, "task_free", 0).trusted);
	assert_false(argument(m, PICKET_KIND_ITER, "task", 0).maybe_null);
	f = argument(m, PICKET_KIND_ITER, "task", 1);
	assert_true(f.trusted && f.maybe_null);
	assert_false(has_argument(m, PICKET_KIND_XDP, "check", 0));
	assert_false(has_argument(m, PICKET_KIND_TP_BTF, NULL, 0));
}

static void test_returns(void **state)
{
	const struct made *m = *state;
	const struct verify_kind *lsm = verify_kind_find(PICKET_KIND_LSM);
	int64_t min = 7, max = 7;

	assert_true(verify_types_returns(m->types, lsm, "able", &min, &max));
	assert_true(min == 0 && max == 1);
	assert_true(verify_types_returns(m->types, lsm, "check", &min, &max));
	assert_true(min == -4095 && max == 0);
	assert_false(verify_types_returns(m->types, lsm, "task_free", &min, &max));
	assert_false(verify_types_returns(m->types, verify_kind_find(PICKET_KIND_FENTRY), "check", &min, &max));
}

static void test_objects_in_objects(void **state)
{
	const struct made *m = *state;

	assert_true(verify_types_holds(m->types, m->task, 0, m->task));
	assert_true(verify_types_holds(m->types, m->task, INNER, m->inode));
	assert_true(verify_types_holds(m->types, m->inode, 0, m->inode));
	assert_false(verify_types_holds(m->types, m->task, 0, m->inode));
	assert_false(verify_types_holds(m->types, m->task, INNER + 8, m->inode));
	assert_false(verify_types_holds(m->types, m->task, PARENT, m->task)); /* a pointer to one is none */
	assert_false(verify_types_holds(m->types, m->task, -1, m->task));
	assert_false(verify_types_holds(m->types, m->task, INT64_MAX, m->inode));
	assert_false(verify_types_holds(m->types, 0, 0, m->task));
	assert_false(verify_types_holds(NULL, m->task, 0, m->task));
	assert_int_equal(verify_types_bytes(m->types, m->task), END);
	assert_int_equal(verify_types_bytes(m->types, 0), 0);
	assert_int_equal(verify_types_bytes(m->types, UINT32_MAX), 0);
}

static void test_variables(void **state)
{
	const struct made *m = *state;
	struct verify_type_variable v;

	assert_true(verify_types_variable(m->types, "init_task", &v));
	assert_true(v.object == m->task && v.bytes == END && !v.percpu);
	assert_true(verify_types_variable(m->types, "count", &v));
	assert_true(v.object == 0 && v.bytes == 8 && v.percpu);
	assert_false(verify_types_variable(m->types, "task", &v));
	assert_false(verify_types_variable(NULL, "count", &v));
}

static void test_tables(void **state)
{
	const struct made *m = *state;
	const struct verify_kind *kind = verify_kind_find(PICKET_KIND_STRUCT_OPS);
	struct verify_type_field f = argument(m, PICKET_KIND_STRUCT_OPS, "table.ask", 0);

	assert_true(f.what == TYPE_FIELD_OBJECT && f.type == m->task && f.trusted && !f.maybe_null);
	assert_true(argument(m, PICKET_KIND_STRUCT_OPS, "table.ask", 1).maybe_null);
	assert_false(has_argument(m, PICKET_KIND_STRUCT_OPS, "table.ask", 2));
	assert_false(has_argument(m, PICKET_KIND_STRUCT_OPS, "table.none", 0));
	assert_false(has_argument(m, PICKET_KIND_STRUCT_OPS, "table", 0));
	assert_false(has_argument(m, PICKET_KIND_STRUCT_OPS, "", 0));
	assert_true(verify_types_has_hook(m->types, kind, "table.tell"));
	assert_false(verify_types_has_hook(m->types, kind, "none.tell"));
	assert_true(verify_types_returns_nothing(m->types, kind, "table.tell"));
	assert_false(verify_types_returns_nothing(m->types, kind, "table.ask"));
	assert_false(verify_types_returns_nothing(m->types, kind, "table.none"));
}

static void test_untrusted_and_percpu(void **state)
{
	const struct made *m = *state;

	assert_true(object(m, m->task, UNION, m->inode).untrusted);
	assert_false(object(m, m->task, PARENT, m->task).untrusted);
	assert_string_equal(object(m, m->task, PARENT, m->task).member, "parent");
}

/* Whatever a file says: every field of every type, with each byte of it changed. */
static void test_damaged(void **state)
{
	const struct made *m = *state;
	const struct verify_kind *kind = verify_kind_find(PICKET_KIND_TP_BTF);
	uint32_t length, count = btf__type_cnt(m->btf);
	const uint8_t *data = btf__raw_data(m->btf, &length);
	uint8_t *copy = malloc(length);
	unsigned opened = 0;

	assert_non_null(copy);
	for (uint32_t i = 0; i < length; i++) {
		struct verify_types *types;
		struct verify_type_field f;
		struct picket_error error;

		memcpy(copy, data, length);
		copy[i] ^= (uint8_t)(1u << i % 8);
		if (verify_types_open(copy, length, &types, &error))
			continue;
		opened++;
		for (uint32_t type = 0; type < count; type++)
			for (int64_t at = 0; at < END + 32; at += 4)
				(void)verify_types_field(types, type, at, 8, &f);
		(void)verify_types_argument(types, kind, "wake", 1, &f);
		(void)verify_types_argument(types, verify_kind_find(PICKET_KIND_STRUCT_OPS), "table.ask", 1, &f);
		for (uint32_t type = 0; type < count; type++)
			(void)verify_types_holds(types, type, 8, m->inode);
		verify_types_free(types);
	}
	assert_true(opened > length / 4);
	free(copy);
}

static void test_not_btf(void **state)
{
	static const uint8_t nothing[64];
	const struct made *m = *state;
	struct verify_types *types = NULL;
	struct picket_error error;
	uint32_t length, type;
	const uint8_t *data = btf__raw_data(m->btf, &length);

	assert_int_equal(verify_types_open(nothing, sizeof(nothing), &types, &error), -EINVAL);
	assert_int_equal(verify_types_open(data, 1, &types, NULL), -EINVAL);
	assert_null(types);
	assert_int_equal(verify_types_open(data, length / 2, &types, &error), 0);
	assert_false(verify_types_by_name(types, "task", &type)); /* damaged: nothing is known */
	assert_false(verify_types_by_name(types, "task", &type));
	verify_types_free(types);
	verify_types_free(NULL);
}

/* ---- the running kernel ---- */

static void *read_kernel(size_t *ret_length)
{
	int fd = open("/sys/kernel/btf/vmlinux", O_RDONLY | O_CLOEXEC);
	struct stat st;
	uint8_t *data;
	size_t length = 0;

	if (fd < 0 || fstat(fd, &st)) {
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	data = malloc((size_t)st.st_size);
	for (ssize_t n = 1; data && n > 0; length += (size_t)MAX(n, 0))
		n = read(fd, data + length, (size_t)st.st_size - length);
	close(fd);
	*ret_length = length;
	return data;
}

static void test_running_kernel(void **state)
{
	struct made m = {0};
	struct picket_error error;
	struct verify_type_field f;
	struct btf *b;
	size_t length = 0;
	void *data = read_kernel(&length);
	uint32_t bit = 0;
	int task;

	(void)state;
	if (!data)
		skip();
	assert_int_equal(verify_types_open(data, length, &m.types, &error), 0);
	assert_true(verify_types_by_name(m.types, "task_struct", &m.task));
	b = btf__new(data, (uint32_t)length);
	assert_non_null(b);
	task = btf__find_by_name_kind(b, "task_struct", BTF_KIND_STRUCT);
	assert_int_equal(task, m.task);
	for (uint16_t i = 0; i < btf_vlen(btf__type_by_id(b, (uint32_t)task)); i++)
		if (!strcmp(btf__name_by_offset(b, btf_members(btf__type_by_id(b, (uint32_t)task))[i].name_off),
		            "group_leader"))
			bit = btf_member_bit_offset(btf__type_by_id(b, (uint32_t)task), i);
	f = object(&m, m.task, bit / 8, m.task);
	(void)f; /* whether it may be trusted differs by version */
	f = argument(&m, PICKET_KIND_TP_BTF, "sched_switch", 1);
	assert_true(f.what == TYPE_FIELD_OBJECT && f.type == m.task && f.trusted);
	verify_types_free(m.types);
	btf__free(b);
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_numbers, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_pointers, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_union_and_flexible_array, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_names, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_arguments, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_returns, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_objects_in_objects, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_variables, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_tables, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_untrusted_and_percpu, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_not_btf, setup, teardown),
	        cmocka_unit_test(test_running_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
