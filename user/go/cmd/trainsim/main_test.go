// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary be trainsim: a worker of process mode, or the
// whole command for the tests that need a process of their own.
func TestMain(m *testing.M) {
	if os.Getenv(envControl) != "" || os.Getenv("TRAINSIM_TEST_MAIN") != "" {
		main()
	}
	os.Exit(m.Run())
}

// trainsim runs the command in this process and decodes its report.
func trainsim(t *testing.T, args ...string) *report {
	t.Helper()
	var out bytes.Buffer
	if err := run(context.Background(), append(args, "-json"), &out); err != nil {
		t.Fatal(err)
	}
	rep := &report{}
	if err := json.Unmarshal(out.Bytes(), rep); err != nil {
		t.Fatal(err)
	}
	return rep
}

var small = []string{"-ranks", "3", "-steps", "6", "-warmup", "2", "-work", "5",
	"-grad", "500", "-announce", "off"}

func TestModesAgree(t *testing.T) {
	local := trainsim(t, append(small, "-mode", "goroutine")...)
	again := trainsim(t, append(small, "-mode", "goroutine")...)
	processes := trainsim(t, append(small, "-mode", "process")...)
	if local.Checksum != again.Checksum || local.Checksum != processes.Checksum {
		t.Errorf("checksums %s, %s, %s differ", local.Checksum, again.Checksum,
			processes.Checksum)
	}
	other := trainsim(t, append(small, "-seed", "2")...)
	if other.Checksum == local.Checksum {
		t.Error("another seed gives the same checksum")
	}
	for _, rep := range []*report{local, processes} {
		checkReport(t, rep)
	}
}

func checkReport(t *testing.T, rep *report) {
	t.Helper()
	last := 0
	for _, n := range rep.LastArrivals {
		last += n
	}
	switch {
	case rep.Steps != 6 || last != 6:
		t.Errorf("%s: %d steps, %d last arrivals, want 6", rep.Mode, rep.Steps, last)
	case rep.Step.P50 <= 0 || rep.Step.P50 > rep.Step.P99 || rep.Step.P99 > rep.Step.Max:
		t.Errorf("%s: step times are not in order: %+v", rep.Mode, rep.Step)
	case rep.ElapsedNS < rep.Step.Max || rep.ElapsedNS > 6*rep.Step.Max:
		t.Errorf("%s: elapsed %d, longest step %d", rep.Mode, rep.ElapsedNS, rep.Step.Max)
	}
}

func TestOneRank(t *testing.T) {
	rep := trainsim(t, "-ranks", "1", "-steps", "3", "-work", "1", "-grad", "10")
	if rep.LastArrivals[0] != 3 || rep.Skew.Max != 0 {
		t.Errorf("last arrivals %v, skew %+v", rep.LastArrivals, rep.Skew)
	}
}

// TestStraggler does not ask who was last: on a busy machine that is anybody.
func TestStraggler(t *testing.T) {
	args := append(small, "-ranks", "3", "-work", "200")
	even := trainsim(t, args...)
	rep := trainsim(t, append(args, "-straggler", "1:50")...)
	if rep.Compute.Max < 10*rep.Compute.P50 {
		t.Errorf("compute time %+v, want one rank far above the others", rep.Compute)
	}
	if rep.Checksum == even.Checksum {
		t.Error("the straggler's work does not show in the checksum")
	}
}

func TestDurationEnds(t *testing.T) {
	for _, mode := range []string{modeGoroutine, modeProcess} {
		rep := trainsim(t, "-ranks", "2", "-mode", mode, "-duration", "50ms",
			"-work", "10", "-grad", "10")
		if rep.ElapsedNS < 50e6 || rep.ElapsedNS > 5e9 {
			t.Errorf("%s: elapsed %d ns in %d steps", mode, rep.ElapsedNS, rep.Steps)
		}
	}
}

func TestCgroupUsage(t *testing.T) {
	dir := t.TempDir()
	os.WriteFile(dir+"/cpu.stat", []byte("nr_periods 3\nusage_usec 17\nuser_usec 1\n"), 0o600)
	rep := trainsim(t, append(small, "-cgroup-usage", dir)...)
	if len(rep.Cgroups) != 1 || rep.Cgroups[0] != (cgroupShare{dir, 0}) {
		t.Errorf("got %+v", rep.Cgroups)
	}
	if _, err := parseUsage("user_usec 1\n"); err == nil {
		t.Error("cpu.stat without usage_usec was accepted")
	}
}

