# SPDX-License-Identifier: GPL-2.0-only
#
# Build rules of the module; included by the top Makefile, run where the
# compiler and the headers of the kernel are.
#
# KERNEL is the release to build for, as in /usr/lib/modules/. KVER, when it
# picks another kernel than the newest one, also gives it its own build folder.
KERNEL ?= $(shell uname -r)
KDIR ?= /usr/lib/modules/$(KERNEL)/build
kmod-out := build/kmod$(if $(KVER),-$(KVER))
KMOD := $(kmod-out)/cosched.ko

# Since 6.13 kbuild can put objects elsewhere (MO=). For older kernels the
# sources are linked to where the objects go.
kmod-is-old := $(shell printf '%s\n6.13\n' '$(KERNEL)' | sort -CV && echo y)
ifeq ($(kmod-is-old),y)
kmod-where = M=$(CURDIR)/$(kmod-out)
kmod-prepare = ln -sfn ../include build/include && \
	ln -sf $(CURDIR)/kmod/*.[ch] $(CURDIR)/kmod/Kbuild $(kmod-out)/
else
kmod-where = M=$(CURDIR)/kmod MO=$(CURDIR)/$(kmod-out)
kmod-prepare = :
endif

# kbuild knows what is out of date, so it is always asked.
.PHONY: kmod-force
$(KMOD): kmod-force
	$(if $(V),,@)mkdir -p $(@D) && $(kmod-prepare)
	$(if $(V),,@)$(MAKE) --no-print-directory -C $(KDIR) $(kmod-where) \
		W=1 $(if $(V),V=1) modules
