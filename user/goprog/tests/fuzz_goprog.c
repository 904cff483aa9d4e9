// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer target: no file makes the reader of Go programs misbehave, and what it
 * says stays within bounds. Start it with small programs as corpus:
 *
 *	build/test/fuzz_goprog -max_len=3000000 -rss_limit_mb=2048 build/go-layouts
 */
#include "goprog/goprog.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cosched_go_program p;

	if (cosched_goprog_parse(data, size, &p))
		return 0;
	if (strnlen(p.text, sizeof(p.text)) == sizeof(p.text))
		abort();
	if (p.source != COSCHED_GO_UNKNOWN && p.layout.m_curg == COSCHED_GO_NONE)
		abort();
	return 0;
}
