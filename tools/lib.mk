# SPDX-License-Identifier: Apache-2.0
#
# libpicket: the sandbox, for others to embed. Shared and static; neither shows more names than picket_*.
LIBDIR ?= $(PREFIX)/lib
lib_soname := libpicket.so.0
lib_shared := build/lib/libpicket.so.$(VERSION)
lib_static := build/lib/libpicket.a

cc_lib := $(CC)
flags_lib := -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIC -fvisibility=hidden
$(eval $(call flavour,lib))
lib_objects := $(call objects,vm,lib)
# Archives, so that only what the sandbox needs of them is taken.
lib_needs := $(foreach r,$(filter $(rooms),$(call needs,vm)),build/lib/needs/$(r).a)
define lib_room
build/lib/needs/$(1).a: $(call objects,$(1),lib)
	@mkdir -p $$(@D)
	@rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach r,$(filter $(rooms),$(call needs,vm)),$(eval $(call lib_room,$(r))))

.PHONY: lib install-lib uninstall-lib
lib: $(lib_shared) $(lib_static)
$(lib_shared): $(lib_objects) $(lib_needs) src/vm/libpicket.map
	@echo "  LINK    $@"
	@$(CC) -shared -Wl,-soname,$(lib_soname) -Wl,--version-script=src/vm/libpicket.map -Wl,-z,defs,-z,relro,-z,now \
		-o $@ $(lib_objects) $(lib_needs)
# One object, in which names that are not the library's own are local: they cannot clash with the embedder's.
$(lib_static): $(lib_objects) $(lib_needs)
	@echo "  LINK    $@"
	@ld -r -o build/lib/libpicket.o $^
	@objcopy --localize-hidden build/lib/libpicket.o
	@rm -f $@ && ar rcs $@ build/lib/libpicket.o

install-lib: lib ## install libpicket: header, shared and static library, pkg-config file; LIBDIR
	install -D -m 644 include/picket/vm.h $(DESTDIR)$(PREFIX)/include/picket/vm.h
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig
	strip -g -o $(DESTDIR)$(LIBDIR)/libpicket.a $(lib_static)
	install -m 755 -s $(lib_shared) $(DESTDIR)$(LIBDIR)/$(notdir $(lib_shared))
	ln -sf $(notdir $(lib_shared)) $(DESTDIR)$(LIBDIR)/$(lib_soname)
	ln -sf $(lib_soname) $(DESTDIR)$(LIBDIR)/libpicket.so
	sed 's|@PREFIX@|$(PREFIX)|;s|@LIBDIR@|$(LIBDIR)|;s|@VERSION@|$(VERSION)|' dist/libpicket.pc.in \
		>$(DESTDIR)$(LIBDIR)/pkgconfig/libpicket.pc
uninstall-lib: ## remove what install-lib put there
	rm -f $(DESTDIR)$(PREFIX)/include/picket/vm.h $(DESTDIR)$(LIBDIR)/libpicket.a $(DESTDIR)$(LIBDIR)/libpicket.so* \
		$(DESTDIR)$(LIBDIR)/pkgconfig/libpicket.pc
