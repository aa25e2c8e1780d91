/* SPDX-License-Identifier: Apache-2.0
 *
 * Statements about the language that are easy to get wrong, each with the verdict that Falco gives.
 */
#include "condition_helper.h"

static struct value names[] = {V_STR("nginx"), V_STR("bash")};

static const struct table_row rows[] = {
        {"proc.name", V_STR("bash")},
        {"proc.exepath", V_STR("/usr/bin/bash")},
        {"proc.cmdline", V_STR("bash -c id\nx")},
        {"proc.args", V_STR("")},
        {"proc.pid", V_S64(42)},
        {"proc.aname", V_LIST(names)},
        {"fd.name", V_STR("/etc/shadow")},
        {"fd.num", V_S64(-1)},
        {"fd.sip", V_IP4(10, 0, 0, 1)},
        {"evt.rawres", V_S64(-13)},
        {"evt.type", V_STR("openat")},
        {"evt.arg.flags", V_STR("O_RDONLY|O_CLOEXEC")},
        {"evt.arg.path", V_STR("/Etc/Motd")},
        {"evt.buffer", V_BYTES("\x7f"
                               "ELF\0x")},
        {"evt.is_open_read", V_BOOL(true)},
        {"fd.types", V_LIST(names)},
};

struct statement {
	const char *condition;
	bool matches;
};

static const struct statement statements[] = {
        /* A field without a value: false for every operator, and so true behind `not`. */
        {"user.name = root", false},
        {"user.name != root", false},
        {"not user.name = root", true},
        {"not user.name != root", true},
        {"user.uid >= 0", false},
        {"user.name in (root)", false},
        {"not user.name in (root)", true},
        {"user.name exists", false},
        {"proc.args exists", true},
        {"proc.args = ''", true},
        {"proc.name = val(user.name)", false},
        {"proc.name != val(user.name)", false},

        /* `and` binds tighter than `or`; `not` tightest; repeated ones toggle. */
        {"proc.name = bash or proc.name = x and proc.pid = 0", true},
        {"(proc.name = bash or proc.name = x) and proc.pid = 0", false},
        {"not proc.name = x and proc.pid = 42", true},
        {"not not proc.name = bash", true},
        {"not(proc.name = x)", true},
        {"not not not proc.name = bash", false},

        /* Text operators are about bytes; only those with i ignore case. */
        {"evt.arg.path startswith /etc", false},
        {"evt.arg.path icontains motd", true},
        {"evt.arg.path iglob /etc/*", true},
        {"fd.name glob /etc*w", true}, /* * crosses / */
        {"fd.name glob /*", true},
        {"fd.name glob etc", false},
        {"fd.name contains ''", true},

        /* pmatch goes by components. */
        {"fd.name pmatch (/etc)", true},
        {"fd.name pmatch (/etc/)", true},
        {"fd.name pmatch (/et)", false},
        {"fd.name pmatch (/etc/shadow/x)", false},
        {"fd.name pmatch (/e*)", true},
        {"fd.name pmatch (/*/shadow)", true},
        {"fd.name pmatch (/*w)", false},
        {"fd.name pmatch (/)", true},

        /* regex must match the whole. */
        {"proc.name regex 'ba'", false},
        {"proc.name regex 'ba.*'", true},
        {"proc.name regex '(x|bash)'", true},
        {"proc.name regex 'x|bash'", true},
        {"proc.cmdline regex 'bash.*x'", false}, /* . is no line end */

        /* Numbers. */
        {"evt.rawres < 0", true},
        {"evt.rawres = -13", true},
        {"fd.num = -1", true},
        {"fd.num >= 0", false},
        {"proc.pid = 0x2a", true},
        {"proc.pid in (41, 42)", true},

        /* Lists: `in` wants every one, `intersects` one; an ancestor field matches by any. */
        {"fd.types in (nginx, bash, x)", true},
        {"fd.types in (nginx)", false},
        {"fd.types intersects (nginx)", true},
        {"fd.types intersects (x)", false},
        {"proc.name in (sh, bash)", true},
        {"proc.name in ()", false},
        {"not proc.name in ()", true},

        /* Addresses: nets only where a net is asked for; other families never match. */
        {"fd.sip = 10.0.0.1", true},
        {"fd.sip != 10.0.0.1", false},
        {"fd.sip in (10.0.0.2, 10.0.0.1)", true},
        {"fd.sip = ::1", false},
        {"fd.sip != ::1", true},

        /* Flags are text. */
        {"evt.arg.flags contains O_CLOEXEC", true},
        {"evt.arg.flags = O_CLOEXEC", false},

        /* Bytes: also NUL; b-operators take hexadecimal. */
        {"evt.buffer bcontains 454c46", true},
        {"evt.buffer bstartswith 7f454c46", true},
        {"evt.buffer bstartswith 454c46", false},
        {"evt.buffer contains ELF", true},

        /* Transformers, and modifiers. */
        {"toupper(proc.name) = BASH", true},
        {"len(proc.name) = 4", true},
        {"basename(proc.exepath) = val(proc.name)", true},
        {"tolower(user.name) = root", false},
        {"not tolower(user.name) exists", true},
        {"fd.name contains anyof (passwd, shadow)", true},
        {"fd.name contains allof (etc, shadow)", true},
        {"fd.name contains oneof (etc, shadow)", false},
        {"fd.name contains oneof (etc, passwd)", true},
        {"user.name contains anyof (a)", false},

        /* Writing. */
        {"proc.name='bash'", true},
        {"proc.name == \"bash\"", true},
        {"evt.is_open_read=true", true},
        {"evt.is_open_read != true", false},
        {"proc.name in (bash,sh)", true},
};

