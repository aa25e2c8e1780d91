#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# For tests of guards alone, which source this: as lib.sh, with picket policy try in the control group instead of picket run.
# shellcheck source=tests/policy/lib.sh
. tests/policy/lib.sh
cat >"$dir/rules.yaml" <<'END'
- rule: unused
  desc: there must be one
  condition: evt.type = setns
  output: x
  priority: NOTICE
END
# inside and beside: NAME EXPECTED-INSIDE EXPECTED-BESIDE DEED ARGUMENT…
differs() {
	local name=$1 in=$2 out=$3
	shift 3
	is "$name, inside" "$in" "$(inside "$act" "$@")"
	is "$name, beside" "$out" "$("$act" "$@")"
}
# With the policies in $dir/policies.yaml; daemon is its process. Says how long it took until they were in force.
start() {
	local before=${EPOCHREALTIME/[.,]/}
	: >"$dir/err" # of the one before
	"$picket" policy try -v --json --rules "$dir/rules.yaml" --cgroup "$group" "$dir/policies.yaml" >"$dir/out" 2>"$dir/err" &
	daemon=$!
	for _ in $(seq 3000); do
		if grep -q "in force" "$dir/err"; then
			echo "# in force $(((${EPOCHREALTIME/[.,]/} - before) / 1000)) ms after the command"
			return
		fi
		kill -0 "$daemon" 2>/dev/null || break
		sleep 0.02
	done
	if grep -q "cannot be loaded: Operation not permitted" "$dir/err"; then
		echo "skip guards: the kernel loads no programs here"
		exit 0
	fi
	echo "not ok - picket policy try"
	cat "$dir/err"
	exit 1
}
told() { # NAME HOW-MANY PATTERN: verdicts, which take a moment to come
	for _ in $(seq 50); do
		[ "$(grep -c "$3" "$dir/out")" -lt "$2" ] || break
		sleep 0.1
	done
	is "$1" "$2" "$(grep -c "$3" "$dir/out")"
}
