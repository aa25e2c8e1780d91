/* SPDX-License-Identifier: Apache-2.0
 *
 * A ring buffer of ours and one of the kernel's, given the same records: the same ones are refused, the same positions,
 * the same bytes come out. A small program writes to the kernel's. Skips where bpf(2) is not allowed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "map_helper.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { RECORD_MAX = 4096 };

struct kernel_ring {
	int map, scratch, output, query;
	uint64_t size;
	uint64_t *consumed;       /* a page of its own, writable */
	const uint64_t *produced; /* at the start of a page; the data, twice, in the pages behind it */
	const uint8_t *data;
};

static int bpf(enum bpf_cmd command, union bpf_attr *attr)
{
	long r = syscall(SYS_bpf, command, attr, sizeof(*attr));
	return r < 0 ? -errno : (int)r;
}

static int create(uint32_t type, uint32_t key_size, uint32_t value_size, uint32_t entries)
{
	union bpf_attr attr = {
	        .map_type = type, .key_size = key_size, .value_size = value_size, .max_entries = entries};
	return bpf(BPF_MAP_CREATE, &attr);
}

#define INSN(c, d, s, o, i) ((struct bpf_insn){.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)})
#define MOV(d, s) INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define SET(d, i) INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define CALL(f) INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_##f)
#define MAP(d, fd) INSN(BPF_LD | BPF_IMM | BPF_DW, d, BPF_PSEUDO_MAP_FD, 0, fd), INSN(0, 0, 0, 0, 0)
#define EXIT() INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

static int load(const struct bpf_insn *insns, size_t count)
{
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT,
	                       .insns = (uintptr_t)insns,
	                       .insn_cnt = (uint32_t)count,
	                       .license = (uintptr_t) "GPL"};
	return bpf(BPF_PROG_LOAD, &attr);
}

/* ringbuf_output(map, the scratch value, size in ctx[0], no wakeup) */
static int load_output(const struct kernel_ring *k)
{
	const struct bpf_insn insns[] = {
	        INSN(BPF_LDX | BPF_MEM | BPF_DW, 6, 1, 0, 0),
	        INSN(BPF_ST | BPF_MEM | BPF_W, 10, 0, -4, 0),
	        MAP(1, k->scratch),
	        MOV(2, 10),
	        INSN(BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -4),
	        CALL(map_lookup_elem),
	        INSN(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 7, 0),
	        INSN(BPF_JMP | BPF_JGT | BPF_K, 6, 0, 6, RECORD_MAX),
	        MAP(1, k->map),
	        MOV(2, 0),
	        MOV(3, 6),
	        SET(4, BPF_RB_NO_WAKEUP),
	        CALL(ringbuf_output),
	        EXIT(),
	};
	return load(insns, ARRAY_SIZE(insns));
}

/* ringbuf_query(map, ctx[0]) */
static int load_query(const struct kernel_ring *k)
{
	const struct bpf_insn insns[] = {
	        INSN(BPF_LDX | BPF_MEM | BPF_DW, 2, 1, 0, 0),
	        MAP(1, k->map),
	        CALL(ringbuf_query),
	        EXIT(),
	};
	return load(insns, ARRAY_SIZE(insns));
}

static int64_t run_program(int fd, uint64_t argument)
{
	union bpf_attr attr = {.test = {.prog_fd = (uint32_t)fd, .ctx_in = (uintptr_t)&argument, .ctx_size_in = 8}};

	assert_int_equal(bpf(BPF_PROG_TEST_RUN, &attr), 0);
	return (int32_t)attr.test.retval;
}

/* false: not allowed here. */
static bool kernel_ring_open(struct kernel_ring *k, uint32_t size)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);

	*k = (struct kernel_ring){.size = size};
	k->map = create(BPF_MAP_TYPE_RINGBUF, 0, 0, size);
	k->scratch = create(BPF_MAP_TYPE_ARRAY, 4, RECORD_MAX, 1);
	k->output = load_output(k);
	k->query = load_query(k);
	if (k->map < 0 || k->output < 0 || k->query < 0)
		return false;
	k->consumed = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, k->map, 0);
	const void *rest = mmap(NULL, page + 2ul * size, PROT_READ, MAP_SHARED, k->map, (off_t)page);
	assert_true(k->consumed != MAP_FAILED && rest != MAP_FAILED);
	k->produced = rest;
	k->data = (const uint8_t *)rest + page;
	return true;
}

