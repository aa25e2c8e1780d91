/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel's rules, in pairs of what it takes and what it refuses. The programs of tests/verify/rules say the same from C,
 * and are shown to the kernel too; here are those that a compiler does not write, and those that need no kernel.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/btf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "verify/types_int.h"
#include "vm/image.h"

#define ACCEPTED PICKET_ACCEPTED
#define REJECT(id) PICKET_REJECT_##id
#define KIND(id) PICKET_KIND_##id

static const struct picket_map_spec maps[] = {
        {.name = "array", .type = 2, .key_size = 4, .value_size = 64, .max_entries = 4},
        {.name = "ring", .type = 27, .max_entries = 4096},
        {.name = "sockets", .type = 15, .key_size = 4, .value_size = 4, .max_entries = 4},
        {.name = "programs", .type = 3, .key_size = 4, .value_size = 4, .max_entries = 4},
};

struct sample {
	const char *name, *text;
	enum picket_category category;
	enum picket_kind kind;
};

#define LOOKUP \
	"mov r6, r1\nstw [r10-4], 1\nlddw r1, map[0]\nmov r2, r10\nadd r2, -4\ncall map_lookup_elem\njeq r0, 0, +1\n"
#define ELEMENT LOOKUP "ja +2\nmov r0, 0\nexit\n"
#define END "mov r0, 0\nexit\n"

/* r0 is an index into a value of map 0. */
#define INDEX "lddw r1, map_value[0]\nadd r1, r0\nldxb r0, [r1]\nexit\n"
/* r4 is the second of two functions, or the first, behind `call r4` and `exit`; r1 leads to so many bytes. */
#define EITHER(bytes) \
	"lddw r1, map_value[0]\nadd r1, 64\nadd r1, -" #bytes "\nlddw r4, function +11\njeq r2, 0, +7\n" \
	"lddw r4, function +10\nmov r3, 0\nmov r3, 1\nmov r3, 2\nmov r3, 3\nmov r3, 4\n"
#define READS(byte) "ldxb r0, [r1+" #byte "]\nexit\n"
/* A function that takes the context; another program may return in its place. */
#define LEAVES "lddw r2, map[3]\nmov r3, 0\ncall tail_call\nmov r0, 2\nexit\n"
/* r6: the context, r7: one byte of the packet. */
#define PACKET "mov r6, r1\nldxw r7, [r6+76]\nldxw r8, [r6+80]\nmov r2, r7\nadd r2, 1\njle r2, r8, +2\n" END

