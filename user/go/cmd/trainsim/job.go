// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"cosched.io/cosched/internal/collective"
	"cosched.io/cosched/internal/ring"
)

// job is what the ranks of one run share, made before any rank starts.
type job struct {
	cfg     *trainConfig
	token   ring.Token
	commID  uint64
	device  *collective.Device /* nil: nothing is announced */
	warning string             /* why nothing is announced, where that surprises */
	tempDir string
}

// rankError names the rank that failed.
type rankError struct {
	rank int
	err  error
}

func (e *rankError) Error() string { return fmt.Sprintf("rank %d: %v", e.rank, e.err) }
func (e *rankError) Unwrap() error { return e.err }

// train runs the job and returns its report.
func train(ctx context.Context, cfg *trainConfig) (*report, error) {
	j, err := newJob(cfg)
	if err != nil {
		return nil, err
	}
	defer j.close()
	start := j.runGoroutines
	if cfg.Mode == modeProcess {
		start = j.runProcesses
	}
	results, err := start(ctx)
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause
	}
	if err != nil {
		return nil, err
	}
	rep, err := newReport(cfg, results)
	if err != nil {
		return nil, err
	}
	rep.Warning = j.warning
	return rep, nil
}

func newJob(cfg *trainConfig) (*job, error) {
	j := &job{cfg: cfg}
	var id [8]byte
	rand.Read(j.token[:])
	rand.Read(id[:])
	j.commID = binary.LittleEndian.Uint64(id[:])
	if _, err := cgroupUsage(cfg.Cgroups); err != nil {
		return nil, usagef("-cgroup-usage: %v", err)
	}
	if err := j.openDevice(); err != nil {
		return nil, err
	}
	if err := j.checkpointDir(); err != nil {
		j.close()
		return nil, err
	}
	return j, nil
}

func (j *job) openDevice() error {
	if j.cfg.Announce == announceOff {
		return nil
	}
	device, err := collective.Open()
	switch {
	case err == nil:
		j.device = device
	case j.cfg.Announce == announceRequire:
		return err
	case !errors.Is(err, collective.ErrUnavailable):
		j.warning = err.Error()
	}
	if j.device == nil {
		j.cfg.Announce = announceOff
	}
	return nil
}

func (j *job) checkpointDir() error {
	if j.cfg.CheckpointEvery == 0 {
		return nil
	}
	if j.cfg.CheckpointDir != "" {
		return os.MkdirAll(j.cfg.CheckpointDir, 0o777)
	}
	dir, err := os.MkdirTemp("", "trainsim-")
	j.cfg.CheckpointDir, j.tempDir = dir, dir
	return err
}

func (j *job) close() {
	if j.device != nil {
		j.device.Close()
	}
	if j.tempDir != "" {
		os.RemoveAll(j.tempDir)
	}
}

// join makes a rank a member of the job's communicator, if there is one.
func join(device *collective.Device, cfg *trainConfig, commID uint64, rank int) (*collective.Comm, error) {
	if device == nil {
		return nil, nil
	}
	return device.Join(commID, rank, cfg.Ranks)
}

// outcome is how a rank ended.
type outcome struct {
	rank   int
	result *rankResult
	err    error
}

// isSecondary says that err only reflects that another rank went away.
func isSecondary(err error) bool {
	var peer *ring.PeerError
	return errors.As(err, &peer)
}

// firstCause picks, from outcomes in order of arrival, the error to report: the
// first that is not just the echo of another rank's end.
func firstCause(outcomes []outcome) error {
	var echo error
	for _, o := range outcomes {
		switch {
		case o.err == nil:
		case !isSecondary(o.err):
			return &rankError{o.rank, o.err}
		case echo == nil:
			echo = &rankError{o.rank, o.err}
		}
	}
	return echo
}
