# SPDX-License-Identifier: GPL-2.0-only
#
# libcosched: hints and collectives for C programs. Shared and static, nothing
# needed but libc. Each topic is a .c file here, a section of cosched.h and
# lines in libcosched.map. Included by the top-level Makefile.
#
# Gives: lib, install-lib, uninstall-lib; adds to HOST_TESTS.

LIB_VERSION := $(VERSION)
LIB_SONAME := libcosched.so.1
LIB_SRC := $(wildcard user/lib/*.c)
LIB_OBJ := $(patsubst user/lib/%.c,build/lib/obj/%.o,$(LIB_SRC))
LIB_EXAMPLES := $(patsubst user/lib/examples/%.c,build/lib/examples/%, \
	$(wildcard user/lib/examples/*.c))
LIB_MAN := $(patsubst Documentation/man/%.3.rst,build/man/%.3, \
	$(wildcard Documentation/man/*.3.rst))
# Pages that are a line of their own: the functions that another page describes.
LIB_MAN_ALIASES := cosched_hint_close cosched_hint_is_open \
	cosched_hint_process cosched_hint_process_deadline \
	cosched_hint_thread cosched_hint_thread_deadline

.PHONY: lib install-lib uninstall-lib
lib: build/lib/libcosched.so build/lib/libcosched.a build/lib/cosched.pc \
	$(LIB_EXAMPLES)
user: lib
man: $(LIB_MAN)

build/lib/obj/%.o: user/lib/%.c user/lib/lib.mk
	@echo "  CC      $@"
	@mkdir -p $(@D)
	$(Q)$(CC) $(USER_CPPFLAGS) $(USER_CFLAGS) -fPIC -fvisibility=default \
		$(CFLAGS) -MMD -MP -c -o $@ $<

build/lib/$(LIB_SONAME): $(LIB_OBJ) user/lib/libcosched.map
	@echo "  LINK    $@"
	$(Q)$(CC) $(LDFLAGS) -shared -Wl,-soname,$(LIB_SONAME) -Wl,-z,defs \
		-Wl,--version-script=user/lib/libcosched.map -o $@ $(LIB_OBJ)

build/lib/libcosched.so: build/lib/$(LIB_SONAME)
	$(Q)ln -sf $(LIB_SONAME) $@

build/lib/libcosched.a: $(LIB_OBJ)
	@echo "  AR      $@"
	$(Q)rm -f $@ && $(AR) rcs $@ $^

build/lib/cosched.pc: user/lib/cosched.pc.in
	@mkdir -p $(@D)
	$(Q)sed 's|@prefix@|$(PREFIX)|; s|@version@|$(LIB_VERSION)|' $< > $@

build/lib/examples/%: user/lib/examples/%.c build/lib/libcosched.so
	@echo "  CC      $@"
	@mkdir -p $(@D)
	$(Q)$(CC) $(USER_CPPFLAGS) -Iuser/lib $(USER_CFLAGS) $(CFLAGS) -o $@ $< \
		-Lbuild/lib -lcosched -Wl,-rpath,'$$ORIGIN/..'

build/man/%.3: Documentation/man/%.3.rst
	@echo "  MAN     $@"
	@mkdir -p $(@D)
	$(Q)$(RST2MAN) $< $@.new && mv $@.new $@

HOST_TESTS += build/test/test_libhint build/test/bench_hint
build/test/test_libhint: user/lib/tests/test_libhint.c user/lib/hint.c
	@echo "  CC      $@"
	@mkdir -p $(@D)
	$(Q)$(CC) $(USER_CPPFLAGS) $(USER_SAN) -pthread -MMD -MP -MF $@.d \
		-MT $@ -Iuser/common/tests -o $@ $(filter %.c,$^)

# Through the shared library, as a program has it.
build/test/bench_hint: user/lib/tests/bench_hint.c build/lib/libcosched.so
	@echo "  CC      $@"
	@mkdir -p $(@D)
	$(Q)$(CC) $(USER_CPPFLAGS) $(USER_CFLAGS) -pthread -o $@ $< \
		-Lbuild/lib -lcosched -Wl,-rpath,'$$ORIGIN/../lib'

install: install-lib
uninstall: uninstall-lib
install-lib: lib man
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/include user/lib/cosched.h
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/lib build/lib/$(LIB_SONAME)
	ln -sf $(LIB_SONAME) $(DESTDIR)$(PREFIX)/lib/libcosched.so
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib build/lib/libcosched.a
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/pkgconfig build/lib/cosched.pc
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man3 $(LIB_MAN)
	for page in $(LIB_MAN_ALIASES); do \
		echo ".so man3/cosched_hint_open.3" \
			> $(DESTDIR)$(PREFIX)/share/man/man3/$$page.3; done

uninstall-lib:
	rm -f $(DESTDIR)$(PREFIX)/include/cosched.h \
		$(DESTDIR)$(PREFIX)/lib/$(LIB_SONAME) \
		$(DESTDIR)$(PREFIX)/lib/libcosched.so \
		$(DESTDIR)$(PREFIX)/lib/libcosched.a \
		$(DESTDIR)$(PREFIX)/lib/pkgconfig/cosched.pc \
		$(patsubst %,$(DESTDIR)$(PREFIX)/share/man/man3/%.3, \
			$(LIB_MAN_ALIASES) $(basename $(notdir $(LIB_MAN))))

-include $(wildcard build/lib/obj/*.d)
