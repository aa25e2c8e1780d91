#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The sandbox by its commands: the conformance cases in every engine, and what run, test, asm and disasm say. From the
# project's root.
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh

# ---- the cases: each counts ----
# cases ENGINE DIR…: what is to fail is nothing for --jit, which checks nothing.
cases() {
	timeout 60 "$picket" vm test "--$1" "$2" >"$dir/out" 2>&1
	code=$?
	if [ $code -eq 3 ]; then
		echo "skip cases of $2, --$1: $(cat "$dir/out")"
	elif [ $code -ne 0 ]; then
		grep -v '^[0-9]* passed' "$dir/out" | sed "s|^FAIL |not ok - --$1 |"
		[ $code -eq 1 ] || echo "not ok - --$1 $2: ended with $code"
		failed=1
	else
		sed 's/^/ok - /;s/ passed.*//;s/^ok - \([0-9]*\)$/\1 passed, 0 failed, 0 skipped/' "$dir/out"
	fi
}
for engine in interpret checked jit; do
	cases $engine tests/vm
done
cases interpret tests/vm/negative
cases checked tests/vm/negative

# ---- test ----

printf -- "-- asm\nmov %%r0, 7\nexit\n-- result\n7\n" >"$dir/good.data"
printf -- "-- asm\nmov %%r0, 8\nexit\n-- result\n7\n" >"$dir/wrong.data"
printf -- "-- asm\nldxw %%r0, [%%r1]\nexit\n-- result\n7\n" >"$dir/fault.data"
printf -- "-- asm\nldxw %%r0, [%%r1]\nexit\n-- error\n" >"$dir/unsaid.data"
printf -- "-- asm\nldxw %%r0, [%%r1]\nexit\n-- error\nout-of-bounds read\n" >"$dir/expected.data"
printf -- "-- asm\nmov %%r0, 8\nexit\n-- error\nout-of-bounds read\n" >"$dir/missed.data"
printf -- "-- asm\nmov %%r0, 8\nexit\n" >"$dir/neither.data"
printf -- "-- nothing\n" >"$dir/broken.data"
check "test, good" 0 "^1 passed, 0 failed, 0 skipped$" "$picket" vm test "$dir/good.data"
check "test, expected error" 0 "^1 passed" "$picket" vm test "$dir/expected.data"
check "test, expected error is not for --jit" 0 "^0 passed, 0 failed, 1 skipped$" "$picket" vm test --jit "$dir/expected.data"
check "test, wrong result" 1 "FAIL .*/wrong.data: expected 0x7, got 0x8" "$picket" vm test "$dir/wrong.data"
check "test, fault" 1 "expected 0x7, got an error: out-of-bounds read" "$picket" vm test "$dir/fault.data"
check "test, error that is not said" 1 "does not say which" "$picket" vm test "$dir/unsaid.data"
check "test, error that did not come" 1 'expected an error with "out-of-bounds read", got 0x8' "$picket" vm test "$dir/missed.data"
check "test, nothing expected" 1 "either a result or an error" "$picket" vm test "$dir/neither.data"
check "test, broken" 1 "line 1: there is no section" "$picket" vm test "$dir/broken.data"
check "test, directory" 1 "^2 passed, 6 failed, 0 skipped$" "$picket" vm test "$dir"
check "test, verbose" 0 "^ok .*good.data" "$picket" vm test -v "$dir/good.data"
check "test, no such file" 1 "No such file" "$picket" vm test "$dir/none"
check "test, no cases" 1 "no file there ends in .data" "$picket" vm test rules
check "test, nothing named" 2 "which cases" "$picket" vm test

# ---- run ----
printf 'abc' >"$dir/memory"
cat >"$dir/sum.s" <<'END'
	mov %r0, 0
	jeq %r2, 0, exit
	ldxb %r1, [%r1]         # the first byte
	call local twice
	exit
twice:
	mov %r0, %r1
	lsh %r0, 1
	exit
END
check "run" 0 "^0x7$" "$picket" vm run "$dir/good.data"
for engine in interpret checked jit; do
	check "run --$engine with memory" 0 "^0xc2$" "$picket" vm run "--$engine" "$dir/sum.s" --mem "$dir/memory"
done
check "run --count" 0 "^3 instructions$" "$picket" vm run --count "$dir/sum.s"
check "run --trace" 0 '^ *6  lsh %r0, 1  *%r0 = 0xc2$' "$picket" vm run --trace "$dir/sum.s" --mem "$dir/memory"
check "run, fault" 1 "error: out-of-bounds read of 4 bytes at 0x0$" "$picket" vm run "$dir/fault.data"
check "run, where" 1 "at instruction 0: ldxw %r0, \[%r1\]" "$picket" vm run "$dir/fault.data"
check "run, registers" 1 "^   r0 0x0 .* r3 0x0$" "$picket" vm run "$dir/fault.data"
check "run --trace, fault" 1 "^     0  ldxw" "$picket" vm run --trace "$dir/fault.data"
check "run, endless" 1 "budget" "$picket" vm run tests/vm/negative/budget-ja.data
check "run, refused" 1 "instruction 0: add has no source" "$picket" vm run tests/vm/negative/alu-imm-src.data
check "run, two engines" 2 "not several" "$picket" vm run --jit --interpret "$dir/good.data"
check "run, trace of compiled code" 2 "are the interpreter's" "$picket" vm run --jit --trace "$dir/good.data"
check "run, nothing named" 2 "which program" "$picket" vm run
check "run, no such memory" 1 "No such file" "$picket" vm run "$dir/good.data" --mem "$dir/none"
check "no action" 2 "run or test programs" "$picket" vm
check "unknown action" 2 'cannot "walk"' "$picket" vm walk

