/* SPDX-License-Identifier: Apache-2.0
 *
 * What conditions mean: each operator with each type, missing values, transformers, the grammar's fine points.
 */
#include "condition_helper.h"

static const struct value ancestors[] = {V_STR("bash"), V_STR("sshd"), V_STR("systemd")};
static const struct value ancestor_ids[] = {V_S64(100), V_S64(10), V_S64(1)};
static const struct value ends[] = {V_IP4(10, 0, 0, 5), V_IP4(192, 168, 1, 9)};
static const struct value ports[] = {V_U64(40000), V_U64(443)};
static const struct value names[] = {V_STR("/etc/shadow"), V_STR("/var/link")};

static const struct table_row rows[] = {
        {"evt.type", V_STR("openat")},
        {"evt.num", V_U64(7)},
        {"evt.rawres", V_S64(-13)},
        {"evt.res", V_STR("EACCES")},
        {"evt.is_open_read", V_BOOL(true)},
        {"evt.is_open_write", V_BOOL(false)},
        {"evt.arg.flags", V_STR("O_RDONLY|O_CLOEXEC")},
        {"evt.arg.path", V_STR("/etc//shadow")},
        {"evt.arg[1]", V_STR("AT_FDCWD")},
        {"evt.rawarg.flags", V_U64(4097)},
        {"evt.buffer", V_BYTES("\x7f"
                               "ELF\0\x01rest")},
        {"proc.name", V_STR("cat")},
        {"proc.pname", V_STR("bash")},
        {"proc.exe", V_STR("cat")},
        {"proc.exepath", V_STR("/usr/bin/cat")},
        {"proc.args", V_STR("-n -e /bin/sh --long -vx host 4444 -- -z")},
        {"proc.args[0]", V_STR("-n")},
        {"proc.cmdline", V_STR("cat -n /etc/shadow \xff\xfe end")},
        {"proc.exeline", V_STR("a\0b")},
        {"proc.cwd", V_STR("/root/")},
        {"proc.pid", V_S64(1234)},
        {"proc.tty", V_U64(34816)},
        {"proc.duration", V_U64(5000000000)},
        {"proc.exe_ino", V_S64(INT64_MAX)},
        {"proc.fdusage", V_DOUBLE(12.5)},
        {"proc.aname", V_LIST(ancestors)},
        {"proc.aname[2]", V_STR("sshd")},
        {"proc.apid", V_LIST(ancestor_ids)},
        {"proc.aexe", V_EMPTY_LIST},
        {"proc.env[PATH]", V_STR("/bin:/usr/bin")},
        {"proc.env[EMPTY]", V_STR("")},
        {"user.loginuid", V_S64(-1)},
        {"user.uid", V_U64(0)},
        {"user.name", V_STR("<NA>")},
        {"fd.name", V_STR("/etc/shadow")},
        {"fd.filename", V_STR("shadow")},
        {"fd.directory", V_STR("/etc")},
        {"fd.names", V_LIST(names)},
        {"fd.types", V_EMPTY_LIST},
        {"fd.num", V_S64(3)},
        {"fd.ip", V_LIST(ends)},
        {"fd.net", V_LIST(ends)},
        {"fd.port", V_LIST(ports)},
        {"fd.sip", V_IP4(192, 168, 1, 9)},
        {"fd.snet", V_IP4(192, 168, 1, 9)},
        {"fd.sport", V_U64(443)},
        {"fd.lport", V_U64(443)},
        {"fd.rip", {.kind = VALUE_IP, .ip = {.family = 6, .prefix = 128, .bytes = {[15] = 1}}}},
        {"fd.rnet", {.kind = VALUE_IP, .ip = {.family = 6, .prefix = 128, .bytes = {[15] = 1}}}},
        {"container.image.repository", V_STR("docker.io/library/nginx")},
        {"container.label[b64]", V_STR("aGVsbG8gd29ybGQ=")},
        {"container.label[bad]", V_STR("a*b")},
        {"container.mount.dest[/root*]", V_STR("/host")},
};
static const struct table_source event = TABLE_SOURCE(rows);

