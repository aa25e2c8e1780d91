# SPDX-License-Identifier: Apache-2.0
#
# Programs that the verifier and the kernel both judge (tests/verify/compare.c): programs/ is right, compiled as people
# compile; each program of broken/ has one mistake; rules/ has, for rules of the kernel, what keeps them and what breaks them.
verify_program_sources := $(wildcard tests/verify/programs/*.bpf.c)
verify_broken_sources := $(wildcard tests/verify/broken/*.bpf.c)
verify_program_headers := $(wildcard tests/verify/programs/*.h)
verify_program_flags = -target bpf -g -Wall -Werror -Wno-unused-function -I/usr/include/$(multiarch) -D__TARGET_ARCH_$(ARCH) \
	-Ibpf/lib -Itests/verify/programs
verify_flags_v3 := -O2 -mcpu=v3
verify_flags_v2 := -O2 -mcpu=v2
verify_flags_o1 := -O1 -mcpu=v3
verify_flags_broken := -O2 -mcpu=v3
verify_flags_rules := -O2 -mcpu=v3

verify_objects = $(patsubst tests/verify/programs/%.bpf.c,build/verify-objects/$(1)/%.o,$(verify_program_sources))
verify_not_v2 := atomics # that return what was there came with v3
verify_rules_objects := $(patsubst tests/verify/rules/%.bpf.c,build/verify-objects/rules/%.o,$(wildcard tests/verify/rules/*.bpf.c))
verify_broken_objects := $(patsubst tests/verify/broken/%.bpf.c,build/verify-objects/broken/%.o,$(verify_broken_sources))
verify_program_objects := $(call verify_objects,v3) $(call verify_objects,o1) \
	$(filter-out $(verify_not_v2:%=build/verify-objects/v2/%.o),$(call verify_objects,v2))

define verify_variant
build/verify-objects/$(1)/%.o: $(2)/%.bpf.c $(verify_program_headers) Makefile tests/verify/programs.mk
	@mkdir -p $$(@D)
	@echo "  BPF     $$@"
	@$(CLANG) $$(verify_program_flags) $(verify_flags_$(1)) -c $$< -o $$@
endef
$(foreach variant,v3 v2 o1,$(eval $(call verify_variant,$(variant),tests/verify/programs)))
$(eval $(call verify_variant,broken,tests/verify/broken))
$(eval $(call verify_variant,rules,tests/verify/rules))

build/tests/verify_compare: build/tests/verify/compare.o $(foreach r,verify vm base,build/release/$(r).a)
	@echo "  LINK    $@"
	@$(CC) $(link_release) -o $@ -Wl,--start-group $^ -Wl,--end-group $(lib_bpf)

# What the verifier's tests need.
.PHONY: verify-programs
verify-programs: build/tests/helpers_oracle build/tests/verify_compare build/tests/verify_soundness $(verify_program_objects) \
	$(verify_broken_objects) $(verify_rules_objects)
