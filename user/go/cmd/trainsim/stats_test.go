// SPDX-License-Identifier: MIT

package main

import (
	"strings"
	"testing"
)

func TestSummarize(t *testing.T) {
	hundred := make([]int64, 100)
	for i := range hundred {
		hundred[i] = int64(100 - i)
	}
	for _, c := range []struct {
		name   string
		values []int64
		want   summary
	}{
		{"empty", nil, summary{}},
		{"one", []int64{7}, summary{7, 7, 7, 7}},
		{"two", []int64{9, 1}, summary{1, 9, 9, 5}},
		{"three", []int64{3, 1, 2}, summary{2, 3, 3, 2}},
		{"1..100", hundred, summary{50, 99, 100, 51}},
		{"1..101", append([]int64{101}, hundred...), summary{51, 100, 101, 51}},
		{"huge", []int64{1 << 62, 1 << 62, 1 << 62}, summary{1 << 62, 1 << 62, 1 << 62, 1 << 62}},
	} {
		if got := summarize(c.values); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
	if hundred[0] != 100 {
		t.Error("summarize changed its argument")
	}
}

func twoRanks() (*trainConfig, []*rankResult) {
	cfg := &trainConfig{Ranks: 2, Warmup: 1, Mode: modeGoroutine, Straggler: -1}
	return cfg, []*rankResult{
		{Rank: 0, Start: 100, CPUNs: 5, Announced: 2, Times: []stepTimes{
			{Begin: 100, Arrived: 150, Released: 180, End: 200},
			{Begin: 200, Arrived: 290, Released: 300, End: 310}}},
		{Rank: 1, Start: 90, CPUNs: 6, Announced: 2, Times: []stepTimes{
			{Begin: 95, Arrived: 175, Released: 185, End: 190},
			{Begin: 190, Arrived: 250, Released: 295, End: 330}}},
	}
}

func TestReportArithmetic(t *testing.T) {
	cfg, results := twoRanks()
	r, err := newReport(cfg, results)
	if err != nil {
		t.Fatal(err)
	}
	/* steps: 100..200, 200..330; skew: 25, 40; last: rank 1, rank 0 */
	if r.ElapsedNS != 230 || r.Step.P50 != 100 || r.Step.Max != 130 ||
		r.Skew.P50 != 25 || r.Skew.Max != 40 || r.LastArrivals[0] != 1 ||
		r.LastArrivals[1] != 1 || r.Compute.Max != 90 || r.Announced != 4 || r.CPUNS != 5 {
		t.Errorf("got %+v", r)
	}
	cfg, results = twoRanks()
	cfg.Warmup, cfg.Mode = 0, modeProcess
	if r, err = newReport(cfg, results); err != nil || r.ElapsedNS != 240 || r.CPUNS != 11 {
		t.Errorf("without warm-up, as processes: %v, %+v", err, r)
	}
}

func TestReportRefusesDisagreement(t *testing.T) {
	cfg, results := twoRanks()
	results[1].Shared++
	if _, err := newReport(cfg, results); err == nil || !strings.Contains(err.Error(), "rank 1") {
		t.Errorf("different parameters: %v", err)
	}
	cfg, results = twoRanks()
	results[1].Times = results[1].Times[:1]
	if _, err := newReport(cfg, results); err == nil || !strings.Contains(err.Error(), "1 steps") {
		t.Errorf("different steps: %v", err)
	}
}

func TestReportText(t *testing.T) {
	cfg, results := twoRanks()
	cfg.Cgroups = []string{"/sys/fs/cgroup/train"}
	results[0].CgroupUsec = []int64{1500}
	r, err := newReport(cfg, results)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := r.write(&text, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"barrier skew", "rank 0 1x, rank 1 1x", "1.5ms", r.Checksum} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
}
