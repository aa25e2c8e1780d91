/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs programs that call helpers in every engine there is, and in the kernel where that is allowed: bytecode refers to maps
 * by index in both. map[0] is a buffer that programs take their input from and leave their output in.
 */
#ifndef HELPER_FIXTURE_H
#define HELPER_FIXTURE_H

#include <errno.h>
#include <linux/bpf.h>
#include <linux/btf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include "vm/map_int.h"
#include "vm/vm_int.h"

#define FIXTURE_MAPS_MAX 8
#define FIXTURE_BUFFER 1024

struct fixture {
	struct picket_map *maps[FIXTURE_MAPS_MAX];
	int fds[FIXTURE_MAPS_MAX]; /* the kernel's twin of each map, or -1 */
	uint32_t map_count;
	uint8_t buffer[FIXTURE_BUFFER];
	struct picket_call call; /* what a test wants to give with each run */
	struct picket_options options;
};

static const enum picket_engine fixture_engines[] = {PICKET_INTERPRETER, PICKET_CHECKED, PICKET_VERIFIED};

/* ---- maps ---- */
static inline uint32_t fixture_add_spec(struct fixture *f, const struct picket_map_spec *spec)
{
	struct picket_error error = {0};

	assert_true(f->map_count < FIXTURE_MAPS_MAX);
	if (picket_map_new(spec, &f->maps[f->map_count], &error))
		fail_msg("map %u: %s", f->map_count, error.text);
	f->fds[f->map_count] = -1;
	return f->map_count++;
}

static inline uint32_t fixture_add_map(struct fixture *f, enum bpf_map_type type, uint32_t key, uint32_t value,
                                       uint32_t entries)
{
	return fixture_add_spec(
	        f, &(struct picket_map_spec){
	                   .name = "map", .type = type, .key_size = key, .value_size = value, .max_entries = entries});
}

/* Text that neither program nor embedder can change, as PICKET_ARG_CONST_STR wants it in the kernel. */
static inline uint32_t fixture_add_text(struct fixture *f, const char *text)
{
	struct picket_map_spec spec = {.name = "text",
	                               .type = BPF_MAP_TYPE_ARRAY,
	                               .key_size = 4,
	                               .value_size = (uint32_t)strlen(text) + 1,
	                               .max_entries = 1,
	                               .flags = BPF_F_RDONLY_PROG};
	uint32_t index = fixture_add_spec(f, &spec), key = 0;

	assert_int_equal(picket_map_update(f->maps[index], &key, text, 0), 0);
	assert_int_equal(picket_map_freeze(f->maps[index]), 0);
	return index;
}

static inline void fixture_init(struct fixture *f)
{
	*f = (struct fixture){0};
	fixture_add_map(f, BPF_MAP_TYPE_ARRAY, 4, FIXTURE_BUFFER, 1);
}

static inline void fixture_done(struct fixture *f)
{
	for (uint32_t i = 0; i < f->map_count; i++) {
		picket_map_free(f->maps[i]);
		if (f->fds[i] >= 0)
			close(f->fds[i]);
	}
}

/* ---- programs in parts: one text, which lasts until four more have been made ---- */
#define CODE(...) fixture_join((const char *const[]){__VA_ARGS__, NULL})

static inline const char *fixture_join(const char *const *parts)
{
	static char texts[4][4096];
	static unsigned next;
	char *text = texts[next++ % ARRAY_SIZE(texts)];
	size_t length = 0;

	for (; *parts; parts++) {
		size_t part = strlen(*parts);
		assert_true(length + part < sizeof(texts[0]));
		memcpy(text + length, *parts, part);
		length += part;
	}
	text[length] = 0;
	return text;
}

/* ---- here ---- */
static inline void fixture_assemble(const char *text, struct picket_insn **ret_insns, size_t *ret_count)
{
	struct picket_error error = {0};

	if (picket_assemble(text, strlen(text), ret_insns, ret_count, &error))
		fail_msg("%u:%u: %s\n%s", error.line, error.column, error.text, text);
}

