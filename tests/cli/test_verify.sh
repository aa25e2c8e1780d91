#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# picket verify and picket powers: exit codes, what they say of good, bad and damaged programs. From the project's root.
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh

# ---- the command lines ----
check "verify, nothing named" 2 "which programs" "$picket" verify
check "verify, no such file" 1 "No such file" "$picket" verify "$dir/none.o"
check "verify, no objects there" 1 "no file there ends in .o" "$picket" verify rules
check "powers, nothing named" 2 "of which object" "$picket" powers
check "powers, no such file" 1 "No such file" "$picket" powers "$dir/none.o"
check "powers, no object" 1 "neither an eBPF object nor a list" "$picket" powers README.md
check "powers, two forms" 2 "a text of its own" "$picket" powers --json --canonical README.md

# ---- programs without an object ----
printf 'mov r0, 1\nexit\n' >"$dir/good.s"
printf 'ldxb r0, [r1]\nexit\n' >"$dir/bad.s"
check "verify, text" 0 "^ok    good.s  memory  *at most 2 instructions, stack 0, 0 maps, [0-9.]* ms$" "$picket" verify "$dir/good.s"
check "verify, bad text" 1 "^FAIL  bad.s  memory  *packet-bounds$" "$picket" verify "$dir/bad.s"
check "verify, where" 1 "^      instruction 0: " "$picket" verify "$dir/bad.s"
check "verify, another kind" 0 "^ok    good.s  xdp " "$picket" verify --kind xdp "$dir/good.s"
check "verify, no such kind" 2 "there are memory, .*xdp" "$picket" verify --kind udp "$dir/good.s"
check "verify --trace" 0 "^     1  exit  *.*r0" "$picket" verify --trace "$dir/good.s"
check "verify --trace --json" 2 "is text" "$picket" verify --trace --json "$dir/good.s"
check "verify --json" 0 '"program":"good.s".*"accepted":true,"insn_bound":2,' "$picket" verify --json "$dir/good.s"
check "verify --json, bad" 1 '"accepted":false,"category":"packet-bounds","reason":"' "$picket" verify --json "$dir/bad.s"
check "verify, several" 1 "^1 accepted, 1 rejected$" "$picket" verify "$dir/good.s" "$dir/bad.s"
check "verify, no such types" 1 "No such file" "$picket" verify --btf "$dir/none" "$dir/good.s"
check "verify, no types" 1 "README.md: " "$picket" verify --btf README.md "$dir/good.s"
check "verify --color" 0 "$(printf '\033')" "$picket" verify --color "$dir/good.s"
check "verify, no colour in a pipe" 1 "^clean$" sh -c "
	TERM=xterm '$picket' verify '$dir/bad.s' | grep -q '$(printf '\033')' || { echo clean; exit 1; }"

# ---- what docs/verify.md shows ----
awk '/^```/ { on = $0 == "```c" && !on; next } on' docs/verify.md >"$dir/filter.c"
compile() {
	clang -target bpf -O2 -g -I"/usr/include/$(gcc -print-multiarch)" -c "$1" -o "$2" 2>"$dir/why"
}
if ! command -v clang >/dev/null || ! compile "$dir/filter.c" "$dir/filter.o"; then
	echo "skip objects: clang cannot compile for eBPF here"
	exit $failed
