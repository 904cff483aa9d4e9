// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime"
	"sync"
	"time"

	"cosched.io/cosched/internal/collective"
)

const (
	patternSteady = "steady"
	patternBursty = "bursty"

	maxThreads = 4096

	// noiseUnit is the iterations of the model in one unit of noise work: some
	// tens of microseconds of a fast CPU.
	noiseUnit = 32
)

// A bursty thread works 1..maxBurst units, then sleeps 1..maxPause ms.
const (
	maxBurst = 400
	maxPause = 10
)

type noiseConfig struct {
	Threads  int
	Duration time.Duration /* 0: until a signal */
	Pattern  string
	Seed     uint64
	JSON     bool
}

// noiseReport is what the neighbour got done.
type noiseReport struct {
	Pattern   string   `json:"pattern"`
	Threads   int      `json:"threads"`
	Units     uint64   `json:"units"`
	ByThread  []uint64 `json:"units_by_thread"`
	ElapsedNS int64    `json:"elapsed_ns"`
	CPUNS     int64    `json:"cpu_ns"`
}

func parseNoise(args []string, out io.Writer) (*noiseConfig, error) {
	c := &noiseConfig{}
	fs := flag.NewFlagSet("trainsim noise", flag.ContinueOnError)
	fs.IntVar(&c.Threads, "threads", runtime.NumCPU(),
		fmt.Sprintf("operating system threads, 1..%d", maxThreads))
	fs.DurationVar(&c.Duration, "duration", 0, "end after `time` (default: on SIGINT or SIGTERM)")
	fs.StringVar(&c.Pattern, "pattern", patternSteady, "steady or bursty")
	fs.Uint64Var(&c.Seed, "seed", 1, "of the bursts")
	fs.BoolVar(&c.JSON, "json", false, "print one JSON object")
	if err := parseFlags(fs, args, out); err != nil {
		return nil, err
	}
	if c.Threads < 1 || c.Threads > maxThreads {
		return nil, usagef("-threads %d: must be 1..%d", c.Threads, maxThreads)
	}
	if isSet(fs, "duration") && c.Duration <= 0 {
		return nil, usagef("-duration %v: must be above 0", c.Duration)
	}
	return c, oneOf("pattern", c.Pattern, patternSteady, patternBursty)
}

// runNoise works until its time is up or a signal comes: that is its normal
// end, and the report follows.
func runNoise(ctx context.Context, c *noiseConfig, out io.Writer) error {
	if c.Duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.Duration)
		defer cancel()
	}
	/* one P more than busy threads: the end is noticed without pre-emption */
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), c.Threads+1))
	start := collective.Monotonic()
	rep := &noiseReport{Pattern: c.Pattern, Threads: c.Threads,
		ByThread: make([]uint64, c.Threads)}
	var wg sync.WaitGroup
	for i := range c.Threads {
		wg.Add(1)
		go func() {
			defer wg.Done()
			runtime.LockOSThread()
			rep.ByThread[i] = c.thread(ctx, i)
		}()
	}
	wg.Wait()
	rep.ElapsedNS, rep.CPUNS = collective.Monotonic()-start, processCPU()
	for _, n := range rep.ByThread {
		rep.Units += n
	}
	return rep.write(out, c.JSON)
}

// thread returns how many units it did.
func (c *noiseConfig) thread(ctx context.Context, index int) uint64 {
	m := newModel(&trainConfig{Ranks: 1, Grad: 1, Seed: c.Seed}, index)
	done := uint64(0)
	for burst := uint32(0); ctx.Err() == nil; burst++ {
		h := mix(uint32(c.Seed), uint32(index), burst)
		for n := h%maxBurst + 1; n > 0 && ctx.Err() == nil; n-- {
			m.compute(noiseUnit)
			done++
		}
		if c.Pattern == patternBursty {
			pause(ctx, time.Duration(h>>16%maxPause+1)*time.Millisecond)
		}
	}
	return done
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

func (r *noiseReport) write(out io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(r)
	}
	if r.ElapsedNS <= 0 {
		return errors.New("no time has passed")
	}
	_, err := fmt.Fprintf(out, "%d units by %d threads in %v, CPU time %v\n",
		r.Units, r.Threads, round(r.ElapsedNS), round(r.CPUNS))
	return err
}
