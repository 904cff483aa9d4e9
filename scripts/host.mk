# SPDX-License-Identifier: GPL-2.0-only
# What needs no VM: unit tests, lint, Go programs, installation. Included by
# the top-level Makefile, inside the VM root.
#
# HOST_TESTS    programs that the fragments build; each exits 0 when it passes
# FUZZ_TARGETS  libFuzzer programs

GO_SOURCES := $(shell find user/go -name '*.go' -o -name go.mod)

go: build/bin/trainsim build/bin/heapgrow

build/bin/trainsim build/bin/heapgrow: build/bin/%: $(GO_SOURCES)
	@echo "  GO      $@"
	@mkdir -p $(@D)
	$(Q)cd user/go && CGO_ENABLED=0 go build -trimpath -buildvcs=false \
		-o ../../$@ ./cmd/$*

# Of the policies: one program for each file.
POLICY_TESTS := $(patsubst bpf/policy/tests/%.c,build/test/%, \
	$(wildcard bpf/policy/tests/test_*.c))
HOST_TESTS += $(POLICY_TESTS)
$(POLICY_TESTS): build/test/%: bpf/policy/tests/%.c \
		$(wildcard bpf/policy/*.h bpf/policy/tests/*.h)
	@echo "  CC      $@"
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -g -O1 -Wall -Wextra -Wshadow -Wmissing-prototypes \
		-fsanitize=address,undefined -fno-sanitize-recover=all \
		-pthread -Ibpf -Iinclude/uapi $< -o $@ -lm

# Seconds for each fuzz target; corpora are beside the targets' sources.
FUZZ_SECONDS ?= 60
fuzz: $(FUZZ_TARGETS)
	$(Q)for target in $(FUZZ_TARGETS); do \
		mkdir -p build/fuzz/$${target##*/} && $$target -max_total_time=$(FUZZ_SECONDS) \
		-rss_limit_mb=1024 -artifact_prefix=build/fuzz/ build/fuzz/$${target##*/} \
		$$(ls -d user/*/tests/corpus/$${target##*/} 2>/dev/null) || exit 1; done

kmod: $(KMOD)
san: test
test: $(HOST_TESTS) $(layout-printers) $(KMOD) ## run the tests that need no VM
	$(Q)scripts/test $(HOST_TESTS)

lint: ## style, spelling, shell, SPDX, vet, man pages
	$(Q)scripts/lint

install: all man build/user/coschedd.service ## install below DESTDIR, PREFIX
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/bin build/bin/cosched
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/sbin build/bin/coschedd
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/cosched build/bpf/cosched.bpf.o
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/include/linux include/uapi/linux/cosched.h
	install -D -m 644 -t $(DESTDIR)/lib/modules/$(KERNEL)/extra $(KMOD)
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/systemd/system build/user/coschedd.service
	for page in build/man/*.8; do \
		install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man8 $$page; done
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man5 build/man/cosched-config.5
	install -D -m 644 user/daemon/grafana.json $(DESTDIR)$(PREFIX)/share/cosched/grafana.json
	install -D -m 644 user/cli/cosched.bash-completion \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/cosched
	[ -e $(DESTDIR)/etc/cosched/cosched.yaml ] || install -D -m 644 \
		user/config/cosched.yaml $(DESTDIR)/etc/cosched/cosched.yaml
	[ -n "$(DESTDIR)" ] || depmod $(KERNEL)

uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(PREFIX)/bin/cosched $(DESTDIR)$(PREFIX)/sbin/coschedd \
		$(DESTDIR)$(PREFIX)/include/linux/cosched.h \
		$(DESTDIR)$(PREFIX)/lib/cosched/cosched.bpf.o \
		$(DESTDIR)/lib/modules/$(KERNEL)/extra/cosched.ko \
		$(DESTDIR)$(PREFIX)/lib/systemd/system/coschedd.service \
		$(DESTDIR)$(PREFIX)/share/man/man8/cosched.8 \
		$(DESTDIR)$(PREFIX)/share/man/man5/cosched-config.5 \
		$(DESTDIR)$(PREFIX)/share/cosched/grafana.json \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/cosched \
		$(DESTDIR)$(PREFIX)/share/man/man8/coschedd.8 \
		$(DESTDIR)$(PREFIX)/share/man/man8/cosched-log.8
	[ -n "$(DESTDIR)" ] || depmod $(KERNEL)

build/user/coschedd.service: user/daemon/coschedd.service
	@mkdir -p $(@D) && cp $< $@

.PHONY: go kmod san fuzz test lint install uninstall
