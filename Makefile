# SPDX-License-Identifier: GPL-2.0-only
#
# The build has two halves. Outside (this machine) only prepares the VM root and
# hands targets on; inside (the VM root, or this machine with NATIVE=1) the
# fragments of each part build and test. V=1 shows commands.

.DELETE_ON_ERROR:
.DEFAULT_GOAL := all
MAKEFLAGS += --no-print-directory
Q := $(if $(V),,@)
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
inside := $(or $(IN_VM_ROOT),$(filter 1,$(NATIVE)))

# Targets that the fragments make; same name on both sides.
INSIDE := all bpf kmod user go man test lint san fuzz selftests layout-check \
	  install uninstall bench-programs

ifeq ($(inside),)

VARS := $(foreach v,V T S B DESTDIR PREFIX,$(if $($v),$v='$($v)'))

# What is installed inside the VM root is gone with the command.
ifneq ($(filter install uninstall,$(MAKECMDGOALS)),)
ifeq ($(DESTDIR),)
$(error $(MAKECMDGOALS) needs NATIVE=1, or DESTDIR= below this tree, relative to it)
endif
endif

$(INSIDE): vm-root
	$(Q)MAKEFLAGS= scripts/vm/enter make -j$(JOBS) $@ $(VARS)

vm-root: ## make the VM root and fetch the kernel (KVER= picks another)
	$(Q)scripts/vm/setup

demo: all ## boot, run the training job under EEVDF and under cosched, compare
	$(Q)scripts/demo

ifeq ($(B),io)
bench: user
	$(Q)N='$(N)' scripts/bench/io
else
bench: all bench-programs ## schedulers against each other (B=benchmarks S=schedulers N=rounds); B=io: log and loader
	$(Q)B='$(B)' S='$(S)' N='$(N)' scripts/bench/contest
endif

check: ## set everything up, build, and pass every test
	$(Q)scripts/check

vmtest: all selftests ## run the selftests in the VM (T=pattern selects)
	$(Q)scripts/vmtest $(T)

verify: all selftests ## compare the verifier's work with bpf/verified (UPDATE=1 records)
	$(Q)scripts/vm/run --log verify --timeout 300 -- sh -c \
		'insmod build/kmod/cosched.ko && exec build/test/verify \
		$(if $(UPDATE),--update) build/bpf/cosched.bpf.o bpf/verified'

soak: all selftests ## the long forms of the scheduler's tests: an hour or more
	$(Q)SOAK=1 scripts/vmtest $(or $(T),sched_ measure_)

soak-log: all selftests ## long forms of the log's tests: faults, kill -9, power cuts
	$(Q)MAKEFLAGS= scripts/vm/enter make -j$(JOBS) build/test/test_log_fault build/test/test_log_crash
	$(Q)SOAK=1 scripts/vm/enter build/test/test_log_fault
	$(Q)SOAK=1 scripts/vm/enter build/test/test_log_crash
	$(Q)SOAK=1 scripts/vm/powercut

vm-shell: all selftests ## a shell in the VM, the tree at /src
	$(Q)scripts/vm/run --shell --timeout 86400 -- bash

doctor: all ## say what the VM's kernel has and what is missing
	$(Q)scripts/vm/run -- build/bin/cosched doctor

distclean: ## remove all that was made, the VM root too
	$(Q)rm -rf --one-file-system build

clean: ## remove what was built, keep the VM root
	$(Q)find build -mindepth 1 -maxdepth 1 ! -name vm -exec rm -rf {} + \
		2>/dev/null || true

else

KERNEL ?= $(shell uname -r)
include bpf/bpf.mk
include kmod/kmod.mk
include user/user.mk
include user/lib/lib.mk
include user/load/load.mk
include user/trace/trace.mk
include user/lib/coll.mk
include user/shim/shim.mk
include user/log/log.mk
include user/bench/bench.mk
include selftests/selftests.mk
include scripts/host.mk

all: kmod bpf user go man ## build module, scheduler, daemon, command and programs
.DEFAULT_GOAL := all

ifneq ($(filter 1,$(NATIVE)),)
clean distclean:
	$(Q)rm -rf --one-file-system build
doctor: user
	$(Q)build/bin/cosched doctor
demo bench check verify vmtest soak soak-log vm-shell vm-root:
	@echo "$@ runs in the VM: call it without NATIVE=1" >&2; exit 2
endif

endif

help: ## list targets
	@sed -n 's/^\([a-z][a-z -]*\):.*## \(.*\)/\1|\2/p' Makefile scripts/host.mk | \
		awk -F'|' '{ printf "  %-16s %s\n", $$1, $$2 }'
	@echo "variables: V=1 T=pattern KVER=version NATIVE=1 DESTDIR= PREFIX= JOBS= UPDATE=1"

.PHONY: $(INSIDE) vm-root demo bench check verify vmtest soak soak-log vm-shell doctor clean distclean help
