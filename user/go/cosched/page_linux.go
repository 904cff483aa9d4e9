// SPDX-License-Identifier: MIT

package cosched

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"cosched.io/cosched/internal/uapi"
)

// cell mirrors uapi.HintCell, for concurrent use.
type cell struct {
	phase      atomic.Uint32
	generation atomic.Uint32
	deadline   atomic.Uint64
	owner      atomic.Uint32
	flags      uint32
	reserved   [5]uint64
}

type cells [uapi.HintCells]cell

const (
	pageBytes = int(unsafe.Sizeof(cells{}))
	retryMin  = 500 * time.Millisecond
	retryMax  = 30 * time.Second
)

// State of a connection.
const (
	unknown int32 = iota // not tried, or it is time to try again
	absent               // tried, in vain
	present
)

/*
hintPage is the page of this process. It has one address from its first
connection on: what lies there is replaced when the daemon was restarted, so that
stores never miss memory.
*/
type hintPage struct {
	state   atomic.Int32
	timeout time.Duration // for the daemon's answer; set before use

	mu     sync.Mutex // for what follows
	path   *string    // of the daemon's socket
	memory []byte     // as mapped, at one address for good
	cells  *cells     // of it
	used   [uapi.HintNrLabels]bool
	// generations of label cells; the page has copies that may be anything.
	generations [uapi.HintNrLabels]uint32
	next        int // where to look for a free one first
}

var page = &hintPage{timeout: time.Second}