func TestBadFlags(t *testing.T) {
	for args, want := range map[string]string{
		"-ranks 0":                            "-ranks 0: must be 1..64",
		"-ranks x":                            "-ranks",
		"-ranks 65":                           "must be 1..64",
		"-steps 0":                            "-steps 0: must be",
		"-warmup -1":                          "-warmup -1: must be",
		"-work -5":                            "-work -5: must be",
		"-grad 0":                             "-grad 0: must be",
		"-mode thread":                        `-mode "thread": must be one of goroutine, process`,
		"-announce maybe":                     "must be one of auto, off, require",
		"-steps 5 -duration 1s":               "exclude each other",
		"-duration 0s":                        "must be above 0",
		"-duration 5":                         "-duration",
		"-straggler 1":                        "want RANK:FACTOR",
		"-straggler 4:2":                      "rank must be 0..3",
		"-straggler 1:NaN":                    "factor must be 0..100",
		"-straggler 1:-1":                     "factor must be",
		"-checkpoint-dir /x":                  "needs -checkpoint-every",
		"-cgroup-usage /nowhere":              "/nowhere/cpu.stat",
		"extra":                               `unexpected argument "extra"`,
		"-wrong":                              "-wrong",
		"noise -threads 0":                    "-threads 0: must be 1..4096",
		"noise -pattern odd":                  "must be one of steady, bursty",
		"noise -duration -1s":                 "must be above 0",
		"noise -ranks 3":                      "-ranks",
		"-checkpoint-every 99999999":          "-checkpoint-every 99999999: must be",
		"noise -threads 99999999999999999999": "-threads",
	} {
		err := run(context.Background(), strings.Fields(args), &bytes.Buffer{})
		var usage *usageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want a usage error with %q", args, err, want)
		}
		if exitStatus(err) != exitUsage {
			t.Errorf("%s: exit status %d", args, exitStatus(err))
		}
	}
}

func TestRequiredDeviceIsMissing(t *testing.T) {
	if _, err := os.Stat("/dev/cosched"); err == nil {
		t.Skip("this kernel has /dev/cosched")
	}
	err := run(context.Background(), append(small, "-announce", "require"), &bytes.Buffer{})
	if exitStatus(err) != exitFailed || !strings.Contains(err.Error(), "/dev/cosched") {
		t.Errorf("got %v", err)
	}
}

func TestNoise(t *testing.T) {
	for _, pattern := range []string{patternSteady, patternBursty} {
		var out bytes.Buffer
		err := run(context.Background(), []string{"noise", "-threads", "2", "-duration",
			"50ms", "-pattern", pattern, "-json"}, &out)
		var rep noiseReport
		if err == nil {
			err = json.Unmarshal(out.Bytes(), &rep)
		}
		if err != nil || rep.Units == 0 || rep.ByThread[0]+rep.ByThread[1] != rep.Units ||
			rep.ElapsedNS < 25e6 { // counts from when all threads run
			t.Errorf("%s: %v, %+v", pattern, err, rep)
		}
	}
}

// startCommand runs trainsim as a process of its own.
func startCommand(t *testing.T, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd, stderr := exec.Command(self, args...), &bytes.Buffer{}
	cmd.Env = append(os.Environ(), "TRAINSIM_TEST_MAIN=1")
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	return cmd, stderr
}

// children waits until the process has n children, and returns them.
func children(t *testing.T, pid, n int) []int {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if found := childrenOf(t, pid); len(found) == n {
			return found
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("process %d never had %d children", pid, n)
	return nil
}

func childrenOf(t *testing.T, pid int) []int {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	var found []int
	for _, e := range entries {
		if child, parent := parentOf(e.Name()); parent == pid {
			found = append(found, child)
		}
	}
	return found
}

func TestKilledRankIsNamed(t *testing.T) {
	cmd, stderr := startCommand(t, "-mode", "process", "-ranks", "3", "-duration", "60s",
		"-work", "100", "-grad", "100")
	workers := children(t, cmd.Process.Pid, 3)
	want := fmt.Sprintf("rank %s: process %d died: signal: killed",
		rankOf(t, workers[1]), workers[1])
	syscall.Kill(workers[1], syscall.SIGKILL)
	err := cmd.Wait()
	text := stderr.String()
	if cmd.ProcessState.ExitCode() != exitFailed || !strings.Contains(text, want) {
		t.Errorf("%v: %s", err, text)
	}
	checkGone(t, workers)
}

// rankOf reads a worker's rank from its environment, once it has one: right
// after the fork it still is a copy of its parent.
func rankOf(t *testing.T, pid int) string {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		env, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		for _, v := range strings.Split(string(env), "\x00") {
			if rank, ok := strings.CutPrefix(v, envRank+"="); ok {
				return rank
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("process %d has no rank", pid)
	return ""
}

func TestSignalCleansUp(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		cmd, stderr := startCommand(t, "-mode", "process", "-ranks", "3", "-duration", "60s",
			"-work", "100", "-grad", "100")
		workers := children(t, cmd.Process.Pid, 3)
		cmd.Process.Signal(sig)
		cmd.Wait()
		if got := cmd.ProcessState.ExitCode(); got != exitSignal+int(sig) {
			t.Errorf("%v: exit status %d: %s", sig, got, stderr)
		}
		checkGone(t, workers)
	}
}

func TestWorkersDieWithTheCoordinator(t *testing.T) {
	cmd, _ := startCommand(t, "-mode", "process", "-ranks", "3", "-duration", "60s",
		"-work", "100", "-grad", "100")
	workers := children(t, cmd.Process.Pid, 3)
	cmd.Process.Kill()
	cmd.Wait()
	checkGone(t, workers)
}

func checkGone(t *testing.T, pids []int) {
	t.Helper()
	for _, pid := range pids {
		deadline := time.Now().Add(20 * time.Second)
		for isAlive(pid) {
			if time.Now().After(deadline) {
				t.Errorf("process %d outlives the run", pid)
				syscall.Kill(pid, syscall.SIGKILL)
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
}