struct row {
	const char *text;
	bool matches;
};

static void check_rows(const struct row *table, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (text_matches(table[i].text, &event.source) != table[i].matches)
			fail_msg("%s: expected %s", table[i].text, table[i].matches ? "true" : "false");
	}
}
#define CHECK_ROWS(table) check_rows(table, ARRAY_SIZE(table))

static void test_text(void **state)
{
	(void)state;
	static const struct row table[] = {
	        {"proc.name = cat", true},
	        {"proc.name == cat", true},
	        {"proc.name=cat", true},
	        {"proc.name=\"cat\"", true},
	        {"proc.name = 'cat'", true},
	        {"proc.name = Cat", false},
	        {"proc.name = ca", false},
	        {"proc.name = ''", false},
	        {"proc.env[EMPTY] = \"\"", true},
	        {"proc.name != cat", false},
	        {"proc.name != dog", true},
	        {"proc.name < 5", false},
	        {"proc.name > 5", true},
	        {"proc.name <= val(proc.exe)", true},
	        {"proc.name < val(proc.exe)", false},
	        {"proc.pname < val(proc.exe)", true},
	        {"proc.name contains a", true},
	        {"proc.name contains ''", true},
	        {"proc.name contains A", false},
	        {"proc.name icontains A", true},
	        {"proc.name icontains AX", false},
	        {"proc.cmdline contains shadow", true},
	        {"proc.name startswith c", true},
	        {"proc.name startswith cats", false},
	        {"proc.name startswith \"\"", true},
	        {"proc.name endswith at", true},
	        {"proc.name endswith scat", false},
	        {"proc.name glob c*", true},
	        {"proc.name glob C*", false},
	        {"proc.name iglob C?T", true},
	        {"proc.name glob [ab]at", false},
	        {"proc.name glob [a-d]at", true},
	        {"proc.exeline glob a", false}, /* a NUL ends nothing */
	        {"proc.exeline glob a?b", true},
	        {"proc.exeline contains b", true},
	        {"proc.name glob \"\"", false},
	        {"fd.name glob /etc*", true}, /* the star crosses slashes */
	        {"fd.name glob */shadow", true},
	        {"proc.cmdline glob cat*end", true},
	        {"proc.name regex c.t", true},
	        {"proc.name regex c", false}, /* all of it must match */
	        {"proc.name regex c.*", true},
	        {"proc.name regex \"(dog|ca?t)\"", true},
	        {"proc.name regex \"[[:alpha:]]{3}\"", true},
	        {"proc.name regex \"[[:alpha:]]{4,}\"", false},
	        {"proc.name regex \"^cat$\"", true},
	        {"proc.name regex \"c|cat\"", true}, /* the first alternative does not decide */
	        {"proc.name regex \"\\\\x63at\"", true},
	        {"proc.name regex \"\\\\x{63}+at\"", true},
	        {"proc.name regex \"c\\\\wt\"", true},
	        {"proc.cmdline regex \".* end\"", true}, /* also over bytes that are no UTF-8 */
	        {"proc.name regex .*?t", true},
	        {"proc.name in (dog, cat)", true},
	        {"proc.name in (dog,cat)", true},
	        {"proc.name in(cat)", true},
	        {"proc.name in ( 'cat' )", true},
	        {"proc.name in ()", false},
	        {"proc.name in cat", true},
	        {"proc.name in (dog, cow)", false},
	        {"proc.name intersects (dog, cat)", true},
	        {"proc.name exists", true},
	        {"evt.arg.flags contains O_CLOEXEC", true},
	        {"evt.arg[1] = AT_FDCWD", true},
	        {"container.image.repository endswith /nginx", true},
	        {"container.mount.dest[/root*] = /host", true},
	        {"container.mount.dest[ \"/root*\" ] = /host", true},
	};
	CHECK_ROWS(table);
}

