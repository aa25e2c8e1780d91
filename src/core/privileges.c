/* SPDX-License-Identifier: Apache-2.0 */
#include "core/privileges.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/capability.h>
#include <sys/prctl.h>

/* BPF, PERFMON: switch events on and off. SYS_PTRACE, DAC_READ_SEARCH: read /proc/PID of others, passwd files of
 * containers, and rule files on reload. NET_ADMIN: load guards of sockets anew on reload. KILL: kill after the fact. */
static const cap_value_t kept[] = {CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_NET_ADMIN, CAP_KILL};
#define KEPT_WITHOUT_GUARDS (ARRAY_SIZE(kept) - 2)

static const cap_value_t admin = CAP_SYS_ADMIN;

static bool capability_is_kept(cap_value_t capability, size_t kept_count)
{
	for (size_t i = 0; i < kept_count; i++)
		if (kept[i] == capability)
			return true;
	return false;
}

/* The bounding set needs CAP_SETPCAP, which the next step gives up: a process without it had little to give. */
static void bounding_set_shrink(size_t kept_count)
{
	for (cap_value_t c = 0; CAP_IS_SUPPORTED(c); c++)
		if (!capability_is_kept(c, kept_count))
			(void)cap_drop_bound(c);
}

static void capabilities_free(cap_t *caps)
{
	if (*caps)
		cap_free(*caps);
}

int privileges_drop(bool guards)
{
	size_t kept_count = guards ? ARRAY_SIZE(kept) : KEPT_WITHOUT_GUARDS;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	_cleanup_(capabilities_free) cap_t now = cap_get_proc();
	_cleanup_(capabilities_free) cap_t wanted = cap_init();
	if (!now || !wanted)
		return -errno;
	for (size_t i = 0; i < kept_count; i++) {
		cap_flag_value_t permitted = CAP_CLEAR;
		if (cap_get_flag(now, kept[i], CAP_PERMITTED, &permitted) < 0 || permitted != CAP_SET)
			continue;
		if (cap_set_flag(wanted, CAP_PERMITTED, 1, &kept[i], CAP_SET) < 0 ||
		    cap_set_flag(wanted, CAP_EFFECTIVE, 1, &kept[i], CAP_SET) < 0)
			return -errno;
	}
	/* Permitted, but not in effect: for privileges_as_admin(). */
	cap_flag_value_t permitted = CAP_CLEAR;
	if (cap_get_flag(now, admin, CAP_PERMITTED, &permitted) == 0 && permitted == CAP_SET &&
	    cap_set_flag(wanted, CAP_PERMITTED, 1, &admin, CAP_SET) < 0)
		return -errno;
	bounding_set_shrink(kept_count);
	return cap_set_proc(wanted) < 0 ? -errno : 0;
}

static int admin_set(cap_flag_value_t value)
{
	_cleanup_(capabilities_free) cap_t caps = cap_get_proc();
	if (!caps || cap_set_flag(caps, CAP_EFFECTIVE, 1, &admin, value) < 0)
		return -errno;
	return cap_set_proc(caps) < 0 ? -errno : 0;
}

static bool admin_is_set(void)
{
	_cleanup_(capabilities_free) cap_t caps = cap_get_proc();
	cap_flag_value_t value = CAP_CLEAR;
	return caps && cap_get_flag(caps, admin, CAP_EFFECTIVE, &value) == 0 && value == CAP_SET;
}

int privileges_as_admin(int (*call)(void))
{
	bool raised = !admin_is_set() && admin_set(CAP_SET) == 0;
	int r = call();
	if (raised && admin_set(CAP_CLEAR) < 0)
		abort(); /* nobody may go on with what was meant for one call */
	return r;
}
