# SPDX-License-Identifier: GPL-2.0-only
#
# libcosched_log: the log and write-ahead log on io_uring, and its tests.
# Included by the top-level Makefile, inside the VM root or with NATIVE=1.
#
# Gives: log (library, pkg-config file, example), LOG_LIB and LOG_LIBS for
# programs that link it; adds to HOST_TESTS and FUZZ_TARGETS.
# Needs: USER_* of user/user.mk.

LOG_SRC := $(wildcard user/log/*.c) user/common/crc32c.c
LOG_OBJ := $(patsubst user/%.c,$(USER_OUT)/%.o,$(LOG_SRC))
LOG_LIB := build/lib/libcosched_log.a
LOG_LIBS := -luring -pthread
LOG_SO := build/lib/libcosched_log.so.0
LOG_PC := build/lib/pkgconfig/libcosched_log.pc
LOG_TESTS := test_log_format test_log_scan test_log_writer test_log_fault test_log_crash

LOG_PURE := user/common/crc32c.c user/log/format.c user/log/template.c user/log/scan.c

.PHONY: log
log: $(LOG_LIB) $(LOG_SO) $(LOG_PC) build/examples/log build/bin/logbench
user: log

$(LOG_OBJ): USER_CFLAGS += -fPIC

$(LOG_LIB): $(LOG_OBJ)
	@echo "  AR      $@"
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(LOG_SO): $(LOG_OBJ) user/log/libcosched_log.map
	@echo "  LINK    $@"
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -shared -Wl,-soname,$(@F) -Wl,-z,defs \
		-Wl,--version-script=user/log/libcosched_log.map \
		-o $@ $(LOG_OBJ) $(LOG_LIBS)

# Refers to PREFIX: made anew when that changes, like all that is installed.
$(LOG_PC): user/log/libcosched_log.pc.in user/log/log.mk
	@mkdir -p $(@D)
	$(Q)sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' $< > $@

build/examples/log: user/log/examples/log.c $(LOG_LIB)
	@echo "  CC      $@"
	@mkdir -p $(@D)
	$(Q)$(CC) $(USER_CPPFLAGS) $(USER_CFLAGS) $(CFLAGS) -Iuser/log -o $@ $< \
		$(LOG_LIB) $(LOG_LIBS)

build/bin/logbench: user/bench/logbench.c user/bench/logbench_ingest.c \
		user/bench/logbench.h $(LOG_LIB)
	@echo "  CC      $@"
	@mkdir -p $(@D)
	$(Q)$(CC) $(USER_CPPFLAGS) $(USER_CFLAGS) $(CFLAGS) -o $@ $(filter %.c,$^) \
		$(LOG_LIB) $(LOG_LIBS)

HOST_TESTS += $(LOG_TESTS:%=build/test/%)
FUZZ_TARGETS += build/test/fuzz_log_segment

$(LOG_TESTS:%=build/test/%): build/test/%: user/log/tests/%.c $(LOG_SRC) \
		user/log/tests/helpers.h
	@echo "  CC      $@"
	@mkdir -p $(@D)
	$(Q)$(CC) $(USER_CPPFLAGS) $(USER_SAN) -MMD -MP -MF $@.d -MT $@ \
		-Iuser/common/tests -o $@ $(filter %.c,$^) $(LOG_LIBS)

build/test/fuzz_log_segment: user/log/tests/fuzz_log_segment.c $(LOG_PURE)
	@echo "  FUZZ    $@"
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(USER_CPPFLAGS) -std=gnu11 -O1 -g \
		-fsanitize=fuzzer,address,undefined -o $@ $(filter %.c,$^)

# Runs in the VM, see scripts/vm/powercut.
build/test/powercut: user/log/tests/powercut.c user/log/tests/helpers.h $(LOG_LIB)
	@echo "  CC      $@"
	@mkdir -p $(@D)
	$(Q)$(CC) $(USER_CPPFLAGS) $(USER_CFLAGS) -Iuser/common/tests -o $@ $< \
		$(LOG_LIB) $(LOG_LIBS)
selftests: build/test/powercut

.PHONY: install-log
install: install-log
install-log: log
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/include user/log/cosched_log.h
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib $(LOG_LIB)
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/lib $(LOG_SO)
	ln -sf $(notdir $(LOG_SO)) $(DESTDIR)$(PREFIX)/lib/libcosched_log.so
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/pkgconfig $(LOG_PC)

.PHONY: uninstall-log
uninstall: uninstall-log
uninstall-log:
	rm -f $(DESTDIR)$(PREFIX)/include/cosched_log.h \
		$(DESTDIR)$(PREFIX)/lib/libcosched_log.a \
		$(DESTDIR)$(PREFIX)/lib/libcosched_log.so \
		$(DESTDIR)$(PREFIX)/lib/libcosched_log.so.0 \
		$(DESTDIR)$(PREFIX)/lib/pkgconfig/libcosched_log.pc
