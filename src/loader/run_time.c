/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/run_time_int.h"

#include <bpf/bpf.h>
#include <errno.h>

int run_time_stats_open(void)
{
	int fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
	return fd < 0 ? -errno : fd;
}

int run_time_of(const struct bpf_object *object, uint64_t *ret_ns)
{
	struct bpf_program *p;
	uint64_t sum = 0;
	bpf_object__for_each_program(p, object)
	{
		struct bpf_prog_info info = {};
		uint32_t length = sizeof(info);
		if (bpf_program__fd(p) < 0)
			continue;
		if (bpf_obj_get_info_by_fd(bpf_program__fd(p), &info, &length))
			return -errno;
		sum += info.run_time_ns;
	}
	*ret_ns = sum;
	return 0;
}
