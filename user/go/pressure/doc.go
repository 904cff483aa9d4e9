// SPDX-License-Identifier: MIT

// Package pressure lets a Go program give memory back when its cgroup is short
// of it, before the kernel slows it down or ends it.
//
// It needs nothing but the files of the cgroup, version 2, that the program runs
// in: no daemon, no privileges. It is event driven: a goroutine sleeps in the
// netpoller until the kernel says that memory.events or a limit changed.
//
//   - When the cgroup was throttled at memory.high, the garbage is collected early.
//   - When it met memory.max, the GC percentage goes down to 25 and the garbage is
//     collected at once.
//   - When neither happened for a while, the program's own percentage is back.
//   - The memory limit of the runtime follows memory.high and memory.max, below
//     which it stays, unless the program or GOMEMLIMIT set one.
//
// Settings of the program go before: a GC percentage below 25, or one that is
// changed meanwhile, stays, and so does a memory limit.
package pressure
