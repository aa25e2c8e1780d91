/* SPDX-License-Identifier: Apache-2.0
 *
 * A run of a rejected program in the interpreter: the input is laid out as the kernel would do it, and what the program asks
 * the world outside is answered from the input.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "verify/replay_int.h"
#include "vm/image.h"

#define MAP_MEMORY_MAX (16ull << 20) /* of all maps of a program that is run here */
#define LOW_FIRST 0x10000000ul       /* contexts hold 32-bit addresses of the packet: it lies where those suffice */
#define LOW_STEP 0x01000000ul
#define LOW_TRIES 64
#define BUDGET 200000
#define BUDGET_LOOP 1000000 /* after so many it is called endless, if the verifier says so, too */
#define BUDGET_ALL 1200000  /* of all runs together; one that might take more than is left is not begun */

/* ---- the program ---- */

static bool helper_is_here(uint32_t id)
{
	switch (id) {
#define HELPER(number, ...) case number:
#include "vm/helper.def"
		return true;
	default:
		return false;
	}
}

/* What the world outside says is part of the input. */
static bool helper_asks(uint32_t id)
{
	switch (id) {
	case BPF_FUNC_ktime_get_ns:
	case BPF_FUNC_get_prandom_u32:
	case BPF_FUNC_get_smp_processor_id:
	case BPF_FUNC_get_current_pid_tgid:
	case BPF_FUNC_get_current_uid_gid:
	case BPF_FUNC_get_numa_node_id:
	case BPF_FUNC_jiffies64:
	case BPF_FUNC_ktime_get_boot_ns:
	case BPF_FUNC_ktime_get_coarse_ns:
	case BPF_FUNC_ktime_get_tai_ns:
		return true;
	default:
		return !helper_is_here(id);
	}
}

static int replace_helper(struct replay *r, struct picket_insn *call)
{
	uint32_t id = (uint32_t)call->imm;
	bool allowed;
	const struct verify_proto *p = verify_proto_find(r->v->kind, id, &allowed);
	size_t i = 0;

	if (!p || (p->returns != VERIFY_RETURN_NUMBER && p->returns != VERIFY_RETURN_VOID &&
	           !(p->return_flags & VERIFY_RETURN_OR_NULL)))
		return -EOPNOTSUPP;
	while (i < r->helper_count && r->helper_ids[i] != id)
		i++;
	if (i == PICKET_HELPERS_MAX)
		return -EOPNOTSUPP;
	if (i == r->helper_count) {
		r->helpers[i] = (struct picket_helper){
		        .id = PICKET_HELPER_OWN + (uint32_t)i, .name = p->name, .function = replay_ask};
		r->helper_ids[r->helper_count++] = id;
	}
	call->imm = (int32_t)r->helpers[i].id;
	return 0;
}

static int replace_helpers(struct replay *r)
{
	for (size_t i = 0; i < r->v->insn_count; i++) {
		struct picket_insn *insn = &r->insns[i];
		int error;
		if (insn->code == (BPF_LD | BPF_IMM | BPF_DW)) {
			i++;
			continue;
		}
		if (insn->code != (BPF_JMP | BPF_CALL) || insn->src == 1)
			continue;
		if (insn->src)
			return -EOPNOTSUPP;
		error = helper_asks((uint32_t)insn->imm) ? replace_helper(r, insn) : 0;
		if (error)
			return error;
	}
	return 0;
}

static void maps_free(struct replay *r)
{
	for (size_t i = 0; i < r->v->map_count; i++) {
		picket_map_free(r->maps[i]);
		r->maps[i] = NULL;
	}
}

/* What they hold: the object's data, then what the input says. */
static int maps_fill(struct replay *r)
{
	const struct picket_image *image = r->v->program->image;
	const struct example_input *in = r->input;
	static const uint8_t zeros[4096];

	for (size_t i = 0; image && i < r->v->map_count; i++) {
		struct picket_image_data data;
		uint8_t *values = picket_map_values(r->maps[i]);
		if (values && picket_image_data(image, i, &data) && data.bytes)
			memcpy(values, data.bytes, MIN(data.length, r->v->maps[i].value_size));
	}
	for (uint32_t i = 0; i < in->poke_count; i++)
		replay_write((uint8_t *)picket_map_values(r->maps[in->pokes[i].map]) + in->pokes[i].offset,
		             in->pokes[i].bytes, in->pokes[i].number);
	for (uint32_t i = 0; i < in->element_count; i++) {
		uint32_t map = in->elements[i].map;
		if (r->v->maps[map].value_size > sizeof(zeros) ||
		    picket_map_update(r->maps[map], in->elements[i].key, zeros, 0))
			return -EOPNOTSUPP;
	}
	return 0;
}

static int maps_make(struct replay *r)
{
	uint64_t memory = 0;

	for (size_t i = 0; i < r->v->map_count; i++) {
		struct picket_map_spec spec = r->v->maps[i];
		spec.cpus = 1;
		if (spec.inner || picket_map_new(&spec, &r->maps[i], NULL))
			return -EOPNOTSUPP;
		memory += picket_map_memory(r->maps[i]);
		if (memory > MAP_MEMORY_MAX)
			return -EOPNOTSUPP;
	}
	return maps_fill(r);
}