static const struct sample samples[] = {
        /* contexts */
        {"a packet's address, read with its sign", "ldxsw r2, [r1+76]\n" END, REJECT(CONTEXT), KIND(SCHED_CLS)},
        {"a packet's address", "ldxw r2, [r1+76]\n" END, ACCEPTED, KIND(SCHED_CLS)},
        {"a context read in order", "ldacqw r2, [r1]\n" END, REJECT(TYPE), KIND(SCHED_CLS)},
        {"a raw tracepoint's argument, a part of it", "ldxb r2, [r1+9]\n" END, ACCEPTED, KIND(RAW_TRACEPOINT)},
        {"a context's address, moved", "add r1, 8\nldxw r2, [r1]\n" END, REJECT(CONTEXT), KIND(SCHED_CLS)},
        {"a context's address, moved and moved back", "add r1, 8\nadd r1, -8\nldxw r2, [r1+8]\n" END, ACCEPTED,
         KIND(SCHED_CLS)},
        /* arithmetic */
        {"a division by the constant 0", "mov r2, 7\ndiv r2, 0\n" END, REJECT(MALFORMED), KIND(SCHED_CLS)},
        {"a remainder by it, in 32 bits", "mov r2, 7\nsmod32 r2, 0\n" END, REJECT(MALFORMED), KIND(SCHED_CLS)},
        {"by a register that is 0", "mov r2, 7\nmov r3, 0\ndiv r2, r3\n" END, ACCEPTED, KIND(SCHED_CLS)},
        {"by the constant in the sandbox", "mov r2, 7\ndiv r2, 0\n" END, ACCEPTED, KIND(MEMORY)},
        {"a shift by 64", "mov r2, 7\nlsh r2, 64\n" END, REJECT(MALFORMED), KIND(SCHED_CLS)},
        {"by 63", "mov r2, 7\nlsh r2, 63\n" END, ACCEPTED, KIND(SCHED_CLS)},
        {"by 32 in 32 bits", "mov r2, 7\narsh32 r2, 32\n" END, REJECT(MALFORMED), KIND(SCHED_CLS)},
        {"by 31 in 32 bits", "mov r2, 7\narsh32 r2, 31\n" END, ACCEPTED, KIND(SCHED_CLS)},
        {"by less than 0", "mov r2, 7\nrsh r2, -1\n" END, REJECT(MALFORMED), KIND(SCHED_CLS)},
        {"by 64 in the sandbox", "mov r2, 7\nlsh r2, 64\n" END, ACCEPTED, KIND(MEMORY)},
        {"the distance of two addresses", "mov r2, r1\nsub r2, r10\n" END, ACCEPTED, KIND(SCHED_CLS)},
        {"a part of it", "mov r2, r1\nsub32 r2, r10\n" END, ACCEPTED, KIND(SCHED_CLS)},
        {"two addresses, masked", "mov r2, r1\nand r2, r10\n" END, REJECT(POINTER_ARITHMETIC), KIND(SCHED_CLS)},
        {"the same in 32 bits", "mov r2, r1\nand32 r2, r10\n" END, REJECT(POINTER_ARITHMETIC), KIND(SCHED_CLS)},
        {"half of an address, masked", "and32 r1, 7\n" END, REJECT(POINTER_ARITHMETIC), KIND(SCHED_CLS)},
        {"a difference in 32 bits", "sub32 r1, 7\n" END, ACCEPTED, KIND(SCHED_CLS)},
        {"a sum in 32 bits", "add32 r1, 7\n" END, REJECT(POINTER_ARITHMETIC), KIND(SCHED_CLS)},
        {"a number less an address", "mov r2, 7\nsub r2, r1\n" END, REJECT(POINTER_ARITHMETIC), KIND(SCHED_CLS)},
        {"the stack's address less a number", "mov r2, r10\nsub r2, 8\n" END, REJECT(POINTER_ARITHMETIC),
         KIND(SCHED_CLS)},
        {"the same in the sandbox", "mov r2, r10\nsub r2, 8\nstdw [r2], 0\n" END, ACCEPTED, KIND(MEMORY)},
        {"a packet's address and 32 bits that nobody knows", "ldxw r2, [r1+76]\nldxw r3, [r1+8]\nadd r2, r3\n" END,
         ACCEPTED, KIND(SCHED_CLS)},
        {"it is not followed, compared or not",
         "ldxw r2, [r1+76]\nldxw r4, [r1+80]\nldxw r3, [r1+8]\nadd r2, r3\nmov r5, r2\nadd r5, 1\njgt r5, r4, +1\n"
         "ldxb r5, [r2]\n" END,
         REJECT(PACKET_BOUNDS), KIND(SCHED_CLS)},
        {"an element and 32 bits that nobody knows", "ldxw r7, [r1+8]\n" ELEMENT "add r0, r7\nldxb r1, [r0]\n" END,
         REJECT(OUT_OF_BOUNDS), KIND(SCHED_CLS)},
        {"an element and 64 bits", "ldxw r7, [r1+8]\nlsh r7, 2\n" ELEMENT "add r0, r7\n" END, REJECT(OUT_OF_BOUNDS),
         KIND(SCHED_CLS)},
        {"an address, negated", "neg r1\n" END, ACCEPTED, KIND(SCHED_CLS)},
        {"it leads nowhere", "neg r1\nldxw r2, [r1]\n" END, REJECT(NOT_A_POINTER), KIND(SCHED_CLS)},
        /* atomics */
        {"an address, added to the stack's number", "stdw [r10-8], 0\nlock add [r10-8], r1\n" END, ACCEPTED,
         KIND(SCHED_CLS)},
        {"an address of the sandbox", "stdw [r10-8], 0\nlock add [r10-8], r1\n" END, REJECT(POINTER_LEAK),
         KIND(MEMORY)},
        {"what was there before",
         ELEMENT "stdw [r10-16], 5\nmov r1, 9\nlock xchg [r10-16], r1\nadd r0, r1\nldxb r2, [r0+58]\n" END, ACCEPTED,
         KIND(SCHED_CLS)},
        {"what was there before, one too far",
         ELEMENT "stdw [r10-16], 5\nmov r1, 9\nlock xchg [r10-16], r1\nadd r0, r1\nldxb r2, [r0+59]\n" END,
         REJECT(OUT_OF_BOUNDS), KIND(SCHED_CLS)},
        {"what is there afterwards",
         ELEMENT "stdw [r10-16], 5\nmov r1, 9\nlock xchg [r10-16], r1\nldxdw r1, [r10-16]\nadd r0, r1\n"
                 "ldxb r2, [r0]\n" END,
         REJECT(OUT_OF_BOUNDS), KIND(SCHED_CLS)},
        /* the stack */
        {"a pointer in four bytes", "stxw [r10-8], r1\n" END, REJECT(POINTER_LEAK), KIND(SCHED_CLS)},
        {"a pointer in eight", "stxdw [r10-8], r1\n" END, ACCEPTED, KIND(SCHED_CLS)},
        {"half of a pointer", "stxdw [r10-8], r1\nldxw r2, [r10-8]\n" END, REJECT(POINTER_LEAK), KIND(SCHED_CLS)},
        {"half of a number", "stdw [r10-8], 7\nldxw r2, [r10-8]\n" END, ACCEPTED, KIND(SCHED_CLS)},
        {"a misaligned number", "stdw [r10-9], 7\n" END, REJECT(MISALIGNED), KIND(SCHED_CLS)},
        {"in the sandbox it may be", "stdw [r10-9], 7\n" END, ACCEPTED, KIND(MEMORY)},
        /* helpers */
        {"a helper that sleeps", "mov r1, r10\nadd r1, -8\nmov r2, 8\nmov r3, 0\ncall copy_from_user\n" END, ACCEPTED,
         KIND(SYSCALL)},
        {"it does not where it may not", "mov r1, r10\nadd r1, -8\nmov r2, 8\nmov r3, 0\ncall copy_from_user\n" END,
         REJECT(HELPER), KIND(TP_BTF)},
        {"two arguments of trace_printk",
         "stdw [r10-8], 0\nmov r1, r10\nadd r1, -8\nmov r2, 8\ncall trace_printk\n" END, ACCEPTED, KIND(SCHED_CLS)},
        {"one argument of it", "stdw [r10-8], 0\nmov r1, r10\nadd r1, -8\ncall trace_printk\n" END,
         REJECT(UNINITIALISED), KIND(SCHED_CLS)},
        {"nothing comes back",
         "mov r6, r1\nlddw r1, map[1]\nmov r2, 8\nmov r3, 0\ncall ringbuf_reserve\njeq r0, 0, +3\nmov r1, r0\nmov r2, 0\ncall ringbuf_submit\nexit\n",
         REJECT(UNINITIALISED), KIND(SCHED_CLS)},
        {"flow keys as memory", "ldxdw r1, [r1+144]\nmov r2, 8\ncall get_current_comm\n" END, REJECT(ARGUMENT),
         KIND(FLOW_DISSECTOR)},
        /* maps */
        {"a socket of a map",
         "stw [r10-4], 1\nlddw r1, map[2]\nmov r2, r10\nadd r2, -4\ncall map_lookup_elem\njeq r0, 0, +2\nmov r1, r0\ncall 86\n" END,
         ACCEPTED, KIND(SK_LOOKUP)},
        {"a socket of a map, kept",
         "stw [r10-4], 1\nlddw r1, map[2]\nmov r2, r10\nadd r2, -4\ncall map_lookup_elem\n" END, REJECT(REFERENCE_LEAK),
         KIND(SK_LOOKUP)},
        {"an element's lock in the sandbox",
         LOOKUP "ja +2\nmov r0, 0\nexit\nmov r7, r0\nmov r1, r7\ncall spin_lock\nmov r1, r7\ncall spin_unlock\n" END,
         ACCEPTED, KIND(MEMORY)},
        {"another element's lock in the sandbox",
         LOOKUP
         "ja +2\nmov r0, 0\nexit\nmov r7, r0\nstw [r10-4], 2\nlddw r1, map[0]\nmov r2, r10\nadd r2, -4\ncall map_lookup_elem\n"
         "jeq r0, 0, -9\nmov r8, r0\nmov r1, r7\ncall spin_lock\nmov r1, r8\ncall spin_unlock\n" END,
         REJECT(LOCK), KIND(MEMORY)},
        {"a lock without types in the kernel", LOOKUP "ja +2\nmov r0, 0\nexit\nmov r1, r0\ncall spin_lock\n" END,
         REJECT(ARGUMENT), KIND(SCHED_CLS)},
        {"a tail call", "lddw r2, map[3]\nmov r3, 0\ncall tail_call\n" END, ACCEPTED, KIND(SCHED_CLS)},
        {"a tail call in the sandbox", "lddw r2, map[3]\nmov r3, 0\ncall tail_call\n" END, ACCEPTED, KIND(MEMORY)},
        {"with its memory, moved", "add r1, 1\nlddw r2, map[3]\nmov r3, 0\ncall tail_call\n" END, REJECT(ARGUMENT),
         KIND(MEMORY)},
        {"with a lock held",
         LOOKUP
         "ja +2\nmov r0, 0\nexit\nmov r7, r0\nmov r1, r7\ncall spin_lock\nmov r1, r6\nlddw r2, map[3]\nmov r3, 0\n"
         "call tail_call\nmov r1, r7\ncall spin_unlock\n" END,
         REJECT(LOCK), KIND(MEMORY)},
        {"one of two functions, called by a register", EITHER(8) "call r4\nexit\n" READS(7) READS(0), ACCEPTED,
         KIND(MEMORY)},
        {"the other one, which reads more than there is", EITHER(7) "call r4\nexit\n" READS(7) READS(0),
         REJECT(OUT_OF_BOUNDS), KIND(MEMORY)},
        {"the result of a function in which one is taken", "call local +5\n" INDEX LEAVES, REJECT(OUT_OF_BOUNDS),
         KIND(SCHED_CLS)},
        {"the same result, masked", "call local +6\nand r0, 7\n" INDEX LEAVES, ACCEPTED, KIND(SCHED_CLS)},
        {"the packet behind such a function", PACKET "mov r1, r6\ncall local +3\nldxb r0, [r7]\n" END LEAVES,
         REJECT(PACKET_BOUNDS), KIND(SCHED_CLS)},
        {"the packet before it", PACKET "ldxb r0, [r7]\nmov r1, r6\ncall local +2\n" END LEAVES, ACCEPTED,
         KIND(SCHED_CLS)},
        {"a tail call with a socket in hand",
         "mov r6, r1\nstdw [r10-16], 0\nstdw [r10-8], 0\nmov r2, r10\nadd r2, -16\nmov r3, 12\nmov r4, 0\nmov r5, 0\ncall 99\n"
         "mov r7, r0\nmov r1, r6\nlddw r2, map[3]\nmov r3, 0\ncall tail_call\njeq r7, 0, +2\nmov r1, r7\ncall 86\n" END,
         REJECT(REFERENCE_LEAK), KIND(SCHED_CLS)},
        /* results */
        {"0 to 3", "mov r0, 3\nexit\n", ACCEPTED, KIND(CGROUP_SKB)},
        {"0 to 3 in 64 bits", "lddw r0, 0x100000001\nexit\n", REJECT(RETURN_VALUE), KIND(CGROUP_SKB)},
        {"a hook's negative number", "mov r0, -1\nexit\n", ACCEPTED, KIND(LSM)},
        {"in 32 bits, too", "lddw r0, 0xffffffff\nexit\n", ACCEPTED, KIND(LSM)},
        {"too far below 0", "mov r0, -4096\nexit\n", REJECT(RETURN_VALUE), KIND(LSM)},
};

