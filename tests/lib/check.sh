#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# For tests of picket's commands, which source it from the project's root: $picket, $dir (a directory that goes at the
# end), $failed, and check.
# shellcheck disable=SC2034 # they are for who sources this
picket=$(realpath "${PICKET:-build/picket}") || exit 1
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
failed=0

# check NAME CODE PATTERN COMMAND…: it ends with CODE, and PATTERN (a grep expression) stands in what it writes.
check() {
	name=$1 code=$2 pattern=$3
	shift 3
	timeout 60 "$@" >"$dir/out" 2>&1 </dev/null
	got=$?
	if [ "$got" -eq "$code" ] && grep -q -e "$pattern" "$dir/out"; then
		echo "ok - $name"
	else
		echo "not ok - $name: exit code $got, expected $code and: $pattern"
		sed 's/^/    /' "$dir/out" | head -n 30
		failed=1
	fi
}
