// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cosched.io/cosched/cosched"
	"cosched.io/cosched/internal/collective"
	"cosched.io/cosched/internal/ring"
	"cosched.io/cosched/internal/uapi"
)

// stepTimes are the moments of one step of one rank, CLOCK_MONOTONIC ns.
type stepTimes struct {
	Begin    int64 /* starts to compute */
	Arrived  int64 /* has its gradient, waits for the others' */
	Released int64 /* has the sum */
	End      int64 /* optimizer and checkpoint done */
}

// rankResult is what a rank measured and computed. Times are of the measured
// steps only; CPUNs is of its whole process, which ranks may share.
type rankResult struct {
	Rank        int
	Start       int64       /* end of the last step before, or Begin of the first */
	Times       []stepTimes /* one per measured step */
	CPUNs       int64
	CgroupUsec  []int64 /* rank 0: in the order of trainConfig.Cgroups */
	Announced   int
	Checkpoints int
	Shared, Own uint64 /* checksums */
}

// rankRun is the state of a rank while it trains. One goroutine owns it.
type rankRun struct {
	cfg    *trainConfig
	model  *model
	ring   *ring.Ring
	comm   *collective.Comm /* nil: nothing is announced */
	phase  *cosched.Scope   /* nil: nothing is said */
	result rankResult

	cpuStart     int64
	cgroupsStart []int64
}

// trainRank runs all steps of one rank.
func trainRank(cfg *trainConfig, rank int, r *ring.Ring, comm *collective.Comm) (*rankResult, error) {
	run := &rankRun{cfg: cfg, model: newModel(cfg, rank), ring: r, comm: comm}
	run.result.Rank = rank
	if cfg.Duration == 0 {
		run.result.Times = make([]stepTimes, 0, cfg.Steps)
	}
	/* all ranks begin together: nobody's start-up counts */
	if err := r.AllReduce(make([]float32, 1)); err != nil {
		return nil, err
	}
	if err := run.allStepsInPhase(); err != nil {
		return nil, err
	}
	run.result.Shared, run.result.Own = run.model.checksums()
	return &run.result, nil
}

// allStepsInPhase runs allSteps in a scope whose phase it changes, where asked.
func (r *rankRun) allStepsInPhase() (err error) {
	steps := func(ctx context.Context) {
		r.phase = cosched.FromContext(ctx)
		err = r.allSteps()
	}
	switch r.cfg.Hints {
	case hintsGoroutine:
		cosched.Do(context.Background(), cosched.Compute, steps)
	case hintsThread:
		cosched.DoLocked(context.Background(), cosched.Compute, steps)
	default:
		steps(context.Background())
	}
	return err
}

func (r *rankRun) allSteps() error {
	for step := 0; step < r.cfg.Warmup; step++ {
		times, _, err := r.step(step)
		if err != nil {
			return err
		}
		r.result.Start = times.End
	}
	if err := r.startUsage(); err != nil {
		return err
	}
	for step := r.cfg.Warmup; step < r.cfg.Warmup+r.cfg.Steps; step++ {
		times, stop, err := r.step(step)
		if err != nil {
			return err
		}
		if r.result.Start == 0 {
			r.result.Start = times.Begin
		}
		r.result.Times = append(r.result.Times, times)
		if stop {
			break
		}
	}
	return r.endUsage()
}

// step does one step. stop is the agreement of all ranks that it was the last.
func (r *rankRun) step(step int) (t stepTimes, stop bool, err error) {
	t.Begin = collective.Monotonic()
	r.phase.SetPhase(cosched.Compute)
	r.model.compute(r.cfg.workOf(r.result.Rank))
	r.model.gradient(step)
	r.vote()

	t.Arrived = collective.Monotonic()
	r.phase.SetPhase(cosched.Collective)
	if err := r.allReduce(); err != nil {
		return t, false, err
	}
	t.Released = collective.Monotonic()
	r.phase.SetPhase(cosched.Compute)

	if err := r.model.checkSum(step); err != nil {
		return t, false, err
	}
	stop = r.model.grad[r.cfg.Grad] > 0
	r.model.optimize()
	if err := r.checkpoint(step); err != nil {
		return t, false, fmt.Errorf("checkpoint: %w", err)
	}
	t.End = collective.Monotonic()
	return t, stop, nil
}

// vote lets rank 0 decide when time is up: its vote travels in the sum, so all
// ranks stop after the same step.
func (r *rankRun) vote() {
	ballot := &r.model.grad[r.cfg.Grad]
	*ballot = 0
	if r.result.Rank != 0 || r.cfg.Duration == 0 || r.result.Start == 0 ||
		len(r.result.Times) == 0 {
		return
	}
	if time.Duration(collective.Monotonic()-r.result.Start) >= r.cfg.Duration {
		*ballot = 1
	}
}

func (r *rankRun) allReduce() error {
	seq, err := r.comm.Enter(uapi.OpAllReduce, uapi.DtypeFloat32, 4*len(r.model.grad))
	if err != nil {
		return err
	}
	if err := r.ring.AllReduce(r.model.grad); err != nil {
		return errors.Join(err, r.comm.Abort(seq))
	}
	if err := r.comm.Exit(seq); err != nil {
		return err
	}
	if r.comm != nil {
		r.result.Announced++
	}
	return nil
}

// checkpoint is rank 0's task; the others wait for it in the next AllReduce.
func (r *rankRun) checkpoint(step int) error {
	every := r.cfg.CheckpointEvery
	if r.result.Rank != 0 || every == 0 || (step+1)%every != 0 {
		return nil
	}
	r.result.Checkpoints++
	r.phase.SetPhase(cosched.Checkpoint)
	return saveCheckpoint(r.cfg.CheckpointDir, r.model, step)
}

func (r *rankRun) startUsage() (err error) {
	r.cpuStart = processCPU()
	if r.result.Rank == 0 {
		r.cgroupsStart, err = cgroupUsage(r.cfg.Cgroups)
	}
	return err
}

func (r *rankRun) endUsage() error {
	r.result.CPUNs = processCPU() - r.cpuStart
	if r.result.Rank != 0 {
		return nil
	}
	now, err := cgroupUsage(r.cfg.Cgroups)
	if err != nil {
		return err
	}
	for i := range now {
		r.result.CgroupUsec = append(r.result.CgroupUsec, now[i]-r.cgroupsStart[i])
	}
	return nil
}
