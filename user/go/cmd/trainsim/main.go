// SPDX-License-Identifier: MIT

// Command trainsim is a small data-parallel training job, and its neighbour.
//
// Its ranks, goroutines of one process or processes, repeat: compute on a slice
// of a model, sum the gradients of all ranks with a ring AllReduce over
// loopback TCP, check the sum, let the optimizer step, and now and then write a
// checkpoint. It measures what such a job suffers from a scheduler: step time,
// barrier skew, and which rank was last. Work is a count of operations, never a
// time, so two runs with equal flags do the same work and have one checksum.
//
//	trainsim [flags]         the training job; -help lists the flags
//	trainsim noise [flags]   a neighbour that keeps CPUs busy
//
// Exit status: 0 done, 1 the run failed, 2 bad flags, 128 + N ended by signal N.
//
// This file dispatches and owns the exit status. The rest: config.go flags,
// model.go the arithmetic, rank.go the steps of one rank, job.go what ranks
// share, local.go and process.go the two ways to start ranks, stats.go and
// report.go the results, noise.go the neighbour.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

const (
	exitFailed = 1
	exitUsage  = 2
	exitSignal = 128
)

// usageError is a mistake on the command line.
type usageError struct{ msg string }

func (e *usageError) Error() string { return e.msg }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

// signalError is the cause of a context that a signal cancelled.
type signalError struct{ signal syscall.Signal }

func (e *signalError) Error() string {
	return "ended by signal " + e.signal.String()
}

func main() {
	if os.Getenv(envControl) != "" {
		os.Exit(fail(runWorker()))
	}
	ctx, stop := untilSignal()
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	os.Exit(fail(err))
}

// untilSignal returns a context that SIGINT or SIGTERM cancels. A second
// signal then has its default effect.
func untilSignal() (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		sig, ok := <-signals
		if !ok {
			return
		}
		signal.Stop(signals)
		cancel(&signalError{sig.(syscall.Signal)})
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(signals)
		cancel(nil)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) > 0 && args[0] == "noise" {
		cfg, err := parseNoise(args[1:], out)
		if err != nil {
			return err
		}
		return runNoise(ctx, cfg, out)
	}
	cfg, err := parseTrain(args, out)
	if err != nil {
		return err
	}
	rep, err := train(ctx, cfg)
	if err != nil {
		return err
	}
	return rep.write(out, cfg.JSON)
}

// fail prints err, if any, in one line and returns the exit status.
func fail(err error) int {
	status := exitStatus(err)
	switch status {
	case 0:
	case exitUsage:
		fmt.Fprintf(os.Stderr, "trainsim: %v (-help lists the flags)\n", err)
	default:
		fmt.Fprintf(os.Stderr, "trainsim: %v\n", err)
	}
	return status
}

func exitStatus(err error) int {
	var usage *usageError
	var sig *signalError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &sig):
		return exitSignal + int(sig.signal)
	}
	return exitFailed
}
