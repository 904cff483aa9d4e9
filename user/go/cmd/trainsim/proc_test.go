// SPDX-License-Identifier: MIT

package main

import (
	"os"
	"strconv"
	"strings"
)

// statOf returns the state and the parent of a process, from /proc/PID/stat
// after the command name, which may contain anything.
func statOf(pid string) (state string, parent int, ok bool) {
	text, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return "", 0, false
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	parent, err = strconv.Atoi(fields[1])
	return fields[0], parent, err == nil
}

func parentOf(name string) (pid, parent int) {
	pid, err := strconv.Atoi(name)
	if err != nil {
		return 0, 0
	}
	_, parent, _ = statOf(name)
	return pid, parent
}

// isAlive says whether pid runs; one that only waits to be reaped does not.
func isAlive(pid int) bool {
	state, _, ok := statOf(strconv.Itoa(pid))
	return ok && state != "Z"
}
