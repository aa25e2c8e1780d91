/* SPDX-License-Identifier: Apache-2.0
 *
 * Whom no policy touches. Guards know programs by their files; a package replaces these while policies are in force. What a
 * file was before stays protected until the next load: it may still run. What the operator names is looked up each time, too:
 * a unit may start later; a process is held by a pidfd, so that its number does not come to mean another one.
 */
#include "core/policies_int.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/log.h"

/* A number means a process. */
static bool is_process(const char *name, uint32_t *ret_pid)
{
	uint64_t pid;
	if (str_to_u64(str_from(name), &pid) < 0 || pid == 0 || pid > INT_MAX)
		return false;
	*ret_pid = (uint32_t)pid;
	return true;
}

int policies_name_protected(struct policies *p)
{
	for (size_t i = 0; i < p->options.protect_count; i++) {
		const char *name = p->options.protect[i];
		struct guard_protected_key key;
		uint32_t pid;
		int r = 0;
		if (is_process(name, &pid)) {
			p->protect_pidfds[i] = (int)syscall(SYS_pidfd_open, pid, 0);
			r = p->protect_pidfds[i] < 0 ? -errno : 0;
		} else if (name[0] == '/') {
			r = guard_protect_named(name, &key);
		}
		if (r < 0) {
			log_error("--protect %s: %s", name, strerror(-r));
			return r;
		}
	}
	return 0;
}

void policies_forget_protected(struct policies *p)
{
	for (size_t i = 0; i < p->options.protect_count; i++)
		base_close_fd(&p->protect_pidfds[i]);
}

static bool find_named(const struct policies *p, size_t i, struct guard_protected_key *ret_key)
{
	uint32_t pid;
	if (!is_process(p->options.protect[i], &pid))
		return guard_protect_named(p->options.protect[i], ret_key) == 0;
	struct pollfd ended = {.fd = p->protect_pidfds[i], .events = POLLIN};
	*ret_key = (struct guard_protected_key){.device = pid, .what = GUARD_PROTECTED_PROCESS};
	return poll(&ended, 1, 0) == 0;
}

static size_t find_all(const struct policies *p, struct guard_protected_key keys[GUARD_PROTECTED_MAX])
{
	size_t count = guard_protected(keys);
	for (size_t i = 0; i < p->options.protect_count && count < GUARD_PROTECTED_MAX; i++)
		count += find_named(p, i, &keys[count]);
	return count;
}

int policies_protect_in(const struct policies *p, struct guards *guards)
{
	struct guard_protected_key keys[GUARD_PROTECTED_MAX];
	return guards_protect(guards, keys, find_all(p, keys));
}

static bool is_as_before(const struct policies *p, const struct guard_protected_key *keys, size_t count)
{
	return count == p->protected_count && memcmp(keys, p->protected, count * sizeof(*keys)) == 0;
}

static bool is_among(const struct guard_protected_key *key, const struct guard_protected_key *keys, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (memcmp(key, &keys[i], sizeof(*key)) == 0)
			return true;
	return false;
}

/* Numbers of processes that have ended are others' before long. */
static void unprotect_ended(struct policies *p, const struct guard_protected_key *keys, size_t count)
{
	for (size_t i = 0; i < p->protected_count; i++)
		if (p->protected[i].what == GUARD_PROTECTED_PROCESS && !is_among(&p->protected[i], keys, count))
			guards_unprotect(p->current.guards, &p->protected[i]);
}

void policies_protect(struct policies *p)
{
	struct guard_protected_key keys[GUARD_PROTECTED_MAX];
	size_t count = find_all(p, keys);
	if (!p->current.guards || is_as_before(p, keys, count))
		return;
	int r = guards_protect(p->current.guards, keys, count);
	if (r < 0)
		log_error("programs that came in place of protected ones are not protected: %s", strerror(-r));
	unprotect_ended(p, keys, count);
	memcpy(p->protected, keys, count * sizeof(*keys));
	p->protected_count = count;
}
