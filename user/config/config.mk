# SPDX-License-Identifier: GPL-2.0-only
#
# The configuration of QoS: parser, plan and writer, for daemon and command.
# Included by user/user.mk, which compiles CONFIG_SRC into both.

CONFIG_SRC := $(wildcard user/config/*.c)
CONFIG_LIBS := -lyaml

HOST_TESTS += build/test/test_config build/test/test_qosplan build/test/test_apply \
	build/test/test_high
FUZZ_TARGETS += build/test/fuzz_config

build/test/test_config: user/config/tests/test_config.c $(CONFIG_SRC) $(COMMON_SRC)
build/test/test_qosplan: user/config/tests/test_qosplan.c $(CONFIG_SRC) $(COMMON_SRC)
build/test/test_apply: user/config/tests/test_apply.c $(CONFIG_SRC) $(COMMON_SRC)
build/test/test_high: user/daemon/tests/test_high.c user/daemon/high.c \
		user/daemon/exposition.c
build/test/test_config build/test/test_qosplan build/test/test_apply build/test/test_high:
	@echo "  CC      $@"
	@mkdir -p $(@D)
	$(Q)$(CC) $(USER_CPPFLAGS) $(USER_SAN) -MMD -MP -MF $@.d -MT $@ \
		-Iuser/common/tests -o $@ $(filter %.c,$^) $(USER_LIBS) $(CONFIG_LIBS)

build/test/fuzz_config: user/config/tests/fuzz_config.c $(CONFIG_SRC) $(COMMON_SRC)
	@echo "  FUZZ    $@"
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(USER_CPPFLAGS) -std=gnu11 -O1 -g \
		-fsanitize=fuzzer,address,undefined -o $@ $(filter %.c,$^) \
		$(USER_LIBS) $(CONFIG_LIBS)