static struct picket_verdict *verify(const char *name, const char *text, const struct picket_verify_options *options)
{
	struct picket_verdict *v = NULL;
	struct picket_error error;
	struct picket_insn *insns;
	size_t count;

	if (picket_assemble(text, strlen(text), &insns, &count, &error))
		fail_msg("%s: %s (line %u)", name, error.text, error.line);
	assert_int_equal(picket_verify_insns(insns, count, maps, ARRAY_SIZE(maps), options, &v), 0);
	free(insns);
	return v;
}

static unsigned differs(const char *name, const struct picket_verdict *v, enum picket_category category)
{
	if (v->category == category)
		return 0;
	print_error("%s: %s instead of %s: %s\n", name, picket_category_name(v->category),
	            picket_category_name(category), v->reason);
	return 1;
}

static void test_samples(void **state)
{
	unsigned failures = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		const struct picket_verify_options o = {.kind = samples[i].kind};
		struct picket_verdict *v = verify(samples[i].name, samples[i].text, &o);

		failures += differs(samples[i].name, v, samples[i].category);
		picket_verdict_free(v);
	}
	assert_int_equal(failures, 0);
}

/* ---- an object with types that not every compiler writes: a map's value with pointers, a lock, a timer ---- */

enum { TASK_AT = 0, SEEN_AT = 8, LOCK_AT = 16, TIMER_AT = 24, COUNT_AT = 40, VALUE_BYTES = 48 };

