/* SPDX-License-Identifier: Apache-2.0
 *
 * The verifier's tables agree with themselves, with the kernel's header and with libbpf. The running kernel is asked by
 * tests/verify/helpers_oracle.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "verify/table_int.h"

#define HELPER_LAST 211

static void test_kinds_have_names(void **state)
{
	(void)state;
	for (unsigned k = PICKET_KIND_AUTO + 1; k < PICKET_KINDS; k++) {
		const struct verify_kind *kind = verify_kind_find(k);

		assert_non_null(kind);
		assert_int_equal(kind->id, k);
		assert_string_equal(kind->name, picket_kind_name(k));
		assert_int_equal(picket_kind_by_name(kind->name), k);
		assert_true(kind->return_min <= kind->return_max);
	}
	assert_null(verify_kind_find(PICKET_KIND_AUTO));
	assert_null(verify_kind_find(PICKET_KINDS));
	assert_null(picket_kind_name(PICKET_KIND_AUTO));
	assert_null(picket_kind_name(PICKET_KINDS));
	assert_int_equal(picket_kind_by_name("no_such"), PICKET_KIND_AUTO);
}

static void check_fields(const struct verify_field *fields, size_t count, uint32_t bytes)
{
	uint32_t end = 0;

	for (size_t i = 0; i < count; i++) {
		const struct verify_field *f = &fields[i];

		assert_non_null(f->name);
		assert_true(f->size > 0);
		assert_true(f->offset >= end);
		end = f->offset + f->size;
		assert_true(end <= bytes);
		assert_true(f->flags & FIELD_READ);
		assert_true(f->flags & FIELD_WRITE || !(f->flags & FIELD_NARROW_WRITE));
		if (f->type != FIELD_NUMBER)
			assert_int_equal(f->flags, FIELD_READ);
		assert_int_equal(f->type == FIELD_OBJECT, f->type_name != NULL);
	}
}

static void test_fields_do_not_overlap(void **state)
{
	(void)state;
	for (unsigned k = PICKET_KIND_AUTO + 1; k < PICKET_KINDS; k++) {
		const struct verify_kind *kind = verify_kind_find(k);

		check_fields(kind->fields, kind->field_count, kind->context_size);
	}
	for (unsigned l = VERIFY_LAYOUT_SOCKET; l <= VERIFY_LAYOUT_TCP_SOCK; l++) {
		struct verify_layout layout = verify_layout_find(l);

		assert_true(layout.field_count > 0);
		check_fields(layout.fields, layout.field_count, layout.bytes);
	}
}

static const struct verify_field *field(enum picket_kind kind, const char *name)
{
	const struct verify_kind *k = verify_kind_find(kind);

	for (size_t i = 0; i < k->field_count; i++)
		if (!strcmp(k->fields[i].name, name))
			return &k->fields[i];
	return NULL;
}

static void test_fields_are_where_the_header_has_them(void **state)
{
	(void)state;
#define AT(kind, type, member) \
	assert_int_equal(field(PICKET_KIND_##kind, #member)->offset, offsetof(struct type, member))
	AT(XDP, xdp_md, data_end);
	AT(XDP, xdp_md, egress_ifindex);
	AT(SCHED_CLS, __sk_buff, data);
	AT(SCHED_CLS, __sk_buff, gso_size);
	AT(SCHED_CLS, __sk_buff, sk);
	AT(CGROUP_SKB, __sk_buff, tstamp);
	AT(FLOW_DISSECTOR, __sk_buff, flow_keys);
	AT(SOCK_OPS, bpf_sock_ops, skb_data_end);
	AT(SOCK_OPS, bpf_sock_ops, skb_tcp_flags);
	AT(SK_MSG, sk_msg_md, sk);
	AT(SK_REUSEPORT, sk_reuseport_md, migrating_sk);
	AT(SK_LOOKUP, bpf_sk_lookup, ingress_ifindex);
	AT(CGROUP_SOCK, bpf_sock, rx_queue_mapping);
	AT(CGROUP_SOCK_ADDR, bpf_sock_addr, sk);
	AT(CGROUP_DEVICE, bpf_cgroup_dev_ctx, minor);
	AT(CGROUP_SYSCTL, bpf_sysctl, file_pos);
	AT(CGROUP_SOCKOPT, bpf_sockopt, retval);
#undef AT
	assert_int_equal(field(PICKET_KIND_XDP, "data")->type, FIELD_PACKET);
	assert_null(field(PICKET_KIND_SOCKET_FILTER, "data"));
	assert_true(field(PICKET_KIND_SCHED_CLS, "mark")->flags & FIELD_WRITE);
	assert_false(field(PICKET_KIND_SOCKET_FILTER, "mark")->flags & FIELD_WRITE);
}

static const struct verify_proto *proto(enum picket_kind kind, uint32_t id, bool *ret_allowed)
{
	return verify_proto_find(verify_kind_find(kind), id, ret_allowed);
}

static void test_helpers_have_the_headers_names(void **state)
{
#ifdef ___BPF_FUNC_MAPPER /* since Linux 6.2 the commas are ours */
#define NAME(name, ...) #name,
#else
#define NAME(name) #name
#endif
	static const char *const names[] = {__BPF_FUNC_MAPPER(NAME)};
