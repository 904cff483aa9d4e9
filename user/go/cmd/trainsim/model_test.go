// SPDX-License-Identifier: MIT

package main

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

func summed(t *testing.T, ranks int) []*model {
	t.Helper()
	cfg := &trainConfig{Ranks: ranks, Grad: 1000, Seed: 7}
	models := make([]*model, ranks)
	for i := range models {
		models[i] = newModel(cfg, i)
		models[i].gradient(3)
	}
	sum := make([]float32, cfg.Grad+1)
	for _, m := range models {
		for i, g := range m.grad {
			sum[i] += g
		}
	}
	for _, m := range models {
		copy(m.grad, sum)
	}
	return models
}

// TestSumIsExact trains for a while: wherever the parameters go, the closed form
// must equal the float32 sum bit by bit, up to the largest number of ranks.
func TestSumIsExact(t *testing.T) {
	for _, ranks := range []int{1, 2, 7, maxRanks} {
		cfg := &trainConfig{Ranks: ranks, Grad: 300, Seed: 7}
		models := make([]*model, ranks)
		for i := range models {
			models[i] = newModel(cfg, i)
		}
		for step := range 30 {
			sum := make([]float32, cfg.Grad)
			for _, m := range models {
				m.gradient(step)
				for i := range sum {
					sum[i] += m.grad[i]
				}
			}
			for _, m := range models {
				copy(m.grad, sum)
				if err := m.checkSum(step); err != nil {
					t.Fatalf("%d ranks: %v", ranks, err)
				}
				m.optimize()
			}
		}
	}
}

func TestWrongSumIsFound(t *testing.T) {
	for i, spoil := range []func(m *model){
		func(m *model) { m.grad[999]++ },
		func(m *model) { m.grad[0] += 1.0 / gridUnit },
		func(m *model) { /* rank 0 counted twice, rank 1 not at all */
			a, b := newModel(&trainConfig{Ranks: 4, Grad: 1000, Seed: 7}, 0),
				newModel(&trainConfig{Ranks: 4, Grad: 1000, Seed: 7}, 1)
			a.gradient(3)
			b.gradient(3)
			for i := range m.params {
				m.grad[i] += a.grad[i] - b.grad[i]
			}
		},
	} {
		m := summed(t, 4)[0]
		if err := m.checkSum(3); err != nil {
			t.Fatal(err)
		}
		spoil(m)
		if m.checkSum(3) == nil {
			t.Errorf("case %d was not found", i)
		}
	}
}

func TestWork(t *testing.T) {
	c := &trainConfig{Work: 100, Straggler: 2, Factor: 1.5}
	if c.workOf(0) != 100 || c.workOf(2) != 150 {
		t.Errorf("got %d and %d", c.workOf(0), c.workOf(2))
	}
	m := newModel(&trainConfig{Ranks: 1, Grad: 1}, 0)
	seen := map[uint64]int{}
	for i := range 5000 {
		m.compute(1)
		_, own := m.checksums()
		if before, ok := seen[own]; ok {
			t.Fatalf("iterations %d and %d end alike: work cannot be told apart", before, i)
		}
		seen[own] = i
	}
	for _, x := range m.active {
		if !(x > -1 && x < 1) {
			t.Fatalf("activation %v", x)
		}
	}
}

func TestCheckpoint(t *testing.T) {
	dir, m := t.TempDir(), newModel(&trainConfig{Ranks: 1, Grad: 10, Seed: 3}, 0)
	for step := range 2 {
		if err := saveCheckpoint(dir, m, step); err != nil {
			t.Fatal(err)
		}
	}
	entries, _ := os.ReadDir(dir)
	if len(entries) != 1 {
		t.Errorf("%d files in the directory, want 1", len(entries))
	}
	f, err := os.Open(filepath.Join(dir, checkpointName))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var h checkpointHeader
	params := make([]float32, 10)
	for _, part := range []any{&h, params} {
		if err := binary.Read(f, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	if h.Magic != checkpointMagic || h.Step != 1 || h.Seed != 3 || h.Elements != 10 ||
		h.Checksum != hashFloats(params) {
		t.Errorf("header %+v", h)
	}
	if info, _ := f.Stat(); info.Size() != 40+2*4*10 {
		t.Errorf("size %d", info.Size())
	}
	if saveCheckpoint(filepath.Join(dir, "missing"), m, 0) == nil {
		t.Error("a missing directory was accepted")
	}
}
