/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Barriers: by how much a rank that others wait for is moved forward in its
 * queue, and one that polls while it waits is moved back, as pure arithmetic.
 *
 * Only places in queues change. What a task used is charged as ever, so who was
 * served early is later for it afterwards, and who was put off keeps what it is
 * owed: a move is a loan, of at most the span, and long-run shares stay what
 * weights say whatever programs claim.
 */
#ifndef _COSCHED_POLICY_BARRIER_H
#define _COSCHED_POLICY_BARRIER_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/* The furthest that a place is moved, in time of the whole machine. */
#define BARRIER_SPAN_NS	12000000ULL

/* What is known of the collective that a task's rank is in or comes to. */
struct barrier {
	__u32 nranks;		/* that take part here */
	__u32 arrived;
	int waits;		/* this rank is one of those that arrived */
	int spins;		/* and polls */
};

/*
 * How far forward: nothing while nobody waits, and the further the fewer are
 * missing, up to the span for the last one.
 */
static inline __u64 barrier_lead(const struct barrier *b, __u64 span)
{
	__u32 missing = b->nranks > b->arrived ? b->nranks - b->arrived : 0;

	if (b->waits || !b->arrived || !missing)
		return 0;
	return span * b->arrived / (b->arrived + missing - 1);
}

/* How far back: who polls, as long as somebody is missing. */
static inline __u64 barrier_delay(const struct barrier *b, __u64 span)
{
	return b->waits && b->spins && b->arrived < b->nranks ? span : 0;
}

/* @key moved. @nr_cpus: virtual time passes at most so fast. */
static inline __u64 barrier_key(__u64 key, const struct barrier *b, __u64 nr_cpus)
{
	__u64 span = BARRIER_SPAN_NS * nr_cpus;

	return key - barrier_lead(b, span) + barrier_delay(b, span);
}

#endif /* _COSCHED_POLICY_BARRIER_H */
