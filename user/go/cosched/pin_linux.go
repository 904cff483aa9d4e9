// SPDX-License-Identifier: MIT

package cosched

import (
	"fmt"
	"math/bits"
	"runtime"
	"syscall"
	"unsafe"
)

// maxCPU is one above the highest CPU that the kernel can have.
const maxCPU = 8192

type cpuMask [maxCPU / 64]uint64

func (m *cpuMask) has(cpu int) bool { return m[cpu/64]>>(cpu%64)&1 != 0 }

func (m *cpuMask) count() int {
	n := 0
	for _, word := range m {
		n += bits.OnesCount64(word)
	}
	return n
}

// affinity is that of the thread tid, 0: the calling one.
func affinity(tid int) (m cpuMask, err error) {
	_, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, uintptr(tid),
		unsafe.Sizeof(m), uintptr(unsafe.Pointer(&m)))
	if errno != 0 {
		return m, errno
	}
	return m, nil
}

func setAffinity(tid int, m *cpuMask) error {
	_, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, uintptr(tid),
		unsafe.Sizeof(*m), uintptr(unsafe.Pointer(m)))
	if errno != 0 {
		return errno
	}
	return nil
}

// Pin ties the calling goroutine to its thread, as by [runtime.LockOSThread], and
// the thread to a CPU. The function that it returns undoes both and has to be
// called by the same goroutine; one that ends without takes its thread with it.
//
// A CPU that the cpuset of the program's cgroup does not have is refused with an
// error that is [ErrCPUNotAllowed] and names the cgroup and its CPUs. A thread
// that other threads were made from passes its affinity on: pin late, and no
// goroutine that starts programs.
func Pin(cpu int) (unpin func(), err error) {
	if cpu < 0 || cpu >= maxCPU {
		return nil, fmt.Errorf("cosched: pin to CPU %d: %w: there are 0 to %d",
			cpu, ErrCPUNotAllowed, maxCPU-1)
	}
	if err := checkCpuset(cpu); err != nil {
		return nil, err
	}
	runtime.LockOSThread()
	tid := syscall.Gettid()
	before, err := affinity(tid)
	if err == nil {
		var one cpuMask
		one[cpu/64] = 1 << (cpu % 64)
		err = setAffinity(tid, &one)
	}
	if err != nil {
		runtime.UnlockOSThread()
		if err == syscall.EINVAL {
			err = fmt.Errorf("%w: it is offline, or there is none", ErrCPUNotAllowed)
		}
		return nil, fmt.Errorf("cosched: pin to CPU %d: %w", cpu, err)
	}
	return func() {
		// It fails when the cpuset has none of these CPUs any more: then the
		// kernel gave the thread others already.
		_ = setAffinity(tid, &before)
		runtime.UnlockOSThread()
	}, nil
}

// checkCpuset leaves to the kernel what cannot be seen.
func checkCpuset(cpu int) error {
	c, err := ownCgroup("/")
	if err != nil {
		return nil
	}
	list, where := c.cpuset()
	if list == "" || inList(list, cpu) {
		return nil
	}
	return fmt.Errorf("cosched: pin to CPU %d: %w: cpuset.cpus.effective of cgroup %s is %s",
		cpu, ErrCPUNotAllowed, where, list)
}
