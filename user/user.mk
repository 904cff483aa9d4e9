# SPDX-License-Identifier: GPL-2.0-only
#
# Daemon and command. Included by the top-level Makefile, which runs where the
# toolchain is (the VM root, or this machine with NATIVE=1).
#
# Gives: user, man; adds to HOST_TESTS (programs that exit 0 or 1 and print TAP)
# and to FUZZ_TARGETS (libFuzzer programs).
# Needs: build/bpf/cosched.skel.h to have a rule (bpf.mk).

VERSION ?= 0.1.0
CLANG ?= clang
RST2MAN ?= rst2man

USER_OUT := build/user
USER_CPPFLAGS := -D_GNU_SOURCE -DCOSCHED_VERSION='"$(VERSION)"' \
	-I. -Iuser -Ibuild/bpf -isystem include/uapi
USER_WARN := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes \
	-Wformat-signedness
USER_CFLAGS := -std=gnu11 -O2 -g -fstack-protector-strong \
	-D_FORTIFY_SOURCE=2 $(USER_WARN) $(WERROR)
USER_LIBS := -lsystemd -lbpf
USER_SAN := -std=gnu11 -O1 -g -fno-omit-frame-pointer \
	-fsanitize=address,undefined -fno-sanitize-recover=all $(USER_WARN) $(WERROR)

COMMON_SRC := $(wildcard user/common/*.c)
include user/config/config.mk
DAEMON_SRC := $(wildcard user/daemon/*.c)
CLI_SRC := $(wildcard user/cli/*.c)
user_obj = $(patsubst user/%.c,$(USER_OUT)/%.o,$(1))
include user/goprog/goprog.mk

USER_BINS := build/bin/coschedd build/bin/cosched
MAN8 := build/man/cosched.8 build/man/coschedd.8 build/man/cosched-log.8
MAN5 := build/man/cosched-config.5

.PHONY: user man
user: $(USER_BINS) man
man: $(MAN8) $(MAN5)

build/bin/coschedd: $(call user_obj,$(DAEMON_SRC) $(CONFIG_SRC) $(GOPROG_SRC) \
		$(COMMON_SRC)) build/lib/libcosched_log.a
	@echo "  LINK    $@"
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(USER_LIBS) $(CONFIG_LIBS) $(GOPROG_LIBS) \
		-lmicrohttpd -luring

build/bin/cosched: $(call user_obj,$(CLI_SRC) $(CONFIG_SRC) $(GOPROG_SRC) \
		$(COMMON_SRC)) build/lib/libcosched_log.a
	@echo "  LINK    $@"
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(USER_LIBS) $(CONFIG_LIBS) $(GOPROG_LIBS) -luring

$(USER_OUT)/%.o: user/%.c
	@echo "  CC      $@"
	@mkdir -p $(@D)
	$(Q)$(CC) $(USER_CPPFLAGS) $(USER_CFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# The skeleton is generated: known to the compiler's dependency files only
# from the second build on.
$(call user_obj,$(DAEMON_SRC)): | build/bpf/cosched.skel.h

build/man/%: Documentation/man/%.rst
	@echo "  MAN     $@"
	@mkdir -p $(@D)
	$(Q)$(RST2MAN) $< $@.new && mv $@.new $@

# Tests on the host: each is its own file plus what it tests, with sanitizers.
HOST_TESTS += build/test/test_cpulist build/test/test_common \
	build/test/test_topology build/test/test_daemon build/test/test_ingest
FUZZ_TARGETS += build/test/fuzz_cpulist

build/test/test_cpulist: user/common/tests/test_cpulist.c \
		user/common/cpulist.c
build/test/test_common: user/common/tests/test_common.c $(COMMON_SRC)
build/test/test_topology: user/daemon/tests/test_topology.c \
		user/daemon/topology.c user/daemon/topology_sysfs.c $(COMMON_SRC)
build/test/test_daemon: user/daemon/tests/test_daemon.c \
		user/daemon/backoff.c user/daemon/event.c $(COMMON_SRC)
build/test/test_ingest: user/daemon/tests/test_ingest.c user/daemon/ingest.c \
		user/daemon/settings.c

build/test/test_cpulist build/test/test_common build/test/test_topology \
build/test/test_daemon build/test/test_ingest:
	@echo "  CC      $@"
	@mkdir -p $(@D)
	$(Q)$(CC) $(USER_CPPFLAGS) $(USER_SAN) -MMD -MP -MF $@.d -MT $@ \
		-Iuser/common/tests -o $@ $(filter %.c,$^) $(USER_LIBS) -luring

build/test/fuzz_cpulist: user/common/tests/fuzz_cpulist.c user/common/cpulist.c
	@echo "  FUZZ    $@"
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(USER_CPPFLAGS) -std=gnu11 -O1 -g \
		-fsanitize=fuzzer,address,undefined -o $@ $(filter %.c,$^)

-include $(wildcard $(USER_OUT)/*/*.d build/test/*.d)
