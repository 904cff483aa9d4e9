// SPDX-License-Identifier: MIT

package weights

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math/rand"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// build makes an image of two tensors: "a", F32, shape 2x1, and "b.c", no bytes.
func build() []byte {
	b, le := make([]byte, 8192), binary.LittleEndian
	names := "a\x00b.c\x00"
	copy(b, magic)
	le.PutUint32(b[8:], version)
	le.PutUint32(b[12:], headerSize)
	le.PutUint64(b[16:], uint64(len(b)))
	le.PutUint64(b[24:], 4096)
	le.PutUint64(b[32:], headerSize)
	le.PutUint64(b[40:], headerSize+2*entrySize)
	le.PutUint64(b[48:], uint64(len(names)))
	le.PutUint32(b[56:], 2)
	le.PutUint32(b[60:], entrySize)
	le.PutUint32(b[64:], flagCRC)
	le.PutUint32(b[68:], 1)
	copy(b[headerSize+2*entrySize:], names)
	copy(b[4096:], "\x00\x00\x80\x3f\x00\x00\x00\x40")
	a, c := b[headerSize:], b[headerSize+entrySize:]
	le.PutUint32(a[8:], 1)
	le.PutUint32(a[12:], 10)
	le.PutUint32(a[16:], 2)
	le.PutUint32(a[20:], crc32.Checksum(b[4096:4104], castagnoli))
	le.PutUint64(a[24:], 4096)
	le.PutUint64(a[32:], 8)
	le.PutUint64(a[40:], 2)
	le.PutUint64(a[48:], 1)
	le.PutUint64(c, 2)
	le.PutUint32(c[8:], 3)
	le.PutUint32(c[12:], 7)
	le.PutUint64(c[24:], 4096)
	return b
}

// seal writes the checksum of the table.
func seal(b []byte) []byte {
	binary.LittleEndian.PutUint32(b[72:],
		crc32.Checksum(b[headerSize:headerSize+2*entrySize+6], castagnoli))
	return b
}

func write(t *testing.T, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpen(t *testing.T) {
	m, err := Open(write(t, seal(build())))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	a, ok := m.Tensor("a")
	if !ok || a.Type.String() != "F32" || len(a.Shape) != 2 || a.Shape[0] != 2 {
		t.Fatalf("a is %+v", a)
	}
	f, err := a.Float32s()
	if err != nil || len(f) != 2 || f[0] != 1 || f[1] != 2 {
		t.Fatalf("a is %v, %v", f, err)
	}
	if c, ok := m.Tensor("b.c"); !ok || len(c.Data) != 0 || c.Type.String() != "BF16" {
		t.Fatalf("b.c is %+v", c)
	}
	if _, ok := m.Tensor("b"); ok {
		t.Fatal("b is there")
	}
	if len(m.Tensors()) != 2 {
		t.Fatal("number of tensors")
	}
	if err := m.Verify(); err != nil {
		t.Fatal(err)
	}
}

func TestLocked(t *testing.T) {
	path := write(t, seal(build()))
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); !errors.Is(err, ErrIncomplete) {
		t.Fatalf("an image that is being loaded: %v", err)
	}
}

func TestBroken(t *testing.T) {
	le := binary.LittleEndian
	a := headerSize
	for _, c := range []struct {
		name, says string
		change     func(b []byte) []byte
	}{
		{"short", "are no image", func(b []byte) []byte { return b[:100] }},
		{"magic", "does not begin", func(b []byte) []byte { b[0] = 'x'; return b }},
		{"version", "version 9", func(b []byte) []byte { b[8] = 9; return b }},
		{"sizes", "header of 9", func(b []byte) []byte { b[12] = 9; return b }},
		{"cut", "the header says 8192", func(b []byte) []byte { return b[:4096] }},
		{"incomplete", "not complete", func(b []byte) []byte { b[68] = 0; return b }},
		{"count", "tensors, 262144 at most", func(b []byte) []byte { b[59] = 0xff; return b }},
		{"table", "does not fit", func(b []byte) []byte { le.PutUint32(b[56:], 200); return b }},
		{"names", "does not fit", func(b []byte) []byte {
			le.PutUint64(b[48:], 1<<63)
			return b
		}},
		{"name", "not in the names", func(b []byte) []byte {
			le.PutUint64(b[a:], 1<<63)
			return b
		}},
		{"name end", "not in the names", func(b []byte) []byte { b[a+8] = 2; return b }},
		{"dims", "9 dimensions", func(b []byte) []byte { b[a+16] = 9; return b }},
		{"offset", "not in the image", func(b []byte) []byte {
			le.PutUint64(b[a+24:], 1<<62)
			return b
		}},
		{"bytes", "not in the image", func(b []byte) []byte {
			le.PutUint64(b[a+32:], 1<<64-1)
			return b
		}},
		{"order", "not sorted", func(b []byte) []byte { b[a+2*entrySize] = 'z'; return b }},
	} {
		b := c.change(build())
		if len(b) == 8192 {
			b = seal(b)
		}
		_, err := Open(write(t, b))
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	b := seal(build())
	b[a+20] ^= 1
	if _, err := Open(write(t, b)); err == nil || !strings.Contains(err.Error(), "CRC32C") {
		t.Errorf("a bit of the table: %v", err)
	}
}

// TestRandom flips bits everywhere, with the checksum made right again.
func TestRandom(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	path := write(t, seal(build()))
	for i := 0; i < 3000; i++ {
		b := build()
		for n := r.Intn(4) + 1; n > 0; n-- {
			b[r.Intn(headerSize+2*entrySize+6)] ^= 1 << r.Intn(8)
		}
		if err := os.WriteFile(path, seal(b), 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := Open(path)
		if err != nil {
			continue
		}
		for _, x := range m.Tensors() {
			sum := byte(0)
			for _, v := range x.Data {
				sum += v
			}
			_ = sum
			_, _ = x.Float32s()
		}
		m.Close()
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("COSCHED_WEIGHTS_FD", "x")
	if _, err := FromEnvironment(); err == nil {
		t.Fatal("x is a descriptor")
	}
	f, err := os.Open(write(t, seal(build())))
	if err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	t.Setenv("COSCHED_WEIGHTS_FD", strconv.Itoa(fd))
	m, err := FromEnvironment()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
}
