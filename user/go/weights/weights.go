// SPDX-License-Identifier: MIT

// Package weights maps images of model weights that libcosched_load or "cosched
// load" left in a memfd or on a tmpfs, and gives tensors by name. Nothing is
// copied: the bytes of a tensor are the memory that was loaded into.
//
// An image is checked when it is opened: a broken or hostile one is an error, never a
// fault later. The one exception is who truncates the file afterwards, which is why
// memfds come sealed, and why an image in a file is held by a shared lock that
// loads respect.
//
//	m, err := weights.Open("/dev/shm/model.weights")
//	if err != nil { ... }
//	defer m.Close()
//	t, ok := m.Tensor("lm_head.weight")
package weights

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"sort"
	"strconv"
	"syscall"
	"unsafe"
)

// The format, see Documentation/ABI/testing/weights-image.
const (
	magic      = "CSWEIGHT"
	version    = 1
	headerSize = 128
	entrySize  = 128
	maxDims    = 8
	maxTensors = 1 << 18
	flagCRC    = 1
)

// ErrIncomplete is wrapped by the error for an image that is still being loaded, or
// whose load failed.
var ErrIncomplete = errors.New("the image is not complete")

// Type is the type of a tensor's elements.
type Type uint32

var typeNames = []string{"?", "BOOL", "U8", "I8", "U16", "I16", "F16", "BF16", "U32", "I32",
	"F32", "U64", "I64", "F64", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F4", "F6_E2M3",
	"F6_E3M2", "C64"}

// GGML is added to the numbers that block formats have in GGUF files.
const GGML Type = 256

// String is the name in safetensors files; block formats of GGUF are "GGML(n)".
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	if t >= GGML {
		return "GGML(" + strconv.Itoa(int(t-GGML)) + ")"
	}
	return "?"
}

// Tensor is one tensor of an image. Data is valid until the image is closed, and must
// not be written to: it is mapped read-only.
type Tensor struct {
	Name   string
	Type   Type
	Shape  []uint64 // outermost first
	Data   []byte
	CRC32C uint32 // 0 unless the image was loaded with checksums
}

// Image is a mapped image. It may be used by several goroutines, Close excepted.
type Image struct {
	mem     []byte
	file    *os.File
	tensors []Tensor
	hasCRC  bool
}

// Open maps the image at path and holds it with a shared lock until Close.
func Open(path string) (*Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
		if err != syscall.EINTR {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("weights: %s: %w: a load holds it", path, ErrIncomplete)
	}
	m, err := OpenFile(f)
	if err != nil {
		f.Close()
		return nil, err
	}
	m.file = f
	return m, nil
}

// FromEnvironment maps the image that "cosched load --exec" handed over.
func FromEnvironment() (*Image, error) {
	text, ok := os.LookupEnv("COSCHED_WEIGHTS_FD")
	fd, err := strconv.Atoi(text)
	if !ok || err != nil || fd < 0 {
		return nil, fmt.Errorf("weights: COSCHED_WEIGHTS_FD is %q, not a descriptor", text)
	}
	f := os.NewFile(uintptr(fd), "COSCHED_WEIGHTS_FD")
	m, err := OpenFile(f)
	if err != nil {
		return nil, err
	}
	m.file = f
	return m, nil
}

// OpenFile maps the image in f, which the caller may close afterwards.
func OpenFile(f *os.File) (*Image, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("weights: %w", err)
	}
	if st.Size() < headerSize || st.Size() != int64(int(st.Size())) {
		return nil, fmt.Errorf("weights: %s: %d bytes are no image", f.Name(), st.Size())
	}
	mem, err := syscall.Mmap(int(f.Fd()), 0, int(st.Size()), syscall.PROT_READ,
		syscall.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("weights: %s: mmap: %w", f.Name(), err)
	}
	m := &Image{mem: mem}
	if err := m.parse(); err != nil {
		syscall.Munmap(mem)
		return nil, fmt.Errorf("weights: %s: %w", f.Name(), err)
	}
	return m, nil
}

// Close unmaps the image: no Data may be used any more.
func (m *Image) Close() error {
	if m.mem == nil {
		return nil
	}
	err := syscall.Munmap(m.mem)
	m.mem, m.tensors = nil, nil
	if m.file != nil {
		err = errors.Join(err, m.file.Close())
	}
	return err
}

// Tensors are all tensors, sorted by name. The slice belongs to the image.
func (m *Image) Tensors() []Tensor { return m.tensors }

// Tensor finds a tensor by its name.
func (m *Image) Tensor(name string) (Tensor, bool) {
	i := sort.Search(len(m.tensors), func(i int) bool { return m.tensors[i].Name >= name })
	if i == len(m.tensors) || m.tensors[i].Name != name {
		return Tensor{}, false
	}
	return m.tensors[i], true
}

// Verify computes the checksum of each tensor. An error when one differs, and when the
// image has none.
func (m *Image) Verify() error {
	if !m.hasCRC {
		return errors.New("weights: the image was loaded without checksums")
	}
	table := crc32.MakeTable(crc32.Castagnoli)
	for _, t := range m.tensors {
		if sum := crc32.Checksum(t.Data, table); sum != t.CRC32C {
			return fmt.Errorf("weights: tensor %q: CRC32C is %08x, the image has %08x",
				t.Name, sum, t.CRC32C)
		}
	}
	return nil
}