/* NULL: there is no such engine on this machine. */
static inline struct picket_program *fixture_load(const struct fixture *f, enum picket_engine engine, const char *text)
{
	struct picket_options options = f->options;
	struct picket_program *program = NULL;
	struct picket_error error = {0};
	struct picket_insn *insns;
	size_t count;
	int r;

	options.engine = engine;
	options.maps = f->maps;
	options.map_count = f->map_count;
	fixture_assemble(text, &insns, &count);
	r = picket_program_load(insns, count, &options, &program, &error);
	free(insns);
	if (r && r != -EOPNOTSUPP)
		fail_msg("%s\n%s", error.text, text);
	return program;
}

/* As picket_program_run(); -EOPNOTSUPP: there is no such engine. */
static inline int fixture_run(struct fixture *f, const struct picket_program *program)
{
	int r;

	if (!program)
		return -EOPNOTSUPP;
	memcpy(picket_map_values(f->maps[0]), f->buffer, sizeof(f->buffer));
	r = picket_program_run(program, &f->call);
	memcpy(f->buffer, picket_map_values(f->maps[0]), sizeof(f->buffer));
	return r;
}

/* The fault that all engines that check end with. */
static inline void fixture_fault(struct fixture *f, const char *text, enum picket_fault_kind kind, uint64_t address)
{
	for (size_t i = 0; i < ARRAY_SIZE(fixture_engines); i++) {
		struct picket_program *program;
		int r;
		if (fixture_engines[i] == PICKET_VERIFIED)
			continue;
		program = fixture_load(f, fixture_engines[i], text);
		r = fixture_run(f, program);
		picket_program_free(program);
		if (r == -EOPNOTSUPP)
			continue;
		if (r != -EFAULT || f->call.fault.kind != kind || f->call.fault.address != address)
			fail_msg("engine %zu: %s, address %llu; expected %s, %llu\n%s", i,
			         r ? picket_fault_name(f->call.fault.kind) : "no fault",
			         (unsigned long long)f->call.fault.address, picket_fault_name(kind),
			         (unsigned long long)address, text);
	}
}

/* ---- in the kernel ---- */
static inline int kernel_bpf(enum bpf_cmd command, union bpf_attr *attr)
{
	long r = syscall(SYS_bpf, command, attr, sizeof(*attr));

	return r < 0 ? -errno : (int)r;
}

/* May this process load programs? */
static inline bool kernel_is_there(void)
{
	struct picket_insn insns[] = {{.code = 0xb7}, {.code = 0x95}};
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_SCHED_CLS,
	                       .insns = (uintptr_t)insns,
	                       .insn_cnt = ARRAY_SIZE(insns),
	                       .license = (uintptr_t) "GPL"};
	int fd = kernel_bpf(BPF_PROG_LOAD, &attr);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* For tests that are nothing without it. */
static inline void need_kernel(void)
{
	if (kernel_is_there())
		return;
	print_message("skipped: this process may not load programs into the kernel\n");
	skip();
}

/* Of the same type as f's, and with the same value, if there is but one. */
static inline void kernel_copy_map(struct fixture *f, uint32_t i)
{
	const struct picket_map_spec *spec = picket_map_spec(f->maps[i]);
	union bpf_attr attr = {.map_type = spec->type,
	                       .key_size = spec->key_size,
	                       .value_size = spec->value_size,
	                       .max_entries = spec->max_entries,
	                       .map_flags = spec->flags};
	uint32_t key = 0;

	if (f->fds[i] >= 0)
		return;
	f->fds[i] = kernel_bpf(BPF_MAP_CREATE, &attr);
	assert_true(f->fds[i] >= 0);
	if (spec->type != BPF_MAP_TYPE_ARRAY || spec->max_entries != 1)
		return;
	attr = (union bpf_attr){.map_fd = (uint32_t)f->fds[i],
	                        .key = (uintptr_t)&key,
	                        .value = (uintptr_t)(i ? picket_map_values(f->maps[i]) : f->buffer)};
	assert_int_equal(kernel_bpf(BPF_MAP_UPDATE_ELEM, &attr), 0);
	attr = (union bpf_attr){.map_fd = (uint32_t)f->fds[i]};
	if (spec->flags & BPF_F_RDONLY_PROG)
		assert_int_equal(kernel_bpf(BPF_MAP_FREEZE, &attr), 0);
}

