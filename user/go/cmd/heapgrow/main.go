// SPDX-License-Identifier: MIT

// Heapgrow makes garbage beside a live heap that grows, to see what a limit of
// memory does to a program: with -pressure it reacts, without it does not.
//
// It prints one line: seconds, the rounds done, forced collections, and the
// longest reaction.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"cosched.io/cosched/pressure"
)

const block = 64 << 10

// garbage is global, or the compiler would put it on the stack.
var garbage []byte

// touch writes to each page: memory that is not touched is not there.
func touch(b []byte) {
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
}

func main() {
	live := flag.Int("live", 48, "MiB of live heap at the end")
	rounds := flag.Int("rounds", 400, "rounds; each makes 1 MiB of garbage")
	react := flag.Bool("pressure", false, "react to memory pressure")
	limit := flag.Bool("limit", false, "with -pressure, also set the memory limit")
	flag.Parse()
	var loop *pressure.Loop
	if *react {
		var err error
		if loop, err = pressure.Start(pressure.Options{KeepMemoryLimit: !*limit}); err != nil {
			fmt.Fprintln(os.Stderr, "heapgrow:", err)
			os.Exit(1)
		}
	}
	runtime.GOMAXPROCS(2)
	start := time.Now()
	var heap [][]byte
	for i := range *rounds {
		for range 16 {
			garbage = make([]byte, block)
			touch(garbage)
		}
		// All of it is there after the first half of the rounds.
		for len(heap)*block < min(*live<<20, *live<<21/(*rounds)*(i+1)) {
			b := make([]byte, block)
			touch(b)
			heap = append(heap, b)
		}
	}
	elapsed := time.Since(start)
	var s pressure.Stats
	if loop != nil {
		s = loop.Stats()
		loop.Stop()
	}
	var gc debug.GCStats
	debug.ReadGCStats(&gc)
	fmt.Printf("seconds=%.2f blocks=%d collections=%d forced=%d lowered=%d reaction_ms=%.1f\n",
		elapsed.Seconds(), len(heap), gc.NumGC, s.Collections, s.Lowered,
		float64(s.Reaction)/1e6)
	runtime.KeepAlive(heap)
}
