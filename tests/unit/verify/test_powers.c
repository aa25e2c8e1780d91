/* SPDX-License-Identifier: Apache-2.0
 *
 * Powers of small objects, which clang compiles here: what is listed, what is not, the text that is signed, differences.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "picket/verify_powers.h"

#define PROLOGUE \
	"#include <linux/bpf.h>\n" \
	"#include <bpf/bpf_helpers.h>\n" \
	"char LICENSE[] SEC(\"license\") = \"GPL\";\n"

#define NO_SUCH_COMMAND 127

static char dir[] = "/tmp/picket-powers-XXXXXX";

static int run(char *const argv[])
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		execvp(argv[0], argv);
		_exit(NO_SUCH_COMMAND);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* NULL: there is no clang. */
static struct picket_image *compile(const char *text)
{
	char source[64], object[64];
	struct picket_error error;
	struct picket_image *image;
	int status;
	FILE *f;

	snprintf(source, sizeof(source), "%s/x.c", dir);
	snprintf(object, sizeof(object), "%s/x.o", dir);
	f = fopen(source, "w");
	assert_non_null(f);
	fprintf(f, "%s%s", PROLOGUE, text);
	fclose(f);
	status = run((char *[]){"clang", "-target", "bpf", "-O2", "-g", "-I/usr/include/x86_64-linux-gnu",
	                        "-I/usr/include/aarch64-linux-gnu", "-c", source, "-o", object, NULL});
	unlink(source);
	if (status == NO_SUCH_COMMAND)
		return NULL;
	if (status)
		fail_msg("clang fails on: %s", text);
	if (picket_image_open_file(object, &image, &error))
		fail_msg("%s", error.text);
	unlink(object);
	return image;
}

static struct picket_powers *powers_of(const char *text)
{
	struct picket_image *image = compile(text);
	struct picket_powers *powers = NULL;
	struct picket_error error = {0};

	if (!image) {
		print_message("there is no clang here\n");
		skip();
	}
	if (picket_powers_of(image, PICKET_KIND_AUTO, &powers, &error))
		fail_msg("%s", error.text);
	picket_image_free(image);
	return powers;
}

static void words_add(char *words, size_t size, const struct picket_power_entry *entry)
{
	size_t used = strlen(words);

	snprintf(words + used, size - used, "%s%s%s%s", used ? " " : "", picket_power_name(entry->power),
	         entry->detail[0] ? "=" : "", entry->detail);
}

/* "kill=SIGKILL observe-processes" */
static void words_of(const struct picket_powers *powers, char *words, size_t size)
{
	words[0] = '\0';
	for (size_t i = 0; i < picket_powers_count(powers); i++)
		words_add(words, size, picket_powers_at(powers, i));
}

static bool check(const char *name, const char *text, const char *expected)
{
	struct picket_powers *powers = powers_of(text);
	char words[2048];

	words_of(powers, words, sizeof(words));
	picket_powers_free(powers);
	if (strcmp(words, expected) != 0)
		print_error("%s: \"%s\" instead of \"%s\"\n", name, words, expected);
	return !strcmp(words, expected);
}

#define PROGRAM(section, context, body) "SEC(\"" section "\") int f(" context ")\n{\n" body "\n}\n"
#define XDP(body) PROGRAM("xdp", "struct xdp_md *ctx", body)
#define TC(body) PROGRAM("tc", "struct __sk_buff *ctx", body)
#define TP(body) PROGRAM("tp_btf/sched_switch", "unsigned long long *ctx", body)
#define LOOP "static long g(unsigned i, void *c) { *(long *)c += i; return 0; }\n"
#define MAP(kind, entries) \
	"struct { __uint(type, " kind "); __uint(max_entries, " entries "); __type(key, int); __type(value, long); } " \
	"m SEC(\".maps\");\n"

