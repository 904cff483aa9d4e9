// SPDX-License-Identifier: GPL-2.0-only
/* Text for people: escaping of foreign strings, durations, shares. Pure. */
#include "common/text.h"

#include <errno.h>
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

int cosched_parse_share(const char *in, unsigned int most,
			unsigned int *ret_ppt)
{
	unsigned int whole = 0, tenths = 0;
	const char *p = in;

	/* Bounded long before it could overflow: any of six digits is large. */
	for (; *p >= '0' && *p <= '9'; p++)
		if (whole < 100000)
			whole = whole * 10 + (unsigned int)(*p - '0');
	if (p == in)
		return -EINVAL;
	if (*p == '.') {
		if (p[1] < '0' || p[1] > '9')
			return -EINVAL;
		tenths = (unsigned int)(p[1] - '0');
		p += 2;
	}
	if (*p != '%' || p[1])
		return -EINVAL;
	if (whole * 10 + tenths > most)
		return -ERANGE;
	*ret_ppt = whole * 10 + tenths;
	return 0;
}

char *cosched_format_share(unsigned int ppt, char *out, size_t size)
{
	if (ppt % 10)
		(void)snprintf(out, size, "%u.%u%%", ppt / 10, ppt % 10);
	else
		(void)snprintf(out, size, "%u%%", ppt / 10);
	return out;
}
