// SPDX-License-Identifier: GPL-2.0-only
/*
 * Load the layers of a model, no faster than collectives allow, and look at one tensor:
 *
 *	cc load.c $(pkg-config --cflags --libs cosched_load) -o load
 *	./load model.safetensors
 */
#include <cosched/load.h>
#include <cosched/predict.h>

#include <inttypes.h>
#include <stdio.h>

/* A training job would look here whether a collective is running. */
static bool is_collective_running(void *arg)
{
	const bool *running = arg;

	return *running;
}

int main(int argc, char **argv)
{
	bool running = false;
	struct cosched_load_options o = {
		.size = sizeof(o),
		.checksum = 1,
		.should_yield = is_collective_running,
		.arg = &running,
	};
	struct cosched_load_stats st = { .size = sizeof(st) };
	const struct cosched_load_tensor *t;
	struct cosched_predict *predict;
	struct cosched_load_error err;
	struct cosched_load *load;
	int64_t ms;

	if (argc != 2) {
		(void)fprintf(stderr, "usage: load MODEL\n");
		return 2;
	}
	if (cosched_load_open(argv[1], &o, &load, &err) < 0 ||
	    cosched_predict_open(NULL, NULL, &predict, &err) < 0) {
		(void)fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	ms = cosched_predict_load(predict, load);
	if (cosched_load_run(load, &st, &err) < 0) {
		(void)fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	t = cosched_load_tensor(load, 0);
	(void)printf("%" PRIu64 " bytes in %" PRIu64 " ms, predicted %" PRId64 "\n", st.bytes,
		     st.wall_ns / 1000000, ms);
	if (t)
		(void)printf("%s: %s, CRC32C %08x, at %p\n", t->name,
			     cosched_dtype_name(t->dtype), t->crc32c,
			     cosched_load_data(load, t));
	/* Others can map cosched_load_fd(load) as long as they like. */
	cosched_predict_close(predict);
	cosched_load_close(load);
	return 0;
}