#undef NAME
	bool allowed;

	(void)state;
	for (uint32_t id = 1; id <= HELPER_LAST; id++) {
		const struct verify_proto *p = proto(PICKET_KIND_XDP, id, &allowed);

		assert_non_null(p);
		assert_int_equal(p->id, id);
		if (id < ARRAY_SIZE(names))
			assert_string_equal(p->name, names[id]);
	}
	assert_null(proto(PICKET_KIND_XDP, 0, &allowed));
	assert_null(proto(PICKET_KIND_XDP, HELPER_LAST + 1, &allowed));
	assert_null(proto(PICKET_KIND_XDP, UINT32_MAX, &allowed));
}

static void check_arguments(const struct verify_proto *p)
{
	bool map = false;

	for (unsigned i = 0; i < 5; i++) {
		const struct verify_arg *a = &p->args[i];
		bool size_follows = i < 4 && p->args[i + 1].base == VERIFY_ARG_SIZE;

		map |= a->base == VERIFY_ARG_MAP;
		if (i && a->base != VERIFY_ARG_NONE)
			assert_int_not_equal(p->args[i - 1].base, VERIFY_ARG_NONE);
		/* Without its size memory has no bound, without its map a key has no size. */
		assert_int_equal(a->base == VERIFY_ARG_MEMORY, size_follows);
		if (a->base == VERIFY_ARG_KEY || a->base == VERIFY_ARG_VALUE)
			assert_true(map);
		if (a->base == VERIFY_ARG_FIXED)
			assert_true(a->size > 0);
		if (a->base == VERIFY_ARG_CALLBACK_CONTEXT)
			assert_int_equal(p->args[i - 1].base, VERIFY_ARG_FUNCTION);
		assert_false(a->flags & VERIFY_ARG_OUT && a->flags & VERIFY_ARG_WRITE);
	}
	assert_int_equal(p->maps && p->maps[0], map && p->maps);
	if (p->returns == VERIFY_RETURN_RECORD)
		assert_true(p->flags & PROTO_ACQUIRES);
}

static void test_arguments_fit_each_other(void **state)
{
	bool allowed;

	(void)state;
	for (unsigned k = PICKET_KIND_AUTO + 1; k < PICKET_KINDS; k++)
		for (uint32_t id = 1; id <= HELPER_LAST; id++)
			check_arguments(proto(k, id, &allowed));
}

static bool may_call(enum picket_kind kind, uint32_t id)
{
	bool allowed = false;

	assert_non_null(proto(kind, id, &allowed));
	return allowed;
}