fi
sed 's/if (data + sizeof(\*eth) > end)/if ((void *)(ip + 1) > end)/' "$dir/filter.c" >"$dir/mended.c"
sed 's/return XDP_DROP/return bpf_redirect(2, 0)/' "$dir/mended.c" >"$dir/newer.c"
compile "$dir/mended.c" "$dir/mended.o" && compile "$dir/newer.c" "$dir/newer.o" || exit 1
check "docs, rejected" 1 "^FAIL  block  xdp  *packet-bounds$" "$picket" verify "$dir/filter.o"
check "docs, place" 1 "filter.c:26:16: error: .*\[packet-bounds\]$" "$picket" verify "$dir/filter.o"
check "docs, caret" 1 "^      |  *^$" "$picket" verify "$dir/filter.o"
check "docs, steps" 1 "^   17 | void \*data = " "$picket" verify "$dir/filter.o"
check "docs, what to change" 1 "^      what to change: " "$picket" verify "$dir/filter.o"
check "docs, page" 1 "more: docs/verifier/packet-bounds.md$" "$picket" verify "$dir/filter.o"
check "docs, mended" 0 "^ok    block  xdp  *at most [0-9]* instructions, stack [0-9]*, 1 map, " "$picket" verify "$dir/mended.o"
check "verify, in JSON" 1 '"file":"[^"]*filter.c","line":26,"column":16,' "$picket" verify --json "$dir/filter.o"
check "verify, one program" 1 "block" "$picket" verify --program block "$dir/filter.o"
check "verify, no such program" 1 'no program "nothing"' "$picket" verify --program nothing "$dir/filter.o"

# ---- a directory ----
mkdir -p "$dir/tree/below" && cp "$dir/mended.o" "$dir/tree/below/b.o" && cp "$dir/filter.o" "$dir/tree/a.o"
echo 'int f(void) { return 1; }' | cc -x c -c - -o "$dir/tree/host.o"
echo nothing >"$dir/tree/text.o"
ln -s .. "$dir/tree/below/circle"
check "verify, directory" 1 "^1 accepted, 1 rejected, 1 not readable, 1 skipped, which are not for eBPF$" "$picket" verify "$dir/tree"
check "verify, file on each line" 1 "^ok    .*/tree/below/b.o: block  xdp " "$picket" verify "$dir/tree"

# ---- damaged files ----
head -c 3000 "$dir/mended.o" >"$dir/cut.o"
check "verify, cut" 1 "cut.o: .*offset 0x" "$picket" verify "$dir/cut.o"
check "verify --json, cut" 1 '"error":"' "$picket" verify --json "$dir/cut.o"
check "powers, cut" 1 "cut.o: .*offset 0x" "$picket" powers "$dir/cut.o"

# ---- powers ----
check "powers" 0 "^  high  *drop-packets  *drops packets \[returns 1, .*mended.c:31\]$" "$picket" powers "$dir/mended.o"
check "powers --json" 0 '"power":"drop-packets","detail":"","severity":"high"' "$picket" powers --json "$dir/mended.o"
"$picket" powers --canonical "$dir/mended.o" >"$dir/mended.powers"
awk '/^```/ { on = !on; next } on && /^(picket-powers|power|program) /' docs/verify.md >"$dir/shown"
check "docs, canonical" 0 "^same$" sh -c "cmp '$dir/shown' '$dir/mended.powers' && echo same"
check "powers, a list" 0 "^  high  *drop-packets" "$picket" powers "$dir/mended.powers"
check "powers --canonical of a list" 0 "^same$" sh -c "
	'$picket' powers --canonical '$dir/mended.powers' | cmp - '$dir/mended.powers' && echo same"
check "powers --compare, the same" 0 "changes no powers" "$picket" powers --compare "$dir/mended.powers" "$dir/mended.o"
check "powers --compare, more" 1 "^  high  *redirect-packets  in block \[bpf_redirect, .*newer.c:30\]$" "$picket" powers --compare "$dir/mended.powers" "$dir/newer.o"
check "powers --compare, less" 0 "^this update removes:$" "$picket" powers --compare "$dir/newer.o" "$dir/mended.o"
check "powers --compare --json" 1 '^{"added":\[{"program":"block","power":"redirect-packets",' "$picket" powers --json --compare "$dir/mended.powers" "$dir/newer.o"
sed 's/drop-packets/fly/' "$dir/mended.powers" >"$dir/broken.powers"
check "powers, broken list" 1 "broken.powers:2:1: there is no such power" "$picket" powers "$dir/broken.powers"

for c in verify powers; do
	"$picket" help --man $c >"$dir/$c.1" || failed=1
	if command -v groff >/dev/null; then
		check "manual page of $c" 0 "^$" sh -c "groff -man -ww -z '$dir/$c.1'; echo"
	fi
done
exit $failed
