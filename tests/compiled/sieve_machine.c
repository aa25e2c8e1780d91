/* SPDX-License-Identifier: Apache-2.0 */
#include "sieve.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "event/event.h"
#include "loader/sieve.h"
#include "picket/verify.h"
#include "rule/rule.h"

#define SCRATCH_BYTES (SIEVE_RECORD_AT + EVENT_RECORD_MAX + EVENT_ARGV_MAX + 64) /* struct scratch of bpf/lib/maps.h */
#define PROGRAMS 256
#define MAPS_FIXED 2 /* scratch spaces, programs; tables follow */
#define MAPS_MAX (MAPS_FIXED + RULE_SIEVE_TABLES_MAX)
#define VERIFY_INSNS_MAX (16u << 20)
#define VERIFY_STATES_MAX (1u << 20)
#define VERIFY_MEMORY_MAX (1ull << 30)

struct sieve_machine {
	struct picket_map *maps[MAPS_MAX];
	size_t map_count;
	struct picket_program *program;
	uint64_t bound;
	struct sieve_place place; /* in the kernel; descriptors -1: not there */
	int loaded;               /* there; -1: none */
	uint8_t *mapped;          /* the scratch space there */
};

/* ---- made, and its end ---- */

static int map_new(const char *name, uint32_t type, uint32_t bytes, uint32_t count, struct picket_map **ret_map)
{
	struct picket_map_spec spec = {.type = type, .key_size = 4, .value_size = bytes, .max_entries = count};
	struct picket_error error;
	snprintf(spec.name, sizeof(spec.name), "%s", name);
	return picket_map_new(&spec, ret_map, &error);
}

static int kernel_open(struct sieve_machine *m)
{
	LIBBPF_OPTS(bpf_map_create_opts, mapped, .map_flags = BPF_F_MMAPABLE);
	m->place.scratches = bpf_map_create(BPF_MAP_TYPE_ARRAY, "scratches", 4, SCRATCH_BYTES, 1, &mapped);
	m->place.programs = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "sieves", 4, 4, PROGRAMS, NULL);
	if (m->place.scratches < 0 || m->place.programs < 0)
		return -errno;
	void *memory = mmap(NULL, SCRATCH_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, m->place.scratches, 0);
	if (memory == MAP_FAILED)
		return -errno;
	m->mapped = memory;
	return 0;
}

int sieve_machine_new(bool kernel, struct sieve_machine **ret_machine)
{
	struct sieve_machine *m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->place.scratches = m->place.programs = m->loaded = -1;
	m->map_count = MAPS_FIXED;
	int r = map_new("scratches", BPF_MAP_TYPE_ARRAY, SCRATCH_BYTES, 1, &m->maps[0]);
	if (r == 0)
		r = map_new("sieves", BPF_MAP_TYPE_PROG_ARRAY, 4, PROGRAMS, &m->maps[1]);
	if (r == 0 && kernel)
		r = kernel_open(m);
	if (r < 0) {
		sieve_machine_free(m);
		return r;
	}
	*ret_machine = m;
	return 0;
}

static void unload(struct sieve_machine *m)
{
	picket_program_free(m->program);
	m->program = NULL;
	for (; m->map_count > MAPS_FIXED; m->map_count--)
		picket_map_free(m->maps[m->map_count - 1]);
	base_close_fd(&m->loaded);
	m->loaded = -1;
}

void sieve_machine_free(struct sieve_machine *m)
{
	if (!m)
		return;
	unload(m);
	for (size_t i = 0; i < MAPS_FIXED; i++)
		if (m->maps[i])
			picket_map_free(m->maps[i]);
	if (m->mapped)
		munmap(m->mapped, SCRATCH_BYTES);
	base_close_fd(&m->place.scratches);
	base_close_fd(&m->place.programs);
	free(m);
}

uint8_t *sieve_machine_scratch(struct sieve_machine *m)
{
	return picket_map_values(m->maps[0]);
}

uint64_t sieve_machine_bound(const struct sieve_machine *m)
{
	return m->bound;
}

/* ---- a program ---- */

