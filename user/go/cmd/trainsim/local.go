// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"errors"

	"cosched.io/cosched/internal/ring"
)

// runGoroutines runs each rank as a goroutine of this process. They talk over
// loopback TCP exactly as processes do. After a failure or a signal it returns
// without waiting for ranks that compute: their rings are closed, so they end
// at their next AllReduce if the program lives that long.
func (j *job) runGoroutines(ctx context.Context) ([]*rankResult, error) {
	n := j.cfg.Ranks
	endpoints, err := listenAll(n)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	ended := make(chan outcome, n)
	for rank := range n {
		next := endpoints[(rank+1)%n].Addr()
		go func() {
			result, err := j.runGoroutine(ctx, rank, endpoints[rank], next)
			ended <- outcome{rank, result, err}
		}()
	}
	results := make([]*rankResult, n)
	var outcomes []outcome
	for range n {
		select {
		case o := <-ended:
			outcomes = append(outcomes, o)
			results[o.rank] = o.result
			if o.err != nil && !isSecondary(o.err) {
				return nil, firstCause(outcomes)
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return results, firstCause(outcomes)
}

func listenAll(n int) ([]*ring.Endpoint, error) {
	var endpoints []*ring.Endpoint
	for range n {
		e, err := ring.Listen()
		if err != nil {
			for _, e := range endpoints {
				e.Close()
			}
			return nil, err
		}
		endpoints = append(endpoints, e)
	}
	return endpoints, nil
}

func (j *job) runGoroutine(ctx context.Context, rank int, e *ring.Endpoint, next string) (_ *rankResult, err error) {
	comm, err := join(j.device, j.cfg, j.commID, rank)
	if err != nil {
		e.Close()
		return nil, err
	}
	defer func() { err = errors.Join(err, comm.Leave()) }()
	r, err := e.Connect(ctx, rank, j.cfg.Ranks, next, j.token)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	stop := context.AfterFunc(ctx, r.Close)
	defer stop()
	return trainRank(j.cfg, rank, r, comm)
}
