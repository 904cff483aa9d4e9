// SPDX-License-Identifier: GPL-2.0-only
/* Element types of both formats: names and sizes. */
#include "load/model.h"

#include "common/cleanup.h"

#include <string.h>

static const struct {
	const char *name;
	unsigned int bits;
} plain[] = {
	[COSCHED_DTYPE_OTHER] = { "?", 0 },
	[COSCHED_DTYPE_BOOL] = { "BOOL", 8 },
	[COSCHED_DTYPE_U8] = { "U8", 8 },
	[COSCHED_DTYPE_I8] = { "I8", 8 },
	[COSCHED_DTYPE_U16] = { "U16", 16 },
	[COSCHED_DTYPE_I16] = { "I16", 16 },
	[COSCHED_DTYPE_F16] = { "F16", 16 },
	[COSCHED_DTYPE_BF16] = { "BF16", 16 },
	[COSCHED_DTYPE_U32] = { "U32", 32 },
	[COSCHED_DTYPE_I32] = { "I32", 32 },
	[COSCHED_DTYPE_F32] = { "F32", 32 },
	[COSCHED_DTYPE_U64] = { "U64", 64 },
	[COSCHED_DTYPE_I64] = { "I64", 64 },
	[COSCHED_DTYPE_F64] = { "F64", 64 },
	[COSCHED_DTYPE_F8_E4M3] = { "F8_E4M3", 8 },
	[COSCHED_DTYPE_F8_E5M2] = { "F8_E5M2", 8 },
	[COSCHED_DTYPE_F8_E8M0] = { "F8_E8M0", 8 },
	[COSCHED_DTYPE_F4] = { "F4", 4 },
	[COSCHED_DTYPE_F6_E2M3] = { "F6_E2M3", 6 },
	[COSCHED_DTYPE_F6_E3M2] = { "F6_E3M2", 6 },
	[COSCHED_DTYPE_C64] = { "C64", 64 },
};

/* Types of GGUF by their number; a name of NULL: never given, or withdrawn. */
static const struct {
	const char *name;
	uint16_t elements, bytes;
} ggml[] = {
	[0] = { "F32", 1, 4 },		[1] = { "F16", 1, 2 },
	[2] = { "Q4_0", 32, 18 },	[3] = { "Q4_1", 32, 20 },
	[6] = { "Q5_0", 32, 22 },	[7] = { "Q5_1", 32, 24 },
	[8] = { "Q8_0", 32, 34 },	[9] = { "Q8_1", 32, 36 },
	[10] = { "Q2_K", 256, 84 },	[11] = { "Q3_K", 256, 110 },
	[12] = { "Q4_K", 256, 144 },	[13] = { "Q5_K", 256, 176 },
	[14] = { "Q6_K", 256, 210 },	[15] = { "Q8_K", 256, 292 },
	[16] = { "IQ2_XXS", 256, 66 },	[17] = { "IQ2_XS", 256, 74 },
	[18] = { "IQ3_XXS", 256, 98 },	[19] = { "IQ1_S", 256, 50 },
	[20] = { "IQ4_NL", 32, 18 },	[21] = { "IQ3_S", 256, 110 },
	[22] = { "IQ2_S", 256, 82 },	[23] = { "IQ4_XS", 256, 136 },
	[24] = { "I8", 1, 1 },		[25] = { "I16", 1, 2 },
	[26] = { "I32", 1, 4 },		[27] = { "I64", 1, 8 },
	[28] = { "F64", 1, 8 },		[29] = { "IQ1_M", 256, 56 },
	[30] = { "BF16", 1, 2 },	[34] = { "TQ1_0", 256, 54 },
	[35] = { "TQ2_0", 256, 66 },	[39] = { "MXFP4", 32, 17 },
};

unsigned int load_dtype_bits(uint32_t dtype)
{
	return dtype < COSCHED_ARRAY_SIZE(plain) ? plain[dtype].bits : 0;
}

uint32_t load_dtype_by_name(const char *name)
{
	uint32_t i;

	for (i = 1; i < COSCHED_ARRAY_SIZE(plain); i++)
		if (!strcmp(plain[i].name, name))
			return i;
	return 0;
}

bool load_ggml_block(uint32_t type, uint32_t *ret_elements, uint32_t *ret_bytes)
{
	if (type >= COSCHED_ARRAY_SIZE(ggml) || !ggml[type].name)
		return false;
	*ret_elements = ggml[type].elements;
	*ret_bytes = ggml[type].bytes;
	return true;
}

const char *cosched_dtype_name(uint32_t dtype)
{
	if (dtype < COSCHED_ARRAY_SIZE(plain))
		return plain[dtype].name;
	dtype -= COSCHED_DTYPE_GGML;
	if (dtype < COSCHED_ARRAY_SIZE(ggml) && ggml[dtype].name)
		return ggml[dtype].name;
	return "?";
}