// Float32s are the elements of a tensor of type F32 without a copy. An error for other
// types, and when the tensor begins at no multiple of 4, as files may have it.
func (t Tensor) Float32s() ([]float32, error) {
	const f32, ggmlF32 = Type(10), GGML
	if t.Type != f32 && t.Type != ggmlF32 {
		return nil, fmt.Errorf("weights: tensor %q is of type %v, not F32", t.Name, t.Type)
	}
	if len(t.Data) == 0 {
		return nil, nil
	}
	p := unsafe.Pointer(unsafe.SliceData(t.Data))
	if uintptr(p)%4 != 0 {
		return nil, fmt.Errorf("weights: tensor %q is not aligned to 4 bytes", t.Name)
	}
	return unsafe.Slice((*float32)(p), len(t.Data)/4), nil
}

// header is what parse needs of it, checked.
type header struct {
	tensors, names, namesSize uint64
	count, flags, crc         uint32
}

func (m *Image) parseHeader() (header, error) {
	b, le := m.mem, binary.LittleEndian
	size := uint64(len(b))
	if string(b[:8]) != magic {
		return header{}, fmt.Errorf("does not begin with %q", magic)
	}
	if v := le.Uint32(b[8:]); v != version {
		return header{}, fmt.Errorf("version %d, only %d is known", v, version)
	}
	h := header{
		tensors: le.Uint64(b[32:]), names: le.Uint64(b[40:]), namesSize: le.Uint64(b[48:]),
		count: le.Uint32(b[56:]), flags: le.Uint32(b[64:]), crc: le.Uint32(b[72:]),
	}
	if hs, ts := le.Uint32(b[12:]), le.Uint32(b[60:]); hs != headerSize || ts != entrySize {
		return h, fmt.Errorf("header of %d bytes, entries of %d; %d and %d are known", hs,
			ts, headerSize, entrySize)
	}
	if le.Uint32(b[68:]) != 1 {
		return h, ErrIncomplete
	}
	if h.count > maxTensors {
		return h, fmt.Errorf("%d tensors, %d at most", h.count, maxTensors)
	}
	table := uint64(h.count) * entrySize
	if is := le.Uint64(b[16:]); is != size {
		return h, fmt.Errorf("%d bytes, the header says %d", size, is)
	}
	if h.tensors != headerSize || h.names != headerSize+table || h.names > size ||
		h.namesSize > size-h.names {
		return h, fmt.Errorf("the table of %d tensors does not fit %d bytes", h.count, size)
	}
	return h, nil
}

func (m *Image) parse() error {
	h, err := m.parseHeader()
	if err != nil {
		return err
	}
	table := m.mem[h.tensors : h.names+h.namesSize]
	if sum := crc32.Checksum(table, crc32.MakeTable(crc32.Castagnoli)); sum != h.crc {
		return fmt.Errorf("CRC32C of the table is %08x, the header says %08x", sum, h.crc)
	}
	names := m.mem[h.names : h.names+h.namesSize]
	m.hasCRC = h.flags&flagCRC != 0
	m.tensors = make([]Tensor, 0, h.count)
	for i := uint64(0); i < uint64(h.count); i++ {
		t, err := m.entry(table[i*entrySize:(i+1)*entrySize], names)
		if err != nil {
			return fmt.Errorf("tensor number %d: %w", i, err)
		}
		if i > 0 && m.tensors[i-1].Name >= t.Name {
			return fmt.Errorf("tensor number %d, %q, is not sorted", i, t.Name)
		}
		m.tensors = append(m.tensors, t)
	}
	return nil
}

func (m *Image) entry(e, names []byte) (Tensor, error) {
	le, size := binary.LittleEndian, uint64(len(m.mem))
	at, n := le.Uint64(e), uint64(le.Uint32(e[8:]))
	offset, length, dims := le.Uint64(e[24:]), le.Uint64(e[32:]), le.Uint32(e[16:])
	if at > uint64(len(names)) || n >= uint64(len(names))-at || names[at+n] != 0 ||
		bytes.IndexByte(names[at:at+n], 0) >= 0 {
		return Tensor{}, fmt.Errorf("name at %d of %d bytes is not in the names", at, n)
	}
	if dims > maxDims {
		return Tensor{}, fmt.Errorf("%d dimensions, %d at most", dims, maxDims)
	}
	if offset > size || length > size-offset {
		return Tensor{}, fmt.Errorf("bytes %d+%d are not in the image of %d", offset,
			length, size)
	}
	t := Tensor{
		Name: string(names[at : at+n]), Type: Type(le.Uint32(e[12:])),
		CRC32C: le.Uint32(e[20:]), Data: m.mem[offset : offset+length : offset+length],
	}
	for i := uint32(0); i < dims; i++ {
		t.Shape = append(t.Shape, le.Uint64(e[40+8*i:]))
	}
	return t, nil
}
