// SPDX-License-Identifier: MIT

// Package ring sums float32 vectors over ranks that form a ring of loopback
// TCP connections: reduce-scatter, then allgather, the bandwidth-optimal
// AllReduce of the collective libraries.
//
// It owns the connections and the algorithm. It does not start ranks, does not
// announce anything to the kernel and sets no time limit on a collective: to
// give one up, Close the ring from another goroutine.
//
// A Ring belongs to the goroutine of its rank; only Close may be called from
// elsewhere.
package ring

import (
	"context"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"time"
)

const (
	// pieceLen is how many elements a rank sends before it receives as many.
	// Since pieces alternate, all ranks can be stuck in a send at once only
	// if each link holds more than one piece, and socketBuf does not let a
	// piece fill a link. So no rank needs a goroutine for sending.
	pieceLen  = 4096
	socketBuf = 16 * pieceLen

	elemSize = 4
)

// connectTimeout bounds how long the ranks may take to find each other.
const connectTimeout = 60 * time.Second

// Token keeps strangers on the machine out of the ring.
type Token [16]byte

// PeerError says that a neighbour in the ring went away, so the cause is to be
// looked for in another rank.
type PeerError struct{ Err error }

func (e *PeerError) Error() string { return "neighbour in the ring: " + e.Err.Error() }
func (e *PeerError) Unwrap() error { return e.Err }

// Endpoint is where the previous rank finds this one.
type Endpoint struct{ listener *net.TCPListener }

// Listen opens an endpoint on a free loopback port.
func Listen() (*Endpoint, error) {
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	return &Endpoint{l}, nil
}

// Addr is what the previous rank passes to Connect.
func (e *Endpoint) Addr() string { return e.listener.Addr().String() }

// Close gives up an endpoint that did not become a ring.
func (e *Endpoint) Close() error { return e.listener.Close() }

// Ring is one rank's place in the ring.
type Ring struct {
	rank, nranks int
	next, prev   *net.TCPConn /* nil when alone */
	out, in      []byte       /* one encoded piece each way */
}

// Connect joins the ring as rank rank of nranks: it dials the endpoint of the
// next rank and accepts the previous one. The endpoint is used up.
func (e *Endpoint) Connect(ctx context.Context, rank, nranks int, nextAddr string,
	token Token) (*Ring, error) {
	defer e.Close()
	r := &Ring{rank: rank, nranks: nranks}
	if nranks == 1 {
		return r, nil
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { e.Close() })
	defer stop()

	var err error
	if r.next, err = dial(ctx, nextAddr, rank, token); err != nil {
		return nil, &PeerError{err}
	}
	if r.prev, err = e.accept((rank+nranks-1)%nranks, token); err != nil {
		r.Close()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, &PeerError{err}
	}
	for _, conn := range []*net.TCPConn{r.next, r.prev} {
		err = errors.Join(conn.SetWriteBuffer(socketBuf), conn.SetReadBuffer(socketBuf))
		if err != nil {
			r.Close()
			return nil, err
		}
	}
	r.out = make([]byte, pieceLen*elemSize)
	r.in = make([]byte, pieceLen*elemSize)
	return r, nil
}

const helloLen = len(Token{}) + 4

func dial(ctx context.Context, addr string, rank int, token Token) (*net.TCPConn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp4", addr)
	if err != nil {
		return nil, err
	}
	hello := binary.LittleEndian.AppendUint32(token[:], uint32(rank))
	if _, err := conn.Write(hello); err != nil {
		conn.Close()
		return nil, err
	}
	return conn.(*net.TCPConn), nil
}

// accept waits for the rank from, and drops whoever else knocks.
func (e *Endpoint) accept(from int, token Token) (*net.TCPConn, error) {
	for {
		conn, err := e.listener.AcceptTCP()
		if err != nil {
			return nil, err
		}
		var hello [helloLen]byte
		conn.SetReadDeadline(time.Now().Add(connectTimeout / 4))
		_, err = io.ReadFull(conn, hello[:])
		rank := binary.LittleEndian.Uint32(hello[len(token):])
		if err == nil && rank == uint32(from) &&
			subtle.ConstantTimeCompare(hello[:len(token)], token[:]) == 1 {
			conn.SetReadDeadline(time.Time{})
			return conn, nil
		}
		conn.Close()
	}
}

// Close leaves the ring. Neighbours in a collective get a PeerError.
func (r *Ring) Close() {
	for _, conn := range []*net.TCPConn{r.next, r.prev} {
		if conn != nil {
			conn.Close()
		}
	}
}

// AllReduce replaces v, of the same length at all ranks, by the sum of all
// ranks' v. All ranks get bit-identical results. After an error the contents of
// v are undefined and the ring is of no more use.
func (r *Ring) AllReduce(v []float32) error {
	for step := range r.nranks - 1 {
		send := r.chunk(v, r.rank-step)
		recv := r.chunk(v, r.rank-step-1)
		if err := r.exchange(send, recv, add); err != nil {
			return &PeerError{err}
		}
	}
	for step := range r.nranks - 1 {
		send := r.chunk(v, r.rank+1-step)
		recv := r.chunk(v, r.rank-step)
		if err := r.exchange(send, recv, set); err != nil {
			return &PeerError{err}
		}
	}
	return nil
}

// chunk returns the i-th of nranks nearly equal parts of v, i modulo nranks.
func (r *Ring) chunk(v []float32, i int) []float32 {
	i = (i + 2*r.nranks) % r.nranks
	return v[len(v)*i/r.nranks : len(v)*(i+1)/r.nranks]
}

// exchange sends one chunk to the next rank while it receives another from the
// previous one, piece by piece. Chunks may differ in length by one element.
func (r *Ring) exchange(send, recv []float32, apply func([]float32, []byte)) error {
	for len(send) > 0 || len(recv) > 0 {
		n := min(len(send), pieceLen)
		if err := r.sendPiece(send[:n]); err != nil {
			return err
		}
		send = send[n:]

		n = min(len(recv), pieceLen)
		in := r.in[:n*elemSize]
		if _, err := io.ReadFull(r.prev, in); err != nil {
			return err
		}
		apply(recv[:n], in)
		recv = recv[n:]
	}
	return nil
}

func (r *Ring) sendPiece(piece []float32) error {
	if len(piece) == 0 {
		return nil
	}
	out := r.out[:len(piece)*elemSize]
	for i, x := range piece {
		binary.LittleEndian.PutUint32(out[i*elemSize:], math.Float32bits(x))
	}
	if _, err := r.next.Write(out); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

func add(dst []float32, src []byte) {
	for i := range dst {
		dst[i] += math.Float32frombits(binary.LittleEndian.Uint32(src[i*elemSize:]))
	}
}

func set(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[i*elemSize:]))
	}
}
