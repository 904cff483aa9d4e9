// SPDX-License-Identifier: GPL-2.0-only
/*
 * uapi_layout: print how the compiler lays out include/uapi/linux/cosched.h.
 *
 * One line for each struct ("cosched_join_args 32"), for each field with its
 * offset and size ("cosched_join_args.comm_id 8 8") and for each constant
 * ("COSCHED_OP_BARRIER 0x2"), sorted by byte value. The Go mirror of the header
 * prints the same lines. With --asserts: the same as C assertions, by which
 * other compilers can be asked.
 *
 * A field that is missing below does not go unnoticed: the sizes must add up.
 * layout.sh finds missing structs and constants.
 */
#include <linux/cosched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INFO_ARGS(F)							\
	F(cosched_info_args, size) F(cosched_info_args, flags)		\
	F(cosched_info_args, abi_version) F(cosched_info_args, max_ranks) \
	F(cosched_info_args, features) F(cosched_info_args, max_members) \
	F(cosched_info_args, members)

#define JOIN_ARGS(F)							\
	F(cosched_join_args, size) F(cosched_join_args, flags)		\
	F(cosched_join_args, comm_id) F(cosched_join_args, rank)	\
	F(cosched_join_args, nranks) F(cosched_join_args, local_rank)	\
	F(cosched_join_args, local_nranks)

#define ENTER_ARGS(F)							\
	F(cosched_enter_args, size) F(cosched_enter_args, op)		\
	F(cosched_enter_args, seq) F(cosched_enter_args, bytes)		\
	F(cosched_enter_args, ts_user) F(cosched_enter_args, flags)	\
	F(cosched_enter_args, dtype) F(cosched_enter_args, local_arrived) \
	F(cosched_enter_args, local_nranks)

#define EXIT_ARGS(F)							\
	F(cosched_exit_args, size) F(cosched_exit_args, flags)		\
	F(cosched_exit_args, seq) F(cosched_exit_args, ts_user)		\
	F(cosched_exit_args, wait_ns)

#define WAIT_ARGS(F)							\
	F(cosched_wait_args, size) F(cosched_wait_args, flags)		\
	F(cosched_wait_args, seq) F(cosched_wait_args, timeout_ns)	\
	F(cosched_wait_args, count) F(cosched_wait_args, local_arrived)

#define BATCH_ENTRY(F)							\
	F(cosched_batch_entry, arg) F(cosched_batch_entry, cmd)		\
	F(cosched_batch_entry, fd)

#define BATCH_ARGS(F)							\
	F(cosched_batch_args, size) F(cosched_batch_args, flags)	\
	F(cosched_batch_args, entries) F(cosched_batch_args, count)	\
	F(cosched_batch_args, reserved)

#define PAGE(F)								\
	F(cosched_page, abi_version) F(cosched_page, listeners)

#define COLLECTIVE_EVENT(F)						\
	F(cosched_collective_event, comm_id)				\
	F(cosched_collective_event, seq)				\
	F(cosched_collective_event, bytes)				\
	F(cosched_collective_event, cgroup_id)				\
	F(cosched_collective_event, ts_user)				\
	F(cosched_collective_event, prev_exit_ns)			\
	F(cosched_collective_event, wait_ns)				\
	F(cosched_collective_event, op)					\
	F(cosched_collective_event, phase)				\
	F(cosched_collective_event, rank)				\
	F(cosched_collective_event, nranks)				\
	F(cosched_collective_event, local_rank)				\
	F(cosched_collective_event, local_nranks)			\
	F(cosched_collective_event, local_arrived)			\
	F(cosched_collective_event, flags)				\
	F(cosched_collective_event, dtype)				\
	F(cosched_collective_event, tgid)				\
	F(cosched_collective_event, tid)				\
	F(cosched_collective_event, uid)

#define BARRIER_EVENT(F)						\
	F(cosched_barrier_event, comm_id) F(cosched_barrier_event, seq)	\
	F(cosched_barrier_event, bytes)					\
	F(cosched_barrier_event, cgroup_id)				\
	F(cosched_barrier_event, skew_ns)				\
	F(cosched_barrier_event, wait_sum_ns)				\
	F(cosched_barrier_event, last_span_ns)				\
	F(cosched_barrier_event, last_delay_ns)				\
	F(cosched_barrier_event, op) F(cosched_barrier_event, flags)	\
	F(cosched_barrier_event, nranks)				\
	F(cosched_barrier_event, local_nranks)				\
	F(cosched_barrier_event, first_rank)				\
	F(cosched_barrier_event, last_rank)				\
	F(cosched_barrier_event, first_tgid)				\
	F(cosched_barrier_event, first_tid)				\
	F(cosched_barrier_event, last_tgid)				\
	F(cosched_barrier_event, last_tid)				\
	F(cosched_barrier_event, dtype) F(cosched_barrier_event, uid)

