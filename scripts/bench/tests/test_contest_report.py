#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Tests of scripts/bench/contest-report: parsers, statistics, failed peers.

Runs offline with the standard library.
"""

import contextlib
import csv
import importlib.machinery
import importlib.util
import io
import json
import pathlib
import sys
import tempfile
import unittest
import xml.etree.ElementTree

PATH = pathlib.Path(__file__).resolve().parent.parent / "contest-report"
sys.dont_write_bytecode = True
LOADER = importlib.machinery.SourceFileLoader("contest_report", str(PATH))
contest_report = importlib.util.module_from_spec(
    importlib.util.spec_from_loader("contest_report", LOADER))
LOADER.exec_module(contest_report)

RAW = {
    "schbench": "wakeup p50 10.5 p99 200.0 p99.9 300.5 max 400.0 us\n"
                "request p50 20.0 p99 210.0 p99.9 310.0 max 410.0 us\n"
                "requests 900 in 2.000000 s, 450.0 per second, 0 not sampled\n"
                "elapsed 2.3 s\n",
    "hackbench": "Running in process mode with 2 groups\nTime: 0.669\nelapsed 0.9 s\n",
    "pipe": "# Running 'sched/pipe' benchmark:\n\n     Total time: 0.764 [sec]\n\n"
            "     152.801400 usecs/op\n           6544 ops/sec\nelapsed 0.8 s\n",
    "messaging": "# Running 'sched/messaging' benchmark:\n"
                 "     Total time: 1.210 [sec]\nelapsed 1.7 s\n",
    "stress": "stress-ng: metrc: [1412] switch             6000      0.21      0.01"
              "      0.41     28797.80       14234.98\n"
              "stress-ng: metrc: [1412] cpu                 400      3.62     13.84"
              "      0.10       110.51          28.70\nelapsed 4.070 s\n",
    "compile": "elapsed 2.752 s\n",
}


def programs(when, *figures):
    """A line of bpftool as the guest prints it: (id, ns, calls) each."""
    listed = [{"id": i, "name": "p", "run_time_ns": ns, "run_cnt": n} for i, ns, n in figures]
    return f"programs {when} {json.dumps(listed)}\n"


def cost(ours, switches=100, busy_us=4000000, part="hackbench"):
    """A part of the cost benchmark of two seconds, beside a part of nothing."""
    return ("part pipe\n" + programs("before") + "elapsed 1.0 s\nswitches 5, busy 1 us\n"
            + programs("after") + f"part {part}\n" + programs("before", (1, 1000, 10))
            + f"Time: 1.9\nelapsed 2.0 s\nswitches {switches}, busy {busy_us} us\n"
            + programs("after", *ours))


OURS = ((1, 201000, 110), (2, 120000, 100))


class Parsers(unittest.TestCase):
    """What is found in the benchmarks' output."""

    CONTEXT = contest_report.Context({"empty_ns": 100, "ns_per_instruction": 2}, [])

    def value(self, benchmark, key, text):
        """The figure of a metric in a text."""
        metric = next(m for m in contest_report.METRICS[benchmark] if m.key == key)
        return metric.get({"text": text}, self.CONTEXT)

    def test_figures(self):
        for benchmark, key, want in [
                ("schbench", "wake_p50", 10.5), ("schbench", "wake_p99", 200),
                ("schbench", "wake_p999", 300.5), ("schbench", "request_p50", 20),
                ("schbench", "request_p99", 210), ("schbench", "request_p999", 310),
                ("schbench", "requests", 450), ("hackbench", "time", 0.669),
                ("pipe", "op", 152.8014), ("messaging", "time", 1.21),
                ("stress", "time", 4.07), ("stress", "switch", 28797.8),
                ("stress", "cpu", 110.51), ("compile", "time", 2.752)]:
            self.assertAlmostEqual(self.value(benchmark, key, RAW[benchmark]), want)

    def test_nothing_there(self):
        for benchmark, metrics in contest_report.METRICS.items():
            for metric in metrics:
                for text in ["", "garbage\n", "Time: none\nelapsed\n"]:
                    self.assertIsNone(metric.get({"text": text}, self.CONTEXT), benchmark)

    def test_cost(self):
        """320,000 ns with two CPUs busy, less 200 calls of 100 ns: 140,000 ns of
        2 ns each, over 100 switches."""
        self.assertAlmostEqual(self.value("cost", "hackbench_instructions", cost(OURS)), 700)
        self.assertAlmostEqual(self.value("cost", "hackbench_calls", cost(OURS)), 2)

    def test_cost_with_idle_time(self):
        """A machine that is idle in between is no faster than one CPU."""
        text = cost(OURS, busy_us=500000)
        self.assertAlmostEqual(self.value("cost", "hackbench_instructions", text), 1500)

    def test_cost_of_none(self):
        self.assertIsNone(self.value("cost", "pipe_instructions", cost(OURS)))
        self.assertIsNone(self.value("cost", "hackbench_calls", cost(((1, 1000, 10),))))

    def test_cost_is_not_negative(self):
        text = cost(((1, 1050, 110),))
        self.assertEqual(self.value("cost", "hackbench_instructions", text), 0)

    def test_cost_of_bad_input(self):
        good = cost(OURS)
        for text in [good.replace("switches 100,", ""), good.replace("programs before", "x"),
                     good.replace("elapsed 2.0 s", ""), good.replace("elapsed 2.0", "elapsed 0"),
                     good.replace("switches 100", "switches 0"), good.replace("[{", "[}"),
                     "part hackbench\nelapsed 1 s\nswitches 1, busy 1 us\n"
                     "programs before {}\nprograms after [1]\n"]:
            self.assertIsNone(self.value("cost", "hackbench_instructions", text), text)


