// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit tests of the NUMA rule and of the gate between nodes.
 *
 * test_numa [SEED]
 */
#include "policy/numa.h"

#include "check.h"

static struct numa_params params;

/* Active, at home, nothing remote, loads alike. */
static const struct numa_input home = {
	.birth = 0, .here = 0, .other = 1, .remote_permille = 0,
	.life_ns = SEC, .here_load = 1000, .birth_load = 1000,
	.other_load = 1000, .own_load = 250,
};

static enum numa_action action(const struct numa_input *in)
{
	struct numa_verdict v;

	numa_decide(&params, in, &v);
	return v.action;
}

static __s32 node(const struct numa_input *in)
{
	struct numa_verdict v;

	numa_decide(&params, in, &v);
	return v.node;
}

static void test_stage(void)
{
	T(numa_stage(&params, 0) == NUMA_NASCENT);
	T(numa_stage(&params, 5 * MS - 1) == NUMA_NASCENT);
	T(numa_stage(&params, 5 * MS) == NUMA_ACTIVE);
	T(numa_stage(&params, 2 * SEC) == NUMA_ACTIVE);
	T(numa_stage(&params, 2 * SEC + 1) == NUMA_DORMANT);
	T(numa_stage(&params, ~0ULL) == NUMA_DORMANT);
}

static void test_history(void)
{
	struct numa_history h;

	numa_forget(&h);
	T(numa_remote(&h) == NUMA_UNKNOWN);
	numa_note(&h, 900);
	numa_note(&h, 600);
	T(numa_remote(&h) == NUMA_UNKNOWN);	/* two periods are not three */
	numa_note(&h, 300);
	T(numa_remote(&h) == 600);
	numa_note(&h, 0);			/* the oldest goes */
	T(numa_remote(&h) == 300);
	numa_note(&h, NUMA_UNKNOWN);
	T(numa_remote(&h) == NUMA_UNKNOWN);
	numa_note(&h, 1000);
	numa_note(&h, 1000);
	numa_note(&h, 1000);
	T(numa_remote(&h) == 1000);
	numa_note(&h, 1001);			/* no share */
	T(numa_remote(&h) == NUMA_UNKNOWN);
	numa_forget(&h);
	T(numa_remote(&h) == NUMA_UNKNOWN);
	h.next = 0xffff;			/* memory of a map */
	numa_note(&h, 7);
	T(h.permille[0] == 7 && h.next == 1);
}

static void test_stay(void)
{
	struct numa_input in = home;

	T(action(&in) == NUMA_MAY_MIGRATE);
	T(node(&in) == 0);
	in.life_ns = 4 * MS;
	T(action(&in) == NUMA_BOUND);
	T(node(&in) == 0);
	in.here = 1;				/* put elsewhere: still bound */
	T(action(&in) == NUMA_BOUND);
	T(node(&in) == 0);
	in.birth = NUMA_NO_NODE_ID;		/* as if born here */
	T(node(&in) == 1);
	in.life_ns = 3 * SEC;
	T(action(&in) == NUMA_UNBOUND);
	T(node(&in) == NUMA_NO_NODE_ID);
}

static void test_remote(void)
{
	struct numa_input in = home;

	in.remote_permille = 1000;
	T(action(&in) == NUMA_MAY_MIGRATE);	/* at home: nowhere to go */
	in.here = 1;
	in.other = 0;
	T(action(&in) == NUMA_REBIND_BIRTH);
	T(node(&in) == 0);
	in.remote_permille = 601;
	T(action(&in) == NUMA_REBIND_BIRTH);
	in.remote_permille = 600;		/* more than, not as much as */
	T(action(&in) == NUMA_MAY_MIGRATE);
	in.remote_permille = NUMA_UNKNOWN;
	T(action(&in) == NUMA_MAY_MIGRATE);
	in.remote_permille = 700;
	in.life_ns = MS;			/* in every stage */
	T(action(&in) == NUMA_REBIND_BIRTH);
	in.life_ns = 3 * SEC;
	T(action(&in) == NUMA_REBIND_BIRTH);
	in.life_ns = SEC;
	in.birth_load = 1801;			/* it would be sent away again */
	T(action(&in) == NUMA_MAY_MIGRATE);
	in.birth_load = 1800;
	T(action(&in) == NUMA_REBIND_BIRTH);
	in.birth_load = 1801;			/* only active ones are sent */
	in.life_ns = 3 * SEC;
	T(action(&in) == NUMA_REBIND_BIRTH);
}

