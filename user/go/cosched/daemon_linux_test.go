// SPDX-License-Identifier: MIT

package cosched

import (
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"cosched.io/cosched/internal/uapi"
)

// fakeDaemon hands out pages that are files, as the daemon does maps.
type fakeDaemon struct {
	t      testing.TB
	path   string
	listen int
	served chan struct{}         // closed when nobody accepts any more
	client atomic.Int64          // its descriptor, -1: none
	page   atomic.Pointer[cells] // of the last client
}

// useDaemon makes this process one that has not connected yet, to a daemon of
// its own.
func useDaemon(t testing.TB) *fakeDaemon {
	t.Helper()
	old := page
	page = &hintPage{timeout: time.Minute} // on a busy machine
	t.Cleanup(func() { page = old })
	d := &fakeDaemon{t: t}
	d.client.Store(-1)
	// Paths of sockets are short, those of tests are not.
	dir, err := os.MkdirTemp("", "cosched")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	d.path = filepath.Join(dir, "socket")
	t.Setenv("COSCHED_HINT_SOCKET", d.path)
	d.start()
	t.Cleanup(d.stop)
	return d
}

func (d *fakeDaemon) start() {
	fd, err := syscall.Socket(syscall.AF_UNIX,
		syscall.SOCK_SEQPACKET|syscall.SOCK_CLOEXEC, 0)
	if err == nil {
		os.Remove(d.path)
		err = syscall.Bind(fd, &syscall.SockaddrUnix{Name: d.path})
	}
	if err == nil {
		err = syscall.Listen(fd, 8)
	}
	if err != nil {
		d.t.Fatal(err)
	}
	d.listen = fd
	d.served = make(chan struct{})
	go d.serve(fd, d.served)
}

func (d *fakeDaemon) serve(listen int, served chan struct{}) {
	defer close(served)
	for {
		fd, _, err := syscall.Accept4(listen, syscall.SOCK_CLOEXEC)
		if err != nil {
			return
		}
		d.client.Store(int64(fd))
		d.answer(fd)
	}
}

func (d *fakeDaemon) answer(fd int) {
	f, err := os.CreateTemp("", "cosched-page")
	if err != nil {
		panic(err)
	}
	defer f.Close()
	os.Remove(f.Name())
	if err := f.Truncate(int64(pageBytes)); err != nil {
		panic(err)
	}
	memory, err := syscall.Mmap(int(f.Fd()), 0, pageBytes,
		syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		panic(err)
	}
	d.page.Store((*cells)(unsafe.Pointer(&memory[0])))
	reply := uapi.HintReply{Version: uapi.HintVersion, NrCells: uapi.HintCells, CellSize: 64}
	reply.Size = uint32(unsafe.Sizeof(reply))
	data := unsafe.Slice((*byte)(unsafe.Pointer(&reply)), unsafe.Sizeof(reply))
	if err := syscall.Sendmsg(fd, data, syscall.UnixRights(int(f.Fd())), nil, 0); err != nil {
		panic(err)
	}
}

func (d *fakeDaemon) stop() {
	syscall.Shutdown(d.listen, syscall.SHUT_RDWR)
	// The number may be another daemon's socket next, not to be accepted on.
	<-d.served
	syscall.Close(d.listen)
	if fd := d.client.Swap(-1); fd >= 0 {
		syscall.Close(int(fd))
	}
}

// eventually waits for a condition, with a bound.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for range 2000 {
		if is() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}
