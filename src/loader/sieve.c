/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/sieve.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "schema/wire.h"

#define FUNCTIONS_MAX 64
#define LOG_BYTES (1u << 20)
#define MAPS_MAX (2 + LOADER_SIEVE_TABLES_MAX)
#define SCRATCH_BYTES (SIEVE_RECORD_AT + EVENT_RECORD_MAX + EVENT_ARGV_MAX)

static void close_all(int (*fds)[MAPS_MAX])
{
	for (size_t i = 2; i < MAPS_MAX; i++)
		base_close_fd(&(*fds)[i]);
}

/* An array's only value, which programs may only read. */
static int table_load(const struct loader_sieve_table *t)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_RDONLY_PROG);
	_cleanup_(base_close_fd) int fd =
	        bpf_map_create(BPF_MAP_TYPE_ARRAY, "sieve_table", 4, (uint32_t)t->bytes, 1, &options);
	if (fd < 0)
		return -errno;
	if (bpf_map_update_elem(fd, &(uint32_t){0}, t->data, BPF_ANY) || bpf_map_freeze(fd))
		return -errno;
	return TAKE_FD(fd);
}

/* ---- what the kernel wants to know of a program with callbacks: of each function its type ---- */
struct functions {
	struct bpf_func_info list[FUNCTIONS_MAX];
	uint32_t count;
};

static int functions_add(struct functions *f, size_t insn, int type)
{
	for (uint32_t i = 0; i < f->count; i++)
		if (f->list[i].insn_off == insn)
			return 0;
	if (f->count == FUNCTIONS_MAX)
		return -E2BIG;
	f->list[f->count++] = (struct bpf_func_info){(uint32_t)insn, (uint32_t)type};
	return 0;
}

static int by_insn(const void *a, const void *b)
{
	const struct bpf_func_info *x = a, *y = b;
	return (x->insn_off > y->insn_off) - (x->insn_off < y->insn_off);
}

struct function_types {
	int own, callback; /* of what is called: verified once for all callers; of the main function and of callbacks */
};

static int functions_find(const struct bpf_insn *insns, size_t count, const struct function_types *types,
                          struct functions *f)
{
	int r = functions_add(f, 0, types->callback);
	for (size_t i = 0; i < count && r == 0; i++) {
		if (insns[i].code == (BPF_LD | BPF_IMM | BPF_DW) && insns[i].src_reg == BPF_PSEUDO_FUNC)
			r = functions_add(f, i + 1 + (size_t)insns[i].imm, types->callback);
		else if (insns[i].code == (BPF_JMP | BPF_CALL) && insns[i].src_reg == BPF_PSEUDO_CALL)
			r = functions_add(f, i + 1 + (size_t)insns[i].imm, types->own);
	}
	qsort(f->list, f->count, sizeof(*f->list), by_insn);
	return r;
}

static int types_make(struct btf **ret_types, struct function_types *ret_ids)
{
	struct btf *types = btf__new_empty();
	struct function_types ids = {0};
	int number, prototype, r;
	if (!types)
		return -errno;
	number = btf__add_int(types, "long", 8, BTF_INT_SIGNED);
	prototype = btf__add_func_proto(types, number);
	r = btf__add_func_param(types, "name", number);
	ids.own = btf__add_func(types, "judge", BTF_FUNC_GLOBAL, prototype);
	prototype = btf__add_func_proto(types, number);
	if (r == 0)
		r = btf__add_func_param(types, "index", number);
	if (r == 0)
		r = btf__add_func_param(types, "context", number);
	ids.callback = btf__add_func(types, "part", BTF_FUNC_STATIC, prototype);
	if (r == 0 && (ids.own < 0 || ids.callback < 0))
		r = -ENOMEM;
	if (r == 0 && btf__load_into_kernel(types))
		r = -errno;
	if (r < 0) {
		btf__free(types);
		return r;
	}
	*ret_types = types;
	*ret_ids = ids;
	return 0;
}

static void types_free(struct btf **types)
{
	btf__free(*types);
}

