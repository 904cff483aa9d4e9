// SPDX-License-Identifier: GPL-2.0-only

// Goroles brings its threads into known roles, says which, and stays there until
// its standard input ends: goroles.py compares what the scheduler saw. Lines of
// output are "TID ROLE GOID", TID 0 for any thread but those that are named, and
// then "ready".
//
// It has no dependencies and asks for nothing new, so that old toolchains build it.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

var output sync.Mutex

func say(tid int, role string, goid uint64) {
	output.Lock()
	defer output.Unlock()
	fmt.Println(tid, role, goid)
}

// Goid is the number of this goroutine: a traceback begins with it.
func goid() uint64 {
	buf := make([]byte, 64)
	buf = buf[:runtime.Stack(buf, false)]
	n, _ := strconv.ParseUint(strings.Fields(string(buf))[1], 10, 64)
	return n
}

// Tell what this thread is going to be; the goroutine must be locked to it.
func tell(role string, id uint64) {
	if id == 0 {
		id = goid()
	}
	say(syscall.Gettid(), role, id)
}

var sink uint64

func spin() {
	for x := uint64(1); ; x++ {
		if x == 0 {
			sink++
		}
	}
}

// Sysmon is the first thread that the runtime makes.
func tellSysmon() {
	entries, err := os.ReadDir("/proc/self/task")
	if err != nil || len(entries) < 2 {
		return
	}
	first := 0
	for _, e := range entries {
		n, _ := strconv.Atoi(e.Name())
		if n != os.Getpid() && (first == 0 || n < first) {
			first = n
		}
	}
	say(first, "sysmon", 0)
}

// Several goroutines that compute, as many as may run at once: no P is ever idle.
func user(locked bool) {
	n := runtime.GOMAXPROCS(0)
	if locked {
		n-- // one is left for main
	}
	var begun sync.WaitGroup
	begun.Add(n)
	for i := 0; i < n; i++ {
		go func() {
			if locked {
				runtime.LockOSThread()
				tell("locked", 0)
			}
			begun.Done()
			spin()
		}()
	}
	if locked {
		begun.Wait()
	}
}

func inSyscalls() {
	var begun sync.WaitGroup
	begun.Add(2)
	for i := 0; i < 2; i++ {
		go func() {
			runtime.LockOSThread()
			tell("syscall", 0)
			begun.Done()
			for {
				ts := syscall.Timespec{Nsec: 150000000}
				syscall.Nanosleep(&ts, nil)
			}
		}()
	}
	begun.Wait()
}

// Nothing but timers and a connection that somebody writes to now and then.
func asleep() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go func() {
		c, err := l.Accept()
		if err != nil {
			panic(err)
		}
		for {
			time.Sleep(150 * time.Millisecond)
			if _, err := c.Write([]byte{1}); err != nil {
				panic(err)
			}
		}
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		panic(err)
	}
	go io.Copy(io.Discard, c)
}

type tree struct{ left, right *tree }

func grow(depth int) *tree {
	if depth == 0 {
		return &tree{}
	}
	return &tree{grow(depth - 1), grow(depth - 1)}
}

var kept *tree

// The goroutines of the runtime that are workers of the collector.
func tellWorkers() {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	for _, g := range bytes.Split(buf, []byte("\n\n")) {
		if !bytes.Contains(g, []byte("runtime.gcBgMarkWorker(")) {
			continue
		}
		n, _ := strconv.ParseUint(strings.Fields(string(g))[1], 10, 64)
		say(0, "worker", n)
	}
}

// The collector all the time, beside goroutines that compute on all Ps or none.
func collect(busy bool) {
	kept = grow(16)
	runtime.GC()
	tellWorkers()
	if busy {
		for i := 0; i < runtime.GOMAXPROCS(0)*2; i++ {
			go spin()
		}
	}
	go func() {
		for {
			runtime.GC()
		}
	}()
}

// Two goroutines that hand a value to each other, on a thread each: every turn is a
// switch of threads. The time of one, from the least of several rounds.
func pingpong(turns int) time.Duration {
	ping, pong := make(chan int), make(chan int)
	go func() {
		runtime.LockOSThread()
		for i := range ping {
			pong <- i
		}
	}()
	runtime.LockOSThread()
	least := time.Hour
	for round := 0; round < 4; round++ {
		begin := time.Now()
		for i := 0; i < turns/2; i++ {
			ping <- i
			<-pong
		}
		if t := time.Since(begin) / time.Duration(turns); t < least {
			least = t
		}
	}
	return least
}

func main() {
	if os.Args[1] == "pingpong" {
		fmt.Println(pingpong(1000).Nanoseconds())
		return
	}
	tellSysmon()
	switch os.Args[1] {
	case "user":
		user(false)
		say(0, "user", 0)
	case "locked":
		user(true)
	case "syscall":
		inSyscalls()
	case "cgo":
		go inC()
	case "asleep":
		asleep()
	case "collect":
		collect(false)
	case "collect-busy":
		collect(true)
	}
	fmt.Println("ready")
	bufio.NewReader(os.Stdin).ReadString('\n')
}