static void test_load(void)
{
	struct numa_input in = home;

	in.here_load = in.birth_load = 1801;
	T(action(&in) == NUMA_REBIND_OTHER);
	T(node(&in) == 1);
	in.here_load = in.birth_load = 1800;
	T(action(&in) == NUMA_MAY_MIGRATE);
	in.here_load = in.birth_load = 4000;
	in.life_ns = MS;
	T(action(&in) == NUMA_BOUND);
	in.life_ns = 3 * SEC;
	T(action(&in) == NUMA_UNBOUND);
	in.life_ns = SEC;
	in.other = NUMA_NO_NODE_ID;		/* may go nowhere else */
	T(action(&in) == NUMA_MAY_MIGRATE);
	in.other = in.here;
	T(action(&in) == NUMA_MAY_MIGRATE);
	in.other = 1;
	in.here_load = in.birth_load = 250;	/* alone: it would come back */
	in.other_load = 0;
	T(action(&in) == NUMA_MAY_MIGRATE);
	in.here_load = in.birth_load = 499;
	T(action(&in) == NUMA_MAY_MIGRATE);
	in.here_load = in.birth_load = 500;	/* one of two */
	T(action(&in) == NUMA_REBIND_OTHER);
	in.here_load = in.birth_load = ~0U;	/* extremes do not overflow */
	in.other_load = ~0U;
	in.own_load = ~0U;
	T(action(&in) == NUMA_MAY_MIGRATE);
	in.own_load = 0;
	in.other_load = ~0U / 2;
	T(action(&in) == NUMA_REBIND_OTHER);
	in.here_load = in.birth_load = 4300000;
	in.other_load = 2000000;
	T(action(&in) == NUMA_REBIND_OTHER);
	in.birth = 2;				/* away, remote, and overloaded: */
	in.birth_load = 1000;			/* home is the better place */
	in.remote_permille = 999;
	T(action(&in) == NUMA_REBIND_BIRTH);
	T(node(&in) == 2);
}

static void test_params(void)
{
	struct numa_params pr = {
		.nascent_ns = 10, .dormant_ns = 20,
		.remote_permille = 100, .load_permille = 3000,
	};
	struct numa_input in = home;
	struct numa_verdict v;

	in.life_ns = 15;
	in.here_load = in.birth_load = 2999;
	numa_decide(&pr, &in, &v);
	T(v.stage == NUMA_ACTIVE && v.action == NUMA_MAY_MIGRATE);
	in.here_load = in.birth_load = 3001;
	numa_decide(&pr, &in, &v);
	T(v.action == NUMA_REBIND_OTHER);
	in.here = 1;
	in.other = 0;
	in.remote_permille = 101;
	in.birth_load = 1000;
	numa_decide(&pr, &in, &v);
	T(v.action == NUMA_REBIND_BIRTH);
}

/* Moving by the rule comes to rest, and with loads that the rule accepts. */
static void test_no_ping_pong(void)
{
	for (int round = 0; round < 500; round++) {
		__u32 load[4] = { 0 };
		__s32 at[40];
		int moved = 1, rounds = 0;

		for (int i = 0; i < 40; i++) {
			at[i] = (__s32)pick(0, 3) * (pick(0, 1) ? 1 : 0);
			load[at[i]] += 250;
		}
		for (; moved && rounds < 100; rounds++) {
			moved = 0;
			for (int i = 0; i < 40; i++) {
				struct numa_input in = home;

				in.birth = in.here = at[i];
				in.other = at[i] ? 0 : 1;
				for (int n = 0; n < 4; n++)
					if (n != at[i] && load[n] < load[in.other])
						in.other = n;
				in.here_load = in.birth_load = load[at[i]];
				in.other_load = load[in.other];
				if (action(&in) != NUMA_REBIND_OTHER)
					continue;
				load[at[i]] -= 250;
				load[in.other] += 250;
				at[i] = in.other;
				moved = 1;
			}
		}
		T(!moved);
		for (int n = 0; n < 16; n++)
			T(load[n / 4] * 10 <= load[n % 4] * 18 ||
			  load[n / 4] < load[n % 4] + 500);
	}
}

