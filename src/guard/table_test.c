/* SPDX-License-Identifier: Apache-2.0
 *
 * Tests of conditions as guards make them: numbers in sets, texts in tries, addresses in networks.
 */
#include "guard/table_int.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#define NOBODY UINT32_MAX

/* What a field is to a guard at a point. */
static const struct subject_row {
	enum field_id field;
	enum policy_point point; /* POINT_COUNT: any */
	uint32_t subject;
	bool address;
} subjects[] = {
        {FIELD_PROC_NAME, POINT_COUNT, GUARD_NAME, false},
        {FIELD_PROC_PNAME, POINT_COUNT, GUARD_PARENT_NAME, false},
        {FIELD_PROC_EXEPATH, POINT_EXEC, GUARD_EXEPATH, false},
        {FIELD_PROC_PID, POINT_COUNT, GUARD_PID, false},
        {FIELD_PROC_PPID, POINT_COUNT, GUARD_PARENT_PID, false},
        {FIELD_USER_UID, POINT_COUNT, GUARD_UID, false},
        {FIELD_USER_RUID, POINT_COUNT, GUARD_REAL_UID, false},
        {FIELD_USER_LOGINUID, POINT_COUNT, GUARD_LOGIN_UID, false},
        {FIELD_GROUP_GID, POINT_COUNT, GUARD_GID, false},
        {FIELD_EVT_ADDR_PORT, POINT_COUNT, GUARD_PORT, false},
        {FIELD_FD_RPORT, POINT_COUNT, GUARD_PORT, false},
        {FIELD_FD_SPORT, POINT_CONNECT, GUARD_PORT, false},
        {FIELD_FD_LPORT, POINT_BIND, GUARD_PORT, false},
        {FIELD_EVT_ADDR_FAMILY, POINT_COUNT, GUARD_FAMILY, false},
        {FIELD_FD_TYPECHAR, POINT_COUNT, GUARD_FAMILY, false},
        {FIELD_FD_L4PROTO, POINT_COUNT, GUARD_PROTOCOL, false},
        {FIELD_EVT_ADDR_IP, POINT_COUNT, GUARD_PORT, true},
        {FIELD_EVT_ADDR_NET, POINT_COUNT, GUARD_PORT, true},
        {FIELD_FD_RIP, POINT_COUNT, GUARD_PORT, true},
        {FIELD_FD_RNET, POINT_COUNT, GUARD_PORT, true},
        {FIELD_FD_SIP, POINT_CONNECT, GUARD_PORT, true},
        {FIELD_FD_SNET, POINT_CONNECT, GUARD_PORT, true},
        {FIELD_FD_LIP, POINT_BIND, GUARD_PORT, true},
        {FIELD_FD_LNET, POINT_BIND, GUARD_PORT, true},
};

static const struct subject_row *find_subject(enum policy_point point, enum field_id field)
{
	for (size_t i = 0; i < ARRAY_SIZE(subjects); i++)
		if (subjects[i].field == field && (subjects[i].point == POINT_COUNT || subjects[i].point == point))
			return &subjects[i];
	return NULL;
}

/* Words that stand for numbers. */
static bool number_of(struct str text, int64_t *ret_number)
{
	static const struct {
		const char *text;
		int64_t number;
	} words[] = {{"ipv4", AF_INET},    {"4", AF_INET},       {"ipv6", AF_INET6},    {"6", AF_INET6},
	             {"tcp", IPPROTO_TCP}, {"udp", IPPROTO_UDP}, {"icmp", IPPROTO_ICMP}};
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (str_equals(text, words[i].text)) {
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

static bool make_number(struct table_maker *m, const struct filter_test *t, uint32_t index, struct guard_test *test)
{
	test->how = GUARD_IN;
	for (size_t i = 0; i < t->literal_count; i++) {
		int64_t number;
		if (!(t->type == FIELD_STR && number_of(t->literals[i], &number)) &&
		    str_to_s64(t->literals[i], &number) < 0) {
			table_error(m, "a guard cannot compare with this number: %.200s", t->text);
			return false;
		}
		bool less = op_is(t, "<") || op_is(t, "<="), more = op_is(t, ">") || op_is(t, ">=");
		if (less || more) {
			test->how = less ? GUARD_LESS : GUARD_MORE;
			test->number = number + op_is(t, "<=") - op_is(t, ">=");
		} else if (!add_number(m, index, number)) {
			return false;
		}
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

static bool make_test(struct table_maker *m, enum policy_point point, const struct filter_test *from, uint32_t index,
                      struct guard_test *test)
{
	const char *value = NULL;
	const struct subject_row *row = from->field_count == 1 ? find_subject(point, from->fields[0].id) : NULL;
	if (from->field_count == 1 && point_field(point, &from->fields[0], &value) == FIELD_FIXED) {
		test->how = fixed_holds(from, value) ? GUARD_TRUE : GUARD_FALSE;
		return true;
	}
	if (!row || !from->op) {
		table_error(m, "at %s no guard of this build can decide: %.200s", policy_point_name(point), from->text);
		return false;
	}
	test->subject = (uint16_t)row->subject;
	if (row->address)
		return make_address(m, from, index, test);
	return row->subject < GUARD_TEXT_SUBJECTS ? make_text(m, from, index, test) : make_number(m, from, index, test);
}

bool table_test(struct table_maker *m, enum policy_point point, const struct filter_test *from, uint32_t *ret_test,
                bool *ret_negated)
{
	struct guard_image *i = &m->table->image;
	uint32_t index = (uint32_t)i->test_count;
	if (index == GUARD_TESTS_MAX) {
		table_error(m, "the policies make more than %d tests", GUARD_TESTS_MAX);
		return false;
	}
	i->test_count++;
	struct guard_test *test = &m->table->tests[index];
	if (!make_test(m, point, from, index, test))
		return false;
	*ret_test = index;
	*ret_negated = from->op && op_is(from, "!=") && test->how != GUARD_TRUE && test->how != GUARD_FALSE;
	return true;
}
