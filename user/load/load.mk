# SPDX-License-Identifier: GPL-2.0-only
#
# libcosched_load, which reads model weights. Included by the top-level
# Makefile after user.mk, whose flags it uses.
#
# Gives: load; adds to HOST_TESTS and FUZZ_TARGETS.

LOAD_SRC := $(wildcard user/load/*.c)
LOAD_COMMON := user/common/text.c user/common/file.c
LOAD_LIBS := -luring -lsystemd -pthread
LOAD_CPPFLAGS := $(USER_CPPFLAGS) -Iinclude
LOAD_TESTS := $(patsubst user/load/tests/%.c,build/test/%, \
	$(wildcard user/load/tests/test_*.c))
LOAD_FUZZ := build/test/fuzz_safetensors build/test/fuzz_gguf
HOST_TESTS += $(LOAD_TESTS)
FUZZ_TARGETS += $(LOAD_FUZZ)

$(LOAD_TESTS): build/test/%: user/load/tests/%.c $(LOAD_SRC) $(LOAD_COMMON)
	@echo "  CC      $@"
	@mkdir -p $(@D)
	$(Q)$(CC) $(LOAD_CPPFLAGS) $(USER_SAN) -MMD -MP -MF $@.d -MT $@ \
		-Iuser/common/tests -Iuser/load/tests -o $@ $(filter %.c,$^) $(LOAD_LIBS)

$(LOAD_FUZZ): build/test/%: user/load/tests/%.c user/load/model.c user/load/dtype.c \
		user/load/json.c user/load/safetensors.c user/load/gguf.c \
		user/common/text.c
	@echo "  FUZZ    $@"
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(LOAD_CPPFLAGS) -std=gnu11 -O1 -g \
		-fsanitize=fuzzer,address,undefined -o $@ $(filter %.c,$^) -lsystemd