#define CGROUP_POLICY_EVENT(F)						\
	F(cosched_cgroup_policy_event, cgroup_id)			\
	F(cosched_cgroup_policy_event, action)				\
	F(cosched_cgroup_policy_event, profile)				\
	F(cosched_cgroup_policy_event, reserved_ppt)			\
	F(cosched_cgroup_policy_event, flags)				\
	F(cosched_cgroup_policy_event, uid)				\
	F(cosched_cgroup_policy_event, tgid)

#define HINT_HEADER(F)							\
	F(cosched_hint_header, version) F(cosched_hint_header, nr_cells) \
	F(cosched_hint_header, cell_size) F(cosched_hint_header, flags)	\
	F(cosched_hint_header, reserved)

#define HINT_CELL(F)							\
	F(cosched_hint_cell, phase) F(cosched_hint_cell, generation)	\
	F(cosched_hint_cell, deadline_ns) F(cosched_hint_cell, owner)	\
	F(cosched_hint_cell, flags) F(cosched_hint_cell, reserved)

#define HINT_REPLY(F)							\
	F(cosched_hint_reply, size) F(cosched_hint_reply, error)	\
	F(cosched_hint_reply, version) F(cosched_hint_reply, nr_cells)	\
	F(cosched_hint_reply, cell_size) F(cosched_hint_reply, flags)

#define STRUCTS(S)							\
	S(cosched_info_args, INFO_ARGS) S(cosched_join_args, JOIN_ARGS)	\
	S(cosched_enter_args, ENTER_ARGS) S(cosched_exit_args, EXIT_ARGS) \
	S(cosched_wait_args, WAIT_ARGS)					\
	S(cosched_batch_entry, BATCH_ENTRY)				\
	S(cosched_batch_args, BATCH_ARGS) S(cosched_page, PAGE)		\
	S(cosched_collective_event, COLLECTIVE_EVENT)			\
	S(cosched_barrier_event, BARRIER_EVENT)				\
	S(cosched_cgroup_policy_event, CGROUP_POLICY_EVENT)		\
	S(cosched_hint_header, HINT_HEADER) S(cosched_hint_cell, HINT_CELL) \
	S(cosched_hint_reply, HINT_REPLY)

