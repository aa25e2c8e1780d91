#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# picket bundle, apply and history, by their exit codes and what they say; and with minisign. From the project's root.
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
cd "$dir" || exit 1

# edit FILE SED-COMMAND: in place, and it must change something.
edit() {
	sed "$2" "$1" >edited
	! cmp -s edited "$1" || { echo "not ok - nothing to edit in $1: $2" && failed=1; }
	cp edited "$1"
}

# ---- made and signed ----
check "no action" 2 "init, build" "$picket" bundle
check "unknown action" 2 'cannot "frob"' "$picket" bundle frob
check "init, nowhere" 2 "is missing" "$picket" bundle init
check "init, a wrong name" 1 "a name is of a-z" "$picket" bundle init --name Web web
check "init" 0 "was made" "$picket" bundle init --name web web
check "init, twice" 1 "File exists" "$picket" bundle init --name web web
check "show, not built" 1 "here must stand \"schema\"" "$picket" bundle show web
check "build" 0 "web 1, 1 file, not signed" "$picket" bundle build web
check "build again" 0 "web 1, 1 file, not signed" "$picket" bundle build -o one.bundle web
mkdir empty
check "build, no bundle" 1 "manifest: it is missing" "$picket" bundle build empty
check "build, of a file" 2 "is not a directory" "$picket" bundle build one.bundle
check "verify, no keys" 1 "No such file" "$picket" bundle verify -k keys web
check "keygen, nowhere" 2 "where is the secret key" "$picket" bundle keygen
check "keygen" 0 "public key: alice.key.pub" "$picket" bundle keygen --no-passphrase -s alice.key
check "keygen, over a key" 1 "is not written over" "$picket" bundle keygen --no-passphrase -s alice.key
check "keygen, no terminal" 1 "there is no terminal" setsid "$picket" bundle keygen -s carol.key
"$picket" bundle keygen --no-passphrase -s bob.key >/dev/null
check "a secret key's rights" 0 "^600$" stat -c %a alice.key
cp alice.key.pub keys
check "verify, not signed" 1 "refused signatures *.*count: 0" "$picket" bundle verify -k keys web
check "sign, by nobody" 2 "by which key" "$picket" bundle sign web
check "sign" 0 "1 signature now" "$picket" bundle sign -s alice.key one.bundle
check "verify" 0 "ok *signatures *by" "$picket" bundle verify -k keys one.bundle
check "verify --json" 0 '"passed":true' "$picket" bundle verify --json -k keys one.bundle
check "sign, a directory" 0 "1 signature now" "$picket" bundle sign -s bob.key web
check "verify, an unknown key" 1 "not in the file of trusted keys" "$picket" bundle verify -k keys web
check "sign, both" 0 "2 signatures now" "$picket" bundle sign -s alice.key web
chmod 644 bob.key
check "sign, a key that others may read" 1 "others may read it" "$picket" bundle sign -s bob.key web
chmod 600 bob.key
{ echo "threshold 2" && cat alice.key.pub bob.key.pub; } >both
check "verify, threshold" 1 "count: 1; needed, by different keys: 2" "$picket" bundle verify -k both one.bundle
check "verify, both" 0 "2 needed" "$picket" bundle verify -k both web
chmod 666 both
check "verify, keys that others may write" 1 "others may write it" "$picket" bundle verify -k both web
chmod 644 both
check "keys with a mistake" 1 "wrong:2:1: error: this is no public key" sh -c 'printf "# keys\nalice\n" >wrong && "$0" bundle verify -k wrong web' "$picket"
check "unpack" 0 "" sh -c '"$0" bundle unpack one.bundle two && echo' "$picket"
check "unpacked" 0 "ok *files" "$picket" bundle verify -k keys two
check "show" 0 "^signed *key" "$picket" bundle show one.bundle
check "show --json" 0 '"files":\[{"path":"rules/first.yaml"' "$picket" bundle show --json one.bundle
check "show --manifest" 0 "^file rules/first.yaml" "$picket" bundle show --manifest one.bundle
hash=$("$picket" bundle show --json one.bundle | jq -r '.files[0].hash')
check "b2sum says the same" 0 "^$hash" b2sum -l 256 web/rules/first.yaml

