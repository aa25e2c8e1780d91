#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The commands against the running kernel: what run, record, replay, events and status do with the deeds of this test
# alone, in a control group of its own. From the project's root; skipped where picket cannot run.
picket=${PICKET:-build/picket}
dir=$(mktemp -d) || exit 1
failed=0
daemon=
cgroup=
cleanup() {
	[ -n "$daemon" ] && kill "$daemon" 2>/dev/null && wait "$daemon"
	if [ -n "$cgroup" ]; then
		echo $$ >"${cgroup%/*}/cgroup.procs"
		rmdir "$cgroup"
	fi
	rm -rf "$dir"
}
trap cleanup EXIT

"$picket" doctor >"$dir/doctor"
if [ $? -eq 3 ]; then
	echo "skip - picket cannot run here:"
	grep '✗' "$dir/doctor"
	exit 0
fi

mount=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
if [ -z "$mount" ] || ! mkdir "$mount/picket-cli-$$" 2>/dev/null; then
	echo "skip - no control group (v2) can be made"
	exit 0
fi
cgroup=$mount/picket-cli-$$
echo $$ >"$cgroup/cgroup.procs"

# expect NAME COMMAND…: the command succeeds within five seconds, tried again and again.
expect() {
	name=$1 tries=50
	shift
	while ! "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		if [ $tries -eq 0 ]; then
			echo "not ok - $name"
			failed=1
			return
		fi
		sleep 0.1
	done
	echo "ok - $name"
}
count_is() { [ "$(grep -c "$2" "$3")" -eq "$1" ]; }

echo secret >"$dir/guarded"
ln -s "$dir/guarded" "$dir/link"
rules() {
	cat <<END
- rule: $1
  desc: d
  condition: evt.type in (open, openat, openat2) and fd.name = $dir/guarded
  output: Guarded file | file=%fd.name program=%proc.name
  priority: WARNING
END
}
rules "Guarded read" >"$dir/rules.yaml"

"$picket" run --cgroup "$cgroup" -r "$dir/rules.yaml" -o "$dir/alerts.json" --status-socket "$dir/s/status" 2>"$dir/err" &
daemon=$!
expect "status is served" "$picket" status --status-socket "$dir/s/status"
expect "status is private" sh -c "[ \"\$(stat -c %a '$dir/s/status')\" = 600 ]"
cat "$dir/guarded" >/dev/null
expect "a read is an alert" count_is 1 '"rule":"Guarded read"' "$dir/alerts.json"
cat "$dir/link" >/dev/null
expect "a read through a link is an alert" count_is 2 '"rule":"Guarded read"' "$dir/alerts.json"
expect "with both names" grep -q "\"fd.names\":\[\"$dir/link\",\"$dir/guarded\"\]" "$dir/alerts.json"
expect "privileges were given up" grep -q "CapEff:[[:space:]]*000000c000080004" /proc/$daemon/status
expect "for good" grep -q "NoNewPrivs:[[:space:]]*1" /proc/$daemon/status

"$picket" run --cgroup "$cgroup" -r "$dir/rules.yaml" --status-socket "$dir/s/status" >"$dir/second" 2>&1
[ $? -eq 3 ] && grep -q "another picket" "$dir/second" && echo "ok - a second daemon is refused" || {
	echo "not ok - a second daemon is refused"
	failed=1
}

echo "- rule: broken" >>"$dir/rules.yaml"
kill -HUP $daemon
expect "a broken reload is refused" grep -q "those from before stay in force" "$dir/err"
head -n 1 "$dir/guarded" >/dev/null # by another program: what is the same as a second ago is held back
expect "and the rules stay" count_is 3 '"rule":"Guarded read"' "$dir/alerts.json"
rules "Guarded again" >"$dir/rules.yaml"
mv "$dir/alerts.json" "$dir/alerts.old"
kill -HUP $daemon
expect "outputs are opened again" test -e "$dir/alerts.json"
expect "a good reload is taken" grep -q "reloaded: 1 of 1" "$dir/err"
cat "$dir/guarded" >/dev/null
expect "and judges" count_is 1 '"rule":"Guarded again"' "$dir/alerts.json"
kill -USR1 $daemon
expect "USR1 shows the status" grep -q "^counters" "$dir/err"
kill -TERM $daemon
wait $daemon
[ $? -eq 0 ] && echo "ok - ends cleanly" || { echo "not ok - ends cleanly"; failed=1; }
daemon=
expect "the socket is removed" test ! -e "$dir/s/status"

# Recorded and live, with a filter and without, the same alerts come out.
for filter in "" "proc.name = cat"; do
	rm -f "$dir/a.cap"
	# shellcheck disable=SC2086
	"$picket" record --cgroup "$cgroup" -w "$dir/a.cap" $filter 2>"$dir/err" &
	daemon=$!
	expect "recording began" test -s "$dir/a.cap"
	sleep 0.3
	cat "$dir/guarded" "$dir/link" >/dev/null
	sleep 0.3
	kill -INT $daemon
	wait $daemon || failed=1
	daemon=
	"$picket" replay "$dir/a.cap" -r "$dir/rules.yaml" >"$dir/replayed.json" || failed=1
	expect "replay of \"${filter:-everything}\"" count_is 2 '"rule":"Guarded again"' "$dir/replayed.json"
done
size=$(stat -c %s "$dir/a.cap")
head -c $((size - 20)) "$dir/a.cap" >"$dir/cut.cap"
"$picket" replay "$dir/cut.cap" -r "$dir/rules.yaml" >"$dir/replayed.json" 2>"$dir/err"
[ $? -eq 1 ] && [ -s "$dir/err" ] && echo "ok - a cut capture is told of" || {
	echo "not ok - a cut capture is told of"
	failed=1
}

"$picket" events --cgroup "$cgroup" --duration 5s -n 1 -f proc.name,fd.name "evt.type = openat and fd.name = $dir/guarded" >"$dir/events" &
daemon=$!
sleep 1.5
cat "$dir/guarded" >/dev/null
wait $daemon
daemon=
expect "events shows fields" grep -q "^cat	$dir/guarded$" "$dir/events"
exit $failed