static void test_modifiers(void **state)
{
	(void)state;
	static const struct row table[] = {
	        {"proc.name startswith anyof (d, c)", true},
	        {"proc.name startswith anyof (d, e)", false},
	        {"proc.name startswith oneof (c, d)", true},
	        {"proc.name startswith oneof (c, ca)", false},
	        {"proc.name startswith oneof (x, y)", false},
	        {"proc.name contains allof (a, t, c)", true},
	        {"proc.name contains allof (a, z)", false},
	        {"proc.name != allof (dog, cow)", true},
	        {"proc.name != allof (dog, cat)", false},
	        {"proc.name != anyof (dog, cat)", true},
	        {"proc.name =anyof(cat)", true},
	        {"proc.name = anyof cat", true},
	        {"proc.name = anyof", false}, /* the text "anyof" */
	        {"proc.name = anyof or proc.name = cat", true},
	        {"proc.name regex anyof (d.*, c.*)", true},
	        {"proc.name glob oneof (c*, *t)", false},
	        {"proc.name contains anyof ()", false},
	        {"proc.name contains allof ()", true},
	        {"evt.rawres = anyof (-1, -13)", true},
	        {"evt.buffer bcontains anyof (ff, 454c46)", true},
	        {"k8s.ns.name contains allof ()", false}, /* missing */
	};
	CHECK_ROWS(table);
}

static void test_numbers(void **state)
{
	(void)state;
	static const struct row table[] = {
	        {"evt.rawres = -13", true},
	        {"evt.rawres != -13", false},
	        {"evt.rawres < 0", true},
	        {"evt.rawres <= -13", true},
	        {"evt.rawres > -14", true},
	        {"evt.rawres >= -12", false},
	        {"evt.rawres>=0", false},
	        {"evt.rawres in (-1, -13)", true},
	        {"evt.rawres intersects (1, 2)", false},
	        {"evt.rawres exists", true},
	        {"proc.pid = 0x4d2", true},
	        {"proc.pid = 0x4D2", true},
	        {"proc.pid = +1234", true},
	        {"proc.pid = 1234.0", true},
	        {"proc.pid >= 1.234e3", true},
	        {"proc.pid > 1.234e+3", false},
	        {"proc.exe_ino = 9223372036854775807", true},
	        {"proc.exe_ino = 0x7fffffffffffffff", true},
	        {"user.uid = 18446744073709551615", false},
	        {"user.uid < 0xffffffffffffffff", true},
	        {"user.loginuid = -1", true},
	        {"user.loginuid in (-1, 0)", true},
	        {"user.loginuid < val(user.uid)", true}, /* signed against unsigned */
	        {"user.uid = 0", true},
	        {"proc.tty != 0", true},
	        {"proc.duration <= 5000000000", true},
	        {"proc.duration > 5000000000", false},
	        {"proc.fdusage > 12", true},
	        {"proc.fdusage = 12.5", true},
	        {"proc.fdusage in (1, 12.5)", true},
	        {"fd.sport = 443", true},
	        {"fd.sport in (80, 443)", true},
	        {"fd.num >= 0", true},
	        {"evt.rawarg.flags = 4097", true},
	        {"evt.rawarg.flags in (0x1001)", true},
	        {"evt.is_open_read = true", true},
	        {"evt.is_open_read=true and evt.is_open_write=false", true},
	        {"evt.is_open_read != true", false},
	        {"evt.is_open_read in (true, false)", true},
	        {"evt.is_open_write intersects (true)", false},
	        {"evt.is_open_write exists", true},
	};
	CHECK_ROWS(table);
}

