// SPDX-License-Identifier: MIT

package main

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
)

// modelDim is the width of the dense layer that a rank iterates: one iteration
// is modelDim * modelDim multiply-adds.
const modelDim = 32

// The parameters lie on a grid of 1/gridUnit within ±maxParam and the data are
// small integers, so each rank's gradient is a multiple of 1/64 below 2^10 and
// the sum over up to 64 ranks is one below 2^16: at most 22 bits, which float32
// adds without rounding in any order. The check of the sum is therefore exact.
const (
	gridUnit = 64
	maxParam = 256

	learningRate = 1.0 / 16
	momentum     = 0.5
)

// model is what one rank holds: its slice of the model, which differs between
// ranks and only burns arithmetic, and the parameters that all ranks share.
type model struct {
	seed         uint64
	rank, nranks int

	layer  [modelDim][modelDim]float32
	active [modelDim]float32

	params, velocity []float32
	grad             []float32 /* grad[len(params)] carries the stop vote */
}

func newModel(c *trainConfig, rank int) *model {
	m := &model{
		seed: c.Seed, rank: rank, nranks: c.Ranks,
		params:   make([]float32, c.Grad),
		velocity: make([]float32, c.Grad),
		grad:     make([]float32, c.Grad+1),
	}
	for i := range m.layer {
		m.active[i] = 1
		for j := range m.layer[i] {
			h := mix(uint32(c.Seed), uint32(rank+1), uint32(i*modelDim+j))
			/* wide enough to be chaotic: the checksum sees every iteration */
			m.layer[i][j] = float32(int(h%513)-256) / 256
		}
	}
	for i := range m.params {
		m.params[i] = float32(int(mix(uint32(c.Seed), 0, uint32(i))%129) - 64)
	}
	return m
}

// compute does the given number of iterations: dense layer, softsign, bias.
// The conversions forbid fused multiply-adds, so all machines agree.
func (m *model) compute(iterations int) {
	var next [modelDim]float32
	for range iterations {
		for i := range m.layer {
			row, sum := &m.layer[i], float32(0.125)
			for j := range row {
				sum += float32(row[j] * m.active[j])
			}
			if sum < 0 {
				next[i] = sum / (1 - sum)
			} else {
				next[i] = sum / (1 + sum)
			}
		}
		m.active = next
	}
}

// gradient fills grad with this rank's gradient of ½‖params - data‖², where
// data is base(step, i) + (rank + 1) * tilt(i).
func (m *model) gradient(step int) {
	for i, p := range m.params {
		data := m.base(step, i) + (m.rank+1)*tilt(i)
		m.grad[i] = p - float32(data)
	}
}

// checkSum compares grad, after the AllReduce, with the closed form of the sum
// over all ranks.
func (m *model) checkSum(step int) error {
	n := m.nranks
	for i, p := range m.params {
		want := float32(n)*(p-float32(m.base(step, i))) - float32(tilt(i)*n*(n+1)/2)
		if m.grad[i] != want {
			return fmt.Errorf("step %d: the sum of gradient %d is %v, %v is right",
				step, i, m.grad[i], want)
		}
	}
	return nil
}

func (m *model) base(step, i int) int {
	return int(mix(uint32(m.seed), uint32(step)+0x1000, uint32(i))%513) - 256
}

// tilt tells ranks apart: a rank that is missing or counted twice shows in six
// elements of seven.
func tilt(i int) int { return i%7 - 3 }

// optimize steps the parameters along the mean gradient, with momentum, and
// puts them back on the grid.
func (m *model) optimize() {
	scale := float32(learningRate / float64(m.nranks))
	for i, g := range m.grad[:len(m.params)] {
		v := float32(momentum*m.velocity[i]) - float32(scale*g)
		m.velocity[i] = v
		p := float32(math.RoundToEven(float64((m.params[i] + v) * gridUnit)))
		m.params[i] = min(max(p/gridUnit, -maxParam), maxParam)
	}
}

// checksums covers what all ranks must agree on, and what is this rank's own.
func (m *model) checksums() (shared, own uint64) {
	return hashFloats(m.params), hashFloats(m.active[:])
}

func hashFloats(v []float32) uint64 {
	h := fnv.New64a()
	var b [4]byte
	for _, x := range v {
		binary.LittleEndian.PutUint32(b[:], math.Float32bits(x))
		h.Write(b[:])
	}
	return h.Sum64()
}

// mix hashes three words: cheap, and good enough to look like data.
func mix(a, b, c uint32) uint32 {
	h := a*0x9e3779b1 ^ b*0x85ebca77 ^ c*0xc2b2ae3d
	h ^= h >> 15
	h *= 0x2c1b3c6d
	h ^= h >> 12
	return h
}