static const struct {
	const char *name, *text, *expected;
} samples[] = {
        {"passes", XDP("return 2;"), "observe-network"},
        {"drops", XDP("return 1;"), "observe-network drop-packets"},
        {"sends back", XDP("return 3;"), "observe-network redirect-packets"},
        {"passes or drops", XDP("return ctx->ingress_ifindex == 3 ? 1 : 2;"), "observe-network drop-packets"},
        {"returns anything", XDP("return ctx->ingress_ifindex;"), "observe-network drop-packets redirect-packets"},
        {"reads the packet",
         XDP("unsigned char *p = (void *)(long)ctx->data, *e = (void *)(long)ctx->data_end;\n"
             "if (p + 1 > e) return 2; return *p ? 1 : 2;"),
         "observe-network read-packets drop-packets"},
        {"writes the packet",
         XDP("unsigned char *p = (void *)(long)ctx->data, *e = (void *)(long)ctx->data_end;\n"
             "if (p + 1 > e) return 2; *p = 1; return 2;"),
         "observe-network modify-packets"},
        {"writes its stack only", XDP("volatile long x = 1; x = 2; return 2;"), "observe-network"},
        {"writes a map only",
         MAP("BPF_MAP_TYPE_ARRAY", "1")
                 XDP("int k = 0; long *v = bpf_map_lookup_elem(&m, &k); if (v) *v = 1; return 2;"),
         "observe-network"},
        {"a packet's address in the stack",
         XDP("unsigned char *volatile p = (void *)(long)ctx->data; unsigned char *e = (void *)(long)ctx->data_end;\n"
             "unsigned char *q = p; if (q + 1 > e) return 2; *q = 1; return 2;"),
         "observe-network modify-packets"},
        {"a packet's address in a function",
         "static __attribute__((noinline)) int w(unsigned char *p) { *p = 1; return 2; }\n" XDP(
                 "unsigned char *p = (void *)(long)ctx->data, *e = (void *)(long)ctx->data_end;\n"
                 "if (p + 1 > e) return 2; return w(p);"),
         "observe-network modify-packets"},
        {"marks", TC("ctx->mark = 7; return 0;"), "observe-network mark-packets=mark"},
        {"shoots", TC("return 2;"), "observe-network drop-packets"},
        {"passes or shoots", TC("return ctx->len & 1 ? 2 : 0;"), "observe-network drop-packets"},
        {"shoots by a comparison", TC("return ctx->len == 64 ? 2 : 0;"), "observe-network drop-packets"},
        {"calculated", TC("int r; asm volatile(\"%0 = 3\\n%0 <<= 1\\n%0 |= 1\" : \"=r\"(r)); return r;"),
         "observe-network redirect-packets"},
        {"calculated, shifted away", TC("int r; asm volatile(\"%0 = 2\\n%0 <<= 32\\n%0 |= 7\" : \"=r\"(r)); return r;"),
         "observe-network drop-packets redirect-packets"},
        {"calculated, the lower half",
         TC("int r; asm volatile(\"%0 = -1\\n%0 += 1\\n%0 >>= 29\" : \"=r\"(r)); return r;"),
         "observe-network drop-packets redirect-packets"},
        {"passes, tc", TC("return 0;"), "observe-network"},
        {"kills", TP("bpf_send_signal(9); return 0;"), "observe-processes=sched_switch kill=SIGKILL"},
        {"kills by one of two", TP("bpf_send_signal(ctx[1] ? 9 : 15); return 0;"),
         "observe-processes=sched_switch kill=SIGKILL kill=SIGTERM"},
        {"kills by anything", TP("bpf_send_signal(ctx[1]); return 0;"), "observe-processes=sched_switch kill=any"},
        {"reads kernel memory", TP("long x; bpf_probe_read_kernel(&x, 8, (void *)ctx[1]); return 0;"),
         "observe-processes=sched_switch read-kernel-memory gpl-helpers"},
        {"reads objects", TP("return *(int *)ctx[1] & 0;"), "observe-processes=sched_switch"},
        {"reads objects, really", TP("volatile int x = *(int *)ctx[1]; return 0;"),
         "observe-processes=sched_switch read-kernel-objects"},
        {"writes user memory", TP("int x = 1; bpf_probe_write_user((void *)ctx[1], &x, 4); return 0;"),
         "observe-processes=sched_switch write-user-memory gpl-helpers"},
        {"denies", PROGRAM("lsm/file_open", "unsigned long long *ctx", "return -1;"),
         "observe-files=file_open deny=file_open"},
        {"denies nothing", PROGRAM("lsm/file_open", "unsigned long long *ctx", "return 0;"), "observe-files=file_open"},
        {"denies, and sleeps", PROGRAM("lsm.s/bprm_check_security", "unsigned long long *ctx", "return -1;"),
         "observe-processes=bprm_check_security deny=bprm_check_security sleep"},
        {"refuses connections", PROGRAM("cgroup/connect4", "struct bpf_sock_addr *ctx", "return ctx->user_port != 80;"),
         "observe-network=connect4 deny=connect4"},
        {"redirects connections",
         PROGRAM("cgroup/connect4", "struct bpf_sock_addr *ctx", "ctx->user_ip4 = 1; return 1;"),
         "observe-network=connect4 redirect-connections=user_ip4"},
        {"overrides", PROGRAM("kprobe/vfs_read", "struct pt_regs *ctx", "bpf_override_return(ctx, -1); return 0;"),
         "observe-files=vfs_read change-results=vfs_read gpl-helpers"},
        {"watches a program", PROGRAM("uprobe//bin/sh:main", "void *ctx", "return 0;"),
         "observe-programs=/bin/sh:main"},
        {"loops", LOOP TP("long x = 0; bpf_loop(100, g, &x, 0); return 0;"),
         "observe-processes=sched_switch long-work=rounds:100"},
        {"loops without a bound", LOOP TP("long x = 0; bpf_loop(ctx[1], g, &x, 0); return 0;"),
         "observe-processes=sched_switch long-work=rounds:8388608"},
        {"walks a map",
         "static long g(void *m, int *k, long *v, void *c) { *(long *)c += *v; return 0; }\n" MAP(
                 "BPF_MAP_TYPE_HASH", "500") TP("long x = 0; bpf_for_each_map_elem(&m, g, &x, 0); return 0;"),
         "observe-processes=sched_switch long-work=elements:500"},
        {"in a callback",
         "static long g(unsigned i, void *c) { bpf_send_signal(9); return 0; }\n" TP("bpf_loop(3, g, 0, 0); return 0;"),
         "observe-processes=sched_switch kill=SIGKILL long-work=rounds:3"},
        {"not known", "static long (*h)(void) = (void *)4000;\n" TP("return h() & 0;"),
         "observe-processes=sched_switch unknown=helper:4000"},
        {"a function not known",
         "extern void bpf_not_there(void) __attribute__((section(\".ksyms\")));\n" TP("bpf_not_there(); return 0;"),
         "observe-processes=sched_switch unknown=bpf_not_there"},
        {"a section not known", PROGRAM("elsewhere", "void *ctx", "return 0;"), "unknown=elsewhere"},
        {"replaces", PROGRAM("struct_ops/cong_avoid", "unsigned long long *ctx", "return 0;"),
         "replace-kernel-functions=cong_avoid"},
        {"a branch behind each branch", TP("asm volatile(\".rept 300\\nif r1 == 0 goto +0\\n.endr\"); return 0;"),
         "observe-processes=sched_switch"},
        {"dead code gives nothing", TP("asm volatile(\"goto +2\\nr1 = 9\\ncall 109\"); return 0;"),
         "observe-processes=sched_switch"},
};

