/* SPDX-License-Identifier: Apache-2.0
 *
 * Tests of conditions as guards make them: numbers in sets, texts in tries, addresses in networks.
 */
#include "guard/table_int.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#define NAMES_BYTES_MAX 4096
#define COMMANDS_MAX 256

/* What a field is to a guard at a point. The first row that fits. */
static const struct subject_row {
	enum field_id field;
	enum policy_point point; /* POINT_COUNT: any */
	uint32_t subject;
	bool address;
	const char *arg; /* of evt.arg.X */
} subjects[] = {
        {FIELD_PROC_NAME, POINT_COUNT, GUARD_NAME, false, NULL},
        {FIELD_PROC_PNAME, POINT_COUNT, GUARD_PARENT_NAME, false, NULL},
        {FIELD_PROC_EXEPATH, POINT_EXEC, GUARD_EXEPATH, false, NULL},
        {FIELD_PROC_PID, POINT_COUNT, GUARD_PID, false, NULL},
        {FIELD_PROC_PPID, POINT_COUNT, GUARD_PARENT_PID, false, NULL},
        {FIELD_USER_UID, POINT_COUNT, GUARD_UID, false, NULL},
        {FIELD_USER_RUID, POINT_COUNT, GUARD_REAL_UID, false, NULL},
        {FIELD_USER_LOGINUID, POINT_COUNT, GUARD_LOGIN_UID, false, NULL},
        {FIELD_GROUP_GID, POINT_COUNT, GUARD_GID, false, NULL},
        /* sockets */
        {FIELD_EVT_ADDR_PORT, POINT_COUNT, GUARD_PORT, false, NULL},
        {FIELD_FD_RPORT, POINT_COUNT, GUARD_PORT, false, NULL},
        {FIELD_FD_SPORT, POINT_CONNECT, GUARD_PORT, false, NULL},
        {FIELD_FD_LPORT, POINT_BIND, GUARD_PORT, false, NULL},
        {FIELD_EVT_ADDR_FAMILY, POINT_COUNT, GUARD_FAMILY, false, NULL},
        {FIELD_FD_TYPECHAR, POINT_CONNECT, GUARD_FAMILY, false, NULL},
        {FIELD_FD_TYPECHAR, POINT_BIND, GUARD_FAMILY, false, NULL},
        {FIELD_FD_TYPECHAR, POINT_SENDMSG, GUARD_FAMILY, false, NULL},
        {FIELD_FD_L4PROTO, POINT_COUNT, GUARD_PROTOCOL, false, NULL},
        {FIELD_EVT_ADDR_IP, POINT_COUNT, GUARD_PORT, true, NULL},
        {FIELD_EVT_ADDR_NET, POINT_COUNT, GUARD_PORT, true, NULL},
        {FIELD_FD_RIP, POINT_COUNT, GUARD_PORT, true, NULL},
        {FIELD_FD_RNET, POINT_COUNT, GUARD_PORT, true, NULL},
        {FIELD_FD_SIP, POINT_CONNECT, GUARD_PORT, true, NULL},
        {FIELD_FD_SNET, POINT_CONNECT, GUARD_PORT, true, NULL},
        {FIELD_FD_LIP, POINT_BIND, GUARD_PORT, true, NULL},
        {FIELD_FD_LNET, POINT_BIND, GUARD_PORT, true, NULL},
        /* files */
        {FIELD_FD_NAME, POINT_COUNT, GUARD_PATH, false, NULL},
        {FIELD_FD_REALPATH, POINT_COUNT, GUARD_PATH, false, NULL},
        {FIELD_FS_PATH_NAME, POINT_COUNT, GUARD_PATH, false, NULL},
        {FIELD_FS_PATH_TARGET, POINT_COUNT, GUARD_PATH, false, NULL},
        {FIELD_FS_PATH_SOURCE, POINT_FILE_RENAME, GUARD_SOURCE, false, NULL},
        {FIELD_FD_FILENAME, POINT_COUNT, GUARD_FILE_NAME, false, NULL},
        {FIELD_FD_DIRECTORY, POINT_COUNT, GUARD_DIRECTORY, false, NULL},
        {FIELD_FD_TYPECHAR, POINT_COUNT, GUARD_FILE_KIND, false, NULL},
        {FIELD_FD_INO, POINT_COUNT, GUARD_INODE, false, NULL},
        {FIELD_FD_FILEUID, POINT_COUNT, GUARD_OWNER, false, NULL},
        {FIELD_FD_NLINK, POINT_COUNT, GUARD_LINKS, false, NULL},
        {FIELD_FD_IS_DEVICE, POINT_COUNT, GUARD_IS_DEVICE, false, NULL},
        {FIELD_EVT_IS_OPEN_READ, POINT_COUNT, GUARD_READS, false, NULL},
        {FIELD_EVT_IS_OPEN_WRITE, POINT_COUNT, GUARD_WRITES, false, NULL},
        /* arguments */
        {FIELD_EVT_ARG, POINT_BPF_LOAD, GUARD_ARGUMENT, false, "cmd"},
        {FIELD_EVT_ARG, POINT_MOUNT, GUARD_ARGUMENT, false, "flags"},
        {FIELD_EVT_ARG, POINT_MOUNT, GUARD_FS_TYPE, false, "type"},
        {FIELD_EVT_ARG, POINT_SETNS, GUARD_ARGUMENT, false, "nstype"},
};

