// SPDX-License-Identifier: MIT

package cosched

import (
	"context"
	"runtime/pprof"
	"sync/atomic"
	"time"
)

// labelKey sorts before keys that begin with a letter or digit: the scheduler
// looks at the first label only.
const labelKey = "!cosched"

// A Scope is what [Do] and [DoLocked] made: the place where their phase is kept.
// A nil *Scope does nothing. It may be used by several goroutines; after the
// function it was made for has returned it says nothing any more.
type Scope struct {
	cell  atomic.Pointer[cell]
	index uint32 // of the cell, for who gives it back
}

// nowhere is where scopes that have ended store to.
var nowhere cell

// SetPhase is one store. What is not a phase counts as [None].
func (s *Scope) SetPhase(p Phase) {
	if s != nil {
		s.cell.Load().phase.Store(uint32(p))
	}
}

// SetDeadline says when the phase should be over; the zero time: no deadline. A
// goroutine whose deadline is within 5 ms, or past by at most 100 ms, goes before
// others of its cgroup. It stays until it is set again.
func (s *Scope) SetDeadline(t time.Time) {
	if s == nil {
		return
	}
	var ns uint64
	if !t.IsZero() {
		ns = monotonic(t)
	}
	s.cell.Load().deadline.Store(ns)
}

// Phase is the one that was set last; [None] of a nil *Scope or one that ended.
func (s *Scope) Phase() Phase {
	if s == nil {
		return None
	}
	c := s.cell.Load()
	if c == &nowhere {
		return None
	}
	return Phase(c.phase.Load())
}

// end makes what was said void; who stores later, by mistake, stores nowhere.
func (s *Scope) end() *cell {
	return s.cell.Swap(&nowhere)
}

type scopeKey struct{}

// FromContext returns the scope of the innermost [Do] or [DoLocked] that ctx
// comes from, nil if there is none or cosched does not run. Keep it to change
// phases often: [Scope.SetPhase] is cheaper than [SetPhase].
func FromContext(ctx context.Context) *Scope {
	s, _ := ctx.Value(scopeKey{}).(*Scope)
	return s
}

// Do calls f, with a context that comes from ctx, in phase p. Goroutines that f
// starts are in the phase of f, whatever it changes to, until Do returns; those
// that are left then are in the phase of the process. Dos may be nested: the
// innermost counts.
//
// Where cosched does not run, and beyond 254 Dos at a time, it calls f(ctx).
func Do(ctx context.Context, p Phase, f func(context.Context)) {
	s := page.newScope(p)
	if s == nil {
		f(ctx)
		return
	}
	defer page.endScope(s)
	ctx = context.WithValue(ctx, scopeKey{}, s)
	pprof.Do(ctx, pprof.Labels(labelKey, page.label(s)), f)
}

// DoLocked is Do for a goroutine that stays on its thread while f runs, as by
// [runtime.LockOSThread]: the phase is that of the thread, is not inherited, and
// needs no label to be found. It is for loops that live long: a switch between
// goroutines costs more where threads are tied.
func DoLocked(ctx context.Context, p Phase, f func(context.Context)) {
	s, unlock := page.newThreadScope(p)
	if s == nil {
		f(ctx)
		return
	}
	defer unlock()
	f(context.WithValue(ctx, scopeKey{}, s))
}

// SetPhase changes the phase of the innermost [Do] or [DoLocked] that ctx comes
// from; without one it does nothing.
func SetPhase(ctx context.Context, p Phase) {
	FromContext(ctx).SetPhase(p)
}

// SetDeadline is [Scope.SetDeadline] for the innermost scope that ctx comes from.
func SetDeadline(ctx context.Context, t time.Time) {
	FromContext(ctx).SetDeadline(t)
}

// SetProcessPhase sets the phase of all that is in none of its own.
func SetProcessPhase(p Phase) {
	if c := page.process(); c != nil {
		c.phase.Store(uint32(p))
	}
}

// Enabled reports whether the scheduler hears this program. The first call
// connects, as any other use does.
func Enabled() bool {
	return page.connect()
}
