# SPDX-License-Identifier: GPL-2.0-only
#
# libcosched_load, which reads model weights, and its predictors. Included by the
# top-level Makefile after user.mk, whose flags it uses.
#
# Gives: load, install-load; adds to HOST_TESTS, FUZZ_TARGETS and what the command is
# made of.

LOAD_SRC := $(wildcard user/load/*.c)
LOAD_HEADERS := $(wildcard user/load/*.h user/load/tests/*.h include/cosched/*.h)
LOAD_COMMON := user/common/text.c user/common/file.c
LOAD_OUT := build/user/load-pic
LOAD_LIBS := -luring -lsystemd -pthread
LOAD_CPPFLAGS := $(USER_CPPFLAGS) -Iinclude
LOAD_OBJ := $(patsubst user/%.c,$(LOAD_OUT)/%.o,$(LOAD_SRC) $(LOAD_COMMON))
LOAD_SONAME := libcosched_load.so.0
LOAD_LIB := build/lib/$(LOAD_SONAME) build/lib/libcosched_load.a build/lib/cosched_load.pc
LOAD_TESTS := $(patsubst user/load/tests/%.c,build/test/%, \
	$(wildcard user/load/tests/test_*.c))
LOAD_FUZZ := build/test/fuzz_safetensors build/test/fuzz_gguf
HOST_TESTS += $(LOAD_TESTS)
FUZZ_TARGETS += $(LOAD_FUZZ)

.PHONY: load install-load
load: $(LOAD_LIB)
user: load

$(LOAD_OUT)/%.o: user/%.c
	@echo "  CC      $@"
	@mkdir -p $(@D)
	$(Q)$(CC) $(LOAD_CPPFLAGS) $(USER_CFLAGS) $(CFLAGS) -fPIC -MMD -MP -c -o $@ $<

build/lib/$(LOAD_SONAME): $(LOAD_OBJ) user/load/load.map
	@echo "  LINK    $@"
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -shared -Wl,-soname,$(LOAD_SONAME) \
		-Wl,--version-script=user/load/load.map -Wl,-z,defs -o $@ $(LOAD_OBJ) $(LOAD_LIBS)

build/lib/libcosched_load.a: $(LOAD_OBJ)
	@echo "  AR      $@"
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcs $@ $(LOAD_OBJ)

build/lib/cosched_load.pc: user/load/cosched_load.pc.in
	@mkdir -p $(@D)
	$(Q)sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' $< > $@

# The command has it inside: one file to install and to run.
build/bin/cosched: build/lib/libcosched_load.a
build/bin/cosched: USER_LIBS += $(LOAD_LIBS)
$(USER_OUT)/cli/cmd_load.o $(USER_OUT)/cli/cmd_load_print.o: USER_CPPFLAGS += -Iinclude

$(LOAD_TESTS): build/test/%: user/load/tests/%.c $(LOAD_SRC) $(LOAD_COMMON) $(LOAD_HEADERS)
	@echo "  CC      $@"
	@mkdir -p $(@D)
	$(Q)$(CC) $(LOAD_CPPFLAGS) $(USER_SAN) -Iuser/common/tests -Iuser/load/tests \
		-o $@ $(filter %.c,$^) $(LOAD_LIBS)

$(LOAD_FUZZ): build/test/%: user/load/tests/%.c user/load/model.c user/load/dtype.c \
		user/load/json.c user/load/safetensors.c user/load/gguf.c \
		user/common/text.c $(LOAD_HEADERS)
	@echo "  FUZZ    $@"
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(LOAD_CPPFLAGS) -std=gnu11 -O1 -g \
		-fsanitize=fuzzer,address,undefined -o $@ $(filter %.c,$^) -lsystemd

install: install-load
install-load: $(LOAD_LIB)
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/lib build/lib/$(LOAD_SONAME)
	ln -sf $(LOAD_SONAME) $(DESTDIR)$(PREFIX)/lib/libcosched_load.so
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib build/lib/libcosched_load.a
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/pkgconfig build/lib/cosched_load.pc
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/include/cosched include/cosched/load.h \
		include/cosched/weights_image.h

-include $(wildcard $(LOAD_OUT)/*/*.d)
