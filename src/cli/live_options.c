/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/live_options.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/log.h"

#define RING_BYTES_MAX (1ull << 30)

static int ring_size_get(const struct args *args, size_t *ret_bytes)
{
	uint64_t bytes = 0;
	if (args_get_size(args, "ring-size", &bytes) < 0)
		return -EINVAL;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	if (bytes && (bytes < page || bytes > RING_BYTES_MAX || (bytes & (bytes - 1)) != 0)) {
		log_error("--ring-size: a power of two from %llu bytes to 1G, not %s", (unsigned long long)page,
		          args_get(args, "ring-size"));
		return -EINVAL;
	}
	*ret_bytes = bytes;
	return 0;
}

static int cgroup_check(const char *path)
{
	struct stat st;
	if (!path || (stat(path, &st) == 0 && S_ISDIR(st.st_mode)))
		return 0;
	log_error("--cgroup: %s is no directory; it looks like /sys/fs/cgroup/system.slice/nginx.service", path);
	return -EINVAL;
}

int live_options_init(const struct args *args, struct live_options *ret_options)
{
	struct live_options options = {
	        .loader.cgroup = args_get(args, "cgroup"),
	        .loader.verbose = log_would_write(LOG_LEVEL_INFO),
	};
	if (cgroup_check(options.loader.cgroup) < 0 || ring_size_get(args, &options.loader.ring_bytes) < 0 ||
	    args_get_duration(args, "duration", &options.duration_ns) < 0)
		return -EINVAL;
	*ret_options = options;
	return 0;
}

int live_tell_failure(const struct loader_failure *failure, int error)
{
	log_error("%s", failure->what[0] ? failure->what : strerror(-error));
	if (failure->hint[0])
		fprintf(stderr, "%s\n", failure->hint);
	if (error != -EADDRINUSE && !strstr(failure->hint, "doctor"))
		fprintf(stderr, "What works on this machine: picket doctor\n");
	return CLI_IMPOSSIBLE;
}

int live_start(const struct live_options *options, struct pipeline *pipeline, struct live **ret_live)
{
	struct loader_failure failure = {0};
	int r = live_new(options, pipeline, ret_live, &failure);
	return r < 0 ? live_tell_failure(&failure, r) : CLI_OK;
}

void events_observed(struct event_set *ret_events)
{
	*ret_events = (struct event_set){0};
	for (unsigned type = 1; type < EVENT_TYPE_MAX; type++) {
		const struct event_info *info = event_type_info(type);
		if (info->name && info->observed)
			event_set_add(ret_events, type);
	}
}