static int tables_new(struct sieve_machine *m, const struct rule_sieve *s)
{
	int r = 0;
	for (size_t i = 0; i < s->table_count && r == 0; i++) {
		r = map_new("table", BPF_MAP_TYPE_ARRAY, (uint32_t)s->tables[i].bytes, 1, &m->maps[m->map_count]);
		if (r < 0)
			return r;
		memcpy(picket_map_values(m->maps[m->map_count++]), s->tables[i].data, s->tables[i].bytes);
	}
	return r;
}

static int verify(struct sieve_machine *m, const struct rule_sieve *s, char *ret_why, size_t size)
{
	struct picket_map_spec specs[MAPS_MAX];
	struct picket_verify_options options = {.kind = PICKET_KIND_RAW_TRACEPOINT,
	                                        .insns_max = VERIFY_INSNS_MAX,
	                                        .states_max = VERIFY_STATES_MAX,
	                                        .memory_max = VERIFY_MEMORY_MAX};
	struct picket_verdict *verdict;
	for (size_t i = 0; i < m->map_count; i++) {
		specs[i] = *picket_map_spec(m->maps[i]);
		specs[i].flags = i < MAPS_FIXED ? 0 : BPF_F_RDONLY_PROG;
	}
	int r = picket_verify_insns(s->insns, s->insn_count, specs, m->map_count, &options, &verdict);
	if (r < 0)
		return r;
	m->bound = verdict->insn_bound;
	if (!verdict->accepted) {
		snprintf(ret_why, size, "picket's verifier, instruction %u (%s): %s", verdict->insn, verdict->text,
		         verdict->reason);
		r = -EACCES;
	}
	picket_verdict_free(verdict);
	return r;
}

static int kernel_load(struct sieve_machine *m, const struct rule_sieve *s, char *ret_why, size_t size)
{
	struct loader_sieve_table tables[LOADER_SIEVE_TABLES_MAX];
	struct loader_sieve loaded = {s->insns, s->insn_count, tables, s->table_count};
	for (size_t i = 0; i < s->table_count; i++)
		tables[i] = (struct loader_sieve_table){s->tables[i].data, s->tables[i].bytes};
	m->loaded = sieve_load(&m->place, &loaded, ret_why, size);
	return m->loaded < 0 ? m->loaded : 0;
}

int sieve_machine_load(struct sieve_machine *m, const struct rule_sieve *s, bool kernel, char *ret_why, size_t size)
{
	struct picket_options options = {.engine = PICKET_CHECKED, .maps = m->maps};
	struct picket_error error;
	unload(m);
	snprintf(ret_why, size, "not loaded");
	int r = tables_new(m, s);
	if (r == 0)
		r = verify(m, s, ret_why, size);
	if (r < 0)
		return r;
	options.map_count = m->map_count;
	r = picket_program_load(s->insns, s->insn_count, &options, &m->program, &error);
	if (r < 0)
		snprintf(ret_why, size, "picket's sandbox: %s", error.text);
	return r == 0 && kernel ? kernel_load(m, s, ret_why, size) : r;
}

static int kernel_run(struct sieve_machine *m, uint64_t *ret_result)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .flags = BPF_F_TEST_RUN_ON_CPU, .cpu = 0);
	memcpy(m->mapped, sieve_machine_scratch(m), SCRATCH_BYTES);
	int r = bpf_prog_test_run_opts(m->loaded, &options);
	if (r < 0)
		return r;
	*ret_result = options.retval;
	return 0;
}

int sieve_machine_run(struct sieve_machine *m, bool *ret_passes, char *ret_why, size_t size)
{
	struct picket_call call = {0};
	uint64_t in_kernel = 0;
	int r = m->loaded >= 0 ? kernel_run(m, &in_kernel) : 0;
	if (r < 0) {
		snprintf(ret_why, size, "it cannot be run in the kernel: %s", strerror(-r));
		return r;
	}
	r = picket_program_run(m->program, &call);
	if (r < 0) {
		snprintf(ret_why, size, "%s at instruction %u", picket_fault_name(call.fault.kind), call.fault.insn);
		return r;
	}
	if (m->loaded >= 0 && in_kernel != call.result) {
		snprintf(ret_why, size, "the kernel says %llu, picket's sandbox %llu", (unsigned long long)in_kernel,
		         (unsigned long long)call.result);
		return -EBADMSG;
	}
	*ret_passes = call.result != 0;
	return 0;
}
