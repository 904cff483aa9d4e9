// SPDX-License-Identifier: MIT

package cosched

import (
	"errors"
	"math"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// recheck is how often limits are read though nothing was told: the cgroup may be
// another one, a limit above it that cannot be seen from here is not watched, and
// changes of a cpuset are told by nobody.
const recheck = 10 * time.Second

// FollowCPUMax keeps GOMAXPROCS at what the program may use: the CPUs of its
// affinity, or what cpu.max of its cgroup and of those above it allows, rounded up
// and at least 2, if that is less. That is what Go does by itself since 1.25, from
// time to time, where go.mod asks for such a version; here a change is followed at
// once, and with Go 1.24 and older go.mod files too.
//
// Whoever sets GOMAXPROCS has the last word: in the environment or by a call
// before, [ErrProcsSet] is returned; by a call later, it is left alone from then
// on. The function that is returned ends it, and puts back what was there before
// if nobody else changed it.
func FollowCPUMax() (stop func(), err error) {
	if os.Getenv("GOMAXPROCS") != "" {
		return nil, ErrProcsSet
	}
	return follow("/", recheck, allowedCPUs)
}

// follower is one FollowCPUMax, after its start its goroutine's alone.
type follower struct {
	root     string
	every    time.Duration
	allowed  func() (int, error) // CPUs of the affinity
	before   int                 // GOMAXPROCS when it began
	ours     int                 // as we set it last
	theirs   bool                // somebody else did, since
	cgroup   cgroup
	inotify  *os.File
	finished chan struct{}
}

func follow(root string, every time.Duration, allowed func() (int, error)) (stop func(), err error) {
	f := &follower{root: root, every: every, allowed: allowed,
		finished: make(chan struct{})}
	f.before = runtime.GOMAXPROCS(0)
	f.ours = f.before
	want, err := f.wanted()
	if err != nil {
		return nil, err
	}
	// What Go takes by itself: all CPUs, or since 1.25 as many as are allowed.
	all, err := f.allowed()
	if err != nil {
		return nil, err
	}
	if f.before != all && f.before != runtime.NumCPU() && f.before != want {
		return nil, ErrProcsSet
	}
	if err := f.open(); err != nil {
		return nil, err
	}
	f.set(want)
	go f.run()
	var once sync.Once
	return func() {
		once.Do(func() {
			f.inotify.Close()
			<-f.finished
		})
	}, nil
}

func (f *follower) open() error {
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK)
	if err != nil {
		return os.NewSyscallError("inotify_init1", err)
	}
	f.inotify = os.NewFile(uintptr(fd), "inotify")
	f.watch(fd)
	return nil
}

// watch has every write to a limit told: whoever writes one makes it known, also
// from outside of a container. What cannot be watched is read every now and then.
func (f *follower) watch(fd int) {
	if f.cgroup.mount == "" {
		return
	}
	for _, file := range f.cgroup.files("cpu.max") {
		syscall.InotifyAddWatch(fd, file, syscall.IN_MODIFY)
	}
}

func (f *follower) run() {
	defer close(f.finished)
	defer f.restore()
	buf := make([]byte, 4096)
	for {
		f.inotify.SetReadDeadline(time.Now().Add(f.every))
		_, err := f.inotify.Read(buf)
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return // closed: stop was called
		}
		if !f.update() {
			return
		}
	}
}

// update reports whether to go on.
func (f *follower) update() bool {
	before := f.cgroup
	want, err := f.wanted()
	if err != nil {
		return true // it is being moved or removed; there is a next time
	}
	switch now := runtime.GOMAXPROCS(0); now {
	case f.ours:
		f.set(want)
	case want:
		f.ours = want // Go itself was faster
	default:
		f.theirs = true
		return false
	}
	if f.cgroup != before {
		conn, err := f.inotify.SyscallConn()
		if err == nil {
			conn.Control(func(fd uintptr) { f.watch(int(fd)) })
		}
	}
	return true
}

// set stops the world, so only for a change.
func (f *follower) set(n int) {
	if n != f.ours {
		setProcs(n)
		f.ours = n
	}
}

func (f *follower) restore() {
	if !f.theirs && f.ours != f.before && runtime.GOMAXPROCS(0) == f.ours {
		restoreProcs(f.before)
	}
}

func allowedCPUs() (int, error) {
	m, err := affinity(0)
	return m.count(), err
}

// wanted is the GOMAXPROCS that affinity and limits ask for.
func (f *follower) wanted() (int, error) {
	all, err := f.allowed()
	if err != nil {
		return 0, err
	}
	c, err := ownCgroup(f.root)
	if err != nil {
		return all, nil // no limit that can be seen
	}
	f.cgroup = c
	limit, err := c.maxCPUs()
	if err != nil {
		return 0, err
	}
	return roundProcs(limit, all), nil
}

// roundProcs is Go's own rule, of 1.25.
func roundProcs(limit float64, all int) int {
	if limit >= float64(all) {
		return all
	}
	return min(max(int(math.Ceil(limit)), 2), all)
}
