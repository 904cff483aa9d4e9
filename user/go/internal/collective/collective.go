// SPDX-License-Identifier: MIT

// Package collective tells the kernel when a rank waits for the others.
//
// A rank joins a communicator of /dev/cosched, announces Enter when it has
// arrived at a collective and Exit when it was released. Where the device does
// not exist there is nothing to tell: Open reports ErrUnavailable, and all
// methods of a nil *Comm return at once, so callers need no second code path.
//
// A Comm belongs to one rank. Its methods may be called from any goroutine, but
// Enter and Exit of one collective must not overlap; nothing here locks, the
// kernel does.
package collective

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"cosched.io/cosched/internal/uapi"
)

// ErrUnavailable says that this kernel does not have the device.
var ErrUnavailable = errors.New("collectives cannot be announced")

// Device is the open character device, from which communicators are joined.
type Device struct {
	file *os.File
}

// Open opens /dev/cosched and checks that the module speaks this ABI.
// The error wraps ErrUnavailable when the module is not loaded, and
// os.ErrPermission when the caller may not use it.
func Open() (*Device, error) { return openPath(uapi.Device) }

func openPath(path string) (*Device, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	switch {
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ENXIO):
		return nil, fmt.Errorf("%w: %w (is the module loaded?)", ErrUnavailable, err)
	case err != nil:
		return nil, err
	}
	d := &Device{file}
	info, err := d.Info()
	if err == nil && info.ABIVersion < uapi.ABIVersion {
		err = fmt.Errorf("ABI version %d, at least %d is needed",
			info.ABIVersion, uapi.ABIVersion)
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return d, nil
}

// Close closes the device. Communicators joined through it live on.
func (d *Device) Close() error { return d.file.Close() }

// Info asks the module what it offers.
func (d *Device) Info() (uapi.InfoArgs, error) {
	args := uapi.InfoArgs{Size: uint32(unsafe.Sizeof(uapi.InfoArgs{}))}
	_, err := ioctl(d.file.Fd(), uapi.IocInfo, unsafe.Pointer(&args))
	runtime.KeepAlive(d)
	return args, err
}

// Comm is one rank's membership in a communicator.
type Comm struct {
	fd int
}

// Join becomes rank rank of nranks in the communicator id, which all ranks of
// a job agree on. Errors: EBUSY (the rank has joined already), EDQUOT (too many
// handles of this user), EINVAL (rank or nranks out of range or other than what
// the first rank said).
func (d *Device) Join(id uint64, rank, nranks int) (*Comm, error) {
	args := uapi.JoinArgs{
		Size:   uint32(unsafe.Sizeof(uapi.JoinArgs{})),
		CommID: id, Rank: uint32(rank), NRanks: uint32(nranks),
	}
	fd, err := ioctl(d.file.Fd(), uapi.IocJoin, unsafe.Pointer(&args))
	runtime.KeepAlive(d)
	if err != nil {
		return nil, fmt.Errorf("join communicator %#x as rank %d of %d: %w",
			id, rank, nranks, err)
	}
	return &Comm{fd}, nil
}

// Leave leaves the communicator. What was entered and not exited is recorded
// as aborted.
func (c *Comm) Leave() error {
	if c == nil {
		return nil
	}
	return syscall.Close(c.fd)
}

// Enter announces that the rank has arrived at its next collective, of kind op
// (uapi.Op*) with a payload of size bytes of type dtype (uapi.Dtype*), and
// returns the number by which Exit finds it.
func (c *Comm) Enter(op, dtype uint32, size int) (seq uint64, err error) {
	if c == nil {
		return 0, nil
	}
	args := uapi.EnterArgs{
		Size: uint32(unsafe.Sizeof(uapi.EnterArgs{})),
		Op:   op, Dtype: dtype, Seq: uapi.SeqNext,
		Bytes: uint64(size), TsUser: uint64(Monotonic()),
	}
	_, err = ioctl(uintptr(c.fd), uapi.IocEnter, unsafe.Pointer(&args))
	if err != nil {
		return 0, fmt.Errorf("enter a collective: %w", err)
	}
	return args.Seq, nil
}

// Exit announces that the rank was released from collective seq.
func (c *Comm) Exit(seq uint64) error { return c.exit(seq, 0) }

// Abort announces that the rank gives collective seq up.
func (c *Comm) Abort(seq uint64) error { return c.exit(seq, uapi.ExitAbort) }

func (c *Comm) exit(seq uint64, flags uint32) error {
	if c == nil {
		return nil
	}
	args := uapi.ExitArgs{
		Size:  uint32(unsafe.Sizeof(uapi.ExitArgs{})),
		Flags: flags, Seq: seq, TsUser: uint64(Monotonic()),
	}
	_, err := ioctl(uintptr(c.fd), uapi.IocExit, unsafe.Pointer(&args))
	if err != nil {
		return fmt.Errorf("exit collective %d: %w", seq, err)
	}
	return nil
}

func ioctl(fd, request uintptr, arg unsafe.Pointer) (int, error) {
	for {
		ret, _, errno := syscall.Syscall(syscall.SYS_IOCTL, fd, request, uintptr(arg))
		switch errno {
		case 0:
			return int(ret), nil
		case syscall.EINTR:
			continue
		case syscall.ENOTTY:
			return 0, errors.New("not a cosched device (ENOTTY)")
		}
		return 0, errno
	}
}

// start pairs a time.Time with the CLOCK_MONOTONIC reading of the same moment.
var start, startNs = pairClocks()

// Monotonic returns CLOCK_MONOTONIC in nanoseconds, the clock of all records
// of the ABI and of the kernel's trace clock "mono". Processes may compare it.
func Monotonic() int64 { return startNs + int64(time.Since(start)) }

// pairClocks exists because package time reads CLOCK_MONOTONIC through the
// vDSO but only hands out differences. The closest of a few tries is off by
// less than the cost of one system call.
func pairClocks() (time.Time, int64) {
	var bestTime time.Time
	var bestNs int64
	best := time.Duration(1<<63 - 1)
	for range 5 {
		before := time.Now()
		ns := clockGettime()
		if took := time.Since(before); took < best {
			best, bestTime, bestNs = took, before, ns-int64(took/2)
		}
	}
	return bestTime, bestNs
}

func clockGettime() int64 {
	const clockMonotonic = 1
	var ts syscall.Timespec
	_, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic,
		uintptr(unsafe.Pointer(&ts)), 0)
	if errno != 0 {
		panic(errno) /* the kernel always has this clock */
	}
	return ts.Nano()
}
