// SPDX-License-Identifier: MIT

//go:build linux

package pressure

import (
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"
	"time"
)

func TestMachine(t *testing.T) {
	start := time.Unix(1000, 0)
	at := func(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }
	m := machine{pause: time.Second, quiet: 10 * time.Second}
	steps := []struct {
		at   float64
		c    counters
		tick bool
		want action
		next float64
	}{
		{0, counters{}, false, action{}, -1},
		{1, counters{high: 1}, false, action{collect: true}, -1},
		// Within the pause: owed, and done when it is over.
		{1.5, counters{high: 5}, false, action{}, 2},
		{2, counters{}, true, action{collect: true}, -1},
		{4, counters{high: 5, max: 1}, false, action{collect: true, lower: true}, 14},
		{5, counters{high: 5, max: 2}, false, action{collect: true}, 15},
		{14, counters{}, true, action{}, 15},
		{15, counters{}, true, action{restore: true}, -1},
	}
	for i, s := range steps {
		var got action
		if s.tick {
			got = m.tick(at(s.at))
		} else {
			got = m.events(at(s.at), s.c)
		}
		if got != s.want {
			t.Errorf("step %d: %+v, want %+v", i, got, s.want)
		}
		want := time.Time{}
		if s.next >= 0 {
			want = at(s.next)
		}
		if next := m.next(); !next.Equal(want) {
			t.Errorf("step %d: next %v, want %v", i, next, want)
		}
	}
}

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

func begin(t *testing.T, o Options) (*Loop, string) {
	t.Helper()
	dir := t.TempDir()
	put(t, dir, "memory.events", "low 0\nhigh 0\nmax 0\n")
	put(t, dir, "memory.high", "max\n")
	put(t, dir, "memory.max", "max\n")
	o.Cgroup = dir
	l, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	return l, dir
}

func TestReaction(t *testing.T) {
	debug.SetGCPercent(100)
	l, dir := begin(t, Options{Pause: time.Millisecond, Quiet: 50 * time.Millisecond})
	put(t, dir, "memory.events", "low 0\nhigh 3\nmax 0\n")
	eventually(t, "no early collection", func() bool { return l.Stats().Collections > 0 })
	if p := percent(); p != 100 {
		t.Errorf("high: percentage %d", p)
	}
	put(t, dir, "memory.events", "low 0\nhigh 3\nmax 1\n")
	eventually(t, "not lowered", func() bool { return percent() == 25 })
	eventually(t, "not restored", func() bool { return percent() == 100 })
	l.Stop()
}

func TestUserSettings(t *testing.T) {
	defer debug.SetGCPercent(100)
	debug.SetGCPercent(10)
	l, dir := begin(t, Options{Quiet: time.Hour})
	put(t, dir, "memory.events", "max 1\n")
	eventually(t, "no reaction", func() bool { return l.Stats().Lowered > 0 })
	if p := percent(); p != 10 {
		t.Errorf("a lower percentage became %d", p)
	}
	l.Stop()
	debug.SetGCPercent(100)
	l, dir = begin(t, Options{Quiet: time.Hour})
	put(t, dir, "memory.events", "max 1\n")
	eventually(t, "not lowered", func() bool { return percent() == 25 })
	debug.SetGCPercent(70)
	l.Stop()
	if p := percent(); p != 70 {
		t.Errorf("what the program set meanwhile became %d", p)
	}
}

func TestLimit(t *testing.T) {
	l, dir := begin(t, Options{})
	put(t, dir, "memory.high", "1000000000\n")
	eventually(t, "limit not followed", func() bool { return debug.SetMemoryLimit(-1) == 900000000 })
	put(t, dir, "memory.high", "max\n")
	eventually(t, "limit not lifted", func() bool { return debug.SetMemoryLimit(-1) == math.MaxInt64 })
	debug.SetMemoryLimit(5 << 30)
	put(t, dir, "memory.max", "1000000000\n")
	put(t, dir, "memory.events", "high 1\n")
	eventually(t, "no reaction", func() bool { return l.Stats().High > 0 })
	l.Stop()
	if n := debug.SetMemoryLimit(math.MaxInt64); n != 5<<30 {
		t.Errorf("the program's own limit became %d", n)
	}
}

func TestRefusals(t *testing.T) {
	for _, o := range []Options{{Percent: 101}, {Pause: -1}, {Quiet: -1}, {Cgroup: t.TempDir()}} {
		if _, err := Start(o); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
}

func TestMounted(t *testing.T) {
	const mounts = "30 24 0:26 /a /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
	if dir, err := mounted(mounts, "/a/b"); err != nil || dir != "/sys/fs/cgroup/b" {
		t.Errorf("%q, %v", dir, err)
	}
	if _, err := mounted("", "/a"); err == nil {
		t.Error("no mount is accepted")
	}
}
