// SPDX-License-Identifier: MIT

package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"
)

// report is the result of a run. Times are ns, of the measured steps.
//
// A step ends when its last rank has ended it and begins when the step before
// ended, so step times add up to the elapsed time. Skew is the time from the
// first to the last arrival at the AllReduce.
type report struct {
	Mode     string  `json:"mode"`
	Ranks    int     `json:"ranks"`
	Steps    int     `json:"steps"`
	Warmup   int     `json:"warmup"`
	Work     int     `json:"work"`
	Grad     int     `json:"grad"`
	Seed     uint64  `json:"seed"`
	Factor   float64 `json:"straggler_factor"`
	Delayed  int     `json:"straggler_rank"` /* -1: none was asked for */
	MaxProcs int     `json:"gomaxprocs"`

	Step    summary `json:"step_ns"`
	Compute summary `json:"compute_ns"` /* over all ranks and steps */
	Wait    summary `json:"wait_ns"`    /* arrival to release, likewise */
	Skew    summary `json:"skew_ns"`

	LastArrivals []int         `json:"last_arrivals"` /* by rank: steps it was last in */
	ElapsedNS    int64         `json:"elapsed_ns"`
	CPUNS        int64         `json:"cpu_ns"` /* of all ranks' processes */
	Checkpoints  int           `json:"checkpoints"`
	Announced    int           `json:"announced"` /* collectives, all ranks */
	Checksum     string        `json:"checksum"`
	Cgroups      []cgroupShare `json:"cgroups,omitempty"`
	Warning      string        `json:"warning,omitempty"`
}

// cgroupShare is what a cgroup used while the steps were measured.
type cgroupShare struct {
	Dir       string `json:"dir"`
	UsageUsec int64  `json:"usage_usec"`
}

func newReport(cfg *trainConfig, results []*rankResult) (*report, error) {
	r := &report{
		Mode: cfg.Mode, Ranks: cfg.Ranks, Warmup: cfg.Warmup, Work: cfg.Work,
		Grad: cfg.Grad, Seed: cfg.Seed, Delayed: cfg.Straggler, Factor: cfg.Factor,
		MaxProcs:     runtime.GOMAXPROCS(0),
		LastArrivals: make([]int, cfg.Ranks),
		Steps:        len(results[0].Times),
	}
	sum := fnv.New64a()
	for _, res := range results {
		if len(res.Times) != r.Steps {
			return nil, fmt.Errorf("rank %d did %d steps, rank 0 did %d",
				res.Rank, len(res.Times), r.Steps)
		}
		if res.Shared != results[0].Shared {
			return nil, fmt.Errorf("rank %d ended with parameters that differ from rank 0's",
				res.Rank)
		}
		binary.Write(sum, binary.LittleEndian, []uint64{res.Shared, res.Own})
		r.Announced += res.Announced
		r.Checkpoints += res.Checkpoints
		if cfg.Mode == modeProcess || res.Rank == 0 {
			r.CPUNS += res.CPUNs
		}
	}
	if r.Steps == 0 {
		return nil, errors.New("no step was measured")
	}
	r.Checksum = fmt.Sprintf("%016x", sum.Sum64())
	for i, dir := range cfg.Cgroups {
		r.Cgroups = append(r.Cgroups, cgroupShare{dir, results[0].CgroupUsec[i]})
	}
	r.addTimes(results)
	return r, nil
}

func (r *report) addTimes(results []*rankResult) {
	var step, compute, wait, skew []int64
	begin := results[0].Start
	for _, res := range results {
		if r.Warmup == 0 {
			begin = min(begin, res.Start) /* the first that began */
		} else {
			begin = max(begin, res.Start) /* the last that ended the warm-up */
		}
	}
	previous := begin
	for i := range r.Steps {
		first, last, end := results[0], results[0], previous
		for _, res := range results {
			t := res.Times[i]
			compute = append(compute, t.Arrived-t.Begin)
			wait = append(wait, t.Released-t.Arrived)
			if t.Arrived < first.Times[i].Arrived {
				first = res
			}
			if t.Arrived > last.Times[i].Arrived {
				last = res
			}
			end = max(end, t.End)
		}
		r.LastArrivals[last.Rank]++
		skew = append(skew, last.Times[i].Arrived-first.Times[i].Arrived)
		step = append(step, end-previous)
		previous = end
	}
	r.ElapsedNS = previous - begin
	r.Step, r.Compute = summarize(step), summarize(compute)
	r.Wait, r.Skew = summarize(wait), summarize(skew)
}

func (r *report) write(out io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(r)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "ms\tp50\tp99\tmax\tmean\t\n")
	for _, row := range []struct {
		name string
		s    summary
	}{{"step", r.Step}, {"compute", r.Compute}, {"wait", r.Wait}, {"barrier skew", r.Skew}} {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t\n", row.name, ms(row.s.P50),
			ms(row.s.P99), ms(row.s.Max), ms(row.s.Mean))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	w = tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\nranks\t%d (mode %s), work %d, gradient %d\n", r.Ranks, r.Mode, r.Work, r.Grad)
	fmt.Fprintf(w, "steps\t%d, after %d of warm-up\n", r.Steps, r.Warmup)
	fmt.Fprintf(w, "elapsed\t%v\n", round(r.ElapsedNS))
	fmt.Fprintf(w, "CPU time\t%v\n", round(r.CPUNS))
	fmt.Fprintf(w, "last to arrive\t%s\n", r.stragglers())
	fmt.Fprintf(w, "checkpoints\t%d\n", r.Checkpoints)
	fmt.Fprintf(w, "announced\t%d collectives\n", r.Announced)
	for _, c := range r.Cgroups {
		fmt.Fprintf(w, "CPU time of %s\t%v\n", c.Dir, round(c.UsageUsec*1000))
	}
	fmt.Fprintf(w, "checksum\t%s\n", r.Checksum)
	if r.Warning != "" {
		fmt.Fprintf(w, "warning\t%s\n", r.Warning)
	}
	return w.Flush()
}

// stragglers lists the ranks by how often they were last, most often first.
func (r *report) stragglers() string {
	order := make([]int, r.Ranks)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return r.LastArrivals[b] - r.LastArrivals[a]
	})
	text := ""
	for i, rank := range order {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("rank %d %dx", rank, r.LastArrivals[rank])
	}
	return text
}

func ms(ns int64) string { return fmt.Sprintf("%.3f", float64(ns)/1e6) }

func round(ns int64) time.Duration { return time.Duration(ns).Round(10 * time.Microsecond) }
