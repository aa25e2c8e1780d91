/* SPDX-License-Identifier: Apache-2.0 */
#include "enrich/host.h"

#include "base/clock.h"
#include "enrich/record.h"
#include "enrich/rootfs.h"

#include <errno.h>
#include <ifaddrs.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

#define ADDRESSES_MAX 1024
#define CLOCK_STEP_NS (50 * NS_PER_MS) /* less is not a clock that was set, but one that is being slewed */

/* Inode numbers of initial namespaces that are the same in every kernel; mnt and net are not among them. */
void host_init(struct host *h)
{
	*h = (struct host){.ns = {.pid = 0xEFFFFFFC,
	                          .user = 0xEFFFFFFD,
	                          .uts = 0xEFFFFFFE,
	                          .ipc = 0xEFFFFFFF,
	                          .cgroup = 0xEFFFFFFB}};
}

void host_done(struct host *h)
{
	free(h->name);
	free(h->addresses);
	h->name = NULL;
	h->addresses = NULL;
	h->address_count = 0;
}

/* ---- this machine ---- */

/* Seen from inside a container our own name is another: then the host's file says it. */
static char *read_name(int root_fd)
{
	_cleanup_(buf_done) struct buf text;
	struct stat ours, host;
	char name[HOST_NAME_MAX + 1] = "";
	buf_init(&text, HOST_NAME_MAX);
	bool elsewhere = stat("/", &ours) == 0 && fstat(root_fd, &host) == 0 &&
	                 (ours.st_dev != host.st_dev || ours.st_ino != host.st_ino);
	if (elsewhere && rootfs_read(root_fd, "etc/hostname", ROOTFS_HOST, &text, NULL) == 0) {
		struct str line = str_trim(buf_str(&text));
		if (line.length)
			return strndup(line.data, line.length);
	}
	if (gethostname(name, sizeof(name) - 1) < 0)
		name[0] = '\0';
	return strdup(name);
}

static uint8_t prefix_length(const void *mask, size_t bytes)
{
	const uint8_t *m = mask;
	uint8_t bits = 0;
	for (size_t i = 0; i < bytes; i++)
		bits += (uint8_t)__builtin_popcount(m[i]);
	return bits;
}

static bool to_ip(const struct ifaddrs *i, struct ip *ret_ip)
{
	*ret_ip = (struct ip){0};
	if (!i->ifa_addr)
		return false;
	if (i->ifa_addr->sa_family == AF_INET) {
		const struct sockaddr_in *a = (const void *)i->ifa_addr, *m = (const void *)i->ifa_netmask;
		ret_ip->family = 4;
		ret_ip->prefix = m ? prefix_length(&m->sin_addr, 4) : 32;
		memcpy(ret_ip->bytes, &a->sin_addr, 4);
		return ret_ip->bytes[0] != 127;
	}
	if (i->ifa_addr->sa_family == AF_INET6) {
		const struct sockaddr_in6 *a = (const void *)i->ifa_addr, *m = (const void *)i->ifa_netmask;
		ret_ip->family = 6;
		ret_ip->prefix = m ? prefix_length(&m->sin6_addr, 16) : 128;
		memcpy(ret_ip->bytes, &a->sin6_addr, 16);
		return !IN6_IS_ADDR_LOOPBACK(&a->sin6_addr);
	}
	return false;
}

static struct ip *read_addresses(size_t *ret_count)
{
	struct ifaddrs *list = NULL;
	struct ip *ips = calloc(ADDRESSES_MAX, sizeof(*ips));
	*ret_count = 0;
	if (!ips || getifaddrs(&list) < 0)
		return ips;
	for (const struct ifaddrs *i = list; i && *ret_count < ADDRESSES_MAX; i = i->ifa_next)
		*ret_count += to_ip(i, &ips[*ret_count]);
	freeifaddrs(list);
	return ips;
}

static uint32_t namespace_inode(int root_fd, const char *path)
{
	struct stat st;
	return fstatat(root_fd, path, &st, 0) == 0 ? (uint32_t)st.st_ino : 0;
}

