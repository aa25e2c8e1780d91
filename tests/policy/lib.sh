#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# For tests of picket run with policies, which source this: picket in a control group of their own, and what it says.
# shellcheck source=tests/lib/live.sh
. tests/lib/live.sh
live policies policy
attempt() { inside "$act" connect 127.0.0.1 9; }
attempt_is() { [ "$(attempt)" = "$1" ]; }
ask() { "$picket" "$@" --status-socket "$dir/status"; }
status_has() { ask policy status --json | grep -q "$1"; }
alerts() { grep -c "$1" "$dir/alerts.json"; }

start() { # OPTION…
	: >"$dir/alerts.json"
	"$picket" run --rules "$dir/rules.yaml" --policies "$dir/policies.yaml" --cgroup "$group" "$@" \
		--status-socket "$dir/status" -o "$dir/alerts.json" -o "$dir/alerts.txt" >/dev/null 2>"$dir/err" &
	daemon=$!
	for _ in $(seq 300); do
		status_has '"armed":true' 2>/dev/null && return
		kill -0 "$daemon" 2>/dev/null || break
		sleep 0.1
	done
	if grep -q "Operation not permitted" "$dir/err"; then
		echo "skip policies: the kernel loads no programs here"
		exit 0
	fi
	echo "not ok - picket run --policies"
	cat "$dir/err"
	exit 1
}
end() { # SIGNAL
	kill "-$1" "$daemon"
	wait "$daemon" 2>/dev/null
	daemon=
}
