// SPDX-License-Identifier: MIT

package pressure

import "time"

// counters of memory.events that matter here.
type counters struct {
	high, max uint64
}

// action is what to do now.
type action struct {
	collect bool // collect the garbage
	lower   bool // lower the GC percentage
	restore bool // let the program's own be back
}

// machine decides. It is pure: it has no clock and touches nothing.
type machine struct {
	pause, quiet time.Duration
	seen         counters
	lowered      bool
	collected    time.Time // last forced collection
	pressed      time.Time // last event
	owed         bool      // an event came within the pause
}

// events takes what memory.events says at now.
func (m *machine) events(now time.Time, c counters) action {
	var a action
	high, max := c.high > m.seen.high, c.max > m.seen.max
	m.seen = c
	if !high && !max {
		return m.tick(now)
	}
	m.pressed = now
	if max && !m.lowered {
		m.lowered = true
		a.lower = true
	}
	a.collect = m.due(now)
	return a
}

// due says whether a collection may begin, which is at most one a pause.
func (m *machine) due(now time.Time) bool {
	m.owed = now.Sub(m.collected) < m.pause
	if !m.owed {
		m.collected = now
	}
	return !m.owed
}

// tick is called when next said so.
func (m *machine) tick(now time.Time) action {
	var a action
	if m.owed && now.Sub(m.collected) >= m.pause {
		a.collect = m.due(now)
	}
	if m.lowered && now.Sub(m.pressed) >= m.quiet {
		m.lowered = false
		a.restore = true
	}
	return a
}

// next is when tick is to be called, zero for never.
func (m *machine) next() time.Time {
	var t time.Time
	if m.lowered {
		t = m.pressed.Add(m.quiet)
	}
	if owed := m.collected.Add(m.pause); m.owed && (t.IsZero() || owed.Before(t)) {
		t = owed
	}
	return t
}