static void test_missing(void **state)
{
	(void)state;
	static const char *const operators[] = {"= x",
	                                        "!= x",
	                                        "< 1",
	                                        "<= 1",
	                                        "> 1",
	                                        ">= 1",
	                                        "contains ''",
	                                        "icontains ''",
	                                        "startswith ''",
	                                        "endswith ''",
	                                        "glob *",
	                                        "iglob *",
	                                        "regex .*",
	                                        "in (x)",
	                                        "intersects (x)",
	                                        "pmatch (/)",
	                                        "exists",
	                                        "= val(proc.name)",
	                                        "!= val(proc.name)",
	                                        "!= anyof (x)"};
	for (size_t i = 0; i < ARRAY_SIZE(operators); i++) {
		char text[80];
		snprintf(text, sizeof(text), "k8s.ns.name %s", operators[i]);
		assert_false(text_matches(text, &event.source));
		snprintf(text, sizeof(text), "not k8s.ns.name %s", operators[i]);
		assert_true(text_matches(text, &event.source));
	}
	static const struct row table[] = {
	        {"proc.vpid = 1", false},
	        {"proc.vpid != 1", false},
	        {"evt.failed != true", false},
	        {"fd.cip != 1.2.3.4", false},
	        {"fd.cnet in (0.0.0.0/0)", false},
	        {"proc.name = val(k8s.ns.name)", false},
	        {"proc.name != val(k8s.ns.name)", false},
	        {"proc.name in val(k8s.ns.name)", false},
	        {"tolower(k8s.ns.name) != x", false},
	        {"len(k8s.ns.name) = 0", false},
	        {"concat(proc.name, k8s.ns.name) exists", false},
	        {"user.name = \"<NA>\"", true}, /* a text like any other */
	        {"proc.aexe = x", false},
	        {"proc.aexe != x", false},
	        {"proc.aexe exists", false},
	        {"fd.types in (file)", false},
	        {"fd.types exists", false},
	};
	CHECK_ROWS(table);
}

static void test_paths(void **state)
{
	(void)state;
	static const struct row table[] = {
	        {"fd.name pmatch (/etc)", true},
	        {"fd.name pmatch (/etc/)", true},
	        {"fd.name pmatch (/et)", false},
	        {"fd.name pmatch (/etcx, /etc/shadow)", true},
	        {"fd.name pmatch (/etc/shadow/)", true},
	        {"fd.name pmatch (/etc/shadow/x)", false},
	        {"fd.name pmatch (/)", true},
	        {"fd.name pmatch (etc)", false},
	        {"fd.name pmatch ()", false},
	        {"fd.name pmatch (//etc///shadow)", true},
	        {"fd.name pmatch (/e*)", true},
	        {"fd.name pmatch (/*/sh?dow)", true},
	        {"fd.name pmatch (/*/[a-r]*)", false},
	        {"fd.name pmatch (*)", false},
	        {"fd.name pmatch (/*/*/*)", false},
	        {"fd.filename pmatch (*)", true},
	        {"fd.name pmatch(/var, /etc)", true},
	        {"fd.name pmatch val(fd.directory)", true},
	        {"fd.directory pmatch val(fd.name)", false},
	        {"evt.arg.path pmatch (/etc/shadow)", true},
	        {"fd.name in (/etc/shadow, /etc/passwd)", true},
	        {"fd.name = /etc/shadow", true},
	};
	CHECK_ROWS(table);
}

static void test_bytes(void **state)
{
	(void)state;
	static const struct row table[] = {
	        {"evt.buffer contains ELF", true},
	        {"evt.buffer contains rest", true}, /* behind a NUL */
	        {"evt.buffer startswith ELF", false},
	        {"evt.buffer endswith rest", true},
	        {"evt.buffer bcontains 454c46", true},
	        {"evt.buffer bcontains 4C46", true},
	        {"evt.buffer bcontains 0001", true},
	        {"evt.buffer bcontains 0002", false},
	        {"evt.buffer bstartswith 7f454c46", true},
	        {"evt.buffer bstartswith 454c46", false},
	        {"evt.buffer = ELF", false},
	        {"evt.buffer != ELF", true},
	        {"evt.buffer in (a, b)", false},
	        {"evt.buffer exists", true},
	        {"len(evt.buffer) = 10", true},
	};
	CHECK_ROWS(table);
}

