# SPDX-License-Identifier: Apache-2.0
#
# The sandbox and its tests for arm64, statically linked: what tests/arm64/run runs.
#   make -f tests/arm64/build.mk
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:

CC := aarch64-linux-gnu-gcc
warnings := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Wundef
cflags := -std=gnu11 -D_GNU_SOURCE -g -O2 -D_FORTIFY_SOURCE=2 $(warnings) -Isrc -Iinclude -I. -MMD -MP
out := build/arm64

shared := $(patsubst %.c,$(out)/%.o,$(wildcard src/vm/*.c src/base/*.c))
# Those unit tests that run compiled code, and need no object files.
unit_sources := $(wildcard $(addprefix tests/unit/vm/test_,jit*.c tail_call.c helper*.c slot.c threads.c))
unit := $(patsubst tests/unit/vm/%.c,$(out)/unit/%,$(unit_sources))

.PHONY: all unit-tests
all: $(out)/runner $(out)/vm_differential $(unit)
unit-tests: # their names
	@echo $(unit)

$(out)/%.o: %.c tests/arm64/build.mk
	@mkdir -p $(@D)
	@$(CC) $(cflags) -c $< -o $@
$(out)/shared.a: $(shared)
	@rm -f $@ && aarch64-linux-gnu-ar rcs $@ $^
$(out)/runner: $(out)/tests/arm64/runner.o $(out)/src/cli/vm_case.o $(out)/shared.a
	@$(CC) -static -o $@ $^
$(out)/vm_differential: $(patsubst %.c,$(out)/%.o,$(wildcard tests/vm/*.c)) $(out)/shared.a
	@$(CC) -static -o $@ $^
# Warnings are looked at where these are built for this machine.
$(out)/tests/%.o: cflags += -w
$(out)/tests/unit/%.o: cflags += -Itests/arm64
$(out)/unit/%: $(out)/tests/unit/vm/%.o $(out)/shared.a
	@mkdir -p $(@D)
	@$(CC) -static -o $@ $^

-include $(shell find $(out) -name '*.d' -type f 2>/dev/null)
