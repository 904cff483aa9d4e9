// SPDX-License-Identifier: MIT

package cosched

import (
	"context"
	"fmt"
	"runtime/pprof"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"cosched.io/cosched/internal/uapi"
)

// labelled is the cell that the labels of ctx name, and the generation they were
// made for.
func labelled(t *testing.T, ctx context.Context) (index int, generation uint32) {
	t.Helper()
	value, ok := pprof.Label(ctx, labelKey)
	if !ok || len(value) != 8 {
		t.Fatalf("label %q is %q", labelKey, value)
	}
	i, err := strconv.ParseUint(value[:4], 16, 16)
	g, err2 := strconv.ParseUint(value[4:], 16, 16)
	if err != nil || err2 != nil || i < uapi.HintLabels ||
		i >= uapi.HintLabels+uapi.HintNrLabels {
		t.Fatalf("label %q is %q", labelKey, value)
	}
	return int(i), uint32(g)
}

func TestAbsent(t *testing.T) {
	old := page
	page = new(hintPage)
	defer func() { page = old }()
	t.Setenv("COSCHED_HINT_SOCKET", "")
	ctx := context.Background()
	if Enabled() {
		t.Error("enabled without a daemon")
	}
	for name, do := range map[string]func(context.Context, Phase, func(context.Context)){
		"Do": Do, "DoLocked": DoLocked,
	} {
		called := false
		f := func(got context.Context) { called = got == ctx }
		if n := testing.AllocsPerRun(10, func() { do(ctx, Compute, f) }); n != 0 {
			t.Errorf("%s allocates %v times for nothing", name, n)
		}
		if !called {
			t.Errorf("%s did not call its function with the context it got", name)
		}
	}
	SetPhase(ctx, Decode)
	SetDeadline(ctx, time.Now())
	SetProcessPhase(Decode)
	if s := FromContext(ctx); s != nil || s.Phase() != None {
		t.Errorf("scope %v", s)
	}
}

func TestDo(t *testing.T) {
	d := useDaemon(t)
	outer := pprof.WithLabels(context.Background(), pprof.Labels("job", "a"))
	var kept context.Context
	var index int
	var generation uint32
	Do(outer, Prefill, func(ctx context.Context) {
		kept = ctx
		index, generation = labelled(t, ctx)
		c := &d.page.Load()[index]
		if Phase(c.phase.Load()) != Prefill || c.generation.Load()&0xffff != generation {
			t.Errorf("phase %d, generation %d, label for %d", c.phase.Load(),
				c.generation.Load(), generation)
		}
		if v, _ := pprof.Label(ctx, "job"); v != "a" {
			t.Errorf("the caller's label is %q", v)
		}
		SetPhase(ctx, Decode)
		if Phase(c.phase.Load()) != Decode || FromContext(ctx).Phase() != Decode {
			t.Errorf("phase %d after SetPhase", c.phase.Load())
		}
		SetDeadline(ctx, time.Now().Add(time.Hour))
		in := int64(c.deadline.Load()) - int64(monotonic(time.Now()))
		if in < int64(59*time.Minute) || in > int64(61*time.Minute) {
			t.Errorf("deadline in %v, not in an hour", time.Duration(in))
		}
		SetDeadline(ctx, time.Time{})
		if c.deadline.Load() != 0 {
			t.Error("a deadline was not taken back")
		}
		Do(ctx, IO, func(ctx context.Context) {
			inner, _ := labelled(t, ctx)
			if inner == index || Phase(d.page.Load()[inner].phase.Load()) != IO {
				t.Errorf("cell %d within %d", inner, index)
			}
		})
	})
	c := &d.page.Load()[index]
	if c.phase.Load() != uapi.HintNone || c.generation.Load()&0xffff == generation {
		t.Errorf("after Do: phase %d, generation %d", c.phase.Load(), c.generation.Load())
	}
	SetPhase(kept, Compute)
	if c.phase.Load() != uapi.HintNone || FromContext(kept).Phase() != None {
		t.Error("a scope that ended still says something")
	}
}

func TestDoPanics(t *testing.T) {
	useDaemon(t)
	for range 2 * uapi.HintNrLabels {
		func() {
			defer func() { recover() }()
			Do(context.Background(), Compute, func(context.Context) { panic("x") })
		}()
	}
	Do(context.Background(), Compute, func(ctx context.Context) { labelled(t, ctx) })
}

