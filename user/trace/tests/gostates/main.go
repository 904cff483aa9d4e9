// SPDX-License-Identifier: GPL-2.0-only

// Command gostates prints what Go's own reader of execution traces says about
// goroutines: a line "TIME GOID STATE" for each change, the time by
// CLOCK_MONOTONIC, and "TIME gc" or "TIME stw" for each collection and stop of the
// world. It is what the reader in C is compared with.
//
// It is built as a package of the standard library, by an overlay, since nothing
// else may import that reader.
package main

import (
	"errors"
	"fmt"
	"internal/trace"
	"io"
	"os"
	"strings"
)

// collecting tells that a collection goes on. Each generation says so again.
var collecting bool

// show prints ev; ahead is what the clock of the file is behind CLOCK_MONOTONIC.
func show(ev trace.Event, ahead int64) {
	now := int64(ev.Time()) + ahead
	switch ev.Kind() {
	case trace.EventStateTransition:
		st := ev.StateTransition()
		if st.Resource.Kind != trace.ResourceGoroutine {
			return
		}
		from, to := st.Goroutine()
		if from != to && to != trace.GoNotExist {
			fmt.Println(now, int64(st.Resource.Goroutine()), to)
		}
	case trace.EventRangeBegin, trace.EventRangeActive:
		name := ev.Range().Name
		if strings.HasPrefix(name, "GC concurrent mark") {
			if !collecting {
				fmt.Println(now, "gc")
			}
			collecting = true
		} else if strings.HasPrefix(name, "stop-the-world") {
			fmt.Println(now, "stw")
		}
	case trace.EventRangeEnd:
		if strings.HasPrefix(ev.Range().Name, "GC concurrent mark") {
			collecting = false
		}
	}
}

func run(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := trace.NewReader(f)
	if err != nil {
		return err
	}
	var ahead int64
	for {
		ev, err := r.ReadEvent()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if ev.Kind() == trace.EventSync {
			if c := ev.Sync().ClockSnapshot; c != nil {
				ahead = int64(c.Mono) - int64(c.Trace)
			}
			continue
		}
		show(ev, ahead)
	}
}

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "gostates:", err)
		os.Exit(1)
	}
}
