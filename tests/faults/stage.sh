# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034 # variables are for who sources this
#
# For tests of faults, which source it from the project's root: picket run in control groups, state, sockets and mounts of
# its own, policies that act inside one control group, and what must hold after every fault. All is gone at the end.
[ -n "${FAULTS_INSIDE-}" ] || FAULTS_INSIDE=1 exec unshare --mount --propagation private "$0" "$@"
# shellcheck source=tests/lib/live.sh
. tests/lib/live.sh
live faults faults faults-beside
neighbour=${groups[1]} patience=20
beside() {
	in_group "$neighbour" "$@"
}
attempt() { inside "$act" connect 127.0.0.1 9; }
attempt_is() { [ "$(attempt)" = "$1" ]; }
ask() { timeout 20 "$picket" "$@" --status-socket "$dir/status"; }
status_has() { ask status --json | grep -q "$1"; }
number() { # KEY: the first of that name in the status
	ask status --json | grep -oE "\"$1\":[0-9]+" | head -n 1 | tr -dc 0-9
}

cat >"$dir/rules.yaml" <<END
- rule: Victim
  desc: a program of the tests
  condition: evt.type in (execve, execveat) and proc.exepath endswith /victim
  output: victim %proc.pid
  priority: NOTICE
- rule: Opened
  desc: a file of the tests
  condition: evt.type in (open, openat) and fd.name = $dir/opened
  output: opened
  priority: DEBUG
END
cp /bin/true "$dir/victim"
cp /bin/true "$dir/other"
: >"$dir/opened"
policies() { # VERSION
	cat >"$dir/policies.yaml" <<END
- policy: no-discard
  version: $1
  condition: evt.type = connect and fd.rport = 9
  action: deny
  at: connect
  error: EACCES
  mode: enforce
  budget: {actions: 10000, processes: 10000}
- policy: no-other
  version: $1
  condition: evt.type in (execve, execveat) and proc.exepath endswith /other
  action: kill
  at: exec
  mode: enforce
END
}

# start [OPTION…]: picket run, until its guards are armed. in_front: what starts it.
in_front=()
start() {
	"${in_front[@]}" "$picket" run --rules "$dir/rules.yaml" --policies "$dir/policies.yaml" --cgroup "$group" \
		--status-socket "$dir/status" --json -o "$dir/alerts.json" "$@" >/dev/null 2>"$dir/err" &
	daemon=$!
	for _ in {1..300}; do
		ask policy status --json 2>/dev/null | grep -q '"armed":true' && return
		kill -0 "$daemon" 2>/dev/null || break
		sleep 0.1
	done
	if grep -q "Operation not permitted" "$dir/err"; then
		echo "skip faults: the kernel loads no programs here"
		exit 0
	fi
	echo "not ok - picket run"
	cat "$dir/err"
	exit 1
}
# end SIGNAL: and its exit code in $code
end() {
	kill "-$1" "$daemon" 2>/dev/null
	{ wait "$daemon"; } 2>/dev/null
	code=$?
	daemon=
}

# ---- what must hold after every fault ----
# host_works NAME: beside, programs start, files are read and written, connections go where they go without picket.
host_works() {
	is "$1: a program starts beside" 0 "$(beside "$dir/other" && echo $?)"
	is "$1: a connection beside" "$refused" "$(beside "$act" connect 127.0.0.1 9)"
	is "$1: a file beside" written "$(beside sh -c 'echo written >"$0" && cat "$0"' "$dir/file")"
}
guards_act() {
	is "$1: inside, the guard denies" "$denied" "$(attempt)"
	{ inside "$dir/other"; } 2>/dev/null
	is "$1: inside, the guard kills" 137 $?
}
guards_watch() {
	is "$1: inside, nothing is denied" "$refused" "$(attempt)"
	inside "$dir/other"
	is "$1: inside, nothing is killed" 0 $?
}
picket_tells() { # NAME: an alert of what happens now
	local before
	before=$(grep -c '"rule":"Victim"' "$dir/alerts.json")
	inside "$dir/victim"
	within "$1: an alert is raised" bash -c "[ \$(grep -c '\"rule\":\"Victim\"' '$dir/alerts.json') -gt $before ]"
}
