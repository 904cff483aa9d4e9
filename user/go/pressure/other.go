// SPDX-License-Identifier: MIT

//go:build !linux

package pressure

import (
	"errors"
	"time"
)

// Options of Start; see Linux.
type Options struct {
	Pause, Quiet    time.Duration
	Percent         int
	KeepMemoryLimit bool
	Cgroup          string
}

// Stats is what happened since Start.
type Stats struct {
	High, Max, Collections, Lowered uint64
	Reaction                        time.Duration
}

// Loop is a running reaction to memory pressure.
type Loop struct{}

// ErrNoCgroup is what Start returns.
var ErrNoCgroup = errors.New("pressure: cgroups are of Linux")

// Start returns ErrNoCgroup.
func Start(Options) (*Loop, error) { return nil, ErrNoCgroup }

// Stop does nothing.
func (*Loop) Stop() {}

// Stats returns nothing.
func (*Loop) Stats() Stats { return Stats{} }
