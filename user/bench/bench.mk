# SPDX-License-Identifier: GPL-2.0-only
#
# What the contest runs that Debian does not package. Included by the top-level
# Makefile, inside the VM root. Gives: bench-programs.

.PHONY: bench-programs
bench-programs: build/bin/wakebench build/bench/empty.bpf.o build/bench/root.tar
	@:

build/bin/wakebench: user/bench/wakebench.c
	@echo "  CC      $@"
	@mkdir -p $(@D)
	$(Q)$(CC) -D_GNU_SOURCE $(USER_CFLAGS) $(CFLAGS) -pthread -o $@ $<

build/bench/empty.bpf.o: user/bench/empty.bpf.c
	@echo "  BPF     $@"
	@mkdir -p $(@D)
	$(Q)$(CLANG) -g -O2 -mcpu=v3 -target bpf -Wall -Wextra -c -o $@ $<

build/bench/root.tar: scripts/bench/contest-root build/bin/wakebench
	@echo "  TAR     $@"
	$(Q)scripts/bench/contest-root $@