static void test_addresses(void **state)
{
	(void)state;
	static const struct row table[] = {
	        {"fd.sip = 192.168.1.9", true},
	        {"fd.sip = \"192.168.1.9\"", true},
	        {"fd.sip != 192.168.1.9", false},
	        {"fd.sip != ::1", true}, /* another family differs */
	        {"fd.sip = ::1", false},
	        {"fd.sip in (1.1.1.1, 192.168.1.9)", true},
	        {"fd.sip intersects (1.1.1.1)", false},
	        {"fd.rip = ::1", true},
	        {"fd.rip = 0:0:0:0:0:0:0:1", true},
	        {"fd.snet = 192.168.0.0/16", true},
	        {"fd.snet = 10.0.0.0/8", false},
	        {"fd.snet != 10.0.0.0/8", true},
	        {"fd.snet in (10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16)", true},
	        {"fd.snet in (10.0.0.0/8, 172.16.0.0/12)", false},
	        {"fd.snet in (192.168.1.9)", true},
	        {"fd.snet in (192.168.1.9/32)", true},
	        {"fd.snet in (192.168.77.1/16)", true}, /* bits behind the prefix do not count */
	        {"fd.snet in (0.0.0.0/0)", true},
	        {"fd.snet in (::/0)", false},
	        {"fd.rnet in (::/0)", true},
	        {"fd.rnet = fe80::/10", false},
	        {"fd.ip = 10.0.0.5", true},
	        {"fd.ip = 192.168.1.9", true},
	        {"fd.ip = 1.1.1.1", false},
	        {"fd.ip != 10.0.0.5", false}, /* both ends must differ */
	        {"fd.ip != 1.1.1.1", true},
	        {"fd.ip in (1.1.1.1, 10.0.0.5)", true},
	        {"fd.ip exists", true},
	        {"fd.net = 10.0.0.0/8", true},
	        {"fd.net in (1.0.0.0/8, 192.168.0.0/16)", true},
	        {"fd.net in (1.0.0.0/8, 2.0.0.0/8)", false},
	        {"fd.net != 10.0.0.0/8", false},
	        {"fd.net != 1.0.0.0/8", true},
	        {"fd.port = 443", true},
	        {"fd.port = 40000", true},
	        {"fd.port != 443", false},
	        {"fd.port != 22", true},
	        {"fd.port in (22, 443)", true},
	        {"fd.port < 1024", true},
	        {"fd.port > 50000", false},
	};
	CHECK_ROWS(table);
}

static void test_lists(void **state)
{
	(void)state;
	static const struct row table[] = {
	        {"proc.aname = sshd", true},
	        {"proc.aname = cat", false},
	        {"proc.aname != sshd", true}, /* some ancestor is another */
	        {"proc.aname in (sshd, x)", true},
	        {"proc.aname in (x, y)", false},
	        {"proc.aname contains ssh", true},
	        {"proc.aname startswith sys", true},
	        {"proc.aname exists", true},
	        {"proc.aname[2] = sshd", true},
	        {"proc.aname[3] exists", false},
	        {"proc.apid = 1", true},
	        {"proc.apid > 100", false},
	        {"proc.apid in (10)", true},
	        {"proc.pname = val(proc.aname)", true},
	        {"proc.name = val(proc.aname)", false},
	        {"proc.pname in val(proc.aname)", true},
	        {"proc.name intersects val(proc.aname)", false},
	        {"fd.names in (/etc/shadow)", false}, /* all of them must be */
	        {"fd.names in (/etc/shadow, /var/link)", true},
	        {"fd.names intersects (/etc/shadow)", true},
	        {"fd.names intersects (/etc/x)", false},
	        {"fd.names exists", true},
	        {"fd.name in val(fd.names)", true},
	};
	CHECK_ROWS(table);
}

