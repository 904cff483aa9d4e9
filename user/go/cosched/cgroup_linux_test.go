// SPDX-License-Identifier: MIT

package cosched

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fakeRoot is a file tree with a cgroup "/a/b" of this process, mounted from root.
func fakeRoot(t *testing.T, own, mountRoot string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "proc/self/cgroup"), "1:name=x:/y\n0::"+own+"\n")
	write(t, filepath.Join(dir, "proc/self/mountinfo"),
		"20 1 0:19 / /proc rw - proc proc rw\n"+
			"25 1 0:26 "+mountRoot+" /sys/fs/cg\\040roup rw shared:4 - cgroup2 cgroup2 rw\n")
	return dir
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestOwnCgroup(t *testing.T) {
	for _, c := range []struct{ own, mount, want string }{
		{"/a/b", "/", "/a/b"},
		{"/", "/", "/"},
		{"/docker/x/y", "/docker/x", "/y"},
		{"/docker/x", "/docker/x", "/"},
		{"/docker/xy", "/docker/x", ""},
		{"/../other", "/", ""},
	} {
		root := fakeRoot(t, c.own, c.mount)
		got, err := ownCgroup(root)
		if c.want == "" {
			if err == nil {
				t.Errorf("%s in %s: %v, should not be seen", c.own, c.mount, got)
			}
			continue
		}
		if err != nil || got.path != c.want || got.mount != filepath.Join(root, "sys/fs/cg roup") {
			t.Errorf("%s in %s: %v, %v", c.own, c.mount, got, err)
		}
	}
}

func TestParseMax(t *testing.T) {
	for text, want := range map[string]float64{
		"max 100000\n": math.Inf(1), "150000 100000\n": 1.5, "1000 1000000": .001,
		"": -1, "max": -1, "0 100": -1, "-1 100": -1, "100 0": -1, "x 100000": -1,
	} {
		got, err := parseMax(text)
		if (err != nil) != (want < 0) || err == nil && got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestRoundProcs(t *testing.T) {
	for _, c := range []struct {
		limit float64
		all   int
		want  int
	}{{.1, 8, 2}, {2, 8, 2}, {2.01, 8, 3}, {8, 8, 8}, {100, 8, 8}, {.5, 1, 1},
		{math.Inf(1), 4, 4}} {
		if got := roundProcs(c.limit, c.all); got != c.want {
			t.Errorf("%v of %d: %d, want %d", c.limit, c.all, got, c.want)
		}
	}
}

func TestCpuset(t *testing.T) {
	root := fakeRoot(t, "/a/b", "/")
	c, err := ownCgroup(root)
	if err != nil {
		t.Fatal(err)
	}
	if list, _ := c.cpuset(); list != "" {
		t.Errorf("%q where there is none", list)
	}
	write(t, filepath.Join(c.mount, "a/cpuset.cpus.effective"), "0-3,8\n")
	if list, where := c.cpuset(); list != "0-3,8" || where != "/a" {
		t.Errorf("%q of %q", list, where)
	}
	for cpu, want := range map[int]bool{0: true, 3: true, 4: false, 8: true, 9: false} {
		if inList("0-3,8", cpu) != want {
			t.Errorf("CPU %d", cpu)
		}
	}
}

func TestPin(t *testing.T) {
	for _, cpu := range []int{-1, maxCPU, maxCPU - 1} {
		if _, err := Pin(cpu); !errors.Is(err, ErrCPUNotAllowed) ||
			!strings.Contains(err.Error(), fmt.Sprint(cpu)) {
			t.Errorf("CPU %d: %v", cpu, err)
		}
	}
	before, err := affinity(0)
	if err != nil {
		t.Fatal(err)
	}
	for cpu := range maxCPU {
		if !before.has(cpu) {
			continue
		}
		unpin, err := Pin(cpu)
		if err != nil {
			t.Fatalf("CPU %d: %v", cpu, err)
		}
		tid := syscall.Gettid()
		now, err := affinity(0)
		if err != nil || now.count() != 1 || !now.has(cpu) {
			t.Errorf("pinned to CPU %d: %d CPUs, %v", cpu, now.count(), err)
		}
		unpin()
		if after, err := affinity(tid); err != nil || after != before {
			t.Errorf("unpinned: %d CPUs, %v", after.count(), err)
		}
	}
}

// eight CPUs, however many there are: so that there is something to follow.
func eight() (int, error) { return 8, nil }

func beginFollow(t *testing.T) (maxFile string, stop func()) {
	t.Helper()
	root := fakeRoot(t, "/a/b", "/")
	base := filepath.Join(root, "sys/fs/cg roup")
	write(t, filepath.Join(base, "a/cpu.max"), "700000 100000\n")
	maxFile = filepath.Join(base, "a/b/cpu.max")
	write(t, maxFile, "max 100000\n")
	before := runtime.GOMAXPROCS(0)
	stop, err := follow(root, time.Hour, eight)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		runtime.GOMAXPROCS(before)
	})
	return maxFile, stop
}

func becomes(t *testing.T, procs int) {
	t.Helper()
	eventually(t, fmt.Sprintf("GOMAXPROCS %d", procs), func() bool {
		return runtime.GOMAXPROCS(0) == procs
	})
}

func TestFollow(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	file, stop := beginFollow(t)
	becomes(t, 7) // of the cgroup above
	write(t, file, "250000 100000\n")
	becomes(t, 3)
	write(t, file, "nonsense")
	write(t, file, "100000 100000\n")
	becomes(t, 2)
	write(t, filepath.Join(filepath.Dir(filepath.Dir(file)), "cpu.max"), "max 100000\n")
	write(t, file, "500000 100000\n")
	becomes(t, 5)
	stop()
	if got := runtime.GOMAXPROCS(0); got != before {
		t.Errorf("GOMAXPROCS %d after stop, %d before", got, before)
	}
	stop()
}

func TestFollowLeavesToUser(t *testing.T) {
	root := fakeRoot(t, "/a", "/")
	file := filepath.Join(root, "sys/fs/cg roup/a/cpu.max")
	write(t, file, "700000 100000\n")
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	f := &follower{root: root, allowed: eight, before: before, ours: before}
	f.set(7)
	runtime.GOMAXPROCS(4)
	write(t, file, "250000 100000\n")
	if f.update() {
		t.Error("goes on when the user has spoken")
	}
	f.restore()
	if got := runtime.GOMAXPROCS(0); got != 4 {
		t.Errorf("GOMAXPROCS %d, the user said 4", got)
	}
}

func TestFollowRefuses(t *testing.T) {
	t.Setenv("GOMAXPROCS", "3")
	if _, err := FollowCPUMax(); err != ErrProcsSet {
		t.Errorf("GOMAXPROCS in the environment: %v", err)
	}
	os.Unsetenv("GOMAXPROCS")
	before := runtime.GOMAXPROCS(17)
	defer runtime.GOMAXPROCS(before)
	if _, err := FollowCPUMax(); err != ErrProcsSet {
		t.Errorf("GOMAXPROCS set by a call: %v", err)
	}
}

func ExampleFollowCPUMax() {
	stop, err := FollowCPUMax()
	if errors.Is(err, ErrProcsSet) {
		return // the user knows better
	}
	if err == nil {
		defer stop()
	}
}

func ExamplePin() {
	go func() {
		unpin, err := Pin(0)
		if err != nil {
			fmt.Println(err) // names the CPUs that are allowed
			return
		}
		defer unpin()
		// ...
	}()
}
