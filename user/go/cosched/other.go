// SPDX-License-Identifier: MIT

//go:build !linux

package cosched

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

type cell struct {
	phase    atomic.Uint32
	deadline atomic.Uint64
}

type hintPage struct{}

var page hintPage

func (hintPage) connect() bool         { return false }
func (hintPage) process() *cell        { return nil }
func (hintPage) newScope(Phase) *Scope { return nil }
func (hintPage) endScope(*Scope)       {}
func (hintPage) label(*Scope) string   { return "" }

func (hintPage) newThreadScope(Phase) (*Scope, func()) { return nil, nil }

func monotonic(time.Time) uint64 { return 0 }

// Pin is for Linux.
func Pin(cpu int) (unpin func(), err error) {
	return nil, fmt.Errorf("cosched: pin to CPU %d: %w", cpu, errors.ErrUnsupported)
}

// FollowCPUMax is for Linux.
func FollowCPUMax() (stop func(), err error) {
	return nil, fmt.Errorf("cosched: GOMAXPROCS by cpu.max: %w", errors.ErrUnsupported)
}