static void test_transformers(void **state)
{
	(void)state;
	static const struct row table[] = {
	        {"toupper(proc.name) = CAT", true},
	        {"tolower(toupper(proc.name)) = cat", true},
	        {"toupper( proc.name )=CAT", true},
	        {"toupper(proc.aname) = SSHD", true},
	        {"toupper(proc.aname) in (SSHD)", true},
	        {"tolower(\"ABC\") = abc", true},
	        {"b64(container.label[b64]) = \"hello world\"", true},
	        {"b64(\"aGVsbG8gd29ybGQ\") = \"hello world\"", true}, /* without padding */
	        {"b64(\"aGVsbG8=\") = hello", true},
	        {"b64(\"aGVsbG\") = hell", true},
	        {"b64(container.label[bad]) exists", false},
	        {"b64(\"abcde\") exists", false},
	        {"b64(\"\") = ''", true},
	        {"basename(proc.exepath) = cat", true},
	        {"basename(proc.name) = cat", true},
	        {"basename(proc.cwd) = ''", true},
	        {"proc.name = basename(proc.exepath)", true},
	        {"proc.name != basename(proc.exepath)", false},
	        {"proc.name in basename(proc.exepath)", true},
	        {"len(proc.name) = 3", true},
	        {"len(proc.name) > 3", false},
	        {"len(proc.env[EMPTY]) = 0", true},
	        {"len(proc.aname) = 3", true},
	        {"len(fd.names) in (1, 2)", true},
	        {"len(fd.types) = 0", true},
	        {"len((\"a\", proc.name)) = 2", true},
	        {"proc.pid > len(proc.name)", true},
	        {"join(\",\", proc.aname) = \"bash,sshd,systemd\"", true},
	        {"join(\"\", (proc.name, \"-\", 5)) = cat-5", true},
	        {"join(\"-\", fd.types) = ''", true},
	        {"join('->', proc.apid) = '100->10->1'", true},
	        {"concat(proc.name, \":\", proc.pid) = cat:1234", true},
	        {"concat(fd.sip, \":\", fd.sport) in (\"8.8.8.8:53\", \"192.168.1.9:443\")", true},
	        {"concat(evt.is_open_read, -5, 1.5) = true-51.5", true},
	        {"toupper(concat(proc.name, \"x\")) = CATX", true},
	        {"getopt(proc.args, \"ne:vx\")[e] = /bin/sh", true},
	        {"getopt(proc.args, \"ne:vx\")[n] = ''", true},
	        {"getopt(proc.args, \"nzp\")[z] exists", false}, /* behind -- */
	        {"getopt(proc.args, \"np\")[p] exists", false},
	        {"getopt(proc.args, \"v:\")[v] = x", true},
	        {"getopt(proc.args, \"ne:\") intersects (e, q)", true},
	        {"getopt(proc.args, \"ne:\") in (e, n)", true},
	        {"getopt(proc.args, \"nev\") in (e, n)", false},
	        {"proc.name = val(proc.exe)", true},
	        {"proc.name=val( proc.exe )", true},
	        {"proc.name startswith val(proc.pname)", false},
	        {"fd.name startswith val(fd.directory)", true},
	        {"fd.lport = val(fd.sport)", true},
	        {"proc.name = val", false}, /* the text "val" */
	        {"proc.name = tolower", false},
	};
	CHECK_ROWS(table);
}

static void test_grammar(void **state)
{
	(void)state;
	static const struct row table[] = {
	        {"proc.name = x and proc.name = x or proc.name = cat", true},
	        {"proc.name = cat or proc.name = x and proc.name = x", true},
	        {"(proc.name = cat or proc.name = x) and proc.name = x", false},
	        {"not proc.name = x and proc.name = cat", true},
	        {"not (proc.name = x and proc.name = cat)", true},
	        {"not(proc.name = cat)", false},
	        {"not not proc.name = cat", true},
	        {"not not not proc.name = cat", false},
	        {"not not(proc.name = cat)", true},
	        {"not\tproc.name = x", true},
	        {"proc.name=cat and(proc.pid=1234)or(proc.pid=1)", true},
	        {"  \r\n\t proc.name\n=\ncat  \n", true},
	        {"((((proc.name=cat))))", true},
	        {"proc.name = cat\nand proc.pid = 1234", true},
	        {"fd.name = /etc/shadow", true},
	        {"proc.args[0] = -n", true},
	        {"proc.name in (a, \"b c\", 'd\"e', cat)", true},
	        {"proc.cmdline contains \"-n /etc\"", true},
	        {"concat(\"a\\tb\\n\\\\\\\"\\/\") = \"a\\tb\\n\\\\\\\"/\"", true},
	        {"concat(\"a\\ b\") = \"a\\\\ b\"", true}, /* a backslash before a blank stands for itself */
	        {"concat('it\\'s') = \"it's\"", true},
	        {"proc.name != {[$&*;:<>|~#@%^+?!-_.`]}", true}, /* bare strings take nearly all */
	        {"proc.env[PATH] startswith /bin", true},
	        {"proc.env['PATH'] startswith /bin", true},
	        {"evt.num=0", false},
	        {"proc.name = or", false},
	        {"proc.name = and or proc.name = cat", true},
	};
	CHECK_ROWS(table);
}

