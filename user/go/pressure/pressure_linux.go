// SPDX-License-Identifier: MIT

package pressure

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Options of Start. The zero value is what most programs want.
type Options struct {
	// Pause is the least time from one forced collection to the next. 0: 1 s.
	Pause time.Duration
	// Quiet is how long there has to be no pressure until the program's own GC
	// percentage is back. 0: 10 s.
	Quiet time.Duration
	// Percent is the GC percentage under pressure. 0: 25.
	Percent int
	// KeepMemoryLimit leaves the memory limit of the runtime alone.
	KeepMemoryLimit bool
	// Cgroup is the directory of the cgroup. "": that of the program.
	Cgroup string
}

// Stats is what happened since Start.
type Stats struct {
	High, Max   uint64        // events of memory.events that were seen
	Collections uint64        // forced collections
	Lowered     uint64        // times that the GC percentage went down
	Reaction    time.Duration // the longest from a wake-up to the end of its reaction
}

// Loop is a running reaction to memory pressure.
type Loop struct {
	opts    Options
	dir     string
	file    *os.File // inotify
	machine machine
	own     int // the program's GC percentage while it is lowered
	limit   int64
	done    chan struct{}

	high, max, collections, lowered atomic.Uint64
	reaction                        atomic.Int64
}

// ErrNoCgroup is returned where there is no memory controller of version 2, such
// as in the root cgroup.
var ErrNoCgroup = errors.New("pressure: the cgroup of this program has no memory.events")

// limitShare of memory.high is what the runtime may use: the rest is for what it
// does not count, such as stacks of C and pages of files.
const limitShare = 0.9

// Start begins to react. Stop ends it.
func Start(opts Options) (*Loop, error) {
	if opts.Pause < 0 || opts.Quiet < 0 || opts.Percent < 0 || opts.Percent > 100 {
		return nil, fmt.Errorf("pressure: pause %v, quiet %v, percent %d: "+
			"accepted are times from 0 and percentages from 0 to 100",
			opts.Pause, opts.Quiet, opts.Percent)
	}
	opts.Pause = orDefault(opts.Pause, time.Second)
	opts.Quiet = orDefault(opts.Quiet, 10*time.Second)
	if opts.Percent == 0 {
		opts.Percent = 25
	}
	dir := opts.Cgroup
	if dir == "" {
		var err error
		if dir, err = ownCgroup("/proc/self"); err != nil {
			return nil, err
		}
	}
	l := &Loop{opts: opts, dir: dir, done: make(chan struct{})}
	l.machine = machine{pause: opts.Pause, quiet: opts.Quiet}
	seen, err := l.read()
	if err != nil {
		return nil, ErrNoCgroup
	}
	l.machine.seen = seen
	if err := l.watch(); err != nil {
		return nil, err
	}
	l.followLimit()
	go l.run()
	return l, nil
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// Stop ends the reaction. The program's own settings are back when it returns.
func (l *Loop) Stop() {
	l.file.Close()
	<-l.done
}

// Stats says what happened so far.
func (l *Loop) Stats() Stats {
	return Stats{
		High: l.high.Load(), Max: l.max.Load(),
		Collections: l.collections.Load(), Lowered: l.lowered.Load(),
		Reaction: time.Duration(l.reaction.Load()),
	}
}

func (l *Loop) watch() error {
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK)
	if err != nil {
		return os.NewSyscallError("inotify_init1", err)
	}
	for _, name := range []string{"memory.events", "memory.high", "memory.max"} {
		file := filepath.Join(l.dir, name)
		if _, err := syscall.InotifyAddWatch(fd, file, syscall.IN_MODIFY); err != nil {
			syscall.Close(fd)
			return &os.PathError{Op: "watch", Path: file, Err: err}
		}
	}
	l.file = os.NewFile(uintptr(fd), "inotify")
	return nil
}

