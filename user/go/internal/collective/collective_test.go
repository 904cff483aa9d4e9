// SPDX-License-Identifier: MIT

package collective

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"cosched.io/cosched/internal/uapi"
)

func TestMissingDeviceIsUnavailable(t *testing.T) {
	_, err := openPath(filepath.Join(t.TempDir(), "cosched"))
	if !errors.Is(err, ErrUnavailable) {
		t.Fatalf("got %v, want ErrUnavailable", err)
	}
}

func TestOtherDeviceIsRefused(t *testing.T) {
	_, err := openPath("/dev/null")
	if err == nil || errors.Is(err, ErrUnavailable) {
		t.Fatalf("got %v, want an error that is not ErrUnavailable", err)
	}
}

func TestNilCommDoesNothing(t *testing.T) {
	var c *Comm
	if seq, err := c.Enter(uapi.OpBarrier, 0, 0); seq != 0 || err != nil {
		t.Errorf("Enter: %d, %v", seq, err)
	}
	if err := errors.Join(c.Exit(1), c.Abort(1), c.Leave()); err != nil {
		t.Error(err)
	}
}

func TestMonotonicIsTheKernelsClock(t *testing.T) {
	for range 100 {
		before, now, after := clockGettime(), Monotonic(), clockGettime()
		/* the pairing may be off by one system call */
		const slack = int64(time.Millisecond)
		if now < before-slack || now > after+slack {
			t.Fatalf("%d is not within %d .. %d", now, before, after)
		}
	}
}

// TestAnnounce runs where the module is loaded.
func TestAnnounce(t *testing.T) {
	d, err := Open()
	if err != nil {
		t.Skip(err)
	}
	defer d.Close()
	c, err := d.Join(uint64(Monotonic()), 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Leave()
	for want := range uint64(3) {
		seq, err := c.Enter(uapi.OpAllReduce, uapi.DtypeFloat32, 4096)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Exit(seq); err != nil {
			t.Fatal(err)
		}
		if err := c.Exit(seq); err == nil {
			t.Errorf("round %d: second exit of %d succeeded", want, seq)
		}
	}
}