/* Type information, without which the kernel takes no callbacks: int f(void), static, is enough for all of them. */
static inline int kernel_types(void)
{
	static const struct {
		struct btf_header header;
		uint32_t types[4 + 3 + 3];
		char names[7];
	} blob = {
	        .header = {.magic = BTF_MAGIC,
	                   .version = BTF_VERSION,
	                   .hdr_len = sizeof(struct btf_header),
	                   .type_len = sizeof(blob.types),
	                   .str_off = sizeof(blob.types),
	                   .str_len = sizeof(blob.names)},
	        .types = {1, BTF_KIND_INT << 24, 4, BTF_INT_SIGNED << 24 | 32, 0, BTF_KIND_FUNC_PROTO << 24, 1, 5,
	                  BTF_KIND_FUNC << 24 | BTF_FUNC_STATIC, 2},
	        .names = "\0int\0f",
	};
	union bpf_attr attr = {.btf = (uintptr_t)&blob,
	                       .btf_size = offsetof(__typeof__(blob), names) + sizeof(blob.names)};

	return kernel_bpf(BPF_BTF_LOAD, &attr);
}

/* Where functions begin. */
static inline uint32_t kernel_functions(struct picket_insn *insns, size_t count, struct bpf_func_info *ret_functions)
{
	uint32_t found = 0;

	ret_functions[found++] = (struct bpf_func_info){0, 3};
	for (size_t i = 0; i < count; i++) {
		if (insns[i].code != 0x18 || insns[i].src != BPF_PSEUDO_FUNC)
			continue;
		ret_functions[found++] = (struct bpf_func_info){(uint32_t)(i + 1) + (uint32_t)insns[i].imm, 3};
	}
	return found;
}

static inline int kernel_load(const struct fixture *f, const char *text)
{
	static char log[65536];
	struct bpf_func_info functions[8];
	struct picket_insn *insns;
	size_t count;
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_SCHED_CLS,
	                       .license = (uintptr_t) "GPL",
	                       .log_buf = (uintptr_t)log,
	                       .log_size = sizeof(log),
	                       .log_level = 1,
	                       .fd_array = (uintptr_t)f->fds};
	int fd, types = kernel_types();

	fixture_assemble(text, &insns, &count);
	attr.prog_btf_fd = (uint32_t)types;
	attr.func_info = (uintptr_t)functions;
	attr.func_info_rec_size = sizeof(functions[0]);
	attr.func_info_cnt = kernel_functions(insns, count, functions);
	attr.insns = (uintptr_t)insns;
	attr.insn_cnt = (uint32_t)count;
	fd = kernel_bpf(BPF_PROG_LOAD, &attr);
	free(insns);
	close(types);
	if (fd < 0)
		fail_msg("the kernel refuses it, %d\n%s\n%s", fd, text, log);
	return fd;
}

/* The lower half of the kernel's result; the buffer is in f then. */
static inline uint32_t kernel_run(struct fixture *f, int program)
{
	uint8_t packet[64] = {0};
	uint32_t key = 0, result;
	union bpf_attr attr = {.map_fd = (uint32_t)f->fds[0], .key = (uintptr_t)&key, .value = (uintptr_t)f->buffer};

	assert_int_equal(kernel_bpf(BPF_MAP_UPDATE_ELEM, &attr), 0);
	attr = (union bpf_attr){
	        .test = {.prog_fd = (uint32_t)program, .data_in = (uintptr_t)packet, .data_size_in = sizeof(packet)}};
	assert_int_equal(kernel_bpf(BPF_PROG_TEST_RUN, &attr), 0);
	result = attr.test.retval;
	attr = (union bpf_attr){.map_fd = (uint32_t)f->fds[0], .key = (uintptr_t)&key, .value = (uintptr_t)f->buffer};
	assert_int_equal(kernel_bpf(BPF_MAP_LOOKUP_ELEM, &attr), 0);
	return result;
}

