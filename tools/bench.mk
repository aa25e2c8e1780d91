# SPDX-License-Identifier: Apache-2.0
#
# What the scripts of bench/ run.
build/bench/%.bpf.o: bench/%.bpf.c bench/kernels.h Makefile
	@mkdir -p $(@D)
	@echo "  BPF     $@"
	@$(CLANG) $(bpf_flags) -c $< -o $@
build/bench/floor: bench/floor.c Makefile
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@$(CC) $(cflags) $(flags_release) $(link_release) $< -o $@ -lbpf
build/bench/vm: bench/vm.c bench/vm_native.c bench/vm_native.h bench/kernels.h build/bench/vm.bpf.o \
		$(foreach r,vm base,build/release/$(r).a)
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@$(CC) $(cflags) $(flags_release) $(link_release) $(filter %.c %.a,$^) -o $@ -lpthread
build/bench/rules: bench/rules.c $(foreach r,core $(call needs,core),$(if $(wildcard src/$(r)/*.c),build/release/$(r).a)) Makefile
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@$(CC) $(cflags) $(flags_release) $(link_whole) $< -o $@ -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(libs)
build/bench/recent: bench/recent.c $(foreach r,core $(call needs,core),$(if $(wildcard src/$(r)/*.c),build/release/$(r).a)) Makefile
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@$(CC) $(cflags) $(flags_release) $(link_whole) $< -o $@ -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(libs)
build/bench/guards: bench/guards.c Makefile
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@$(CC) $(cflags) $(flags_release) $(link_release) $< -o $@ $(lib_bpf)
