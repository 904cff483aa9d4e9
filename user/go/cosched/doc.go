// SPDX-License-Identifier: MIT

// Package cosched lets a Go program say to the cosched scheduler what it is
// doing, and follow what its cgroup may use. It needs nothing but the standard
// library.
//
// # Hints
//
// A phase says what code is for: [Compute], [Decode], [IO], ... It has an effect
// where cosched runs and the program's cgroup is enabled, and only within what
// that cgroup deserves: it puts threads before others of the same cgroup, or
// behind everybody. Elsewhere nothing happens, at the cost of a comparison.
//
//	cosched.SetProcessPhase(cosched.Compute)
//
//	cosched.Do(ctx, cosched.Prefill, func(ctx context.Context) {
//		readPrompt(ctx)
//		cosched.SetPhase(ctx, cosched.Decode)
//		makeTokens(ctx)
//	})
//
// The phase of [Do] belongs to the goroutine: it follows it from thread to
// thread, goroutines started inside inherit it, and changing it is one store to
// memory that is shared with the scheduler, without a system call. It is found
// through a pprof label, "!cosched", which lives beside the program's own labels
// and shows up in its profiles. Schedulers that cannot read labels go by the
// phase of the process; [DoLocked], which ties a goroutine to its thread, needs
// no label.
//
// The scheduler looks when a thread leaves its CPU, at the end of its slice and
// at the timer's tick. Set the phase that comes next before waiting for it.
//
// The first use connects to the daemon, which takes well under a millisecond, or
// a second at most when it is busy loading. A daemon that was restarted is found
// again. COSCHED_HINT_SOCKET in the environment is the path of its socket, in
// place of /run/cosched/hint/socket; empty: do not connect. A container needs
// that directory mounted, nothing else.
//
// # CPUs
//
// [Pin] ties a goroutine to a CPU of the program's cpuset. [FollowCPUMax] keeps
// GOMAXPROCS at what cpu.max allows, at once when it is changed. Both work without
// cosched.
//
// All functions may be called by any goroutine at any time, unless they say
// other. On systems other than Linux hints do nothing, and the rest returns
// [errors.ErrUnsupported].
package cosched
