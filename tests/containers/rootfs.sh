# SPDX-License-Identifier: Apache-2.0
#
# For the launchers, which read it: makes a root directory for a container, with users of its own.
make_rootfs() {
	mkdir -p "$1/proc" "$1/sys" "$1/dev" "$1/tmp" "$1/etc" "$1/run" "$1$2" "$1$(dirname "$3")"
	: >"$1$3"
	printf 'root:x:0:0:root:/root:/bin/sh\nboxed:x:2002:2001::/home/boxed:/bin/false\n' >"$1/etc/passwd"
	printf 'root:x:0:\nboxed:x:2001:\n' >"$1/etc/group"
}
