#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The commands that need no privileges, by their exit codes and what they say. From the project's root.
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh

cat >"$dir/good.yaml" <<'END'
- list: shells
  items: [sh, bash]
- rule: Shell started
  desc: A shell was started.
  condition: evt.type = execve and proc.name in (shells)
  output: A shell | program=%proc.exepath
  priority: NOTICE
  tags: [shell]
  samples:
    match:
      - name: bash
        fields: {evt.type: execve, proc.name: bash}
    nomatch:
      - name: cat
        fields: {evt.type: execve, proc.name: cat}
END
sed 's/proc.name in/proc.nmae in/' "$dir/good.yaml" >"$dir/bad.yaml"
sed 's/proc.name: cat/proc.name: sh/' "$dir/good.yaml" >"$dir/failing.yaml"
head -c 5000 /dev/urandom >"$dir/noise"

check "no command" 2 "usage: picket COMMAND" "$picket"
check "--help" 0 "Exit codes" "$picket" --help
check "help of a command" 0 "picket replay" "$picket" help replay
check "--help after a command" 0 "usage: picket run" "$picket" run --help
check "version" 0 "^picket [0-9]" "$picket" --version
check "unknown command" 2 "did you mean replay" "$picket" repaly
check "unknown option" 2 "did you mean --rules" "$picket" run --ruels x
check "option before the command" 2 "the command comes first" "$picket" --json run
check "missing value" 2 "needs an argument" "$picket" run --rules

check "rules check, good" 0 "1 rules, 0 mistakes, 0 warnings" "$picket" rules check "$dir/good.yaml"
check "rules check, bad" 1 "bad.yaml:5:.*proc.nmae" "$picket" rules check "$dir/bad.yaml"
check "rules check, hint" 1 "did you mean proc.name" "$picket" rules check "$dir/bad.yaml"
check "rules check, no file" 1 "No such file" "$picket" rules check "$dir/none.yaml"
check "rules check, small budget" 1 "Shell started.* costs most" "$picket" rules check --rule-budget 10 "$dir/good.yaml"
check "rules check, no budget" 2 "0 instructions are none" "$picket" rules check --rule-budget 0 "$dir/good.yaml"
check "run, small budget" 1 "LOAD_ERR_BUDGET" "$picket" run --rule-budget 10 -r "$dir/good.yaml"
check "rules compile" 0 "written" sh -c '"$0" rules compile -o "$1/good.o" -r "$1/good.yaml" && echo written' "$picket" "$dir"
check "rules compile to standard output" 0 "^.ELF" sh -c '"$0" rules compile -o - -r "$1" | head -c 4' "$picket" "$dir/good.yaml"
check "vm disasm of compiled rules" 0 "good.yaml:3: rule: Shell started" "$picket" vm disasm "$dir/good.o"
check "verify of compiled rules" 0 "execve *rule *at most" "$picket" verify "$dir/good.o"
check "rules compile, nowhere" 2 "into which file" "$picket" rules compile -r "$dir/good.yaml"
check "rules compile, bad" 1 "proc.nmae" "$picket" rules compile -o "$dir/bad.o" -r "$dir/bad.yaml"
check "rules compile, not writable" 1 "No such file" "$picket" rules compile -o "$dir/none/x.o" -r "$dir/good.yaml"
check "rules test, good" 0 "2 samples, 0 failures" "$picket" rules test "$dir/good.yaml"
check "rules test, failing" 1 "FAIL" "$picket" rules test "$dir/failing.yaml"
check "rules list" 0 "Notice.*Shell started" "$picket" rules list -r "$dir/good.yaml"
check "rules list, nothing" 1 "no rule has" "$picket" rules list zebra -r "$dir/good.yaml"
check "rules list --json" 0 '"name":"Shell started"' "$picket" rules list --json -r "$dir/good.yaml"
check "rules explain" 0 "bash" "$picket" rules explain shell -r "$dir/good.yaml"
check "rules explain, atoms" 0 "a1 .*process *trie .*proc.name in (sh, bash)" "$picket" rules explain shell -r "$dir/good.yaml"
check "rules explain, cost" 0 "all rules for such an event" "$picket" rules explain shell -r "$dir/good.yaml"
check "rules explain --bytecode" 0 "r7 + .*a1 " "$picket" rules explain shell --bytecode -r "$dir/good.yaml"
check "rules explain --json" 0 '"bounds":{"execve":' "$picket" rules explain shell --json -r "$dir/good.yaml"
check "rules explain, unknown" 1 "no rule has" "$picket" rules explain zebra -r "$dir/good.yaml"
check "rules without action" 2 "list, check, test, explain or compile" "$picket" rules
check "own rules are sound" 0 "0 failures" "$picket" rules test --strict

