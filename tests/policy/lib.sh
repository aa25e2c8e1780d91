#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# For tests of picket run with policies, which source this: a control group of their own, picket in it, what it says. They act only
# on processes that they start. Needs root and cgroup v2.
# shellcheck disable=SC2034 # they are for who sources this
picket=$(realpath "${PICKET:-build/picket}") || exit 1
act=$(realpath "${ACT:-build/tests/policy_act}") || exit 1
root=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
group=$root/picket-test-policy-$$
dir=$(mktemp -d) || exit 1
daemon=
finish() {
	[ -z "$daemon" ] || kill -KILL "$daemon" 2>/dev/null
	wait 2>/dev/null
	find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null
	rm -rf "$dir"
}
trap finish EXIT
if [ "$(id -u)" -ne 0 ] || [ -z "$root" ] || ! mkdir "$group" 2>/dev/null; then
	echo "skip policies: not root, or no cgroup v2"
	exit 0
fi
failed=0
is() { # NAME EXPECTED GOT
	if [ "$2" = "$3" ]; then
		echo "ok - $1"
	else
		echo "not ok - $1: $3, expected $2"
		failed=1
	fi
}
within() { # NAME COMMAND…: it succeeds within ten seconds, tried again and again
	local name=$1
	shift
	for _ in $(seq 100); do
		"$@" >/dev/null 2>&1 && echo "ok - $name" && return
		sleep 0.1
	done
	echo "not ok - $name: $*"
	failed=1
}
inside() {
	bash -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$group" "$@"
}
refused="Connection refused" denied="Permission denied"
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
