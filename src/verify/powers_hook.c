/* SPDX-License-Identifier: Apache-2.0
 *
 * What a program has by what it is for: its kind, where its section attaches it, what it may return.
 */
#include "verify/powers_int.h"

static const struct {
	enum picket_kind kind;
	enum picket_power power;
} kind_gives[] = {
#define KIND_GIVES(kind, power) {PICKET_KIND_##kind, PICKET_POWER_##power},
#include "verify/power.def"
};

static const struct {
	const char *prefix;
	enum picket_power power;
} hooks[] = {
#define HOOK(prefix, power) {#prefix, PICKET_POWER_##power},
#include "verify/power.def"
};

static int add(struct picket_powers *list, const struct power_program *p, enum picket_power power)
{
	return powers_add(list, power, p->hook, PICKET_POWER_HOOK, "section %s", p->section);
}

static enum picket_power power_of_hook(const char *hook)
{
	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++)
		if (!strncmp(hook, hooks[i].prefix, strlen(hooks[i].prefix)))
			return hooks[i].power;
	return PICKET_POWER_OBSERVE_KERNEL;
}

static bool section_is(const struct power_program *p, const char *prefix)
{
	return !strncmp(p->section, prefix, strlen(prefix));
}

static int add_kprobe(struct picket_powers *list, const struct power_program *p)
{
	if (section_is(p, "uprobe") || section_is(p, "uretprobe") || section_is(p, "usdt"))
		return add(list, p, PICKET_POWER_OBSERVE_PROGRAMS);
	if (section_is(p, "ksyscall") || section_is(p, "kretsyscall"))
		return add(list, p, PICKET_POWER_OBSERVE_SYSCALLS);
	return add(list, p, power_of_hook(p->hook));
}

static int add_hook(struct picket_powers *list, const struct power_program *p)
{
	switch (p->kind->id) {
	case PICKET_KIND_KPROBE:
		return add_kprobe(list, p);
	case PICKET_KIND_TRACEPOINT:
	case PICKET_KIND_RAW_TRACEPOINT:
	case PICKET_KIND_RAW_TRACEPOINT_WRITABLE:
	case PICKET_KIND_TP_BTF:
	case PICKET_KIND_FENTRY:
	case PICKET_KIND_FEXIT:
	case PICKET_KIND_FMOD_RET:
	case PICKET_KIND_LSM:
	case PICKET_KIND_LSM_CGROUP:
		return add(list, p, power_of_hook(p->hook));
	default:
		return 0;
	}
}

int powers_of_hook(struct picket_powers *list, const struct power_program *p)
{
	int r = 0;

	if (!p->kind)
		return powers_add(list, PICKET_POWER_UNKNOWN, p->section, PICKET_POWER_HOOK,
		                  "its section does not tell what it is for");
	for (size_t i = 0; !r && i < ARRAY_SIZE(kind_gives); i++)
		if (kind_gives[i].kind == p->kind->id)
			r = add(list, p, kind_gives[i].power);
	if (!r)
		r = add_hook(list, p);
	if (!r && verify_section_sleeps(p->section))
		r = powers_add(list, PICKET_POWER_SLEEP, NULL, PICKET_POWER_HOOK, "section %s", p->section);
	return r;
}

/* ---- what it returns ---- */

#define RESULTS_MAX 4
#define SET(kinds) (1ull << PICKET_KIND_##kinds)
#define LWTS (SET(LWT_IN) | SET(LWT_OUT) | SET(LWT_XMIT) | SET(LWT_SEG6LOCAL))
#define SOCKET_VERDICTS (SET(SK_SKB) | SET(SK_MSG) | SET(SK_REUSEPORT) | SET(SK_LOOKUP) | SET(NETFILTER))
#define CGROUP_VERDICTS \
	(SET(LSM_CGROUP) | SET(CGROUP_SOCK) | SET(CGROUP_DEVICE) | SET(CGROUP_SYSCTL) | SET(CGROUP_SOCKOPT))

/* A result gives the power if it is one of these; or if it is none of these. */
static const struct result {
	uint64_t kinds;
	enum picket_power power;
	bool other;
	uint8_t count;
	int32_t values[RESULTS_MAX];
} results[] = {
        {SET(XDP), PICKET_POWER_DROP_PACKETS, true, 3, {2, 3, 4}},
        {SET(XDP), PICKET_POWER_REDIRECT_PACKETS, false, 2, {3, 4}},
        {SET(SCHED_CLS) | SET(SCHED_ACT), PICKET_POWER_DROP_PACKETS, false, 4, {2, 4, 5, 8}},
        {SET(SCHED_CLS) | SET(SCHED_ACT), PICKET_POWER_REDIRECT_PACKETS, false, 1, {7}},
        {LWTS, PICKET_POWER_DROP_PACKETS, true, 3, {0, 7, 128}},
        {LWTS, PICKET_POWER_REDIRECT_PACKETS, false, 2, {7, 128}},
        {SET(CGROUP_SKB), PICKET_POWER_DROP_PACKETS, true, 2, {1, 3}},
        {SOCKET_VERDICTS, PICKET_POWER_DROP_PACKETS, true, 1, {1}},
        {SET(FLOW_DISSECTOR), PICKET_POWER_DROP_PACKETS, false, 1, {2}},
        /* The bytes of the packet that the socket gets: these are all that a packet can have. */
        {SET(SOCKET_FILTER), PICKET_POWER_DROP_PACKETS, true, 4, {-1, INT32_MAX, 0xffff, 0x40000}},
        {SET(LSM), PICKET_POWER_DENY, true, 1, {0}},
        {CGROUP_VERDICTS, PICKET_POWER_DENY, true, 1, {1}},
        {SET(CGROUP_SOCK_ADDR), PICKET_POWER_DENY, true, 2, {1, 3}},
        {SET(FMOD_RET), PICKET_POWER_CHANGE_RESULTS, true, 1, {0}},
};

static bool result_has(const struct result *r, int32_t value)
{
	for (unsigned i = 0; i < r->count; i++)
		if (r->values[i] == value)
			return true;
	return false;
}

/* What has a result that nobody looks at. */
static bool result_is_ignored(const struct power_program *p)
{
	return strstr(p->hook, "stream_parser") || strstr(p->hook, "sock_release");
}

static int add_result(struct picket_powers *list, const struct power_program *p, const struct result *result,
                      const struct power_fact *r0, uint32_t insn)
{
	if (r0->may != MAY_NUMBER || !r0->count)
		return powers_add(list, result->power, p->hook, insn, "returns what is not a constant");
	for (unsigned i = 0; i < r0->count; i++)
		if (result_has(result, r0->numbers[i]) != result->other)
			return powers_add(list, result->power, p->hook, insn, "returns %d", r0->numbers[i]);
	return 0;
}

int powers_of_result(struct picket_powers *list, const struct power_program *p, const struct power_fact *r0,
                     uint32_t insn)
{
	int r = 0;

	if (!p->kind || !r0->may || result_is_ignored(p))
		return 0;
	for (size_t i = 0; !r && i < ARRAY_SIZE(results); i++)
		if (results[i].kinds >> p->kind->id & 1)
			r = add_result(list, p, &results[i], r0, insn);
	return r;
}
