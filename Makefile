# SPDX-License-Identifier: Apache-2.0
#
# make, make run, make demo, make test, make check, make bench, make regen, make install: see `make help`.
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.SECONDARY:
.DELETE_ON_ERROR:

VERSION := 0.1.0
CC := gcc
CLANG := clang
BPFTOOL := $(firstword $(wildcard /usr/sbin/bpftool /usr/local/sbin/bpftool) bpftool)
ARCH := $(shell uname -m | sed 's/x86_64/x86/;s/aarch64/arm64/')

warnings := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Wundef
cflags := -std=gnu11 -D_GNU_SOURCE -DPICKET_VERSION='"$(VERSION)"' -g $(warnings) -Isrc -Iinclude -I. -Ibuild/gen -MMD -MP
# picket itself is optimised as a whole when it is linked; tests take the same objects as they are, which only gcc can make.
whole := $(if $(findstring clang,$(shell $(CC) --version)),,yes)
flags_release := -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE $(if $(whole),-flto=auto -ffat-lto-objects)
flags_asan := -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
flags_fuzz := -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
link_release := -pie -Wl,-z,relro,-z,now -fno-lto
link_whole := $(link_release) $(if $(whole),-flto=auto -O2 -Wno-maybe-uninitialized)
link_asan := -fsanitize=address,undefined
cc_release := $(CC)
cc_asan := $(CC)
cc_fuzz := $(CLANG)

rooms := $(shell awk -F: '/^[a-z]/ { print $$1 }' tools/deps.txt)
# Rooms and libraries that a room needs, itself first, from tools/deps.txt.
needs = $(shell awk -F: -v r=$(1) '$$1 == r { gsub(/\[.*/, "", $$2); print $$2 }' tools/deps.txt)
lib_yaml := -lyaml
lib_pcre2 := -lpcre2-8
lib_cjson := -lcjson
lib_zstd := -lzstd
lib_bpf := -lbpf
lib_cap := -lcap
lib_sodium := -lsodium
libs := $(lib_yaml) $(lib_pcre2) $(lib_cjson) $(lib_zstd) $(lib_bpf) $(lib_cap) $(lib_sodium)

