# SPDX-License-Identifier: GPL-2.0-only
#
# Test programs; included by the top Makefile, run in the VM root. Which ones
# there are is read from selftests/cases: a new case is one line there. Those
# that are run by hand only follow.
SELFTESTS := $(sort $(shell sed -n \
	'/^\#/d; s|.*[[:blank:]]\(build/selftests/[a-z0-9_]*\)\([[:blank:]].*\)*$$|\1|p' \
	selftests/cases))
SELFTEST_CFLAGS := -std=gnu11 -D_GNU_SOURCE -O2 -g -Iinclude/uapi -Wall -Wextra \
	-Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wformat-signedness \
	-pthread
comma := ,
selftest-common := $(patsubst selftests/%.c,build/selftests/%.o, \
	$(addprefix selftests/,tap.c util.c device.c tracing.c scheduler.c \
	ideal.c load.c witness.c))
layout-printers := build/selftests/uapi_layout build/selftests/uapi_layout_go

build/selftests/%.o: selftests/%.c selftests/selftests.mk
	@mkdir -p $(@D)
	@$(if $(V),,echo "  CC      $@")
	$(if $(V),,@)$(CC) $(SELFTEST_CFLAGS) -MMD -MP -c $< -o $@

$(SELFTESTS): build/selftests/%: build/selftests/%.o $(selftest-common)
	@$(if $(V),,echo "  LINK    $@")
	$(if $(V),,@)$(CC) -pthread $^ -o $@ -lm

# Tests of the library have it in them.
build/selftests/hints build/selftests/sched_hint: build/lib/libcosched.a

build/selftests/uapi_layout: build/selftests/uapi_layout.o
	@$(if $(V),,echo "  LINK    $@")
	$(if $(V),,@)$(CC) $^ -o $@

build/selftests/uapi_layout_go: $(wildcard user/go/internal/uapi/*.go \
		user/go/internal/uapi/layout/*.go)
	@mkdir -p $(@D)
	@$(if $(V),,echo "  GO      $@")
	$(if $(V),,@)go -C user/go build -o $(CURDIR)/$@ ./internal/uapi/layout

.PRECIOUS: build/selftests/%.o
.PHONY: selftests layout-check
selftests: $(SELFTESTS)

# A Go program that knows what its threads do, as goroles.py wants it: built by
# the newest Go and by an older one, as many ways as there are.
GOROLES := static stripped pie cgo cgo-pie-stripped cgo-static-stripped \
	go1.24-stripped go1.24-cgo
goroles-programs := $(addprefix build/selftests/goroles-,$(GOROLES))
$(goroles-programs): build/selftests/goroles-%: $(wildcard selftests/goroles/*.go)
	@mkdir -p $(@D)
	@$(if $(V),,echo "  GO      $@")
	$(if $(V),,@)CGO_ENABLED=$(if $(findstring cgo,$*),1,0) \
		$(if $(findstring go1.24,$*),/usr/lib/go-1.24/bin/)go -C selftests/goroles \
		build -trimpath -buildvcs=false $(if $(findstring pie,$*),-buildmode=pie) \
		$(if $(findstring cgo-static,$*),-tags netgo$(comma)osusergo) -ldflags \
		"$(if $(findstring stripped,$*),-s -w) $(if $(findstring cgo-static,$*),-linkmode external -extldflags -static)" \
		-o $(CURDIR)/$@ .
selftests: $(goroles-programs)

# The UAPI header is laid out alike in C, Go, BPF and the module. Needs no VM.
HOST_TESTS += selftests/layout.sh
layout-check: $(layout-printers) $(KMOD)
	$(if $(V),,@)KMOD=$(KMOD) selftests/layout.sh

-include $(wildcard build/selftests/*.d)