check "fields" 0 "^proc.name " "$picket" fields proc.name
check "fields, near miss" 1 "did you mean proc.name" "$picket" fields proc.nmae
check "fields --json" 0 '"name":"fd.name"' "$picket" fields --json
check "fields --events" 0 "evt.arg.flags" "$picket" fields --events openat

check "replay, no capture" 2 "takes one capture" "$picket" replay
check "replay, missing file" 1 "No such file" "$picket" replay "$dir/none.cap"
check "replay, noise" 1 "not a capture" "$picket" replay "$dir/noise"
check "run with bad rules" 1 "1 mistake in the rules" "$picket" run -r "$dir/bad.yaml"
check "run with an unknown tag" 1 "has the tag" "$picket" run -r "$dir/good.yaml" --disable tag=zebra
check "run with an unknown field" 2 "no field" "$picket" run -r "$dir/good.yaml" --add-fields proc.zebra
check "run with a wrong size" 2 "is not a size" "$picket" run --ring-size 8X
check "run with an odd ring" 2 "a power of two" "$picket" run --ring-size 12345
check "events with a wrong filter" 1 "did you mean evt.type" "$picket" events evt.typ = open
check "record without a file" 2 "name the capture" "$picket" record
check "status, no daemon" 3 "no picket runs here" "$picket" status --status-socket "$dir/none.sock"

for c in picket run events record replay rules fields status doctor vm bundle apply history policy disarm help version; do
	"$picket" help --man "$c" >"$dir/$c.1" || failed=1
	if command -v groff >/dev/null && [ -n "$(groff -man -ww -z "$dir/$c.1" 2>&1)" ]; then
		echo "not ok - manual page of $c: $(groff -man -ww -z "$dir/$c.1" 2>&1 | head -3)"
		failed=1
	fi
done
"$picket" help --completion bash >"$dir/bash"
check "bash completion is bash" 0 "" sh -c "bash -n '$dir/bash' && echo"
check "bash completes an option" 0 "^--rules$" bash -c ". '$dir/bash'
	COMP_WORDS=(picket run --ru) COMP_CWORD=2; _picket; printf '%s\n' \"\${COMPREPLY[@]}\""
check "bash completes a value" 0 "^first$" bash -c ". '$dir/bash'
	COMP_WORDS=(picket run --match f) COMP_CWORD=3; _picket; printf '%s\n' \"\${COMPREPLY[@]}\""

if [ "$(id -u)" -eq 0 ]; then
	copy="$dir/picket"
	cp "$picket" "$copy" && chmod 755 "$dir" "$copy"
	check "run without privileges" 3 "CAP_BPF" setpriv --reuid=65534 --regid=65534 --clear-groups "$copy" run -r "$dir/good.yaml"
	check "doctor without privileges" 3 "cannot run here" setpriv --reuid=65534 --regid=65534 --clear-groups "$copy" doctor
else
	check "run without privileges" 3 "CAP_BPF" "$picket" run -r "$dir/good.yaml"
fi
exit $failed