# ---- what a bundle may not be ----
head -c 300 one.bundle >cut.bundle
check "cut" 1 "it is cut" "$picket" bundle verify -k keys cut.bundle
cp -r web touched && echo "# x" >>touched/rules/first.yaml
check "touched" 1 "another size" "$picket" bundle verify -k both touched
cp -r web bad && edit bad/rules/first.yaml 's/fd.name =/fd.nmae =/'
check "build, a mistake in a rule" 1 "rules/first.yaml:[0-9]*:[0-9]*: error:" "$picket" bundle build bad
check "a bundle that is not built stays as it was" 0 "^version 1$" cat bad/manifest
cp -r web untested && edit untested/rules/first.yaml '/samples:/,$d'
check "build, no samples" 1 "it has no samples" "$picket" bundle build untested
cp -r web powerful && edit powerful/manifest 's/^file /power kill\n&/'
check "build, a power for nothing" 1 "which nothing in it needs" "$picket" bundle build powerful
cp -r web wordy && edit wordy/manifest 's/^version 1/version one/'
check "build, a mistake in the manifest" 1 "manifest:3:9: error: a version is a number" "$picket" bundle build wordy
ln -s /etc/passwd web/rules/link.yaml
check "build, a link" 1 "rules/link.yaml: a link" "$picket" bundle build web
rm web/rules/link.yaml

# ---- compared ----
cp -r two three
edit three/manifest 's/^version 1/version 2/'
edit three/rules/first.yaml 's/open, openat, openat2) and/open, openat) and/; s/WARNING/NOTICE/'
"$picket" bundle build -o three.bundle three >/dev/null
check "diff" 0 "no longer covers openat2" "$picket" bundle diff one.bundle three
check "diff, priority" 0 "priority Warning .* Notice" "$picket" bundle diff one.bundle three
check "diff --json" 0 '"effect":"less","subject":"rule","name":"Backup key read"' "$picket" bundle diff --json one.bundle three
check "diff, nothing" 0 "they do the same" "$picket" bundle diff one.bundle two
check "diff, one" 2 "the new bundle is missing" "$picket" bundle diff one.bundle

esc=$(printf '\033')
cp -r two hostile && edit hostile/rules/first.yaml 's/^- rule: .*/- rule: "Evil\\e[31mname"/'
edit hostile/manifest 's/^version 1/version 3/'
"$picket" bundle build hostile >/dev/null 2>&1
check "names reach no terminal" 0 "Evil.*is added" "$picket" bundle diff one.bundle hostile
! grep -q "$esc" out || { echo "not ok - names reach no terminal: an escape did" && failed=1; }

# ---- with policies ----
"$picket" bundle init --name guarded guarded >/dev/null && mkdir guarded/policies
cat >guarded/policies/mail.yaml <<'END'
- policy: web-sends-no-mail
  version: 1
  desc: The web server has no reason to speak SMTP.
  condition: evt.type = connect and fd.rport in (25, 465, 587)
  action: deny
  at: connect
  scope: {unit: nginx.service}
  mode: shadow
END
check "build, a power that is not stated" 1 'needs the power "deny:connect"' "$picket" bundle build guarded
edit guarded/manifest 's/^expires .*/&\npower deny:connect/'
check "build, stated" 0 "ok *powers *deny:connect, as stated" "$picket" bundle build -o guarded.bundle guarded
cp -r guarded stronger && edit stronger/policies/mail.yaml 's/mode: shadow/mode: enforce/'
edit stronger/manifest 's/^version 1/version 2/'
"$picket" bundle build stronger >/dev/null
check "diff, policies" 0 'policy "web-sends-no-mail" mode shadow .* enforce' "$picket" bundle diff guarded stronger
edit stronger/policies/mail.yaml 's/action: deny/action: destroy/'
check "build, a mistake in a policy" 1 "policies/mail.yaml:5:11: error: 'destroy' is no action" "$picket" bundle build stronger