func TestProcessPhase(t *testing.T) {
	d := useDaemon(t)
	SetProcessPhase(Load)
	if got := Phase(d.page.Load()[uapi.HintProcess].phase.Load()); got != Load {
		t.Errorf("phase %v", got)
	}
}

func TestDoLocked(t *testing.T) {
	d := useDaemon(t)
	DoLocked(context.Background(), Compute, func(ctx context.Context) {
		tid := uint32(syscall.Gettid())
		find := func() *cell {
			for i := range uint32(uapi.HintProbes) {
				c := &d.page.Load()[uapi.HintThreads+(tid+i)%uapi.HintNrThreads]
				if c.owner.Load() == tid {
					return c
				}
			}
			return nil
		}
		c := find()
		if c == nil || Phase(c.phase.Load()) != Compute {
			t.Fatalf("cell %v of thread %d", c, tid)
		}
		DoLocked(ctx, IO, func(ctx context.Context) {
			if find() != c || Phase(c.phase.Load()) != IO {
				t.Error("nested: not the thread's cell")
			}
		})
		if Phase(c.phase.Load()) != Compute {
			t.Errorf("phase %d after a nested one", c.phase.Load())
		}
		defer func() {
			if c.owner.Load() != tid {
				t.Error("given back too early")
			}
		}()
	})
	for i := range d.page.Load() {
		if o := d.page.Load()[i].owner.Load(); o != 0 {
			t.Errorf("cell %d is still %d's", i, o)
		}
	}
}

// More scopes than there are cells, by many goroutines that start others.
func TestMany(t *testing.T) {
	d := useDaemon(t)
	var wg sync.WaitGroup
	for range 400 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			Do(context.Background(), Compute, func(ctx context.Context) {
				s := FromContext(ctx)
				wg.Add(1)
				go func() {
					defer wg.Done()
					for p := range Phase(uapi.NrHintPhases) {
						s.SetPhase(p)
						SetPhase(ctx, p)
						SetProcessPhase(p)
					}
				}()
				time.Sleep(10 * time.Millisecond)
			})
		}()
	}
	wg.Wait()
	for i := uapi.HintLabels; i < uapi.HintThreads; i++ {
		if c := &d.page.Load()[i]; c.phase.Load() != 0 || c.owner.Load() != 0 {
			t.Errorf("cell %d: phase %d, owner %d", i, c.phase.Load(), c.owner.Load())
		}
	}
}

// A daemon that comes again is told what is said, at the old address.
func TestRestart(t *testing.T) {
	d := useDaemon(t)
	Do(context.Background(), Prefill, func(ctx context.Context) {
		index, generation := labelled(t, ctx)
		SetProcessPhase(Load)
		first := d.page.Load()
		d.stop()
		eventually(t, "its end is seen", func() bool { return page.state.Load() == absent })
		SetPhase(ctx, Decode)
		d.start()
		eventually(t, "it is found again", func() bool {
			return page.state.Load() == present && d.page.Load() != first
		})
		c := &d.page.Load()[index]
		eventually(t, "it is told all", func() bool {
			return Phase(c.phase.Load()) == Decode &&
				c.generation.Load()&0xffff == generation &&
				Phase(d.page.Load()[uapi.HintProcess].phase.Load()) == Load
		})
		SetPhase(ctx, IO)
		if Phase(c.phase.Load()) != IO {
			t.Errorf("phase %d in the new page", c.phase.Load())
		}
	})
}

func TestPhaseString(t *testing.T) {
	for p, want := range map[Phase]string{None: "none", Checkpoint: "checkpoint", 9: "phase 9"} {
		if p.String() != want {
			t.Errorf("%d is %q, want %q", uint32(p), p, want)
		}
	}
	if len(phaseNames) != uapi.NrHintPhases {
		t.Errorf("%d names", len(phaseNames))
	}
}

func ExampleDo() {
	ctx := context.Background()
	Do(ctx, Prefill, func(ctx context.Context) {
		fmt.Println("reading the prompt")
		SetPhase(ctx, Decode)
		fmt.Println("making tokens")
	})
	// Output:
	// reading the prompt
	// making tokens
}

func ExampleScope_SetPhase() {
	Do(context.Background(), Compute, func(ctx context.Context) {
		phase := FromContext(ctx)
		for range 2 {
			phase.SetPhase(Compute)
			// ... a step ...
			phase.SetPhase(Collective)
			// ... exchange gradients ...
		}
	})
}