static void test_statements(void **state)
{
	(void)state;
	struct table_source source = TABLE_SOURCE(rows);
	unsigned wrong = 0;
	for (size_t i = 0; i < ARRAY_SIZE(statements); i++) {
		if (text_matches(statements[i].condition, &source.source) == statements[i].matches)
			continue;
		print_error("must %smatch: %s\n", statements[i].matches ? "" : "not ", statements[i].condition);
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

/* What is an error in Falco must be one here: a rule that is taken and means something else is worse. */
static void test_mistakes(void **state)
{
	(void)state;
	static const char *const mistakes[] = {
	        "evt.type = opnat",           /* unknown event type */
	        "proc.nam = x",               /* unknown field */
	        "proc.pid contains 4",        /* wrong operator for a number */
	        "proc.name bcontains 41",     /* … for text */
	        "evt.buffer bcontains 4",     /* half a byte */
	        "proc.name = a and",          /* ends too early */
	        "proc.name = a proc.pid = 1", /* something is left */
	        "proc.name = 'a",             /* quote not closed */
	        "proc.name = 'a\\x41'",       /* unknown escape */
	        "proc.name in (a, b",         /* list not closed */
	        "fd.types = file",            /* list-typed: only in, intersects, exists */
	        "proc.pid = many",            /* no number */
	        "fd.sip = 10.0.0",            /* no address */
	        "fd.snet = 10.0.0.0/33",      /* no net */
	        "proc.name regex '('",        /* no expression */
	        "nosuchmacro and proc.pid = 1",
	        "val(proc.name) = x",      /* only at the right */
	        "proc.name istartswith a", /* only contains and glob have an i form */
	        "proc.name containsx",     /* word operators end with a blank */
	        "",
	};
	unsigned wrong = 0;
	for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
		struct diag_list diags;
		struct filter *f = NULL;
		diag_list_init(&diags, 10);
		if (filter_new(str_from(mistakes[i]), "test", &diags, &f) == 0) {
			print_error("must be refused: %s\n", mistakes[i]);
			filter_free(f);
			wrong++;
		}
		diag_list_done(&diags);
	}
	assert_int_equal(wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_statements), cmocka_unit_test(test_mistakes)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