static void test_samples(void **state)
{
	unsigned failed = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		failed += !check(samples[i].name, samples[i].text, samples[i].expected);
	assert_int_equal(failed, 0);
}

/* ---- text ---- */

#define TWO \
	"SEC(\"xdp\") int b(void *ctx) { return 1; }\n" \
	"SEC(\"tp_btf/x y\") int a(unsigned long long *ctx) { bpf_send_signal(9); return 0; }\n"
#define TWO_OTHERWISE \
	"SEC(\"tp_btf/x y\") int a(unsigned long long *ctx) { if (ctx[1]) bpf_send_signal(9); return 0; }\n" \
	"SEC(\"xdp\") int b(void *ctx) { bpf_ktime_get_ns(); return 1; }\n"
static const char two_written[] = "picket-powers 1\n"
                                  "power a kill SIGKILL\n"
                                  "power a observe-kernel x%20y\n"
                                  "power b drop-packets\n"
                                  "power b observe-network\n"
                                  "program a tp_btf tp_btf/x%20y\n"
                                  "program b xdp xdp\n";

static void check_written(const struct picket_powers *powers, const char *expected)
{
	size_t length;
	char *text;

	assert_int_equal(picket_powers_write(powers, &text, &length), 0);
	assert_string_equal(text, expected);
	assert_int_equal(length, strlen(expected));
	free(text);
}

static void test_text(void **state)
{
	struct picket_powers *powers = powers_of(TWO), *again = NULL;
	struct picket_error error;

	(void)state;
	check_written(powers, two_written);
	assert_int_equal(picket_powers_read(two_written, strlen(two_written), &again, &error), 0);
	check_written(again, two_written);
	assert_int_equal(picket_powers_count(again), picket_powers_count(powers));
	picket_powers_free(again);
	picket_powers_free(powers);
	powers = powers_of(TWO_OTHERWISE);
	check_written(powers, two_written);
	picket_powers_free(powers);
}