sources = $(wildcard src/$(1)/*.c)
objects = $(patsubst src/%.c,build/$(2)/%.o,$(call sources,$(1)))
archive = build/$(1)/$(2).a

.PHONY: all
all: build/picket

# ---- the kernel half ----
bpf_sources := $(wildcard bpf/sensors/*.bpf.c bpf/guards/*.bpf.c)
bpf_headers := $(wildcard bpf/lib/*.h schema/*.def schema/*.h)
multiarch := $(shell $(CC) -print-multiarch 2>/dev/null)
bpf_flags = -target bpf -I/usr/include/$(multiarch) -mcpu=v3 -O2 -g -Wall -Wextra -Werror -Wno-unused-parameter -Ibpf/lib -I.

build/gen/picket.bpf.c: $(bpf_sources) Makefile
	@mkdir -p $(@D)
	@for f in $(bpf_sources); do echo "#include \"$$f\""; done >$@
build/bpf/%/picket.bpf.o: build/gen/picket.bpf.c $(bpf_sources) $(bpf_headers)
	@mkdir -p $(@D)
	@echo "  BPF     $@"
	@$(CLANG) $(bpf_flags) -D__TARGET_ARCH_$* -c $< -o $@.raw
	@$(BPFTOOL) gen object $@ $@.raw
build/gen/picket.skel.h: build/bpf/$(ARCH)/picket.bpf.o
	@$(BPFTOOL) gen skeleton $< name picket_bpf >$@

# ---- rooms ----
define flavour
build/$(1)/%.o: src/%.c Makefile
	@mkdir -p $$(@D)
	@echo "  CC      $$<"
	@$$(cc_$(1)) $$(cflags) $$(flags_$(1)) -c $$< -o $$@
build/$(1)/loader/%.o: src/loader/%.c build/gen/picket.skel.h Makefile
	@mkdir -p $$(@D)
	@echo "  CC      $$<"
	@$$(cc_$(1)) $$(cflags) $$(flags_$(1)) -c $$< -o $$@
endef
$(foreach f,release asan fuzz,$(eval $(call flavour,$(f))))

define room
build/$(1)/$(2).a: $$(call objects,$(2),$(1))
	@rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach f,release asan fuzz,$(foreach r,$(rooms),$(if $(wildcard src/$(r)/*.c),$(eval $(call room,$(f),$(r))))))

present := $(foreach r,$(rooms),$(if $(wildcard src/$(r)/*.c),$(r)))
archives = $(foreach r,$(present),build/$(1)/$(r).a)

build/picket: $(call archives,release)
	@echo "  LINK    $@"
	@$(CC) $(link_whole) -o $@ -Wl,--start-group $^ -Wl,--end-group $(libs)
build/picket-asan: $(call archives,asan)
	@echo "  LINK    $@"
	@$(CC) $(link_asan) -o $@ -Wl,--start-group $^ -Wl,--end-group $(libs)

# ---- objects that tests of the sandbox load: tests/vm/objects/X.bpf.c, for each version of the instruction set ----
vm_cpus := v1 v2 v3 $(filter v4,$(shell $(CLANG) --target=bpf -print-supported-cpus 2>&1))
vm_object = $(patsubst tests/vm/objects/%.bpf.c,build/vm-objects/$(1)/%.o,$(wildcard tests/vm/objects/*.bpf.c))
vm_objects := $(foreach cpu,$(vm_cpus),$(call vm_object,$(cpu)))
define vm_cpu
build/vm-objects/$(1)/%.o: tests/vm/objects/%.bpf.c Makefile
	@mkdir -p $$(@D)
	@$(CLANG) -target bpf -I/usr/include/$(multiarch) -mcpu=$(1) -O2 -g -Wall -c $$< -o $$@
endef
$(foreach cpu,$(vm_cpus),$(eval $(call vm_cpu,$(cpu))))
build/vm-objects/%/linked.o: build/vm-objects/%/link_main.o build/vm-objects/%/link_library.o
	@$(BPFTOOL) gen object $@ $^
vm_objects += $(foreach cpu,$(vm_cpus),build/vm-objects/$(cpu)/linked.o)

# ---- unit tests: tests/unit/ROOM/test_X.c links ROOM and what it may include ----
unit_sources := $(wildcard tests/unit/*/test_*.c)
unit_tests := $(patsubst tests/unit/%.c,build/unit/%,$(unit_sources))
room_archives = $(foreach r,$(filter $(present),$(1) $(call needs,$(1))),build/$(2)/$(r).a)
define unit
$(patsubst tests/unit/%.c,build/unit/%,$(1)): $(1) $(call room_archives,$(2),asan) Makefile
	@mkdir -p $$(@D)
	@echo "  CC      $$<"
	@$$(CC) $$(cflags) $$(flags_asan) $$(link_asan) $$< -o $$@ -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group -lcmocka $$(libs)
endef
$(foreach t,$(unit_sources),$(eval $(call unit,$(t),$(word 3,$(subst /, ,$(t))))))

$(filter build/unit/vm/%,$(unit_tests)): $(vm_objects)

# One test, or one room's:  make unit-rule, make build/unit/rule/test_condition
.PHONY: $(addprefix unit-,$(rooms))
define unit_room
unit-$(1): $(filter build/unit/$(1)/%,$(unit_tests))
	@for t in $$^; do $$$$t || exit 1; done
endef
$(foreach r,$(rooms),$(eval $(call unit_room,$(r))))

# ---- fuzzers: tests/fuzz/fuzz_ROOM_X.c ----
fuzz_sources := $(wildcard tests/fuzz/fuzz_*.c)
fuzzers := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(fuzz_sources))
define fuzz
build/fuzz/$(1): tests/fuzz/$(1).c $(call room_archives,$(2),fuzz) Makefile
	@mkdir -p $$(@D)
	@echo "  FUZZ    $$@"
	@$$(CLANG) $$(cflags) -O1 -fsanitize=fuzzer,address,undefined $$(filter %.c,$$^) -o $$@ -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $$(libs)
endef
$(foreach f,$(patsubst tests/fuzz/%.c,%,$(fuzz_sources)),$(eval $(call fuzz,$(f),$(word 2,$(subst _, ,$(f))))))
build/fuzz/fuzz_rule_compile: tests/compiled/random.c

include tools/targets.mk tools/lib.mk tools/bench.mk tests/verify/programs.mk
-include $(shell find build -name '*.d' -type f 2>/dev/null)
