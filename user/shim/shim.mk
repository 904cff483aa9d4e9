# SPDX-License-Identifier: GPL-2.0-only
#
# What lets unmodified programs tell where they wait: an interposer for MPI,
# built for each MPI that is installed, and a profiler plug-in for NCCL. Included
# by the top-level Makefile.
#
# Gives: shim, install-shim; adds to selftests the programs that they run.

SHIM_CFLAGS := -std=gnu11 -O2 -g -fPIC -fvisibility=default $(USER_WARN) $(WERROR)
SHIM_MPIS := $(foreach m,openmpi mpich,$(if $(shell command -v mpicc.$m),$m))
SHIM_MPI_SRC := user/shim/mpi.c user/shim/mpi_comm.c user/shim/mpi_request.c
SHIM_MPI_LIBS := $(patsubst %,build/shim/%/libcosched_mpi.so,$(SHIM_MPIS))
SHIM_NCCL := build/shim/libnccl-profiler-cosched.so
SHIM_TESTS := $(patsubst %,build/shim/%/mpi_steps,$(SHIM_MPIS)) \
	build/shim/nccl_driver

.PHONY: shim install-shim uninstall-shim
shim: $(SHIM_MPI_LIBS) $(SHIM_NCCL)
user: shim
selftests: $(SHIM_TESTS)

build/shim/coll.o: user/lib/coll.c user/lib/cosched_coll.h include/uapi/linux/cosched.h
	@echo "  CC      $@"
	@mkdir -p $(@D)
	$(Q)$(CC) $(USER_CPPFLAGS) $(SHIM_CFLAGS) -fvisibility=hidden -c -o $@ $<

# The library is in it, and hidden, so that a program may have its own.
build/shim/%/libcosched_mpi.so: $(SHIM_MPI_SRC) user/shim/mpi_shim.h \
		build/shim/coll.o user/shim/shim.map
	@echo "  SHIM    $@"
	@mkdir -p $(@D)
	$(Q)mpicc.$* $(USER_CPPFLAGS) $(SHIM_CFLAGS) -shared -pthread \
		-Wl,--version-script=user/shim/shim.map -o $@ \
		$(SHIM_MPI_SRC) build/shim/coll.o

build/shim/%/mpi_steps: selftests/shim/mpi_steps.c
	@echo "  CC      $@"
	@mkdir -p $(@D)
	$(Q)mpicc.$* -std=gnu11 -O1 -g $(USER_WARN) -o $@ $<

$(SHIM_NCCL): user/shim/nccl.c user/shim/nccl_profiler.h build/shim/coll.o \
		user/shim/shim.map
	@echo "  SHIM    $@"
	$(Q)$(CC) $(USER_CPPFLAGS) $(SHIM_CFLAGS) -shared -pthread \
		-Wl,-z,defs -Wl,--version-script=user/shim/shim.map -o $@ \
		user/shim/nccl.c build/shim/coll.o

build/shim/nccl_driver: selftests/shim/nccl_driver.c user/shim/nccl_profiler.h
	@echo "  CC      $@"
	@mkdir -p $(@D)
	$(Q)$(CC) $(USER_CPPFLAGS) -std=gnu11 -O1 -g $(USER_WARN) -o $@ $< -ldl

man: build/man/cosched-shims.7
build/man/cosched-shims.7: Documentation/man/cosched-shims.7.rst
	@echo "  MAN     $@"
	@mkdir -p $(@D)
	$(Q)$(RST2MAN) $< $@.new && mv $@.new $@

install: install-shim
uninstall: uninstall-shim
install-shim: shim man
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man7 build/man/cosched-shims.7
	$(foreach m,$(SHIM_MPIS),install -D -m 755 \
		-t $(DESTDIR)$(PREFIX)/lib/cosched/$m build/shim/$m/libcosched_mpi.so;)
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/lib/cosched $(SHIM_NCCL)

uninstall-shim:
	rm -f $(DESTDIR)$(PREFIX)/share/man/man7/cosched-shims.7 \
		$(DESTDIR)$(PREFIX)/lib/cosched/openmpi/libcosched_mpi.so \
		$(DESTDIR)$(PREFIX)/lib/cosched/mpich/libcosched_mpi.so \
		$(DESTDIR)$(PREFIX)/lib/cosched/$(notdir $(SHIM_NCCL))