static void test_broken_text(void **state)
{
	static const struct {
		const char *text, *why;
		unsigned line;
	} cases[] = {
	        {"", "expected", 1},
	        {"picket-powers 2\n", "expected", 1},
	        {"picket-powers 1\nprogram a xdp\n", "NAME KIND SECTION", 2},
	        {"picket-powers 1\nprogram a nothing xdp\n", "no such kind", 2},
	        {"picket-powers 1\npower a kill\nprogram b xdp xdp\n", "no such program", 2},
	        {"picket-powers 1\npower a fly\nprogram a xdp xdp\n", "no such power", 2},
	        {"picket-powers 1\npower a kill %4\nprogram a xdp xdp\n", "NAME POWER", 2},
	        {"picket-powers 1\npower a kill %41\nprogram a xdp xdp\n", "not as picket writes", 2},
	        {"picket-powers 1\nprogram a xdp xdp\npower a kill\n", "not as picket writes", 2},
	        {"picket-powers 1\npower a kill\npower a kill\nprogram a xdp xdp\n", "not as picket writes", 3},
	        {"picket-powers 1\nprogram a xdp xdp\nprogram a xdp xdp\n", "not as picket writes", 3},
	        {"picket-powers 1\nprogram a xdp xdp", "not as picket writes", 3},
	        {"picket-powers 1\nprogram a xdp xdp\n\n", "begins with", 3},
	        {"picket-powers 1\nsomething\n", "begins with", 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct picket_powers *powers = NULL;
		struct picket_error error = {0};

		assert_int_equal(picket_powers_read(cases[i].text, strlen(cases[i].text), &powers, &error), -EINVAL);
		assert_null(powers);
		if (!strstr(error.text, cases[i].why) || error.line != cases[i].line)
			fail_msg("%zu: line %u: %s", i, error.line, error.text);
	}
}

/* ---- differences ---- */

static void differ(enum picket_powers_change change, const struct picket_power_entry *entry,
                   const struct picket_powers_program *program, void *user)
{
	static const char *const marks[] = {"+", "(+)", "-", "(-)"};
	char *words = user;
	size_t used = strlen(words);

	snprintf(words + used, 512 - used, "%s%s%s:", used ? " " : "", marks[change], program->name);
	used = strlen(words);
	snprintf(words + used, 512 - used, "%s%s%s", picket_power_name(entry->power), entry->detail[0] ? "=" : "",
	         entry->detail);
}

static struct picket_powers *read_list(const char *text)
{
	struct picket_powers *powers = NULL;
	struct picket_error error;

	if (picket_powers_read(text, strlen(text), &powers, &error))
		fail_msg("%s", error.text);
	return powers;
}

static void check_difference(const char *old_text, const char *now_text, const char *expected)
{
	struct picket_powers *old = read_list(old_text), *now = read_list(now_text);
	char words[512] = "";

	assert_int_equal(picket_powers_compare(old, now, differ, words), 0);
	assert_string_equal(words, expected);
	picket_powers_free(old);
	picket_powers_free(now);
}

#define HEAD "picket-powers 1\n"
#define PROGRAMS "program a xdp xdp\nprogram b xdp xdp\n"

static void test_difference(void **state)
{
	(void)state;
	check_difference(two_written, two_written, "");
	check_difference(HEAD PROGRAMS, HEAD "power a kill SIGKILL\n" PROGRAMS, "+a:kill=SIGKILL");
	check_difference(HEAD "power a kill SIGKILL\n" PROGRAMS, HEAD PROGRAMS, "-a:kill=SIGKILL");
	check_difference(HEAD "power a kill SIGTERM\n" PROGRAMS, HEAD "power a kill SIGKILL\n" PROGRAMS,
	                 "+a:kill=SIGKILL -a:kill=SIGTERM");
	check_difference(HEAD "power a print\n" PROGRAMS, HEAD "power a print\npower b print\n" PROGRAMS, "(+)b:print");
	check_difference(HEAD "power a print\npower b print\n" PROGRAMS, HEAD "power a print\n" PROGRAMS, "(-)b:print");
	check_difference(HEAD "power a print\n" PROGRAMS, HEAD "power b kill any\npower b print\n" PROGRAMS,
	                 "+b:kill=any (+)b:print (-)a:print");
}

static void test_names(void **state)
{
	(void)state;
	for (unsigned i = 0; i < PICKET_POWERS; i++) {
		const char *name = picket_power_name((enum picket_power)i);

		assert_non_null(picket_severity_name(picket_power_severity((enum picket_power)i)));
		assert_true(picket_power_doc((enum picket_power)i)[0] != '\0');
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(name, picket_power_name((enum picket_power)k));
	}
	assert_null(picket_power_name(PICKET_POWERS));
	assert_null(picket_severity_name(99));
}

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_samples),    cmocka_unit_test(test_text),  cmocka_unit_test(test_broken_text),
	        cmocka_unit_test(test_difference), cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