/* ---- one program, everywhere ---- */
struct everywhere {
	const char *text;
	struct picket_program *programs[ARRAY_SIZE(fixture_engines)];
	int kernel; /* a file descriptor, or -1: not there */
};

static inline void everywhere_open(struct everywhere *e, struct fixture *f, const char *text, bool in_kernel)
{
	e->text = text;
	e->kernel = -1;
	for (size_t i = 0; i < ARRAY_SIZE(fixture_engines); i++)
		e->programs[i] = fixture_load(f, fixture_engines[i], text);
	if (!in_kernel || !kernel_is_there())
		return;
	for (uint32_t i = 0; i < f->map_count; i++)
		kernel_copy_map(f, i);
	e->kernel = kernel_load(f, text);
}

static inline void everywhere_close(struct everywhere *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(fixture_engines); i++)
		picket_program_free(e->programs[i]);
	if (e->kernel >= 0)
		close(e->kernel);
}

static inline void expect_same_buffer(const struct everywhere *e, const char *who, const uint8_t *got,
                                      const uint8_t *expected)
{
	for (size_t i = 0; i < FIXTURE_BUFFER; i++)
		if (got[i] != expected[i])
			fail_msg("%s leaves 0x%02x at %zu, the interpreter 0x%02x\n%s", who, got[i], i, expected[i],
			         e->text);
}

/* Runs it on the buffer, in all engines and the kernel. Result and buffer must be the same. */
static inline uint64_t everywhere_run(const struct everywhere *e, struct fixture *f)
{
	uint8_t before[FIXTURE_BUFFER], after[FIXTURE_BUFFER];
	uint64_t result = 0;

	memcpy(before, f->buffer, sizeof(before));
	for (size_t i = 0; i < ARRAY_SIZE(fixture_engines); i++) {
		int r;
		memcpy(f->buffer, before, sizeof(before));
		r = fixture_run(f, e->programs[i]);
		if (r == -EOPNOTSUPP)
			continue;
		if (r)
			fail_msg("engine %zu: %s, address %llu, at %u\n%s", i, picket_fault_name(f->call.fault.kind),
			         (unsigned long long)f->call.fault.address, f->call.fault.insn, e->text);
		if (i == 0) {
			result = f->call.result;
			memcpy(after, f->buffer, sizeof(after));
		}
		if (f->call.result != result)
			fail_msg("engine %zu gives 0x%llx, not 0x%llx\n%s", i, (unsigned long long)f->call.result,
			         (unsigned long long)result, e->text);
		expect_same_buffer(e, "a compiler", f->buffer, after);
	}
	if (e->kernel >= 0) {
		uint32_t expected;
		memcpy(f->buffer, before, sizeof(before));
		expected = kernel_run(f, e->kernel);
		if (expected != (uint32_t)result)
			fail_msg("the kernel gives %d, picket %d\n%s", (int)expected, (int)result, e->text);
		expect_same_buffer(e, "the kernel", f->buffer, after);
	}
	memcpy(f->buffer, after, sizeof(after));
	return result;
}

static inline uint64_t fixture_result_of(struct fixture *f, const char *text, bool in_kernel)
{
	struct everywhere e;
	uint64_t result;

	everywhere_open(&e, f, text, in_kernel);
	result = everywhere_run(&e, f);
	everywhere_close(&e);
	return result;
}

static inline uint64_t fixture_result(struct fixture *f, const char *text)
{
	return fixture_result_of(f, text, false);
}

static inline uint64_t fixture_as_kernel(struct fixture *f, const char *text)
{
	return fixture_result_of(f, text, true);
}

#endif
