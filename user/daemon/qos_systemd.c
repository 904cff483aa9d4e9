// SPDX-License-Identifier: GPL-2.0-only
/*
 * Units of systemd. Owns the connection to it, which is opened when the first
 * unit is written and again when it was lost, and how values become properties.
 */
#include "daemon/qos_systemd.h"

#include "common/cleanup.h"
#include "common/cpulist.h"
#include "config/lines.h"
#include "daemon/log.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-bus.h>

#define SYSTEMD		"org.freedesktop.systemd1"
#define MANAGER		"/org/freedesktop/systemd1", SYSTEMD ".Manager"
#define CALL_US		5000000

/* The daemon is single-threaded: one connection for all. */
static sd_bus *bus;

void cosched_systemd_close(void)
{
	bus = sd_bus_flush_close_unref(bus);
}

/*
 * Straight to systemd, as systemctl does for root, so that a message bus that is
 * not there or hangs is no matter; by the bus when that is not possible.
 */
static int connect_bus(void)
{
	sd_bus *b = NULL;
	int r;

	if (bus && sd_bus_is_open(bus) > 0)
		return 0;
	cosched_systemd_close();
	r = sd_bus_new(&b);
	if (r >= 0)
		r = sd_bus_set_address(b, "unix:path=/run/systemd/private");
	if (r >= 0)
		r = sd_bus_start(b);
	if (r < 0) {
		b = sd_bus_unref(b);
		r = sd_bus_open_system(&b);
	}
	if (r < 0)
		return r;
	bus = b;
	(void)sd_bus_set_method_call_timeout(bus, CALL_US);
	return 0;
}

/* Is @path the cgroup of @unit? 1, 0, or a negative errno. */
static int owns(const char *unit, const char *path)
{
	_cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	_cleanup_free_ char *cgroup = NULL;
	const char *object, *dot = strrchr(unit, '.');
	char interface[64];
	int r;

	r = sd_bus_call_method(bus, SYSTEMD, MANAGER, "GetUnit", &error, &reply,
			       "s", unit);
	if (r < 0)
		return sd_bus_error_has_name(&error, SYSTEMD ".NoSuchUnit") ? 0 : r;
	r = sd_bus_message_read(reply, "o", &object);
	if (r < 0)
		return r;
	(void)snprintf(interface, sizeof(interface), SYSTEMD ".%c%.16s",
		       dot[1] - 'a' + 'A', dot + 2);
	r = sd_bus_get_property_string(bus, SYSTEMD, object, interface,
				       "ControlGroup", &error, &cgroup);
	return r < 0 ? r : !strcmp(cgroup, path);
}

static const char *property_of(int setting)
{
	switch (setting) {
	case COSCHED_SET_CPU_WEIGHT:
		return "CPUWeight";
	case COSCHED_SET_IO_WEIGHT:
		return "IOWeight";
	case COSCHED_SET_MEMORY_MIN:
		return "MemoryMin";
	case COSCHED_SET_MEMORY_LOW:
		return "MemoryLow";
	case COSCHED_SET_MEMORY_HIGH:
		return "MemoryHigh";
	case COSCHED_SET_MEMORY_MAX:
		return "MemoryMax";
	case COSCHED_SET_CPUSET_CPUS:
		return "AllowedCPUs";
	case COSCHED_SET_CPUSET_MEMS:
		return "AllowedMemoryNodes";
	default:
		return NULL;
	}
}

