// SPDX-License-Identifier: GPL-2.0-only
/* Parsers of model files: what is accepted, and how the rest is refused. */
#include "check.h"
#include "common/cleanup.h"
#include "load/json.h"
#include "load/model.h"
#include "maker.h"

#include <errno.h>
#include <sys/stat.h>

#define T(dtype, shape, from, to) \
	"{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" from "," to "]}"

/* Headers for a file with @data bytes of data. */
static const struct {
	const char *json;
	uint64_t data;
	int ret;
	const char *says;	/* a part of the message */
} safetensors[] = {
	{ "{}", 0, 0, "" },
	{ "{\"a\":" T("F32", "[2,2]", "0", "16") "}   ", 16, 0, "" },
	{ "{\"a\":" T("F32", "[]", "0", "4") "}", 4, 0, "" },
	{ "{\"a\":" T("F4", "[3,2]", "0", "3") "}", 3, 0, "" },
	{ "{\"a\":" T("BF16", "[0,5]", "0", "0") "}", 0, 0, "" },
	{ "{\"b\":" T("I8", "[4]", "4", "8") ",\"a\":" T("I8", "[4]", "0", "4") "}", 8, 0, "" },
	{ "{\"a\":" T("U8", "[0]", "4", "4") ",\"b\":" T("U8", "[4]", "0", "4") "}", 4, 0, "" },
	{ "{\"__metadata__\":{\"k\":\"v\"}}", 0, 0, "" },
	{ "", 0, -EBADMSG, "begin with '{'" },
	{ " {}", 0, -EBADMSG, "begin with '{'" },
	{ "[]", 0, -EBADMSG, "begin with '{'" },
	{ "{", 0, -EBADMSG, "no valid JSON at line 1" },
	{ "{}x", 0, -EBADMSG, "no valid JSON" },
	{ "{\"a\":\"\\u0000\"}", 0, -EBADMSG, "" },
	{ "{\"a\":[[[[[[[[[[[[[[[[[[", 0, -EFBIG, "deeper than 16" },
	{ "{\"a\":1}", 0, -EBADMSG, "no object" },
	{ "{\"a\":{}}", 0, -EBADMSG, "no dtype" },
	{ "{\"a\":" T("F33", "[]", "0", "4") "}", 4, -EBADMSG, "\"F33\" is unknown" },
	{ "{\"a\":{\"dtype\":7,\"shape\":[],\"data_offsets\":[0,4]}}", 4, -EBADMSG, "no dtype" },
	{ "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, -EBADMSG, "no shape" },
	{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, -EBADMSG, "no data_offsets" },
	{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}}", 4, -EBADMSG,
	  "no data_offsets of two" },
	{ "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
	  -EBADMSG, "\"dtype\" is there twice" },
	{ "{\"a\":" T("F32", "[1,1,1,1,1,1,1,1,1]", "0", "4") "}", 4, -EFBIG, "9 dimensions" },
	{ "{\"a\":" T("F32", "[-1]", "0", "4") "}", 4, -EBADMSG, "no whole number" },
	{ "{\"a\":" T("F32", "[1.5]", "0", "4") "}", 4, -EBADMSG, "no whole number" },
	{ "{\"a\":" T("F32", "[\"1\"]", "0", "4") "}", 4, -EBADMSG, "no whole number" },
	{ "{\"a\":" T("F32", "[99999999999999999999999]", "0", "4") "}", 4, -EBADMSG,
	  "no whole number" },
	{ "{\"a\":" T("F32", "[4294967296,4294967296]", "0", "4") "}", 4, -EBADMSG,
	  "more than 2^64 bits" },
	{ "{\"a\":" T("F32", "[2]", "0", "4") "}", 4, -EBADMSG,
	  "need 64 bits, data_offsets have 4 bytes" },
	{ "{\"a\":" T("F4", "[3]", "0", "2") "}", 2, -EBADMSG, "need 12 bits" },
	{ "{\"a\":" T("F32", "[1]", "4", "0") "}", 4, -EBADMSG, "end at 0, before they begin" },
	{ "{\"a\":" T("F32", "[2]", "0", "8") "}", 4, -EBADMSG, "end at 8, the file has 4" },
	{ "{\"a\":" T("U8", "[1]", "18446744073709551614", "18446744073709551615") "}", 4,
	  -EBADMSG, "the file has 4" },
	{ "{\"a\":" T("U8", "[4]", "0", "4") ",\"b\":" T("U8", "[4]", "2", "6") "}", 6, -EBADMSG,
	  "inside the one before" },
	{ "{\"a\":" T("U8", "[4]", "0", "4") ",\"b\":" T("U8", "[4]", "0", "4") "}", 4, -EBADMSG,
	  "inside the one before" },
	{ "{\"a\":" T("U8", "[4]", "0", "4") ",\"b\":" T("U8", "[1]", "5", "6") "}", 6, -EBADMSG,
	  "is where the data before it ends" },
	{ "{\"a\":" T("U8", "[4]", "1", "5") "}", 5, -EBADMSG, "is where the data before" },
	{ "{\"a\":" T("U8", "[4]", "0", "4") "}", 5, -EBADMSG, "the tensors end at byte" },
	{ "{\"a\":" T("U8", "[0]", "0", "0") ",\"a\":" T("U8", "[0]", "0", "0") "}", 0, -EBADMSG,
	  "\"a\" is there twice" },
	{ "{\"\":" T("U8", "[0]", "0", "0") "}", 0, -EBADMSG, "empty name" },
	{ "{\"__metadata__\":{},\"__metadata__\":{}}", 0, -EBADMSG, "twice" },
	{ "{\"__metadata__\":{\"k\":1}}", 0, -EBADMSG, "no string" },
	{ "{\"__metadata__\":[]}", 0, -EBADMSG, "no object" },
};