/* As the caller does it. */
static int cross(__u64 *gate, __u64 now, __u32 nr_cpus, __u32 tokens)
{
	return numa_gate_passes(*gate, now, nr_cpus, tokens, gate);
}

static void test_gate(void)
{
	__u64 gate = 0, now = 100 * SEC, before, each = NUMA_CROSSING_NS / 4;

	for (int i = 0; i < 4; i++)		/* an idle node fills at once */
		T(cross(&gate, now, 4, NUMA_CROSS_IDLE));
	before = gate;
	T(!cross(&gate, now, 4, NUMA_CROSS_STEAL));
	T(gate == before);			/* refused: unchanged */
	T(numa_gate_wait(gate, now, 4, 1) == each);
	T(numa_gate_wait(gate, now, 4, 2) == 2 * each);
	T(!cross(&gate, now + each - 1, 4, 1));
	T(cross(&gate, now + each, 4, 1));	/* a token from time to time */
	T(!cross(&gate, now + 4 * each, 4, NUMA_CROSS_PREEMPT));
	T(cross(&gate, now + 5 * each, 4, NUMA_CROSS_PREEMPT));
	T(numa_gate_wait(0, now, 4, 4) == 0);
	now += SEC;				/* saves up no more than its size */
	for (int i = 0; i < 4; i++)
		T(cross(&gate, now, 4, 1));
	T(!cross(&gate, now, 4, 1));
	gate = 0;				/* one CPU can be preempted, too */
	T(cross(&gate, now, 1, NUMA_CROSS_PREEMPT));
	T(!cross(&gate, now, 1, 1));
	T(numa_gate_wait(gate, now, 1, 1) == NUMA_CROSSING_NS);
	gate = 0;				/* no CPUs: as one */
	T(cross(&gate, now, 0, NUMA_CROSS_PREEMPT));
	T(!cross(&gate, now, 0, 1));
	T(cross(&before, now, 512, 1));
	T(numa_gate_index(1, 0, 2) == 2 && numa_gate_index(0, 1, 2) == 1);
}

/* Whatever is asked, and when: the rate holds, and waiting as told is enough. */
static void test_gate_rate(void)
{
	for (int round = 0; round < 200; round++) {
		__u32 nr_cpus = (__u32)pick(1, 64);
		__u64 each = NUMA_CROSSING_NS / nr_cpus;
		__u64 start = pick(0, SEC), now = start, gate = 0, passed = 0;

		for (int i = 0; i < 5000; i++) {
			__u32 tokens = (__u32)pick(1, 2);

			now += pick(0, 2 * each);
			if (cross(&gate, now, nr_cpus, tokens)) {
				passed += tokens;
			} else if (!pick(0, 9)) {
				now += numa_gate_wait(gate, now, nr_cpus, tokens);
				T(cross(&gate, now, nr_cpus, tokens));
				passed += tokens;
			}
		}
		T(passed <= (now - start) / each + nr_cpus + 2);
		T(passed >= (now - start) / each * 6 / 10);
	}
}

int main(int argc, char **argv)
{
	seed_from(argc, argv);
	numa_defaults(&params);
	T(params.nascent_ns == 5 * MS && params.dormant_ns == 2 * SEC);
	T(params.remote_permille == 600 && params.load_permille == 1800);
	test_stage();
	test_history();
	test_stay();
	test_remote();
	test_load();
	test_params();
	test_no_ping_pong();
	test_gate();
	test_gate_rate();
	return verdict();
}