static void test_helpers_by_kind(void **state)
{
	(void)state;
	for (uint32_t id = 1; id <= HELPER_LAST; id++) {
		bool any = false;

		for (unsigned k = PICKET_KIND_MEMORY + 1; k < PICKET_KINDS; k++)
			any |= may_call(k, id);
		assert_true(any); /* a helper that nobody may call is a slip */
	}
	for (unsigned k = PICKET_KIND_AUTO + 1; k < PICKET_KINDS; k++)
		assert_true(may_call(k, BPF_FUNC_map_lookup_elem));
	assert_true(may_call(PICKET_KIND_XDP, BPF_FUNC_xdp_adjust_head));
	assert_false(may_call(PICKET_KIND_XDP, BPF_FUNC_skb_store_bytes));
	assert_false(may_call(PICKET_KIND_SOCKET_FILTER, BPF_FUNC_xdp_adjust_head));
	assert_true(may_call(PICKET_KIND_KPROBE, BPF_FUNC_override_return));
	assert_false(may_call(PICKET_KIND_TRACEPOINT, BPF_FUNC_override_return));
	assert_true(may_call(PICKET_KIND_MEMORY, BPF_FUNC_loop));
	assert_false(may_call(PICKET_KIND_MEMORY, BPF_FUNC_probe_write_user));
}

static void test_helpers_differ_by_kind(void **state)
{
	bool allowed;

	(void)state;
	assert_int_equal(proto(PICKET_KIND_SOCK_OPS, BPF_FUNC_setsockopt, &allowed)->args[0].base, VERIFY_ARG_CONTEXT);
	assert_int_equal(proto(PICKET_KIND_ITER, BPF_FUNC_setsockopt, &allowed)->args[0].base, VERIFY_ARG_SOCK_COMMON);
	assert_int_equal(proto(PICKET_KIND_SK_LOOKUP, BPF_FUNC_sk_assign, &allowed)->args[1].base, VERIFY_ARG_SOCKET);
	assert_int_equal(proto(PICKET_KIND_XDP, BPF_FUNC_xdp_get_buff_len, &allowed)->args[0].base, VERIFY_ARG_CONTEXT);
	assert_string_equal(proto(PICKET_KIND_TP_BTF, BPF_FUNC_xdp_get_buff_len, &allowed)->args[0].type, "xdp_buff");
}

static void test_kernel_functions(void **state)
{
	static const char *const names[] = {
#define KFUNC(name, ...) "bpf_" #name,
#include "verify/kfunc.def"
	};
	const struct verify_kind *xdp = verify_kind_find(PICKET_KIND_XDP), *iter = verify_kind_find(PICKET_KIND_ITER);
	const struct verify_proto *p;
	bool allowed = false;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		p = verify_kfunc_find(xdp, names[i], &allowed);
		assert_non_null(p);
		assert_string_equal(p->name, names[i]);
		for (unsigned a = 1; a < 5; a++)
			if (p->args[a].base != VERIFY_ARG_NONE)
				assert_int_not_equal(p->args[a - 1].base, VERIFY_ARG_NONE);
		if (p->flags & KFUNC_ITER_NEW)
			assert_true(p->args[0].base == VERIFY_ARG_ITERATOR && p->args[0].flags & VERIFY_ARG_OUT);
		if (p->flags & KFUNC_ITER_DESTROY)
			assert_true(p->args[0].base == VERIFY_ARG_ITERATOR && p->args[0].flags & VERIFY_ARG_RELEASE);
		if (p->flags & KFUNC_ITER_NEXT)
			assert_true(p->return_flags & VERIFY_RETURN_OR_NULL);
	}
	assert_null(verify_kfunc_find(xdp, "bpf_no_such", &allowed));
	assert_non_null(verify_kfunc_find(xdp, "bpf_dynptr_from_xdp", &allowed));
	assert_true(allowed);
	assert_non_null(verify_kfunc_find(iter, "bpf_dynptr_from_xdp", &allowed));
	assert_false(allowed);
	p = verify_kfunc_find(iter, "bpf_dynptr_from_skb", &allowed); /* by kind */
	assert_string_equal(p->args[0].type, "sk_buff");
	assert_true(allowed);
}

/* ---- sections ---- */