static int parse_json(const char *json, size_t len, uint64_t data, struct load_model *model,
		      struct cosched_load_error *err)
{
	struct load_source s = {
		.path = "f", .data_offset = 8 + len, .file_size = 8 + len + data,
	};
	int r = load_safetensors_parse(json, len, &s, model, err);

	return r ? r : load_model_sort(model, err);
}

static void test_safetensors(void)
{
	struct cosched_load_error err;
	size_t i;

	for (i = 0; i < COSCHED_ARRAY_SIZE(safetensors); i++) {
		struct load_model model = {};
		int r;

		memset(&err, 0, sizeof(err));
		r = parse_json(safetensors[i].json, strlen(safetensors[i].json),
			       safetensors[i].data, &model, &err);
		CHECK(r == safetensors[i].ret && strstr(err.text, safetensors[i].says),
		      "safetensors case %zu: %d \"%s\"", i, r, err.text);
		load_model_free(&model);
	}
}

/* Counts and lengths beyond the limits end early. */
static void test_safetensors_limits(void)
{
	size_t len = LOAD_JSON_MAX_VALUES + 64, i;
	struct cosched_load_error err;
	struct load_model model = {};
	char *json = malloc(len);

	if (!json)
		maker_fail("malloc");
	memset(json, ',', len);
	memcpy(json, "{\"a\":[", 6);
	CHECK(parse_json(json, len, 0, &model, &err) == -EFBIG &&
	      strstr(err.text, "more than"), "too many values: %s", err.text);
	for (i = 2; i < 700; i++)
		json[i] = 'n';
	i = (size_t)sprintf(json + 700, "\":" T("U8", "[0]", "0", "0") "}");
	CHECK(parse_json(json, 700 + i, 0, &model, &err) == -EFBIG &&
	      strstr(err.text, "698 bytes, 512 at most"), "long name: %s", err.text);
	CHECK(parse_json("{\"a\0\":1}", 8, 0, &model, &err) == -EBADMSG &&
	      strstr(err.text, "NUL"), "a NUL byte: %s", err.text);
	CHECK(model.nr_tensors == 0, "nothing was added");
	load_model_free(&model);
	free(json);
}

/* One GGUF file a line: how it is broken. */
static void build_gguf(struct maker_gguf *g, int how)
{
	gguf_head(g, how == 1 ? UINT64_MAX : how == 25 ? 200000 : 2,
		  how == 2 ? 1u << 20 : how == 3 ? 60000 : 2);
	if (how == 4)
		g->bytes[4] = 2;
	if (how == 5)
		memcpy(g->bytes + 4, "\0\0\0\3", 4);
	gguf_string(g, "general.alignment");
	gguf_u32(g, how == 6 ? 10 : 4);
	gguf_u32(g, how == 7 ? 12 : how == 8 ? 0 : how == 26 ? 1u << 30 : 64);
	if (how == 9)
		gguf_u64(g, UINT64_MAX);
	gguf_string(g, how == 10 ? "general.alignment" : how == 11 ? "" : "k");
	gguf_u32(g, how == 12 ? 13 : how == 13 ? 7 : how == 10 ? 4 : 9);
	gguf_u32(g, how == 14 ? 77 : how == 13 ? 2 : how == 10 ? 64 : how == 15 ? 9 : 6);
	if (how != 10 && how != 13)
		gguf_u64(g, how == 16 ? UINT64_MAX : how == 15 ? 1 : 2);
	if (how == 15) {
		int i;

		for (i = 0; i < 8; i++) {
			gguf_u32(g, 9);
			gguf_u64(g, 1);
		}
	}
	if (how != 10 && how != 13)
		gguf_u64(g, 0);
	if (how == 17)
		gguf_string(g, "0123456789012345678901234567890123456789012345678901234567890123456789");
	gguf_tensor(g, "a", how == 18 ? 33 : how == 27 ? 1ull << 62 : 64,
		    how == 19 ? 4 : how == 27 ? 28 : 2, how == 20 ? 65 : 0);
	gguf_tensor(g, how == 21 ? "a" : "b", how == 22 ? 1ull << 40 : 16, 24,
		    how == 23 ? 0 : how == 24 ? 1ull << 60 : 64);
	if (how == 28)
		return;
	gguf_pad(g, 64);
	memset(g->bytes + g->len, 1, 80);
	g->len += 80;
}

