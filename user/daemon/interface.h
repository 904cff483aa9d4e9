/* SPDX-License-Identifier: GPL-2.0-only */
/* The definition of varlink interface io.cosched, as introspection shows it. */
#ifndef _COSCHED_DAEMON_INTERFACE_H
#define _COSCHED_DAEMON_INTERFACE_H

#include <systemd/sd-varlink-idl.h>

extern const sd_varlink_interface cosched_interface;

#endif /* _COSCHED_DAEMON_INTERFACE_H */