#define CONSTANTS(C)							\
	C(COSCHED_ABI_VERSION) C(COSCHED_MAX_RANKS)			\
	C(COSCHED_MAX_INFLIGHT) C(COSCHED_SEQ_NEXT)			\
	C(COSCHED_OP_OTHER) C(COSCHED_OP_ALLREDUCE)			\
	C(COSCHED_OP_BARRIER) C(COSCHED_OP_BROADCAST)			\
	C(COSCHED_OP_REDUCE) C(COSCHED_OP_ALLGATHER)			\
	C(COSCHED_OP_REDUCE_SCATTER) C(COSCHED_OP_ALLTOALL)		\
	C(COSCHED_OP_GATHER) C(COSCHED_OP_SCATTER) C(COSCHED_OP_SCAN)	\
	C(COSCHED_OP_SENDRECV) C(COSCHED_NR_OPS)			\
	C(COSCHED_DTYPE_UNKNOWN) C(COSCHED_DTYPE_INT8)			\
	C(COSCHED_DTYPE_INT32) C(COSCHED_DTYPE_INT64)			\
	C(COSCHED_DTYPE_FLOAT16) C(COSCHED_DTYPE_BFLOAT16)		\
	C(COSCHED_DTYPE_FLOAT32) C(COSCHED_DTYPE_FLOAT64)		\
	C(COSCHED_DTYPE_FLOAT8) C(COSCHED_NR_DTYPES)			\
	C(COSCHED_ENTER_NONBLOCKING) C(COSCHED_ENTER_SPINNING)		\
	C(COSCHED_ENTER_FLAGS) C(COSCHED_EXIT_ABORT)			\
	C(COSCHED_EXIT_FLAGS) C(COSCHED_IOC_MAGIC)			\
	C(COSCHED_IOC_INFO) C(COSCHED_IOC_JOIN) C(COSCHED_IOC_ENTER)	\
	C(COSCHED_IOC_EXIT) C(COSCHED_IOC_WAIT) C(COSCHED_IOC_BATCH)	\
	C(COSCHED_MAX_BATCH) C(COSCHED_NO_TIMEOUT)			\
	C(COSCHED_FEATURE_WAIT) C(COSCHED_FEATURE_BATCH)		\
	C(COSCHED_FEATURE_PAGE) C(COSCHED_FEATURE_BARRIER)		\
	C(COSCHED_FEATURES)						\
	C(COSCHED_LISTENS_COLLECTIVE) C(COSCHED_LISTENS_BARRIER)	\
	C(COSCHED_BARRIER_NO_DELAY) C(COSCHED_BARRIER_DISTURBED)	\
	C(COSCHED_PHASE_ENTER) C(COSCHED_PHASE_EXIT)			\
	C(COSCHED_PHASE_ABORT) C(COSCHED_PHASE_JOIN)			\
	C(COSCHED_PHASE_LEAVE)						\
	C(COSCHED_POLICY_ENABLE) C(COSCHED_POLICY_DISABLE)		\
	C(COSCHED_POLICY_CHANGE) C(COSCHED_POLICY_REMOVE)		\
	C(COSCHED_POLICY_REPLAY)					\
	C(COSCHED_PROFILE_DEFAULT) C(COSCHED_PROFILE_LATENCY)		\
	C(COSCHED_PROFILE_THROUGHPUT) C(COSCHED_PROFILE_BATCH)		\
	C(COSCHED_NR_PROFILES)						\
	C(COSCHED_HINT_VERSION) C(COSCHED_HINT_CELLS)			\
	C(COSCHED_HINT_PROCESS) C(COSCHED_HINT_LABELS)			\
	C(COSCHED_HINT_NR_LABELS) C(COSCHED_HINT_THREADS)		\
	C(COSCHED_HINT_NR_THREADS) C(COSCHED_HINT_PROBES)		\
	C(COSCHED_HINT_NONE) C(COSCHED_HINT_IDLE)			\
	C(COSCHED_HINT_COMPUTE) C(COSCHED_HINT_COLLECTIVE)		\
	C(COSCHED_HINT_IO) C(COSCHED_HINT_LOAD)				\
	C(COSCHED_HINT_PREFILL) C(COSCHED_HINT_DECODE)			\
	C(COSCHED_HINT_CHECKPOINT) C(COSCHED_NR_HINT_PHASES)

#define FIELD_SIZE(s, f)	sizeof(((struct s *)0)->f)

/* No field is forgotten, and there is no hole. */
#define PLUS_SIZE(s, f)		+ FIELD_SIZE(s, f)
#define SIZES_ADD_UP(s, FIELDS)						\
	_Static_assert(sizeof(struct s) == 0 FIELDS(PLUS_SIZE),		\
		       #s " has a field that is not listed, or a hole");
STRUCTS(SIZES_ADD_UP)

static char lines[400][96];
static size_t nr_lines;

#define ADD(...) \
	snprintf(lines[nr_lines++], sizeof(lines[0]), __VA_ARGS__)
#define FIELD_LINE(s, f) \
	ADD("%s.%s %zu %zu", #s, #f, offsetof(struct s, f), FIELD_SIZE(s, f));
#define STRUCT_LINES(s, FIELDS) \
	ADD("%s %zu", #s, sizeof(struct s)); FIELDS(FIELD_LINE)
#define CONSTANT_LINE(c) \
	ADD("%s 0x%llx", #c, (unsigned long long)(c));

#define FIELD_ASSERT(s, f)						\
	printf("_Static_assert(__builtin_offsetof(struct %s, %s) == %zu && " \
	       "sizeof(((struct %s *)0)->%s) == %zu, \"%s.%s\");\n",	\
	       #s, #f, offsetof(struct s, f), #s, #f, FIELD_SIZE(s, f),	\
	       #s, #f);
#define STRUCT_ASSERTS(s, FIELDS)					\
	printf("_Static_assert(sizeof(struct %s) == %zu, \"%s\");\n", #s, \
	       sizeof(struct s), #s);					\
	FIELDS(FIELD_ASSERT)

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--asserts")) {
		STRUCTS(STRUCT_ASSERTS)
		return 0;
	}
	STRUCTS(STRUCT_LINES)
	CONSTANTS(CONSTANT_LINE)
	qsort(lines, nr_lines, sizeof(lines[0]), compare);
	for (size_t i = 0; i < nr_lines; i++)
		puts(lines[i]);
	return 0;
}