static const struct {
	int how, ret;
	const char *says;
} gguf[] = {
	{ 0, 0, "" },
	{ 1, -EFBIG, "18446744073709551615 tensors" },
	{ 2, -EFBIG, "1048576 keys, 65536 at most" },
	{ 3, -EBADMSG, "" },
	{ 4, -ENOTSUP, "version 2" },
	{ 5, -ENOTSUP, "big-endian" },
	{ 6, -EBADMSG, "alignment has type 10" },
	{ 7, -EBADMSG, "alignment is 12" },
	{ 8, -EBADMSG, "alignment is 0" },
	{ 9, -EBADMSG, "18446744073709551615 bytes should follow" },
	{ 10, -EBADMSG, "\"general.alignment\" is there twice" },
	{ 11, -EBADMSG, "a key of 0 bytes" },
	{ 12, -EBADMSG, "has type 13" },
	{ 13, -EBADMSG, "a bool at byte" },
	{ 14, -EBADMSG, "elements of type 77" },
	{ 15, -EFBIG, "arrays in arrays, 4 deep" },
	{ 16, -EBADMSG, "bytes should follow" },
	{ 17, -EBADMSG, "must be 1 to 64" },
	{ 18, -EBADMSG, "rows of 33 elements, must be a multiple of 32" },
	{ 19, -EBADMSG, "type 4" },
	{ 20, -EBADMSG, "multiple of 64" },
	{ 21, -EBADMSG, "\"a\" is there twice" },
	{ 22, -EBADMSG, "the file ends at" },
	{ 23, -EBADMSG, "inside the one before" },
	{ 24, -EBADMSG, "offset 1152921504606846976, the file has" },
	{ 25, -EBADMSG, "" },
	{ 26, -EBADMSG, "alignment is 1073741824" },
	{ 27, -EBADMSG, "more than 2^64 bytes" },
	{ 28, -EBADMSG, "ends before its data" },
};

static void test_gguf(void)
{
	struct maker_gguf *g = calloc(1, sizeof(*g));
	size_t i;

	for (i = 0; g && i < COSCHED_ARRAY_SIZE(gguf); i++) {
		struct load_source s = { .path = "f" };
		struct cosched_load_error err = {};
		struct load_model model = {};
		int r;

		build_gguf(g, gguf[i].how);
		s.file_size = g->len;
		r = load_gguf_parse(g->bytes, g->len, &s, &model, &err);
		if (!r)
			r = load_model_sort(&model, &err);
		CHECK(r == gguf[i].ret && strstr(err.text, gguf[i].says),
		      "gguf case %d: %d \"%s\"", gguf[i].how, r, err.text);
		if (!r)
			CHECK(model.nr_tensors == 2 && model.tensors[0].bytes == 36 &&
			      model.tensors[0].file_offset == s.data_offset &&
			      s.data_offset % 64 == 0 &&
			      model.tensors[1].file_offset == s.data_offset + 64,
			      "gguf case %zu has its tensors", i);
		load_model_free(&model);
	}
	free(g);
}

/* Cut at every byte: more is asked for while the file has it, else refused. */
static void test_gguf_cut(void)
{
	struct maker_gguf *g = calloc(1, sizeof(*g));
	size_t len, wrong = 0, head;

	build_gguf(g, 0);
	head = g->len - 80;
	for (len = 0; len < head; len++) {
		struct load_source s = { .path = "f", .file_size = g->len };
		struct load_model model = {};
		int r = load_gguf_parse(g->bytes, len, &s, &model, NULL), cut;

		s.file_size = len;
		cut = load_gguf_parse(g->bytes, len, &s, &model, NULL);
		/* Padding may be missing from the bytes, not from the file. */
		wrong += !(r == -EAGAIN || (r == 0 && len + 64 > head)) || cut != -EBADMSG;
		load_model_free(&model);
	}
	CHECK(!wrong, "a GGUF header cut anywhere is incomplete (%zu wrong)", wrong);
	free(g);
}

