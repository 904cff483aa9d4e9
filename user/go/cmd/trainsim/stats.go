// SPDX-License-Identifier: MIT

package main

import (
	"math"
	"slices"
)

// summary describes a set of times in ns. All are 0 for an empty set.
type summary struct {
	P50  int64 `json:"p50"`
	P99  int64 `json:"p99"`
	Max  int64 `json:"max"`
	Mean int64 `json:"mean"`
}

func summarize(values []int64) summary {
	if len(values) == 0 {
		return summary{}
	}
	sorted := slices.Sorted(slices.Values(values))
	sum := 0.0 /* a sum of ns of many steps may exceed int64 */
	for _, v := range sorted {
		sum += float64(v)
	}
	return summary{
		P50:  percentile(sorted, 50),
		P99:  percentile(sorted, 99),
		Max:  sorted[len(sorted)-1],
		Mean: int64(math.Round(sum / float64(len(sorted)))),
	}
}

// percentile returns the smallest value of the sorted, not empty set that p
// percent of it do not exceed (nearest rank): always a value that occurred.
func percentile(sorted []int64, p float64) int64 {
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}