# ---- asm and disasm: there and back ----
"$picket" vm asm "$dir/sum.s" -o "$dir/sum.bin"
"$picket" vm disasm "$dir/sum.bin" >"$dir/again.s"
check "asm -o and asm to a pipe are the same" 0 "" sh -c "'$picket' vm asm '$dir/sum.s' | cmp - '$dir/sum.bin' && echo"
check "disasm can be assembled" 0 "" sh -c "'$picket' vm asm '$dir/again.s' | cmp - '$dir/sum.bin' && echo"
check "disasm, label" 0 "jeq %r2, 0, .L4" cat "$dir/again.s"
check "disasm, function" 0 "call local .F5" cat "$dir/again.s"
check "disasm --c" 0 "if r2 == 0 goto .L4" "$picket" vm disasm --c "$dir/sum.bin"
check "disasm --color" 0 "$(printf '\033')" "$picket" vm disasm --color "$dir/sum.bin"
check "asm, mistake" 1 "bad.s:2:10: there is no register" sh -c "
	printf 'exit\nmov %%r0, %%r11\n' >'$dir/bad.s'; '$picket' vm asm '$dir/bad.s'"
printf '\377\0\0\0\0\0\0\0\225\0\0\0\0\0\0\0' >"$dir/bad.bin"
check "disasm, bad bytecode" 1 "# invalid 0xff: no such instruction, at 0" "$picket" vm disasm "$dir/bad.bin"
printf '\225\0\0' >"$dir/cut.bin"
check "disasm, cut bytecode" 1 "no whole number of instructions" "$picket" vm disasm "$dir/cut.bin"
check "every case comes back" 0 "^same$" sh -c "
	for f in tests/vm/*.data; do
		'$picket' vm asm \"\$f\" >'$dir/a' && '$picket' vm disasm '$dir/a' >'$dir/a.s' &&
			'$picket' vm asm '$dir/a.s' | cmp - '$dir/a' || exit 1
	done; echo same"
# Only ja32 reaches over 65,536 slots.
check "far jump" 0 "^0x5$" sh -c "
	{ printf 'mov %%r0, 2\nja32 far\nback: add %%r0, 1\nexit\n'; yes 'lddw %r0, 0' | head -n 40000
	printf 'far: add %%r0, 2\nja32 back\n'; } >'$dir/far.s'; '$picket' vm run '$dir/far.s'"

# ---- an object ----
cat >"$dir/object.c" <<'END'
#define SEC(name) __attribute__((section(name), used))
int table[4] = {1, 2, 3, 4};
static __attribute__((noinline)) int third(unsigned long i) { return table[i & 3]; }
SEC("xdp") int pass(unsigned char *ctx) { return third(ctx[0]); }
SEC("xdp") int crash(unsigned char *ctx) {
	return ctx[100];
}
END
if command -v clang >/dev/null && clang -target bpf -O2 -g -c "$dir/object.c" -o "$dir/object.o" 2>/dev/null; then
	check "object, which program" 2 "choose by --program: pass, crash" "$picket" vm run "$dir/object.o"
	check "object, no such program" 1 "it has pass, crash" "$picket" vm run "$dir/object.o" -p none
	check "object, run" 0 "^0x2$" "$picket" vm run "$dir/object.o" -p pass -m "$dir/memory"
	check "object, fault with its line" 1 "object.c:6:[0-9]*: return ctx.100.;" "$picket" vm run "$dir/object.o" -p crash
	check "object, fault with its function" 1 "at instruction [0-9]* in crash" "$picket" vm run "$dir/object.o" -p crash
	check "object, disasm" 0 "call local third" "$picket" vm disasm "$dir/object.o"
	check "object, disasm with lines" 0 "^; .*object.c:6: return ctx" "$picket" vm disasm "$dir/object.o"
	check "object, disasm with names of maps" 0 "map_value\[0\] .*# [0-9]*: \.data$" "$picket" vm disasm "$dir/object.o"
	check "object, disasm of one" 1 "^$" sh -c "'$picket' vm disasm '$dir/object.o' -p pass | grep -q crash || { echo; exit 1; }"
	check "object, asm" 1 "is an object" "$picket" vm asm "$dir/object.o"
	head -c 700 "$dir/object.o" >"$dir/cut.o"
	check "object, cut" 1 "cut.o: " "$picket" vm run "$dir/cut.o"
else
	echo "skip objects: clang cannot compile for eBPF here"
fi

# ---- what docs/sandbox.md shows ----
# block N KIND: the Nth block of code of a kind.
block() {
	awk -v n="$1" -v kind="$2" '/^```/ { on = $0 == "```" kind && !on && ++seen == n; next } on' docs/sandbox.md
}
block 1 data >"$dir/doc.data"
check "docs, case" 0 "^1 passed, 0 failed, 0 skipped$" "$picket" vm test "$dir/doc.data"
block 1 c >"$dir/filter.c"
if clang -target bpf -O2 -g -I"/usr/include/$(gcc -print-multiarch)" -c "$dir/filter.c" -o "$dir/filter.o" 2>"$dir/why"; then
	check "docs, run" 0 "^0x1$" "$picket" vm run "$dir/filter.o" --mem "$dir/memory"
	check "docs, trace" 0 "^     0  ldxb %r1, \[%r1\]  *%r1 = 0x61$" "$picket" vm run "$dir/filter.o" --mem "$dir/memory" --trace
	check "docs, fault" 1 "filter.c:14:14: __u32 key = packet.0.;" "$picket" vm run "$dir/filter.o"
else
	echo "skip docs: $(head -n 1 "$dir/why")"
fi

"$picket" help --man vm >"$dir/vm.1" || failed=1
if command -v groff >/dev/null; then
	check "manual page" 0 "^$" sh -c "groff -man -ww -z '$dir/vm.1'; echo"
fi
exit $failed
