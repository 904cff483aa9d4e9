/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two tenants on one block device, both beyond their limits: do memory.high and
 * io.weight hold together?
 */
#ifndef _COSCHED_CLI_EXPERIMENT_H
#define _COSCHED_CLI_EXPERIMENT_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#define COSCHED_EXP_TENANTS	2
#define COSCHED_EXP_SAMPLES	4096
#define COSCHED_EXP_SAMPLE_MS	100

struct cosched_exp_tenant {
	const char *name;
	__u64 high_bytes;
	unsigned int weight;
};

struct cosched_exp_config {
	const char *device;
	struct cosched_exp_tenant tenant[COSCHED_EXP_TENANTS];
	unsigned int seconds;		/* of each of the two measurements */
	__u64 rate_bytes;		/* a second, that io.weight divides; 0: half of
					 * what is read without weights */
};

struct cosched_exp_sample {
	__u64 time_us;			/* since the start */
	__u64 memory_bytes[COSCHED_EXP_TENANTS];
	__u64 read_bytes[COSCHED_EXP_TENANTS];	/* since the start */
};

/* One measurement: without weights, then with. */
struct cosched_exp_phase {
	__u64 begin_us, end_us;
	__u64 read_bytes[COSCHED_EXP_TENANTS];
	__u64 peak_bytes[COSCHED_EXP_TENANTS];	/* largest memory.current */
};

struct cosched_exp_result {
	struct cosched_exp_sample sample[COSCHED_EXP_SAMPLES];
	size_t nr_samples;
	struct cosched_exp_phase plain, weighted;
	__u64 rate_bytes;		/* that was divided */
};

/*
 * Run it. The device is read only. What was set is put back, also after SIGINT.
 * Returns 0, or a negative errno with a sentence in @err.
 */
int cosched_exp_run(const struct cosched_exp_config *config,
		    struct cosched_exp_result *result, char *err, size_t err_size);

/* The plot, as SVG. Returns 0 or a negative errno. */
int cosched_exp_plot(const struct cosched_exp_config *config,
		     const struct cosched_exp_result *result, const char *path);

#endif /* _COSCHED_CLI_EXPERIMENT_H */