/* Sets are bitmaps, the lowest bit first. */
static int append_set(sd_bus_message *m, const char *name, const char *value)
{
	struct cosched_cpuset set;
	int r = cosched_cpulist_parse(value, &set);
	size_t bytes = r ? 0 : (size_t)(cosched_cpuset_last(&set) + 8) / 8;

	if (r)
		return r;
	r = sd_bus_message_open_container(m, 'r', "sv");
	if (r >= 0)
		r = sd_bus_message_append(m, "s", name);
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', "ay");
	if (r >= 0)
		r = sd_bus_message_append_array(m, 'y', set.bits, bytes);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_cpu_max(sd_bus_message *m, const char *value)
{
	unsigned long long quota, period;
	__u64 per_sec = UINT64_MAX;

	if (sscanf(value, "max %llu", &period) != 1) {
		if (sscanf(value, "%llu %llu", &quota, &period) != 2 || !period)
			return -EINVAL;
		per_sec = quota * 1000000 / period;
	}
	return sd_bus_message_append(m, "(sv)(sv)", "CPUQuotaPerSecUSec", "t",
				     (uint64_t)per_sec, "CPUQuotaPeriodUSec", "t",
				     (uint64_t)period);
}

/* One property a key, each a list of devices. */
static int append_io_max(sd_bus_message *m, const char *old, const char *new)
{
	static const char *const names[] = { "IOReadBandwidthMax",
					     "IOWriteBandwidthMax",
					     "IOReadIOPSMax", "IOWriteIOPSMax" };
	char diff[COSCHED_VALUE_MAX], *line, *save = NULL, device[128];
	int i, r = cosched_lines_diff(COSCHED_SET_IO_MAX, old, new, diff);

	for (line = r ? NULL : strtok_r(diff, "\n", &save); line && !r;
	     line = strtok_r(NULL, "\n", &save)) {
		char word[4][32], name[64];
		__u64 value;

		if (sscanf(line, "%63s rbps=%31s wbps=%31s riops=%31s wiops=%31s",
			   name, word[0], word[1], word[2], word[3]) != 5)
			return -EINVAL;
		(void)snprintf(device, sizeof(device), "/dev/block/%s", name);
		for (i = 0; i < 4 && r >= 0; i++) {
			if (cosched_parse_bytes(word[i], &value))
				return -EINVAL;
			r = sd_bus_message_append(m, "(sv)", names[i], "a(st)", 1,
						  device, (uint64_t)value);
		}
		r = r < 0 ? r : 0;
	}
	return r;
}

static int append_number(sd_bus_message *m, const char *name, const char *value)
{
	__u64 number;
	int r = cosched_parse_bytes(value, &number);

	return r ? r : sd_bus_message_append(m, "(sv)", name, "t",
					     (uint64_t)number);
}

static int append_properties(sd_bus_message *m, const struct cosched_write *w)
{
	const char *name = property_of(w->setting);

	switch (w->setting) {
	case COSCHED_SET_CPU_MAX:
		return append_cpu_max(m, w->new);
	case COSCHED_SET_IO_MAX:
		return append_io_max(m, w->old, w->new);
	case COSCHED_SET_CPUSET_CPUS:
	case COSCHED_SET_CPUSET_MEMS:
		return append_set(m, name, w->new);
	default:
		return append_number(m, name, w->new);
	}
}

static int set_properties(const char *unit, const struct cosched_write *w)
{
	_cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
	int r;

	r = sd_bus_message_new_method_call(bus, &m, SYSTEMD, MANAGER,
					   "SetUnitProperties");
	if (r >= 0)
		r = sd_bus_message_append(m, "sb", unit, true);
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "(sv)");
	if (r >= 0)
		r = append_properties(m, w);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	if (r >= 0)
		r = sd_bus_call(bus, m, 0, &error, NULL);
	if (r < 0 && error.message)
		cosched_log(LOG_ERR, "systemd about unit %s: %s", unit,
			    error.message);
	return r < 0 ? r : 0;
}

static bool is_systemds(int setting)
{
	return property_of(setting) || setting == COSCHED_SET_CPU_MAX ||
	       setting == COSCHED_SET_IO_MAX;
}

int cosched_systemd_write(struct cosched_applier *a, const char *path, __u64 id,
			  const char *unit, const struct cosched_write *w)
{
	int r = 0;

	if (unit && is_systemds(w->setting)) {
		r = connect_bus();
		if (!r)
			r = owns(unit, path);
		if (r < 0)
			return r;
	}
	if (r)
		return set_properties(unit, w);
	return cosched_value_write(&a->place, path, id, w->setting, w->old, w->new);
}
