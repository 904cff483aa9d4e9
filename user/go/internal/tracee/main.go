// SPDX-License-Identifier: GPL-2.0-only

// Command tracee does, for a time, what goroutines do: it computes, allocates,
// sleeps, and waits for channels, locks, the network and files. Tests record it.
//
// With -trace it writes an execution trace. It prints its process id when it
// begins, and with -switches at the end how often the kernel switched its threads.
package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"runtime/trace"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

var (
	duration = flag.Duration("duration", time.Second, "how long to work")
	file     = flag.String("trace", "", "write an execution trace to `FILE`")
	spinners = flag.Int("spinners", 1, "goroutines that compute all the time")
	switches = flag.Bool("switches", false, "print switches of all threads")
	procs    = flag.Int("procs", 0, "GOMAXPROCS, 0: as it is")
	sink     atomic.Pointer[[]byte]
)

// work runs f again and again, in a goroutine, until the time is over; at least once,
// since the machine may be too busy to let it begin before.
func work(wg *sync.WaitGroup, end time.Time, f func()) {
	wg.Add(1)
	go func() {
		defer wg.Done()
		for {
			f()
			if !time.Now().Before(end) {
				return
			}
		}
	}()
}

func compute() {
	x := 1.0
	for i := 0; i < 20000; i++ {
		x = x*1.0000001 + float64(i)
	}
	if x < 0 {
		panic("unreachable")
	}
}

func allocate() {
	for i := 0; i < 50; i++ {
		b := make([]byte, 32<<10)
		sink.Store(&b)
	}
	time.Sleep(200 * time.Microsecond)
}

// pingPong hands a token there and back between two goroutines.
func pingPong(wg *sync.WaitGroup, end time.Time) {
	there, back := make(chan int), make(chan int)
	wg.Add(2)
	go func() {
		defer wg.Done()
		defer close(there)
		for i := 0; i < 5 || time.Now().Before(end); i++ {
			there <- i
			<-back
			time.Sleep(50 * time.Microsecond)
		}
	}()
	go func() {
		defer wg.Done()
		for i := range there {
			back <- i
		}
	}()
}

// echo sends over a TCP connection and waits for what comes back.
func echo(wg *sync.WaitGroup, end time.Time) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	wg.Add(1)
	go func() {
		defer wg.Done()
		defer l.Close()
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		buf := make([]byte, 64)
		for {
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			if _, err := c.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return err
	}
	wg.Add(1)
	go func() {
		defer wg.Done()
		defer c.Close()
		buf := make([]byte, 64)
		for i := 0; i < 5 || time.Now().Before(end); i++ {
			if _, err := c.Write(buf[:16]); err != nil {
				return
			}
			if _, err := c.Read(buf); err != nil {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	return nil
}

func run() error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	end := time.Now().Add(*duration)

	for i := 0; i < *spinners; i++ {
		work(&wg, end, compute)
	}
	work(&wg, end, allocate)
	for i := 0; i < 3; i++ {
		work(&wg, end, func() {
			mu.Lock()
			time.Sleep(20 * time.Microsecond)
			mu.Unlock()
			runtime.Gosched()
		})
	}
	work(&wg, end, func() {
		_, _ = os.ReadFile("/proc/self/stat")
		time.Sleep(500 * time.Microsecond)
	})
	work(&wg, end, func() {
		runtime.GC()
		time.Sleep(100 * time.Millisecond)
	})
	pingPong(&wg, end)
	if err := echo(&wg, end); err != nil {
		return err
	}
	wg.Wait()
	return nil
}

func traced() error {
	if *file == "" {
		return run()
	}
	f, err := os.Create(*file)
	if err != nil {
		return err
	}
	if err := trace.Start(f); err != nil {
		return err
	}
	err = run()
	trace.Stop()
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// countSwitches is what the kernel counted for all threads that there are.
func countSwitches() (uint64, error) {
	var sum uint64
	files, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil {
		return 0, err
	}
	for _, file := range files {
		status, err := os.ReadFile(file)
		if err != nil {
			return 0, err
		}
		for _, line := range strings.Split(string(status), "\n") {
			var n uint64
			if name, value, ok := strings.Cut(line, ":"); ok &&
				strings.HasSuffix(name, "ctxt_switches") {
				if _, err := fmt.Sscan(value, &n); err != nil {
					return 0, err
				}
				sum += n
			}
		}
	}
	return sum, nil
}

func main() {
	flag.Parse()
	if *procs > 0 {
		runtime.GOMAXPROCS(*procs)
	}
	fmt.Println(os.Getpid())
	err := traced()
	if err == nil && *switches {
		var n uint64
		n, err = countSwitches()
		fmt.Println("switches", n)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tracee:", err)
		os.Exit(1)
	}
}
