// SPDX-License-Identifier: MIT

package cosched

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"strconv"
	"strings"
)

// A cgroup is a cgroup of version 2 as it can be seen from here.
type cgroup struct {
	mount string // where the hierarchy is mounted
	path  string // below it, begins with "/"
}

var errNoCgroup = errors.New("cosched: no cgroup of version 2 can be seen")

// ownCgroup finds the cgroup of this process; root is "/", but in tests.
func ownCgroup(root string) (cgroup, error) {
	own, err := os.ReadFile(path.Join(root, "proc/self/cgroup"))
	if err != nil {
		return cgroup{}, errNoCgroup
	}
	for line := range strings.Lines(string(own)) {
		at, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::")
		// One that begins with "/.." is outside of what is mounted here.
		if ok && strings.HasPrefix(at, "/") && !strings.HasPrefix(at, "/..") {
			return mountedCgroup(root, at)
		}
	}
	return cgroup{}, errNoCgroup
}

// mountedCgroup finds the mount through which the cgroup at can be seen.
func mountedCgroup(root, at string) (cgroup, error) {
	mounts, err := os.ReadFile(path.Join(root, "proc/self/mountinfo"))
	if err != nil {
		return cgroup{}, errNoCgroup
	}
	for line := range strings.Lines(string(mounts)) {
		before, after, _ := strings.Cut(line, " - ")
		fields := strings.Fields(before)
		if len(fields) < 5 || !strings.HasPrefix(after, "cgroup2 ") {
			continue
		}
		below, ok := strings.CutPrefix(at, strings.TrimSuffix(fields[3], "/"))
		if !ok || (below != "" && below[0] != '/') {
			continue
		}
		return cgroup{path.Join(root, unescape(fields[4])), path.Join("/", below)}, nil
	}
	return cgroup{}, errNoCgroup
}

// unescape undoes what the kernel does to blanks in paths: "\040".
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// files are those of the name in the cgroup and in all above it, own first.
func (c cgroup) files(name string) []string {
	var all []string
	for at := c.path; ; at = path.Dir(at) {
		all = append(all, path.Join(c.mount, at, name))
		if at == "/" {
			return all
		}
	}
}

// parseMax is the number of CPUs that "$MAX $PERIOD" allows.
func parseMax(text string) (float64, error) {
	quota, period, _ := strings.Cut(strings.TrimSpace(text), " ")
	p, err := strconv.ParseUint(period, 10, 32)
	if err != nil || p == 0 {
		return 0, fmt.Errorf("cosched: cpu.max is %q, not \"MAX PERIOD\"", text)
	}
	if quota == "max" {
		return math.Inf(1), nil
	}
	q, err := strconv.ParseUint(quota, 10, 63)
	if err != nil || q == 0 {
		return 0, fmt.Errorf("cosched: cpu.max is %q, not \"MAX PERIOD\"", text)
	}
	return float64(q) / float64(p), nil
}

// maxCPUs is the least that cpu.max allows, of the cgroup and of those above it.
func (c cgroup) maxCPUs() (float64, error) {
	least := math.Inf(1)
	for _, file := range c.files("cpu.max") {
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue // the root's, or of a cgroup without the controller
		}
		if err != nil {
			return 0, err
		}
		cpus, err := parseMax(string(text))
		if err != nil {
			return 0, err
		}
		least = min(least, cpus)
	}
	return least, nil
}

// cpuset is the text of cpuset.cpus.effective that holds here, and the path of
// the cgroup that has it; "": it cannot be read.
func (c cgroup) cpuset() (list, where string) {
	for _, file := range c.files("cpuset.cpus.effective") {
		text, err := os.ReadFile(file)
		if err == nil && len(text) > 1 {
			where, _ = strings.CutPrefix(path.Dir(file), c.mount)
			return strings.TrimSpace(string(text)), path.Join("/", where)
		}
	}
	return "", ""
}

// inList reports whether cpu is in a list like "0-3,8".
func inList(list string, cpu int) bool {
	for part := range strings.SplitSeq(list, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		a, err := strconv.Atoi(first)
		b, err2 := strconv.Atoi(last)
		if err == nil && err2 == nil && a <= cpu && cpu <= b {
			return true
		}
	}
	return false
}
