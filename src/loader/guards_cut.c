/* SPDX-License-Identifier: Apache-2.0
 *
 * Control groups that are cut off from the network.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "loader/guards_int.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wundef"
#include "picket.skel.h"
#pragma GCC diagnostic pop

struct guard_cut {
	struct bpf_link *in, *out;
};

void guard_cut_free(struct guard_cut *c)
{
	if (!c)
		return;
	bpf_link__destroy(c->in);
	bpf_link__destroy(c->out);
	free(c);
}

int guards_cut(struct guards *g, const char *cgroup, struct guard_cut **ret_cut)
{
	_cleanup_(base_close_fd) int fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct guard_cut *c = fd < 0 ? NULL : calloc(1, sizeof(*c));
	int r = 0;
	if (!c)
		return -errno;
	c->out = bpf_program__attach_cgroup(g->bpf->progs.guard_packet_out, fd);
	if (!c->out)
		r = -errno;
	c->in = r == 0 ? bpf_program__attach_cgroup(g->bpf->progs.guard_packet_in, fd) : NULL;
	if (r == 0 && !c->in)
		r = -errno;
	if (r < 0) {
		guard_cut_free(c);
		return r;
	}
	*ret_cut = c;
	return 0;
}
