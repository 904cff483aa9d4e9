// SPDX-License-Identifier: GPL-2.0-only
/* Text for people: escaping of foreign strings, durations. Pure. */
#include "common/text.h"

#include <stdio.h>

char *cosched_escape(const char *in, char *out, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	size_t len = 0;

	for (; *in; in++) {
		unsigned char c = (unsigned char)*in;
		size_t need = c < ' ' || c > '~' || c == '\\' ? 4 : 1;

		if (len + need >= size)
			break;
		if (need == 1) {
			out[len++] = (char)c;
			continue;
		}
		out[len++] = '\\';
		out[len++] = 'x';
		out[len++] = digits[c >> 4];
		out[len++] = digits[c & 15];
	}
	if (size)
		out[len] = '\0';
	return out;
}

char *cosched_format_ns(__u64 ns, char *out, size_t size)
{
	static const char *const units[] = { "us", "ms", "s" };
	double value = (double)ns / 1000;
	int i = 0;

	if (ns < 1000) {
		(void)snprintf(out, size, "%lluns", ns);
		return out;
	}
	for (; value >= 1000 && i < 2; i++)
		value /= 1000;
	(void)snprintf(out, size, "%.*f%s", value < 10 ? 2 : value < 100 ? 1 : 0,
		       value, units[i]);
	return out;
}

char *cosched_format_age(__u64 seconds, char *out, size_t size)
{
	__u64 m = seconds / 60, h = m / 60, d = h / 24;

	if (!m)
		(void)snprintf(out, size, "%llus", seconds);
	else if (!h)
		(void)snprintf(out, size, "%llum %02llus", m, seconds % 60);
	else if (!d)
		(void)snprintf(out, size, "%lluh %02llum", h, m % 60);
	else
		(void)snprintf(out, size, "%llud %02lluh", d, h % 24);
	return out;
}
