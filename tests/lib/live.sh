#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2034 # variables are for who sources this
#
# For tests of a picket that runs, which source it from the project's root: control groups and a directory of their own, all gone at
# the end, also after a failure; and how they say what holds. They act only on processes that they start.
#
#	live WHAT GROUP…	begins: $picket, $act, $root of control groups, $group (the first; names of others: groups), $dir
#	daemon, helpers		processes to be ended by finish()
#	patience		seconds that within() waits
picket=$(realpath "${PICKET:-build/picket}") && act=$(realpath "${ACT:-build/tests/policy_act}") || exit 1
root=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
group='' groups=() dir='' daemon='' helpers=() failed=0 patience=10
export SHELL=/bin/sh # bash that has none asks for it, by connecting to nscd
refused="Connection refused" denied="Permission denied"

# empty DIRECTORY: a control group of ours, with those below it: ends what is in it, and removes it.
empty() {
	local pid
	for _ in {1..100}; do
		[ -d "$1" ] || return 0
		find "$1" -name cgroup.procs -exec cat {} + 2>/dev/null | while read -r pid; do kill -KILL "$pid" 2>/dev/null; done
		find "$1" -depth -type d -exec rmdir {} + 2>/dev/null
		[ -d "$1" ] || return 0
		sleep 0.05
	done
	echo "not ok - $1 cannot be removed"
}
finish() {
	trap - EXIT
	local place
	for place in ${daemon:+"$daemon"} "${helpers[@]}"; do
		kill -KILL "$place" 2>/dev/null
	done
	for place in "${groups[@]}"; do
		empty "$place"
	done
	{ wait; } 2>/dev/null
	awk -v below="$dir/" 'index($2, below) == 1 { print $2 }' /proc/self/mounts | while read -r place; do umount "$place"; done
	rm -rf "$dir"
}
live() { # WHAT GROUP…
	local what=$1
	shift
	groups=("${@/#/$root/picket-test-$$-}")
	group=${groups[0]}
	if [ "$(id -u)" -ne 0 ] || [ -z "$root" ] || ! mkdir "${groups[@]}" 2>/dev/null; then
		echo "skip $what: not root, or no cgroup v2"
		exit 0
	fi
	dir=$(mktemp -d) || exit 1
	trap finish EXIT
	trap 'exit 130' INT TERM HUP
}

fails() { # TEXT: and what more there is to say, by who sources this
	echo "not ok - $1"
	more
	failed=1
}
more() { :; }
is() { # NAME EXPECTED GOT
	if [ "$2" = "$3" ]; then
		echo "ok - $1"
	else
		fails "$1: $3, expected $2"
	fi
}
within() { # NAME COMMAND…: it succeeds within $patience seconds, tried again and again
	local name=$1 tries=$((patience * 10))
	shift
	for ((; tries > 0; tries--)); do
		"$@" >/dev/null 2>&1 && echo "ok - $name" && return
		sleep 0.1
	done
	fails "$name: $*"
}
in_group() { # GROUP COMMAND…
	bash -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$@"
}
inside() { in_group "$group" "$@"; }