static const struct subject_row *find_subject(enum policy_point point, const struct field_ref *field)
{
	for (size_t i = 0; i < ARRAY_SIZE(subjects); i++)
		if (subjects[i].field == field->id &&
		    (subjects[i].point == POINT_COUNT || subjects[i].point == point) &&
		    (!subjects[i].arg || str_equals(field->key, subjects[i].arg)))
			return &subjects[i];
	return NULL;
}

/* Words that stand for numbers. */
static bool number_of(uint32_t subject, struct str text, int64_t *ret_number)
{
	static const struct {
		uint32_t subject;
		const char *text;
		int64_t number;
	} words[] = {{GUARD_FAMILY, "ipv4", AF_INET},
	             {GUARD_FAMILY, "4", AF_INET},
	             {GUARD_FAMILY, "ipv6", AF_INET6},
	             {GUARD_FAMILY, "6", AF_INET6},
	             {GUARD_PROTOCOL, "tcp", IPPROTO_TCP},
	             {GUARD_PROTOCOL, "udp", IPPROTO_UDP},
	             {GUARD_PROTOCOL, "icmp", IPPROTO_ICMP},
	             {GUARD_FILE_KIND, "f", 'f'},
	             {GUARD_FILE_KIND, "d", 'd'},
	             {GUARD_READS, "true", 1},
	             {GUARD_READS, "false", 0},
	             {GUARD_WRITES, "true", 1},
	             {GUARD_WRITES, "false", 0},
	             {GUARD_IS_DEVICE, "true", 1},
	             {GUARD_IS_DEVICE, "false", 0}};
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (words[i].subject == subject && str_equals(text, words[i].text)) {
			*ret_number = words[i].number;
			return true;
		}
	}
	return false;
}

/* ---- sets ---- */

static bool add_number(struct table_maker *m, uint32_t test, int64_t number)
{
	struct guard_image *i = &m->table->image;
	if (i->number_count == GUARD_NUMBERS_MAX) {
		table_error(m, "the policies compare with more than %d numbers", GUARD_NUMBERS_MAX);
		return false;
	}
	m->table->numbers[i->number_count++] = (struct guard_number_key){.test = test, .number = number};
	return true;
}

/* whole: with its NUL. */
static bool add_text(struct table_maker *m, uint32_t test, struct str text, bool whole, bool reversed)
{
	struct guard_image *i = &m->table->image;
	if (i->text_count == GUARD_TEXTS_MAX || text.length >= GUARD_TEXT_MAX - 1) {
		table_error(m, "a guard compares with at most %d texts of %d bytes", GUARD_TEXTS_MAX,
		            GUARD_TEXT_MAX - 2);
		return false;
	}
	struct guard_text_key *k = &m->table->texts[i->text_count++];
	*k = (struct guard_text_key){.test = test, .bits = (uint32_t)(8 * (sizeof(k->test) + text.length + whole))};
	for (size_t n = 0; n < text.length; n++)
		k->text[n] = text.data[reversed ? text.length - 1 - n : n];
	return true;
}