struct made {
	struct btf *btf, *kernel;
	struct picket_image *image;
};

static int add_struct(struct btf *b, const char *name, uint32_t bytes)
{
	int number = btf__add_int(b, "u8", 1, 0), id;

	id = btf__add_array(b, number, number, bytes);
	btf__add_struct(b, name, bytes);
	assert_int_equal(btf__add_field(b, "bytes", id, 0, 0), 0);
	return (int)btf__type_cnt(b) - 1;
}

static int add_tagged(struct btf *b, const char *tag, int type)
{
	return btf__add_ptr(b, btf__add_type_tag(b, tag, type));
}

static void add_field(struct btf *b, const char *name, int type, uint32_t at)
{
	assert_int_equal(btf__add_field(b, name, type, at * 8, 0), 0);
}

/* struct { task_struct __kptr *task; task_struct __kptr_untrusted *seen; bpf_spin_lock; bpf_timer; u64 count; } */
static int make_value(struct btf *b)
{
	int task = add_struct(b, "task_struct", 64), lock = add_struct(b, "bpf_spin_lock", 4),
	    timer = add_struct(b, "bpf_timer", 16), number = btf__add_int(b, "u64", 8, 0),
	    kptr = add_tagged(b, "kptr", task), seen = add_tagged(b, "kptr_untrusted", task), value;

	value = btf__add_struct(b, "value", VALUE_BYTES);
	add_field(b, "task", kptr, TASK_AT);
	add_field(b, "seen", seen, SEEN_AT);
	add_field(b, "lock", lock, LOCK_AT);
	add_field(b, "timer", timer, TIMER_AT);
	add_field(b, "count", number, COUNT_AT);
	return value;
}