// connect reports whether the page is heard, and tries to make it so if nobody
// has, or not for long.
func (h *hintPage) connect() bool {
	switch h.state.Load() {
	case present:
		return true
	case absent:
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.state.Load() == unknown {
		h.connectLocked()
	}
	return h.state.Load() == present
}

func (h *hintPage) connectLocked() {
	conn, err := h.open()
	if err != nil {
		h.state.Store(absent)
		// No goroutine waits where cosched does not run.
		time.AfterFunc(retryMax, func() {
			h.state.CompareAndSwap(absent, unknown)
		})
		return
	}
	h.state.Store(present)
	go h.watch(conn)
}

// watch waits for the end of the daemon, and for another to come.
func (h *hintPage) watch(conn *os.File) {
	for {
		var byte [1]byte
		conn.Read(byte[:])
		conn.Close()
		h.state.Store(absent)
		for delay := retryMin; ; delay = min(2*delay, retryMax) {
			time.Sleep(delay)
			h.mu.Lock()
			c, err := h.open()
			if err == nil {
				conn = c
				h.state.Store(present)
			}
			h.mu.Unlock()
			if err == nil {
				break
			}
		}
	}
}

// socketPath is where the daemon was when first looked for; h.mu is held.
func (h *hintPage) socketPath() string {
	if h.path == nil {
		path, ok := os.LookupEnv("COSCHED_HINT_SOCKET")
		if !ok {
			path = uapi.HintSocket
		}
		h.path = &path
	}
	return *h.path
}

// open connects and maps the page; h.mu is held.
func (h *hintPage) open() (*os.File, error) {
	path := h.socketPath()
	if path == "" {
		return nil, syscall.ENOENT
	}
	fd, err := syscall.Socket(syscall.AF_UNIX,
		syscall.SOCK_SEQPACKET|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := h.openOn(fd, path); err != nil {
		syscall.Close(fd)
		return nil, err
	}
	// So that it is the poller that waits, not a thread.
	if err := syscall.SetNonblock(fd, true); err != nil {
		syscall.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

func (h *hintPage) openOn(fd int, path string) error {
	tv := syscall.NsecToTimeval(h.timeout.Nanoseconds())
	for _, option := range []int{syscall.SO_SNDTIMEO, syscall.SO_RCVTIMEO} {
		err := syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, option, &tv)
		if err != nil {
			return err
		}
	}
	if err := syscall.Connect(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
		return err
	}
	pageFd, err := receivePage(fd)
	if err != nil {
		return err
	}
	defer syscall.Close(pageFd)
	return h.mapPage(pageFd)
}

var errProtocol = errors.New("cosched: the daemon is of an incompatible version")

func receivePage(fd int) (int, error) {
	var reply uapi.HintReply
	data := unsafe.Slice((*byte)(unsafe.Pointer(&reply)), unsafe.Sizeof(reply))
	control := make([]byte, syscall.CmsgSpace(4))
	n, nc, err := recvmsg(fd, data, control)
	if err != nil {
		return -1, err
	}
	var fds []int
	messages, _ := syscall.ParseSocketControlMessage(control[:nc])
	for i := range messages {
		more, _ := syscall.ParseUnixRights(&messages[i])
		fds = append(fds, more...)
	}
	switch {
	case n == len(data) && reply.Error < 0:
		err = syscall.Errno(-reply.Error)
	case n < len(data) || reply.Error != 0 || len(fds) != 1 ||
		reply.Version != uapi.HintVersion ||
		reply.NrCells < uapi.HintCells ||
		reply.CellSize != uint32(unsafe.Sizeof(cell{})):
		err = errProtocol
	default:
		return fds[0], nil
	}
	for _, fd := range fds {
		syscall.Close(fd)
	}
	return -1, err
}

func recvmsg(fd int, data, control []byte) (n, nc int, err error) {
	for {
		n, nc, _, _, err = syscall.Recvmsg(fd, data, control,
			syscall.MSG_CMSG_CLOEXEC)
		if err != syscall.EINTR {
			return n, nc, err
		}
	}
}

// mapPage puts the page of fd where ours is, or is from now on, and says again
// what was said.
func (h *hintPage) mapPage(fd int) error {
	const prot = syscall.PROT_READ | syscall.PROT_WRITE
	if h.cells == nil {
		memory, err := syscall.Mmap(fd, 0, pageBytes, prot, syscall.MAP_SHARED)
		if err != nil {
			return err
		}
		h.memory = memory
		h.cells = (*cells)(unsafe.Pointer(&memory[0]))
		return nil
	}
	said := snapshot(h.cells)
	_, _, errno := syscall.Syscall6(syscall.SYS_MMAP,
		uintptr(unsafe.Pointer(&h.memory[0])), uintptr(pageBytes), prot,
		syscall.MAP_SHARED|syscall.MAP_FIXED, uintptr(fd), 0)
	if errno != 0 {
		return errno
	}
	said.restore(h.cells)
	return nil
}

type said [uapi.HintCells]struct {
	phase, generation, owner uint32
	deadline                 uint64
}

func snapshot(from *cells) *said {
	s := new(said)
	for i := range from {
		c := &from[i]
		s[i].phase, s[i].generation = c.phase.Load(), c.generation.Load()
		s[i].owner, s[i].deadline = c.owner.Load(), c.deadline.Load()
	}
	return s
}

// restore leaves alone what was said anew meanwhile.
func (s *said) restore(to *cells) {
	for i := uapi.HintProcess; i < len(to); i++ {
		c := &to[i]
		c.generation.CompareAndSwap(0, s[i].generation)
		c.owner.CompareAndSwap(0, s[i].owner)
		c.deadline.CompareAndSwap(0, s[i].deadline)
		c.phase.CompareAndSwap(0, s[i].phase)
	}
}

func (h *hintPage) process() *cell {
	if !h.connect() {
		return nil
	}
	return &h.cells[uapi.HintProcess]
}

// newScope takes a label's cell; nil when there is none.
func (h *hintPage) newScope(p Phase) *Scope {
	if !h.connect() {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for range h.used {
		i := h.next
		h.next = (h.next + 1) % len(h.used)
		if h.used[i] {
			continue
		}
		h.used[i] = true
		c := &h.cells[uapi.HintLabels+i]
		c.generation.Store(h.generations[i])
		c.owner.Store(1)
		c.deadline.Store(0)
		c.phase.Store(uint32(p))
		s := &Scope{index: uint32(uapi.HintLabels + i)}
		s.cell.Store(c)
		return s
	}
	return nil
}

// label is the value by which the scheduler finds the cell of s.
func (h *hintPage) label(s *Scope) string {
	const digits = "0123456789abcdef"
	var text [8]byte
	generation := h.generations[s.index-uapi.HintLabels]
	for i := range 4 {
		text[i] = digits[s.index>>(12-4*i)&15]
		text[4+i] = digits[generation>>(12-4*i)&15]
	}
	return string(text[:])
}

// endScope gives the cell back. What still has its label, goroutines that were
// left, has no cell from the new generation on.
func (h *hintPage) endScope(s *Scope) {
	c := s.end()
	h.mu.Lock()
	defer h.mu.Unlock()
	i := s.index - uapi.HintLabels
	h.generations[i]++
	c.generation.Store(h.generations[i])
	c.phase.Store(uapi.HintNone)
	c.deadline.Store(0)
	c.owner.Store(0)
	h.used[i] = false
}

// newThreadScope ties the goroutine to its thread and takes the thread's cell, or
// one that it has already; nil when there is none.
func (h *hintPage) newThreadScope(p Phase) (*Scope, func()) {
	if !h.connect() {
		return nil, nil
	}
	runtime.LockOSThread()
	tid := uint32(syscall.Gettid())
	c, had := h.claimThread(tid)
	if c == nil {
		runtime.UnlockOSThread()
		return nil, nil
	}
	before := c.phase.Load()
	c.phase.Store(uint32(p))
	s := new(Scope)
	s.cell.Store(c)
	return s, func() {
		s.end()
		c.phase.Store(before)
		if !had {
			c.phase.Store(uapi.HintNone)
			c.deadline.Store(0)
			c.owner.Store(0)
		}
		runtime.UnlockOSThread()
	}
}

func (h *hintPage) claimThread(tid uint32) (c *cell, had bool) {
	for i := range uint32(uapi.HintProbes) {
		c := &h.cells[uapi.HintThreads+(tid+i)%uapi.HintNrThreads]
		owner := c.owner.Load()
		if owner == tid {
			return c, true
		}
		if owner != 0 && syscall.Tgkill(syscall.Getpid(), int(owner), 0) != syscall.ESRCH {
			continue
		}
		if c.owner.CompareAndSwap(owner, tid) {
			c.phase.Store(uapi.HintNone)
			c.deadline.Store(0)
			return c, false
		}
	}
	return nil, false
}

// monotonic is t in CLOCK_MONOTONIC nanoseconds; 0 when it is before boot.
func monotonic(t time.Time) uint64 {
	var now syscall.Timespec
	const clockMonotonic = 1
	_, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic,
		uintptr(unsafe.Pointer(&now)), 0)
	if errno != 0 {
		return 0
	}
	return uint64(max(now.Nano()+int64(time.Until(t)), 0))
}