static void expect_open(const char *path, int ret, const char *says)
{
	struct cosched_load_error err = {};
	struct load_model model = {};
	int r = load_model_open(path, &model, &err);

	CHECK(r == ret && strstr(err.text, says), "open: %d \"%s\"", r, err.text);
	load_model_free(&model);
}

static void write_index(const char *dir, const char *text)
{
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/model.safetensors.index.json", dir);
	maker_write(path, text, strlen(text), NULL, 0);
}

/* A line of an index: the tensor is in that shard. */
#define IN(shard) \
	"\"model.layers.1.weight\":\"model-0000" shard ".safetensors\""

static void test_shards(const char *dir)
{
	struct cosched_load_error err = {};
	struct load_model m = {};
	char path[512];
	int r;

	maker_shards(dir, 3, 4, 1000);
	r = load_model_open(dir, &m, &err);
	CHECK(!r && m.nr_files == 3 && m.nr_tensors == 12, "shards: %d \"%s\"", r, err.text);
	CHECK(!r && load_model_find(&m, "model.layers.11.weight") &&
	      load_model_find(&m, "model.layers.11.weight")->file == 2, "in their files");
	load_model_free(&m);
	write_index(dir, "{\"weight_map\":{" IN("0") "}}");
	r = load_model_open(dir, &m, &err);
	CHECK(!r && m.nr_tensors == 1, "only what the index lists");
	load_model_free(&m);
	write_index(dir, "{\"weight_map\":{" IN("1") "}}");
	expect_open(dir, -EBADMSG, "\"model.layers.1.weight\" is not in");
	write_index(dir, "{\"weight_map\":{\"x\":\"../model-00001.safetensors\"}}");
	expect_open(dir, -EBADMSG, "no plain file name");
	write_index(dir, "{\"weight_map\":{\"x\":\"model-9.safetensors\"}}");
	expect_open(dir, -ENOENT, "model-9.safetensors");
	write_index(dir, "{\"weight_map\":{}}");
	expect_open(dir, -EBADMSG, "is empty");
	write_index(dir, "{\"weight_map\":{" IN("0") "," IN("0") "}}");
	expect_open(dir, -EBADMSG, "twice");
	write_index(dir, "{}");
	expect_open(dir, -EBADMSG, "no weight_map");
	(void)snprintf(path, sizeof(path), "%s/model.safetensors.index.json", dir);
	(void)unlink(path);
	r = load_model_open(dir, &m, &err);
	CHECK(!r && m.nr_tensors == 12, "a directory of shards without index");
	load_model_free(&m);
}

static void test_files(const char *dir)
{
	const uint64_t huge = UINT64_MAX, most = 50000000;
	char path[512];

	test_shards(dir);
	expect_open("/nonexistent", -ENOENT, "/nonexistent");
	expect_open("/dev/null", -EINVAL, "no regular file");
	(void)snprintf(path, sizeof(path), "%s/x", dir);
	maker_write(path, "GGU", 3, NULL, 0);
	expect_open(path, -EBADMSG, "3 bytes are no model");
	maker_write(path, &huge, 8, "{}", 2);
	expect_open(path, -EFBIG, "header of 18446744073709551615 bytes");
	maker_write(path, &most, 8, "{}", 2);
	expect_open(path, -EBADMSG, "header of 50000000 bytes in a file of 10");
	maker_write(path, "GGUF\3\0\0\0", 8, NULL, 0);
	expect_open(path, -EBADMSG, "8 bytes should follow byte 8, the file has 8");
	maker_gguf(path, 3, 1000);
	expect_open(path, 0, "");
	(void)snprintf(path, sizeof(path), "%s/fifo", dir);
	CHECK(!mkfifo(path, 0600), "a FIFO");
	expect_open(path, -EINVAL, "no regular file");
}

static void test_select(void)
{
	struct cosched_load_options o = { .tensors = "*attn*" };

	CHECK(load_name_selected("blk.0.attn_q", &o) && !load_name_selected("blk.0.ffn", &o),
	      "by glob");
	o = (struct cosched_load_options){ .layers = 1, .layer_first = 2, .layer_last = 10 };
	CHECK(load_name_selected("model.layers.10.mlp.w", &o) &&
	      load_name_selected("blk.2.x", &o) && !load_name_selected("blk.1.x", &o) &&
	      !load_name_selected("blk.11.x", &o) && !load_name_selected("lm_head", &o) &&
	      !load_name_selected("v2.x", &o), "by layer");
}

int main(void)
{
	char *dir = maker_dir();

	test_safetensors();
	test_safetensors_limits();
	test_gguf();
	test_gguf_cut();
	test_files(dir);
	test_select();
	maker_remove(dir);
	return check_done();
}