static void make_map(struct btf *b, int value)
{
	int pointer = btf__add_ptr(b, value), definition, variable;

	definition = btf__add_struct(b, "", 8);
	add_field(b, "value", pointer, 0);
	variable = btf__add_var(b, "things", BTF_VAR_GLOBAL_ALLOCATED, definition);
	assert_true(btf__add_datasec(b, ".maps", 8) > 0);
	assert_int_equal(btf__add_datasec_var_info(b, variable, 0, 8), 0);
}

static void make_kernel(struct made *m)
{
	int number;

	m->kernel = btf__new_empty();
	assert_non_null(m->kernel);
	number = btf__add_int(m->kernel, "int", 4, BTF_INT_SIGNED);
	btf__add_struct(m->kernel, "task_struct", 64);
	add_field(m->kernel, "pid", number, 0);
	btf__add_struct(m->kernel, "cgroup", 64);
	add_field(m->kernel, "level", number, 0);
}

static int setup(void **state)
{
	struct made *m = calloc(1, sizeof(*m));
	struct vm_elf_section section = {.name = ".BTF"};
	uint32_t length;

	assert_non_null(m);
	m->btf = btf__new_empty();
	m->image = calloc(1, sizeof(*m->image));
	assert_non_null(m->btf);
	assert_non_null(m->image);
	make_map(m->btf, make_value(m->btf));
	make_kernel(m);
	section.data = btf__raw_data(m->btf, &length);
	section.size = length;
	assert_non_null(section.data);
	assert_int_equal(vm_btf_open(&section, &m->image->btf, NULL), 0);
	m->image->maps[0].name = "things";
	m->image->maps[0].origin = VM_IMAGE_DEFINED;
	m->image->map_count = 1;
	m->image->license = "GPL";
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	struct made *m = *state;

	vm_btf_done(&m->image->btf);
	free(m->image);
	btf__free(m->btf);
	btf__free(m->kernel);
	free(m);
	return 0;
}