static int low_map(uint8_t **ret_low)
{
	for (unsigned i = 0; i < LOW_TRIES; i++) {
		void *wanted = (void *)(LOW_FIRST + i * LOW_STEP);
		void *got = mmap(wanted, EXAMPLE_PACKET_MAX, PROT_READ | PROT_WRITE,
		                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
		if (got == wanted) {
			*ret_low = got;
			return 0;
		}
		if (got != MAP_FAILED)
			munmap(got, EXAMPLE_PACKET_MAX);
	}
	return -EOPNOTSUPP;
}

int replay_new(const struct verify *v, const struct example_path *path, struct replay **ret_replay)
{
	struct replay *r;
	int error;

	if (v->kind->flags & KIND_BTF_CONTEXT)
		return -EOPNOTSUPP;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->v = v;
	r->path = path;
	r->budget = BUDGET_ALL;
	r->maps = calloc(v->map_count + 1, sizeof(struct picket_map *));
	r->insns = malloc(v->insn_count * sizeof(*r->insns));
	error = r->maps && r->insns ? 0 : -ENOMEM;
	if (!error) {
		memcpy(r->insns, v->insns, v->insn_count * sizeof(*r->insns));
		error = replace_helpers(r);
	}
	if (!error)
		error = low_map(&r->low);
	if (error) {
		replay_free(r);
		return error;
	}
	*ret_replay = r;
	return 0;
}

void replay_free(struct replay *r)
{
	if (!r)
		return;
	if (r->low)
		munmap(r->low, EXAMPLE_PACKET_MAX);
	free(r->maps);
	free(r->insns);
	free(r);
}

/* ---- a run ---- */

static void context_fill(struct replay *r)
{
	const struct verify *v = r->v;

	memcpy(r->context, r->input->context, sizeof(r->context));
	memset(r->low, 0, EXAMPLE_PACKET_MAX);
	memcpy(r->low, r->input->packet, r->input->length);
	for (size_t i = 0; i < v->kind->field_count; i++) {
		const struct verify_field *f = &v->kind->fields[i];
		uint64_t number = (uintptr_t)r->low;
		if ((size_t)f->offset + f->size > sizeof(r->context) || (f->size != 4 && f->size != 8))
			continue;
		if (f->type == FIELD_PACKET_END || f->type == FIELD_MEMORY_END)
			number += r->input->length;
		else if (f->type == FIELD_NUMBER && replay_is_length(v, f))
			number = r->input->length;
		else if (f->type != FIELD_PACKET && f->type != FIELD_PACKET_META && f->type != FIELD_MEMORY_RANGE)
			continue;
		replay_write(r->context + f->offset, f->size, number);
	}
}

static bool faulted_there(const struct replay *r, const struct picket_call *call)
{
	const struct verify *v = r->v;
	const uint32_t at = call->fault.insn, there = r->path->insn;

	switch (call->fault.kind) {
	case PICKET_FAULT_READ:
	case PICKET_FAULT_WRITE:
		break;
	case PICKET_FAULT_ARGUMENT: /* the one that was rejected; or the memory whose size that is */
		if (call->fault.address != r->path->reg && call->fault.address + 1 != r->path->reg)
			return false;
		break;
	default:
		return false;
	}
	if (at == there)
		return r->reached;
	/* a pointer was moved too far, and is followed next */
	return r->reached && v->verdict->category == PICKET_REJECT_OUT_OF_BOUNDS && at > there && at - there <= 4;
}

static bool went_wrong(const struct replay *r, int error, const struct picket_call *call)
{
	const struct verify_kind *k = r->v->kind;
	int64_t result = (int32_t)call->result;
	bool ended = !error && r->last == r->path->insn && !r->left && r->position == r->path->count;

	switch (r->v->verdict->category) {
	case PICKET_REJECT_INFINITE_LOOP:
		return error == -EFAULT && call->fault.kind == PICKET_FAULT_BUDGET;
	case PICKET_REJECT_RETURN_VALUE:
		return ended && (result < k->return_min || result > k->return_max);
	case PICKET_REJECT_REFERENCE_LEAK:
		return ended && r->acquired > 0;
	case PICKET_REJECT_LOCK:
		return ended && r->locked > 0;
	default:
		return error == -EFAULT && faulted_there(r, call);
	}
}

enum replay_outcome replay_run(struct replay *r, struct example_input *input, struct replay_result *ret_result)
{
	const struct verify *v = r->v;
	const bool memory = v->kind->flags & KIND_MEMORY_LENGTH;
	const struct example_input before = *input;
	struct picket_region packet = {.data = r->low, .length = input->length, .writable = true};
	struct picket_options options = {.plain = true, .helpers = r->helpers, .helper_count = r->helper_count};
	const uint64_t budget = v->verdict->category == PICKET_REJECT_INFINITE_LOOP ? BUDGET_LOOP : BUDGET;
	struct picket_call call = {.trace = replay_follow, .user = r, .budget = budget};
	struct picket_program *program = NULL;
	enum replay_outcome outcome = REPLAY_RIGHT;
	int error;

	if (r->budget < budget)
		return REPLAY_RIGHT;
	r->input = input;
	r->result = ret_result;
	replay_follow_begin(r);
	error = maps_make(r);
	options.maps = r->maps;
	options.map_count = v->map_count;
	if (!error)
		error = picket_program_load(r->insns, v->insn_count, &options, &program, NULL);
	if (!error) {
		context_fill(r);
		call.data = memory ? r->low : r->context;
		call.length = memory ? input->length : MIN(v->kind->context_size, sizeof(r->context));
		call.regions = &packet;
		call.region_count = !memory && input->length > 0;
		error = picket_program_run(program, &call);
		r->budget -= MIN(r->budget, call.executed);
		ret_result->result = call.result;
		ret_result->executed = call.executed;
		ret_result->return_count = r->return_count;
		if (went_wrong(r, error, &call)) {
			*input = before; /* what it was run with */
			outcome = REPLAY_WRONG;
		} else if (r->changed) {
			outcome = REPLAY_CHANGED;
		}
	}
	picket_program_free(program);
	maps_free(r);
	return outcome;
}
