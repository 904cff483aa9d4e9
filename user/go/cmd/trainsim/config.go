// SPDX-License-Identifier: MIT

package main

import (
	"flag"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

const (
	modeGoroutine = "goroutine"
	modeProcess   = "process"

	announceAuto    = "auto"
	announceOff     = "off"
	announceRequire = "require"

	hintsOff       = "off"
	hintsGoroutine = "goroutine"
	hintsThread    = "thread"
)

// Limits of the flags. The one on ranks keeps gradient sums exact (model.go).
const (
	maxRanks  = 64
	maxSteps  = 1_000_000
	maxWork   = 1_000_000_000
	maxGrad   = 1 << 26
	maxFactor = 100
)

// trainConfig says what to train. Worker processes get it as JSON.
type trainConfig struct {
	Ranks           int
	Mode            string
	Steps           int           /* measured ones; with Duration a limit */
	Warmup          int           /* steps before, not measured */
	Duration        time.Duration /* 0: Steps decides */
	Work            int           /* model iterations per rank and step */
	Grad            int           /* elements of the gradient */
	CheckpointEvery int           /* steps, 0 is never */
	CheckpointDir   string
	Straggler       int     /* rank, -1 is none */
	Factor          float64 /* the straggler's work over the others' */
	Seed            uint64
	Announce        string
	Hints           string
	Cgroups         []string /* directories to read cpu.stat of */
	JSON            bool     `json:"-"`
}

// workOf returns how many iterations a rank does per step.
func (c *trainConfig) workOf(rank int) int {
	if rank == c.Straggler {
		return int(math.Round(float64(c.Work) * c.Factor))
	}
	return c.Work
}

func parseTrain(args []string, out io.Writer) (*trainConfig, error) {
	c := &trainConfig{}
	fs := flag.NewFlagSet("trainsim", flag.ContinueOnError)
	fs.IntVar(&c.Ranks, "ranks", 4, fmt.Sprintf("number of ranks, 1..%d", maxRanks))
	fs.StringVar(&c.Mode, "mode", modeGoroutine, "ranks are: goroutine or process")
	fs.IntVar(&c.Steps, "steps", 100, fmt.Sprintf("measured steps, 1..%d", maxSteps))
	fs.IntVar(&c.Warmup, "warmup", 5, "steps before, which are not measured")
	fs.DurationVar(&c.Duration, "duration", 0, "measure for `time` instead of -steps")
	fs.IntVar(&c.Work, "work", 2000,
		"iterations of the model per rank and step (about 1000 multiply-adds each)")
	fs.IntVar(&c.Grad, "grad", 65536, "elements of the gradient (float32)")
	fs.IntVar(&c.CheckpointEvery, "checkpoint-every", 0, "steps between checkpoints, 0 is never")
	fs.StringVar(&c.CheckpointDir, "checkpoint-dir", "",
		"directory for the checkpoint (default: a temporary one, removed at the end)")
	straggler := fs.String("straggler", "", "`RANK:FACTOR`: this rank does FACTOR times the work")
	fs.Uint64Var(&c.Seed, "seed", 1, "of the model and the data")
	fs.StringVar(&c.Announce, "announce", announceAuto,
		"tell /dev/cosched: auto (where it exists), off or require")
	fs.StringVar(&c.Hints, "hints", hintsOff,
		"tell the scheduler the phase of each rank: off, goroutine or thread (tied to it)")
	cgroups := fs.String("cgroup-usage", "",
		"`DIR,DIR...`: cgroups whose CPU usage over the measured steps is reported")
	fs.BoolVar(&c.JSON, "json", false, "print one JSON object")
	if err := parseFlags(fs, args, out); err != nil {
		return nil, err
	}
	if *cgroups != "" {
		c.Cgroups = strings.Split(*cgroups, ",")
	}
	if isSet(fs, "duration") {
		if isSet(fs, "steps") {
			return nil, usagef("-duration and -steps exclude each other")
		}
		if c.Duration <= 0 {
			return nil, usagef("-duration %v: must be above 0", c.Duration)
		}
		c.Steps = maxSteps
	}
	if err := c.parseStraggler(*straggler); err != nil {
		return nil, err
	}
	return c, c.validate()
}

func (c *trainConfig) parseStraggler(s string) error {
	c.Straggler, c.Factor = -1, 1
	if s == "" {
		return nil
	}
	rank, factor, ok := strings.Cut(s, ":")
	r, errRank := strconv.Atoi(rank)
	f, errFactor := strconv.ParseFloat(factor, 64)
	switch {
	case !ok || errRank != nil || errFactor != nil:
		return usagef("-straggler %q: want RANK:FACTOR, such as 2:1.5", s)
	case r < 0 || r >= c.Ranks:
		return usagef("-straggler %q: rank must be 0..%d", s, c.Ranks-1)
	case !(f >= 0 && f <= maxFactor):
		return usagef("-straggler %q: factor must be 0..%d", s, maxFactor)
	}
	c.Straggler, c.Factor = r, f
	return nil
}

func (c *trainConfig) validate() error {
	for _, check := range []struct {
		name           string
		value, low, up int
	}{
		{"ranks", c.Ranks, 1, maxRanks},
		{"steps", c.Steps, 1, maxSteps},
		{"warmup", c.Warmup, 0, maxSteps},
		{"work", c.Work, 0, maxWork},
		{"grad", c.Grad, 1, maxGrad},
		{"checkpoint-every", c.CheckpointEvery, 0, 2 * maxSteps},
	} {
		if check.value < check.low || check.value > check.up {
			return usagef("-%s %d: must be %d..%d", check.name, check.value,
				check.low, check.up)
		}
	}
	if err := oneOf("mode", c.Mode, modeGoroutine, modeProcess); err != nil {
		return err
	}
	if c.CheckpointDir != "" && c.CheckpointEvery == 0 {
		return usagef("-checkpoint-dir needs -checkpoint-every")
	}
	if err := oneOf("hints", c.Hints, hintsOff, hintsGoroutine, hintsThread); err != nil {
		return err
	}
	return oneOf("announce", c.Announce, announceAuto, announceOff, announceRequire)
}

// parseFlags makes every mistake a usageError and prints help where asked.
func parseFlags(fs *flag.FlagSet, args []string, out io.Writer) error {
	fs.SetOutput(io.Discard)
	switch err := fs.Parse(args); {
	case err == flag.ErrHelp:
		fmt.Fprintf(out, "usage: %s [flags]\n", fs.Name())
		fs.SetOutput(out)
		fs.PrintDefaults()
		return err
	case err != nil:
		return usagef("%v", err)
	case fs.NArg() > 0:
		return usagef("unexpected argument %q", fs.Arg(0))
	}
	return nil
}

func isSet(fs *flag.FlagSet, name string) bool {
	found := false
	fs.Visit(func(f *flag.Flag) { found = found || f.Name == name })
	return found
}

func oneOf(name, value string, accepted ...string) error {
	for _, a := range accepted {
		if value == a {
			return nil
		}
	}
	return usagef("-%s %q: must be one of %s", name, value, strings.Join(accepted, ", "))
}