/* A pattern that takes exponential time elsewhere is given up, counted, and no match. */
static void test_regex_limit(void **state)
{
	(void)state;
	static char subject[20001];
	memset(subject, 'a', sizeof(subject) - 1);
	const struct table_row row = {"proc.cmdline", {.kind = VALUE_STR, .str = {subject, sizeof(subject) - 1}}};
	const struct table_source source = {.source = {table_get}, .rows = &row, .count = 1};
	static const char *const patterns[] = {"(a+)+[bc]",        "(a|aa)+[bc]",   "(a*)*[bc]",
	                                       ".*.*.*.*.*.*[bc]", "(.*a){20}[bc]", "((a{1,100}){1,100})*[bc]"};
	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
		char text[100];
		struct arena arena;
		arena_init(&arena, 64 << 20);
		snprintf(text, sizeof(text), "proc.cmdline regex \"%s\"", patterns[i]);
		struct filter *f = filter_make(text);
		assert_false(filter_match(f, &source.source, &arena));
		assert_int_equal(filter_undecided(f), 1);
		filter_free(f);
		arena_done(&arena);
	}
	assert_true(text_matches("proc.cmdline regex \"(a|b)*\"", &source.source));
	assert_true(text_matches("proc.cmdline regex \"(aa|a)+\"", &source.source));
}

/* Without memory a test is no match, and is counted. */
static void test_no_memory(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena, 16);
	struct filter *f = filter_make("toupper(proc.cmdline) exists");
	assert_false(filter_match(f, &event.source, &arena));
	assert_int_equal(filter_undecided(f), 1);
	filter_free(f);
	arena_done(&arena);
}

/* A set of many literals finds each of them and nothing else. */
static void test_large_set(void **state)
{
	(void)state;
	struct buf text;
	buf_init(&text, 1 << 20);
	buf_add_text(&text, "proc.pid in (");
	for (int i = 0; i < 5000; i++)
		buf_printf(&text, "%d, ", i * 3);
	buf_add_text(&text, "0)");
	assert_int_equal(buf_error(&text), 0);
	struct filter *f = filter_make(text.data);
	for (int pid = -3; pid < 15003; pid++) {
		const struct table_row row = {"proc.pid", V_S64(pid)};
		const struct table_source source = {.source = {table_get}, .rows = &row, .count = 1};
		bool expected = pid >= 0 && pid < 15000 && pid % 3 == 0;
		if (filter_match(f, &source.source, NULL) != expected)
			fail_msg("%d", pid);
	}
	filter_free(f);
	buf_done(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_text),         cmocka_unit_test(test_modifiers),
	        cmocka_unit_test(test_numbers),      cmocka_unit_test(test_missing),
	        cmocka_unit_test(test_paths),        cmocka_unit_test(test_bytes),
	        cmocka_unit_test(test_addresses),    cmocka_unit_test(test_lists),
	        cmocka_unit_test(test_transformers), cmocka_unit_test(test_grammar),
	        cmocka_unit_test(test_regex_limit),  cmocka_unit_test(test_no_memory),
	        cmocka_unit_test(test_large_set),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