static void read_namespaces(struct host *h, int root_fd)
{
	struct namespaces ns = {
	        .mnt = namespace_inode(root_fd, "proc/1/ns/mnt"),
	        .pid = namespace_inode(root_fd, "proc/1/ns/pid"),
	        .net = namespace_inode(root_fd, "proc/1/ns/net"),
	        .user = namespace_inode(root_fd, "proc/1/ns/user"),
	        .ipc = namespace_inode(root_fd, "proc/1/ns/ipc"),
	        .uts = namespace_inode(root_fd, "proc/1/ns/uts"),
	        .cgroup = namespace_inode(root_fd, "proc/1/ns/cgroup"),
	};
	if (ns.mnt && ns.pid)
		h->ns = ns;
}

static bool same_addresses(const struct host *h, const struct ip *addresses, size_t count)
{
	return h->address_count == count &&
	       (count == 0 || memcmp(h->addresses, addresses, count * sizeof(*addresses)) == 0);
}

int host_read(struct host *h, int root_fd)
{
	uint64_t offset = clock_boot_offset_ns();
	size_t count;
	char *name = read_name(root_fd);
	struct ip *addresses = read_addresses(&count);
	if (!name || !addresses) {
		free(name);
		free(addresses);
		return -ENOMEM;
	}
	uint64_t step = MAX(offset, h->boot_offset_ns) - MIN(offset, h->boot_offset_ns);
	bool news =
	        !h->name || strcmp(h->name, name) != 0 || !same_addresses(h, addresses, count) || step > CLOCK_STEP_NS;
	host_done(h);
	h->name = name;
	h->addresses = addresses;
	h->address_count = count;
	if (step > CLOCK_STEP_NS)
		h->boot_offset_ns = offset;
	if (!h->ns.mnt)
		read_namespaces(h, root_fd);
	return news;
}

bool host_take_namespaces(struct host *h, const struct task_state *state)
{
	if (h->ns.mnt || !state->ns_mnt)
		return false;
	h->ns = (struct namespaces){state->ns_mnt, state->ns_pid, state->ns_net,   state->ns_user,
	                            state->ns_ipc, state->ns_uts, state->ns_cgroup};
	return true;
}

/* ---- records ---- */
int host_put(const struct host *h, uint64_t now_ns, int (*put)(void *userdata, const struct event *event),
             void *userdata)
{
	_cleanup_(buf_done) struct buf addresses;
	struct record r;
	buf_init(&addresses, EVENT_RECORD_MAX / 2);
	for (size_t i = 0; i < h->address_count; i++) {
		ip_add_text(&h->addresses[i], &addresses);
		buf_add_char(&addresses, '\n');
	}
	if (buf_error(&addresses) < 0)
		return buf_error(&addresses);
	record_begin(&r, EVENT_host, now_ns);
	record_text(&r, "hostname", str_from(h->name ? h->name : ""), false);
	record_text(&r, "addresses", addresses.length ? buf_str(&addresses) : STR(""), false);
	record_number(&r, "boot_time", h->boot_offset_ns);
	return record_put(&r, put, userdata);
}

static bool get_text(const struct event *e, const char *name, struct str *ret_text)
{
	const struct arg_info *a = event_find_arg(e->info, str_from(name));
	bool truncated;
	return a && event_arg_slot(e, a, ret_text, &truncated);
}

int host_take(struct host *h, const struct event *record)
{
	const struct arg_info *boot_time = event_find_arg(record->info, STR("boot_time"));
	struct str name, text, line;
	if (!get_text(record, "hostname", &name) || !boot_time)
		return 0;
	char *copy = strndup(name.data, name.length);
	struct ip *addresses = calloc(ADDRESSES_MAX, sizeof(*addresses));
	if (!copy || !addresses) {
		free(copy);
		free(addresses);
		return -ENOMEM;
	}
	host_done(h);
	h->name = copy;
	h->addresses = addresses;
	h->boot_offset_ns = event_arg_number(record, boot_time);
	if (!get_text(record, "addresses", &text))
		return 0;
	while (h->address_count < ADDRESSES_MAX && str_next(&text, '\n', &line))
		h->address_count += line.length && ip_parse(line, &addresses[h->address_count]) == 0;
	return 0;
}