static struct picket_verdict *verify_made(struct made *m, const char *name, const char *text)
{
	const struct picket_map_spec map = {
	        .name = "things", .type = 1, .key_size = 4, .value_size = VALUE_BYTES, .max_entries = 4};
	struct vm_debug_function function = {.name = "p", .section = "tp_btf/x"};
	struct vm_debug debug = {.functions = &function, .function_count = 1};
	struct vm_image_program p = {.name = "p", .section = "tp_btf/x", .debug = &debug};
	struct verify_program program = {.maps = &map, .map_count = 1, .hook = "", .license = "GPL", .image = m->image};
	struct picket_verify_options o = {.kind = PICKET_KIND_TP_BTF};
	struct picket_verdict *v = NULL;
	struct picket_error error;
	struct picket_insn *insns;
	uint32_t length;

	if (picket_assemble(text, strlen(text), &insns, &program.count, &error))
		fail_msg("%s: %s (line %u)", name, error.text, error.line);
	program.insns = p.insns = insns;
	p.insn_count = program.count;
	m->image->programs = &p;
	m->image->program_count = 1;
	o.btf = btf__raw_data(m->kernel, &length);
	o.btf_length = length;
	assert_int_equal(verify_run(&program, &o, &v), 0);
	m->image->programs = NULL;
	m->image->program_count = 0;
	free(insns);
	return v;
}

/* r6 is the value, not NULL. */
#define VALUE \
	"stw [r10-4], 1\nlddw r1, map[0]\nmov r2, r10\nadd r2, -4\ncall map_lookup_elem\njne r0, 0, +2\nmov r0, 0\nexit\n" \
	"mov r6, r0\n"