def trainsim(step_ms):
    """A report of the training job of 10 steps."""
    elapsed = step_ms * 10 * 1e6
    return {"ranks": 6, "steps": 10, "elapsed_ns": elapsed, "step_ns": {"p99": 1e6},
            "cgroups": [{}, {"usage_usec": 4 * elapsed / 1e3}]}


SETUP = {"record": "setup", "title": "contest <x>", "cpus": 8, "fair_share": 0.5,
         "empty_ns": 1, "ns_per_instruction": 2, "schedulers": "eevdf cosched simple",
         "benchmarks": "hackbench barrier", "sizes": "small", "notes": ["virtual"]}


class Reports(unittest.TestCase):
    """The command, from legs to files."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)
        (self.path / "raw").mkdir()
        self.records = [dict(SETUP), {"record": "solo", "scheduler": "eevdf", "status": "ok",
                                      "load": trainsim(20)}]

    def add(self, scheduler, number, seconds, step_ms=80):
        """Good legs of both benchmarks in one round."""
        name = f"raw/{number}-{scheduler}.txt"
        (self.path / name).write_text(f"Time: {seconds}\n", encoding="utf-8")
        self.records += [
            {"record": "leg", "scheduler": scheduler, "round": number, "status": "ok",
             "benchmark": "hackbench", "raw": name},
            {"record": "leg", "scheduler": scheduler, "round": number, "status": "ok",
             "benchmark": "barrier", "load": trainsim(step_ms)}]

    def contest(self):
        """Three rounds; cosched wins the barrier and hackbench is a tie."""
        for number, seconds in enumerate([1.0, 1.2, 1.1], 1):
            self.add("eevdf", number, seconds)
            self.add("cosched", number, seconds + 0.05, 44)
            self.add("simple", number, seconds * 2, 60)

    def run_report(self):
        """(exit status, text, CSV rows, stderr)."""
        with open(self.path / "legs.jsonl", "w", encoding="utf-8") as legs:
            legs.writelines(json.dumps(r) + "\n" for r in self.records)
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = contest_report.main([str(self.path)])
        if status == 2:
            return status, "", [], err.getvalue()
        xml.etree.ElementTree.parse(self.path / "report.svg")
        with open(self.path / "report.csv", encoding="utf-8", newline="") as rows:
            table = list(csv.DictReader(rows))
        return status, out.getvalue(), table, err.getvalue()

    @staticmethod
    def row(table, benchmark, metric, scheduler):
        """The line of the CSV."""
        return next(r for r in table if (r["benchmark"], r["metric"], r["scheduler"])
                    == (benchmark, metric, scheduler))

    def test_contest(self):
        self.contest()
        status, text, table, _ = self.run_report()
        self.assertEqual(status, 0)
        time = self.row(table, "hackbench", "time", "eevdf")
        self.assertAlmostEqual(float(time["median"]), 1.1)
        self.assertAlmostEqual(float(time["spread_percent"]), 20 / 1.1)
        ours = self.row(table, "hackbench", "time", "cosched")
        self.assertEqual(ours["verdict"], "overlap")
        self.assertAlmostEqual(float(ours["ratio"]), 1.15 / 1.1)
        self.assertEqual(self.row(table, "hackbench", "time", "simple")["verdict"], "worse")
        bound = self.row(table, "barrier", "times_bound", "cosched")
        self.assertAlmostEqual(float(bound["median"]), 1.1)
        self.assertEqual(bound["verdict"], "better")
        noise = self.row(table, "barrier", "noise_share", "eevdf")
        self.assertAlmostEqual(float(noise["median"]), 50)
        self.assertIn("hackbench: time (s)", text)
        self.assertIn("Fewer than 5 rounds", text)
        self.assertIn("bound beside the neighbour", text)

    def test_failed_peer_is_shown(self):
        self.contest()
        self.records = [r for r in self.records if r.get("scheduler") != "simple"]
        for number in (1, 2, 3):
            self.records += [{"record": "leg", "scheduler": "simple", "round": number,
                              "benchmark": b, "status": "failed", "reason": "ejected: <x>"}
                             for b in ("hackbench", "barrier")]
        status, text, table, _ = self.run_report()
        self.assertEqual(status, 0)
        self.assertIn("3 of 3 FAILED", text)
        self.assertIn("FAILED: simple: ejected: <x> (hackbench in round 1, barrier in round 1,"
                      " hackbench in round 2, barrier in round 2 and 2 more)", text)
        row = self.row(table, "barrier", "times_bound", "simple")
        self.assertEqual((row["runs"], row["failed"], row["reason"]), ("0", "3", "ejected: <x>"))
        self.assertIn("failed", (self.path / "report.svg").read_text(encoding="utf-8"))

    def test_own_failure_is_an_error(self):
        self.contest()
        self.records[-3].update(status="failed")
        self.assertEqual(self.records[-3]["scheduler"], "cosched")
        status, text, table, _ = self.run_report()
        self.assertEqual(status, 1)
        self.assertIn("FAILED: cosched: no reason given", text)
        self.assertEqual(self.row(table, "barrier", "times_bound", "cosched")["runs"], "2")

    def test_one_round_says_nothing(self):
        self.add("eevdf", 1, 1.0)
        self.add("cosched", 1, 2.0)
        _, text, table, _ = self.run_report()
        self.assertEqual(self.row(table, "hackbench", "time", "cosched")["verdict"], "unknown")
        self.assertRegex(text, r"hackbench: time \(s\) +2.00x? +-")

    def test_no_figure_of_the_baseline(self):
        self.contest()
        for record in self.records:
            if record.get("scheduler") == "eevdf" and record.get("benchmark") == "barrier":
                record["load"] = None
        _, text, _, _ = self.run_report()
        self.assertRegex(text, "times the bound +=1.10 +=1.50")

    def test_scheduler_without_legs_is_shown(self):
        self.contest()
        self.records[0]["schedulers"] += " layered"
        _, text, _, _ = self.run_report()
        self.assertIn("no figure", text)

    def test_missing_raw_file(self):
        self.contest()
        (self.path / "raw/2-eevdf.txt").unlink()
        status, text, _, _ = self.run_report()
        self.assertEqual(status, 1)
        self.assertIn("raw/2-eevdf.txt: No such file", text)

    def test_no_setup(self):
        self.contest()
        self.records = self.records[1:]
        status, text, table, _ = self.run_report()
        self.assertEqual(status, 0)
        self.assertEqual(self.row(table, "barrier", "times_bound", "eevdf")["median"], "")
        self.assertIn("The bound is unknown", text)

    def test_unreadable(self):
        for records, want in [
                ([], "nothing was measured"), ([dict(SETUP)], "nothing was measured"),
                ([{"record": "leg", "scheduler": "x", "round": 3}], "names no benchmark"),
                ([{"record": "leg"}], 'needs "scheduler"')]:
            self.records = records
            status, _, _, err = self.run_report()
            self.assertEqual(status, 2)
            self.assertIn(want, err)
            self.assertNotIn("Traceback", err)


if __name__ == "__main__":
    unittest.main()