static const uint8_t program_types[PICKET_KINDS] = {
        [PICKET_KIND_SOCKET_FILTER] = BPF_PROG_TYPE_SOCKET_FILTER,
        [PICKET_KIND_SCHED_CLS] = BPF_PROG_TYPE_SCHED_CLS,
        [PICKET_KIND_SCHED_ACT] = BPF_PROG_TYPE_SCHED_ACT,
        [PICKET_KIND_XDP] = BPF_PROG_TYPE_XDP,
        [PICKET_KIND_CGROUP_SKB] = BPF_PROG_TYPE_CGROUP_SKB,
        [PICKET_KIND_LWT_IN] = BPF_PROG_TYPE_LWT_IN,
        [PICKET_KIND_LWT_OUT] = BPF_PROG_TYPE_LWT_OUT,
        [PICKET_KIND_LWT_XMIT] = BPF_PROG_TYPE_LWT_XMIT,
        [PICKET_KIND_LWT_SEG6LOCAL] = BPF_PROG_TYPE_LWT_SEG6LOCAL,
        [PICKET_KIND_FLOW_DISSECTOR] = BPF_PROG_TYPE_FLOW_DISSECTOR,
        [PICKET_KIND_SOCK_OPS] = BPF_PROG_TYPE_SOCK_OPS,
        [PICKET_KIND_SK_SKB] = BPF_PROG_TYPE_SK_SKB,
        [PICKET_KIND_SK_MSG] = BPF_PROG_TYPE_SK_MSG,
        [PICKET_KIND_SK_REUSEPORT] = BPF_PROG_TYPE_SK_REUSEPORT,
        [PICKET_KIND_SK_LOOKUP] = BPF_PROG_TYPE_SK_LOOKUP,
        [PICKET_KIND_CGROUP_SOCK] = BPF_PROG_TYPE_CGROUP_SOCK,
        [PICKET_KIND_CGROUP_SOCK_ADDR] = BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
        [PICKET_KIND_CGROUP_DEVICE] = BPF_PROG_TYPE_CGROUP_DEVICE,
        [PICKET_KIND_CGROUP_SYSCTL] = BPF_PROG_TYPE_CGROUP_SYSCTL,
        [PICKET_KIND_CGROUP_SOCKOPT] = BPF_PROG_TYPE_CGROUP_SOCKOPT,
        [PICKET_KIND_KPROBE] = BPF_PROG_TYPE_KPROBE,
        [PICKET_KIND_TRACEPOINT] = BPF_PROG_TYPE_TRACEPOINT,
        [PICKET_KIND_PERF_EVENT] = BPF_PROG_TYPE_PERF_EVENT,
        [PICKET_KIND_RAW_TRACEPOINT] = BPF_PROG_TYPE_RAW_TRACEPOINT,
        [PICKET_KIND_RAW_TRACEPOINT_WRITABLE] = BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE,
        [PICKET_KIND_TP_BTF] = BPF_PROG_TYPE_TRACING,
        [PICKET_KIND_FENTRY] = BPF_PROG_TYPE_TRACING,
        [PICKET_KIND_FEXIT] = BPF_PROG_TYPE_TRACING,
        [PICKET_KIND_FMOD_RET] = BPF_PROG_TYPE_TRACING,
        [PICKET_KIND_ITER] = BPF_PROG_TYPE_TRACING,
        [PICKET_KIND_LSM] = BPF_PROG_TYPE_LSM,
        [PICKET_KIND_LSM_CGROUP] = BPF_PROG_TYPE_LSM,
        [PICKET_KIND_FREPLACE] = BPF_PROG_TYPE_EXT,
        [PICKET_KIND_STRUCT_OPS] = BPF_PROG_TYPE_STRUCT_OPS,
        [PICKET_KIND_SYSCALL] = BPF_PROG_TYPE_SYSCALL,
        [PICKET_KIND_LIRC_MODE2] = BPF_PROG_TYPE_LIRC_MODE2,
};

/* Neither of us may take a name that is near one that is good. */
static const char *const suffixes[] = {"", "/", "/x", "/x/y", "x", ".s", ".x/y", "_x"};

