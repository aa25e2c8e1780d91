# SPDX-License-Identifier: Apache-2.0
#
# libpicket: the sandbox and the verifier, for others to embed. Shared and static; neither shows more names than picket_*.
LIBDIR ?= $(PREFIX)/lib
lib_soname := libpicket.so.0
lib_shared := build/lib/libpicket.so.$(VERSION)
lib_static := build/lib/libpicket.a
lib_rooms := vm verify
lib_headers := $(wildcard include/picket/vm.h include/picket/verify*.h)

cc_lib := $(CC)
flags_lib := -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIC -fvisibility=hidden
$(eval $(call flavour,lib))
lib_objects := $(foreach r,$(lib_rooms),$(call objects,$(r),lib))
# Archives, so that only what the library needs of them is taken.
lib_needs_rooms := $(sort $(filter-out $(lib_rooms),$(filter $(rooms),$(foreach r,$(lib_rooms),$(call needs,$(r))))))
lib_needs := $(foreach r,$(lib_needs_rooms),build/lib/needs/$(r).a)
define lib_room
build/lib/needs/$(1).a: $(call objects,$(1),lib)
	@mkdir -p $$(@D)
	@rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach r,$(lib_needs_rooms),$(eval $(call lib_room,$(r))))

# It never goes again once it is there (nodelete): threads that end and processes that fork call functions in it.
lib_link := -shared -Wl,-soname,$(lib_soname) -Wl,--version-script=src/vm/libpicket.map \
	-Wl,-z,defs,-z,relro,-z,now,-z,nodelete

.PHONY: lib install-lib uninstall-lib
lib: $(lib_shared) $(lib_static)
$(lib_shared): $(lib_objects) $(lib_needs) src/vm/libpicket.map tools/lib.mk
	@echo "  LINK    $@"
	@$(CC) $(lib_link) -o $@ $(lib_objects) $(lib_needs)
# One object, in which names that are not the library's own are local: they cannot clash with the embedder's.
$(lib_static): $(lib_objects) $(lib_needs) tools/lib.mk
	@echo "  LINK    $@"
	@ld -r -o build/lib/libpicket.o $(filter %.o %.a,$^)
	@objcopy --localize-hidden build/lib/libpicket.o
	@rm -f $@ && ar rcs $@ build/lib/libpicket.o

install-lib: lib ## install libpicket: headers, shared and static library, pkg-config file; LIBDIR
	install -d $(DESTDIR)$(PREFIX)/include/picket $(DESTDIR)$(LIBDIR)/pkgconfig
	install -m 644 $(lib_headers) $(DESTDIR)$(PREFIX)/include/picket
	strip -g -o $(DESTDIR)$(LIBDIR)/libpicket.a $(lib_static)
	install -m 755 -s $(lib_shared) $(DESTDIR)$(LIBDIR)/$(notdir $(lib_shared))
	ln -sf $(notdir $(lib_shared)) $(DESTDIR)$(LIBDIR)/$(lib_soname)
	ln -sf $(lib_soname) $(DESTDIR)$(LIBDIR)/libpicket.so
	sed 's|@PREFIX@|$(PREFIX)|;s|@LIBDIR@|$(LIBDIR)|;s|@VERSION@|$(VERSION)|' dist/libpicket.pc.in \
		>$(DESTDIR)$(LIBDIR)/pkgconfig/libpicket.pc
uninstall-lib: ## remove what install-lib put there
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/include/picket/,$(notdir $(lib_headers))) $(DESTDIR)$(LIBDIR)/libpicket.a \
		$(DESTDIR)$(LIBDIR)/libpicket.so* $(DESTDIR)$(LIBDIR)/pkgconfig/libpicket.pc
