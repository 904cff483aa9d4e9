// SPDX-License-Identifier: GPL-2.0-only
/*
 * A BPF program that does nothing. What the kernel accounts to a call of it,
 * with kernel.bpf_stats_enabled, is what the accounting itself takes; the
 * contest takes that off what it says of schedulers. Any function that is
 * called often does; it has to be reached through a trampoline, as the
 * callbacks of a scheduler are.
 */
#define SEC(name) __attribute__((section(name), used))

char LICENSE[] SEC("license") = "GPL";

SEC("fentry/vfs_write")
int empty(void *ctx)
{
	(void)ctx;
	return 0;
}
