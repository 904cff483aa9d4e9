# SPDX-License-Identifier: GPL-2.0-only
#
# Collectives of libcosched: coll.c and cosched_coll.h, which lib.mk builds.
# Included by the top-level Makefile. Adds to HOST_TESTS.

HOST_TESTS += build/test/test_libcoll
build/test/test_libcoll: user/lib/tests/test_libcoll.c user/lib/coll.c
	@echo "  CC      $@"
	@mkdir -p $(@D)
	$(Q)$(CC) $(USER_CPPFLAGS) $(USER_SAN) -pthread -Iuser/common/tests \
		-Dopen=fake_open -Dioctl=fake_ioctl -Dmmap=fake_mmap \
		-Dclose=fake_close -MMD -MP -MF $@.d -MT $@ -o $@ $(filter %.c,$^)

# Functions that cosched_join(3) describes, too.
COLL_MAN_ALIASES := cosched_leave cosched_enter cosched_exit cosched_wait \
	cosched_barrier cosched_has_listener cosched_batch_exit \
	cosched_batch_submit

.PHONY: install-coll uninstall-coll
install: install-coll
uninstall: uninstall-coll
install-coll: install-lib
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/include user/lib/cosched_coll.h
	for page in $(COLL_MAN_ALIASES); do \
		echo ".so man3/cosched_join.3" \
			> $(DESTDIR)$(PREFIX)/share/man/man3/$$page.3; done

uninstall-coll:
	rm -f $(DESTDIR)$(PREFIX)/include/cosched_coll.h \
		$(patsubst %,$(DESTDIR)$(PREFIX)/share/man/man3/%.3, \
			$(COLL_MAN_ALIASES))