static void kernel_ring_close(struct kernel_ring *k)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);

	munmap(k->consumed, page);
	munmap((void *)k->produced, page + 2 * k->size);
	close(k->output);
	close(k->query);
	close(k->scratch);
	close(k->map);
}

struct taken {
	uint8_t bytes[RECORD_MAX];
	size_t length;
};

/* false: there is none. */
static bool kernel_take(struct kernel_ring *k, struct taken *ret)
{
	uint64_t at = *k->consumed;

	if (at == __atomic_load_n(k->produced, __ATOMIC_ACQUIRE))
		return false;
	uint32_t length = *(const uint32_t *)(const void *)(k->data + at % k->size);
	assert_true(length <= RECORD_MAX);
	memcpy(ret->bytes, k->data + at % k->size + 8, length);
	ret->length = length;
	__atomic_store_n(k->consumed, at + (length + 8 + 7) / 8 * 8, __ATOMIC_RELEASE);
	return true;
}

static int take(const void *record, size_t length, void *user)
{
	struct taken *t = user;

	assert_true(length <= RECORD_MAX);
	memcpy(t->bytes, record, length);
	t->length = length;
	return 0;
}

static int our_output(struct picket_map *m, const uint8_t *bytes, uint64_t size)
{
	void *data = vm_ring_reserve(m, size);

	if (!data)
		return -EAGAIN;
	memcpy(data, bytes, size);
	vm_ring_submit(m, data, false);
	return 0;
}

static void compare_positions(struct picket_map *m, const struct kernel_ring *k)
{
	for (uint64_t flag = 0; flag < 5; flag++)
		assert_int_equal((int32_t)vm_ring_query(m, flag), run_program(k->query, flag));
}

static void test_same_as_the_kernel(void **state)
{
	(void)state;
	const uint32_t size = (uint32_t)sysconf(_SC_PAGESIZE), key = 0;
	static uint8_t bytes[RECORD_MAX];
	struct kernel_ring k;
	uint64_t random = 17;
	unsigned refused = 0, records = 0;

	if (!kernel_ring_open(&k, size)) {
		print_message("skipped: bpf(2) is not allowed here\n");
		skip();
	}
	owned_map m = make(BPF_MAP_TYPE_RINGBUF, 0, 0, size);
	for (unsigned i = 0; i < 6000; i++) {
		if (next_random(&random) % 5 < 3) {
			uint64_t length = next_random(&random) % 8 ? next_random(&random) % 300
			                                           : next_random(&random) % (RECORD_MAX + 1);
			for (size_t j = 0; j < 16; j++)
				bytes[next_random(&random) % RECORD_MAX] = (uint8_t)next_random(&random);
			union bpf_attr attr = {
			        .map_fd = (uint32_t)k.scratch, .key = (uintptr_t)&key, .value = (uintptr_t)bytes};
			assert_int_equal(bpf(BPF_MAP_UPDATE_ELEM, &attr), 0);
			int r = our_output(m, bytes, length);
			assert_int_equal(r, run_program(k.output, length));
			refused += r != 0;
		} else {
			struct taken ours, kernels;
			bool there = kernel_take(&k, &kernels);
			assert_int_equal(picket_map_ring_consume(m, take, &ours, 1), there);
			if (there) {
				assert_int_equal(ours.length, kernels.length);
				assert_memory_equal(ours.bytes, kernels.bytes, ours.length);
				records++;
			}
		}
		if (i % 16 == 0)
			compare_positions(m, &k);
	}
	compare_positions(m, &k);
	assert_true(refused > 100 && records > 100);
	kernel_ring_close(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_as_the_kernel)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