static const char *const known[] = {
#define SECTION(name, kind, sleeps) name,
#include "verify/kind.def"
};

static int libbpf_type(const char *section, int *ret_attach)
{
	enum bpf_prog_type type;
	enum bpf_attach_type attach;

	if (libbpf_prog_type_by_name(section, &type, &attach))
		return 0;
	*ret_attach = (int)attach;
	return (int)type;
}

/* An older libbpf does not know the newest names; a pattern that it knows, it must take as we do. */
static void compare_section(const char *section, bool pattern_known)
{
	int attach = 0, type = libbpf_type(section, &attach);
	enum picket_kind kind = picket_kind_by_section(section);

	if (!pattern_known && !type)
		return;
	if (kind == PICKET_KIND_AUTO || type == 0) {
		if (kind != PICKET_KIND_AUTO || type)
			fail_msg("%s: kind %u, libbpf's type %d", section, kind, type);
		return;
	}
	if (program_types[kind] != type)
		fail_msg("%s: %s, libbpf's type %d", section, picket_kind_name(kind), type);
	if (type == BPF_PROG_TYPE_TRACING)
		assert_int_equal(attach, kind == PICKET_KIND_TP_BTF   ? BPF_TRACE_RAW_TP
		                         : kind == PICKET_KIND_FENTRY ? BPF_TRACE_FENTRY
		                         : kind == PICKET_KIND_FEXIT  ? BPF_TRACE_FEXIT
		                         : kind == PICKET_KIND_ITER   ? BPF_TRACE_ITER
		                                                      : BPF_MODIFY_RETURN);
	if (type == BPF_PROG_TYPE_LSM)
		assert_int_equal(attach, kind == PICKET_KIND_LSM ? BPF_LSM_MAC : BPF_LSM_CGROUP);
}

/* Has a row of its own. */
static bool is_row(const char *section)
{
	size_t length = strlen(section);

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (!strncmp(known[i], section, length) && (!known[i][length] || !strcmp(known[i] + length, "+")))
			return true;
	return false;
}

static void test_sections_are_libbpfs(void **state)
{
	unsigned shared = 0;

	(void)state;
	libbpf_set_print(NULL);
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		char base[64], section[96];
		size_t length = strlen(known[i]);
		int attach;
		bool by_libbpf;

		assert_true(length < sizeof(base));
		strcpy(base, known[i]);
		if (base[length - 1] == '+')
			base[length - 1] = 0;
		assert_int_not_equal(picket_kind_by_section(base), PICKET_KIND_AUTO);
		by_libbpf = libbpf_type(base, &attach) != 0;
		shared += by_libbpf;
		for (size_t s = 0; s < ARRAY_SIZE(suffixes); s++) {
			snprintf(section, sizeof(section), "%s%s", base, suffixes[s]);
			if (!suffixes[s][0] || !is_row(section))
				compare_section(section, by_libbpf);
		}
	}
	assert_true(shared >= 80); /* libbpf 1.1 has so many */
	compare_section("", true);
	compare_section(".text", true);
	compare_section("license", true);
	compare_section("fentr", true);
}

static void test_sections_that_sleep(void **state)
{
	(void)state;
	assert_true(verify_section_sleeps("fentry.s/do_unlinkat"));
	assert_true(verify_section_sleeps("syscall"));
	assert_false(verify_section_sleeps("fentry/do_unlinkat"));
	assert_false(verify_section_sleeps("xdp"));
	assert_false(verify_section_sleeps("no such"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_kinds_have_names),
	        cmocka_unit_test(test_fields_do_not_overlap),
	        cmocka_unit_test(test_fields_are_where_the_header_has_them),
	        cmocka_unit_test(test_helpers_have_the_headers_names),
	        cmocka_unit_test(test_arguments_fit_each_other),
	        cmocka_unit_test(test_helpers_by_kind),
	        cmocka_unit_test(test_helpers_differ_by_kind),
	        cmocka_unit_test(test_kernel_functions),
	        cmocka_unit_test(test_sections_are_libbpfs),
	        cmocka_unit_test(test_sections_that_sleep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
