# SPDX-License-Identifier: GPL-2.0-only
#
# Collectives of libcosched: coll.c and cosched_coll.h. Included by the top-level
# Makefile. Adds to HOST_TESTS.

HOST_TESTS += build/test/test_libcoll
build/test/test_libcoll: user/lib/tests/test_libcoll.c user/lib/coll.c
	@echo "  CC      $@"
	@mkdir -p $(@D)
	$(Q)$(CC) $(USER_CPPFLAGS) $(USER_SAN) -pthread -Iuser/common/tests \
		-Dopen=fake_open -Dioctl=fake_ioctl -Dmmap=fake_mmap \
		-Dclose=fake_close -MMD -MP -MF $@.d -MT $@ -o $@ $(filter %.c,$^)

install: install-coll
install-coll:
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/include user/lib/cosched_coll.h
.PHONY: install-coll