# ---- applied ----
check "apply --plan" 0 "would be accepted" "$picket" apply --plan -k keys --state state one.bundle
check "apply --plan, replay of nothing" 0 "ok *replay *there is no recent history here" "$picket" apply --plan -k keys --state state one.bundle
check "apply --plan leaves nothing" 2 "" ls state
check "history of a new host" 0 "" sh -c '"$0" history --state state && echo' "$picket"
check "apply" 0 "^accepted" "$picket" apply -k keys --state state one.bundle
check "apply, again" 1 "accepted here already" "$picket" apply -k keys --state state one.bundle
check "apply, not signed" 1 "count: 0; needed" "$picket" apply -k keys --state state three.bundle
"$picket" bundle sign -s alice.key three.bundle >/dev/null
check "apply, the next" 0 "2, and 1 was seen here" "$picket" apply -k keys --state state three.bundle
check "apply, a rollback" 1 "refused version *version 1 is older than 2" "$picket" apply -k keys --state state one.bundle
check "apply --json" 1 '"verdict":"refused","reason":"version 1 is older' "$picket" apply --json -k keys --state state one.bundle
check "apply, a small budget" 1 "costs most" "$picket" apply --plan --rule-budget 10 -k keys --state none one.bundle
"$picket" bundle init --name db db >/dev/null && "$picket" bundle build -o db.bundle db >/dev/null
"$picket" bundle sign -s alice.key db.bundle >/dev/null
check "apply, another name" 1 'takes bundles named "web"' "$picket" apply -k keys --state state db.bundle
check "apply, another name that is wanted" 0 "would be accepted" "$picket" apply --plan --other-name -k keys --state state db.bundle
check "history" 0 "next: web 2" "$picket" history --state state
check "history, lines" 0 "^7$" sh -c '"$0" history --state state --json | jq length' "$picket"
check "history, evidence" 0 "version 1 was accepted here already" "$picket" history --verbose --state state
if command -v faketime >/dev/null; then
	check "apply, expired" 1 "it expired at" faketime '+2 years' "$picket" apply --plan -k keys --state none one.bundle
fi
cp -r state tampered && edit tampered/history 's/"refused"/"granted"/'
check "history, tampered" 1 "a line is not what it was" "$picket" history --state tampered
check "apply --plan, history tampered" 1 "a line is not what it was" "$picket" apply --plan --other-name -k keys --state tampered db.bundle
check "apply, history tampered" 1 "tampered with" "$picket" apply -k keys --state tampered db.bundle
cp -r state short && sed -i '$d' short/history
check "history, its end is gone" 1 "lines are gone from its end" "$picket" history --state short
cp -r state old && printf x >>old/history
check "history, a line that was not finished" 0 "does not end" "$picket" history --state old
check "apply goes on after it" 0 "^accepted" "$picket" apply --other-name -k keys --state old db.bundle
cp -r state forged && edit forged/state 's/^newest web 2/newest web 1/'
check "apply, state damaged" 1 "does not agree with its check" "$picket" apply -k keys --state forged db.bundle
check "apply, nowhere to write" 3 "Not a directory" "$picket" apply -k keys --state /dev/null/state one.bundle

# ---- with minisign ----
if ! command -v minisign >/dev/null; then
	echo "skip minisign is missing"
	exit $failed
fi
check "minisign verifies a signature of picket" 0 "Signature and comment signature verified" \
	minisign -Vm two/manifest -p alice.key.pub
minisign -G -W -f -p m.pub -s m.key >/dev/null 2>&1
"$picket" bundle show --manifest three.bundle >three.manifest
minisign -S -s m.key -m three.manifest -x three.minisig >/dev/null 2>&1
check "a signature of minisign is added" 0 "2 signatures now" "$picket" bundle sign --add three.minisig three.bundle
{ cat alice.key.pub m.pub && echo "threshold 2"; } >with
check "and verified" 0 "2 needed" "$picket" bundle verify -k with three.bundle
check "minisign signs with a key of picket" 0 "" sh -c 'minisign -S -s alice.key -m keys && minisign -Vm keys -p alice.key.pub'
check "picket signs with a key of minisign" 0 "2 signatures now" "$picket" bundle sign -s m.key two
check "a legacy signature is refused" 1 "old form" sh -c 'minisign -S -l -s m.key -m three.manifest -x l.minisig >/dev/null && "$0" bundle sign --add l.minisig three.bundle' "$picket"
exit $failed
