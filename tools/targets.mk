# SPDX-License-Identifier: Apache-2.0
#
# What people type; the Makefile says how things are built. A line with two # is what `make help` shows.
PREFIX ?= /usr
DESTDIR ?=
FUZZ_SECONDS ?= 600
BENCH_SECONDS ?= 60
export FUZZ_SECONDS BENCH_SECONDS

# All cores, unless the caller said otherwise.
parallel = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))
build_all = +@$(MAKE) -s --no-print-directory $(parallel)

.PHONY: help
help: ## show this
	@echo "make: build build/picket"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "One room's unit tests: make unit-ROOM. One of them: make build/unit/ROOM/test_NAME, then run it."

# ---- to try it ----
.PHONY: deps run demo demo-gate
deps: ## install what building needs (Debian, Ubuntu), or tell
	@tools/deps build
run: deps ## build, and watch this machine with picket's own rules (root)
	$(build_all) build/picket
	@build/picket run --rules rules
demo: deps ## build, do harmless things that look suspicious, and show the alerts (root)
	$(build_all) build/picket build/tests/things
	@tests/demo/run
demo-gate: deps ## build, and show what new content passes, and what is stopped
	$(build_all) build/picket
	@tests/demo/gate

# ---- tests ----
tests_objects = $(patsubst tests/%.c,build/tests/%.o,$(wildcard $(1)))
sensors_objects := $(call tests_objects,$(filter-out tests/sensors/doer%,$(wildcard tests/sensors/*.c)))
build/tests/%.o: tests/%.c Makefile
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(cflags) $(flags_release) -c $< -o $@
build/tests/test_sensors: $(sensors_objects) $(foreach r,enrich loader event base,build/release/$(r).a)
	@echo "  LINK    $@"
	@$(CC) $(link_release) -o $@ -Wl,--start-group $^ -Wl,--end-group $(libs) -lpthread
build/tests/doer: $(call tests_objects,tests/sensors/doer*.c)
	@echo "  LINK    $@"
	@$(CC) -static -o $@ $^ -lpthread

build/tests/test_evasions: $(call tests_objects,tests/evasions/*.c) build/release/base.a
	@echo "  LINK    $@"
	@$(CC) $(link_release) -o $@ $^ $(libs) -lpthread
sieve_objects := $(filter-out %/test_evasions.o %/test_sieve.o %/hour.o,$(call tests_objects,tests/sieve/*.c tests/evasions/*.c))
build/tests/test_sieve: build/tests/sieve/test_sieve.o $(sieve_objects) build/release/base.a
	@echo "  LINK    $@"
	@$(CC) $(link_release) -o $@ $^ $(libs) -lpthread
build/tests/test_sieve_hour: build/tests/sieve/hour.o $(sieve_objects) build/release/base.a
	@echo "  LINK    $@"
	@$(CC) $(link_release) -o $@ $^ $(libs) -lpthread
build/tests/things: $(call tests_objects,tests/demo/*.c)
	@echo "  LINK    $@"
	@$(CC) $(link_release) -o $@ $^ -lpthread
build/tests/policy_act: build/tests/policy/act.o
	@echo "  LINK    $@"
	@$(CC) $(link_release) -o $@ $^
build/tests/vm_differential: $(call tests_objects,tests/vm/*.c) $(foreach r,vm base,build/release/$(r).a)
	@echo "  LINK    $@"
	@$(CC) $(link_release) -o $@ $^ -lpthread
build/tests/helpers_oracle: build/tests/verify/helpers_oracle.o $(foreach r,verify vm base,build/release/$(r).a)
	@echo "  LINK    $@"
	@$(CC) $(link_release) -o $@ -Wl,--start-group $^ -Wl,--end-group $(libs) -lpthread
soundness_sources := $(wildcard tests/verify/soundness*.c)
build/tests/verify_soundness: $(call tests_objects,$(soundness_sources)) $(foreach r,verify vm base,build/release/$(r).a)
	@echo "  LINK    $@"
	@$(CC) $(link_release) -o $@ -Wl,--start-group $^ -Wl,--end-group $(libs) -lpthread
build/tests/compiled_differential: $(call tests_objects,tests/compiled/differential.c tests/compiled/random.c) \
		$(foreach r,rule event verify vm base,build/release/$(r).a)
	@echo "  LINK    $@"
	@$(CC) $(link_release) -o $@ -Wl,--start-group $^ -Wl,--end-group $(libs) -lpthread
build/tests/sieve_differential: $(call tests_objects,tests/compiled/sieve*.c tests/compiled/random.c) \
		$(foreach r,loader rule event verify vm base,build/release/$(r).a)
	@echo "  LINK    $@"
	@$(CC) $(link_release) -o $@ -Wl,--start-group $^ -Wl,--end-group $(libs) -lpthread
build/tests/test_gate: $(call tests_objects,tests/gate/*.c) $(foreach r,core guard loader trust rule event verify vm base,build/release/$(r).a)
	@echo "  LINK    $@"
	@$(CC) $(link_release) -o $@ -Wl,--start-group $^ -Wl,--end-group $(libs) -lpthread
vm_tests := build/tests/vm_differential lib
live_tests := build/tests/test_sensors build/tests/doer build/tests/test_evasions build/tests/test_sieve build/tests/test_sieve_hour build/tests/things build/tests/policy_act
.PHONY: test-programs test unit test-kernels fuzz
test-programs: build/picket $(unit_tests) $(fuzzers) $(live_tests) $(vm_tests) build/tests/compiled_differential \
		build/tests/sieve_differential build/tests/test_gate build/tools/gen_reference verify-programs
test: ## build and run all tests; some need root, and are skipped without it
	@tools/deps test arm64
	$(build_all) test-programs
	@tests/run
unit: ## the unit tests alone, under ASan and UBSan
	@tools/deps test
	$(build_all) $(unit_tests)
	@tests/run unit
test-kernels: ## run the tests of sensors and guards on other kernels, under QEMU
	@tools/deps test kernels
	$(build_all) build/picket $(live_tests)
	@tests/kernels/run
fuzz: ## run each fuzzer for FUZZ_SECONDS
	@tools/deps test
	$(build_all) $(fuzzers)
	@tests/fuzz/run

# ---- checks, generated files, benchmarks ----
.PHONY: check format regen bench
check: ## look for what breaks the project's own rules; each failure says how to mend it
	@tools/deps check
	@tools/check
format: ## let clang-format set all C files
	@find src include examples bpf tests tools bench -name '*.[ch]' | sort | xargs clang-format -i
build/tools/gen_reference: tools/gen_reference.c Makefile
	@mkdir -p $(@D)
	@$(CC) $(cflags) -O1 $< -o $@
build/bench/%: bench/%.c Makefile
	@mkdir -p $(@D)
	@$(CC) $(cflags) $(flags_release) $(link_release) $< -o $@ -lpthread
build/tools/gen_vm_cases: $(wildcard tools/gen_vm_cases/*.c tools/gen_vm_cases/*.h) Makefile
	@mkdir -p $(@D)
	@$(CC) $(cflags) -MF $@.d -O1 $(filter %.c,$^) -o $@
regen: build/tools/gen_reference build/tools/gen_vm_cases ## make the generated files again: docs/reference, tests/vm/*.data
	@mkdir -p docs/reference
	@build/tools/gen_reference docs/reference
	@build/tools/gen_vm_cases tests/vm
bench: ## measure what picket costs, against no agent in the same run (root); BENCH_SECONDS, PICKET_FALCO_RULES, BENCH_WRITE=--write
	@tools/deps bench
	$(build_all) build/picket $(addprefix build/bench/,workload vm rules guards floor floor.bpf.o)
	@bench/run-vm $(BENCH_WRITE)
	@bench/run-guards
	@bench/run-rules $(BENCH_WRITE)
	@bench/run $(BENCH_WRITE)

# ---- to install it ----
# The rules stand in a fixed place, where picket looks for them; the rest goes below PREFIX.
commands = $(shell sed -n 's/^COMMAND.\([a-z]*\),.*/\1/p' schema/command.def)
bindir = $(DESTDIR)$(PREFIX)/bin
mandir = $(DESTDIR)$(PREFIX)/share/man/man1
unitdir = $(DESTDIR)$(PREFIX)/lib/systemd/system
rulesdir = $(DESTDIR)/usr/share/picket/rules
zsh_dir = zsh/$(if $(wildcard /etc/debian_version),vendor-completions,site-functions)
completions = bash:bash-completion/completions/picket zsh:$(zsh_dir)/_picket fish:fish/vendor_completions.d/picket.fish

.PHONY: install uninstall package clean
install: build/picket ## install below PREFIX (/usr) in DESTDIR: program, rules, manual pages, completions, systemd unit
	install -D -m 755 -s build/picket $(bindir)/picket
	install -d $(mandir) $(rulesdir) $(DESTDIR)/etc/picket/rules.d
	install -m 644 rules/*.yaml $(rulesdir)
	build/picket help --man picket >$(mandir)/picket.1
	for c in $(commands); do build/picket help --man $$c >$(mandir)/picket-$$c.1 || exit 1; done
	for c in $(completions); do \
		install -d $(DESTDIR)$(PREFIX)/share/$$(dirname $${c#*:}) && \
		build/picket help --completion $${c%%:*} >$(DESTDIR)$(PREFIX)/share/$${c#*:} || exit 1; \
	done
	install -d $(unitdir)
	sed 's|/usr/bin/picket|$(PREFIX)/bin/picket|' dist/picket.service >$(unitdir)/picket.service
	install -D -m 644 LICENSE $(DESTDIR)$(PREFIX)/share/doc/picket/copyright
uninstall: ## end picket, and remove what install put there; rules in /etc/picket stay
	-[ -n "$(DESTDIR)" ] || [ ! -d /run/systemd/system ] || systemctl disable --now picket.service
	-[ -n "$(DESTDIR)" ] || [ ! -x $(bindir)/picket ] || $(bindir)/picket disarm --kill
	rm -f $(bindir)/picket $(mandir)/picket.1 $(foreach c,$(commands),$(mandir)/picket-$(c).1) $(unitdir)/picket.service
	rm -f $(foreach c,$(completions),$(DESTDIR)$(PREFIX)/share/$(lastword $(subst :, ,$(c))))
	rm -rf $(rulesdir) $(DESTDIR)$(PREFIX)/share/doc/picket
package: ## make Debian packages in build/: picket, libpicket0, libpicket-dev
	@tools/deps build
	$(build_all) build/picket lib
	@dist/package $(VERSION)
clean: ## remove build/
	rm -rf build
