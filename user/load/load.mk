# SPDX-License-Identifier: GPL-2.0-only
#
# libcosched_load, which reads model weights, and its predictors. Included by the
# top-level Makefile after user.mk, whose flags it uses.
#
# Gives: load, install-load; adds to HOST_TESTS, FUZZ_TARGETS and what the command is
# made of.

LOAD_SRC := $(wildcard user/load/*.c) user/load/plugins/ema.c
LOAD_HEADERS := $(wildcard user/load/*.h user/load/*/*.h include/cosched/*.h)
LOAD_PLUGINS := build/lib/cosched/predict/ema.so build/lib/cosched/predict/linear.so
LOAD_HOST := build/libexec/predict-host
LOAD_BAD := $(patsubst user/load/tests/plugins/%.c,build/test/plugins/%.so, \
	$(wildcard user/load/tests/plugins/*.c))
LOAD_COMMON := user/common/crc32c.c user/common/text.c user/common/file.c
LOAD_OUT := build/user/load-pic
LOAD_LIBS := -luring -lsystemd -lm -pthread
LOAD_CPPFLAGS := $(USER_CPPFLAGS) -Iinclude \
	-DCOSCHED_PREDICT_HOST='"$(PREFIX)/libexec/cosched/predict-host"'
LOAD_OBJ := $(patsubst user/%.c,$(LOAD_OUT)/%.o,$(LOAD_SRC) $(LOAD_COMMON))
LOAD_SONAME := libcosched_load.so.0
LOAD_LIB := build/lib/$(LOAD_SONAME) build/lib/libcosched_load.a build/lib/cosched_load.pc
LOAD_TESTS := $(patsubst user/load/tests/%.c,build/test/%, \
	$(wildcard user/load/tests/test_*.c))
LOAD_FUZZ := build/test/fuzz_safetensors build/test/fuzz_gguf
HOST_TESTS += $(LOAD_TESTS) user/load/tests/load_command
FUZZ_TARGETS += $(LOAD_FUZZ)

.PHONY: load install-load uninstall-load
load: $(LOAD_LIB) $(LOAD_PLUGINS) $(LOAD_HOST)
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

build/lib/cosched/predict/ema.so: user/load/plugins/ema.c user/load/plugins/ema_plugin.c
build/lib/cosched/predict/linear.so: user/load/plugins/linear.c
$(LOAD_BAD): build/test/plugins/%.so: user/load/tests/plugins/%.c

$(LOAD_PLUGINS) $(LOAD_BAD): $(LOAD_HEADERS)
	@echo "  LINK    $@"
	@mkdir -p $(@D)
	$(Q)$(CC) $(LOAD_CPPFLAGS) $(USER_CFLAGS) $(CFLAGS) $(LDFLAGS) -fPIC -shared \
		-fvisibility=default -o $@ $(filter %.c,$^)

$(LOAD_HOST): user/load/host/main.c $(LOAD_HEADERS)
	@echo "  LINK    $@"
	@mkdir -p $(@D)
	$(Q)$(CC) $(LOAD_CPPFLAGS) $(USER_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $<

build/test/test_predict: | $(LOAD_PLUGINS) $(LOAD_BAD) $(LOAD_HOST)

test: | build/bin/cosched load build/test/example_load

# As a program of somebody else: public headers, the shared library.
build/test/example_load: user/load/examples/load.c build/lib/$(LOAD_SONAME)
	@echo "  LINK    $@"
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 $(USER_WARN) -Iinclude -o $@ $^ -Wl,-rpath,$(CURDIR)/build/lib

# The command has it inside: one file to install and to run.
build/bin/cosched: build/lib/libcosched_load.a
build/bin/cosched: USER_LIBS += $(LOAD_LIBS)
$(USER_OUT)/cli/cmd_load.o $(USER_OUT)/cli/load_print.o: USER_CPPFLAGS += -Iinclude

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
install-load: load $(LOAD_PLUGINS) $(LOAD_HOST)
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/lib build/lib/$(LOAD_SONAME)
	ln -sf $(LOAD_SONAME) $(DESTDIR)$(PREFIX)/lib/libcosched_load.so
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib build/lib/libcosched_load.a
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/pkgconfig build/lib/cosched_load.pc
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/include/cosched include/cosched/load.h \
		include/cosched/weights_image.h include/cosched/predict.h \
		include/cosched/predictor.h
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/lib/cosched/predict $(LOAD_PLUGINS)
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/libexec/cosched $(LOAD_HOST)

uninstall: uninstall-load
uninstall-load:
	rm -f $(DESTDIR)$(PREFIX)/lib/$(LOAD_SONAME) \
		$(DESTDIR)$(PREFIX)/lib/libcosched_load.so \
		$(DESTDIR)$(PREFIX)/lib/libcosched_load.a \
		$(DESTDIR)$(PREFIX)/lib/pkgconfig/cosched_load.pc \
		$(addprefix $(DESTDIR)$(PREFIX)/include/cosched/,load.h weights_image.h \
			predict.h predictor.h) \
		$(DESTDIR)$(PREFIX)/lib/cosched/predict/ema.so \
		$(DESTDIR)$(PREFIX)/lib/cosched/predict/linear.so \
		$(DESTDIR)$(PREFIX)/libexec/cosched/predict-host

-include $(wildcard $(LOAD_OUT)/*/*.d)
