// SPDX-License-Identifier: GPL-2.0-only
/* A plug-in that is no plug-in. */
int not_a_plugin;
