// SPDX-License-Identifier: MIT

package ring

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"
)

var testToken = Token{1, 2, 3}

// connectAll builds a ring of n ranks in this process.
func connectAll(t *testing.T, n int) []*Ring {
	t.Helper()
	endpoints := make([]*Endpoint, n)
	for i := range endpoints {
		var err error
		if endpoints[i], err = Listen(); err != nil {
			t.Fatal(err)
		}
	}
	rings, errs := make([]*Ring, n), make([]error, n)
	eachRank(n, func(i int) {
		rings[i], errs[i] = endpoints[i].Connect(context.Background(), i, n,
			endpoints[(i+1)%n].Addr(), testToken)
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, r := range rings {
			r.Close()
		}
	})
	return rings
}

func eachRank(n int, f func(rank int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Add(1)
		go func() {
			defer wg.Done()
			f(i)
		}()
	}
	wg.Wait()
}

func TestAllReduceSums(t *testing.T) {
	for _, n := range []int{1, 2, 3, 5, 6, 8} {
		rings := connectAll(t, n)
		for _, size := range []int{0, 1, 2, n - 1, n, n + 1, 1000, 1001, 3*pieceLen + 7,
			n*(2*pieceLen) + 1} {
			t.Run(fmt.Sprintf("%d ranks, %d elements", n, size), func(t *testing.T) {
				checkSum(t, rings, size)
			})
		}
	}
}

// checkSum sums vectors of integers, for which float32 addition is exact in
// any order. Two rounds show that nothing is left over in a link.
func checkSum(t *testing.T, rings []*Ring, size int) {
	n := len(rings)
	eachRank(n, func(rank int) {
		v := make([]float32, size)
		for round := range 2 {
			for i := range v {
				v[i] = float32((i%100 + round) * (rank + 1))
			}
			if err := rings[rank].AllReduce(v); err != nil {
				t.Errorf("rank %d: %v", rank, err)
				return
			}
			for i, got := range v {
				want := float32((i%100 + round) * n * (n + 1) / 2)
				if got != want {
					t.Errorf("rank %d, round %d: v[%d] is %g, want %g",
						rank, round, i, got, want)
					return
				}
			}
		}
	})
}

// TestResultsAreIdentical uses fractions, whose sum depends on the order: the
// ranks must agree to the last bit all the same.
func TestResultsAreIdentical(t *testing.T) {
	const n, size = 5, 1234
	rings, results := connectAll(t, n), make([][]float32, n)
	eachRank(n, func(rank int) {
		v := make([]float32, size)
		for i := range v {
			v[i] = 1 / float32(i+rank*7+3)
		}
		if err := rings[rank].AllReduce(v); err != nil {
			t.Error(err)
		}
		results[rank] = v
	})
	for rank, v := range results {
		for i := range v {
			if v[i] != results[0][i] {
				t.Fatalf("rank %d differs at %d", rank, i)
			}
		}
	}
}

func TestDeadNeighbourEndsTheCollective(t *testing.T) {
	const n = 4
	rings := connectAll(t, n)
	eachRank(n, func(rank int) {
		defer rings[rank].Close()
		if rank == 2 {
			return
		}
		err := rings[rank].AllReduce(make([]float32, 100))
		var peer *PeerError
		if !errors.As(err, &peer) {
			t.Errorf("rank %d: got %v, want a PeerError", rank, err)
		}
	})
}

func TestStrangersAreDropped(t *testing.T) {
	a, _ := Listen()
	b, _ := Listen()
	for _, hello := range [][]byte{{}, make([]byte, helloLen), []byte("GET / HTTP/1.0\r\n\r\n....")} {
		conn, err := net.Dial("tcp4", b.Addr())
		if err != nil {
			t.Fatal(err)
		}
		conn.Write(hello)
		conn.Close()
	}
	var rings [2]*Ring
	endpoints := []*Endpoint{a, b}
	eachRank(2, func(i int) {
		var err error
		rings[i], err = endpoints[i].Connect(context.Background(), i, 2,
			endpoints[1-i].Addr(), testToken)
		if err != nil {
			t.Error(err)
		}
	})
	if !t.Failed() {
		checkSum(t, rings[:], 10)
	}
}

func TestConnectIsCancelled(t *testing.T) {
	a, _ := Listen()
	b, _ := Listen()
	defer b.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err := a.Connect(ctx, 0, 2, b.Addr(), testToken)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v, want the context's error", err)
	}
}
