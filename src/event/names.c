/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of numbers, from schema/names.def.
 */
#include "event/event.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define NAMES_NEVER (~0ull)
#define NAMES_OTHER (~0ull - 1)
#define ACCESS_MODE 3ull          /* of O_* */
#define FILE_TYPE 0170000ull      /* S_IFMT */
#define MOUNT_MAGIC 0xc0ed0000ull /* in the upper half of mount's flags, from old programs */

struct name_row {
	const char *text;
	uint64_t kernel, rule;
};

/* clang-format off */
/* Each TABLE closes the one before it. */
static const struct name_row rows_none[] = {
	{NULL, 0, 0},
#define TABLE(table, kind) }; static const struct name_row rows_##table[] = {
#define NAME(table, text, kernel, rule) {text, kernel, rule},
#include "schema/names.def"
};
/* clang-format on */

enum names_kind { KIND_BITS, KIND_SAME, KIND_ENUM, KIND_WORD, KIND_OPEN, KIND_MODE, KIND_MOUNT };

static const struct name_list {
	const struct name_row *rows;
	size_t count;
	enum names_kind kind;
} lists[NAMES_COUNT + 1] = {
#define TABLE(table, kind) [NAMES_##table] = {rows_##table, ARRAY_SIZE(rows_##table), KIND_##kind},
#define NAME(table, text, kernel, rule)
#include "schema/names.def"
        [NAMES_COUNT] = {rows_none, 0, KIND_BITS},
};

static const struct name_list *find_list(enum name_table table)
{
	return &lists[(unsigned)table < NAMES_COUNT ? table : NAMES_COUNT];
}

static uint64_t enum_to_rule(const struct name_list *list, uint64_t value)
{
	uint64_t other = value;

	for (size_t i = 0; i < list->count; i++) {
		if (list->rows[i].kernel == value)
			return list->rows[i].rule;
		if (list->rows[i].kernel == NAMES_OTHER)
			other = list->rows[i].rule;
	}
	return other;
}

/* Whether a row's bits, all of them, are in the value. Rows of 0 stand for no bits, which no row has to add. */
static bool row_in_value(const struct name_row *row, uint64_t value)
{
	return row->kernel != NAMES_NEVER && row->kernel != 0 && (value & row->kernel) == row->kernel;
}

static uint64_t bits_to_rule(const struct name_list *list, uint64_t value)
{
	uint64_t rule = 0;

	for (size_t i = 0; i < list->count; i++)
		if (row_in_value(&list->rows[i], value))
			rule |= list->rows[i].rule;
	return rule;
}

/* Reading is the lowest bit of the language's number, writing the next. The kernel's 3 asks for both rights. */
static uint64_t open_to_rule(const struct name_list *list, uint64_t value)
{
	static const uint64_t access[] = {1, 2, 3, 3};

	return bits_to_rule(list, value & ~ACCESS_MODE) | access[value & ACCESS_MODE];
}

uint64_t names_to_rule(enum name_table table, uint64_t kernel_value)
{
	const struct name_list *list = find_list(table);
	uint64_t value = (uint32_t)kernel_value;

	switch (list->kind) {
	case KIND_WORD:
		return enum_to_rule(list, kernel_value);
	case KIND_ENUM:
		return enum_to_rule(list, value);
	case KIND_OPEN:
		return open_to_rule(list, kernel_value);
	case KIND_BITS:
		return bits_to_rule(list, kernel_value);
	case KIND_MOUNT:
		return (value & 0xffff0000) == MOUNT_MAGIC ? value & ~MOUNT_MAGIC : value;
	case KIND_SAME:
	case KIND_MODE:
		return value;
	}
	return value;
}

static void add_name(const char *text, bool *first, struct buf *out)
{
	if (!*first)
		buf_add_char(out, '|');
	buf_add_text(out, text);
	*first = false;
}

void names_add_flags(enum name_table table, uint64_t kernel_value, struct buf *out)
{
	const struct name_list *list = find_list(table);
	uint64_t whole = names_to_rule(table, kernel_value);
	uint64_t rest = whole;
	bool first = true;

	for (size_t i = 0; i < list->count; i++) {
		uint64_t bits = list->rows[i].rule;
		bool is_file_type = list->kind == KIND_MODE && bits & FILE_TYPE;

		if (is_file_type ? (whole & FILE_TYPE) != bits : bits == 0 ? whole != 0 : (rest & bits) != bits)
			continue;
		add_name(list->rows[i].text, &first, out);
		if (!is_file_type)
			rest &= ~bits;
	}
}