/* An address or a network; IPv4 as IPv6. */
static bool add_net(struct table_maker *m, uint32_t test, struct str text)
{
	struct guard_image *i = &m->table->image;
	struct guard_net_key k = {.test = test};
	struct str rest = text, address;
	char terminated[INET6_ADDRSTRLEN];
	uint64_t length = 128;
	str_next(&rest, '/', &address);
	snprintf(terminated, sizeof(terminated), STR_FMT, STR_ARG(address));
	bool v4 = inet_pton(AF_INET, terminated, &k.address[12]) == 1;
	if (v4)
		k.address[10] = k.address[11] = 0xff;
	else if (inet_pton(AF_INET6, terminated, k.address) != 1)
		length = 0;
	if (length && rest.data)
		length = str_to_u64(rest, &length) == 0 ? length + (v4 ? 96 : 0) : 0;
	if (!length || length > 128 || i->net_count == GUARD_NETS_MAX) {
		table_error(m, "a guard compares with at most %d addresses and networks: " STR_FMT, GUARD_NETS_MAX,
		            STR_ARG(text));
		return false;
	}
	k.bits = (uint32_t)(8 * sizeof(k.test) + length);
	m->table->nets[i->net_count++] = k;
	return true;
}

/* ---- operators ---- */

static bool op_is(const struct filter_test *t, const char *op)
{
	return strcmp(t->op, op) == 0;
}

/* =, in, and != as their opposite. */
static bool is_membership(const struct filter_test *t)
{
	return op_is(t, "=") || op_is(t, "in") || op_is(t, "!=");
}

static bool make_address(struct table_maker *m, const struct filter_test *t, uint32_t index, struct guard_test *test)
{
	bool good = true;
	test->how = GUARD_ADDRESS;
	for (size_t i = 0; i < t->literal_count; i++)
		good = add_net(m, index, t->literals[i]) && good;
	return good;
}

static bool make_text(struct table_maker *m, const struct filter_test *t, uint32_t index, struct guard_test *test)
{
	bool ends = op_is(t, "endswith"), whole = is_membership(t) || op_is(t, "pmatch"), good = true;
	test->how = ends ? GUARD_ENDS : GUARD_BEGINS;
	for (size_t i = 0; i < t->literal_count && good; i++) {
		struct str text = t->literals[i];
		good = add_text(m, index, text, whole, ends);
		if (good && op_is(t, "pmatch")) {
			struct str below = arena_printf(&m->scratch, STR_FMT "/", STR_ARG(text));
			good = below.data && add_text(m, index, below, false, false);
		}
	}
	return good;
}

static bool tell_number(struct table_maker *m, const struct filter_test *t)
{
	table_error(m, "a guard cannot compare with this number: %.200s", t->text);
	return false;
}

static bool make_number(struct table_maker *m, const struct filter_test *t, uint32_t index, struct guard_test *test)
{
	test->how = GUARD_IN;
	for (size_t i = 0; i < t->literal_count; i++) {
		int64_t number;
		bool less = op_is(t, "<") || op_is(t, "<="), more = op_is(t, ">") || op_is(t, ">=");
		if (!number_of(test->subject, t->literals[i], &number) && str_to_s64(t->literals[i], &number) < 0)
			return tell_number(m, t);
		if (less || more) {
			test->how = less ? GUARD_LESS : GUARD_MORE;
			test->number = number + op_is(t, "<=") - op_is(t, ">=");
		} else if (!add_number(m, index, number)) {
			return false;
		}
	}
	return true;
}

/* ---- numbers that have names: of commands, which are few, all are asked; flags are put together ---- */

static bool flags_of(int table, struct str text, uint64_t *ret_flags)
{
	_cleanup_(buf_done) struct buf name = {0};
	struct str rest = text;
	uint64_t flags = 0;
	buf_init(&name, NAMES_BYTES_MAX);
	for (struct str piece; str_next(&rest, '|', &piece);) {
		unsigned bit = 0;
		for (; bit < 32; bit++) {
			buf_clear(&name);
			names_add_flags((enum name_table)table, 1ull << bit, &name);
			if (str_equals(piece, name.data ? name.data : ""))
				break;
		}
		if (bit == 32)
			return false;
		flags |= 1ull << bit;
	}
	*ret_flags = flags;
	return true;
}