/* The last line of the kernel's log that is not its statistics. */
static void take_reason(char *log, char *reterr_why, size_t size)
{
	char *end = strstr(log, "\nprocessed "), *line;
	if (end)
		*end = '\0';
	line = strrchr(log, '\n');
	snprintf(reterr_why, size, "%s", line ? line + 1 : log);
}

static int program_load(const struct sieve_place *place, const struct loader_sieve *s, const int fds[MAPS_MAX],
                        char *log, size_t log_size)
{
	_cleanup_(types_free) struct btf *types = NULL;
	struct functions functions = {0};
	struct function_types ids = {0};
	int r = types_make(&types, &ids);
	if (r == 0)
		r = functions_find(s->insns, s->insn_count, &ids, &functions);
	if (r < 0)
		return r;
	enum bpf_prog_type type = place->attach_btf_id ? BPF_PROG_TYPE_TRACING : BPF_PROG_TYPE_RAW_TRACEPOINT;
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = place->attach_btf_id ? BPF_TRACE_RAW_TP : 0,
	            .attach_btf_id = (uint32_t)place->attach_btf_id, .fd_array = fds, .log_level = log ? 1 : 0,
	            .log_buf = log, .log_size = (uint32_t)log_size, .prog_btf_fd = (uint32_t)btf__fd(types),
	            .func_info = functions.list, .func_info_cnt = functions.count,
	            .func_info_rec_size = sizeof(*functions.list));
	int fd = bpf_prog_load(type, "picket_sieve", "Dual BSD/GPL", s->insns, s->insn_count, &options);
	return fd < 0 ? -errno : fd;
}

int sieve_load(const struct sieve_place *place, const struct loader_sieve *s, char *reterr_why, size_t size)
{
	_cleanup_(close_all) int fds[MAPS_MAX] = {place->scratches, place->programs, -1, -1, -1, -1, -1, -1, -1, -1};
	if (s->table_count > LOADER_SIEVE_TABLES_MAX)
		return -E2BIG;
	for (size_t i = 0; i < s->table_count; i++) {
		fds[2 + i] = table_load(&s->tables[i]);
		if (fds[2 + i] < 0)
			return fds[2 + i];
	}
	int fd = program_load(place, s, fds, NULL, 0);
	if (fd >= 0)
		return fd;
	/* Once more, for the reason: writing the log makes a program that passes much dearer to load. */
	_cleanup_(base_free_ptr) char *log = calloc(1, LOG_BYTES);
	snprintf(reterr_why, size, "%s", strerror(-fd));
	if (!log)
		return fd;
	int again = program_load(place, s, fds, log, LOG_BYTES);
	if (again >= 0)
		return again;
	if (log[0])
		take_reason(log, reterr_why, size);
	return again;
}

int loader_sieve_trial_begin(struct loader_sieve_trial *ret_trial)
{
	struct loader_sieve_trial t = {-1, -1, libbpf_find_vmlinux_btf_id("sys_exit", BPF_TRACE_RAW_TP)};
	if (t.hook < 0)
		return -EOPNOTSUPP;
	t.scratches = bpf_map_create(BPF_MAP_TYPE_ARRAY, "scratches", 4, SCRATCH_BYTES, 1, NULL);
	t.programs = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "sieves", 4, 4, SIEVE_DROP + 1, NULL);
	int r = t.scratches < 0 || t.programs < 0 ? -errno : 0;
	if (r < 0)
		loader_sieve_trial_end(&t);
	else
		*ret_trial = t;
	return r;
}

void loader_sieve_trial_end(struct loader_sieve_trial *t)
{
	base_close_fd(&t->scratches);
	base_close_fd(&t->programs);
}

int loader_sieve_try(const struct loader_sieve_trial *t, const struct loader_sieve *s, char *reterr_why, size_t size)
{
	const struct sieve_place place = {t->scratches, t->programs, t->hook};
	_cleanup_(base_close_fd) int program = sieve_load(&place, s, reterr_why, size);
	return program < 0 ? program : 0;
}