void names_add_enum(enum name_table table, uint64_t kernel_value, struct buf *out)
{
	const struct name_list *list = find_list(table);
	uint64_t value = names_to_rule(table, kernel_value);
	bool first = true;

	for (size_t i = 0; i < list->count; i++)
		if (list->rows[i].rule == value)
			add_name(list->rows[i].text, &first, out);
}

const char *errno_name(int error)
{
	switch (error) {
	case 512: /* the kernel's own, seen where a call was interrupted to be restarted */
		return "ERESTARTSYS";
	case 513:
		return "ERESTARTNOINTR";
	case 514:
		return "ERESTARTNOHAND";
	case 516:
		return "ERESTART_RESTARTBLOCK";
	case 524:
		return "ENOTSUPP";
	default:
		return error > 0 ? strerrorname_np(error) : NULL;
	}
}

const char *signal_name(int signal)
{
	static const char *const names[] = {
	        NULL,        "SIGHUP",  "SIGINT",    "SIGQUIT", "SIGILL",   "SIGTRAP", "SIGABRT", "SIGBUS",
	        "SIGFPE",    "SIGKILL", "SIGUSR1",   "SIGSEGV", "SIGUSR2",  "SIGPIPE", "SIGALRM", "SIGTERM",
	        "SIGSTKFLT", "SIGCHLD", "SIGCONT",   "SIGSTOP", "SIGTSTP",  "SIGTTIN", "SIGTTOU", "SIGURG",
	        "SIGXCPU",   "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO",   "SIGPWR",  "SIGSYS",
	};

	return signal > 0 && (size_t)signal < ARRAY_SIZE(names) ? names[signal] : NULL;
}

static void add_ip_port(const struct ip *ip, in_port_t port, struct buf *out)
{
	ip_add_text(ip, out);
	buf_printf(out, ":%u", (unsigned)ntohs(port));
}

static bool add_inet(struct str sockaddr, struct buf *out)
{
	struct ip ip = {.family = 4, .prefix = 32};
	struct sockaddr_in in;

	if (sockaddr.length < offsetof(struct sockaddr_in, sin_zero))
		return false;
	memcpy(&in, sockaddr.data, offsetof(struct sockaddr_in, sin_zero));
	memcpy(ip.bytes, &in.sin_addr, 4);
	add_ip_port(&ip, in.sin_port, out);
	return true;
}

/* An IPv4 address that an IPv6 socket uses is shown as what goes over the wire. */
static bool add_inet6(struct str sockaddr, struct buf *out)
{
	struct ip ip = {.family = 6, .prefix = 128};
	struct sockaddr_in6 in6;

	if (sockaddr.length < offsetof(struct sockaddr_in6, sin6_scope_id))
		return false;
	memcpy(&in6, sockaddr.data, offsetof(struct sockaddr_in6, sin6_scope_id));
	memcpy(ip.bytes, &in6.sin6_addr, 16);
	if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
		ip = (struct ip){.family = 4, .prefix = 32};
		memcpy(ip.bytes, in6.sin6_addr.s6_addr + 12, 4);
	}
	add_ip_port(&ip, in6.sin6_port, out);
	return true;
}

/* A path ends at its NUL; an abstract name has its NUL in front and none at its end. */
static void add_unix(struct str sockaddr, struct buf *out)
{
	struct str path = str_make(sockaddr.data + sizeof(sa_family_t), sockaddr.length - sizeof(sa_family_t));
	ssize_t end;

	if (path.length > sizeof(((struct sockaddr_un *)NULL)->sun_path))
		path.length = sizeof(((struct sockaddr_un *)NULL)->sun_path);
	if (path.length > 0 && path.data[0] == '\0') {
		buf_add(out, path.data + 1, path.length - 1);
		return;
	}
	end = str_find_char(path, '\0');
	buf_add(out, path.data, end < 0 ? path.length : (size_t)end);
}

void event_add_sockaddr(struct str sockaddr, struct buf *out)
{
	sa_family_t family;

	if (sockaddr.length < sizeof(family))
		return;
	memcpy(&family, sockaddr.data, sizeof(family));
	if ((family == AF_INET && add_inet(sockaddr, out)) || (family == AF_INET6 && add_inet6(sockaddr, out)))
		return;
	if (family == AF_UNIX)
		add_unix(sockaddr, out);
	else
		buf_printf(out, "family %u", (unsigned)family);
}
