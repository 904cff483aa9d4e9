# SPDX-License-Identifier: GPL-2.0-only
#
# What executables tell about Go programs; linked into daemon and command.
GOPROG_SRC := $(wildcard user/goprog/*.c)
GOPROG_LIBS := -ldw -lelf

$(call user_obj,user/goprog/layouts.c): user/goprog/layouts.inc

HOST_TESTS += build/test/test_goprog build/test/test_gosample
FUZZ_TARGETS += build/test/fuzz_goprog

build/test/test_gosample: bpf/policy/role.h | build/selftests/goroles-stripped \
	build/selftests/goroles-cgo-pie-stripped \
	build/selftests/goroles-cgo-static-stripped \
	build/selftests/goroles-go1.24-stripped

build/test/test_goprog build/test/test_gosample: build/test/%: \
		user/goprog/tests/%.c $(GOPROG_SRC)
	@echo "  CC      $@"
	@mkdir -p $(@D)
	$(Q)$(CC) $(USER_CPPFLAGS) $(USER_SAN) -MMD -MP -MF $@.d -MT $@ \
		-Iuser/common/tests -o $@ $(filter %.c,$^) $(GOPROG_LIBS)

build/test/test_goprog: | build/test/hello build/test/hello-stripped

# A program with debug information and symbols, and the same without.
build/test/hello build/test/hello-stripped: user/goprog/tests/hello.go
	@echo "  GO      $@"
	@mkdir -p $(@D)
	$(Q)CGO_ENABLED=0 go build -trimpath -buildvcs=false \
		$(if $(findstring stripped,$@),-ldflags='-s -w') -o $@ $<

build/test/fuzz_goprog: user/goprog/tests/fuzz_goprog.c $(GOPROG_SRC)
	@echo "  FUZZ    $@"
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(USER_CPPFLAGS) -std=gnu11 -O1 -g \
		-fsanitize=fuzzer,address,undefined -o $@ $(filter %.c,$^) \
		$(GOPROG_LIBS)
