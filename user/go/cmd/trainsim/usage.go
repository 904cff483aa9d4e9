// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// processCPU returns the CPU time that this process has used, in ns.
func processCPU() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) /* cannot fail with these arguments */
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// cgroupUsage returns usage_usec of each cgroup directory.
func cgroupUsage(dirs []string) ([]int64, error) {
	var usage []int64
	for _, dir := range dirs {
		path := filepath.Join(dir, "cpu.stat")
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		usec, err := parseUsage(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		usage = append(usage, usec)
	}
	return usage, nil
}

func parseUsage(cpuStat string) (int64, error) {
	for line := range strings.Lines(cpuStat) {
		if rest, ok := strings.CutPrefix(line, "usage_usec "); ok {
			return strconv.ParseInt(strings.TrimSpace(rest), 10, 64)
		}
	}
	return 0, fmt.Errorf("no line usage_usec")
}
