#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# picket policy: exit codes, what it says of good and bad policies, and what docs/policies.md shows. From the project's root.
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
root=$PWD

all="--hooks all"

cat >"$dir/rules.yaml" <<'END'
- rule: Password hashes read
  desc: they were read
  condition: evt.type in (open, openat) and fd.name = /etc/shadow and not proc.name = unix_chkpwd
  output: read
  priority: NOTICE
- macro: container
  condition: not container.id = host
- rule: In a container
  desc: uses the macro
  condition: evt.type = setns and container
  output: in
  priority: NOTICE
END
check_policy() { # NAME CODE PATTERN ACTION ARGUMENT…
	name=$1 code=$2 pattern=$3 action=$4
	shift 4
	check "$name" "$code" "$pattern" "$picket" policy "$action" --rules "$dir/rules.yaml" "$@"
}

# ---- the command line ----
check "no action" 2 "what with the policies" "$picket" policy
check "unknown action" 2 "policy cannot \"fly\"" "$picket" policy fly
check "--help" 0 "picket policy check my-policies.yaml" "$picket" policy --help
check_policy "no such file" 1 "No such file" check "$dir/none.yaml"
check_policy "no such hook" 2 "there is no hook \"lms\"" check --hooks lms "$dir/none.yaml"
check "rules that are wrong" 1 "No such file" "$picket" policy check --rules "$dir/none.yaml" "$dir/none.yaml"
check "import, no file" 2 "which file" "$picket" policy import
check "import, nothing to import" 1 "no TracingPolicy in it" "$picket" policy import "$dir/rules.yaml"

# ---- what the page shows ----
awk -v dir="$dir" '/^```yaml/ { on = 1; n++; next } /^```/ { on = 0 } on { print >(dir "/block" n ".yaml") }' docs/policies.md
for block in "$dir"/block*.yaml; do
	check_policy "docs, $(basename "$block")" 0 "^ok: " check --hooks all "$block"
done
cp "$dir/block1.yaml" "$dir/mail.yaml"
cat >"$dir/curl.yaml" <<'END'
- policy: no-curl
  version: 1
  condition: evt.type = execve and proc.cmdline contains evil.sh
  action: deny
  at: exec
END
cat >"$dir/shadow.yaml" <<'END'
- policy: private
  version: 1
  rule: Password hashes read
  action: deny
  at: file-open
END
cp tests/policy/tracing/exec-kill-lsm.yaml "$dir/tetragon.yaml"
# Each "$ picket …" of the page, with what it shows. The page names no rules: those of above are enough.
awk '/^```/ { open = !open; on = open && $0 == "```"; if (!open) print "END"; next } on' docs/policies.md >"$dir/shown"
shown() {
	awk -v line="\$ picket policy $*" '$0 == line { on = 1; next } /^\$ |^END$/ { on = 0 } on' "$dir/shown" >"$dir/expected"
	hooks=$all
	case " $* " in *" --hooks "* | *" import "*) hooks= ;; esac
	rules="--rules $dir/rules.yaml"
	# shellcheck disable=SC2086 # words
	(cd "$dir" && COLUMNS=100 "$picket" policy "$@" $rules $hooks) >"$dir/log" 2>&1
	: >"$dir/diff"
	if [ -s "$dir/expected" ] && diff "$dir/expected" "$dir/log" >"$dir/diff"; then
		echo "ok - docs, picket policy $*"
	else
		echo "not ok - docs, picket policy $*"
		sed 's/^/    /' "$dir/diff" | head -n 20
		failed=1
	fi
}
shown check mail.yaml
shown explain --policies mail.yaml web-sends-no-mail
shown check curl.yaml
shown check --hooks events shadow.yaml
shown import tetragon.yaml

# ---- exit codes and forms ----
check_policy "impossible here" 3 "POLICY_ERR_KERNEL" check --hooks events "$dir/shadow.yaml"
check_policy "the language alone" 0 "^ok: 1 policy" check --hooks any "$dir/shadow.yaml"
sed 's/at: file-open/&\n  reaction: allowed/' "$dir/shadow.yaml" >"$dir/reacts.yaml"
check_policy "reaction allowed" 0 "^ok: 1 policy" check --hooks events "$dir/reacts.yaml"
check_policy "it reacts" 0 "^reacts  *watch  *private" list --hooks events "$dir/reacts.yaml"
check_policy "it prevents" 0 "^prevents  *watch  *private" list --hooks lsm,events "$dir/reacts.yaml"
check_policy "list, impossible" 0 "^impossible  *watch  *private" list --hooks events "$dir/shadow.yaml"
check_policy "list --json" 0 '^\[{"name":"private","version":1,.*"verdict":"prevents"' list --json --hooks lsm "$dir/shadow.yaml"
check_policy "check --json" 1 '"messages":\[{"level":"error","code":"POLICY_ERR","file":".*curl.yaml","line":3,"column":36,' check --json --hooks all "$dir/curl.yaml"
check_policy "explain, impossible" 3 "this kernel cannot prevent it" explain --hooks events --policies "$dir/shadow.yaml" private
check_policy "explain, widened" 0 "takes all alike" explain --hooks lsm --policies "$dir/shadow.yaml" private
check_policy "explain, no such policy" 1 "no policy \"public\"" explain --hooks all --policies "$dir/shadow.yaml" public
check_policy "explain --json" 0 '"at":\[{"point":"file-open","effect":"prevents",' explain --json --hooks lsm --policies "$dir/shadow.yaml" private
check "explain, the kernel" 0 "^  deny       connect " "$picket" policy explain
check "explain, a kernel --json" 0 '{"name":"lsm",.*"ok":true' "$picket" policy explain --json --hooks lsm
check_policy "a directory" 1 "^not ok: " check --hooks any "$root/tests/policy/refused"
mkdir "$dir/two" && cp "$dir/mail.yaml" "$dir/two/a.yaml" && cp "$dir/mail.yaml" "$dir/two/b.yml"
check_policy "two of one name" 1 "b.yml:1:11: error: there are two policies 'web-sends-no-mail'" check --hooks all "$dir/two"
"$picket" policy import "$dir/tetragon.yaml" -o "$dir/own.yaml" || failed=1
check_policy "what was imported into a file" 0 "no-miners-1" list --hooks all "$dir/own.yaml"
head -c 5000 /dev/urandom >"$dir/noise.yaml"
check_policy "noise" 1 "noise.yaml:" check "$dir/noise.yaml"

"$picket" help --man policy >"$dir/policy.1" || failed=1
if command -v groff >/dev/null; then
	check "manual page" 0 "^$" sh -c "groff -man -ww -z '$dir/policy.1'; echo"
fi
exit $failed