static bool name_fits(const struct filter_test *t, struct str name)
{
	for (size_t i = 0; i < t->literal_count; i++)
		if (op_is(t, "startswith") ? str_starts_with(name, t->literals[i])
		    : op_is(t, "endswith") ? str_ends_with(name, t->literals[i])
		                           : str_equal(name, t->literals[i]))
			return true;
	return false;
}

static bool make_command(struct table_maker *m, const struct filter_test *t, int table, uint32_t index)
{
	_cleanup_(buf_done) struct buf name = {0};
	bool good = true;
	buf_init(&name, NAMES_BYTES_MAX);
	for (uint64_t number = 0; number < COMMANDS_MAX && good; number++) {
		buf_clear(&name);
		names_add_enum((enum name_table)table, number, &name);
		good = !name_fits(t, buf_str(&name)) || add_number(m, index, (int64_t)number);
	}
	return good;
}

static bool make_argument(struct table_maker *m, const struct filter_test *t, enum policy_point point, uint32_t index,
                          struct guard_test *test)
{
	const struct arg_info *arg = NULL;
	for (unsigned type = 1; type < EVENT_TYPE_MAX && !arg; type++)
		if (event_type_info(type)->name && policy_point_has_event(point, type))
			arg = event_find_arg(event_type_info(type), t->fields[0].key);
	test->how = GUARD_IN;
	if (arg && arg->type == ARG_ENUM)
		return make_command(m, t, arg->table, index);
	for (size_t i = 0; i < t->literal_count; i++) {
		uint64_t flags;
		if (!arg || !is_membership(t) || !flags_of(arg->table, t->literals[i], &flags))
			return tell_number(m, t);
		if (!add_number(m, index, (int64_t)flags))
			return false;
	}
	return true;
}

/* ---- what has the same value whatever happens ---- */

static bool fixed_holds(const struct filter_test *t, const char *value)
{
	int64_t have = 0, with;
	bool number = t->type == FIELD_S64 || t->type == FIELD_U64, found = false;
	for (size_t i = 0; i < t->literal_count; i++)
		found = found || str_equals(t->literals[i], value);
	if (!number || is_membership(t))
		return found != op_is(t, "!=");
	if (str_to_s64(str_from(value), &have) < 0 || str_to_s64(t->literals[0], &with) < 0)
		return false;
	return op_is(t, "<") ? have < with : op_is(t, "<=") ? have <= with : op_is(t, ">") ? have > with : have >= with;
}

/* ---- tests ---- */

/* ---- what picket decides before, and keeps with the process ---- */

static bool is_bit(const struct table_maker *m, enum policy_point point, const struct filter_test *t)
{
	const struct policy_decision *d = &m->policy->decisions[point];
	for (size_t i = 0; i < d->count; i++)
		if (strcmp(d->tests[i].text, t->text) == 0)
			return d->tests[i].how == HOW_BIT;
	return false;
}

/* Those that are the same share it. */
static bool find_bit(struct table_maker *m, const struct cond_test *origin, __s64 *ret_bit)
{
	struct guard_table *t = m->table;
	size_t bit = 0;
	while (bit < t->bit_count && t->bits[bit] != origin)
		bit++;
	if (bit == GUARD_BITS) {
		table_error(m, "the policies ask for more than %d things of a process", GUARD_BITS);
		return false;
	}
	if (bit == t->bit_count)
		t->bits[t->bit_count++] = origin;
	*ret_bit = (__s64)bit;
	return true;
}

static bool make_bit(struct table_maker *m, const struct filter_test *t, struct guard_test *test)
{
	for (size_t i = 0; i < t->field_count; i++)
		if (!field_is_kept(t->fields[i].id)) {
			table_error(m,
			            "%s can change unseen by a guard, so that picket cannot decide this before: %.200s",
			            field_get_info(t->fields[i].id)->name, t->text);
			return false;
		}
	if (!m->options->judged) {
		table_error(m, "this is decided when a process starts, for which picket must run: %.200s", t->text);
		return false;
	}
	test->how = GUARD_BIT;
	m->table->image.bits = true;
	return find_bit(m, t->origin, &test->number);
}

