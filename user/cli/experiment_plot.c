// SPDX-License-Identifier: GPL-2.0-only
/*
 * The experiment's plot: memory of both tenants with their limits above, read
 * rates below, over time.
 */
#include "cli/experiment.h"

#include <errno.h>
#include <stdio.h>

#define WIDTH	720
#define HEIGHT	200
#define LEFT	70
#define TOP	40
#define GAP	60

static const char *const colors[COSCHED_EXP_TENANTS] = { "#b04a2f", "#2f6fb0" };

struct panel {
	FILE *f;
	double x_most, y_most;	/* s, MiB or MiB/s */
	int top;
};

static double x_of(const struct panel *p, double seconds)
{
	return LEFT + WIDTH * seconds / p->x_most;
}

static double y_of(const struct panel *p, double value)
{
	return p->top + HEIGHT * (1 - (value < p->y_most ? value : p->y_most) / p->y_most);
}

static void frame(const struct panel *p, const char *title, const char *unit)
{
	int i;

	(void)fprintf(p->f, "<text x=\"%d\" y=\"%d\" class=\"t\">%s</text>\n", LEFT,
		      p->top - 10, title);
	for (i = 0; i <= 4; i++) {
		double v = p->y_most * i / 4;

		(void)fprintf(p->f,
			      "<path d=\"M%d %.1fH%d\" class=\"g\"/>"
			      "<text x=\"%d\" y=\"%.1f\" class=\"l\">%.3g %s</text>\n",
			      LEFT, y_of(p, v), LEFT + WIDTH, LEFT - 6, y_of(p, v) + 4,
			      v, unit);
	}
}

static double mib(__u64 bytes)
{
	return (double)bytes / (1 << 20);
}

static double seconds(__u64 us)
{
	return (double)us / 1e6;
}

static void plot_memory(const struct panel *p, const struct cosched_exp_config *c,
			const struct cosched_exp_result *r, size_t t)
{
	size_t i;

	(void)fprintf(p->f, "<path d=\"M%d %.1fH%d\" stroke=\"%s\" class=\"d\"/>\n", LEFT,
		      y_of(p, mib(c->tenant[t].high_bytes)), LEFT + WIDTH, colors[t]);
	(void)fprintf(p->f, "<polyline class=\"c\" stroke=\"%s\" points=\"", colors[t]);
	for (i = 0; i < r->nr_samples; i++)
		(void)fprintf(p->f, "%.1f,%.1f ",
			      x_of(p, seconds(r->sample[i].time_us)),
			      y_of(p, mib(r->sample[i].memory_bytes[t])));
	(void)fputs("\"/>\n", p->f);
}

/* Rates over a second: single samples say more about the sampling. */
#define SPAN (1000 / COSCHED_EXP_SAMPLE_MS)

static double rate(const struct cosched_exp_result *r, size_t i, size_t t)
{
	const struct cosched_exp_sample *a = &r->sample[i - SPAN], *b = &r->sample[i];

	return mib(b->read_bytes[t] - a->read_bytes[t]) /
	       seconds(b->time_us - a->time_us + 1);
}

static void plot_rate(const struct panel *p, const struct cosched_exp_result *r,
		      size_t t)
{
	size_t i;

	(void)fprintf(p->f, "<polyline class=\"c\" stroke=\"%s\" points=\"", colors[t]);
	for (i = SPAN; i < r->nr_samples; i++)
		(void)fprintf(p->f, "%.1f,%.1f ",
			      x_of(p, seconds(r->sample[i].time_us)),
			      y_of(p, rate(r, i, t)));
	(void)fputs("\"/>\n", p->f);
}

static void head(FILE *f)
{
	(void)fprintf(f,
		      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
		      "font-family=\"sans-serif\" font-size=\"12\">\n"
		      "<style>.t{font-size:14px}.l{text-anchor:end}.g{stroke:#ddd}"
		      ".c{fill:none;stroke-width:1.5}.d{stroke-dasharray:6 4}"
		      ".p{stroke:#444;stroke-dasharray:2 3}</style>\n"
		      "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
		      LEFT + WIDTH + 30, TOP + 2 * HEIGHT + GAP + 60);
}

static void foot(const struct panel *p, const struct cosched_exp_config *c,
		 const struct cosched_exp_result *r)
{
	size_t t;

	(void)fprintf(p->f, "<path d=\"M%.1f %dV%d\" class=\"p\"/>"
			    "<text x=\"%.1f\" y=\"%d\">weights from here</text>\n",
		      x_of(p, seconds(r->plain.end_us)), TOP, p->top + HEIGHT,
		      x_of(p, seconds(r->plain.end_us)) + 4, p->top + 12);
	for (t = 0; t < COSCHED_EXP_TENANTS; t++)
		(void)fprintf(p->f,
			      "<text x=\"%d\" y=\"%d\" fill=\"%s\">tenant %s: memory.high %.0f "
			      "MiB (dashed), io.weight %u</text>\n",
			      LEFT + (int)t * 360, p->top + HEIGHT + 40, colors[t],
			      c->tenant[t].name, mib(c->tenant[t].high_bytes),
			      c->tenant[t].weight);
	(void)fprintf(p->f, "<text x=\"%d\" y=\"%d\" class=\"l\">%.0f s</text>\n</svg>\n",
		      LEFT + WIDTH, p->top + HEIGHT + 18, p->x_most);
}

int cosched_exp_plot(const struct cosched_exp_config *c,
		     const struct cosched_exp_result *r, const char *path)
{
	struct panel memory = { .f = fopen(path, "we"), .x_most = 1, .y_most = 1,
				.top = TOP }, rates;
	size_t i, t;

	if (!memory.f)
		return -errno;
	if (r->nr_samples)
		memory.x_most = seconds(r->sample[r->nr_samples - 1].time_us);
	rates = memory;
	rates.top = TOP + HEIGHT + GAP;
	/* With weights: what comes before may be far beyond. */
	rates.y_most = mib(r->rate_bytes) * 1.5;
	for (t = 0; t < COSCHED_EXP_TENANTS; t++) {
		double high = mib(c->tenant[t].high_bytes) * 1.25;

		memory.y_most = high > memory.y_most ? high : memory.y_most;
	}
	head(memory.f);
	frame(&memory, "memory.current", "MiB");
	frame(&rates, "read from the device", "MiB/s");
	for (i = 0; i < COSCHED_EXP_TENANTS; i++) {
		plot_memory(&memory, c, r, i);
		plot_rate(&rates, r, i);
	}
	foot(&rates, c, r);
	i = (size_t)ferror(memory.f);
	return fclose(memory.f) || i ? -EIO : 0;
}