static const struct {
	const char *name, *text;
	enum picket_category category;
} made_samples[] = {
        {"a number beside them", VALUE "ldxdw r1, [r6+40]\nstxdw [r6+40], r1\n" END, ACCEPTED},
        {"a pointer is read, and compared", VALUE "ldxdw r1, [r6]\njeq r1, 0, +1\nldxw r2, [r1]\n" END, ACCEPTED},
        {"a pointer is read, and not compared", VALUE "ldxdw r1, [r6]\nldxw r2, [r1]\n" END, REJECT(NULL_POINTER)},
        {"half of a pointer", VALUE "ldxw r1, [r6]\n" END, REJECT(TYPE)},
        {"a pointer's upper half", VALUE "ldxw r1, [r6+4]\n" END, REJECT(TYPE)},
        {"a pointer that owns is overwritten", VALUE "stdw [r6], 0\n" END, REJECT(TYPE)},
        {"one that does not is", VALUE "mov r1, 0\nstxdw [r6+8], r1\n" END, ACCEPTED},
        {"by a number", VALUE "mov r1, 4096\nstxdw [r6+8], r1\n" END, REJECT(TYPE)},
        {"by itself", VALUE "ldxdw r1, [r6+8]\njeq r1, 0, +1\nstxdw [r6+8], r1\n" END, ACCEPTED},
        {"by what may be NULL", VALUE "ldxdw r1, [r6+8]\nstxdw [r6+8], r1\n" END, REJECT(TYPE)},
        {"by half", VALUE "mov r1, 0\nstxw [r6+8], r1\n" END, REJECT(TYPE)},
        {"exchanged with nothing, and forgotten", VALUE "mov r1, r6\nmov r2, 0\ncall 194\n" END,
         REJECT(REFERENCE_LEAK)},
        {"exchanged where there is none", VALUE "mov r1, r6\nadd r1, 40\nmov r2, 0\ncall 194\n" END, REJECT(ARGUMENT)},
        {"exchanged where nothing is owned", VALUE "mov r1, r6\nadd r1, 8\nmov r2, 0\ncall 194\n" END,
         REJECT(ARGUMENT)},
        {"a lock's bytes", VALUE "ldxw r1, [r6+16]\n" END, REJECT(TYPE)},
        {"a lock's bytes by a helper", VALUE "mov r1, r6\nadd r1, 16\nmov r2, 4\ncall get_current_comm\n" END,
         REJECT(TYPE)},
        {"bytes behind it by a helper", VALUE "mov r1, r6\nadd r1, 40\nmov r2, 8\ncall get_current_comm\n" END,
         ACCEPTED},
        {"the lock", VALUE "mov r1, r6\nadd r1, 16\ncall spin_lock\nmov r1, r6\nadd r1, 16\ncall spin_unlock\n" END,
         ACCEPTED},
        {"no lock", VALUE "mov r1, r6\nadd r1, 20\ncall spin_lock\nmov r1, r6\nadd r1, 20\ncall spin_unlock\n" END,
         REJECT(ARGUMENT)},
        {"the timer", VALUE "mov r1, r6\nadd r1, 24\ncall 172\n" END, ACCEPTED},
        {"no timer", VALUE "mov r1, r6\nadd r1, 40\ncall 172\n" END, REJECT(ARGUMENT)},
        {"a timer's map", VALUE "mov r1, r6\nadd r1, 24\nlddw r2, map[0]\nmov r3, 1\ncall 169\n" END, ACCEPTED},
        {"an element that may be a pointer",
         VALUE "call get_prandom_u32\nand r0, 63\nadd r6, r0\nldxb r1, [r6-16]\n" END, REJECT(OUT_OF_BOUNDS)},
        {"a number of two that may be a pointer",
         VALUE "call get_prandom_u32\nand r0, 8\nadd r6, r0\nldxb r1, [r6+8]\n" END, REJECT(TYPE)},
};

static void test_maps_values(void **state)
{
	unsigned failures = 0;

	for (size_t i = 0; i < ARRAY_SIZE(made_samples); i++) {
		struct picket_verdict *v = verify_made(*state, made_samples[i].name, made_samples[i].text);

		failures += differs(made_samples[i].name, v, made_samples[i].category);
		picket_verdict_free(v);
	}
	assert_int_equal(failures, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_samples),
	        cmocka_unit_test_setup_teardown(test_maps_values, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