static bool make_test(struct table_maker *m, enum policy_point point, const struct filter_test *from, uint32_t index,
                      struct guard_test *test)
{
	const char *value = NULL;
	const struct subject_row *row = from->field_count == 1 ? find_subject(point, &from->fields[0]) : NULL;
	if (from->field_count == 1 && point_field(point, &from->fields[0], &value) == FIELD_FIXED) {
		test->how = fixed_holds(from, value) ? GUARD_TRUE : GUARD_FALSE;
		return true;
	}
	if (is_bit(m, point, from))
		return make_bit(m, from, test);
	if (!row || !from->op) {
		table_error(m, "at %s no guard of this build can decide: %.200s", policy_point_name(point), from->text);
		return false;
	}
	test->subject = (uint16_t)row->subject;
	if (row->address)
		return make_address(m, from, index, test);
	if (row->subject == GUARD_ARGUMENT)
		return make_argument(m, from, point, index, test);
	return row->subject < GUARD_TEXT_SUBJECTS ? make_text(m, from, index, test) : make_number(m, from, index, test);
}

/* NULL: told. */
static struct guard_test *take_test(struct table_maker *m, uint32_t *ret_index)
{
	struct guard_image *i = &m->table->image;
	if (i->test_count == GUARD_TESTS_MAX) {
		table_error(m, "the policies make more than %d tests", GUARD_TESTS_MAX);
		return NULL;
	}
	*ret_index = (uint32_t)i->test_count++;
	return &m->table->tests[*ret_index];
}

/* One number alone needs no set. */
static void settle(struct table_maker *m, struct guard_test *test, size_t numbers_before)
{
	struct guard_image *i = &m->table->image;
	if (test->how != GUARD_IN || i->number_count != numbers_before + 1)
		return;
	test->how = GUARD_IS;
	test->number = m->table->numbers[--i->number_count].number;
}

bool table_test(struct table_maker *m, enum policy_point point, const struct filter_test *from, uint32_t *ret_test,
                bool *ret_negated)
{
	uint32_t index = 0;
	size_t numbers = m->table->image.number_count;
	struct guard_test *test = take_test(m, &index);
	if (!test || !make_test(m, point, from, index, test))
		return false;
	settle(m, test, numbers);
	*ret_test = index;
	bool decided = test->how == GUARD_TRUE || test->how == GUARD_FALSE || test->how == GUARD_BIT;
	*ret_negated = from->op && op_is(from, "!=") && !decided;
	return true;
}

/* ---- devices ---- */

static enum guard_subject device_subject(const struct policy_device *d)
{
	return d->minor != UINT32_MAX ? GUARD_DEVICE : d->major != UINT32_MAX ? GUARD_DEVICE_MAJOR : GUARD_DEVICE_KIND;
}

static bool add_device(struct table_maker *m, uint32_t index, const struct policy_device *d)
{
	uint32_t major = d->major == UINT32_MAX ? 0 : d->major, minor = d->minor == UINT32_MAX ? 0 : d->minor;
	if (d->major == UINT32_MAX && d->minor != UINT32_MAX) {
		table_error(m, "a guard does not tell devices by their minor number alone");
		return false;
	}
	return (d->kind == 'c' || add_number(m, index, GUARD_DEVICE_NUMBER('b', major, minor))) &&
	       (d->kind == 'b' || add_number(m, index, GUARD_DEVICE_NUMBER('c', major, minor)));
}

bool table_devices(struct table_maker *m, enum guard_subject subject, uint32_t *ret_test, bool *ret_any)
{
	const struct policy *p = m->policy;
	size_t numbers = m->table->image.number_count;
	struct guard_test *test = NULL;
	bool good = true;
	for (size_t i = 0; i < p->device_count && good; i++) {
		if (device_subject(&p->devices[i]) != subject)
			continue;
		if (!test && !(test = take_test(m, ret_test)))
			return false;
		*test = (struct guard_test){.how = GUARD_IN, .subject = (uint16_t)subject};
		good = add_device(m, *ret_test, &p->devices[i]);
	}
	if (test && good)
		settle(m, test, numbers);
	*ret_any = test != NULL;
	return good;
}