// run sleeps until the kernel tells something, or the machine has something due.
func (l *Loop) run() {
	defer close(l.done)
	buf := make([]byte, 4096)
	for {
		_ = l.file.SetReadDeadline(l.machine.next())
		_, err := l.file.Read(buf)
		start := time.Now()
		switch {
		case err == nil:
			l.followLimit()
			if c, err := l.read(); err == nil {
				l.high.Add(c.high - min(c.high, l.machine.seen.high))
				l.max.Add(c.max - min(c.max, l.machine.seen.max))
				l.act(l.machine.events(start, c))
			}
		case errors.Is(err, os.ErrDeadlineExceeded):
			l.act(l.machine.tick(start))
		default:
			l.act(action{restore: l.machine.lowered})
			l.dropLimit()
			return
		}
		if d := int64(time.Since(start)); d > l.reaction.Load() {
			l.reaction.Store(d)
		}
	}
}

// act carries out a. The percentage goes down before the collection, which
// then sets the next goal by it.
func (l *Loop) act(a action) {
	if a.lower {
		l.lowered.Add(1)
		l.own = percent()
		if l.own < 0 || l.own > l.opts.Percent {
			debug.SetGCPercent(l.opts.Percent)
		}
	}
	if a.collect {
		l.collections.Add(1)
		runtime.GC()
	}
	// Whatever the program set meanwhile is its own.
	if a.restore && percent() == l.opts.Percent {
		debug.SetGCPercent(l.own)
	}
}

// percent is the GC percentage in force, -1 when it is off.
func percent() int {
	s := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(s)
	if s[0].Value.Kind() != metrics.KindUint64 || s[0].Value.Uint64() > math.MaxInt32 {
		return -1
	}
	return int(s[0].Value.Uint64())
}

// followLimit keeps the memory limit below memory.high and memory.max, as long
// as nobody else sets one.
func (l *Loop) followLimit() {
	if l.opts.KeepMemoryLimit {
		return
	}
	most := min(l.readLimit("memory.high"), l.readLimit("memory.max"))
	want := int64(math.MaxInt64)
	if most != math.MaxInt64 {
		want = int64(float64(most) * limitShare)
	}
	now := debug.SetMemoryLimit(-1)
	if now == math.MaxInt64 || now == l.limit {
		replaceLimit(now, want)
		l.limit = want
	}
}

func (l *Loop) dropLimit() {
	if !l.opts.KeepMemoryLimit && l.limit != 0 && debug.SetMemoryLimit(-1) == l.limit {
		replaceLimit(l.limit, math.MaxInt64)
	}
}

// replaceLimit sets the memory limit from old to limit. What the program set in
// between stays.
func replaceLimit(old, limit int64) {
	if old == limit {
		return
	}
	if was := debug.SetMemoryLimit(limit); was != old {
		debug.SetMemoryLimit(was)
	}
}

// readLimit returns math.MaxInt64 where there is none.
func (l *Loop) readLimit(name string) int64 {
	text, err := os.ReadFile(filepath.Join(l.dir, name))
	if err != nil {
		return math.MaxInt64
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return math.MaxInt64
	}
	return n
}

func (l *Loop) read() (counters, error) {
	text, err := os.ReadFile(filepath.Join(l.dir, "memory.events"))
	if err != nil {
		return counters{}, err
	}
	return parseEvents(string(text)), nil
}

func parseEvents(text string) counters {
	var c counters
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.ParseUint(value, 10, 64)
		switch {
		case err != nil:
		case key == "high":
			c.high = n
		case key == "max":
			c.max = n
		}
	}
	return c
}

// ownCgroup is the directory of the cgroup of the process with this folder in
// /proc.
func ownCgroup(proc string) (string, error) {
	text, err := os.ReadFile(filepath.Join(proc, "cgroup"))
	if err != nil {
		return "", err
	}
	mounts, err := os.ReadFile(filepath.Join(proc, "mountinfo"))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		path, found := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::")
		if !found {
			continue
		}
		return mounted(string(mounts), path)
	}
	return "", ErrNoCgroup
}

// mounted is where the cgroup at path is seen: a container sees a part only.
func mounted(mounts, path string) (string, error) {
	for line := range strings.Lines(mounts) {
		fields, rest, _ := strings.Cut(line, " - ")
		f := strings.Fields(fields)
		if len(f) < 5 || !strings.HasPrefix(rest, "cgroup2 ") {
			continue
		}
		root, at := f[3], f[4]
		if root == "/" {
			return filepath.Join(at, path), nil
		}
		if below, found := strings.CutPrefix(path, root); found {
			return filepath.Join(at, below), nil
		}
		return filepath.Join(at, path), nil
	}
	return "", ErrNoCgroup
}
