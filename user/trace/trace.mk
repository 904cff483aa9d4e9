# SPDX-License-Identifier: GPL-2.0-only
#
# The recorder of "cosched trace" and "cosched jitter", its BPF object, and the
# writers of timelines. Included by the top Makefile after user.mk.

TRACE_SRC := $(wildcard user/trace/*.c)
TRACE_COMMON := user/common/text.c user/common/names.c
TRACE_PURE := $(filter-out user/trace/recorder.c user/trace/gofind.c,$(TRACE_SRC))

build/bin/cosched: $(call user_obj,$(TRACE_SRC))
$(call user_obj,$(TRACE_SRC)): | build/bpf/trace.skel.h

build/bpf/trace.bpf.o: bpf/trace.bpf.c build/bpf/vmlinux.h bpf/bpf.mk
	@echo "  BPF     $@"
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -MT $@ -MF $@.d -c $< -o $@.full
	$(Q)$(BPFTOOL) gen object $@ $@.full

build/bpf/trace.skel.h: build/bpf/trace.bpf.o
	@echo "  SKEL    $@"
	$(Q)$(BPFTOOL) gen skeleton $< name trace_bpf > $@.new && mv $@.new $@

bpf: build/bpf/trace.skel.h

HOST_TESTS += build/test/test_trace
FUZZ_TARGETS += build/test/fuzz_timeline

build/test/test_trace: user/trace/tests/test_trace.c $(TRACE_PURE) \
		$(TRACE_COMMON) $(wildcard user/trace/*.h user/trace/tests/*.h)
	@echo "  CC      $@"
	@mkdir -p $(@D)
	$(Q)$(CC) $(USER_CPPFLAGS) $(USER_SAN) -Iuser/common/tests \
		-Iuser/trace/tests -o $@ $(filter %.c,$^)

build/test/fuzz_%: user/trace/tests/fuzz_%.c $(TRACE_PURE) $(TRACE_COMMON) \
		$(wildcard user/trace/*.h user/trace/tests/*.h)
	@echo "  FUZZ    $@"
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(USER_CPPFLAGS) -std=gnu11 -O1 -g -Iuser/trace/tests \
		-fsanitize=fuzzer,address,undefined -o $@ $(filter %.c,$^)

# A Go program that tests record; stripped, since reading debug information takes
# seconds where they run.
TRACEE := build/selftests/tracee
$(TRACEE): $(wildcard user/go/internal/tracee/*.go)
	@mkdir -p $(@D)
	@$(if $(V),,echo "  GO      $@")
	$(Q)CGO_ENABLED=0 go -C user/go build -buildvcs=false -ldflags='-s -w' \
		-o $(CURDIR)/$@ ./internal/tracee
selftests: $(TRACEE)

build/test/gojoin_dump: user/trace/tests/gojoin_dump.c $(TRACE_PURE) \
		$(TRACE_COMMON) $(wildcard user/trace/*.h user/trace/tests/*.h)
	@echo "  CC      $@"
	@mkdir -p $(@D)
	$(Q)$(CC) $(USER_CPPFLAGS) $(USER_SAN) -Iuser/trace/tests -o $@ \
		$(filter %.c,$^)

# Go's own reader, as a package of the standard library that is not there.
build/test/gostates: user/trace/tests/gostates/main.go
	@echo "  GO      $@"
	@mkdir -p $(@D)
	$(Q)printf '{"Replace":{"%s":"%s"}}\n' \
		"$$(go env GOROOT)/src/internal/trace/gostates/main.go" \
		"$(CURDIR)/$<" > $@.json
	$(Q)go build -overlay=$@.json -o $@ internal/trace/gostates

HOST_TESTS += user/trace/tests/gotrace.py
FUZZ_TARGETS += build/test/fuzz_gotrace
test: $(TRACEE) build/test/gojoin_dump build/test/gostates
