# SPDX-License-Identifier: GPL-2.0-only
# The BPF object and its skeleton. Runs in the VM root, or natively.

CLANG ?= clang
BPFTOOL ?= bpftool
VMLINUX_BTF ?= $(firstword $(wildcard /usr/src/linux-headers-$(KERNEL)/vmlinux \
		/sys/kernel/btf/vmlinux))

BPF_CFLAGS := -g -O2 -mcpu=v3 -target bpf -D__TARGET_ARCH_x86 -std=gnu11 \
	-Wall -Wextra -Wshadow -Wno-unused-parameter -Wno-missing-declarations \
	-fms-extensions -Wno-microsoft-anon-tag -Werror=implicit-function-declaration \
	-Ibuild/bpf -Iinclude/uapi -Ibpf

build/bpf/vmlinux.h: $(VMLINUX_BTF)
	@mkdir -p $(@D)
	$(Q)$(BPFTOOL) btf dump file $< format c > $@.new && mv $@.new $@

build/bpf/cosched.bpf.o: bpf/cosched.bpf.c build/bpf/vmlinux.h bpf/bpf.mk
	@echo "  BPF     $@"
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -MT $@ -MF $@.d -c $< -o $@.full
	$(Q)$(BPFTOOL) gen object $@ $@.full

build/bpf/cosched.skel.h: build/bpf/cosched.bpf.o
	@echo "  SKEL    $@"
	$(Q)$(BPFTOOL) gen skeleton $< name cosched_bpf > $@.new && mv $@.new $@

bpf: build/bpf/cosched.skel.h
.PHONY: bpf

# Run in the VM by "make verify" and by the selftests.
build/test/verify: scripts/verify.c bpf/bpf.mk
	@echo "  CC      $@"
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -O2 -g -Wall -Wextra -Wshadow -Wmissing-prototypes \
		-Wstrict-prototypes -Wformat-signedness $< -o $@ -lbpf
selftests: build/test/verify

-include $(wildcard build/bpf/*.d)
